/* Taking over a snapshot: what is proved before it is believed, and what a liar gets. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain/blocks.h"
#include "chain/format/wire.h"
#include "chain/proto/peer.pb-c.h"
#include "chain/store_rocks.h"
#include "tests/unit/replica_world.h"

enum { VALIDATORS = 4, LATE = 3, LIAR = 0, INTERVAL = 50, FAR = 40 };

static struct world world;

static void three_go_on(int64_t height)
{
	world_open(&world, VALIDATORS, VALIDATORS);
	world.app_interval = INTERVAL;
	for (size_t i = 0; i < VALIDATORS; i++) {
		if (i != LATE)
			world_start(&world, i);
	}
	while (world_height(&world, 0) < height) {
		for (size_t i = 0; i < 5; i++)
			world_pay(&world, i % 3, i, 20);
		world_run(&world, 500);
	}
}

static void assert_it_takes_part(void)
{
	int64_t height = world_height(&world, 0);
	assert_true(world_run_to(&world, LATE, height, 30000));
	world_same_state(&world, 0, LATE);
	for (int i = 0; i < 20; i++) {
		world_pay(&world, LATE, 10, 20);
		world_run(&world, 500);
	}
	assert_true(world_height(&world, LATE) >= height + 10);
	world_same_state(&world, 0, LATE);
	assert_true(world.nodes[LATE].fence.step != FENCE_NOTHING);
	/* It says whose turn it is as everybody does. */
	const struct chain_head *mine = replica_head(world.nodes[LATE].replica);
	const struct chain_head *theirs = replica_head(world.nodes[0].replica);
	if (mine->height == theirs->height)
		assert_int_equal(mine->validators.proposer, theirs->validators.proposer);
}

static void a_new_node_takes_over_the_state_and_takes_part(void **state)
{
	struct arena arena;
	const Pb__BlockMeta *meta;
	const Pb__ValidatorSet *set;
	struct store *store = &world.nodes[LATE].store;
	int64_t lowest, highest;

	three_go_on(180);
	world_start_joining(&world, LATE, FAR);
	world_run(&world, 3000);
	int64_t joined = world.nodes[LATE].joined;
	assert_int_equal(joined, world_height(&world, 0) / INTERVAL * INTERVAL);
	assert_it_takes_part();
	arena_init(&arena, 1024 * 1024);
	assert_int_equal(blocks_span(store, NULL, &lowest, &highest), STATUS_OK);
	assert_int_equal(lowest, joined);
	assert_int_equal(blocks_meta(store, NULL, &arena, joined, &meta), STATUS_OK);
	assert_int_equal(blocks_meta(store, NULL, &arena, joined - 1, &meta), STATUS_NOT_FOUND);
	assert_int_equal(blocks_validators(store, NULL, &arena, joined, &set), STATUS_OK);
	assert_int_equal(
		blocks_validators(store, NULL, &arena, joined - 1, &set), STATUS_NOT_FOUND);
	arena_fini(&arena);
	/* A restart finds a whole store, whose state hashes to what its head says. */
	world_stop(&world, LATE);
	world_start(&world, LATE);
	assert_it_takes_part();
	world_close(&world);
}

/* Many chunks, several under way, each peer asked; a record of every length at a chunk's end. */
static void many_chunks_go_over_slow_links_into_a_database(void **state)
{
	char dir[] = "join_XXXXXX", fault[256];
	struct world_node *late = &world.nodes[LATE];

	assert_non_null(mkdtemp(dir));
	if (store_rocks_open(&late->store, dir, fault) != STATUS_OK)
		fail_msg("%s", fault);
	late->has_store = true;
	world.crowd = 30000;
	three_go_on(70);
	world.delay_ms = 25;
	uint64_t began_ms = world.now_ms;
	world_start_joining(&world, LATE, FAR);
	while (late->join && world.now_ms < began_ms + 30000)
		world_run(&world, 10);
	uint64_t chunks = world.links[LATE][0].of_kind[PB__PEER_MESSAGE__SUM_CHUNK_REQUEST] +
			  world.links[LATE][1].of_kind[PB__PEER_MESSAGE__SUM_CHUNK_REQUEST] +
			  world.links[LATE][2].of_kind[PB__PEER_MESSAGE__SUM_CHUNK_REQUEST];
	printf("figure: joined a state of %zu accounts over links of 25 ms in %llu ms\n",
		world.crowd, (unsigned long long)(world.now_ms - began_ms));
	assert_int_equal(late->joined, INTERVAL);
	assert_true(chunks > 20 * 4);
	for (size_t k = 0; k < LATE; k++)
		assert_true(world.links[LATE][k].of_kind[PB__PEER_MESSAGE__SUM_CHUNK_REQUEST] > 0);
	assert_it_takes_part();
	world_stop(&world, LATE);
	store_close(&late->store);
	if (store_rocks_open(&late->store, dir, fault) != STATUS_OK)
		fail_msg("%s", fault);
	world_start(&world, LATE);
	assert_it_takes_part();
	world_close(&world);
	snprintf(fault, sizeof fault, "rm -r %s", dir);
	assert_int_equal(system(fault), 0);
}

