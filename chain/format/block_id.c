#include "chain/format/block_id.h"

#include <string.h>

#include "base/limits.h"

bool block_id_is_nil(const struct block_id *id)
{
	return id->parts_total == 0 && hash_is_zero(&id->hash) && hash_is_zero(&id->parts_hash);
}

bool block_id_equal(const struct block_id *a, const struct block_id *b)
{
	return a->parts_total == b->parts_total && hash_equal(&a->hash, &b->hash) &&
	       hash_equal(&a->parts_hash, &b->parts_hash);
}

void block_id_message_init(struct block_id_message *out, const struct block_id *id)
{
	pb__block_id__init(&out->pb);
	pb__part_set_header__init(&out->parts);
	out->pb.part_set_header = &out->parts;
	if (block_id_is_nil(id))
		return;
	/* protobuf-c has no const views; packing only reads. */
	out->pb.hash.data = (uint8_t *)(uintptr_t)id->hash.b;
	out->pb.hash.len = sizeof id->hash.b;
	out->parts.total = id->parts_total;
	out->parts.hash.data = (uint8_t *)(uintptr_t)id->parts_hash.b;
	out->parts.hash.len = sizeof id->parts_hash.b;
}

bool block_id_from_pb(struct block_id *out, const Pb__BlockID *pb)
{
	const Pb__PartSetHeader *parts = pb ? pb->part_set_header : NULL;

	memset(out, 0, sizeof *out);
	if (!parts)
		return false;
	if (pb->hash.len == 0 && parts->hash.len == 0 && parts->total == 0)
		return true;
	if (pb->hash.len != sizeof out->hash.b || parts->hash.len != sizeof out->parts_hash.b)
		return false;
	if (parts->total == 0 || parts->total > BLOCK_PARTS_MAX)
		return false;
	memcpy(out->hash.b, pb->hash.data, sizeof out->hash.b);
	out->parts_total = parts->total;
	memcpy(out->parts_hash.b, parts->hash.data, sizeof out->parts_hash.b);
	return true;
}
