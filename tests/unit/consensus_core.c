/* core: the rules of Tendermint one by one, as stories of one validator among four. Number 0
 * proposes round 0, number 1 round 1, and so on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/rounds.h"
#include "tests/unit/consensus_kit.h"

static struct kit kit;

static int as_number_three(void **state)
{
	kit_open(&kit, 4, NULL, 3);
	return 0;
}

static int as_number_zero(void **state)
{
	kit_open(&kit, 4, NULL, 0);
	return 0;
}

static int closes(void **state)
{
	kit_close(&kit);
	return 0;
}

/* ---- whose turn ---- */

static void the_proposer_asks_for_a_block_and_the_others_wait_for_it(void **state)
{
	for (int me = 0; me < 4; me++) {
		kit_open(&kit, 4, NULL, me);
		kit_begin(&kit);
		kit_expect_timer(&kit, 0, STEP_PROPOSE, 3000);
		if (me == 0)
			kit_expect(&kit, EFFECT_BUILD_PROPOSAL);
		kit_expect_nothing(&kit);
		kit_close(&kit);
	}
}

static void the_turn_goes_round_by_round_and_height_by_height(void **state)
{
	for (uint32_t n = 1; n <= 10; n++) {
		kit_open(&kit, n, NULL, 0);
		for (int64_t height = 1; height <= 20; height++) {
			for (int32_t round = 0; round < 20; round++) {
				int64_t turn = (height - 1 + round) % (int64_t)n;
				assert_int_equal(consensus_proposer(&kit.core, round), turn);
			}
			kit_committed(&kit);
		}
		kit_close(&kit);
	}
}

static void power_buys_turns_in_proportion(void **state)
{
	static const int64_t powers[] = {4, 3, 2, 1};
	int64_t turns[4] = {0};
	kit_open(&kit, 4, powers, 0);
	for (int height = 0; height < 100; height++) {
		turns[consensus_proposer(&kit.core, 0)]++;
		kit_committed(&kit);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(turns[i], powers[i] * 10);
	kit_close(&kit);
}

static void a_vote_of_another_starts_the_height(void **state)
{
	kit_vote(&kit, 1, VOTE_PREVOTE, 0, 0);
	kit_expect_timer(&kit, 0, STEP_PROPOSE, 3000);
	kit_expect(&kit, EFFECT_BUILD_PROPOSAL);
}

static void what_was_built_is_proposed_prevoted_and_its_block_is_not_asked_about(void **state)
{
	kit_begin(&kit);
	kit_built(&kit, 0, 'A');
	const struct consensus_effect *e = kit_expect(&kit, EFFECT_SIGN_PROPOSAL);
	struct block_id a = kit_block('A');
	assert_true(block_id_equal(&e->proposal.block_id, &a));
	assert_int_equal(e->proposal.pol_round, -1);
	assert_int_equal(timestamp_compare(e->proposal.time, kit_block_time()), 0);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
	kit_expect_no(&kit, EFFECT_CHECK_PROPOSAL);
	assert_int_equal(kit.core.step, STEP_PREVOTE);
}

/* ---- prevotes ---- */

static void a_good_proposal_gets_our_prevote_once_its_block_is_here_and_checked(void **state)
{
	kit_begin(&kit);
	kit_proposal(&kit, 0, -1, 'A');
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_here(&kit, 'A');
	kit_expect(&kit, EFFECT_CHECK_PROPOSAL);
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_checked(&kit, 'A', true);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
}

static void the_order_in_which_proposal_and_block_arrive_does_not_matter(void **state)
{
	kit_begin(&kit);
	kit_here(&kit, 'A');
	kit_checked(&kit, 'A', true);
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_proposal(&kit, 0, -1, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
}

static void a_block_is_asked_about_once(void **state)
{
	kit_begin(&kit);
	kit_proposal(&kit, 0, -1, 'A');
	kit_here(&kit, 'A');
	kit_here(&kit, 'A');
	kit_expect(&kit, EFFECT_CHECK_PROPOSAL);
	kit_expect_no(&kit, EFFECT_CHECK_PROPOSAL);
}

static void an_invalid_block_gets_nil(void **state)
{
	kit_begin(&kit);
	kit_proposal(&kit, 0, -1, 'A');
	kit_here(&kit, 'A');
	kit_checked(&kit, 'A', false);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 0);
}

static void a_proposal_that_is_late_or_early_gets_nil(void **state)
{
	static const int64_t off_ms[] = {2501, -501};
	for (size_t i = 0; i < 2; i++) {
		kit_open(&kit, 4, NULL, 3);
		kit_begin(&kit);
		kit.now = timestamp_of_ms(timestamp_ms(kit_block_time()) + off_ms[i]);
		kit_arrives(&kit, 0, -1, 'A');
		kit_expect_vote(&kit, VOTE_PREVOTE, 0, 0);
		kit_close(&kit);
	}
}

static void timeliness_is_judged_when_the_proposal_comes_not_when_its_block_does(void **state)
{
	kit_begin(&kit);
	kit_proposal(&kit, 0, -1, 'A');
	kit.now.seconds += 60;
	kit_here(&kit, 'A');
	kit_checked(&kit, 'A', true);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
}

static void a_proposal_whose_time_is_not_its_headers_gets_nil(void **state)
{
	/* A timely proposal around a block from next year. */
	kit_begin(&kit);
	kit_proposal(&kit, 0, -1, 'A');
	struct consensus_input in = {.kind = IN_BLOCK};
	in.u.block.height = 1;
	in.u.block.block = kit_block('A');
	in.u.block.time = (struct timestamp){KIT_MS + 365 * 86400, 0};
	kit_input(&kit, &in);
	kit_checked(&kit, 'A', true);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 0);
}

