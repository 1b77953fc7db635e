#include "tests/sim/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/settle/settle.h"
#include "chain/store_mem.h"
#include "tests/sim/world.h"

/* ---- planted bugs ---- */

static const struct app_vtable *real_app;

static enum status finalize_otherwise(
	void *self, const struct app_block *block, struct app_result *out)
{
	enum status status = real_app->finalize(self, block, out);
	if (block->height >= 3)
		out->app_hash.b[0] ^= 1;
	return status;
}

static void plant_in_app(struct sim_node *n)
{
	real_app = n->app.vtable;
	n->vtable = *real_app;
	if (n->world->options.plant == PLANT_HASH && n->index == 1)
		n->vtable.finalize = finalize_otherwise;
	n->app.vtable = &n->vtable;
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
	sick_store_init(&n->store, &n->sick, &n->memory);
	n->sick.forgets_syncs = world->options.plant == PLANT_STORE;
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
	for (size_t i = 0; i < n->effects.count; i++) {
		if (n->effects.items[i].kind == REPLICA_APPLY)
			apply_job_free(n->effects.items[i].u.job);
	}
	n->job_count = n->input_count = n->signature_count = n->effects.count = 0;
	n->job_ran = n->sync_wanted = false;
	n->hung = 0;
	n->paused_until_us = 0;
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

/* A clock that runs fast or slow, after us of true time. */
static int64_t clock_us(uint64_t us, int64_t rate_ppm)
{
	return (int64_t)us + (int64_t)us * rate_ppm / 1000000;
}

struct replica_now node_now(const struct sim_node *n)
{
	uint64_t us = n->world->now_us;
	int64_t start_ns = (int64_t)SIM_START_S * 1000 * 1000 * 1000;
	struct replica_now now;
	now.wall = timestamp_of_ns(
		start_ns + clock_us(us, n->wall_rate_ppm) * 1000 + n->skew_ms * 1000000);
	now.steady_ms = n->steady_base + (uint64_t)clock_us(us, n->rate_ppm) / 1000;
	return now;
}

uint64_t node_when(const struct sim_node *n, uint64_t steady_ms)
{
	if (steady_ms <= n->steady_base)
		return 0;
	uint64_t wanted_us = (steady_ms - n->steady_base) * 1000;
	uint64_t us = wanted_us * 1000000 / (uint64_t)(1000000 + n->rate_ppm);
	while ((uint64_t)clock_us(us, n->rate_ppm) < wanted_us)
		us++;
	return us;
}

static enum status open_app(struct sim_node *n)
{
	const struct genesis *genesis = &n->world->people.genesis;
	struct settle_config config = {
		.chain_tag = genesis->chain_tag,
		.heartbeat_ms = genesis->engine.heartbeat_ms,
		.block_bytes_max = (uint64_t)genesis->consensus.block_max_bytes,
		.log = &n->world->log,
	};
	enum status status = settle_open(&n->app, &n->store, &config);
	if (status == STATUS_OK)
		plant_in_app(n);
	return status;
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
	out->ignores_twins =
		n->world->checks.faulty[n->seat] || n->world->options.plant == PLANT_FENCE;
	out->clock_unchecked = true;
	out->renew_fence = n->renews && !n->fence_known;
	out->has_peers = true; /* somebody always listens: the checks */
	out->app = n->app;
	out->store = &n->store;
	out->mempool = n->mempool;
	out->timing.propose_ms = 300;
	out->timing.prevote_ms = out->timing.precommit_ms = 150;
	out->timing.growth_ms = 100;
	out->log = &n->world->log;
}

static enum status write_genesis(struct sim_node *n)
{
	struct chain_head head;
	enum status status = chain_head_load(&head, &n->store, 1);
	if (status != STATUS_NOT_FOUND)
		return status;
	struct replica_config config;
	config_of(n, &config);
	struct store_batch batch;
	store_batch_init(&batch);
	struct bytes state = buf_view(&n->world->people.genesis.app_state);
	CHECK(replica_genesis(&batch, &config, state) == STATUS_OK);
	status = store_write(&n->memory, &batch, true);
	store_batch_fini(&batch);
	if (status != STATUS_OK)
		return status;
	n->app.vtable->close(n->app.self);
	n->app.self = NULL;
	return open_app(n);
}

static void open_mempool(struct sim_node *n)
{
	struct mempool_options options;
	memset(&options, 0, sizeof options);
	for (size_t i = 0; i < sizeof options.seed; i++)
		options.seed[i] = (uint8_t)random_next(&n->world->dice);
	options.txs_max = n->mempool_txs_max;
	options.account = n->app.vtable->account;
	options.account_self = n->app.self;
	n->mempool = mempool_new(&options);
	CHECK(n->mempool);
}

/* Everything in it, from what is on the disk. */
static enum status open_all(struct sim_node *n, char fault[256])
{
	n->fence_known = disk_open(&n->disk);
	snprintf(fault, 256, "the app");
	enum status status = open_app(n);
	if (status == STATUS_OK)
		status = write_genesis(n);
	if (status != STATUS_OK)
		return status;
	open_mempool(n);
	checks_store(&n->world->checks, n->index, &n->memory, n->told, false);
	struct replica_config config;
	config_of(n, &config);
	status = replica_new(&n->replica, &config, fault);
	size_t good = 0;
	if (status == STATUS_OK)
		status = replica_recover(n->replica, buf_view(&n->disk.log),
			n->fence_known ? &n->disk.fence : NULL, node_now(n), &n->effects, &good,
			fault);
	if (status == STATUS_OK)
		disk_cut(&n->disk, good);
	return status;
}

void node_start(struct sim_node *n)
{
	char fault[256] = "", why[320];
	n->life++;
	n->up = true;
	n->excused = n->sick.rotten || n->rotten || n->disk.health != DISK_WELL;
	n->steady_base = random_below(&n->world->dice, 1000000);
	n->world->acting = n;
	world_note(n->world, n, "starts", bytes_view(NULL, 0));
	if (n->actor.start)
		n->actor.start(n->actor.self, n);
	if (actor_replaces(n))
		return;
	enum status status = open_all(n, fault);
	if (status != STATUS_OK) {
		snprintf(why, sizeof why, "can't start: %s: %s", fault, status_text(status));
		node_halt(n, why);
		return;
	}
	node_run(n);
}

/* ---- faults ---- */

void node_halt(struct sim_node *n, const char *why)
{
	world_note(n->world, n, why, bytes_view(NULL, 0));
	/* A sick disk may end a node only by its name; a rotten one by any. */
	bool named =
		strstr(why, status_text(STATUS_IO)) || strstr(why, status_text(STATUS_DISK_FULL));
	bool rotten = n->rotten || n->sick.rotten;
	bool liar = n->actor.says != NULL; /* who lies may run into what it said */
	if (!liar && (!n->excused || (!rotten && !named)))
		world_fail(n->world, "node %u stopped: %s", n->index, why);
	n->world->halts++;
	bool power = random_chance(&n->world->dice, 500); /* what wasn't synced may be gone */
	node_crash(n, power ? CRASH_POWER : CRASH_KILL, power);
	if (rotten) /* what an operator does with a node that refuses its own disk */
		node_wipe(n);
}

void node_sicken(struct sim_node *n, enum disk_health health, uint64_t us_max)
{
	world_note(
		n->world, n, health == DISK_FULL ? "disk full" : "syncs fail", bytes_view(NULL, 0));
	n->disk.health = health;
	n->excused = true;
	store_mem_fail_writes(&n->memory, health == DISK_FULL ? STATUS_DISK_FULL : STATUS_IO);
	world_at(n->world, random_below(&n->world->dice, us_max), EVENT_DISK_WELL, n, 0);
}

void node_disk_well(struct sim_node *n)
{
	n->disk.health = DISK_WELL;
	store_mem_fail_writes(&n->memory, STATUS_OK);
}

void node_hang(struct sim_node *n, uint64_t us_max)
{
	if (!n->up || n->hung)
		return;
	world_note(n->world, n, "a worker hangs", bytes_view(NULL, 0));
	n->hung = 1u << random_below(&n->world->dice, 3);
	world_at(n->world, random_below(&n->world->dice, us_max), EVENT_KILL, n, 0);
}

void node_wipe(struct sim_node *n)
{
	if (n->up)
		node_crash(n, CRASH_POWER, true);
	world_note(n->world, n, "wiped", bytes_view(NULL, 0));
	enum disk_health health = n->disk.health;
	disk_fini(&n->disk);
	disk_init(&n->disk);
	n->disk.health = health;
	store_close(&n->memory);
	CHECK(store_mem_open(&n->memory) == STATUS_OK);
	if (health != DISK_WELL)
		store_mem_fail_writes(&n->memory, STATUS_IO);
	n->sick.rotten = n->rotten = false;
	n->told = 0;
	/* Nobody knows any more what this key has signed. Sometimes an operator says that it may
	 * vote; never where another process has the key. */
	disk_lose_fence(&n->disk);
	n->renews = !n->world->checks.faulty[n->seat] && random_chance(&n->world->dice, 500);
}

void node_rot(struct sim_node *n)
{
	world_note(n->world, n, "rots", bytes_view(NULL, 0));
	n->excused = true;
	if (random_chance(&n->world->dice, 500)) {
		n->sick.rotten = true;
		n->sick.rot = (uint32_t)random_next(&n->world->dice);
		return;
	}
	n->rotten = true;
	disk_rot(&n->disk, &n->world->dice);
}

void node_cure(struct sim_node *n)
{
	node_disk_well(n);
	n->wall_rate_ppm = 0;
	n->skew_ms = (int64_t)random_below(&n->world->dice, 200) - 100;
	if (n->after == AFTER_SICK)
		return;
	n->paused_until_us = 0;
	if (n->rotten || n->sick.rotten)
		node_wipe(n);
	else if (n->up && n->hung)
		node_crash(n, CRASH_KILL, false);
}
