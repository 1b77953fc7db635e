#define _GNU_SOURCE
#include "miner/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The rest of the first line that begins with prefix, or what follows it up to the next blank;
 * false: none. */
static bool find_line(
	const char *file, bool (*wanted)(const char *line, char out[256]), char out[256])
{
	char line[1024];
	bool found = false;
	FILE *stream = fopen(file, "re");
	while (stream != NULL && !found && fgets(line, sizeof line, stream) != NULL)
		found = wanted(line, out);
	if (stream != NULL)
		fclose(stream);
	return found;
}

/* "0::/path" */
static bool own_group(const char *line, char out[256])
{
	if (strncmp(line, "0::", 3) != 0 || strlen(line) >= 256)
		return false;
	snprintf(out, 256, "%s", line + 3);
	out[strcspn(out, "\n")] = 0;
	return true;
}

/* "cgroup2 /sys/fs/cgroup cgroup2 rw,..." */
static bool mount_point(const char *line, char out[256])
{
	char type[64];
	return sscanf(line, "%*s %255s %63s", out, type) == 2 && strcmp(type, "cgroup2") == 0;
}

static bool write_text(int folder, const char *file, const char *text)
{
	int fd = openat(folder, file, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool has_file(const char *folder, const char *file)
{
	char path[CGROUP_PATH_BYTES + 64];
	snprintf(path, sizeof path, "%s/%s", folder, file);
	return access(path, W_OK) == 0;
}

/* A trial group tells what the kernel would give a job. */
static bool try_out(struct cgroup *cgroup, char fault[200])
{
	char trial[CGROUP_PATH_BYTES + 64];
	snprintf(trial, sizeof trial, "%s/aitbc-trial-%ld", cgroup->path, (long)getpid());
	if (mkdir(trial, 0700) != 0) {
		snprintf(fault, 200, "no group can be made in %.120s: %s", cgroup->path,
			strerror(errno));
		return false;
	}
	cgroup->has_pids = has_file(trial, "pids.max");
	cgroup->has_memory = has_file(trial, "memory.max");
	bool has_kill = has_file(trial, "cgroup.kill");
	rmdir(trial);
	if (!has_kill)
		snprintf(fault, 200,
			"%.120s has no cgroup.kill: no control groups of version 2, or an old "
			"kernel",
			cgroup->path);
	return has_kill;
}

bool cgroup_open(struct cgroup *out, const char *configured, char fault[200])
{
	char group[256], mounted[256];
	*out = (struct cgroup){0};
	if (strcmp(configured, "off") == 0) {
		snprintf(fault, 200, "it is configured off");
		return false;
	}
	if (strcmp(configured, "auto") != 0) {
		snprintf(out->path, sizeof out->path, "%s", configured);
	} else if (find_line("/proc/self/cgroup", own_group, group) &&
		   find_line("/proc/self/mounts", mount_point, mounted)) {
		snprintf(out->path, sizeof out->path, "%s%s", mounted,
			strcmp(group, "/") == 0 ? "" : group);
	} else {
		snprintf(fault, 200, "this machine has no control groups of version 2");
		return false;
	}
	bool ok = try_out(out, fault);
	if (ok && strcmp(configured, "auto") == 0 && !out->has_pids) {
		snprintf(fault, 200, "%.120s doesn't give the pids controller to its groups",
			out->path);
		ok = false;
	}
	if (!ok)
		out->path[0] = 0;
	return ok;
}

void cgroup_close(struct cgroup *cgroup)
{
	cgroup->path[0] = 0;
}

int cgroup_job_make(const struct cgroup *cgroup, char name[CGROUP_NAME_BYTES], uint64_t number,
	uint64_t processes, uint64_t memory_bytes)
{
	char path[CGROUP_PATH_BYTES + CGROUP_NAME_BYTES + 2], text[32];
	snprintf(name, CGROUP_NAME_BYTES, "job-%ld-%" PRIu64, (long)getpid(), number % 1000000);
	snprintf(path, sizeof path, "%s/%s", cgroup->path, name);
	if (mkdir(path, 0700) != 0)
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0;
	if (ok && cgroup->has_pids && processes != 0) {
		/* The kernel counts threads; the exact number is the supervisor's. */
		snprintf(text, sizeof text, "%" PRIu64, processes * 16);
		ok = write_text(fd, "pids.max", text);
	}
	if (ok && cgroup->has_memory && memory_bytes != 0) {
		snprintf(text, sizeof text, "%" PRIu64, memory_bytes);
		ok = write_text(fd, "memory.max", text);
	}
	if (ok)
		return fd;
	if (fd >= 0)
		close(fd);
	rmdir(path);
	return -1;
}

void cgroup_job_remove(const struct cgroup *cgroup, const char *name)
{
	char path[CGROUP_PATH_BYTES + CGROUP_NAME_BYTES + 2];
	snprintf(path, sizeof path, "%s/%s", cgroup->path, name);
	(void)rmdir(path); /* one that stays is empty, and a later daemon's name differs */
}

bool cgroup_join(int job_fd)
{
	return write_text(job_fd, "cgroup.procs", "0");
}

bool cgroup_kill(int job_fd)
{
	return write_text(job_fd, "cgroup.kill", "1");
}
