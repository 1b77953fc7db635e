/* job_ref: which job somebody means, what is kept of it at home, and where it stands. A job is
 * named by its REST id (job_ and 32 hex digits) or by the id its own client gave it.
 * HOME/jobs/REST_ID.json holds each submission as it was sent, written before it was sent, so that
 * sending again sends the same bytes. */
#ifndef WALLET_JOB_REF_H
#define WALLET_JOB_REF_H

#include "wallet/cli.h"
#include "wallet/terms.h"

struct job_ref {
	char rest_id[JOB_REST_ID_BYTES];
	bool chain_known; /* client and job_id: the names on the chain */
	struct account_address client;
	char job_id[JOB_ID_BYTES_MAX + 1];
};

/* False: said why. */
MUST_USE bool job_ref_read(struct cli *cli, struct job_ref *out, const char *text);
/* Fills the names on the chain, from home or from the coordinator. False: said why. */
MUST_USE bool job_ref_on_chain(struct cli *cli, struct job_ref *ref);

/* HOME/jobs/REST_ID.json. False: said why. */
MUST_USE bool job_record_write(struct cli *cli, const struct job_ref *ref, struct bytes body);
/* The POST body as it was stored. False: said why. */
MUST_USE bool job_record_read(struct cli *cli, const struct job_ref *ref, struct buf *body);

/* The coordinator's view of the job; new reference, NULL: said why. */
json_t *job_view(struct cli *cli, const struct job_ref *ref);
/* "completed", "failed", "cancelled", "expired" and the like. */
bool job_view_ended(const json_t *view);
bool job_view_completed(const json_t *view);
/* Rows of `aitbc status`. */
void job_view_show(struct show *show, const json_t *view);
/* Rows of a finished job as `aitbc submit --wait` ends with them. */
void job_view_show_end(struct show *show, const json_t *view);
/* Says on stdout what changes until the job has ended or timeout_ms passed (0: never). New
 * reference; NULL: said why. */
json_t *job_follow(struct cli *cli, const struct job_ref *ref, uint64_t timeout_ms);

/* The receipt as it stands in a block, checked: the miner's signature over it, and its hash in the
 * job's record when the job is settled. */
struct chain_receipt {
	struct arena arena;
	struct buf raw;             /* the transaction */
	const Pb__Receipt *receipt; /* in the arena */
	struct hash32 tx_hash;
	int64_t height;
	bool settled; /* the job's record names this receipt; else it is delivered and under review
		       */
	uint64_t to_miner;
	uint64_t to_coordinator;
	uint64_t to_client;
};
/* False: said why. Fini it in either case. */
MUST_USE bool chain_receipt_read(
	struct cli *cli, struct chain_receipt *out, const struct job_ref *ref);
void chain_receipt_fini(struct chain_receipt *receipt);

/* Saves what the job gave: result.json as its bytes stood and each artifact, all checked against
 * the receipt's result_hash. folder NULL: only the check, and the text to show. False: said why. */
MUST_USE bool job_result_fetch(
	struct cli *cli, struct show *show, const struct job_ref *ref, const char *folder);

#endif
