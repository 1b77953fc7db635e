#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "chain/blocks.h"
#include "chain/format/proof.h"
#include "rpc/call.h"
#include "rpc/shapes.h"

/* --- one committed transaction
 * ------------------------------------------------------------------------- */

/* The transaction is in raw; proof is asked for. */
static enum status put_proof(struct call *call, struct bytes raw, uint32_t index, struct bytes tx)
{
	struct buf *out = call_out(call);
	struct block_sections sections;
	struct merkle_proof proof;
	struct hash32 root;

	if (!block_sections(&sections, raw))
		return STATUS_CORRUPT;
	const Pb__Data *data = pb__data__unpack(
		arena_protobuf(&call->server->arena), sections.data.len, sections.data.data);
	if (!data)
		return call->server->arena.exhausted ? STATUS_NO_MEMORY : STATUS_CORRUPT;
	enum status status = tx_prove(&proof, &root, data, index);
	if (status != STATUS_OK)
		return status;
	buf_append_text(out, ",\"proof\":{\"root_hash\":");
	json_put_hex_upper(out, root.b, sizeof root.b);
	buf_append_text(out, ",\"data\":");
	json_put_base64(out, tx.data, tx.len);
	buf_append_text(out, ",\"proof\":");
	shape_proof(out, &proof);
	buf_append_byte(out, '}');
	return STATUS_OK;
}

enum status call_put_tx(struct call *call, struct tx_place place, struct bytes raw, bool prove)
{
	struct buf *out = call_out(call);
	const Pb__ExecTxResult *result;
	struct bytes tx;

	if (!block_tx_at(&tx, raw, place.index))
		return STATUS_CORRUPT;
	enum status status =
		blocks_tx_result(call->view->store, NULL, &call->server->arena, place, &result);
	if (status != STATUS_OK)
		return status;
	struct hash32 hash = sha256(tx);
	buf_append_text(out, "{\"hash\":");
	json_put_hex_upper(out, hash.b, sizeof hash.b);
	buf_append_text(out, ",\"height\":");
	json_put_i64_text(out, place.height);
	buf_append_text(out, ",\"index\":");
	json_put_u64(out, place.index);
	buf_append_text(out, ",\"tx_result\":");
	shape_result(out, result);
	buf_append_text(out, ",\"tx\":");
	json_put_base64(out, tx.data, tx.len);
	if (prove)
		status = put_proof(call, raw, place.index, tx);
	buf_append_byte(out, '}');
	return status;
}

static enum rpc_end tx_not_found(struct call *call, struct bytes hash)
{
	char text[2 * 32 + 1];
	size_t len = hash.len < 32 ? hash.len : 32;

	hex_upper(text, hash.data, len);
	return call_fail(call, RPC_INTERNAL_ERROR, "tx (%s) not found", text);
}

enum rpc_end method_tx(struct call *call, const struct rpc_value *args)
{
	struct store *store = call->view->store;
	struct tx_place place;
	struct hash32 hash;
	struct buf raw;

	if (args[0].bytes.len != sizeof hash.b)
		return tx_not_found(call, args[0].bytes);
	memcpy(hash.b, args[0].bytes.data, sizeof hash.b);
	enum status status = blocks_tx_place(store, NULL, &hash, &place);
	buf_init(&raw, 0);
	if (status == STATUS_OK)
		status = blocks_raw(store, NULL, place.height, &raw);
	if (status == STATUS_OK)
		status = call_put_tx(call, place, buf_view(&raw), args[1].flag);
	buf_fini(&raw);
	if (status == STATUS_NOT_FOUND)
		return tx_not_found(call, args[0].bytes);
	return status == STATUS_OK ? RPC_DONE
				   : call_fail_status(call, "reading a transaction", status);
}

/* --- what waits
 * ---------------------------------------------------------------------------------------- */

static void put_mempool_totals(struct call *call, size_t listed, bool lists)
{
	struct buf *out = call_out(call);
	size_t count;
	size_t bytes;

	call->view->vtable->mempool_totals(call->view->self, &count, &bytes);
	buf_append_text(out, "{\"n_txs\":");
	json_put_u64_text(out, lists ? listed : count);
	buf_append_text(out, ",\"total\":");
	json_put_u64_text(out, count);
	buf_append_text(out, ",\"total_bytes\":");
	json_put_u64_text(out, bytes);
	buf_append_text(out, ",\"txs\":");
}

