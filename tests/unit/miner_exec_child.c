/* A job's program as the tests of miner/exec need it: one misdeed per first argument. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static int print_arguments(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		printf("[%s]\n", argv[i]);
	return 0;
}

/* What the program finds around itself. */
static int print_world(void)
{
	char directory[4096];
	struct rlimit files, core;
	for (char **entry = environ; *entry != NULL; entry++)
		printf("env %s\n", *entry);
	printf("cwd %s\n", getcwd(directory, sizeof directory) != NULL ? directory : "?");
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("fd %d\n", fd);
	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_CORE, &core);
	printf("files %llu core %llu\n", (unsigned long long)files.rlim_cur,
		(unsigned long long)core.rlim_cur);
	char byte;
	printf("stdin %zd\n", read(0, &byte, 1));
	printf("session %s\n", getsid(0) == getpid() && getpgrp() == getpid() ? "own" : "shared");
	return 0;
}

/* Starts count processes in sessions of their own, forked twice so that their parents are gone,
 * each holding the FIFO open. Returns when all live. */
static void start_daemons(int count, const char *fifo)
{
	int ready[2];
	char byte = 0;
	int held = open(fifo, O_WRONLY);
	if (held < 0 || pipe(ready) != 0)
		exit(90);
	for (int i = 0; i < count; i++) {
		if (fork() != 0)
			continue;
		setsid();
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		if (fork() != 0)
			_exit(0);
		setsid();
		if (write(ready[1], &byte, 1) != 1)
			_exit(91);
		for (;;)
			pause();
	}
	for (int i = 0; i < count; i++)
		if (read(ready[0], &byte, 1) != 1)
			exit(92);
	if (write(held, "up", 2) != 2)
		exit(93);
}

static _Noreturn void hang(void)
{
	signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
}

static int flood(int fd)
{
	static char block[4096];
	memset(block, 'x', sizeof block);
	while (write(fd, block, sizeof block) > 0)
		;
	return 5;
}

static int flood_files(void)
{
	static char block[4096];
	for (unsigned i = 0;; i++) {
		char name[32];
		snprintf(name, sizeof name, "f%u", i);
		int fd = open(name, O_WRONLY | O_CREAT, 0600);
		if (fd < 0 || write(fd, block, sizeof block) < 0)
			return 6;
		close(fd);
	}
}

static int flood_processes(void)
{
	for (int i = 0; i < 200; i++)
		if (fork() == 0)
			hang();
	hang();
}

int main(int argc, char **argv)
{
	const char *deed = argc > 1 ? argv[1] : "";
	if (strcmp(deed, "arguments") == 0)
		return print_arguments(argc, argv);
	if (strcmp(deed, "world") == 0)
		return print_world();
	if (strcmp(deed, "exit") == 0)
		return atoi(argv[2]);
	if (strcmp(deed, "complain") == 0)
		return fputs("it went wrong\n", stderr) < 0 ? 1 : 3;
	if (strcmp(deed, "hang") == 0)
		hang();
	if (strcmp(deed, "abort") == 0)
		return raise(SIGTERM);
	if (strcmp(deed, "daemons") == 0)
		return start_daemons(atoi(argv[2]), argv[3]), 0;
	if (strcmp(deed, "daemons_hang") == 0)
		start_daemons(atoi(argv[2]), argv[3]), hang();
	if (strcmp(deed, "kill_supervisor") == 0)
		start_daemons(3, argv[2]), kill(getppid(), SIGKILL), hang();
	if (strcmp(deed, "flood_stdout") == 0)
		return flood(1);
	if (strcmp(deed, "flood_stderr") == 0)
		return flood(2);
	if (strcmp(deed, "flood_file") == 0)
		return flood(open("big", O_WRONLY | O_CREAT, 0600));
	if (strcmp(deed, "flood_files") == 0)
		return flood_files();
	if (strcmp(deed, "flood_processes") == 0)
		return flood_processes();
	if (strcmp(deed, "spin") == 0)
		for (volatile uint64_t i = 0;; i = i + 1)
			;
	return 99;
}
