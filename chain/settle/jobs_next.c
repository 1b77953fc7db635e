#include "chain/settle/jobs.h"

/* The numbers of the record are the schema's. */
_Static_assert((int)JOB_OPEN == (int)PB__JOB_STATE__OPEN, "state");
_Static_assert((int)JOB_ASSIGNED == (int)PB__JOB_STATE__ASSIGNED, "state");
_Static_assert((int)JOB_DELIVERED == (int)PB__JOB_STATE__DELIVERED, "state");
_Static_assert((int)JOB_SETTLED == (int)PB__JOB_STATE__SETTLED, "state");
_Static_assert((int)JOB_FAILED == (int)PB__JOB_STATE__FAILED, "state");
_Static_assert((int)JOB_CANCELLED == (int)PB__JOB_STATE__CANCELLED, "state");
_Static_assert((int)JOB_EXPIRED == (int)PB__JOB_STATE__EXPIRED, "state");
_Static_assert((int)JOB_REFUNDED == (int)PB__JOB_STATE__REFUNDED, "state");

static bool goes(enum job_state *next, enum job_state to)
{
	*next = to;
	return true;
}

static bool from_none(enum job_event event, enum job_state *next)
{
	return event == JOB_SUBMIT && goes(next, JOB_OPEN);
}

static bool from_open(enum job_event event, enum job_state *next)
{
	switch (event) {
	case JOB_ASSIGN: return goes(next, JOB_ASSIGNED);
	case JOB_FAIL: return goes(next, JOB_FAILED);
	case JOB_CANCEL: return goes(next, JOB_CANCELLED);
	case JOB_DEADLINE: return goes(next, JOB_EXPIRED);
	case JOB_SUBMIT:
	case JOB_RENEW:
	case JOB_RELEASE:
	case JOB_RECORD:
	case JOB_DELIVER:
	case JOB_REJECT:
	case JOB_REJECT_LAST:
	case JOB_REVIEW_PAY:
	case JOB_REVIEW_REFUND:
	case JOB_EVENTS: return false;
	}
	return false;
}

/* Assign, release, fail and cancel also ask for the lease; see actions_lease.c. */
static bool from_assigned(enum job_event event, enum job_state *next)
{
	switch (event) {
	case JOB_ASSIGN: return goes(next, JOB_ASSIGNED);
	case JOB_RENEW: return goes(next, JOB_ASSIGNED);
	case JOB_RELEASE: return goes(next, JOB_OPEN);
	case JOB_RECORD: return goes(next, JOB_SETTLED);
	case JOB_DELIVER: return goes(next, JOB_DELIVERED);
	case JOB_FAIL: return goes(next, JOB_FAILED);
	case JOB_CANCEL: return goes(next, JOB_CANCELLED);
	case JOB_DEADLINE: return goes(next, JOB_EXPIRED);
	case JOB_SUBMIT:
	case JOB_REJECT:
	case JOB_REJECT_LAST:
	case JOB_REVIEW_PAY:
	case JOB_REVIEW_REFUND:
	case JOB_EVENTS: return false;
	}
	return false;
}

static bool from_delivered(enum job_event event, enum job_state *next)
{
	switch (event) {
	case JOB_RECORD: return goes(next, JOB_SETTLED);
	case JOB_REJECT: return goes(next, JOB_OPEN);
	case JOB_REJECT_LAST: return goes(next, JOB_FAILED);
	case JOB_REVIEW_PAY: return goes(next, JOB_SETTLED);
	case JOB_REVIEW_REFUND: return goes(next, JOB_REFUNDED);
	case JOB_SUBMIT:
	case JOB_ASSIGN:
	case JOB_RENEW:
	case JOB_RELEASE:
	case JOB_DELIVER:
	case JOB_FAIL:
	case JOB_CANCEL:
	case JOB_DEADLINE:
	case JOB_EVENTS: return false;
	}
	return false;
}

bool job_next(enum job_state at, enum job_event event, enum job_state *next)
{
	switch (at) {
	case JOB_NONE: return from_none(event, next);
	case JOB_OPEN: return from_open(event, next);
	case JOB_ASSIGNED: return from_assigned(event, next);
	case JOB_DELIVERED: return from_delivered(event, next);
	case JOB_SETTLED:
	case JOB_FAILED:
	case JOB_CANCELLED:
	case JOB_EXPIRED:
	case JOB_REFUNDED: return false; /* a job has exactly one end */
	}
	return false;
}

bool job_state_is_terminal(enum job_state state)
{
	switch (state) {
	case JOB_NONE:
	case JOB_OPEN:
	case JOB_ASSIGNED:
	case JOB_DELIVERED: return false;
	case JOB_SETTLED:
	case JOB_FAILED:
	case JOB_CANCELLED:
	case JOB_EXPIRED:
	case JOB_REFUNDED: return true;
	}
	return true;
}
