#define _GNU_SOURCE
#include "tests/bench/settle.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "base/json.h"
#include "tests/bench/load.h"
#include "tests/bench/presign.h"
#include "tests/live/ask.h"
#include "tests/live/net.h"

enum {
	FEE = 1000,
	RETRY_MS = 20,
	BALANCE = 1000 * 1000 * 1000,
	RETRIES_MAX = 4096,
	DRAIN_MS_MAX = 15 * 1000,
	COMMIT_WARM_MS = 200
};

/* One node's transfers in order, and those it had no room for, which go first. Transfer k is of
 * node k % nodes; so is its account, whose sequence thereby comes in order. */
struct lane {
	size_t at;
	uint64_t again[RETRIES_MAX]; /* one per connection at most */
	size_t again_count;
};

struct feed {
	const struct presigned *txs;
	const char *method;
	struct settle_figures *figures;
	size_t nodes;
	uint64_t admitted;
	struct lane lanes[LIVE_NODES_MAX];
};

static bool next_name(struct feed *feed, size_t node, uint64_t *name)
{
	struct lane *lane = &feed->lanes[node];
	if (lane->again_count > 0) {
		*name = lane->again[--lane->again_count];
		return true;
	}
	*name = lane->at++ * feed->nodes + node;
	return *name < presigned_count(feed->txs);
}

static bool next_request(void *self, size_t node, struct buf *request, uint64_t *name)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
				   "application/json\r\nContent-Length: ";
	static const char before[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"";
	static const char between[] = "\",\"params\":{\"tx\":\"";
	static const char after[] = "\"}}";
	struct feed *feed = self;
	if (!next_name(feed, node, name))
		return false;
	struct bytes tx = presigned_view(feed->txs, *name);
	size_t method_len = strlen(feed->method);
	size_t length = sizeof before - 1 + method_len + sizeof between - 1 + (tx.len + 2) / 3 * 4 +
			sizeof after - 1;
	char digits[8] = {(char)('0' + length / 100), (char)('0' + length / 10 % 10),
		(char)('0' + length % 10), '\r', '\n', '\r', '\n', 0};
	CHECK(length > 99 && length < 1000);
	buf_append(request, head, sizeof head - 1);
	buf_append(request, digits, 7);
	buf_append(request, before, sizeof before - 1);
	buf_append(request, feed->method, method_len);
	buf_append(request, between, sizeof between - 1);
	buf_append_base64(request, tx.data, tx.len);
	buf_append(request, after, sizeof after - 1);
	return true;
}

static uint32_t answered(
	void *self, size_t node, uint64_t name, uint16_t http_status, struct bytes body)
{
	struct feed *feed = self;
	struct lane *lane = &feed->lanes[node];
	struct settle_figures *figures = feed->figures;
	if (http_status == 200 && memmem(body.data, body.len, "\"code\":0", 8) != NULL) {
		feed->admitted++;
		return 0;
	}
	if (memmem(body.data, body.len, "mempool is full", 15) != NULL) {
		CHECK(lane->again_count < RETRIES_MAX);
		lane->again[lane->again_count++] = name;
		figures->held_back++;
		return RETRY_MS;
	}
	if (figures->refused++ == 0)
		snprintf(figures->first_refusal, sizeof figures->first_refusal, "%u %.*s",
			http_status, (int)(body.len < 200 ? body.len : 200),
			(const char *)body.data);
	return 0;
}

static bool fund(
	struct hash32 *chain_tag, const struct live_net *net, uint32_t accounts, char fault[256])
{
	struct genesis g;
	if (!live_genesis_read(&g, &net->nodes[0], fault))
		return false;
	bool ok = true;
	for (uint32_t i = 0; i < accounts && ok; i++) {
		struct account_secret secret;
		struct account_key key;
		presign_account(&secret, &key, i);
		struct account_address address = account_address_of(&key);
		ok = genesis_add_account(&g, &address, amount_of(BALANCE)) == STATUS_OK;
	}
	ok = ok && live_net_genesis_write(net, &g, fault);
	*chain_tag = g.chain_tag;
	genesis_fini(&g);
	return ok;
}

/* ---- counting, from the blocks ---- */

static int64_t header_ms(const json_t *meta)
{
	struct timestamp time = {0, 0};
	const char *text =
		json_string_value(json_object_get(json_object_get(meta, "header"), "time"));
	if (text == NULL || !rfc3339_parse(&time, text, strlen(text)))
		return -1;
	return timestamp_ms(time);
}

static int64_t tip_of(uint16_t port)
{
	char fault[256];
	json_t *status = ask_call(port, "status", NULL, fault);
	int64_t tip = ask_number(json_object_get(status, "sync_info"), "latest_block_height");
	json_decref(status);
	return tip;
}

