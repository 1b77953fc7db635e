#include "chain/store_rocks.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rocksdb/c.h>

#include "chain/store_remains.h"

enum {
	WRITE_BUFFERS_BYTES = 24 << 20, /* of all families together */
	WRITE_BUFFER_BYTES = 12 << 20,
	ARENA_BLOCK_BYTES = 256 << 10, /* the least an idle family holds */
	BLOCK_CACHE_BYTES = 16 << 20,
	BLOCK_CACHE_SHARD_BITS = 2,
	TABLE_BLOCK_BYTES = 8 << 10,
	WAL_TOTAL_BYTES = 64 << 20, /* then the family that pins the oldest log is flushed */
	MANIFEST_BYTES = 16 << 20,
	INFO_LOG_BYTES = 1 << 20,
	INFO_LOG_FILES = 2,
	OPEN_FILES_MAX = 256,
	BACKGROUND_JOBS = 2,
	BLOOM_BITS = 10,
	FAMILIES_ON_DISK_MAX = 64, /* ours and those of releases to come */
	LEVEL_WARN = 2             /* of RocksDB's own log */
};

struct rocks {
	rocksdb_t *db;
	rocksdb_column_family_handle_t *families[STORE_FAMILIES];
	rocksdb_column_family_handle_t
		*handles[FAMILIES_ON_DISK_MAX]; /* ours first, then foreign */
	size_t handle_count;
	rocksdb_readoptions_t *read_newest;
	rocksdb_writeoptions_t *write_synced;
	rocksdb_writeoptions_t *write_unsynced;
	/* One that nobody fills just now, or NULL: the chain and the coordinator write from threads
	 * of their own. */
	_Atomic(rocksdb_writebatch_t *) batch;
	atomic_int write_status; /* enum status: of a write that failed, for ever */
	atomic_size_t readers;   /* live snapshots and iterators */
};

struct store_snapshot {
	const rocksdb_snapshot_t *snapshot;
	rocksdb_readoptions_t *read;
};

struct store_iterator {
	struct rocks *rocks;
	rocksdb_iterator_t *rows;
	rocksdb_readoptions_t *read; /* points into bounds */
	struct buf bounds;
	bool backwards;
	bool started;
};

/* RocksDB's C port gives its status as text only. */
static enum status status_of(const char *text)
{
	if (strncmp(text, "Corruption", 10) == 0)
		return STATUS_CORRUPT;
	if (strstr(text, "No space left") || strstr(text, "quota exceeded"))
		return STATUS_DISK_FULL;
	if (strstr(text, "lock") &&
		(strstr(text, "temporarily unavailable") || strstr(text, "hold by")))
		return STATUS_BUSY;
	return STATUS_IO;
}

static enum status status_take(char *error)
{
	enum status status;

	if (!error)
		return STATUS_OK;
	status = status_of(error);
	rocksdb_free(error);
	return status;
}

static bool is_read_by_point(const char *family)
{
	static const enum store_family by_point[] = {
		STORE_META, STORE_TXS, STORE_STATE, STORE_JOBS, STORE_COORDINATOR};

	for (size_t i = 0; i < sizeof by_point / sizeof *by_point; i++)
		if (strcmp(family, store_family_name(by_point[i])) == 0)
			return true;
	return false;
}

/* ---- reading and writing ---- */

static enum status rocks_get(void *self, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes key, struct buf *value)
{
	struct rocks *rocks = self;
	char *error = NULL;
	size_t len = 0;
	const char *data;
	rocksdb_pinnableslice_t *slice =
		rocksdb_get_pinned_cf(rocks->db, snapshot ? snapshot->read : rocks->read_newest,
			rocks->families[family], (const char *)key.data, key.len, &error);

	if (error)
		return status_take(error);
	if (!slice)
		return STATUS_NOT_FOUND;
	data = rocksdb_pinnableslice_value(slice, &len);
	buf_append(value, data, len);
	rocksdb_pinnableslice_destroy(slice);
	return STATUS_OK;
}

