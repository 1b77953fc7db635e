#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/http_world.h"

enum { PATIENCE_MS = 10 * 1000 };

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const char *method_text(enum http_method method)
{
	switch (method) {
	case HTTP_GET: return "GET";
	case HTTP_HEAD: return "HEAD";
	case HTTP_POST: return "POST";
	case HTTP_PUT: return "PUT";
	case HTTP_DELETE: return "DELETE";
	case HTTP_OPTIONS: return "OPTIONS";
	case HTTP_OTHER: return "OTHER";
	}
	return "?";
}

static void see_upload(struct world *w, const struct http_request *request)
{
	FILE *file = fopen(request->body_file, "rb");

	snprintf(w->last_file, sizeof w->last_file, "%s", request->body_file);
	memset(w->last_upload, 0, sizeof w->last_upload);
	assert_non_null(file);
	(void)!fread(w->last_upload, 1, sizeof w->last_upload - 1, file);
	fclose(file);
}

static int file_of(struct world *w, size_t len)
{
	char path[128];

	snprintf(path, sizeof path, "%s/download", w->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	unlink(path);
	return fd;
}

static enum http_answer handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct world *w = self;

	w->handled++;
	if (strcmp(request->path, "/later") == 0) {
		assert_true(w->ticket_count < 64);
		w->tickets[w->ticket_count++] = ticket;
		return HTTP_WAIT;
	}
	if (strcmp(request->path, "/at-once") == 0) {
		w->tickets[0] = ticket;
		assert_true(world_answer(w, 0, "at once"));
		assert_false(world_answer(w, 0, "twice"));
		return HTTP_WAIT;
	}
	reply->content_type = "text/plain";
	if (strcmp(request->path, "/file") == 0) {
		reply->body_fd = file_of(w, 1024 * 1024);
		return HTTP_DONE;
	}
	if (strcmp(request->path, "/big") == 0) {
		size_t len = strtoul(request->query, NULL, 10);
		uint8_t *out = buf_extend(&reply->body, len);
		if (out)
			memset(out, 'b', len);
		return HTTP_DONE;
	}
	if (request->body_file)
		see_upload(w, request);
	buf_appendf(&reply->body, "%s %s query=%s body=%zu", method_text(request->method),
		request->path, request->query, request->body.len);
	if (request->body.len > 0 && request->body.len < 100)
		buf_appendf(&reply->body, " %.*s", (int)request->body.len, request->body.data);
	return HTTP_DONE;
}

void world_start(struct world *w, const struct http_shell_config *config)
{
	char fault[256];

	memset(w, 0, sizeof *w);
	snprintf(w->dir, sizeof w->dir, "/tmp/http_world-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->loop = event_base_new();
	if (config)
		w->config = *config;
	if (!w->config.listen_address)
		w->config.listen_address = "127.0.0.1";
	if (!w->config.handler)
		w->config.handler = handle;
	w->config.upload_dir = w->dir;
	if (w->config.handler == handle)
		w->config.self = w;
	assert_int_equal(http_shell_start(&w->shell, w->loop, &w->config, fault), STATUS_OK);
}

void world_stop(struct world *w)
{
	http_shell_stop(w->shell, 100);
	event_base_free(w->loop);
	/* Nothing of an upload may be left. */
	assert_int_equal(rmdir(w->dir), 0);
}

void peer_open(struct peer *p, struct world *w)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(http_shell_port(w->shell)),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};

	memset(p, 0, sizeof *p);
	p->w = w;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(p->fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(fcntl(p->fd, F_SETFL, O_NONBLOCK), 0);
}

void peer_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_fini(&p->in);
}

static void peer_read(struct peer *p)
{
	char data[16384];

	for (;;) {
		ssize_t len = p->fd < 0 || p->closed ? -1 : recv(p->fd, data, sizeof data, 0);

		if (len > 0)
			buf_append(&p->in, data, (size_t)len);
		else if (len == 0 || (p->fd >= 0 && errno != EAGAIN && errno != EINTR))
			p->closed = true;
		if (len <= 0)
			return;
	}
}

void world_turn(struct world *w, struct peer *p)
{
	event_base_loop(w->loop, EVLOOP_NONBLOCK);
	if (p)
		peer_read(p);
	/* Yields the processor when nothing is to be done. */
	poll(NULL, 0, 1);
}

bool world_until(struct world *w, struct peer *p, bool (*holds)(struct world *w))
{
	uint64_t end_ms = clock_ms() + PATIENCE_MS;

	while (!holds(w) && clock_ms() < end_ms)
		world_turn(w, p);
	return holds(w);
}

void peer_send(struct peer *p, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0 && !p->closed) {
		ssize_t sent = send(p->fd, at, len, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			p->closed = true;
		if (sent <= 0) {
			world_turn(p->w, p);
			continue;
		}
		at += sent;
		len -= (size_t)sent;
	}
}

void peer_say(struct peer *p, const char *text)
{
	peer_send(p, text, strlen(text));
}

const char *peer_text(struct peer *p)
{
	return buf_text(&p->in);
}

bool peer_hears(struct peer *p, const char *text)
{
	uint64_t end_ms = clock_ms() + PATIENCE_MS;

	while (!strstr(peer_text(p), text) && !p->closed && clock_ms() < end_ms)
		world_turn(p->w, p);
	return strstr(peer_text(p), text) != NULL;
}

bool peer_is_cut(struct peer *p)
{
	uint64_t end_ms = clock_ms() + PATIENCE_MS;

	while (!p->closed && clock_ms() < end_ms)
		world_turn(p->w, p);
	return p->closed;
}

int peer_status(struct peer *p)
{
	int status = 0;

	(void)sscanf(peer_text(p), "HTTP/1.1 %d", &status);
	return status;
}

bool world_answer(struct world *w, size_t ticket, const char *text)
{
	struct http_reply reply;

	http_reply_init(&reply);
	reply.content_type = "text/plain";
	buf_append_text(&reply.body, text);
	return http_ticket_answer(w->shell, w->tickets[ticket], &reply);
}
