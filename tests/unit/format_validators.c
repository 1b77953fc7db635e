/* Validator sets: canonical order, hash, rotation against CometBFT's sequences, changes, disk. */
#include "tests/unit/vectors.h"

#include <string.h>

#include "chain/format/validators.h"

static json_t *all;

static int load(void **state)
{
	static const uint8_t seed[32] = {1};

	(void)state;
	all = vectors_load("comet_format.json");
	return keys_start(seed) ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	vectors_free_all();
	json_decref(all);
	return 0;
}

static void a_set_hashes_as_in_cometbft(void **state)
{
	json_t *v = json_array_get(vectors_member(all, "validators"), 0), *m;
	struct validator_power members[8];
	struct validator_set set;
	size_t i;

	json_array_foreach(vectors_member(v, "members"), i, m)
	{
		memcpy(members[i].key.b, vectors_bytes(m, "key").data, sizeof members[i].key.b);
		members[i].power = vectors_int(m, "power");
	}
	assert_int_equal(validator_set_make(&set, members, i), VALIDATORS_OK);
	assert_hash_equal(validators_hash(&set), vectors_hash(v, "hash"), "validators");
}

/* A set with addresses 0, 1, 2 ... as the known sequences have them, with equal priorities, in
 * canonical order. place[i] is where member i went. */
static void plain_set(struct validator_set *set, size_t place[], const json_t *powers)
{
	size_t count = json_array_size(powers);

	memset(set, 0, sizeof *set);
	set->count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		int64_t power = json_integer_value(json_array_get(powers, i));

		place[i] = 0;
		for (size_t j = 0; j < count; j++) {
			int64_t other = json_integer_value(json_array_get(powers, j));

			place[i] += other > power || (other == power && j < i);
		}
		set->v[place[i]].address.b[19] = (uint8_t)i;
		set->v[place[i]].power = power;
		set->total_power += power;
	}
}

static void turns_go_round_as_in_cometbft(void **state)
{
	json_t *v, *who;
	size_t i, j;

	json_array_foreach(vectors_member(vectors_member(all, "rotation"), "sequences"), i, v)
	{
		struct validator_set set;
		size_t place[8], counts[8] = {0}, rounds;

		plain_set(&set, place, vectors_member(v, "powers"));
		validator_set_increment(&set, 1);
		rounds = json_array_size(vectors_member(v, "sequence"));
		if (json_object_get(v, "rounds"))
			rounds = (size_t)vectors_int(v, "rounds");
		for (j = 0; j < rounds; j++) {
			uint8_t proposer = validator_set_proposer(&set)->address.b[19];

			who = json_array_get(vectors_member(v, "sequence"), j);
			if (who && json_integer_value(who) != proposer)
				fail_msg("%s: turn %zu is %u's", vectors_text(v, "name"), j,
					proposer);
			counts[proposer]++;
			validator_set_increment(&set, 1);
		}
		json_array_foreach(json_object_get(v, "counts"), j, who)
		{
			assert_int_equal(counts[j], json_integer_value(who));
		}
	}
}

static void priorities_move_as_in_cometbft(void **state)
{
	json_t *v = vectors_member(all, "rotation"), *row, *priority;
	size_t i, j;

	json_array_foreach(vectors_member(v, "rows"), i, row)
	{
		struct validator_set set;
		size_t place[8];

		plain_set(&set, place, vectors_member(v, "powers"));
		validator_set_increment(&set, (int32_t)vectors_int(row, "times"));
		json_array_foreach(vectors_member(row, "priorities"), j, priority)
		{
			assert_int_equal(set.v[place[j]].priority, json_integer_value(priority));
		}
		assert_int_equal(set.proposer, place[vectors_int(row, "proposer")]);
	}
}

static struct validator_power member(uint8_t id, int64_t power)
{
	struct validator_power m = {{{0}}, power};

	memset(m.key.b, id, sizeof m.key.b);
	return m;
}

static void equal_authorities_take_turns_by_address(void **state)
{
	for (uint8_t n = 1; n <= 7; n++) {
		struct validator_power members[7];
		struct validator_set set;

		for (uint8_t i = 0; i < n; i++)
			members[i] = member(i, 10);
		assert_int_equal(validator_set_make(&set, members, n), VALIDATORS_OK);
		for (uint32_t i = 1; i < n; i++)
			assert_true(memcmp(set.v[i - 1].address.b, set.v[i].address.b, 20) < 0);
		for (uint32_t height = 0; height < 50; height++) {
			for (int32_t round = 1; round < 4; round++) {
				struct validator_set copy = set;

				validator_set_increment(&copy, round);
				assert_int_equal(copy.proposer, (height + (uint32_t)round) % n);
			}
			assert_int_equal(set.proposer, height % n);
			validator_set_increment(&set, 1);
		}
	}
}

