/* kill -9 of a working node, again and again. Workers send transfers and whole jobs over JSON-RPC
 * and note what the node acknowledged; the main thread kills it at random moments and starts it
 * again. In the end everything acknowledged is in the chain at its height, every sequence was spent
 * once, and no job was paid twice. crash AITBCD FOLDER KILLS [SEED] */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/endian.h"
#include "base/json.h"
#include "tests/e2e/load.h"
#include "tests/live/node.h"

enum { TRANSFER_WORKERS = 4, AT_RISK = 100 };

static struct live_node node;
static struct load load;

static bool prepare(const char *program, const char *dir, char fault[256])
{
	struct genesis g;
	if (!live_node_make(&node, program, dir, "devnet-crash", fault) ||
		!live_genesis_read(&g, &node, fault))
		return false;
	load_init(&load, &node.rpc_port, 1, TRANSFER_WORKERS);
	bool ok = load_fund(&load, &g) && live_genesis_write(&node, &g, fault);
	load.chain_tag = g.chain_tag;
	genesis_fini(&g);
	node.extra[0] = "--coordinator.enabled";
	node.extra[1] = "false";
	return ok && live_node_start(&node, fault);
}

static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* False: it didn't come back. */
static bool kill_and_restart(int kills, uint64_t seed, uint64_t *ready_ms_worst)
{
	for (int i = 0; i < kills && !load.abandoned; i++) {
		char fault[256];
		pause_for_ms(50 + draw(&seed) % 500);
		/* What was acknowledged just before the kill is what a lazy sync would lose. */
		size_t until = load_acknowledged(&load);
		if (!live_node_kill(&node, SIGKILL)) {
			load_fail(&load, "the node had died by itself before kill %d", i + 1);
			return false;
		}
		if (!live_node_start(&node, fault)) {
			load_fail(&load, "after kill %d: %s", i + 1, fault);
			return false;
		}
		if (node.ready_ms > *ready_ms_worst)
			*ready_ms_worst = node.ready_ms;
		load_check_acknowledged(&load, until > AT_RISK ? until - AT_RISK : 0, until);
	}
	pause_for_ms(300);
	return true;
}

static int run(int kills, uint64_t seed)
{
	uint64_t ready_ms_worst = node.ready_ms;
	load_start(&load);
	bool back = kill_and_restart(kills, seed, &ready_ms_worst);
	load.abandoned = load.abandoned || !back;
	load_stop(&load);
	if (load.abandoned)
		return 1;
	if (load.ack_count == 0 || load.jobs.paid == 0)
		load_fail(&load,
			"nothing was acknowledged (%zu transactions, %" PRIu64 " receipts)",
			load.ack_count, load.jobs.paid);
	load_judge(&load);
	printf("figure: %d kills, %zu transactions acknowledged, %" PRIu64
	       " jobs paid, worst restart %" PRIu64 " ms\n",
		kills, load.ack_count, load.jobs.paid, ready_ms_worst);
	return load.failures > 0;
}

int main(int argc, char **argv)
{
	uint8_t random[32];
	char fault[256];
	if (argc < 4) {
		fprintf(stderr, "usage: crash AITBCD FOLDER KILLS [SEED]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	json_object_seed(0);
	if (getrandom(random, sizeof random, 0) != sizeof random || !keys_start(random))
		return 1;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : get_u64be(random) >> 1 | 1;
	printf("seed %" PRIu64 "\n", seed);
	if (!prepare(argv[1], argv[2], fault)) {
		printf("FAILED: %s\n", fault);
		return 1;
	}
	int code = run(atoi(argv[3]), seed);
	live_node_kill(&node, SIGKILL);
	if (code == 0) {
		printf("ok: everything acknowledged before a kill is in the chain after it\n");
		printf("ok: every sequence is spent once and no receipt is paid twice\n");
		printf("ok: the node is ready again after each of %s kills\n", argv[3]);
		live_node_remove(&node);
	} else {
		printf("home kept: %s; replay the timing with seed %" PRIu64 "\n", node.home, seed);
	}
	return code;
}
