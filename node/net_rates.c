#include "node/net_rates.h"

#include <netinet/in.h>
#include <string.h>

struct net_address net_address_of(const struct sockaddr *address)
{
	enum { MAPPED_AT = 10, IPV4_AT = 12, NETWORK_BYTES = 8 };
	struct net_address out = {{0}};
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof in);
		memset(out.b + MAPPED_AT, 0xff, IPV4_AT - MAPPED_AT);
		memcpy(out.b + IPV4_AT, &in.sin_addr, sizeof in.sin_addr);
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in;
		memcpy(&in, address, sizeof in);
		bool mapped = IN6_IS_ADDR_V4MAPPED(&in.sin6_addr);
		memcpy(out.b, &in.sin6_addr, mapped ? sizeof out.b : NETWORK_BYTES);
	}
	return out;
}

static struct net_rate *rate_of(
	struct net_rates *r, const struct net_address *address, uint64_t now_ms)
{
	struct net_rate *oldest = &r->rates[0];
	for (size_t i = 0; i < P2P_ADDRESSES_MAX; i++) {
		struct net_rate *at = &r->rates[i];
		if (at->used && memcmp(at->address.b, address->b, sizeof address->b) == 0)
			return at;
		if (oldest->used && (!at->used || at->seen_ms < oldest->seen_ms))
			oldest = at;
	}
	*oldest = (struct net_rate){*address, true, now_ms, P2P_ADDRESS_BURST * 1000};
	return oldest;
}

bool net_rates_admit(struct net_rates *r, const struct net_address *address, uint64_t now_ms)
{
	static const uint64_t full = P2P_ADDRESS_BURST * 1000;
	struct net_rate *rate = rate_of(r, address, now_ms);
	uint64_t passed_ms = now_ms > rate->seen_ms ? now_ms - rate->seen_ms : 0;
	/* After a minute any bucket is full, and the product can't overflow. */
	uint64_t earned = (passed_ms < 60 * 1000 ? passed_ms : 60 * 1000) * P2P_ADDRESS_PER_S;
	rate->tokens_milli =
		rate->tokens_milli + earned < full ? rate->tokens_milli + earned : full;
	rate->seen_ms = now_ms;
	if (rate->tokens_milli < 1000)
		return false;
	rate->tokens_milli -= 1000;
	return true;
}