static void who_is_not_far_behind_catches_up_block_by_block(void **state)
{
	three_go_on(60);
	world_start_joining(&world, LATE, 1000);
	world_run(&world, 100);
	assert_null(world.nodes[LATE].join); /* and knows it at once */
	assert_int_equal(world.nodes[LATE].joined, 0);
	assert_it_takes_part();
	world_close(&world);
}

static void nobody_there_costs_a_second(void **state)
{
	world_open(&world, VALIDATORS, VALIDATORS);
	world_start_joining(&world, LATE, FAR);
	world_run(&world, 1100);
	assert_null(world.nodes[LATE].join);
	world_close(&world);
}

static void where_no_snapshot_is_kept_it_catches_up_block_by_block(void **state)
{
	three_go_on(45);
	world_start_joining(&world, LATE, 20);
	world_run(&world, 2000);
	assert_null(world.nodes[LATE].join);
	assert_int_equal(world.nodes[LATE].joined, 0);
	assert_it_takes_part();
	world_close(&world);
}

static void a_crash_in_the_middle_starts_over(void **state)
{
	three_go_on(120);
	world.delay_ms = 40;
	for (int i = 1; i < 12; i++) {
		world_start_joining(&world, LATE, FAR);
		world_run(&world, (uint64_t)i * 40);
		if (!world.nodes[LATE].join)
			break;
		world_stop(&world, LATE);
	}
	if (!world.nodes[LATE].up)
		world_start_joining(&world, LATE, FAR);
	world_run(&world, 5000);
	assert_true(world.nodes[LATE].joined > 0);
	assert_it_takes_part();
	world_close(&world);
}

/* ---- liars ---- */

static Pb__PeerMessage *read_message(struct bytes message)
{
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, message.len, message.data);
	assert_non_null(m);
	return m;
}

typedef bool lie(Pb__PeerMessage *m); /* true: m was changed */

static bool of_chunk(Pb__PeerMessage *m)
{
	if (m->sum_case != PB__PEER_MESSAGE__SUM_CHUNK)
		return false;
	m->chunk->bytes.data[m->chunk->bytes.len - 1] ^= 1;
	return true;
}

static bool of_root(Pb__PeerMessage *m)
{
	if (m->sum_case != PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER || m->snapshot_offer->height == 0)
		return false;
	m->snapshot_offer->root.data[0] ^= 1;
	return true;
}

static bool of_height(Pb__PeerMessage *m)
{
	if (m->sum_case != PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER || m->snapshot_offer->height == 0)
		return false;
	m->snapshot_offer->height += 1000000;
	return true;
}

static bool of_turns(Pb__PeerMessage *m)
{
	if (m->sum_case == PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER && m->snapshot_offer->height != 0)
		m->snapshot_offer->turns.data[0] ^= 1;
	else
		return false;
	return true;
}

static bool of_app_hash(Pb__PeerMessage *m)
{
	if (m->sum_case != PB__PEER_MESSAGE__SUM_LIGHT_BLOCK)
		return false;
	m->light_block->header->app_hash.data[0] ^= 1;
	return true;
}

static bool of_signatures(Pb__PeerMessage *m)
{
	if (m->sum_case != PB__PEER_MESSAGE__SUM_LIGHT_BLOCK)
		return false;
	Pb__Commit *commit = m->light_block->commit;
	for (size_t i = 0; i < commit->n_signatures; i++) {
		if (commit->signatures[i]->signature.len > 0)
			commit->signatures[i]->signature.data[9] ^= 1;
	}
	return true;
}

static bool of_priorities(Pb__PeerMessage *m)
{
	if (m->sum_case != PB__PEER_MESSAGE__SUM_LIGHT_BLOCK)
		return false;
	Pb__ValidatorSet *set = m->light_block->next_validators;
	int64_t first = set->validators[0]->priority;
	set->validators[0]->priority = set->validators[1]->priority;
	set->validators[1]->priority = first;
	return true;
}

static bool of_powers(Pb__PeerMessage *m)
{
	if (m->sum_case != PB__PEER_MESSAGE__SUM_LIGHT_BLOCK)
		return false;
	m->light_block->validators->validators[0]->power += 1000;
	return true;
}

