/* parts: what a running daemon is made of, shared by daemon.c and the roles it starts. */
#ifndef NODE_PARTS_H
#define NODE_PARTS_H

#include "genesis/genesis.h"
#include "http/client.h"
#include "http/shell.h"
#include "node/chain_view.h"
#include "node/config.h"
#include "node/driver.h"
#include "rpc/client.h"
#include "rpc/server.h"
#include "wallet/sender.h"

struct coordinator;
struct joining;

/* The coordinator as this process runs it: a client of the chain that happens to live here. */
struct coordinator_role {
	struct http_client *http;
	struct rpc_client *rpc;
	struct sender *sender;
	struct coordinator *coordinator;
	struct http_shell *shell;
	char spool[NODE_PATH_BYTES]; /* where uploads grow: the shell borrows it */
};

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
	struct net *net; /* NULL: no peers are listed */
	bool peer_up[PEERS_MAX];
	struct joining *joining; /* not NULL: the peers talk to it, there is no driver yet */
	bool stop_asked;         /* by a signal */
	struct chain_view view;
	struct event *watch;
	struct stall_teller teller;
	struct rpc_server *rpc;
	struct http_shell *rpc_shell;
	struct coordinator_role coordinator;
	struct http_shell *metrics_shell;
	char node_id[41];
	char rpc_address[96], p2p_address[96];
	const char *stopped; /* why the validator had to stop; NULL: it did not */
	char stopped_text[NODE_FAULT_BYTES];
};

/* peering.c: node_id, p2p_address and net; before the driver, whose hooks send and drop are */
MUST_USE enum status peering_start(struct daemon_parts *p, char fault[NODE_FAULT_BYTES]);
void peering_send(void *ctx, uint32_t peer, struct bytes message);
void peering_drop(void *ctx, uint32_t peer);

/* stall_watch.c: after view is filled */
MUST_USE enum status stall_watch_start(struct daemon_parts *p);
void stall_watch_stop(struct daemon_parts *p);

/* joining.c: on a new store, before mempool and driver, which hold the app that it opens anew.
 * STATUS_OK also when there was nothing to join, or stop_asked came before the end. */
MUST_USE enum status joining_run(
	struct daemon_parts *p, const struct replica_config *config, char fault[NODE_FAULT_BYTES]);
void joining_input(
	struct daemon_parts *p, enum replica_input_kind kind, uint32_t peer, struct bytes bytes);

/* daemon.c: the settlement app over the store */
MUST_USE enum status daemon_open_app(struct daemon_parts *p);

/* coordinator_role.c */
MUST_USE enum status coordinator_role_start(struct daemon_parts *p, char fault[NODE_FAULT_BYTES]);
void coordinator_role_stop(struct coordinator_role *role, uint32_t drain_ms);

/* metrics.c: an http_handler whose self is the daemon's parts */
enum http_answer metrics_handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply);

#endif
