/* Writing the index: the rows of one block, each numbered in its list. A list's numbers go on from
 * its last row: in this block, else as remembered, else as the store has it. */
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "chain/index_rows.h"

enum { ADDRESS_BYTES = 20, LIST_ID_BYTES = 20, REMEMBERED_LISTS = 64 * 1024 };

/* ---- where lists end ---- */

/* An account's own bytes, or a digest of an event's prefix. */
struct list_id {
	uint8_t b[LIST_ID_BYTES];
	uint8_t family;
};

struct list_end {
	bool used;
	bool placed; /* a row of this block is in it, at */
	struct list_id id;
	struct tx_place at;
	uint64_t numbers[ROW_NUMBERS];
};

/* By their id's first bits; a newcomer takes the place of who was there. */
struct index_writer {
	struct list_end remembered[REMEMBERED_LISTS];
};

struct index_writer *index_writer_new(void)
{
	return calloc(1, sizeof(struct index_writer));
}

void index_writer_free(struct index_writer *writer)
{
	free(writer);
}

/* One block being written. */
struct block_rows {
	struct index_writer *writer;
	struct store_batch *batch;
	struct store *store;
	int64_t height;
	const struct app_result *result;
	/* Open addressing, at most half full: a block's lists are never forgotten while it is
	 * written, for the store doesn't know its rows yet. */
	struct list_end *ends;
	size_t ends_mask;
	/* Distinct touches: slots hold a touch's number + 1; marks by touch. */
	uint32_t *touch_slots;
	size_t touch_mask;
	uint8_t *marks;
	struct buf key;
	enum status status;
};

static bool id_equal(const struct list_id *a, const struct list_id *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof a->b) == 0;
}

static struct list_end *remembered_at(struct index_writer *writer, const struct list_id *id)
{
	return &writer->remembered[(get_u32be(id->b) ^ id->family) % REMEMBERED_LISTS];
}

/* NULL: b->status says why. */
static struct list_end *end_of(struct block_rows *b, const struct list_id *id, struct bytes prefix)
{
	size_t at = (size_t)get_u64be(id->b) & b->ends_mask;

	for (; b->ends[at].used; at = (at + 1) & b->ends_mask) {
		if (id_equal(&b->ends[at].id, id))
			return &b->ends[at];
	}
	struct list_end *end = &b->ends[at];
	const struct list_end *known = remembered_at(b->writer, id);
	struct index_row row = {0, {0}};
	struct tx_place place, beyond = {b->height, 0};
	if (known->used && id_equal(&known->id, id)) {
		memcpy(row.numbers, known->numbers, sizeof row.numbers);
	} else {
		enum status status = rows_last(&row, &place, b->store, NULL,
			(enum store_family)id->family, prefix, beyond);
		if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
			b->status = status;
			return NULL;
		}
	}
	*end = (struct list_end){.used = true, .id = *id};
	memcpy(end->numbers, row.numbers, sizeof end->numbers);
	return end;
}

static void remember(struct block_rows *b)
{
	for (size_t i = 0; i <= b->ends_mask; i++) {
		if (b->ends[i].used)
			*remembered_at(b->writer, &b->ends[i].id) = b->ends[i];
	}
}

/* b->key holds the list's prefix and grows by the place. */
static void put_row(
	struct block_rows *b, const struct list_id *id, uint32_t tx_index, uint8_t marks)
{
	struct tx_place place = {b->height, tx_index};
	uint8_t packed[PLACE_BYTES], value[ROW_BYTES_MAX];
	struct list_end *end = end_of(b, id, buf_view(&b->key));

	/* The same value twice in one transaction is one hit. */
	if (!end || (end->placed && tx_place_compare(end->at, place) == 0))
		return;
	end->placed = true;
	end->at = place;
	struct index_row row = {.marks = marks};
	for (unsigned mark = 0; mark < ROW_NUMBERS; mark++) {
		end->numbers[mark] += row_counts(&row, mark);
		row.numbers[mark] = end->numbers[mark];
	}
	place_pack(packed, place);
	buf_append(&b->key, packed, sizeof packed);
	store_batch_put(b->batch, (enum store_family)id->family, buf_view(&b->key),
		bytes_view(value, row_pack(value, &row)));
}

/* ---- accounts ---- */

/* Addresses are digests of keys and the table lives for one block, so mixing two words of them is
 * enough. */
static uint32_t *touch_slot(
	struct block_rows *b, const struct account_address *account, uint32_t tx_index)
{
	const struct app_touch *touches = b->result->touches;
	uint64_t hash = (get_u64be(account->b) ^ get_u64be(account->b + 12) << 1 ^ tx_index) *
			0x9e3779b97f4a7c15u;
	size_t at = (size_t)(hash >> 32) & b->touch_mask;

	for (; b->touch_slots[at] != 0; at = (at + 1) & b->touch_mask) {
		const struct app_touch *other = &touches[b->touch_slots[at] - 1];

		if (other->tx_index == tx_index && account_address_equal(&other->account, account))
			break;
	}
	return &b->touch_slots[at];
}

