#define _POSIX_C_SOURCE 200809L
#include "wallet/sender.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wallet/fields.h"
#include "wallet/sender_inside.h"

enum {
	COMMIT_MS = RPC_COMMIT_WAIT_MS + 3000, /* longer than the node itself waits */
	ASK_MS = 5000,
	TAKEN_PAUSE_MS = 500,
	FILLER_PAUSE_MS = 5000
};

uint64_t sender_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t wall_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- calls to the node --- */

static void on_answer(void *ctx, const struct rpc_outcome *outcome)
{
	struct ask *ask = ctx;
	struct sender *s = ask->sender;

	if (s) {
		struct ask **at = &s->asks;
		while (*at != ask)
			at = &(*at)->next;
		*at = ask->next;
		ask->answer(s, ask->act, outcome);
	}
	free(ask);
}

bool sender_ask(struct sender *s, struct act *act, const char *method, json_t *params,
	uint32_t timeout_ms,
	void (*answer)(struct sender *, struct act *, const struct rpc_outcome *))
{
	struct ask *ask = calloc(1, sizeof *ask);

	if (!ask) {
		json_decref(params);
		return false;
	}
	*ask = (struct ask){.next = s->asks, .sender = s, .act = act, .answer = answer};
	if (rpc_call(s->config.rpc, method, params, timeout_ms, on_answer, ask) != STATUS_OK) {
		free(ask);
		return false;
	}
	s->asks = ask;
	return true;
}

/* --- how an act ends --- */

static void flight_remove(struct sender *s, struct act *act)
{
	struct act **at = &s->flights;

	while (*at != act)
		at = &(*at)->next;
	*at = act->next;
	s->flight_count--;
}

/* The act is in no list any more. Tells its owner and frees it. */
static void act_end(struct sender *s, struct act *act, enum sender_fate fate, uint32_t code,
	int64_t height, const char *log)
{
	uint32_t codes[TX_ACTIONS_MAX];
	struct sender_outcome outcome = {.fate = fate,
		.code = code,
		.fault = act->fault,
		.hash = act->hash,
		.height = height,
		.sequence = act->body->sequence,
		.fee_uaitbc = act->body->fee,
		.valid_until_ms = act->body->valid_until_ms,
		.codes = codes,
		.action_count = act->body->n_actions};

	/* Without a verdict no action may look applied. */
	uint32_t all = fate != SENDER_COMMITTED && code == SETTLE_OK ? SETTLE_CODES : code;
	if (!sender_codes(codes, act->body->n_actions, act->body->mode, all, log))
		log_event(s->config.log, LOG_BROKEN, "sender_log_unreadable log=\"%s\"", log);
	if (fate == SENDER_COMMITTED && act->body->sequence >= s->next_sequence)
		s->next_sequence = act->body->sequence + 1;
	if (act->filler && fate != SENDER_COMMITTED)
		s->filler_after_ms = sender_now_ms() + FILLER_PAUSE_MS;
	if (act->done)
		act->done(act->ctx, &outcome);
	act_free(act);
}

static void flight_end(struct sender *s, struct act *act, enum sender_fate fate, uint32_t code,
	int64_t height, const char *log)
{
	flight_remove(s, act);
	act_end(s, act, fate, code, height, log);
	sender_pump(s);
}

/* --- one transaction in flight --- */

static void flight_broadcast(struct sender *s, struct act *act);

/* Nobody knows what became of it: after a pause we look it up by its hash. */
static void flight_rest(struct sender *s, struct act *act)
{
	uint64_t now = sender_now_ms();

	if (s->config.give_up_ms && now - act->since_ms >= s->config.give_up_ms) {
		flight_end(s, act, SENDER_UNKNOWN, SETTLE_OK, 0, "");
		return;
	}
	act->stage = ACT_RESTING;
	act->wake_ms = now + act->pause_ms;
	act->pause_ms =
		act->pause_ms * 2 < SENDER_PAUSE_MS_MAX ? act->pause_ms * 2 : SENDER_PAUSE_MS_MAX;
	sender_pump(s);
}

/* This signature can't commit any more, or never left us. Sign again, unless the verdict stands
 * whatever the sequence and the hour. */
