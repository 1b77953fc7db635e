/* One block [protocol 2]: the four passes, and how its work is tried, hashed, written and adopted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/limits.h"
#include "chain/settle/jobs.h"
#include "chain/settle/machine.h"

uint64_t block_time_ms(const struct app_block *block)
{
	int64_t ms = timestamp_ms(block->time);

	return ms > 0 ? (uint64_t)ms : 0;
}

void run_touch(struct run *run, const struct account_address *account)
{
	if (state_touch(run->state, account, run->touch_mark) &&
		!results_touch(run->results, run->place.tx, account))
		run_fail(run, STATUS_NO_MEMORY);
}

void run_add_sender(struct run *run, struct event_draft *draft, const char *key, bool index)
{
	if (!run->sender_named.value) {
		draft_add_address(run->results, draft, key, &run->sender, index);
		run->sender_named = draft->attributes[draft->count - 1];
		return;
	}
	draft_add_static(draft, key, run->sender_named.value, index);
	draft->attributes[draft->count - 1].account = run->sender_named.account;
}

void run_event(struct run *run, const struct event_draft *draft, const char *type)
{
	if (!results_event(run->results, draft, type, run->place.tx) ||
		run->state->arena->exhausted)
		run_fail(run, STATUS_NO_MEMORY);
}

static void reset(struct settle *settle, struct state *state, struct arena *arena)
{
	state_reset(state, &settle->totals, get_u64be(settle->head.app_hash.b));
	arena_reset(arena);
}

/* ---- pass 1 alone: making and judging a proposal ---- */

static void try_tx(
	struct settle *settle, struct decoded_tx *out, const struct app_tx *tx, uint64_t block_ms)
{
	arena_reset(&settle->scratch);
	decode_into(&settle->trial, out, &settle->scratch, tx->raw);
	(void)pass_one(settle, &settle->trial, out, tx, block_ms);
}

enum status settle_prepare(
	void *self, const struct app_block *block, struct app_tx *txs, size_t *tx_count)
{
	struct settle *settle = self;
	uint64_t block_ms = block_time_ms(block);
	struct decoded_tx decoded;
	size_t kept = 0;

	reset(settle, &settle->trial, &settle->trial_arena);
	for (size_t i = 0; i < *tx_count; i++) {
		try_tx(settle, &decoded, &txs[i], block_ms);
		if (settle->trial.fault != STATUS_OK)
			return settle->trial.fault;
		if (decoded.code != SETTLE_OK)
			continue;
		txs[kept] = txs[i];
		txs[kept++].verified = true;
	}
	*tx_count = kept;
	return STATUS_OK;
}

enum status settle_process(void *self, const struct app_block *block, bool *accept)
{
	struct settle *settle = self;
	uint64_t block_ms = block_time_ms(block);
	struct decoded_tx decoded;

	*accept = false;
	reset(settle, &settle->trial, &settle->trial_arena);
	for (size_t i = 0; i < block->tx_count; i++) {
		try_tx(settle, &decoded, &block->txs[i], block_ms);
		if (settle->trial.fault != STATUS_OK)
			return settle->trial.fault;
		if (decoded.code != SETTLE_OK)
			return STATUS_OK;
	}
	*accept = true;
	return STATUS_OK;
}

/* ---- pass 2 ---- */

/* A stopped chain or a clock jump expires nobody [protocol 3, job time]. */
static uint64_t outage_of(const struct settle *settle, const struct app_block *block)
{
	int64_t gap = timestamp_ms(block->time) - timestamp_ms(block->last_time);
	uint64_t usual = 4 * settle->config.heartbeat_ms;

	return gap > 0 && (uint64_t)gap > usual ? (uint64_t)gap - usual : 0;
}

static void book_due(struct run *run)
{
	struct due_place at = {0, 0};
	const struct due *due = due_next(&run->settle->due, &at);
	uint32_t booked = 0;

	/* The queue is the committed one: no action has run yet, so no record has moved. */
	run->touch_mark++;
	while (due && due->due_ms <= run->job_ms &&
		booked < run->settle->params.expiries_per_block && run->state->fault == STATUS_OK) {
		run->place = (struct settle_place){run->height, PLACE_OF_BLOCK, booked++};
		arena_reset(&run->settle->scratch);
		job_book(run, &due->job);
		due = due_next(&run->settle->due, &at);
	}
}

