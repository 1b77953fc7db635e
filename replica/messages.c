#include "replica/messages.h"

#include "chain/format/proof.h"
#include "chain/format/wire.h"

const Pb__PeerMessage *message_read(struct arena *arena, struct bytes message)
{
	/* Nothing that the schema doesn't know: what is passed on or put into a block is what was
	 * read. */
	static const struct wire_bound bounds[] = {
		{&pb__proof__descriptor, 4 /* aunts */, MERKLE_AUNTS_MAX},
		{&pb__commit__descriptor, 4 /* signatures */, VALIDATORS_MAX},
		{&pb__validator_set__descriptor, 1 /* validators */, VALIDATORS_MAX}};
	enum { BOUNDS = sizeof bounds / sizeof *bounds };
	if (wire_check(&pb__peer_message__descriptor, message, bounds, BOUNDS, NULL) != WIRE_OK)
		return NULL;
	return pb__peer_message__unpack(arena_protobuf(arena), message.len, message.data);
}

void say(
	struct replica *r, uint32_t to, const Pb__PeerMessage *message, struct replica_effects *out)
{
	struct replica_effect *e = replica_effect(out, REPLICA_SEND);
	e->u.peer = to;
	e->bytes_at = r->scratch.len;
	wire_append(&r->scratch, &message->base);
	e->bytes.len = r->scratch.len - e->bytes_at;
}

void say_proposal(struct replica *r, uint32_t to, const struct proposal *proposal,
	struct replica_effects *out)
{
	struct proposal_message p;
	proposal_message_init(&p, proposal);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_PROPOSAL;
	message.proposal = &p.pb;
	say(r, to, &message, out);
}

void say_vote(struct replica *r, uint32_t to, const struct vote *vote, struct replica_effects *out)
{
	struct vote_message v;
	vote_message_init(&v, vote);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_VOTE;
	message.vote = &v.pb;
	say(r, to, &message, out);
}

void say_part(struct replica *r, uint32_t to, int64_t height, int32_t round,
	const struct block_id *id, const struct part_set *parts, uint32_t index,
	struct replica_effects *out)
{
	enum { PROOF_ARENA_BYTES_MAX = 16 * 1024 };
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
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_BLOCK_PART;
	message.block_part = &part;
	if (part.proof)
		say(r, to, &message, out);
	else
		replica_stop(r, "a part's proof", STATUS_NO_MEMORY);
	arena_fini(&arena);
}

void say_commit(
	struct replica *r, uint32_t to, const Pb__Commit *commit, struct replica_effects *out)
{
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_COMMIT;
	message.commit = (Pb__Commit *)(uintptr_t)commit;
	say(r, to, &message, out);
}

void say_request(struct replica *r, uint32_t to, int64_t height, struct replica_effects *out)
{
	Pb__BlockRequest request;
	pb__block_request__init(&request);
	request.height = height;
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_BLOCK_REQUEST;
	message.block_request = &request;
	say(r, to, &message, out);
}

void say_transaction(struct replica *r, uint32_t to, struct bytes tx, struct replica_effects *out)
{
	Pb__Transaction transaction;
	pb__transaction__init(&transaction);
	transaction.tx = wire_borrow(tx.data, tx.len);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_TRANSACTION;
	message.transaction = &transaction;
	say(r, to, &message, out);
}

void say_evidence(struct replica *r, const struct buf *packed, struct replica_effects *out)
{
	enum { EVIDENCE_ARENA_BYTES_MAX = 16 * 1024 };
	struct arena arena;
	arena_init(&arena, EVIDENCE_ARENA_BYTES_MAX);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_EVIDENCE;
	message.evidence = pb__duplicate_vote_evidence__unpack(
		arena_protobuf(&arena), packed->len, packed->data);
	if (message.evidence)
		say(r, REPLICA_EVERYONE, &message, out);
	arena_fini(&arena);
}
