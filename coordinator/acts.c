/* The coordinator's own actions, and what becomes of them. */
#include <stdio.h>
#include <string.h>

#include "base/amount.h"
#include "coordinator/inside.h"

enum { PUBLISH_RETRY_MS = 10000 };

static ProtobufCBinaryData data_of(const void *bytes, size_t len)
{
	ProtobufCBinaryData data = {len, (uint8_t *)(uintptr_t)bytes};

	return data;
}

static bool tell_chain(struct coordinator *c, enum chain_act act, const struct job *job,
	uint32_t attempt, uint64_t lease_ms, const Pb__Action *action)
{
	struct chain_deed deed = {act, {0}, attempt, coordinator_now(c), lease_ms};

	if (job)
		memcpy(deed.job, job->id, JOB_ID_RAW_BYTES);
	if (chain_link_act(&c->link, &deed, action))
		return true;
	log_event(c->config.log, LOG_UNUSUAL, "coordinator_act_refused act=%s pending=%zu",
		chain_act_text(act), chain_link_pending(&c->link));
	return false;
}

/* A lease that ends before the deadline, as far as our clock can tell. */
static uint64_t lease_for(const struct coordinator *c, const struct job *job)
{
	uint64_t now = coordinator_now(c), lease = c->config.timing.lease_ms;
	uint64_t left = job->expires_ms > now ? job->expires_ms - now : 0;
	uint64_t margin = left / 4 < 2000 ? left / 4 : 2000;

	return lease < left - margin ? lease : left - margin;
}

bool act_assign(struct coordinator *c, struct job *job, const struct miner *miner)
{
	Pb__AssignJob assign = PB__ASSIGN_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;

	assign.client = data_of(job->terms.client.b, sizeof job->terms.client.b);
	assign.job_id = job->terms.job_id;
	assign.attempt = job->terms.attempt + 1;
	assign.miner = data_of(miner->key.b, sizeof miner->key.b);
	assign.lease_ms = lease_for(c, job);
	action.act_case = PB__ACTION__ACT_ASSIGN_JOB;
	action.assign_job = &assign;
	return tell_chain(c, ACT_ASSIGN, job, assign.attempt, assign.lease_ms, &action);
}

bool act_renew(struct coordinator *c, struct job *job)
{
	Pb__RenewLease renew = PB__RENEW_LEASE__INIT;
	Pb__Action action = PB__ACTION__INIT;

	renew.client = data_of(job->terms.client.b, sizeof job->terms.client.b);
	renew.job_id = job->terms.job_id;
	renew.attempt = job->terms.attempt;
	renew.lease_ms = lease_for(c, job);
	action.act_case = PB__ACTION__ACT_RENEW_LEASE;
	action.renew_lease = &renew;
	return tell_chain(c, ACT_RENEW, job, renew.attempt, renew.lease_ms, &action);
}

bool act_release(struct coordinator *c, struct job *job, const struct account_signature *signature)
{
	Pb__ReleaseJob release = PB__RELEASE_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;

	release.client = data_of(job->terms.client.b, sizeof job->terms.client.b);
	release.job_id = job->terms.job_id;
	release.attempt = job->terms.attempt;
	if (signature)
		release.miner_signature = data_of(signature->b, sizeof signature->b);
	action.act_case = PB__ACTION__ACT_RELEASE_JOB;
	action.release_job = &release;
	return tell_chain(c, ACT_RELEASE, job, release.attempt, 0, &action);
}

bool act_fail(struct coordinator *c, struct job *job, const struct account_signature *signature)
{
	Pb__FailJob fail = PB__FAIL_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;

	fail.client = data_of(job->terms.client.b, sizeof job->terms.client.b);
	fail.job_id = job->terms.job_id;
	fail.attempt = job->terms.attempt;
	fail.reason = job->reason;
	if (signature)
		fail.miner_signature = data_of(signature->b, sizeof signature->b);
	action.act_case = PB__ACTION__ACT_FAIL_JOB;
	action.fail_job = &fail;
	return tell_chain(c, ACT_FAIL, job, fail.attempt, 0, &action);
}

