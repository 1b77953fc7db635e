/* POST /v1/jobs/{id}/complete: a result and the miner's signature over its receipt. The receipt is
 * rebuilt from the chain's terms; what doesn't verify isn't stored; what verifies is durable before
 * its receipt goes to the chain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "coordinator/inside.h"

/* "12.500", 12.5 or 12 seconds as milliseconds; exact for texts. */
static bool milli_of(uint64_t *out, const json_t *value)
{
	const char *text = json_string_value(value);
	uint64_t whole = 0, part = 0;
	unsigned digits = 0;

	if (json_is_number(value)) {
		double milli = json_number_value(value) * 1000 + 0.5;

		if (!(milli >= 0 && milli < 1e15))
			return false;
		*out = (uint64_t)milli;
		return true;
	}
	if (!text || *text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9' && whole < 1000000000000; text++)
		whole = whole * 10 + (uint64_t)(*text - '0');
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9' && digits < 3; text++, digits++)
			part = part * 10 + (uint64_t)(*text - '0');
		if (digits == 0)
			return false;
	}
	for (; digits < 3; digits++)
		part *= 10;
	*out = whole * 1000 + part;
	return *text == 0;
}

/* A whole number, or its decimal text. */
static bool u64_of(uint64_t *out, const json_t *value)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*out = (uint64_t)json_integer_value(value);
		return true;
	}
	if (!text || !text[0] || strspn(text, "0123456789") != strlen(text) || strlen(text) > 19)
		return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

static bool refuse(struct route_call *call, const char *field, const char *message)
{
	reply_error(call->reply, 400, "VALIDATION_ERROR", field, "%s", message);
	return false;
}

/* What the miner measured and signed. */
struct claim {
	struct job_work work;
	struct account_signature signature;
	struct bytes result;
};

static bool read_claim(struct route_call *call, struct claim *claim, const json_t *body)
{
	const json_t *metrics = json_object_get(body, "metrics");
	const json_t *proof = json_object_get(body, "proof");
	const json_t *hash = json_object_get(proof, "hash");
	const json_t *signature = json_object_get(proof, "signature");
	const json_t *units = json_object_get(metrics, "units_milli");
	struct hash32 said;

	if (!json_member_span(call->request->body, "result", &claim->result))
		return refuse(call, "result", "is missing");
	if (units ? !u64_of(&claim->work.units_milli, units)
		  : !milli_of(&claim->work.units_milli, json_object_get(metrics, "compute_time")))
		return refuse(call, "metrics.units_milli", "must be a whole number");
	if (!u64_of(&claim->work.started_ms, json_object_get(metrics, "started_ms")))
		return refuse(call, "metrics.started_ms", "must be a whole number");
	if (!u64_of(&claim->work.completed_ms, json_object_get(metrics, "completed_ms")) ||
		claim->work.completed_ms < claim->work.started_ms)
		return refuse(call, "metrics.completed_ms",
			"must be a whole number, not before started_ms");
	if (!json_is_string(hash) || !hex_decode(said.b, sizeof said.b, json_string_value(hash),
					     json_string_length(hash)))
		return refuse(call, "proof.hash", "must be 64 hex digits");
	if (!json_is_string(signature) ||
		!hex_decode(claim->signature.b, sizeof claim->signature.b,
			json_string_value(signature), json_string_length(signature)))
		return refuse(call, "proof.signature", "must be 128 hex digits");
	claim->work.result_hash = sha256(claim->result);
	if (!hash_equal(&said, &claim->work.result_hash))
		return refuse(call, "proof.hash",
			"is not the SHA-256 of the bytes of result as they stand");
	return true;
}

static enum http_answer wait_for(struct route_call *call, struct job *job)
{
	if (job->waiter_count == JOB_WAITERS_MAX)
		job->waiters[0] = call->ticket;
	else
		job->waiters[job->waiter_count++] = call->ticket;
	return HTTP_WAIT;
}

