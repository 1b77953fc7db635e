#include "base/rfc3339.h"

#include <stdio.h>
#include <string.h>

#define SECONDS_LEAST INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define SECONDS_MOST  INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

enum { NS_PER_SECOND = 1000 * 1000 * 1000, NS_PER_MS = 1000 * 1000, DAY_SECONDS = 24 * 3600 };

int timestamp_compare(struct timestamp a, struct timestamp b)
{
	if (a.seconds != b.seconds)
		return a.seconds < b.seconds ? -1 : 1;
	return (a.nanos > b.nanos) - (a.nanos < b.nanos);
}

/* count = *units * per_unit + the answer, 0 <= answer < per_unit. */
static int64_t floor_split(int64_t *units, int64_t count, int64_t per_unit)
{
	int64_t rest = count % per_unit;

	*units = count / per_unit;
	if (rest < 0) {
		rest += per_unit;
		--*units;
	}
	return rest;
}

struct timestamp timestamp_of_ms(int64_t ms)
{
	struct timestamp t;

	t.nanos = (int32_t)(floor_split(&t.seconds, ms, 1000) * NS_PER_MS);
	return t;
}

struct timestamp timestamp_of_ns(int64_t ns)
{
	struct timestamp t;

	t.nanos = (int32_t)floor_split(&t.seconds, ns, NS_PER_SECOND);
	return t;
}

int64_t timestamp_ms(struct timestamp t)
{
	/* A time that no clock shows (a peer may send any) keeps its sign and order. */
	if (t.seconds > INT64_MAX / 1000 - 1)
		return INT64_MAX;
	if (t.seconds < INT64_MIN / 1000 + 1)
		return INT64_MIN;
	return t.seconds * 1000 + t.nanos / NS_PER_MS;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, counted in 400-year cycles from March.
 */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
	int64_t years = month <= 2 ? year - 1 : year;
	int64_t cycle = years / 400; /* years >= 0 here */
	int64_t in_cycle = years % 400;
	int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return cycle * 146097 + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + in_year - 719468;
}

static void date_of_days(int *year, int *month, int *day, int64_t days)
{
	int64_t since = days + 719468; /* from 0000-03-01, >= 0 for year 1 on */
	int64_t cycle = since / 146097, in_cycle = since % 146097;
	int64_t years = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
	int64_t in_year = in_cycle - (365 * years + years / 4 - years / 100);
	int64_t shifted = (5 * in_year + 2) / 153; /* 0 is March */

	*day = (int)(in_year - (153 * shifted + 2) / 5 + 1);
	*month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*year = (int)(cycle * 400 + years + (*month <= 2));
}

void rfc3339_text(char out[RFC3339_BYTES], struct timestamp t)
{
	int year, month, day, second;
	int64_t days;
	size_t len;

	if (t.seconds < SECONDS_LEAST)
		t.seconds = SECONDS_LEAST;
	if (t.seconds > SECONDS_MOST)
		t.seconds = SECONDS_MOST;
	second = (int)floor_split(&days, t.seconds, DAY_SECONDS);
	date_of_days(&year, &month, &day, days);
	len = (size_t)snprintf(out, RFC3339_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d", year, month,
		day, second / 3600, second / 60 % 60, second % 60);
	if (t.nanos > 0 && t.nanos < NS_PER_SECOND) {
		len += (size_t)snprintf(out + len, RFC3339_BYTES - len, ".%09d", (int)t.nanos);
		while (out[len - 1] == '0')
			len--;
	}
	memcpy(out + len, "Z", 2);
}

/* The text still to be read; bad once anything was out of place. */
struct reader {
	const char *at;
	size_t left;
	bool bad;
};

static int read_digits(struct reader *r, size_t count)
{
	int value = 0;

	if (r->bad || r->left < count) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (r->at[i] < '0' || r->at[i] > '9') {
			r->bad = true;
			return 0;
		}
		value = value * 10 + (r->at[i] - '0');
	}
	r->at += count;
	r->left -= count;
	return value;
}

static bool next_is(const struct reader *r, char c)
{
	return !r->bad && r->left > 0 && *r->at == c;
}

static void read_char(struct reader *r, char c)
{
	if (!next_is(r, c)) {
		r->bad = true;
		return;
	}
	r->at++;
	r->left--;
}

/* ".123" to nanoseconds; nothing there is 0. */
static int32_t read_fraction(struct reader *r)
{
	int32_t nanos = 0;
	size_t digits = 0;

	if (!next_is(r, '.'))
		return 0;
	read_char(r, '.');
	while (!r->bad && r->left > 0 && *r->at >= '0' && *r->at <= '9' && digits < 9) {
		nanos = nanos * 10 + read_digits(r, 1);
		digits++;
	}
	if (digits == 0)
		r->bad = true;
	for (; digits < 9; digits++)
		nanos *= 10;
	return nanos;
}

/* "Z" or "+hh:mm", in seconds east of Greenwich. */
static int read_offset(struct reader *r)
{
	bool is_west = next_is(r, '-');
	int hours, minutes;

	if (next_is(r, 'Z')) {
		read_char(r, 'Z');
		return 0;
	}
	read_char(r, is_west ? '-' : '+');
	hours = read_digits(r, 2);
	read_char(r, ':');
	minutes = read_digits(r, 2);
	if (hours > 23 || minutes > 59)
		r->bad = true;
	return (is_west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

static int month_days(int year, int month)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && is_leap ? 29 : days[month - 1];
}

bool rfc3339_parse(struct timestamp *out, const char *text, size_t text_len)
{
	struct reader r = {text, text_len, false};
	int year, month, day, hour, minute, second;
	struct timestamp t;

	year = read_digits(&r, 4), read_char(&r, '-');
	month = read_digits(&r, 2), read_char(&r, '-');
	day = read_digits(&r, 2), read_char(&r, 'T');
	hour = read_digits(&r, 2), read_char(&r, ':');
	minute = read_digits(&r, 2), read_char(&r, ':');
	second = read_digits(&r, 2);
	t.nanos = read_fraction(&r);
	t.seconds = -(int64_t)read_offset(&r);
	if (r.bad || r.left > 0 || year < 1 || month < 1 || month > 12 || day < 1)
		return false;
	if (day > month_days(year, month) || hour > 23 || minute > 59 || second > 59)
		return false;
	t.seconds += days_of_date(year, month, day) * DAY_SECONDS;
	t.seconds += hour * 3600 + minute * 60 + second;
	if (t.seconds < SECONDS_LEAST || t.seconds > SECONDS_MOST)
		return false;
	*out = t;
	return true;
}
