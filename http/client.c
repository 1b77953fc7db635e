#define _GNU_SOURCE
#include "http/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

struct call {
	struct http_client *client;
	struct call *next;
	struct call *previous;
	CURL *easy;
	struct curl_slist *headers;
	uint8_t *body; /* copy of the request's */
	FILE *upload;
	int download_fd; /* -1: to memory */
	char *download_path;
	struct buf answer;
	uint64_t answer_len;
	uint64_t answer_max;
	bool too_large;
	bool disk_failed;
	char curl_fault[CURL_ERROR_SIZE];
	http_done *done;
	void *ctx;
};

struct http_client {
	struct event_base *loop;
	CURLM *multi;
	struct event *timer;
	struct call *calls;
	size_t call_count;
	bool freeing;
};

/* --- one call's memory
 * --------------------------------------------------------------------------------- */

static void call_free(struct call *call)
{
	if (call->easy)
		curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	free(call->body);
	if (call->upload)
		fclose(call->upload);
	if (call->download_fd >= 0)
		close(call->download_fd);
	free(call->download_path);
	buf_fini(&call->answer);
	free(call);
}

static void call_unlink(struct call *call)
{
	struct http_client *client = call->client;

	if (call->previous)
		call->previous->next = call->next;
	else
		client->calls = call->next;
	if (call->next)
		call->next->previous = call->previous;
	client->call_count--;
}

/* --- what libcurl calls
 * -------------------------------------------------------------------------------- */

static size_t download_append(struct call *call, const char *data, size_t len)
{
	size_t left = len;

	while (left > 0) {
		ssize_t written = write(call->download_fd, data, left);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			call->disk_failed = true;
			return 0;
		}
		data += written;
		left -= (size_t)written;
	}
	return len;
}

static size_t on_answer_data(char *data, size_t one, size_t len, void *ctx)
{
	struct call *call = ctx;
	long http_status = 0;

	(void)one;
	call->answer_len += len;
	if (call->answer_len > call->answer_max) {
		call->too_large = true;
		return 0;
	}
	if (call->download_fd >= 0)
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http_status);
	/* What isn't a success is an explanation, and goes to memory. */
	if (http_status >= 200 && http_status < 300)
		return download_append(call, data, len);
	buf_append(&call->answer, data, len);
	return buf_ok(&call->answer) ? len : 0;
}

static enum status status_of(const struct call *call, CURLcode code)
{
	if (call->too_large)
		return STATUS_INVALID;
	if (call->disk_failed)
		return STATUS_IO;
	switch ((int)code) {
	case CURLE_OK: return STATUS_OK;
	case CURLE_OPERATION_TIMEDOUT: return STATUS_TIMEOUT;
	case CURLE_OUT_OF_MEMORY: return STATUS_NO_MEMORY;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_COULDNT_RESOLVE_HOST: return STATUS_INVALID;
	default: return STATUS_IO;
	}
}

/* "http://host:port: Connection refused": what a person can act on. Only scheme, host and port are
 * shown, since a path or query may hold what isn't for a log. */
static void fault_text(char *out, size_t out_len, const struct call *call, CURLcode code)
{
	char *url = NULL;
	const char *why = call->curl_fault[0] ? call->curl_fault : curl_easy_strerror(code);

	curl_easy_getinfo(call->easy, CURLINFO_EFFECTIVE_URL, &url);
	const char *host = url ? strstr(url, "://") : NULL;
	int len = host ? (int)(host + 3 - url + (long)strcspn(host + 3, "/?#")) : 0;
	if (call->too_large)
		why = "the answer is larger than allowed";
	else if (call->disk_failed)
		why = "the answer can't be written to the disk";
	snprintf(out, out_len, "%.*s: %s", len, url ? url : "", why);
}

/* Tells the caller and forgets the call. */
static void call_end(struct call *call, enum status status, CURLcode code)
{
	char fault[512] = "";
	long http_status = 0;
	struct http_result result = {.status = status};

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http_status);
	if (status == STATUS_BUSY)
		snprintf(fault, sizeof fault, "cancelled: the program is stopping");
	else if (status != STATUS_OK)
		fault_text(fault, sizeof fault, call, code);
	if (status == STATUS_OK) {
		result.http_status = (uint16_t)http_status;
		result.body = buf_view(&call->answer);
	}
	bool keep_file = status == STATUS_OK && http_status >= 200 && http_status < 300;
	if (call->download_path && !keep_file)
		unlink(call->download_path);
	result.fault = fault;
	call_unlink(call);
	curl_multi_remove_handle(call->client->multi, call->easy);
	call->done(call->ctx, &result);
	call_free(call);
}

