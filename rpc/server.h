/* server: the JSON-RPC port [docs/rpc.md]: POST bodies, batches and URI
 * calls become calls of one method table; answers are DONE at once or WAIT. It never sees a socket
 * (http/message.h) nor the node (rpc/view.h). */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "base/log.h"
#include "http/message.h"
#include "rpc/view.h"

struct rpc_server;

struct rpc_config {
	uint32_t batch_max;      /* 0: RPC_BATCH_MAX */
	uint32_t commit_wait_ms; /* 0: RPC_COMMIT_WAIT_MS */
	/* Seconds since 1970, for X-Server-Time and check_tx. NULL: the system's clock. */
	int64_t (*unix_seconds)(void *ctx);
	void *clock_ctx;
	struct log *log;
};

MUST_USE enum status rpc_server_new(
	struct rpc_server **out, const struct view *view, const struct rpc_config *config);
/* Waiting calls are forgotten; their tickets must not be answered any more. */
void rpc_server_free(struct rpc_server *server);

/* The shell that carries the port, for answers that come later. Set once, before the first request.
 */
void rpc_server_attach(struct rpc_server *server, struct http_shell *shell);

/* An http_handler; self is the rpc_server. */
enum http_answer rpc_server_handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply);
/* For http_shell_config.refusal. */
void rpc_server_refusal(void *self, uint16_t status, const char *reason, struct http_reply *reply);

#endif
