/* node/net_rates: how often an address may connect, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "node/net_rates.h"

static struct net_address address_of(uint32_t number)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(number)}};
	return net_address_of((const struct sockaddr *)&in);
}

static unsigned admitted(struct net_rates *r, uint32_t number, unsigned tries, uint64_t now_ms)
{
	struct net_address address = address_of(number);
	unsigned count = 0;
	for (unsigned i = 0; i < tries; i++)
		count += net_rates_admit(r, &address, now_ms);
	return count;
}

static void an_address_has_a_burst_and_then_a_rate(void **state)
{
	struct net_rates r = {0};
	assert_int_equal(admitted(&r, 1, 1000, 5000), P2P_ADDRESS_BURST);
	assert_int_equal(admitted(&r, 2, 1, 5000), 1); /* another one has its own */
	assert_int_equal(admitted(&r, 1, 1000, 5000), 0);
	assert_int_equal(admitted(&r, 1, 1000, 6000), P2P_ADDRESS_PER_S);
	assert_int_equal(admitted(&r, 1, 1000, 6500), P2P_ADDRESS_PER_S / 2);
	assert_int_equal(admitted(&r, 1, 1000, UINT64_MAX), P2P_ADDRESS_BURST);
}

static void the_address_unseen_for_longest_is_forgotten(void **state)
{
	struct net_rates r = {0};
	for (uint32_t i = 0; i < P2P_ADDRESSES_MAX; i++)
		assert_int_equal(admitted(&r, i, 1000, 1000 + i), P2P_ADDRESS_BURST);
	assert_int_equal(admitted(&r, 0, 1, 1000), 0);
	assert_int_equal(admitted(&r, 9999, 1, 1300), 1); /* in the place of 0 */
	assert_int_equal(admitted(&r, 1, 1, 1001), 0);
	assert_int_equal(admitted(&r, 0, 1000, 1300), P2P_ADDRESS_BURST);
}

static void addresses_of_one_ipv6_network_are_one(void **state)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6}, b = a, c = a, mapped = a;
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2::1", &a.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2:ffff::2", &b.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:3::1", &c.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &mapped.sin6_addr), 1);
	struct net_address of_a = net_address_of((struct sockaddr *)&a),
			   of_b = net_address_of((struct sockaddr *)&b),
			   of_c = net_address_of((struct sockaddr *)&c),
			   of_mapped = net_address_of((struct sockaddr *)&mapped),
			   plain = address_of(0x0a000001);
	assert_memory_equal(&of_a, &of_b, sizeof of_a);
	assert_memory_not_equal(&of_a, &of_c, sizeof of_a);
	assert_memory_equal(&of_mapped, &plain, sizeof plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_a_burst_and_then_a_rate),
		cmocka_unit_test(the_address_unseen_for_longest_is_forgotten),
		cmocka_unit_test(addresses_of_one_ipv6_network_are_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
