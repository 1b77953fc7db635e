/* equal: do several nodes have the same chain? Asked over JSON-RPC, block for block: headers with
 * their app hashes, ids, sizes; and no block may carry evidence of somebody signing twice. */
#ifndef TESTS_E2E_EQUAL_H
#define TESTS_E2E_EQUAL_H

#include "base/bytes.h"

enum { EQUAL_NODES_MAX = 8 };

struct equal_report {
	int64_t head;                      /* of all of them, when equal */
	int64_t earliest[EQUAL_NODES_MAX]; /* the first height each can tell of */
	char text[256];                    /* what is wrong */
};

/* Waits until all are at one height. False: they aren't in time. */
MUST_USE bool equal_await(
	struct equal_report *report, const uint16_t *ports, size_t count, uint64_t wait_ms);
/* Compares every block up to report->head. */
MUST_USE bool equal_blocks(struct equal_report *report, const uint16_t *ports, size_t count);

#endif
