/* Four real validators under load, hurt in random order: killed, stopped for a while, ended,
 * cut off, wiped; one at a time the chain goes on, two at a time it waits without forking. Each
 * must be at the head and vote again in time; in the end nothing acknowledged is missing and all
 * have the same blocks. Cutting off is done by a double of the network (tests/live/relay.h).
 * faults AITBCD FOLDER SECONDS [SEED] */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/endian.h"
#include "base/json.h"
#include "tests/e2e/equal.h"
#include "tests/e2e/load.h"
#include "tests/live/ask.h"
#include "tests/live/net.h"

enum {
	VALIDATORS = 4,
	SENDERS = 16,
	SENDER_BURST = 48,
	SENDER_PAUSE_MS = 200,
	RECOVERY_MS_MAX = 20 * 1000,
	AWAY_MS = 10 * 1000,      /* stopped or cut off */
	DOWN_MS = 6 * 1000,       /* not running; a height whose proposer is away takes 4 s */
	IN_FLIGHT_MS = 1500,      /* what was decided while two left may still arrive */
	STANDSTILL_MS = 3 * 1000, /* then nothing may */
	LOOK_MS = 20,
	STOOD_STILL_MS = 2000,
	LONG_SECONDS = 120 /* time for a rolling restart too */
};

enum hit {
	HIT_KILL,
	HIT_PAUSE,
	HIT_TERM,
	HIT_CUT, /* from the others: bytes get stuck, or connections end */
	HIT_WIPE,
	HIT_TWO,   /* two of them away at once */
	HIT_SPLIT, /* two on either side */
	HIT_POWER, /* all four killed at once */
	HIT_ROLL,  /* all four, one after the other, as for a new release */
	HIT_COUNT
};
static const char *const hit_names[HIT_COUNT] = {"SIGKILL", "SIGSTOP for 10 s", "SIGTERM",
	"disconnect for 10 s", "wipe", "two away", "split in halves", "SIGKILL of all four",
	"rolling restart"};

static struct live_net net;
static struct relay *network;
static struct load load;
static char addresses[VALIDATORS][41]; /* of the validators */
static uint64_t worst_ms[HIT_COUNT];
static size_t hits[HIT_COUNT];
static size_t cuts;
static uint64_t worst_gap_ms; /* between two blocks while one was away */

/* ---- time ---- */

static atomic_uint_fast64_t ran_ms;
static atomic_bool clock_stopping;

static uint64_t steady_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A virtual machine may be held for a minute and then told that the time has passed. That is
 * nobody's slowness: only what this process could have seen pass counts. */
static void *count_time(void *ctx)
{
	(void)ctx;
	uint64_t last_ms = steady_ms();
	while (!clock_stopping) {
		pause_for_ms(5);
		uint64_t seen_ms = steady_ms();
		uint64_t passed_ms = seen_ms - last_ms;
		if (passed_ms > STOOD_STILL_MS)
			printf("the machine stood still for %" PRIu64 " ms\n", passed_ms);
		ran_ms += passed_ms > STOOD_STILL_MS ? 0 : passed_ms;
		last_ms = seen_ms;
	}
	return NULL;
}

static uint64_t now_ms(void)
{
	return ran_ms;
}

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

/* ---- looking ---- */

static int64_t height_of(size_t node)
{
	char fault[256];
	json_t *status = ask_call(net.nodes[node].rpc_port, "status", NULL, fault);
	int64_t height = ask_number(json_object_get(status, "sync_info"), "latest_block_height");
	json_decref(status);
	return height;
}

/* The highest block of those present but this one; -1: none of them answers. */
static int64_t head_beside(size_t node)
{
	int64_t head = -1;
	for (size_t i = 0; i < VALIDATORS; i++) {
		int64_t height = i != node && !load.away[i] ? height_of(i) : -1;
		head = height > head ? height : head;
	}
	return head;
}

static int64_t head(void)
{
	return head_beside(SIZE_MAX);
}

