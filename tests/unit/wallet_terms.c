/* Job terms from the chain's JSON, the receipt they give, and who may sign what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/bech32.h"
#include "base/json.h"
#include "wallet/terms.h"

/* The key of secret 1: the group's generator. */
#define MINER_KEY "0279BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798"
#define ZEROS     "0000000000000000000000000000000000000000000000000000000000000000"

static char assigned_json[2048];
static const struct hash32 tag = {{7}};
static const struct account_secret miner_secret = {.b = {[31] = 1}};
static const struct account_secret other_secret = {.b = {[31] = 2}};
static const uint8_t seed[32];

static int before(void **state)
{
	struct account_address client = {{1}};
	struct account_address coordinator = {{2}};
	char client_text[ADDRESS_TEXT_BYTES];
	char coordinator_text[ADDRESS_TEXT_BYTES];
	struct buf b = {0};

	if (!keys_start(seed))
		return -1;
	address_text(client_text, &client);
	address_text(coordinator_text, &coordinator);
	buf_appendf(&b,
		"{\"client\":\"%s\",\"job_id\":\"job-1\",\"state\":\"ASSIGNED\",\"attempt\":2,"
		"\"coordinator\":\"%s\",\"coordinator_ppm\":50000,\"service\":\"llm/inference\","
		"\"payload_hash\":\"" ZEROS "\",\"reward\":\"100000000\",\"unit_type\":\"second\","
		"\"unit_price\":\"20000\",\"max_units_milli\":\"60000\",\"deadline_ms\":"
		"\"1700\",\"deadline_block_ms\":\"1701\","
		"\"max_attempts\":5,\"on_silence\":\"PAY_MINER\",\"review_ms\":\"600000\","
		"\"grace_ms\":\"10000\",\"submit_height\":\"42\",\"assignment\":{\"miner\":"
		"\"" MINER_KEY "\",\"lease_end_ms\":\"1600\",\"assigned_block_ms\":\"1500\"},"
		"\"job_time_ms\":\"1550\",\"block_time_ms\":\"1551\"}",
		client_text, coordinator_text);
	strcpy(assigned_json, buf_text(&b));
	buf_fini(&b);
	return 0;
}

static bool parse(struct job_terms *terms, const char *text, char fault[96])
{
	struct json_fault ignored;
	json_t *json = json_read(bytes_of_text(text), &ignored);

	assert_non_null(json);
	bool ok = job_terms_parse(terms, json, fault);
	json_decref(json);
	return ok;
}

static void assigned_job_tells_its_terms(void **state)
{
	struct job_terms terms;
	char fault[96];

	assert_true(parse(&terms, assigned_json, fault));
	assert_string_equal(terms.job_id, "job-1");
	assert_int_equal(terms.state, PB__JOB_STATE__ASSIGNED);
	assert_int_equal(terms.attempt, 2);
	assert_int_equal(terms.reward, 100000000);
	assert_int_equal(terms.on_silence, PB__ON_SILENCE__PAY_MINER);
	assert_int_equal(terms.submit_height, 42);
	assert_true(terms.assigned);
	assert_int_equal(terms.lease_end_ms, 1600);
	assert_int_equal(terms.block_time_ms, 1551);
}

static void ended_job_tells_where_the_money_went(void **state)
{
	struct job_terms terms;
	char text[1024];
	char client[ADDRESS_TEXT_BYTES];
	char fault[96];

	address_text(client, &(struct account_address){{1}});
	snprintf(text, sizeof text,
		"{\"client\":\"%s\",\"job_id\":\"j\",\"state\":\"SETTLED\",\"attempt\":1,"
		"\"receipt_hash\":\"" ZEROS "\",\"to_miner\":\"237500\",\"to_coordinator\":"
		"\"12500\",\"to_client\":\"99750000\",\"height\":\"9\"}",
		client);
	assert_true(parse(&terms, text, fault));
	assert_true(job_state_terminal(terms.state));
	assert_int_equal(terms.to_miner + terms.to_coordinator + terms.to_client, 100000000);
	assert_int_equal(terms.height, 9);
}

/* Replaces `from` by `to` in the assigned job. */
static void job_with_a_wrong_field_is_refused_by_name(void **state)
{
	static const struct {
		const char *from;
		const char *to;
		const char *field;
	} rows[] = {
		{"\"job_id\":\"job-1\"", "\"job_id\":\"job 1\"", "job_id"},
		{"\"ASSIGNED\"", "\"JOB_NONE\"", "state"},
		{"\"ASSIGNED\"", "\"HAPPY\"", "state"},
		{"\"reward\":\"100000000\"", "\"reward\":\"-1\"", "reward"},
		{"\"reward\":\"100000000\"", "\"reward\":\"18446744073709551616\"", "reward"},
		{"\"reward\":\"100000000\"", "\"reward\":1.5", "reward"},
		{"\"attempt\":2", "\"attempt\":4294967296", "attempt"},
		{"\"PAY_MINER\"", "\"PAY_ME\"", "on_silence"},
		{MINER_KEY, "02AB", "assignment.miner"},
		{"\"unit_type\":\"second\"", "\"unit_type\":\"seventeen_letters\"", "unit_type"},
		{"\"coordinator\":\"ait1", "\"coordinator\":\"bit1", "coordinator"},
	};
	struct job_terms terms;
	char fault[96];
	char text[2048];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *at = strstr(assigned_json, rows[i].from);
		assert_non_null(at);
		snprintf(text, sizeof text, "%.*s%s%s", (int)(at - assigned_json), assigned_json,
			rows[i].to, at + strlen(rows[i].from));
		assert_false(parse(&terms, text, fault));
		assert_memory_equal(fault, rows[i].field, strlen(rows[i].field));
	}
}

