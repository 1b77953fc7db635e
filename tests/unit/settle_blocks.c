/* Blocks as wholes: passes, fees, modes, starting over, reopening, admission, history rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/merkle.h"
#include "tests/unit/settle_kit.h"

static struct kit kit;

static int opens(void **state)
{
	kit_open(&kit, NULL);
	return 0;
}

static int closes(void **state)
{
	kit_close(&kit);
	return 0;
}

static void ok(enum kit_who who, Pb__Action *action)
{
	assert_int_equal(kit_act(&kit, who, action), SETTLE_OK);
}

static void a_block_executed_after_another_of_its_height_is_as_if_alone(void **state)
{
	struct app_block first, second;
	struct app_result result;
	struct hash32 alone;

	/* The second block alone, on a twin. */
	ok(CLIENT, kit_submit(&kit, "old"));
	kit_send(&kit, RICH, kit_transfer(&kit, STRANGER, 4000));
	kit_send(&kit, COORDINATOR, kit_assign(&kit, "old", 1, 1000));
	second = kit_block(&kit, 700);
	assert_int_equal(kit.app.vtable->finalize(kit.app.self, &second, &result), STATUS_OK);
	alone = result.app_hash;
	/* And after one that moved other things. */
	first = second;
	first.tx_count = 1;
	first.time = timestamp_of_ms(timestamp_ms(kit.time) + 70000);
	assert_int_equal(kit.app.vtable->finalize(kit.app.self, &first, &result), STATUS_OK);
	assert_memory_not_equal(result.app_hash.b, alone.b, 32);
	assert_int_equal(kit.app.vtable->finalize(kit.app.self, &second, &result), STATUS_OK);
	assert_memory_equal(result.app_hash.b, alone.b, 32);
	kit_commit(&kit, &second);
	assert_int_equal(kit_balance(&kit, STRANGER), 4000);
}

static void an_app_opened_again_goes_on_as_if_never_closed(void **state)
{
	struct hash32 hash;

	ok(CLIENT, kit_submit(&kit, "a"));
	ok(CLIENT, kit_submit(&kit, "b"));
	ok(COORDINATOR, kit_assign(&kit, "b", 1, 30000));
	ok(MINER, kit_deliver(&kit, kit_receipt(&kit, "b", 1, 2, 10)));
	hash = kit_app_hash(&kit);
	kit_reopen(&kit);
	assert_memory_equal(kit_app_hash(&kit).b, hash.b, 32);
	ok(COORDINATOR, kit_record(&kit, kit_receipt(&kit, "b", 1, 2, 10)));
	for (int i = 0; i < 5; i++)
		kit_run(&kit, 15000);
	assert_int_equal(kit_job_state(&kit, "a", NULL), PB__JOB_STATE__EXPIRED);
}

/* Nothing of a block is durable, or in force, before its batch is. */
static void a_crash_before_the_batch_leaves_the_last_block(void **state)
{
	struct hash32 hash = kit_app_hash(&kit);
	struct app_block block;

	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 10));
	block = kit_block(&kit, 1);
	assert_int_equal(kit.app.vtable->finalize(kit.app.self, &block, &kit.result), STATUS_OK);
	assert_int_equal(kit.app.vtable->commit(kit.app.self, &kit.batch), STATUS_OK);
	kit_reopen(&kit);
	assert_memory_equal(kit_app_hash(&kit).b, hash.b, 32);
	assert_int_equal(kit_balance(&kit, CLIENT), 1000u * KIT_COIN);
}

static void an_empty_block_leaves_the_hash(void **state)
{
	struct hash32 hash = kit_app_hash(&kit);

	kit_run(&kit, 5000);
	assert_memory_equal(kit_app_hash(&kit).b, hash.b, 32);
	ok(CLIENT, kit_submit(&kit, "a"));
	hash = kit_app_hash(&kit);
	kit_run(&kit, 5000);
	assert_memory_equal(kit_app_hash(&kit).b, hash.b, 32);
}

static void a_store_of_another_chain_is_not_opened(void **state)
{
	struct settle_config other = kit.config;
	struct app app;

	other.chain_tag.b[0] ^= 1;
	assert_int_equal(settle_open(&app, &kit.store, &other), STATUS_INVALID);
}