/* Did this validator sign the newest commit that witness has? */
static bool signed_lately(size_t node, size_t witness)
{
	char fault[256];
	bool found = false;
	size_t at;
	const json_t *signature;
	json_t *answer = ask_call(net.nodes[witness].rpc_port, "commit", NULL, fault);
	const json_t *commit = json_object_get(json_object_get(answer, "signed_header"), "commit");
	json_array_foreach(json_object_get(commit, "signatures"), at, signature)
	{
		const char *who =
			json_string_value(json_object_get(signature, "validator_address"));
		found = found || (who != NULL && strcmp(who, addresses[node]) == 0 &&
					 ask_number(signature, "block_id_flag") == 2);
	}
	json_decref(answer);
	return found;
}

static bool learn_addresses(void)
{
	bool ok = true;
	for (size_t i = 0; i < VALIDATORS && ok; i++) {
		char fault[256];
		json_t *status = ask_call(net.nodes[i].rpc_port, "status", NULL, fault);
		const char *address = json_string_value(
			json_object_get(json_object_get(status, "validator_info"), "address"));
		ok = address != NULL && strlen(address) == 40;
		if (ok)
			memcpy(addresses[i], address, 41);
		json_decref(status);
	}
	return ok;
}

/* ---- hurting ---- */

static void cut_off(size_t node, enum relay_way way)
{
	for (size_t other = 0; other < VALIDATORS; other++)
		if (other != node)
			relay_set(network, node, other, way);
}

static void hurt(enum hit hit, size_t node)
{
	struct live_node *n = &net.nodes[node];
	bool alive = true;
	load.away[node] = true;
	switch (hit) {
	case HIT_KILL: alive = live_node_kill(n, SIGKILL); break;
	case HIT_TERM: alive = live_node_kill(n, SIGTERM); break;
	case HIT_PAUSE: alive = kill(n->pid, SIGSTOP) == 0; break;
	case HIT_CUT: cut_off(node, ++cuts % 2 == 0 ? RELAY_SILENT : RELAY_CLOSED); break;
	case HIT_WIPE:
		alive = live_node_kill(n, SIGKILL);
		live_node_wipe(n);
		break;
	case HIT_TWO:
	case HIT_SPLIT:
	case HIT_POWER:
	case HIT_ROLL:
	case HIT_COUNT: CHECK(false);
	}
	if (!alive)
		load_fail(&load, "node %zu had ended by itself before %s", node, hit_names[hit]);
}

/* After a wipe with the operator's word that no other process has the key. */
static void start_again(size_t node, bool wiped)
{
	char fault[256];
	struct live_node *n = &net.nodes[node];
	n->extra[4] = wiped ? "--validator.unsafe_renew_fence" : NULL;
	n->extra[5] = wiped ? "true" : NULL;
	if (!live_node_spawn(n, fault))
		load_fail(&load, "node %zu: %s", node, fault);
}

static void heal(enum hit hit, size_t node)
{
	struct live_node *n = &net.nodes[node];
	switch (hit) {
	case HIT_KILL:
	case HIT_TERM:
	case HIT_WIPE: start_again(node, hit == HIT_WIPE); break;
	case HIT_PAUSE: kill(n->pid, SIGCONT); break;
	case HIT_CUT: cut_off(node, RELAY_OPEN); break;
	case HIT_TWO:
	case HIT_SPLIT:
	case HIT_POWER:
	case HIT_ROLL:
	case HIT_COUNT: CHECK(false);
	}
}

