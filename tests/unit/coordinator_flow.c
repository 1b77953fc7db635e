/* The coordinator's whole road, over the real settlement rules: who is paid, who isn't, and what is
 * left after lost answers, silent miners and crashes. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "coordinator/managed.h"
#include "tests/unit/coordinator_world.h"

enum { SHARE = 1000, FEE = 100000 };
static const struct work GOOD = {"{\"stdout\": \"1 2 3\"}", 1000, MINER};
static const struct work GOOD2 = {"{\"stdout\": \"1 2 3\"}", 1000, RICH};

/* A job of that id in MINER's hands; its assignment, and its REST id in id. */
static void in_hand(struct world *w, struct answer *assignment, const char *job_id, char id[64])
{
	struct answer submitted;

	register_miner(w, 1);
	submit(w, &submitted, job_id, 0);
	assert_int_equal(submitted.status, 201);
	snprintf(id, 64, "%s", says(&submitted, "job_id"));
	answer_fini(&submitted);
	poll_job(w, assignment, 1);
	assert_int_equal(assignment->status, 200);
	assert_string_equal(says(assignment, "job_id"), id);
}

static void expect_stage(struct world *w, const char *id, const char *wanted)
{
	char text[32];

	assert_string_equal(stage(w, id, text), wanted);
}

static void expect_status(struct world *w, const char *key, const char *path, unsigned wanted)
{
	struct answer answer;

	ask(w, &answer, HTTP_GET, path, "X-Api-Key", key, NULL);
	if (answer.status != wanted)
		fail_msg("%s: %u %s", path, answer.status, answer.text);
	answer_fini(&answer);
}

static void a_job_is_paid_and_its_result_not_shown_before(void **state)
{
	struct world w = {.managed = false};
	struct answer assignment, done, seen;
	char id[64], path[96], path2[96];
	struct buf body = {0};
	uint64_t miner, coordinator;

	(void)state;
	world_open(&w);
	in_hand(&w, &assignment, "one", id);
	miner = kit_balance(w.kit, MINER);
	coordinator = kit_balance(w.kit, COORDINATOR);
	snprintf(path, sizeof path, "/v1/jobs/%s/result", id);
	expect_status(&w, CLIENT_KEY, path, 425);
	world_advance(&w, 1500);
	complete_body(&w, &body, &assignment, &GOOD);
	snprintf(path2, sizeof path2, "/v1/jobs/%s/complete", id);
	ask(&w, &done, HTTP_POST, path2, "X-Miner-Key", MINER_KEY1, buf_text(&body));
	assert_int_equal(done.status, 200);
	assert_string_equal(says(&done, "amount"), "20000");
	assert_int_equal(kit_balance(w.kit, MINER), miner + 20000 - SHARE);
	assert_true(kit_balance(w.kit, COORDINATOR) < coordinator + SHARE); /* it paid the fee */
	assert_int_equal(kit_job_state(w.kit, "one", NULL), PB__JOB_STATE__SETTLED);
	ask(&w, &seen, HTTP_GET, path, "X-Api-Key", CLIENT_KEY, NULL);
	assert_int_equal(seen.status, 200);
	/* The bytes as the miner sent them. */
	assert_non_null(strstr(seen.text, "\"result\":{\"stdout\": \"1 2 3\"}"));
	answer_fini(&seen);
	/* The same once more is the same answer, and not paid again. */
	answer_fini(&done);
	ask(&w, &done, HTTP_POST, path2, "X-Miner-Key", MINER_KEY1, buf_text(&body));
	assert_int_equal(done.status, 200);
	assert_int_equal(kit_balance(w.kit, MINER), miner + 20000 - SHARE);
	buf_fini(&body);
	expect_status(&w, CLIENT2_KEY, path, 404); /* not theirs */
	expect_status(&w, ADMIN_KEY, path, 200);
	answer_fini(&done);
	answer_fini(&assignment);
	world_close(&w);
}

