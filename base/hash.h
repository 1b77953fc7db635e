/* hash: SHA-256 (nettle, SHA-NI where the processor has it), RIPEMD-160, domain-separated digests.
 * Pure; contexts live in the caller's memory. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <nettle/sha2.h>

#include "base/bytes.h"

struct hash32 {
	uint8_t b[32];
};

static inline struct bytes hash_view(const struct hash32 *h)
{
	return bytes_view(h->b, sizeof h->b);
}

bool hash_equal(const struct hash32 *a, const struct hash32 *b);
bool hash_is_zero(const struct hash32 *h);

struct hash32 sha256(struct bytes data);
void ripemd160(uint8_t out[20], struct bytes data);

/* Streaming: sha256_start, any number of sha256_add, sha256_end. */
struct sha256 {
	struct sha256_ctx ctx;
};
void sha256_start(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
struct hash32 sha256_end(struct sha256 *s);

/* SHA256(domain 0x00 || parts[0] || parts[1] ...): protocol.md 1's way of naming what is signed. */
struct hash32 hash_domain(const char *domain, const struct bytes *parts, size_t part_count);

/* CRC-32C (Castagnoli) of data continued from crc (0 at the start): WAL and fence records. */
uint32_t crc32c(uint32_t crc, struct bytes data);

#endif
