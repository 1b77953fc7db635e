#include "miner/chain.h"

#include <stdlib.h>

#include "wallet/fields.h"

struct look {
	struct chain *chain;
	chain_seen *seen;
	void *ctx;
};

static void keep_clock(struct chain *chain, uint64_t job_time_ms)
{
	int64_t offset_ms = (int64_t)job_time_ms - (int64_t)chain->now_ms();
	if (job_time_ms == 0 || (chain->clock_known && offset_ms <= chain->clock_offset_ms))
		return;
	chain->clock_known = true;
	chain->clock_offset_ms = offset_ms;
}

uint64_t chain_job_time_ms(const struct chain *chain)
{
	int64_t now_ms = (int64_t)chain->now_ms() + chain->clock_offset_ms;
	return chain->clock_known && now_ms > 0 ? (uint64_t)now_ms : 0;
}

static void on_job(void *ctx, const struct rpc_outcome *outcome)
{
	struct look *look = ctx;
	struct chain_view view = {.answer = CHAIN_SILENT, .fault = outcome->fault};
	char log[256] = "", fault[96] = "";
	uint32_t code = 0;
	if (outcome->status == STATUS_OK) {
		json_t *value = rpc_query_value(outcome->result, &code, log);
		view.fault = log;
		if (value != NULL && job_terms_parse(&view.terms, value, fault)) {
			view.answer = CHAIN_JOB;
			keep_clock(look->chain, view.terms.job_time_ms);
		} else if (value != NULL) {
			view.fault = fault;
		} else if (code == SETTLE_UNKNOWN_JOB) {
			view.answer = CHAIN_NO_JOB;
		}
		json_decref(value);
	}
	if (view.fault == NULL)
		view.fault = "";
	look->seen(look->ctx, &view);
	free(look);
}

enum status chain_look(struct chain *chain, const struct account_address *client,
	const char *job_id, chain_seen *seen, void *ctx)
{
	struct look *look = calloc(1, sizeof *look);
	json_t *params = job_terms_query(client, job_id);
	if (look == NULL || params == NULL) {
		json_decref(params);
		free(look);
		return STATUS_NO_MEMORY;
	}
	*look = (struct look){.chain = chain, .seen = seen, .ctx = ctx};
	enum status status = rpc_call(chain->rpc, "abci_query", params, CHAIN_ASK_MS, on_job, look);
	if (status != STATUS_OK)
		free(look);
	return status;
}

struct funds {
	struct chain *chain;
	chain_funds *done;
	void *ctx;
	uint64_t fee;
};

static void funds_end(struct funds *funds, bool known, uint64_t balance, const char *fault)
{
	funds->done(funds->ctx, known, balance, funds->fee, fault != NULL ? fault : "");
	free(funds);
}

static void on_account(void *ctx, const struct rpc_outcome *outcome)
{
	struct funds *funds = ctx;
	char log[256] = "";
	uint32_t code = 0;
	uint64_t balance = 0;
	if (outcome->status != STATUS_OK) {
		funds_end(funds, false, 0, outcome->fault);
		return;
	}
	json_t *value = rpc_query_value(outcome->result, &code, log);
	bool is_account = field_u64(&balance, value, "balance");
	json_decref(value);
	/* An account without a record has nothing. */
	funds_end(funds, true, is_account ? balance : 0, "");
}

static void on_params(void *ctx, const struct rpc_outcome *outcome)
{
	struct funds *funds = ctx;
	char log[256] = "";
	uint32_t code = 0;
	uint64_t base_fee = 0, fee_per_byte = 0;
	if (outcome->status != STATUS_OK) {
		funds_end(funds, false, 0, outcome->fault);
		return;
	}
	json_t *value = rpc_query_value(outcome->result, &code, log);
	bool read = field_u64(&base_fee, value, "base_fee") &&
		    field_u64(&fee_per_byte, value, "fee_per_byte");
	json_decref(value);
	if (!read) {
		funds_end(funds, false, 0, log);
		return;
	}
	/* The chain bounds both parameters at 10^9 and 10^6 [protocol 8]. */
	funds->fee = base_fee + fee_per_byte * DELIVER_TX_BYTES_MAX;
	const struct account_address *own = sender_address(funds->chain->sender);
	json_t *params = rpc_params_query("/accounts", bytes_view(own->b, sizeof own->b));
	if (params == NULL || rpc_call(funds->chain->rpc, "abci_query", params, CHAIN_ASK_MS,
				      on_account, funds) != STATUS_OK)
		funds_end(funds, false, 0, "out of memory");
}

enum status chain_ask_funds(struct chain *chain, chain_funds *done, void *ctx)
{
	struct funds *funds = calloc(1, sizeof *funds);
	json_t *params = rpc_params_query("/params", bytes_view(NULL, 0));
	if (funds == NULL || params == NULL) {
		json_decref(params);
		free(funds);
		return STATUS_NO_MEMORY;
	}
	*funds = (struct funds){.chain = chain, .done = done, .ctx = ctx};
	enum status status =
		rpc_call(chain->rpc, "abci_query", params, CHAIN_ASK_MS, on_params, funds);
	if (status != STATUS_OK)
		free(funds);
	return status;
}
