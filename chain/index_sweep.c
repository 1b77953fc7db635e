/* Rows of pruned blocks can't be found from the block's side (an account's history is ordered by
 * account), so they are met on a slow walk over everything. Both families end their keys with
 * height and index. */
#include "base/endian.h"
#include "chain/index_rows.h"

/* Under this record: one byte, which family, then the last key looked at. */
#define SWEEP_RECORD "/index-sweep"

static const enum store_family families[] = {STORE_ACCOUNTS, STORE_EVENTS};
enum { FAMILY_COUNT = sizeof families / sizeof *families };

/* Looks at rows from `mark` on. *ended: the family's last row was passed. The mark moves to the
 * last row seen. */
static enum status sweep_rows(struct store_batch *batch, struct store *store, struct buf *mark,
	bool *ended, enum store_family family, int64_t height_min, size_t rows_max)
{
	struct store_iterator *rows =
		store_iterate(store, NULL, family, buf_view(mark), bytes_view(NULL, 0), false);
	enum status status = STATUS_OK;
	struct bytes key, value;

	if (!rows)
		return STATUS_NO_MEMORY;
	while (rows_max-- > 0 && (status = store_next(store, rows, &key, &value)) == STATUS_OK) {
		if (key.len < PLACE_BYTES) {
			status = STATUS_CORRUPT;
			break;
		}
		if ((int64_t)get_u64be(key.data + key.len - PLACE_BYTES) < height_min)
			store_batch_delete(batch, family, key);
		buf_clear(mark);
		buf_append_view(mark, key);
	}
	store_iterator_free(store, rows);
	*ended = status == STATUS_NOT_FOUND;
	return *ended ? STATUS_OK : status;
}

enum status index_sweep(
	struct store_batch *batch, struct store *store, int64_t height_min, size_t rows_max)
{
	struct buf record, mark;
	uint8_t which = 0;
	bool ended = false;
	enum status status;

	buf_init(&record, 0);
	buf_init(&mark, 0);
	status = blocks_record(store, NULL, SWEEP_RECORD, &record);
	if (status == STATUS_NOT_FOUND)
		status = STATUS_OK;
	if (status == STATUS_OK && record.len > 0) {
		which = record.data[0] % FAMILY_COUNT;
		buf_append(&mark, record.data + 1, record.len - 1);
	}
	if (status == STATUS_OK)
		status = sweep_rows(
			batch, store, &mark, &ended, families[which], height_min, rows_max);
	if (status == STATUS_OK) {
		buf_clear(&record);
		if (ended)
			which = (uint8_t)((which + 1u) % FAMILY_COUNT);
		buf_append_byte(&record, which);
		if (!ended)
			buf_append_view(&record, buf_view(&mark));
		if (buf_ok(&record) && buf_ok(&mark))
			blocks_put_record(batch, SWEEP_RECORD, buf_view(&record));
		else
			status = STATUS_NO_MEMORY;
	}
	buf_fini(&record);
	buf_fini(&mark);
	return status;
}
