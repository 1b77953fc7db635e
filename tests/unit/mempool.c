/* The mempool's rules one by one; mempool_model.c holds the whole of it to a naive list. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/limits.h"
#include "chain/mempool.h"
#include "chain/proto/comet.pb-c.h"
#include "chain/tx.h"

enum { ACCOUNTS = 40, LEFT_MAX = 4096, RAW_BYTES = 40 };

/* The chain as the mempool sees it, and what it told us. */
struct world {
	struct mempool *m;
	uint64_t now_ms;
	uint64_t next[ACCOUNTS];
	uint64_t balance[ACCOUNTS];
	bool gone[ACCOUNTS];
	enum mempool_leave left[LEFT_MAX];
	uint64_t left_sequence[LEFT_MAX];
	size_t left_count;
	struct mempool_verdict verdict;
};

/* A transaction is its account, sequence and fee, then zeros. */
struct sample {
	uint8_t raw[RAW_BYTES];
	struct hash32 hash;
	struct app_check check;
};

static struct account_address address_of(uint32_t account)
{
	struct account_address address = {{0}};

	put_u32be(address.b, account);
	return address;
}

static bool world_account(
	void *self, const struct account_address *address, uint64_t *next, uint64_t *balance)
{
	const struct world *w = self;
	uint32_t account = get_u32be(address->b);

	if (account >= ACCOUNTS || w->gone[account])
		return false;
	*next = w->next[account];
	*balance = w->balance[account];
	return true;
}

static void world_left(
	void *self, const struct hash32 *hash, struct bytes raw, enum mempool_leave why)
{
	struct world *w = self;
	struct hash32 again = sha256(raw);

	assert_true(hash_equal(&again, hash));
	assert_true(w->left_count < LEFT_MAX);
	w->left_sequence[w->left_count] = get_u64be(raw.data + 4);
	w->left[w->left_count++] = why;
}

static struct world *world_new(uint32_t txs_max, size_t bytes_max, bool accounts)
{
	struct world *w = calloc(1, sizeof *w);
	struct mempool_options options = {
		.seed = "fifteen letters",
		.txs_max = txs_max,
		.bytes_max = bytes_max,
		.account = accounts ? world_account : NULL,
		.account_self = w,
		.left = world_left,
		.left_self = w,
	};

	w->now_ms = 1000 * 1000;
	for (uint32_t i = 0; i < ACCOUNTS; i++)
		w->balance[i] = 1000 * 1000;
	w->m = mempool_new(&options);
	assert_non_null(w->m);
	return w;
}

static int begin(void **state)
{
	*state = world_new(0, 0, true);
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	mempool_free(w->m);
	free(w);
	return 0;
}

static struct sample sample_of(
	const struct world *w, uint32_t account, uint64_t sequence, uint64_t fee)
{
	struct sample s = {.raw = {0}};

	put_u32be(s.raw, account);
	put_u64be(s.raw + 4, sequence);
	put_u64be(s.raw + 12, fee);
	s.hash = sha256(bytes_view(s.raw, sizeof s.raw));
	s.check.verdict.codespace = "";
	s.check.has_sender = true;
	s.check.sender = address_of(account);
	s.check.sequence = sequence;
	s.check.fee = fee;
	s.check.next_sequence = w->next[account];
	s.check.balance = w->balance[account];
	return s;
}

static enum mempool_outcome consider(struct world *w, const struct sample *s)
{
	mempool_consider(w->m, &w->verdict, &s->hash, sizeof s->raw, &s->check, w->now_ms);
	return w->verdict.outcome;
}

static enum mempool_outcome add(struct world *w, const struct sample *s)
{
	mempool_add(w->m, &w->verdict, &s->hash, bytes_view(s->raw, sizeof s->raw), w->now_ms);
	return w->verdict.outcome;
}

static enum mempool_outcome submit_sample(struct world *w, const struct sample *s)
{
	enum mempool_outcome outcome = consider(w, s);

	return outcome == MEMPOOL_OK ? add(w, s) : outcome;
}

static enum mempool_outcome submit(
	struct world *w, uint32_t account, uint64_t sequence, uint64_t fee)
{
	struct sample s = sample_of(w, account, sequence, fee);

