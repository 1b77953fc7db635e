#include "tests/sim/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/settle/settle.h"
#include "chain/store_mem.h"
#include "tests/sim/world.h"

/* ---- planted bugs ---- */

static const struct app_vtable *real_app;
static const struct store_vtable *real_store;

static enum status finalize_otherwise(
	void *self, const struct app_block *block, struct app_result *out)
{
	enum status status = real_app->finalize(self, block, out);
	if (block->height >= 3)
		out->app_hash.b[0] ^= 1;
	return status;
}

static enum status write_without_sync(void *self, const struct store_batch *batch, bool sync)
{
	(void)sync;
	return real_store->write(self, batch, false);
}

static void plant_in_app(struct sim_node *n)
{
	real_app = n->app.vtable;
	n->vtable = *real_app;
	if (n->world->options.plant == PLANT_HASH && n->index == 1)
		n->vtable.finalize = finalize_otherwise;
	n->app.vtable = &n->vtable;
}

static void plant_in_store(struct sim_node *n)
{
	n->store = n->memory;
	real_store = n->memory.vtable;
	n->store_vtable = *real_store;
	if (n->world->options.plant == PLANT_STORE)
		n->store_vtable.write = write_without_sync;
	n->store.vtable = &n->store_vtable;
}

/* ---- birth and death ---- */

void node_init(struct sim_node *n, struct world *world, uint32_t index, uint32_t seat)
{
	memset(n, 0, sizeof *n);
	n->world = world;
	n->index = index;
	n->seat = seat;
	n->secret = world->people.validators[seat];
	n->key = validator_key_of(&n->secret);
	n->skew_ms = (int64_t)random_below(&world->dice, 200) - 100;
	n->crash_at = UINT64_MAX;
	n->tick_us = UINT64_MAX;
	disk_init(&n->disk);
	n->disk.forgets_syncs = world->options.plant == PLANT_BARRIER;
	CHECK(store_mem_open(&n->memory) == STATUS_OK);
	plant_in_store(n);
}

/* Everything that lives in memory. */
static void forget(struct sim_node *n)
{
	for (size_t i = 0; i < n->job_count; i++)
		apply_job_free(n->jobs[i]);
	for (size_t i = 0; i < n->input_count; i++) {
		if (n->inputs[i].kind == REPLICA_APPLIED)
			apply_job_free(n->inputs[i].u.job);
	}
	n->job_count = n->input_count = n->signature_count = 0;
	n->job_ran = n->sync_wanted = false;
	replica_free(n->replica);
	n->replica = NULL;
	if (n->mempool)
		mempool_free(n->mempool);
	n->mempool = NULL;
	if (n->app.self)
		n->app.vtable->close(n->app.self);
	n->app.self = NULL;
	for (size_t i = 0; i < SIM_SUBMISSIONS_MAX; i++)
		free(n->submissions[i].raw);
	memset(n->submissions, 0, sizeof n->submissions);
	n->up = false;
	n->tick_us = UINT64_MAX;
}

void actor_place(struct sim_node *n, const struct actor *take)
{
	n->actor = *take;
	n->world->checks.faulty[n->seat] = true;
}

bool actor_replaces(const struct sim_node *n)
{
	return !n->actor.says &&
	       (n->actor.message || n->actor.start || n->actor.peer || n->actor.due);
}

void node_fini(struct sim_node *n)
{
	if (n->actor.fini)
		n->actor.fini(n->actor.self);
	forget(n);
	replica_effects_fini(&n->effects);
	free(n->inputs);
	store_close(&n->memory);
	disk_fini(&n->disk);
}

void node_crash(struct sim_node *n, enum crash_kind kind, bool torn)
{
	struct random *dice = &n->world->dice;
	world_note(n->world, n, kind == CRASH_POWER ? "power lost" : "killed", bytes_view(NULL, 0));
	n->crash_at = UINT64_MAX;
	disk_crash(&n->disk, kind, torn, dice);
	if (n->world->options.plant == PLANT_FENCE) {
		disk_fini(&n->disk);
		disk_init(&n->disk);
	}
	forget(n);
	if (kind == CRASH_POWER)
		store_mem_crash(
			&n->memory, (size_t)random_below(dice, store_mem_unsynced(&n->memory) + 1));
	world_crashed(n->world, n);
}

