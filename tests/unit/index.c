#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bech32.h"
#include "chain/index.h"
#include "chain/store_mem.h"

/* One for all tests: they use it one after the other, and start by a new one. */
static struct index_writer *writer;

static int begin(void **state)
{
	struct store *store = calloc(1, sizeof *store);

	assert_int_equal(store_mem_open(store), STATUS_OK);
	writer = index_writer_new();
	assert_non_null(writer);
	*state = store;
	return 0;
}

static int end(void **state)
{
	struct store *store = *state;

	index_writer_free(writer);
	store_close(store);
	free(store);
	return 0;
}

static struct account_address address_of(uint8_t name)
{
	struct account_address address;

	memset(address.b, name, sizeof address.b);
	return address;
}

static void put(struct store *store, int64_t height, const struct app_result *result)
{
	struct store_batch batch;

	store_batch_init(&batch);
	assert_int_equal(index_put(writer, &batch, store, height, result), STATUS_OK);
	assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
}

static void put_touch(struct store *store, int64_t height, uint32_t tx_index, uint8_t name)
{
	struct app_touch touch = {tx_index, address_of(name)};
	struct app_result result = {.touches = &touch, .touch_count = 1};

	put(store, height, &result);
}

static void put_event(struct store *store, int64_t height, uint32_t tx_index, const char *type,
	const char *key, const char *value, bool index)
{
	struct app_event_attribute attribute = {key, value, index, NULL};
	struct app_event event = {tx_index, type, &attribute, 1};
	struct app_result result = {.events = &event, .event_count = 1};

	put(store, height, &result);
}

/* What is left of a walk, as "height.index ..."; takes the iterator. At most `most` places. */
static const char *walk(struct index_iterator *it, size_t most)
{
	static char out[1024];
	struct tx_place place;
	enum status status = STATUS_OK;
	size_t len = 0;

	out[0] = '\0';
	while (most-- > 0 && (status = index_next(it, &place)) == STATUS_OK) {
		const char *gap = len > 0 ? " " : "";

		if (place.index == APP_EVENT_OF_BLOCK)
			len += (size_t)snprintf(out + len, sizeof out - len, "%s%" PRId64 ".block",
				gap, place.height);
		else
			len += (size_t)snprintf(out + len, sizeof out - len,
				"%s%" PRId64 ".%" PRIu32, gap, place.height, place.index);
	}
	assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
	index_iterator_fini(it);
	return out;
}

static const char *account(struct store *store, uint8_t name, struct index_span span)
{
	struct account_address address = address_of(name);
	struct index_iterator it;
	struct index_list list;

	assert_int_equal(index_list_account(&list, store, NULL, &address), STATUS_OK);
	assert_int_equal(index_walk(&it, &list, &span), STATUS_OK);
	const char *places = walk(&it, SIZE_MAX);
	index_list_fini(&list);
	return places;
}

static const char *event_of(struct store *store, const char *key, struct bytes value, bool of_block)
{
	struct index_span whole = index_span_of(0, INT64_MAX, false);
	struct index_iterator it;
	struct index_list list;
	uint64_t count;

	assert_int_equal(index_list_event(&list, store, NULL, bytes_of_text(key), value, of_block),
		STATUS_OK);
	assert_int_equal(index_list_count(&count, &list, &whole), STATUS_OK);
	assert_int_equal(index_walk(&it, &list, &whole), STATUS_OK);
	const char *places = walk(&it, SIZE_MAX);
	index_list_fini(&list);
	size_t seen = places[0] != '\0';
	for (const char *at = places; *at; at++)
		seen += *at == ' ';
	assert_int_equal(count, seen);
	return places;
}

static const char *event(struct store *store, const char *key, struct bytes value)
{
	return event_of(store, key, value, false);
}