enum rpc_end method_unconfirmed_txs(struct call *call, const struct rpc_value *args)
{
	struct view_mempool_tx txs[RPC_PAGE_MAX];
	struct buf *out = call_out(call);
	size_t limit = 30;

	if (args[0].given && args[0].number >= 1)
		limit = args[0].number > RPC_PAGE_MAX ? RPC_PAGE_MAX : (size_t)args[0].number;
	size_t count = call->view->vtable->mempool_list(call->view->self, txs, limit);
	put_mempool_totals(call, count, true);
	buf_append_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		json_put_base64(out, txs[i].raw.data, txs[i].raw.len);
	}
	buf_append_text(out, "]}");
	return RPC_DONE;
}

enum rpc_end method_num_unconfirmed_txs(struct call *call, const struct rpc_value *args)
{
	(void)args;
	put_mempool_totals(call, 0, false);
	buf_append_text(call_out(call), "null}");
	return RPC_DONE;
}

enum rpc_end method_check_tx(struct call *call, const struct rpc_value *args)
{
	const struct app *app = call->view->app;
	struct app_check check = {0};

	app->vtable->check(app->self, args[0].bytes, call_unix_ms(call), &check);
	if (check.verdict.code == 0)
		app->vtable->verify(app->self, args[0].bytes, &check.verdict);
	shape_verdict(call_out(call), &check.verdict);
	return RPC_DONE;
}

/* --- broadcasts
 * ---------------------------------------------------------------------------------------- */

static void put_broadcast(
	struct call *call, const struct app_verdict *verdict, const struct hash32 *hash)
{
	struct buf *out = call_out(call);

	buf_append_text(out, "{\"code\":");
	json_put_u64(out, verdict->code);
	buf_append_text(out, ",\"data\":\"\",\"log\":");
	json_put_text(out, verdict->log);
	buf_append_text(out, ",\"codespace\":");
	json_put_text(out, verdict->codespace ? verdict->codespace : "");
	buf_append_text(out, ",\"hash\":");
	json_put_hex_upper(out, hash->b, sizeof hash->b);
	buf_append_byte(out, '}');
}

/* What the mempool itself refuses is an error and not a verdict. NULL: it was judged. */
static const char *admission_fault(const struct view_submitted *outcome)
{
	switch (outcome->admission) {
	case VIEW_ADMITTED: return NULL;
	case VIEW_KNOWN: return "tx already exists in cache";
	case VIEW_FULL:
	case VIEW_TOO_LARGE: return outcome->verdict.log;
	case VIEW_SYNCING: return "the node is catching up with the chain; try again later";
	}
	return "refused";
}

/* Empty bytes are nobody's transaction. False: *end is the failed call. */
static bool tx_given(struct call *call, const struct rpc_value *arg, enum rpc_end *end)
{
	if (arg->bytes.len > 0)
		return true;
	*end = call_fail(call, RPC_INVALID_PARAMS, "tx: must not be empty");
	return false;
}

static void on_sync_submitted(void *ctx, const struct view_submitted *outcome)
{
	struct call *call = ctx;
	const char *fault = admission_fault(outcome);

	call->is_submitting = false;
	if (fault) {
		call_end(call, call_fail(call, RPC_INTERNAL_ERROR, "%s", fault));
		return;
	}
	put_broadcast(call, &outcome->verdict, &outcome->hash);
	call_end(call, RPC_DONE);
}

enum rpc_end method_broadcast_tx_sync(struct call *call, const struct rpc_value *args)
{
	enum rpc_end end;

	if (!tx_given(call, &args[0], &end))
		return end;
	call->is_submitting = true;
	call->view->vtable->submit(call->view->self, args[0].bytes, on_sync_submitted, call);
	return RPC_LATER;
}

static void on_async_submitted(void *ctx, const struct view_submitted *outcome)
{
	(void)ctx, (void)outcome;
}

