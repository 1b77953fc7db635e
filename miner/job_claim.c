/* From a kept result to the money: the coordinator is told until it takes it, the chain is watched
 * until it shows the receipt, and when the coordinator lets half of the time pass, the miner goes
 * to the chain itself [protocol 3]. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "miner/job_internal.h"

enum {
	WATCH_FIRST_MS = 300,
	WATCH_MOST_MS = 3000,
	TELL_MS = 20 * 1000,
	TELL_REFUSED_MS = 15 * 1000,
	DELIVER_AGAIN_MS = 3000
};

static void watch(struct job *job);

static void lost(struct job *job, const char *why)
{
	log_event(job->shop->log, LOG_UNUSUAL, "job.lost job=%s attempt=%u reason=\"%s\"",
		job->rest_id, job->attempt, why);
	job_end(job, false);
}

static void settled(struct job *job)
{
	struct workshop *shop = job->shop;
	const struct job_terms *t = &job->terms;
	struct hash32 ours = {{0}};
	if (job->has_receipt)
		ours = receipt_hash(&job->receipt.message);
	if (t->state != PB__JOB_STATE__SETTLED ||
		(job->has_receipt && !hash_equal(&ours, &t->receipt_hash))) {
		lost(job, t->state == PB__JOB_STATE__SETTLED ? "settled with another receipt"
							     : job_state_name(t->state));
		return;
	}
	shop->paid_count++;
	shop->paid_uaitbc += t->to_miner;
	log_event(shop->log, LOG_INFO, "job.paid job=%s attempt=%u to_miner=%llu height=%lld",
		job->rest_id, job->attempt, (unsigned long long)t->to_miner, (long long)t->height);
	job_end(job, false);
}

/* ---- the coordinator ---- */

static void on_told(void *ctx, const struct link_answer *answer)
{
	struct job *job = ctx;
	struct workshop *shop = job->shop;
	if (!job_answered(job))
		return;
	job->telling = false;
	if (link_ok(answer)) {
		job->told = true;
		log_event(shop->log, LOG_INFO, "job.result_taken job=%s attempt=%u", job->rest_id,
			job->attempt);
		job->tries = 0;
		watch(job); /* it was probably recorded before the answer came */
		return;
	}
	job->tell_tries++;
	/* A no may be about this moment only, as when it asks the chain itself; so it is asked
	 * again, seldom. */
	job->tell_at_ms = shop->now_ms() + (link_refused(answer) ? TELL_REFUSED_MS
								 : retry_pause_ms(job->tell_tries));
	if (job->tell_tries == 1)
		log_event(shop->log, LOG_UNUSUAL,
			"job.result_not_taken job=%s attempt=%u status=%u reason=\"%s\"",
			job->rest_id, job->attempt, answer->http_status, answer->fault);
}

static void put_body(struct buf *out, const struct job *job)
{
	const struct journal_entry *entry = &job->entry;
	buf_append_text(out, "{\"job_id\":");
	json_put_text(out, job->rest_id);
	buf_appendf(out, ",\"attempt\":%u,\"result\":", job->attempt);
	buf_append_view(out, buf_view(&entry->result));
	buf_appendf(out, ",\"metrics\":{\"compute_time\":\"%llu.%03u\"",
		(unsigned long long)(job->entry.compute_ms / 1000),
		(unsigned)(job->entry.compute_ms % 1000));
	buf_appendf(out, ",\"units_milli\":%llu,\"started_ms\":%llu,\"completed_ms\":%llu",
		(unsigned long long)job->receipt.message.units_milli,
		(unsigned long long)entry->work.started_ms,
		(unsigned long long)entry->work.completed_ms);
	if (entry->tokens > 0)
		buf_appendf(out, ",\"tokens_generated\":%llu", (unsigned long long)entry->tokens);
	buf_append_text(out, "},\"proof\":{\"hash\":\"");
	buf_append_hex_lower(out, entry->work.result_hash.b, 32);
	buf_append_text(out, "\",\"signature\":\"");
	buf_append_hex_lower(out, job->receipt.signature.b, sizeof job->receipt.signature.b);
	buf_append_text(out, "\"}}");
}

static void tell(struct job *job)
{
	char path[JOB_REST_ID_BYTES + 32];
	struct buf body;
	if (job->told || job->telling || job->shop->now_ms() < job->tell_at_ms)
		return;
	snprintf(path, sizeof path, "/v1/jobs/%s/complete", job->rest_id);
	buf_init(&body, 0);
	put_body(&body, job);
	job->calls++;
	job->telling = buf_ok(&body) && link_post(&job->shop->link, path, buf_view(&body), TELL_MS,
						on_told, job) == STATUS_OK;
	if (!job->telling)
		job->calls--;
	buf_fini(&body);
}

/* ---- the chain ---- */

