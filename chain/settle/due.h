/* due: when each live job's time is up, in the order in which pass 2 books them [protocol 2]: due
 * time, kind, client, job_id. Derived from the job records: rebuilt at open, moved when a block is
 * committed, never on disk. A sorted list of short sorted runs, so that nobody's choice of keys
 * makes it slow. Owned by settle, one thread. Fails only for want of memory. */
#ifndef CHAIN_SETTLE_DUE_H
#define CHAIN_SETTLE_DUE_H

#include "base/status.h"
#include "chain/tx.h"

/* Ordered: at one instant deadlines come first. */
enum due_kind { DUE_DEADLINE = 0, DUE_REVIEW = 1 };

/* due_ms is in job time. */
struct due {
	uint64_t due_ms;
	enum due_kind kind;
	struct job_key job;
};

struct due_run;
struct due_queue {
	struct due_run **runs; /* none empty */
	size_t run_count;
	size_t run_cap;
	size_t count;
};

void due_init(struct due_queue *queue);
void due_fini(struct due_queue *queue);

/* The entry must not be there. STATUS_NO_MEMORY: nothing changed. */
MUST_USE enum status due_add(struct due_queue *queue, const struct due *due);
/* The entry must be there. */
void due_remove(struct due_queue *queue, const struct due *due);

/* Walks in order; at starts at {0, 0}. NULL at the end. The queue must not change meanwhile. */
struct due_place {
	size_t run;
	size_t index;
};
const struct due *due_next(const struct due_queue *queue, struct due_place *at);

#endif
