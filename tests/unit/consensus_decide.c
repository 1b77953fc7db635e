/* core: how a height is decided, what must be durable before anything is said, and how a validator
 * takes up a height again after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static int alone(void **state)
{
	kit_open(&kit, 1, NULL, 0);
	return 0;
}

static int closes(void **state)
{
	kit_close(&kit);
	return 0;
}

static void expect_execution(int32_t round, char letter)
{
	const struct consensus_effect *e = kit_expect(&kit, EFFECT_EXECUTE);
	struct block_id block = kit_block(letter);
	assert_int_equal(e->round, round);
	assert_true(block_id_equal(&e->block, &block));
	kit_expect_no(&kit, EFFECT_EXECUTE);
}

/* ---- deciding ---- */

static void a_quorum_of_precommits_executes_then_commits_then_begins_the_next_height(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_votes(&kit, 2, VOTE_PREVOTE, 0, 'A');
	kit_votes(&kit, 1, VOTE_PRECOMMIT, 0, 'A');
	kit_expect_no(&kit, EFFECT_EXECUTE);
	kit_votes(&kit, 2, VOTE_PRECOMMIT, 0, 'A');
	expect_execution(0, 'A');
	kit_expect_no(&kit, EFFECT_COMMIT);
	kit_executed(&kit, 'B'); /* of another block: not an answer */
	kit_expect_no(&kit, EFFECT_COMMIT);
	kit_executed(&kit, 'A');
	kit_expect(&kit, EFFECT_COMMIT);
	kit_executed(&kit, 'A');
	kit_expect_no(&kit, EFFECT_COMMIT);
	kit_committed(&kit);
	assert_int_equal(kit.core.height, 2);
	assert_int_equal(kit.core.step, STEP_WAIT);
	assert_int_equal(kit.core.locked_round, -1);
}

static void alone_every_step_follows_from_our_own_signature(void **state)
{
	kit_begin(&kit);
	kit_built(&kit, 0, 'A');
	kit_expect(&kit, EFFECT_SIGN_PROPOSAL);
	kit_expect_vote(&kit, VOTE_PREVOTE, 0, 'A');
	kit_expect_vote(&kit, VOTE_PRECOMMIT, 0, 'A');
	expect_execution(0, 'A');
}

static void an_earlier_round_can_decide_while_we_are_in_a_later_one(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	for (int32_t round = 0; round < 5; round++)
		kit_timeout(&kit, round, STEP_PRECOMMIT);
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 0, 'A');
	expect_execution(0, 'A');
}

static void a_later_round_can_decide_before_we_get_there(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 3, -1, 'A');
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 3, 'A');
	expect_execution(3, 'A');
}

static void a_decision_waits_for_its_block_and_asks_for_it(void **state)
{
	kit_begin(&kit);
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 0, 'A');
	const struct consensus_effect *e = kit_expect(&kit, EFFECT_NEED_BLOCK);
	struct block_id a = kit_block('A');
	assert_true(block_id_equal(&e->block, &a));
	kit_expect_no(&kit, EFFECT_EXECUTE);
	kit_here(&kit, 'A');
	kit_expect_no(&kit, EFFECT_EXECUTE);
	kit_checked(&kit, 'A', true);
	expect_execution(0, 'A');
}

static void a_decision_is_kept_however_many_rounds_pass_before_its_block_comes(void **state)
{
	kit_begin(&kit);
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 0, 'A');
	for (int32_t round = 0; round < 100; round++) {
		kit_timeout(&kit, round, STEP_PRECOMMIT);
		kit_vote(&kit, 0, VOTE_PREVOTE, round + 8, 0); /* fills the view ahead */
	}
	kit_here(&kit, 'A');
	kit_checked(&kit, 'A', true);
	expect_execution(0, 'A');
	/* More rounds while it executes: the precommits stay, the commit is made of them. */
	for (int32_t round = 101; round < 109; round++)
		kit_vote(&kit, 1, VOTE_PREVOTE, round, 0);
	kit_executed(&kit, 'A');
	kit_committed(&kit);
	assert_true(kit.core.has_last_commit);
	assert_int_equal(kit.core.last_precommits.round, 0);
	assert_true(tally_has_any_quorum(&kit.core.last_precommits));
}

