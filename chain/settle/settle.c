/*~ The money begins here. Read on in this order: jobs.h (the life of a job), actions_*.c (who may
 * do what), check.c (pass 1), block.c (the four passes), then state.h and tree.h (what is hashed).
 */
#include "chain/settle/settle.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "chain/settle/machine.h"
#include "chain/settle/prove.h"

static void settle_info(void *self, struct app_info *out)
{
	const struct settle *settle = self;

	out->height = settle->head.height;
	out->app_hash = settle->head.app_hash;
	out->app_version = settle->started ? settle->rules.version : 1;
	out->data = "aitbc-settle";
	out->halt = settle->halt[0] ? settle->halt : NULL;
}

static void settle_close(void *self)
{
	struct settle *settle = self;

	snapshots_fini(settle);
	state_fini(&settle->work);
	state_fini(&settle->trial);
	results_fini(&settle->results);
	due_fini(&settle->due);
	past_fini(&settle->past);
	tree_fini(&settle->tree);
	account_cache_free(settle->cache);
	keys_cache_free(settle->points);
	arena_fini(&settle->arena);
	arena_fini(&settle->scratch);
	arena_fini(&settle->decoded);
	arena_fini(&settle->trial_arena);
	free(settle);
}

static const struct app_vtable settle_vtable = {
	.info = settle_info,
	.init_chain = settle_init_chain,
	.verify = settle_verify,
	.check = settle_check,
	.account = settle_account,
	.prepare = settle_prepare,
	.process = settle_process,
	.finalize = settle_finalize,
	.commit = settle_commit,
	.committed = settle_committed,
	.query = settle_query,
	.next_wake_ms = settle_next_wake_ms,
	.list_snapshots = settle_list_snapshots,
	.load_chunk = settle_load_chunk,
	.offer_snapshot = settle_offer_snapshot,
	.apply_chunk = settle_apply_chunk,
	.close = settle_close,
};

static enum status settle_prepare_memory(struct settle *settle)
{
	size_t bound = SIZE_MAX;
	enum status status;

	if (settle->config.block_bytes_max < SIZE_MAX / SETTLE_BYTES_PER_BLOCK_BYTE)
		bound = (size_t)settle->config.block_bytes_max * SETTLE_BYTES_PER_BLOCK_BYTE;
	tree_init(&settle->tree);
	due_init(&settle->due);
	arena_init(&settle->arena, bound);
	arena_init(&settle->trial_arena, bound);
	arena_init(&settle->scratch, SETTLE_SCRATCH_BYTES_MAX);
	arena_init(&settle->decoded, SETTLE_DECODED_BYTES_MAX + TX_ARENA_BYTES_MAX);
	results_init(&settle->results, &settle->arena, &settle->scratch);
	settle->cache = account_cache_new();
	settle->points = keys_cache_new();
	if (!settle->cache || !settle->points)
		return STATUS_NO_MEMORY;
	status = state_init(
		&settle->work, settle->store, settle->cache, &settle->arena, &settle->scratch);
	if (status != STATUS_OK)
		return status;
	return state_init(&settle->trial, settle->store, settle->cache, &settle->trial_arena,
		&settle->scratch);
}

enum status settle_open(struct app *out, struct store *store, const struct settle_config *config)
{
	struct settle *settle = calloc(1, sizeof *settle);
	enum status status;

	if (!settle)
		return STATUS_NO_MEMORY;
	settle->store = store;
	settle->config = *config;
	if (settle->config.block_bytes_max < BLOCK_BYTES_MAX)
		settle->config.block_bytes_max = BLOCK_BYTES_MAX; /* of memory, not of blocks */
	if (settle->config.rules_known == 0)
		settle->config.rules_known = SETTLE_APP_VERSION;
	settle->votes_lapse_ms = UINT64_MAX;
	pb__settle_params__init(&settle->params);
	status = settle_prepare_memory(settle);
	if (status == STATUS_OK)
		status = settle_load(settle);
	if (status != STATUS_OK) {
		settle_close(settle);
		return status;
	}
	out->vtable = &settle_vtable;
	out->self = settle;
	return STATUS_OK;
}
