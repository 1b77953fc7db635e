/* applier: the apply thread: the replica's jobs in the order they were asked, one at a time, while
 * the loop goes on answering [design D8]. Owns the jobs between applier_run and their handing back;
 * a job's memory is the replica's again when done is called, on the loop thread. The queues are as
 * long as the replica's tables of blocks and rounds let it ask. */
#ifndef NODE_APPLIER_H
#define NODE_APPLIER_H

#include <event2/event.h>

#include "replica/apply.h"

struct applier;

typedef void apply_done(void *ctx, struct apply_job *job);

MUST_USE enum status applier_new(
	struct applier **out, struct event_base *loop, apply_done *done, void *ctx);
/* Waits for the job under way, which is whole or not at all; frees it and those behind it. */
void applier_free(struct applier *a);

/* done may be called before this returns. */
void applier_run(struct applier *a, struct apply_job *take);

#endif
