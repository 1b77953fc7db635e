/* rpc_world: a whole JSON-RPC port on loopback: real shell, real server, a store holding a chain of
 * three blocks of one validator (the second with two transactions), and doubles of what the node
 * and the app would say. */
#ifndef TESTS_RPC_WORLD_H
#define TESTS_RPC_WORLD_H

#include <jansson.h>

#include "chain/app.h"
#include "rpc/server.h"
#include "tests/unit/http_world.h"

enum { RPC_WORLD_TIP = 3, RPC_WORLD_SUBMITS_MAX = 16 };

struct rpc_submit {
	char tx[64];
	view_submit_done *done;
	void *ctx;
};

struct rpc_world {
	struct world http;
	struct peer peer;
	struct rpc_server *server;
	struct store store;
	struct app app;
	struct view_identity identity;
	bool catching_up;
	/* the view's side of a submission */
	bool defer; /* keep the submission in submits instead of judging it at once */
	struct view_submitted verdict; /* what a submission is told; its hash is filled */
	struct rpc_submit submits[RPC_WORLD_SUBMITS_MAX];
	size_t submit_count;
	bool waits_full;
	struct hash32 wait_hash;
	view_include_done *wait_done;
	void *wait_ctx;
	uint64_t wait_deadline_ms;
	size_t waits_cancelled;
};

/* blocks: how many are stored: the three, fewer, or more: then every second one has two
 * transactions. */
void rpc_world_start(struct rpc_world *w, int64_t blocks);
/* More validators than one can't sign blocks here: only with no blocks. */
void rpc_world_start_with(struct rpc_world *w, int64_t blocks, uint8_t validators);
void rpc_world_stop(struct rpc_world *w);

/* Answers the n-th kept submission with w->verdict. */
void rpc_world_admit(struct rpc_world *w, size_t n);
void rpc_world_include(struct rpc_world *w, int64_t height, uint32_t index);

/* Sends a request and gives back the answer's body, whose text lives until the next call; *status
 * (may be NULL) its HTTP status. headers: further lines. */
const char *rpc_post(struct rpc_world *w, const char *body, int *status);
const char *rpc_get(struct rpc_world *w, const char *target, int *status);
const char *rpc_ask(struct rpc_world *w, const char *method, const char *target,
	const char *headers, const char *body, size_t body_len, int *status);
/* Only sends; rpc_answer waits for the answer. */
void rpc_send(struct rpc_world *w, const char *body);
const char *rpc_answer(struct rpc_world *w, int *status);
/* The whole header block of the last answer. */
const char *rpc_headers(struct rpc_world *w);

/* The member `result` of the answer to a call, parsed; params is JSON text or NULL. json_decref it.
 */
json_t *rpc_result(struct rpc_world *w, const char *method, const char *params);

#endif
