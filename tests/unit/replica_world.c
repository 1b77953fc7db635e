#include "tests/unit/replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain/blocks.h"
#include "chain/settle/settle.h"
#include "chain/store_mem.h"
#include "chain/tx.h"

enum { START_S = 1700000000, RELINK_MS = 10000 };

struct world_event {
	uint64_t at_ms, number;
	size_t node;
	struct replica_input in;
	struct buf bytes;
	bool relink;
	size_t peer;
};

/* ---- events, a heap by time and number ---- */

static bool before(const struct world_event *a, const struct world_event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

static void put_event(struct world *w, const struct world_event *event)
{
	if (w->event_count == w->event_cap) {
		w->event_cap = w->event_cap ? w->event_cap * 2 : 1024;
		w->events = realloc(w->events, w->event_cap * sizeof *w->events);
		assert_non_null(w->events);
	}
	size_t i = w->event_count++;
	struct world_event e = *event;
	e.number = w->event_next++;
	while (i > 0 && before(&e, &w->events[(i - 1) / 2])) {
		w->events[i] = w->events[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->events[i] = e;
}

static struct world_event take_event(struct world *w)
{
	struct world_event first = w->events[0];
	struct world_event last = w->events[--w->event_count];
	size_t i = 0;
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= w->event_count)
			break;
		if (child + 1 < w->event_count && before(&w->events[child + 1], &w->events[child]))
			child++;
		if (!before(&w->events[child], &last))
			break;
		w->events[i] = w->events[child];
		i = child;
	}
	if (w->event_count > 0)
		w->events[i] = last;
	return first;
}

static void put_input(struct world *w, size_t node, const struct replica_input *in,
	struct bytes bytes, uint64_t delay_ms)
{
	struct world_event e = {.at_ms = w->now_ms + delay_ms, .node = node, .in = *in};
	buf_append_view(&e.bytes, bytes);
	assert_true(buf_ok(&e.bytes));
	put_event(w, &e);
}

/* What is on its way to a node that is gone. */
static void forget_events(struct world *w, size_t node)
{
	size_t kept = 0, count = w->event_count;
	struct world_event *old = w->events;
	struct world_event *all = calloc(count + 1, sizeof *all);
	assert_non_null(all);
	memcpy(all, old, count * sizeof *all);
	w->event_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct world_event *e = &all[i];
		bool theirs = e->node == node && !e->relink;
		bool word = e->in.kind == REPLICA_MESSAGE && e->in.u.peer.peer == node;
		if (theirs || (word && !e->relink)) {
			if (e->in.kind == REPLICA_APPLIED)
				apply_job_free(e->in.u.job);
			buf_fini(&e->bytes);
			continue;
		}
		all[kept++] = *e;
	}
	for (size_t i = 0; i < kept; i++) {
		/* In their order: numbers are given anew. */
		size_t best = i;
		for (size_t k = i + 1; k < kept; k++)
			best = before(&all[k], &all[best]) ? k : best;
		struct world_event e = all[best];
		all[best] = all[i];
		all[i] = e;
		put_event(w, &e);
	}
	free(all);
}

/* ---- birth ---- */

struct replica_now world_now(const struct world *w)
{
	struct replica_now now = {
		timestamp_of_ms((int64_t)START_S * 1000 + (int64_t)w->now_ms), w->now_ms};
	return now;
}

static void make_genesis(struct world *w, size_t validators)
{
	struct genesis_fault fault;
	struct account_address treasury = {{0x77}};

	genesis_init(&w->genesis, GENESIS_APP_SETTLE);
	strcpy(w->genesis.chain_id, "world-1");
	w->genesis.time.seconds = START_S - 1;
	w->genesis.initial_height = 1;
	w->genesis.engine.heartbeat_ms = 1000;
	w->genesis.treasury = treasury;
	w->genesis.has_treasury = true;
	assert_int_equal(
		genesis_add_account(&w->genesis, &treasury, amount_of(1000000)), STATUS_OK);
	for (size_t i = 0; i < WORLD_ACCOUNTS; i++) {
		memset(w->accounts[i].b, (int)(0x21 + i), 32);
		assert_true(account_key_of(&w->account_keys[i], &w->accounts[i]));
		struct account_address address = account_address_of(&w->account_keys[i]);
		assert_int_equal(genesis_add_account(&w->genesis, &address, amount_of(10000000000)),
			STATUS_OK);
	}
	for (size_t i = 0; i < w->crowd; i++) {
		struct account_address address = {{0xcc, (uint8_t)(i >> 16), (uint8_t)(i >> 8)}};
		address.b[3] = (uint8_t)i;
		assert_int_equal(
			genesis_add_account(&w->genesis, &address, amount_of(1 + i)), STATUS_OK);
	}
	for (size_t i = 0; i < w->count; i++) {
		memset(w->nodes[i].secret.seed, (int)(0x91 + i), 32);
		w->nodes[i].key = validator_key_of(&w->nodes[i].secret);
		if (i < validators)
			assert_int_equal(
				genesis_add_validator(&w->genesis, &w->nodes[i].key, 10, "one"),
				STATUS_OK);
	}
	if (genesis_seal(&w->genesis, &fault) != STATUS_OK)
		fail_msg("%s", fault.text);
}