struct replica_now node_now(const struct sim_node *n)
{
	uint64_t us = n->world->now_us;
	int64_t start_ns = (int64_t)SIM_START_S * 1000 * 1000 * 1000;
	struct replica_now now;
	now.wall = timestamp_of_ns(start_ns + (int64_t)us * 1000 + n->skew_ms * 1000000);
	now.steady_ms = n->steady_base + us / 1000;
	return now;
}

static void open_app(struct sim_node *n)
{
	const struct genesis *genesis = &n->world->people.genesis;
	struct settle_config config = {
		.chain_tag = genesis->chain_tag,
		.heartbeat_ms = genesis->engine.heartbeat_ms,
		.block_bytes_max = (uint64_t)genesis->consensus.block_max_bytes,
		.log = &n->world->log,
	};
	CHECK(settle_open(&n->app, &n->store, &config) == STATUS_OK);
	plant_in_app(n);
}

static void config_of(struct sim_node *n, struct replica_config *out)
{
	const struct genesis *genesis = &n->world->people.genesis;
	memset(out, 0, sizeof *out);
	out->start.chain_id = genesis->chain_id;
	out->start.initial_height = genesis->initial_height;
	out->start.time = genesis->time;
	genesis_validator_set(&out->start.validators, genesis);
	out->start.params = genesis->consensus;
	out->chain_tag = genesis->chain_tag;
	out->engine = genesis->engine;
	out->me = n->key;
	out->has_peers = true; /* somebody always listens: the checks */
	out->ignores_twins =
		n->world->checks.faulty[n->seat] || n->world->options.plant == PLANT_FENCE;
	out->clock_unchecked = true;
	out->app = n->app;
	out->store = &n->store;
	out->mempool = n->mempool;
	out->timing.propose_ms = 300;
	out->timing.prevote_ms = out->timing.precommit_ms = 150;
	out->timing.growth_ms = 100;
	out->log = &n->world->log;
}

static void write_genesis(struct sim_node *n)
{
	struct chain_head head;
	if (chain_head_load(&head, &n->store, 1) != STATUS_NOT_FOUND)
		return;
	struct replica_config config;
	config_of(n, &config);
	struct store_batch batch;
	store_batch_init(&batch);
	struct bytes state = buf_view(&n->world->people.genesis.app_state);
	CHECK(replica_genesis(&batch, &config, state) == STATUS_OK);
	CHECK(store_write(&n->memory, &batch, true) == STATUS_OK);
	store_batch_fini(&batch);
	n->app.vtable->close(n->app.self);
	open_app(n);
}

static void open_mempool(struct sim_node *n)
{
	struct mempool_options options;
	memset(&options, 0, sizeof options);
	for (size_t i = 0; i < sizeof options.seed; i++)
		options.seed[i] = (uint8_t)random_next(&n->world->dice);
	options.txs_max = 1000;
	options.account = n->app.vtable->account;
	options.account_self = n->app.self;
	n->mempool = mempool_new(&options);
	CHECK(n->mempool);
}

/* ---- deeds ---- */

static void put_input(struct sim_node *n, const struct replica_input *in)
{
	if (n->input_count == n->input_cap) {
		n->input_cap = n->input_cap ? n->input_cap * 2 : 64;
		n->inputs = realloc(n->inputs, n->input_cap * sizeof *n->inputs);
		CHECK(n->inputs);
	}
	n->inputs[n->input_count++] = *in;
}

/* Every deed is a place to die at. True: it died. */
static bool dies(struct sim_node *n)
{
	if (n->deeds++ != n->crash_at)
		return false;
	node_crash(n, n->crash_kind, n->crash_torn);
	return true;
}

static void synced(struct sim_node *n)
{
	if (n->sync_wanted)
		disk_sync(&n->disk);
	n->sync_wanted = false;
}

