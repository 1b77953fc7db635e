/* assignment: what a coordinator says a job is, and whether the chain says the same.
 * The coordinator's word is only a claim: the miner works for what the chain holds in escrow. Pure;
 * owns the payload's bytes. A coordinator's mistakes are verdicts with a reason, never a CHECK. */
#ifndef MINER_ASSIGNMENT_H
#define MINER_ASSIGNMENT_H

#include <jansson.h>

#include "wallet/terms.h"

struct assignment {
	char rest_id[JOB_REST_ID_BYTES]; /* computed, and equal to what was said */
	struct account_address client;
	char job_id[JOB_ID_BYTES_MAX + 1]; /* the client's own */
	uint32_t attempt;
	struct buf payload_raw; /* as it stood in the message: what is hashed */
	json_t *payload;
	uint8_t salt[32];
	/* Stated terms. */
	struct account_address coordinator;
	char service[SERVICE_BYTES_MAX + 1];
	struct hash32 payload_hash;
	struct hash32 chain_tag;
	uint64_t reward;
	char unit_type[UNIT_TYPE_BYTES_MAX + 1];
	uint64_t unit_price;
	uint64_t max_units_milli;
	int64_t submit_height;
};

/* Reads the body of POST /v1/jobs/assign and checks what needs no chain: form, REST id, payload
 * hash. False: fault names the field. *out is to be given to assignment_fini either way. */
MUST_USE bool assignment_read(struct assignment *out, struct bytes body, char fault[160]);
void assignment_fini(struct assignment *assignment);

/* What this miner asks of every job. */
struct assignment_rules {
	struct account_key miner;
	struct account_address coordinator; /* the one we registered with */
	struct hash32 chain_tag;
	bool accept_refund;
};

enum assignment_verdict {
	ASSIGNMENT_GOOD,
	ASSIGNMENT_NOT_MINE, /* the chain gives this attempt to nobody or to somebody else */
	ASSIGNMENT_REFUSED   /* it is ours on the chain, and we don't want it as it is: give it back
			      */
};

/* Against the chain's own record. fault says what is wrong unless it is good. */
MUST_USE enum assignment_verdict assignment_judge(const struct assignment *assignment,
	const struct job_terms *terms, const struct assignment_rules *rules, char fault[160]);

/* Can this miner measure such units? "second", and what is counted by calls or tokens. */
bool unit_type_measured(const char *unit_type);

#endif