/* Waits until the node answers, has what the others have, and its vote is in a commit. */
static void await_recovery(enum hit hit, size_t node, uint64_t healed_ms)
{
	bool at_head = false;
	bool votes = false;
	uint64_t took_ms = 0;
	size_t witness = (node + 1) % VALIDATORS;
	while (!votes && took_ms <= RECOVERY_MS_MAX) {
		int64_t wanted = head_beside(node);
		at_head = at_head || (wanted > 0 && height_of(node) >= wanted);
		while (load.away[witness] && witness != node)
			witness = (witness + 1) % VALIDATORS;
		votes = at_head && signed_lately(node, witness);
		took_ms = now_ms() - healed_ms;
		if (!votes)
			pause_for_ms(LOOK_MS);
	}
	load.away[node] = false;
	if (took_ms > worst_ms[hit])
		worst_ms[hit] = took_ms;
	printf("%s of node %zu: back after %" PRIu64 " ms\n", hit_names[hit], node, took_ms);
	if (!votes)
		load_fail(&load, "node %zu %s %d s after %s", node,
			at_head ? "doesn't vote" : "isn't at the head", RECOVERY_MS_MAX / 1000,
			hit_names[hit]);
}

/* The chain must go on for so long. */
static void watch_it_go_on(const char *what, uint64_t ms)
{
	uint64_t began_ms = now_ms();
	uint64_t last_ms = began_ms;
	int64_t first = head();
	int64_t last = first;
	while (now_ms() - began_ms < ms) {
		int64_t height = head();
		if (height > last) {
			last = height;
			last_ms = now_ms();
		} else if (now_ms() - last_ms > worst_gap_ms) {
			worst_gap_ms = now_ms() - last_ms;
		}
		pause_for_ms(LOOK_MS);
	}
	printf("  meanwhile %" PRId64 " blocks in %" PRIu64 " ms\n", last - first, ms);
	if (last <= first)
		load_fail(&load, "no block in %" PRIu64 " ms of %s of one node", ms, what);
}

/* No block may come but what was decided before. */
static void watch_it_wait(const char *what)
{
	pause_for_ms(IN_FLIGHT_MS);
	int64_t before = head();
	pause_for_ms(STANDSTILL_MS);
	int64_t after = head();
	if (before <= 0 || after != before)
		load_fail(&load, "%s: the chain went from %" PRId64 " to %" PRId64, what, before,
			after);
}

static void await_next_block(enum hit hit, int64_t from, uint64_t healed_ms)
{
	while (head() <= from && now_ms() - healed_ms <= RECOVERY_MS_MAX)
		pause_for_ms(LOOK_MS);
	uint64_t took_ms = now_ms() - healed_ms;
	printf("%s: goes on after %" PRIu64 " ms\n", hit_names[hit], took_ms);
	if (took_ms > worst_ms[hit])
		worst_ms[hit] = took_ms;
	if (took_ms > RECOVERY_MS_MAX)
		load_fail(&load, "%s: the chain doesn't go on after they are back", hit_names[hit]);
}

/* ---- what happens ---- */

static void hit_one(enum hit hit, size_t node)
{
	bool runs = hit == HIT_PAUSE || hit == HIT_CUT;
	hurt(hit, node);
	watch_it_go_on(hit_names[hit], runs ? AWAY_MS : DOWN_MS);
	uint64_t healed_ms = now_ms();
	heal(hit, node);
	await_recovery(hit, node, healed_ms);
}

static void hit_two(size_t one, size_t other, uint64_t *seed)
{
	static const enum hit kinds[] = {HIT_KILL, HIT_PAUSE, HIT_TERM, HIT_CUT};
	enum hit first = kinds[draw(seed, 4)];
	enum hit second = kinds[draw(seed, 4)];
	printf("two away: node %zu by %s, node %zu by %s\n", one, hit_names[first], other,
		hit_names[second]);
	hurt(first, one);
	hurt(second, other);
	watch_it_wait("two away");
	int64_t from = head();
	uint64_t healed_ms = now_ms();
	heal(first, one); /* three are enough */
	await_next_block(HIT_TWO, from, healed_ms);
	await_recovery(first, one, healed_ms);
	healed_ms = now_ms();
	heal(second, other);
	await_recovery(second, other, healed_ms);
}

static void set_split(size_t one, size_t other, enum relay_way way)
{
	for (size_t i = 0; i < VALIDATORS; i++)
		for (size_t j = 0; j < i; j++)
			if ((i == one || i == other) != (j == one || j == other))
				relay_set(network, i, j, way);
}

