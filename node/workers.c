#include "node/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"

enum { THREADS_MAX = 64, VERIFY_QUEUE_MAX = SUBMISSIONS_MAX };

/* A ring of jobs; its lock and wake-ups are the owner's. */
struct ring {
	struct verify_job *jobs;
	size_t first, count;
};

struct workers {
	const struct app *app;
	pthread_mutex_t lock; /* guards both rings and stopping */
	pthread_cond_t more;
	struct ring in, out;
	bool stopping;
	pthread_t threads[THREADS_MAX];
	unsigned thread_count;
	int wake_fd; /* eventfd: out is not empty */
	struct event *wake;
	verify_done *done;
	verify_drained *drained;
	void *ctx;
	size_t under_way; /* loop thread only: put in and not handed back */
	uint64_t verified;
};

static void ring_put(struct ring *ring, const struct verify_job *job)
{
	CHECK(ring->count < VERIFY_QUEUE_MAX);
	ring->jobs[(ring->first + ring->count++) % VERIFY_QUEUE_MAX] = *job;
}

static struct verify_job ring_take(struct ring *ring)
{
	CHECK(ring->count > 0);
	struct verify_job job = ring->jobs[ring->first];
	ring->first = (ring->first + 1) % VERIFY_QUEUE_MAX;
	ring->count--;
	return job;
}

static void wake_loop(struct workers *w)
{
	uint64_t one = 1;
	ssize_t put = write(w->wake_fd, &one, sizeof one);
	(void)put; /* a full counter wakes just as well */
}

static void *work(void *arg)
{
	struct workers *w = arg;
	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (w->in.count == 0 && !w->stopping)
			pthread_cond_wait(&w->more, &w->lock);
		if (w->stopping)
			break;
		struct verify_job job = ring_take(&w->in);
		pthread_mutex_unlock(&w->lock);
		w->app->vtable->verify(w->app->self, job.raw, &job.verdict);
		pthread_mutex_lock(&w->lock);
		bool first = w->out.count == 0;
		ring_put(&w->out, &job);
		if (first)
			wake_loop(w);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct workers *w = arg;
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof count);
	(void)got;
	for (;;) {
		pthread_mutex_lock(&w->lock);
		bool any = w->out.count > 0;
		struct verify_job job;
		if (any)
			job = ring_take(&w->out);
		pthread_mutex_unlock(&w->lock);
		if (!any)
			break;
		w->under_way--;
		w->verified++;
		w->done(w->ctx, &job);
	}
	w->drained(w->ctx);
}

static enum status start_threads(struct workers *w, unsigned thread_count)
{
	for (unsigned i = 0; i < thread_count; i++) {
		if (pthread_create(&w->threads[i], NULL, work, w) != 0)
			return STATUS_NO_MEMORY;
		w->thread_count++;
	}
	return STATUS_OK;
}

enum status workers_new(struct workers **out, struct event_base *loop, const struct app *app,
	unsigned thread_count, verify_done *done, verify_drained *drained, void *ctx)
{
	CHECK(thread_count > 0);
	struct workers *w = calloc(1, sizeof *w);
	if (!w)
		return STATUS_NO_MEMORY;
	w->app = app;
	w->done = done;
	w->drained = drained;
	w->ctx = ctx;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->in.jobs = calloc(VERIFY_QUEUE_MAX, sizeof *w->in.jobs);
	w->out.jobs = calloc(VERIFY_QUEUE_MAX, sizeof *w->out.jobs);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	enum status status = STATUS_NO_MEMORY;
	if (w->in.jobs && w->out.jobs && w->wake_fd >= 0) {
		w->wake = event_new(loop, w->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
		if (w->wake && event_add(w->wake, NULL) == 0)
			status = start_threads(
				w, thread_count < THREADS_MAX ? thread_count : THREADS_MAX);
	}
	if (status != STATUS_OK) {
		workers_free(w);
		return status;
	}
	*out = w;
	return STATUS_OK;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->thread_count; i++)
		pthread_join(w->threads[i], NULL);
	if (w->wake)
		event_free(w->wake);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	free(w->in.jobs);
	free(w->out.jobs);
	free(w);
}

enum status workers_verify(struct workers *w, const struct verify_job *job)
{
	/* Bounding what is under way bounds both rings at once. */
	if (w->under_way == VERIFY_QUEUE_MAX)
		return STATUS_BUSY;
	pthread_mutex_lock(&w->lock);
	ring_put(&w->in, job);
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	w->under_way++;
	return STATUS_OK;
}

uint64_t workers_verified(const struct workers *w)
{
	return w->verified;
}
