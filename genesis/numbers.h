/* numbers: the bounded integers of a genesis document as data [protocol 8]: name, place, default,
 * range. Settlement's are chain/settle/params.h's own table; the engine's stand here. Defaults,
 * parser, rules and writer all read them through this door. Internal to genesis/. Pure; cannot
 * fail. */
#ifndef GENESIS_NUMBERS_H
#define GENESIS_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

enum genesis_numbers {
	GENESIS_NUMBERS_SETTLE, /* fields of Pb__SettleParams */
	GENESIS_NUMBERS_ENGINE /* of Pb__EngineParams; not pace and interval_ms, whose rule hangs on
				  pace */
};

struct genesis_number {
	const char *name;
	size_t offset; /* of the field in its message */
	size_t width;  /* 4 or 8 bytes */
	uint64_t standard;
	uint64_t least;
	uint64_t most;
};

size_t genesis_number_count(enum genesis_numbers numbers);
struct genesis_number genesis_number_at(enum genesis_numbers numbers, size_t index);

uint64_t genesis_number_get(const struct genesis_number *number, const void *message);
/* value must fit the field's width. */
void genesis_number_set(const struct genesis_number *number, void *message, uint64_t value);

#endif
