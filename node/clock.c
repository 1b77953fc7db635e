#include "node/clock.h"

#include <time.h>

struct replica_now clock_now(void)
{
	struct timespec wall, steady;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &steady);
	struct replica_now now;
	now.wall.seconds = wall.tv_sec;
	now.wall.nanos = (int32_t)wall.tv_nsec;
	now.steady_ms = (uint64_t)steady.tv_sec * 1000 + (uint64_t)steady.tv_nsec / 1000000;
	return now;
}

uint64_t clock_steady_ms(void)
{
	return clock_now().steady_ms;
}

uint64_t clock_wall_ms(void)
{
	return (uint64_t)timestamp_ms(clock_now().wall);
}
