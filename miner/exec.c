#define _GNU_SOURCE
#include "miner/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "miner/proctree.h"
#include "miner/supervisor.h"

enum { CAPTURE_BYTES_MAX = 64 * 1024 * 1024, READ_BYTES = 16 * 1024, EXECS_MAX = 64 };

/* One of the program's two outputs. */
struct capture {
	struct exec *exec;
	struct event *event; /* NULL when closed */
	int fd;
	struct buf text;
	size_t bytes_max;
	bool full; /* more came than bytes_max */
	enum supervisor_order order_when_full;
};

struct exec {
	struct execs *room;
	pid_t supervisor;
	int control_fd;
	int report_fd;
	struct event *report_event;
	struct capture out;
	struct capture err;
	char group[CGROUP_NAME_BYTES]; /* "" when it has none */
	uint64_t started_ms;
	exec_done *done;
	void *ctx;
};

struct execs {
	struct event_base *loop;
	struct log *log;
	const struct cgroup *cgroup; /* NULL: none */
	uint64_t started;            /* jobs, for names */
	struct exec *running[EXECS_MAX];
	size_t count;
};

static const struct {
	const char *name;
	const char *sentence;
} END[] = {
	[EXEC_EXITED] = {"exit_code", "the program ended with an error"},
	[EXEC_SIGNALED] = {"killed_by_signal", "the program was ended by a signal"},
	[EXEC_TIMED_OUT] = {"timed_out", "the program didn't end within its time"},
	[EXEC_CPU_SPENT] = {"cpu_limit", "the program used up its processor time"},
	[EXEC_STDOUT_TOO_LARGE] = {"stdout_too_large", "the program wrote too much to stdout"},
	[EXEC_STDERR_TOO_LARGE] = {"stderr_too_large", "the program wrote too much to stderr"},
	[EXEC_FILE_TOO_LARGE] = {"file_too_large", "the program wrote a file over the size limit"},
	[EXEC_DIRECTORY_TOO_LARGE] = {"disk_limit",
		"the program filled its directory over the limit"},
	[EXEC_TOO_MANY_PROCESSES] = {"process_limit", "the program started too many processes"},
	[EXEC_CANCELLED] = {"cancelled", "the run was cancelled"},
	[EXEC_NOT_STARTED] = {"not_started", "the program couldn't be started"},
	[EXEC_SUPERVISOR_LOST] = {"supervisor_lost", "the run lost its supervisor process"},
};

const char *exec_end_text(enum exec_end end)
{
	return END[end].name;
}

static uint64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

enum status execs_new(struct execs **out, struct event_base *loop, struct log *log)
{
	struct execs *execs = calloc(1, sizeof *execs);
	if (execs == NULL)
		return STATUS_NO_MEMORY;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		log_event(log, LOG_UNUSUAL, "exec.no_reaper reason=\"%s\"", strerror(errno));
	signal(SIGPIPE,
		SIG_IGN); /* an order to a supervisor that has just gone is no reason to die */
	execs->loop = loop;
	execs->log = log;
	*out = execs;
	return STATUS_OK;
}

void execs_use_cgroup(struct execs *execs, const struct cgroup *cgroup)
{
	execs->cgroup = cgroup;
}

size_t execs_running(const struct execs *execs)
{
	return execs->count;
}

