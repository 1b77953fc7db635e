/* POST /v1/jobs: a job is taken, made durable, and only then sent to the chain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "coordinator/inside.h"
#include "coordinator/managed.h"
#include "wallet/fields.h"

enum {
	BROADCAST_TIMEOUT_MS = 8000,
	BROADCAST_RETRY_MS = 2000,
	REBROADCAST_MS = 10000,
	/* An admitted submission whose block says nothing of it may have failed in it. */
	BLOCK_WAIT_MS = 300
};

/* ---- to the chain ---- */

struct broadcast {
	struct lifeline *line;
	uint8_t job[JOB_ID_RAW_BYTES];
};

void submit_admitted(struct coordinator *c, struct job *job, bool admitted)
{
	if (job->admitted == admitted)
		return;
	job->admitted = admitted;
	if (!admitted) {
		c->awaited--;
		return;
	}
	c->awaited++;
	job->inquiries = 0;
	work_wake_at(c, job, coordinator_now(c) + BLOCK_WAIT_MS);
	watch_soon(c);
}

void submit_told(
	struct coordinator *c, struct job *job, uint32_t code, const char *log, int64_t height)
{
	submit_admitted(c, job, false);
	if (code != 0) {
		/* Refused, or there already from an earlier try: the chain knows. */
		job->refused_code = code;
		work_reason(job, "%s%s%.180s", settle_code_name(code), log[0] ? ": " : "", log);
		follow_look(c, job);
		return;
	}
	job->submit.height = job->terms.submit_height = height;
	job->queued_ms = job->looked_ms = coordinator_now(c);
	job->reason[0] = 0;
	free(job->raw_tx);
	job->raw_tx = NULL;
	job_forget_tx(&c->jobs, job);
	c->jobs_submitted++;
	CHECK(jobs_move(&c->jobs, job, JOB_EV_CHAIN_OPEN));
	work_enter(c, job);
}

/* The live, still submitting job of a call that has come back, or NULL. */
static struct job *come_back(struct broadcast *broadcast, struct coordinator **c)
{
	struct job *job;

	*c = lifeline_drop(broadcast->line);
	job = *c ? jobs_find(&(*c)->jobs, broadcast->job) : NULL;
	free(broadcast);
	if (!job)
		return NULL;
	job->broadcasting = false;
	return job->state == JOB_SUBMITTING ? job : NULL;
}

static void on_broadcast(void *ctx, const struct rpc_outcome *outcome)
{
	struct coordinator *c;
	struct job *job = come_back(ctx, &c);
	uint32_t code;

	if (!job)
		return;
	code = (uint32_t)json_integer_value(json_object_get(outcome->result, "code"));
	if (outcome->status == STATUS_OK && code != 0) {
		submit_told(c, job, code, field_text(outcome->result, "log"), 0);
	} else if (outcome->status == STATUS_OK ||
		   (outcome->status == STATUS_REFUSED &&
			   strstr(outcome->fault, "already exists in cache"))) {
		work_reason(job, "waits for its block");
		submit_admitted(c, job, true);
	} else {
		log_event(c->config.log, LOG_UNUSUAL,
			"job_broadcast_unanswered job=%.64s fault=\"%.150s\"", job->terms.job_id,
			outcome->fault);
		work_reason(job, "the chain hasn't taken its submission: %.150s", outcome->fault);
		work_wake_at(c, job, coordinator_now(c) + BROADCAST_RETRY_MS);
	}
}

static struct broadcast *broadcast_new(struct coordinator *c, const struct job *job)
{
	struct broadcast *broadcast = malloc(sizeof *broadcast);

	if (!broadcast)
		return NULL;
	memcpy(broadcast->job, job->id, JOB_ID_RAW_BYTES);
	broadcast->line = lifeline_hold(c);
	return broadcast;
}

static void broadcast_drop(struct broadcast *broadcast)
{
	lifeline_drop(broadcast->line);
	free(broadcast);
}

/* The transaction is in a block, failed, or still nowhere. */
static void on_inquired(void *ctx, const struct rpc_outcome *outcome)
{
	const json_t *result = json_object_get(outcome->result, "tx_result");
	struct coordinator *c;
	struct job *job = come_back(ctx, &c);
	uint32_t code;

	if (!job)
		return;
	if (outcome->status == STATUS_OK) {
		code = (uint32_t)json_integer_value(json_object_get(result, "code"));
		if (code != 0)
			submit_told(c, job, code, field_text(result, "log"), 0);
		else
			follow_look(c, job);
		return;
	}
	/* Ever less often: it may stand behind a gap for a minute. */
	work_wake_at(c, job,
		coordinator_now(c) +
			((uint64_t)BLOCK_WAIT_MS << (job->inquiries < 4 ? job->inquiries : 4)));
	job->inquiries++;
	/* Its mempool may have dropped it since. */
	if (coordinator_now(c) >= job->broadcast_ms + REBROADCAST_MS)
		submit_broadcast(c, job);
}