static void put_touch(struct block_rows *b, size_t i)
{
	const struct app_touch *touch = &b->result->touches[i];
	struct list_id id = {.family = STORE_ACCOUNTS};

	if (*touch_slot(b, &touch->account, touch->tx_index) != i + 1)
		return; /* not the first of its like */
	memcpy(id.b, touch->account.b, ADDRESS_BYTES);
	buf_clear(&b->key);
	buf_append(&b->key, touch->account.b, ADDRESS_BYTES);
	put_row(b, &id, touch->tx_index, b->marks[i]);
}

static void note_touches(struct block_rows *b)
{
	for (size_t i = 0; i < b->result->touch_count; i++) {
		const struct app_touch *touch = &b->result->touches[i];
		uint32_t *slot = touch_slot(b, &touch->account, touch->tx_index);

		if (*slot == 0)
			*slot = (uint32_t)i + 1;
	}
}

/* ---- events ---- */

static void put_attribute(
	struct block_rows *b, const struct app_event *event, const struct app_event_attribute *a)
{
	struct list_id id = {.family = STORE_EVENTS};

	buf_clear(&b->key);
	buf_append_text(&b->key, event->type);
	buf_append_byte(&b->key, '.');
	buf_append_text(&b->key, a->key);
	bool of_block = event->tx_index == APP_EVENT_OF_BLOCK;
	if (!of_block && row_mark_of(buf_view(&b->key)) != 0)
		return;
	buf_append_byte(&b->key, 0);
	buf_append_text(&b->key, a->value);
	buf_append_byte(&b->key, 0);
	buf_append_byte(&b->key, of_block ? ROW_OF_BLOCK : ROW_OF_TX);
	struct hash32 digest = sha256(buf_view(&b->key));
	memcpy(id.b, digest.b, sizeof id.b);
	put_row(b, &id, event->tx_index, 0);
}

/* Marks the account's row of that transaction. The app touches whom it names so. */
static void mark_attribute(
	struct block_rows *b, const struct app_event *event, const struct app_event_attribute *a)
{
	if (!a->account || event->tx_index == APP_EVENT_OF_BLOCK)
		return;
	buf_clear(&b->key);
	buf_append_text(&b->key, event->type);
	buf_append_byte(&b->key, '.');
	buf_append_text(&b->key, a->key);
	unsigned mark = row_mark_of(buf_view(&b->key));
	uint32_t touch = mark ? *touch_slot(b, a->account, event->tx_index) : 0;
	if (touch != 0)
		b->marks[touch - 1] |= (uint8_t)(1u << (mark - 1));
}

static void each_attribute(struct block_rows *b, const struct app_event *event,
	void (*put)(
		struct block_rows *, const struct app_event *, const struct app_event_attribute *))
{
	for (size_t i = 0; i < event->attribute_count; i++) {
		if (event->attributes[i].index)
			put(b, event, &event->attributes[i]);
	}
}

/* A list's rows in the order of their places: the block's own are its last. */
static void put_rows(struct block_rows *b)
{
	const struct app_result *result = b->result;

	note_touches(b);
	for (size_t i = 0; i < result->event_count; i++)
		each_attribute(b, &result->events[i], mark_attribute);
	for (unsigned of_block = 0; of_block < 2; of_block++) {
		for (size_t i = 0; i < result->touch_count; i++) {
			if ((result->touches[i].tx_index == APP_EVENT_OF_BLOCK) == of_block)
				put_touch(b, i);
		}
		for (size_t i = 0; i < result->event_count; i++) {
			if ((result->events[i].tx_index == APP_EVENT_OF_BLOCK) == of_block)
				each_attribute(b, &result->events[i], put_attribute);
		}
	}
}

static size_t power_of_two_over(size_t count)
{
	size_t slots = 16;

	while (slots < count)
		slots *= 2;
	return slots;
}

enum status index_put(struct index_writer *writer, struct store_batch *batch, struct store *store,
	int64_t height, const struct app_result *result)
{
	size_t lists = result->touch_count;

	for (size_t i = 0; i < result->event_count; i++)
		lists += result->events[i].attribute_count;
	CHECK(lists < UINT32_MAX / 4);
	struct block_rows b = {writer, batch, store, height, result,
		.ends_mask = power_of_two_over(lists * 2) - 1,
		.touch_mask = power_of_two_over(result->touch_count * 2) - 1, .status = STATUS_OK};
	b.ends = calloc(b.ends_mask + 1, sizeof *b.ends);
	b.touch_slots = calloc(b.touch_mask + 1, sizeof *b.touch_slots);
	b.marks = calloc(result->touch_count + 1, 1);
	buf_init(&b.key, 0);
	if (b.ends && b.touch_slots && b.marks)
		put_rows(&b);
	else
		b.status = STATUS_NO_MEMORY;
	if (b.status == STATUS_OK && !buf_ok(&b.key))
		b.status = STATUS_NO_MEMORY;
	if (b.status == STATUS_OK)
		remember(&b);
	buf_fini(&b.key);
	free(b.ends);
	free(b.touch_slots);
	free(b.marks);
	return b.status;
}
