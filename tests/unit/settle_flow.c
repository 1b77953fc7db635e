/* The flow of the brief: a client orders, a miner works, both are settled exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/settle_kit.h"

static struct kit kit;

static int opens(void **state)
{
	kit_open(&kit, NULL);
	return 0;
}

static int closes(void **state)
{
	kit_close(&kit);
	return 0;
}

static void a_transfer_moves_money_and_the_fee_goes_to_the_proposers_operator(void **state)
{
	uint64_t client = kit_balance(&kit, CLIENT);
	uint64_t proposer = kit_balance(&kit, PROPOSER);

	assert_int_equal(kit_act(&kit, CLIENT, kit_transfer(&kit, STRANGER, 5000)), SETTLE_OK);
	assert_int_equal(kit_balance(&kit, CLIENT), client - 5000 - kit.fee);
	assert_int_equal(kit_balance(&kit, STRANGER), 5000);
	assert_int_equal(kit_balance(&kit, PROPOSER), proposer + kit.fee);
}

static void twelve_and_a_half_seconds_at_two_hundredths_are_a_quarter(void **state)
{
	uint64_t client = kit_balance(&kit, CLIENT);
	uint64_t owner = kit_balance(&kit, COORDINATOR);
	uint64_t miner = kit_balance(&kit, MINER);
	int64_t submitted;

	assert_int_equal(kit_act(&kit, CLIENT, kit_submit(&kit, "job-1")), SETTLE_OK);
	submitted = kit.height;
	assert_int_equal(kit_totals(&kit).escrow, KIT_COIN);
	assert_int_equal(kit_act(&kit, OPERATOR, kit_assign(&kit, "job-1", 1, 30000)), SETTLE_OK);
	kit_run(&kit, 12500);
	assert_int_equal(kit_act(&kit, OPERATOR,
				 kit_record(&kit, kit_receipt(&kit, "job-1", 1, submitted, 12500))),
		SETTLE_OK);
	assert_int_equal(kit_job_state(&kit, "job-1", NULL), PB__JOB_STATE__SETTLED);
	assert_int_equal(kit_totals(&kit).escrow, 0);
	assert_int_equal(kit_balance(&kit, COORDINATOR), owner + 12500);
	assert_int_equal(kit_balance(&kit, MINER), miner + 237500);
	assert_int_equal(kit_balance(&kit, CLIENT), client - 250000 - kit.fee);
}

static void an_app_opened_again_over_the_same_store_has_the_same_hash(void **state)
{
	struct hash32 before = kit_app_hash(&kit);
	struct hash32 after;

	kit_reopen(&kit);
	after = kit_app_hash(&kit);
	assert_memory_equal(before.b, after.b, 32);
}

static void every_question_gets_an_answer(void **state)
{
	struct account_address client = kit_address(CLIENT);
	struct account_address owner = kit_address(COORDINATOR);
	struct job_key job = kit_job(CLIENT, "job-1");
	uint32_t code;

	print_message("%s\n", kit_ask(&kit, "/accounts", bytes_view(client.b, 20), &code));
	assert_int_equal(code, 0);
	print_message("%s\n", kit_ask(&kit, "/coordinators", bytes_view(owner.b, 20), &code));
	assert_int_equal(code, 0);
	print_message("%s\n", kit_ask(&kit, "/jobs", bytes_view(job.b, job.len), &code));
	assert_int_equal(code, 0);
	print_message("%s\n", kit_ask(&kit, "/receipts", bytes_view(job.b, job.len), &code));
	assert_int_equal(code, 0);
	print_message("%s\n", kit_ask(&kit, "/chain", bytes_view(NULL, 0), &code));
	assert_int_equal(code, 0);
	print_message("%s\n", kit_ask(&kit, "/supply", bytes_view(NULL, 0), &code));
	assert_int_equal(code, 0);
	print_message("%s\n", kit_ask(&kit, "/nothing", bytes_view(NULL, 0), &code));
	assert_int_equal(code, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_moves_money_and_the_fee_goes_to_the_proposers_operator),
		cmocka_unit_test(twelve_and_a_half_seconds_at_two_hundredths_are_a_quarter),
		cmocka_unit_test(an_app_opened_again_over_the_same_store_has_the_same_hash),
		cmocka_unit_test(every_question_gets_an_answer),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
