/* What the sender must know before it can sign: chain tag, fees, its account, the chain's time.
 * Four questions in a row; a failure ends the row and is tried again with a growing pause. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wallet/fields.h"
#include "wallet/sender_inside.h"

enum { ASK_MS = 5000 };

static void learn_next(struct sender *s, enum learning next);

static void tell_waiters(struct sender *s, bool ok, const char *fault)
{
	struct waiter *w = s->waiters;

	s->waiters = NULL;
	while (w) {
		struct waiter *next = w->next;
		w->done(w->ctx, ok, fault);
		free(w);
		w = next;
	}
}

static void learn_failed(struct sender *s, const char *what, const char *why)
{
	char fault[SENDER_FAULT_BYTES];

	snprintf(fault, sizeof fault, "%s: %s", what, why && why[0] ? why : "an unusable answer");
	s->learning = LEARN_IDLE;
	s->learn_pause_ms = s->learn_pause_ms ? s->learn_pause_ms * 2 : s->config.pause_ms;
	if (s->learn_pause_ms > SENDER_PAUSE_MS_MAX)
		s->learn_pause_ms = SENDER_PAUSE_MS_MAX;
	s->learn_wake_ms = sender_now_ms() + s->learn_pause_ms;
	log_event(s->config.log, LOG_UNUSUAL, "sender_cannot_learn why=\"%s\"", fault);
	tell_waiters(s, false, fault);
	sender_give_up(s, fault);
	sender_pump(s);
}

bool sender_block_time(uint64_t *out, const json_t *status)
{
	struct timestamp t;

	if (!field_time(&t, json_object_get(status, "sync_info"), "latest_block_time"))
		return false;
	int64_t ms = timestamp_ms(t);
	*out = ms > 0 ? (uint64_t)ms : 0;
	return true;
}

static void on_status(struct sender *s, struct act *act, const struct rpc_outcome *outcome)
{
	const json_t *node = json_object_get(outcome->result, "node_info");

	(void)act;
	if (outcome->status != STATUS_OK)
		return learn_failed(s, "the node doesn't answer", outcome->fault);
	if (!field_copy(s->chain_id, CHAIN_ID_BYTES_MAX, node, "network") ||
		!sender_block_time(&s->block_ms, outcome->result))
		return learn_failed(s, "the node's status can't be read", NULL);
	learn_next(s, LEARN_CHAIN);
}

static void on_chain(struct sender *s, struct act *act, const struct rpc_outcome *outcome)
{
	struct hash32 tag;
	char log[256] = "";
	uint32_t code = 0;

	(void)act;
	if (outcome->status != STATUS_OK)
		return learn_failed(s, "the node doesn't tell its chain tag", outcome->fault);
	json_t *value = rpc_query_value(outcome->result, &code, log);
	bool ok = field_hex(tag.b, sizeof tag.b, value, "chain_tag");
	json_decref(value);
	if (!ok)
		return learn_failed(s, "the node doesn't tell its chain tag", log);
	if (s->config.chain_tag && !hash_equal(s->config.chain_tag, &tag)) {
		sender_refuse_line(s, SETTLE_WRONG_CHAIN, "the node serves another chain");
		return learn_failed(s, "wrong_chain", "the node serves another chain");
	}
	/* A chain begun anew (a devnet's) counts sequences from the start again. */
	if (s->tag_known && !hash_equal(&s->chain_tag, &tag))
		s->next_sequence = 0;
	s->chain_tag = tag;
	s->tag_known = true;
	learn_next(s, LEARN_PARAMS);
}

static void on_params(struct sender *s, struct act *act, const struct rpc_outcome *outcome)
{
	char log[256] = "";
	uint32_t code = 0;

	(void)act;
	if (outcome->status != STATUS_OK)
		return learn_failed(s, "the node doesn't tell its fees", outcome->fault);
	json_t *value = rpc_query_value(outcome->result, &code, log);
	bool ok = field_u64(&s->base_fee, value, "base_fee") &&
		  field_u64(&s->fee_per_byte, value, "fee_per_byte");
	json_decref(value);
	if (!ok)
		return learn_failed(s, "the node doesn't tell its fees", log);
	learn_next(s, LEARN_ACCOUNT);
}

static void on_account(struct sender *s, struct act *act, const struct rpc_outcome *outcome)
{
	char log[256] = "";
	uint32_t code = 0;
	uint64_t next = 0;

	(void)act;
	if (outcome->status != STATUS_OK)
		return learn_failed(s, "the node doesn't tell the account", outcome->fault);
	json_t *value = rpc_query_value(outcome->result, &code, log);
	s->account_known = field_u64(&next, value, "next_sequence") &&
			   field_u64(&s->balance_uaitbc, value, "balance");
	json_decref(value);
	if (!s->account_known) {
		/* An account without a record has nothing yet; the chain itself will refuse for it.
		 */
		next = 0;
		s->balance_uaitbc = 0;
	}
	if (next > s->next_sequence)
		s->next_sequence = next;
	s->learning = LEARN_IDLE;
	s->learnt = true;
	s->learn_pause_ms = 0;
	tell_waiters(s, true, "");
	sender_pump(s);
}

static void learn_next(struct sender *s, enum learning next)
{
	bool started = false;

	s->learning = next;
	switch (next) {
	case LEARN_IDLE: started = true; break;
	case LEARN_STATUS: started = sender_ask(s, NULL, "status", NULL, ASK_MS, on_status); break;
	case LEARN_CHAIN:
		started = sender_ask(s, NULL, "abci_query",
			rpc_params_query("/chain", bytes_view(NULL, 0)), ASK_MS, on_chain);
		break;
	case LEARN_PARAMS:
		started = sender_ask(s, NULL, "abci_query",
			rpc_params_query("/params", bytes_view(NULL, 0)), ASK_MS, on_params);
		break;
	case LEARN_ACCOUNT:
		started = sender_ask(s, NULL, "abci_query",
			rpc_params_query("/accounts", bytes_view(s->address.b, 20)), ASK_MS,
			on_account);
		break;
	}
	if (!started)
		learn_failed(s, "can't ask the node", "no memory");
}

void sender_learn_start(struct sender *s)
{
	if (s->learning == LEARN_IDLE)
		learn_next(s, LEARN_STATUS);
}

void sender_learn(struct sender *s, sender_learnt *done, void *ctx)
{
	if (done) {
		struct waiter *w = calloc(1, sizeof *w);
		if (!w) {
			done(ctx, false, "no memory");
			return;
		}
		*w = (struct waiter){.next = s->waiters, .done = done, .ctx = ctx};
		s->waiters = w;
	}
	sender_learn_start(s);
}
