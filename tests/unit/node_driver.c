/* node/driver: a home, a real replica, the settlement machine and the event loop, from a signed
 * transfer to its block, and again after a restart. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "chain/settle/settle.h"
#include "chain/store_mem.h"
#include "chain/tx.h"
#include "node/clock.h"
#include "node/driver.h"
#include "node/homes.h"
#include "node/round_state.h"
#include "tests/unit/node_place.h"
#include "wallet/keystore.h"

enum { DEADLINE_MS = 30 * 1000, FEE = 100000, TXS_MAX = SUBMISSIONS_MAX + 8 };

struct sent {
	struct world *w;
	struct hash32 hash;
	struct view_submitted outcome;
	unsigned answers; /* of driver_submit */
	struct view_included included;
	unsigned inclusions; /* answers of driver_wait */
};

struct world {
	struct place place;
	struct genesis genesis;
	struct event_base *loop;
	struct store store;
	struct app app;
	struct mempool *mempool;
	struct driver *driver;
	struct account_secret client;
	struct account_key client_key;
	bool clock_unchecked, renew_fence;
	char fault[NODE_FAULT_BYTES];
	char stopped[NODE_FAULT_BYTES]; /* why the driver stopped; "": it did not */
	struct sent sent[TXS_MAX];
	size_t sent_count;
	size_t answered;
};

/* ---- a home and what lives in it ---- */

static void make_home(struct world *w, int64_t genesis_ms)
{
	struct homes_plan plan = {
		.output = place_path(&w->place, "home"),
		.chain_id = "devnet-test",
		.validators = 1,
		.single_home = true,
		.base_port = 26656,
		.now_ms = genesis_ms,
	};
	assert_int_equal(homes_make(&plan, w->fault), STATUS_OK);
	struct buf text = {0};
	struct genesis_fault why = {""};
	assert_int_equal(
		files_read(&text, place_path(&w->place, "home/genesis.json"), 1 << 20, w->fault),
		STATUS_OK);
	assert_int_equal(
		genesis_parse(&w->genesis, buf_view(&text), GENESIS_APP_SETTLE, &why), STATUS_OK);
	buf_fini(&text);
	w->genesis.engine.heartbeat_ms = 100; /* nobody waits five seconds for an empty block */
	assert_int_equal(genesis_seal(&w->genesis, &why), STATUS_OK);
	struct keystore_info info;
	assert_int_equal(keystore_load(&w->client, &info,
				 place_path(&w->place, "home/keys/client.json"), NULL, w->fault),
		STATUS_OK);
	w->client_key = info.key;
}

static void open_app(struct world *w)
{
	struct settle_config config = {
		.chain_tag = w->genesis.chain_tag,
		.heartbeat_ms = w->genesis.engine.heartbeat_ms,
		.block_bytes_max = (uint64_t)w->genesis.consensus.block_max_bytes,
	};
	assert_int_equal(settle_open(&w->app, &w->store, &config), STATUS_OK);
}

static struct replica_config replica_config_of(struct world *w)
{
	struct replica_config config = {
		.chain_tag = w->genesis.chain_tag,
		.engine = w->genesis.engine,
		.app = w->app,
		.store = &w->store,
		.mempool = w->mempool,
	};
	config.start.chain_id = w->genesis.chain_id;
	config.start.initial_height = w->genesis.initial_height;
	config.start.time = w->genesis.time;
	genesis_validator_set(&config.start.validators, &w->genesis);
	config.start.params = w->genesis.consensus;
	return config;
}

