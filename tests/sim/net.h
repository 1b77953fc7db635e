/* net: the simulator's network: a link between every two nodes that are up, told to both as the
 * driver tells it. A link delivers in order, late, now and then twice; messages may be lost before
 * they enter it, some kinds more than others, and that changes like the weather; when it is cut,
 * what was under way is gone. A storm adds: copies that come later, messages that overtake others
 * (never a status: what a node says of itself has an order), walls that swallow what is said in one
 * direction, clogs that hold it back, nodes that are slow to reach. Owned by the world. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "tests/sim/node.h"

enum { SIM_NODES_MAX = 8 };

struct message {
	uint8_t *data;
	size_t len;
	uint32_t number; /* of one that goes its own way; 0: it keeps its place in the line */
};

/* What is lost may depend on what it is: a quorum that reaches one node only is rare otherwise. */
enum message_kind {
	MESSAGE_PROPOSAL,
	MESSAGE_PART,
	MESSAGE_PREVOTE,
	MESSAGE_PRECOMMIT,
	MESSAGE_STATUS,
	MESSAGE_OTHER,
	MESSAGE_KINDS
};

/* One direction. */
struct lane {
	struct message *messages; /* under way, in order */
	size_t count, cap;
	uint64_t last_us; /* nothing arrives before what was sent before it */
};

struct net {
	struct world *world;
	bool linked[SIM_NODES_MAX][SIM_NODES_MAX];
	bool told[SIM_NODES_MAX][SIM_NODES_MAX]; /* [a][b]: a was told that b is up */
	uint64_t epoch[SIM_NODES_MAX][SIM_NODES_MAX];
	uint64_t cut_until_us[SIM_NODES_MAX][SIM_NODES_MAX];
	struct lane lanes[SIM_NODES_MAX][SIM_NODES_MAX]; /* [to][from] */
	/* In a partition, [to][from]; a clogged direction holds what it has until it is free. */
	bool walled[SIM_NODES_MAX][SIM_NODES_MAX];
	bool clogged[SIM_NODES_MAX][SIM_NODES_MAX];
	uint64_t clog_until_us[SIM_NODES_MAX][SIM_NODES_MAX]; /* of its own, besides */
	uint64_t slow_us[SIM_NODES_MAX]; /* what every message from or to it takes more, at most */
	uint32_t numbers;
	uint64_t delay_us_max;
	unsigned loss[MESSAGE_KINDS][SIM_NODES_MAX]; /* per mille, by receiver */
};

void net_init(struct net *net, struct world *world);
void net_fini(struct net *net);

void net_started(struct net *net, uint32_t node);
void net_crashed(struct net *net, uint32_t node);
/* to: a node, or REPLICA_EVERYONE. */
void net_send(struct net *net, uint32_t from, uint32_t to, struct bytes raw);
/* Nothing passes between the two for so long. */
void net_cut(struct net *net, uint32_t a, uint32_t b, uint64_t us);
void net_heal(struct net *net);
/* a has proof of b's misbehaviour: the link ends and is not taken back at once. */
void net_ban(struct net *net, uint32_t a, uint32_t b);

/* Nothing passes, and nobody notices. */
void net_wall(struct net *net, uint32_t to, uint32_t from, bool stands);
void net_clog(struct net *net, uint32_t to, uint32_t from, bool holds);
void net_clog_for(struct net *net, uint32_t to, uint32_t from, uint64_t us);

/* Events of it. */
void net_weather(struct net *net);
void net_link(struct net *net, uint32_t a, uint32_t b);
void net_unlinked(struct net *net, uint32_t a, uint32_t b);
void net_deliver(struct net *net, uint32_t to, uint64_t detail);

#endif
