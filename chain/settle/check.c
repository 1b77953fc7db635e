/* Admission and pass 1: everything that decides whether a transaction may stand in a block
 * [protocol 2]. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "chain/settle/machine.h"

static const char codespace[] = "settle";

static enum settle_code terms_of_tx(
	const struct settle *settle, const struct tx *tx, uint64_t now_ms, char log[APP_LOG_BYTES])
{
	const Pb__TxBody *body = tx->body;
	uint64_t fee_min =
		settle->params.base_fee + settle->params.fee_per_byte * (uint64_t)tx->size;

	if (body->chain_hint != chain_hint_of(&settle->config.chain_tag)) {
		snprintf(log, APP_LOG_BYTES, "the transaction was made for another chain");
		return SETTLE_WRONG_CHAIN;
	}
	if (body->valid_until_ms != 0 && body->valid_until_ms < now_ms) {
		snprintf(log, APP_LOG_BYTES, "valid until %" PRIu64 " ms, it is %" PRIu64 " ms",
			body->valid_until_ms, now_ms);
		return SETTLE_TX_EXPIRED;
	}
	if (body->valid_until_ms > now_ms && body->valid_until_ms - now_ms > TX_VALID_MS_MAX) {
		snprintf(log, APP_LOG_BYTES, "valid_until_ms: at most 24 hours ahead");
		return SETTLE_BAD_PARAM;
	}
	if (body->fee < fee_min) {
		snprintf(log, APP_LOG_BYTES, "fee %" PRIu64 " uaitbc, needed %" PRIu64, body->fee,
			fee_min);
		return SETTLE_FEE_TOO_LOW;
	}
	if (account_address_equal(&tx->sender, &settle->treasury)) {
		snprintf(log, APP_LOG_BYTES, "the treasury is spent by authority alone");
		return SETTLE_NOT_AUTHORITY;
	}
	return SETTLE_OK;
}

/* account NULL: there is none. */
static enum settle_code payer_fits(const struct account *account, const Pb__TxBody *body,
	uint64_t sequence_ahead_max, char log[APP_LOG_BYTES])
{
	if (!account) {
		snprintf(log, APP_LOG_BYTES,
			"no such account on this chain; somebody must pay it first");
		return SETTLE_UNKNOWN_ACCOUNT;
	}
	if (body->sequence < account->next_sequence) {
		snprintf(log, APP_LOG_BYTES, "sequence %" PRIu64 ", expected %" PRIu64,
			body->sequence, account->next_sequence);
		return SETTLE_STALE_SEQUENCE;
	}
	if (body->sequence - account->next_sequence > sequence_ahead_max) {
		snprintf(log, APP_LOG_BYTES, "sequence %" PRIu64 ", expected %" PRIu64,
			body->sequence, account->next_sequence);
		return SETTLE_SEQUENCE_GAP;
	}
	if (account->balance < body->fee) {
		snprintf(log, APP_LOG_BYTES, "balance %" PRIu64 " uaitbc, fee %" PRIu64,
			account->balance, body->fee);
		return SETTLE_INSUFFICIENT_FUNDS;
	}
	return SETTLE_OK;
}

static enum settle_code decode(struct tx *out, struct arena *arena, struct bytes raw,
	enum status *local, char log[APP_LOG_BYTES])
{
	char fault[64] = "";
	enum settle_code code = tx_decode(out, arena, raw, local, fault);

	if (code != SETTLE_OK)
		snprintf(log, APP_LOG_BYTES, "%s: %s", settle_code_name(code), fault);
	return code;
}

void decode_into(struct state *state, struct decoded_tx *out, struct arena *arena, struct bytes raw)
{
	enum status local = STATUS_OK;
	char log[APP_LOG_BYTES] = "";

	memset(out, 0, sizeof *out);
	out->log = "";
	out->code = decode(&out->tx, arena, raw, &local, log);
	if (local != STATUS_OK && state->fault == STATUS_OK)
		state->fault = local;
	if (out->code != SETTLE_OK)
		out->log = arena_text(state->arena, bytes_of_text(log));
}