static void make_store(struct world *w)
{
	assert_int_equal(store_mem_open(&w->store), STATUS_OK);
	open_app(w);
	struct replica_config config = replica_config_of(w);
	struct store_batch batch;
	store_batch_init(&batch);
	assert_int_equal(
		replica_genesis(&batch, &config, buf_view(&w->genesis.app_state)), STATUS_OK);
	assert_int_equal(store_write(&w->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	w->app.vtable->close(w->app.self);
	w->app.self = NULL;
}

static void on_stopped(void *ctx, const char *why)
{
	struct world *w = ctx;
	snprintf(w->stopped, sizeof w->stopped, "%s", why);
}

static enum status start(struct world *w)
{
	open_app(w);
	struct mempool_options options = {
		.account = w->app.vtable->account, .account_self = w->app.self};
	w->mempool = mempool_new(&options);
	struct driver_config config = {
		.loop = w->loop,
		.home = place_path(&w->place, "home"),
		.replica = replica_config_of(w),
		.verify_threads = 2,
		.stopped = on_stopped,
		.ctx = w,
	};
	assert_int_equal(homes_read_key(&config.secret,
				 place_path(&w->place, "home/validator_key.json"), w->fault),
		STATUS_OK);
	config.replica.me = validator_key_of(&config.secret);
	config.replica.clock_unchecked = w->clock_unchecked;
	config.replica.renew_fence = w->renew_fence;
	w->fault[0] = 0;
	return driver_new(&w->driver, &config, w->fault);
}

static void stop(struct world *w)
{
	driver_free(w->driver);
	w->driver = NULL;
	if (w->mempool)
		mempool_free(w->mempool);
	w->mempool = NULL;
	if (w->app.self)
		w->app.vtable->close(w->app.self);
	w->app.self = NULL;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	place_make(&w->place);
	make_home(w, (int64_t)clock_wall_ms());
	w->loop = event_base_new();
	make_store(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	stop(w);
	store_close(&w->store);
	event_base_free(w->loop);
	genesis_fini(&w->genesis);
	place_remove(&w->place);
	free(w);
	return 0;
}

static int64_t height(const struct world *w)
{
	return replica_head(driver_replica(w->driver))->height;
}

/* ---- transactions ---- */

static ProtobufCBinaryData field(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

/* A transfer of the client's to the treasury. */
static struct buf transfer(const struct world *w, uint64_t sequence, uint64_t amount)
{
	Pb__Transfer transfer = PB__TRANSFER__INIT;
	transfer.to = field(w->genesis.treasury.b, 20);
	transfer.amount = amount;
	Pb__Action action = PB__ACTION__INIT;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &transfer;
	Pb__Action *actions[] = {&action};
	Pb__TxBody body = PB__TX_BODY__INIT;
	body.sequence = sequence;
	body.fee = FEE;
	body.actions = actions;
	body.n_actions = 1;
	struct buf raw = {0};
	tx_sign(&raw, &body, &w->client, &w->client_key, &w->genesis.chain_tag);
	assert_true(buf_ok(&raw));
	return raw;
}

static void on_submitted(void *ctx, const struct view_submitted *outcome)
{
	struct sent *s = ctx;
	s->answers++;
	s->outcome = *outcome;
	s->w->answered++;
}

static void on_included(void *ctx, const struct view_included *outcome)
{
	struct sent *s = ctx;
	s->inclusions++;
	s->included = *outcome;
}

static struct sent *next_sent(struct world *w, struct bytes raw)
{
	assert_true(w->sent_count < TXS_MAX);
	struct sent *s = &w->sent[w->sent_count++];
	s->w = w;
	s->hash = sha256(raw);
	return s;
}

static struct sent *submit_raw(struct world *w, struct buf *raw)
{
	struct sent *s = next_sent(w, buf_view(raw));
	assert_int_equal(driver_wait(w->driver, &s->hash, clock_steady_ms() + 2 * DEADLINE_MS,
				 on_included, s),
		STATUS_OK);
	assert_int_equal(driver_submit(w->driver, buf_view(raw), on_submitted, s), STATUS_OK);
	buf_fini(raw);
	return s;
}

static struct sent *submit(struct world *w, uint64_t sequence)
{
	struct buf raw = transfer(w, sequence, 1000 + sequence);
	return submit_raw(w, &raw);
}

static uint64_t balance(struct world *w, uint64_t *sequence)
{
	struct account_address address = account_address_of(&w->client_key);
	uint64_t money = 0;
	assert_true(w->app.vtable->account(w->app.self, &address, sequence, &money));
	return money;
}

/* ---- turning the loop ---- */

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	fail_msg("nothing came within the deadline");
}

typedef bool condition(struct world *w, const void *what);

static void turn_until(struct world *w, condition *holds, const void *what)
{
	struct event *deadline = evtimer_new(w->loop, on_deadline, NULL);
	struct timeval in = {DEADLINE_MS / 1000, 0};
	evtimer_add(deadline, &in);
	while (!holds(w, what))
		event_base_loop(w->loop, EVLOOP_ONCE);
	event_free(deadline);
}

static bool is_answered(struct world *w, const void *what)
{
	const struct sent *s = what;
	return s->answers > 0;
}

static bool is_included(struct world *w, const void *what)
{
	const struct sent *s = what;
	return s->inclusions > 0;
}

static bool is_at_height(struct world *w, const void *what)
{
	return height(w) >= *(const int64_t *)what;
}

static bool is_stopped(struct world *w, const void *what)
{
	return w->stopped[0] != 0;
}

/* No block is under way: the next one has its reason still to come. */
static bool is_between_blocks(struct world *w, const void *what)
{
	return replica_consensus(driver_replica(w->driver))->step == STEP_WAIT;
}

static bool all_are_answered(struct world *w, const void *what)
{
	return w->answered == *(const size_t *)what;
}

static void reach(struct world *w, int64_t aim)
{
	turn_until(w, is_at_height, &aim);
}

/* ---- claims ---- */

static void a_signed_transfer_is_admitted_and_committed(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	uint64_t sequence;
	uint64_t before = balance(w, &sequence);
	struct sent *s = submit(w, 0);
	turn_until(w, is_answered, s);
	assert_int_equal(s->outcome.admission, VIEW_ADMITTED);
	assert_int_equal(s->outcome.verdict.code, 0);
	assert_true(hash_equal(&s->outcome.hash, &s->hash));
	turn_until(w, is_included, s);
	assert_true(s->included.height > 0);
	assert_int_equal(s->included.index, 0);
	assert_int_equal(height(w), s->included.height);
	assert_int_equal(balance(w, &sequence), before - 1000 - FEE);
	assert_int_equal(sequence, 1);
	struct driver_counts counts = driver_counts(w->driver);
	assert_int_equal(counts.txs, 1);
	assert_int_equal(counts.verified, 1);
	assert_int_equal(counts.submissions, 0);
	assert_int_equal(counts.waits, 0);
	assert_true(counts.blocks >= 1);
	assert_int_equal(counts.fence_writes, 3 * counts.blocks); /* each signed before it exists */
	assert_string_equal(w->stopped, "");
}

static void what_is_not_a_good_transaction_is_answered_and_no_more(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	struct buf garbage = {0};
	buf_append_text(&garbage, "garbage");
	struct sent *s = submit_raw(w, &garbage);
	turn_until(w, is_answered, s);
	assert_int_equal(s->outcome.admission, VIEW_ADMITTED);
	assert_int_equal(s->outcome.verdict.code, SETTLE_BAD_ENCODING);

	struct buf forged = transfer(w, 0, 1);
	forged.data[forged.len - 1] ^= 1; /* in the signature */
	s = submit_raw(w, &forged);
	turn_until(w, is_answered, s);
	assert_int_equal(s->outcome.verdict.code, SETTLE_BAD_SIGNATURE);

	struct buf large = {0};
	memset(buf_extend(&large, TX_BYTES_MAX + 1), 1, TX_BYTES_MAX + 1);
	s = submit_raw(w, &large);
	turn_until(w, is_answered, s);
	assert_int_equal(s->outcome.admission, VIEW_TOO_LARGE);

	struct buf empty = {0};
	s = submit_raw(w, &empty);
	turn_until(w, is_answered, s);
	assert_int_equal(s->outcome.verdict.code, SETTLE_BAD_ENCODING);
	reach(w, 2);
	for (size_t i = 0; i < w->sent_count; i++) {
		assert_int_equal(w->sent[i].answers, 1);
		assert_int_equal(w->sent[i].inclusions, 0);
	}
	assert_int_equal(driver_counts(w->driver).txs, 0);
}

static void the_same_bytes_twice_are_known_and_both_waits_fire(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	struct sent *first = submit(w, 0);
	struct sent *again = submit(w, 0);
	turn_until(w, is_answered, again);
	assert_int_equal(again->outcome.admission, VIEW_KNOWN);
	turn_until(w, is_included, first);
	assert_int_equal(again->inclusions, 1);
	assert_int_equal(again->included.height, first->included.height);
	/* Committed: its sequence is spent. */
	struct sent *late = submit(w, 0);
	turn_until(w, is_answered, late);
	assert_int_equal(late->outcome.verdict.code, SETTLE_STALE_SEQUENCE);
}

static void a_wait_ends_at_its_deadline(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	struct sent *s = next_sent(w, bytes_of_text("never sent"));
	uint64_t deadline_ms = clock_steady_ms() + 20;
	assert_int_equal(driver_wait(w->driver, &s->hash, deadline_ms, on_included, s), STATUS_OK);
	turn_until(w, is_included, s);
	assert_int_equal(s->included.height, 0);
	assert_true(clock_steady_ms() >= deadline_ms);
	assert_int_equal(driver_counts(w->driver).waits, 0);
}

static void a_cancelled_wait_is_silent(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	struct sent *s = submit(w, 0);
	driver_cancel(w->driver, on_included, s);
	struct sent *next = submit(w, 1);
	turn_until(w, is_included, next);
	assert_int_equal(s->answers, 1);
	assert_int_equal(s->inclusions, 0);
}

/* ---- a client that acts inside the answer ---- */

static void on_submitted_go_on(void *ctx, const struct view_submitted *outcome)
{
	struct sent *s = ctx;
	on_submitted(s, outcome);
	if (s->w->answered < 20) {
		struct world *w = s->w;
		struct buf raw = transfer(w, w->answered, 7);
		struct sent *next = next_sent(w, buf_view(&raw));
		assert_int_equal(driver_wait(w->driver, &next->hash,
					 clock_steady_ms() + 2 * DEADLINE_MS, on_included, next),
			STATUS_OK);
		assert_int_equal(driver_submit(w->driver, buf_view(&raw), on_submitted_go_on, next),
			STATUS_OK);
		buf_fini(&raw);
	}
}

static void a_client_may_submit_from_inside_an_answer(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	struct buf raw = transfer(w, 0, 7);
	struct sent *s = next_sent(w, buf_view(&raw));
	assert_int_equal(
		driver_submit(w->driver, buf_view(&raw), on_submitted_go_on, s), STATUS_OK);
	buf_fini(&raw);
	size_t all = 20;
	turn_until(w, all_are_answered, &all);
	turn_until(w, is_included, &w->sent[19]);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(w->sent[i].answers, 1);
		assert_int_equal(w->sent[i].outcome.verdict.code, 0);
		assert_int_equal(w->sent[i].inclusions, i > 0);
	}
	uint64_t sequence;
	(void)balance(w, &sequence);
	assert_int_equal(sequence, 20);
}

static void more_submissions_than_are_held_are_told_busy_and_each_other_is_answered_once(
	void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 1);
	for (size_t i = 0; i < SUBMISSIONS_MAX; i++) {
		struct buf raw = transfer(w, 0, 1 + i);
		struct sent *s = next_sent(w, buf_view(&raw));
		assert_int_equal(
			driver_submit(w->driver, buf_view(&raw), on_submitted, s), STATUS_OK);
		buf_fini(&raw);
	}
	assert_int_equal(driver_counts(w->driver).submissions, SUBMISSIONS_MAX);
	struct buf raw = transfer(w, 0, 1 + SUBMISSIONS_MAX);
	struct sent *one_more = next_sent(w, buf_view(&raw));
	assert_int_equal(
		driver_submit(w->driver, buf_view(&raw), on_submitted, one_more), STATUS_BUSY);
	buf_fini(&raw);
	size_t all = SUBMISSIONS_MAX;
	turn_until(w, all_are_answered, &all);
	size_t good = 0;
	for (size_t i = 0; i < SUBMISSIONS_MAX; i++) {
		assert_int_equal(w->sent[i].answers, 1);
		good += w->sent[i].outcome.verdict.code == 0;
	}
	assert_int_equal(good, 1); /* one sequence, one transaction */
	assert_int_equal(one_more->answers, 0);
}

/* ---- the end, and the next beginning ---- */

static void nobody_is_called_after_the_driver_is_freed(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	for (uint64_t i = 0; i < 64; i++)
		submit(w, i);
	size_t answered = w->answered;
	stop(w);
	event_base_loop(w->loop, EVLOOP_NONBLOCK);
	assert_int_equal(w->answered, answered);
	for (size_t i = 0; i < w->sent_count; i++)
		assert_true(w->sent[i].answers <= 1 && w->sent[i].inclusions == 0);
}

static void a_restarted_home_goes_on_at_the_next_height(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	int64_t last = 0;
	for (uint64_t round = 0; round < 6; round++) {
		struct sent *s = submit(w, round);
		turn_until(w, is_included, s);
		assert_true(s->included.height > last);
		last = s->included.height;
		if (round % 2 == 0)
			event_base_loop(w->loop, EVLOOP_NONBLOCK); /* into the next height */
		last = height(w);
		stop(w);
		assert_int_equal(start(w), STATUS_OK);
		assert_true(height(w) >= last);
		last = height(w);
		uint64_t sequence;
		(void)balance(w, &sequence);
		assert_int_equal(sequence, round + 1);
		assert_string_equal(w->stopped, "");
	}
	reach(w, last + 2);
}

static void a_power_loss_after_an_answer_takes_nothing_back(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	struct sent *s = submit(w, 0);
	turn_until(w, is_included, s);
	stop(w);
	store_mem_crash(&w->store, 0);
	assert_int_equal(start(w), STATUS_OK);
	assert_true(height(w) >= s->included.height);
	uint64_t sequence;
	(void)balance(w, &sequence);
	assert_int_equal(sequence, 1);
	reach(w, s->included.height + 1);
}

static void a_store_older_than_what_the_key_signed_never_votes(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 3);
	stop(w);
	store_close(&w->store);
	make_store(w); /* a restored backup: genesis only */
	assert_int_equal(start(w), STATUS_CORRUPT);
	assert_non_null(strstr(w->fault, "blocks were lost"));
	assert_null(w->driver);
}

