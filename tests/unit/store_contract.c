/* One suite for both adapters of the store port, then what only one of them can be asked. */
#define _GNU_SOURCE
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/endian.h"
#include "chain/store_mem.h"
#include "chain/store_rocks.h"

struct fixture {
	bool on_disk;
	char dir[64];
	struct store store;
};

static struct bytes text(const char *s)
{
	return bytes_of_text(s);
}

static void open_again(struct fixture *f)
{
	char fault[256];

	if (!f->on_disk) {
		assert_int_equal(store_mem_open(&f->store), STATUS_OK);
		return;
	}
	if (store_rocks_open(&f->store, f->dir, fault) != STATUS_OK)
		fail_msg("open: %s", fault);
}

static void remove_dir(const char *dir)
{
	DIR *folder = opendir(dir);
	char path[512];

	assert_non_null(folder);
	for (struct dirent *file; (file = readdir(folder));) {
		snprintf(path, sizeof path, "%s/%s", dir, file->d_name);
		if (file->d_name[0] != '.')
			assert_int_equal(unlink(path), 0);
	}
	closedir(folder);
	assert_int_equal(rmdir(dir), 0);
}

static int begin(void **state, bool on_disk)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->on_disk = on_disk;
	strcpy(f->dir, "store-test-XXXXXX");
	if (on_disk)
		assert_non_null(mkdtemp(f->dir));
	open_again(f);
	*state = f;
	return 0;
}

static int begin_mem(void **state)
{
	return begin(state, false);
}

static int begin_rocks(void **state)
{
	return begin(state, true);
}

static int end(void **state)
{
	struct fixture *f = *state;

	if (f->store.vtable)
		store_close(&f->store);
	if (f->on_disk)
		remove_dir(f->dir);
	free(f);
	return 0;
}

static void put(struct store *store, enum store_family family, const char *key, const char *value)
{
	struct store_batch batch;

	store_batch_init(&batch);
	store_batch_put(&batch, family, text(key), text(value));
	assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
}

static void drop(struct store *store, enum store_family family, const char *key)
{
	struct store_batch batch;

	store_batch_init(&batch);
	store_batch_delete(&batch, family, text(key));
	assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
}

static void assert_value(struct store *store, const struct store_snapshot *snapshot,
	enum store_family family, const char *key, const char *expected)
{
	struct buf value;
	enum status status;

	buf_init(&value, 0);
	status = store_get(store, snapshot, family, text(key), &value);
	if (!expected) {
		assert_int_equal(status, STATUS_NOT_FOUND);
		assert_int_equal(value.len, 0);
	} else {
		assert_int_equal(status, STATUS_OK);
		assert_string_equal(buf_text(&value), expected);
	}
	buf_fini(&value);
}

/* The keys of an iteration as one text: "a b c ". */
static void assert_keys(struct store *store, const struct store_snapshot *snapshot,
	const char *from, const char *to, bool backwards, const char *expected)
{
	struct store_iterator *it =
		store_iterate(store, snapshot, STORE_STATE, text(from), text(to), backwards);
	struct bytes key, value;
	struct buf seen;
	enum status status;

	assert_non_null(it);
	buf_init(&seen, 0);
	while ((status = store_next(store, it, &key, &value)) == STATUS_OK) {
		buf_append_view(&seen, key);
		buf_append_byte(&seen, ' ');
	}
	assert_int_equal(status, STATUS_NOT_FOUND);
	assert_int_equal(store_next(store, it, &key, &value), STATUS_NOT_FOUND);
	assert_string_equal(buf_text(&seen), expected);
	buf_fini(&seen);
	store_iterator_free(store, it);
}

/* ---- both adapters ---- */