static void a_plain_transfer_writes_two_rows(void **state)
{
	static const struct app_event_attribute attributes[] = {
		{"sender", "ait1sender", true, NULL},
		{"recipient", "ait1recipient", true, NULL},
		{"amount", "250000", false, NULL},
	};
	static const struct app_event event_of_it = {0, "transfer", attributes, 3};
	struct app_touch touches[3] = {{0, address_of(1)}, {0, address_of(2)}, {0, address_of(1)}};
	struct app_result result = {
		.events = &event_of_it, .event_count = 1, .touches = touches, .touch_count = 3};
	struct store *store = *state;
	struct store_batch batch;
	struct store_op op;
	size_t at = 0;

	store_batch_init(&batch);
	assert_int_equal(index_put(writer, &batch, store, 5, &result), STATUS_OK);
	assert_int_equal(batch.count, 2); /* and one in STORE_TXS, by blocks_put */
	while (store_batch_next(&batch, &at, &op))
		assert_int_equal(op.family, STORE_ACCOUNTS);
	store_batch_fini(&batch);
}

static void an_account_has_one_row_per_transaction_that_touches_it(void **state)
{
	enum { COUNT = 3000 };
	struct store *store = *state;
	static struct app_touch touches[COUNT];
	struct app_result result = {.touches = touches, .touch_count = COUNT};
	struct store_batch batch;

	for (uint32_t i = 0; i < COUNT; i++)
		touches[i] = (struct app_touch){
			i % 3 == 2 ? APP_EVENT_OF_BLOCK : i % 3, address_of((uint8_t)(i % 50))};
	store_batch_init(&batch);
	assert_int_equal(index_put(writer, &batch, store, 1, &result), STATUS_OK);
	assert_int_equal(batch.count, 3 * 50);
	assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	assert_string_equal(
		account(store, 7, index_span_of(0, INT64_MAX, false)), "1.0 1.1 1.block");
}

static void history_is_walked_from_either_end_and_within_heights(void **state)
{
	struct store *store = *state;
	static const struct {
		int64_t from, to;
		bool newest_first;
		const char *expected;
	} table[] = {
		{0, INT64_MAX, false, "1.0 3.2 3.9 256.0 70000.1"},
		{0, INT64_MAX, true, "70000.1 256.0 3.9 3.2 1.0"},
		{-5, 3, false, "1.0 3.2 3.9"},
		{2, 256, true, "256.0 3.9 3.2"},
		{3, 3, false, "3.2 3.9"},
		{4, 255, false, ""},
		{9, 2, false, ""},
		{1, -1, true, ""},
		{0, INT64_MIN, true, ""},
	};

	put_touch(store, 1, 0, 4);
	put_touch(store, 3, 2, 4);
	put_touch(store, 3, 3, 3);
	put_touch(store, 3, 4, 5);
	put_touch(store, 3, 9, 4);
	put_touch(store, 256, 0, 4);
	put_touch(store, 70000, 1, 4);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		assert_string_equal(
			account(store, 4,
				index_span_of(table[i].from, table[i].to, table[i].newest_first)),
			table[i].expected);
}

static void a_cursor_goes_on_after_the_last_one_seen(void **state)
{
	struct store *store = *state;

	for (int64_t height = 1; height <= 5; height++) {
		put_touch(store, height, 0, 4);
		put_touch(store, height, APP_EVENT_OF_BLOCK, 4);
	}
	for (int newest_first = 0; newest_first < 2; newest_first++) {
		struct index_span whole = index_span_of(0, INT64_MAX, newest_first != 0),
				  span = whole;
		struct account_address address = address_of(4);
		struct index_list list;
		struct index_iterator it;
		struct tx_place place;
		char pages[256] = "";

		assert_int_equal(index_list_account(&list, store, NULL, &address), STATUS_OK);
		for (;;) { /* a page of one */
			assert_int_equal(index_walk(&it, &list, &span), STATUS_OK);
			if (index_next(&it, &place) != STATUS_OK)
				break;
			index_iterator_fini(&it);
			assert_int_equal(index_walk(&it, &list, &span), STATUS_OK);
			strcat(strcat(pages, pages[0] ? " " : ""), walk(&it, 1));
			span = index_span_after(span, place);
		}
		index_iterator_fini(&it);
		index_list_fini(&list);
		assert_string_equal(pages, account(store, 4, whole));
		assert_string_equal(account(store, 4, span), "");
	}
}