static void who_shows_no_key_of_ours_uploads_nothing(void **state)
{
	static const struct {
		const char *key;
		unsigned status;
	} table[] = {{NULL, 401}, {"guess", 401}, {CLIENT_KEY, 201}, {MINER_KEY1, 201}};
	struct world w = {.managed = false};

	world_open(&w);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct answer answer;

		ask(&w, &answer, HTTP_POST, "/v1/artifacts", "X-Api-Key", table[i].key, "bytes");
		assert_int_equal(answer.status, table[i].status);
		answer_fini(&answer);
	}
	/* Guesses from one address are counted here as everywhere. */
	for (int i = 0; i < 10; i++) {
		struct answer answer;

		ask(&w, &answer, HTTP_POST, "/v1/artifacts", "X-Api-Key", "guess", "bytes");
		assert_int_equal(answer.status, i < 9 ? 401 : 429);
		answer_fini(&answer);
	}
	world_close(&w);
}

static void nothing_is_heard_of_a_job_before_its_assignment_is_committed(void **state)
{
	struct world w = {.managed = false};
	struct answer submitted, assignment;
	Pb__Job *record;

	(void)state;
	world_open(&w);
	register_miner(&w, 1);
	submit(&w, &submitted, "one", 0);
	poll_job(&w, &assignment, 1);
	assert_int_equal(assignment.status, 200);
	assert_int_equal(kit_job_state(w.kit, "one", &record), PB__JOB_STATE__ASSIGNED);
	assert_int_equal(record->attempt, 1);
	answer_fini(&assignment);
	answer_fini(&submitted);
	world_close(&w);
}

static void a_submission_survives_a_crash_before_the_chain_heard_of_it(void **state)
{
	struct world w = {.managed = false};
	struct answer answer;
	char id[64];

	(void)state;
	world_open(&w);
	world_settle(&w);
	w.chain_silent = w.impatient = true;
	submit(&w, &answer, "one", 0);
	assert_int_equal(answer.status, 0); /* no promise was made */
	answer_fini(&answer);
	world_crash(&w);
	w.chain_silent = w.impatient = false;
	world_advance(&w, 5000);
	ask(&w, &answer, HTTP_GET, "/v1/jobs?limit=1", "X-Api-Key", CLIENT_KEY, NULL);
	snprintf(id, sizeof id, "%s",
		json_string_value(json_object_get(
			json_array_get(json_object_get(answer.json, "items"), 0), "job_id")));
	answer_fini(&answer);
	expect_stage(&w, id, "queued");
	assert_int_equal(kit_job_state(w.kit, "one", NULL), PB__JOB_STATE__OPEN);
	world_close(&w);
}

static void a_lost_answer_of_the_chain_orders_nothing_twice(void **state)
{
	struct world w = {.managed = false};
	struct answer answer;
	uint64_t client;

	(void)state;
	world_open(&w);
	world_settle(&w);
	client = kit_balance(w.kit, CLIENT);
	w.moods[w.mood_count++] = CHAIN_MUTE;
	w.impatient = true;
	submit(&w, &answer, "one", 0);
	w.impatient = false;
	world_advance(&w, 4000);
	assert_int_equal(kit_job_state(w.kit, "one", NULL), PB__JOB_STATE__OPEN);
	assert_int_equal(kit_balance(w.kit, CLIENT), client - KIT_COIN - FEE);
	answer_fini(&answer);
	world_close(&w);
}

static void the_same_submission_again_is_the_same_job(void **state)
{
	struct world w = {.managed = false};
	struct answer first, again;
	struct buf body = {0};
	uint64_t client;

	(void)state;
	world_open(&w);
	client = kit_balance(w.kit, CLIENT);
	submit_body(&w, &body, "one", 0);
	ask(&w, &first, HTTP_POST, "/v1/jobs", "X-Api-Key", CLIENT_KEY, buf_text(&body));
	ask(&w, &again, HTTP_POST, "/v1/jobs", "X-Api-Key", CLIENT_KEY, buf_text(&body));
	assert_int_equal(first.status, 201);
	assert_int_equal(again.status, 200);
	assert_string_equal(says(&first, "job_id"), says(&again, "job_id"));
	assert_int_equal(kit_balance(w.kit, CLIENT), client - KIT_COIN - FEE);
	answer_fini(&again);
	ask(&w, &again, HTTP_POST, "/v1/jobs", "X-Api-Key", CLIENT2_KEY, buf_text(&body));
	assert_int_equal(again.status, 409);
	answer_fini(&again);
	answer_fini(&first);
	buf_fini(&body);
	world_close(&w);
}

