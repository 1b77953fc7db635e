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
#include "node/peers_file.h"
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
	struct child child, other;
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

/* As a power cut would. */
static void cut(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->err);
	child->pid = 0;
}

static int tear_down(void **state)
{
	struct desk *d = *state;
	struct child *children[] = {&d->child, &d->other};
	for (size_t i = 0; i < 2; i++) {
		if (children[i]->pid > 0)
			cut(children[i]);
	}
	place_remove(&d->place);
	free(d);
	return 0;
}

/* Every wait below ends when the daemon says something, ends, or the deadline comes. */
static void start_home(struct desk *d, struct child *child, const char *name)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	memset(child, 0, sizeof *child);
	const char *home = place_path(&d->place, name);
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

static void start(struct desk *d, struct child *child)
{
	start_home(d, child, "home");
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

static void a_list_of_peers_with_a_mistake_is_named(void **state)
{
	struct desk *d = *state;
	static const char text[] = "[{\"name\": \"node1\", \"key\": \"AQE=\"}]";
	place_write(&d->place, "home/peers.json", text, sizeof text - 1);
	assert_refused(d, "peers.json: [0].key");
}

/* Its only peer's port, as it will be found. */
static void list_peer(struct desk *d, const char *name, uint16_t port)
{
	static const struct validator_key nobody;
	static struct peer_list list;
	char path[64];
	assert_int_equal(
		peers_file_read(&list, place_path(&d->place, name), &nobody, d->fault), STATUS_OK);
	assert_int_equal(list.count, 1);
	list.peers[0].port = port;
	struct buf text = {0};
	peers_file_write(&text, list.peers, 1);
	snprintf(path, sizeof path, "%s/peers.json", name);
	place_write(&d->place, path, text.data, text.len);
	buf_fini(&text);
}

static struct validator_key node_key_of(struct desk *d, const char *name)
{
	struct validator_secret secret;
	assert_int_equal(homes_read_key(&secret, place_path(&d->place, name), d->fault), STATUS_OK);
	return validator_key_of(&secret);
}

/* An empty block every 200 ms instead of every 5 s. */
static void quicken(struct desk *d, const char *path)
{
	static char text[1 << 18];
	size_t len = place_read(&d->place, path, text, sizeof text - 1);
	text[len] = 0;
	char *at = strstr(text, "\"heartbeat_ms\":\"5000\"");
	assert_non_null(at);
	memcpy(at, "\"heartbeat_ms\": \"200\"", strlen("\"heartbeat_ms\":\"5000\""));
	place_write(&d->place, path, text, len);
}

static void two_authorities_find_each_other_and_again_after_one_was_cut(void **state)
{
	struct desk *d = *state;
	struct homes_plan plan = {
		.output = place_path(&d->place, "net"),
		.chain_id = "devnet-test",
		.validators = 2,
		.base_port = 26656,
		.now_ms = (int64_t)clock_wall_ms(),
	};
	assert_int_equal(homes_make(&plan, d->fault), STATUS_OK);
	quicken(d, "net/node0/genesis.json");
	quicken(d, "net/node1/genesis.json");
	struct validator_key keys[] = {node_key_of(d, "net/node0/node_key.json"),
		node_key_of(d, "net/node1/node_key.json")};
	bool first_dials = memcmp(keys[0].b, keys[1].b, sizeof keys[0].b) < 0;
	const char *dialer = first_dials ? "net/node0" : "net/node1";
	const char *listener = first_dials ? "net/node1" : "net/node0";

	d->config.p2p_port = 0;
	start_home(d, &d->other, listener);
	hear_until(&d->other, "ready chain=devnet-test");
	unsigned port = 0;
	assert_int_equal(sscanf(strstr(d->other.text, "p2p="), "p2p=%u", &port), 1);
	list_peer(d, dialer, (uint16_t)port);
	start_home(d, &d->child, dialer);
	hear_until(&d->child, "commit height=2 ");
	hear_until(&d->other, "commit height=2 ");

	cut(&d->child);
	hear_until(&d->other, "peer_down");
	start_home(d, &d->child, dialer);
	hear_until(&d->child, "commit height=4 ");
	hear_until(&d->other, "commit height=4 ");
	kill(d->child.pid, SIGTERM);
	assert_int_equal(end(&d->child), 0);
	kill(d->other.pid, SIGTERM);
	assert_int_equal(end(&d->other), 0);
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
		CLAIM(a_list_of_peers_with_a_mistake_is_named),
		CLAIM(two_authorities_find_each_other_and_again_after_one_was_cut),
	};
	static const uint8_t seed[32] = {9};
	return keys_start(seed) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
