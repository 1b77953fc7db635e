/* What others are shown. */
#include <stdio.h>
#include <string.h>

#include "base/amount.h"
#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "coordinator/inside.h"

void view_time(struct buf *out, uint64_t ms)
{
	char text[RFC3339_BYTES];

	if (ms == 0) {
		buf_append_text(out, "null");
		return;
	}
	rfc3339_text(text, timestamp_of_ms((int64_t)ms));
	json_put_text(out, text);
}

void view_money(struct buf *out, uint64_t uaitbc)
{
	char text[AMOUNT_TEXT_BYTES];

	amount_text(text, amount_of(uaitbc));
	text[strcspn(text, " ")] = 0;
	json_put_text(out, text);
}

static void put_address(struct buf *out, const char *key, const struct account_address *address)
{
	char text[ADDRESS_TEXT_BYTES];

	address_text(text, address);
	json_put_key(out, key);
	json_put_text(out, text);
}

static void put_text(struct buf *out, const char *key, const char *text)
{
	json_put_key(out, key);
	json_put_text(out, text);
}

static void put_text_or_null(struct buf *out, const char *key, const char *text)
{
	json_put_key(out, key);
	if (text[0])
		json_put_text(out, text);
	else
		buf_append_text(out, "null");
}

static void put_tx(struct buf *out, const char *key, const struct job_tx *tx)
{
	json_put_key(out, key);
	if (tx->height == 0) {
		buf_append_text(out, "null");
		return;
	}
	buf_append_text(out, "{\"hash\":");
	if (hash_is_zero(&tx->hash))
		buf_append_text(out, "null");
	else
		json_put_hex_upper(out, tx->hash.b, sizeof tx->hash.b);
	buf_append_text(out, ",\"height\":");
	json_put_i64_text(out, tx->height);
	buf_append_byte(out, '}');
}

static void put_names(struct buf *out, const struct job *job)
{
	char id[JOB_REST_ID_BYTES];

	job_id_text(id, job->id);
	put_text(out, "job_id", id);
	buf_append_byte(out, ',');
	put_text(out, "client_job_id", job->terms.job_id);
	buf_append_byte(out, ',');
	put_address(out, "client", &job->terms.client);
	buf_append_byte(out, ',');
	put_text(out, "status", job_rest_status((enum job_state)job->state));
	buf_append_byte(out, ',');
	put_text(out, "state", job_rest_state((enum job_state)job->state));
	buf_append_byte(out, ',');
	put_text(out, "stage", job_state_text((enum job_state)job->state));
}

static void put_times(struct buf *out, const struct job *job)
{
	json_put_key(out, "submitted_at");
	view_time(out, job->submitted_ms);
	buf_append_text(out, ",\"requested_at\":");
	view_time(out, job->submitted_ms);
	buf_append_text(out, ",\"started_at\":");
	view_time(out, job->started_ms);
	buf_append_text(out, ",\"completed_at\":");
	view_time(out, job->completed_ms);
	buf_append_text(out, ",\"expires_at\":");
	view_time(out, job->expires_ms);
}

static void put_work(struct coordinator *c, struct buf *out, const struct job *job)
{
	bool settled = job->state == JOB_COMPLETED;
	uint64_t work_ms = job->work_completed_ms - job->work_started_ms;
	const char *reason = job->reason[0] ? job->reason : c->trouble;

	put_text_or_null(out, "receipt_id", settled ? job->receipt_id : "");
	buf_append_text(out, ",\"cost\":");
	if (settled)
		view_money(out, job->amount);
	else
		buf_append_text(out, "null");
	buf_append_text(out, ",\"compute_time\":");
	if (settled)
		buf_appendf(out, "%llu.%03u", (unsigned long long)(work_ms / 1000),
			(unsigned)(work_ms % 1000));
	else
		buf_append_text(out, "null");
	buf_append_byte(out, ',');
	put_text_or_null(
		out, "error", job_ended((enum job_state)job->state) && !settled ? job->reason : "");
	buf_append_byte(out, ',');
	put_text_or_null(out, "reason", settled ? job->reason : reason);
	buf_append_text(out, ",\"tx\":{");
	put_tx(out, "submit", &job->submit);
	buf_append_byte(out, ',');
	put_tx(out, "assign", &job->assign);
	buf_append_byte(out, ',');
	put_tx(out, "receipt", &job->receipt_tx);
	buf_append_byte(out, '}');
}

