#include "tests/sim/faults.h"

#include <string.h>

#include "tests/sim/liar.h"
#include "tests/sim/world.h"

enum { MS = 1000, CLOCK_STEP_MS_MAX = 10 * 60 * 1000, FLOOD_TXS_MAX = 60 };

static const struct {
	const char *name;
	bool unlucky_only;
	bool in_one; /* also where there is but one validator */
} kinds[FAULT_KINDS] = {
	[FAULT_CRASH] = {"crash", false, true},
	[FAULT_SITE] = {"site", false, true},
	[FAULT_LINK] = {"link", false, false},
	[FAULT_CLOG] = {"clog", false, false},
	[FAULT_SLOW] = {"slow", false, false},
	[FAULT_PAUSE] = {"pause", false, true},
	[FAULT_HANG] = {"hang", false, true},
	[FAULT_FULL] = {"disk full", false, true},
	[FAULT_SYNC] = {"sync fails", false, true},
	[FAULT_FLOOD] = {"flood", false, true},
	[FAULT_CLOCK] = {"clock", true, false},
	[FAULT_WIPE] = {"wipe", true, false},
	[FAULT_ROT] = {"rot", true, false},
};

const char *fault_name(enum fault_kind kind)
{
	return kinds[kind].name;
}

/* ---- the draw ---- */

uint32_t faults_nodes(uint64_t seed)
{
	static const uint32_t counts[] = {1, 4, 4, 4, 5, 7};
	struct random dice = {seed ^ UINT64_C(0x73746f726d)};
	return counts[random_below(&dice, sizeof counts / sizeof *counts)];
}

void faults_options(struct sim_options *o)
{
	struct random dice = {o->seed ^ UINT64_C(0x6f7074696f6e73)};
	if (o->nodes == 0)
		o->nodes = faults_nodes(o->seed);
	if (o->loss == 0 && o->nodes > 1 && random_chance(&dice, 500))
		o->loss = 1 + (unsigned)random_below(&dice, 300);
	if (o->nodes >= 4 && random_chance(&dice, 150)) {
		o->twins = true;
	} else if (o->nodes >= 4 && !o->cast && random_chance(&dice, 200)) {
		o->lies = LIES_DRAWN;
		o->liars = 1 + (uint32_t)random_below(&dice, (o->nodes - 1) / 3);
		o->cast = liars_cast;
	}
}

/* Half of the time 0, else 1 .. max. */
static uint64_t strength(struct random *dice, uint64_t max)
{
	return random_chance(dice, 500) ? 0 : 1 + random_below(dice, max);
}

/* Who is faulty by his place already is so at the cost of the others' luck. */
static void draw_unlucky(struct faults *f, struct world *w)
{
	uint32_t seats = w->options.nodes, left = (seats - 1) / 3;
	for (uint32_t seat = 0; seat < seats; seat++) {
		f->unlucky[seat] = w->checks.faulty[seat];
		if (f->unlucky[seat] && left > 0)
			left--;
	}
	while (left > 0) {
		uint32_t seat = (uint32_t)random_below(&w->dice, seats);
		if (!f->unlucky[seat])
			left--;
		f->unlucky[seat] = true;
	}
}

static void draw_clocks(struct world *w)
{
	for (uint32_t i = 0; i < w->node_count; i++) {
		struct sim_node *n = &w->nodes[i];
		if (random_chance(&w->dice, 300)) /* both of its clocks, fast or slow */
			n->rate_ppm = n->wall_rate_ppm =
				(int64_t)random_below(&w->dice, 100000) - 50000;
	}
}

static void draw_partitions(struct faults *f, struct random *dice)
{
	f->partition_us = (20 + random_below(dice, 400)) * MS;
	f->partition_begins = 50 + (unsigned)random_below(dice, 700);
	f->partition_heals = 50 + (unsigned)random_below(dice, 900);
}