static void alone_a_home_without_its_fence_votes_only_at_the_operators_word(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 2);
	int64_t before = height(w);
	stop(w);
	assert_int_equal(unlink(place_path(&w->place, "home/fence")), 0);
	assert_int_equal(start(w), STATUS_CORRUPT);
	assert_non_null(strstr(w->fault, "HOME/fence"));
	assert_non_null(strstr(w->fault, "--validator.unsafe_renew_fence true"));
	stop(w);
	assert_false(place_has(&w->place, "home/fence"));
	w->renew_fence = true;
	assert_int_equal(start(w), STATUS_OK);
	reach(w, before + 2);
	stop(w);
	/* Once there is a record, nobody needs a word any more. */
	w->renew_fence = false;
	assert_int_equal(start(w), STATUS_OK);
	reach(w, before + 4);
}

static void alone_a_fence_older_than_the_blocks_stops_the_start(void **state)
{
	struct world *w = *state;
	uint8_t old[FENCE_FILE_BYTES];
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 2);
	stop(w);
	place_read(&w->place, "home/fence", old, sizeof old);
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 4);
	stop(w);
	place_write(&w->place, "home/fence", old, sizeof old);
	assert_int_equal(start(w), STATUS_CORRUPT);
	assert_non_null(strstr(w->fault, "doesn't know"));
	stop(w);
	/* Nor is the blank one of a new home with an old key. */
	fence_fresh(old);
	place_write(&w->place, "home/fence", old, sizeof old);
	assert_int_equal(start(w), STATUS_CORRUPT);
}

