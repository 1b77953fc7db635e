/* peers: what comes from peers. Signatures are checked here before anything enters the core; who
 * says what no honest node would is dropped. */
#include <stdlib.h>
#include <string.h>

#include "chain/format/proof.h"
#include "chain/format/wire.h"
#include "consensus/rounds.h"
#include "replica/messages.h"

enum { MESSAGE_ARENA_BYTES_MAX = 1024 * 1024, EARLY_HEAD_BYTES = 8 };

bool peers_is_our_key(const struct replica *r, const struct validator *v)
{
	return memcmp(v->key.b, r->config.me.b, sizeof v->key.b) == 0;
}

static const char *on_proposal(struct replica *r, const Pb__Proposal *pb, struct replica_now now)
{
	struct consensus_input in = {.kind = IN_PROPOSAL, .now = now.wall};
	struct proposal *p = &in.u.proposal;
	if (!proposal_from_pb(p, pb) || p->round > ROUND_MAX)
		return "proposal form";
	/* Whose turn it is takes time in proportion to the round: none that the core would drop. */
	if (proposal_use(&r->core, p) == VOTE_USELESS)
		return NULL;
	uint32_t proposer = consensus_proposer(&r->core, p->round);
	if (!proposal_verify(p, r->config.start.chain_id, &r->core.validators.v[proposer].key))
		return "proposal signature";
	if (peers_is_our_key(r, &r->core.validators.v[proposer]))
		voice_heard(r, p->height, p->round, FENCE_PROPOSAL);
	engine_input(r, &in);
	return NULL;
}

/* A vote that changes nothing costs neither a look at its signature nor a place in the log: peers
 * may say it for ever. */
static bool is_wanted(struct replica *r, const struct vote *v)
{
	enum vote_use use = vote_use(&r->core, v);
	if (use != VOTE_OPENS)
		return use == VOTE_USEFUL;
	if (r->old_rounds_height != r->core.height || r->old_rounds_round != r->core.round) {
		r->old_rounds_height = r->core.height;
		r->old_rounds_round = r->core.round;
		r->old_rounds = 0;
	}
	return r->old_rounds < OLD_ROUNDS_MAX;
}

static const char *on_vote(struct replica *r, const Pb__Vote *pb, struct replica_now now)
{
	struct consensus_input in = {.kind = IN_VOTE, .now = now.wall};
	struct vote *v = &in.u.vote;
	if (!vote_from_pb(v, pb) || v->round > ROUND_MAX)
		return "vote form";
	bool late = v->height == r->core.height - 1 && r->core.has_last_commit;
	if (!late && v->height != r->core.height)
		return NULL;
	const struct validator_set *set = late ? &r->core.last_validators : &r->core.validators;
	if (v->index >= set->count)
		return "vote index";
	if (memcmp(v->address.b, set->v[v->index].address.b, sizeof v->address.b) != 0)
		return "vote address";
	bool wanted = is_wanted(r, v), ours = peers_is_our_key(r, &set->v[v->index]);
	if (!wanted && !ours)
		return NULL;
	if (!vote_verify(v, r->config.start.chain_id, &set->v[v->index].key))
		return "vote signature";
	if (ours)
		voice_heard(r, v->height, v->round,
			v->type == VOTE_PREVOTE ? FENCE_PREVOTE : FENCE_PRECOMMIT);
	if (!wanted)
		return NULL;
	if (vote_use(&r->core, v) == VOTE_OPENS)
		r->old_rounds++;
	engine_input(r, &in);
	return NULL;
}

static struct incoming *incoming_for(struct replica *r, const struct block_id *id, int32_t round)
{
	struct incoming *oldest = &r->incoming[0];
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		struct incoming *in = &r->incoming[i];
		if (in->used && block_id_equal(&in->id, id))
			return in;
		/* What the core has forgotten goes first; a round is what some peer said. */
		if (in->used && !block_find(&r->core, &in->id))
			in->used = false;
		if (!in->used || (oldest->used && in->round < oldest->round))
			oldest = in;
	}
	/* Only blocks that a verified proposal or a quorum names are worth memory. */
	if (!block_find(&r->core, id))
		return NULL;
	part_set_fini(&oldest->parts);
	memset(oldest, 0, sizeof *oldest);
	uint32_t parts_max = (uint32_t)(r->head.params.block_max_bytes / BLOCK_PART_BYTES + 1);
	if (part_set_expect(&oldest->parts, id->parts_total, &id->parts_hash, parts_max) !=
		STATUS_OK)
		return NULL;
	oldest->used = true;
	oldest->round = round;
	oldest->id = *id;
	return oldest;
}

