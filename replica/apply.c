#include "replica/apply.h"

#include <stdlib.h>
#include <string.h>

#include "chain/blocks.h"
#include "chain/format/vote.h"
#include "chain/format/wire.h"
#include "chain/index.h"
#include "replica/evidence.h"

struct apply_job *apply_job_new(enum apply_kind kind, const struct app *app, struct store *store)
{
	struct apply_job *job = calloc(1, sizeof *job);
	if (!job)
		return NULL;
	job->kind = kind;
	job->app = *app;
	job->store = store;
	arena_init(&job->arena, APPLY_ARENA_BYTES_MAX);
	return job;
}

void apply_job_free(struct apply_job *job)
{
	if (!job)
		return;
	apply_job_free(job->executed);
	free(job->txs);
	free(job->reaped);
	buf_fini(&job->tx_bytes);
	arena_fini(&job->arena);
	free(job);
}

static void fail(struct apply_job *job, enum status status, const char *fault)
{
	job->status = status;
	job->fault = fault;
}

static void run_prepare(struct apply_job *job)
{
	enum status status =
		job->app.vtable->prepare(job->app.self, &job->block, job->txs, &job->tx_count);
	if (status != STATUS_OK)
		fail(job, status, "app.prepare");
}

static void run_process(struct apply_job *job)
{
	enum status status = job->app.vtable->process(job->app.self, &job->block, &job->accept);
	if (status != STATUS_OK)
		fail(job, status, "app.process");
}

static void run_execute(struct apply_job *job)
{
	enum status status = job->app.vtable->finalize(job->app.self, &job->block, &job->result);
	if (status != STATUS_OK) {
		fail(job, status, "app.finalize");
		return;
	}
	Pb__BlockResults *results = block_results_of(&job->arena, &job->result);
	if (!results) {
		fail(job, STATUS_NO_MEMORY, "results");
		return;
	}
	job->results = results;
	struct hash32 hash = results_hash(results->txs_results, results->n_txs_results);
	bool validators_ok;
	chain_head_advance(&job->head, &validators_ok, &job->candidate->id, job->candidate->time,
		&job->result, &hash);
	if (!validators_ok)
		fail(job, STATUS_CORRUPT, "validator updates break the set");
}

/* Everything of the block as one batch: rows, indices, the app's state, the head. */
static enum status fill_batch(struct apply_job *job, struct store_batch *batch)
{
	const struct candidate *c = job->candidate;
	struct block_id_message id;
	block_id_message_init(&id, &c->id);
	Pb__BlockMeta meta;
	pb__block_meta__init(&meta);
	meta.block_id = &id.pb;
	meta.header = c->block->header;
	struct bytes raw = part_set_bytes(&c->parts);
	meta.block_size = (int64_t)raw.len;
	meta.num_txs = (int64_t)c->tx_count;
	Pb__Head *head = chain_head_to_pb(&job->head, &job->arena);
	if (!head)
		return STATUS_NO_MEMORY;
	struct blocks_entry entry = {
		.raw = raw,
		.meta = &meta,
		.seen_commit = job->seen_commit,
		.results = job->executed->results,
		.head = head,
		.tx_hashes = c->tx_hashes,
		.tx_count = c->tx_count,
	};
	enum status status = blocks_put(batch, &entry);
	evidence_put(batch, c->block);
	if (status == STATUS_OK)
		status = index_put(
			job->index, batch, job->store, job->head.height, &job->executed->result);
	if (status == STATUS_OK)
		status = job->app.vtable->commit(job->app.self, batch);
	return status;
}

static void run_write(struct apply_job *job)
{
	struct store_batch batch;
	store_batch_init(&batch);
	enum status status = fill_batch(job, &batch);
	if (status != STATUS_OK)
		fail(job, status, "filling the block's batch");
	else if ((status = store_write(job->store, &batch, true)) != STATUS_OK)
		fail(job, status, "writing the block");
	store_batch_fini(&batch);
}

void apply_run(struct apply_job *job)
{
	switch (job->kind) {
	case APPLY_PREPARE: run_prepare(job); break;
	case APPLY_PROCESS: run_process(job); break;
	case APPLY_EXECUTE: run_execute(job); break;
	case APPLY_WRITE: run_write(job); break;
	}
}
