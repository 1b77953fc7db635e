/* replica: a peer among four whose every other message is changed: in its bytes, in its fields,
 * cut, grown, joined with another, or an old one again. The honest three commit on, agree, and
 * never blame each other; nothing is read or written where it may not be (sanitizers watch). */
#include "tests/unit/replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain/proto/peer.pb-c.h"

enum {
	BABBLER = 1,
	OLD_MAX = 64,
	MUTANTS = 6000,
	MUTANTS_FULL = 100 * 1000,
	KINDS = 9,
	DEPTH_MAX = 6
};

static struct world world;
static uint64_t dice;
static struct buf old[OLD_MAX];
static uint64_t mutants[KINDS];

/* splitmix64: the same mutants in every run. */
static uint64_t draw(uint64_t below)
{
	uint64_t z = dice += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

/* ---- in its fields ---- */

static uint64_t odd_number(uint64_t was)
{
	static const uint64_t odd[] = {0, 1, 2, 3, 63, 64, 1024, 1025, INT32_MAX,
		(uint64_t)INT32_MAX + 1, UINT32_MAX, INT64_MAX, (uint64_t)INT64_MAX + 1,
		UINT64_MAX};
	switch (draw(4)) {
	case 0: return was + 1;
	case 1: return was - 1;
	case 2: return was ^ (uint64_t)1 << draw(64);
	default: return odd[draw(sizeof odd / sizeof odd[0])];
	}
}

static void change_bytes(ProtobufCBinaryData *bytes)
{
	if (bytes->len == 0)
		return;
	if (draw(3) == 0)
		bytes->len = draw(bytes->len);
	else
		bytes->data[draw(bytes->len)] ^= (uint8_t)(1 + draw(255));
}

static void change_message(ProtobufCMessage *message, int depth);

/* One value at its place; how wide it is, its type says. */
static void change_value(const ProtobufCFieldDescriptor *field, void *at, int depth)
{
	uint32_t narrow;
	uint64_t wide;
	switch (field->type) { /* lint: dispatch */
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		memcpy(&narrow, at, sizeof narrow);
		narrow = (uint32_t)odd_number(narrow);
		memcpy(at, &narrow, sizeof narrow);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		memcpy(&wide, at, sizeof wide);
		wide = odd_number(wide);
		memcpy(at, &wide, sizeof wide);
		return;
	case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)at ^= 1; return;
	case PROTOBUF_C_TYPE_BYTES: change_bytes(at); return;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (*(ProtobufCMessage **)at != NULL)
			change_message(*(ProtobufCMessage **)at, depth + 1);
		return;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE: return;
	}
}

static size_t width_of(const ProtobufCFieldDescriptor *field)
{
	return field->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
}

static void change_message(ProtobufCMessage *message, int depth)
{
	const ProtobufCMessageDescriptor *d = message->descriptor;
	if (depth > DEPTH_MAX || d->n_fields == 0)
		return;
	for (int tries = 0; tries < 8; tries++) {
		const ProtobufCFieldDescriptor *field = &d->fields[draw(d->n_fields)];
		uint8_t *at = (uint8_t *)message + field->offset;
		uint32_t chosen = 0;
		if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
			memcpy(&chosen, (uint8_t *)message + field->quantifier_offset,
				sizeof chosen);
			if (chosen != field->id)
				continue;
		}
		if (field->label != PROTOBUF_C_LABEL_REPEATED) {
			change_value(field, at, depth);
			return;
		}
		size_t *count = (size_t *)(void *)((uint8_t *)message + field->quantifier_offset);
		bool wide = field->type == PROTOBUF_C_TYPE_MESSAGE ||
			    field->type == PROTOBUF_C_TYPE_BYTES;
		if (*count == 0 || !wide)
			continue;
		if (field->type == PROTOBUF_C_TYPE_BYTES || draw(4) > 0)
			change_value(
				field, *(uint8_t **)at + draw(*count) * width_of(field), depth);
		return;
	}
}

/* protobuf-c owns what it has unpacked, so sizes must be as they were when it is freed: an arena
 * that forgets everything at once. */
