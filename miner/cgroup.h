/* cgroup: a control group (v2) per job, where the machine lets us have one: then the kernel counts
 * the job's processes and memory exactly and kills all of them at once. Without it the supervisor
 * counts and kills by looking, which is said in the log. Never moves the daemon itself: whoever
 * wants this gives it a folder whose cgroup.subtree_control holds pids and memory (under systemd:
 * Delegate=yes, DelegateSubgroup=daemon). */
#ifndef MINER_CGROUP_H
#define MINER_CGROUP_H

#include "base/bytes.h"

enum { CGROUP_PATH_BYTES = 512, CGROUP_NAME_BYTES = 32 };

/* The folder in which jobs get theirs. */
struct cgroup {
	char path[CGROUP_PATH_BYTES]; /* "" when there is none */
	bool has_pids;
	bool has_memory;
};

/* configured: "off", "auto" (below the daemon's own group) or a folder. False: there is none, fault
 * says why not. */
MUST_USE bool cgroup_open(struct cgroup *out, const char *configured, char fault[200]);
void cgroup_close(struct cgroup *cgroup);

/* One job's group; limits of 0 aren't set. Returns a descriptor of its folder, or -1. */
int cgroup_job_make(const struct cgroup *cgroup, char name[CGROUP_NAME_BYTES], uint64_t number,
	uint64_t processes, uint64_t memory_bytes);
/* When all its processes are gone. */
void cgroup_job_remove(const struct cgroup *cgroup, const char *name);

/* For the program between fork and execve, and for its supervisor. False: the kernel refused. */
bool cgroup_join(int job_fd);
bool cgroup_kill(int job_fd);

#endif
