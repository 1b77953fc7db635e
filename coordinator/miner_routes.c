/* What miners say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "coordinator/inside.h"

/* Which miner speaks: named by header, query or the body, or the only one of its key. */
static const char *miner_name(struct route_call *call, const json_t *body, char out[128])
{
	const char *name = http_request_header(call->request, "X-Miner-ID");
	struct buf text;

	out[0] = 0;
	if (!name)
		name = json_string_value(json_object_get(body, "miner_id"));
	if (name) {
		snprintf(out, 128, "%s", name);
		return out;
	}
	buf_init(&text, 100);
	if (http_query_param(&text, call->request->query, "miner_id") && buf_ok(&text))
		snprintf(out, 128, "%s", buf_text(&text));
	buf_fini(&text);
	return out;
}

static struct miner *miner_of(struct route_call *call, const json_t *body)
{
	struct miner_table *table = &call->c->miners;
	char name[128];
	struct miner *miner = NULL;

	miner_name(call, body, name);
	if (name[0]) {
		miner = miner_find(table, name);
		if (miner && strcmp(miner->key_id, call->key->id) != 0)
			miner = NULL;
	} else {
		for (size_t i = 0; i < table->count; i++) {
			if (strcmp(table->miners[i]->key_id, call->key->id) != 0)
				continue;
			if (miner) {
				reply_error(call->reply, 400, "VALIDATION_ERROR", "X-Miner-ID",
					"is needed: this key has several miners");
				return NULL;
			}
			miner = table->miners[i];
		}
	}
	if (!miner)
		reply_error(call->reply, 404, "UNKNOWN_MINER", NULL,
			"this miner isn't registered; POST /v1/miners/register first");
	return miner;
}

static void hear(struct coordinator *c, struct miner *miner)
{
	uint64_t now = coordinator_now(c);

	/* A row per minute is enough to know it after a restart. */
	if (now > miner->heard_ms + 60 * 1000) {
		miner->heard_ms = now;
		miner_save(&c->miners, miner);
	}
	miner->heard_ms = now;
}

static void fault_reply(struct route_call *call, const struct service_fault *fault)
{
	reply_error(call->reply, 400, "VALIDATION_ERROR", fault->field, "%s", fault->message);
}

/* ---- coming and going ---- */

static void put_registered(struct route_call *call, const struct miner *miner)
{
	struct coordinator *c = call->c;
	char owner[ADDRESS_TEXT_BYTES];
	struct buf *out = &call->reply->body;

	address_text(owner, &c->owner);
	buf_append_text(out, "{\"status\":\"ok\",\"miner_id\":");
	json_put_text(out, miner->id);
	buf_append_text(out, ",\"session_token\":");
	json_put_text(out, miner->session);
	buf_append_text(out, ",\"coordinator\":");
	json_put_text(out, owner);
	buf_append_text(out, ",\"chain_id\":");
	json_put_text(out, c->chain_id);
	buf_appendf(out, ",\"heartbeat_ms\":%u,\"lease_ms\":%u}",
		c->config.timing.heartbeat_ttl_ms / 3, c->config.timing.lease_ms);
}

/* A name for a miner that brings none: of its key. */
static void name_of_key(char out[MINER_ID_BYTES_MAX + 1], const struct account_key *key)
{
	struct account_address address = account_address_of(key);

	address_text(out, &address);
}

/* Jobs are found by their miner's key: it has one owner here. */
static bool key_is_anothers(const struct route_call *call, const struct miner *said)
{
	const struct miner_table *table = &call->c->miners;

	for (size_t i = 0; i < table->count; i++) {
		if (memcmp(table->miners[i]->key.b, said->key.b, sizeof said->key.b) == 0 &&
			strcmp(table->miners[i]->key_id, call->key->id) != 0)
			return true;
	}
	return false;
}

