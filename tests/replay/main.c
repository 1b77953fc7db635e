/* replay FILE: executes the blocks of a file (blocks_file.h) on a new state and prints, for each,
 *   WORLD HEIGHT app-hash results-hash rows-hash
 * where rows is all that the block writes to the store. Two builds of this program must print the
 * same. 1: a block gives another app_hash than where it was made; 2: the file can't be used. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "chain/format/block.h"
#include "chain/store_mem.h"
#include "tests/replay/blocks_file.h"

struct replay {
	struct store store;
	struct app app;
	bool open;
	struct store_batch batch;
	uint64_t world, blocks, txs;
};

static bool read_whole(struct buf *out, const char *path)
{
	static char chunk[65536];
	FILE *file = fopen(path, "rb");
	if (!file)
		return false;
	for (size_t got = 1; got > 0;) {
		got = fread(chunk, 1, sizeof chunk, file);
		buf_append(out, chunk, got);
	}
	bool ok = !ferror(file) && buf_ok(out);
	fclose(file);
	return ok;
}

static void world_end(struct replay *r)
{
	if (!r->open)
		return;
	r->app.vtable->close(r->app.self);
	store_close(&r->store);
	r->open = false;
}

static bool world_begin(struct replay *r, const struct blocks_file_record *record)
{
	struct hash32 app_hash;
	world_end(r);
	if (store_mem_open(&r->store) != STATUS_OK)
		return false;
	if (settle_open(&r->app, &r->store, &record->config) != STATUS_OK) {
		store_close(&r->store);
		return false;
	}
	r->open = true;
	r->world++;
	store_batch_clear(&r->batch);
	if (r->app.vtable->init_chain(r->app.self, &record->genesis, &r->batch, &app_hash) !=
			STATUS_OK ||
		store_write(&r->store, &r->batch, true) != STATUS_OK)
		return false;
	/* As after a restart: what the genesis said is one thing, what it is opened with another.
	 */
	r->app.vtable->close(r->app.self);
	r->open = settle_open(&r->app, &r->store, &record->config) == STATUS_OK;
	if (!r->open)
		store_close(&r->store);
	return r->open;
}

/* header.last_results_hash of the block after. */
static struct hash32 hash_of_results(const struct app_result *result)
{
	static Pb__ExecTxResult results[BLOCKS_FILE_TXS_MAX];
	static Pb__ExecTxResult *list[BLOCKS_FILE_TXS_MAX];
	for (size_t i = 0; i < result->tx_count; i++) {
		const struct app_tx_result *tx = &result->txs[i];
		pb__exec_tx_result__init(&results[i]);
		results[i].code = tx->code;
		results[i].data.data = (uint8_t *)(uintptr_t)tx->data.data;
		results[i].data.len = tx->data.len;
		results[i].gas_wanted = tx->gas_wanted;
		results[i].gas_used = tx->gas_used;
		list[i] = &results[i];
	}
	return results_hash(list, result->tx_count);
}

static bool execute(struct replay *r, const struct blocks_file_record *record)
{
	struct app_result result;
	char texts[3][65];
	if (!r->open || r->app.vtable->finalize(r->app.self, &record->block, &result) != STATUS_OK)
		return false;
	struct hash32 app_hash = result.app_hash;
	struct hash32 results = hash_of_results(&result);
	store_batch_clear(&r->batch);
	if (r->app.vtable->commit(r->app.self, &r->batch) != STATUS_OK ||
		store_write(&r->store, &r->batch, true) != STATUS_OK)
		return false;
	r->app.vtable->committed(r->app.self);
	struct hash32 rows = sha256(buf_view(&r->batch.ops));
	hex_lower(texts[0], app_hash.b, sizeof app_hash.b);
	hex_lower(texts[1], results.b, sizeof results.b);
	hex_lower(texts[2], rows.b, sizeof rows.b);
	printf("%" PRIu64 " %" PRId64 " %s %s %s\n", r->world, record->block.height, texts[0],
		texts[1], texts[2]);
	r->blocks++;
	r->txs += record->block.tx_count;
	if (hash_equal(&app_hash, &record->app_hash))
		return true;
	fprintf(stderr, "world %" PRIu64 ", block %" PRId64 ": another app_hash\n", r->world,
		record->block.height);
	exit(1);
}

int main(int argc, char **argv)
{
	static struct blocks_file_record record;
	static struct replay r;
	static const uint8_t seed[32] = {1}; /* blinds signing, which nobody does here */
	struct buf file;
	if (argc != 2) {
		fprintf(stderr, "usage: replay FILE\n");
		return 2;
	}
	buf_init(&file, 0);
	store_batch_init(&r.batch);
	if (!keys_start(seed) || !read_whole(&file, argv[1])) {
		fprintf(stderr, "%s can't be read\n", argv[1]);
		return 2;
	}
	struct cursor at = cursor_of(buf_view(&file));
	bool ok = true;
	while (ok && blocks_file_next(&record, &at))
		ok = record.kind == BLOCKS_FILE_WORLD ? world_begin(&r, &record)
						      : execute(&r, &record);
	if (!ok || at.bad)
		fprintf(stderr, "%s is broken, or the machine refuses it\n", argv[1]);
	else
		fprintf(stderr,
			"%" PRIu64 " worlds, %" PRIu64 " blocks, %" PRIu64 " transactions\n",
			r.world, r.blocks, r.txs);
	world_end(&r);
	store_batch_fini(&r.batch);
	buf_fini(&file);
	return ok && !at.bad && r.blocks > 0 ? 0 : 2;
}