static void collect_ended(struct http_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		CURLcode code = message->data.result;
		call_end(call, status_of(call, code), code);
	}
}

static void on_socket_ready(evutil_socket_t fd, short what, void *ctx)
{
	struct http_client *client = ctx;
	int action =
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(client->multi, fd, action, &running);
	collect_ended(client);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct http_client *client = ctx;
	int running;

	(void)fd, (void)what;
	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_ended(client);
}

/* libcurl says which socket to watch for what; its event hangs on the socket's slot. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http_client *client = ctx;
	struct event *watch = socket_ctx;

	(void)easy;
	if (watch)
		event_free(watch);
	watch = NULL;
	if (what != CURL_POLL_REMOVE) {
		short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
				       (what & CURL_POLL_OUT ? EV_WRITE : 0));
		watch = event_new(client->loop, fd, events, on_socket_ready, client);
		if (watch)
			event_add(watch, NULL);
	}
	curl_multi_assign(client->multi, fd, watch);
	return what != CURL_POLL_REMOVE && !watch ? -1 : 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http_client *client = ctx;
	struct timeval after = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	(void)multi;
	if (timeout_ms < 0)
		event_del(client->timer);
	else
		event_add(client->timer, &after);
	return 0;
}

/* --- making a call
 * ------------------------------------------------------------------------------------- */

static bool header_add(struct call *call, const char *text)
{
	struct curl_slist *longer = curl_slist_append(call->headers, text);

	if (longer)
		call->headers = longer;
	return longer != NULL;
}

static bool headers_set(struct call *call, const struct http_call *request)
{
	/* No "Expect: 100-continue" pause before a body. */
	bool ok = header_add(call, "Expect:");

	for (size_t i = 0; ok && i < request->header_count; i++) {
		char *line = NULL;

		ok = asprintf(&line, "%s: %s", request->headers[i].name,
			     request->headers[i].value) >= 0;
		/* A value with a line end would become a header of its own. */
		ok = ok && !strpbrk(line, "\r\n") && header_add(call, line);
		free(line);
	}
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
	return ok;
}

static enum status upload_set(struct call *call, const char *path)
{
	struct stat st;

	call->upload = fopen(path, "rbe");
	if (!call->upload || fstat(fileno(call->upload), &st) != 0 || !S_ISREG(st.st_mode))
		return STATUS_INVALID;
	curl_easy_setopt(call->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(call->easy, CURLOPT_READDATA, call->upload);
	curl_easy_setopt(call->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)st.st_size);
	return STATUS_OK;
}

static enum status body_set(struct call *call, const struct http_call *request)
{
	if (request->upload_file)
		return upload_set(call, request->upload_file);
	call->body = malloc(request->body.len + 1);
	if (!call->body)
		return STATUS_NO_MEMORY;
	if (request->body.len)
		memcpy(call->body, request->body.data, request->body.len);
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, (char *)call->body);
	return STATUS_OK;
}

static enum status method_set(struct call *call, const struct http_call *request)
{
	CURL *easy = call->easy;
	enum status status = STATUS_OK;

	switch (request->method) {
	case HTTP_GET: curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L); return STATUS_OK;
	case HTTP_HEAD: curl_easy_setopt(easy, CURLOPT_NOBODY, 1L); return STATUS_OK;
	case HTTP_POST:
		status = body_set(call, request);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "POST");
		return status;
	case HTTP_PUT:
		status = body_set(call, request);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
		return status;
	case HTTP_DELETE:
		if (request->body.len || request->upload_file)
			status = body_set(call, request);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
		return status;
	case HTTP_OPTIONS:
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "OPTIONS");
		return STATUS_OK;
	case HTTP_OTHER: break;
	}
	return STATUS_INVALID;
}

static void options_set(struct call *call, const struct http_call *request)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_fault);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "aitbc");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
		(long)(request->timeout_ms ? request->timeout_ms : HTTP_REQUEST_MS_MAX));
}

