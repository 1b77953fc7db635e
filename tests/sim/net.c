#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/actor.h"
#include "tests/sim/world.h"

enum {
	CONNECT_US_MAX = 50 * 1000,
	CLOG_US = 20 * 1000 /* between two looks whether the way is free */
};

void net_init(struct net *net, struct world *world)
{
	memset(net, 0, sizeof *net);
	net->world = world;
	net->delay_us_max = 1000 * (1 + random_below(&world->dice, 60));
}

static void clear(struct lane *lane)
{
	for (size_t i = 0; i < lane->count; i++)
		free(lane->messages[i].data);
	lane->count = 0;
}

void net_fini(struct net *net)
{
	for (uint32_t a = 0; a < SIM_NODES_MAX; a++) {
		for (uint32_t b = 0; b < SIM_NODES_MAX; b++) {
			clear(&net->lanes[a][b]);
			free(net->lanes[a][b].messages);
		}
	}
}

static struct sim_node *node_of(struct net *net, uint32_t index)
{
	return &net->world->nodes[index];
}

/* ---- links ---- */

static void plan_link(struct net *net, uint32_t a, uint32_t b)
{
	struct world *w = net->world;
	uint64_t wait = 1 + random_below(&w->dice, CONNECT_US_MAX);
	uint64_t until = net->cut_until_us[a][b];
	if (until > w->now_us)
		wait += until - w->now_us;
	world_at(w, wait, EVENT_LINK, node_of(net, a), b);
}

static void tell(struct net *net, uint32_t a, uint32_t b, bool up)
{
	struct sim_node *n = node_of(net, a);
	if (!n->up || net->told[a][b] == up)
		return;
	net->told[a][b] = up;
	world_note(net->world, n, up ? "peer up" : "peer down", bytes_view(NULL, 0));
	node_peer(n, b, up);
}

void net_link(struct net *net, uint32_t a, uint32_t b)
{
	struct world *w = net->world;
	if (net->linked[a][b] || !node_of(net, a)->up || !node_of(net, b)->up)
		return;
	if (node_of(net, a)->seat == node_of(net, b)->seat)
		return; /* twins don't speak to each other */
	if (net->cut_until_us[a][b] > w->now_us || net->walled[a][b] || net->walled[b][a] ||
		world_paused(w, a) || world_paused(w, b)) {
		plan_link(net, a, b);
		return;
	}
	net->linked[a][b] = net->linked[b][a] = true;
	tell(net, a, b, false); /* of the link before, if it hasn't heard yet */
	tell(net, b, a, false);
	tell(net, a, b, true);
	tell(net, b, a, true);
}

static void unlink_pair(struct net *net, uint32_t a, uint32_t b)
{
	struct world *w = net->world;
	if (!net->linked[a][b])
		return;
	net->linked[a][b] = net->linked[b][a] = false;
	net->epoch[a][b]++;
	net->epoch[b][a]++;
	clear(&net->lanes[a][b]);
	clear(&net->lanes[b][a]);
	uint64_t late = random_below(&w->dice, CONNECT_US_MAX);
	world_at(w, late, EVENT_UNLINKED, node_of(net, a), b);
	world_at(w, late, EVENT_UNLINKED, node_of(net, b), a);
	plan_link(net, a, b);
}

void net_unlinked(struct net *net, uint32_t a, uint32_t b)
{
	if (!net->linked[a][b])
		tell(net, a, b, false);
}

void net_started(struct net *net, uint32_t node)
{
	for (uint32_t other = 0; other < net->world->node_count; other++) {
		if (other != node)
			plan_link(net, node, other);
	}
}

void net_crashed(struct net *net, uint32_t node)
{
	for (uint32_t other = 0; other < net->world->node_count; other++) {
		if (other != node)
			unlink_pair(net, node, other);
		net->told[node][other] = false;
	}
}

void net_cut(struct net *net, uint32_t a, uint32_t b, uint64_t us)
{
	uint64_t until = net->world->now_us + us;
	net->cut_until_us[a][b] = net->cut_until_us[b][a] = until;
	unlink_pair(net, a, b);
}

