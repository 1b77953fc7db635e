/* What a transaction costs, and what its result says of each action. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "chain/tx.h"
#include "wallet/sender.h"

static const uint8_t seed[32];
static const struct account_secret secret = {.b = {[31] = 3}};
static const struct hash32 tag = {{1}};

static int before(void **state)
{
	return keys_start(seed) ? 0 : -1;
}

/* A body of one cancel_job whose memo makes it as long as wished. */
static void body_init(Pb__TxBody *body, Pb__Action *action, Pb__CancelJob *cancel, char *memo)
{
	static Pb__Action *actions[1];

	pb__tx_body__init(body);
	pb__action__init(action);
	pb__cancel_job__init(cancel);
	cancel->job_id = "j";
	action->act_case = PB__ACTION__ACT_CANCEL_JOB;
	action->cancel_job = cancel;
	actions[0] = action;
	body->actions = actions;
	body->n_actions = 1;
	body->memo = memo;
	body->sequence = 5;
	body->valid_until_ms = 1700000000000;
}

static void fee_pays_for_the_bytes_that_carry_it_and_not_for_one_more(void **state)
{
	/* Around each place where one more digit of the fee makes the transaction longer. */
	static const uint64_t per_byte[] = {0, 1, 2, 7, 100, 1000000};
	static const uint64_t base[] = {0, 100, 16384 - 150, 16383, 2097151, 268435455};
	char memo[257] = {0};
	Pb__TxBody body;
	Pb__Action action;
	Pb__CancelJob cancel;

	for (size_t len = 0; len < 256; len++) {
		memset(memo, 'm', len);
		for (size_t b = 0; b < sizeof base / sizeof base[0]; b++) {
			for (size_t p = 0; p < sizeof per_byte / sizeof per_byte[0]; p++) {
				body_init(&body, &action, &cancel, memo);
				assert_true(sender_fee(&body, base[b], per_byte[p]));
				uint64_t need = base[b] + per_byte[p] * sender_tx_bytes(&body);
				assert_true(body.fee >= need);
				if (body.fee > 0) {
					body.fee--;
					assert_true(body.fee <
						    base[b] + per_byte[p] * sender_tx_bytes(&body));
				}
			}
		}
	}
}

static void size_foretold_is_the_size_signed(void **state)
{
	char memo[257] = {0};
	Pb__TxBody body;
	Pb__Action action;
	Pb__CancelJob cancel;
	struct account_key key;

	assert_true(account_key_of(&key, &secret));
	for (size_t len = 0; len < 256; len += 5) {
		struct buf tx = {0};
		memset(memo, 'm', len);
		body_init(&body, &action, &cancel, memo);
		body.chain_hint = chain_hint_of(&tag);
		assert_true(sender_fee(&body, 100, 1));
		size_t foretold = sender_tx_bytes(&body);
		tx_sign(&tx, &body, &secret, &key, &tag);
		assert_int_equal(tx.len, foretold);
		buf_fini(&tx);
	}
}

static void fee_beyond_64_bits_is_refused(void **state)
{
	Pb__TxBody body;
	Pb__Action action;
	Pb__CancelJob cancel;

	body_init(&body, &action, &cancel, "");
	assert_false(sender_fee(&body, UINT64_MAX - 10, 1));
	assert_false(sender_fee(&body, 0, UINT64_MAX));
}

static void codes_are_read_from_the_log_of_a_batch(void **state)
{
	static const struct {
		Pb__Mode mode;
		uint32_t code;
		const char *log;
		bool ok;
		uint32_t codes[4];
	} rows[] = {
		{PB__MODE__EACH, 0, "", true, {0, 0, 0, 0}},
		{PB__MODE__EACH, 0, "1:wrong_state", true, {0, 16, 0, 0}},
		{PB__MODE__EACH, 0, "0:unknown_job,3:attempt_mismatch", true, {15, 0, 0, 22}},
		{PB__MODE__EACH, 7, "next is 5", true, {7, 7, 7, 7}},
		{PB__MODE__ATOMIC, 16, "2:wrong_state", true, {16, 16, 16, 16}},
		{PB__MODE__ATOMIC, 0, "", true, {0, 0, 0, 0}},
		{PB__MODE__EACH, 0, "4:wrong_state", false, {35, 35, 35, 35}},
		{PB__MODE__EACH, 0, "1:wrong_state,2:no_such_code", false, {35, 35, 35, 35}},
		{PB__MODE__EACH, 0, "all went well", false, {35, 35, 35, 35}},
		{PB__MODE__EACH, 0, "1", false, {35, 35, 35, 35}},
		{PB__MODE__EACH, 0, ":wrong_state", false, {35, 35, 35, 35}},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t codes[4] = {9, 9, 9, 9};
		assert_int_equal(sender_codes(codes, 4, rows[i].mode, rows[i].code, rows[i].log),
			rows[i].ok);
		assert_memory_equal(codes, rows[i].codes, sizeof codes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fee_pays_for_the_bytes_that_carry_it_and_not_for_one_more),
		cmocka_unit_test(size_foretold_is_the_size_signed),
		cmocka_unit_test(fee_beyond_64_bits_is_refused),
		cmocka_unit_test(codes_are_read_from_the_log_of_a_batch),
	};

	return cmocka_run_group_tests(tests, before, NULL);
}
