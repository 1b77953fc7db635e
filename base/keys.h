/* keys: the two signature schemes and the addresses they give.
 * Accounts sign with secp256k1 ECDSA (64 bytes r||s, low s only, RFC 6979 nonces), validators with
 * Ed25519. keys_start must run once before anything else (it randomises the signing context with
 * bytes the caller gives); afterwards every function may run in every thread. No randomness is
 * taken here. */
#ifndef BASE_KEYS_H
#define BASE_KEYS_H

#include "base/hash.h"

struct account_key {
	uint8_t b[33]; /* compressed point */
};
struct account_address {
	uint8_t b[20]; /* RIPEMD160(SHA256(key)) */
};
struct account_signature {
	uint8_t b[64];
};
struct account_secret {
	uint8_t b[32];
};
struct validator_key {
	uint8_t b[32];
};
struct validator_address {
	uint8_t b[20]; /* SHA256(key)[0..20] */
};
struct validator_signature {
	uint8_t b[64];
};
struct validator_secret {
	uint8_t seed[32];
};

/* seed: 32 random bytes that blind the signing context. False: libsodium or libsecp256k1 refused.
 */
MUST_USE bool keys_start(const uint8_t seed[32]);

/* False: the secret is zero or not below the group order. */
MUST_USE bool account_key_of(struct account_key *out, const struct account_secret *secret);
/* A point of the curve in compressed form. */
MUST_USE bool account_key_valid(const struct account_key *key);
struct account_address account_address_of(const struct account_key *key);
/* secret must be one account_key_of accepted. */
void account_sign(struct account_signature *out, const struct account_secret *secret,
	const struct hash32 *digest);
/* False for a high s, an invalid key, or a signature that doesn't verify. Thread safe. */
MUST_USE bool account_verify(const struct account_key *key, const struct hash32 *digest,
	const struct account_signature *signature);

struct validator_key validator_key_of(const struct validator_secret *secret);
struct validator_address validator_address_of(const struct validator_key *key);
void validator_sign(struct validator_signature *out, const struct validator_secret *secret,
	struct bytes message);
MUST_USE bool validator_verify(const struct validator_key *key, struct bytes message,
	const struct validator_signature *signature);

/* Constant time. */
MUST_USE bool secret_equal(const void *a, const void *b, size_t len);
void secret_wipe(void *data, size_t len);

static inline bool account_address_equal(
	const struct account_address *a, const struct account_address *b)
{
	return __builtin_memcmp(a->b, b->b, sizeof a->b) == 0;
}

#endif
