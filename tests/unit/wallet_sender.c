/* The sender against a chain that loses, delays, refuses and forgets: each act ends once, and is in
 * a block at most once whatever went wrong on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/wallet_chain.h"
#include "wallet/sender.h"

static const uint8_t seed[32];
static const struct account_secret secret = {.b = {[31] = 3}};

struct world {
	struct event_base *loop;
	struct http_client *http;
	struct rpc_client *rpc;
	struct sender *sender;
	struct chain chain;
	size_t ended;
	struct sender_outcome last;
	uint32_t last_codes[TX_ACTIONS_MAX];
	char last_fault[320];
};

static struct world *world_new(const enum chain_plan *plans, size_t plan_count, uint32_t give_up_ms)
{
	struct world *w = calloc(1, sizeof *w);

	for (size_t i = 0; i < plan_count; i++)
		w->chain.plans[i] = plans[i];
	w->chain.plan_count = plan_count;
	w->loop = event_base_new();
	assert_true(chain_start(&w->chain, w->loop));
	assert_int_equal(http_client_new(&w->http, w->loop), STATUS_OK);
	assert_int_equal(rpc_client_new(&w->rpc, w->http, w->chain.url), STATUS_OK);
	struct sender_config config = {.rpc = w->rpc,
		.loop = w->loop,
		.secret = &secret,
		.pause_ms = 5,
		.give_up_ms = give_up_ms};
	assert_int_equal(sender_new(&w->sender, &config), STATUS_OK);
	return w;
}

static void world_free(struct world *w)
{
	sender_free(w->sender);
	http_client_free(w->http);
	rpc_client_free(w->rpc);
	chain_stop(&w->chain);
	event_base_free(w->loop);
	free(w);
}

static void on_done(void *ctx, const struct sender_outcome *outcome)
{
	struct world *w = ctx;

	w->ended++;
	w->last = *outcome;
	memcpy(w->last_codes, outcome->codes, outcome->action_count * sizeof w->last_codes[0]);
	snprintf(w->last_fault, sizeof w->last_fault, "%s", outcome->fault);
}

static void submit(struct world *w, const char *first_id, const char *second_id)
{
	Pb__CancelJob cancels[2] = {PB__CANCEL_JOB__INIT, PB__CANCEL_JOB__INIT};
	Pb__Action actions[2] = {PB__ACTION__INIT, PB__ACTION__INIT};
	const Pb__Action *list[2] = {&actions[0], &actions[1]};

	cancels[0].job_id = (char *)(uintptr_t)first_id;
	cancels[1].job_id = (char *)(uintptr_t)(second_id ? second_id : "");
	for (int i = 0; i < 2; i++) {
		actions[i].act_case = PB__ACTION__ACT_CANCEL_JOB;
		actions[i].cancel_job = &cancels[i];
	}
	assert_int_equal(sender_submit(w->sender, list, second_id ? 2 : 1,
				 second_id ? PB__MODE__EACH : PB__MODE__ATOMIC, on_done, w),
		STATUS_OK);
}

static void run_until_ended(struct world *w, size_t count)
{
	while (w->ended < count)
		assert_int_equal(event_base_loop(w->loop, EVLOOP_ONCE), 0);
	assert_int_equal(w->ended, count);
	assert_int_equal(sender_pending(w->sender), 0);
}

static void act_commits_once_whatever_happens_to_its_first_broadcasts(void **state)
{
	static const enum chain_plan stories[][4] = {
		{PLAN_COMMIT, PLAN_COMMIT, PLAN_COMMIT, PLAN_COMMIT},
		{PLAN_COMMIT_MUTE, PLAN_COMMIT, PLAN_COMMIT, PLAN_COMMIT},
		{PLAN_COMMIT_LATE, PLAN_COMMIT, PLAN_COMMIT, PLAN_COMMIT},
		{PLAN_LOSE, PLAN_LOSE, PLAN_COMMIT, PLAN_COMMIT},
		{PLAN_LOSE, PLAN_COMMIT_MUTE, PLAN_COMMIT, PLAN_COMMIT},
		{PLAN_LOSE_ADMITTED, PLAN_COMMIT, PLAN_COMMIT, PLAN_COMMIT},
		{PLAN_STEAL, PLAN_COMMIT, PLAN_COMMIT, PLAN_COMMIT},
		{PLAN_STEAL, PLAN_STEAL, PLAN_COMMIT_MUTE, PLAN_COMMIT},
		{PLAN_FULL, PLAN_FULL, PLAN_COMMIT, PLAN_COMMIT},
		{PLAN_REFUSE_FEE, PLAN_COMMIT, PLAN_COMMIT, PLAN_COMMIT},
		{PLAN_FULL, PLAN_LOSE_ADMITTED, PLAN_STEAL, PLAN_COMMIT_LATE},
	};

	for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
		struct world *w = world_new(stories[i], 4, 0);
		submit(w, "act", NULL);
		run_until_ended(w, 1);
		assert_int_equal(w->last.fate, SENDER_COMMITTED);
		assert_int_equal(w->last.code, SETTLE_OK);
		assert_true(w->last.height > 0);
		assert_int_equal(chain_committed(&w->chain, "act"), 1);
		world_free(w);
	}
}

static void hundred_acts_fly_in_their_order(void **state)
{
	static const enum chain_plan plans[] = {PLAN_COMMIT, PLAN_LOSE, PLAN_COMMIT_MUTE,
		PLAN_REFUSE_FEE, PLAN_COMMIT_LATE, PLAN_COMMIT, PLAN_LOSE, PLAN_COMMIT, PLAN_STEAL,
		PLAN_COMMIT_MUTE};
	struct world *w = world_new(plans, sizeof plans / sizeof plans[0], 0);
	char id[32];

	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "act-%d", i);
		submit(w, id, NULL);
	}
	assert_int_equal(sender_pending(w->sender), 100);
	run_until_ended(w, 100);
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "act-%d", i);
		assert_int_equal(chain_committed(&w->chain, id), 1);
	}
	world_free(w);
}

static void refusal_for_want_of_money_ends_the_act(void **state)
{
	static const enum chain_plan plans[] = {PLAN_REFUSE_FUNDS};
	struct world *w = world_new(plans, 1, 0);

	submit(w, "act", NULL);
	run_until_ended(w, 1);
	assert_int_equal(w->last.fate, SENDER_REFUSED);
	assert_int_equal(w->last.code, SETTLE_INSUFFICIENT_FUNDS);
	assert_non_null(strstr(w->last_fault, "insufficient_funds"));
	assert_int_equal(w->last_codes[0], SETTLE_INSUFFICIENT_FUNDS);
	assert_int_equal(chain_committed(&w->chain, "act"), 0);
	submit(w, "next", NULL);
	run_until_ended(w, 2);
	assert_int_equal(w->last.fate, SENDER_COMMITTED);
	assert_int_equal(w->last.sequence, 0); /* the refused one's was free again */
	world_free(w);
}

