#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/hex.h"
#include "tests/sim/phases.h"

enum {
	NODE_EFFECTS_MAX = 4096,
	NODE_INPUTS_MAX = 1024,
	BAN_US = 2 * 1000 * 1000,
	EVENTS_MAX = 20 * 1000 * 1000
};

/* ---- the queue of events: a binary heap ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void push(struct world *w, const struct event *event)
{
	if (w->event_count == w->event_cap) {
		w->event_cap = w->event_cap ? w->event_cap * 2 : 256;
		w->events = realloc(w->events, w->event_cap * sizeof *w->events);
		CHECK(w->events);
	}
	size_t at = w->event_count++;
	while (at > 0 && before(event, &w->events[(at - 1) / 2])) {
		w->events[at] = w->events[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	w->events[at] = *event;
}

static struct event pop(struct world *w)
{
	CHECK(w->event_count > 0);
	struct event first = w->events[0], last = w->events[--w->event_count];
	size_t at = 0;
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= w->event_count)
			break;
		if (child + 1 < w->event_count && before(&w->events[child + 1], &w->events[child]))
			child++;
		if (!before(&w->events[child], &last))
			break;
		w->events[at] = w->events[child];
		at = child;
	}
	w->events[at] = last;
	return first;
}

void world_at(struct world *w, uint64_t delay_us, enum event_kind kind, const struct sim_node *n,
	uint64_t detail)
{
	struct event event = {
		.at_us = w->now_us + delay_us,
		.order = w->order++,
		.kind = kind,
		.node = n ? n->index : 0,
		.life = n ? n->life : 0,
		.detail = detail,
	};
	push(w, &event);
}

/* ---- telling ---- */

void world_fail(struct world *w, const char *format, ...)
{
	if (w->fault[0])
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(w->fault, sizeof w->fault, format, args);
	va_end(args);
}

static void print_line(
	const struct world *w, const struct sim_node *n, const char *what, size_t len)
{
	printf("%10llu.%03llu", (unsigned long long)(w->now_us / 1000),
		(unsigned long long)(w->now_us % 1000));
	if (!n || !n->replica) { /* nobody, down, or an actor */
		printf("  %c %s\n", n ? (char)('0' + n->index) : '-', what);
		return;
	}
	const struct consensus *c = replica_consensus(n->replica);
	printf("  %u  %5lld/%d/%-9s lock %2d  valid %2d  log %6zu  %s", n->index,
		(long long)c->height, c->round, consensus_step_name(c->step), c->locked_round,
		c->valid_round, n->disk.log.len + n->disk.pending.len, what);
	if (len > 0)
		printf(" (%zu bytes)", len);
	printf("\n");
}

void world_note(struct world *w, const struct sim_node *n, const char *what, struct bytes detail)
{
	uint8_t head[16];
	put_u64be(head, w->now_us);
	put_u64be(head + 8, n ? n->index : UINT64_MAX);
	sha256_add(&w->trace, head, sizeof head);
	sha256_add(&w->trace, what, strlen(what) + 1);
	if (detail.len > 0)
		sha256_add(&w->trace, detail.data, detail.len);
	if (w->options.trace)
		print_line(w, n, what, detail.len);
}

static void log_line(void *ctx, enum log_level level, const char *line, size_t len)
{
	struct world *w = ctx;
	if (w->options.trace)
		printf("%14s  - %.*s\n", "", (int)len, line);
	if (level == LOG_BROKEN && !(w->acting && w->acting->excused))
		world_fail(w, "%.*s", (int)(len < 200 ? len : 200), line);
}

struct hash32 world_hash(struct world *w)
{
	struct sha256 copy = w->trace;
	return sha256_end(&copy);
}

/* ---- crashes ---- */

void world_crashed(struct world *w, const struct sim_node *n)
{
	w->crashes++;
	net_crashed(&w->net, n->index);
	world_start_later(w, n);
}

void world_start_later(struct world *w, const struct sim_node *n)
{
	uint64_t us_max = w->faults.storm ? w->faults.down_us_max : 500 * 1000;
	bool quick = w->healing && n->after != AFTER_SICK;
	struct event event = {
		.at_us = w->now_us + 1 + random_below(&w->dice, quick ? 1000 : us_max),
		.order = w->order++,
		.kind = EVENT_START,
		.node = n->index,
		.life = n->life,
	};
	push(w, &event);
}

static void start(struct world *w, struct sim_node *n)
{
	node_start(n);
	if (n->up && !w->fault[0])
		net_started(&w->net, n->index);
}

