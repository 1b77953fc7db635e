/* status: the channel for a world that failed (disk, memory, network, operating system).
 * Somebody else being wrong is not a status: decoders and rules answer with verdicts of their own.
 * Every function that returns one is MUST_USE; STATUS_OK is 0. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "base/check.h"

enum status {
	STATUS_OK = 0,
	STATUS_NO_MEMORY,  /* an allocation failed, or a bound in limits.h was reached */
	STATUS_NOT_FOUND,  /* the key, file or record is not there: often an answer, not a fault */
	STATUS_IO,         /* the system refused a read, write or sync */
	STATUS_DISK_FULL,  /* ENOSPC or quota: nothing was written */
	STATUS_CORRUPT,    /* stored bytes fail their checksum or their form */
	STATUS_INVALID,    /* an argument or a file of configuration is unusable as it stands */
	STATUS_BUSY,       /* a lock, port or queue is taken; trying later may help */
	STATUS_TIMEOUT,    /* a deadline passed */
	STATUS_REFUSED,    /* the other side answered, and the answer was no */
	STATUS_UNSUPPORTED /* this machine or version can't do it */
};

/* One or two words for messages, e.g. "disk full". Never NULL. */
const char *status_text(enum status status);

#endif
