#include "base/amount.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { UNITS_PER_AITBC = 1000 * 1000, DECIMALS_MAX = 6 };

bool amount_add(struct amount *out, struct amount a, struct amount b)
{
	if (b.uaitbc > UINT64_MAX - a.uaitbc)
		return false;
	out->uaitbc = a.uaitbc + b.uaitbc;
	return true;
}

bool amount_sub(struct amount *out, struct amount a, struct amount b)
{
	if (b.uaitbc > a.uaitbc)
		return false;
	out->uaitbc = a.uaitbc - b.uaitbc;
	return true;
}

/* a * b as two halves, by schoolbook on 32-bit digits: the 32-bit build must agree. */
static uint64_t multiply_wide(uint64_t *high, uint64_t a, uint64_t b)
{
	uint64_t a_low = a & UINT32_MAX, a_high = a >> 32;
	uint64_t b_low = b & UINT32_MAX, b_high = b >> 32;
	uint64_t low = a_low * b_low;
	uint64_t middle = a_high * b_low + (low >> 32); /* < 2^64: (2^32-1)^2 + 2^32-1 */
	uint64_t other = a_low * b_high + (middle & UINT32_MAX);

	*high = a_high * b_high + (middle >> 32) + (other >> 32);
	return other << 32 | (low & UINT32_MAX);
}

bool mul_div_u64(uint64_t *out, uint64_t a, uint64_t multiplier, uint64_t divisor)
{
	uint64_t rest, quotient = 0;
	uint64_t low = multiply_wide(&rest, a, multiplier);

	CHECK(divisor != 0);
	if (rest == 0) {
		*out = low / divisor;
		return true;
	}
	if (rest >= divisor)
		return false;
	/* rest < divisor, so the quotient has at most 64 bits: one per step. */
	for (int bit = 63; bit >= 0; bit--) {
		bool carry = rest >> 63;

		rest = rest << 1 | (low >> bit & 1);
		if (carry || rest >= divisor) {
			rest -= divisor;
			quotient |= UINT64_C(1) << bit;
		}
	}
	*out = quotient;
	return true;
}

/* Reads digits at text[*at], *at moved past them, into *value (already holding what stood before).
 * False: out of range. */
static bool parse_digits(uint64_t *value, size_t *at, const char *text, size_t text_len)
{
	for (; *at < text_len && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
		uint64_t digit = (uint64_t)(text[*at] - '0');

		if (*value > (UINT64_MAX - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	return true;
}

bool amount_parse(struct amount *out, const char *text, size_t text_len)
{
	uint64_t whole = 0, part = 0;
	size_t at = 0, start, decimals = 0;
	bool in_units;

	if (!parse_digits(&whole, &at, text, text_len) || at == 0)
		return false;
	if (at < text_len && text[at] == '.') {
		start = ++at;
		if (!parse_digits(&part, &at, text, text_len))
			return false;
		decimals = at - start;
		if (decimals == 0 || decimals > DECIMALS_MAX)
			return false;
	}
	in_units = text_len - at == 6 && memcmp(text + at, "uaitbc", 6) == 0;
	if (in_units) {
		*out = amount_of(whole);
		return decimals == 0;
	}
	if (text_len - at != 5 || memcmp(text + at, "aitbc", 5) != 0)
		return false;
	for (; decimals < DECIMALS_MAX; decimals++)
		part *= 10;
	if (whole > (UINT64_MAX - part) / UNITS_PER_AITBC)
		return false;
	*out = amount_of(whole * UNITS_PER_AITBC + part);
	return true;
}

void amount_text(char out[AMOUNT_TEXT_BYTES], struct amount amount)
{
	uint64_t whole = amount.uaitbc / UNITS_PER_AITBC;
	uint64_t part = amount.uaitbc % UNITS_PER_AITBC;
	int digits = DECIMALS_MAX;

	if (part == 0) {
		snprintf(out, AMOUNT_TEXT_BYTES, "%" PRIu64 " AITBC", whole);
		return;
	}
	for (; part % 10 == 0; part /= 10)
		digits--;
	snprintf(out, AMOUNT_TEXT_BYTES, "%" PRIu64 ".%0*" PRIu64 " AITBC", whole, digits, part);
}