static void spoil_row(char kind)
{
	uint8_t from[1] = {(uint8_t)kind}, to[1] = {(uint8_t)(kind + 1)};
	struct store_iterator *it = store_iterate(
		&kit.store, NULL, STORE_STATE, bytes_view(from, 1), bytes_view(to, 1), false);
	struct bytes key, value;
	struct store_batch batch;
	struct buf copy = {0};

	store_batch_init(&batch);
	assert_int_equal(store_next(&kit.store, it, &key, &value), STATUS_OK);
	buf_append_view(&copy, value);
	copy.data[copy.len - 1] ^= 1;
	store_batch_put(&batch, STORE_STATE, key, buf_view(&copy));
	store_iterator_free(&kit.store, it);
	assert_int_equal(store_write(&kit.store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	buf_fini(&copy);
}

static void one_changed_byte_of_state_is_found_at_open(void **state)
{
	static const char kinds[] = "acejopstz";
	struct app app;

	for (size_t i = 0; i < strlen(kinds); i++) {
		kit_close(&kit);
		kit_open(&kit, NULL);
		ok(CLIENT, kit_submit(&kit, "a"));
		ok(COORDINATOR, kit_assign(&kit, "a", 1, 1000));
		spoil_row(kinds[i]);
		assert_int_equal(settle_open(&app, &kit.store, &kit.config), STATUS_CORRUPT);
	}
}

/* ---- passes ---- */

static void money_of_this_block_pays_no_fee_in_it(void **state)
{
	kit_send(&kit, RICH, kit_transfer(&kit, STRANGER, 10 * KIT_COIN));
	kit_send(&kit, STRANGER, kit_transfer(&kit, RICH, 1));
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[0].code, SETTLE_OK);
	assert_int_equal(kit.result.txs[1].code, SETTLE_UNKNOWN_ACCOUNT);
	kit.sequences[STRANGER] = 0;
	ok(STRANGER, kit_transfer(&kit, RICH, 1));
}

static void money_of_this_block_can_be_spent_in_it(void **state)
{
	ok(RICH, kit_transfer(&kit, STRANGER, 1000 + 2 * kit.fee));
	kit_send(&kit, RICH, kit_transfer(&kit, STRANGER, 5 * KIT_COIN));
	kit_send(&kit, STRANGER, kit_transfer(&kit, MINER, 5 * KIT_COIN));
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[1].code, SETTLE_OK);
}

static void a_block_without_an_operator_pays_the_treasury(void **state)
{
	uint64_t treasury = kit_balance(&kit, TREASURY);
	struct app_block block;

	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 10));
	block = kit_block(&kit, 1);
	memset(block.proposer.b, 1, 20);
	assert_int_equal(kit.app.vtable->finalize(kit.app.self, &block, &kit.result), STATUS_OK);
	kit_commit(&kit, &block);
	assert_int_equal(kit_balance(&kit, TREASURY), treasury + kit.fee);
}

static void atomic_is_all_or_nothing(void **state)
{
	Pb__Action *actions[3];

	actions[0] = kit_transfer(&kit, STRANGER, 5000);
	actions[1] = kit_submit(&kit, "a");
	actions[2] = kit_transfer(&kit, STRANGER, 2000u * KIT_COIN);
	kit_send_many(&kit, CLIENT, PB__MODE__ATOMIC, actions, 3);
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[0].code, SETTLE_INSUFFICIENT_FUNDS);
	assert_string_equal(kit.result.txs[0].log, "2:insufficient_funds");
	assert_string_equal(kit.result.txs[0].codespace, "settle");
	assert_int_equal(kit.result.txs[0].data.len, 0);
	assert_int_equal(kit.result.event_count, 0);
	assert_int_equal(kit.result.touch_count, 1);
	assert_int_equal(kit_balance(&kit, STRANGER), 0);
	assert_int_equal(kit_job_state(&kit, "a", NULL), 0);
	assert_int_equal(kit_balance(&kit, CLIENT), 1000u * KIT_COIN - kit.fee);
	assert_int_equal(kit.result.txs[0].gas_used, (int64_t)kit.raws[0].len);
}

static struct hash32 leaf_of(
	uint32_t index, uint32_t code, const struct job_key *job, int job_state)
{
	Pb__ActionResult record = PB__ACTION_RESULT__INIT;
	uint8_t packed[256];

	record.index = index;
	record.code = code;
	if (job) {
		record.job = (ProtobufCBinaryData){job->len, (uint8_t *)(uintptr_t)job->b};
		record.state = (Pb__JobState)job_state;
	}
	return merkle_leaf(bytes_view(packed, pb__action_result__pack(&record, packed)));
}

