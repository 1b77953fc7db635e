/* cursor: reads our own frames (WAL, fence, peer frames, packed rows) with one check at the end.
 * A read past the end makes the cursor bad and yields zeros from then on; nothing aborts. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/bytes.h"

struct cursor {
	const uint8_t *at;
	size_t left;
	bool bad;
};

struct cursor cursor_of(struct bytes view);
uint8_t cursor_u8(struct cursor *c);
uint32_t cursor_u32be(struct cursor *c);
uint64_t cursor_u64be(struct cursor *c);

/* Protobuf's base-128 integer, shortest form only. */
uint64_t cursor_uvarint(struct cursor *c);

/* Copies len bytes to out; zeros when they are not there. */
void cursor_copy(struct cursor *c, void *out, size_t len);

/* A borrowed view of the next len bytes; empty when they are not there. */
struct bytes cursor_view(struct cursor *c, size_t len);

/* Nothing was missing and nothing is left. */
MUST_USE bool cursor_done(const struct cursor *c);

#endif
