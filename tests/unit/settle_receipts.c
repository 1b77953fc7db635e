/* Receipts: each thing that can be wrong with one has its own name, and what a right one pays is
 * exact. */
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

static void ok(enum kit_who who, Pb__Action *action)
{
	assert_int_equal(kit_act(&kit, who, action), SETTLE_OK);
}

/* A job submitted at height 1 and assigned at height 2. */
static void begin(Pb__Action *submit)
{
	ok(CLIENT, submit);
	ok(COORDINATOR, kit_assign(&kit, "job", 1, 30000));
}

static ProtobufCBinaryData other_bytes(const ProtobufCBinaryData *field)
{
	uint8_t *copy = arena_copy(&kit.arena, field->data, field->len);

	assert_non_null(copy);
	copy[field->len - 1] ^= 1;
	return (ProtobufCBinaryData){field->len, copy};
}

enum flaw {
	ANOTHER_ID,
	ANOTHER_ATTEMPT,
	ANOTHER_SUBMIT_HEIGHT,
	ANOTHER_COORDINATOR,
	ANOTHER_MINER,
	ANOTHER_SERVICE,
	ANOTHER_PAYLOAD,
	ANOTHER_UNIT,
	MORE_SECONDS_THAN_PASSED,
	ANOTHER_PRICE,
	ANOTHER_AMOUNT,
	MORE_THAN_THE_REWARD,
	ENDED_BEFORE_IT_BEGAN,
	ANOTHER_RESULT_THAN_SIGNED,
	SIGNED_BY_ANOTHER,
	HIGH_S,
	FLAWS
};

static void spoil_text(char *text)
{
	text[0] = text[0] == 'a' ? 'b' : 'a';
}

/* The order of r||s is n; n - s is the other, refused spelling of the same signature. */
static void raise_s(uint8_t s[32])
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0,
		0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
	int borrow = 0;

	for (int i = 31; i >= 0; i--) {
		int digit = order[i] - s[i] - borrow;

		borrow = digit < 0;
		s[i] = (uint8_t)(digit + 256 * borrow);
	}
}

static void sign_as(Pb__Receipt *receipt, enum kit_who who)
{
	struct hash32 digest = receipt_digest(receipt, &kit.config.chain_tag);
	struct account_signature signature;

	account_sign(&signature, kit_secret(who), &digest);
	memcpy(receipt->miner_signature.data, signature.b, 64);
}

/* The right receipt with one flaw, signed as it stands. */
static Pb__Receipt *flawed(enum flaw flaw)
{
	Pb__Receipt *r = kit_receipt(&kit, "job", 1, 1, 400);
	struct account_key another = kit_key(RICH);

	switch (flaw) {
	case ANOTHER_ID: spoil_text(r->receipt_id); break;
	case ANOTHER_ATTEMPT: r->attempt = 2; break;
	case ANOTHER_SUBMIT_HEIGHT: r->submit_height = 2; break;
	case ANOTHER_COORDINATOR: r->coordinator = other_bytes(&r->coordinator); break;
	case ANOTHER_MINER:
		r->miner.data = arena_copy(&kit.arena, another.b, 33);
		sign_as(r, RICH);
		return r;
	case ANOTHER_SERVICE: spoil_text(r->service); break;
	case ANOTHER_PAYLOAD: r->payload_hash = other_bytes(&r->payload_hash); break;
	case ANOTHER_UNIT: spoil_text(r->unit_type); break;
	case MORE_SECONDS_THAN_PASSED: r->units_milli = 20000, r->amount = 400000; break;
	case ANOTHER_PRICE: r->unit_price++; break;
	case ANOTHER_AMOUNT: r->amount--; break;
	case MORE_THAN_THE_REWARD: r->amount = KIT_COIN + 1; break;
	case ENDED_BEFORE_IT_BEGAN: r->started_ms = r->completed_ms + 1; break;
	case ANOTHER_RESULT_THAN_SIGNED: r->result_hash = other_bytes(&r->result_hash); return r;
	case SIGNED_BY_ANOTHER: sign_as(r, RICH); return r;
	case HIGH_S: raise_s(r->miner_signature.data + 32); return r;
	case FLAWS: fail();
	}
	kit_sign_receipt(&kit, r);
	return r;
}