static void each_lets_every_action_stand_or_fall_alone(void **state)
{
	struct job_key job = kit_job(CLIENT, "a");
	Pb__Action *actions[4];
	struct hash32 leaves[4];
	struct buf outcomes = {0};

	actions[0] = kit_submit(&kit, "a");
	actions[1] = kit_submit(&kit, "a");
	actions[2] = kit_transfer(&kit, STRANGER, 5000);
	actions[3] = kit_cancel(&kit, "no");
	kit_send_many(&kit, CLIENT, PB__MODE__EACH, actions, 4);
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[0].code, SETTLE_OK);
	assert_string_equal(kit.result.txs[0].log, "1:job_exists,3:unknown_job");
	assert_int_equal(kit_balance(&kit, STRANGER), 5000);
	assert_int_equal(kit_job_state(&kit, "a", NULL), PB__JOB_STATE__OPEN);
	leaves[0] = leaf_of(0, 0, &job, PB__JOB_STATE__OPEN);
	leaves[1] = leaf_of(1, SETTLE_JOB_EXISTS, NULL, 0);
	leaves[2] = leaf_of(2, 0, NULL, 0);
	leaves[3] = leaf_of(3, SETTLE_UNKNOWN_JOB, NULL, 0);
	leaves[0] = merkle_root_in_place(leaves, 4);
	assert_int_equal(kit.result.txs[0].data.len, 32);
	assert_memory_equal(kit.result.txs[0].data.data, leaves[0].b, 32);
	/* And the row from which that can be rebuilt. */
	assert_int_equal(settle_outcomes_get(&kit.store, NULL, &outcomes, 1, 0), STATUS_OK);
	assert_int_equal(outcomes.len, 8);
	assert_memory_equal(outcomes.data, ((uint8_t[]){0, 1, 14, 0, 0, 0, 15, 0}), 8);
	buf_fini(&outcomes);
}

static void a_plain_transfer_costs_no_row_of_outcomes(void **state)
{
	struct buf outcomes = {0};
	size_t rows = 0;
	struct store_op op;
	size_t at = 0;

	ok(CLIENT, kit_transfer(&kit, RICH, 10));
	assert_int_equal(settle_outcomes_get(&kit.store, NULL, &outcomes, 1, 0), STATUS_NOT_FOUND);
	while (store_batch_next(&kit.batch, &at, &op))
		rows += op.family == STORE_JOBS;
	assert_int_equal(rows, 1); /* the head */
	assert_int_equal(kit.result.touch_count, 2);
	/* What the index is to find is on the accounts' rows already. */
	for (size_t i = 0; i < kit.result.event_count; i++)
		for (size_t j = 0; j < kit.result.events[i].attribute_count; j++)
			assert_true(!kit.result.events[i].attributes[j].index ||
				    kit.result.events[i].attributes[j].account);
	buf_fini(&outcomes);
}

/* So many that their decoding can't be kept from pass 1 to pass 3: it is done again. */
static void a_block_of_very_many_small_actions_is_executed_whole(void **state)
{
	enum { TXS = 1100, ACTIONS = 256 };
	Pb__Action *actions[ACTIONS];
	uint32_t bad = 0;

	for (size_t i = 0; i < ACTIONS; i++)
		actions[i] = kit_coordinator_set(&kit, (uint32_t)i, false);
	for (size_t i = 0; i < TXS; i++)
		kit_send_many(&kit, (enum kit_who)(i % 2 ? RICH : COORDINATOR), PB__MODE__EACH,
			actions, ACTIONS);
	kit_run(&kit, 1);
	for (size_t i = 0; i < TXS; i++)
		bad += kit.result.txs[i].code != SETTLE_OK || kit.result.txs[i].log[0] != 0;
	assert_int_equal(bad, 0);
	assert_int_equal(kit.result.event_count, TXS * ACTIONS);
}

/* ---- transfers and their limits ---- */