static void a_verdict_that_nobody_asked_for_is_not_believed(void **state)
{
	kit_begin(&kit);
	kit_proposal(&kit, 0, -1, 'A');
	kit_checked(&kit, 'A', true);
	kit_here(&kit, 'A');
	kit_expect(&kit, EFFECT_CHECK_PROPOSAL);
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
}

static void a_silent_proposer_costs_the_propose_timeout_and_gets_nil(void **state)
{
	kit_begin(&kit);
	kit_timeout(&kit, 0, STEP_PROPOSE);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 0);
	kit_arrives(&kit, 0, -1, 'A');
	kit_expect_no(&kit, EFFECT_SIGN_VOTE); /* too late for this round */
}

static void only_the_first_proposal_of_a_round_counts(void **state)
{
	kit_begin(&kit);
	kit_proposal(&kit, 0, -1, 'A');
	kit_arrives(&kit, 0, -1, 'B');
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_here(&kit, 'A');
	kit_checked(&kit, 'A', true);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
}

/* ---- locks ---- */

/* Locked on A in round 0, by now in round `round`. */
static void lock_on_a(int32_t round)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_votes(&kit, 2, VOTE_PREVOTE, 0, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
	kit_expect_vote(&kit, VOTE_PRECOMMIT, 0, 'A');
	for (int32_t r = 0; r < round; r++)
		kit_timeout(&kit, r, STEP_PRECOMMIT);
	assert_int_equal(kit.core.round, round);
	assert_int_equal(kit.core.locked_round, 0);
	kit_read_all(&kit);
}

