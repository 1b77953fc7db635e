/* What a client asks about its jobs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "base/json.h"
#include "coordinator/inside.h"
#include "coordinator/managed.h"

enum http_answer route_job_get(struct route_call *call)
{
	struct job job;

	if (route_job(call, &job))
		view_job(call->c, &call->reply->body, &job, true);
	return HTTP_DONE;
}

enum http_answer route_job_result(struct route_call *call)
{
	struct job job;
	struct buf *out = &call->reply->body;

	if (!route_job(call, &job))
		return HTTP_DONE;
	if (!job_ended((enum job_state)job.state)) {
		reply_error(call->reply, 425, "TOO_EARLY", NULL,
			"the receipt isn't on the chain yet; the job is %s",
			job_state_text((enum job_state)job.state));
		return HTTP_DONE;
	}
	if (job.state != JOB_COMPLETED) {
		reply_error(call->reply, 409, "NO_RESULT", NULL, "the job is %s: %s",
			job_rest_status((enum job_state)job.state), job.reason);
		return HTTP_DONE;
	}
	buf_append_text(out, "{\"result\":");
	if (hash_is_zero(&job.result_hash) || job_result(&call->c->jobs, &job, out) != STATUS_OK)
		buf_append_text(out, "null");
	buf_append_text(out, ",\"receipt\":");
	view_receipt(out, &job);
	buf_append_byte(out, '}');
	return HTTP_DONE;
}

enum http_answer route_job_receipt(struct route_call *call)
{
	struct job job;

	if (!route_job(call, &job))
		return HTTP_DONE;
	if (job.state != JOB_COMPLETED)
		reply_error(call->reply, 404, "NO_RECEIPT", NULL, "no receipt yet: the job is %s",
			job_state_text((enum job_state)job.state));
	else
		view_receipt(&call->reply->body, &job);
	return HTTP_DONE;
}

enum http_answer route_job_receipts(struct route_call *call)
{
	struct job job;

	if (!route_job(call, &job))
		return HTTP_DONE;
	buf_append_text(&call->reply->body, "{\"items\":[");
	if (job.state == JOB_COMPLETED)
		view_receipt(&call->reply->body, &job);
	buf_append_text(&call->reply->body, "]}");
	return HTTP_DONE;
}

/* ---- listings ---- */

struct listing {
	struct coordinator *c;
	struct buf *out;
	uint64_t skip;
	uint64_t limit;
	uint64_t count;
	bool more;
	bool receipts; /* settled jobs only, as receipts */
	char status[16];
};

static bool list_one(void *ctx, const struct job *job)
{
	struct listing *listing = ctx;

	if (listing->receipts && job->state != JOB_COMPLETED)
		return true;
	if (listing->status[0] &&
		strcasecmp(listing->status, job_rest_status((enum job_state)job->state)) != 0 &&
		strcasecmp(listing->status, job_rest_state((enum job_state)job->state)) != 0)
		return true;
	if (listing->skip > 0) {
		listing->skip--;
		return true;
	}
	if (listing->count == listing->limit) {
		listing->more = true;
		return false;
	}
	buf_append_text(listing->out, listing->count++ ? "," : "");
	if (listing->receipts)
		view_receipt(listing->out, job);
	else
		view_job(listing->c, listing->out, job, false);
	return true;
}

static enum http_answer list(struct route_call *call, const char *owner, bool receipts)
{
	const char *query = call->request->query;
	struct listing listing = {.c = call->c, .out = &call->reply->body, .receipts = receipts};
	uint64_t offset = query_number(query, "offset", 0, JOB_LIST_OFFSET_MAX);
	struct buf status;
	enum status read;

	listing.skip = offset;
	listing.limit = query_number(query, "limit", 20, JOB_LIST_MAX);
	buf_init(&status, 64);
	if (http_query_param(&status, query, "status") && buf_ok(&status))
		snprintf(listing.status, sizeof listing.status, "%s", buf_text(&status));
	buf_fini(&status);
	buf_append_text(listing.out, "{\"items\":[");
	read = job_list(&call->c->jobs, owner, list_one, &listing);
	if (read != STATUS_OK) {
		reply_error(call->reply, 500, "INTERNAL_ERROR", NULL, "the list can't be read: %s",
			status_text(read));
		return HTTP_DONE;
	}
	buf_appendf(listing.out, "],\"total\":%llu,\"limit\":%llu,\"offset\":%llu,\"next_offset\":",
		(unsigned long long)listing.count, (unsigned long long)listing.limit,
		(unsigned long long)offset);
	if (listing.more)
		json_put_u64(listing.out, offset + listing.count);
	else
		buf_append_text(listing.out, "null");
	buf_append_byte(listing.out, '}');
	return HTTP_DONE;
}

static const char *owner_of(const struct route_call *call)
{
	return call->key->role == API_ADMIN ? "" : call->key->id;
}

enum http_answer route_job_list(struct route_call *call)
{
	return list(call, owner_of(call), false);
}

enum http_answer route_admin_jobs(struct route_call *call)
{
	return list(call, "", false);
}

