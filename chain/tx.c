#include "chain/tx.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "chain/format/wire.h"
#include "chain/tx_form.h"

/* The outer message's three fields: number and wire type "bytes", as each stands in the raw
 * transaction. */
enum { TAG_BODY = 1 << 3 | 2, TAG_PUBLIC_KEY = 2 << 3 | 2, TAG_SIGNATURE = 3 << 3 | 2 };

static const struct wire_bound body_bounds[] = {
	{&pb__tx_body__descriptor, 7 /* actions */, TX_ACTIONS_MAX},
	{&pb__coordinator_set__descriptor, 2 /* operators */, COORDINATOR_OPERATORS_MAX},
	{&pb__validators_change__descriptor, 1 /* changes */, AUTHORITY_CHANGES_MAX},
};

static enum settle_code fault_is(char fault[64], enum settle_code code, const char *field)
{
	snprintf(fault, 64, "%s", field);
	return code;
}

/* One non-empty bytes field with its tag; the cursor goes bad on anything else. */
static struct bytes read_field(struct cursor *c, uint8_t tag)
{
	bool is_ours = cursor_u8(c) == tag;
	uint64_t len = cursor_uvarint(c);

	if (!is_ours || len == 0 || len > c->left)
		c->bad = true;
	return cursor_view(c, c->bad ? 0 : (size_t)len);
}

/* The outer message has one spelling: three fields, in order, none empty. It is read in place, so
 * that the body isn't copied. */
static enum settle_code decode_outer(struct tx *out, struct bytes raw, char fault[64])
{
	struct cursor c = cursor_of(raw);
	struct bytes body = read_field(&c, TAG_BODY);
	struct bytes key = read_field(&c, TAG_PUBLIC_KEY);
	struct bytes signature = read_field(&c, TAG_SIGNATURE);

	if (!cursor_done(&c))
		return fault_is(fault, SETTLE_BAD_ENCODING, "Tx");
	if (key.len != sizeof out->key.b)
		return fault_is(fault, SETTLE_BAD_PARAM, "public_key");
	if (signature.len != sizeof out->signature.b)
		return fault_is(fault, SETTLE_BAD_PARAM, "signature");
	out->body_raw = body;
	memcpy(out->key.b, key.data, sizeof out->key.b);
	memcpy(out->signature.b, signature.data, sizeof out->signature.b);
	return SETTLE_OK;
}

/* Strict, then unpacked, then packed again to see that nothing was spelled another way. */
static enum settle_code decode_body(
	struct tx *out, struct arena *arena, enum status *local, char fault[64])
{
	const char *field = "body";
	Pb__TxBody *body;

	switch (wire_check(&pb__tx_body__descriptor, out->body_raw, body_bounds,
		sizeof body_bounds / sizeof body_bounds[0], &field)) {
	case WIRE_OK: break;
	case WIRE_BAD: return fault_is(fault, SETTLE_BAD_ENCODING, field);
	case WIRE_TOO_MANY: return fault_is(fault, SETTLE_LIMIT, field);
	}
	body = pb__tx_body__unpack(arena_protobuf(arena), out->body_raw.len, out->body_raw.data);
	if (!body && arena->exhausted) {
		*local = STATUS_NO_MEMORY;
		return fault_is(fault, SETTLE_BAD_ENCODING, "");
	}
	if (!body || !wire_is_packing_of(&body->base, out->body_raw))
		return fault_is(fault, SETTLE_BAD_ENCODING, "body");
	out->body = body;
	return SETTLE_OK;
}

enum settle_code tx_split(struct tx *out, struct bytes raw, char fault[64])
{
	memset(out, 0, sizeof *out);
	fault[0] = 0;
	out->size = raw.len;
	if (raw.len > TX_BYTES_MAX)
		return fault_is(fault, SETTLE_LIMIT, "Tx");
	return decode_outer(out, raw, fault);
}

enum settle_code tx_decode(
	struct tx *out, struct arena *arena, struct bytes raw, enum status *local, char fault[64])
{
	enum settle_code code = tx_split(out, raw, fault);

	*local = STATUS_OK;
	if (code != SETTLE_OK)
		return code;
	code = decode_body(out, arena, local, fault);
	if (code != SETTLE_OK)
		return code;
	out->sender = account_address_of(&out->key);
	return tx_body_form(out->body, fault);
}

struct hash32 tx_digest(
	const struct hash32 *chain_tag, const struct account_key *key, struct bytes body)
{
	const struct bytes parts[] = {
		hash_view(chain_tag), bytes_view(key->b, sizeof key->b), body};

	return hash_domain("aitbc/tx/1", parts, 3);
}

/* fixed32 is little-endian on the wire: so the four bytes there are the tag's first four. */
uint32_t chain_hint_of(const struct hash32 *chain_tag)
{
	const uint8_t *b = chain_tag->b;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

bool tx_verify(const struct tx *tx, const struct hash32 *chain_tag)
{
	struct hash32 digest = tx_digest(chain_tag, &tx->key, tx->body_raw);

	return account_verify(&tx->key, &digest, &tx->signature);
}

bool tx_verify_cached(
	const struct tx *tx, const struct hash32 *chain_tag, struct keys_cache *points)
{
	struct hash32 digest = tx_digest(chain_tag, &tx->key, tx->body_raw);

	return keys_cache_verify(points, &tx->key, &digest, &tx->signature);
}

void tx_sign(struct buf *out, Pb__TxBody *body, const struct account_secret *secret,
	const struct account_key *key, const struct hash32 *chain_tag)
{
	struct account_signature signature;
	struct buf packed = {0};
	struct hash32 digest;
	Pb__Tx tx = PB__TX__INIT;

	body->chain_hint = chain_hint_of(chain_tag);
	wire_append(&packed, &body->base);
	if (!buf_ok(&packed)) {
		out->failed = true;
		buf_fini(&packed);
		return;
	}
	digest = tx_digest(chain_tag, key, buf_view(&packed));
	account_sign(&signature, secret, &digest);
	tx.body = wire_borrow(packed.data, packed.len);
	tx.public_key = wire_borrow(key->b, sizeof key->b);
	tx.signature = wire_borrow(signature.b, sizeof signature.b);
	wire_append(out, &tx.base);
	buf_fini(&packed);
}

struct hash32 proposal_hash(const Pb__AuthorityProposal *proposal, const struct hash32 *chain_tag)
{
	static const char domain[] = "aitbc/proposal/1";
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, domain, sizeof domain); /* with its NUL: see hash_domain */
	sha256_add(&s, chain_tag->b, sizeof chain_tag->b);
	wire_sha256_add(&s, &proposal->base);
	return sha256_end(&s);
}

struct job_key job_key_of(const struct account_address *client, struct bytes job_id)
{
	struct job_key key = {.len = sizeof client->b + 1 + job_id.len};

	CHECK(job_id.len <= JOB_ID_BYTES_MAX);
	memcpy(key.b, client->b, sizeof client->b);
	key.b[sizeof client->b] = (uint8_t)job_id.len;
	if (job_id.len > 0)
		memcpy(key.b + sizeof client->b + 1, job_id.data, job_id.len);
	return key;
}

static bool is_job_id_byte(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-';
}

bool job_id_valid(struct bytes job_id)
{
	if (job_id.len < 1 || job_id.len > JOB_ID_BYTES_MAX)
		return false;
	for (size_t i = 0; i < job_id.len; i++) {
		if (!is_job_id_byte(job_id.data[i]))
			return false;
	}
	return true;
}