static void a_silent_miner_loses_the_job_to_another(void **state)
{
	struct world w = {.managed = false};
	struct answer first, second, done;
	char id[64];

	(void)state;
	world_open(&w);
	in_hand(&w, &first, "one", id);
	/* Lease 75 s, grace 10 s; it says nothing. */
	world_advance(&w, 80000);
	expect_stage(&w, id, "assigned");
	world_advance(&w, 12000);
	expect_stage(&w, id, "queued");
	register_miner(&w, 2);
	poll_job(&w, &second, 2);
	assert_int_equal(second.status, 200);
	assert_int_equal(json_integer_value(json_object_get(second.json, "attempt")), 2);
	/* The first comes back too late. */
	complete(&w, &done, 1, &first, &GOOD);
	assert_int_equal(done.status, 403);
	answer_fini(&done);
	world_advance(&w, 2000);
	complete(&w, &done, 2, &second, &GOOD2);
	assert_int_equal(done.status, 200);
	assert_int_equal(kit_job_state(w.kit, "one", NULL), PB__JOB_STATE__SETTLED);
	answer_fini(&done);
	answer_fini(&second);
	answer_fini(&first);
	world_close(&w);
}

static void heartbeats_that_name_the_job_renew_its_lease(void **state)
{
	struct world w = {.managed = false};
	struct answer assignment, done;
	char id[64];

	(void)state;
	world_open(&w);
	in_hand(&w, &assignment, "one", id);
	for (int i = 0; i < 20; i++) { /* 300 s with a lease of 75 */
		world_advance(&w, 15000);
		heartbeat(&w, 1, id, 1);
	}
	expect_stage(&w, id, "running");
	complete(&w, &done, 1, &assignment, &GOOD);
	assert_int_equal(done.status, 200);
	answer_fini(&done);
	answer_fini(&assignment);
	world_close(&w);
}

static void without_a_miner_the_client_has_its_money_back(void **state)
{
	struct world w = {.managed = false};
	struct answer answer;
	uint64_t client;
	char id[64];

	(void)state;
	world_open(&w);
	client = kit_balance(w.kit, CLIENT);
	submit(&w, &answer, "one", 0);
	snprintf(id, sizeof id, "%s", says(&answer, "job_id"));
	answer_fini(&answer);
	world_advance(&w, 58000);
	expect_stage(&w, id, "queued");
	world_advance(&w, 4000);
	expect_stage(&w, id, "failed");
	assert_int_equal(kit_balance(w.kit, CLIENT), client - FEE);
	world_close(&w);
}

static void a_busy_miner_is_waited_for(void **state)
{
	struct world w = {.managed = false};
	struct answer one, two, three, answer;
	char id[64];

	(void)state;
	world_open(&w);
	in_hand(&w, &one, "one", id);
	submit(&w, &answer, "two", 0);
	answer_fini(&answer);
	poll_job(&w, &two, 1);
	assert_int_equal(two.status, 200);
	submit(&w, &answer, "three", 0); /* it has two slots */
	snprintf(id, sizeof id, "%s", says(&answer, "job_id"));
	answer_fini(&answer);
	for (int i = 0; i < 10; i++) {
		world_advance(&w, 15000);
		heartbeat(&w, 1, says(&one, "job_id"), 1);
		heartbeat(&w, 1, says(&two, "job_id"), 1);
	}
	expect_stage(&w, id, "queued");
	complete(&w, &answer, 1, &one, &GOOD);
	assert_int_equal(answer.status, 200);
	answer_fini(&answer);
	poll_job(&w, &three, 1);
	assert_int_equal(three.status, 200);
	assert_string_equal(says(&three, "job_id"), id);
	answer_fini(&three);
	answer_fini(&two);
	answer_fini(&one);
	world_close(&w);
}