enum http_answer route_receipts(struct route_call *call)
{
	return list(call, owner_of(call), true);
}

/* ---- cancel ---- */

struct cancel {
	struct lifeline *line;
	struct http_ticket ticket;
	uint8_t job[JOB_ID_RAW_BYTES];
};

static uint32_t first_code(const json_t *result, const char **log)
{
	static const char *const parts[] = {"check_tx", "tx_result"};

	for (size_t i = 0; i < 2; i++) {
		const json_t *part = json_object_get(result, parts[i]);
		uint32_t code = (uint32_t)json_integer_value(json_object_get(part, "code"));

		*log = json_string_value(json_object_get(part, "log"));
		if (code != 0)
			return code;
	}
	return 0;
}

static void on_cancelled(void *ctx, const struct rpc_outcome *outcome)
{
	struct cancel *cancel = ctx;
	struct coordinator *c = lifeline_drop(cancel->line);
	struct job *live = c ? jobs_find(&c->jobs, cancel->job) : NULL;
	struct http_reply reply;
	struct job job;
	const char *log = NULL;
	uint32_t code;

	if (!c) {
		free(cancel);
		return;
	}
	http_reply_init(&reply);
	code = outcome->status == STATUS_OK ? first_code(outcome->result, &log) : 0;
	if (outcome->status != STATUS_OK) {
		reply_error(&reply, 504, "CHAIN_SILENT", NULL,
			"the chain hasn't answered: %.200s; ask for the job again", outcome->fault);
	} else if (code != 0) {
		reply_settle(&reply, code, log);
	} else {
		if (live && !job_ended((enum job_state)live->state)) {
			work_reason(live, "cancelled by its client");
			if (jobs_move(&c->jobs, live, JOB_EV_CHAIN_CANCELLED))
				work_enter(c, live);
		}
		if (job_read(&c->jobs, &job, cancel->job) == STATUS_OK)
			view_job(c, &reply.body, &job, false);
	}
	reply_answer(c, cancel->ticket, &reply);
	http_reply_fini(&reply);
	free(cancel);
}

/* Exactly one cancel_job, of this job, by its client. */
static bool is_cancel_of(const struct coordinator *c, struct bytes raw, const struct job *job)
{
	enum status local = STATUS_OK;
	struct arena arena;
	char fault[64];
	struct tx tx;
	bool is;

	arena_init(&arena, TX_ARENA_BYTES_MAX);
	is = tx_decode(&tx, &arena, raw, &local, fault) == SETTLE_OK && tx.body->n_actions == 1 &&
	     tx.body->actions[0]->act_case == PB__ACTION__ACT_CANCEL_JOB &&
	     strcmp(tx.body->actions[0]->cancel_job->job_id, job->terms.job_id) == 0 &&
	     account_address_equal(&tx.sender, &job->terms.client) &&
	     tx_verify(&tx, &c->config.chain_tag);
	arena_fini(&arena);
	return is;
}

static enum http_answer cancel_send(
	struct route_call *call, const struct job *job, struct bytes raw)
{
	struct cancel *cancel = malloc(sizeof *cancel);

	if (cancel) {
		memcpy(cancel->job, job->id, JOB_ID_RAW_BYTES);
		cancel->ticket = call->ticket;
		cancel->line = lifeline_hold(call->c);
		if (rpc_call(call->c->config.rpc, "broadcast_tx_commit", rpc_params_tx(raw),
			    RPC_COMMIT_WAIT_MS + 5000, on_cancelled, cancel) == STATUS_OK)
			return HTTP_WAIT;
		lifeline_drop(cancel->line);
		free(cancel);
	}
	reply_error(call->reply, 503, "BUSY", NULL, "the chain can't be asked now");
	return HTTP_DONE;
}

enum http_answer route_job_cancel(struct route_call *call)
{
	enum http_answer answer = HTTP_DONE;
	struct job job;
	const json_t *tx;
	struct buf raw;
	json_t *body;

	if (!route_job(call, &job))
		return HTTP_DONE;
	if (job_ended((enum job_state)job.state)) {
		reply_error(call->reply, 409, "job_ended", NULL, "the job is %s already",
			job_rest_status((enum job_state)job.state));
		return HTTP_DONE;
	}
	if (job.managed)
		return managed_cancel(call, &job);
	body = route_body(call);
	if (!body)
		return HTTP_DONE;
	tx = json_object_get(body, "tx");
	buf_init(&raw, TX_BYTES_MAX);
	if (!json_is_string(tx) ||
		!base64_decode(&raw, json_string_value(tx), json_string_length(tx)) ||
		!buf_ok(&raw) || !is_cancel_of(call->c, buf_view(&raw), &job))
		reply_error(call->reply, 400, "VALIDATION_ERROR", "tx",
			"must be a transaction in base64 with one cancel_job of this job, signed "
			"by "
			"its client");
	else
		answer = cancel_send(call, &job, buf_view(&raw));
	buf_fini(&raw);
	json_decref(body);
	return answer;
}
