/* sync: catching up by whole heights, and helping others to. Several heights are asked for ahead,
 * of several peers; a height's answer is its commit and then its block's parts. The commit is
 * verified once, against the validators of its height, when that height's turn comes; its votes
 * and the block then go through the ordinary core, which decides as it would have. What a peer
 * claims moves nothing by itself: who doesn't deliver is asked less, who lies is dropped. */
#include <string.h>

#include "chain/blocks.h"
#include "chain/format/commit.h"
#include "chain/format/proof.h"
#include "chain/format/wire.h"
#include "replica/messages.h"

enum {
	PATIENCE_MS = 100, /* one height behind: its last votes are on the way most likely */
	SILENCE_MS = 500,  /* without a new piece of an answer: another peer is asked */
	BLOCK_MS = 3000,   /* and after so long anyway, */
	PART_MS = 100,     /* with more for each part */
	PAUSE_MS = 1000,   /* a peer that was asked in vain; doubles */
	PAUSES_MAX = 5,
	FLOW_MS = 1000,  /* blocks flow while the last one came this lately */
	FEED_MS = 1000,  /* a decided block must be under way by then */
	TELL_MS = 60000, /* between two words to the operator */
	BLOCK_ARENA_BYTES_MAX = 1024 * 1024,
	REQUEST_COST_BYTES = 4096
};

/* ---- slots ---- */

static void slot_clear(struct sync_slot *s)
{
	buf_fini(&s->commit);
	part_set_fini(&s->parts);
	memset(s, 0, sizeof *s);
}

static struct sync_slot *slot_of(struct replica *r, int64_t height)
{
	struct sync_slot *s = &r->sync.slots[(uint64_t)height % SYNC_AHEAD_MAX];
	return s->height == height ? s : NULL;
}

/* What came is kept, if it can't be somebody's lie. */
static void ask_again(struct sync_slot *s)
{
	s->asked = false;
	if (s->verified)
		return;
	buf_clear(&s->commit);
	part_set_fini(&s->parts);
}

static bool is_here(const struct sync_slot *s)
{
	return s->commit.len > 0 && part_set_complete(&s->parts);
}

void sync_fini(struct replica *r)
{
	for (size_t i = 0; i < SYNC_AHEAD_MAX; i++)
		slot_clear(&r->sync.slots[i]);
}

void sync_peer_down(struct replica *r, uint32_t peer)
{
	for (size_t i = 0; i < SYNC_AHEAD_MAX; i++) {
		struct sync_slot *s = &r->sync.slots[i];
		if (s->height != 0 && s->asked && s->peer == peer && !is_here(s))
			ask_again(s);
	}
}

/* ---- where we stand ---- */

static bool is_ahead(const struct replica *r, int64_t height)
{
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		if (r->peers[i].up && r->peers[i].height > height)
			return true;
	}
	return false;
}

bool sync_behind(const struct replica *r)
{
	return is_ahead(r, r->core.height);
}

bool replica_catching_up(const struct replica *r)
{
	return is_ahead(r, r->core.height + 1);
}

uint64_t sync_flows(const struct replica *r, struct replica_now now)
{
	bool flows = r->sync.fed_ms != 0 && now.steady_ms < r->sync.fed_ms + FLOW_MS;
	return flows && sync_behind(r) ? r->sync.fed_ms + FLOW_MS : 0;
}

uint32_t sync_heard(const struct replica *r)
{
	uint32_t heard = 0;
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		heard += r->peers[i].up && r->peers[i].height > 0;
	return heard;
}

int64_t sync_claimed(const struct replica *r)
{
	uint32_t liars = sync_heard(r) / 3;
	int64_t claimed = 0;
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		int64_t height = r->peers[i].up ? r->peers[i].height : 0;
		uint32_t at_least = 0;
		for (uint32_t k = 0; k < PEERS_MAX; k++)
			at_least += r->peers[k].up && r->peers[k].height >= height;
		if (at_least > liars && height > claimed)
			claimed = height;
	}
	return claimed;
}

/* ---- asking ---- */

