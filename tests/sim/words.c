#include "tests/sim/words.h"

#include <stdlib.h>
#include <string.h>

#include "chain/format/block.h"
#include "chain/format/proof.h"
#include "chain/format/wire.h"
#include "tests/sim/world.h"

enum { PROOF_ARENA_BYTES_MAX = 16 * 1024 };

void word_raw(struct sim_node *n, uint32_t to, struct bytes raw)
{
	net_send(&n->world->net, n->index, to, raw);
}

void word_message(struct sim_node *n, uint32_t to, const Pb__PeerMessage *message)
{
	struct buf raw;
	buf_init(&raw, 0);
	wire_append(&raw, &message->base);
	CHECK(buf_ok(&raw));
	word_raw(n, to, buf_view(&raw));
	buf_fini(&raw);
}

/* ---- votes and proposals ---- */

void word_vote_sign(const struct sim_node *n, struct vote *vote)
{
	struct buf bytes;
	buf_init(&bytes, 0);
	vote_sign_bytes(&bytes, n->world->people.genesis.chain_id, vote);
	validator_sign(&vote->signature, &n->secret, buf_view(&bytes));
	buf_fini(&bytes);
}

struct vote word_vote_of(const struct sim_node *n, enum vote_type type, int64_t height,
	int32_t round, const struct block_id *block)
{
	struct vote vote;
	memset(&vote, 0, sizeof vote);
	vote.type = type;
	vote.height = height;
	vote.round = round;
	vote.block_id = *block;
	vote.time = node_now(n).wall;
	vote.index = n->seat;
	vote.address = validator_address_of(&n->key);
	word_vote_sign(n, &vote);
	return vote;
}

void word_vote(struct sim_node *n, uint32_t to, const struct vote *vote)
{
	struct vote_message m;
	vote_message_init(&m, vote);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_VOTE;
	message.vote = &m.pb;
	word_message(n, to, &message);
}

void word_proposal_sign(const struct sim_node *n, struct proposal *proposal)
{
	struct buf bytes;
	buf_init(&bytes, 0);
	proposal_sign_bytes(&bytes, n->world->people.genesis.chain_id, proposal);
	validator_sign(&proposal->signature, &n->secret, buf_view(&bytes));
	buf_fini(&bytes);
}

void word_proposal(struct sim_node *n, uint32_t to, const struct proposal *proposal)
{
	struct proposal_message m;
	proposal_message_init(&m, proposal);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_PROPOSAL;
	message.proposal = &m.pb;
	word_message(n, to, &message);
}

void word_part(struct sim_node *n, uint32_t to, int64_t height, int32_t round,
	const struct block_id *id, const struct part_set *parts, uint32_t index, word_bend *bend,
	void *ctx)
{
	struct arena arena;
	arena_init(&arena, PROOF_ARENA_BYTES_MAX);
	struct merkle_proof proof;
	part_set_prove(&proof, parts, index);
	struct block_id_message id_message;
	block_id_message_init(&id_message, id);
	struct bytes bytes = part_set_part(parts, index);
	Pb__BlockPart part;
	pb__block_part__init(&part);
	part.height = height;
	part.round = round;
	part.block_id = &id_message.pb;
	part.index = index;
	part.bytes = wire_borrow(bytes.data, bytes.len);
	part.proof = merkle_proof_to_pb(&proof, &arena);
	CHECK(part.proof);
	if (bend)
		bend(ctx, &part);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_BLOCK_PART;
	message.block_part = &part;
	word_message(n, to, &message);
	arena_fini(&arena);
}

/* ---- blocks ---- */

/* What a block points to while it is bent: it owns none of it. */
struct bent {
	struct hash32 commit_hash, data_hash, evidence_hash, app_hash;
	uint8_t addresses[VALIDATORS_MAX][sizeof(struct validator_address)];
	ProtobufCBinaryData txs[BLOCK_TXS_MAX + 1];
	Pb__EvidenceList list;
	Pb__Evidence evidence, *entries[1];
	Pb__DuplicateVoteEvidence proof;
	struct vote_message a, b;
	struct vote votes[2];
	Pb__Timestamp time;
};

