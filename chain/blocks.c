#include "chain/blocks.h"

#include <string.h>

#include "base/endian.h"
#include "base/limits.h"
#include "chain/block_walk.h"
#include "chain/format/validators.h"
#include "chain/format/wire.h"

/* Keys of STORE_META. Heights are u64be and so start with a zero byte; texts don't. On disk. */
#define KEY_HEAD       "head"
#define KEY_HASH       "h/" /* block hash -> u64be height */
#define KEY_VALIDATORS "v/" /* u64be height -> ValidatorSet, where increments don't lead to it */
enum { KEY_PREFIX_BYTES = 2 };

struct height_key {
	uint8_t b[8];
};

static struct height_key height_key_of(int64_t height)
{
	struct height_key key;

	put_u64be(key.b, (uint64_t)height);
	return key;
}

static struct bytes height_view(const struct height_key *key)
{
	return bytes_view(key->b, sizeof key->b);
}

struct hash_key {
	uint8_t b[KEY_PREFIX_BYTES + 32];
};

static bool hash_key_of(struct hash_key *key, struct bytes hash)
{
	if (hash.len != 32)
		return false;
	memcpy(key->b, KEY_HASH, KEY_PREFIX_BYTES);
	memcpy(key->b + KEY_PREFIX_BYTES, hash.data, 32);
	return true;
}

struct validators_key {
	uint8_t b[KEY_PREFIX_BYTES + 8];
};

static struct validators_key validators_key_of(int64_t height)
{
	struct validators_key key;

	memcpy(key.b, KEY_VALIDATORS, KEY_PREFIX_BYTES);
	put_u64be(key.b + KEY_PREFIX_BYTES, (uint64_t)height);
	return key;
}

enum { PLACE_BYTES = 8 + 4 };

static void place_pack(uint8_t out[PLACE_BYTES], struct tx_place place)
{
	put_u64be(out, (uint64_t)place.height);
	put_u32be(out + 8, place.index);
}

/* ---- writing ---- */

static void put_packed(struct store_batch *batch, enum store_family family, struct bytes key,
	const ProtobufCMessage *message, struct buf *scratch)
{
	buf_clear(scratch);
	wire_append(scratch, message);
	if (buf_ok(scratch))
		store_batch_put(batch, family, key, buf_view(scratch));
	else
		batch->ops.failed = true;
}

static bool set_equal(const struct validator_set *a, const struct validator_set *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		if (memcmp(a->v[i].key.b, b->v[i].key.b, sizeof a->v[i].key.b) != 0)
			return false;
		if (a->v[i].power != b->v[i].power || a->v[i].priority != b->v[i].priority)
			return false;
	}
	return true;
}

static void put_validators(struct store_batch *batch, int64_t height,
	const Pb__ValidatorSet *validators, struct buf *scratch)
{
	struct validators_key key = validators_key_of(height);

	put_packed(batch, STORE_META, bytes_view(key.b, sizeof key.b), &validators->base, scratch);
}

/* The set of head.height + 2 needs a row when one increment of the set before it doesn't give it,
 * and once in a while, so that reading one never walks far. */
static enum status put_next_validators(
	struct store_batch *batch, const Pb__Head *head, struct buf *scratch)
{
	int64_t height = head->height + 2;
	struct validator_set walked, next;

	if (!head->validators || !head->next_validators ||
		!validator_set_from_pb(&walked, head->validators) ||
		!validator_set_from_pb(&next, head->next_validators))
		return STATUS_CORRUPT;
	validator_set_increment(&walked, 1);
	if (!set_equal(&walked, &next) || height % VALIDATOR_ROWS_HEIGHTS == 0)
		put_validators(batch, height, head->next_validators, scratch);
	return STATUS_OK;
}

static void put_head(struct store_batch *batch, const Pb__Head *head, struct buf *scratch)
{
	put_packed(batch, STORE_META, bytes_of_text(KEY_HEAD), &head->base, scratch);
}