static struct miner *registered(struct route_call *call, const struct miner *said, const char *id)
{
	struct coordinator *c = call->c;
	struct miner *miner = miner_find(&c->miners, id);
	uint8_t token[16];

	if (miner && strcmp(miner->key_id, call->key->id) != 0) {
		reply_error(
			call->reply, 409, "MINER_ID_TAKEN", "miner_id", "belongs to another key");
		return NULL;
	}
	if (key_is_anothers(call, said)) {
		reply_error(call->reply, 409, "PUBLIC_KEY_TAKEN", "public_key",
			"is registered by another API key");
		return NULL;
	}
	if (!miner) {
		miner = miner_add(&c->miners, id);
		if (!miner) {
			reply_error(call->reply, 503, "BUSY", NULL, "too many miners");
			return NULL;
		}
		miner->registered_ms = coordinator_now(c);
	}
	/* Its reputation belongs to its signing key. */
	if (memcmp(miner->key.b, said->key.b, sizeof said->key.b) != 0)
		miner->settled = miner->failed = miner->earned = miner->work_ms = 0;
	miner->key = said->key;
	memcpy(miner->url, said->url, sizeof miner->url);
	miner->services = said->services;
	memcpy(miner->models, said->models, sizeof miner->models);
	memcpy(miner->region, said->region, sizeof miner->region);
	miner->concurrency = said->concurrency;
	miner->draining = 0;
	snprintf(miner->key_id, sizeof miner->key_id, "%s", call->key->id);
	c->config.random(c->config.ctx, token, sizeof token);
	hex_lower(miner->session, token, sizeof token);
	miner->heard_ms = coordinator_now(c);
	miner_save(&c->miners, miner);
	return miner;
}

static void reindex(struct coordinator *c)
{
	if (!dispatch_index(&c->dispatch, &c->miners))
		log_event(c->config.log, LOG_UNUSUAL, "coordinator_no_memory for=index");
}

/* Jobs that it holds and hasn't heard of, and those that wait for the likes of it. */
static void take_up(struct coordinator *c, struct miner *miner)
{
	struct job *job = miner->in_hand;
	uint64_t now = coordinator_now(c);

	while (job) {
		struct job *next = job->hand_next;

		/* The answer to its last poll may never have reached it. */
		if (job->state == JOB_ASSIGNED && !job->offering &&
			(!job->offered || (miner->polling && now >= job->offer_at_ms)))
			offer_job(c, job);
		job = next;
	}
	work_for_miner(c, miner);
}

enum http_answer route_register(struct route_call *call)
{
	json_t *body = route_body(call);
	struct service_fault fault;
	struct miner said, *miner;
	char id[128];

	if (!body)
		return HTTP_DONE;
	memset(&said, 0, sizeof said);
	miner_name(call, body, id);
	if (!miner_set_registration(&said, body, &fault)) {
		fault_reply(call, &fault);
	} else if (id[0] && !miner_id_valid(id)) {
		reply_error(call->reply, 400, "VALIDATION_ERROR", "miner_id",
			"must be 1 to 63 of letters, digits, _ . -");
	} else {
		if (!id[0])
			name_of_key(id, &said.key);
		miner = registered(call, &said, id);
		if (miner) {
			reindex(call->c);
			log_event(call->c->config.log, LOG_INFO, "miner_registered miner=%s url=%s",
				miner->id, miner->url);
			put_registered(call, miner);
			take_up(call->c, miner);
		}
	}
	json_decref(body);
	return HTTP_DONE;
}

/* Its miner says so. */
static void job_is_running(struct coordinator *c, struct job *job)
{
	job->heard_ms = coordinator_now(c);
	work_heard_of(job);
	if (job->state != JOB_ASSIGNED)
		return;
	if (job->started_ms == 0)
		job->started_ms = job->heard_ms;
	job->reason[0] = 0;
	if (jobs_move(&c->jobs, job, JOB_EV_ACCEPTED))
		work_wake(c, job);
}