static bool bend_time(Pb__Block *block, struct random *dice)
{
	static const int64_t far_ms[] = {-3600 * 1000, -60 * 1000, -5000, -1, 2000, 5000, 60 * 1000,
		3600 * 1000, INT64_C(86400000) * 365 * 1000};
	struct timestamp time;
	if (!timestamp_from_pb(&time, block->header->time))
		return false;
	int64_t ms = far_ms[random_below(dice, sizeof far_ms / sizeof *far_ms)];
	timestamp_message_init(block->header->time, timestamp_of_ms(timestamp_ms(time) + ms));
	return true;
}

/* As if somebody else had signed: each signature stays where it was. */
static bool bend_addresses(Pb__Block *block, struct bent *bent, struct random *dice)
{
	Pb__Commit *commit = block->last_commit;
	if (commit->n_signatures < 2)
		return false;
	size_t turn = random_below(dice, commit->n_signatures);
	bool stranger = random_chance(dice, 300), any = false;
	for (size_t i = 0; i < commit->n_signatures; i++) {
		Pb__CommitSig *sig = commit->signatures[i];
		const Pb__CommitSig *from = commit->signatures[(i + turn) % commit->n_signatures];
		if (sig->validator_address.len == 0 || from->validator_address.len == 0)
			continue;
		memcpy(bent->addresses[i], from->validator_address.data, sizeof bent->addresses[i]);
		bent->addresses[i][0] ^= stranger;
		any = any || stranger || turn != 0;
	}
	for (size_t i = 0; i < commit->n_signatures; i++) {
		Pb__CommitSig *sig = commit->signatures[i];
		if (sig->validator_address.len > 0)
			memcpy(sig->validator_address.data, bent->addresses[i],
				sizeof bent->addresses[i]);
	}
	bent->commit_hash = commit_hash(commit);
	memcpy(block->header->last_commit_hash.data, bent->commit_hash.b, 32);
	return any;
}

static bool bend_txs(Pb__Block *block, struct bent *bent)
{
	size_t count = block->data->n_txs;
	if (count == 0 || count >= BLOCK_TXS_MAX)
		return false;
	memcpy(bent->txs, block->data->txs, count * sizeof *bent->txs);
	bent->txs[count] = bent->txs[0];
	block->data->txs = bent->txs;
	block->data->n_txs = count + 1;
	bent->data_hash = data_hash(block->data);
	memcpy(block->header->data_hash.data, bent->data_hash.b, 32);
	return true;
}

/* Two votes that somebody else's key never signed. */
static bool bend_evidence(Pb__Block *block, struct bent *bent, struct random *dice)
{
	if (block->last_commit->n_signatures == 0)
		return false;
	for (int i = 0; i < 2; i++) {
		struct vote *v = &bent->votes[i];
		memset(v, 0, sizeof *v);
		v->type = VOTE_PRECOMMIT;
		v->height = block->last_commit->height;
		v->index = (uint32_t)random_below(dice, block->last_commit->n_signatures);
		v->time = timestamp_of_ms(1);
		memset(v->block_id.hash.b, i + 1, 32);
		v->block_id.parts_total = 1;
	}
	bent->votes[1].index = bent->votes[0].index;
	vote_message_init(&bent->a, &bent->votes[0]);
	vote_message_init(&bent->b, &bent->votes[1]);
	pb__duplicate_vote_evidence__init(&bent->proof);
	bent->proof.vote_a = &bent->a.pb;
	bent->proof.vote_b = &bent->b.pb;
	bent->proof.total_voting_power = 40;
	bent->proof.validator_power = 10;
	timestamp_message_init(&bent->time, timestamp_of_ms(1));
	bent->proof.timestamp = &bent->time;
	pb__evidence__init(&bent->evidence);
	bent->evidence.sum_case = PB__EVIDENCE__SUM_DUPLICATE_VOTE_EVIDENCE;
	bent->evidence.duplicate_vote_evidence = &bent->proof;
	bent->entries[0] = &bent->evidence;
	pb__evidence_list__init(&bent->list);
	bent->list.n_evidence = 1;
	bent->list.evidence = bent->entries;
	block->evidence = &bent->list;
	bent->evidence_hash = evidence_hash(block->evidence);
	memcpy(block->header->evidence_hash.data, bent->evidence_hash.b, 32);
	return true;
}

