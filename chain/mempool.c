#include "chain/mempool.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/mempool_pool.h"
#include "chain/tx.h"

static void list_init(struct list *list)
{
	list->head = list->tail = MEMPOOL_NOWHERE;
	list->count = 0;
}

static bool memory_take(struct mempool *m)
{
	uint32_t max = m->options.txs_max;
	const uint8_t *seed = m->options.seed;

	/* calloc, so that what is never used is never resident */
	m->entries = calloc(max, sizeof *m->entries);
	m->lanes = calloc(max, sizeof *m->lanes);
	m->heap = calloc(max, sizeof *m->heap);
	m->scratch = calloc(max, sizeof *m->scratch);
	m->notes = calloc(MEMPOOL_NOTED_MAX, sizeof *m->notes);
	if (!m->entries || !m->lanes || !m->heap || !m->scratch || !m->notes)
		return false;
	return mempool_table_init(&m->by_hash, max, seed, m->entries, sizeof *m->entries,
		       offsetof(struct entry, hash), sizeof(struct hash32)) &&
	       mempool_table_init(&m->by_address, max, seed, m->lanes, sizeof *m->lanes,
		       offsetof(struct lane, address), sizeof(struct account_address)) &&
	       mempool_table_init(&m->by_note, MEMPOOL_NOTED_MAX, seed, m->notes, sizeof *m->notes,
		       offsetof(struct note, hash), sizeof(struct hash32));
}

struct mempool *mempool_new(const struct mempool_options *options)
{
	struct mempool *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->options = *options;
	if (m->options.txs_max == 0)
		m->options.txs_max = MEMPOOL_TXS_MAX;
	if (m->options.bytes_max == 0)
		m->options.bytes_max = MEMPOOL_BYTES_MAX;
	if (m->options.tx_bytes_max == 0)
		m->options.tx_bytes_max = TX_BYTES_MAX;
	CHECK(m->options.tx_bytes_max <= UINT32_MAX);
	m->entry_free = m->lane_free = m->ring = MEMPOOL_NOWHERE;
	list_init(&m->ready);
	list_init(&m->gaps);
	list_init(&m->queue);
	if (!memory_take(m)) {
		mempool_free(m);
		return NULL;
	}
	return m;
}

void mempool_free(struct mempool *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; m->entries && i < m->entries_used; i++)
		if (m->entries[i].state != ENTRY_FREE)
			free(m->entries[i].raw);
	mempool_table_fini(&m->by_hash);
	mempool_table_fini(&m->by_address);
	mempool_table_fini(&m->by_note);
	free(m->entries);
	free(m->lanes);
	free(m->heap);
	free(m->scratch);
	free(m->notes);
	free(m);
}

/* ---- verdicts ---- */

static void verdict_clear(struct mempool_verdict *out)
{
	memset(out, 0, offsetof(struct mempool_verdict, verdict.log) + 1);
	out->outcome = MEMPOOL_OK;
	out->verdict.codespace = "";
	out->verified = out->ready = false;
}

static void verdict_known(struct mempool_verdict *out)
{
	out->outcome = MEMPOOL_KNOWN;
	snprintf(out->verdict.log, APP_LOG_BYTES, "tx already exists in cache");
}

static void verdict_full(struct mempool_verdict *out, const struct mempool *m)
{
	out->outcome = MEMPOOL_FULL;
	snprintf(out->verdict.log, APP_LOG_BYTES,
		"mempool is full: number of txs %" PRIu32 " (max: %" PRIu32
		"), total txs bytes %zu (max: %zu)",
		m->entry_count + m->reserved_count, m->options.txs_max,
		m->bytes + m->reserved_bytes, m->options.bytes_max);
}

static bool refuse(struct mempool_verdict *out, enum settle_code code)
{
	out->outcome = MEMPOOL_REFUSED;
	out->verdict.code = code;
	out->verdict.codespace = "settle";
	return false;
}

/* ---- the rules of a lane [protocol 2] ---- */

