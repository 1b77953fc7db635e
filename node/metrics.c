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

/* By consensus_tx_bytes_total and the number of links: what gossip costs. */
static uint64_t link_bytes(const struct daemon_parts *p)
{
	uint64_t bytes = 0;
	struct net_status status;
	for (uint32_t i = 0; p->net && i < net_peer_count(p->net); i++) {
		if (net_look(p->net, i, &status))
			bytes += status.bytes_in + status.bytes_out;
	}
	return bytes;
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
	metric(out, "consensus_silent", "gauge",
		"1: it votes no more and says why in its log (validator_silent).",
		replica_silence(replica) != REPLICA_VOTES);
	metric(out, "consensus_clock_paused", "gauge",
		"1: its clock leapt ahead, and it proposes nothing.",
		replica_clock_paused(replica));
	metric(out, "consensus_blocks_total", "counter", "Blocks committed since the start.",
		counts.blocks);
	metric(out, "consensus_txs_total", "counter", "Transactions committed since the start.",
		counts.txs);
	metric(out, "consensus_tx_bytes_total", "counter",
		"Bytes of the transactions committed since the start.", counts.tx_bytes);
	metric(out, "consensus_log_syncs_total", "counter", "Syncs of the consensus log.",
		counts.log_syncs);
	metric(out, "consensus_fence_writes_total", "counter", "Records written to the fence.",
		counts.fence_writes);
	metric(out, "p2p_peers", "gauge", "Peers whose link is up.",
		p->net ? net_up_count(p->net) : 0);
	metric(out, "p2p_link_bytes", "gauge",
		"Bytes in and out over the links that are up, since each came up.", link_bytes(p));
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

/* Which validators this node misses: the look that consensus_progress gives, as figures. */
static void stall_metrics(struct buf *out, const struct daemon_parts *p)
{
	struct stall stall;
	uint64_t away = 0, unlinked_power = 0, missing = 0;
	stall_look(&stall, &p->view.stall);
	bool votes = stall.kind == STALL_PREVOTES || stall.kind == STALL_PRECOMMITS;
	for (uint32_t i = 0; i < stall.count; i++) {
		const struct stall_seat *seat = &stall.seats[i];
		bool linked = seat->contact == STALL_ME || seat->contact == STALL_LINKED;
		away += linked ? 0 : 1;
		unlinked_power += linked ? 0 : (uint64_t)seat->power;
		missing += votes && !seat->voted ? 1 : 0;
	}
	metric(out, "consensus_validators_unlinked", "gauge",
		"Validators whose node this one has no link to.", away);
	metric(out, "consensus_unlinked_power", "gauge", "Voting power of these.", unlinked_power);
	metric(out, "consensus_total_power", "gauge", "Voting power of all validators.",
		(uint64_t)stall.total);
	metric(out, "consensus_votes_missing", "gauge",
		"Validators whose vote in the current step has not come.", missing);
	metric(out, "consensus_waiting_seconds", "gauge",
		"How long the height has been under decision; 0: nothing to decide.",
		stall.waiting_ms / 1000);
	metric(out, "consensus_catching_up", "gauge", "1: peers are ahead, blocks are fetched.",
		stall.kind == STALL_BLOCKS ? 1 : 0);
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
	stall_metrics(&reply->body, p);
	if (p->coordinator.coordinator)
		coordinator_metrics(&reply->body, p->coordinator.coordinator);
	return HTTP_DONE;
}
