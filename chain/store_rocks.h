/* store_rocks: the store port over RocksDB; store_rocks.c is the only file that sees it. */
#ifndef CHAIN_STORE_ROCKS_H
#define CHAIN_STORE_ROCKS_H

#include "chain/store.h"

/* Opens or creates the database in directory dir. fault gets the reason in words (dir, cause, what to do).
 * STATUS_BUSY: another process holds it. STATUS_CORRUPT: never opened short (wal_recovery_mode 0). */
MUST_USE enum status store_rocks_open(struct store *out, const char *dir, char fault[256]);

#endif
