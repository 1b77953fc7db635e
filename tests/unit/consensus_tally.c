/* tally: when is a vote counted, when is it proof of guilt, and what is more than two thirds?
 *
 * How we test, shown on the smallest room: each test's name is a claim about the room; a table is
 * walked whole instead of sampled; what the code computes on the way (running sums) the test
 * computes afresh and by another formula; misuse has an answer, and each answer has a test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/tally.h"

enum { HEIGHT = 7, ROUND = 2 };

/* What a validator may do in one step of a round. */
enum choice { SILENT, FOR_NIL, FOR_A, FOR_B, CHOICES };

static struct block_id block_of(enum choice choice)
{
	struct block_id id;
	memset(&id, 0, sizeof id);
	if (choice == FOR_NIL)
		return id;
	memset(id.hash.b, choice, sizeof id.hash.b);
	memset(id.parts_hash.b, choice, sizeof id.parts_hash.b);
	id.parts_total = 1;
	return id;
}

static struct vote vote_of(uint32_t index, enum choice choice)
{
	struct vote vote;
	memset(&vote, 0, sizeof vote);
	vote.type = VOTE_PREVOTE;
	vote.height = HEIGHT;
	vote.round = ROUND;
	vote.index = index;
	vote.block_id = block_of(choice);
	return vote;
}

/* n validators; the tally knows them by index and power only. */
struct table {
	struct validator_set validators;
	struct tally_slot slots[VALIDATORS_MAX];
	struct tally tally;
};

static void seat(struct table *t, const int64_t *powers, uint32_t n)
{
	memset(&t->validators, 0, sizeof t->validators);
	t->validators.count = n;
	for (uint32_t i = 0; i < n; i++) {
		t->validators.v[i].power = powers[i];
		t->validators.total_power += powers[i];
	}
	tally_init(&t->tally, &t->validators, t->slots, VOTE_PREVOTE, HEIGHT, ROUND);
}

static void seat_equals(struct table *t, uint32_t n)
{
	int64_t powers[VALIDATORS_MAX];
	for (uint32_t i = 0; i < n; i++)
		powers[i] = 1;
	seat(t, powers, n);
}

static enum tally_answer add(struct table *t, uint32_t index, enum choice choice)
{
	struct vote vote = vote_of(index, choice);
	return tally_add(&t->tally, &vote, NULL);
}

/* ---- how much is enough ---- */

static void quorum_of_n_equals_is_two_thirds_rounded_down_plus_one(void **state)
{
	for (int64_t n = 1; n <= 100; n++) {
		int64_t least = 2 * n / 3 + 1;
		assert_false(power_is_quorum(least - 1, n));
		assert_true(power_is_quorum(least, n));
		assert_true(power_is_quorum(n, n));
		assert_int_equal(power_quorum(n), least);
	}
}

static void third_of_n_equals_is_one_third_rounded_down_plus_one(void **state)
{
	for (int64_t n = 1; n <= 100; n++) {
		int64_t least = n / 3 + 1;
		assert_false(power_is_third(least - 1, n));
		assert_true(power_is_third(least, n));
	}
}

static void two_quorums_share_more_than_a_third(void **state)
{
	/* Why one honest validator stands in both, if less than a third are not. */
	for (int64_t n = 1; n <= 100; n++) {
		int64_t quorum = 2 * n / 3 + 1;
		assert_true(power_is_third(quorum + quorum - n, n));
	}
}

static void greatest_powers_do_not_overflow(void **state)
{
	int64_t total = VALIDATORS_POWER_MAX;
	int64_t least = total / 3 * 2 + (total % 3) * 2 / 3 + 1;
	assert_false(power_is_quorum(least - 1, total));
	assert_true(power_is_quorum(least, total));
	assert_true(power_is_quorum(total, total));
	assert_false(power_is_third(total / 3, total));
	assert_true(power_is_third(total / 3 + 1, total));
}

/* ---- every way in which n validators can vote ---- */

