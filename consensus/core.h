/* core: one validator's Tendermint (arXiv 1807.04938) for one height after another, as a pure
 * function. Typed, authenticated inputs and the wall clock in; an ordered list of effects out. It
 * asks the world by effects and hears the answers as inputs that name the same height, round and
 * block; a late answer for a past round is dropped. Owns its tallies (memory taken once a height, a
 * number of rounds at most). Called by replica only. Never does I/O, never reads a clock, never
 * calls app, mempool or store. Cannot fail: what peers send is a verdict; what it could not sign it
 * does not say. */
#ifndef CONSENSUS_CORE_H
#define CONSENSUS_CORE_H

#include "base/status.h"
#include "consensus/tally.h"

/* ---- what goes in ---- */

enum consensus_input_kind {
	IN_BEGIN,            /* there is a reason to start the height [protocol 6] */
	IN_PROPOSAL,         /* from a peer, signature verified against the round's proposer */
	IN_BLOCK,            /* the whole block of this id is here and in the log */
	IN_VOTE,             /* from a peer, signature verified */
	IN_TIMEOUT,          /* a timer this core asked for */
	IN_PROPOSAL_BUILT,   /* answers EFFECT_BUILD_PROPOSAL */
	IN_PROPOSAL_CHECKED, /* answers EFFECT_CHECK_PROPOSAL */
	IN_SIGNED_PROPOSAL,  /* answers EFFECT_SIGN_PROPOSAL */
	IN_SIGNED_VOTE,      /* answers EFFECT_SIGN_VOTE */
	IN_SIGN_REFUSED,     /* the fence said no, for either */
	IN_EXECUTED,         /* answers EFFECT_EXECUTE */
	IN_COMMITTED         /* answers EFFECT_COMMIT: the next height begins */
};

enum consensus_step {
	STEP_WAIT, /* the height has no reason to start yet */
	STEP_PROPOSE,
	STEP_PREVOTE,
	STEP_PRECOMMIT,
	STEP_EXECUTE, /* decided; asked for the results */
	STEP_COMMIT   /* executed; asked for the write */
};

/* Where a height starts from. */
struct height_start {
	int64_t height;
	struct validator_set validators; /* of this height, rotated for round 0 */
	struct timestamp last_time;      /* of block height - 1; genesis time at the first */
};

struct consensus_input {
	enum consensus_input_kind kind;
	struct timestamp now; /* wall clock when the input arrived; replay gives the logged one */
	union {
		struct proposal proposal; /* IN_PROPOSAL, IN_SIGNED_PROPOSAL */
		struct vote vote;         /* IN_VOTE, IN_SIGNED_VOTE */
		struct {
			int64_t height;
			int32_t round;
			enum consensus_step step;
		} point; /* IN_TIMEOUT, IN_SIGN_REFUSED; IN_BEGIN uses height */
		struct {
			int64_t height;
			int32_t round; /* unused by IN_BLOCK */
			struct block_id block;
			struct timestamp time; /* of its header */
			bool valid;            /* IN_PROPOSAL_CHECKED */
		} block;                       /* IN_BLOCK, _BUILT, _CHECKED, IN_EXECUTED */
		struct height_start next;      /* IN_COMMITTED */
	} u;
};

/* ---- what comes out, in order ---- */

enum consensus_effect_kind {
	EFFECT_BUILD_PROPOSAL, /* make a block for (height, round) */
	EFFECT_CHECK_PROPOSAL, /* would every honest node accept this block? */
	EFFECT_PERSIST, /* a barrier: the log up to here is durable before any later effect happens
			 */
	EFFECT_SIGN_PROPOSAL, /* fence, then sign */
	EFFECT_SIGN_VOTE,
	EFFECT_SEND_PROPOSAL, /* with its block's parts */
	EFFECT_SEND_VOTE,
	EFFECT_TIMER,      /* IN_TIMEOUT for this point after delay_ms */
	EFFECT_EXECUTE,    /* decided: run the block */
	EFFECT_COMMIT,     /* write the block, its commit and its results as one */
	EFFECT_EVIDENCE,   /* two votes of one validator */
	EFFECT_NEED_BLOCK, /* more than 2/3 stand behind a block we don't have */
	EFFECT_DISAGREE    /* more than 2/3 decided a block that we found invalid: stop */
};

