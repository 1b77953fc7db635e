#include "tests/sim/lying.h"

#include <stdlib.h>
#include <string.h>

#include "chain/format/proof.h"
#include "chain/format/wire.h"
#include "tests/sim/world.h"

/* ---- blocks of its own ---- */

static enum block_lie draw_block(struct liar *l)
{
	enum block_lie wild[] = {BLOCK_APP_HASH, BLOCK_VALIDATORS, BLOCK_TWICE, BLOCK_EVIDENCE,
		BLOCK_GARBAGE, BLOCK_LARGE};
	if (liar_does(l, LIE_PROPOSER) && random_chance(&l->dice, 700))
		return BLOCK_LATER;
	if (liar_does(l, LIE_TIME) && random_chance(&l->dice, 500))
		return BLOCK_TIME;
	if (liar_does(l, LIE_ADDRESS) && random_chance(&l->dice, 500))
		return BLOCK_ADDRESSES;
	if (liar_does(l, LIE_BLOCK) && random_chance(&l->dice, 500))
		return wild[random_below(&l->dice, sizeof wild / sizeof *wild)];
	return BLOCK_LIES;
}

static void say_block(
	struct liar *l, uint32_t to, const struct proposal *p, const struct part_set *parts)
{
	word_proposal(l->n, to, p);
	for (uint32_t i = 0; i < parts->total; i++)
		word_part(l->n, to, p->height, p->round, &p->block_id, parts, i, NULL, NULL);
}

/* The block is whole: it, or another, or one to these and the other to those. */
static void say_gathered(struct liar *l)
{
	struct proposal other = l->proposal;
	struct part_set parts;
	enum block_lie how = draw_block(l);
	bool has_other = how != BLOCK_LIES && word_block(&parts, &other.block_id, &other.time,
						      part_set_bytes(&l->gathered), how, &l->dice);
	struct page *page =
		liar_page_write(l, l->proposal.height, l->proposal.round, &l->proposal.block_id);
	if (has_other) {
		word_proposal_sign(l->n, &other);
		page->has_other = true;
		page->other = other.block_id;
	}
	bool to_all = random_chance(&l->dice, 250);
	for (uint32_t to = 0; to < l->n->world->node_count; to++) {
		bool side = has_other && liar_side(l, other.height, to);
		if (!side || to_all)
			say_block(l, to, &l->proposal, &l->gathered);
		if (side || (has_other && to_all))
			say_block(l, to, &other, &parts);
	}
	if (has_other)
		part_set_fini(&parts);
}

static bool gather_part(struct liar *l, const Pb__BlockPart *part)
{
	struct block_id id;
	struct merkle_proof proof;
	if (!l->gathering || part->height != l->proposal.height ||
		part->round != l->proposal.round || !block_id_from_pb(&id, part->block_id) ||
		!block_id_equal(&id, &l->proposal.block_id))
		return false;
	CHECK(merkle_proof_from_pb(&proof, part->proof));
	enum part_verdict verdict =
		part_set_add(&l->gathered, part->index, wire_view(part->bytes), &proof);
	CHECK(verdict == PART_ADDED || verdict == PART_KNOWN);
	if (part_set_complete(&l->gathered)) {
		l->gathering = false;
		say_gathered(l);
	}
	return true;
}

bool lying_gather(struct liar *l, const Pb__PeerMessage *m)
{
	if (!liar_does(l, LIE_PROPOSER) && !liar_does(l, LIE_TIME) && !liar_does(l, LIE_ADDRESS) &&
		!liar_does(l, LIE_BLOCK))
		return false;
	if (m->sum_case == PB__PEER_MESSAGE__SUM_BLOCK_PART)
		return gather_part(l, m->block_part);
	if (m->sum_case != PB__PEER_MESSAGE__SUM_PROPOSAL)
		return false;
	part_set_fini(&l->gathered);
	CHECK(proposal_from_pb(&l->proposal, m->proposal));
	l->gathering = part_set_expect(&l->gathered, l->proposal.block_id.parts_total,
			       &l->proposal.block_id.parts_hash, BLOCK_PARTS_MAX) == STATUS_OK;
	return l->gathering;
}

/* ---- votes ---- */

/* The other choice of the round: the other block, the block, or nothing. */
static struct block_id other_choice(struct liar *l, const struct vote *vote)
{
	struct block_id nil;
	memset(&nil, 0, sizeof nil);
	const struct page *page = liar_page(l, vote->height, vote->round);
	if (page && page->has_other)
		return page->other;
	if (!block_id_is_nil(&vote->block_id)) {
		/* One name, another count of parts: two choices, however alike. */
		struct block_id odd = vote->block_id;
		odd.parts_total++;
		return random_chance(&l->dice, 100) ? odd : nil;
	}
	return page ? page->block : nil;
}

