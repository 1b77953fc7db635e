/* amount: money, u64 uaitbc (1 AITBC = 1 000 000 uaitbc). Exact integers; no floating point
 * anywhere. Every sum and product that could overflow says so and leaves its output untouched. */
#ifndef BASE_AMOUNT_H
#define BASE_AMOUNT_H

#include "base/bytes.h"

struct amount {
	uint64_t uaitbc;
};

static inline struct amount amount_of(uint64_t uaitbc)
{
	struct amount a = {uaitbc};
	return a;
}

/* False: would overflow. out may be a or b. */
MUST_USE bool amount_add(struct amount *out, struct amount a, struct amount b);
/* False: b > a. */
MUST_USE bool amount_sub(struct amount *out, struct amount a, struct amount b);
/* floor(a * multiplier / divisor), exact in 128 bits (two 64-bit halves). False: the quotient
 * doesn't fit; divisor must not be 0. */
MUST_USE bool mul_div_u64(uint64_t *out, uint64_t a, uint64_t multiplier, uint64_t divisor);

/* "0.25aitbc", "100aitbc", "250000uaitbc". False: sign, exponent, more than six decimals, an
 * unknown or missing unit, or out of range. */
MUST_USE bool amount_parse(struct amount *out, const char *text, size_t text_len);

enum { AMOUNT_TEXT_BYTES = 40 };
/* Shortest exact "0.25 AITBC". */
void amount_text(char out[AMOUNT_TEXT_BYTES], struct amount amount);

#endif
