/* terms: what a job says on the chain, and the receipt and signatures that follow from it [protocol
 * 3, 4]. The miner builds and signs its receipt from these terms, the coordinator rebuilds the same
 * bytes to check it, a wallet reads them to see where its job stands. Owns nothing on the heap:
 * every struct is the caller's. Pure but for the json_t read. A peer's JSON that isn't a job is a
 * verdict (false), never a CHECK. */
#ifndef WALLET_TERMS_H
#define WALLET_TERMS_H

#include <jansson.h>

#include "base/keys.h"
#include "base/limits.h"
#include "base/status.h"
#include "chain/proto/settle.pb-c.h"
#include "chain/tx.h"

struct job_terms {
	struct account_address client;
	char job_id[JOB_ID_BYTES_MAX + 1];
	Pb__JobState state;
	uint32_t attempt; /* of the last assignment; 0 before the first */

	/* The terms; zero and empty once the job is in a terminal state. */
	struct account_address coordinator;
	uint32_t coordinator_ppm;
	char service[SERVICE_BYTES_MAX + 1];
	struct hash32 payload_hash;
	uint64_t reward;
	char unit_type[UNIT_TYPE_BYTES_MAX + 1];
	uint64_t unit_price;
	uint64_t max_units_milli;
	uint64_t deadline_ms; /* job time */
	uint32_t max_attempts;
	Pb__OnSilence on_silence;
	uint64_t review_ms;
	uint64_t grace_ms;
	int64_t submit_height;

	/* ASSIGNED and DELIVERED. */
	bool assigned;
	struct account_key miner;
	uint64_t lease_end_ms;      /* job time */
	uint64_t assigned_block_ms; /* block time */
	uint64_t review_end_ms;     /* job time; DELIVERED */

	/* From the terminal state on. */
	struct hash32 receipt_hash; /* zero: ended without a receipt */
	uint64_t to_miner;
	uint64_t to_coordinator;
	uint64_t to_client;
	int64_t height; /* of settlement */

	/* The chain's clocks when it answered; 0 when the answer didn't say. */
	uint64_t job_time_ms;
	uint64_t block_time_ms;
};

/* The value of abci_query /jobs. False: not a job; fault names the field. */
MUST_USE bool job_terms_parse(struct job_terms *out, const json_t *job, char fault[96]);
/* SETTLED and beyond. */
bool job_state_terminal(Pb__JobState state);
/* "OPEN", "ASSIGNED", ... Never NULL. */
const char *job_state_name(Pb__JobState state);
/* params of abci_query /jobs for this job; NULL: no memory, or an impossible job_id. */
json_t *job_terms_query(const struct account_address *client, const char *job_id);
struct job_key job_terms_key(const struct job_terms *terms);

/* A receipt with the memory its message points into: don't copy it by assignment, build it where it
 * stays. message is valid while the struct lives, ready for an Action, receipt_hash() and packing.
 */
struct job_receipt {
	Pb__Receipt message;
	struct job_terms terms; /* its own copy: client, texts and keys are read from here */
	char receipt_id[33];
	struct hash32 result_hash;
	struct account_signature signature;
	bool is_signed;
};

/* The work done, as the miner measured it. */
struct job_work {
	uint64_t units_milli; /* as measured: the receipt holds min(units, max_units) */
	uint64_t started_ms;
	uint64_t completed_ms;
	struct hash32 result_hash;
};

/* The receipt of terms->attempt by terms->miner. Amount, units and id are computed. False: the
 * terms name no miner (not assigned), or completed is before started. The message has no signature
 * yet. */
MUST_USE bool job_receipt_build(struct job_receipt *out, const struct job_terms *terms,
	const struct job_work *work, const struct hash32 *chain_tag);
/* By the miner. False: the secret isn't that of terms->miner. */
MUST_USE bool job_receipt_sign(struct job_receipt *receipt, const struct account_secret *secret,
	const struct hash32 *chain_tag);
/* By the coordinator: attaches the miner's signature when it verifies over this receipt; false when
 * it doesn't. */
MUST_USE bool job_receipt_attach(struct job_receipt *receipt,
	const struct account_signature *signature, const struct hash32 *chain_tag);

/* The miner's word that gives an attempt back or calls it failed for good [protocol 3]. */
enum job_release_act { JOB_RELEASE = 1, JOB_FAIL = 2 };
/* False: the secret is no key. */
MUST_USE bool job_release_sign(struct account_signature *out, const struct job_key *job,
	uint32_t attempt, enum job_release_act act, const struct account_secret *secret,
	const struct hash32 *chain_tag);
MUST_USE bool job_release_verify(const struct account_signature *signature,
	const struct job_key *job, uint32_t attempt, enum job_release_act act,
	const struct account_key *miner, const struct hash32 *chain_tag);

/* payload_hash of protocol 4: SHA256(salt || payload bytes). */
struct hash32 job_payload_hash(const uint8_t salt[32], struct bytes payload);
/* REST job id [design D7]: "job_" + 32 lower-case hex digits of SHA256(client || 0x00 || job_id).
 */
enum { JOB_REST_ID_BYTES = 4 + 32 + 1 };
void job_rest_id(
	char out[JOB_REST_ID_BYTES], const struct account_address *client, const char *job_id);

#endif