/* 10 * fee >= 11 * old, without overflow: the surplus is at least a tenth. */
static bool fee_replaces(uint64_t fee, uint64_t old)
{
	return fee >= old && fee - old >= old / 10 + (old % 10 != 0);
}

/* What a transaction meets in its account's lane; without one, an empty lane. */
struct lane_standing {
	uint64_t next_sequence;
	uint64_t balance;
	uint64_t fees; /* of what waits and would go on waiting */
	size_t bytes;
	uint32_t replaces; /* entry, or MEMPOOL_NOWHERE */
};

static bool sequence_fits(struct mempool_verdict *out, uint64_t next, uint64_t sequence)
{
	if (sequence < next) {
		snprintf(out->verdict.log, APP_LOG_BYTES,
			"stale_sequence: expected %" PRIu64 ", got %" PRIu64, next, sequence);
		return refuse(out, SETTLE_STALE_SEQUENCE);
	}
	if (sequence - next >= LANE_WINDOW) {
		snprintf(out->verdict.log, APP_LOG_BYTES,
			"sequence_gap: expected %" PRIu64 " and at most 63 more, got %" PRIu64,
			next, sequence);
		return refuse(out, SETTLE_SEQUENCE_GAP);
	}
	return true;
}

static bool lane_admits(const struct mempool *m, struct mempool_verdict *out,
	struct lane_standing *standing, const struct lane *lane, uint64_t sequence, uint64_t fee,
	size_t raw_len)
{
	if (lane) {
		standing->next_sequence = lane->next_sequence;
		standing->balance = lane->balance;
		standing->fees = lane->fees;
		standing->bytes = lane->bytes;
	}
	if (!sequence_fits(out, standing->next_sequence, sequence))
		return false;
	standing->replaces = lane ? lane_at(lane, sequence) : MEMPOOL_NOWHERE;
	if (standing->replaces != MEMPOOL_NOWHERE) {
		const struct entry *old = &m->entries[standing->replaces];

		if (!fee_replaces(fee, old->fee)) {
			snprintf(out->verdict.log, APP_LOG_BYTES,
				"sequence_taken: sequence %" PRIu64 " waits with fee %" PRIu64
				"; replacing it takes a tenth more",
				sequence, old->fee);
			return refuse(out, SETTLE_SEQUENCE_TAKEN);
		}
		standing->fees -= old->fee;
		standing->bytes -= old->raw_len;
	}
	/* fees never pass the balance, so the difference can't wrap */
	if (standing->fees > standing->balance || fee > standing->balance - standing->fees) {
		snprintf(out->verdict.log, APP_LOG_BYTES,
			"insufficient_funds: balance %" PRIu64 ", queued fees %" PRIu64
			", fee %" PRIu64,
			standing->balance, standing->fees, fee);
		return refuse(out, SETTLE_INSUFFICIENT_FUNDS);
	}
	if (standing->bytes + raw_len > ACCOUNT_PENDING_BYTES_MAX) {
		snprintf(out->verdict.log, APP_LOG_BYTES,
			"limit: %zu bytes of this account wait already (max: %d)", standing->bytes,
			ACCOUNT_PENDING_BYTES_MAX);
		return refuse(out, SETTLE_LIMIT);
	}
	return true;
}

static bool in_time(struct mempool_verdict *out, uint64_t valid_until_ms, uint64_t now_ms)
{
	if (valid_until_ms == 0 || valid_until_ms >= now_ms)
		return true;
	snprintf(out->verdict.log, APP_LOG_BYTES,
		"tx_expired: valid until %" PRIu64 ", now %" PRIu64, valid_until_ms, now_ms);
	return refuse(out, SETTLE_TX_EXPIRED);
}

/* ---- admission ---- */

bool mempool_known(const struct mempool *m, const struct hash32 *hash)
{
	return mempool_table_find(&m->by_hash, hash->b) != MEMPOOL_NOWHERE;
}

