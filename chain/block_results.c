/* From what the app answered to what is stored: the same facts, grouped by transaction. */
#include <string.h>

#include "chain/blocks.h"
#include "chain/format/wire.h"

/* protobuf-c has no const texts; packing only reads them. */
static char *text_borrow(const char *text)
{
	return text ? (char *)(uintptr_t)text : (char *)(uintptr_t)protobuf_c_empty_string;
}

static Pb__Event *event_of(struct arena *arena, const struct app_event *event)
{
	size_t count = event->attribute_count;
	Pb__Event *out = arena_alloc(arena, sizeof *out);
	Pb__EventAttribute **pointers = arena_alloc(arena, (count + 1) * sizeof *pointers);
	Pb__EventAttribute *attributes = arena_alloc(arena, (count + 1) * sizeof *attributes);

	if (!out || !pointers || !attributes)
		return NULL;
	pb__event__init(out);
	out->type = text_borrow(event->type);
	out->n_attributes = count;
	out->attributes = pointers;
	for (size_t i = 0; i < count; i++) {
		pointers[i] = &attributes[i];
		pb__event_attribute__init(&attributes[i]);
		attributes[i].key = text_borrow(event->attributes[i].key);
		attributes[i].value = text_borrow(event->attributes[i].value);
		attributes[i].index = event->attributes[i].index;
	}
	return out;
}

/* Room for the events of one owner, filled by events_place. */
static bool events_reserve(struct arena *arena, Pb__Event ***events, size_t *count)
{
	if (*count == 0)
		return true;
	*events = arena_alloc(arena, *count * sizeof **events);
	*count = 0;
	return *events != NULL;
}

static bool events_group(
	struct arena *arena, Pb__BlockResults *out, const struct app_result *result)
{
	for (size_t i = 0; i < result->event_count; i++) {
		uint32_t owner = result->events[i].tx_index;

		CHECK(owner == APP_EVENT_OF_BLOCK || owner < result->tx_count);
		if (owner == APP_EVENT_OF_BLOCK)
			out->n_events++;
		else
			out->txs_results[owner]->n_events++;
	}
	if (!events_reserve(arena, &out->events, &out->n_events))
		return false;
	for (size_t i = 0; i < result->tx_count; i++)
		if (!events_reserve(
			    arena, &out->txs_results[i]->events, &out->txs_results[i]->n_events))
			return false;
	for (size_t i = 0; i < result->event_count; i++) {
		uint32_t owner = result->events[i].tx_index;
		Pb__Event *event = event_of(arena, &result->events[i]);

		if (!event)
			return false;
		if (owner == APP_EVENT_OF_BLOCK)
			out->events[out->n_events++] = event;
		else
			out->txs_results[owner]->events[out->txs_results[owner]->n_events++] =
				event;
	}
	return true;
}

static bool txs_fill(struct arena *arena, Pb__BlockResults *out, const struct app_result *result)
{
	Pb__ExecTxResult *txs = arena_alloc(arena, (result->tx_count + 1) * sizeof *txs);

	out->txs_results = arena_alloc(arena, (result->tx_count + 1) * sizeof *out->txs_results);
	if (!txs || !out->txs_results)
		return false;
	out->n_txs_results = result->tx_count;
	for (size_t i = 0; i < result->tx_count; i++) {
		const struct app_tx_result *from = &result->txs[i];

		out->txs_results[i] = &txs[i];
		pb__exec_tx_result__init(&txs[i]);
		txs[i].code = from->code;
		txs[i].data = wire_borrow(from->data.data, from->data.len);
		txs[i].log = text_borrow(from->log);
		txs[i].codespace = text_borrow(from->codespace);
		txs[i].gas_wanted = from->gas_wanted;
		txs[i].gas_used = from->gas_used;
	}
	return true;
}

static bool updates_fill(
	struct arena *arena, Pb__BlockResults *out, const struct app_result *result)
{
	size_t count = result->update_count;
	Pb__Validator *updates = arena_alloc(arena, (count + 1) * sizeof *updates);

	out->validator_updates = arena_alloc(arena, (count + 1) * sizeof *out->validator_updates);
	if (!updates || !out->validator_updates)
		return false;
	out->n_validator_updates = count;
	for (size_t i = 0; i < count; i++) {
		out->validator_updates[i] = &updates[i];
		pb__validator__init(&updates[i]);
		updates[i].key =
			wire_borrow(result->updates[i].key.b, sizeof result->updates[i].key.b);
		updates[i].power = result->updates[i].power;
	}
	return true;
}

Pb__BlockResults *block_results_of(struct arena *arena, const struct app_result *result)
{
	Pb__BlockResults *out = arena_alloc(arena, sizeof *out);
	uint8_t *app_hash = arena_copy(arena, result->app_hash.b, sizeof result->app_hash.b);

	if (!out || !app_hash)
		return NULL;
	pb__block_results__init(out);
	out->app_hash = wire_borrow(app_hash, sizeof result->app_hash.b);
	if (!txs_fill(arena, out, result) || !updates_fill(arena, out, result) ||
		!events_group(arena, out, result))
		return NULL;
	return out;
}
