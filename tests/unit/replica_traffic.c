/* What gossip costs: bytes on each link, both ways, for each byte of transactions that is
 * committed. Once as a transaction and once in a block is 2; the rest is votes, proofs, status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain/proto/peer.pb-c.h"
#include "tests/unit/replica_world.h"

enum { VALIDATORS = 4 };

static struct world world;

/* Hundredths of the committed bytes, of the busiest link. */
static uint64_t worst_link(void)
{
	uint64_t worst = 0;
	for (size_t a = 0; a < VALIDATORS; a++) {
		for (size_t b = a + 1; b < VALIDATORS; b++) {
			uint64_t bytes = world.links[a][b].bytes + world.links[b][a].bytes;
			worst = bytes > worst ? bytes : worst;
		}
	}
	assert_true(world.committed_tx_bytes > 0);
	return worst * 100 / world.committed_tx_bytes;
}

static uint64_t all_of_kind(unsigned kind)
{
	uint64_t bytes = 0;
	for (size_t a = 0; a < VALIDATORS; a++) {
		for (size_t b = 0; b < VALIDATORS; b++)
			bytes += world.links[a][b].of_kind[kind];
	}
	return bytes * 100 / 6 / world.committed_tx_bytes;
}

static void figure(const char *what)
{
	uint64_t worst = worst_link();
	printf("figure: bytes per committed byte, busiest of 6 links, %s: %llu.%02llu "
	       "(mean: transactions %llu, parts %llu, votes %llu, status %llu hundredths; "
	       "%llu transactions in %lld blocks)\n",
		what, (unsigned long long)worst / 100, (unsigned long long)worst % 100,
		(unsigned long long)all_of_kind(PB__PEER_MESSAGE__SUM_TRANSACTION),
		(unsigned long long)all_of_kind(PB__PEER_MESSAGE__SUM_BLOCK_PART),
		(unsigned long long)all_of_kind(PB__PEER_MESSAGE__SUM_VOTE),
		(unsigned long long)all_of_kind(PB__PEER_MESSAGE__SUM_STATUS),
		(unsigned long long)world.committed_txs, (long long)world_height(&world, 0));
}

static void begin(uint64_t delay_ms)
{
	world_open(&world, VALIDATORS, VALIDATORS);
	world.delay_ms = delay_ms;
	for (size_t i = 0; i < VALIDATORS; i++)
		world_start(&world, i);
	world_run(&world, 3000);
	memset(world.links, 0, sizeof world.links);
}

/* 50 transactions each 10 ms, all brought to `first` of the nodes in turn. */
static void load(size_t nodes, size_t turns)
{
	size_t account = 0, node = 0;
	for (size_t i = 0; i < turns; i++) {
		for (size_t k = 0; k < 50; k++)
			world_pay(&world, node++ % nodes, account++ % WORLD_ACCOUNTS, 20);
		world_run(&world, 10);
	}
	world_run(&world, 1000);
}

static void a_transaction_crosses_a_link_once_and_once_in_its_block(void **state)
{
	static const struct {
		const char *what;
		size_t nodes;
		uint64_t delay_ms;
	} table[] = {
		{"brought to all four, 1 ms", 4, 1},
		{"brought to all four, 20 ms", 4, 20},
		{"brought to one, 1 ms", 1, 1},
		{"brought to one, 20 ms", 1, 20},
		{"brought to one, 80 ms", 1, 80},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		begin(table[i].delay_ms);
		load(table[i].nodes, 100);
		assert_true(world.committed_txs >= 4500);
		figure(table[i].what);
		assert_in_range(worst_link(), 1, 249);
		world_close(&world);
	}
}

/* A client that tells every node itself at the same moment doesn't make them say it to each other
 * at the same moment. */
static void who_tells_all_of_them_costs_no_more(void **state)
{
	begin(5);
	for (size_t i = 0; i < 50; i++) {
		for (size_t k = 0; k < 50; k++) {
			size_t account = (i * 50 + k) % WORLD_ACCOUNTS;
			uint64_t sequence = world.sequences[account];
			for (size_t n = 0; n < VALIDATORS; n++) {
				world.sequences[account] = sequence;
				world_pay(&world, n, account, 20);
			}
		}
		world_run(&world, 10);
	}
	world_run(&world, 1000);
	assert_true(world.committed_txs >= 2000);
	figure("told to each by its client");
	assert_in_range(worst_link(), 1, 249);
	world_close(&world);
}

/* Bits of a status say who has which vote: it goes to nobody who has it. */
static void a_vote_crosses_a_link_once(void **state)
{
	begin(5);
	uint64_t bytes = 0;
	int64_t before = world_height(&world, 0);
	world_run(&world, 60000);
	int64_t blocks = world_height(&world, 0) - before;
	for (size_t b = 1; b < VALIDATORS; b++)
		bytes += world.links[0][b].of_kind[PB__PEER_MESSAGE__SUM_VOTE];
	assert_true(blocks > 20);
	printf("figure: votes said to a peer a block: %llu bytes\n",
		(unsigned long long)(bytes / 3 / (uint64_t)blocks));
	/* Two of about 180 bytes. */
	assert_true(bytes / 3 / (uint64_t)blocks < 450);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transaction_crosses_a_link_once_and_once_in_its_block),
		cmocka_unit_test(who_tells_all_of_them_costs_no_more),
		cmocka_unit_test(a_vote_crosses_a_link_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
