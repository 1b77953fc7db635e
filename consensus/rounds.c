#include "consensus/rounds.h"

#include <stdlib.h>
#include <string.h>

static const struct round_state *round_look(const struct consensus *c, int32_t round)
{
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		if (c->rounds[i].used && c->rounds[i].round == round)
			return &c->rounds[i];
	}
	return NULL;
}

struct round_state *round_find(struct consensus *c, int32_t round)
{
	return (struct round_state *)(uintptr_t)round_look(c, round);
}

/* A proof of lock must stay in view for as long as its block may be proposed again, a decision
 * until it is carried out. */
static bool round_needed(struct consensus *c, int32_t round)
{
	const struct round_state *now = round_find(c, c->round);
	bool pol = now && now->has_proposal && now->proposal.pol_round == round;
	return round >= c->round || round == c->valid_round || round == c->locked_round ||
	       round == c->decided_round || pol;
}

static struct round_state *round_slot(struct consensus *c)
{
	struct round_state *oldest = NULL;
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		struct round_state *r = &c->rounds[i];
		if (!r->used)
			return r;
		if (!round_needed(c, r->round) && (!oldest || r->round < oldest->round))
			oldest = r;
	}
	/* Also for a round older than itself: a proof of lock or a decision may be that old. */
	return oldest;
}

struct round_state *round_ensure(struct consensus *c, int32_t round)
{
	struct round_state *r = round_find(c, round);
	if (r)
		return r;
	if (round > c->round + ROUNDS_AHEAD)
		return NULL;
	r = round_slot(c);
	if (!r)
		return NULL;
	struct tally_slot *slots = c->slots + (size_t)(r - c->rounds) * 2 * c->slots_each;
	memset(r, 0, sizeof *r);
	r->used = true;
	r->round = round;
	tally_init(&r->prevotes, &c->validators, slots, VOTE_PREVOTE, c->height, round);
	tally_init(&r->precommits, &c->validators, slots + c->slots_each, VOTE_PRECOMMIT, c->height,
		round);
	return r;
}

/* A round out of view only counts for the jump. Who is there may go on from round to round; it is
 * enough to follow by an eighth of the way. */
static bool goes_farther(const struct consensus *c, const struct vote *vote)
{
	int32_t highest = c->highest_round[vote->index];
	if (highest < c->round)
		highest = c->round;
	return vote->round - highest > (highest - c->round) / 8;
}

enum vote_use vote_use(const struct consensus *c, const struct vote *vote)
{
	if (vote->height == c->height - 1 && c->has_last_commit)
		return tally_wants(&c->last_precommits, vote) ? VOTE_USEFUL : VOTE_USELESS;
	if (vote->height != c->height || vote->index >= c->validators.count || vote->round < 0)
		return VOTE_USELESS;
	const struct round_state *r = round_look(c, vote->round);
	if (r)
		return tally_wants(vote->type == VOTE_PREVOTE ? &r->prevotes : &r->precommits, vote)
			       ? VOTE_USEFUL
			       : VOTE_USELESS;
	if (vote->round - c->round > ROUNDS_AHEAD)
		return goes_farther(c, vote) ? VOTE_USEFUL : VOTE_USELESS;
	if (vote->round >= c->round)
		return VOTE_USEFUL;
	const struct round_state *now = round_look(c, c->round);
	bool pol = now && now->has_proposal && now->proposal.pol_round == vote->round;
	return pol ? VOTE_USEFUL : VOTE_OPENS;
}

enum vote_use proposal_use(const struct consensus *c, const struct proposal *proposal)
{
	if (proposal->height != c->height || proposal->round < 0 ||
		proposal->round - c->round > ROUNDS_AHEAD)
		return VOTE_USELESS;
	const struct round_state *r = round_look(c, proposal->round);
	bool past = !r && proposal->round < c->round;
	return past || (r && r->has_proposal) ? VOTE_USELESS : VOTE_USEFUL;
}

struct known_block *block_find(const struct consensus *c, const struct block_id *id)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		if (c->blocks[i].used && block_id_equal(&c->blocks[i].id, id))
			return (struct known_block *)&c->blocks[i];
	}
	return NULL;
}

static bool block_needed(const struct consensus *c, const struct known_block *b)
{
	const struct block_id *id = &b->id;
	if (b->verdict == BLOCK_ASKED)
		return true; /* somebody is looking at it */
	if (c->valid_round >= 0 && block_id_equal(&c->valid_block, id))
		return true;
	if (c->locked_round >= 0 && block_id_equal(&c->locked_block, id))
		return true;
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		const struct round_state *r = &c->rounds[i];
		if (!r->used)
			continue;
		if (r->round >= c->round && r->has_proposal &&
			block_id_equal(&r->proposal.block_id, id))
			return true;
		if (tally_has_quorum_for(&r->precommits, id))
			return true;
	}
	return false;
}

