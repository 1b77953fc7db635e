/* miner/exec: whatever a program does, its job ends with one named verdict and no process is left.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "miner/exec.h"
#include "miner/workdir.h"

enum { DEADLINE_MS = 30 * 1000, ARGS_MAX = 8 };

struct bench {
	struct event_base *loop;
	struct execs *execs;
	char base[64];
	char directory[WORKDIR_PATH_BYTES];
	char fifo[WORKDIR_PATH_BYTES + 16];
	/* of the last run */
	bool done;
	enum exec_end end;
	int code;
	uint32_t leftovers;
	char out[8192];
	char err[1024];
	char fault[200];
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	snprintf(b->base, sizeof b->base, "/tmp/aitbc-exec-XXXXXX");
	assert_non_null(mkdtemp(b->base));
	assert_int_equal(chmod(b->base, 0711), 0);
	assert_int_equal(workdir_make(b->directory, b->base, (uid_t)-1, 0), STATUS_OK);
	snprintf(b->fifo, sizeof b->fifo, "%s/fifo", b->base);
	assert_int_equal(mkfifo(b->fifo, 0666), 0);
	b->loop = event_base_new();
	assert_int_equal(execs_new(&b->execs, b->loop, NULL), STATUS_OK);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	execs_free(b->execs);
	event_base_free(b->loop);
	assert_int_equal(workdir_remove(b->directory), STATUS_OK);
	unlink(b->fifo);
	assert_int_equal(rmdir(b->base), 0);
	/* Nothing of any job may be left below this process, which is the reaper of what was lost.
	 */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	free(b);
	return 0;
}

static void copy_text(char *out, size_t size, struct bytes view)
{
	size_t len = view.len < size - 1 ? view.len : size - 1;
	memcpy(out, view.data == NULL ? (const void *)"" : view.data, len);
	out[len] = 0;
}

static void on_done(void *ctx, const struct exec_result *result)
{
	struct bench *b = ctx;
	b->done = true;
	b->end = result->end;
	b->code = result->code;
	b->leftovers = result->leftovers;
	copy_text(b->out, sizeof b->out, result->out);
	copy_text(b->err, sizeof b->err, result->err);
	snprintf(b->fault, sizeof b->fault, "%s", result->fault);
	event_base_loopbreak(b->loop);
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	event_base_loopbreak(ctx);
}

static struct exec *start(
	struct bench *b, const char *const *argv, const struct exec_limits *limits)
{
	struct exec_spec spec = {.argv = argv, .directory = b->directory};
	struct exec *exec = NULL;
	char fault[200];
	if (limits != NULL)
		spec.limits = *limits;
	b->done = false;
	if (exec_start(b->execs, &exec, &spec, fault, on_done, b) != STATUS_OK)
		fail_msg("%s", fault);
	return exec;
}

static void finish(struct bench *b)
{
	struct timeval tv = {DEADLINE_MS / 1000, 0};
	struct event *deadline = evtimer_new(b->loop, on_deadline, b->loop);
	evtimer_add(deadline, &tv);
	event_base_dispatch(b->loop);
	event_free(deadline);
	assert_true(b->done);
}

static void run(struct bench *b, const struct exec_limits *limits, const char *deed,
	const char *one, const char *two)
{
	const char *argv[ARGS_MAX] = {CHILD_PROGRAM, deed, one, two, NULL};
	start(b, argv, limits);
	finish(b);
}

static void a_program_that_succeeds_gives_its_output(void **state)
{
	struct bench *b = *state;
	run(b, NULL, "arguments", "hello", NULL);
	assert_int_equal(b->end, EXEC_EXITED);
	assert_int_equal(b->code, 0);
	assert_string_equal(b->out, "[hello]\n");
	assert_string_equal(b->fault, "");
}

static void arguments_pass_literally_without_a_shell(void **state)
{
	struct bench *b = *state;
	const char *argv[] = {CHILD_PROGRAM, "arguments", "a b", "\"'`", "; rm -rf / | cat > x",
		"$HOME *", "", NULL};
	start(b, argv, NULL);
	finish(b);
	assert_string_equal(b->out, "[a b]\n[\"'`]\n[; rm -rf / | cat > x]\n[$HOME *]\n[]\n");
}