void submit_inquire(struct coordinator *c, struct job *job)
{
	struct broadcast *broadcast = broadcast_new(c, job);

	work_wake_at(c, job, coordinator_now(c) + BROADCAST_TIMEOUT_MS);
	if (!broadcast)
		return;
	if (rpc_call(c->config.rpc, "tx", rpc_params_hash(&job->submit.hash), BROADCAST_TIMEOUT_MS,
		    on_inquired, broadcast) == STATUS_OK)
		job->broadcasting = true;
	else
		broadcast_drop(broadcast);
}

/* After a restart the transaction is only on disk. */
static bool have_raw_tx(struct coordinator *c, struct job *job)
{
	struct buf raw;

	if (job->raw_tx)
		return true;
	buf_init(&raw, TX_BYTES_MAX);
	if (job_raw_tx(&c->jobs, job, &raw) != STATUS_OK) {
		buf_fini(&raw);
		return false;
	}
	job->raw_tx = raw.data;
	job->raw_tx_len = raw.len;
	return true;
}

/* broadcast_tx_sync: who waits for a block on the connection blocks the very transaction that would
 * fill the gap before it. */
void submit_broadcast(struct coordinator *c, struct job *job)
{
	struct broadcast *broadcast;

	if (job->managed) {
		managed_broadcast(c, job);
		return;
	}
	work_wake_at(c, job, coordinator_now(c) + BROADCAST_TIMEOUT_MS + BROADCAST_RETRY_MS);
	job->broadcast_ms = coordinator_now(c);
	broadcast = have_raw_tx(c, job) ? broadcast_new(c, job) : NULL;
	if (!broadcast)
		return;
	if (rpc_call(c->config.rpc, "broadcast_tx_sync",
		    rpc_params_tx(bytes_view(job->raw_tx, job->raw_tx_len)), BROADCAST_TIMEOUT_MS,
		    on_broadcast, broadcast) == STATUS_OK)
		job->broadcasting = true;
	else
		broadcast_drop(broadcast);
}

/* ---- from the client ---- */

static bool refuse(struct route_call *call, const char *field, const char *message)
{
	reply_error(call->reply, 400, "VALIDATION_ERROR", field, "%s", message);
	return false;
}

/* The payload of the request: its value, its exact bytes, its service. */
bool submit_check_payload(struct route_call *call, const json_t *payload, struct bytes raw,
	const struct service **service)
{
	const json_t *type = json_object_get(payload, "type");
	struct service_fault fault;

	if (!json_is_object(payload))
		return refuse(call, "payload", "must be an object");
	if (raw.len > JOB_PAYLOAD_BYTES_MAX)
		return refuse(call, "payload", "is too large (262144 bytes at most)");
	if (!json_is_string(type))
		return refuse(call, "type", "is missing: the name of a service");
	*service = service_by_name(json_string_value(type), json_string_length(type));
	if (!*service || call->c->prices[service_index(*service)].closed)
		return refuse(
			call, "type", "is no service offered here; see /v1/registry/services");
	if (!service_check_payload(*service, payload, &fault))
		return refuse(call, fault.field, fault.message);
	return true;
}

/* What the client offers against what we publish. */
static bool check_offer(
	struct route_call *call, const Pb__SubmitJob *submit, const struct service *service)
{
	const struct coordinator *c = call->c;
	const struct service_price *price = &c->prices[service_index(service)];

	if (submit->coordinator.len != sizeof c->owner.b ||
		memcmp(submit->coordinator.data, c->owner.b, sizeof c->owner.b) != 0)
		return refuse(call, "tx", "submit_job names another coordinator");
	if (strcmp(submit->service, service->name) != 0)
		return refuse(call, "tx", "submit_job's service is not that of the payload");
	if (strcmp(submit->unit_type, service->unit_type) != 0)
		return refuse(call, "tx", "submit_job's unit_type is not the service's");
	if (submit->unit_price < price->unit_price)
		return refuse(call, "tx", "submit_job's unit_price is under the published price");
	if (submit->reward < submit->unit_price || submit->max_units_milli < 1000)
		return refuse(call, "tx", "submit_job doesn't pay for one whole unit");
	return true;
}

