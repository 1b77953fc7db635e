/* model: the settlement rules a second time, naively, to be compared with chain/settle block by
 * block. Written from docs/protocol.md, not from the other code: arrays, linear searches, one copy
 * of everything to roll back to. Shares nothing with it but base and the generated message types.
 */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include "base/hash.h"
#include "base/keys.h"
#include "chain/proto/settle.pb-c.h"

enum {
	MODEL_ACCOUNTS_MAX = 128,
	MODEL_LIVE_MAX = 64,
	MODEL_COORDINATORS_MAX = 16,
	MODEL_RECEIPT_BYTES_MAX = 1024,
	MODEL_SEATS_MAX = 32,
	MODEL_VOTES_MAX = 4 * MODEL_SEATS_MAX,
	MODEL_PROPOSAL_BYTES_MAX = 512
};

struct model_account {
	uint8_t address[20];
	uint64_t balance;
	uint64_t sequence;
	uint64_t open_jobs;
};

struct model_coordinator {
	uint8_t owner[20];
	uint32_t share_ppm;
	bool accepts_new;
	uint8_t operators[8][20];
	size_t operator_count;
};

struct model_job {
	uint8_t client[20];
	char id[65];
	int state;
	uint32_t attempt;
	uint8_t coordinator[20];
	uint32_t ppm;
	char service[65];
	uint8_t payload_hash[32];
	uint64_t reward;
	char unit_type[17];
	uint64_t unit_price;
	uint64_t max_units;
	uint64_t deadline;
	uint32_t max_attempts;
	int on_silence;
	uint64_t review_ms;
	uint64_t grace_ms;
	int64_t submit_height;
	/* assignment */
	uint8_t miner[33];
	uint64_t lease_end;
	uint64_t assigned_ms;
	uint64_t review_end;
	uint8_t delivered[MODEL_RECEIPT_BYTES_MAX]; /* packed whole */
	size_t delivered_len;
	uint64_t delivered_amount;
	/* the end */
	uint8_t receipt_hash[32];
	bool paid_receipt;
	uint64_t to_miner, to_coordinator, to_client;
	int64_t height;
};

struct model_seat {
	uint8_t key[32];
	uint8_t address[20];
	int64_t power;
	bool has_account;
	uint8_t account[20];
};

/* With the proposal's content: it leaves with its last vote. */
struct model_vote {
	uint8_t hash[32];
	uint8_t account[20];
	uint64_t sent;
	uint8_t proposal[MODEL_PROPOSAL_BYTES_MAX]; /* packed */
	size_t proposal_len;
};

/* Who operates a validator, or did. */
struct model_operator {
	uint8_t validator[20];
	uint8_t account[20];
};

struct model_rules {
	uint64_t version;
	uint64_t next_version;
	int64_t next_height;
	char release[65];
};

/* What can be rolled back as a whole. */
struct model_world {
	struct model_account accounts[MODEL_ACCOUNTS_MAX];
	size_t account_count;
	struct model_coordinator coordinators[MODEL_COORDINATORS_MAX];
	size_t coordinator_count;
	struct model_job live[MODEL_LIVE_MAX];
	size_t live_count;
	size_t dead_count;
	struct model_seat seats[MODEL_SEATS_MAX]; /* ascending by address */
	size_t seat_count;
	struct model_vote votes[MODEL_VOTES_MAX]; /* oldest first */
	size_t vote_count;
	struct model_operator operators[MODEL_SEATS_MAX];
	size_t operator_count;
	struct model_rules rules;
	Pb__SettleParams params; /* of the next block */
};

/* One payment made by a booking. */
struct model_payment {
	uint8_t to[20];
	uint64_t amount;
};
struct model_booking {
	struct model_job job; /* as it ended */
	struct model_payment payments[2];
	size_t payment_count;
};

struct model {
	Pb__SettleParams params; /* of the block in hand */
	struct hash32 chain_tag;
	uint64_t heartbeat_ms;
	uint8_t treasury[20];
	uint64_t supply;
	uint64_t outage_ms;
	struct model_world world;
	struct model_world saved;
	struct model_seat seats_before[MODEL_SEATS_MAX]; /* the block */
	size_t seat_count_before;
	struct model_job *dead; /* every job that ended; the first world.dead_count count */
	size_t dead_cap;
	struct model_booking bookings[256]; /* of the transaction in hand */
	size_t booking_count;
	/* of the block */
	int64_t height;
	uint64_t now_ms;
	uint64_t job_ms;
};

struct model_tx {
	uint8_t sender[20];
	size_t size;
	const Pb__TxBody *body;
	bool signature_good;
};

struct model_outcome {
	uint32_t code;
	int state;
	bool has_job;
	uint8_t job[85];
	size_t job_len;
	Pb__Receipt *receipt;
};

struct model_result {
	uint32_t code;
	bool in_block; /* passed pass 1 */
	bool has_data;
	struct hash32 data;
	struct model_outcome outcomes[256];
	size_t outcome_count;
};

/* params, chain_tag, supply and the genesis accounts are the caller's to fill. */
void model_init(struct model *m);
void model_fini(struct model *m);

struct model_account *model_account(struct model *m, const uint8_t address[20]);
struct model_account *model_account_make(struct model *m, const uint8_t address[20]);
struct model_coordinator *model_coordinator(struct model *m, const uint8_t owner[20]);
/* Live or dead; NULL: never submitted. */
struct model_job *model_job(struct model *m, const uint8_t client[20], const char *id);

/* Executes a block; results[i] of each transaction. proposer: a validator address. */
void model_block(struct model *m, int64_t height, uint64_t now_ms, uint64_t last_ms,
	const uint8_t proposer[20], const struct model_tx *txs, struct model_result *results,
	size_t count);
/* Pass 1 alone, on a copy of the accounts: which would pass, in order; those that fail are as if
 * absent. */
void model_pass_one(
	struct model *m, uint64_t now_ms, const struct model_tx *txs, bool *pass, size_t count);
uint64_t model_escrow(const struct model *m);
uint64_t model_balances(const struct model *m);

/* ---- model_rules.c ---- */
/* Form that the bytes alone decide: refuses the transaction. */
uint32_t model_form(const Pb__TxBody *body);
uint32_t model_action(struct model *m, struct model_outcome *out, const uint8_t sender[20],
	const Pb__Action *action);
/* Ends a live job (index into world.live): moves it to the dead. */
void model_end(struct model *m, size_t live, int state, uint64_t to_miner, uint64_t to_coordinator,
	uint64_t to_client, const Pb__Receipt *receipt);
bool model_due(const struct model *m, const struct model_job *job);
uint64_t model_due_ms(const struct model_job *job);
/* Books a due job; notes it when `by_name`. */
void model_book(struct model *m, size_t live, bool by_name);
void model_credit(struct model *m, const uint8_t to[20], uint64_t amount);

/* ---- model_authority.c ---- */
uint32_t model_authority_form(const Pb__AuthorityProposal *proposal);
uint32_t model_vote(
	struct model *m, const uint8_t sender[20], const Pb__AuthorityProposal *proposal);
/* Pass 2 and the block's end. */
void model_lapse(struct model *m);
void model_turn(struct model *m);
/* -1: none. */
int model_seat(const struct model_world *world, const uint8_t address[20]);
/* Adds or changes who operates it. */
void model_operates(struct model *m, const uint8_t validator[20], const uint8_t account[20]);
/* Ascending by address. */
void model_sort_seats(struct model_world *world);

#endif