static const char *block_complete(
	struct replica *r, struct incoming *in, struct replica_now now, struct replica_effects *out)
{
	struct candidate *c;
	const char *fault;
	enum status status = candidate_of_parts(&c, &in->parts, &fault);
	struct block_id id = in->id;
	in->used = false;
	if (status != STATUS_OK) {
		replica_stop(r, "a peer's block", status);
		return NULL;
	}
	/* Its proposer's fault, not that of whoever passed the parts on: nobody honest will vote
	 * for it. */
	if (!c || !block_id_equal(&c->id, &id)) {
		log_event(r->config.log, LOG_UNUSUAL, "block_refused height=%lld fault=\"%s\"",
			(long long)r->core.height, c ? "id" : fault);
		candidate_free(c);
		return NULL;
	}
	struct consensus_input input = {.kind = IN_BLOCK, .now = now.wall};
	input.u.block.height = r->core.height;
	input.u.block.block = id;
	input.u.block.time = c->time;
	if (replica_keep_candidate(r, c, out))
		engine_input(r, &input);
	return NULL;
}

/* The core may have forgotten a block that is still here, or a restart may have found the block in
 * the log but not the word that it came. */
static void block_again(struct replica *r, const struct candidate *c, struct replica_now now)
{
	const struct known_block *known = block_find(&r->core, &c->id);
	if (!known || known->here)
		return;
	struct consensus_input input = {.kind = IN_BLOCK, .now = now.wall};
	input.u.block.height = r->core.height;
	input.u.block.block = c->id;
	input.u.block.time = c->time;
	engine_input(r, &input);
}

static const char *on_part(struct replica *r, const Pb__BlockPart *pb, struct replica_now now,
	struct replica_effects *out)
{
	struct block_id id;
	struct merkle_proof proof;
	if (!pb->block_id || !block_id_from_pb(&id, pb->block_id) || block_id_is_nil(&id) ||
		!pb->proof || !merkle_proof_from_pb(&proof, pb->proof))
		return "part form";
	if (pb->height != r->core.height)
		return NULL;
	const struct candidate *known = replica_candidate(r, &id);
	if (known) {
		block_again(r, known, now);
		return NULL;
	}
	struct incoming *in = incoming_for(r, &id, pb->round);
	if (!in)
		return NULL;
	enum part_verdict verdict =
		part_set_add(&in->parts, pb->index, wire_view(pb->bytes), &proof);
	if (verdict != PART_ADDED)
		return verdict == PART_KNOWN ? NULL : "part proof";
	return part_set_complete(&in->parts) ? block_complete(r, in, now, out) : NULL;
}

/* ---- the next height, before it began here ---- */

static int64_t height_of(const Pb__PeerMessage *m)
{
	switch (m->sum_case) {
	case PB__PEER_MESSAGE__SUM_PROPOSAL: return m->proposal->height;
	case PB__PEER_MESSAGE__SUM_BLOCK_PART: return m->block_part->height;
	case PB__PEER_MESSAGE__SUM_VOTE: return m->vote->height;
	case PB__PEER_MESSAGE__SUM_STATUS:
	case PB__PEER_MESSAGE__SUM_BLOCK_REQUEST:
	case PB__PEER_MESSAGE__SUM_TRANSACTION:
	case PB__PEER_MESSAGE__SUM_EVIDENCE:
	case PB__PEER_MESSAGE__SUM_COMMIT:
	case PB__PEER_MESSAGE__SUM_SNAPSHOTS_REQUEST:
	case PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER:
	case PB__PEER_MESSAGE__SUM_CHUNK_REQUEST:
	case PB__PEER_MESSAGE__SUM_CHUNK:
	case PB__PEER_MESSAGE__SUM_LIGHT_BLOCK_REQUEST:
	case PB__PEER_MESSAGE__SUM_LIGHT_BLOCK:
	case PB__PEER_MESSAGE__SUM__NOT_SET:
	case _PB__PEER_MESSAGE__SUM__CASE_IS_INT_SIZE: break;
	}
	return 0;
}