static void a_nonzero_exit_is_told_with_what_the_program_said(void **state)
{
	struct bench *b = *state;
	run(b, NULL, "complain", NULL, NULL);
	assert_int_equal(b->end, EXEC_EXITED);
	assert_int_equal(b->code, 3);
	assert_string_equal(b->err, "it went wrong\n");
	assert_string_equal(b->fault, "the program ended with an error, exit code 3");
}

static void a_crash_is_told_by_its_signal(void **state)
{
	struct bench *b = *state;
	run(b, NULL, "abort", NULL, NULL);
	assert_int_equal(b->end, EXEC_SIGNALED);
	assert_int_equal(b->code, SIGTERM);
}

static void a_program_that_is_not_there_is_named_not_started(void **state)
{
	struct bench *b = *state;
	const char *argv[] = {"/nonexistent/program", NULL};
	start(b, argv, NULL);
	finish(b);
	assert_int_equal(b->end, EXEC_NOT_STARTED);
	assert_int_equal(b->code, ENOENT);
	assert_non_null(strstr(b->fault, "execute program"));
}

static void the_program_sees_only_what_it_was_given(void **state)
{
	struct bench *b = *state;
	struct exec_limits limits = {.open_files = 64};
	int stranger = open("/dev/null", O_RDONLY); /* not close-on-exec */
	setenv("AITBC_SECRET", "x", 1);
	run(b, &limits, "world", NULL, NULL);
	close(stranger);
	assert_int_equal(b->end, EXEC_EXITED);
	assert_null(strstr(b->out, "AITBC_SECRET"));
	assert_null(strstr(b->out, "fd 3"));
	char line[WORKDIR_PATH_BYTES + 16];
	snprintf(line, sizeof line, "cwd %s\n", b->directory);
	assert_non_null(strstr(b->out, line));
	assert_non_null(strstr(b->out, "files 64 core 0\n"));
	assert_non_null(strstr(b->out, "stdin 0\n"));
	assert_non_null(strstr(b->out, "session own\n"));
}

static void a_user_given_up_is_given_up_for_good(void **state)
{
	struct bench *b = *state;
	if (getuid() != 0)
		skip();
	const char *argv[] = {"/usr/bin/id", NULL};
	struct exec_spec spec = {.argv = argv,
		.directory = b->directory,
		.drop_user = true,
		.uid = 65534,
		.gid = 65534,
		.limits = {.processes = 64}};
	char fault[200];
	b->done = false;
	assert_int_equal(exec_start(b->execs, NULL, &spec, fault, on_done, b), STATUS_OK);
	finish(b);
	assert_int_equal(b->end, EXEC_EXITED);
	assert_non_null(strstr(b->out, "uid=65534"));
	assert_null(strstr(b->out, "(root)"));
}

static void a_program_that_hangs_is_killed_at_its_time(void **state)
{
	struct bench *b = *state;
	struct exec_limits limits = {.wall_ms = 150};
	run(b, &limits, "hang", NULL, NULL);
	assert_int_equal(b->end, EXEC_TIMED_OUT);
	assert_string_equal(exec_end_text(b->end), "timed_out");
}

/* Opens the FIFO that every descendant of the job holds open: its end of file is the proof that all
 * are gone. */
