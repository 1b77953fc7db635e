/* dispatch: which job goes to which miner. Jobs wait first-come in one queue per (service, model);
 * miners are indexed by service; so a free miner looks at the heads of few queues, and a new job at
 * the miners of one service, never at everything. Decides only: assigning is the caller's deed.
 * Owns the queues; borrows jobs and miners. */
#ifndef COORDINATOR_DISPATCH_H
#define COORDINATOR_DISPATCH_H

#include "coordinator/jobs.h"
#include "coordinator/miners.h"

enum { QUEUES_MAX = 1024 };

struct queue {
	const struct service *service;
	char model[SERVICE_MODEL_BYTES_MAX + 1];
	struct job *first, *last;
	size_t count;
	bool starved; /* no ready miner at the last look; lifted by dispatch_lift */
	struct queue *next;
};

struct dispatch {
	struct queue *queues[SERVICE_COUNT];
	size_t queue_count;
	size_t job_count;
	struct {
		struct miner **miners;
		size_t count;
		size_t cap;
	} by_service[SERVICE_COUNT];
};

void dispatch_init(struct dispatch *dispatch);
void dispatch_fini(struct dispatch *dispatch);

/* After a registration, a change of capabilities or a removal. False: no memory; the index is then
 * empty. */
MUST_USE bool dispatch_index(struct dispatch *dispatch, const struct miner_table *miners);

/* at_front: it waited before (given back, lapsed). False: QUEUES_MAX different models wait, or no
 * memory. */
MUST_USE bool dispatch_enqueue(struct dispatch *dispatch, struct job *job, bool at_front);
/* Nothing when it isn't queued. */
void dispatch_remove(struct dispatch *dispatch, struct job *job);

/* The best ready miner for the job, or NULL. One that had the job before comes last. */
struct miner *dispatch_choose(
	struct dispatch *dispatch, struct job *job, uint64_t now_ms, uint32_t ttl_ms);
/* The job that has waited longest among those the miner can serve, or NULL. */
struct job *dispatch_next_for(struct dispatch *dispatch, const struct miner *miner);
/* A miner of these services became ready: its queues may look again. */
void dispatch_lift(struct dispatch *dispatch, const struct miner *miner);
/* Is any miner online that serves it, busy or not? */
bool dispatch_is_served(const struct dispatch *dispatch, const struct service *service,
	const char *model, uint64_t now_ms, uint32_t ttl_ms);

#endif
