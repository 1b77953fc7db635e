#include "chain/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

enum { ADDRESS_BYTES = 20, PLACE_BYTES = 8 + 4, ACCOUNT_KEY_BYTES = ADDRESS_BYTES + PLACE_BYTES };

/* Attributes that only repeat an account's history. */
static const struct {
	const char *type;
	const char *attribute;
} derived[] = {
	{"transfer", "sender"},
	{"transfer", "recipient"},
};

bool index_event_is_derived(const char *type, const char *attribute)
{
	for (size_t i = 0; i < sizeof derived / sizeof *derived; i++)
		if (strcmp(type, derived[i].type) == 0 &&
			strcmp(attribute, derived[i].attribute) == 0)
			return true;
	return false;
}

static void place_pack(uint8_t out[PLACE_BYTES], struct tx_place place)
{
	put_u64be(out, (uint64_t)place.height);
	put_u32be(out + 8, place.index);
}

static struct tx_place place_unpack(const uint8_t in[PLACE_BYTES])
{
	struct tx_place place = {(int64_t)get_u64be(in), get_u32be(in + 8)};

	return place;
}

/* ---- writing ---- */

/* A set of touches already written: slots hold touch + 1; open addressing, at most half full.
 * Addresses are digests of keys and the table lives for one block, so mixing two words of them is
 * enough. */
static bool touch_is_new(
	uint32_t *slots, size_t slot_mask, const struct app_touch *touches, size_t at)
{
	const struct app_touch *touch = &touches[at];
	uint64_t hash = (get_u64be(touch->account.b) ^ get_u64be(touch->account.b + 12) << 1 ^
				touch->tx_index) *
			0x9e3779b97f4a7c15u;
	size_t slot = (size_t)(hash >> 32) & slot_mask;

	for (; slots[slot] != 0; slot = (slot + 1) & slot_mask) {
		const struct app_touch *other = &touches[slots[slot] - 1];

		if (other->tx_index == touch->tx_index &&
			account_address_equal(&other->account, &touch->account))
			return false;
	}
	slots[slot] = (uint32_t)at + 1;
	return true;
}

static enum status put_touches(
	struct store_batch *batch, int64_t height, const struct app_touch *touches, size_t count)
{
	size_t slot_count = 16;
	uint32_t *slots;

	CHECK(count < UINT32_MAX / 4);
	while (slot_count < count * 2)
		slot_count *= 2;
	slots = calloc(slot_count, sizeof *slots);
	if (!slots)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct tx_place place = {height, touches[i].tx_index};
		uint8_t key[ACCOUNT_KEY_BYTES];

		if (!touch_is_new(slots, slot_count - 1, touches, i))
			continue;
		memcpy(key, touches[i].account.b, ADDRESS_BYTES);
		place_pack(key + ADDRESS_BYTES, place);
		store_batch_put(
			batch, STORE_ACCOUNTS, bytes_view(key, sizeof key), bytes_view(NULL, 0));
	}
	free(slots);
	return STATUS_OK;
}

static void put_event(struct store_batch *batch, struct buf *key, int64_t height,
	const struct app_event *event, const struct app_event_attribute *attribute)
{
	struct tx_place place = {height, event->tx_index};
	uint8_t packed[PLACE_BYTES];

	place_pack(packed, place);
	buf_clear(key);
	buf_append_text(key, event->type);
	buf_append_byte(key, '.');
	buf_append_text(key, attribute->key);
	buf_append_byte(key, 0);
	buf_append_text(key, attribute->value);
	buf_append_byte(key, 0);
	buf_append(key, packed, sizeof packed);
	if (buf_ok(key))
		store_batch_put(batch, STORE_EVENTS, buf_view(key), bytes_view(NULL, 0));
	else
		batch->ops.failed = true;
}

enum status index_put(struct store_batch *batch, int64_t height, const struct app_result *result)
{
	struct buf key;

	buf_init(&key, 0);
	for (size_t i = 0; i < result->event_count; i++) {
		const struct app_event *event = &result->events[i];

		for (size_t j = 0; j < event->attribute_count; j++) {
			const struct app_event_attribute *attribute = &event->attributes[j];

			if (attribute->index &&
				!index_event_is_derived(event->type, attribute->key))
				put_event(batch, &key, height, event, attribute);
		}
	}
	buf_fini(&key);
	return put_touches(batch, height, result->touches, result->touch_count);
}

