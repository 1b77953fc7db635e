/* join: how a new node takes over the state of a chain that is far ahead, instead of executing it
 * from the beginning: finds a snapshot that enough peers offer alike, proves its height's header
 * from the genesis validators on (skipping: more than 1/3 of the power trusted so far has signed,
 * and more than 2/3 of its own), fetches the chunks and holds the whole against the app_hash that
 * the next header carries. Nothing reaches the store before all of it is proved: then one batch
 * holds everything, so that a crash before leaves a new store and after it a joined one.
 * What no header proves is whose turn it is to propose: at least one honest peer of the
 * floor((n - 1) / 3) + 1 that must offer the same vouches for it, and the proposers of the proved
 * headers must fit.
 * Owns its memory; borrows app and store, which nobody may write meanwhile. Called by node before
 * there is a replica, with the same inputs and effects (only PEER_UP, PEER_DOWN, MESSAGE, TICK;
 * only SEND, DROP_PEER). One thread, no I/O but reads of the store. Who can't join so gives up and
 * catches up block by block. */
#ifndef REPLICA_JOIN_H
#define REPLICA_JOIN_H

#include "replica/replica.h"

struct join_config {
	struct chain_start start;
	struct app app; /* at height 0 */
	struct store *store;
	struct log *log;
	uint64_t heights_min; /* that peers must be ahead for it to be worth it */
	uint32_t peer_count;  /* that may come up; 0: any */
};

enum join_state {
	JOIN_RUNS,
	JOIN_NOT_NEEDED, /* the others aren't far ahead, or nobody is there */
	JOIN_GAVE_UP,    /* no snapshot that could be proved; told in the log */
	JOIN_DONE        /* write join_batch, durably, and open the app anew */
};

struct join;

/* NULL: no memory. */
struct join *join_new(const struct join_config *config, struct replica_now now);
void join_free(struct join *j);

/* One input; effects are appended. After the state has changed nothing happens any more. */
void join_step(struct join *j, const struct replica_input *in, struct replica_now now,
	struct replica_effects *out);
enum join_state join_state(const struct join *j);
uint64_t join_next_ms(const struct join *j, struct replica_now now);

/* JOIN_DONE: what makes the store the one of that height. */
const struct store_batch *join_batch(const struct join *j);
int64_t join_height(const struct join *j);

#endif
