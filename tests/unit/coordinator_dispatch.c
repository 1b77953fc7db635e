/* Which job goes to which miner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "coordinator/dispatch.h"

enum { NOW = 1000000, TTL = 45000 };

struct world {
	struct miner_table miners;
	struct dispatch dispatch;
	struct job *jobs[16];
	size_t job_count;
};

static void world_init(struct world *w)
{
	memset(w, 0, sizeof *w);
	miner_table_init(&w->miners, NULL);
	dispatch_init(&w->dispatch);
}

static void world_fini(struct world *w)
{
	for (size_t i = 0; i < w->job_count; i++)
		free(w->jobs[i]);
	dispatch_fini(&w->dispatch);
	miner_table_fini(&w->miners);
}

static struct miner *a_miner(
	struct world *w, const char *id, const char *service, const char *model)
{
	struct miner *miner = miner_add(&w->miners, id);

	assert_non_null(miner);
	miner->services = (uint64_t)1 << service_index(service_by_name(service, strlen(service)));
	if (model[0])
		snprintf(miner->models, sizeof miner->models, "%s\n", model);
	snprintf(miner->url, sizeof miner->url, "http://127.0.0.1:1");
	miner->concurrency = 2;
	miner->heard_ms = NOW;
	assert_true(dispatch_index(&w->dispatch, &w->miners));
	return miner;
}

static struct job *a_job(struct world *w, const char *service, const char *model)
{
	struct job *job = calloc(1, sizeof *job);

	assert_non_null(job);
	w->jobs[w->job_count++] = job;
	job->submitted_ms = NOW + w->job_count;
	snprintf(job->terms.service, sizeof job->terms.service, "%s", service);
	snprintf(job->model, sizeof job->model, "%s", model);
	assert_true(dispatch_enqueue(&w->dispatch, job, false));
	return job;
}

static void a_job_goes_only_to_who_offers_its_service_and_model(void **state)
{
	struct world w;
	struct job *job;
	struct miner *right;

	(void)state;
	world_init(&w);
	a_miner(&w, "a", "ffmpeg/transcode", "");
	a_miner(&w, "b", "inference", "llama3.2");
	job = a_job(&w, "inference", "llama3.2:latest");
	assert_null(dispatch_choose(&w.dispatch, job, NOW, TTL));
	right = a_miner(&w, "c", "inference", "llama3.2:latest");
	dispatch_lift(&w.dispatch, right);
	assert_ptr_equal(dispatch_choose(&w.dispatch, job, NOW, TTL), right);
	assert_true(dispatch_is_served(
		&w.dispatch, service_by_name("inference", 9), "llama3.2:latest", NOW, TTL));
	assert_false(dispatch_is_served(
		&w.dispatch, service_by_name("inference", 9), "other", NOW, TTL));
	world_fini(&w);
}

static void a_miner_that_is_full_silent_or_draining_gets_nothing(void **state)
{
	struct world w;
	struct miner *miner;

	(void)state;
	world_init(&w);
	miner = a_miner(&w, "a", "text/count", "");
	assert_true(miner_ready(miner, NOW + TTL - 1, TTL));
	assert_false(miner_ready(miner, NOW + TTL, TTL));
	miner->inflight = 2;
	assert_false(miner_ready(miner, NOW, TTL));
	miner->inflight = 1;
	assert_true(miner_ready(miner, NOW, TTL));
	miner->draining = 1;
	assert_false(miner_ready(miner, NOW, TTL));
	miner->draining = 0;
	miner->url[0] = 0; /* it polls, and doesn't now */
	assert_false(miner_ready(miner, NOW, TTL));
	miner->polling = true;
	assert_true(miner_ready(miner, NOW, TTL));
	miner->promised = 1; /* that poll will be answered with another job */
	assert_false(miner_ready(miner, NOW, TTL));
	world_fini(&w);
}

static void the_better_miner_is_the_more_reliable_then_the_freer_then_the_longest_idle(void **state)
{
	struct miner a = {.concurrency = 2}, b = {.concurrency = 2};

	(void)state;
	a.settled = 90, a.failed = 2;
	b.settled = 5, b.failed = 5;
	assert_true(miner_better(&a, &b));
	assert_false(miner_better(&b, &a));
	b.settled = 95, b.failed = 3; /* within a tenth: slots decide */
	b.inflight = 1;
	assert_true(miner_better(&a, &b));
	a.inflight = 1;
	a.last_job_ms = 10, b.last_job_ms = 9;
	assert_true(miner_better(&b, &a));
	/* An unknown one stands in the middle. */
	memset(&a, 0, sizeof a);
	assert_int_equal(miner_reputation(&a), 500);
}

static void who_had_the_job_before_gets_it_only_when_nobody_else_can(void **state)
{
	struct world w;
	struct miner *first, *second;
	struct job *job;

	(void)state;
	world_init(&w);
	first = a_miner(&w, "first", "text/count", "");
	first->settled = 100;
	second = a_miner(&w, "second", "text/count", "");
	job = a_job(&w, "text/count", "");
	assert_ptr_equal(dispatch_choose(&w.dispatch, job, NOW, TTL), first);
	snprintf(job->miner_id, sizeof job->miner_id, "first");
	assert_ptr_equal(dispatch_choose(&w.dispatch, job, NOW, TTL), second);
	second->draining = 1;
	assert_ptr_equal(dispatch_choose(&w.dispatch, job, NOW, TTL), first);
	world_fini(&w);
}