static const enum settle_code refusals[FLAWS] = {
	[ANOTHER_ID] = SETTLE_BAD_RECEIPT,
	[ANOTHER_ATTEMPT] = SETTLE_ATTEMPT_MISMATCH,
	[ANOTHER_SUBMIT_HEIGHT] = SETTLE_BAD_RECEIPT,
	[ANOTHER_COORDINATOR] = SETTLE_BAD_RECEIPT,
	[ANOTHER_MINER] = SETTLE_NOT_ASSIGNED_MINER,
	[ANOTHER_SERVICE] = SETTLE_BAD_RECEIPT,
	[ANOTHER_PAYLOAD] = SETTLE_BAD_RECEIPT,
	[ANOTHER_UNIT] = SETTLE_UNIT_MISMATCH,
	[MORE_SECONDS_THAN_PASSED] = SETTLE_UNIT_MISMATCH,
	[ANOTHER_PRICE] = SETTLE_UNIT_MISMATCH,
	[ANOTHER_AMOUNT] = SETTLE_AMOUNT_MISMATCH,
	[MORE_THAN_THE_REWARD] = SETTLE_AMOUNT_MISMATCH,
	[ENDED_BEFORE_IT_BEGAN] = SETTLE_BAD_RECEIPT,
	[ANOTHER_RESULT_THAN_SIGNED] = SETTLE_BAD_MINER_SIGNATURE,
	[SIGNED_BY_ANOTHER] = SETTLE_BAD_MINER_SIGNATURE,
	[HIGH_S] = SETTLE_BAD_MINER_SIGNATURE,
};

static void each_flaw_has_its_refusal_and_moves_no_money(void **state)
{
	begin(kit_submit(&kit, "job"));
	for (int flaw = 0; flaw < FLAWS; flaw++) {
		uint64_t miner = kit_balance(&kit, MINER);
		uint32_t recorded =
			kit_act(&kit, COORDINATOR, kit_record(&kit, flawed((enum flaw)flaw)));
		uint32_t delivered =
			kit_act(&kit, RICH, kit_deliver(&kit, flawed((enum flaw)flaw)));

		if (recorded != refusals[flaw] || delivered != refusals[flaw])
			fail_msg("flaw %d: recorded %u delivered %u, expected %u", flaw, recorded,
				delivered, refusals[flaw]);
		assert_int_equal(kit_balance(&kit, MINER), miner);
		assert_int_equal(kit_totals(&kit).escrow, KIT_COIN);
	}
	ok(COORDINATOR, kit_record(&kit, kit_receipt(&kit, "job", 1, 1, 400)));
	/* Once is all. */
	assert_int_equal(
		kit_act(&kit, COORDINATOR, kit_record(&kit, kit_receipt(&kit, "job", 1, 1, 400))),
		SETTLE_WRONG_STATE);
}

static void a_receipt_for_another_job_pays_nothing_here(void **state)
{
	Pb__Receipt *receipt;

	begin(kit_submit(&kit, "job"));
	ok(CLIENT, kit_submit(&kit, "job2"));
	ok(COORDINATOR, kit_assign(&kit, "job2", 1, 30000));
	receipt = kit_receipt(&kit, "job2", 1, 3, 100);
	receipt->job_id = arena_text(&kit.arena, bytes_of_text("job"));
	assert_int_equal(kit_act(&kit, COORDINATOR, kit_record(&kit, receipt)), SETTLE_BAD_RECEIPT);
}

/* The miner's word counts while its assignment stands, however late. */
static void a_lapsed_attempt_that_was_not_given_away_still_counts(void **state)
{
	begin(kit_submit(&kit, "job"));
	kit_run(&kit, 45000);
	ok(COORDINATOR, kit_record(&kit, kit_receipt(&kit, "job", 1, 1, 100)));
}

static void an_earlier_attempts_receipt_does_not_count(void **state)
{
	begin(kit_submit(&kit, "job"));
	ok(COORDINATOR, kit_release(&kit, "job", 1, true));
	ok(COORDINATOR, kit_assign(&kit, "job", 2, 20000));
	assert_int_equal(
		kit_act(&kit, COORDINATOR, kit_record(&kit, kit_receipt(&kit, "job", 1, 1, 100))),
		SETTLE_ATTEMPT_MISMATCH);
}

static void what_was_delivered_is_what_can_be_recorded(void **state)
{
	Pb__Receipt *first, *second;

	begin(kit_submit(&kit, "job"));
	first = kit_receipt(&kit, "job", 1, 1, 300);
	second = kit_receipt(&kit, "job", 1, 1, 200);
	ok(MINER, kit_deliver(&kit, first));
	assert_int_equal(kit_act(&kit, COORDINATOR, kit_record(&kit, second)), SETTLE_BAD_RECEIPT);
	ok(COORDINATOR, kit_record(&kit, first));
	assert_int_equal(kit_balance(&kit, COORDINATOR), 1000u * KIT_COIN - 3 * kit.fee + 300);
}

/* units_milli, max_units_milli, unit_price, reward, coordinator_ppm -> to miner, coordinator,
 * client */
static const struct {
	uint64_t units, max_units, price, reward;
	uint32_t ppm;
	uint64_t miner, coordinator, client;
} payments[] = {
	{12500, 60000, 20000, 1000000, 50000, 237500, 12500, 750000},
	{12500, 60000, 20000, 1000000, 0, 250000, 0, 750000},
	{12500, 10000, 20000, 1000000, 50000, 190000, 10000, 800000},
	{0, 60000, 20000, 1000000, 50000, 0, 0, 1000000},
	{1, 60000, 999, 1000000, 50000, 0, 0, 1000000},
	{1, 60000, 1000, 1000000, 50000, 1, 0, 999999},
	{60000, 60000, 20000, 1000000, 50000, 950000, 50000, 0},
	{1000, 60000, UINT64_MAX, 1000000, 50000, 950000, 50000, 0},
	{UINT64_MAX, UINT64_MAX, UINT64_MAX, 1000003, 200000, 800003, 200000, 0},
	{UINT64_MAX, 60000, 20000, 1000000, 200000, 800000, 200000, 0},
	{999, 60000, 1001, 1000, 199999, 800, 199, 1},
};

