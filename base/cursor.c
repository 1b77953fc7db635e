#include "base/cursor.h"

#include <string.h>

#include "base/endian.h"

struct cursor cursor_of(struct bytes view)
{
	struct cursor c = {view.data, view.len, false};
	return c;
}

/* The next len bytes, or NULL with the cursor gone bad. len is never 0. */
static const uint8_t *cursor_take(struct cursor *c, size_t len)
{
	const uint8_t *start = c->at;

	if (c->bad || len > c->left) {
		c->bad = true;
		c->left = 0;
		return NULL;
	}
	c->at += len;
	c->left -= len;
	return start;
}

uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);
	return p ? *p : 0;
}

uint32_t cursor_u32be(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);
	return p ? get_u32be(p) : 0;
}

uint64_t cursor_u64be(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 8);
	return p ? get_u64be(p) : 0;
}

uint64_t cursor_uvarint(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = cursor_u8(c);
		bool is_last = (byte & 0x80) == 0;

		if (c->bad)
			return 0;
		/* The tenth byte has room for one bit; a zero byte at the end is a longer form. */
		if ((shift == 63 && byte > 1) || (is_last && byte == 0 && shift > 0))
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (is_last)
			return value;
	}
	c->bad = true;
	c->left = 0;
	return 0;
}

void cursor_copy(struct cursor *c, void *out, size_t len)
{
	struct bytes view = cursor_view(c, len);

	if (len == 0)
		return;
	if (view.len == len)
		memcpy(out, view.data, len);
	else
		memset(out, 0, len);
}

struct bytes cursor_view(struct cursor *c, size_t len)
{
	const uint8_t *p = len == 0 ? NULL : cursor_take(c, len);

	return bytes_view(p, p ? len : 0);
}

bool cursor_done(const struct cursor *c)
{
	return !c->bad && c->left == 0;
}
