/* model_test --ops N --seed S [--blocks FILE]: N random actions to the machine and to the model,
 * all compared. FILE gets the blocks, for tests/replay. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/driver.h"
#include "tests/replay/blocks_file.h"

static struct driver driver;

static void world_params(struct driver *d, Pb__SettleParams *params)
{
	settle_params_preset(params);
	params->min_ttl_ms = 100;
	params->max_ttl_ms = 60000;
	params->max_lease_ms = 20000;
	params->max_attempts = 2 + (uint32_t)draw(d, 3);
	params->max_open_jobs_per_client = 3 + draw(d, 4);
	params->review_ms = 1000 + draw(d, 4000);
	params->cancel_grace_ms = 100 + draw(d, 900);
	params->base_fee = 10 + draw(d, 100);
	params->expiries_per_block = 1 + (uint32_t)draw(d, 3);
}

static void model_genesis(struct driver *d)
{
	struct model *m = &d->model;
	struct model_coordinator *first = &m->world.coordinators[0];

	model_init(m);
	m->params = d->kit.params;
	m->chain_tag = d->kit.config.chain_tag;
	m->heartbeat_ms = d->kit.config.heartbeat_ms;
	for (int i = 0; i < KIT_PEOPLE; i++) {
		struct account_address address = kit_address((enum kit_who)i);

		if (i != STRANGER)
			model_account_make(m, address.b)->balance = 1000u * KIT_COIN;
	}
	m->supply = model_balances(m);
	memcpy(first->owner, kit_address(COORDINATOR).b, 20);
	memcpy(first->operators[0], kit_address(OPERATOR).b, 20);
	first->operator_count = 1;
	first->share_ppm = 50000;
	first->accepts_new = true;
	m->world.coordinator_count = 1;
	m->world.params = m->params;
	m->world.rules.version = 1;
	memcpy(m->treasury, kit_address(TREASURY).b, 20);
}

/* The validators of the genesis, as the kit makes them. */
static void model_seats(struct driver *d, const int64_t *powers, size_t count)
{
	struct model *m = &d->model;

	for (size_t i = 0; i < count; i++) {
		struct model_seat *seat = &m->world.seats[m->world.seat_count++];
		struct validator_key key = kit_validator(i);

		memcpy(seat->key, key.b, 32);
		memcpy(seat->address, validator_address_of(&key).b, 20);
		memcpy(seat->account, kit_address(kit_operator(i)).b, 20);
		seat->has_account = true;
		seat->power = powers[i];
		model_operates(m, seat->address, seat->account);
	}
	model_sort_seats(&m->world);
}

static void world_open(struct driver *d, uint64_t seed)
{
	Pb__SettleParams params;
	int64_t powers[4];
	size_t seat_count;

	d->world_seed = seed;
	d->random = seed;
	d->job_counter = 0;
	d->old_count = 0;
	world_params(d, &params);
	seat_count = 1 + draw(d, 4);
	for (size_t i = 0; i < seat_count; i++)
		powers[i] = 1 + (int64_t)draw(d, 20);
	kit_open_seats(&d->kit, &params, powers, seat_count);
	d->kit.config.rules_known = UINT64_MAX;
	if (chance(d, 30)) /* here days pass without an outage, and votes lapse */
		d->kit.config.heartbeat_ms = 1000000000;
	kit_reopen(&d->kit);
	model_genesis(d);
	model_seats(d, powers, seat_count);
	if (d->recorded)
		blocks_file_put_world(d->recorded, &d->kit.config, &d->kit.genesis);
	arena_init(&d->arena, 64 * 1024 * 1024);
}

static void world_close(struct driver *d)
{
	for (size_t i = 0; i < d->model.world.dead_count; i++)
		d->ends[d->model.dead[i].state]++;
	kit_close(&d->kit);
	model_fini(&d->model);
	arena_fini(&d->arena);
}

/* To the millisecond at which something changes for some live job, or the one before or after it.
 */
