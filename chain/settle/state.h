/* state: the working state of one block: a cache of records over the store, and what changed in it.
 * The store's state family holds the committed records; nothing here writes. A block's changes live
 * in memory until settle puts them into the block's batch; a transaction's changes can be rolled
 * back.
 *
 * Keys of the state tree (and of STORE_STATE): one byte of kind, then the natural key. On disk and
 * hashed: never change. J = client (20) || u8 len || job_id.
 *   'a' address (20)                 Account
 *   'b' proposal hash (32)           AuthorityProposal, while a vote for it is open
 *   'c' owner address (20)           Coordinator
 *   'e' J                            Escrow
 *   'j' J                            Job
 *   'o' validator address (20)       operator account (20 raw bytes); stays when the validator goes
 *   'p'                              SettleParams
 *   'r'                              Rules
 *   's' J || u8 slot 0 || u32be attempt   Assignment
 *   't'                              treasury account (20 raw bytes)
 *   'v'                              Seats
 *   'w'                              OpenVotes; absent when there are none
 *   'z'                              ChainState
 *
 * Faults are sticky: a failed read answers "not there" and state->fault says why; whoever runs a
 * block looks at it before believing anything. One thread. */
#ifndef CHAIN_SETTLE_STATE_H
#define CHAIN_SETTLE_STATE_H

#include "base/arena.h"
#include "base/keys.h"
#include "chain/proto/settle.pb-c.h"
#include "chain/settle/tree.h"
#include "chain/store.h"
#include "chain/tx.h"

enum { STATE_KEY_BYTES_MAX = 1 + JOB_KEY_BYTES_MAX + 1 + 4 };
struct state_key {
	uint8_t b[STATE_KEY_BYTES_MAX];
	size_t len;
};
struct state_key state_key_account(const struct account_address *address);
struct state_key state_key_coordinator(const struct account_address *owner);
struct state_key state_key_escrow(const struct job_key *job);
struct state_key state_key_job(const struct job_key *job);
struct state_key state_key_operator(const struct validator_address *validator);
struct state_key state_key_params(void);
struct state_key state_key_assignment(const struct job_key *job, uint32_t attempt);
struct state_key state_key_treasury(void);
struct state_key state_key_chain(void);

static inline struct bytes state_key_view(const struct state_key *key)
{
	return bytes_view(key->b, key->len);
}

/* Pb__Account, without its ceremony. */
struct account {
	uint64_t balance;
	uint64_t next_sequence;
	uint64_t open_jobs;
};
enum { ACCOUNT_BYTES_MAX = 33 };
/* Deterministic packing; returns its length. */
size_t account_pack(uint8_t out[ACCOUNT_BYTES_MAX], const struct account *account);
/* False: not what account_pack writes. */
MUST_USE bool account_unpack(struct account *out, struct bytes packed);

/* The running totals. balances isn't on record: it is what the account records sum up to. */
struct totals {
	uint64_t supply;
	uint64_t escrow;
	uint64_t outage_ms;
	uint64_t live_jobs;
	uint64_t balances;
};

/* Accounts of the last blocks as they are committed; bounded. Working states and admission look
 * into it from two threads, so it changes only when a block is adopted and neither runs. */
struct account_cache;
struct account_cache *account_cache_new(void);
void account_cache_free(struct account_cache *cache);
void account_cache_clear(struct account_cache *cache);
/* NULL: not in it; the store knows. */
const struct account *account_cache_find(
	const struct account_cache *cache, const struct account_address *address);
void account_cache_put(struct account_cache *cache, const struct account_address *address,
	const struct account *account);

union state_value {
	struct account account; /* of kind 'a' */
	struct bytes packed;    /* of all others; in the arena */
};

struct state_entry {
	struct state_entry *older; /* all entries of the block, newest first */
	struct bytes key;
	struct hash32 path; /* SHA256(key) */
	bool exists;
	bool exists_before; /* in the committed state */
	uint32_t touched;   /* the mark of the last transaction that touched this account */
	union state_value value;
	union state_value before;
};

enum { STATE_RECENT = 4 };
struct state_undo {
	struct state_entry *entry;
	bool exists;
	union state_value value;
};

