/* A second road: random operations on the mempool and on a naive list that searches all of itself
 * each time. They must agree after every single one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/limits.h"
#include "chain/mempool.h"
#include "chain/tx.h"

enum { ACCOUNTS = 6, POOL_TXS = 150, RAW_BYTES = 32, STEPS = 4000 };

struct model_tx {
	uint8_t raw[RAW_BYTES];
	struct hash32 hash;
	uint32_t account;
	uint64_t sequence, fee, valid_until_ms, since_ms;
	bool ready;
};

struct model {
	struct model_tx txs[POOL_TXS];
	size_t count;
	uint64_t next[ACCOUNTS], balance[ACCOUNTS]; /* on chain */
	uint64_t told_next[ACCOUNTS],
		told_balance[ACCOUNTS]; /* as the lane last heard, while there is one */
	uint64_t now_ms;
	uint64_t random;
	struct mempool *m;
};

static uint32_t draw(struct model *model, uint32_t below)
{
	model->random = model->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(model->random >> 33) % below;
}

static struct account_address address_of(uint32_t account)
{
	struct account_address address = {{0}};

	put_u32be(address.b + 9, account * 2654435761u);
	address.b[0] = (uint8_t)account;
	return address;
}

static bool model_account(
	void *self, const struct account_address *address, uint64_t *next, uint64_t *balance)
{
	const struct model *model = self;

	*next = model->next[address->b[0]];
	*balance = model->balance[address->b[0]];
	return true;
}

/* ---- the naive rules ---- */

static struct model_tx *model_find(struct model *model, uint32_t account, uint64_t sequence)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->txs[i].account == account && model->txs[i].sequence == sequence)
			return &model->txs[i];
	return NULL;
}

static void model_remove(struct model *model, struct model_tx *tx)
{
	*tx = model->txs[--model->count];
}

static bool model_has_lane(const struct model *model, uint32_t account)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->txs[i].account == account)
			return true;
	return false;
}

static uint64_t model_fees(const struct model *model, uint32_t account)
{
	uint64_t fees = 0;

	for (size_t i = 0; i < model->count; i++)
		if (model->txs[i].account == account)
			fees += model->txs[i].fee;
	return fees;
}

/* Whoever changed between ready and gap waits since now. */
static void model_settle(struct model *model)
{
	for (size_t i = 0; i < model->count; i++) {
		struct model_tx *tx = &model->txs[i];
		uint64_t from = model->told_next[tx->account];
		bool ready = true;

		while (from < tx->sequence && ready)
			ready = model_find(model, tx->account, from++) != NULL;
		if (ready != tx->ready)
			tx->since_ms = model->now_ms;
		tx->ready = ready;
	}
}

static void model_tick(struct model *model)
{
	for (size_t i = 0; i < model->count;) {
		struct model_tx *tx = &model->txs[i];

		if (tx->valid_until_ms != 0 && tx->valid_until_ms < model->now_ms)
			model_remove(model, tx);
		else
			i++;
	}
	model_settle(model);
	for (size_t i = 0; i < model->count;) {
		struct model_tx *tx = &model->txs[i];

		if (!tx->ready && model->now_ms - tx->since_ms >= MEMPOOL_GAP_MS_MAX)
			model_remove(model, tx);
		else
			i++;
	}
	model_settle(model);
}

static void model_refresh(struct model *model, uint32_t account)
{
	struct model_tx *last;

	if (!model_has_lane(model, account))
		return;
	model->told_next[account] = model->next[account];
	model->told_balance[account] = model->balance[account];
	for (size_t i = 0; i < model->count;) {
		struct model_tx *tx = &model->txs[i];

		if (tx->account == account && tx->sequence < model->next[account])
			model_remove(model, tx);
		else
			i++;
	}
	while (model_fees(model, account) > model->balance[account]) {
		last = NULL;
		for (size_t i = 0; i < model->count; i++)
			if (model->txs[i].account == account &&
				(!last || model->txs[i].sequence > last->sequence))
				last = &model->txs[i];
		model_remove(model, last);
	}
}