/* Stops in the middle of a height: all is signed, the block isn't in the store. */
static void stop_before_the_write(struct world *w)
{
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 2);
	store_mem_fail_writes(&w->store, STATUS_DISK_FULL);
	submit(w, 0);
	turn_until(w, is_stopped, NULL);
	stop(w);
	store_mem_fail_writes(&w->store, STATUS_OK);
	w->stopped[0] = 0;
}

static void a_log_that_lost_what_the_key_signed_for_stops_the_start(void **state)
{
	struct world *w = *state;
	stop_before_the_write(w);
	static uint8_t log[1 << 20], broken[1 << 20];
	size_t len = place_read(&w->place, "home/consensus.log", log, sizeof log);
	uint8_t file[FENCE_FILE_BYTES];
	struct fence_record fence;
	place_read(&w->place, "home/fence", file, sizeof file);
	assert_int_equal(fence_load(&fence, file), FENCE_WHOLE);
	assert_int_equal(fence.step, FENCE_PRECOMMIT);
	size_t needed = fence.log_bytes;
	assert_true(needed > 0 && needed <= len && len < sizeof log);
	size_t flips[] = {0, needed / 2, needed - 1}, cuts[] = {0, 5, needed / 2, needed - 1};
	for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
		memcpy(broken, log, len);
		broken[flips[i]] ^= 0x10;
		place_write(&w->place, "home/consensus.log", broken, len);
		assert_int_equal(start(w), STATUS_CORRUPT);
		assert_non_null(strstr(w->fault, "this key has signed"));
		stop(w);
	}
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		place_write(&w->place, "home/consensus.log", log, cuts[i]);
		assert_int_equal(start(w), STATUS_CORRUPT);
		stop(w);
	}
	/* All that was promised is there: the same vote is given again and the height goes on. */
	place_write(&w->place, "home/consensus.log", log, needed);
	assert_int_equal(start(w), STATUS_OK);
	reach(w, fence.height + 1);
	uint64_t sequence;
	(void)balance(w, &sequence);
	assert_int_equal(sequence, 1);
}