static void hit_split(size_t one, size_t other)
{
	set_split(one, other, RELAY_SILENT);
	watch_it_wait(hit_names[HIT_SPLIT]);
	int64_t from = head();
	uint64_t healed_ms = now_ms();
	set_split(one, other, RELAY_OPEN);
	await_next_block(HIT_SPLIT, from, healed_ms);
}

static void hit_power(void)
{
	for (size_t i = 0; i < VALIDATORS; i++)
		hurt(HIT_KILL, i);
	uint64_t healed_ms = now_ms();
	for (size_t i = 0; i < VALIDATORS; i++) {
		heal(HIT_KILL, i);
		load.away[i] = false;
	}
	for (size_t i = 0; i < VALIDATORS; i++)
		await_recovery(HIT_POWER, i, healed_ms);
}

static void hit_roll(void)
{
	for (size_t i = 0; i < VALIDATORS; i++) {
		hurt(HIT_TERM, i);
		uint64_t healed_ms = now_ms();
		heal(HIT_TERM, i);
		await_recovery(HIT_ROLL, i, healed_ms);
	}
}

static void hit_some(enum hit hit, uint64_t *seed)
{
	size_t node = draw(seed, VALIDATORS);
	size_t other = (node + 1 + draw(seed, VALIDATORS - 1)) % VALIDATORS;
	hits[hit]++;
	switch (hit) {
	case HIT_KILL:
	case HIT_PAUSE:
	case HIT_TERM:
	case HIT_CUT:
	case HIT_WIPE: hit_one(hit, node); break;
	case HIT_TWO: hit_two(node, other, seed); break;
	case HIT_SPLIT: hit_split(node, other); break;
	case HIT_POWER: hit_power(); break;
	case HIT_ROLL: hit_roll(); break;
	case HIT_COUNT: break;
	}
}

static bool all_hit(size_t kind_count)
{
	size_t kinds = 0;
	for (size_t i = 0; i < kind_count; i++)
		kinds += hits[i] > 0;
	return kinds == kind_count;
}

/* Every kind once in random order, then again, until the time is over. The seed orders them; when
 * things happen, the machine decides. */
static void hurt_for_seconds(uint64_t seconds, uint64_t seed)
{
	uint64_t began_ms = now_ms();
	enum hit deck[HIT_COUNT];
	size_t kinds = seconds < LONG_SECONDS ? HIT_ROLL : HIT_COUNT;
	for (size_t i = 0; i < kinds; i++)
		deck[i] = (enum hit)i;
	for (size_t turn = 0; load.failures == 0; turn = (turn + 1) % kinds) {
		if (now_ms() - began_ms >= seconds * 1000 && all_hit(kinds))
			return;
		size_t with = turn + draw(&seed, kinds - turn);
		enum hit hit = deck[with];
		deck[with] = deck[turn];
		deck[turn] = hit;
		hit_some(hit, &seed);
	}
}

/* ---- the story ---- */

static bool prepare(const char *program, const char *dir, char fault[256])
{
	uint16_t rpc_ports[VALIDATORS], p2p_ports[VALIDATORS];
	struct genesis g;
	if (!live_net_make(&net, program, dir, "devnet-faults", VALIDATORS, fault) ||
		!live_genesis_read(&g, &net.nodes[0], fault))
		return false;
	for (size_t i = 0; i < VALIDATORS; i++) {
		rpc_ports[i] = net.nodes[i].rpc_port;
		p2p_ports[i] = live_net_p2p_port(&net, i);
		/* All of the chain is compared at the end: nobody may begin in its midst. */
		net.nodes[i].extra[2] = "--p2p.fast_join";
		net.nodes[i].extra[3] = "0";
	}
	load_init(&load, rpc_ports, VALIDATORS, SENDERS);
	load.burst = SENDER_BURST;
	load.pause_ms = SENDER_PAUSE_MS;
	bool ok = load_fund(&load, &g) && live_net_genesis_write(&net, &g, fault);
	load.chain_tag = g.chain_tag;
	genesis_fini(&g);
	network = relay_new(p2p_ports, VALIDATORS);
	if (network == NULL) {
		snprintf(fault, 256, "no ports for the relay");
		return false;
	}
	return ok && live_net_relay(&net, network, fault) && live_net_start(&net, fault);
}

