/* node/daemon: one process from its start to its end, and every reason not to start. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/clock.h"
#include "node/daemon.h"
#include "node/homes.h"
#include "tests/unit/node_place.h"

enum { DEADLINE_MS = 60 * 1000 };

struct child {
	pid_t pid;
	int err; /* its stderr */
	char text[65536];
	size_t len;
};

struct desk {
	struct place place;
	struct config config;
	char fault[NODE_FAULT_BYTES];
	struct child child;
};

static int set_up(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	place_make(&d->place);
	struct homes_plan plan = {
		.output = place_path(&d->place, "home"),
		.chain_id = "devnet-test",
		.validators = 1,
		.single_home = true,
		.base_port = 26656,
		.now_ms = (int64_t)clock_wall_ms(),
	};
	assert_int_equal(homes_make(&plan, d->fault), STATUS_OK);
	config_defaults(&d->config);
	d->config.rpc_port = 0; /* any free one */
	d->config.metrics_port = 0;
	d->config.verify_threads = 1;
	*state = d;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *d = *state;
	if (d->child.pid > 0) {
		kill(d->child.pid, SIGKILL);
		waitpid(d->child.pid, NULL, 0);
		close(d->child.err);
	}
	place_remove(&d->place);
	free(d);
	return 0;
}

/* Every wait below ends when the daemon says something, ends, or the deadline comes. */
static void start(struct desk *d, struct child *child)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	memset(child, 0, sizeof *child);
	const char *home = place_path(&d->place, "home");
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		_exit(daemon_run(home, &d->config));
	}
	close(ends[1]);
	child->err = ends[0];
}

/* False: the child has closed its stderr. */
static bool hear(struct child *child)
{
	struct pollfd poll_fd = {.fd = child->err, .events = POLLIN};
	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	assert_true(child->len < sizeof child->text - 1);
	ssize_t got =
		read(child->err, child->text + child->len, sizeof child->text - 1 - child->len);
	child->len += got > 0 ? (size_t)got : 0;
	child->text[child->len] = 0;
	return got > 0;
}

static void hear_until(struct child *child, const char *text)
{
	while (!strstr(child->text, text)) {
		if (!hear(child))
			fail_msg("the daemon ended before it said \"%s\": %s", text, child->text);
	}
}

static int end(struct child *child)
{
	while (hear(child))
		;
	int state = 0;
	assert_int_equal(waitpid(child->pid, &state, 0), child->pid);
	close(child->err);
	child->pid = 0;
	if (!WIFEXITED(state))
		fail_msg("the daemon died of signal %d: %s", WTERMSIG(state), child->text);
	return WEXITSTATUS(state);
}

static void it_starts_and_ends_on_a_signal_and_starts_again(void **state)
{
	struct desk *d = *state;
	for (int round = 0; round < 2; round++) {
		start(d, &d->child);
		hear_until(&d->child, "ready chain=devnet-test");
		kill(d->child.pid, round == 0 ? SIGTERM : SIGINT);
		assert_int_equal(end(&d->child), 0);
	}
}

static void two_on_one_home_is_one_too_many(void **state)
{
	struct desk *d = *state;
	struct child second;
	start(d, &d->child);
	hear_until(&d->child, "ready");
	start(d, &second);
	assert_int_equal(end(&second), 1);
	assert_non_null(strstr(second.text, "can't start"));
	assert_non_null(strstr(second.text, "data"));
	kill(d->child.pid, SIGTERM);
	assert_int_equal(end(&d->child), 0);
}

static void a_disk_that_is_full_at_the_start_ends_the_process(void **state)
{
	struct desk *d = *state;
	assert_int_equal(symlink("/dev/full", place_path(&d->place, "home/consensus.log")), 0);
	start(d, &d->child);
	assert_int_equal(end(&d->child), 2);
	assert_non_null(strstr(d->child.text, "node_stops"));
	assert_null(strstr(d->child.text, "ready"));
}

static void assert_refused(struct desk *d, const char *reason)
{
	start(d, &d->child);
	assert_int_equal(end(&d->child), 1);
	assert_non_null(strstr(d->child.text, "can't start"));
	assert_non_null(strstr(d->child.text, reason));
}

static void a_folder_that_is_no_home_is_told_how_to_make_one(void **state)
{
	struct desk *d = *state;
	assert_int_equal(unlink(place_path(&d->place, "home/genesis.json")), 0);
	assert_refused(d, "aitbcd init");
}

static void a_genesis_with_a_mistake_is_named(void **state)
{
	struct desk *d = *state;
	static const char text[] = "{\"chain_id\": 7}";
	place_write(&d->place, "home/genesis.json", text, sizeof text - 1);
	assert_refused(d, "genesis.json: ");
}

static void another_genesis_than_the_stores_is_refused(void **state)
{
	struct desk *d = *state;
	start(d, &d->child);
	hear_until(&d->child, "ready");
	kill(d->child.pid, SIGTERM);
	assert_int_equal(end(&d->child), 0);
	static char text[1 << 18];
	size_t len = place_read(&d->place, "home/genesis.json", text, sizeof text - 1);
	text[len] = 0;
	char *id = strstr(text, "devnet-test");
	assert_non_null(id);
	memcpy(id, "devnet-tesT", strlen("devnet-tesT"));
	place_write(&d->place, "home/genesis.json", text, len);
	assert_refused(d, "data");
}

static void a_key_that_others_can_read_is_refused(void **state)
{
	struct desk *d = *state;
	assert_int_equal(chmod(place_path(&d->place, "home/node_key.json"), 0644), 0);
	assert_refused(d, "chmod 600");
	assert_int_equal(chmod(place_path(&d->place, "home/node_key.json"), 0600), 0);
	assert_int_equal(chmod(place_path(&d->place, "home/validator_key.json"), 0604), 0);
	assert_refused(d, "chmod 600");
}

static void a_port_that_is_taken_is_named(void **state)
{
	struct desk *d = *state;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t len = sizeof at;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	char port[16];
	snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
	d->config.rpc_port = ntohs(at.sin_port);
	assert_refused(d, port);
	close(fd);
}

static void an_address_that_is_none_is_named(void **state)
{
	struct desk *d = *state;
	snprintf(d->config.rpc_listen, sizeof d->config.rpc_listen, "localhost!");
	assert_refused(d, "localhost!");
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CLAIM(it_starts_and_ends_on_a_signal_and_starts_again),
		CLAIM(two_on_one_home_is_one_too_many),
		CLAIM(a_disk_that_is_full_at_the_start_ends_the_process),
		CLAIM(a_folder_that_is_no_home_is_told_how_to_make_one),
		CLAIM(a_genesis_with_a_mistake_is_named),
		CLAIM(another_genesis_than_the_stores_is_refused),
		CLAIM(a_key_that_others_can_read_is_refused),
		CLAIM(a_port_that_is_taken_is_named),
		CLAIM(an_address_that_is_none_is_named),
	};
	static const uint8_t seed[32] = {9};
	return keys_start(seed) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
