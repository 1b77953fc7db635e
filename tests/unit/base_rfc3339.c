/* Times: there and back, also before 1970 and at the ends of the calendar. */
#include "tests/unit/vectors.h"

#include <string.h>

static const struct {
	struct timestamp time;
	const char *text;
} table[] = {
	{{0, 0}, "1970-01-01T00:00:00Z"},
	{{-62135596800, 0}, "0001-01-01T00:00:00Z"},
	{{253402300799, 999999999}, "9999-12-31T23:59:59.999999999Z"},
	{{-1, 999999999}, "1969-12-31T23:59:59.999999999Z"},
	{{951782400, 0}, "2000-02-29T00:00:00Z"},
	{{951868799, 100000000}, "2000-02-29T23:59:59.1Z"},
	{{1709164800, 1}, "2024-02-29T00:00:00.000000001Z"},
	{{4107542400, 0}, "2100-03-01T00:00:00Z"},
	{{1684332768, 347696215}, "2023-05-17T14:12:48.347696215Z"},
	{{-2208988800, 0}, "1900-01-01T00:00:00Z"},
};

static void a_time_goes_there_and_back(void **state)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char text[RFC3339_BYTES];
		struct timestamp back;

		rfc3339_text(text, table[i].time);
		assert_string_equal(text, table[i].text);
		assert_true(rfc3339_parse(&back, text, strlen(text)));
		assert_int_equal(timestamp_compare(back, table[i].time), 0);
	}
}

static void every_day_of_the_calendar_goes_there_and_back(void **state)
{
	for (int64_t day = -719162; day <= 2932896; day += 13) {
		struct timestamp time = {day * 86400, 0}, back;
		char text[RFC3339_BYTES];

		rfc3339_text(text, time);
		assert_true(rfc3339_parse(&back, text, strlen(text)));
		assert_int_equal(back.seconds, time.seconds);
	}
}

static void offsets_are_understood(void **state)
{
	struct timestamp time;

	assert_true(rfc3339_parse(&time, "1970-01-01T02:00:00.5+02:00", 27));
	assert_int_equal(time.seconds, 0);
	assert_int_equal(time.nanos, 500000000);
	assert_true(rfc3339_parse(&time, "1969-12-31T18:30:00-05:30", 25));
	assert_int_equal(time.seconds, 0);
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {"", "1970-01-01", "1970-01-01T00:00:00",
		"1970-01-01 00:00:00Z", "1970-13-01T00:00:00Z", "1970-00-01T00:00:00Z",
		"1970-02-29T00:00:00Z", "1970-04-31T00:00:00Z", "1970-01-00T00:00:00Z",
		"1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:60Z",
		"1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.1234567890Z",
		"1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+0100", "1970-01-01T00:00:00Zx",
		"0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
		"+970-01-01T00:00:00Z", "1970-1-01T00:00:00Z", "1970-01-01t00:00:00Z",
		"1970-01-01T00:00:00z", "2100-02-29T00:00:00Z"};
	struct timestamp time;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (rfc3339_parse(&time, bad[i], strlen(bad[i])))
			fail_msg("accepted %s", bad[i]);
	}
}

static void a_time_no_clock_shows_is_shown_at_the_end_of_the_calendar(void **state)
{
	char text[RFC3339_BYTES];
	struct timestamp far = {INT64_MAX, 0}, past = {INT64_MIN, -5};

	rfc3339_text(text, far);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	rfc3339_text(text, past);
	assert_string_equal(text, "0001-01-01T00:00:00Z");
	assert_true(timestamp_ms(far) == INT64_MAX);
	assert_true(timestamp_ms(past) == INT64_MIN);
}

static void milliseconds_and_nanoseconds_round_down(void **state)
{
	struct timestamp t = {-1, 999999999};

	assert_int_equal(timestamp_ms(t), -1);
	t = timestamp_of_ms(-1);
	assert_int_equal(t.seconds, -1);
	assert_int_equal(t.nanos, 999000000);
	t = timestamp_of_ns(-1);
	assert_int_equal(t.seconds, -1);
	assert_int_equal(t.nanos, 999999999);
	t = timestamp_of_ns(1500000001);
	assert_int_equal(t.seconds, 1);
	assert_int_equal(t.nanos, 500000001);
	assert_int_equal(timestamp_ms(t), 1500);
	assert_int_equal(timestamp_ms(timestamp_of_ms(1700000000123)), 1700000000123);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_goes_there_and_back),
		cmocka_unit_test(every_day_of_the_calendar_goes_there_and_back),
		cmocka_unit_test(offsets_are_understood),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_time_no_clock_shows_is_shown_at_the_end_of_the_calendar),
		cmocka_unit_test(milliseconds_and_nanoseconds_round_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
