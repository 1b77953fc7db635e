/* keys_inside: what keys.c shares with keys_cache.c and nobody else: the library's own form of a
 * key. */
#ifndef BASE_KEYS_INSIDE_H
#define BASE_KEYS_INSIDE_H

#include <secp256k1.h>

#include "base/keys.h"

/* False: not a point of the curve in compressed form. */
MUST_USE bool keys_parse(secp256k1_pubkey *point, const struct account_key *key);
/* False for a high s or a signature that doesn't verify. */
MUST_USE bool keys_verify_point(const secp256k1_pubkey *point, const struct hash32 *digest,
	const struct account_signature *signature);

#endif
