/* store_table: whether RocksDB can look into one of its tables (*.sst) without falling over it. The
 * library takes a table's list of properties apart before it has held it against its checksum, and
 * asserts on what it finds: one flipped bit ends the process. All its other blocks it checks first.
 * Pure; used by store_remains.c before each open. */
#ifndef CHAIN_STORE_TABLE_H
#define CHAIN_STORE_TABLE_H

#include "base/bytes.h"

enum { STORE_TABLE_TAIL_BYTES = 64 * 1024 };

/* tail: the last STORE_TABLE_TAIL_BYTES of the file, or all of it. False: the library would end the
 * process. True says nothing of damage that it finds by itself. */
MUST_USE bool store_table_can_be_opened(struct bytes tail, uint64_t file_bytes);

#endif
