#include "chain/mempool_table.h"

#include <stdlib.h>
#include <string.h>

static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
	v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

/* SipHash-1-3, words in the machine's own order: hashes never leave this process. */
static uint32_t hash_of(const struct mempool_table *table, const uint8_t *key)
{
	uint64_t v[4] = {table->seed[0] ^ 0x736f6d6570736575u, table->seed[1] ^ 0x646f72616e646f6du,
		table->seed[0] ^ 0x6c7967656e657261u, table->seed[1] ^ 0x7465646279746573u};
	size_t left = table->key_bytes;
	uint64_t word;

	for (; left >= 8; left -= 8, key += 8) {
		memcpy(&word, key, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)table->key_bytes << 56;
	memcpy(&word, key, left);
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return (uint32_t)((v[0] ^ v[1] ^ v[2] ^ v[3]) >> 32);
}

static const uint8_t *key_at(const struct mempool_table *table, uint32_t position)
{
	return (const uint8_t *)table->items + position * table->item_bytes + table->key_offset;
}

bool mempool_table_init(struct mempool_table *table, uint32_t items_max, const uint8_t seed[16],
	const void *items, size_t item_bytes, size_t key_offset, size_t key_bytes)
{
	uint32_t slot_count = 16;

	CHECK(items_max < UINT32_MAX / 4);
	while (slot_count < items_max * 2)
		slot_count *= 2;
	memset(table, 0, sizeof *table);
	memcpy(table->seed, seed, sizeof table->seed);
	table->mask = slot_count - 1;
	table->items = items;
	table->item_bytes = item_bytes;
	table->key_offset = key_offset;
	table->key_bytes = key_bytes;
	table->slots = calloc(slot_count, sizeof *table->slots);
	return table->slots != NULL;
}

void mempool_table_fini(struct mempool_table *table)
{
	free(table->slots);
	table->slots = NULL;
}

uint32_t mempool_table_find(const struct mempool_table *table, const void *key)
{
	uint32_t hash = hash_of(table, key);

	for (uint32_t at = hash & table->mask; table->slots[at] != 0; at = (at + 1) & table->mask) {
		uint32_t position = (uint32_t)table->slots[at] - 1;

		if (table->slots[at] >> 32 == hash &&
			memcmp(key_at(table, position), key, table->key_bytes) == 0)
			return position;
	}
	return MEMPOOL_NOWHERE;
}

void mempool_table_add(struct mempool_table *table, uint32_t position)
{
	uint32_t hash = hash_of(table, key_at(table, position));
	uint32_t at = hash & table->mask;

	while (table->slots[at] != 0)
		at = (at + 1) & table->mask;
	table->slots[at] = (uint64_t)hash << 32 | (position + 1);
}

/* Closes the hole by moving back every later slot that may stand nearer to its home: no tombstones.
 */
void mempool_table_remove(struct mempool_table *table, uint32_t position)
{
	uint32_t hash = hash_of(table, key_at(table, position));
	uint64_t slot = (uint64_t)hash << 32 | (position + 1);
	uint32_t hole = hash & table->mask;

	while (table->slots[hole] != slot) {
		CHECK(table->slots[hole] != 0);
		hole = (hole + 1) & table->mask;
	}
	for (uint32_t at = (hole + 1) & table->mask; table->slots[at] != 0;
		at = (at + 1) & table->mask) {
		uint32_t home = (uint32_t)(table->slots[at] >> 32) & table->mask;

		if (((at - home) & table->mask) < ((at - hole) & table->mask))
			continue;
		table->slots[hole] = table->slots[at];
		hole = at;
	}
	table->slots[hole] = 0;
}
