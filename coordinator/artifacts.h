/* artifacts: files of clients and miners, named by the SHA-256 of their content, under
 * DIR/ab/cd/<64 hex>. An upload is taken from the shell's spool by rename, hashed and synced a
 * slice per loop turn (nothing stands still for a large file), and only then has its name; a crash
 * leaves at most a file in DIR/tmp, which the next start removes. Same content twice is one file.
 * Bounded in total. Owns the files and uploads under way. */
#ifndef COORDINATOR_ARTIFACTS_H
#define COORDINATOR_ARTIFACTS_H

#include <event2/event.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/status.h"

enum { ARTIFACT_PATH_BYTES = 1024, ARTIFACT_UPLOADS_MAX = 64 };

struct artifact_upload;

struct artifacts {
	char dir[ARTIFACT_PATH_BYTES - 128];
	uint64_t bytes; /* in all finished files and uploads under way */
	uint64_t bytes_max;
	struct event_base *loop;
	struct log *log;
	struct artifact_upload *uploads;
	size_t upload_count;
	uint64_t serial;
};

MUST_USE enum status artifacts_init(struct artifacts *artifacts, struct event_base *loop,
	const char *dir, uint64_t bytes_max, struct log *log, char fault[256]);
/* Uploads under way are dropped; done hears STATUS_BUSY. */
void artifacts_fini(struct artifacts *artifacts);

/* status OK: the file is durable under its hash. */
typedef void artifact_done(void *ctx, enum status status, const struct hash32 *hash, uint64_t size);

/* Takes the file at spool_path (moved away before this returns OK). done is called later, once.
 * STATUS_NO_MEMORY: the total is reached, or too many at once; STATUS_IO. */
MUST_USE enum status artifacts_take(
	struct artifacts *artifacts, const char *spool_path, artifact_done *done, void *ctx);

/* An open descriptor of the file for the caller, and its size. STATUS_NOT_FOUND. */
MUST_USE enum status artifacts_open(
	const struct artifacts *artifacts, int *fd, uint64_t *size, const struct hash32 *hash);

#endif
