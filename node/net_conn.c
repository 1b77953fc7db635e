/* net_conn: one connection of a node: its socket, its link, what waits to be written. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cursor.h"
#include "node/clock.h"
#include "node/files.h"
#include "node/net_inside.h"

/* The dialer's first frame. */
static const uint8_t confirmation[] = {1};

/* ---- life ---- */

void conn_options(int fd)
{
	int on = 1, unread_ms = P2P_UNREAD_MS_MAX, idle_s = P2P_UNREAD_MS_MAX / 1000;
	/* A socket without them works too, only worse. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unread_ms, sizeof unread_ms);
}

void conn_free(struct conn *c)
{
	struct net *n = c->net;
	*(c->previous ? &c->previous->next : &n->first) = c->next;
	*(c->next ? &c->next->previous : &n->last) = c->previous;
	struct event *events[] = {c->readable, c->writable, c->deadline};
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		if (events[i])
			event_free(events[i]);
	}
	if (c->out)
		evbuffer_free(c->out);
	close(c->fd);
	link_fini(&c->link);
	free(c);
}

void conn_end(struct conn *c)
{
	struct net *n = c->net;
	char address[NET_HOST_BYTES], why[NET_WHY_BYTES];
	memcpy(address, c->address, sizeof address);
	memcpy(why, c->why, sizeof why);
	struct conn_end end = {
		.conn = c,
		.state = c->state,
		.outbound = c->outbound,
		.unusual = c->unusual,
		.peer = c->peer,
		.since_ms = c->since_ms,
		.address = address,
		.why = why,
	};
	conn_free(c);
	net_ended(n, &end);
}

static void end_because(struct conn *c, bool unusual, const char *why)
{
	snprintf(c->why, sizeof c->why, "%s", why);
	c->unusual = unusual;
	conn_end(c);
}

void conn_doom(struct conn *c, bool unusual, const char *format, ...)
{
	if (c->ending)
		return;
	c->ending = true;
	c->unusual = unusual;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(c->why, sizeof c->why, format, arguments);
	va_end(arguments);
	event_del(c->readable);
	event_del(c->writable);
	event_active(c->net->reaper, EV_TIMEOUT, 0);
}

/* ---- out ---- */

/* What net->sealed holds goes to the socket when the callbacks of this turn have queued theirs, in
 * one write and without asking first whether there is room: there nearly always is. */
static bool queue_sealed(struct conn *c)
{
	struct buf *sealed = &c->net->sealed;
	if (sealed->len == 0)
		return true;
	if (buf_ok(sealed) && evbuffer_add(c->out, sealed->data, sealed->len) == 0) {
		event_active(c->writable, EV_WRITE, 0);
		return true;
	}
	conn_doom(c, true, "no memory for what it should be sent");
	return false;
}

static bool seal(struct conn *c, struct bytes frame)
{
	buf_clear(&c->net->sealed);
	link_put(&c->link, &c->net->sealed, frame);
	return queue_sealed(c);
}

bool conn_send(struct conn *c, struct bytes frame)
{
	if (c->ending)
		return false;
	size_t waiting = evbuffer_get_length(c->out);
	if (waiting + frame.len > P2P_QUEUE_BYTES_MAX) {
		conn_doom(c, true, "it doesn't read: %zu bytes wait for it", waiting);
		return false;
	}
	net_make_room(c->net, c, frame.len);
	return !c->ending && seal(c, frame);
}

void conn_forget(struct conn *c)
{
	CHECK(c->ending);
	evbuffer_drain(c->out, evbuffer_get_length(c->out));
}

static void begin_proof(struct conn *c)
{
	struct net *n = c->net;
	int error = 0;
	socklen_t len = sizeof error;
	uint8_t seed[32];
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		end_because(c, false, strerror(error));
		return;
	}
	buf_clear(&n->sealed);
	if (files_random(seed, sizeof seed) != STATUS_OK ||
		!link_dial(&c->link, &n->sealed, &n->config.me, &n->slots[c->peer].peer.key,
			c->peer, &n->config.chain_tag, seed)) {
		end_because(c, true, "no handshake can be made with its key");
		return;
	}
	secret_wipe(seed, sizeof seed);
	c->state = CONN_PROVING;
	if (queue_sealed(c) && event_add(c->readable, NULL) != 0)
		conn_doom(c, true, "no memory to read it");
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct conn *c = arg;
	if (c->state == CONN_CONNECTING) {
		begin_proof(c);
		return;
	}
	if (evbuffer_write(c->out, fd) < 0 && errno != EAGAIN && errno != EINTR) {
		end_because(c, false, strerror(errno));
		return;
	}
	if (evbuffer_get_length(c->out) == 0)
		event_del(c->writable);
	else if (event_add(c->writable, NULL) != 0)
		end_because(c, true, "no memory to wait until it reads");
}

