/* Money: exact at every edge, by two roads where there are two. */
#include "tests/unit/vectors.h"

#include <string.h>

#include "base/amount.h"

static const uint64_t edges[] = {0, 1, 2, 3, 999, 1000, 1001, UINT32_MAX - 1, UINT32_MAX,
	UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 1,
	UINT64_MAX};
enum { EDGES = sizeof edges / sizeof edges[0] };

static void sums_and_differences_are_exact_or_refused(void **state)
{
	for (size_t i = 0; i < EDGES; i++) {
		for (size_t j = 0; j < EDGES; j++) {
			struct amount a = amount_of(edges[i]), b = amount_of(edges[j]);
			struct amount out = amount_of(77);

			if (amount_add(&out, a, b))
				assert_true(out.uaitbc - b.uaitbc == a.uaitbc &&
					    out.uaitbc >= a.uaitbc);
			else
				assert_true(out.uaitbc == 77 && a.uaitbc > UINT64_MAX - b.uaitbc);
			out = amount_of(77);
			if (amount_sub(&out, a, b))
				assert_true(
					out.uaitbc + b.uaitbc == a.uaitbc && b.uaitbc <= a.uaitbc);
			else
				assert_true(out.uaitbc == 77 && b.uaitbc > a.uaitbc);
		}
	}
}

/* The other road: a * m / d by adding d-multiples bit by bit of m, in numbers that never exceed a
 * * 2. */
static bool slow_mul_div(uint64_t *out, uint64_t a, uint64_t m, uint64_t d)
{
	uint64_t quotient = 0, rest = 0; /* of (the bits of m so far) * a by d */

	for (int bit = 63; bit >= 0; bit--) {
		uint64_t add = (m >> bit & 1) ? a : 0;
		uint64_t add_quotient = add / d, add_rest = add % d;

		if (quotient >> 63)
			return false;
		quotient <<= 1;
		if (rest >= d - rest) {
			rest -= d - rest;
			if (quotient == UINT64_MAX)
				return false;
			quotient++;
		} else {
			rest += rest;
		}
		if (quotient > UINT64_MAX - add_quotient)
			return false;
		quotient += add_quotient;
		if (rest >= d - add_rest) {
			rest -= d - add_rest;
			if (quotient == UINT64_MAX)
				return false;
			quotient++;
		} else {
			rest += add_rest;
		}
	}
	*out = quotient;
	return true;
}

static void check_mul_div(uint64_t a, uint64_t m, uint64_t d)
{
	uint64_t fast = 77, slow = 77;
	bool fits = mul_div_u64(&fast, a, m, d);

	assert_int_equal(fits, slow_mul_div(&slow, a, m, d));
	assert_true(fast == slow || !fits);
	assert_true(fits || fast == 77);
}

static void a_product_and_quotient_agree_by_two_roads(void **state)
{
	uint64_t seed = 88172645463325252;

	for (size_t i = 0; i < EDGES; i++) {
		for (size_t j = 0; j < EDGES; j++) {
			for (size_t k = 1; k < EDGES; k++)
				check_mul_div(edges[i], edges[j], edges[k]);
		}
	}
	for (int i = 0; i < 20000; i++) {
		uint64_t v[3];

		for (int k = 0; k < 3; k++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			v[k] = seed >> (seed % 61);
		}
		check_mul_div(v[0], v[1], v[2] == 0 ? 1 : v[2]);
	}
}

static void the_design_example_is_exact(void **state)
{
	uint64_t worth;

	/* 12.5 s at 0.02 AITBC/s is 0.25 AITBC. */
	assert_true(mul_div_u64(&worth, 12500, 20000, 1000));
	assert_int_equal(worth, 250000);
}

static void amounts_are_read_exactly_or_refused(void **state)
{
	static const struct {
		const char *text;
		uint64_t uaitbc;
	} good[] = {{"0aitbc", 0}, {"0.25aitbc", 250000}, {"100aitbc", 100000000},
		{"250000uaitbc", 250000}, {"0.000001aitbc", 1}, {"1.5aitbc", 1500000},
		{"0.100000aitbc", 100000}, {"007aitbc", 7000000},
		{"18446744073709551615uaitbc", UINT64_MAX},
		{"18446744073709.551615aitbc", UINT64_MAX}};
	static const char *const bad[] = {"", "aitbc", "1", "1.0", "1 aitbc", "-1aitbc", "+1aitbc",
		"1e3aitbc", "1.aitbc", ".5aitbc", "1.0000000aitbc", "0.0000001aitbc", "1.5uaitbc",
		"1AITBC", "1aitbcx", "1uait", "1,5aitbc", "0x10aitbc", "18446744073709551616uaitbc",
		"18446744073709.551616aitbc", "18446744073710aitbc", "99999999999999999999aitbc",
		"1.0uaitbc", "1..5aitbc", "1aitbc ", " 1aitbc"};
	struct amount out;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_true(amount_parse(&out, good[i].text, strlen(good[i].text)));
		assert_true(out.uaitbc == good[i].uaitbc);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (amount_parse(&out, bad[i], strlen(bad[i])))
			fail_msg("accepted \"%s\"", bad[i]);
	}
	assert_false(amount_parse(&out, "1aitbc\0", 7));
}

static void amounts_are_shown_shortest(void **state)
{
	static const struct {
		uint64_t uaitbc;
		const char *text;
	} table[] = {{0, "0 AITBC"}, {1, "0.000001 AITBC"}, {250000, "0.25 AITBC"},
		{1000000, "1 AITBC"}, {10500000, "10.5 AITBC"}, {1000001, "1.000001 AITBC"},
		{UINT64_MAX, "18446744073709.551615 AITBC"}};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char text[AMOUNT_TEXT_BYTES];

		amount_text(text, amount_of(table[i].uaitbc));
		assert_string_equal(text, table[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_and_differences_are_exact_or_refused),
		cmocka_unit_test(a_product_and_quotient_agree_by_two_roads),
		cmocka_unit_test(the_design_example_is_exact),
		cmocka_unit_test(amounts_are_read_exactly_or_refused),
		cmocka_unit_test(amounts_are_shown_shortest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
