/* The flow of the brief: a client orders, a miner works, both are settled exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
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

/* The answer is JSON and says these things. */
static void answers(const char *path, struct bytes data, uint32_t want, const char *const *parts)
{
	struct json_fault fault;
	uint32_t code;
	const char *text = kit_ask(&kit, path, data, &code);
	json_t *json;

	if (code != want)
		fail_msg("%s: code %u, expected %u: %s", path, code, want, text);
	for (; *parts; parts++) {
		if (!strstr(text, *parts))
			fail_msg("%s: no %s in %s", path, *parts, text);
	}
	if (want != 0)
		return;
	json = json_read(bytes_of_text(text), &fault);
	if (!json)
		fail_msg("%s: %s in %s", path, fault.text, text);
	json_decref(json);
}

#define ANSWERS(path, data, want, ...)                                                             \
	answers(path, data, want, (const char *const[]){__VA_ARGS__, NULL})

static void every_question_gets_an_answer(void **state)
{
	struct account_address client = kit_address(CLIENT), owner = kit_address(COORDINATOR);
	struct account_address nobody = kit_address(STRANGER);
	struct bytes none = bytes_view(NULL, 0);
	struct job_key job = kit_job(CLIENT, "job-1"), no_job = kit_job(CLIENT, "job-9");
	char id[33];

	nobody.b[0] ^= 1;
	receipt_id_of(id, &kit.config.chain_tag, &job, 1);
	ANSWERS("/accounts", bytes_view(client.b, 20), 0, "\"balance\":\"999545000\"",
		"\"next_sequence\":\"2\"", "\"open_jobs\":\"0\"", "\"address\":\"ait1");
	ANSWERS("/accounts", bytes_view(nobody.b, 20), SETTLE_UNKNOWN_ACCOUNT, "unknown_account");
	ANSWERS("/accounts", none, SETTLE_BAD_PARAM, "20 bytes");
	ANSWERS("/coordinators", bytes_view(owner.b, 20), 0, "\"share_ppm\":50000",
		"\"accepts_new\":true", "\"operators\":[\"ait1");
	ANSWERS("/coordinators", bytes_view(client.b, 20), SETTLE_UNKNOWN_COORDINATOR,
		"coordinator");
	ANSWERS("/jobs", bytes_view(job.b, job.len), 0, "\"state\":\"SETTLED\"",
		"\"to_miner\":\"237500\"", "\"cause\":\"submit_job\"",
		"\"cause\":\"record_receipt\"");
	ANSWERS("/jobs", bytes_view(no_job.b, no_job.len), SETTLE_UNKNOWN_JOB, "unknown_job");
	ANSWERS("/jobs", bytes_of_text("x"), SETTLE_BAD_PARAM, "job id");
	ANSWERS("/receipts", bytes_view(job.b, job.len), 0, id, "\"job_id\":\"job-1\"",
		"\"height\":\"5\"");
	ANSWERS("/receipts", bytes_of_text(id), 0, id);
	id[0] = id[0] == 'a' ? 'b' : 'a';
	ANSWERS("/receipts", bytes_of_text(id), SETTLE_BAD_RECEIPT, "no such receipt");
	ANSWERS("/chain", none, 0, "\"chain_tag\":\"", "\"min_ttl_ms\":\"1000\"",
		"\"treasury\":\"ait1");
	ANSWERS("/params", none, 0, "\"expiries_per_block\":\"1000\"");
	ANSWERS("/supply", none, 0, "\"supply\":\"7000000000\"", "\"escrow\":\"0\"");
	ANSWERS("/nothing", none, 1, "/accounts", "/store/settle/key");
}

/* While a job lives, its answer has the terms and both clocks. */
static void a_live_job_shows_its_terms(void **state)
{
	struct job_key job = kit_job(CLIENT, "job-2");

	assert_int_equal(kit_act(&kit, CLIENT, kit_submit(&kit, "job-2")), SETTLE_OK);
	assert_int_equal(kit_act(&kit, OPERATOR, kit_assign(&kit, "job-2", 1, 30000)), SETTLE_OK);
	ANSWERS("/jobs", bytes_view(job.b, job.len), 0, "\"state\":\"ASSIGNED\"",
		"\"reward\":\"1000000\"", "\"service\":\"llm/inference\"", "lease_end", "deadline",
		"job_time_ms", "block_time_ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_moves_money_and_the_fee_goes_to_the_proposers_operator),
		cmocka_unit_test(twelve_and_a_half_seconds_at_two_hundredths_are_a_quarter),
		cmocka_unit_test(an_app_opened_again_over_the_same_store_has_the_same_hash),
		cmocka_unit_test(every_question_gets_an_answer),
		cmocka_unit_test(a_live_job_shows_its_terms),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
