/* Keys, signatures, addresses. */
#include "tests/unit/vectors.h"

#include <string.h>

#include "base/bech32.h"
#include "base/endian.h"
#include "base/hex.h"
#include "base/keys_cache.h"
#include "base/limits.h"

static json_t *all;

static int load(void **state)
{
	static const uint8_t seed[32] = {9};

	(void)state;
	all = vectors_load("base.json");
	return keys_start(seed) ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	vectors_free_all();
	json_decref(all);
	return 0;
}

static struct account_secret secret_of(uint8_t fill)
{
	struct account_secret secret;

	memset(secret.b, fill, sizeof secret.b);
	return secret;
}

static void addresses_are_those_of_known_keys(void **state)
{
	size_t i, accounts = 0;
	json_t *v;

	json_array_foreach(vectors_member(all, "address"), i, v)
	{
		struct bytes key = vectors_bytes(v, "key"), address = vectors_bytes(v, "address");

		if (strcmp(vectors_text(v, "scheme"), "ed25519") == 0) {
			struct validator_key k;
			struct validator_address a;

			memcpy(k.b, key.data, sizeof k.b);
			a = validator_address_of(&k);
			assert_bytes_equal(bytes_view(a.b, sizeof a.b), address, "validator");
		} else {
			struct account_key k;
			struct account_address a;

			memcpy(k.b, key.data, sizeof k.b);
			assert_true(account_key_valid(&k));
			a = account_address_of(&k);
			assert_bytes_equal(bytes_view(a.b, sizeof a.b), address, "account");
			accounts++;
		}
	}
	assert_int_equal(accounts, 1);
}

static void the_generators_key_is_known(void **state)
{
	struct account_secret one = {{0}};
	struct account_key key;
	char hex[67];

	one.b[31] = 1;
	assert_true(account_key_of(&key, &one));
	hex_lower(hex, key.b, sizeof key.b);
	assert_string_equal(
		hex, "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
}

static void a_secret_outside_the_group_is_refused(void **state)
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0,
		0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
	struct account_secret secret = {{0}};
	struct account_key key;

	assert_false(account_key_of(&key, &secret));
	memcpy(secret.b, order, sizeof order);
	assert_false(account_key_of(&key, &secret));
	secret.b[31]--;
	assert_true(account_key_of(&key, &secret));
}

static void a_key_off_the_curve_is_refused(void **state)
{
	struct account_key key = {{2}};

	assert_false(account_key_valid(&key)); /* x = 0 */
	memset(key.b, 0, sizeof key.b);
	assert_false(account_key_valid(&key));
	memset(key.b + 1, 0xff, 32); /* x past the field */
	key.b[0] = 3;
	assert_false(account_key_valid(&key));
	key.b[0] = 4; /* not the compressed form */
	assert_false(account_key_valid(&key));
}

static void a_signature_holds_for_its_digest_and_key_alone(void **state)
{
	struct account_secret secret = secret_of(7), other_secret = secret_of(8);
	struct account_key key, other;
	struct account_signature signature, again;
	struct hash32 digest = sha256(bytes_of_text("an act"));

	assert_true(account_key_of(&key, &secret));
	assert_true(account_key_of(&other, &other_secret));
	account_sign(&signature, &secret, &digest);
	account_sign(&again, &secret, &digest);
	assert_memory_equal(signature.b, again.b, 64); /* RFC 6979: no randomness */
	assert_true(account_verify(&key, &digest, &signature));
	assert_false(account_verify(&other, &digest, &signature));
	for (size_t bit = 0; bit < 512; bit++) {
		signature.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(account_verify(&key, &digest, &signature));
		signature.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	digest.b[0] ^= 1;
	assert_false(account_verify(&key, &digest, &signature));
	memset(&signature, 0, sizeof signature);
	assert_false(account_verify(&key, &digest, &signature));
	memset(&signature, 0xff, sizeof signature);
	assert_false(account_verify(&key, &digest, &signature));
}

/* The same signature with s replaced by order - s verifies as plain ECDSA; we must refuse it. */
static void a_cached_key_verifies_what_a_parsed_one_does(void **state)
{
	enum { KEYS = KEYS_CACHED_MAX / 16, ROUNDS = 3 };
	struct keys_cache *cache = keys_cache_new();
	struct account_secret secret = secret_of(3);
	struct hash32 digest = sha256(bytes_of_text("digest")), other = sha256(hash_view(&digest));
	struct account_key nothing = {{0}}, off = {{2}};
	struct account_signature signature;

	(void)state;
	assert_non_null(cache);
	account_sign(&signature, &secret, &digest);
	assert_false(keys_cache_verify(cache, &nothing, &digest, &signature));
	for (uint32_t i = 0; i < KEYS; i++) {
		struct account_key key;

		put_u32be(secret.b, i);
		assert_true(account_key_of(&key, &secret));
		account_sign(&signature, &secret, &digest);
		for (size_t round = 0; round < ROUNDS; round++) {
			assert_true(keys_cache_verify(cache, &key, &digest, &signature));
			assert_false(keys_cache_verify(cache, &key, &other, &signature));
		}
		key.b[0] ^= 1; /* the other point of this x */
		assert_false(keys_cache_verify(cache, &key, &digest, &signature));
		assert_false(keys_cache_verify(cache, &key, &digest, &signature));
	}
	memset(off.b + 1, 0xff, sizeof off.b - 1);
	assert_false(keys_cache_verify(cache, &off, &digest, &signature));
	assert_false(keys_cache_verify(cache, &off, &digest, &signature));
	assert_false(keys_cache_verify(cache, &nothing, &digest, &signature));
	keys_cache_free(cache);
}

static void a_high_s_is_refused(void **state)
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0,
		0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};

	for (uint8_t n = 1; n < 30; n++) {
		struct account_secret secret = secret_of(n);
		struct hash32 digest = sha256(bytes_view(&n, 1));
		struct account_signature signature;
		struct account_key key;
		int borrow = 0;

		assert_true(account_key_of(&key, &secret));
		account_sign(&signature, &secret, &digest);
		assert_true(signature.b[32] < 0x80);
		for (int i = 31; i >= 0; i--) {
			int digit = order[i] - signature.b[32 + i] - borrow;

			borrow = digit < 0;
			signature.b[32 + i] = (uint8_t)(digit + (borrow ? 256 : 0));
		}
		assert_false(account_verify(&key, &digest, &signature));
	}
}

