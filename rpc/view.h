/* view: the port through which rpc sees the running node: round state, peers, mempool, identity.
 * Filled by node/ (and by tests). Everything about committed blocks is read from the store by
 * chain/blocks.h and needs no port. Loop thread. Views borrowed until the next call. */
#ifndef RPC_VIEW_H
#define RPC_VIEW_H

#include "base/keys.h"
#include "base/rfc3339.h"
#include "chain/app.h"
#include "chain/store.h"

/* What never changes while the process runs. */
struct view_identity {
	const char *node_id; /* 40 lower-case hex digits */
	const char *listen_address;
	const char *rpc_address;
	const char *moniker;
	const char *chain_id;
	const char *version; /* "0.38.x" */
	struct validator_key validator_key;
	const char *genesis_json; /* the document as served by `genesis` (member "genesis") */
	size_t genesis_json_len;
};

struct view_mempool_tx {
	struct bytes raw;
};

/* How a submission ended its admission. */
enum view_admission {
	VIEW_ADMITTED,  /* verdict.code 0: waits in the mempool. Else refused by the app: verdict
			   says why */
	VIEW_KNOWN,     /* `tx already exists in cache` */
	VIEW_FULL,      /* mempool is full; verdict.log holds CometBFT's text */
	VIEW_TOO_LARGE, /* verdict.log holds the text */
	VIEW_SYNCING    /* the node is catching up and can't judge */
};
struct view_submitted {
	enum view_admission admission;
	struct hash32 hash;
	struct app_verdict verdict;
};
typedef void view_submit_done(void *ctx, const struct view_submitted *outcome);
/* The block that holds a transaction, once committed. height 0: the wait ended without it. */
struct view_included {
	int64_t height;
	uint32_t index;
};
typedef void view_include_done(void *ctx, const struct view_included *outcome);

struct view_vtable {
	const struct view_identity *(*identity)(void *self);
	/* Peers ahead of us: blocks are being fetched. */
	bool (*catching_up)(void *self);
	/* One JSON object text appended: round_state of consensus_state / dump_consensus_state;
	 * net_info's result. */
	void (*round_state_json)(void *self, struct buf *out, bool full);
	/* An array: what each peer says of its own round (dump_consensus_state's peers). */
	void (*peer_states_json)(void *self, struct buf *out);
	/* An object: what the height being decided waits for, and for whom (docs/rpc.md). */
	void (*progress_json)(void *self, struct buf *out);
	void (*net_info_json)(void *self, struct buf *out);
	void (*mempool_totals)(void *self, size_t *count, size_t *bytes);
	/* Up to max views into out, oldest first; returns how many. */
	size_t (*mempool_list)(void *self, struct view_mempool_tx *out, size_t max);
	/* Admission of one transaction (bytes copied). done is called exactly once, perhaps before
	 * this returns. */
	void (*submit)(void *self, struct bytes tx, view_submit_done *done, void *ctx);
	/* Calls done when the transaction is in a committed block, or with height 0 at deadline_ms
	 * (monotonic). Must be asked before submit. False: the table of waits is full. cancel by
	 * the same ctx. */
	bool (*wait_included)(void *self, const struct hash32 *hash, uint64_t deadline_ms,
		view_include_done *done, void *ctx);
	void (*cancel_wait)(void *self, view_include_done *done, void *ctx);
};

struct view {
	const struct view_vtable *vtable;
	void *self;
	struct store *store;
	const struct app *app;
};

#endif