static void a_first_payment_must_be_worth_an_account(void **state)
{
	assert_int_equal(kit_act(&kit, CLIENT, kit_transfer(&kit, STRANGER, 999)), SETTLE_LIMIT);
	ok(CLIENT, kit_transfer(&kit, STRANGER, 1000));
	ok(CLIENT, kit_transfer(&kit, STRANGER, 1));
}

static void a_transfer_to_oneself_changes_nothing_but_must_be_covered(void **state)
{
	ok(CLIENT, kit_transfer(&kit, CLIENT, 500));
	assert_int_equal(kit_balance(&kit, CLIENT), 1000u * KIT_COIN - kit.fee);
	assert_int_equal(kit_act(&kit, CLIENT, kit_transfer(&kit, CLIENT, 1000u * KIT_COIN)),
		SETTLE_INSUFFICIENT_FUNDS);
}

static void what_submit_refuses(void **state)
{
	Pb__SettleParams params;
	Pb__Action *a;

	settle_params_preset(&params);
	params.max_open_jobs_per_client = 1;
	kit_close(&kit);
	kit_open(&kit, &params);
#define REFUSED(code, change)                                                                      \
	a = kit_submit(&kit, "x");                                                                 \
	a->submit_job->change;                                                                     \
	assert_int_equal(kit_act(&kit, CLIENT, a), code)
	REFUSED(SETTLE_BAD_PARAM, reward = 999);
	REFUSED(SETTLE_BAD_PARAM, ttl_ms = 999);
	REFUSED(SETTLE_BAD_PARAM, ttl_ms = 2592000001);
	REFUSED(SETTLE_BAD_PARAM, max_attempts = 0);
	REFUSED(SETTLE_BAD_PARAM, max_attempts = 21);
	REFUSED(SETTLE_SHARE_MISMATCH, coordinator_ppm = 50001);
	REFUSED(SETTLE_UNKNOWN_COORDINATOR, coordinator.data = a->submit_job->payload_hash.data);
	REFUSED(SETTLE_INSUFFICIENT_FUNDS, reward = 2000u * KIT_COIN);
	ok(COORDINATOR, kit_coordinator_set(&kit, 50000, false));
	assert_int_equal(kit_act(&kit, CLIENT, kit_submit(&kit, "x")), SETTLE_COORDINATOR_CLOSED);
	ok(COORDINATOR, kit_coordinator_set(&kit, 50000, true));
	ok(CLIENT, kit_submit(&kit, "x"));
	assert_int_equal(kit_act(&kit, CLIENT, kit_submit(&kit, "x")), SETTLE_JOB_EXISTS);
	assert_int_equal(kit_act(&kit, CLIENT, kit_submit(&kit, "y")), SETTLE_TOO_MANY_JOBS);
	ok(CLIENT, kit_cancel(&kit, "x"));
	assert_int_equal(kit_act(&kit, CLIENT, kit_submit(&kit, "x")), SETTLE_JOB_EXISTS);
	ok(CLIENT, kit_submit(&kit, "y"));
}

static void attempts_run_out(void **state)
{
	Pb__Action *submit = kit_submit(&kit, "a");

	submit->submit_job->max_attempts = 1;
	ok(CLIENT, submit);
	assert_int_equal(kit_act(&kit, COORDINATOR, kit_assign(&kit, "a", 2, 1000)),
		SETTLE_ATTEMPT_MISMATCH);
	ok(COORDINATOR, kit_assign(&kit, "a", 1, 1000));
	ok(COORDINATOR, kit_release(&kit, "a", 1, true));
	assert_int_equal(kit_act(&kit, COORDINATOR, kit_assign(&kit, "a", 2, 1000)),
		SETTLE_ATTEMPTS_EXHAUSTED);
	ok(COORDINATOR, kit_fail(&kit, "a", 1, false));
}

