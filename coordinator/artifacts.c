#include "coordinator/artifacts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"

struct artifact_upload {
	struct artifacts *owner;
	struct artifact_upload *next;
	char path[ARTIFACT_PATH_BYTES];
	int fd;
	struct event *turn;
	struct sha256 hash;
	uint64_t size;
	uint64_t hashed;
	uint64_t unsynced;
	artifact_done *done;
	void *ctx;
};

enum { SLICE_BYTES = 1024 * 1024, SYNC_BYTES = 8 * 1024 * 1024 };

static enum status make_dir(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return STATUS_OK;
	return errno == ENOSPC ? STATUS_DISK_FULL : STATUS_IO;
}

static enum status sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum status status;

	if (fd < 0)
		return STATUS_IO;
	status = fsync(fd) == 0 ? STATUS_OK : STATUS_IO;
	close(fd);
	return status;
}

/* DIR/ab/cd/<64 hex>; levels 1 and 2 stop at the folders. */
static void path_of(char out[ARTIFACT_PATH_BYTES], const struct artifacts *artifacts,
	const struct hash32 *hash, int levels)
{
	char hex[65];

	hex_lower(hex, hash->b, sizeof hash->b);
	if (levels == 1)
		snprintf(out, ARTIFACT_PATH_BYTES, "%s/%.2s", artifacts->dir, hex);
	else if (levels == 2)
		snprintf(out, ARTIFACT_PATH_BYTES, "%s/%.2s/%.2s", artifacts->dir, hex, hex + 2);
	else
		snprintf(out, ARTIFACT_PATH_BYTES, "%s/%.2s/%.2s/%s", artifacts->dir, hex, hex + 2,
			hex);
}

/* Sums the finished files below path; at depth 0 they are files. Unlinks instead when remove is
 * set. */
static void walk(struct artifacts *artifacts, const char *path, int depth, bool remove_files)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		char below[ARTIFACT_PATH_BYTES];
		struct stat info;
		int len = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);

		if (entry->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof below)
			continue;
		if (depth > 0 && strlen(entry->d_name) == 2)
			walk(artifacts, below, depth - 1, remove_files);
		else if (depth == 0 && remove_files)
			unlink(below);
		else if (depth == 0 && stat(below, &info) == 0)
			artifacts->bytes += (uint64_t)info.st_size;
	}
	closedir(dir);
}

enum status artifacts_init(struct artifacts *artifacts, struct event_base *loop, const char *dir,
	uint64_t bytes_max, struct log *log, char fault[256])
{
	char tmp[ARTIFACT_PATH_BYTES];
	enum status status;

	memset(artifacts, 0, sizeof *artifacts);
	artifacts->loop = loop;
	artifacts->log = log;
	artifacts->bytes_max = bytes_max;
	if (strlen(dir) >= sizeof artifacts->dir) {
		snprintf(fault, 256, "artifact folder: path too long");
		return STATUS_INVALID;
	}
	memcpy(artifacts->dir, dir, strlen(dir) + 1);
	snprintf(tmp, sizeof tmp, "%s/tmp", dir);
	status = make_dir(dir);
	if (status == STATUS_OK)
		status = make_dir(tmp);
	if (status != STATUS_OK) {
		snprintf(fault, 256, "%.200s: %s", dir, strerror(errno));
		return status;
	}
	walk(artifacts, tmp, 0, true);
	walk(artifacts, dir, 2, false);
	return STATUS_OK;
}

static void upload_free(struct artifact_upload *upload)
{
	struct artifact_upload **at = &upload->owner->uploads;

	while (*at != upload)
		at = &(*at)->next;
	*at = upload->next;
	upload->owner->upload_count--;
	if (upload->turn)
		event_free(upload->turn);
	if (upload->fd >= 0)
		close(upload->fd);
	free(upload);
}

static void upload_end(
	struct artifact_upload *upload, enum status status, const struct hash32 *hash)
{
	artifact_done *done = upload->done;
	void *ctx = upload->ctx;
	uint64_t size = upload->size;

	if (status != STATUS_OK) {
		log_event(upload->owner->log, LOG_UNUSUAL, "artifact_failed status=\"%s\"",
			status_text(status));
		upload->owner->bytes -= upload->size;
		unlink(upload->path);
	}
	upload_free(upload);
	done(ctx, status, hash, size);
}

void artifacts_fini(struct artifacts *artifacts)
{
	while (artifacts->uploads) {
		upload_end(artifacts->uploads, STATUS_BUSY, NULL);
	}
	memset(artifacts, 0, sizeof *artifacts);
}

