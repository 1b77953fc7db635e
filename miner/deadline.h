/* deadline: when the miner stops waiting for its coordinator and goes to the chain itself [protocol
 * 3]. Pure. */
#ifndef MINER_DEADLINE_H
#define MINER_DEADLINE_H

#include <stdint.h>

enum { DELIVER_RESERVE_MS = 5000 };

/* In job time: half of what was left at completion until min(lease end, deadline), and at the
 * latest 5 s before that; never before completion. */
uint64_t deliver_at_ms(uint64_t completed_ms, uint64_t lease_end_ms, uint64_t deadline_ms);

/* Pause before try number tries + 1 (tries >= 1): doubled each time from 250 ms, at most 15 s. */
uint32_t retry_pause_ms(unsigned tries);

#endif
