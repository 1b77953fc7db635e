/* join: four real validators; one loses its database when the chain is long, takes over a proved
 * state from the others, and follows on. AITBC_FULL=1: over 2 000 blocks.
 *   join AITBCD FOLDER */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/live/ask.h"
#include "tests/live/net.h"

enum { NODES = 4, LATE = 3, WAIT_S = 120 };

static struct live_net net;

static void give_up(const char *what)
{
	fprintf(stderr, "join: %s\n", what);
	live_net_kill(&net, SIGKILL);
	exit(1);
}

/* -1: it doesn't answer. */
static int64_t height_of(size_t node, const char *name)
{
	char fault[256];
	json_t *status = ask_call(net.nodes[node].rpc_port, "status", NULL, fault);
	int64_t height =
		status ? ask_number(json_object_get(status, "sync_info"), name) : (int64_t)-1;
	json_decref(status);
	return height;
}

static void await_height(size_t node, int64_t height)
{
	const struct timespec pause = {0, 50 * 1000 * 1000};
	for (int i = 0; height_of(node, "latest_block_height") < height; i++) {
		if (i == WAIT_S * 20)
			give_up("a node doesn't get on");
		nanosleep(&pause, NULL);
	}
}

static void make(const char *program, const char *parent)
{
	char fault[256];
	struct genesis genesis;
	if (!live_net_make(&net, program, parent, "devnet-join", NODES, fault) ||
		!live_genesis_read(&genesis, &net.nodes[0], fault))
		give_up(fault);
	genesis.engine.pace = GENESIS_PACE_INTERVAL;
	genesis.engine.interval_ms = 10;
	if (!live_net_genesis_write(&net, &genesis, fault))
		give_up(fault);
	genesis_fini(&genesis);
	for (size_t i = 0; i < NODES; i++) {
		net.nodes[i].extra[2] = "--snapshot.interval";
		net.nodes[i].extra[3] = "100";
		net.nodes[i].extra[4] = "--p2p.fast_join";
		net.nodes[i].extra[5] = "50";
	}
	if (!live_net_start(&net, fault))
		give_up(fault);
}

/* The same block, as both tell it. */
static void compare(int64_t height)
{
	char fault[256];
	json_t *mine, *theirs;
	char text[24];
	snprintf(text, sizeof text, "%lld", (long long)height);
	mine = ask_call(
		net.nodes[LATE].rpc_port, "block", json_pack("{s:s}", "height", text), fault);
	theirs =
		ask_call(net.nodes[0].rpc_port, "block", json_pack("{s:s}", "height", text), fault);
	if (!mine || !theirs || !json_equal(mine, theirs))
		give_up("the joined node tells of another chain");
	json_decref(mine);
	json_decref(theirs);
}

int main(int count, char **arguments)
{
	if (count != 3) {
		fprintf(stderr, "usage: join AITBCD FOLDER\n");
		return 2;
	}
	int64_t blocks = getenv("AITBC_FULL") ? 2000 : 250;
	make(arguments[1], arguments[2]);
	await_height(0, blocks);
	struct live_node *late = &net.nodes[LATE];
	if (!live_node_kill(late, SIGKILL))
		give_up("a node had ended by itself");
	live_node_wipe(late);
	char fault[256];
	if (!live_node_start(late, fault))
		give_up(fault);
	int64_t tip = height_of(0, "latest_block_height");
	await_height(LATE, tip);
	int64_t earliest = height_of(LATE, "earliest_block_height");
	if (earliest < blocks / 100 * 100 || earliest % 100 != 0)
		give_up("it did not join by a snapshot");
	compare(earliest);
	compare(tip);
	json_t *lost = ask_call(late->rpc_port, "block", json_pack("{s:s}", "height", "7"), fault);
	if (lost || !strstr(fault, "lowest height is"))
		give_up("a block from before is not refused honestly");
	printf("join: a wiped node took over height %lld of %lld, answered after %llu ms, and "
	       "follows on\n",
		(long long)earliest, (long long)tip, (unsigned long long)late->ready_ms);
	live_net_kill(&net, SIGTERM);
	live_net_remove(&net);
	return 0;
}
