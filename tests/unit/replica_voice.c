/* replica/voice and replica/clock: when a validator must not vote, how it says so, and when it may
 * again. Four production validators on real logs and fences; no two signatures of theirs ever
 * contradict each other. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "chain/format/wire.h"
#include "chain/proto/peer.pb-c.h"
#include "chain/store_mem.h"
#include "tests/rot/cluster.h"
#include "tests/unit/node_place.h"

enum { LONG_MS = 60 * 1000, LOG_BYTES_MAX = 1 << 20 };

struct world {
	struct place place;
	struct cluster c;
	char fault[256];
};

static struct member *first(struct world *w)
{
	return &w->c.members[0];
}

static void start(struct world *w, uint32_t index)
{
	if (cluster_start(&w->c, index, w->fault) != STATUS_OK)
		fail_msg("%s", w->fault);
}

static void reach(struct world *w, int64_t height)
{
	if (!cluster_reach(&w->c, height, LONG_MS))
		fail_msg("height %lld of %lld: %s", (long long)w->c.top, (long long)height,
			w->c.fault);
}

static void go_on(struct world *w, int64_t blocks)
{
	reach(w, w->c.top + blocks);
}

static struct world *world_of(uint32_t validators)
{
	static const uint8_t seed[32] = {5};
	assert_true(keys_start(seed));
	struct world *w = calloc(1, sizeof *w);
	/* Real files, on a disk that is quick to sync where there is one. */
	bool quick = access("/dev/shm", W_OK) == 0;
	snprintf(w->place.dir, sizeof w->place.dir, "%s/aitbc-voice-XXXXXX",
		quick ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->place.dir));
	cluster_init(&w->c, w->place.dir, validators);
	for (uint32_t i = 0; i < validators; i++)
		start(w, i);
	return w;
}

static int four(void **state)
{
	*state = world_of(4);
	go_on(*state, 3);
	return 0;
}

static int alone(void **state)
{
	*state = world_of(1);
	go_on(*state, 3);
	return 0;
}

static int closes(void **state)
{
	struct world *w = *state;
	assert_string_equal(w->c.fault, "");
	cluster_fini(&w->c);
	place_remove(&w->place);
	free(w);
	return 0;
}

static void lose_store(struct world *w)
{
	store_close(&first(w)->memory);
	assert_int_equal(store_mem_open(&first(w)->memory), STATUS_OK);
}

static void lose_fence(struct world *w)
{
	assert_int_equal(unlink(place_path(&w->place, "node0/fence")), 0);
}

static void assert_silent(struct world *w, enum replica_silence silence, const char *name)
{
	const char *why = replica_silent(first(w)->replica);
	assert_int_equal(replica_silence(first(w)->replica), silence);
	assert_non_null(why);
	assert_int_equal(strncmp(why, name, strlen(name)), 0);
	assert_non_null(strstr(w->c.last_event, "validator_silent"));
	assert_non_null(strstr(w->c.last_event, name));
}

static void assert_votes(struct world *w)
{
	assert_int_equal(replica_silence(first(w)->replica), REPLICA_VOTES);
	assert_null(replica_silent(first(w)->replica));
	go_on(w, 3);
	assert_true(first(w)->voted >= w->c.top - 1);
}

/* ---- nothing is known of what was signed ---- */

static void without_its_fence_it_follows_and_signs_nothing(void **state)
{
	struct world *w = *state;
	cluster_stop(&w->c, 0);
	lose_fence(w);
	start(w, 0);
	assert_silent(w, REPLICA_NO_FENCE, "no_fence");
	assert_non_null(strstr(w->c.last_event, "--validator.unsafe_renew_fence true"));
	uint64_t before = first(w)->signatures;
	static uint8_t log[LOG_BYTES_MAX], later[LOG_BYTES_MAX];
	size_t len = place_read(&w->place, "node0/consensus.log", log, sizeof log);
	go_on(w, 15);
	assert_int_equal(first(w)->signatures, before);
	/* The next start must see it too, and the log as it was. */
	assert_false(place_has(&w->place, "node0/fence"));
	assert_int_equal(place_read(&w->place, "node0/consensus.log", later, sizeof later), len);
	assert_memory_equal(log, later, len);
	cluster_stop(&w->c, 0);
	start(w, 0);
	assert_silent(w, REPLICA_NO_FENCE, "no_fence");
}