/* What a node, or a sanitizer it was built with, says of itself. */
static void check_log(size_t node)
{
	static const char *const bad[] = {"aitbcd: bug:", "WARNING: ThreadSanitizer",
		"ERROR: AddressSanitizer", "runtime error:"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (live_node_log_has(&net.nodes[node], bad[i]))
			load_fail(&load, "node %zu says \"%s\"", node, bad[i]);
}

static void judge(void)
{
	struct equal_report report;
	if (!equal_await(&report, load.ports, VALIDATORS, RECOVERY_MS_MAX))
		load_fail(&load, "%s", report.text);
	memcpy(load.earliest, report.earliest, VALIDATORS * sizeof load.earliest[0]);
	if (!equal_blocks(&report, load.ports, VALIDATORS))
		load_fail(&load, "%s", report.text);
	else
		printf("figure: %" PRId64 " blocks, the same on all %d nodes\n", report.head,
			VALIDATORS);
	load_judge(&load);
	for (size_t i = 0; i < VALIDATORS; i++) {
		check_log(i);
		if (!live_node_kill(&net.nodes[i], SIGTERM))
			load_fail(&load, "node %zu had ended by itself", i);
	}
}

static void report(uint64_t ms)
{
	size_t count = 0;
	for (size_t i = 0; i < HIT_COUNT; i++)
		count += hits[i];
	for (size_t i = 0; i < HIT_COUNT; i++)
		if (hits[i] > 0)
			printf("figure: %s: %zu times, worst recovery %" PRIu64 " ms\n",
				hit_names[i], hits[i], worst_ms[i]);
	printf("figure: %zu hits in %" PRIu64 " s, %zu transactions acknowledged (%zu a second), "
	       "%" PRIu64 " jobs paid once\n",
		count, ms / 1000, load.ack_count, load.ack_count * 1000 / (size_t)(ms + 1),
		load.jobs.paid);
	printf("figure: longest time without a block while one was away: %" PRIu64 " ms\n",
		worst_gap_ms);
}

static int run(uint64_t seconds, uint64_t seed)
{
	uint64_t began_ms = now_ms();
	if (!learn_addresses()) {
		load_fail(&load, "a node doesn't say who it is");
		return 1;
	}
	load_start(&load);
	pause_for_ms(500);
	hurt_for_seconds(seconds, seed);
	load.abandoned = load.abandoned || load.failures > 0;
	load_stop(&load);
	uint64_t took_ms = now_ms() - began_ms;
	if (load.failures == 0)
		judge();
	report(took_ms);
	if (load.ack_count == 0 || load.jobs.paid == 0)
		load_fail(&load, "nothing was acknowledged");
	return load.failures > 0;
}

int main(int argc, char **argv)
{
	uint8_t random[32];
	char fault[256];
	if (argc < 4) {
		fprintf(stderr, "usage: faults AITBCD FOLDER SECONDS [SEED]\n");
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
		live_net_kill(&net, SIGKILL);
		return 1;
	}
	pthread_t clock;
	CHECK(pthread_create(&clock, NULL, count_time, NULL) == 0);
	int code = run(strtoull(argv[3], NULL, 10), seed);
	live_net_kill(&net, SIGKILL);
	relay_free(network);
	clock_stopping = true;
	pthread_join(clock, NULL);
	if (code == 0) {
		printf("ok: each hurt validator is at the head and votes again within 20 s\n");
		printf("ok: the chain goes on while one is away, and waits while two are\n");
		printf("ok: nothing acknowledged is lost, each job is paid once\n");
		printf("ok: all nodes have the same blocks and app hashes\n");
		live_net_remove(&net);
	} else {
		printf("homes kept: %s; the order of hits is of seed %" PRIu64 "\n", net.folder,
			seed);
	}
	return code;
}