static uint64_t pause_to_boundary_ms(struct driver *d)
{
	const struct model_world *world = &d->model.world;
	const struct model_job *job = &world->live[draw(d, world->live_count)];
	uint64_t now = kit_now_ms(&d->kit) - d->model.outage_ms;
	uint64_t at = model_due_ms(job);

	if (job->state == 2 && chance(d, 70))
		at = job->lease_end + (chance(d, 60) ? job->grace_ms : 0);
	if (job->state == 3 && chance(d, 60))
		at = job->deadline; /* what is rejected from then on has failed */
	at = at + draw(d, 3) - 1;
	return at > now && at - now < 20000 ? at - now : 1;
}

/* To the end of a vote's term, or a millisecond off it. */
static uint64_t pause_to_lapse_ms(struct driver *d)
{
	const struct model_world *world = &d->model.world;
	uint64_t now = kit_now_ms(&d->kit) - d->model.outage_ms;
	uint64_t at = world->votes[draw(d, world->vote_count)].sent + 604800000 + draw(d, 3) - 1;

	return at > now ? at - now : 1;
}

static uint64_t pause_ms(struct driver *d)
{
	uint64_t die = draw(d, 1000);

	if (d->kit.config.heartbeat_ms > 5000 && d->model.world.vote_count > 0 && die < 4)
		return pause_to_lapse_ms(d);
	die = draw(d, 100);

	if (d->model.world.live_count > 0 && chance(d, 15))
		return pause_to_boundary_ms(d);
	if (die < 50)
		return 1 + draw(d, 50);
	if (die < 80)
		return 1 + draw(d, 1500);
	if (die < 95)
		return 1500 + draw(d, 6500);
	return die < 99 ? 8000 + draw(d, 17000) : 60000 + draw(d, 3600000);
}

/* What prepare keeps is what the model would let in; process accepts exactly a block it keeps
 * whole. */
static void try_proposal(struct driver *d, const struct app_block *block, struct app_tx *kept,
	size_t *kept_count, struct model_tx *model_txs)
{
	struct model_tx all[DRIVER_TXS_MAX];
	bool pass[DRIVER_TXS_MAX];
	size_t passed = 0;
	bool accept;

	for (size_t i = 0; i < d->tx_count; i++) {
		all[i] = d->txs[i].model;
		kept[i] = d->txs[i].app;
	}
	*kept_count = d->tx_count;
	model_pass_one(&d->model, (uint64_t)timestamp_ms(block->time), all, pass, d->tx_count);
	if (d->kit.app.vtable->process(d->kit.app.self, block, &accept) != STATUS_OK)
		differ(d, "process failed");
	if (d->kit.app.vtable->prepare(d->kit.app.self, block, kept, kept_count) != STATUS_OK)
		differ(d, "prepare failed");
	for (size_t i = 0; i < d->tx_count; i++) {
		if (!pass[i])
			continue;
		if (passed >= *kept_count || !hash_equal(&kept[passed].hash, &d->txs[i].app.hash))
			differ(d, "prepare dropped transaction %zu", i);
		model_txs[passed++] = d->txs[i].model;
	}
	if (passed != *kept_count)
		differ(d, "prepare kept %zu transactions, model %zu", *kept_count, passed);
	if (accept != (passed == d->tx_count))
		differ(d, "process %s a block with %zu of %zu good transactions",
			accept ? "accepted" : "refused", passed, d->tx_count);
}

static void remember(struct driver *d, const struct app_tx *txs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buf *slot = &d->old[d->old_count < DRIVER_OLD_MAX ? d->old_count++
									 : draw(d, DRIVER_OLD_MAX)];

		buf_clear(slot);
		buf_append_view(slot, txs[i].raw);
	}
}

/* Another block at the same height was executed first, and is forgotten. */
static void detour(struct driver *d, struct app_block block)
{
	struct app_result result;

	block.tx_count = draw(d, block.tx_count + 1);
	block.time = timestamp_of_ms(timestamp_ms(block.time) + (int64_t)draw(d, 5000));
	if (d->kit.app.vtable->finalize(d->kit.app.self, &block, &result) != STATUS_OK)
		differ(d, "finalize failed");
}

