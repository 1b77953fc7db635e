#include "tests/unit/consensus_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct validator_key key_of(uint32_t i)
{
	/* In ascending order of address, so that place in the set is place in rotation. */
	static struct validator_key keys[VALIDATORS_MAX];
	static bool made;
	if (!made) {
		struct validator_power members[VALIDATORS_MAX];
		struct validator_set set;
		for (uint32_t k = 0; k < VALIDATORS_MAX; k++) {
			memset(members[k].key.b, (int)k + 1, sizeof members[k].key.b);
			members[k].power = 1;
		}
		assert_int_equal(validator_set_make(&set, members, VALIDATORS_MAX), VALIDATORS_OK);
		for (uint32_t k = 0; k < VALIDATORS_MAX; k++)
			keys[k] = set.v[k].key;
		made = true;
	}
	return keys[i];
}

static void core_open(struct kit *kit, int me)
{
	struct validator_key mine;
	memset(&mine, 0, sizeof mine);
	if (me >= 0)
		mine = kit->start.validators.v[me].key;
	assert_int_equal(consensus_init(&kit->core, &kit->timing, &mine, &kit->start), STATUS_OK);
}

void kit_open(struct kit *kit, uint32_t n, const int64_t *powers, int me)
{
	memset(kit, 0, sizeof *kit);
	struct validator_power members[VALIDATORS_MAX];
	for (uint32_t i = 0; i < n; i++) {
		members[i].key = key_of(i);
		members[i].power = powers ? powers[i] : 1;
	}
	assert_int_equal(validator_set_make(&kit->start.validators, members, n), VALIDATORS_OK);
	kit->start.height = 1;
	kit->start.last_time = (struct timestamp){KIT_MS - 5, 0};
	kit->now = (struct timestamp){KIT_MS, 0};
	kit->timing = (struct consensus_timing){
		.propose_ms = 3000,
		.prevote_ms = 1000,
		.precommit_ms = 1100,
		.growth_ms = 500,
		.precision_ms = 500,
		.message_delay_ms = 2000,
	};
	core_open(kit, me);
}

void kit_close(struct kit *kit)
{
	consensus_fini(&kit->core);
}

struct timestamp kit_block_time(void)
{
	return (struct timestamp){KIT_MS, 0};
}

struct block_id kit_block(char letter)
{
	struct block_id id;
	memset(&id, 0, sizeof id);
	if (letter == 0)
		return id;
	memset(id.hash.b, letter, sizeof id.hash.b);
	memset(id.parts_hash.b, letter, sizeof id.parts_hash.b);
	id.parts_total = 1;
	return id;
}

/* ---- what happens ---- */

static void keep_effects(struct kit *kit, const struct consensus_effects *out)
{
	for (size_t i = 0; i < out->count; i++) {
		assert_true(kit->effect_count < KIT_EFFECTS_MAX);
		kit->effects[kit->effect_count++] = out->items[i];
	}
}

static void sign_what_is_asked(struct kit *kit, const struct consensus_effects *out)
{
	for (size_t i = 0; i < out->count; i++) {
		enum consensus_effect_kind kind = out->items[i].kind;
		if (kind == EFFECT_SIGN_VOTE || kind == EFFECT_SIGN_PROPOSAL)
			kit_sign(kit, &out->items[i]);
	}
}

static bool logged(enum consensus_input_kind kind)
{
	return kind != IN_EXECUTED && kind != IN_COMMITTED;
}

void kit_input(struct kit *kit, const struct consensus_input *in)
{
	struct consensus_effects out;
	struct consensus_input timed = *in;
	timed.now = kit->now;
	if (logged(in->kind)) {
		assert_true(kit->input_count < KIT_INPUTS_MAX);
		kit->inputs[kit->input_count++] = timed;
	}
	assert_int_equal(consensus_step(&kit->core, &timed, &out), STATUS_OK);
	keep_effects(kit, &out);
	if (!kit->hold_signatures)
		sign_what_is_asked(kit, &out);
}

void kit_restart(struct kit *kit)
{
	struct validator_key me = kit->core.me;
	struct consensus_effects out;
	consensus_fini(&kit->core);
	assert_int_equal(consensus_init(&kit->core, &kit->timing, &me, &kit->start), STATUS_OK);
	for (size_t i = 0; i < kit->input_count; i++)
		assert_int_equal(consensus_step(&kit->core, &kit->inputs[i], &out), STATUS_OK);
	kit->read_at = kit->effect_count;
	consensus_resume(&kit->core, &out);
	keep_effects(kit, &out);
	if (!kit->hold_signatures)
		sign_what_is_asked(kit, &out);
}

void kit_begin(struct kit *kit)
{
	struct consensus_input in = {.kind = IN_BEGIN};
	in.u.point.height = kit->core.height;
	kit_input(kit, &in);
}

void kit_proposal(struct kit *kit, int32_t round, int32_t pol_round, char letter)
{
	struct consensus_input in = {.kind = IN_PROPOSAL};
	in.u.proposal.height = kit->core.height;
	in.u.proposal.round = round;
	in.u.proposal.pol_round = pol_round;
	in.u.proposal.block_id = kit_block(letter);
	in.u.proposal.time = kit_block_time();
	kit_input(kit, &in);
}