	return submit_sample(w, &s);
}

static uint32_t code(const struct world *w)
{
	return w->verdict.verdict.code;
}

/* A reaped list as "account.sequence ..." */
static const char *reaped(struct world *w, size_t txs_max, size_t bytes_max)
{
	static struct app_tx txs[2000];
	static char out[64 * 1024];
	size_t count = mempool_reap(w->m, txs, txs_max, bytes_max, w->now_ms), len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		assert_true(txs[i].verified);
		len += (size_t)snprintf(out + len, sizeof out - len, "%s%" PRIu32 ".%" PRIu64,
			i > 0 ? " " : "", get_u32be(txs[i].raw.data),
			get_u64be(txs[i].raw.data + 4));
	}
	return out;
}

/* A block with what a reap gives, applied and told. Returns how many. */
static size_t commit_reaped(struct world *w, size_t txs_max)
{
	static struct app_tx txs[2000];
	static struct hash32 hashes[2000];
	size_t count = mempool_reap(w->m, txs, txs_max, SIZE_MAX, w->now_ms);

	for (size_t i = 0; i < count; i++) {
		uint32_t account = get_u32be(txs[i].raw.data);

		assert_int_equal(get_u64be(txs[i].raw.data + 4), w->next[account]);
		w->next[account]++;
		w->balance[account] -= get_u64be(txs[i].raw.data + 12);
		hashes[i] = txs[i].hash;
	}
	mempool_committed(w->m, hashes, count, NULL, 0, w->now_ms);
	return count;
}

static void touch(struct world *w, uint32_t account)
{
	struct app_touch touches[2] = {{0, address_of(account)}, {1, address_of(account)}};

	mempool_committed(w->m, NULL, 0, touches, 2, w->now_ms);
}

static void assert_left(const struct world *w, size_t count, enum mempool_leave why)
{
	assert_int_equal(w->left_count, count);
	assert_int_equal(w->left[count - 1], why);
}

/* ---- admission ---- */

static void a_gap_waits_until_it_is_filled(void **state)
{
	struct world *w = *state;

	assert_int_equal(submit(w, 1, 1, 10), MEMPOOL_OK);
	assert_false(w->verdict.ready);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "");
	assert_int_equal(mempool_counts(w->m).ready, 0);
	assert_int_equal(mempool_counts(w->m).ready_since_ms, UINT64_MAX);
	w->now_ms += 5;
	assert_int_equal(submit(w, 1, 0, 10), MEMPOOL_OK);
	assert_true(w->verdict.ready);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0 1.1");
	assert_int_equal(mempool_counts(w->m).ready, 2);
	assert_int_equal(mempool_counts(w->m).ready_since_ms, w->now_ms);
}

static void a_thousand_in_random_order_all_become_ready_in_order(void **state)
{
	struct world *w = *state;
	enum { COUNT = 1000 };
	uint64_t sequences[COUNT];
	uint32_t random = 11;
	size_t waiting = COUNT, committed = 0;

	for (uint64_t i = 0; i < COUNT; i++)
		sequences[i] = i;
	for (uint32_t i = COUNT - 1; i > 0; i--) {
		uint64_t swapped = sequences[i];
		uint32_t other;

		random = random * 1664525u + 1013904223u;
		other = (random >> 8) % (i + 1);
		sequences[i] = sequences[other];
		sequences[other] = swapped;
	}
	while (waiting > 0) {
		size_t refused = 0;

		for (size_t i = 0; i < waiting; i++) {
			if (submit(w, 3, sequences[i], 1) == MEMPOOL_OK)
				continue;
			assert_int_equal(code(w), SETTLE_SEQUENCE_GAP);
			sequences[refused++] = sequences[i];
		}
		assert_int_equal(waiting - refused, waiting < 64 ? waiting : 64);
		waiting = refused;
		committed += commit_reaped(w, 2000); /* asserts the order */
	}
	assert_int_equal(committed, COUNT);
	assert_int_equal(mempool_counts(w->m).txs, 0);
	assert_int_equal(mempool_counts(w->m).lanes, 0);
}

