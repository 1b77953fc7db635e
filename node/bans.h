/* bans: HOME/bans.json, who was banned and until when, so that a restart forgives nobody:
 *   [{"name": "node1", "key": base64 of its node key, "until": RFC 3339, "count": 2}, ..]
 * At most PEERS_MAX entries, written anew with each ban; an operator may delete it while the node
 * is stopped. Owns nothing. Used by peering.c. A file that can't be read forgives everybody, which
 * is no danger: who misbehaves again is banned again. */
#ifndef NODE_BANS_H
#define NODE_BANS_H

#include "node/net.h"
#include "node/peers_file.h"

/* bans[i] is that of list's i-th peer; zero: none. STATUS_INVALID: fault says what is wrong with
 * the file, and bans are all zero. */
MUST_USE enum status bans_read(struct net_ban bans[PEERS_MAX], const struct peer_list *list,
	const char *home, uint64_t wall_ms, char fault[NODE_FAULT_BYTES]);

MUST_USE enum status bans_write(
	const struct net *net, const char *home, uint64_t wall_ms, char fault[NODE_FAULT_BYTES]);

#endif
