#include "rpc/search_filter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

enum { FILTER_ARENA_BYTES_MAX = 16 * 1024 * 1024 };

struct events {
	Pb__Event *const *items;
	size_t count;
};

/* The tag's key when it speaks of this type of event; else an empty view at NULL. */
static struct bytes key_in(struct bytes tag, const char *type)
{
	size_t len = strlen(type);

	if (tag.len <= len || memcmp(tag.data, type, len) != 0 || tag.data[len] != '.')
		return bytes_view(NULL, 0);
	return bytes_view(tag.data + len + 1, tag.len - len - 1);
}

static bool holds_in(const struct query_condition *c, const Pb__Event *event)
{
	struct bytes key = key_in(c->tag, event->type);

	for (size_t i = 0; key.data && i < event->n_attributes; i++) {
		const Pb__EventAttribute *a = event->attributes[i];

		if (a->index && bytes_equal(bytes_of_text(a->key), key) &&
			query_value_fits(c, bytes_of_text(a->value)))
			return true;
	}
	return false;
}

/* Every condition that speaks of this type of event holds in this one. */
static bool all_hold_in(const struct conditions *conditions, const Pb__Event *event)
{
	for (size_t i = 0; i < conditions->count; i++) {
		if (key_in(conditions->items[i]->tag, event->type).data &&
			!holds_in(conditions->items[i], event))
			return false;
	}
	return true;
}

static bool holds(const struct query_condition *c, const struct conditions *conditions,
	const struct events *events)
{
	for (size_t i = 0; i < events->count; i++) {
		if (holds_in(c, events->items[i]) && all_hold_in(conditions, events->items[i]))
			return true;
	}
	return false;
}

/* What CometBFT adds to the events itself. STATUS_NOT_FOUND: the condition is on something else. */
static enum status reserved_value(const struct search *s, char out[80],
	const struct query_condition *c, struct tx_place place)
{
	if (bytes_equal(c->tag, bytes_of_text(s->blocks ? "block.height" : "tx.height"))) {
		snprintf(out, 80, "%" PRId64, place.height);
		return STATUS_OK;
	}
	if (s->blocks || !bytes_equal(c->tag, bytes_of_text("tx.hash")))
		return STATUS_NOT_FOUND;
	struct buf tx;
	buf_init(&tx, 0);
	enum status status = blocks_tx(s->store, s->snapshot, place, &tx);
	if (status == STATUS_OK) {
		struct hash32 hash = sha256(buf_view(&tx));
		hex_upper(out, hash.b, sizeof hash.b);
	}
	buf_fini(&tx);
	return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}

static enum status read_events(
	const struct search *s, struct events *out, struct arena *arena, struct tx_place place)
{
	const Pb__ExecTxResult *tx;
	const Pb__BlockResults *block;

	if (s->blocks) {
		enum status status =
			blocks_results(s->store, s->snapshot, arena, place.height, &block);
		if (status == STATUS_OK)
			*out = (struct events){block->events, block->n_events};
		return status;
	}
	enum status status = blocks_tx_result(s->store, s->snapshot, arena, place, &tx);
	if (status == STATUS_OK)
		*out = (struct events){tx->events, tx->n_events};
	return status;
}

enum status filter_fits(
	const struct search *s, const struct conditions *conditions, struct tx_place place)
{
	struct events events = {NULL, 0};
	struct arena arena;
	bool fits = true;

	if (conditions->count == 0)
		return STATUS_OK;
	arena_init(&arena, FILTER_ARENA_BYTES_MAX);
	enum status status = read_events(s, &events, &arena, place);
	for (size_t i = 0; status == STATUS_OK && fits && i < conditions->count; i++) {
		const struct query_condition *c = conditions->items[i];
		char value[80];
		enum status reserved = reserved_value(s, value, c, place);

		if (reserved == STATUS_NOT_FOUND)
			fits = holds(c, conditions, &events);
		else if (reserved == STATUS_OK)
			fits = query_value_fits(c, bytes_of_text(value));
		else
			status = reserved;
	}
	arena_fini(&arena);
	return status == STATUS_OK && !fits ? STATUS_NOT_FOUND : status;
}