static void a_quorum_of_nil_precommits_decides_nothing(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 0, 0);
	kit_expect_no(&kit, EFFECT_EXECUTE);
}

static void others_deciding_what_we_find_invalid_is_told_and_not_executed(void **state)
{
	kit_begin(&kit);
	kit_proposal(&kit, 0, -1, 'A');
	kit_here(&kit, 'A');
	kit_checked(&kit, 'A', false);
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 0, 'A');
	kit_expect(&kit, EFFECT_DISAGREE);
	kit_expect_no(&kit, EFFECT_EXECUTE);
}

static void while_a_block_executes_no_other_is_looked_at_and_nothing_is_signed(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 0, 'A');
	expect_execution(0, 'A');
	kit_read_all(&kit);
	for (int phase = 0; phase < 2; phase++) {
		kit_proposal(&kit, 1, -1, 'B');
		kit_here(&kit, 'B');
		kit_timeout(&kit, 0, STEP_PRECOMMIT);
		kit_votes(&kit, 3, VOTE_PREVOTE, 4, 0);
		kit_refuse(&kit, 0);
		kit_expect_nothing(&kit);
		if (phase == 0)
			kit_executed(&kit, 'A');
		kit_read_all(&kit);
	}
}

static void a_block_that_is_being_judged_is_not_forgotten_for_others(void **state)
{
	kit_begin(&kit);
	for (int i = 0; i < BLOCKS_KEPT + 4; i++)
		kit_here(&kit, (char)('A' + i));
	size_t judged = 0;
	while (kit.read_at < kit.effect_count)
		judged += kit.effects[kit.read_at++].kind == EFFECT_CHECK_PROPOSAL;
	assert_int_equal(judged, BLOCKS_KEPT);
	kit_checked(&kit, 'A', false);
	kit_here(&kit, 'Z');
	kit_expect(&kit, EFFECT_CHECK_PROPOSAL);
}

/* ---- the last commit ---- */

static void the_deciding_precommits_and_late_ones_become_the_last_commit(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_votes(&kit, 2, VOTE_PREVOTE, 0, 'A');
	kit_votes(&kit, 2, VOTE_PRECOMMIT, 0, 'A');
	kit_executed(&kit, 'A');
	kit_committed(&kit);
	const struct tally *last = &kit.core.last_precommits;
	assert_true(kit.core.has_last_commit);
	assert_int_equal(last->power_any, 3);
	struct consensus_input late = {.kind = IN_VOTE};
	late.u.vote.type = VOTE_PRECOMMIT;
	late.u.vote.height = 1;
	late.u.vote.index = 2;
	late.u.vote.block_id = kit_block('A');
	late.u.vote.round = 1; /* of another round: no part of that commit */
	kit_input(&kit, &late);
	assert_int_equal(last->power_any, 3);
	late.u.vote.round = 0;
	kit_input(&kit, &late);
	assert_int_equal(last->power_any, 4);
	assert_int_equal(kit.core.step, STEP_WAIT); /* no reason to start the next height */
}

static void what_the_store_says_restores_the_last_commit(void **state)
{
	struct vote votes[3];
	memset(votes, 0, sizeof votes);
	for (uint32_t i = 0; i < 3; i++) {
		votes[i].type = VOTE_PRECOMMIT;
		votes[i].round = 2;
		votes[i].index = i + 1;
		votes[i].block_id = kit_block('A');
	}
	assert_int_equal(consensus_restore_last_commit(&kit.core, &kit.core.validators, votes, 3),
		STATUS_OK);
	struct block_id a = kit_block('A');
	assert_true(tally_has_quorum_for(&kit.core.last_precommits, &a));
	assert_int_equal(kit.core.last_precommits.round, 2);
}