struct state {
	struct store *store;
	struct account_cache *cache;
	struct arena *arena;   /* of the block */
	struct arena *scratch; /* of the transaction or booking in hand */
	uint64_t seed;         /* of the table: differs from block to block */
	struct state_entry **table;
	size_t table_cap; /* power of two */
	size_t count;
	struct state_entry *newest;
	struct state_entry *recent[STATE_RECENT]; /* met last: one action asks for few, often */
	size_t recent_next;
	struct state_undo *undo;
	size_t undo_count;
	size_t undo_cap;
	struct totals totals;
	struct totals totals_marked;
	enum status fault;
};

/* STATUS_NO_MEMORY. The arenas must outlive the state; arena is reset only together with
 * state_reset, scratch whenever no unpacked record is needed any more. */
MUST_USE enum status state_init(struct state *state, struct store *store,
	struct account_cache *cache, struct arena *arena, struct arena *scratch);
void state_fini(struct state *state);
/* Forgets every change and starts from the committed records and totals. */
void state_reset(struct state *state, const struct totals *committed, uint64_t seed);

/* Changes from here on can be undone, until the next mark. */
void state_mark(struct state *state);
void state_rollback(struct state *state);

/* Raw records but accounts. The value lives until state_reset. */
MUST_USE bool state_get(struct state *state, const struct state_key *key, struct bytes *value);
void state_put(struct state *state, const struct state_key *key, struct bytes value);
void state_delete(struct state *state, const struct state_key *key);

/* The entry of a key this block has met, or NULL; reads nothing. */
const struct state_entry *state_find(const struct state *state, const struct state_key *key);
const struct state_entry *state_find_path(const struct state *state, const struct hash32 *path);

/* NULL: no such account. Valid until the next call that writes this account. */
const struct account *state_account(struct state *state, const struct account_address *address);
void state_account_put(
	struct state *state, const struct account_address *address, const struct account *account);
/* True the first time this account is touched under this mark (never 0). */
MUST_USE bool state_touch(
	struct state *state, const struct account_address *address, uint32_t mark);

/* Typed records; unpacked into the scratch, so the caller may change its copy and put it back.
 * NULL: not there. */
Pb__Job *state_job(struct state *state, const struct job_key *job);
void state_job_put(struct state *state, const struct job_key *job, const Pb__Job *record);
Pb__Assignment *state_assignment(struct state *state, const struct job_key *job, uint32_t attempt);
void state_assignment_put(struct state *state, const struct job_key *job, uint32_t attempt,
	const Pb__Assignment *record);
void state_assignment_delete(struct state *state, const struct job_key *job, uint32_t attempt);
Pb__Coordinator *state_coordinator(struct state *state, const struct account_address *owner);
void state_coordinator_put(
	struct state *state, const struct account_address *owner, const Pb__Coordinator *record);
/* False: none. */
MUST_USE bool state_operator(struct state *state, struct account_address *out,
	const struct validator_address *validator);

/* ---- money; every function keeps totals.balances + totals.escrow ---- */

/* Settlement payments always go through: an account without record gets one; 0 changes nothing. */
void money_credit(struct state *state, const struct account_address *to, uint64_t uaitbc);
/* False: no account, or less on it; nothing changed. */
MUST_USE bool money_debit(struct state *state, const struct account_address *from, uint64_t uaitbc);
/* From the client's balance into the job's escrow. False: too little; nothing changed. */
MUST_USE bool money_lock(struct state *state, const struct account_address *client,
	const struct job_key *job, uint64_t uaitbc);
/* Empties and removes the job's escrow; the caller credits every unit of it. */
uint64_t money_unlock(struct state *state, const struct job_key *job);

/* ---- the end of the block ---- */

/* Writes the ChainState record if the totals that are on record moved. */
void state_close_totals(struct state *state, const struct totals *committed);
/* Differs from the committed record. */
MUST_USE bool state_entry_changed(const struct state_entry *entry);
/* The packed value; in scratch for an account. */
struct bytes state_entry_value(const struct state_entry *entry, uint8_t scratch[ACCOUNT_BYTES_MAX]);
/* The same of the committed record it stands for; it must exist there. */
struct bytes state_entry_before(
	const struct state_entry *entry, uint8_t scratch[ACCOUNT_BYTES_MAX]);
/* A packed message in the arena, to be put; empty and a fault for want of memory. */
struct bytes state_pack(struct state *state, const ProtobufCMessage *message);

#endif
