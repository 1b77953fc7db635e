/* Buffers, cursors, hex, base64, arena, log: the vocabulary. */
#include "tests/unit/vectors.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cursor.h"
#include "base/endian.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/status.h"
#include "base/utf8.h"

static void a_buffer_grows_by_any_append(void **state)
{
	struct buf b = {0};

	buf_append_text(&b, "ab");
	buf_append_byte(&b, 'c');
	buf_append_u32be(&b, 0x64656667);
	buf_append_u64be(&b, 0x68696a6b6c6d6e6f);
	buf_appendf(&b, "-%d-%s", 42, "end");
	buf_append(&b, NULL, 0);
	assert_true(buf_ok(&b));
	assert_string_equal(buf_text(&b), "abcdefghijklmno-42-end");
	for (int i = 0; i < 10000; i++)
		buf_append(&b, "0123456789", 10);
	assert_true(buf_ok(&b));
	assert_int_equal(b.len, 22 + 100000);
	buf_clear(&b);
	assert_string_equal(buf_text(&b), "");
	buf_fini(&b);
}

static void a_buffer_past_its_bound_fails_until_it_is_cleared(void **state)
{
	struct buf b;

	buf_init(&b, 10);
	buf_append_text(&b, "0123456789");
	assert_true(buf_ok(&b));
	assert_string_equal(buf_text(&b), "0123456789");
	buf_append_byte(&b, 'x');
	assert_false(buf_ok(&b));
	assert_int_equal(buf_view(&b).len, 0);
	assert_string_equal(buf_text(&b), "");
	assert_null(buf_extend(&b, 0));
	buf_clear(&b);
	assert_true(buf_ok(&b));
	assert_null(buf_extend(&b, SIZE_MAX));
	assert_false(buf_ok(&b));
	buf_fini(&b);
	assert_int_equal(b.max, 10);
}

static void bytes_sort_as_keys_do(void **state)
{
	static const char *const ascending[] = {"", "a", "a\x01", "ab", "b", "b\xff", "\xff"};
	const size_t count = sizeof ascending / sizeof ascending[0];

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			int order = bytes_compare(
				bytes_of_text(ascending[i]), bytes_of_text(ascending[j]));

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(bytes_equal(bytes_of_text(ascending[i]),
						 bytes_of_text(ascending[j])),
				i == j);
		}
	}
	assert_true(bytes_equal(bytes_view(NULL, 0), bytes_view("x", 0)));
}

static void a_cursor_reads_what_a_buffer_wrote(void **state)
{
	struct buf b = {0};
	struct cursor c;
	char text[3];

	buf_append_byte(&b, 7);
	buf_append_u32be(&b, 0xdeadbeef);
	buf_append_u64be(&b, UINT64_MAX - 1);
	buf_append_text(&b, "abcde");
	c = cursor_of(buf_view(&b));
	assert_int_equal(cursor_u8(&c), 7);
	assert_int_equal(cursor_u32be(&c), 0xdeadbeef);
	assert_true(cursor_u64be(&c) == UINT64_MAX - 1);
	cursor_copy(&c, text, 3);
	assert_memory_equal(text, "abc", 3);
	assert_false(cursor_done(&c));
	assert_true(bytes_equal(cursor_view(&c, 2), bytes_of_text("de")));
	assert_true(cursor_done(&c));
	buf_fini(&b);
}

static void a_cursor_past_the_end_stays_bad_and_yields_zeros(void **state)
{
	struct cursor c = cursor_of(bytes_view("\1\2\3", 3));
	char text[2] = {'x', 'x'};

	assert_int_equal(cursor_u32be(&c), 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_view(&c, 1).len, 0);
	cursor_copy(&c, text, 2);
	assert_memory_equal(text, "\0\0", 2);
	assert_int_equal(cursor_uvarint(&c), 0);
	assert_false(cursor_done(&c));
}

static void a_varint_has_one_spelling(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
		bool is_good;
		uint64_t value;
	} table[] = {
		{"\0", 1, true, 0},
		{"\x7f", 1, true, 127},
		{"\x80\x01", 2, true, 128},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true, UINT64_MAX},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10, true, UINT64_C(1) << 63},
		{"\x80\0", 2, false, 0},
		{"\xff\0", 2, false, 0},
		{"\x80", 1, false, 0},
		{"", 0, false, 0},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, false, 0},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, false, 0},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct cursor c = cursor_of(bytes_view(table[i].raw, table[i].len));

		assert_true(cursor_uvarint(&c) == table[i].value);
		assert_int_equal(cursor_done(&c), table[i].is_good);
	}
}

static void hex_goes_there_and_back(void **state)
{
	uint8_t data[] = {0x00, 0x9a, 0xbc, 0xff}, back[4];
	char text[9];
	struct buf b = {0};

	hex_upper(text, data, 4);
	assert_string_equal(text, "009ABCFF");
	assert_true(hex_decode(back, 4, text, 8));
	assert_memory_equal(data, back, 4);
	hex_lower(text, data, 4);
	assert_string_equal(text, "009abcff");
	assert_true(hex_decode(back, 4, "009aBCfF", 8));
	assert_false(hex_decode(back, 4, "009abcf", 7));
	assert_false(hex_decode(back, 4, "009abcff0", 9));
	assert_false(hex_decode(back, 4, "009abcfg", 8));
	assert_false(hex_decode(back, 4, "0x9abcff", 8));
	buf_append_hex_upper(&b, data, 4);
	buf_append_hex_lower(&b, data, 4);
	assert_string_equal(buf_text(&b), "009ABCFF009abcff");
	buf_fini(&b);
}