/* ---- durable before said ---- */

static void among_others_everything_logged_is_durable_before_any_signature_is_asked_for(
	void **state)
{
	kit_begin(&kit);
	kit_built(&kit, 0, 'A');
	kit_votes(&kit, 3, VOTE_PREVOTE, 0, 'A');
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 0, 'A');
	size_t asked = 0;
	for (size_t i = 0; i < kit.effect_count; i++) {
		enum consensus_effect_kind kind = kit.effects[i].kind;
		if (kind != EFFECT_SIGN_PROPOSAL && kind != EFFECT_SIGN_VOTE)
			continue;
		assert_true(i > 0 && kit.effects[i - 1].kind == EFFECT_PERSIST);
		asked++;
	}
	assert_int_equal(asked, 3);
}

static void a_signature_is_durable_before_it_is_sent(void **state)
{
	kit_begin(&kit);
	kit_built(&kit, 0, 'A');
	kit_votes(&kit, 3, VOTE_PREVOTE, 0, 'A');
	size_t sent = 0;
	for (size_t i = 0; i < kit.effect_count; i++) {
		enum consensus_effect_kind kind = kit.effects[i].kind;
		if (kind != EFFECT_SEND_PROPOSAL && kind != EFFECT_SEND_VOTE)
			continue;
		assert_true(i > 0 && kit.effects[i - 1].kind == EFFECT_PERSIST);
		sent++;
	}
	assert_int_equal(sent, 3);
}

static void alone_a_lock_is_durable_before_its_precommit_too(void **state)
{
	kit_begin(&kit);
	kit_built(&kit, 0, 'A');
	for (size_t i = 0; i < kit.effect_count; i++) {
		const struct consensus_effect *e = &kit.effects[i];
		if (e->kind == EFFECT_SIGN_VOTE && e->vote.type == VOTE_PRECOMMIT)
			assert_int_equal(kit.effects[i - 1].kind, EFFECT_PERSIST);
	}
}

static void a_vote_is_dated_after_the_block_it_is_for(void **state)
{
	kit.now.seconds -= 1; /* our clock is behind the proposer's, but within the precision */
	kit.now.nanos = 600 * 1000 * 1000;
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	const struct consensus_effect *e = kit_expect(&kit, EFFECT_SIGN_VOTE);
	int64_t least_ms = timestamp_ms(kit_block_time()) + 1;
	assert_int_equal(timestamp_ms(e->vote.time), least_ms);
}

/* ---- refused signatures ---- */

static void alone_a_refused_signature_goes_on_in_the_next_round(void **state)
{
	kit.hold_signatures = true;
	kit_begin(&kit);
	kit_built(&kit, 0, 'A');
	kit_read_all(&kit);
	for (int32_t round = 0; round < 5; round++) {
		kit_refuse(&kit, round);
		assert_int_equal(kit.core.round, round + 1);
		kit_expect_timer(&kit, round + 1, STEP_PROPOSE, 3500 + 500 * (uint64_t)round);
		kit_expect(&kit, EFFECT_BUILD_PROPOSAL);
	}
	kit.hold_signatures = false;
	kit_built(&kit, 5, 'B');
	expect_execution(5, 'B');
}

static void among_four_a_refused_signature_leaves_the_round_to_the_others(void **state)
{
	kit.hold_signatures = true;
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_refuse(&kit, 0);
	assert_int_equal(kit.core.round, 0);
	kit_votes(&kit, 3, VOTE_PREVOTE, 0, 'A');
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 0, 'A');
	expect_execution(0, 'A');
}

