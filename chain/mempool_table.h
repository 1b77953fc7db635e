/* mempool_table: a fixed hash table from keys that strangers choose to 32-bit positions in
 * somebody's array. The keys stay in that array. Keyed (SipHash-1-3), so that nobody can grind
 * collisions; never grows; at most half full, which is the caller's bound. For the mempool's files
 * only. Pure. */
#ifndef CHAIN_MEMPOOL_TABLE_H
#define CHAIN_MEMPOOL_TABLE_H

#include "base/bytes.h"

struct mempool_table {
	uint64_t *slots; /* hash in the upper half, position + 1 in the lower; 0: free */
	uint32_t mask;
	uint64_t seed[2];
	const void *items; /* the array that positions count in */
	size_t item_bytes; /* of one element */
	size_t key_offset; /* of the key in an element */
	size_t key_bytes;
};

/* items_max: how many positions there will be at most. False: no memory. */
MUST_USE bool mempool_table_init(struct mempool_table *table, uint32_t items_max,
	const uint8_t seed[16], const void *items, size_t item_bytes, size_t key_offset,
	size_t key_bytes);
void mempool_table_fini(struct mempool_table *table);

#define MEMPOOL_NOWHERE UINT32_MAX

/* The position whose element has this key, or MEMPOOL_NOWHERE. */
uint32_t mempool_table_find(const struct mempool_table *table, const void *key);
/* The element at this position holds a key that isn't in the table yet. */
void mempool_table_add(struct mempool_table *table, uint32_t position);
/* The element at this position is in the table and still holds its key. */
void mempool_table_remove(struct mempool_table *table, uint32_t position);

#endif
