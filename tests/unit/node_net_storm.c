/* node/net: many strangers at once, and too few descriptors. What they cost is bounded, and nothing
 * of them stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/unit/node_net_world.h"

enum { STRANGERS = 1000, AT_ONCE = 50 };

/* Descriptors of this process, which is nodes and strangers in one. */
static size_t open_files(void)
{
	size_t count = 0;
	DIR *folder = opendir("/proc/self/fd");
	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

static void turn(struct world *w)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(w->loop, EVLOOP_NONBLOCK);
}

/* Each comes from an address of its own, so that no rate of one address keeps it out, and is wrong
 * in another way. */
static void knock(struct hand *h, struct world *w, uint32_t number)
{
	static const struct validator_secret nobody = {{99}};
	static const uint8_t garbage[300] = {0xa5};
	struct linger at_once = {.l_onoff = 1};
	hand_connect_from(h, w, 0x7f000100u + number);
	switch (number % 6) {
	case 0: break; /* says nothing */
	case 1: hand_send(h, garbage, sizeof garbage); break;
	case 2: hand_send(h, "half a message", 14); break;
	case 3: hand_first(h, &nobody, &world_chain); break;
	case 4: hand_first(h, &w->nodes[0].secret, &world_chain); break; /* never confirms */
	case 5:
		setsockopt(h->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		hand_send(h, garbage, 40); /* and is gone in the middle of it */
		break;
	}
}

static void a_thousand_strangers_cost_a_bounded_number_of_descriptors_and_leave_none(void **state)
{
	static struct hand crowd[AT_ONCE];
	struct world *w = *state;
	world_start_all(w);
	size_t before = open_files();
	size_t most = 0;
	for (uint32_t i = 0; i < STRANGERS; i++) {
		struct hand *h = &crowd[i % AT_ONCE];
		if (i >= AT_ONCE)
			hand_close(h);
		knock(h, w, i);
		turn(w);
		size_t mine = i < AT_ONCE ? i + 1 : AT_ONCE;
		size_t theirs = open_files() - before - mine;
		most = theirs > most ? theirs : most;
	}
	for (size_t i = 0; i < AT_ONCE; i++)
		hand_close(&crowd[i]);
	assert_in_range(most, AT_ONCE / 4, P2P_STRANGERS_MAX);
	UNTIL(w, open_files() == before);
	/* The peer's link never noticed. */
	assert_int_equal(w->nodes[1].up[0], 1);
	assert_int_equal(w->nodes[1].down[0], 0);
	assert_true(world_send(w, 0, 1, bytes_of_text("still here")));
	UNTIL(w, w->nodes[1].heard[0].len > 0);
}

/* As behind a bad line: the newest link counts, and the old ones leave nothing. */
static void a_peer_that_comes_back_again_and_again_has_one_link(void **state)
{
	enum { TIMES = 200 };
	struct world *w = *state;
	struct hand old, new;
	world_start(w, 1);
	hand_connect(&old, w);
	hand_prove(&old);
	size_t before = open_files();
	for (uint32_t i = 0; i < TIMES; i++) {
		hand_connect_from(&new, w, 0x7f000100u + i);
		hand_prove(&new);
		UNTIL(w, hand_is_closed(&old));
		hand_close(&old);
		old = new;
		assert_int_equal(net_up_count(w->nodes[1].net), 1);
		assert_int_equal(open_files(), before);
	}
	assert_int_equal(w->nodes[1].up[0], TIMES + 1);
	assert_int_equal(w->nodes[1].down[0], TIMES);
	hand_close(&old);
	UNTIL(w, net_up_count(w->nodes[1].net) == 0);
}

static void after_a_time_without_descriptors_peers_are_let_in_again(void **state)
{
	struct world *w = *state;
	struct rlimit limit;
	struct hand h;
	world_start(w, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	hand_connect(&h, w);
	struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	UNTIL(w, strstr(w->log, "accept_paused reason=\"Too many open files\"") != NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	hand_prove(&h);
	assert_int_equal(net_up_count(w->nodes[1].net), 1);
	hand_close(&h);
	world_start(w, 0);
	UNTIL(w, w->nodes[1].up[0] == 2);
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		CLAIM(a_thousand_strangers_cost_a_bounded_number_of_descriptors_and_leave_none),
		CLAIM(a_peer_that_comes_back_again_and_again_has_one_link),
		CLAIM(after_a_time_without_descriptors_peers_are_let_in_again),
	};
	return cmocka_run_group_tests(tests, world_begin, NULL);
}