static void at_the_operators_word_it_looks_back_and_then_votes(void **state)
{
	struct world *w = *state;
	cluster_stop(&w->c, 0);
	lose_fence(w);
	first(w)->renew_fence = true;
	start(w, 0);
	assert_silent(w, REPLICA_LOOKING_BACK, "looking_back");
	int64_t since = w->c.top;
	uint64_t before = first(w)->signatures;
	go_on(w, LOOK_BACK_BLOCKS);
	assert_int_equal(first(w)->signatures, before);
	assert_false(place_has(&w->place, "node0/fence"));
	go_on(w, 5);
	assert_votes(w);
	assert_true(w->c.top > since + LOOK_BACK_BLOCKS);
	/* The new record is as good as any. */
	first(w)->renew_fence = false;
	cluster_stop(&w->c, 0);
	start(w, 0);
	assert_votes(w);
}

static void a_wiped_home_is_no_first_start(void **state)
{
	struct world *w = *state;
	cluster_stop(&w->c, 0);
	lose_fence(w);
	lose_store(w);
	assert_int_equal(unlink(place_path(&w->place, "node0/consensus.log")), 0);
	uint64_t before = first(w)->signatures;
	start(w, 0);
	assert_silent(w, REPLICA_NO_FENCE, "no_fence");
	go_on(w, 15);
	assert_int_equal(first(w)->signatures, before);
	/* The operator's word counts from any start on. */
	cluster_stop(&w->c, 0);
	first(w)->renew_fence = true;
	start(w, 0);
	assert_silent(w, REPLICA_LOOKING_BACK, "looking_back");
	go_on(w, LOOK_BACK_BLOCKS + 5);
	assert_votes(w);
}

static void a_wiped_home_that_catches_up_counts_only_new_blocks(void **state)
{
	struct world *w = *state;
	cluster_stop(&w->c, 0);
	go_on(w, 30);
	lose_fence(w);
	lose_store(w);
	first(w)->renew_fence = true;
	start(w, 0);
	int64_t since = w->c.top;
	uint64_t before = first(w)->signatures;
	go_on(w, LOOK_BACK_BLOCKS - 2);
	assert_true(cluster_height(&w->c, 0) >= since);
	assert_int_equal(first(w)->signatures, before);
	go_on(w, 6);
	assert_votes(w);
}

/* ---- the fence knows more than store or log ---- */

static void who_lost_blocks_votes_again_above_what_it_signed(void **state)
{
	struct world *w = *state;
	int64_t height = first(w)->disk.fence.height;
	cluster_stop(&w->c, 0);
	lose_store(w);
	start(w, 0);
	assert_silent(w, REPLICA_BLOCKS_LOST, "blocks_lost");
	uint64_t before = first(w)->signatures;
	reach(w, height);
	assert_int_equal(first(w)->signatures, before);
	assert_votes(w);
	char wanted[64];
	snprintf(wanted, sizeof wanted, "height=%lld after=blocks_lost", (long long)height + 1);
	assert_non_null(strstr(w->c.votes_again, wanted));
}

/* Stops the first node in the midst of a height that it has voted in. */
static void stop_after_a_vote(struct world *w)
{
	cluster_stop(&w->c, 2);
	cluster_stop(&w->c, 3);
	assert_false(
		cluster_reach(&w->c, w->c.top + 2, 40 * 1000)); /* it waits for links at first */
	assert_int_equal(first(w)->disk.fence.height, cluster_height(&w->c, 0) + 1);
	assert_true(first(w)->disk.fence.log_bytes > 0);
	cluster_stop(&w->c, 0);
	start(w, 2);
	start(w, 3);
}

