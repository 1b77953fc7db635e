/* Ten thousand transactions that are almost right: none may enter, whatever the decoder and the
 * signature check meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "settle_kit.h"

enum { MUTATIONS = 10000, KINDS = 12 };

/* splitmix64: the same mutations in every run. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t bound)
{
	return (size_t)(next_random(state) % bound);
}

static Pb__Action *action_of(struct kit *kit, size_t kind)
{
	Pb__Receipt *receipt = kit_receipt(kit, "job", 1, 1, 1000);
	switch (kind) {
	case 0: return kit_transfer(kit, STRANGER, KIT_COIN);
	case 1: return kit_coordinator_set(kit, 1000, true);
	case 2: return kit_submit(kit, "job");
	case 3: return kit_assign(kit, "job", 1, 1000);
	case 4: return kit_renew(kit, "job", 1, 1000);
	case 5: return kit_release(kit, "job", 1, true);
	case 6: return kit_fail(kit, "job", 1, true);
	case 7: return kit_cancel(kit, "job");
	case 8: return kit_reject(kit, "job", 1);
	case 11: return kit_propose_validator(kit, NULL, 4, 10, CLIENT);
	case 9: return kit_record(kit, receipt);
	default: return kit_deliver(kit, receipt);
	}
}

/* One change of one of the usual kinds; the result is never the original. */
static void mutate(struct buf *out, struct bytes raw, uint64_t *random)
{
	size_t at = below(random, raw.len), len = 1 + below(random, 8);
	buf_clear(out);
	switch (below(random, 6)) {
	case 0: /* a bit */
		buf_append_view(out, raw);
		out->data[at] ^= (uint8_t)(1u << below(random, 8));
		return;
	case 1: /* cut short */ buf_append(out, raw.data, at); return;
	case 2: /* a byte too many */
		buf_append(out, raw.data, at);
		buf_append_byte(out, (uint8_t)next_random(random));
		buf_append(out, raw.data + at, raw.len - at);
		return;
	case 3: /* some bytes twice */
		len = len < raw.len - at ? len : raw.len - at;
		buf_append(out, raw.data, at + len);
		buf_append(out, raw.data + at, raw.len - at);
		return;
	case 4: /* some bytes gone */
		len = len < raw.len - at ? len : raw.len - at;
		buf_append(out, raw.data, at);
		buf_append(out, raw.data + at + len, raw.len - at - len);
		return;
	default: /* other bytes in their place */
		buf_append_view(out, raw);
		for (size_t i = at; i < raw.len && i < at + len; i++)
			out->data[i] ^= (uint8_t)(1 + below(random, 255));
		return;
	}
}

/* As a node does: the cheap checks, then the signature. */
static bool admitted(struct kit *kit, struct bytes raw)
{
	struct app_check check;
	struct app_verdict verdict;
	kit->app.vtable->check(kit->app.self, raw, kit_now_ms(kit), &check);
	kit->app.vtable->verify(kit->app.self, raw, &verdict);
	return check.verdict.code == 0 && verdict.code == 0;
}

static void no_mutated_transaction_is_accepted(void **state)
{
	struct kit *kit = calloc(1, sizeof *kit);
	assert_non_null(kit);
	kit_open(kit, NULL);
	uint64_t random = 20261120;
	struct buf mutant;
	buf_init(&mutant, 0);
	for (size_t kind = 0; kind < KINDS; kind++)
		kit_send(kit, CLIENT, action_of(kit, kind));
	assert_int_equal(kit->tx_count, KINDS);
	for (size_t i = 0; i < MUTATIONS; i++) {
		struct bytes raw = kit->txs[i % KINDS].raw;
		mutate(&mutant, raw, &random);
		assert_true(buf_ok(&mutant));
		if (!bytes_equal(raw, buf_view(&mutant)) && admitted(kit, buf_view(&mutant)))
			fail_msg("mutation %zu of kind %zu was accepted", i, i % KINDS);
	}
	/* The originals are good: what was refused was refused for its change. */
	assert_true(admitted(kit, kit->txs[0].raw));
	buf_fini(&mutant);
	kit_close(kit);
	free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_mutated_transaction_is_accepted)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