static void base64_has_one_spelling(void **state)
{
	static const struct {
		const char *text;
		const char *data;
	} good[] = {{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"Zm9vYg==", "foob"},
		{"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}, {"+/+/", "\xfb\xff\xbf"}};
	static const char *const bad[] = {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "=",
		"====", "Z===", "Zm9v\n", "Zm-_", "Zm 9", "Zg=v", "=Zg="};
	struct buf b = {0};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		buf_clear(&b);
		buf_append_base64(&b, good[i].data, strlen(good[i].data));
		assert_string_equal(buf_text(&b), good[i].text);
		buf_clear(&b);
		buf_append_text(&b, ">");
		assert_true(base64_decode(&b, good[i].text, strlen(good[i].text)));
		assert_string_equal(buf_text(&b) + 1, good[i].data);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		buf_clear(&b);
		buf_append_text(&b, "kept");
		assert_false(base64_decode(&b, bad[i], strlen(bad[i])));
		assert_string_equal(buf_text(&b), "kept");
	}
	buf_fini(&b);
}

static void an_arena_serves_zeroed_aligned_memory_up_to_its_bound(void **state)
{
	struct arena a;
	size_t total = 0;

	arena_init(&a, 100 * 1000);
	for (size_t len = 0; len < 200; len++) {
		uint8_t *p = arena_alloc(&a, len);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xee, len);
		total += len;
	}
	assert_false(a.exhausted);
	assert_null(arena_alloc(&a, 100 * 1000 - total));
	assert_true(a.exhausted);
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_reset(&a);
	assert_false(a.exhausted);
	assert_int_equal(*(uint8_t *)arena_alloc(&a, 1), 0);
	assert_string_equal(arena_text(&a, bytes_view("text!", 4)), "text");
	assert_memory_equal(arena_copy(&a, "copy", 4), "copy", 4);
	arena_fini(&a);
	arena_init(&a, 1600);
	for (size_t i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&a, 16));
	assert_null(arena_alloc(&a, 1));
	arena_fini(&a);
}

static void utf8_is_what_the_standard_says(void **state)
{
	static const char *const good[] = {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
		"K\xc3\xb6ln"};
	static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xff", "a\xc3"};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(utf8_valid(bytes_of_text(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(utf8_valid(bytes_of_text(bad[i])));
	assert_false(utf8_valid(bytes_view("a\0b", 3)));
}

static char logged[2048];
static size_t logged_lines;

static void keep_line(void *ctx, enum log_level level, const char *line, size_t len)
{
	(void)ctx;
	(void)level;
	memcpy(logged, line, len);
	logged[len] = 0;
	logged_lines++;
}

static void a_log_event_is_one_line_of_bounded_length(void **state)
{
	struct log log = {LOG_INFO, keep_line, NULL};
	char long_value[3000];

	log_event(&log, LOG_UNUSUAL, "peer_refused id=%d reason=%s", 7, "a\nb\x1b[0m");
	assert_string_equal(logged, "unusual peer_refused id=7 reason=a?b?[0m");
	log_event(&log, LOG_DEBUG, "not wanted");
	log_event(NULL, LOG_BROKEN, "nobody listens");
	assert_int_equal(logged_lines, 1);
	memset(long_value, 'x', sizeof long_value - 1);
	long_value[sizeof long_value - 1] = 0;
	log_event(&log, LOG_BROKEN, "v=%s", long_value);
	assert_int_equal(strlen(logged), 1023);
	assert_string_equal(logged + 1020, "...");
}

static void every_status_has_words(void **state)
{
	for (int status = STATUS_OK; status <= STATUS_UNSUPPORTED; status++)
		assert_string_not_equal(status_text((enum status)status), "unknown status");
	assert_string_equal(status_text((enum status)99), "unknown status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_grows_by_any_append),
		cmocka_unit_test(a_buffer_past_its_bound_fails_until_it_is_cleared),
		cmocka_unit_test(bytes_sort_as_keys_do),
		cmocka_unit_test(a_cursor_reads_what_a_buffer_wrote),
		cmocka_unit_test(a_cursor_past_the_end_stays_bad_and_yields_zeros),
		cmocka_unit_test(a_varint_has_one_spelling),
		cmocka_unit_test(hex_goes_there_and_back),
		cmocka_unit_test(base64_has_one_spelling),
		cmocka_unit_test(an_arena_serves_zeroed_aligned_memory_up_to_its_bound),
		cmocka_unit_test(utf8_is_what_the_standard_says),
		cmocka_unit_test(a_log_event_is_one_line_of_bounded_length),
		cmocka_unit_test(every_status_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
