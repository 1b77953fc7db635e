#define _POSIX_C_SOURCE 200809L
#include "tests/unit/wallet_chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/rfc3339.h"

static struct chain_tx *find(struct chain *c, const struct hash32 *hash)
{
	for (size_t i = 0; i < c->tx_count; i++)
		if (hash_equal(&c->txs[i].hash, hash))
			return &c->txs[i];
	return NULL;
}

/* One block per transaction, as long as the next sequence waits. */
static void commit_ready(struct chain *c)
{
	for (size_t i = 0; i < c->tx_count; i++) {
		struct chain_tx *tx = &c->txs[i];
		if (tx->height == 0 && tx->valid_until_ms < c->block_ms)
			tx->lost = true;
		if (tx->height == 0 && !tx->lost && tx->sequence == c->next_sequence) {
			tx->height = ++c->height;
			c->next_sequence++;
			i = (size_t)-1;
		}
	}
}

static void put_result(struct chain *c, struct buf *out, const struct chain_tx *tx)
{
	buf_appendf(out,
		"{\"check_tx\":{\"code\":0,\"log\":\"\"},\"tx_result\":{\"code\":0,\"log\":\"%s\"},"
		"\"height\":\"%" PRId64 "\",\"hash\":\"",
		c->each_failed ? "1:wrong_state" : "", tx->height);
	buf_append_hex_upper(out, tx->hash.b, 32);
	buf_append_text(out, "\"}");
}

static void put_check(struct buf *out, uint32_t code)
{
	buf_appendf(out,
		"{\"check_tx\":{\"code\":%u,\"log\":\"said the chain\"},\"tx_result\":{\"code\":0},"
		"\"height\":\"0\",\"hash\":\"\"}",
		code);
}

/* A new row, or NULL with a code when it can't be read, is signed wrongly, or doesn't pay exactly
 * its fee. */
static struct chain_tx *admit(
	struct chain *c, uint32_t *code, struct bytes raw, const struct hash32 *hash)
{
	struct arena arena;
	struct tx tx;
	enum status local;
	char fault[64];
	struct chain_tx *row = NULL;

	arena_init(&arena, TX_ARENA_BYTES_MAX);
	*code = SETTLE_BAD_ENCODING;
	bool read = c->tx_count < CHAIN_TXS_MAX &&
		    tx_decode(&tx, &arena, raw, &local, fault) == SETTLE_OK &&
		    tx_verify(&tx, &c->tag);
	if (read && tx.body->fee < c->base_fee + tx.size) {
		*code = SETTLE_FEE_TOO_LOW;
	} else if (read && tx.body->fee == c->base_fee + tx.size) {
		row = &c->txs[c->tx_count++];
		*row = (struct chain_tx){.hash = *hash,
			.sequence = tx.body->sequence,
			.valid_until_ms = tx.body->valid_until_ms};
		const Pb__Action *act = tx.body->actions[0];
		if (act->act_case == PB__ACTION__ACT_CANCEL_JOB)
			snprintf(row->job_id, sizeof row->job_id, "%s", act->cancel_job->job_id);
		else
			row->transfer = act->transfer->amount;
	}
	arena_fini(&arena);
	return row;
}

/* Appends the result, or returns the text of a JSON-RPC error; "mute": no answer at all. */
static const char *broadcast(struct chain *c, struct buf *out, struct bytes raw)
{
	struct hash32 hash = sha256(raw);
	enum chain_plan plan =
		c->broadcasts < c->plan_count ? c->plans[c->broadcasts] : PLAN_COMMIT;
	struct chain_tx *known = find(c, &hash);

	c->broadcasts++;
	commit_ready(c);
	if (known && !known->lost && known->height == 0 && known->sequence >= c->next_sequence)
		return "tx already exists in cache";
	if (known && known->sequence < c->next_sequence)
		return put_check(out, SETTLE_STALE_SEQUENCE), NULL;
	if (plan == PLAN_LOSE)
		return "mute";
	if (plan == PLAN_FULL)
		return "mempool is full: number of txs 1 (max: 1), total txs bytes 1 (max: 1)";
	if (plan == PLAN_REFUSE_FUNDS)
		return put_check(out, SETTLE_INSUFFICIENT_FUNDS), NULL;
	if (plan == PLAN_REFUSE_FEE) {
		c->base_fee += 1000;
		return put_check(out, SETTLE_FEE_TOO_LOW), NULL;
	}
	if (plan == PLAN_STEAL)
		c->next_sequence++;
	uint32_t code;
	struct chain_tx *tx = admit(c, &code, raw, &hash);
	if (!tx)
		return put_check(out, code), NULL;
	if (tx->sequence < c->next_sequence) {
		c->tx_count--;
		return put_check(out, SETTLE_STALE_SEQUENCE), NULL;
	}
	if (plan == PLAN_LOSE_ADMITTED) {
		tx->lost = true;
		c->block_ms += 120 * 1000;
		return "timed out waiting for tx to be included in a block";
	}
	if (plan != PLAN_COMMIT_LATE)
		commit_ready(c);
	if (plan == PLAN_COMMIT_MUTE)
		return "mute";
	if (tx->height == 0)
		return "timed out waiting for tx to be included in a block";
	put_result(c, out, tx);
	return NULL;
}