static void a_full_node_follows_and_never_asks_for_a_signature(void **state)
{
	kit_open(&kit, 4, NULL, -1);
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_timeout(&kit, 0, STEP_PROPOSE);
	kit_votes(&kit, 4, VOTE_PREVOTE, 0, 'A');
	kit_refuse(&kit, 0);
	kit_votes(&kit, 4, VOTE_PRECOMMIT, 0, 'A');
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_expect_no(&kit, EFFECT_SIGN_PROPOSAL);
	expect_execution(0, 'A');
	kit_close(&kit);
}

/* ---- restarts ---- */

static void a_restart_sends_recorded_signatures_again_and_makes_none_anew(void **state)
{
	kit_begin(&kit);
	kit_built(&kit, 0, 'A');
	kit_votes(&kit, 2, VOTE_PREVOTE, 0, 'A');
	kit.now.seconds += 100;
	kit.hold_signatures = true;
	kit_restart(&kit);
	const struct consensus_effect *e = kit_expect(&kit, EFFECT_SEND_PROPOSAL);
	assert_int_equal(e->proposal.signature.b[0], 0x51);
	e = kit_expect(&kit, EFFECT_SEND_VOTE);
	assert_int_equal(e->vote.type, VOTE_PREVOTE);
	assert_int_equal(e->vote.signature.b[0], 0x52);
	assert_int_equal(e->vote.time.seconds, KIT_MS);
	e = kit_expect(&kit, EFFECT_SEND_VOTE);
	assert_int_equal(e->vote.type, VOTE_PRECOMMIT);
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
	kit_expect_no(&kit, EFFECT_SIGN_PROPOSAL);
	kit_expect_no(&kit, EFFECT_BUILD_PROPOSAL);
	kit.read_at = 0;
	size_t resumed = 0;
	while (kit.read_at < kit.effect_count)
		resumed += kit.effects[kit.read_at++].kind == EFFECT_SIGN_VOTE;
	assert_int_equal(resumed, 2); /* of the first life */
	assert_int_equal(kit.core.locked_round, 0);
}

static void a_restart_asks_again_for_the_very_bytes_whose_signature_was_lost(void **state)
{
	kit.hold_signatures = true;
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	struct vote asked = kit_expect(&kit, EFFECT_SIGN_VOTE)->vote;
	kit.now.seconds += 100;
	kit_restart(&kit);
	const struct consensus_effect *e = kit_expect(&kit, EFFECT_SIGN_VOTE);
	struct buf before = {0}, after = {0};
	vote_sign_bytes(&before, "chain", &asked);
	vote_sign_bytes(&after, "chain", &e->vote);
	assert_true(bytes_equal(buf_view(&before), buf_view(&after)));
	buf_fini(&before);
	buf_fini(&after);
	kit_expect_no(&kit, EFFECT_SIGN_VOTE);
}

static void a_restart_asks_again_for_the_very_proposal_whose_signature_was_lost(void **state)
{
	kit.hold_signatures = true;
	kit_begin(&kit);
	kit_built(&kit, 0, 'A');
	kit_restart(&kit);
	const struct consensus_effect *e = kit_expect(&kit, EFFECT_SIGN_PROPOSAL);
	struct block_id a = kit_block('A');
	assert_true(block_id_equal(&e->proposal.block_id, &a));
	kit_expect_no(&kit, EFFECT_BUILD_PROPOSAL);
}

static void a_restart_asks_again_for_a_block_a_verdict_or_an_execution(void **state)
{
	kit_begin(&kit);
	kit_restart(&kit);
	kit_expect(&kit, EFFECT_BUILD_PROPOSAL);
	kit_proposal(&kit, 0, -1, 'A');
	kit_here(&kit, 'B');
	kit_restart(&kit);
	kit_expect(&kit, EFFECT_CHECK_PROPOSAL);
	kit_checked(&kit, 'B', true);
	kit_votes(&kit, 3, VOTE_PRECOMMIT, 0, 'B');
	expect_execution(0, 'B');
	kit_restart(&kit);
	expect_execution(0, 'B');
	kit_executed(&kit, 'B');
	kit_expect(&kit, EFFECT_COMMIT);
	kit_restart(&kit); /* before the write was durable */
	expect_execution(0, 'B');
}

