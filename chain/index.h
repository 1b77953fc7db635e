/* index: rows derived from a finalized block, written in the block's own batch, that answer "which
 * transactions touched this account" and "which carried this event".
 * Never writes what another index already says: tx.hash is STORE_TXS, tx.height and block.height
 * are STORE_META, and who sent and received a transfer is a mark on the account's history. So a
 * plain transfer costs two rows here (sender, recipient) and one in STORE_TXS. An index answers
 * with places; what stands there is read through blocks.h.
 * A list is all rows of one account or of one value of one event attribute. Its rows are numbered,
 * so that how many there are and which is the n-th is known without walking them: the cost of a
 * page doesn't grow with the hits. After pruning, rows outlive their blocks until index_sweep comes
 * by: start a span at blocks_span's height_min. */
#ifndef CHAIN_INDEX_H
#define CHAIN_INDEX_H

#include "base/keys.h"
#include "chain/app.h"
#include "chain/blocks.h"
#include "chain/store.h"

/* ---- writing ---- */

/* Remembers where the lists written last end, so that most rows are numbered without a read.
 * About 4 MiB; one thread (the apply worker). */
struct index_writer;
/* NULL: no memory. */
struct index_writer *index_writer_new(void);
void index_writer_free(struct index_writer *writer);

/* Puts the rows of one block: account history from result->touches (one row per account and
 * transaction, however often it is touched), events whose attribute has index set. Transactions
 * stand in ascending order in the result, what belongs to the block itself anywhere. The batch must
 * be written, or neither the writer nor the store used again. STATUS_NO_MEMORY, STATUS_CORRUPT,
 * STATUS_IO: nothing usable. */
MUST_USE enum status index_put(struct index_writer *writer, struct store_batch *batch,
	struct store *store, int64_t height, const struct app_result *result);

/* Deletes rows of heights below height_min, a bounded share at each call: looks at up to rows_max
 * rows from where the last call ended, round and round; the mark lies in the batch too. For each
 * block's batch of a node that prunes. STATUS_NO_MEMORY, STATUS_CORRUPT, STATUS_IO. */
MUST_USE enum status index_sweep(
	struct store_batch *batch, struct store *store, int64_t height_min, size_t rows_max);

/* ---- places ---- */

/* Which places, in which order: from <= place < to. */
struct index_span {
	struct tx_place from;
	struct tx_place to;
	bool newest_first;
};
/* Every place of heights height_min..height_max, both included. */
struct index_span index_span_of(int64_t height_min, int64_t height_max, bool newest_first);
/* The cursor: the same span, but only what comes after `seen` in its order. */
struct index_span index_span_after(struct index_span span, struct tx_place seen);

/* ---- lists ---- */

/* Owns its prefix. Reads from the snapshot (NULL: each call the newest), both the caller's. */
struct index_list {
	struct store *store;
	const struct store_snapshot *snapshot;
	enum store_family family;
	struct buf prefix;
	unsigned mark; /* which of the row's numbers counts; 0: all rows */
};

/* An account's history. */
MUST_USE enum status index_list_account(struct index_list *out, struct store *store,
	const struct store_snapshot *snapshot, const struct account_address *account);
/* Where the composite key ("job.id") has exactly this value: the transactions that say so; or,
 * of_block, the blocks that say so themselves, at places with index APP_EVENT_OF_BLOCK.
 * STATUS_NO_MEMORY. */
MUST_USE enum status index_list_event(struct index_list *out, struct store *store,
	const struct store_snapshot *snapshot, struct bytes key, struct bytes value, bool of_block);
void index_list_fini(struct index_list *list);

/* How many places of the span are in the list. Cost: two looks, whatever the answer. */
MUST_USE enum status index_list_count(
	uint64_t *count, const struct index_list *list, const struct index_span *span);
/* The n-th of them, from 0, in the span's order. Cost: some 60 looks at most, whatever n.
 * STATUS_NOT_FOUND: there are fewer. */
MUST_USE enum status index_list_nth(struct tx_place *place, const struct index_list *list,
	const struct index_span *span, uint64_t n);
/* STATUS_OK, or STATUS_NOT_FOUND when the place isn't in the list. */
MUST_USE enum status index_list_has(const struct index_list *list, struct tx_place place);

/* A walk in the span's order. The list must outlive it; fini it before the list and the snapshot.
 */
struct index_iterator {
	const struct index_list *list; /* NULL: a walk over values */
	struct index_span rest;
	struct store *store;
	struct store_iterator *rows;
	size_t prefix_len;
	size_t skipped; /* rows in a row that the list doesn't count */
};
/* STATUS_NO_MEMORY. Fini it also when this failed. */
MUST_USE enum status index_walk(
	struct index_iterator *out, const struct index_list *list, const struct index_span *span);
/* STATUS_OK with the next place, STATUS_NOT_FOUND at the end, STATUS_CORRUPT. */
MUST_USE enum status index_next(struct index_iterator *it, struct tx_place *place);

/* Every row of a composite key that isn't a mark on accounts, in order of value, transactions
 * before blocks, then place: for EXISTS, CONTAINS and comparisons. */
MUST_USE enum status index_walk_values(struct index_iterator *out, struct store *store,
	const struct store_snapshot *snapshot, struct bytes key);
/* value is a view until the next call. */
MUST_USE enum status index_next_value(
	struct index_iterator *it, struct bytes *value, struct tx_place *place);
void index_iterator_fini(struct index_iterator *it);

/* Whether the composite key is kept as a mark on the accounts' history: there is then no row under
 * its own name. */
bool index_is_mark(struct bytes key);

#endif
