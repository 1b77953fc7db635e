/* The language of events and searches: what it reads, what it refuses, what it finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/query.h"

static bool reads(struct query *q, const char *text)
{
	char fault[QUERY_FAULT_BYTES];
	bool good = query_read(q, fault, bytes_of_text(text));
	assert_true(good == (fault[0] == '\0'));
	return good;
}

static struct query_pair pair(const char *tag, const char *value)
{
	return (struct query_pair){bytes_of_text(tag), bytes_of_text(value)};
}

/* What happened, in every test of matching. */
static size_t happenings(struct query_pair out[9])
{
	out[0] = pair("tm.event", "Tx");
	out[1] = pair("tx.height", "12");
	out[2] = pair("tx.hash", "AB12");
	out[3] = pair("transfer.sender", "aitbc1one");
	out[4] = pair("transfer.sender", "aitbc1two");
	out[5] = pair("transfer.amount", "8.045stake");
	out[6] = pair("job.made", "2026-11-20T10:00:00.5Z");
	out[7] = pair("job.day", "2026-11-20");
	out[8] = pair("job.id", "18446744073709551617");
	return 9;
}

static const struct {
	const char *query;
	bool matches;
} questions[] = {
	{"tm.event='Tx'", true},
	{"tm.event = 'Tx'", true},
	{"  tm.event\t=\n'Tx'  ", true},
	{"tm.event='tx'", false},
	{"tm.event='NewBlock'", false},
	{"tm.event='Tx' AND tx.height=12", true},
	{"tm.event='Tx'AND tx.height=12", true},
	{"tm.event='Tx' AND tx.height=13", false},
	{"tx.height<12", false},
	{"tx.height<=12", true},
	{"tx.height<=12.0", true},
	{"tx.height>11.999", true},
	{"tx.height>012", false},
	{"tx.height>=0012.000", true},
	{"tx.height>5 AND tx.height<20", true},
	{"tx.height='12'", true},
	{"tx.height='12.0'", false},
	/* each condition may take another value of a tag */
	{"transfer.sender='aitbc1one' AND transfer.sender='aitbc1two'", true},
	{"transfer.sender='aitbc1'", false},
	{"transfer.sender CONTAINS 'aitbc1'", true},
	{"transfer.sender CONTAINS 'two'", true},
	{"transfer.sender CONTAINS 'three'", false},
	{"transfer.sender CONTAINS ''", true},
	{"transfer.sender EXISTS", true},
	{"transfer.recipient EXISTS", false},
	{"transfer.sender EXISTS AND tx.hash EXISTS AND tx.height=12", true},
	/* a number may be followed by its unit */
	{"transfer.amount=8.045", true},
	{"transfer.amount>8", true},
	{"transfer.amount>8.1", false},
	{"transfer.sender=1", false},
	/* beyond 64 bits, and beyond a double */
	{"job.id=18446744073709551617", true},
	{"job.id>18446744073709551616", true},
	{"job.id<18446744073709551617", false},
	{"job.made = TIME 2026-11-20T10:00:00.5Z", true},
	{"job.made > TIME 2026-11-20T10:00:00Z", true},
	{"job.made > TIME 2026-11-20T12:00:00+03:00", true},
	{"job.made < DATE 2026-11-21", true},
	{"job.made >= DATE 2026-11-20", true},
	{"job.day = DATE 2026-11-20", true},
	{"job.day < TIME 2026-11-20T00:00:00.000000001Z", true},
	{"tx.hash > DATE 2026-11-20", false},
};

static void a_query_finds_what_its_conditions_say(void **state)
{
	(void)state;
	struct query_pair pairs[9];
	size_t count = happenings(pairs);
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		struct query q;
		if (!reads(&q, questions[i].query))
			fail_msg("not read: %s", questions[i].query);
		if (query_matches(&q, pairs, count) != questions[i].matches)
			fail_msg("%s: should %smatch", questions[i].query,
				questions[i].matches ? "" : "not ");
	}
}