static void take_offer(struct job *job, const Pb__SubmitJob *submit, const struct tx *tx)
{
	job->terms.client = tx->sender;
	snprintf(job->terms.job_id, sizeof job->terms.job_id, "%s", submit->job_id);
	memcpy(job->terms.coordinator.b, submit->coordinator.data, sizeof job->terms.coordinator.b);
	job->terms.coordinator_ppm = submit->coordinator_ppm;
	snprintf(job->terms.service, sizeof job->terms.service, "%s", submit->service);
	memcpy(job->terms.payload_hash.b, submit->payload_hash.data,
		sizeof job->terms.payload_hash.b);
	job->terms.reward = submit->reward;
	snprintf(job->terms.unit_type, sizeof job->terms.unit_type, "%s", submit->unit_type);
	job->terms.unit_price = submit->unit_price;
	job->terms.max_units_milli = submit->max_units_milli;
	job->terms.max_attempts = submit->max_attempts;
	job->terms.on_silence = submit->on_silence;
	job->ttl_ms = submit->ttl_ms;
	job->submit_valid_until_ms = tx->body->valid_until_ms;
}

static void wait_for(struct route_call *call, struct job *job)
{
	if (job->waiter_count < JOB_WAITERS_MAX)
		job->waiters[job->waiter_count++] = call->ticket;
	else /* the oldest asks again by GET */
		job->waiters[0] = call->ticket;
}

/* The same id once more: the same job is answered as it stands, another is refused. */
static enum http_answer submit_again(
	struct route_call *call, const struct job *found, const struct hash32 *payload_hash)
{
	struct job *live = jobs_find(&call->c->jobs, found->id);

	if (!hash_equal(&found->terms.payload_hash, payload_hash) ||
		strcmp(found->owner, call->key->id) != 0) {
		reply_error(call->reply, 409, "job_exists", NULL,
			"this account has another job of that id");
		return HTTP_DONE;
	}
	if (live && live->state == JOB_SUBMITTING) {
		wait_for(call, live);
		return HTTP_WAIT;
	}
	call->reply->status = 200;
	view_submitted(call->c, &call->reply->body, found);
	return HTTP_DONE;
}

/* Stores the job and sends it on its way. raw_tx empty: a managed account signs when its turn
 * comes. */
static enum http_answer submit_new(
	struct route_call *call, struct job *draft, struct bytes payload, struct bytes raw_tx)
{
	struct coordinator *c = call->c;
	struct job *job = job_add(&c->jobs, draft->id);

	if (job && raw_tx.len > 0) {
		draft->raw_tx = malloc(raw_tx.len);
		if (!draft->raw_tx) {
			job_drop(&c->jobs, job);
			job = NULL;
		}
	}
	if (!job) {
		reply_error(call->reply, 503, "BUSY", NULL, "too many jobs under way");
		return HTTP_DONE;
	}
	if (raw_tx.len > 0) {
		memcpy(draft->raw_tx, raw_tx.data, raw_tx.len);
		draft->raw_tx_len = raw_tx.len;
		draft->submit.hash = sha256(raw_tx);
	}
	draft->next_in_bucket = job->next_in_bucket;
	*job = *draft;
	job->state = JOB_SUBMITTING;
	snprintf(job->owner, sizeof job->owner, "%s", call->key->id);
	job->submitted_ms = coordinator_now(c);
	job->expires_ms = job->submitted_ms + job->ttl_ms;
	job_save_new(&c->jobs, job, payload, raw_tx);
	work_after_write(c, DEED_BROADCAST, job);
	work_wake_at(c, job, job->submitted_ms + BROADCAST_TIMEOUT_MS);
	wait_for(call, job);
	return HTTP_WAIT;
}

enum http_answer submit_draft(
	struct route_call *call, struct job *draft, struct bytes payload, struct bytes raw_tx)
{
	struct coordinator *c = call->c;
	char text[JOB_REST_ID_BYTES];
	struct job found;
	enum status status;

	job_rest_id(text, &draft->terms.client, draft->terms.job_id);
	CHECK(job_id_parse(draft->id, text, strlen(text)));
	status = job_read(&c->jobs, &found, draft->id);
	if (status == STATUS_OK && found.state != JOB_REFUSED)
		return submit_again(call, &found, &draft->terms.payload_hash);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
		reply_error(call->reply, 500, "INTERNAL_ERROR", NULL, "%s", status_text(status));
		return HTTP_DONE;
	}
	if (jobs_find(&c->jobs, draft->id)) { /* refused a moment ago; its row is being written */
		reply_error(call->reply, 409, "BUSY", NULL, "try again in a moment");
		return HTTP_DONE;
	}
	if (status == STATUS_OK)
		job_unlist(&c->jobs, &found);
	return submit_new(call, draft, payload, raw_tx);
}