static void a_result_held_is_recorded_after_a_crash(void **state)
{
	struct world w = {.managed = false};
	struct answer assignment, done;
	char id[64];

	(void)state;
	world_open(&w);
	in_hand(&w, &assignment, "one", id);
	world_advance(&w, 1500);
	/* The chain is away while the result comes in: it is stored, and nobody is told that it is
	 * paid. */
	w.chain_silent = true;
	w.impatient = true;
	complete(&w, &done, 1, &assignment, &GOOD);
	assert_int_not_equal(done.status, 200);
	answer_fini(&done);
	world_crash(&w);
	w.chain_silent = w.impatient = false;
	world_advance(&w, 4000);
	expect_stage(&w, id, "completed");
	assert_int_equal(kit_job_state(w.kit, "one", NULL), PB__JOB_STATE__SETTLED);
	answer_fini(&assignment);
	world_close(&w);
}

static void a_miner_at_work_is_paid_after_a_crash_that_forgot_it(void **state)
{
	struct world w = {.managed = false};
	struct answer assignment, done;
	char id[64];

	(void)state;
	world_open(&w);
	in_hand(&w, &assignment, "one", id);
	world_advance(&w, 1500);
	world_crash(&w); /* that it was assigned wasn't synced: the chain tells it again */
	world_advance(&w, 500);
	expect_stage(&w, id, "assigned");
	register_miner(&w, 1);
	heartbeat(&w, 1, id, 1);
	expect_stage(&w, id, "running");
	complete(&w, &done, 1, &assignment, &GOOD);
	assert_int_equal(done.status, 200);
	assert_int_equal(kit_job_state(w.kit, "one", NULL), PB__JOB_STATE__SETTLED);
	answer_fini(&done);
	answer_fini(&assignment);
	world_close(&w);
}

static void what_the_miner_delivered_on_the_chain_is_recorded(void **state)
{
	struct world w = {.managed = false};
	struct answer assignment, done;
	char id[64];

	(void)state;
	world_open(&w);
	in_hand(&w, &assignment, "one", id);
	world_advance(&w, 1500);
	deliver_on_chain(&w, &assignment, &GOOD);
	/* The same receipt reaches us by itself, before we knew. */
	complete(&w, &done, 1, &assignment, &GOOD);
	assert_int_equal(done.status, 200);
	assert_int_equal(kit_job_state(w.kit, "one", NULL), PB__JOB_STATE__SETTLED);
	answer_fini(&done);
	answer_fini(&assignment);
	world_close(&w);
}

static void a_delivery_without_its_result_is_rejected_on_record(void **state)
{
	struct world w = {.managed = false};
	struct answer assignment, answer;
	char id[64], path[96];

	(void)state;
	world_open(&w);
	in_hand(&w, &assignment, "one", id);
	world_advance(&w, 1500);
	deliver_on_chain(&w, &assignment, &GOOD);
	for (int i = 0; i < 3; i++) {
		world_advance(&w, 15000);
		heartbeat(&w, 1, id, 1);
	}
	expect_stage(&w, id, "delivered");
	assert_int_equal(kit_job_state(w.kit, "one", NULL), PB__JOB_STATE__DELIVERED);
	for (int i = 0; i < 20; i++) /* 300 s */
		world_advance(&w, 15000);
	assert_int_equal(kit_job_state(w.kit, "one", NULL), PB__JOB_STATE__OPEN);
	snprintf(path, sizeof path, "/v1/jobs/%s", id);
	ask(&w, &answer, HTTP_GET, path, "X-Api-Key", CLIENT_KEY, NULL);
	assert_string_equal(says(&answer, "status"), "pending");
	answer_fini(&answer);
	answer_fini(&assignment);
	world_close(&w);
}

