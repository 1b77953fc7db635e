/* arena: memory that belongs to one request, transaction or block and dies with it.
 * Grows in heap blocks up to a bound given at init; allocation past the bound answers NULL.
 * arena_protobuf hands it to protobuf-c. Not thread safe; no two owners. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used;
	size_t max;
	bool exhausted; /* an allocation was refused since init or reset */
	ProtobufCAllocator protobuf;
};

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);
/* Forget everything allocated; keeps the first block for the next use. */
void arena_reset(struct arena *a);
/* Zeroed, aligned for any type; NULL when the bound or the heap is reached. */
void *arena_alloc(struct arena *a, size_t len);
void *arena_copy(struct arena *a, const void *data, size_t len);
char *arena_text(struct arena *a, struct bytes view);
/* For protobuf-c's unpack calls; its free does nothing. Valid while the arena lives at this
 * address. */
ProtobufCAllocator *arena_protobuf(struct arena *a);

#endif
