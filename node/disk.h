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
	off_t log_synced;          /* durable up to here */
	bool fence_known;          /* the file is there with a whole record */
	struct fence_record fence; /* in force; nothing when it isn't known */
	char fence_path[NODE_PATH_BYTES];
};

/* The fence of a home that is being made: its key has signed nothing. Nobody else makes one from
 * nothing, so a home without it has lost it. STATUS_BUSY: there is one. */
MUST_USE enum status disk_make_fence(const char *home, char fault[NODE_FAULT_BYTES]);

/* Opens HOME/consensus.log, made if need be, and HOME/fence. A fence that is missing or damaged is
 * an answer (fence_known), not a failure. */
MUST_USE enum status disk_open(struct disk *out, const char *home, char fault[NODE_FAULT_BYTES]);
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

/* Makes the record durable (its counter and log_bytes are set here). Where no fence was known, a
 * new file takes the place of what is there. */
MUST_USE enum status disk_fence_write(struct disk *d, struct fence_record *record);

#endif
