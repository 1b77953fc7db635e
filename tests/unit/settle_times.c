/* Each boundary of time at -1, 0 and +1 ms; outages; the bounded sweep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/settle_kit.h"

static struct kit kit;

enum { LEASE_MS = 5000, GRACE_MS = 10000, TTL_MS = 60000, REVIEW_MS = 600000 };

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

/* Empty blocks until job time is exactly `ms` after the block at hand; steps short enough to be no
 * outage. */
static void wait_ms(uint64_t ms)
{
	for (; ms > 15000; ms -= 15000)
		kit_run(&kit, 15000);
	if (ms > 0)
		kit_run(&kit, ms);
}

/* The code of an action in a block `ms` after the one at hand. */
static uint32_t act_after(uint64_t ms, enum kit_who who, Pb__Action *action)
{
	const struct app_result *result;

	for (; ms > 15000; ms -= 15000)
		kit_run(&kit, 15000);
	kit_send(&kit, who, action);
	result = kit_run(&kit, ms);
	return result->txs[0].code;
}

typedef Pb__Action *deed(void);

static Pb__Action *renews(void)
{
	return kit_renew(&kit, "job", 1, 1000);
}
static Pb__Action *reassigns(void)
{
	return kit_assign(&kit, "job", 2, 1000);
}
static Pb__Action *cancels(void)
{
	return kit_cancel(&kit, "job");
}
static Pb__Action *releases(void)
{
	return kit_release(&kit, "job", 1, false);
}
static Pb__Action *fails(void)
{
	return kit_fail(&kit, "job", 1, false);
}
static Pb__Action *records(void)
{
	return kit_record(&kit, kit_receipt(&kit, "job", 1, 1, 100));
}

/* After the block of the assignment: the code one ms before the boundary, at it, one ms after. */
static const struct {
	const char *name;
	deed *deed;
	enum kit_who who;
	uint64_t at_ms;
	enum settle_code before, at, after;
} boundaries[] = {
	{"renew at lease end", renews, COORDINATOR, LEASE_MS, SETTLE_OK, SETTLE_LEASE_LAPSED,
		SETTLE_LEASE_LAPSED},
	{"assign at lease end + grace", reassigns, COORDINATOR, LEASE_MS + GRACE_MS,
		SETTLE_LEASE_LIVE, SETTLE_OK, SETTLE_OK},
	{"cancel at lease end + grace", cancels, CLIENT, LEASE_MS + GRACE_MS, SETTLE_LEASE_LIVE,
		SETTLE_OK, SETTLE_OK},
	{"release at lease end + grace", releases, COORDINATOR, LEASE_MS + GRACE_MS,
		SETTLE_LEASE_LIVE, SETTLE_OK, SETTLE_OK},
	{"fail at lease end + grace", fails, COORDINATOR, LEASE_MS + GRACE_MS, SETTLE_LEASE_LIVE,
		SETTLE_OK, SETTLE_OK},
	/* The job was submitted 1 ms before it was assigned. */
	{"record at the deadline", records, COORDINATOR, TTL_MS - 1, SETTLE_OK, SETTLE_JOB_EXPIRED,
		SETTLE_JOB_EXPIRED},
};

static void boundaries_hold_to_the_millisecond(void **state)
{
	for (size_t i = 0; i < sizeof boundaries / sizeof boundaries[0]; i++) {
		for (int side = -1; side <= 1; side++) {
			enum settle_code want = side < 0    ? boundaries[i].before
						: side == 0 ? boundaries[i].at
							    : boundaries[i].after;
			uint32_t code;

			kit_close(&kit);
			kit_open(&kit, NULL);
			ok(CLIENT, kit_submit(&kit, "job"));
			ok(COORDINATOR, kit_assign(&kit, "job", 1, LEASE_MS));
			code = act_after(boundaries[i].at_ms + (uint64_t)(int64_t)side,
				boundaries[i].who, boundaries[i].deed());
			if (code != want)
				fail_msg("%s %+d ms: %u, expected %u", boundaries[i].name, side,
					code, want);
		}
	}
}