/* With accounts a sequence says this; without, only our memory of the last blocks does. */
static bool committed_lately(const struct mempool *m, const struct hash32 *hash)
{
	bool is_committed = false;

	return note_find(m, hash, &is_committed) && is_committed;
}

static bool has_lane(const struct mempool *m, const struct app_check *check)
{
	return check->has_sender && m->options.account;
}

/* All of phase 1 but the reservation. */
static bool considered(struct mempool *m, struct mempool_verdict *out, const struct hash32 *hash,
	size_t raw_len, const struct app_check *check, uint64_t now_ms)
{
	struct lane_standing standing = {
		check->next_sequence, check->balance, 0, 0, MEMPOOL_NOWHERE};
	uint32_t lane;

	if (raw_len > m->options.tx_bytes_max) {
		out->outcome = MEMPOOL_TOO_LARGE;
		snprintf(out->verdict.log, APP_LOG_BYTES,
			"Tx too large. Max size is %zu, but got %zu", m->options.tx_bytes_max,
			raw_len);
		return false;
	}
	if (mempool_known(m, hash)) {
		verdict_known(out);
		return false;
	}
	if (check->verdict.code != 0) {
		out->outcome = MEMPOOL_REFUSED;
		out->verdict = check->verdict;
		return false;
	}
	if (!in_time(out, check->valid_until_ms, now_ms))
		return false;
	if (!has_lane(m, check) && committed_lately(m, hash)) {
		verdict_known(out);
		return false;
	}
	if (has_lane(m, check)) {
		lane = lane_find(m, &check->sender);
		if (!lane_admits(m, out, &standing,
			    lane == MEMPOOL_NOWHERE ? NULL : &m->lanes[lane], check->sequence,
			    check->fee, raw_len))
			return false;
	}
	if (raw_len > m->options.bytes_max - m->bytes - m->reserved_bytes) {
		verdict_full(out, m);
		return false;
	}
	return true;
}

void mempool_consider(struct mempool *m, struct mempool_verdict *out, const struct hash32 *hash,
	size_t raw_len, const struct app_check *check, uint64_t now_ms)
{
	struct entry *entry;
	bool is_committed;
	uint32_t at;

	verdict_clear(out);
	if (!considered(m, out, hash, raw_len, check, now_ms))
		return;
	at = entry_reserve(m, hash, raw_len);
	if (at == MEMPOOL_NOWHERE) {
		verdict_full(out, m);
		return;
	}
	entry = &m->entries[at];
	entry->sequence = check->sequence;
	entry->fee = check->fee;
	entry->valid_until_ms = check->valid_until_ms;
	entry->has_sender = has_lane(m, check);
	entry->sender = check->sender;
	entry->next_sequence = check->next_sequence;
	entry->balance = check->balance;
	entry->generation = m->generation;
	out->verified = note_find(m, hash, &is_committed);
}

/* The lane as it stands now; NULL with a standing of the account's newest state when it has none.
 */
static struct lane *lane_now(struct mempool *m, const struct entry *entry,
	struct lane_standing *standing, uint32_t *lane_index)
{
	*lane_index = lane_find(m, &entry->sender);
	if (*lane_index != MEMPOOL_NOWHERE)
		return &m->lanes[*lane_index];
	standing->next_sequence = entry->next_sequence;
	standing->balance = entry->balance;
	/* An account that is gone has nothing to pay with. */
	if (entry->generation != m->generation &&
		!m->options.account(m->options.account_self, &entry->sender,
			&standing->next_sequence, &standing->balance))
		standing->balance = 0;
	return NULL;
}

static uint8_t *copy_of(struct bytes raw)
{
	uint8_t *copy = malloc(raw.len > 0 ? raw.len : 1);

	if (copy && raw.len > 0)
		memcpy(copy, raw.data, raw.len);
	return copy;
}

