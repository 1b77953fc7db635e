#include <string.h>

#include "tests/model/model.h"

/* ---- arithmetic by hand: 64 x 64 bits, divided bit by bit ---- */

static uint64_t times_over(uint64_t a, uint64_t b, uint64_t divisor, bool *too_big)
{
	uint64_t high = 0, low = 0, quotient = 0, rest = 0;

	for (int bit = 63; bit >= 0; bit--) {
		uint64_t before;

		high = high << 1 | low >> 63;
		low <<= 1;
		if ((b >> bit & 1) == 0)
			continue;
		before = low;
		low += a;
		high += low < before;
	}
	*too_big = false;
	for (int bit = 127; bit >= 0; bit--) {
		uint64_t next = bit >= 64 ? high >> (bit - 64) & 1 : low >> bit & 1;

		rest = rest << 1 | next; /* divisors here are small */
		if (rest < divisor)
			continue;
		rest -= divisor;
		if (bit >= 64)
			*too_big = true;
		else
			quotient |= (uint64_t)1 << bit;
	}
	return quotient;
}

static uint64_t worth(uint64_t units, uint64_t max_units, uint64_t price, uint64_t reward)
{
	bool too_big;
	uint64_t amount = times_over(units < max_units ? units : max_units, price, 1000, &too_big);

	return too_big || amount > reward ? reward : amount;
}

/* ---- form [2, 3, 4] ---- */

static bool chars(const char *text, const char *allowed)
{
	return text[strspn(text, allowed)] == 0;
}

static uint32_t text_form(const char *text, size_t max)
{
	if (strlen(text) > max)
		return 12;
	return text[0] ? 0 : 11;
}

