#define _GNU_SOURCE
#include "miner/link.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"

enum { URL_BYTES = 1024, HASH_CHUNK_BYTES = 64 * 1024 };

struct link_call {
	link_done *done;
	void *ctx;
	char *file; /* of a download, to be judged */
	struct hash32 hash;
};

static void call_free(struct link_call *call)
{
	free(call->file);
	free(call);
}

enum status link_hash_file(struct hash32 *out, const char *file)
{
	uint8_t *chunk = malloc(HASH_CHUNK_BYTES);
	struct sha256 state;
	ssize_t got = -1;
	int fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	sha256_start(&state);
	while (fd >= 0 && chunk != NULL && (got = read(fd, chunk, HASH_CHUNK_BYTES)) > 0)
		sha256_add(&state, chunk, (size_t)got);
	if (fd >= 0)
		close(fd);
	free(chunk);
	*out = sha256_end(&state);
	return got == 0 ? STATUS_OK : STATUS_IO;
}

/* The coordinator's message: {"error":{"message":..}} or {"detail":..}. */
static const char *message_of(const json_t *body)
{
	const char *message =
		json_string_value(json_object_get(json_object_get(body, "error"), "message"));
	if (message == NULL)
		message = json_string_value(json_object_get(body, "detail"));
	return message != NULL ? message : "";
}

static void on_http(void *ctx, const struct http_result *result)
{
	struct link_call *call = ctx;
	struct link_answer answer = {.answered = result->status == STATUS_OK,
		.http_status = result->http_status,
		.raw = result->body,
		.fault = result->fault != NULL ? result->fault : ""};
	struct json_fault fault;
	struct hash32 hash;
	json_t *body = NULL;
	if (answer.answered && result->body.len > 0)
		body = json_read(result->body, &fault);
	answer.body = body;
	if (answer.answered)
		answer.fault = message_of(body);
	if (call->file != NULL && link_ok(&answer) &&
		(link_hash_file(&hash, call->file) != STATUS_OK ||
			!hash_equal(&hash, &call->hash))) {
		answer.answered = false;
		answer.fault = "the artifact's bytes don't have its hash";
	}
	call->done(call->ctx, &answer);
	json_decref(body);
	call_free(call);
}

static enum status start(
	struct link *link, struct http_call *http, const char *path, struct link_call *call)
{
	char url[URL_BYTES];
	struct http_header headers[] = {{"X-Miner-Key", link->key}, {"X-Miner-ID", link->miner_id},
		{"Content-Type", http->upload_file != NULL ? "application/octet-stream"
							   : "application/json"}};
	enum status status = STATUS_INVALID;
	if ((size_t)snprintf(url, sizeof url, "%s%s", link->url, path) < sizeof url) {
		http->url = url;
		http->headers = headers;
		http->header_count = sizeof headers / sizeof headers[0];
		status = http_client_start(link->http, http, on_http, call);
	}
	if (status != STATUS_OK)
		call_free(call);
	return status;
}

static struct link_call *call_new(link_done *done, void *ctx)
{
	struct link_call *call = calloc(1, sizeof *call);
	if (call != NULL)
		*call = (struct link_call){.done = done, .ctx = ctx};
	return call;
}

enum status link_post(struct link *link, const char *path, struct bytes body, uint32_t timeout_ms,
	link_done *done, void *ctx)
{
	struct link_call *call = call_new(done, ctx);
	struct http_call http = {.method = HTTP_POST, .body = body, .timeout_ms = timeout_ms};
	return call == NULL ? STATUS_NO_MEMORY : start(link, &http, path, call);
}

enum status link_download(struct link *link, const char *sha256_hex, const char *file,
	uint32_t timeout_ms, link_done *done, void *ctx)
{
	char path[128];
	struct link_call *call = call_new(done, ctx);
	if (call == NULL)
		return STATUS_NO_MEMORY;
	call->file = strdup(file);
	snprintf(path, sizeof path, "/v1/artifacts/%.64s", sha256_hex);
	if (call->file == NULL || !hex_decode(call->hash.b, 32, sha256_hex, strlen(sha256_hex))) {
		enum status status = call->file == NULL ? STATUS_NO_MEMORY : STATUS_INVALID;
		call_free(call);
		return status;
	}
	struct http_call http = {.method = HTTP_GET,
		.download_file = file,
		.answer_bytes_max = ARTIFACT_BYTES_MAX,
		.timeout_ms = timeout_ms};
	return start(link, &http, path, call);
}

enum status link_upload(
	struct link *link, const char *file, uint32_t timeout_ms, link_done *done, void *ctx)
{
	struct link_call *call = call_new(done, ctx);
	struct http_call http = {.method = HTTP_PUT, .upload_file = file, .timeout_ms = timeout_ms};
	return call == NULL ? STATUS_NO_MEMORY : start(link, &http, "/v1/artifacts", call);
}
