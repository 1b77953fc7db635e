#define _GNU_SOURCE
#include "rpc/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"

enum { RPC_ANSWER_BYTES_MAX = 32 * 1024 * 1024 }; /* a full block in base64 is a fifth of it */

struct rpc_client {
	struct http_client *http;
	char *url;
	uint64_t next_id;
	size_t calls; /* under way */
	bool closed;
};

struct rpc_pending {
	struct rpc_client *client;
	uint64_t id;
	rpc_done *done;
	void *ctx;
};

static void client_destroy(struct rpc_client *client)
{
	free(client->url);
	free(client);
}

enum status rpc_client_new(struct rpc_client **out, struct http_client *http, const char *url)
{
	struct rpc_client *client = calloc(1, sizeof *client);

	if (!client)
		return STATUS_NO_MEMORY;
	client->http = http;
	client->next_id = 1;
	client->url = strdup(url);
	if (!client->url) {
		free(client);
		return STATUS_NO_MEMORY;
	}
	*out = client;
	return STATUS_OK;
}

/* Calls still under way keep the memory until their answer, which nobody hears. */
void rpc_client_free(struct rpc_client *client)
{
	if (!client)
		return;
	client->closed = true;
	if (client->calls == 0)
		client_destroy(client);
}

/* --- the answer
 * ---------------------------------------------------------------------------------------- */

static void outcome_fault(struct rpc_outcome *outcome, enum status status, const char *fault)
{
	outcome->status = status;
	outcome->result = NULL;
	outcome->fault = fault;
}

/* The error's data says more than its message, which is one of five phrases. */
static void outcome_error(struct rpc_outcome *outcome, const json_t *error)
{
	const char *data = json_string_value(json_object_get(error, "data"));
	const char *message = json_string_value(json_object_get(error, "message"));

	outcome->code = json_integer_value(json_object_get(error, "code"));
	if (!data || !*data)
		data = message && *message ? message : "refused without a reason";
	outcome_fault(outcome, STATUS_REFUSED, data);
}

static void outcome_read(struct rpc_outcome *outcome, const json_t *answer, uint64_t id)
{
	const json_t *error = json_object_get(answer, "error");
	const json_t *result = json_object_get(answer, "result");
	const json_t *answer_id = json_object_get(answer, "id");

	if (json_is_object(error))
		outcome_error(outcome, error);
	else if (!result)
		outcome_fault(outcome, STATUS_IO, "the answer is not JSON-RPC");
	else if (!json_is_integer(answer_id) || (uint64_t)json_integer_value(answer_id) != id)
		outcome_fault(outcome, STATUS_IO, "the answer belongs to another call");
	else
		outcome->result = result;
}

static void on_answer(void *ctx, const struct http_result *result)
{
	struct rpc_pending *pending = ctx;
	struct rpc_client *client = pending->client;
	struct rpc_outcome outcome = {.status = result->status, .fault = result->fault};
	struct json_fault fault;
	json_t *answer = NULL;
	char text[256];

	if (result->status == STATUS_OK) {
		answer = json_read(result->body, &fault);
		if (json_is_object(answer)) {
			outcome_read(&outcome, answer, pending->id);
		} else {
			snprintf(text, sizeof text, "%s answered HTTP %u and no JSON-RPC",
				client->url, result->http_status);
			outcome_fault(&outcome, STATUS_IO, text);
		}
	}
	if (!client->closed)
		pending->done(pending->ctx, &outcome);
	json_decref(answer);
	free(pending);
	client->calls--;
	if (client->closed && client->calls == 0)
		client_destroy(client);
}

/* --- the call
 * ------------------------------------------------------------------------------------------ */

/* The request's text, NULL on no memory. Steals params. */
static char *request_text(uint64_t id, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", (json_int_t)id,
		"method", method, "params", params ? params : json_object());
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;

	json_decref(request);
	return text;
}

typedef enum status http_start(
	struct http_client *client, const struct http_call *call, http_done *done, void *ctx);

static enum status call_with(http_start *start, struct rpc_client *client, const char *method,
	json_t *params, uint32_t timeout_ms, rpc_done *done, void *ctx)
{
	static const struct http_header json = {"Content-Type", "application/json"};
	struct rpc_pending *pending = calloc(1, sizeof *pending);
	char *text = request_text(client->next_id, method, params);
	enum status status = STATUS_NO_MEMORY;

	if (pending && text) {
		*pending = (struct rpc_pending){client, client->next_id++, done, ctx};
		struct http_call call = {.method = HTTP_POST,
			.url = client->url,
			.headers = &json,
			.header_count = 1,
			.body = bytes_of_text(text),
			.answer_bytes_max = RPC_ANSWER_BYTES_MAX,
			.timeout_ms = timeout_ms};
		client->calls++;
		status = start(client->http, &call, on_answer, pending);
		if (status != STATUS_OK)
			client->calls--;
	}
	if (status != STATUS_OK)
		free(pending);
	free(text);
	return status;
}

enum status rpc_call(struct rpc_client *client, const char *method, json_t *params,
	uint32_t timeout_ms, rpc_done *done, void *ctx)
{
	return call_with(http_client_start, client, method, params, timeout_ms, done, ctx);
}

enum status rpc_call_wait(struct rpc_client *client, const char *method, json_t *params,
	uint32_t timeout_ms, rpc_done *done, void *ctx)
{
	return call_with(http_client_wait, client, method, params, timeout_ms, done, ctx);
}

/* --- params and results
 * -------------------------------------------------------------------------------- */

static json_t *params_base64(const char *key, struct bytes data)
{
	struct buf b;
	json_t *params = NULL;

	buf_init(&b, 0);
	buf_append_base64(&b, data.data, data.len);
	if (buf_ok(&b))
		params = json_pack("{s:s%}", key, b.len ? (const char *)b.data : "", b.len);
	buf_fini(&b);
	return params;
}

json_t *rpc_params_tx(struct bytes tx)
{
	return params_base64("tx", tx);
}

json_t *rpc_params_hash(const struct hash32 *hash)
{
	return params_base64("hash", hash_view(hash));
}

json_t *rpc_params_query(const char *path, struct bytes data)
{
	struct buf b;
	json_t *params = NULL;

	buf_init(&b, 0);
	buf_append_hex_lower(&b, data.data, data.len);
	if (buf_ok(&b))
		params = json_pack("{s:s, s:s%}", "path", path, "data",
			b.len ? (const char *)b.data : "", b.len);
	buf_fini(&b);
	return params;
}

json_t *rpc_query_value(const json_t *result, uint32_t *code, char log[256])
{
	const json_t *response = json_object_get(result, "response");
	const char *value = json_string_value(json_object_get(response, "value"));
	const char *text = json_string_value(json_object_get(response, "log"));
	struct json_fault fault;
	json_t *parsed = NULL;
	struct buf b;

	*code = (uint32_t)json_integer_value(json_object_get(response, "code"));
	snprintf(log, 256, "%s", text ? text : "");
	if (*code != 0 || !value)
		return NULL;
	buf_init(&b, 0);
	if (base64_decode(&b, value, strlen(value)) && buf_ok(&b)) {
		parsed = json_read(buf_view(&b), &fault);
		if (!parsed)
			snprintf(log, 256, "the value is not JSON: %s", fault.text);
	}
	buf_fini(&b);
	return parsed;
}
