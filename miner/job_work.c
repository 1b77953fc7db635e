/* The work itself: the input comes, the backend runs, the outputs go, the result is signed and
 * kept. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "miner/job_internal.h"

enum { FETCH_TRIES_MAX = 4, UPLOAD_TRIES_MAX = 6, TRANSFER_MS = 120 * 1000, SPARE_MS = 1000 };

static void fetch(struct job *job);
static void run(struct job *job);
static void upload(struct job *job);

/* ---- input ---- */

static void on_fetched(void *ctx, const struct link_answer *answer)
{
	struct job *job = ctx;
	char message[JOB_MESSAGE_BYTES];
	char path[WORKDIR_PATH_BYTES + 16];
	if (!job_answered(job) || job->stage != JOB_FETCHING)
		return;
	if (link_ok(answer)) {
		const struct backends *b = &job->shop->backends;
		snprintf(path, sizeof path, "%s/" TEMPLATE_INPUT_NAME, job->directory);
		if (b->drop_user && chown(path, b->uid, b->gid) != 0)
			job_return(job, JOB_RELEASE, "miner_disk",
				"the input can't be given to the program's user");
		else
			run(job);
		return;
	}
	snprintf(message, sizeof message, "the input can't be fetched: %.180s", answer->fault);
	if (link_refused(answer))
		job_return(job, JOB_FAIL, "bad_input", message);
	else if (++job->tries >= FETCH_TRIES_MAX)
		job_return(job, JOB_RELEASE, "input_unreachable", message);
	else
		job_wait(job, retry_pause_ms(job->tries), fetch);
}

static void fetch(struct job *job)
{
	const char *name = json_string_value(json_object_get(job->assignment.payload, "input"));
	char path[WORKDIR_PATH_BYTES + 16];
	uint8_t hash[32];
	if (name == NULL || strncmp(name, "artifact:", 9) != 0 ||
		!hex_decode(hash, sizeof hash, name + 9, strlen(name + 9))) {
		job_return(job, JOB_FAIL, "bad_input",
			"input must be \"artifact:\" and a SHA-256 in hex");
		return;
	}
	snprintf(path, sizeof path, "%s/" TEMPLATE_INPUT_NAME, job->directory);
	job->calls++;
	if (link_download(&job->shop->link, name + 9, path, TRANSFER_MS, on_fetched, job) ==
		STATUS_OK)
		return;
	job->calls--;
	job_return(job, JOB_RELEASE, "miner_disk", "the input can't be written");
}

/* ---- result ---- */

static uint64_t units_milli(const struct job *job, uint64_t elapsed_ms, uint64_t tokens)
{
	/* Seconds are counted from our own start, which lies after the assignment's block; so they
	 * can't pass what the chain allows [protocol 4]. */
	if (strcmp(job->terms.unit_type, "second") == 0)
		return elapsed_ms;
	if (strcmp(job->terms.unit_type, "token") == 0)
		return tokens < UINT64_MAX / 1000 ? tokens * 1000 : UINT64_MAX;
	return 1000;
}

static void put_result(struct buf *out, const struct job *job)
{
	buf_append_text(out, "{\"artifacts\":[");
	for (size_t i = 0; i < job->output_count; i++) {
		const struct job_output *o = &job->outputs[i];
		buf_append_text(out, i > 0 ? ",{\"name\":" : "{\"name\":");
		json_put_text(out, o->name);
		buf_append_text(out, ",\"sha256\":\"");
		buf_append_hex_lower(out, o->hash.b, sizeof o->hash.b);
		buf_append_text(out, "\",\"size\":");
		json_put_u64(out, o->size);
		buf_append_text(out, ",\"content_type\":");
		json_put_text(out, o->content_type);
		buf_append_byte(out, '}');
	}
	buf_append_byte(out, ']');
	if (job->members.len > 0) {
		buf_append_byte(out, ',');
		buf_append_view(out, buf_view(&job->members));
	}
	buf_append_byte(out, '}');
}

