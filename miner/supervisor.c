#define _GNU_SOURCE
#include "miner/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "miner/proctree.h"
#include "miner/workdir.h"

enum { THREADS_PER_PROCESS = 16, THREADS_SPARE = 256 };
enum { LOOK_MS = 100, KILL_LOOK_MS = 5, KILL_GIVE_UP_MS = 10 * 1000 };

struct supervisor {
	const struct supervisor_task *task;
	pid_t program;
	int failure_fd; /* closes when the program is executed; a step_failure comes when it can't
			   be */
	int signal_fd;
	uint64_t started_ms;
	uint64_t looked_ms;
	bool program_ended;
	bool daemon_gone;
	int wait_status;
	struct rusage usage;
	bool ended;
	struct supervisor_report report;
};

/* What the child writes when a step before execve fails. */
struct step_failure {
	int error;
	char step[32];
};

static uint64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the program's side of the fork ---- */

static _Noreturn void fail_step(int fd, const char *step)
{
	struct step_failure failure = {.error = errno};
	snprintf(failure.step, sizeof failure.step, "%s", step);
	if (write(fd, &failure, sizeof failure) != (ssize_t)sizeof failure)
		_exit(126);
	_exit(127);
}

static void limit(int failure_fd, const char *step, __rlimit_resource_t resource, uint64_t value)
{
	if (value == 0)
		return;
	struct rlimit r = {.rlim_cur = value, .rlim_max = value};
	if (resource == RLIMIT_CPU)
		r.rlim_max = value + 1; /* first SIGXCPU, which can be told apart, then SIGKILL */
	if (setrlimit(resource, &r) != 0)
		fail_step(failure_fd, step);
}

static void set_limits(int failure_fd, const struct exec_spec *spec)
{
	const struct exec_limits *l = &spec->limits;
	struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		fail_step(failure_fd, "limit core");
	limit(failure_fd, "limit cpu", RLIMIT_CPU, l->cpu_seconds);
	limit(failure_fd, "limit memory", RLIMIT_AS, l->memory_bytes);
	limit(failure_fd, "limit file size", RLIMIT_FSIZE, l->file_bytes);
	limit(failure_fd, "limit open files", RLIMIT_NOFILE, l->open_files);
	/* The kernel's count is per user, over all jobs, and takes threads for processes: under a
	 * user shared with strangers it would count them, and taken literally it would stop a
	 * program with many threads. So it is the wall against fork bombs; the exact limit is the
	 * supervisor's own count. */
	if (spec->drop_user && l->processes != 0)
		limit(failure_fd, "limit processes", RLIMIT_NPROC,
			(uint64_t)l->processes * THREADS_PER_PROCESS + THREADS_SPARE);
}

static void drop_user(int failure_fd, const struct exec_spec *spec)
{
	if (!spec->drop_user)
		return;
	if (setgroups(0, NULL) != 0 || setresgid(spec->gid, spec->gid, spec->gid) != 0 ||
		setresuid(spec->uid, spec->uid, spec->uid) != 0)
		fail_step(failure_fd, "drop user");
}

static _Noreturn void run_program(
	const struct supervisor_task *task, int failure_fd, pid_t supervisor)
{
	const struct exec_spec *spec = task->spec;
	static char home[WORKDIR_PATH_BYTES + 8], temporary[WORKDIR_PATH_BYTES + 8];
	snprintf(home, sizeof home, "HOME=%s", spec->directory);
	snprintf(temporary, sizeof temporary, "TMPDIR=%s", spec->directory);
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", language[] = "LANG=C.UTF-8";
	char *environment[] = {path, language, home, temporary, NULL};

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	if (task->group_fd >= 0 && !cgroup_join(task->group_fd))
		fail_step(failure_fd, "join group");
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(task->stdout_fd, 1) < 0 ||
		dup2(task->stderr_fd, 2) < 0)
		fail_step(failure_fd, "open stdin");
	/* Everything above goes at execve, the failure pipe included: that is how success is told.
	 */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		fail_step(failure_fd, "close descriptors");
	if (setsid() < 0)
		fail_step(failure_fd, "new session");
	if (chdir(spec->directory) != 0)
		fail_step(failure_fd, "enter directory");
	umask(077);
	set_limits(failure_fd, spec);
	drop_user(failure_fd, spec);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail_step(failure_fd, "give up privileges");
	/* After the user is dropped: that clears it. The supervisor may have died before this line.
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != supervisor)
		fail_step(failure_fd, "tie to supervisor");
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(spec->argv[0], (char *const *)(uintptr_t)spec->argv, environment);
	fail_step(failure_fd, "execute program");
}

/* ---- the supervisor's own side ---- */