struct known_block *block_ensure(struct consensus *c, const struct block_id *id)
{
	struct known_block *b = block_find(c, id);
	if (b)
		return b;
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		if (!c->blocks[i].used || !block_needed(c, &c->blocks[i])) {
			b = &c->blocks[i];
			memset(b, 0, sizeof *b);
			b->used = true;
			b->id = *id;
			return b;
		}
	}
	return NULL;
}

/* Memory for n validators, in place of what was there; old content is gone. */
static enum status slots_take(struct consensus *c, uint32_t n)
{
	if (c->slots_each == n)
		return STATUS_OK;
	struct tally_slot *slots = calloc((size_t)n * 2 * ROUNDS_KEPT, sizeof *slots);
	if (!slots)
		return STATUS_NO_MEMORY;
	free(c->slots);
	c->slots = slots;
	c->slots_each = n;
	return STATUS_OK;
}

enum status consensus_restore_last_commit(struct consensus *c,
	const struct validator_set *validators, const struct vote *votes, size_t count)
{
	CHECK(validators->count > 0);
	struct tally_slot *slots = calloc(validators->count, sizeof *slots);
	if (!slots)
		return STATUS_NO_MEMORY;
	free(c->last_slots);
	c->last_slots = slots;
	c->last_validators = *validators;
	c->has_last_commit = count > 0;
	if (count == 0)
		return STATUS_OK;
	tally_init(&c->last_precommits, &c->last_validators, slots, VOTE_PRECOMMIT, votes[0].height,
		votes[0].round);
	for (size_t i = 0; i < count; i++)
		tally_add(&c->last_precommits, &votes[i], NULL);
	return STATUS_OK;
}

static enum status keep_last_commit(struct consensus *c, int64_t next_height)
{
	struct round_state *r = c->step == STEP_COMMIT ? round_find(c, c->decided_round) : NULL;
	if (!r || next_height != c->height + 1)
		return STATUS_OK;
	struct vote votes[VALIDATORS_MAX];
	size_t count = 0;
	for (uint32_t i = 0; i < c->validators.count; i++) {
		const struct vote *vote = tally_vote_for(&r->precommits, i, &c->decided_block);
		if (!vote && r->precommits.slots[i].present)
			vote = &r->precommits.slots[i].vote;
		if (vote)
			votes[count++] = *vote;
	}
	return consensus_restore_last_commit(c, &c->validators, votes, count);
}

static int64_t index_of(const struct validator_set *set, const struct validator_key *key)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (memcmp(set->v[i].key.b, key->b, sizeof key->b) == 0)
			return i;
	}
	return -1;
}

enum status height_begin(struct consensus *c, const struct height_start *next)
{
	CHECK(next->validators.count > 0);
	CHECK(next->validators.count <= VALIDATORS_MAX);
	enum status status = keep_last_commit(c, next->height);
	if (status != STATUS_OK)
		return status;
	status = slots_take(c, next->validators.count);
	if (status != STATUS_OK)
		return status;
	c->height = next->height;
	c->round = 0;
	c->step = STEP_WAIT;
	c->last_time = next->last_time;
	c->validators = next->validators;
	c->my_index = index_of(&c->validators, &c->me);
	c->locked_round = c->valid_round = c->decided_round = -1;
	memset(c->rounds, 0, sizeof c->rounds);
	memset(c->blocks, 0, sizeof c->blocks);
	c->asked_proposal = false;
	memset(c->asked_vote, 0, sizeof c->asked_vote);
	for (uint32_t i = 0; i < VALIDATORS_MAX; i++)
		c->highest_round[i] = -1;
	return STATUS_OK;
}

enum status consensus_init(struct consensus *c, const struct consensus_timing *timing,
	const struct validator_key *me, const struct height_start *start)
{
	memset(c, 0, sizeof *c);
	c->timing = *timing;
	c->me = *me;
	return height_begin(c, start);
}

void consensus_fini(struct consensus *c)
{
	free(c->slots);
	free(c->last_slots);
	memset(c, 0, sizeof *c);
}

uint32_t consensus_proposer(const struct consensus *c, int32_t round)
{
	struct validator_set set = c->validators;
	if (round > 0)
		validator_set_increment(&set, round);
	return set.proposer;
}

const char *consensus_step_name(enum consensus_step step)
{
	switch (step) {
	case STEP_WAIT: return "wait";
	case STEP_PROPOSE: return "propose";
	case STEP_PREVOTE: return "prevote";
	case STEP_PRECOMMIT: return "precommit";
	case STEP_EXECUTE: return "execute";
	case STEP_COMMIT: return "commit";
	}
	return "unknown";
}
