/* block_walk: the fields of a packed message one by one, as views; for this folder's block store
 * only (others use block_sections and its like in blocks.h). Pure, allocates nothing, judges
 * nothing beyond the framing. */
#ifndef CHAIN_BLOCK_WALK_H
#define CHAIN_BLOCK_WALK_H

#include "base/bytes.h"

struct field {
	uint32_t number;
	bool is_bytes;
	uint64_t varint;   /* when the field is one */
	struct bytes view; /* otherwise */
};

enum field_step { FIELD_HERE, FIELD_END, FIELD_BAD };

/* *at starts at 0 and moves past the field. */
enum field_step field_next(struct field *out, size_t *at, struct bytes message);

/* The index-th occurrence of a length-delimited field. False: not there, or bad framing before it.
 */
MUST_USE bool field_bytes_at(
	struct bytes *out, struct bytes message, uint32_t number, uint32_t index);

/* The field's value; 0, the schema's default, when it isn't there. */
uint64_t field_varint(struct bytes message, uint32_t number);

#endif
