#include "miner/deadline.h"

enum { RETRY_FIRST_MS = 250, RETRY_MOST_MS = 15 * 1000 };

uint64_t deliver_at_ms(uint64_t completed_ms, uint64_t lease_end_ms, uint64_t deadline_ms)
{
	uint64_t limit_ms = lease_end_ms < deadline_ms ? lease_end_ms : deadline_ms;
	if (limit_ms <= completed_ms)
		return completed_ms;
	uint64_t half_ms = completed_ms + (limit_ms - completed_ms) / 2;
	uint64_t latest_ms = limit_ms > DELIVER_RESERVE_MS ? limit_ms - DELIVER_RESERVE_MS : 0;
	uint64_t at_ms = half_ms < latest_ms ? half_ms : latest_ms;
	return at_ms > completed_ms ? at_ms : completed_ms;
}

uint32_t retry_pause_ms(unsigned tries)
{
	if (tries > 6)
		return RETRY_MOST_MS;
	uint32_t pause_ms = (uint32_t)RETRY_FIRST_MS << (tries > 0 ? tries - 1 : 0);
	return pause_ms < RETRY_MOST_MS ? pause_ms : RETRY_MOST_MS;
}
