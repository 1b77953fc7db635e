/* actor: the seam for what isn't an honest replica, and for what happens by a script. An actor
 * takes a node's place: it has the node's key, its links and its events, and says what it likes. A
 * mouth belongs to a production replica and changes what leaves it. A script acts at set times and
 * decides the fate of each message. All of them run inside the world: its clock, its dice, its
 * order of events. A seat given to an actor or a mouth is faulty: the checks expect nothing of it,
 * the world doesn't wait for it. Never more than a third of the power, unless the test is to fail.
 */
#ifndef TESTS_SIM_ACTOR_H
#define TESTS_SIM_ACTOR_H

#include "base/bytes.h"

struct sim_node;
struct world;

/* NULL: this doesn't interest it. self is the actor's own; n its place: index, seat, secret, key,
 * world. It speaks by net_send(&n->world->net, n->index, ...) and wakes itself by
 * world_at(w, delay_us, EVENT_ACTOR, n, detail). */
struct actor {
	void *self;
	void (*start)(void *self, struct sim_node *n);
	void (*peer)(void *self, struct sim_node *n, uint32_t peer, bool up);
	void (*message)(void *self, struct sim_node *n, uint32_t peer, struct bytes raw);
	void (*due)(void *self, struct sim_node *n, uint64_t detail);
	/* Mouth only: makes the node a replica that is heard through it; the other four are then
	 * told before the replica is. A replica wants this said. It calls net_send itself, or
	 * doesn't; and checks_sent with votes it sends, so that what they decide is known. */
	void (*says)(void *self, struct sim_node *n, uint32_t to, struct bytes raw);
	void (*fini)(void *self);
};

/* From options.cast or a script's begin. The node is no replica but this actor; with says, it
 * stays a replica whose words pass through the mouth. Takes what fini frees. */
void actor_place(struct sim_node *n, const struct actor *take);
/* The node is an actor and nothing else. */
bool actor_replaces(const struct sim_node *n);

enum fate { FATE_PASS, FATE_DROP };

struct script {
	const char *name;
	const char *what; /* one line */
	uint32_t nodes;
	bool heals; /* it calls world_heal by itself, not after fault_ms */
	/* Nodes exist, none has started; wakes itself by world_at(w, us, EVENT_SCRIPT, NULL,
	 * detail). May allocate w->script_state, freed by fini. */
	void (*begin)(struct world *w);
	void (*due)(struct world *w, uint64_t detail);
	/* When it is sent, before loss and delay, also after the faults. delay_us: added to what
	 * the network takes; messages of one link stay in order behind it. */
	enum fate (*sent)(
		struct world *w, uint64_t *delay_us, uint32_t from, uint32_t to, struct bytes raw);
	/* After every event: world_fail when what it claims doesn't hold. */
	void (*look)(struct world *w);
	void (*fini)(struct world *w);
};

#endif
