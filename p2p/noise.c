#include "p2p/noise.h"

#include <sodium.h>
#include <string.h>

_Static_assert(NOISE_KEY_BYTES == crypto_scalarmult_BYTES, "X25519");
_Static_assert(NOISE_TAG_BYTES == crypto_aead_chacha20poly1305_IETF_ABYTES, "Poly1305");
_Static_assert(NOISE_KEY_BYTES == crypto_aead_chacha20poly1305_IETF_KEYBYTES, "ChaCha20");

static const char protocol[] = "Noise_IK_25519_ChaChaPoly_SHA256";
_Static_assert(sizeof protocol - 1 == 32, "of a hash's length, so it is the first hash itself");

bool noise_public_of(struct noise_key *out, const struct validator_key *key)
{
	return crypto_sign_ed25519_pk_to_curve25519(out->b, key->b) == 0;
}

bool noise_secret_of(struct noise_key *out, const struct validator_secret *secret)
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES], both[crypto_sign_SECRETKEYBYTES];
	crypto_sign_seed_keypair(public, both, secret->seed);
	bool good = crypto_sign_ed25519_sk_to_curve25519(out->b, both) == 0;
	secret_wipe(both, sizeof both);
	return good;
}

/* ---- ciphers: nonce = 32 zero bits, then the counter, little-endian [Noise 12.3] ---- */

static void nonce_of(uint8_t out[crypto_aead_chacha20poly1305_IETF_NPUBBYTES], uint64_t counter)
{
	memset(out, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		out[4 + i] = (uint8_t)(counter >> (8 * i));
}

void noise_seal(
	struct noise_cipher *c, uint8_t *out, struct bytes ad, const uint8_t *plain, size_t len)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];
	CHECK(c->keyed);
	CHECK(c->nonce < UINT64_MAX); /* the last one is reserved; no link lives so long */
	nonce_of(nonce, c->nonce++);
	crypto_aead_chacha20poly1305_ietf_encrypt(
		out, NULL, plain, len, ad.data, ad.len, NULL, nonce, c->key.b);
}

bool noise_open(
	struct noise_cipher *c, uint8_t *out, struct bytes ad, const uint8_t *sealed, size_t len)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];
	CHECK(c->keyed);
	if (len < NOISE_TAG_BYTES || c->nonce == UINT64_MAX)
		return false;
	nonce_of(nonce, c->nonce);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(
		    out, NULL, NULL, sealed, len, ad.data, ad.len, nonce, c->key.b) != 0)
		return false;
	c->nonce++;
	return true;
}

/* ---- the symmetric state ---- */

static void mix_hash(struct noise *n, const void *data, size_t len)
{
	struct sha256 s;
	sha256_start(&s);
	sha256_add(&s, n->hash.b, sizeof n->hash.b);
	sha256_add(&s, data, len);
	n->hash = sha256_end(&s);
}

static void hmac(uint8_t out[32], const uint8_t key[32], const uint8_t *data, size_t len)
{
	crypto_auth_hmacsha256_state state;
	crypto_auth_hmacsha256_init(&state, key, 32);
	crypto_auth_hmacsha256_update(&state, data, len);
	crypto_auth_hmacsha256_final(&state, out);
	secret_wipe(&state, sizeof state);
}

/* Noise's HKDF with two outputs. */
static void derive(uint8_t first[32], uint8_t second[32], const uint8_t chaining[32],
	const uint8_t *input, size_t len)
{
	uint8_t temp[32], last[33];
	hmac(temp, chaining, input, len);
	last[0] = 1;
	hmac(first, temp, last, 1);
	memcpy(last, first, 32);
	last[32] = 2;
	hmac(second, temp, last, 33);
	secret_wipe(temp, sizeof temp);
	secret_wipe(last, sizeof last);
}

/* Mixes what both sides compute from one secret and the other's public key. False: the other chose
 * a point that gives nothing secret. */
static bool mix_shared(
	struct noise *n, const struct noise_key *secret, const struct noise_key *public)
{
	uint8_t shared[32], chaining[32];
	bool good = crypto_scalarmult(shared, secret->b, public->b) == 0;
	if (good) {
		derive(chaining, n->cipher.key.b, n->chaining.b, shared, sizeof shared);
		memcpy(n->chaining.b, chaining, sizeof chaining);
		n->cipher.nonce = 0;
		n->cipher.keyed = true;
	}
	secret_wipe(shared, sizeof shared);
	secret_wipe(chaining, sizeof chaining);
	return good;
}