static void a_review_ends_to_the_millisecond(void **state)
{
	static const enum settle_code want[3] = {SETTLE_OK, SETTLE_WRONG_STATE, SETTLE_WRONG_STATE};

	for (uint64_t side = 0; side < 3; side++) {
		kit_close(&kit);
		kit_open(&kit, NULL);
		ok(CLIENT, kit_submit(&kit, "job"));
		ok(COORDINATOR, kit_assign(&kit, "job", 1, LEASE_MS));
		ok(MINER, kit_deliver(&kit, kit_receipt(&kit, "job", 1, 1, 100)));
		assert_int_equal(
			act_after(REVIEW_MS - 1 + side, COORDINATOR, kit_reject(&kit, "job", 1)),
			want[side]);
		/* Rejected after its deadline it has failed; else the silence has paid. */
		assert_int_equal(kit_job_state(&kit, "job", NULL),
			side == 0 ? PB__JOB_STATE__FAILED : PB__JOB_STATE__SETTLED);
	}
}

static void what_is_rejected_from_the_deadline_on_has_failed(void **state)
{
	for (uint64_t side = 0; side < 2; side++) {
		kit_close(&kit);
		kit_open(&kit, NULL);
		ok(CLIENT, kit_submit(&kit, "job"));
		ok(COORDINATOR, kit_assign(&kit, "job", 1, LEASE_MS));
		ok(MINER, kit_deliver(&kit, kit_receipt(&kit, "job", 1, 1, 100)));
		/* Delivered 2 ms after it was submitted. */
		assert_int_equal(
			act_after(TTL_MS - 3 + side, COORDINATOR, kit_reject(&kit, "job", 1)),
			SETTLE_OK);
		assert_int_equal(kit_job_state(&kit, "job", NULL),
			side == 0 ? PB__JOB_STATE__OPEN : PB__JOB_STATE__FAILED);
	}
}

static void a_lease_may_end_with_the_job_and_not_after(void **state)
{
	ok(CLIENT, kit_submit(&kit, "job"));
	/* The next block is 1 ms later: 59 999 ms are left. */
	assert_int_equal(kit_act(&kit, COORDINATOR, kit_assign(&kit, "job", 1, 60000)),
		SETTLE_LEASE_PAST_DEADLINE);
	ok(COORDINATOR, kit_assign(&kit, "job", 1, 59998));
	assert_int_equal(kit_act(&kit, COORDINATOR, kit_renew(&kit, "job", 1, 59998)),
		SETTLE_LEASE_PAST_DEADLINE);
	ok(COORDINATOR, kit_renew(&kit, "job", 1, 59996));
}

/* Else a coordinator could take the job from the miner by renewing it for a millisecond. */
static void a_renewal_never_shortens_a_lease(void **state)
{
	ok(CLIENT, kit_submit(&kit, "job"));
	ok(COORDINATOR, kit_assign(&kit, "job", 1, LEASE_MS));
	ok(COORDINATOR, kit_renew(&kit, "job", 1, 1));
	assert_int_equal(
		act_after(LEASE_MS - 2, COORDINATOR, kit_renew(&kit, "job", 1, 1000)), SETTLE_OK);
}

static void an_outage_expires_nobody(void **state)
{
	ok(CLIENT, kit_submit(&kit, "job"));
	kit_run(&kit, 3600000);
	assert_int_equal(kit_totals(&kit).outage_ms, 3600000 - 4 * 5000);
	assert_int_equal(kit_job_state(&kit, "job", NULL), PB__JOB_STATE__OPEN);
	/* 20 of its 60 seconds are gone. */
	wait_ms(39999);
	assert_int_equal(kit_job_state(&kit, "job", NULL), PB__JOB_STATE__OPEN);
	kit_run(&kit, 1);
	assert_int_equal(kit_job_state(&kit, "job", NULL), PB__JOB_STATE__EXPIRED);
	assert_int_equal(kit_totals(&kit).escrow, 0);
}

static void four_heartbeats_are_no_outage(void **state)
{
	kit_run(&kit, 4 * 5000);
	assert_int_equal(kit_totals(&kit).outage_ms, 0);
	kit_run(&kit, 4 * 5000 + 1);
	assert_int_equal(kit_totals(&kit).outage_ms, 1);
}

