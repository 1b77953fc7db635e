#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

void model_init(struct model *m)
{
	memset(m, 0, sizeof *m);
	m->dead_cap = 64 * 1024;
	m->dead = calloc(m->dead_cap, sizeof *m->dead);
	CHECK(m->dead);
}

void model_fini(struct model *m)
{
	free(m->dead);
}

struct model_account *model_account(struct model *m, const uint8_t address[20])
{
	for (size_t i = 0; i < m->world.account_count; i++)
		if (memcmp(m->world.accounts[i].address, address, 20) == 0)
			return &m->world.accounts[i];
	return NULL;
}

struct model_account *model_account_make(struct model *m, const uint8_t address[20])
{
	struct model_account *account = model_account(m, address);

	if (account)
		return account;
	CHECK(m->world.account_count < MODEL_ACCOUNTS_MAX);
	account = &m->world.accounts[m->world.account_count++];
	memset(account, 0, sizeof *account);
	memcpy(account->address, address, 20);
	return account;
}

struct model_coordinator *model_coordinator(struct model *m, const uint8_t owner[20])
{
	for (size_t i = 0; i < m->world.coordinator_count; i++)
		if (memcmp(m->world.coordinators[i].owner, owner, 20) == 0)
			return &m->world.coordinators[i];
	return NULL;
}

struct model_job *model_job(struct model *m, const uint8_t client[20], const char *id)
{
	for (size_t i = 0; i < m->world.live_count; i++)
		if (memcmp(m->world.live[i].client, client, 20) == 0 &&
			strcmp(m->world.live[i].id, id) == 0)
			return &m->world.live[i];
	for (size_t i = 0; i < m->world.dead_count; i++)
		if (strcmp(m->dead[i].id, id) == 0 && memcmp(m->dead[i].client, client, 20) == 0)
			return &m->dead[i];
	return NULL;
}

void model_credit(struct model *m, const uint8_t to[20], uint64_t amount)
{
	if (amount > 0)
		model_account_make(m, to)->balance += amount;
}

uint64_t model_escrow(const struct model *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->world.live_count; i++)
		sum += m->world.live[i].reward;
	return sum;
}

uint64_t model_balances(const struct model *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->world.account_count; i++)
		sum += m->world.accounts[i].balance;
	return sum;
}

/* Only what counts: the arrays are mostly air. */
static void copy(struct model_world *out, const struct model_world *in)
{
	memcpy(out->accounts, in->accounts, in->account_count * sizeof in->accounts[0]);
	out->account_count = in->account_count;
	memcpy(out->coordinators, in->coordinators,
		in->coordinator_count * sizeof in->coordinators[0]);
	out->coordinator_count = in->coordinator_count;
	memcpy(out->live, in->live, in->live_count * sizeof in->live[0]);
	out->live_count = in->live_count;
	out->dead_count = in->dead_count;
	memcpy(out->seats, in->seats, sizeof in->seats);
	out->seat_count = in->seat_count;
	memcpy(out->votes, in->votes, in->vote_count * sizeof in->votes[0]);
	out->vote_count = in->vote_count;
	memcpy(out->operators, in->operators, sizeof in->operators);
	out->operator_count = in->operator_count;
	out->rules = in->rules;
	out->params = in->params;
}

/* ---- pass 1 ---- */

static uint32_t hint_of(const struct hash32 *tag)
{
	return tag->b[0] + 256u * tag->b[1] + 65536u * tag->b[2] + 16777216u * tag->b[3];
}

static uint32_t enter(struct model *m, const struct model_tx *tx, uint64_t now_ms)
{
	const Pb__TxBody *body = tx->body;
	struct model_account *account;
	uint32_t form = model_form(body);

	if (form != 0)
		return form;
	if (body->chain_hint != hint_of(&m->chain_tag))
		return 2;
	if (body->valid_until_ms != 0) {
		if (now_ms > body->valid_until_ms)
			return 4;
		if (body->valid_until_ms > now_ms + 86400000)
			return 11;
	}
	if (body->fee < m->params.base_fee + m->params.fee_per_byte * tx->size)
		return 5;
	if (memcmp(tx->sender, m->treasury, 20) == 0)
		return 31;
	account = model_account(m, tx->sender);
	if (!account)
		return 6;
	if (body->sequence != account->sequence)
		return body->sequence < account->sequence ? 7 : 8;
	if (account->balance < body->fee)
		return 10;
	if (!tx->signature_good)
		return 3;
	account->sequence += 1;
	account->balance -= body->fee;
	return 0;
}

void model_pass_one(
	struct model *m, uint64_t now_ms, const struct model_tx *txs, bool *pass, size_t count)
{
	static struct model_world before;

	copy(&before, &m->world);
	for (size_t i = 0; i < count; i++)
		pass[i] = enter(m, &txs[i], now_ms) == 0;
	copy(&m->world, &before);
}

/* ---- pass 2 ---- */

/* Is a before b in the order of booking? */
static bool earlier(const struct model_job *a, const struct model_job *b)
{
	bool a_review = a->state == 3, b_review = b->state == 3;
	int order;

	if (model_due_ms(a) != model_due_ms(b))
		return model_due_ms(a) < model_due_ms(b);
	if (a_review != b_review)
		return b_review;
	order = memcmp(a->client, b->client, 20);
	return order != 0 ? order < 0 : strcmp(a->id, b->id) < 0;
}

