/* node/waits: against a list that does the obvious thing, and with callbacks that change the table
 * while it is being walked. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/endian.h"
#include "node/waits.h"

static struct waits waits;

static int set_up(void **state)
{
	waits_init(&waits);
	return 0;
}

/* Few hashes, and many of them in one bucket. */
static struct hash32 hash_of(uint32_t number)
{
	struct hash32 hash = {{0}};
	put_u32be(hash.b, number % 3 + number % 2 * WAITS_BUCKETS);
	put_u32be(hash.b + 28, number);
	return hash;
}

/* ---- the model: every wait ever asked for, and what became of it ---- */

enum { PEOPLE = 40 };

struct asked {
	uint32_t hash;
	uint64_t deadline_ms;
	unsigned person;
};

struct person {
	unsigned calls_included, calls_expired;
	int64_t last_height;
	uint32_t last_index;
};

static struct asked model[WAITS_MAX];
static size_t model_count;
static struct person people[PEOPLE];
static struct person wanted[PEOPLE];

static void on_include(void *ctx, const struct view_included *outcome)
{
	struct person *person = ctx;
	if (outcome->height == 0) {
		person->calls_expired++;
	} else {
		person->calls_included++;
		person->last_height = outcome->height;
		person->last_index = outcome->index;
	}
}

static void model_take(size_t i)
{
	model[i] = model[--model_count];
}

static void model_included(uint32_t hash, int64_t height, uint32_t index)
{
	for (size_t i = 0; i < model_count;) {
		if (model[i].hash != hash) {
			i++;
			continue;
		}
		struct person *person = &wanted[model[i].person];
		person->calls_included++;
		person->last_height = height;
		person->last_index = index;
		model_take(i);
	}
}

static void model_expire(uint64_t now_ms)
{
	for (size_t i = 0; i < model_count;) {
		if (model[i].deadline_ms > now_ms) {
			i++;
			continue;
		}
		wanted[model[i].person].calls_expired++;
		model_take(i);
	}
}

static void model_cancel(unsigned person)
{
	for (size_t i = 0; i < model_count;) {
		if (model[i].person == person)
			model_take(i);
		else
			i++;
	}
}

static uint64_t model_next_ms(void)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < model_count; i++) {
		if (model[i].deadline_ms < next)
			next = model[i].deadline_ms;
	}
	return next;
}

static uint64_t seed = 42;

static uint32_t dice(uint32_t sides)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % sides;
}

static void the_table_agrees_with_a_naive_list(void **state)
{
	uint64_t now_ms = 1000;
	memset(people, 0, sizeof people);
	memset(wanted, 0, sizeof wanted);
	model_count = 0;
	bool was_full = false;
	for (int step = 0; step < 60000; step++) {
		uint32_t act = dice(100);
		if (act < (step < 8000 ? 97 : 60)) {
			struct asked a = {dice(500), now_ms + dice(2000), dice(PEOPLE)};
			struct hash32 hash = hash_of(a.hash);
			bool full = model_count == WAITS_MAX;
			was_full |= full;
			assert_int_equal(waits_add(&waits, &hash, a.deadline_ms, on_include,
						 &people[a.person]),
				full ? STATUS_BUSY : STATUS_OK);
			if (!full)
				model[model_count++] = a;
		} else if (act < 90) {
			uint32_t number = dice(500);
			struct hash32 hash = hash_of(number);
			waits_included(&waits, &hash, step + 1, number);
			model_included(number, step + 1, number);
		} else if (act < 98) {
			now_ms += dice(step < 8000 ? 2 : 40);
			waits_expire(&waits, now_ms);
			model_expire(now_ms);
			assert_true(waits_next_ms(&waits) > now_ms);
		} else if (step > 8000) {
			unsigned person = dice(PEOPLE);
			waits_cancel(&waits, on_include, &people[person]);
			model_cancel(person);
		}
		assert_int_equal(waits.count, model_count);
		if (step % 64 == 0)
			assert_true(waits_next_ms(&waits) <= model_next_ms());
		if (step % 512 == 0)
			assert_memory_equal(people, wanted, sizeof people);
	}
	assert_true(was_full);
	waits_expire(&waits, UINT64_MAX);
	model_expire(UINT64_MAX);
	assert_memory_equal(people, wanted, sizeof people);
	assert_int_equal(waits.count, 0);
	assert_true(waits_next_ms(&waits) == UINT64_MAX);
}

/* ---- callbacks that change the table ---- */

