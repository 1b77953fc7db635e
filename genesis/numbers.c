#include "genesis/numbers.h"

#include <string.h>

#include "base/check.h"
#include "chain/proto/settle.pb-c.h"

#define SETTLE(field, standard, least, most)                                                       \
	{                                                                                          \
#field, offsetof(Pb__SettleParams, field), sizeof(((Pb__SettleParams *)0)->field), \
			standard, least, most                                                      \
	}
#define ENGINE(field, standard, least, most)                                                       \
	{                                                                                          \
#field, offsetof(Pb__EngineParams, field), sizeof(((Pb__EngineParams *)0)->field), \
			standard, least, most                                                      \
	}

static const struct genesis_number settle_numbers[] = {
	SETTLE(min_ttl_ms, 1000, 100, 3600000),
	SETTLE(max_ttl_ms, 2592000000, 60000, 32000000000),
	SETTLE(max_lease_ms, 86400000, 1000, 2600000000),
	SETTLE(max_attempts, 20, 1, 100),
	SETTLE(min_reward, 1000, 1, 1000000000000),
	SETTLE(max_open_jobs_per_client, 10000, 1, 1000000),
	SETTLE(review_ms, 600000, 1000, 2600000000),
	SETTLE(cancel_grace_ms, 10000, 100, 3600000),
	SETTLE(base_fee, 100, 0, 1000000000),
	SETTLE(fee_per_byte, 1, 0, 1000000),
	SETTLE(min_account_amount, 1000, 1, 1000000000),
	SETTLE(max_coordinator_ppm, 200000, 0, 1000000),
	SETTLE(expiries_per_block, 1000, 1, 100000),
	SETTLE(unit_slack_ms, 500, 0, 60000),
};

static const struct genesis_number engine_numbers[] = {
	ENGINE(heartbeat_ms, 5000, 100, 60000),
	ENGINE(gather_ms, 20, 0, 10000),
	ENGINE(precision_ms, 500, 1, 60000),
	ENGINE(message_delay_ms, 2000, 1, 60000),
};

struct genesis_numbers genesis_settle_numbers(void)
{
	struct genesis_numbers numbers = {
		settle_numbers, sizeof settle_numbers / sizeof settle_numbers[0]};
	return numbers;
}

struct genesis_numbers genesis_engine_numbers(void)
{
	struct genesis_numbers numbers = {
		engine_numbers, sizeof engine_numbers / sizeof engine_numbers[0]};
	return numbers;
}

uint64_t genesis_number_get(const struct genesis_number *number, const void *message)
{
	const char *at = (const char *)message + number->offset;
	if (number->width == sizeof(uint32_t)) {
		uint32_t narrow;
		memcpy(&narrow, at, sizeof narrow);
		return narrow;
	}
	uint64_t wide;
	memcpy(&wide, at, sizeof wide);
	return wide;
}

void genesis_number_set(const struct genesis_number *number, void *message, uint64_t value)
{
	char *at = (char *)message + number->offset;
	if (number->width == sizeof(uint32_t)) {
		CHECK(value <= UINT32_MAX);
		uint32_t narrow = (uint32_t)value;
		memcpy(at, &narrow, sizeof narrow);
		return;
	}
	memcpy(at, &value, sizeof value);
}
