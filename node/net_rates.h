/* net_rates: how often one address may connect, whoever it is: a bucket of tokens for each of the
 * addresses seen last. Owns nothing; the caller's memory, zero bytes are empty. Used by net.c
 * alone. Never asks the clock. Can't fail: with more addresses than places the one unseen for
 * longest is forgotten. */
#ifndef NODE_NET_RATES_H
#define NODE_NET_RATES_H

#include <sys/socket.h>

#include "base/bytes.h"
#include "base/limits.h"

/* An IPv4 address, or the network part of an IPv6 one: who has one address of those has all. */
struct net_address {
	uint8_t b[16];
};
struct net_address net_address_of(const struct sockaddr *address);

struct net_rate {
	struct net_address address;
	bool used;
	uint64_t seen_ms;
	uint64_t tokens_milli;
};

struct net_rates {
	struct net_rate rates[P2P_ADDRESSES_MAX];
};

/* May a connection from there go on? now_ms: steady. */
MUST_USE bool net_rates_admit(
	struct net_rates *r, const struct net_address *address, uint64_t now_ms);

#endif