static void an_event_is_found_by_its_exact_value_only(void **state)
{
	struct store *store = *state;

	put_event(store, 1, 0, "app", "key", "a", true);
	put_event(store, 2, 1, "app", "key", "a", true);
	put_event(store, 2, 2, "app", "key", "ab", true);
	put_event(store, 2, 3, "app", "key", "", true);
	put_event(store, 2, 4, "app", "key2", "a", true);
	put_event(store, 2, 6, "app", "key", "a\001", true);
	put_event(store, 2, 7, "app", "hidden", "a", false);
	put_event(store, 9, APP_EVENT_OF_BLOCK, "app", "key", "a", true);
	assert_string_equal(event(store, "app.key", bytes_of_text("a")), "1.0 2.1");
	assert_string_equal(event_of(store, "app.key", bytes_of_text("a"), true), "9.block");
	assert_string_equal(event(store, "app.key", bytes_of_text("ab")), "2.2");
	assert_string_equal(event(store, "app.key", bytes_of_text("")), "2.3");
	assert_string_equal(event(store, "app.key", bytes_of_text("b")), "");
	assert_string_equal(event(store, "app.ke", bytes_of_text("a")), "");
	assert_string_equal(event(store, "app.hidden", bytes_of_text("a")), "");
	assert_string_equal(event(store, "app.key", bytes_view("a\0", 2)), "");
	assert_string_equal(event(store, "app.key", bytes_view("\0", 1)), "");
}

static void all_values_of_a_key_are_walked_in_their_order(void **state)
{
	struct store *store = *state;
	struct index_iterator it;
	struct tx_place place;
	struct bytes value;
	struct buf seen;

	put_event(store, 1, 0, "app", "key", "b", true);
	put_event(store, 2, 0, "app", "key", "b", true);
	put_event(store, 3, 0, "app", "key", "", true);
	put_event(store, 4, 0, "app", "key", "ab", true);
	put_event(store, 5, 0, "app", "key2", "x", true);
	put_event(store, 5, 0, "app", "kex", "x", true);
	buf_init(&seen, 0);
	assert_int_equal(index_walk_values(&it, store, NULL, bytes_of_text("app.key")), STATUS_OK);
	while (index_next_value(&it, &value, &place) == STATUS_OK) {
		buf_append_view(&seen, value);
		buf_appendf(&seen, "@%" PRId64 " ", place.height);
	}
	index_iterator_fini(&it);
	assert_string_equal(buf_text(&seen), "@3 ab@4 b@1 b@2 ");
	buf_fini(&seen);
}

static void a_sweep_comes_by_every_row_of_pruned_heights(void **state)
{
	struct store *store = *state;
	struct store_batch batch;

	for (int64_t height = 1; height <= 20; height++) {
		put_touch(store, height, 0, (uint8_t)(height * 7));
		put_touch(store, height, 0, 1);
		put_event(store, height, 0, "app", "key", "a", true);
		put_event(store, height, APP_EVENT_OF_BLOCK, "app", "key", "b", true);
	}
	store_batch_init(&batch);
	for (int call = 0; call < 14; call++) { /* 80 rows, 7 at a time, two ends */
		store_batch_clear(&batch);
		assert_int_equal(index_sweep(&batch, store, 18, 7), STATUS_OK);
		assert_true(batch.count <= 7 + 1);
		assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	}
	assert_string_equal(account(store, 1, index_span_of(0, 99, false)), "18.0 19.0 20.0");
	assert_string_equal(account(store, 7, index_span_of(0, 99, false)), "");
	assert_string_equal(account(store, 19 * 7, index_span_of(0, 99, false)), "19.0");
	assert_string_equal(event(store, "app.key", bytes_of_text("a")), "18.0 19.0 20.0");
	assert_string_equal(
		event_of(store, "app.key", bytes_of_text("b"), true), "18.block 19.block 20.block");
	put_touch(store, 18, 0, 2); /* and it goes round again */
	for (int call = 0; call < 6; call++) {
		store_batch_clear(&batch);
		assert_int_equal(index_sweep(&batch, store, 21, 7), STATUS_OK);
		assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	}
	assert_string_equal(account(store, 2, index_span_of(0, 99, false)), "");
	assert_string_equal(account(store, 1, index_span_of(0, 99, false)), "");
	store_batch_fini(&batch);
}

