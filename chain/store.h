/* store: the port to what is on disk: get, iterate, snapshot, one atomic batch.
 * Two adapters, store_mem (tests, simulator) and store_rocks (the only file that sees RocksDB),
 * hold to one contract suite. Keys sort as bytes_compare. A batch is all or nothing, also across
 * families and crashes. Reads through a snapshot never see later writes; snapshots and iterators
 * must be freed before the store. Any thread may write, and read
 * through its own snapshot; batches of two writers land one after the other, each whole.
 * Errors: STATUS_NOT_FOUND is an answer; STATUS_CORRUPT a checksum that failed; STATUS_DISK_FULL
 * and STATUS_IO on a write mean nothing of it is durable and the store must not be written again.
 */
#ifndef CHAIN_STORE_H
#define CHAIN_STORE_H

#include "base/bytes.h"
#include "base/status.h"

/* On disk by name (store_family_name), so the numbers may move. */
enum store_family {
	STORE_BLOCKS, /* u64be height -> Block bytes */
	STORE_META,   /* u64be height -> BlockMeta; "head" -> Head; other engine records by text key
		       */
	STORE_COMMITS,     /* u64be height -> Commit for that height (seen commit, until the next
			      block's) */
	STORE_RESULTS,     /* u64be height -> BlockResults */
	STORE_TXS,         /* tx hash -> u64be height, u32be index */
	STORE_STATE,       /* the app's records; key and value are the state tree's */
	STORE_JOBS,        /* job and receipt indices */
	STORE_ACCOUNTS,    /* address, u64be height, u32be index -> numbers: an account's history */
	STORE_EVENTS,      /* type.key, 0, value, 0, 0 or 1, u64be height, u32be index -> numbers */
	STORE_COORDINATOR, /* the coordinator's own records; never read by the chain */
	STORE_FAMILIES
};

const char *store_family_name(enum store_family family);

/* Writes gathered in order; later ones win. Owns its bytes. Failure is sticky, reported by
 * store_write. */
struct store_batch {
	struct buf ops;
	size_t count;
};

void store_batch_init(struct store_batch *batch);
void store_batch_fini(struct store_batch *batch);
void store_batch_clear(struct store_batch *batch);
void store_batch_put(
	struct store_batch *batch, enum store_family family, struct bytes key, struct bytes value);
void store_batch_delete(struct store_batch *batch, enum store_family family, struct bytes key);

/* Walks a batch: adapters replay it, tests look into it. at starts at 0. False at the end. */
struct store_op {
	enum store_family family;
	bool is_put;
	struct bytes key;
	struct bytes value;
};
bool store_batch_next(const struct store_batch *batch, size_t *at, struct store_op *op);

struct store;
struct store_snapshot;
struct store_iterator;

/* What an adapter provides. self is the adapter's own struct. */
struct store_vtable {
	enum status (*get)(void *self, const struct store_snapshot *snapshot,
		enum store_family family, struct bytes key, struct buf *value);
	struct store_snapshot *(*snapshot_new)(void *self);
	void (*snapshot_free)(void *self, struct store_snapshot *snapshot);
	struct store_iterator *(*iterator_new)(void *self, const struct store_snapshot *snapshot,
		enum store_family family, struct bytes from, struct bytes to, bool backwards);
	enum status (*iterator_next)(
		struct store_iterator *it, struct bytes *key, struct bytes *value);
	void (*iterator_free)(struct store_iterator *it);
	enum status (*write)(void *self, const struct store_batch *batch, bool sync);
	void (*close)(void *self);
};

struct store {
	const struct store_vtable *vtable;
	void *self;
};

/* Appends the value to *value (not cleared before). snapshot NULL: the newest. */
MUST_USE enum status store_get(struct store *store, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes key, struct buf *value);
MUST_USE bool store_has(struct store *store, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes key, enum status *status);

/* NULL: no memory. */
struct store_snapshot *store_snapshot_new(struct store *store);
void store_snapshot_free(struct store *store, struct store_snapshot *snapshot);

/* Keys k with from <= k < to; an empty `to` is no bound. Backwards starts at the greatest. The
 * iterator reads from the snapshot (NULL: the newest at this call). NULL: no memory. */
struct store_iterator *store_iterate(struct store *store, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes from, struct bytes to, bool backwards);
/* STATUS_OK with views valid until the next call; STATUS_NOT_FOUND at the end; STATUS_CORRUPT. */
MUST_USE enum status store_next(
	struct store *store, struct store_iterator *it, struct bytes *key, struct bytes *value);
void store_iterator_free(struct store *store, struct store_iterator *it);

/* All of the batch or nothing. sync: durable before the return. */
MUST_USE enum status store_write(struct store *store, const struct store_batch *batch, bool sync);

/* Frees the adapter; *store is dead after it. */
void store_close(struct store *store);

#endif
