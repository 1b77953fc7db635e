#include "tests/unit/tx_samples.h"

#include <string.h>

#include "chain/format/wire.h"

static ProtobufCBinaryData filled(uint8_t *memory, uint8_t value, size_t len)
{
	memset(memory, value, len);
	return wire_borrow(memory, len);
}

ProtobufCBinaryData sample_address(void)
{
	static uint8_t memory[20];
	return filled(memory, 0x22, sizeof memory);
}

ProtobufCBinaryData sample_hash(void)
{
	static uint8_t memory[32];
	return filled(memory, 0x55, sizeof memory);
}

ProtobufCBinaryData sample_key(void)
{
	static uint8_t memory[33];
	ProtobufCBinaryData key = filled(memory, 0x33, sizeof memory);

	memory[0] = 2;
	return key;
}

ProtobufCBinaryData sample_signature(void)
{
	static uint8_t memory[64];
	return filled(memory, 0x77, sizeof memory);
}

static char *text(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

void receipt_sample_fill(Pb__Receipt *r)
{
	static uint8_t coordinator[20], result[32];

	pb__receipt__init(r);
	r->receipt_id = text("00000000000000000000000000000000");
	r->client = sample_address();
	r->job_id = text("job-1");
	r->attempt = 2;
	r->submit_height = 9;
	r->coordinator = filled(coordinator, 0x44, sizeof coordinator);
	r->miner = sample_key();
	r->service = text("llm");
	r->payload_hash = sample_hash();
	r->unit_type = text("second");
	r->units_milli = 12500;
	r->unit_price = 20000;
	r->amount = 250000;
	r->result_hash = filled(result, 0x66, sizeof result);
	r->started_ms = 1700000000000;
	r->completed_ms = 1700000012500;
	r->miner_signature = sample_signature();
}

static void fill_jobs(struct tx_sample *s)
{
	pb__submit_job__init(&s->submit_job);
	s->submit_job.job_id = text("job-1");
	s->submit_job.coordinator = sample_address();
	s->submit_job.coordinator_ppm = 100000;
	s->submit_job.service = text("llm");
	s->submit_job.payload_hash = sample_hash();
	s->submit_job.reward = 500000;
	s->submit_job.unit_type = text("second");
	s->submit_job.unit_price = 20000;
	s->submit_job.max_units_milli = 60000;
	s->submit_job.ttl_ms = 600000;
	s->submit_job.max_attempts = 3;
	s->submit_job.on_silence = PB__ON_SILENCE__PAY_MINER;
	s->submit_job.replicas = 1;
	pb__assign_job__init(&s->assign_job);
	s->assign_job.client = sample_address();
	s->assign_job.job_id = text("job-1");
	s->assign_job.attempt = 1;
	s->assign_job.miner = sample_key();
	s->assign_job.lease_ms = 30000;
	pb__renew_lease__init(&s->renew_lease);
	s->renew_lease.client = sample_address();
	s->renew_lease.job_id = text("job-1");
	s->renew_lease.attempt = 1;
	s->renew_lease.lease_ms = 30000;
	pb__release_job__init(&s->release_job);
	s->release_job.client = sample_address();
	s->release_job.job_id = text("job-1");
	s->release_job.attempt = 1;
	s->release_job.miner_signature = sample_signature();
}

static void fill_ends(struct tx_sample *s)
{
	receipt_sample_fill(&s->receipt);
	pb__record_receipt__init(&s->record_receipt);
	s->record_receipt.receipt = &s->receipt;
	pb__deliver_result__init(&s->deliver_result);
	s->deliver_result.receipt = &s->receipt;
	pb__reject_delivery__init(&s->reject_delivery);
	s->reject_delivery.client = sample_address();
	s->reject_delivery.job_id = text("job-1");
	s->reject_delivery.attempt = 1;
	s->reject_delivery.reason = text("not what was asked: \xc3\xa9");
	pb__fail_job__init(&s->fail_job);
	s->fail_job.client = sample_address();
	s->fail_job.job_id = text("job-1");
	s->fail_job.attempt = 1;
	s->fail_job.reason = text("no such model");
	pb__cancel_job__init(&s->cancel_job);
	s->cancel_job.job_id = text("job-1");
}

/* One that comes with its operator and one that goes; room for more. */
static void fill_authority(struct tx_sample *s)
{
	pb__authority__init(&s->authority);
	pb__authority_proposal__init(&s->proposal);
	pb__validators_change__init(&s->validators);
	pb__settle_params__init(&s->params);
	pb__rules_version__init(&s->rules);
	pb__treasury_spend__init(&s->spend);
	s->authority.proposal = &s->proposal;
	s->proposal.reference = text("june");
	s->proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS;
	s->proposal.validators = &s->validators;
	s->validators.changes = s->change_list;
	s->validators.n_changes = 2;
	for (size_t i = 0; i <= AUTHORITY_CHANGES_MAX; i++) {
		pb__validator_change__init(&s->changes[i]);
		s->change_list[i] = &s->changes[i];
		s->changes[i].key = filled(s->validator_keys[i], (uint8_t)(i + 1), 32);
		s->changes[i].power = 10;
		s->changes[i].account = sample_address();
	}
	s->changes[1].power = 0;
	s->changes[1].account = wire_borrow(NULL, 0);
	s->rules.version = 2;
	s->rules.height = 1000;
	s->rules.release = text("2.0");
	s->spend.to = sample_address();
	s->spend.amount = 1000;
}

static void fill_actions(struct tx_sample *s)
{
	for (size_t i = 0; i < SAMPLE_ACTIONS; i++) {
		pb__action__init(&s->actions[i]);
		s->list[i] = &s->actions[i];
		s->actions[i].act_case = (Pb__Action__ActCase)(i + 1);
	}
	s->actions[0].transfer = &s->transfer;
	s->actions[1].coordinator_set = &s->coordinator_set;
	s->actions[2].submit_job = &s->submit_job;
	s->actions[3].assign_job = &s->assign_job;
	s->actions[4].renew_lease = &s->renew_lease;
	s->actions[5].release_job = &s->release_job;
	s->actions[6].record_receipt = &s->record_receipt;
	s->actions[7].deliver_result = &s->deliver_result;
	s->actions[8].reject_delivery = &s->reject_delivery;
	s->actions[9].fail_job = &s->fail_job;
	s->actions[10].cancel_job = &s->cancel_job;
	s->actions[11].authority = &s->authority;
}

void tx_sample_fill(struct tx_sample *s)
{
	bool is_key;

	memset(s, 0, sizeof *s);
	memset(s->chain_tag.b, 0x11, sizeof s->chain_tag.b);
	memset(s->secret.b, 7, sizeof s->secret.b);
	is_key = account_key_of(&s->key, &s->secret);
	CHECK(is_key);
	pb__transfer__init(&s->transfer);
	s->transfer.to = sample_address();
	s->transfer.amount = 1000;
	pb__coordinator_set__init(&s->coordinator_set);
	for (size_t i = 0; i < 3; i++)
		s->operators[i] = sample_address();
	s->coordinator_set.share_ppm = 100000;
	s->coordinator_set.n_operators = 3;
	s->coordinator_set.operators = s->operators;
	s->coordinator_set.url = text("http://127.0.0.1:18000");
	s->coordinator_set.accepts_new = true;
	fill_jobs(s);
	fill_ends(s);
	fill_authority(s);
	fill_actions(s);
	pb__tx_body__init(&s->body);
	s->body.sequence = 7;
	s->body.fee = 5000;
	s->body.valid_until_ms = 1700000100000;
	s->body.mode = PB__MODE__EACH;
	s->body.memo = text("memo");
	s->body.n_actions = SAMPLE_ACTIONS;
	s->body.actions = s->list;
}

void tx_sample_sign(struct buf *out, struct tx_sample *s)
{
	tx_sign(out, &s->body, &s->secret, &s->key, &s->chain_tag);
}

void put_varint(struct buf *out, uint64_t value, bool is_long)
{
	for (; value >= 0x80; value >>= 7)
		buf_append_byte(out, (uint8_t)(value | 0x80));
	buf_append_byte(out, (uint8_t)(value | (is_long ? 0x80 : 0)));
	if (is_long)
		buf_append_byte(out, 0);
}

void put_bytes_field(struct buf *out, uint64_t tag, struct bytes content)
{
	put_varint(out, tag, false);
	put_varint(out, content.len, false);
	buf_append_view(out, content);
}

void tx_sample_sign_raw(struct buf *out, const struct tx_sample *s, struct bytes body)
{
	struct hash32 digest = tx_digest(&s->chain_tag, &s->key, body);
	struct account_signature signature;

	account_sign(&signature, &s->secret, &digest);
	put_bytes_field(out, 1 << 3 | 2, body);
	put_bytes_field(out, 2 << 3 | 2, bytes_view(s->key.b, sizeof s->key.b));
	put_bytes_field(out, 3 << 3 | 2, bytes_view(signature.b, sizeof signature.b));
}
