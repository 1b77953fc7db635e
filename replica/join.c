#include "replica/join.h"

#include <stdlib.h>
#include <string.h>

#include "chain/blocks.h"
#include "chain/format/block.h"
#include "chain/format/proof.h"
#include "chain/format/wire.h"
#include "replica/candidate.h"
#include "replica/join_inside.h"
#include "replica/messages.h"

/*~ The way: on_status gathers, choose picks an offer, on_light proves the header after it and then
 * its own, on_chunk takes the state, on_part its block, finish makes the batch. Whatever fails
 * drops who gave it and begins again with what the others offer. */

enum {
	NOBODY_MS = 1000, /* without a word from anybody, while the genesis is young */
	YOUNG_MS = 60 * 1000,
	GATHER_MS = 300, /* after the first word */
	FEW_MS = 10000,  /* when it would be worth it, and too few are up */
	OFFERS_MS = 1000,
	ANSWER_MS = 2000, /* for one answer */
	PAUSE_MS = 5000,
	ALL_MS = 120 * 1000,
	JOIN_ARENA_BYTES_MAX = 1024 * 1024
};

/* ---- life ---- */

static void forget_chunks(struct join *j)
{
	for (size_t i = 0; i < JOIN_AHEAD_MAX; i++) {
		buf_fini(&j->chunks[i].bytes);
		memset(&j->chunks[i], 0, sizeof j->chunks[i]);
	}
	j->chunk_next = 0;
	part_set_fini(&j->parts);
	memset(&j->parts, 0, sizeof j->parts);
	store_batch_clear(&j->batch);
}

static void trust_genesis(struct join *j)
{
	j->trusted.height = j->config.start.initial_height - 1;
	j->trusted.validators = j->config.start.validators;
	j->trusted.next_hash = validators_hash(&j->config.start.validators);
}

struct join *join_new(const struct join_config *config, struct replica_now now)
{
	struct join *j = calloc(1, sizeof *j);
	if (!j)
		return NULL;
	j->config = *config;
	j->began_ms = j->stage_ms = now.steady_ms;
	j->asked_peer = PEERS_MAX;
	trust_genesis(j);
	store_batch_init(&j->batch);
	if (!config->app.vtable->offer_snapshot || config->heights_min == 0) {
		j->state = JOIN_NOT_NEEDED;
		j->stage = STAGE_OVER;
	}
	return j;
}

void join_free(struct join *j)
{
	if (!j)
		return;
	forget_chunks(j);
	join_light_fini(&j->after);
	join_light_fini(&j->anchor);
	store_batch_fini(&j->batch);
	buf_fini(&j->scratch);
	free(j);
}

enum join_state join_state(const struct join *j)
{
	return j->state;
}

const struct store_batch *join_batch(const struct join *j)
{
	CHECK(j->state == JOIN_DONE);
	return &j->batch;
}

int64_t join_height(const struct join *j)
{
	return j->chosen.about.height;
}

static void over(struct join *j, enum join_state state, const char *why)
{
	j->state = state;
	j->stage = STAGE_OVER;
	if (state == JOIN_GAVE_UP)
		log_event(j->config.log, LOG_UNUSUAL,
			"join_given_up reason=\"%s\" instead=\"block by block\"", why);
}

static void enter(struct join *j, enum join_stage stage, struct replica_now now)
{
	j->stage = stage;
	j->stage_ms = now.steady_ms;
	j->asked_peer = PEERS_MAX;
}

/* ---- peers ---- */

static bool offer_equal(const struct join_offer *a, const struct join_offer *b)
{
	return a->about.height == b->about.height && a->about.format == b->about.format &&
	       a->about.chunks == b->about.chunks && hash_equal(&a->about.root, &b->about.root) &&
	       hash_equal(&a->turns, &b->turns);
}

static bool vouches(const struct join_peer *p, const struct join_offer *offer)
{
	for (size_t i = 0; p->up && i < p->offer_count; i++) {
		if (offer_equal(&p->offers[i], offer))
			return true;
	}
	return false;
}

static uint32_t vouchers(const struct join *j, const struct join_offer *offer)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		count += vouches(&j->peers[i], offer);
	return count;
}