/* ---- numbers, held against a plain list of everything that was put ---- */

enum { PEOPLE = 5, BLOCKS = 120, TXS_MAX = 40, KNOWN_MAX = BLOCKS * TXS_MAX };

struct known {
	struct tx_place place;
	uint8_t account;
	unsigned marks; /* bit 0: sent, bit 1: received */
};

struct history {
	struct known known[KNOWN_MAX * 2];
	size_t count;
	uint32_t dice;
};

static uint32_t roll(struct history *h, uint32_t sides)
{
	h->dice = h->dice * 1664525 + 1013904223;
	return (h->dice >> 8) % sides;
}

static void know(struct history *h, struct tx_place place, uint8_t account, unsigned marks)
{
	for (size_t i = h->count; i-- > 0 && tx_place_compare(h->known[i].place, place) == 0;) {
		if (h->known[i].account == account) {
			h->known[i].marks |= marks;
			return;
		}
	}
	h->known[h->count++] = (struct known){place, account, marks};
}

/* One block of transfers and of transactions that only touch; now and then a booking of the block.
 */
static void put_block(struct history *h, struct store *store, int64_t height)
{
	static struct account_address people[PEOPLE];
	static char names[PEOPLE][ADDRESS_TEXT_BYTES];
	struct app_touch touches[TXS_MAX * 2];
	struct app_event_attribute attributes[TXS_MAX][2];
	struct app_event events[TXS_MAX];
	struct app_result result = {.touches = touches, .events = events};
	uint32_t txs = roll(h, TXS_MAX);

	for (uint32_t i = 0; i < txs; i++) {
		bool of_block = i + 1 == txs && roll(h, 2) == 0;
		struct tx_place place = {height, of_block ? APP_EVENT_OF_BLOCK : i};
		uint32_t from = roll(h, PEOPLE - 1), to = roll(h, roll(h, 30) == 0 ? PEOPLE : 2);
		bool pays = roll(h, 3) > 0;
		uint32_t both[] = {from, to};

		for (unsigned k = 0; k < 2; k++) {
			people[both[k]] = address_of((uint8_t)(both[k] + 1));
			address_text(names[both[k]], &people[both[k]]);
			touches[result.touch_count++] =
				(struct app_touch){place.index, people[both[k]]};
			know(h, place, (uint8_t)both[k], pays && !of_block ? 1u << k : 0);
			attributes[i][k] =
				(struct app_event_attribute){k == 0 ? "sender" : "recipient",
					names[both[k]], true, &people[both[k]]};
		}
		if (pays)
			events[result.event_count++] =
				(struct app_event){place.index, "transfer", attributes[i], 2};
	}
	put(store, height, &result);
}

/* A list as the history knows it: the places of the span that carry the mark. */
static size_t expect(struct tx_place *out, const struct history *h, uint8_t account, unsigned mark,
	const struct index_span *span)
{
	size_t count = 0;

	for (size_t i = 0; i < h->count; i++) {
		const struct known *k = &h->known[span->newest_first ? h->count - 1 - i : i];

		if (k->account == account && (mark == 0 || (k->marks >> (mark - 1) & 1) != 0) &&
			tx_place_compare(k->place, span->from) >= 0 &&
			tx_place_compare(k->place, span->to) < 0)
			out[count++] = k->place;
	}
	return count;
}

static void check_list(const struct index_list *list, const struct index_span *span,
	const struct tx_place *expected, size_t expected_count)
{
	struct index_iterator it;
	struct tx_place place;
	uint64_t count;

	assert_int_equal(index_list_count(&count, list, span), STATUS_OK);
	assert_int_equal(count, expected_count);
	assert_int_equal(index_list_nth(&place, list, span, count), STATUS_NOT_FOUND);
	assert_int_equal(index_walk(&it, list, span), STATUS_OK);
	for (size_t i = 0; i < expected_count; i++) {
		assert_int_equal(index_next(&it, &place), STATUS_OK);
		assert_int_equal(tx_place_compare(place, expected[i]), 0);
		assert_int_equal(index_list_has(list, place), STATUS_OK);
		if (i % 7 != 0 && i + 3 < expected_count)
			continue;
		assert_int_equal(index_list_nth(&place, list, span, i), STATUS_OK);
		assert_int_equal(tx_place_compare(place, expected[i]), 0);
	}
	assert_int_equal(index_next(&it, &place), STATUS_NOT_FOUND);
	index_iterator_fini(&it);
}