static void forget_early(struct replica *r)
{
	buf_clear(&r->early);
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		r->peers[i].early_bytes = 0;
}

/* Others may have committed a moment before us. What doesn't fit is said again when a status asks.
 */
static void keep_early(struct replica *r, uint32_t peer, struct bytes message)
{
	if (r->early_height != r->core.height + 1) {
		forget_early(r);
		r->early_height = r->core.height + 1;
	}
	size_t bytes = message.len + EARLY_HEAD_BYTES;
	if (r->peers[peer].early_bytes + bytes > EARLY_BYTES_MAX)
		return;
	r->peers[peer].early_bytes += bytes;
	buf_append_u32be(&r->early, peer);
	buf_append_u32be(&r->early, (uint32_t)message.len);
	buf_append_view(&r->early, message);
	if (!buf_ok(&r->early))
		forget_early(r);
}

static bool take_message(struct replica *r, uint32_t peer, struct bytes message,
	struct replica_now now, struct replica_effects *out);

void peers_run_early(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	if (r->early_height != r->core.height || r->early.len == 0)
		return;
	struct buf early = r->early;
	memset(&r->early, 0, sizeof r->early);
	forget_early(r);
	bool dropped[PEERS_MAX] = {false};
	struct cursor c = cursor_of(buf_view(&early));
	while (c.left > 0 && !r->stopped) {
		uint32_t peer = cursor_u32be(&c);
		uint32_t len = cursor_u32be(&c);
		struct bytes message = cursor_view(&c, len);
		/* Whoever lied once has thousands of such messages here. */
		if (!dropped[peer])
			dropped[peer] = !take_message(r, peer, message, now, out);
	}
	buf_fini(&early);
	engine_run(r, now, out);
}

/* ---- one message ---- */

static void submit(
	struct replica *r, const Pb__Transaction *transaction, struct replica_effects *out)
{
	struct replica_effect *e = replica_effect(out, REPLICA_SUBMIT);
	e->bytes_at = r->scratch.len;
	buf_append_view(&r->scratch, wire_view(transaction->tx));
	e->bytes.len = r->scratch.len - e->bytes_at;
}

/* A proof of a height we haven't reached may be good, and whose powers or time aren't those of our
 * block may stand on another: only its form and forged votes are held against the messenger. */
static const char *on_evidence(struct replica *r, const Pb__DuplicateVoteEvidence *evidence)
{
	struct vote vote;
	const char *fault;
	if (!evidence->vote_a || !evidence->vote_b || !evidence->timestamp ||
		!vote_from_pb(&vote, evidence->vote_a) || !vote_from_pb(&vote, evidence->vote_b))
		return "evidence form";
	if (!evidence_wanted(&r->evidence, evidence))
		return NULL;
	enum status status = evidence_check(
		&fault, evidence, r->config.store, &r->head, r->config.start.chain_id);
	if (status == STATUS_OK && !fault)
		evidence_keep(&r->evidence, evidence);
	return status == STATUS_OK && fault == evidence_forged ? fault : NULL;
}

static const char *on_commit(struct replica *r, uint32_t peer, const Pb__Commit *commit,
	struct replica_now now, struct replica_effects *out)
{
	if (!commit_form_valid(commit))
		return "commit form";
	const char *fault = fork_on_commit(r, commit, out);
	return fault ? fault : sync_on_commit(r, peer, commit, now);
}