static void a_quorum_of_prevotes_locks_the_block_and_gets_our_precommit(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_vote(&kit, 0, VOTE_PREVOTE, 0, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	assert_int_equal(kit.core.locked_round, -1);
	kit_vote(&kit, 1, VOTE_PREVOTE, 0, 'A'); /* with our own: 3 of 4 */
	kit_expect_vote(&kit, VOTE_PRECOMMIT, 0, 'A');
	assert_int_equal(kit.core.locked_round, 0);
	assert_int_equal(kit.core.valid_round, 0);
}

static void locked_on_a_block_we_prevote_it_again_and_nil_for_any_other(void **state)
{
	lock_on_a(1);
	kit_arrives(&kit, 1, -1, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 1, 'A');
	kit_timeout(&kit, 1, STEP_PRECOMMIT);
	kit_read_all(&kit);
	kit_arrives(&kit, 2, -1, 'B');
	kit_expect_vote(&kit, VOTE_PREVOTE, 2, 0);
	assert_int_equal(kit.core.locked_round, 0);
}

static void a_lock_yields_to_a_newer_quorum_and_not_to_an_older_one(void **state)
{
	/* Locked in round `locked` on A; proposed in round 4 is B with a quorum of `pol`. */
	for (int32_t locked = 1; locked <= 3; locked++) {
		for (int32_t pol = 0; pol <= 3; pol++) {
			if (pol == locked)
				continue; /* two quorums in one round: a third would be guilty */
			kit_open(&kit, 4, NULL, 3);
			kit_begin(&kit);
			for (int32_t r = 0; r < 4; r++) {
				char letter = r == locked ? 'A' : 'B';
				if (r == locked)
					kit_arrives(&kit, r, -1, letter);
				else
					kit_timeout(&kit, r, STEP_PROPOSE);
				if (r == locked)
					kit_votes(&kit, 2, VOTE_PREVOTE, r, letter);
				kit_timeout(&kit, r, STEP_PRECOMMIT);
			}
			assert_int_equal(kit.core.locked_round, locked);
			assert_int_equal(kit.core.round, 4);
			kit_votes(&kit, 3, VOTE_PREVOTE, pol, 'B');
			kit_read_all(&kit);
			kit_arrives(&kit, 4, pol, 'B');
			kit_expect_vote(&kit, VOTE_PREVOTE, 4, pol > locked ? 'B' : 0);
			kit_close(&kit);
		}
	}
}

static void the_locked_block_itself_is_prevoted_whatever_round_its_quorum_is_of(void **state)
{
	lock_on_a(2);
	kit_arrives(&kit, 2, 0, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 2, 'A');
}

static void a_proposal_with_a_proof_of_lock_waits_for_that_proof(void **state)
{
	kit_begin(&kit);
	kit_timeout(&kit, 0, STEP_PROPOSE);
	kit_timeout(&kit, 0, STEP_PRECOMMIT);
	kit_read_all(&kit);
	kit_arrives(&kit, 1, 0, 'A');
	kit_votes(&kit, 2, VOTE_PREVOTE, 0, 'A');
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_vote(&kit, 2, VOTE_PREVOTE, 0, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 1, 'A');
}

static void a_proof_of_lock_that_never_comes_costs_the_timeout(void **state)
{
	kit_begin(&kit);
	kit_timeout(&kit, 0, STEP_PRECOMMIT);
	kit_read_all(&kit);
	kit_arrives(&kit, 1, 0, 'A');
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_timeout(&kit, 1, STEP_PROPOSE);
	kit_expect_vote(&kit, VOTE_PREVOTE, 1, 0);
}

static void a_proof_of_lock_from_this_round_or_later_is_no_proposal(void **state)
{
	kit_begin(&kit);
	kit_proposal(&kit, 0, 0, 'A');
	kit_proposal(&kit, 0, 1, 'A');
	kit_proposal(&kit, 0, -2, 'A');
	kit_proposal(&kit, 0, -1, 0);
	assert_false(kit.core.rounds[0].has_proposal);
}

static void an_old_block_needs_no_timely_arrival_when_a_quorum_stood_behind_it(void **state)
{
	kit_begin(&kit);
	kit_timeout(&kit, 0, STEP_PRECOMMIT);
	kit_votes(&kit, 3, VOTE_PREVOTE, 0, 'A');
	kit_read_all(&kit);
	kit.now.seconds += 3600;
	kit_arrives(&kit, 1, 0, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 1, 'A');
}

static void a_quorum_seen_after_our_precommit_is_remembered_and_proposed_but_locks_nothing(
	void **state)
{
	kit_close(&kit);
	kit_open(&kit, 4, NULL, 1);
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_vote(&kit, 2, VOTE_PREVOTE, 0, 0);
	kit_vote(&kit, 3, VOTE_PREVOTE, 0, 'A');
	kit_timeout(&kit, 0, STEP_PREVOTE);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
	kit_expect_vote(&kit, VOTE_PRECOMMIT, 0, 0);
	kit_vote(&kit, 0, VOTE_PREVOTE, 0, 'A');
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	assert_int_equal(kit.core.locked_round, -1);
	assert_int_equal(kit.core.valid_round, 0);
	kit_timeout(&kit, 0, STEP_PRECOMMIT);
	const struct consensus_effect *e = kit_expect(&kit, EFFECT_SIGN_PROPOSAL);
	struct block_id a = kit_block('A');
	assert_true(block_id_equal(&e->proposal.block_id, &a));
	assert_int_equal(e->proposal.round, 1);
	assert_int_equal(e->proposal.pol_round, 0);
	kit_expect_no(&kit, EFFECT_BUILD_PROPOSAL);
}

static void a_quorum_for_a_block_that_is_not_here_locks_nothing_and_asks_for_it(void **state)
{
	kit_begin(&kit);
	kit_proposal(&kit, 0, -1, 'A');
	kit_timeout(&kit, 0, STEP_PROPOSE);
	kit_votes(&kit, 3, VOTE_PREVOTE, 0, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 0);
	kit_expect(&kit, EFFECT_NEED_BLOCK);
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_here(&kit, 'A');
	kit_checked(&kit, 'A', true);
	kit_expect_vote(&kit, VOTE_PRECOMMIT, 0, 'A');
	assert_int_equal(kit.core.locked_round, 0);
}

static void a_quorum_for_nil_gets_a_precommit_for_nil(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_votes(&kit, 3, VOTE_PREVOTE, 0, 0);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
	kit_expect_vote(&kit, VOTE_PRECOMMIT, 0, 0);
	assert_int_equal(kit.core.locked_round, -1);
}

/* ---- timeouts and rounds ---- */

static void a_split_vote_starts_the_prevote_timeout_once_and_ends_in_nil(void **state)
{
	kit_begin(&kit);
	kit_expect_timer(&kit, 0, STEP_PROPOSE, 3000);
	kit_arrives(&kit, 0, -1, 'A');
	kit_vote(&kit, 0, VOTE_PREVOTE, 0, 'A');
	kit_expect_no(&kit, EFFECT_TIMER);
	kit_vote(&kit, 1, VOTE_PREVOTE, 0, 0);
	kit_expect_timer(&kit, 0, STEP_PREVOTE, 1000);
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_vote(&kit, 2, VOTE_PREVOTE, 0, 'B');
	kit_expect_no(&kit, EFFECT_TIMER);
	kit_timeout(&kit, 0, STEP_PREVOTE);
	kit_expect_vote(&kit, VOTE_PRECOMMIT, 0, 0);
	kit_expect_no(&kit, EFFECT_TIMER);
}

static void any_quorum_of_precommits_starts_the_timeout_that_ends_the_round(void **state)
{
	kit_begin(&kit);
	kit_expect_timer(&kit, 0, STEP_PROPOSE, 3000);
	kit_vote(&kit, 0, VOTE_PRECOMMIT, 0, 'A');
	kit_vote(&kit, 1, VOTE_PRECOMMIT, 0, 0);
	kit_expect_no(&kit, EFFECT_TIMER);
	kit_vote(&kit, 2, VOTE_PRECOMMIT, 0, 0);
	kit_expect_timer(&kit, 0, STEP_PRECOMMIT, 1100);
	kit_timeout(&kit, 0, STEP_PRECOMMIT);
	assert_int_equal(kit.core.round, 1);
	assert_int_equal(kit.core.step, STEP_PROPOSE);
	kit_expect_timer(&kit, 1, STEP_PROPOSE, 3500);
}

static void timeouts_grow_with_the_round(void **state)
{
	kit_begin(&kit);
	for (int32_t round = 0; round < 40; round++) {
		kit_expect_timer(&kit, round, STEP_PROPOSE, 3000 + 500 * (uint64_t)round);
		kit_timeout(&kit, round, STEP_PRECOMMIT);
	}
}

static void more_than_a_third_in_a_later_round_take_us_there_and_a_third_does_not(void **state)
{
	kit_begin(&kit);
	kit_vote(&kit, 0, VOTE_PREVOTE, 5, 0);
	assert_int_equal(kit.core.round, 0); /* 1 of 4 */
	kit_vote(&kit, 0, VOTE_PRECOMMIT, 6, 0);
	assert_int_equal(kit.core.round, 0); /* the same one again */
	kit_vote(&kit, 1, VOTE_PREVOTE, 4, 0);
	assert_int_equal(kit.core.round, 4); /* 2 of 4 are in 4 or later */
	kit_vote(&kit, 2, VOTE_PREVOTE, 6, 0);
	assert_int_equal(kit.core.round, 6);
}

static void votes_of_a_far_round_are_not_kept_but_still_call_us_there(void **state)
{
	kit_begin(&kit);
	kit_vote(&kit, 0, VOTE_PREVOTE, 1000, 0);
	kit_vote(&kit, 1, VOTE_PREVOTE, 1000, 0);
	assert_int_equal(kit.core.round, 1000);
	kit_expect_timer(&kit, 0, STEP_PROPOSE, 3000);
	kit_expect_timer(&kit, 1000, STEP_PROPOSE, 503000);
}

static void a_proof_of_lock_stays_in_view_however_many_rounds_pass(void **state)
{
	lock_on_a(100);
	kit_arrives(&kit, 100, 0, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 100, 'A');
}

static void a_proof_of_lock_that_is_older_than_the_view_is_still_taken(void **state)
{
	kit_begin(&kit);
	for (int32_t round = 0; round < 100; round++)
		kit_timeout(&kit, round, STEP_PRECOMMIT);
	kit_read_all(&kit);
	kit_arrives(&kit, 100, 2, 'A');
	kit_vote(&kit, 0, VOTE_PREVOTE, 2, 'A');
	for (int32_t round = 0; round < 100; round++) /* somebody chats of the old days */
		kit_vote(&kit, 1, VOTE_PREVOTE, round, round == 2 ? 'A' : 0);
	kit_vote(&kit, 2, VOTE_PREVOTE, 2, 'A');
	kit_expect_vote(&kit, VOTE_PREVOTE, 100, 'A');
}

static void a_decision_that_is_older_than_the_view_is_still_taken(void **state)
{
	kit_begin(&kit);
	for (int32_t round = 0; round < 100; round++)
		kit_timeout(&kit, round, STEP_PRECOMMIT);
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 1, 'A');
	kit_here(&kit, 'A');
	kit_checked(&kit, 'A', true);
	kit_expect(&kit, EFFECT_EXECUTE);
}

