#include "chain/store.h"

#include <string.h>

#include "base/endian.h"

/* One op in a batch: kind and family in a byte, key length, value length, key, value. In memory
 * only. */
enum { OP_PUT = 0x80, OP_HEAD_BYTES = 1 + 4 + 4 };
_Static_assert((int)STORE_FAMILIES < (int)OP_PUT, "family and kind share a byte");

/* On disk, never rename. */
static const char *const family_names[STORE_FAMILIES] = {
	[STORE_BLOCKS] = "blocks",
	[STORE_META] = "meta",
	[STORE_COMMITS] = "commits",
	[STORE_RESULTS] = "results",
	[STORE_TXS] = "txs",
	[STORE_STATE] = "state",
	[STORE_JOBS] = "jobs",
	[STORE_ACCOUNTS] = "accounts",
	[STORE_EVENTS] = "events",
	[STORE_COORDINATOR] = "coordinator",
};

const char *store_family_name(enum store_family family)
{
	CHECK((unsigned)family < STORE_FAMILIES);
	return family_names[family];
}

void store_batch_init(struct store_batch *batch)
{
	buf_init(&batch->ops, 0);
	batch->count = 0;
}

void store_batch_fini(struct store_batch *batch)
{
	buf_fini(&batch->ops);
	batch->count = 0;
}

void store_batch_clear(struct store_batch *batch)
{
	buf_clear(&batch->ops);
	batch->count = 0;
}

static void batch_append(
	struct store_batch *batch, uint8_t head, struct bytes key, struct bytes value)
{
	uint8_t *at;

	CHECK(key.len <= UINT32_MAX);
	CHECK(value.len <= UINT32_MAX);
	at = buf_extend(&batch->ops, OP_HEAD_BYTES + key.len + value.len);
	if (!at)
		return;
	at[0] = head;
	put_u32be(at + 1, (uint32_t)key.len);
	put_u32be(at + 5, (uint32_t)value.len);
	if (key.len > 0)
		memcpy(at + OP_HEAD_BYTES, key.data, key.len);
	if (value.len > 0)
		memcpy(at + OP_HEAD_BYTES + key.len, value.data, value.len);
	batch->count++;
}

void store_batch_put(
	struct store_batch *batch, enum store_family family, struct bytes key, struct bytes value)
{
	CHECK((unsigned)family < STORE_FAMILIES);
	batch_append(batch, (uint8_t)(OP_PUT | (unsigned)family), key, value);
}

void store_batch_delete(struct store_batch *batch, enum store_family family, struct bytes key)
{
	CHECK((unsigned)family < STORE_FAMILIES);
	batch_append(batch, (uint8_t)family, key, bytes_view(NULL, 0));
}

bool store_batch_next(const struct store_batch *batch, size_t *at, struct store_op *op)
{
	const uint8_t *head;
	size_t key_len, value_len;

	if (batch->ops.failed || *at >= batch->ops.len)
		return false;
	head = batch->ops.data + *at;
	key_len = get_u32be(head + 1);
	value_len = get_u32be(head + 5);
	op->family = (enum store_family)(head[0] & ~OP_PUT);
	op->is_put = (head[0] & OP_PUT) != 0;
	op->key = bytes_view(head + OP_HEAD_BYTES, key_len);
	op->value = bytes_view(head + OP_HEAD_BYTES + key_len, value_len);
	*at += OP_HEAD_BYTES + key_len + value_len;
	CHECK(*at <= batch->ops.len);
	return true;
}

enum status store_get(struct store *store, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes key, struct buf *value)
{
	enum status status;

	CHECK((unsigned)family < STORE_FAMILIES);
	status = store->vtable->get(store->self, snapshot, family, key, value);
	if (status == STATUS_OK && !buf_ok(value))
		return STATUS_NO_MEMORY;
	return status;
}

bool store_has(struct store *store, const struct store_snapshot *snapshot, enum store_family family,
	struct bytes key, enum status *status)
{
	struct buf value;

	buf_init(&value, 0);
	*status = store_get(store, snapshot, family, key, &value);
	buf_fini(&value);
	if (*status == STATUS_OK)
		return true;
	if (*status == STATUS_NOT_FOUND)
		*status = STATUS_OK;
	return false;
}

struct store_snapshot *store_snapshot_new(struct store *store)
{
	return store->vtable->snapshot_new(store->self);
}

void store_snapshot_free(struct store *store, struct store_snapshot *snapshot)
{
	if (snapshot)
		store->vtable->snapshot_free(store->self, snapshot);
}

struct store_iterator *store_iterate(struct store *store, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes from, struct bytes to, bool backwards)
{
	CHECK((unsigned)family < STORE_FAMILIES);
	return store->vtable->iterator_new(store->self, snapshot, family, from, to, backwards);
}

enum status store_next(
	struct store *store, struct store_iterator *it, struct bytes *key, struct bytes *value)
{
	return store->vtable->iterator_next(it, key, value);
}

void store_iterator_free(struct store *store, struct store_iterator *it)
{
	if (it)
		store->vtable->iterator_free(it);
}

enum status store_write(struct store *store, const struct store_batch *batch, bool sync)
{
	if (!buf_ok(&batch->ops))
		return STATUS_NO_MEMORY;
	return store->vtable->write(store->self, batch, sync);
}

void store_close(struct store *store)
{
	store->vtable->close(store->self);
	store->vtable = NULL;
	store->self = NULL;
}
