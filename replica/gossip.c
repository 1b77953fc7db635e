/* gossip: how validators come to know the same things. What a node says itself goes to everybody at
 * once; what got lost is repaired by status: each says now and then where it stands, and who has
 * more sends exactly what is missing. Who is behind by whole heights asks one peer at a time for a
 * block, and gets that height's votes and parts: the core then decides it as it would have. */
#include <string.h>

#include "chain/blocks.h"
#include "chain/format/commit.h"
#include "chain/format/wire.h"
#include "replica/messages.h"

enum {
	STATUS_MS = 100,       /* while a height is being decided */
	STATUS_IDLE_MS = 1000, /* while there is nothing to decide */
	REQUEST_MS = 1000,     /* an unanswered request is put to another peer */
	REPAIR_MESSAGES_MAX = 64,
	BITMAP_BYTES_MAX = (BLOCK_PARTS_MAX + 7) / 8,
	BLOCK_ARENA_BYTES_MAX = 1024 * 1024
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
	status.round = r->core.round;
	status.step = (int32_t)r->core.step;
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
	uint32_t left; /* messages this status may still cost */
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
	for (uint32_t i = 0; c && i < c->parts.total && p->left > 0; i++) {
		if (bit_of(has, i))
			continue;
		say_part(p->r, p->peer, proposal->height, number, &c->id, &c->parts, i, p->out);
		p->left--;
	}
}

static void repair(
	struct replica *r, uint32_t peer, const Pb__NodeStatus *status, struct replica_effects *out)
{
	static const ProtobufCBinaryData none;
	struct repair p = {r, peer, REPAIR_MESSAGES_MAX, out};
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

/* ---- catching up ---- */

/* The peers that claim to be past our height take turns. */
static void request_next(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	for (uint32_t i = 1; i <= PEERS_MAX; i++) {
		uint32_t peer = (r->request_peer + i) % PEERS_MAX;
		if (!r->peers[peer].up || r->peers[peer].height <= r->core.height)
			continue;
		r->request_peer = peer;
		r->request_height = r->core.height;
		r->request_due_ms = now.steady_ms + REQUEST_MS;
		say_request(r, peer, r->core.height, out);
		return;
	}
}

static bool is_ahead(const struct replica *r, int64_t height)
{
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		if (r->peers[i].up && r->peers[i].height > height)
			return true;
	}
	return false;
}

bool gossip_behind(const struct replica *r)
{
	return is_ahead(r, r->core.height);
}

uint32_t gossip_heard(const struct replica *r)
{
	uint32_t heard = 0;
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		heard += r->peers[i].up && r->peers[i].height > 0;
	return heard;
}

int64_t gossip_claimed(const struct replica *r)
{
	uint32_t liars = gossip_heard(r) / 3;
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

bool replica_catching_up(const struct replica *r)
{
	return is_ahead(r, r->core.height + 1);
}

static void catch_up(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	bool asked = r->request_height == r->core.height && now.steady_ms < r->request_due_ms;
	bool busy = r->core.step == STEP_EXECUTE || r->core.step == STEP_COMMIT;
	if (!asked && !busy && gossip_behind(r))
		request_next(r, now, out);
}

static void answer_votes(struct replica *r, uint32_t peer, const Pb__Commit *commit,
	const struct validator_set *set, struct replica_effects *out)
{
	struct vote votes[VALIDATORS_MAX];
	size_t count = commit_votes(votes, commit, set);
	for (size_t i = 0; i < count; i++)
		say_vote(r, peer, &votes[i], out);
}

static enum status answer_block(struct replica *r, uint32_t peer, int64_t height,
	struct arena *arena, struct buf *raw, struct replica_effects *out)
{
	const Pb__Commit *commit;
	const Pb__ValidatorSet *set_pb;
	bool canonical;
	struct store *store = r->config.store;
	enum status status = blocks_raw(store, NULL, height, raw);
	if (status == STATUS_OK)
		status = blocks_commit(store, NULL, arena, height, &commit, &canonical);
	if (status == STATUS_OK)
		status = blocks_validators(store, NULL, arena, height, &set_pb);
	struct validator_set set;
	struct block_id id;
	if (status == STATUS_OK &&
		(!validator_set_from_pb(&set, set_pb) || !block_id_from_pb(&id, commit->block_id)))
		status = STATUS_CORRUPT;
	struct part_set parts;
	if (status == STATUS_OK)
		status = part_set_split(&parts, buf_view(raw));
	if (status != STATUS_OK)
		return status;
	answer_votes(r, peer, commit, &set, out);
	for (uint32_t i = 0; i < parts.total; i++)
		say_part(r, peer, height, commit->round, &id, &parts, i, out);
	part_set_fini(&parts);
	return STATUS_OK;
}

void gossip_on_request(struct replica *r, uint32_t peer, const Pb__BlockRequest *request,
	struct replica_effects *out)
{
	if (request->height < r->head.base_height || request->height > r->head.height)
		return;
	struct arena arena;
	struct buf raw;
	arena_init(&arena, BLOCK_ARENA_BYTES_MAX);
	buf_init(&raw, 0);
	enum status status = answer_block(r, peer, request->height, &arena, &raw, out);
	if (status != STATUS_OK)
		log_event(r->config.log, LOG_BROKEN, "block_not_served height=%lld reason=\"%s\"",
			(long long)request->height, status_text(status));
	buf_fini(&raw);
	arena_fini(&arena);
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
	if (status->height == r->core.height)
		repair(r, peer, status, out);
	catch_up(r, now, out);
	return NULL;
}

void gossip_run(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	if (!r->config.has_peers)
		return;
	bool news = r->status_height != r->core.height;
	if (news || now.steady_ms >= r->status_due_ms) {
		bool idle = r->core.step == STEP_WAIT && !gossip_behind(r);
		r->status_height = r->core.height;
		r->status_due_ms = now.steady_ms + (idle ? STATUS_IDLE_MS : STATUS_MS);
		gossip_say_status(r, REPLICA_EVERYONE, out);
	}
	catch_up(r, now, out);
}

uint64_t gossip_next_ms(const struct replica *r)
{
	return r->config.has_peers ? r->status_due_ms : UINT64_MAX;
}
