/* One validator on a real disk with all its threads, driven through driver.h: what is submitted
 * commits, what is asked meanwhile is true of one height, and it may end at any moment. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>

#include "base/endian.h"
#include "chain/blocks.h"
#include "chain/proto/comet.pb-c.h"
#include "chain/settle/settle.h"
#include "chain/settle/state.h"
#include "chain/settle/tree.h"
#include "chain/store_rocks.h"
#include "chain/tx.h"
#include "node/clock.h"
#include "node/driver.h"
#include "node/homes.h"

enum { PEOPLE = 24, BALANCE = 1000 * 1000 * 1000, FEE = 1000, TURNS_MS_MAX = 60 * 1000 };

struct world {
	char parent[64];
	char home[96];
	char data[128];
	struct genesis *genesis;
	struct event_base *loop;
	struct store store;
	struct app app;
	struct mempool *mempool;
	struct driver *driver;
	struct log log;
	struct account_secret secrets[PEOPLE];
	struct account_key keys[PEOPLE];
	uint64_t sequences[PEOPLE];
	size_t admitted;
	size_t refused;
};

static void quiet(void *ctx, enum log_level level, const char *line, size_t len)
{
}

static void make_people(struct world *w)
{
	for (uint32_t i = 0; i < PEOPLE; i++) {
		uint8_t seed[4];
		put_u32be(seed, i);
		struct hash32 hash = sha256(bytes_view(seed, sizeof seed));
		memcpy(w->secrets[i].b, hash.b, sizeof hash.b);
		assert_true(account_key_of(&w->keys[i], &w->secrets[i]));
	}
}

static void make_home(struct world *w)
{
	char fault[NODE_FAULT_BYTES], path[NODE_PATH_BYTES];
	struct genesis_fault why;
	struct buf text = {0};
	strcpy(w->parent, "node-apply-XXXXXX");
	assert_non_null(mkdtemp(w->parent));
	snprintf(w->home, sizeof w->home, "%s/home", w->parent);
	snprintf(w->data, sizeof w->data, "%s/data", w->home);
	struct homes_plan plan = {.output = w->home,
		.chain_id = "devnet-apply",
		.validators = 1,
		.single_home = true,
		.now_ms = (int64_t)clock_wall_ms()};
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);
	assert_int_equal(files_join(path, w->home, "genesis.json"), STATUS_OK);
	assert_int_equal(files_read(&text, path, 1 << 20, fault), STATUS_OK);
	w->genesis = malloc(sizeof *w->genesis);
	assert_int_equal(
		genesis_parse(w->genesis, buf_view(&text), GENESIS_APP_SETTLE, &why), STATUS_OK);
	buf_fini(&text);
	for (size_t i = 0; i < PEOPLE; i++) {
		struct account_address address = account_address_of(&w->keys[i]);
		assert_int_equal(
			genesis_add_account(w->genesis, &address, amount_of(BALANCE)), STATUS_OK);
	}
	assert_int_equal(genesis_seal(w->genesis, &why), STATUS_OK);
}

static void replica_config_of(struct world *w, struct replica_config *out)
{
	memset(out, 0, sizeof *out);
	out->start.chain_id = w->genesis->chain_id;
	out->start.initial_height = w->genesis->initial_height;
	out->start.time = w->genesis->time;
	genesis_validator_set(&out->start.validators, w->genesis);
	out->start.params = w->genesis->consensus;
	out->chain_tag = w->genesis->chain_tag;
	out->engine = w->genesis->engine;
	out->app = w->app;
	out->store = &w->store;
	out->mempool = w->mempool;
	out->log = &w->log;
}

static void open_app(struct world *w)
{
	struct settle_config config = {.chain_tag = w->genesis->chain_tag,
		.heartbeat_ms = w->genesis->engine.heartbeat_ms,
		.block_bytes_max = (uint64_t)w->genesis->consensus.block_max_bytes};
	assert_int_equal(settle_open(&w->app, &w->store, &config), STATUS_OK);
}

static void on_stopped(void *ctx, const char *why)
{
	fail_msg("the driver stopped: %s", why);
}

/* The store, the app and the driver over the home, new or used. */
static void open_node(struct world *w)
{
	char fault[NODE_FAULT_BYTES], path[NODE_PATH_BYTES];
	struct driver_config config = {.verify_threads = 2, .stopped = on_stopped, .ctx = w};
	struct mempool_options options = {0};
	struct chain_head head;
	w->log = (struct log){LOG_BROKEN, quiet, NULL};
	w->loop = event_base_new();
	assert_int_equal(store_rocks_open(&w->store, w->data, fault), STATUS_OK);
	open_app(w);
	if (chain_head_load(&head, &w->store, w->genesis->initial_height) == STATUS_NOT_FOUND) {
		struct store_batch batch;
		store_batch_init(&batch);
		replica_config_of(w, &config.replica);
		assert_int_equal(
			replica_genesis(&batch, &config.replica, buf_view(&w->genesis->app_state)),
			STATUS_OK);
		assert_int_equal(store_write(&w->store, &batch, true), STATUS_OK);
		store_batch_fini(&batch);
	}
	options.account = w->app.vtable->account;
	options.account_self = w->app.self;
	w->mempool = mempool_new(&options);
	assert_int_equal(files_join(path, w->home, "validator_key.json"), STATUS_OK);
	assert_int_equal(homes_read_key(&config.secret, path, fault), STATUS_OK);
	config.loop = w->loop;
	config.home = w->home;
	replica_config_of(w, &config.replica);
	config.replica.me = validator_key_of(&config.secret);
	assert_int_equal(driver_new(&w->driver, &config, fault), STATUS_OK);
}