static void what_another_signed_is_refused(void **state)
{
	struct world w = {.managed = false};
	struct answer assignment, done;
	struct work forged = {"{}", 1000, RICH}, greedy = {"{}", 50000, MINER};
	char id[64];

	(void)state;
	world_open(&w);
	in_hand(&w, &assignment, "one", id);
	register_miner(&w, 2);
	world_advance(&w, 1500);
	complete(&w, &done, 1, &assignment, &forged);
	assert_int_equal(done.status, 400);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(done.json, "error"), "field")),
		"proof.signature");
	answer_fini(&done);
	complete(&w, &done, 2, &assignment, &GOOD);
	assert_int_equal(done.status, 403);
	answer_fini(&done);
	/* More seconds than have passed: the chain says no, the miner hears why and may mend it. */
	complete(&w, &done, 1, &assignment, &greedy);
	assert_int_equal(done.status, 400);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(done.json, "error"), "code")),
		"unit_mismatch");
	answer_fini(&done);
	world_settle(&w);
	complete(&w, &done, 1, &assignment, &GOOD);
	assert_int_equal(done.status, 200);
	answer_fini(&done);
	answer_fini(&assignment);
	world_close(&w);
}

static void a_miner_gives_back_or_gives_up_with_its_signature(void **state)
{
	struct world w = {.managed = false};
	struct answer assignment, answer;
	struct buf body = {0};
	char id[64], path[96];
	uint64_t client;

	(void)state;
	world_open(&w);
	in_hand(&w, &assignment, "one", id);
	client = kit_balance(w.kit, CLIENT);
	snprintf(path, sizeof path, "/v1/jobs/%s/fail", id);
	release_body(&w, &body, &assignment, JOB_RELEASE);
	ask(&w, &answer, HTTP_POST, path, "X-Miner-Key", MINER_KEY1, buf_text(&body));
	assert_int_equal(answer.status, 200);
	answer_fini(&answer);
	answer_fini(&assignment);
	poll_job(&w, &assignment, 1); /* nobody else is there */
	assert_int_equal(assignment.status, 200);
	assert_int_equal(json_integer_value(json_object_get(assignment.json, "attempt")), 2);
	buf_clear(&body);
	release_body(&w, &body, &assignment, JOB_FAIL);
	ask(&w, &answer, HTTP_POST, path, "X-Miner-Key", MINER_KEY1, buf_text(&body));
	assert_int_equal(answer.status, 200);
	answer_fini(&answer);
	world_settle(&w);
	expect_stage(&w, id, "failed");
	assert_int_equal(kit_balance(w.kit, CLIENT), client + KIT_COIN);
	buf_fini(&body);
	answer_fini(&assignment);
	world_close(&w);
}

static void a_client_cancels_what_nobody_holds(void **state)
{
	struct world w = {.managed = false};
	struct answer answer, assignment;
	struct buf body = {0};
	char id[64], path[96];
	uint64_t client;

	(void)state;
	world_open(&w);
	client = kit_balance(w.kit, CLIENT);
	submit(&w, &answer, "one", 0);
	snprintf(path, sizeof path, "/v1/jobs/%s/cancel", says(&answer, "job_id"));
	answer_fini(&answer);
	cancel_body(&w, &body, "one");
	ask(&w, &answer, HTTP_POST, path, "X-Api-Key", CLIENT_KEY, buf_text(&body));
	assert_int_equal(answer.status, 200);
	assert_string_equal(says(&answer, "state"), "CANCELED");
	assert_int_equal(kit_balance(w.kit, CLIENT), client - 2 * FEE);
	answer_fini(&answer);
	in_hand(&w, &assignment, "two", id);
	snprintf(path, sizeof path, "/v1/jobs/%s/cancel", id);
	buf_clear(&body);
	cancel_body(&w, &body, "two");
	ask(&w, &answer, HTTP_POST, path, "X-Api-Key", CLIENT_KEY, buf_text(&body));
	assert_int_equal(answer.status, 409);
	answer_fini(&answer);
	answer_fini(&assignment);
	buf_fini(&body);
	world_close(&w);
}

