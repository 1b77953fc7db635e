/* index_rows: how a row of the index lies in the store; for the files of the index only.
 * Key: the list's prefix (20 bytes of an account; or "type.key", 0, value, and 0 for transactions
 * or 1 for blocks), u64be height, u32be index. Value: one byte of marks, then for 0 (all) and each
 * mark the number of rows of the list up to this one that carry it, as base-128 integers; numbers
 * that are 0 at the end are left out. */
#ifndef CHAIN_INDEX_ROWS_H
#define CHAIN_INDEX_ROWS_H

#include "chain/index.h"

enum {
	PLACE_BYTES = 8 + 4,
	ROW_MARKS = 2, /* 1: sent a transfer, 2: received one */
	ROW_NUMBERS = 1 + ROW_MARKS,
	ROW_BYTES_MAX = 1 + ROW_NUMBERS * 10
};

/* The last byte of an event's prefix. */
enum { ROW_OF_TX = 0, ROW_OF_BLOCK = 1 };

struct index_row {
	uint8_t marks; /* bit n - 1: mark n */
	uint64_t numbers[ROW_NUMBERS];
};

/* Whether the row counts for a mark; 0: every row does. */
static inline bool row_counts(const struct index_row *row, unsigned mark)
{
	return mark == 0 || (row->marks >> (mark - 1) & 1) != 0;
}

size_t row_pack(uint8_t out[ROW_BYTES_MAX], const struct index_row *row);
MUST_USE bool row_unpack(struct index_row *out, struct bytes value);
void place_pack(uint8_t out[PLACE_BYTES], struct tx_place place);
struct tx_place place_unpack(const uint8_t in[PLACE_BYTES]);

/* The mark that stands for an attribute; 0: none. */
unsigned row_mark_of(struct bytes key);

/* The list's last row with a place below `to`: its numbers, and where it is. STATUS_NOT_FOUND. */
MUST_USE enum status rows_last(struct index_row *row, struct tx_place *place, struct store *store,
	const struct store_snapshot *snapshot, enum store_family family, struct bytes prefix,
	struct tx_place to);

#endif
