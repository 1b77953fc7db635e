#define _POSIX_C_SOURCE 200809L
#include "wallet/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 1024 };

static enum status of_errno(int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return STATUS_NOT_FOUND;
	if (error == ENOSPC || error == EDQUOT)
		return STATUS_DISK_FULL;
	return error == EEXIST ? STATUS_BUSY : STATUS_IO;
}

static enum status failed(char *fault, const char *what, const char *path)
{
	int error = errno;

	snprintf(fault, PRIVATE_FAULT_BYTES, "%s %.150s: %s", what, path, strerror(error));
	return of_errno(error);
}

/* Only its owner can reach it, and the owner is us (or root, who needs no permission). */
static bool is_private(const struct stat *st)
{
	return (st->st_mode & 077) == 0 && (st->st_uid == geteuid() || st->st_uid == 0);
}

/* The folder part of a path; false, and out as it was, when there is none. */
static bool folder_of(char out[PATH_BYTES], const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (len == 0 || len >= PATH_BYTES)
		return false;
	memcpy(out, path, len);
	out[len] = '\0';
	return true;
}

enum status private_folder_check(const char *path, char fault[PRIVATE_FAULT_BYTES])
{
	struct stat st;

	if (stat(path, &st) != 0)
		return failed(fault, "can't look at folder", path);
	if (S_ISDIR(st.st_mode) && is_private(&st))
		return STATUS_OK;
	snprintf(fault, PRIVATE_FAULT_BYTES,
		"others can reach the folder %.120s: make it yours alone with `chmod 700`", path);
	return STATUS_REFUSED;
}

enum status private_folder_make(const char *path, char fault[PRIVATE_FAULT_BYTES])
{
	char part[PATH_BYTES];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof part) {
		snprintf(fault, PRIVATE_FAULT_BYTES, "the folder's path is empty or too long");
		return STATUS_INVALID;
	}
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return failed(fault, "can't make folder", part);
	}
	return private_folder_check(path, fault);
}

static enum status read_all(
	uint8_t *out, size_t *len, size_t max, int fd, const char *path, char *fault)
{
	for (*len = 0;;) {
		uint8_t beyond;
		bool full = *len == max;
		ssize_t got = read(fd, full ? &beyond : out + *len, full ? 1 : max - *len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return failed(fault, "can't read", path);
		if (got == 0)
			return STATUS_OK;
		if (full)
			break;
		*len += (size_t)got;
	}
	snprintf(fault, PRIVATE_FAULT_BYTES, "%.150s is too large for what it should be", path);
	return STATUS_INVALID;
}

enum status private_file_read(
	uint8_t *out, size_t *len, size_t max, const char *path, char fault[PRIVATE_FAULT_BYTES])
{
	struct stat st;
	enum status status;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return failed(fault, "can't open", path);
	if (fstat(fd, &st) != 0) {
		status = failed(fault, "can't look at", path);
	} else if (!S_ISREG(st.st_mode) || !is_private(&st)) {
		snprintf(fault, PRIVATE_FAULT_BYTES,
			"others can reach %.150s: make it yours alone with `chmod 600`", path);
		status = STATUS_REFUSED;
	} else {
		status = read_all(out, len, max, fd, path, fault);
	}
	close(fd);
	return status;
}

static enum status write_all(int fd, struct bytes content, const char *path, char *fault)
{
	for (size_t at = 0; at < content.len;) {
		ssize_t put = write(fd, content.data + at, content.len - at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return failed(fault, "can't write", path);
		at += (size_t)put;
	}
	return fsync(fd) == 0 ? STATUS_OK : failed(fault, "can't sync", path);
}

static enum status sync_folder(const char *folder, char *fault)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return failed(fault, "can't open folder", folder);
	enum status status = fsync(fd) == 0 ? STATUS_OK : failed(fault, "can't sync", folder);
	close(fd);
	return status;
}

enum status private_file_create(
	const char *path, struct bytes content, char fault[PRIVATE_FAULT_BYTES])
{
	char folder[PATH_BYTES] = ".";
	enum status status;

	(void)folder_of(folder, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return failed(fault, "can't make", path);
	status = write_all(fd, content, path, fault);
	if (close(fd) != 0 && status == STATUS_OK)
		status = failed(fault, "can't close", path);
	if (status == STATUS_OK)
		status = sync_folder(folder, fault);
	if (status != STATUS_OK)
		(void)unlink(path);
	return status;
}
