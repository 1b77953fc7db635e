#include "base/keys.h"

#include <secp256k1.h>
#include <sodium.h>
#include <string.h>

#include "base/keys_inside.h"

/* Made and blinded by keys_start, constant afterwards, so every thread may sign with it. */
static secp256k1_context *signing;

bool keys_start(const uint8_t seed[32])
{
	if (sodium_init() < 0)
		return false;
	if (!signing)
		signing = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	return signing && secp256k1_context_randomize(signing, seed) == 1;
}

bool account_key_of(struct account_key *out, const struct account_secret *secret)
{
	secp256k1_pubkey point;
	size_t len = sizeof out->b;

	CHECK(signing);
	if (secp256k1_ec_pubkey_create(signing, &point, secret->b) != 1)
		return false;
	secp256k1_ec_pubkey_serialize(signing, out->b, &len, &point, SECP256K1_EC_COMPRESSED);
	CHECK(len == sizeof out->b);
	return true;
}

bool keys_parse(secp256k1_pubkey *point, const struct account_key *key)
{
	return secp256k1_ec_pubkey_parse(secp256k1_context_static, point, key->b, sizeof key->b) ==
	       1;
}

bool account_key_valid(const struct account_key *key)
{
	secp256k1_pubkey point;

	return keys_parse(&point, key);
}

struct account_address account_address_of(const struct account_key *key)
{
	struct hash32 hash = sha256(bytes_view(key->b, sizeof key->b));
	struct account_address address;

	ripemd160(address.b, hash_view(&hash));
	return address;
}

void account_sign(struct account_signature *out, const struct account_secret *secret,
	const struct hash32 *digest)
{
	secp256k1_ecdsa_signature signature;
	int made;

	CHECK(signing);
	/* RFC 6979 nonces and a low s are what the library does by itself. */
	made = secp256k1_ecdsa_sign(signing, &signature, digest->b, secret->b, NULL, NULL);
	CHECK(made == 1);
	secp256k1_ecdsa_signature_serialize_compact(signing, out->b, &signature);
}

bool keys_verify_point(const secp256k1_pubkey *point, const struct hash32 *digest,
	const struct account_signature *signature)
{
	secp256k1_ecdsa_signature parsed;

	if (secp256k1_ecdsa_signature_parse_compact(
		    secp256k1_context_static, &parsed, signature->b) != 1)
		return false;
	/* The library's verify refuses a high s; we must never normalise one before it. [protocol
	 * 1] */
	return secp256k1_ecdsa_verify(secp256k1_context_static, &parsed, digest->b, point) == 1;
}

bool account_verify(const struct account_key *key, const struct hash32 *digest,
	const struct account_signature *signature)
{
	secp256k1_pubkey point;

	return keys_parse(&point, key) && keys_verify_point(&point, digest, signature);
}

static void expand_secret(uint8_t key[crypto_sign_PUBLICKEYBYTES],
	uint8_t secret_key[crypto_sign_SECRETKEYBYTES], const struct validator_secret *secret)
{
	int made = crypto_sign_seed_keypair(key, secret_key, secret->seed);

	CHECK(made == 0);
}

struct validator_key validator_key_of(const struct validator_secret *secret)
{
	uint8_t secret_key[crypto_sign_SECRETKEYBYTES];
	struct validator_key key;

	expand_secret(key.b, secret_key, secret);
	sodium_memzero(secret_key, sizeof secret_key);
	return key;
}

struct validator_address validator_address_of(const struct validator_key *key)
{
	struct hash32 hash = sha256(bytes_view(key->b, sizeof key->b));
	struct validator_address address;

	memcpy(address.b, hash.b, sizeof address.b);
	return address;
}

void validator_sign(struct validator_signature *out, const struct validator_secret *secret,
	struct bytes message)
{
	uint8_t secret_key[crypto_sign_SECRETKEYBYTES];
	uint8_t key[crypto_sign_PUBLICKEYBYTES];
	int made;

	expand_secret(key, secret_key, secret);
	made = crypto_sign_detached(out->b, NULL, message.data, message.len, secret_key);
	CHECK(made == 0);
	sodium_memzero(secret_key, sizeof secret_key);
}

bool validator_verify(const struct validator_key *key, struct bytes message,
	const struct validator_signature *signature)
{
	return crypto_sign_verify_detached(signature->b, message.data, message.len, key->b) == 0;
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

void secret_wipe(void *data, size_t len)
{
	sodium_memzero(data, len);
}
