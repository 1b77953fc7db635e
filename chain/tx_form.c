#include "chain/tx_form.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "chain/format/validators.h"

enum { PPM_MAX = 1000 * 1000 };

/* The first thing found wrong; everything after it is skipped. */
struct form {
	enum settle_code code;
	const char *field;
};

static void must(struct form *f, bool fact, enum settle_code code, const char *field)
{
	if (fact || f->code != SETTLE_OK)
		return;
	f->code = code;
	f->field = field;
}

static void exactly(struct form *f, ProtobufCBinaryData data, size_t len, const char *field)
{
	must(f, data.len == len, SETTLE_BAD_PARAM, field);
}

static void at_most(struct form *f, const char *text, size_t max, const char *field)
{
	must(f, strlen(text) <= max, SETTLE_LIMIT, field);
}

static void some_text(struct form *f, const char *text, size_t max, const char *field)
{
	at_most(f, text, max, field);
	must(f, text[0] != 0, SETTLE_BAD_PARAM, field);
}

static void job_id(struct form *f, const char *text)
{
	at_most(f, text, JOB_ID_BYTES_MAX, "job_id");
	must(f, job_id_valid(bytes_of_text(text)), SETTLE_BAD_PARAM, "job_id");
}

static void unit_type(struct form *f, const char *text)
{
	some_text(f, text, UNIT_TYPE_BYTES_MAX, "unit_type");
	must(f, strspn(text, "abcdefghijklmnopqrstuvwxyz_") == strlen(text), SETTLE_BAD_PARAM,
		"unit_type");
}

static void address(struct form *f, ProtobufCBinaryData data, const char *field)
{
	exactly(f, data, sizeof(struct account_address), field);
}

/* Absent, or 64 bytes. */
static void maybe_signature(struct form *f, ProtobufCBinaryData data)
{
	must(f, data.len == 0 || data.len == sizeof(struct account_signature), SETTLE_BAD_PARAM,
		"miner_signature");
}

static void receipt(struct form *f, const Pb__Receipt *r)
{
	must(f, r != NULL, SETTLE_BAD_PARAM, "receipt");
	if (!r)
		return;
	must(f, strlen(r->receipt_id) == 32 && strspn(r->receipt_id, "0123456789abcdef") == 32,
		SETTLE_BAD_PARAM, "receipt_id");
	address(f, r->client, "client");
	job_id(f, r->job_id);
	address(f, r->coordinator, "coordinator");
	exactly(f, r->miner, sizeof(struct account_key), "miner");
	some_text(f, r->service, SERVICE_BYTES_MAX, "service");
	exactly(f, r->payload_hash, sizeof(struct hash32), "payload_hash");
	unit_type(f, r->unit_type);
	exactly(f, r->result_hash, sizeof(struct hash32), "result_hash");
	exactly(f, r->miner_signature, sizeof(struct account_signature), "miner_signature");
}

static void coordinator_set(struct form *f, const Pb__CoordinatorSet *a)
{
	must(f, a->share_ppm <= PPM_MAX, SETTLE_BAD_PARAM, "share_ppm");
	must(f, a->n_operators <= COORDINATOR_OPERATORS_MAX, SETTLE_LIMIT, "operators");
	for (size_t i = 0; i < a->n_operators; i++)
		address(f, a->operators[i], "operators");
	at_most(f, a->url, COORDINATOR_URL_BYTES_MAX, "url");
}

static void submit_job(struct form *f, const Pb__SubmitJob *a)
{
	job_id(f, a->job_id);
	address(f, a->coordinator, "coordinator");
	must(f, a->coordinator_ppm <= PPM_MAX, SETTLE_BAD_PARAM, "coordinator_ppm");
	some_text(f, a->service, SERVICE_BYTES_MAX, "service");
	exactly(f, a->payload_hash, sizeof(struct hash32), "payload_hash");
	unit_type(f, a->unit_type);
	must(f,
		a->on_silence == PB__ON_SILENCE__PAY_MINER ||
			a->on_silence == PB__ON_SILENCE__REFUND,
		SETTLE_BAD_PARAM, "on_silence");
	must(f, a->replicas == 1, SETTLE_BAD_PARAM, "replicas");
	must(f, a->settle_rule == 0, SETTLE_BAD_PARAM, "settle_rule");
}

static void assign_job(struct form *f, const Pb__AssignJob *a)
{
	address(f, a->client, "client");
	job_id(f, a->job_id);
	exactly(f, a->miner, sizeof(struct account_key), "miner");
	must(f, a->lease_ms > 0, SETTLE_BAD_PARAM, "lease_ms");
}

static void renew_lease(struct form *f, const Pb__RenewLease *a)
{
	address(f, a->client, "client");
	job_id(f, a->job_id);
	must(f, a->lease_ms > 0, SETTLE_BAD_PARAM, "lease_ms");
}

static void release_job(struct form *f, const Pb__ReleaseJob *a)
{
	address(f, a->client, "client");
	job_id(f, a->job_id);
	maybe_signature(f, a->miner_signature);
}

static void reject_delivery(struct form *f, const Pb__RejectDelivery *a)
{
	address(f, a->client, "client");
	job_id(f, a->job_id);
	at_most(f, a->reason, REASON_BYTES_MAX, "reason");
}

static void fail_job(struct form *f, const Pb__FailJob *a)
{
	address(f, a->client, "client");
	job_id(f, a->job_id);
	at_most(f, a->reason, REASON_BYTES_MAX, "reason");
	maybe_signature(f, a->miner_signature);
}

