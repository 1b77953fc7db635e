/* tally: counts the votes of one (height, round, step). A validator has one vote; of one who gives
 * two, each counts for its own block: others may have seen a quorum with either, and must be able
 * to show it [arXiv 1807.04938 counts messages]. Safe while less than a third do so.
 * Owns nothing: the caller gives the struct and one slot a validator, and the voting powers stay
 * his. Called by core for every vote; by replica to make a commit of what was counted. Never checks
 * signatures: only a verified vote enters. Cannot fail; a second, different vote of one validator
 * is evidence, an answer and not an error. Never allocates, never forgets: tally_init begins
 * another round in the same memory. */
#ifndef CONSENSUS_TALLY_H
#define CONSENSUS_TALLY_H

#include "chain/format/validators.h"
#include "chain/format/vote.h"

/* Room for one validator's vote; vote.signature and time are kept for the commit. */
struct tally_slot {
	bool present;
	struct vote vote; /* the first that came */
	bool has_other;
	struct vote other; /* of those that contradict it, the one with the most power behind it */
};

struct tally {
	const struct validator_set *validators; /* borrowed: powers and count */
	struct tally_slot *slots;               /* borrowed: one a validator */
	enum vote_type type;
	int64_t height;
	int32_t round;
	int64_t power_any;            /* of all who voted, for nil too */
	bool has_quorum;              /* more than 2/3 for one block id or for nil */
	struct block_id quorum_block; /* nil when the quorum is for nil */
};

/* slots: validators->count of them. Both stay borrowed until the tally is no longer used. */
void tally_init(struct tally *t, const struct validator_set *validators, struct tally_slot *slots,
	enum vote_type type, int64_t height, int32_t round);

enum tally_answer {
	TALLY_COUNTED,  /* new */
	TALLY_KNOWN,    /* the same vote again */
	TALLY_CONFLICT, /* the validator voted otherwise before: *earlier is that vote. Counted for
			   its block, unless another such vote has more power behind it */
	TALLY_NOT_OURS  /* other height, round or step, or no such validator */
};

/* Counts a verified vote. earlier (may be NULL) is set on TALLY_CONFLICT only. */
enum tally_answer tally_add(struct tally *t, const struct vote *vote, struct vote *earlier);

/* Strictly more than two thirds of the power, by integers: power * 3 > total * 2 [comet 5]. */
bool power_is_quorum(int64_t power, int64_t total);
/* The least power that is a quorum of this total: floor(2 * total / 3) + 1. */
int64_t power_quorum(int64_t total);
/* Strictly more than one third: at least one honest validator is among them. */
bool power_is_third(int64_t power, int64_t total);

/* Would tally_add keep this vote? Not one that is here, nor one more of a validator who gave two
 * already, unless more power stands behind it. */
bool tally_wants(const struct tally *t, const struct vote *vote);

/* More than 2/3 voted, for whatever. */
bool tally_has_any_quorum(const struct tally *t);
/* More than 2/3 voted for this block id (nil: voted nil). */
bool tally_has_quorum_for(const struct tally *t, const struct block_id *block);
/* More than 2/3 voted for one real block: *block is it. */
bool tally_decides(const struct tally *t, struct block_id *block);
/* This validator's vote for this block id; NULL: there is none. */
const struct vote *tally_vote_for(
	const struct tally *t, uint32_t index, const struct block_id *block);

#endif
