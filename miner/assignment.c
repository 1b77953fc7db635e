#include "miner/assignment.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "wallet/fields.h"

static bool wrong(char fault[160], const char *what)
{
	snprintf(fault, 160, "%s is missing or not of its form", what);
	return false;
}

static bool read_names(struct assignment *a, const json_t *json, char fault[160])
{
	if (!field_address(&a->client, json, "client"))
		return wrong(fault, "client");
	if (!field_copy(a->job_id, JOB_ID_BYTES_MAX, json, "client_job_id") ||
		!job_id_valid(bytes_of_text(a->job_id)))
		return wrong(fault, "client_job_id");
	if (!field_u32(&a->attempt, json, "attempt") || a->attempt == 0)
		return wrong(fault, "attempt");
	job_rest_id(a->rest_id, &a->client, a->job_id);
	if (strcmp(field_text(json, "job_id"), a->rest_id) != 0) {
		snprintf(fault, 160, "job_id isn't that of client and client_job_id");
		return false;
	}
	return true;
}

static bool read_terms(struct assignment *a, const json_t *json, char fault[160])
{
	if (!field_address(&a->coordinator, json, "coordinator"))
		return wrong(fault, "coordinator");
	if (!field_copy(a->service, SERVICE_BYTES_MAX, json, "service"))
		return wrong(fault, "service");
	if (!field_hex(a->payload_hash.b, 32, json, "payload_hash"))
		return wrong(fault, "payload_hash");
	if (!field_hex(a->chain_tag.b, 32, json, "chain_tag"))
		return wrong(fault, "chain_tag");
	if (!field_u64(&a->reward, json, "reward"))
		return wrong(fault, "reward");
	if (!field_copy(a->unit_type, UNIT_TYPE_BYTES_MAX, json, "unit_type"))
		return wrong(fault, "unit_type");
	if (!field_u64(&a->unit_price, json, "unit_price"))
		return wrong(fault, "unit_price");
	if (!field_u64(&a->max_units_milli, json, "max_units_milli"))
		return wrong(fault, "max_units_milli");
	if (!field_i64(&a->submit_height, json, "submit_height"))
		return wrong(fault, "submit_height");
	return true;
}

static bool read_payload(
	struct assignment *a, const json_t *json, struct bytes body, char fault[160])
{
	struct bytes raw;
	if (!field_hex(a->salt, sizeof a->salt, json, "salt"))
		return wrong(fault, "salt");
	if (!json_is_object(json_object_get(json, "job_data")) ||
		!json_member_span(body, "job_data", &raw))
		return wrong(fault, "job_data");
	buf_append_view(&a->payload_raw, raw);
	if (!buf_ok(&a->payload_raw)) {
		snprintf(fault, 160, "job_data is too large");
		return false;
	}
	a->payload = json_incref(json_object_get(json, "job_data"));
	struct hash32 hash = job_payload_hash(a->salt, raw);
	if (!hash_equal(&hash, &a->payload_hash)) {
		snprintf(fault, 160, "payload_hash isn't that of salt and job_data");
		return false;
	}
	return true;
}

bool assignment_read(struct assignment *out, struct bytes body, char fault[160])
{
	struct json_fault json_fault;
	*out = (struct assignment){0};
	buf_init(&out->payload_raw, HTTP_BODY_BYTES_MAX);
	json_t *json = json_read(body, &json_fault);
	if (!json_is_object(json)) {
		snprintf(fault, 160, "not a JSON object: %.120s",
			json == NULL ? json_fault.text : "");
		json_decref(json);
		return false;
	}
	bool ok = read_names(out, json, fault) && read_terms(out, json, fault) &&
		  read_payload(out, json, body, fault);
	json_decref(json);
	return ok;
}

void assignment_fini(struct assignment *assignment)
{
	json_decref(assignment->payload);
	assignment->payload = NULL;
	buf_fini(&assignment->payload_raw);
}

bool unit_type_measured(const char *unit_type)
{
	static const char *const known[] = {"second", "token", "call", "job", "request"};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i], unit_type) == 0)
			return true;
	return false;
}

/* The name of the first term on which coordinator and chain differ, or NULL. */
static const char *difference(const struct assignment *a, const struct job_terms *t)
{
	if (!account_address_equal(&a->coordinator, &t->coordinator))
		return "coordinator";
	if (strcmp(a->service, t->service) != 0)
		return "service";
	if (!hash_equal(&a->payload_hash, &t->payload_hash))
		return "payload_hash";
	if (a->reward != t->reward)
		return "reward";
	if (strcmp(a->unit_type, t->unit_type) != 0)
		return "unit_type";
	if (a->unit_price != t->unit_price)
		return "unit_price";
	if (a->max_units_milli != t->max_units_milli)
		return "max_units_milli";
	if (a->submit_height != t->submit_height)
		return "submit_height";
	return NULL;
}

enum assignment_verdict assignment_judge(const struct assignment *a, const struct job_terms *t,
	const struct assignment_rules *rules, char fault[160])
{
	if (!hash_equal(&a->chain_tag, &rules->chain_tag)) {
		snprintf(fault, 160, "chain_tag is that of another chain");
		return ASSIGNMENT_NOT_MINE;
	}
	if (t->state != PB__JOB_STATE__ASSIGNED || !t->assigned) {
		snprintf(fault, 160, "on the chain the job is %s", job_state_name(t->state));
		return ASSIGNMENT_NOT_MINE;
	}
	if (t->attempt != a->attempt ||
		memcmp(t->miner.b, rules->miner.b, sizeof t->miner.b) != 0) {
		snprintf(fault, 160, "on the chain attempt %u belongs to %s", t->attempt,
			t->attempt != a->attempt ? "this turn" : "another miner");
		return ASSIGNMENT_NOT_MINE;
	}
	const char *field = difference(a, t);
	if (field != NULL) {
		snprintf(fault, 160, "%s differs from what the chain says", field);
		return ASSIGNMENT_REFUSED;
	}
	if (!account_address_equal(&t->coordinator, &rules->coordinator)) {
		snprintf(fault, 160, "the job's coordinator isn't the one this miner works with");
		return ASSIGNMENT_REFUSED;
	}
	if (t->on_silence != PB__ON_SILENCE__PAY_MINER && !rules->accept_refund) {
		snprintf(fault, 160, "on_silence is REFUND, and this miner wants PAY_MINER");
		return ASSIGNMENT_REFUSED;
	}
	if (!unit_type_measured(t->unit_type)) {
		snprintf(fault, 160, "this miner can't measure units of \"%s\"", t->unit_type);
		return ASSIGNMENT_REFUSED;
	}
	return ASSIGNMENT_GOOD;
}
