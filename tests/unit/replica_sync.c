/* Catching up by whole heights: how far ahead is asked, what a liar can do, what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "chain/format/wire.h"
#include "chain/proto/peer.pb-c.h"
#include "chain/store_mem.h"
#include "tests/unit/replica_world.h"

enum { VALIDATORS = 4, LATE = 3 };

static struct world world;

/* Three of four go on without the fourth, which has nothing. */
static void three_go_on(int64_t height)
{
	world_open(&world, VALIDATORS, VALIDATORS);
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

static void closed(void)
{
	world_close(&world);
}

static void assert_nobody_honest_dropped(size_t liar)
{
	for (size_t from = 0; from < world.count; from++) {
		for (size_t to = 0; to < world.count; to++)
			assert_true(
				from == liar || to == liar || world.links[from][to].dropped == 0);
	}
}

static void who_was_away_catches_up_much_faster_than_blocks_were_made(void **state)
{
	three_go_on(300);
	int64_t target = world_height(&world, 0);
	world.delay_ms = 20;
	world_start(&world, LATE);
	uint64_t began_ms = world.now_ms;
	assert_true(world_run_to(&world, LATE, target, 60000));
	uint64_t took_ms = world.now_ms - began_ms;
	printf("figure: catch-up over links of 20 ms: %lld blocks in %llu ms of their time\n",
		(long long)target, (unsigned long long)took_ms);
	/* One at a time it would be 40 ms each. */
	assert_true(took_ms < (uint64_t)target * 40 / 4);
	world_same_state(&world, 0, LATE);
	assert_nobody_honest_dropped(LATE);
	/* And it validates again. */
	int64_t height = world_height(&world, 0);
	assert_true(world_run_to(&world, LATE, height + 5, 20000));
	assert_int_equal(world.nodes[LATE].fence.step == FENCE_NOTHING, 0);
	closed();
}

static void nothing_is_signed_while_blocks_flow_in(void **state)
{
	three_go_on(60);
	int64_t target = world_height(&world, 0);
	world_start(&world, LATE);
	assert_true(world_run_to(&world, LATE, target - 1, 60000));
	assert_int_equal(world.nodes[LATE].fence.step, FENCE_NOTHING);
	closed();
}

/* ---- a liar among three ---- */

enum { LIAR = 1 };

static Pb__PeerMessage *read_message(struct bytes message)
{
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, message.len, message.data);
	assert_non_null(m);
	return m;
}

static bool says_nothing_asked(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	Pb__PeerMessage *m = read_message(message);
	bool silent = from == LIAR && to == LATE &&
		      (m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT ||
			      m->sum_case == PB__PEER_MESSAGE__SUM_BLOCK_PART);
	pb__peer_message__free_unpacked(m, NULL);
	return !silent;
}

static bool claims_the_moon(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	Pb__PeerMessage *m = read_message(message);
	if (from == LIAR && to == LATE && m->sum_case == PB__PEER_MESSAGE__SUM_STATUS) {
		m->status->height = INT64_MAX - 1;
		wire_append(instead, &m->base);
	}
	pb__peer_message__free_unpacked(m, NULL);
	return says_nothing_asked(w, from, to, message, instead);
}

static bool says_only_the_commit(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	Pb__PeerMessage *m = read_message(message);
	bool silent = from == LIAR && to == LATE && m->sum_case == PB__PEER_MESSAGE__SUM_BLOCK_PART;
	pb__peer_message__free_unpacked(m, NULL);
	return !silent;
}

static bool forges_a_signature(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	Pb__PeerMessage *m = read_message(message);
	if (from == LIAR && to == LATE && m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT) {
		for (size_t i = 0; i < m->commit->n_signatures; i++) {
			if (m->commit->signatures[i]->signature.len > 0)
				m->commit->signatures[i]->signature.data[5] ^= 1;
		}
		wire_append(instead, &m->base);
	}
	pb__peer_message__free_unpacked(m, NULL);
	return true;
}

static bool says_too_few_signed(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	Pb__PeerMessage *m = read_message(message);
	if (from == LIAR && to == LATE && m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT) {
		Pb__CommitSig *sig = m->commit->signatures[0];
		static Pb__Timestamp zero = PB__TIMESTAMP__INIT;
		for (size_t i = 0; sig->block_id_flag != 2; i++)
			sig = m->commit->signatures[i];
		Pb__Timestamp *time = sig->timestamp;
		zero.seconds = -62135596800; /* as an absent one must be */
		sig->block_id_flag = 1;
		sig->timestamp = &zero;
		sig->signature.len = sig->validator_address.len = 0;
		wire_append(instead, &m->base);
		sig->timestamp = time;
	}
	pb__peer_message__free_unpacked(m, NULL);
	return true;
}

static bool names_another_block(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	Pb__PeerMessage *m = read_message(message);
	if (from == LIAR && to == LATE && m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT) {
		m->commit->block_id->part_set_header->total = 40;
		wire_append(instead, &m->base);
	}
	pb__peer_message__free_unpacked(m, NULL);
	return true;
}

