#define _GNU_SOURCE
#include "tests/live/node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/live/ask.h"

enum { READY_MS_MAX = 60 * 1000 };

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint16_t live_free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	uint16_t port = 0;
	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
		getsockname(fd, (struct sockaddr *)&at, &len) == 0)
		port = ntohs(at.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

/* Starts the program at arguments[0], its output appended to log. */
static pid_t spawn(const char *const *arguments, const char *log)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		dup2(fd, 1);
		dup2(fd, 2);
	}
	execv(arguments[0], (char *const *)(uintptr_t)arguments);
	_exit(127);
}

bool live_run(const char *const *arguments, const char *log)
{
	int status = 0;
	pid_t pid = spawn(arguments, log);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void log_path(char out[LIVE_PATH_BYTES + 16], const struct live_node *node)
{
	snprintf(out, LIVE_PATH_BYTES + 16, "%s.log", node->home);
}

bool live_node_make(struct live_node *node, const char *program, const char *parent,
	const char *chain_id, char fault[256])
{
	memset(node, 0, sizeof *node);
	snprintf(node->program, sizeof node->program, "%s", program);
	snprintf(node->home, sizeof node->home, "%s/live-XXXXXX", parent);
	if (mkdtemp(node->home) == NULL) {
		snprintf(fault, 256, "%.200s: %s", node->home, strerror(errno));
		return false;
	}
	size_t len = strlen(node->home);
	snprintf(node->home + len, sizeof node->home - len, "/home");
	const char *const arguments[] = {
		program, "init", "--home", node->home, "--chain-id", chain_id, NULL};
	char log[LIVE_PATH_BYTES + 16];
	log_path(log, node);
	if (!live_run(arguments, log)) {
		snprintf(fault, 256, "aitbcd init failed; see %.200s.log", node->home);
		return false;
	}
	node->rpc_port = live_free_port();
	return node->rpc_port != 0;
}

static void genesis_path(char out[LIVE_PATH_BYTES + 16], const struct live_node *node)
{
	snprintf(out, LIVE_PATH_BYTES + 16, "%s/genesis.json", node->home);
}

bool live_genesis_read(struct genesis *out, const struct live_node *node, char fault[256])
{
	char path[LIVE_PATH_BYTES + 16];
	struct buf text = {0};
	genesis_path(path, node);
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		snprintf(fault, 256, "%.200s: %s", path, strerror(errno));
		return false;
	}
	char chunk[65536];
	for (size_t n = 1; n > 0;) {
		n = fread(chunk, 1, sizeof chunk, file);
		buf_append(&text, chunk, n);
	}
	fclose(file);
	struct genesis_fault why;
	bool ok = genesis_parse(out, buf_view(&text), GENESIS_APP_SETTLE, &why) == STATUS_OK;
	if (!ok)
		snprintf(fault, 256, "%s", why.text);
	buf_fini(&text);
	return ok;
}

bool live_genesis_write(const struct live_node *node, struct genesis *g, char fault[256])
{
	char path[LIVE_PATH_BYTES + 16];
	struct buf text = {0};
	struct genesis_fault why;
	if (genesis_seal(g, &why) != STATUS_OK) {
		snprintf(fault, 256, "%s", why.text);
		return false;
	}
	genesis_write(&text, g);
	genesis_path(path, node);
	FILE *file = fopen(path, "wb");
	bool ok = file != NULL && buf_ok(&text) && fwrite(text.data, 1, text.len, file) == text.len;
	if (file != NULL)
		ok = fclose(file) == 0 && ok;
	if (!ok)
		snprintf(fault, 256, "%.200s: %s", path, strerror(errno));
	buf_fini(&text);
	return ok;
}

static bool answers_with_a_block(const struct live_node *node)
{
	char fault[256];
	json_t *status = ask_call(node->rpc_port, "status", NULL, fault);
	bool ready = ask_number(json_object_get(status, "sync_info"), "latest_block_height") >= 1;
	json_decref(status);
	return ready;
}

