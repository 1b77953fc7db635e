/* node/net: links of real sockets on loopback, two or three nodes and whoever else knocks, all in
 * one event loop. */
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

#include "base/endian.h"
#include "node/clock.h"
#include "node/net.h"
#include "node/net_rates.h"
#include "p2p/link.h"

enum { NODES = 3, TURN_MS = 20, PATIENCE_MS = 20 * 1000 };

static const struct hash32 chain = {{7}}, other_chain = {{8}};

struct world;

/* Nodes are numbered by their keys: a smaller one dials a larger one. Its peers are the others, in
 * order. */
struct node {
	struct world *world;
	struct validator_secret secret;
	struct validator_key key;
	struct net *net;
	uint16_t port;
	uint32_t handshake_ms;
	unsigned up[NODES], down[NODES];
	struct buf heard[NODES]; /* frames, each after its u32be length */
	bool answers;            /* each frame with itself */
	uint32_t drops;          /* from inside a frame's callback: the peer, if not zero */
};

struct world {
	struct event_base *loop;
	struct event *turn;
	struct node nodes[NODES];
	uint32_t count;
	char log[16384];
};

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

static int set_up(void **state)
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

static int tear_down(void **state)
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

/* The number that one node has in another's list, and back. */
static uint32_t place_of(uint32_t node, uint32_t in)
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

static enum status try_start(struct world *w, uint32_t number, char fault[256])
{
	struct node *n = &w->nodes[number];
	struct net_peer peers[NODES];
	static struct log log;
	log = (struct log){LOG_DEBUG, note, w};
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
		.chain_tag = chain,
		.peers = peers,
		.peer_count = w->count - 1,
		.handshake_ms = n->handshake_ms,
		.log = &log,
		.up = on_up,
		.down = on_down,
		.frame = on_frame,
		.ctx = n,
	};
	return net_start(&n->net, &config, fault);
}

static void start(struct world *w, uint32_t number)
{
	char fault[256];
	assert_int_equal(try_start(w, number, fault), STATUS_OK);
	w->nodes[number].port = net_port(w->nodes[number].net);
	assert_int_not_equal(w->nodes[number].port, 0);
}

static void stop(struct world *w, uint32_t number)
{
	net_stop(w->nodes[number].net);
	w->nodes[number].net = NULL;
}

/* Turns the loop until the expression holds. */
#define UNTIL(w, expression)                                                                       \
	do {                                                                                       \
		uint64_t give_up_ms = clock_steady_ms() + PATIENCE_MS;                             \
		while (!(expression)) {                                                            \
			if (clock_steady_ms() > give_up_ms)                                        \
				fail_msg("not within %d ms: %s\n%s", PATIENCE_MS, #expression,     \
					(w)->log);                                                 \
			event_base_loop((w)->loop, EVLOOP_ONCE);                                   \
		}                                                                                  \
	} while (0)

/* Larger keys first: who dials must know the port. */
static void start_all(struct world *w)
{
	for (uint32_t i = w->count; i-- > 0;)
		start(w, i);
	for (uint32_t i = 0; i < w->count; i++)
		UNTIL(w, net_up_count(w->nodes[i].net) == w->count - 1);
}

static bool send_to(struct world *w, uint32_t from, uint32_t to, struct bytes frame)
{
	return net_send(w->nodes[from].net, place_of(to, from), frame);
}

/* ---- a peer made by hand ---- */

/* Dials node 1 with the key of node 0, or whatever it likes. */
struct hand {
	struct world *w;
	int fd;
	struct link link;
	struct buf out;
	size_t received;
	bool closed;
};