static void shares_are_exact_and_the_rest_goes_back(void **state)
{
	for (size_t i = 0; i < sizeof payments / sizeof payments[0]; i++) {
		Pb__Action *submit;
		Pb__Receipt *receipt;
		Pb__Job *job;

		kit_close(&kit);
		kit_open(&kit, NULL);
		ok(COORDINATOR, kit_coordinator_set(&kit, payments[i].ppm, true));
		submit = kit_submit(&kit, "job");
		submit->submit_job->coordinator_ppm = payments[i].ppm;
		submit->submit_job->unit_type = arena_text(&kit.arena, bytes_of_text("token"));
		submit->submit_job->unit_price = payments[i].price;
		submit->submit_job->max_units_milli = payments[i].max_units;
		submit->submit_job->reward = payments[i].reward;
		begin(submit);
		receipt = kit_receipt(&kit, "job", 1, 2, payments[i].units);
		receipt->unit_type = submit->submit_job->unit_type;
		receipt->unit_price = payments[i].price;
		receipt->amount = payments[i].miner + payments[i].coordinator;
		kit_sign_receipt(&kit, receipt);
		ok(COORDINATOR, kit_record(&kit, receipt));
		assert_int_equal(kit_job_state(&kit, "job", &job), PB__JOB_STATE__SETTLED);
		assert_int_equal(job->to_miner, payments[i].miner);
		assert_int_equal(job->to_coordinator, payments[i].coordinator);
		assert_int_equal(job->to_client, payments[i].client);
	}
}

/* Exactly as many seconds as the assignment has stood, and the slack. */
static void seconds_are_bounded_by_the_clock_of_the_chain(void **state)
{
	begin(kit_submit(&kit, "job"));
	kit_run(&kit, 7000);
	/* The next block is 7001 ms after the assignment's. */
	assert_int_equal(kit_act(&kit, COORDINATOR,
				 kit_record(&kit, kit_receipt(&kit, "job", 1, 1, 7001 + 501))),
		SETTLE_UNIT_MISMATCH);
	assert_int_equal(kit_act(&kit, COORDINATOR,
				 kit_record(&kit, kit_receipt(&kit, "job", 1, 1, 7002 + 500))),
		SETTLE_OK);
}

static void a_settled_job_keeps_only_its_end(void **state)
{
	Pb__Receipt *receipt;
	struct hash32 hash;
	Pb__Job *job;

	begin(kit_submit(&kit, "job"));
	receipt = kit_receipt(&kit, "job", 1, 1, 400);
	ok(COORDINATOR, kit_record(&kit, receipt));
	hash = receipt_hash(receipt);
	assert_int_equal(kit_job_state(&kit, "job", &job), PB__JOB_STATE__SETTLED);
	assert_int_equal(job->receipt_hash.len, 32);
	assert_memory_equal(job->receipt_hash.data, hash.b, 32);
	assert_int_equal(job->height, 3);
	assert_int_equal(job->attempt, 1);
	assert_int_equal(job->reward, 0);
	assert_int_equal(job->coordinator.len, 0);
	assert_string_equal(job->service, "");
}

/* The miner needs no account to be paid, nor the coordinator's help. */
static void a_miner_is_paid_when_the_coordinator_keeps_silent(void **state)
{
	Pb__Job *job;

	begin(kit_submit(&kit, "job"));
	ok(RICH, kit_deliver(&kit, kit_receipt(&kit, "job", 1, 1, 400)));
	for (int i = 0; i < 40; i++)
		kit_run(&kit, 15000);
	assert_int_equal(kit_job_state(&kit, "job", &job), PB__JOB_STATE__SETTLED);
	assert_int_equal(job->to_miner, 8000);
	assert_int_equal(job->to_coordinator, 0);
	assert_int_equal(kit_totals(&kit).escrow, 0);
}

int main(void)
{
#define WORLD(test) cmocka_unit_test_setup_teardown(test, opens, closes)
	const struct CMUnitTest tests[] = {
		WORLD(each_flaw_has_its_refusal_and_moves_no_money),
		WORLD(a_receipt_for_another_job_pays_nothing_here),
		WORLD(a_lapsed_attempt_that_was_not_given_away_still_counts),
		WORLD(an_earlier_attempts_receipt_does_not_count),
		WORLD(what_was_delivered_is_what_can_be_recorded),
		WORLD(shares_are_exact_and_the_rest_goes_back),
		WORLD(seconds_are_bounded_by_the_clock_of_the_chain),
		WORLD(a_settled_job_keeps_only_its_end),
		WORLD(a_miner_is_paid_when_the_coordinator_keeps_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