enum status blocks_put_genesis(struct store_batch *batch, const Pb__Head *head)
{
	struct buf scratch;
	enum status status;

	buf_init(&scratch, 0);
	status = put_next_validators(batch, head, &scratch);
	if (status == STATUS_OK) {
		put_validators(batch, head->height + 1, head->validators, &scratch);
		put_head(batch, head, &scratch);
	}
	buf_fini(&scratch);
	return status;
}

static void put_tx_places(struct store_batch *batch, const struct blocks_entry *entry)
{
	uint8_t value[PLACE_BYTES];

	for (size_t i = 0; i < entry->tx_count; i++) {
		struct tx_place place = {entry->head->height, (uint32_t)i};

		place_pack(value, place);
		store_batch_put(batch, STORE_TXS, hash_view(&entry->tx_hashes[i]),
			bytes_view(value, sizeof value));
	}
}

/* What a block says of the one before it outranks what this node saw itself. */
static void put_commits(struct store_batch *batch, const struct blocks_entry *entry,
	struct bytes last_commit, struct buf *scratch)
{
	int64_t height = entry->head->height;
	struct height_key key = height_key_of(height);
	struct height_key before = height_key_of(height - 1);

	put_packed(batch, STORE_COMMITS, height_view(&key), &entry->seen_commit->base, scratch);
	if (field_varint(last_commit, 1) == (uint64_t)height - 1 && height > 1)
		store_batch_put(batch, STORE_COMMITS, height_view(&before), last_commit);
}

enum status blocks_put(struct store_batch *batch, const struct blocks_entry *entry)
{
	int64_t height = entry->head->height;
	struct height_key key = height_key_of(height);
	struct block_sections sections;
	struct hash_key hash;
	struct buf scratch;
	enum status status;

	CHECK(height > 0);
	if (!entry->meta->block_id || !hash_key_of(&hash, wire_view(entry->meta->block_id->hash)) ||
		!block_sections(&sections, entry->raw))
		return STATUS_CORRUPT;
	buf_init(&scratch, 0);
	status = put_next_validators(batch, entry->head, &scratch);
	if (status == STATUS_OK) {
		store_batch_put(batch, STORE_BLOCKS, height_view(&key), entry->raw);
		put_packed(batch, STORE_META, height_view(&key), &entry->meta->base, &scratch);
		store_batch_put(
			batch, STORE_META, bytes_view(hash.b, sizeof hash.b), height_view(&key));
		put_commits(batch, entry, sections.last_commit, &scratch);
		put_packed(
			batch, STORE_RESULTS, height_view(&key), &entry->results->base, &scratch);
		put_tx_places(batch, entry);
		put_head(batch, entry->head, &scratch);
	}
	buf_fini(&scratch);
	return status;
}

/* Sets that lie before the restored block are unknown; a row of the genesis would tell wrong ones.
 */
static enum status drop_validators(struct store_batch *batch, struct store *store)
{
	struct validators_key from = validators_key_of(0), to = validators_key_of(INT64_MAX);
	struct bytes key, value;
	struct store_iterator *rows = store_iterate(store, NULL, STORE_META,
		bytes_view(from.b, sizeof from.b), bytes_view(to.b, sizeof to.b), false);
	enum status status;

	if (!rows)
		return STATUS_NO_MEMORY;
	while ((status = store_next(store, rows, &key, &value)) == STATUS_OK)
		store_batch_delete(batch, STORE_META, key);
	store_iterator_free(store, rows);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status blocks_put_restored(
	struct store_batch *batch, struct store *store, const struct blocks_entry *entry)
{
	const Pb__Head *head = entry->head;
	struct height_key key = height_key_of(head->height);
	struct hash_key hash;
	struct buf scratch;
	enum status status = drop_validators(batch, store);

