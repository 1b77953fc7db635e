/* parts: what a running daemon is made of, shared by daemon.c and the roles it starts. */
#ifndef NODE_PARTS_H
#define NODE_PARTS_H

#include "genesis/genesis.h"
#include "http/shell.h"
#include "node/chain_view.h"
#include "node/config.h"
#include "node/driver.h"
#include "rpc/server.h"

struct daemon_parts {
	const char *home;
	const struct config *config;
	struct log log;
	struct event_base *loop;
	struct genesis *genesis;
	struct buf genesis_json;
	struct store store;
	struct app app;
	struct mempool *mempool;
	struct driver *driver;
	struct chain_view view;
	struct rpc_server *rpc;
	struct http_shell *rpc_shell;
	struct http_shell *metrics_shell;
	char node_id[41];
	char rpc_address[96];
	const char *stopped; /* why the validator had to stop; NULL: it did not */
	char stopped_text[NODE_FAULT_BYTES];
};

/* metrics.c: an http_handler whose self is the daemon's parts */
enum http_answer metrics_handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply);

#endif