bool world_paused(const struct world *w, uint32_t node)
{
	return w->nodes[node].paused_until_us > w->now_us;
}

bool world_sick(const struct world *w, uint32_t node)
{
	return w->nodes[node].after == AFTER_SICK;
}

void world_heal(struct world *w)
{
	phases_heal(w);
}

/* ---- life ---- */

void world_init(struct world *w, const struct sim_options *options)
{
	memset(w, 0, sizeof *w);
	w->options = *options;
	if (options->storm)
		faults_options(&w->options);
	options = &w->options;
	w->dice.state = options->seed;
	w->script = options->script;
	w->log = (struct log){LOG_INFO, log_line, w};
	sha256_start(&w->trace);
	people_init(&w->people, options->nodes);
	checks_init(&w->checks, &w->people);
	w->checks.forks = options->forks;
	work_init(&w->work, random_next(&w->dice));
	net_init(&w->net, w);
	w->apply_us_max = 10 + random_below(&w->dice, 8000);
	w->sign_us_max = random_chance(&w->dice, 500) ? 0 : 1 + random_below(&w->dice, 3000);
	w->verify_us_max = 300;
	w->node_count = options->nodes + (options->twins ? 1 : 0);
	w->checks.faulty[options->nodes - 1] = options->twins;
	for (uint32_t i = 0; i < w->node_count; i++)
		node_init(&w->nodes[i], w, i, i < options->nodes ? i : options->nodes - 1);
	struct sim_node *crasher = &w->nodes[options->crash_node];
	crasher->crash_at = options->crash_at;
	crasher->crash_kind = options->crash_kind;
	crasher->crash_torn = options->crash_torn;
}

void world_fini(struct world *w)
{
	for (uint32_t i = 0; i < w->node_count; i++) {
		node_fini(&w->nodes[i]);
	}
	if (w->script && w->script->fini)
		w->script->fini(w);
	net_fini(&w->net);
	checks_fini(&w->checks);
	people_fini(&w->people);
	free(w->events);
}

struct sim_node *world_best(struct world *w)
{
	struct sim_node *best = NULL;
	for (uint32_t i = 0; i < w->node_count; i++) {
		struct sim_node *n = &w->nodes[i];
		if (n->replica && (!best || n->told > best->told))
			best = n;
	}
	return best;
}

/* A process that stands still finds what came when it goes on, in the order it came. */
static bool put_off(struct world *w, const struct event *e)
{
	const struct sim_node *n = &w->nodes[e->node];
	bool to_process = e->kind <= EVENT_UNLINKED || e->kind == EVENT_ACTOR;
	if (!to_process || !world_paused(w, e->node))
		return false;
	struct event later = *e;
	later.at_us = n->paused_until_us;
	later.order = w->order++;
	push(w, &later);
	return true;
}

static void happen(struct world *w, const struct event *e)
{
	struct sim_node *n = &w->nodes[e->node];
	bool mine = n->up && n->life == e->life;
	if (put_off(w, e))
		return;
	switch (e->kind) { /* lint: dispatch */
	case EVENT_TICK:
		if (mine && n->tick_us == e->detail)
			node_tick(n);
		break;
	case EVENT_VERIFIED:
		if (mine)
			node_verified(n, e->detail);
		break;
	case EVENT_JOB_RUN:
		if (mine)
			node_job_run(n);
		break;
	case EVENT_JOB_DONE:
		if (mine)
			node_job_done(n);
		break;
	case EVENT_SIGNED:
		if (mine)
			node_signed(n);
		break;
	case EVENT_MESSAGE: net_deliver(&w->net, e->node, e->detail); break;
	case EVENT_WEATHER: net_weather(&w->net); break;
	case EVENT_LINK: net_link(&w->net, e->node, (uint32_t)e->detail); break;
	case EVENT_BAN: net_cut(&w->net, e->node, (uint32_t)e->detail, BAN_US); break;
	case EVENT_UNLINKED:
		if (mine)
			net_unlinked(&w->net, e->node, (uint32_t)e->detail);
		break;
	case EVENT_START:
		if (!n->up && !n->gone)
			start(w, n);
		break;
	case EVENT_KILL:
		if (mine)
			node_crash(n, CRASH_KILL, false);
		break;
	case EVENT_DISK_WELL: node_disk_well(n); break;
	case EVENT_STRIKE: faults_strike(w); break;
	case EVENT_PARTITION: faults_partition(w); break;
	case EVENT_WORK:
		work_act(&w->work, w);
		world_at(w, 1000 + random_below(&w->dice, 30 * 1000), EVENT_WORK, NULL, 0);
		break;
	case EVENT_CHAOS: faults_chaos(w); break;
	case EVENT_ACTOR:
		if (mine && n->actor.due)
			n->actor.due(n->actor.self, n, e->detail);
		break;
	case EVENT_SCRIPT:
		if (w->script && w->script->due)
			w->script->due(w, e->detail);
		break;
	case EVENT_HEAL: phases_heal(w); break;
	}
}