static void capture_close(struct capture *c)
{
	if (c->event != NULL)
		event_free(c->event);
	c->event = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void tell(struct exec *exec, enum supervisor_order order)
{
	char byte = (char)order;
	if (write(exec->control_fd, &byte, 1) != 1)
		log_event(exec->room->log, LOG_DEBUG, "exec.order_lost pid=%d",
			(int)exec->supervisor);
}

/* Takes what is there. False: nothing will come any more, by end of file or because the cap is
 * passed. */
static bool capture_read(struct capture *c)
{
	for (;;) {
		uint8_t chunk[READ_BYTES];
		ssize_t got = read(c->fd, chunk, sizeof chunk);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN;
		if (got == 0)
			return false;
		size_t room = c->bytes_max - c->text.len;
		c->full = (size_t)got > room;
		buf_append(&c->text, chunk, c->full ? room : (size_t)got);
		if (c->full || !buf_ok(&c->text))
			return false;
	}
}

static void on_output(evutil_socket_t fd, short what, void *ctx)
{
	struct capture *c = ctx;
	(void)fd, (void)what;
	if (capture_read(c))
		return;
	bool full = c->full;
	capture_close(c);
	if (full)
		tell(c->exec, c->order_when_full);
}

static void release(struct exec *exec)
{
	if (exec->report_event != NULL)
		event_free(exec->report_event);
	capture_close(&exec->out);
	capture_close(&exec->err);
	if (exec->control_fd >= 0)
		close(exec->control_fd);
	if (exec->report_fd >= 0)
		close(exec->report_fd);
	if (exec->group[0] != 0)
		cgroup_job_remove(exec->room->cgroup, exec->group);
	buf_fini(&exec->out.text);
	buf_fini(&exec->err.text);
	free(exec);
}

static void forget(struct exec *exec)
{
	struct execs *room = exec->room;
	for (size_t i = 0; i < room->count; i++)
		if (room->running[i] == exec) {
			room->running[i] = room->running[--room->count];
			break;
		}
	release(exec);
}

/* A supervisor died without a report: its orphans are our children now. Everything below us that
 * isn't another job's supervisor belongs to the lost one. */
static uint32_t kill_orphans(struct execs *room, const struct exec *lost)
{
	pid_t spared[EXECS_MAX];
	size_t spared_count = 0;
	for (size_t i = 0; i < room->count; i++)
		if (room->running[i] != lost)
			spared[spared_count++] = room->running[i]->supervisor;
	uint32_t killed = 0;
	for (size_t found; (found = proctree_kill(getpid(), spared, spared_count)) != 0;)
		killed += (uint32_t)found;
	return killed;
}

/* Reaps what isn't a live supervisor: adopted orphans. */
static void reap_orphans(struct execs *room)
{
	siginfo_t info = {0};
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		for (size_t i = 0; i < room->count; i++)
			if (room->running[i]->supervisor == info.si_pid)
				return; /* its own report reaps it */
		if (waitpid(info.si_pid, NULL, WNOHANG) <= 0)
			return;
		info.si_pid = 0;
	}
}

static void explain(struct exec_result *result, const char *step)
{
	if (result->end == EXEC_EXITED && result->code == 0)
		return;
	int used = snprintf(result->fault, sizeof result->fault, "%s", END[result->end].sentence);
	char *rest = result->fault + used;
	size_t room = sizeof result->fault - (size_t)used;
	if (result->end == EXEC_NOT_STARTED)
		snprintf(rest, room, ": %s: %s", step, strerror(result->code));
	else if (result->end == EXEC_EXITED)
		snprintf(rest, room, ", exit code %d", result->code);
	else if (result->end == EXEC_SIGNALED)
		snprintf(rest, room, ", %s", strsignal(result->code));
}