static int64_t priority_sum(const struct validator_set *set)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < set->count; i++)
		sum += set->v[i].priority;
	return sum;
}

static void powers_near_the_bound_do_not_overflow(void **state)
{
	struct validator_power members[VALIDATORS_MAX];
	struct validator_set set;

	for (size_t i = 0; i < VALIDATORS_MAX; i++)
		members[i] = member(
			(uint8_t)i, i == 0 ? VALIDATORS_POWER_MAX - (VALIDATORS_MAX - 1) : 1);
	assert_int_equal(validator_set_make(&set, members, VALIDATORS_MAX), VALIDATORS_OK);
	for (int i = 0; i < 1000; i++) {
		validator_set_increment(&set, 1);
		for (uint32_t j = 0; j < set.count; j++) {
			assert_true(set.v[j].priority <= 2 * VALIDATORS_POWER_MAX);
			assert_true(set.v[j].priority >= -2 * VALIDATORS_POWER_MAX);
		}
	}
	members[1].power = 2;
	assert_int_equal(validator_set_make(&set, members, VALIDATORS_MAX), VALIDATORS_OVERFLOW);
}

static void a_newcomer_starts_behind_everyone(void **state)
{
	struct validator_power members[3] = {member(1, 10), member(2, 10), member(3, 10)};
	struct validator_power newcomer = member(4, 10);
	struct validator_address address = validator_address_of(&newcomer.key);
	struct validator_set set;
	int at;

	assert_int_equal(validator_set_make(&set, members, 3), VALIDATORS_OK);
	/* Proposers before: 0; priorities -20 10 10, sum 0. The newcomer comes with -(40 + 5) =
	 * -45, then the average floor(-45/4) = -12 is taken off. The span 55 is within 80. */
	assert_int_equal(validator_set_update(&set, &newcomer, 1), VALIDATORS_OK);
	at = validator_set_find(&set, &address);
	assert_true(at >= 0);
	assert_int_equal(set.v[at].priority, -45 + 12);
	assert_int_equal(set.total_power, 40);
	assert_int_equal(priority_sum(&set), -45 + 4 * 12);
	validator_set_increment(&set, 1);
	assert_true(set.proposer != (uint32_t)at);
}

static void leaving_counts_towards_a_newcomers_start(void **state)
{
	struct validator_power members[2] = {member(1, 10), member(2, 30)};
	struct validator_power changes[2] = {member(2, 0), member(3, 10)};
	struct validator_address address = validator_address_of(&changes[1].key);
	struct validator_set set;

	/* Made: all 0, then +10 +30, the second chosen: 10, -10. The change: total before removals
	 * is 10 + 30 + 10 = 50, so the newcomer's -56 stands with 10: span 66 over 2 * 20, divided
	 * by ceil(66 / 40) = 2: 5 and -28; the average floor(-23 / 2) = -12 is taken off: 17 and
	 * -16. */
	assert_int_equal(validator_set_make(&set, members, 2), VALIDATORS_OK);
	assert_int_equal(validator_set_update(&set, changes, 2), VALIDATORS_OK);
	assert_int_equal(set.count, 2);
	assert_int_equal(set.total_power, 20);
	assert_int_equal(set.v[validator_set_find(&set, &address)].priority, -16);
	assert_int_equal(priority_sum(&set), 1);
}

static void a_change_of_power_keeps_the_priority_and_moves_the_place(void **state)
{
	struct validator_power members[3] = {member(1, 30), member(2, 20), member(3, 10)};
	struct validator_power change = member(3, 40);
	struct validator_set set;

	assert_int_equal(validator_set_make(&set, members, 3), VALIDATORS_OK);
	assert_memory_equal(set.v[2].key.b, change.key.b, 32);
	assert_int_equal(set.v[2].priority, 10);
	assert_int_equal(validator_set_update(&set, &change, 1), VALIDATORS_OK);
	assert_memory_equal(set.v[0].key.b, change.key.b, 32);
	assert_int_equal(set.v[0].power, 40);
	assert_int_equal(set.v[0].priority, 10);
	assert_int_equal(set.total_power, 90);
}