static void drop(struct join *j, uint32_t peer, const char *fault, struct replica_effects *out)
{
	log_event(j->config.log, LOG_UNUSUAL, "peer_misbehaves peer=%u joining=1 fault=\"%s\"",
		peer, fault);
	replica_effect(out, REPLICA_DROP_PEER)->u.peer = peer;
	memset(&j->peers[peer], 0, sizeof j->peers[peer]);
	if (j->asked_peer == peer)
		j->asked_peer = PEERS_MAX;
}

/* Of those who vouch for the chosen, the next in turn that isn't paused, else any; PEERS_MAX:
 * nobody is left. */
static uint32_t next_voucher(const struct join *j, uint32_t after, struct replica_now now)
{
	uint32_t found = PEERS_MAX;
	for (uint32_t i = 1; i <= PEERS_MAX; i++) {
		uint32_t peer = (after + i) % PEERS_MAX;
		if (!vouches(&j->peers[peer], &j->chosen))
			continue;
		if (j->peers[peer].paused_until_ms <= now.steady_ms)
			return peer;
		if (found == PEERS_MAX)
			found = peer;
	}
	return found;
}

/* ---- choosing ---- */

/* One more than may lie. */
static uint32_t vouchers_needed(const struct join *j)
{
	uint32_t need = (j->config.start.validators.count - 1) / 3 + 1;
	/* No more are listed: the operator trusts them. */
	bool few = j->config.peer_count > 0 && need > j->config.peer_count;
	return few ? j->config.peer_count : need;
}

static void gather(struct join *j, struct replica_now now, struct replica_effects *out)
{
	uint32_t said = 0, up = 0, far = 0;
	uint64_t passed_ms = now.steady_ms - j->began_ms;
	int64_t enough = j->config.start.initial_height + (int64_t)j->config.heights_min;
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		up += j->peers[i].up;
		said += j->peers[i].up && j->peers[i].height > 0;
		far += j->peers[i].up && j->peers[i].height > enough;
	}
	bool all = said > 0 && said == up && said >= j->config.peer_count;
	int64_t age_ms = timestamp_ms(now.wall) - timestamp_ms(j->config.start.time);
	uint64_t nobody_ms = age_ms > YOUNG_MS ? FEW_MS : NOBODY_MS;
	/* Links that were up before take seconds to come back: it is worth waiting for those whose
	 * word is needed. */
	if (far > 0 && said < vouchers_needed(j) && passed_ms < FEW_MS)
		return;
	if (!all && (said == 0 ? passed_ms < nobody_ms : now.steady_ms < j->stage_ms + GATHER_MS))
		return;
	if (far == 0) {
		over(j, JOIN_NOT_NEEDED, "");
		return;
	}
	enter(j, STAGE_OFFERS, now);
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		if (j->peers[i].up)
			join_ask_snapshots(j, i, out);
	}
}

/* The highest that enough of them offer alike. */
static bool choose(struct join *j)
{
	uint32_t need = vouchers_needed(j);
	const struct join_offer *best = NULL;
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		const struct join_peer *p = &j->peers[i];
		for (size_t k = 0; p->up && k < p->offer_count; k++) {
			const struct join_offer *offer = &p->offers[k];
			if (vouchers(j, offer) >= need &&
				(!best || offer->about.height > best->about.height))
				best = offer;
		}
	}
	if (best)
		j->chosen = *best;
	return best != NULL;
}

static void look_at_offers(struct join *j, struct replica_now now)
{
	uint32_t up = 0, answered = 0;
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		up += j->peers[i].up;
		answered += j->peers[i].up && j->peers[i].answered;
	}
	if (answered < up && now.steady_ms < j->stage_ms + OFFERS_MS)
		return;
	if (!choose(j)) {
		over(j, JOIN_GAVE_UP, "too few peers offer the same snapshot");
		return;
	}
	log_event(j->config.log, LOG_INFO, "joining height=%lld chunks=%u peers=%u",
		(long long)j->chosen.about.height, j->chosen.about.chunks, vouchers(j, &j->chosen));
	forget_chunks(j);
	trust_genesis(j);
	j->asked_height = j->chosen.about.height + 1;
	enter(j, STAGE_PROVE, now);
}

