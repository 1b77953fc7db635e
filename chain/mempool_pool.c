#include "chain/mempool_pool.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists ---- */

static void list_push(struct mempool *m, struct list *list, uint32_t at)
{
	struct entry *entry = &m->entries[at];

	entry->before = list->tail;
	entry->after = MEMPOOL_NOWHERE;
	if (list->tail == MEMPOOL_NOWHERE)
		list->head = at;
	else
		m->entries[list->tail].after = at;
	list->tail = at;
	list->count++;
}

static void list_remove(struct mempool *m, struct list *list, uint32_t at)
{
	struct entry *entry = &m->entries[at];

	if (entry->before == MEMPOOL_NOWHERE)
		list->head = entry->after;
	else
		m->entries[entry->before].after = entry->after;
	if (entry->after == MEMPOOL_NOWHERE)
		list->tail = entry->before;
	else
		m->entries[entry->after].before = entry->before;
	CHECK(list->count > 0);
	list->count--;
}

static struct list *list_of(struct mempool *m, enum entry_state state)
{
	switch (state) {
	case ENTRY_READY: return &m->ready;
	case ENTRY_GAP: return &m->gaps;
	case ENTRY_QUEUED: return &m->queue;
	case ENTRY_FREE:
	case ENTRY_RESERVED: break;
	}
	return NULL;
}

static void entry_move(struct mempool *m, uint32_t at, enum entry_state state, uint64_t now_ms)
{
	struct entry *entry = &m->entries[at];
	struct list *from = list_of(m, entry->state);
	struct list *to = list_of(m, state);

	if (from)
		list_remove(m, from, at);
	entry->state = state;
	entry->since_ms = now_ms;
	if (to)
		list_push(m, to, at);
}

/* ---- the heap of expiries: four children each, the next to expire at the top ---- */

static void heap_set(struct mempool *m, uint32_t at, struct expiry expiry)
{
	m->heap[at] = expiry;
	m->entries[expiry.entry].heap_at = at + 1;
}

static void heap_up(struct mempool *m, uint32_t at, struct expiry expiry)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / 4;

		if (m->heap[parent].valid_until_ms <= expiry.valid_until_ms)
			break;
		heap_set(m, at, m->heap[parent]);
		at = parent;
	}
	heap_set(m, at, expiry);
}

static void heap_down(struct mempool *m, uint32_t at, struct expiry expiry)
{
	for (;;) {
		uint32_t first = at * 4 + 1, least = first;

		if (first >= m->heap_count)
			break;
		for (uint32_t child = first + 1; child < first + 4 && child < m->heap_count;
			child++)
			if (m->heap[child].valid_until_ms < m->heap[least].valid_until_ms)
				least = child;
		if (m->heap[least].valid_until_ms >= expiry.valid_until_ms)
			break;
		heap_set(m, at, m->heap[least]);
		at = least;
	}
	heap_set(m, at, expiry);
}

static void heap_add(struct mempool *m, uint32_t at)
{
	struct expiry expiry = {m->entries[at].valid_until_ms, at};

	if (expiry.valid_until_ms == 0)
		return;
	CHECK(m->heap_count < m->options.txs_max);
	heap_up(m, m->heap_count++, expiry);
}

static void heap_remove(struct mempool *m, uint32_t at)
{
	uint32_t hole = m->entries[at].heap_at;
	struct expiry last;

	if (hole-- == 0)
		return;
	m->entries[at].heap_at = 0;
	last = m->heap[--m->heap_count];
	if (last.entry == at)
		return;
	if (last.valid_until_ms < m->heap[hole].valid_until_ms)
		heap_up(m, hole, last);
	else
		heap_down(m, hole, last);
}

/* ---- entries ---- */

uint32_t entry_reserve(struct mempool *m, const struct hash32 *hash, size_t raw_len)
{
	uint32_t at = m->entry_free;

	if (at != MEMPOOL_NOWHERE)
		m->entry_free = m->entries[at].after;
	else if (m->entries_used < m->options.txs_max)
		at = m->entries_used++;
	else
		return MEMPOOL_NOWHERE;
	memset(&m->entries[at], 0, sizeof m->entries[at]);
	m->entries[at].hash = *hash;
	m->entries[at].raw_len = (uint32_t)raw_len;
	m->entries[at].lane = MEMPOOL_NOWHERE;
	m->entries[at].state = ENTRY_RESERVED;
	mempool_table_add(&m->by_hash, at);
	m->reserved_count++;
	m->reserved_bytes += raw_len;
	return at;
}