static uint64_t wake(void)
{
	return kit.app.vtable->next_wake_ms(kit.app.self);
}

static void it_wakes_at_the_earliest_end(void **state)
{
	assert_true(wake() == UINT64_MAX);
	ok(CLIENT, kit_submit(&kit, "job"));
	assert_int_equal(wake(), kit_now_ms(&kit) + TTL_MS);
	ok(COORDINATOR, kit_assign(&kit, "job", 1, LEASE_MS));
	ok(MINER, kit_deliver(&kit, kit_receipt(&kit, "job", 1, 1, 100)));
	assert_int_equal(wake(), kit_now_ms(&kit) + REVIEW_MS);
	kit_run(&kit, 100000);
	/* The outage moved it. */
	assert_int_equal(wake(), kit_now_ms(&kit) + REVIEW_MS - 20000);
	ok(COORDINATOR, kit_reject(&kit, "job", 1));
	assert_int_equal(wake(), (uint64_t)KIT_START_MS + 1 + TTL_MS + 80000);
	kit_reopen(&kit);
	assert_int_equal(wake(), (uint64_t)KIT_START_MS + 1 + TTL_MS + 80000);
}

static size_t live(void)
{
	return (size_t)kit_totals(&kit).live_jobs;
}

static void a_block_books_no_more_than_its_share_and_in_order(void **state)
{
	static const char *const names[] = {"b", "a", "aa", "c", "d"};
	Pb__SettleParams params;

	settle_params_preset(&params);
	params.expiries_per_block = 2;
	kit_close(&kit);
	kit_open(&kit, &params);
	for (size_t i = 0; i < 5; i++)
		kit_send(&kit, CLIENT, kit_submit(&kit, names[i]));
	kit_run(&kit, 1);
	wait_ms(TTL_MS);
	assert_int_equal(live(), 3);
	/* Of equal due time: by the text of the id. */
	assert_int_equal(kit_job_state(&kit, "a", NULL), PB__JOB_STATE__EXPIRED);
	assert_int_equal(kit_job_state(&kit, "aa", NULL), PB__JOB_STATE__EXPIRED);
	assert_true(wake() <= kit_now_ms(&kit));
	/* What the sweep hasn't reached is over all the same, and naming it doesn't use up the
	 * share. */
	kit_send(&kit, COORDINATOR, kit_assign(&kit, "d", 1, 1000));
	assert_int_equal(kit_run(&kit, 1)->txs[0].code, SETTLE_JOB_EXPIRED);
	assert_int_equal(live(), 0);
	assert_int_equal(kit_totals(&kit).escrow, 0);
}

static void naming_a_due_job_books_it_whatever_becomes_of_the_transaction(void **state)
{
	Pb__SettleParams params;
	Pb__Action *actions[3];
	uint64_t client;

	settle_params_preset(&params);
	params.expiries_per_block = 1;
	kit_close(&kit);
	kit_open(&kit, &params);
	kit_send(&kit, CLIENT, kit_submit(&kit, "a"));
	kit_send(&kit, CLIENT, kit_submit(&kit, "b"));
	kit_run(&kit, 1);
	wait_ms(TTL_MS - 1);
	client = kit_balance(&kit, CLIENT);
	actions[0] = kit_transfer(&kit, RICH, 77);
	actions[1] = kit_cancel(&kit, "b"); /* expired: fails, and the transfer with it */
	kit_send_many(&kit, CLIENT, PB__MODE__ATOMIC, actions, 2);
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[0].code, SETTLE_JOB_EXPIRED);
	assert_int_equal(kit.result.txs[0].data.len, 0);
	assert_int_equal(kit_job_state(&kit, "a", NULL), PB__JOB_STATE__EXPIRED);
	assert_int_equal(kit_job_state(&kit, "b", NULL), PB__JOB_STATE__EXPIRED);
	assert_int_equal(kit_balance(&kit, CLIENT), client - kit.fee + 2 * KIT_COIN);
}

/* The client spends what the booking gave it, and the rollback takes the spending back but not the
 * booking. */