static void hand_connect(struct hand *h, struct world *w)
{
	memset(h, 0, sizeof *h);
	h->w = w;
	h->fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(w->nodes[1].port),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	assert_int_equal(connect(h->fd, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(fcntl(h->fd, F_SETFL, O_NONBLOCK), 0);
}

static void hand_close(struct hand *h)
{
	close(h->fd);
	link_fini(&h->link);
	buf_fini(&h->out);
}

/* Sends all of it, however long the other side takes to read; or until it is closed. */
static void hand_send(struct hand *h, const void *data, size_t len)
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

static bool hand_hears(struct hand *h)
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

static bool hand_is_closed(struct hand *h)
{
	while (!h->closed && hand_hears(h))
		;
	return h->closed;
}

static void hand_first(struct hand *h, const struct validator_secret *as, const struct hash32 *tag)
{
	static uint8_t seed[32];
	seed[0]++;
	buf_clear(&h->out);
	assert_true(link_dial(&h->link, &h->out, as, &h->w->nodes[1].key, 0, tag, seed));
	hand_send(h, h->out.data, h->out.len);
}

static void hand_frame(struct hand *h, struct bytes frame)
{
	buf_clear(&h->out);
	link_put(&h->link, &h->out, frame);
	hand_send(h, h->out.data, h->out.len);
}

/* The whole handshake as node 0. */
static void hand_prove(struct hand *h)
{
	unsigned before = h->w->nodes[1].up[0];
	hand_first(h, &h->w->nodes[0].secret, &chain);
	UNTIL(h->w, hand_hears(h));
	assert_int_equal(h->link.state, LINK_OPEN);
	hand_frame(h, bytes_view("\1", 1));
	UNTIL(h->w, h->w->nodes[1].up[0] == before + 1);
}

/* ---- meeting ---- */

static void two_listed_nodes_meet_and_the_smaller_key_dialed(void **state)
{
	struct world *w = *state;
	start_all(w);
	struct net_status status;
	assert_true(net_look(w->nodes[0].net, 0, &status));
	assert_true(status.outbound);
	assert_string_equal(status.address, "127.0.0.1");
	assert_true(net_look(w->nodes[1].net, 0, &status));
	assert_false(status.outbound);
	assert_string_equal(status.address, "127.0.0.1");
	assert_int_equal(w->nodes[0].up[1], 1);
	assert_int_equal(w->nodes[1].up[0], 1);
	assert_int_equal(net_peer_count(w->nodes[0].net), 1);
	assert_string_equal(net_peer(w->nodes[0].net, 0)->name, "node1");
}

static void three_nodes_have_one_link_a_pair(void **state)
{
	struct world *w = *state;
	w->count = 3;
	start_all(w);
	for (uint32_t from = 0; from < 3; from++) {
		for (uint32_t to = 0; to < 3; to++) {
			char text[3] = {(char)('0' + from), (char)('0' + to), 0};
			if (from != to)
				assert_true(send_to(w, from, to, bytes_of_text(text)));
		}
	}
	for (uint32_t from = 0; from < 3; from++) {
		for (uint32_t to = 0; to < 3; to++) {
			if (from == to)
				continue;
			const struct buf *heard = &w->nodes[to].heard[from];
			UNTIL(w, heard->len > 0);
			assert_int_equal(heard->len, 6);
			assert_int_equal(heard->data[4], '0' + from);
			assert_int_equal(heard->data[5], '0' + to);
			assert_int_equal(w->nodes[from].up[to], 1);
			assert_int_equal(w->nodes[from].down[to], 0);
		}
	}
}

static void a_node_that_starts_later_is_found(void **state)
{
	struct world *w = *state;
	start(w, 1); /* learns a port */
	stop(w, 1);
	start(w, 0);
	UNTIL(w, strstr(w->log, "peer_unreachable name=node1"));
	start(w, 1);
	UNTIL(w, net_up_count(w->nodes[0].net) == 1 && net_up_count(w->nodes[1].net) == 1);
}

static void whichever_side_starts_again_they_meet_again(void **state)
{
	struct world *w = *state;
	start_all(w);
	for (uint32_t i = 0; i < 4; i++) {
		stop(w, i % 2);
		start(w, i % 2);
		UNTIL(w, w->nodes[0].up[1] == i + 2 && w->nodes[1].up[0] == i + 2);
		assert_true(send_to(w, 0, 1, bytes_of_text("again")));
		assert_true(send_to(w, 1, 0, bytes_of_text("again")));
		UNTIL(w, w->nodes[1].heard[0].len == 9 * (i + 1));
		UNTIL(w, w->nodes[0].heard[1].len == 9 * (i + 1));
	}
	assert_int_equal(w->nodes[0].down[1] + w->nodes[1].down[0], 4);
}

/* ---- frames ---- */

static void frames_arrive_in_order_both_ways(void **state)
{
	enum { FRAMES = 2000 };
	struct world *w = *state;
	start_all(w);
	w->nodes[1].answers = true;
	struct buf sent;
	buf_init(&sent, 0);
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t frame[700] = {0};
		size_t len = 4 + i % 690;
		put_u32be(frame, i);
		buf_append_u32be(&sent, (uint32_t)len);
		buf_append(&sent, frame, len);
		assert_true(send_to(w, 0, 1, bytes_view(frame, len)));
	}
	struct bytes wanted = buf_view(&sent);
	UNTIL(w, w->nodes[0].heard[1].len == sent.len);
	assert_true(bytes_equal(buf_view(&w->nodes[1].heard[0]), wanted));
	assert_true(bytes_equal(buf_view(&w->nodes[0].heard[1]), wanted));
	buf_fini(&sent);
}

static void the_largest_frames_arrive_whole(void **state)
{
	enum { FRAMES = 40 };
	struct world *w = *state;
	start_all(w);
	w->nodes[1].answers = true;
	static uint8_t frame[P2P_FRAME_BYTES_MAX];
	for (uint32_t i = 0; i < sizeof frame; i++)
		frame[i] = (uint8_t)(i * 7 >> 3);
	for (uint32_t i = 0; i < FRAMES; i++) {
		frame[0] = (uint8_t)i;
		assert_true(send_to(w, 0, 1, bytes_view(frame, sizeof frame)));
	}
	const struct buf *heard = &w->nodes[0].heard[1];
	UNTIL(w, heard->len == FRAMES * (4 + sizeof frame));
	for (uint32_t i = 0; i < FRAMES; i++) {
		const uint8_t *at = heard->data + i * (4 + sizeof frame) + 4;
		assert_int_equal(at[0], i);
		assert_memory_equal(at + 1, frame + 1, sizeof frame - 1);
	}
}

static void nothing_is_sent_to_a_peer_that_is_not_up(void **state)
{
	struct world *w = *state;
	start(w, 1);
	assert_false(send_to(w, 1, 0, bytes_of_text("hello")));
	struct net_status status;
	assert_false(net_look(w->nodes[1].net, 0, &status));
}

static void who_sends_most_gets_one_read_a_turn(void **state)
{
	struct world *w = *state;
	start(w, 1);
	struct hand h;
	hand_connect(&h, w);
	hand_prove(&h);
	int large = 8 * 1024 * 1024;
	setsockopt(h.fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
	static uint8_t frame[1000];
	buf_clear(&h.out);
	for (int i = 0; i < 1000; i++)
		link_put(&h.link, &h.out, bytes_view(frame, sizeof frame));
	const uint8_t *at = h.out.data;
	size_t left = h.out.len, heard = 0;
	uint64_t give_up_ms = clock_steady_ms() + PATIENCE_MS;
	while (heard < 1000 * 1004) {
		ssize_t sent = left > 0 ? send(h.fd, at, left, MSG_NOSIGNAL) : 0;
		at += sent > 0 ? sent : 0;
		left -= sent > 0 ? (size_t)sent : 0;
		event_base_loop(w->loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		size_t now = w->nodes[1].heard[0].len;
		assert_true(now - heard <= P2P_READ_BYTES + sizeof frame);
		heard = now;
		assert_true(clock_steady_ms() < give_up_ms);
	}
	hand_close(&h);
}

static void a_peer_that_does_not_read_is_dropped_at_the_bound(void **state)
{
	struct world *w = *state;
	start(w, 1);
	struct hand h;
	hand_connect(&h, w);
	int small = 16 * 1024;
	setsockopt(h.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	hand_prove(&h);
	static uint8_t frame[100 * 1000];
	size_t queued = 0;
	struct net_status status;
	while (send_to(w, 1, 0, bytes_view(frame, sizeof frame))) {
		event_base_loop(w->loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		assert_true(net_look(w->nodes[1].net, 0, &status));
		queued = status.queued_bytes;
		assert_true(queued <= P2P_QUEUE_BYTES_MAX + 100);
	}
	assert_true(queued > P2P_QUEUE_BYTES_MAX - 2 * sizeof frame);
	/* It ends by the loop, not inside the call, and takes no more until then. */
	assert_int_equal(w->nodes[1].down[0], 0);
	assert_false(send_to(w, 1, 0, bytes_of_text("x")));
	UNTIL(w, w->nodes[1].down[0] == 1);
	assert_non_null(strstr(w->log, "peer_down name=node0 reason=\"it doesn't read: "));
	hand_close(&h);
}

/* ---- strangers ---- */

static void a_stranger_is_closed_without_a_byte(void **state)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nUser-Agent: "
				   "looks for a web server where there is none\r\n\r\n";
	static uint8_t garbage[5000];
	static const struct validator_secret nobody = {{99}};
	struct world *w = *state;
	start(w, 1);
	memset(garbage, 0xa5, sizeof garbage);
	for (int kind = 0; kind < 5; kind++) {
		struct hand h;
		hand_connect(&h, w);
		switch (kind) {
		case 0: hand_send(&h, garbage, sizeof garbage); break;
		case 1: hand_send(&h, http, sizeof http - 1); break;
		case 2: hand_first(&h, &nobody, &chain); break;
		/* Listed, but not whom this node lets in by dialing: itself. */
		case 3: hand_first(&h, &w->nodes[1].secret, &chain); break;
		case 4: hand_first(&h, &w->nodes[0].secret, &other_chain); break;
		}
		UNTIL(w, hand_is_closed(&h));
		assert_int_equal(h.received, 0);
		assert_int_equal(w->nodes[1].up[0], 0);
		hand_close(&h);
	}
	assert_non_null(strstr(w->log, "strangers_refused count=1 last=127.0.0.1"));
}

/* The larger key waits to be dialed: what else comes with the smaller one's place is not it. */
static void a_listed_node_that_we_dial_is_not_let_in(void **state)
{
	struct world *w = *state;
	w->count = 3;
	start(w, 1);
	struct hand h;
	hand_connect(&h, w);
	hand_first(&h, &w->nodes[2].secret, &chain);
	UNTIL(w, hand_is_closed(&h));
	assert_int_equal(h.received, 0);
	hand_close(&h);
}

static void who_says_nothing_is_closed_in_time(void **state)
{
	struct world *w = *state;
	w->nodes[1].handshake_ms = 50;
	start(w, 1);
	struct hand silent, half;
	hand_connect(&silent, w);
	hand_connect(&half, w);
	hand_send(&half, "half a message", 14);
	UNTIL(w, hand_is_closed(&silent) && hand_is_closed(&half));
	assert_int_equal(silent.received + half.received, 0);
	hand_close(&silent);
	hand_close(&half);
}

/* An old first message played again is answered, but whoever plays it can't go on. */
static void a_handshake_that_is_not_confirmed_brings_nothing_up(void **state)
{
	struct world *w = *state;
	w->nodes[1].handshake_ms = 100;
	start_all(w);
	struct hand h;
	hand_connect(&h, w);
	hand_first(&h, &w->nodes[0].secret, &chain);
	UNTIL(w, hand_is_closed(&h));
	assert_int_equal(h.received, NOISE_SECOND_BYTES);
	hand_close(&h);

	hand_connect(&h, w);
	hand_first(&h, &w->nodes[0].secret, &chain);
	UNTIL(w, hand_hears(&h));
	hand_frame(&h, bytes_of_text("no confirmation"));
	UNTIL(w, hand_is_closed(&h));
	hand_close(&h);

	assert_int_equal(w->nodes[1].up[0], 1);
	assert_int_equal(w->nodes[1].down[0], 0);
	assert_int_equal(w->nodes[1].heard[0].len, 0);
	assert_true(send_to(w, 0, 1, bytes_of_text("still here")));
	UNTIL(w, w->nodes[1].heard[0].len > 0);
}

static void silent_strangers_do_not_keep_a_peer_out(void **state)
{
	enum { CROWD = P2P_STRANGERS_MAX + 8 };
	struct world *w = *state;
	start(w, 1);
	static struct hand crowd[CROWD];
	for (size_t i = 0; i < CROWD; i++)
		hand_connect(&crowd[i], w);
	start(w, 0);
	UNTIL(w, net_up_count(w->nodes[1].net) == 1);
	size_t closed = 0;
	for (size_t i = 0; i < CROWD; i++) {
		closed += hand_is_closed(&crowd[i]);
		assert_int_equal(crowd[i].received, 0);
		hand_close(&crowd[i]);
	}
	assert_in_range(closed, CROWD - P2P_STRANGERS_MAX, CROWD - P2P_STRANGERS_MAX + 1);
}

/* ---- links that end ---- */

static void a_newer_link_of_a_peer_takes_the_place_of_the_old_one(void **state)
{
	struct world *w = *state;
	start(w, 1);
	struct hand old, new;
	hand_connect(&old, w);
	hand_prove(&old);
	hand_connect(&new, w);
	hand_prove(&new);
	UNTIL(w, hand_is_closed(&old));
	assert_int_equal(w->nodes[1].up[0], 2);
	assert_int_equal(w->nodes[1].down[0], 1);
	assert_int_equal(net_up_count(w->nodes[1].net), 1);
	hand_frame(&new, bytes_of_text("new"));
	UNTIL(w, w->nodes[1].heard[0].len == 7);
	hand_close(&old);
	hand_close(&new);
}

static void bytes_that_the_peers_key_did_not_seal_end_the_link(void **state)
{
	static uint8_t garbage[200];
	struct world *w = *state;
	start(w, 1);
	for (unsigned kind = 0; kind < 3; kind++) {
		struct hand h;
		hand_connect(&h, w);
		hand_prove(&h);
		hand_frame(&h, bytes_of_text("good"));
		/* A length that may be and a seal that isn't; no length; a length over the bound.
		 */
		put_u32be(garbage, kind == 0 ? 100 : kind == 1 ? 0 : UINT32_MAX);
		hand_send(&h, garbage, sizeof garbage);
		UNTIL(w, hand_is_closed(&h));
		assert_int_equal(w->nodes[1].up[0], kind + 1);
		assert_int_equal(w->nodes[1].down[0], kind + 1);
		hand_close(&h);
	}
}

static void a_ban_holds_and_the_next_one_is_longer(void **state)
{
	enum { BAN_MS = 250 };
	struct world *w = *state;
	start_all(w);
	for (uint32_t banned = 0; banned < 2; banned++) { /* by who listens, by who dials */
		uint32_t by = 1 - banned;
		uint64_t least_ms = BAN_MS;
		for (unsigned i = 0; i < 2; i++, least_ms *= 2) {
			unsigned up = w->nodes[by].up[banned], down = w->nodes[by].down[banned];
			uint64_t began_ms = clock_steady_ms();
			net_drop(w->nodes[by].net, place_of(banned, by), BAN_MS, "a proof");
			assert_int_equal(w->nodes[by].down[banned], down);
			assert_false(send_to(w, by, banned, bytes_of_text("x")));
			UNTIL(w, w->nodes[by].down[banned] == down + 1);
			UNTIL(w, w->nodes[by].up[banned] == up + 1);
			assert_true(clock_steady_ms() - began_ms >= least_ms);
			UNTIL(w, net_up_count(w->nodes[banned].net) == 1);
		}
	}
	assert_non_null(strstr(w->log, "peer_banned name=node0 ms=500 reason=\"a proof\""));
	assert_non_null(strstr(w->log, "peer_down name=node0 reason=\"a proof\""));
}

static void a_drop_without_a_ban_is_followed_by_a_new_link(void **state)
{
	struct world *w = *state;
	start_all(w);
	net_drop(w->nodes[1].net, 0, 0, "a reason");
	UNTIL(w, w->nodes[1].up[0] == 2 && w->nodes[0].up[1] == 2);
	net_drop(w->nodes[0].net, 0, 0, "a reason");
	UNTIL(w, w->nodes[1].up[0] == 3 && w->nodes[0].up[1] == 3);
}

static void no_frame_of_a_peer_is_heard_after_it_is_dropped(void **state)
{
	struct world *w = *state;
	start_all(w);
	w->nodes[1].drops = true;
	for (int i = 0; i < 10; i++)
		assert_true(send_to(w, 0, 1, bytes_of_text("four")));
	UNTIL(w, w->nodes[1].down[0] == 1);
	assert_int_equal(w->nodes[1].heard[0].len, 8);
}

/* ---- starting ---- */

static void what_can_not_be_started_says_why(void **state)
{
	struct world *w = *state;
	char fault[256];
	start(w, 1);
	uint16_t taken = w->nodes[1].port;
	w->nodes[0].port = taken;
	assert_int_equal(try_start(w, 0, fault), STATUS_BUSY);
	assert_non_null(strstr(fault, "Address already in use"));
	w->nodes[0].port = 0;

	struct net_peer peers[2] = {{.name = "a", .host = "127.0.0.1", .port = 1}};
	struct net_config config = {
		.loop = w->loop,
		.listen_address = "127.0.0.1",
		.me = w->nodes[0].secret,
		.peers = peers,
		.peer_count = 1,
	};
	struct net *none = NULL;
	peers[0].key = w->nodes[0].key; /* its own */
	assert_int_equal(net_start(&none, &config, fault), STATUS_INVALID);
	assert_non_null(strstr(fault, "peer a: "));
	peers[0].key = w->nodes[1].key;
	strcpy(peers[0].host, "localhost");
	assert_int_equal(net_start(&none, &config, fault), STATUS_INVALID);
	assert_non_null(strstr(fault, "localhost is no numeric address"));
	strcpy(peers[0].host, "::1");
	peers[1] = peers[0];
	strcpy(peers[1].name, "b");
	config.peer_count = 2;
	assert_int_equal(net_start(&none, &config, fault), STATUS_INVALID);
	assert_non_null(strstr(fault, "peer b: "));
	memset(peers[1].key.b, 0, sizeof peers[1].key.b); /* a point of small order */
	assert_int_equal(net_start(&none, &config, fault), STATUS_INVALID);
	config.peer_count = 0;
	config.listen_address = "everywhere";
	assert_int_equal(net_start(&none, &config, fault), STATUS_INVALID);
	assert_null(none);
}

/* ---- how often an address may connect ---- */

static struct net_address address_of(uint32_t number)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(number)}};
	return net_address_of((const struct sockaddr *)&in);
}

static unsigned admitted(struct net_rates *r, uint32_t number, unsigned tries, uint64_t now_ms)
{
	struct net_address address = address_of(number);
	unsigned count = 0;
	for (unsigned i = 0; i < tries; i++)
		count += net_rates_admit(r, &address, now_ms);
	return count;
}

static void an_address_has_a_burst_and_then_a_rate(void **state)
{
	struct net_rates r = {0};
	assert_int_equal(admitted(&r, 1, 1000, 5000), P2P_ADDRESS_BURST);
	assert_int_equal(admitted(&r, 2, 1, 5000), 1); /* another one has its own */
	assert_int_equal(admitted(&r, 1, 1000, 5000), 0);
	assert_int_equal(admitted(&r, 1, 1000, 6000), P2P_ADDRESS_PER_S);
	assert_int_equal(admitted(&r, 1, 1000, 6500), P2P_ADDRESS_PER_S / 2);
	assert_int_equal(admitted(&r, 1, 1000, UINT64_MAX), P2P_ADDRESS_BURST);
}

static void the_address_unseen_for_longest_is_forgotten(void **state)
{
	struct net_rates r = {0};
	for (uint32_t i = 0; i < P2P_ADDRESSES_MAX; i++)
		assert_int_equal(admitted(&r, i, 1000, 1000 + i), P2P_ADDRESS_BURST);
	assert_int_equal(admitted(&r, 0, 1, 1000), 0);
	assert_int_equal(admitted(&r, 9999, 1, 1300), 1); /* in the place of 0 */
	assert_int_equal(admitted(&r, 1, 1, 1001), 0);
	assert_int_equal(admitted(&r, 0, 1000, 1300), P2P_ADDRESS_BURST);
}

static void addresses_of_one_ipv6_network_are_one(void **state)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6}, b = a, c = a, mapped = a;
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2::1", &a.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2:ffff::2", &b.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:3::1", &c.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &mapped.sin6_addr), 1);
	struct net_address of_a = net_address_of((struct sockaddr *)&a),
			   of_b = net_address_of((struct sockaddr *)&b),
			   of_c = net_address_of((struct sockaddr *)&c),
			   of_mapped = net_address_of((struct sockaddr *)&mapped),
			   plain = address_of(0x0a000001);
	assert_memory_equal(&of_a, &of_b, sizeof of_a);
	assert_memory_not_equal(&of_a, &of_c, sizeof of_a);
	assert_memory_equal(&of_mapped, &plain, sizeof plain);
}

