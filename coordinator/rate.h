/* rate: how often one may ask. A token bucket per API key, and a count of bad keys per address and
 * minute. Fixed tables, no heap; the clock is an argument (monotonic ms). Cannot fail: a verdict is
 * data. */
#ifndef COORDINATOR_RATE_H
#define COORDINATOR_RATE_H

#include "base/bytes.h"

struct rate_bucket {
	uint64_t milli_tokens;
	uint64_t at_ms; /* 0: never used, full */
};

/* Takes one token. False: none left; *retry_ms says when the next is there. */
MUST_USE bool rate_take(struct rate_bucket *bucket, uint64_t *retry_ms, uint32_t rate_per_s,
	uint32_t burst, uint64_t now_ms);

/* Who asks without a key: a bucket per address. Addresses that share a slot share its tokens. */
enum { OPEN_ADDRESSES_MAX = 1024, OPEN_RATE_PER_S = 100, OPEN_BURST = 200 };
struct open_rates {
	struct rate_bucket buckets[OPEN_ADDRESSES_MAX];
};
MUST_USE bool open_rates_take(struct open_rates *open, const char *address, uint64_t now_ms);

enum { BAD_KEY_ADDRESSES_MAX = 1024, BAD_KEYS_PER_MINUTE_MAX = 10 };

struct bad_key_slot {
	char address[48];
	uint64_t minute;
	uint32_t count;
};
struct bad_keys {
	struct bad_key_slot slots[BAD_KEY_ADDRESSES_MAX];
};

/* Counts one bad key of the address. False: more than BAD_KEYS_PER_MINUTE_MAX in this minute. Two
 * addresses that fall on one slot push each other out: then one of them is counted too mildly,
 * never too hard. */
MUST_USE bool bad_keys_count(struct bad_keys *bad, const char *address, uint64_t now_ms);

#endif
