#define _GNU_SOURCE
#include "miner/workdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status workdir_make(char out[WORKDIR_PATH_BYTES], const char *base, uid_t owner, gid_t group)
{
	int len = snprintf(out, WORKDIR_PATH_BYTES, "%s/job-XXXXXX", base);
	if (len < 0 || len >= WORKDIR_PATH_BYTES)
		return STATUS_INVALID;
	if (mkdtemp(out) == NULL)
		return errno == ENOSPC || errno == EDQUOT ? STATUS_DISK_FULL : STATUS_IO;
	if (owner != (uid_t)-1 && chown(out, owner, group) != 0) {
		rmdir(out);
		return STATUS_IO;
	}
	return STATUS_OK;
}

struct walk {
	uint64_t bytes;
	uint64_t bytes_max;
	uint32_t entries;
};

/* False: a bound is passed. fd is eaten. */
static bool walk_bytes(struct walk *w, int fd, unsigned depth)
{
	DIR *directory = depth <= WORKDIR_DEPTH_MAX ? fdopendir(fd) : NULL;
	if (directory == NULL) {
		close(fd);
		return depth <= WORKDIR_DEPTH_MAX; /* one that vanished holds nothing */
	}
	bool within = true;
	for (struct dirent *entry; within && (entry = readdir(directory)) != NULL;) {
		struct stat st;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		w->bytes += (uint64_t)st.st_blocks * 512;
		w->entries++;
		within = w->bytes <= w->bytes_max && w->entries <= WORKDIR_ENTRIES_MAX;
		if (!within || !S_ISDIR(st.st_mode))
			continue;
		int below =
			openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			within = walk_bytes(w, below, depth + 1);
	}
	closedir(directory);
	return within;
}

uint64_t workdir_bytes(const char *path, uint64_t bytes_max)
{
	struct walk w = {.bytes_max = bytes_max};
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (walk_bytes(&w, fd, 0))
		return w.bytes;
	return w.bytes > bytes_max ? w.bytes : UINT64_MAX;
}

/* Empties one level and names in *below a directory it couldn't unlink because it isn't empty;
 * walking down one at a time needs no recursion, however deep the program nested them. fd stays
 * open. */
static bool empty_level(int fd, char below[NAME_MAX + 1])
{
	below[0] = 0;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	if (directory == NULL) {
		if (copy >= 0)
			close(copy);
		return false;
	}
	bool ok = true;
	rewinddir(directory);
	for (struct dirent *entry; ok && below[0] == 0 && (entry = readdir(directory)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0 ||
			unlinkat(fd, entry->d_name, AT_REMOVEDIR) == 0)
			continue;
		if (errno == ENOTEMPTY || errno == EEXIST)
			snprintf(below, NAME_MAX + 1, "%s", entry->d_name);
		else
			ok = false;
	}
	closedir(directory);
	return ok;
}

enum status workdir_remove(const char *path)
{
	int root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return errno == ENOENT ? STATUS_OK : STATUS_IO;
	bool ok = fchmod(root, 0700) == 0 || errno == EPERM;
	for (int level = fcntl(root, F_DUPFD_CLOEXEC, 3); ok && level >= 0;) {
		char below[NAME_MAX + 1];
		ok = empty_level(level, below);
		bool at_root = below[0] == 0;
		int next = -1;
		if (ok && !at_root) {
			(void)fchmodat(level, below, 0700, 0);
			next = openat(
				level, below, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			ok = next >= 0;
		} else if (ok) {
			/* This level is empty: begin again at the top until the top itself is. */
			struct stat here, top;
			if (fstat(level, &here) == 0 && fstat(root, &top) == 0 &&
				here.st_ino != top.st_ino)
				next = fcntl(root, F_DUPFD_CLOEXEC, 3);
		}
		close(level);
		level = next;
	}
	close(root);
	return ok && rmdir(path) == 0 ? STATUS_OK : STATUS_IO;
}

enum status workdir_file(const char *path, uint64_t *size, const char *name)
{
	char whole[WORKDIR_PATH_BYTES + NAME_MAX + 2];
	struct stat st;
	snprintf(whole, sizeof whole, "%s/%s", path, name);
	if (lstat(whole, &st) != 0)
		return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return STATUS_INVALID;
	*size = (uint64_t)st.st_size;
	return STATUS_OK;
}
