/* words: what a liar says, made and signed with its own key, or not signed at all. Part of liar. */
#ifndef TESTS_SIM_WORDS_H
#define TESTS_SIM_WORDS_H

#include "chain/format/part_set.h"
#include "chain/format/vote.h"
#include "chain/proto/peer.pb-c.h"
#include "tests/sim/node.h"
#include "tests/sim/random.h"

/* to: a node; who isn't linked hears nothing. */
void word_raw(struct sim_node *n, uint32_t to, struct bytes raw);
void word_message(struct sim_node *n, uint32_t to, const Pb__PeerMessage *message);

/* A vote of n's seat; the signature is made. */
struct vote word_vote_of(const struct sim_node *n, enum vote_type type, int64_t height,
	int32_t round, const struct block_id *block);
void word_vote(struct sim_node *n, uint32_t to, const struct vote *vote);
void word_vote_sign(const struct sim_node *n, struct vote *vote);

/* Signs the proposal. */
void word_proposal_sign(const struct sim_node *n, struct proposal *proposal);
void word_proposal(struct sim_node *n, uint32_t to, const struct proposal *proposal);
/* index: of the part; the message may be bent before it goes. */
typedef void word_bend(void *ctx, Pb__BlockPart *part);
void word_part(struct sim_node *n, uint32_t to, int64_t height, int32_t round,
	const struct block_id *id, const struct part_set *parts, uint32_t index, word_bend *bend,
	void *ctx);

/* ---- blocks ---- */

enum block_lie {
	BLOCK_LATER,      /* the same with a time a little later: as good as the other */
	BLOCK_TIME,       /* a time far off */
	BLOCK_ADDRESSES,  /* its last commit names others, its hashes fit */
	BLOCK_APP_HASH,   /* it doesn't follow from our state */
	BLOCK_VALIDATORS, /* nor from our set */
	BLOCK_TWICE,      /* a transaction twice */
	BLOCK_EVIDENCE,   /* a proof that proves nothing */
	BLOCK_GARBAGE,    /* bytes */
	BLOCK_LARGE,      /* more of them than fit */
	BLOCK_LIES
};

/* Another block made of this one; false: that can't be done with it. parts, id and time are the new
 * one's; time may be the old one's when it can't be told. */
bool word_block(struct part_set *parts, struct block_id *id, struct timestamp *time,
	struct bytes block, enum block_lie how, struct random *dice);

#endif