static void jobs_wait_in_their_order_and_returned_ones_in_front(void **state)
{
	struct world w;
	struct miner *miner;
	struct job *one, *two, *three, *back;

	(void)state;
	world_init(&w);
	miner = a_miner(&w, "a", "text/count", "");
	one = a_job(&w, "text/count", "");
	two = a_job(&w, "text/count", "");
	three = a_job(&w, "text/count", "");
	assert_ptr_equal(dispatch_next_for(&w.dispatch, miner), one);
	dispatch_remove(&w.dispatch, two);
	dispatch_remove(&w.dispatch, two); /* nothing */
	dispatch_remove(&w.dispatch, one);
	assert_ptr_equal(dispatch_next_for(&w.dispatch, miner), three);
	back = one;
	assert_true(dispatch_enqueue(&w.dispatch, back, true));
	assert_ptr_equal(dispatch_next_for(&w.dispatch, miner), back);
	dispatch_remove(&w.dispatch, back);
	dispatch_remove(&w.dispatch, three);
	assert_null(dispatch_next_for(&w.dispatch, miner));
	assert_int_equal(w.dispatch.queue_count, 0);
	assert_int_equal(w.dispatch.job_count, 0);
	world_fini(&w);
}

static void strange_models_cannot_make_queues_without_end(void **state)
{
	struct world w;
	struct job *jobs = calloc(QUEUES_MAX + 1, sizeof *jobs);

	(void)state;
	assert_non_null(jobs);
	world_init(&w);
	for (size_t i = 0; i <= QUEUES_MAX; i++) {
		snprintf(jobs[i].terms.service, sizeof jobs[i].terms.service, "inference");
		snprintf(jobs[i].model, sizeof jobs[i].model, "model-%zu", i);
		assert_int_equal(dispatch_enqueue(&w.dispatch, &jobs[i], false), i < QUEUES_MAX);
	}
	dispatch_remove(&w.dispatch, &jobs[0]);
	assert_true(dispatch_enqueue(&w.dispatch, &jobs[QUEUES_MAX], false));
	world_fini(&w);
	free(jobs);
}

/* ---- what a miner says of itself ---- */

#define KEY    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define SERVES "\"capabilities\":{\"services\":[\"text/count\",\"not/ours\"]}"

static const struct {
	const char *body;
	const char *field; /* at fault; NULL: taken */
} REGISTRATIONS[] = {
	{"{\"public_key\":\"" KEY "\"," SERVES "}", NULL},
	{"{\"public_key\":\"" KEY "\",\"url\":\"http://h:1/\",\"concurrency\":64," SERVES "}",
		NULL},
	{"{" SERVES "}", "public_key"},
	{"{\"public_key\":\"00" KEY "\"," SERVES "}", "public_key"},
	{"{\"public_key\":"
	 "\"02ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"," SERVES "}",
		"public_key"},
	{"{\"public_key\":\"" KEY "\",\"url\":\"ftp://h\"," SERVES "}", "url"},
	{"{\"public_key\":\"" KEY "\",\"concurrency\":0," SERVES "}", "concurrency"},
	{"{\"public_key\":\"" KEY "\",\"concurrency\":65," SERVES "}", "concurrency"},
	{"{\"public_key\":\"" KEY "\",\"concurrency\":\"2\"," SERVES "}", "concurrency"},
	{"{\"public_key\":\"" KEY "\"}", "capabilities.services"},
	{"{\"public_key\":\"" KEY "\",\"capabilities\":{\"services\":[\"not/ours\"]}}",
		"capabilities.services"},
	{"{\"public_key\":\"" KEY
	 "\",\"capabilities\":{\"services\":[\"inference\"],\"models\":[\"\"]}}",
		"capabilities.models"},
};

static void a_registration_is_taken_or_its_field_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof REGISTRATIONS / sizeof REGISTRATIONS[0]; i++) {
		struct miner *miner = calloc(1, sizeof *miner);
		struct service_fault fault = {"", ""};
		struct json_fault wrong;
		json_t *body = json_read(bytes_of_text(REGISTRATIONS[i].body), &wrong);
		bool taken;

		assert_non_null(miner);
		assert_non_null(body);
		taken = miner_set_registration(miner, body, &fault);
		if (taken != !REGISTRATIONS[i].field ||
			(!taken && strcmp(fault.field, REGISTRATIONS[i].field) != 0))
			fail_msg("row %zu: %s %s", i, fault.field, fault.message);
		json_decref(body);
		free(miner);
	}
}

static int keys_up(void **state)
{
	static const uint8_t seed[32] = {1};

	(void)state;
	return keys_start(seed) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_goes_only_to_who_offers_its_service_and_model),
		cmocka_unit_test(a_miner_that_is_full_silent_or_draining_gets_nothing),
		cmocka_unit_test(
			the_better_miner_is_the_more_reliable_then_the_freer_then_the_longest_idle),
		cmocka_unit_test(who_had_the_job_before_gets_it_only_when_nobody_else_can),
		cmocka_unit_test(jobs_wait_in_their_order_and_returned_ones_in_front),
		cmocka_unit_test(strange_models_cannot_make_queues_without_end),
		cmocka_unit_test(a_registration_is_taken_or_its_field_is_named),
	};

	return cmocka_run_group_tests(tests, keys_up, NULL);
}
