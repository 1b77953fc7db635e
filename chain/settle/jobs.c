#include "chain/settle/jobs.h"

#include <string.h>

/* ---- finding ---- */

/* A record of ours that does not hold what every record of its kind holds. */
static bool broken(struct run *run)
{
	run_fail(run, STATUS_CORRUPT);
	return false;
}

/* The rest of a live job's view. False: a fault. */
static bool view_fill(struct run *run, struct job_view *view)
{
	memcpy(view->client.b, view->key.b, sizeof view->client.b);
	if (view->job->coordinator.len != sizeof view->coordinator.b)
		return broken(run);
	memcpy(view->coordinator.b, view->job->coordinator.data, sizeof view->coordinator.b);
	view->assignment = NULL;
	if (view->state == JOB_OPEN)
		return true;
	view->assignment = state_assignment(run->state, &view->key, view->job->attempt);
	if (!view->assignment || view->assignment->miner.len != sizeof(struct account_key))
		return broken(run);
	if (view->state == JOB_DELIVERED && !view->assignment->delivered)
		return broken(run);
	return true;
}

struct due job_due(const struct job_key *key, const Pb__Job *job, const Pb__Assignment *assignment)
{
	struct due due = {.job = *key};

	if (job->state == PB__JOB_STATE__DELIVERED) {
		CHECK(assignment); /* a delivered job without one is refused when it is read */
		due.kind = DUE_REVIEW;
		due.due_ms = assignment->review_end_ms;
	} else {
		due.kind = DUE_DEADLINE;
		due.due_ms = job->deadline_ms;
	}
	return due;
}

static void book(struct run *run, struct job_view *view)
{
	const Pb__Receipt *delivered;
	uint64_t reward;

	if (view->state != JOB_DELIVERED) {
		job_refund(run, view, JOB_DEADLINE, CAUSE_DEADLINE);
		return;
	}
	delivered = view->assignment->delivered;
	reward = view->job->reward;
	if (view->job->on_silence == PB__ON_SILENCE__PAY_MINER && delivered->amount <= reward)
		/* The coordinator kept silent: it has no share. */
		job_end(run, view, JOB_REVIEW_PAY, CAUSE_REVIEW,
			&(struct job_split){
				delivered->amount, 0, reward - delivered->amount, delivered});
	else
		job_refund(run, view, JOB_REVIEW_REFUND, CAUSE_REVIEW);
}

enum settle_code job_find(struct run *run, struct job_view *out,
	const struct account_address *client, struct bytes job_id)
{
	struct booking *booking;

	memset(out, 0, sizeof *out);
	out->key = job_key_of(client, job_id);
	run->outcome.job = out->key;
	out->job = state_job(run->state, &out->key);
	if (!out->job)
		return SETTLE_UNKNOWN_JOB;
	out->state = (enum job_state)out->job->state;
	if (!job_state_is_terminal(out->state)) {
		if (!view_fill(run, out))
			return SETTLE_UNKNOWN_JOB;
		if (run->job_ms < job_due(&out->key, out->job, out->assignment).due_ms)
			return SETTLE_OK;
		book(run, out);
		booking = arena_alloc(run->state->scratch, sizeof *booking);
		if (!booking) {
			run_fail(run, STATUS_NO_MEMORY);
			return SETTLE_UNKNOWN_JOB;
		}
		*booking = (struct booking){run->bookings, out->key, run->place};
		run->bookings = booking;
	}
	return out->state == JOB_EXPIRED ? SETTLE_JOB_EXPIRED : SETTLE_WRONG_STATE;
}

void job_book(struct run *run, const struct job_key *key)
{
	struct job_view view = {.key = *key};

	view.job = state_job(run->state, key);
	if (!view.job) {
		broken(run);
		return;
	}
	view.state = (enum job_state)view.job->state;
	CHECK(!job_state_is_terminal(view.state));
	if (!view_fill(run, &view))
		return;
	CHECK(run->job_ms >= job_due(key, view.job, view.assignment).due_ms);
	book(run, &view);
}

/* ---- telling ---- */

static void tell_lists(struct run *run, const struct job_view *view, enum settle_cause cause)
{
	struct settle_listed listed = {run->place, view->key};
	struct store_batch *rows = &run->results->rows;
	struct account_key miner;
	struct account_address address;

	switch (cause) {
	case CAUSE_SUBMIT:
		rows_put_listed(rows, LIST_BY_CLIENT, &view->client, &listed);
		rows_put_listed(rows, LIST_BY_COORDINATOR, &view->coordinator, &listed);
		return;
	case CAUSE_ASSIGN:
		memcpy(miner.b, view->assignment->miner.data, sizeof miner.b);
		address = account_address_of(&miner);
		rows_put_listed(rows, LIST_BY_MINER, &address, &listed);
		return;
	case CAUSE_RENEW:
	case CAUSE_RELEASE:
	case CAUSE_RECORD:
	case CAUSE_DELIVER:
	case CAUSE_REJECT:
	case CAUSE_FAIL:
	case CAUSE_CANCEL:
	case CAUSE_DEADLINE:
	case CAUSE_REVIEW: return;
	}
}

