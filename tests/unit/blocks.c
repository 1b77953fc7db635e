/* A small chain is stored block by block and read back by every road. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "chain/blocks.h"
#include "chain/format/validators.h"
#include "chain/format/wire.h"
#include "chain/store_mem.h"

enum { SETS_MAX = 1000 };

struct fixture {
	struct store store;
	struct arena arena;
	int64_t tip;
	struct validator_set sets[SETS_MAX]; /* by height, as the chain had them */
	struct validator_power change; /* applied to the set of height tip + 2 when power isn't 0 */
};

static struct validator_key key_of(uint8_t name)
{
	struct validator_key key = {{0}};

	memset(key.b, name, sizeof key.b);
	return key;
}

static const Pb__Head *head_of(struct fixture *f, int64_t height)
{
	Pb__Head *head = arena_alloc(&f->arena, sizeof *head);

	pb__head__init(head);
	head->height = height;
	head->base_height = 1;
	head->validators = validator_set_to_pb(&f->sets[height + 1], &f->arena);
	head->next_validators = validator_set_to_pb(&f->sets[height + 2], &f->arena);
	head->app_hash = wire_borrow("after", 5);
	assert_non_null(head->next_validators);
	return head;
}

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct validator_power members[4];
	struct store_batch batch;

	assert_int_equal(store_mem_open(&f->store), STATUS_OK);
	arena_init(&f->arena, 64 * 1024 * 1024);
	for (uint8_t i = 0; i < 4; i++) {
		members[i].key = key_of((uint8_t)(i + 1));
		members[i].power = 10 + i;
	}
	assert_int_equal(validator_set_make(&f->sets[1], members, 4), VALIDATORS_OK);
	f->sets[2] = f->sets[1];
	validator_set_increment(&f->sets[2], 1);
	store_batch_init(&batch);
	assert_int_equal(blocks_put_genesis(&batch, head_of(f, 0)), STATUS_OK);
	assert_int_equal(store_write(&f->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	store_close(&f->store);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

static struct hash32 hash_of_height(int64_t height)
{
	return sha256(bytes_view(&height, sizeof height));
}

/* Commits differ by who looked: round 0 is what the next block says, round 7 what this node saw. */
static void commit_fill(
	Pb__Commit *commit, Pb__BlockID *id, struct hash32 *hash, int64_t height, int32_t round)
{
	pb__commit__init(commit);
	pb__block_id__init(id);
	*hash = hash_of_height(height);
	if (height > 0)
		id->hash = wire_borrow(hash->b, sizeof hash->b);
	commit->height = height;
	commit->round = round;
	commit->block_id = id;
}

static void raw_block(struct buf *raw, int64_t height, const char *const *txs, size_t tx_count)
{
	Pb__Block block = PB__BLOCK__INIT;
	Pb__Header header = PB__HEADER__INIT;
	Pb__Data data = PB__DATA__INIT;
	Pb__EvidenceList evidence = PB__EVIDENCE_LIST__INIT;
	Pb__Commit last;
	Pb__BlockID last_id;
	struct hash32 last_hash;
	ProtobufCBinaryData views[8];

	for (size_t i = 0; i < tx_count; i++)
		views[i] = wire_borrow(txs[i], strlen(txs[i]));
	commit_fill(&last, &last_id, &last_hash, height - 1, 0);
	header.height = height;
	header.chain_id = (char *)(uintptr_t) "test";
	data.n_txs = tx_count;
	data.txs = views;
	block.header = &header;
	block.data = &data;
	block.evidence = &evidence;
	block.last_commit = &last;
	wire_append(raw, &block.base);
}

/* Each transaction's result says its index in gas_used; the first carries an event. */
static const Pb__BlockResults *results_of(struct fixture *f, size_t tx_count)
{
	static const struct app_event_attribute attribute = {"key", "value", true, NULL};
	const struct app_event events[] = {
		{APP_EVENT_OF_BLOCK, "swept", &attribute, 1}, {0, "app", &attribute, 1}};
	static const struct app_validator_update update = {.power = 3};
	struct app_tx_result txs[8] = {{.code = 0}};
	struct app_result result = {.txs = txs,
		.tx_count = tx_count,
		.events = events,
		.event_count = tx_count > 0 ? 2 : 1,
		.updates = &update,
		.update_count = 1};
	const Pb__BlockResults *out;

	for (size_t i = 0; i < tx_count; i++)
		txs[i].gas_used = (int64_t)i;
	memset(result.app_hash.b, 7, sizeof result.app_hash.b);
	out = block_results_of(&f->arena, &result);
	assert_non_null(out);
	return out;
}

static void put_block(struct fixture *f, const char *const *txs, size_t tx_count)
{
	int64_t height = f->tip + 1;
	Pb__BlockMeta meta = PB__BLOCK_META__INIT;
	Pb__Commit seen;
	Pb__BlockID id;
	struct hash32 hash, tx_hashes[8];
	struct store_batch batch;
	struct buf raw;

	f->sets[height + 2] = f->sets[height + 1];
	if (f->change.power != 0)
		assert_int_equal(
			validator_set_update(&f->sets[height + 2], &f->change, 1), VALIDATORS_OK);
	f->change.power = 0;
	validator_set_increment(&f->sets[height + 2], 1);
	buf_init(&raw, 0);
	raw_block(&raw, height, txs, tx_count);
	commit_fill(&seen, &id, &hash, height, 7);
	meta.block_id = &id;
	meta.num_txs = (int64_t)tx_count;
	for (size_t i = 0; i < tx_count; i++)
		tx_hashes[i] = sha256(bytes_of_text(txs[i]));
	store_batch_init(&batch);
	assert_int_equal(blocks_put(&batch, &(struct blocks_entry){.raw = buf_view(&raw),
						    .meta = &meta,
						    .seen_commit = &seen,
						    .results = results_of(f, tx_count),
						    .head = head_of(f, height),
						    .tx_hashes = tx_hashes,
						    .tx_count = tx_count}),
		STATUS_OK);
	assert_int_equal(store_write(&f->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	buf_fini(&raw);
	f->tip = height;
}

static void a_new_store_has_no_head(void **state)
{
	struct fixture *f = *state;
	struct store empty;
	const Pb__Head *head;
	int64_t low, high;

	assert_int_equal(store_mem_open(&empty), STATUS_OK);
	assert_int_equal(blocks_head(&empty, NULL, &f->arena, &head), STATUS_NOT_FOUND);
	assert_int_equal(blocks_span(&empty, NULL, &low, &high), STATUS_NOT_FOUND);
	store_close(&empty);
	assert_int_equal(blocks_span(&f->store, NULL, &low, &high), STATUS_OK);
	assert_true(low > high); /* genesis only */
	assert_int_equal(blocks_head(&f->store, NULL, &f->arena, &head), STATUS_OK);
	assert_int_equal(head->height, 0);
	assert_int_equal(head->next_validators->n_validators, 4);
}

static void a_decided_block_is_read_back_by_every_road(void **state)
{
	static const char *const txs[] = {"first", "second", "third"};
	struct fixture *f = *state;
	const Pb__BlockMeta *meta;
	const Pb__BlockResults *results;
	const Pb__ExecTxResult *result;
	struct hash32 hash = hash_of_height(1), tx_hash = sha256(bytes_of_text("third"));
	struct tx_place place;
	struct bytes tx;
	struct buf raw, expected;
	int64_t height, low, high;

	put_block(f, txs, 3);
	buf_init(&raw, 0);
	buf_init(&expected, 0);
	raw_block(&expected, 1, txs, 3);
	assert_int_equal(blocks_raw(&f->store, NULL, 1, &raw), STATUS_OK);
	assert_true(bytes_equal(buf_view(&raw), buf_view(&expected)));
	assert_true(block_tx_at(&tx, buf_view(&raw), 1));
	assert_true(bytes_equal(tx, bytes_of_text("second")));
	assert_false(block_tx_at(&tx, buf_view(&raw), 3));
	assert_int_equal(blocks_meta(&f->store, NULL, &f->arena, 1, &meta), STATUS_OK);
	assert_int_equal(meta->num_txs, 3);
	assert_int_equal(blocks_height_of(&f->store, NULL, &hash, &height), STATUS_OK);
	assert_int_equal(height, 1);
	assert_int_equal(blocks_tx_place(&f->store, NULL, &tx_hash, &place), STATUS_OK);
	assert_int_equal(place.height, 1);
	assert_int_equal(place.index, 2);
	buf_clear(&raw);
	assert_int_equal(blocks_tx(&f->store, NULL, place, &raw), STATUS_OK);
	assert_string_equal(buf_text(&raw), "third");
	assert_int_equal(blocks_results(&f->store, NULL, &f->arena, 1, &results), STATUS_OK);
	assert_int_equal(results->n_txs_results, 3);
	assert_int_equal(results->txs_results[0]->n_events, 1);
	assert_string_equal(results->txs_results[0]->events[0]->attributes[0]->value, "value");
	assert_int_equal(results->txs_results[1]->n_events, 0);
	assert_int_equal(results->n_events, 1);
	assert_string_equal(results->events[0]->type, "swept");
	assert_int_equal(results->validator_updates[0]->power, 3);
	assert_int_equal(results->app_hash.data[31], 7);
	assert_int_equal(blocks_tx_result(&f->store, NULL, &f->arena, place, &result), STATUS_OK);
	assert_int_equal(result->gas_used, 2);
	assert_int_equal(blocks_span(&f->store, NULL, &low, &high), STATUS_OK);
	assert_true(low == 1 && high == 1);
	buf_fini(&raw);
	buf_fini(&expected);
}

static void what_was_never_stored_is_not_found(void **state)
{
	static const char *const txs[] = {"only"};
	struct fixture *f = *state;
	const Pb__BlockMeta *meta;
	const Pb__Commit *commit;
	const Pb__ExecTxResult *result;
	const Pb__ValidatorSet *set;
	struct hash32 unknown = {{1}};
	struct tx_place place = {1, 1};
	bool canonical;
	int64_t height;
	struct buf raw;

	put_block(f, txs, 1);
	buf_init(&raw, 0);
	assert_int_equal(blocks_raw(&f->store, NULL, 2, &raw), STATUS_NOT_FOUND);
	assert_int_equal(blocks_meta(&f->store, NULL, &f->arena, 2, &meta), STATUS_NOT_FOUND);
	assert_int_equal(blocks_commit(&f->store, NULL, &f->arena, 2, &commit, &canonical),
		STATUS_NOT_FOUND);
	assert_int_equal(/* the first block's empty last_commit made no row */
		blocks_commit(&f->store, NULL, &f->arena, 0, &commit, &canonical),
		STATUS_NOT_FOUND);
	assert_int_equal(blocks_height_of(&f->store, NULL, &unknown, &height), STATUS_NOT_FOUND);
	assert_int_equal(blocks_tx_place(&f->store, NULL, &unknown, &place), STATUS_NOT_FOUND);
	assert_int_equal(blocks_tx(&f->store, NULL, place, &raw), STATUS_NOT_FOUND);
	assert_int_equal(
		blocks_tx_result(&f->store, NULL, &f->arena, place, &result), STATUS_NOT_FOUND);
	assert_int_equal(blocks_validators(&f->store, NULL, &f->arena, 0, &set), STATUS_NOT_FOUND);
	assert_int_equal(blocks_validators(&f->store, NULL, &f->arena, 4, &set), STATUS_NOT_FOUND);
	buf_fini(&raw);
}

static void the_tip_serves_its_own_commit_until_the_next_block_says_better(void **state)
{
	struct fixture *f = *state;
	const Pb__Commit *commit;
	bool canonical;

	put_block(f, NULL, 0);
	assert_int_equal(
		blocks_commit(&f->store, NULL, &f->arena, 1, &commit, &canonical), STATUS_OK);
	assert_int_equal(commit->round, 7);
	assert_false(canonical);
	put_block(f, NULL, 0);
	assert_int_equal(
		blocks_commit(&f->store, NULL, &f->arena, 1, &commit, &canonical), STATUS_OK);
	assert_int_equal(commit->height, 1);
	assert_int_equal(commit->round, 0);
	assert_true(canonical);
	assert_int_equal(
		blocks_commit(&f->store, NULL, &f->arena, 2, &commit, &canonical), STATUS_OK);
	assert_false(canonical);
}

static void every_heights_validators_are_known_from_few_rows(void **state)
{
	struct fixture *f = *state;
	struct store_iterator *rows;
	struct bytes key, value;
	size_t row_count = 0;

	while (f->tip < 700) {
		if (f->tip == 300) {
			f->change.key = key_of(9);
			f->change.power = 25;
		}
		put_block(f, NULL, 0);
	}
	for (int64_t height = 1; height <= f->tip + 2; height++) {
		const Pb__ValidatorSet *packed;
		struct validator_set set;

		assert_int_equal(
			blocks_validators(&f->store, NULL, &f->arena, height, &packed), STATUS_OK);
		assert_true(validator_set_from_pb(&set, packed));
		assert_int_equal(set.count, height < 303 ? 4 : 5);
		for (uint32_t i = 0; i < set.count; i++) {
			assert_int_equal(set.v[i].priority, f->sets[height].v[i].priority);
			assert_memory_equal(set.v[i].key.b, f->sets[height].v[i].key.b, 32);
		}
		arena_reset(&f->arena);
	}
	rows = store_iterate(
		&f->store, NULL, STORE_META, bytes_of_text("v/"), bytes_of_text("v0"), false);
	while (store_next(&f->store, rows, &key, &value) == STATUS_OK)
		row_count++;
	store_iterator_free(&f->store, rows);
	assert_int_equal(row_count, 4); /* first, 256, the change, 512 */
}

static void a_snapshot_reads_the_chain_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snapshot;
	const Pb__Commit *commit;
	const Pb__Head *head;
	bool canonical;
	struct buf raw;

	put_block(f, NULL, 0);
	snapshot = store_snapshot_new(&f->store);
	put_block(f, NULL, 0);
	buf_init(&raw, 0);
	assert_int_equal(blocks_head(&f->store, snapshot, &f->arena, &head), STATUS_OK);
	assert_int_equal(head->height, 1);
	assert_int_equal(blocks_raw(&f->store, snapshot, 2, &raw), STATUS_NOT_FOUND);
	assert_int_equal(
		blocks_commit(&f->store, snapshot, &f->arena, 1, &commit, &canonical), STATUS_OK);
	assert_int_equal(commit->round, 7);
	assert_false(canonical);
	buf_fini(&raw);
	store_snapshot_free(&f->store, snapshot);
}

static void pruning_leaves_no_row_of_the_block(void **state)
{
	static const char *const first[] = {"once", "again"}, *const second[] = {"again"};
	struct fixture *f = *state;
	struct hash32 once = sha256(bytes_of_text("once")), again = sha256(bytes_of_text("again"));
	struct hash32 block_hash = hash_of_height(1);
	struct store_batch batch;
	struct tx_place place;
	const Pb__BlockMeta *meta;
	const Pb__BlockResults *results;
	const Pb__Commit *commit;
	bool canonical;
	int64_t height;
	struct buf raw;

	put_block(f, first, 2);
	put_block(f, second, 1);
	store_batch_init(&batch);
	assert_int_equal(blocks_prune(&batch, &f->store, 1), STATUS_OK);
	assert_int_equal(store_write(&f->store, &batch, true), STATUS_OK);
	store_batch_clear(&batch);
	buf_init(&raw, 0);
	assert_int_equal(blocks_raw(&f->store, NULL, 1, &raw), STATUS_NOT_FOUND);
	assert_int_equal(blocks_meta(&f->store, NULL, &f->arena, 1, &meta), STATUS_NOT_FOUND);
	assert_int_equal(blocks_results(&f->store, NULL, &f->arena, 1, &results), STATUS_NOT_FOUND);
	assert_int_equal(blocks_commit(&f->store, NULL, &f->arena, 1, &commit, &canonical),
		STATUS_NOT_FOUND);
	assert_int_equal(blocks_height_of(&f->store, NULL, &block_hash, &height), STATUS_NOT_FOUND);
	assert_int_equal(blocks_tx_place(&f->store, NULL, &once, &place), STATUS_NOT_FOUND);
	assert_int_equal(blocks_tx_place(&f->store, NULL, &again, &place), STATUS_OK);
	assert_int_equal(place.height, 2);
	assert_int_equal(blocks_prune(&batch, &f->store, 1), STATUS_NOT_FOUND);
	store_batch_fini(&batch);
	buf_fini(&raw);
}

static void bytes_that_are_no_block_are_not_stored(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
	} table[] = {
		{"", 0}, {"\x0a", 1},    /* cut short */
		{"\x0a\x05x", 3},        /* length past the end */
		{"\x2a\x00", 2},         /* field 5 */
		{"\x08\x01", 2},         /* header as a number */
		{"\x12\x00", 2},         /* no header */
		{"\x0a\x00\x0f", 3},     /* wire type 7 */
		{"\x0a\x00\x02\x00", 4}, /* field 0 */
		{"\x0a\x80\x00", 3},     /* longer form of a length */
	};
	struct fixture *f = *state;
	struct block_sections sections;
	Pb__BlockMeta meta = PB__BLOCK_META__INIT;
	Pb__Commit seen;
	Pb__BlockID id;
	struct hash32 hash;
	struct store_batch batch;

	f->sets[3] = f->sets[2];
	validator_set_increment(&f->sets[3], 1);
	commit_fill(&seen, &id, &hash, 1, 0);
	meta.block_id = &id;
	store_batch_init(&batch);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct blocks_entry entry = {.raw = bytes_view(table[i].raw, table[i].len),
			.meta = &meta,
			.seen_commit = &seen,
			.results = results_of(f, 0),
			.head = head_of(f, 1)};

		assert_false(block_sections(&sections, entry.raw));
		assert_int_equal(blocks_put(&batch, &entry), STATUS_CORRUPT);
		assert_int_equal(batch.count, 0);
	}
	store_batch_fini(&batch);
}

static void a_row_that_does_not_parse_is_corrupt(void **state)
{
	struct fixture *f = *state;
	struct store_batch batch;
	uint8_t height[8] = {0, 0, 0, 0, 0, 0, 0, 1};
	struct bytes key = bytes_view(height, 8), junk = bytes_view("\xff\xff", 2);
	struct hash32 hash = {{0}};
	const Pb__BlockMeta *meta;
	const Pb__BlockResults *results;
	const Pb__Head *head;
	struct tx_place place = {1, 0};
	struct arena small;
	struct buf raw;

	store_batch_init(&batch);
	store_batch_put(&batch, STORE_META, key, junk);
	store_batch_put(&batch, STORE_RESULTS, key, junk);
	store_batch_put(&batch, STORE_BLOCKS, key, junk);
	store_batch_put(&batch, STORE_TXS, hash_view(&hash), junk);
	assert_int_equal(store_write(&f->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	buf_init(&raw, 0);
	assert_int_equal(blocks_meta(&f->store, NULL, &f->arena, 1, &meta), STATUS_CORRUPT);
	assert_int_equal(blocks_results(&f->store, NULL, &f->arena, 1, &results), STATUS_CORRUPT);
	assert_int_equal(blocks_tx(&f->store, NULL, place, &raw), STATUS_CORRUPT);
	assert_int_equal(blocks_tx_place(&f->store, NULL, &hash, &place), STATUS_CORRUPT);
	arena_init(&small, 64);
	assert_int_equal(blocks_head(&f->store, NULL, &small, &head), STATUS_NO_MEMORY);
	arena_fini(&small);
	buf_fini(&raw);
}

static void an_engine_record_lives_beside_the_blocks(void **state)
{
	struct fixture *f = *state;
	struct store_batch batch;
	struct buf value;

	store_batch_init(&batch);
	blocks_put_record(&batch, "/addresses", bytes_of_text("some"));
	assert_int_equal(store_write(&f->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	buf_init(&value, 0);
	assert_int_equal(blocks_record(&f->store, NULL, "/addresses", &value), STATUS_OK);
	assert_string_equal(buf_text(&value), "some");
	assert_int_equal(blocks_record(&f->store, NULL, "/other", &value), STATUS_NOT_FOUND);
	buf_fini(&value);
}

#define CHAIN(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAIN(a_new_store_has_no_head),
		CHAIN(a_decided_block_is_read_back_by_every_road),
		CHAIN(what_was_never_stored_is_not_found),
		CHAIN(the_tip_serves_its_own_commit_until_the_next_block_says_better),
		CHAIN(every_heights_validators_are_known_from_few_rows),
		CHAIN(a_snapshot_reads_the_chain_as_it_was),
		CHAIN(pruning_leaves_no_row_of_the_block),
		CHAIN(bytes_that_are_no_block_are_not_stored),
		CHAIN(a_row_that_does_not_parse_is_corrupt),
		CHAIN(an_engine_record_lives_beside_the_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