static void a_torn_tail_of_the_log_is_cut_off(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 2);
	stop(w);
	uint8_t log[65536];
	size_t len = place_read(&w->place, "home/consensus.log", log, sizeof log - 10);
	static const uint8_t torn[5] = {1, 2, 3, 4, 5}; /* of a frame's head */
	memcpy(log + len, torn, sizeof torn);
	place_write(&w->place, "home/consensus.log", log, len + sizeof torn);
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 4);
}

static void a_clock_behind_the_last_block_needs_the_operators_word(void **state)
{
	struct world *w = *state;
	/* A chain whose genesis lies an hour ahead makes its blocks there. */
	stop(w);
	store_close(&w->store);
	genesis_fini(&w->genesis);
	place_remove(&w->place);
	place_make(&w->place);
	make_home(w, (int64_t)clock_wall_ms() + 3600 * 1000);
	make_store(w);
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 1);
	stop(w);
	assert_int_equal(start(w), STATUS_REFUSED);
	assert_non_null(strstr(w->fault, "behind the last block"));
	assert_non_null(strstr(w->fault, "--clock.unchecked"));
	stop(w);
	w->clock_unchecked = true;
	assert_int_equal(start(w), STATUS_OK);
}

/* ---- a disk that refuses ---- */

static void a_store_that_refuses_a_block_stops_the_node(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 1);
	turn_until(w, is_between_blocks, NULL);
	int64_t before = height(w);
	store_mem_fail_writes(&w->store, STATUS_DISK_FULL);
	struct sent *s = submit(w, 0);
	turn_until(w, is_stopped, NULL);
	assert_int_equal(height(w), before);
	assert_int_equal(s->inclusions, 0);
	struct buf raw = transfer(w, 1, 1);
	struct sent *late = next_sent(w, buf_view(&raw));
	assert_int_equal(driver_submit(w->driver, buf_view(&raw), on_submitted, late), STATUS_BUSY);
	buf_fini(&raw);
	/* Room was made: the block is executed and committed as if nothing had been. */
	stop(w);
	store_mem_fail_writes(&w->store, STATUS_OK);
	w->stopped[0] = 0;
	assert_int_equal(start(w), STATUS_OK);
	reach(w, before + 1);
	uint64_t sequence;
	(void)balance(w, &sequence);
	assert_int_equal(sequence, 1);
}