static void a_bad_change_is_refused_and_changes_nothing(void **state)
{
	struct validator_power members[2] = {member(1, 10), member(2, 30)};
	struct validator_power many[VALIDATORS_MAX];
	const struct {
		struct validator_power changes[2];
		size_t count;
		enum validators_verdict verdict;
	} table[] = {
		{{member(1, 5), member(1, 6)}, 2, VALIDATORS_DUPLICATE},
		{{member(1, -1)}, 1, VALIDATORS_BAD_POWER},
		{{member(9, 0)}, 1, VALIDATORS_UNKNOWN},
		{{member(1, 0), member(2, 0)}, 2, VALIDATORS_EMPTY},
		{{member(3, VALIDATORS_POWER_MAX)}, 1, VALIDATORS_OVERFLOW},
		{{member(3, INT64_MAX)}, 1, VALIDATORS_OVERFLOW},
		{{member(2, 0), member(3, VALIDATORS_POWER_MAX - 20)}, 2, VALIDATORS_OVERFLOW},
	};
	struct validator_set set, before;

	assert_int_equal(validator_set_make(&set, members, 2), VALIDATORS_OK);
	before = set;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_int_equal(validator_set_update(&set, table[i].changes, table[i].count),
			table[i].verdict);
		assert_memory_equal(&set, &before, sizeof set);
	}
	for (size_t i = 0; i < VALIDATORS_MAX; i++)
		many[i] = member((uint8_t)(i + 100), 1);
	assert_int_equal(validator_set_update(&set, many, VALIDATORS_MAX - 1), VALIDATORS_TOO_MANY);
	assert_memory_equal(&set, &before, sizeof set);
	assert_int_equal(validator_set_make(&set, members, 0), VALIDATORS_EMPTY);
	members[0].power = 0;
	assert_int_equal(validator_set_make(&set, members, 2), VALIDATORS_BAD_POWER);
	assert_int_equal(validator_set_update(&set, NULL, 0), VALIDATORS_OK);
}

static void a_set_survives_the_disk(void **state)
{
	struct validator_power members[5];
	struct validator_set set, back;
	Pb__ValidatorSet *pb;
	struct arena arena;

	for (uint8_t i = 0; i < 5; i++)
		members[i] = member(i, 10 + i % 3);
	assert_int_equal(validator_set_make(&set, members, 5), VALIDATORS_OK);
	validator_set_increment(&set, 3);
	arena_init(&arena, 1 << 16);
	pb = validator_set_to_pb(&set, &arena);
	assert_non_null(pb);
	assert_true(validator_set_from_pb(&back, pb));
	assert_memory_equal(&set, &back, sizeof set);
	pb->proposer = 5;
	assert_false(validator_set_from_pb(&back, pb));
	pb->proposer = 0;
	pb->validators[0]->key.len = 31;
	assert_false(validator_set_from_pb(&back, pb));
	pb->validators[0]->key.len = 32;
	pb->validators[4]->power = 1000; /* out of order */
	assert_false(validator_set_from_pb(&back, pb));
	pb->validators[4]->power = 0;
	assert_false(validator_set_from_pb(&back, pb));
	arena_fini(&arena);
}

static void two_thirds_are_exact(void **state)
{
	assert_false(validator_power_decides(2, 3));
	assert_true(validator_power_decides(3, 3));
	assert_false(validator_power_decides(66, 99));
	assert_true(validator_power_decides(67, 99));
	assert_true(validator_power_decides(67, 100));
	assert_false(validator_power_decides(66, 100));
	assert_true(validator_power_decides(VALIDATORS_POWER_MAX, VALIDATORS_POWER_MAX));
	assert_true(validator_power_decides(1, 1));
	assert_false(validator_power_decides(0, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_hashes_as_in_cometbft),
		cmocka_unit_test(turns_go_round_as_in_cometbft),
		cmocka_unit_test(priorities_move_as_in_cometbft),
		cmocka_unit_test(equal_authorities_take_turns_by_address),
		cmocka_unit_test(powers_near_the_bound_do_not_overflow),
		cmocka_unit_test(a_newcomer_starts_behind_everyone),
		cmocka_unit_test(leaving_counts_towards_a_newcomers_start),
		cmocka_unit_test(a_change_of_power_keeps_the_priority_and_moves_the_place),
		cmocka_unit_test(a_bad_change_is_refused_and_changes_nothing),
		cmocka_unit_test(a_set_survives_the_disk),
		cmocka_unit_test(two_thirds_are_exact),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