static const char *look_up(struct chain *c, struct buf *out, struct bytes raw)
{
	struct hash32 hash;
	struct chain_tx *tx;

	memcpy(hash.b, raw.data, raw.len < 32 ? raw.len : 32);
	tx = find(c, &hash);
	bool found = tx && tx->height;
	commit_ready(c); /* what is late commits after this look-up */
	if (!found)
		return "tx (00) not found";
	put_result(c, out, tx);
	return NULL;
}

static void query(struct chain *c, struct buf *out, const char *path)
{
	struct buf value = {0};

	if (strcmp(path, "/chain") == 0) {
		buf_append_text(&value, "{\"chain_tag\":");
		json_put_hex_upper(&value, c->tag.b, 32);
		buf_append_text(&value, "}");
	} else if (strcmp(path, "/params") == 0) {
		buf_appendf(&value, "{\"base_fee\":\"%" PRIu64 "\",\"fee_per_byte\":\"1\"}",
			c->base_fee);
	} else {
		buf_appendf(&value, "{\"balance\":\"1000\",\"next_sequence\":\"%" PRIu64 "\"}",
			c->next_sequence);
	}
	buf_append_text(out, "{\"response\":{\"code\":0,\"log\":\"\",\"value\":");
	json_put_base64(out, value.data, value.len);
	buf_append_text(out, "}}");
	buf_fini(&value);
}

static void status(struct chain *c, struct buf *out)
{
	char time[RFC3339_BYTES];

	c->block_ms += 500; /* time goes on, so that every doubt ends */
	rfc3339_text(time, timestamp_of_ms((int64_t)c->block_ms));
	buf_appendf(out,
		"{\"node_info\":{\"network\":\"devnet-t\"},\"sync_info\":{\"latest_block_time\":\"%"
		"s\"}}",
		time);
}

static const char *answer(struct chain *c, struct buf *out, const json_t *call)
{
	const char *method = json_string_value(json_object_get(call, "method"));
	const json_t *params = json_object_get(call, "params");
	const char *binary = json_string_value(
		json_object_get(params, strcmp(method, "tx") == 0 ? "hash" : "tx"));
	const char *error = NULL;
	struct buf raw = {0};

	if (binary && !base64_decode(&raw, binary, strlen(binary)))
		return "not base64";
	if (strcmp(method, "status") == 0)
		status(c, out);
	else if (strcmp(method, "abci_query") == 0)
		query(c, out, json_string_value(json_object_get(params, "path")));
	else if (strcmp(method, "broadcast_tx_commit") == 0)
		error = broadcast(c, out, buf_view(&raw));
	else
		error = look_up(c, out, buf_view(&raw));
	buf_fini(&raw);
	return error;
}

static enum http_answer handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct json_fault fault;
	struct buf result = {0};
	json_t *call = json_read(request->body, &fault);
	const char *error = answer(self, &result, call);

	reply->status = 200;
	reply->content_type = "application/json";
	buf_appendf(&reply->body, "{\"jsonrpc\":\"2.0\",\"id\":%lld,",
		(long long)json_integer_value(json_object_get(call, "id")));
	if (error && strcmp(error, "mute") == 0) {
		buf_clear(&reply->body);
		reply->status = 502;
	} else if (error) {
		buf_appendf(&reply->body,
			"\"error\":{\"code\":-32603,\"message\":\"Internal error\","
			"\"data\":\"%s\"}}",
			error);
	} else {
		buf_append_text(&reply->body, "\"result\":");
		buf_append_view(&reply->body, buf_view(&result));
		buf_append_text(&reply->body, "}");
	}
	buf_fini(&result);
	json_decref(call);
	return HTTP_DONE;
}

bool chain_start(struct chain *c, struct event_base *loop)
{
	struct http_shell_config config = {
		.listen_address = "127.0.0.1", .handler = handle, .self = c};
	struct timespec now;
	char fault[256];

	if (http_shell_start(&c->shell, loop, &config, fault) != STATUS_OK)
		return false;
	snprintf(c->url, sizeof c->url, "http://127.0.0.1:%u", http_shell_port(c->shell));
	clock_gettime(CLOCK_REALTIME, &now);
	c->block_ms = (uint64_t)now.tv_sec * 1000;
	c->base_fee = 100;
	c->tag.b[0] = 5;
	return true;
}

void chain_stop(struct chain *c)
{
	http_shell_stop(c->shell, 0);
}

size_t chain_committed(const struct chain *c, const char *job_id)
{
	size_t count = 0;

	for (size_t i = 0; i < c->tx_count; i++)
		if (c->txs[i].height && strcmp(c->txs[i].job_id, job_id) == 0)
			count++;
	return count;
}