static int begin(void **state)
{
	static const uint8_t seed[32] = {9};
	signal(SIGPIPE, SIG_IGN);
	return keys_start(seed) ? 0 : -1;
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CLAIM(two_listed_nodes_meet_and_the_smaller_key_dialed),
		CLAIM(three_nodes_have_one_link_a_pair),
		CLAIM(a_node_that_starts_later_is_found),
		CLAIM(whichever_side_starts_again_they_meet_again),
		CLAIM(frames_arrive_in_order_both_ways),
		CLAIM(the_largest_frames_arrive_whole),
		CLAIM(nothing_is_sent_to_a_peer_that_is_not_up),
		CLAIM(who_sends_most_gets_one_read_a_turn),
		CLAIM(a_peer_that_does_not_read_is_dropped_at_the_bound),
		CLAIM(a_stranger_is_closed_without_a_byte),
		CLAIM(a_listed_node_that_we_dial_is_not_let_in),
		CLAIM(who_says_nothing_is_closed_in_time),
		CLAIM(a_handshake_that_is_not_confirmed_brings_nothing_up),
		CLAIM(silent_strangers_do_not_keep_a_peer_out),
		CLAIM(a_newer_link_of_a_peer_takes_the_place_of_the_old_one),
		CLAIM(bytes_that_the_peers_key_did_not_seal_end_the_link),
		CLAIM(a_ban_holds_and_the_next_one_is_longer),
		CLAIM(a_drop_without_a_ban_is_followed_by_a_new_link),
		CLAIM(no_frame_of_a_peer_is_heard_after_it_is_dropped),
		CLAIM(what_can_not_be_started_says_why),
		cmocka_unit_test(an_address_has_a_burst_and_then_a_rate),
		cmocka_unit_test(the_address_unseen_for_longest_is_forgotten),
		cmocka_unit_test(addresses_of_one_ipv6_network_are_one),
	};
	return cmocka_run_group_tests(tests, begin, NULL);
}