/* The file is hashed and synced: give it its name, durably. */
static enum status upload_name(struct artifact_upload *upload, const struct hash32 *hash)
{
	struct artifacts *owner = upload->owner;
	char path[ARTIFACT_PATH_BYTES], folder[ARTIFACT_PATH_BYTES], upper[ARTIFACT_PATH_BYTES];
	enum status status;

	path_of(path, owner, hash, 3);
	path_of(folder, owner, hash, 2);
	path_of(upper, owner, hash, 1);
	if (access(path, F_OK) == 0) { /* the same content is here already */
		owner->bytes -= upload->size;
		unlink(upload->path);
		return STATUS_OK;
	}
	status = make_dir(upper);
	if (status == STATUS_OK)
		status = make_dir(folder);
	if (status == STATUS_OK && rename(upload->path, path) != 0)
		status = STATUS_IO;
	if (status == STATUS_OK)
		status = sync_dir(folder);
	if (status == STATUS_OK)
		status = sync_dir(upper);
	return status == STATUS_OK ? sync_dir(owner->dir) : status;
}

static void on_slice(evutil_socket_t fd, short what, void *ctx)
{
	struct artifact_upload *upload = ctx;
	uint8_t *slice = malloc(SLICE_BYTES);
	ssize_t len = slice ? read(upload->fd, slice, SLICE_BYTES) : -1;
	struct hash32 hash;
	enum status status;

	(void)fd;
	(void)what;
	if (len > 0) {
		sha256_add(&upload->hash, slice, (size_t)len);
		upload->hashed += (uint64_t)len;
		upload->unsynced += (uint64_t)len;
	}
	free(slice);
	if (len < 0 || (len == 0 && upload->hashed != upload->size)) {
		upload_end(upload, slice ? STATUS_IO : STATUS_NO_MEMORY, NULL);
		return;
	}
	if (len == 0 || upload->unsynced >= SYNC_BYTES) {
		upload->unsynced = 0;
		if (fdatasync(upload->fd) != 0) {
			upload_end(upload, STATUS_IO, NULL);
			return;
		}
	}
	if (len > 0) {
		event_active(upload->turn, EV_TIMEOUT, 1);
		return;
	}
	hash = sha256_end(&upload->hash);
	status = upload_name(upload, &hash);
	upload_end(upload, status, &hash);
}

/* Opens the spooled file and moves it into our folder. */
static enum status upload_open(struct artifact_upload *upload, const char *spool_path)
{
	struct artifacts *owner = upload->owner;
	struct stat info;

	snprintf(upload->path, sizeof upload->path, "%s/tmp/%llu", owner->dir,
		(unsigned long long)++owner->serial);
	upload->fd = open(spool_path, O_RDONLY | O_CLOEXEC);
	if (upload->fd < 0 || fstat(upload->fd, &info) != 0)
		return STATUS_IO;
	upload->size = (uint64_t)info.st_size;
	if (upload->size > owner->bytes_max || owner->bytes > owner->bytes_max - upload->size)
		return STATUS_NO_MEMORY;
	if (rename(spool_path, upload->path) != 0)
		return STATUS_IO;
	return STATUS_OK;
}

enum status artifacts_take(
	struct artifacts *artifacts, const char *spool_path, artifact_done *done, void *ctx)
{
	struct artifact_upload *upload;
	enum status status;

	if (artifacts->upload_count >= ARTIFACT_UPLOADS_MAX)
		return STATUS_NO_MEMORY;
	upload = calloc(1, sizeof *upload);
	if (!upload)
		return STATUS_NO_MEMORY;
	upload->owner = artifacts;
	upload->fd = -1;
	upload->done = done;
	upload->ctx = ctx;
	upload->next = artifacts->uploads;
	artifacts->uploads = upload;
	artifacts->upload_count++;
	sha256_start(&upload->hash);
	upload->turn = event_new(artifacts->loop, -1, 0, on_slice, upload);
	status = upload->turn ? upload_open(upload, spool_path) : STATUS_NO_MEMORY;
	if (status != STATUS_OK) {
		upload_free(upload);
		return status;
	}
	artifacts->bytes += upload->size;
	event_active(upload->turn, EV_TIMEOUT, 1);
	return STATUS_OK;
}

enum status artifacts_open(
	const struct artifacts *artifacts, int *fd, uint64_t *size, const struct hash32 *hash)
{
	char path[ARTIFACT_PATH_BYTES];
	struct stat info;

	path_of(path, artifacts, hash, 3);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
	if (fstat(*fd, &info) != 0) {
		close(*fd);
		*fd = -1;
		return STATUS_IO;
	}
	*size = (uint64_t)info.st_size;
	return STATUS_OK;
}
