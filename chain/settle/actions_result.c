/* What a miner's work leads to: its receipt is recorded, or delivered and then recorded or rejected
 * [protocol 4]. */
#include <string.h>

#include "base/amount.h"
#include "chain/settle/jobs.h"
#include "chain/settle/roles.h"

static bool field_is(const ProtobufCBinaryData *field, const void *data, size_t len)
{
	return bytes_equal(bytes_view(field->data, field->len), bytes_view(data, len));
}

static bool same_field(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return field_is(a, b->data, b->len);
}

static enum settle_code receipt_fields(
	const struct run *run, const struct job_view *view, const Pb__Receipt *receipt)
{
	const Pb__Job *job = view->job;
	char id[33];

	receipt_id_of(id, &run->settle->config.chain_tag, &view->key, job->attempt);
	if (strcmp(receipt->receipt_id, id) != 0 || receipt->submit_height != job->submit_height ||
		!same_field(&receipt->coordinator, &job->coordinator) ||
		strcmp(receipt->service, job->service) != 0 ||
		!same_field(&receipt->payload_hash, &job->payload_hash) ||
		receipt->started_ms > receipt->completed_ms)
		return SETTLE_BAD_RECEIPT;
	return SETTLE_OK;
}

static bool unit_fits(
	const struct run *run, const struct job_view *view, const Pb__Receipt *receipt)
{
	const Pb__Job *job = view->job;

	if (strcmp(receipt->unit_type, job->unit_type) != 0 ||
		receipt->unit_price != job->unit_price)
		return false;
	if (strcmp(job->unit_type, "second") != 0)
		return true;
	/* Nobody worked longer than the assignment has stood. */
	return receipt->units_milli <= run->block_ms - view->assignment->assigned_block_ms +
					       run->settle->params.unit_slack_ms;
}

/* Is this a receipt that the assigned miner signed for this job? In the protocol's order of checks.
 */
static enum settle_code receipt_check(
	struct run *run, const struct job_view *view, const Pb__Receipt *receipt)
{
	const Pb__Job *job = view->job;
	struct account_signature signature;
	struct account_key miner;
	struct hash32 digest;
	enum settle_code code = receipt_fields(run, view, receipt);

	if (code != SETTLE_OK)
		return code;
	if (!same_field(&receipt->miner, &view->assignment->miner))
		return SETTLE_NOT_ASSIGNED_MINER;
	if (!unit_fits(run, view, receipt))
		return SETTLE_UNIT_MISMATCH;
	if (receipt->amount != receipt_amount(receipt->units_milli, job->max_units_milli,
				       job->unit_price, job->reward))
		return SETTLE_AMOUNT_MISMATCH;
	memcpy(miner.b, receipt->miner.data, sizeof miner.b);
	memcpy(signature.b, receipt->miner_signature.data, sizeof signature.b);
	digest = receipt_digest(receipt, &run->settle->config.chain_tag);
	return account_verify(&miner, &digest, &signature) ? SETTLE_OK : SETTLE_BAD_MINER_SIGNATURE;
}

static struct bytes pack_aside(struct run *run, const Pb__Receipt *receipt)
{
	uint8_t *packed = arena_alloc(run->state->scratch, pb__receipt__get_packed_size(receipt));

	if (!packed) {
		run_fail(run, STATUS_NO_MEMORY);
		return bytes_view(NULL, 0);
	}
	return bytes_view(packed, pb__receipt__pack(receipt, packed));
}

/* Byte for byte the delivered one, which was checked when it came. */
static bool is_delivered(struct run *run, const struct job_view *view, const Pb__Receipt *receipt)
{
	struct bytes delivered = pack_aside(run, view->assignment->delivered);

	return bytes_equal(pack_aside(run, receipt), delivered);
}

enum settle_code action_record_receipt(struct run *run, const Pb__RecordReceipt *act)
{
	const Pb__Receipt *receipt = act->receipt;
	struct job_split split = {.receipt = receipt};
	struct job_view view;
	enum job_state next;
	bool exact;
	enum settle_code code = job_of_coordinator(run, &view, &receipt->client, receipt->job_id);

	if (code != SETTLE_OK)
		return code;
	if (!job_next(view.state, JOB_RECORD, &next))
		return SETTLE_WRONG_STATE;
	if (receipt->attempt != view.job->attempt)
		return SETTLE_ATTEMPT_MISMATCH;
	if (view.state == JOB_DELIVERED)
		code = is_delivered(run, &view, receipt) ? SETTLE_OK : SETTLE_BAD_RECEIPT;
	else
		code = receipt_check(run, &view, receipt);
	if (code != SETTLE_OK)
		return code;
	exact = mul_div_u64(
		&split.to_coordinator, receipt->amount, view.job->coordinator_ppm, 1000000);
	CHECK(exact); /* ppm <= 10^6 */
	split.to_miner = receipt->amount - split.to_coordinator;
	split.to_client = view.job->reward - receipt->amount;
	run->outcome.receipt = receipt;
	job_end(run, &view, JOB_RECORD, CAUSE_RECORD, &split);
	return SETTLE_OK;
}

enum settle_code action_deliver_result(struct run *run, const Pb__DeliverResult *act)
{
	const Pb__Receipt *receipt = act->receipt;
	struct account_address client;
	struct job_view view;
	enum job_state next;
	enum settle_code code;

	CHECK(receipt->client.len == sizeof client.b); /* tx_decode saw to it */
	memcpy(client.b, receipt->client.data, sizeof client.b);
	code = job_find(run, &view, &client, bytes_of_text(receipt->job_id));
	if (code != SETTLE_OK)
		return code;
	if (!job_next(view.state, JOB_DELIVER, &next))
		return SETTLE_WRONG_STATE;
	if (receipt->attempt != view.job->attempt)
		return SETTLE_ATTEMPT_MISMATCH;
	code = receipt_check(run, &view, receipt);
	if (code != SETTLE_OK)
		return code;
	view.assignment->delivered = act->receipt;
	view.assignment->review_end_ms = run->job_ms + view.job->review_ms;
	state_assignment_put(run->state, &view.key, view.job->attempt, view.assignment);
	run->outcome.receipt = receipt;
	job_move(run, &view, JOB_DELIVER, CAUSE_DELIVER);
	return SETTLE_OK;
}

enum settle_code action_reject_delivery(struct run *run, const Pb__RejectDelivery *act)
{
	struct job_view view;
	enum job_state next;
	enum settle_code code = job_of_coordinator(run, &view, &act->client, act->job_id);

	if (code != SETTLE_OK)
		return code;
	if (!job_next(view.state, JOB_REJECT, &next))
		return SETTLE_WRONG_STATE;
	if (act->attempt != view.job->attempt)
		return SETTLE_ATTEMPT_MISMATCH;
	if (view.job->attempt >= view.job->max_attempts || run->job_ms >= view.job->deadline_ms) {
		job_refund(run, &view, JOB_REJECT_LAST, CAUSE_REJECT);
		return SETTLE_OK;
	}
	state_assignment_delete(run->state, &view.key, view.job->attempt);
	job_move(run, &view, JOB_REJECT, CAUSE_REJECT);
	return SETTLE_OK;
}
