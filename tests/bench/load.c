#define _GNU_SOURCE
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	ANSWER_BYTES_MAX = 64 * 1024,
	TIMES_STEP_US = 20,
	TIMES_STEPS = 100 * 1000 /* two seconds; the last one holds all that took longer */
};

struct connection {
	int fd;
	size_t server;
	struct buf request;
	size_t sent;
	uint64_t name;
	bool waiting; /* for an answer */
	uint64_t asked_us;
	uint64_t paused_until_ms;
	size_t in_len;
	uint8_t in[ANSWER_BYTES_MAX];
};

struct load {
	const struct load_source *source;
	struct connection *connections;
	size_t count;
	size_t paused;
	int epoll_fd;
	uint64_t answered;
	uint32_t times[TIMES_STEPS]; /* how many answers took so many steps */
	bool dry;
	char *fault; /* of the caller; not empty: stop */
};

uint64_t bench_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int64_t bench_unix_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t thread_cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_THREAD, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void fail(struct load *l, const char *what)
{
	if (l->fault[0] == '\0')
		snprintf(
			l->fault, 256, "%s: %s", what, errno == 0 ? "unexpected" : strerror(errno));
}

/* Sends what is left; a request is smaller than a socket's buffer, so it rarely takes two calls. */
static void flush(struct load *l, struct connection *c)
{
	while (c->sent < c->request.len) {
		ssize_t n = send(c->fd, c->request.data + c->sent, c->request.len - c->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return; /* edge triggered: EPOLLOUT will call again */
		if (n <= 0) {
			fail(l, "send");
			return;
		}
		c->sent += (size_t)n;
	}
}

static void send_next(struct load *l, struct connection *c)
{
	buf_clear(&c->request);
	c->sent = 0;
	c->in_len = 0;
	if (!l->source->next(l->source->self, c->server, &c->request, &c->name)) {
		l->dry = true;
		return;
	}
	if (!buf_ok(&c->request)) {
		fail(l, "request");
		return;
	}
	c->waiting = true;
	c->asked_us = now_us();
	flush(l, c);
}

/* Whole answer in c->in: its body. False: not yet. */
static bool answer_whole(struct connection *c, uint16_t *status, struct bytes *body)
{
	static const char length_name[] = "Content-Length: ";
	const uint8_t *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
	if (end == NULL)
		return false;
	size_t head = (size_t)(end - c->in) + 4;
	const uint8_t *at = memmem(c->in, head, length_name, sizeof length_name - 1);
	size_t length = 0;
	if (at != NULL)
		for (at += sizeof length_name - 1; *at >= '0' && *at <= '9'; at++)
			length = length * 10 + (size_t)(*at - '0');
	if (c->in_len < head + length)
		return false;
	*status = (uint16_t)((c->in[9] - '0') * 100 + (c->in[10] - '0') * 10 + (c->in[11] - '0'));
	*body = bytes_view(c->in + head, length);
	return true;
}

static void take_answer(struct load *l, struct connection *c)
{
	uint16_t status;
	struct bytes body;
	if (!answer_whole(c, &status, &body)) {
		if (c->in_len == sizeof c->in)
			fail(l, "an answer larger than expected");
		return;
	}
	c->waiting = false;
	l->answered++;
	uint64_t step = (now_us() - c->asked_us) / TIMES_STEP_US;
	l->times[step < TIMES_STEPS ? step : TIMES_STEPS - 1]++;
	uint32_t pause_ms = l->source->answered(l->source->self, c->server, c->name, status, body);
	if (pause_ms == 0) {
		send_next(l, c);
		return;
	}
	c->paused_until_ms = bench_now_ms() + pause_ms;
	l->paused++;
}

static void on_event(struct load *l, struct connection *c, uint32_t events)
{
	if ((events & EPOLLOUT) != 0 && c->waiting && c->sent < c->request.len)
		flush(l, c);
	while ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && l->fault[0] == '\0') {
		if (c->in_len == sizeof c->in) {
			errno = 0;
			fail(l, "an answer larger than expected");
			return;
		}
		ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			fail(l, "the server closed a connection");
			return;
		}
		bool short_read = (size_t)n < sizeof c->in - c->in_len;
		c->in_len += (size_t)n;
		if (c->waiting)
			take_answer(l, c);
		if (short_read)
			return; /* the socket was emptied; the next bytes make a new edge */
	}
}

