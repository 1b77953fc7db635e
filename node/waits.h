/* waits: who waits for which transaction to be in a block. A bounded table by hash; deadlines on
 * the steady clock. */
#ifndef NODE_WAITS_H
#define NODE_WAITS_H

#include "base/hash.h"
#include "base/status.h"
#include "rpc/view.h"

enum { WAITS_MAX = 2048, WAITS_BUCKETS = 4096 };

struct wait {
	bool used;
	struct hash32 hash;
	uint64_t deadline_ms;
	view_include_done *done;
	void *ctx;
	uint32_t next; /* in its bucket or in the free list; WAITS_MAX ends it */
};

struct waits {
	struct wait slots[WAITS_MAX];
	uint32_t buckets[WAITS_BUCKETS];
	uint32_t free;
	size_t count;
	uint64_t next_ms; /* no deadline is before it */
};

void waits_init(struct waits *w);
MUST_USE enum status waits_add(struct waits *w, const struct hash32 *hash, uint64_t deadline_ms,
	view_include_done *done, void *ctx);
void waits_cancel(struct waits *w, view_include_done *done, void *ctx);
/* Calls and forgets everyone who waits for this hash. */
void waits_included(struct waits *w, const struct hash32 *hash, int64_t height, uint32_t index);
/* Calls and forgets those whose deadline has come, with height 0. */
void waits_expire(struct waits *w, uint64_t now_ms);
/* When waits_expire is to be called: at the first deadline, or sooner if that one was cancelled or
 * included; UINT64_MAX: nobody waits. Asked for after every input, so it looks at nobody. */
uint64_t waits_next_ms(const struct waits *w);

#endif
