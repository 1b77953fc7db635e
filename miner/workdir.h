/* workdir: the private directory of one job: made 0700 with an unguessable name, measured while the
 * program writes, removed whole. Never follows a symbolic link: the program may have planted one.
 */
#ifndef MINER_WORKDIR_H
#define MINER_WORKDIR_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/status.h"

enum {
	WORKDIR_PATH_BYTES = 512,
	WORKDIR_DEPTH_MAX = 32,     /* deeper trees count as too large */
	WORKDIR_ENTRIES_MAX = 20000 /* so do wider ones */
};

/* base must exist. The result is absolute when base is. owner (uid_t)-1: stays ours. */
MUST_USE enum status workdir_make(
	char out[WORKDIR_PATH_BYTES], const char *base, uid_t owner, gid_t group);

/* Bytes on disk below path; stops and answers a value above bytes_max as soon as the sum passes it,
 * or when the tree is deeper or wider than the bounds above. Files opened and unlinked are not
 * seen. */
uint64_t workdir_bytes(const char *path, uint64_t bytes_max);

/* Removes path and all below it. The processes that could write there must be gone. */
MUST_USE enum status workdir_remove(const char *path);

/* The size of a regular file of that name right in the directory, which has exactly one link: what
 * may be uploaded as an output. STATUS_NOT_FOUND: there is none; STATUS_INVALID: something else
 * stands there. */
MUST_USE enum status workdir_file(const char *path, uint64_t *size, const char *name);

#endif
