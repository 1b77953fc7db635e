/* phases: a run has two. First safety: everything may fail, and nothing may be lost, forked or
 * signed twice. Then liveness: all but the unlucky are healed, network, disks and clocks; they must
 * commit within LIVENESS_ROUNDS rounds of each height, and everybody who is well must come to one
 * height, one block and one app_hash, while the unlucky stay dead, cut off, half deaf or sick, or
 * are well too and must follow. */
#ifndef TESTS_SIM_PHASES_H
#define TESTS_SIM_PHASES_H

#include "tests/sim/world.h"

enum { LIVENESS_ROUNDS = 10 };

/* The end of the faults. */
void phases_heal(struct world *w);
/* A block became known; world_fail when its round came too late. */
void phases_committed(struct world *w, struct store *store, int64_t height);
/* Everybody who is well has come to where the run ends. */
bool phases_reached(const struct world *w);
/* When the run has failed to come there. */
uint64_t phases_end_us(const struct world *w);

#endif