static void one_validator_can_not_fill_the_view_with_far_rounds(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	for (int32_t round = 0; round < 1000; round++)
		kit_vote(&kit, 0, VOTE_PREVOTE, round, 0);
	for (int32_t round = 0; round < 1000; round++)
		assert_int_equal(round_find(&kit.core, round) != NULL, round <= ROUNDS_AHEAD);
	assert_true(round_find(&kit.core, 0)->has_proposal);
}

static void a_round_entered_late_uses_what_came_before_we_did(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 2, -1, 'A');
	kit_votes(&kit, 2, VOTE_PREVOTE, 2, 'A');
	assert_int_equal(kit.core.round, 2);
	kit_expect_vote(&kit, VOTE_PREVOTE, 2, 'A');
	kit_expect_vote(&kit, VOTE_PRECOMMIT, 2, 'A');
}

/* ---- messages of other times ---- */

static void answers_and_timeouts_of_past_rounds_and_other_heights_change_nothing(void **state)
{
	kit_begin(&kit);
	kit_timeout(&kit, 0, STEP_PRECOMMIT);
	kit_read_all(&kit);
	kit_built(&kit, 0, 'A');
	kit_timeout(&kit, 0, STEP_PROPOSE);
	kit_timeout(&kit, 0, STEP_PREVOTE);
	kit_timeout(&kit, 0, STEP_PRECOMMIT);
	kit_refuse(&kit, 0);
	kit_executed(&kit, 'A');
	kit.core.height = 2; /* what follows is of the height after ours */
	struct consensus_input strangers[4] = {
		{.kind = IN_VOTE}, {.kind = IN_PROPOSAL}, {.kind = IN_BLOCK}, {.kind = IN_TIMEOUT}};
	strangers[0].u.vote.type = VOTE_PREVOTE;
	strangers[0].u.vote.height = 3;
	strangers[1].u.proposal.height = 3;
	strangers[1].u.proposal.pol_round = -1;
	strangers[1].u.proposal.block_id = kit_block('A');
	strangers[2].u.block.height = 1;
	strangers[2].u.block.block = kit_block('A');
	strangers[3].u.point.height = 1;
	strangers[3].u.point.round = 1;
	strangers[3].u.point.step = STEP_PROPOSE;
	for (size_t i = 0; i < 4; i++)
		kit_input(&kit, &strangers[i]);
	kit.core.height = 1;
	kit_expect_nothing(&kit);
	assert_int_equal(kit.core.round, 1);
	assert_int_equal(kit.core.step, STEP_PROPOSE);
}

