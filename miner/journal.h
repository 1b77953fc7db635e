/* journal: what must survive a crash, one small file per attempt in STATE_DIR/jobs: an attempt that
 * runs (to be given back), and a result that isn't paid yet (to be claimed). Written whole, synced,
 * renamed into place, and the folder synced: a file is there and whole, or it isn't. Blocks for a
 * disk's sync; called a few times per job. */
#ifndef MINER_JOURNAL_H
#define MINER_JOURNAL_H

#include "base/log.h"
#include "miner/workdir.h"
#include "wallet/terms.h"

struct journal {
	char folder[WORKDIR_PATH_BYTES];
	int lock_fd; /* one daemon per state directory */
	struct log *log;
};

struct journal_entry {
	bool complete; /* else: runs */
	struct account_address client;
	char job_id[JOB_ID_BYTES_MAX + 1];
	uint32_t attempt;
	/* Of a complete one. */
	struct job_work work;
	uint64_t completed_job_ms; /* job time at completion */
	uint64_t tokens;
	uint64_t compute_ms;
	struct buf result; /* the bytes whose hash is work.result_hash */
};

/* Makes the folders and takes the lock. STATUS_BUSY: another daemon uses state_dir; fault says what
 * is wrong. */
MUST_USE enum status journal_open(
	struct journal *journal, const char *state_dir, struct log *log, char fault[256]);
void journal_close(struct journal *journal);

/* Durable when it returns STATUS_OK. Replaces what the attempt had. */
MUST_USE enum status journal_write(struct journal *journal, const struct journal_entry *entry);
void journal_remove(struct journal *journal, const struct account_address *client,
	const char *job_id, uint32_t attempt);

/* Calls visit for each entry found (borrowed). A file that can't be read is kept aside as NAME.bad
 * and logged. */
typedef void journal_visit(void *ctx, const struct journal_entry *entry);
void journal_each(struct journal *journal, journal_visit *visit, void *ctx);

#endif