static void entry_free(struct mempool *m, uint32_t at)
{
	mempool_table_remove(&m->by_hash, at);
	m->entries[at].state = ENTRY_FREE;
	m->entries[at].after = m->entry_free;
	m->entry_free = at;
}

static void reservation_end(struct mempool *m, uint32_t at)
{
	CHECK(m->entries[at].state == ENTRY_RESERVED);
	CHECK(m->reserved_count > 0);
	m->reserved_count--;
	m->reserved_bytes -= m->entries[at].raw_len;
}

void entry_release(struct mempool *m, uint32_t at)
{
	reservation_end(m, at);
	entry_free(m, at);
}

void entry_fill_take(struct mempool *m, uint32_t at, uint8_t *raw)
{
	reservation_end(m, at);
	m->entries[at].raw = raw;
	m->entry_count++;
	m->bytes += m->entries[at].raw_len;
	heap_add(m, at);
}

void entry_leave(struct mempool *m, uint32_t at, enum mempool_leave why)
{
	struct entry *entry = &m->entries[at];
	struct list *list = list_of(m, entry->state);

	CHECK(entry->raw);
	if (list)
		list_remove(m, list, at);
	heap_remove(m, at);
	if (entry->lane != MEMPOOL_NOWHERE) {
		struct lane *lane = &m->lanes[entry->lane];

		lane->occupied &= ~(1ull << entry->sequence % LANE_WINDOW);
		lane->fees -= entry->fee;
		lane->bytes -= entry->raw_len;
		lane->count--;
	}
	m->entry_count--;
	m->bytes -= entry->raw_len;
	if (m->options.left)
		m->options.left(m->options.left_self, &entry->hash,
			bytes_view(entry->raw, entry->raw_len), why);
	free(entry->raw);
	entry->raw = NULL;
	entry_free(m, at);
}

void entry_queue(struct mempool *m, uint32_t at, uint64_t now_ms)
{
	entry_move(m, at, ENTRY_QUEUED, now_ms);
}

/* ---- lanes ---- */

uint32_t lane_find(const struct mempool *m, const struct account_address *address)
{
	return mempool_table_find(&m->by_address, address->b);
}

uint32_t lane_new(struct mempool *m, const struct account_address *address, uint64_t next_sequence,
	uint64_t balance)
{
	uint32_t at = m->lane_free;
	struct lane *lane;

	if (at != MEMPOOL_NOWHERE)
		m->lane_free = m->lanes[at].after;
	else
		at = m->lanes_used++;
	CHECK(at < m->options.txs_max); /* each lane holds at least one entry */
	lane = &m->lanes[at];
	lane->address = *address;
	lane->count = 0;
	lane->next_sequence = next_sequence;
	lane->balance = balance;
	lane->fees = 0;
	lane->occupied = 0;
	lane->bytes = 0;
	lane->ready = 0;
	lane->is_dirty = false;
	mempool_table_add(&m->by_address, at);
	m->lane_count++;
	return at;
}

static void lane_drop(struct mempool *m, uint32_t at)
{
	mempool_table_remove(&m->by_address, at);
	m->lanes[at].after = m->lane_free;
	m->lane_free = at;
	m->lane_count--;
}

/* Joins at the end of the turn. */
static void ring_join(struct mempool *m, uint32_t at)
{
	struct lane *lane = &m->lanes[at];

	if (m->ring_count++ == 0) {
		m->ring = lane->before = lane->after = at;
		return;
	}
	lane->after = m->ring;
	lane->before = m->lanes[m->ring].before;
	m->lanes[lane->before].after = at;
	m->lanes[lane->after].before = at;
}

static void ring_part(struct mempool *m, uint32_t at)
{
	struct lane *lane = &m->lanes[at];

	CHECK(m->ring_count > 0);
	m->ring_count--;
	if (m->ring == at)
		m->ring = lane->after;
	m->lanes[lane->before].after = lane->after;
	m->lanes[lane->after].before = lane->before;
}

uint32_t lane_at(const struct lane *lane, uint64_t sequence)
{
	CHECK(sequence >= lane->next_sequence);
	CHECK(sequence - lane->next_sequence < LANE_WINDOW);
	if (!(lane->occupied >> sequence % LANE_WINDOW & 1))
		return MEMPOOL_NOWHERE;
	return lane->slots[sequence % LANE_WINDOW];
}

