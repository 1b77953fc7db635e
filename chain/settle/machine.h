/* machine: what the files of settle share: the state machine itself and the run of one block.
 * Private to chain/settle. */
#ifndef CHAIN_SETTLE_MACHINE_H
#define CHAIN_SETTLE_MACHINE_H

#include "chain/app.h"
#include "chain/settle/authority.h"
#include "chain/settle/due.h"
#include "chain/settle/results.h"
#include "chain/settle/rows.h"
#include "chain/settle/settle.h"
#include "chain/settle/state.h"
#include "chain/settle/tree.h"

/* What the last block replaced: the version before the tip, beside what it shares with it. */
struct past_row {
	struct hash32 path;
	size_t at; /* in values */
	size_t len;
	bool existed;
};
struct past {
	struct past_row *rows;
	size_t count;
	struct buf values;
	bool complete; /* false: right after an open, there is no version before */
};

/* A snapshot being indexed, or whole: where each chunk starts, and its leaf. */
struct snapshot {
	int64_t height;              /* 0: none */
	struct store_snapshot *held; /* the store as it was then */
	struct state_key *starts;
	struct hash32 *leaves;
	uint32_t count, cap;
	struct state_key next; /* where the next chunk starts */
	bool whole;
	enum status fault; /* given up */
	struct hash32 root;
};

/* A state that is being taken over from a snapshot. */
struct restore {
	bool active;
	struct app_snapshot about;
	struct hash32 app_hash;
	uint64_t block_ms;
	uint32_t next; /* chunk */
	struct state_key last;
	struct tree tree;
};

/* The records of authority as the state in hand has them, unpacked; each stands for the packed
 * value that it was read from or put as. */
struct authority_work {
	const uint8_t *seats_of; /* NULL: not read yet */
	const uint8_t *votes_of;
	struct seats seats;
	struct open_votes votes;
};

struct settle {
	struct store *store;
	struct settle_config config;
	bool started; /* a genesis was taken: params, treasury and totals are there */
	Pb__SettleParams params;
	struct account_address treasury;
	struct seats seats;       /* committed */
	struct rules rules;       /* committed */
	uint64_t votes_lapse_ms;  /* committed; job time, UINT64_MAX: no vote is open */
	char halt[APP_LOG_BYTES]; /* empty: the next block's rules are known here */
	struct settle_head head;  /* committed */
	struct totals totals;     /* committed */
	struct account_cache *cache;
	struct keys_cache *points;
	struct tree tree;
	struct due_queue due; /* committed */
	struct past past;

	/* The block in work: finalize fills it, commit writes it, committed adopts it. */
	struct arena arena;
	struct arena scratch; /* of the transaction, booking or row in hand */
	struct arena decoded; /* the transactions, from pass 1 to pass 3 */
	struct state work;
	struct results results;
	struct settle_head work_head;
	struct authority_work authority;
	bool pending;
	/* Apply's between two blocks' committed; offered is check's thread's. */
	struct snapshot building;
	struct snapshot offered[APP_SNAPSHOTS_MAX]; /* newest first */
	struct restore restore;
	enum status fault; /* adopting failed: no block may follow */

	/* prepare and process try pass 1 here, whatever is in work. */
	struct arena trial_arena;
	struct state trial;
};

/* A job that was booked because an action named it. */
struct booking {
	struct booking *earlier;
	struct job_key job;
	struct settle_place place;
};

/* The run of one block, and in it of one transaction and action. */
struct run {
	struct settle *settle;
	struct state *state;
	struct results *results;
	int64_t height;
	uint64_t block_ms;
	uint64_t job_ms; /* block time - outage */
	struct settle_place place;
	uint32_t touch_mark;
	struct account_address sender;
	/* The sender as an attribute's value, once an event of the transaction names it. */
	struct app_event_attribute sender_named;
	struct booking *bookings; /* of the transaction in hand, newest first */
	struct outcome outcome;   /* of the action in hand */
};

static inline void run_fail(struct run *run, enum status fault)
{
	if (run->state->fault == STATUS_OK)
		run->state->fault = fault;
}

/* Notes once per transaction (or per booking of pass 2) that an account was touched. */
void run_touch(struct run *run, const struct account_address *account);
/* The sender as an event's value, which costs its text once per transaction. */
void run_add_sender(struct run *run, struct event_draft *draft, const char *key, bool index);
void run_event(struct run *run, const struct event_draft *draft, const char *type);

/* ---- pass 1 and admission (check.c) ---- */

struct decoded_tx {
	struct tx tx;
	bool kept;             /* tx.body is still there in pass 3 */
	enum settle_code code; /* of pass 1 */
	const char *log;       /* in the arena; NULL for want of memory */
};

/* The transaction of a block, decoded into an arena. Faults go to the state's. */
void decode_into(
	struct state *state, struct decoded_tx *out, struct arena *arena, struct bytes raw);
/* Pass 1 for one decoded transaction of a block, against the state: takes the fee and advances the
 * sequence when out->code is SETTLE_OK. Returns the fee taken. */
uint64_t pass_one(struct settle *settle, struct state *state, struct decoded_tx *out,
	const struct app_tx *tx, uint64_t block_ms);

