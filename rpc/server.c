/* HTTP in, calls out, and back. A request becomes an exchange of one call or of a batch; the calls
 * write their replies, and when the last has ended the exchange is answered: in the same turn, or
 * through its ticket. */
#define _GNU_SOURCE
#include "rpc/server.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"
#include "base/limits.h"
#include "rpc/call.h"

struct exchange {
	struct rpc_server *server; /* NULL: the server is gone, only memory is left to free */
	struct exchange *next;
	struct exchange *previous;
	struct http_ticket ticket;
	bool is_detached; /* the handler has answered HTTP_WAIT */
	bool is_uri;
	size_t open; /* calls that have not ended */
	size_t count;
	struct call calls[];
};

/* --- one call's reply
 * ---------------------------------------------------------------------------------- */

static const char *code_message(enum rpc_code code)
{
	switch (code) {
	case RPC_PARSE_ERROR: return "Parse error. Invalid JSON";
	case RPC_INVALID_REQUEST: return "Invalid Request";
	case RPC_METHOD_NOT_FOUND: return "Method not found";
	case RPC_INVALID_PARAMS: return "Invalid params";
	case RPC_INTERNAL_ERROR: break;
	}
	return "Internal error";
}

/* "error":{..} and the end of the reply. An empty data is left out. */
static void put_error(struct buf *out, enum rpc_code code, const char *data)
{
	buf_append_text(out, "\"error\":{\"code\":");
	json_put_i64(out, code);
	buf_append_text(out, ",\"message\":");
	json_put_text(out, code_message(code));
	if (data[0]) {
		buf_append_text(out, ",\"data\":");
		json_put_text(out, data);
	}
	buf_append_text(out, "}}");
}

enum rpc_end call_fail(struct call *call, enum rpc_code code, const char *format, ...)
{
	char data[RPC_FAULT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(data, sizeof data, format, args);
	va_end(args);
	/* A result that outgrew its bound has lost nothing of the prefix, which came first. */
	call->out.failed = false;
	call->out.len = call->prefix_len;
	put_error(&call->out, code, data);
	return RPC_FAILED;
}

enum rpc_end call_fail_status(struct call *call, const char *what, enum status status)
{
	if (call->server->config.log && status != STATUS_NOT_FOUND)
		log_event(call->server->config.log, LOG_BROKEN,
			"rpc_answer what=\"%s\" status=\"%s\"", what, status_text(status));
	return call_fail(call, RPC_INTERNAL_ERROR, "%s: %s", what, status_text(status));
}

static void exchange_answer_late(struct exchange *x);

void call_end(struct call *call, enum rpc_end end)
{
	struct exchange *x = call->exchange;

	CHECK(end != RPC_LATER);
	CHECK(call->is_open);
	if (end == RPC_DONE && buf_ok(&call->out))
		buf_append_byte(&call->out, '}');
	if (end == RPC_DONE && !buf_ok(&call->out))
		end = call_fail(call, RPC_INTERNAL_ERROR, "the answer is too large");
	call->is_failed = end == RPC_FAILED;
	call->is_open = false;
	x->open--;
	if (x->open == 0 && x->is_detached)
		exchange_answer_late(x);
}

/* id: as it stood in the request; empty: the reply has none. */
static void call_prefix(struct call *call, struct bytes id)
{
	buf_append_text(&call->out, "{\"jsonrpc\":\"2.0\",");
	if (id.len > 0) {
		json_put_key(&call->out, "id");
		buf_append_view(&call->out, id);
		buf_append_byte(&call->out, ',');
	}
	call->prefix_len = call->out.len;
}

/* --- exchanges
 * ----------------------------------------------------------------------------------------- */

static struct exchange *exchange_new(
	struct rpc_server *server, size_t count, struct http_ticket ticket, bool is_uri)
{
	struct exchange *x = calloc(1, sizeof *x + count * sizeof x->calls[0]);

