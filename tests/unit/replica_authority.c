/* What authority decides, seen by the engine: two whole replicas over store_mem, a lossless link
 * between them and no clock. A validator joins, the first one leaves, the rules version rises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain/blocks.h"
#include "chain/settle/settle.h"
#include "chain/store_mem.h"
#include "chain/tx.h"
#include "genesis/genesis.h"
#include "replica/replica.h"

enum { NODES = 2, QUEUE_MAX = 1024, TXS_MAX = 32, START_S = 1700000000, FIRST = 0, SECOND = 1 };

/* An input on its way, with the bytes it points to. */
struct waiting {
	struct replica_input in;
	struct buf bytes;
};

struct node {
	struct validator_secret secret;
	struct validator_key key;
	uint64_t rules_known;
	struct store store;
	struct app app;
	struct mempool *mempool;
	struct replica *replica;
	struct replica_effects effects;
	struct waiting queue[QUEUE_MAX];
	size_t first, count;
	struct buf txs[TXS_MAX]; /* by ticket, for ever */
	uint64_t tx_count;
	struct app_verdict verdict;
};

static struct node nodes[NODES];
static struct genesis genesis;
static struct account_secret operator_secret[NODES];
static struct account_key operator_key[NODES];
static uint64_t sequences[NODES];
static uint64_t now_ms; /* steady; the wall is as far from its start */

static struct replica_now now(void)
{
	struct replica_now at = {
		timestamp_of_ms((int64_t)START_S * 1000 + (int64_t)now_ms), now_ms};

	return at;
}

/* ---- a world ---- */

static void make_genesis(void)
{
	struct genesis_fault fault;
	struct account_address treasury = {{0x77}};
	struct validator_address validator;

	genesis_init(&genesis, GENESIS_APP_SETTLE);
	strcpy(genesis.chain_id, "authority-1");
	genesis.time.seconds = START_S - 1;
	genesis.initial_height = 1;
	genesis.engine.heartbeat_ms = 1000;
	genesis.treasury = treasury;
	genesis.has_treasury = true;
	assert_int_equal(genesis_add_account(&genesis, &treasury, amount_of(1000000)), STATUS_OK);
	for (size_t i = 0; i < NODES; i++) {
		struct account_address address;

		memset(operator_secret[i].b, (int)(0x21 + i), 32);
		assert_true(account_key_of(&operator_key[i], &operator_secret[i]));
		address = account_address_of(&operator_key[i]);
		assert_int_equal(
			genesis_add_account(&genesis, &address, amount_of(10000000)), STATUS_OK);
		memset(nodes[i].secret.seed, (int)(0x31 + i), 32);
		nodes[i].key = validator_key_of(&nodes[i].secret);
		if (i != FIRST)
			continue;
		validator = validator_address_of(&nodes[i].key);
		assert_int_equal(
			genesis_add_validator(&genesis, &nodes[i].key, 10, "first"), STATUS_OK);
		assert_int_equal(genesis_add_operator(&genesis, &validator, &address), STATUS_OK);
	}
	if (genesis_seal(&genesis, &fault) != STATUS_OK)
		fail_msg("%s", fault.text);
}

static void open_app(struct node *n)
{
	struct settle_config config = {
		.chain_tag = genesis.chain_tag,
		.heartbeat_ms = genesis.engine.heartbeat_ms,
		.block_bytes_max = (uint64_t)genesis.consensus.block_max_bytes,
		.rules_known = n->rules_known,
	};

	assert_int_equal(settle_open(&n->app, &n->store, &config), STATUS_OK);
}

static void config_of(struct node *n, struct replica_config *out)
{
	memset(out, 0, sizeof *out);
	out->start.chain_id = genesis.chain_id;
	out->start.initial_height = genesis.initial_height;
	out->start.time = genesis.time;
	genesis_validator_set(&out->start.validators, &genesis);
	out->start.params = genesis.consensus;
	out->chain_tag = genesis.chain_tag;
	out->engine = genesis.engine;
	out->me = n->key;
	out->has_peers = true;
	out->app = n->app;
	out->store = &n->store;
	out->mempool = n->mempool;
}

