#define _GNU_SOURCE
/* The small parts: rows, wakes, buckets, keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "coordinator/inside.h"
#include "coordinator/keys.h"
#include "coordinator/rate.h"
#include "coordinator/record.h"
#include "coordinator/wake.h"

/* ---- rows ---- */

struct sample {
	uint32_t small;
	uint64_t large;
	uint8_t raw[4];
	char text[6];
};
static const struct record_field fields[] = {
	RECORD_FIELD(1, RECORD_U32, struct sample, small),
	RECORD_FIELD(2, RECORD_U64, struct sample, large),
	RECORD_FIELD(3, RECORD_RAW, struct sample, raw),
	RECORD_FIELD(9, RECORD_TEXT, struct sample, text),
};

static void a_row_reads_back_as_it_was(void **state)
{
	struct sample in = {7, UINT64_MAX, {1, 0, 0, 4}, "hello"}, out;
	struct buf row;

	(void)state;
	memset(&out, 0, sizeof out);
	buf_init(&row, 0);
	record_put(&row, fields, 4, &in);
	assert_true(record_get(&out, fields, 4, buf_view(&row)));
	assert_int_equal(out.small, 7);
	assert_true(out.large == UINT64_MAX);
	assert_memory_equal(out.raw, in.raw, 4);
	assert_string_equal(out.text, "hello");
	/* An older program, without the last field, refuses rather than forgets. */
	assert_false(record_get(&out, fields, 3, buf_view(&row)));
	buf_fini(&row);
}

static void what_is_zero_costs_nothing(void **state)
{
	struct sample in, out;
	struct buf row;

	(void)state;
	memset(&in, 0, sizeof in);
	memset(&out, 0, sizeof out);
	buf_init(&row, 0);
	record_put(&row, fields, 4, &in);
	assert_int_equal(row.len, 0);
	assert_true(record_get(&out, fields, 4, buf_view(&row)));
	buf_fini(&row);
}

static void a_broken_row_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} ROWS[] = {
		{"\x01", 1},                              /* no length */
		{"\x01\0\0\0\x08\0\0\0", 8},              /* cut value */
		{"\x01\0\0\0\x04\0\0\0\x01", 9},          /* wrong width */
		{"\x01\0\0\0\x08\0\0\0\x01\0\0\0\0", 13}, /* more than 32 bits */
		{"\x03\0\0\0\x05\1\2\3\4\5", 10},         /* array of another size */
		{"\x09\0\0\0\x06sixsix", 11},             /* text without room for its end */
		{"\x05\0\0\0\x00", 5},                    /* unknown tag */
		{"\x03\xff\xff\xff\xff\x01", 6},          /* length beyond the row */
	};

	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		struct sample out;

		memset(&out, 0, sizeof out);
		if (record_get(&out, fields, 4, bytes_view(ROWS[i].bytes, ROWS[i].len)))
			fail_msg("row %zu was taken", i);
	}
}

/* ---- wakes ---- */

static void the_earliest_wake_is_always_first(void **state)
{
	enum { COUNT = 500 };
	static struct wake wakes[COUNT];
	struct wake_heap heap = {NULL, 0, 0};
	uint32_t random = 12345;
	uint64_t last = 0;

	(void)state;
	for (size_t i = 0; i < 3 * COUNT; i++) { /* sets and moves */
		random = random * 1664525 + 1013904223;
		assert_true(wake_set(&heap, &wakes[i % COUNT], random >> 8));
	}
	for (size_t i = 0; i < COUNT; i += 7)
		wake_clear(&heap, &wakes[i]);
	for (size_t left = heap.count; left > 0; left--) {
		struct wake *first = wake_first(&heap);

		assert_true(first->due_ms >= last);
		last = first->due_ms;
		wake_clear(&heap, first);
		assert_int_equal(first->place, 0);
		wake_clear(&heap, first); /* nothing */
	}
	assert_null(wake_first(&heap));
	wake_heap_fini(&heap);
}

/* ---- rates ---- */

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
	struct rate_bucket bucket = {0, 0};
	uint64_t retry, now = 1000;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(rate_take(&bucket, &retry, 5, 10, now));
	assert_false(rate_take(&bucket, &retry, 5, 10, now));
	assert_int_equal(retry, 200);
	assert_false(rate_take(&bucket, &retry, 5, 10, now + 199));
	assert_true(rate_take(&bucket, &retry, 5, 10, now + 200));
	assert_false(rate_take(&bucket, &retry, 5, 10, now + 200));
	/* A long rest fills it, never over the burst. */
	now += 3 * 3600 * 1000;
	for (int i = 0; i < 10; i++)
		assert_true(rate_take(&bucket, &retry, 5, 10, now));
	assert_false(rate_take(&bucket, &retry, 5, 10, now));
}

static void ten_bad_keys_a_minute_are_heard_and_no_more(void **state)
{
	struct bad_keys *bad = calloc(1, sizeof *bad);

	(void)state;
	assert_non_null(bad);
	for (int i = 0; i < BAD_KEYS_PER_MINUTE_MAX; i++)
		assert_true(bad_keys_count(bad, "10.0.0.1", 60000));
	assert_false(bad_keys_count(bad, "10.0.0.1", 119999));
	assert_true(bad_keys_count(bad, "10.0.0.2", 119999));
	assert_true(bad_keys_count(bad, "10.0.0.1", 120000));
	free(bad);
}

