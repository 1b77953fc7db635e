/* supervisor: the process between the daemon and one job's program.
 * It is the reaper of all its descendants (PR_SET_CHILD_SUBREAPER), so neither setsid nor a double
 * fork takes a process out of its sight. It ends the job when the program exits, a limit is passed,
 * the daemon says so, or the daemon is gone (the control pipe closes), then kills and reaps until
 * no child is left, and reports. Runs in a forked copy of the daemon: it uses nothing of the daemon
 * but the task it is given. Never returns. */
#ifndef MINER_SUPERVISOR_H
#define MINER_SUPERVISOR_H

#include "miner/exec.h"

/* What the daemon may say through the control pipe, one byte each. */
enum supervisor_order { ORDER_CANCEL = 'c', ORDER_STDOUT_FULL = 'o', ORDER_STDERR_FULL = 'e' };

/* Sent whole through the report pipe, once (less than PIPE_BUF). Between two copies of one program:
 * no wire format. */
struct supervisor_report {
	enum exec_end end;
	int code;
	uint32_t leftovers;
	char step[32]; /* of EXEC_NOT_STARTED: what failed */
};

struct supervisor_task {
	const struct exec_spec *spec;
	int stdout_fd; /* write ends for the program */
	int stderr_fd;
	int control_fd; /* read end */
	int report_fd;  /* write end */
	int group_fd;   /* folder of the job's control group, or -1 */
};

/* Called in the child right after fork, with every signal blocked. All descriptors must be above 2.
 */
_Noreturn void supervisor_run(const struct supervisor_task *task);

#endif
