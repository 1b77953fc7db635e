/* What an account does for itself: pay, publish itself as a coordinator, order a job. */
#include <string.h>

#include "chain/settle/jobs.h"

static struct account_address address_of(const ProtobufCBinaryData *field)
{
	struct account_address address;

	CHECK(field->len == sizeof address.b); /* tx_decode saw to it */
	memcpy(address.b, field->data, sizeof address.b);
	return address;
}

static void tell_transfer(struct run *run, const struct account_address *to, uint64_t amount)
{
	struct event_draft draft = {.count = 0};

	/* The index keeps both as marks on the accounts' history. */
	run_add_sender(run, &draft, "sender", true);
	draft_add_address(run->results, &draft, "recipient", to, true);
	draft_add_u64(run->results, &draft, "amount", amount, false);
	run_event(run, &draft, "transfer");
	run_touch(run, to);
}

enum settle_code action_transfer(struct run *run, const Pb__Transfer *act)
{
	struct account_address to = address_of(&act->to);

	if (act->amount < run->settle->params.min_account_amount && !state_account(run->state, &to))
		return SETTLE_LIMIT;
	/* A transfer to oneself needs the money too, and gives it back at once. */
	if (!money_debit(run->state, &run->sender, act->amount))
		return SETTLE_INSUFFICIENT_FUNDS;
	money_credit(run->state, &to, act->amount);
	tell_transfer(run, &to, act->amount);
	return SETTLE_OK;
}

enum settle_code action_coordinator_set(struct run *run, const Pb__CoordinatorSet *act)
{
	Pb__Coordinator record = PB__COORDINATOR__INIT;
	struct event_draft draft = {.count = 0};

	record.share_ppm = act->share_ppm;
	record.n_operators = act->n_operators;
	record.operators = act->operators;
	record.url = act->url;
	record.accepts_new = act->accepts_new;
	state_coordinator_put(run->state, &run->sender, &record);
	run_add_sender(run, &draft, "owner", false);
	draft_add_u64(run->results, &draft, "share_ppm", act->share_ppm, false);
	draft_add_static(&draft, "accepts_new", act->accepts_new ? "true" : "false", false);
	run_event(run, &draft, "coordinator");
	return SETTLE_OK;
}

static void job_terms(Pb__Job *job, const struct run *run, const Pb__SubmitJob *act)
{
	const Pb__SettleParams *params = &run->settle->params;

	pb__job__init(job);
	job->state = PB__JOB_STATE__JOB_NONE;
	job->coordinator = act->coordinator;
	job->coordinator_ppm = act->coordinator_ppm;
	job->service = act->service;
	job->payload_hash = act->payload_hash;
	job->reward = act->reward;
	job->unit_type = act->unit_type;
	job->unit_price = act->unit_price;
	job->max_units_milli = act->max_units_milli;
	job->deadline_ms = run->job_ms + act->ttl_ms;
	job->max_attempts = act->max_attempts;
	job->on_silence = act->on_silence;
	job->review_ms = params->review_ms;
	job->grace_ms = params->cancel_grace_ms;
	job->submit_height = run->height;
}

enum settle_code action_submit_job(struct run *run, const Pb__SubmitJob *act)
{
	struct account_address owner = address_of(&act->coordinator);
	struct job_view view = {.client = run->sender, .coordinator = owner, .state = JOB_NONE};
	struct state_key job_record;
	const Pb__Coordinator *coordinator;
	struct account client;
	struct bytes standing;
	Pb__Job job;

	view.key = job_key_of(&run->sender, bytes_of_text(act->job_id));
	job_record = state_key_job(&view.key);
	coordinator = state_coordinator(run->state, &owner);
	if (!coordinator)
		return SETTLE_UNKNOWN_COORDINATOR;
	if (state_get(run->state, &job_record, &standing))
		return SETTLE_JOB_EXISTS;
	if (!coordinator->accepts_new)
		return SETTLE_COORDINATOR_CLOSED;
	if (act->coordinator_ppm != coordinator->share_ppm)
		return SETTLE_SHARE_MISMATCH;
	client = *state_account(run->state, &run->sender); /* it paid the fee */
	if (client.open_jobs >= run->settle->params.max_open_jobs_per_client)
		return SETTLE_TOO_MANY_JOBS;
	if (act->ttl_ms > UINT64_MAX - run->job_ms)
		return SETTLE_OVERFLOW;
	if (!money_lock(run->state, &run->sender, &view.key, act->reward))
		return SETTLE_INSUFFICIENT_FUNDS;
	client = *state_account(run->state, &run->sender);
	client.open_jobs++;
	state_account_put(run->state, &run->sender, &client);
	run->state->totals.live_jobs++;
	job_terms(&job, run, act);
	view.job = &job;
	job_move(run, &view, JOB_SUBMIT, CAUSE_SUBMIT);
	return SETTLE_OK;
}