	if (!x)
		return NULL;
	x->server = server;
	x->ticket = ticket;
	x->is_uri = is_uri;
	x->count = count;
	x->open = count;
	for (size_t i = 0; i < count; i++) {
		x->calls[i].exchange = x;
		x->calls[i].server = server;
		x->calls[i].view = &server->view;
		x->calls[i].is_open = true;
		buf_init(&x->calls[i].out, 0);
	}
	return x;
}

static void exchange_free(struct exchange *x)
{
	for (size_t i = 0; i < x->count; i++)
		buf_fini(&x->calls[i].out);
	free(x);
}

static void exchange_link(struct exchange *x)
{
	x->next = x->server->open;
	if (x->next)
		x->next->previous = x;
	x->server->open = x;
}

static void exchange_unlink(struct rpc_server *server, struct exchange *x)
{
	if (x->previous)
		x->previous->next = x->next;
	else
		server->open = x->next;
	if (x->next)
		x->next->previous = x->previous;
}

static int64_t unix_seconds(const struct rpc_server *server)
{
	return server->config.unix_seconds ? server->config.unix_seconds(server->config.clock_ctx)
					   : (int64_t)time(NULL);
}

uint64_t call_unix_ms(const struct call *call)
{
	int64_t seconds = unix_seconds(call->server);

	return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}

static void reply_headers(struct rpc_server *server, struct http_reply *reply, bool cacheable)
{
	snprintf(server->time_text, sizeof server->time_text, "%" PRId64, unix_seconds(server));
	reply->content_type = "application/json";
	http_reply_header(reply, "X-Server-Time", server->time_text);
	if (cacheable)
		http_reply_header(reply, "Cache-Control", "public, max-age=86400");
}

/* Joins what isn't silent: one reply stands alone, more become an array, none leave the body empty.
 */
static void join_replies(struct exchange *x, struct buf *body)
{
	size_t loud = 0;
	struct call *only = NULL;

	for (size_t i = 0; i < x->count; i++) {
		if (!x->calls[i].is_silent)
			loud++, only = &x->calls[i];
	}
	if (loud == 0)
		return;
	if (loud == 1) {
		buf_fini(body);
		*body = only->out;
		buf_init(&only->out, 0);
		return;
	}
	for (size_t i = 0; i < x->count; i++) {
		if (x->calls[i].is_silent)
			continue;
		buf_append_byte(body, body->len == 0 ? '[' : ',');
		buf_append_view(body, buf_view(&x->calls[i].out));
	}
	buf_append_byte(body, ']');
}

static void exchange_reply(struct exchange *x, struct http_reply *reply)
{
	bool cacheable = x->count > 0;

	for (size_t i = 0; i < x->count; i++)
		cacheable = cacheable && !x->calls[i].is_failed && x->calls[i].is_cacheable;
	if (x->is_uri && x->calls[0].is_failed)
		reply->status = 500;
	join_replies(x, &reply->body);
	reply_headers(x->server, reply, cacheable);
}

static void exchange_answer_late(struct exchange *x)
{
	struct rpc_server *server = x->server;
	struct http_reply reply;

	if (server) {
		exchange_unlink(server, x);
		http_reply_init(&reply);
		exchange_reply(x, &reply);
		/* False: the requester has left; the reply is freed all the same. */
		(void)http_ticket_answer(server->shell, x->ticket, &reply);
	}
	exchange_free(x);
}

/* After every call was started: answers now, or keeps the exchange. */
static enum http_answer exchange_finish(struct exchange *x, struct http_reply *reply)
{
	if (x->open > 0) {
		x->is_detached = true;
		exchange_link(x);
		return HTTP_WAIT;
	}
	exchange_reply(x, reply);
	exchange_free(x);
	return HTTP_DONE;
}

/* An answer outside any call: no id is known. */
static enum http_answer answer_error(struct rpc_server *server, struct http_reply *reply,
	uint16_t status, enum rpc_code code, const char *data)
{
	reply->status = status;
	buf_append_text(&reply->body, "{\"jsonrpc\":\"2.0\",");
	put_error(&reply->body, code, data);
	reply_headers(server, reply, false);
	return HTTP_DONE;
}

/* --- running calls
 * ------------------------------------------------------------------------------------- */

static bool may_cache(const struct rpc_method *method, const struct rpc_value *args)
{
	switch (method->cache) {
	case RPC_CACHE_NO: return false;
	case RPC_CACHE_YES: return true;
	case RPC_CACHE_WITH_HEIGHT: return args[0].given && args[0].number != 0;
	}
	return false;
}

static void call_run(
	struct call *call, const struct rpc_method *method, const struct rpc_value *args)
{
	arena_reset(&call->server->arena);
	call->is_cacheable = may_cache(method, args);
	json_put_key(&call->out, "result");
	enum rpc_end end = method->handler(call, args);
	/* A call that said "later" may have ended before its handler came back. */
	if (end != RPC_LATER)
		call_end(call, end);
}

/* One element of a request body. */
static enum rpc_end call_of_json(struct call *call, const json_t *request, struct bytes id)
{
	const json_t *name = json_object_get(request, "method");
	struct rpc_value args[RPC_PARAMS_MAX];
	char fault[RPC_FAULT_BYTES];