static void put_terms(struct buf *out, const struct job *job)
{
	put_text(out, "service", job->terms.service);
	buf_append_byte(out, ',');
	put_text_or_null(out, "model", job->model);
	buf_append_text(out, ",\"reward\":");
	json_put_u64_text(out, job->terms.reward);
	buf_append_byte(out, ',');
	put_text(out, "unit_type", job->terms.unit_type);
	buf_append_text(out, ",\"unit_price\":");
	json_put_u64_text(out, job->terms.unit_price);
	buf_append_text(out, ",\"max_units_milli\":");
	json_put_u64_text(out, job->terms.max_units_milli);
	buf_append_text(out, ",\"payload_hash\":");
	json_put_hex_upper(out, job->terms.payload_hash.b, sizeof job->terms.payload_hash.b);
	buf_append_byte(out, ',');
	put_text_or_null(out, "assigned_miner_id", job->miner_id);
	buf_appendf(out, ",\"attempt\":%u,\"max_attempts\":%u", job->terms.attempt,
		job->terms.max_attempts);
}

void view_job(struct coordinator *c, struct buf *out, const struct job *job, bool with_result)
{
	buf_append_byte(out, '{');
	put_names(out, job);
	buf_append_byte(out, ',');
	put_terms(out, job);
	buf_append_byte(out, ',');
	put_times(out, job);
	buf_append_byte(out, ',');
	put_work(c, out, job);
	buf_append_text(out, ",\"result\":");
	/* Only once the receipt is on the chain [protocol 3]. */
	if (!with_result || job->state != JOB_COMPLETED || hash_is_zero(&job->result_hash) ||
		job_result(&c->jobs, job, out) != STATUS_OK)
		buf_append_text(out, "null");
	buf_append_byte(out, '}');
}

void view_submitted(struct coordinator *c, struct buf *out, const struct job *job)
{
	(void)c;
	buf_append_byte(out, '{');
	put_names(out, job);
	buf_append_text(out, ",\"submitted_at\":");
	view_time(out, job->submitted_ms);
	buf_append_text(out, ",\"expires_at\":");
	view_time(out, job->expires_ms);
	buf_append_text(out, ",\"tx_hash\":");
	json_put_hex_upper(out, job->submit.hash.b, sizeof job->submit.hash.b);
	buf_append_text(out, ",\"height\":");
	json_put_i64_text(out, job->submit.height);
	buf_append_byte(out, '}');
}

void view_assignment(
	struct coordinator *c, struct buf *out, const struct job *job, struct bytes payload)
{
	char id[JOB_REST_ID_BYTES];

	job_id_text(id, job->id);
	buf_append_byte(out, '{');
	put_text(out, "job_id", id);
	buf_append_byte(out, ',');
	put_text(out, "client_job_id", job->terms.job_id);
	buf_append_byte(out, ',');
	put_address(out, "client", &job->terms.client);
	buf_appendf(out, ",\"attempt\":%u,\"job_data\":", job->terms.attempt);
	buf_append_view(out, payload);
	buf_append_text(out, ",\"salt\":\"");
	buf_append_hex_lower(out, job->salt, sizeof job->salt);
	buf_append_text(out, "\",\"reward\":");
	json_put_u64_text(out, job->terms.reward);
	buf_append_text(out, ",\"payload_hash\":");
	json_put_hex_upper(out, job->terms.payload_hash.b, sizeof job->terms.payload_hash.b);
	buf_append_byte(out, ',');
	put_text(out, "service", job->terms.service);
	buf_append_byte(out, ',');
	put_text(out, "unit_type", job->terms.unit_type);
	buf_append_text(out, ",\"unit_price\":");
	json_put_u64_text(out, job->terms.unit_price);
	buf_append_text(out, ",\"max_units_milli\":");
	json_put_u64_text(out, job->terms.max_units_milli);
	buf_append_byte(out, ',');
	put_address(out, "coordinator", &job->terms.coordinator);
	buf_append_text(out, ",\"submit_height\":");
	json_put_i64_text(out, job->terms.submit_height);
	buf_append_text(out, ",\"chain_tag\":");
	json_put_hex_upper(out, c->config.chain_tag.b, sizeof c->config.chain_tag.b);
	/* Job time, as on the chain; the chain's own record is what counts. */
	buf_append_text(out, ",\"lease_end_ms\":");
	json_put_u64_text(out, job->lease_end_ms - c->outage_ms);
	buf_append_byte(out, '}');
}

