/* GET /receipts: the chain's receipts, newest first, read from its blocks while the request waits:
 * pages of headers, then the blocks that hold transactions, each with its results (a failed action
 * is no receipt). A request looks at a bounded number of blocks and says where to go on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "coordinator/explorer.h"
#include "wallet/fields.h"

enum { STEP_TIMEOUT_MS = 5000, HEADERS_PAGE = 20, HEADER_PAGES_MAX = 25, FULL_BLOCKS_MAX = 50 };

struct walk {
	struct lifeline *line;
	struct http_ticket ticket;
	struct buf items;
	char client[ADDRESS_TEXT_BYTES]; /* "": anybody's */
	char job_id[JOB_ID_BYTES_MAX + 1];
	uint64_t limit;
	uint64_t count;
	int64_t before; /* heights below this one are still to be seen; 0: from the tip */
	unsigned pages;
	unsigned blocks;
	int64_t full[HEADERS_PAGE]; /* heights of this page that hold transactions */
	size_t full_count;
	size_t full_next;
	int64_t page_lowest;
	json_t *block; /* whose results are awaited */
};

static void walk_on(struct coordinator *c, struct walk *walk);

static void walk_free(struct walk *walk)
{
	json_decref(walk->block);
	buf_fini(&walk->items);
	free(walk);
}

static void walk_end(struct coordinator *c, struct walk *walk, const char *fault)
{
	struct http_reply reply;

	http_reply_init(&reply);
	if (fault) {
		reply_error(&reply, 502, "CHAIN_UNREACHABLE", NULL,
			"the chain can't be asked: %.300s", fault);
	} else {
		buf_append_text(&reply.body, "{\"items\":[");
		buf_append_view(&reply.body, buf_view(&walk->items));
		buf_append_text(&reply.body, "],\"next_before\":");
		if (walk->before > 1)
			json_put_i64(&reply.body, walk->before);
		else
			buf_append_text(&reply.body, "null");
		buf_append_byte(&reply.body, '}');
	}
	reply_answer(c, walk->ticket, &reply);
	http_reply_fini(&reply);
	walk_free(walk);
}

/* One question of the walk; its answer comes to done. */
static void walk_ask(struct coordinator *c, struct walk *walk, const char *method, json_t *params,
	rpc_done *done)
{
	walk->line = lifeline_hold(c);
	if (rpc_call(c->config.rpc, method, params, STEP_TIMEOUT_MS, done, walk) == STATUS_OK)
		return;
	lifeline_drop(walk->line);
	walk_end(c, walk, "no memory");
}

/* The coordinator when the answer is good; NULL when the walk has ended. */
static struct coordinator *walk_hear(struct walk *walk, const struct rpc_outcome *outcome)
{
	struct coordinator *c = lifeline_drop(walk->line);

	if (!c) {
		walk_free(walk);
		return NULL;
	}
	if (outcome->status == STATUS_OK)
		return c;
	walk_end(c, walk, outcome->fault);
	return NULL;
}

static void put_receipt(
	struct buf *out, const Pb__Receipt *receipt, const struct hash32 *tx_hash, int64_t height)
{
	struct account_address client, coordinator, miner;
	struct account_key key;
	char text[ADDRESS_TEXT_BYTES];

	memcpy(client.b, receipt->client.data, sizeof client.b);
	memcpy(coordinator.b, receipt->coordinator.data, sizeof coordinator.b);
	memcpy(key.b, receipt->miner.data, sizeof key.b);
	miner = account_address_of(&key);
	buf_append_text(out, "{\"receiptId\":");
	json_put_text(out, receipt->receipt_id);
	explorer_put_member(out, "jobId", receipt->job_id);
	address_text(text, &client);
	explorer_put_member(out, "client", text);
	address_text(text, &miner);
	explorer_put_member(out, "miner", text);
	address_text(text, &coordinator);
	explorer_put_member(out, "coordinator", text);
	explorer_put_member(out, "service", receipt->service);
	explorer_put_member(out, "unit_type", receipt->unit_type);
	buf_append_text(out, ",\"units_milli\":");
	json_put_u64_text(out, receipt->units_milli);
	buf_append_text(out, ",\"unit_price\":");
	json_put_u64_text(out, receipt->unit_price);
	buf_append_text(out, ",\"amount\":");
	json_put_u64_text(out, receipt->amount);
	buf_append_text(out, ",\"result_hash\":");
	json_put_hex_upper(out, receipt->result_hash.data, receipt->result_hash.len);
	buf_append_text(out, ",\"tx_hash\":");
	json_put_hex_upper(out, tx_hash->b, sizeof tx_hash->b);
	buf_appendf(out, ",\"height\":%lld", (long long)height);
}

static bool is_wanted(const struct walk *walk, const Pb__Receipt *receipt)
{
	struct account_address client;
	char text[ADDRESS_TEXT_BYTES];

	memcpy(client.b, receipt->client.data, sizeof client.b);
	address_text(text, &client);
	return (!walk->client[0] || strcmp(walk->client, text) == 0) &&
	       (!walk->job_id[0] || strcmp(walk->job_id, receipt->job_id) == 0);
}