static rocksdb_readoptions_t *read_options_new(const rocksdb_snapshot_t *snapshot)
{
	rocksdb_readoptions_t *read = rocksdb_readoptions_create();

	rocksdb_readoptions_set_verify_checksums(read, 1);
	if (snapshot)
		rocksdb_readoptions_set_snapshot(read, snapshot);
	return read;
}

static struct store_snapshot *rocks_snapshot_new(void *self)
{
	struct rocks *rocks = self;
	struct store_snapshot *out = malloc(sizeof *out);

	if (!out)
		return NULL;
	out->snapshot = rocksdb_create_snapshot(rocks->db);
	out->read = read_options_new(out->snapshot);
	atomic_fetch_add(&rocks->readers, 1);
	return out;
}

static void rocks_snapshot_free(void *self, struct store_snapshot *snapshot)
{
	struct rocks *rocks = self;

	rocksdb_readoptions_destroy(snapshot->read);
	rocksdb_release_snapshot(rocks->db, snapshot->snapshot);
	free(snapshot);
	atomic_fetch_sub(&rocks->readers, 1);
}

static struct store_iterator *rocks_iterator_new(void *self, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes from, struct bytes to, bool backwards)
{
	struct rocks *rocks = self;
	struct store_iterator *it = calloc(1, sizeof *it);

	if (!it)
		return NULL;
	buf_append_view(&it->bounds, from);
	buf_append_view(&it->bounds, to);
	if (!buf_ok(&it->bounds)) {
		buf_fini(&it->bounds);
		free(it);
		return NULL;
	}
	it->rocks = rocks;
	it->backwards = backwards;
	it->read = read_options_new(snapshot ? snapshot->snapshot : NULL);
	if (from.len > 0)
		rocksdb_readoptions_set_iterate_lower_bound(
			it->read, (const char *)it->bounds.data, from.len);
	if (to.len > 0)
		rocksdb_readoptions_set_iterate_upper_bound(
			it->read, (const char *)it->bounds.data + from.len, to.len);
	it->rows = rocksdb_create_iterator_cf(rocks->db, it->read, rocks->families[family]);
	atomic_fetch_add(&rocks->readers, 1);
	return it;
}

static enum status rocks_iterator_next(
	struct store_iterator *it, struct bytes *key, struct bytes *value)
{
	const char *data;
	size_t len;

	if (!it->started && it->backwards)
		rocksdb_iter_seek_to_last(it->rows);
	else if (!it->started)
		rocksdb_iter_seek_to_first(it->rows);
	else if (rocksdb_iter_valid(it->rows) && it->backwards)
		rocksdb_iter_prev(it->rows);
	else if (rocksdb_iter_valid(it->rows))
		rocksdb_iter_next(it->rows);
	it->started = true;
	if (!rocksdb_iter_valid(it->rows)) {
		char *error = NULL;

		rocksdb_iter_get_error(it->rows, &error);
		return error ? status_take(error) : STATUS_NOT_FOUND;
	}
	data = rocksdb_iter_key(it->rows, &len);
	*key = bytes_view(data, len);
	data = rocksdb_iter_value(it->rows, &len);
	*value = bytes_view(data, len);
	return STATUS_OK;
}

static void rocks_iterator_free(struct store_iterator *it)
{
	rocksdb_iter_destroy(it->rows);
	rocksdb_readoptions_destroy(it->read);
	buf_fini(&it->bounds);
	atomic_fetch_sub(&it->rocks->readers, 1);
	free(it);
}

/* A row's place in the order in which the memtables like to get them: by family and key, as far as
 * seven bytes tell; among equals, and so among rows of one key, as they were put. */
struct place {
	uint64_t rank;
	uint32_t number; /* in the batch */
	size_t at;
};

static int place_compare(const void *a, const void *b)
{
	const struct place *left = a;
	const struct place *right = b;

	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return left->number < right->number ? -1 : left->number > right->number;
}

