/* work: what people do on the simulated chain: transfers, jobs from submission to payment, silence
 * of the coordinator, doubtful and worthless transactions. Looks at the chain through the best
 * node's store and signs with everybody's real keys. Deterministic. */
#ifndef TESTS_SIM_WORK_H
#define TESTS_SIM_WORK_H

#include "tests/sim/people.h"
#include "tests/sim/random.h"

struct world;
struct sim_node;

enum { WORK_IN_FLIGHT_MAX = 3 };

struct work_sender {
	uint64_t next;     /* sequence to sign next */
	uint64_t moved_us; /* when the chain last took one */
	uint64_t seen;     /* the chain's next sequence then */
};

struct work {
	struct random dice;
	struct work_sender senders[SENDERS];
	uint64_t jobs; /* submitted so far: numbers their ids */
	uint64_t sent;
};

void work_init(struct work *k, uint64_t seed);
/* One act of somebody, handed to every node that is up. */
void work_act(struct work *k, struct world *w);
/* Very many at once, at one node. */
void work_flood(struct work *k, struct world *w, struct sim_node *n, uint64_t count);

#endif
