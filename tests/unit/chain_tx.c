/* The transaction codec: one spelling, one signer, bounded memory. */
#include "tests/unit/vectors.h"

#include <secp256k1_recovery.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "chain/format/wire.h"
#include "tests/unit/tx_samples.h"

static struct tx_sample sample;

static int start(void **state)
{
	static const uint8_t seed[32] = {3};

	(void)state;
	return keys_start(seed) ? 0 : -1;
}

static int fill(void **state)
{
	(void)state;
	tx_sample_fill(&sample);
	return 0;
}

struct decoded {
	enum settle_code code;
	struct tx tx;
	struct arena arena;
	enum status local;
	char fault[64];
};

static void decode(struct decoded *d, struct bytes raw)
{
	arena_init(&d->arena, TX_ARENA_BYTES_MAX);
	d->code = tx_decode(&d->tx, &d->arena, raw, &d->local, d->fault);
	assert_int_equal(d->local, STATUS_OK);
}

static void a_signed_transaction_is_read_back(void **state)
{
	struct buf raw = {0};
	struct account_address sender = account_address_of(&sample.key);
	struct decoded d;

	tx_sample_sign(&raw, &sample);
	assert_true(buf_ok(&raw));
	decode(&d, buf_view(&raw));
	assert_string_equal(d.fault, "");
	assert_int_equal(d.code, SETTLE_OK);
	assert_int_equal(d.tx.size, raw.len);
	assert_int_equal(d.tx.body->sequence, 7);
	assert_int_equal(d.tx.body->n_actions, SAMPLE_ACTIONS);
	assert_string_equal(d.tx.body->actions[7]->deliver_result->receipt->job_id, "job-1");
	assert_true(account_address_equal(&d.tx.sender, &sender));
	assert_int_equal(d.tx.body->chain_hint, 0x11111111);
	assert_true(wire_is_packing_of(&d.tx.body->base, d.tx.body_raw));
	assert_true(tx_verify(&d.tx, &sample.chain_tag));
	sample.chain_tag.b[31] ^= 1;
	assert_false(tx_verify(&d.tx, &sample.chain_tag));
	arena_fini(&d.arena);
	buf_fini(&raw);
}

/* The outer message as protobuf-c would read it is what we read in place. */
static void the_outer_message_is_a_protobuf_message(void **state)
{
	struct buf raw = {0};
	struct decoded d;
	Pb__Tx *tx;

	tx_sample_sign(&raw, &sample);
	decode(&d, buf_view(&raw));
	tx = pb__tx__unpack(NULL, raw.len, raw.data);
	assert_non_null(tx);
	assert_bytes_equal(wire_view(tx->body), d.tx.body_raw, "body");
	assert_bytes_equal(wire_view(tx->public_key), bytes_view(d.tx.key.b, 33), "key");
	assert_bytes_equal(wire_view(tx->signature), bytes_view(d.tx.signature.b, 64), "signature");
	pb__tx__free_unpacked(tx, NULL);
	arena_fini(&d.arena);
	buf_fini(&raw);
}

static bool is_accepted(struct bytes raw)
{
	struct decoded d;
	bool ok;

	decode(&d, raw);
	ok = d.code == SETTLE_OK && tx_verify(&d.tx, &sample.chain_tag);
	arena_fini(&d.arena);
	return ok;
}

static void no_turned_bit_and_no_cut_is_accepted(void **state)
{
	struct buf raw = {0};

	tx_sample_sign(&raw, &sample);
	assert_true(is_accepted(buf_view(&raw)));
	for (size_t bit = 0; bit < raw.len * 8; bit++) {
		raw.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (is_accepted(buf_view(&raw)))
			fail_msg("bit %zu", bit);
		raw.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < raw.len; len++)
		assert_false(is_accepted(bytes_view(raw.data, len)));
	buf_append_byte(&raw, 0);
	assert_false(is_accepted(buf_view(&raw)));
	buf_fini(&raw);
}

/* From an ECDSA signature a second key can be computed for which it holds too. The digest names the
 * key, so the act can't be re-attributed. [protocol 2] */
