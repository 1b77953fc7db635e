/* disk_full: a real disk that has no room left: a small tmpfs in a name space of its own. Each time
 * the node must end by itself, say that its disk is full, and go on after room was made, with
 * nothing missing of what it had committed.
 *   disk_full AITBCD FOLDER TIMES */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/live/ask.h"
#include "tests/live/node.h"

enum { END_MS = 60 * 1000, LOOK_MS = 20, HASH_BYTES = 80, PATH_BYTES = LIVE_PATH_BYTES + 64 };

static struct live_node node;

static int fail(const char *what)
{
	printf("FAILED: %s\n", what);
	live_node_remove(&node);
	return 1;
}

static void sleep_ms(long ms)
{
	struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&pause, NULL);
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return good;
}

/* Where this process is root and may mount, without being anybody on the machine. */
static bool own_name_space(void)
{
	char map[64];
	uid_t user = getuid();
	gid_t group = getgid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	snprintf(map, sizeof map, "0 %u 1", (unsigned)user);
	if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof map, "0 %u 1", (unsigned)group);
	return write_text("/proc/self/gid_map", map);
}

static bool run(const char *format, const char *a, const char *b)
{
	char command[3 * PATH_BYTES];
	snprintf(command, sizeof command, format, a, b);
	return system(command) == 0;
}

/* The home moves onto a small disk; the node's output stays outside. */
static bool mount_home(void)
{
	char copy[PATH_BYTES];
	snprintf(copy, sizeof copy, "%s.copy", node.home);
	return run("cp -a '%s' '%s'", node.home, copy) &&
	       mount("none", node.home, "tmpfs", 0, "size=48m,mode=700") == 0 &&
	       run("cp -a '%s/.' '%s'", copy, node.home) && run("rm -r '%s'%s", copy, "");
}

static int64_t height_now(void)
{
	char fault[256];
	json_t *status = ask_call(node.rpc_port, "status", NULL, fault);
	int64_t height = ask_number(json_object_get(status, "sync_info"), "latest_block_height");
	json_decref(status);
	return height;
}

static bool hash_of(char out[HASH_BYTES], int64_t height)
{
	char fault[256], text[32];
	snprintf(text, sizeof text, "%lld", (long long)height);
	json_t *block = ask_call(node.rpc_port, "block", json_pack("{s:s}", "height", text), fault);
	const char *hash =
		json_string_value(json_object_get(json_object_get(block, "block_id"), "hash"));
	snprintf(out, HASH_BYTES, "%s", hash ? hash : "");
	json_decref(block);
	return out[0] != 0;
}

/* Takes every page that becomes free until the node has ended. Its exit code; -1: it runs on. */
static int fill_until_it_ends(const char *filler)
{
	static const uint8_t page[4096] = {1};
	int state, code = -1, fd = open(filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (long waited = 0; waited < END_MS && fd >= 0; waited += LOOK_MS) {
		while (write(fd, page, sizeof page) > 0)
			;
		if (waitpid(node.pid, &state, WNOHANG) == node.pid) {
			node.pid = 0;
			code = WIFEXITED(state) ? WEXITSTATUS(state) : 1000 + WTERMSIG(state);
			break;
		}
		sleep_ms(LOOK_MS);
	}
	if (fd >= 0)
		close(fd);
	return code;
}

static int one_time(int64_t *before, char hash[HASH_BYTES])
{
	char fault[256] = "", again[HASH_BYTES], filler[PATH_BYTES], log[PATH_BYTES];
	snprintf(filler, sizeof filler, "%s/filler", node.home);
	snprintf(log, sizeof log, "%s.log", node.home);
	if (!live_node_start(&node, fault))
		return fail(fault);
	if (*before > 0 &&
		(height_now() < *before || !hash_of(again, *before) || strcmp(again, hash) != 0))
		return fail("a committed block is gone");
	int64_t target = *before + 2;
	for (long waited = 0; height_now() < target; waited += LOOK_MS) {
		if (waited > END_MS)
			return fail("no more blocks");
		sleep_ms(LOOK_MS);
	}
	*before = height_now();
	if (!hash_of(hash, *before))
		return fail("its head can't be read");
	int code = fill_until_it_ends(filler);
	if (code != 2)
		return fail(code < 0 ? "it runs on" : "it didn't end as one that stops by name");
	if (!live_node_log_has(&node, "node_stops") || !live_node_log_has(&node, "disk full"))
		return fail("it doesn't say that its disk is full");
	printf("  height %lld: ", (long long)*before);
	fflush(stdout);
	(void)run("grep -o 'node_stops.*' '%s' | tail -n 1%s", log, "");
	return unlink(filler) == 0 ? 0 : fail("the filler stays");
}

int main(int argc, char **argv)
{
	char fault[256] = "", hash[HASH_BYTES] = "";
	static const uint8_t seed[32] = {1};
	int64_t before = 0;
	if (argc != 4 || !keys_start(seed)) {
		fprintf(stderr, "usage: disk_full AITBCD FOLDER TIMES\n");
		return 2;
	}
	if (!own_name_space()) {
		printf("SKIPPED: no name space of its own here, so no small disk: %s\n",
			strerror(errno));
		return 77;
	}
	if (!live_node_make(&node, argv[1], argv[2], "devnet-full", fault))
		return fail(fault);
	struct genesis genesis;
	if (!live_genesis_read(&genesis, &node, fault))
		return fail(fault);
	genesis.engine.heartbeat_ms = 100;
	if (!live_genesis_write(&node, &genesis, fault) || !mount_home())
		return fail(fault[0] ? fault : "no small disk");
	int times = atoi(argv[3]);
	for (int i = 0; i < times; i++) {
		if (one_time(&before, hash) != 0)
			return 1;
	}
	umount2(node.home, MNT_DETACH);
	live_node_remove(&node);
	printf("ok: the disk was full %d times; each time the node ended by name and went on, %lld "
	       "blocks in the end\n",
		times, (long long)before);
	return 0;
}