static void a_batch_is_written_whole_and_its_later_operations_win(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	struct store_batch batch;

	put(store, STORE_STATE, "old", "1");
	store_batch_init(&batch);
	store_batch_put(&batch, STORE_STATE, text("a"), text("1"));
	store_batch_put(&batch, STORE_STATE, text("a"), text("2"));
	store_batch_put(&batch, STORE_STATE, text("b"), text("1"));
	store_batch_delete(&batch, STORE_STATE, text("b"));
	store_batch_delete(&batch, STORE_STATE, text("c"));
	store_batch_put(&batch, STORE_STATE, text("c"), text("1"));
	store_batch_delete(&batch, STORE_STATE, text("old"));
	store_batch_put(&batch, STORE_TXS, text("a"), text("other family"));
	assert_int_equal(batch.count, 8);
	assert_int_equal(store_write(store, &batch, false), STATUS_OK);
	store_batch_fini(&batch);
	assert_value(store, NULL, STORE_STATE, "a", "2");
	assert_value(store, NULL, STORE_STATE, "b", NULL);
	assert_value(store, NULL, STORE_STATE, "c", "1");
	assert_value(store, NULL, STORE_STATE, "old", NULL);
	assert_value(store, NULL, STORE_TXS, "a", "other family");
	assert_value(store, NULL, STORE_BLOCKS, "a", NULL);
}

static void a_batch_that_ran_out_of_memory_writes_nothing(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	struct store_batch batch;

	store_batch_init(&batch);
	store_batch_put(&batch, STORE_STATE, text("a"), text("1"));
	batch.ops.max = batch.ops.len;
	store_batch_put(&batch, STORE_STATE, text("b"), text("1"));
	assert_int_equal(store_write(store, &batch, true), STATUS_NO_MEMORY);
	store_batch_fini(&batch);
	assert_value(store, NULL, STORE_STATE, "a", NULL);
}

static void has_tells_absence_from_failure(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	enum status status = STATUS_IO;

	put(store, STORE_STATE, "a", "");
	assert_true(store_has(store, NULL, STORE_STATE, text("a"), &status));
	assert_int_equal(status, STATUS_OK);
	assert_false(store_has(store, NULL, STORE_STATE, text("b"), &status));
	assert_int_equal(status, STATUS_OK);
}

static void iteration_keeps_order_and_bounds_in_both_directions(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	static const struct {
		const char *from, *to, *forwards, *backwards;
	} table[] = {
		{"", "", "a ab b c ", "c b ab a "},
		{"a", "c", "a ab b ", "b ab a "},
		{"aa", "bb", "ab b ", "b ab "},
		{"b", "", "b c ", "c b "},
		{"", "b", "a ab ", "ab a "},
		{"b", "b", "", ""},
		{"d", "", "", ""},
		{"", "a", "", ""},
		{"c", "a", "", ""},
	};

	assert_keys(store, NULL, "", "", false, "");
	put(store, STORE_STATE, "c", "3");
	put(store, STORE_STATE, "a", "1");
	put(store, STORE_STATE, "b", "2");
	put(store, STORE_STATE, "ab", "12");
	put(store, STORE_TXS, "aaa", "foreign");
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		assert_keys(store, NULL, table[i].from, table[i].to, false, table[i].forwards);
		assert_keys(store, NULL, table[i].from, table[i].to, true, table[i].backwards);
	}
}

static void iteration_passes_over_deleted_keys(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;

	put(store, STORE_STATE, "a", "1");
	put(store, STORE_STATE, "b", "1");
	put(store, STORE_STATE, "c", "1");
	drop(store, STORE_STATE, "b");
	assert_keys(store, NULL, "", "", false, "a c ");
	assert_keys(store, NULL, "b", "", false, "c ");
	assert_keys(store, NULL, "", "c", true, "a ");
	drop(store, STORE_STATE, "a");
	drop(store, STORE_STATE, "c");
	assert_keys(store, NULL, "", "", true, "");
	put(store, STORE_STATE, "b", "again");
	assert_keys(store, NULL, "", "", true, "b ");
}