static void tell_vote(struct liar *l, uint32_t to, const struct vote *vote)
{
	checks_heard(&l->n->world->checks, vote);
	word_vote(l->n, to, vote);
}

static void say_vote(struct liar *l, uint32_t to, const Pb__Vote *pb, struct bytes raw)
{
	struct vote vote;
	CHECK(vote_from_pb(&vote, pb));
	if (!liar_does(l, LIE_VOTER) || vote.index != l->n->seat) {
		word_raw(l->n, to, raw);
		return;
	}
	struct block_id choice = other_choice(l, &vote);
	struct vote other = word_vote_of(l->n, vote.type, vote.height, vote.round, &choice);
	bool both = random_chance(&l->dice, 100);
	bool side = liar_side(l, vote.height, to);
	const struct page *page = liar_page(l, vote.height, vote.round);
	/* With two blocks about, each side is told of its own, whatever the replica thinks. */
	if (page && page->has_other && block_id_is_nil(&vote.block_id))
		vote = word_vote_of(l->n, vote.type, vote.height, vote.round, &page->block);
	if (!side || both)
		tell_vote(l, to, &vote);
	if (side || both)
		tell_vote(l, to, &other);
}

/* ---- parts ---- */

static void bend_part(void *ctx, Pb__BlockPart *part)
{
	static uint8_t spoilt[BLOCK_PART_BYTES + 16];
	struct liar *l = ctx;
	size_t len = part->bytes.len < sizeof spoilt - 1 ? part->bytes.len : sizeof spoilt - 1;
	switch (random_below(&l->dice, 8)) {
	case 0: part->index++; break;
	case 1: part->proof->index++; break;
	case 2: part->proof->total++; break;
	case 3:
		part->index += 1;
		part->proof->index += 1;
		part->proof->total += 1;
		break;
	case 4: part->index = UINT32_MAX; break;
	case 5: part->bytes.len = random_below(&l->dice, 2) ? 0 : part->bytes.len - 1; break;
	case 6:
		memcpy(spoilt, part->bytes.data, len);
		spoilt[random_below(&l->dice, len + 1)] ^= 1;
		part->bytes = wire_borrow(spoilt, len + random_below(&l->dice, 2));
		break;
	default: part->proof->n_aunts = 0; break;
	}
}

static void say_part(struct liar *l, uint32_t to, const Pb__PeerMessage *m, struct bytes raw)
{
	if (!liar_does(l, LIE_PART_INDEX) || random_chance(&l->dice, 500)) {
		word_raw(l->n, to, raw);
		return;
	}
	Pb__BlockPart part = *m->block_part;
	Pb__Proof proof = *part.proof;
	part.proof = &proof;
	bend_part(l, &part);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_BLOCK_PART;
	message.block_part = &part;
	word_message(l->n, to, &message);
}

/* ---- where it stands ---- */

static void claim(struct liar *l, Pb__NodeStatus *status)
{
	int64_t ahead = status->height + 1 + (int64_t)random_below(&l->dice, 5);
	switch (l->manner) {
	case 0: /* a little ahead for ever: worth asking again and again */
		l->claimed = ahead > l->claimed ? ahead : l->claimed;
		break;
	case 1: l->claimed = random_chance(&l->dice, 500) ? INT64_MAX : 1000 * 1000; break;
	default: /* it falls */
		if (random_chance(&l->dice, 50))
			l->claimed = (int64_t)random_below(&l->dice, 3) - 1;
		else
			l->claimed = ahead;
		break;
	}
	status->height = l->claimed;
	if (random_chance(&l->dice, 100))
		status->round = random_chance(&l->dice, 500) ? INT32_MAX : -1;
	if (random_chance(&l->dice, 100))
		status->base_height = random_chance(&l->dice, 500) ? INT64_MAX : -5;
}

static ProtobufCBinaryData draw_bits(struct liar *l, uint8_t bits[4096])
{
	static const size_t sizes[] = {0, 1, 2, 13, 128, 129, 4096};
	size_t len = sizes[random_below(&l->dice, sizeof sizes / sizeof *sizes)];
	uint8_t fill = (uint8_t)(random_chance(&l->dice, 500) ? 0xff : random_next(&l->dice));
	memset(bits, fill, len);
	return wire_borrow(bits, len);
}

static void say_status(struct liar *l, uint32_t to, const Pb__PeerMessage *m)
{
	uint8_t bits[4][4096];
	Pb__NodeStatus status = *m->status;
	if (liar_does(l, LIE_BITS)) {
		status.parts = draw_bits(l, bits[0]);
		status.prevotes = draw_bits(l, bits[1]);
		status.precommits = draw_bits(l, bits[2]);
		status.pol_prevotes = draw_bits(l, bits[3]);
		status.has_proposal = random_chance(&l->dice, 500);
	}
	if (liar_does(l, LIE_HEIGHT))
		claim(l, &status);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_STATUS;
	message.status = &status;
	word_message(l->n, to, &message);
}

