/* relay: a double of the network between real nodes. Every way from one node to another leads over
 * a port of its own on loopback, where the test can hold the bytes back, end the connections or let
 * them through again. It never changes a byte. One thread of its own; relay_set from any thread. */
#ifndef TESTS_LIVE_RELAY_H
#define TESTS_LIVE_RELAY_H

#include "base/bytes.h"

enum { RELAY_NODES_MAX = 8 };

enum relay_way {
	RELAY_OPEN,
	RELAY_SILENT, /* bytes stay where they are, as behind a cable pulled out */
	RELAY_CLOSED  /* connections end, and new ones are closed at once */
};

struct relay;

/* Ways between count nodes, all open; ports[i] is where node i listens. NULL: no port is free. */
struct relay *relay_new(const uint16_t *ports, size_t count);
void relay_free(struct relay *r);

/* Where node `from` finds node `to`. */
uint16_t relay_port(const struct relay *r, size_t from, size_t to);

/* Both ways between the two. */
void relay_set(struct relay *r, size_t one, size_t other, enum relay_way way);

#endif