static int64_t round_of(uint16_t port, int64_t height)
{
	char number[24], fault[256];
	snprintf(number, sizeof number, "%lld", (long long)height);
	json_t *answer = ask_call(port, "commit", json_pack("{s:s}", "height", number), fault);
	int64_t round = ask_number(
		json_object_get(json_object_get(answer, "signed_header"), "commit"), "round");
	json_decref(answer);
	return round;
}

struct span {
	int64_t from_ms; /* times of the first and the last block in the window */
	int64_t to_ms;
	uint64_t first_txs; /* the first block's own transactions stand before the span */
};

static void count_block(struct settle_figures *out, struct span *span, uint16_t port,
	const json_t *meta, const struct load_result *load)
{
	int64_t ms = header_ms(meta);
	if (ms < load->began_unix_ms || ms > load->ended_unix_ms)
		return;
	uint64_t txs = (uint64_t)ask_number(meta, "num_txs");
	out->blocks++;
	out->committed += txs;
	if (round_of(port, ask_number(json_object_get(meta, "header"), "height")) > 0)
		out->later_rounds++;
	if (span->to_ms == 0 || ms > span->to_ms)
		span->to_ms = ms;
	if (span->from_ms == 0 || ms < span->from_ms) {
		span->from_ms = ms;
		span->first_txs = txs;
	}
}

/* Newest first, 20 at a time; *total is of all blocks, out of those in the window. */
static bool count_blocks(struct settle_figures *out, uint64_t *total, uint16_t port,
	const struct load_result *load, char fault[256])
{
	struct span span = {0, 0, 0};
	*total = 0;
	for (int64_t top = tip_of(port); top >= 1; top -= 20) {
		char from[24];
		char to[24];
		snprintf(from, sizeof from, "%lld", (long long)(top > 19 ? top - 19 : 1));
		snprintf(to, sizeof to, "%lld", (long long)top);
		json_t *page = ask_call(port, "blockchain",
			json_pack("{s:s,s:s}", "minHeight", from, "maxHeight", to), fault);
		if (page == NULL)
			return false;
		size_t i;
		json_t *meta;
		json_array_foreach(json_object_get(page, "block_metas"), i, meta)
		{
			count_block(out, &span, port, meta, load);
			*total += (uint64_t)ask_number(meta, "num_txs");
		}
		json_decref(page);
	}
	/* A block's transactions were gathered before its time, so the first one's don't count. */
	out->committed -= span.first_txs;
	out->window_s = (double)(span.to_ms - span.from_ms) / 1000;
	out->committed_per_s = out->window_s > 0 ? (double)out->committed / out->window_s : 0;
	return true;
}

/* The nodes' CPU clocks at both ends of the window. */
struct nodes_clock {
	const struct live_net *net;
	uint64_t began_us;
	uint64_t ended_us;
};

static void read_clock(void *ctx, bool begins)
{
	struct nodes_clock *clock = ctx;
	uint64_t sum_us = 0;
	for (size_t i = 0; i < clock->net->count; i++)
		sum_us += live_node_cpu_us(&clock->net->nodes[i]);
	*(begins ? &clock->began_us : &clock->ended_us) = sum_us;
}

/* Bytes that went over each link since it is up, both ways; a link is seen from both its ends. */
struct link_bytes {
	uint64_t bytes[LIVE_NODES_MAX * LIVE_NODES_MAX];
	size_t count;
};

static void read_links(struct link_bytes *out, const struct live_net *net)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < net->count; i++) {
		char fault[256];
		size_t k;
		const json_t *peer;
		json_t *info = ask_call(net->nodes[i].rpc_port, "net_info", NULL, fault);
		json_array_foreach(json_object_get(info, "peers"), k, peer)
		{
			const json_t *status = json_object_get(peer, "connection_status");
			const json_t *sent = json_object_get(status, "SendMonitor");
			const json_t *received = json_object_get(status, "RecvMonitor");
			out->bytes[out->count++] = (uint64_t)(ask_number(sent, "Bytes") +
							      ask_number(received, "Bytes"));
		}
		json_decref(info);
	}
}

static void count_links(struct settle_figures *out, const struct link_bytes *before,
	const struct link_bytes *after, uint64_t txs)
{
	if (after->count == 0 || before->count != after->count || txs == 0)
		return;
	for (size_t i = 0; i < after->count; i++) {
		double each = (double)(after->bytes[i] - before->bytes[i]) / (double)txs;
		out->link_bytes += each / (double)after->count;
		if (each > out->link_bytes_max)
			out->link_bytes_max = each;
	}
}

static void wait_until_drained(const struct live_net *net)
{
	uint64_t end = bench_now_ms() + DRAIN_MS_MAX;
	for (size_t i = 0; i < net->count; i++) {
		int64_t waiting = 1;
		while (waiting != 0 && bench_now_ms() < end) {
			char fault[256];
			json_t *answer = ask_call(
				net->nodes[i].rpc_port, "num_unconfirmed_txs", NULL, fault);
			waiting = ask_number(answer, "total");
			json_decref(answer);
		}
	}
}