/* The jobs a heartbeat names live on; those it names wrongly are told back. */
static void hear_jobs(struct route_call *call, const struct miner *miner, const json_t *jobs)
{
	struct coordinator *c = call->c;
	struct buf *out = &call->reply->body;
	bool first = true;

	buf_append_text(out, ",\"drop\":[");
	for (size_t i = 0; i < json_array_size(jobs); i++) {
		const json_t *entry = json_array_get(jobs, i);
		const json_t *name =
			json_is_string(entry) ? entry : json_object_get(entry, "job_id");
		const json_t *attempt = json_object_get(entry, "attempt");
		uint8_t id[JOB_ID_RAW_BYTES];
		struct job *job = NULL;

		if (!json_is_string(name) ||
			!job_id_parse(id, json_string_value(name), json_string_length(name)))
			continue;
		job = jobs_find(&c->jobs, id);
		if (job && !miner_find(&c->miners, job->miner_id))
			follow_find_miner(c, job);
		if (job && strcmp(job->miner_id, miner->id) == 0 &&
			(!attempt || json_integer_value(attempt) == job->terms.attempt)) {
			job_is_running(c, job);
			continue;
		}
		buf_append_text(out, first ? "" : ",");
		json_put_string(out, json_string_value(name), json_string_length(name));
		first = false;
	}
	buf_append_byte(out, ']');
}

enum http_answer route_heartbeat(struct route_call *call)
{
	json_t *body = route_body(call);
	struct miner *miner = body ? miner_of(call, body) : NULL;

	if (miner) {
		hear(call->c, miner);
		buf_append_text(&call->reply->body, "{\"status\":\"ok\"");
		hear_jobs(call, miner, json_object_get(body, "jobs"));
		buf_appendf(&call->reply->body, ",\"inflight\":%u}", miner->inflight);
		take_up(call->c, miner);
	}
	json_decref(body);
	return HTTP_DONE;
}

enum http_answer route_poll(struct route_call *call)
{
	struct coordinator *c = call->c;
	json_t *body = call->request->body.len ? route_body(call) : json_object();
	struct miner *miner = body ? miner_of(call, body) : NULL;
	const json_t *wait = json_object_get(body, "max_wait_seconds");
	double seconds = wait ? json_number_value(wait) : 15;

	json_decref(body);
	if (!miner)
		return HTTP_DONE;
	hear(c, miner);
	offer_end_poll(c, miner); /* the newer one counts */
	if (miner->draining || c->polls >= MINER_POLLS_MAX || seconds <= 0) {
		call->reply->status = 204;
		return HTTP_DONE;
	}
	seconds = seconds > MINER_POLL_MS_MAX / 1000.0 ? MINER_POLL_MS_MAX / 1000.0 : seconds;
	miner->polling = true;
	miner->poll = call->ticket;
	miner->poll_end_ms = coordinator_now(c) + (uint64_t)(seconds * 1000);
	c->polls++;
	take_up(c, miner);
	return HTTP_WAIT;
}

enum http_answer route_drain(struct route_call *call)
{
	json_t *body = call->request->body.len ? route_body(call) : json_object();
	struct miner *miner = body ? miner_of(call, body) : NULL;

	if (miner) {
		hear(call->c, miner);
		miner->draining = 1;
		miner_save(&call->c->miners, miner);
		offer_end_poll(call->c, miner);
		buf_appendf(
			&call->reply->body, "{\"status\":\"ok\",\"inflight\":%u}", miner->inflight);
	}
	json_decref(body);
	return HTTP_DONE;
}

/* A miner named in the path, of the caller's key unless an admin asks. */
static struct miner *miner_in_path(struct route_call *call)
{
	struct miner *miner = miner_find(&call->c->miners, call->arg[0]);