static void choose_again(struct join *j, struct replica_now now)
{
	enter(j, STAGE_OFFERS, now);
	look_at_offers(j, now);
}

/* ---- headers ---- */

static void fetch_header(struct join *j, struct replica_now now, struct replica_effects *out)
{
	if (j->asked_peer < PEERS_MAX && now.steady_ms < j->asked_due_ms)
		return;
	if (j->asked_peer < PEERS_MAX)
		j->peers[j->asked_peer].paused_until_ms = now.steady_ms + PAUSE_MS;
	uint32_t peer =
		next_voucher(j, j->asked_peer < PEERS_MAX ? j->asked_peer : PEERS_MAX - 1, now);
	if (peer == PEERS_MAX) {
		choose_again(j, now);
		return;
	}
	j->asked_peer = peer;
	j->asked_due_ms = now.steady_ms + ANSWER_MS;
	join_ask_light(j, peer, j->asked_height, out);
}

static void trust(struct join *j, const struct join_light *light)
{
	j->trusted.height = light->height;
	j->trusted.validators = light->validators;
	j->trusted.next_hash = validators_hash(&light->next_validators);
}

/* Half the way, when the whole is too far for those we trust. */
static const char *prove(struct join *j, const struct join_light *light)
{
	int64_t target = j->chosen.about.height + 1;
	if (!join_light_trusted(&j->trusted, light)) {
		if (light->height <= j->trusted.height + 1)
			return "a header that nobody trusted has signed";
		j->asked_height = j->trusted.height + (light->height - j->trusted.height) / 2;
		return NULL;
	}
	trust(j, light);
	j->asked_height = target;
	return NULL;
}

/* The sets of three heights must be those that enough peers vouched for, and follow from each
 * other where nothing changed. */
static const char *turns_fault(const struct join *j)
{
	const struct validator_set *sets[3] = {
		&j->anchor.validators, &j->after.validators, &j->after.next_validators};
	struct arena arena;
	struct buf packed;
	arena_init(&arena, JOIN_ARENA_BYTES_MAX);
	buf_init(&packed, 0);
	for (size_t i = 0; i < 3; i++) {
		const Pb__ValidatorSet *pb = validator_set_to_pb(sets[i], &arena);
		if (pb)
			wire_append(&packed, &pb->base);
	}
	struct hash32 turns = sha256(buf_view(&packed));
	buf_fini(&packed);
	arena_fini(&arena);
	return hash_equal(&turns, &j->chosen.turns) ? NULL : "turns of another hash";
}

static void begin_chunks(struct join *j, struct replica_now now)
{
	Pb__ConsensusParams params = j->config.start.params;
	params.app_version = j->after.app_version;
	struct hash32 hash = consensus_params_hash(&params);
	if (!hash_equal(&hash, &j->after.consensus_hash)) {
		over(j, JOIN_GAVE_UP, "consensus parameters that the genesis doesn't know");
		return;
	}
	if (!j->config.app.vtable->offer_snapshot(
		    j->config.app.self, &j->chosen.about, &j->after.app_hash, j->anchor.time)) {
		over(j, JOIN_GAVE_UP, "a snapshot of a form unknown here");
		return;
	}
	forget_chunks(j);
	enter(j, STAGE_CHUNKS, now);
}

static void on_light(struct join *j, uint32_t peer, const Pb__LightBlock *pb,
	struct replica_now now, struct replica_effects *out)
{
	bool proving = j->stage == STAGE_PROVE;
	if ((!proving && j->stage != STAGE_ANCHOR) || peer != j->asked_peer || !pb->header ||
		pb->header->height != j->asked_height)
		return;
	int64_t target = j->chosen.about.height + 1;
	struct join_light *light = proving ? &j->after : &j->anchor;
	const char *fault = join_light_read(light, pb, j->config.start.chain_id, j->asked_height);
	if (!fault && proving)
		fault = prove(j, light);
	if (!fault && !proving && !block_id_equal(&light->id, &j->after.last_id))
		fault = "a header that isn't the one before";
	if (!fault && !proving)
		fault = turns_fault(j);
	if (fault) {
		drop(j, peer, fault, out);
		j->asked_height = proving ? target : target - 1;
		return;
	}
	if (!proving) {
		begin_chunks(j, now);
		return;
	}
	bool proved = j->trusted.height == target;
	/* The same peer goes on: it claims to know them all. */
	j->asked_due_ms = now.steady_ms + ANSWER_MS;
	if (proved) {
		enter(j, STAGE_ANCHOR, now);
		j->asked_height = target - 1;
		return;
	}
	join_ask_light(j, peer, j->asked_height, out);
}