static const char *const refused[] = {
	"",
	" ",
	"tm.event",
	"tm.event=",
	"tm.event='Tx",
	"tm.event=Tx",
	"tm.event=='Tx'",
	"tm.event!='Tx'",
	"='Tx'",
	"'tm.event'='Tx'",
	"5=5",
	"a=1 AND",
	"a=1 AND ",
	"AND a=1",
	"a=1 AND AND b=2",
	"a=1 OR b=2",
	"a=1 and b=2",
	"a=1 b=2",
	"a=1ANDb=2",
	"(a=1)",
	"a<'x'",
	"a>='x'",
	"a CONTAINS 5",
	"a CONTAINS",
	"a EXISTS 5",
	"a EXISTSb=1",
	"a=-5",
	"a=1.",
	"a=.5",
	"a=1.2.3",
	"a=1e5",
	"a=DATE 2026-13-01",
	"a=DATE 2026-11-20T10:00:00Z",
	"a=DATE",
	"a=TIME 2026-11-20",
	"a=TIME",
	"a=\"x\"",
	"a='x' \x01",
};

static void what_is_no_query_is_refused_with_the_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct query q;
		char fault[QUERY_FAULT_BYTES];
		if (query_read(&q, fault, bytes_of_text(refused[i])))
			fail_msg("read: %s", refused[i]);
		if (!strstr(fault, "at byte "))
			fail_msg("%s: no place in \"%s\"", refused[i], fault);
	}
}

static void a_query_may_be_512_bytes_and_no_more(void **state)
{
	(void)state;
	char text[QUERY_BYTES_MAX + 2];
	struct query q;
	memset(text, 'x', sizeof text);
	memcpy(text, "a='", 3);
	text[QUERY_BYTES_MAX - 1] = '\'';
	text[QUERY_BYTES_MAX] = '\0';
	assert_true(reads(&q, text));
	text[QUERY_BYTES_MAX - 1] = 'x';
	text[QUERY_BYTES_MAX] = '\'';
	text[QUERY_BYTES_MAX + 1] = '\0';
	assert_false(reads(&q, text));
}

static void no_query_of_that_length_has_more_conditions_than_fit(void **state)
{
	(void)state;
	char text[QUERY_BYTES_MAX + 16];
	size_t len = 0, conditions = 0;
	while (len + sizeof "a=''AND " - 1 <= QUERY_BYTES_MAX + sizeof "AND " - 1) {
		memcpy(text + len, "a=''AND ", 8);
		len += 8;
		conditions++;
	}
	text[len - 4] = '\0';
	struct query q;
	assert_true(reads(&q, text));
	assert_int_equal(q.count, conditions);
	assert_in_range(conditions, QUERY_CONDITIONS_MAX - 1, QUERY_CONDITIONS_MAX);
}

static void no_bytes_at_all_do_harm(void **state)
{
	(void)state;
	static const char alphabet[] = "a1.='<>- ANDTIMEXSCO\x80";
	uint32_t dice = 7;
	for (size_t turn = 0; turn < 20000; turn++) {
		char text[40], fault[QUERY_FAULT_BYTES];
		size_t len = (dice >> 16) % sizeof text;
		for (size_t i = 0; i < len; i++) {
			dice = dice * 1664525 + 1013904223;
			text[i] = alphabet[(dice >> 16) % (sizeof alphabet - 1)];
		}
		dice = dice * 1664525 + 1013904223;
		char *exact = malloc(len + 1); /* so that a sanitizer sees a byte too far */
		assert_non_null(exact);
		char *start = exact + 1;
		memcpy(start, text, len);
		struct query q;
		if (query_read(&q, fault, bytes_view(start, len)))
			(void)query_matches(&q, NULL, 0);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_finds_what_its_conditions_say),
		cmocka_unit_test(what_is_no_query_is_refused_with_the_place),
		cmocka_unit_test(a_query_may_be_512_bytes_and_no_more),
		cmocka_unit_test(no_query_of_that_length_has_more_conditions_than_fit),
		cmocka_unit_test(no_bytes_at_all_do_harm),
	};
	return cmocka_run_group_tests_name("rpc_query", tests, NULL, NULL);
}
