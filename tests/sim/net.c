#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/actor.h"
#include "tests/sim/world.h"

enum { CONNECT_US_MAX = 50 * 1000 };

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
	if (net->cut_until_us[a][b] > w->now_us) {
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
	for (uint32_t a = 0; a < net->world->node_count; a++) {
		for (uint32_t b = 0; b < a; b++)
			plan_link(net, a, b);
	}
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

static void send_one(struct net *net, uint32_t from, uint32_t to, struct bytes raw)
{
	struct world *w = net->world;
	if (from == to || !net->linked[to][from] || !net->told[from][to])
		return;
	uint64_t held_us = 0;
	if (w->script && w->script->sent &&
		w->script->sent(w, &held_us, from, to, raw) == FATE_DROP)
		return;
	if (!w->healing && random_chance(&w->dice, net->loss[kind_of(raw)][to]))
		return;
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
	uint64_t due = w->now_us + held_us + 1 + random_below(&w->dice, net->delay_us_max);
	if (due < lane->last_us)
		due = lane->last_us;
	lane->last_us = due;
	world_at(w, due - w->now_us, EVENT_MESSAGE, node_of(net, to),
		from | net->epoch[to][from] << 8);
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

void net_deliver(struct net *net, uint32_t to, uint64_t detail)
{
	struct world *w = net->world;
	uint32_t from = detail & 0xff;
	if (net->epoch[to][from] != detail >> 8)
		return; /* the link it was sent on is gone, and it with it */
	struct lane *lane = &net->lanes[to][from];
	CHECK(lane->count > 0);
	struct message m = lane->messages[0];
	lane->count--;
	memmove(lane->messages, lane->messages + 1, lane->count * sizeof *lane->messages);
	struct sim_node *n = node_of(net, to);
	struct bytes raw = bytes_view(m.data, m.len);
	bool twice = !w->healing && w->options.loss > 0 && random_chance(&w->dice, 20);
	world_note(w, n, "message", raw);
	node_message(n, from, raw);
	if (n->up && twice)
		node_message(n, from, raw);
	free(m.data);
}