static bool add_to_lane(struct mempool *m, struct mempool_verdict *out, uint32_t at,
	struct bytes raw, uint64_t now_ms)
{
	struct entry *entry = &m->entries[at];
	struct lane_standing standing = {0, 0, 0, 0, MEMPOOL_NOWHERE};
	uint32_t lane_index;
	struct lane *lane = lane_now(m, entry, &standing, &lane_index);
	uint8_t *copy;

	if (!lane_admits(m, out, &standing, lane, entry->sequence, entry->fee, raw.len))
		return false;
	copy = copy_of(raw);
	if (!copy) {
		verdict_full(out, m);
		return false;
	}
	if (standing.replaces != MEMPOOL_NOWHERE)
		entry_leave(m, standing.replaces, MEMPOOL_REPLACED);
	else if (!lane)
		lane_index = lane_new(m, &entry->sender, standing.next_sequence, standing.balance);
	entry_fill_take(m, at, copy);
	lane_put(m, lane_index, at, now_ms);
	lane_settle(m, lane_index, now_ms);
	out->ready = entry->state == ENTRY_READY;
	return true;
}

static bool add_to_queue(struct mempool *m, struct mempool_verdict *out, uint32_t at,
	struct bytes raw, uint64_t now_ms)
{
	uint8_t *copy;

	if (committed_lately(m, &m->entries[at].hash)) {
		verdict_known(out);
		return false;
	}
	copy = copy_of(raw);
	if (!copy) {
		verdict_full(out, m);
		return false;
	}
	entry_fill_take(m, at, copy);
	entry_queue(m, at, now_ms);
	out->ready = true;
	return true;
}

void mempool_add(struct mempool *m, struct mempool_verdict *out, const struct hash32 *hash,
	struct bytes raw, uint64_t now_ms)
{
	uint32_t at = mempool_table_find(&m->by_hash, hash->b);
	struct entry *entry;
	bool added;

	CHECK(at != MEMPOOL_NOWHERE);
	entry = &m->entries[at];
	CHECK(entry->state == ENTRY_RESERVED);
	CHECK(entry->raw_len == raw.len);
	verdict_clear(out);
	added = in_time(out, entry->valid_until_ms, now_ms) &&
		(entry->has_sender ? add_to_lane(m, out, at, raw, now_ms)
				   : add_to_queue(m, out, at, raw, now_ms));
	if (!added)
		entry_release(m, at);
}

void mempool_release(struct mempool *m, const struct hash32 *hash)
{
	uint32_t at = mempool_table_find(&m->by_hash, hash->b);

	CHECK(at != MEMPOOL_NOWHERE);
	entry_release(m, at);
}

bool mempool_has_verified(const struct mempool *m, const struct hash32 *hash)
{
	uint32_t at = mempool_table_find(&m->by_hash, hash->b);
	bool is_committed;

	if (at != MEMPOOL_NOWHERE && m->entries[at].state != ENTRY_RESERVED)
		return true;
	return note_find(m, hash, &is_committed);
}

void mempool_note_verified(struct mempool *m, const struct hash32 *hash)
{
	note_add(m, hash, false);
}

/* ---- leaving ---- */

/* One transaction out, its lane in order. */
static void drop(struct mempool *m, uint32_t at, enum mempool_leave why, uint64_t now_ms)
{
	uint32_t lane = m->entries[at].lane;

	entry_leave(m, at, why);
	if (lane != MEMPOOL_NOWHERE)
		lane_settle(m, lane, now_ms);
}

void mempool_drop(struct mempool *m, const struct hash32 *hash, uint64_t now_ms)
{
	uint32_t at = mempool_table_find(&m->by_hash, hash->b);

	if (at != MEMPOOL_NOWHERE && m->entries[at].state != ENTRY_RESERVED)
		drop(m, at, MEMPOOL_DROPPED, now_ms);
}

/* The account as the last block left it. An account is never removed; one that the machine doesn't
 * know any more has no next sequence that could be waited for. */
