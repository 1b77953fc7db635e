#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/limits.h"

struct bytes bytes_of_text(const char *text)
{
	return bytes_view(text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t shared = a.len < b.len ? a.len : b.len;
	int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

void buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof *b);
	b->max = max;
}

void buf_fini(struct buf *b)
{
	size_t max = b->max;

	free(b->data);
	buf_init(b, max);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

bool buf_ok(const struct buf *b)
{
	return !b->failed;
}

/* Memory for need bytes; the one place that allocates. False marks the buf failed. */
static bool buf_reserve(struct buf *b, size_t need)
{
	size_t cap = b->cap < 64 ? 64 : b->cap;
	uint8_t *data;

	if (need <= b->cap)
		return true;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	data = realloc(b->data, cap);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

uint8_t *buf_extend(struct buf *b, size_t len)
{
	size_t max = b->max == 0 ? BUF_BYTES_MAX : b->max;
	uint8_t *start;

	if (b->failed)
		return NULL;
	CHECK(b->len <= max);
	if (len > max - b->len) {
		b->failed = true;
		return NULL;
	}
	/* One byte more than asked, so that an empty extension has an address and buf_text a place.
	 */
	if (!buf_reserve(b, b->len + len + 1))
		return NULL;
	start = b->data + b->len;
	b->len += len;
	return start;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
	uint8_t *room = buf_extend(b, len);

	if (room && len > 0)
		memcpy(room, data, len);
}

void buf_append_view(struct buf *b, struct bytes view)
{
	buf_append(b, view.data, view.len);
}

void buf_append_text(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

void buf_append_byte(struct buf *b, uint8_t byte)
{
	buf_append(b, &byte, 1);
}

void buf_append_u32be(struct buf *b, uint32_t value)
{
	uint8_t packed[4];

	put_u32be(packed, value);
	buf_append(b, packed, sizeof packed);
}

void buf_append_u64be(struct buf *b, uint64_t value)
{
	uint8_t packed[8];

	put_u64be(packed, value);
	buf_append(b, packed, sizeof packed);
}

void buf_appendf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	uint8_t *room;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	CHECK(len >= 0); /* only a malformed format of ours can make it negative */
	room = buf_extend(b, (size_t)len);
	if (room)
		vsnprintf((char *)room, (size_t)len + 1, format, again); /* the NUL has its place */
	va_end(again);
}

struct bytes buf_view(const struct buf *b)
{
	return bytes_view(b->data, b->failed ? 0 : b->len);
}

const char *buf_text(struct buf *b)
{
	if (b->failed || !buf_reserve(b, b->len + 1))
		return "";
	b->data[b->len] = 0;
	return (const char *)b->data;
}
