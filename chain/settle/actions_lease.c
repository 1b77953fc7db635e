/* Who works on a job, and until when; and the ends that need no receipt. */
#include <string.h>

#include "chain/settle/jobs.h"
#include "chain/settle/roles.h"

enum { RELEASE_ACT = 1, FAIL_ACT = 2 };

/* The job an action of the coordinator names: found, live, and the sender speaks for its
 * coordinator. */
enum settle_code job_of_coordinator(struct run *run, struct job_view *out,
	const ProtobufCBinaryData *client_field, const char *job_id)
{
	struct account_address client;
	enum settle_code code;

	CHECK(client_field->len == sizeof client.b); /* tx_decode saw to it */
	memcpy(client.b, client_field->data, sizeof client.b);
	code = job_find(run, out, &client, bytes_of_text(job_id));
	if (code != SETTLE_OK)
		return code;
	return speaks_for(run, &out->coordinator) ? SETTLE_OK : SETTLE_NOT_COORDINATOR;
}

bool speaks_for(struct run *run, const struct account_address *coordinator)
{
	const Pb__Coordinator *record;

	if (account_address_equal(coordinator, &run->sender))
		return true;
	record = state_coordinator(run->state, coordinator);
	for (size_t i = 0; record && i < record->n_operators; i++) {
		if (bytes_equal(bytes_view(record->operators[i].data, record->operators[i].len),
			    bytes_view(run->sender.b, sizeof run->sender.b)))
			return true;
	}
	return false;
}

/* From here on the miner's hold on the job is over without its word. */
static bool lease_gone(const struct run *run, const struct job_view *view)
{
	return run->job_ms >= view->assignment->lease_end_ms + view->job->grace_ms;
}

enum settle_code action_assign_job(struct run *run, const Pb__AssignJob *act)
{
	Pb__Assignment assignment = PB__ASSIGNMENT__INIT;
	struct job_view view;
	enum job_state next;
	enum settle_code code = job_of_coordinator(run, &view, &act->client, act->job_id);

	if (code != SETTLE_OK)
		return code;
	if (!job_next(view.state, JOB_ASSIGN, &next))
		return SETTLE_WRONG_STATE;
	if (act->attempt != view.job->attempt + 1)
		return SETTLE_ATTEMPT_MISMATCH;
	if (act->attempt > view.job->max_attempts)
		return SETTLE_ATTEMPTS_EXHAUSTED;
	if (view.assignment && !lease_gone(run, &view))
		return SETTLE_LEASE_LIVE;
	if (act->lease_ms > view.job->deadline_ms - run->job_ms)
		return SETTLE_LEASE_PAST_DEADLINE;
	if (view.assignment)
		state_assignment_delete(run->state, &view.key, view.job->attempt);
	assignment.miner = act->miner;
	assignment.lease_end_ms = run->job_ms + act->lease_ms;
	assignment.assigned_block_ms = run->block_ms;
	view.assignment = &assignment;
	view.job->attempt = act->attempt;
	state_assignment_put(run->state, &view.key, act->attempt, &assignment);
	job_move(run, &view, JOB_ASSIGN, CAUSE_ASSIGN);
	return SETTLE_OK;
}

enum settle_code action_renew_lease(struct run *run, const Pb__RenewLease *act)
{
	struct job_view view;
	enum job_state next;
	enum settle_code code = job_of_coordinator(run, &view, &act->client, act->job_id);

	if (code != SETTLE_OK)
		return code;
	if (!job_next(view.state, JOB_RENEW, &next))
		return SETTLE_WRONG_STATE;
	if (act->attempt != view.job->attempt)
		return SETTLE_ATTEMPT_MISMATCH;
	if (act->lease_ms > view.job->deadline_ms - run->job_ms)
		return SETTLE_LEASE_PAST_DEADLINE;
	if (run->job_ms >= view.assignment->lease_end_ms)
		return SETTLE_LEASE_LAPSED;
	/* Never shorter: a coordinator could else end a lease, and then the job, without the miner.
	 */
	if (view.assignment->lease_end_ms < run->job_ms + act->lease_ms)
		view.assignment->lease_end_ms = run->job_ms + act->lease_ms;
	state_assignment_put(run->state, &view.key, view.job->attempt, view.assignment);
	job_move(run, &view, JOB_RENEW, CAUSE_RENEW);
	return SETTLE_OK;
}

/* Before lease end + grace an assignment ends only with the miner's signature; one that is given
 * must verify. */
static enum settle_code miner_agrees(
	struct run *run, const struct job_view *view, const ProtobufCBinaryData *field, uint8_t act)
{
	struct account_signature signature;
	struct account_key miner;
	struct hash32 digest;

	if (field->len == 0)
		return lease_gone(run, view) ? SETTLE_OK : SETTLE_LEASE_LIVE;
	memcpy(signature.b, field->data, sizeof signature.b);
	memcpy(miner.b, view->assignment->miner.data, sizeof miner.b);
	digest = release_digest(
		&run->settle->config.chain_tag, &view->key, view->job->attempt, &miner, act);
	return account_verify(&miner, &digest, &signature) ? SETTLE_OK : SETTLE_BAD_MINER_SIGNATURE;
}

enum settle_code action_release_job(struct run *run, const Pb__ReleaseJob *act)
{
	struct job_view view;
	enum job_state next;
	enum settle_code code = job_of_coordinator(run, &view, &act->client, act->job_id);

	if (code != SETTLE_OK)
		return code;
	if (!job_next(view.state, JOB_RELEASE, &next))
		return SETTLE_WRONG_STATE;
	if (act->attempt != view.job->attempt)
		return SETTLE_ATTEMPT_MISMATCH;
	code = miner_agrees(run, &view, &act->miner_signature, RELEASE_ACT);
	if (code != SETTLE_OK)
		return code;
	state_assignment_delete(run->state, &view.key, view.job->attempt);
	job_move(run, &view, JOB_RELEASE, CAUSE_RELEASE);
	return SETTLE_OK;
}

enum settle_code action_fail_job(struct run *run, const Pb__FailJob *act)
{
	struct job_view view;
	enum job_state next;
	enum settle_code code = job_of_coordinator(run, &view, &act->client, act->job_id);

	if (code != SETTLE_OK)
		return code;
	if (!job_next(view.state, JOB_FAIL, &next))
		return SETTLE_WRONG_STATE;
	if (act->attempt != view.job->attempt)
		return SETTLE_ATTEMPT_MISMATCH;
	/* In OPEN nobody holds the job, and a signature says nothing. */
	if (view.assignment) {
		code = miner_agrees(run, &view, &act->miner_signature, FAIL_ACT);
		if (code != SETTLE_OK)
			return code;
	}
	job_refund(run, &view, JOB_FAIL, CAUSE_FAIL);
	return SETTLE_OK;
}

enum settle_code action_cancel_job(struct run *run, const Pb__CancelJob *act)
{
	struct job_view view;
	enum job_state next;
	/* The sender's own job by name: another's can't even be named. */
	enum settle_code code = job_find(run, &view, &run->sender, bytes_of_text(act->job_id));

	if (code != SETTLE_OK)
		return code;
	if (!job_next(view.state, JOB_CANCEL, &next))
		return SETTLE_WRONG_STATE;
	if (view.assignment && !lease_gone(run, &view))
		return SETTLE_LEASE_LIVE;
	job_refund(run, &view, JOB_CANCEL, CAUSE_CANCEL);
	return SETTLE_OK;
}