/* ---- pass 3 ---- */

static enum settle_code run_action(struct run *run, const Pb__Action *action)
{
	if (!action_fits(action, &run->settle->params))
		return SETTLE_BAD_PARAM;
	switch (action->act_case) {
	case PB__ACTION__ACT_TRANSFER: return action_transfer(run, action->transfer);
	case PB__ACTION__ACT_COORDINATOR_SET:
		return action_coordinator_set(run, action->coordinator_set);
	case PB__ACTION__ACT_SUBMIT_JOB: return action_submit_job(run, action->submit_job);
	case PB__ACTION__ACT_ASSIGN_JOB: return action_assign_job(run, action->assign_job);
	case PB__ACTION__ACT_RENEW_LEASE: return action_renew_lease(run, action->renew_lease);
	case PB__ACTION__ACT_RELEASE_JOB: return action_release_job(run, action->release_job);
	case PB__ACTION__ACT_RECORD_RECEIPT:
		return action_record_receipt(run, action->record_receipt);
	case PB__ACTION__ACT_DELIVER_RESULT:
		return action_deliver_result(run, action->deliver_result);
	case PB__ACTION__ACT_REJECT_DELIVERY:
		return action_reject_delivery(run, action->reject_delivery);
	case PB__ACTION__ACT_FAIL_JOB: return action_fail_job(run, action->fail_job);
	case PB__ACTION__ACT_CANCEL_JOB: return action_cancel_job(run, action->cancel_job);
	case PB__ACTION__ACT_AUTHORITY: return action_authority(run, action->authority);
	case PB__ACTION__ACT__NOT_SET:
	case _PB__ACTION__ACT__CASE_IS_INT_SIZE: break;
	}
	CHECK(false); /* action_fits refused it */
}

/* None of the transaction's acts happened; but a booking it met stands. It met a job that was due
 * before the transaction, which nothing else in it can have moved, so booking it again gives the
 * same. */
static void roll_back(struct run *run, const struct results_mark *mark)
{
	struct booking *bookings = NULL;
	bool told;

	state_rollback(run->state);
	results_rollback(run->results, mark);
	while (run->bookings) {
		struct booking *next = run->bookings->earlier;

		run->bookings->earlier = bookings;
		bookings = run->bookings;
		run->bookings = next;
	}
	run->touch_mark++;
	told = state_touch(run->state, &run->sender, run->touch_mark); /* before results_mark */
	CHECK(told || run->state->fault != STATUS_OK);
	for (; bookings && run->state->fault == STATUS_OK; bookings = bookings->earlier) {
		run->place = bookings->place;
		job_book(run, &bookings->job);
	}
}

/* Rebuilding a transaction's ActionResults later needs its outcomes, unless they go without saying.
 */
static void put_outcomes(struct run *run, const Pb__TxBody *body, const struct outcome *outcomes)
{
	uint8_t *row = arena_alloc(run->state->scratch, 2 * body->n_actions);
	bool goes_without_saying = true;

	if (!row) {
		run_fail(run, STATUS_NO_MEMORY);
		return;
	}
	for (size_t i = 0; i < body->n_actions; i++) {
		goes_without_saying = goes_without_saying && outcomes[i].code == SETTLE_OK &&
				      body->actions[i]->act_case == PB__ACTION__ACT_TRANSFER;
		row[2 * i] = (uint8_t)outcomes[i].code;
		row[2 * i + 1] = outcomes[i].code == SETTLE_OK ? (uint8_t)outcomes[i].state : 0;
	}
	if (!goes_without_saying)
		rows_put_outcomes(&run->results->rows, run->height, run->place.tx,
			bytes_view(row, 2 * body->n_actions));
}

/* "3:attempt_mismatch,17:wrong_state": every failed action, so that a client that batches learns
 * the fate of each from the result alone. Not hashed. */
