#include "chain/index_rows.h"

#include <string.h>

#include "base/cursor.h"
#include "base/endian.h"

size_t row_pack(uint8_t out[ROW_BYTES_MAX], const struct index_row *row)
{
	size_t len = 1, count = ROW_NUMBERS;

	out[0] = row->marks;
	while (count > 0 && row->numbers[count - 1] == 0)
		count--;
	for (size_t i = 0; i < count; i++) {
		uint64_t left = row->numbers[i];

		for (; left >= 0x80; left >>= 7)
			out[len++] = (uint8_t)(left | 0x80);
		out[len++] = (uint8_t)left;
	}
	return len;
}

bool row_unpack(struct index_row *out, struct bytes value)
{
	struct cursor c = cursor_of(value);

	memset(out, 0, sizeof *out);
	out->marks = cursor_u8(&c);
	for (size_t i = 0; i < ROW_NUMBERS && c.left > 0; i++)
		out->numbers[i] = cursor_uvarint(&c);
	return cursor_done(&c);
}

void place_pack(uint8_t out[PLACE_BYTES], struct tx_place place)
{
	put_u64be(out, (uint64_t)place.height);
	put_u32be(out + 8, place.index);
}

struct tx_place place_unpack(const uint8_t in[PLACE_BYTES])
{
	struct tx_place place = {(int64_t)get_u64be(in), get_u32be(in + 8)};

	return place;
}

unsigned row_mark_of(struct bytes key)
{
	static const char *const marks[ROW_MARKS] = {"transfer.sender", "transfer.recipient"};

	for (unsigned i = 0; i < ROW_MARKS; i++) {
		if (bytes_equal(key, bytes_of_text(marks[i])))
			return i + 1;
	}
	return 0;
}

bool index_is_mark(struct bytes key)
{
	return row_mark_of(key) != 0;
}

enum status rows_last(struct index_row *row, struct tx_place *place, struct store *store,
	const struct store_snapshot *snapshot, enum store_family family, struct bytes prefix,
	struct tx_place to)
{
	uint8_t packed[PLACE_BYTES];
	struct store_iterator *rows = NULL;
	struct bytes key, value;
	struct buf end;

	place_pack(packed, to);
	buf_init(&end, 0);
	buf_append_view(&end, prefix);
	buf_append(&end, packed, sizeof packed);
	if (buf_ok(&end))
		rows = store_iterate(store, snapshot, family, prefix, buf_view(&end), true);
	enum status status = rows ? store_next(store, rows, &key, &value) : STATUS_NO_MEMORY;
	if (status == STATUS_OK) {
		if (key.len != prefix.len + PLACE_BYTES || !row_unpack(row, value))
			status = STATUS_CORRUPT;
		else
			*place = place_unpack(key.data + prefix.len);
	}
	if (rows)
		store_iterator_free(store, rows);
	buf_fini(&end);
	return status;
}
