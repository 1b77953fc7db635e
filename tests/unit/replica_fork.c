/* A chain that forked: three of four validators have signed two blocks of one height. By hand: the
 * second commit is made with their keys and told to the first, who sees it and convicts them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain/blocks.h"
#include "chain/format/wire.h"
#include "chain/proto/peer.pb-c.h"
#include "replica/inside.h"
#include "tests/unit/replica_world.h"

enum { TRUE_ONE = 0, LIAR = 3 };

static struct world world;
static int64_t told_height; /* of the commit that the liar told; 0: not yet */
static bool spoil;          /* one signature of it */
static bool other_round;
static unsigned commits_said; /* by the honest one to the liar */

static struct validator_secret secret_of(const struct validator *v)
{
	for (size_t i = 0; i < world.count; i++) {
		if (memcmp(world.nodes[i].key.b, v->key.b, sizeof v->key.b) == 0)
			return world.nodes[i].secret;
	}
	fail();
	return world.nodes[0].secret;
}

/* All but the honest one's precommits of its last round, for a block that isn't its. */
static void fill_tally(struct tally *tally, struct tally_slot *slots, struct block_id *id)
{
	const struct replica *r = world.nodes[TRUE_ONE].replica;
	const struct tally *ours = &r->core.last_precommits;
	int32_t round = ours->round + (other_round ? 1 : 0);
	tally_init(tally, &r->core.last_validators, slots, VOTE_PRECOMMIT, ours->height, round);
	memset(id, 0, sizeof *id);
	memset(id->hash.b, 7, sizeof id->hash.b);
	memset(id->parts_hash.b, 8, sizeof id->parts_hash.b);
	id->parts_total = 1;
	for (uint32_t i = 0; i < r->core.last_validators.count; i++) {
		const struct validator *v = &r->core.last_validators.v[i];
		if (memcmp(v->key.b, world.nodes[TRUE_ONE].key.b, sizeof v->key.b) == 0)
			continue;
		struct vote vote;
		memset(&vote, 0, sizeof vote);
		vote.type = VOTE_PRECOMMIT;
		vote.height = ours->height;
		vote.round = round;
		vote.index = i;
		vote.address = v->address;
		vote.time = world_now(&world).wall;
		vote.block_id = *id;
		struct buf bytes;
		buf_init(&bytes, 0);
		vote_sign_bytes(&bytes, world.genesis.chain_id, &vote);
		struct validator_secret secret = secret_of(v);
		validator_sign(&vote.signature, &secret, buf_view(&bytes));
		buf_fini(&bytes);
		vote.signature.b[0] ^= spoil;
		assert_int_equal(tally_add(tally, &vote, NULL), TALLY_COUNTED);
	}
}

static void make_commit(struct buf *out)
{
	struct tally tally;
	struct tally_slot slots[4];
	struct block_id id;
	struct arena arena;
	fill_tally(&tally, slots, &id);
	arena_init(&arena, 1024 * 1024);
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	message.sum_case = PB__PEER_MESSAGE__SUM_COMMIT;
	message.commit = engine_commit(&tally, &id, &arena);
	assert_non_null(message.commit);
	wire_append(out, &message.base);
	arena_fini(&arena);
}

/* The liar's first status at the honest one's height becomes the other commit. */
static bool tells_other_commit(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	const struct replica *r = w->nodes[TRUE_ONE].replica;
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, message.len, message.data);
	assert_non_null(m);
	bool ready = from == LIAR && to == TRUE_ONE && told_height == 0 && r->head.height >= 3 &&
		     m->sum_case == PB__PEER_MESSAGE__SUM_STATUS && r->core.has_last_commit &&
		     r->core.height == r->head.height + 1;
	pb__peer_message__free_unpacked(m, NULL);
	if (ready) {
		told_height = r->head.height;
		make_commit(instead);
	}
	return true;
}

