/* peers_file: HOME/peers.json, the nodes this one links with:
 *   [{"name": "node1", "key": base64 of its Ed25519 node key, "address": "127.0.0.1:26666"}, ..]
 * Strict both ways: unknown members, names or keys listed twice, names of hosts and this node's own
 * key are refused with the place and the member. Owns nothing. Used by homes.c and daemon.c. */
#ifndef NODE_PEERS_FILE_H
#define NODE_PEERS_FILE_H

#include "node/files.h"
#include "node/net.h"

struct peer_list {
	struct net_peer peers[PEERS_MAX];
	uint32_t count;
};

/* A home without the file lists nobody. STATUS_INVALID: fault names what is wrong. */
MUST_USE enum status peers_file_read(struct peer_list *out, const char *home,
	const struct validator_key *me, char fault[NODE_FAULT_BYTES]);
void peers_file_write(struct buf *out, const struct net_peer *peers, size_t count);

#endif
