#include "node/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/clock.h"
#include "node/files.h"
#include "node/net_inside.h"

enum {
	ACCEPT_PAUSE_MS = 100,
	REFUSED_TOLD_MS = 10 * 1000,
	LISTEN_BACKLOG = 128,
	BAN_DOUBLINGS_MAX = 20
};

static struct timeval timeval_of(uint64_t ms)
{
	return (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
}

/* ---- whom to dial ---- */

/* Half of the pause is fixed, half is chance: nodes that fell together don't come back in step. */
static uint64_t jittered(uint32_t pause_ms)
{
	uint32_t chance = 0;
	if (files_random(&chance, sizeof chance) != STATUS_OK)
		return pause_ms;
	return pause_ms / 2 + chance % (pause_ms / 2 + 1);
}

static void redial_later(struct slot *s)
{
	uint64_t now_ms = clock_steady_ms();
	uint64_t pause_ms = jittered(s->redial_ms);
	uint64_t banned_ms = s->banned_until_ms > now_ms ? s->banned_until_ms - now_ms : 0;
	struct timeval pause = timeval_of(banned_ms > pause_ms ? banned_ms : pause_ms);
	s->redial_ms = s->redial_ms * 2 < P2P_REDIAL_MS_MAX ? s->redial_ms * 2 : P2P_REDIAL_MS_MAX;
	evtimer_add(s->redial, &pause);
}

/* Once, and again only after it was up. */
static void tell_unreachable(struct slot *s, const char *why)
{
	log_event(s->net->config.log, s->told ? LOG_DEBUG : LOG_INFO,
		"peer_unreachable name=%s address=%s:%u reason=\"%s\"", s->peer.name, s->peer.host,
		s->peer.port, why);
	s->told = true;
}

static void dial(struct slot *s)
{
	struct net *n = s->net;
	int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = socket(s->address.ss_family, type, 0);
	if (fd >= 0) {
		conn_options(fd);
		if (connect(fd, (struct sockaddr *)&s->address, s->address_len) == 0 ||
			errno == EINPROGRESS) {
			s->dialing = conn_new(n, fd, true, (uint32_t)(s - n->slots), s->peer.host);
			if (s->dialing)
				return;
			errno = ENOMEM;
		} else {
			int error = errno;
			close(fd);
			errno = error;
		}
	}
	tell_unreachable(s, strerror(errno));
	redial_later(s);
}

static void on_redial(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct slot *s = arg;
	if (!s->conn && !s->dialing)
		dial(s);
}

/* ---- whom to let in ---- */

bool net_admits(void *ctx, const struct noise_key *remote, uint32_t *peer)
{
	struct net *n = ctx;
	for (uint32_t i = 0; i < n->slot_count; i++) {
		struct slot *s = &n->slots[i];
		if (memcmp(s->public_key.b, remote->b, sizeof remote->b) != 0)
			continue;
		*peer = i;
		return !s->dials && clock_steady_ms() >= s->banned_until_ms;
	}
	return false;
}

static void tell_refused(struct net *n, const char *address, const char *why)
{
	uint64_t now_ms = clock_steady_ms();
	n->refused++;
	if (n->refused_told_ms != 0 && now_ms - n->refused_told_ms < REFUSED_TOLD_MS)
		return;
	n->refused_told_ms = now_ms;
	log_event(n->config.log, LOG_UNUSUAL, "strangers_refused count=%llu last=%s reason=\"%s\"",
		(unsigned long long)n->refused, address, why);
	n->refused = 0;
}

/* A listed peer proves itself within a round trip; who waits longest is the least likely one. */
static void make_room(struct net *n)
{
	struct conn *c = n->first;
	while (c && (c->outbound || c->state == CONN_UP))
		c = c->next;
	CHECK(c);
	snprintf(c->why, sizeof c->why, "others wait to prove themselves");
	conn_end(c);
}

static void let_in(struct net *n, int fd, const struct sockaddr_storage *from)
{
	char address[NET_HOST_BYTES] = "?";
	uint8_t seed[32];
	struct net_address rated = net_address_of((const struct sockaddr *)from);
	const void *raw = from->ss_family == AF_INET6
				  ? (const void *)&((const struct sockaddr_in6 *)from)->sin6_addr
				  : (const void *)&((const struct sockaddr_in *)from)->sin_addr;
	inet_ntop(from->ss_family, raw, address, sizeof address);
	if (!net_rates_admit(&n->rates, &rated, clock_steady_ms())) {
		close(fd);
		tell_refused(n, address, "too many connections from there");
		return;
	}
	if (n->stranger_count >= P2P_STRANGERS_MAX)
		make_room(n);
	conn_options(fd);
	struct conn *c = conn_new(n, fd, false, NET_NOBODY, address);
	if (!c)
		return;
	n->stranger_count++;
	if (files_random(seed, sizeof seed) != STATUS_OK ||
		!link_listen(&c->link, &n->config.me, &n->config.chain_tag, seed, net_admits, n))
		conn_doom(c, true, "no handshake can be begun");
	secret_wipe(seed, sizeof seed);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct net *n = arg;
	for (int i = 0; i < P2P_ACCEPTS_MAX; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof from;
		memset(&from, 0, sizeof from);
		int peer =
			accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (peer >= 0) {
			let_in(n, peer, &from);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		/* No descriptor is free: asking again at once would only burn the processor. */
		log_event(
			n->config.log, LOG_UNUSUAL, "accept_paused reason=\"%s\"", strerror(errno));
		event_del(n->acceptable);
		struct timeval pause = timeval_of(ACCEPT_PAUSE_MS);
		evtimer_add(n->accept_again, &pause);
		return;
	}
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct net *n = arg;
	event_add(n->acceptable, NULL);
}

/* ---- a link comes up, a link ends ---- */

bool net_conn_up(struct net *n, struct conn *c)
{
	struct slot *s = &n->slots[c->peer];
	if (!c->outbound)
		n->stranger_count--;
	if (s->conn) {
		snprintf(s->conn->why, sizeof s->conn->why, "a newer link of it is up");
		conn_end(s->conn);
	}
	if (s->dialing == c)
		s->dialing = NULL;
	s->conn = c;
	n->up_count++;
	s->told = false;
	evtimer_del(s->redial);
	log_event(n->config.log, LOG_INFO, "peer_up name=%s address=%s %s", s->peer.name,
		c->address, c->outbound ? "dialed" : "accepted");
	n->config.up(n->config.ctx, c->peer);
	if (clock_steady_ms() < s->banned_until_ms)
		conn_doom(c, true, "it is banned");
	return true;
}

void net_ended(struct net *n, const struct conn_end *end)
{
	if (!end->outbound && end->state != CONN_UP) {
		n->stranger_count--;
		tell_refused(n, end->address, end->why);
		return;
	}
	struct slot *s = &n->slots[end->peer];
	bool was_up = s->conn == end->conn;
	if (was_up) {
		s->conn = NULL;
		s->away_since_ms = clock_steady_ms();
		n->up_count--;
		log_event(n->config.log, end->unusual ? LOG_UNUSUAL : LOG_INFO,
			"peer_down name=%s reason=\"%s\"", s->peer.name, end->why);
		/* A link that held for a while was no failed attempt. */
		if (clock_steady_ms() - end->since_ms >= P2P_REDIAL_MS_MAX)
			s->redial_ms = P2P_REDIAL_MS;
	} else {
		tell_unreachable(s, end->why);
	}
	if (s->dialing == end->conn)
		s->dialing = NULL;
	if (s->dials && !s->conn && !s->dialing)
		redial_later(s);
	if (was_up)
		n->config.down(n->config.ctx, end->peer);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct net *n = arg;
	struct conn *c = n->first;
	while (c) {
		if (!c->ending) {
			c = c->next;
			continue;
		}
		conn_end(c);
		c = n->first; /* a callback may have doomed others */
	}
}

/* ---- life ---- */

static bool parse_address(
	struct sockaddr_storage *out, socklen_t *len, const char *host, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
		memcpy(out, &in, sizeof in);
		*len = sizeof in;
		return true;
	}
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
		memcpy(out, &in6, sizeof in6);
		*len = sizeof in6;
		return true;
	}
	return false;
}