static void votes_of_nobody_change_nothing(void **state)
{
	kit_begin(&kit);
	kit_read_all(&kit);
	kit_vote(&kit, 4, VOTE_PREVOTE, 0, 'A');
	kit_vote(&kit, UINT32_MAX, VOTE_PREVOTE, 0, 'A');
	kit_vote(&kit, 0, VOTE_PREVOTE, -1, 'A');
	kit_vote(&kit, 0, VOTE_PREVOTE, INT32_MIN, 'A');
	kit_expect_nothing(&kit);
}

static void two_votes_of_one_validator_are_evidence_and_each_counts_for_its_block(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_vote(&kit, 0, VOTE_PREVOTE, 0, 0);
	kit_vote(&kit, 0, VOTE_PREVOTE, 0, 'A');
	const struct consensus_effect *e = kit_expect(&kit, EFFECT_EVIDENCE);
	struct block_id a = kit_block('A'), nil = kit_block(0);
	assert_true(block_id_equal(&e->vote.block_id, &nil));
	assert_true(block_id_equal(&e->other.block_id, &a));
	assert_int_equal(e->vote.index, 0);
	kit_vote(&kit, 1, VOTE_PREVOTE, 0, 'A');
	kit_expect_vote(&kit, VOTE_PRECOMMIT, 0, 'A');
}