void world_open(struct world *w, size_t count, size_t validators)
{
	uint8_t seed[32] = {9};

	assert_true(keys_start(seed));
	w->count = count;
	w->now_ms = 1000;
	w->delay_ms = 1;
	w->relink_ms = RELINK_MS;
	make_genesis(w, validators);
	for (size_t i = 0; i < count; i++) {
		w->nodes[i].tick_ms = UINT64_MAX;
		w->nodes[i].follows = i >= validators;
		if (!w->nodes[i].has_store)
			assert_int_equal(store_mem_open(&w->nodes[i].store), STATUS_OK);
		w->nodes[i].has_store = true;
	}
}

void world_close(struct world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->nodes[i].up)
			world_stop(w, i);
		if (w->nodes[i].has_store)
			store_close(&w->nodes[i].store);
		buf_fini(&w->nodes[i].log);
		replica_effects_fini(&w->nodes[i].effects);
	}
	for (size_t i = 0; i < w->event_count; i++)
		buf_fini(&w->events[i].bytes);
	free(w->events);
	genesis_fini(&w->genesis);
	memset(w, 0, sizeof *w);
}

void world_open_app(struct world *w, size_t node)
{
	struct settle_config config = {
		.chain_tag = w->genesis.chain_tag,
		.heartbeat_ms = w->genesis.engine.heartbeat_ms,
		.block_bytes_max = (uint64_t)w->genesis.consensus.block_max_bytes,
		.snapshot_interval = w->app_interval,
	};
	assert_int_equal(
		settle_open(&w->nodes[node].app, &w->nodes[node].store, &config), STATUS_OK);
}

void world_replica_config(struct world *w, size_t node, struct replica_config *out)
{
	struct world_node *n = &w->nodes[node];

	memset(out, 0, sizeof *out);
	out->start.chain_id = w->genesis.chain_id;
	out->start.initial_height = w->genesis.initial_height;
	out->start.time = w->genesis.time;
	genesis_validator_set(&out->start.validators, &w->genesis);
	out->start.params = w->genesis.consensus;
	out->chain_tag = w->genesis.chain_tag;
	out->engine = w->genesis.engine;
	if (!n->follows)
		out->me = n->key;
	out->has_peers = true;
	out->app = n->app;
	out->store = &n->store;
	out->mempool = n->mempool;
}