static void the_window_is_64_sequences_from_the_committed_one(void **state)
{
	struct world *w = *state;

	w->next[1] = 7;
	assert_int_equal(submit(w, 1, 6, 10), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_STALE_SEQUENCE);
	assert_string_equal(w->verdict.verdict.log, "stale_sequence: expected 7, got 6");
	assert_string_equal(w->verdict.verdict.codespace, "settle");
	assert_int_equal(submit(w, 1, 71, 10), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_SEQUENCE_GAP);
	assert_string_equal(
		w->verdict.verdict.log, "sequence_gap: expected 7 and at most 63 more, got 71");
	assert_int_equal(submit(w, 1, 70, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 1, 7, 10), MEMPOOL_OK);
	/* the lane's own committed sequence counts, with or without what the check says */
	assert_int_equal(submit(w, 1, 71, 10), MEMPOOL_REFUSED);
	assert_int_equal(submit(w, 1, 6, 10), MEMPOOL_REFUSED);
}

static void a_window_may_be_filled_whole_and_wrap(void **state)
{
	struct world *w = *state;
	struct mempool_lane lane;
	struct account_address address = address_of(1);

	w->next[1] = UINT64_MAX / 2 - 3;
	for (uint64_t i = 64; i-- > 0;)
		assert_int_equal(submit(w, 1, w->next[1] + i, 10), MEMPOOL_OK);
	assert_true(mempool_account(w->m, &lane, &address));
	assert_int_equal(lane.ready, 64);
	assert_int_equal(lane.free_sequence, w->next[1] + 64);
	assert_int_equal(commit_reaped(w, 100), 64);
	assert_false(mempool_account(w->m, &lane, &address));
}

