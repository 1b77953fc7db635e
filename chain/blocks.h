/* blocks: the block store: how a decided block and the chain's head lie in the store.
 * Owns nothing: every function takes the store (and, for reading, an optional snapshot; NULL reads
 * the newest). Writing only fills a batch that the caller writes; so a block, its indices, the
 * app's state and the head become durable together or not at all. Called by replica (writes,
 * restart) and by rpc and explorer workers (reads, through a snapshot each). Never verifies a
 * signature and never judges a block: only decided ones come here. Decoded objects live in the
 * caller's arena, raw bytes in the caller's buf (appended). Errors of every read: STATUS_NOT_FOUND
 * (not kept here, an answer), STATUS_CORRUPT (a row that doesn't parse), STATUS_NO_MEMORY (heap, or
 * the arena's bound), STATUS_IO. */
#ifndef CHAIN_BLOCKS_H
#define CHAIN_BLOCKS_H

#include "base/arena.h"
#include "base/hash.h"
#include "chain/app.h"
#include "chain/proto/comet.pb-c.h"
#include "chain/proto/node.pb-c.h"
#include "chain/store.h"

/* Where a transaction stands. Ordered by height, then index. */
struct tx_place {
	int64_t height;
	uint32_t index; /* APP_EVENT_OF_BLOCK: the block itself, not one of its transactions */
};

static inline int tx_place_compare(struct tx_place a, struct tx_place b)
{
	return a.height != b.height ? (a.height < b.height ? -1 : 1)
				    : (a.index > b.index) - (a.index < b.index);
}

/* ---- the views of a raw Block: nothing is copied or decoded that isn't asked for ---- */

/* Packed messages inside the raw bytes; empty where the block has none (last_commit of the first).
 */
struct block_sections {
	struct bytes header;
	struct bytes data;
	struct bytes evidence;
	struct bytes last_commit;
};
/* False: raw isn't a Block (foreign field, wrong wire type, cut short). */
MUST_USE bool block_sections(struct block_sections *out, struct bytes raw);

/* Walks the transactions of sections.data: *at starts at 0. False at the end or where data doesn't
 * parse. */
bool block_tx_next(struct bytes *tx, size_t *at, struct bytes data);
/* The index-th transaction of a raw block. False: it has no such one, or doesn't parse. */
MUST_USE bool block_tx_at(struct bytes *tx, struct bytes raw, uint32_t index);

/* ---- writing ---- */

/* Everything of one decided block; all pointers are borrowed for the call. The height is
 * head->height. */
struct blocks_entry {
	struct bytes raw;          /* Block */
	const Pb__BlockMeta *meta; /* block_id and header filled */
	const Pb__Commit
		*seen_commit; /* the precommits this node decided by, or a synced block's commit */
	const Pb__BlockResults *results; /* see block_results_of */
	const Pb__Head *head; /* after this block: sets of height (last_validators), +1, +2 */
	const struct hash32 *tx_hashes; /* SHA-256 of each transaction, in order */
	size_t tx_count;
};

/* Puts block, meta, hash row, seen commit, the canonical commit of height - 1 (out of the block),
 * results, tx-by-hash rows, validator set rows where needed, and the head. One row per transaction.
 * STATUS_CORRUPT: raw isn't a Block; nothing was put. */
MUST_USE enum status blocks_put(struct store_batch *batch, const struct blocks_entry *entry);

/* At genesis, before the first block: head->height = initial_height - 1, head->validators the set
 * of initial_height, head->next_validators that of the height after. */
MUST_USE enum status blocks_put_genesis(struct store_batch *batch, const Pb__Head *head);

/* In place of the genesis: the one block that a store begins with after a snapshot of the app's
 * state was taken over. entry's results and tx_hashes stay unused: transactions of that block are
 * in it, but not found by hash. */
MUST_USE enum status blocks_put_restored(
	struct store_batch *batch, struct store *store, const struct blocks_entry *entry);

/* Deletes what blocks_put wrote for this height, validator rows apart (later heights may stand on
 * them). The caller raises head.base_height in the same batch; index readers skip what lies below
 * it. */
MUST_USE enum status blocks_prune(struct store_batch *batch, struct store *store, int64_t height);

/* What an executed block is stored and hashed as. Everything in the arena but the texts and data of
 * the result, which are borrowed from it. NULL: the arena is exhausted. */
Pb__BlockResults *block_results_of(struct arena *arena, const struct app_result *result);

/* ---- reading ---- */

/* STATUS_NOT_FOUND: the store is new: genesis has not been written. */
MUST_USE enum status blocks_head(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, const Pb__Head **out);

/* Lowest and highest kept block; height_min > height_max: none yet (only genesis was written). */
MUST_USE enum status blocks_span(struct store *store, const struct store_snapshot *snapshot,
	int64_t *height_min, int64_t *height_max);

/* Appends the raw Block. */
MUST_USE enum status blocks_raw(struct store *store, const struct store_snapshot *snapshot,
	int64_t height, struct buf *out);

MUST_USE enum status blocks_meta(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, int64_t height, const Pb__BlockMeta **out);

MUST_USE enum status blocks_height_of(struct store *store, const struct store_snapshot *snapshot,
	const struct hash32 *block_hash, int64_t *height);

/* The commit for a height. *canonical: it is the one that block height + 1 carries; false at the
 * tip, where it is this node's own seen commit. */
MUST_USE enum status blocks_commit(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, int64_t height, const Pb__Commit **out, bool *canonical);

MUST_USE enum status blocks_results(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, int64_t height, const Pb__BlockResults **out);

/* The set that signs this height, priorities as of its round 0. Known from the initial height to
 * tip + 2; rpc serves to tip + 1. */
MUST_USE enum status blocks_validators(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, int64_t height, const Pb__ValidatorSet **out);

MUST_USE enum status blocks_tx_place(struct store *store, const struct store_snapshot *snapshot,
	const struct hash32 *tx_hash, struct tx_place *out);

/* Appends one transaction's bytes out of its block. Reads the whole block: who wants many of one
 * block takes blocks_raw once and block_tx_at. */
MUST_USE enum status blocks_tx(struct store *store, const struct store_snapshot *snapshot,
	struct tx_place place, struct buf *out);

/* One transaction's result, decoded alone. */
MUST_USE enum status blocks_tx_result(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, struct tx_place place, const Pb__ExecTxResult **out);

/* ---- other engine records in STORE_META, by a text key that starts with '/' ---- */
MUST_USE enum status blocks_record(struct store *store, const struct store_snapshot *snapshot,
	const char *key, struct buf *out);
void blocks_put_record(struct store_batch *batch, const char *key, struct bytes value);

#endif
