#include "coordinator/record.h"

#include <string.h>

#include "base/cursor.h"
#include "base/endian.h"

static bool all_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != 0)
			return false;
	}
	return true;
}

static void put_field(struct buf *out, uint8_t tag, const void *data, size_t len)
{
	buf_append_byte(out, tag);
	buf_append_u32be(out, (uint32_t)len);
	buf_append(out, data, len);
}

static void put_one(struct buf *out, const struct record_field *field, const uint8_t *at)
{
	uint8_t wide[8];
	uint64_t value = 0;

	switch (field->kind) {
	case RECORD_U32: {
		uint32_t narrow;

		memcpy(&narrow, at, sizeof narrow);
		value = narrow;
		break;
	}
	case RECORD_U64: memcpy(&value, at, sizeof value); break;
	case RECORD_RAW:
		if (!all_zero(at, field->size))
			put_field(out, field->tag, at, field->size);
		return;
	case RECORD_TEXT:
		if (at[0] != 0)
			put_field(out, field->tag, at, strnlen((const char *)at, field->size));
		return;
	}
	if (value == 0)
		return;
	put_u64be(wide, value);
	put_field(out, field->tag, wide, sizeof wide);
}

void record_put(
	struct buf *out, const struct record_field *fields, size_t field_count, const void *from)
{
	for (size_t i = 0; i < field_count; i++)
		put_one(out, &fields[i], (const uint8_t *)from + fields[i].offset);
}

static bool get_one(uint8_t *at, const struct record_field *field, struct bytes value)
{
	uint64_t wide;

	switch (field->kind) {
	case RECORD_U32:
	case RECORD_U64:
		if (value.len != 8)
			return false;
		wide = get_u64be(value.data);
		if (field->kind == RECORD_U64) {
			memcpy(at, &wide, sizeof wide);
		} else {
			uint32_t narrow = (uint32_t)wide;

			memcpy(at, &narrow, sizeof narrow);
		}
		return field->kind == RECORD_U64 || wide <= UINT32_MAX;
	case RECORD_RAW:
		if (value.len != field->size)
			return false;
		memcpy(at, value.data, value.len);
		return true;
	case RECORD_TEXT:
		if (value.len >= field->size)
			return false;
		memcpy(at, value.data, value.len);
		at[value.len] = 0;
		return true;
	}
	return false;
}

static const struct record_field *field_of(
	const struct record_field *fields, size_t field_count, uint8_t tag)
{
	for (size_t i = 0; i < field_count; i++) {
		if (fields[i].tag == tag)
			return &fields[i];
	}
	return NULL;
}

bool record_get(void *to, const struct record_field *fields, size_t field_count, struct bytes row)
{
	struct cursor c = cursor_of(row);

	while (c.left > 0 && !c.bad) {
		uint8_t tag = cursor_u8(&c);
		struct bytes value = cursor_view(&c, cursor_u32be(&c));
		const struct record_field *field = field_of(fields, field_count, tag);

		if (c.bad || !field || !get_one((uint8_t *)to + field->offset, field, value))
			return false;
	}
	return cursor_done(&c);
}