static bool spoils_parts(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	Pb__PeerMessage *m = read_message(message);
	if (from == LIAR && to == LATE && m->sum_case == PB__PEER_MESSAGE__SUM_BLOCK_PART) {
		m->block_part->bytes.data[0] ^= 1;
		wire_append(instead, &m->base);
	}
	pb__peer_message__free_unpacked(m, NULL);
	return true;
}

static void a_liar_never_stalls_it(void **state)
{
	static const struct {
		const char *what;
		bool (*says)(struct world *, size_t, size_t, struct bytes, struct buf *);
		bool dropped;
	} table[] = {
		{"answers nothing", says_nothing_asked, false},
		{"claims the moon", claims_the_moon, false},
		{"only the commit", says_only_the_commit, false},
		{"a forged signature", forges_a_signature, true},
		{"too few signed", says_too_few_signed, true},
		{"another block", names_another_block, true},
		{"spoiled parts", spoils_parts, true},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		three_go_on(120);
		int64_t target = world_height(&world, 0);
		world.says = table[i].says;
		world_start(&world, LATE);
		uint64_t longest_ms = 0, since_ms = world.now_ms;
		for (int64_t h = 1; h <= target; h++) {
			if (!world_run_to(&world, LATE, h, 30000))
				fail_msg("%s stalls it at %lld", table[i].what, (long long)h);
			uint64_t ms = world.now_ms - since_ms;
			longest_ms = ms > longest_ms ? ms : longest_ms;
			since_ms = world.now_ms;
		}
		printf("figure: %-20s longest wait for a block %llu ms\n", table[i].what,
			(unsigned long long)longest_ms);
		assert_true(longest_ms < 5000);
		assert_int_equal(world.links[LATE][LIAR].dropped > 0, table[i].dropped);
		assert_nobody_honest_dropped(LIAR);
		/* It takes part, whatever the liar goes on to say. */
		assert_true(world_run_to(&world, LATE, world_height(&world, 0) + 5, 20000));
		closed();
	}
}

static bool goes_back(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	static unsigned said;
	Pb__PeerMessage *m = read_message(message);
	if (from == LIAR && to == LATE && m->sum_case == PB__PEER_MESSAGE__SUM_STATUS &&
		said++ % 2 == 1) {
		m->status->height = 1;
		wire_append(instead, &m->base);
	}
	pb__peer_message__free_unpacked(m, NULL);
	return true;
}

static void whose_height_goes_back_is_dropped(void **state)
{
	three_go_on(20);
	world.says = goes_back;
	world_start(&world, LATE);
	world_run(&world, 5000);
	assert_true(world.links[LATE][LIAR].dropped > 0);
	assert_nobody_honest_dropped(LIAR);
	closed();
}

/* ---- bounds ---- */

static size_t unanswered, unanswered_max;

static bool counts_requests(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	Pb__PeerMessage *m = read_message(message);
	if (from == LATE && m->sum_case == PB__PEER_MESSAGE__SUM_BLOCK_REQUEST)
		unanswered++;
	if (to == LATE && m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT && unanswered > 0)
		unanswered--;
	unanswered_max = unanswered > unanswered_max ? unanswered : unanswered_max;
	pb__peer_message__free_unpacked(m, NULL);
	return true;
}

static void no_more_is_asked_than_fits(void **state)
{
	three_go_on(100);
	unanswered = unanswered_max = 0;
	world.says = counts_requests;
	world.delay_ms = 50;
	world_start(&world, LATE);
	assert_true(world_run_to(&world, LATE, 100, 60000));
	assert_in_range(unanswered_max, 4, 32);
	closed();
}

static void who_asks_too_much_is_served_out_of_a_budget(void **state)
{
	struct replica_input in = {.kind = REPLICA_MESSAGE};
	Pb__BlockRequest request = PB__BLOCK_REQUEST__INIT;
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	struct buf raw = {0};
	uint64_t bytes = 0;

	three_go_on(10);
	request.height = 5;
	message.sum_case = PB__PEER_MESSAGE__SUM_BLOCK_REQUEST;
	message.block_request = &request;
	wire_append(&raw, &message.base);
	in.u.peer.peer = 2;
	in.u.peer.message = buf_view(&raw);
	struct replica_effects *out = &world.nodes[0].effects;
	for (int i = 0; i < 20000; i++) {
		replica_step(world.nodes[0].replica, &in, world_now(&world), out);
		for (size_t k = 0; k < out->count; k++)
			bytes += out->items[k].kind == REPLICA_SEND ? out->items[k].bytes.len : 0;
		out->count = 0;
	}
	assert_in_range(bytes, 1, SERVE_BURST_BYTES + 256 * 1024);
	buf_fini(&raw);
	closed();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_was_away_catches_up_much_faster_than_blocks_were_made),
		cmocka_unit_test(nothing_is_signed_while_blocks_flow_in),
		cmocka_unit_test(a_liar_never_stalls_it),
		cmocka_unit_test(whose_height_goes_back_is_dropped),
		cmocka_unit_test(no_more_is_asked_than_fits),
		cmocka_unit_test(who_asks_too_much_is_served_out_of_a_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