/* ---- chunks ---- */

static void fetch_chunks(struct join *j, struct replica_now now, struct replica_effects *out)
{
	for (uint32_t i = 0; i < JOIN_AHEAD_MAX; i++) {
		uint32_t index = j->chunk_next + i;
		struct join_chunk *c = &j->chunks[index % JOIN_AHEAD_MAX];
		if (index >= j->chosen.about.chunks || c->here ||
			(c->asked && now.steady_ms < c->due_ms))
			continue;
		if (c->asked)
			j->peers[c->peer].paused_until_ms = now.steady_ms + PAUSE_MS;
		uint32_t peer = next_voucher(j, j->chunk_peer, now);
		if (peer == PEERS_MAX) {
			choose_again(j, now);
			return;
		}
		c->asked = true;
		c->peer = j->chunk_peer = peer;
		c->due_ms = now.steady_ms + ANSWER_MS;
		join_ask_chunk(j, peer, index, out);
	}
}

/* Each chunk was what the root says; so whoever vouched for the root lied. */
static void drop_vouchers(struct join *j, struct replica_now now, struct replica_effects *out)
{
	struct join_offer lie = j->chosen;
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		if (vouches(&j->peers[i], &lie))
			drop(j, i, "a snapshot that isn't the state", out);
	}
	choose_again(j, now);
}

static void apply_chunks(struct join *j, struct replica_now now, struct replica_effects *out)
{
	while (j->stage == STAGE_CHUNKS) {
		struct join_chunk *c = &j->chunks[j->chunk_next % JOIN_AHEAD_MAX];
		enum app_chunk_verdict verdict;
		if (!c->here)
			return;
		enum status status = j->config.app.vtable->apply_chunk(j->config.app.self,
			j->chunk_next, buf_view(&c->bytes), &j->batch, &verdict);
		if (status != STATUS_OK) {
			over(j, JOIN_GAVE_UP, status_text(status));
			return;
		}
		buf_fini(&c->bytes);
		memset(c, 0, sizeof *c);
		j->chunk_next++;
		switch (verdict) {
		case APP_CHUNK_TAKEN: break;
		case APP_CHUNK_LAST: enter(j, STAGE_BLOCK, now); return;
		case APP_CHUNK_REFUSED: drop_vouchers(j, now, out); return;
		}
	}
}

static void on_chunk(struct join *j, uint32_t peer, const Pb__Chunk *pb, struct replica_now now,
	struct replica_effects *out)
{
	if (j->stage != STAGE_CHUNKS || pb->height != j->chosen.about.height ||
		pb->index < j->chunk_next || pb->index >= j->chunk_next + JOIN_AHEAD_MAX ||
		pb->index >= j->chosen.about.chunks)
		return;
	struct join_chunk *c = &j->chunks[pb->index % JOIN_AHEAD_MAX];
	if (c->here || !c->asked || c->peer != peer)
		return;
	struct merkle_proof proof;
	struct hash32 root, leaf = merkle_leaf(wire_view(pb->bytes));
	if (!pb->proof || !merkle_proof_from_pb(&proof, pb->proof) || proof.index != pb->index ||
		proof.total != j->chosen.about.chunks || !hash_equal(&proof.leaf, &leaf) ||
		!merkle_proof_root(&root, &proof) || !hash_equal(&root, &j->chosen.about.root)) {
		c->asked = false;
		drop(j, peer, "a chunk of another snapshot", out);
		return;
	}
	buf_clear(&c->bytes);
	buf_append_view(&c->bytes, wire_view(pb->bytes));
	c->here = buf_ok(&c->bytes);
	if (!c->here)
		over(j, JOIN_GAVE_UP, "no memory");
	apply_chunks(j, now, out);
}

/* ---- the block ---- */

