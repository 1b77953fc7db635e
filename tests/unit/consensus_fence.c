/* fence: the last thing signed, and what it forbids; what a disk can do to its two slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/fence.h"

static struct fence_record record_of(
	int64_t height, int32_t round, enum fence_step step, uint8_t message)
{
	struct fence_record record;
	memset(&record, 0, sizeof record);
	record.height = height;
	record.round = round;
	record.step = step;
	memset(record.sign_bytes.b, message, sizeof record.sign_bytes.b);
	memset(record.validator.b, 0xaa, sizeof record.validator.b);
	return record;
}

static bool same_record(const struct fence_record *a, const struct fence_record *b)
{
	return a->counter == b->counter && a->height == b->height && a->round == b->round &&
	       a->step == b->step && hash_equal(&a->sign_bytes, &b->sign_bytes) &&
	       memcmp(a->validator.b, b->validator.b, sizeof a->validator.b) == 0 &&
	       a->log_bytes == b->log_bytes;
}

/* As node/disk does it: number it, put it where it belongs. */
static void write_record(uint8_t file[FENCE_FILE_BYTES], struct fence_record *in_force,
	struct fence_record next, uint64_t log_bytes)
{
	fence_follow(&next, in_force, log_bytes);
	fence_encode(file + (size_t)fence_next_slot(in_force) * FENCE_SLOT_BYTES, &next);
	*in_force = next;
}

/* ---- what may be signed ---- */

static void order_of_height_round_step_decides_before_anything_else(void **state)
{
	/* Every relation of two (height, round, step) with values on both sides of each other. */
	enum { N = 3 * 3 * 3 };
	struct fence_record table[N];
	for (int i = 0; i < N; i++) /* ascending in the order of signing */
		table[i] = record_of(5 + i / 9, i / 3 % 3, (enum fence_step)(1 + i % 3), 1);
	for (int last = 0; last < N; last++) {
		for (int wanted = 0; wanted < N; wanted++) {
			struct fence_record other = table[wanted];
			memset(other.sign_bytes.b, 2, sizeof other.sign_bytes.b);
			enum fence_answer same = fence_ask(&table[last], &table[wanted]);
			enum fence_answer different = fence_ask(&table[last], &other);
			if (wanted > last) {
				assert_int_equal(same, FENCE_SIGN);
				assert_int_equal(different, FENCE_SIGN);
			} else if (wanted == last) {
				assert_int_equal(same, FENCE_AGAIN);
				assert_int_equal(different, FENCE_REFUSE);
			} else {
				assert_int_equal(same, FENCE_REFUSE);
				assert_int_equal(different, FENCE_REFUSE);
			}
		}
	}
}

static void one_bit_of_the_message_makes_it_another(void **state)
{
	struct fence_record last = record_of(5, 0, FENCE_PREVOTE, 1);
	for (size_t bit = 0; bit < 256; bit++) {
		struct fence_record wanted = last;
		wanted.sign_bytes.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(fence_ask(&last, &wanted), FENCE_REFUSE);
	}
}

static void who_has_signed_nothing_may_sign_from_the_first_height_on(void **state)
{
	uint8_t file[FENCE_FILE_BYTES];
	struct fence_record nothing;
	fence_fresh(file);
	assert_int_equal(fence_load(&nothing, file), FENCE_WHOLE);
	assert_int_equal(nothing.step, FENCE_NOTHING);
	assert_int_equal(nothing.counter, 0);
	for (int step = FENCE_PROPOSAL; step <= FENCE_PRECOMMIT; step++) {
		struct fence_record first = record_of(1, 0, (enum fence_step)step, 1);
		assert_int_equal(fence_ask(&nothing, &first), FENCE_SIGN);
	}
}

static void greatest_heights_and_rounds_keep_their_order(void **state)
{
	struct fence_record last = record_of(INT64_MAX, INT32_MAX, FENCE_PREVOTE, 1);
	struct fence_record early = record_of(1, 0, FENCE_PRECOMMIT, 1);
	struct fence_record late = record_of(INT64_MAX, INT32_MAX, FENCE_PRECOMMIT, 1);
	assert_int_equal(fence_ask(&last, &early), FENCE_REFUSE);
	assert_int_equal(fence_ask(&early, &last), FENCE_SIGN);
	assert_int_equal(fence_ask(&last, &late), FENCE_SIGN);
}

/* ---- one slot ---- */

static void record_comes_back_as_it_was_written(void **state)
{
	uint8_t slot[FENCE_SLOT_BYTES];
	for (int step = FENCE_NOTHING; step <= FENCE_PRECOMMIT; step++) {
		struct fence_record record = record_of(
					    INT64_MAX, INT32_MAX, (enum fence_step)step, 7),
				    back;
		record.counter = UINT64_MAX;
		record.log_bytes = UINT64_MAX - 1;
		fence_encode(slot, &record);
		assert_int_equal(fence_decode(&back, slot), FENCE_WHOLE);
		assert_true(same_record(&record, &back));
	}
}

static void blank_slot_is_empty(void **state)
{
	uint8_t slot[FENCE_SLOT_BYTES] = {0};
	struct fence_record back;
	assert_int_equal(fence_decode(&back, slot), FENCE_EMPTY);
	slot[FENCE_SLOT_BYTES - 1] = 1;
	assert_int_equal(fence_decode(&back, slot), FENCE_DAMAGED);
}