/* In an event of its own: a is in the midst of its effects. */
void net_ban(struct net *net, uint32_t a, uint32_t b)
{
	world_at(net->world, 0, EVENT_BAN, node_of(net, a), b);
}

void net_heal(struct net *net)
{
	memset(net->cut_until_us, 0, sizeof net->cut_until_us);
	memset(net->walled, 0, sizeof net->walled);
	memset(net->clogged, 0, sizeof net->clogged);
	memset(net->clog_until_us, 0, sizeof net->clog_until_us);
	memset(net->slow_us, 0, sizeof net->slow_us);
	for (uint32_t a = 0; a < net->world->node_count; a++) {
		for (uint32_t b = 0; b < a; b++)
			plan_link(net, a, b);
	}
}

void net_wall(struct net *net, uint32_t to, uint32_t from, bool stands)
{
	net->walled[to][from] = stands;
}

void net_clog(struct net *net, uint32_t to, uint32_t from, bool holds)
{
	net->clogged[to][from] = holds;
}

void net_clog_for(struct net *net, uint32_t to, uint32_t from, uint64_t us)
{
	net->clog_until_us[to][from] = net->world->now_us + us;
}

/* ---- messages ---- */

/* By the first field of a PeerMessage and, for a vote, its own first field, the type. */
static enum message_kind kind_of(struct bytes raw)
{
	size_t at = 1;
	if (raw.len < 4)
		return MESSAGE_OTHER;
	switch (raw.data[0] >> 3) {
	case 1: return MESSAGE_PROPOSAL;
	case 2: return MESSAGE_PART;
	case 3:
		while (at < raw.len - 2 && raw.data[at] & 0x80)
			at++;
		return raw.data[at + 2] == VOTE_PRECOMMIT ? MESSAGE_PRECOMMIT : MESSAGE_PREVOTE;
	case 4: return MESSAGE_STATUS;
	default: return MESSAGE_OTHER;
	}
}

void net_weather(struct net *net)
{
	struct world *w = net->world;
	for (int kind = 0; kind < MESSAGE_KINDS; kind++) {
		uint64_t dice = random_below(&w->dice, 100);
		for (uint32_t to = 0; to < w->node_count; to++) {
			unsigned *loss = &net->loss[kind][to];
			*loss = w->options.loss;
			if (dice < 15)
				*loss = 0;
			else if (dice < 40) /* some hear nothing of it, some all */
				*loss = random_chance(&w->dice, 500) ? 1000 : 0;
		}
	}
	world_at(w, random_below(&w->dice, 700 * 1000), EVENT_WEATHER, NULL, 0);
}

/* Behind all others of its line, or, loose, on its own. */
static void enqueue(
	struct net *net, uint32_t from, uint32_t to, struct bytes raw, uint64_t held_us, bool loose)
{
	struct world *w = net->world;
	struct lane *lane = &net->lanes[to][from];
	if (lane->count == lane->cap) {
		lane->cap = lane->cap ? lane->cap * 2 : 64;
		lane->messages = realloc(lane->messages, lane->cap * sizeof *lane->messages);
		CHECK(lane->messages);
	}
	struct message *m = &lane->messages[lane->count++];
	m->data = malloc(raw.len + 1);
	CHECK(m->data);
	memcpy(m->data, raw.data, raw.len);
	m->len = raw.len;
	m->number = loose ? ++net->numbers : 0;
	uint64_t due = w->now_us + held_us + 1 + random_below(&w->dice, net->delay_us_max);
	uint64_t slow_us = net->slow_us[from] + net->slow_us[to];
	if (slow_us > 0)
		due += random_below(&w->dice, slow_us);
	if (loose)
		due += random_below(&w->dice, 4 * net->delay_us_max);
	else if (due < lane->last_us)
		due = lane->last_us;
	if (!loose)
		lane->last_us = due;
	world_at(w, due - w->now_us, EVENT_MESSAGE, node_of(net, to),
		from | (net->epoch[to][from] & 0xffffff) << 8 | (uint64_t)m->number << 32);
}

