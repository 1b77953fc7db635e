/* app: the port to a state machine as consensus and mempool see it, in the shape of ABCI 2.0.
 * The app writes only at commit, into the block's own batch, and holds its own height; it can be
 * replayed from any height up to the store's. Everything it answers is a function of its state and
 * the arguments: no clock, no randomness, no I/O but reads of the store it was opened on. Threads:
 * verify may run in any thread; prepare, process, finalize and commit belong to one thread (the
 * apply worker) and never overlap; check, account, query and next_wake_ms read the last committed
 * state, from another thread beside them; committed, which moves that state, runs on that other
 * thread while none of the apply worker's calls is under way. */
#ifndef CHAIN_APP_H
#define CHAIN_APP_H

#include "base/bytes.h"
#include "base/hash.h"
#include "base/keys.h"
#include "base/merkle.h"
#include "base/rfc3339.h"
#include "base/status.h"
#include "chain/store.h"

enum { APP_LOG_BYTES = 256 };

struct app_info {
	int64_t height; /* last committed; 0 before the first */
	struct hash32 app_hash;
	uint64_t app_version; /* rules version of the next block, from 1 */
	const char *data;     /* a short name of the machine */
	/* Not NULL: the next block follows rules this machine doesn't know, and why in words for
	 * the operator. Whoever drives it must stop before voting. Valid until the next commit. */
	const char *halt;
};

/* A verdict on a transaction. code 0 is acceptance; codespace and log are for people. */
struct app_verdict {
	uint32_t code;
	const char *codespace;
	char log[APP_LOG_BYTES];
};

/* What the mempool must know of a transaction to queue it. A machine without accounts leaves
 * has_sender false: such transactions wait in one first-come queue. */
struct app_check {
	struct app_verdict
		verdict; /* of everything but the signature and what is queued before it */
	bool has_sender;
	struct account_address sender;
	uint64_t sequence;      /* the transaction's */
	uint64_t next_sequence; /* the account's, committed */
	uint64_t fee;
	uint64_t balance;        /* the account's, committed: what queued fees must fit in */
	uint64_t valid_until_ms; /* 0: no end */
};

/* One transaction of a block: its bytes, and whether this node has verified its signature already.
 */
struct app_tx {
	struct bytes raw;
	struct hash32 hash; /* SHA-256 of raw */
	bool verified;
};

struct app_block {
	int64_t height;
	struct timestamp time;
	struct timestamp last_time; /* of height - 1; genesis time at the first */
	struct validator_address proposer;
	const struct app_tx *txs;
	size_t tx_count;
};

struct app_validator_update {
	struct validator_key key;
	int64_t power; /* 0 removes */
};

struct app_tx_result {
	uint32_t code;
	struct bytes data; /* owned by the app until its next finalize or commit */
	const char *codespace;
	const char *log;
	int64_t gas_wanted;
	int64_t gas_used;
};

/* Owned by the app; valid until its next finalize. events are packed pb Event messages by
 * transaction. */
struct app_event_attribute {
	const char *key;
	const char *value;
	bool index;
	/* Whose address the value is in bech32, when it is one that the same transaction touches;
	 * NULL: no such thing. */
	const struct account_address *account;
};
struct app_event {
	uint32_t tx_index; /* or APP_EVENT_OF_BLOCK */
	const char *type;
	const struct app_event_attribute *attributes;
	size_t attribute_count;
};
#define APP_EVENT_OF_BLOCK UINT32_MAX

/* A row of history that the app wants kept beside the block: an account that the transaction
 * touches. */
struct app_touch {
	uint32_t tx_index; /* or APP_EVENT_OF_BLOCK */
	struct account_address account;
};

struct app_result {
	struct hash32 app_hash;
	const struct app_tx_result *txs;
	size_t tx_count;
	const struct app_event *events;
	size_t event_count;
	const struct app_touch *touches;
	size_t touch_count;
	const struct app_validator_update *updates;
	size_t update_count;
	uint64_t app_version; /* of the next block's header; 0: as it was */
};

struct app_query {
	const char *path;
	struct bytes data;
	int64_t height; /* 0: the newest */
	bool prove;
};

struct app_answer {
	struct app_verdict verdict;
	struct buf key;
	struct buf value;
	struct buf proof_ops; /* packed pb ProofOps; empty: none */
	int64_t index;
	int64_t height;
};

/* One step of the genesis: the app's own part as parsed by the genesis room (packed pb AppState for
 * settle, raw JSON text for others). */