static void a_log_that_the_disk_refuses_stops_the_node_before_it_votes(void **state)
{
	struct world *w = *state;
	assert_int_equal(symlink("/dev/full", place_path(&w->place, "home/consensus.log")), 0);
	if (start(w) == STATUS_OK)
		turn_until(w, is_stopped, NULL);
	assert_int_equal(height(w), 0);
	uint8_t file[FENCE_FILE_BYTES];
	struct fence_record fence;
	place_read(&w->place, "home/fence", file, sizeof file);
	assert_int_equal(fence_load(&fence, file), FENCE_WHOLE);
	assert_true(fence.step < FENCE_PREVOTE);
}

static int start_keys(void **state)
{
	static const uint8_t seed[32] = {9};
	return keys_start(seed) ? 0 : -1;
}

/* ---- the round state, as clients of CometBFT read it ---- */

/* "name,name,..." of an object, in the order of the text. */
static void names_of(char *out, size_t out_bytes, const json_t *object)
{
	const char *name;
	json_t *value;
	size_t len = 0;
	out[0] = 0;
	json_object_foreach((json_t *)(uintptr_t)object, name, value) len +=
		(size_t)snprintf(out + len, out_bytes - len, "%s%s", len > 0 ? "," : "", name);
}

static json_t *round_state(const struct world *w, bool full, const char *names)
{
	struct buf text = {0};
	struct json_fault fault;
	char got[512];
	round_state_put(&text, w->driver, full);
	json_t *root = json_read(buf_view(&text), &fault);
	assert_non_null(root);
	names_of(got, sizeof got, root);
	assert_string_equal(got, names);
	buf_fini(&text);
	return root;
}

