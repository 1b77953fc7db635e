#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "miner/backend_internal.h"

enum { OLLAMA_ANSWER_BYTES_MAX = 4 * 1024 * 1024, OLLAMA_MODELS_MS = 3000 };

/* Members of a payload and where Ollama wants them. */
static const struct {
	const char *name;
	const char *option; /* NULL: at the top, under its own name */
} MEMBERS[] = {
	{"prompt", NULL},
	{"model", NULL},
	{"system", NULL},
	{"max_tokens", "num_predict"},
	{"temperature", "temperature"},
	{"top_p", "top_p"},
	{"top_k", "top_k"},
	{"seed", "seed"},
};

static bool is_envelope(const char *key)
{
	static const char *const known[] = {
		"type", "task", "constraints", "ttl_seconds", "payment_amount", "stream"};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i], key) == 0)
			return true;
	return false;
}

static bool place_member(json_t *request, json_t *options, const char *key, json_t *value)
{
	for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
		if (strcmp(MEMBERS[i].name, key) != 0)
			continue;
		if (MEMBERS[i].option == NULL)
			return json_object_set(request, key, value) == 0;
		return json_object_set(options, MEMBERS[i].option, value) == 0;
	}
	return false;
}

/* The request's text, caller frees; NULL: the payload isn't for this backend, message says why. */
static char *make_request(const json_t *payload, char message[BACKEND_MESSAGE_BYTES])
{
	json_t *request = json_object(), *options = json_object(), *value;
	const char *key;
	char *text = NULL;
	bool ok = json_object_set_new(request, "stream", json_false()) == 0 &&
		  json_object_update_missing(options, json_object_get(payload, "options")) <= 0;
	json_object_foreach((json_t *)(uintptr_t)payload, key, value)
	{
		if (!ok || is_envelope(key) || json_is_null(value) || strcmp(key, "options") == 0)
			continue;
		ok = place_member(request, options, key, value);
		if (!ok)
			snprintf(message, BACKEND_MESSAGE_BYTES,
				"this miner's inference has no \"%.64s\"", key);
	}
	if (ok && (!json_is_string(json_object_get(request, "prompt")) ||
			  !json_is_string(json_object_get(request, "model")))) {
		snprintf(message, BACKEND_MESSAGE_BYTES, "prompt and model must be texts");
		ok = false;
	}
	if (ok && json_object_set(request, "options", options) == 0)
		text = json_dumps(request, JSON_COMPACT);
	json_decref(options);
	json_decref(request);
	return text;
}

static void put_answer(struct buf *out, const json_t *answer)
{
	static const char *const figures[] = {"total_duration", "prompt_eval_count", "eval_count"};
	const json_t *response = json_object_get(answer, "response");
	const char *model = json_string_value(json_object_get(answer, "model"));
	buf_append_text(out, "\"response\":");
	json_put_string(out, json_string_value(response), json_string_length(response));
	if (model != NULL) {
		buf_append_text(out, ",\"model\":");
		json_put_text(out, model);
	}
	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
		const json_t *value = json_object_get(answer, figures[i]);
		if (!json_is_integer(value))
			continue;
		buf_append_byte(out, ',');
		json_put_key(out, figures[i]);
		json_put_i64(out, json_integer_value(value));
	}
}

/* What went wrong, in the server's own words where it has some. */
static void explain(struct backend_run *run, struct backend_result *result,
	const struct http_result *http, const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	result->message = run->message;
	if (http->status != STATUS_OK) {
		result->error_code =
			http->status == STATUS_TIMEOUT ? "timed_out" : "backend_unreachable";
		snprintf(run->message, sizeof run->message, "ollama: %s", http->fault);
	} else if (error != NULL) {
		result->error_code = "backend_error";
		snprintf(run->message, sizeof run->message, "ollama: %.300s", error);
	} else {
		result->error_code = "backend_error";
		snprintf(run->message, sizeof run->message,
			"ollama answered HTTP %u without a response", http->http_status);
	}
}

