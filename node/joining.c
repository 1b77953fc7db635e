/* joining: the daemon's first minute on a new store: while the state of a chain that is far ahead
 * is taken over (replica/join.h), links and loop run, but there is no validator yet and no port for
 * clients. Then one batch is written and the app opened anew; or nothing, and the validator catches
 * up block by block. */
#include <stdio.h>
#include <string.h>

#include "node/clock.h"
#include "node/parts.h"
#include "replica/join.h"

struct joining {
	struct daemon_parts *parts;
	struct join *join;
	struct replica_effects effects;
	bool busy;            /* its effects are being done */
	bool gone[PEERS_MAX]; /* while they were */
	struct event *tick;
};

static void do_effects(struct joining *g)
{
	g->busy = true;
	for (size_t i = 0; i < g->effects.count; i++) {
		const struct replica_effect *e = &g->effects.items[i];
		if (e->kind == REPLICA_SEND)
			peering_send(g->parts, e->u.peer, e->bytes);
		else if (e->kind == REPLICA_DROP_PEER)
			peering_drop(g->parts, e->u.peer);
	}
	g->effects.count = 0;
	g->busy = false;
}

static void step(struct joining *g, enum replica_input_kind kind, uint32_t peer, struct bytes bytes)
{
	struct replica_input in = {.kind = kind};
	in.u.peer.peer = peer;
	in.u.peer.message = bytes;
	join_step(g->join, &in, clock_now(), &g->effects);
	do_effects(g);
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		if (!g->gone[i])
			continue;
		g->gone[i] = false;
		step(g, REPLICA_PEER_DOWN, i, bytes_view(NULL, 0));
	}
	if (join_state(g->join) != JOIN_RUNS)
		event_base_loopbreak(g->parts->loop);
}

void joining_input(
	struct daemon_parts *p, enum replica_input_kind kind, uint32_t peer, struct bytes bytes)
{
	struct joining *g = p->joining;
	/* A drop ends the link at once, and says so before it returns. */
	if (g->busy)
		g->gone[peer] = g->gone[peer] || kind == REPLICA_PEER_DOWN;
	else
		step(g, kind, peer, bytes);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	step(arg, REPLICA_TICK, 0, bytes_view(NULL, 0));
}

static enum status take_over(struct daemon_parts *p, const struct join *join)
{
	enum status status = store_write(&p->store, join_batch(join), true);
	if (status != STATUS_OK)
		return status;
	p->app.vtable->close(p->app.self);
	p->app.self = NULL;
	log_event(&p->log, LOG_INFO, "joined height=%lld", (long long)join_height(join));
	return daemon_open_app(p);
}

static enum status run(struct daemon_parts *p, struct joining *g)
{
	static const struct timeval tick = {0, 50 * 1000};
	g->tick = event_new(p->loop, -1, EV_PERSIST, on_tick, g);
	if (!g->tick || event_add(g->tick, &tick) != 0)
		return STATUS_NO_MEMORY;
	p->joining = g;
	while (join_state(g->join) == JOIN_RUNS && !p->stop_asked) {
		if (event_base_dispatch(p->loop) != 0)
			return STATUS_IO;
	}
	p->joining = NULL;
	return join_state(g->join) == JOIN_DONE ? take_over(p, g->join) : STATUS_OK;
}

enum status joining_run(
	struct daemon_parts *p, const struct replica_config *config, char fault[NODE_FAULT_BYTES])
{
	struct chain_head head;
	enum status status = chain_head_load(&head, &p->store, config->start.initial_height);
	if (status == STATUS_OK && (!p->net || head.height >= config->start.initial_height))
		return STATUS_OK;
	struct joining g = {.parts = p};
	struct join_config join = {
		.start = config->start,
		.app = p->app,
		.store = &p->store,
		.log = &p->log,
		.heights_min = p->config->fast_join,
		.peer_count = p->net ? net_peer_count(p->net) : 0,
	};
	if (status == STATUS_OK)
		g.join = join_new(&join, clock_now());
	if (status == STATUS_OK)
		status = g.join ? run(p, &g) : STATUS_NO_MEMORY;
	p->joining = NULL;
	if (status != STATUS_OK)
		snprintf(fault, NODE_FAULT_BYTES, "joining the chain: %s", status_text(status));
	if (g.tick)
		event_free(g.tick);
	join_free(g.join);
	replica_effects_fini(&g.effects);
	return status;
}
