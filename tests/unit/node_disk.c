/* node/disk: the fence is durable, alternates its slots and knows when it can't be trusted; the log
 * reads back what was pushed. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/disk.h"
#include "tests/unit/node_place.h"

struct desk {
	struct place place;
	struct disk disk;
	char fault[NODE_FAULT_BYTES];
};

static int set_up(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	place_make(&d->place);
	assert_int_equal(disk_make_fence(d->place.dir, d->fault), STATUS_OK);
	assert_int_equal(disk_open(&d->disk, d->place.dir, d->fault), STATUS_OK);
	*state = d;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *d = *state;
	disk_close(&d->disk);
	place_remove(&d->place);
	free(d);
	return 0;
}

static enum status reopen(struct desk *d)
{
	disk_close(&d->disk);
	d->fault[0] = 0;
	return disk_open(&d->disk, d->place.dir, d->fault);
}

/* ---- the fence ---- */

static struct fence_record record_of(int64_t height)
{
	struct fence_record record = {.height = height, .round = 1, .step = FENCE_PREVOTE};
	memset(record.sign_bytes.b, (int)height, sizeof record.sign_bytes.b);
	memset(record.validator.b, 0x5a, sizeof record.validator.b);
	return record;
}

static void sign(struct desk *d, int64_t height)
{
	struct fence_record record = record_of(height);
	assert_int_equal(disk_fence_write(&d->disk, &record), STATUS_OK);
}

static void read_fence(struct desk *d, uint8_t out[FENCE_FILE_BYTES])
{
	assert_int_equal(place_read(&d->place, "fence", out, FENCE_FILE_BYTES), FENCE_FILE_BYTES);
}

static void spoil_slot(struct desk *d, unsigned slot)
{
	uint8_t file[FENCE_FILE_BYTES];
	read_fence(d, file);
	file[slot * FENCE_SLOT_BYTES + 40] ^= 1;
	place_write(&d->place, "fence", file, sizeof file);
}

static void a_fresh_home_gets_a_blank_fence_for_its_owner_alone(void **state)
{
	struct desk *d = *state;
	assert_int_equal(place_mode(&d->place, "fence"), 0600);
	assert_int_equal(place_mode(&d->place, "consensus.log"), 0600);
	assert_int_equal(d->disk.fence.step, FENCE_NOTHING);
	assert_int_equal(reopen(d), STATUS_OK);
}

static void the_fence_survives_a_reopen(void **state)
{
	struct desk *d = *state;
	for (int64_t height = 1; height <= 5; height++) {
		sign(d, height);
		assert_int_equal(reopen(d), STATUS_OK);
		struct fence_record wanted = record_of(height);
		assert_int_equal(d->disk.fence.counter, (uint64_t)height);
		assert_int_equal(d->disk.fence.height, height);
		assert_int_equal(d->disk.fence.round, wanted.round);
		assert_int_equal(d->disk.fence.step, wanted.step);
		assert_true(hash_equal(&d->disk.fence.sign_bytes, &wanted.sign_bytes));
		assert_memory_equal(&d->disk.fence.validator, &wanted.validator, 20);
		assert_int_equal(fence_ask(&d->disk.fence, &wanted), FENCE_AGAIN);
	}
}

static void a_write_never_touches_the_record_in_force(void **state)
{
	struct desk *d = *state;
	uint8_t before[FENCE_FILE_BYTES], after[FENCE_FILE_BYTES];
	sign(d, 1);
	for (int64_t height = 2; height < 8; height++) {
		unsigned in_force = (unsigned)d->disk.fence.counter % 2;
		read_fence(d, before);
		sign(d, height);
		read_fence(d, after);
		size_t kept = in_force * FENCE_SLOT_BYTES, other = FENCE_SLOT_BYTES - kept;
		assert_memory_equal(before + kept, after + kept, FENCE_SLOT_BYTES);
		assert_memory_not_equal(before + other, after + other, FENCE_SLOT_BYTES);
	}
}

static void a_torn_write_leaves_the_record_before_it(void **state)
{
	struct desk *d = *state;
	sign(d, 1);
	sign(d, 2);
	uint8_t before[FENCE_FILE_BYTES], after[FENCE_FILE_BYTES];
	read_fence(d, before);
	sign(d, 3);
	read_fence(d, after);
	size_t at = (d->disk.fence.counter % 2) * FENCE_SLOT_BYTES;
	for (size_t torn = 1; torn < FENCE_SLOT_BYTES; torn += 17) {
		uint8_t file[FENCE_FILE_BYTES];
		memcpy(file, before, sizeof file);
		memcpy(file + at, after + at, torn);
		if (memcmp(file, after, sizeof file) == 0)
			continue; /* what is left of the slot was the same before */
		place_write(&d->place, "fence", file, sizeof file);
		assert_int_equal(reopen(d), STATUS_OK);
		assert_int_equal(d->disk.fence.height, 2);
	}
	sign(d, 4);
	assert_int_equal(reopen(d), STATUS_OK);
	assert_int_equal(d->disk.fence.height, 4);
}

