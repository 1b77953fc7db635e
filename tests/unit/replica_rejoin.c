/* A node of four that lost everything but its home's key rejoins a long chain, once block by block
 * and once by a snapshot, over stores in memory: how long that takes of real time, which is the
 * work of executing and verifying (sockets and disks apart). AITBC_FULL=1: 10 000 blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/replica_world.h"

enum { VALIDATORS = 4, LATE = 3, INTERVAL = 100 };

static struct world world;

static double seconds_now(void)
{
	struct timespec now;
	timespec_get(&now, TIME_UTC);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void a_wiped_node_rejoins_a_long_chain(void **state)
{
	int64_t blocks = getenv("AITBC_FULL") ? 10000 : 400;
	world_open(&world, VALIDATORS, VALIDATORS);
	world.app_interval = INTERVAL;
	for (size_t i = 0; i < VALIDATORS; i++)
		world_start(&world, i);
	for (size_t account = 0; world_height(&world, 0) < blocks; account++) {
		for (size_t i = 0; i < 4; i++)
			world_pay(&world, i, (account * 4 + i) % WORLD_ACCOUNTS, 20);
		world_run(&world, 100);
	}
	world_stop(&world, LATE);
	int64_t target = world_height(&world, 0);
	for (int fast = 0; fast < 2; fast++) {
		world_wipe(&world, LATE);
		world.nodes[LATE].follows = true;
		double began_s = seconds_now();
		if (fast)
			world_start_joining(&world, LATE, INTERVAL);
		else
			world_start(&world, LATE);
		assert_true(world_run_to(&world, LATE, target, 600 * 1000));
		double took_s = seconds_now() - began_s;
		printf("figure: a wiped node rejoins %lld blocks %s in %.2f s (%.0f blocks/s, all "
		       "four nodes in one thread)\n",
			(long long)target, fast ? "by a snapshot" : "block by block", took_s,
			(double)target / took_s);
		world_run(&world, 3000);
		world_same_state(&world, 0, LATE);
		assert_true(fast == (world.nodes[LATE].joined > 0));
		world_stop(&world, LATE);
	}
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wiped_node_rejoins_a_long_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