void settle_verify(void *self, struct bytes tx, struct app_verdict *out);
void settle_check(void *self, struct bytes tx, uint64_t now_ms, struct app_check *out);
bool settle_account(void *self, const struct account_address *address, uint64_t *next_sequence,
	uint64_t *balance);

/* ---- the block (block.c) ---- */

uint64_t block_time_ms(const struct app_block *block);
enum status settle_prepare(
	void *self, const struct app_block *block, struct app_tx *txs, size_t *tx_count);
enum status settle_process(void *self, const struct app_block *block, bool *accept);
enum status settle_finalize(void *self, const struct app_block *block, struct app_result *out);
enum status settle_commit(void *self, struct store_batch *batch);
void settle_committed(void *self);
uint64_t settle_next_wake_ms(void *self);
/* The work becomes the committed state. */
void work_adopt(struct settle *settle);
/* Writes the changed state rows of the work into the batch, and the head's. */
void work_put(struct settle *settle, struct store_batch *batch);
/* The state tree with the work's changes; its app_hash. */
enum status work_hash(struct settle *settle, struct hash32 *app_hash);
/* SHA256(0x00 || 0x06 || "settle" || 0x20 || SHA256(root)) [protocol 5] */
struct hash32 app_hash_of(const struct hash32 *root);

/* ---- genesis and open (genesis.c) ---- */

enum status settle_init_chain(void *self, const struct app_genesis *genesis,
	struct store_batch *batch, struct hash32 *app_hash);
/* Rebuilds from the store what lives in memory only. STATUS_CORRUPT: rows that contradict each
 * other. */
enum status settle_load(struct settle *settle);

/* ---- actions (form.c, actions_*.c) ---- */

/* The part of form that the parameters decide; false is SETTLE_BAD_PARAM. */
MUST_USE bool action_fits(const Pb__Action *action, const Pb__SettleParams *params);

enum settle_code action_transfer(struct run *run, const Pb__Transfer *act);
enum settle_code action_coordinator_set(struct run *run, const Pb__CoordinatorSet *act);
enum settle_code action_submit_job(struct run *run, const Pb__SubmitJob *act);
enum settle_code action_assign_job(struct run *run, const Pb__AssignJob *act);
enum settle_code action_renew_lease(struct run *run, const Pb__RenewLease *act);
enum settle_code action_release_job(struct run *run, const Pb__ReleaseJob *act);
enum settle_code action_record_receipt(struct run *run, const Pb__RecordReceipt *act);
enum settle_code action_deliver_result(struct run *run, const Pb__DeliverResult *act);
enum settle_code action_reject_delivery(struct run *run, const Pb__RejectDelivery *act);
enum settle_code action_fail_job(struct run *run, const Pb__FailJob *act);
enum settle_code action_cancel_job(struct run *run, const Pb__CancelJob *act);
enum settle_code action_authority(struct run *run, const Pb__Authority *act);

/* ---- authority (authority_block.c) ---- */

/* As the state in hand has them; valid until the next of these calls or put. */
const struct seats *authority_seats(struct run *run);
struct open_votes *authority_votes(struct run *run);
struct rules authority_rules(struct run *run);
void authority_put_seats(struct run *run, const struct seats *seats);
/* Of authority_votes(), changed. */
void authority_put_votes(struct run *run);
void authority_put_rules(struct run *run, const struct rules *rules);
/* Drops every vote that no longer counts, and the proposals that have none left. */
void authority_drop_stale(struct run *run, const struct seats *seats);
/* Pass 2: votes sent a term ago. */
void authority_lapse(struct run *run);
/* After pass 4: a planned rules version whose height is next. Before the state is hashed. */
void authority_turn(struct run *run);
/* What the engine must know: validator updates and the next block's version. */
void authority_tell_engine(struct run *run, struct app_result *out);
/* A record of kind p, r, v or w becomes the committed one. */
void authority_adopt(struct settle *settle, const struct state_entry *entry);
/* The same at open, from disk. False: another form. */
MUST_USE bool authority_load(struct settle *settle, uint8_t kind, struct bytes value);

/* ---- snapshots (snapshot.c) ---- */

/* A slice of the index of a snapshot in the making, if there is one. Apply's thread. */
void snapshots_build(struct settle *settle);
/* The block is adopted: a finished snapshot is offered, a new one begun where it is time. */
void snapshots_turn(struct settle *settle);
void snapshots_fini(struct settle *settle);
size_t settle_list_snapshots(void *self, struct app_snapshot out[APP_SNAPSHOTS_MAX]);
enum status settle_load_chunk(
	void *self, int64_t height, uint32_t index, struct buf *chunk, struct merkle_proof *proof);
bool settle_offer_snapshot(void *self, const struct app_snapshot *snapshot,
	const struct hash32 *app_hash, struct timestamp time);
enum status settle_apply_chunk(void *self, uint32_t index, struct bytes chunk,
	struct store_batch *batch, enum app_chunk_verdict *verdict);

/* ---- queries (query.c) ---- */

/* Validators, rules version and open proposals (query_authority.c). */
MUST_USE enum status authority_json(struct settle *settle, const struct store_snapshot *snapshot,
	struct arena *arena, uint64_t outage_ms, struct buf *json);
enum status settle_query(void *self, const struct app_query *query, struct app_answer *out);

#endif
