/* keys_cache: the curve points of account keys lately seen. A compressed key takes a square root to
 * parse, a seventh of a signature check, and whoever sends one transaction sends the next.
 * Owns its memory, a fixed amount. Every thread may use it at once: a set that another thread is
 * looking into counts as a miss. Holds nothing that isn't a function of the key; never fails. */
#ifndef BASE_KEYS_CACHE_H
#define BASE_KEYS_CACHE_H

#include "base/keys.h"

struct keys_cache;

/* NULL: no memory. */
struct keys_cache *keys_cache_new(void);
void keys_cache_free(struct keys_cache *cache);

/* account_verify with the key's point from the cache. */
MUST_USE bool keys_cache_verify(struct keys_cache *cache, const struct account_key *key,
	const struct hash32 *digest, const struct account_signature *signature);

#endif