/* The report, or the end of its pipe: the supervisor is gone or about to be. */
static void on_report(evutil_socket_t fd, short what, void *ctx)
{
	struct exec *exec = ctx;
	struct supervisor_report report = {.end = EXEC_SUPERVISOR_LOST};
	(void)what;
	ssize_t got = read(fd, &report, sizeof report);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got != (ssize_t)sizeof report)
		report = (struct supervisor_report){.end = EXEC_SUPERVISOR_LOST};
	while (waitpid(exec->supervisor, NULL, 0) < 0 && errno == EINTR)
		;
	if (report.end == EXEC_SUPERVISOR_LOST)
		report.leftovers = kill_orphans(exec->room, exec);
	/* What was written before the end may still wait in the pipes. */
	if (exec->out.fd >= 0)
		(void)capture_read(&exec->out);
	if (exec->err.fd >= 0)
		(void)capture_read(&exec->err);
	if (report.end == EXEC_EXITED && (exec->out.full || exec->err.full))
		report.end = exec->out.full ? EXEC_STDOUT_TOO_LARGE : EXEC_STDERR_TOO_LARGE;
	report.step[sizeof report.step - 1] = 0;
	struct exec_result result = {.end = report.end,
		.code = report.code,
		.leftovers = report.leftovers,
		.elapsed_ms = clock_ms() - exec->started_ms,
		.out = buf_view(&exec->out.text),
		.err = buf_view(&exec->err.text)};
	explain(&result, report.step);
	exec->supervisor = 0; /* reaped: its number may be another's from now on */
	reap_orphans(exec->room);
	exec->done(exec->ctx, &result);
	forget(exec);
}

/* A pipe whose both ends are above 2, so that dup2 onto 0..2 can't hit them. */
static bool pipe_make(int fds[2])
{
	int low[2];
	if (pipe2(low, O_CLOEXEC) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		fds[i] = low[i] > 2 ? low[i] : fcntl(low[i], F_DUPFD_CLOEXEC, 3);
		if (fds[i] != low[i])
			close(low[i]);
	}
	return fds[0] >= 0 && fds[1] >= 0;
}

static void capture_init(struct capture *c, struct exec *exec, size_t bytes_max)
{
	c->exec = exec;
	c->fd = -1;
	c->bytes_max =
		bytes_max == 0 || bytes_max > CAPTURE_BYTES_MAX ? CAPTURE_BYTES_MAX : bytes_max;
	buf_init(&c->text, CAPTURE_BYTES_MAX);
}

static bool capture_open(struct capture *c, int fd)
{
	c->fd = fd;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return false;
	c->event = event_new(c->exec->room->loop, fd, EV_READ | EV_PERSIST, on_output, c);
	return c->event != NULL && event_add(c->event, NULL) == 0;
}