bool act_receipt(const struct coordinator *c, struct job_receipt *out, const struct job *job)
{
	struct job_work work = {
		job->units_milli, job->work_started_ms, job->work_completed_ms, job->result_hash};

	return job_receipt_build(out, &job->terms, &work, &c->config.chain_tag) &&
	       job_receipt_attach(out, &job->miner_signature, &c->config.chain_tag);
}

bool act_record(struct coordinator *c, struct job *job)
{
	Pb__RecordReceipt record = PB__RECORD_RECEIPT__INIT;
	Pb__Action action = PB__ACTION__INIT;
	struct job_receipt receipt;

	if (!act_receipt(c, &receipt, job)) {
		work_reason(job, "the receipt can't be rebuilt from the chain's terms");
		return false;
	}
	record.receipt = &receipt.message;
	action.act_case = PB__ACTION__ACT_RECORD_RECEIPT;
	action.record_receipt = &record;
	job->acting = tell_chain(c, ACT_RECORD, job, job->terms.attempt, 0, &action);
	return job->acting;
}

bool act_reject(struct coordinator *c, struct job *job)
{
	Pb__RejectDelivery reject = PB__REJECT_DELIVERY__INIT;
	Pb__Action action = PB__ACTION__INIT;

	reject.client = data_of(job->terms.client.b, sizeof job->terms.client.b);
	reject.job_id = job->terms.job_id;
	reject.attempt = job->terms.attempt;
	reject.reason = job->reason;
	action.act_case = PB__ACTION__ACT_REJECT_DELIVERY;
	action.reject_delivery = &reject;
	return tell_chain(c, ACT_REJECT, job, reject.attempt, 0, &action);
}

bool act_publish(struct coordinator *c)
{
	Pb__CoordinatorSet set = PB__COORDINATOR_SET__INIT;
	Pb__Action action = PB__ACTION__INIT;
	ProtobufCBinaryData operators[COORDINATOR_OPERATORS_MAX];

	for (size_t i = 0; i < c->config.operator_count; i++)
		operators[i] = data_of(c->operators[i].b, sizeof c->operators[i].b);
	set.share_ppm = c->config.share_ppm;
	set.n_operators = c->config.operator_count;
	set.operators = operators;
	set.url = c->url;
	set.accepts_new = c->config.accepts_new;
	action.act_case = PB__ACTION__ACT_COORDINATOR_SET;
	action.coordinator_set = &set;
	return tell_chain(c, ACT_PUBLISH, NULL, 0, 0, &action);
}

/* Refusals of the whole transaction: about our account, not about the job. */
static bool is_about_us(uint32_t code)
{
	return code >= SETTLE_BAD_ENCODING && code <= SETTLE_INSUFFICIENT_FUNDS;
}

/* Refusals of what the receipt says; sent again it would be refused again. */
static bool is_about_receipt(uint32_t code)
{
	return code == SETTLE_BAD_RECEIPT || code == SETTLE_BAD_MINER_SIGNATURE ||
	       code == SETTLE_AMOUNT_MISMATCH || code == SETTLE_UNIT_MISMATCH ||
	       code == SETTLE_NOT_ASSIGNED_MINER || code == SETTLE_BAD_PARAM;
}

static struct job_tx tx_of(const struct sender_outcome *outcome)
{
	struct job_tx tx = {outcome->hash, outcome->height};

	return tx;
}

static void assigned(struct coordinator *c, struct job *job, const struct chain_deed *deed,
	const struct sender_outcome *outcome)
{
	if (job->state != JOB_ASSIGNING || deed->attempt != job->terms.attempt + 1) {
		follow_look(c, job);
		return;
	}
	job->terms.attempt = deed->attempt;
	job->terms.assigned = true;
	job->lease_end_ms = deed->since_ms + deed->lease_ms;
	job->lease_told_ms = 0;
	job->heard_ms = job->looked_ms = coordinator_now(c);
	job->assign = tx_of(outcome);
	work_reason(job, "assigned to %s", job->miner_id);
	CHECK(jobs_move(&c->jobs, job, JOB_EV_CHAIN_ASSIGNED));
	work_enter(c, job);
}