void faults_draw(struct faults *f, struct world *w)
{
	static const uint64_t strikes_us_max[] = {60 * MS, 200 * MS, 800 * MS, 2000 * MS};
	static const unsigned chances[] = {150, 500, 800};
	struct random *dice = &w->dice;
	f->storm = true;
	draw_unlucky(f, w);
	draw_clocks(w);
	unsigned chance = chances[random_below(dice, 3)]; /* few kinds, or many */
	for (int kind = 0; kind < FAULT_KINDS; kind++) {
		if (random_chance(dice, chance))
			f->weights[kind] = 1 + (unsigned)random_below(dice, 10);
		if (w->options.nodes == 1 && !kinds[kind].in_one)
			f->weights[kind] = 0;
	}
	f->strike_us_max = strikes_us_max[random_below(dice, 4)];
	f->duplicates = (unsigned)strength(dice, 500);
	f->reorders = (unsigned)strength(dice, 500);
	if (w->options.nodes > 1 && random_chance(dice, 500))
		draw_partitions(f, dice);
	f->down_us_max = (50 + random_below(dice, 1500)) * MS;
	f->pause_us_max = (50 + random_below(dice, 2000)) * MS;
	f->sick_us_max = (50 + random_below(dice, 1000)) * MS;
	f->verify_us_max = 100 + strength(dice, 100 * MS);
	f->mempool_txs_max = 20 + (uint32_t)random_below(dice, 500);
	if (random_chance(dice, 300))
		w->sign_us_max = 1 + random_below(dice, 60 * MS);
	if (random_chance(dice, 300))
		w->apply_us_max = 1 + random_below(dice, 150 * MS);
}

/* ---- one strike ---- */

static void plan_crash(struct world *w, struct sim_node *n)
{
	n->crash_kind = random_chance(&w->dice, 600) ? CRASH_POWER : CRASH_KILL;
	n->crash_torn = random_chance(&w->dice, 500);
	n->crash_at = n->deeds + random_below(&w->dice, 60);
}

static void lose_site(struct world *w)
{
	for (uint32_t i = 0; i < w->node_count; i++) {
		if (w->nodes[i].replica)
			node_crash(&w->nodes[i], CRASH_POWER, true);
	}
}

/* Two nodes no longer hear each other, or one hears nobody. */
static void cut_something(struct world *w)
{
	uint32_t n = w->node_count, a = (uint32_t)random_below(&w->dice, n);
	uint64_t us = random_below(&w->dice, 1500 * MS);
	if (random_chance(&w->dice, 500)) {
		net_cut(&w->net, a, (a + 1 + (uint32_t)random_below(&w->dice, n - 1)) % n, us);
		return;
	}
	for (uint32_t b = 0; b < n; b++) {
		if (b != a)
			net_cut(&w->net, a, b, us);
	}
}

static void clog_something(struct world *w)
{
	uint32_t n = w->node_count, a = (uint32_t)random_below(&w->dice, n);
	uint32_t b = (a + 1 + (uint32_t)random_below(&w->dice, n - 1)) % n;
	net_clog_for(&w->net, a, b, random_below(&w->dice, 1500 * MS));
}

static void step_clock(struct world *w, struct sim_node *n)
{
	n->skew_ms = (int64_t)random_below(&w->dice, 2 * CLOCK_STEP_MS_MAX) - CLOCK_STEP_MS_MAX;
	world_note(w, n, "clock steps", bytes_view(NULL, 0));
}

static void strike_node(struct world *w, enum fault_kind kind, struct sim_node *n)
{
	struct faults *f = &w->faults;
	switch (kind) {
	case FAULT_CRASH: plan_crash(w, n); break;
	case FAULT_PAUSE:
		n->paused_until_us = w->now_us + random_below(&w->dice, f->pause_us_max);
		world_note(w, n, "pauses", bytes_view(NULL, 0));
		break;
	case FAULT_HANG: node_hang(n, f->sick_us_max); break;
	case FAULT_FULL: node_sicken(n, DISK_FULL, f->sick_us_max); break;
	case FAULT_SYNC: node_sicken(n, DISK_NO_SYNC, f->sick_us_max); break;
	case FAULT_FLOOD:
		work_flood(&w->work, w, n, 1 + random_below(&w->dice, FLOOD_TXS_MAX));
		break;
	case FAULT_SLOW:
		w->net.slow_us[n->index] =
			w->net.slow_us[n->index] ? 0 : random_below(&w->dice, 600 * MS);
		break;
	case FAULT_CLOCK: step_clock(w, n); break;
	case FAULT_WIPE: node_wipe(n); break;
	case FAULT_ROT: node_rot(n); break;
	case FAULT_SITE:
	case FAULT_LINK:
	case FAULT_CLOG:
	case FAULT_KINDS: break;
	}
}

/* NULL: there is nobody whom it may strike. */
static struct sim_node *victim(struct world *w, enum fault_kind kind)
{
	struct sim_node *found = NULL;
	uint64_t count = 0;
	for (uint32_t i = 0; i < w->node_count; i++) {
		struct sim_node *n = &w->nodes[i];
		bool spared = w->healing ? n->after != AFTER_SICK
					 : kinds[kind].unlucky_only && !w->faults.unlucky[n->seat];
		if (actor_replaces(n) || spared)
			continue;
		if (random_below(&w->dice, ++count) == 0)
			found = n;
	}
	return found;
}

