#include "replica/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/blocks.h"
#include "chain/index.h"
#include "replica/inside.h"

/*~ One turn of a validator: replica_step takes one input, lets the part it belongs to note it
 * (admit, peers, engine), then runs the core until it has nothing more to say (engine_run); on a
 * tick it asks whether it is time to start or seal a block (pace_run). Everything that must happen
 * outside is in the effects, in order. */

enum { HEAD_ROW_BYTES_MAX = 1024 * 1024, COMMIT_ARENA_BYTES_MAX = 1024 * 1024 };

struct replica_effect *replica_effect(struct replica_effects *out, enum replica_effect_kind kind)
{
	CHECK(out);
	if (out->count == out->cap) {
		size_t cap = out->cap ? out->cap * 2 : 64;
		struct replica_effect *items = realloc(out->items, cap * sizeof *items);
		/* An effect that can't be recorded is a promise that can't be kept. */
		CHECK(items);
		out->items = items;
		out->cap = cap;
	}
	struct replica_effect *e = &out->items[out->count++];
	memset(e, 0, sizeof *e);
	e->kind = kind;
	return e;
}

void replica_effects_fini(struct replica_effects *effects)
{
	free(effects->items);
	memset(effects, 0, sizeof *effects);
}

void replica_stop(struct replica *r, const char *why, enum status status)
{
	if (r->stopped)
		return;
	if (status == STATUS_OK)
		snprintf(r->stopped_text, sizeof r->stopped_text, "%s", why);
	else
		snprintf(r->stopped_text, sizeof r->stopped_text, "%s: %s", why,
			status_text(status));
	r->stopped = r->stopped_text;
	log_event(r->config.log, LOG_BROKEN, "validator_stopped height=%lld reason=\"%s\"",
		(long long)r->head.height + 1, r->stopped);
}

bool replica_app_halts(struct replica *r)
{
	struct app_info info = {0};
	r->config.app.vtable->info(r->config.app.self, &info);
	if (info.halt)
		replica_stop(r, info.halt, STATUS_OK);
	return info.halt != NULL;
}

const char *replica_stopped(const struct replica *r)
{
	return r->stopped;
}

const struct chain_head *replica_head(const struct replica *r)
{
	return &r->head;
}

const struct consensus *replica_consensus(const struct replica *r)
{
	return &r->core;
}

void replica_count(const struct replica *r, struct replica_counts *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < TIMERS_MAX; i++)
		out->timers += r->timers[i].used;
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		out->candidates += r->candidates[i] != NULL;
		out->incoming += r->incoming[i].used;
	}
	out->timers_max = TIMERS_MAX;
	out->candidates_max = out->incoming_max = BLOCKS_KEPT;
	out->questions = r->question_count;
	out->questions_max = QUESTIONS_MAX;
	out->early_bytes = r->early.len;
	for (size_t i = 0; i < PEERS_MAX; i++)
		out->early_counted += r->peers[i].early_bytes;
}

/* ---- birth ---- */

/* validators: room for what out points to. */
static void app_genesis_of(struct app_genesis *out,
	struct app_validator_update validators[VALIDATORS_MAX], const struct replica_config *config,
	struct bytes app_state)
{
	const struct validator_set *set = &config->start.validators;

	memset(out, 0, sizeof *out);
	for (uint32_t i = 0; i < set->count; i++)
		validators[i] = (struct app_validator_update){set->v[i].key, set->v[i].power};
	out->validators = validators;
	out->validator_count = set->count;
	out->app_state = app_state;
	out->chain_tag = config->chain_tag;
	out->time = config->start.time;
	out->initial_height = config->start.initial_height;
	out->heartbeat_ms = config->engine.heartbeat_ms;
	out->block_bytes_max = (uint64_t)config->start.params.block_max_bytes;
}

enum status replica_genesis(
	struct store_batch *batch, const struct replica_config *config, struct bytes app_state)
{
	struct app_genesis genesis;
	struct app_validator_update validators[VALIDATORS_MAX];
	app_genesis_of(&genesis, validators, config, app_state);
	struct hash32 app_hash;
	enum status status =
		config->app.vtable->init_chain(config->app.self, &genesis, batch, &app_hash);
	if (status != STATUS_OK)
		return status;
	struct app_info info = {0};
	config->app.vtable->info(config->app.self, &info);
	struct chain_head head;
	chain_head_of_genesis(&head, &config->start, &app_hash, info.app_version);
	struct arena arena;
	arena_init(&arena, HEAD_ROW_BYTES_MAX);
	const Pb__Head *pb = chain_head_to_pb(&head, &arena);
	status = pb ? blocks_put_genesis(batch, pb) : STATUS_NO_MEMORY;
	arena_fini(&arena);
	return status;
}