static void a_replacement_pays_a_tenth_more(void **state)
{
	static const struct {
		uint64_t old, fee;
		bool replaces;
	} table[] = {
		{100, 99, false},
		{100, 100, false},
		{100, 109, false},
		{100, 110, true},
		{101, 111, false}, /* 1110 < 1111 */
		{101, 112, true},
		{109, 119, false}, /* 1190 < 1199 */
		{109, 120, true},
		{1, 1, false},
		{1, 2, true},
		{0, 0, true},
		{UINT64_MAX - 10, UINT64_MAX, false},
		{UINT64_MAX / 11 * 10, UINT64_MAX / 11 * 11, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct world *w = world_new(0, 0, true);
		struct sample other;

		w->balance[1] = UINT64_MAX;
		assert_int_equal(submit(w, 1, 0, table[i].old), MEMPOOL_OK);
		other = sample_of(w, 1, 0, table[i].fee);
		other.raw[RAW_BYTES - 1] = 1;
		other.hash = sha256(bytes_view(other.raw, sizeof other.raw));
		if (table[i].replaces) {
			assert_int_equal(submit_sample(w, &other), MEMPOOL_OK);
			assert_left(w, 1, MEMPOOL_REPLACED);
		} else {
			assert_int_equal(submit_sample(w, &other), MEMPOOL_REFUSED);
			assert_int_equal(code(w), SETTLE_SEQUENCE_TAKEN);
		}
		assert_int_equal(mempool_counts(w->m).txs, 1);
		mempool_free(w->m);
		free(w);
	}
}

static void a_replacement_leaves_its_followers_ready(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(submit(w, 1, i, 100), MEMPOOL_OK);
	assert_int_equal(submit(w, 1, 1, 200), MEMPOOL_OK);
	assert_true(w->verdict.ready);
	assert_int_equal(mempool_counts(w->m).ready, 5);
	assert_int_equal(mempool_counts(w->m).bytes, 5 * RAW_BYTES);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0 1.1 1.2 1.3 1.4");
}

static void queued_fees_must_fit_the_balance(void **state)
{
	struct world *w = *state;

	w->balance[1] = 100;
	assert_int_equal(submit(w, 1, 0, 60), MEMPOOL_OK);
	assert_int_equal(submit(w, 1, 1, 41), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_INSUFFICIENT_FUNDS);
	assert_int_equal(submit(w, 1, 1, UINT64_MAX), MEMPOOL_REFUSED);
	assert_int_equal(submit(w, 1, 1, 40), MEMPOOL_OK);
	/* a replacement needs only the difference */
	assert_int_equal(submit(w, 1, 1, 45), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_INSUFFICIENT_FUNDS);
	assert_int_equal(submit(w, 1, 2, 0), MEMPOOL_OK);
	w->balance[2] = 5;
	assert_int_equal(submit(w, 2, 0, 6), MEMPOOL_REFUSED);
}

static void what_the_app_refuses_is_refused_in_its_words(void **state)
{
	struct world *w = *state;
	struct sample s = sample_of(w, 1, 0, 10);

	s.check.verdict.code = SETTLE_WRONG_CHAIN;
	s.check.verdict.codespace = "settle";
	strcpy(s.check.verdict.log, "another chain");
	assert_int_equal(consider(w, &s), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_WRONG_CHAIN);
	assert_string_equal(w->verdict.verdict.log, "another chain");
	assert_false(mempool_known(w->m, &s.hash));
}

static void identical_bytes_are_verified_once(void **state)
{
	struct world *w = *state;
	struct sample s = sample_of(w, 1, 0, 10);

	assert_int_equal(consider(w, &s), MEMPOOL_OK);
	assert_false(w->verdict.verified);
	assert_int_equal(consider(w, &s), MEMPOOL_KNOWN);
	assert_string_equal(w->verdict.verdict.log, "tx already exists in cache");
	assert_false(mempool_has_verified(w->m, &s.hash));
	assert_int_equal(add(w, &s), MEMPOOL_OK);
	assert_true(mempool_has_verified(w->m, &s.hash));
	assert_int_equal(consider(w, &s), MEMPOOL_KNOWN);
	commit_reaped(w, 10);
	s = sample_of(w, 1, 0, 10);
	assert_int_equal(consider(w, &s), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_STALE_SEQUENCE);
}

static void a_bad_signature_leaves_no_trace(void **state)
{
	struct world *w = *state;
	struct sample s = sample_of(w, 1, 0, 10);

	assert_int_equal(consider(w, &s), MEMPOOL_OK);
	assert_int_equal(mempool_counts(w->m).reserved, 1);
	/* and while it is verified it takes nothing from the account it claims to be */
	assert_int_equal(submit(w, 1, 0, 1), MEMPOOL_OK);
	mempool_release(w->m, &s.hash);
	assert_int_equal(mempool_counts(w->m).reserved, 0);
	assert_int_equal(mempool_counts(w->m).txs, 1);
	assert_false(mempool_known(w->m, &s.hash));
}

static void a_verdict_from_another_road_is_remembered(void **state)
{
	struct world *w = *state;
	struct sample s = sample_of(w, 1, 0, 10);

	mempool_note_verified(w->m, &s.hash);
	mempool_note_verified(w->m, &s.hash);
	assert_true(mempool_has_verified(w->m, &s.hash));
	assert_int_equal(consider(w, &s), MEMPOOL_OK);
	assert_true(w->verdict.verified);
	mempool_release(w->m, &s.hash);
	for (uint32_t i = 0; i < MEMPOOL_NOTED_MAX; i++) {
		struct sample other = sample_of(w, 2, i, 0);

		assert_true(mempool_has_verified(w->m, &s.hash));
		mempool_note_verified(w->m, &other.hash);
	}
	assert_false(mempool_has_verified(w->m, &s.hash));
}

static void the_second_phase_sees_what_happened_meanwhile(void **state)
{
	struct world *w = *state;
	struct sample stale = sample_of(w, 1, 0, 10), poor = sample_of(w, 2, 0, 10);
	struct sample gone = sample_of(w, 3, 0, 10), late = sample_of(w, 4, 0, 10);
	struct sample taken = sample_of(w, 5, 0, 10);

	late.check.valid_until_ms = w->now_ms + 10;
	assert_int_equal(consider(w, &stale), MEMPOOL_OK);
	assert_int_equal(consider(w, &poor), MEMPOOL_OK);
	assert_int_equal(consider(w, &gone), MEMPOOL_OK);
	assert_int_equal(consider(w, &late), MEMPOOL_OK);
	assert_int_equal(consider(w, &taken), MEMPOOL_OK);
	w->next[1] = 1;
	w->balance[2] = 9;
	w->gone[3] = true;
	touch(w, 1);
	w->now_ms += 11;
	assert_int_equal(submit(w, 5, 0, 50), MEMPOOL_OK);
	assert_int_equal(add(w, &stale), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_STALE_SEQUENCE);
	assert_int_equal(add(w, &poor), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_INSUFFICIENT_FUNDS);
	assert_int_equal(add(w, &gone), MEMPOOL_REFUSED);
	assert_int_equal(add(w, &late), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_TX_EXPIRED);
	assert_int_equal(add(w, &taken), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_SEQUENCE_TAKEN);
	assert_int_equal(mempool_counts(w->m).reserved, 0);
	assert_int_equal(mempool_counts(w->m).txs, 1);
}

/* ---- bounds ---- */

static void the_pool_counts_what_is_being_verified(void **state)
{
	struct world *w = world_new(3, 0, true);
	struct sample s = sample_of(w, 1, 0, 10);

	(void)state;
	assert_int_equal(consider(w, &s), MEMPOOL_OK);
	assert_int_equal(submit(w, 2, 0, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 2, 1, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 2, 2, 10), MEMPOOL_FULL);
	assert_string_equal(w->verdict.verdict.log,
		"mempool is full: number of txs 3 (max: 3), total txs bytes 120 (max: 67108864)");
	mempool_release(w->m, &s.hash);
	assert_int_equal(submit(w, 2, 2, 10), MEMPOOL_OK);
	mempool_free(w->m);
	free(w);
}

static void the_pool_is_bounded_in_bytes(void **state)
{
	struct world *w = world_new(0, 2 * RAW_BYTES + 39, true);

	(void)state;
	assert_int_equal(submit(w, 1, 0, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 2, 0, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 3, 0, 10), MEMPOOL_FULL);
	commit_reaped(w, 1);
	assert_int_equal(submit(w, 3, 0, 10), MEMPOOL_OK);
	mempool_free(w->m);
	free(w);
}

static void one_transaction_is_bounded(void **state)
{
	struct world *w = *state;
	struct sample s = sample_of(w, 1, 0, 10);

	mempool_consider(w->m, &w->verdict, &s.hash, TX_BYTES_MAX + 1, &s.check, w->now_ms);
	assert_int_equal(w->verdict.outcome, MEMPOOL_TOO_LARGE);
	assert_string_equal(
		w->verdict.verdict.log, "Tx too large. Max size is 65536, but got 65537");
	mempool_consider(w->m, &w->verdict, &s.hash, TX_BYTES_MAX, &s.check, w->now_ms);
	assert_int_equal(w->verdict.outcome, MEMPOOL_OK);
}

static void one_account_is_bounded_in_bytes(void **state)
{
	struct world *w = *state;
	static uint8_t raw[TX_BYTES_MAX];

	for (uint64_t i = 0; i < 17; i++) {
		struct sample s = sample_of(w, 1, i, 10);

		memcpy(raw, s.raw, sizeof s.raw);
		s.hash = sha256(bytes_view(raw, sizeof raw));
		mempool_consider(w->m, &w->verdict, &s.hash, sizeof raw, &s.check, w->now_ms);
		if (i == 16)
			break;
		assert_int_equal(w->verdict.outcome, MEMPOOL_OK);
		mempool_add(w->m, &w->verdict, &s.hash, bytes_view(raw, sizeof raw), w->now_ms);
		assert_int_equal(w->verdict.outcome, MEMPOOL_OK);
	}
	assert_int_equal(w->verdict.outcome, MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_LIMIT);
	assert_int_equal(submit(w, 2, 0, 10), MEMPOOL_OK);
}

/* ---- time ---- */

static void a_gap_is_evicted_at_sixty_seconds_sharp(void **state)
{
	struct world *w = *state;

	assert_int_equal(mempool_next_tick_ms(w->m), UINT64_MAX);
	assert_int_equal(submit(w, 1, 0, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 1, 2, 10), MEMPOOL_OK);
	assert_int_equal(mempool_next_tick_ms(w->m), w->now_ms + 60000);
	w->now_ms += 59999;
	mempool_tick(w->m, w->now_ms);
	assert_int_equal(w->left_count, 0);
	w->now_ms += 1;
	mempool_tick(w->m, w->now_ms);
	assert_left(w, 1, MEMPOOL_GAP);
	assert_int_equal(w->left_sequence[0], 2);
	mempool_tick(w->m, w->now_ms + 1000000); /* what is ready waits as long as it must */
	assert_int_equal(mempool_counts(w->m).txs, 1);
}

static void an_expired_one_leaves_and_opens_a_gap(void **state)
{
	struct world *w = *state;
	struct sample s = sample_of(w, 1, 1, 10);

	s.check.valid_until_ms = w->now_ms - 1;
	assert_int_equal(consider(w, &s), MEMPOOL_REFUSED);
	assert_int_equal(code(w), SETTLE_TX_EXPIRED);
	s.check.valid_until_ms = w->now_ms + 100;
	assert_int_equal(submit(w, 1, 0, 10), MEMPOOL_OK);
	assert_int_equal(submit_sample(w, &s), MEMPOOL_OK);
	assert_int_equal(submit(w, 1, 2, 10), MEMPOOL_OK);
	assert_int_equal(mempool_next_tick_ms(w->m), w->now_ms + 101);
	w->now_ms += 100;
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0 1.1 1.2");
	w->now_ms += 1;
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0");
	assert_left(w, 1, MEMPOOL_EXPIRED);
	assert_int_equal(mempool_next_tick_ms(w->m), w->now_ms + 60000); /* of 1.2, from now */
	assert_int_equal(submit(w, 1, 1, 10), MEMPOOL_OK);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0 1.1 1.2");
}

static void many_expire_in_order_of_their_time(void **state)
{
	struct world *w = *state;
	uint32_t random = 5;

	for (uint32_t i = 0; i < 600; i++) {
		struct sample s = sample_of(w, i % ACCOUNTS, i / ACCOUNTS, 10);

		random = random * 1664525u + 1013904223u;
		s.check.valid_until_ms = w->now_ms + (random >> 8) % 1000;
		assert_int_equal(submit_sample(w, &s), MEMPOOL_OK);
	}
	for (uint64_t left = 600; left > 0; left = mempool_counts(w->m).txs) {
		uint64_t tick_ms = mempool_next_tick_ms(w->m);

		assert_true(tick_ms <= w->now_ms + 1000);
		mempool_tick(w->m, tick_ms - 1);
		assert_int_equal(mempool_counts(w->m).txs, left);
		mempool_tick(w->m, tick_ms);
		assert_true(mempool_counts(w->m).txs < left);
	}
}

/* ---- blocks ---- */

static void accounts_take_turns_and_the_turn_goes_on(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(submit(w, 1, i, 10), MEMPOOL_OK);
	for (uint64_t i = 0; i < 2; i++)
		assert_int_equal(submit(w, 2, i, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 3, 0, 10), MEMPOOL_OK);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0 2.0 3.0 1.1 2.1 1.2 1.3");
	assert_string_equal(reaped(w, 4, SIZE_MAX), "2.0 3.0 1.0 2.1");
	assert_string_equal(reaped(w, 2, SIZE_MAX), "3.0 1.0");
	assert_string_equal(reaped(w, 1, SIZE_MAX), "2.0");
	assert_string_equal(reaped(w, 0, SIZE_MAX), "");
}

static void a_flood_from_one_account_starves_nobody(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(submit(w, 1, i, 1000), MEMPOOL_OK);
	for (uint32_t account = 2; account < 12; account++)
		assert_int_equal(submit(w, account, 0, 1), MEMPOOL_OK);
	assert_int_equal(commit_reaped(w, 11), 11);
	for (uint32_t account = 2; account < 12; account++)
		assert_int_equal(w->next[account], 1);
}

static void a_block_is_filled_to_the_byte_as_protobuf_counts(void **state)
{
	static const size_t lens[] = {0, 1, 127, 128, 300, 16383, 16384, 65536};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		static uint8_t raw[65536];
		ProtobufCBinaryData tx = {lens[i], raw};
		Pb__Data data = PB__DATA__INIT;

		data.n_txs = 1;
		data.txs = &tx;
		assert_int_equal(mempool_block_bytes(lens[i]), pb__data__get_packed_size(&data));
	}
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(submit(w, 1, i, 10), MEMPOOL_OK);
	assert_string_equal(reaped(w, 10, 2 * (RAW_BYTES + 2)), "1.0 1.1");
	assert_string_equal(reaped(w, 10, 2 * (RAW_BYTES + 2) - 1), "1.0");
	assert_string_equal(reaped(w, 10, RAW_BYTES + 1), "");
}

