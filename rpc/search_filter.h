/* search_filter: whether a transaction or block fulfils conditions, by its own events; for search.c
 * only. */
#ifndef RPC_SEARCH_FILTER_H
#define RPC_SEARCH_FILTER_H

#include "rpc/search.h"

/* Pointers into the query. */
struct conditions {
	const struct query_condition *items[QUERY_CONDITIONS_MAX];
	size_t count;
};

/* STATUS_NOT_FOUND: it doesn't. Reads its results, and for tx.hash its bytes. */
MUST_USE enum status filter_fits(
	const struct search *s, const struct conditions *conditions, struct tx_place place);

#endif