static void on_generated(void *ctx, const struct http_result *http)
{
	struct backend_run *run = ctx;
	struct backend_result result = {.elapsed_ms = run->backends->now_ms() - run->started_ms};
	struct json_fault fault;
	struct buf members;
	json_t *answer = http->status == STATUS_OK ? json_read(http->body, &fault) : NULL;
	buf_init(&members, HTTP_BODY_BYTES_MAX);
	result.ok = http->status == STATUS_OK && http->http_status == 200 &&
		    json_is_string(json_object_get(answer, "response")) &&
		    !json_is_false(json_object_get(answer, "done"));
	if (result.ok) {
		const json_t *count = json_object_get(answer, "eval_count");
		if (json_is_integer(count) && json_integer_value(count) > 0)
			result.tokens = (uint64_t)json_integer_value(count);
		put_answer(&members, answer);
		result.error_code = result.message = "";
	} else {
		explain(run, &result, http, answer);
	}
	if (result.ok && !buf_ok(&members)) {
		result.ok = false;
		result.error_code = "result_too_large";
		result.message = "the response doesn't fit into a result";
	}
	result.members = buf_ok(&members) ? buf_view(&members) : bytes_view(NULL, 0);
	backend_answer(run, &result);
	buf_fini(&members);
	json_decref(answer);
	backend_run_free(run);
}

enum status ollama_start(struct backend_run *run, const json_t *payload, uint64_t wall_ms)
{
	static const struct http_header json = {"Content-Type", "application/json"};
	const struct ollama_config *config = &run->backends->config->ollama;
	char url[CONFIG_TEXT_BYTES + 32];
	uint64_t timeout_ms = wall_ms < config->timeout_ms ? wall_ms : config->timeout_ms;
	snprintf(run->message, sizeof run->message, "out of memory");
	char *text = make_request(payload, run->message);
	if (text == NULL)
		return backend_refuse_later(run);
	snprintf(url, sizeof url, "%s/api/generate", config->url);
	struct http_call call = {.method = HTTP_POST,
		.url = url,
		.headers = &json,
		.header_count = 1,
		.body = bytes_of_text(text),
		.answer_bytes_max = OLLAMA_ANSWER_BYTES_MAX,
		.timeout_ms = timeout_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)timeout_ms};
	enum status status = http_client_start(run->backends->http, &call, on_generated, run);
	free(text);
	return status;
}

/* ---- what models there are ---- */

struct models_question {
	backend_models_done *done;
	void *ctx;
};

static void on_models(void *ctx, const struct http_result *http)
{
	struct models_question *question = ctx;
	struct json_fault fault;
	struct buf out;
	json_t *answer = http->status == STATUS_OK ? json_read(http->body, &fault) : NULL;
	const json_t *list = json_object_get(answer, "models"), *item;
	size_t i, count = 0;
	buf_init(&out, 64 * 1024);
	json_array_foreach(list, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		if (name == NULL || count == OLLAMA_MODELS_MAX)
			continue;
		if (count++ > 0)
			buf_append_byte(&out, ',');
		json_put_text(&out, name);
	}
	question->done(question->ctx, buf_ok(&out) ? buf_view(&out) : bytes_view(NULL, 0),
		http->status == STATUS_OK ? "" : http->fault);
	buf_fini(&out);
	json_decref(answer);
	free(question);
}

enum status backend_ask_models(
	const struct backends *backends, backend_models_done *done, void *ctx)
{
	char url[CONFIG_TEXT_BYTES + 32];
	struct models_question *question = calloc(1, sizeof *question);
	if (question == NULL)
		return STATUS_NO_MEMORY;
	*question = (struct models_question){done, ctx};
	snprintf(url, sizeof url, "%s/api/tags", backends->config->ollama.url);
	struct http_call call = {.method = HTTP_GET, .url = url, .timeout_ms = OLLAMA_MODELS_MS};
	enum status status = http_client_start(backends->http, &call, on_models, question);
	if (status != STATUS_OK)
		free(question);
	return status;
}