static void flight_dead(struct sender *s, struct act *act)
{
	uint32_t code = act->refusal ? act->refusal : SETTLE_TX_EXPIRED;
	bool passing = code == SETTLE_STALE_SEQUENCE || code == SETTLE_SEQUENCE_GAP ||
		       code == SETTLE_SEQUENCE_TAKEN || code == SETTLE_TX_EXPIRED ||
		       code == SETTLE_FEE_TOO_LOW;

	/* What we knew of the chain was wrong in some way: learn it anew before the next signature.
	 */
	s->learnt = false;
	if (!passing || act->filler || ++act->rounds >= SENDER_ROUNDS_MAX) {
		flight_end(s, act, SENDER_REFUSED, code, 0, "");
		return;
	}
	if (code == SETTLE_SEQUENCE_TAKEN)
		s->pause_until_ms = sender_now_ms() + TAKEN_PAUSE_MS;
	log_event(s->config.log, LOG_DEBUG, "sender_signs_again sequence=%" PRIu64 " code=%s",
		act->body->sequence, settle_code_name(code));
	flight_remove(s, act);
	line_prepend(s, act);
	sender_pump(s);
}

static bool flight_committed(struct sender *s, struct act *act, const json_t *result)
{
	const json_t *tx_result = json_object_get(result, "tx_result");
	const char *log = field_text(tx_result, "log");
	uint32_t code;
	int64_t height;

	if (!field_i64(&height, result, "height") || height <= 0 ||
		!field_u32(&code, tx_result, "code"))
		return false;
	act->fault[0] = '\0';
	if (code != SETTLE_OK && act->body->n_actions == 1)
		snprintf(act->fault, sizeof act->fault, "%s", settle_code_name(code));
	else if (code != SETTLE_OK || log[0])
		snprintf(act->fault, sizeof act->fault, "failed actions: %s", log);
	flight_end(s, act, SENDER_COMMITTED, code, height, log);
	return true;
}

static void on_found(struct sender *s, struct act *act, const struct rpc_outcome *outcome)
{
	if (outcome->status == STATUS_OK) {
		if (!flight_committed(s, act, outcome->result))
			flight_rest(s, act);
	} else if (outcome->status != STATUS_REFUSED) {
		flight_rest(s, act);
	} else if (act->spent || act->block_ms > act->body->valid_until_ms) {
		/* Both were known before the look-up, so every block that could hold it had been
		 * searched. */
		flight_dead(s, act);
	} else {
		flight_broadcast(s, act);
	}
}

static void on_chain_time(struct sender *s, struct act *act, const struct rpc_outcome *outcome)
{
	if (outcome->status == STATUS_OK && sender_block_time(&s->block_ms, outcome->result))
		act->block_ms = s->block_ms;
	act->spent = act->spent || s->next_sequence > act->body->sequence;
	if (!sender_ask(s, act, "tx", rpc_params_hash(&act->hash), ASK_MS, on_found))
		flight_rest(s, act);
}

static void flight_look_up(struct sender *s, struct act *act)
{
	act->stage = ACT_ASKING;
	act->block_ms = 0;
	if (!sender_ask(s, act, "status", NULL, ASK_MS, on_chain_time))
		flight_rest(s, act);
}

static void on_refused(struct sender *s, struct act *act, const json_t *check)
{
	snprintf(act->fault, sizeof act->fault, "%s%s%s", settle_code_name(act->refusal),
		field_text(check, "log")[0] ? ": " : "", field_text(check, "log"));
	if (act->refusal == SETTLE_WRONG_CHAIN)
		s->learnt = false;
	if (act->refusal == SETTLE_STALE_SEQUENCE) {
		/* Spent by this very transaction, or by another? The hash tells. */
		act->spent = true;
		flight_look_up(s, act);
	} else if (act->broadcasts == 1) {
		flight_dead(s, act); /* no node ever took it */
	} else {
		flight_rest(s, act); /* one that took it earlier may still propose it */
	}
}

static void on_broadcast(struct sender *s, struct act *act, const struct rpc_outcome *outcome)
{
	const json_t *check = json_object_get(outcome->result, "check_tx");

	act->refusal = SETTLE_OK;
	if (outcome->status != STATUS_OK) {
		snprintf(act->fault, sizeof act->fault, "%s", outcome->fault);
		flight_rest(s, act);
	} else if (!field_u32(&act->refusal, check, "code")) {
		snprintf(act->fault, sizeof act->fault, "the node's answer can't be read");
		flight_rest(s, act);
	} else if (act->refusal != SETTLE_OK) {
		on_refused(s, act, check);
	} else if (!flight_committed(s, act, outcome->result)) {
		flight_rest(s, act);
	}
}

static void flight_broadcast(struct sender *s, struct act *act)
{
	act->stage = ACT_ASKING;
	act->broadcasts++;
	if (!sender_ask(s, act, "broadcast_tx_commit", rpc_params_tx(buf_view(&act->tx)), COMMIT_MS,
		    on_broadcast))
		flight_rest(s, act);
}

