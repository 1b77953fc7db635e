/* world: time, chance and network of the simulator: one queue of events in order of time, one seed,
 * one thread. Owns nodes, messages, workload and checks. What happens is hashed as it happens: the
 * same seed gives the same hash. The network is an ideal gossip: each link delivers in order, late,
 * twice or (when told) not at all, keeps a message until its receiver's height has come to it, and
 * offers everything of the current height again after a crash and, in the end, every second. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/checks.h"
#include "tests/sim/node.h"
#include "tests/sim/work.h"

enum { SIM_NODES_MAX = 7 };

struct sim_options {
	uint64_t seed;
	uint32_t nodes;
	bool trace;    /* one line a transition on stdout */
	bool crashes;  /* one node at a time, now and then all */
	unsigned loss; /* messages lost, per mille, while there are faults */
	enum plant plant;
	/* One crash at this deed of node 0 and no other; UINT64_MAX: as crashes says. */
	uint64_t crash_at;
	enum crash_kind crash_kind;
	bool crash_torn;
	uint64_t fault_ms; /* how long the faults last */
	int64_t blocks;    /* to be committed after them */
};

enum event_kind {
	EVENT_TICK,
	EVENT_VERIFIED,
	EVENT_JOB_RUN,
	EVENT_JOB_DONE,
	EVENT_SIGNED,
	EVENT_MESSAGE, /* node: receiver, detail: sender */
	EVENT_START,
	EVENT_WORK,
	EVENT_CHAOS, /* plan the next crash */
	EVENT_HEAL,
	EVENT_OFFER /* everything again, while healing */
};

struct event {
	uint64_t at_us;
	uint64_t order; /* of scheduling: ties are broken by it */
	enum event_kind kind;
	uint32_t node;
	uint64_t life;
	uint64_t detail;
};

struct message {
	uint8_t *data;
	size_t len;
	int64_t height;
	uint64_t sent_us;
};

struct link {
	size_t next; /* of the sender's messages */
	bool scheduled;
	uint64_t last_us; /* nothing arrives before what was sent before it */
};

struct world {
	struct sim_options options;
	struct random dice;
	uint64_t now_us;
	uint64_t order;
	struct event *events; /* a heap */
	size_t event_count, event_cap;
	struct people people;
	struct checks checks;
	struct work work;
	struct sim_node nodes[SIM_NODES_MAX];
	struct message *messages[SIM_NODES_MAX]; /* sent by each */
	size_t message_count[SIM_NODES_MAX], message_cap[SIM_NODES_MAX];
	struct link links[SIM_NODES_MAX][SIM_NODES_MAX]; /* [to][from] */
	uint64_t delay_us_max;                           /* of a message */
	uint64_t apply_us_max;
	uint64_t sign_us_max; /* 0: signatures are answered in the same turn */
	bool healing;
	int64_t target; /* height to reach */
	struct log log;
	struct sha256 trace;
	uint64_t happened; /* events */
	uint64_t crashes;
	char fault[256]; /* a breach, or no liveness */
};

void world_init(struct world *w, const struct sim_options *options);
void world_fini(struct world *w);
/* Runs it to its end; false: something is wrong, w->fault says what. */
bool world_run(struct world *w);
struct hash32 world_hash(struct world *w);

/* ---- for nodes and workload ---- */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Schedules an event for this life of the node. */
void world_at(struct world *w, uint64_t delay_us, enum event_kind kind, const struct sim_node *n,
	uint64_t detail);
void world_send(struct world *w, const struct sim_node *n, struct bytes message);
/* A node came to another height: what waited for it may go on. */
void world_height(struct world *w, const struct sim_node *n);
/* What happened, into the hash and, when asked for, onto the screen. */
void world_note(struct world *w, const struct sim_node *n, const char *what, struct bytes detail);
/* The node is down; it will be started again. */
void world_crashed(struct world *w, const struct sim_node *n);
/* The node that is up and has the highest chain; NULL: none is up. */
struct sim_node *world_best(struct world *w);

#endif