/* ---- answers to who is behind ---- */

static int64_t height_of(const Pb__PeerMessage *m)
{
	if (m->sum_case == PB__PEER_MESSAGE__SUM_VOTE)
		return m->vote->height;
	if (m->sum_case == PB__PEER_MESSAGE__SUM_BLOCK_PART)
		return m->block_part->height;
	if (m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT)
		return m->commit->height;
	return INT64_MAX;
}

static void answer_garbage(struct liar *l, uint32_t to)
{
	uint8_t bytes[256];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)random_next(&l->dice);
	word_raw(l->n, to, bytes_view(bytes, 1 + random_below(&l->dice, sizeof bytes)));
}

/* Another height's, too few signatures, one that is none, or those of other validators. */
static void bend_commit(struct liar *l, Pb__Commit *commit)
{
	Pb__CommitSig *sig = commit->signatures[random_below(&l->dice, commit->n_signatures)];
	switch (random_below(&l->dice, 6)) {
	case 0: commit->height++; break;
	case 1: commit->round++; break;
	case 2: commit->n_signatures--; break;
	case 3: commit->block_id->hash.data[7] ^= 1; break;
	case 4: commit->block_id->part_set_header->total += 7; break;
	default:
		if (sig->signature.len > 0)
			sig->signature.data[random_below(&l->dice, sig->signature.len)] ^= 1;
		break;
	}
}

/* The wrong height, a vote that isn't one, a block of another name. */
static void answer_wrong(struct liar *l, uint32_t to, const Pb__PeerMessage *m)
{
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = m->sum_case;
	if (m->sum_case == PB__PEER_MESSAGE__SUM_VOTE) {
		Pb__Vote vote = *m->vote;
		if (random_chance(&l->dice, 300))
			vote.height++;
		else if (random_chance(&l->dice, 500))
			vote.round++;
		else
			vote.validator_index = (vote.validator_index + 1) % 4;
		message.vote = &vote;
		word_message(l->n, to, &message);
		return;
	}
	if (m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT) {
		size_t count = m->commit->n_signatures;
		bend_commit(l, m->commit); /* it may: the message is told to one peer only */
		word_message(l->n, to, m);
		m->commit->n_signatures = count;
		return;
	}
	Pb__BlockPart part = *m->block_part;
	Pb__Proof proof = *part.proof;
	part.proof = &proof;
	if (random_chance(&l->dice, 500))
		part.height += 1 - 2 * (int64_t)random_below(&l->dice, 2);
	else
		bend_part(l, &part);
	message.block_part = &part;
	word_message(l->n, to, &message);
}

static void say_answer(struct liar *l, uint32_t to, const Pb__PeerMessage *m, struct bytes raw)
{
	/* In one way always, or in each in its turn. */
	uint64_t way = l->answers < 4 ? l->answers : (uint64_t)height_of(m) / 4 % 5;
	switch (way) {
	case 0: break;
	case 1: answer_garbage(l, to); break;
	case 2: answer_wrong(l, to, m); break;
	case 3:
		if (random_chance(&l->dice, 500))
			word_raw(l->n, to, raw);
		break;
	default: word_raw(l->n, to, raw); break;
	}
}

/* ---- all of them ---- */

static bool selected(struct liar *l, uint32_t to, const Pb__PeerMessage *m)
{
	int64_t height = height_of(m);
	struct random dice = {
		l->plot->salt ^ (uint64_t)height << 20 ^ (uint64_t)m->sum_case << 8 ^ to};
	return random_chance(&dice, 500);
}

static bool quiet(const struct liar *l)
{
	int64_t height = replica_consensus(l->n->replica)->height;
	struct random dice = {l->plot->salt + (uint64_t)height / 3};
	return random_chance(&dice, 600);
}

void lying_say(struct liar *l, uint32_t to, const Pb__PeerMessage *m, struct bytes raw)
{
	if (liar_does(l, LIE_SILENT) && quiet(l))
		return;
	if (liar_does(l, LIE_SELECTIVE) && !selected(l, to, m))
		return;
	bool past = height_of(m) < replica_consensus(l->n->replica)->height;
	if (past && liar_does(l, LIE_SYNC))
		say_answer(l, to, m, raw);
	else if (m->sum_case == PB__PEER_MESSAGE__SUM_VOTE)
		say_vote(l, to, m->vote, raw);
	else if (m->sum_case == PB__PEER_MESSAGE__SUM_BLOCK_PART)
		say_part(l, to, m, raw);
	else if (m->sum_case == PB__PEER_MESSAGE__SUM_STATUS)
		say_status(l, to, m);
	else
		word_raw(l->n, to, raw);
}