struct meddler {
	uint32_t hash, other;
	int adds; /* left */
	unsigned calls;
	struct meddler *victim;
	uint64_t deadline_ms;
};

static void on_meddle(void *ctx, const struct view_included *outcome)
{
	struct meddler *m = ctx;
	m->calls++;
	if (m->victim)
		waits_cancel(&waits, on_meddle, m->victim);
	if (m->adds > 0) {
		m->adds--;
		struct hash32 hash = hash_of(m->other);
		assert_int_equal(waits_add(&waits, &hash, m->deadline_ms, on_meddle, m), STATUS_OK);
	}
}

static void add(struct meddler *m, uint64_t deadline_ms)
{
	struct hash32 hash = hash_of(m->hash);
	assert_int_equal(waits_add(&waits, &hash, deadline_ms, on_meddle, m), STATUS_OK);
}

static void a_wait_added_inside_for_the_same_hash_is_called_too(void **state)
{
	struct meddler m = {.hash = 6, .other = 6, .adds = 1, .deadline_ms = 99};
	struct hash32 hash = hash_of(6);
	add(&m, 99);
	waits_included(&waits, &hash, 7, 0);
	assert_int_equal(m.calls, 2);
	assert_int_equal(waits.count, 0);
}

static void a_wait_added_inside_for_its_bucket_stays(void **state)
{
	struct meddler m = {.hash = 6, .other = 12, .adds = 1, .deadline_ms = 99};
	struct hash32 hash = hash_of(6), other = hash_of(12);
	add(&m, 99);
	waits_included(&waits, &hash, 7, 0);
	assert_int_equal(m.calls, 1);
	assert_int_equal(waits.count, 1);
	waits_included(&waits, &other, 8, 0);
	assert_int_equal(m.calls, 2);
	assert_int_equal(waits.count, 0);
}

static void a_wait_cancelled_inside_is_not_called(void **state)
{
	for (int order = 0; order < 2; order++) {
		struct meddler a = {.hash = 6}, b = {.hash = 6};
		a.victim = &b;
		b.victim = &a;
		add(order ? &a : &b, 99);
		add(order ? &b : &a, 99);
		struct hash32 hash = hash_of(6);
		waits_included(&waits, &hash, 7, 0);
		assert_int_equal(a.calls + b.calls, 1);
		assert_int_equal(waits.count, 0);
	}
}

static void a_cancel_inside_reaches_every_bucket(void **state)
{
	struct meddler a = {.hash = 6}, b = {.hash = 1};
	a.victim = &b;
	for (int i = 0; i < 10; i++) {
		b.hash = (uint32_t)i;
		add(&b, 99);
	}
	add(&a, 10);
	waits_expire(&waits, 10);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	assert_int_equal(waits.count, 0);
}

static void a_wait_added_while_others_expire_is_kept(void **state)
{
	struct meddler m = {.hash = 6, .other = 6, .adds = 1, .deadline_ms = 50};
	add(&m, 10);
	waits_expire(&waits, 10);
	assert_int_equal(m.calls, 1);
	assert_int_equal(waits.count, 1);
	assert_true(waits_next_ms(&waits) == 50);
	waits_expire(&waits, 49);
	assert_int_equal(m.calls, 1);
	waits_expire(&waits, 50);
	assert_int_equal(m.calls, 2);
}

static void a_full_table_has_room_again_inside_a_callback(void **state)
{
	struct meddler filler = {.hash = 1}, m = {.hash = 6, .other = 2, .adds = 1};
	m.deadline_ms = 99;
	for (size_t i = 0; i + 1 < WAITS_MAX; i++)
		add(&filler, 99);
	add(&m, 10);
	struct hash32 hash = hash_of(3);
	assert_int_equal(waits_add(&waits, &hash, 9, on_meddle, &m), STATUS_BUSY);
	waits_expire(&waits, 10);
	assert_int_equal(m.calls, 1);
	assert_int_equal(waits.count, WAITS_MAX);
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		CLAIM(the_table_agrees_with_a_naive_list),
		CLAIM(a_wait_added_inside_for_the_same_hash_is_called_too),
		CLAIM(a_wait_added_inside_for_its_bucket_stays),
		CLAIM(a_wait_cancelled_inside_is_not_called),
		CLAIM(a_cancel_inside_reaches_every_bucket),
		CLAIM(a_wait_added_while_others_expire_is_kept),
		CLAIM(a_full_table_has_room_again_inside_a_callback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
