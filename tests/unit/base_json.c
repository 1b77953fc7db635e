/* JSON: what is refused, what is passed on, and what is written. */
#include "tests/unit/vectors.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"

static json_t *read_text(const char *text)
{
	struct json_fault fault;

	return json_read(bytes_of_text(text), &fault);
}

static void json_is_read(void **state)
{
	static const char *const good[] = {"null", "true", "false", "0", "-0", "-1", "1.5", "1e3",
		"1E+3", "-0.0e-0", "9223372036854775807", "-9223372036854775808", "\"\"", "\"a\"",
		"[]", "{}", " [ ] ", "\t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : null }\n",
		"\"\\u00e9\\ud83d\\ude00\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"K\xc3\xb6ln\"",
		"{\"\":1}", "{\"a\":1,\"A\":1}",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "1e308",
		"1e-999", "{\"a\":{\"a\":{\"a\":1}}}"};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		json_t *value = read_text(good[i]);

		if (!value)
			fail_msg("refused %s", good[i]);
		json_decref(value);
	}
}

static void what_is_not_our_json_is_refused(void **state)
{
	static const char *const bad[] = {"", " ", "nul", "nulll", "True", "01", "-", "+1", ".5",
		"1.", "1e", "1e+", "0x1", "1 2", "[1,]", "[,1]", "[1", "]", "{", "}", "{\"a\"}",
		"{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "{1:1}", "\"", "\"\\", "\"\\x\"",
		"\"\\u12\"", "\"\\u123g\"", "\"a\nb\"", "\"\x01\"", "\"\x7f", "[1]]", "{}{}",
		"// c\n1", "/**/1", "NaN", "Infinity", "-Infinity", "9223372036854775808",
		"-9223372036854775809", "18446744073709551616", "1e999", "-1e999", "\"\\u0000\"",
		"{\"a\\u0000\":1}", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
		"\"\\ud800x\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xc3\"",
		"\xef\xbb\xbf{}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}",
		"[{\"x\":{\"k\":1,\"k\":1}}]", "[1}", "{\"a\":1]",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
		"\"\\u+123\""};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct json_fault fault = {""};
		json_t *value = json_read(bytes_of_text(bad[i]), &fault);

		if (value)
			fail_msg("accepted %s", bad[i]);
		assert_true(strlen(fault.text) > 0);
	}
	assert_null(json_read(bytes_view("1\0", 2), &(struct json_fault){""}));
	assert_null(json_read(bytes_view("\"\0\"", 3), &(struct json_fault){""}));
	assert_null(json_read(bytes_view(NULL, 0), &(struct json_fault){""}));
}

static void the_fault_tells_the_byte(void **state)
{
	struct json_fault fault;

	assert_null(json_read(bytes_of_text("{\"a\": 01}"), &fault));
	assert_string_equal(fault.text, "leading zero at byte 8");
	assert_null(json_read(bytes_of_text("{\"a\": 1} x"), &fault));
	assert_string_equal(fault.text, "bytes after the value at byte 9");
}

/* Work is bounded: a megabyte of the worst kinds is read or refused in time linear in it. (ctest's
 * own limit would end a quadratic one.) */
static void a_megabyte_of_anything_is_dealt_with(void **state)
{
	enum { LEN = 1000 * 1000 };
	static const char *const patterns[] = {"[", "{\"a\":", "\"", "\\", "9", "1,", "[],",
		"\"\\u0061", "-", " ", "{}", "\xe2\x82\xac", "\"a\":", "{\"", "1e9"};
	char *text = malloc(LEN + 2);
	struct json_fault fault;
	struct buf keys = {0};

	assert_non_null(text);
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		size_t len = strlen(patterns[i]);

		for (size_t at = 0; at < LEN; at++)
			text[at] = patterns[i][at % len];
		json_decref(json_read(bytes_view(text, LEN), &fault));
		text[0] = '[';
		json_decref(json_read(bytes_view(text, LEN), &fault));
	}
	/* Many different keys, then one of them again. */
	buf_append_text(&keys, "{");
	for (int i = 0; i < 80000; i++)
		buf_appendf(&keys, "\"k%d\":1,", i);
	buf_append_text(&keys, "\"k79999\":2}");
	assert_null(json_read(buf_view(&keys), &fault));
	keys.len -= strlen("\"k79999\":2}");
	buf_append_text(&keys, "\"k80000\":2}");
	json_t *value = json_read(buf_view(&keys), &fault);
	assert_non_null(value);
	assert_int_equal(json_object_size(value), 80001);
	json_decref(value);
	buf_fini(&keys);
	free(text);
}

