/* mempool: transactions that wait for a block: bounded admission, one lane per account in sequence
 * order. PURE: time is an argument, no I/O, one thread (the loop). All its memory but the
 * transactions' own bytes is taken once, at mempool_new; nothing a sender does makes it grow past
 * the options' numbers. Admission has two phases around the signature check, which happens
 * elsewhere: mempool_known?  -> app.check -> mempool_consider -> verify worker -> mempool_add or
 * mempool_release The first phase reserves the hash, so that identical bytes arriving meanwhile are
 * verified once. The second repeats the lane's conditions, since the lane may have moved on. Never
 * sees a signature itself: what is added was verified (or belongs to a machine that verifies in
 * check). Refusals of admission are verdicts [protocol 2, 7]; a bug (release of what was not
 * reserved) is a CHECK. */
#ifndef CHAIN_MEMPOOL_H
#define CHAIN_MEMPOOL_H

#include "base/hash.h"
#include "base/keys.h"
#include "chain/app.h"

enum mempool_outcome {
	MEMPOOL_OK,        /* considered: reserved, now verify; added: it waits */
	MEMPOOL_KNOWN,     /* rpc: -32603 with verdict.log "tx already exists in cache" */
	MEMPOOL_FULL,      /* rpc: -32603 with verdict.log "mempool is full: number of txs ..." */
	MEMPOOL_TOO_LARGE, /* rpc: -32603 with verdict.log "Tx too large. Max size is ..." */
	MEMPOOL_REFUSED    /* rpc: a result with verdict.code != 0: the app's, or a lane's */
};

struct mempool_verdict {
	enum mempool_outcome outcome;
	struct app_verdict verdict; /* log is the error text of KNOWN, FULL, TOO_LARGE */
	bool verified; /* consider: this hash was verified before; go straight to mempool_add */
	bool ready;    /* add: could stand in a block made now */
};

/* Why a transaction that had been added left without being asked to. */
enum mempool_leave {
	MEMPOOL_COMMITTED, /* it is in the committed block */
	MEMPOOL_STALE,     /* another one took its sequence on chain */
	MEMPOOL_REPLACED,  /* by a higher fee */
	MEMPOOL_EXPIRED,   /* valid_until_ms has passed */
	MEMPOOL_GAP,       /* waited MEMPOOL_GAP_MS_MAX for a sequence before it */
	MEMPOOL_UNFUNDED,  /* the balance fell below the queued fees */
	MEMPOOL_DROPPED    /* mempool_drop: a block can't hold it */
};

struct mempool;

struct mempool_options {
	uint8_t seed[16];    /* random: keys the hash tables, so that nobody can grind collisions */
	uint32_t txs_max;    /* waiting and reserved together; 0: MEMPOOL_TXS_MAX */
	size_t bytes_max;    /* 0: MEMPOOL_BYTES_MAX */
	size_t tx_bytes_max; /* 0: TX_BYTES_MAX */
	/* The account's committed next sequence and balance: app.account. NULL: machine without
	 * accounts. */
	bool (*account)(void *self, const struct account_address *address, uint64_t *next_sequence,
		uint64_t *balance);
	void *account_self;
	/* May be NULL. Called in the middle of mempool functions: must not call back into the
	 * mempool. raw is gone when it returns. */
	void (*left)(
		void *self, const struct hash32 *hash, struct bytes raw, enum mempool_leave why);
	void *left_self;
};

/* NULL: no memory. */
struct mempool *mempool_new(const struct mempool_options *options);
void mempool_free(struct mempool *m);

/* ---- admission ---- */

/* Waiting, or reserved while it is verified: ask before decoding anything. */
bool mempool_known(const struct mempool *m, const struct hash32 *hash);

/* Phase 1, all that needs no signature: size, known, the app's verdict, sequence window, fees
 * against the balance, bounds. MEMPOOL_OK reserves the hash: end it with mempool_add or
 * mempool_release. A reservation counts against the pool's bounds but takes nothing in its
 * account's lane: who can't sign for an account can't crowd it out. What has no sender and was
 * committed lately is KNOWN: no sequence would say so. now_ms as given to app.check: the next
 * block's likely time. */
