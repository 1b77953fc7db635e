/* sick_store: the store as a simulated node sees it: another store, whose rows may be rotten (a
 * read of one answers STATUS_CORRUPT, as checksums do), or whose writes forget to sync, which is a
 * bug to plant. What fails to be written is store_mem's own. */
#ifndef TESTS_SIM_SICK_STORE_H
#define TESTS_SIM_SICK_STORE_H

#include "chain/store.h"

struct sick_store {
	struct store *inner;
	bool forgets_syncs;
	bool rotten;
	uint32_t rot; /* which rows */
};

/* out lives as long as s and inner do; it isn't closed. */
void sick_store_init(struct store *out, struct sick_store *s, struct store *inner);

#endif
