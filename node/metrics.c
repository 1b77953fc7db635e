/* metrics: the node's figures in Prometheus' text form: app prefix, base units, no label with many
 * values. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/coordinator.h"
#include "node/parts.h"

static void metric(
	struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	buf_appendf(out, "# HELP aitbc_%s %s\n# TYPE aitbc_%s %s\naitbc_%s %llu\n", name, help,
		name, type, name, (unsigned long long)value);
}

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*s %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void chain_metrics(struct buf *out, const struct daemon_parts *p)
{
	const struct replica *replica = driver_replica(p->driver);
	const struct consensus *consensus = replica_consensus(replica);
	struct driver_counts counts = driver_counts(p->driver);
	struct mempool_counts mempool = mempool_counts(p->mempool);
	metric(out, "consensus_height", "gauge", "Height of the last committed block.",
		(uint64_t)replica_head(replica)->height);
	metric(out, "consensus_round", "gauge", "Round of the height being decided.",
		(uint64_t)consensus->round);
	metric(out, "consensus_validators", "gauge", "Validators of the height being decided.",
		consensus->validators.count);
	metric(out, "consensus_blocks_total", "counter", "Blocks committed since the start.",
		counts.blocks);
	metric(out, "consensus_txs_total", "counter", "Transactions committed since the start.",
		counts.txs);
	metric(out, "consensus_log_syncs_total", "counter", "Syncs of the consensus log.",
		counts.log_syncs);
	metric(out, "consensus_fence_writes_total", "counter", "Records written to the fence.",
		counts.fence_writes);
	metric(out, "p2p_peers", "gauge", "Peers whose link is up.",
		p->net ? net_up_count(p->net) : 0);
	metric(out, "mempool_txs", "gauge", "Transactions that wait for a block.", mempool.txs);
	metric(out, "mempool_ready_txs", "gauge", "Of these, those a block could take now.",
		mempool.ready);
	metric(out, "mempool_bytes", "gauge", "Bytes of the transactions that wait.",
		mempool.bytes);
	metric(out, "tx_signatures_verified_total", "counter",
		"Signatures checked by the verify threads.", counts.verified);
	metric(out, "rpc_connections", "gauge", "Open connections of the JSON-RPC port.",
		http_shell_connections(p->rpc_shell));
	metric(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
}

static void coordinator_metrics(struct buf *out, const struct coordinator *coordinator)
{
	struct coordinator_stats stats;
	coordinator_stats(coordinator, &stats);
	metric(out, "coordinator_jobs_submitted_total", "counter", "Jobs taken since the start.",
		stats.jobs_submitted);
	metric(out, "coordinator_jobs_completed_total", "counter", "Jobs settled since the start.",
		stats.jobs_completed);
	metric(out, "coordinator_jobs_failed_total", "counter",
		"Jobs ended unpaid since the start.", stats.jobs_failed);
	metric(out, "coordinator_jobs_queued", "gauge", "Jobs that wait for a miner.",
		stats.jobs_queued);
	metric(out, "coordinator_jobs_live", "gauge", "Jobs not ended yet.", stats.jobs_live);
	metric(out, "coordinator_miners_online", "gauge", "Miners heard of lately.",
		stats.miners_online);
}

enum http_answer metrics_handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	(void)ticket;
	const struct daemon_parts *p = self;
	if (strcmp(request->path, "/metrics") != 0) {
		reply->status = 404;
		reply->content_type = "text/plain; charset=utf-8";
		buf_append_text(&reply->body, "the figures are at /metrics\n");
		return HTTP_DONE;
	}
	reply->status = 200;
	reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
	chain_metrics(&reply->body, p);
	if (p->coordinator.coordinator)
		coordinator_metrics(&reply->body, p->coordinator.coordinator);
	return HTTP_DONE;
}
