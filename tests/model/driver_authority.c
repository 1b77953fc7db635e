/* Proposals and votes: made, and compared. */
#include <stdio.h>
#include <string.h>

#include "chain/settle/authority.h"
#include "tests/model/driver.h"

enum { KEYS = 16 };

static void *made(struct driver *d, size_t len)
{
	void *memory = arena_alloc(&d->arena, len);

	CHECK(memory);
	return memory;
}

static ProtobufCBinaryData copied(struct driver *d, const void *from, size_t len)
{
	void *copy = arena_copy(&d->arena, from, len);

	CHECK(copy);
	return (ProtobufCBinaryData){len, copy};
}

static char *text(struct driver *d, const char *from)
{
	char *copy = arena_text(&d->arena, bytes_of_text(from));

	CHECK(copy);
	return copy;
}

/* ---- proposals ---- */

/* The treasury's account can send nothing; it may be named all the same. */
static ProtobufCBinaryData somebody(struct driver *d)
{
	enum kit_who who = (enum kit_who)draw(d, KIT_PEOPLE);
	struct account_address address;

	if (who == TREASURY && chance(d, 95))
		who = RICH;
	address = kit_address(who);
	return copied(d, address.b, sizeof address.b);
}

static void add_change(struct driver *d, Pb__ValidatorsChange *all, const uint8_t key[32],
	int64_t power, bool account)
{
	Pb__ValidatorChange *change = made(d, sizeof *change);

	pb__validator_change__init(change);
	change->key = copied(d, key, 32);
	change->power = power;
	if (account)
		change->account = somebody(d);
	all->changes[all->n_changes++] = change;
}

static void spoil_changes(struct driver *d, Pb__ValidatorsChange *all)
{
	Pb__ValidatorChange *change = all->changes[0];

	switch (draw(d, 6)) {
	case 0: change->power = ((int64_t)1 << 60) - (int64_t)(1 + draw(d, 60)); return;
	case 1: change->power = draw(d, 2) ? -1 : (int64_t)1 << 60; return;
	case 2: change->key = copied(d, change->key.data, 31); return;
	case 3: memset(change->key.data, 0, change->key.len); return;
	case 4: change->account = copied(d, "12345678901234567890", 19 + draw(d, 2)); return;
	case 5: all->changes[all->n_changes++] = change; return;
	}
}

static Pb__ValidatorsChange *make_validators(struct driver *d)
{
	const struct model_world *world = &d->model.world;
	const struct model_seat *seat = &world->seats[draw(d, world->seat_count)];
	struct validator_key fresh = kit_validator(draw(d, KEYS));
	int64_t power = 1 + (int64_t)draw(d, 30);
	Pb__ValidatorsChange *all = made(d, sizeof *all);

	pb__validators_change__init(all);
	all->changes = made(d, (MODEL_SEATS_MAX + 8) * sizeof all->changes[0]);
	switch (draw(d, 10)) {
	case 0:
	case 1:
	case 2: add_change(d, all, fresh.b, power, chance(d, 90)); break;
	case 3: add_change(d, all, fresh.b, 0, false); break; /* often nobody's */
	case 4:
	case 5: add_change(d, all, seat->key, 0, false); break;
	case 6: add_change(d, all, seat->key, power, chance(d, 40)); break;
	case 7:
	case 8: /* another key, the same operator */
		add_change(d, all, fresh.b, seat->power, false);
		if (seat->has_account)
			all->changes[0]->account = copied(d, seat->account, 20);
		add_change(d, all, seat->key, 0, false);
		break;
	case 9:
		for (size_t i = 0; i < world->seat_count; i++)
			add_change(d, all, world->seats[i].key, 0, false);
		if (chance(d, 30))
			add_change(d, all, fresh.b, power, true);
		break;
	}
	if (chance(d, 8))
		spoil_changes(d, all);
	return all;
}