/* The same facts from all votes at once. */
static void expect(const struct table *t, const enum choice *choices)
{
	int64_t power[CHOICES] = {0}, total = t->validators.total_power;
	for (uint32_t i = 0; i < t->validators.count; i++)
		power[choices[i]] += t->validators.v[i].power;
	int64_t least = total / 3 * 2 + (total % 3) * 2 / 3 + 1;
	assert_int_equal(t->tally.power_any, total - power[SILENT]);
	assert_int_equal(tally_has_any_quorum(&t->tally), total - power[SILENT] >= least);
	for (enum choice c = FOR_NIL; c < CHOICES; c++) {
		struct block_id block = block_of(c);
		assert_int_equal(tally_has_quorum_for(&t->tally, &block), power[c] >= least);
	}
	struct block_id decided = block_of(FOR_NIL);
	bool decides = tally_decides(&t->tally, &decided);
	assert_int_equal(decides, power[FOR_A] >= least || power[FOR_B] >= least);
	struct block_id wanted = block_of(power[FOR_A] >= least ? FOR_A : FOR_B);
	if (decides)
		assert_true(block_id_equal(&decided, &wanted));
}

static void walk_all_votes(const int64_t *powers, uint32_t n)
{
	static struct table t;
	/* Block B is to the tally what A is: large sets walk without it. */
	unsigned choices_each = n <= 7 ? CHOICES : FOR_B;
	enum choice choices[10] = {SILENT};
	for (;;) {
		seat(&t, powers, n);
		for (uint32_t i = 0; i < n; i++) {
			if (choices[i] != SILENT)
				assert_int_equal(add(&t, i, choices[i]), TALLY_COUNTED);
		}
		expect(&t, choices);
		uint32_t at = 0;
		while (at < n && (unsigned)++choices[at] == choices_each)
			choices[at++] = SILENT;
		if (at == n)
			return;
	}
}

static void every_vote_of_one_to_ten_equals_is_counted(void **state)
{
	int64_t powers[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	for (uint32_t n = 1; n <= 10; n++)
		walk_all_votes(powers, n);
}

static void every_vote_of_one_to_ten_unequals_is_counted(void **state)
{
	static const int64_t tables[][10] = {
		{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
		{1, 2, 4, 8, 16, 32, 64, 128, 256, 512},
		{2, 1, 1, 1, 1, 1, 1, 1, 1, 1},    /* at n = 4 he alone is 2 of 5 */
		{1000, 1, 1, 1, 1, 1, 1, 1, 1, 1}, /* one who alone decides */
		{333, 333, 334, 1, 1, 1, 1, 1, 1, 1},
		{VALIDATORS_POWER_MAX / 10, VALIDATORS_POWER_MAX / 10 - 1,
			VALIDATORS_POWER_MAX / 10, VALIDATORS_POWER_MAX / 10, 1, 2, 3,
			VALIDATORS_POWER_MAX / 10, 4, VALIDATORS_POWER_MAX / 10},
	};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		for (uint32_t n = 1; n <= 10; n++)
			walk_all_votes(tables[i], n);
	}
}

static void order_of_votes_does_not_matter(void **state)
{
	static struct table t;
	static const enum choice choices[4] = {FOR_A, FOR_NIL, FOR_A, FOR_A};
	static const int64_t powers[4] = {1, 2, 3, 4};
	for (unsigned code = 0; code < 256; code++) { /* four digits of base 4: orders among them */
		seat(&t, powers, 4);
		bool seen[4] = {false};
		for (unsigned i = 0; i < 4; i++) {
			unsigned who = code >> (2 * i) & 3;
			enum tally_answer answer = add(&t, who, choices[who]);
			assert_int_equal(answer, seen[who] ? TALLY_KNOWN : TALLY_COUNTED);
			seen[who] = true;
		}
		if (seen[0] && seen[1] && seen[2] && seen[3])
			expect(&t, choices);
	}
}

/* ---- one validator, one vote ---- */

static void same_vote_again_counts_once(void **state)
{
	static struct table t;
	seat_equals(&t, 4);
	assert_int_equal(add(&t, 0, FOR_A), TALLY_COUNTED);
	assert_int_equal(add(&t, 0, FOR_A), TALLY_KNOWN);
	assert_int_equal(t.tally.power_any, 1);
}

static void same_choice_at_another_time_is_no_evidence(void **state)
{
	static struct table t;
	seat_equals(&t, 4);
	struct vote vote = vote_of(0, FOR_A);
	assert_int_equal(tally_add(&t.tally, &vote, NULL), TALLY_COUNTED);
	vote.time.seconds++;
	vote.signature.b[0]++;
	assert_int_equal(tally_add(&t.tally, &vote, NULL), TALLY_KNOWN);
	/* The first stays: a commit must not change under its reader. */
	assert_int_equal(t.slots[0].vote.time.seconds, 0);
}

static void two_different_votes_are_evidence_and_one_voice(void **state)
{
	static const enum choice choices[] = {FOR_NIL, FOR_A, FOR_B};
	static struct table t;
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 3; k++) {
			if (i == k)
				continue;
			seat_equals(&t, 4);
			struct vote first = vote_of(2, choices[i]);
			struct vote second = vote_of(2, choices[k]);
			struct vote earlier;
			assert_int_equal(tally_add(&t.tally, &first, &earlier), TALLY_COUNTED);
			assert_int_equal(tally_add(&t.tally, &second, &earlier), TALLY_CONFLICT);
			assert_true(block_id_equal(&earlier.block_id, &first.block_id));
			assert_int_equal(tally_add(&t.tally, &second, NULL), TALLY_KNOWN);
			assert_int_equal(tally_add(&t.tally, &first, NULL), TALLY_KNOWN);
			assert_int_equal(t.tally.power_any, 1);
			assert_true(block_id_equal(&t.slots[2].vote.block_id, &first.block_id));
		}
	}
}