/* Vote{0:ADDRESS HEIGHT/ROUND/TYPE(Type) BLOCK SIGNATURE EXTENSION @ TIME} */
static void assert_is_vote(const char *text, int64_t of_height)
{
	char address[16], block[16], signature[16], extension[16], time[64];
	long long at;
	int round;
	assert_int_equal(sscanf(text,
				 "Vote{0:%12[0-9A-F] %lld/%2d/SIGNED_MSG_TYPE_PRECOMMIT("
				 "Precommit) %12[0-9A-F] %12[0-9A-F] %12[0] @ %[0-9:.TZ-]}",
				 address, &at, &round, block, signature, extension, time),
		7);
	assert_int_equal(at, of_height);
	assert_int_equal(round, 0);
	assert_int_equal(strlen(signature), 12);
	struct timestamp when;
	assert_true(rfc3339_parse(&when, time, strlen(time)));
}

static void the_round_state_is_spelled_as_cometbft_spells_it(void **state)
{
	struct world *w = *state;
	assert_int_equal(start(w), STATUS_OK);
	reach(w, 2);
	turn_until(w, is_between_blocks, NULL);
	int64_t now = height(w) + 1;
	char text[64];
	json_t *simple = round_state(w, false,
		"height/round/step,start_time,proposal_block_hash,locked_block_hash,"
		"valid_block_hash,height_vote_set,proposer");
	snprintf(text, sizeof text, "%lld/0/1", (long long)now);
	assert_string_equal(json_string_value(json_object_get(simple, "height/round/step")), text);
	const json_t *round = json_array_get(json_object_get(simple, "height_vote_set"), 0);
	char names[256];
	names_of(names, sizeof names, round);
	assert_string_equal(
		names, "round,prevotes,prevotes_bit_array,precommits,precommits_bit_array");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(round, "prevotes"), 0)),
		"nil-Vote");
	assert_string_equal(json_string_value(json_object_get(round, "prevotes_bit_array")),
		"BA{1:_} 0/10 = 0.00");
	json_decref(simple);

	json_t *full = round_state(w, true,
		"height,round,step,start_time,commit_time,validators,proposal,proposal_block,"
		"proposal_block_parts,locked_round,locked_block,locked_block_parts,valid_round,"
		"valid_block,valid_block_parts,votes,commit_round,last_commit,last_validators,"
		"triggered_timeout_precommit");
	const json_t *last = json_object_get(full, "last_commit");
	assert_string_equal(json_string_value(json_object_get(last, "votes_bit_array")),
		"BA{1:x} 10/10 = 1.00");
	assert_is_vote(
		json_string_value(json_array_get(json_object_get(last, "votes"), 0)), now - 1);
	json_decref(full);
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CLAIM(a_signed_transfer_is_admitted_and_committed),
		CLAIM(the_round_state_is_spelled_as_cometbft_spells_it),
		CLAIM(what_is_not_a_good_transaction_is_answered_and_no_more),
		CLAIM(the_same_bytes_twice_are_known_and_both_waits_fire),
		CLAIM(a_wait_ends_at_its_deadline),
		CLAIM(a_cancelled_wait_is_silent),
		CLAIM(a_client_may_submit_from_inside_an_answer),
		CLAIM(more_submissions_than_are_held_are_told_busy_and_each_other_is_answered_once),
		CLAIM(nobody_is_called_after_the_driver_is_freed),
		CLAIM(a_restarted_home_goes_on_at_the_next_height),
		CLAIM(a_power_loss_after_an_answer_takes_nothing_back),
		CLAIM(a_store_older_than_what_the_key_signed_never_votes),
		CLAIM(alone_a_home_without_its_fence_votes_only_at_the_operators_word),
		CLAIM(alone_a_fence_older_than_the_blocks_stops_the_start),
		CLAIM(a_log_that_lost_what_the_key_signed_for_stops_the_start),
		CLAIM(a_torn_tail_of_the_log_is_cut_off),
		CLAIM(a_clock_behind_the_last_block_needs_the_operators_word),
		CLAIM(a_store_that_refuses_a_block_stops_the_node),
		CLAIM(a_log_that_the_disk_refuses_stops_the_node_before_it_votes),
	};
	return cmocka_run_group_tests(tests, start_keys, NULL);
}
