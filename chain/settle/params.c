#include "chain/settle/params.h"

#include <stddef.h>

#define U64(field, preset, min, max)                                                               \
	{                                                                                          \
#field, offsetof(Pb__SettleParams, field), false, preset, min, max                 \
	}
#define U32(field, preset, min, max)                                                               \
	{                                                                                          \
#field, offsetof(Pb__SettleParams, field), true, preset, min, max                  \
	}

static const struct settle_param table[] = {
	U64(min_ttl_ms, 1000, 100, 3600000),
	U64(max_ttl_ms, 2592000000, 60000, 32000000000),
	U64(max_lease_ms, 86400000, 1000, 2600000000),
	U32(max_attempts, 20, 1, 100),
	U64(min_reward, 1000, 1, 1000000000000),
	U64(max_open_jobs_per_client, 10000, 1, 1000000),
	U64(review_ms, 600000, 1000, 2600000000),
	U64(cancel_grace_ms, 10000, 100, 3600000),
	U64(base_fee, 100, 0, 1000000000),
	U64(fee_per_byte, 1, 0, 1000000),
	U64(min_account_amount, 1000, 1, 1000000000),
	U32(max_coordinator_ppm, 200000, 0, 1000000),
	U32(expiries_per_block, 1000, 1, 100000),
	U64(unit_slack_ms, 500, 0, 60000),
};

const struct settle_param *settle_param_table(size_t *count)
{
	*count = sizeof table / sizeof table[0];
	return table;
}

uint64_t settle_param_get(const Pb__SettleParams *params, const struct settle_param *param)
{
	const void *field = (const uint8_t *)params + param->offset;

	return param->is_u32 ? *(const uint32_t *)field : *(const uint64_t *)field;
}

void settle_param_set(Pb__SettleParams *params, const struct settle_param *param, uint64_t value)
{
	void *field = (uint8_t *)params + param->offset;

	if (param->is_u32)
		*(uint32_t *)field = (uint32_t)value;
	else
		*(uint64_t *)field = value;
}

void settle_params_preset(Pb__SettleParams *out)
{
	pb__settle_params__init(out);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		settle_param_set(out, &table[i], table[i].preset);
}

const char *settle_params_fault(const Pb__SettleParams *params)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		uint64_t value = settle_param_get(params, &table[i]);

		if (value < table[i].min || value > table[i].max)
			return table[i].name;
	}
	/* min_ttl_ms may be 3.6e6 while max_ttl_ms may be 60 000: then no ttl would do. */
	return params->min_ttl_ms <= params->max_ttl_ms ? NULL : "min_ttl_ms";
}