static void rot_under_a_vote_ends_the_height_in_silence(void **state)
{
	struct world *w = *state;
	stop_after_a_vote(w);
	static uint8_t log[LOG_BYTES_MAX], seen[LOG_BYTES_MAX];
	size_t len = place_read(&w->place, "node0/consensus.log", log, sizeof log);
	log[100] ^= 4;
	place_write(&w->place, "node0/consensus.log", log, len);
	uint64_t before = first(w)->signatures;
	for (unsigned i = 0; i < 2; i++) { /* twice: what was found is left as it was found */
		start(w, 0);
		assert_silent(w, REPLICA_LOG_ROTTEN, "log_rotten");
		assert_non_null(strstr(w->c.last_event, "consensus log is good up to byte"));
		cluster_stop(&w->c, 0);
		assert_int_equal(
			place_read(&w->place, "node0/consensus.log", seen, sizeof seen), len);
		assert_memory_equal(seen, log, len);
	}
	assert_int_equal(first(w)->signatures, before);
	start(w, 0);
	go_on(w, 2);
	assert_votes(w);
}

static void a_torn_tail_is_dropped_and_the_node_votes_on(void **state)
{
	struct world *w = *state;
	stop_after_a_vote(w);
	static uint8_t log[LOG_BYTES_MAX];
	size_t len = place_read(&w->place, "node0/consensus.log", log, sizeof log - 20);
	memset(log + len, 0x77, 20); /* of a frame that never arrived whole */
	place_write(&w->place, "node0/consensus.log", log, len + 7);
	start(w, 0);
	assert_int_equal(replica_silence(first(w)->replica), REPLICA_VOTES);
	assert_votes(w);
}

/* ---- somebody else has the key, or the fence is a copy ---- */

static void an_old_fence_is_found_out_by_the_blocks(void **state)
{
	struct world *w = *state;
	uint8_t old[FENCE_FILE_BYTES];
	cluster_stop(&w->c, 0);
	place_read(&w->place, "node0/fence", old, sizeof old);
	start(w, 0);
	go_on(w, 3);
	cluster_stop(&w->c, 0);
	place_write(&w->place, "node0/fence", old, sizeof old);
	uint64_t before = first(w)->signatures;
	start(w, 0);
	assert_silent(w, REPLICA_KEY_ELSEWHERE, "key_used_elsewhere");
	go_on(w, 15);
	assert_int_equal(first(w)->signatures, before);
	first(w)->renew_fence = true;
	cluster_stop(&w->c, 0);
	place_write(&w->place, "node0/fence", old, sizeof old);
	first(w)->look_back_blocks = 100;
	start(w, 0);
	assert_silent(w, REPLICA_LOOKING_BACK, "looking_back");
	go_on(w, LOOK_BACK_BLOCKS + 5);
	assert_votes(w);
}

/* The blank fence of a new home says nothing of an old key that was moved into it. */
static void a_new_home_with_an_old_key_is_found_out_while_it_catches_up(void **state)
{
	struct world *w = *state;
	uint8_t fresh[FENCE_FILE_BYTES];
	cluster_stop(&w->c, 0);
	lose_store(w);
	fence_fresh(fresh);
	place_write(&w->place, "node0/fence", fresh, sizeof fresh);
	uint64_t before = first(w)->signatures;
	start(w, 0);
	assert_silent(w, REPLICA_LISTENING, "listening");
	go_on(w, 5);
	assert_silent(w, REPLICA_KEY_ELSEWHERE, "key_used_elsewhere");
	assert_int_equal(first(w)->signatures, before);
}

static void who_starts_late_for_the_first_time_listens_and_joins(void **state)
{
	struct world *w = world_of(4);
	cluster_stop(&w->c, 0); /* before anything happened: its fence is blank */
	go_on(w, 20);
	start(w, 0);
	assert_silent(w, REPLICA_LISTENING, "listening");
	go_on(w, 3);
	assert_votes(w);
	closes((void *[]){w});
}

