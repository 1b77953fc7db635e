#include "node/waits.h"

#include <string.h>

#include "base/endian.h"

void waits_init(struct waits *w)
{
	memset(w, 0, sizeof *w);
	for (uint32_t i = 0; i < WAITS_BUCKETS; i++)
		w->buckets[i] = WAITS_MAX;
	for (uint32_t i = 0; i < WAITS_MAX; i++)
		w->slots[i].next = i + 1;
}

static uint32_t bucket_of(const struct hash32 *hash)
{
	return get_u32be(hash->b) % WAITS_BUCKETS;
}

enum status waits_add(struct waits *w, const struct hash32 *hash, uint64_t deadline_ms,
	view_include_done *done, void *ctx)
{
	if (w->free == WAITS_MAX)
		return STATUS_BUSY;
	uint32_t at = w->free;
	struct wait *wait = &w->slots[at];
	w->free = wait->next;
	w->next_ms = w->count > 0 && w->next_ms < deadline_ms ? w->next_ms : deadline_ms;
	w->count++;
	uint32_t bucket = bucket_of(hash);
	*wait = (struct wait){true, *hash, deadline_ms, done, ctx, w->buckets[bucket]};
	w->buckets[bucket] = at;
	return STATUS_OK;
}

/* Takes the slot that *link names out of its bucket. */
static struct wait take(struct waits *w, uint32_t *link)
{
	uint32_t at = *link;
	struct wait wait = w->slots[at];
	*link = wait.next;
	w->slots[at].used = false;
	w->slots[at].next = w->free;
	w->free = at;
	w->count--;
	return wait;
}

void waits_cancel(struct waits *w, view_include_done *done, void *ctx)
{
	for (uint32_t b = 0; b < WAITS_BUCKETS; b++) {
		for (uint32_t *link = &w->buckets[b]; *link != WAITS_MAX;) {
			struct wait *wait = &w->slots[*link];
			if (wait->done == done && wait->ctx == ctx)
				take(w, link);
			else
				link = &wait->next;
		}
	}
}

/* A callback may add or cancel waits: after each one the bucket is walked anew. */
void waits_included(struct waits *w, const struct hash32 *hash, int64_t height, uint32_t index)
{
	uint32_t *link = &w->buckets[bucket_of(hash)];
	while (*link != WAITS_MAX) {
		if (!hash_equal(&w->slots[*link].hash, hash)) {
			link = &w->slots[*link].next;
			continue;
		}
		struct wait wait = take(w, link);
		struct view_included included = {height, index};
		wait.done(wait.ctx, &included);
		link = &w->buckets[bucket_of(hash)];
	}
}

static uint64_t first_deadline_ms(const struct waits *w)
{
	uint64_t first = UINT64_MAX;
	for (uint32_t i = 0; i < WAITS_MAX; i++) {
		if (w->slots[i].used && w->slots[i].deadline_ms < first)
			first = w->slots[i].deadline_ms;
	}
	return first;
}

void waits_expire(struct waits *w, uint64_t now_ms)
{
	if (w->count == 0 || now_ms < w->next_ms)
		return;
	for (uint32_t b = 0; b < WAITS_BUCKETS; b++) {
		uint32_t *link = &w->buckets[b];
		while (*link != WAITS_MAX) {
			if (w->slots[*link].deadline_ms > now_ms) {
				link = &w->slots[*link].next;
				continue;
			}
			struct wait wait = take(w, link);
			struct view_included expired = {0, 0};
			wait.done(wait.ctx, &expired);
			link = &w->buckets[b];
		}
	}
	w->next_ms = first_deadline_ms(w);
}

uint64_t waits_next_ms(const struct waits *w)
{
	return w->count > 0 ? w->next_ms : UINT64_MAX;
}
