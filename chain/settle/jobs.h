/* jobs: the life of a job [protocol 3]: which state may follow which, and the moves themselves with
 * their money, rows and events. The actions decide whether; this file does. Private to
 * chain/settle. */
#ifndef CHAIN_SETTLE_JOBS_H
#define CHAIN_SETTLE_JOBS_H

#include "chain/settle/machine.h"

/* Pb__JobState with its numbers; on chain: never renumber. */
enum job_state {
	JOB_NONE = 0,
	JOB_OPEN = 1,
	JOB_ASSIGNED = 2,
	JOB_DELIVERED = 3,
	JOB_SETTLED = 4,
	JOB_FAILED = 5,
	JOB_CANCELLED = 6,
	JOB_EXPIRED = 7,
	JOB_REFUNDED = 8
};

/* What can happen to a job. Two answers of one action are two events. */
enum job_event {
	JOB_SUBMIT,
	JOB_ASSIGN,
	JOB_RENEW,
	JOB_RELEASE,
	JOB_RECORD,
	JOB_DELIVER,
	JOB_REJECT,      /* and another attempt may follow */
	JOB_REJECT_LAST, /* attempts spent or deadline passed */
	JOB_FAIL,
	JOB_CANCEL,
	JOB_DEADLINE,
	JOB_REVIEW_PAY,
	JOB_REVIEW_REFUND,
	JOB_EVENTS
};

/* False: this can't happen in this state; *next untouched. */
MUST_USE bool job_next(enum job_state at, enum job_event event, enum job_state *next);
bool job_state_is_terminal(enum job_state state);

/* A live job as an action sees it; records are the action's own copies. */
struct job_view {
	struct job_key key;
	struct account_address client;
	struct account_address coordinator; /* owner account */
	enum job_state state;
	Pb__Job *job;
	Pb__Assignment *assignment; /* NULL in OPEN */
};

/* Finds the job an action names and books it first if its time is up: SETTLE_UNKNOWN_JOB,
 * SETTLE_JOB_EXPIRED or SETTLE_WRONG_STATE (terminal). Sets the outcome's job. */
MUST_USE enum settle_code job_find(struct run *run, struct job_view *out,
	const struct account_address *client, struct bytes job_id);
/* Same for a job that must be due: pass 2, and a booking done again after a rollback. */
void job_book(struct run *run, const struct job_key *key);
/* When it will be due, in job time. job and assignment as in the view. */
struct due job_due(const struct job_key *key, const Pb__Job *job, const Pb__Assignment *assignment);

/* Moves the job to the state that follows the event (which must exist) and puts its record. */
void job_move(
	struct run *run, struct job_view *view, enum job_event event, enum settle_cause cause);

/* Where a job's escrow goes. The sum is the whole escrow. */
struct job_split {
	uint64_t to_miner;
	uint64_t to_coordinator;
	uint64_t to_client;
	const Pb__Receipt *receipt; /* the one that is paid; NULL: none */
};
/* The job's one end: pays, shrinks the record, drops assignment and escrow. */
void job_end(struct run *run, struct job_view *view, enum job_event event, enum settle_cause cause,
	const struct job_split *split);
/* job_end with everything back to the client. */
void job_refund(
	struct run *run, struct job_view *view, enum job_event event, enum settle_cause cause);

/* A change of a job: history row, event; for actions that move nothing (renew) too. */
void job_tell(struct run *run, const struct job_view *view, enum settle_cause cause,
	const Pb__Receipt *receipt);

#endif
