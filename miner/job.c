#include "miner/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "miner/job_internal.h"

const char *job_stage_text(enum job_stage stage)
{
	switch (stage) {
	case JOB_CHECKING: return "checking";
	case JOB_FETCHING: return "fetching";
	case JOB_RUNNING: return "running";
	case JOB_UPLOADING: return "uploading";
	case JOB_CLAIMING: return "claiming";
	case JOB_RETURNING: return "returning";
	case JOB_ENDED: return "ended";
	}
	return "unknown";
}

static bool holds_slot(const struct job *job)
{
	return job->stage < JOB_CLAIMING;
}

void job_enter(struct job *job, enum job_stage stage)
{
	bool held = holds_slot(job);
	CHECK(job->stage != JOB_ENDED);
	job->stage = stage;
	job->tries = 0;
	log_event(job->shop->log, LOG_DEBUG, "job.stage job=%s attempt=%u stage=%s", job->rest_id,
		job->attempt, job_stage_text(stage));
	if (held && !holds_slot(job) && job->shop->changed != NULL)
		job->shop->changed(job->shop->changed_ctx);
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
	struct job *job = ctx;
	(void)fd, (void)what;
	if (job->stage != JOB_ENDED)
		job->on_timer(job);
}

void job_wait(struct job *job, uint32_t ms, void (*on_timer)(struct job *job))
{
	struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};
	job->on_timer = on_timer;
	if (event_add(job->timer, &tv) != 0)
		log_event(job->shop->log, LOG_BROKEN, "job.no_timer job=%s", job->rest_id);
}

static void destroy(struct job *job)
{
	struct workshop *shop = job->shop;
	if (job->previous != NULL)
		job->previous->next = job->next;
	else
		shop->jobs = job->next;
	if (job->next != NULL)
		job->next->previous = job->previous;
	shop->job_count--;
	event_free(job->timer);
	assignment_fini(&job->assignment);
	buf_fini(&job->members);
	buf_fini(&job->entry.result);
	free(job);
	if (shop->changed != NULL)
		shop->changed(shop->changed_ctx);
}

bool job_answered(struct job *job)
{
	CHECK(job->calls > 0);
	job->calls--;
	if (job->stage != JOB_ENDED)
		return true;
	if (job->calls == 0)
		destroy(job);
	return false;
}

void job_remove_directory(struct job *job)
{
	if (job->directory[0] == 0)
		return;
	if (workdir_remove(job->directory) != STATUS_OK)
		log_event(job->shop->log, LOG_UNUSUAL, "job.directory_stays job=%s path=%s",
			job->rest_id, job->directory);
	job->directory[0] = 0;
}

void job_end(struct job *job, bool keep_journal)
{
	if (!keep_journal)
		journal_remove(&job->shop->journal, &job->client, job->job_id, job->attempt);
	job_remove_directory(job);
	event_del(job->timer);
	job_enter(job, JOB_ENDED);
	if (job->calls == 0)
		destroy(job);
}

void job_reply(struct job *job, uint16_t status, const char *code, const char *message)
{
	struct http_reply reply;
	if (job->ticket.slot == 0 && job->ticket.generation == 0)
		return;
	http_reply_init(&reply);
	reply.status = status;
	reply.content_type = "application/json";
	if (status < 300) {
		buf_append_text(&reply.body, "{\"accepted\":true,\"job_id\":");
		json_put_text(&reply.body, job->rest_id);
		buf_append_text(&reply.body, "}");
	} else {
		buf_append_text(&reply.body, "{\"error\":{\"code\":");
		json_put_text(&reply.body, code);
		buf_append_text(&reply.body, ",\"message\":");
		json_put_text(&reply.body, message);
		buf_appendf(&reply.body, ",\"status\":%u}}", status);
	}
	(void)http_ticket_answer(job->shop->shell, job->ticket, &reply);
	http_reply_fini(&reply);
	job->ticket = (struct http_ticket){0, 0};
}

static struct job *find(const struct workshop *shop, const char *rest_id, uint32_t attempt)
{
	for (struct job *job = shop->jobs; job != NULL; job = job->next)
		if (job->attempt == attempt && job->stage != JOB_ENDED &&
			strcmp(job->rest_id, rest_id) == 0)
			return job;
	return NULL;
}

static struct job *job_new(struct workshop *shop, const struct account_address *client,
	const char *job_id, uint32_t attempt)
{
	struct job *job = calloc(1, sizeof *job);
	if (job == NULL)
		return NULL;
	job->shop = shop;
	job->timer = event_new(shop->loop, -1, 0, on_event, job);
	if (job->timer == NULL) {
		free(job);
		return NULL;
	}
	job->client = *client;
	snprintf(job->job_id, sizeof job->job_id, "%s", job_id);
	job->attempt = attempt;
	job_rest_id(job->rest_id, client, job_id);
	buf_init(&job->members, HTTP_BODY_BYTES_MAX);
	buf_init(&job->entry.result, HTTP_BODY_BYTES_MAX);
	job->next = shop->jobs;
	if (job->next != NULL)
		job->next->previous = job;
	shop->jobs = job;
	shop->job_count++;
	return job;
}