static void what_coordinator_set_and_assign_refuse(void **state)
{
	Pb__Action *a = kit_coordinator_set(&kit, 50000, true);
	struct account_address twice = kit_address(OPERATOR);
	ProtobufCBinaryData operators[] = {{20, twice.b}, {20, twice.b}};
	uint8_t nowhere[33] = {2};

	a->coordinator_set->operators = operators;
	a->coordinator_set->n_operators = 2;
	assert_int_equal(kit_act(&kit, COORDINATOR, a), SETTLE_BAD_PARAM);
	assert_int_equal(kit_act(&kit, COORDINATOR, kit_coordinator_set(&kit, 200001, true)),
		SETTLE_BAD_PARAM);
	ok(COORDINATOR, kit_coordinator_set(&kit, 200000, true));
	/* The operator was dropped with that, at once. */
	ok(COORDINATOR, kit_coordinator_set(&kit, 50000, true));
	ok(CLIENT, kit_submit(&kit, "a"));
	assert_int_equal(
		kit_act(&kit, OPERATOR, kit_assign(&kit, "a", 1, 1000)), SETTLE_NOT_COORDINATOR);
	a = kit_assign(&kit, "a", 1, 1000);
	a->assign_job->miner.data = nowhere; /* x = 0 is not on the curve */
	assert_int_equal(kit_act(&kit, COORDINATOR, a), SETTLE_BAD_PARAM);
	assert_int_equal(
		kit_act(&kit, COORDINATOR, kit_assign(&kit, "a", 1, 86400001)), SETTLE_BAD_PARAM);
}

/* ---- admission ---- */

static uint32_t checked(Pb__TxBody *body, enum kit_who who, struct app_check *check)
{
	kit_send_body(&kit, who, body);
	kit.tx_count--;
	kit.app.vtable->check(kit.app.self, kit.txs[kit.tx_count].raw, kit_now_ms(&kit) + 1, check);
	return check->verdict.code;
}

static void admission_answers_what_a_sender_must_know(void **state)
{
	Pb__TxBody body = PB__TX_BODY__INIT;
	Pb__Action *action = kit_transfer(&kit, RICH, 1);
	struct app_check check;

	body.actions = &action;
	body.n_actions = 1;
	body.fee = kit.fee;
	assert_int_equal(checked(&body, CLIENT, &check), SETTLE_OK);
	assert_true(check.has_sender);
	assert_memory_equal(check.sender.b, kit_address(CLIENT).b, 20);
	assert_int_equal(check.balance, 1000u * KIT_COIN);
	assert_int_equal(check.fee, kit.fee);
	ok(CLIENT, kit_transfer(&kit, RICH, 1));
	assert_int_equal(checked(&body, CLIENT, &check), SETTLE_STALE_SEQUENCE);
	assert_string_equal(check.verdict.log, "sequence 0, expected 1");
	body.sequence = 64;
	assert_int_equal(checked(&body, CLIENT, &check), SETTLE_OK);
	assert_int_equal(check.next_sequence, 1);
	body.sequence = 65;
	assert_int_equal(checked(&body, CLIENT, &check), SETTLE_SEQUENCE_GAP);
	body.sequence = 1;
	body.fee = 2000u * KIT_COIN;
	assert_int_equal(checked(&body, CLIENT, &check), SETTLE_INSUFFICIENT_FUNDS);
	body.fee = 50;
	assert_int_equal(checked(&body, CLIENT, &check), SETTLE_FEE_TOO_LOW);
	body.fee = kit.fee;
	assert_int_equal(checked(&body, STRANGER, &check), SETTLE_UNKNOWN_ACCOUNT);
	body.valid_until_ms = 5;
	assert_int_equal(checked(&body, CLIENT, &check), SETTLE_TX_EXPIRED);
}

static void a_fee_is_enough_at_the_last_unit(void **state)
{
	Pb__TxBody body = PB__TX_BODY__INIT;
	Pb__Action *action = kit_transfer(&kit, RICH, 1);
	struct app_check check;

	body.actions = &action;
	body.n_actions = 1;
	body.fee = 300; /* two bytes, as the right one */
	checked(&body, CLIENT, &check);
	body.fee = 100 + kit.raws[0].len;
	assert_int_equal(checked(&body, CLIENT, &check), SETTLE_OK);
	body.fee--;
	assert_int_equal(checked(&body, CLIENT, &check), SETTLE_FEE_TOO_LOW);
}