static void a_snapshot_never_sees_later_writes(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	struct store_snapshot *before, *after;

	put(store, STORE_STATE, "a", "1");
	put(store, STORE_STATE, "b", "1");
	before = store_snapshot_new(store);
	put(store, STORE_STATE, "a", "2");
	put(store, STORE_STATE, "c", "2");
	drop(store, STORE_STATE, "b");
	after = store_snapshot_new(store);
	drop(store, STORE_STATE, "c");
	assert_value(store, before, STORE_STATE, "a", "1");
	assert_value(store, before, STORE_STATE, "b", "1");
	assert_value(store, before, STORE_STATE, "c", NULL);
	assert_keys(store, before, "", "", false, "a b ");
	assert_value(store, after, STORE_STATE, "a", "2");
	assert_keys(store, after, "", "", true, "c a ");
	assert_keys(store, NULL, "", "", true, "a ");
	store_snapshot_free(store, before);
	assert_keys(store, after, "", "", false, "a c ");
	store_snapshot_free(store, after);
}

static void an_iterator_stays_at_the_moment_it_was_made(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	struct store_iterator *it;
	struct bytes key, value;

	put(store, STORE_STATE, "a", "1");
	put(store, STORE_STATE, "c", "1");
	it = store_iterate(store, NULL, STORE_STATE, text(""), text(""), false);
	assert_int_equal(store_next(store, it, &key, &value), STATUS_OK);
	put(store, STORE_STATE, "b", "2");
	put(store, STORE_STATE, "c", "2");
	drop(store, STORE_STATE, "a");
	assert_int_equal(store_next(store, it, &key, &value), STATUS_OK);
	assert_true(bytes_equal(key, text("c")));
	assert_true(bytes_equal(value, text("1")));
	assert_int_equal(store_next(store, it, &key, &value), STATUS_NOT_FOUND);
	store_iterator_free(store, it);
}

static void values_may_be_empty_hold_zeros_or_be_large(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	size_t len = 8 * 1024 * 1024;
	uint8_t *large = malloc(len);
	struct store_batch batch;
	struct buf value;

	for (size_t i = 0; i < len; i++)
		large[i] = (uint8_t)(i * 2654435761u >> 13);
	store_batch_init(&batch);
	store_batch_put(&batch, STORE_BLOCKS, bytes_view("\0\0", 2), bytes_view("\0x\0", 3));
	store_batch_put(&batch, STORE_BLOCKS, bytes_view("\0", 1), bytes_view(NULL, 0));
	store_batch_put(&batch, STORE_BLOCKS, bytes_view("\xff", 1), bytes_view(large, len));
	assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	buf_init(&value, 0);
	assert_int_equal(
		store_get(store, NULL, STORE_BLOCKS, bytes_view("\0", 1), &value), STATUS_OK);
	assert_int_equal(value.len, 0);
	assert_int_equal(
		store_get(store, NULL, STORE_BLOCKS, bytes_view("\0\0", 2), &value), STATUS_OK);
	assert_true(bytes_equal(buf_view(&value), bytes_view("\0x\0", 3)));
	assert_int_equal(
		store_get(store, NULL, STORE_BLOCKS, bytes_view("\xff", 1), &value), STATUS_OK);
	assert_int_equal(value.len, 3 + len); /* appended */
	assert_memory_equal(value.data + 3, large, len);
	buf_fini(&value);
	free(large);
}

