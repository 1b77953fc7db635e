/* store_rocks: the store port over RocksDB; store_rocks.c is the only file that sees it.
 * What a flipped bit in the write-ahead log does (wal_recovery_mode 0, "tolerate corrupted tail
 * records"): in a record's bytes or checksum    -> the open is refused, STATUS_CORRUPT; also in the
 * last record a record cut short by power loss   -> the open succeeds, without that batch and with
 * every one before it in a length field near the end     -> can look like the line above: a batch
 * is missing without a word The other modes are worse: 1 refuses a torn tail too, so that no node
 * would start after a power loss; 2 (the library's default) opens silently short after any flipped
 * bit. The last line of the table is why the head is compared with the fence and the consensus log
 * at start. Checksums are verified on every read of a file. */
#ifndef CHAIN_STORE_ROCKS_H
#define CHAIN_STORE_ROCKS_H

#include "chain/store.h"

/* Opens or creates the database in directory dir (created; its parent must exist). fault gets the
 * reason in words (dir, cause, what to do). STATUS_BUSY: another process holds it. STATUS_CORRUPT:
 * see above, or files of a database whose beginning is gone. STATUS_DISK_FULL, STATUS_IO,
 * STATUS_NO_MEMORY. After a failed store_write every later one answers the same: close, and decide
 * at the next start. */
MUST_USE enum status store_rocks_open(struct store *out, const char *dir, char fault[256]);

#endif
