/* Failed for good, or given back: the coordinator gets the miner's signature for it, so that nobody
 * has to wait for the lease to lapse [protocol 3]. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "miner/job_internal.h"

/* Some four minutes of trying; afterwards a lease lapses by itself. */
enum { RETURN_TRIES_MAX = 20 };

static void tell(struct job *job);

static void on_told(void *ctx, const struct link_answer *answer)
{
	struct job *job = ctx;
	struct workshop *shop = job->shop;
	if (!job_answered(job))
		return;
	if (link_ok(answer) || link_refused(answer)) {
		if (link_refused(answer))
			log_event(shop->log, LOG_UNUSUAL,
				"job.return_refused job=%s attempt=%u status=%u reason=\"%s\"",
				job->rest_id, job->attempt, answer->http_status, answer->fault);
		job_end(job, false);
	} else if (++job->tries >= RETURN_TRIES_MAX) {
		log_event(shop->log, LOG_UNUSUAL, "job.return_unheard job=%s attempt=%u",
			job->rest_id, job->attempt);
		job_end(job, true); /* the next start tries again */
	} else {
		job_wait(job, retry_pause_ms(job->tries), tell);
	}
}

static void put_body(
	struct buf *out, const struct job *job, const struct account_signature *signature)
{
	buf_append_text(out, "{\"job_id\":");
	json_put_text(out, job->rest_id);
	buf_appendf(out, ",\"attempt\":%u,\"error_code\":", job->attempt);
	json_put_text(out, job->error_code);
	buf_append_text(out, ",\"error_message\":");
	json_put_text(out, job->message);
	buf_appendf(out, ",\"release\":{\"act\":%d,\"signature\":\"", (int)job->act);
	buf_append_hex_lower(out, signature->b, sizeof signature->b);
	buf_append_text(out, "\"}}");
}

static void tell(struct job *job)
{
	struct workshop *shop = job->shop;
	struct account_signature signature;
	struct job_key key = job_key_of(&job->client, bytes_of_text(job->job_id));
	struct buf body;
	char path[JOB_REST_ID_BYTES + 32];
	enum status status = STATUS_NO_MEMORY;
	buf_init(&body, 0);
	snprintf(path, sizeof path, "/v1/jobs/%s/fail", job->rest_id);
	if (job_release_sign(&signature, &key, job->attempt, job->act, &shop->secret,
		    &shop->rules.chain_tag))
		put_body(&body, job, &signature);
	job->calls++;
	if (buf_ok(&body) && body.len > 0)
		status = link_post(&shop->link, path, buf_view(&body), LINK_ASK_MS, on_told, job);
	buf_fini(&body);
	if (status == STATUS_OK)
		return;
	job->calls--;
	job->tries++;
	job_wait(job, retry_pause_ms(job->tries), tell);
}

void job_return(
	struct job *job, enum job_release_act act, const char *error_code, const char *message)
{
	struct workshop *shop = job->shop;
	job->act = act;
	snprintf(job->error_code, sizeof job->error_code, "%s", error_code);
	snprintf(job->message, sizeof job->message, "%s", message);
	if (act == JOB_FAIL)
		shop->failed_count++;
	else
		shop->returned_count++;
	log_event(shop->log, act == JOB_FAIL ? LOG_UNUSUAL : LOG_INFO,
		"job.%s job=%s attempt=%u code=%s reason=\"%s\"",
		act == JOB_FAIL ? "failed" : "given_back", job->rest_id, job->attempt, error_code,
		message);
	job_remove_directory(job);
	job_enter(job, JOB_RETURNING);
	tell(job);
}
