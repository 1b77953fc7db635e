/* rounds: core's memory of one height: the rounds in view, the blocks it has heard of, and the turn
 * from one height to the next. Private to core.c and the tests of it, but for what replica looks up
 * (block_find, ROUNDS_AHEAD); allocates only in height_begin. */
#ifndef CONSENSUS_ROUNDS_H
#define CONSENSUS_ROUNDS_H

#include "consensus/core.h"

/* How far ahead of us a vote may be and still be kept; farther ones only count for the jump. */
enum { ROUNDS_AHEAD = 8 };

/* NULL: not in view. */
struct round_state *round_find(struct consensus *c, int32_t round);
/* Brings the round into view, dropping the oldest that nothing hangs on. NULL: too far ahead. */
struct round_state *round_ensure(struct consensus *c, int32_t round);

/* What a vote would change here, before its signature is looked at. */
enum vote_use {
	VOTE_USELESS, /* nothing: it is here, or as good as here */
	VOTE_USEFUL,
	VOTE_OPENS /* it would bring back into view a round long past */
};
enum vote_use vote_use(const struct consensus *c, const struct vote *vote);
/* The same of a proposal; never VOTE_OPENS. */
enum vote_use proposal_use(const struct consensus *c, const struct proposal *proposal);

struct known_block *block_find(const struct consensus *c, const struct block_id *id);
/* NULL: the table is full of blocks that a lock, a proposal or a decision hangs on. */
struct known_block *block_ensure(struct consensus *c, const struct block_id *id);

/* Forget the height; the precommits that decided it become the last commit when next is the one
 * after. */
MUST_USE enum status height_begin(struct consensus *c, const struct height_start *next);

#endif