static uint64_t rank_of(const struct store_op *op)
{
	uint64_t rank = (uint64_t)op->family;

	for (size_t i = 0; i < 7; i++)
		rank = rank << 8 | (i < op->key.len ? op->key.data[i] : 0);
	return rank;
}

static void put_op(struct rocks *rocks, rocksdb_writebatch_t *filled, const struct store_op *op)
{
	rocksdb_column_family_handle_t *family = rocks->families[op->family];

	if (op->is_put)
		rocksdb_writebatch_put_cf(filled, family, (const char *)op->key.data, op->key.len,
			(const char *)op->value.data, op->value.len);
	else
		rocksdb_writebatch_delete_cf(
			filled, family, (const char *)op->key.data, op->key.len);
}

/* With the hint (open_families) a row beside the last one costs two thirds of one anywhere. */
static enum status fill_sorted(
	struct rocks *rocks, rocksdb_writebatch_t *filled, const struct store_batch *batch)
{
	struct place *places = malloc((batch->count + 1) * sizeof *places);
	struct store_op op;
	size_t count = 0, at = 0, next = 0;

	if (!places)
		return STATUS_NO_MEMORY;
	for (; store_batch_next(batch, &next, &op); at = next, count++)
		places[count] = (struct place){rank_of(&op), (uint32_t)count, at};
	CHECK(count == batch->count);
	qsort(places, count, sizeof *places, place_compare);
	for (size_t i = 0; i < count; i++) {
		at = places[i].at;
		if (store_batch_next(batch, &at, &op))
			put_op(rocks, filled, &op);
	}
	free(places);
	return STATUS_OK;
}

static enum status rocks_write(void *self, const struct store_batch *batch, bool sync)
{
	struct rocks *rocks = self;
	rocksdb_writebatch_t *filled, *left;
	enum status status = (enum status)atomic_load(&rocks->write_status);
	char *error = NULL;

	if (status != STATUS_OK)
		return status;
	filled = atomic_exchange(&rocks->batch, NULL);
	if (!filled)
		filled = rocksdb_writebatch_create();
	status = fill_sorted(rocks, filled, batch);
	if (status == STATUS_OK)
		rocksdb_write(rocks->db, sync ? rocks->write_synced : rocks->write_unsynced, filled,
			&error);
	rocksdb_writebatch_clear(filled);
	left = atomic_exchange(&rocks->batch, filled);
	if (left)
		rocksdb_writebatch_destroy(left);
	if (status == STATUS_OK)
		status = status_take(error);
	if (status != STATUS_OK)
		atomic_store(&rocks->write_status, status);
	return status;
}

/* Iterators and snapshots are gone (the port's rule); then families, then the database: the library
 * asserts. */
static void rocks_close(void *self)
{
	struct rocks *rocks = self;

	CHECK(atomic_load(&rocks->readers) == 0);
	if (rocks->db)
		rocksdb_cancel_all_background_work(rocks->db, 1);
	for (size_t i = 0; rocks->db && i < rocks->handle_count; i++)
		rocksdb_column_family_handle_destroy(rocks->handles[i]);
	if (rocks->db)
		rocksdb_close(rocks->db);
	rocksdb_readoptions_destroy(rocks->read_newest);
	rocksdb_writeoptions_destroy(rocks->write_synced);
	rocksdb_writeoptions_destroy(rocks->write_unsynced);
	rocksdb_writebatch_destroy(atomic_load(&rocks->batch));
	free(rocks);
}

static const struct store_vtable rocks_vtable = {
	.get = rocks_get,
	.snapshot_new = rocks_snapshot_new,
	.snapshot_free = rocks_snapshot_free,
	.iterator_new = rocks_iterator_new,
	.iterator_next = rocks_iterator_next,
	.iterator_free = rocks_iterator_free,
	.write = rocks_write,
	.close = rocks_close,
};

/* ---- opening ---- */

