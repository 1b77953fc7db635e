/* clock: the wall clock against the steady one [protocol 6]. What a validator proposes carries its
 * wall clock, and deadlines hang on that: a clock that leaps ahead must not drag the chain's time
 * with it. The steady clock (CLOCK_BOOTTIME) can't leap; their difference can only creep. */
#include <stdio.h>

#include "replica/inside.h"

enum { LEAP_MS = 10 * 1000, AGREE_MS = 1000 };
static const int64_t AHEAD_MS_MAX = (int64_t)30 * 24 * 3600 * 1000;

static int64_t offset_ms(struct replica_now now)
{
	return timestamp_ms(now.wall) - (int64_t)now.steady_ms;
}

bool replica_clock_paused(const struct replica *r)
{
	return r->clock_paused;
}

void clock_trust(struct replica *r, struct replica_now now)
{
	if (r->clock_paused)
		log_event(r->config.log, LOG_INFO, "clock_trusted leap_ms=%lld",
			(long long)(offset_ms(now) - r->clock_offset_ms));
	r->clock_known = true;
	r->clock_paused = r->clock_behind = false;
	r->clock_offset_ms = offset_ms(now);
}

void clock_watch(struct replica *r, struct replica_now now)
{
	if (!r->clock_known)
		clock_trust(r, now);
	int64_t leap_ms = offset_ms(now) - r->clock_offset_ms;
	bool ahead = leap_ms > (r->clock_paused ? AGREE_MS : LEAP_MS);
	bool behind = leap_ms < -LEAP_MS;
	if (ahead != r->clock_paused)
		log_event(r->config.log, ahead ? LOG_UNUSUAL : LOG_INFO,
			ahead ? "clock_leapt_ahead leap_ms=%lld proposing=paused"
			      : "clock_agrees_again leap_ms=%lld proposing=resumed",
			(long long)leap_ms);
	if (behind && !r->clock_behind)
		log_event(r->config.log, LOG_UNUSUAL, "clock_fell_behind leap_ms=%lld",
			(long long)leap_ms);
	r->clock_paused = ahead;
	r->clock_behind = behind;
	/* What creeps is followed. What leapt is not: the old offset stays the true one, so that
	 * the clock that comes back from behind isn't taken for one that runs ahead. */
	if (!ahead && !behind)
		r->clock_offset_ms += leap_ms;
}

enum status clock_start(const struct replica *r, struct replica_now now, char fault[256])
{
	if (r->config.clock_unchecked || r->head.validators.count != 1 ||
		r->head.height < r->head.initial_height)
		return STATUS_OK;
	int64_t ahead_ms = timestamp_ms(now.wall) - timestamp_ms(r->head.time);
	if (ahead_ms >= 0 && ahead_ms <= AHEAD_MS_MAX)
		return STATUS_OK;
	snprintf(fault, 256,
		"this machine's clock is %lld s %s the last block; if it is right, start with "
		"--clock.unchecked true",
		(long long)((ahead_ms < 0 ? -ahead_ms : ahead_ms) / 1000),
		ahead_ms < 0 ? "behind" : "ahead of");
	return STATUS_REFUSED;
}
