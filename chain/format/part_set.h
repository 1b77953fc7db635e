/* part_set: a block cut into pieces of BLOCK_PART_BYTES that travel and are proved one by one.
 * Owns the block's bytes and one short proof per part, on the heap, bounded by BLOCK_PARTS_MAX and
 * by what the caller allows. Pure. A part that doesn't belong is a verdict. */
#ifndef CHAIN_FORMAT_PART_SET_H
#define CHAIN_FORMAT_PART_SET_H

#include "base/limits.h"
#include "base/merkle.h"
#include "base/status.h"
#include "chain/format/block_id.h"

struct part_slot;
struct part_set {
	uint32_t total;
	struct hash32 hash;
	uint32_t have; /* parts present */
	size_t len;    /* of the block; known once the last part is here */
	uint8_t *data; /* room for total parts, each at its place */
	struct part_slot *slots;
};

enum part_verdict {
	PART_ADDED,
	PART_KNOWN,     /* already here: nothing done */
	PART_BAD_INDEX, /* beyond total, or the proof is for another place */
	PART_BAD_SIZE,  /* only the last part may be short, and none empty */
	PART_BAD_PROOF
};

/* A zeroed part_set is empty and may be given to part_set_fini. */
void part_set_fini(struct part_set *set);

/* Cuts a whole block (1 byte or more). STATUS_INVALID: more than BLOCK_PARTS_MAX parts. */
MUST_USE enum status part_set_split(struct part_set *out, struct bytes block);

/* An empty set that waits for the parts of this header. STATUS_INVALID: total is 0 or over
 * parts_max. */
MUST_USE enum status part_set_expect(
	struct part_set *out, uint32_t total, const struct hash32 *hash, uint32_t parts_max);

/* Takes a part if its proof leads from these bytes at this place to the header's hash. */
MUST_USE enum part_verdict part_set_add(
	struct part_set *set, uint32_t index, struct bytes part, const struct merkle_proof *proof);

bool part_set_has(const struct part_set *set, uint32_t index);
bool part_set_complete(const struct part_set *set);

/* Of a part that is here (CHECKed). The proof is whole and may be sent on. */
struct bytes part_set_part(const struct part_set *set, uint32_t index);
void part_set_prove(struct merkle_proof *out, const struct part_set *set, uint32_t index);

/* The block's bytes; the set must be complete. Lives as long as the set. */
struct bytes part_set_bytes(const struct part_set *set);

#endif
