/* disk: the two files a validator's honesty hangs on: the consensus log (consensus/wal.h) and the
 * fence (consensus/fence.h). Owns both descriptors. Appends are held in memory until disk_log_sync
 * or disk_log_push; a failed write or sync is final: the caller must stop the validator and never
 * retry. */
#ifndef NODE_DISK_H
#define NODE_DISK_H

#include <sys/types.h>

#include "consensus/fence.h"
#include "node/files.h"

struct disk {
	int log_fd;
	int fence_fd;
	struct buf pending; /* appended to the log, not written yet */
	bool log_dirty;     /* written, not synced */
	off_t log_len;
	off_t log_synced; /* durable up to here */
	struct fence_record fence;
};

/* Opens (or, in a fresh home, makes and preallocates) HOME/consensus.log and HOME/fence.
 * STATUS_CORRUPT: the fence is there and damaged; STATUS_NOT_FOUND: it is missing though the home
 * has been used (fence_required). */
MUST_USE enum status disk_open(
	struct disk *out, const char *home, bool fence_required, char fault[NODE_FAULT_BYTES]);
void disk_close(struct disk *d);

/* The log's whole content, appended to out. */
MUST_USE enum status disk_log_read(struct disk *d, struct buf *out, char fault[NODE_FAULT_BYTES]);
/* Cuts a torn tail off. */
MUST_USE enum status disk_log_cut(struct disk *d, size_t len);
void disk_log_append(struct disk *d, struct bytes record);
/* Hands what is pending to the kernel: it survives this process, not the power. */
MUST_USE enum status disk_log_push(struct disk *d);
MUST_USE enum status disk_log_sync(struct disk *d);
/* The log begins anew. A crash may bring the old one back; its records carry their height. */
MUST_USE enum status disk_log_reset(struct disk *d);

/* Makes the record durable (its counter and log_bytes are set here). */
MUST_USE enum status disk_fence_write(struct disk *d, struct fence_record *record);

#endif