static void on_delivered(void *ctx, const struct sender_outcome *outcome)
{
	struct job *job = ctx;
	struct workshop *shop = job->shop;
	if (!job_answered(job))
		return;
	job->delivering = false;
	if (outcome->fate == SENDER_COMMITTED && outcome->code == 0) {
		log_event(shop->log, LOG_INFO,
			"job.delivered job=%s attempt=%u height=%lld fee=%llu", job->rest_id,
			job->attempt, (long long)outcome->height,
			(unsigned long long)outcome->fee_uaitbc);
		return; /* the watch sees DELIVERED */
	}
	job->deliver_again_ms = shop->now_ms() + DELIVER_AGAIN_MS;
	log_event(shop->log, LOG_UNUSUAL,
		"job.not_delivered job=%s attempt=%u code=%s reason=\"%s\"", job->rest_id,
		job->attempt, settle_code_name(outcome->code), outcome->fault);
}

static void deliver(struct job *job)
{
	Pb__DeliverResult message = PB__DELIVER_RESULT__INIT;
	Pb__Action action = PB__ACTION__INIT;
	const Pb__Action *actions[] = {&action};
	if (job->delivering || job->shop->now_ms() < job->deliver_again_ms)
		return;
	message.receipt = &job->receipt.message;
	action.act_case = PB__ACTION__ACT_DELIVER_RESULT;
	action.deliver_result = &message;
	log_event(job->shop->log, LOG_UNUSUAL,
		"job.deliver job=%s attempt=%u reason=\"no receipt on the chain in half of the "
		"time\"",
		job->rest_id, job->attempt);
	job->calls++;
	job->delivering = sender_submit(job->shop->sender, actions, 1, PB__MODE__ATOMIC,
				  on_delivered, job) == STATUS_OK;
	if (!job->delivering)
		job->calls--;
}

/* A resumed job has its work, and needs the terms for its receipt: the same bytes, the same
 * signature. */
static bool have_receipt(struct job *job)
{
	struct workshop *shop = job->shop;
	if (!job->has_receipt)
		job->has_receipt =
			job_receipt_build(&job->receipt, &job->terms, &job->entry.work,
				&shop->rules.chain_tag) &&
			job_receipt_sign(&job->receipt, &shop->secret, &shop->rules.chain_tag);
	return job->has_receipt;
}

static void watch_again(struct job *job, uint64_t due_ms)
{
	uint64_t now_ms = chain_job_time_ms(&job->shop->chain);
	uint32_t pause_ms = WATCH_FIRST_MS << (job->tries < 4 ? job->tries : 4);
	job->tries++;
	if (pause_ms > WATCH_MOST_MS)
		pause_ms = WATCH_MOST_MS;
	if (due_ms > now_ms && due_ms - now_ms < pause_ms)
		pause_ms = (uint32_t)(due_ms - now_ms) + 1;
	job_wait(job, pause_ms, watch);
}

bool job_is_ours(const struct job *job, const struct job_terms *terms)
{
	return terms->assigned && terms->attempt == job->attempt &&
	       memcmp(terms->miner.b, job->shop->rules.miner.b, sizeof terms->miner.b) == 0;
}

static void on_look(void *ctx, const struct chain_view *view)
{
	struct job *job = ctx;
	uint64_t due_ms = 0;
	if (!job_answered(job) || job->stage != JOB_CLAIMING)
		return;
	if (view->answer == CHAIN_NO_JOB) {
		lost(job, "the chain doesn't know this job");
		return;
	}
	if (view->answer == CHAIN_SILENT) {
		if (job->has_receipt)
			tell(job);
		watch_again(job, 0);
		return;
	}
	job->terms = view->terms;
	switch (job->terms.state) {
	case PB__JOB_STATE__ASSIGNED:
	case PB__JOB_STATE__DELIVERED:
		if (!job_is_ours(job, &job->terms) || !have_receipt(job)) {
			lost(job, "the attempt isn't ours any more");
			return;
		}
		tell(job);
		due_ms = deliver_at_ms(job->entry.completed_job_ms, job->terms.lease_end_ms,
			job->terms.deadline_ms);
		if (job->terms.state == PB__JOB_STATE__ASSIGNED &&
			chain_job_time_ms(&job->shop->chain) >= due_ms)
			deliver(job);
		watch_again(job, due_ms);
		return;
	case PB__JOB_STATE__OPEN: lost(job, "the coordinator took it back"); return;
	case PB__JOB_STATE__SETTLED:
	case PB__JOB_STATE__FAILED:
	case PB__JOB_STATE__CANCELLED:
	case PB__JOB_STATE__EXPIRED:
	case PB__JOB_STATE__REFUNDED: settled(job); return;
	case PB__JOB_STATE__JOB_NONE:
	case _PB__JOB_STATE_IS_INT_SIZE: break;
	}
	watch_again(job, 0);
}

static void watch(struct job *job)
{
	job->calls++;
	if (chain_look(&job->shop->chain, &job->client, job->job_id, on_look, job) == STATUS_OK)
		return;
	job->calls--;
	watch_again(job, 0);
}

void job_claim_start(struct job *job)
{
	job_enter(job, JOB_CLAIMING);
	if (job->has_receipt)
		tell(job);
	watch(job);
}
