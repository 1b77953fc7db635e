/* node/stall: in words and in the log, what a chain waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "node/stall.h"

/* Four of power 10, all linked and up to date but node0, which is this one. */
static struct stall four(enum stall_kind kind)
{
	struct stall s = {.kind = kind,
		.height = 812,
		.round = 3,
		.waiting_ms = 41000,
		.count = 4,
		.need = 27,
		.total = 40,
		.need_count = 3,
		.proposer = 2};
	for (uint32_t i = 0; i < 4; i++) {
		struct stall_seat *seat = &s.seats[i];
		snprintf(seat->name, sizeof seat->name, "node%u", i);
		seat->power = 10;
		seat->contact = i == 0 ? STALL_ME : STALL_LINKED;
		seat->told = i != 0;
		seat->height = 812;
		seat->round = 3;
		seat->step = STEP_PRECOMMIT;
	}
	return s;
}

static void votes(struct stall *s, uint32_t index)
{
	s->seats[index].voted = true;
	s->have += s->seats[index].power;
	s->have_count++;
}

static void expect(const struct stall *s, const char *text)
{
	struct buf got = {0};
	stall_text(&got, s);
	assert_string_equal(buf_text(&got), text);
	buf_fini(&got);
}

static void a_stalled_height_names_who_voted_and_who_is_missing_and_where_he_is(void **state)
{
	struct stall s = four(STALL_PRECOMMITS);
	votes(&s, 0);
	votes(&s, 1);
	s.seats[1].for_nil = true;
	s.seats[2].contact = STALL_AWAY;
	s.seats[2].away_ms = 41999;
	s.seats[3].round = 1;
	expect(&s, "height 812 round 3 waits for precommits: have 2 of 4 (node0, node1 for nil), "
		   "need 3; missing: node2 (not connected for 41 s), node3 (in round 1)");
}

static void each_way_to_be_missing_has_its_words(void **state)
{
	struct stall s = four(STALL_PREVOTES);
	s.seats[0].voted = true;
	s.have = 10;
	s.have_count = 1;
	s.seats[1].silent_ms = 12000;
	s.seats[2].height = 790;
	s.seats[3].contact = STALL_UNKNOWN;
	expect(&s, "height 812 round 3 waits for prevotes: have 1 of 4 (node0), need 3; missing: "
		   "node1 (connected, silent for 12 s), node2 (at height 790), node3 (no listed "
		   "peer is known to be it)");
	s.seats[1].silent_ms = 0;
	s.seats[3].contact = STALL_LINKED;
	s.seats[3].silent = true;
	expect(&s, "height 812 round 3 waits for prevotes: have 1 of 4 (node0), need 3; missing: "
		   "node1 (connected, step precommit), node2 (at height 790), node3 (connected, "
		   "says that it may not vote)");
	s.seats[3].silent = false;
	s.seats[1].told = false;
	s.seats[2].height = 812;
	s.seats[3] = s.seats[2];
	s.seats[3].contact = STALL_ME;
	expect(&s, "height 812 round 3 waits for prevotes: have 1 of 4 (node0), need 3; missing: "
		   "node1 (connected, silent for 0 s), node2 (connected, step precommit), node2 "
		   "(this node)");
}

static void unequal_powers_are_counted_as_power(void **state)
{
	struct stall s = four(STALL_PREVOTES);
	s.need_count = 0;
	s.seats[3].power = 70;
	s.total = 100;
	s.need = 67;
	votes(&s, 0);
	votes(&s, 1);
	votes(&s, 2);
	expect(&s, "height 812 round 3 waits for prevotes: have power 30 of 100 (node0, node1, "
		   "node2), need 67; missing: node3 (connected, step precommit)");
}

static void votes_that_differ_are_told_from_votes_that_are_missing(void **state)
{
	struct stall s = four(STALL_PREVOTES);
	for (uint32_t i = 0; i < 4; i++)
		votes(&s, i);
	s.seats[2].for_nil = s.seats[3].for_nil = true;
	expect(&s, "height 812 round 3 waits for prevotes: have 4 of 4 (node0, node1, node2 for "
		   "nil, node3 for nil), need 3, but they differ: another round follows");
}

