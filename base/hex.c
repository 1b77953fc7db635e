#include "base/hex.h"

static const char DIGITS_UPPER[] = "0123456789ABCDEF";
static const char DIGITS_LOWER[] = "0123456789abcdef";
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void hex_digits(char *out, const uint8_t *data, size_t len, const char *digits)
{
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[data[i] >> 4];
		out[2 * i + 1] = digits[data[i] & 15];
	}
}

void hex_upper(char *out, const void *data, size_t len)
{
	hex_digits(out, data, len, DIGITS_UPPER);
	out[2 * len] = 0;
}

void hex_lower(char *out, const void *data, size_t len)
{
	hex_digits(out, data, len, DIGITS_LOWER);
	out[2 * len] = 0;
}

/* 0..15, or -1. */
static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

bool hex_decode(uint8_t *out, size_t len, const char *text, size_t text_len)
{
	if (text_len / 2 != len || text_len % 2 != 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(text[2 * i]);
		int low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void append_hex(struct buf *b, const void *data, size_t len, const char *digits)
{
	uint8_t *room;

	CHECK(len <= SIZE_MAX / 2);
	room = buf_extend(b, 2 * len);
	if (room)
		hex_digits((char *)room, data, len, digits);
}

void buf_append_hex_upper(struct buf *b, const void *data, size_t len)
{
	append_hex(b, data, len, DIGITS_UPPER);
}

void buf_append_hex_lower(struct buf *b, const void *data, size_t len)
{
	append_hex(b, data, len, DIGITS_LOWER);
}

void buf_append_base64(struct buf *b, const void *data, size_t len)
{
	const uint8_t *in = data;
	uint8_t *out;

	CHECK(len <= SIZE_MAX / 2);
	out = buf_extend(b, (len + 2) / 3 * 4);
	if (!out)
		return;
	for (size_t i = 0; i < len; i += 3) {
		size_t have = len - i < 3 ? len - i : 3;
		uint32_t group = (uint32_t)in[i] << 16;

		if (have > 1)
			group |= (uint32_t)in[i + 1] << 8;
		if (have > 2)
			group |= in[i + 2];
		*out++ = (uint8_t)BASE64[group >> 18];
		*out++ = (uint8_t)BASE64[group >> 12 & 63];
		*out++ = have > 1 ? (uint8_t)BASE64[group >> 6 & 63] : '=';
		*out++ = have > 2 ? (uint8_t)BASE64[group & 63] : '=';
	}
}

/* Of a base64 digit one more than its value, so that what is no digit is 0. */
static const uint8_t base64_values[256] = {['A'] = 1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	9,
	10,
	11,
	12,
	13,
	14,
	15,
	16,
	17,
	18,
	19,
	20,
	21,
	22,
	23,
	24,
	25,
	26,
	['a'] = 27,
	28,
	29,
	30,
	31,
	32,
	33,
	34,
	35,
	36,
	37,
	38,
	39,
	40,
	41,
	42,
	43,
	44,
	45,
	46,
	47,
	48,
	49,
	50,
	51,
	52,
	['0'] = 53,
	54,
	55,
	56,
	57,
	58,
	59,
	60,
	61,
	62,
	['+'] = 63,
	['/'] = 64};

/* 0..63, or -1. */
static int base64_value(char digit)
{
	return base64_values[(uint8_t)digit] - 1;
}

/* Whole groups without pads, as nearly all are. False: one holds what is no digit. */
static bool base64_groups(uint8_t *out, const char *text, size_t count)
{
	int bad = 0;

	for (; count > 0; count--, text += 4, out += 3) {
		int a = base64_value(text[0]), b = base64_value(text[1]);
		int c = base64_value(text[2]), d = base64_value(text[3]);
		uint32_t group =
			(uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | (uint32_t)d;

		bad |= a | b | c | d;
		out[0] = (uint8_t)(group >> 16);
		out[1] = (uint8_t)(group >> 8);
		out[2] = (uint8_t)group;
	}
	return bad >= 0;
}

/* One group of four digits, pads of them '=', to 3 - pads bytes. */
static bool base64_group(uint8_t *out, const char *text, size_t pads)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - pads ? base64_value(text[i]) : 0;

		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
	}
	/* Spare bits must be zero, or one byte string would have many spellings. */
	if ((pads == 1 && (group & 0xff) != 0) || (pads == 2 && (group & 0xffff) != 0))
		return false;
	for (size_t i = 0; i < 3 - pads; i++)
		out[i] = (uint8_t)(group >> (16 - 8 * i));
	return true;
}

bool base64_decode(struct buf *out, const char *text, size_t text_len)
{
	size_t before = out->len, pads = 0;
	uint8_t *room;

	if (text_len % 4 != 0)
		return false;
	if (text_len > 0 && text[text_len - 1] == '=')
		pads = text[text_len - 2] == '=' ? 2 : 1;
	room = buf_extend(out, text_len / 4 * 3 - pads);
	if (!room)
		return true;
	if (text_len == 0)
		return true;
	if (base64_groups(room, text, text_len / 4 - 1) &&
		base64_group(room + (text_len / 4 - 1) * 3, text + text_len - 4, pads))
		return true;
	out->len = before;
	return false;
}