static void fetch_block(struct join *j, struct replica_now now, struct replica_effects *out)
{
	if (j->asked_peer < PEERS_MAX && now.steady_ms < j->asked_due_ms)
		return;
	uint32_t peer =
		next_voucher(j, j->asked_peer < PEERS_MAX ? j->asked_peer : PEERS_MAX - 1, now);
	if (peer == PEERS_MAX) {
		choose_again(j, now);
		return;
	}
	if (j->parts.total == 0 &&
		part_set_expect(&j->parts, j->anchor.id.parts_total, &j->anchor.id.parts_hash,
			BLOCK_PARTS_MAX) != STATUS_OK) {
		over(j, JOIN_GAVE_UP, "no memory");
		return;
	}
	j->asked_peer = peer;
	j->asked_due_ms = now.steady_ms + ANSWER_MS;
	join_ask_block(j, peer, j->anchor.height, out);
}

static void finish(struct join *j)
{
	struct candidate *c = NULL;
	const char *fault = "";
	struct arena arena;
	arena_init(&arena, JOIN_ARENA_BYTES_MAX);
	enum status status = candidate_of_parts(&c, &j->parts, &fault);
	memset(&j->parts, 0, sizeof j->parts);
	if (status == STATUS_OK && (!c || !block_id_equal(&c->id, &j->anchor.id)))
		status = STATUS_INVALID;
	if (status == STATUS_OK)
		status = join_fill_batch(j, c, &arena);
	candidate_free(c);
	arena_fini(&arena);
	if (status != STATUS_OK) {
		over(j, JOIN_GAVE_UP, status_text(status));
		return;
	}
	over(j, JOIN_DONE, "");
}

static void on_part(struct join *j, uint32_t peer, const Pb__BlockPart *pb, struct replica_now now,
	struct replica_effects *out)
{
	struct block_id id;
	struct merkle_proof proof;
	if (j->stage != STAGE_BLOCK || j->parts.total == 0 || pb->height != j->anchor.height ||
		!pb->block_id || !block_id_from_pb(&id, pb->block_id) ||
		!block_id_equal(&id, &j->anchor.id))
		return;
	if (!pb->proof || !merkle_proof_from_pb(&proof, pb->proof)) {
		drop(j, peer, "part form", out);
		return;
	}
	enum part_verdict verdict =
		part_set_add(&j->parts, pb->index, wire_view(pb->bytes), &proof);
	if (verdict != PART_ADDED && verdict != PART_KNOWN)
		drop(j, peer, "part proof", out);
	if (verdict != PART_ADDED)
		return;
	j->asked_due_ms = now.steady_ms + ANSWER_MS;
	if (part_set_complete(&j->parts))
		finish(j);
}

/* ---- what comes ---- */

static void on_offer(struct join *j, uint32_t peer, const Pb__SnapshotOffer *pb)
{
	struct join_peer *p = &j->peers[peer];
	if (pb->height == 0) {
		p->answered = true;
		return;
	}
	if (pb->height <= j->config.start.initial_height || pb->chunks == 0 || pb->root.len != 32 ||
		pb->turns.len != 32 || p->offer_count == JOIN_OFFERS_MAX)
		return;
	struct join_offer *offer = &p->offers[p->offer_count++];
	offer->about.height = pb->height;
	offer->about.format = pb->format;
	offer->about.chunks = pb->chunks;
	memcpy(offer->about.root.b, pb->root.data, 32);
	memcpy(offer->turns.b, pb->turns.data, 32);
}

static void on_status(
	struct join *j, uint32_t peer, const Pb__NodeStatus *status, struct replica_now now)
{
	bool first = true;
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		first = first && j->peers[i].height == 0;
	if (first && j->stage == STAGE_GATHER)
		j->stage_ms = now.steady_ms;
	if (status->height > j->peers[peer].height)
		j->peers[peer].height = status->height;
}