	if (miner && call->key->role != API_ADMIN && strcmp(miner->key_id, call->key->id) != 0)
		miner = NULL;
	if (!miner)
		reply_error(call->reply, 404, "UNKNOWN_MINER", NULL, "no such miner: %.64s",
			call->arg[0]);
	return miner;
}

enum http_answer route_miner_get(struct route_call *call)
{
	struct miner *miner = miner_in_path(call);

	if (miner)
		view_miner(call->c, &call->reply->body, miner, true);
	return HTTP_DONE;
}

enum http_answer route_miner_put(struct route_call *call)
{
	struct miner *miner = miner_in_path(call), *copy;
	json_t *body = miner ? route_body(call) : NULL;
	struct service_fault fault;

	copy = body ? malloc(sizeof *copy) : NULL;
	if (copy) {
		*copy = *miner;
		if (!miner_set_capabilities(copy, body, &fault)) {
			fault_reply(call, &fault);
		} else {
			miner->services = copy->services;
			memcpy(miner->models, copy->models, sizeof miner->models);
			miner_save(&call->c->miners, miner);
			reindex(call->c);
			view_miner(call->c, &call->reply->body, miner, true);
			take_up(call->c, miner);
		}
		free(copy);
	}
	json_decref(body);
	return HTTP_DONE;
}

enum http_answer route_miner_delete(struct route_call *call)
{
	struct coordinator *c = call->c;
	struct miner *miner = miner_in_path(call);

	if (!miner)
		return HTTP_DONE;
	if (miner->inflight > 0) {
		reply_error(call->reply, 409, "MINER_BUSY", NULL,
			"it has %u jobs in hand; drain it first", miner->inflight);
		return HTTP_DONE;
	}
	offer_end_poll(c, miner);
	miner_remove(&c->miners, miner);
	reindex(c);
	buf_append_text(&call->reply->body, "{\"status\":\"ok\"}");
	return HTTP_DONE;
}

enum http_answer route_miner_jobs(struct route_call *call)
{
	struct miner *miner = miner_in_path(call);
	struct buf *out = &call->reply->body;

	if (!miner)
		return HTTP_DONE;
	buf_append_text(out, "{\"items\":[");
	for (struct job *job = miner->in_hand; job; job = job->hand_next) {
		buf_append_text(out, job == miner->in_hand ? "" : ",");
		view_job(call->c, out, job, false);
	}
	buf_append_text(out, "]}");
	return HTTP_DONE;
}

/* ---- about a job ---- */

/* The live job in the path if the caller's miner holds it; the weak point of older coordinators was
 * not to ask. */
static struct job *job_of_miner(struct route_call *call)
{
	struct coordinator *c = call->c;
	uint8_t id[JOB_ID_RAW_BYTES];
	struct job *job = job_id_parse(id, call->arg[0], strlen(call->arg[0]))
				  ? jobs_find(&c->jobs, id)
				  : NULL;
	struct miner *miner;
	struct job stored;

	/* After a crash of ours a miner may have registered anew. */
	if (job && !miner_find(&c->miners, job->miner_id))
		follow_find_miner(c, job);
	miner = job ? miner_find(&c->miners, job->miner_id) : NULL;

	if (!job && job_id_parse(id, call->arg[0], strlen(call->arg[0])) &&
		job_read(&c->jobs, &stored, id) == STATUS_OK) {
		reply_error(call->reply, 409, "job_ended", NULL, "the job is %s: %s",
			job_rest_status((enum job_state)stored.state), stored.reason);
		return NULL;
	}
	if (!job || !miner || strcmp(miner->key_id, call->key->id) != 0) {
		reply_error(call->reply, job ? 403 : 404, job ? "NOT_YOUR_JOB" : "NOT_FOUND", NULL,
			job ? "the job isn't assigned to a miner of this key" : "no such job");
		return NULL;
	}
	hear(c, miner);
	return job;
}

