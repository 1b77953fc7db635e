/* numbers: the bounded integers of a genesis document as data [protocol 8]: name, place, default,
 * range. One table each for settlement and engine parameters, read by defaults, parser, rules and
 * writer alike. Internal to genesis/. Pure; cannot fail. */
#ifndef GENESIS_NUMBERS_H
#define GENESIS_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

struct genesis_number {
	const char *name;
	size_t offset; /* of the field in its message */
	size_t width;  /* 4 or 8 bytes */
	uint64_t standard;
	uint64_t least;
	uint64_t most;
};

struct genesis_numbers {
	const struct genesis_number *rows;
	size_t count;
};

/* Fields of Pb__SettleParams. */
struct genesis_numbers genesis_settle_numbers(void);
/* Fields of Pb__EngineParams but pace and interval_ms, whose rule hangs on pace. */
struct genesis_numbers genesis_engine_numbers(void);

uint64_t genesis_number_get(const struct genesis_number *number, const void *message);
/* value must fit the field's width. */
void genesis_number_set(const struct genesis_number *number, void *message, uint64_t value);

#endif