/* Two of four can't decide; they still begin, with whom they hear, so that the third finds them at
 * it. */
static void the_first_start_needs_not_everybody(void **state)
{
	struct world *w = world_of(4);
	for (uint32_t i = 1; i < 4; i++)
		cluster_stop(&w->c, i);
	assert_false(cluster_reach(&w->c, 1, 20 * 1000));
	assert_int_equal(first(w)->signatures, 0); /* nobody is there to tell how far it is */
	start(w, 1);
	assert_false(cluster_reach(&w->c, 1, 20 * 1000));
	assert_true(first(w)->signatures > 0);
	start(w, 2);
	reach(w, 3);
	closes((void *[]){w});
}

/* The last of so many blocks counts, and the one before it doesn't. */
static void it_looks_back_over_exactly_so_many_blocks(void **state)
{
	struct world *w = *state;
	uint8_t old[FENCE_FILE_BYTES];
	cluster_stop(&w->c, 0);
	place_read(&w->place, "node0/fence", old, sizeof old);
	start(w, 0);
	go_on(w, 2);
	cluster_stop(&w->c, 0);
	lose_fence(w);
	start(w, 0); /* silent: its last signature is in the block at the head */
	int64_t signed_at = cluster_height(&w->c, 0);
	go_on(w, 12);
	cluster_stop(&w->c, 0);
	go_on(w, 1); /* what the others went on with meanwhile isn't in its store */
	start(w, 0);
	uint32_t since = (uint32_t)(cluster_height(&w->c, 0) - signed_at);
	cluster_stop(&w->c, 0);
	static const struct {
		uint32_t extra;
		enum replica_silence silence;
	} table[] = {{0, REPLICA_VOTES}, {1, REPLICA_KEY_ELSEWHERE}, {2, REPLICA_KEY_ELSEWHERE}};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		place_write(&w->place, "node0/fence", old, sizeof old);
		first(w)->look_back_blocks = since + table[i].extra;
		for (uint32_t k = 1; k < 4; k++) /* nobody tells it more */
			cluster_stop(&w->c, k);
		start(w, 0);
		assert_int_equal(replica_silence(first(w)->replica), table[i].silence);
		cluster_stop(&w->c, 0);
		for (uint32_t k = 1; k < 4; k++)
			start(w, k);
	}
}

static void looking_back_over_one_block_looks_at_one(void **state)
{
	struct world *w = *state;
	uint8_t old[FENCE_FILE_BYTES];
	cluster_stop(&w->c, 0);
	place_read(&w->place, "node0/fence", old, sizeof old);
	start(w, 0);
	go_on(w, 2);
	cluster_stop(&w->c, 0);
	place_write(&w->place, "node0/fence", old, sizeof old);
	first(w)->look_back_blocks = 1;
	start(w, 0);
	assert_silent(w, REPLICA_KEY_ELSEWHERE, "key_used_elsewhere");
}

/* A vote of the first node's key, as its twin would say it. */
static void twin_says(struct world *w, int64_t height, int32_t round)
{
	struct validator_key key = validator_key_of(&first(w)->secret);
	const struct validator_set *set = &replica_consensus(first(w)->replica)->validators;
	struct vote vote;
	memset(&vote, 0, sizeof vote);
	vote.type = VOTE_PREVOTE;
	vote.height = height;
	vote.round = round;
	vote.time = timestamp_of_ms((int64_t)SIM_START_S * 1000 + (int64_t)w->c.now_ms);
	vote.address = validator_address_of(&key);
	while (memcmp(set->v[vote.index].key.b, key.b, sizeof key.b) != 0)
		vote.index++;
	struct buf bytes = {0};
	vote_sign_bytes(&bytes, w->c.people.genesis.chain_id, &vote);
	validator_sign(&vote.signature, &first(w)->secret, buf_view(&bytes));
	struct vote_message m;
	vote_message_init(&m, &vote);
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	message.sum_case = PB__PEER_MESSAGE__SUM_VOTE;
	message.vote = &m.pb;
	buf_clear(&bytes);
	uint8_t *raw = buf_extend(&bytes, pb__peer_message__get_packed_size(&message));
	assert_non_null(raw);
	pb__peer_message__pack(&message, raw);
	struct replica_input in = {.kind = REPLICA_MESSAGE};
	in.u.peer.peer = 1;
	in.u.peer.message = buf_view(&bytes);
	cluster_input(&w->c, 0, &in);
	buf_fini(&bytes);
}

