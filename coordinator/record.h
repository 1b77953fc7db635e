/* record: structs as rows of the store: tag, length, value, in the order of a table that says which
 * tag is which field. A field at its zero isn't written; a row without a tag leaves it zero; so a
 * field can be added and old rows still read. Tags are on disk: never renumber, never reuse. Owns
 * nothing. A row with an unknown tag or a length that doesn't fit its field is corrupt (false),
 * never a crash. */
#ifndef COORDINATOR_RECORD_H
#define COORDINATOR_RECORD_H

#include "base/bytes.h"

enum record_kind {
	RECORD_U32,
	RECORD_U64, /* int64_t too: the bits are kept */
	RECORD_RAW, /* a fixed array of size bytes */
	RECORD_TEXT /* a char array of size bytes with its NUL */
};

struct record_field {
	uint8_t tag; /* from 1 */
	enum record_kind kind;
	size_t offset;
	size_t size;
};

#define RECORD_FIELD(tag, kind, type, member)                                                      \
	{                                                                                          \
		tag, kind, offsetof(type, member), sizeof(((type *)0)->member)                     \
	}

void record_put(
	struct buf *out, const struct record_field *fields, size_t field_count, const void *from);
/* *to was zeroed by the caller. False: corrupt. */
MUST_USE bool record_get(
	void *to, const struct record_field *fields, size_t field_count, struct bytes row);

#endif