/* Durable before anybody hears of it: a result the coordinator knows and we forgot could not be
 * defended. */
static void complete(struct job *job)
{
	struct workshop *shop = job->shop;
	struct journal_entry *entry = &job->entry;
	buf_clear(&entry->result);
	put_result(&entry->result, job);
	if (!buf_ok(&entry->result) || entry->result.len > HTTP_BODY_BYTES_MAX - 4096) {
		job_return(job, JOB_FAIL, "result_too_large",
			"the result doesn't fit into one message");
		return;
	}
	entry->work.result_hash = sha256(buf_view(&entry->result));
	entry->complete = true;
	if (!job_receipt_build(&job->receipt, &job->terms, &entry->work, &shop->rules.chain_tag) ||
		!job_receipt_sign(&job->receipt, &shop->secret, &shop->rules.chain_tag)) {
		job_return(job, JOB_RELEASE, "miner_fault", "the receipt can't be signed");
		return;
	}
	job->has_receipt = true;
	if (journal_write(&shop->journal, entry) != STATUS_OK)
		log_event(shop->log, LOG_BROKEN,
			"job.not_kept job=%s: the disk refuses; a crash now loses the pay",
			job->rest_id);
	log_event(shop->log, LOG_INFO, "job.complete job=%s attempt=%u compute_ms=%llu amount=%llu",
		job->rest_id, job->attempt, (unsigned long long)job->entry.compute_ms,
		(unsigned long long)job->receipt.message.amount);
	job_remove_directory(job);
	job_claim_start(job);
}

/* ---- outputs ---- */

static void on_uploaded(void *ctx, const struct link_answer *answer)
{
	struct job *job = ctx;
	char message[JOB_MESSAGE_BYTES];
	if (!job_answered(job) || job->stage != JOB_UPLOADING)
		return;
	if (link_ok(answer)) {
		job->uploaded++;
		job->tries = 0;
		upload(job);
		return;
	}
	snprintf(message, sizeof message, "an output can't be uploaded: %.180s", answer->fault);
	if (link_refused(answer) || ++job->tries >= UPLOAD_TRIES_MAX)
		job_return(job, JOB_RELEASE, "upload_failed", message);
	else
		job_wait(job, retry_pause_ms(job->tries), upload);
}

static void upload(struct job *job)
{
	char path[WORKDIR_PATH_BYTES + TEMPLATE_NAME_BYTES_MAX + 2];
	if (job->uploaded == job->output_count) {
		complete(job);
		return;
	}
	snprintf(path, sizeof path, "%s/%s", job->directory, job->outputs[job->uploaded].name);
	job->calls++;
	if (link_upload(&job->shop->link, path, TRANSFER_MS, on_uploaded, job) == STATUS_OK)
		return;
	job->calls--;
	job_return(job, JOB_RELEASE, "upload_failed", "an output can't be read back");
}

/* False: an output is missing or unusable; message says which. */
static bool take_outputs(
	struct job *job, const struct command *command, char message[JOB_MESSAGE_BYTES])
{
	char path[WORKDIR_PATH_BYTES + TEMPLATE_NAME_BYTES_MAX + 2];
	for (size_t i = 0; command != NULL && i < command->output_count; i++) {
		struct job_output *o = &job->outputs[i];
		snprintf(o->name, sizeof o->name, "%s", command->outputs[i]);
		snprintf(o->content_type, sizeof o->content_type, "%s", command->content_types[i]);
		snprintf(path, sizeof path, "%s/%s", job->directory, o->name);
		if (workdir_file(job->directory, &o->size, o->name) != STATUS_OK ||
			o->size > ARTIFACT_BYTES_MAX ||
			link_hash_file(&o->hash, path) != STATUS_OK) {
			snprintf(message, JOB_MESSAGE_BYTES,
				"the program left no usable %s (none, no plain file, or over 256 "
				"MiB)",
				o->name);
			return false;
		}
		job->output_count++;
	}
	return true;
}