static void a_twin_that_is_heard_silences_it(void **state)
{
	struct world *w = *state;
	twin_says(w, cluster_height(&w->c, 0) + 1, 9);
	assert_silent(w, REPLICA_KEY_ELSEWHERE, "key_used_elsewhere");
	uint64_t before = first(w)->signatures;
	go_on(w, 5);
	assert_int_equal(first(w)->signatures, before);
}

static void while_a_twin_speaks_looking_back_never_ends(void **state)
{
	struct world *w = *state;
	cluster_stop(&w->c, 0);
	lose_fence(w);
	first(w)->renew_fence = true;
	start(w, 0);
	uint64_t before = first(w)->signatures;
	for (unsigned i = 0; i < 6; i++) {
		go_on(w, LOOK_BACK_BLOCKS / 2);
		twin_says(w, cluster_height(&w->c, 0) + 1, 9);
	}
	assert_int_equal(replica_silence(first(w)->replica), REPLICA_LOOKING_BACK);
	assert_int_equal(first(w)->signatures, before);
	go_on(w, LOOK_BACK_BLOCKS + 3);
	assert_votes(w);
}

static void its_own_words_from_another_mouth_are_no_twin(void **state)
{
	struct world *w = *state;
	stop_after_a_vote(w);
	start(w, 0); /* the second node still has its votes, and repairs it with them */
	go_on(w, 2);
	assert_votes(w);
}

static void alone_a_twin_that_is_heard_stops_it(void **state)
{
	struct world *w = *state;
	twin_says(w, cluster_height(&w->c, 0) + 1, 9);
	assert_non_null(strstr(first(w)->stopped, "another process has the key"));
}

/* ---- clocks ---- */

static uint64_t proposals_of_ten_blocks(struct world *w)
{
	uint64_t before = first(w)->proposals;
	go_on(w, 10);
	return first(w)->proposals - before;
}

static void a_clock_that_leaps_ahead_pauses_proposing(void **state)
{
	struct world *w = *state;
	assert_true(proposals_of_ten_blocks(w) > 0);
	first(w)->clock_ms = 10 * 1000; /* no leap yet */
	assert_true(proposals_of_ten_blocks(w) > 0);
	first(w)->clock_ms = 20 * 1000 + 1;
	(void)proposals_of_ten_blocks(w); /* one may be under way */
	assert_true(replica_clock_paused(first(w)->replica));
	assert_int_equal(proposals_of_ten_blocks(w), 0);
	first(w)->clock_ms = 11 * 1000 + 1; /* more than a second from where it was */
	assert_int_equal(proposals_of_ten_blocks(w), 0);
	first(w)->clock_ms = 11 * 1000;
	go_on(w, 1);
	assert_false(replica_clock_paused(first(w)->replica));
	first(w)->clock_ms = 0;
	assert_true(proposals_of_ten_blocks(w) > 0);
}

static void the_operator_may_trust_a_clock_that_leapt(void **state)
{
	struct world *w = *state;
	struct replica_input trust = {.kind = REPLICA_CLOCK_TRUSTED};
	first(w)->clock_ms = 600 * 1000;
	go_on(w, 4);
	assert_true(replica_clock_paused(first(w)->replica));
	assert_non_null(strstr(w->c.last_event, "clock_leapt_ahead"));
	cluster_input(&w->c, 0, &trust);
	assert_false(replica_clock_paused(first(w)->replica));
	assert_true(proposals_of_ten_blocks(w) > 0);
}