enum rpc_end method_broadcast_tx_async(struct call *call, const struct rpc_value *args)
{
	static const struct app_verdict nothing_yet;
	struct hash32 hash;
	enum rpc_end end;

	if (!tx_given(call, &args[0], &end))
		return end;
	hash = sha256(args[0].bytes);
	call->view->vtable->submit(call->view->self, args[0].bytes, on_async_submitted, NULL);
	put_broadcast(call, &nothing_yet, &hash);
	return RPC_DONE;
}

/* --- broadcast and wait for the block
 * ------------------------------------------------------------------ */

static void put_commit(struct call *call, const struct app_verdict *check,
	const Pb__ExecTxResult *result, int64_t height)
{
	struct buf *out = call_out(call);

	buf_append_text(out, "{\"check_tx\":");
	shape_verdict(out, check);
	buf_append_text(out, ",\"tx_result\":");
	shape_result(out, result);
	buf_append_text(out, ",\"hash\":");
	json_put_hex_upper(out, call->commit.hash.b, sizeof call->commit.hash.b);
	buf_append_text(out, ",\"height\":");
	json_put_i64_text(out, height);
	buf_append_byte(out, '}');
}

static void on_included(void *ctx, const struct view_included *included);

void call_commit_cancel(struct call *call)
{
	if (!call->commit.waits)
		return;
	call->commit.waits = false;
	call->view->vtable->cancel_wait(call->view->self, on_included, call);
}

/* Both halves are known: the mempool took it, and the wait is over. */
static enum rpc_end commit_answer(struct call *call)
{
	static const struct app_verdict accepted;
	const struct call_commit *commit = &call->commit;
	struct tx_place place = {commit->included.height, commit->included.index};
	const Pb__ExecTxResult *result;

	if (place.height == 0)
		return call_fail(call, RPC_INTERNAL_ERROR,
			"timed out waiting for tx to be included in a block");
	arena_reset(&call->server->arena);
	enum status status =
		blocks_tx_result(call->view->store, NULL, &call->server->arena, place, &result);
	if (status != STATUS_OK)
		return call_fail_status(call, "reading the transaction's result", status);
	put_commit(call, &accepted, result, place.height);
	return RPC_DONE;
}

static void on_included(void *ctx, const struct view_included *included)
{
	struct call *call = ctx;

	call->commit.waits = false;
	call->commit.included = *included;
	call->commit.is_included = true;
	if (call->commit.is_submitted)
		call_end(call, commit_answer(call));
}

static void on_commit_submitted(void *ctx, const struct view_submitted *outcome)
{
	struct call *call = ctx;
	const char *fault = admission_fault(outcome);

	call->is_submitting = false;
	call->commit.is_submitted = true;
	if (!call->server) {
		call_end(call, RPC_FAILED);
	} else if (fault) {
		call_commit_cancel(call);
		call_end(call, call_fail(call, RPC_INTERNAL_ERROR, "error on broadcastTxCommit: %s",
				       fault));
	} else if (outcome->verdict.code != 0) {
		call_commit_cancel(call);
		put_commit(call, &outcome->verdict, NULL, 0);
		call_end(call, RPC_DONE);
	} else if (call->commit.is_included) {
		call_end(call, commit_answer(call));
	}
}

enum rpc_end method_broadcast_tx_commit(struct call *call, const struct rpc_value *args)
{
	const struct view *view = call->view;
	enum rpc_end end;

	if (!tx_given(call, &args[0], &end))
		return end;
	call->commit.hash = sha256(args[0].bytes);
	/* Asked first: a block may hold it before the submission's answer is here. */
	call->commit.waits = view->vtable->wait_included(view->self, &call->commit.hash,
		call->server->now_ms + call->server->config.commit_wait_ms, on_included, call);
	if (!call->commit.waits)
		return call_fail(call, RPC_INTERNAL_ERROR,
			"too many calls wait for a block; use broadcast_tx_sync and ask for the "
			"tx");
	call->is_submitting = true;
	view->vtable->submit(view->self, args[0].bytes, on_commit_submitted, call);
	return RPC_LATER;
}
