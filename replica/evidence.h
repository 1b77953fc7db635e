/* evidence: proofs that a validator signed two choices for one (height, round, step): made of what
 * the core saw, told to peers, checked, put into blocks, and kept on record [comet 3.3, CometBFT's
 * DuplicateVoteEvidence]. The same two votes give the same bytes on every node: in order of block
 * id, with the powers and the time of the block of that height; so a proof is made only when that
 * block is committed. A validator is convicted once for a height, whichever two of its votes a node
 * saw first: who signs a hundred choices fills no more blocks than who signs two. Owns its proofs
 * (heap, EVIDENCE_PENDING_MAX of them). Part of replica. */
#ifndef REPLICA_EVIDENCE_H
#define REPLICA_EVIDENCE_H

#include "replica/head.h"

enum { EVIDENCE_PAIRS_MAX = VALIDATORS_MAX };

struct evidence_pair {
	struct vote a, b;
};

struct evidence_item {
	int64_t height;
	struct validator_address address; /* with the height: which crime */
	struct timestamp time;            /* of the block of that height */
	struct buf packed;                /* DuplicateVoteEvidence */
};

struct evidence_pool {
	struct evidence_pair pairs[EVIDENCE_PAIRS_MAX]; /* of the height being decided; one each */
	size_t pair_count;
	struct evidence_item items[EVIDENCE_PENDING_MAX]; /* not in a block yet */
	size_t item_count;
};

void evidence_fini(struct evidence_pool *pool);

/* Two verified votes that contradict each other. */
void evidence_note(struct evidence_pool *pool, const struct vote *a, const struct vote *b);

/* The same of the height before, whose block is committed: a late vote. True: a new proof; it is
 * the last one in pool->items. */
MUST_USE bool evidence_note_late(struct evidence_pool *pool, const struct vote *a,
	const struct vote *b, const struct chain_head *head);

/* A block was committed: its proofs leave the pool, pairs of its height become proofs, old ones are
 * forgotten. fresh gets the indices of the new proofs in pool->items. */
void evidence_committed(struct evidence_pool *pool, const struct chain_head *head,
	const Pb__Block *block, size_t fresh[EVIDENCE_PAIRS_MAX], size_t *fresh_count);

/* Is this a proof that stands, of a height that is kept here, young enough, and its crime in no
 * block yet? fault: NULL for yes, else what is wrong. A failing store is a status. */
MUST_USE enum status evidence_check(const char **fault, const Pb__DuplicateVoteEvidence *evidence,
	struct store *store, const struct chain_head *head, const char *chain_id);
/* The one fault that its messenger must have made: who tells of a crime has seen both votes. */
extern const char evidence_forged[];
/* Of all a block carries; no crime twice. What a node without that height can't judge it leaves to
 * the others: refusing it would part it from them for ever. */
MUST_USE enum status evidence_check_list(const char **fault, const Pb__EvidenceList *list,
	struct store *store, const struct chain_head *head, const char *chain_id);

/* Would evidence_keep take it? Asked before it is checked, which costs two signatures. */
MUST_USE bool evidence_wanted(
	const struct evidence_pool *pool, const Pb__DuplicateVoteEvidence *evidence);
/* Takes a checked proof. False: nothing is done, its crime is known already, or there is no room
 * for more of this validator, or of anybody, until a block has taken some. */
bool evidence_keep(struct evidence_pool *pool, const Pb__DuplicateVoteEvidence *evidence);

/* The proofs for the block after this head, in the arena, at most bytes_max of them; NULL:
 * exhausted. */
Pb__EvidenceList *evidence_for_block(const struct evidence_pool *pool, struct arena *arena,
	const struct chain_head *head, int64_t bytes_max);

/* The rows that remember which proofs are in a block. */
void evidence_put(struct store_batch *batch, const Pb__Block *block);

#endif
