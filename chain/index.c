/* Reading the index: lists, counted and paged by the numbers in their rows. */
#include "chain/index.h"

#include <string.h>

#include "base/bech32.h"
#include "chain/index_rows.h"

/* ---- spans ---- */

struct index_span index_span_of(int64_t height_min, int64_t height_max, bool newest_first)
{
	struct index_span span = {{0, 0}, {0, 0}, newest_first};

	if (height_min > 0)
		span.from.height = height_min;
	if (height_max >= 0)
		span.to.height = height_max == INT64_MAX ? height_max : height_max + 1;
	return span;
}

static struct tx_place place_after(struct tx_place place)
{
	if (place.index < UINT32_MAX) {
		place.index++;
	} else if (place.height < INT64_MAX) {
		place.height++;
		place.index = 0;
	}
	return place;
}

struct index_span index_span_after(struct index_span span, struct tx_place seen)
{
	struct tx_place next = place_after(seen);

	if (span.newest_first && tx_place_compare(seen, span.to) < 0)
		span.to = seen;
	else if (!span.newest_first && tx_place_compare(next, span.from) > 0)
		span.from = next;
	return span;
}

/* ---- lists ---- */

static void list_init(struct index_list *out, struct store *store,
	const struct store_snapshot *snapshot, enum store_family family)
{
	*out = (struct index_list){.store = store, .snapshot = snapshot, .family = family};
	buf_init(&out->prefix, 0);
}

