/* gossip: how validators come to know the same things. What a node says itself goes to everybody at
 * once; what got lost is repaired by status: each says now and then where it stands, and who has
 * more sends exactly what is missing. Who is behind by whole heights fetches them: sync.c. */
#include <string.h>

#include "chain/blocks.h"
#include "chain/format/commit.h"
#include "chain/format/wire.h"
#include "replica/messages.h"

enum {
	STATUS_NEWS_MS = 20,   /* after a height began: no word for each of many quick ones */
	STATUS_MS = 100,       /* while a height is being decided */
	STATUS_IDLE_MS = 1000, /* while there is nothing to decide */
	QUIET_MS = 50, /* without a step of ours: what is missing elsewhere isn't on its way */
	PARTS_AGAIN_MS = 500, /* a block is repaired to one peer no oftener */
	REPAIR_MESSAGES_MAX = 64,
	BITMAP_BYTES_MAX = (BLOCK_PARTS_MAX + 7) / 8
};
_Static_assert(VALIDATORS_MAX <= BITMAP_BYTES_MAX * 8, "one size of bitmap serves both");

/* ---- bitmaps ---- */

static void bit_set(uint8_t *bits, uint32_t index)
{
	bits[index / 8] |= (uint8_t)(1u << index % 8);
}

static bool bit_of(ProtobufCBinaryData bits, uint32_t index)
{
	return index / 8 < bits.len && (bits.data[index / 8] >> index % 8 & 1) != 0;
}

static ProtobufCBinaryData bits_of_tally(uint8_t *bits, const struct tally *tally)
{
	for (uint32_t i = 0; i < tally->validators->count; i++) {
		if (tally->slots[i].present)
			bit_set(bits, i);
	}
	return wire_borrow(bits, (tally->validators->count + 7) / 8);
}

/* Who has voted for this very block: a proof of lock is made of no other votes. */
static ProtobufCBinaryData bits_of_block(
	uint8_t *bits, const struct tally *tally, const struct block_id *block)
{
	for (uint32_t i = 0; i < tally->validators->count; i++) {
		if (tally_vote_for(tally, i, block))
			bit_set(bits, i);
	}
	return wire_borrow(bits, (tally->validators->count + 7) / 8);
}

/* ---- saying where we stand ---- */

static const struct round_state *round_of(const struct replica *r, int32_t round)
{
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		if (r->core.rounds[i].used && r->core.rounds[i].round == round)
			return &r->core.rounds[i];
	}
	return NULL;
}

void gossip_say_status(struct replica *r, uint32_t to, struct replica_effects *out)
{
	if (!r->config.has_peers)
		return;
	uint8_t parts_bits[BITMAP_BYTES_MAX] = {0}, prevote_bits[BITMAP_BYTES_MAX] = {0},
		precommit_bits[BITMAP_BYTES_MAX] = {0}, pol_bits[BITMAP_BYTES_MAX] = {0};
	Pb__NodeStatus status;
	pb__node_status__init(&status);
	status.height = r->core.height;
	status.base_height = r->head.base_height;
	if (status.height == r->head.height + 1 && r->head.height >= r->head.initial_height)
		status.last_block =
			wire_borrow(r->head.block_id.hash.b, sizeof r->head.block_id.hash.b);
	status.round = r->core.round;
	status.step = (int32_t)r->core.step;
	status.silent = r->silence != REPLICA_VOTES;
	static const struct validator_key nobody;
	struct validator_address me = validator_address_of(&r->config.me);
	if (to != REPLICA_EVERYONE && memcmp(&r->config.me, &nobody, sizeof nobody) != 0)
		status.validator = wire_borrow(me.b, sizeof me.b);
	const struct round_state *round = round_of(r, r->core.round);
	if (round) {
		status.prevotes = bits_of_tally(prevote_bits, &round->prevotes);
		status.precommits = bits_of_tally(precommit_bits, &round->precommits);
		status.has_proposal = round->has_proposal;
	}
	const struct round_state *pol =
		round && round->has_proposal ? round_of(r, round->proposal.pol_round) : NULL;
	if (pol)
		status.pol_prevotes =
			bits_of_block(pol_bits, &pol->prevotes, &round->proposal.block_id);
	const struct part_set *parts =
		round && round->has_proposal ? look_parts(r, &round->proposal.block_id) : NULL;
	for (uint32_t i = 0; parts && i < parts->total; i++) {
		if (part_set_has(parts, i))
			bit_set(parts_bits, i);
	}
	if (parts)
		status.parts = wire_borrow(parts_bits, (parts->total + 7) / 8);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_STATUS;
	message.status = &status;
	say(r, to, &message, out);
}

/* ---- repairing what a peer of our height lacks ---- */

struct repair {
	struct replica *r;
	uint32_t peer;
	bool parts;            /* a block, too */
	uint64_t parts_due_ms; /* and then not before */
	uint32_t left;         /* messages this status may still cost */
	struct replica_effects *out;
};

static void repair_votes(struct repair *p, const struct tally *tally, ProtobufCBinaryData has)
{
	for (uint32_t i = 0; i < tally->validators->count && p->left > 0; i++) {
		if (!tally->slots[i].present || bit_of(has, i))
			continue;
		say_vote(p->r, p->peer, &tally->slots[i].vote, p->out);
		p->left--;
	}
}