static void answer_signature(struct sim_node *n, const struct replica_input *answer)
{
	uint64_t us_max = n->world->sign_us_max;
	if (us_max == 0) {
		put_input(n, answer);
		return;
	}
	CHECK(n->signature_count < SIM_SIGNATURES_MAX);
	n->signatures[n->signature_count++] = *answer;
	if (n->signature_count == 1)
		world_at(n->world, random_below(&n->world->dice, us_max), EVENT_SIGNED, n, 0);
}

static void do_sign(struct sim_node *n, const struct replica_effect *e)
{
	struct replica_input answer = {.kind = REPLICA_SIGNED};
	struct fence_record record = e->u.fence;
	enum fence_answer verdict = fence_ask(&n->disk.fence, &record);
	if (n->world->options.plant == PLANT_FENCE)
		verdict = FENCE_SIGN;
	switch (verdict) {
	case FENCE_SIGN:
		if (n->deeds == n->crash_at && n->crash_torn) {
			disk_crash_in_fence(&n->disk, &record, &n->world->dice);
			dies(n);
			return;
		}
		disk_fence_write(&n->disk, &record);
		break;
	case FENCE_AGAIN: break;
	case FENCE_REFUSE: answer.u.sign.refused = true; break;
	}
	if (dies(n)) /* with the record durable and the signature not yet made */
		return;
	if (!answer.u.sign.refused) {
		validator_sign(&answer.u.sign.signature, &n->secret, e->bytes);
		checks_signed(&n->world->checks, n->seat, &record);
	}
	answer_signature(n, &answer);
}

static void take_tx(struct sim_node *n, struct bytes tx, bool from_peer)
{
	size_t slot = 0;
	while (slot < SIM_SUBMISSIONS_MAX && n->submissions[slot].used)
		slot++;
	if (slot == SIM_SUBMISSIONS_MAX)
		return;
	struct sim_submission *s = &n->submissions[slot];
	s->used = true;
	s->raw = malloc(tx.len + 1);
	CHECK(s->raw);
	memcpy(s->raw, tx.data, tx.len);
	s->raw_len = tx.len;
	s->from_peer = from_peer;
	struct replica_input in = {.kind = REPLICA_TX};
	in.u.tx.ticket = slot;
	in.u.tx.raw = bytes_view(s->raw, s->raw_len);
	in.u.tx.from_peer = from_peer;
	put_input(n, &in);
}

static void do_tx_done(struct sim_node *n, const struct replica_effect *e)
{
	struct sim_submission *s = &n->submissions[e->u.tx.ticket];
	CHECK(s->used);
	free(s->raw);
	memset(s, 0, sizeof *s);
}

static void do_apply(struct sim_node *n, struct apply_job *job)
{
	CHECK(n->job_count < SIM_JOBS_MAX);
	n->jobs[n->job_count++] = job;
	if (n->job_count == 1)
		world_at(n->world, random_below(&n->world->dice, n->world->apply_us_max),
			EVENT_JOB_RUN, n, 0);
}

static void do_committed(struct sim_node *n, const struct replica_effect *e)
{
	n->told = e->u.committed.height;
	struct hash32 *hashes = calloc(e->u.committed.tx_count + 1, sizeof *hashes);
	CHECK(hashes);
	memcpy(hashes, e->bytes.data ? e->bytes.data : (const uint8_t *)"", e->bytes.len);
	checks_committed(&n->world->checks, n->index, &n->store, hashes, e->u.committed.tx_count,
		e->u.committed.height);
	free(hashes);
}

static void do_drop(struct sim_node *n, uint32_t peer)
{
	if (!n->world->checks.faulty[n->world->nodes[peer].seat])
		world_fail(n->world, "node %u drops node %u, which is honest", n->index, peer);
	else
		net_ban(&n->world->net, n->index, peer);
}