static void close_node(struct world *w)
{
	driver_free(w->driver);
	mempool_free(w->mempool);
	w->app.vtable->close(w->app.self);
	store_close(&w->store);
	event_base_free(w->loop);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	return remove(path);
}

static int opens(void **state)
{
	static struct world world;
	uint8_t seed[32] = {7};
	memset(&world, 0, sizeof world);
	assert_true(keys_start(seed));
	make_people(&world);
	make_home(&world);
	open_node(&world);
	*state = &world;
	return 0;
}

static int closes(void **state)
{
	struct world *w = *state;
	close_node(w);
	genesis_fini(w->genesis);
	free(w->genesis);
	return nftw(w->parent, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void on_submitted(void *ctx, const struct view_submitted *outcome)
{
	struct world *w = ctx;
	if (outcome->admission == VIEW_ADMITTED && outcome->verdict.code == 0)
		w->admitted++;
	else
		w->refused++;
}

/* A transfer of 1 from one to the next. */
static void submit(struct world *w, size_t from, bool spoil)
{
	struct account_address to = account_address_of(&w->keys[(from + 1) % PEOPLE]);
	Pb__Transfer transfer = PB__TRANSFER__INIT;
	Pb__Action action = PB__ACTION__INIT;
	Pb__Action *actions[] = {&action};
	Pb__TxBody body = PB__TX_BODY__INIT;
	struct buf tx = {0};
	transfer.to.data = to.b;
	transfer.to.len = sizeof to.b;
	transfer.amount = 1;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &transfer;
	body.sequence = spoil ? w->sequences[from] : w->sequences[from]++;
	body.fee = FEE;
	body.actions = actions;
	body.n_actions = 1;
	tx_sign(&tx, &body, &w->secrets[from], &w->keys[from], &w->genesis->chain_tag);
	if (spoil)
		tx.data[tx.len - 1] ^= 1; /* within the signature */
	assert_int_equal(driver_submit(w->driver, buf_view(&tx), on_submitted, w), STATUS_OK);
	buf_fini(&tx);
}

static void turn(struct world *w)
{
	struct timeval most = {0, 20 * 1000};
	event_base_loopexit(w->loop, &most);
	event_base_loop(w->loop, EVLOOP_ONCE);
}

static void run_until_committed(struct world *w, uint64_t txs)
{
	uint64_t end_ms = clock_steady_ms() + TURNS_MS_MAX;
	while (driver_counts(w->driver).txs < txs) {
		assert_true(clock_steady_ms() < end_ms);
		turn(w);
	}
}

/* The value is the one that the proof's own leaf was made of. */
static void assert_proof_is_of_its_value(struct world *w, size_t who)
{
	struct account_address address = account_address_of(&w->keys[who]);
	struct state_key key = state_key_account(&address);
	struct app_query query = {
		.path = "/store/settle/key", .data = state_key_view(&key), .prove = true};
	struct app_answer answer;
	for (int64_t back = 0; back < 2; back++) {
		app_answer_init(&answer);
		query.height = replica_head(driver_replica(w->driver))->height - back;
		assert_int_equal(w->app.vtable->query(w->app.self, &query, &answer), STATUS_OK);
		if (answer.verdict.code == 0) {
			Pb__ProofOps *ops = pb__proof_ops__unpack(
				NULL, answer.proof_ops.len, answer.proof_ops.data);
			assert_non_null(ops);
			Pb__ValueOp *op = pb__value_op__unpack(
				NULL, ops->ops[0]->data.len, ops->ops[0]->data.data);
			struct hash32 leaf =
				tree_leaf(state_key_view(&key), buf_view(&answer.value));
			assert_non_null(op);
			assert_memory_equal(op->proof->leaf_hash.data, leaf.b, sizeof leaf.b);
			pb__value_op__free_unpacked(op, NULL);
			pb__proof_ops__free_unpacked(ops, NULL);
		}
		app_answer_fini(&answer);
	}
}

static void everything_admitted_commits_and_proofs_hold_meanwhile(void **state)
{
	enum { ROUNDS = 30 };
	struct world *w = *state;
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t who = 0; who < PEOPLE; who++)
			submit(w, who, false);
		submit(w, round % PEOPLE, true);
		for (size_t i = 0; i < 8; i++) {
			turn(w);
			assert_proof_is_of_its_value(w, (round + i) % PEOPLE);
		}
		run_until_committed(w, round < 2 ? 0 : (round - 1) * PEOPLE);
	}
	run_until_committed(w, ROUNDS * PEOPLE);
	assert_int_equal(w->admitted, ROUNDS * PEOPLE);
	assert_int_equal(w->refused, ROUNDS);
	assert_int_equal(driver_counts(w->driver).submissions, 0);
	for (size_t who = 0; who < PEOPLE; who++) {
		struct account_address address = account_address_of(&w->keys[who]);
		uint64_t next, balance;
		assert_true(w->app.vtable->account(w->app.self, &address, &next, &balance));
		assert_int_equal(next, ROUNDS);
		assert_int_equal(balance, BALANCE - ROUNDS * FEE);
	}
}

static void submit_one_each(struct world *w)
{
	for (size_t who = 0; who < PEOPLE; who++) {
		struct account_address address = account_address_of(&w->keys[who]);
		uint64_t balance;
		assert_true(w->app.vtable->account(
			w->app.self, &address, &w->sequences[who], &balance));
		submit(w, who, false);
	}
}

static void node_that_ends_anywhere_in_a_block_goes_on_from_there(void **state)
{
	enum { LIVES = 12 };
	struct world *w = *state;
	for (size_t life = 0; life < LIVES; life++) {
		submit_one_each(w);
		for (size_t i = 0; i < life; i++)
			event_base_loop(w->loop, EVLOOP_ONCE);
		int64_t height = replica_head(driver_replica(w->driver))->height;
		close_node(w);
		open_node(w);
		assert_true(replica_head(driver_replica(w->driver))->height >= height);
	}
	submit_one_each(w);
	run_until_committed(w, PEOPLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			everything_admitted_commits_and_proofs_hold_meanwhile, opens, closes),
		cmocka_unit_test_setup_teardown(
			node_that_ends_anywhere_in_a_block_goes_on_from_there, opens, closes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