static void repair_pol(struct repair *p, const struct proposal *proposal, ProtobufCBinaryData has)
{
	const struct round_state *pol = round_of(p->r, proposal->pol_round);
	if (!pol)
		return;
	for (uint32_t i = 0; i < pol->prevotes.validators->count && p->left > 0; i++) {
		const struct vote *vote = tally_vote_for(&pol->prevotes, i, &proposal->block_id);
		if (!vote || bit_of(has, i))
			continue;
		say_vote(p->r, p->peer, vote, p->out);
		p->left--;
	}
}

static void repair_round(struct repair *p, int32_t number, ProtobufCBinaryData prevotes,
	ProtobufCBinaryData precommits)
{
	const struct round_state *round = round_of(p->r, number);
	if (!round)
		return;
	repair_votes(p, &round->prevotes, prevotes);
	repair_votes(p, &round->precommits, precommits);
}

static void repair_block(struct repair *p, int32_t number, bool has_proposal,
	ProtobufCBinaryData has, ProtobufCBinaryData has_pol)
{
	const struct round_state *round = round_of(p->r, number);
	if (!round || !round->has_proposal)
		return;
	const struct proposal *proposal = &round->proposal;
	if (!has_proposal && p->left > 0) {
		say_proposal(p->r, p->peer, proposal, p->out);
		p->left--;
	}
	/* Without the proof of lock its block can't be prevoted. */
	repair_pol(p, proposal, has_pol);
	const struct candidate *c = replica_candidate(p->r, &proposal->block_id);
	for (uint32_t i = 0; p->parts && c && i < c->parts.total && p->left > 0; i++) {
		if (bit_of(has, i))
			continue;
		p->r->peers[p->peer].parts_due_ms = p->parts_due_ms;
		say_part(p->r, p->peer, proposal->height, number, &c->id, &c->parts, i, p->out);
		p->left--;
	}
}

/* Who still gets parts from somebody needs none of us. */
static bool parts_stall(
	struct replica_peer *p, const Pb__NodeStatus *status, struct replica_now now)
{
	uint32_t parts = 0;
	for (uint32_t i = 0; i < status->parts.len * 8; i++)
		parts += bit_of(status->parts, i);
	/* Said twice, with nothing new in between: what is on its way has had its time. */
	bool again = p->parts_told_height == status->height && parts <= p->parts_told;
	p->parts_told = parts;
	p->parts_told_height = status->height;
	return again && now.steady_ms >= p->parts_due_ms;
}

static void repair(struct replica *r, uint32_t peer, const Pb__NodeStatus *status,
	struct replica_now now, struct replica_effects *out)
{
	static const ProtobufCBinaryData none;
	struct repair p = {
		.r = r,
		.peer = peer,
		.parts = parts_stall(&r->peers[peer], status, now),
		.parts_due_ms = now.steady_ms + PARTS_AGAIN_MS,
		.left = REPAIR_MESSAGES_MAX,
		.out = out,
	};
	const struct consensus *c = &r->core;
	repair_block(&p, status->round, status->has_proposal, status->parts, status->pol_prevotes);
	repair_round(&p, status->round, status->prevotes, status->precommits);
	/* Votes of a later round are its reason to go there. */
	if (c->round > status->round)
		repair_round(&p, c->round, none, none);
	bool decided = c->step == STEP_EXECUTE || c->step == STEP_COMMIT;
	if (decided && c->decided_round != status->round) {
		repair_block(&p, c->decided_round, false, none, none);
		repair_round(&p, c->decided_round, none, none);
	}
}

/* ---- the turn ---- */

const char *gossip_on_status(struct replica *r, uint32_t peer, const Pb__NodeStatus *status,
	struct replica_now now, struct replica_effects *out)
{
	struct replica_peer *p = &r->peers[peer];
	if (status->height < 1 || status->round < 0)
		return "status form";
	/* Nobody's chain gets shorter while it is connected. */
	if (status->height < p->height)
		return "a height that went back";
	const char *fault = look_note_status(r, peer, status, now);
	if (fault)
		return fault;
	p->height = status->height;
	p->base_height = status->base_height;
	fork_compare(r, peer, status, out);
	if (status->height == r->core.height && now.steady_ms >= r->quiet_from_ms)
		repair(r, peer, status, now, out);
	return NULL;
}

static void say_within(struct replica *r, struct replica_now now, uint64_t ms)
{
	if (now.steady_ms + ms < r->status_due_ms)
		r->status_due_ms = now.steady_ms + ms;
}

void gossip_run(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	if (!r->config.has_peers)
		return;
	const struct consensus *c = &r->core;
	if (c->height != r->seen_height || c->round != r->seen_round || c->step != r->seen_step) {
		r->seen_height = c->height;
		r->seen_round = c->round;
		r->seen_step = c->step;
		r->quiet_from_ms = now.steady_ms + QUIET_MS;
		/* The wait was idle, what has begun isn't. And whose turn it is may have no reason
		 * of its own to begin: it must hear that we did. */
		if (c->step != STEP_WAIT)
			say_within(r, now, STATUS_MS);
	}
	/* Who is whole heights behind has nothing new to say at each of them. */
	if (r->status_height != r->core.height && sync_flows(r, now) == 0) {
		r->status_height = r->core.height;
		say_within(r, now, STATUS_NEWS_MS);
	}
	if (now.steady_ms >= r->status_due_ms) {
		bool idle = r->core.step == STEP_WAIT && !sync_behind(r);
		r->status_due_ms = now.steady_ms + (idle ? STATUS_IDLE_MS : STATUS_MS);
		gossip_say_status(r, REPLICA_EVERYONE, out);
	}
}

uint64_t gossip_next_ms(const struct replica *r)
{
	return r->config.has_peers ? r->status_due_ms : UINT64_MAX;
}