static bool attempt_fits(struct route_call *call, const struct job *job, const json_t *body)
{
	const json_t *attempt = json_object_get(body, "attempt");

	if (!attempt || json_integer_value(attempt) == job->terms.attempt)
		return true;
	reply_error(call->reply, 409, "attempt_mismatch", "attempt", "is not the current one, %u",
		job->terms.attempt);
	return false;
}

struct job *route_miner_job(struct route_call *call, const json_t *body)
{
	struct job *job = job_of_miner(call);

	return job && attempt_fits(call, job, body) ? job : NULL;
}

enum http_answer route_status(struct route_call *call)
{
	json_t *body = route_body(call);
	struct job *job = body ? route_miner_job(call, body) : NULL;

	if (job) {
		job_is_running(call->c, job);
		buf_append_text(&call->reply->body, "{\"status\":\"ok\"}");
	}
	json_decref(body);
	return HTTP_DONE;
}

static bool release_signature(struct account_signature *out, const json_t *body)
{
	const json_t *signature = json_object_get(json_object_get(body, "release"), "signature");

	return json_is_string(signature) &&
	       hex_decode(out->b, sizeof out->b, json_string_value(signature),
		       json_string_length(signature));
}

/* The miner gives up with its signature: at once back into the queue, or failed for good. */
static void give_up(struct route_call *call, struct job *job, bool for_good,
	const struct account_signature *signature)
{
	struct coordinator *c = call->c;
	struct miner *miner = job->hand;

	if (!jobs_move(&c->jobs, job, for_good ? JOB_EV_FAIL : JOB_EV_RETURN)) {
		reply_error(call->reply, 409, "wrong_state", NULL, "the job is %s",
			job_state_text((enum job_state)job->state));
		return;
	}
	if (for_good && miner) {
		miner->failed++;
		miner_save(&c->miners, miner);
	}
	work_free_slot(c, job);
	job->acting = for_good ? act_fail(c, job, signature) : act_release(c, job, signature);
	work_wake_at(c, job, coordinator_now(c) + 5000);
	if (miner)
		work_for_miner(c, miner);
	buf_append_text(&call->reply->body, "{\"status\":\"ok\"}");
}

static void say_why(struct job *job, const json_t *body)
{
	const char *code = json_string_value(json_object_get(body, "error_code"));
	const char *message = json_string_value(json_object_get(body, "error_message"));

	work_reason(job, "%s: %.60s%s%.120s", job->miner_id, code ? code : "failed",
		message ? ": " : "", message ? message : "");
}

enum http_answer route_fail(struct route_call *call)
{
	json_t *body = route_body(call);
	struct job *job = body ? route_miner_job(call, body) : NULL;
	struct account_signature signature;
	struct job_key key;

	if (!job) {
		json_decref(body);
		return HTTP_DONE;
	}
	key = job_terms_key(&job->terms);
	say_why(job, body);
	log_event(call->c->config.log, LOG_INFO, "job_given_up job=%.64s reason=\"%s\"",
		job->terms.job_id, job->reason);
	if (!release_signature(&signature, body)) {
		/* Without the miner's word only the lapse of its lease frees the job. */
		job_save(&call->c->jobs, job);
		buf_append_text(&call->reply->body,
			"{\"status\":\"ok\",\"note\":\"without release.signature the job waits for "
			"its lease to lapse\"}");
	} else if (job_release_verify(&signature, &key, job->terms.attempt, JOB_FAIL,
			   &job->terms.miner, &call->c->config.chain_tag)) {
		give_up(call, job, true, &signature);
	} else if (job_release_verify(&signature, &key, job->terms.attempt, JOB_RELEASE,
			   &job->terms.miner, &call->c->config.chain_tag)) {
		give_up(call, job, false, &signature);
	} else {
		reply_error(call->reply, 400, "bad_miner_signature", "release.signature",
			"is not the miner's over release (act 1) or fail (act 2) of this attempt");
	}
	json_decref(body);
	return HTTP_DONE;
}