/* Heights that may be asked for at once, and of one peer. */
static uint32_t heights_for(const struct replica *r, uint32_t bytes_max)
{
	uint32_t parts = r->sync.parts > 0 ? r->sync.parts : 1;
	uint32_t heights = bytes_max / BLOCK_PART_BYTES / parts;
	return heights > 0 ? heights : 1;
}

static uint32_t asked_of(const struct replica *r, uint32_t peer)
{
	uint32_t count = 0;
	for (size_t i = 0; i < SYNC_AHEAD_MAX; i++) {
		const struct sync_slot *s = &r->sync.slots[i];
		count += s->height != 0 && s->asked && s->peer == peer && !is_here(s);
	}
	return count;
}

/* The peer to ask: not one that is paused while another isn't, not the one that failed last, and
 * of the rest the least busy; they take turns. PEERS_MAX: nobody now. */
static uint32_t peer_for(const struct replica *r, const struct sync_slot *s, struct replica_now now)
{
	uint32_t each_max = heights_for(r, SYNC_PEER_BYTES_MAX);
	if (each_max > SYNC_PEER_BLOCKS_MAX)
		each_max = SYNC_PEER_BLOCKS_MAX;
	uint32_t best = PEERS_MAX;
	uint64_t best_cost = UINT64_MAX;
	for (uint32_t i = 1; i <= PEERS_MAX; i++) {
		uint32_t peer = (r->sync.last_peer + i) % PEERS_MAX;
		const struct replica_peer *p = &r->peers[peer];
		if (!p->up || p->height <= s->height || p->base_height > s->height)
			continue;
		uint64_t busy = asked_of(r, peer);
		if (busy >= each_max)
			continue;
		bool again = s->heard_ms != 0 && s->peer == peer;
		uint64_t pause_ms =
			p->paused_until_ms > now.steady_ms ? p->paused_until_ms - now.steady_ms : 0;
		/* A paused one is for our own height only: what comes later can wait for others. */
		if (pause_ms > 0 && s->height != r->core.height)
			continue;
		uint64_t cost = pause_ms * 1000 + (again ? 100 : 0) + busy;
		if (cost < best_cost) {
			best = peer;
			best_cost = cost;
		}
	}
	return best;
}

static void ask(
	struct replica *r, struct sync_slot *s, struct replica_now now, struct replica_effects *out)
{
	uint32_t peer = peer_for(r, s, now);
	if (peer == PEERS_MAX)
		return;
	s->asked = true;
	s->peer = peer;
	s->asked_ms = s->heard_ms = now.steady_ms;
	r->sync.last_peer = peer;
	say_request(r, peer, s->height, out);
}

static void give_up_waiting(struct replica *r, struct sync_slot *s, struct replica_now now)
{
	struct replica_peer *p = &r->peers[s->peer];
	uint32_t pauses = p->misses < PAUSES_MAX ? p->misses : PAUSES_MAX;
	p->misses++;
	p->paused_until_ms = now.steady_ms + ((uint64_t)PAUSE_MS << pauses);
	ask_again(s);
	s->peer = (uint32_t)(p - r->peers);
	r->sync.ahead = r->sync.ahead > 1 ? r->sync.ahead / 2 : 1;
}

static bool is_overdue(const struct sync_slot *s, struct replica_now now)
{
	uint64_t all_ms = BLOCK_MS + (uint64_t)PART_MS * s->parts.total;
	return now.steady_ms >= s->heard_ms + SILENCE_MS || now.steady_ms >= s->asked_ms + all_ms;
}

/* Nobody that is up keeps the next block: only the operator can help. */
static void tell_unkept(struct replica *r, struct replica_now now)
{
	int64_t lowest = INT64_MAX;
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		const struct replica_peer *p = &r->peers[i];
		if (!p->up || p->height <= r->core.height)
			continue;
		lowest = p->base_height < lowest ? p->base_height : lowest;
	}
	if (lowest <= r->core.height || lowest == INT64_MAX)
		return;
	if (r->sync.told_ms != 0 && now.steady_ms < r->sync.told_ms + TELL_MS)
		return;
	r->sync.told_ms = now.steady_ms;
	log_event(r->config.log, LOG_UNUSUAL,
		"blocks_missing height=%lld lowest_kept_by_peers=%lld hint=\"start anew with "
		"fast_join, or link with a node that keeps them\"",
		(long long)r->core.height, (long long)lowest);
}

