/* What reads the mempool: a proposal's transactions, lists, counts. */
#include <string.h>

#include "chain/mempool_pool.h"

/* How many transactions that don't fit a nearly full block are tried before it is called full. */
enum { MISSES_MAX = 64 };

static size_t varint_bytes(size_t value)
{
	size_t bytes = 1;

	for (; value >= 0x80; value >>= 7)
		bytes++;
	return bytes;
}

size_t mempool_block_bytes(size_t raw_len)
{
	return 1 + varint_bytes(raw_len) + raw_len;
}

static void view_of(struct app_tx *out, const struct entry *entry)
{
	out->raw = bytes_view(entry->raw, entry->raw_len);
	out->hash = entry->hash;
	out->verified = true;
}

struct reap {
	struct app_tx *out;
	size_t out_max;
	size_t count;
	size_t bytes_left;
	uint32_t misses;
};

/* False: doesn't fit. */
static bool reap_take(struct reap *reap, const struct entry *entry)
{
	size_t bytes = mempool_block_bytes(entry->raw_len);

	if (bytes > reap->bytes_left) {
		reap->misses++;
		return false;
	}
	reap->bytes_left -= bytes;
	view_of(&reap->out[reap->count++], entry);
	return true;
}

static bool reap_goes_on(const struct reap *reap)
{
	return reap->count < reap->out_max && reap->misses < MISSES_MAX;
}

static void reap_queue(const struct mempool *m, struct reap *reap)
{
	for (uint32_t at = m->queue.head; at != MEMPOOL_NOWHERE && reap_goes_on(reap);
		at = m->entries[at].after)
		if (!reap_take(reap, &m->entries[at]))
			return;
}

/* Round after round, one transaction of each lane that has one left; the lanes stand in scratch.
 * Returns the last lane that was served. */
static uint32_t reap_rounds(struct mempool *m, struct reap *reap, uint32_t lane_count)
{
	uint32_t last = MEMPOOL_NOWHERE;

	while (lane_count > 0 && reap_goes_on(reap)) {
		uint32_t kept = 0;

		for (uint32_t i = 0; i < lane_count && reap_goes_on(reap); i++) {
			struct lane *lane = &m->lanes[m->scratch[i]];
			uint64_t sequence = lane->next_sequence + lane->taken;

			if (!reap_take(reap, &m->entries[lane_at(lane, sequence)]))
				continue;
			last = m->scratch[i];
			if (++lane->taken < lane->ready)
				m->scratch[kept++] = m->scratch[i];
		}
		lane_count = kept;
	}
	return last;
}

size_t mempool_reap(struct mempool *m, struct app_tx *out, size_t out_max, size_t block_bytes_max,
	uint64_t now_ms)
{
	struct reap reap = {out, out_max, 0, block_bytes_max, 0};
	uint32_t lane_count, last;

	mempool_tick(m, now_ms);
	reap_queue(m, &reap);
	/* Each lane gives at least one, so more lanes than places can't all have a turn. */
	lane_count = m->ring_count < out_max ? m->ring_count : (uint32_t)out_max;
	for (uint32_t i = 0, at = m->ring; i < lane_count; i++, at = m->lanes[at].after) {
		m->lanes[at].taken = 0;
		m->scratch[i] = at;
	}
	last = reap_rounds(m, &reap, lane_count);
	if (last != MEMPOOL_NOWHERE)
		m->ring = m->lanes[last].after;
	return reap.count;
}

struct mempool_counts mempool_counts(const struct mempool *m)
{
	struct mempool_counts counts = {
		.txs = m->entry_count,
		.ready = m->ready.count + m->queue.count,
		.reserved = m->reserved_count,
		.lanes = m->lane_count,
		.bytes = m->bytes,
		.ready_since_ms = UINT64_MAX,
	};

	if (m->ready.count > 0)
		counts.ready_since_ms = m->entries[m->ready.head].since_ms;
	if (m->queue.count > 0 && m->entries[m->queue.head].since_ms < counts.ready_since_ms)
		counts.ready_since_ms = m->entries[m->queue.head].since_ms;
	return counts;
}

bool mempool_find(const struct mempool *m, struct bytes *raw, const struct hash32 *hash)
{
	uint32_t at = mempool_table_find(&m->by_hash, hash->b);

	if (at == MEMPOOL_NOWHERE || m->entries[at].state == ENTRY_RESERVED)
		return false;
	*raw = bytes_view(m->entries[at].raw, m->entries[at].raw_len);
	return true;
}

size_t mempool_list(const struct mempool *m, struct app_tx *out, size_t out_max)
{
	const struct list *const lists[] = {&m->queue, &m->ready, &m->gaps};
	size_t count = 0;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (uint32_t at = lists[i]->head; at != MEMPOOL_NOWHERE && count < out_max;
			at = m->entries[at].after)
			view_of(&out[count++], &m->entries[at]);
	return count;
}

bool mempool_account(
	const struct mempool *m, struct mempool_lane *out, const struct account_address *address)
{
	uint32_t at = lane_find(m, address);
	const struct lane *lane;

	if (at == MEMPOOL_NOWHERE)
		return false;
	lane = &m->lanes[at];
	out->next_sequence = lane->next_sequence;
	out->free_sequence = lane->next_sequence + lane->ready;
	out->fees = lane->fees;
	out->balance = lane->balance;
	out->txs = lane->count;
	out->ready = lane->ready;
	out->bytes = lane->bytes;
	return true;
}