/* Forks the supervisor with every signal blocked, so that none of our handlers runs in it. */
static pid_t fork_supervisor(const struct supervisor_task *task)
{
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid_t pid = fork();
	if (pid == 0)
		supervisor_run(task);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void close_pair(const int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* The job's own group, or -1 where there is none. */
static int make_group(struct exec *exec, const struct exec_spec *spec)
{
	struct execs *room = exec->room;
	if (room->cgroup == NULL)
		return -1;
	int low = cgroup_job_make(room->cgroup, exec->group, room->started, spec->limits.processes,
		spec->limits.memory_bytes);
	int fd = low >= 0 && low < 3 ? fcntl(low, F_DUPFD_CLOEXEC, 3) : low;
	if (fd != low)
		close(low);
	if (fd < 0) {
		exec->group[0] = 0;
		log_event(room->log, LOG_UNUSUAL, "exec.no_group reason=\"%s\"", strerror(errno));
	}
	return fd;
}

/* Makes the pipes and the process; our ends are in exec. False: errno says why. */
static bool launch(struct exec *exec, const struct exec_spec *spec)
{
	int out[2] = {-1, -1}, err[2] = {-1, -1}, control[2] = {-1, -1}, report[2] = {-1, -1};
	struct supervisor_task task = {.spec = spec, .group_fd = make_group(exec, spec)};
	pid_t pid = -1;
	if (pipe_make(out) && pipe_make(err) && pipe_make(control) && pipe_make(report)) {
		task.stdout_fd = out[1], task.stderr_fd = err[1];
		task.control_fd = control[0], task.report_fd = report[1];
		exec->started_ms = clock_ms();
		pid = fork_supervisor(&task);
	}
	int error = errno;
	if (task.group_fd >= 0)
		close(task.group_fd);
	if (pid < 0) {
		close_pair(out), close_pair(err), close_pair(control), close_pair(report);
		errno = error;
		return false;
	}
	close(out[1]), close(err[1]), close(control[0]), close(report[1]);
	exec->supervisor = pid;
	exec->control_fd = control[1];
	exec->report_fd = report[0];
	exec->report_event =
		event_new(exec->room->loop, report[0], EV_READ | EV_PERSIST, on_report, exec);
	bool heard = capture_open(&exec->out, out[0]);
	heard = capture_open(&exec->err, err[0]) && heard;
	return heard && exec->report_event != NULL && event_add(exec->report_event, NULL) == 0;
}

/* Closing the control pipe is the order that can't be lost: the supervisor kills all and goes. */
static void stop_and_wait(struct exec *exec)
{
	if (exec->supervisor <= 0)
		return;
	close(exec->control_fd);
	exec->control_fd = -1;
	while (waitpid(exec->supervisor, NULL, 0) < 0 && errno == EINTR)
		;
	exec->supervisor = 0;
}

enum status exec_start(struct execs *execs, struct exec **out, const struct exec_spec *spec,
	char fault[200], exec_done *done, void *ctx)
{
	if (execs->count == EXECS_MAX || strchr(spec->argv[0], '/') == NULL) {
		snprintf(fault, 200,
			execs->count == EXECS_MAX ? "too many programs run"
						  : "the program's path has no '/'");
		return execs->count == EXECS_MAX ? STATUS_BUSY : STATUS_INVALID;
	}
	struct exec *exec = calloc(1, sizeof *exec);
	if (exec == NULL) {
		snprintf(fault, 200, "no memory");
		return STATUS_NO_MEMORY;
	}
	*exec = (struct exec){
		.room = execs, .control_fd = -1, .report_fd = -1, .done = done, .ctx = ctx};
	capture_init(&exec->out, exec, spec->limits.stdout_bytes);
	capture_init(&exec->err, exec, spec->limits.stderr_bytes);
	exec->out.order_when_full = ORDER_STDOUT_FULL;
	exec->err.order_when_full = ORDER_STDERR_FULL;
	execs->started++;
	execs->running[execs->count++] = exec;
	if (!launch(exec, spec)) {
		snprintf(fault, 200, "couldn't start a process: %s", strerror(errno));
		stop_and_wait(exec);
		forget(exec);
		return STATUS_IO;
	}
	if (out != NULL)
		*out = exec;
	return STATUS_OK;
}

void exec_cancel(struct exec *exec)
{
	tell(exec, ORDER_CANCEL);
}

void execs_free(struct execs *execs)
{
	if (execs == NULL)
		return;
	for (size_t i = 0; i < execs->count; i++) {
		stop_and_wait(execs->running[i]);
		release(execs->running[i]);
	}
	free(execs);
}

/* Where a program of that name could be, number i; false: nowhere more. Absolute, for it starts in
 * another directory. */
static bool program_place(char *out, size_t out_size, const char *name, size_t i)
{
	static const char *const PLACES[] = {"/usr/local/bin/", "/usr/bin/", "/bin/"};
	char here[PATH_MAX] = "";
	int len;
	if (strchr(name, '/') == NULL) {
		if (i >= sizeof PLACES / sizeof PLACES[0])
			return false;
		len = snprintf(out, out_size, "%s%s", PLACES[i], name);
	} else {
		if (i > 0 || (name[0] != '/' && getcwd(here, sizeof here) == NULL))
			return false;
		len = snprintf(out, out_size, "%s%s%s", here, name[0] == '/' ? "" : "/", name);
	}
	return len > 0 && (size_t)len < out_size;
}

enum status exec_find_program(char *out, size_t out_size, const char *name)
{
	struct stat st;
	for (size_t i = 0; program_place(out, out_size, name, i); i++)
		if (stat(out, &st) == 0 && S_ISREG(st.st_mode) && access(out, X_OK) == 0)
			return STATUS_OK;
	return STATUS_NOT_FOUND;
}
