#include "wallet/terms.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "rpc/client.h"
#include "wallet/fields.h"

/* Reads member after member until one is at fault; then names it and reads no more. */
struct reader {
	const json_t *object;
	char *fault;
	bool bad;
};

static bool take(struct reader *r, bool read, const char *name)
{
	if (!read && !r->bad) {
		snprintf(r->fault, 96, "%s is missing or not of its form", name);
		r->bad = true;
	}
	return read;
}

static void read_identity(struct reader *r, struct job_terms *out)
{
	int state = 0;

	take(r, field_address(&out->client, r->object, "client"), "client");
	take(r,
		field_copy(out->job_id, JOB_ID_BYTES_MAX, r->object, "job_id") &&
			job_id_valid(bytes_of_text(out->job_id)),
		"job_id");
	take(r,
		field_enum(&state, &pb__job_state__descriptor, r->object, "state") &&
			state != PB__JOB_STATE__JOB_NONE,
		"state");
	take(r, field_u32(&out->attempt, r->object, "attempt"), "attempt");
	out->state = (Pb__JobState)state;
}

static void read_terms(struct reader *r, struct job_terms *out)
{
	const json_t *o = r->object;
	int on_silence = 0;

	take(r, field_address(&out->coordinator, o, "coordinator"), "coordinator");
	take(r, field_u32(&out->coordinator_ppm, o, "coordinator_ppm"), "coordinator_ppm");
	take(r, field_copy(out->service, SERVICE_BYTES_MAX, o, "service"), "service");
	take(r, field_hex(out->payload_hash.b, 32, o, "payload_hash"), "payload_hash");
	take(r, field_u64(&out->reward, o, "reward"), "reward");
	take(r, field_copy(out->unit_type, UNIT_TYPE_BYTES_MAX, o, "unit_type"), "unit_type");
	take(r, field_u64(&out->unit_price, o, "unit_price"), "unit_price");
	take(r, field_u64(&out->max_units_milli, o, "max_units_milli"), "max_units_milli");
	take(r, field_u64(&out->deadline_ms, o, "deadline_ms"), "deadline_ms");
	take(r, field_u32(&out->max_attempts, o, "max_attempts"), "max_attempts");
	take(r, field_enum(&on_silence, &pb__on_silence__descriptor, o, "on_silence"),
		"on_silence");
	take(r, field_u64(&out->review_ms, o, "review_ms"), "review_ms");
	take(r, field_u64(&out->grace_ms, o, "grace_ms"), "grace_ms");
	take(r, field_i64(&out->submit_height, o, "submit_height"), "submit_height");
	out->on_silence = (Pb__OnSilence)on_silence;
}

static void read_assignment(struct reader *r, struct job_terms *out)
{
	const json_t *o = json_object_get(r->object, "assignment");

	take(r, field_hex(out->miner.b, 33, o, "miner"), "assignment.miner");
	take(r, field_u64(&out->lease_end_ms, o, "lease_end_ms"), "assignment.lease_end_ms");
	take(r, field_u64(&out->assigned_block_ms, o, "assigned_block_ms"),
		"assignment.assigned_block_ms");
	if (out->state == PB__JOB_STATE__DELIVERED)
		take(r, field_u64(&out->review_end_ms, o, "review_end_ms"),
			"assignment.review_end_ms");
	out->assigned = true;
}

static void read_ending(struct reader *r, struct job_terms *out)
{
	const char *hash = field_text(r->object, "receipt_hash");

	/* A job that ended without a receipt has an empty hash. */
	if (hash[0])
		take(r, field_hex(out->receipt_hash.b, 32, r->object, "receipt_hash"),
			"receipt_hash");
	take(r, field_u64(&out->to_miner, r->object, "to_miner"), "to_miner");
	take(r, field_u64(&out->to_coordinator, r->object, "to_coordinator"), "to_coordinator");
	take(r, field_u64(&out->to_client, r->object, "to_client"), "to_client");
	take(r, field_i64(&out->height, r->object, "height"), "height");
}

bool job_terms_parse(struct job_terms *out, const json_t *job, char fault[96])
{
	struct reader r = {job, fault, false};

	fault[0] = '\0';
	*out = (struct job_terms){0};
	read_identity(&r, out);
	if (r.bad)
		return false;
	if (job_state_terminal(out->state)) {
		read_ending(&r, out);
	} else {
		read_terms(&r, out);
		if (out->state == PB__JOB_STATE__ASSIGNED || out->state == PB__JOB_STATE__DELIVERED)
			read_assignment(&r, out);
	}
	/* The clocks are a convenience of the query; a job is a job without them. */
	if (!field_u64(&out->job_time_ms, job, "job_time_ms"))
		out->job_time_ms = 0;
	if (!field_u64(&out->block_time_ms, job, "block_time_ms"))
		out->block_time_ms = 0;
	return !r.bad;
}

bool job_state_terminal(Pb__JobState state)
{
	return state >= PB__JOB_STATE__SETTLED;
}

