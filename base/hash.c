#include "base/hash.h"

#include <nettle/ripemd160.h>
#include <string.h>

bool hash_equal(const struct hash32 *a, const struct hash32 *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool hash_is_zero(const struct hash32 *h)
{
	static const struct hash32 zero;

	return hash_equal(h, &zero);
}

void sha256_start(struct sha256 *s)
{
	sha256_init(&s->ctx);
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
	if (len > 0)
		sha256_update(&s->ctx, len, data);
}

struct hash32 sha256_end(struct sha256 *s)
{
	struct hash32 hash;

	sha256_digest(&s->ctx, sizeof hash.b, hash.b);
	return hash;
}

struct hash32 sha256(struct bytes data)
{
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, data.data, data.len);
	return sha256_end(&s);
}

void ripemd160(uint8_t out[20], struct bytes data)
{
	struct ripemd160_ctx ctx;

	ripemd160_init(&ctx);
	if (data.len > 0)
		ripemd160_update(&ctx, data.len, data.data);
	ripemd160_digest(&ctx, 20, out);
}

struct hash32 hash_domain(const char *domain, const struct bytes *parts, size_t part_count)
{
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, domain, strlen(domain) + 1); /* its NUL is the 0x00 that ends it */
	for (size_t i = 0; i < part_count; i++)
		sha256_add(&s, parts[i].data, parts[i].len);
	return sha256_end(&s);
}