static int watch_fifo(const struct bench *b)
{
	int fd = open(b->fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void wait_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[2];
	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	assert_int_equal(read(fd, text, 2), 2);
}

static void assert_all_gone(int fd)
{
	struct pollfd p = {.fd = fd};
	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	assert_true((p.revents & POLLHUP) != 0);
	close(fd);
}

static void daemonised_grandchildren_die_with_the_job(void **state)
{
	struct bench *b = *state;
	int fd = watch_fifo(b);
	run(b, NULL, "daemons", "20", b->fifo);
	assert_int_equal(b->end, EXEC_EXITED);
	assert_int_equal(b->code, 0);
	assert_true(b->leftovers >= 20); /* the parents that made them may still be dying */
	wait_up(fd);
	assert_all_gone(fd);
}

static void a_cancelled_job_leaves_nothing(void **state)
{
	struct bench *b = *state;
	const char *argv[] = {CHILD_PROGRAM, "daemons_hang", "5", b->fifo, NULL};
	int fd = watch_fifo(b);
	struct exec *exec = start(b, argv, NULL);
	wait_up(fd);
	exec_cancel(exec);
	finish(b);
	assert_int_equal(b->end, EXEC_CANCELLED);
	assert_all_gone(fd);
}

static void freeing_all_leaves_nothing(void **state)
{
	struct bench *b = *state;
	const char *argv[] = {CHILD_PROGRAM, "daemons_hang", "5", b->fifo, NULL};
	int fd = watch_fifo(b);
	start(b, argv, NULL);
	wait_up(fd);
	execs_free(b->execs);
	b->execs = NULL;
	assert_false(b->done);
	assert_all_gone(fd);
}

static void a_job_that_kills_its_supervisor_is_killed_by_the_daemon(void **state)
{
	struct bench *b = *state;
	int fd = watch_fifo(b);
	run(b, NULL, "kill_supervisor", b->fifo, NULL);
	assert_int_equal(b->end, EXEC_SUPERVISOR_LOST);
	wait_up(fd);
	assert_all_gone(fd);
	/* The daemon adopted them: reap what its kill left. */
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void nothing_outlives_a_daemon_that_is_killed(void **state)
{
	struct bench *b = *state;
	int fd = watch_fifo(b);
	pid_t daemon = fork();
	if (daemon == 0) {
		const char *argv[] = {CHILD_PROGRAM, "daemons_hang", "5", b->fifo, NULL};
		struct event_base *loop = event_base_new();
		struct execs *execs;
		struct exec_spec spec = {.argv = argv, .directory = b->directory};
		char fault[200];
		close(fd);
		if (execs_new(&execs, loop, NULL) != STATUS_OK ||
			exec_start(execs, NULL, &spec, fault, on_done, b) != STATUS_OK)
			_exit(1);
		event_base_dispatch(loop);
		_exit(2);
	}
	wait_up(fd);
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_all_gone(fd);
	while (waitpid(-1, NULL, 0) > 0) /* the supervisor came to us; it must end too */
		;
	assert_int_equal(errno, ECHILD);
}

static void endless_output_and_greed_are_stopped_by_name(void **state)
{
	static const struct {
		const char *deed;
		enum exec_end end;
		struct exec_limits limits;
	} ROWS[] = {
		{"flood_stdout", EXEC_STDOUT_TOO_LARGE, {.stdout_bytes = 100000}},
		{"flood_stderr", EXEC_STDERR_TOO_LARGE, {.stderr_bytes = 1000}},
		{"flood_file", EXEC_FILE_TOO_LARGE, {.file_bytes = 1 << 20}},
		{"flood_files", EXEC_DIRECTORY_TOO_LARGE, {.directory_bytes = 1 << 20}},
		{"flood_processes", EXEC_TOO_MANY_PROCESSES, {.processes = 16}},
		{"spin", EXEC_CPU_SPENT, {.cpu_seconds = 1}},
	};
	struct bench *b = *state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		run(b, &ROWS[i].limits, ROWS[i].deed, NULL, NULL);
		if (b->end != ROWS[i].end)
			fail_msg("%s: %s", ROWS[i].deed, exec_end_text(b->end));
	}
}

static void jobs_run_beside_each_other(void **state)
{
	struct bench *b = *state;
	const char *hanging[] = {CHILD_PROGRAM, "hang", NULL};
	struct exec *other = start(b, hanging, NULL);
	run(b, NULL, "exit", "7", NULL);
	assert_int_equal(b->code, 7);
	assert_int_equal(execs_running(b->execs), 1);
	exec_cancel(other);
	finish(b);
	assert_int_equal(b->end, EXEC_CANCELLED);
	assert_int_equal(execs_running(b->execs), 0);
}

/* Where this machine has control groups of version 2, or "". */
static void find_groups(char out[256])
{
	char line[1024], type[64];
	FILE *mounts = fopen("/proc/self/mounts", "r");
	out[0] = 0;
	while (mounts != NULL && fgets(line, sizeof line, mounts) != NULL)
		if (sscanf(line, "%*s %255s %63s", out, type) == 2 && strcmp(type, "cgroup2") == 0)
			break;
		else
			out[0] = 0;
	if (mounts != NULL)
		fclose(mounts);
}

static void a_group_of_its_own_dies_at_once_and_is_removed(void **state)
{
	struct bench *b = *state;
	struct cgroup cgroup;
	struct exec_limits limits = {.processes = 64};
	char path[256], fault[200], group[512];
	find_groups(path);
	if (path[0] == 0 || !cgroup_open(&cgroup, path, fault))
		skip(); /* this machine doesn't let us have one */
	execs_use_cgroup(b->execs, &cgroup);
	int fd = watch_fifo(b);
	run(b, &limits, "daemons", "20", b->fifo);
	assert_int_equal(b->end, EXEC_EXITED);
	assert_true(b->leftovers >= 20); /* the parents that made them may still be dying */
	wait_up(fd);
	assert_all_gone(fd);
	snprintf(group, sizeof group, "%s/job-%ld-1", path, (long)getpid());
	assert_int_equal(access(group, F_OK), -1);
	execs_use_cgroup(b->execs, NULL);
}

static void control_groups_that_are_not_there_are_said_so(void **state)
{
	struct cgroup cgroup;
	char fault[200];
	(void)state;
	assert_false(cgroup_open(&cgroup, "off", fault));
	assert_false(cgroup_open(&cgroup, "/nonexistent/group", fault));
	assert_non_null(strstr(fault, "/nonexistent/group"));
	assert_string_equal(cgroup.path, "");
}

static void an_output_must_be_a_plain_file_of_its_own(void **state)
{
	struct bench *b = *state;
	char path[WORKDIR_PATH_BYTES + 32];
	uint64_t size;
	snprintf(path, sizeof path, "%s/link", b->directory);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(workdir_file(b->directory, &size, "link"), STATUS_INVALID);
	assert_int_equal(workdir_file(b->directory, &size, "absent"), STATUS_NOT_FOUND);
	snprintf(path, sizeof path, "%s/plain", b->directory);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "12345", 5), 5);
	close(fd);
	assert_int_equal(workdir_file(b->directory, &size, "plain"), STATUS_OK);
	assert_int_equal(size, 5);
	snprintf(path, sizeof path, "%s/a", b->directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/a/b", b->directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/a/b/c", b->directory);
	assert_int_equal(symlink("/", path), 0);
	snprintf(path, sizeof path, "%s/a", b->directory);
	assert_int_equal(chmod(path, 0), 0); /* removal must still work: tear_down asserts it */
}

