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

#include <sys/socket.h>

#include "base/endian.h"
#include "base/json.h"
#include "node/net_info.h"
#include "tests/unit/node_net_world.h"

static const struct hash32 other_chain = {{8}};

/* ---- meeting ---- */

static void two_listed_nodes_meet_and_the_smaller_key_dialed(void **state)
{
	struct world *w = *state;
	world_start_all(w);
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
	world_start_all(w);
	for (uint32_t from = 0; from < 3; from++) {
		for (uint32_t to = 0; to < 3; to++) {
			char text[3] = {(char)('0' + from), (char)('0' + to), 0};
			if (from != to)
				assert_true(world_send(w, from, to, bytes_of_text(text)));
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
	world_start(w, 1); /* learns a port */
	world_stop(w, 1);
	world_start(w, 0);
	UNTIL(w, strstr(w->log, "peer_unreachable name=node1"));
	world_start(w, 1);
	UNTIL(w, net_up_count(w->nodes[0].net) == 1 && net_up_count(w->nodes[1].net) == 1);
}

static void whichever_side_starts_again_they_meet_again(void **state)
{
	struct world *w = *state;
	world_start_all(w);
	for (uint32_t i = 0; i < 4; i++) {
		world_stop(w, i % 2);
		world_start(w, i % 2);
		UNTIL(w, w->nodes[0].up[1] == i + 2 && w->nodes[1].up[0] == i + 2);
		assert_true(world_send(w, 0, 1, bytes_of_text("again")));
		assert_true(world_send(w, 1, 0, bytes_of_text("again")));
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
	world_start_all(w);
	w->nodes[1].answers = true;
	struct buf sent;
	buf_init(&sent, 0);
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t frame[700] = {0};
		size_t len = 4 + i % 690;
		put_u32be(frame, i);
		buf_append_u32be(&sent, (uint32_t)len);
		buf_append(&sent, frame, len);
		assert_true(world_send(w, 0, 1, bytes_view(frame, len)));
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
	world_start_all(w);
	w->nodes[1].answers = true;
	static uint8_t frame[P2P_FRAME_BYTES_MAX];
	for (uint32_t i = 0; i < sizeof frame; i++)
		frame[i] = (uint8_t)(i * 7 >> 3);
	for (uint32_t i = 0; i < FRAMES; i++) {
		frame[0] = (uint8_t)i;
		assert_true(world_send(w, 0, 1, bytes_view(frame, sizeof frame)));
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
	world_start(w, 1);
	assert_false(world_send(w, 1, 0, bytes_of_text("hello")));
	struct net_status status;
	assert_false(net_look(w->nodes[1].net, 0, &status));
}

static void who_sends_most_gets_one_read_a_turn(void **state)
{
	struct world *w = *state;
	world_start(w, 1);
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
	world_start(w, 1);
	struct hand h;
	hand_connect(&h, w);
	int small = 16 * 1024;
	setsockopt(h.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	hand_prove(&h);
	static uint8_t frame[100 * 1000];
	size_t queued = 0;
	struct net_status status;
	while (world_send(w, 1, 0, bytes_view(frame, sizeof frame))) {
		event_base_loop(w->loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		assert_true(net_look(w->nodes[1].net, 0, &status));
		queued = status.queued_bytes;
		assert_true(queued <= P2P_QUEUE_BYTES_MAX + 100);
	}
	assert_true(queued > P2P_QUEUE_BYTES_MAX - 2 * sizeof frame);
	/* It ends by the loop, not inside the call, and takes no more until then. */
	assert_int_equal(w->nodes[1].down[0], 0);
	assert_false(world_send(w, 1, 0, bytes_of_text("x")));
	UNTIL(w, w->nodes[1].down[0] == 1);
	assert_non_null(strstr(w->log, "peer_down name=node0 reason=\"it doesn't read: "));
	hand_close(&h);
}

static void when_too_much_waits_for_all_who_reads_slowest_is_dropped(void **state)
{
	enum { QUEUES_BYTES_MAX = 4 * 1024 * 1024 };
	struct world *w = *state;
	w->count = 3;
	w->nodes[1].queues_bytes_max = QUEUES_BYTES_MAX;
	world_start(w, 2);
	world_start(w, 1);
	struct hand h;
	hand_connect(&h, w);
	int small = 16 * 1024;
	setsockopt(h.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	hand_prove(&h);
	UNTIL(w, net_up_count(w->nodes[1].net) == 2);
	static uint8_t frame[100 * 1000];
	struct net_status status;
	do {
		assert_true(world_send(w, 1, 0, bytes_view(frame, sizeof frame)));
		event_base_loop(w->loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		assert_true(net_look(w->nodes[1].net, 0, &status));
	} while (status.queued_bytes < QUEUES_BYTES_MAX * 3 / 4);
	/* The other one has a shorter queue, and keeps its link and every frame. */
	unsigned sent = 0;
	while (w->nodes[1].down[0] == 0 && sent * sizeof frame < QUEUES_BYTES_MAX / 2) {
		assert_true(world_send(w, 1, 2, bytes_view(frame, sizeof frame)));
		sent++;
	}
	UNTIL(w, w->nodes[1].down[0] == 1);
	UNTIL(w, w->nodes[2].heard[1].len == sent * (sizeof frame + 4));
	assert_non_null(strstr(w->log, "peer_down name=node0 reason=\"it reads slowest of all"));
	assert_int_equal(w->nodes[1].down[2], 0);
	hand_close(&h);
}

static void who_alone_fills_the_room_of_all_is_dropped(void **state)
{
	struct world *w = *state;
	w->nodes[1].queues_bytes_max = 1024 * 1024;
	world_start(w, 1);
	struct hand h;
	hand_connect(&h, w);
	hand_prove(&h);
	static uint8_t frame[100 * 1000];
	unsigned sent = 0;
	while (world_send(w, 1, 0, bytes_view(frame, sizeof frame)))
		sent++;
	assert_int_equal(sent, 1024 * 1024 / sizeof frame);
	UNTIL(w, w->nodes[1].down[0] == 1);
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
	world_start(w, 1);
	memset(garbage, 0xa5, sizeof garbage);
	for (int kind = 0; kind < 5; kind++) {
		struct hand h;
		hand_connect(&h, w);
		switch (kind) {
		case 0: hand_send(&h, garbage, sizeof garbage); break;
		case 1: hand_send(&h, http, sizeof http - 1); break;
		case 2: hand_first(&h, &nobody, &world_chain); break;
		/* Listed, but not whom this node lets in by dialing: itself. */
		case 3: hand_first(&h, &w->nodes[1].secret, &world_chain); break;
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
	world_start(w, 1);
	struct hand h;
	hand_connect(&h, w);
	hand_first(&h, &w->nodes[2].secret, &world_chain);
	UNTIL(w, hand_is_closed(&h));
	assert_int_equal(h.received, 0);
	hand_close(&h);
}

static void who_says_nothing_is_closed_in_time(void **state)
{
	struct world *w = *state;
	w->nodes[1].handshake_ms = 50;
	world_start(w, 1);
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
	world_start_all(w);
	struct hand h;
	hand_connect(&h, w);
	hand_first(&h, &w->nodes[0].secret, &world_chain);
	UNTIL(w, hand_is_closed(&h));
	assert_int_equal(h.received, NOISE_SECOND_BYTES);
	hand_close(&h);

	hand_connect(&h, w);
	hand_first(&h, &w->nodes[0].secret, &world_chain);
	UNTIL(w, hand_hears(&h));
	hand_frame(&h, bytes_of_text("no confirmation"));
	UNTIL(w, hand_is_closed(&h));
	hand_close(&h);

	assert_int_equal(w->nodes[1].up[0], 1);
	assert_int_equal(w->nodes[1].down[0], 0);
	assert_int_equal(w->nodes[1].heard[0].len, 0);
	assert_true(world_send(w, 0, 1, bytes_of_text("still here")));
	UNTIL(w, w->nodes[1].heard[0].len > 0);
}

static void silent_strangers_do_not_keep_a_peer_out(void **state)
{
	enum { CROWD = P2P_STRANGERS_MAX + 8 };
	struct world *w = *state;
	world_start(w, 1);
	static struct hand crowd[CROWD];
	for (size_t i = 0; i < CROWD; i++)
		hand_connect(&crowd[i], w);
	world_start(w, 0);
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
	world_start(w, 1);
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
	world_start(w, 1);
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
	world_start_all(w);
	for (uint32_t banned = 0; banned < 2; banned++) { /* by who listens, by who dials */
		uint32_t by = 1 - banned;
		uint64_t least_ms = BAN_MS;
		for (unsigned i = 0; i < 2; i++, least_ms *= 2) {
			unsigned up = w->nodes[by].up[banned], down = w->nodes[by].down[banned];
			uint64_t began_ms = clock_steady_ms();
			net_drop(w->nodes[by].net, world_place(banned, by), BAN_MS, "a proof");
			assert_int_equal(w->nodes[by].down[banned], down);
			assert_false(world_send(w, by, banned, bytes_of_text("x")));
			UNTIL(w, w->nodes[by].down[banned] == down + 1);
			UNTIL(w, w->nodes[by].up[banned] == up + 1);
			assert_true(clock_steady_ms() - began_ms >= least_ms);
			UNTIL(w, net_up_count(w->nodes[banned].net) == 1);
		}
	}
	assert_non_null(strstr(w->log, "peer_banned name=node0 ms=500 reason=\"a proof\""));
	assert_non_null(strstr(w->log, "peer_down name=node0 reason=\"a proof\""));
}

static void a_ban_outlives_a_restart(void **state)
{
	enum { LEFT_MS = 400 };
	struct world *w = *state;
	for (uint32_t by = 0; by < 2; by++) { /* who dials, who listens */
		uint32_t banned = 1 - by;
		w->nodes[by].bans[0] = (struct net_ban){LEFT_MS, 1};
		uint64_t began_ms = clock_steady_ms();
		world_start_all(w);
		assert_true(clock_steady_ms() - began_ms >= LEFT_MS - 10);
		net_drop(w->nodes[by].net, 0, 1000, "again");
		struct net_ban ban = net_ban_of(w->nodes[by].net, 0);
		assert_int_equal(ban.count, 2);
		assert_true(ban.left_ms > 1900 && ban.left_ms <= 2000); /* the second: twice */
		assert_int_equal(net_ban_of(w->nodes[banned].net, 0).count, 0);
		world_stop(w, 0);
		world_stop(w, 1);
		w->nodes[by].bans[0].count = 0;
	}
}

static void a_drop_without_a_ban_is_followed_by_a_new_link(void **state)
{
	struct world *w = *state;
	world_start_all(w);
	net_drop(w->nodes[1].net, 0, 0, "a reason");
	UNTIL(w, w->nodes[1].up[0] == 2 && w->nodes[0].up[1] == 2);
	net_drop(w->nodes[0].net, 0, 0, "a reason");
	UNTIL(w, w->nodes[1].up[0] == 3 && w->nodes[0].up[1] == 3);
}

static void no_frame_of_a_peer_is_heard_after_it_is_dropped(void **state)
{
	struct world *w = *state;
	world_start_all(w);
	w->nodes[1].drops = true;
	for (int i = 0; i < 10; i++)
		assert_true(world_send(w, 0, 1, bytes_of_text("four")));
	UNTIL(w, w->nodes[1].down[0] == 1);
	assert_int_equal(w->nodes[1].heard[0].len, 8);
}

/* ---- telling ---- */

static json_t *info_of(const struct net *net)
{
	static const struct view_identity identity = {.listen_address = "tcp://127.0.0.1:26656",
		.chain_id = "devnet-test",
		.version = "0.38.0"};
	struct json_fault fault;
	struct buf text = {0};
	net_info_json(&text, net, &identity);
	assert_true(buf_ok(&text));
	json_t *root = json_read(buf_view(&text), &fault);
	assert_non_null(root);
	buf_fini(&text);
	return root;
}

static void net_info_tells_who_is_up(void **state)
{
	struct world *w = *state;
	w->count = 3;
	world_start(w, 2);
	world_start(w, 1);
	UNTIL(w, net_up_count(w->nodes[1].net) == 1 && net_up_count(w->nodes[2].net) == 1);
	json_t *root = info_of(w->nodes[1].net);
	const char *n_peers, *ip, *moniker, *id, *network, *bytes;
	int listening, outbound;
	assert_int_equal(
		json_unpack(root, "{s:b, s:s, s:[{s:b, s:s, s:{s:s, s:s, s:s}, s:{s:{s:s}}}]}",
			"listening", &listening, "n_peers", &n_peers, "peers", "is_outbound",
			&outbound, "remote_ip", &ip, "node_info", "moniker", &moniker, "id", &id,
			"network", &network, "connection_status", "SendMonitor", "Bytes", &bytes),
		0);
	assert_true(listening);
	assert_true(outbound);
	assert_string_equal(n_peers, "1");
	assert_int_equal(json_array_size(json_object_get(root, "peers")), 1);
	assert_string_equal(ip, "127.0.0.1");
	assert_string_equal(moniker, "node2");
	assert_int_equal(strlen(id), 40);
	assert_string_equal(network, "devnet-test");
	/* The handshake's message and the frame that confirms it. */
	assert_int_equal(atoi(bytes), NOISE_FIRST_BYTES + 4 + 1 + NOISE_TAG_BYTES);
	json_decref(root);

	root = info_of(NULL);
	assert_string_equal(json_string_value(json_object_get(root, "n_peers")), "0");
	json_decref(root);
}

/* ---- starting ---- */

static void what_can_not_be_started_says_why(void **state)
{
	struct world *w = *state;
	char fault[256];
	world_start(w, 1);
	uint16_t taken = w->nodes[1].port;
	w->nodes[0].port = taken;
	assert_int_equal(world_try_start(w, 0, fault), STATUS_BUSY);
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

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
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
		CLAIM(when_too_much_waits_for_all_who_reads_slowest_is_dropped),
		CLAIM(who_alone_fills_the_room_of_all_is_dropped),
		CLAIM(a_stranger_is_closed_without_a_byte),
		CLAIM(a_listed_node_that_we_dial_is_not_let_in),
		CLAIM(who_says_nothing_is_closed_in_time),
		CLAIM(a_handshake_that_is_not_confirmed_brings_nothing_up),
		CLAIM(silent_strangers_do_not_keep_a_peer_out),
		CLAIM(a_newer_link_of_a_peer_takes_the_place_of_the_old_one),
		CLAIM(bytes_that_the_peers_key_did_not_seal_end_the_link),
		CLAIM(a_ban_holds_and_the_next_one_is_longer),
		CLAIM(a_ban_outlives_a_restart),
		CLAIM(a_drop_without_a_ban_is_followed_by_a_new_link),
		CLAIM(no_frame_of_a_peer_is_heard_after_it_is_dropped),
		CLAIM(net_info_tells_who_is_up),
		CLAIM(what_can_not_be_started_says_why),
	};
	return cmocka_run_group_tests(tests, world_begin, NULL);
}
