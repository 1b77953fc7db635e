#include "tests/unit/node_net_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURN_MS = 20 };

const struct hash32 world_chain = {{7}};

static void note(void *ctx, enum log_level level, const char *line, size_t len)
{
	struct world *w = ctx;
	if (strlen(w->log) + len + 2 < sizeof w->log) {
		strncat(w->log, line, len);
		strcat(w->log, "\n");
	}
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
}

static int by_key(const void *a, const void *b)
{
	return memcmp(((const struct node *)a)->key.b, ((const struct node *)b)->key.b, 32);
}

int world_set_up(void **state)
{
	static const struct timeval turn = {0, TURN_MS * 1000};
	struct world *w = calloc(1, sizeof *w);
	w->loop = event_base_new();
	w->turn = event_new(w->loop, -1, EV_PERSIST, on_turn, w);
	event_add(w->turn, &turn);
	w->count = 2;
	for (uint32_t i = 0; i < NODES; i++) {
		w->nodes[i].secret.seed[0] = (uint8_t)(i + 1);
		w->nodes[i].key = validator_key_of(&w->nodes[i].secret);
	}
	qsort(w->nodes, NODES, sizeof w->nodes[0], by_key);
	for (uint32_t i = 0; i < NODES; i++)
		w->nodes[i].world = w;
	*state = w;
	return 0;
}

int world_tear_down(void **state)
{
	struct world *w = *state;
	for (uint32_t i = 0; i < NODES; i++) {
		net_stop(w->nodes[i].net);
		for (uint32_t j = 0; j < NODES; j++)
			buf_fini(&w->nodes[i].heard[j]);
	}
	event_free(w->turn);
	event_base_free(w->loop);
	free(w);
	return 0;
}

uint32_t world_place(uint32_t node, uint32_t in)
{
	return node < in ? node : node - 1;
}

static uint32_t node_at(uint32_t place, uint32_t in)
{
	return place < in ? place : place + 1;
}

static uint32_t number_of(const struct node *n)
{
	return (uint32_t)(n - n->world->nodes);
}

static void on_up(void *ctx, uint32_t peer)
{
	struct node *n = ctx;
	n->up[node_at(peer, number_of(n))]++;
}

static void on_down(void *ctx, uint32_t peer)
{
	struct node *n = ctx;
	n->down[node_at(peer, number_of(n))]++;
	assert_false(net_send(n->net, peer, bytes_of_text("too late")));
}

static void on_frame(void *ctx, uint32_t peer, struct bytes frame)
{
	struct node *n = ctx;
	struct buf *heard = &n->heard[node_at(peer, number_of(n))];
	buf_append_u32be(heard, (uint32_t)frame.len);
	buf_append_view(heard, frame);
	if (n->answers)
		assert_true(net_send(n->net, peer, frame));
	if (n->drops)
		net_drop(n->net, peer, 60 * 1000, "it was told to");
}

enum status world_try_start(struct world *w, uint32_t number, char fault[256])
{
	struct node *n = &w->nodes[number];
	struct net_peer peers[NODES];
	w->sink = (struct log){LOG_DEBUG, note, w};
	memset(peers, 0, sizeof peers);
	for (uint32_t i = 0; i + 1 < w->count; i++) {
		const struct node *other = &w->nodes[node_at(i, number)];
		peers[i].key = other->key;
		snprintf(peers[i].name, sizeof peers[i].name, "node%u", node_at(i, number));
		strcpy(peers[i].host, "127.0.0.1");
		peers[i].port = other->port ? other->port : 1;
	}
	struct net_config config = {
		.loop = w->loop,
		.listen_address = "127.0.0.1",
		.listen_port = n->port,
		.me = n->secret,
		.chain_tag = world_chain,
		.peers = peers,
		.peer_count = w->count - 1,
		.bans = n->bans,
		.handshake_ms = n->handshake_ms,
		.queues_bytes_max = n->queues_bytes_max,
		.log = &w->sink,
		.up = on_up,
		.down = on_down,
		.frame = on_frame,
		.ctx = n,
	};
	return net_start(&n->net, &config, fault);
}