static void timing_defaults(struct consensus_timing *t, const Pb__EngineParams *engine)
{
	if (t->propose_ms == 0)
		t->propose_ms = 3000;
	if (t->prevote_ms == 0)
		t->prevote_ms = 1000;
	if (t->precommit_ms == 0)
		t->precommit_ms = 1000;
	if (t->growth_ms == 0)
		t->growth_ms = 500;
	t->precision_ms = engine->precision_ms;
	t->message_delay_ms = engine->message_delay_ms;
}

static enum status restore_last_commit(struct replica *r)
{
	if (r->head.last_validators.count == 0)
		return STATUS_OK;
	struct arena arena;
	arena_init(&arena, COMMIT_ARENA_BYTES_MAX);
	const Pb__Commit *commit;
	bool canonical;
	enum status status =
		blocks_commit(r->config.store, NULL, &arena, r->head.height, &commit, &canonical);
	if (status == STATUS_OK) {
		struct vote votes[VALIDATORS_MAX];
		size_t count = commit_votes(votes, commit, &r->head.last_validators);
		status = count == 0 ? STATUS_CORRUPT
				    : consensus_restore_last_commit(
					      &r->core, &r->head.last_validators, votes, count);
	}
	arena_fini(&arena);
	return status;
}

static void height_start_of(struct height_start *out, const struct chain_head *head)
{
	out->height = head->height + 1;
	out->validators = head->validators;
	out->last_time = head->time;
}

static enum status start_core(struct replica *r, char fault[256])
{
	struct height_start start;
	height_start_of(&start, &r->head);
	enum status status = consensus_init(&r->core, &r->config.timing, &r->config.me, &start);
	if (status == STATUS_OK)
		status = restore_last_commit(r);
	if (status != STATUS_OK)
		snprintf(fault, 256, "the last block's commit: %s", status_text(status));
	return status;
}

enum status replica_new(struct replica **out, const struct replica_config *config, char fault[256])
{
	struct replica *r = calloc(1, sizeof *r);
	if (!r)
		return STATUS_NO_MEMORY;
	r->index = index_writer_new();
	if (!r->index) {
		free(r);
		return STATUS_NO_MEMORY;
	}
	r->config = *config;
	timing_defaults(&r->config.timing, &config->engine);
	enum status status = chain_head_load(&r->head, config->store, config->start.initial_height);
	snprintf(fault, 256, "the store's head: %s", status_text(status));
	if (status == STATUS_OK && replica_app_halts(r)) {
		snprintf(fault, 256, "%s", replica_stopped(r));
		status = STATUS_INVALID;
	}
	if (status == STATUS_OK)
		status = start_core(r, fault);
	if (status != STATUS_OK) {
		replica_free(r);
		return status;
	}
	*out = r;
	return STATUS_OK;
}

static void forget_candidates(struct replica *r)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		candidate_free(r->candidates[i]);
		r->candidates[i] = NULL;
	}
}

void replica_free(struct replica *r)
{
	if (!r)
		return;
	forget_candidates(r);
	peers_forget(r);
	sync_fini(r);
	apply_job_free(r->executed);
	consensus_fini(&r->core);
	evidence_fini(&r->evidence);
	index_writer_free(r->index);
	buf_fini(&r->scratch);
	buf_fini(&r->early);
	free(r);
}

bool replica_begin_anew(struct replica *r, struct replica_effects *out)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		if (r->candidates[i] && r->candidates[i]->jobs > 0)
			return false;
	}
	if (r->build_running || r->core.step == STEP_EXECUTE || r->core.step == STEP_COMMIT)
		return false;
	char fault[256];
	forget_candidates(r);
	peers_forget(r);
	memset(r->timers, 0, sizeof r->timers);
	r->core_count = 0;
	consensus_fini(&r->core);
	enum status status = start_core(r, fault);
	if (status != STATUS_OK)
		replica_stop(r, fault, STATUS_OK);
	replica_effect(out, REPLICA_LOG_RESET);
	return status == STATUS_OK;
}

/* ---- candidates and jobs ---- */

struct candidate *replica_candidate(struct replica *r, const struct block_id *id)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		if (r->candidates[i] && block_id_equal(&r->candidates[i]->id, id))
			return r->candidates[i];
	}
	return NULL;
}

/* The core's table of blocks and ours have the same size; what the core has forgotten may go. */
static struct candidate **free_place(struct replica *r)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		if (!r->candidates[i])
			return &r->candidates[i];
	}
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		bool known = r->candidates[i]->jobs > 0;
		for (size_t k = 0; k < BLOCKS_KEPT && !known; k++)
			known = r->core.blocks[k].used &&
				block_id_equal(&r->core.blocks[k].id, &r->candidates[i]->id);
		if (known)
			continue;
		candidate_free(r->candidates[i]);
		r->candidates[i] = NULL;
		return &r->candidates[i];
	}
	return NULL;
}

