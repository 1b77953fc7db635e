/* world: time and chance of the simulator: one queue of events in order of time, one seed, one
 * thread. Owns nodes, network, faults, workload and checks. What fails is faults.h's, when it ends
 * and what must follow phases.h's. What happens is hashed as it happens: the same seed gives the
 * same hash. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/checks.h"
#include "tests/sim/faults.h"
#include "tests/sim/net.h"
#include "tests/sim/node.h"
#include "tests/sim/work.h"

struct scenario;
struct script;

struct sim_options {
	uint64_t seed;
	uint32_t nodes; /* 0: as the storm draws */
	bool storm;     /* everything goes wrong, as the seed draws */
	bool twins;     /* the last validator runs twice, with one key and two fences */
	bool trace;     /* one line a transition on stdout */
	bool split;     /* and each is heard by some only, in turns */
	bool crashes;   /* one node at a time, now and then all */
	unsigned loss;  /* messages lost, per mille, while there are faults */
	enum plant plant;
	/* One crash at this deed of this node and no other; UINT64_MAX: as crashes says. */
	uint64_t crash_at;
	uint32_t crash_node;
	enum crash_kind crash_kind;
	bool crash_torn;
	uint64_t fault_ms;               /* how long the faults last */
	int64_t blocks;                  /* to be committed after them */
	uint32_t liars;                  /* validators that lie */
	uint32_t lies;                   /* in what ways: bits of enum lie */
	bool forks;                      /* enough of them to fork the chain: is it their blame? */
	bool late;                       /* one honest validator begins when the others are far */
	const struct script *script;     /* NULL: none */
	const struct scenario *scenario; /* of scenario_script */
	bool hunted;                     /* a bug is in it: only what comes of a story counts */
	/* Places actors, when everybody is there and nobody has started. NULL: nobody to place. */
	void (*cast)(struct world *w);
};

enum event_kind {
	EVENT_TICK,
	EVENT_VERIFIED,
	EVENT_JOB_RUN,
	EVENT_JOB_DONE,
	EVENT_SIGNED,
	EVENT_MESSAGE,  /* node: receiver */
	EVENT_UNLINKED, /* as the end called node notices it */
	EVENT_LINK,     /* detail: the other end */
	EVENT_WEATHER,
	EVENT_BAN, /* node wants nothing of detail for a while */
	EVENT_START,
	EVENT_WORK,
	EVENT_CHAOS, /* plan the next crash */
	EVENT_STRIKE,
	EVENT_PARTITION,
	EVENT_KILL, /* of a node that hangs */
	EVENT_DISK_WELL,
	EVENT_ACTOR,
	EVENT_SCRIPT,
	EVENT_HEAL
};

struct event {
	uint64_t at_us;
	uint64_t order; /* of scheduling: ties are broken by it */
	enum event_kind kind;
	uint32_t node;
	uint64_t life;
	uint64_t detail;
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
	uint32_t node_count; /* validators, and the twin */
	struct sim_node nodes[SIM_NODES_MAX];
	struct net net;
	struct faults faults;
	uint64_t apply_us_max;
	uint64_t sign_us_max; /* 0: signatures are answered in the same turn */
	uint64_t verify_us_max;
	bool healing;
	uint64_t healed_us;
	int64_t heal_height;         /* to be decided next when the faults ended */
	int32_t heal_round;          /* that somebody had come to */
	int64_t rounds_seen;         /* the height whose rounds were last counted */
	int32_t rounds_max;          /* most rounds that a height took after it */
	int64_t target;              /* height to reach */
	const struct script *script; /* NULL: none */
	void *script_state;
	struct log log;
	struct sha256 trace;
	uint64_t happened; /* events */
	uint64_t crashes, halts;
	struct sim_node *acting; /* whose turn it is */
	char fault[256];         /* a breach, or no liveness */
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
/* What happened, into the hash and, when asked for, onto the screen. */
void world_note(struct world *w, const struct sim_node *n, const char *what, struct bytes detail);
/* From now on nothing fails. */
void world_heal(struct world *w);
/* The node is down; it will be started again. */
void world_crashed(struct world *w, const struct sim_node *n);
/* It is down and is to be started. */
void world_start_later(struct world *w, const struct sim_node *n);
bool world_paused(const struct world *w, uint32_t node);
/* It stays sick after the faults. */
bool world_sick(const struct world *w, uint32_t node);
/* The node that is up and has the highest chain; NULL: none is up. */
struct sim_node *world_best(struct world *w);

#endif
