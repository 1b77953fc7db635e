/* Jobs: the table of moves, and what a restart finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "chain/store_mem.h"
#include "coordinator/jobs.h"

/* Every cell: what an event makes of a state. */
static const struct {
	enum job_state at;
	enum job_event event;
	enum job_state to;
} MOVES[] = {
	{JOB_SUBMITTING, JOB_EV_REFUSED, JOB_REFUSED},
	{JOB_QUEUED, JOB_EV_ASSIGN, JOB_ASSIGNING},
	{JOB_QUEUED, JOB_EV_FAIL, JOB_FAILING},
	{JOB_ASSIGNED, JOB_EV_ACCEPTED, JOB_RUNNING},
	{JOB_ASSIGNED, JOB_EV_RESULT, JOB_RECORDING},
	{JOB_ASSIGNED, JOB_EV_RETURN, JOB_RETURNING},
	{JOB_ASSIGNED, JOB_EV_ASSIGN, JOB_ASSIGNING},
	{JOB_ASSIGNED, JOB_EV_FAIL, JOB_FAILING},
	{JOB_RUNNING, JOB_EV_RESULT, JOB_RECORDING},
	{JOB_RUNNING, JOB_EV_RETURN, JOB_RETURNING},
	{JOB_RUNNING, JOB_EV_ASSIGN, JOB_ASSIGNING},
	{JOB_RUNNING, JOB_EV_FAIL, JOB_FAILING},
	{JOB_RECORDING, JOB_EV_RESULT_REFUSED, JOB_RUNNING},
	{JOB_DELIVERED, JOB_EV_RESULT, JOB_RECORDING},
	{JOB_DELIVERED, JOB_EV_REJECT, JOB_REJECTING},
};

static bool expected(enum job_state *to, enum job_state at, enum job_event event)
{
	if (job_ended(at))
		return false;
	for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++) {
		if (MOVES[i].at == at && MOVES[i].event == event) {
			*to = MOVES[i].to;
			return true;
		}
	}
	*to = event == JOB_EV_CHAIN_OPEN        ? JOB_QUEUED
	      : event == JOB_EV_CHAIN_SETTLED   ? JOB_COMPLETED
	      : event == JOB_EV_CHAIN_FAILED    ? JOB_FAILED
	      : event == JOB_EV_CHAIN_CANCELLED ? JOB_CANCELLED
	      : event == JOB_EV_CHAIN_EXPIRED   ? JOB_EXPIRED
	      : event == JOB_EV_CHAIN_DELIVERED
		      ? (at == JOB_RECORDING ? JOB_RECORDING : JOB_DELIVERED)
		      : (at == JOB_RECORDING || at == JOB_RUNNING ? at : JOB_ASSIGNED);
	return event >= JOB_EV_CHAIN_OPEN;
}

static void every_event_in_every_state_does_what_the_table_says(void **state)
{
	(void)state;
	for (int at = JOB_SUBMITTING; at <= JOB_REFUSED; at++) {
		for (int event = 0; event < JOB_EVENTS; event++) {
			enum job_state want = JOB_REFUSED, next = JOB_REFUSED;
			bool should = expected(&want, (enum job_state)at, (enum job_event)event);
			bool does =
				job_state_next(&next, (enum job_state)at, (enum job_event)event);

			if (should != does || (should && want != next))
				fail_msg("%s, event %d: %s", job_state_text((enum job_state)at),
					event, does ? job_state_text(next) : "refused");
		}
	}
}

static void an_end_is_for_ever(void **state)
{
	(void)state;
	for (int at = JOB_COMPLETED; at <= JOB_REFUSED; at++) {
		enum job_state next;

		assert_true(job_ended((enum job_state)at));
		for (int event = 0; event < JOB_EVENTS; event++)
			assert_false(
				job_state_next(&next, (enum job_state)at, (enum job_event)event));
	}
}

/* ---- the store ---- */

struct world {
	struct event_base *loop;
	struct store store;
	struct book book;
	struct job_table jobs;
	unsigned writes;
	bool durable;
};

static void on_written(void *ctx, bool durable)
{
	struct world *w = ctx;

	w->writes++;
	w->durable = durable;
}

static void world_open(struct world *w)
{
	assert_int_equal(book_init(&w->book, w->loop, &w->store, NULL, on_written, w), STATUS_OK);
	assert_int_equal(job_table_init(&w->jobs, &w->book), STATUS_OK);
}

static void world_init(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->loop = event_base_new();
	assert_non_null(w->loop);
	assert_int_equal(store_mem_open(&w->store), STATUS_OK);
	world_open(w);
}

static void world_close(struct world *w)
{
	book_fini(&w->book);
	job_table_fini(&w->jobs);
}

static void world_fini(struct world *w)
{
	world_close(w);
	store_close(&w->store);
	event_base_free(w->loop);
}

static struct job *a_job(struct world *w, uint8_t number, const char *owner)
{
	uint8_t id[JOB_ID_RAW_BYTES] = {number, number, number, number};
	struct job *job = job_add(&w->jobs, id);

	assert_non_null(job);
	job->state = JOB_SUBMITTING;
	snprintf(job->owner, sizeof job->owner, "%s", owner);
	snprintf(job->terms.job_id, sizeof job->terms.job_id, "job-%u", number);
	snprintf(job->terms.service, sizeof job->terms.service, "inference");
	job->terms.submit_height = 42;
	job->terms.reward = UINT64_MAX;
	job->submitted_ms = 1000 + number;
	memset(job->salt, number, sizeof job->salt);
	job_save_new(&w->jobs, job, bytes_of_text("{\"a\" : 1}"), bytes_of_text("tx"));
	return job;
}

