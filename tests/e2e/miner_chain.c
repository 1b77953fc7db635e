/* The part of miner_world that speaks to the chain, and to the miner, as client and coordinator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "tests/e2e/miner_world.h"
#include "wallet/fields.h"

struct act {
	bool done;
	uint32_t code;
	char fault[160];
};

static void on_act(void *ctx, const struct sender_outcome *outcome)
{
	struct act *act = ctx;
	act->done = true;
	act->code = outcome->fate == SENDER_COMMITTED ? outcome->code : UINT32_MAX;
	snprintf(act->fault, sizeof act->fault, "%s", outcome->fault);
}

static void commit(struct world *w, struct sender *sender, const Pb__Action *action)
{
	struct act act = {0};
	CHECK(sender_submit(sender, &action, 1, PB__MODE__ATOMIC, on_act, &act) == STATUS_OK);
	WORLD_UNTIL(w, act.done);
	if (act.code != 0) {
		fprintf(stderr, "the chain refused: %s\n", act.fault);
		exit(1);
	}
}

static ProtobufCBinaryData view(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

void world_submit(struct world *w, struct world_job *job, const char *job_id, const char *service,
	const char *payload, Pb__OnSilence on_silence)
{
	Pb__SubmitJob submit = PB__SUBMIT_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	*job = (struct world_job){.service = service, .on_silence = on_silence};
	snprintf(job->job_id, sizeof job->job_id, "%s", job_id);
	snprintf(job->payload, sizeof job->payload, "%s", payload);
	job_rest_id(job->rest_id, &w->client, job->job_id);
	memset(job->salt, 1, sizeof job->salt);
	struct hash32 hash = job_payload_hash(job->salt, bytes_of_text(job->payload));
	submit.job_id = job->job_id;
	submit.coordinator = view(w->coordinator.b, 20);
	submit.coordinator_ppm = 50000;
	submit.service = (char *)(uintptr_t)service;
	submit.payload_hash = view(hash.b, 32);
	submit.reward = 1000000;
	submit.unit_type = (char *)(uintptr_t) "second";
	submit.unit_price = 20000;
	submit.max_units_milli = 500000;
	submit.ttl_ms = 120000;
	submit.max_attempts = 5;
	submit.on_silence = on_silence;
	submit.replicas = 1;
	action.act_case = PB__ACTION__ACT_SUBMIT_JOB;
	action.submit_job = &submit;
	commit(w, w->client_sender, &action);
}

void world_assign(
	struct world *w, struct world_job *job, const struct account_key *miner, uint64_t lease_ms)
{
	Pb__AssignJob assign = PB__ASSIGN_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	job->attempt++;
	assign.client = view(w->client.b, 20);
	assign.job_id = job->job_id;
	assign.attempt = job->attempt;
	assign.miner = view(miner->b, 33);
	assign.lease_ms = lease_ms;
	action.act_case = PB__ACTION__ACT_ASSIGN_JOB;
	action.assign_job = &assign;
	commit(w, w->coordinator_sender, &action);
}

/* ---- looking ---- */

struct answer {
	bool done;
	json_t *value;
};

static void on_answer(void *ctx, const struct rpc_outcome *outcome)
{
	struct answer *answer = ctx;
	char log[256];
	uint32_t code;
	answer->done = true;
	if (outcome->status == STATUS_OK)
		answer->value = rpc_query_value(outcome->result, &code, log);
}

static json_t *query(struct world *w, json_t *params)
{
	struct answer answer = {0};
	CHECK(rpc_call(w->rpc, "abci_query", params, 5000, on_answer, &answer) == STATUS_OK);
	WORLD_UNTIL(w, answer.done);
	return answer.value;
}

struct job_terms world_look(struct world *w, const struct world_job *job)
{
	struct job_terms terms;
	char fault[96] = "no answer";
	json_t *value = query(w, job_terms_query(&w->client, job->job_id));
	if (value == NULL || !job_terms_parse(&terms, value, fault)) {
		fprintf(stderr, "the job can't be read: %s\n", fault);
		exit(1);
	}
	json_decref(value);
	return terms;
}

uint64_t world_balance(struct world *w, const struct account_address *address)
{
	uint64_t balance = 0;
	json_t *value = query(w, rpc_params_query("/accounts", bytes_view(address->b, 20)));
	CHECK(field_u64(&balance, value, "balance"));
	json_decref(value);
	return balance;
}

/* ---- the miner's port ---- */

