#define _GNU_SOURCE
#include "http/port_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TCP_STATE_LISTEN = 0x0A };

/* Inode of the socket listening on port in one of the kernel's tables, or 0. */
static unsigned long listener_inode(const char *table, uint16_t port)
{
	FILE *file = fopen(table, "re");
	unsigned long found = 0;
	char line[512];

	while (file && !found && fgets(line, sizeof line, file)) {
		char local[64];
		unsigned state;
		unsigned long inode;

		if (sscanf(line, " %*[^:]: %63s %*s %x %*s %*s %*s %*s %*s %lu", local, &state,
			    &inode) != 3)
			continue;
		const char *colon = strrchr(local, ':');
		if (colon && state == TCP_STATE_LISTEN && strtoul(colon + 1, NULL, 16) == port)
			found = inode;
	}
	if (file)
		fclose(file);
	return found;
}

static bool process_holds(const char *pid, const char *link_wanted)
{
	char path[300];
	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	DIR *fds = opendir(path);
	bool holds = false;

	for (struct dirent *fd; fds && !holds && (fd = readdir(fds));) {
		char link[64];

		snprintf(path, sizeof path, "/proc/%s/fd/%.16s", pid, fd->d_name);
		ssize_t len = readlink(path, link, sizeof link - 1);
		if (len > 0) {
			link[len] = 0;
			holds = strcmp(link, link_wanted) == 0;
		}
	}
	if (fds)
		closedir(fds);
	return holds;
}

static void process_name(char *out, size_t out_len, const char *pid)
{
	char path[64];
	char name[64] = "process";

	snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
	FILE *file = fopen(path, "re");
	if (file) {
		if (fgets(name, sizeof name, file))
			name[strcspn(name, "\n")] = 0;
		fclose(file);
	}
	snprintf(out, out_len, "%s (pid %s)", name, pid);
}

void port_holder_text(char *out, size_t out_len, uint16_t port)
{
	unsigned long inode = listener_inode("/proc/net/tcp", port);

	snprintf(out, out_len, "another process");
	if (!inode)
		inode = listener_inode("/proc/net/tcp6", port);
	if (!inode)
		return;

	char wanted[64];
	snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	DIR *processes = opendir("/proc");
	for (struct dirent *entry; processes && (entry = readdir(processes));) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
			process_holds(entry->d_name, wanted)) {
			process_name(out, out_len, entry->d_name);
			break;
		}
	}
	if (processes)
		closedir(processes);
}
