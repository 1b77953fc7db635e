/* Preimages of receipts and of what miners sign [protocol 1, 4], and the amount a receipt is worth.
 */
#include <string.h>

#include "base/amount.h"
#include "base/endian.h"
#include "base/hex.h"
#include "chain/format/wire.h"
#include "chain/tx.h"

void receipt_id_of(
	char out[33], const struct hash32 *chain_tag, const struct job_key *job, uint32_t attempt)
{
	uint8_t attempt_be[4];
	const struct bytes parts[] = {hash_view(chain_tag), bytes_view(job->b, job->len),
		bytes_view(attempt_be, sizeof attempt_be)};
	struct hash32 hash;

	put_u32be(attempt_be, attempt);
	hash = hash_domain("aitbc/receipt-id/1", parts, 3);
	hex_lower(out, hash.b, 16);
}

/* A shallow copy that packs without the signature. */
static Pb__Receipt unsigned_of(const Pb__Receipt *receipt)
{
	Pb__Receipt copy = *receipt;

	copy.miner_signature = (ProtobufCBinaryData){0, NULL};
	return copy;
}

void receipt_pack_unsigned(struct buf *out, const Pb__Receipt *receipt)
{
	Pb__Receipt copy = unsigned_of(receipt);

	wire_append(out, &copy.base);
}

struct hash32 receipt_hash(const Pb__Receipt *receipt)
{
	Pb__Receipt copy = unsigned_of(receipt);

	return wire_sha256(&copy.base);
}

struct hash32 receipt_digest(const Pb__Receipt *receipt, const struct hash32 *chain_tag)
{
	static const char domain[] = "aitbc/receipt/1";
	Pb__Receipt copy = unsigned_of(receipt);
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, domain, sizeof domain); /* with its NUL: see hash_domain */
	sha256_add(&s, chain_tag->b, sizeof chain_tag->b);
	wire_sha256_add(&s, &copy.base);
	return sha256_end(&s);
}

struct hash32 release_digest(const struct hash32 *chain_tag, const struct job_key *job,
	uint32_t attempt, const struct account_key *miner, uint8_t act)
{
	uint8_t attempt_be[4];
	const struct bytes parts[] = {hash_view(chain_tag), bytes_view(job->b, job->len),
		bytes_view(attempt_be, sizeof attempt_be), bytes_view(miner->b, sizeof miner->b),
		bytes_view(&act, 1)};

	put_u32be(attempt_be, attempt);
	return hash_domain("aitbc/release/1", parts, 5);
}

/* A quotient past 64 bits is past the reward too, so the reward is the answer then. */
uint64_t receipt_amount(
	uint64_t units_milli, uint64_t max_units_milli, uint64_t unit_price, uint64_t reward)
{
	uint64_t units = units_milli < max_units_milli ? units_milli : max_units_milli;
	uint64_t worth;

	if (!mul_div_u64(&worth, units, unit_price, 1000))
		return reward;
	return worth < reward ? worth : reward;
}
