/* wake: what is due next, exactly: a binary heap of deadlines in wall-clock milliseconds.
 * A wake lives inside its owner; the heap borrows it. Pure: no clock, no timers. At most WAKES_MAX.
 */
#ifndef COORDINATOR_WAKE_H
#define COORDINATOR_WAKE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

struct wake {
	uint64_t due_ms;
	size_t place; /* in the heap, from 1; 0: not in it */
};

struct wake_heap {
	struct wake **wakes;
	size_t count;
	size_t cap;
};

void wake_heap_fini(struct wake_heap *heap);
/* Puts wake in, or moves it: due at due_ms. False: no memory; the wake is then not in the heap. */
MUST_USE bool wake_set(struct wake_heap *heap, struct wake *wake, uint64_t due_ms);
void wake_clear(struct wake_heap *heap, struct wake *wake);
/* The earliest, or NULL. */
struct wake *wake_first(const struct wake_heap *heap);

#endif