static void a_second_key_for_the_same_signature_is_refused(void **state)
{
	secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	struct buf raw = {0};
	struct hash32 digest;
	struct decoded d;
	unsigned others = 0;

	tx_sample_sign(&raw, &sample);
	decode(&d, buf_view(&raw));
	digest = tx_digest(&sample.chain_tag, &d.tx.key, d.tx.body_raw);
	for (int id = 0; id < 4; id++) {
		secp256k1_ecdsa_recoverable_signature signature;
		secp256k1_pubkey point;
		struct tx other = d.tx;
		size_t len = sizeof other.key.b;

		if (!secp256k1_ecdsa_recoverable_signature_parse_compact(
			    context, &signature, d.tx.signature.b, id))
			continue;
		if (!secp256k1_ecdsa_recover(context, &point, &signature, digest.b))
			continue;
		secp256k1_ec_pubkey_serialize(
			context, other.key.b, &len, &point, SECP256K1_EC_COMPRESSED);
		if (memcmp(other.key.b, d.tx.key.b, sizeof other.key.b) == 0)
			continue;
		/* Without the key in the digest this would be a valid signature of a stranger. */
		assert_true(account_verify(&other.key, &digest, &other.signature));
		assert_false(tx_verify(&other, &sample.chain_tag));
		others++;
	}
	assert_true(others >= 1);
	secp256k1_context_destroy(context);
	arena_fini(&d.arena);
	buf_fini(&raw);
}

/* ---- other spellings of the same act ---- */

enum bend {
	BEND_UNKNOWN_BEFORE,
	BEND_UNKNOWN_AFTER,
	BEND_TWICE,
	BEND_SWAPPED,
	BEND_LONG_TAG,
	BEND_LONG_LENGTH,
	BEND_LONG_VALUE,
	BEND_EXPLICIT_DEFAULT,
	BEND_TEXT_NUL,
	BEND_TEXT_UTF8,
	BEND_FOREIGN_ENUM,
	BEND_WRONG_TYPE,
	BEND_OTHER_SIDE,
	BENDS
};

static uint64_t get_varint(struct bytes *raw)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint8_t byte = raw->data[0];

		*raw = bytes_view(raw->data + 1, raw->len - 1);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return value;
	}
}

/* One field as it stands in a message. */
struct spelled {
	const ProtobufCFieldDescriptor *field;
	uint64_t tag;
	uint64_t value; /* of a varint */
	struct bytes content;
	struct bytes whole;
};

static struct spelled next_field(const ProtobufCMessageDescriptor *message, struct bytes *raw)
{
	struct spelled s = {.whole = *raw};

	s.tag = get_varint(raw);
	s.field = protobuf_c_message_descriptor_get_field(message, (unsigned)(s.tag >> 3));
	assert_non_null(s.field);
	if ((s.tag & 7) == 0) {
		s.value = get_varint(raw);
	} else {
		size_t len = (s.tag & 7) == 2 ? (size_t)get_varint(raw) : (s.tag & 7) == 5 ? 4 : 8;

		s.content = bytes_view(raw->data, len);
		*raw = bytes_view(raw->data + len, raw->len - len);
	}
	s.whole.len -= raw->len;
	return s;
}

static bool bend_text(struct buf *out, const struct spelled *s, uint8_t byte)
{
	struct buf text = {0};

	if (s->field->type != PROTOBUF_C_TYPE_STRING)
		return false;
	buf_append_view(&text, s->content);
	text.data[text.len - 1] = byte;
	put_bytes_field(out, s->tag, buf_view(&text));
	buf_fini(&text);
	return true;
}

static bool bend_length(struct buf *out, const struct spelled *s)
{
	if ((s->tag & 7) != 2)
		return false;
	put_varint(out, s->tag, false);
	put_varint(out, s->content.len, true);
	buf_append_view(out, s->content);
	return true;
}

static bool bend_value(struct buf *out, const struct spelled *s, bool is_long, uint64_t value)
{
	if ((s->tag & 7) != 0)
		return false;
	put_varint(out, s->tag, false);
	put_varint(out, value, is_long);
	return true;
}

static bool bend_to_default(struct buf *out, const struct spelled *s)
{
	if ((s->tag & 7) == 0)
		return bend_value(out, s, false, 0);
	if (s->field->type == PROTOBUF_C_TYPE_MESSAGE ||
		s->field->label == PROTOBUF_C_LABEL_REPEATED || (s->tag & 7) != 2)
		return false;
	put_bytes_field(out, s->tag, bytes_view(NULL, 0));
	return true;
}

static void put_unknown(struct buf *out)
{
	put_varint(out, 99 << 3, false);
	put_varint(out, 1, false);
}

