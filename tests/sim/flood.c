/* flood: what liars say of their own accord: too much of everything, votes of nobody, old words,
 * false proofs. */
#include <stdlib.h>
#include <string.h>

#include "chain/format/wire.h"
#include "tests/sim/lying.h"
#include "tests/sim/world.h"

static uint32_t somebody(struct liar *l)
{
	uint32_t n = l->n->world->node_count;
	return (l->n->index + 1 + (uint32_t)random_below(&l->dice, n - 1)) % n;
}

static struct block_id draw_id(struct liar *l)
{
	struct block_id id;
	for (size_t i = 0; i < sizeof id.hash.b; i++)
		id.hash.b[i] = id.parts_hash.b[i] = (uint8_t)random_next(&l->dice);
	id.parts_total = 1 + (uint32_t)random_below(&l->dice, 3);
	return id;
}

static const struct consensus *core_of(const struct liar *l)
{
	return replica_consensus(l->n->replica);
}

/* Around where it stands, or nowhere near. */
static int64_t draw_height(struct liar *l)
{
	return core_of(l)->height + (int64_t)random_below(&l->dice, 4) - 1;
}

static int32_t draw_round(struct liar *l)
{
	int32_t round = core_of(l)->round + (int32_t)random_below(&l->dice, 24) - 6;
	return round < 0 ? 0 : round;
}

/* ---- too much ---- */

static void flood_bytes(struct liar *l, uint32_t to)
{
	static uint8_t bytes[P2P_FRAME_BYTES_MAX];
	size_t len = random_chance(&l->dice, 100) ? sizeof bytes : random_below(&l->dice, 2000);
	for (size_t i = 0; i < len && i < 256; i++)
		bytes[i] = (uint8_t)random_next(&l->dice);
	/* As if it were a message of some kind, nested as deep as it goes. */
	bytes[0] = (uint8_t)(random_below(&l->dice, 9) << 3 | 2);
	word_raw(l->n, to, bytes_view(bytes, len));
}

/* True words of an own message with a few bits changed. */
static void flood_bent(struct liar *l, uint32_t to)
{
	struct message *m = &l->memory[random_below(&l->dice, MEMORIES)];
	if (!m->data || m->len == 0)
		return;
	uint8_t *copy = malloc(m->len);
	CHECK(copy);
	memcpy(copy, m->data, m->len);
	copy[random_below(&l->dice, m->len)] ^= (uint8_t)(1u << random_below(&l->dice, 8));
	word_raw(l->n, to,
		bytes_view(copy,
			random_chance(&l->dice, 800) ? m->len : random_below(&l->dice, m->len)));
	free(copy);
}

static void flood_transactions(struct liar *l, uint32_t to, bool harsh)
{
	static uint8_t tx[TX_BYTES_MAX + 1];
	Pb__Transaction transaction;
	pb__transaction__init(&transaction);
	size_t len = random_chance(&l->dice, 100) ? TX_BYTES_MAX : 1 + random_below(&l->dice, 400);
	if (harsh)
		len = random_chance(&l->dice, 500) ? 0 : sizeof tx;
	for (size_t i = 0; i < len && i < 64; i++)
		tx[i] = (uint8_t)random_next(&l->dice);
	transaction.tx = wire_borrow(tx, len);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_TRANSACTION;
	message.transaction = &transaction;
	word_message(l->n, to, &message);
}

/* Each is good in itself: its own votes, for whatever, in whatever round. */
static void flood_votes(struct liar *l, uint32_t to)
{
	struct block_id id = draw_id(l);
	enum vote_type type = random_chance(&l->dice, 500) ? VOTE_PREVOTE : VOTE_PRECOMMIT;
	if (random_chance(&l->dice, 200))
		memset(&id, 0, sizeof id);
	struct vote vote = word_vote_of(l->n, type, draw_height(l), draw_round(l), &id);
	if (vote.height > 0)
		word_vote(l->n, to, &vote);
}

/* Asks to be sent everything again. */
static void flood_questions(struct liar *l, uint32_t to)
{
	Pb__NodeStatus status;
	pb__node_status__init(&status);
	status.height = core_of(l)->height;
	status.round = core_of(l)->round;
	Pb__BlockRequest request;
	pb__block_request__init(&request);
	request.height = 1 + (int64_t)random_below(&l->dice, (uint64_t)core_of(l)->height + 1);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	if (random_chance(&l->dice, 500)) {
		message.sum_case = PB__PEER_MESSAGE__SUM_STATUS;
		message.status = &status;
	} else {
		message.sum_case = PB__PEER_MESSAGE__SUM_BLOCK_REQUEST;
		message.block_request = &request;
	}
	word_message(l->n, to, &message);
}

static void flood_parts(struct liar *l, uint32_t to)
{
	static uint8_t bytes[BLOCK_PART_BYTES];
	struct part_set parts;
	CHECK(part_set_split(&parts, bytes_view(bytes, sizeof bytes)) == STATUS_OK);
	struct block_id id = draw_id(l);
	const struct page *page = liar_page(l, core_of(l)->height, core_of(l)->round);
	if (page && random_chance(&l->dice, 300))
		id = page->block;
	word_part(l->n, to, draw_height(l), random_chance(&l->dice, 100) ? -1 : draw_round(l), &id,
		&parts, 0, NULL, NULL);
	part_set_fini(&parts);
}