/* A second road: the same random writes into a plain array of "present or not". */
static void random_writes_read_as_a_plain_table_would(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	enum { KEYS = 300, BATCHES = 60 };
	uint32_t model[KEYS] = {0};
	uint32_t random = 7;

	for (uint32_t round = 1; round <= BATCHES; round++) {
		struct store_batch batch;
		struct store_iterator *it;
		struct bytes key, value;
		bool backwards = round % 2 == 0;

		store_batch_init(&batch);
		for (int i = 0; i < 40; i++) {
			uint8_t name[4], content[4];
			uint32_t which;

			random = random * 1664525u + 1013904223u;
			which = (random >> 8) % KEYS;
			put_u32be(name, which);
			put_u32be(content, round);
			model[which] = random >> 31 ? round : 0;
			if (model[which])
				store_batch_put(&batch, STORE_STATE, bytes_view(name, 4),
					bytes_view(content, 4));
			else
				store_batch_delete(&batch, STORE_STATE, bytes_view(name, 4));
		}
		assert_int_equal(store_write(store, &batch, false), STATUS_OK);
		store_batch_fini(&batch);
		it = store_iterate(store, NULL, STORE_STATE, text(""), text(""), backwards);
		for (uint32_t n = 0; n < KEYS; n++) {
			uint32_t which = backwards ? KEYS - 1 - n : n;

			if (!model[which])
				continue;
			assert_int_equal(store_next(store, it, &key, &value), STATUS_OK);
			assert_int_equal(get_u32be(key.data), which);
			assert_int_equal(get_u32be(value.data), model[which]);
		}
		assert_int_equal(store_next(store, it, &key, &value), STATUS_NOT_FOUND);
		store_iterator_free(store, it);
	}
}

static void it_opens_and_closes_a_hundred_times(void **state)
{
	struct fixture *f = *state;
	char key[16];

	for (int i = 0; i < 100; i++) {
		struct store_snapshot *snapshot = store_snapshot_new(&f->store);

		snprintf(key, sizeof key, "%d", i);
		put(&f->store, STORE_STATE, key, "kept");
		store_snapshot_free(&f->store, snapshot);
		store_close(&f->store);
		open_again(f);
		if (f->on_disk)
			assert_value(&f->store, NULL, STORE_STATE, key, "kept");
	}
	assert_value(&f->store, NULL, STORE_STATE, "0", f->on_disk ? "kept" : NULL);
}

/* ---- memory only: a disk's bad manners ---- */

static void a_crash_drops_exactly_the_unsynced_batches(void **state)
{
	for (size_t keep = 0; keep <= 4; keep++) {
		struct store store;
		struct store_batch batch;

		assert_int_equal(store_mem_open(&store), STATUS_OK);
		put(&store, STORE_STATE, "synced", "1");
		store_batch_init(&batch);
		for (int i = 0; i < 3; i++) {
			char key[2] = {(char)('a' + i), 0};

			store_batch_clear(&batch);
			store_batch_put(&batch, STORE_STATE, text(key), text("1"));
			store_batch_delete(&batch, STORE_STATE, text("synced"));
			assert_int_equal(store_write(&store, &batch, false), STATUS_OK);
		}
		store_batch_fini(&batch);
		assert_int_equal(store_mem_unsynced(&store), 3);
		store_mem_crash(&store, keep);
		assert_int_equal(store_mem_unsynced(&store), 0);
		assert_value(&store, NULL, STORE_STATE, "synced", keep == 0 ? "1" : NULL);
		assert_value(&store, NULL, STORE_STATE, "a", keep > 0 ? "1" : NULL);
		assert_value(&store, NULL, STORE_STATE, "b", keep > 1 ? "1" : NULL);
		assert_value(&store, NULL, STORE_STATE, "c", keep > 2 ? "1" : NULL);
		store_close(&store);
	}
}

static void a_synced_batch_makes_the_ones_before_it_durable(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	struct store_batch batch;

	store_batch_init(&batch);
	store_batch_put(&batch, STORE_STATE, text("a"), text("1"));
	assert_int_equal(store_write(store, &batch, false), STATUS_OK);
	store_batch_fini(&batch);
	put(store, STORE_STATE, "b", "1");
	assert_int_equal(store_mem_unsynced(store), 0);
	store_mem_crash(store, 0);
	assert_keys(store, NULL, "", "", false, "a b ");
}