static void on_run(void *ctx, const struct backend_result *result)
{
	struct job *job = ctx;
	struct workshop *shop = job->shop;
	char message[JOB_MESSAGE_BYTES];
	job->run = NULL;
	if (!job_answered(job) || job->stage != JOB_RUNNING)
		return;
	if (job->abandoned) {
		job_end(job, false);
		return;
	}
	if (shop->stopping && !result->ok) {
		job_return(job, JOB_RELEASE, "stopping", "the miner was stopped");
		return;
	}
	if (!result->ok) {
		snprintf(message, sizeof message, "%.255s", result->message);
		job_return(job, JOB_FAIL, result->error_code, message);
		return;
	}
	job->entry.compute_ms = result->elapsed_ms;
	job->entry.tokens = result->tokens;
	job->entry.work.units_milli = units_milli(job, result->elapsed_ms, result->tokens);
	job->entry.work.completed_ms = shop->wall_ms();
	if (job->entry.work.completed_ms < job->entry.work.started_ms) /* the clock was set back */
		job->entry.work.completed_ms = job->entry.work.started_ms;
	job->entry.completed_job_ms = chain_job_time_ms(&shop->chain);
	buf_append_view(&job->members, result->members);
	if (!take_outputs(job, result->command, message)) {
		job_return(job, JOB_FAIL, "no_output", message);
		return;
	}
	job_enter(job, JOB_UPLOADING);
	upload(job);
}

/* ---- running ---- */

static void on_status(void *ctx, const struct link_answer *answer)
{
	struct job *job = ctx;
	if (!job_answered(job))
		return;
	if (!link_ok(answer))
		log_event(job->shop->log, LOG_DEBUG, "job.status_unheard job=%s reason=\"%s\"",
			job->rest_id, answer->fault);
}

/* A courtesy: clients see that it runs. Lost, nothing is lost. */
static void tell_running(struct job *job)
{
	char path[JOB_REST_ID_BYTES + 32], moment[RFC3339_BYTES];
	struct buf body;
	rfc3339_text(moment, timestamp_of_ms((int64_t)job->entry.work.started_ms));
	snprintf(path, sizeof path, "/v1/jobs/%s/status", job->rest_id);
	buf_init(&body, 0);
	buf_appendf(&body,
		"{\"job_id\":\"%s\",\"attempt\":%u,\"status\":\"running\",\"started_at\":\"%s\"}",
		job->rest_id, job->attempt, moment);
	job->calls++;
	if (!buf_ok(&body) || link_post(&job->shop->link, path, buf_view(&body), LINK_ASK_MS,
				      on_status, job) != STATUS_OK)
		job->calls--;
	buf_fini(&body);
}

static void run(struct job *job)
{
	struct workshop *shop = job->shop;
	uint64_t now_ms = chain_job_time_ms(&shop->chain);
	uint64_t left_ms = job->terms.deadline_ms > now_ms ? job->terms.deadline_ms - now_ms : 0;
	if (left_ms <= DELIVER_RESERVE_MS + SPARE_MS) {
		job_return(job, JOB_RELEASE, "too_late", "the job's deadline is too near");
		return;
	}
	job_enter(job, JOB_RUNNING);
	job->entry.work.started_ms = shop->wall_ms();
	tell_running(job);
	job->calls++;
	if (backend_start(&shop->backends, &job->run, job->terms.service, job->assignment.payload,
		    job->directory, left_ms - DELIVER_RESERVE_MS, on_run, job) == STATUS_OK)
		return;
	job->calls--;
	job->run = NULL;
	job_return(job, JOB_RELEASE, "miner_fault", "the miner can't start the work");
}

void job_work_start(struct job *job)
{
	if (!backend_needs_input(&job->shop->backends, job->terms.service)) {
		run(job);
		return;
	}
	job_enter(job, JOB_FETCHING);
	fetch(job);
}