/* The numbers that keep a node from growing with what happens to it. */
static void check_bounds(struct world *w, const struct sim_node *n)
{
	if (!n->replica)
		return;
	struct replica_counts c;
	replica_count(n->replica, &c);
	if (c.timers > c.timers_max || c.questions > c.questions_max ||
		c.candidates > c.candidates_max || c.incoming > c.incoming_max)
		world_fail(w, "node %u: one of its tables holds more than it may", n->index);
	if (c.early_bytes != c.early_counted)
		world_fail(w, "node %u: of %zu bytes of the next height it counts %zu", n->index,
			c.early_bytes, c.early_counted);
	if (n->effects.cap > NODE_EFFECTS_MAX || n->input_cap > NODE_INPUTS_MAX)
		world_fail(w, "node %u: its queues grow", n->index);
	struct mempool_counts pool = mempool_counts(n->mempool);
	if (pool.txs > n->mempool_txs_max || pool.bytes > MEMPOOL_BYTES_MAX)
		world_fail(w, "node %u: its mempool holds more than it may", n->index);
	if (n->disk.log.len > 4u * BLOCK_BYTES_MAX)
		world_fail(w, "node %u: its log of one height has %zu bytes", n->index,
			n->disk.log.len);
}

static void begin(struct world *w)
{
	if (w->options.cast)
		w->options.cast(w);
	if (w->options.storm)
		faults_draw(&w->faults, w);
	for (uint32_t i = 0; i < w->node_count; i++)
		w->nodes[i].mempool_txs_max = w->options.storm ? w->faults.mempool_txs_max : 1000;
	if (w->script && w->script->begin)
		w->script->begin(w);
	for (uint32_t i = 0; i < w->node_count; i++) {
		struct sim_node *n = &w->nodes[i];
		if (n->start_us > 0)
			world_at(w, n->start_us, EVENT_START, n, 0);
		else if (!n->gone)
			start(w, n);
	}
	world_at(w, 1000, EVENT_WORK, NULL, 0);
	if (w->options.crashes)
		world_at(w, random_below(&w->dice, 400 * 1000), EVENT_CHAOS, NULL, 0);
	if (w->options.storm)
		world_at(w, 0, EVENT_STRIKE, NULL, 0);
	if (w->faults.partition_us > 0)
		world_at(w, 0, EVENT_PARTITION, NULL, 0);
	if (w->options.loss > 0)
		net_weather(&w->net);
	if (!w->script || !w->script->heals)
		world_at(w, w->options.fault_ms * 1000, EVENT_HEAL, NULL, 0);
}

/* Every height of every store that is left, once more and whole. */
static void look_at_stores(struct world *w)
{
	for (uint32_t i = 0; i < w->node_count && !w->fault[0]; i++) {
		struct sim_node *n = &w->nodes[i];
		if (!actor_replaces(n) && (n->up || n->told > 0) && n->life > 0)
			checks_store(&w->checks, i, &n->memory, n->told, true);
		if (w->checks.fault[0])
			world_fail(w, "%s", w->checks.fault);
	}
}

bool world_run(struct world *w)
{
	begin(w);
	while (!w->fault[0] && !phases_reached(w)) {
		struct event event = pop(w);
		w->now_us = event.at_us;
		happen(w, &event);
		check_bounds(w, &w->nodes[event.node]);
		if (w->script && w->script->look)
			w->script->look(w);
		if (w->checks.fault[0])
			world_fail(w, "%s", w->checks.fault);
		if (w->checks.forked > 0)
			break;
		if (w->now_us > phases_end_us(w) && w->options.forks)
			break; /* they may stop the chain as well */
		if (w->now_us > phases_end_us(w))
			world_fail(w, "no liveness: height %lld was to be reached, %lld was",
				(long long)w->target, (long long)w->checks.top);
		if (++w->happened > EVENTS_MAX)
			world_fail(w, "too many events in %llu ms",
				(unsigned long long)(w->now_us / 1000));
	}
	if (w->checks.forked > 0)
		checks_judge(&w->checks);
	else if (!w->options.forks)
		look_at_stores(w);
	if (w->checks.fault[0])
		world_fail(w, "%s", w->checks.fault);
	return !w->fault[0];
}
