/* vote: the messages of consensus as plain values: votes and proposals, signed or not.
 * Shared by core, tally, fence and WAL. A vote in a core is always `verified`: the signature was checked by
 * whoever made the input (a worker, or the replay of our own log). Copyable; owns nothing. */
#ifndef CONSENSUS_VOTE_H
#define CONSENSUS_VOTE_H

#include "base/keys.h"
#include "base/rfc3339.h"
#include "chain/format/block_id.h"

/* On the wire and signed: CometBFT's numbers [comet 3.4]. */
enum vote_type { VOTE_PREVOTE = 1, VOTE_PRECOMMIT = 2 };

struct vote {
	enum vote_type type;
	int64_t height;
	int32_t round;
	struct block_id block; /* nil: all zero */
	struct timestamp time;
	uint32_t validator; /* index in the height's validator set */
	struct validator_signature signature;
};

struct proposal {
	int64_t height;
	int32_t round;
	int32_t pol_round; /* -1: a fresh block */
	struct block_id block;
	struct timestamp time; /* equals the block's header time [protocol 6] */
	struct validator_signature signature;
};

#endif
