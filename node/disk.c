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

enum status disk_make_fence(const char *home, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	uint8_t fresh[FENCE_FILE_BYTES];
	fence_fresh(fresh);
	enum status status = files_join(path, home, "fence");
	return status == STATUS_OK
		       ? files_create(path, 0600, bytes_view(fresh, sizeof fresh), fault)
		       : status;
}

static enum status fence_open(struct disk *d, const char *home, char fault[NODE_FAULT_BYTES])
{
	enum status status = files_join(d->fence_path, home, "fence");
	if (status != STATUS_OK)
		return status;
	d->fence_fd = open(d->fence_path, O_RDWR | O_CLOEXEC);
	if (d->fence_fd < 0 && errno == ENOENT)
		return STATUS_OK;
	if (d->fence_fd < 0) {
		snprintf(fault, NODE_FAULT_BYTES, "can't open %.150s: %s", d->fence_path,
			strerror(errno));
		return STATUS_IO;
	}
	uint8_t file[FENCE_FILE_BYTES];
	ssize_t got = pread(d->fence_fd, file, sizeof file, 0);
	d->fence_known = got == (ssize_t)sizeof file && fence_load(&d->fence, file) == FENCE_WHOLE;
	if (!d->fence_known)
		memset(&d->fence, 0, sizeof d->fence);
	return STATUS_OK;
}

/* A file that begins with this record. By a rename, so that what was there is whole or gone. */
static enum status fence_renew(struct disk *d, const struct fence_record *record)
{
	char path[NODE_PATH_BYTES], fault[NODE_FAULT_BYTES];
	uint8_t file[FENCE_FILE_BYTES];
	fence_fresh(file);
	fence_encode(file + (size_t)fence_next_slot(&d->fence) * FENCE_SLOT_BYTES, record);
	snprintf(path, sizeof path, "%.*s.new", NODE_PATH_BYTES - 5, d->fence_path);
	unlink(path); /* of an attempt that a crash ended */
	enum status status = files_create(path, 0600, bytes_view(file, sizeof file), fault);
	if (status == STATUS_OK)
		status = files_move(d->fence_path, path, fault);
	if (status != STATUS_OK)
		return status;
	if (d->fence_fd >= 0)
		close(d->fence_fd);
	d->fence_fd = open(d->fence_path, O_RDWR | O_CLOEXEC);
	return d->fence_fd < 0 ? status_of_errno(errno) : STATUS_OK;
}

enum status disk_open(struct disk *out, const char *home, char fault[NODE_FAULT_BYTES])
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
		status = fence_open(out, home, fault);
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
	if (!d->fence_known) {
		enum status renewed = fence_renew(d, record);
		d->fence_known = renewed == STATUS_OK;
		if (d->fence_known)
			d->fence = *record;
		return renewed;
	}
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
