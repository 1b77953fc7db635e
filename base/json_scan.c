#include "base/json_scan.h"

#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

struct scan {
	const uint8_t *text;
	size_t len;
	size_t at;
	size_t values;     /* begun so far */
	const char *fault; /* set once; every step then returns */
	const struct json_scan_events *events;
};

static void scan_value(struct scan *s, unsigned depth, bool is_element);

static void fail(struct scan *s, const char *fault)
{
	if (!s->fault)
		s->fault = fault;
}

/* The byte here; 0 at the end (a NUL in the text is no token either). */
static uint8_t peek(const struct scan *s)
{
	return s->at < s->len ? s->text[s->at] : 0;
}

static void skip_space(struct scan *s)
{
	while (s->at < s->len && (s->text[s->at] == ' ' || s->text[s->at] == '\t' ||
					 s->text[s->at] == '\n' || s->text[s->at] == '\r'))
		s->at++;
}

/* The four digits of \uXXXX at s->at, moved past them; -1 with a fault. */
static int scan_unit(struct scan *s)
{
	int unit = 0;

	for (int i = 0; i < 4; i++, s->at++) {
		uint8_t c = peek(s);

		if (c >= '0' && c <= '9')
			unit = unit * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			unit = unit * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			unit = unit * 16 + (c - 'A' + 10);
		else {
			fail(s, "bad \\u escape");
			return -1;
		}
	}
	return unit;
}

/* After the backslash. */
static void scan_escape(struct scan *s)
{
	uint8_t c = peek(s);
	int unit;

	if (c != 'u') {
		if (c == 0 || !strchr("\"\\/bfnrt", c))
			fail(s, "bad escape");
		else
			s->at++;
		return;
	}
	s->at++;
	unit = scan_unit(s);
	if (unit == 0)
		fail(s, "NUL in a string");
	if (unit < 0xd800 || unit > 0xdfff)
		return;
	if (unit > 0xdbff || peek(s) != '\\' || s->at + 1 >= s->len || s->text[s->at + 1] != 'u') {
		fail(s, "half of a surrogate pair");
		return;
	}
	s->at += 2;
	unit = scan_unit(s);
	if (unit >= 0 && (unit < 0xdc00 || unit > 0xdfff))
		fail(s, "half of a surrogate pair");
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* At the opening quote; afterwards behind the closing one. */
static void scan_string(struct scan *s)
{
	s->at++;
	while (!s->fault) {
		uint8_t c;
		size_t len;

		while (s->at < s->len && is_plain(s->text[s->at]))
			s->at++;
		c = peek(s);
		if (s->at >= s->len) {
			fail(s, "string without end");
		} else if (c == '"') {
			s->at++;
			return;
		} else if (c < 0x20) {
			fail(s, "control character in a string");
		} else if (c == '\\') {
			s->at++;
			scan_escape(s);
		} else {
			len = utf8_sequence(bytes_view(s->text + s->at, s->len - s->at));
			if (len == 0)
				fail(s, "invalid UTF-8");
			s->at += len;
		}
	}
}

/* One digit or more; how many. */
static size_t scan_digits(struct scan *s)
{
	size_t start = s->at;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	if (s->at == start)
		fail(s, "digit expected");
	return s->at - start;
}

/* Do these digits (without sign, no leading zeros) fit int64? */
static bool integer_fits(const uint8_t *digits, size_t count, bool is_negative)
{
	const char *most = is_negative ? "9223372036854775808" : "9223372036854775807";

	return count < 19 || (count == 19 && memcmp(digits, most, 19) <= 0);
}

static void scan_number(struct scan *s)
{
	bool is_negative = peek(s) == '-', is_integer = true;
	size_t start, count;

	if (is_negative)
		s->at++;
	start = s->at;
	count = scan_digits(s);
	if (count > 1 && s->text[start] == '0')
		fail(s, "leading zero");
	if (!s->fault && peek(s) == '.') {
		is_integer = false;
		s->at++;
		scan_digits(s);
	}
	if (!s->fault && (peek(s) == 'e' || peek(s) == 'E')) {
		is_integer = false;
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		scan_digits(s);
	}
	if (!s->fault && is_integer && !integer_fits(s->text + start, count, is_negative))
		fail(s, "integer out of range");
}

static void scan_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if (len > s->len - s->at || memcmp(s->text + s->at, word, len) != 0)
		fail(s, "unknown word");
	else
		s->at += len;
}

