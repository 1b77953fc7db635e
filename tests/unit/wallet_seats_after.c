/* wallet/seats_after: what an operator is told before he agrees to other validators. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "wallet/seats_after.h"

/* Changes are of key 1, 2, ...: what power it has then. */
struct change {
	uint8_t key;
	int64_t power;
};

static struct validator_key key_of(uint8_t number)
{
	struct validator_key key = {{number}};
	return key;
}

static void look(struct seats_after *out, const int64_t *powers, const struct change *changes)
{
	static struct validator_key keys[AUTHORITY_CHANGES_MAX];
	struct seat_power now[VALIDATORS_MAX];
	Pb__ValidatorChange list[AUTHORITY_CHANGES_MAX], *pointers[AUTHORITY_CHANGES_MAX];
	Pb__ValidatorsChange change = PB__VALIDATORS_CHANGE__INIT;
	size_t count = 0;
	for (; powers[count] > 0; count++) {
		struct validator_key key = key_of((uint8_t)(count + 1));
		now[count] = (struct seat_power){validator_address_of(&key), powers[count]};
	}
	for (; changes[change.n_changes].key > 0; change.n_changes++) {
		size_t i = change.n_changes;
		pb__validator_change__init(&list[i]);
		keys[i] = key_of(changes[i].key);
		list[i].key = (ProtobufCBinaryData){sizeof keys[i].b, keys[i].b};
		list[i].power = changes[i].power;
		pointers[i] = &list[i];
	}
	change.changes = pointers;
	seats_after(out, now, count, &change);
}

static void a_change_is_told_by_what_it_leaves(void **state)
{
	static const struct {
		int64_t powers[8];
		struct change changes[4];
		uint32_t count, may_fail;
		bool stops, refused;
		const char *says; /* a piece of it; "": nothing at all */
	} rows[] = {
		{{1, 1, 1, 1}, {{4, 0}}, 3, 0, false, false, "of the 3 validators none may be"},
		{{1, 1, 1, 1}, {{3, 0}, {4, 0}}, 2, 0, false, false, "of the 2 validators none"},
		{{1, 1, 1, 1, 1}, {{5, 0}}, 4, 1, false, false, ""},
		{{1, 1, 1, 1, 1, 1, 1}, {{7, 0}}, 6, 1, false, false,
			"of the 6 validators 1 may be away from then on; now it is 2"},
		{{1, 1}, {{2, 0}}, 1, 0, false, false, "one validator is left"},
		{{1}, {{1, 0}}, 0, 0, false, true, "nobody would be left"},
		{{1, 1}, {{1, 0}, {2, 0}}, 0, 0, false, true, "nobody would be left"},
		/* one more: from one to two it must run at once */
		{{1}, {{2, 1}}, 2, 0, true, false, "the chain stops two blocks after"},
		{{1, 1}, {{3, 1}}, 3, 0, true, false, "Start it first"},
		{{1, 1, 1}, {{4, 1}}, 4, 1, false, false, "start it first"},
		{{1, 1, 1, 1}, {{5, 1}, {6, 1}}, 6, 1, true, false, "their nodes run"},
		{{1, 1, 1, 1}, {{5, 100}}, 5, 0, true, false, "none may be away"},
		/* another key for the same operator */
		{{1, 1, 1, 1}, {{9, 1}, {4, 0}}, 4, 1, false, false, "start it first"},
		{{1}, {{9, 1}, {1, 0}}, 1, 0, true, false, "the chain stops"},
		/* only weighed anew */
		{{1, 1, 1, 1}, {{1, 2}}, 4, 0, false, false, "none may be away"},
		{{2, 2, 2, 2}, {{1, 1}}, 4, 1, false, false, ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct seats_after after;
		struct buf text = {0};
		look(&after, rows[i].powers, rows[i].changes);
		bool may = seats_after_text(&text, &after);
		if (after.count != rows[i].count || after.may_fail != rows[i].may_fail ||
			after.stops != rows[i].stops || may == rows[i].refused)
			fail_msg("row %zu: %u seats, %u may fail, stops %d, may %d: %s", i,
				after.count, after.may_fail, after.stops, may, buf_text(&text));
		if (rows[i].says[0] ? !strstr(buf_text(&text), rows[i].says) : text.len > 0)
			fail_msg("row %zu says: %s", i, buf_text(&text));
		buf_fini(&text);
	}
}

static void of_n_equals_as_many_may_fail_as_leave_two_thirds_and_one(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= VALIDATORS_MAX; n++) {
		static struct seat_power now[VALIDATORS_MAX];
		Pb__ValidatorsChange none = PB__VALIDATORS_CHANGE__INIT;
		struct seats_after after;
		struct validator_key key = key_of((uint8_t)n);
		now[n - 1] = (struct seat_power){validator_address_of(&key), 10};
		seats_after(&after, now, n, &none);
		assert_int_equal(after.may_fail, n - (2 * n / 3 + 1));
		assert_int_equal(after.may_fail_before, after.may_fail);
	}
}

static void the_greatest_powers_are_counted(void **state)
{
	struct seats_after after;
	const int64_t quarter = INT64_MAX / 32;
	int64_t powers[5] = {quarter, quarter, quarter, quarter, 0};
	static const struct change none[1];
	(void)state;
	look(&after, powers, none);
	assert_int_equal(after.may_fail, 1);
	powers[0] = INT64_MAX / 2;
	look(&after, powers, none);
	assert_int_equal(after.may_fail, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_told_by_what_it_leaves),
		cmocka_unit_test(of_n_equals_as_many_may_fail_as_leave_two_thirds_and_one),
		cmocka_unit_test(the_greatest_powers_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