void world_start(struct world *w, uint32_t number)
{
	char fault[256];
	assert_int_equal(world_try_start(w, number, fault), STATUS_OK);
	w->nodes[number].port = net_port(w->nodes[number].net);
	assert_int_not_equal(w->nodes[number].port, 0);
}

void world_stop(struct world *w, uint32_t number)
{
	net_stop(w->nodes[number].net);
	w->nodes[number].net = NULL;
}

/* Larger keys first: who dials must know the port. */
void world_start_all(struct world *w)
{
	for (uint32_t i = w->count; i-- > 0;)
		world_start(w, i);
	for (uint32_t i = 0; i < w->count; i++)
		UNTIL(w, net_up_count(w->nodes[i].net) == w->count - 1);
}

bool world_send(struct world *w, uint32_t from, uint32_t to, struct bytes frame)
{
	return net_send(w->nodes[from].net, world_place(to, from), frame);
}

/* ---- a peer made by hand ---- */

void hand_connect(struct hand *h, struct world *w)
{
	hand_connect_from(h, w, INADDR_LOOPBACK);
}

void hand_connect_from(struct hand *h, struct world *w, uint32_t address)
{
	memset(h, 0, sizeof *h);
	h->w = w;
	h->fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(w->nodes[1].port),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(address)}};
	assert_int_equal(bind(h->fd, (struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(connect(h->fd, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(fcntl(h->fd, F_SETFL, O_NONBLOCK), 0);
}

void hand_close(struct hand *h)
{
	close(h->fd);
	link_fini(&h->link);
	buf_fini(&h->out);
}

/* Sends all of it, however long the other side takes to read; or until it is closed. */
void hand_send(struct hand *h, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t give_up_ms = clock_steady_ms() + PATIENCE_MS;
	while (len > 0) {
		ssize_t sent = send(h->fd, at, len, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN) {
			h->closed = true;
			return;
		}
		assert_true(clock_steady_ms() < give_up_ms);
		if (sent < 0) {
			event_base_loop(h->w->loop, EVLOOP_ONCE);
			continue;
		}
		at += sent;
		len -= (size_t)sent;
	}
}

static void hand_no_frame(void *ctx, struct bytes frame)
{
	fail_msg("a frame of %zu bytes", frame.len);
}

bool hand_hears(struct hand *h)
{
	uint8_t bytes[4096];
	ssize_t got = recv(h->fd, bytes, sizeof bytes, 0);
	if (got > 0) {
		h->received += (size_t)got;
		if (h->link.state == LINK_SECOND)
			assert_int_equal(link_take(&h->link, &h->out,
						 bytes_view(bytes, (size_t)got), hand_no_frame, h),
				LINK_FINE);
	}
	if (got == 0 || (got < 0 && errno != EAGAIN))
		h->closed = true;
	return got > 0;
}

bool hand_is_closed(struct hand *h)
{
	while (!h->closed && hand_hears(h))
		;
	return h->closed;
}

void hand_first(struct hand *h, const struct validator_secret *as, const struct hash32 *tag)
{
	static uint8_t seed[32];
	seed[0]++;
	buf_clear(&h->out);
	assert_true(link_dial(&h->link, &h->out, as, &h->w->nodes[1].key, 0, tag, seed));
	hand_send(h, h->out.data, h->out.len);
}

void hand_frame(struct hand *h, struct bytes frame)
{
	buf_clear(&h->out);
	link_put(&h->link, &h->out, frame);
	hand_send(h, h->out.data, h->out.len);
}

/* The whole handshake as node 0. */
void hand_prove(struct hand *h)
{
	unsigned before = h->w->nodes[1].up[0];
	hand_first(h, &h->w->nodes[0].secret, &world_chain);
	UNTIL(h->w, hand_hears(h));
	assert_int_equal(h->link.state, LINK_OPEN);
	hand_frame(h, bytes_view("\1", 1));
	UNTIL(h->w, h->w->nodes[1].up[0] == before + 1);
}

int world_begin(void **state)
{
	static const uint8_t seed[32] = {9};
	signal(SIGPIPE, SIG_IGN);
	return keys_start(seed) ? 0 : -1;
}
