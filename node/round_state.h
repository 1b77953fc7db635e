/* round_state: the answers of consensus_state and dump_consensus_state, in CometBFT's shape: what
 * this node knows of the round and what its peers say of theirs. Pure text over borrowed parts;
 * used by chain_view.c. Whole blocks aren't repeated in it: where CometBFT dumps one, here is null.
 */
#ifndef NODE_ROUND_STATE_H
#define NODE_ROUND_STATE_H

#include "node/driver.h"
#include "node/net.h"

/* CometBFT's RoundStepType numbers. */
int round_state_step(enum consensus_step step);

/* full: dump_consensus_state's, else consensus_state's. */
void round_state_put(struct buf *out, const struct driver *driver, bool full);

/* dump_consensus_state's peers. net NULL: a node without peers. */
void round_state_put_peers(struct buf *out, const struct driver *driver, const struct net *net);

#endif