static enum fault_kind pick(const struct faults *f, struct random *dice)
{
	unsigned sum = 0;
	for (int kind = 0; kind < FAULT_KINDS; kind++)
		sum += f->weights[kind];
	if (sum == 0)
		return FAULT_KINDS;
	uint64_t at = random_below(dice, sum);
	int kind = 0;
	while (at >= f->weights[kind])
		at -= f->weights[kind++];
	return (enum fault_kind)kind;
}

void faults_strike(struct world *w)
{
	enum fault_kind kind = pick(&w->faults, &w->dice);
	world_at(w, 1 + random_below(&w->dice, w->faults.strike_us_max), EVENT_STRIKE, NULL, 0);
	if (kind == FAULT_KINDS)
		return;
	bool of_all = kind == FAULT_SITE || kind == FAULT_LINK || kind == FAULT_CLOG;
	struct sim_node *n = of_all ? NULL : victim(w, kind);
	if ((of_all && w->healing) || (!of_all && !n))
		return;
	/* The whole site goes down seldom: else there is never a quorum to break. */
	if (kind == FAULT_SITE && !random_chance(&w->dice, 200))
		return;
	w->faults.struck[kind]++;
	if (kind == FAULT_SITE)
		lose_site(w);
	else if (kind == FAULT_LINK)
		cut_something(w);
	else if (kind == FAULT_CLOG)
		clog_something(w);
	else
		strike_node(w, kind, n);
}

/* ---- partitions ---- */

static void part_pair(
	struct world *w, uint32_t to, uint32_t from, enum partition_manner manner, uint64_t us)
{
	switch (manner) {
	case MANNER_WALL: net_wall(&w->net, to, from, true); break;
	case MANNER_CLOG: net_clog(&w->net, to, from, true); break;
	case MANNER_CUT: net_cut(&w->net, to, from, us); break;
	case PARTITION_MANNERS: break;
	}
}

static void begin_partition(struct world *w)
{
	struct random *dice = &w->dice;
	enum partition_shape shape = (enum partition_shape)random_below(dice, PARTITION_SHAPES);
	enum partition_manner manner = (enum partition_manner)random_below(dice, PARTITION_MANNERS);
	bool symmetric = random_chance(dice, 500);
	uint32_t n = w->node_count, alone = (uint32_t)random_below(dice, n);
	uint32_t half = 1 + (uint32_t)random_below(dice, n - 1);
	bool side[SIM_NODES_MAX];
	for (uint32_t i = 0; i < n; i++) {
		bool by_place = (i + alone) % n < half;
		side[i] = shape == SHAPE_ISOLATE ? i == alone
			  : shape == SHAPE_SPLIT ? by_place
						 : random_chance(dice, 500);
	}
	for (uint32_t to = 0; to < n; to++) {
		for (uint32_t from = 0; from < n; from++) {
			bool crosses = side[to] && !side[from];
			if (crosses || (symmetric && side[from] && !side[to]))
				part_pair(w, to, from, manner, w->faults.partition_us);
		}
	}
	w->faults.partitions++;
	world_note(w, NULL, "partition begins", bytes_view(NULL, 0));
}

void faults_partition(struct world *w)
{
	struct faults *f = &w->faults;
	if (w->healing)
		return;
	if (f->partitioned && random_chance(&w->dice, f->partition_heals)) {
		memset(w->net.walled, 0, sizeof w->net.walled);
		memset(w->net.clogged, 0, sizeof w->net.clogged);
		f->partitioned = false;
		world_note(w, NULL, "partition heals", bytes_view(NULL, 0));
	} else if (!f->partitioned && random_chance(&w->dice, f->partition_begins)) {
		begin_partition(w);
		f->partitioned = true;
	}
	world_at(w, 1 + random_below(&w->dice, f->partition_us), EVENT_PARTITION, NULL, 0);
}

/* ---- crashes alone ---- */

void faults_chaos(struct world *w)
{
	if (w->healing)
		return;
	uint32_t up = 0;
	for (uint32_t i = 0; i < w->node_count; i++)
		up += actor_replaces(&w->nodes[i]) ||
		      (w->nodes[i].up && w->nodes[i].crash_at == UINT64_MAX);
	if (w->node_count > 1 && random_chance(&w->dice, 50))
		lose_site(w);
	else if (w->node_count > 1 && random_chance(&w->dice, 200))
		cut_something(w);
	else if (up == w->node_count)
		plan_crash(w, &w->nodes[random_below(&w->dice, w->node_count)]);
	world_at(w, random_below(&w->dice, 400 * 1000), EVENT_CHAOS, NULL, 0);
}
