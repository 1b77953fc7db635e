/* proof: Merkle proofs as messages, and the proof that a transaction is in a block. Pure. */
#ifndef CHAIN_FORMAT_PROOF_H
#define CHAIN_FORMAT_PROOF_H

#include "base/arena.h"
#include "base/merkle.h"
#include "base/status.h"
#include "chain/proto/comet.pb-c.h"

/* NULL: the arena is full. */
Pb__Proof *merkle_proof_to_pb(const struct merkle_proof *proof, struct arena *arena);
/* False: sizes or numbers that no proof of ours could have. */
MUST_USE bool merkle_proof_from_pb(struct merkle_proof *out, const Pb__Proof *pb);

/* Path of transaction `index` (< data->n_txs) to *root, the block's data_hash. STATUS_NO_MEMORY. */
MUST_USE enum status tx_prove(
	struct merkle_proof *out, struct hash32 *root, const Pb__Data *data, size_t index);
/* Is tx in the block with this data_hash, at the place the proof says? */
MUST_USE bool tx_proof_verify(
	const struct merkle_proof *proof, struct bytes tx, const struct hash32 *data_hash);

#endif