static void receipt_pays_twelve_and_a_half_seconds_exactly(void **state)
{
	struct job_work work = {12500, 1000, 13500, {{9}}};
	struct job_receipt receipt;
	struct job_terms terms;
	char fault[96];

	assert_true(parse(&terms, assigned_json, fault));
	assert_true(job_receipt_build(&receipt, &terms, &work, &tag));
	assert_int_equal(receipt.message.amount, 250000); /* 0.25 AITBC */
	assert_int_equal(receipt.message.units_milli, 12500);
	assert_int_equal(receipt.message.attempt, 2);
	assert_int_equal(strlen(receipt.message.receipt_id), 32);

	work.units_milli = 70000; /* more than the job allows */
	assert_true(job_receipt_build(&receipt, &terms, &work, &tag));
	assert_int_equal(receipt.message.units_milli, 60000);
	assert_int_equal(receipt.message.amount, 1200000);
}

static void receipt_needs_a_miner_and_a_clock_that_runs_forward(void **state)
{
	struct job_work backwards = {1, 13500, 1000, {{9}}};
	struct job_work work = {1, 1000, 1000, {{9}}};
	struct job_receipt receipt;
	struct job_terms terms;
	char fault[96];

	assert_true(parse(&terms, assigned_json, fault));
	assert_false(job_receipt_build(&receipt, &terms, &backwards, &tag));
	terms.assigned = false;
	assert_false(job_receipt_build(&receipt, &terms, &work, &tag));
}

static void coordinator_accepts_what_the_miner_signed_and_nothing_else(void **state)
{
	struct job_work work = {12500, 1000, 13500, {{9}}};
	struct job_receipt by_miner;
	struct job_receipt by_coordinator;
	struct job_terms terms;
	char fault[96];

	assert_true(parse(&terms, assigned_json, fault));
	assert_true(job_receipt_build(&by_miner, &terms, &work, &tag));
	assert_false(job_receipt_sign(&by_miner, &other_secret, &tag));
	assert_true(job_receipt_sign(&by_miner, &miner_secret, &tag));

	assert_true(job_receipt_build(&by_coordinator, &terms, &work, &tag));
	assert_true(job_receipt_attach(&by_coordinator, &by_miner.signature, &tag));
	assert_int_equal(by_coordinator.message.miner_signature.len, 64);

	work.units_milli++;
	assert_true(job_receipt_build(&by_coordinator, &terms, &work, &tag));
	assert_false(job_receipt_attach(&by_coordinator, &by_miner.signature, &tag));
	assert_int_equal(by_coordinator.message.miner_signature.len, 0);
}

static void release_is_not_a_failure_and_neither_serves_another_attempt(void **state)
{
	struct account_address client = {{1}};
	struct job_key job = job_key_of(&client, bytes_of_text("job-1"));
	struct account_signature signature;
	struct account_key miner;

	assert_true(account_key_of(&miner, &miner_secret));
	assert_true(job_release_sign(&signature, &job, 2, JOB_RELEASE, &miner_secret, &tag));
	assert_true(job_release_verify(&signature, &job, 2, JOB_RELEASE, &miner, &tag));
	assert_false(job_release_verify(&signature, &job, 2, JOB_FAIL, &miner, &tag));
	assert_false(job_release_verify(&signature, &job, 3, JOB_RELEASE, &miner, &tag));
}

static void rest_id_is_of_the_client_and_its_own_id(void **state)
{
	char a[JOB_REST_ID_BYTES];
	char b[JOB_REST_ID_BYTES];

	job_rest_id(a, &(struct account_address){{1}}, "job-1");
	job_rest_id(b, &(struct account_address){{2}}, "job-1");
	assert_int_equal(strlen(a), JOB_REST_ID_BYTES - 1);
	assert_memory_equal(a, "job_", 4);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assigned_job_tells_its_terms),
		cmocka_unit_test(ended_job_tells_where_the_money_went),
		cmocka_unit_test(job_with_a_wrong_field_is_refused_by_name),
		cmocka_unit_test(receipt_pays_twelve_and_a_half_seconds_exactly),
		cmocka_unit_test(receipt_needs_a_miner_and_a_clock_that_runs_forward),
		cmocka_unit_test(coordinator_accepts_what_the_miner_signed_and_nothing_else),
		cmocka_unit_test(release_is_not_a_failure_and_neither_serves_another_attempt),
		cmocka_unit_test(rest_id_is_of_the_client_and_its_own_id),
	};

	return cmocka_run_group_tests(tests, before, NULL);
}
