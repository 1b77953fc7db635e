/* settle: the settlement state machine behind chain/app.h [protocol whole]: accounts, jobs, escrow,
 * receipts and the state tree they hash to. PURE: no clock, no randomness, no I/O but reads of the
 * store it was opened on; what a block changes goes into the block's own batch at commit. Knows no
 * vote. Called by replica through the port, and by node to open it. Every machine that executes the
 * same blocks holds the same state, bit for bit. Money can't appear or vanish: balances + escrow =
 * supply is checked after every block, and a breach aborts. What is on disk: STORE_STATE (keys in
 * chain/settle/state.h) and STORE_JOBS (rows in chain/settle/rows.h). Threads as the port says.
 * check, account, query and next_wake_ms read the store and what committed moves, never a block in
 * work. */
#ifndef CHAIN_SETTLE_SETTLE_H
#define CHAIN_SETTLE_SETTLE_H

#include "base/log.h"
#include "chain/app.h"

enum { SETTLE_APP_VERSION = 1 };

/* chain_tag etc. are given again at every start; they must be those of the genesis. */
struct settle_config {
	struct hash32 chain_tag;
	uint64_t heartbeat_ms;
	uint64_t block_bytes_max;
	uint64_t snapshot_interval; /* heights between two snapshots to join from; 0: none */
	uint64_t rules_known; /* the newest rules version this program has; 0: SETTLE_APP_VERSION */
	struct log *log;      /* may be NULL */
};

/* Opens over what the store holds; an empty store waits for init_chain. store must outlive the app.
 * STATUS_INVALID: the store belongs to another chain_tag. STATUS_CORRUPT: its rows contradict each
 * other. */
MUST_USE enum status settle_open(
	struct app *out, struct store *store, const struct settle_config *config);

#endif