static void gap_that_a_refusal_leaves_is_filled(void **state)
{
	static const enum chain_plan plans[] = {PLAN_REFUSE_FUNDS};
	struct world *w = world_new(plans, 1, 0);
	size_t fillers = 0;

	submit(w, "refused", NULL);
	submit(w, "behind", NULL);
	submit(w, "it", NULL);
	run_until_ended(w, 3);
	assert_int_equal(chain_committed(&w->chain, "behind"), 1);
	assert_int_equal(chain_committed(&w->chain, "it"), 1);
	for (size_t i = 0; i < w->chain.tx_count; i++)
		fillers += w->chain.txs[i].transfer == 1;
	assert_int_equal(fillers, 1);
	world_free(w);
}

static void each_action_has_its_own_code(void **state)
{
	struct world *w = world_new(NULL, 0, 0);

	w->chain.each_failed = true;
	submit(w, "good", "bad");
	run_until_ended(w, 1);
	assert_int_equal(w->last.code, SETTLE_OK);
	assert_int_equal(w->last_codes[0], SETTLE_OK);
	assert_int_equal(w->last_codes[1], SETTLE_WRONG_STATE);
	world_free(w);
}

static void silence_is_reported_as_unknown_when_asked_to_give_up(void **state)
{
	static enum chain_plan plans[CHAIN_PLANS_MAX];
	for (size_t i = 0; i < CHAIN_PLANS_MAX; i++)
		plans[i] = PLAN_LOSE;
	struct world *w = world_new(plans, CHAIN_PLANS_MAX, 60);

	submit(w, "act", NULL);
	run_until_ended(w, 1);
	assert_int_equal(w->last.fate, SENDER_UNKNOWN);
	assert_int_equal(w->last_codes[0], SETTLE_CODES);
	world_free(w);
}

static void act_is_refused_unsent_when_the_chain_is_another(void **state)
{
	struct world *w = world_new(NULL, 0, 0);
	static const struct hash32 wanted = {{9}};
	struct sender_config config = {
		.rpc = w->rpc, .loop = w->loop, .secret = &secret, .chain_tag = &wanted};

	sender_free(w->sender);
	assert_int_equal(sender_new(&w->sender, &config), STATUS_OK);
	submit(w, "act", NULL);
	run_until_ended(w, 1);
	assert_int_equal(w->last.fate, SENDER_REFUSED);
	assert_int_equal(w->last.code, SETTLE_WRONG_CHAIN);
	assert_int_equal(w->chain.broadcasts, 0);
	world_free(w);
}

static void what_no_transaction_holds_is_refused_at_once(void **state)
{
	struct world *w = world_new(NULL, 0, 0);
	const Pb__Action *none = NULL;

	assert_int_equal(
		sender_submit(w->sender, &none, 0, PB__MODE__EACH, on_done, w), STATUS_INVALID);
	world_free(w);
}

static void sender_that_goes_away_mid_flight_leaves_nothing_behind(void **state)
{
	struct world *w = world_new(NULL, 0, 0);

	for (int i = 0; i < 40; i++)
		submit(w, "act", NULL);
	while (w->chain.broadcasts == 0)
		assert_int_equal(event_base_loop(w->loop, EVLOOP_ONCE), 0);
	world_free(w); /* the sanitizer counts what is left */
}

static int before(void **state)
{
	return keys_start(seed) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(act_commits_once_whatever_happens_to_its_first_broadcasts),
		cmocka_unit_test(hundred_acts_fly_in_their_order),
		cmocka_unit_test(refusal_for_want_of_money_ends_the_act),
		cmocka_unit_test(gap_that_a_refusal_leaves_is_filled),
		cmocka_unit_test(each_action_has_its_own_code),
		cmocka_unit_test(silence_is_reported_as_unknown_when_asked_to_give_up),
		cmocka_unit_test(act_is_refused_unsent_when_the_chain_is_another),
		cmocka_unit_test(what_no_transaction_holds_is_refused_at_once),
		cmocka_unit_test(sender_that_goes_away_mid_flight_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, before, NULL);
}
