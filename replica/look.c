/* look: what people and programs may see of a replica from outside: where its peers say they stand,
 * and how much of the proposed block is here. Changes nothing that is decided by. */
#include <string.h>

#include "replica/inside.h"

static const struct part_set *incoming_parts(const struct replica *r, const struct block_id *id)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		if (r->incoming[i].used && block_id_equal(&r->incoming[i].id, id))
			return &r->incoming[i].parts;
	}
	return NULL;
}

const struct part_set *look_parts(const struct replica *r, const struct block_id *id)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		if (r->candidates[i] && block_id_equal(&r->candidates[i]->id, id))
			return &r->candidates[i]->parts;
	}
	return incoming_parts(r, id);
}

const struct part_set *replica_proposal_parts(const struct replica *r)
{
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		const struct round_state *round = &r->core.rounds[i];
		if (round->used && round->round == r->core.round && round->has_proposal)
			return look_parts(r, &round->proposal.block_id);
	}
	return NULL;
}

/* What doesn't fit names parts or validators that nobody has. */
static void copy_bits(uint8_t *out, size_t out_bytes, ProtobufCBinaryData bits)
{
	memset(out, 0, out_bytes);
	if (bits.len > 0)
		memcpy(out, bits.data, bits.len < out_bytes ? bits.len : out_bytes);
}

const char *look_note_status(
	struct replica *r, uint32_t peer, const Pb__NodeStatus *status, struct replica_now now)
{
	struct replica_peer_state *s = &r->peers[peer].said;
	if (status->step < STEP_WAIT || status->step > STEP_COMMIT)
		return "status step";
	if (status->validator.len != 0 && status->validator.len != sizeof s->validator.b)
		return "status validator";
	s->told = true;
	s->height = status->height;
	s->round = status->round;
	s->step = (enum consensus_step)status->step;
	s->has_proposal = status->has_proposal;
	s->silent = status->silent;
	s->heard_ms = now.steady_ms;
	copy_bits(s->parts, sizeof s->parts, status->parts);
	copy_bits(s->prevotes, sizeof s->prevotes, status->prevotes);
	copy_bits(s->precommits, sizeof s->precommits, status->precommits);
	if (status->validator.len > 0) {
		s->has_validator = true;
		memcpy(s->validator.b, status->validator.data, sizeof s->validator.b);
	}
	return NULL;
}

const struct replica_peer_state *replica_peer_state(const struct replica *r, uint32_t peer)
{
	CHECK(peer < PEERS_MAX);
	return &r->peers[peer].said;
}
