/* block_id: the name of a block: header hash and part set header, as one plain value.
 * The nil id (a vote for nothing, the parent of the first block) is all zero. Pure; cannot fail but
 * for reading somebody else's message. */
#ifndef CHAIN_FORMAT_BLOCK_ID_H
#define CHAIN_FORMAT_BLOCK_ID_H

#include "base/hash.h"
#include "chain/proto/comet.pb-c.h"

struct block_id {
	struct hash32 hash;
	uint32_t parts_total; /* > 0 in every id but nil */
	struct hash32 parts_hash;
};

bool block_id_is_nil(const struct block_id *id);
bool block_id_equal(const struct block_id *a, const struct block_id *b);

/* A message of ours: point at pb wherever a Pb__BlockID is wanted. Its hashes are borrowed from the
 * id it was made of, and parts from this struct, so both must stay where they are. */
struct block_id_message {
	Pb__BlockID pb;
	Pb__PartSetHeader parts;
};
void block_id_message_init(struct block_id_message *out, const struct block_id *id);

/* False: neither nil (all absent) nor complete (32-byte hashes, total 1..BLOCK_PARTS_MAX). */
MUST_USE bool block_id_from_pb(struct block_id *out, const Pb__BlockID *pb);

#endif
