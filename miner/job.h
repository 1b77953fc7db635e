/* job: one assignment, from the coordinator's word to the money.
 *
 *   CHECKING -> FETCHING -> RUNNING -> UPLOADING -> CLAIMING -> (paid, or lost)
 *       |           |          |           |
 *       +-----------+----------+-----------+-> RETURNING: failed for good, or given back
 *
 * The chain is asked before anything starts, and the result is durable before anybody hears of it.
 * A job frees itself when it has ended and nothing it asked for is under way. Loop thread. */
#ifndef MINER_JOB_H
#define MINER_JOB_H

#include "miner/workshop.h"

enum job_stage {
	JOB_CHECKING,  /* reading job, assignment and balance from the chain */
	JOB_FETCHING,  /* the input artifact */
	JOB_RUNNING,   /* the backend */
	JOB_UPLOADING, /* the output artifacts */
	JOB_CLAIMING,  /* the result is signed and kept; until the chain shows it settled */
	JOB_RETURNING, /* telling the coordinator that it failed, or gets it back */
	JOB_ENDED
};

const char *job_stage_text(enum job_stage stage);

/* Takes the assignment's content (also on failure). ticket of slot and generation 0: nobody waits
 * for an answer (a poll brought it). When it returns false, *refusal_status and fault are the
 * answer, and there is no job; else the ticket is answered later. */
MUST_USE bool job_accept(struct workshop *shop, struct assignment *assignment,
	struct http_ticket ticket, uint16_t *refusal_status, char fault[160]);
/* What a former life of the daemon left behind. */
void job_resume(struct workshop *shop, const struct journal_entry *entry);

/* The next in the shop's list, or NULL; ask before anything that may end the job. */
struct job *job_next(const struct job *job);
/* Give it back, if it isn't complete yet. */
void job_stop(struct job *job);

/* The coordinator says that the job isn't ours any more: the chain is asked, and when it agrees the
 * work ends. */
void job_doubt(struct workshop *shop, const char *rest_id);

/* Jobs that hold a slot: not yet complete. */
size_t job_slots_used(const struct workshop *shop);
/* Jobs that keep a stopping daemon waiting. */
size_t job_unfinished(const struct workshop *shop);
/* [{"job_id":..,"attempt":..}, ..] appended: what heartbeats name. */
void job_put_list(const struct workshop *shop, struct buf *out);
/* The same with stage and service, for people. */
void job_put_details(const struct workshop *shop, struct buf *out);

/* At the end of the daemon, when its HTTP client and programs are gone: frees all, whatever their
 * stage. */
void job_free_all(struct workshop *shop);

#endif
