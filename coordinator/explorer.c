/* The explorer's routes: everything is read from the chain at the moment it is asked, nothing from
 * our own records. When the chain can't be asked the answer is 502 and says so; there are no
 * made-up blocks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "coordinator/explorer.h"
#include "wallet/fields.h"

enum { EXPLORER_TIMEOUT_MS = 8000, BLOCKS_PAGE_MAX = 20 };

struct ask {
	struct lifeline *line;
	struct http_ticket ticket;
	uint64_t limit;
	void (*tell)(struct http_reply *reply, const json_t *result, const struct ask *ask);
};

static void on_answer(void *ctx, const struct rpc_outcome *outcome)
{
	struct ask *ask = ctx;
	struct coordinator *c = lifeline_drop(ask->line);
	struct http_reply reply;

	if (!c) {
		free(ask);
		return;
	}
	http_reply_init(&reply);
	if (outcome->status == STATUS_OK)
		ask->tell(&reply, outcome->result, ask);
	else if (outcome->status == STATUS_REFUSED)
		reply_error(
			&reply, 404, "NOT_FOUND", NULL, "the chain says: %.300s", outcome->fault);
	else
		reply_error(&reply, 502, "CHAIN_UNREACHABLE", NULL,
			"the chain can't be asked: %.300s", outcome->fault);
	reply_answer(c, ask->ticket, &reply);
	http_reply_fini(&reply);
	free(ask);
}

static enum http_answer ask(struct route_call *call, const char *method, json_t *params,
	uint64_t limit,
	void (*tell)(struct http_reply *reply, const json_t *result, const struct ask *ask))
{
	struct ask *asked = malloc(sizeof *asked);

	if (asked) {
		asked->ticket = call->ticket;
		asked->limit = limit;
		asked->tell = tell;
		asked->line = lifeline_hold(call->c);
		if (rpc_call(call->c->config.rpc, method, params, EXPLORER_TIMEOUT_MS, on_answer,
			    asked) == STATUS_OK)
			return HTTP_WAIT;
		lifeline_drop(asked->line);
		free(asked);
	} else {
		json_decref(params);
	}
	reply_error(call->reply, 503, "BUSY", NULL, "the chain can't be asked now");
	return HTTP_DONE;
}

void explorer_put_member(struct buf *out, const char *key, const char *value)
{
	buf_append_byte(out, ',');
	json_put_key(out, key);
	json_put_text(out, value);
}

/* ---- blocks ---- */

static void put_block_head(
	struct buf *out, const json_t *block_id, const json_t *header, const char *tx_count)
{
	buf_append_text(out, "{\"height\":");
	buf_append_text(out, field_text(header, "height")[0] ? field_text(header, "height") : "0");
	explorer_put_member(out, "hash", field_text(block_id, "hash"));
	explorer_put_member(out, "timestamp", field_text(header, "time"));
	explorer_put_member(out, "proposer", field_text(header, "proposer_address"));
	explorer_put_member(out, "app_hash", field_text(header, "app_hash"));
	buf_appendf(out, ",\"txCount\":%s", tx_count[0] ? tx_count : "0");
}

static void tell_blocks(struct http_reply *reply, const json_t *result, const struct ask *asked)
{
	const json_t *metas = json_object_get(result, "block_metas");
	struct buf *out = &reply->body;
	uint64_t lowest = 0;

	buf_append_text(out, "{\"items\":[");
	for (size_t i = 0; i < json_array_size(metas) && i < asked->limit; i++) {
		const json_t *meta = json_array_get(metas, i);
		const json_t *header = json_object_get(meta, "header");

		buf_append_text(out, i ? "," : "");
		put_block_head(out, json_object_get(meta, "block_id"), header,
			field_text(meta, "num_txs"));
		buf_append_byte(out, '}');
		if (!field_u64(&lowest, header, "height"))
			lowest = 0;
	}
	buf_appendf(out, "],\"last_height\":%s,\"next_before\":",
		field_text(result, "last_height")[0] ? field_text(result, "last_height") : "0");
	if (lowest > 1)
		json_put_u64(out, lowest);
	else
		buf_append_text(out, "null");
	buf_append_byte(out, '}');
}