struct app_genesis {
	struct bytes app_state;
	struct hash32 chain_tag;
	struct timestamp time;
	int64_t initial_height;
	uint64_t heartbeat_ms;
	uint64_t block_bytes_max;
	const struct app_validator_update *validators; /* of the first height; power > 0 */
	size_t validator_count;
};

/* A whole state at a height, to be fetched in chunks by who joins. In the shape of ABCI 2.0; each
 * chunk is proved against root, the whole against an app_hash that the joiner trusts. */
struct app_snapshot {
	int64_t height;
	uint32_t format;
	uint32_t chunks;    /* > 0 */
	struct hash32 root; /* Merkle root over the chunks [base/merkle] */
};
enum { APP_SNAPSHOTS_MAX = 2, APP_CHUNK_BYTES_MAX = 96 * 1024 };

enum app_chunk_verdict {
	APP_CHUNK_TAKEN,
	APP_CHUNK_LAST,   /* and the state is the one that was offered: batch holds it whole */
	APP_CHUNK_REFUSED /* the snapshot isn't that state: nothing of batch may be written */
};

struct app_vtable {
	void (*info)(void *self, struct app_info *out);
	/* Only at height 0. Writes the initial state into batch. STATUS_INVALID: the genesis breaks
	 * a rule. */
	enum status (*init_chain)(void *self, const struct app_genesis *genesis,
		struct store_batch *batch, struct hash32 *app_hash);
	/* The signature, a pure function of the bytes and the chain tag; code 0 is good. What else
	 * is wrong with them check says. Any thread. */
	void (*verify)(void *self, struct bytes tx, struct app_verdict *out);
	/* Everything but the signature, against the last committed state. now_ms: the next block's
	 * likely time. */
	void (*check)(void *self, struct bytes tx, uint64_t now_ms, struct app_check *out);
	/* The account's committed next sequence and balance, for the mempool to refresh what waits
	 * after a block. False: the machine has no accounts, or not this one. */
	bool (*account)(void *self, const struct account_address *address, uint64_t *next_sequence,
		uint64_t *balance);
	/* Drops from txs (in order, compacting; *tx_count falls) what would make the block invalid.
	 */
	enum status (*prepare)(
		void *self, const struct app_block *block, struct app_tx *txs, size_t *tx_count);
	/* Would every honest node accept this block? */
	enum status (*process)(void *self, const struct app_block *block, bool *accept);
	/* Executes on the working state. Called again for another block of the same height, it
	 * starts over. */
	enum status (*finalize)(void *self, const struct app_block *block, struct app_result *out);
	/* Puts what finalize changed into the batch; committed() follows when the batch is durable,
	 * and before any other call of the apply worker. */
	enum status (*commit)(void *self, struct store_batch *batch);
	void (*committed)(void *self);
	enum status (*query)(void *self, const struct app_query *query, struct app_answer *out);
	/* Block time in ms at which the app wants a block though nothing waits; UINT64_MAX: never.
	 * Advice. */
	uint64_t (*next_wake_ms)(void *self);
	/* The next four may be NULL: a machine without snapshots. */
	/* The snapshots that can be loaded, newest first; returns how many, at most
	 * APP_SNAPSHOTS_MAX. From the thread of check. */
	size_t (*list_snapshots)(void *self, struct app_snapshot out[APP_SNAPSHOTS_MAX]);
	/* Appends the chunk and proves it. STATUS_NOT_FOUND: no such one, or no longer. From the
	 * thread of check. */
	enum status (*load_chunk)(void *self, int64_t height, uint32_t index, struct buf *chunk,
		struct merkle_proof *proof);
	/* At height 0 only: the next chunks are of this snapshot, whose state must hash to app_hash
	 * and whose block has this time. False: a form that this machine doesn't read. */
	bool (*offer_snapshot)(void *self, const struct app_snapshot *snapshot,
		const struct hash32 *app_hash, struct timestamp time);
	/* Chunks in order, each proved already. What it holds goes into batch, which the first one
	 * finds empty; after the last the store is written and the app opened anew. */
	enum status (*apply_chunk)(void *self, uint32_t index, struct bytes chunk,
		struct store_batch *batch, enum app_chunk_verdict *verdict);
	void (*close)(void *self);
};

struct app {
	const struct app_vtable *vtable;
	void *self;
};

void app_answer_init(struct app_answer *answer);
void app_answer_fini(struct app_answer *answer);

#endif
