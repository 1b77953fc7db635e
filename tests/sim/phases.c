#include "tests/sim/phases.h"

#include "chain/blocks.h"

enum { LIVENESS_US = 60 * 1000 * 1000, US_PER_ROUND = 5 * 1000 * 1000, COMMIT_BYTES_MAX = 1 << 20 };

static bool well(const struct world *w, const struct sim_node *n)
{
	return !w->checks.faulty[n->seat] && !n->gone && n->after == AFTER_WELL;
}

/* ---- what becomes of the unlucky ---- */

/* Nobody but itself: an unlucky one may yet hear or be heard. */
static void wall_in(struct world *w, struct sim_node *n, bool deaf, bool mute)
{
	for (uint32_t i = 0; i < w->node_count; i++) {
		if (i == n->index)
			continue;
		if (deaf)
			net_wall(&w->net, n->index, i, true);
		if (mute)
			net_wall(&w->net, i, n->index, true);
	}
}

static void draw_after(struct world *w, struct sim_node *n)
{
	n->after = AFTER_WELL;
	if (!w->faults.unlucky[n->seat] || actor_replaces(n))
		return;
	enum after after = (enum after)random_below(&w->dice, AFTERS);
	n->after = after;
	switch (after) {
	case AFTER_DEAD:
		n->gone = true;
		if (n->up)
			node_crash(n, CRASH_POWER, true);
		break;
	case AFTER_DEAF: wall_in(w, n, true, false); break;
	case AFTER_MUTE: wall_in(w, n, false, true); break;
	case AFTER_ALONE: wall_in(w, n, true, true); break;
	case AFTER_WELL:
	case AFTER_SICK:
	case AFTERS: break;
	}
}

/* ---- healing ---- */

static void heal_node(struct world *w, struct sim_node *n)
{
	if (n->crash_at != w->options.crash_at)
		n->crash_at = UINT64_MAX;
	if (!w->faults.storm)
		return;
	node_cure(n);
	if (!n->up && !n->gone)
		world_start_later(w, n);
}

/* The highest round that anybody well has come to, or has signed in: until then a restarted node
 * may have to keep silent. */
static void note_rounds(struct world *w)
{
	w->heal_height = w->checks.top + 1;
	for (uint32_t i = 0; i < w->node_count; i++) {
		const struct sim_node *n = &w->nodes[i];
		const struct fence_record *fence = &n->disk.fence;
		if (fence->height == w->heal_height && fence->round > w->heal_round)
			w->heal_round = fence->round;
		if (!n->replica)
			continue;
		const struct consensus *core = replica_consensus(n->replica);
		if (core->height == w->heal_height && core->round > w->heal_round)
			w->heal_round = core->round;
	}
}

void phases_heal(struct world *w)
{
	w->healing = true;
	world_note(w, NULL, "no more faults", bytes_view(NULL, 0));
	w->target = w->checks.top + w->options.blocks;
	net_heal(&w->net);
	for (uint32_t i = 0; i < w->node_count && w->faults.storm; i++)
		draw_after(w, &w->nodes[i]);
	for (uint32_t i = 0; i < w->node_count; i++)
		heal_node(w, &w->nodes[i]);
	note_rounds(w);
	w->healed_us = w->now_us;
}

/* ---- what must follow ---- */

void phases_committed(struct world *w, struct store *store, int64_t height)
{
	if ((!w->faults.storm && !w->options.lies) || w->options.forks || !w->healing ||
		height < w->heal_height || height <= w->rounds_seen)
		return;
	w->rounds_seen = height;
	struct arena arena;
	arena_init(&arena, COMMIT_BYTES_MAX);
	const Pb__Commit *commit;
	bool canonical;
	int32_t from = height == w->heal_height ? w->heal_round : 0;
	if (blocks_commit(store, NULL, &arena, height, &commit, &canonical) != STATUS_OK)
		world_fail(w, "height %lld: no commit", (long long)height);
	else if (commit->round > from + LIVENESS_ROUNDS)
		world_fail(w, "height %lld was decided in round %d, healed in round %d",
			(long long)height, commit->round, from);
	else if (commit->round - from > w->rounds_max)
		w->rounds_max = commit->round - from;
	arena_fini(&arena);
}

bool phases_reached(const struct world *w)
{
	if (!w->healing)
		return false;
	for (uint32_t i = 0; i < w->node_count; i++) {
		const struct sim_node *n = &w->nodes[i];
		if (well(w, n) && (!n->up || n->told < w->target))
			return false;
	}
	return true;
}

uint64_t phases_end_us(const struct world *w)
{
	return w->options.fault_ms * 1000 + LIVENESS_US + (uint64_t)w->heal_round * US_PER_ROUND;
}