uint64_t pass_one(struct settle *settle, struct state *state, struct decoded_tx *out,
	const struct app_tx *tx, uint64_t block_ms)
{
	const struct account *standing = NULL;
	struct account account;
	char log[APP_LOG_BYTES] = "";
	uint64_t fee;

	if (out->code != SETTLE_OK)
		return 0;
	out->code = terms_of_tx(settle, &out->tx, block_ms, log);
	if (out->code == SETTLE_OK) {
		standing = state_account(state, &out->tx.sender);
		out->code = payer_fits(standing, out->tx.body, 0, log);
	}
	if (out->code == SETTLE_OK && !tx->verified &&
		!tx_verify_cached(&out->tx, &settle->config.chain_tag, settle->points)) {
		snprintf(log, APP_LOG_BYTES, "the signature does not verify");
		out->code = SETTLE_BAD_SIGNATURE;
	}
	if (out->code != SETTLE_OK || state->fault != STATUS_OK) {
		out->log = arena_text(state->arena, bytes_of_text(log));
		return 0;
	}
	fee = out->tx.body->fee;
	account = *standing;
	account.balance -= fee;
	account.next_sequence++;
	state->totals.balances -= fee;
	state_account_put(state, &out->tx.sender, &account);
	return fee;
}

void settle_verify(void *self, struct bytes tx, struct app_verdict *out)
{
	const struct settle *settle = self;
	char fault[64];
	struct tx split;

	memset(out, 0, sizeof *out);
	out->codespace = codespace;
	out->code = tx_split(&split, tx, fault);
	if (out->code != SETTLE_OK) {
		snprintf(out->log, APP_LOG_BYTES, "%s: %s", settle_code_name(out->code), fault);
	} else if (!tx_verify_cached(&split, &settle->config.chain_tag, settle->points)) {
		out->code = SETTLE_BAD_SIGNATURE;
		snprintf(out->log, APP_LOG_BYTES, "the signature does not verify");
	}
}

static enum status committed_account(
	const struct settle *settle, struct account *out, const struct account_address *address)
{
	const struct account *cached = account_cache_find(settle->cache, address);
	struct state_key key = state_key_account(address);
	struct buf packed = {0};
	enum status status;

	if (cached) {
		*out = *cached;
		return STATUS_OK;
	}
	status = store_get(settle->store, NULL, STORE_STATE, state_key_view(&key), &packed);
	if (status == STATUS_OK && !account_unpack(out, buf_view(&packed)))
		status = STATUS_CORRUPT;
	buf_fini(&packed);
	return status;
}

bool settle_account(void *self, const struct account_address *address, uint64_t *next_sequence,
	uint64_t *balance)
{
	struct account account;

	if (committed_account(self, &account, address) != STATUS_OK)
		return false;
	*next_sequence = account.next_sequence;
	*balance = account.balance;
	return true;
}

static void check_payer(struct settle *settle, const struct tx *tx, struct app_check *out)
{
	struct account account = {0};
	enum status status = committed_account(settle, &account, &tx->sender);

	out->has_sender = true;
	out->sender = tx->sender;
	out->sequence = tx->body->sequence;
	out->fee = tx->body->fee;
	out->valid_until_ms = tx->body->valid_until_ms;
	out->next_sequence = account.next_sequence;
	out->balance = account.balance;
	out->verdict.code = payer_fits(status == STATUS_OK ? &account : NULL, tx->body,
		ACCOUNT_PENDING_TXS_MAX - 1, out->verdict.log);
}

void settle_check(void *self, struct bytes tx, uint64_t now_ms, struct app_check *out)
{
	struct settle *settle = self;
	struct arena arena;
	struct tx decoded;
	enum status local;

	memset(out, 0, sizeof *out);
	out->verdict.codespace = codespace;
	arena_init(&arena, TX_ARENA_BYTES_MAX);
	out->verdict.code = decode(&decoded, &arena, tx, &local, out->verdict.log);
	if (out->verdict.code == SETTLE_OK)
		out->verdict.code = terms_of_tx(settle, &decoded, now_ms, out->verdict.log);
	if (out->verdict.code == SETTLE_OK)
		check_payer(settle, &decoded, out);
	arena_fini(&arena);
}