static struct consensus_input of_block(
	struct kit *kit, enum consensus_input_kind kind, int32_t round, char letter)
{
	struct consensus_input in = {.kind = kind};
	in.u.block.height = kit->core.height;
	in.u.block.round = round;
	in.u.block.block = kit_block(letter);
	in.u.block.time = kit_block_time();
	return in;
}

void kit_here(struct kit *kit, char letter)
{
	struct consensus_input in = of_block(kit, IN_BLOCK, 0, letter);
	kit_input(kit, &in);
}

void kit_checked(struct kit *kit, char letter, bool valid)
{
	struct consensus_input in = of_block(kit, IN_PROPOSAL_CHECKED, 0, letter);
	in.u.block.valid = valid;
	kit_input(kit, &in);
}

void kit_arrives(struct kit *kit, int32_t round, int32_t pol_round, char letter)
{
	kit_proposal(kit, round, pol_round, letter);
	kit_here(kit, letter);
	kit_checked(kit, letter, true);
}

void kit_vote(struct kit *kit, uint32_t who, enum vote_type type, int32_t round, char letter)
{
	struct consensus_input in = {.kind = IN_VOTE};
	in.u.vote.type = type;
	in.u.vote.height = kit->core.height;
	in.u.vote.round = round;
	in.u.vote.block_id = kit_block(letter);
	in.u.vote.time = kit->now;
	in.u.vote.index = who;
	kit_input(kit, &in);
}

void kit_votes(struct kit *kit, uint32_t count, enum vote_type type, int32_t round, char letter)
{
	for (uint32_t i = 0; count > 0; i++) {
		assert_true(i < kit->core.validators.count);
		if ((int64_t)i == kit->core.my_index)
			continue;
		kit_vote(kit, i, type, round, letter);
		count--;
	}
}

void kit_timeout(struct kit *kit, int32_t round, enum consensus_step step)
{
	struct consensus_input in = {.kind = IN_TIMEOUT};
	in.u.point.height = kit->core.height;
	in.u.point.round = round;
	in.u.point.step = step;
	kit_input(kit, &in);
}

void kit_built(struct kit *kit, int32_t round, char letter)
{
	struct consensus_input in = of_block(kit, IN_PROPOSAL_BUILT, round, letter);
	kit_input(kit, &in);
}

void kit_sign(struct kit *kit, const struct consensus_effect *asked)
{
	struct consensus_input in = {.kind = IN_SIGNED_VOTE};
	if (asked->kind == EFFECT_SIGN_PROPOSAL) {
		in.kind = IN_SIGNED_PROPOSAL;
		in.u.proposal = asked->proposal;
		memset(in.u.proposal.signature.b, 0x51, sizeof in.u.proposal.signature.b);
	} else {
		in.u.vote = asked->vote;
		memset(in.u.vote.signature.b, 0x52, sizeof in.u.vote.signature.b);
	}
	kit_input(kit, &in);
}

void kit_refuse(struct kit *kit, int32_t round)
{
	struct consensus_input in = {.kind = IN_SIGN_REFUSED};
	in.u.point.height = kit->core.height;
	in.u.point.round = round;
	kit_input(kit, &in);
}

void kit_executed(struct kit *kit, char letter)
{
	struct consensus_input in = of_block(kit, IN_EXECUTED, 0, letter);
	kit_input(kit, &in);
}

void kit_committed(struct kit *kit)
{
	struct consensus_input in = {.kind = IN_COMMITTED};
	in.u.next.height = kit->core.height + 1;
	in.u.next.validators = kit->core.validators;
	validator_set_increment(&in.u.next.validators, 1);
	in.u.next.last_time = kit_block_time();
	kit_input(kit, &in);
}

/* ---- what it asked for ---- */

static size_t find(const struct kit *kit, enum consensus_effect_kind kind)
{
	size_t i = kit->read_at;
	while (i < kit->effect_count && kit->effects[i].kind != kind)
		i++;
	return i;
}

const struct consensus_effect *kit_expect(struct kit *kit, enum consensus_effect_kind kind)
{
	size_t i = find(kit, kind);
	assert_true(i < kit->effect_count);
	kit->read_at = i + 1;
	return &kit->effects[i];
}

void kit_expect_no(struct kit *kit, enum consensus_effect_kind kind)
{
	assert_int_equal(find(kit, kind), kit->effect_count);
}

void kit_expect_nothing(struct kit *kit)
{
	assert_int_equal(kit->read_at, kit->effect_count);
}

void kit_expect_vote(struct kit *kit, enum vote_type type, int32_t round, char letter)
{
	const struct consensus_effect *e = kit_expect(kit, EFFECT_SIGN_VOTE);
	struct block_id block = kit_block(letter);
	assert_int_equal(e->vote.type, type);
	assert_int_equal(e->vote.height, kit->core.height);
	assert_int_equal(e->vote.round, round);
	assert_true(block_id_equal(&e->vote.block_id, &block));
}

void kit_expect_timer(struct kit *kit, int32_t round, enum consensus_step step, uint64_t delay_ms)
{
	const struct consensus_effect *e = kit_expect(kit, EFFECT_TIMER);
	assert_int_equal(e->round, round);
	assert_int_equal(e->step, step);
	assert_int_equal(e->delay_ms, delay_ms);
}

void kit_read_all(struct kit *kit)
{
	kit->read_at = kit->effect_count;
}