/* ?limit (20 at most), ?offset from the tip, or ?before=HEIGHT. */
enum http_answer route_blocks(struct route_call *call)
{
	const char *query = call->request->query;
	uint64_t limit = query_number(query, "limit", BLOCKS_PAGE_MAX, BLOCKS_PAGE_MAX);
	uint64_t before = query_number(query, "before", 0, INT64_MAX);
	uint64_t offset = query_number(query, "offset", 0, INT64_MAX);
	uint64_t tip = call->c->chain_height > 0 ? (uint64_t)call->c->chain_height : 0;
	uint64_t most = before > 1 ? before - 1 : offset > 0 && offset < tip ? tip - offset : 0;
	char high[24], low[24];

	if (limit == 0)
		limit = 1;
	snprintf(high, sizeof high, "%llu", (unsigned long long)most);
	snprintf(low, sizeof low, "%llu",
		(unsigned long long)(most > limit ? most - limit + 1
				     : most       ? 1
						  : 0));
	return ask(call, "blockchain", json_pack("{s:s,s:s}", "minHeight", low, "maxHeight", high),
		limit, tell_blocks);
}

static void put_tx_hashes(struct buf *out, const json_t *txs)
{
	for (size_t i = 0; i < json_array_size(txs); i++) {
		const json_t *tx = json_array_get(txs, i);
		struct hash32 hash;
		struct buf raw;

		buf_init(&raw, 0);
		if (json_is_string(tx) &&
			base64_decode(&raw, json_string_value(tx), json_string_length(tx)) &&
			buf_ok(&raw)) {
			hash = sha256(buf_view(&raw));
			buf_append_text(out, i ? "," : "");
			json_put_hex_upper(out, hash.b, sizeof hash.b);
		}
		buf_fini(&raw);
	}
}

static void tell_block(struct http_reply *reply, const json_t *result, const struct ask *asked)
{
	const json_t *block = json_object_get(result, "block");
	const json_t *txs = json_object_get(json_object_get(block, "data"), "txs");
	struct buf *out = &reply->body;
	char count[24];

	(void)asked;
	if (!json_is_object(block)) {
		reply_error(reply, 404, "NOT_FOUND", NULL, "no such block");
		return;
	}
	snprintf(count, sizeof count, "%zu", json_array_size(txs));
	put_block_head(
		out, json_object_get(result, "block_id"), json_object_get(block, "header"), count);
	explorer_put_member(out, "parent_hash",
		field_text(json_object_get(json_object_get(block, "header"), "last_block_id"),
			"hash"));
	buf_append_text(out, ",\"transactions\":[");
	put_tx_hashes(out, txs);
	buf_append_text(out, "]}");
}

/* By height, or by hash (64 hex digits). */
enum http_answer route_block(struct route_call *call)
{
	struct hash32 hash;
	const char *id = call->arg[0];

	if (id[0] && strspn(id, "0123456789") == strlen(id) && strlen(id) < 19)
		return ask(call, "block", json_pack("{s:s}", "height", id), 0, tell_block);
	if (strncmp(id, "0x", 2) == 0)
		id += 2;
	if (hex_decode(hash.b, sizeof hash.b, id, strlen(id)))
		return ask(call, "block_by_hash", rpc_params_hash(&hash), 0, tell_block);
	reply_error(call->reply, 400, "VALIDATION_ERROR", "block",
		"is a height or a hash of 64 hex digits");
	return HTTP_DONE;
}

/* ---- transactions ---- */