static void somebody_elses_block_takes_sequences(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(submit(w, 1, i, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 1, 6, 10), MEMPOOL_OK);
	w->next[1] = 6; /* 0..5, none of them ours */
	touch(w, 1);
	assert_left(w, 4, MEMPOOL_STALE);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.6");
}

static void a_fallen_balance_drops_from_the_end(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(submit(w, 1, i, 100), MEMPOOL_OK);
	assert_int_equal(submit(w, 1, 9, 100), MEMPOOL_OK);
	w->balance[1] = 250;
	touch(w, 1);
	assert_left(w, 3, MEMPOOL_UNFUNDED);
	assert_int_equal(w->left_sequence[0], 9);
	assert_int_equal(w->left_sequence[1], 3);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0 1.1");
	w->balance[1] = 1000;
	touch(w, 1);
	assert_int_equal(submit(w, 1, 2, 800), MEMPOOL_OK);
}

static void a_vanished_account_takes_its_lane_along(void **state)
{
	struct world *w = *state;

	assert_int_equal(submit(w, 1, 0, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 1, 5, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 2, 0, 10), MEMPOOL_OK);
	w->gone[1] = true;
	mempool_recheck(w->m, w->now_ms);
	assert_int_equal(mempool_counts(w->m).txs, 1);
	assert_int_equal(mempool_counts(w->m).lanes, 1);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "2.0");
}

