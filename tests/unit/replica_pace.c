/* When a height starts, over whole replicas: what one missing link costs those who have the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/replica_world.h"

enum { VALIDATORS = 4, APART = 3, HEARTBEAT_MS = 5000 };

static struct world world;

/* Once, a transaction brought to a node that had no link with the next proposer waited for the
 * three seconds that all others gave it: it had no reason to begin, and nobody told it that they
 * had. */
static void a_missing_link_holds_up_no_proposer(void **state)
{
	world_open(&world, VALIDATORS, VALIDATORS);
	for (size_t i = 0; i < VALIDATORS; i++)
		world_start(&world, i);
	world.links[0][APART].cut = world.links[APART][0].cut = true;
	assert_true(world_run_to(&world, 0, 1, 40000));
	world_run(&world, 1000);
	uint64_t longest_ms = 0;
	for (size_t i = 0; i < 4 * VALIDATORS; i++) {
		/* A payment takes two heights, a heartbeat one: so every node's turn comes. */
		world_run(&world, i % 2 == 0 ? 200 : HEARTBEAT_MS + 200);
		uint64_t txs = world.committed_txs, began_ms = world.now_ms;
		world_pay(&world, 0, i, 20);
		while (world.committed_txs == txs && world.now_ms < began_ms + 10000)
			world_run(&world, 10);
		if (world.now_ms - began_ms > longest_ms)
			longest_ms = world.now_ms - began_ms;
	}
	printf("figure: a commit beside a missing link: at most %llu ms\n",
		(unsigned long long)longest_ms);
	assert_in_range(longest_ms, 1, 300);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_link_holds_up_no_proposer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
