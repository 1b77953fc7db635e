/* node/slice: a thread that asks for short turns keeps everything else the operator chose. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/sched/types.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "node/slice.h"

static struct sched_attr attr_of_this_thread(void)
{
	struct sched_attr attr;
	memset(&attr, 0, sizeof attr);
	assert_int_equal(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0), 0);
	return attr;
}

static void short_turns_leave_policy_and_niceness_alone(void **state)
{
	assert_int_equal(setpriority(PRIO_PROCESS, 0, 5), 0);
	struct sched_attr before = attr_of_this_thread();
	slice_short();
	struct sched_attr after = attr_of_this_thread();
	assert_int_equal(after.sched_policy, before.sched_policy);
	assert_int_equal(after.sched_nice, 5);
	assert_int_equal(after.sched_flags, before.sched_flags);
}

static void a_kernel_that_knows_slices_gives_a_shorter_one(void **state)
{
	struct sched_attr before = attr_of_this_thread();
	if (before.sched_runtime == 0)
		skip(); /* this one doesn't */
	slice_short();
	assert_true(attr_of_this_thread().sched_runtime <= before.sched_runtime);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_that_knows_slices_gives_a_shorter_one),
		cmocka_unit_test(short_turns_leave_policy_and_niceness_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
