/* pace: when a height starts and when its block is sealed [protocol 6]. */
#include <stdlib.h>
#include <string.h>

#include "replica/inside.h"

/* A block of at most this many transactions is followed at once by the next; after a larger one we
 * gather, so that load makes blocks larger rather than more. */
enum { SMALL_BLOCK_TXS = 16, CLOCK_LOOK_MS = 500 };

/* After a start, the longest wait for links to so many peers as a quorum needs. Those who can
 * decide may be linked through others, so it has an end. */
enum { START_WAIT_MS = 30 * 1000 };

/* max(clock, last block time + 1 ms), in whole milliseconds: deadlines count in them. */
struct timestamp pace_block_time(const struct replica *r, struct replica_now now)
{
	int64_t wall_ms = timestamp_ms(now.wall);
	int64_t least_ms = timestamp_ms(r->head.time) + 1;
	return timestamp_of_ms(wall_ms > least_ms ? wall_ms : least_ms);
}

static uint64_t steady_of_wall(struct replica_now now, uint64_t wall_ms)
{
	uint64_t now_ms = (uint64_t)timestamp_ms(now.wall);
	return wall_ms <= now_ms ? now.steady_ms : now.steady_ms + (wall_ms - now_ms);
}

/* A proposal that nobody hears costs its round: a freshly started validator waits until somebody is
 * there to decide with, or has begun without it. Peers are counted, not their power: who they are
 * for consensus shows only when they vote. */
static uint64_t linked_ms(const struct replica *r)
{
	int64_t up = 1;
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		up += r->peers[i].up;
	bool enough = !r->config.has_peers || power_is_quorum(up, r->core.validators.count);
	return enough ? 0 : r->started_ms + START_WAIT_MS;
}

/* When this height has a reason to start, on the steady clock. */
/* Somebody honest among them has a reason: a transaction, say, that never came here. Were it our
 * turn to propose, they would wait for us until their timeouts end the round. */
static bool others_began(const struct replica *r)
{
	int64_t began = 0;
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		const struct replica_peer *p = &r->peers[i];
		began += p->up && p->said.told && p->said.height == r->core.height &&
			 p->said.step != STEP_WAIT;
	}
	return power_is_third(began, r->core.validators.count);
}

static uint64_t reason_ms(const struct replica *r, struct replica_now now)
{
	const Pb__EngineParams *engine = &r->config.engine;
	uint64_t last_ms = (uint64_t)timestamp_ms(r->head.time);
	if (engine->pace == PACE_INTERVAL)
		return steady_of_wall(now, last_ms + engine->interval_ms);
	if (r->head.height < r->head.initial_height)
		return now.steady_ms;
	if (mempool_counts(r->config.mempool).ready > 0 || others_began(r))
		return now.steady_ms;
	uint64_t due = steady_of_wall(now, last_ms + engine->heartbeat_ms);
	uint64_t wake_wall_ms = r->config.app.vtable->next_wake_ms(r->config.app.self);
	if (wake_wall_ms != UINT64_MAX) {
		uint64_t wake = steady_of_wall(now, wake_wall_ms);
		due = wake < due ? wake : due;
	}
	if (!r->last_block_empty) {
		/* What was just settled becomes provable by one more block; a transaction may ride
		 * along. */
		uint64_t proof = steady_of_wall(now, last_ms + engine->gather_ms);
		due = proof < due ? proof : due;
	}
	return due;
}

/* UINT64_MAX never happens: the heartbeat is a reason. */
static uint64_t begin_ms(const struct replica *r, struct replica_now now)
{
	uint64_t reason = reason_ms(r, now), linked = linked_ms(r);
	return reason > linked ? reason : linked;
}

/* On the steady clock: when the wanted block is sealed. */
static uint64_t seal_ms(const struct replica *r, struct replica_now now)
{
	if (r->config.engine.pace == PACE_INTERVAL || r->last_block_txs <= SMALL_BLOCK_TXS)
		return now.steady_ms;
	struct mempool_counts counts = mempool_counts(r->config.mempool);
	if (counts.ready == 0 || counts.ready >= BLOCK_TXS_MAX ||
		counts.bytes >= (size_t)r->head.params.block_max_bytes)
		return now.steady_ms;
	return steady_of_wall(now, counts.ready_since_ms + r->config.engine.gather_ms);
}