static void tell_event(struct run *run, const struct job_view *view, enum settle_cause cause)
{
	struct results *results = run->results;
	struct event_draft draft = {.count = 0};
	bool ends = job_state_is_terminal(view->state);
	bool begins = cause == CAUSE_SUBMIT;

	/* A search by party finds where a job begins, is assigned and ends; its id finds all. */
	draft_add_text(
		results, &draft, "id", bytes_view(view->key.b + 21, view->key.len - 21), true);
	draft_add_address(results, &draft, "client", &view->client, begins || ends);
	draft_add_address(results, &draft, "coordinator", &view->coordinator, begins || ends);
	if (view->assignment) {
		struct account_key key;
		struct account_address miner;

		memcpy(key.b, view->assignment->miner.data, sizeof key.b);
		miner = account_address_of(&key);
		draft_add_address(results, &draft, "miner", &miner, ends || cause == CAUSE_ASSIGN);
	}
	draft_add_static(&draft, "state", settle_state_name(view->state), true);
	draft_add_static(&draft, "cause", settle_cause_name(cause), false);
	draft_add_u64(results, &draft, "attempt", view->job->attempt, false);
	run_event(run, &draft, "job");
}

static void tell_receipt(struct run *run, const struct job_view *view, enum settle_cause cause,
	const Pb__Receipt *receipt)
{
	struct event_draft draft = {.count = 0};
	struct settle_receipt_place at = {run->place, view->key};
	struct receipt_id id;

	if (!receipt_id_parse(&id, bytes_of_text(receipt->receipt_id))) {
		broken(run);
		return;
	}
	/* At the end of a review the bytes stand where they were delivered. */
	if (cause == CAUSE_RECORD || cause == CAUSE_DELIVER)
		rows_put_receipt_place(&run->results->rows, &id, &at);
	draft_add_text(run->results, &draft, "id", bytes_of_text(receipt->receipt_id), true);
	draft_add_u64(run->results, &draft, "amount", receipt->amount, false);
	run_event(run, &draft, "receipt");
}

void job_tell(struct run *run, const struct job_view *view, enum settle_cause cause,
	const Pb__Receipt *receipt)
{
	struct settle_change change = {run->place, view->state, cause, view->job->attempt};

	run->outcome.has_job = true;
	run->outcome.job = view->key;
	run->outcome.state = view->state;
	rows_put_change(&run->results->rows, &view->key, &change);
	tell_lists(run, view, cause);
	tell_event(run, view, cause);
	if (receipt)
		tell_receipt(run, view, cause, receipt);
}

/* ---- moving ---- */

static void step(struct job_view *view, enum job_event event)
{
	bool legal = job_next(view->state, event, &view->state);

	CHECK(legal);
	view->job->state = (Pb__JobState)view->state;
}

void job_move(struct run *run, struct job_view *view, enum job_event event, enum settle_cause cause)
{
	step(view, event);
	CHECK(!job_state_is_terminal(view->state));
	state_job_put(run->state, &view->key, view->job);
	job_tell(run, view, cause, cause == CAUSE_DELIVER ? view->assignment->delivered : NULL);
}

static void end_open_count(struct run *run, const struct job_view *view)
{
	const struct account *standing = state_account(run->state, &view->client);
	struct account client;

	if (!standing || standing->open_jobs == 0 || run->state->totals.live_jobs == 0) {
		broken(run);
		return;
	}
	client = *standing;
	client.open_jobs--;
	state_account_put(run->state, &view->client, &client);
	run->state->totals.live_jobs--;
}

static void pay(struct run *run, const struct account_address *to, uint64_t uaitbc)
{
	if (uaitbc == 0)
		return;
	money_credit(run->state, to, uaitbc);
	run_touch(run, to);
}

/* What a receipt's row says once it is paid. */
static void end_receipt(struct run *run, const struct job_view *view,
	const struct account_address *miner, const struct job_split *split)
{
	struct settle_receipt row = {.place = run->place,
		.miner = *miner,
		.to_miner = split->to_miner,
		.to_coordinator = split->to_coordinator,
		.job = view->key};

	if (!receipt_id_parse(&row.id, bytes_of_text(split->receipt->receipt_id))) {
		broken(run);
		return;
	}
	rows_put_receipt(&run->results->rows, &row);
}

void job_end(struct run *run, struct job_view *view, enum job_event event, enum settle_cause cause,
	const struct job_split *split)
{
	Pb__Job record = PB__JOB__INIT;
	uint64_t escrow = money_unlock(run->state, &view->key);
	struct hash32 paid;

	step(view, event);
	CHECK(job_state_is_terminal(view->state));
	if (run->state->fault != STATUS_OK)
		return;
	CHECK(split->to_miner <= escrow);
	CHECK(split->to_coordinator <= escrow - split->to_miner);
	CHECK(split->to_client == escrow - split->to_miner - split->to_coordinator);
	end_open_count(run, view);
	if (view->assignment) {
		struct account_key key;
		struct account_address miner;

		memcpy(key.b, view->assignment->miner.data, sizeof key.b);
		miner = account_address_of(&key);
		pay(run, &miner, split->to_miner);
		if (split->receipt)
			end_receipt(run, view, &miner, split);
		state_assignment_delete(run->state, &view->key, view->job->attempt);
	}
	pay(run, &view->coordinator, split->to_coordinator);
	pay(run, &view->client, split->to_client);
	job_tell(run, view, cause, split->receipt);
	record.state = view->job->state;
	record.attempt = view->job->attempt;
	if (split->receipt) {
		paid = receipt_hash(split->receipt);
		record.receipt_hash = (ProtobufCBinaryData){sizeof paid.b, paid.b};
	}
	record.to_miner = split->to_miner;
	record.to_coordinator = split->to_coordinator;
	record.to_client = split->to_client;
	record.height = run->height;
	state_job_put(run->state, &view->key, &record);
}

void job_refund(
	struct run *run, struct job_view *view, enum job_event event, enum settle_cause cause)
{
	job_end(run, view, event, cause, &(struct job_split){0, 0, view->job->reward, NULL});
}
