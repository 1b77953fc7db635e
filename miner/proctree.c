#define _GNU_SOURCE
#include "miner/proctree.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct process {
	pid_t pid;
	pid_t parent;
	bool zombie;
	bool inside;
};

/* "pid (name) state ppid ...": the name may hold anything, also ')', so look for the last one. */
static bool read_process(struct process *out, const char *pid_text)
{
	char path[64];
	char text[512];
	snprintf(path, sizeof path, "/proc/%.20s/stat", pid_text);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t got = read(fd, text, sizeof text - 1);
	close(fd);
	if (got <= 0)
		return false;
	text[got] = 0;
	const char *end = strrchr(text, ')');
	if (end == NULL || end[1] != ' ' || end[2] == 0 || end[3] != ' ')
		return false;
	*out = (struct process){.pid = (pid_t)atol(pid_text),
		.parent = (pid_t)atol(end + 4),
		.zombie = end[2] == 'Z' || end[2] == 'X'};
	return true;
}

static size_t read_all(struct process *out, size_t max)
{
	DIR *directory = opendir("/proc");
	if (directory == NULL)
		return 0;
	size_t count = 0;
	for (struct dirent *entry; count < max && (entry = readdir(directory)) != NULL;)
		if (isdigit((unsigned char)entry->d_name[0]) &&
			read_process(&out[count], entry->d_name))
			count++;
	closedir(directory);
	return count;
}

static bool is_spared(pid_t pid, const pid_t *spared, size_t spared_count)
{
	for (size_t i = 0; i < spared_count; i++)
		if (spared[i] == pid)
			return true;
	return false;
}

/* Is the parent root, or already known to be inside? */
static bool parent_inside(const struct process *all, size_t count, pid_t root, pid_t parent)
{
	if (parent == root)
		return true;
	for (size_t i = 0; i < count; i++)
		if (all[i].pid == parent)
			return all[i].inside;
	return false;
}

size_t proctree_descendants(
	pid_t root, pid_t *out, size_t out_max, const pid_t *spared, size_t spared_count)
{
	static struct process all[PROCTREE_MAX]; /* one thread calls this in any process */
	size_t count = read_all(all, PROCTREE_MAX);
	/* Children may stand before their parents in the listing: repeat until nothing changes. */
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t i = 0; i < count; i++) {
			if (all[i].inside || is_spared(all[i].pid, spared, spared_count))
				continue;
			all[i].inside = parent_inside(all, count, root, all[i].parent);
			changed |= all[i].inside;
		}
	}
	size_t found = 0;
	for (size_t i = 0; i < count && found < out_max; i++)
		if (all[i].inside && !all[i].zombie)
			out[found++] = all[i].pid;
	return found;
}

size_t proctree_kill(pid_t root, const pid_t *spared, size_t spared_count)
{
	static pid_t found[PROCTREE_MAX];
	size_t count = proctree_descendants(root, found, PROCTREE_MAX, spared, spared_count);
	for (size_t i = 0; i < count; i++)
		kill(found[i], SIGKILL);
	return count;
}
