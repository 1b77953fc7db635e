/* Section 10 of docs/protocol.md, naively. */
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

static const Pb__AuthorityProposal__ChangeCase VALIDATORS =
	PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS;
static const Pb__AuthorityProposal__ChangeCase PARAMS = PB__AUTHORITY_PROPOSAL__CHANGE_PARAMS;
static const Pb__AuthorityProposal__ChangeCase RULES = PB__AUTHORITY_PROPOSAL__CHANGE_RULES;
static const Pb__AuthorityProposal__ChangeCase SPEND = PB__AUTHORITY_PROPOSAL__CHANGE_SPEND;

static const int64_t power_max = ((int64_t)1 << 60) - 1;
static const uint64_t term_ms = 604800000;

/* ---- form ---- */

static uint32_t validators_form(const Pb__ValidatorsChange *a)
{
	static const uint8_t nothing[32];

	if (a->n_changes == 0)
		return 11;
	if (a->n_changes > 16)
		return 12;
	for (size_t i = 0; i < a->n_changes; i++) {
		const Pb__ValidatorChange *c = a->changes[i];

		if (c->key.len != 32 || memcmp(c->key.data, nothing, 32) == 0)
			return 11;
		for (size_t j = 0; j < i; j++)
			if (memcmp(a->changes[j]->key.data, c->key.data, 32) == 0)
				return 11;
		if (c->power < 0 || c->power > power_max)
			return 11;
		if (c->account.len != 0 && (c->account.len != 20 || c->power == 0))
			return 11;
	}
	return 0;
}

uint32_t model_authority_form(const Pb__AuthorityProposal *a)
{
	if (!a)
		return 11;
	if (strlen(a->reference) > 64)
		return 12;
	if (a->change_case == VALIDATORS)
		return validators_form(a->validators);
	if (a->change_case == RULES && (a->rules->version == 0 || a->rules->height < 1))
		return 11;
	if (a->change_case == RULES)
		return strlen(a->rules->release) > 64 ? 12 : 0;
	if (a->change_case == SPEND)
		return a->spend->to.len != 20 || a->spend->amount == 0 ? 11 : 0;
	return a->change_case == PARAMS ? 0 : 11;
}

/* Section 8, once more. */
static bool in_range(const Pb__SettleParams *p)
{
	const struct {
		uint64_t value, least, most;
	} table[] = {
		{p->min_ttl_ms, 100, 3600000},
		{p->max_ttl_ms, 60000, 32000000000},
		{p->max_lease_ms, 1000, 2600000000},
		{p->max_attempts, 1, 100},
		{p->min_reward, 1, 1000000000000},
		{p->max_open_jobs_per_client, 1, 1000000},
		{p->review_ms, 1000, 2600000000},
		{p->cancel_grace_ms, 100, 3600000},
		{p->base_fee, 0, 1000000000},
		{p->fee_per_byte, 0, 1000000},
		{p->min_account_amount, 1, 1000000000},
		{p->max_coordinator_ppm, 0, 1000000},
		{p->expiries_per_block, 1, 100000},
		{p->unit_slack_ms, 0, 60000},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].value < table[i].least || table[i].value > table[i].most)
			return false;
	return p->min_ttl_ms <= p->max_ttl_ms;
}

/* ---- the set ---- */

static int seat_order(const void *a, const void *b)
{
	return memcmp(((const struct model_seat *)a)->address,
		((const struct model_seat *)b)->address, 20);
}

void model_sort_seats(struct model_world *world)
{
	qsort(world->seats, world->seat_count, sizeof world->seats[0], seat_order);
}

static void address_of(uint8_t out[20], const uint8_t key[32])
{
	memcpy(out, sha256(bytes_view(key, 32)).b, 20);
}

int model_seat(const struct model_world *world, const uint8_t address[20])
{
	for (size_t i = 0; i < world->seat_count; i++)
		if (memcmp(world->seats[i].address, address, 20) == 0)
			return (int)i;
	return -1;
}