static void a_cancellation_on_the_chain_is_seen(void **state)
{
	struct world w = {.managed = false};
	struct answer answer;
	char id[64];

	(void)state;
	world_open(&w);
	submit(&w, &answer, "one", 0);
	snprintf(id, sizeof id, "%s", says(&answer, "job_id"));
	answer_fini(&answer);
	w.kit->sequences[CLIENT] = 1;
	assert_int_equal(kit_act(w.kit, CLIENT, kit_cancel(w.kit, "one")), 0);
	register_miner(&w, 1);
	poll_job(&w, &answer, 1); /* the assignment is refused, and the chain asked */
	assert_int_equal(answer.status, 204);
	answer_fini(&answer);
	expect_stage(&w, id, "cancelled");
	world_close(&w);
}

static void a_refused_submission_is_told_by_name_and_may_come_again(void **state)
{
	struct world w = {.managed = false};
	struct answer answer;

	(void)state;
	world_open(&w);
	submit(&w, &answer, "one", 1); /* a time to live under the chain's least */
	assert_int_equal(answer.status, 400);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(answer.json, "error"), "code")),
		"bad_param");
	answer_fini(&answer);
	world_settle(&w);
	submit(&w, &answer, "one", 0);
	assert_int_equal(answer.status, 201);
	answer_fini(&answer);
	ask(&w, &answer, HTTP_GET, "/v1/jobs", "X-Api-Key", CLIENT_KEY, NULL);
	assert_int_equal(json_array_size(json_object_get(answer.json, "items")), 1);
	answer_fini(&answer);
	world_close(&w);
}

static void a_job_expires_by_the_chains_deadline(void **state)
{
	struct world w = {.managed = false};
	struct answer assignment, answer;
	uint64_t client;
	char id[64];

	(void)state;
	world_open(&w);
	register_miner(&w, 1);
	client = kit_balance(w.kit, CLIENT);
	submit(&w, &answer, "one", 30000);
	snprintf(id, sizeof id, "%s", says(&answer, "job_id"));
	answer_fini(&answer);
	poll_job(&w, &assignment, 1);
	assert_int_equal(assignment.status, 200);
	world_advance(&w, 32000);
	expect_stage(&w, id, "expired");
	assert_int_equal(kit_balance(w.kit, CLIENT), client - FEE);
	answer_fini(&assignment);
	world_close(&w);
}

static void the_record_on_the_chain_is_made_to_say_what_is_configured(void **state)
{
	struct world w = {.managed = false};
	struct account_address owner;
	uint32_t code;

	(void)state;
	world_open(&w);
	coordinator_tick(w.coordinator);
	world_settle(&w);
	owner = kit_address(COORDINATOR);
	assert_non_null(
		strstr(kit_ask(w.kit, "/coordinators", bytes_view(owner.b, sizeof owner.b), &code),
			"\"url\":\"http://127.0.0.1:1\""));
	expect_status(&w, NULL, "/v1/health", 200);
	world_close(&w);
}

static void one_act_that_cannot_be_said_spoils_no_other(void **state)
{
	struct world w = {.managed = false};
	struct chain_deed deed = {.act = ACT_FAIL};
	Pb__FailJob fail = PB__FAIL_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	struct coordinator *c;

	(void)state;
	world_open(&w);
	coordinator_tick(w.coordinator);
	world_settle(&w);
	c = w.coordinator;
	fail.job_id = (char *)(uintptr_t) "one";
	fail.reason = (char *)(uintptr_t) "\xff";
	action.act_case = PB__ACTION__ACT_FAIL_JOB;
	action.fail_job = &fail;
	/* Both in one turn, so in one transaction, which the chain can't read. */
	assert_true(chain_link_act(&c->link, &deed, &action));
	c->published = false;
	c->publishing = act_publish(c);
	world_settle(&w);
	assert_true(c->published);
	world_close(&w);
}

