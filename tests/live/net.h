/* net: several real aitbcd as validators of one chain, made by `aitbcd testnet`: their homes,
 * ports, one genesis, their start and end. For end-to-end tests and benchmarks. */
#ifndef TESTS_LIVE_NET_H
#define TESTS_LIVE_NET_H

#include "tests/live/node.h"
#include "tests/live/relay.h"

enum { LIVE_NODES_MAX = 8 };

struct live_net {
	char folder[LIVE_PATH_BYTES]; /* the homes lie in it */
	struct live_node nodes[LIVE_NODES_MAX];
	size_t count;
};

/* Homes in a new folder under parent, with ports below the ones the kernel hands out. False: fault
 * says why. */
MUST_USE bool live_net_make(struct live_net *net, const char *program, const char *parent,
	const char *chain_id, size_t count, char fault[256]);
/* Every home gets the changed document; live_genesis_read reads any one's. */
MUST_USE bool live_net_genesis_write(
	const struct live_net *net, struct genesis *g, char fault[256]);
/* Where that node listens for the others. */
uint16_t live_net_p2p_port(const struct live_net *net, size_t node);
/* From now on each finds the others over the relay. Before they start. */
MUST_USE bool live_net_relay(struct live_net *net, const struct relay *relay, char fault[256]);
/* Starts all, then waits until each answers with a block and is linked with all others. Their
 * coordinators stay off. */
MUST_USE bool live_net_start(struct live_net *net, char fault[256]);
void live_net_kill(struct live_net *net, int signal);
/* Ends them and removes the folder. */
void live_net_remove(struct live_net *net);

#endif