	if (!json_is_object(request)) {
		call_prefix(call, bytes_view(NULL, 0));
		return call_fail(call, RPC_INVALID_REQUEST, "a request must be a JSON object");
	}
	if (id.len > 0 && id.data[0] != 'n' && id.data[0] != '"' && !rpc_id_is_integer(id)) {
		call_prefix(call, bytes_view(NULL, 0));
		return call_fail(
			call, RPC_INVALID_REQUEST, "id: must be a string, an integer or null");
	}
	call->is_silent = id.len == 0 || id.data[0] == 'n';
	call_prefix(call, id);
	if (name && !json_is_string(name))
		return call_fail(call, RPC_INVALID_REQUEST, "method: must be a string");
	const struct rpc_method *method =
		name ? rpc_method_find(json_string_value(name), json_string_length(name)) : NULL;
	if (!method)
		return call_fail(call, RPC_METHOD_NOT_FOUND, "%s", "");
	if (!call_params_json(
		    call->server, args, method, json_object_get(request, "params"), fault))
		return call_fail(call, RPC_INVALID_PARAMS,
			"error converting json params to arguments: %s", fault);
	call_run(call, method, args);
	return RPC_LATER;
}

/* Runs the elements in order; ids are their ids as spelled. */
static void run_batch(struct exchange *x, const json_t *body, const struct bytes *ids)
{
	size_t written = 0;

	for (size_t i = 0; i < x->count; i++) {
		struct call *call = &x->calls[i];
		enum rpc_end end;

		if (written > RPC_BATCH_REPLY_BYTES_MAX) {
			call_prefix(call, ids[i]);
			end = call_fail(call, RPC_INTERNAL_ERROR,
				"the batch's answers are over %d bytes; ask for less at one time",
				RPC_BATCH_REPLY_BYTES_MAX);
		} else {
			end = call_of_json(
				call, json_is_array(body) ? json_array_get(body, i) : body, ids[i]);
		}
		if (end != RPC_LATER)
			call_end(call, end);
		written += call->out.len;
	}
}

static enum http_answer handle_body(struct rpc_server *server, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply, const json_t *body)
{
	size_t count = json_is_array(body) ? json_array_size(body) : 1;
	struct bytes ids[1] = {{NULL, 0}};
	struct bytes *batch_ids = ids;

