#include "node/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"

enum {
	THREADS_MAX = 64,
	VERIFY_QUEUE_MAX = SUBMISSIONS_MAX,
	BUNCH_MAX = 16 /* what a worker takes at one time */
};

/* A ring of jobs; its lock and wake-ups are the owner's. */
struct ring {
	struct verify_job *jobs;
	size_t first, count;
};

struct workers {
	const struct app *app;
	pthread_mutex_t lock; /* guards in, out, idle and stopping */
	pthread_cond_t more;
	struct ring in, out;
	unsigned idle; /* threads that wait for more */
	bool stopping;
	pthread_t threads[THREADS_MAX];
	unsigned thread_count;
	int wake_fd; /* eventfd: out is not empty */
	struct event *wake;
	verify_done *done;
	verify_drained *drained;
	void *ctx;
	/* Of the loop thread only. */
	struct event *push;     /* runs when the callbacks of this turn have put in theirs */
	struct ring put, taken; /* not yet handed over; being handed back */
	size_t under_way;       /* put in and not handed back */
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

static void ring_swap(struct ring *a, struct ring *b)
{
	struct ring held = *a;
	*a = *b;
	*b = held;
}

static void wake_loop(struct workers *w)
{
	uint64_t one = 1;
	ssize_t put = write(w->wake_fd, &one, sizeof one);
	(void)put; /* a full counter wakes just as well */
}

/* A fair share of what waits, so that no thread is left without while another has many. */
static size_t take_bunch(struct workers *w, struct verify_job bunch[BUNCH_MAX])
{
	size_t count = (w->in.count + w->thread_count - 1) / w->thread_count;
	if (count > BUNCH_MAX)
		count = BUNCH_MAX;
	for (size_t i = 0; i < count; i++)
		bunch[i] = ring_take(&w->in);
	return count;
}

static void *work(void *arg)
{
	struct workers *w = arg;
	struct verify_job bunch[BUNCH_MAX];
	pthread_setname_np(pthread_self(), "verify");
	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (w->in.count == 0 && !w->stopping) {
			w->idle++;
			pthread_cond_wait(&w->more, &w->lock);
			w->idle--;
		}
		if (w->stopping)
			break;
		size_t count = take_bunch(w, bunch);
		pthread_mutex_unlock(&w->lock);
		for (size_t i = 0; i < count; i++)
			w->app->vtable->verify(w->app->self, bunch[i].raw, bunch[i].verdict);
		pthread_mutex_lock(&w->lock);
		bool first = w->out.count == 0;
		for (size_t i = 0; i < count; i++)
			ring_put(&w->out, &bunch[i]);
		if (first)
			wake_loop(w);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void hand_back(struct workers *w, const struct verify_job *job)
{
	w->under_way--;
	w->verified++;
	w->done(w->ctx, job);
}

/* Alone, a job is done here before a thread would have woken. */
static void do_only_one(struct workers *w)
{
	struct verify_job job = ring_take(&w->put);
	w->app->vtable->verify(w->app->self, job.raw, job.verdict);
	hand_back(w, &job);
	w->drained(w->ctx);
}

static void on_push(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct workers *w = arg;
	size_t count = w->put.count;
	if (count == 1 && w->under_way == 1) {
		do_only_one(w);
		return;
	}
	pthread_mutex_lock(&w->lock);
	while (w->put.count > 0) {
		struct verify_job job = ring_take(&w->put);
		ring_put(&w->in, &job);
	}
	if (count > 1 && w->idle > 1)
		pthread_cond_broadcast(&w->more);
	else if (count > 0 && w->idle > 0)
		pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct workers *w = arg;
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof count);
	(void)got;
	pthread_mutex_lock(&w->lock);
	ring_swap(&w->out, &w->taken);
	pthread_mutex_unlock(&w->lock);
	while (w->taken.count > 0) {
		struct verify_job job = ring_take(&w->taken);
		hand_back(w, &job);
	}
	w->drained(w->ctx);
}

static enum status start_threads(struct workers *w, unsigned thread_count)
{
	/* Each reads it to know its share. */
	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < thread_count; i++) {
		if (pthread_create(&w->threads[i], NULL, work, w) != 0)
			break;
		w->thread_count++;
	}
	pthread_mutex_unlock(&w->lock);
	return w->thread_count == thread_count ? STATUS_OK : STATUS_NO_MEMORY;
}

static bool rings_new(struct workers *w)
{
	struct ring *rings[] = {&w->in, &w->out, &w->put, &w->taken};
	bool ok = true;
	for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++) {
		rings[i]->jobs = calloc(VERIFY_QUEUE_MAX, sizeof *rings[i]->jobs);
		ok = ok && rings[i]->jobs;
	}
	return ok;
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
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	enum status status = STATUS_NO_MEMORY;
	if (rings_new(w) && w->wake_fd >= 0) {
		w->wake = event_new(loop, w->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
		w->push = event_new(loop, -1, 0, on_push, w);
		if (w->wake && w->push && event_add(w->wake, NULL) == 0)
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
	if (w->push)
		event_free(w->push);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	free(w->in.jobs);
	free(w->out.jobs);
	free(w->put.jobs);
	free(w->taken.jobs);
	free(w);
}

enum status workers_verify(struct workers *w, const struct verify_job *job)
{
	/* Bounding what is under way bounds every ring at once. */
	if (w->under_way == VERIFY_QUEUE_MAX)
		return STATUS_BUSY;
	ring_put(&w->put, job);
	w->under_way++;
	if (w->put.count == 1)
		event_active(w->push, 0, 0);
	return STATUS_OK;
}

uint64_t workers_verified(const struct workers *w)
{
	return w->verified;
}