bool replica_keep_candidate(struct replica *r, struct candidate *take, struct replica_effects *out)
{
	CHECK(!replica_candidate(r, &take->id));
	struct candidate **place = free_place(r);
	if (!place) {
		candidate_free(take);
		return false;
	}
	*place = take;
	if (r->replaying || r->silence != REPLICA_VOTES)
		return true;
	struct replica_effect *e = replica_effect(out, REPLICA_LOG);
	e->bytes_at = r->scratch.len;
	wal_append_block(&r->scratch, r->core.height, &take->id, part_set_bytes(&take->parts));
	e->bytes.len = r->scratch.len - e->bytes_at;
	return true;
}

void replica_apply(struct replica *r, struct apply_job *take, struct replica_effects *out)
{
	if (!take) {
		replica_stop(r, "a job for apply", STATUS_NO_MEMORY);
		return;
	}
	replica_effect(out, REPLICA_APPLY)->u.job = take;
}

void replica_app_block(const struct replica *r, struct app_block *out, const struct candidate *c)
{
	memset(out, 0, sizeof *out);
	out->height = r->head.height + 1;
	out->time = c->time;
	out->last_time = r->head.time;
	memcpy(out->proposer.b, c->block->header->proposer_address.data, sizeof out->proposer.b);
	out->txs = c->txs;
	out->tx_count = c->tx_count;
}

/* ---- one turn ---- */

static void fire_timers(struct replica *r, struct replica_now now)
{
	for (size_t i = 0; i < TIMERS_MAX; i++) {
		struct replica_timer *t = &r->timers[i];
		if (!t->used || t->due_ms > now.steady_ms)
			continue;
		t->used = false;
		struct consensus_input in = {.kind = IN_TIMEOUT, .now = now.wall};
		in.u.point.height = t->height;
		in.u.point.round = t->round;
		in.u.point.step = t->step;
		engine_input(r, &in);
	}
}

/* Views into scratch are made last: it may move while it grows. */
static void place_bytes(struct replica *r, struct replica_effects *out, size_t from)
{
	if (!buf_ok(&r->scratch)) {
		replica_stop(r, "this turn's messages", STATUS_NO_MEMORY);
		out->count = from;
		return;
	}
	for (size_t i = from; i < out->count; i++) {
		struct replica_effect *e = &out->items[i];
		if (e->bytes.len > 0)
			e->bytes.data = r->scratch.data + e->bytes_at;
	}
}

void replica_step(struct replica *r, const struct replica_input *in, struct replica_now now,
	struct replica_effects *out)
{
	size_t from = out->count;
	if (r->stopped) {
		if (in->kind == REPLICA_APPLIED)
			apply_job_free(in->u.job);
		return;
	}
	buf_clear(&r->scratch);
	clock_watch(r, now);
	switch (in->kind) { /* lint: dispatch */
	case REPLICA_TICK: mempool_tick(r->config.mempool, (uint64_t)timestamp_ms(now.wall)); break;
	case REPLICA_TX: admit_tx(r, in, now, out); break;
	case REPLICA_TX_VERIFIED: admit_verified(r, in, now, out); break;
	case REPLICA_PEER_UP: peers_up(r, in->u.peer.peer, out); break;
	case REPLICA_PEER_DOWN: peers_down(r, in->u.peer.peer); break;
	case REPLICA_MESSAGE:
		peers_message(r, in->u.peer.peer, in->u.peer.message, now, out);
		break;
	case REPLICA_SIGNED: engine_signed(r, in, now); break;
	case REPLICA_APPLIED: engine_applied(r, in->u.job, now, out); break;
	case REPLICA_CLOCK_TRUSTED: clock_trust(r, now); break;
	}
	fire_timers(r, now);
	engine_run(r, now, out);
	engine_ask_again(r, now, out);
	peers_run_early(r, now, out);
	sync_run(r, now, out);
	voice_run(r, now, out);
	spread_run(r, now, out);
	gossip_run(r, now, out);
	/* Sealing waits for a tick, even when it is due: a driver ticks when it has handed over all
	 * that has arrived, so that one block takes it all. */
	if (in->kind == REPLICA_TICK)
		pace_run(r, now, out);
	place_bytes(r, out, from);
}

