#include "base/keys_cache.h"

#include <secp256k1.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/keys_inside.h"
#include "base/limits.h"

enum { WAYS = 4, SETS = KEYS_CACHED_MAX / WAYS };

struct entry {
	secp256k1_pubkey point;
	struct account_key key; /* first byte 0, which no point begins with: unused */
};

struct set {
	atomic_flag held;
	uint8_t oldest;
	struct entry entries[WAYS];
};

struct keys_cache {
	struct set sets[SETS];
};

struct keys_cache *keys_cache_new(void)
{
	struct keys_cache *cache = calloc(1, sizeof *cache);

	for (size_t i = 0; cache && i < SETS; i++)
		atomic_flag_clear(&cache->sets[i].held);
	return cache;
}

void keys_cache_free(struct keys_cache *cache)
{
	free(cache);
}

static struct set *set_of(struct keys_cache *cache, const struct account_key *key)
{
	/* x coordinates are spread as they are; who makes keys that fall together slows itself. */
	return &cache->sets[((size_t)key->b[1] << 16 | (size_t)key->b[2] << 8 | key->b[3]) % SETS];
}

static bool find(struct keys_cache *cache, secp256k1_pubkey *out, const struct account_key *key)
{
	struct set *set = set_of(cache, key);
	bool found = false;

	if (atomic_flag_test_and_set_explicit(&set->held, memory_order_acquire))
		return false;
	for (size_t i = 0; i < WAYS && !found; i++) {
		const struct entry *entry = &set->entries[i];

		found = entry->key.b[0] != 0 && memcmp(entry->key.b, key->b, sizeof key->b) == 0;
		if (found)
			*out = entry->point;
	}
	atomic_flag_clear_explicit(&set->held, memory_order_release);
	return found;
}

static void keep(
	struct keys_cache *cache, const struct account_key *key, const secp256k1_pubkey *point)
{
	struct set *set = set_of(cache, key);

	if (atomic_flag_test_and_set_explicit(&set->held, memory_order_acquire))
		return;
	set->entries[set->oldest].key = *key;
	set->entries[set->oldest].point = *point;
	set->oldest = (uint8_t)((set->oldest + 1) % WAYS);
	atomic_flag_clear_explicit(&set->held, memory_order_release);
}

bool keys_cache_verify(struct keys_cache *cache, const struct account_key *key,
	const struct hash32 *digest, const struct account_signature *signature)
{
	secp256k1_pubkey point;

	if (!find(cache, &point, key)) {
		if (!keys_parse(&point, key))
			return false;
		keep(cache, key, &point);
	}
	return keys_verify_point(&point, digest, signature);
}