static void each_of_two_votes_counts_for_its_own_block(void **state)
{
	/* Two honest ones for A; the liar told them A and us B first. */
	static struct table t;
	struct block_id a = block_of(FOR_A), b = block_of(FOR_B);
	seat_equals(&t, 4);
	add(&t, 3, FOR_B);
	add(&t, 0, FOR_A);
	add(&t, 1, FOR_A);
	assert_false(tally_has_quorum_for(&t.tally, &a));
	assert_int_equal(add(&t, 3, FOR_A), TALLY_CONFLICT);
	assert_true(tally_has_quorum_for(&t.tally, &a));
	assert_false(tally_has_quorum_for(&t.tally, &b));
	assert_int_equal(t.tally.power_any, 3);
	assert_non_null(tally_vote_for(&t.tally, 3, &a));
	assert_non_null(tally_vote_for(&t.tally, 3, &b));
	assert_null(tally_vote_for(&t.tally, 2, &a));
}

/* A block of its own for each number. */
static struct vote lie(uint32_t index, uint8_t number)
{
	struct vote vote = vote_of(index, FOR_B);
	vote.block_id.hash.b[0] = number;
	return vote;
}

static void however_many_votes_a_liar_makes_the_one_that_matters_wins(void **state)
{
	/* Of every order in which two honest votes, the liar's fitting one and its many others
	 * come: once all have come, and the fitting one again, there is a quorum. */
	enum { LIES = 20 };
	struct block_id a = block_of(FOR_A);
	static struct table t;
	for (unsigned fitting = 0; fitting <= LIES; fitting++) {
		for (unsigned honest = 0; honest <= LIES; honest++) {
			seat_equals(&t, 4);
			for (unsigned i = 0; i <= LIES; i++) {
				if (i == honest) {
					add(&t, 0, FOR_A);
					add(&t, 1, FOR_A);
				}
				struct vote vote =
					i == fitting ? vote_of(3, FOR_A) : lie(3, (uint8_t)i);
				tally_add(&t.tally, &vote, NULL);
			}
			add(&t, 3, FOR_A);
			assert_true(tally_has_quorum_for(&t.tally, &a));
			struct vote late = lie(3, 99);
			tally_add(&t.tally, &late, NULL);
			assert_non_null(tally_vote_for(&t.tally, 3, &a)); /* for the commit */
		}
	}
}