static void check_account(struct history *h, struct store *store, uint8_t account, unsigned mark)
{
	static const char *const keys[] = {NULL, "transfer.sender", "transfer.recipient"};
	static struct tx_place expected[KNOWN_MAX * 2];
	struct account_address address = address_of((uint8_t)(account + 1));
	char name[ADDRESS_TEXT_BYTES];
	struct index_list list;

	address_text(name, &address);
	if (mark == 0)
		assert_int_equal(index_list_account(&list, store, NULL, &address), STATUS_OK);
	else
		assert_int_equal(index_list_event(&list, store, NULL, bytes_of_text(keys[mark]),
					 bytes_of_text(name), false),
			STATUS_OK);
	for (unsigned turn = 0; turn < 6; turn++) {
		int64_t low = turn < 2 ? 0 : (int64_t)roll(h, BLOCKS);
		int64_t high = turn < 2 ? INT64_MAX : low + (int64_t)roll(h, BLOCKS / 2);
		struct index_span span = index_span_of(low, high, turn % 2 == 1);

		if (turn == 5)
			span.from.index = roll(h, TXS_MAX);
		check_list(&list, &span, expected, expect(expected, h, account, mark, &span));
	}
	struct tx_place nowhere = {3, TXS_MAX + 1};
	assert_int_equal(index_list_has(&list, nowhere), STATUS_NOT_FOUND);
	index_list_fini(&list);
}

/* Also those whose rows are few among many, which a walk jumps to. */
static void every_list_counts_and_pages_as_a_plain_one_would(void **state)
{
	struct store *store = *state;
	struct history *h = calloc(1, sizeof *h);

	assert_non_null(h);
	h->dice = 11;
	for (int64_t height = 1; height <= BLOCKS; height++) {
		put_block(h, store, height);
		if (height % 50 == 0) { /* a restart remembers nothing */
			index_writer_free(writer);
			writer = index_writer_new();
			assert_non_null(writer);
		}
	}
	for (uint8_t account = 0; account < PEOPLE; account++) {
		for (unsigned mark = 0; mark <= 2; mark++)
			check_account(h, store, account, mark);
	}
	free(h);
}

static void what_was_swept_away_is_not_counted(void **state)
{
	struct store *store = *state;
	struct account_address address = address_of(3);
	struct index_span rest = index_span_of(6, INT64_MAX, false);
	struct tx_place expected[] = {{6, 0}, {7, 0}, {8, 0}, {9, 0}};
	struct store_batch batch;
	struct index_list list;

	for (int64_t height = 1; height <= 9; height++)
		put_touch(store, height, 0, 3);
	assert_int_equal(index_list_account(&list, store, NULL, &address), STATUS_OK);
	check_list(&list, &rest, expected, 4);
	store_batch_init(&batch);
	assert_int_equal(index_sweep(&batch, store, 6, 100), STATUS_OK);
	assert_int_equal(store_write(store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	check_list(&list, &rest, expected, 4);
	index_list_fini(&list);
}

#define STORE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE(a_plain_transfer_writes_two_rows),
		STORE(an_account_has_one_row_per_transaction_that_touches_it),
		STORE(history_is_walked_from_either_end_and_within_heights),
		STORE(a_cursor_goes_on_after_the_last_one_seen),
		STORE(an_event_is_found_by_its_exact_value_only),
		STORE(all_values_of_a_key_are_walked_in_their_order),
		STORE(a_sweep_comes_by_every_row_of_pruned_heights),
		STORE(every_list_counts_and_pages_as_a_plain_one_would),
		STORE(what_was_swept_away_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