static enum status add_peer(struct net *n, const struct net_peer *peer, char fault[256])
{
	struct validator_key me = validator_key_of(&n->config.me);
	struct slot *s = &n->slots[n->slot_count];
	s->net = n;
	s->peer = *peer;
	int order = memcmp(me.b, peer->key.b, sizeof me.b);
	s->dials = order < 0;
	s->redial_ms = P2P_REDIAL_MS;
	s->away_since_ms = clock_steady_ms();
	bool good = noise_public_of(&s->public_key, &peer->key) && order != 0;
	for (uint32_t i = 0; i < n->slot_count; i++)
		good = good && memcmp(n->slots[i].public_key.b, s->public_key.b,
				       sizeof s->public_key.b) != 0;
	if (!good) {
		snprintf(fault, 256,
			"peer %s: its key is no node key, or this node's own, or listed twice",
			peer->name);
		return STATUS_INVALID;
	}
	if (!parse_address(&s->address, &s->address_len, peer->host, peer->port)) {
		snprintf(fault, 256, "peer %s: %s is no numeric address", peer->name, peer->host);
		return STATUS_INVALID;
	}
	s->redial = evtimer_new(n->config.loop, on_redial, s);
	if (!s->redial)
		return STATUS_NO_MEMORY;
	n->slot_count++;
	return STATUS_OK;
}