static void assert_unknown(struct desk *d)
{
	assert_int_equal(reopen(d), STATUS_OK);
	assert_false(d->disk.fence_known);
	assert_int_equal(d->disk.fence.height, 0);
}

static void a_fence_without_a_whole_slot_is_unknown(void **state)
{
	struct desk *d = *state;
	sign(d, 1);
	sign(d, 2);
	spoil_slot(d, 0);
	assert_int_equal(reopen(d), STATUS_OK);
	assert_true(d->disk.fence_known);
	spoil_slot(d, 1);
	assert_unknown(d);
}

static void a_fence_of_another_length_is_unknown(void **state)
{
	struct desk *d = *state;
	sign(d, 1);
	assert_int_equal(truncate(place_path(&d->place, "fence"), FENCE_FILE_BYTES - 1), 0);
	assert_unknown(d);
	assert_int_equal(truncate(place_path(&d->place, "fence"), 0), 0);
	assert_unknown(d);
}

/* Else a start of a wiped home would look like the first one. */
static void nobody_makes_a_fence_by_opening_a_home_without_one(void **state)
{
	struct desk *d = *state;
	sign(d, 1);
	assert_int_equal(unlink(place_path(&d->place, "fence")), 0);
	assert_unknown(d);
	assert_false(place_has(&d->place, "fence"));
}

static void a_home_that_has_a_fence_gets_no_second_one(void **state)
{
	struct desk *d = *state;
	sign(d, 1);
	assert_int_equal(disk_make_fence(d->place.dir, d->fault), STATUS_BUSY);
	assert_int_equal(reopen(d), STATUS_OK);
	assert_int_equal(d->disk.fence.height, 1);
}

static void the_first_record_after_a_lost_fence_is_a_whole_new_file(void **state)
{
	struct desk *d = *state;
	static const uint8_t rubbish[700] = {7};
	place_write(&d->place, "fence", rubbish, sizeof rubbish);
	place_write(&d->place, "fence.new", rubbish, sizeof rubbish); /* a crash left it */
	assert_unknown(d);
	for (int64_t height = 5; height < 8; height++) {
		sign(d, height);
		assert_int_equal(reopen(d), STATUS_OK);
		assert_true(d->disk.fence_known);
		assert_int_equal(d->disk.fence.height, height);
	}
	assert_int_equal(place_mode(&d->place, "fence"), 0600);
	assert_false(place_has(&d->place, "fence.new"));
}

static void a_fence_that_cannot_be_opened_is_not_called_missing(void **state)
{
	struct desk *d = *state;
	assert_int_equal(unlink(place_path(&d->place, "fence")), 0);
	assert_int_equal(mkdir(place_path(&d->place, "fence"), 0700), 0);
	enum status status = reopen(d);
	assert_true(status != STATUS_OK && status != STATUS_NOT_FOUND);
	assert_null(strstr(d->fault, "missing"));
}

/* ---- the log ---- */

static void append(struct desk *d, const char *text)
{
	disk_log_append(&d->disk, bytes_of_text(text));
}

static void assert_log(struct desk *d, const char *text)
{
	struct buf log = {0};
	assert_int_equal(disk_log_read(&d->disk, &log, d->fault), STATUS_OK);
	assert_string_equal(buf_text(&log), text);
	buf_fini(&log);
}

static void what_was_pushed_is_read_back_in_order(void **state)
{
	struct desk *d = *state;
	assert_log(d, "");
	append(d, "one,");
	append(d, "two,");
	assert_log(d, ""); /* held in memory */
	assert_int_equal(disk_log_push(&d->disk), STATUS_OK);
	assert_log(d, "one,two,");
	append(d, "three");
	assert_int_equal(disk_log_sync(&d->disk), STATUS_OK);
	assert_int_equal(disk_log_sync(&d->disk), STATUS_OK);
	assert_log(d, "one,two,three");
	assert_int_equal(reopen(d), STATUS_OK);
	assert_log(d, "one,two,three");
}

static void what_was_not_pushed_is_gone(void **state)
{
	struct desk *d = *state;
	append(d, "lost");
	assert_int_equal(reopen(d), STATUS_OK);
	assert_log(d, "");
}

