/* The miner daemon against a real chain and a coordinator that does what these stories need. One
 * chain for all of them; each has its own job. miner AITBCD AITBC_MINER CHILD_PROGRAM FOLDER */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/e2e/miner_world.h"

static struct world w;

static int running_miner(void **state)
{
	(void)state;
	w.manner = MANNER_TAKE;
	world_miner_start(&w, "push");
	w.completions = w.failures = w.uploads = 0;
	return 0;
}

/* Whatever the story was, no file and no directory of its job is left. */
static int ended_miner(void **state)
{
	(void)state;
	if (w.miner_pid > 0) {
		WORLD_UNTIL(&w, world_files(&w, "state/jobs") == 0);
		assert_int_equal(world_miner_end(&w, SIGTERM), 0);
	}
	assert_int_equal(world_files(&w, "state/work"), 0);
	return 0;
}

static void make_ready(struct world_job *job, const char *job_id, const char *service,
	const char *payload, uint64_t lease_ms)
{
	world_submit(&w, job, job_id, service, payload, PB__ON_SILENCE__PAY_MINER);
	world_assign(&w, job, &w.miner_key, lease_ms);
}

static void an_honest_job_is_paid(void **state)
{
	struct world_job job;
	char hex[65], payload[256];
	(void)state;
	uint64_t before = world_balance(&w, &w.miner);
	world_artifact(&w, hex, "three small words\n");
	snprintf(payload, sizeof payload, "{\"type\":\"text/count\", \"input\":\"artifact:%s\"}",
		hex);
	make_ready(&job, "honest", "text/count", payload, 30000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	WORLD_UNTIL(&w, w.completions > 0);
	assert_non_null(strstr(w.completion, "\"stdout\":\"3 ./input\\n\""));
	assert_true(world_record(&w, &job));
	struct job_terms terms = world_look(&w, &job);
	assert_int_equal(terms.state, PB__JOB_STATE__SETTLED);
	assert_int_equal(world_balance(&w, &w.miner), before + terms.to_miner);
}

static void output_files_are_uploaded_and_named_by_their_hash(void **state)
{
	struct world_job job;
	char hex[65], payload[256];
	(void)state;
	world_artifact(&w, hex, "copy me\n");
	snprintf(
		payload, sizeof payload, "{\"type\":\"text/copy\",\"input\":\"artifact:%s\"}", hex);
	make_ready(&job, "copied", "text/copy", payload, 30000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	WORLD_UNTIL(&w, w.completions > 0);
	assert_int_equal(w.uploads, 1);
	assert_non_null(strstr(w.completion, hex)); /* a copy has the hash of its original */
	assert_non_null(strstr(w.completion, "\"name\":\"copy.txt\""));
	assert_true(world_record(&w, &job));
}

static void a_second_push_of_a_taken_job_is_harmless(void **state)
{
	struct world_job job;
	(void)state;
	make_ready(&job, "twice", "hang", "{}", 30000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	assert_int_equal(world_miner_end(&w, SIGTERM), 0);
	assert_int_equal(w.failures, 1);
	assert_int_equal(world_release_act(&w, &job), JOB_RELEASE);
}

static void a_full_miner_says_busy(void **state)
{
	struct world_job job, other;
	(void)state;
	make_ready(&job, "first", "hang", "{}", 30000);
	make_ready(&other, "second", "echo", "{}", 30000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	assert_int_equal(world_push(&w, &other, NULL), 409);
	assert_int_equal(world_miner_end(&w, SIGTERM), 0);
}

static void the_miner_that_is_told_to_stop_gives_its_work_back(void **state)
{
	struct world_job job;
	(void)state;
	make_ready(&job, "stopped", "hang", "{}", 60000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	assert_int_equal(world_miner_end(&w, SIGTERM), 0);
	assert_int_equal(w.failures, 1);
	assert_int_equal(world_release_act(&w, &job), JOB_RELEASE);
	world_release(&w, &job); /* long before the lease ends, by the signature alone */
	assert_int_equal(world_look(&w, &job).state, PB__JOB_STATE__OPEN);
	assert_int_equal(world_files(&w, "state/jobs"), 0);
}

static void a_failed_program_fails_the_job_with_its_last_words(void **state)
{
	struct world_job job;
	(void)state;
	make_ready(&job, "failing", "fail", "{}", 30000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	WORLD_UNTIL(&w, w.failures > 0);
	assert_int_equal(world_release_act(&w, &job), JOB_FAIL);
	assert_non_null(strstr(w.failure, "it went wrong"));
	assert_non_null(strstr(w.failure, "exit code 3"));
	assert_int_equal(w.completions, 0);
}

static void a_payload_outside_the_template_fails_the_job(void **state)
{
	struct world_job job;
	(void)state;
	make_ready(&job, "outside", "echo", "{\"word\":\"-n\"}", 30000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	WORLD_UNTIL(&w, w.failures > 0);
	assert_int_equal(world_release_act(&w, &job), JOB_FAIL);
	assert_non_null(strstr(w.failure, "doesn't offer"));
}

static void an_input_that_is_not_there_fails_the_job(void **state)
{
	struct world_job job;
	(void)state;
	make_ready(&job, "inputless", "text/count",
		"{\"input\":\"artifact:"
		"00000000000000000000000000000000000000000000000000000000000000aa\"}",
		30000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	WORLD_UNTIL(&w, w.failures > 0);
	assert_int_equal(world_release_act(&w, &job), JOB_FAIL);
	assert_non_null(strstr(w.failure, "no such artifact"));
}

static void nothing_starts_that_the_chain_does_not_say(void **state)
{
	struct world_job job;
	char body[1024];
	(void)state;
	world_submit(&w, &job, "unassigned", "echo", "{}", PB__ON_SILENCE__PAY_MINER);
	job.attempt = 1;
	assert_int_equal(world_push(&w, &job, body), 409);
	assert_non_null(strstr(body, "on the chain the job is OPEN"));
	job.attempt = 0;
	struct account_key other;
	assert_true(account_key_of(&other, &w.coordinator_secret));
	world_assign(&w, &job, &other, 30000);
	assert_int_equal(world_push(&w, &job, body), 409);
	assert_non_null(strstr(body, "another miner"));
	assert_int_equal(w.failures, 0);
}

static void a_refund_on_silence_is_given_back_unworked(void **state)
{
	struct world_job job;
	char body[1024];
	(void)state;
	world_submit(&w, &job, "refund", "echo", "{}", PB__ON_SILENCE__REFUND);
	world_assign(&w, &job, &w.miner_key, 30000);
	assert_int_equal(world_push(&w, &job, body), 422);
	WORLD_UNTIL(&w, w.failures > 0);
	assert_int_equal(world_release_act(&w, &job), JOB_RELEASE);
	assert_int_equal(w.completions, 0);
}

static void a_silent_coordinator_is_passed_by_in_time(void **state)
{
	struct world_job job;
	(void)state;
	make_ready(&job, "silent", "echo", "{}", 7000);
	w.manner = MANNER_SILENT;
	assert_int_equal(world_push(&w, &job, NULL), 202);
	WORLD_UNTIL(&w, world_look(&w, &job).state == PB__JOB_STATE__DELIVERED);
	struct job_terms terms = world_look(&w, &job);
	assert_true(terms.job_time_ms < terms.lease_end_ms);
	/* The coordinator comes back: it must record the very receipt that is delivered. */
	w.manner = MANNER_TAKE;
	assert_true(world_record(&w, &job));
	assert_int_equal(world_look(&w, &job).state, PB__JOB_STATE__SETTLED);
}

static void a_miner_killed_after_completion_is_paid_after_its_restart(void **state)
{
	struct world_job job;
	char before[WORLD_BODY_BYTES];
	(void)state;
	make_ready(&job, "killed", "echo", "{}", 60000);
	w.manner = MANNER_FREEZE;
	assert_int_equal(world_push(&w, &job, NULL), 202);
	WORLD_UNTIL(&w, w.completions > 0);
	memcpy(before, w.completion, sizeof before);
	assert_int_equal(world_miner_end(&w, SIGKILL), 128 + SIGKILL);
	assert_int_equal(world_files(&w, "state/jobs"), 1);
	w.manner = MANNER_TAKE;
	w.completions = 0;
	world_miner_start(&w, "push");
	WORLD_UNTIL(&w, w.completions > 0);
	assert_string_equal(w.completion, before); /* the same bytes, the same signature */
	assert_true(world_record(&w, &job));
}

static void a_miner_killed_at_work_gives_the_job_back_after_its_restart(void **state)
{
	struct world_job job;
	(void)state;
	make_ready(&job, "interrupted", "hang", "{}", 60000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	WORLD_UNTIL(&w, world_files(&w, "state/jobs") == 1);
	assert_int_equal(world_miner_end(&w, SIGKILL), 128 + SIGKILL);
	world_miner_start(&w, "push");
	WORLD_UNTIL(&w, w.failures > 0);
	assert_int_equal(world_release_act(&w, &job), JOB_RELEASE);
	assert_non_null(strstr(w.failure, "interrupted"));
}

static void a_polling_miner_needs_no_port_of_its_own(void **state)
{
	struct world_job job;
	struct buf body;
	(void)state;
	assert_int_equal(world_miner_end(&w, SIGTERM), 0);
	make_ready(&job, "polled", "echo", "{\"word\":\"hello\"}", 30000);
	buf_init(&body, 0);
	world_assignment(&w, &body, &job);
	snprintf(w.polled, sizeof w.polled, "%s", buf_text(&body));
	buf_fini(&body);
	world_miner_start(&w, "pull");
	WORLD_UNTIL(&w, w.completions > 0);
	assert_non_null(strstr(w.completion, "hello\\n"));
	assert_true(world_record(&w, &job));
}

static void heartbeats_name_the_jobs_at_work(void **state)
{
	struct world_job job;
	(void)state;
	make_ready(&job, "beating", "hang", "{}", 60000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	WORLD_UNTIL(&w, strstr(w.heartbeat, job.rest_id) != NULL);
	assert_int_equal(world_miner_end(&w, SIGTERM), 0);
}

static void work_that_is_not_ours_any_more_is_dropped(void **state)
{
	struct world_job job;
	(void)state;
	make_ready(&job, "dropped", "hang", "{}", 1000);
	assert_int_equal(world_push(&w, &job, NULL), 202);
	snprintf(w.drop, sizeof w.drop, "%s", job.rest_id);
	unsigned before = w.heartbeats;
	WORLD_UNTIL(&w, w.heartbeats > before + 3); /* the chain still says ours: it goes on */
	assert_int_equal(world_files(&w, "state/jobs"), 1);
	struct account_key other;
	assert_true(account_key_of(&other, &w.coordinator_secret));
	WORLD_UNTIL(&w, world_look(&w, &job).job_time_ms > world_look(&w, &job).lease_end_ms + 100);
	world_assign(&w, &job, &other, 30000);
	WORLD_UNTIL(&w, world_files(&w, "state/jobs") == 0);
	w.drop[0] = 0;
	assert_int_equal(w.failures, 0);
}

static void a_miner_that_could_not_deliver_by_itself_starts_nothing(void **state)
{
	struct world_job job;
	char body[1024];
	(void)state;
	assert_int_equal(world_miner_end(&w, SIGTERM), 0);
	w.key = "poor"; /* an account without a coin */
	world_miner_start(&w, "push");
	w.key = NULL;
	world_submit(&w, &job, "poor", "echo", "{}", PB__ON_SILENCE__PAY_MINER);
	world_assign(&w, &job, &w.poor_key, 30000);
	assert_int_equal(world_push(&w, &job, body), 422);
	assert_non_null(strstr(body, "ten fees"));
	WORLD_UNTIL(&w, w.failures > 0);
	assert_int_equal(w.completions, 0);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, running_miner, ended_miner)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		STORY(an_honest_job_is_paid),
		STORY(output_files_are_uploaded_and_named_by_their_hash),
		STORY(a_second_push_of_a_taken_job_is_harmless),
		STORY(a_full_miner_says_busy),
		STORY(the_miner_that_is_told_to_stop_gives_its_work_back),
		STORY(a_failed_program_fails_the_job_with_its_last_words),
		STORY(a_payload_outside_the_template_fails_the_job),
		STORY(an_input_that_is_not_there_fails_the_job),
		STORY(nothing_starts_that_the_chain_does_not_say),
		STORY(a_refund_on_silence_is_given_back_unworked),
		STORY(a_silent_coordinator_is_passed_by_in_time),
		STORY(a_miner_killed_after_completion_is_paid_after_its_restart),
		STORY(a_miner_killed_at_work_gives_the_job_back_after_its_restart),
		STORY(a_polling_miner_needs_no_port_of_its_own),
		STORY(heartbeats_name_the_jobs_at_work),
		STORY(work_that_is_not_ours_any_more_is_dropped),
		STORY(a_miner_that_could_not_deliver_by_itself_starts_nothing),
	};
	char fault[256] = "";
	if (argc != 5) {
		fprintf(stderr, "usage: %s AITBCD AITBC_MINER CHILD_PROGRAM FOLDER\n", argv[0]);
		return 2;
	}
	if (!world_open(&w, argv[1], argv[2], argv[3], argv[4], fault)) {
		fprintf(stderr, "the world doesn't open: %s\n", fault);
		return 1;
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed == 0)
		world_close(&w);
	else
		fprintf(stderr, "logs: %s\n", w.folder);
	return failed;
}