/* After a value: true when another follows a comma, false at the closing byte or with a fault. */
static bool scan_more(struct scan *s, uint8_t close)
{
	skip_space(s);
	if (s->fault)
		return false;
	if (peek(s) == ',') {
		s->at++;
		skip_space(s);
		return true;
	}
	if (peek(s) == close)
		s->at++;
	else
		fail(s, s->at < s->len ? "comma or closing bracket expected" : "text without end");
	return false;
}

/* Opens a bracket; true when something stands before the closing one. */
static bool scan_open(struct scan *s, uint8_t close, unsigned depth)
{
	if (depth > JSON_DEPTH_MAX) {
		fail(s, "nested too deep");
		return false;
	}
	s->at++;
	skip_space(s);
	if (peek(s) != close)
		return true;
	s->at++;
	return false;
}

/* depth counts the brackets around and including this one. */
static void scan_object(struct scan *s, unsigned depth, bool is_element)
{
	bool more = scan_open(s, '}', depth);

	while (more) {
		struct bytes key, value;

		if (peek(s) != '"') {
			fail(s, "key expected");
			return;
		}
		key.data = s->text + s->at + 1;
		scan_string(s);
		key.len = (size_t)(s->text + s->at - key.data) - 1;
		skip_space(s);
		if (!s->fault && peek(s) != ':')
			fail(s, "colon expected");
		if (s->fault)
			return;
		s->at++;
		skip_space(s);
		value.data = s->text + s->at;
		scan_value(s, depth, false);
		value.len = (size_t)(s->text + s->at - value.data);
		if (!s->fault && is_element && s->events && s->events->member)
			s->events->member(s->events->ctx, key, value);
		more = scan_more(s, '}');
	}
}

static void scan_array(struct scan *s, unsigned depth)
{
	bool more = scan_open(s, ']', depth);

	while (more) {
		scan_value(s, depth, depth == 1);
		more = scan_more(s, ']');
	}
}

/* At the value's first byte; depth: brackets around it. */
static void scan_value(struct scan *s, unsigned depth, bool is_element)
{
	uint8_t c = peek(s);

	if (s->events && s->events->values_max && ++s->values > s->events->values_max)
		fail(s, "more values than are read at one time");
	if (s->fault)
		return;
	if (is_element && s->events && s->events->element)
		s->events->element(s->events->ctx);
	if (c == '{')
		scan_object(s, depth + 1, is_element);
	else if (c == '[')
		scan_array(s, depth + 1);
	else if (c == '"')
		scan_string(s);
	else if (c == '-' || (c >= '0' && c <= '9'))
		scan_number(s);
	else if (c == 't')
		scan_word(s, "true");
	else if (c == 'f')
		scan_word(s, "false");
	else if (c == 'n')
		scan_word(s, "null");
	else
		fail(s, s->at < s->len ? "value expected" : "text without end");
}

const char *json_scan(struct bytes text, const struct json_scan_events *events, size_t *offset)
{
	struct scan s = {.text = text.data, .len = text.len, .events = events};

	skip_space(&s);
	/* A top-level array's own elements are told one by one, any other top value as one element.
	 */
	scan_value(&s, 0, peek(&s) != '[');
	if (!s.fault) {
		skip_space(&s);
		if (s.at < s.len)
			fail(&s, "bytes after the value");
	}
	*offset = s.at;
	return s.fault;
}