	if (status != STATUS_OK)
		return status;
	if (!hash_key_of(&hash, wire_view(entry->meta->block_id->hash)))
		return STATUS_CORRUPT;
	buf_init(&scratch, 0);
	store_batch_put(batch, STORE_BLOCKS, height_view(&key), entry->raw);
	put_packed(batch, STORE_META, height_view(&key), &entry->meta->base, &scratch);
	store_batch_put(batch, STORE_META, bytes_view(hash.b, sizeof hash.b), height_view(&key));
	put_packed(batch, STORE_COMMITS, height_view(&key), &entry->seen_commit->base, &scratch);
	put_validators(batch, head->height, head->last_validators, &scratch);
	put_validators(batch, head->height + 1, head->validators, &scratch);
	put_validators(batch, head->height + 2, head->next_validators, &scratch);
	put_head(batch, head, &scratch);
	buf_fini(&scratch);
	return buf_ok(&batch->ops) ? STATUS_OK : STATUS_NO_MEMORY;
}

void blocks_put_record(struct store_batch *batch, const char *key, struct bytes value)
{
	CHECK(key[0] == '/');
	store_batch_put(batch, STORE_META, bytes_of_text(key), value);
}

/* ---- reading ---- */

static enum status read_message(struct store *store, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes key, struct arena *arena,
	const ProtobufCMessageDescriptor *type, const ProtobufCMessage **out)
{
	struct buf packed;
	enum status status;

	buf_init(&packed, 0);
	status = store_get(store, snapshot, family, key, &packed);
	if (status == STATUS_OK) {
		*out = protobuf_c_message_unpack(
			type, arena_protobuf(arena), packed.len, packed.data);
		if (!*out)
			status = arena->exhausted ? STATUS_NO_MEMORY : STATUS_CORRUPT;
	}
	buf_fini(&packed);
	return status;
}

enum status blocks_head(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, const Pb__Head **out)
{
	const ProtobufCMessage *message = NULL;
	enum status status = read_message(store, snapshot, STORE_META, bytes_of_text(KEY_HEAD),
		arena, &pb__head__descriptor, &message);

	*out = (const Pb__Head *)message;
	return status;
}

enum status blocks_span(struct store *store, const struct store_snapshot *snapshot,
	int64_t *height_min, int64_t *height_max)
{
	struct buf packed;
	enum status status;

	buf_init(&packed, 0);
	status = store_get(store, snapshot, STORE_META, bytes_of_text(KEY_HEAD), &packed);
	if (status == STATUS_OK) {
		*height_max = (int64_t)field_varint(buf_view(&packed), 1);
		*height_min = (int64_t)field_varint(buf_view(&packed), 9);
		if (*height_min <= 0)
			*height_min = *height_max + 1;
	}
	buf_fini(&packed);
	return status;
}

enum status blocks_raw(
	struct store *store, const struct store_snapshot *snapshot, int64_t height, struct buf *out)
{
	struct height_key key = height_key_of(height);

	return store_get(store, snapshot, STORE_BLOCKS, height_view(&key), out);
}

enum status blocks_meta(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, int64_t height, const Pb__BlockMeta **out)
{
	struct height_key key = height_key_of(height);
	const ProtobufCMessage *message = NULL;
	enum status status = read_message(store, snapshot, STORE_META, height_view(&key), arena,
		&pb__block_meta__descriptor, &message);

	*out = (const Pb__BlockMeta *)message;
	return status;
}

enum status blocks_height_of(struct store *store, const struct store_snapshot *snapshot,
	const struct hash32 *block_hash, int64_t *height)
{
	struct hash_key key;
	enum status status;
	struct buf value;

	CHECK(hash_key_of(&key, hash_view(block_hash)));
	buf_init(&value, 0);
	status = store_get(store, snapshot, STORE_META, bytes_view(key.b, sizeof key.b), &value);
	if (status == STATUS_OK && value.len != 8)
		status = STATUS_CORRUPT;
	if (status == STATUS_OK)
		*height = (int64_t)get_u64be(value.data);
	buf_fini(&value);
	return status;
}

/* The head is read first: without a snapshot the row may become canonical in between, which does no
 * harm, but never the other way round. */
enum status blocks_commit(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, int64_t height, const Pb__Commit **out, bool *canonical)
{
	struct height_key key = height_key_of(height);
	const ProtobufCMessage *message = NULL;
	int64_t lowest, tip;
	enum status status = blocks_span(store, snapshot, &lowest, &tip);

