/* exec: runs one program per job and leaves nothing behind.
 * An argv, never a shell; in the job's private directory; minimal environment, no input; its stdout
 * and stderr come through pipes on the loop, each under a cap. Between daemon and program stands a
 * supervisor process (supervisor.h) that enforces time, processes and disk, and kills every
 * descendant before it reports. Owns its processes and pipes; the caller owns the directory
 * (workdir.h). Loop thread only. Whatever a program does is data (enum exec_end); a status only
 * says that nothing could be started. What it is not: a jail. A program under the daemon's own user
 * can signal the daemon; give the daemon root and a run_as user of its own where the programs'
 * inputs aren't trusted. */
#ifndef MINER_EXEC_H
#define MINER_EXEC_H

#include <event2/event.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/status.h"
#include "miner/cgroup.h"

/* 0 in any field: no limit of that kind. */
struct exec_limits {
	uint64_t cpu_seconds;     /* of each process */
	uint64_t memory_bytes;    /* address space of each process */
	uint64_t file_bytes;      /* of each file written */
	uint64_t directory_bytes; /* of everything in the job's directory, looked at every 100 ms */
	uint64_t wall_ms;
	uint32_t open_files; /* of each process */
	/* Of the whole tree, counted every 100 ms. When the program runs under a user of its own
	 * the kernel stops a fork bomb by itself too, at 16 threads for each process allowed. */
	uint32_t processes;
	size_t stdout_bytes;
	size_t stderr_bytes;
};

struct exec_spec {
	const char *const
		*argv; /* NULL-terminated; argv[0] is a path with a '/', see exec_find_program */
	const char *directory; /* absolute; the program's working directory, HOME and TMPDIR */
	struct exec_limits limits;
	bool drop_user; /* run as uid and gid with no other groups; the daemon must be root */
	uid_t uid;
	gid_t gid;
};

enum exec_end {
	EXEC_EXITED,   /* by itself; code is its exit code */
	EXEC_SIGNALED, /* by a signal that wasn't ours; code is the signal */
	EXEC_TIMED_OUT,
	EXEC_CPU_SPENT,
	EXEC_STDOUT_TOO_LARGE,
	EXEC_STDERR_TOO_LARGE,
	EXEC_FILE_TOO_LARGE,
	EXEC_DIRECTORY_TOO_LARGE,
	EXEC_TOO_MANY_PROCESSES,
	EXEC_CANCELLED,
	EXEC_NOT_STARTED,    /* the program couldn't be executed; code is the errno, fault names the
				step */
	EXEC_SUPERVISOR_LOST /* somebody killed the supervisor; what it watched was killed by the
				daemon */
};

/* The name used on the wire as error_code, e.g. "timed_out". Never NULL. */
const char *exec_end_text(enum exec_end end);

struct exec_result {
	enum exec_end end;
	int code;
	uint32_t leftovers; /* descendants that outlived the program and were killed */
	uint64_t elapsed_ms;
	struct bytes out; /* borrowed for the callback; at most the cap */
	struct bytes err;
	char fault[200]; /* one sentence for people; "" for EXEC_EXITED with code 0 */
};
/* Called once, from the loop, when every process of the job is gone. */
typedef void exec_done(void *ctx, const struct exec_result *result);

struct execs; /* all programs of one daemon */
struct exec;  /* one of them; lives until its done has returned */

/* Makes the calling process the reaper of orphans, so that even a job whose supervisor was killed
 * is found. */
MUST_USE enum status execs_new(struct execs **out, struct event_base *loop, struct log *log);
/* From now on each job gets a group of its own in there (borrowed); see cgroup.h. */
void execs_use_cgroup(struct execs *execs, const struct cgroup *cgroup);
/* Kills what still runs, without calling done, and waits for it. */
void execs_free(struct execs *execs);
size_t execs_running(const struct execs *execs);

/* Not OK: nothing runs and done will not be called; fault says why. *out may be NULL. */
MUST_USE enum status exec_start(struct execs *execs, struct exec **out,
	const struct exec_spec *spec, char fault[200], exec_done *done, void *ctx);
/* done follows with EXEC_CANCELLED, unless the program ended first. */
void exec_cancel(struct exec *exec);

/* The absolute path of a program: itself when it has a '/', else looked up in /usr/local/bin,
 * /usr/bin, /bin. STATUS_NOT_FOUND: no executable file of that name. */
MUST_USE enum status exec_find_program(char *out, size_t out_size, const char *name);

#endif