static void sweep(struct model *m)
{
	for (uint32_t booked = 0; booked < m->params.expiries_per_block; booked++) {
		size_t first = m->world.live_count;

		for (size_t i = 0; i < m->world.live_count; i++)
			if (model_due(m, &m->world.live[i]) &&
				(first == m->world.live_count ||
					earlier(&m->world.live[i], &m->world.live[first])))
				first = i;
		if (first == m->world.live_count)
			return;
		model_book(m, first, false);
	}
}

/* ---- pass 3 ---- */

/* RFC 6962 by its definition. */
static struct hash32 tree_of(const struct hash32 *leaves, size_t count)
{
	struct hash32 halves[2];
	uint8_t node[65] = {1};
	size_t split = 1;

	if (count == 1)
		return leaves[0];
	while (split * 2 < count)
		split *= 2;
	halves[0] = tree_of(leaves, split);
	halves[1] = tree_of(leaves + split, count - split);
	memcpy(node + 1, halves[0].b, 32);
	memcpy(node + 33, halves[1].b, 32);
	return sha256(bytes_view(node, 65));
}

static struct hash32 data_of(struct model_result *result)
{
	struct hash32 leaves[256];

	for (size_t i = 0; i < result->outcome_count; i++) {
		struct model_outcome *outcome = &result->outcomes[i];
		Pb__ActionResult record = PB__ACTION_RESULT__INIT;
		uint8_t packed[2048] = {0};
		size_t len;

		record.index = (uint32_t)i;
		record.code = outcome->code;
		if (outcome->code == 0 && outcome->has_job) {
			record.job = (ProtobufCBinaryData){outcome->job_len, outcome->job};
			record.state = (Pb__JobState)outcome->state;
			record.receipt = outcome->receipt;
		}
		len = pb__action_result__get_packed_size(&record);
		CHECK(len < sizeof packed);
		pb__action_result__pack(&record, packed + 1);
		leaves[i] = sha256(bytes_view(packed, len + 1));
	}
	return tree_of(leaves, result->outcome_count);
}

/* Nothing of the transaction happened, but what it booked: those jobs ended and those payments were
 * made. */
static void undo(struct model *m)
{
	copy(&m->world, &m->saved);
	for (size_t b = 0; b < m->booking_count; b++) {
		const struct model_booking *booking = &m->bookings[b];

		for (size_t i = 0; i < m->world.live_count; i++) {
			struct model_job *job = &m->world.live[i];

			if (memcmp(job->client, booking->job.client, 20) == 0 &&
				strcmp(job->id, booking->job.id) == 0) {
				*job = m->world.live[--m->world.live_count];
				break;
			}
		}
		m->dead[m->world.dead_count++] = booking->job;
		model_account(m, booking->job.client)->open_jobs--;
		for (size_t i = 0; i < booking->payment_count; i++)
			model_credit(m, booking->payments[i].to, booking->payments[i].amount);
	}
}

static void run(struct model *m, const struct model_tx *tx, struct model_result *result)
{
	copy(&m->saved, &m->world);
	m->booking_count = 0;
	for (size_t i = 0; i < tx->body->n_actions; i++) {
		struct model_outcome *outcome = &result->outcomes[result->outcome_count++];

		memset(outcome, 0, sizeof *outcome);
		outcome->code = model_action(m, outcome, tx->sender, tx->body->actions[i]);
		if (outcome->code != 0 && tx->body->mode == PB__MODE__ATOMIC) {
			result->code = outcome->code;
			undo(m);
			return;
		}
	}
	result->has_data = true;
	result->data = data_of(result);
}

void model_block(struct model *m, int64_t height, uint64_t now_ms, uint64_t last_ms,
	const uint8_t proposer[20], const struct model_tx *txs, struct model_result *results,
	size_t count)
{
	const uint8_t *paid = m->treasury;
	uint64_t fees = 0;

	m->height = height;
	m->now_ms = now_ms;
	memcpy(m->seats_before, m->world.seats, sizeof m->seats_before);
	m->seat_count_before = m->world.seat_count;
	for (size_t i = 0; i < count; i++) {
		memset(&results[i], 0, offsetof(struct model_result, outcomes));
		results[i].outcome_count = 0;
		results[i].code = enter(m, &txs[i], now_ms);
		results[i].in_block = results[i].code == 0;
		if (results[i].in_block)
			fees += txs[i].body->fee;
	}
	if (now_ms - last_ms > 4 * m->heartbeat_ms)
		m->outage_ms += now_ms - last_ms - 4 * m->heartbeat_ms;
	m->job_ms = now_ms - m->outage_ms;
	sweep(m);
	model_lapse(m);
	for (size_t i = 0; i < count; i++)
		if (results[i].in_block)
			run(m, &txs[i], &results[i]);
	for (size_t i = 0; i < m->world.operator_count; i++)
		if (memcmp(m->world.operators[i].validator, proposer, 20) == 0)
			paid = m->world.operators[i].account;
	model_credit(m, paid, fees);
	model_turn(m);
	CHECK(model_balances(m) + model_escrow(m) == m->supply);
}