/* Why the assignment can't be taken as things are here; 0: it can. */
static uint16_t refuse_here(
	const struct workshop *shop, const struct assignment *a, char fault[160])
{
	if (shop->stopping) {
		snprintf(fault, 160, "this miner is stopping");
		return 503;
	}
	if (find(shop, a->rest_id, a->attempt) != NULL) {
		snprintf(fault, 160, "already accepted");
		return 202;
	}
	if (!backend_serves(&shop->backends, a->service)) {
		snprintf(fault, 160, "this miner doesn't offer %s", a->service);
		return 422;
	}
	if (job_slots_used(shop) >= shop->config->concurrency) {
		snprintf(fault, 160, "busy: all %u slots are taken",
			(unsigned)shop->config->concurrency);
		return 409;
	}
	return 0;
}

bool job_accept(struct workshop *shop, struct assignment *assignment, struct http_ticket ticket,
	uint16_t *refusal_status, char fault[160])
{
	struct job *job = NULL;
	*refusal_status = refuse_here(shop, assignment, fault);
	if (*refusal_status == 0) {
		job = job_new(shop, &assignment->client, assignment->job_id, assignment->attempt);
		*refusal_status = 503;
		snprintf(fault, 160, "out of memory");
	}
	if (job == NULL) {
		assignment_fini(assignment);
		return false;
	}
	job->assignment = *assignment;
	job->ticket = ticket;
	job_check_start(job);
	return true;
}

void job_resume(struct workshop *shop, const struct journal_entry *entry)
{
	struct job *job = job_new(shop, &entry->client, entry->job_id, entry->attempt);
	if (job == NULL) {
		log_event(shop->log, LOG_BROKEN, "job.not_resumed reason=\"no memory\"");
		return;
	}
	if (!entry->complete) {
		log_event(shop->log, LOG_INFO, "job.interrupted job=%s attempt=%u", job->rest_id,
			job->attempt);
		job_return(
			job, JOB_RELEASE, "interrupted", "the miner was stopped while the job ran");
		return;
	}
	buf_append_view(&job->entry.result, buf_view(&entry->result));
	struct buf result = job->entry.result;
	job->entry = *entry;
	job->entry.result = result;
	log_event(shop->log, LOG_INFO, "job.resumed job=%s attempt=%u", job->rest_id, job->attempt);
	job_claim_start(job);
}

struct job *job_next(const struct job *job)
{
	return job->next;
}

void job_stop(struct job *job)
{
	switch (job->stage) {
	case JOB_CHECKING:
		job_reply(job, 503, "stopping", "this miner is stopping");
		job_end(job, false);
		break;
	case JOB_FETCHING:
	case JOB_UPLOADING:
		job_return(job, JOB_RELEASE, "stopping", "the miner was stopped");
		break;
	case JOB_RUNNING:
		backend_cancel(
			job->run); /* its answer leads to the return, when all processes are gone */
		break;
	case JOB_CLAIMING:
	case JOB_RETURNING:
	case JOB_ENDED: break;
	}
}

size_t job_slots_used(const struct workshop *shop)
{
	size_t used = 0;
	for (const struct job *job = shop->jobs; job != NULL; job = job->next)
		used += holds_slot(job);
	return used;
}

size_t job_unfinished(const struct workshop *shop)
{
	size_t count = 0;
	for (const struct job *job = shop->jobs; job != NULL; job = job->next)
		count += holds_slot(job) || job->stage == JOB_RETURNING;
	return count;
}

void job_put_list(const struct workshop *shop, struct buf *out)
{
	const char *comma = "";
	buf_append_byte(out, '[');
	for (const struct job *job = shop->jobs; job != NULL; job = job->next) {
		if (job->stage > JOB_CLAIMING)
			continue;
		buf_appendf(out, "%s{\"job_id\":\"%s\",\"attempt\":%u}", comma, job->rest_id,
			job->attempt);
		comma = ",";
	}
	buf_append_byte(out, ']');
}

void job_put_details(const struct workshop *shop, struct buf *out)
{
	const char *comma = "";
	buf_append_byte(out, '[');
	for (const struct job *job = shop->jobs; job != NULL; job = job->next) {
		if (job->stage == JOB_ENDED)
			continue;
		buf_appendf(out,
			"%s{\"job_id\":\"%s\",\"attempt\":%u,\"stage\":\"%s\",\"service\":", comma,
			job->rest_id, job->attempt, job_stage_text(job->stage));
		json_put_text(out, job->terms.service);
		buf_append_text(out, ",\"told\":");
		json_put_bool(out, job->told);
		buf_append_byte(out, '}');
		comma = ",";
	}
	buf_append_byte(out, ']');
}

void job_free_all(struct workshop *shop)
{
	shop->changed = NULL;
	for (struct job *job = shop->jobs, *next; job != NULL; job = next) {
		next = job->next;
		job_remove_directory(job);
		destroy(job);
	}
}