static void transfer(struct form *f, const Pb__Transfer *a)
{
	address(f, a->to, "to");
	must(f, a->amount >= 1, SETTLE_BAD_PARAM, "amount");
}

static bool is_zero(ProtobufCBinaryData data)
{
	for (size_t i = 0; i < data.len; i++) {
		if (data.data[i] != 0)
			return false;
	}
	return true;
}

/* A removal names no account; who else is named once, and by a key that isn't nothing. */
static void validators_change(struct form *f, const Pb__ValidatorsChange *a)
{
	must(f, a->n_changes >= 1, SETTLE_BAD_PARAM, "changes");
	must(f, a->n_changes <= AUTHORITY_CHANGES_MAX, SETTLE_LIMIT, "changes");
	for (size_t i = 0; i < a->n_changes && f->code == SETTLE_OK; i++) {
		const Pb__ValidatorChange *change = a->changes[i];

		exactly(f, change->key, sizeof(struct validator_key), "key");
		must(f, !is_zero(change->key), SETTLE_BAD_PARAM, "key");
		for (size_t j = 0; j < i && f->code == SETTLE_OK; j++)
			must(f,
				memcmp(change->key.data, a->changes[j]->key.data,
					change->key.len) != 0,
				SETTLE_BAD_PARAM, "key");
		must(f, change->power >= 0 && change->power <= VALIDATORS_POWER_MAX,
			SETTLE_BAD_PARAM, "power");
		must(f,
			change->account.len == 0 ||
				(change->account.len == sizeof(struct account_address) &&
					change->power > 0),
			SETTLE_BAD_PARAM, "account");
	}
}

static void rules_version(struct form *f, const Pb__RulesVersion *a)
{
	must(f, a->version >= 1, SETTLE_BAD_PARAM, "version");
	must(f, a->height >= 1, SETTLE_BAD_PARAM, "height");
	at_most(f, a->release, RELEASE_BYTES_MAX, "release");
}

static void treasury_spend(struct form *f, const Pb__TreasurySpend *a)
{
	address(f, a->to, "to");
	must(f, a->amount >= 1, SETTLE_BAD_PARAM, "amount");
}

static void authority(struct form *f, const Pb__AuthorityProposal *a)
{
	must(f, a != NULL, SETTLE_BAD_PARAM, "proposal");
	if (!a)
		return;
	at_most(f, a->reference, AUTHORITY_REFERENCE_BYTES_MAX, "reference");
	switch (a->change_case) {
	case PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS: validators_change(f, a->validators); return;
	case PB__AUTHORITY_PROPOSAL__CHANGE_PARAMS: return; /* by settlement's table */
	case PB__AUTHORITY_PROPOSAL__CHANGE_RULES: rules_version(f, a->rules); return;
	case PB__AUTHORITY_PROPOSAL__CHANGE_SPEND: treasury_spend(f, a->spend); return;
	case PB__AUTHORITY_PROPOSAL__CHANGE__NOT_SET:
	case _PB__AUTHORITY_PROPOSAL__CHANGE__CASE_IS_INT_SIZE: break;
	}
	must(f, false, SETTLE_BAD_PARAM, "change");
}

static void action_form(struct form *f, const Pb__Action *action)
{
	switch (action->act_case) {
	case PB__ACTION__ACT__NOT_SET: must(f, false, SETTLE_BAD_PARAM, "act"); return;
	case PB__ACTION__ACT_TRANSFER: transfer(f, action->transfer); return;
	case PB__ACTION__ACT_COORDINATOR_SET: coordinator_set(f, action->coordinator_set); return;
	case PB__ACTION__ACT_SUBMIT_JOB: submit_job(f, action->submit_job); return;
	case PB__ACTION__ACT_ASSIGN_JOB: assign_job(f, action->assign_job); return;
	case PB__ACTION__ACT_RENEW_LEASE: renew_lease(f, action->renew_lease); return;
	case PB__ACTION__ACT_RELEASE_JOB: release_job(f, action->release_job); return;
	case PB__ACTION__ACT_RECORD_RECEIPT: receipt(f, action->record_receipt->receipt); return;
	case PB__ACTION__ACT_DELIVER_RESULT: receipt(f, action->deliver_result->receipt); return;
	case PB__ACTION__ACT_REJECT_DELIVERY: reject_delivery(f, action->reject_delivery); return;
	case PB__ACTION__ACT_FAIL_JOB: fail_job(f, action->fail_job); return;
	case PB__ACTION__ACT_CANCEL_JOB: job_id(f, action->cancel_job->job_id); return;
	case PB__ACTION__ACT_AUTHORITY: authority(f, action->authority->proposal); return;
	case _PB__ACTION__ACT__CASE_IS_INT_SIZE: break;
	}
	must(f, false, SETTLE_BAD_PARAM, "act");
}

enum settle_code tx_body_form(const Pb__TxBody *body, char fault[64])
{
	struct form f = {SETTLE_OK, ""};

	at_most(&f, body->memo, TX_MEMO_BYTES_MAX, "memo");
	must(&f, body->n_actions >= 1, SETTLE_BAD_PARAM, "actions");
	must(&f, body->n_actions <= TX_ACTIONS_MAX, SETTLE_LIMIT, "actions");
	if (f.code != SETTLE_OK) {
		snprintf(fault, 64, "%s", f.field);
		return f.code;
	}
	for (size_t i = 0; i < body->n_actions; i++) {
		action_form(&f, body->actions[i]);
		if (f.code != SETTLE_OK) {
			snprintf(fault, 64, "actions[%zu].%s", i, f.field);
			return f.code;
		}
	}
	return SETTLE_OK;
}
