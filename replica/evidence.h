/* evidence: proofs that a validator signed two choices for one (height, round, step): made of what
 * the core saw, told to peers, checked, put into blocks once each, and kept on record [comet 3.3,
 * CometBFT's DuplicateVoteEvidence]. One crime gives the same bytes on every node: votes in order
 * of block id, powers and time those of the block of that height; so a proof is made only when that
 * block is committed. Owns its proofs (heap, EVIDENCE_PENDING_MAX of them). Part of replica. */
#ifndef REPLICA_EVIDENCE_H
#define REPLICA_EVIDENCE_H

#include "replica/head.h"

enum { EVIDENCE_PENDING_MAX = 32, EVIDENCE_PAIRS_MAX = 16 };

struct evidence_pair {
	struct vote a, b;
};

struct evidence_item {
	struct hash32 hash; /* SHA-256 of packed */
	int64_t height;
	struct buf packed; /* DuplicateVoteEvidence */
};

struct evidence_pool {
	struct evidence_pair pairs[EVIDENCE_PAIRS_MAX]; /* of the height being decided */
	size_t pair_count;
	struct evidence_item items[EVIDENCE_PENDING_MAX]; /* not in a block yet */
	size_t item_count;
};

void evidence_fini(struct evidence_pool *pool);

/* Two verified votes that contradict each other. */
void evidence_note(struct evidence_pool *pool, const struct vote *a, const struct vote *b);

/* A block was committed: its proofs leave the pool, pairs of its height become proofs, old ones are
 * forgotten. fresh gets the indices of the new proofs in pool->items. */
void evidence_committed(struct evidence_pool *pool, const struct chain_head *head,
	const Pb__Block *block, size_t fresh[EVIDENCE_PAIRS_MAX], size_t *fresh_count);

/* Is this a proof that stands, of a height that is committed, young enough, and not in a block yet?
 * fault: NULL for yes, else what is wrong. A failing store is a status. */
MUST_USE enum status evidence_check(const char **fault, const Pb__DuplicateVoteEvidence *evidence,
	struct store *store, const struct chain_head *head, const char *chain_id);
/* Of all a block carries; no proof twice. */
MUST_USE enum status evidence_check_list(const char **fault, const Pb__EvidenceList *list,
	struct store *store, const struct chain_head *head, const char *chain_id);

/* Takes a checked proof. Does nothing when it is known already, or when the pool is full and has
 * convicted enough for now. */
void evidence_keep(struct evidence_pool *pool, const Pb__DuplicateVoteEvidence *evidence);

/* The proofs for the next block, in the arena, at most bytes_max of them; NULL: exhausted. */
Pb__EvidenceList *evidence_for_block(
	const struct evidence_pool *pool, struct arena *arena, int64_t bytes_max);

/* The rows that remember which proofs are in a block. */
void evidence_put(struct store_batch *batch, const Pb__Block *block);

#endif
