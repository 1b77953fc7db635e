#include "consensus/tally.h"

#include <string.h>

void tally_init(struct tally *t, const struct validator_set *validators, struct tally_slot *slots,
	enum vote_type type, int64_t height, int32_t round)
{
	CHECK(validators->total_power > 0);
	/* The products of power_is_quorum can't overflow below this. */
	CHECK(validators->total_power <= INT64_MAX / 3);
	memset(t, 0, sizeof *t);
	memset(slots, 0, validators->count * sizeof *slots);
	t->validators = validators;
	t->slots = slots;
	t->type = type;
	t->height = height;
	t->round = round;
}

bool power_is_quorum(int64_t power, int64_t total)
{
	return power * 3 > total * 2;
}

int64_t power_quorum(int64_t total)
{
	return total * 2 / 3 + 1;
}

bool power_is_third(int64_t power, int64_t total)
{
	return power * 3 > total;
}

static bool is_for(const struct vote *vote, const struct block_id *block)
{
	/* Time and signature are not compared: a validator that signs the same choice twice with
	 * another clock has harmed nobody, and CometBFT does not call it evidence either. */
	return block_id_equal(&vote->block_id, block);
}

const struct vote *tally_vote_for(
	const struct tally *t, uint32_t index, const struct block_id *block)
{
	const struct tally_slot *slot = &t->slots[index];
	if (slot->present && is_for(&slot->vote, block))
		return &slot->vote;
	if (slot->has_other && is_for(&slot->other, block))
		return &slot->other;
	return NULL;
}

static int64_t power_for(const struct tally *t, const struct block_id *block)
{
	int64_t power = 0;
	for (uint32_t i = 0; i < t->validators->count; i++) {
		if (tally_vote_for(t, i, block))
			power += t->validators->v[i].power;
	}
	return power;
}

/* The choice that just grew is the only one that can have become a quorum. */
static void note_quorum(struct tally *t, const struct block_id *block)
{
	if (!t->has_quorum && power_is_quorum(power_for(t, block), t->validators->total_power)) {
		t->has_quorum = true;
		t->quorum_block = *block;
	}
}

/* There is room for one vote of those that contradict the first. If a quorum stands anywhere with
 * one of them, most of the honest power that voted for a block stands behind that one; so it wins
 * in the end, however many the validator makes. */
static bool better_other(
	const struct tally *t, const struct tally_slot *slot, const struct vote *vote)
{
	if (!slot->has_other)
		return true;
	if (tally_has_quorum_for(t, &slot->other.block_id))
		return false;
	int64_t others = power_for(t, &slot->other.block_id) - t->validators->v[vote->index].power;
	return power_for(t, &vote->block_id) > others;
}

static void keep_other(struct tally *t, struct tally_slot *slot, const struct vote *vote)
{
	if (!better_other(t, slot, vote))
		return;
	slot->has_other = true;
	slot->other = *vote;
	note_quorum(t, &vote->block_id);
}

bool tally_wants(const struct tally *t, const struct vote *vote)
{
	if (vote->height != t->height || vote->round != t->round || vote->type != t->type ||
		vote->index >= t->validators->count ||
		tally_vote_for(t, vote->index, &vote->block_id))
		return false;
	const struct tally_slot *slot = &t->slots[vote->index];
	return !slot->present || better_other(t, slot, vote);
}

enum tally_answer tally_add(struct tally *t, const struct vote *vote, struct vote *earlier)
{
	if (vote->height != t->height || vote->round != t->round || vote->type != t->type)
		return TALLY_NOT_OURS;
	if (vote->index >= t->validators->count)
		return TALLY_NOT_OURS;
	if (tally_vote_for(t, vote->index, &vote->block_id))
		return TALLY_KNOWN;
	struct tally_slot *slot = &t->slots[vote->index];
	if (slot->present) {
		if (earlier)
			*earlier = slot->vote;
		keep_other(t, slot, vote);
		return TALLY_CONFLICT;
	}
	slot->present = true;
	slot->vote = *vote;
	t->power_any += t->validators->v[vote->index].power;
	CHECK(t->power_any <= t->validators->total_power);
	note_quorum(t, &vote->block_id);
	return TALLY_COUNTED;
}

bool tally_has_any_quorum(const struct tally *t)
{
	return power_is_quorum(t->power_any, t->validators->total_power);
}

bool tally_has_quorum_for(const struct tally *t, const struct block_id *block)
{
	return t->has_quorum && block_id_equal(&t->quorum_block, block);
}

bool tally_decides(const struct tally *t, struct block_id *block)
{
	if (!t->has_quorum || block_id_is_nil(&t->quorum_block))
		return false;
	*block = t->quorum_block;
	return true;
}
