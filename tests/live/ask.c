#define _GNU_SOURCE
#include "tests/live/ask.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/json.h"

static int connect_to(uint16_t port, long timeout_ms)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Bytes after the head that Content-Length promises; SIZE_MAX: it says nothing. */
static size_t promised(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");
	return at == NULL ? SIZE_MAX : (size_t)strtoull(at + 17, NULL, 10);
}

/* Head and body in *answer are whole. */
static bool whole(struct buf *answer, size_t *head_len)
{
	const char *text = buf_text(answer);
	const char *end = strstr(text, "\r\n\r\n");
	if (end == NULL)
		return false;
	*head_len = (size_t)(end - text) + 4;
	size_t length = promised(text);
	return length != SIZE_MAX && answer->len - *head_len >= length;
}

static int ask(uint16_t port, struct bytes request, bool closing, struct buf *body)
{
	int fd = connect_to(port, closing ? ASK_CLOSING_MS : ASK_TIMEOUT_MS);
	if (fd < 0)
		return 0;
	for (size_t sent = 0; sent < request.len;) {
		ssize_t n = send(fd, request.data + sent, request.len - sent, MSG_NOSIGNAL);
		if (n <= 0)
			break; /* it may have answered and closed already */
		sent += (size_t)n;
	}
	if (closing)
		shutdown(fd, SHUT_WR);
	struct buf answer = {0};
	size_t head_len = 0;
	ssize_t n = 1;
	while (n > 0 && !whole(&answer, &head_len)) {
		uint8_t chunk[16384];
		n = recv(fd, chunk, sizeof chunk, 0);
		if (n > 0)
			buf_append(&answer, chunk, (size_t)n);
	}
	close(fd);
	int status = n < 0 && answer.len == 0 ? -1 : 0;
	if (head_len > 0 && strncmp(buf_text(&answer), "HTTP/1.", 7) == 0)
		status = atoi(buf_text(&answer) + 9);
	if (body != NULL && head_len > 0)
		buf_append(body, answer.data + head_len, answer.len - head_len);
	buf_fini(&answer);
	return status;
}

int ask_raw(uint16_t port, struct bytes request, struct buf *body)
{
	return ask(port, request, false, body);
}

int ask_raw_closing(uint16_t port, struct bytes request)
{
	return ask(port, request, true, NULL);
}

int ask_post(uint16_t port, const char *path, struct bytes json, struct buf *body)
{
	struct buf request = {0};
	buf_appendf(&request,
		"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\nConnection: close\r\n\r\n",
		path, port, json.len);
	buf_append_view(&request, json);
	int status = ask_raw(port, buf_view(&request), body);
	buf_fini(&request);
	return status;
}

int ask_get(uint16_t port, const char *path, struct buf *body)
{
	struct buf request = {0};
	buf_appendf(&request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n\r\n",
		path, port);
	int status = ask_raw(port, buf_view(&request), body);
	buf_fini(&request);
	return status;
}

static json_t *result_of(json_t *answer, int status, char fault[256])
{
	json_t *result = json_object_get(answer, "result");
	const json_t *error = json_object_get(answer, "error");
	const char *data = json_string_value(json_object_get(error, "data"));
	if (data == NULL)
		data = json_string_value(json_object_get(error, "message"));
	if (result != NULL)
		return json_incref(result);
	if (data != NULL)
		snprintf(fault, 256, "%s", data);
	else
		snprintf(fault, 256, "no JSON-RPC answer (HTTP status %d)", status);
	return NULL;
}

json_t *ask_call(uint16_t port, const char *method, json_t *params, char fault[256])
{
	struct buf body = {0};
	struct json_fault spelling;
	json_t *request = json_pack("{s:s,s:i,s:s}", "jsonrpc", "2.0", "id", 1, "method", method);
	if (params != NULL)
		json_object_set_new(request, "params", params);
	char *text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	int status = ask_post(port, "/", bytes_of_text(text), &body);
	free(text);
	json_t *answer = json_read(buf_view(&body), &spelling);
	json_t *result = result_of(answer, status, fault);
	json_decref(answer);
	buf_fini(&body);
	return result;
}

int64_t ask_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	if (json_is_integer(value))
		return json_integer_value(value);
	return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : -1;
}
