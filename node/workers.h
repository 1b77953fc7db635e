/* workers: the verify threads: a bounded queue of transactions in, a bounded queue of verdicts out.
 * A worker owns nothing but the jobs it holds; app.verify is a pure function of the bytes. The loop
 * thread puts jobs in and, when the event fires, takes finished ones out in any order. What one
 * turn of the loop puts in goes over as one, and comes back in bunches: waking a thread costs as
 * much as a third of the check it is woken for, so a job that is alone is done on the loop. */
#ifndef NODE_WORKERS_H
#define NODE_WORKERS_H

#include <event2/event.h>

#include "chain/app.h"

struct workers;

/* raw and verdict belong to who asked, and stay until the job is handed back. */
struct verify_job {
	uint64_t ticket;
	struct bytes raw;
	struct app_verdict *verdict;
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