/* One client that waits for each of its transfers to be in a block. */
static enum status measure_commits(struct settle_figures *out, struct feed *feed,
	const struct live_net *net, uint32_t commit_ms, char fault[256])
{
	const struct load_source source = {feed, next_request, answered};
	struct nodes_clock clock = {net, 0, 0};
	const struct load_plan plan = {
		&net->nodes[0].rpc_port, 1, 1, COMMIT_WARM_MS, commit_ms, read_clock, &clock};
	struct load_result result;
	feed->method = "broadcast_tx_commit";
	enum status status = load_run(&result, &plan, &source, fault);
	out->commits = result.answered;
	out->commit_p50_ms = result.answer_p50_ms;
	out->commit_p99_ms = result.answer_p99_ms;
	if (result.answered > 0)
		out->commit_us =
			(double)(clock.ended_us - clock.began_us) / (double)result.answered;
	feed->method = "broadcast_tx_sync";
	return status;
}

static void look_at_memory(struct settle_figures *out, const struct live_net *net)
{
	for (size_t i = 0; i < net->count; i++) {
		long now = live_node_rss_kb(&net->nodes[i]);
		long most = live_node_peak_kb(&net->nodes[i]);
		out->rss_kb = now > out->rss_kb ? now : out->rss_kb;
		out->rss_peak_kb = most > out->rss_peak_kb ? most : out->rss_peak_kb;
		if (net->nodes[i].ready_ms > out->ready_ms)
			out->ready_ms = net->nodes[i].ready_ms;
	}
}

static enum status measure(struct settle_figures *out, struct live_net *net,
	const struct settle_plan *plan, struct feed *feed, char fault[256])
{
	const struct load_source source = {feed, next_request, answered};
	struct nodes_clock clock = {net, 0, 0};
	uint16_t ports[LIVE_NODES_MAX];
	for (size_t i = 0; i < net->count; i++)
		ports[i] = net->nodes[i].rpc_port;
	const struct load_plan load_plan = {ports, net->count, plan->connections, plan->warm_ms,
		plan->measure_ms, read_clock, &clock};
	struct load_result load;
	struct link_bytes before, after;
	uint64_t total = 0;
	if (!live_net_start(net, fault))
		return STATUS_IO;
	enum status status = measure_commits(out, feed, net, plan->commit_ms, fault);
	uint64_t alone = feed->admitted;
	read_links(&before, net);
	if (status == STATUS_OK)
		status = load_run(&load, &load_plan, &source, fault);
	if (status != STATUS_OK)
		return status;
	out->generator_us = load.cpu_us;
	out->admitted_per_s = (double)load.answered * 1000 / (double)(load.window_ms + 1);
	out->answer_p50_ms = load.answer_p50_ms;
	out->answer_p99_ms = load.answer_p99_ms;
	look_at_memory(out, net);
	wait_until_drained(net);
	read_links(&after, net);
	if (!count_blocks(out, &total, ports[0], &load, fault))
		return STATUS_IO;
	count_links(out, &before, &after, total > alone ? total - alone : 0);
	/* Each connection may have left one request whose answer nobody read. */
	out->lost = feed->admitted > total ? (int64_t)(feed->admitted - total) : 0;
	if (out->committed > 0)
		out->nodes_us = (double)(clock.ended_us - clock.began_us) * out->window_s * 1000 /
				(double)load.window_ms / (double)out->committed;
	return STATUS_OK;
}

enum status settle_run(struct settle_figures *out, const struct settle_plan *plan, char fault[256])
{
	struct live_net net;
	struct hash32 chain_tag;
	struct presigned *txs = NULL;
	memset(out, 0, sizeof *out);
	if (!live_net_make(&net, plan->program, plan->dir, "devnet-bench", plan->validators, fault))
		return STATUS_IO;
	enum status status = fund(&chain_tag, &net, plan->accounts, fault) ? STATUS_OK : STATUS_IO;
	uint64_t began = bench_now_ms();
	if (status == STATUS_OK) {
		snprintf(fault, 256, "no memory for the signed transfers");
		status = presigned_new(&txs, &chain_tag, plan->accounts, plan->tx_count, FEE);
	}
	out->presign_ms = bench_now_ms() - began;
	if (status == STATUS_OK) {
		struct feed *feed = calloc(1, sizeof *feed);
		CHECK(feed != NULL);
		feed->txs = txs;
		feed->figures = out;
		feed->nodes = net.count;
		out->tx_bytes = presigned_view(txs, 0).len;
		status = measure(out, &net, plan, feed, fault);
		free(feed);
	}
	presigned_free(txs);
	live_net_kill(&net, SIGTERM);
	if (status == STATUS_OK)
		live_net_remove(&net);
	return status;
}