static void end(struct supervisor *s, enum exec_end how, int code)
{
	if (s->ended)
		return;
	s->ended = true;
	s->report.end = how;
	s->report.code = code;
}

static int compare_int(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes everything inherited but these (all above 2) and points stdin, stdout, stderr at
 * /dev/null. */
static void keep_only(int *fds, size_t count)
{
	qsort(fds, count, sizeof fds[0], compare_int);
	unsigned from = 3;
	for (size_t i = 0; i < count; i++) {
		if ((unsigned)fds[i] > from)
			close_range(from, (unsigned)fds[i] - 1, 0);
		from = (unsigned)fds[i] + 1;
	}
	close_range(from, ~0U, 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
}

static void start_program(struct supervisor *s)
{
	int failure[2];
	pid_t self = getpid();
	if (pipe2(failure, O_CLOEXEC) != 0) {
		end(s, EXEC_NOT_STARTED, errno);
		snprintf(s->report.step, sizeof s->report.step, "make a pipe");
		return;
	}
	s->program = fork();
	if (s->program == 0)
		run_program(s->task, failure[1], self);
	if (s->program < 0) {
		end(s, EXEC_NOT_STARTED, errno);
		snprintf(s->report.step, sizeof s->report.step, "fork");
	}
	close(failure[1]);
	close(s->task->stdout_fd);
	close(s->task->stderr_fd);
	s->failure_fd = failure[0];
}

/* How the program's own end reads. */
static void judge_exit(struct supervisor *s)
{
	struct step_failure failure;
	if (read(s->failure_fd, &failure, sizeof failure) == (ssize_t)sizeof failure) {
		end(s, EXEC_NOT_STARTED, failure.error);
		memcpy(s->report.step, failure.step, sizeof s->report.step);
		return;
	}
	if (WIFEXITED(s->wait_status)) {
		end(s, EXEC_EXITED, WEXITSTATUS(s->wait_status));
		return;
	}
	int number = WTERMSIG(s->wait_status);
	uint64_t cpu_seconds = s->task->spec->limits.cpu_seconds;
	uint64_t used = (uint64_t)(s->usage.ru_utime.tv_sec + s->usage.ru_stime.tv_sec);
	if (number == SIGXCPU || (number == SIGKILL && cpu_seconds != 0 && used >= cpu_seconds))
		end(s, EXEC_CPU_SPENT, number);
	else if (number == SIGXFSZ)
		end(s, EXEC_FILE_TOO_LARGE, number);
	else
		end(s, EXEC_SIGNALED, number);
}

/* Reaps whoever ended. False: there is no child left at all. */
static bool reap(struct supervisor *s)
{
	for (;;) {
		int status;
		struct rusage usage;
		pid_t pid = wait4(-1, &status, WNOHANG, &usage);
		if (pid == 0 || (pid < 0 && errno == EINTR))
			return true;
		if (pid < 0)
			return false;
		if (pid != s->program)
			continue;
		s->program_ended = true;
		s->wait_status = status;
		s->usage = usage;
	}
}

static void take_orders(struct supervisor *s)
{
	char order;
	ssize_t got = read(s->task->control_fd, &order, 1);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got != 1) {
		s->daemon_gone = true;
		end(s, EXEC_CANCELLED, 0);
	} else if (order == ORDER_STDOUT_FULL) {
		end(s, EXEC_STDOUT_TOO_LARGE, 0);
	} else if (order == ORDER_STDERR_FULL) {
		end(s, EXEC_STDERR_TOO_LARGE, 0);
	} else {
		end(s, EXEC_CANCELLED, 0);
	}
}

/* The limits that no kernel counter holds for us. */
static void look(struct supervisor *s, uint64_t now_ms)
{
	const struct exec_limits *l = &s->task->spec->limits;
	if (l->wall_ms != 0 && now_ms - s->started_ms >= l->wall_ms)
		end(s, EXEC_TIMED_OUT, 0);
	if (s->ended || now_ms - s->looked_ms < LOOK_MS)
		return;
	s->looked_ms = now_ms;
	if (l->processes != 0) {
		static pid_t found[PROCTREE_MAX];
		if (proctree_descendants(getpid(), found, PROCTREE_MAX, NULL, 0) > l->processes)
			end(s, EXEC_TOO_MANY_PROCESSES, 0);
	}
	if (l->directory_bytes != 0 &&
		workdir_bytes(s->task->spec->directory, l->directory_bytes) > l->directory_bytes)
		end(s, EXEC_DIRECTORY_TOO_LARGE, 0);
}

static void drain_signals(const struct supervisor *s)
{
	struct signalfd_siginfo info;
	while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
		;
}

static void watch(struct supervisor *s)
{
	struct pollfd fds[2] = {{.fd = s->signal_fd, .events = POLLIN},
		{.fd = s->task->control_fd, .events = POLLIN}};
	while (!s->ended) {
		uint64_t now_ms = clock_ms();
		look(s, now_ms);
		if (s->ended)
			break;
		uint64_t next_ms = s->looked_ms + LOOK_MS;
		uint64_t wall_ms = s->task->spec->limits.wall_ms;
		if (wall_ms != 0 && s->started_ms + wall_ms < next_ms)
			next_ms = s->started_ms + wall_ms;
		int wait_ms = next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
		int ready = poll(fds, 2, wait_ms);
		if (ready <= 0)
			continue;
		if (fds[1].revents != 0)
			take_orders(s);
		drain_signals(s);
		(void)reap(s);
		if (s->program_ended)
			judge_exit(s);
	}
}

/* Until waitpid knows no child: orphans come to us, so then there is no descendant either. */
static void kill_all(struct supervisor *s)
{
	uint64_t until_ms = clock_ms() + KILL_GIVE_UP_MS;
	struct pollfd fd = {.fd = s->signal_fd, .events = POLLIN};
	bool first = true;
	bool grouped = s->task->group_fd >= 0;
	while (reap(s) && clock_ms() < until_ms) {
		size_t killed = proctree_kill(getpid(), NULL, 0);
		/* The program itself is no leftover; whoever is there when it has gone is. */
		if (first && killed > 0)
			s->report.leftovers = (uint32_t)killed - (s->program_ended ? 0 : 1);
		first = false;
		/* All at once, whatever forks meanwhile; the walk above only counted them. */
		grouped = grouped && cgroup_kill(s->task->group_fd);
		poll(&fd, 1, KILL_LOOK_MS);
		drain_signals(s);
	}
}

_Noreturn void supervisor_run(const struct supervisor_task *task)
{
	static struct supervisor s;
	s = (struct supervisor){.task = task, .failure_fd = -1};
	for (int number = 1; number < NSIG; number++)
		signal(number, number == SIGCHLD ? SIG_DFL : SIG_IGN);
	setsid(); /* the terminal's Ctrl-C is for the daemon, which then tells us */
	prctl(PR_SET_NAME, "aitbc-job");
	int kept[] = {task->stdout_fd, task->stderr_fd, task->control_fd, task->report_fd,
		task->group_fd};
	keep_only(kept, sizeof kept / sizeof kept[0] - (task->group_fd < 0));
	sigset_t children;
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_SETMASK, &children, NULL);
	s.signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	s.started_ms = clock_ms();
	s.looked_ms = s.started_ms;
	if (s.signal_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
		end(&s, EXEC_NOT_STARTED, errno);
		snprintf(s.report.step, sizeof s.report.step, "become the reaper");
	}
	if (!s.ended)
		start_program(&s);
	watch(&s);
	kill_all(&s);
	if (!s.daemon_gone)
		(void)!write(task->report_fd, &s.report, sizeof s.report);
	_exit(0);
}