static void play_block(struct driver *d)
{
	struct app_tx txs[DRIVER_TXS_MAX];
	struct model_tx model_txs[DRIVER_TXS_MAX];
	struct app_block block;
	struct app_result result;
	size_t count;

	make_block(d);
	for (size_t i = 0; i < d->tx_count; i++)
		txs[i] = d->txs[i].app;
	block = kit_block(&d->kit, pause_ms(d));
	block.txs = txs;
	block.tx_count = d->tx_count;
	if (chance(d, 20))
		memset(block.proposer.b, 0xbb, 20);
	if (chance(d, 70)) {
		struct app_tx kept[DRIVER_TXS_MAX];

		try_proposal(d, &block, kept, &count, model_txs);
		memcpy(txs, kept, count * sizeof *kept);
		block.tx_count = count;
	} else {
		for (size_t i = 0; i < d->tx_count; i++)
			model_txs[i] = d->txs[i].model;
	}
	if (chance(d, 10))
		detour(d, block);
	if (d->kit.app.vtable->finalize(d->kit.app.self, &block, &result) != STATUS_OK)
		differ(d, "finalize failed");
	model_block(&d->model, block.height, (uint64_t)timestamp_ms(block.time),
		(uint64_t)timestamp_ms(block.last_time), block.proposer.b, model_txs, d->results,
		block.tx_count);
	compare_results(d, &result, block.tx_count);
	compare_updates(d, &result);
	if (d->recorded)
		blocks_file_put_block(d->recorded, &block, &result.app_hash);
	remember(d, txs, block.tx_count);
	kit_commit(&d->kit, &block);
	compare_state(d);
	d->blocks++;
}

static void play(struct driver *d, uint64_t ops, uint64_t seed)
{
	uint64_t world = 0;

	while (d->ops < ops) {
		uint64_t until = d->ops + WORLD_OPS < ops ? d->ops + WORLD_OPS : ops;

		world_open(d, seed + world++);
		for (uint64_t n = 1; d->ops < until; n++) {
			play_block(d);
			if (n % 200 == 0)
				compare_all(d);
			if (chance(d, 1))
				kit_reopen(&d->kit);
		}
		compare_all(d);
		world_close(d);
	}
}

/* Refusals that no block can hold: another room's, a later issue's, or impossible by construction.
 */
static bool never(size_t code)
{
	return code == SETTLE_BAD_ENCODING || code == SETTLE_SEQUENCE_TAKEN ||
	       code == SETTLE_NOT_CLIENT;
}

static bool write_blocks(const struct buf *blocks, const char *path)
{
	FILE *file = fopen(path, "wb");
	bool ok =
		file && buf_ok(blocks) && fwrite(blocks->data, 1, blocks->len, file) == blocks->len;
	ok = file && fclose(file) == 0 && ok;
	if (!ok)
		fprintf(stderr, "%s can't be written\n", path);
	return ok;
}

int main(int argc, char **argv)
{
	uint64_t ops = 50000, seed = 1;
	const char *path = NULL;
	struct buf blocks;
	bool all = true;

	buf_init(&blocks, 0);

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--ops") == 0)
			ops = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--blocks") == 0)
			path = argv[i + 1];
	}
	if (path)
		driver.recorded = &blocks;
	play(&driver, ops, seed);
	if (path && !write_blocks(&blocks, path))
		return 1;
	buf_fini(&blocks);
	printf("%" PRIu64 " actions in %" PRIu64 " blocks agree\nended:", driver.ops,
		driver.blocks);
	for (size_t i = 4; i < 9; i++)
		printf(" %s %" PRIu64, settle_state_name((uint32_t)i), driver.ends[i]);
	printf("\nvalidators changed: %" PRIu64 "\n", driver.set_changes);
	for (size_t i = 0; i < CODES; i++) {
		printf("%s %" PRIu64 "%s", settle_code_name((uint32_t)i), driver.code_counts[i],
			i % 6 == 5 ? "\n" : "  ");
		all = all && (driver.code_counts[i] > 0 || never(i));
	}
	printf("\n");
	if ((!all || driver.set_changes == 0) && ops >= 50000) {
		fprintf(stderr, "some refusal was never met\n");
		return 1;
	}
	return 0;
}