static bool change_fields(struct buf *out, struct bytes message)
{
	struct arena arena;
	arena_init(&arena, 4 * 1024 * 1024);
	Pb__PeerMessage *m =
		pb__peer_message__unpack(arena_protobuf(&arena), message.len, message.data);
	if (m != NULL) {
		change_message(&m->base, 0);
		size_t len = pb__peer_message__get_packed_size(m);
		uint8_t *at = buf_extend(out, len);
		assert_non_null(at);
		pb__peer_message__pack(m, at);
	}
	arena_fini(&arena);
	return m != NULL;
}

/* ---- in its bytes ---- */

static void mutate(struct buf *out, struct bytes m, uint64_t kind)
{
	struct bytes other = buf_view(&old[draw(OLD_MAX)]);
	size_t at = draw(m.len);
	buf_append_view(out, m);
	switch (kind) {
	case 0: out->data[at] ^= (uint8_t)(1u << draw(8)); return;
	case 1: out->data[at] = (uint8_t[]){0, 0x7f, 0x80, 0xff}[draw(4)]; return;
	case 2: out->len = at + (at == 0); return;
	case 3:
		for (uint64_t i = 1 + draw(40); i > 0; i--)
			buf_append_byte(out, (uint8_t)draw(256));
		return;
	case 4: buf_append(out, m.data + at, m.len - at); return;
	case 5: /* the beginning of this one, the end of another */
		out->len = at;
		if (other.len > 0)
			buf_append_view(out, bytes_view(other.data + draw(other.len), 1));
		buf_append_view(out, other);
		return;
	case 6: /* an old one again */
		if (other.len > 0) {
			buf_clear(out);
			buf_append_view(out, other);
		}
		return;
	default: /* most of them: what a parser lets through */
		buf_clear(out);
		if (!change_fields(out, m))
			buf_append_view(out, m);
		return;
	}
}

static bool babbles(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	(void)to;
	/* Now and then it is sober, or it would never again be where the others are. */
	if (from != BABBLER || message.len == 0 || w->now_ms % 2000 < 800)
		return true;
	struct buf *kept = &old[draw(OLD_MAX)];
	buf_clear(kept);
	buf_append_view(kept, message);
	if (draw(2) == 0)
		return true;
	uint64_t kind = draw(KINDS);
	mutate(instead, message, kind);
	mutants[kind]++;
	return true;
}

static uint64_t mutant_count(void)
{
	uint64_t count = 0;
	for (size_t i = 0; i < KINDS; i++)
		count += mutants[i];
	return count;
}

static void whatever_a_peer_babbles_the_others_commit_on_and_agree(void **state)
{
	static const size_t honest[] = {0, 2, 3};
	uint64_t wanted = getenv("AITBC_FULL") ? MUTANTS_FULL : MUTANTS;
	(void)state;
	dice = 7;
	world_open(&world, 4, 4);
	world.says = babbles;
	world.relink_ms = 50;
	for (size_t i = 0; i < 4; i++)
		world_start(&world, i);
	for (size_t turn = 0; mutant_count() < wanted; turn++) {
		int64_t height = world_height(&world, 0);
		world_pay(&world, honest[turn % 3], turn % WORLD_ACCOUNTS, turn % 200);
		world_run(&world, 200);
		if (turn % 100 == 99)
			assert_true(world_run_to(&world, 0, height + 1, 60000));
	}
	/* Each of its links ended again and again, and no other ever did. */
	for (size_t a = 0; a < 3; a++) {
		assert_true(world.links[honest[a]][BABBLER].dropped > 100);
		for (size_t b = 0; b < 3; b++)
			assert_int_equal(world.links[honest[a]][honest[b]].dropped, 0);
	}
	assert_true(world.committed_txs > 0);
	int64_t height = world_height(&world, 0);
	assert_true(world_run_to(&world, 2, height, 60000));
	assert_true(world_run_to(&world, 3, height, 60000));
	world_same_state(&world, 0, 2);
	world_same_state(&world, 0, 3);
	printf("figure: %lu mutants, %ld blocks\n", (unsigned long)wanted, (long)height);
	world_close(&world);
	for (size_t i = 0; i < OLD_MAX; i++)
		buf_fini(&old[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_a_peer_babbles_the_others_commit_on_and_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
