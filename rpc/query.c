#include "rpc/query.h"

#include <stdio.h>
#include <string.h>

/* ---- words ---- */

struct reader {
	const uint8_t *start, *at, *end;
	char *fault;
};

static bool refuse(const struct reader *r, const char *what)
{
	snprintf(r->fault, QUERY_FAULT_BYTES, "query: %s at byte %zu", what,
		(size_t)(r->at - r->start) + 1);
	return false;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_tag(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '.' ||
	       c == '_' || c == '-';
}

/* Of a time: its digits, and what stands between them. */
static bool is_time(uint8_t c)
{
	return is_digit(c) || c == '-' || c == ':' || c == '.' || c == '+' || c == 'T' || c == 'Z';
}

static void skip_space(struct reader *r)
{
	while (r->at < r->end &&
		(*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
		r->at++;
}

static struct bytes take_while(struct reader *r, bool (*belongs)(uint8_t))
{
	const uint8_t *from = r->at;
	while (r->at < r->end && belongs(*r->at))
		r->at++;
	return bytes_view(from, (size_t)(r->at - from));
}

/* Consumes the word when it stands here whole. */
static bool take_word(struct reader *r, const char *word)
{
	size_t len = strlen(word);
	skip_space(r);
	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return false;
	if (r->at + len < r->end && is_tag((uint8_t)word[0]) && is_tag(r->at[len]))
		return false;
	r->at += len;
	return true;
}

/* ---- conditions ---- */

static bool take_text(struct reader *r, struct query_condition *c)
{
	const uint8_t *from = ++r->at;
	while (r->at < r->end && *r->at != '\'')
		r->at++;
	if (r->at == r->end)
		return refuse(r, "a text without its closing quote");
	c->operand = QUERY_TEXT;
	c->text = bytes_view(from, (size_t)(r->at++ - from));
	return true;
}

static bool take_number(struct reader *r, struct query_condition *c)
{
	const uint8_t *from = r->at;
	take_while(r, is_digit);
	if (r->at + 1 < r->end && r->at[0] == '.' && is_digit(r->at[1])) {
		r->at++;
		take_while(r, is_digit);
	}
	if (r->at < r->end && is_tag(*r->at))
		return refuse(r, "a number with more than digits and one point");
	c->operand = QUERY_NUMBER;
	c->text = bytes_view(from, (size_t)(r->at - from));
	return true;
}

static bool day_parse(struct timestamp *out, struct bytes day)
{
	enum { DAY_BYTES = 10 };
	char text[32];
	if (day.len != DAY_BYTES)
		return false;
	snprintf(text, sizeof text, "%.*sT00:00:00Z", DAY_BYTES, (const char *)day.data);
	return rfc3339_parse(out, text, strlen(text));
}

static bool moment_parse(struct timestamp *out, struct bytes moment)
{
	return moment.len > 0 && rfc3339_parse(out, (const char *)moment.data, moment.len);
}

static bool take_when(struct reader *r, struct query_condition *c, enum query_operand operand)
{
	skip_space(r);
	struct bytes word = take_while(r, is_time);
	c->operand = operand;
	if (operand == QUERY_DAY)
		return day_parse(&c->when, word) || refuse(r, "no date like 2006-01-02");
	return moment_parse(&c->when, word) || refuse(r, "no time like 2006-01-02T15:04:05Z");
}

static bool take_operand(struct reader *r, struct query_condition *c)
{
	if (take_word(r, "DATE"))
		return take_when(r, c, QUERY_DAY);
	if (take_word(r, "TIME"))
		return take_when(r, c, QUERY_MOMENT);
	if (r->at < r->end && *r->at == '\'')
		return take_text(r, c);
	if (r->at < r->end && is_digit(*r->at))
		return take_number(r, c);
	return refuse(r, "no 'text', number, DATE or TIME");
}

static bool take_operator(struct reader *r, enum query_operator *op)
{
	/* The longer ones first: each begins with a shorter one. */
	static const struct {
		const char *word;
		enum query_operator op;
	} operators[] = {{"<=", QUERY_LESS_EQUAL}, {">=", QUERY_GREATER_EQUAL}, {"<", QUERY_LESS},
		{">", QUERY_GREATER}, {"=", QUERY_EQUAL}, {"CONTAINS", QUERY_CONTAINS},
		{"EXISTS", QUERY_EXISTS}};
	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
		if (take_word(r, operators[i].word)) {
			*op = operators[i].op;
			return true;
		}
	}
	return refuse(r, "no =, <, <=, >, >=, CONTAINS or EXISTS");
}

static bool take_condition(struct reader *r, struct query_condition *c)
{
	memset(c, 0, sizeof *c);
	skip_space(r);
	if (r->at == r->end || is_digit(*r->at) || !is_tag(*r->at))
		return refuse(r, "no tag");
	c->tag = take_while(r, is_tag);
	if (!take_operator(r, &c->op))
		return false;
	if (c->op == QUERY_EXISTS)
		return true;
	if (!take_operand(r, c))
		return false;
	if (c->op == QUERY_CONTAINS && c->operand != QUERY_TEXT)
		return refuse(r, "CONTAINS without a 'text'");
	if (c->op != QUERY_EQUAL && c->op != QUERY_CONTAINS && c->operand == QUERY_TEXT)
		return refuse(r, "a 'text' that is to be more or less");
	return true;
}

bool query_read(struct query *out, char fault[QUERY_FAULT_BYTES], struct bytes text)
{
	struct reader r = {text.data, text.data, text.data, fault};
	out->count = 0;
	fault[0] = '\0';
	if (text.len == 0)
		return refuse(&r, "nothing");
	if (text.len > QUERY_BYTES_MAX) {
		snprintf(fault, QUERY_FAULT_BYTES, "maximum query length exceeded");
		return false;
	}
	r.end = text.data + text.len;
	do {
		if (out->count == QUERY_CONDITIONS_MAX)
			return refuse(&r, "too many conditions");
		if (!take_condition(&r, &out->conditions[out->count++]))
			return false;
	} while (take_word(&r, "AND"));
	skip_space(&r);
	return r.at == r.end || refuse(&r, "no AND");
}

/* ---- matching ---- */

static struct bytes without_zeros(struct bytes digits)
{
	while (digits.len > 0 && digits.data[0] == '0') {
		digits.data++;
		digits.len--;
	}
	return digits;
}

static void split_number(struct bytes *whole, struct bytes *fraction, struct bytes number)
{
	const uint8_t *point = number.len > 0 ? memchr(number.data, '.', number.len) : NULL;
	size_t whole_len = point ? (size_t)(point - number.data) : number.len;
	*whole = without_zeros(bytes_view(number.data, whole_len));
	*fraction = point ? bytes_view(point + 1, number.len - whole_len - 1) : bytes_view(NULL, 0);
	while (fraction->len > 0 && fraction->data[fraction->len - 1] == '0')
		fraction->len--;
}

int query_compare_numbers(struct bytes a, struct bytes b)
{
	struct bytes whole_a, whole_b, fraction_a, fraction_b;
	split_number(&whole_a, &fraction_a, a);
	split_number(&whole_b, &fraction_b, b);
	if (whole_a.len != whole_b.len)
		return whole_a.len < whole_b.len ? -1 : 1;
	int order = bytes_compare(whole_a, whole_b);
	if (order == 0)
		order = bytes_compare(fraction_a, fraction_b);
	return order < 0 ? -1 : order > 0;
}

/* The number that a value begins with: `12uaitbc` is 12. */
static struct bytes leading_number(struct bytes value)
{
	size_t len = 0;
	while (len < value.len && is_digit(value.data[len]))
		len++;
	if (len > 0 && len + 1 < value.len && value.data[len] == '.' &&
		is_digit(value.data[len + 1])) {
		len++;
		while (len < value.len && is_digit(value.data[len]))
			len++;
	}
	return bytes_view(value.data, len);
}

static bool contains(struct bytes value, struct bytes text)
{
	for (size_t at = 0; at + text.len <= value.len; at++) {
		if (text.len == 0 || memcmp(value.data + at, text.data, text.len) == 0)
			return true;
	}
	return false;
}

static bool order_fits(enum query_operator op, int order)
{
	switch (op) {
	case QUERY_EQUAL: return order == 0;
	case QUERY_LESS: return order < 0;
	case QUERY_LESS_EQUAL: return order <= 0;
	case QUERY_GREATER: return order > 0;
	case QUERY_GREATER_EQUAL: return order >= 0;
	case QUERY_CONTAINS:
	case QUERY_EXISTS: break;
	}
	return false;
}

bool query_value_fits(const struct query_condition *condition, struct bytes value)
{
	struct timestamp when;
	switch (condition->operand) {
	case QUERY_NOTHING: return true;
	case QUERY_TEXT:
		return condition->op == QUERY_CONTAINS ? contains(value, condition->text)
						       : bytes_equal(value, condition->text);
	case QUERY_NUMBER:
		value = leading_number(value);
		return value.len > 0 &&
		       order_fits(condition->op, query_compare_numbers(value, condition->text));
	case QUERY_DAY:
	case QUERY_MOMENT:
		return (day_parse(&when, value) || moment_parse(&when, value)) &&
		       order_fits(condition->op, timestamp_compare(when, condition->when));
	}
	return false;
}

bool query_matches(const struct query *query, const struct query_pair *pairs, size_t pair_count)
{
	for (size_t i = 0; i < query->count; i++) {
		const struct query_condition *c = &query->conditions[i];
		bool held = false;
		for (size_t k = 0; k < pair_count && !held; k++)
			held = bytes_equal(pairs[k].tag, c->tag) &&
			       query_value_fits(c, pairs[k].value);
		if (!held)
			return false;
	}
	return true;
}