/* ---- in ---- */

static void gather(void *ctx, struct bytes frame)
{
	struct net *n = ctx;
	buf_append_u32be(&n->frames, (uint32_t)frame.len);
	buf_append_view(&n->frames, frame);
}

static bool proven(struct conn *c)
{
	c->state = CONN_UP;
	c->since_ms = clock_steady_ms();
	event_del(c->deadline);
	return net_conn_up(c->net, c);
}

/* A listener's first frame. */
static bool confirmed(struct conn *c, struct bytes frame)
{
	if (!bytes_equal(frame, bytes_view(confirmation, sizeof confirmation))) {
		end_because(c, true, "its first frame is no confirmation");
		return false;
	}
	c->peer = c->link.peer;
	return proven(c);
}

/* False: the connection is no more. */
static bool deliver(struct conn *c)
{
	struct net *n = c->net;
	struct cursor at = cursor_of(buf_view(&n->frames));
	while (at.left > 0 && !c->ending) {
		size_t len = cursor_u32be(&at);
		struct bytes frame = cursor_view(&at, len);
		if (c->state == CONN_UP)
			n->config.frame(n->config.ctx, c->peer, frame);
		else if (!confirmed(c, frame))
			return false;
	}
	return true;
}

static void take(struct conn *c, struct bytes bytes)
{
	struct net *n = c->net;
	buf_clear(&n->sealed);
	buf_clear(&n->frames);
	enum link_verdict verdict = link_take(&c->link, &n->sealed, bytes, gather, n);
	if (verdict == LINK_FINE && !buf_ok(&n->frames))
		verdict = LINK_NO_MEMORY;
	if (verdict != LINK_FINE) {
		end_because(c, true, link_verdict_text(verdict));
		return;
	}
	if (!queue_sealed(c))
		return;
	if (c->outbound && c->state == CONN_PROVING && c->link.state == LINK_OPEN) {
		if (!seal(c, bytes_view(confirmation, sizeof confirmation)) || !proven(c))
			return;
	}
	deliver(c);
}

/* One read a turn: whoever sends most waits its turn like the others. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct conn *c = arg;
	ssize_t got = recv(fd, c->net->chunk, sizeof c->net->chunk, 0);
	if (got > 0)
		take(c, bytes_view(c->net->chunk, (size_t)got));
	else if (got == 0)
		end_because(c, false, "closed by the other side");
	else if (errno != EAGAIN && errno != EINTR)
		end_because(c, false, strerror(errno));
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct conn *c = arg;
	end_because(c, false,
		c->state == CONN_CONNECTING ? "no connection in time"
					    : "no proof of itself in time");
}

struct conn *conn_new(struct net *n, int fd, bool outbound, uint32_t peer, const char *address)
{
	struct conn *c = calloc(1, sizeof *c);
	if (!c) {
		close(fd);
		return NULL;
	}
	c->net = n;
	c->fd = fd;
	c->outbound = outbound;
	c->peer = peer;
	c->state = outbound ? CONN_CONNECTING : CONN_PROVING;
	c->since_ms = clock_steady_ms();
	snprintf(c->address, sizeof c->address, "%s", address);
	c->previous = n->last;
	*(n->last ? &n->last->next : &n->first) = c;
	n->last = c;
	uint32_t limit_ms = n->config.handshake_ms;
	struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000};
	c->out = evbuffer_new();
	c->readable = event_new(n->config.loop, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(n->config.loop, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	c->deadline = evtimer_new(n->config.loop, on_deadline, c);
	if (!c->out || !c->readable || !c->writable || !c->deadline ||
		event_add(outbound ? c->writable : c->readable, NULL) != 0 ||
		evtimer_add(c->deadline, &limit) != 0) {
		conn_free(c);
		return NULL;
	}
	return c;
}