static void seal_and_hash(struct noise *n, uint8_t *out, const void *plain, size_t len)
{
	noise_seal(&n->cipher, out, hash_view(&n->hash), plain, len);
	mix_hash(n, out, len + NOISE_TAG_BYTES);
}

static bool open_and_hash(struct noise *n, void *out, const uint8_t *sealed, size_t len)
{
	if (!noise_open(&n->cipher, out, hash_view(&n->hash), sealed, len))
		return false;
	mix_hash(n, sealed, len);
	return true;
}

/* ---- IK:  <- s   ...   -> e, es, s, ss   <- e, ee, se ---- */

bool noise_start(struct noise *n, const struct validator_secret *secret,
	const struct noise_key *remote, struct bytes prologue, const uint8_t ephemeral_seed[32])
{
	memset(n, 0, sizeof *n);
	if (!noise_secret_of(&n->secret, secret))
		return false;
	crypto_scalarmult_base(n->own.b, n->secret.b);
	memcpy(n->ephemeral_secret.b, ephemeral_seed, sizeof n->ephemeral_secret.b);
	crypto_scalarmult_base(n->ephemeral.b, n->ephemeral_secret.b);
	memcpy(n->hash.b, protocol, sizeof n->hash.b);
	n->chaining = n->hash;
	mix_hash(n, prologue.data, prologue.len);
	if (remote)
		n->remote = *remote;
	const struct noise_key *listener = remote ? remote : &n->own;
	mix_hash(n, listener->b, sizeof listener->b);
	return true;
}

void noise_wipe(struct noise *n)
{
	secret_wipe(n, sizeof *n);
}

bool noise_write_first(struct noise *n, uint8_t out[NOISE_FIRST_BYTES])
{
	uint8_t *at = out;
	memcpy(at, n->ephemeral.b, NOISE_KEY_BYTES);
	mix_hash(n, at, NOISE_KEY_BYTES);
	at += NOISE_KEY_BYTES;
	if (!mix_shared(n, &n->ephemeral_secret, &n->remote))
		return false;
	seal_and_hash(n, at, n->own.b, NOISE_KEY_BYTES);
	at += NOISE_KEY_BYTES + NOISE_TAG_BYTES;
	if (!mix_shared(n, &n->secret, &n->remote))
		return false;
	seal_and_hash(n, at, NULL, 0);
	return true;
}

bool noise_read_first(struct noise *n, const uint8_t in[NOISE_FIRST_BYTES])
{
	uint8_t nothing[1];
	memcpy(n->remote_ephemeral.b, in, NOISE_KEY_BYTES);
	mix_hash(n, in, NOISE_KEY_BYTES);
	in += NOISE_KEY_BYTES;
	if (!mix_shared(n, &n->secret, &n->remote_ephemeral))
		return false;
	if (!open_and_hash(n, n->remote.b, in, NOISE_KEY_BYTES + NOISE_TAG_BYTES))
		return false;
	in += NOISE_KEY_BYTES + NOISE_TAG_BYTES;
	if (!mix_shared(n, &n->secret, &n->remote))
		return false;
	return open_and_hash(n, nothing, in, NOISE_TAG_BYTES);
}

bool noise_write_second(struct noise *n, uint8_t out[NOISE_SECOND_BYTES])
{
	memcpy(out, n->ephemeral.b, NOISE_KEY_BYTES);
	mix_hash(n, out, NOISE_KEY_BYTES);
	if (!mix_shared(n, &n->ephemeral_secret, &n->remote_ephemeral) ||
		!mix_shared(n, &n->ephemeral_secret, &n->remote))
		return false;
	seal_and_hash(n, out + NOISE_KEY_BYTES, NULL, 0);
	return true;
}

bool noise_read_second(struct noise *n, const uint8_t in[NOISE_SECOND_BYTES])
{
	uint8_t nothing[1];
	memcpy(n->remote_ephemeral.b, in, NOISE_KEY_BYTES);
	mix_hash(n, in, NOISE_KEY_BYTES);
	if (!mix_shared(n, &n->ephemeral_secret, &n->remote_ephemeral) ||
		!mix_shared(n, &n->secret, &n->remote_ephemeral))
		return false;
	return open_and_hash(n, nothing, in + NOISE_KEY_BYTES, NOISE_TAG_BYTES);
}

void noise_split(struct noise *n, struct noise_cipher *dialer, struct noise_cipher *listener)
{
	memset(dialer, 0, sizeof *dialer);
	memset(listener, 0, sizeof *listener);
	derive(dialer->key.b, listener->key.b, n->chaining.b, NULL, 0);
	dialer->keyed = listener->keyed = true;
	noise_wipe(n);
}
