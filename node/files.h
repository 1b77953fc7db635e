/* files: whole small files, folders, and secrets on disk, with an error that names the path. Node's
 * own helper. */
#ifndef NODE_FILES_H
#define NODE_FILES_H

#include "base/bytes.h"
#include "base/status.h"

enum { NODE_PATH_BYTES = 1024, NODE_FAULT_BYTES = 256 };

/* dir/name; STATUS_INVALID when it doesn't fit. */
MUST_USE enum status files_join(char out[NODE_PATH_BYTES], const char *dir, const char *name);
/* Makes the folder (its parent must exist) with this mode; an existing one is fine. */
MUST_USE enum status files_mkdir(const char *path, unsigned mode, char fault[NODE_FAULT_BYTES]);
/* Appends the file's bytes; STATUS_NOT_FOUND when there is none, STATUS_INVALID over bytes_max. */
MUST_USE enum status files_read(
	struct buf *out, const char *path, size_t bytes_max, char fault[NODE_FAULT_BYTES]);
/* A new file, synced with its folder. STATUS_BUSY when it exists: nothing is overwritten. */
MUST_USE enum status files_create(
	const char *path, unsigned mode, struct bytes content, char fault[NODE_FAULT_BYTES]);
/* from takes to's name, durably. */
MUST_USE enum status files_move(const char *to, const char *from, char fault[NODE_FAULT_BYTES]);
/* The kernel's random bytes. */
MUST_USE enum status files_random(void *out, size_t len);
/* errno as a status. */
enum status status_of_errno(int error);

#endif
