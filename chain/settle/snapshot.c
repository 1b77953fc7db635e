/* Snapshots: the records of the state family in the order of their keys, cut into chunks. A chunk
 * is, for each record, u16be length of the key, u32be length of the value, key, value. The store
 * is held as it was after a block whose height is a multiple of the interval; where each chunk
 * starts and its hash are found out in slices, beside the blocks that follow. */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/endian.h"
#include "chain/settle/machine.h"

enum {
	FORMAT = 1,
	CHUNK_BYTES = 48 * 1024, /* a chunk ends with the record that reaches it */
	SLICE_CHUNKS = 32,
	ROW_HEAD_BYTES = 6,
	CHANGES_MAX = 4096
};

/* ---- making ---- */

static void snapshot_fini(struct settle *settle, struct snapshot *s)
{
	if (s->held)
		store_snapshot_free(settle->store, s->held);
	free(s->starts);
	free(s->leaves);
	memset(s, 0, sizeof *s);
}

static void put_row(struct buf *chunk, struct bytes key, struct bytes value)
{
	uint8_t head[ROW_HEAD_BYTES];

	head[0] = (uint8_t)(key.len >> 8);
	head[1] = (uint8_t)key.len;
	put_u32be(head + 2, (uint32_t)value.len);
	buf_append(chunk, head, sizeof head);
	buf_append_view(chunk, key);
	buf_append_view(chunk, value);
}

/* The chunk that starts at `from`; *next is where the one after it does, empty at the end. */
static enum status read_chunk(struct settle *settle, const struct store_snapshot *held,
	const struct state_key *from, struct buf *chunk, struct state_key *next)
{
	struct store *store = settle->store;
	struct bytes key, value;
	size_t begin = chunk->len;
	enum status status;
	struct store_iterator *it = store_iterate(
		store, held, STORE_STATE, state_key_view(from), bytes_view(NULL, 0), false);

	next->len = 0;
	if (!it)
		return STATUS_NO_MEMORY;
	while ((status = store_next(store, it, &key, &value)) == STATUS_OK) {
		if (key.len > sizeof next->b) {
			status = STATUS_CORRUPT;
			break;
		}
		if (chunk->len - begin >= CHUNK_BYTES ||
			(chunk->len > begin &&
				chunk->len - begin + ROW_HEAD_BYTES + key.len + value.len >
					APP_CHUNK_BYTES_MAX)) {
			memcpy(next->b, key.data, key.len);
			next->len = key.len;
			break;
		}
		put_row(chunk, key, value);
	}
	store_iterator_free(store, it);
	if (status == STATUS_NOT_FOUND)
		status = STATUS_OK;
	if (status == STATUS_OK && !buf_ok(chunk))
		status = STATUS_NO_MEMORY;
	/* One record that no frame can carry. */
	if (status == STATUS_OK && chunk->len - begin > APP_CHUNK_BYTES_MAX)
		status = STATUS_INVALID;
	return status;
}

static bool grow(struct snapshot *s)
{
	uint32_t cap = s->cap ? s->cap * 2 : 64;
	struct state_key *starts;
	struct hash32 *leaves;

	if (s->count < s->cap)
		return true;
	starts = realloc(s->starts, cap * sizeof *starts);
	if (starts)
		s->starts = starts;
	leaves = realloc(s->leaves, cap * sizeof *leaves);
	if (leaves)
		s->leaves = leaves;
	if (!starts || !leaves)
		return false;
	s->cap = cap;
	return true;
}

static void index_chunk(struct settle *settle, struct snapshot *s, struct buf *chunk)
{
	struct state_key next;

	buf_clear(chunk);
	s->fault = grow(s) ? read_chunk(settle, s->held, &s->next, chunk, &next) : STATUS_NO_MEMORY;
	if (s->fault != STATUS_OK)
		return;
	s->starts[s->count] = s->next;
	s->leaves[s->count++] = merkle_leaf(buf_view(chunk));
	s->next = next;
	s->whole = next.len == 0;
}

void snapshots_build(struct settle *settle)
{
	struct snapshot *s = &settle->building;
	struct buf chunk;

	if (s->height == 0 || s->whole)
		return;
	buf_init(&chunk, 0);
	for (int i = 0; i < SLICE_CHUNKS && !s->whole && s->fault == STATUS_OK; i++)
		index_chunk(settle, s, &chunk);
	buf_fini(&chunk);
	if (s->whole) {
		struct merkle_proof proof;
		s->root = merkle_prove(&proof, s->leaves, s->count, 0);
	}
}

void snapshots_turn(struct settle *settle)
{
	struct snapshot *s = &settle->building;
	uint64_t interval = settle->config.snapshot_interval;

	if (s->whole) {
		snapshot_fini(settle, &settle->offered[APP_SNAPSHOTS_MAX - 1]);
		memmove(&settle->offered[1], &settle->offered[0],
			(APP_SNAPSHOTS_MAX - 1) * sizeof settle->offered[0]);
		settle->offered[0] = *s;
		memset(s, 0, sizeof *s);
	}
	if (s->fault != STATUS_OK) {
		log_event(settle->config.log, LOG_UNUSUAL,
			"snapshot_given_up height=%lld reason=\"%s\"", (long long)s->height,
			status_text(s->fault));
		snapshot_fini(settle, s);
	}
	if (interval == 0 || s->height != 0 || (uint64_t)settle->head.height % interval != 0)
		return;
	/* Nothing of the next block is written yet: the store is at this very height. */
	s->held = store_snapshot_new(settle->store);
	s->height = s->held ? settle->head.height : 0;
}