static const char *log_of(struct run *run, const struct outcome *outcomes, size_t count)
{
	struct buf text = {0};
	const char *copy;

	for (size_t i = 0; i < count; i++)
		if (outcomes[i].code != SETTLE_OK)
			buf_appendf(&text, "%s%zu:%s", text.len ? "," : "", i,
				settle_code_name(outcomes[i].code));
	if (text.len == 0)
		return "";
	copy = buf_ok(&text) ? arena_text(run->state->arena, buf_view(&text)) : NULL;
	buf_fini(&text);
	if (!copy)
		run_fail(run, STATUS_NO_MEMORY);
	return copy ? copy : "";
}

static void run_actions(struct run *run, const Pb__TxBody *body, struct app_tx_result *result)
{
	struct outcome *outcomes =
		arena_alloc(run->state->scratch, body->n_actions * sizeof *outcomes);
	struct results_mark mark = results_mark(run->results);

	if (!outcomes) {
		run_fail(run, STATUS_NO_MEMORY);
		return;
	}
	state_mark(run->state);
	for (size_t i = 0; i < body->n_actions && run->state->fault == STATUS_OK; i++) {
		run->place.action = (uint32_t)i;
		memset(&run->outcome, 0, sizeof run->outcome);
		run->outcome.code = run_action(run, body->actions[i]);
		outcomes[i] = run->outcome;
		if (outcomes[i].code == SETTLE_OK)
			continue;
		if (body->mode == PB__MODE__ATOMIC) {
			roll_back(run, &mark);
			result->code = outcomes[i].code;
			result->log = log_of(run, outcomes, i + 1);
			return;
		}
	}
	result->log = log_of(run, outcomes, body->n_actions);
	result->data = results_data(run->results, outcomes, body->n_actions);
	if (result->data.len == 0)
		run_fail(run, STATUS_NO_MEMORY);
	put_outcomes(run, body, outcomes);
}

static void run_tx(
	struct run *run, uint32_t index, struct decoded_tx *decoded, const struct app_tx *tx)
{
	struct app_tx_result *result = &run->results->txs[index];

	result->codespace = "settle";
	result->log = "";
	result->gas_wanted = (int64_t)decoded->tx.size;
	result->gas_used = result->gas_wanted;
	if (decoded->code != SETTLE_OK) {
		/* No honest node lets such a block pass; if one is decided all the same, it does
		 * nothing. */
		result->code = decoded->code;
		result->log = decoded->log;
		return;
	}
	arena_reset(run->state->scratch);
	if (!decoded->kept)
		decode_into(run->state, decoded, run->state->scratch, tx->raw);
	if (run->state->fault != STATUS_OK)
		return;
	run->sender = decoded->tx.sender;
	run->sender_named.value = NULL;
	run->bookings = NULL;
	run->touch_mark++;
	run->place = (struct settle_place){run->height, index, 0};
	run_touch(run, &run->sender);
	run_actions(run, decoded->tx.body, result);
}

/* ---- pass 4 and the end ---- */

static void pay_fees(struct run *run, const struct app_block *block, uint64_t fees)
{
	struct account_address to;

	if (fees == 0)
		return;
	if (!state_operator(run->state, &to, &block->proposer))
		to = run->settle->treasury;
	money_credit(run->state, &to, fees);
}

struct hash32 app_hash_of(const struct hash32 *root)
{
	return tree_leaf(bytes_of_text("settle"), hash_view(root));
}

enum status work_hash(struct settle *settle, struct hash32 *app_hash)
{
	struct tree_change *changes = malloc((settle->work.count + 1) * sizeof *changes);
	size_t count = 0;
	struct hash32 root;
	enum status status;

	if (!changes)
		return STATUS_NO_MEMORY;
	for (const struct state_entry *entry = settle->work.newest; entry; entry = entry->older) {
		uint8_t scratch[ACCOUNT_BYTES_MAX];

		if (!state_entry_changed(entry))
			continue;
		changes[count].path = entry->path;
		changes[count].removed = !entry->exists;
		if (entry->exists)
			changes[count].leaf =
				tree_leaf(entry->key, state_entry_value(entry, scratch));
		count++;
	}
	status = tree_update(&settle->tree, changes, count);
	free(changes);
	if (status != STATUS_OK)
		return status;
	root = tree_root(&settle->tree, TREE_WORK);
	*app_hash = app_hash_of(&root);
	return STATUS_OK;
}