static void dropping_one_makes_gaps_of_its_followers(void **state)
{
	struct world *w = *state;
	struct sample s = sample_of(w, 1, 1, 10), unknown = sample_of(w, 9, 9, 9);

	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(submit(w, 1, i, 10), MEMPOOL_OK);
	mempool_drop(w->m, &unknown.hash, w->now_ms);
	mempool_drop(w->m, &s.hash, w->now_ms);
	assert_left(w, 1, MEMPOOL_DROPPED);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0");
	assert_int_equal(mempool_counts(w->m).ready, 1);
	assert_int_equal(mempool_counts(w->m).txs, 3);
	assert_int_equal(submit(w, 1, 1, 10), MEMPOOL_OK);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0 1.1 1.2 1.3");
}

static void flushing_forgets_all_but_reservations(void **state)
{
	struct world *w = *state;
	struct sample s = sample_of(w, 1, 0, 10);

	assert_int_equal(consider(w, &s), MEMPOOL_OK);
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(submit(w, i % 3, i, 10), MEMPOOL_OK);
	mempool_flush(w->m);
	assert_int_equal(w->left_count, 0);
	assert_int_equal(mempool_counts(w->m).txs, 0);
	assert_int_equal(mempool_counts(w->m).bytes, 0);
	assert_int_equal(mempool_counts(w->m).lanes, 0);
	assert_int_equal(add(w, &s), MEMPOOL_OK);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "1.0");
}

