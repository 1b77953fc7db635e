/* store_mem: the store port in memory, for tests and the simulator, with a disk's bad manners:
 * un-synced batches can be dropped (a crash), writes can be told to fail. Deterministic. */
#ifndef CHAIN_STORE_MEM_H
#define CHAIN_STORE_MEM_H

#include "chain/store.h"

MUST_USE enum status store_mem_open(struct store *out);

/* Power loss: every batch after the last synced one is gone; keep_unsynced of them (oldest first)
 * survive. */
void store_mem_crash(struct store *store, size_t keep_unsynced);
size_t store_mem_unsynced(const struct store *store);

/* The next writes answer this status and change nothing; STATUS_OK ends it. */
void store_mem_fail_writes(struct store *store, enum status status);

#endif