static void set_database_options(rocksdb_options_t *options)
{
	rocksdb_options_set_create_if_missing(options, 1);
	rocksdb_options_set_create_missing_column_families(options, 1);
	rocksdb_options_set_paranoid_checks(options, 1);
	rocksdb_options_set_wal_recovery_mode(
		options, rocksdb_tolerate_corrupted_tail_records_recovery);
	rocksdb_options_set_db_write_buffer_size(options, WRITE_BUFFERS_BYTES);
	rocksdb_options_set_max_total_wal_size(options, WAL_TOTAL_BYTES);
	rocksdb_options_set_max_manifest_file_size(options, MANIFEST_BYTES);
	rocksdb_options_set_max_open_files(options, OPEN_FILES_MAX);
	rocksdb_options_set_max_background_jobs(options, BACKGROUND_JOBS);
	rocksdb_options_set_bytes_per_sync(options, 1 << 20);
	rocksdb_options_set_info_log_level(options, LEVEL_WARN);
	rocksdb_options_set_keep_log_file_num(options, INFO_LOG_FILES);
	rocksdb_options_set_max_log_file_size(options, INFO_LOG_BYTES);
	rocksdb_options_set_stats_dump_period_sec(options, 0);
	rocksdb_options_set_stats_persist_period_sec(options, 0);
}