static void lane_refresh(struct mempool *m, uint32_t lane_index, uint64_t now_ms)
{
	struct lane *lane = &m->lanes[lane_index];
	uint64_t next = lane->next_sequence, balance = 0;

	lane->is_dirty = false;
	if (lane->count > 0) {
		if (!m->options.account(m->options.account_self, &lane->address, &next, &balance))
			balance = 0, next = UINT64_MAX;
		lane_advance(m, lane_index, next);
		while (lane->fees > balance)
			entry_leave(m, lane_at(lane, lane_last_sequence(lane)), MEMPOOL_UNFUNDED);
		lane->balance = balance;
	}
	lane_settle(m, lane_index, now_ms);
}

/* Lists a lane for a refresh, once. */
static void lane_list(struct mempool *m, uint32_t lane_index, uint32_t *dirty_count)
{
	if (m->lanes[lane_index].is_dirty)
		return;
	m->lanes[lane_index].is_dirty = true;
	m->scratch[(*dirty_count)++] = lane_index;
}

void mempool_committed(struct mempool *m, const struct hash32 *hashes, size_t hash_count,
	const struct app_touch *touches, size_t touch_count, uint64_t now_ms)
{
	uint32_t dirty_count = 0;

	m->generation++;
	for (size_t i = 0; i < hash_count; i++) {
		uint32_t at = mempool_table_find(&m->by_hash, hashes[i].b);

		if (at == MEMPOOL_NOWHERE || !m->entries[at].has_sender)
			note_add(m, &hashes[i], true);
		if (at == MEMPOOL_NOWHERE || m->entries[at].state == ENTRY_RESERVED)
			continue;
		if (m->entries[at].lane != MEMPOOL_NOWHERE)
			lane_list(m, m->entries[at].lane, &dirty_count);
		entry_leave(m, at, MEMPOOL_COMMITTED);
	}
	for (size_t i = 0; i < touch_count && m->lane_count > 0; i++) {
		uint32_t lane = lane_find(m, &touches[i].account);

		if (lane != MEMPOOL_NOWHERE)
			lane_list(m, lane, &dirty_count);
	}
	for (uint32_t i = 0; i < dirty_count; i++)
		lane_refresh(m, m->scratch[i], now_ms);
	mempool_tick(m, now_ms);
}

void mempool_recheck(struct mempool *m, uint64_t now_ms)
{
	m->generation++;
	for (uint32_t i = 0; i < m->lanes_used; i++)
		if (m->lanes[i].count > 0)
			lane_refresh(m, i, now_ms);
	mempool_tick(m, now_ms);
}

void mempool_tick(struct mempool *m, uint64_t now_ms)
{
	while (m->heap_count > 0 && m->heap[0].valid_until_ms < now_ms)
		drop(m, m->heap[0].entry, MEMPOOL_EXPIRED, now_ms);
	while (m->gaps.count > 0 && now_ms >= m->entries[m->gaps.head].since_ms &&
		now_ms - m->entries[m->gaps.head].since_ms >= MEMPOOL_GAP_MS_MAX)
		drop(m, m->gaps.head, MEMPOOL_GAP, now_ms);
}

uint64_t mempool_next_tick_ms(const struct mempool *m)
{
	uint64_t next = UINT64_MAX;

	if (m->heap_count > 0 && m->heap[0].valid_until_ms < UINT64_MAX)
		next = m->heap[0].valid_until_ms + 1;
	if (m->gaps.count > 0 && m->entries[m->gaps.head].since_ms + MEMPOOL_GAP_MS_MAX < next)
		next = m->entries[m->gaps.head].since_ms + MEMPOOL_GAP_MS_MAX;
	return next;
}

void mempool_flush(struct mempool *m)
{
	void (*left)(void *, const struct hash32 *, struct bytes, enum mempool_leave) =
		m->options.left;

	m->options.left = NULL;
	for (uint32_t i = 0; i < m->entries_used; i++)
		if (m->entries[i].state != ENTRY_FREE && m->entries[i].state != ENTRY_RESERVED)
			drop(m, i, MEMPOOL_DROPPED, 0);
	m->options.left = left;
}