bool found_tx_read(struct found_tx *found, const char *text, const json_t *outcome)
{
	enum status local = STATUS_OK;
	uint32_t code = 0;
	char fault[64];

	arena_init(&found->arena, TX_ARENA_BYTES_MAX);
	buf_init(&found->raw, TX_BYTES_MAX);
	if (!base64_decode(&found->raw, text, strlen(text)) || !buf_ok(&found->raw) ||
		tx_decode(&found->tx, &found->arena, buf_view(&found->raw), &local, fault) !=
			SETTLE_OK)
		return false;
	code = (uint32_t)json_integer_value(json_object_get(outcome, "code"));
	if (!sender_codes(found->codes, found->tx.body->n_actions, found->tx.body->mode, code,
		    field_text(outcome, "log")) &&
		code == 0)
		return false;
	return true;
}

void found_tx_fini(struct found_tx *found)
{
	buf_fini(&found->raw);
	arena_fini(&found->arena);
}

static const char *action_name(const Pb__Action *action)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
		&pb__action__descriptor, (unsigned)action->act_case);

	return field ? field->name : "unknown";
}

static void put_value(struct buf *out, const struct found_tx *found)
{
	char to[ADDRESS_TEXT_BYTES] = "";
	uint64_t value = 0;

	for (size_t i = 0; i < found->tx.body->n_actions; i++) {
		const Pb__Action *action = found->tx.body->actions[i];
		struct account_address address;

		if (action->act_case != PB__ACTION__ACT_TRANSFER)
			continue;
		memcpy(address.b, action->transfer->to.data, sizeof address.b);
		address_text(to, &address);
		value += action->transfer->amount;
	}
	explorer_put_member(out, "to", to);
	buf_append_text(out, ",\"value\":");
	json_put_u64_text(out, value);
}

static void tell_transaction(
	struct http_reply *reply, const json_t *result, const struct ask *asked)
{
	const json_t *outcome = json_object_get(result, "tx_result");
	struct buf *out = &reply->body;
	char from[ADDRESS_TEXT_BYTES];
	struct found_tx found;

	(void)asked;
	buf_append_text(out, "{\"hash\":");
	json_put_text(out, field_text(result, "hash"));
	buf_appendf(out, ",\"block\":%s,\"index\":%lld,\"code\":%lld",
		field_text(result, "height")[0] ? field_text(result, "height") : "0",
		(long long)json_integer_value(json_object_get(result, "index")),
		(long long)json_integer_value(json_object_get(outcome, "code")));
	explorer_put_member(out, "status",
		json_integer_value(json_object_get(outcome, "code")) == 0 ? "success" : "failed");
	explorer_put_member(out, "log", field_text(outcome, "log"));
	if (found_tx_read(&found, field_text(result, "tx"), outcome)) {
		address_text(from, &found.tx.sender);
		explorer_put_member(out, "from", from);
		put_value(out, &found);
		buf_append_text(out, ",\"fee\":");
		json_put_u64_text(out, found.tx.body->fee);
		buf_append_text(out, ",\"sequence\":");
		json_put_u64_text(out, found.tx.body->sequence);
		explorer_put_member(out, "memo", found.tx.body->memo);
		buf_append_text(out, ",\"actions\":[");
		for (size_t i = 0; i < found.tx.body->n_actions; i++) {
			buf_append_text(out, i ? ",{\"type\":" : "{\"type\":");
			json_put_text(out, action_name(found.tx.body->actions[i]));
			buf_appendf(out, ",\"code\":%u}", found.codes[i]);
		}
		buf_append_byte(out, ']');
	}
	found_tx_fini(&found);
	buf_append_byte(out, '}');
}

enum http_answer route_transaction(struct route_call *call)
{
	struct hash32 hash;
	const char *id = call->arg[0];

	if (strncmp(id, "by-hash/", 8) == 0)
		id += 8;
	if (strncmp(id, "0x", 2) == 0)
		id += 2;
	if (hex_decode(hash.b, sizeof hash.b, id, strlen(id)))
		return ask(call, "tx", rpc_params_hash(&hash), 0, tell_transaction);
	reply_error(call->reply, 400, "VALIDATION_ERROR", "hash", "is 64 hex digits");
	return HTTP_DONE;
}
