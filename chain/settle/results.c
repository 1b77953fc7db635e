#include "chain/settle/results.h"

#include <stdlib.h>
#include <string.h>

#include "base/bech32.h"
#include "base/merkle.h"

void results_init(struct results *results, struct arena *arena, struct arena *scratch)
{
	memset(results, 0, sizeof *results);
	results->arena = arena;
	results->scratch = scratch;
	store_batch_init(&results->rows);
}

void results_fini(struct results *results)
{
	free(results->txs);
	free(results->events);
	free(results->touches);
	store_batch_fini(&results->rows);
	memset(results, 0, sizeof *results);
}

bool results_reset(struct results *results, size_t tx_count)
{
	results->tx_count = 0;
	results->event_count = 0;
	results->touch_count = 0;
	store_batch_clear(&results->rows);
	if (tx_count > results->tx_cap) {
		struct app_tx_result *txs = realloc(results->txs, tx_count * sizeof *txs);

		if (!txs)
			return false;
		results->txs = txs;
		results->tx_cap = tx_count;
	}
	if (tx_count > 0)
		memset(results->txs, 0, tx_count * sizeof *results->txs);
	results->tx_count = tx_count;
	return true;
}

struct results_mark results_mark(const struct results *results)
{
	struct results_mark mark = {results->event_count, results->touch_count,
		results->rows.ops.len, results->rows.count};

	return mark;
}

void results_rollback(struct results *results, const struct results_mark *mark)
{
	results->event_count = mark->event_count;
	results->touch_count = mark->touch_count;
	/* A batch is written in order, so what was added since is its tail. */
	results->rows.ops.len = mark->rows_len;
	results->rows.count = mark->rows_count;
}

/* ---- events ---- */

void draft_add_static(struct event_draft *draft, const char *key, const char *value, bool index)
{
	CHECK(draft->count < EVENT_ATTRIBUTES_MAX);
	draft->attributes[draft->count++] =
		(struct app_event_attribute){key, value ? value : "", index, NULL};
}

void draft_add_text(struct results *results, struct event_draft *draft, const char *key,
	struct bytes value, bool index)
{
	draft_add_static(draft, key, arena_text(results->arena, value), index);
}

void draft_add_address(struct results *results, struct event_draft *draft, const char *key,
	const struct account_address *address, bool index)
{
	char text[ADDRESS_TEXT_BYTES];

	address_text(text, address);
	draft_add_text(results, draft, key, bytes_of_text(text), index);
	draft->attributes[draft->count - 1].account =
		arena_copy(results->arena, address, sizeof *address);
}

void draft_add_u64(struct results *results, struct event_draft *draft, const char *key,
	uint64_t value, bool index)
{
	char text[24];
	size_t at = sizeof text;

	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	draft_add_text(results, draft, key, bytes_view(text + at, sizeof text - at), index);
}

bool results_event(struct results *results, const struct event_draft *draft, const char *type,
	uint32_t tx_index)
{
	struct app_event_attribute *attributes;

	if (results->event_count == results->event_cap) {
		size_t cap = results->event_cap ? results->event_cap * 2 : 256;
		struct app_event *events = realloc(results->events, cap * sizeof *events);

		if (!events)
			return false;
		results->events = events;
		results->event_cap = cap;
	}
	attributes = arena_copy(
		results->arena, draft->attributes, draft->count * sizeof *draft->attributes);
	if (!attributes)
		return false;
	results->events[results->event_count++] =
		(struct app_event){tx_index, type, attributes, draft->count};
	return true;
}

bool results_touch(
	struct results *results, uint32_t tx_index, const struct account_address *account)
{
	if (results->touch_count == results->touch_cap) {
		size_t cap = results->touch_cap ? results->touch_cap * 2 : 256;
		struct app_touch *touches = realloc(results->touches, cap * sizeof *touches);

		if (!touches)
			return false;
		results->touches = touches;
		results->touch_cap = cap;
	}
	results->touches[results->touch_count++] = (struct app_touch){tx_index, *account};
	return true;
}

/* ---- data ---- */

static struct hash32 outcome_leaf(
	struct results *results, const struct outcome *outcome, uint32_t index)
{
	Pb__ActionResult record = PB__ACTION_RESULT__INIT;
	uint8_t *packed;
	size_t len;

	record.index = index;
	record.code = outcome->code;
	if (outcome->code == SETTLE_OK && outcome->has_job) {
		record.job.data = (uint8_t *)(uintptr_t)outcome->job.b;
		record.job.len = outcome->job.len;
		record.state = (Pb__JobState)outcome->state;
		record.receipt = (Pb__Receipt *)(uintptr_t)outcome->receipt;
	}
	len = pb__action_result__get_packed_size(&record);
	packed = arena_alloc(results->scratch, len);
	if (!packed)
		return (struct hash32){{0}};
	pb__action_result__pack(&record, packed);
	return merkle_leaf(bytes_view(packed, len));
}

struct bytes results_data(struct results *results, const struct outcome *outcomes, size_t count)
{
	struct hash32 *leaves = arena_alloc(results->scratch, count * sizeof *leaves);
	const struct hash32 *root;

	if (!leaves)
		return bytes_view(NULL, 0);
	for (size_t i = 0; i < count; i++)
		leaves[i] = outcome_leaf(results, &outcomes[i], (uint32_t)i);
	leaves[0] = merkle_root_in_place(leaves, count);
	root = arena_copy(results->arena, leaves, sizeof *leaves);
	return bytes_view(root, root && !results->scratch->exhausted ? sizeof *root : 0);
}