/* A ban that ended before this machine began to count its time is as good as one that ended then.
 */
static void remember_ban(struct slot *s, const struct net_ban *ban)
{
	int64_t until_ms = (int64_t)clock_steady_ms() + ban->left_ms;
	if (ban->count == 0 || ban->left_ms > P2P_BAN_MS_MAX)
		return;
	s->banned_until_ms = until_ms > 0 ? (uint64_t)until_ms : 0;
	s->bans = ban->count < BAN_DOUBLINGS_MAX ? ban->count : BAN_DOUBLINGS_MAX;
}

static enum status bind_port(struct net *n, const struct net_config *config, char fault[256])
{
	struct sockaddr_storage address;
	socklen_t len;
	if (!parse_address(&address, &len, config->listen_address, config->listen_port)) {
		snprintf(fault, 256, "p2p.listen: %.100s is no numeric address",
			config->listen_address);
		return STATUS_INVALID;
	}
	int on = 1;
	n->listen_fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (n->listen_fd < 0 ||
		setsockopt(n->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		bind(n->listen_fd, (struct sockaddr *)&address, len) != 0 ||
		listen(n->listen_fd, LISTEN_BACKLOG) != 0 ||
		getsockname(n->listen_fd, (struct sockaddr *)&address, &len) != 0) {
		int error = errno;
		snprintf(fault, 256, "peers' port %.100s:%u: %s", config->listen_address,
			config->listen_port, strerror(error));
		return status_of_errno(error);
	}
	struct sockaddr_in6 in6; /* the port stands at the same place in both */
	memcpy(&in6, &address, sizeof in6);
	n->port = ntohs(in6.sin6_port);
	return STATUS_OK;
}

static enum status listen_for(struct net *n, const struct net_config *config, char fault[256])
{
	enum status status = bind_port(n, config, fault);
	if (status != STATUS_OK)
		return status;
	n->acceptable =
		event_new(config->loop, n->listen_fd, EV_READ | EV_PERSIST, on_acceptable, n);
	n->accept_again = evtimer_new(config->loop, on_accept_again, n);
	n->reaper = event_new(config->loop, -1, 0, on_reap, n);
	if (n->acceptable && n->accept_again && n->reaper && event_add(n->acceptable, NULL) == 0)
		return STATUS_OK;
	snprintf(fault, 256, "memory for the peers' port");
	return STATUS_NO_MEMORY;
}

enum status net_start(struct net **out, const struct net_config *config, char fault[256])
{
	CHECK(config->peer_count <= PEERS_MAX);
	snprintf(fault, 256, "memory for the peers");
	struct net *n = calloc(1, sizeof *n);
	if (!n)
		return STATUS_NO_MEMORY;
	n->config = *config;
	n->config.peers = NULL;
	n->config.listen_address = NULL;
	n->config.bans = NULL;
	if (config->queues_bytes_max == 0)
		n->config.queues_bytes_max = P2P_QUEUES_BYTES_MAX;
	if (config->handshake_ms == 0)
		n->config.handshake_ms = P2P_HANDSHAKE_MS;
	n->listen_fd = -1;
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < config->peer_count && status == STATUS_OK; i++)
		status = add_peer(n, &config->peers[i], fault);
	for (uint32_t i = 0; config->bans && i < n->slot_count; i++)
		remember_ban(&n->slots[i], &config->bans[i]);
	if (status == STATUS_OK)
		status = listen_for(n, config, fault);
	if (status != STATUS_OK) {
		net_stop(n);
		return status;
	}
	/* From the loop, so that no callback comes before the caller has what it called for. */
	static const struct timeval at_once = {0, 0};
	for (uint32_t i = 0; i < n->slot_count; i++) {
		struct slot *s = &n->slots[i];
		if (s->dials && s->banned_until_ms > clock_steady_ms())
			redial_later(s);
		else if (s->dials)
			evtimer_add(s->redial, &at_once);
	}
	*out = n;
	return STATUS_OK;
}

void net_stop(struct net *n)
{
	if (!n)
		return;
	while (n->first)
		conn_free(n->first);
	for (uint32_t i = 0; i < n->slot_count; i++)
		event_free(n->slots[i].redial);
	struct event *events[] = {n->acceptable, n->accept_again, n->reaper};
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		if (events[i])
			event_free(events[i]);
	}
	if (n->listen_fd >= 0)
		close(n->listen_fd);
	buf_fini(&n->sealed);
	buf_fini(&n->frames);
	secret_wipe(&n->config.me, sizeof n->config.me);
	free(n);
}