const char *job_state_name(Pb__JobState state)
{
	const ProtobufCEnumValue *value =
		protobuf_c_enum_descriptor_get_value(&pb__job_state__descriptor, (int)state);

	return value ? value->name : "unknown";
}

json_t *job_terms_query(const struct account_address *client, const char *job_id)
{
	if (!job_id_valid(bytes_of_text(job_id)))
		return NULL;
	struct job_key key = job_key_of(client, bytes_of_text(job_id));
	return rpc_params_query("/jobs", bytes_view(key.b, key.len));
}

struct job_key job_terms_key(const struct job_terms *terms)
{
	return job_key_of(&terms->client, bytes_of_text(terms->job_id));
}

static ProtobufCBinaryData binary(const void *data, size_t len)
{
	/* protobuf-c has no const; nothing here writes through it. */
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

bool job_receipt_build(struct job_receipt *out, const struct job_terms *terms,
	const struct job_work *work, const struct hash32 *chain_tag)
{
	if (!terms->assigned || work->completed_ms < work->started_ms)
		return false;

	struct job_key key = job_terms_key(terms);
	uint64_t units = work->units_milli < terms->max_units_milli ? work->units_milli
								    : terms->max_units_milli;

	*out = (struct job_receipt){.terms = *terms, .result_hash = work->result_hash};
	receipt_id_of(out->receipt_id, chain_tag, &key, terms->attempt);
	Pb__Receipt *m = &out->message;
	pb__receipt__init(m);
	m->receipt_id = out->receipt_id;
	m->client = binary(out->terms.client.b, 20);
	m->job_id = out->terms.job_id;
	m->attempt = terms->attempt;
	m->submit_height = terms->submit_height;
	m->coordinator = binary(out->terms.coordinator.b, 20);
	m->miner = binary(out->terms.miner.b, 33);
	m->service = out->terms.service;
	m->payload_hash = binary(out->terms.payload_hash.b, 32);
	m->unit_type = out->terms.unit_type;
	m->units_milli = units;
	m->unit_price = terms->unit_price;
	m->amount = receipt_amount(units, terms->max_units_milli, terms->unit_price, terms->reward);
	m->result_hash = binary(out->result_hash.b, 32);
	m->started_ms = work->started_ms;
	m->completed_ms = work->completed_ms;
	return true;
}

static void attach(struct job_receipt *receipt, const struct account_signature *signature)
{
	receipt->signature = *signature;
	receipt->message.miner_signature = binary(receipt->signature.b, 64);
	receipt->is_signed = true;
}

static bool secret_is_of(const struct account_secret *secret, const struct account_key *key)
{
	struct account_key own;

	return account_key_of(&own, secret) && memcmp(own.b, key->b, sizeof own.b) == 0;
}

bool job_receipt_sign(struct job_receipt *receipt, const struct account_secret *secret,
	const struct hash32 *chain_tag)
{
	struct account_signature signature;

	if (!secret_is_of(secret, &receipt->terms.miner))
		return false;
	struct hash32 digest = receipt_digest(&receipt->message, chain_tag);
	account_sign(&signature, secret, &digest);
	attach(receipt, &signature);
	return true;
}

bool job_receipt_attach(struct job_receipt *receipt, const struct account_signature *signature,
	const struct hash32 *chain_tag)
{
	struct hash32 digest = receipt_digest(&receipt->message, chain_tag);

	if (!account_verify(&receipt->terms.miner, &digest, signature))
		return false;
	attach(receipt, signature);
	return true;
}

bool job_release_sign(struct account_signature *out, const struct job_key *job, uint32_t attempt,
	enum job_release_act act, const struct account_secret *secret,
	const struct hash32 *chain_tag)
{
	struct account_key miner;

	if (!account_key_of(&miner, secret))
		return false;
	struct hash32 digest = release_digest(chain_tag, job, attempt, &miner, (uint8_t)act);
	account_sign(out, secret, &digest);
	return true;
}

bool job_release_verify(const struct account_signature *signature, const struct job_key *job,
	uint32_t attempt, enum job_release_act act, const struct account_key *miner,
	const struct hash32 *chain_tag)
{
	struct hash32 digest = release_digest(chain_tag, job, attempt, miner, (uint8_t)act);

	return account_verify(miner, &digest, signature);
}

struct hash32 job_payload_hash(const uint8_t salt[32], struct bytes payload)
{
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, salt, 32);
	sha256_add(&s, payload.data, payload.len);
	return sha256_end(&s);
}

void job_rest_id(
	char out[JOB_REST_ID_BYTES], const struct account_address *client, const char *job_id)
{
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, client->b, sizeof client->b);
	sha256_add(&s, "", 1);
	sha256_add(&s, job_id, strlen(job_id));
	struct hash32 h = sha256_end(&s);
	char digits[33];
	hex_lower(digits, h.b, 16);
	snprintf(out, JOB_REST_ID_BYTES, "job_%s", digits);
}
