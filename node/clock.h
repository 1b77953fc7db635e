/* clock: the machine's two clocks. Only node/ reads them. */
#ifndef NODE_CLOCK_H
#define NODE_CLOCK_H

#include "replica/replica.h"

struct replica_now clock_now(void);
uint64_t clock_steady_ms(void);
uint64_t clock_wall_ms(void);

#endif