static void blocks_that_differ_in_one_field_of_their_id_are_different(void **state)
{
	static struct table t;
	struct vote vote = vote_of(0, FOR_A);
	for (unsigned field = 0; field < 3; field++) {
		seat_equals(&t, 4);
		assert_int_equal(add(&t, 0, FOR_A), TALLY_COUNTED);
		struct vote other = vote;
		other.block_id.hash.b[31] ^= field == 0;
		other.block_id.parts_total += field == 1;
		other.block_id.parts_hash.b[31] ^= field == 2;
		assert_int_equal(tally_add(&t.tally, &other, NULL), TALLY_CONFLICT);
	}
}

static void later_votes_never_take_a_quorum_away(void **state)
{
	static struct table t;
	seat_equals(&t, 4);
	struct block_id a = block_of(FOR_A);
	for (uint32_t i = 0; i < 3; i++)
		add(&t, i, FOR_A);
	assert_true(tally_has_quorum_for(&t.tally, &a));
	assert_int_equal(add(&t, 3, FOR_B), TALLY_COUNTED);
	assert_int_equal(add(&t, 0, FOR_NIL), TALLY_CONFLICT);
	assert_true(tally_has_quorum_for(&t.tally, &a));
}

/* ---- what doesn't belong here ---- */

static void vote_of_another_height_round_step_or_validator_is_not_counted(void **state)
{
	static struct table t;
	seat_equals(&t, 4);
	struct vote strangers[6];
	for (size_t i = 0; i < 6; i++)
		strangers[i] = vote_of(0, FOR_A);
	strangers[0].height = HEIGHT + 1;
	strangers[1].height = HEIGHT - 1;
	strangers[2].round = ROUND + 1;
	strangers[3].type = VOTE_PRECOMMIT;
	strangers[4].index = 4; /* one past the last */
	strangers[5].index = UINT32_MAX;
	for (size_t i = 0; i < 6; i++) {
		struct vote earlier;
		assert_int_equal(tally_add(&t.tally, &strangers[i], &earlier), TALLY_NOT_OURS);
	}
	assert_int_equal(t.tally.power_any, 0);
	assert_false(t.slots[0].present);
}

static void empty_tally_decides_nothing(void **state)
{
	static struct table t;
	struct block_id nil = block_of(FOR_NIL), decided;
	for (uint32_t n = 1; n <= 100; n++) {
		seat_equals(&t, n);
		assert_false(tally_has_any_quorum(&t.tally));
		assert_false(tally_has_quorum_for(&t.tally, &nil)); /* silence isn't a vote */
		assert_false(tally_decides(&t.tally, &decided));
	}
}

static void used_memory_begins_another_round_empty(void **state)
{
	static struct table t;
	seat_equals(&t, 4);
	for (uint32_t i = 0; i < 4; i++)
		add(&t, i, FOR_A);
	tally_init(&t.tally, &t.validators, t.slots, VOTE_PRECOMMIT, HEIGHT, ROUND + 1);
	assert_int_equal(t.tally.power_any, 0);
	assert_false(t.slots[3].present);
	assert_int_equal(add(&t, 0, FOR_A), TALLY_NOT_OURS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quorum_of_n_equals_is_two_thirds_rounded_down_plus_one),
		cmocka_unit_test(third_of_n_equals_is_one_third_rounded_down_plus_one),
		cmocka_unit_test(two_quorums_share_more_than_a_third),
		cmocka_unit_test(greatest_powers_do_not_overflow),
		cmocka_unit_test(every_vote_of_one_to_ten_equals_is_counted),
		cmocka_unit_test(every_vote_of_one_to_ten_unequals_is_counted),
		cmocka_unit_test(order_of_votes_does_not_matter),
		cmocka_unit_test(same_vote_again_counts_once),
		cmocka_unit_test(same_choice_at_another_time_is_no_evidence),
		cmocka_unit_test(two_different_votes_are_evidence_and_one_voice),
		cmocka_unit_test(each_of_two_votes_counts_for_its_own_block),
		cmocka_unit_test(however_many_votes_a_liar_makes_the_one_that_matters_wins),
		cmocka_unit_test(blocks_that_differ_in_one_field_of_their_id_are_different),
		cmocka_unit_test(later_votes_never_take_a_quorum_away),
		cmocka_unit_test(vote_of_another_height_round_step_or_validator_is_not_counted),
		cmocka_unit_test(empty_tally_decides_nothing),
		cmocka_unit_test(used_memory_begins_another_round_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