static const char *effect_name(enum replica_effect_kind kind)
{
	switch (kind) {
	case REPLICA_LOG: return "  log";
	case REPLICA_LOG_SYNC: return "  log sync";
	case REPLICA_LOG_RESET: return "  log reset";
	case REPLICA_SIGN: return "  sign";
	case REPLICA_SEND: return "  send";
	case REPLICA_DROP_PEER: return "  drop peer";
	case REPLICA_SUBMIT: return "  submit";
	case REPLICA_VERIFY_TX: return "  verify tx";
	case REPLICA_TX_DONE: return "  tx done";
	case REPLICA_APPLY: return "  apply";
	case REPLICA_COMMITTED: return "  committed";
	}
	return "";
}

static void do_effect(struct sim_node *n, const struct replica_effect *e)
{
	world_note(n->world, n, effect_name(e->kind), e->bytes);
	switch (e->kind) { /* lint: dispatch */
	case REPLICA_LOG: disk_append(&n->disk, e->bytes); break;
	case REPLICA_LOG_SYNC: n->sync_wanted = true; break;
	case REPLICA_LOG_RESET:
		n->sync_wanted = false;
		disk_reset(&n->disk);
		break;
	case REPLICA_SIGN:
		synced(n);
		do_sign(n, e);
		break;
	case REPLICA_SEND:
		synced(n);
		if (n->actor.says) {
			n->actor.says(n->actor.self, n, e->u.peer, e->bytes);
			break;
		}
		checks_sent(&n->world->checks, e->bytes);
		net_send(&n->world->net, n->index, e->u.peer, e->bytes);
		break;
	case REPLICA_DROP_PEER: do_drop(n, e->u.peer); break;
	case REPLICA_SUBMIT: take_tx(n, e->bytes, true); break;
	case REPLICA_VERIFY_TX:
		world_at(n->world, 20 + random_below(&n->world->dice, 300), EVENT_VERIFIED, n,
			e->u.tx.ticket);
		break;
	case REPLICA_TX_DONE: do_tx_done(n, e); break;
	case REPLICA_APPLY:
		if (e->u.job->kind == APPLY_WRITE)
			synced(n);
		do_apply(n, e->u.job);
		break;
	case REPLICA_COMMITTED: do_committed(n, e); break;
	}
}

static void do_effects(struct sim_node *n)
{
	size_t count = n->effects.count, i = 0;
	n->effects.count = 0;
	for (; i < count && !dies(n); i++) {
		do_effect(n, &n->effects.items[i]);
		if (!n->up)
			i++;
		if (!n->up)
			break;
	}
	for (; i < count; i++) { /* left undone by a crash */
		if (n->effects.items[i].kind == REPLICA_APPLY)
			apply_job_free(n->effects.items[i].u.job);
	}
}

static void arm_tick(struct sim_node *n)
{
	struct replica_now now = node_now(n);
	uint64_t next_ms = replica_next_ms(n->replica, now);
	uint64_t at_us = UINT64_MAX;
	if (next_ms != UINT64_MAX) {
		at_us = next_ms > n->steady_base ? (next_ms - n->steady_base) * 1000 : 0;
		at_us = at_us > n->world->now_us ? at_us : n->world->now_us;
	}
	if (at_us == n->tick_us)
		return;
	n->tick_us = at_us;
	if (at_us != UINT64_MAX)
		world_at(n->world, at_us - n->world->now_us, EVENT_TICK, n, at_us);
}

static void pump(struct sim_node *n)
{
	size_t at = 0;
	while (n->up && at < n->input_count) {
		struct replica_input in = n->inputs[at++];
		n->inputs[at - 1].kind = REPLICA_TICK; /* taken: nothing to free */
		replica_step(n->replica, &in, node_now(n), &n->effects);
		do_effects(n);
	}
	n->input_count = 0;
	if (!n->up)
		return;
	disk_push(&n->disk);
	if (replica_stopped(n->replica) && !n->actor.says)
		world_fail(n->world, "node %u stopped: %s", n->index, replica_stopped(n->replica));
	arm_tick(n);
}

