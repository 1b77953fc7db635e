#include "node/applier.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A block this small is done before a thread would have woken: on the loop, then, where under low
 * load the way to the answer is shorter by six changes of threads. */
enum { SMALL_TXS = 8, SMALL_BYTES = 8 * 1024 };

/* Linked through the jobs themselves. */
struct queue {
	struct apply_job *first;
	struct apply_job **end; /* where the next one goes */
};

struct applier {
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* guards both queues and stopping */
	pthread_cond_t more;
	struct queue in, out;
	bool stopping;
	size_t under_way; /* of the loop thread only */
	int wake_fd;      /* eventfd: out is not empty */
	struct event *wake;
	apply_done *done;
	void *ctx;
};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void queue_put(struct queue *q, struct apply_job *job)
{
	job->next = NULL;
	*q->end = job;
	q->end = &job->next;
}

static struct apply_job *queue_take(struct queue *q)
{
	struct apply_job *job = q->first;
	if (!job)
		return NULL;
	q->first = job->next;
	if (!q->first)
		q->end = &q->first;
	return job;
}

static void *work(void *arg)
{
	struct applier *a = arg;
	uint64_t one = 1;
	pthread_setname_np(pthread_self(), "apply");
	pthread_mutex_lock(&a->lock);
	for (;;) {
		while (!a->in.first && !a->stopping)
			pthread_cond_wait(&a->more, &a->lock);
		if (a->stopping)
			break;
		struct apply_job *job = queue_take(&a->in);
		pthread_mutex_unlock(&a->lock);
		apply_run(job);
		pthread_mutex_lock(&a->lock);
		queue_put(&a->out, job);
		ssize_t put = write(a->wake_fd, &one, sizeof one);
		(void)put; /* a full counter wakes just as well */
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static struct apply_job *take_finished(struct applier *a)
{
	pthread_mutex_lock(&a->lock);
	struct apply_job *job = queue_take(&a->out);
	pthread_mutex_unlock(&a->lock);
	return job;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct applier *a = arg;
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof count);
	(void)got;
	for (struct apply_job *job; (job = take_finished(a));) {
		a->under_way--;
		a->done(a->ctx, job);
	}
}

enum status applier_new(struct applier **out, struct event_base *loop, apply_done *done, void *ctx)
{
	struct applier *a = calloc(1, sizeof *a);
	if (!a)
		return STATUS_NO_MEMORY;
	a->done = done;
	a->ctx = ctx;
	queue_init(&a->in);
	queue_init(&a->out);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->more, NULL);
	a->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (a->wake_fd >= 0)
		a->wake = event_new(loop, a->wake_fd, EV_READ | EV_PERSIST, on_wake, a);
	if (a->wake && event_add(a->wake, NULL) == 0)
		a->running = pthread_create(&a->thread, NULL, work, a) == 0;
	if (!a->running) {
		applier_free(a);
		return STATUS_NO_MEMORY;
	}
	*out = a;
	return STATUS_OK;
}

void applier_free(struct applier *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	pthread_cond_signal(&a->more);
	pthread_mutex_unlock(&a->lock);
	if (a->running)
		pthread_join(a->thread, NULL);
	for (struct apply_job *job; (job = queue_take(&a->out));)
		apply_job_free(job);
	for (struct apply_job *job; (job = queue_take(&a->in));)
		apply_job_free(job);
	if (a->wake)
		event_free(a->wake);
	if (a->wake_fd >= 0)
		close(a->wake_fd);
	pthread_cond_destroy(&a->more);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static bool is_small(const struct apply_job *job)
{
	if (job->candidate)
		return job->candidate->tx_count <= SMALL_TXS &&
		       job->candidate->parts.len <= SMALL_BYTES;
	return job->tx_count <= SMALL_TXS && job->tx_bytes.len <= SMALL_BYTES;
}

void applier_run(struct applier *a, struct apply_job *take)
{
	if (a->under_way == 0 && is_small(take)) {
		apply_run(take);
		a->done(a->ctx, take);
		return;
	}
	a->under_way++;
	pthread_mutex_lock(&a->lock);
	queue_put(&a->in, take);
	pthread_cond_signal(&a->more);
	pthread_mutex_unlock(&a->lock);
}