static uint32_t id_form(const char *id)
{
	uint32_t code = text_form(id, 64);

	if (code)
		return code;
	return chars(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") ? 0
											      : 11;
}

static uint32_t unit_form(const char *unit)
{
	if (strlen(unit) > 16)
		return 12;
	return unit[0] && chars(unit, "abcdefghijklmnopqrstuvwxyz_") ? 0 : 11;
}

static uint32_t first_of(const uint32_t *codes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (codes[i])
			return codes[i];
	return 0;
}

#define FIRST(...)                                                                                 \
	first_of((const uint32_t[]){__VA_ARGS__},                                                  \
		sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define NEED(fact)     ((fact) ? 0u : 11u)
#define LEN(field, n)  NEED((field).len == (n))
#define UP_TO(text, n) (strlen(text) <= (n) ? 0u : 12u)

static uint32_t receipt_form(const Pb__Receipt *r)
{
	if (!r)
		return 11;
	return FIRST(NEED(strlen(r->receipt_id) == 32 && chars(r->receipt_id, "0123456789abcdef")),
		LEN(r->client, 20), id_form(r->job_id), LEN(r->coordinator, 20), LEN(r->miner, 33),
		text_form(r->service, 64), LEN(r->payload_hash, 32), unit_form(r->unit_type),
		LEN(r->result_hash, 32), LEN(r->miner_signature, 64));
}

static uint32_t coordinator_form(const Pb__CoordinatorSet *a)
{
	if (a->share_ppm > 1000000)
		return 11;
	if (a->n_operators > 8)
		return 12;
	for (size_t i = 0; i < a->n_operators; i++)
		if (a->operators[i].len != 20)
			return 11;
	return UP_TO(a->url, 256);
}

static uint32_t submit_form(const Pb__SubmitJob *a)
{
	return FIRST(id_form(a->job_id), LEN(a->coordinator, 20),
		NEED(a->coordinator_ppm <= 1000000), text_form(a->service, 64),
		LEN(a->payload_hash, 32), unit_form(a->unit_type),
		NEED(a->on_silence == 1 || a->on_silence == 2), NEED(a->replicas == 1),
		NEED(a->settle_rule == 0));
}

static uint32_t action_form(const Pb__Action *action)
{
	if (action->act_case == PB__ACTION__ACT_TRANSFER)
		return FIRST(LEN(action->transfer->to, 20), NEED(action->transfer->amount > 0));
	if (action->act_case == PB__ACTION__ACT_COORDINATOR_SET)
		return coordinator_form(action->coordinator_set);
	if (action->act_case == PB__ACTION__ACT_SUBMIT_JOB)
		return submit_form(action->submit_job);
	if (action->act_case == PB__ACTION__ACT_ASSIGN_JOB)
		return FIRST(LEN(action->assign_job->client, 20),
			id_form(action->assign_job->job_id), LEN(action->assign_job->miner, 33),
			NEED(action->assign_job->lease_ms > 0));
	if (action->act_case == PB__ACTION__ACT_RENEW_LEASE)
		return FIRST(LEN(action->renew_lease->client, 20),
			id_form(action->renew_lease->job_id),
			NEED(action->renew_lease->lease_ms > 0));
	if (action->act_case == PB__ACTION__ACT_RELEASE_JOB)
		return FIRST(LEN(action->release_job->client, 20),
			id_form(action->release_job->job_id),
			NEED(action->release_job->miner_signature.len == 0 ||
				action->release_job->miner_signature.len == 64));
	if (action->act_case == PB__ACTION__ACT_RECORD_RECEIPT)
		return receipt_form(action->record_receipt->receipt);
	if (action->act_case == PB__ACTION__ACT_DELIVER_RESULT)
		return receipt_form(action->deliver_result->receipt);
	if (action->act_case == PB__ACTION__ACT_REJECT_DELIVERY)
		return FIRST(LEN(action->reject_delivery->client, 20),
			id_form(action->reject_delivery->job_id),
			UP_TO(action->reject_delivery->reason, 256));
	if (action->act_case == PB__ACTION__ACT_FAIL_JOB)
		return FIRST(LEN(action->fail_job->client, 20), id_form(action->fail_job->job_id),
			UP_TO(action->fail_job->reason, 256),
			NEED(action->fail_job->miner_signature.len == 0 ||
				action->fail_job->miner_signature.len == 64));
	if (action->act_case == PB__ACTION__ACT_CANCEL_JOB)
		return id_form(action->cancel_job->job_id);
	if (action->act_case == PB__ACTION__ACT_AUTHORITY)
		return model_authority_form(action->authority->proposal);
	return 11;
}

uint32_t model_form(const Pb__TxBody *body)
{
	if (strlen(body->memo) > 256)
		return 12;
	if (body->n_actions == 0)
		return 11;
	if (body->n_actions > 256)
		return 12;
	for (size_t i = 0; i < body->n_actions; i++) {
		uint32_t code = action_form(body->actions[i]);

		if (code)
			return code;
	}
	return 0;
}

/* ---- preimages ---- */

static size_t job_key(uint8_t out[85], const uint8_t client[20], const char *id)
{
	size_t len = strlen(id);

	memcpy(out, client, 20);
	out[20] = (uint8_t)len;
	memcpy(out + 21, id, len);
	return 21 + len;
}

static void put_attempt(uint8_t out[4], uint32_t attempt)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(attempt >> (24 - 8 * i));
}

static bool release_good(const struct model *m, const struct model_job *job,
	const ProtobufCBinaryData *field, uint8_t act)
{
	uint8_t text[256] = "aitbc/release/1";
	size_t at = 16; /* with its zero */
	struct account_key key;
	struct account_signature signature;
	struct hash32 digest;

	memcpy(text + at, m->chain_tag.b, 32), at += 32;
	at += job_key(text + at, job->client, job->id);
	put_attempt(text + at, job->attempt), at += 4;
	memcpy(text + at, job->miner, 33), at += 33;
	text[at++] = act;
	digest = sha256(bytes_view(text, at));
	memcpy(key.b, job->miner, 33);
	memcpy(signature.b, field->data, 64);
	return account_verify(&key, &digest, &signature);
}

static void receipt_id(const struct model *m, char out[33], const struct model_job *job)
{
	uint8_t text[256] = "aitbc/receipt-id/1";
	size_t at = 19;
	struct hash32 hash;

	memcpy(text + at, m->chain_tag.b, 32), at += 32;
	at += job_key(text + at, job->client, job->id);
	put_attempt(text + at, job->attempt), at += 4;
	hash = sha256(bytes_view(text, at));
	for (int i = 0; i < 16; i++) {
		out[2 * i] = "0123456789abcdef"[hash.b[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[hash.b[i] & 15];
	}
	out[32] = 0;
}

/* R, after `head` bytes left free for a prefix; returns its length. */
static size_t pack_unsigned(uint8_t *out, size_t room, const Pb__Receipt *receipt)
{
	Pb__Receipt copy = *receipt;
	size_t len;

	copy.miner_signature = (ProtobufCBinaryData){0, NULL};
	len = pb__receipt__get_packed_size(&copy);
	CHECK(len <= room);
	return pb__receipt__pack(&copy, out);
}

static bool receipt_good(const struct model *m, const Pb__Receipt *receipt)
{
	uint8_t text[2048] = "aitbc/receipt/1";
	struct account_key key;
	struct account_signature signature;
	struct hash32 digest;
	size_t len;

	memcpy(text + 16, m->chain_tag.b, 32);
	len = pack_unsigned(text + 48, sizeof text - 48, receipt);
	digest = sha256(bytes_view(text, 48 + len));
	memcpy(key.b, receipt->miner.data, 33);
	memcpy(signature.b, receipt->miner_signature.data, 64);
	return account_verify(&key, &digest, &signature);
}

/* ---- time ---- */

uint64_t model_due_ms(const struct model_job *job)
{
	return job->state == 3 ? job->review_end : job->deadline;
}

bool model_due(const struct model *m, const struct model_job *job)
{
	return m->job_ms >= model_due_ms(job);
}

/* ---- ends ---- */

static void miner_address(uint8_t out[20], const uint8_t key[33])
{
	struct account_key copy;

	memcpy(copy.b, key, 33);
	memcpy(out, account_address_of(&copy).b, 20);
}

void model_end(struct model *m, size_t live, int state, uint64_t to_miner, uint64_t to_coordinator,
	uint64_t to_client, const Pb__Receipt *receipt)
{
	struct model_job job = m->world.live[live];
	uint8_t miner[20];

	CHECK(to_miner + to_coordinator + to_client == job.reward);
	miner_address(miner, job.miner);
	model_credit(m, miner, to_miner);
	model_credit(m, job.coordinator, to_coordinator);
	model_credit(m, job.client, to_client);
	model_account(m, job.client)->open_jobs--;
	job.state = state;
	job.to_miner = to_miner;
	job.to_coordinator = to_coordinator;
	job.to_client = to_client;
	job.height = m->height;
	job.paid_receipt = receipt != NULL;
	if (receipt) {
		uint8_t packed[2048];
		size_t len = pack_unsigned(packed, sizeof packed, receipt);

		memcpy(job.receipt_hash, sha256(bytes_view(packed, len)).b, 32);
	}
	m->world.live[live] = m->world.live[--m->world.live_count];
	CHECK(m->world.dead_count < m->dead_cap);
	m->dead[m->world.dead_count++] = job;
}

void model_book(struct model *m, size_t live, bool by_name)
{
	struct model_job job = m->world.live[live];
	struct model_booking *booking = &m->bookings[m->booking_count];
	Pb__Receipt *delivered = NULL;
	uint64_t to_miner = 0;
	int state = 7;

	if (job.state == 3) {
		state = 8;
		if (job.on_silence == 1) {
			state = 4;
			to_miner = job.delivered_amount;
			delivered = pb__receipt__unpack(NULL, job.delivered_len, job.delivered);
			CHECK(delivered);
		}
	}
	model_end(m, live, state, to_miner, 0, job.reward - to_miner, delivered);
	if (delivered)
		pb__receipt__free_unpacked(delivered, NULL);
	if (!by_name)
		return;
	m->booking_count++;
	booking->job = m->dead[m->world.dead_count - 1];
	booking->payment_count = 2;
	miner_address(booking->payments[0].to, job.miner);
	booking->payments[0].amount = to_miner;
	memcpy(booking->payments[1].to, job.client, 20);
	booking->payments[1].amount = job.reward - to_miner;
}

/* ---- actions ---- */

static uint32_t pay(struct model *m, const uint8_t from[20], const Pb__Transfer *a)
{
	struct model_account *payer = model_account(m, from);

	if (!model_account(m, a->to.data) && a->amount < m->params.min_account_amount)
		return 12;
	if (payer->balance < a->amount)
		return 10;
	payer->balance -= a->amount;
	model_credit(m, a->to.data, a->amount);
	return 0;
}

static uint32_t publish(struct model *m, const uint8_t owner[20], const Pb__CoordinatorSet *a)
{
	struct model_coordinator *record = model_coordinator(m, owner);

	if (a->share_ppm > m->params.max_coordinator_ppm)
		return 11;
	for (size_t i = 0; i < a->n_operators; i++)
		for (size_t j = i + 1; j < a->n_operators; j++)
			if (memcmp(a->operators[i].data, a->operators[j].data, 20) == 0)
				return 11;
	if (!record) {
		CHECK(m->world.coordinator_count < MODEL_COORDINATORS_MAX);
		record = &m->world.coordinators[m->world.coordinator_count++];
		memcpy(record->owner, owner, 20);
	}
	record->share_ppm = a->share_ppm;
	record->accepts_new = a->accepts_new;
	record->operator_count = a->n_operators;
	for (size_t i = 0; i < a->n_operators; i++)
		memcpy(record->operators[i], a->operators[i].data, 20);
	return 0;
}

static uint32_t order(struct model *m, const uint8_t client[20], const Pb__SubmitJob *a)
{
	const struct model_coordinator *coordinator = model_coordinator(m, a->coordinator.data);
	struct model_account *account = model_account(m, client);
	struct model_job *job;

	if (a->reward < m->params.min_reward || a->ttl_ms < m->params.min_ttl_ms ||
		a->ttl_ms > m->params.max_ttl_ms || a->max_attempts < 1 ||
		a->max_attempts > m->params.max_attempts)
		return 11;
	if (!coordinator)
		return 20;
	if (model_job(m, client, a->job_id))
		return 14;
	if (!coordinator->accepts_new)
		return 32;
	if (a->coordinator_ppm != coordinator->share_ppm)
		return 33;
	if (account->open_jobs >= m->params.max_open_jobs_per_client)
		return 30;
	if (account->balance < a->reward)
		return 10;
	account->balance -= a->reward;
	account->open_jobs++;
	CHECK(m->world.live_count < MODEL_LIVE_MAX);
	job = &m->world.live[m->world.live_count++];
	memset(job, 0, sizeof *job);
	memcpy(job->client, client, 20);
	strcpy(job->id, a->job_id);
	job->state = 1;
	memcpy(job->coordinator, a->coordinator.data, 20);
	job->ppm = a->coordinator_ppm;
	strcpy(job->service, a->service);
	memcpy(job->payload_hash, a->payload_hash.data, 32);
	job->reward = a->reward;
	strcpy(job->unit_type, a->unit_type);
	job->unit_price = a->unit_price;
	job->max_units = a->max_units_milli;
	job->deadline = m->job_ms + a->ttl_ms;
	job->max_attempts = a->max_attempts;
	job->on_silence = (int)a->on_silence;
	job->review_ms = m->params.review_ms;
	job->grace_ms = m->params.cancel_grace_ms;
	job->submit_height = m->height;
	return 0;
}

static bool acts_for(struct model *m, const uint8_t sender[20], const uint8_t owner[20])
{
	const struct model_coordinator *record = model_coordinator(m, owner);

	if (memcmp(sender, owner, 20) == 0)
		return true;
	for (size_t i = 0; record && i < record->operator_count; i++)
		if (memcmp(record->operators[i], sender, 20) == 0)
			return true;
	return false;
}

/* Everything up to and including "any other terminal state". */
static uint32_t meet(
	struct model *m, struct model_job **out, const uint8_t client[20], const char *id)
{
	struct model_job *job = model_job(m, client, id);

	if (!job)
		return 15;
	if (job->state < 4 && model_due(m, job)) {
		model_book(m, (size_t)(job - m->world.live), true);
		job = model_job(m, client, id);
	}
	if (job->state >= 4)
		return job->state == 7 ? 17 : 16;
	*out = job;
	return 0;
}

static bool held(const struct model *m, const struct model_job *job)
{
	return job->state == 2 && m->job_ms < job->lease_end + job->grace_ms;
}

static uint32_t assign(struct model *m, struct model_job *job, const Pb__AssignJob *a)
{
	if (job->state == 3)
		return 16;
	if (a->attempt != job->attempt + 1)
		return 22;
	if (a->attempt > job->max_attempts)
		return 23;
	if (held(m, job))
		return 24;
	if (m->job_ms + a->lease_ms > job->deadline)
		return 25;
	job->state = 2;
	job->attempt = a->attempt;
	memcpy(job->miner, a->miner.data, 33);
	job->lease_end = m->job_ms + a->lease_ms;
	job->assigned_ms = m->now_ms;
	return 0;
}

static uint32_t renew(struct model *m, struct model_job *job, const Pb__RenewLease *a)
{
	if (job->state != 2)
		return 16;
	if (a->attempt != job->attempt)
		return 22;
	if (m->job_ms + a->lease_ms > job->deadline)
		return 25;
	if (m->job_ms >= job->lease_end)
		return 34;
	if (m->job_ms + a->lease_ms > job->lease_end)
		job->lease_end = m->job_ms + a->lease_ms;
	return 0;
}

static uint32_t release(struct model *m, struct model_job *job, const Pb__ReleaseJob *a)
{
	if (job->state != 2)
		return 16;
	if (a->attempt != job->attempt)
		return 22;
	if (a->miner_signature.len == 0 && held(m, job))
		return 24;
	if (a->miner_signature.len > 0 && !release_good(m, job, &a->miner_signature, 1))
		return 27;
	job->state = 1;
	return 0;
}

static uint32_t give_up(struct model *m, struct model_job *job, const Pb__FailJob *a)
{
	if (job->state != 1 && job->state != 2)
		return 16;
	if (a->attempt != job->attempt)
		return 22;
	if (job->state == 2) {
		if (a->miner_signature.len == 0 && held(m, job))
			return 24;
		if (a->miner_signature.len > 0 && !release_good(m, job, &a->miner_signature, 2))
			return 27;
	}
	model_end(m, (size_t)(job - m->world.live), 5, 0, 0, job->reward, NULL);
	return 0;
}

static uint32_t check_receipt(
	const struct model *m, const struct model_job *job, const Pb__Receipt *r)
{
	char id[33];

	receipt_id(m, id, job);
	if (strcmp(id, r->receipt_id) != 0 || r->submit_height != job->submit_height ||
		memcmp(r->coordinator.data, job->coordinator, 20) != 0 ||
		strcmp(r->service, job->service) != 0 ||
		memcmp(r->payload_hash.data, job->payload_hash, 32) != 0 ||
		r->started_ms > r->completed_ms)
		return 26;
	if (memcmp(r->miner.data, job->miner, 33) != 0)
		return 21;
	if (strcmp(r->unit_type, job->unit_type) != 0 || r->unit_price != job->unit_price)
		return 29;
	if (strcmp(job->unit_type, "second") == 0 &&
		r->units_milli > m->now_ms - job->assigned_ms + m->params.unit_slack_ms)
		return 29;
	if (r->amount != worth(r->units_milli, job->max_units, job->unit_price, job->reward))
		return 28;
	return receipt_good(m, r) ? 0 : 27;
}

static uint32_t record(struct model *m, struct model_job *job, Pb__Receipt *r)
{
	uint64_t share;
	uint32_t code;
	bool too_big;

	if (job->state != 2 && job->state != 3)
		return 16;
	if (r->attempt != job->attempt)
		return 22;
	if (job->state == 3) {
		uint8_t packed[2048];
		size_t len = pb__receipt__get_packed_size(r);

		CHECK(len <= sizeof packed);
		pb__receipt__pack(r, packed);
		if (len != job->delivered_len || memcmp(packed, job->delivered, len) != 0)
			return 26;
	} else {
		code = check_receipt(m, job, r);
		if (code)
			return code;
	}
	share = times_over(r->amount, job->ppm, 1000000, &too_big);
	model_end(m, (size_t)(job - m->world.live), 4, r->amount - share, share,
		job->reward - r->amount, r);
	return 0;
}

static uint32_t deliver(struct model *m, struct model_job *job, const Pb__Receipt *r)
{
	uint32_t code;

	if (job->state != 2)
		return 16;
	if (r->attempt != job->attempt)
		return 22;
	code = check_receipt(m, job, r);
	if (code)
		return code;
	job->state = 3;
	job->review_end = m->job_ms + job->review_ms;
	job->delivered_len = pb__receipt__get_packed_size(r);
	CHECK(job->delivered_len <= sizeof job->delivered);
	pb__receipt__pack(r, job->delivered);
	job->delivered_amount = r->amount;
	return 0;
}

static uint32_t reject(struct model *m, struct model_job *job, const Pb__RejectDelivery *a)
{
	if (job->state != 3)
		return 16;
	if (a->attempt != job->attempt)
		return 22;
	if (job->attempt >= job->max_attempts || m->job_ms >= job->deadline)
		model_end(m, (size_t)(job - m->world.live), 5, 0, 0, job->reward, NULL);
	else
		job->state = 1;
	return 0;
}

static uint32_t cancel(struct model *m, struct model_job *job)
{
	if (job->state == 3)
		return 16;
	if (held(m, job))
		return 24;
	model_end(m, (size_t)(job - m->world.live), 6, 0, 0, job->reward, NULL);
	return 0;
}

/* Whose job an action names. */
static const uint8_t *named(const Pb__Action *action, const uint8_t sender[20], const char **id)
{
	if (action->act_case == PB__ACTION__ACT_ASSIGN_JOB)
		return *id = action->assign_job->job_id, action->assign_job->client.data;
	if (action->act_case == PB__ACTION__ACT_RENEW_LEASE)
		return *id = action->renew_lease->job_id, action->renew_lease->client.data;
	if (action->act_case == PB__ACTION__ACT_RELEASE_JOB)
		return *id = action->release_job->job_id, action->release_job->client.data;
	if (action->act_case == PB__ACTION__ACT_RECORD_RECEIPT)
		return *id = action->record_receipt->receipt->job_id,
		       action->record_receipt->receipt->client.data;
	if (action->act_case == PB__ACTION__ACT_DELIVER_RESULT)
		return *id = action->deliver_result->receipt->job_id,
		       action->deliver_result->receipt->client.data;
	if (action->act_case == PB__ACTION__ACT_REJECT_DELIVERY)
		return *id = action->reject_delivery->job_id, action->reject_delivery->client.data;
	if (action->act_case == PB__ACTION__ACT_FAIL_JOB)
		return *id = action->fail_job->job_id, action->fail_job->client.data;
	return *id = action->cancel_job->job_id, sender;
}

static bool on_curve(const ProtobufCBinaryData *field)
{
	struct account_key key;

	memcpy(key.b, field->data, 33);
	return account_key_valid(&key);
}

static uint32_t job_action(struct model *m, struct model_outcome *out, const uint8_t sender[20],
	const Pb__Action *action)
{
	const char *id;
	const uint8_t *client = named(action, sender, &id);
	struct model_job *job = NULL;
	uint32_t code;

	if (action->act_case == PB__ACTION__ACT_ASSIGN_JOB &&
		(action->assign_job->lease_ms > m->params.max_lease_ms ||
			!on_curve(&action->assign_job->miner)))
		return 11;
	if (action->act_case == PB__ACTION__ACT_RENEW_LEASE &&
		action->renew_lease->lease_ms > m->params.max_lease_ms)
		return 11;
	code = meet(m, &job, client, id);
	if (code)
		return code;
	if (action->act_case != PB__ACTION__ACT_CANCEL_JOB &&
		action->act_case != PB__ACTION__ACT_DELIVER_RESULT &&
		!acts_for(m, sender, job->coordinator))
		return 19;
	if (action->act_case == PB__ACTION__ACT_ASSIGN_JOB)
		return assign(m, job, action->assign_job);
	if (action->act_case == PB__ACTION__ACT_RENEW_LEASE)
		return renew(m, job, action->renew_lease);
	if (action->act_case == PB__ACTION__ACT_RELEASE_JOB)
		return release(m, job, action->release_job);
	if (action->act_case == PB__ACTION__ACT_RECORD_RECEIPT)
		return out->receipt = action->record_receipt->receipt, record(m, job, out->receipt);
	if (action->act_case == PB__ACTION__ACT_DELIVER_RESULT)
		return out->receipt = action->deliver_result->receipt,
		       deliver(m, job, out->receipt);
	if (action->act_case == PB__ACTION__ACT_REJECT_DELIVERY)
		return reject(m, job, action->reject_delivery);
	if (action->act_case == PB__ACTION__ACT_FAIL_JOB)
		return give_up(m, job, action->fail_job);
	return cancel(m, job);
}

uint32_t model_action(struct model *m, struct model_outcome *out, const uint8_t sender[20],
	const Pb__Action *action)
{
	const uint8_t *client = sender;
	const char *id;
	uint32_t code;

	if (action->act_case == PB__ACTION__ACT_TRANSFER)
		return pay(m, sender, action->transfer);
	if (action->act_case == PB__ACTION__ACT_AUTHORITY)
		return model_vote(m, sender, action->authority->proposal);
	if (action->act_case == PB__ACTION__ACT_COORDINATOR_SET)
		return publish(m, sender, action->coordinator_set);
	if (action->act_case == PB__ACTION__ACT_SUBMIT_JOB) {
		code = order(m, sender, action->submit_job);
		id = action->submit_job->job_id;
	} else {
		code = job_action(m, out, sender, action);
		client = named(action, sender, &id);
	}
	if (code == 0) {
		out->has_job = true;
		out->job_len = job_key(out->job, client, id);
		out->state = model_job(m, client, id)->state;
	}
	return code;
}
