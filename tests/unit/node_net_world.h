/* node_net_world: up to three nodes' links on loopback in one event loop, and hands: peers made by
 * the test byte by byte. Nothing sleeps: UNTIL turns the loop until something holds. */
#ifndef TESTS_NODE_NET_WORLD_H
#define TESTS_NODE_NET_WORLD_H

#include "node/clock.h"
#include "node/net.h"
#include "p2p/link.h"

enum { NODES = 3, PATIENCE_MS = 20 * 1000 };

extern const struct hash32 world_chain;

struct world;

/* Nodes are numbered by their keys: a smaller one dials a larger one. Its peers are the others, in
 * order. */
struct node {
	struct world *world;
	struct validator_secret secret;
	struct validator_key key;
	struct net *net;
	uint16_t port;
	uint32_t handshake_ms;
	size_t queues_bytes_max;
	struct net_ban bans[NODES];
	unsigned up[NODES], down[NODES];
	struct buf heard[NODES]; /* frames, each after its u32be length */
	bool answers;            /* each frame with itself */
	bool drops;              /* whose frame it hears, from inside the callback */
};

struct world {
	struct event_base *loop;
	struct event *turn;
	struct node nodes[NODES];
	uint32_t
		count; /* nodes that list each other: 2, unless the test says so before it starts */
	struct log sink;
	char log[16384];
};

/* cmocka's fixtures; a group must begin with world_begin. */
int world_begin(void **state);
int world_set_up(void **state);
int world_tear_down(void **state);

MUST_USE enum status world_try_start(struct world *w, uint32_t number, char fault[256]);
void world_start(struct world *w, uint32_t number);
void world_stop(struct world *w, uint32_t number);
/* All of them, until each is linked with all others. */
void world_start_all(struct world *w);

/* The number that a node has in another's list. */
uint32_t world_place(uint32_t node, uint32_t in);
bool world_send(struct world *w, uint32_t from, uint32_t to, struct bytes frame);

/* Turns the loop until the expression holds. */
#define UNTIL(w, expression)                                                                       \
	do {                                                                                       \
		uint64_t give_up_ms = clock_steady_ms() + PATIENCE_MS;                             \
		while (!(expression)) {                                                            \
			if (clock_steady_ms() > give_up_ms)                                        \
				fail_msg("not within %d ms: %s\n%s", PATIENCE_MS, #expression,     \
					(w)->log);                                                 \
			event_base_loop((w)->loop, EVLOOP_ONCE);                                   \
		}                                                                                  \
	} while (0)

/* Dials node 1, with the key of node 0 or whatever it likes. */
struct hand {
	struct world *w;
	int fd;
	struct link link;
	struct buf out;
	size_t received;
	bool closed;
};

void hand_connect(struct hand *h, struct world *w);
/* The same from another address of loopback, in host order. */
void hand_connect_from(struct hand *h, struct world *w, uint32_t address);
void hand_close(struct hand *h);
/* All of it, however long the other side takes to read; or until it is closed. */
void hand_send(struct hand *h, const void *data, size_t len);
/* Reads once. True: there was something. */
bool hand_hears(struct hand *h);
bool hand_is_closed(struct hand *h);
/* The handshake's first message; a frame; the whole handshake as node 0. */
void hand_first(struct hand *h, const struct validator_secret *as, const struct hash32 *tag);
void hand_frame(struct hand *h, struct bytes frame);
void hand_prove(struct hand *h);

#endif