	*out = NULL;
	if (status != STATUS_OK)
		return status;
	status = read_message(store, snapshot, STORE_COMMITS, height_view(&key), arena,
		&pb__commit__descriptor, &message);
	*out = (const Pb__Commit *)message;
	*canonical = height < tip;
	return status;
}

enum status blocks_results(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, int64_t height, const Pb__BlockResults **out)
{
	struct height_key key = height_key_of(height);
	const ProtobufCMessage *message = NULL;
	enum status status = read_message(store, snapshot, STORE_RESULTS, height_view(&key), arena,
		&pb__block_results__descriptor, &message);

	*out = (const Pb__BlockResults *)message;
	return status;
}

/* The newest validator row at or below a height. */
static enum status validators_row(struct store *store, const struct store_snapshot *snapshot,
	int64_t height, struct validator_set *out, int64_t *row_height)
{
	struct validators_key from = validators_key_of(0), to = validators_key_of(height + 1);
	struct bytes key, value;
	struct store_iterator *rows = store_iterate(store, snapshot, STORE_META,
		bytes_view(from.b, sizeof from.b), bytes_view(to.b, sizeof to.b), true);
	Pb__ValidatorSet *set;
	enum status status;

	if (!rows)
		return STATUS_NO_MEMORY;
	status = store_next(store, rows, &key, &value);
	if (status == STATUS_OK) {
		set = pb__validator_set__unpack(NULL, value.len, value.data);
		if (!set || key.len != sizeof from.b || !validator_set_from_pb(out, set))
			status = STATUS_CORRUPT;
		else
			*row_height = (int64_t)get_u64be(key.data + KEY_PREFIX_BYTES);
		if (set)
			pb__validator_set__free_unpacked(set, NULL);
	}
	store_iterator_free(store, rows);
	return status;
}

enum status blocks_validators(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, int64_t height, const Pb__ValidatorSet **out)
{
	int64_t lowest, tip, row_height = 0;
	struct validator_set set;
	enum status status = blocks_span(store, snapshot, &lowest, &tip);

	*out = NULL;
	if (status != STATUS_OK)
		return status;
	if (height < 0 || height > tip + 2)
		return STATUS_NOT_FOUND;
	status = validators_row(store, snapshot, height, &set, &row_height);
	if (status != STATUS_OK)
		return status;
	for (; row_height < height; row_height++)
		validator_set_increment(
			&set, 1); /* one by one, as the chain did: rescaling is per call */
	*out = validator_set_to_pb(&set, arena);
	return *out ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status blocks_tx_place(struct store *store, const struct store_snapshot *snapshot,
	const struct hash32 *tx_hash, struct tx_place *out)
{
	struct buf value;
	enum status status;

	buf_init(&value, 0);
	status = store_get(store, snapshot, STORE_TXS, hash_view(tx_hash), &value);
	if (status == STATUS_OK && value.len != PLACE_BYTES)
		status = STATUS_CORRUPT;
	if (status == STATUS_OK) {
		out->height = (int64_t)get_u64be(value.data);
		out->index = get_u32be(value.data + 8);
	}
	buf_fini(&value);
	return status;
}

enum status blocks_tx(struct store *store, const struct store_snapshot *snapshot,
	struct tx_place place, struct buf *out)
{
	struct block_sections sections;
	struct bytes tx;
	struct buf raw;
	enum status status;