/* ---- words ---- */

static void words_of_others_become_clean_utf8(void **state)
{
	static const char *const ROWS[][2] = {
		{"plain", "plain"},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
			"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"a\nb\x7f\x01", "a?b??"},
		{"cut \xe2\x82", "cut ??"},
		{"\xff\xc0\xaf", "???"},
		{"\xed\xa0\x80", "???"},      /* a surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* beyond the last plane */
		{"\xe0\x80\x80", "???"},      /* overlong */
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		char text[64];

		snprintf(text, sizeof text, "%s", ROWS[i][0]);
		work_clean_text(text);
		assert_string_equal(text, ROWS[i][1]);
	}
}

/* ---- keys ---- */

static void same_bytes(void *ctx, void *out, size_t len)
{
	memset(out, (*(uint8_t *)ctx)++, len);
}

static void a_fresh_home_gets_keys_that_work_and_are_kept_as_hashes(void **state)
{
	char dir[] = "/tmp/coordinator-keys-XXXXXX", path[64], plain_path[64], fault[256],
	     text[4096];
	uint8_t counter = 1;
	struct api_keys keys;
	struct json_fault wrong;
	json_t *plain;
	FILE *file;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/keys.json", dir);
	snprintf(plain_path, sizeof plain_path, "%s/devnet-keys.json", dir);
	assert_int_equal(coordinator_keys_create(dir, 2, same_bytes, &counter, fault), STATUS_OK);
	assert_int_equal(coordinator_keys_create(dir, 2, same_bytes, &counter, fault), STATUS_BUSY);
	file = fopen(plain_path, "r");
	assert_non_null(file);
	len = fread(text, 1, sizeof text, file);
	fclose(file);
	plain = json_read(bytes_view(text, len), &wrong);
	assert_non_null(plain);
	assert_int_equal(api_keys_load(&keys, path, fault), STATUS_OK);
	assert_int_equal(keys.count, 4);
	assert_int_equal(keys.keys[api_keys_find(&keys,
					   json_string_value(json_object_get(plain, "client_key")))]
				 .role,
		API_CLIENT);
	assert_int_equal(keys.keys[api_keys_find(&keys,
					   json_string_value(json_object_get(plain, "admin_key")))]
				 .role,
		API_ADMIN);
	assert_string_equal(
		keys.keys[api_keys_find(&keys, json_string_value(json_array_get(
						       json_object_get(plain, "miner_keys"), 1)))]
			.id,
		"miner-2");
	assert_int_equal(api_keys_find(&keys, "aic_"), -1);
	assert_int_equal(api_keys_find(&keys, ""), -1);
	json_decref(plain);
	api_keys_fini(&keys);
	/* Others may not read it. */
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(api_keys_load(&keys, path, fault), STATUS_REFUSED);
	assert_non_null(strstr(fault, "chmod 600"));
	unlink(path);
	unlink(plain_path);
	rmdir(dir);
	assert_int_equal(api_keys_load(&keys, path, fault), STATUS_NOT_FOUND);
}

static void a_broken_keys_file_is_refused_with_its_place(void **state)
{
#define ENTRY  "{\"id\":\"a\",\"role\":\"client\",\"sha256\":\"" HASH64 "\"}"
#define HASH64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	static const char *const ROWS[] = {
		"",
		"{}",
		"[]",
		"{\"keys\":{}}",
		"{\"keys\":[{}]}",
		"{\"keys\":[{\"id\":\"a\",\"role\":\"root\",\"sha256\":\"" HASH64 "\"}]}",
		"{\"keys\":[{\"id\":\"a\",\"role\":\"admin\",\"sha256\":\"12\"}]}",
		"{\"keys\":[" ENTRY "," ENTRY "]}",
		"{\"keys\":[{\"id\":\"a\",\"role\":\"admin\",\"sha256\":\"" HASH64
		"\",\"burst\":0}]}",
	};
	struct api_keys keys;
	char fault[256];

	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		fault[0] = 0;
		if (api_keys_parse(&keys, bytes_of_text(ROWS[i]), fault) || !fault[0])
			fail_msg("row %zu was taken", i);
	}
	assert_true(api_keys_parse(&keys, bytes_of_text("{\"keys\":[" ENTRY "]}"), fault));
	api_keys_fini(&keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_reads_back_as_it_was),
		cmocka_unit_test(what_is_zero_costs_nothing),
		cmocka_unit_test(a_broken_row_is_refused),
		cmocka_unit_test(the_earliest_wake_is_always_first),
		cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
		cmocka_unit_test(ten_bad_keys_a_minute_are_heard_and_no_more),
		cmocka_unit_test(words_of_others_become_clean_utf8),
		cmocka_unit_test(a_fresh_home_gets_keys_that_work_and_are_kept_as_hashes),
		cmocka_unit_test(a_broken_keys_file_is_refused_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