static bool is_patient(struct replica *r, struct replica_now now)
{
	struct sync *sync = &r->sync;
	if (sync->behind_height != r->core.height) {
		sync->behind_height = r->core.height;
		sync->behind_since_ms = now.steady_ms;
	}
	return !replica_catching_up(r) && sync_flows(r, now) == 0 &&
	       now.steady_ms < sync->behind_since_ms + PATIENCE_MS;
}

static void ask_ahead(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	if (!sync_behind(r) || is_patient(r, now))
		return;
	uint32_t ahead = heights_for(r, SYNC_BYTES_MAX);
	if (ahead > SYNC_AHEAD_MAX)
		ahead = SYNC_AHEAD_MAX;
	if (r->sync.ahead < 2)
		r->sync.ahead = 2;
	ahead = r->sync.ahead < ahead ? r->sync.ahead : ahead;
	bool busy = r->core.step == STEP_EXECUTE || r->core.step == STEP_COMMIT;
	for (int64_t h = r->core.height + busy; h < r->core.height + ahead; h++) {
		if (!is_ahead(r, h))
			break;
		struct sync_slot *s = &r->sync.slots[(uint64_t)h % SYNC_AHEAD_MAX];
		if (s->height != h) {
			slot_clear(s);
			s->height = h;
		}
		if (s->asked && !is_here(s) && is_overdue(s, now))
			give_up_waiting(r, s, now);
		if (!s->asked)
			ask(r, s, now, out);
	}
	tell_unkept(r, now);
}

/* ---- what comes ---- */

/* The bytes that other slots hold or wait for. */
static size_t bytes_held(const struct replica *r)
{
	size_t parts = 0;
	for (size_t i = 0; i < SYNC_AHEAD_MAX; i++)
		parts += r->sync.slots[i].parts.total;
	return parts * BLOCK_PART_BYTES;
}

const char *sync_on_commit(
	struct replica *r, uint32_t peer, const Pb__Commit *commit, struct replica_now now)
{
	struct block_id id;
	if (!commit_form_valid(commit) || commit->height < 1 ||
		!block_id_from_pb(&id, commit->block_id))
		return "commit form";
	struct sync_slot *s = slot_of(r, commit->height);
	if (!s || !s->asked || s->peer != peer || s->commit.len > 0)
		return NULL; /* late, or told unasked */
	uint32_t parts_max = (uint32_t)(r->head.params.block_max_bytes / BLOCK_PART_BYTES + 1);
	if (id.parts_total > parts_max)
		return "commit for a block too large";
	bool first = s->height == r->core.height;
	size_t bytes = (size_t)id.parts_total * BLOCK_PART_BYTES;
	if (!first && bytes_held(r) + bytes > SYNC_BYTES_MAX) {
		r->sync.parts = id.parts_total; /* ask for fewer */
		ask_again(s);
		return NULL;
	}
	if (part_set_expect(&s->parts, id.parts_total, &id.parts_hash, parts_max) != STATUS_OK)
		return NULL;
	wire_append(&s->commit, &commit->base);
	if (!buf_ok(&s->commit)) {
		ask_again(s);
		return NULL;
	}
	s->id = id;
	s->heard_ms = now.steady_ms;
	return NULL;
}

bool sync_wants(struct replica *r, const Pb__BlockPart *part)
{
	struct block_id id;
	const struct sync_slot *s = slot_of(r, part->height);
	/* Once fed, the parts are the candidate's. */
	return s && s->commit.len > 0 && s->parts.total > 0 && part->block_id &&
	       block_id_from_pb(&id, part->block_id) && block_id_equal(&id, &s->id);
}