static void told_to_fail_it_changes_nothing(void **state)
{
	struct store *store = &((struct fixture *)*state)->store;
	struct store_batch batch;

	store_batch_init(&batch);
	store_batch_put(&batch, STORE_STATE, text("a"), text("1"));
	store_mem_fail_writes(store, STATUS_DISK_FULL);
	assert_int_equal(store_write(store, &batch, true), STATUS_DISK_FULL);
	assert_value(store, NULL, STORE_STATE, "a", NULL);
	store_mem_fail_writes(store, STATUS_OK);
	assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	assert_value(store, NULL, STORE_STATE, "a", "1");
}

/* ---- RocksDB only ---- */

enum { LOG_BATCHES = 10, LOG_VALUE_BYTES = 5000 };

static void put_numbered(struct store *store, uint32_t number)
{
	uint8_t key[4], value[LOG_VALUE_BYTES];
	struct store_batch batch;

	put_u32be(key, number);
	memset(value, (int)(number + 1), sizeof value);
	store_batch_init(&batch);
	store_batch_put(&batch, STORE_STATE, bytes_view(key, 4), bytes_view(value, sizeof value));
	store_batch_put(&batch, STORE_TXS, bytes_view(key, 4), bytes_view(NULL, 0));
	assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
}

static uint32_t count_numbered(struct store *store)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < LOG_BATCHES; i++) {
		enum status a, b;
		uint8_t key[4];
		bool has;

		put_u32be(key, i);
		has = store_has(store, NULL, STORE_STATE, bytes_view(key, 4), &a);
		assert_int_equal(has, store_has(store, NULL, STORE_TXS, bytes_view(key, 4), &b));
		assert_true(a == STATUS_OK && b == STATUS_OK);
		assert_true(!has || count == i); /* never one after a missing one */
		count += has;
	}
	return count;
}

/* The newest write-ahead log. */
static void log_path(char out[512], const struct fixture *f)
{
	DIR *folder = opendir(f->dir);
	char newest[256] = "";

	assert_non_null(folder);
	for (struct dirent *file; (file = readdir(folder));) {
		size_t len = strlen(file->d_name);

		if (len > 4 && strcmp(file->d_name + len - 4, ".log") == 0 &&
			strcmp(file->d_name, newest) > 0)
			strcpy(newest, file->d_name);
	}
	closedir(folder);
	assert_true(newest[0]);
	snprintf(out, 512, "%s/%s", f->dir, newest);
}

static void write_log(struct fixture *f, char path[512])
{
	for (uint32_t i = 0; i < LOG_BATCHES; i++)
		put_numbered(&f->store, i);
	store_close(&f->store);
	log_path(path, f);
}

static void flip_bit(const char *path, long at)
{
	FILE *file = fopen(path, "r+b");
	int byte;

	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	byte = fgetc(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	fputc(byte ^ 4, file);
	assert_int_equal(fclose(file), 0);
}

static void a_flipped_bit_in_the_log_is_refused_wherever_it_stands(void **state)
{
	struct fixture *f = *state;
	char path[512], fault[256];

	write_log(f, path);
	for (long i = 0; i < LOG_BATCHES; i++) { /* in the middle of each batch */
		long at = i * (LOG_VALUE_BYTES + 50) + LOG_VALUE_BYTES / 2;

		flip_bit(path, at);
		assert_int_equal(store_rocks_open(&f->store, f->dir, fault), STATUS_CORRUPT);
		assert_non_null(strstr(fault, f->dir));
		assert_non_null(strstr(fault, "sync from peers"));
		flip_bit(path, at);
	}
	open_again(f);
	assert_int_equal(count_numbered(&f->store), LOG_BATCHES);
}

static void a_torn_tail_opens_without_the_last_batch_and_no_other(void **state)
{
	static const long cuts[] = {1, 7, 100, LOG_VALUE_BYTES};

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct fixture *f;
		struct stat before;
		char path[512];

		begin_rocks((void **)&f);
		write_log(f, path);
		assert_int_equal(stat(path, &before), 0);
		assert_int_equal(truncate(path, before.st_size - cuts[i]), 0);
		open_again(f);
		assert_int_equal(count_numbered(&f->store), LOG_BATCHES - 1);
		put_numbered(&f->store, LOG_BATCHES - 1); /* and it can go on */
		store_close(&f->store);
		open_again(f);
		assert_int_equal(count_numbered(&f->store), LOG_BATCHES);
		end((void **)&f);
	}
}

