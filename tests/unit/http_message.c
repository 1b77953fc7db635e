#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "http/message.h"

static void query_parameters_are_found_and_decoded(void **state)
{
	static const struct {
		const char *query, *name, *value; /* value NULL: absent */
	} rows[] = {
		{"", "a", NULL},
		{"a=1", "a", "1"},
		{"b=2&a=1", "a", "1"},
		{"ab=2", "a", NULL},
		{"a", "a", ""},
		{"a=", "a", ""},
		{"a=1&a=2", "a", "1"},
		{"a=%22x%22", "a", "\"x\""},
		{"a=x+y", "a", "x y"},
		{"a=%4", "a", "%4"},
		{"a=%zz", "a", "%zz"},
		{"a=%41%", "a", "A%"},
		{"&&a=1&&", "a", "1"},
		{"a=1=2", "a", "1=2"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf out = {0};
		bool found = http_query_param(&out, rows[i].query, rows[i].name);

		assert_int_equal(found, rows[i].value != NULL);
		assert_string_equal(buf_text(&out), rows[i].value ? rows[i].value : "");
		buf_fini(&out);
	}
}

static void header_names_have_no_case(void **state)
{
	struct http_header headers[] = {{"Content-Type", "a"}, {"X-B", "b"}};
	struct http_request request = {.headers = headers, .header_count = 2};

	assert_string_equal(http_request_header(&request, "content-TYPE"), "a");
	assert_string_equal(http_request_header(&request, "x-b"), "b");
	assert_null(http_request_header(&request, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_parameters_are_found_and_decoded),
		cmocka_unit_test(header_names_have_no_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
