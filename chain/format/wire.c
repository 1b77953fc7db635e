#include "chain/format/wire.h"

#include <string.h>

#include "base/cursor.h"
#include "base/utf8.h"

enum { WIRE_FIELDS_MAX = 32 };

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct walk {
	const struct wire_bound *bounds;
	size_t bound_count;
	const char *field; /* at fault */
};

/* One message on the way down. */
struct level {
	const ProtobufCMessageDescriptor *message;
	size_t seen[WIRE_FIELDS_MAX]; /* by index of the field */
};

static enum wire_verdict walk_message(
	struct walk *w, const ProtobufCMessageDescriptor *message, struct bytes raw);

static enum wire_type wire_type_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM: return WIRE_VARINT;
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT: return WIRE_FIXED32;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return WIRE_FIXED64;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE: return WIRE_BYTES;
	}
	return WIRE_BYTES;
}

static size_t bound_of(
	const struct walk *w, const ProtobufCMessageDescriptor *message, uint32_t field)
{
	for (size_t i = 0; i < w->bound_count; i++) {
		if (w->bounds[i].message == message && w->bounds[i].field == field)
			return w->bounds[i].max;
	}
	return 0;
}

static bool is_oneof(const ProtobufCFieldDescriptor *field)
{
	return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* Counts one occurrence: a singular field stands once, a oneof has one side, repeated ones a bound.
 */
static enum wire_verdict count_field(
	const struct walk *w, struct level *level, const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *message = level->message;
	size_t at = (size_t)(field - message->fields);

	level->seen[at]++;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return level->seen[at] > bound_of(w, message, field->id) ? WIRE_TOO_MANY : WIRE_OK;
	if (level->seen[at] > 1)
		return WIRE_BAD;
	for (size_t i = 0; is_oneof(field) && i < message->n_fields; i++) {
		const ProtobufCFieldDescriptor *other = &message->fields[i];

		/* The sides of one oneof share the place that tells which side it is. */
		if (i != at && level->seen[i] > 0 && is_oneof(other) &&
			other->quantifier_offset == field->quantifier_offset)
			return WIRE_BAD;
	}
	return WIRE_OK;
}

static bool enum_knows(const ProtobufCEnumDescriptor *values, uint64_t value)
{
	return value <= INT32_MAX && protobuf_c_enum_descriptor_get_value(values, (int)value);
}

/* The field's content, after its tag. */
static enum wire_verdict walk_field(
	struct walk *w, struct cursor *c, const ProtobufCFieldDescriptor *field)
{
	struct bytes content;
	uint64_t value;

	switch (wire_type_of(field->type)) {
	case WIRE_VARINT:
		value = cursor_uvarint(c);
		if (field->type == PROTOBUF_C_TYPE_ENUM && !enum_knows(field->descriptor, value))
			return WIRE_BAD;
		return WIRE_OK;
	case WIRE_FIXED32: cursor_view(c, 4); return WIRE_OK;
	case WIRE_FIXED64: cursor_view(c, 8); return WIRE_OK;
	case WIRE_BYTES: break;
	}
	value = cursor_uvarint(c);
	if (value > c->left)
		return WIRE_BAD;
	content = cursor_view(c, (size_t)value);
	if (field->type == PROTOBUF_C_TYPE_STRING && !utf8_valid(content))
		return WIRE_BAD;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return walk_message(w, field->descriptor, content);
	return WIRE_OK;
}

static enum wire_verdict walk_message(
	struct walk *w, const ProtobufCMessageDescriptor *message, struct bytes raw)
{
	struct level level = {message, {0}};
	struct cursor c = cursor_of(raw);

	CHECK(message->n_fields <= WIRE_FIELDS_MAX);
	while (c.left > 0) {
		const ProtobufCFieldDescriptor *field = NULL;
		uint64_t tag = cursor_uvarint(&c);
		enum wire_verdict verdict;

		w->field = message->short_name;
		if (tag <= UINT32_MAX)
			field = protobuf_c_message_descriptor_get_field(
				message, (unsigned)(tag >> 3));
		if (!field || (tag & 7) != (uint64_t)wire_type_of(field->type))
			return WIRE_BAD;
		w->field = field->name;
		/* Packed scalars don't occur in our schemas; were one added, this would say so. */
		if (field->label == PROTOBUF_C_LABEL_REPEATED &&
			wire_type_of(field->type) != WIRE_BYTES)
			return WIRE_BAD;
		verdict = count_field(w, &level, field);
		if (verdict != WIRE_OK)
			return verdict;
		verdict = walk_field(w, &c, field);
		if (verdict != WIRE_OK)
			return verdict;
	}
	return cursor_done(&c) ? WIRE_OK : WIRE_BAD;
}

enum wire_verdict wire_check(const ProtobufCMessageDescriptor *message, struct bytes raw,
	const struct wire_bound *bounds, size_t bound_count, const char **field)
{
	struct walk w = {bounds, bound_count, message->short_name};
	enum wire_verdict verdict = walk_message(&w, message, raw);

	if (verdict != WIRE_OK && field)
		*field = w.field;
	return verdict;
}

struct comparing {
	ProtobufCBuffer base;
	struct bytes expected; /* what is still to come */
	bool differs;
};

static void compare_append(ProtobufCBuffer *base, size_t len, const uint8_t *data)
{
	struct comparing *c = (struct comparing *)base;

	if (c->differs || len > c->expected.len ||
		(len > 0 && memcmp(c->expected.data, data, len) != 0)) {
		c->differs = true;
		return;
	}
	c->expected = bytes_view(c->expected.data + len, c->expected.len - len);
}

bool wire_is_packing_of(const ProtobufCMessage *message, struct bytes raw)
{
	struct comparing c = {{compare_append}, raw, false};

	protobuf_c_message_pack_to_buffer(message, &c.base);
	return !c.differs && c.expected.len == 0;
}

struct hashing {
	ProtobufCBuffer base;
	struct sha256 *hash;
};

static void hash_append(ProtobufCBuffer *base, size_t len, const uint8_t *data)
{
	struct hashing *h = (struct hashing *)base;

	sha256_add(h->hash, data, len);
}

void wire_sha256_add(struct sha256 *s, const ProtobufCMessage *message)
{
	struct hashing h = {{hash_append}, s};

	protobuf_c_message_pack_to_buffer(message, &h.base);
}

struct hash32 wire_sha256(const ProtobufCMessage *message)
{
	struct sha256 s;

	sha256_start(&s);
	wire_sha256_add(&s, message);
	return sha256_end(&s);
}

struct hash32 wire_leaf(const ProtobufCMessage *message)
{
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, "\0", 1); /* what makes it a leaf; see merkle_leaf */
	wire_sha256_add(&s, message);
	return sha256_end(&s);
}

void wire_append(struct buf *out, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *room = buf_extend(out, len);

	if (room)
		protobuf_c_message_pack(message, room);
}

void wire_append_delimited(struct buf *out, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	for (; len >= 0x80; len >>= 7)
		buf_append_byte(out, (uint8_t)(len | 0x80));
	buf_append_byte(out, (uint8_t)len);
	wire_append(out, message);
}