void view_receipt(struct buf *out, const struct job *job)
{
	char id[JOB_REST_ID_BYTES];

	job_id_text(id, job->id);
	buf_append_byte(out, '{');
	put_text(out, "receipt_id", job->receipt_id);
	buf_append_byte(out, ',');
	put_text(out, "job_id", id);
	buf_append_byte(out, ',');
	put_text(out, "client_job_id", job->terms.job_id);
	buf_append_byte(out, ',');
	put_address(out, "client", &job->terms.client);
	buf_append_byte(out, ',');
	put_address(out, "coordinator", &job->terms.coordinator);
	buf_append_text(out, ",\"miner\":");
	json_put_hex_upper(out, job->terms.miner.b, sizeof job->terms.miner.b);
	buf_append_byte(out, ',');
	put_text_or_null(out, "miner_id", job->miner_id);
	buf_appendf(out, ",\"attempt\":%u,\"submit_height\":", job->terms.attempt);
	json_put_i64_text(out, job->terms.submit_height);
	buf_append_byte(out, ',');
	put_text(out, "service", job->terms.service);
	buf_append_text(out, ",\"payload_hash\":");
	json_put_hex_upper(out, job->terms.payload_hash.b, sizeof job->terms.payload_hash.b);
	buf_append_byte(out, ',');
	put_text(out, "unit_type", job->terms.unit_type);
	buf_append_text(out, ",\"units_milli\":");
	json_put_u64_text(out, job->units_milli);
	buf_append_text(out, ",\"unit_price\":");
	json_put_u64_text(out, job->terms.unit_price);
	buf_append_text(out, ",\"amount\":");
	json_put_u64_text(out, job->amount);
	buf_append_text(out, ",\"amount_paid\":");
	view_money(out, job->amount);
	buf_append_text(out, ",\"to_miner\":");
	json_put_u64_text(out, job->terms.to_miner);
	buf_append_text(out, ",\"to_coordinator\":");
	json_put_u64_text(out, job->terms.to_coordinator);
	buf_append_text(out, ",\"to_client\":");
	json_put_u64_text(out, job->terms.to_client);
	buf_append_text(out, ",\"result_hash\":");
	json_put_hex_upper(out, job->result_hash.b, sizeof job->result_hash.b);
	buf_append_text(out, ",\"started_ms\":");
	json_put_u64_text(out, job->work_started_ms);
	buf_append_text(out, ",\"completed_ms\":");
	json_put_u64_text(out, job->work_completed_ms);
	buf_append_text(out, ",\"miner_signature\":");
	json_put_hex_upper(out, job->miner_signature.b, sizeof job->miner_signature.b);
	buf_append_byte(out, ',');
	put_tx(out, "tx", &job->receipt_tx);
	buf_append_text(out, ",\"block_height\":");
	json_put_i64_text(out, job->receipt_tx.height);
	buf_append_text(out, ",\"timestamp\":");
	view_time(out, job->completed_ms);
	buf_append_byte(out, '}');
}

static void put_services(struct buf *out, const struct miner *miner)
{
	bool first = true;
	const char *at = miner->models;

	buf_append_text(out, "{\"services\":[");
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		if (!(miner->services & (uint64_t)1 << i))
			continue;
		buf_append_text(out, first ? "" : ",");
		json_put_text(out, service_at(i)->name);
		first = false;
	}
	buf_append_text(out, "],\"models\":[");
	while (*at) {
		size_t len = strcspn(at, "\n");

		buf_append_text(out, at == miner->models ? "" : ",");
		json_put_string(out, at, len);
		at += len + 1;
	}
	buf_append_text(out, "]}");
}