void world_assignment(struct world *w, struct buf *out, const struct world_job *job)
{
	char client[ADDRESS_TEXT_BYTES], coordinator[ADDRESS_TEXT_BYTES];
	struct job_terms terms = world_look(w, job);
	address_text(client, &w->client);
	address_text(coordinator, &w->coordinator);
	buf_appendf(out,
		"{\"job_id\":\"%s\",\"client_job_id\":\"%s\",\"client\":\"%s\",\"attempt\":%u,"
		"\"job_data\":%s,",
		job->rest_id, job->job_id, client, job->attempt, job->payload);
	buf_append_text(out, "\"salt\":\"");
	buf_append_hex_lower(out, job->salt, 32);
	buf_append_text(out, "\",\"payload_hash\":\"");
	buf_append_hex_lower(out, terms.payload_hash.b, 32);
	buf_append_text(out, "\",\"chain_tag\":\"");
	buf_append_hex_lower(out, sender_chain_tag(w->client_sender)->b, 32);
	buf_appendf(out,
		"\",\"reward\":\"%llu\",\"service\":\"%s\",\"unit_type\":\"%s\",\"unit_price\":\"%"
		"llu\","
		"\"max_units_milli\":\"%llu\",\"coordinator\":\"%s\",\"submit_height\":\"%lld\","
		"\"lease_end_ms\":\"%llu\"}",
		(unsigned long long)terms.reward, terms.service, terms.unit_type,
		(unsigned long long)terms.unit_price, (unsigned long long)terms.max_units_milli,
		coordinator, (long long)terms.submit_height,
		(unsigned long long)terms.lease_end_ms);
}

struct pushed {
	bool done;
	int status;
	char *body;
};

static void on_pushed(void *ctx, const struct http_result *result)
{
	struct pushed *pushed = ctx;
	pushed->done = true;
	pushed->status = result->status == STATUS_OK ? result->http_status : 0;
	if (pushed->body != NULL)
		snprintf(pushed->body, 1024, "%.*s", (int)result->body.len,
			result->body.len > 0 ? (const char *)result->body.data : "");
}

int world_push(struct world *w, const struct world_job *job, char body[1024])
{
	static const struct http_header json = {"Content-Type", "application/json"};
	struct pushed pushed = {.body = body};
	struct buf text;
	char url[64];
	buf_init(&text, 0);
	world_assignment(w, &text, job);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/v1/jobs/assign", w->miner_port);
	struct http_call call = {.method = HTTP_POST,
		.url = url,
		.headers = &json,
		.header_count = 1,
		.body = buf_view(&text),
		.timeout_ms = 10000};
	CHECK(http_client_start(w->http, &call, on_pushed, &pushed) == STATUS_OK);
	buf_fini(&text);
	WORLD_UNTIL(w, pushed.done);
	return pushed.status;
}

/* ---- what the miner signed ---- */

bool world_record(struct world *w, const struct world_job *job)
{
	Pb__RecordReceipt record = PB__RECORD_RECEIPT__INIT;
	Pb__Action action = PB__ACTION__INIT;
	static struct job_receipt receipt;
	struct account_signature signature;
	struct job_work work = {0};
	struct json_fault fault;
	struct bytes result, body = bytes_of_text(w->completion);
	struct job_terms terms = world_look(w, job);
	json_t *json = json_read(body, &fault);
	const json_t *metrics = json_object_get(json, "metrics"),
		     *proof = json_object_get(json, "proof");
	CHECK(json_member_span(body, "result", &result));
	work.result_hash = sha256(result);
	bool ok = field_u64(&work.units_milli, metrics, "units_milli") &&
		  field_u64(&work.started_ms, metrics, "started_ms") &&
		  field_u64(&work.completed_ms, metrics, "completed_ms") &&
		  field_hex(signature.b, 64, proof, "signature") &&
		  job_receipt_build(&receipt, &terms, &work, sender_chain_tag(w->client_sender)) &&
		  job_receipt_attach(&receipt, &signature, sender_chain_tag(w->client_sender));
	json_decref(json);
	if (!ok)
		return false;
	record.receipt = &receipt.message;
	action.act_case = PB__ACTION__ACT_RECORD_RECEIPT;
	action.record_receipt = &record;
	commit(w, w->coordinator_sender, &action);
	return true;
}

static bool release_signature(const struct world *w, struct account_signature *out)
{
	struct json_fault fault;
	json_t *json = json_read(bytes_of_text(w->failure), &fault);
	bool ok = field_hex(out->b, 64, json_object_get(json, "release"), "signature");
	json_decref(json);
	return ok;
}

int world_release_act(struct world *w, const struct world_job *job)
{
	struct account_signature signature;
	struct job_key key = job_key_of(&w->client, bytes_of_text(job->job_id));
	if (!release_signature(w, &signature))
		return 0;
	for (int act = JOB_RELEASE; act <= JOB_FAIL; act++)
		if (job_release_verify(&signature, &key, job->attempt, (enum job_release_act)act,
			    &w->miner_key, sender_chain_tag(w->client_sender)))
			return act;
	return 0;
}

void world_release(struct world *w, const struct world_job *job)
{
	Pb__ReleaseJob release = PB__RELEASE_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	struct account_signature signature;
	CHECK(release_signature(w, &signature));
	release.client = view(w->client.b, 20);
	release.job_id = (char *)(uintptr_t)job->job_id;
	release.attempt = job->attempt;
	release.miner_signature = view(signature.b, 64);
	action.act_case = PB__ACTION__ACT_RELEASE_JOB;
	action.release_job = &release;
	commit(w, w->coordinator_sender, &action);
}
