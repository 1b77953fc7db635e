/* apply: the work on the app's state, as jobs that exactly one thread runs in the order they were
 * asked: drop from a plan what would make it invalid, judge a block, execute it, write it. A job
 * holds all it needs and all it answers; replica makes and frees it, a driver only runs it
 * (apply_run) and hands it back. It may run beside replica_step: what both read, neither changes;
 * the app adopts a written block (app.committed) in replica's turn, when no job is under way. */
#ifndef REPLICA_APPLY_H
#define REPLICA_APPLY_H

#include "replica/candidate.h"

enum apply_kind { APPLY_PREPARE, APPLY_PROCESS, APPLY_EXECUTE, APPLY_WRITE };

struct apply_job {
	enum apply_kind kind;
	struct app app;             /* borrowed */
	struct store *store;        /* borrowed */
	struct index_writer *index; /* WRITE; borrowed */
	int64_t height;
	int32_t round; /* PREPARE: of the proposal; EXECUTE, WRITE: that decided */
	struct app_block block;
	/* PREPARE: txs own their bytes in tx_bytes; the app compacts them. */
	struct app_tx *txs;
	size_t tx_count;
	struct buf tx_bytes;
	struct hash32 *reaped; /* PREPARE: what the plan held before the app looked at it */
	size_t reaped_count;
	/* The others: the block itself, alive until its height is over. */
	const struct candidate *candidate;
	bool accept; /* PROCESS */
	struct chain_head
		head; /* EXECUTE: in the head before, out the head after; WRITE: the head after */
	struct arena arena;              /* EXECUTE: results; WRITE: the commit and the rows */
	const Pb__BlockResults *results; /* EXECUTE; lives in its arena */
	struct app_result result;        /* EXECUTE: the app's, until its next finalize */
	const Pb__Commit *seen_commit;   /* WRITE: in the arena */
	struct apply_job *executed;      /* WRITE: the EXECUTE job of the same block; owned */
	struct apply_job *next;          /* the driver's, while the job is with it */
	enum status status;              /* the world failed: the validator must stop */
	const char *fault;               /* what failed, for the log */
};

enum { APPLY_ARENA_BYTES_MAX = 64 * 1024 * 1024 };

/* NULL: no memory. */
struct apply_job *apply_job_new(enum apply_kind kind, const struct app *app, struct store *store);
void apply_job_free(struct apply_job *job);

/* Runs the job; its answer is in it. */
void apply_run(struct apply_job *job);

#endif