static void what_is_no_vote_has_its_own_sentence(void **state)
{
	struct stall s = four(STALL_PROPOSAL);
	s.seats[2].contact = STALL_AWAY;
	expect(&s, "height 812 round 3 waits for the proposal of node2 (not connected for 0 s); "
		   "node2: not connected for 0 s");
	s.seats[2].contact = STALL_LINKED;
	s.parts_missing = true;
	expect(&s, "height 812 round 3 waits for the block proposed by node2 (connected, step "
		   "precommit)");
	s = four(STALL_BLOCKS);
	s.ahead = 900;
	expect(&s, "height 812 is being fetched from peers, who decide height 900");
	s = four(STALL_WRITING);
	expect(&s, "height 812 round 3 is decided; this node writes it");
	s = four(STALL_NOTHING);
	s.seats[1].contact = STALL_UNKNOWN;
	s.seats[3].contact = STALL_AWAY;
	s.seats[3].away_ms = 8000;
	expect(&s, "height 812 has nothing to decide yet: it begins with a transaction, or at the "
		   "heartbeat; node1: no listed peer is known to be it, node3: not connected for "
		   "8 s");
}

static void who_may_not_vote_himself_says_why(void **state)
{
	struct stall s = four(STALL_PREVOTES);
	votes(&s, 1);
	votes(&s, 2);
	s.seats[0].silent = true;
	s.silent = "no_fence: there is none";
	s.clock_paused = true;
	s.seats[3].contact = STALL_AWAY;
	expect(&s, "height 812 round 3 waits for prevotes: have 2 of 4 (node1, node2), need 3; "
		   "missing: node0 (this node, which may not vote), node3 (not connected for 0 s); "
		   "this node may not vote: no_fence: there is none; this node's clock leapt "
		   "ahead: it proposes nothing");
}

static void the_answer_is_json_whatever_the_names_hold(void **state)
{
	struct stall s = four(STALL_PREVOTES);
	struct buf text = {0};
	struct json_fault fault;
	snprintf(s.seats[1].name, sizeof s.seats[1].name, "a\"b\\c");
	s.seats[2].contact = STALL_AWAY;
	stall_json(&text, &s);
	json_t *root = json_read(buf_view(&text), &fault);
	assert_non_null(root);
	const json_t *seats = json_object_get(root, "validators");
	assert_int_equal(json_array_size(seats), 4);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(seats, 1), "name")), "a\"b\\c");
	assert_string_equal(json_string_value(json_object_get(json_array_get(seats, 2), "contact")),
		"not_connected");
	json_decref(root);
	buf_fini(&text);
}

/* ---- the log ---- */

struct lines {
	unsigned waits, goes_on;
};

static void count_line(void *ctx, enum log_level level, const char *line, size_t len)
{
	struct lines *lines = ctx;
	(void)level;
	(void)len;
	lines->waits += strstr(line, "chain_waits") != NULL;
	lines->goes_on += strstr(line, "chain_goes_on") != NULL;
}

static void a_long_wait_is_told_seldom_and_its_end_once(void **state)
{
	struct lines lines = {0};
	struct log log = {LOG_DEBUG, count_line, &lines};
	struct stall_teller teller = {0};
	struct stall s = four(STALL_PREVOTES);
	/* 10, 20, 40, 80, ... up to 600 apart */
	static const struct {
		unsigned second, told;
	} rows[] = {{9, 0}, {10, 1}, {19, 1}, {20, 2}, {39, 2}, {40, 3}, {640, 7}, {1239, 7},
		{1240, 8}, {3600, 11}};
	unsigned second = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (; second <= rows[i].second; second++) {
			s.waiting_ms = (uint64_t)second * 1000;
			stall_tell(&teller, &log, &s);
		}
		assert_int_equal(lines.waits, rows[i].told);
	}
	assert_int_equal(lines.goes_on, 0);
	s.height++;
	s.waiting_ms = 0;
	stall_tell(&teller, &log, &s);
	stall_tell(&teller, &log, &s);
	assert_int_equal(lines.goes_on, 1);
	s.waiting_ms = 10000;
	stall_tell(&teller, &log, &s);
	assert_int_equal(lines.waits, 12);
}

static void who_catches_up_is_not_told_as_a_halt(void **state)
{
	struct lines lines = {0};
	struct log log = {LOG_DEBUG, count_line, &lines};
	struct stall_teller teller = {0};
	struct stall s = four(STALL_BLOCKS);
	stall_tell(&teller, &log, &s);
	assert_int_equal(lines.waits, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_stalled_height_names_who_voted_and_who_is_missing_and_where_he_is),
		cmocka_unit_test(each_way_to_be_missing_has_its_words),
		cmocka_unit_test(unequal_powers_are_counted_as_power),
		cmocka_unit_test(votes_that_differ_are_told_from_votes_that_are_missing),
		cmocka_unit_test(what_is_no_vote_has_its_own_sentence),
		cmocka_unit_test(who_may_not_vote_himself_says_why),
		cmocka_unit_test(the_answer_is_json_whatever_the_names_hold),
		cmocka_unit_test(a_long_wait_is_told_seldom_and_its_end_once),
		cmocka_unit_test(who_catches_up_is_not_told_as_a_halt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