static void a_crash_keeps_what_was_said_to_be_durable(void **state)
{
	struct world w;
	struct job *job, read;
	uint8_t id[JOB_ID_RAW_BYTES];
	struct buf text;

	(void)state;
	world_init(&w);
	job = a_job(&w, 1, "alice");
	memcpy(id, job->id, sizeof id);
	assert_int_equal(w.writes, 0);
	assert_true(event_base_loop(w.loop, EVLOOP_NONBLOCK) >= 0);
	assert_int_equal(w.writes, 1);
	assert_true(w.durable);
	assert_int_equal(store_mem_unsynced(&w.store), 0);

	world_close(&w);
	store_mem_crash(&w.store, 0);
	world_open(&w);
	assert_int_equal(job_table_load(&w.jobs), STATUS_OK);
	assert_int_equal(w.jobs.count, 1);
	assert_int_equal(job_read(&w.jobs, &read, id), STATUS_OK);
	assert_string_equal(read.owner, "alice");
	assert_int_equal(read.terms.submit_height, 42);
	assert_true(read.terms.reward == UINT64_MAX);
	assert_int_equal(read.salt[31], 1);
	buf_init(&text, 0);
	assert_int_equal(job_payload(&w.jobs, &read, &text), STATUS_OK);
	assert_string_equal(buf_text(&text), "{\"a\" : 1}");
	buf_clear(&text);
	assert_int_equal(job_raw_tx(&w.jobs, &read, &text), STATUS_OK);
	assert_string_equal(buf_text(&text), "tx");
	buf_fini(&text);
	world_fini(&w);
}

static void an_ended_job_is_no_longer_live_and_still_there(void **state)
{
	struct world w;
	struct job *job, read;
	uint8_t id[JOB_ID_RAW_BYTES];

	(void)state;
	world_init(&w);
	job = a_job(&w, 1, "alice");
	memcpy(id, job->id, sizeof id);
	assert_true(jobs_move(&w.jobs, job, JOB_EV_CHAIN_SETTLED));
	assert_false(jobs_move(&w.jobs, job, JOB_EV_CHAIN_OPEN));
	book_flush(&w.book);
	job_drop(&w.jobs, job);
	assert_null(jobs_find(&w.jobs, id));
	assert_int_equal(job_read(&w.jobs, &read, id), STATUS_OK);
	assert_int_equal(read.state, JOB_COMPLETED);
	assert_int_equal(job_table_load(&w.jobs), STATUS_OK);
	assert_int_equal(w.jobs.count, 0);
	world_fini(&w);
}

struct listed {
	size_t count;
	size_t max;
	uint8_t first[16];
};

static bool on_listed(void *ctx, const struct job *job)
{
	struct listed *listed = ctx;

	listed->first[listed->count++] = job->id[0];
	return listed->count < listed->max;
}

static void a_list_is_newest_first_and_its_owners_alone(void **state)
{
	struct world w;
	struct listed listed = {.max = 16};

	(void)state;
	world_init(&w);
	a_job(&w, 1, "alice");
	a_job(&w, 2, "alic"); /* a prefix is another owner */
	a_job(&w, 3, "alice");
	a_job(&w, 4, "bob");
	book_flush(&w.book);
	assert_int_equal(job_list(&w.jobs, "alice", on_listed, &listed), STATUS_OK);
	assert_int_equal(listed.count, 2);
	assert_int_equal(listed.first[0], 3);
	assert_int_equal(listed.first[1], 1);
	memset(&listed, 0, sizeof listed);
	listed.max = 3;
	assert_int_equal(job_list(&w.jobs, "", on_listed, &listed), STATUS_OK);
	assert_int_equal(listed.count, 3);
	assert_int_equal(listed.first[0], 4);
	world_fini(&w);
}

static void a_store_that_fails_is_said_once_and_for_all(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	store_mem_fail_writes(&w.store, STATUS_DISK_FULL);
	a_job(&w, 1, "alice");
	book_flush(&w.book);
	assert_false(w.durable);
	assert_true(book_failed(&w.book));
	store_mem_fail_writes(&w.store, STATUS_OK);
	a_job(&w, 2, "alice");
	book_flush(&w.book);
	assert_false(w.durable);
	world_fini(&w);
}

static void ids_are_read_in_both_spellings(void **state)
{
	uint8_t id[JOB_ID_RAW_BYTES];
	char text[JOB_REST_ID_BYTES];

	(void)state;
	assert_true(job_id_parse(id, "job_00112233445566778899aabbccddeeff", 36));
	assert_int_equal(id[15], 0xff);
	job_id_text(text, id);
	assert_string_equal(text, "job_00112233445566778899aabbccddeeff");
	assert_true(job_id_parse(id, "00112233445566778899AABBCCDDEEFF", 32));
	assert_false(job_id_parse(id, "job_00112233445566778899aabbccddeef", 35));
	assert_false(job_id_parse(id, "job_", 4));
	assert_false(job_id_parse(id, "", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_in_every_state_does_what_the_table_says),
		cmocka_unit_test(an_end_is_for_ever),
		cmocka_unit_test(a_crash_keeps_what_was_said_to_be_durable),
		cmocka_unit_test(an_ended_job_is_no_longer_live_and_still_there),
		cmocka_unit_test(a_list_is_newest_first_and_its_owners_alone),
		cmocka_unit_test(a_store_that_fails_is_said_once_and_for_all),
		cmocka_unit_test(ids_are_read_in_both_spellings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
