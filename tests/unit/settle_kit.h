/* settle_kit: a small settlement world for tests: one app over store_mem, accounts with known keys,
 * a coordinator, blocks made by hand. Actions live in the kit's arena; everything fails loudly. */
#ifndef TESTS_SETTLE_KIT_H
#define TESTS_SETTLE_KIT_H

#include "base/arena.h"
#include "chain/app.h"
#include "chain/settle/params.h"
#include "chain/settle/rows.h"
#include "chain/settle/settle.h"
#include "chain/settle/state.h"
#include "chain/store_mem.h"
#include "chain/tx.h"

/* Accounts by number; each has a key. */
enum kit_who {
	CLIENT,
	COORDINATOR,
	OPERATOR,
	MINER,
	STRANGER,
	RICH,
	TREASURY,
	PROPOSER,
	KIT_PEOPLE
};

enum { KIT_SEATS = 8 };
enum { KIT_BLOCK_TXS_MAX = 4096, KIT_COIN = 1000000, KIT_START_MS = 1700000000 };

struct kit {
	struct store store;
	struct app app;
	struct settle_config config;
	struct app_genesis genesis; /* as it was opened with */
	struct app_validator_update seats[KIT_SEATS];
	struct buf app_state;
	Pb__SettleParams params;
	struct arena arena;
	struct store_batch batch;
	int64_t height; /* of the last block */
	struct timestamp time;
	struct timestamp last_time;
	uint64_t sequences[KIT_PEOPLE];
	uint64_t fee;    /* of the next transactions */
	bool unverified; /* hand transactions over with verified = false */
	struct buf raws[KIT_BLOCK_TXS_MAX];
	struct app_tx txs[KIT_BLOCK_TXS_MAX];
	size_t tx_count;
	struct app_result result;
};

/* params NULL: the defaults. Everybody but STRANGER owns 1000 AITBC; COORDINATOR takes 5 % and has
 * OPERATOR. */
void kit_open(struct kit *kit, const Pb__SettleParams *params);
/* The same with so many validators of these powers, operated by kit_operator(0), kit_operator(1),
 * ... One of power 10 in kit_open. */
void kit_open_seats(
	struct kit *kit, const Pb__SettleParams *params, const int64_t *powers, size_t count);
void kit_close(struct kit *kit);
/* Closes the app and opens it again over the same store. */
void kit_reopen(struct kit *kit);

const struct account_secret *kit_secret(enum kit_who who);
struct account_key kit_key(enum kit_who who);
struct account_address kit_address(enum kit_who who);
/* Of the validator of this number, below KIT_SEATS. */
struct validator_key kit_validator(size_t number);
/* Who operates it from genesis on; below 4. */
enum kit_who kit_operator(size_t number);
/* Validator 0. */
struct validator_address kit_proposer(void);
struct job_key kit_job(enum kit_who client, const char *job_id);

/* ---- actions, with the usual values; edit the message they return by action->... before sending
 * ---- */
Pb__Action *kit_transfer(struct kit *kit, enum kit_who to, uint64_t amount);
Pb__Action *kit_coordinator_set(struct kit *kit, uint32_t share_ppm, bool accepts_new);
/* 1 AITBC for "second"s at 0.02, one minute, three attempts, PAY_MINER. */
Pb__Action *kit_submit(struct kit *kit, const char *job_id);
Pb__Action *kit_assign(struct kit *kit, const char *job_id, uint32_t attempt, uint64_t lease_ms);
Pb__Action *kit_renew(struct kit *kit, const char *job_id, uint32_t attempt, uint64_t lease_ms);
Pb__Action *kit_release(
	struct kit *kit, const char *job_id, uint32_t attempt, bool signed_by_miner);
Pb__Action *kit_fail(struct kit *kit, const char *job_id, uint32_t attempt, bool signed_by_miner);
Pb__Action *kit_cancel(struct kit *kit, const char *job_id);
Pb__Action *kit_reject(struct kit *kit, const char *job_id, uint32_t attempt);
/* A receipt for CLIENT's job as kit_submit makes them, submitted at submit_height; signed by the
 * miner. */
Pb__Receipt *kit_receipt(struct kit *kit, const char *job_id, uint32_t attempt,
	int64_t submit_height, uint64_t units_milli);
void kit_sign_receipt(struct kit *kit, Pb__Receipt *receipt);
Pb__Action *kit_record(struct kit *kit, Pb__Receipt *receipt);
Pb__Action *kit_deliver(struct kit *kit, Pb__Receipt *receipt);

/* Proposals; their content is in action->authority->proposal. */
Pb__Action *kit_propose_none(struct kit *kit);
/* Adds a change to a proposal (NULL: a new one). account KIT_PEOPLE: none named. */
Pb__Action *kit_propose_validator(
	struct kit *kit, Pb__Action *action, size_t number, int64_t power, enum kit_who account);
/* The kit's parameters, to be edited. */
Pb__Action *kit_propose_params(struct kit *kit);
Pb__Action *kit_propose_rules(struct kit *kit, uint64_t version, int64_t height);
Pb__Action *kit_propose_spend(struct kit *kit, enum kit_who to, uint64_t amount);

/* ---- blocks ---- */

/* Puts a signed transaction into the block in hand, with the sender's next sequence. Ends with
 * NULL. */
void kit_send(struct kit *kit, enum kit_who sender, Pb__Action *action);
void kit_send_many(
	struct kit *kit, enum kit_who sender, Pb__Mode mode, Pb__Action **actions, size_t count);
/* A transaction from a body of one's own; sequence and fee as given there. */
void kit_send_body(struct kit *kit, enum kit_who sender, Pb__TxBody *body);
struct app_block kit_block(struct kit *kit, uint64_t after_ms);
/* Executes what was sent, `after_ms` after the last block, and commits it. */
const struct app_result *kit_run(struct kit *kit, uint64_t after_ms);
/* kit_send, then a block 1 ms later: the code. */
uint32_t kit_act(struct kit *kit, enum kit_who sender, Pb__Action *action);
/* Writes and adopts what finalize left. */
void kit_commit(struct kit *kit, const struct app_block *block);

/* ---- looking ---- */
uint64_t kit_balance(struct kit *kit, enum kit_who who);
uint64_t kit_now_ms(const struct kit *kit);
/* Pb__JobState, 0 for none. In *record (may be NULL) the record, in the kit's arena. */
uint32_t kit_job_state(struct kit *kit, const char *job_id, Pb__Job **record);
struct totals kit_totals(struct kit *kit);
/* False: no record has this key. The value lives in the kit's arena. */
MUST_USE bool kit_record_of(struct kit *kit, const struct state_key *key, struct bytes *value);
struct hash32 kit_app_hash(struct kit *kit);
const char *kit_ask(struct kit *kit, const char *path, struct bytes data, uint32_t *code);

#endif