static void a_validators_signature_holds_for_its_message_alone(void **state)
{
	/* RFC 8032, 7.1, test 2. */
	static const char seed_hex[] =
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
	static const char key_hex[] =
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
	static const char signature_hex[] =
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
	struct validator_secret secret;
	struct validator_key key;
	struct validator_signature signature;
	char hex[129];

	assert_true(hex_decode(secret.seed, 32, seed_hex, 64));
	key = validator_key_of(&secret);
	hex_lower(hex, key.b, 32);
	assert_string_equal(hex, key_hex);
	validator_sign(&signature, &secret, bytes_view("\x72", 1));
	hex_lower(hex, signature.b, 64);
	assert_string_equal(hex, signature_hex);
	assert_true(validator_verify(&key, bytes_view("\x72", 1), &signature));
	assert_false(validator_verify(&key, bytes_view("\x73", 1), &signature));
	assert_false(validator_verify(&key, bytes_view("\x72\0", 2), &signature));
	signature.b[40] ^= 1;
	assert_false(validator_verify(&key, bytes_view("\x72", 1), &signature));
}

static void an_address_has_its_text_and_no_other(void **state)
{
	struct account_address address, back;
	char text[ADDRESS_TEXT_BYTES], upper[ADDRESS_TEXT_BYTES];
	size_t len;

	for (size_t i = 0; i < sizeof address.b; i++)
		address.b[i] = (uint8_t)(i * 37 + 1);
	address_text(text, &address);
	len = strlen(text);
	assert_int_equal(len, 3 + 1 + 32 + 6);
	assert_true(address_parse(&back, text, len));
	assert_true(account_address_equal(&address, &back));
	for (size_t i = 0; i <= len; i++)
		upper[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
	assert_true(address_parse(&back, upper, len));
	upper[0] = 'a';
	assert_false(address_parse(&back, upper, len));
	assert_false(address_parse(&back, text, len - 1));
	/* No one or two letters can be mistaken unseen. */
	for (size_t i = 0; i < len; i++) {
		for (const char *c = "qpzry9x8gf2tvdw0s3jn54khce6mua7lb1io"; *c; c++) {
			char wrong[ADDRESS_TEXT_BYTES];

			memcpy(wrong, text, sizeof wrong);
			if (wrong[i] == *c)
				continue;
			wrong[i] = *c;
			assert_false(address_parse(&back, wrong, len));
		}
	}
}

/* Computed by another program. The second is the hash in BIP-173's own example, under our prefix.
 */
static void known_addresses_have_known_texts(void **state)
{
	struct account_secret one = {{0}};
	struct account_address address = {{0}};
	struct account_key key;
	char text[ADDRESS_TEXT_BYTES];

	address_text(text, &address);
	assert_string_equal(text, "ait1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq2424ay");
	one.b[31] = 1;
	assert_true(account_key_of(&key, &one));
	address = account_address_of(&key);
	address_text(text, &address);
	assert_string_equal(text, "ait1w508d6qejxtdg4y5r3zarvary0c5xw7krtas4p");
}

static void secrets_are_compared_and_wiped(void **state)
{
	uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 4};

	assert_true(secret_equal(a, b, 4));
	b[3]++;
	assert_false(secret_equal(a, b, 4));
	secret_wipe(a, 4);
	assert_memory_equal(a, "\0\0\0\0", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_those_of_known_keys),
		cmocka_unit_test(the_generators_key_is_known),
		cmocka_unit_test(a_secret_outside_the_group_is_refused),
		cmocka_unit_test(a_key_off_the_curve_is_refused),
		cmocka_unit_test(a_signature_holds_for_its_digest_and_key_alone),
		cmocka_unit_test(a_cached_key_verifies_what_a_parsed_one_does),
		cmocka_unit_test(a_high_s_is_refused),
		cmocka_unit_test(a_validators_signature_holds_for_its_message_alone),
		cmocka_unit_test(an_address_has_its_text_and_no_other),
		cmocka_unit_test(known_addresses_have_known_texts),
		cmocka_unit_test(secrets_are_compared_and_wiped),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
