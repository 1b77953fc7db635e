#define _GNU_SOURCE
#include "tests/live/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/live/ask.h"

enum { PORT_FIRST = 22000, PORT_LAST = 31000, PORTS_EACH = 10 };

static bool port_is_free(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bool is_free = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
		       bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
	if (fd >= 0)
		close(fd);
	return is_free;
}

/* The start depends on the process, so that two nets made at one time rarely meet. 0: none. */
static uint16_t free_ports(size_t count)
{
	uint16_t step = (uint16_t)(count * PORTS_EACH);
	uint16_t places = (uint16_t)((PORT_LAST - PORT_FIRST) / step);
	for (uint16_t i = 0; i < places; i++) {
		uint16_t base =
			(uint16_t)(PORT_FIRST + ((uint32_t)getpid() * 7 + i) % places * step);
		bool all = true;
		for (uint16_t k = 0; k < step && all; k++)
			all = k % PORTS_EACH > 1 || port_is_free((uint16_t)(base + k));
		if (all)
			return base;
	}
	return 0;
}

bool live_net_make(struct live_net *net, const char *program, const char *parent,
	const char *chain_id, size_t count, char fault[256])
{
	char homes[LIVE_PATH_BYTES + 8], log[LIVE_PATH_BYTES + 16], number[24], port[24];
	memset(net, 0, sizeof *net);
	CHECK(count <= LIVE_NODES_MAX);
	uint16_t base = free_ports(count);
	snprintf(net->folder, sizeof net->folder, "%s/live-XXXXXX", parent);
	if (base == 0 || mkdtemp(net->folder) == NULL) {
		snprintf(fault, 256, "%.200s: %s", net->folder,
			base == 0 ? "no free ports" : strerror(errno));
		return false;
	}
	snprintf(homes, sizeof homes, "%s/net", net->folder);
	snprintf(log, sizeof log, "%s.log", homes);
	snprintf(number, sizeof number, "%zu", count);
	snprintf(port, sizeof port, "%u", base);
	const char *const arguments[] = {program, "testnet", "--validators", number, "--output",
		homes, "--chain-id", chain_id, "--base-port", port, NULL};
	if (!live_run(arguments, log)) {
		snprintf(fault, 256, "aitbcd testnet failed; see %.200s", log);
		return false;
	}
	net->count = count;
	for (size_t i = 0; i < count; i++) {
		struct live_node *node = &net->nodes[i];
		snprintf(node->program, sizeof node->program, "%s", program);
		snprintf(node->home, sizeof node->home, "%.400s/node%zu", homes, i);
		node->rpc_port = (uint16_t)(base + PORTS_EACH * i + 1);
		node->extra[0] = "--coordinator.enabled";
		node->extra[1] = "false";
	}
	return true;
}

bool live_net_genesis_write(const struct live_net *net, struct genesis *g, char fault[256])
{
	for (size_t i = 0; i < net->count; i++) {
		if (!live_genesis_write(&net->nodes[i], g, fault))
			return false;
	}
	return true;
}

/* More than 2/3 make blocks before everybody has found everybody. */
static bool all_linked(const struct live_net *net, char fault[256])
{
	enum { LOOKS = 1500, PAUSE_MS = 10 };
	size_t linked = 0;
	for (int i = 0; i < LOOKS; i++) {
		json_t *info = ask_call(net->nodes[linked].rpc_port, "net_info", NULL, fault);
		bool all = ask_number(info, "n_peers") == (int64_t)net->count - 1;
		json_decref(info);
		if (all && ++linked == net->count)
			return true;
		const struct timespec pause = {0, PAUSE_MS * 1000 * 1000};
		if (!all)
			nanosleep(&pause, NULL);
	}
	snprintf(fault, 256, "node%zu doesn't find all others; see %.200s.log", linked,
		net->nodes[linked].home);
	return false;
}

static size_t node_of_name(const char *name)
{
	return name != NULL && strncmp(name, "node", 4) == 0 ? strtoul(name + 4, NULL, 10)
							     : SIZE_MAX;
}

uint16_t live_net_p2p_port(const struct live_net *net, size_t node)
{
	return (uint16_t)(net->nodes[node].rpc_port - 1);
}

bool live_net_relay(struct live_net *net, const struct relay *relay, char fault[256])
{
	bool ok = true;
	for (size_t i = 0; i < net->count && ok; i++) {
		char path[LIVE_PATH_BYTES + 16];
		size_t at;
		json_t *entry;
		snprintf(path, sizeof path, "%s/peers.json", net->nodes[i].home);
		json_t *peers = json_load_file(path, 0, NULL);
		json_array_foreach(peers, at, entry)
		{
			char address[32];
			size_t to = node_of_name(json_string_value(json_object_get(entry, "name")));
			CHECK(to < net->count && to != i);
			snprintf(address, sizeof address, "127.0.0.1:%u", relay_port(relay, i, to));
			json_object_set_new(entry, "address", json_string(address));
		}
		ok = json_array_size(peers) == net->count - 1 &&
		     json_dump_file(peers, path, JSON_INDENT(2)) == 0;
		json_decref(peers);
		if (!ok)
			snprintf(fault, 256, "%.200s can't be changed", path);
	}
	return ok;
}

bool live_net_start(struct live_net *net, char fault[256])
{
	for (size_t i = 0; i < net->count; i++) {
		if (!live_node_spawn(&net->nodes[i], fault))
			return false;
	}
	for (size_t i = 0; i < net->count; i++) {
		if (!live_node_await(&net->nodes[i], fault))
			return false;
	}
	return all_linked(net, fault);
}

void live_net_kill(struct live_net *net, int signal)
{
	for (size_t i = 0; i < net->count; i++) {
		if (net->nodes[i].pid > 0)
			kill(net->nodes[i].pid, signal);
	}
	for (size_t i = 0; i < net->count; i++)
		live_node_kill(&net->nodes[i], signal);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info, (void)kind, (void)at;
	return remove(path);
}

void live_net_remove(struct live_net *net)
{
	live_net_kill(net, SIGKILL);
	if (net->folder[0] != '\0')
		nftw(net->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
