#include "coordinator/rate.h"

#include <stdio.h>
#include <string.h>

bool rate_take(struct rate_bucket *bucket, uint64_t *retry_ms, uint32_t rate_per_s, uint32_t burst,
	uint64_t now_ms)
{
	uint64_t full = (uint64_t)burst * 1000;
	uint64_t passed = now_ms > bucket->at_ms ? now_ms - bucket->at_ms : 0;

	if (bucket->at_ms == 0 || passed > 3600 * 1000)
		bucket->milli_tokens = full;
	else
		bucket->milli_tokens += passed * rate_per_s;
	if (bucket->milli_tokens > full)
		bucket->milli_tokens = full;
	bucket->at_ms = now_ms;
	if (bucket->milli_tokens >= 1000) {
		bucket->milli_tokens -= 1000;
		*retry_ms = 0;
		return true;
	}
	*retry_ms = (1000 - bucket->milli_tokens + rate_per_s - 1) / rate_per_s;
	return false;
}

static uint32_t address_hash(const char *address)
{
	uint32_t hash = 2166136261u;

	for (const char *c = address; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	return hash;
}

bool open_rates_take(struct open_rates *open, const char *address, uint64_t now_ms)
{
	uint64_t retry_ms;

	return rate_take(&open->buckets[address_hash(address) % OPEN_ADDRESSES_MAX], &retry_ms,
		OPEN_RATE_PER_S, OPEN_BURST, now_ms);
}

bool bad_keys_count(struct bad_keys *bad, const char *address, uint64_t now_ms)
{
	uint64_t minute = now_ms / 60000;
	struct bad_key_slot *slot = &bad->slots[address_hash(address) % BAD_KEY_ADDRESSES_MAX];

	if (slot->minute != minute ||
		strncmp(slot->address, address, sizeof slot->address - 1) != 0) {
		snprintf(slot->address, sizeof slot->address, "%s", address);
		slot->minute = minute;
		slot->count = 0;
	}
	slot->count++;
	return slot->count <= BAD_KEYS_PER_MINUTE_MAX;
}
