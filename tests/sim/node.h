/* node: one simulated validator: the production replica, settlement, mempool and formats over a
 * memory store and a memory disk, driven exactly as node/driver.c drives them; only the deeds are
 * simulated, and each can be the last before a crash. A node's disk, store and key survive its
 * crashes, nothing else does. Owned by the world. */
#ifndef TESTS_SIM_NODE_H
#define TESTS_SIM_NODE_H

#include "replica/replica.h"
#include "tests/sim/actor.h"
#include "tests/sim/disk.h"
#include "tests/sim/people.h"
#include "tests/sim/sick_store.h"

struct world;

/* Bugs that a test plants to see the checks fire. */
enum plant {
	PLANT_NONE,
	PLANT_FENCE,   /* the fence allows everything, and a crash wipes the log */
	PLANT_HASH,    /* one node's state machine computes another app hash */
	PLANT_BARRIER, /* the log's syncs do nothing: messages leave before they are durable */
	PLANT_STORE,   /* blocks are told as committed before they are durable */
	PLANTS
};

enum { SIM_SUBMISSIONS_MAX = 256, SIM_JOBS_MAX = 64, SIM_SIGNATURES_MAX = 64 };

struct sim_submission {
	bool used;
	uint8_t *raw;
	size_t raw_len;
	struct app_verdict verdict;
	bool from_peer;
};

/* Whose answers never come. */
enum { NODE_HANGS_SIGNING = 1, NODE_HANGS_APPLYING = 2, NODE_HANGS_VERIFYING = 4 };

struct sim_node {
	struct world *world;
	uint32_t index;
	uint32_t seat; /* in the validator set; twins share one */
	bool up;
	bool gone;         /* it stays down: nobody waits for it */
	uint64_t start_us; /* of its first life */
	uint64_t life;     /* counts its starts; what was due in an earlier life is void */
	struct validator_secret secret;
	struct validator_key key;
	int64_t skew_ms; /* of its wall clock */
	int64_t wall_rate_ppm,
		rate_ppm;     /* how much too fast its clocks go; rate: the steady one's */
	uint64_t steady_base; /* its steady clock starts anew with each life */

	struct sim_disk disk;
	struct store memory;    /* the store itself */
	struct store store;     /* as the node sees it */
	struct sick_store sick; /* the difference */
	int64_t told;           /* highest height it has told as committed */

	struct app app;
	struct app_vtable vtable; /* app's own, or with a planted bug in it */
	uint32_t mempool_txs_max;
	struct mempool *mempool;
	struct replica *replica;
	bool sync_wanted;
	struct replica_effects effects;
	struct replica_input *inputs; /* a queue */
	size_t input_count, input_cap;
	struct apply_job *jobs[SIM_JOBS_MAX]; /* first come, first run */
	size_t job_count;
	bool job_ran; /* the first one; its answer is on the way */
	struct replica_input signatures[SIM_SIGNATURES_MAX]; /* answers on the way, in order */
	size_t signature_count;
	struct sim_submission submissions[SIM_SUBMISSIONS_MAX];
	uint64_t tick_us; /* armed for; UINT64_MAX: not armed */

	bool fence_known; /* when it started */
	bool renews;      /* without a fence it starts with the operator's word that it may vote */
	bool rotten;      /* its log or fence is */
	bool excused;     /* it may stop: its disk is sick */
	unsigned hung;    /* NODE_HANGS_ */
	uint64_t paused_until_us;
	int after;          /* enum after */
	struct actor actor; /* all NULL: an honest replica */

	uint64_t deeds;    /* done so far, over all lives */
	uint64_t crash_at; /* the deed before (or in) which it crashes; UINT64_MAX: none */
	enum crash_kind crash_kind;
	bool crash_torn;
};

void node_init(struct sim_node *n, struct world *world, uint32_t index, uint32_t seat);
void node_fini(struct sim_node *n);

/* Opens what is on its disk and takes up its work, as the daemon does. */
void node_start(struct sim_node *n);
void node_crash(struct sim_node *n, enum crash_kind kind, bool torn);

/* Does what its replica wants done, after a start. */
void node_run(struct sim_node *n);
/* It stops by itself and says why; it is started again like one that crashed. */
void node_halt(struct sim_node *n, const char *why);

/* Faults of it. */
void node_sicken(struct sim_node *n, enum disk_health health, uint64_t us_max);
void node_disk_well(struct sim_node *n);
void node_hang(struct sim_node *n, uint64_t us_max);
void node_wipe(struct sim_node *n);
void node_rot(struct sim_node *n);
/* No more faults of it. */
void node_cure(struct sim_node *n);

/* What happens to a node; each ends with the replica having nothing left to do now. */
void node_peer(struct sim_node *n, uint32_t peer, bool up);
void node_message(struct sim_node *n, uint32_t peer, struct bytes message);
void node_tick(struct sim_node *n);
/* The transaction's bytes are copied. */
void node_submit(struct sim_node *n, struct bytes tx);
void node_verified(struct sim_node *n, uint64_t ticket);
void node_job_run(struct sim_node *n);
void node_job_done(struct sim_node *n);
void node_signed(struct sim_node *n);

struct replica_now node_now(const struct sim_node *n);
/* When its steady clock comes to this; the past when it has. */
uint64_t node_when(const struct sim_node *n, uint64_t steady_ms);

#endif
