/* net_info: the answer of the JSON-RPC method net_info, in CometBFT's shape. What our links don't
 * have (rates, channels) is zero or empty; a peer's port for clients is not known here. Pure text;
 * used by chain_view.c. */
#ifndef NODE_NET_INFO_H
#define NODE_NET_INFO_H

#include "node/net.h"
#include "rpc/view.h"

/* net NULL: a node without peers. */
void net_info_json(struct buf *out, const struct net *net, const struct view_identity *identity);

#endif
