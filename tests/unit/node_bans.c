/* node/bans: what a restart knows of whom it banned. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/bans.h"
#include "node/clock.h"
#include "tests/unit/node_place.h"

enum { PEERS = 3 };
static const uint64_t noon_ms = 1700000000000;

struct desk {
	struct place place;
	struct event_base *loop;
	struct peer_list list;
	struct net *net;
	char fault[NODE_FAULT_BYTES];
};

static int set_up(void **state)
{
	static const uint8_t seed[32] = {1};
	if (!keys_start(seed))
		return -1;
	struct desk *d = calloc(1, sizeof *d);
	place_make(&d->place);
	d->loop = event_base_new();
	d->list.count = PEERS;
	for (uint32_t i = 0; i < PEERS; i++) {
		struct net_peer *peer = &d->list.peers[i];
		struct validator_secret secret = {{(uint8_t)(i + 10)}};
		peer->key = validator_key_of(&secret);
		snprintf(peer->name, sizeof peer->name, "node%u", i);
		strcpy(peer->host, "127.0.0.1");
		peer->port = 1;
	}
	*state = d;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *d = *state;
	net_stop(d->net);
	event_base_free(d->loop);
	place_remove(&d->place);
	free(d);
	return 0;
}

static void start(struct desk *d, const struct net_ban *bans)
{
	struct net_config config = {
		.loop = d->loop,
		.listen_address = "127.0.0.1",
		.me = {{99}},
		.peers = d->list.peers,
		.peer_count = d->list.count,
		.bans = bans,
	};
	assert_int_equal(net_start(&d->net, &config, d->fault), STATUS_OK);
}

static void put_file(struct desk *d, const char *text)
{
	const char *path = place_path(&d->place, "bans.json");
	unlink(path);
	assert_int_equal(files_create(path, 0600, bytes_of_text(text), d->fault), STATUS_OK);
}

static enum status read_at(struct desk *d, struct net_ban bans[PEERS_MAX], uint64_t wall_ms)
{
	return bans_read(bans, &d->list, place_path(&d->place, "."), wall_ms, d->fault);
}

static void bans_are_read_as_they_were_written(void **state)
{
	struct desk *d = *state;
	struct net_ban bans[PEERS_MAX];
	start(d, NULL);
	net_drop(d->net, 1, 20 * 1000, "a proof");
	net_drop(d->net, 1, 20 * 1000, "a proof");
	net_drop(d->net, 2, 20 * 1000, "a proof");
	for (int i = 0; i < 2; i++) /* the second takes the place of the first */
		assert_int_equal(bans_write(d->net, place_path(&d->place, "."), noon_ms, d->fault),
			STATUS_OK);
	assert_int_equal(read_at(d, bans, noon_ms + 5000), STATUS_OK);
	assert_int_equal(bans[0].count, 0);
	assert_int_equal(bans[1].count, 2);
	assert_true(bans[1].left_ms > 34000 && bans[1].left_ms <= 35000);
	assert_int_equal(bans[2].count, 1);
	assert_true(bans[2].left_ms > 14000 && bans[2].left_ms <= 15000);
	/* Over, and not yet forgiven; then forgiven. */
	assert_int_equal(read_at(d, bans, noon_ms + 60 * 1000), STATUS_OK);
	assert_true(bans[1].left_ms < 0);
	assert_int_equal(bans[1].count, 2);
	assert_int_equal(read_at(d, bans, noon_ms + 60 * 1000 + P2P_BAN_FORGIVEN_MS), STATUS_OK);
	assert_int_equal(bans[1].count, 0);
}

static void a_clock_that_was_set_back_makes_no_ban_longer(void **state)
{
	struct desk *d = *state;
	struct net_ban bans[PEERS_MAX];
	start(d, NULL);
	net_drop(d->net, 1, 20 * 1000, "a proof");
	assert_int_equal(
		bans_write(d->net, place_path(&d->place, "."), noon_ms, d->fault), STATUS_OK);
	assert_int_equal(read_at(d, bans, noon_ms - 90ull * 24 * 3600 * 1000), STATUS_OK);
	assert_int_equal(bans[1].left_ms, P2P_BAN_MS_MAX);
}

static void a_new_home_and_a_peer_who_left_ban_nobody(void **state)
{
	struct desk *d = *state;
	struct net_ban bans[PEERS_MAX];
	assert_int_equal(read_at(d, bans, noon_ms), STATUS_OK);
	start(d, NULL);
	net_drop(d->net, 2, 20 * 1000, "a proof");
	assert_int_equal(
		bans_write(d->net, place_path(&d->place, "."), noon_ms, d->fault), STATUS_OK);
	d->list.count = 2;
	assert_int_equal(read_at(d, bans, noon_ms), STATUS_OK);
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		assert_int_equal(bans[i].count, 0);
}

static void a_file_that_makes_no_sense_bans_nobody_and_says_so(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[1]",
		"[{\"key\": \"AA==\", \"until\": \"2026-01-01T00:00:00Z\"}]",
		"[{\"key\": \"AA==\", \"until\": \"noon\", \"count\": 1}]",
		"[{\"key\": \"AA==\", \"until\": \"2026-01-01T00:00:00Z\", \"count\": 0}]",
		"[{\"key\": \"AA==\", \"until\": \"2026-01-01T00:00:00Z\", \"count\": 9999}]",
		"[{\"key\": 7, \"until\": \"2026-01-01T00:00:00Z\", \"count\": 1}]",
	};
	struct desk *d = *state;
	struct net_ban bans[PEERS_MAX];
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		put_file(d, texts[i]);
		d->fault[0] = 0;
		assert_int_equal(read_at(d, bans, noon_ms), STATUS_INVALID);
		assert_non_null(strstr(d->fault, "bans.json: "));
	}
	put_file(d, "[{\"key\": \"?\", \"until\": \"2026-01-01T00:00:00Z\", \"count\": 1}]");
	assert_int_equal(read_at(d, bans, noon_ms), STATUS_OK); /* nobody's key */
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(bans_are_read_as_they_were_written),
		CLAIM(a_clock_that_was_set_back_makes_no_ban_longer),
		CLAIM(a_new_home_and_a_peer_who_left_ban_nobody),
		CLAIM(a_file_that_makes_no_sense_bans_nobody_and_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