static void a_cut_log_goes_on_where_it_was_cut(void **state)
{
	struct desk *d = *state;
	append(d, "whole,torn");
	assert_int_equal(disk_log_push(&d->disk), STATUS_OK);
	assert_int_equal(disk_log_cut(&d->disk, 6), STATUS_OK);
	append(d, "next");
	assert_int_equal(disk_log_sync(&d->disk), STATUS_OK);
	assert_log(d, "whole,next");
	assert_int_equal(reopen(d), STATUS_OK);
	assert_log(d, "whole,next");
}

static void a_reset_forgets_what_was_written_and_what_was_pending(void **state)
{
	struct desk *d = *state;
	append(d, "old");
	assert_int_equal(disk_log_push(&d->disk), STATUS_OK);
	append(d, "pending");
	assert_int_equal(disk_log_reset(&d->disk), STATUS_OK);
	assert_int_equal(disk_log_sync(&d->disk), STATUS_OK);
	assert_log(d, "");
	append(d, "new");
	assert_int_equal(disk_log_push(&d->disk), STATUS_OK);
	assert_int_equal(reopen(d), STATUS_OK);
	assert_log(d, "new");
}

/* ---- a full disk ---- */

static int push_too_much(void *ctx)
{
	struct desk *d = ctx;
	static uint8_t much[8192];
	disk_log_append(&d->disk, bytes_view(much, sizeof much));
	return disk_log_push(&d->disk) == STATUS_OK ? 1 : 0;
}

static int append_too_much(void *ctx)
{
	struct desk *d = ctx;
	static uint8_t much[1024 * 1024];
	for (int i = 0; i < 257; i++)
		disk_log_append(&d->disk, bytes_view(much, sizeof much));
	return disk_log_push(&d->disk) == STATUS_NO_MEMORY ? 0 : 1;
}

static int fence_past_the_end(void *ctx)
{
	struct desk *d = ctx;
	struct fence_record record = record_of(2);
	enum status status = disk_fence_write(&d->disk, &record);
	/* What could not be made durable is not what the node believes either. */
	return status != STATUS_OK && d->disk.fence.height == 1 ? 0 : 1;
}

static void a_log_that_the_disk_refuses_is_an_error_and_no_abort(void **state)
{
	struct desk *d = *state;
	assert_int_equal(place_full(4096, push_too_much, d), 0);
	assert_int_equal(append_too_much(d), 0);
}

static void a_fence_that_the_disk_refuses_keeps_the_last_record(void **state)
{
	struct desk *d = *state;
	sign(d, 1); /* in slot 1; the next goes to slot 0 */
	disk_close(&d->disk);
	assert_int_equal(disk_open(&d->disk, d->place.dir, d->fault), STATUS_OK);
	assert_int_equal(place_full(0, fence_past_the_end, d), 0);
	assert_int_equal(reopen(d), STATUS_OK);
	assert_int_equal(d->disk.fence.height, 1);
}

static int renew(void *ctx)
{
	struct desk *d = ctx;
	struct fence_record record = record_of(1);
	enum status status = disk_fence_write(&d->disk, &record);
	return status != STATUS_OK && !d->disk.fence_known ? 0 : 1;
}

static void a_home_that_has_no_room_for_a_fence_signs_nothing(void **state)
{
	struct desk *d = *state;
	assert_int_equal(unlink(place_path(&d->place, "fence")), 0);
	assert_unknown(d);
	assert_int_equal(place_full(100, renew, d), 0);
	assert_unknown(d);
	assert_false(place_has(&d->place, "fence"));
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CLAIM(a_fresh_home_gets_a_blank_fence_for_its_owner_alone),
		CLAIM(the_fence_survives_a_reopen),
		CLAIM(a_write_never_touches_the_record_in_force),
		CLAIM(a_torn_write_leaves_the_record_before_it),
		CLAIM(a_fence_without_a_whole_slot_is_unknown),
		CLAIM(a_fence_of_another_length_is_unknown),
		CLAIM(nobody_makes_a_fence_by_opening_a_home_without_one),
		CLAIM(a_home_that_has_a_fence_gets_no_second_one),
		CLAIM(the_first_record_after_a_lost_fence_is_a_whole_new_file),
		CLAIM(a_fence_that_cannot_be_opened_is_not_called_missing),
		CLAIM(what_was_pushed_is_read_back_in_order),
		CLAIM(what_was_not_pushed_is_gone),
		CLAIM(a_cut_log_goes_on_where_it_was_cut),
		CLAIM(a_reset_forgets_what_was_written_and_what_was_pending),
		CLAIM(a_log_that_the_disk_refuses_is_an_error_and_no_abort),
		CLAIM(a_fence_that_the_disk_refuses_keeps_the_last_record),
		CLAIM(a_home_that_has_no_room_for_a_fence_signs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
