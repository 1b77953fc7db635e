#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"

/* Go's short escapes; 0 when there is none for c. */
static char short_escape(uint8_t c)
{
	switch (c) {
	case '"': return '"';
	case '\\': return '\\';
	case '\b': return 'b';
	case '\f': return 'f';
	case '\n': return 'n';
	case '\r': return 'r';
	case '\t': return 't';
	}
	return 0;
}

/* The two line separators that Go escapes because JavaScript once read them as newlines. */
static bool is_line_separator(const uint8_t *sequence, size_t len)
{
	return len == 3 && sequence[0] == 0xe2 && sequence[1] == 0x80 &&
	       (sequence[2] & 0xfe) == 0xa8;
}

/* One character at data, as it has to be written; its length in data. */
static size_t put_character(struct buf *b, struct bytes data)
{
	size_t len = utf8_sequence(data);
	uint8_t c = data.data[0];

	if (len == 0) {
		buf_append_text(b, "\\ufffd");
		return 1;
	}
	if (len == 1 && short_escape(c) != 0)
		buf_appendf(b, "\\%c", short_escape(c));
	else if (len == 1 && c < 0x20)
		buf_appendf(b, "\\u%04x", c);
	else if (is_line_separator(data.data, len))
		buf_appendf(b, "\\u20%02x", data.data[2] & 0x3f);
	else
		buf_append(b, data.data, len);
	return len;
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

void json_put_string(struct buf *b, const char *text, size_t len)
{
	const uint8_t *data = (const uint8_t *)text;
	size_t at = 0;

	buf_append_byte(b, '"');
	while (at < len) {
		size_t start = at;

		while (at < len && is_plain(data[at]))
			at++;
		buf_append(b, data + start, at - start);
		if (at < len)
			at += put_character(b, bytes_view(data + at, len - at));
	}
	buf_append_byte(b, '"');
}

void json_put_text(struct buf *b, const char *text)
{
	json_put_string(b, text, strlen(text));
}

void json_put_key(struct buf *b, const char *key)
{
	json_put_text(b, key);
	buf_append_byte(b, ':');
}

void json_put_u64_text(struct buf *b, uint64_t value)
{
	buf_appendf(b, "\"%" PRIu64 "\"", value);
}

void json_put_i64_text(struct buf *b, int64_t value)
{
	buf_appendf(b, "\"%" PRId64 "\"", value);
}

void json_put_u64(struct buf *b, uint64_t value)
{
	buf_appendf(b, "%" PRIu64, value);
}

void json_put_i64(struct buf *b, int64_t value)
{
	buf_appendf(b, "%" PRId64, value);
}

void json_put_bool(struct buf *b, bool value)
{
	buf_append_text(b, value ? "true" : "false");
}

void json_put_hex_upper(struct buf *b, const void *data, size_t len)
{
	buf_append_byte(b, '"');
	buf_append_hex_upper(b, data, len);
	buf_append_byte(b, '"');
}

void json_put_base64(struct buf *b, const void *data, size_t len)
{
	if (len == 0) {
		buf_append_text(b, "null");
		return;
	}
	buf_append_byte(b, '"');
	buf_append_base64(b, data, len);
	buf_append_byte(b, '"');
}
