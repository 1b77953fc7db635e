/* The chain's word on a job: asked for when in doubt, and obeyed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "coordinator/inside.h"

enum {
	LOOK_TIMEOUT_MS = 5000,
	LOOK_RETRY_MS = 2000,
	/* How long a submission whose transaction names no end may still be waited for. */
	SUBMIT_PATIENCE_MS = 10 * 60 * 1000
};

struct look {
	struct lifeline *line;
	uint8_t job[JOB_ID_RAW_BYTES];
};

static uint64_t decimal(const json_t *value)
{
	const char *text = json_string_value(value);

	return text ? strtoull(text, NULL, 10) : 0;
}

/* The parts of a delivered receipt that aren't the job's terms. False: they can't be read. */
static bool read_delivered(struct job *job, const json_t *value)
{
	const json_t *receipt = json_object_get(json_object_get(value, "assignment"), "delivered");
	const json_t *hash = json_object_get(receipt, "result_hash");
	const json_t *signature = json_object_get(receipt, "miner_signature");

	if (!json_is_string(hash) || !json_is_string(signature) ||
		!hex_decode(job->delivered_result.b, sizeof job->delivered_result.b,
			json_string_value(hash), json_string_length(hash)) ||
		!hex_decode(job->miner_signature.b, sizeof job->miner_signature.b,
			json_string_value(signature), json_string_length(signature)))
		return false;
	job->units_milli = decimal(json_object_get(receipt, "units_milli"));
	job->work_started_ms = decimal(json_object_get(receipt, "started_ms"));
	job->work_completed_ms = decimal(json_object_get(receipt, "completed_ms"));
	job->amount = decimal(json_object_get(receipt, "amount"));
	return true;
}

static bool event_of(enum job_event *out, Pb__JobState state)
{
	switch (state) {
	case PB__JOB_STATE__OPEN: *out = JOB_EV_CHAIN_OPEN; return true;
	case PB__JOB_STATE__ASSIGNED: *out = JOB_EV_CHAIN_ASSIGNED; return true;
	case PB__JOB_STATE__DELIVERED: *out = JOB_EV_CHAIN_DELIVERED; return true;
	case PB__JOB_STATE__SETTLED: *out = JOB_EV_CHAIN_SETTLED; return true;
	case PB__JOB_STATE__FAILED: *out = JOB_EV_CHAIN_FAILED; return true;
	case PB__JOB_STATE__CANCELLED: *out = JOB_EV_CHAIN_CANCELLED; return true;
	case PB__JOB_STATE__EXPIRED:
	case PB__JOB_STATE__REFUNDED: *out = JOB_EV_CHAIN_EXPIRED; return true;
	case PB__JOB_STATE__JOB_NONE:
	case _PB__JOB_STATE_IS_INT_SIZE: return false;
	}
	return false;
}

static void take_end(struct job *job, const struct job_terms *terms)
{
	job->terms.state = terms->state;
	job->terms.attempt = terms->attempt;
	job->terms.receipt_hash = terms->receipt_hash;
	job->terms.to_miner = terms->to_miner;
	job->terms.to_coordinator = terms->to_coordinator;
	job->terms.to_client = terms->to_client;
	job->terms.height = terms->height;
	if (terms->state == PB__JOB_STATE__SETTLED) {
		job->amount = terms->to_miner + terms->to_coordinator;
		if (job->receipt_tx.height == 0)
			job->receipt_tx.height = terms->height;
	}
	switch (terms->state) {
	case PB__JOB_STATE__SETTLED: job->reason[0] = 0; break;
	case PB__JOB_STATE__CANCELLED: work_reason(job, "cancelled by its client"); break;
	case PB__JOB_STATE__EXPIRED:
		work_reason(job, "its deadline passed; the escrow went back to the client");
		break;
	case PB__JOB_STATE__REFUNDED:
		work_reason(job, "the review ended without a word; refunded as the job asks");
		break;
	case PB__JOB_STATE__JOB_NONE:
	case PB__JOB_STATE__OPEN:
	case PB__JOB_STATE__ASSIGNED:
	case PB__JOB_STATE__DELIVERED:
	case PB__JOB_STATE__FAILED:
	case _PB__JOB_STATE_IS_INT_SIZE: break;
	}
}

static void take_terms(struct coordinator *c, struct job *job, const struct job_terms *terms)
{
	bool same_attempt = job->terms.attempt == terms->attempt;

	job->terms = *terms;
	job->expires_ms = terms->deadline_ms + c->outage_ms;
	if (!terms->assigned)
		return;
	if (!same_attempt)
		job->offered = false;
	job->lease_end_ms = job->lease_told_ms = terms->lease_end_ms + c->outage_ms;
	job->review_end_ms = terms->review_end_ms + c->outage_ms;
}

void follow_find_miner(struct coordinator *c, struct job *job)
{
	struct miner *miner = miner_find(&c->miners, job->miner_id);

	if (!job->terms.assigned)
		return;
	if (!miner || memcmp(miner->key.b, job->terms.miner.b, sizeof miner->key.b) != 0) {
		job->miner_id[0] = 0;
		miner = NULL;
		for (size_t i = 0; i < c->miners.count && !miner; i++) {
			if (memcmp(c->miners.miners[i]->key.b, job->terms.miner.b,
				    sizeof job->terms.miner.b) == 0)
				miner = c->miners.miners[i];
		}
	}
	if (!miner)
		return;
	snprintf(job->miner_id, sizeof job->miner_id, "%s", miner->id);
	if (job->terms.state == PB__JOB_STATE__ASSIGNED)
		work_take_slot(c, job, miner);
}