	if (!json_is_array(body) && !json_is_object(body))
		return answer_error(server, reply, 200, RPC_INVALID_REQUEST,
			"a request must be a JSON object or an array of them");
	if (count > server->config.batch_max) {
		char data[128];

		snprintf(data, sizeof data,
			"batch request exceeds maximum (%u) allowed number of requests",
			server->config.batch_max);
		return answer_error(server, reply, 200, RPC_INVALID_REQUEST, data);
	}
	if (count > 1)
		batch_ids = calloc(count, sizeof *batch_ids);
	struct exchange *x = batch_ids ? exchange_new(server, count, ticket, false) : NULL;
	if (!x) {
		if (batch_ids != ids)
			free(batch_ids);
		return answer_error(server, reply, 503, RPC_INTERNAL_ERROR, "no memory");
	}
	if (count > 0)
		json_id_spans(request->body, batch_ids, count);
	run_batch(x, body, batch_ids);
	if (batch_ids != ids)
		free(batch_ids);
	return exchange_finish(x, reply);
}

static enum http_answer handle_plain(struct rpc_server *server, const struct rpc_plain *plain,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct exchange *x = exchange_new(server, 1, ticket, false);

	if (!x)
		return answer_error(server, reply, 503, RPC_INTERNAL_ERROR, "no memory");
	x->calls[0].is_silent = plain->id.len == 0 || plain->id.data[0] == 'n';
	call_prefix(&x->calls[0], plain->id);
	call_run(&x->calls[0], plain->method, plain->args);
	return exchange_finish(x, reply);
}

static enum http_answer handle_post(struct rpc_server *server, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct rpc_plain plain;

	if (rpc_plain_read(server, &plain, request->body))
		return handle_plain(server, &plain, ticket, reply);

	struct json_fault fault;
	json_t *body = json_read_bounded(request->body, RPC_JSON_VALUES_MAX, &fault);

	if (!body) {
		char data[256];

		snprintf(data, sizeof data, "error unmarshalling request: %s", fault.text);
		return answer_error(server, reply, 500, RPC_PARSE_ERROR, data);
	}
	enum http_answer answer = handle_body(server, request, ticket, reply, body);
	json_decref(body);
	return answer;
}

/* The form of a POST to a method's path, as a text; "" when it isn't one. In the call's arena:
 * 0-terminated. */
static const char *form_text(struct rpc_server *server, const struct http_request *request)
{
	const char *type = http_request_header(request, "Content-Type");
	static const char form[] = "application/x-www-form-urlencoded";

	if (request->method != HTTP_POST || !type || strncasecmp(type, form, sizeof form - 1) != 0)
		return "";
	arena_reset(&server->arena);
	const char *text = arena_text(&server->arena, request->body);
	return text ? text : "";
}

static enum http_answer handle_uri(struct rpc_server *server, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply, const struct rpc_method *method)
{
	struct exchange *x = exchange_new(server, 1, ticket, true);
	struct rpc_value args[RPC_PARAMS_MAX];
	char fault[RPC_FAULT_BYTES];

	if (!x)
		return answer_error(server, reply, 503, RPC_INTERNAL_ERROR, "no memory");
	call_prefix(&x->calls[0], bytes_of_text("-1"));
	if (call_params_uri(
		    server, args, method, request->query, form_text(server, request), fault))
		call_run(&x->calls[0], method, args);
	else
		call_end(&x->calls[0],
			call_fail(&x->calls[0], RPC_INVALID_PARAMS,
				"error converting http params to arguments: %s", fault));
	return exchange_finish(x, reply);
}

/* --- the page of endpoints
 * ----------------------------------------------------------------------------- */

static enum http_answer answer_endpoints(struct http_reply *reply)
{
	size_t count;
	const struct rpc_method *methods = rpc_methods(&count);
	struct buf *out = &reply->body;