static void a_clock_that_fell_behind_and_comes_back_pauses_nothing(void **state)
{
	struct world *w = *state;
	first(w)->clock_ms = -600 * 1000;
	go_on(w, 4);
	assert_false(replica_clock_paused(first(w)->replica));
	assert_non_null(strstr(w->c.last_event, "clock_fell_behind"));
	first(w)->clock_ms = 0;
	go_on(w, 4);
	assert_false(replica_clock_paused(first(w)->replica));
}

static void alone_a_paused_clock_waits_without_turning_in_circles(void **state)
{
	struct world *w = *state;
	first(w)->clock_ms = 60 * 1000;
	assert_false(cluster_reach(&w->c, w->c.top + 3, 20 * 1000));
	assert_true(replica_clock_paused(first(w)->replica));
	first(w)->clock_ms = 0;
	go_on(w, 3);
}

static void alone_a_start_at_another_time_needs_the_operators_word(void **state)
{
	static const int64_t day_ms = 24LL * 3600 * 1000;
	struct world *w = *state;
	const struct {
		int64_t clock_ms;
		bool word;
		enum status status;
	} table[] = {
		{0, false, STATUS_OK},
		{-3600 * 1000, false, STATUS_REFUSED},
		{31 * day_ms, false, STATUS_REFUSED},
		{-3600 * 1000, true, STATUS_OK},
		{29 * day_ms, false, STATUS_OK},
		{29 * day_ms + 31 * day_ms, true, STATUS_OK},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (first(w)->up)
			cluster_stop(&w->c, 0);
		first(w)->clock_ms = table[i].clock_ms;
		first(w)->clock_unchecked = table[i].word;
		assert_int_equal(cluster_start(&w->c, 0, w->fault), table[i].status);
		if (table[i].status != STATUS_OK)
			assert_non_null(strstr(w->fault, "--clock.unchecked true"));
	}
}

int main(void)
{
#define FOUR(f)  cmocka_unit_test_setup_teardown(f, four, closes)
#define ALONE(f) cmocka_unit_test_setup_teardown(f, alone, closes)
	const struct CMUnitTest tests[] = {
		FOUR(without_its_fence_it_follows_and_signs_nothing),
		FOUR(at_the_operators_word_it_looks_back_and_then_votes),
		FOUR(a_wiped_home_is_no_first_start),
		FOUR(a_wiped_home_that_catches_up_counts_only_new_blocks),
		FOUR(who_lost_blocks_votes_again_above_what_it_signed),
		FOUR(rot_under_a_vote_ends_the_height_in_silence),
		FOUR(a_torn_tail_is_dropped_and_the_node_votes_on),
		FOUR(an_old_fence_is_found_out_by_the_blocks),
		FOUR(a_new_home_with_an_old_key_is_found_out_while_it_catches_up),
		cmocka_unit_test(who_starts_late_for_the_first_time_listens_and_joins),
		cmocka_unit_test(the_first_start_needs_not_everybody),
		FOUR(it_looks_back_over_exactly_so_many_blocks),
		FOUR(looking_back_over_one_block_looks_at_one),
		FOUR(a_twin_that_is_heard_silences_it),
		FOUR(while_a_twin_speaks_looking_back_never_ends),
		FOUR(its_own_words_from_another_mouth_are_no_twin),
		ALONE(alone_a_twin_that_is_heard_stops_it),
		FOUR(a_clock_that_leaps_ahead_pauses_proposing),
		FOUR(the_operator_may_trust_a_clock_that_leapt),
		FOUR(a_clock_that_fell_behind_and_comes_back_pauses_nothing),
		ALONE(alone_a_paused_clock_waits_without_turning_in_circles),
		ALONE(alone_a_start_at_another_time_needs_the_operators_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
