/* What a liar with a validator's key, or a link, can make an honest node keep and do: by hand, one
 * of four validators that hears nobody but the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "chain/format/wire.h"
#include "chain/proto/peer.pb-c.h"
#include "consensus/rounds.h"
#include "replica/inside.h"
#include "tests/unit/replica_world.h"

enum { ALONE = 0, LINK = 7 }; /* the number of the link that all comes from */

struct node {
	struct world world;
	struct replica *replica;
	struct validator_set set;
	struct replica_effects effects;
	bool answers;                      /* signatures */
	struct replica_input waiting[128]; /* to be handed over */
	size_t waiting_count;
	size_t logs;    /* records of the log */
	size_t asked;   /* signatures */
	size_t dropped; /* links */
	struct replica_effect last_asked;
	struct validator_signature signatures[128]; /* not told yet */
	size_t signature_count;
};

static struct node node;

static void wait_for(struct replica_input in)
{
	assert_true(node.waiting_count < 128);
	node.waiting[node.waiting_count++] = in;
}

static void answer_signature(void)
{
	struct replica_input in = {.kind = REPLICA_SIGNED};
	in.u.sign.signature = node.signatures[0];
	node.signature_count--;
	memmove(node.signatures, node.signatures + 1,
		node.signature_count * sizeof *node.signatures);
	wait_for(in);
}

static void do_effect(const struct replica_effect *e)
{
	struct replica_input in = {.kind = REPLICA_APPLIED};
	switch (e->kind) {
	case REPLICA_LOG: node.logs++; break;
	case REPLICA_SIGN:
		node.asked++;
		node.last_asked = *e;
		assert_true(node.signature_count < 128);
		validator_sign(&node.signatures[node.signature_count++],
			&node.world.nodes[ALONE].secret, e->bytes);
		if (node.answers)
			answer_signature();
		break;
	case REPLICA_APPLY:
		apply_run(e->u.job);
		in.u.job = e->u.job;
		wait_for(in);
		break;
	case REPLICA_DROP_PEER: node.dropped += e->u.peer == LINK; break;
	case REPLICA_LOG_SYNC:
	case REPLICA_LOG_RESET:
	case REPLICA_SEND:
	case REPLICA_SUBMIT:
	case REPLICA_VERIFY_TX:
	case REPLICA_TX_DONE:
	case REPLICA_COMMITTED: break;
	}
}

static void step(struct replica_input in)
{
	wait_for(in);
	for (size_t i = 0; i < node.waiting_count; i++) {
		struct replica_input next = node.waiting[i];
		replica_step(node.replica, &next, world_now(&node.world), &node.effects);
		for (size_t k = 0; k < node.effects.count; k++)
			do_effect(&node.effects.items[k]);
		node.effects.count = 0;
	}
	node.waiting_count = 0;
	assert_null(replica_stopped(node.replica));
}

static void hear(uint32_t link, const Pb__PeerMessage *message)
{
	struct buf raw;
	buf_init(&raw, 0);
	wire_append(&raw, &message->base);
	struct replica_input in = {.kind = REPLICA_MESSAGE};
	in.u.peer.peer = link;
	in.u.peer.message = buf_view(&raw);
	step(in);
	buf_fini(&raw);
}

static int begin(void **state)
{
	memset(&node, 0, sizeof node);
	node.answers = true;
	world_open(&node.world, 4, 4);
	world_start(&node.world, ALONE);
	node.replica = node.world.nodes[ALONE].replica;
	node.set = replica_consensus(node.replica)->validators;
	/* It votes once it has heard from most where the chain is. */
	for (uint32_t link = LINK; link < LINK + 3; link++) {
		struct replica_input up = {.kind = REPLICA_PEER_UP};
		up.u.peer.peer = link;
		step(up);
		Pb__NodeStatus status = PB__NODE_STATUS__INIT;
		status.height = status.base_height = 1;
		Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
		message.sum_case = PB__PEER_MESSAGE__SUM_STATUS;
		message.status = &status;
		hear(link, &message);
	}
	assert_null(replica_silent(node.replica));
	return 0;
}

static int end(void **state)
{
	replica_effects_fini(&node.effects);
	world_close(&node.world);
	return 0;
}

/* who: a node of the world, not the one under test. name: of the block, 0 for nil. */
static struct vote vote_of(size_t who, enum vote_type type, int64_t height, int32_t round, int name)
{
	struct vote v;
	memset(&v, 0, sizeof v);
	v.type = type;
	v.height = height;
	v.round = round;
	v.address = validator_address_of(&node.world.nodes[who].key);
	v.index = (uint32_t)validator_set_find(&node.set, &v.address);
	v.time = world_now(&node.world).wall;
	if (name > 0) {
		memcpy(v.block_id.hash.b, &name, sizeof name);
		v.block_id.parts_hash.b[0] = 1;
		v.block_id.parts_total = 1;
	}
	struct buf bytes;
	buf_init(&bytes, 0);
	vote_sign_bytes(&bytes, node.world.genesis.chain_id, &v);
	validator_sign(&v.signature, &node.world.nodes[who].secret, buf_view(&bytes));
	buf_fini(&bytes);
	return v;
}

static void hear_vote(const struct vote *vote)
{
	struct vote_message m;
	vote_message_init(&m, vote);
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	message.sum_case = PB__PEER_MESSAGE__SUM_VOTE;
	message.vote = &m.pb;
	hear(LINK, &message);
}

static void hear_of(size_t who, int32_t round, int name)
{
	struct vote v = vote_of(who, VOTE_PREVOTE, 1, round, name);
	hear_vote(&v);
}

/* ---- claims ---- */