	buf_init(&raw, 0);
	status = blocks_raw(store, snapshot, place.height, &raw);
	if (status == STATUS_OK && !block_sections(&sections, buf_view(&raw)))
		status = STATUS_CORRUPT;
	if (status == STATUS_OK && !field_bytes_at(&tx, sections.data, 1, place.index))
		status = STATUS_NOT_FOUND;
	if (status == STATUS_OK) {
		buf_append_view(out, tx);
		status = buf_ok(out) ? STATUS_OK : STATUS_NO_MEMORY;
	}
	buf_fini(&raw);
	return status;
}

enum status blocks_tx_result(struct store *store, const struct store_snapshot *snapshot,
	struct arena *arena, struct tx_place place, const Pb__ExecTxResult **out)
{
	struct height_key key = height_key_of(place.height);
	struct bytes result;
	struct buf packed;
	enum status status;

	*out = NULL;
	buf_init(&packed, 0);
	status = store_get(store, snapshot, STORE_RESULTS, height_view(&key), &packed);
	if (status == STATUS_OK && !field_bytes_at(&result, buf_view(&packed), 1, place.index))
		status = STATUS_NOT_FOUND;
	if (status == STATUS_OK) {
		*out = pb__exec_tx_result__unpack(arena_protobuf(arena), result.len, result.data);
		if (!*out)
			status = arena->exhausted ? STATUS_NO_MEMORY : STATUS_CORRUPT;
	}
	buf_fini(&packed);
	return status;
}

enum status blocks_record(struct store *store, const struct store_snapshot *snapshot,
	const char *key, struct buf *out)
{
	CHECK(key[0] == '/');
	return store_get(store, snapshot, STORE_META, bytes_of_text(key), out);
}

/* ---- pruning ---- */

/* A hash row leaves only if it names this block: the same bytes may have come again later. */
static enum status prune_txs(
	struct store_batch *batch, struct store *store, int64_t height, struct bytes data)
{
	struct bytes tx;
	size_t at = 0;

	while (block_tx_next(&tx, &at, data)) {
		struct hash32 hash = sha256(tx);
		struct tx_place place;
		enum status status = blocks_tx_place(store, NULL, &hash, &place);

		if (status == STATUS_NOT_FOUND)
			continue;
		if (status != STATUS_OK)
			return status;
		if (place.height == height)
			store_batch_delete(batch, STORE_TXS, hash_view(&hash));
	}
	return STATUS_OK;
}

static enum status prune_hash(struct store_batch *batch, struct store *store, int64_t height)
{
	struct height_key key = height_key_of(height);
	struct bytes id, hash_bytes;
	struct hash_key hash;
	struct buf meta;
	enum status status;

	buf_init(&meta, 0);
	status = store_get(store, NULL, STORE_META, height_view(&key), &meta);
	if (status == STATUS_OK) {
		if (field_bytes_at(&id, buf_view(&meta), 1, 0) &&
			field_bytes_at(&hash_bytes, id, 1, 0) && hash_key_of(&hash, hash_bytes))
			store_batch_delete(batch, STORE_META, bytes_view(hash.b, sizeof hash.b));
		else
			status = STATUS_CORRUPT;
	}
	buf_fini(&meta);
	return status;
}

enum status blocks_prune(struct store_batch *batch, struct store *store, int64_t height)
{
	struct height_key key = height_key_of(height);
	struct block_sections sections;
	struct buf raw;
	enum status status;

	buf_init(&raw, 0);
	status = blocks_raw(store, NULL, height, &raw);
	if (status == STATUS_OK && !block_sections(&sections, buf_view(&raw)))
		status = STATUS_CORRUPT;
	if (status == STATUS_OK)
		status = prune_hash(batch, store, height);
	if (status == STATUS_OK)
		status = prune_txs(batch, store, height, sections.data);
	if (status == STATUS_OK) {
		store_batch_delete(batch, STORE_BLOCKS, height_view(&key));
		store_batch_delete(batch, STORE_META, height_view(&key));
		store_batch_delete(batch, STORE_COMMITS, height_view(&key));
		store_batch_delete(batch, STORE_RESULTS, height_view(&key));
	}
	buf_fini(&raw);
	return status;
}
