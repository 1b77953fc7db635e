/* json_member_span: hashes of payloads and results hang on these exact bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"

static const struct {
	const char *text;
	const char *name;
	const char *span; /* NULL: not found */
} table[] = {
	{"{\"payload\":{\"a\": 1}}", "payload", "{\"a\": 1}"},
	{" {\"x\":1 , \"payload\" :  [1, 2] ,\"y\":2}", "payload", "[1, 2]"},
	{"{\"payload\":\"text\"}", "payload", "\"text\""},
	{"{\"payload\":-1.50e3 }", "payload", "-1.50e3"},
	{"{\"payload\":null}", "payload", "null"},
	{"{\"in\":{\"payload\":1}}", "payload", NULL},
	{"{\"payloads\":1}", "payload", NULL},
	{"{}", "payload", NULL},
	{"[{\"payload\":1}]", "payload", NULL},
	{"\"payload\"", "payload", NULL},
	{"{\"payload\":1", "payload", NULL},
	{"{\"payl\\u006fad\":1}", "payload", NULL},
	{"", "payload", NULL},
};

static void a_member_is_found_with_its_exact_bytes(void **state)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct bytes span = {NULL, 0};
		bool found = json_member_span(bytes_of_text(table[i].text), table[i].name, &span);

		if (found != (table[i].span != NULL))
			fail_msg("row %zu: %s", i, table[i].text);
		if (found && !bytes_equal(span, bytes_of_text(table[i].span)))
			fail_msg("row %zu: %.*s", i, (int)span.len, (const char *)span.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_member_is_found_with_its_exact_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
