/* rows: what settlement keeps beside its state so that jobs and receipts are found without replay:
 *the layout of STORE_JOBS, its writers (used by settle alone, into the block's own batch) and its
 *readers (rpc, explorer, wallet's proofs), which work on any snapshot in any thread.
 *
 * A place is where something happened: u64be height || u32be tx || u32be action. What pass 2 booked
 *has tx = PLACE_OF_BLOCK and counts its bookings as actions. First byte of the key = kind; on disk,
 *never change: 'H'                      -> u64be height, app_hash (32), chain_tag (32): the app's
 *own head 'a' height, tx           -> u8 code, u8 state per action. Absent when data is empty
 *(ATOMIC that failed) or when every action is a transfer with code 0 'c' client (20) place    -> J,
 *at submit_job 'j' J place              -> u8 state, u8 cause, u32be attempt: each change of a job
 *	'm' miner address place  -> J, at assign_job
 *	'o' coordinator place    -> J, at submit_job
 *	'r' receipt id (16)      -> place, J: the action in which the receipt's bytes stand
 *	'R' place                -> receipt id (16), miner address (20), u64be to_miner, u64be
 *to_coordinator, J: receipts that were settled, where they were settled Readers: STATUS_NOT_FOUND
 *is an answer; STATUS_CORRUPT a row of another form. */
#ifndef CHAIN_SETTLE_ROWS_H
#define CHAIN_SETTLE_ROWS_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/keys.h"
#include "chain/store.h"
#include "chain/tx.h"

#define PLACE_OF_BLOCK UINT32_MAX

struct settle_place {
	int64_t height;
	uint32_t tx;
	uint32_t action;
};

struct receipt_id {
	uint8_t b[16];
};

/* What changed a job. On disk: never renumber. The actions have their numbers of the schema's
 * oneof. */
enum settle_cause {
	CAUSE_SUBMIT = 3,
	CAUSE_ASSIGN = 4,
	CAUSE_RENEW = 5,
	CAUSE_RELEASE = 6,
	CAUSE_RECORD = 7,
	CAUSE_DELIVER = 8,
	CAUSE_REJECT = 9,
	CAUSE_FAIL = 10,
	CAUSE_CANCEL = 11,
	CAUSE_DEADLINE = 100,
	CAUSE_REVIEW = 101
};
/* "submit_job", ..., "deadline", "review_end"; "unknown". */
const char *settle_cause_name(uint32_t cause);
/* "OPEN", ... of Pb__JobState; "NONE" for 0, "UNKNOWN" beyond. */
const char *settle_state_name(uint32_t state);

/* ---- reading ---- */

struct settle_head {
	int64_t height;
	struct hash32 app_hash;
	struct hash32 chain_tag;
	uint64_t block_ms; /* its time; 0 at genesis */
};
MUST_USE enum status settle_head_get(
	struct store *store, const struct store_snapshot *snapshot, struct settle_head *out);

struct settle_change {
	struct settle_place place;
	uint32_t state; /* Pb__JobState after it */
	uint32_t cause;
	uint32_t attempt;
};
/* The job's changes, oldest first, after `after` (NULL: from its submission). Fills at most max. */
MUST_USE enum status settle_job_history(struct store *store, const struct store_snapshot *snapshot,
	struct settle_change *out, size_t max, size_t *count, const struct job_key *job,
	const struct settle_place *after);

enum settle_list { LIST_BY_CLIENT, LIST_BY_COORDINATOR, LIST_BY_MINER };
struct settle_listed {
	struct settle_place place; /* of submit_job; of assign_job by miner */
	struct job_key job;
};
/* Newest first, before `before` (NULL: from the newest). */
MUST_USE enum status settle_jobs_page(struct store *store, const struct store_snapshot *snapshot,
	struct settle_listed *out, size_t max, size_t *count, enum settle_list list,
	const struct account_address *account, const struct settle_place *before);

struct settle_receipt {
	struct settle_place place; /* where it was settled */
	struct receipt_id id;
	struct account_address miner;
	uint64_t to_miner;
	uint64_t to_coordinator;
	struct job_key job;
};
/* Settled receipts, newest first, before `before` (NULL: from the newest). */
MUST_USE enum status settle_receipts_page(struct store *store,
	const struct store_snapshot *snapshot, struct settle_receipt *out, size_t max,
	size_t *count, const struct settle_place *before);

/* Where a receipt's bytes stand (record_receipt, or deliver_result until that), and its job. */
struct settle_receipt_place {
	struct settle_place place;
	struct job_key job;
};
MUST_USE enum status settle_receipt_find(struct store *store, const struct store_snapshot *snapshot,
	struct settle_receipt_place *out, const struct receipt_id *id);
/* 32 hex digits of either case. */
MUST_USE bool receipt_id_parse(struct receipt_id *out, struct bytes text);

/* u8 code, u8 state per action, appended. STATUS_NOT_FOUND: see 'a' above. */
MUST_USE enum status settle_outcomes_get(struct store *store, const struct store_snapshot *snapshot,
	struct buf *out, int64_t height, uint32_t tx);

/* ---- writing (settle) ---- */

void rows_put_head(struct store_batch *batch, const struct settle_head *head);
void rows_put_change(
	struct store_batch *batch, const struct job_key *job, const struct settle_change *change);
void rows_put_listed(struct store_batch *batch, enum settle_list list,
	const struct account_address *account, const struct settle_listed *listed);
void rows_put_receipt(struct store_batch *batch, const struct settle_receipt *receipt);
void rows_put_receipt_place(struct store_batch *batch, const struct receipt_id *id,
	const struct settle_receipt_place *at);
void rows_put_outcomes(
	struct store_batch *batch, int64_t height, uint32_t tx, struct bytes outcomes);

#endif
