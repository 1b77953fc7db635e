/* prove: that a record is in the state a header commits to [protocol 5]: two `simple:v` operators
 * that any CometBFT light client runs, from the record to the state tree's root and from there to
 * app_hash. The last two versions can be proved: the tip, whose app_hash stands in a header yet to
 * come, and the one before it, whose header is there; of the latter the block in between left the
 * old values here. Belongs to the thread that commits. Private to chain/settle. */
#ifndef CHAIN_SETTLE_PROVE_H
#define CHAIN_SETTLE_PROVE_H

#include "chain/settle/machine.h"

/* Keeps the values that the work replaces, before it is adopted. No memory: the version before the
 * tip can't be proved until the next block, which is all. */
void past_keep(struct past *past, const struct state *work);
void past_fini(struct past *past);

/* Answers /store/settle/key with proof: key, value, proof_ops and height, or a refusal in the
 * verdict. The snapshot may be one block ahead of what is adopted. */
MUST_USE enum status prove_record(const struct settle *settle,
	const struct store_snapshot *snapshot, const struct app_query *query,
	struct app_answer *out);

#endif