static bool of_part(Pb__PeerMessage *m)
{
	if (m->sum_case != PB__PEER_MESSAGE__SUM_BLOCK_PART)
		return false;
	m->block_part->bytes.data[0] ^= 1;
	return true;
}

static bool silent;
static lie *lies;

static bool says(struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	if (from != LIAR || to != LATE)
		return true;
	Pb__PeerMessage *m = read_message(message);
	bool changed = lies(m);
	if (changed)
		wire_append(instead, &m->base);
	pb__peer_message__free_unpacked(m, NULL);
	return !(changed && silent);
}

static void one_liar_among_three_changes_nothing(void **state)
{
	static const struct {
		const char *what;
		lie *lies;
	} table[] = {
		{"chunk", of_chunk},
		{"root", of_root},
		{"height", of_height},
		{"turns", of_turns},
		{"app_hash", of_app_hash},
		{"signatures", of_signatures},
		{"priorities", of_priorities},
		{"powers", of_powers},
		{"part", of_part},
	};
	for (size_t i = 0; i < 2 * sizeof table / sizeof *table; i++) {
		three_go_on(70);
		silent = i % 2 == 1; /* the lie, or nothing in its place */
		lies = table[i / 2].lies;
		world.says = says;
		world_start_joining(&world, LATE, FAR);
		uint64_t began_ms = world.now_ms;
		while (world.nodes[LATE].join && world.now_ms < began_ms + 30000)
			world_run(&world, 10);
		printf("figure: %s %-10s joined in %llu ms\n", silent ? "no" : "a false",
			table[i / 2].what, (unsigned long long)(world.now_ms - began_ms));
		if (world.nodes[LATE].joined != INTERVAL)
			fail_msg("a lie about the %s keeps it from joining", table[i / 2].what);
		for (size_t k = 0; k < VALIDATORS; k++)
			assert_true(k == LIAR || world.links[LATE][k].dropped == 0);
		world.says = NULL;
		assert_it_takes_part();
		world_close(&world);
	}
}

/* Two of the three agree on a state that is not the chain's: each chunk proves its root, and only
 * the header tells. */
static bool everybody(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	if (to != LATE)
		return true;
	Pb__PeerMessage *m = read_message(message);
	if (m->sum_case == PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER && m->snapshot_offer->height != 0)
		m->snapshot_offer->chunks = 1;
	if (m->sum_case == PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER && m->snapshot_offer->height != 0)
		memset(m->snapshot_offer->root.data, 0, 32);
	if (m->sum_case == PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER && m->snapshot_offer->height != 0) {
		static const uint8_t row[] = {0, 1, 0, 0, 0, 1, 'a', 'b'};
		struct hash32 leaf = merkle_leaf(bytes_view(row, sizeof row));
		memcpy(m->snapshot_offer->root.data, leaf.b, 32);
	}
	if (m->sum_case == PB__PEER_MESSAGE__SUM_CHUNK) {
		static const uint8_t row[] = {0, 1, 0, 0, 0, 1, 'a', 'b'};
		struct hash32 leaf = merkle_leaf(bytes_view(row, sizeof row));
		m->chunk->bytes.len = sizeof row;
		memcpy(m->chunk->bytes.data, row, sizeof row);
		m->chunk->proof->total = 1;
		m->chunk->proof->n_aunts = 0;
		memcpy(m->chunk->proof->leaf_hash.data, leaf.b, 32);
	}
	wire_append(instead, &m->base);
	pb__peer_message__free_unpacked(m, NULL);
	return true;
}

static void a_false_state_that_all_vouch_for_never_reaches_the_store(void **state)
{
	three_go_on(70);
	world.says = everybody;
	world_start_joining(&world, LATE, FAR);
	while (world.nodes[LATE].join)
		world_run(&world, 10);
	assert_int_equal(world.nodes[LATE].joined, 0);
	for (size_t k = 0; k < LATE; k++)
		assert_true(world.links[LATE][k].dropped > 0);
	world.says = NULL;
	world_run(&world, 12000); /* the links come back */
	assert_it_takes_part();
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_node_takes_over_the_state_and_takes_part),
		cmocka_unit_test(many_chunks_go_over_slow_links_into_a_database),
		cmocka_unit_test(who_is_not_far_behind_catches_up_block_by_block),
		cmocka_unit_test(nobody_there_costs_a_second),
		cmocka_unit_test(where_no_snapshot_is_kept_it_catches_up_block_by_block),
		cmocka_unit_test(a_crash_in_the_middle_starts_over),
		cmocka_unit_test(one_liar_among_three_changes_nothing),
		cmocka_unit_test(a_false_state_that_all_vouch_for_never_reaches_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