void node_start(struct sim_node *n)
{
	char fault[256] = "";
	n->life++;
	n->up = true;
	n->steady_base = random_below(&n->world->dice, 1000000);
	world_note(n->world, n, "starts", bytes_view(NULL, 0));
	if (n->actor.start)
		n->actor.start(n->actor.self, n);
	if (actor_replaces(n))
		return;
	bool fence_known = disk_open(&n->disk);
	open_app(n);
	write_genesis(n);
	open_mempool(n);
	checks_store(&n->world->checks, n->index, &n->store, n->told, false);
	struct replica_config config;
	config_of(n, &config);
	enum status status = replica_new(&n->replica, &config, fault);
	size_t good = 0;
	if (status == STATUS_OK)
		status = replica_recover(n->replica, buf_view(&n->disk.log),
			fence_known ? &n->disk.fence : NULL, node_now(n), &n->effects, &good,
			fault);
	if (status != STATUS_OK) {
		world_fail(n->world, "node %u can't start: %s", n->index, fault);
		return;
	}
	disk_cut(&n->disk, good);
	do_effects(n);
	if (n->up)
		pump(n);
}

/* ---- what happens to it ---- */

void node_peer(struct sim_node *n, uint32_t peer, bool up)
{
	if (n->actor.peer)
		n->actor.peer(n->actor.self, n, peer, up);
	if (actor_replaces(n))
		return;
	struct replica_input in = {.kind = up ? REPLICA_PEER_UP : REPLICA_PEER_DOWN};
	in.u.peer.peer = peer;
	put_input(n, &in);
	pump(n);
}

void node_message(struct sim_node *n, uint32_t peer, struct bytes message)
{
	if (n->actor.message)
		n->actor.message(n->actor.self, n, peer, message);
	if (actor_replaces(n))
		return;
	struct replica_input in = {.kind = REPLICA_MESSAGE};
	in.u.peer.peer = peer;
	in.u.peer.message = message;
	put_input(n, &in);
	pump(n);
}

void node_tick(struct sim_node *n)
{
	struct replica_input in = {.kind = REPLICA_TICK};
	n->tick_us = UINT64_MAX;
	put_input(n, &in);
	pump(n);
}

void node_submit(struct sim_node *n, struct bytes tx)
{
	take_tx(n, tx, false);
	pump(n);
}

void node_verified(struct sim_node *n, uint64_t ticket)
{
	struct sim_submission *s = &n->submissions[ticket];
	CHECK(s->used);
	struct bytes raw = bytes_view(s->raw, s->raw_len);
	n->app.vtable->verify(n->app.self, raw, &s->verdict);
	struct replica_input in = {.kind = REPLICA_TX_VERIFIED};
	in.u.tx.ticket = ticket;
	in.u.tx.raw = raw;
	in.u.tx.hash = sha256(raw);
	in.u.tx.verdict = &s->verdict;
	in.u.tx.from_peer = s->from_peer;
	put_input(n, &in);
	pump(n);
}

void node_job_run(struct sim_node *n)
{
	CHECK(n->job_count > 0 && !n->job_ran);
	if (dies(n))
		return;
	apply_run(n->jobs[0]);
	n->job_ran = true;
	world_at(n->world, random_below(&n->world->dice, 200), EVENT_JOB_DONE, n, 0);
}

void node_job_done(struct sim_node *n)
{
	CHECK(n->job_ran);
	if (dies(n))
		return;
	struct replica_input in = {.kind = REPLICA_APPLIED};
	in.u.job = n->jobs[0];
	n->job_count--;
	n->job_ran = false;
	memmove(n->jobs, n->jobs + 1, n->job_count * sizeof *n->jobs);
	if (n->job_count > 0)
		world_at(n->world, random_below(&n->world->dice, n->world->apply_us_max),
			EVENT_JOB_RUN, n, 0);
	put_input(n, &in);
	pump(n);
}

void node_signed(struct sim_node *n)
{
	CHECK(n->signature_count > 0);
	struct replica_input in = n->signatures[0];
	n->signature_count--;
	memmove(n->signatures, n->signatures + 1, n->signature_count * sizeof *n->signatures);
	if (n->signature_count > 0)
		world_at(n->world, random_below(&n->world->dice, n->world->sign_us_max),
			EVENT_SIGNED, n, 0);
	put_input(n, &in);
	pump(n);
}
