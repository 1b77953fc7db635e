#include "tests/sim/sick_store.h"

#include <stdlib.h>

#include "base/hash.h"

enum { ROWS_PER_ROTTEN = 61 };

struct store_iterator {
	struct sick_store *of;
	struct store_iterator *inner;
	enum store_family family;
};

static bool is_rotten(const struct sick_store *s, enum store_family family, struct bytes key)
{
	if (!s->rotten)
		return false;
	uint32_t hash = crc32c((uint32_t)family, key);
	return hash % ROWS_PER_ROTTEN == s->rot % ROWS_PER_ROTTEN;
}

static enum status get(void *self, const struct store_snapshot *snapshot, enum store_family family,
	struct bytes key, struct buf *value)
{
	struct sick_store *s = self;
	enum status status = store_get(s->inner, snapshot, family, key, value);
	return status == STATUS_OK && is_rotten(s, family, key) ? STATUS_CORRUPT : status;
}

static struct store_snapshot *snapshot_new(void *self)
{
	struct sick_store *s = self;
	return store_snapshot_new(s->inner);
}

static void snapshot_free(void *self, struct store_snapshot *snapshot)
{
	struct sick_store *s = self;
	store_snapshot_free(s->inner, snapshot);
}

static struct store_iterator *iterator_new(void *self, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes from, struct bytes to, bool backwards)
{
	struct sick_store *s = self;
	struct store_iterator *it = calloc(1, sizeof *it);
	CHECK(it);
	it->of = s;
	it->family = family;
	it->inner = store_iterate(s->inner, snapshot, family, from, to, backwards);
	CHECK(it->inner);
	return it;
}

static enum status iterator_next(struct store_iterator *it, struct bytes *key, struct bytes *value)
{
	enum status status = store_next(it->of->inner, it->inner, key, value);
	return status == STATUS_OK && is_rotten(it->of, it->family, *key) ? STATUS_CORRUPT : status;
}

static void iterator_free(struct store_iterator *it)
{
	store_iterator_free(it->of->inner, it->inner);
	free(it);
}

static enum status write_batch(void *self, const struct store_batch *batch, bool sync)
{
	struct sick_store *s = self;
	return store_write(s->inner, batch, sync && !s->forgets_syncs);
}

static void close_nothing(void *self)
{
	(void)self;
}

void sick_store_init(struct store *out, struct sick_store *s, struct store *inner)
{
	static const struct store_vtable vtable = {
		.get = get,
		.snapshot_new = snapshot_new,
		.snapshot_free = snapshot_free,
		.iterator_new = iterator_new,
		.iterator_next = iterator_next,
		.iterator_free = iterator_free,
		.write = write_batch,
		.close = close_nothing,
	};
	*s = (struct sick_store){.inner = inner};
	*out = (struct store){&vtable, s};
}
