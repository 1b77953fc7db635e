/* net_inside: what net.c (peers: whom to dial, whom to let in) and net_conn.c (one connection:
 * bytes, deadline, queue) share. */
#ifndef NODE_NET_INSIDE_H
#define NODE_NET_INSIDE_H

#include <event2/buffer.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "node/net.h"
#include "node/net_rates.h"
#include "p2p/link.h"

enum { NET_WHY_BYTES = 128 };
#define NET_NOBODY UINT32_MAX

enum conn_state {
	CONN_CONNECTING, /* dialed: TCP's own handshake */
	CONN_PROVING,    /* the link's handshake, or the frame that confirms it, is missing */
	CONN_UP
};

struct conn {
	struct net *net;
	struct conn *next, *previous; /* oldest first */
	enum conn_state state;
	bool outbound;
	bool ending; /* at the reaper's next turn */
	bool unusual;
	uint32_t peer; /* NET_NOBODY until proven */
	int fd;
	struct link link;
	struct evbuffer *out;
	struct event *readable, *writable, *deadline;
	uint64_t since_ms; /* it is up, or it began */
	char address[NET_HOST_BYTES];
	char why[NET_WHY_BYTES]; /* it ends */
};

struct slot {
	struct net *net;
	struct net_peer peer;
	struct noise_key public_key;
	struct sockaddr_storage address;
	socklen_t address_len;
	bool dials;        /* we do */
	bool told;         /* that it can't be reached; until it is up */
	struct conn *conn; /* the link that is up */
	struct conn *dialing;
	struct event *redial;
	uint32_t redial_ms;     /* the next pause */
	uint64_t away_since_ms; /* while it is not up */
	uint64_t banned_until_ms;
	uint32_t bans;
};

struct net {
	struct net_config config; /* its peers and listen_address are the caller's: not kept */
	int listen_fd;
	uint16_t port;
	struct event *acceptable, *accept_again, *reaper;
	struct slot slots[PEERS_MAX];
	uint32_t slot_count, up_count;
	struct conn *first, *last;
	uint32_t stranger_count;           /* inbound, not up */
	uint64_t refused, refused_told_ms; /* strangers since the last line about them */
	struct net_rates rates;
	struct buf sealed; /* scratch of one call */
	struct buf frames; /* of one read: u32be length | frame */
	uint8_t chunk[P2P_READ_BYTES];
};

/* ---- net_conn.c ---- */

/* Takes fd. NULL: no memory; fd is closed. */
struct conn *conn_new(struct net *n, int fd, bool outbound, uint32_t peer, const char *address);
/* Ends it at once: frees, then tells net_ended. From the loop only. */
void conn_end(struct conn *c);
/* Frees without telling anybody. */
void conn_free(struct conn *c);
/* Ends it when the loop turns next. */
void conn_doom(struct conn *c, bool unusual, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool conn_send(struct conn *c, struct bytes frame);
/* Forgets what waits to be written: of a connection that is doomed. */
void conn_forget(struct conn *c);
/* Options every socket of a link has. */
void conn_options(int fd);

/* ---- net.c ---- */

/* Makes room for so many bytes more in the queues of all links. */
void net_make_room(struct net *n, const struct conn *asking, size_t bytes);
/* The link has proven itself. False: its peer may not come in now. */
bool net_conn_up(struct net *n, struct conn *c);
/* What is left of a connection that ended: peer and state as they were, why. */
struct conn_end {
	const struct conn *conn; /* only to be compared; it is freed */
	enum conn_state state;
	bool outbound, unusual;
	uint32_t peer;
	uint64_t since_ms;
	const char *address, *why;
};
void net_ended(struct net *n, const struct conn_end *end);
bool net_admits(void *ctx, const struct noise_key *remote, uint32_t *peer);

#endif