static void a_rollback_keeps_what_was_booked_and_only_that(void **state)
{
	Pb__SettleParams params;
	Pb__Action *actions[3];
	uint64_t rich;

	settle_params_preset(&params);
	params.expiries_per_block = 1;
	params.cancel_grace_ms = 100;
	kit_close(&kit);
	kit_open(&kit, &params);
	kit_send(&kit, CLIENT, kit_submit(&kit, "a"));
	kit_send(&kit, CLIENT, kit_submit(&kit, "b"));
	kit_send(&kit, CLIENT,
		kit_transfer(&kit, RICH, kit_balance(&kit, CLIENT) - 2 * KIT_COIN - 6 * kit.fee));
	kit_run(&kit, 1);
	rich = kit_balance(&kit, RICH);
	wait_ms(TTL_MS - 1);
	actions[0] = kit_cancel(&kit, "b");
	actions[1] = kit_transfer(&kit, RICH, 2 * KIT_COIN);
	kit_send_many(&kit, CLIENT, PB__MODE__EACH, actions, 2);
	actions[0] = kit_transfer(&kit, RICH, 10);
	actions[1] = kit_cancel(&kit, "b");
	kit_send_many(&kit, CLIENT, PB__MODE__ATOMIC, actions, 2);
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[0].code, SETTLE_OK);
	assert_int_equal(kit.result.txs[1].code, SETTLE_JOB_EXPIRED);
	assert_int_equal(kit_balance(&kit, RICH), rich + 2 * KIT_COIN);
	assert_int_equal(kit_totals(&kit).escrow, 0);
}

static void a_transaction_is_in_time_through_its_last_millisecond(void **state)
{
	for (uint64_t side = 0; side < 3; side++) {
		Pb__TxBody body = PB__TX_BODY__INIT;
		Pb__Action *action = kit_transfer(&kit, RICH, 1);

		body.sequence = kit.sequences[CLIENT];
		body.fee = kit.fee;
		body.valid_until_ms = kit_now_ms(&kit) + 1 + side;
		body.actions = &action;
		body.n_actions = 1;
		kit_send_body(&kit, CLIENT, &body);
		kit_run(&kit, 2);
		assert_int_equal(kit.result.txs[0].code, side == 0 ? SETTLE_TX_EXPIRED : SETTLE_OK);
		kit.sequences[CLIENT] += side > 0;
	}
}

static void a_transaction_may_not_wait_longer_than_a_day(void **state)
{
	for (uint64_t side = 0; side < 2; side++) {
		Pb__TxBody body = PB__TX_BODY__INIT;
		Pb__Action *action = kit_transfer(&kit, RICH, 1);

		body.sequence = kit.sequences[CLIENT];
		body.fee = kit.fee;
		body.valid_until_ms = kit_now_ms(&kit) + 2 + 24 * 3600 * 1000 + side;
		body.actions = &action;
		body.n_actions = 1;
		kit_send_body(&kit, CLIENT, &body);
		kit_run(&kit, 2);
		assert_int_equal(kit.result.txs[0].code, side == 0 ? SETTLE_OK : SETTLE_BAD_PARAM);
		kit.sequences[CLIENT] += side == 0;
	}
}

int main(void)
{
#define WORLD(test) cmocka_unit_test_setup_teardown(test, opens, closes)
	const struct CMUnitTest tests[] = {
		WORLD(boundaries_hold_to_the_millisecond),
		WORLD(a_review_ends_to_the_millisecond),
		WORLD(what_is_rejected_from_the_deadline_on_has_failed),
		WORLD(a_lease_may_end_with_the_job_and_not_after),
		WORLD(a_renewal_never_shortens_a_lease),
		WORLD(an_outage_expires_nobody),
		WORLD(four_heartbeats_are_no_outage),
		WORLD(it_wakes_at_the_earliest_end),
		WORLD(a_block_books_no_more_than_its_share_and_in_order),
		WORLD(naming_a_due_job_books_it_whatever_becomes_of_the_transaction),
		WORLD(a_rollback_keeps_what_was_booked_and_only_that),
		WORLD(a_transaction_is_in_time_through_its_last_millisecond),
		WORLD(a_transaction_may_not_wait_longer_than_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