static int64_t power_of(const struct model_world *world, const uint8_t account[20])
{
	int64_t power = 0;

	for (size_t i = 0; i < world->seat_count; i++)
		if (world->seats[i].has_account &&
			memcmp(world->seats[i].account, account, 20) == 0)
			power += world->seats[i].power;
	return power;
}

void model_operates(struct model *m, const uint8_t validator[20], const uint8_t account[20])
{
	struct model_world *world = &m->world;
	size_t i = 0;

	while (i < world->operator_count &&
		memcmp(world->operators[i].validator, validator, 20) != 0)
		i++;
	CHECK(i < MODEL_SEATS_MAX);
	if (i == world->operator_count)
		world->operator_count++;
	memcpy(world->operators[i].validator, validator, 20);
	memcpy(world->operators[i].account, account, 20);
}

/* The set as it would be, in a world of its own that only has a set. */
static uint32_t change_set(struct model_world *after, const Pb__ValidatorsChange *a)
{
	for (int adding = 0; adding <= 1; adding++) {
		for (size_t i = 0; i < a->n_changes; i++) {
			const Pb__ValidatorChange *c = a->changes[i];
			uint8_t address[20];
			int at;

			if ((c->power == 0) == (adding == 1))
				continue;
			address_of(address, c->key.data);
			at = model_seat(after, address);
			if (at < 0 && (c->power == 0 || c->account.len == 0))
				return 11;
			if (c->power == 0) {
				after->seats[at] = after->seats[--after->seat_count];
				continue;
			}
			if (at < 0) {
				CHECK(after->seat_count < MODEL_SEATS_MAX);
				at = (int)after->seat_count++;
				after->seats[at].has_account = false;
			}
			memcpy(after->seats[at].key, c->key.data, 32);
			memcpy(after->seats[at].address, address, 20);
			after->seats[at].power = c->power;
			if (c->account.len > 0) {
				after->seats[at].has_account = true;
				memcpy(after->seats[at].account, c->account.data, 20);
			}
		}
	}
	return 0;
}

static uint32_t engine_minds(const struct model *m, const struct model_world *after)
{
	int64_t sum = 0; /* 64 powers at most, each capped before it is added */

	for (size_t i = 0; i < after->seat_count; i++) {
		if (after->seats[i].power > power_max - sum)
			return 13;
		sum += after->seats[i].power;
	}
	for (size_t i = 0; i < m->seat_count_before; i++) {
		if (model_seat(after, m->seats_before[i].address) >= 0)
			continue;
		if (m->seats_before[i].power > power_max - sum)
			return 13;
		sum += m->seats_before[i].power;
	}
	return after->seat_count == 0 ? 11 : 0;
}

/* ---- votes ---- */

static void drop_vote(struct model_world *world, size_t at)
{
	world->vote_count--;
	memmove(&world->votes[at], &world->votes[at + 1],
		(world->vote_count - at) * sizeof world->votes[0]);
}

static void drop_of_nobody(struct model *m)
{
	for (size_t i = m->world.vote_count; i-- > 0;)
		if (power_of(&m->world, m->world.votes[i].account) == 0)
			drop_vote(&m->world, i);
}

void model_lapse(struct model *m)
{
	for (size_t i = m->world.vote_count; i-- > 0;)
		if (m->job_ms >= m->world.votes[i].sent + term_ms)
			drop_vote(&m->world, i);
}

void model_turn(struct model *m)
{
	struct model_rules *rules = &m->world.rules;

	if (rules->next_height == m->height + 1) {
		rules->version = rules->next_version;
		rules->next_version = 0;
		rules->next_height = 0;
	}
	m->params = m->world.params;
}

