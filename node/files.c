#include "node/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum status status_of_errno(int error)
{
	switch (error) {
	case ENOENT: return STATUS_NOT_FOUND;
	case ENOSPC:
	case EDQUOT: return STATUS_DISK_FULL;
	case ENOMEM: return STATUS_NO_MEMORY;
	case EEXIST:
	case EAGAIN:
	case EADDRINUSE: return STATUS_BUSY;
	case EACCES:
	case EPERM: return STATUS_REFUSED;
	default: return STATUS_IO;
	}
}

static enum status failed(const char *what, const char *path, char fault[NODE_FAULT_BYTES])
{
	int error = errno;
	snprintf(fault, NODE_FAULT_BYTES, "%s %s: %s", what, path, strerror(error));
	return status_of_errno(error);
}

enum status files_join(char out[NODE_PATH_BYTES], const char *dir, const char *name)
{
	int len = snprintf(out, NODE_PATH_BYTES, "%s/%s", dir, name);
	return len >= 0 && len < NODE_PATH_BYTES ? STATUS_OK : STATUS_INVALID;
}

enum status files_mkdir(const char *path, unsigned mode, char fault[NODE_FAULT_BYTES])
{
	if (mkdir(path, mode) == 0)
		return STATUS_OK;
	struct stat info;
	if (errno == EEXIST && stat(path, &info) == 0) {
		if (S_ISDIR(info.st_mode))
			return STATUS_OK;
		errno = ENOTDIR;
	}
	return failed("can't make the folder", path, fault);
}

enum status files_read(
	struct buf *out, const char *path, size_t bytes_max, char fault[NODE_FAULT_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed("can't open", path, fault);
	uint8_t chunk[16384];
	enum status status = STATUS_OK;
	size_t total = 0;
	for (;;) {
		ssize_t got = read(fd, chunk, sizeof chunk);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			status = failed("can't read", path, fault);
		if (got <= 0)
			break;
		total += (size_t)got;
		if (total > bytes_max) {
			snprintf(fault, NODE_FAULT_BYTES, "%s is larger than %zu bytes", path,
				bytes_max);
			status = STATUS_INVALID;
			break;
		}
		buf_append(out, chunk, (size_t)got);
	}
	close(fd);
	if (status == STATUS_OK && !buf_ok(out))
		return STATUS_NO_MEMORY;
	return status;
}

static enum status write_all(int fd, struct bytes content)
{
	size_t at = 0;
	while (at < content.len) {
		ssize_t put = write(fd, content.data + at, content.len - at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return status_of_errno(errno);
		at += (size_t)put;
	}
	return STATUS_OK;
}

static void sync_folder_of(const char *path)
{
	char dir[NODE_PATH_BYTES];
	snprintf(dir, sizeof dir, "%s", path);
	char *slash = strrchr(dir, '/');
	if (!slash)
		return;
	*slash = 0;
	int fd = open(dir[0] ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

enum status files_create(
	const char *path, unsigned mode, struct bytes content, char fault[NODE_FAULT_BYTES])
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return failed("can't create", path, fault);
	enum status status = write_all(fd, content);
	if (status == STATUS_OK && fsync(fd) != 0)
		status = status_of_errno(errno);
	if (status != STATUS_OK) {
		status = failed("can't write", path, fault);
		unlink(path);
	}
	close(fd);
	sync_folder_of(path);
	return status;
}

enum status files_move(const char *to, const char *from, char fault[NODE_FAULT_BYTES])
{
	if (rename(from, to) != 0)
		return failed("can't rename", from, fault);
	sync_folder_of(to);
	return STATUS_OK;
}

enum status files_random(void *out, size_t len)
{
	uint8_t *at = out;
	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return STATUS_IO;
		at += got;
		len -= (size_t)got;
	}
	return STATUS_OK;
}