static bool bend_other_side(struct buf *out, const struct spelled *s)
{
	if ((s->field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
		return false;
	buf_append_view(out, s->whole);
	put_bytes_field(out, (s->field->id == 1 ? 2 : 1) << 3 | 2, bytes_view(NULL, 0));
	return true;
}

/* Writes the field bent. False: this bend doesn't exist for this field. next: what follows it. */
static bool bend_field(struct buf *out, const struct spelled *s, struct bytes *next,
	const ProtobufCMessageDescriptor *message, enum bend bend)
{
	bool is_repeated = s->field->label == PROTOBUF_C_LABEL_REPEATED;
	struct spelled follower;

	switch (bend) {
	case BEND_UNKNOWN_BEFORE: put_unknown(out), buf_append_view(out, s->whole); return true;
	case BEND_UNKNOWN_AFTER: buf_append_view(out, s->whole), put_unknown(out); return true;
	case BEND_TWICE:
		buf_append_view(out, s->whole), buf_append_view(out, s->whole);
		return !is_repeated;
	case BEND_SWAPPED:
		if (next->len == 0)
			return false;
		follower = next_field(message, next);
		buf_append_view(out, follower.whole), buf_append_view(out, s->whole);
		return follower.tag != s->tag;
	case BEND_LONG_TAG:
		put_varint(out, s->tag, true);
		buf_append(out, s->whole.data + (s->tag < 128 ? 1 : 2),
			s->whole.len - (s->tag < 128 ? 1 : 2));
		return true;
	case BEND_LONG_LENGTH: return bend_length(out, s);
	case BEND_LONG_VALUE: return bend_value(out, s, true, s->value);
	case BEND_EXPLICIT_DEFAULT: return bend_to_default(out, s);
	case BEND_TEXT_NUL: return bend_text(out, s, 0);
	case BEND_TEXT_UTF8: return bend_text(out, s, 0xff);
	case BEND_FOREIGN_ENUM:
		return s->field->type == PROTOBUF_C_TYPE_ENUM && bend_value(out, s, false, 77);
	case BEND_WRONG_TYPE:
		put_varint(out, (s->tag & ~UINT64_C(7)) | 1, false), buf_append(out, "12345678", 8);
		return true;
	case BEND_OTHER_SIDE: return bend_other_side(out, s);
	case BENDS: break;
	}
	return false;
}

/* Copies the message to out, with field number *place (counted through all depths) bent. *place
 * falls below zero when it was met; *is_bent tells whether the bend exists there. */
static void bend_message(struct buf *out, struct bytes raw,
	const ProtobufCMessageDescriptor *message, enum bend bend, long *place, bool *is_bent)
{
	while (raw.len > 0) {
		struct spelled s = next_field(message, &raw);

		if ((*place)-- == 0) {
			*is_bent = bend_field(out, &s, &raw, message, bend);
		} else if (s.field->type == PROTOBUF_C_TYPE_MESSAGE && *place >= 0) {
			struct buf inner = {0};

			bend_message(&inner, s.content, s.field->descriptor, bend, place, is_bent);
			put_bytes_field(out, s.tag, buf_view(&inner));
			buf_fini(&inner);
		} else {
			buf_append_view(out, s.whole);
		}
	}
}

static void no_other_spelling_is_accepted_at_any_depth(void **state)
{
	struct buf whole = {0};
	struct decoded original;
	size_t bent_count[BENDS] = {0};

	tx_sample_sign(&whole, &sample);
	decode(&original, buf_view(&whole));
	for (int bend = 0; bend < BENDS; bend++) {
		for (long at = 0;; at++) {
			struct buf body = {0}, raw = {0};
			bool is_bent = false;
			long place = at;
			struct decoded d;

			bend_message(&body, original.tx.body_raw, &pb__tx_body__descriptor,
				(enum bend)bend, &place, &is_bent);
			tx_sample_sign_raw(&raw, &sample, buf_view(&body));
			decode(&d, buf_view(&raw));
			if (is_bent && d.code != SETTLE_BAD_ENCODING)
				fail_msg("bend %d at field %ld: %s", bend, at,
					settle_code_name(d.code));
			if (place >= 0)
				assert_int_equal(
					d.code, SETTLE_OK); /* past the end: nothing was bent */
			bent_count[bend] += is_bent;
			arena_fini(&d.arena);
			buf_fini(&raw);
			buf_fini(&body);
			if (place >= 0)
				break;
		}
		assert_true(bent_count[bend] > 0);
	}
	/* All fields of the two receipts, three messages deep, were among them. */
	assert_true(bent_count[BEND_UNKNOWN_AFTER] > 100);
	assert_int_equal(bent_count[BEND_FOREIGN_ENUM], 2);
	/* Of each action, and of the proposal in one. */
	assert_int_equal(bent_count[BEND_OTHER_SIDE], SAMPLE_ACTIONS + 1);
	arena_fini(&original.arena);
	buf_fini(&whole);
}

static void the_outer_message_has_one_spelling(void **state)
{
	struct buf raw = {0}, other = {0};
	struct decoded d;
	struct bytes body, key, signature;

	tx_sample_sign(&raw, &sample);
	decode(&d, buf_view(&raw));
	body = d.tx.body_raw;
	key = bytes_view(sample.key.b, 33);
	signature = bytes_view(d.tx.signature.b, 64);
#define OTHER(expected, name, ...)                                                                 \
	do {                                                                                       \
		struct decoded o;                                                                  \
		buf_clear(&other);                                                                 \
		__VA_ARGS__;                                                                       \
		decode(&o, buf_view(&other));                                                      \
		assert_int_equal(o.code, expected);                                                \
		assert_string_equal(o.fault, name);                                                \
		arena_fini(&o.arena);                                                              \
	} while (0)
#define BODY      put_bytes_field(&other, 10, body)
#define KEY       put_bytes_field(&other, 18, key)
#define SIGNATURE put_bytes_field(&other, 26, signature)
	OTHER(SETTLE_OK, "", BODY, KEY, SIGNATURE);
	OTHER(SETTLE_BAD_ENCODING, "Tx", KEY, BODY, SIGNATURE);
	OTHER(SETTLE_BAD_ENCODING, "Tx", BODY, SIGNATURE, KEY);
	OTHER(SETTLE_BAD_ENCODING, "Tx", BODY, KEY);
	OTHER(SETTLE_BAD_ENCODING, "Tx", BODY, SIGNATURE);
	OTHER(SETTLE_BAD_ENCODING, "Tx", KEY, SIGNATURE);
	OTHER(SETTLE_BAD_ENCODING, "Tx", BODY, KEY, SIGNATURE, SIGNATURE);
	OTHER(SETTLE_BAD_ENCODING, "Tx", BODY, KEY, SIGNATURE, put_unknown(&other));
	OTHER(SETTLE_BAD_ENCODING, "Tx", put_unknown(&other), BODY, KEY, SIGNATURE);
	OTHER(SETTLE_BAD_ENCODING, "Tx", put_varint(&other, 10, true),
		put_varint(&other, body.len, false), buf_append_view(&other, body), KEY, SIGNATURE);
	OTHER(SETTLE_BAD_ENCODING, "Tx", put_varint(&other, 10, false),
		put_varint(&other, body.len, true), buf_append_view(&other, body), KEY, SIGNATURE);
	OTHER(SETTLE_BAD_ENCODING, "Tx", put_bytes_field(&other, 10, bytes_view(NULL, 0)), KEY,
		SIGNATURE);
	OTHER(SETTLE_BAD_ENCODING, "Tx", (void)0);
	OTHER(SETTLE_BAD_PARAM, "public_key", BODY, key.len = 32, KEY, SIGNATURE);
	key.len = 33;
	OTHER(SETTLE_BAD_PARAM, "signature", BODY, KEY, signature.len = 63, SIGNATURE);
#undef OTHER
#undef BODY
#undef KEY
#undef SIGNATURE
	arena_fini(&d.arena);
	buf_fini(&raw);
	buf_fini(&other);
}

static void a_transaction_past_the_limit_is_not_read(void **state)
{
	uint8_t *raw = calloc(1, TX_BYTES_MAX + 1);
	struct decoded d;

	assert_non_null(raw);
	decode(&d, bytes_view(raw, TX_BYTES_MAX + 1));
	assert_int_equal(d.code, SETTLE_LIMIT);
	arena_fini(&d.arena);
	decode(&d, bytes_view(raw, TX_BYTES_MAX));
	assert_int_equal(d.code, SETTLE_BAD_ENCODING);
	arena_fini(&d.arena);
	free(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_signed_transaction_is_read_back, fill),
		cmocka_unit_test_setup(the_outer_message_is_a_protobuf_message, fill),
		cmocka_unit_test_setup(no_turned_bit_and_no_cut_is_accepted, fill),
		cmocka_unit_test_setup(a_second_key_for_the_same_signature_is_refused, fill),
		cmocka_unit_test_setup(no_other_spelling_is_accepted_at_any_depth, fill),
		cmocka_unit_test_setup(the_outer_message_has_one_spelling, fill),
		cmocka_unit_test_setup(a_transaction_past_the_limit_is_not_read, fill),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