const char *sync_on_part(struct replica *r, const Pb__BlockPart *part, struct replica_now now)
{
	struct sync_slot *s = slot_of(r, part->height);
	struct merkle_proof proof;
	CHECK(s);
	if (!part->proof || !merkle_proof_from_pb(&proof, part->proof))
		return "part form";
	enum part_verdict verdict =
		part_set_add(&s->parts, part->index, wire_view(part->bytes), &proof);
	if (verdict == PART_KNOWN)
		return NULL;
	if (verdict != PART_ADDED)
		return "part proof";
	s->heard_ms = now.steady_ms;
	if (!part_set_complete(&s->parts))
		return NULL;
	struct replica_peer *p = &r->peers[s->peer];
	p->misses = 0;
	p->paused_until_ms = 0;
	if (r->sync.ahead < SYNC_AHEAD_MAX)
		r->sync.ahead++;
	return NULL;
}

/* ---- into the core ---- */

static void blame(
	struct replica *r, struct sync_slot *s, const char *fault, struct replica_effects *out)
{
	log_event(r->config.log, LOG_UNUSUAL, "peer_misbehaves peer=%u height=%lld fault=\"%s\"",
		s->peer, (long long)s->height, fault);
	replica_effect(out, REPLICA_DROP_PEER)->u.peer = s->peer;
	r->peers[s->peer].up = false; /* its link ends with this turn */
	for (size_t i = 0; i < SYNC_AHEAD_MAX; i++) {
		struct sync_slot *other = &r->sync.slots[i];
		/* Nothing of the liar's is waited for or believed. */
		if (other->height != 0 && other->asked && other->peer == s->peer)
			ask_again(other);
	}
}

static const Pb__Commit *commit_of(const struct sync_slot *s, struct arena *arena)
{
	return pb__commit__unpack(arena_protobuf(arena), s->commit.len, s->commit.data);
}

/* At the height's turn its validators are known. */
static void verify(
	struct replica *r, struct sync_slot *s, struct arena *arena, struct replica_effects *out)
{
	const Pb__Commit *commit = commit_of(s, arena);
	if (!commit) {
		replica_stop(r, "a commit", STATUS_NO_MEMORY);
		return;
	}
	enum commit_verdict verdict = commit_verify(
		&r->core.validators, r->config.start.chain_id, &s->id, s->height, commit);
	if (verdict == COMMIT_OK)
		s->verified = true;
	else
		blame(r, s, commit_verdict_text(verdict), out);
}

static void feed_votes(struct replica *r, const struct sync_slot *s, struct arena *arena,
	struct replica_now now, struct replica_effects *out)
{
	const Pb__Commit *commit = commit_of(s, arena);
	struct vote votes[VALIDATORS_MAX];
	size_t count = commit ? commit_votes(votes, commit, &r->core.validators) : 0;
	/* A round far ahead of ours: the first time they only make the core go there. */
	for (int turn = 0; turn < 2 && r->core.decided_round < 0; turn++) {
		for (size_t i = 0; i < count && !r->stopped; i++) {
			struct consensus_input in = {.kind = IN_VOTE, .now = now.wall};
			in.u.vote = votes[i];
			const struct validator *by = &r->core.validators.v[votes[i].index];
			if (turn == 0 && peers_is_our_key(r, by))
				voice_heard(r, votes[i].height, votes[i].round, FENCE_PRECOMMIT);
			engine_input(r, &in);
			engine_run(r, now, out);
		}
	}
}

static void feed_block(
	struct replica *r, struct sync_slot *s, struct replica_now now, struct replica_effects *out)
{
	struct candidate *c = replica_candidate(r, &s->id);
	if (!c) {
		const char *fault;
		enum status status = candidate_of_parts(&c, &s->parts, &fault);
		if (status == STATUS_OK && (!c || !block_id_equal(&c->id, &s->id)))
			status = STATUS_INVALID;
		if (status != STATUS_OK) {
			candidate_free(c);
			replica_stop(r, "a block that more than 2/3 signed", status);
			return;
		}
		if (!replica_keep_candidate(r, c, out)) {
			slot_clear(s); /* its parts are gone */
			return;
		}
	}
	struct consensus_input in = {.kind = IN_BLOCK, .now = now.wall};
	in.u.block.height = r->core.height;
	in.u.block.block = c->id;
	in.u.block.time = c->time;
	engine_input(r, &in);
	engine_run(r, now, out);
}

