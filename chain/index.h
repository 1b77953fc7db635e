/* index: rows derived from a finalized block, written in the block's own batch, that answer "which
 * transactions touched this account" and "which carried this event".
 * Never writes what another index already says: tx.hash is STORE_TXS, tx.height and block.height
 * are STORE_META, and the attributes named by index_event_is_derived are the account history. So a
 * plain transfer costs two rows here (sender, recipient) and one in STORE_TXS. An index answers
 * with places; what stands there is read through blocks.h. Readers that ask for a derived attribute
 * walk the account's history and look at each transaction's own events. After pruning,
 * rows outlive their blocks until index_sweep comes by: start a span at blocks_span's height_min.
 */
#ifndef CHAIN_INDEX_H
#define CHAIN_INDEX_H

#include "base/keys.h"
#include "chain/app.h"
#include "chain/blocks.h"
#include "chain/store.h"

/* Puts the rows of one block: account history from result->touches (one row per account and
 * transaction, however often it is touched), events whose attribute has index set.
 * STATUS_NO_MEMORY: nothing usable. */
MUST_USE enum status index_put(
	struct store_batch *batch, int64_t height, const struct app_result *result);

/* The attribute's value is an account, in bech32, that the app also touches: found by account
 * history. */
bool index_event_is_derived(const char *type, const char *attribute);

/* Deletes rows of heights below height_min, a bounded share at each call: looks at up to rows_max
 * rows from where the last call ended, round and round; the mark lies in the batch too. For each
 * block's batch of a node that prunes. STATUS_NO_MEMORY, STATUS_CORRUPT, STATUS_IO. */
MUST_USE enum status index_sweep(
	struct store_batch *batch, struct store *store, int64_t height_min, size_t rows_max);

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

/* A walk in the span's order. The store, the snapshot and the iterator's memory are the caller's;
 * fini it before the snapshot is freed, also when the open failed. */
struct index_iterator {
	struct store *store;
	struct store_iterator *rows;
	size_t prefix_len;
};

/* An account's history. STATUS_NO_MEMORY. */
MUST_USE enum status index_account(struct index_iterator *out, struct store *store,
	const struct store_snapshot *snapshot, const struct account_address *account,
	struct index_span span);

/* Events whose composite key ("app.key") has exactly this value. Places with index
 * APP_EVENT_OF_BLOCK are the block's own events. */
MUST_USE enum status index_event(struct index_iterator *out, struct store *store,
	const struct store_snapshot *snapshot, const char *key, struct bytes value,
	struct index_span span);

/* Every row of a composite key, in order of value, then place: for EXISTS, CONTAINS and
 * comparisons. */
MUST_USE enum status index_event_values(struct index_iterator *out, struct store *store,
	const struct store_snapshot *snapshot, const char *key);

/* STATUS_OK with the next place, STATUS_NOT_FOUND at the end, STATUS_CORRUPT. */
MUST_USE enum status index_next(struct index_iterator *it, struct tx_place *place);
/* Same for index_event_values; value is a view until the next call. */
MUST_USE enum status index_next_value(
	struct index_iterator *it, struct bytes *value, struct tx_place *place);
void index_iterator_fini(struct index_iterator *it);

#endif