/* ---- timeliness ---- */

static void timeliness_has_a_bound_on_both_sides_and_only_the_past_one_grows(void **state)
{
	static const struct {
		uint64_t message_delay_ms;
		int32_t round;
		uint64_t past_ms; /* the oldest block that is in time */
	} table[] = {
		{2000, 0, 2500},
		{2000, 1, 2700},
		{2000, 2, 2920},
		{2000, 3, 3162},
		{2000, 4, 3428}, /* 2662 + 266 */
		{2000, 79, 3600500},
		{2000, 1000, 3600500},
		{2000, INT32_MAX, 3600500},
		{9, 1000, 509}, /* a tenth of 9 is nothing */
		{10, 1, 511},
		{60000, 0, 60500},
		{60000, 100, 3600500},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct consensus_timing timing = {
			.precision_ms = 500, .message_delay_ms = table[i].message_delay_ms};
		int64_t arrival_ms = INT64_C(1700000000000);
		struct timestamp arrival = timestamp_of_ms(arrival_ms);
		int64_t past_ms = arrival_ms - (int64_t)table[i].past_ms;
		int64_t future_ms = arrival_ms + 500;
		int32_t round = table[i].round;
		assert_true(consensus_timely(&timing, round, timestamp_of_ms(past_ms), arrival));
		assert_false(
			consensus_timely(&timing, round, timestamp_of_ms(past_ms - 1), arrival));
		assert_true(consensus_timely(&timing, round, arrival, arrival));
		assert_true(consensus_timely(&timing, round, timestamp_of_ms(future_ms), arrival));
		assert_false(
			consensus_timely(&timing, round, timestamp_of_ms(future_ms + 1), arrival));
	}
}

