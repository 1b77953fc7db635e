/* settle: the benchmark of the node itself: real validators of one chain with funded accounts,
 * transfers signed beforehand, sent as fast as the nodes take them (each account's to one node),
 * counted from the blocks. Benchmark only. */
#ifndef TESTS_BENCH_SETTLE_H
#define TESTS_BENCH_SETTLE_H

#include "base/bytes.h"
#include "base/status.h"

struct settle_plan {
	const char *program; /* aitbcd */
	const char *dir;     /* the homes are made under it */
	uint32_t validators; /* a process each; must divide accounts */
	uint32_t accounts;
	uint32_t connections;
	uint32_t warm_ms;
	uint32_t measure_ms;
	uint32_t commit_ms; /* one client alone, before the load */
	size_t tx_count;    /* signed beforehand */
};

struct settle_figures {
	double committed_per_s; /* by block times, within the measured window */
	uint64_t committed;
	uint64_t blocks;
	double window_s;
	double admitted_per_s; /* answers with code 0, on the wall clock */
	double answer_p50_ms;
	double answer_p99_ms;
	double generator_us; /* CPU of the generator for each request */
	double nodes_us;     /* CPU of all nodes, all their threads, for each committed transfer */
	uint64_t later_rounds; /* blocks that took more than one round */
	double link_bytes;     /* both ways over a link, for each transfer: mean of all links */
	double link_bytes_max; /* and of the busiest one */
	uint64_t refused;      /* answers that were no admission; first_refusal says the first */
	uint64_t held_back;    /* answers "mempool is full": sent again after a pause */
	char first_refusal[256];
	int64_t lost; /* admitted, and in no block when the mempool was empty again */
	/* broadcast_tx_commit, one client, nothing else going on */
	uint64_t commits;
	double commit_p50_ms;
	double commit_p99_ms;
	double commit_us; /* CPU of all nodes for each of them: mostly that of a block */
	size_t tx_bytes;
	uint64_t ready_ms;
	long rss_kb;      /* of the largest node, at the end */
	long rss_peak_kb; /* the most any ever was */
	uint64_t presign_ms;
};

MUST_USE enum status settle_run(
	struct settle_figures *out, const struct settle_plan *plan, char fault[256]);

#endif