	reply->content_type = "text/html; charset=utf-8";
	buf_append_text(out, "<!DOCTYPE html><html><head><title>JSON-RPC endpoints</title></head>"
			     "<body><p>Available endpoints:</p>\n");
	/* Links are relative: the request's Host has no place in a page. */
	for (size_t i = 0; i < count; i++) {
		buf_appendf(out, "<a href=\"/%s", methods[i].name);
		for (size_t p = 0; p < methods[i].param_count; p++)
			buf_appendf(
				out, "%s%s=_", p == 0 ? "?" : "&amp;", methods[i].params[p].name);
		buf_appendf(out, "\">%s</a><br>\n", methods[i].name);
	}
	buf_append_text(out, "</body></html>\n");
	return HTTP_DONE;
}

static enum http_answer answer_text(struct http_reply *reply, uint16_t status, const char *text)
{
	reply->status = status;
	reply->content_type = "text/plain; charset=utf-8";
	buf_append_text(&reply->body, text);
	return HTTP_DONE;
}

enum http_answer rpc_server_handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct rpc_server *server = self;
	const struct rpc_method *method;

	server->now_ms = request->now_ms;
	if (request->method != HTTP_GET && request->method != HTTP_HEAD &&
		request->method != HTTP_POST)
		return answer_text(reply, 405, "405 method not allowed\n");
	if (strcmp(request->path, "/") == 0) {
		if (request->method == HTTP_POST && request->body.len > 0)
			return handle_post(server, request, ticket, reply);
		return answer_endpoints(reply);
	}
	method = rpc_method_find(request->path + 1, strlen(request->path + 1));
	if (!method)
		return answer_text(reply, 404, "404 page not found\n");
	return handle_uri(server, request, ticket, reply, method);
}

void rpc_server_refusal(void *self, uint16_t status, const char *reason, struct http_reply *reply)
{
	bool is_ours = status >= 500; /* the requester did nothing wrong */
	char data[RPC_FAULT_BYTES];

	if (strcmp(reason, HTTP_REASON_BODY_TOO_LARGE) == 0)
		reason = "error reading request body: http: request body too large";
	snprintf(data, sizeof data, "%s", reason);
	(void)answer_error(
		self, reply, status, is_ours ? RPC_INTERNAL_ERROR : RPC_INVALID_REQUEST, data);
}

/* --- life
 * ---------------------------------------------------------------------------------------------- */

enum status rpc_server_new(
	struct rpc_server **out, const struct view *view, const struct rpc_config *config)
{
	struct rpc_server *server = calloc(1, sizeof *server);

	if (!server)
		return STATUS_NO_MEMORY;
	server->view = *view;
	server->config = *config;
	if (server->config.batch_max == 0)
		server->config.batch_max = RPC_BATCH_MAX;
	if (server->config.commit_wait_ms == 0)
		server->config.commit_wait_ms = RPC_COMMIT_WAIT_MS;
	arena_init(&server->arena, RPC_ARENA_BYTES_MAX);
	buf_init(&server->params, HTTP_BODY_BYTES_MAX * 2);
	buf_init(&server->spelled, HTTP_BODY_BYTES_MAX);
	*out = server;
	return STATUS_OK;
}

void rpc_server_attach(struct rpc_server *server, struct http_shell *shell)
{
	server->shell = shell;
}

/* A submission can't be called back: what it will find is an exchange without a server, which it
 * frees. */
static void exchange_abandon(struct exchange *x)
{
	bool owed = false;

	for (size_t i = 0; i < x->count; i++) {
		struct call *call = &x->calls[i];

		call_commit_cancel(call);
		call->server = NULL;
		owed = owed || call->is_submitting;
		if (call->is_open && !call->is_submitting)
			call->is_open = false, x->open--;
	}
	exchange_unlink(x->server, x);
	x->server = NULL;
	if (!owed)
		exchange_free(x);
}

void rpc_server_free(struct rpc_server *server)
{
	if (!server)
		return;
	for (struct exchange *x = server->open, *next; x; x = next) {
		next = x->next;
		exchange_abandon(x);
	}
	arena_fini(&server->arena);
	buf_fini(&server->params);
	buf_fini(&server->spelled);
	free(server);
}
