#define _GNU_SOURCE
#include "tests/live/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CARRIED_MAX = 64, /* connections; a pair of nodes has one, and some more while it redials */
	CHUNK_BYTES = 64 * 1024,
	LOOK_MS = 20,
	WATCHED_MAX = RELAY_NODES_MAX * RELAY_NODES_MAX + 2 * CARRIED_MAX
};

/* What one side has said and the other has not taken yet. */
struct stream {
	uint8_t bytes[CHUNK_BYTES];
	size_t from, until;
};

struct carried {
	bool used;
	size_t from, to; /* nodes */
	int fds[2];      /* the dialer's, the listener's */
	struct stream streams[2];
};

struct relay {
	size_t count;
	uint16_t targets[RELAY_NODES_MAX];
	uint16_t ports[RELAY_NODES_MAX][RELAY_NODES_MAX];
	int listeners[RELAY_NODES_MAX][RELAY_NODES_MAX];
	atomic_int ways[RELAY_NODES_MAX][RELAY_NODES_MAX];
	struct carried carried[CARRIED_MAX];
	pthread_t thread;
	atomic_bool stopping;
	bool running;
};

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

static int tcp_socket(void)
{
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static void carried_end(struct carried *c)
{
	close(c->fds[0]);
	close(c->fds[1]);
	c->used = false;
}

static void carry(struct relay *r, size_t from, size_t to)
{
	int on = 1;
	int fd = accept4(r->listeners[from][to], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct carried *free_one = NULL;
	for (size_t i = 0; i < CARRIED_MAX && free_one == NULL; i++)
		free_one = r->carried[i].used ? NULL : &r->carried[i];
	if (fd < 0)
		return;
	struct sockaddr_in target = loopback(r->targets[to]);
	int onward = free_one != NULL && r->ways[from][to] == RELAY_OPEN ? tcp_socket() : -1;
	if (onward < 0 || (connect(onward, (struct sockaddr *)&target, sizeof target) != 0 &&
				  errno != EINPROGRESS)) {
		if (onward >= 0)
			close(onward);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	memset(free_one, 0, sizeof *free_one);
	*free_one = (struct carried){.used = true, .from = from, .to = to, .fds = {fd, onward}};
}

/* False: one side is gone, and so is what it said last. */
static bool move(struct stream *s, int from, int to, short from_events, short to_events)
{
	if (s->from == s->until && (from_events & (POLLIN | POLLHUP | POLLERR)) != 0) {
		ssize_t n = recv(from, s->bytes, sizeof s->bytes, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		s->from = 0;
		s->until = n > 0 ? (size_t)n : 0;
		to_events = POLLOUT; /* likely; if not, it will say so */
	}
	if (s->from < s->until && (to_events & (POLLOUT | POLLHUP | POLLERR)) != 0) {
		ssize_t n = send(to, s->bytes + s->from, s->until - s->from, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != ENOTCONN)
			return false;
		s->from += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* What each socket is watched for; a way that isn't open is not looked at. */
static size_t watch(struct relay *r, struct pollfd *polled, struct carried **whose)
{
	size_t count = 0;
	for (size_t i = 0; i < CARRIED_MAX; i++) {
		struct carried *c = &r->carried[i];
		int way = c->used ? r->ways[c->from][c->to] : RELAY_OPEN;
		if (c->used && way == RELAY_CLOSED)
			carried_end(c);
		if (!c->used || way != RELAY_OPEN)
			continue;
		for (size_t side = 0; side < 2; side++) {
			const struct stream *said = &c->streams[side];
			const struct stream *heard = &c->streams[1 - side];
			short events = (short)((said->from == said->until ? POLLIN : 0) |
					       (heard->from < heard->until ? POLLOUT : 0));
			whose[count] = c;
			polled[count++] = (struct pollfd){c->fds[side], events, 0};
		}
	}
	return count;
}

static size_t watch_listeners(struct relay *r, struct pollfd *polled, size_t count)
{
	for (size_t from = 0; from < r->count; from++)
		for (size_t to = 0; to < r->count; to++) {
			bool looked_at = from != to && r->ways[from][to] != RELAY_SILENT;
			int fd = looked_at ? r->listeners[from][to] : -1;
			polled[count++] = (struct pollfd){fd, POLLIN, 0};
		}
	return count;
}

static void turn(struct relay *r)
{
	struct pollfd polled[WATCHED_MAX];
	struct carried *whose[2 * CARRIED_MAX];
	size_t carried_count = watch(r, polled, whose);
	size_t count = watch_listeners(r, polled, carried_count);
	if (poll(polled, count, LOOK_MS) <= 0)
		return;
	for (size_t i = 0; i < carried_count; i += 2) {
		struct carried *c = whose[i];
		short near = polled[i].revents;
		short far = polled[i + 1].revents;
		if (!move(&c->streams[0], c->fds[0], c->fds[1], near, far) ||
			!move(&c->streams[1], c->fds[1], c->fds[0], far, near))
			carried_end(c);
	}
	for (size_t i = carried_count; i < count; i++)
		if (polled[i].revents != 0)
			carry(r, (i - carried_count) / r->count, (i - carried_count) % r->count);
}

static void *run(void *ctx)
{
	struct relay *r = ctx;
	while (!r->stopping)
		turn(r);
	return NULL;
}

static bool listen_between(struct relay *r, size_t from, size_t to)
{
	struct sockaddr_in at = loopback(0);
	socklen_t len = sizeof at;
	int fd = tcp_socket();
	r->listeners[from][to] = fd;
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 16) != 0 ||
		getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return false;
	r->ports[from][to] = ntohs(at.sin_port);
	return true;
}

struct relay *relay_new(const uint16_t *ports, size_t count)
{
	CHECK(count <= RELAY_NODES_MAX);
	struct relay *r = calloc(1, sizeof *r);
	CHECK(r);
	bool ok = true;
	r->count = count;
	memcpy(r->targets, ports, count * sizeof *ports);
	memset(r->listeners, -1, sizeof r->listeners);
	for (size_t from = 0; from < count; from++)
		for (size_t to = 0; to < count; to++)
			ok = ok && (from == to || listen_between(r, from, to));
	r->running = ok && pthread_create(&r->thread, NULL, run, r) == 0;
	if (r->running)
		return r;
	relay_free(r);
	return NULL;
}

void relay_free(struct relay *r)
{
	if (r == NULL)
		return;
	r->stopping = true;
	if (r->running)
		pthread_join(r->thread, NULL);
	for (size_t i = 0; i < CARRIED_MAX; i++)
		if (r->carried[i].used)
			carried_end(&r->carried[i]);
	for (size_t i = 0; i < RELAY_NODES_MAX * RELAY_NODES_MAX; i++) {
		int fd = r->listeners[i / RELAY_NODES_MAX][i % RELAY_NODES_MAX];
		if (fd >= 0)
			close(fd);
	}
	free(r);
}

uint16_t relay_port(const struct relay *r, size_t from, size_t to)
{
	return r->ports[from][to];
}

void relay_set(struct relay *r, size_t one, size_t other, enum relay_way way)
{
	r->ways[one][other] = (int)way;
	r->ways[other][one] = (int)way;
}