static bool verify(struct route_call *call, const struct job *job, const struct claim *claim,
	struct job_receipt *receipt)
{
	if (!job_receipt_build(receipt, &job->terms, &claim->work, &call->c->config.chain_tag) ||
		!job_receipt_attach(receipt, &claim->signature, &call->c->config.chain_tag)) {
		reply_error(call->reply, 400, "bad_miner_signature", "proof.signature",
			"is not the assigned miner's over the receipt of attempt %u",
			job->terms.attempt);
		return false;
	}
	/* On the chain stands a delivered receipt: only its very bytes can be recorded. */
	if (job->state == JOB_DELIVERED &&
		(!hash_equal(&job->delivered_result, &claim->work.result_hash) ||
			job->units_milli != receipt->message.units_milli ||
			job->work_started_ms != claim->work.started_ms ||
			job->work_completed_ms != claim->work.completed_ms)) {
		reply_error(call->reply, 409, "bad_receipt", NULL,
			"another receipt of this attempt is delivered on the chain");
		return false;
	}
	return true;
}

static enum http_answer complete(struct route_call *call, struct job *job, const json_t *body)
{
	struct coordinator *c = call->c;
	struct job_receipt receipt;
	struct claim claim;

	if (!read_claim(call, &claim, body))
		return HTTP_DONE;
	if (job->state == JOB_RECORDING) {
		/* The same once more: it hears the same answer. */
		if (hash_equal(&job->result_hash, &claim.work.result_hash))
			return wait_for(call, job);
		reply_error(call->reply, 409, "wrong_state", NULL, "a result is being recorded");
		return HTTP_DONE;
	}
	if (job->state != JOB_ASSIGNED && job->state != JOB_RUNNING &&
		job->state != JOB_DELIVERED) {
		reply_error(call->reply, 409, "wrong_state", NULL, "the job is %s",
			job_state_text((enum job_state)job->state));
		return HTTP_DONE;
	}
	if (!verify(call, job, &claim, &receipt))
		return HTTP_DONE;
	job->units_milli = claim.work.units_milli;
	job->work_started_ms = claim.work.started_ms;
	job->work_completed_ms = claim.work.completed_ms;
	job->result_hash = claim.work.result_hash;
	job->miner_signature = claim.signature;
	job->amount = receipt.message.amount;
	memcpy(job->receipt_id, receipt.receipt_id, sizeof job->receipt_id);
	if (job->started_ms == 0)
		job->started_ms = coordinator_now(c);
	work_reason(job, "its receipt is being recorded");
	job_save_result(&c->jobs, job, claim.result);
	CHECK(jobs_move(&c->jobs, job, JOB_EV_RESULT));
	wait_for(call, job);
	work_enter(c, job);
	return HTTP_WAIT;
}

/* A settled job whose miner didn't hear our answer. */
static bool is_settled(struct route_call *call)
{
	uint8_t id[JOB_ID_RAW_BYTES];
	const struct miner *miner;
	struct job job;

	if (!job_id_parse(id, call->arg[0], strlen(call->arg[0])) ||
		job_read(&call->c->jobs, &job, id) != STATUS_OK || job.state != JOB_COMPLETED)
		return false;
	miner = miner_find(&call->c->miners, job.miner_id);
	if (!miner || strcmp(miner->key_id, call->key->id) != 0)
		return false;
	buf_append_text(&call->reply->body, "{\"status\":\"ok\",\"receipt_id\":");
	json_put_text(&call->reply->body, job.receipt_id);
	buf_append_text(&call->reply->body, ",\"amount\":");
	json_put_u64_text(&call->reply->body, job.amount);
	buf_append_byte(&call->reply->body, '}');
	return true;
}

enum http_answer route_complete(struct route_call *call)
{
	enum http_answer answer = HTTP_DONE;
	struct job *job;
	json_t *body;

	if (is_settled(call))
		return HTTP_DONE;
	if (book_failed(&call->c->book)) {
		reply_error(call->reply, 503, "STORE_FAILED", NULL, "nothing can be stored");
		return HTTP_DONE;
	}
	body = route_body(call);
	job = body ? route_miner_job(call, body) : NULL;
	if (job)
		answer = complete(call, job, body);
	json_decref(body);
	return answer;
}