void snapshots_fini(struct settle *settle)
{
	snapshot_fini(settle, &settle->building);
	for (size_t i = 0; i < APP_SNAPSHOTS_MAX; i++)
		snapshot_fini(settle, &settle->offered[i]);
	tree_fini(&settle->restore.tree);
}

/* ---- giving ---- */

size_t settle_list_snapshots(void *self, struct app_snapshot out[APP_SNAPSHOTS_MAX])
{
	const struct settle *settle = self;
	size_t count = 0;

	for (size_t i = 0; i < APP_SNAPSHOTS_MAX; i++) {
		const struct snapshot *s = &settle->offered[i];

		if (s->height != 0)
			out[count++] = (struct app_snapshot){s->height, FORMAT, s->count, s->root};
	}
	return count;
}

enum status settle_load_chunk(
	void *self, int64_t height, uint32_t index, struct buf *chunk, struct merkle_proof *proof)
{
	struct settle *settle = self;

	for (size_t i = 0; i < APP_SNAPSHOTS_MAX; i++) {
		struct snapshot *s = &settle->offered[i];
		struct state_key next;

		if (s->height == 0 || s->height != height || index >= s->count)
			continue;
		merkle_prove(proof, s->leaves, s->count, index);
		return read_chunk(settle, s->held, &s->starts[index], chunk, &next);
	}
	return STATUS_NOT_FOUND;
}

/* ---- taking ---- */

bool settle_offer_snapshot(void *self, const struct app_snapshot *snapshot,
	const struct hash32 *app_hash, struct timestamp time)
{
	struct settle *settle = self;
	struct restore *r = &settle->restore;

	CHECK(settle->head.height == 0);
	if (snapshot->format != FORMAT || snapshot->chunks == 0 || snapshot->height < 1)
		return false;
	tree_fini(&r->tree);
	memset(r, 0, sizeof *r);
	tree_init(&r->tree);
	r->active = true;
	r->about = *snapshot;
	r->app_hash = *app_hash;
	r->block_ms = (uint64_t)timestamp_ms(time);
	return true;
}

/* What the genesis put there. */
static enum status drop_rows(struct settle *settle, struct store_batch *batch)
{
	struct store *store = settle->store;
	struct bytes key, value;
	enum status status;
	struct store_iterator *it = store_iterate(
		store, NULL, STORE_STATE, bytes_view(NULL, 0), bytes_view(NULL, 0), false);

	if (!it)
		return STATUS_NO_MEMORY;
	while ((status = store_next(store, it, &key, &value)) == STATUS_OK)
		store_batch_delete(batch, STORE_STATE, key);
	store_iterator_free(store, it);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Records in the order of their keys, none twice. False: not a chunk of ours. */
static bool next_row(struct restore *r, struct cursor *c, struct bytes *key, struct bytes *value)
{
	uint32_t high = cursor_u8(c);
	uint32_t key_len = high << 8 | cursor_u8(c);
	uint32_t value_len = cursor_u32be(c);

	*key = cursor_view(c, key_len);
	*value = cursor_view(c, value_len);
	if (c->bad || key_len == 0 || key_len > sizeof r->last.b ||
		bytes_compare(*key, state_key_view(&r->last)) <= 0)
		return false;
	memcpy(r->last.b, key->data, key_len);
	r->last.len = key_len;
	return true;
}

static enum status take_rows(
	struct restore *r, struct bytes chunk, struct store_batch *batch, bool *good)
{
	struct tree_change *changes = calloc(CHANGES_MAX, sizeof *changes);
	struct cursor c = cursor_of(chunk);
	enum status status = changes ? STATUS_OK : STATUS_NO_MEMORY;
	size_t count = 0;

	*good = true;
	while (status == STATUS_OK && *good && c.left > 0) {
		struct bytes key, value;

		*good = next_row(r, &c, &key, &value);
		if (!*good)
			break;
		store_batch_put(batch, STORE_STATE, key, value);
		changes[count++] = (struct tree_change){sha256(key), tree_leaf(key, value), false};
		if (count < CHANGES_MAX && c.left > 0)
			continue;
		status = tree_update(&r->tree, changes, count);
		if (status == STATUS_OK)
			tree_commit(&r->tree);
		count = 0;
	}
	free(changes);
	if (status == STATUS_OK && !buf_ok(&batch->ops))
		status = STATUS_NO_MEMORY;
	return status;
}

static bool is_the_state(const struct restore *r)
{
	struct hash32 root = tree_root(&r->tree, TREE_TIP);
	struct hash32 app_hash = app_hash_of(&root);

	return hash_equal(&app_hash, &r->app_hash);
}

enum status settle_apply_chunk(void *self, uint32_t index, struct bytes chunk,
	struct store_batch *batch, enum app_chunk_verdict *verdict)
{
	struct settle *settle = self;
	struct restore *r = &settle->restore;
	enum status status = STATUS_OK;
	bool good;

	CHECK(r->active);
	CHECK(index == r->next);
	*verdict = APP_CHUNK_REFUSED;
	if (index == 0)
		status = drop_rows(settle, batch);
	if (status == STATUS_OK)
		status = take_rows(r, chunk, batch, &good);
	if (status != STATUS_OK)
		return status;
	r->next++;
	if (good && r->next < r->about.chunks) {
		*verdict = APP_CHUNK_TAKEN;
		return STATUS_OK;
	}
	r->active = false;
	if (good && is_the_state(r)) {
		struct settle_head head = {
			.height = r->about.height,
			.app_hash = r->app_hash,
			.chain_tag = settle->config.chain_tag,
			.block_ms = r->block_ms,
		};
		rows_put_head(batch, &head);
		*verdict = APP_CHUNK_LAST;
	}
	tree_fini(&r->tree);
	return buf_ok(&batch->ops) ? STATUS_OK : STATUS_NO_MEMORY;
}