static void programs_are_found_where_programs_live(void **state)
{
	char path[256];
	(void)state;
	assert_int_equal(exec_find_program(path, sizeof path, "env"), STATUS_OK);
	assert_string_equal(path, "/usr/bin/env");
	assert_int_equal(exec_find_program(path, sizeof path, "/bin/sh"), STATUS_OK);
	assert_int_equal(chdir("/usr"), 0);
	assert_int_equal(exec_find_program(path, sizeof path, "bin/env"), STATUS_OK);
	assert_string_equal(path, "/usr/bin/env"); /* it will start in another directory */
	assert_int_equal(exec_find_program(path, sizeof path, "no-such-program"), STATUS_NOT_FOUND);
	assert_int_equal(exec_find_program(path, sizeof path, "/tmp"), STATUS_NOT_FOUND);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BENCH(a_program_that_succeeds_gives_its_output),
		WITH_BENCH(arguments_pass_literally_without_a_shell),
		WITH_BENCH(a_nonzero_exit_is_told_with_what_the_program_said),
		WITH_BENCH(a_crash_is_told_by_its_signal),
		WITH_BENCH(a_program_that_is_not_there_is_named_not_started),
		WITH_BENCH(the_program_sees_only_what_it_was_given),
		WITH_BENCH(a_user_given_up_is_given_up_for_good),
		WITH_BENCH(a_program_that_hangs_is_killed_at_its_time),
		WITH_BENCH(daemonised_grandchildren_die_with_the_job),
		WITH_BENCH(a_cancelled_job_leaves_nothing),
		WITH_BENCH(freeing_all_leaves_nothing),
		WITH_BENCH(a_job_that_kills_its_supervisor_is_killed_by_the_daemon),
		WITH_BENCH(nothing_outlives_a_daemon_that_is_killed),
		WITH_BENCH(endless_output_and_greed_are_stopped_by_name),
		WITH_BENCH(jobs_run_beside_each_other),
		WITH_BENCH(a_group_of_its_own_dies_at_once_and_is_removed),
		cmocka_unit_test(control_groups_that_are_not_there_are_said_so),
		WITH_BENCH(an_output_must_be_a_plain_file_of_its_own),
		cmocka_unit_test(programs_are_found_where_programs_live),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