static void follow(
	struct coordinator *c, struct job *job, const struct job_terms *terms, const json_t *value)
{
	enum job_event event;

	job->resumed = false;
	job->looked_ms = coordinator_now(c);
	if (terms->block_time_ms >= terms->job_time_ms && terms->job_time_ms > 0)
		c->outage_ms = terms->block_time_ms - terms->job_time_ms;
	if (!event_of(&event, terms->state)) {
		work_wake_at(c, job, coordinator_now(c) + LOOK_RETRY_MS);
		return;
	}
	if (job->state == JOB_SUBMITTING) {
		/* Found on the chain: the same job, or another of that id. */
		if (!job_state_terminal(terms->state) &&
			!hash_equal(&terms->payload_hash, &job->terms.payload_hash)) {
			work_reason(job, "job_exists: another job of that id is on the chain");
			CHECK(jobs_move(&c->jobs, job, JOB_EV_REFUSED));
			work_enter(c, job);
			return;
		}
		job->submit.height = terms->submit_height;
		job->refused_code = 0;
		job_forget_tx(&c->jobs, job);
		submit_admitted(c, job, false);
	}
	if (job_state_terminal(terms->state))
		take_end(job, terms);
	else
		take_terms(c, job, terms);
	follow_find_miner(c, job);
	if (terms->state == PB__JOB_STATE__DELIVERED && read_delivered(job, value) &&
		job->delivered_ms == 0)
		job->delivered_ms = coordinator_now(c);
	if (terms->state == PB__JOB_STATE__OPEN && job->state != JOB_QUEUED)
		job->queued_ms = coordinator_now(c);
	if (!jobs_move(&c->jobs, job, event))
		return;
	/* The very result that was delivered is here already. */
	if (job->state == JOB_DELIVERED && !hash_is_zero(&job->result_hash) &&
		hash_equal(&job->result_hash, &job->delivered_result))
		CHECK(jobs_move(&c->jobs, job, JOB_EV_RESULT));
	work_enter(c, job);
}

/* The chain doesn't know the job. */
static void not_there(struct coordinator *c, struct job *job)
{
	uint64_t now = coordinator_now(c);
	uint64_t until = job->submit_valid_until_ms ? job->submit_valid_until_ms
						    : job->submitted_ms + SUBMIT_PATIENCE_MS;

	job->resumed = false;
	if (job->state != JOB_SUBMITTING) {
		log_event(c->config.log, LOG_UNUSUAL, "job_unknown_to_chain job=%.64s state=%s",
			job->terms.job_id, job_state_text((enum job_state)job->state));
		work_wake_at(c, job, now + LOOK_RETRY_MS);
		return;
	}
	if (job->refused_code == 0 && now < until + LOOK_RETRY_MS) {
		if (job->admitted)
			submit_inquire(c, job);
		else
			submit_broadcast(c, job);
		return;
	}
	if (job->refused_code == 0)
		work_reason(job, "its transaction was never committed");
	CHECK(jobs_move(&c->jobs, job, JOB_EV_REFUSED));
	work_enter(c, job);
}

static void on_look(void *ctx, const struct rpc_outcome *outcome)
{
	struct look *look = ctx;
	struct coordinator *c = lifeline_drop(look->line);
	struct job *job = c ? jobs_find(&c->jobs, look->job) : NULL;
	struct job_terms terms;
	char log[256] = "", fault[96] = "";
	uint32_t code = 0;
	json_t *value = NULL;

	free(look);
	if (!c)
		return;
	c->looks--;
	if (!job)
		return;
	job->looking = false;
	if (outcome->status == STATUS_OK)
		value = rpc_query_value(outcome->result, &code, log);
	if (value && job_terms_parse(&terms, value, fault)) {
		follow(c, job, &terms, value);
	} else if (outcome->status == STATUS_OK && !value && code == SETTLE_UNKNOWN_JOB) {
		not_there(c, job);
	} else {
		log_event(c->config.log, LOG_UNUSUAL,
			"job_look_failed job=%.64s fault=\"%s %s %s\" code=%u", job->terms.job_id,
			outcome->fault ? outcome->fault : "", log, fault, code);
		work_wake_at(c, job, coordinator_now(c) + LOOK_RETRY_MS);
	}
	json_decref(value);
}

void follow_look(struct coordinator *c, struct job *job)
{
	struct look *look;

	if (job->looking)
		return;
	/* Whatever happens to the question, the job is looked at again. */
	work_wake_at(c, job, coordinator_now(c) + LOOK_TIMEOUT_MS + LOOK_RETRY_MS);
	if (c->looks >= CHAIN_LOOKS_MAX) {
		work_wake_at(c, job, coordinator_now(c) + LOOK_RETRY_MS / 10);
		return;
	}
	look = malloc(sizeof *look);
	if (!look)
		return;
	memcpy(look->job, job->id, JOB_ID_RAW_BYTES);
	look->line = lifeline_hold(c);
	if (rpc_call(c->config.rpc, "abci_query",
		    job_terms_query(&job->terms.client, job->terms.job_id), LOOK_TIMEOUT_MS,
		    on_look, look) != STATUS_OK) {
		lifeline_drop(look->line);
		free(look);
		return;
	}
	job->looking = true;
	c->looks++;
}