static void flood(struct liar *l, uint32_t to)
{
	/* What ends the link comes seldom, so that the rest is heard. */
	bool harsh = random_chance(&l->dice, 2);
	for (uint64_t i = 1 + random_below(&l->dice, 40); i > 0; i--) {
		switch (random_below(&l->dice, harsh ? 6 : 4)) {
		case 0: flood_transactions(l, to, harsh); break;
		case 1: flood_votes(l, to); break;
		case 2: flood_questions(l, to); break;
		case 3: flood_parts(l, to); break;
		case 4: flood_bytes(l, to); break;
		default: flood_bent(l, to); break;
		}
	}
}

/* ---- what nobody could say ---- */

static void stranger_vote(struct liar *l, uint32_t to)
{
	struct block_id id = draw_id(l);
	struct vote vote =
		word_vote_of(l->n, random_chance(&l->dice, 500) ? VOTE_PREVOTE : VOTE_PRECOMMIT,
			core_of(l)->height, core_of(l)->round, &id);
	static const uint32_t indexes[] = {4, 7, VALIDATORS_MAX, VALIDATORS_MAX + 1, INT32_MAX};
	switch (random_below(&l->dice, 6)) {
	case 0: vote.index = indexes[random_below(&l->dice, 5)]; break;
	case 1: vote.index = (vote.index + 1) % l->n->world->options.nodes; break;
	case 2: vote.address.b[3] ^= 1; break;
	case 3: vote.round = INT32_MAX; break;
	case 4: vote.block_id.parts_total = BLOCK_PARTS_MAX; break;
	default: vote.round = 1000 + (int32_t)random_below(&l->dice, 1000 * 1000); break;
	}
	struct vote signed_vote = vote;
	word_vote_sign(l->n, &signed_vote);
	if (random_chance(&l->dice, 800))
		vote = signed_vote;
	struct vote_message m;
	vote_message_init(&m, &vote);
	Pb__PartSetHeader parts;
	Pb__BlockID odd;
	if (random_chance(&l->dice, 200)) {
		parts = m.block_id.parts;
		odd = m.block_id.pb;
		parts.total = random_chance(&l->dice, 500) ? 0 : UINT32_MAX;
		odd.part_set_header = &parts;
		m.pb.block_id = &odd;
	}
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_VOTE;
	message.vote = &m.pb;
	word_message(l->n, to, &message);
}

static void stranger_proposal(struct liar *l, uint32_t to)
{
	struct proposal p;
	memset(&p, 0, sizeof p);
	p.height = draw_height(l);
	p.round = draw_round(l);
	p.pol_round = random_chance(&l->dice, 500) ? -1 : p.round - 1;
	p.block_id = draw_id(l);
	p.time = node_now(l->n).wall;
	switch (random_below(&l->dice, 5)) {
	case 0: p.round = INT32_MAX; break;
	case 1: p.pol_round = p.round + 1; break;
	case 2: p.block_id.parts_total = BLOCK_PARTS_MAX; break;
	default: break;
	}
	if (p.height < 1)
		return;
	word_proposal_sign(l->n, &p);
	word_proposal(l->n, to, &p);
}

/* ---- proofs ---- */

static void false_proof(struct liar *l, uint32_t to)
{
	struct block_id one = draw_id(l), two = draw_id(l);
	int64_t height = core_of(l)->height - (int64_t)random_below(&l->dice, 4);
	if (height < 1)
		return;
	struct vote a = word_vote_of(l->n, VOTE_PREVOTE, height, 0, &one);
	struct vote b = word_vote_of(l->n, VOTE_PREVOTE, height, 0, &two);
	if (random_chance(&l->dice, 300)) { /* against the next one */
		a.index = b.index = (l->n->seat + 1) % l->n->world->options.nodes;
		a.address = b.address = l->n->world->checks.validators.v[a.index].address;
	}
	struct vote_message m[2];
	vote_message_init(&m[0], &a);
	vote_message_init(&m[1], &b);
	bool turn = memcmp(one.hash.b, two.hash.b, sizeof one.hash.b) > 0;
	if (random_chance(&l->dice, 200))
		turn = !turn;
	Pb__Timestamp time;
	timestamp_message_init(&time, replica_head(l->n->replica)->time);
	Pb__DuplicateVoteEvidence proof;
	pb__duplicate_vote_evidence__init(&proof);
	proof.vote_a = &m[turn].pb;
	proof.vote_b = &m[!turn].pb;
	proof.total_voting_power = l->n->world->checks.validators.total_power;
	proof.validator_power = random_chance(&l->dice, 200) ? 1 : 10;
	proof.timestamp = &time;
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_EVIDENCE;
	message.evidence = &proof;
	word_message(l->n, to, &message);
}

static void replay(struct liar *l, uint32_t to)
{
	const struct message *m = &l->memory[random_below(&l->dice, MEMORIES)];
	if (m->data)
		word_raw(l->n, to, bytes_view(m->data, m->len));
}

void lying_act(struct liar *l)
{
	uint32_t to = somebody(l);
	if (liar_does(l, LIE_FLOOD))
		flood(l, to);
	if (liar_does(l, LIE_STRANGER) && random_chance(&l->dice, 300)) {
		if (random_chance(&l->dice, 500))
			stranger_vote(l, to);
		else
			stranger_proposal(l, to);
	}
	if (liar_does(l, LIE_REPLAY)) {
		for (uint64_t i = random_below(&l->dice, 8); i > 0; i--)
			replay(l, to);
	}
	if (liar_does(l, LIE_EVIDENCE) && random_chance(&l->dice, 500))
		false_proof(l, to);
}