static const char *dispatch(struct replica *r, uint32_t peer, const Pb__PeerMessage *m,
	struct replica_now now, struct replica_effects *out)
{
	switch (m->sum_case) { /* lint: dispatch */
	case PB__PEER_MESSAGE__SUM_PROPOSAL: return on_proposal(r, m->proposal, now);
	case PB__PEER_MESSAGE__SUM_BLOCK_PART: return on_part(r, m->block_part, now, out);
	case PB__PEER_MESSAGE__SUM_VOTE: return on_vote(r, m->vote, now);
	case PB__PEER_MESSAGE__SUM_STATUS: return gossip_on_status(r, peer, m->status, now, out);
	case PB__PEER_MESSAGE__SUM_BLOCK_REQUEST:
		sync_on_request(r, peer, m->block_request, now, out);
		return NULL;
	case PB__PEER_MESSAGE__SUM_TRANSACTION:
		if (m->transaction->tx.len == 0 || m->transaction->tx.len > TX_BYTES_MAX)
			return "transaction size";
		spread_heard(r, wire_view(m->transaction->tx));
		submit(r, m->transaction, out);
		return NULL;
	case PB__PEER_MESSAGE__SUM_EVIDENCE: return on_evidence(r, m->evidence);
	case PB__PEER_MESSAGE__SUM_COMMIT: return on_commit(r, peer, m->commit, now, out);
	case PB__PEER_MESSAGE__SUM_SNAPSHOTS_REQUEST:
		serve_snapshots(r, peer, now, out);
		return NULL;
	case PB__PEER_MESSAGE__SUM_CHUNK_REQUEST:
		serve_chunk(r, peer, m->chunk_request, now, out);
		return NULL;
	case PB__PEER_MESSAGE__SUM_LIGHT_BLOCK_REQUEST:
		serve_light_block(r, peer, m->light_block_request, now, out);
		return NULL;
	case PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER:
	case PB__PEER_MESSAGE__SUM_CHUNK:
	case PB__PEER_MESSAGE__SUM_LIGHT_BLOCK:
		return NULL; /* answers to what we asked while we joined */
	case PB__PEER_MESSAGE__SUM__NOT_SET:
	case _PB__PEER_MESSAGE__SUM__CASE_IS_INT_SIZE: break;
	}
	return "message form";
}

/* False: the peer is to be dropped. */
static bool take_message(struct replica *r, uint32_t peer, struct bytes message,
	struct replica_now now, struct replica_effects *out)
{
	struct arena arena;
	arena_init(&arena, MESSAGE_ARENA_BYTES_MAX);
	const Pb__PeerMessage *m = message_read(&arena, message);
	/* A proposal must be in the core before its parts can be judged worth keeping. */
	engine_run(r, now, out);
	const char *fault = "message form";
	if (m && m->sum_case == PB__PEER_MESSAGE__SUM_BLOCK_PART && sync_wants(r, m->block_part)) {
		fault = sync_on_part(r, m->block_part, now);
	} else if (m && height_of(m) == r->core.height + 1) {
		keep_early(r, peer, message);
		fault = NULL;
	} else if (m) {
		fault = dispatch(r, peer, m, now, out);
	}
	arena_fini(&arena);
	if (!fault)
		return true;
	log_event(r->config.log, LOG_UNUSUAL, "peer_misbehaves peer=%u height=%lld fault=\"%s\"",
		peer, (long long)r->core.height, fault);
	replica_effect(out, REPLICA_DROP_PEER)->u.peer = peer;
	return false;
}

void peers_message(struct replica *r, uint32_t peer, struct bytes message, struct replica_now now,
	struct replica_effects *out)
{
	CHECK(peer < PEERS_MAX);
	(void)take_message(r, peer, message, now, out);
}

/* What was said to everybody before this link was open. Without it such a transaction would wait
 * for the turn of a proposer who has it. */
static void say_waiting(struct replica *r, uint32_t peer, struct replica_effects *out)
{
	struct app_tx *txs = calloc(PEER_UP_TXS_MAX, sizeof *txs);
	size_t count = txs ? mempool_list(r->config.mempool, txs, PEER_UP_TXS_MAX) : 0, bytes = 0;
	for (size_t i = 0; i < count && bytes + txs[i].raw.len <= PEER_UP_TX_BYTES_MAX; i++) {
		bytes += txs[i].raw.len;
		say_transaction(r, peer, txs[i].raw, out);
	}
	free(txs);
}

void peers_up(struct replica *r, uint32_t peer, struct replica_effects *out)
{
	CHECK(peer < PEERS_MAX);
	/* What it said early over an earlier link is still kept and counts against it. */
	size_t early_bytes = r->peers[peer].early_bytes;
	memset(&r->peers[peer], 0, sizeof r->peers[peer]);
	r->peers[peer].early_bytes = early_bytes;
	r->peers[peer].up = true;
	gossip_say_status(r, peer, out);
	say_waiting(r, peer, out);
}

void peers_down(struct replica *r, uint32_t peer)
{
	CHECK(peer < PEERS_MAX);
	r->peers[peer].up = false;
	sync_peer_down(r, peer);
}

void peers_forget(struct replica *r)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		part_set_fini(&r->incoming[i].parts);
		r->incoming[i].used = false;
	}
}