/* ---- reading ---- */

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

/* Rows with this prefix whose place lies in the span. Eats prefix. */
static enum status iterate_take(struct index_iterator *out, struct store *store,
	const struct store_snapshot *snapshot, enum store_family family, struct buf *prefix,
	const struct index_span *span)
{
	uint8_t from_place[PLACE_BYTES], to_place[PLACE_BYTES];
	struct buf to;

	place_pack(from_place, span->from);
	place_pack(to_place, span->to);
	buf_init(&to, 0);
	buf_append_view(&to, buf_view(prefix));
	buf_append(&to, to_place, sizeof to_place);
	out->store = store;
	out->rows = NULL;
	out->prefix_len = prefix->len;
	buf_append(prefix, from_place, sizeof from_place);
	if (buf_ok(&to) && buf_ok(prefix))
		out->rows = store_iterate(store, snapshot, family, buf_view(prefix), buf_view(&to),
			span->newest_first);
	buf_fini(&to);
	buf_fini(prefix);
	return out->rows ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status index_account(struct index_iterator *out, struct store *store,
	const struct store_snapshot *snapshot, const struct account_address *account,
	struct index_span span)
{
	struct buf prefix;

	buf_init(&prefix, 0);
	buf_append(&prefix, account->b, sizeof account->b);
	return iterate_take(out, store, snapshot, STORE_ACCOUNTS, &prefix, &span);
}

enum status index_event(struct index_iterator *out, struct store *store,
	const struct store_snapshot *snapshot, const char *key, struct bytes value,
	struct index_span span)
{
	struct buf prefix;

	/* No text holds a zero byte; a query that does would match inside of places. */
	if (value.len > 0 && memchr(value.data, 0, value.len))
		span.to = span.from;
	buf_init(&prefix, 0);
	buf_append_text(&prefix, key);
	buf_append_byte(&prefix, 0);
	buf_append_view(&prefix, value);
	buf_append_byte(&prefix, 0);
	return iterate_take(out, store, snapshot, STORE_EVENTS, &prefix, &span);
}

enum status index_event_values(struct index_iterator *out, struct store *store,
	const struct store_snapshot *snapshot, const char *key)
{
	struct buf from, to;

	buf_init(&from, 0);
	buf_init(&to, 0);
	buf_append_text(&from, key);
	buf_append_text(&to, key);
	buf_append_byte(&from, 0);
	buf_append_byte(&to, 1);
	out->store = store;
	out->rows = NULL;
	out->prefix_len = from.len;
	if (buf_ok(&from) && buf_ok(&to))
		out->rows = store_iterate(
			store, snapshot, STORE_EVENTS, buf_view(&from), buf_view(&to), false);
	buf_fini(&from);
	buf_fini(&to);
	return out->rows ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status index_next(struct index_iterator *it, struct tx_place *place)
{
	struct bytes key, value;
	enum status status = store_next(it->store, it->rows, &key, &value);

	if (status != STATUS_OK)
		return status;
	if (key.len != it->prefix_len + PLACE_BYTES)
		return STATUS_CORRUPT;
	*place = place_unpack(key.data + it->prefix_len);
	return STATUS_OK;
}

enum status index_next_value(struct index_iterator *it, struct bytes *value, struct tx_place *place)
{
	struct bytes key, nothing;
	enum status status = store_next(it->store, it->rows, &key, &nothing);

	if (status != STATUS_OK)
		return status;
	if (key.len < it->prefix_len + 1 + PLACE_BYTES)
		return STATUS_CORRUPT;
	*value = bytes_view(key.data + it->prefix_len, key.len - it->prefix_len - 1 - PLACE_BYTES);
	*place = place_unpack(key.data + key.len - PLACE_BYTES);
	return STATUS_OK;
}

void index_iterator_fini(struct index_iterator *it)
{
	store_iterator_free(it->store, it->rows);
	it->rows = NULL;
}