static enum status download_open(struct call *call, const char *path)
{
	if (!path)
		return STATUS_OK;
	call->download_path = strdup(path);
	if (!call->download_path)
		return STATUS_NO_MEMORY;
	call->download_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return call->download_fd < 0 ? STATUS_INVALID : STATUS_OK;
}

static enum status call_prepare(struct call *call, const struct http_call *request)
{
	call->easy = curl_easy_init();
	if (!call->easy)
		return STATUS_NO_MEMORY;
	call->answer_max =
		request->answer_bytes_max ? request->answer_bytes_max : HTTP_BODY_BYTES_MAX;
	buf_init(&call->answer, 0);
	options_set(call, request);
	enum status status = method_set(call, request);
	if (status == STATUS_OK && !headers_set(call, request))
		status = STATUS_INVALID;
	if (status == STATUS_OK)
		status = download_open(call, request->download_file);
	return status;
}

enum status http_client_start(
	struct http_client *client, const struct http_call *request, http_done *done, void *ctx)
{
	if (client->freeing || client->call_count >= HTTP_CLIENT_CALLS_MAX)
		return STATUS_NO_MEMORY;
	struct call *call = calloc(1, sizeof *call);
	if (!call)
		return STATUS_NO_MEMORY;
	call->client = client;
	call->download_fd = -1;
	call->done = done;
	call->ctx = ctx;
	enum status status = call_prepare(call, request);
	if (status == STATUS_OK && curl_multi_add_handle(client->multi, call->easy) != CURLM_OK)
		status = STATUS_NO_MEMORY;
	if (status != STATUS_OK) {
		if (call->download_fd >= 0)
			unlink(call->download_path);
		call_free(call);
		return status;
	}
	call->next = client->calls;
	if (client->calls)
		client->calls->previous = call;
	client->calls = call;
	client->call_count++;
	return STATUS_OK;
}

/* --- waiting, for command lines
 * ------------------------------------------------------------------------ */

struct wait {
	http_done *done;
	void *ctx;
	bool over;
};

static void on_wait_done(void *ctx, const struct http_result *result)
{
	struct wait *wait = ctx;

	wait->over = true;
	wait->done(wait->ctx, result);
}

/* The loop is broken: the call must not outlive its wait. */
static void wait_cancel(struct http_client *client, const struct wait *wait)
{
	struct call *call = client->calls;

	while (call && call->ctx != wait)
		call = call->next;
	CHECK(call);
	call_end(call, STATUS_BUSY, CURLE_ABORTED_BY_CALLBACK);
}

enum status http_client_wait(
	struct http_client *client, const struct http_call *call, http_done *done, void *ctx)
{
	struct wait wait = {done, ctx, false};
	enum status status = http_client_start(client, call, on_wait_done, &wait);

	/* Every call has a timeout, so the loop always comes to an end. */
	while (status == STATUS_OK && !wait.over) {
		if (event_base_loop(client->loop, EVLOOP_ONCE) != 0)
			wait_cancel(client, &wait);
	}
	return status;
}

/* --- life
 * ---------------------------------------------------------------------------------------------- */

enum status http_client_new(struct http_client **out, struct event_base *loop)
{
	static bool started;
	struct http_client *client = calloc(1, sizeof *client);

	if (!client)
		return STATUS_NO_MEMORY;
	if (!started && curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK) {
		free(client);
		return STATUS_NO_MEMORY;
	}
	started = true;
	client->loop = loop;
	client->multi = curl_multi_init();
	client->timer = event_new(loop, -1, 0, on_timer, client);
	if (!client->multi || !client->timer) {
		http_client_free(client);
		return STATUS_NO_MEMORY;
	}
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
		(long)HTTP_CLIENT_HOST_CONNECTIONS_MAX);
	*out = client;
	return STATUS_OK;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	client->freeing = true;
	for (struct call *call = client->calls, *next; call; call = next) {
		next = call->next;
		call_end(call, STATUS_BUSY, CURLE_ABORTED_BY_CALLBACK);
	}
	if (client->multi)
		curl_multi_cleanup(client->multi);
	if (client->timer)
		event_free(client->timer);
	free(client);
}
