/* block: a whole block's bytes, and the hashes its header holds (comet.md 3.3).
 * Pure. block_decode is the only door for blocks that somebody else made; what it lets in has every
 * message present, is in canonical form, and its header agrees with its content. Whether the block
 * follows from the chain's state is consensus' question, not ours. */
#ifndef CHAIN_FORMAT_BLOCK_H
#define CHAIN_FORMAT_BLOCK_H

#include "base/arena.h"
#include "base/status.h"
#include "chain/format/commit.h"
#include "chain/format/header.h"
#include "chain/proto/settle.pb-c.h"

/* Over SHA256(tx) of each. */
struct hash32 data_hash(const Pb__Data *data);
/* Over the DuplicateVoteEvidence messages themselves. */
struct hash32 evidence_hash(const Pb__EvidenceList *list);
/* header.last_results_hash of the next block: only code, data and gas are hashed. */
struct hash32 results_hash(Pb__ExecTxResult *const *results, size_t count);
/* The Merkle leaf of one result, for proofs. */
struct hash32 result_leaf(const Pb__ExecTxResult *result);
/* header.consensus_hash */
struct hash32 consensus_params_hash(const Pb__ConsensusParams *params);

/* Appends the block's bytes, of which the part set is made. */
void block_pack(struct buf *out, const Pb__Block *block);

/* NULL: refused, and *fault says why; or *local isn't STATUS_OK, the arena ran out, and it is no
 * verdict. txs_max: how many transactions are read. The block lives in the arena. */
MUST_USE const Pb__Block *block_decode(struct arena *arena, enum status *local, const char **fault,
	struct bytes raw, size_t txs_max);

#endif
