#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* Latencies in steps of 50 us up to 10 s: enough for a p99, small enough to sort nothing. */
enum { BUCKETS = 200000, BUCKET_US = 50, ANSWER_BYTES_MAX = 16384 };

struct connection {
	int fd;
	double sent_s;
	size_t len;
	char answer[ANSWER_BYTES_MAX];
};

struct load {
	const struct load_plan *plan;
	struct load_result *result;
	struct connection *connections;
	size_t next;    /* request */
	size_t next_at; /* its first byte */
	uint32_t *latencies;
	double count_from, until;
	unsigned open;
};

static int connect_to(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		bench_die("can't connect to port %u: %s", port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* A request of half a kilobyte always fits an idle socket's buffer. */
static void send_next(struct load *l, struct connection *c, double now)
{
	const struct requests *r = l->plan->requests;
	if (l->next == r->count && l->plan->repeat)
		l->next = l->next_at = 0;
	if (l->next == r->count || now >= l->until) {
		l->result->ran_dry |= now < l->until;
		close(c->fd);
		c->fd = -1;
		l->open--;
		return;
	}
	uint32_t size = r->sizes[l->next++];
	if (send(c->fd, r->bytes.data + l->next_at, size, MSG_NOSIGNAL) != (ssize_t)size)
		bench_die("a request did not leave whole: %s", strerror(errno));
	l->next_at += size;
	l->result->sent++;
	c->sent_s = now;
	c->len = 0;
}

/* Length of a whole answer at the start of the bytes; 0: not whole yet. */
static size_t whole_answer(const char *bytes, size_t len)
{
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);
	if (!end)
		return 0;
	const char *length = memmem(bytes, (size_t)(end - bytes), "Content-Length: ", 16);
	if (!length)
		bench_die("an answer without Content-Length");
	size_t total = (size_t)(end - bytes) + 4 + (size_t)atol(length + 16);
	return total <= len ? total : 0;
}

static void on_answer(struct load *l, struct connection *c, double now)
{
	struct load_result *result = l->result;
	if (memmem(c->answer, c->len, l->plan->good, strlen(l->plan->good))) {
		result->good++;
	} else {
		if (result->bad++ == 0)
			snprintf(result->first_bad, sizeof result->first_bad, "%.*s",
				(int)(c->len < 500 ? c->len : 500), c->answer);
	}
	if (now >= l->count_from && now < l->until) {
		result->counted++;
		size_t bucket = (size_t)((now - c->sent_s) * 1e6 / BUCKET_US);
		l->latencies[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	}
	send_next(l, c, now);
}

static void on_readable(struct load *l, struct connection *c)
{
	ssize_t got = recv(c->fd, c->answer + c->len, sizeof c->answer - c->len, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		bench_die("the server closed a connection");
	c->len += (size_t)got;
	if (whole_answer(c->answer, c->len))
		on_answer(l, c, bench_now_s());
	else if (c->len == sizeof c->answer)
		bench_die("an answer larger than %d bytes", ANSWER_BYTES_MAX);
}

static double percentile_ms(const uint32_t *latencies, uint64_t total, double share)
{
	uint64_t wanted = (uint64_t)((double)total * share), seen = 0;
	for (size_t i = 0; i < BUCKETS; i++) {
		seen += latencies[i];
		if (seen > wanted)
			return (double)i * BUCKET_US / 1000.0;
	}
	return 0;
}

static void run(struct load *l, int poll_fd)
{
	struct epoll_event events[256];
	while (l->open > 0) {
		int count = epoll_wait(poll_fd, events, 256, 1000);
		if (count == 0 && bench_now_s() > l->until + 10)
			bench_die("no answer for ten seconds after the end");
		for (int i = 0; i < count; i++)
			on_readable(l, events[i].data.ptr);
	}
}

void load_run(struct load_result *out, const struct load_plan *plan)
{
	memset(out, 0, sizeof *out);
	struct load l = {.plan = plan, .result = out, .open = plan->connections};
	l.connections = calloc(plan->connections, sizeof *l.connections);
	l.latencies = calloc(BUCKETS, sizeof *l.latencies);
	int poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!l.connections || !l.latencies || poll_fd < 0)
		bench_die("no memory for the generator");
	for (unsigned i = 0; i < plan->connections; i++)
		l.connections[i].fd = connect_to(plan->port);
	double from = bench_now_s(), cpu = bench_thread_cpu_s();
	struct timespec wall;
	clock_gettime(CLOCK_REALTIME, &wall);
	out->began_wall_s = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9 + plan->warmup_s;
	l.count_from = from + plan->warmup_s;
	l.until = l.count_from + plan->seconds;
	for (unsigned i = 0; i < plan->connections; i++) {
		struct connection *c = &l.connections[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event);
		send_next(&l, c, from);
	}
	run(&l, poll_fd);
	double until = bench_now_s();
	out->measured_s = (until < l.until ? until : l.until) - l.count_from;
	out->cpu_us_per_request =
		(bench_thread_cpu_s() - cpu) * 1e6 / (double)(out->sent ? out->sent : 1);
	out->p50_ms = percentile_ms(l.latencies, out->counted, 0.50);
	out->p99_ms = percentile_ms(l.latencies, out->counted, 0.99);
	close(poll_fd);
	free(l.connections);
	free(l.latencies);
}
