/* Views into a packed Block and its like, without unpacking: a block of four megabytes is walked
 * for the one transaction that is asked for. */
#include "chain/block_walk.h"

#include "base/cursor.h"
#include "chain/blocks.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

enum field_step field_next(struct field *out, size_t *at, struct bytes message)
{
	struct cursor c;
	uint64_t tag;

	if (*at >= message.len)
		return FIELD_END;
	c = cursor_of(bytes_view(message.data + *at, message.len - *at));
	tag = cursor_uvarint(&c);
	out->number = tag >> 3 <= UINT32_MAX ? (uint32_t)(tag >> 3) : 0;
	out->varint = 0;
	out->view = bytes_view(NULL, 0);
	switch (tag & 7) {
	case WIRE_VARINT: out->varint = cursor_uvarint(&c); break;
	case WIRE_FIXED64: out->view = cursor_view(&c, 8); break;
	case WIRE_BYTES: {
		uint64_t len = cursor_uvarint(&c);

		if (len > c.left)
			return FIELD_BAD;
		out->view = cursor_view(&c, (size_t)len);
		break;
	}
	case WIRE_FIXED32: out->view = cursor_view(&c, 4); break;
	default: return FIELD_BAD;
	}
	if (c.bad || out->number == 0)
		return FIELD_BAD;
	out->is_bytes = (tag & 7) == WIRE_BYTES;
	*at = message.len - c.left;
	return FIELD_HERE;
}

bool field_bytes_at(struct bytes *out, struct bytes message, uint32_t number, uint32_t index)
{
	struct field field;
	size_t at = 0;

	while (field_next(&field, &at, message) == FIELD_HERE) {
		if (field.number != number || !field.is_bytes)
			continue;
		if (index-- == 0) {
			*out = field.view;
			return true;
		}
	}
	return false;
}

uint64_t field_varint(struct bytes message, uint32_t number)
{
	struct field field;
	size_t at = 0;

	while (field_next(&field, &at, message) == FIELD_HERE)
		if (field.number == number && !field.is_bytes)
			return field.varint;
	return 0;
}

bool block_sections(struct block_sections *out, struct bytes raw)
{
	struct block_sections found = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
	struct bytes *const section[] = {
		&found.header, &found.data, &found.evidence, &found.last_commit};
	enum field_step step;
	struct field field;
	size_t at = 0;

	while ((step = field_next(&field, &at, raw)) == FIELD_HERE) {
		if (field.number > 4 || !field.is_bytes)
			return false;
		*section[field.number - 1] = field.view;
	}
	if (step != FIELD_END || !found.header.data)
		return false;
	*out = found;
	return true;
}

bool block_tx_next(struct bytes *tx, size_t *at, struct bytes data)
{
	struct field field;

	if (field_next(&field, at, data) != FIELD_HERE || field.number != 1 || !field.is_bytes)
		return false;
	*tx = field.view;
	return true;
}

bool block_tx_at(struct bytes *tx, struct bytes raw, uint32_t index)
{
	struct block_sections sections;

	return block_sections(&sections, raw) && field_bytes_at(tx, sections.data, 1, index);
}
