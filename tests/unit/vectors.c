#include "tests/unit/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

enum { HELD_MAX = 4096 };
static void *held[HELD_MAX];
static size_t held_count;

json_t *vectors_load(const char *file)
{
	char path[512];
	json_error_t error;
	json_t *all;

	snprintf(path, sizeof path, "%s/%s", TEST_VECTORS, file);
	all = json_load_file(path, 0, &error);
	if (!all)
		fail_msg("%s: %s", path, error.text);
	return all;
}

json_t *vectors_member(const json_t *object, const char *key)
{
	json_t *member = json_object_get(object, key);

	if (!member)
		fail_msg("no %s", key);
	return member;
}

int64_t vectors_int(const json_t *object, const char *key)
{
	json_t *member = vectors_member(object, key);

	assert_true(json_is_integer(member));
	return json_integer_value(member);
}

const char *vectors_text(const json_t *object, const char *key)
{
	json_t *member = vectors_member(object, key);

	assert_true(json_is_string(member));
	return json_string_value(member);
}

struct timestamp vectors_time(const json_t *object, const char *key)
{
	const char *text = vectors_text(object, key);
	struct timestamp time;

	assert_true(rfc3339_parse(&time, text, strlen(text)));
	return time;
}

struct bytes vectors_hex(const json_t *text)
{
	size_t len = json_string_length(text);
	uint8_t *data = malloc(len / 2 + 1);

	assert_true(json_is_string(text));
	assert_non_null(data);
	assert_true(held_count < HELD_MAX);
	held[held_count++] = data;
	assert_true(hex_decode(data, len / 2, json_string_value(text), len));
	return bytes_view(data, len / 2);
}

struct bytes vectors_bytes(const json_t *object, const char *key)
{
	return vectors_hex(vectors_member(object, key));
}

struct hash32 vectors_hash(const json_t *object, const char *key)
{
	struct bytes bytes = vectors_bytes(object, key);
	struct hash32 hash;

	assert_int_equal(bytes.len, sizeof hash.b);
	memcpy(hash.b, bytes.data, sizeof hash.b);
	return hash;
}

void vectors_free_all(void)
{
	while (held_count > 0)
		free(held[--held_count]);
}

void assert_bytes_equal(struct bytes is, struct bytes expected, const char *what)
{
	struct buf text = {0};

	if (bytes_equal(is, expected))
		return;
	buf_append_hex_lower(&text, is.data, is.len);
	buf_append_text(&text, "\n  expected ");
	buf_append_hex_lower(&text, expected.data, expected.len);
	print_error("%s:\n  is       %s\n", what, buf_text(&text));
	buf_fini(&text);
	fail();
}

void assert_hash_equal(struct hash32 is, struct hash32 expected, const char *what)
{
	assert_bytes_equal(hash_view(&is), hash_view(&expected), what);
}