/* The one submit_job in a signed transaction; NULL after answering what is wrong with it. */
static const Pb__SubmitJob *read_tx(
	struct route_call *call, struct tx *tx, struct arena *arena, struct bytes raw_tx)
{
	enum status local = STATUS_OK;
	char fault[64] = "";
	enum settle_code code = tx_decode(tx, arena, raw_tx, &local, fault);

	if (local != STATUS_OK) {
		reply_error(call->reply, 503, "BUSY", NULL, "no memory");
	} else if (code != SETTLE_OK) {
		reply_error(call->reply, 400, settle_code_name(code), "tx", "can't be read: %s %s",
			settle_code_name(code), fault);
	} else if (tx->body->n_actions != 1 ||
		   tx->body->actions[0]->act_case != PB__ACTION__ACT_SUBMIT_JOB) {
		refuse(call, "tx", "must hold exactly one action, submit_job");
	} else if (!tx_verify(tx, &call->c->config.chain_tag)) {
		reply_error(call->reply, 400, "bad_signature", "tx",
			"is signed wrongly, or for another chain than %s", call->c->chain_id);
	} else {
		return tx->body->actions[0]->submit_job;
	}
	return NULL;
}

/* A whole signed submit_job with its payload; checked as far as we can without the chain. */
static enum http_answer submit_tx(struct route_call *call, struct bytes raw_tx,
	const uint8_t salt[32], const json_t *payload, struct bytes payload_raw)
{
	const struct service *service;
	const Pb__SubmitJob *submit;
	struct job draft;
	struct arena arena;
	struct tx tx;
	struct hash32 hash = job_payload_hash(salt, payload_raw);
	enum http_answer answer = HTTP_DONE;

	if (!submit_check_payload(call, payload, payload_raw, &service))
		return HTTP_DONE;
	memset(&draft, 0, sizeof draft);
	arena_init(&arena, TX_ARENA_BYTES_MAX);
	submit = read_tx(call, &tx, &arena, raw_tx);
	if (submit && (submit->payload_hash.len != 32 ||
			      memcmp(submit->payload_hash.data, hash.b, 32) != 0)) {
		refuse(call, "payload",
			"is not what submit_job's payload_hash names (with the salt)");
	} else if (submit && check_offer(call, submit, service)) {
		take_offer(&draft, submit, &tx);
		memcpy(draft.salt, salt, sizeof draft.salt);
		snprintf(draft.model, sizeof draft.model, "%s", service_model(service, payload));
		answer = submit_draft(call, &draft, payload_raw, raw_tx);
	}
	arena_fini(&arena);
	return answer;
}

static enum http_answer submit_own(struct route_call *call, const json_t *body)
{
	const json_t *tx = json_object_get(body, "tx"), *salt = json_object_get(body, "salt");
	const json_t *payload = json_object_get(body, "payload");
	struct bytes raw = {NULL, 0};
	enum http_answer answer = HTTP_DONE;
	uint8_t salt_raw[32];
	struct buf tx_raw;

	buf_init(&tx_raw, TX_BYTES_MAX);
	if (!json_is_string(tx) ||
		!base64_decode(&tx_raw, json_string_value(tx), json_string_length(tx)) ||
		!buf_ok(&tx_raw))
		refuse(call, "tx", "must be a transaction in base64, at most 65536 bytes");
	else if (!json_is_string(salt) ||
		 !hex_decode(salt_raw, sizeof salt_raw, json_string_value(salt),
			 json_string_length(salt)))
		refuse(call, "salt", "must be 64 hex digits");
	else if (!payload || !json_member_span(call->request->body, "payload", &raw))
		refuse(call, "payload", "is missing");
	else
		answer = submit_tx(call, buf_view(&tx_raw), salt_raw, payload, raw);
	buf_fini(&tx_raw);
	return answer;
}

enum http_answer route_submit(struct route_call *call)
{
	json_t *body;
	enum http_answer answer;

	if (book_failed(&call->c->book)) {
		reply_error(call->reply, 503, "STORE_FAILED", NULL, "nothing can be stored");
		return HTTP_DONE;
	}
	body = route_body(call);
	if (!body)
		return HTTP_DONE;
	answer = json_object_get(body, "tx") ? submit_own(call, body) : managed_submit(call, body);
	json_decref(body);
	return answer;
}
