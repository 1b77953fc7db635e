/* driver: performs a replica's effects on the real machine: log and fence on disk, signatures,
 * verify threads, the apply work, the clock. Thin on purpose: every rule lives in replica/, where
 * the simulator can break it. Owns replica, disk, verify threads and the table of submissions;
 * borrows loop, app, store, mempool. Loop thread only. */
#ifndef NODE_DRIVER_H
#define NODE_DRIVER_H

#include <event2/event.h>

#include "node/disk.h"
#include "replica/replica.h"
#include "rpc/view.h"

struct driver;

struct driver_config {
	struct event_base *loop;
	const char *home;
	struct replica_config replica; /* me and mempool included */
	struct validator_secret secret;
	unsigned verify_threads;
	/* To a peer, or to REPLICA_EVERYONE; and ending a link for good reason. NULL: a chain of
	 * one. Neither may call back into the driver but driver_peer_down. */
	void (*send)(void *ctx, uint32_t peer, struct bytes message);
	void (*drop)(void *ctx, uint32_t peer);
	/* The validator had to stop: the process should end. */
	void (*stopped)(void *ctx, const char *why);
	void *ctx;
};

/* Recovers and starts. STATUS_CORRUPT and others: fault says what the operator must know. */
MUST_USE enum status driver_new(
	struct driver **out, const struct driver_config *config, char fault[NODE_FAULT_BYTES]);
void driver_free(struct driver *d);

/* A transaction wants in; bytes are copied. done is called once, now or later; never after
 * driver_free. STATUS_BUSY: SUBMISSIONS_MAX are under way. */
MUST_USE enum status driver_submit(
	struct driver *d, struct bytes tx, view_submit_done *done, void *ctx);

/* Links to peers, numbered below PEERS_MAX by whoever keeps them. A message's bytes are borrowed
 * for the call. */
void driver_peer_up(struct driver *d, uint32_t peer);
void driver_peer_down(struct driver *d, uint32_t peer);
void driver_peer_message(struct driver *d, uint32_t peer, struct bytes message);

/* The operator's word that the wall clock is right, after it leapt ahead. */
void driver_trust_clock(struct driver *d);

/* done when the transaction is in a committed block, or with height 0 at deadline_ms of the steady
 * clock. STATUS_BUSY: WAITS_MAX are waiting. */
MUST_USE enum status driver_wait(struct driver *d, const struct hash32 *hash, uint64_t deadline_ms,
	view_include_done *done, void *ctx);
void driver_cancel(struct driver *d, view_include_done *done, void *ctx);

const struct replica *driver_replica(const struct driver *d);

/* The height being decided, as this process saw it. */
struct driver_height {
	int64_t height;
	struct timestamp began; /* wall clock: the one before was committed, or the node started */
	uint64_t since_ms;      /* the same on the steady clock */
	uint64_t begun_ms;      /* there was a reason to decide it; 0: none yet */
};
struct driver_height driver_height(const struct driver *d);

struct driver_counts {
	uint64_t blocks, txs, tx_bytes; /* committed since the start */
	uint64_t verified;              /* signatures checked by the threads */
	uint64_t log_syncs, fence_writes;
	size_t submissions, waits; /* under way */
};
struct driver_counts driver_counts(const struct driver *d);

#endif