static void take_tx(struct walk *walk, const char *text, const json_t *outcome, int64_t height)
{
	struct found_tx found;
	struct hash32 hash;
	bool read = found_tx_read(&found, text, outcome);

	hash = sha256(buf_view(&found.raw));
	for (size_t i = read ? found.tx.body->n_actions : 0; i > 0; i--) {
		const Pb__Action *action = found.tx.body->actions[i - 1];
		bool recorded = action->act_case == PB__ACTION__ACT_RECORD_RECEIPT;
		const Pb__Receipt *receipt = recorded ? action->record_receipt->receipt
					     : action->act_case == PB__ACTION__ACT_DELIVER_RESULT
						     ? action->deliver_result->receipt
						     : NULL;

		if (!receipt || found.codes[i - 1] != 0 || !is_wanted(walk, receipt))
			continue;
		buf_append_text(&walk->items, walk->count++ ? "," : "");
		put_receipt(&walk->items, receipt, &hash, height);
		explorer_put_member(&walk->items, "status", recorded ? "settled" : "delivered");
		buf_append_byte(&walk->items, '}');
	}
	found_tx_fini(&found);
}

static void on_results(void *ctx, const struct rpc_outcome *outcome)
{
	struct walk *walk = ctx;
	struct coordinator *c = walk_hear(walk, outcome);
	const json_t *txs, *results;

	if (!c)
		return;
	txs = json_object_get(
		json_object_get(json_object_get(walk->block, "block"), "data"), "txs");
	results = json_object_get(outcome->result, "txs_results");
	for (size_t i = json_array_size(txs); i > 0; i--) {
		const char *text = json_string_value(json_array_get(txs, i - 1));

		if (text)
			take_tx(walk, text, json_array_get(results, i - 1), walk->before);
	}
	json_decref(walk->block);
	walk->block = NULL;
	walk_on(c, walk);
}

static json_t *at_height(int64_t height)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)height);
	return json_pack("{s:s}", "height", text);
}

static void on_block(void *ctx, const struct rpc_outcome *outcome)
{
	struct walk *walk = ctx;
	struct coordinator *c = walk_hear(walk, outcome);

	if (!c)
		return;
	walk->block = json_deep_copy(outcome->result);
	if (!walk->block)
		walk_end(c, walk, "no memory");
	else
		walk_ask(c, walk, "block_results", at_height(walk->before), on_results);
}

static void on_headers(void *ctx, const struct rpc_outcome *outcome)
{
	struct walk *walk = ctx;
	struct coordinator *c = walk_hear(walk, outcome);
	const json_t *metas;
	int64_t lowest = 0;

	if (!c)
		return;
	metas = json_object_get(outcome->result, "block_metas");
	walk->full_count = walk->full_next = 0;
	for (size_t i = 0; i < json_array_size(metas) && i < HEADERS_PAGE; i++) {
		const json_t *meta = json_array_get(metas, i);
		int64_t height, count = 0;

		if (!field_i64(&height, json_object_get(meta, "header"), "height") ||
			!field_i64(&count, meta, "num_txs"))
			continue;
		if (count > 0)
			walk->full[walk->full_count++] = height;
		lowest = height;
	}
	walk->page_lowest = lowest;
	walk_on(c, walk);
}

/* The next block that holds transactions; else the next page of headers; else the end. */
static void walk_on(struct coordinator *c, struct walk *walk)
{
	bool enough = walk->count >= walk->limit || walk->blocks >= FULL_BLOCKS_MAX;
	char high[24], low[24];
	int64_t most;

	if (!enough && walk->full_next < walk->full_count) {
		walk->before = walk->full[walk->full_next++];
		walk->blocks++;
		walk_ask(c, walk, "block", at_height(walk->before), on_block);
		return;
	}
	if (walk->full_next == walk->full_count && walk->pages > 0)
		walk->before = walk->page_lowest;
	if (enough || walk->pages >= HEADER_PAGES_MAX || (walk->pages > 0 && walk->before <= 1)) {
		walk_end(c, walk, NULL);
		return;
	}
	walk->pages++;
	most = walk->before > 1 ? walk->before - 1 : 0; /* 0: the tip */
	snprintf(high, sizeof high, "%lld", (long long)most);
	snprintf(low, sizeof low, "%lld",
		(long long)(most > HEADERS_PAGE ? most - HEADERS_PAGE + 1
			    : most > 0          ? 1
						: 0));
	walk_ask(c, walk, "blockchain", json_pack("{s:s,s:s}", "minHeight", low, "maxHeight", high),
		on_headers);
}

static bool take_text(char *out, size_t size, const char *query, const char *name)
{
	struct buf text;
	bool fits = true;

	buf_init(&text, 128);
	if (http_query_param(&text, query, name)) {
		fits = buf_ok(&text) && text.len < size;
		if (fits)
			snprintf(out, size, "%s", buf_text(&text));
	}
	buf_fini(&text);
	return fits;
}

/* ?limit, ?before=HEIGHT (next_before of the last answer); ?client= and ?job_id= (the client's own
 * id) narrow. */
enum http_answer route_chain_receipts(struct route_call *call)
{
	const char *query = call->request->query;
	struct walk *walk = calloc(1, sizeof *walk);

	if (!walk) {
		reply_error(call->reply, 503, "BUSY", NULL, "no memory");
		return HTTP_DONE;
	}
	buf_init(&walk->items, HTTP_BODY_BYTES_MAX);
	walk->ticket = call->ticket;
	walk->limit = query_number(query, "limit", 20, RPC_PAGE_MAX);
	walk->before = (int64_t)query_number(query, "before", 0, INT64_MAX);
	if (!take_text(walk->client, sizeof walk->client, query, "client") ||
		!take_text(walk->job_id, sizeof walk->job_id, query, "job_id")) {
		reply_error(call->reply, 400, "VALIDATION_ERROR", "job_id", "is too long");
		walk_free(walk);
		return HTTP_DONE;
	}
	if (walk->before == 1) { /* nothing is below the first block */
		buf_append_text(&call->reply->body, "{\"items\":[],\"next_before\":null}");
		walk_free(walk);
		return HTTP_DONE;
	}
	walk_on(call->c, walk);
	return HTTP_WAIT;
}
