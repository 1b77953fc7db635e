/* Telling a miner about its job: by its long poll, or by a push to its own port. Only of what is
 * committed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/inside.h"

enum { OFFER_RETRY_MS = 500, OFFER_RETRY_MS_MAX = 15000, POLL_AGAIN_MS = 5000 };

struct offer {
	struct lifeline *line;
	uint8_t job[JOB_ID_RAW_BYTES];
	uint32_t attempt;
};

static void retry_later(struct coordinator *c, struct job *job)
{
	uint64_t wait = (uint64_t)OFFER_RETRY_MS << (job->offer_tries < 5 ? job->offer_tries : 5);

	job->offer_tries++;
	job->offer_at_ms =
		coordinator_now(c) + (wait < OFFER_RETRY_MS_MAX ? wait : OFFER_RETRY_MS_MAX);
	work_wake_at(c, job, job->offer_at_ms);
}

static void accepted(struct coordinator *c, struct job *job)
{
	work_heard_of(job);
	job->heard_ms = coordinator_now(c);
	job->reason[0] = 0;
	if (job->started_ms == 0)
		job->started_ms = job->heard_ms;
	if (jobs_move(&c->jobs, job, JOB_EV_ACCEPTED))
		work_wake(c, job);
}

static void on_pushed(void *ctx, const struct http_result *result)
{
	struct offer *offer = ctx;
	struct coordinator *c = lifeline_drop(offer->line);
	struct job *job = c ? jobs_find(&c->jobs, offer->job) : NULL;
	uint32_t attempt = offer->attempt;

	free(offer);
	if (!job)
		return;
	job->offering = false;
	if (job->terms.attempt != attempt || job->state != JOB_ASSIGNED)
		return;
	if (result->status == STATUS_OK && result->http_status >= 200 &&
		result->http_status < 300) {
		accepted(c, job);
		return;
	}
	if (result->status == STATUS_OK)
		work_reason(job, "%s answered %u: %.*s", job->miner_id, result->http_status,
			(int)(result->body.len < 120 ? result->body.len : 120),
			(const char *)result->body.data);
	else
		work_reason(job, "%s can't be reached: %.120s", job->miner_id, result->fault);
	log_event(c->config.log, LOG_UNUSUAL, "job_offer_refused job=%.64s reason=\"%s\"",
		job->terms.job_id, job->reason);
	retry_later(c, job);
}

static bool push(struct coordinator *c, struct job *job, const char *base, struct bytes body)
{
	static const struct http_header headers[] = {{"Content-Type", "application/json"}};
	char url[MINER_URL_BYTES_MAX + 32];
	struct http_call call = {.method = HTTP_POST,
		.url = url,
		.headers = headers,
		.header_count = 1,
		.body = body,
		.timeout_ms = c->config.timing.push_timeout_ms};
	struct offer *offer = malloc(sizeof *offer);

	if (!offer)
		return false;
	snprintf(url, sizeof url, "%s/v1/jobs/assign", base);
	memcpy(offer->job, job->id, JOB_ID_RAW_BYTES);
	offer->attempt = job->terms.attempt;
	offer->line = lifeline_hold(c);
	if (http_client_start(c->config.http, &call, on_pushed, offer) == STATUS_OK)
		return true;
	lifeline_drop(offer->line);
	free(offer);
	return false;
}

static void answer_poll(struct coordinator *c, struct miner *miner, struct buf *body)
{
	struct http_reply reply;

	http_reply_init(&reply);
	buf_append_view(&reply.body, buf_view(body));
	miner->polling = false;
	c->polls--;
	reply_answer(c, miner->poll, &reply);
	http_reply_fini(&reply);
}

void offer_job(struct coordinator *c, struct job *job)
{
	struct miner *miner = job->hand;
	struct buf payload, body;

	if (!miner || (!miner->polling && !miner->url[0]))
		return; /* its next poll, or its heartbeat, brings us here again */
	buf_init(&payload, JOB_PAYLOAD_BYTES_MAX);
	buf_init(&body, 0);
	if (job_payload(&c->jobs, job, &payload) == STATUS_OK)
		view_assignment(c, &body, job, buf_view(&payload));
	if (body.len == 0 || !buf_ok(&body)) {
		retry_later(c, job);
	} else if (miner->polling) {
		answer_poll(c, miner, &body);
		work_heard_of(job);
		job->heard_ms = coordinator_now(c);
		job->offer_at_ms = job->heard_ms + POLL_AGAIN_MS;
	} else if (push(c, job, miner->url, buf_view(&body))) {
		job->offering = true;
	} else {
		retry_later(c, job);
	}
	buf_fini(&body);
	buf_fini(&payload);
}

void offer_end_poll(struct coordinator *c, struct miner *miner)
{
	struct http_reply reply;

	if (!miner->polling)
		return;
	http_reply_init(&reply);
	reply.status = 204;
	miner->polling = false;
	c->polls--;
	reply_answer(c, miner->poll, &reply);
	http_reply_fini(&reply);
}
