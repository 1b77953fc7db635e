/* search: finds the transactions or blocks that a query means, through the index and a snapshot of
 * the store. A query whose conditions are one list of the index (a tag with a value, in a range of
 * heights) is counted and paged without walking the list; what else is asked is looked at row by
 * row, up to SEARCH_ROWS_MAX. As in CometBFT, conditions on attributes of one type of event must
 * hold in the same event. Owns what it finds until search_fini. Any thread with its own snapshot.
 */
#ifndef RPC_SEARCH_H
#define RPC_SEARCH_H

#include "chain/index.h"
#include "rpc/query.h"

struct search {
	/* What is sought: filled by the caller, the rest zero. */
	struct store *store;
	const struct store_snapshot *snapshot;
	const struct query *query;
	bool blocks; /* seeks blocks: places with index APP_EVENT_OF_BLOCK; else transactions */
	bool newest_first;
	/* What was found. */
	uint64_t total;
	bool too_many; /* more rows than may be looked at: nothing else is known */
	/* How: one list of the index, or every place. */
	struct index_span span;
	bool has_list;
	struct index_list list;
	struct tx_place *places; /* oldest first */
	size_t place_count, place_cap;
};

/* STATUS_NO_MEMORY, STATUS_CORRUPT, STATUS_IO. search_fini also after a failure. */
MUST_USE enum status search_run(struct search *s);

/* Up to count places from the first-th on (from 0), in the order asked for. *found: how many. */
MUST_USE enum status search_page(
	const struct search *s, struct tx_place *out, size_t *found, uint64_t first, size_t count);

/* What lies after `seen` in the order asked for, up to count places: the cursor. */
MUST_USE enum status search_after(const struct search *s, struct tx_place *out, size_t *found,
	struct tx_place seen, size_t count);

void search_fini(struct search *s);

#endif