static void our_own_proposal_is_timely_even_when_its_signature_took_an_hour(void **state)
{
	kit.hold_signatures = true;
	kit_begin(&kit);
	kit_built(&kit, 0, 'A');
	kit.now.seconds += 3600;
	kit_sign(&kit, kit_expect(&kit, EFFECT_SIGN_PROPOSAL));
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
}

#define OF_THREE(f) cmocka_unit_test_setup_teardown(f, as_number_three, closes)
#define OF_ZERO(f)  cmocka_unit_test_setup_teardown(f, as_number_zero, closes)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_proposer_asks_for_a_block_and_the_others_wait_for_it),
		cmocka_unit_test(the_turn_goes_round_by_round_and_height_by_height),
		cmocka_unit_test(power_buys_turns_in_proportion),
		OF_ZERO(a_vote_of_another_starts_the_height),
		OF_ZERO(what_was_built_is_proposed_prevoted_and_its_block_is_not_asked_about),
		OF_THREE(a_good_proposal_gets_our_prevote_once_its_block_is_here_and_checked),
		OF_THREE(the_order_in_which_proposal_and_block_arrive_does_not_matter),
		OF_THREE(a_block_is_asked_about_once),
		OF_THREE(an_invalid_block_gets_nil),
		cmocka_unit_test(a_proposal_that_is_late_or_early_gets_nil),
		OF_THREE(timeliness_is_judged_when_the_proposal_comes_not_when_its_block_does),
		OF_THREE(a_proposal_whose_time_is_not_its_headers_gets_nil),
		OF_THREE(a_verdict_that_nobody_asked_for_is_not_believed),
		OF_THREE(a_silent_proposer_costs_the_propose_timeout_and_gets_nil),
		OF_THREE(only_the_first_proposal_of_a_round_counts),
		OF_THREE(a_quorum_of_prevotes_locks_the_block_and_gets_our_precommit),
		OF_THREE(locked_on_a_block_we_prevote_it_again_and_nil_for_any_other),
		cmocka_unit_test(a_lock_yields_to_a_newer_quorum_and_not_to_an_older_one),
		OF_THREE(the_locked_block_itself_is_prevoted_whatever_round_its_quorum_is_of),
		OF_THREE(a_proposal_with_a_proof_of_lock_waits_for_that_proof),
		OF_THREE(a_proof_of_lock_that_never_comes_costs_the_timeout),
		OF_THREE(a_proof_of_lock_from_this_round_or_later_is_no_proposal),
		OF_THREE(an_old_block_needs_no_timely_arrival_when_a_quorum_stood_behind_it),
		OF_THREE(
			a_quorum_seen_after_our_precommit_is_remembered_and_proposed_but_locks_nothing),
		OF_THREE(a_quorum_for_a_block_that_is_not_here_locks_nothing_and_asks_for_it),
		OF_THREE(a_quorum_for_nil_gets_a_precommit_for_nil),
		OF_THREE(a_split_vote_starts_the_prevote_timeout_once_and_ends_in_nil),
		OF_THREE(any_quorum_of_precommits_starts_the_timeout_that_ends_the_round),
		OF_THREE(timeouts_grow_with_the_round),
		OF_THREE(more_than_a_third_in_a_later_round_take_us_there_and_a_third_does_not),
		OF_THREE(votes_of_a_far_round_are_not_kept_but_still_call_us_there),
		OF_THREE(a_proof_of_lock_stays_in_view_however_many_rounds_pass),
		OF_THREE(a_proof_of_lock_that_is_older_than_the_view_is_still_taken),
		OF_THREE(a_decision_that_is_older_than_the_view_is_still_taken),
		OF_THREE(one_validator_can_not_fill_the_view_with_far_rounds),
		OF_THREE(a_round_entered_late_uses_what_came_before_we_did),
		OF_THREE(answers_and_timeouts_of_past_rounds_and_other_heights_change_nothing),
		OF_THREE(votes_of_nobody_change_nothing),
		OF_THREE(two_votes_of_one_validator_are_evidence_and_each_counts_for_its_block),
		cmocka_unit_test(timeliness_has_a_bound_on_both_sides_and_only_the_past_one_grows),
		OF_ZERO(our_own_proposal_is_timely_even_when_its_signature_took_an_hour),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