static void set_family_options(
	rocksdb_options_t *options, rocksdb_cache_t *cache, bool bloom, int compression)
{
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

	rocksdb_block_based_options_set_block_cache(table, cache);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
	rocksdb_block_based_options_set_block_size(table, TABLE_BLOCK_BYTES);
	rocksdb_block_based_options_set_format_version(table, 5);
	/* One index or filter of a large file would fill the cache by itself: cut them into blocks.
	 */
	rocksdb_block_based_options_set_index_type(
		table, rocksdb_block_based_table_index_type_two_level_index_search);
	rocksdb_block_based_options_set_partition_filters(table, 1);
	rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
	if (bloom)
		rocksdb_block_based_options_set_filter_policy(
			table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	rocksdb_options_set_block_based_table_factory(options, table);
	rocksdb_block_based_options_destroy(table);
	rocksdb_options_set_write_buffer_size(options, WRITE_BUFFER_BYTES);
	rocksdb_options_set_arena_block_size(options, ARENA_BLOCK_BYTES);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
	rocksdb_options_set_compression(options, compression);
}

/* Where the last row went is where the next one's search begins. The C port has no call for it; a
 * library that doesn't know it goes without. */
static rocksdb_options_t *with_insert_hint_take(rocksdb_options_t *options)
{
	static const char hint[] =
		"memtable_insert_with_hint_prefix_extractor=rocksdb.FixedPrefix.0";
	rocksdb_options_t *hinted = rocksdb_options_create();
	char *error = NULL;

	rocksdb_get_options_from_string(options, hint, hinted, &error);
	rocksdb_options_destroy(error ? hinted : options);
	if (error)
		rocksdb_free(error);
	return error ? options : hinted;
}

/* Few shards, so that each holds many blocks. */
static rocksdb_cache_t *block_cache_new(void)
{
	rocksdb_lru_cache_options_t *options = rocksdb_lru_cache_options_create();
	rocksdb_cache_t *cache;

	rocksdb_lru_cache_options_set_capacity(options, BLOCK_CACHE_BYTES);
	rocksdb_lru_cache_options_set_num_shard_bits(options, BLOCK_CACHE_SHARD_BITS);
	cache = rocksdb_cache_create_lru_opts(options);
	rocksdb_lru_cache_options_destroy(options);
	return cache;
}

/* Opens every family in names (the first ones are ours, then "default" and foreign ones). */
static char *open_families(
	struct rocks *rocks, const char *dir, const char *const *names, int compression)
{
	rocksdb_cache_t *cache = block_cache_new();
	rocksdb_options_t *database = rocksdb_options_create();
	rocksdb_options_t *by_point = rocksdb_options_create();
	rocksdb_options_t *by_range = rocksdb_options_create();
	const rocksdb_options_t *options[FAMILIES_ON_DISK_MAX];
	char *error = NULL;

	set_database_options(database);
	set_family_options(by_point, cache, true, compression);
	set_family_options(by_range, cache, false, compression);
	by_point = with_insert_hint_take(by_point);
	by_range = with_insert_hint_take(by_range);
	for (size_t i = 0; i < rocks->handle_count; i++)
		options[i] = is_read_by_point(names[i]) ? by_point : by_range;
	rocks->db = rocksdb_open_column_families(
		database, dir, (int)rocks->handle_count, names, options, rocks->handles, &error);
	rocksdb_options_destroy(by_range);
	rocksdb_options_destroy(by_point);
	rocksdb_options_destroy(database);
	rocksdb_cache_destroy(cache);
	return error;
}

static bool is_ours(const char *family)
{
	for (size_t i = 0; i < STORE_FAMILIES; i++)
		if (strcmp(family, store_family_name((enum store_family)i)) == 0)
			return true;
	return false;
}

/* All families must be opened, or the library refuses: ours, and those that are there already. */
static char *open_all(struct rocks *rocks, const char *dir)
{
	rocksdb_options_t *options = rocksdb_options_create();
	size_t listed_count = 0;
	char *error = NULL;
	char **listed = rocksdb_list_column_families(options, dir, &listed_count, &error);
	const char *names[FAMILIES_ON_DISK_MAX];

	rocksdb_options_destroy(options);
	if (error) { /* not there yet, or the open below says it better */
		rocksdb_free(error);
		listed_count = 0;
	}
	for (size_t i = 0; i < STORE_FAMILIES; i++)
		names[rocks->handle_count++] = store_family_name((enum store_family)i);
	names[rocks->handle_count++] = "default";
	for (size_t i = 0; i < listed_count && rocks->handle_count < FAMILIES_ON_DISK_MAX; i++)
		if (!is_ours(listed[i]) && strcmp(listed[i], "default") != 0)
			names[rocks->handle_count++] = listed[i];
	error = open_families(rocks, dir, names, rocksdb_lz4_compression);
	if (error && strstr(error, "not linked")) {
		rocksdb_free(error);
		error = open_families(rocks, dir, names, rocksdb_no_compression);
	}
	if (listed)
		rocksdb_list_column_families_destroy(listed, listed_count);
	for (size_t i = 0; !error && i < STORE_FAMILIES; i++)
		rocks->families[i] = rocks->handles[i];
	return error;
}

static const char *advice_of(enum status status)
{
	if (status == STATUS_BUSY)
		return "another process holds it: stop that one first";
	if (status == STATUS_CORRUPT)
		return "restore a backup, or remove this folder and sync from peers";
	if (status == STATUS_DISK_FULL)
		return "free some space and start again";
	return "check that the folder's parent exists and that it may be written";
}

enum status store_rocks_open(struct store *out, const char *dir, char fault[256])
{
	struct store_remains remains;
	struct rocks *rocks;
	enum status status;
	char *error;

	fault[0] = '\0';
	remains = store_remains_look(dir);
	if (remains.fault) {
		snprintf(fault, 256, "%.100s: %s; %s", dir, remains.fault,
			advice_of(STATUS_CORRUPT));
		return STATUS_CORRUPT;
	}
	rocks = calloc(1, sizeof *rocks);
	if (!rocks)
		return STATUS_NO_MEMORY;
	rocks->read_newest = read_options_new(NULL);
	rocks->write_synced = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(rocks->write_synced, 1);
	rocks->write_unsynced = rocksdb_writeoptions_create();
	atomic_init(&rocks->batch, rocksdb_writebatch_create());
	error = open_all(rocks, dir);
	if (error) {
		/* A file that is named and isn't there: what names it rotted, or it was removed. */
		status = strstr(error, "No such file") && remains.any ? STATUS_CORRUPT
								      : status_of(error);
		snprintf(fault, 256, "%.60s: %.120s; %s", dir, error, advice_of(status));
		rocksdb_free(error);
		rocks_close(rocks);
		return status;
	}
	out->vtable = &rocks_vtable;
	out->self = rocks;
	return STATUS_OK;
}