static uint32_t model_add(struct model *model, const struct model_tx *tx)
{
	uint64_t next = model->told_next[tx->account], balance = model->told_balance[tx->account];
	uint64_t fees = model_fees(model, tx->account);
	struct model_tx *old;

	if (!model_has_lane(model, tx->account)) {
		next = model->next[tx->account];
		balance = model->balance[tx->account];
	}
	if (tx->valid_until_ms != 0 && tx->valid_until_ms < model->now_ms)
		return SETTLE_TX_EXPIRED;
	if (tx->sequence < next)
		return SETTLE_STALE_SEQUENCE;
	if (tx->sequence >= next + 64)
		return SETTLE_SEQUENCE_GAP;
	old = model_find(model, tx->account, tx->sequence);
	if (old && 10 * tx->fee < 11 * old->fee)
		return SETTLE_SEQUENCE_TAKEN;
	if (fees - (old ? old->fee : 0) + tx->fee > balance)
		return SETTLE_INSUFFICIENT_FUNDS;
	if (model->count >= POOL_TXS)
		return UINT32_MAX; /* full */
	if (!old) {
		model->told_next[tx->account] = next;
		model->told_balance[tx->account] = balance;
		old = &model->txs[model->count++];
	}
	*old = *tx;
	old->since_ms = model->now_ms;
	old->ready = false;
	model_settle(model);
	return SETTLE_OK;
}

/* ---- both at once ---- */

static void step_submit(struct model *model)
{
	struct model_tx tx = {.account = draw(model, ACCOUNTS), .fee = draw(model, 200)};
	struct mempool_verdict verdict;
	struct app_check check = {.has_sender = true, .verdict.codespace = ""};
	uint32_t expected;

	tx.sequence = model->next[tx.account] + draw(model, draw(model, 4) == 0 ? 70 : 8);
	if (tx.sequence > 0 && draw(model, 20) == 0)
		tx.sequence--;
	if (draw(model, 3) == 0)
		tx.valid_until_ms = model->now_ms + draw(model, 30000) - 10;
	put_u32be(tx.raw, draw(model, UINT32_MAX));
	put_u64be(tx.raw + 4, tx.sequence);
	put_u32be(tx.raw + 12, tx.account);
	tx.hash = sha256(bytes_view(tx.raw, sizeof tx.raw));
	check.sender = address_of(tx.account);
	check.sequence = tx.sequence;
	check.fee = tx.fee;
	check.valid_until_ms = tx.valid_until_ms;
	check.next_sequence = model->next[tx.account];
	check.balance = model->balance[tx.account];
	expected = model_add(model, &tx);
	mempool_consider(model->m, &verdict, &tx.hash, sizeof tx.raw, &check, model->now_ms);
	if (verdict.outcome == MEMPOOL_OK)
		mempool_add(model->m, &verdict, &tx.hash, bytes_view(tx.raw, sizeof tx.raw),
			model->now_ms);
	if (expected == UINT32_MAX)
		assert_int_equal(verdict.outcome, MEMPOOL_FULL);
	else
		assert_int_equal(verdict.verdict.code, expected);
}

static void step_commit(struct model *model)
{
	struct app_tx txs[POOL_TXS];
	struct hash32 hashes[POOL_TXS];
	struct app_touch touch = {0, address_of(draw(model, ACCOUNTS))};
	size_t count = mempool_reap(model->m, txs, 1 + draw(model, 40), SIZE_MAX, model->now_ms);

	model_tick(model);
	for (size_t i = 0; i < count; i++) {
		uint32_t account = get_u32be(txs[i].raw.data + 12);

		assert_int_equal(get_u64be(txs[i].raw.data + 4), model->next[account]);
		model->balance[account] -= model_find(model, account, model->next[account]++)->fee;
		hashes[i] = txs[i].hash;
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t account = get_u32be(txs[i].raw.data + 12);
		struct model_tx *tx = model_find(model, account, get_u64be(txs[i].raw.data + 4));

		if (tx)
			model_refresh(model, account);
	}
	if (draw(model, 2) == 0)
		model->next[touch.account.b[0]] += draw(model, 4); /* spent elsewhere */
	model_refresh(model, touch.account.b[0]);
	/* the lanes of the block, once more: only now does the mempool ask for them */
	for (size_t i = 0; i < count; i++)
		model_refresh(model, get_u32be(txs[i].raw.data + 12));
	model_settle(model);
	model_tick(model);
	mempool_committed(model->m, hashes, count, &touch, 1, model->now_ms);
}