static bool bend(Pb__Block *block, struct bent *bent, enum block_lie how, struct random *dice)
{
	struct timestamp time;
	switch (how) {
	case BLOCK_LATER:
		if (!timestamp_from_pb(&time, block->header->time))
			return false;
		timestamp_message_init(
			block->header->time, timestamp_of_ms(timestamp_ms(time) + 1));
		return true;
	case BLOCK_TIME: return bend_time(block, dice);
	case BLOCK_ADDRESSES: return bend_addresses(block, bent, dice);
	case BLOCK_APP_HASH: block->header->app_hash.data[random_below(dice, 32)] ^= 1; return true;
	case BLOCK_VALIDATORS:
		block->header->next_validators_hash.data[random_below(dice, 32)] ^= 1;
		return true;
	case BLOCK_TWICE: return bend_txs(block, bent);
	case BLOCK_EVIDENCE: return bend_evidence(block, bent, dice);
	case BLOCK_GARBAGE:
	case BLOCK_LARGE:
	case BLOCK_LIES: break;
	}
	return false;
}

static bool garbage(struct part_set *parts, struct block_id *id, size_t len, struct random *dice)
{
	uint8_t *bytes = malloc(len);
	CHECK(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i < 4096 ? random_next(dice) : i);
	CHECK(part_set_split(parts, bytes_view(bytes, len)) == STATUS_OK);
	free(bytes);
	id->hash = sha256(bytes_view(parts->hash.b, sizeof parts->hash.b));
	return true;
}

/* Bends a decoded copy; what it points to afterwards is bent's, so nothing of it is freed apart. */
static bool bent_block(struct part_set *parts, struct block_id *id, struct timestamp *time,
	struct bytes raw, enum block_lie how, struct random *dice)
{
	struct arena arena;
	arena_init(&arena, 64 * 1024 * 1024);
	struct bent *bent = arena_alloc(&arena, sizeof *bent);
	Pb__Block *block = pb__block__unpack(arena_protobuf(&arena), raw.len, raw.data);
	bool good = bent && block && bend(block, bent, how, dice);
	struct buf packed;
	buf_init(&packed, 0);
	if (good) {
		block_pack(&packed, block);
		CHECK(buf_ok(&packed));
		good = part_set_split(parts, buf_view(&packed)) == STATUS_OK;
		id->hash = header_hash(block->header);
		good = good && timestamp_from_pb(time, block->header->time);
	}
	buf_fini(&packed);
	arena_fini(&arena);
	return good;
}

bool word_block(struct part_set *parts, struct block_id *id, struct timestamp *time,
	struct bytes block, enum block_lie how, struct random *dice)
{
	memset(parts, 0, sizeof *parts);
	memset(id, 0, sizeof *id);
	bool good;
	if (how == BLOCK_GARBAGE)
		good = garbage(parts, id, 1 + random_below(dice, 100 * 1000), dice);
	else if (how == BLOCK_LARGE)
		good = garbage(parts, id, BLOCK_BYTES_MAX + 2 * BLOCK_PART_BYTES, dice);
	else
		good = bent_block(parts, id, time, block, how, dice);
	if (!good) {
		part_set_fini(parts);
		return false;
	}
	id->parts_total = parts->total;
	id->parts_hash = parts->hash;
	return true;
}
