#include "coordinator/wake.h"

#include <stdlib.h>
#include <string.h>

void wake_heap_fini(struct wake_heap *heap)
{
	free(heap->wakes);
	memset(heap, 0, sizeof *heap);
}

static void place(struct wake_heap *heap, size_t at, struct wake *wake)
{
	heap->wakes[at - 1] = wake;
	wake->place = at;
}

static void rise(struct wake_heap *heap, struct wake *wake)
{
	size_t at = wake->place;

	while (at > 1 && heap->wakes[at / 2 - 1]->due_ms > wake->due_ms) {
		place(heap, at, heap->wakes[at / 2 - 1]);
		at /= 2;
	}
	place(heap, at, wake);
}

static void sink(struct wake_heap *heap, struct wake *wake)
{
	size_t at = wake->place;

	for (;;) {
		size_t child = at * 2;

		if (child > heap->count)
			break;
		if (child < heap->count &&
			heap->wakes[child]->due_ms < heap->wakes[child - 1]->due_ms)
			child++;
		if (heap->wakes[child - 1]->due_ms >= wake->due_ms)
			break;
		place(heap, at, heap->wakes[child - 1]);
		at = child;
	}
	place(heap, at, wake);
}

bool wake_set(struct wake_heap *heap, struct wake *wake, uint64_t due_ms)
{
	if (wake->place == 0) {
		if (heap->count == heap->cap) {
			size_t cap = heap->cap == 0 ? 64 : heap->cap * 2;
			struct wake **wakes = realloc(heap->wakes, cap * sizeof *wakes);

			if (!wakes)
				return false;
			heap->wakes = wakes;
			heap->cap = cap;
		}
		wake->due_ms = due_ms;
		place(heap, ++heap->count, wake);
		rise(heap, wake);
		return true;
	}
	wake->due_ms = due_ms;
	rise(heap, wake);
	sink(heap, wake);
	return true;
}

void wake_clear(struct wake_heap *heap, struct wake *wake)
{
	struct wake *last;
	size_t at = wake->place;

	if (at == 0)
		return;
	last = heap->wakes[--heap->count];
	wake->place = 0;
	if (last == wake)
		return;
	place(heap, at, last);
	rise(heap, last);
	sink(heap, last);
}

struct wake *wake_first(const struct wake_heap *heap)
{
	return heap->count == 0 ? NULL : heap->wakes[0];
}