void lane_put(struct mempool *m, uint32_t lane_index, uint32_t entry_at, uint64_t now_ms)
{
	struct lane *lane = &m->lanes[lane_index];
	struct entry *entry = &m->entries[entry_at];

	CHECK(lane_at(lane, entry->sequence) == MEMPOOL_NOWHERE);
	lane->occupied |= 1ull << entry->sequence % LANE_WINDOW;
	lane->slots[entry->sequence % LANE_WINDOW] = entry_at;
	lane->fees += entry->fee;
	lane->bytes += entry->raw_len;
	lane->count++;
	CHECK(lane->fees <= lane->balance);
	entry->lane = lane_index;
	/* Within the ready run when it takes the place of one that was: settle can't see that. */
	if (entry->sequence - lane->next_sequence < lane->ready)
		entry_move(m, entry_at, ENTRY_READY, now_ms);
	else
		entry_move(m, entry_at, ENTRY_GAP, now_ms);
}

void lane_advance(struct mempool *m, uint32_t lane_index, uint64_t next_sequence)
{
	struct lane *lane = &m->lanes[lane_index];
	uint64_t steps;

	if (next_sequence <= lane->next_sequence)
		return;
	steps = next_sequence - lane->next_sequence;
	for (uint64_t i = 0; i < steps && i < LANE_WINDOW && lane->count > 0; i++) {
		uint32_t at = lane_at(lane, lane->next_sequence + i);

		if (at != MEMPOOL_NOWHERE)
			entry_leave(m, at, MEMPOOL_STALE);
	}
	lane->next_sequence = next_sequence;
	if (lane->ready > 0 && steps >= lane->ready)
		ring_part(m, lane_index);
	lane->ready = steps < lane->ready ? lane->ready - (uint32_t)steps : 0;
}

/* Bit i: is next_sequence + i there? */
static uint64_t lane_window(const struct lane *lane)
{
	unsigned shift = (unsigned)(lane->next_sequence % LANE_WINDOW);

	return shift == 0 ? lane->occupied
			  : lane->occupied >> shift | lane->occupied << (64 - shift);
}

uint64_t lane_last_sequence(const struct lane *lane)
{
	CHECK(lane->occupied != 0);
	return lane->next_sequence + 63 - (uint64_t)__builtin_clzll(lane_window(lane));
}

void lane_settle(struct mempool *m, uint32_t lane_index, uint64_t now_ms)
{
	struct lane *lane = &m->lanes[lane_index];
	uint64_t missing = ~lane_window(lane);
	uint32_t ready = missing == 0 ? LANE_WINDOW : (uint32_t)__builtin_ctzll(missing);

	for (uint32_t i = lane->ready; i < ready; i++)
		entry_move(m, lane_at(lane, lane->next_sequence + i), ENTRY_READY, now_ms);
	for (uint32_t i = ready; i < lane->ready; i++) {
		uint32_t at = lane_at(lane, lane->next_sequence + i);

		if (at != MEMPOOL_NOWHERE)
			entry_move(m, at, ENTRY_GAP, now_ms);
	}
	if (lane->ready == 0 && ready > 0)
		ring_join(m, lane_index);
	else if (lane->ready > 0 && ready == 0)
		ring_part(m, lane_index);
	lane->ready = ready;
	if (lane->count == 0)
		lane_drop(m, lane_index);
}

/* ---- notes ---- */

bool note_find(const struct mempool *m, const struct hash32 *hash, bool *is_committed)
{
	uint32_t at = mempool_table_find(&m->by_note, hash->b);

	if (at == MEMPOOL_NOWHERE)
		return false;
	*is_committed = m->notes[at].is_committed;
	return true;
}

void note_add(struct mempool *m, const struct hash32 *hash, bool is_committed)
{
	uint32_t at = mempool_table_find(&m->by_note, hash->b);

	if (at != MEMPOOL_NOWHERE) {
		m->notes[at].is_committed = m->notes[at].is_committed || is_committed;
		return;
	}
	at = m->note_at;
	m->note_at = (at + 1) % MEMPOOL_NOTED_MAX;
	if (m->note_count == MEMPOOL_NOTED_MAX)
		mempool_table_remove(&m->by_note, at);
	else
		m->note_count++;
	m->notes[at].hash = *hash;
	m->notes[at].is_committed = is_committed;
	mempool_table_add(&m->by_note, at);
}
