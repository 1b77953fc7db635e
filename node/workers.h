/* workers: the verify threads: a bounded queue of transactions in, a bounded queue of verdicts out.
 * A worker owns nothing but the job it holds; app.verify is a pure function of the bytes. The loop
 * thread puts jobs in and, when the event fires, takes finished ones out in any order. */
#ifndef NODE_WORKERS_H
#define NODE_WORKERS_H

#include <event2/event.h>

#include "chain/app.h"

struct workers;

struct verify_job {
	uint64_t ticket;
	struct bytes raw; /* stays alive until the job is handed back */
	struct hash32 hash;
	struct app_verdict verdict;
};

/* done is called on the loop thread for each finished job, drained after the last of those that
 * were ready: what takes long belongs there, or every job would wait for it by itself. */
typedef void verify_done(void *ctx, const struct verify_job *job);
typedef void verify_drained(void *ctx);

MUST_USE enum status workers_new(struct workers **out, struct event_base *loop,
	const struct app *app, unsigned thread_count, verify_done *done, verify_drained *drained,
	void *ctx);
/* Waits for the jobs under way; those queued are dropped. */
void workers_free(struct workers *w);

/* STATUS_BUSY: the queue is full (SUBMISSIONS_MAX). */
MUST_USE enum status workers_verify(struct workers *w, const struct verify_job *job);

/* Signatures checked since the start. */
uint64_t workers_verified(const struct workers *w);

#endif
