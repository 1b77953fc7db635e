/* store_manifest: whether RocksDB's list of its files (MANIFEST) can be trusted to its end. The
 * library takes a record that is longer than what is left of the file for one that a crash cut
 * short, and forgets it and all behind it without a word; so a flipped bit in a length lets the
 * newest tables of some families vanish. But behind a record that was really cut short there is
 * nothing whole. Pure; used by store_rocks.c before each open. */
#ifndef CHAIN_STORE_MANIFEST_H
#define CHAIN_STORE_MANIFEST_H

#include "base/bytes.h"

/* False: a damaged record, and something whole in it or behind it. True says nothing of damage that
 * the library finds by itself. */
MUST_USE bool store_manifest_ends_well(struct bytes file);

#endif