static void every_flipped_bit_of_a_slot_is_damage(void **state)
{
	uint8_t slot[FENCE_SLOT_BYTES];
	struct fence_record record = record_of(5, 1, FENCE_PREVOTE, 7), back;
	record.counter = 9;
	fence_encode(slot, &record);
	for (size_t bit = 0; bit < FENCE_SLOT_BYTES * 8; bit++) {
		slot[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(fence_decode(&back, slot), FENCE_DAMAGED);
		slot[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void step_that_was_never_defined_is_damage(void **state)
{
	uint8_t slot[FENCE_SLOT_BYTES];
	struct fence_record record = record_of(5, 1, (enum fence_step)4, 7), back;
	fence_encode(slot, &record);
	assert_int_equal(fence_decode(&back, slot), FENCE_DAMAGED);
}

/* ---- two slots ---- */

static void records_take_the_slots_in_turn_and_the_last_is_in_force(void **state)
{
	uint8_t file[FENCE_FILE_BYTES];
	struct fence_record in_force, loaded;
	fence_fresh(file);
	assert_int_equal(fence_load(&in_force, file), FENCE_WHOLE);
	for (uint64_t n = 1; n <= 100; n++) {
		unsigned slot = fence_next_slot(&in_force);
		assert_int_equal(slot, n % 2);
		write_record(
			file, &in_force, record_of((int64_t)n, 0, FENCE_PREVOTE, (uint8_t)n), n);
		assert_int_equal(in_force.counter, n);
		assert_int_equal(fence_load(&loaded, file), FENCE_WHOLE);
		assert_true(same_record(&in_force, &loaded));
	}
}

static void write_torn_at_any_byte_leaves_the_record_before_or_the_new_one(void **state)
{
	uint8_t before[FENCE_FILE_BYTES], after[FENCE_FILE_BYTES], torn[FENCE_FILE_BYTES];
	struct fence_record in_force, loaded;
	fence_fresh(before);
	assert_int_equal(fence_load(&in_force, before), FENCE_WHOLE);
	for (unsigned n = 1; n <= 4; n++) { /* the very first, and over older records */
		struct fence_record older = in_force;
		memcpy(after, before, sizeof after);
		size_t at = (size_t)fence_next_slot(&in_force) * FENCE_SLOT_BYTES;
		write_record(after, &in_force, record_of(n, 0, FENCE_PREVOTE, (uint8_t)n), 0);
		for (size_t cut = 0; cut <= FENCE_SLOT_BYTES; cut++) {
			for (unsigned rest = 0; rest < 3; rest++) { /* old bytes, zeros, noise */
				memcpy(torn, before, sizeof torn);
				memcpy(torn + at, after + at, cut);
				if (rest > 0)
					memset(torn + at + cut, rest == 1 ? 0 : 0x5a,
						FENCE_SLOT_BYTES - cut);
				assert_int_equal(fence_load(&loaded, torn), FENCE_WHOLE);
				bool old = same_record(&loaded, &older);
				assert_true(old || same_record(&loaded, &in_force));
				assert_true(cut < FENCE_SLOT_BYTES || !old);
			}
		}
		memcpy(before, after, sizeof before);
	}
}

static void file_without_a_whole_slot_forbids_signing(void **state)
{
	uint8_t file[FENCE_FILE_BYTES] = {0};
	struct fence_record loaded;
	assert_int_equal(fence_load(&loaded, file), FENCE_EMPTY);
	fence_fresh(file);
	file[100] ^= 1;
	assert_int_equal(fence_load(&loaded, file), FENCE_DAMAGED);
	file[FENCE_SLOT_BYTES] ^= 1;
	assert_int_equal(fence_load(&loaded, file), FENCE_DAMAGED);
	assert_int_equal(loaded.step, FENCE_NOTHING);
}

static void record_in_the_wrong_slot_is_damage(void **state)
{
	uint8_t file[FENCE_FILE_BYTES] = {0};
	struct fence_record record = record_of(5, 0, FENCE_PREVOTE, 1), loaded;
	record.counter = 4;
	fence_encode(file + FENCE_SLOT_BYTES, &record);
	assert_int_equal(fence_load(&loaded, file), FENCE_DAMAGED);
	fence_encode(file, &record);
	assert_int_equal(fence_load(&loaded, file), FENCE_WHOLE);
	assert_int_equal(loaded.counter, 4);
}

/* ---- the log that a signature stands on ---- */

static void records_of_one_height_never_stand_on_less_of_the_log(void **state)
{
	struct fence_record in_force = record_of(5, 0, FENCE_PRECOMMIT, 1);
	in_force.log_bytes = 700;
	struct fence_record next = record_of(5, 1, FENCE_PREVOTE, 1);
	fence_follow(&next, &in_force, 300); /* after a restart, before the first sync */
	assert_int_equal(next.log_bytes, 700);
	fence_follow(&next, &in_force, 900);
	assert_int_equal(next.log_bytes, 900);
	struct fence_record higher = record_of(6, 0, FENCE_PROPOSAL, 1);
	fence_follow(&higher, &in_force, 0); /* another height, another log */
	assert_int_equal(higher.log_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_of_height_round_step_decides_before_anything_else),
		cmocka_unit_test(one_bit_of_the_message_makes_it_another),
		cmocka_unit_test(who_has_signed_nothing_may_sign_from_the_first_height_on),
		cmocka_unit_test(greatest_heights_and_rounds_keep_their_order),
		cmocka_unit_test(record_comes_back_as_it_was_written),
		cmocka_unit_test(blank_slot_is_empty),
		cmocka_unit_test(every_flipped_bit_of_a_slot_is_damage),
		cmocka_unit_test(step_that_was_never_defined_is_damage),
		cmocka_unit_test(records_take_the_slots_in_turn_and_the_last_is_in_force),
		cmocka_unit_test(write_torn_at_any_byte_leaves_the_record_before_or_the_new_one),
		cmocka_unit_test(file_without_a_whole_slot_forbids_signing),
		cmocka_unit_test(record_in_the_wrong_slot_is_damage),
		cmocka_unit_test(records_of_one_height_never_stand_on_less_of_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