/* While there are faults, each honest node hears and is heard by one twin, by both or by none, and
 * that changes: without a split each would see both twins' votes at once. */
static bool twin_apart(const struct net *net, uint32_t a, uint32_t b)
{
	enum { WINDOW_US = 600 * 1000 };
	const struct world *w = net->world;
	uint32_t first = w->options.nodes - 1;
	uint32_t twin = a >= first ? a : b, other = a >= first ? b : a;
	if (!w->options.split || w->healing || twin < first)
		return false;
	struct random dice = {w->options.seed * 31 + w->now_us / WINDOW_US};
	uint64_t mask = random_next(&dice), second = random_next(&dice);
	if (twin == first)
		return (mask >> other & 1) == 0;
	switch (random_below(&dice, 3)) {
	case 0: return (mask >> other & 1) != 0; /* what the first one doesn't have */
	case 1: return (second >> other & 1) == 0;
	default: return false;
	}
}

static void send_one(struct net *net, uint32_t from, uint32_t to, struct bytes raw)
{
	struct world *w = net->world;
	if (from == to || !net->linked[to][from] || !net->told[from][to] ||
		twin_apart(net, from, to))
		return;
	uint64_t held_us = 0;
	if (w->script && w->script->sent &&
		w->script->sent(w, &held_us, from, to, raw) == FATE_DROP)
		return;
	enum message_kind kind = kind_of(raw);
	if (net->walled[to][from])
		return;
	bool fair = w->healing && !world_sick(w, from) && !world_sick(w, to);
	if (!fair && random_chance(&w->dice, net->loss[kind][to]))
		return;
	const struct faults *f = &w->faults;
	bool loose = !fair && f->reorders > 0 && kind != MESSAGE_STATUS &&
		     random_chance(&w->dice, f->reorders);
	enqueue(net, from, to, raw, held_us, loose);
	if (!fair && f->duplicates > 0 && random_chance(&w->dice, f->duplicates))
		enqueue(net, from, to, raw, held_us, kind != MESSAGE_STATUS);
}

void net_send(struct net *net, uint32_t from, uint32_t to, struct bytes raw)
{
	if (to != REPLICA_EVERYONE) {
		CHECK(to < net->world->node_count);
		send_one(net, from, to, raw);
		return;
	}
	for (uint32_t each = 0; each < net->world->node_count; each++)
		send_one(net, from, each, raw);
}

/* The one of this number; 0: the first that keeps its place. */
static struct message take(struct lane *lane, uint32_t number)
{
	size_t at = 0;
	while (at < lane->count && lane->messages[at].number != number)
		at++;
	CHECK(at < lane->count);
	struct message m = lane->messages[at];
	lane->count--;
	memmove(lane->messages + at, lane->messages + at + 1,
		(lane->count - at) * sizeof *lane->messages);
	return m;
}

void net_deliver(struct net *net, uint32_t to, uint64_t detail)
{
	struct world *w = net->world;
	uint32_t from = detail & 0xff;
	struct sim_node *n = node_of(net, to);
	if ((net->epoch[to][from] & 0xffffff) != (detail >> 8 & 0xffffff))
		return; /* the link it was sent on is gone, and it with it */
	bool held = net->clogged[to][from] || net->clog_until_us[to][from] > w->now_us;
	if (held) {
		world_at(w, CLOG_US, EVENT_MESSAGE, n, detail);
		return;
	}
	struct message m = take(&net->lanes[to][from], (uint32_t)(detail >> 32));
	struct bytes raw = bytes_view(m.data, m.len);
	bool twice = !w->healing && w->options.loss > 0 && random_chance(&w->dice, 20);
	world_note(w, n, "message", raw);
	node_message(n, from, raw);
	if (n->up && twice)
		node_message(n, from, raw);
	free(m.data);
}