static uint32_t stands(
	const struct model *m, struct model_world *after, const Pb__AuthorityProposal *a)
{
	const struct model_account *to, *treasury;
	struct model *reading = (struct model *)(uintptr_t)m;
	uint32_t code;

	if (a->change_case == VALIDATORS) {
		memcpy(after->seats, m->world.seats, sizeof after->seats);
		after->seat_count = m->world.seat_count;
		code = change_set(after, a->validators);
		return code ? code : engine_minds(m, after);
	}
	if (a->change_case == RULES)
		return a->rules->version == m->world.rules.version + 1 &&
				       a->rules->height > m->height
			       ? 0
			       : 11;
	if (a->change_case != SPEND)
		return 0;
	to = model_account(reading, a->spend->to.data);
	treasury = model_account(reading, m->treasury);
	if (!to && a->spend->amount < m->params.min_account_amount)
		return 12;
	return treasury && treasury->balance >= a->spend->amount ? 0 : 10;
}

static void do_it(struct model *m, struct model_world *after, const Pb__AuthorityProposal *a)
{
	struct model_world *world = &m->world;

	if (a->change_case == VALIDATORS) {
		memcpy(world->seats, after->seats, sizeof world->seats);
		world->seat_count = after->seat_count;
		model_sort_seats(world);
		for (size_t i = 0; i < world->seat_count; i++)
			if (world->seats[i].has_account)
				model_operates(m, world->seats[i].address, world->seats[i].account);
		drop_of_nobody(m);
	} else if (a->change_case == PARAMS) {
		world->params = *a->params;
	} else if (a->change_case == RULES) {
		world->rules.next_version = a->rules->version;
		world->rules.next_height = a->rules->height;
		strcpy(world->rules.release, a->rules->release);
	} else {
		model_account(m, m->treasury)->balance -= a->spend->amount;
		model_credit(m, a->spend->to.data, a->spend->amount);
	}
}

static void hash_of(struct model *m, uint8_t out[32], const uint8_t *proposal, size_t len)
{
	uint8_t text[64 + MODEL_PROPOSAL_BYTES_MAX] = "aitbc/proposal/1";

	memcpy(text + 17, m->chain_tag.b, 32);
	memcpy(text + 49, proposal, len);
	memcpy(out, sha256(bytes_view(text, 49 + len)).b, 32);
}

/* Not yet in the list, and there is room for it in the sender's share. */
static uint32_t add_vote(struct model_world *world, const struct model_vote *vote)
{
	size_t own = 0;

	for (size_t i = 0; i < world->vote_count; i++) {
		if (memcmp(world->votes[i].account, vote->account, 20) != 0)
			continue;
		if (memcmp(world->votes[i].hash, vote->hash, 32) == 0)
			return 0;
		own++;
	}
	if (own == 4)
		return 12;
	CHECK(world->vote_count < MODEL_VOTES_MAX);
	world->votes[world->vote_count++] = *vote;
	return 0;
}

uint32_t model_vote(struct model *m, const uint8_t sender[20], const Pb__AuthorityProposal *a)
{
	static struct model_world after;
	struct model_world *world = &m->world;
	struct model_vote vote = {.sent = m->job_ms};
	uint64_t behind = 0, total = 0;
	uint32_t code;

	if (a->change_case == PARAMS && !in_range(a->params))
		return 11;
	if (power_of(world, sender) == 0)
		return 31;
	code = stands(m, &after, a);
	if (code)
		return code;
	memcpy(vote.account, sender, 20);
	vote.proposal_len = pb__authority_proposal__get_packed_size(a);
	CHECK(vote.proposal_len <= sizeof vote.proposal);
	pb__authority_proposal__pack(a, vote.proposal);
	hash_of(m, vote.hash, vote.proposal, vote.proposal_len);
	code = add_vote(world, &vote);
	if (code)
		return code;
	for (size_t i = 0; i < world->seat_count; i++)
		total += (uint64_t)world->seats[i].power;
	for (size_t i = 0; i < world->vote_count; i++)
		if (memcmp(world->votes[i].hash, vote.hash, 32) == 0)
			behind += (uint64_t)power_of(world, world->votes[i].account);
	if (3 * behind <= 2 * total)
		return 0;
	for (size_t i = world->vote_count; i-- > 0;)
		if (memcmp(world->votes[i].hash, vote.hash, 32) == 0)
			drop_vote(world, i);
	do_it(m, &after, a);
	return 0;
}