static void write_genesis(struct node *n)
{
	struct replica_config config;
	struct store_batch batch;

	config_of(n, &config);
	store_batch_init(&batch);
	assert_int_equal(replica_genesis(&batch, &config, buf_view(&genesis.app_state)), STATUS_OK);
	assert_int_equal(store_write(&n->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
}

static void open_mempool(struct node *n)
{
	struct mempool_options options = {.txs_max = 100};

	options.account = n->app.vtable->account;
	options.account_self = n->app.self;
	n->mempool = mempool_new(&options);
	assert_non_null(n->mempool);
}

static void put_input(struct node *n, const struct replica_input *in, struct bytes bytes)
{
	struct waiting *w = &n->queue[(n->first + n->count) % QUEUE_MAX];

	assert_true(n->count < QUEUE_MAX);
	n->count++;
	w->in = *in;
	buf_clear(&w->bytes);
	buf_append_view(&w->bytes, bytes);
	assert_true(buf_ok(&w->bytes));
}

static void do_effects(struct node *n);

static void start(struct node *n)
{
	struct fence_record fence = {0};
	struct replica_input up = {.kind = REPLICA_PEER_UP};
	struct replica_config config;
	size_t good;
	char fault[256];

	open_mempool(n);
	config_of(n, &config);
	if (replica_new(&n->replica, &config, fault) != STATUS_OK)
		fail_msg("%s", fault);
	assert_int_equal(replica_recover(n->replica, bytes_view(NULL, 0), &fence, now(),
				 &n->effects, &good, fault),
		STATUS_OK);
	do_effects(n);
	put_input(n, &up, bytes_view(NULL, 0));
}

/* The replica, its mempool and its app; the store stays. */
static void stop(struct node *n)
{
	replica_free(n->replica);
	mempool_free(n->mempool);
	n->app.vtable->close(n->app.self);
}

static int opens(void **state)
{
	uint8_t seed[32] = {9};

	assert_true(keys_start(seed));
	memset(nodes, 0, sizeof nodes);
	memset(sequences, 0, sizeof sequences);
	now_ms = 1000;
	nodes[FIRST].rules_known = 1;
	nodes[SECOND].rules_known = 2;
	make_genesis();
	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(store_mem_open(&nodes[i].store), STATUS_OK);
		open_app(&nodes[i]);
		write_genesis(&nodes[i]);
		start(&nodes[i]);
	}
	return 0;
}

static int closes(void **state)
{
	for (size_t i = 0; i < NODES; i++) {
		struct node *n = &nodes[i];

		for (; n->count > 0; n->count--, n->first = (n->first + 1) % QUEUE_MAX) {
			if (n->queue[n->first].in.kind == REPLICA_APPLIED)
				apply_job_free(n->queue[n->first].in.u.job);
		}
		stop(n);
		replica_effects_fini(&n->effects);
		for (size_t k = 0; k < QUEUE_MAX; k++)
			buf_fini(&n->queue[k].bytes);
		for (size_t k = 0; k < TXS_MAX; k++)
			buf_fini(&n->txs[k]);
		store_close(&n->store);
	}
	genesis_fini(&genesis);
	return 0;
}

/* ---- its course ---- */

static void take_tx(struct node *n, struct bytes raw, bool from_peer)
{
	struct replica_input in = {.kind = REPLICA_TX};

	assert_true(n->tx_count < TXS_MAX);
	in.u.tx.ticket = n->tx_count++;
	in.u.tx.from_peer = from_peer;
	buf_append_view(&n->txs[in.u.tx.ticket], raw);
	in.u.tx.raw = buf_view(&n->txs[in.u.tx.ticket]);
	put_input(n, &in, bytes_view(NULL, 0));
}

static void do_verify(struct node *n, uint64_t ticket)
{
	struct replica_input in = {.kind = REPLICA_TX_VERIFIED};

	in.u.tx.ticket = ticket;
	in.u.tx.raw = buf_view(&n->txs[ticket]);
	in.u.tx.hash = sha256(in.u.tx.raw);
	in.u.tx.verdict = &n->verdict; /* every signature here is good */
	put_input(n, &in, bytes_view(NULL, 0));
}

static void do_effect(struct node *n, const struct replica_effect *e)
{
	struct node *other = &nodes[n == &nodes[FIRST] ? SECOND : FIRST];
	struct replica_input in = {.kind = REPLICA_MESSAGE};

	switch (e->kind) { /* lint: dispatch */
	case REPLICA_LOG:
	case REPLICA_LOG_SYNC:
	case REPLICA_LOG_RESET:
	case REPLICA_COMMITTED: return;
	case REPLICA_TX_DONE: assert_int_equal(e->u.tx.verdict.verdict.code, 0); return;
	case REPLICA_DROP_PEER: fail_msg("an honest peer is dropped"); return;
	case REPLICA_SIGN:
		in.kind = REPLICA_SIGNED;
		validator_sign(&in.u.sign.signature, &n->secret, e->bytes);
		put_input(n, &in, bytes_view(NULL, 0));
		return;
	case REPLICA_SEND: put_input(other, &in, e->bytes); return;
	case REPLICA_SUBMIT: take_tx(n, e->bytes, true); return;
	case REPLICA_VERIFY_TX: do_verify(n, e->u.tx.ticket); return;
	case REPLICA_APPLY:
		apply_run(e->u.job);
		in.kind = REPLICA_APPLIED;
		in.u.job = e->u.job;
		put_input(n, &in, bytes_view(NULL, 0));
		return;
	}
}

static void do_effects(struct node *n)
{
	for (size_t i = 0; i < n->effects.count; i++)
		do_effect(n, &n->effects.items[i]);
	n->effects.count = 0;
}

static void step(struct node *n, const struct replica_input *in)
{
	replica_step(n->replica, in, now(), &n->effects);
	do_effects(n);
}

/* Everything on its way arrives; then time goes on to whoever waits least. */
static void turn(void)
{
	struct replica_input tick = {.kind = REPLICA_TICK};
	uint64_t next = UINT64_MAX;
	bool busy = true;

	while (busy) {
		busy = false;
		for (size_t i = 0; i < NODES; i++) {
			struct node *n = &nodes[i];
			struct waiting *w = &n->queue[n->first];

			if (n->count == 0)
				continue;
			busy = true;
			n->first = (n->first + 1) % QUEUE_MAX;
			n->count--;
			if (w->in.kind == REPLICA_MESSAGE)
				w->in.u.peer.message = buf_view(&w->bytes);
			step(n, &w->in);
		}
	}
	for (size_t i = 0; i < NODES; i++) {
		uint64_t due = replica_next_ms(nodes[i].replica, now());

		next = due < next ? due : next;
	}
	assert_true(next != UINT64_MAX);
	now_ms = next > now_ms ? next : now_ms + 1;
	for (size_t i = 0; i < NODES; i++)
		step(&nodes[i], &tick);
}

static const struct chain_head *head_of(size_t node)
{
	return replica_head(nodes[node].replica);
}

static void run_to(size_t node, int64_t height)
{
	for (int i = 0; i < 2000 && head_of(node)->height < height; i++)
		turn();
	assert_true(head_of(node)->height >= height);
}

/* ---- what is sent ---- */

static void send_proposal(size_t voter, Pb__AuthorityProposal *proposal)
{
	Pb__Authority act = PB__AUTHORITY__INIT;
	Pb__Action action = PB__ACTION__INIT;
	Pb__Action *actions[] = {&action};
	Pb__TxBody body = PB__TX_BODY__INIT;
	struct buf raw = {0};

	act.proposal = proposal;
	action.act_case = PB__ACTION__ACT_AUTHORITY;
	action.authority = &act;
	body.sequence = sequences[voter]++;
	body.fee = 10000;
	body.actions = actions;
	body.n_actions = 1;
	tx_sign(&raw, &body, &operator_secret[voter], &operator_key[voter], &genesis.chain_tag);
	take_tx(&nodes[FIRST], buf_view(&raw), false);
	buf_fini(&raw);
}

static void send_power(size_t voter, size_t node, int64_t power)
{
	struct account_address account = account_address_of(&operator_key[node]);
	Pb__ValidatorChange change = PB__VALIDATOR_CHANGE__INIT;
	Pb__ValidatorChange *changes[] = {&change};
	Pb__ValidatorsChange all = PB__VALIDATORS_CHANGE__INIT;
	Pb__AuthorityProposal proposal = PB__AUTHORITY_PROPOSAL__INIT;

	change.key = (ProtobufCBinaryData){32, nodes[node].key.b};
	change.power = power;
	if (power > 0)
		change.account = (ProtobufCBinaryData){20, account.b};
	all.changes = changes;
	all.n_changes = 1;
	proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS;
	proposal.validators = &all;
	send_proposal(voter, &proposal);
}

static void send_rules(size_t voter, uint64_t version, int64_t height)
{
	Pb__RulesVersion rules = PB__RULES_VERSION__INIT;
	Pb__AuthorityProposal proposal = PB__AUTHORITY_PROPOSAL__INIT;

	rules.version = version;
	rules.height = height;
	rules.release = (char *)(uintptr_t) "aitbcd 2.0";
	proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE_RULES;
	proposal.rules = &rules;
	send_proposal(voter, &proposal);
}

/* ---- what blocks say ---- */

static struct arena looking;

static const Pb__Header *header_of(size_t node, int64_t height)
{
	const Pb__BlockMeta *meta;

	assert_int_equal(blocks_meta(&nodes[node].store, NULL, &looking, height, &meta), STATUS_OK);
	return meta->header;
}

/* Who has precommitted the block, of how many. */
static size_t signatures_of(size_t node, int64_t height, size_t *of)
{
	const Pb__Commit *commit;
	bool canonical;
	size_t count = 0;

	assert_int_equal(
		blocks_commit(&nodes[node].store, NULL, &looking, height, &commit, &canonical),
		STATUS_OK);
	for (size_t i = 0; i < commit->n_signatures; i++)
		count += commit->signatures[i]->block_id_flag == 2;
	*of = commit->n_signatures;
	return count;
}

static bool same(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* The height whose block changed the set: its header is the last of the old next_validators_hash.
 */
static int64_t height_of_change(size_t node, int64_t from)
{
	for (int64_t h = from; h < head_of(node)->height; h++) {
		if (!same(header_of(node, h)->next_validators_hash,
			    header_of(node, h + 1)->next_validators_hash))
			return h;
	}
	fail_msg("the set never changed");
	return 0;
}

static void the_engine_follows_the_validators_two_heights_later(void **state)
{
	size_t of;
	int64_t h;

	arena_init(&looking, 64 * 1024 * 1024);
	run_to(FIRST, 2);
	assert_int_equal(head_of(FIRST)->validators.count, 1);
	send_power(FIRST, SECOND, 10);
	run_to(SECOND, 8);
	h = height_of_change(FIRST, 1);
	assert_false(same(header_of(FIRST, h + 1)->validators_hash,
		header_of(FIRST, h + 2)->validators_hash));
	assert_int_equal(signatures_of(FIRST, h + 1, &of), 1);
	assert_int_equal(of, 1);
	/* From here on neither decides without the other. */
	assert_int_equal(signatures_of(FIRST, h + 2, &of), 2);
	assert_int_equal(of, 2);
	assert_int_equal(head_of(SECOND)->validators.count, 2);
	/* And the first goes, though it proposes every other block. */
	send_power(FIRST, FIRST, 0);
	send_power(SECOND, FIRST, 0);
	run_to(FIRST, head_of(FIRST)->height + 8);
	assert_int_equal(head_of(FIRST)->validators.count, 1);
	assert_memory_equal(head_of(FIRST)->validators.v[0].key.b, nodes[SECOND].key.b, 32);
	assert_int_equal(signatures_of(FIRST, head_of(FIRST)->height - 1, &of), 1);
	assert_int_equal(of, 1);
	arena_fini(&looking);
}

static void who_does_not_know_the_next_rules_stops_before_voting(void **state)
{
	struct replica_config config;
	struct replica *again;
	char fault[256];
	int64_t height;

	arena_init(&looking, 64 * 1024 * 1024);
	/* All power to the second, which knows version 2. */
	send_power(FIRST, SECOND, 100);
	run_to(SECOND, 6);
	height = head_of(SECOND)->height + 5;
	send_rules(SECOND, 2, height);
	run_to(SECOND, height + 3);
	assert_int_equal(header_of(SECOND, height - 1)->version->app, 1);
	assert_int_equal(header_of(SECOND, height)->version->app, 2);
	assert_int_equal(head_of(SECOND)->app_version, 2);
	assert_null(replica_stopped(nodes[SECOND].replica));
	assert_int_equal(head_of(FIRST)->height, height - 1);
	assert_non_null(replica_stopped(nodes[FIRST].replica));
	assert_non_null(strstr(replica_stopped(nodes[FIRST].replica), "aitbcd 2.0"));
	/* Nor does it start again. */
	config_of(&nodes[FIRST], &config);
	assert_int_equal(replica_new(&again, &config, fault), STATUS_INVALID);
	assert_non_null(strstr(fault, "aitbcd 2.0"));
	/* The release that knows does, over the same store, and catches up. */
	stop(&nodes[FIRST]);
	nodes[FIRST].rules_known = 2;
	open_app(&nodes[FIRST]);
	start(&nodes[FIRST]);
	run_to(FIRST, height + 3);
	assert_true(same(
		header_of(FIRST, height + 3)->app_hash, header_of(SECOND, height + 3)->app_hash));
	arena_fini(&looking);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_engine_follows_the_validators_two_heights_later, opens, closes),
		cmocka_unit_test_setup_teardown(
			who_does_not_know_the_next_rules_stops_before_voting, opens, closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