/* The liar says that its last block is another. */
static bool tells_other_block(
	struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead)
{
	uint8_t other[32] = {9};
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, message.len, message.data);
	assert_non_null(m);
	commits_said +=
		from == TRUE_ONE && to == LIAR && m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT;
	if (from == LIAR && to == TRUE_ONE && m->sum_case == PB__PEER_MESSAGE__SUM_STATUS &&
		m->status->last_block.len == sizeof other) {
		memcpy(m->status->last_block.data, other, sizeof other);
		wire_append(instead, &m->base);
	}
	pb__peer_message__free_unpacked(m, NULL);
	return true;
}

static int begin(void **state)
{
	world_open(&world, 4, 4);
	told_height = 0;
	spoil = other_round = false;
	commits_said = 0;
	for (size_t i = 0; i < 4; i++)
		world_start(&world, i);
	return 0;
}

static int end(void **state)
{
	world_close(&world);
	return 0;
}

/* Proofs in the honest one's blocks, by whom they convict: a bit for each place in the set. */
static unsigned convictions(void)
{
	unsigned bits = 0;
	for (int64_t height = 1; height <= world_height(&world, TRUE_ONE); height++) {
		struct buf raw;
		buf_init(&raw, 0);
		assert_int_equal(
			blocks_raw(&world.nodes[TRUE_ONE].store, NULL, height, &raw), STATUS_OK);
		Pb__Block *block = pb__block__unpack(NULL, raw.len, raw.data);
		assert_non_null(block);
		for (size_t i = 0; i < block->evidence->n_evidence; i++)
			bits |= 1u << block->evidence->evidence[i]
					      ->duplicate_vote_evidence->vote_a->validator_index;
		pb__block__free_unpacked(block, NULL);
		buf_fini(&raw);
	}
	return bits;
}

static unsigned count(unsigned bits)
{
	unsigned ones = 0;
	for (; bits; bits >>= 1)
		ones += bits & 1;
	return ones;
}

/* ---- claims ---- */

static void who_signed_two_commits_of_one_height_is_convicted_in_a_block(void **state)
{
	world.says = tells_other_commit;
	for (int i = 0; i < 30; i++) {
		world_pay(&world, TRUE_ONE, (size_t)i % WORLD_ACCOUNTS, 8);
		world_run(&world, 300);
	}
	assert_true(told_height > 0);
	assert_int_equal(world.nodes[TRUE_ONE].replica->fork_height, told_height);
	assert_int_equal(count(convictions()), 3); /* more than a third; all but the honest one */
	assert_int_equal(world.links[TRUE_ONE][LIAR].dropped, 0);
	for (size_t i = 0; i < 4; i++)
		assert_null(replica_stopped(world.nodes[i].replica));
}

static void a_commit_of_another_round_is_seen_and_proves_nothing_by_itself(void **state)
{
	other_round = true;
	world.says = tells_other_commit;
	for (int i = 0; i < 20; i++) {
		world_pay(&world, TRUE_ONE, (size_t)i % WORLD_ACCOUNTS, 8);
		world_run(&world, 300);
	}
	assert_true(told_height > 0);
	assert_int_equal(world.nodes[TRUE_ONE].replica->fork_height, told_height);
	assert_int_equal(convictions(), 0);
}

static void a_commit_that_nobody_signed_costs_the_link(void **state)
{
	spoil = true;
	world.says = tells_other_commit;
	world_run(&world, 10000);
	assert_true(told_height > 0);
	assert_int_equal(world.nodes[TRUE_ONE].replica->fork_height, 0);
	assert_true(world.links[TRUE_ONE][LIAR].dropped > 0);
}

static void who_names_another_last_block_is_told_our_commit_once_a_height(void **state)
{
	world.says = tells_other_block;
	world_run(&world, 20000);
	int64_t height = world_height(&world, TRUE_ONE);
	assert_true(height >= 3);
	assert_true(commits_said > 0);
	assert_true(commits_said <= (unsigned)height);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest claims[] = {
		CLAIM(who_signed_two_commits_of_one_height_is_convicted_in_a_block),
		CLAIM(a_commit_of_another_round_is_seen_and_proves_nothing_by_itself),
		CLAIM(a_commit_that_nobody_signed_costs_the_link),
		CLAIM(who_names_another_last_block_is_told_our_commit_once_a_height),
	};
	return cmocka_run_group_tests(claims, NULL, NULL);
}
