/* peers: what validators say to each other: proposals, parts of blocks, votes. Signatures are
 * checked here before anything enters the core; a message that doesn't fit is dropped with a line
 * in the log. */
#include <string.h>

#include "chain/format/proof.h"
#include "chain/format/wire.h"
#include "chain/proto/peer.pb-c.h"
#include "consensus/rounds.h"
#include "replica/inside.h"

enum { MESSAGE_ARENA_BYTES_MAX = 1024 * 1024 };

static void send_message(
	struct replica *r, const Pb__PeerMessage *message, struct replica_effects *out)
{
	struct replica_effect *e = replica_effect(out, REPLICA_SEND);
	e->bytes_at = r->scratch.len;
	wire_append(&r->scratch, &message->base);
	e->bytes.len = r->scratch.len - e->bytes_at;
}

static void send_part(struct replica *r, const struct proposal *p, uint32_t index,
	const struct candidate *c, struct arena *arena, struct replica_effects *out)
{
	struct merkle_proof proof;
	part_set_prove(&proof, &c->parts, index);
	struct block_id_message id;
	block_id_message_init(&id, &c->id);
	struct bytes bytes = part_set_part(&c->parts, index);
	Pb__BlockPart part;
	pb__block_part__init(&part);
	part.height = p->height;
	part.round = p->round;
	part.block_id = &id.pb;
	part.index = index;
	part.bytes = wire_borrow(bytes.data, bytes.len);
	part.proof = merkle_proof_to_pb(&proof, arena);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_BLOCK_PART;
	message.block_part = &part;
	if (part.proof)
		send_message(r, &message, out);
	else
		replica_stop(r, "a part's proof", STATUS_NO_MEMORY);
}

static void send_parts(struct replica *r, const struct candidate *c, const struct proposal *p,
	struct replica_effects *out)
{
	struct arena arena;
	arena_init(&arena, MESSAGE_ARENA_BYTES_MAX);
	for (uint32_t i = 0; i < c->parts.total; i++) {
		arena_reset(&arena);
		send_part(r, p, i, c, &arena, out);
	}
	arena_fini(&arena);
}

void peers_send_proposal(
	struct replica *r, const struct proposal *proposal, struct replica_effects *out)
{
	if (!r->config.has_peers)
		return;
	struct proposal_message p;
	proposal_message_init(&p, proposal);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_PROPOSAL;
	message.proposal = &p.pb;
	send_message(r, &message, out);
	const struct candidate *c = replica_candidate(r, &proposal->block_id);
	if (c)
		send_parts(r, c, proposal, out);
}

void peers_send_vote(struct replica *r, const struct vote *vote, struct replica_effects *out)
{
	if (!r->config.has_peers)
		return;
	struct vote_message v;
	vote_message_init(&v, vote);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_VOTE;
	message.vote = &v.pb;
	send_message(r, &message, out);
}

/* ---- in ---- */

static const char *on_proposal(struct replica *r, const Pb__Proposal *pb, struct replica_now now)
{
	struct consensus_input in = {.kind = IN_PROPOSAL, .now = now.wall};
	struct proposal *p = &in.u.proposal;
	if (!proposal_from_pb(p, pb))
		return "proposal form";
	/* Whose turn it is takes time in proportion to the round: none that the core would drop. */
	if (p->height != r->core.height || p->round - r->core.round > ROUNDS_AHEAD)
		return NULL;
	uint32_t proposer = consensus_proposer(&r->core, p->round);
	if (!proposal_verify(p, r->config.start.chain_id, &r->core.validators.v[proposer].key))
		return "proposal signature";
	engine_input(r, &in);
	return NULL;
}

static const char *on_vote(struct replica *r, const Pb__Vote *pb, struct replica_now now)
{
	struct consensus_input in = {.kind = IN_VOTE, .now = now.wall};
	struct vote *v = &in.u.vote;
	if (!vote_from_pb(v, pb))
		return "vote form";
	bool late = v->height == r->core.height - 1 && r->core.has_last_commit;
	if (!late && v->height != r->core.height)
		return NULL;
	const struct validator_set *set = late ? &r->core.last_validators : &r->core.validators;
	if (v->index >= set->count)
		return "vote index";
	if (memcmp(v->address.b, set->v[v->index].address.b, sizeof v->address.b) != 0)
		return "vote address";
	if (!vote_verify(v, r->config.start.chain_id, &set->v[v->index].key))
		return "vote signature";
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
	if (!c)
		return fault ? fault : "block";
	if (!block_id_equal(&c->id, &id)) {
		candidate_free(c);
		return "block id";
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

void peers_message(struct replica *r, struct bytes message, struct replica_now now,
	struct replica_effects *out)
{
	struct arena arena;
	arena_init(&arena, MESSAGE_ARENA_BYTES_MAX);
	const Pb__PeerMessage *m =
		pb__peer_message__unpack(arena_protobuf(&arena), message.len, message.data);
	const char *fault = "message form";
	/* A proposal must be in the core before its parts can be judged worth keeping. */
	engine_run(r, now, out);
	if (m) {
		switch (m->sum_case) {
		case PB__PEER_MESSAGE__SUM_PROPOSAL:
			fault = on_proposal(r, m->proposal, now);
			break;
		case PB__PEER_MESSAGE__SUM_BLOCK_PART:
			fault = on_part(r, m->block_part, now, out);
			break;
		case PB__PEER_MESSAGE__SUM_VOTE: fault = on_vote(r, m->vote, now); break;
		case PB__PEER_MESSAGE__SUM__NOT_SET:
		case _PB__PEER_MESSAGE__SUM__CASE_IS_INT_SIZE: break;
		}
	}
	if (fault)
		log_event(r->config.log, LOG_UNUSUAL,
			"peer_message_refused height=%lld fault=\"%s\"", (long long)r->core.height,
			fault);
	arena_fini(&arena);
}

void peers_forget(struct replica *r)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		part_set_fini(&r->incoming[i].parts);
		r->incoming[i].used = false;
	}
}