void mempool_consider(struct mempool *m, struct mempool_verdict *out, const struct hash32 *hash,
	size_t raw_len, const struct app_check *check, uint64_t now_ms);

/* Phase 2, after a good signature: ends the reservation; MEMPOOL_OK: the bytes were copied and
 * wait. When a block was committed since phase 1, the account is asked for again. */
void mempool_add(struct mempool *m, struct mempool_verdict *out, const struct hash32 *hash,
	struct bytes raw, uint64_t now_ms);

/* Phase 2, after a bad signature or none: forgets the reservation. */
void mempool_release(struct mempool *m, const struct hash32 *hash);

/* ---- what was verified: each signature once per node ---- */

/* Waits here, or was noted lately. */
bool mempool_has_verified(const struct mempool *m, const struct hash32 *hash);
/* Verified on another road (in a proposal). The last MEMPOOL_NOTED_MAX are remembered. */
void mempool_note_verified(struct mempool *m, const struct hash32 *hash);

/* ---- making a block ---- */

/* Bytes that a transaction takes in a Block's data: tag, length and itself. */
size_t mempool_block_bytes(size_t raw_len);

/* READY transactions only: contiguous from the account's next sequence and in time at now_ms.
 * Accounts in turn, each in sequence order; the turn starts where the last reap ended.
 * block_bytes_max bounds the sum of mempool_block_bytes. Fills at most out_max entries (verified =
 * true), returns how many; the views live until the mempool is changed. What is reaped stays until
 * it is committed or dropped. */
size_t mempool_reap(struct mempool *m, struct app_tx *out, size_t out_max, size_t block_bytes_max,
	uint64_t now_ms);

/* What app.prepare threw out of a reaped list: leaves at once (MEMPOOL_DROPPED); what stood behind
 * it in its lane becomes a gap. Unknown hashes are ignored. */
void mempool_drop(struct mempool *m, const struct hash32 *hash, uint64_t now_ms);

/* A block was committed and app.committed has run: included transactions leave, each touched
 * account (and each included sender) is asked for once, and what became stale, unfunded or expired
 * leaves; gaps that closed become ready. touches may repeat accounts and may name ones that have
 * nothing here. */
void mempool_committed(struct mempool *m, const struct hash32 *hashes, size_t hash_count,
	const struct app_touch *touches, size_t touch_count, uint64_t now_ms);

/* After many blocks at once (sync): every lane is asked for. Time grows with the pool. */
void mempool_recheck(struct mempool *m, uint64_t now_ms);

/* Evicts what expired and gaps that waited MEMPOOL_GAP_MS_MAX. Call when mempool_next_tick_ms has
 * come. */
void mempool_tick(struct mempool *m, uint64_t now_ms);
/* UINT64_MAX: nothing will ever leave by itself. */
uint64_t mempool_next_tick_ms(const struct mempool *m);

/* Forgets everything but reservations; nothing is reported. */
void mempool_flush(struct mempool *m);

/* ---- looking ---- */

struct mempool_counts {
	uint32_t txs; /* waiting: ready and gaps */
	uint32_t ready;
	uint32_t reserved;
	uint32_t lanes;
	size_t bytes;            /* of what waits */
	uint64_t ready_since_ms; /* when the first ready one became so; UINT64_MAX: none is ready */
};
struct mempool_counts mempool_counts(const struct mempool *m);

/* A waiting transaction; the view lives until the mempool is changed. */
MUST_USE bool mempool_find(const struct mempool *m, struct bytes *raw, const struct hash32 *hash);

/* unconfirmed_txs: the first out_max waiting ones, ready before gaps, oldest first. Views as above.
 */
size_t mempool_list(const struct mempool *m, struct app_tx *out, size_t out_max);

/* What an account has waiting. False: nothing. */
struct mempool_lane {
	uint64_t next_sequence; /* committed */
	uint64_t free_sequence; /* the first one that nothing waits for: what its owner should sign
				   next */
	uint64_t fees;          /* queued, all */
	uint64_t balance;       /* committed */
	uint32_t txs;
	uint32_t ready;
	size_t bytes;
};
MUST_USE bool mempool_account(
	const struct mempool *m, struct mempool_lane *out, const struct account_address *address);

#endif
