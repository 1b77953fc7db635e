#include "node/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status write_at(int fd, struct bytes data, off_t at)
{
	while (data.len > 0) {
		ssize_t put = pwrite(fd, data.data, data.len, at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return status_of_errno(errno);
		data.data += put;
		data.len -= (size_t)put;
		at += put;
	}
	return STATUS_OK;
}

static enum status fence_create(struct disk *d, const char *path, char fault[NODE_FAULT_BYTES])
{
	uint8_t fresh[FENCE_FILE_BYTES];
	fence_fresh(fresh);
	enum status status = files_create(path, 0600, bytes_view(fresh, sizeof fresh), fault);
	if (status != STATUS_OK)
		return status;
	d->fence_fd = open(path, O_RDWR | O_CLOEXEC);
	return d->fence_fd < 0 ? STATUS_IO : STATUS_OK;
}

static enum status fence_open(
	struct disk *d, const char *home, bool required, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	enum status status = files_join(path, home, "fence");
	if (status != STATUS_OK)
		return status;
	d->fence_fd = open(path, O_RDWR | O_CLOEXEC);
	if (d->fence_fd < 0 && errno == ENOENT && !required)
		return fence_create(d, path, fault);
	if (d->fence_fd < 0 && errno != ENOENT) {
		snprintf(fault, NODE_FAULT_BYTES, "can't open %.150s: %s", path, strerror(errno));
		return STATUS_IO;
	}
	if (d->fence_fd < 0) {
		snprintf(fault, NODE_FAULT_BYTES,
			"%.150s: the record of what this validator signed is missing; without it "
			"the key could sign "
			"twice",
			path);
		return STATUS_NOT_FOUND;
	}
	uint8_t file[FENCE_FILE_BYTES];
	ssize_t got = pread(d->fence_fd, file, sizeof file, 0);
	enum fence_slot slot =
		got == (ssize_t)sizeof file ? fence_load(&d->fence, file) : FENCE_DAMAGED;
	/* Signed for blocks that are in the store, and no record of it: it isn't the same file. */
	bool lost = required && d->fence.step == FENCE_NOTHING;
	if (slot != FENCE_WHOLE || lost) {
		snprintf(fault, NODE_FAULT_BYTES,
			"%.150s: the record of what this validator signed is damaged", path);
		return STATUS_CORRUPT;
	}
	return STATUS_OK;
}

enum status disk_open(
	struct disk *out, const char *home, bool fence_required, char fault[NODE_FAULT_BYTES])
{
	memset(out, 0, sizeof *out);
	out->log_fd = out->fence_fd = -1;
	buf_init(&out->pending, 0);
	char path[NODE_PATH_BYTES];
	enum status status = files_join(path, home, "consensus.log");
	if (status == STATUS_OK) {
		out->log_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (out->log_fd < 0) {
			snprintf(fault, NODE_FAULT_BYTES, "can't open %.150s: %s", path,
				strerror(errno));
			status = STATUS_IO;
		}
	}
	if (status == STATUS_OK)
		out->log_len = lseek(out->log_fd, 0, SEEK_END);
	/* A killed process leaves bytes that were never synced; they are read back all the same. */
	out->log_dirty = out->log_len > 0;
	if (status == STATUS_OK)
		status = fence_open(out, home, fence_required, fault);
	if (status != STATUS_OK)
		disk_close(out);
	return status;
}

void disk_close(struct disk *d)
{
	if (d->log_fd >= 0)
		close(d->log_fd);
	if (d->fence_fd >= 0)
		close(d->fence_fd);
	d->log_fd = d->fence_fd = -1;
	buf_fini(&d->pending);
}

enum status disk_log_read(struct disk *d, struct buf *out, char fault[NODE_FAULT_BYTES])
{
	uint8_t *to = buf_extend(out, (size_t)d->log_len);
	if (!to && d->log_len > 0)
		return STATUS_NO_MEMORY;
	off_t at = 0;
	while (at < d->log_len) {
		ssize_t got = pread(d->log_fd, to + at, (size_t)(d->log_len - at), at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			snprintf(fault, NODE_FAULT_BYTES, "can't read the consensus log: %s",
				strerror(errno));
			return STATUS_IO;
		}
		at += got;
	}
	return STATUS_OK;
}

enum status disk_log_cut(struct disk *d, size_t len)
{
	if ((off_t)len == d->log_len)
		return STATUS_OK;
	if (ftruncate(d->log_fd, (off_t)len) != 0)
		return status_of_errno(errno);
	d->log_len = (off_t)len;
	return STATUS_OK;
}

void disk_log_append(struct disk *d, struct bytes record)
{
	buf_append_view(&d->pending, record);
}

enum status disk_log_push(struct disk *d)
{
	if (!buf_ok(&d->pending))
		return STATUS_NO_MEMORY;
	if (d->pending.len == 0)
		return STATUS_OK;
	enum status status = write_at(d->log_fd, buf_view(&d->pending), d->log_len);
	if (status != STATUS_OK)
		return status;
	d->log_len += (off_t)d->pending.len;
	buf_clear(&d->pending);
	d->log_dirty = true;
	return STATUS_OK;
}

enum status disk_log_sync(struct disk *d)
{
	enum status status = disk_log_push(d);
	if (status != STATUS_OK || !d->log_dirty)
		return status;
	if (fdatasync(d->log_fd) != 0)
		return status_of_errno(errno);
	d->log_dirty = false;
	d->log_synced = d->log_len;
	return STATUS_OK;
}

enum status disk_log_reset(struct disk *d)
{
	buf_clear(&d->pending);
	d->log_dirty = false;
	d->log_synced = 0;
	return disk_log_cut(d, 0);
}

enum status disk_fence_write(struct disk *d, struct fence_record *record)
{
	fence_follow(record, &d->fence, (uint64_t)d->log_synced);
	uint8_t slot[FENCE_SLOT_BYTES];
	fence_encode(slot, record);
	off_t at = (off_t)fence_next_slot(&d->fence) * FENCE_SLOT_BYTES;
	enum status status = write_at(d->fence_fd, bytes_view(slot, sizeof slot), at);
	if (status == STATUS_OK && fdatasync(d->fence_fd) != 0)
		status = status_of_errno(errno);
	if (status == STATUS_OK)
		d->fence = *record;
	return status;
}