static void more_values_than_asked_for_are_refused_unread(void **state)
{
	static const struct {
		const char *text;
		size_t values;
	} table[] = {{"1", 1}, {"[]", 1}, {"[1]", 2}, {"[[],[]]", 3}, {"{\"a\":1}", 2},
		{"{\"a\":{\"b\":[\"c\",null,true]}}", 6}};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct bytes text = bytes_of_text(table[i].text);
		struct json_fault fault;
		json_t *value = json_read_bounded(text, table[i].values, &fault);

		assert_non_null(value);
		json_decref(value);
		if (table[i].values > 1) {
			assert_null(json_read_bounded(text, table[i].values - 1, &fault));
			assert_non_null(strstr(fault.text, "more values"));
		}
		value = json_read_bounded(text, 0, &fault); /* no bound */
		assert_non_null(value);
		json_decref(value);
	}
}

static void an_id_is_found_as_it_stood(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		const char *ids[3]; /* NULL: none */
	} table[] = {
		{"{\"id\":1}", 1, {"1"}},
		{"{\"id\": \"a\\u0062\" }", 1, {"\"a\\u0062\""}},
		{"{\"params\":{\"id\":7},\"id\":12345678901}", 1, {"12345678901"}},
		{"{\"params\":[{\"id\":7}]}", 1, {NULL}},
		{"{\"i\\u0064\":5}", 1, {"5"}},
		{"{\"\\u0069\\u0064\":5}", 1, {"5"}},
		{"{\"id\\u0064\":5}", 1, {NULL}},
		{"{}", 1, {NULL}},
		{"7", 1, {NULL}},
		{"[]", 0, {NULL}},
		{"[{\"id\":1},{\"id\":null},{}]", 3, {"1", "null", NULL}},
		{"[7,{\"id\":[1, 2]},[{\"id\":9}]]", 3, {NULL, "[1, 2]", NULL}},
		{"[{\"id\":1},{\"id\":2},{\"id\":3},{\"id\":4},{\"id\":5}]", 5, {"1", "2", "3"}},
		{"{\"id\":1", 0, {NULL}},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct bytes ids[3] = {{0}};

		assert_int_equal(
			json_id_spans(bytes_of_text(table[i].text), ids, 3), table[i].count);
		for (size_t k = 0; k < 3 && k < table[i].count; k++) {
			const char *expected = table[i].ids[k] ? table[i].ids[k] : "";

			assert_bytes_equal(ids[k], bytes_of_text(expected), table[i].text);
		}
	}
}

static void texts_are_written_as_go_writes_them(void **state)
{
	static const struct {
		const char *text;
		const char *json;
	} table[] = {{"", "\"\""}, {"a<b>&'c'/", "\"a<b>&'c'/\""}, {"\"\\", "\"\\\"\\\\\""},
		{"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""}, {"\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\""},
		{"K\xc3\xb6ln", "\"K\xc3\xb6ln\""}, {"a\xff z", "\"a\\ufffd z\""},
		{"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\"\\u2028\\u2029\xe2\x80\xaa\""},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct buf b = {0};

		json_put_text(&b, table[i].text);
		assert_string_equal(buf_text(&b), table[i].json);
		buf_fini(&b);
	}
}

static void values_are_written(void **state)
{
	struct buf b = {0};

	json_put_key(&b, "k");
	json_put_u64_text(&b, UINT64_MAX);
	json_put_i64_text(&b, INT64_MIN);
	json_put_u64(&b, 7);
	buf_append_byte(&b, ' ');
	json_put_i64(&b, -7);
	json_put_bool(&b, true);
	json_put_bool(&b, false);
	json_put_hex_upper(&b, "\xab", 1);
	json_put_base64(&b, "foo", 3);
	json_put_base64(&b, NULL, 0);
	json_put_string(&b, "a\0b", 3);
	assert_string_equal(buf_text(&b),
		"\"k\":\"18446744073709551615\"\"-9223372036854775808\"7 -7"
		"truefalse\"AB\"\"Zm9v\"null\"a\\u0000b\"");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_read),
		cmocka_unit_test(what_is_not_our_json_is_refused),
		cmocka_unit_test(the_fault_tells_the_byte),
		cmocka_unit_test(a_megabyte_of_anything_is_dealt_with),
		cmocka_unit_test(more_values_than_asked_for_are_refused_unread),
		cmocka_unit_test(an_id_is_found_as_it_stood),
		cmocka_unit_test(texts_are_written_as_go_writes_them),
		cmocka_unit_test(values_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