enum status index_list_account(struct index_list *out, struct store *store,
	const struct store_snapshot *snapshot, const struct account_address *account)
{
	list_init(out, store, snapshot, STORE_ACCOUNTS);
	buf_append(&out->prefix, account->b, sizeof account->b);
	return buf_ok(&out->prefix) ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status index_list_event(struct index_list *out, struct store *store,
	const struct store_snapshot *snapshot, struct bytes key, struct bytes value, bool of_block)
{
	struct account_address account;
	unsigned mark = of_block ? 0 : row_mark_of(key);

	if (mark != 0 && address_parse(&account, (const char *)value.data, value.len)) {
		enum status status = index_list_account(out, store, snapshot, &account);
		out->mark = mark;
		return status;
	}
	list_init(out, store, snapshot, STORE_EVENTS);
	buf_append_view(&out->prefix, key);
	buf_append_byte(&out->prefix, 0);
	/* A zero byte would match inside of places. No text holds one, nor the byte put here. */
	if (value.len > 0 && memchr(value.data, 0, value.len))
		value = bytes_of_text("\xff");
	buf_append_view(&out->prefix, value);
	buf_append_byte(&out->prefix, 0);
	buf_append_byte(&out->prefix, of_block ? ROW_OF_BLOCK : ROW_OF_TX);
	return buf_ok(&out->prefix) ? STATUS_OK : STATUS_NO_MEMORY;
}

void index_list_fini(struct index_list *list)
{
	buf_fini(&list->prefix);
}

/* The row's key, or where the list's rows from a place on begin. */
static bool key_at(struct buf *key, const struct index_list *list, struct tx_place place)
{
	uint8_t packed[PLACE_BYTES];

	place_pack(packed, place);
	buf_init(key, 0);
	buf_append_view(key, buf_view(&list->prefix));
	buf_append(key, packed, sizeof packed);
	return buf_ok(key);
}

enum status index_list_has(const struct index_list *list, struct tx_place place)
{
	struct buf key, value;
	struct index_row row;
	enum status status = STATUS_NO_MEMORY;

	buf_init(&value, 0);
	if (key_at(&key, list, place))
		status = store_get(
			list->store, list->snapshot, list->family, buf_view(&key), &value);
	if (status == STATUS_OK && !row_unpack(&row, buf_view(&value)))
		status = STATUS_CORRUPT;
	if (status == STATUS_OK && !row_counts(&row, list->mark))
		status = STATUS_NOT_FOUND;
	buf_fini(&key);
	buf_fini(&value);
	return status;
}

static struct store_iterator *rows_of(
	const struct index_list *list, struct tx_place from, struct tx_place to, bool backwards)
{
	struct store_iterator *rows = NULL;
	struct buf low, high;
	bool ok = key_at(&low, list, from);

	if (key_at(&high, list, to) && ok)
		rows = store_iterate(list->store, list->snapshot, list->family, buf_view(&low),
			buf_view(&high), backwards);
	buf_fini(&low);
	buf_fini(&high);
	return rows;
}

static enum status row_read(struct index_row *row, struct tx_place *place, size_t prefix_len,
	struct bytes key, struct bytes value)
{
	if (key.len != prefix_len + PLACE_BYTES || !row_unpack(row, value))
		return STATUS_CORRUPT;
	*place = place_unpack(key.data + prefix_len);
	return STATUS_OK;
}

/* How many of the list's places lie before this one. Rows that were swept away are counted still:
 * only differences mean anything. Looks from `from` on, and no further than `to`. */
static enum status count_before(
	uint64_t *count, const struct index_list *list, struct tx_place from, struct tx_place to)
{
	struct index_row row;
	struct tx_place place;
	struct bytes key, value;
	struct store_iterator *rows = rows_of(list, from, to, false);

	if (!rows)
		return STATUS_NO_MEMORY;
	enum status status = store_next(list->store, rows, &key, &value);
	if (status == STATUS_OK)
		status = row_read(&row, &place, list->prefix.len, key, value);
	store_iterator_free(list->store, rows);
	if (status == STATUS_OK) {
		*count = row.numbers[list->mark] - row_counts(&row, list->mark);
		return STATUS_OK;
	}
	if (status != STATUS_NOT_FOUND)
		return status;
	status = rows_last(&row, &place, list->store, list->snapshot, list->family,
		buf_view(&list->prefix), to);
	*count = status == STATUS_OK ? row.numbers[list->mark] : 0;
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status index_list_count(
	uint64_t *count, const struct index_list *list, const struct index_span *span)
{
	uint64_t before, until;

	*count = 0;
	if (tx_place_compare(span->from, span->to) >= 0)
		return STATUS_OK;
	enum status status = count_before(&before, list, span->from, span->to);
	if (status == STATUS_OK)
		status = count_before(&until, list, span->to, span->to);
	if (status == STATUS_OK)
		*count = until - before;
	return status;
}

/* The greatest whole number of [low, high] before which (as height, or as index of one height) at
 * most `wanted` places lie. */
static enum status search(uint64_t *found, const struct index_list *list, struct tx_place to,
	const struct tx_place *height, uint64_t low, uint64_t high, uint64_t wanted)
{
	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2, count;
		struct tx_place at = {(int64_t)middle, 0};
		if (height)
			at = (struct tx_place){height->height, (uint32_t)middle};
		enum status status = count_before(&count, list, at, to);
		if (status != STATUS_OK)
			return status;
		if (count <= wanted)
			low = middle;
		else
			high = middle - 1;
	}
	*found = low;
	return STATUS_OK;
}

enum status index_list_nth(struct tx_place *place, const struct index_list *list,
	const struct index_span *span, uint64_t n)
{
	uint64_t count, first, found;
	enum status status = index_list_count(&count, list, span);

	if (status == STATUS_OK && n >= count)
		status = STATUS_NOT_FOUND;
	if (status == STATUS_OK)
		status = count_before(&first, list, span->from, span->to);
	if (status != STATUS_OK)
		return status;
	/* Of the whole list: how many lie before the one that is meant. */
	uint64_t wanted = first + (span->newest_first ? count - 1 - n : n);
	status = search(&found, list, span->to, NULL, (uint64_t)span->from.height,
		(uint64_t)span->to.height, wanted);
	struct tx_place at = {(int64_t)found, 0};
	if (status == STATUS_OK)
		status = search(&found, list, span->to, &at, 0, UINT32_MAX, wanted);
	if (status != STATUS_OK)
		return status;
	*place = (struct tx_place){at.height, (uint32_t)found};
	return STATUS_OK;
}

/* ---- walks ---- */

/* A walk through rows that don't count asks for the next that does after so many. */
enum { SKIPPED_MAX = 64 };

enum status index_walk(
	struct index_iterator *out, const struct index_list *list, const struct index_span *span)
{
	*out = (struct index_iterator){
		.list = list, .rest = *span, .store = list->store, .prefix_len = list->prefix.len};
	if (tx_place_compare(span->from, span->to) >= 0)
		out->rest.to = out->rest.from;
	out->rows = rows_of(list, out->rest.from, out->rest.to, span->newest_first);
	return out->rows ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Goes on at the next place that counts. STATUS_NOT_FOUND: there is none. */
static enum status jump(struct index_iterator *it, struct tx_place seen)
{
	struct tx_place next;
	struct index_span rest = index_span_after(it->rest, seen);
	enum status status = index_list_nth(&next, it->list, &rest, 0);

	if (status != STATUS_OK)
		return status;
	if (rest.newest_first)
		rest.to = place_after(next);
	else
		rest.from = next;
	const struct index_list *list = it->list;
	index_iterator_fini(it);
	return index_walk(it, list, &rest);
}

enum status index_next(struct index_iterator *it, struct tx_place *place)
{
	struct bytes key, value;
	struct index_row row;

	for (;;) {
		enum status status = store_next(it->store, it->rows, &key, &value);
		if (status == STATUS_OK)
			status = row_read(&row, place, it->prefix_len, key, value);
		if (status != STATUS_OK)
			return status;
		if (row_counts(&row, it->list->mark)) {
			it->skipped = 0;
			return STATUS_OK;
		}
		if (++it->skipped >= SKIPPED_MAX && (status = jump(it, *place)) != STATUS_OK)
			return status;
	}
}

enum status index_walk_values(struct index_iterator *out, struct store *store,
	const struct store_snapshot *snapshot, struct bytes key)
{
	struct buf from, to;

	buf_init(&from, 0);
	buf_init(&to, 0);
	buf_append_view(&from, key);
	buf_append_view(&to, key);
	buf_append_byte(&from, 0);
	buf_append_byte(&to, 1);
	*out = (struct index_iterator){.store = store, .prefix_len = from.len};
	if (buf_ok(&from) && buf_ok(&to))
		out->rows = store_iterate(
			store, snapshot, STORE_EVENTS, buf_view(&from), buf_view(&to), false);
	buf_fini(&from);
	buf_fini(&to);
	return out->rows ? STATUS_OK : STATUS_NO_MEMORY;
}

enum { AFTER_VALUE_BYTES = 2 + PLACE_BYTES };

enum status index_next_value(struct index_iterator *it, struct bytes *value, struct tx_place *place)
{
	struct bytes key, numbers;
	enum status status = store_next(it->store, it->rows, &key, &numbers);

	if (status != STATUS_OK)
		return status;
	if (key.len < it->prefix_len + AFTER_VALUE_BYTES)
		return STATUS_CORRUPT;
	*value =
		bytes_view(key.data + it->prefix_len, key.len - it->prefix_len - AFTER_VALUE_BYTES);
	*place = place_unpack(key.data + key.len - PLACE_BYTES);
	return STATUS_OK;
}

void index_iterator_fini(struct index_iterator *it)
{
	if (it->rows)
		store_iterator_free(it->store, it->rows);
	it->rows = NULL;
}