static void resume_paused(struct load *l)
{
	uint64_t now = bench_now_ms();
	for (size_t i = 0; i < l->count && l->paused > 0; i++) {
		struct connection *c = &l->connections[i];
		if (c->paused_until_ms == 0 || c->paused_until_ms > now)
			continue;
		c->paused_until_ms = 0;
		l->paused--;
		send_next(l, c);
	}
}

static void run_until(struct load *l, uint64_t end_ms)
{
	struct epoll_event events[256];
	while (bench_now_ms() < end_ms && !l->dry && l->fault[0] == '\0') {
		int n = epoll_wait(l->epoll_fd, events, 256, 5);
		if (n < 0 && errno != EINTR)
			fail(l, "epoll_wait");
		for (int i = 0; i < n; i++)
			on_event(l, events[i].data.ptr, events[i].events);
		if (l->paused > 0)
			resume_paused(l);
	}
}

static bool connect_one(struct load *l, struct connection *c, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0 &&
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
		epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) == 0)
		return true;
	fail(l, "connect");
	return false;
}

static bool connect_all(struct load *l, const struct load_plan *plan)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->connections = calloc(plan->connections, sizeof l->connections[0]);
	if (l->epoll_fd < 0 || l->connections == NULL) {
		fail(l, "epoll_create1");
		return false;
	}
	for (; l->count < plan->connections; l->count++) {
		struct connection *c = &l->connections[l->count];
		c->server = l->count % plan->servers;
		if (!connect_one(l, c, plan->ports[c->server]))
			return false;
	}
	return true;
}

static void close_all(struct load *l)
{
	for (size_t i = 0; i < l->count; i++) {
		close(l->connections[i].fd);
		buf_fini(&l->connections[i].request);
	}
	free(l->connections);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
}

/* Milliseconds that this share of the answers didn't take longer than. */
static double quantile_ms(const struct load *l, double share)
{
	uint64_t total = 0;
	uint64_t seen = 0;
	size_t step = 0;
	for (size_t i = 0; i < TIMES_STEPS; i++)
		total += l->times[i];
	for (; step < TIMES_STEPS; step++) {
		seen += l->times[step];
		if ((double)seen >= share * (double)total)
			break;
	}
	return (double)(step + 1) * TIMES_STEP_US / 1000;
}

static void measure(struct load *l, struct load_result *out, const struct load_plan *plan)
{
	for (size_t i = 0; i < l->count; i++)
		send_next(l, &l->connections[i]);
	run_until(l, bench_now_ms() + plan->warm_ms);

	memset(l->times, 0, sizeof l->times);
	uint64_t answered_before = l->answered;
	if (plan->window)
		plan->window(plan->window_ctx, true);
	uint64_t cpu_before = thread_cpu_us();
	uint64_t began = bench_now_ms();
	out->began_unix_ms = bench_unix_ms();
	run_until(l, began + plan->measure_ms);
	out->ended_unix_ms = bench_unix_ms();
	out->window_ms = bench_now_ms() - began;
	if (plan->window)
		plan->window(plan->window_ctx, false);
	out->answered = l->answered - answered_before;
	out->cpu_us = out->answered == 0
			      ? 0
			      : (double)(thread_cpu_us() - cpu_before) / (double)out->answered;
	out->answer_p50_ms = quantile_ms(l, 0.50);
	out->answer_p99_ms = quantile_ms(l, 0.99);
}

enum status load_run(struct load_result *out, const struct load_plan *plan,
	const struct load_source *source, char fault[256])
{
	struct load *l = calloc(1, sizeof *l);
	memset(out, 0, sizeof *out);
	if (l == NULL) {
		snprintf(fault, 256, "no memory for the generator");
		return STATUS_NO_MEMORY;
	}
	l->source = source;
	l->epoll_fd = -1;
	l->fault = fault;
	fault[0] = '\0';
	if (connect_all(l, plan))
		measure(l, out, plan);
	close_all(l);
	free(l);
	return fault[0] == '\0' ? STATUS_OK : STATUS_IO;
}