static void kill_9_after_a_synced_write_loses_nothing(void **state)
{
	struct fixture *f = *state;
	int told[2], exited;
	pid_t child;
	char byte;

#ifdef __SANITIZE_THREAD__
	skip(); /* it can't follow a child of a process that has threads */
#endif
	store_close(&f->store);
	assert_int_equal(pipe(told), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char fault[256];

		if (store_rocks_open(&f->store, f->dir, fault) != STATUS_OK)
			_exit(1);
		for (uint32_t i = 0; i < LOG_BATCHES; i++)
			put_numbered(&f->store, i);
		if (write(told[1], "!", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(told[1]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	close(told[0]);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &exited, 0), child);
	assert_true(WIFSIGNALED(exited));
	open_again(f);
	assert_int_equal(count_numbered(&f->store), LOG_BATCHES);
}

static void a_second_process_is_told_that_it_is_busy(void **state)
{
	struct fixture *f = *state;
	struct store second;
	char fault[256];

	assert_int_equal(store_rocks_open(&second, f->dir, fault), STATUS_BUSY);
	assert_non_null(strstr(fault, "another process"));
	put(&f->store, STORE_STATE, "a", "1");
	assert_value(&f->store, NULL, STORE_STATE, "a", "1");
}

static void it_never_starts_empty_over_the_remains_of_a_database(void **state)
{
	struct fixture *f = *state;
	char path[512], fault[256];

	put(&f->store, STORE_STATE, "a", "1");
	store_close(&f->store);
	snprintf(path, sizeof path, "%s/CURRENT", f->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_rocks_open(&f->store, f->dir, fault), STATUS_CORRUPT);
	assert_non_null(strstr(fault, "CURRENT"));
}

static void an_impossible_place_is_an_error_in_words(void **state)
{
	struct store store;
	char fault[256];

	assert_int_equal(store_rocks_open(&store, "/proc/nowhere/db", fault), STATUS_IO);
	assert_non_null(strstr(fault, "/proc/nowhere/db"));
}

#define BOTH(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, begin_mem, end),                                     \
		cmocka_unit_test_setup_teardown(test, begin_rocks, end)
#define MEM(test)   cmocka_unit_test_setup_teardown(test, begin_mem, end)
#define ROCKS(test) cmocka_unit_test_setup_teardown(test, begin_rocks, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_batch_is_written_whole_and_its_later_operations_win),
		BOTH(a_batch_that_ran_out_of_memory_writes_nothing),
		BOTH(has_tells_absence_from_failure),
		BOTH(iteration_keeps_order_and_bounds_in_both_directions),
		BOTH(iteration_passes_over_deleted_keys),
		BOTH(a_snapshot_never_sees_later_writes),
		BOTH(an_iterator_stays_at_the_moment_it_was_made),
		BOTH(values_may_be_empty_hold_zeros_or_be_large),
		BOTH(random_writes_read_as_a_plain_table_would),
		BOTH(it_opens_and_closes_a_hundred_times),
		cmocka_unit_test(a_crash_drops_exactly_the_unsynced_batches),
		MEM(a_synced_batch_makes_the_ones_before_it_durable),
		MEM(told_to_fail_it_changes_nothing),
		ROCKS(a_flipped_bit_in_the_log_is_refused_wherever_it_stands),
		cmocka_unit_test(a_torn_tail_opens_without_the_last_batch_and_no_other),
		ROCKS(kill_9_after_a_synced_write_loses_nothing),
		ROCKS(a_second_process_is_told_that_it_is_busy),
		ROCKS(it_never_starts_empty_over_the_remains_of_a_database),
		cmocka_unit_test(an_impossible_place_is_an_error_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