static Pb__SettleParams *make_params(struct driver *d)
{
	Pb__SettleParams *params = made(d, sizeof *params);

	*params = d->model.world.params;
	switch (draw(d, 9)) {
	case 0: params->base_fee = 10 + draw(d, 100); break;
	case 1: params->review_ms = 1000 + draw(d, 4000); break;
	case 2: params->cancel_grace_ms = 100 + draw(d, 900); break;
	case 3: params->max_attempts = 2 + (uint32_t)draw(d, 3); break;
	case 4: params->expiries_per_block = (uint32_t)draw(d, 4); break;
	case 5: params->min_reward = 1000 + draw(d, 3000); break;
	case 6: params->unit_slack_ms = draw(d, 1000); break;
	case 7: params->min_account_amount = draw(d, 3000); break;
	case 8: params->max_coordinator_ppm = 200000 + (uint32_t)draw(d, 801000); break;
	}
	return params;
}

static Pb__AuthorityProposal *make_proposal(struct driver *d)
{
	Pb__AuthorityProposal *a = made(d, sizeof *a);
	uint64_t die = draw(d, 100);

	pb__authority_proposal__init(a);
	if (chance(d, 10))
		a->reference = text(d, chance(d, 90) ? "again"
						     : "more than sixty-four bytes, which "
						       "is what a reference may have");
	if (die < 50) {
		a->change_case = PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS;
		a->validators = make_validators(d);
	} else if (die < 70) {
		a->change_case = PB__AUTHORITY_PROPOSAL__CHANGE_PARAMS;
		a->params = make_params(d);
	} else if (die < 83) {
		a->change_case = PB__AUTHORITY_PROPOSAL__CHANGE_RULES;
		a->rules = made(d, sizeof *a->rules);
		pb__rules_version__init(a->rules);
		a->rules->version = chance(d, 85) ? d->model.world.rules.version + 1 : draw(d, 4);
		a->rules->height = d->kit.height + (int64_t)draw(d, 40);
		a->rules->release = text(d, "aitbcd 2");
	} else if (die < 98) {
		uint8_t nobody[20] = {0xee, (uint8_t)draw(d, 30)};

		a->change_case = PB__AUTHORITY_PROPOSAL__CHANGE_SPEND;
		a->spend = made(d, sizeof *a->spend);
		pb__treasury_spend__init(a->spend);
		a->spend->to = chance(d, 80) ? somebody(d) : copied(d, nobody, 20);
		a->spend->amount = draw(d, chance(d, 90) ? 5000 : 3000u * KIT_COIN);
	}
	return a;
}

/* One that somebody has voted for already. */
static Pb__AuthorityProposal *pick_proposal(struct driver *d)
{
	const struct model_world *world = &d->model.world;
	const struct model_vote *vote = &world->votes[draw(d, world->vote_count)];
	Pb__AuthorityProposal *a = pb__authority_proposal__unpack(
		arena_protobuf(&d->arena), vote->proposal_len, vote->proposal);

	CHECK(a);
	return a;
}

Pb__Action *make_authority(struct driver *d, enum kit_who *sender)
{
	const struct model_world *world = &d->model.world;
	const struct model_seat *seat = &world->seats[draw(d, world->seat_count)];
	Pb__Authority *act = made(d, sizeof *act);
	Pb__Action *action = made(d, sizeof *action);

	bool as_operator = seat->has_account && chance(d, 90);

	for (int i = 0; as_operator && i < KIT_PEOPLE; i++) {
		struct account_address it = kit_address((enum kit_who)i);

		if (i != TREASURY && memcmp(it.b, seat->account, 20) == 0)
			*sender = (enum kit_who)i;
	}
	pb__authority__init(act);
	act->proposal =
		world->vote_count > 0 && chance(d, 70) ? pick_proposal(d) : make_proposal(d);
	pb__action__init(action);
	action->act_case = PB__ACTION__ACT_AUTHORITY;
	action->authority = act;
	return action;
}

/* ---- comparing ---- */