static void a_vote_said_a_thousand_times_is_logged_once(void **state)
{
	struct vote v = vote_of(3, VOTE_PREVOTE, 1, 0, 1);
	hear_vote(&v);
	size_t logs = node.logs;
	for (int i = 0; i < 1000; i++) {
		v.time = timestamp_of_ms(1700000000000 + i); /* the same choice, signed or not */
		hear_vote(&v);
	}
	assert_int_equal(node.logs, logs);
	assert_int_equal(node.dropped, 0);
}

static void of_a_thousand_choices_in_one_round_two_are_kept(void **state)
{
	size_t logs = node.logs;
	hear_of(3, 0, 1);
	assert_true(node.logs > logs);
	hear_of(3, 0, 2);
	logs = node.logs;
	for (int name = 3; name < 1000; name++)
		hear_of(3, 0, name);
	assert_int_equal(node.logs, logs);
	assert_int_equal(node.dropped, 0);
}

/* But for the choice that others make, too: somewhere it may be a quorum. */
static void a_liars_third_choice_counts_when_others_stand_behind_it(void **state)
{
	for (int name = 1; name < 10; name++)
		hear_of(3, 0, name);
	hear_of(1, 0, 500);
	hear_of(2, 0, 500);
	hear_of(3, 0, 500);
	struct block_id block = vote_of(3, VOTE_PREVOTE, 1, 0, 500).block_id;
	assert_true(tally_has_quorum_for(&node.replica->core.rounds[0].prevotes, &block));
}

static void a_walk_through_far_rounds_is_logged_at_few_of_them(void **state)
{
	hear_of(3, 0, 0);
	size_t logs = node.logs;
	for (int32_t round = ROUNDS_AHEAD + 1; round <= ROUND_MAX; round += 1 + round / 200)
		hear_of(3, round, 0);
	assert_true(node.logs - logs < 100);
	assert_int_equal(replica_consensus(node.replica)->round, 0);
	/* It is there all the same: one more makes a third. */
	hear_of(2, ROUND_MAX, 0);
	assert_true(replica_consensus(node.replica)->round > ROUND_MAX / 2);
}

static void a_round_beyond_all_costs_the_link(void **state)
{
	hear_of(3, ROUND_MAX + 1, 0);
	assert_int_equal(node.dropped, 1);
	hear_of(3, INT32_MAX, 0);
	assert_int_equal(node.dropped, 2);
}

static void rounds_long_past_come_back_a_few_at_a_time(void **state)
{
	hear_of(2, 100, 0);
	hear_of(3, 100, 0);
	assert_int_equal(replica_consensus(node.replica)->round, 100);
	size_t logs = node.logs;
	for (int again = 0; again < 3; again++) {
		for (int32_t round = 1; round < 90; round++)
			hear_of(3, round, 0);
	}
	assert_true(node.logs - logs <= OLD_ROUNDS_MAX);
	hear_of(2, 101, 0);
	hear_of(3, 101, 0);
	logs = node.logs;
	hear_of(1, 50, 0); /* the next round has some of its own */
	assert_int_equal(node.logs, logs + 1);
}

/* It once ended the process: thirty-two answers were all it could wait for. */
static void rounds_that_pass_while_the_disk_is_silent_end_nothing(void **state)
{
	node.answers = false;
	for (int32_t round = 1; round < 200; round++) {
		for (size_t who = 1; who < 4; who++) {
			hear_of(who, round, 0);
			struct vote v = vote_of(who, VOTE_PRECOMMIT, 1, round, 0);
			hear_vote(&v);
		}
		struct replica_input tick = {.kind = REPLICA_TICK};
		node.world.now_ms += 4000 + 1000 * (uint64_t)round;
		step(tick);
	}
	assert_true(node.asked <= QUESTIONS_MAX);
	assert_true(node.asked > QUESTIONS_MAX / 2);
	struct replica_input tick = {.kind = REPLICA_TICK};
	node.world.now_ms += 1000 * 1000;
	step(tick); /* no proposal came: it would prevote */
	struct replica_input in = {.kind = REPLICA_SIGNED};
	size_t unanswered = node.signature_count, before = node.asked;
	for (size_t i = 0; i < unanswered; i++) {
		in.u.sign.signature = node.signatures[i];
		step(in);
	}
	/* And when the disk is back, it asks for what is still of use. */
	assert_true(node.asked > before);
	assert_int_equal(node.last_asked.u.fence.round, replica_consensus(node.replica)->round);
}

static void who_lied_of_the_next_height_is_heard_no_further(void **state)
{
	struct vote v = vote_of(3, VOTE_PREVOTE, 2, 0, 0);
	v.signature.b[0] ^= 1;
	for (int i = 0; i < 1000; i++)
		hear_vote(&v);
	assert_int_equal(node.dropped, 0);
	/* The height begins: as the core would say it. */
	struct replica *r = node.replica;
	r->core.height = 2;
	struct replica_input tick = {.kind = REPLICA_TICK};
	step(tick);
	assert_int_equal(node.dropped, 1);
	assert_int_equal(r->early.len, 0);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest claims[] = {
		CLAIM(a_vote_said_a_thousand_times_is_logged_once),
		CLAIM(of_a_thousand_choices_in_one_round_two_are_kept),
		CLAIM(a_liars_third_choice_counts_when_others_stand_behind_it),
		CLAIM(a_walk_through_far_rounds_is_logged_at_few_of_them),
		CLAIM(a_round_beyond_all_costs_the_link),
		CLAIM(rounds_long_past_come_back_a_few_at_a_time),
		CLAIM(rounds_that_pass_while_the_disk_is_silent_end_nothing),
		CLAIM(who_lied_of_the_next_height_is_heard_no_further),
	};
	return cmocka_run_group_tests(claims, NULL, NULL);
}