static void a_transaction_of_another_chain_is_named_so(void **state)
{
	struct hash32 ours = kit.config.chain_tag;
	struct app_verdict verdict;
	struct app_check check;

	kit.config.chain_tag.b[0] ^= 1;
	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 1));
	kit.config.chain_tag = ours;
	kit.app.vtable->check(kit.app.self, kit.txs[0].raw, kit_now_ms(&kit), &check);
	assert_int_equal(check.verdict.code, SETTLE_WRONG_CHAIN);
	/* Same hint, another tag: only the signature can tell. */
	kit.tx_count = 0;
	kit.sequences[CLIENT] = 0;
	kit.config.chain_tag.b[31] ^= 1;
	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 1));
	kit.config.chain_tag = ours;
	kit.app.vtable->verify(kit.app.self, kit.txs[0].raw, &verdict);
	assert_int_equal(verdict.code, SETTLE_BAD_SIGNATURE);
	kit.txs[0].verified = false;
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[0].code, SETTLE_BAD_SIGNATURE);
	assert_int_equal(kit_balance(&kit, CLIENT), 1000u * KIT_COIN);
	assert_int_equal(kit.result.touch_count, 0);
}

static void a_proposal_holds_only_what_passes(void **state)
{
	struct app_block block;
	size_t count = 4;
	bool accept;

	kit.unverified = true;
	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 1));
	kit.sequences[CLIENT] = 5;
	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 2));
	kit_send(&kit, RICH, kit_transfer(&kit, CLIENT, 3));
	kit.sequences[CLIENT] = 1;
	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 4));
	block = kit_block(&kit, 1);
	assert_int_equal(kit.app.vtable->process(kit.app.self, &block, &accept), STATUS_OK);
	assert_false(accept);
	assert_int_equal(kit.app.vtable->prepare(kit.app.self, &block, kit.txs, &count), STATUS_OK);
	assert_int_equal(count, 3);
	block.tx_count = count;
	assert_int_equal(kit.app.vtable->process(kit.app.self, &block, &accept), STATUS_OK);
	assert_true(accept);
	kit.tx_count = count;
	kit_run(&kit, 1);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(kit.result.txs[i].code, SETTLE_OK);
}

/* ---- history ---- */

