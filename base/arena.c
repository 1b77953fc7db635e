#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARENA_ALIGN = alignof(max_align_t),
	ARENA_BLOCK_BYTES_FIRST = 4096,
	ARENA_BLOCK_BYTES_MAX = 1024 * 1024
};

struct arena_block {
	struct arena_block *older;
	size_t used;
	size_t cap;
	alignas(max_align_t) uint8_t data[];
};

static void *protobuf_alloc(void *arena, size_t len)
{
	return arena_alloc(arena, len);
}

static void protobuf_free(void *arena, void *data)
{
	/* The arena forgets everything at once. */
	(void)arena;
	(void)data;
}

void arena_init(struct arena *a, size_t max)
{
	memset(a, 0, sizeof *a);
	a->max = max;
}

void arena_fini(struct arena *a)
{
	struct arena_block *block = a->blocks;

	while (block) {
		struct arena_block *older = block->older;

		free(block);
		block = older;
	}
	arena_init(a, a->max);
}

void arena_reset(struct arena *a)
{
	struct arena_block *block = a->blocks;

	while (block && block->older) {
		struct arena_block *older = block->older;

		free(block);
		block = older;
	}
	if (block)
		block->used = 0;
	a->blocks = block;
	a->used = 0;
	a->exhausted = false;
}

/* A new newest block with room for len; each is twice the last, so blocks stay few. */
static struct arena_block *arena_grow(struct arena *a, size_t len)
{
	size_t cap = a->blocks ? a->blocks->cap * 2 : ARENA_BLOCK_BYTES_FIRST;
	struct arena_block *block;

	if (cap > ARENA_BLOCK_BYTES_MAX)
		cap = ARENA_BLOCK_BYTES_MAX;
	if (cap > a->max - a->used)
		cap = a->max - a->used;
	if (cap < len)
		cap = len;
	block = malloc(sizeof *block + cap);
	if (!block)
		return NULL;
	block->older = a->blocks;
	block->used = 0;
	block->cap = cap;
	a->blocks = block;
	return block;
}

void *arena_alloc(struct arena *a, size_t len)
{
	struct arena_block *block = a->blocks;
	size_t room;
	void *data;

	if (len > SIZE_MAX - ARENA_ALIGN) {
		a->exhausted = true;
		return NULL;
	}
	room = (len + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	if (room == 0)
		room = ARENA_ALIGN;
	if (room <= a->max - a->used && (!block || room > block->cap - block->used))
		block = arena_grow(a, room);
	if (room > a->max - a->used || !block) {
		a->exhausted = true;
		return NULL;
	}
	data = block->data + block->used;
	block->used += room;
	a->used += room;
	memset(data, 0, room);
	return data;
}

void *arena_copy(struct arena *a, const void *data, size_t len)
{
	void *copy = arena_alloc(a, len);

	if (copy && len > 0)
		memcpy(copy, data, len);
	return copy;
}

char *arena_text(struct arena *a, struct bytes view)
{
	char *text;

	CHECK(view.len < SIZE_MAX);
	text = arena_alloc(a, view.len + 1);
	if (text && view.len > 0)
		memcpy(text, view.data, view.len);
	return text;
}

ProtobufCAllocator *arena_protobuf(struct arena *a)
{
	a->protobuf.alloc = protobuf_alloc;
	a->protobuf.free = protobuf_free;
	a->protobuf.allocator_data = a;
	return &a->protobuf;
}