void view_miner(struct coordinator *c, struct buf *out, const struct miner *miner, bool full)
{
	struct account_address address = account_address_of(&miner->key);
	bool online = miner->heard_ms + c->config.timing.heartbeat_ttl_ms > coordinator_now(c);
	uint32_t reputation = miner_reputation(miner);

	buf_append_byte(out, '{');
	put_text(out, "miner_id", miner->id);
	buf_append_byte(out, ',');
	put_text(out, "status", !online ? "OFFLINE" : miner->draining ? "DRAINING" : "ONLINE");
	buf_append_byte(out, ',');
	put_address(out, "address", &address);
	buf_append_text(out, ",\"public_key\":");
	json_put_hex_upper(out, miner->key.b, sizeof miner->key.b);
	buf_append_text(out, ",\"capabilities\":");
	put_services(out, miner);
	buf_appendf(out, ",\"inflight\":%u,\"concurrency\":%u,\"reputation\":%u.%03u",
		miner->inflight, miner->concurrency, reputation / 1000, reputation % 1000);
	buf_append_byte(out, ',');
	put_text_or_null(out, "region", miner->region);
	buf_append_text(out, ",\"last_heartbeat\":");
	view_time(out, miner->heard_ms);
	buf_appendf(out, ",\"jobs_completed\":%llu,\"jobs_failed\":%llu",
		(unsigned long long)miner->settled, (unsigned long long)miner->failed);
	buf_appendf(out, ",\"average_job_duration_ms\":%llu",
		(unsigned long long)(miner->settled ? miner->work_ms / miner->settled : 0));
	buf_append_text(out, ",\"total_earnings\":");
	view_money(out, miner->earned);
	buf_append_byte(out, ',');
	put_text_or_null(out, "last_receipt_id", miner->last_receipt_id);
	if (full) {
		buf_append_byte(out, ',');
		put_text_or_null(out, "url", miner->url);
		buf_append_text(out, ",\"registered_at\":");
		view_time(out, miner->registered_ms);
	}
	buf_append_byte(out, '}');
}

/* The answer to a complete: paid, or why not. */
static void put_completed(struct http_reply *reply, const struct job *job)
{
	reply->status = 200;
	buf_append_text(&reply->body, "{\"status\":\"ok\",\"receipt_id\":");
	json_put_text(&reply->body, job->receipt_id);
	buf_append_text(&reply->body, ",\"amount\":");
	json_put_u64_text(&reply->body, job->amount);
	buf_append_text(&reply->body, ",\"to_miner\":");
	json_put_u64_text(&reply->body, job->terms.to_miner);
	buf_append_byte(&reply->body, ',');
	put_tx(&reply->body, "tx", &job->receipt_tx);
	buf_append_byte(&reply->body, '}');
}

void view_answer_waiters(struct coordinator *c, struct job *job)
{
	for (size_t i = 0; i < job->waiter_count; i++) {
		struct http_reply reply;

		http_reply_init(&reply);
		if (job->state == JOB_REFUSED && job->refused_code == 0) {
			reply_error(&reply, 409, "not_committed", NULL, "%s", job->reason);
		} else if (job->state == JOB_REFUSED) {
			reply_settle(&reply, job->refused_code, job->reason);
		} else if (job->state == JOB_COMPLETED) {
			put_completed(&reply, job);
		} else if (job_ended((enum job_state)job->state)) {
			reply_error(&reply, 409, "job_ended", NULL, "the job is %s: %s",
				job_rest_status((enum job_state)job->state), job->reason);
		} else {
			reply.status = 201;
			view_submitted(c, &reply.body, job);
		}
		reply_answer(c, job->waiters[i], &reply);
		http_reply_fini(&reply);
	}
	job->waiter_count = 0;
}