void world_write_genesis(struct world *w, size_t node)
{
	struct world_node *n = &w->nodes[node];
	struct replica_config config;
	struct store_batch batch;
	struct chain_head head;

	if (chain_head_load(&head, &n->store, 1) != STATUS_NOT_FOUND)
		return;
	world_replica_config(w, node, &config);
	store_batch_init(&batch);
	assert_int_equal(
		replica_genesis(&batch, &config, buf_view(&w->genesis.app_state)), STATUS_OK);
	assert_int_equal(store_write(&n->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	n->app.vtable->close(n->app.self);
	world_open_app(w, node);
}

static void do_effects(struct world *w, size_t node);

static void link_nodes(struct world *w, size_t a, size_t b)
{
	struct replica_input up = {.kind = REPLICA_PEER_UP};
	up.u.peer.peer = (uint32_t)b;
	put_input(w, a, &up, bytes_view(NULL, 0), 0);
	up.u.peer.peer = (uint32_t)a;
	put_input(w, b, &up, bytes_view(NULL, 0), 0);
	w->links[a][b].cut = w->links[b][a].cut = false;
}

static void link_all(struct world *w, size_t node)
{
	for (size_t i = 0; i < w->count; i++) {
		if (i != node && w->nodes[i].up)
			link_nodes(w, node, i);
	}
}

static void start_replica(struct world *w, size_t node);

void world_start(struct world *w, size_t node)
{
	assert_false(w->nodes[node].up);
	start_replica(w, node);
	link_all(w, node);
}

static void start_replica(struct world *w, size_t node)
{
	struct world_node *n = &w->nodes[node];
	struct mempool_options options = {.txs_max = 20000};
	struct replica_config config;
	char fault[256];
	size_t good;

	if (!n->app.self)
		world_open_app(w, node);
	world_write_genesis(w, node);
	options.account = n->app.vtable->account;
	options.account_self = n->app.self;
	n->mempool = mempool_new(&options);
	assert_non_null(n->mempool);
	world_replica_config(w, node, &config);
	if (replica_new(&n->replica, &config, fault) != STATUS_OK)
		fail_msg("%s", fault);
	n->up = true;
	if (replica_recover(n->replica, buf_view(&n->log), &n->fence, world_now(w), &n->effects,
		    &good, fault) != STATUS_OK)
		fail_msg("%s", fault);
	do_effects(w, node);
}

void world_start_joining(struct world *w, size_t node, uint64_t heights_min)
{
	struct world_node *n = &w->nodes[node];
	struct replica_config replica;

	assert_false(n->up);
	world_open_app(w, node);
	world_write_genesis(w, node);
	world_replica_config(w, node, &replica);
	struct join_config config = {
		.start = replica.start,
		.app = n->app,
		.store = &n->store,
		.heights_min = heights_min,
	};
	n->join = join_new(&config, world_now(w));
	assert_non_null(n->join);
	n->up = true;
	link_all(w, node);
	do_effects(w, node);
}

/* As the daemon does: one batch, the app anew, and the links told to the replica. */
static void end_join(struct world *w, size_t node)
{
	struct world_node *n = &w->nodes[node];
	struct replica_input up = {.kind = REPLICA_PEER_UP};

	if (join_state(n->join) == JOIN_DONE) {
		n->joined = join_height(n->join);
		assert_int_equal(store_write(&n->store, join_batch(n->join), true), STATUS_OK);
		n->app.vtable->close(n->app.self);
		world_open_app(w, node);
	}
	join_free(n->join);
	n->join = NULL;
	n->tick_ms = UINT64_MAX;
	n->effects.count = 0;
	start_replica(w, node);
	for (size_t i = 0; i < w->count; i++) {
		up.u.peer.peer = (uint32_t)i;
		if (i != node && w->nodes[i].up && !w->links[node][i].cut)
			put_input(w, node, &up, bytes_view(NULL, 0), 0);
	}
}

void world_stop(struct world *w, size_t node)
{
	struct world_node *n = &w->nodes[node];
	struct replica_input down = {.kind = REPLICA_PEER_DOWN};

	forget_events(w, node);
	join_free(n->join);
	if (n->replica) {
		replica_free(n->replica);
		mempool_free(n->mempool);
	}
	n->join = NULL;
	n->replica = NULL;
	n->app.vtable->close(n->app.self);
	n->app.self = NULL;
	n->up = false;
	n->tick_ms = UINT64_MAX;
	down.u.peer.peer = (uint32_t)node;
	for (size_t i = 0; i < w->count; i++) {
		if (i != node && w->nodes[i].up)
			put_input(w, i, &down, bytes_view(NULL, 0), 0);
	}
}

void world_wipe(struct world *w, size_t node)
{
	struct world_node *n = &w->nodes[node];

	assert_false(n->up);
	store_close(&n->store);
	assert_int_equal(store_mem_open(&n->store), STATUS_OK);
	memset(&n->fence, 0, sizeof n->fence);
	buf_clear(&n->log);
}

/* ---- effects ---- */

/* The number of the field that a message is, without reading it: all are below 16. */
static unsigned kind_of(struct bytes message)
{
	return message.len > 0 ? (unsigned)(message.data[0] >> 3) % 16 : 0;
}

static void send_one(struct world *w, size_t from, size_t to, struct bytes message)
{
	struct replica_input in = {.kind = REPLICA_MESSAGE};
	struct world_link *link = &w->links[from][to];
	struct buf instead = {0};

	if (to == from || !w->nodes[to].up || link->cut)
		return;
	bool said = !w->says || w->says(w, from, to, message, &instead);
	if (instead.len > 0)
		message = buf_view(&instead);
	if (said) {
		link->bytes += message.len;
		link->messages++;
		link->of_kind[kind_of(message)] += message.len;
		in.u.peer.peer = (uint32_t)from;
		put_input(w, to, &in, message, w->delay_ms);
	}
	buf_fini(&instead);
}

static void do_send(struct world *w, size_t node, const struct replica_effect *e)
{
	for (size_t i = 0; i < w->count; i++) {
		if (e->u.peer == REPLICA_EVERYONE || e->u.peer == i)
			send_one(w, node, i, e->bytes);
	}
}

static void do_drop(struct world *w, size_t node, size_t peer)
{
	struct replica_input down = {.kind = REPLICA_PEER_DOWN};
	struct world_event again = {
		.at_ms = w->now_ms + w->relink_ms, .node = node, .relink = true};

	if (w->links[node][peer].cut)
		return;
	w->links[node][peer].dropped++;
	w->links[node][peer].cut = w->links[peer][node].cut = true;
	down.u.peer.peer = (uint32_t)peer;
	put_input(w, node, &down, bytes_view(NULL, 0), 0);
	down.u.peer.peer = (uint32_t)node;
	put_input(w, peer, &down, bytes_view(NULL, 0), 0);
	again.peer = peer;
	put_event(w, &again);
}

static void do_sign(struct world *w, size_t node, const struct replica_effect *e)
{
	struct replica_input in = {.kind = REPLICA_SIGNED};
	struct fence_record record = e->u.fence;
	struct world_node *n = &w->nodes[node];

	switch (fence_ask(&n->fence, &record)) {
	case FENCE_SIGN:
		fence_follow(&record, &n->fence, n->log.len);
		n->fence = record;
		break;
	case FENCE_AGAIN: break;
	case FENCE_REFUSE: in.u.sign.refused = true; break;
	}
	if (!in.u.sign.refused)
		validator_sign(&in.u.sign.signature, &n->secret, e->bytes);
	put_input(w, node, &in, bytes_view(NULL, 0), 0);
}

static void do_tx(struct world *w, size_t node, struct bytes raw, bool from_peer)
{
	struct replica_input in = {.kind = REPLICA_TX};

	in.u.tx.from_peer = from_peer;
	put_input(w, node, &in, raw, 0);
}

static void do_verify(struct world *w, size_t node, const struct replica_effect *e,
	const struct replica_input *asked)
{
	struct replica_input in = {.kind = REPLICA_TX_VERIFIED};

	in.u.tx.hash = e->u.tx.hash;
	in.u.tx.from_peer = asked->u.tx.from_peer;
	put_input(w, node, &in, asked->u.tx.raw, 0);
}

static void note_committed(struct world *w, size_t node, const struct replica_effect *e)
{
	struct block_sections sections;
	struct buf raw = {0};
	struct bytes tx;
	size_t at = 0;

	w->nodes[node].commits++;
	if (node != 0)
		return;
	assert_int_equal(
		blocks_raw(&w->nodes[0].store, NULL, e->u.committed.height, &raw), STATUS_OK);
	assert_true(block_sections(&sections, buf_view(&raw)));
	while (block_tx_next(&tx, &at, sections.data)) {
		w->committed_txs++;
		w->committed_tx_bytes += tx.len;
	}
	buf_fini(&raw);
}

static const struct replica_input *input_in_hand;

static void do_effect(struct world *w, size_t node, const struct replica_effect *e)
{
	struct world_node *n = &w->nodes[node];
	struct replica_input in = {.kind = REPLICA_APPLIED};

	switch (e->kind) { /* lint: dispatch */
	case REPLICA_LOG: buf_append_view(&n->log, e->bytes); return;
	case REPLICA_LOG_SYNC: return;
	case REPLICA_LOG_RESET: buf_clear(&n->log); return;
	case REPLICA_SIGN: do_sign(w, node, e); return;
	case REPLICA_SEND: do_send(w, node, e); return;
	case REPLICA_DROP_PEER: do_drop(w, node, e->u.peer); return;
	case REPLICA_SUBMIT: do_tx(w, node, e->bytes, true); return;
	case REPLICA_VERIFY_TX: do_verify(w, node, e, input_in_hand); return;
	case REPLICA_TX_DONE: return;
	case REPLICA_APPLY:
		apply_run(e->u.job);
		in.u.job = e->u.job;
		put_input(w, node, &in, bytes_view(NULL, 0), 0);
		return;
	case REPLICA_COMMITTED: note_committed(w, node, e); return;
	}
}

static void do_effects(struct world *w, size_t node)
{
	struct world_node *n = &w->nodes[node];

	for (size_t i = 0; i < n->effects.count; i++)
		do_effect(w, node, &n->effects.items[i]);
	n->effects.count = 0;
	if (n->replica && replica_stopped(n->replica))
		fail_msg("node %zu stopped: %s", node, replica_stopped(n->replica));
	uint64_t next = n->join ? join_next_ms(n->join, world_now(w))
				: replica_next_ms(n->replica, world_now(w));
	if (next == n->tick_ms || next == UINT64_MAX)
		return;
	n->tick_ms = next > w->now_ms ? next : w->now_ms;
	struct replica_input tick = {.kind = REPLICA_TICK};
	put_input(w, node, &tick, bytes_view(NULL, 0), n->tick_ms - w->now_ms);
}

/* ---- its course ---- */

static void happen(struct world *w, struct world_event *e)
{
	struct app_verdict verdict;
	struct world_node *n = &w->nodes[e->node];

	if (e->relink) {
		if (n->up && w->nodes[e->peer].up)
			link_nodes(w, e->node, e->peer);
		return;
	}
	if (!n->up)
		return;
	if (e->in.kind == REPLICA_TICK) {
		if (n->tick_ms != e->at_ms)
			return;
		n->tick_ms = UINT64_MAX;
	}
	if (e->in.kind == REPLICA_MESSAGE) {
		e->in.u.peer.message = buf_view(&e->bytes);
		if (w->links[e->in.u.peer.peer][e->node].cut)
			return;
	}
	if (e->in.kind == REPLICA_TX || e->in.kind == REPLICA_TX_VERIFIED)
		e->in.u.tx.raw = buf_view(&e->bytes);
	if (e->in.kind == REPLICA_TX_VERIFIED) {
		n->app.vtable->verify(n->app.self, e->in.u.tx.raw, &verdict);
		e->in.u.tx.verdict = &verdict;
	}
	input_in_hand = &e->in;
	if (n->join)
		join_step(n->join, &e->in, world_now(w), &n->effects);
	else
		replica_step(n->replica, &e->in, world_now(w), &n->effects);
	do_effects(w, e->node);
	if (n->join && join_state(n->join) != JOIN_RUNS)
		end_join(w, e->node);
}

static bool next_event(struct world *w, uint64_t until_ms)
{
	if (w->event_count == 0 || w->events[0].at_ms > until_ms)
		return false;
	struct world_event e = take_event(w);
	w->now_ms = e.at_ms > w->now_ms ? e.at_ms : w->now_ms;
	happen(w, &e);
	buf_fini(&e.bytes);
	return true;
}

void world_run(struct world *w, uint64_t ms)
{
	uint64_t until_ms = w->now_ms + ms;
	while (next_event(w, until_ms))
		;
	w->now_ms = until_ms;
}

bool world_run_to(struct world *w, size_t node, int64_t height, uint64_t ms)
{
	uint64_t until_ms = w->now_ms + ms;
	while (world_height(w, node) < height) {
		if (!next_event(w, until_ms))
			return false;
	}
	return true;
}

void world_pay(struct world *w, size_t node, size_t account, size_t memo_bytes)
{
	Pb__Transfer act = PB__TRANSFER__INIT;
	Pb__Action action = PB__ACTION__INIT;
	Pb__Action *actions[] = {&action};
	Pb__TxBody body = PB__TX_BODY__INIT;
	struct account_address to = {{0x77}};
	char memo[TX_MEMO_BYTES_MAX + 1] = "";
	struct buf raw = {0};

	memset(memo, 'm', memo_bytes);
	act.to = (ProtobufCBinaryData){20, to.b};
	act.amount = 1;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &act;
	body.sequence = w->sequences[account]++;
	body.fee = 10000;
	body.memo = memo;
	body.actions = actions;
	body.n_actions = 1;
	tx_sign(&raw, &body, &w->accounts[account], &w->account_keys[account],
		&w->genesis.chain_tag);
	assert_true(buf_ok(&raw));
	do_tx(w, node, buf_view(&raw), false);
	buf_fini(&raw);
}

int64_t world_height(const struct world *w, size_t node)
{
	const struct replica *replica = w->nodes[node].replica;
	return replica ? replica_head(replica)->height : 0;
}

void world_same_state(struct world *w, size_t a, size_t b)
{
	const struct chain_head *x = replica_head(w->nodes[a].replica);
	const struct chain_head *y = replica_head(w->nodes[b].replica);
	const struct chain_head *lower = x->height < y->height ? x : y;
	struct arena arena;
	const Pb__BlockMeta *meta;

	arena_init(&arena, 1024 * 1024);
	/* What the lower one believes after its head, the higher one has in its next header. */
	size_t higher = lower == x ? b : a;
	if (x->height == y->height) {
		assert_memory_equal(x->app_hash.b, y->app_hash.b, 32);
	} else {
		assert_int_equal(blocks_meta(&w->nodes[higher].store, NULL, &arena,
					 lower->height + 1, &meta),
			STATUS_OK);
		assert_memory_equal(meta->header->app_hash.data, lower->app_hash.b, 32);
	}
	arena_fini(&arena);
}