bool live_node_spawn(struct live_node *node, char fault[256])
{
	char port[16];
	char log[LIVE_PATH_BYTES + 16];
	const char *arguments[16 + LIVE_EXTRA_MAX] = {node->program, "start", "--home", node->home,
		"--rpc.port", port, "--metrics.enabled", "false"};
	size_t count = 8;
	for (size_t i = 0; i < LIVE_EXTRA_MAX && node->extra[i] != NULL; i++)
		arguments[count++] = node->extra[i];
	snprintf(port, sizeof port, "%u", node->rpc_port);
	log_path(log, node);
	node->spawned_ms = now_ms();
	node->pid = spawn(arguments, log);
	if (node->pid > 0)
		return true;
	node->pid = 0;
	snprintf(fault, 256, "fork: %s", strerror(errno));
	return false;
}

bool live_node_await(struct live_node *node, char fault[256])
{
	while (node->pid > 0 && now_ms() - node->spawned_ms < READY_MS_MAX) {
		const struct timespec pause = {0, 2 * 1000 * 1000};
		if (answers_with_a_block(node)) {
			node->ready_ms = now_ms() - node->spawned_ms;
			return true;
		}
		if (waitpid(node->pid, NULL, WNOHANG) == node->pid) {
			node->pid = 0;
			break;
		}
		nanosleep(&pause, NULL);
	}
	snprintf(fault, 256, "aitbcd %s; see %.200s.log",
		node->pid == 0 ? "ended at its start" : "didn't become ready", node->home);
	return false;
}

bool live_node_start(struct live_node *node, char fault[256])
{
	return live_node_spawn(node, fault) && live_node_await(node, fault);
}

bool live_node_kill(struct live_node *node, int signal)
{
	if (node->pid <= 0)
		return false;
	bool alive = waitpid(node->pid, NULL, WNOHANG) == 0;
	if (alive) {
		kill(node->pid, signal);
		waitpid(node->pid, NULL, 0);
	}
	node->pid = 0;
	return alive;
}

static long status_kb(const struct live_node *node, const char *name)
{
	char path[64];
	char line[256];
	long kb = -1;
	snprintf(path, sizeof path, "/proc/%d/status", (int)node->pid);
	FILE *file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtol(line + strlen(name), NULL, 10);
	if (file != NULL)
		fclose(file);
	return kb;
}

long live_node_rss_kb(const struct live_node *node)
{
	return status_kb(node, "VmRSS:");
}

long live_node_peak_kb(const struct live_node *node)
{
	return status_kb(node, "VmHWM:");
}

uint64_t live_node_cpu_us(const struct live_node *node)
{
	char path[64];
	char line[1024];
	uint64_t ticks[2] = {0, 0};
	snprintf(path, sizeof path, "/proc/%d/stat", (int)node->pid);
	FILE *file = fopen(path, "r");
	const char *at = file != NULL ? fgets(line, sizeof line, file) : NULL;
	if (file != NULL)
		fclose(file);
	/* Fields 14 and 15; the second one is the name, which may hold spaces. */
	at = at != NULL ? strrchr(line, ')') : NULL;
	for (int field = 2; at != NULL && field < 14; field++)
		at = strchr(at + 1, ' ');
	if (at == NULL || sscanf(at, "%" SCNu64 " %" SCNu64, &ticks[0], &ticks[1]) != 2)
		return 0;
	return (ticks[0] + ticks[1]) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info, (void)kind, (void)at;
	return remove(path);
}

void live_node_wipe(const struct live_node *node)
{
	static const char *const written[] = {"data", "fence", "consensus.log"};
	CHECK(node->pid <= 0);
	for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
		char path[LIVE_PATH_BYTES + 32];
		snprintf(path, sizeof path, "%s/%s", node->home, written[i]);
		nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
}

bool live_node_log_has(const struct live_node *node, const char *text)
{
	char path[LIVE_PATH_BYTES + 16];
	char line[4096];
	bool found = false;
	log_path(path, node);
	FILE *file = fopen(path, "r");
	while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
		found = strstr(line, text) != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

void live_node_remove(struct live_node *node)
{
	char *end = strrchr(node->home, '/');
	live_node_kill(node, SIGKILL);
	if (end == NULL || strncmp(end - 11, "live-", 5) != 0)
		return;
	*end = '\0';
	nftw(node->home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