static void a_managed_key_orders_within_its_day_and_never_twice(void **state)
{
	static const char body[] =
		"{\"payload\":{\"type\":\"text/count\",\"input\":\"artifact:"
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"},"
		"\"payment_amount\":\"2aitbc\"}";
	struct world w = {.managed = true};
	struct account_address account;
	struct account_secret secret;
	struct account_key key;
	struct answer answer;
	uint64_t next, balance;

	(void)state;
	world_open(&w);
	ask(&w, &answer, HTTP_POST, "/v1/jobs", "X-Api-Key", CLIENT_KEY, body);
	assert_int_equal(answer.status, 402); /* an account without money */
	answer_fini(&answer);
	assert_true(managed_secret(&secret, &w.seed, "client"));
	assert_true(account_key_of(&key, &secret));
	account = account_address_of(&key);
	{
		Pb__Action *action = kit_transfer(w.kit, STRANGER, 10 * KIT_COIN);

		action->transfer->to = (ProtobufCBinaryData){sizeof account.b, account.b};
		assert_int_equal(kit_act(w.kit, RICH, action), 0);
	}
	for (int i = 0; i < 2; i++) {
		ask(&w, &answer, HTTP_POST, "/v1/jobs", "X-Api-Key", CLIENT_KEY, body);
		if (answer.status != 201)
			fail_msg("%u %s", answer.status, answer.text);
		answer_fini(&answer);
	}
	/* 4 of 5 AITBC are spent today. */
	ask(&w, &answer, HTTP_POST, "/v1/jobs", "X-Api-Key", CLIENT_KEY, body);
	assert_int_equal(answer.status, 402);
	answer_fini(&answer);
	assert_true(w.kit->app.vtable->account(w.kit->app.self, &account, &next, &balance));
	assert_int_equal(next, 2);
	assert_true(balance < 6u * KIT_COIN);
	/* What was spent is known after a crash, and another day begins anew. */
	world_crash(&w);
	ask(&w, &answer, HTTP_POST, "/v1/jobs", "X-Api-Key", CLIENT_KEY, body);
	assert_int_equal(answer.status, 402);
	answer_fini(&answer);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_paid_and_its_result_not_shown_before),
		cmocka_unit_test(who_shows_no_key_of_ours_uploads_nothing),
		cmocka_unit_test(nothing_is_heard_of_a_job_before_its_assignment_is_committed),
		cmocka_unit_test(a_submission_survives_a_crash_before_the_chain_heard_of_it),
		cmocka_unit_test(a_lost_answer_of_the_chain_orders_nothing_twice),
		cmocka_unit_test(the_same_submission_again_is_the_same_job),
		cmocka_unit_test(a_silent_miner_loses_the_job_to_another),
		cmocka_unit_test(heartbeats_that_name_the_job_renew_its_lease),
		cmocka_unit_test(without_a_miner_the_client_has_its_money_back),
		cmocka_unit_test(a_busy_miner_is_waited_for),
		cmocka_unit_test(a_result_held_is_recorded_after_a_crash),
		cmocka_unit_test(a_miner_at_work_is_paid_after_a_crash_that_forgot_it),
		cmocka_unit_test(what_the_miner_delivered_on_the_chain_is_recorded),
		cmocka_unit_test(a_delivery_without_its_result_is_rejected_on_record),
		cmocka_unit_test(what_another_signed_is_refused),
		cmocka_unit_test(a_miner_gives_back_or_gives_up_with_its_signature),
		cmocka_unit_test(a_client_cancels_what_nobody_holds),
		cmocka_unit_test(a_cancellation_on_the_chain_is_seen),
		cmocka_unit_test(a_refused_submission_is_told_by_name_and_may_come_again),
		cmocka_unit_test(a_job_expires_by_the_chains_deadline),
		cmocka_unit_test(the_record_on_the_chain_is_made_to_say_what_is_configured),
		cmocka_unit_test(one_act_that_cannot_be_said_spoils_no_other),
		cmocka_unit_test(a_managed_key_orders_within_its_day_and_never_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
