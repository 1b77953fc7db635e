/* noise: the handshake Noise_IK_25519_ChaChaPoly_SHA256 (noiseprotocol.org, revision 34) and the
 * two ciphers it ends in. Who dials knows whom it wants and proves itself in its first message; so
 * a listener answers nobody it doesn't list. Static keys are the nodes' Ed25519 keys in their
 * Montgomery form. Owns nothing; secrets are wiped by noise_wipe and at the split. Used by link.c
 * alone. Pure: the ephemeral secret is an argument. What a peer sends wrong is a false, never an
 * abort. */
#ifndef P2P_NOISE_H
#define P2P_NOISE_H

#include "base/keys.h"

enum {
	NOISE_KEY_BYTES = 32,
	NOISE_TAG_BYTES = 16,
	NOISE_FIRST_BYTES = NOISE_KEY_BYTES + NOISE_KEY_BYTES + NOISE_TAG_BYTES + NOISE_TAG_BYTES,
	NOISE_SECOND_BYTES = NOISE_KEY_BYTES + NOISE_TAG_BYTES
};

struct noise_key {
	uint8_t b[NOISE_KEY_BYTES];
};

/* The Montgomery form of a node key. False: not a point that can be converted. */
MUST_USE bool noise_public_of(struct noise_key *out, const struct validator_key *key);
MUST_USE bool noise_secret_of(struct noise_key *out, const struct validator_secret *secret);

/* One direction of a finished link: a key and a counter as nonce. */
struct noise_cipher {
	struct noise_key key;
	uint64_t nonce;
	bool keyed;
};

/* out: len + NOISE_TAG_BYTES. */
void noise_seal(
	struct noise_cipher *c, uint8_t *out, struct bytes ad, const uint8_t *plain, size_t len);
/* out: len - NOISE_TAG_BYTES. False: not what the other side sealed next; *c is untouched. */
MUST_USE bool noise_open(
	struct noise_cipher *c, uint8_t *out, struct bytes ad, const uint8_t *sealed, size_t len);

struct noise {
	struct noise_key secret, own; /* static */
	struct noise_key ephemeral_secret, ephemeral;
	struct noise_key remote, remote_ephemeral;
	struct hash32 chaining, hash;
	struct noise_cipher cipher;
};

/* remote: whom the dialer wants; the listener gives NULL. prologue binds both to one chain. */
MUST_USE bool noise_start(struct noise *n, const struct validator_secret *secret,
	const struct noise_key *remote, struct bytes prologue, const uint8_t ephemeral_seed[32]);
void noise_wipe(struct noise *n);

/* dialer -> listener */
MUST_USE bool noise_write_first(struct noise *n, uint8_t out[NOISE_FIRST_BYTES]);
/* On true n->remote is who dials, proven. */
MUST_USE bool noise_read_first(struct noise *n, const uint8_t in[NOISE_FIRST_BYTES]);
/* listener -> dialer */
MUST_USE bool noise_write_second(struct noise *n, uint8_t out[NOISE_SECOND_BYTES]);
MUST_USE bool noise_read_second(struct noise *n, const uint8_t in[NOISE_SECOND_BYTES]);

/* The two ciphers: what the dialer seals with, what the listener seals with. Wipes n. */
void noise_split(struct noise *n, struct noise_cipher *dialer, struct noise_cipher *listener);

#endif