static void recorded(struct coordinator *c, struct job *job, const struct sender_outcome *outcome)
{
	uint64_t share;

	job->receipt_tx = tx_of(outcome);
	if (!mul_div_u64(&share, job->amount, job->terms.coordinator_ppm, 1000000))
		share = 0;
	job->terms.to_coordinator = share;
	job->terms.to_miner = job->amount - share;
	job->terms.to_client = job->terms.reward - job->amount;
	job->reason[0] = 0;
	if (jobs_move(&c->jobs, job, JOB_EV_CHAIN_SETTLED))
		work_enter(c, job);
}

static void committed(struct coordinator *c, struct job *job, const struct chain_deed *deed,
	const struct sender_outcome *outcome)
{
	switch (deed->act) {
	case ACT_ASSIGN: assigned(c, job, deed, outcome); break;
	case ACT_RENEW:
		if (deed->attempt == job->terms.attempt) {
			job->lease_end_ms = deed->since_ms + deed->lease_ms;
			job_save(&c->jobs, job);
			work_wake(c, job);
		}
		break;
	case ACT_RELEASE:
		job->queued_ms = coordinator_now(c);
		if (jobs_move(&c->jobs, job, JOB_EV_CHAIN_OPEN))
			work_enter(c, job);
		break;
	case ACT_RECORD: recorded(c, job, outcome); break;
	case ACT_FAIL:
		job->receipt_tx = tx_of(outcome);
		if (jobs_move(&c->jobs, job, JOB_EV_CHAIN_FAILED))
			work_enter(c, job);
		break;
	case ACT_REJECT: follow_look(c, job); break; /* OPEN or FAILED */
	case ACT_PUBLISH: break;
	}
}

/* The receipt says something that the chain doesn't accept: the miner may send another. */
static void receipt_refused(struct coordinator *c, struct job *job, uint32_t code)
{
	struct http_reply reply;

	if (job->state != JOB_RECORDING)
		return;
	work_reason(job, "the chain refused the receipt: %s", settle_code_name(code));
	http_reply_init(&reply);
	for (size_t i = 0; i < job->waiter_count; i++) {
		reply_settle(&reply, code, "");
		reply_answer(c, job->waiters[i], &reply);
	}
	job->waiter_count = 0;
	http_reply_fini(&reply);
	memset(&job->result_hash, 0, sizeof job->result_hash);
	CHECK(jobs_move(&c->jobs, job, JOB_EV_RESULT_REFUSED));
	follow_look(c, job);
}

static void told_publish(struct coordinator *c, uint32_t code)
{
	c->publishing = false;
	c->published = code == SETTLE_OK;
	c->publish_after_ms = coordinator_now(c) + PUBLISH_RETRY_MS;
	log_event(c->config.log, code == SETTLE_OK ? LOG_INFO : LOG_UNUSUAL,
		"coordinator_published code=%s", settle_code_name(code));
}

void act_told(void *ctx, const struct chain_deed *deed, uint32_t code,
	const struct sender_outcome *outcome)
{
	struct coordinator *c = ctx;
	struct job *job;

	c->trouble[0] = 0;
	if (is_about_us(code))
		snprintf(c->trouble, sizeof c->trouble,
			"the coordinator's transactions are refused: %s (%.80s)",
			settle_code_name(code), outcome->fault);
	if (deed->act == ACT_PUBLISH) {
		told_publish(c, code);
		return;
	}
	job = jobs_find(&c->jobs, deed->job);
	if (!job || job_ended((enum job_state)job->state))
		return;
	if (deed->act == ACT_RENEW)
		job->renewing = false;
	else
		job->acting = false;
	if (code == SETTLE_OK && outcome->fate == SENDER_COMMITTED) {
		committed(c, job, deed, outcome);
		return;
	}
	log_event(c->config.log, LOG_UNUSUAL, "job_act_refused act=%s job=%.64s code=%s",
		chain_act_text(deed->act), job->terms.job_id, settle_code_name(code));
	if (is_about_us(code))
		work_wake_at(c, job, coordinator_now(c) + 5000);
	else if (deed->act == ACT_RECORD && is_about_receipt(code))
		receipt_refused(c, job, code);
	else
		follow_look(c, job);
}