/* ---- a machine without accounts ---- */

static void without_accounts_it_is_first_come_first_served(void **state)
{
	struct world *w = world_new(0, 0, false);
	struct sample s[3];
	struct app_tx txs[4];
	struct bytes raw;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		s[i] = sample_of(w, 3 - i, 77, 10);
		s[i].check.has_sender = false;
		assert_int_equal(submit_sample(w, &s[i]), MEMPOOL_OK);
		assert_true(w->verdict.ready);
	}
	assert_string_equal(reaped(w, 10, SIZE_MAX), "3.77 2.77 1.77");
	assert_string_equal(reaped(w, 2, SIZE_MAX), "3.77 2.77");
	assert_int_equal(mempool_counts(w->m).ready, 3);
	assert_true(mempool_find(w->m, &raw, &s[1].hash));
	assert_memory_equal(raw.data, s[1].raw, RAW_BYTES);
	assert_int_equal(mempool_list(w->m, txs, 4), 3);
	mempool_committed(w->m, &s[0].hash, 1, NULL, 0, w->now_ms);
	assert_left(w, 1, MEMPOOL_COMMITTED);
	assert_string_equal(reaped(w, 10, SIZE_MAX), "2.77 1.77");
	/* no sequence tells that it was committed, so it is remembered */
	assert_int_equal(consider(w, &s[0]), MEMPOOL_KNOWN);
	mempool_free(w->m);
	free(w);
}