/* The plan owns copies: the mempool goes on changing while the app looks at it. */
static bool copy_txs(struct apply_job *job, const struct app_tx *reaped, size_t count)
{
	buf_init(&job->tx_bytes, 0);
	job->txs = calloc(count + 1, sizeof *job->txs);
	job->reaped = calloc(count + 1, sizeof *job->reaped);
	if (!job->txs || !job->reaped)
		return false;
	for (size_t i = 0; i < count; i++)
		buf_append_view(&job->tx_bytes, reaped[i].raw);
	if (!buf_ok(&job->tx_bytes))
		return false;
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		job->txs[i] = reaped[i];
		job->reaped[i] = reaped[i].hash;
		job->txs[i].raw = bytes_view(job->tx_bytes.data + at, reaped[i].raw.len);
		at += reaped[i].raw.len;
	}
	job->tx_count = job->reaped_count = count;
	return true;
}

static void build(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	r->build_wanted = false;
	struct app_tx *reaped = calloc(BLOCK_TXS_MAX, sizeof *reaped);
	struct apply_job *job = apply_job_new(APPLY_PREPARE, &r->config.app, r->config.store);
	if (reaped && job) {
		job->height = r->core.height;
		job->round = r->build_round;
		job->block.height = r->core.height;
		job->block.time = pace_block_time(r, now);
		job->block.last_time = r->head.time;
		job->block.proposer = validator_address_of(&r->config.me);
		size_t room =
			candidate_tx_room(r->head.params.block_max_bytes - EVIDENCE_BLOCK_BYTES_MAX,
				r->head.last_validators.count);
		size_t count = mempool_reap(r->config.mempool, reaped, BLOCK_TXS_MAX, room,
			(uint64_t)timestamp_ms(job->block.time));
		if (!copy_txs(job, reaped, count)) {
			apply_job_free(job);
			job = NULL;
		}
	} else {
		apply_job_free(job);
		job = NULL;
	}
	free(reaped);
	r->build_running = job != NULL;
	replica_apply(r, job, out);
}

static bool build_is_late(const struct replica *r)
{
	return r->core.step != STEP_PROPOSE || r->core.round != r->build_round;
}

void pace_run(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	if (r->stopped)
		return;
	if (r->core.step == STEP_WAIT && sync_flows(r, now) == 0 &&
		begin_ms(r, now) <= now.steady_ms) {
		struct consensus_input in = {.kind = IN_BEGIN, .now = now.wall};
		in.u.point.height = r->core.height;
		engine_input(r, &in);
		engine_run(r, now, out);
	}
	if (r->build_wanted && build_is_late(r))
		r->build_wanted = false;
	/* Whose clock leapt lets the others propose. */
	if (r->build_wanted && !r->build_running && !r->clock_paused &&
		seal_ms(r, now) <= now.steady_ms)
		build(r, now, out);
}

uint64_t pace_next_ms(const struct replica *r, struct replica_now now)
{
	uint64_t next = UINT64_MAX;
	if (r->core.step == STEP_WAIT) {
		uint64_t flow_ms = sync_flows(r, now);
		next = begin_ms(r, now);
		next = next > flow_ms ? next : flow_ms;
	}
	if (r->build_wanted && !r->build_running && r->clock_paused) {
		uint64_t look = now.steady_ms + CLOCK_LOOK_MS;
		next = look < next ? look : next;
	} else if (r->build_wanted && !r->build_running) {
		uint64_t seal = seal_ms(r, now);
		next = seal < next ? seal : next;
	}
	uint64_t tick = mempool_next_tick_ms(r->config.mempool);
	if (tick != UINT64_MAX) {
		tick = steady_of_wall(now, tick);
		next = tick < next ? tick : next;
	}
	return next;
}