static void step_money(struct model *model)
{
	struct app_touch touch = {0, address_of(draw(model, ACCOUNTS))};
	uint32_t account = touch.account.b[0];

	model->balance[account] = draw(model, 3) == 0 ? draw(model, 500) : 5000;
	model_refresh(model, account);
	model_settle(model);
	model_tick(model);
	mempool_committed(model->m, NULL, 0, &touch, 1, model->now_ms);
}

static void step_drop(struct model *model)
{
	struct hash32 hash;
	struct model_tx *tx;

	if (model->count == 0)
		return;
	tx = &model->txs[draw(model, (uint32_t)model->count)];
	hash = tx->hash;
	model_remove(model, tx);
	model_settle(model);
	mempool_drop(model->m, &hash, model->now_ms);
}

static void step_time(struct model *model)
{
	model->now_ms += draw(model, draw(model, 5) == 0 ? 40000 : 500);
	model_tick(model);
	mempool_tick(model->m, model->now_ms);
}

static void assert_agree(struct model *model)
{
	struct mempool_counts counts = mempool_counts(model->m);
	uint64_t ready_since_ms = UINT64_MAX, tick_ms = UINT64_MAX;
	uint32_t ready = 0, lanes = 0;

	for (size_t i = 0; i < model->count; i++) {
		const struct model_tx *tx = &model->txs[i];
		struct bytes raw;

		assert_true(mempool_find(model->m, &raw, &tx->hash));
		ready += tx->ready;
		if (tx->ready && tx->since_ms < ready_since_ms)
			ready_since_ms = tx->since_ms;
		if (!tx->ready && tx->since_ms + MEMPOOL_GAP_MS_MAX < tick_ms)
			tick_ms = tx->since_ms + MEMPOOL_GAP_MS_MAX;
		if (tx->valid_until_ms != 0 && tx->valid_until_ms + 1 < tick_ms)
			tick_ms = tx->valid_until_ms + 1;
	}
	for (uint32_t account = 0; account < ACCOUNTS; account++) {
		struct account_address address = address_of(account);
		bool has_lane = model_has_lane(model, account);
		struct mempool_lane lane;

		lanes += has_lane;
		assert_int_equal(mempool_account(model->m, &lane, &address), has_lane);
		if (!has_lane)
			continue;
		assert_int_equal(lane.fees, model_fees(model, account));
		assert_int_equal(lane.next_sequence, model->told_next[account]);
		assert_int_equal(lane.balance, model->told_balance[account]);
		assert_int_equal(lane.bytes, lane.txs * RAW_BYTES);
	}
	assert_int_equal(counts.txs, model->count);
	assert_int_equal(counts.bytes, model->count * RAW_BYTES);
	assert_int_equal(counts.ready, ready);
	assert_int_equal(counts.lanes, lanes);
	assert_int_equal(counts.reserved, 0);
	assert_int_equal(counts.ready_since_ms, ready_since_ms);
	assert_int_equal(mempool_next_tick_ms(model->m), tick_ms);
}

static void random_operations_agree_with_a_naive_list(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct model *model = calloc(1, sizeof *model);
		struct mempool_options options = {.txs_max = POOL_TXS, .account = model_account};

		options.account_self = model;
		options.seed[0] = (uint8_t)seed;
		model->random = seed;
		model->now_ms = 1000000;
		model->m = mempool_new(&options);
		for (uint32_t i = 0; i < ACCOUNTS; i++)
			model->balance[i] = 5000;
		print_message("seed %d\n", (int)seed);
		for (int step = 0; step < STEPS; step++) {
			uint32_t kind = draw(model, 40);

			if (kind < 33)
				step_submit(model);
			else if (kind < 35)
				step_commit(model);
			else if (kind < 37)
				step_time(model);
			else if (kind < 39)
				step_drop(model);
			else
				step_money(model);
			assert_agree(model);
		}
		mempool_free(model->m);
		free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_naive_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