/* ---- what the node asks ---- */

uint16_t net_port(const struct net *n)
{
	return n->port;
}

bool net_send(struct net *n, uint32_t peer, struct bytes frame)
{
	CHECK(peer < n->slot_count);
	struct conn *c = n->slots[peer].conn;
	return c && conn_send(c, frame);
}

void net_make_room(struct net *n, const struct conn *asking, size_t bytes)
{
	size_t most = n->config.queues_bytes_max, sum = 0;
	/* While each stays within its share, so do all. */
	if (evbuffer_get_length(asking->out) + bytes <= most / PEERS_MAX)
		return;
	struct conn *fullest = NULL;
	for (uint32_t i = 0; i < n->slot_count; i++) {
		struct conn *c = n->slots[i].conn;
		if (!c || c->ending)
			continue;
		sum += evbuffer_get_length(c->out);
		if (!fullest || evbuffer_get_length(c->out) > evbuffer_get_length(fullest->out))
			fullest = c;
	}
	if (!fullest || sum + bytes <= most)
		return;
	conn_doom(fullest, true, "it reads slowest of all, for whom %zu bytes wait", sum);
	conn_forget(fullest);
}

/* How long the next ban is: as told the first time, twice as long each time after. */
static uint64_t ban_length_ms(struct slot *s, uint64_t ban_ms, uint64_t now_ms)
{
	if (now_ms > s->banned_until_ms && now_ms - s->banned_until_ms > P2P_BAN_FORGIVEN_MS)
		s->bans = 0;
	uint64_t first_ms = ban_ms < P2P_BAN_MS_MAX ? ban_ms : P2P_BAN_MS_MAX;
	uint64_t length_ms = first_ms << s->bans;
	if (s->bans < BAN_DOUBLINGS_MAX)
		s->bans++;
	return length_ms < P2P_BAN_MS_MAX ? length_ms : P2P_BAN_MS_MAX;
}

void net_drop(struct net *n, uint32_t peer, uint64_t ban_ms, const char *why)
{
	CHECK(peer < n->slot_count);
	struct slot *s = &n->slots[peer];
	if (ban_ms > 0) {
		uint64_t now_ms = clock_steady_ms();
		uint64_t length_ms = ban_length_ms(s, ban_ms, now_ms);
		s->banned_until_ms = now_ms + length_ms;
		log_event(n->config.log, LOG_UNUSUAL, "peer_banned name=%s ms=%llu reason=\"%s\"",
			s->peer.name, (unsigned long long)length_ms, why);
	}
	if (s->dialing)
		conn_doom(s->dialing, ban_ms > 0, "%s", why);
	if (s->conn)
		conn_doom(s->conn, ban_ms > 0, "%s", why);
	else if (!s->dialing && s->dials)
		redial_later(s);
}

struct net_ban net_ban_of(const struct net *n, uint32_t peer)
{
	CHECK(peer < n->slot_count);
	const struct slot *s = &n->slots[peer];
	int64_t left_ms = (int64_t)s->banned_until_ms - (int64_t)clock_steady_ms();
	bool forgiven = s->bans == 0 || left_ms < -P2P_BAN_FORGIVEN_MS;
	return (struct net_ban){forgiven ? 0 : left_ms, forgiven ? 0 : s->bans};
}

uint32_t net_up_count(const struct net *n)
{
	return n->up_count;
}

bool net_look(const struct net *n, uint32_t peer, struct net_status *out)
{
	CHECK(peer < n->slot_count);
	const struct conn *c = n->slots[peer].conn;
	if (!c)
		return false;
	*out = (struct net_status){
		.outbound = c->outbound,
		.up_ms = clock_steady_ms() - c->since_ms,
		.bytes_in = c->link.bytes_in,
		.bytes_out = c->link.bytes_out,
		.queued_bytes = evbuffer_get_length(c->out),
	};
	memcpy(out->address, c->address, sizeof out->address);
	return true;
}

uint64_t net_away_ms(const struct net *n, uint32_t peer)
{
	CHECK(peer < n->slot_count);
	const struct slot *s = &n->slots[peer];
	return s->conn ? 0 : clock_steady_ms() - s->away_since_ms;
}

uint32_t net_peer_count(const struct net *n)
{
	return n->slot_count;
}

const struct net_peer *net_peer(const struct net *n, uint32_t peer)
{
	CHECK(peer < n->slot_count);
	return &n->slots[peer].peer;
}
