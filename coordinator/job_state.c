#include "coordinator/jobs.h"

/* What the chain says a job is, for a state of ours that isn't the end. */
static bool next_by_chain(enum job_state *next, enum job_state at, enum job_event event)
{
	switch (event) {
	case JOB_EV_CHAIN_OPEN: *next = JOB_QUEUED; return true;
	case JOB_EV_CHAIN_ASSIGNED:
		/* A result held, or a miner at work, isn't forgotten because the chain confirms. */
		*next = at == JOB_RUNNING || at == JOB_RECORDING ? at : JOB_ASSIGNED;
		return true;
	case JOB_EV_CHAIN_DELIVERED: *next = at == JOB_RECORDING ? at : JOB_DELIVERED; return true;
	case JOB_EV_CHAIN_SETTLED: *next = JOB_COMPLETED; return true;
	case JOB_EV_CHAIN_FAILED: *next = JOB_FAILED; return true;
	case JOB_EV_CHAIN_CANCELLED: *next = JOB_CANCELLED; return true;
	case JOB_EV_CHAIN_EXPIRED: *next = JOB_EXPIRED; return true;
	case JOB_EV_ASSIGN:
	case JOB_EV_ACCEPTED:
	case JOB_EV_RESULT:
	case JOB_EV_RETURN:
	case JOB_EV_FAIL:
	case JOB_EV_REJECT:
	case JOB_EV_REFUSED:
	case JOB_EV_RESULT_REFUSED:
	case JOB_EVENTS: return false;
	}
	return false;
}

static bool move(enum job_state *next, enum job_state to)
{
	*next = to;
	return true;
}

bool job_state_next(enum job_state *next, enum job_state at, enum job_event event)
{
	if (!job_ended(at) && next_by_chain(next, at, event))
		return true;
	switch (at) {
	case JOB_SUBMITTING: return event == JOB_EV_REFUSED && move(next, JOB_REFUSED);
	case JOB_QUEUED:
		if (event == JOB_EV_ASSIGN)
			return move(next, JOB_ASSIGNING);
		return event == JOB_EV_FAIL && move(next, JOB_FAILING);
	case JOB_ASSIGNED:
		if (event == JOB_EV_ACCEPTED)
			return move(next, JOB_RUNNING);
		/* fall through */
	case JOB_RUNNING:
		if (event == JOB_EV_RESULT)
			return move(next, JOB_RECORDING);
		if (event == JOB_EV_RETURN)
			return move(next, JOB_RETURNING);
		if (event == JOB_EV_ASSIGN) /* the lease lapsed: straight to another miner */
			return move(next, JOB_ASSIGNING);
		return event == JOB_EV_FAIL && move(next, JOB_FAILING);
	case JOB_DELIVERED:
		if (event == JOB_EV_RESULT)
			return move(next, JOB_RECORDING);
		return event == JOB_EV_REJECT && move(next, JOB_REJECTING);
	case JOB_RECORDING: return event == JOB_EV_RESULT_REFUSED && move(next, JOB_RUNNING);
	case JOB_ASSIGNING:
	case JOB_RETURNING:
	case JOB_FAILING:
	case JOB_REJECTING: return false; /* the chain has the word */
	case JOB_COMPLETED:
	case JOB_FAILED:
	case JOB_CANCELLED:
	case JOB_EXPIRED:
	case JOB_REFUSED: return false;
	}
	return false;
}

bool job_ended(enum job_state state)
{
	return state >= JOB_COMPLETED;
}

const char *job_state_text(enum job_state state)
{
	switch (state) {
	case JOB_SUBMITTING: return "submitting";
	case JOB_QUEUED: return "queued";
	case JOB_ASSIGNING: return "assigning";
	case JOB_ASSIGNED: return "assigned";
	case JOB_RUNNING: return "running";
	case JOB_RECORDING: return "recording";
	case JOB_DELIVERED: return "delivered";
	case JOB_RETURNING: return "returning";
	case JOB_FAILING: return "failing";
	case JOB_REJECTING: return "rejecting";
	case JOB_COMPLETED: return "completed";
	case JOB_FAILED: return "failed";
	case JOB_CANCELLED: return "cancelled";
	case JOB_EXPIRED: return "expired";
	case JOB_REFUSED: return "refused";
	}
	return "unknown";
}

const char *job_rest_status(enum job_state state)
{
	switch (state) {
	case JOB_SUBMITTING:
	case JOB_QUEUED:
	case JOB_ASSIGNING: return "pending";
	case JOB_ASSIGNED:
	case JOB_RUNNING:
	case JOB_RECORDING:
	case JOB_DELIVERED:
	case JOB_RETURNING:
	case JOB_FAILING:
	case JOB_REJECTING: return "running";
	case JOB_COMPLETED: return "completed";
	case JOB_FAILED:
	case JOB_REFUSED: return "failed";
	case JOB_CANCELLED: return "cancelled";
	case JOB_EXPIRED: return "expired";
	}
	return "failed";
}

const char *job_rest_state(enum job_state state)
{
	switch (state) {
	case JOB_SUBMITTING:
	case JOB_QUEUED:
	case JOB_ASSIGNING: return "QUEUED";
	case JOB_ASSIGNED:
	case JOB_RUNNING:
	case JOB_RECORDING:
	case JOB_DELIVERED:
	case JOB_RETURNING:
	case JOB_FAILING:
	case JOB_REJECTING: return "RUNNING";
	case JOB_COMPLETED: return "COMPLETED";
	case JOB_FAILED:
	case JOB_REFUSED: return "FAILED";
	case JOB_CANCELLED: return "CANCELED";
	case JOB_EXPIRED: return "EXPIRED";
	}
	return "FAILED";
}