static void jobs_and_receipts_are_found_without_replay(void **state)
{
	struct account_address client = kit_address(CLIENT), coordinator = kit_address(COORDINATOR),
			       miner = kit_address(MINER);
	struct job_key job = kit_job(CLIENT, "b");
	struct settle_change changes[8];
	struct settle_listed listed[8];
	struct settle_receipt receipts[8];
	struct settle_receipt_place place;
	struct receipt_id id;
	char text[33];
	size_t count;

	ok(CLIENT, kit_submit(&kit, "a"));
	ok(CLIENT, kit_submit(&kit, "b"));
	ok(COORDINATOR, kit_assign(&kit, "b", 1, 10000));
	ok(COORDINATOR, kit_release(&kit, "b", 1, true));
	ok(COORDINATOR, kit_assign(&kit, "b", 2, 10000));
	ok(COORDINATOR, kit_assign(&kit, "a", 1, 10000));
	ok(COORDINATOR, kit_record(&kit, kit_receipt(&kit, "a", 1, 1, 100)));
	ok(MINER, kit_deliver(&kit, kit_receipt(&kit, "b", 2, 2, 400)));
	for (int i = 0; i < 40; i++)
		kit_run(&kit, 15000);

	assert_int_equal(
		settle_job_history(&kit.store, NULL, changes, 8, &count, &job, NULL), STATUS_OK);
	assert_int_equal(count, 6);
	assert_int_equal(changes[0].cause, CAUSE_SUBMIT);
	assert_int_equal(changes[2].cause, CAUSE_RELEASE);
	assert_int_equal(changes[4].cause, CAUSE_DELIVER);
	assert_int_equal(changes[4].attempt, 2);
	assert_int_equal(changes[5].cause, CAUSE_REVIEW);
	assert_int_equal(changes[5].state, PB__JOB_STATE__SETTLED);
	assert_true(changes[5].place.tx == PLACE_OF_BLOCK);
	assert_int_equal(
		settle_job_history(&kit.store, NULL, changes, 8, &count, &job, &changes[2].place),
		STATUS_OK);
	assert_int_equal(count, 3);
	assert_int_equal(changes[0].cause, CAUSE_ASSIGN);

	assert_int_equal(settle_jobs_page(&kit.store, NULL, listed, 8, &count, LIST_BY_CLIENT,
				 &client, NULL),
		STATUS_OK);
	assert_int_equal(count, 2);
	assert_memory_equal(listed[0].job.b, job.b, job.len);
	assert_int_equal(settle_jobs_page(&kit.store, NULL, listed, 8, &count, LIST_BY_CLIENT,
				 &client, &listed[0].place),
		STATUS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(settle_jobs_page(&kit.store, NULL, listed, 8, &count, LIST_BY_COORDINATOR,
				 &coordinator, NULL),
		STATUS_OK);
	assert_int_equal(count, 2);
	assert_int_equal(
		settle_jobs_page(&kit.store, NULL, listed, 8, &count, LIST_BY_MINER, &miner, NULL),
		STATUS_OK);
	assert_int_equal(count, 3);

	assert_int_equal(
		settle_receipts_page(&kit.store, NULL, receipts, 8, &count, NULL), STATUS_OK);
	assert_int_equal(count, 2);
	assert_int_equal(receipts[0].to_miner, 8000);
	assert_int_equal(receipts[1].to_coordinator, 100);
	assert_memory_equal(receipts[0].miner.b, miner.b, 20);
	assert_int_equal(
		settle_receipts_page(&kit.store, NULL, receipts, 1, &count, &receipts[0].place),
		STATUS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(receipts[0].to_miner, 1900);

	receipt_id_of(text, &kit.config.chain_tag, &job, 2);
	assert_true(receipt_id_parse(&id, bytes_of_text(text)));
	assert_int_equal(settle_receipt_find(&kit.store, NULL, &place, &id), STATUS_OK);
	assert_int_equal(place.place.height, 8);
	id.b[0] ^= 1;
	assert_int_equal(settle_receipt_find(&kit.store, NULL, &place, &id), STATUS_NOT_FOUND);
}

static void a_transaction_touches_everybody_it_pays_once(void **state)
{
	Pb__Action *actions[3];
	bool seen[KIT_PEOPLE] = {false};

	ok(CLIENT, kit_submit(&kit, "a"));
	ok(COORDINATOR, kit_assign(&kit, "a", 1, 10000));
	actions[0] = kit_record(&kit, kit_receipt(&kit, "a", 1, 1, 100));
	actions[1] = kit_transfer(&kit, MINER, 5);
	actions[2] = kit_transfer(&kit, COORDINATOR, 5);
	kit_send_many(&kit, COORDINATOR, PB__MODE__EACH, actions, 3);
	kit_run(&kit, 1);
	assert_int_equal(kit.result.touch_count, 3);
	for (size_t i = 0; i < 3; i++)
		for (int who = 0; who < KIT_PEOPLE; who++) {
			struct account_address address = kit_address((enum kit_who)who);

			if (account_address_equal(&address, &kit.result.touches[i].account))
				seen[who] = true;
		}
	assert_true(seen[COORDINATOR] && seen[MINER] && seen[CLIENT]);
}

int main(void)
{
#define WORLD(test) cmocka_unit_test_setup_teardown(test, opens, closes)
	const struct CMUnitTest tests[] = {
		WORLD(a_block_executed_after_another_of_its_height_is_as_if_alone),
		WORLD(an_app_opened_again_goes_on_as_if_never_closed),
		WORLD(a_crash_before_the_batch_leaves_the_last_block),
		WORLD(an_empty_block_leaves_the_hash),
		WORLD(a_store_of_another_chain_is_not_opened),
		WORLD(one_changed_byte_of_state_is_found_at_open),
		WORLD(money_of_this_block_pays_no_fee_in_it),
		WORLD(money_of_this_block_can_be_spent_in_it),
		WORLD(a_block_without_an_operator_pays_the_treasury),
		WORLD(atomic_is_all_or_nothing),
		WORLD(each_lets_every_action_stand_or_fall_alone),
		WORLD(a_plain_transfer_costs_no_row_of_outcomes),
		WORLD(a_block_of_very_many_small_actions_is_executed_whole),
		WORLD(a_first_payment_must_be_worth_an_account),
		WORLD(a_transfer_to_oneself_changes_nothing_but_must_be_covered),
		WORLD(what_submit_refuses),
		WORLD(attempts_run_out),
		WORLD(what_coordinator_set_and_assign_refuse),
		WORLD(admission_answers_what_a_sender_must_know),
		WORLD(a_fee_is_enough_at_the_last_unit),
		WORLD(a_transaction_of_another_chain_is_named_so),
		WORLD(a_proposal_holds_only_what_passes),
		WORLD(jobs_and_receipts_are_found_without_replay),
		WORLD(a_transaction_touches_everybody_it_pays_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