static void feed(struct replica *r, struct sync_slot *s, struct arena *arena,
	struct replica_now now, struct replica_effects *out)
{
	s->fed = true;
	s->fed_ms = r->sync.fed_ms = now.steady_ms;
	r->sync.parts = s->parts.total;
	feed_votes(r, s, arena, now, out);
	if (!r->stopped)
		feed_block(r, s, now, out);
}

static void take_turn(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	struct sync_slot *s = slot_of(r, r->core.height);
	bool busy = r->core.step == STEP_EXECUTE || r->core.step == STEP_COMMIT;
	if (!s || busy || s->commit.len == 0)
		return;
	if (s->fed && now.steady_ms < s->fed_ms + FEED_MS)
		return;
	struct arena arena;
	arena_init(&arena, BLOCK_ARENA_BYTES_MAX);
	if (!s->verified)
		verify(r, s, &arena, out);
	bool here = part_set_complete(&s->parts) || replica_candidate(r, &s->id);
	if (s->verified && here)
		feed(r, s, &arena, now, out);
	arena_fini(&arena);
}

void sync_run(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	if (!r->config.has_peers || r->stopped)
		return;
	for (size_t i = 0; i < SYNC_AHEAD_MAX; i++) {
		struct sync_slot *s = &r->sync.slots[i];
		if (s->height != 0 && s->height < r->core.height)
			slot_clear(s);
	}
	take_turn(r, now, out);
	if (!r->stopped)
		ask_ahead(r, now, out);
}

/* ---- answering ---- */

static enum status answer(struct replica *r, uint32_t peer, int64_t height, struct arena *arena,
	struct buf *raw, struct replica_effects *out)
{
	const Pb__Commit *commit;
	bool canonical;
	struct block_id id;
	struct part_set parts;
	enum status status = blocks_raw(r->config.store, NULL, height, raw);
	if (status == STATUS_OK)
		status = blocks_commit(r->config.store, NULL, arena, height, &commit, &canonical);
	if (status == STATUS_OK && !block_id_from_pb(&id, commit->block_id))
		status = STATUS_CORRUPT;
	if (status == STATUS_OK)
		status = part_set_split(&parts, buf_view(raw));
	if (status != STATUS_OK)
		return status;
	say_commit(r, peer, commit, out);
	for (uint32_t i = 0; i < parts.total; i++)
		say_part(r, peer, height, commit->round, &id, &parts, i, out);
	part_set_fini(&parts);
	return STATUS_OK;
}

/* What is sent in answer comes out of a budget, so that asking costs us no more than reading does
 * the peer. */
bool sync_may_serve(struct replica *r, uint32_t peer, struct replica_now now, size_t cost_bytes)
{
	struct replica_peer *p = &r->peers[peer];
	uint64_t passed_ms = now.steady_ms - p->serve_at_ms;
	int64_t more = passed_ms < 1000 ? (int64_t)passed_ms * (SERVE_BYTES_PER_S / 1000)
					: SERVE_BURST_BYTES;
	p->serve_at_ms = now.steady_ms;
	p->serve_bytes += more;
	if (p->serve_bytes > SERVE_BURST_BYTES)
		p->serve_bytes = SERVE_BURST_BYTES;
	if (p->serve_bytes <= 0)
		return false;
	p->serve_bytes -= (int64_t)cost_bytes;
	return true;
}

void sync_spend(struct replica *r, uint32_t peer, size_t bytes)
{
	r->peers[peer].serve_bytes -= (int64_t)bytes;
}

void sync_on_request(struct replica *r, uint32_t peer, const Pb__BlockRequest *request,
	struct replica_now now, struct replica_effects *out)
{
	if (request->height < r->head.base_height || request->height > r->head.height ||
		!sync_may_serve(r, peer, now, REQUEST_COST_BYTES))
		return; /* it asks again, or another */
	struct arena arena;
	struct buf raw;
	arena_init(&arena, BLOCK_ARENA_BYTES_MAX);
	buf_init(&raw, 0);
	enum status status = answer(r, peer, request->height, &arena, &raw, out);
	if (status != STATUS_OK)
		log_event(r->config.log, LOG_BROKEN, "block_not_served height=%lld reason=\"%s\"",
			(long long)request->height, status_text(status));
	sync_spend(r, peer, raw.len);
	buf_fini(&raw);
	arena_fini(&arena);
}
