/* net: all links of a node to the peers it lists, on the event loop: dials, listens, redials,
 * bounds, bans. In each pair the side whose node key is bytewise smaller dials, so that there is
 * one link and no race. A link counts once both sides have proven to be there now: the dialer's
 * first frame says nothing but that, for its handshake message alone could be an old one played
 * again. Strangers are closed without a byte.
 * Owns sockets, links and queues; borrows loop and log. Loop thread only. Used by daemon.c and
 * driver.c. Knows nothing of what frames mean; sends nothing in the clear; resolves no names.
 * Callbacks come from the loop only, never from inside a call of this room, and up and down of one
 * peer take turns. A peer that fails is a line in the log and a `down`; only starting can fail.
 * The process must ignore SIGPIPE. */
#ifndef NODE_NET_H
#define NODE_NET_H

#include <event2/event.h>

#include "base/keys.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"

enum { NET_HOST_BYTES = 64 };

struct net_peer {
	struct validator_key key; /* its node key */
	char name[PEER_NAME_BYTES_MAX + 1];
	char host[NET_HOST_BYTES]; /* numeric, IPv4 or IPv6 */
	uint16_t port;
};

struct net_ban {
	int64_t left_ms; /* how long it lasts; below 0: it ended so long ago */
	uint32_t count;  /* bans that the next one is lengthened by; 0: never banned, or forgiven */
};

struct net_config {
	struct event_base *loop;
	const char *listen_address; /* numeric */
	uint16_t listen_port;       /* 0: any free one; see net_port */
	struct validator_secret me; /* the node key; copied, wiped at the end */
	struct hash32 chain_tag;
	const struct net_peer *peers; /* copied; a peer's number is its place here */
	uint32_t peer_count;          /* at most PEERS_MAX */
	const struct net_ban *bans;   /* as net_ban_of told before a restart, by peer; NULL: none */
	uint32_t handshake_ms;        /* 0: P2P_HANDSHAKE_MS */
	size_t queues_bytes_max;      /* 0: P2P_QUEUES_BYTES_MAX */
	struct log *log;
	void (*up)(void *ctx, uint32_t peer);
	void (*down)(void *ctx, uint32_t peer);
	/* The frame is borrowed for the call. */
	void (*frame)(void *ctx, uint32_t peer, struct bytes frame);
	void *ctx;
};

struct net;

/* Listens and begins to dial. STATUS_BUSY: the port is taken. STATUS_INVALID: fault names what. */
MUST_USE enum status net_start(struct net **out, const struct net_config *config, char fault[256]);
/* Closes every link; no callback any more. Not from inside a callback. */
void net_stop(struct net *n);

uint16_t net_port(const struct net *n);

/* Seals a frame (1..P2P_FRAME_BYTES_MAX) now and queues it. False: the peer is not up, or this
 * frame was one too many for a peer that doesn't read, and its link ends. When too much waits for
 * all peers together, the link with the longest queue ends. */
bool net_send(struct net *n, uint32_t peer, struct bytes frame);

/* Ends the peer's link, if there is one. ban_ms > 0: it may not come back before that; each
 * further ban is twice as long. why goes to the log. */
void net_drop(struct net *n, uint32_t peer, uint64_t ban_ms, const char *why);

struct net_ban net_ban_of(const struct net *n, uint32_t peer);

uint32_t net_up_count(const struct net *n);

struct net_status {
	bool outbound; /* we dialed */
	char address[NET_HOST_BYTES];
	uint64_t up_ms; /* for how long */
	uint64_t bytes_in, bytes_out;
	size_t queued_bytes;
};
/* For how long the peer has not been up: since its link ended, or since net_start. 0: it is up. */
uint64_t net_away_ms(const struct net *n, uint32_t peer);
/* False: the peer is not up. */
bool net_look(const struct net *n, uint32_t peer, struct net_status *out);
uint32_t net_peer_count(const struct net *n);
const struct net_peer *net_peer(const struct net *n, uint32_t peer);

#endif