static void on_message(struct join *j, uint32_t peer, struct bytes bytes, struct replica_now now,
	struct replica_effects *out)
{
	struct arena arena;
	arena_init(&arena, JOIN_ARENA_BYTES_MAX);
	const Pb__PeerMessage *m = message_read(&arena, bytes);
	if (!m) {
		drop(j, peer, "message form", out);
		arena_fini(&arena);
		return;
	}
	switch (m->sum_case) { /* lint: dispatch */
	case PB__PEER_MESSAGE__SUM_STATUS: on_status(j, peer, m->status, now); break;
	case PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER: on_offer(j, peer, m->snapshot_offer); break;
	case PB__PEER_MESSAGE__SUM_LIGHT_BLOCK: on_light(j, peer, m->light_block, now, out); break;
	case PB__PEER_MESSAGE__SUM_CHUNK: on_chunk(j, peer, m->chunk, now, out); break;
	case PB__PEER_MESSAGE__SUM_BLOCK_PART: on_part(j, peer, m->block_part, now, out); break;
	case PB__PEER_MESSAGE__SUM_PROPOSAL:
	case PB__PEER_MESSAGE__SUM_VOTE:
	case PB__PEER_MESSAGE__SUM_BLOCK_REQUEST:
	case PB__PEER_MESSAGE__SUM_TRANSACTION:
	case PB__PEER_MESSAGE__SUM_EVIDENCE:
	case PB__PEER_MESSAGE__SUM_COMMIT:
	case PB__PEER_MESSAGE__SUM_SNAPSHOTS_REQUEST:
	case PB__PEER_MESSAGE__SUM_CHUNK_REQUEST:
	case PB__PEER_MESSAGE__SUM_LIGHT_BLOCK_REQUEST:
	case PB__PEER_MESSAGE__SUM__NOT_SET:
	case _PB__PEER_MESSAGE__SUM__CASE_IS_INT_SIZE: break; /* for one that takes part */
	}
	arena_fini(&arena);
}

/* ---- the turn ---- */

static void go_on(struct join *j, struct replica_now now, struct replica_effects *out)
{
	if (j->stage != STAGE_OVER && j->stage > STAGE_GATHER &&
		now.steady_ms >= j->began_ms + ALL_MS) {
		over(j, JOIN_GAVE_UP, "it took too long");
		return;
	}
	switch (j->stage) { /* lint: dispatch */
	case STAGE_GATHER: gather(j, now, out); break;
	case STAGE_OFFERS: look_at_offers(j, now); break;
	case STAGE_PROVE:
	case STAGE_ANCHOR: fetch_header(j, now, out); break;
	case STAGE_CHUNKS: fetch_chunks(j, now, out); break;
	case STAGE_BLOCK: fetch_block(j, now, out); break;
	case STAGE_OVER: break;
	}
}

static void place_bytes(struct join *j, struct replica_effects *out, size_t from)
{
	CHECK(buf_ok(&j->scratch)); /* requests only: a few hundred bytes */
	for (size_t i = from; i < out->count; i++) {
		if (out->items[i].bytes.len > 0)
			out->items[i].bytes.data = j->scratch.data + out->items[i].bytes_at;
	}
}

void join_step(struct join *j, const struct replica_input *in, struct replica_now now,
	struct replica_effects *out)
{
	size_t from = out->count;
	uint32_t peer = in->u.peer.peer;
	if (j->stage == STAGE_OVER)
		return;
	buf_clear(&j->scratch);
	if (in->kind == REPLICA_PEER_UP) {
		memset(&j->peers[peer], 0, sizeof j->peers[peer]);
		j->peers[peer].up = true;
		join_say_standing(j, peer, out);
		if (j->stage > STAGE_GATHER)
			join_ask_snapshots(j, peer, out);
	} else if (in->kind == REPLICA_PEER_DOWN) {
		memset(&j->peers[peer], 0, sizeof j->peers[peer]);
		if (j->asked_peer == peer)
			j->asked_peer = PEERS_MAX;
	} else if (in->kind == REPLICA_MESSAGE && j->peers[peer].up) {
		on_message(j, peer, in->u.peer.message, now, out);
	}
	enum join_stage stage;
	do {
		stage = j->stage;
		go_on(j, now, out);
	} while (stage != j->stage);
	place_bytes(j, out, from);
}

uint64_t join_next_ms(const struct join *j, struct replica_now now)
{
	enum { LOOK_MS = 50 };
	return j->stage == STAGE_OVER ? UINT64_MAX : now.steady_ms + LOOK_MS;
}
