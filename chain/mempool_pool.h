/* mempool_pool: what the mempool is made of: entries, lanes, their lists and the heap of expiries;
 * moves between them that keep every count right. Knows no rule of admission. For the mempool's
 * files only. Pure. */
#ifndef CHAIN_MEMPOOL_POOL_H
#define CHAIN_MEMPOOL_POOL_H

#include "base/limits.h"
#include "chain/mempool.h"
#include "chain/mempool_table.h"

enum { LANE_WINDOW = ACCOUNT_PENDING_TXS_MAX };
_Static_assert(LANE_WINDOW == 64, "a lane's window is the bits of one word");

enum entry_state {
	ENTRY_FREE,
	ENTRY_RESERVED, /* its signature is being verified elsewhere; in no lane */
	ENTRY_READY,    /* on the ready list */
	ENTRY_GAP,      /* on the gap list */
	ENTRY_QUEUED    /* on the first-come queue: a machine without accounts */
};

struct entry {
	struct hash32 hash;
	uint64_t sequence;
	uint64_t fee;
	uint64_t valid_until_ms; /* 0: no end */
	uint64_t since_ms;       /* in its present state */
	uint8_t *raw;            /* ours; NULL while reserved */
	uint32_t raw_len;
	uint32_t lane; /* MEMPOOL_NOWHERE: none */
	uint32_t before, after;
	uint32_t heap_at; /* place in the heap + 1; 0: not in it */
	enum entry_state state;
	/* What app.check said, for the time of the reservation. */
	bool has_sender;
	struct account_address sender;
	uint64_t next_sequence;
	uint64_t balance;
	uint64_t generation; /* how many blocks had been committed */
};

struct lane {
	struct account_address address;
	uint32_t count;
	uint64_t next_sequence; /* committed */
	uint64_t balance;       /* committed; never below fees */
	uint64_t fees;          /* of all its entries */
	uint64_t
		occupied; /* bit sequence % 64 for next_sequence <= sequence < next_sequence + 64 */
	uint32_t bytes;
	uint32_t ready;         /* how many from next_sequence on */
	uint32_t before, after; /* the ring of lanes that have something ready */
	uint32_t taken;         /* by the reap in progress */
	bool is_dirty;          /* listed for a refresh */
	uint32_t slots[LANE_WINDOW];
};

struct list {
	uint32_t head, tail;
	uint32_t count;
};

struct expiry {
	uint64_t valid_until_ms;
	uint32_t entry;
};

/* Hashes that were verified or committed lately: a ring, and a table over it. */
struct note {
	struct hash32 hash;
	bool is_committed;
};

struct mempool {
	struct mempool_options options;
	struct entry *entries; /* options.txs_max of them */
	struct lane *lanes;
	struct expiry *heap;
	struct note *notes; /* MEMPOOL_NOTED_MAX */
	uint32_t *scratch;  /* lanes: of a reap's turn, or listed for a refresh */
	struct mempool_table by_hash, by_address, by_note;
	uint32_t entry_free, lane_free; /* chains through after */
	uint32_t entries_used, lanes_used;
	uint32_t entry_count, lane_count, heap_count;
	uint32_t note_at;
	uint32_t note_count;
	struct list ready, gaps, queue;
	uint32_t ring; /* the lane whose turn it is */
	uint32_t ring_count;
	size_t bytes, reserved_bytes;
	uint32_t reserved_count;
	uint64_t generation;
};

/* MEMPOOL_NOWHERE: the pool is full. The entry is reserved and found by its hash. */
uint32_t entry_reserve(struct mempool *m, const struct hash32 *hash, size_t raw_len);
/* A reservation ends without a transaction. */
void entry_release(struct mempool *m, uint32_t at);
/* A reservation becomes a transaction; eats raw. It is in no lane and on no list yet. */
void entry_fill_take(struct mempool *m, uint32_t at, uint8_t *raw);
/* A transaction leaves, and is reported. Its lane must be settled afterwards. */
void entry_leave(struct mempool *m, uint32_t at, enum mempool_leave why);
/* Into the first-come queue. */
void entry_queue(struct mempool *m, uint32_t at, uint64_t now_ms);

uint32_t lane_find(const struct mempool *m, const struct account_address *address);
uint32_t lane_new(struct mempool *m, const struct account_address *address, uint64_t next_sequence,
	uint64_t balance);
/* The entry that waits for this sequence of the window, or MEMPOOL_NOWHERE. */
uint32_t lane_at(const struct lane *lane, uint64_t sequence);
/* Into its free place; settle afterwards. */
void lane_put(struct mempool *m, uint32_t lane_index, uint32_t entry_at, uint64_t now_ms);
/* The committed sequence moved on: what stands before it leaves as stale; settle afterwards. */
void lane_advance(struct mempool *m, uint32_t lane_index, uint64_t next_sequence);
/* The highest occupied sequence. The lane isn't empty. */
uint64_t lane_last_sequence(const struct lane *lane);
/* Brings READY and GAP in line with what is there; an empty lane is freed. */
void lane_settle(struct mempool *m, uint32_t lane_index, uint64_t now_ms);

bool note_find(const struct mempool *m, const struct hash32 *hash, bool *is_committed);
void note_add(struct mempool *m, const struct hash32 *hash, bool is_committed);

#endif