static void a_restart_keeps_lock_round_votes_and_timers(void **state)
{
	kit_begin(&kit);
	kit_arrives(&kit, 0, -1, 'A');
	kit_votes(&kit, 2, VOTE_PREVOTE, 0, 'A');
	kit_timeout(&kit, 0, STEP_PRECOMMIT);
	kit_vote(&kit, 0, VOTE_PREVOTE, 1, 0);
	kit_restart(&kit);
	assert_int_equal(kit.core.round, 1);
	assert_int_equal(kit.core.locked_round, 0);
	kit_expect_timer(&kit, 1, STEP_PROPOSE, 3500);
	kit_arrives(&kit, 1, -1, 'B');
	kit_expect_vote(&kit, VOTE_PREVOTE, 1, 0);
	kit_vote(&kit, 1, VOTE_PREVOTE, 1, 'B');
	kit_expect_timer(&kit, 1, STEP_PREVOTE, 1500);
	kit_restart(&kit);
	kit_expect_timer(&kit, 1, STEP_PROPOSE, 3500);
	kit_expect_timer(&kit, 1, STEP_PREVOTE, 1500);
}

static void a_restart_of_a_height_that_had_not_begun_waits(void **state)
{
	kit_restart(&kit);
	kit_expect_nothing(&kit);
	assert_int_equal(kit.core.step, STEP_WAIT);
}

#define OF_THREE(f) cmocka_unit_test_setup_teardown(f, as_number_three, closes)
#define OF_ZERO(f)  cmocka_unit_test_setup_teardown(f, as_number_zero, closes)
#define ALONE(f)    cmocka_unit_test_setup_teardown(f, alone, closes)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF_THREE(a_quorum_of_precommits_executes_then_commits_then_begins_the_next_height),
		ALONE(alone_every_step_follows_from_our_own_signature),
		OF_THREE(an_earlier_round_can_decide_while_we_are_in_a_later_one),
		OF_THREE(a_later_round_can_decide_before_we_get_there),
		OF_THREE(a_decision_waits_for_its_block_and_asks_for_it),
		OF_THREE(a_decision_is_kept_however_many_rounds_pass_before_its_block_comes),
		OF_THREE(a_quorum_of_nil_precommits_decides_nothing),
		OF_THREE(others_deciding_what_we_find_invalid_is_told_and_not_executed),
		OF_THREE(while_a_block_executes_no_other_is_looked_at_and_nothing_is_signed),
		OF_THREE(a_block_that_is_being_judged_is_not_forgotten_for_others),
		OF_THREE(the_deciding_precommits_and_late_ones_become_the_last_commit),
		OF_THREE(what_the_store_says_restores_the_last_commit),
		OF_ZERO(among_others_everything_logged_is_durable_before_any_signature_is_asked_for),
		OF_ZERO(a_signature_is_durable_before_it_is_sent),
		ALONE(alone_a_lock_is_durable_before_its_precommit_too),
		OF_THREE(a_vote_is_dated_after_the_block_it_is_for),
		ALONE(alone_a_refused_signature_goes_on_in_the_next_round),
		OF_THREE(among_four_a_refused_signature_leaves_the_round_to_the_others),
		cmocka_unit_test(a_full_node_follows_and_never_asks_for_a_signature),
		OF_ZERO(a_restart_sends_recorded_signatures_again_and_makes_none_anew),
		OF_THREE(a_restart_asks_again_for_the_very_bytes_whose_signature_was_lost),
		OF_ZERO(a_restart_asks_again_for_the_very_proposal_whose_signature_was_lost),
		OF_ZERO(a_restart_asks_again_for_a_block_a_verdict_or_an_execution),
		OF_THREE(a_restart_keeps_lock_round_votes_and_timers),
		OF_THREE(a_restart_of_a_height_that_had_not_begun_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