/* --- sequences, and what may be done now --- */

static bool sequence_in_flight(const struct sender *s, uint64_t sequence)
{
	for (const struct act *act = s->flights; act; act = act->next)
		if (act->body->sequence == sequence)
			return true;
	return false;
}

static uint64_t sequence_free(const struct sender *s)
{
	uint64_t sequence = s->next_sequence;

	while (sequence_in_flight(s, sequence))
		sequence++;
	return sequence;
}

/* False: no memory, or fees beyond all bounds. */
static bool body_sign(
	struct sender *s, Pb__TxBody *body, uint64_t sequence, struct buf *tx, struct hash32 *hash)
{
	uint64_t now = wall_ms() > s->block_ms ? wall_ms() : s->block_ms;
	size_t before = tx->len;

	body->chain_hint = chain_hint_of(&s->chain_tag); /* before the fee: its bytes cost too */
	body->sequence = sequence;
	body->valid_until_ms = now + s->config.valid_ms;
	if (!sender_fee(body, s->base_fee, s->fee_per_byte))
		return false;
	tx_sign(tx, body, s->secret, &s->key, &s->chain_tag);
	if (!buf_ok(tx))
		return false;
	*hash = sha256(bytes_view(tx->data + before, tx->len - before));
	return true;
}

static void flight_start(struct sender *s, struct act *act)
{
	buf_clear(&act->tx);
	act->broadcasts = 0;
	act->spent = false;
	act->refusal = SETTLE_OK;
	act->pause_ms = s->config.pause_ms;
	if (!body_sign(s, act->body, sequence_free(s), &act->tx, &act->hash)) {
		snprintf(act->fault, sizeof act->fault, "can't sign: no memory");
		act_end(s, act, SENDER_REFUSED, SETTLE_OK, 0, "");
		return;
	}
	act->next = s->flights;
	s->flights = act;
	s->flight_count++;
	flight_broadcast(s, act);
}

/* A refused transaction leaves its sequence unspent, and those after it wait for it in the mempool.
 * When nothing else is in line to take its place, one coin goes from us to us. */
