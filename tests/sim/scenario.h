/* scenario: failures of consensus protocols that were published, played over production replicas:
 * at one height some messages are held back from some validators, until every validator has come
 * to the round where the published story gets stuck; then the network heals, some validators die,
 * and the rest must decide within a few rounds. Validators are named by their role: role r
 * proposes in round r of that height. Owned by the world; scenarios are data. */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "tests/sim/actor.h"
#include "tests/sim/net.h"

enum { HELD_PROPOSAL = 1, HELD_PREVOTE = 2, HELD_PRECOMMIT = 4, HELD_ALL = 7 };

/* Messages of these rounds, kinds and authors, whoever passes them on. Roles are digits; 't' is
 * the twin of role 0. NULL: everybody's. */
struct held_back {
	int32_t first, last; /* rounds */
	unsigned kinds;      /* a proposal with its parts */
	const char *of;
	const char *but_to; /* who gets them nevertheless; "": nobody */
	bool for_ever;      /* not only until it heals: lost */
};

enum { HELD_RULES_MAX = 6, LOCKS_MAX = 4, SCENARIO_ROUNDS = 5 };

struct scenario {
	const char *name;
	const char *claim;
	uint32_t nodes;
	bool twins;           /* role 0 runs twice */
	const char *sides[2]; /* nothing passes between them until it heals */
	struct held_back held[HELD_RULES_MAX];
	uint64_t start_ms_max; /* validators start so much apart, at most */
	uint64_t delay_ms;     /* of every message, beside the usual */
	const char *never;     /* roles that never start */
	const char *slow;      /* roles that the healing doesn't wait for */
	int32_t heal_round;    /* it heals when all others are there ... */
	uint64_t heal_ms;      /* ... or so long after the height began */
	bool heal_quorum;      /* ... or when more than 2/3 have started */
	const char *decides;   /* roles that have decided by then, and nobody has heard of it */
	bool locks;            /* locked is what must have come of it by then */
	const char *locked[LOCKS_MAX]; /* by round: roles locked there; nobody else is locked */
	const char
		*wiped; /* roles that then lose their data, and whose operators say they may vote */
	const char *dies; /* roles that then die for good */
	int32_t rounds;   /* to decide in, the one it heals in included; 0: SCENARIO_ROUNDS */
};

/* NULL: no such one. */
const struct scenario *scenario_named(const char *name);
/* In order; NULL after the last. */
const struct scenario *scenario_at(size_t index);

/* Plays options.scenario. */
extern const struct script scenario_script;
/* How many rounds the decision took, the one included in which it healed. */
int32_t scenario_rounds(const struct world *w);

#endif
