#include "chain/format/vote.h"

#include <string.h>

#include "base/limits.h"
#include "chain/format/wire.h"

enum { NS_PER_SECOND = 1000 * 1000 * 1000, SIGN_BYTES_MAX = 512 };

#define SECONDS_LEAST INT64_C(-62135596800) /* year 1, Go's zero time */
#define SECONDS_MOST  INT64_C(253402300799) /* the end of year 9999 */

struct timestamp timestamp_go_zero(void)
{
	struct timestamp zero = {SECONDS_LEAST, 0};

	return zero;
}

void timestamp_message_init(Pb__Timestamp *out, struct timestamp time)
{
	pb__timestamp__init(out);
	out->seconds = time.seconds;
	out->nanos = time.nanos;
}

bool timestamp_from_pb(struct timestamp *out, const Pb__Timestamp *pb)
{
	if (!pb || pb->nanos < 0 || pb->nanos >= NS_PER_SECOND)
		return false;
	if (pb->seconds < SECONDS_LEAST || pb->seconds > SECONDS_MOST)
		return false;
	out->seconds = pb->seconds;
	out->nanos = pb->nanos;
	return true;
}

/* The canonical block id is the plain one under another name; a nil id is left out whole. */
struct canonical_id {
	Pb__CanonicalBlockID pb;
	Pb__CanonicalPartSetHeader parts;
};

static Pb__CanonicalBlockID *canonical_id_init(struct canonical_id *out, const struct block_id *id)
{
	if (block_id_is_nil(id))
		return NULL;
	pb__canonical_block_id__init(&out->pb);
	pb__canonical_part_set_header__init(&out->parts);
	out->pb.hash = wire_borrow(id->hash.b, sizeof id->hash.b);
	out->pb.part_set_header = &out->parts;
	out->parts.total = id->parts_total;
	out->parts.hash = wire_borrow(id->parts_hash.b, sizeof id->parts_hash.b);
	return &out->pb;
}

void vote_sign_bytes(struct buf *out, const char *chain_id, const struct vote *vote)
{
	Pb__CanonicalVote canonical = PB__CANONICAL_VOTE__INIT;
	struct canonical_id block_id;
	Pb__Timestamp time;

	timestamp_message_init(&time, vote->time);
	canonical.type = (int32_t)vote->type;
	canonical.height = vote->height;
	canonical.round = vote->round;
	canonical.block_id = canonical_id_init(&block_id, &vote->block_id);
	canonical.timestamp = &time;
	canonical.chain_id = (char *)(uintptr_t)chain_id;
	wire_append_delimited(out, &canonical.base);
}

void proposal_sign_bytes(struct buf *out, const char *chain_id, const struct proposal *proposal)
{
	Pb__CanonicalProposal canonical = PB__CANONICAL_PROPOSAL__INIT;
	struct canonical_id block_id;
	Pb__Timestamp time;

	timestamp_message_init(&time, proposal->time);
	canonical.type = PROPOSAL_TYPE;
	canonical.height = proposal->height;
	canonical.round = proposal->round;
	canonical.pol_round = proposal->pol_round;
	canonical.block_id = canonical_id_init(&block_id, &proposal->block_id);
	canonical.timestamp = &time;
	canonical.chain_id = (char *)(uintptr_t)chain_id;
	wire_append_delimited(out, &canonical.base);
}

bool vote_verify(const struct vote *vote, const char *chain_id, const struct validator_key *key)
{
	struct buf bytes;
	bool ok;

	buf_init(&bytes, SIGN_BYTES_MAX);
	vote_sign_bytes(&bytes, chain_id, vote);
	ok = buf_ok(&bytes) && validator_verify(key, buf_view(&bytes), &vote->signature);
	buf_fini(&bytes);
	return ok;
}

bool proposal_verify(
	const struct proposal *proposal, const char *chain_id, const struct validator_key *key)
{
	struct buf bytes;
	bool ok;

	buf_init(&bytes, SIGN_BYTES_MAX);
	proposal_sign_bytes(&bytes, chain_id, proposal);
	ok = buf_ok(&bytes) && validator_verify(key, buf_view(&bytes), &proposal->signature);
	buf_fini(&bytes);
	return ok;
}

void vote_message_init(struct vote_message *out, const struct vote *vote)
{
	pb__vote__init(&out->pb);
	block_id_message_init(&out->block_id, &vote->block_id);
	timestamp_message_init(&out->time, vote->time);
	out->pb.type = (int32_t)vote->type;
	out->pb.height = vote->height;
	out->pb.round = vote->round;
	out->pb.block_id = &out->block_id.pb;
	out->pb.timestamp = &out->time;
	out->pb.validator_address = wire_borrow(vote->address.b, sizeof vote->address.b);
	out->pb.validator_index = (int32_t)vote->index;
	out->pb.signature = wire_borrow(vote->signature.b, sizeof vote->signature.b);
}

void proposal_message_init(struct proposal_message *out, const struct proposal *proposal)
{
	pb__proposal__init(&out->pb);
	block_id_message_init(&out->block_id, &proposal->block_id);
	timestamp_message_init(&out->time, proposal->time);
	out->pb.type = PROPOSAL_TYPE;
	out->pb.height = proposal->height;
	out->pb.round = proposal->round;
	out->pb.pol_round = proposal->pol_round;
	out->pb.block_id = &out->block_id.pb;
	out->pb.timestamp = &out->time;
	out->pb.signature = wire_borrow(proposal->signature.b, sizeof proposal->signature.b);
}

bool vote_from_pb(struct vote *out, const Pb__Vote *pb)
{
	memset(out, 0, sizeof *out);
	if (pb->type != VOTE_PREVOTE && pb->type != VOTE_PRECOMMIT)
		return false;
	if (pb->height < 1 || pb->round < 0)
		return false;
	if (pb->validator_index < 0 || pb->validator_index >= VALIDATORS_MAX)
		return false;
	if (pb->validator_address.len != sizeof out->address.b ||
		pb->signature.len != sizeof out->signature.b)
		return false;
	if (!block_id_from_pb(&out->block_id, pb->block_id) ||
		!timestamp_from_pb(&out->time, pb->timestamp))
		return false;
	out->type = pb->type == VOTE_PREVOTE ? VOTE_PREVOTE : VOTE_PRECOMMIT;
	out->height = pb->height;
	out->round = pb->round;
	out->index = (uint32_t)pb->validator_index;
	memcpy(out->address.b, pb->validator_address.data, sizeof out->address.b);
	memcpy(out->signature.b, pb->signature.data, sizeof out->signature.b);
	return true;
}

bool proposal_from_pb(struct proposal *out, const Pb__Proposal *pb)
{
	memset(out, 0, sizeof *out);
	if (pb->type != PROPOSAL_TYPE || pb->height < 1 || pb->round < 0)
		return false;
	if (pb->pol_round < -1 || pb->pol_round >= pb->round)
		return false;
	if (pb->signature.len != sizeof out->signature.b)
		return false;
	if (!block_id_from_pb(&out->block_id, pb->block_id) || block_id_is_nil(&out->block_id) ||
		!timestamp_from_pb(&out->time, pb->timestamp))
		return false;
	out->height = pb->height;
	out->round = pb->round;
	out->pol_round = pb->pol_round;
	memcpy(out->signature.b, pb->signature.data, sizeof out->signature.b);
	return true;
}
