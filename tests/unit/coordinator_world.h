/* coordinator_world: a whole coordinator between real HTTP ports on one thread: below it a chain
 * that is the real settlement machine (settle_kit) behind a JSON-RPC face, above it clients and
 * miners who speak HTTP. Its wall clock is the test's; answers of the chain can be lost; it can
 * crash and start again over what was durable. Nothing sleeps: the loop turns until what is waited
 * for is there. */
#ifndef TESTS_COORDINATOR_WORLD_H
#define TESTS_COORDINATOR_WORLD_H

#include "coordinator/coordinator.h"
#include "http/shell.h"
#include "tests/unit/settle_kit.h"
#include "wallet/terms.h"

enum { WORLD_BLOCKS_MAX = 2048 };

/* What becomes of the next broadcasts, one each. */
enum chain_mood {
	CHAIN_GOOD,
	CHAIN_LOSE, /* never arrives */
	CHAIN_MUTE, /* commits, and the answer is lost */
};

#define CLIENT_KEY  "client-key-1"
#define CLIENT2_KEY "client-key-2"
#define ADMIN_KEY   "admin-key"
#define MINER_KEY1  "miner-key-1"
#define MINER_KEY2  "miner-key-2"

struct world {
	struct event_base *loop;
	struct kit *kit;
	struct http_shell *chain_shell;
	struct http_shell *shell;
	struct http_client *http;
	struct rpc_client *rpc;
	struct sender *sender;
	struct store store; /* the coordinator's */
	struct coordinator *coordinator;
	struct account_secret seed; /* of managed accounts */
	bool managed;
	char dir[64];
	char url[64];
	uint64_t now_ms;
	enum chain_mood moods[16];
	size_t mood_count;
	size_t mood_next;
	bool chain_silent; /* every call fails */
	bool impatient;    /* ask doesn't wait long: status 0 when there was no answer */
	size_t broadcasts;
	struct {
		struct buf results; /* of block_results, as JSON; empty: no transactions */
		struct hash32 tx;
		uint32_t code;
	} blocks[WORLD_BLOCKS_MAX]; /* by height */
	uint8_t random;
};

void world_open(struct world *w);
void world_close(struct world *w);
/* The process dies and starts again: what wasn't durable is gone. */
void world_crash(struct world *w);
/* The clock goes on, in steps in which the chain makes blocks, and everything due is done. */
void world_advance(struct world *w, uint64_t ms);
/* Turns the loop until nothing of the coordinator's is on its way to the chain. */
void world_settle(struct world *w);

struct answer {
	uint16_t status;
	char text[16384];
	json_t *json; /* or NULL */
};
/* One request; text, json and status of its answer. Freed by answer_fini. */
void ask(struct world *w, struct answer *out, enum http_method method, const char *path,
	const char *header, const char *key, const char *body);
void answer_fini(struct answer *answer);
/* A text member of the answer, "" when there is none. */
const char *says(const struct answer *answer, const char *member);

/* CLIENT's signed submit_job of a text/count job, as a body for POST /v1/jobs; ask with it, then
 * the REST id is in *id. ttl_ms 0: a minute. */
void submit_body(struct world *w, struct buf *out, const char *job_id, uint64_t ttl_ms);
void submit(struct world *w, struct answer *out, const char *job_id, uint64_t ttl_ms);
/* CLIENT's cancel_job as a body. */
void cancel_body(struct world *w, struct buf *out, const char *job_id);

/* number 1 signs as MINER, 2 as RICH; both offer text/count and poll. */
void register_miner(struct world *w, unsigned number);
/* The next assignment; status 204 when none comes within a second of its clock. */
void poll_job(struct world *w, struct answer *out, unsigned number);
void heartbeat(struct world *w, unsigned number, const char *job_id, unsigned attempt);

/* The miner's answer to an assignment: a body for complete, signed over this result and units. */
struct work {
	const char *result;
	uint64_t units_milli;
	enum kit_who signer;
};
void complete_body(
	struct world *w, struct buf *out, const struct answer *assignment, const struct work *work);
void complete(struct world *w, struct answer *out, unsigned number, const struct answer *assignment,
	const struct work *work);
/* deliver_result on the chain, as a miner cut off from its coordinator would send it. */
void deliver_on_chain(struct world *w, const struct answer *assignment, const struct work *work);
/* body for fail with a release signature. */
void release_body(struct world *w, struct buf *out, const struct answer *assignment,
	enum job_release_act act);

/* The job's "stage" as its client sees it. */
const char *stage(struct world *w, const char *id, char out[32]);

#endif