static ProtobufCBinaryData view(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static void compare_seats(struct driver *d)
{
	const struct model_world *world = &d->model.world;
	struct state_key key = state_key_seats();
	Pb__Seats expected = PB__SEATS__INIT;
	Pb__Seat rows[MODEL_SEATS_MAX], *list[MODEL_SEATS_MAX];

	for (size_t i = 0; i < world->seat_count; i++) {
		pb__seat__init(&rows[i]);
		rows[i].key = view(world->seats[i].key, 32);
		rows[i].power = world->seats[i].power;
		if (world->seats[i].has_account)
			rows[i].account = view(world->seats[i].account, 20);
		list[i] = &rows[i];
	}
	expected.seats = list;
	expected.n_seats = world->seat_count;
	compare_message(d, &key, &expected.base, "the validators", "");
}

static void compare_votes(struct driver *d)
{
	const struct model_world *world = &d->model.world;
	struct state_key key = state_key_votes();
	Pb__OpenVotes expected = PB__OPEN_VOTES__INIT;
	Pb__OpenVote rows[MODEL_VOTES_MAX], *list[MODEL_VOTES_MAX];

	for (size_t i = 0; i < world->vote_count; i++) {
		const struct model_vote *vote = &world->votes[i];
		Pb__AuthorityProposal *proposal =
			pb__authority_proposal__unpack(NULL, vote->proposal_len, vote->proposal);
		struct hash32 hash;
		struct state_key proposal_key;

		CHECK(proposal);
		memcpy(hash.b, vote->hash, 32);
		proposal_key = state_key_proposal(&hash);
		compare_message(d, &proposal_key, &proposal->base, "a proposal", "");
		pb__authority_proposal__free_unpacked(proposal, NULL);
		pb__open_vote__init(&rows[i]);
		rows[i].proposal = view(vote->hash, 32);
		rows[i].account = view(vote->account, 20);
		rows[i].sent_ms = vote->sent;
		list[i] = &rows[i];
	}
	expected.votes = list;
	expected.n_votes = world->vote_count;
	if (world->vote_count > 0)
		compare_message(d, &key, &expected.base, "the open votes", "");
}

void compare_authority(struct driver *d)
{
	const struct model_world *world = &d->model.world;
	struct state_key rules_key = state_key_rules(), params_key = state_key_params();
	Pb__Rules rules = PB__RULES__INIT;

	compare_seats(d);
	compare_votes(d);
	rules.version = world->rules.version;
	rules.next_version = world->rules.next_version;
	rules.next_height = world->rules.next_height;
	rules.release = (char *)(uintptr_t)world->rules.release;
	compare_message(d, &rules_key, &rules.base, "the rules version", "");
	compare_message(d, &params_key, &world->params.base, "the parameters", "");
	for (size_t i = 0; i < world->operator_count; i++) {
		struct validator_address validator;
		struct state_key key;

		memcpy(validator.b, world->operators[i].validator, 20);
		key = state_key_operator(&validator);
		compare_record(d, &key, bytes_view(world->operators[i].account, 20),
			"the operator of a validator", "");
	}
}

size_t authority_records(const struct driver *d)
{
	const struct model_world *world = &d->model.world;
	size_t proposals = 0;

	for (size_t i = 0; i < world->vote_count; i++) {
		size_t first = 0;

		while (memcmp(world->votes[first].hash, world->votes[i].hash, 32) != 0)
			first++;
		proposals += first == i;
	}
	/* seats, rules, parameters, operators; votes and proposals if there are any */
	return 3 + world->operator_count + (world->vote_count > 0) + proposals;
}

static int64_t power_in(const struct model_seat *seats, size_t count, const uint8_t key[32])
{
	for (size_t i = 0; i < count; i++)
		if (memcmp(seats[i].key, key, 32) == 0)
			return seats[i].power;
	return 0;
}

void compare_updates(struct driver *d, const struct app_result *result)
{
	const struct model *m = &d->model;
	size_t expected = 0;

	for (size_t i = 0; i < KEYS; i++) {
		struct validator_key key = kit_validator(i);
		int64_t before = power_in(m->seats_before, m->seat_count_before, key.b);
		int64_t after = power_in(m->world.seats, m->world.seat_count, key.b);
		size_t found = 0;

		if (before == after)
			continue;
		expected++;
		for (size_t j = 0; j < result->update_count; j++)
			found += memcmp(result->updates[j].key.b, key.b, 32) == 0 &&
				 result->updates[j].power == after;
		if (found != 1)
			differ(d, "validator %zu is told %zu times", i, found);
	}
	if (result->update_count != expected)
		differ(d, "%zu validator updates, model %zu", result->update_count, expected);
	if (result->app_version != m->world.rules.version)
		differ(d, "the next version is another");
	d->set_changes += expected;
}