static void fill_gap(struct sender *s, uint64_t now)
{
	Pb__Transfer transfer = PB__TRANSFER__INIT;
	Pb__Action action = PB__ACTION__INIT;
	const Pb__Action *actions = &action;
	uint64_t highest = 0;

	for (const struct act *act = s->flights; act; act = act->next)
		if (act->body->sequence > highest)
			highest = act->body->sequence;
	if (s->line || !s->flights || sequence_free(s) > highest || now < s->filler_after_ms)
		return;
	transfer.to = (ProtobufCBinaryData){20, s->address.b};
	transfer.amount = 1;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &transfer;
	struct act *filler = act_new(&actions, 1, PB__MODE__ATOMIC);
	if (!filler)
		return;
	filler->filler = true;
	line_append(s, filler);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void timer_set(struct sender *s, uint64_t now)
{
	uint64_t at = UINT64_MAX;

	for (const struct act *act = s->flights; act; act = act->next)
		if (act->stage == ACT_RESTING)
			at = earliest(at, act->wake_ms);
	if ((s->line || s->flights) && !s->learnt && s->learning == LEARN_IDLE)
		at = earliest(at, s->learn_wake_ms);
	if (s->line && s->learnt && s->pause_until_ms > now)
		at = earliest(at, s->pause_until_ms);
	if (at == UINT64_MAX) {
		(void)event_del(s->timer);
		return;
	}
	uint64_t wait = at > now ? at - now : 1;
	struct timeval tv = {(time_t)(wait / 1000), (suseconds_t)(wait % 1000 * 1000)};
	(void)event_add(s->timer, &tv);
}

void sender_pump(struct sender *s)
{
	uint64_t now = sender_now_ms();

	if (s->learnt)
		fill_gap(s, now);
	while (s->line && s->learnt && s->flight_count < SENDER_FLIGHT_MAX &&
		now >= s->pause_until_ms)
		flight_start(s, line_take(s));
	/* Without a line too: what is in flight may wait behind a gap. */
	if ((s->line || s->flights) && !s->learnt && now >= s->learn_wake_ms)
		sender_learn_start(s);
	timer_set(s, now);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct sender *s = ctx;
	uint64_t now = sender_now_ms();

	(void)fd, (void)what;
	/* A look-up may end an act and change the list: begin again after each. */
	for (struct act *act = s->flights; act;) {
		if (act->stage == ACT_RESTING && act->wake_ms <= now) {
			flight_look_up(s, act);
			act = s->flights;
		} else {
			act = act->next;
		}
	}
	sender_pump(s);
}

static void line_end_all(struct sender *s, uint32_t code, const char *fault, uint64_t since_max_ms)
{
	struct act *line = s->line;

	s->line = NULL;
	s->line_end = &s->line;
	s->line_count = 0;
	while (line) {
		struct act *act = line;
		line = act->next;
		if (act->since_ms > since_max_ms) {
			line_append(s, act);
			continue;
		}
		if (fault)
			snprintf(act->fault, sizeof act->fault, "%s", fault);
		act_end(s, act, SENDER_REFUSED, code, 0, "");
	}
}

void sender_refuse_line(struct sender *s, uint32_t code, const char *fault)
{
	line_end_all(s, code, fault, UINT64_MAX);
}

void sender_give_up(struct sender *s, const char *fault)
{
	uint64_t now = sender_now_ms();

	if (s->config.give_up_ms && now >= s->config.give_up_ms)
		line_end_all(s, SETTLE_OK, fault, now - s->config.give_up_ms);
}

/* --- the door --- */

enum status sender_new(struct sender **out, const struct sender_config *config)
{
	struct sender *s = calloc(1, sizeof *s);

	if (!s)
		return STATUS_NO_MEMORY;
	s->config = *config;
	s->config.secret = NULL;
	if (!s->config.valid_ms)
		s->config.valid_ms = SENDER_VALID_MS;
	if (!s->config.pause_ms)
		s->config.pause_ms = SENDER_PAUSE_MS;
	s->line_end = &s->line;
	if (!account_key_of(&s->key, config->secret)) {
		free(s);
		return STATUS_INVALID;
	}
	s->address = account_address_of(&s->key);
	s->secret = sodium_malloc(sizeof *s->secret);
	s->timer = evtimer_new(config->loop, on_timer, s);
	if (!s->secret || !s->timer) {
		sender_free(s);
		return STATUS_NO_MEMORY;
	}
	*s->secret = *config->secret;
	*out = s;
	return STATUS_OK;
}

void sender_free(struct sender *s)
{
	if (!s)
		return;
	for (struct ask *ask = s->asks; ask; ask = ask->next)
		ask->sender = NULL;
	while (s->line)
		act_free(line_take(s));
	while (s->flights) {
		struct act *act = s->flights;
		flight_remove(s, act);
		act_free(act);
	}
	while (s->waiters) {
		struct waiter *next = s->waiters->next;
		free(s->waiters);
		s->waiters = next;
	}
	if (s->timer)
		event_free(s->timer);
	sodium_free(s->secret); /* wipes */
	free(s);
}

const struct account_key *sender_key(const struct sender *s)
{
	return &s->key;
}

const struct account_address *sender_address(const struct sender *s)
{
	return &s->address;
}

const struct hash32 *sender_chain_tag(const struct sender *s)
{
	return s->tag_known ? &s->chain_tag : NULL;
}

const char *sender_chain_id(const struct sender *s)
{
	return s->tag_known ? s->chain_id : NULL;
}

size_t sender_pending(const struct sender *s)
{
	return s->line_count + s->flight_count;
}

bool sender_balance(const struct sender *s, uint64_t *uaitbc)
{
	*uaitbc = s->balance_uaitbc;
	return s->account_known;
}

enum status sender_submit(struct sender *s, const Pb__Action *const *actions, size_t count,
	Pb__Mode mode, sender_done *done, void *ctx)
{
	if (s->line_count >= SENDER_QUEUE_MAX)
		return STATUS_BUSY;
	struct act *act = act_new(actions, count, mode);
	if (!act)
		return STATUS_INVALID;
	act->done = done;
	act->ctx = ctx;
	line_append(s, act);
	sender_pump(s);
	return STATUS_OK;
}

enum status sender_sign(struct sender *s, struct buf *tx, struct hash32 *hash,
	uint64_t *valid_until_ms, const Pb__Action *const *actions, size_t count, Pb__Mode mode)
{
	if (!s->learnt)
		return STATUS_BUSY;
	Pb__TxBody *body = count >= 1 && count <= TX_ACTIONS_MAX
				   ? sender_body_copy(actions, count, mode)
				   : NULL;
	if (!body)
		return STATUS_INVALID;
	bool ok = body_sign(s, body, sequence_free(s), tx, hash);
	*valid_until_ms = body->valid_until_ms;
	pb__tx_body__free_unpacked(body, NULL);
	return ok ? STATUS_OK : STATUS_NO_MEMORY;
}