struct consensus_effect {
	enum consensus_effect_kind kind;
	int64_t height;
	int32_t round;
	enum consensus_step step; /* TIMER */
	uint64_t delay_ms;        /* TIMER */
	struct block_id block;    /* CHECK, EXECUTE, COMMIT, NEED_BLOCK */
	struct proposal proposal; /* SIGN_PROPOSAL (unsigned), SEND_PROPOSAL */
	struct vote vote;         /* SIGN_VOTE (unsigned), SEND_VOTE, EVIDENCE */
	struct vote other;        /* EVIDENCE */
};

enum { CONSENSUS_EFFECTS_MAX = 64 };

struct consensus_effects {
	size_t count;
	struct consensus_effect items[CONSENSUS_EFFECTS_MAX];
};

/* ---- the machine ---- */

struct consensus_timing {
	uint64_t propose_ms, prevote_ms, precommit_ms; /* of round 0 */
	uint64_t growth_ms;                            /* added each round */
	uint64_t precision_ms, message_delay_ms;       /* timeliness [protocol 6] */
};

enum { ROUNDS_KEPT = 32, BLOCKS_KEPT = 16 };

enum block_verdict { BLOCK_UNASKED, BLOCK_ASKED, BLOCK_VALID, BLOCK_INVALID };

struct known_block {
	bool used;
	bool here; /* all its parts, in the log */
	struct block_id id;
	struct timestamp time;
	enum block_verdict verdict;
};

struct round_state {
	bool used;
	int32_t round;
	bool has_proposal;
	bool timely; /* judged once, at arrival */
	struct proposal proposal;
	struct tally prevotes, precommits;
	bool prevote_timer, precommit_timer; /* asked for already */
	bool polka_seen;                     /* rule "lock" ran for this round */
};

struct consensus {
	struct consensus_timing timing;
	struct validator_key me;
	int64_t my_index; /* in validators; -1: not one of them */

	int64_t height;
	int32_t round;
	enum consensus_step step;
	struct timestamp last_time;
	struct validator_set validators;
	int32_t locked_round, valid_round; /* -1: none */
	struct block_id locked_block, valid_block;
	int32_t decided_round; /* of the first quorum of precommits for a block; -1: none */
	struct block_id decided_block;
	/* What the current round has asked to be signed: a restart asks again for what the log has
	 * no answer to. */
	bool asked_proposal, asked_vote[3]; /* votes by vote_type */
	struct proposal proposal_asked;
	struct vote vote_asked[3];

	struct round_state rounds[ROUNDS_KEPT];
	struct tally_slot *slots; /* ROUNDS_KEPT * 2 * slots_each */
	uint32_t slots_each;
	int32_t highest_round[VALIDATORS_MAX]; /* seen of each validator: the jump rule */
	struct known_block blocks[BLOCKS_KEPT];

	/* The precommits that decided height - 1: what the next block carries as its last commit.
	 */
	struct validator_set last_validators;
	struct tally last_precommits;
	struct tally_slot *last_slots;
	bool has_last_commit;
};

/* me: the key this process validates with; all zero for a full node. STATUS_NO_MEMORY. */
MUST_USE enum status consensus_init(struct consensus *c, const struct consensus_timing *timing,
	const struct validator_key *me, const struct height_start *start);
void consensus_fini(struct consensus *c);

/* What the store says was committed for height - 1, so that a proposer can build on it after a
 * restart. votes[i].validator indexes validators. */
MUST_USE enum status consensus_restore_last_commit(struct consensus *c,
	const struct validator_set *validators, const struct vote *votes, size_t count);

/* One input. Appends to out (cleared first). Only IN_COMMITTED allocates; its STATUS_NO_MEMORY is
 * the only failure. */
MUST_USE enum status consensus_step(
	struct consensus *c, const struct consensus_input *in, struct consensus_effects *out);

/* After a replay of the log, whose effects were dropped: our own recorded messages of this round to
 * be sent again, never re-made, and what is still asked of the world. */
void consensus_resume(struct consensus *c, struct consensus_effects *out);

/* Proposer of a round of the current height: index into c->validators. */
uint32_t consensus_proposer(const struct consensus *c, int32_t round);

/* [protocol 6] Whether a fresh block's time fits the moment its proposal arrived. */
bool consensus_timely(const struct consensus_timing *timing, int32_t round,
	struct timestamp block_time, struct timestamp arrival);

const char *consensus_step_name(enum consensus_step step);

#endif