static enum status close_block(
	struct run *run, const struct app_block *block, struct app_result *out)
{
	struct settle *settle = run->settle;
	const struct totals *totals = &settle->work.totals;
	enum status status;

	authority_turn(run);
	state_close_totals(&settle->work, &settle->totals);
	if (settle->work.fault != STATUS_OK)
		return settle->work.fault;
	/* Money can't appear or vanish [protocol 2]. */
	CHECK(totals->supply == settle->totals.supply);
	CHECK(totals->escrow <= totals->supply);
	CHECK(totals->balances == totals->supply - totals->escrow);
	settle->work_head = settle->head;
	settle->work_head.height = block->height;
	settle->work_head.block_ms = block_time_ms(block);
	status = work_hash(settle, &settle->work_head.app_hash);
	if (status != STATUS_OK)
		return status;
	memset(out, 0, sizeof *out);
	out->app_hash = settle->work_head.app_hash;
	out->txs = run->results->txs;
	out->tx_count = run->results->tx_count;
	out->events = run->results->events;
	out->event_count = run->results->event_count;
	out->touches = run->results->touches;
	out->touch_count = run->results->touch_count;
	authority_tell_engine(run, out);
	settle->pending = settle->work.fault == STATUS_OK;
	return settle->work.fault;
}

/* Pass 1 for one transaction. Its decoding is kept for pass 3 while there is room: a block of very
 * many very small actions decodes to thirty times its size. */
static uint64_t enter_tx(struct run *run, struct decoded_tx *out, const struct app_tx *tx)
{
	struct settle *settle = run->settle;
	bool kept = settle->decoded.used <= SETTLE_DECODED_BYTES_MAX;

	arena_reset(&settle->scratch);
	decode_into(run->state, out, kept ? &settle->decoded : &settle->scratch, tx->raw);
	out->kept = kept;
	return pass_one(settle, run->state, out, tx, run->block_ms);
}

enum status settle_finalize(void *self, const struct app_block *block, struct app_result *out)
{
	struct settle *settle = self;
	struct run run = {.settle = settle, .state = &settle->work, .results = &settle->results};
	struct decoded_tx *txs;
	uint64_t fees = 0;

	CHECK(settle->started);
	if (settle->fault != STATUS_OK)
		return settle->fault;
	if (settle->halt[0])
		return STATUS_INVALID;
	settle->pending = false;
	settle->authority.seats_of = NULL;
	settle->authority.votes_of = NULL;
	reset(settle, &settle->work, &settle->arena);
	arena_reset(&settle->decoded);
	txs = arena_alloc(&settle->arena, block->tx_count * sizeof *txs);
	if (!txs || !results_reset(&settle->results, block->tx_count))
		return STATUS_NO_MEMORY;
	run.height = block->height;
	run.block_ms = block_time_ms(block);
	for (size_t i = 0; i < block->tx_count; i++)
		fees += enter_tx(&run, &txs[i], &block->txs[i]);
	settle->work.totals.outage_ms += outage_of(settle, block);
	CHECK(settle->work.totals.outage_ms <= run.block_ms || run.block_ms == 0);
	run.job_ms = run.block_ms - settle->work.totals.outage_ms;
	book_due(&run);
	authority_lapse(&run);
	for (size_t i = 0; i < block->tx_count && settle->work.fault == STATUS_OK; i++)
		run_tx(&run, (uint32_t)i, &txs[i], &block->txs[i]);
	pay_fees(&run, block, fees);
	return close_block(&run, block, out);
}

uint64_t settle_next_wake_ms(void *self)
{
	const struct settle *settle = self;
	struct due_place at = {0, 0};
	const struct due *due = due_next(&settle->due, &at);

	return due ? due->due_ms + settle->totals.outage_ms : UINT64_MAX;
}