static void without_accounts_a_block_may_overtake_a_verification(void **state)
{
	struct world *w = world_new(0, 0, false);
	struct sample s = sample_of(w, 1, 0, 0);

	(void)state;
	s.check.has_sender = false;
	assert_int_equal(consider(w, &s), MEMPOOL_OK);
	mempool_committed(w->m, &s.hash, 1, NULL, 0, w->now_ms);
	assert_int_equal(add(w, &s), MEMPOOL_KNOWN);
	assert_int_equal(mempool_counts(w->m).reserved, 0);
	mempool_free(w->m);
	free(w);
}

static void what_has_no_sender_is_not_committed_twice(void **state)
{
	struct world *w = *state;
	struct sample seen = sample_of(w, 1, 0, 0), foreign = sample_of(w, 2, 0, 0);
	struct hash32 hashes[2] = {seen.hash, foreign.hash};

	seen.check.has_sender = foreign.check.has_sender = false;
	assert_int_equal(submit_sample(w, &seen), MEMPOOL_OK);
	mempool_committed(w->m, hashes, 2, NULL, 0, w->now_ms);
	assert_int_equal(consider(w, &seen), MEMPOOL_KNOWN);
	assert_int_equal(consider(w, &foreign), MEMPOOL_KNOWN); /* late gossip */
}

static void the_list_shows_ready_ones_first(void **state)
{
	struct world *w = *state;
	struct app_tx txs[3];

	assert_int_equal(submit(w, 1, 3, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 2, 0, 10), MEMPOOL_OK);
	assert_int_equal(submit(w, 3, 0, 10), MEMPOOL_OK);
	assert_int_equal(mempool_list(w->m, txs, 3), 3);
	assert_int_equal(get_u32be(txs[0].raw.data), 2);
	assert_int_equal(get_u32be(txs[1].raw.data), 3);
	assert_int_equal(get_u32be(txs[2].raw.data), 1);
	assert_int_equal(mempool_list(w->m, txs, 1), 1);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(a_gap_waits_until_it_is_filled),
		WORLD(a_thousand_in_random_order_all_become_ready_in_order),
		WORLD(the_window_is_64_sequences_from_the_committed_one),
		WORLD(a_window_may_be_filled_whole_and_wrap),
		cmocka_unit_test(a_replacement_pays_a_tenth_more),
		WORLD(a_replacement_leaves_its_followers_ready),
		WORLD(queued_fees_must_fit_the_balance),
		WORLD(what_the_app_refuses_is_refused_in_its_words),
		WORLD(identical_bytes_are_verified_once),
		WORLD(a_bad_signature_leaves_no_trace),
		WORLD(a_verdict_from_another_road_is_remembered),
		WORLD(the_second_phase_sees_what_happened_meanwhile),
		cmocka_unit_test(the_pool_counts_what_is_being_verified),
		cmocka_unit_test(the_pool_is_bounded_in_bytes),
		WORLD(one_transaction_is_bounded),
		WORLD(one_account_is_bounded_in_bytes),
		WORLD(a_gap_is_evicted_at_sixty_seconds_sharp),
		WORLD(an_expired_one_leaves_and_opens_a_gap),
		WORLD(many_expire_in_order_of_their_time),
		WORLD(accounts_take_turns_and_the_turn_goes_on),
		WORLD(a_flood_from_one_account_starves_nobody),
		WORLD(a_block_is_filled_to_the_byte_as_protobuf_counts),
		WORLD(somebody_elses_block_takes_sequences),
		WORLD(a_fallen_balance_drops_from_the_end),
		WORLD(a_vanished_account_takes_its_lane_along),
		WORLD(dropping_one_makes_gaps_of_its_followers),
		WORLD(flushing_forgets_all_but_reservations),
		cmocka_unit_test(without_accounts_it_is_first_come_first_served),
		cmocka_unit_test(without_accounts_a_block_may_overtake_a_verification),
		WORLD(what_has_no_sender_is_not_committed_twice),
		WORLD(the_list_shows_ready_ones_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