uint64_t replica_next_ms(const struct replica *r, struct replica_now now)
{
	if (r->stopped)
		return UINT64_MAX;
	uint64_t next = pace_next_ms(r, now);
	uint64_t status = gossip_next_ms(r);
	next = status < next ? status : next;
	uint64_t spread = spread_next_ms(r);
	next = spread < next ? spread : next;
	uint64_t voice = voice_next_ms(r, now);
	next = voice < next ? voice : next;
	for (size_t i = 0; i < TIMERS_MAX; i++) {
		if (r->timers[i].used && r->timers[i].due_ms < next)
			next = r->timers[i].due_ms;
	}
	return next;
}

/* ---- after a restart ---- */

static enum status replay_record(
	struct replica *r, const struct wal_record *record, char fault[256])
{
	if (record->kind == WAL_BLOCK) {
		if (replica_candidate(r, &record->block))
			return STATUS_OK;
		struct candidate *c;
		const char *why;
		enum status status = candidate_of_bytes(&c, record->block_raw, &why);
		if (status != STATUS_OK)
			return status;
		if (!c || !block_id_equal(&c->id, &record->block)) {
			candidate_free(c);
			snprintf(fault, 256,
				"the consensus log holds a block that isn't what it says");
			return STATUS_CORRUPT;
		}
		return replica_keep_candidate(r, c, NULL) ? STATUS_OK : STATUS_CORRUPT;
	}
	struct consensus_effects effects;
	enum status status = consensus_step(&r->core, &record->input, &effects);
	/* All that it asked for was done, or is asked for again; but who lied is only remembered
	 * by us. */
	for (size_t i = 0; status == STATUS_OK && i < effects.count; i++) {
		const struct consensus_effect *e = &effects.items[i];
		if (e->kind == EFFECT_EVIDENCE && e->vote.height == r->core.height)
			evidence_note(&r->evidence, &e->vote, &e->other);
	}
	return status;
}

/* needed: bytes that a signature of this height stands on. Whatever is wrong after them was never
 * promised to anybody: writes that a crash left in disorder, or rot that harms nothing.
 * STATUS_CORRUPT: something is wrong before. */
static enum status replay(
	struct replica *r, struct bytes log, uint64_t needed, size_t *log_len_good, char fault[256])
{
	size_t at = 0;
	struct wal_record record;
	for (;;) {
		enum wal_answer answer = wal_next(log, &at, &record);
		*log_len_good = at;
		if (answer != WAL_RECORD && at >= needed)
			return STATUS_OK;
		if (answer != WAL_RECORD) {
			snprintf(fault, 256,
				"the consensus log is good up to byte %zu only, but this key has "
				"signed for what it held up to byte %llu",
				at, (unsigned long long)needed);
			return STATUS_CORRUPT;
		}
		/* A reset that the crash undid leaves records of heights that the store has since
		 * committed. */
		if (record.height != r->core.height)
			continue;
		enum status status = replay_record(r, &record, fault);
		if (status != STATUS_OK)
			return status;
	}
}

/* The height in progress from the log; where that lost a promise, from nothing and in silence. */
static enum status restore(struct replica *r, struct bytes log, const struct fence_record *fence,
	size_t *log_len_good, char fault[256])
{
	bool signed_here = fence && fence->step != FENCE_NOTHING && fence->height == r->core.height;
	uint64_t needed = signed_here ? fence->log_bytes : 0;
	r->replaying = true;
	enum status status = replay(r, log, needed, log_len_good, fault);
	r->replaying = false;
	if (status != STATUS_CORRUPT)
		return status;
	int64_t height = r->core.height;
	forget_candidates(r);
	consensus_fini(&r->core);
	*log_len_good = log.len;
	char restart_fault[256];
	status = start_core(r, restart_fault);
	return status == STATUS_OK ? voice_log_rotten(r, height, fault) : status;
}

enum status replica_recover(struct replica *r, struct bytes log, const struct fence_record *fence,
	struct replica_now now, struct replica_effects *out, size_t *log_len_good, char fault[256])
{
	*log_len_good = log.len;
	enum status status = clock_start(r, now, fault);
	if (status == STATUS_OK)
		status = voice_start(r, fence, fault);
	if (status != STATUS_OK)
		return status;
	snprintf(fault, 256, "the consensus log");
	r->started_ms = now.steady_ms;
	r->last_block_empty = false; /* unknown: one block more than needed does no harm */
	if (r->silence == REPLICA_VOTES)
		status = restore(r, log, fence, log_len_good, fault);
	if (status != STATUS_OK)
		return status;
	size_t from = out->count;
	/* What the last process wrote may not be on the disk yet, and signatures will stand on it.
	 */
	replica_effect(out, REPLICA_LOG_SYNC);
	struct consensus_effects effects;
	consensus_resume(&r->core, &effects);
	engine_effects(r, &effects, now, out);
	engine_run(r, now, out);
	pace_run(r, now, out);
	place_bytes(r, out, from);
	return STATUS_OK;
}
