#include "genesis/numbers.h"

#include <string.h>

#include "base/check.h"
#include "chain/proto/settle.pb-c.h"
#include "chain/settle/params.h"

#define ENGINE(field, standard, least, most)                                                       \
	{                                                                                          \
#field, offsetof(Pb__EngineParams, field), sizeof(((Pb__EngineParams *)0)->field), \
			standard, least, most                                                      \
	}

static const struct genesis_number engine_numbers[] = {
	ENGINE(heartbeat_ms, 5000, 100, 60000),
	ENGINE(gather_ms, 20, 0, 10000),
	ENGINE(precision_ms, 500, 1, 60000),
	ENGINE(message_delay_ms, 2000, 1, 60000),
};

static struct genesis_number settle_number(const struct settle_param *param)
{
	struct genesis_number number = {param->name, param->offset,
		param->is_u32 ? sizeof(uint32_t) : sizeof(uint64_t), param->preset, param->min,
		param->max};
	return number;
}

size_t genesis_number_count(enum genesis_numbers numbers)
{
	size_t count = sizeof engine_numbers / sizeof engine_numbers[0];
	if (numbers == GENESIS_NUMBERS_SETTLE)
		settle_param_table(&count);
	return count;
}

struct genesis_number genesis_number_at(enum genesis_numbers numbers, size_t index)
{
	size_t count;
	CHECK(index < genesis_number_count(numbers));
	return numbers == GENESIS_NUMBERS_SETTLE ? settle_number(&settle_param_table(&count)[index])
						 : engine_numbers[index];
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
