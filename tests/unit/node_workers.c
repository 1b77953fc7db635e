/* node/workers: every job comes back exactly once with the app's own verdict, whatever the threads
 * do; and a pool that is freed leaves none behind. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/limits.h"
#include "node/clock.h"
#include "node/workers.h"

enum { DEADLINE_MS = 20 * 1000, JOBS_MAX = SUBMISSIONS_MAX };

/* A machine whose verdict follows from the bytes: a number that 3 divides is bad. While the gate is
 * closed nobody gets an answer. */
struct machine {
	atomic_bool closed;
	atomic_uint inside, verified;
};

static void verify(void *self, struct bytes tx, struct app_verdict *out)
{
	struct machine *machine = self;
	atomic_fetch_add(&machine->inside, 1);
	while (atomic_load(&machine->closed))
		;
	uint32_t number = get_u32be(tx.data);
	memset(out, 0, sizeof *out);
	out->codespace = "test";
	out->code = number % 3 == 0 ? number + 1 : 0;
	atomic_fetch_add(&machine->verified, 1);
}

static const struct app_vtable vtable = {.verify = verify};

struct desk {
	struct event_base *loop;
	struct machine machine;
	struct app app;
	struct workers *workers;
	uint8_t raw[JOBS_MAX][4];
	struct app_verdict verdicts[JOBS_MAX];
	unsigned seen[JOBS_MAX];
	size_t back, drains, back_at_last_drain;
};

static void on_done(void *ctx, const struct verify_job *job)
{
	struct desk *d = ctx;
	uint32_t number = (uint32_t)job->ticket;
	assert_true(number < JOBS_MAX);
	d->seen[number]++;
	d->back++;
	assert_ptr_equal(job->raw.data, d->raw[number]);
	assert_ptr_equal(job->verdict, &d->verdicts[number]);
	assert_int_equal(job->verdict->code, number % 3 == 0 ? number + 1 : 0);
	assert_string_equal(job->verdict->codespace, "test");
}

static void on_drained(void *ctx)
{
	struct desk *d = ctx;
	d->drains++;
	d->back_at_last_drain = d->back;
}

static int set_up(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	d->loop = event_base_new();
	d->app = (struct app){&vtable, &d->machine};
	for (uint32_t i = 0; i < JOBS_MAX; i++)
		put_u32be(d->raw[i], i);
	*state = d;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *d = *state;
	workers_free(d->workers);
	event_base_free(d->loop);
	free(d);
	return 0;
}

static void start(struct desk *d, unsigned threads)
{
	assert_int_equal(
		workers_new(&d->workers, d->loop, &d->app, threads, on_done, on_drained, d),
		STATUS_OK);
}

static enum status put(struct desk *d, uint32_t number)
{
	struct verify_job job = {.ticket = number, .raw = bytes_view(d->raw[number], 4)};
	job.verdict = &d->verdicts[number];
	return workers_verify(d->workers, &job);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	fail_msg("the jobs did not come back in time");
}

static void turn_until_back(struct desk *d, size_t count)
{
	struct event *deadline = evtimer_new(d->loop, on_deadline, NULL);
	struct timeval in = {DEADLINE_MS / 1000, 0};
	evtimer_add(deadline, &in);
	while (d->back < count)
		event_base_loop(d->loop, EVLOOP_ONCE);
	event_free(deadline);
}

static void every_job_comes_back_exactly_once_with_its_verdict(void **state)
{
	static const unsigned threads[] = {1, 2, 5, 64};
	struct desk *d = *state;
	for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
		memset(d->seen, 0, sizeof d->seen);
		d->back = 0;
		start(d, threads[t]);
		for (uint32_t i = 0; i < 3000; i++) {
			assert_int_equal(put(d, i), STATUS_OK);
			if (i % 97 == 0)
				event_base_loop(d->loop, EVLOOP_NONBLOCK);
		}
		turn_until_back(d, 3000);
		event_base_loop(d->loop, EVLOOP_NONBLOCK);
		assert_int_equal(d->back, 3000);
		for (uint32_t i = 0; i < 3000; i++)
			assert_int_equal(d->seen[i], 1);
		assert_int_equal(workers_verified(d->workers), 3000);
		workers_free(d->workers);
		d->workers = NULL;
	}
}

static void drained_is_told_after_the_last_of_those_that_were_ready(void **state)
{
	struct desk *d = *state;
	start(d, 2);
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(put(d, i), STATUS_OK);
	turn_until_back(d, 500);
	assert_true(d->drains >= 1);
	assert_int_equal(d->back_at_last_drain, 500);
}

static void a_full_queue_says_busy_and_takes_more_when_some_came_back(void **state)
{
	struct desk *d = *state;
	atomic_store(&d->machine.closed, true);
	start(d, 2);
	for (uint32_t i = 0; i < JOBS_MAX; i++)
		assert_int_equal(put(d, i), STATUS_OK);
	assert_int_equal(put(d, 0), STATUS_BUSY);
	atomic_store(&d->machine.closed, false);
	turn_until_back(d, JOBS_MAX);
	for (uint32_t i = 0; i < JOBS_MAX; i++)
		assert_int_equal(d->seen[i], 1);
	assert_int_equal(put(d, 1), STATUS_OK);
	turn_until_back(d, JOBS_MAX + 1);
}

static void freeing_waits_for_the_jobs_under_way_and_drops_the_rest(void **state)
{
	struct desk *d = *state;
	start(d, 2);
	for (int round = 0; round < 50; round++) {
		atomic_store(&d->machine.inside, 0);
		atomic_store(&d->machine.verified, 0);
		d->back = 0;
		for (uint32_t i = 0; i < 200; i++)
			assert_int_equal(put(d, i), STATUS_OK);
		workers_free(d->workers);
		/* Nobody looks at the bytes or the app any more. */
		assert_int_equal(
			atomic_load(&d->machine.inside), atomic_load(&d->machine.verified));
		event_base_loop(d->loop, EVLOOP_NONBLOCK);
		assert_int_equal(d->back, 0);
		start(d, 1 + (unsigned)round % 4);
	}
}

static void a_pool_without_work_can_be_freed(void **state)
{
	struct desk *d = *state;
	start(d, 64);
	workers_free(d->workers);
	d->workers = NULL;
	workers_free(NULL);
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CLAIM(every_job_comes_back_exactly_once_with_its_verdict),
		CLAIM(drained_is_told_after_the_last_of_those_that_were_ready),
		CLAIM(a_full_queue_says_busy_and_takes_more_when_some_came_back),
		CLAIM(freeing_waits_for_the_jobs_under_way_and_drops_the_rest),
		CLAIM(a_pool_without_work_can_be_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
