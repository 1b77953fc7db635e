#include "node/chain_view.h"

#include <string.h>

#include "node/net_info.h"
#include "node/round_state.h"

static const struct view_identity *identity(void *self)
{
	return &((struct chain_view *)self)->identity;
}

static bool catching_up(void *self)
{
	const struct chain_view *v = self;
	return replica_catching_up(driver_replica(v->driver));
}

/* ---- round state ---- */

static void round_state_json(void *self, struct buf *out, bool full)
{
	const struct chain_view *v = self;
	round_state_put(out, v->driver, full);
}

static void peer_states_json(void *self, struct buf *out)
{
	const struct chain_view *v = self;
	round_state_put_peers(out, v->driver, v->net);
}

static void progress_json(void *self, struct buf *out)
{
	const struct chain_view *v = self;
	struct stall stall;
	stall_look(&stall, &v->stall);
	stall_json(out, &stall);
}

static void peers_json(void *self, struct buf *out)
{
	const struct chain_view *v = self;
	net_info_json(out, v->net, &v->identity);
}

/* ---- mempool ---- */

static void mempool_totals(void *self, size_t *count, size_t *bytes)
{
	const struct chain_view *v = self;
	struct mempool_counts counts = mempool_counts(v->mempool);
	*count = counts.txs;
	*bytes = counts.bytes;
}

static size_t list(void *self, struct view_mempool_tx *out, size_t max)
{
	const struct chain_view *v = self;
	struct app_tx txs[RPC_PAGE_MAX];
	size_t count = mempool_list(v->mempool, txs, max < RPC_PAGE_MAX ? max : RPC_PAGE_MAX);
	for (size_t i = 0; i < count; i++)
		out[i].raw = txs[i].raw;
	return count;
}

/* ---- submission ---- */

static void submit(void *self, struct bytes tx, view_submit_done *done, void *ctx)
{
	const struct chain_view *v = self;
	if (driver_submit(v->driver, tx, done, ctx) == STATUS_OK)
		return;
	struct view_submitted outcome = {.admission = VIEW_FULL, .hash = sha256(tx)};
	strcpy(outcome.verdict.log, "the node is busy: too many transactions are being checked");
	done(ctx, &outcome);
}

static bool wait_included(void *self, const struct hash32 *hash, uint64_t deadline_ms,
	view_include_done *done, void *ctx)
{
	const struct chain_view *v = self;
	return driver_wait(v->driver, hash, deadline_ms, done, ctx) == STATUS_OK;
}

static void cancel_wait(void *self, view_include_done *done, void *ctx)
{
	const struct chain_view *v = self;
	driver_cancel(v->driver, done, ctx);
}

static const struct view_vtable vtable = {
	.identity = identity,
	.catching_up = catching_up,
	.round_state_json = round_state_json,
	.peer_states_json = peer_states_json,
	.progress_json = progress_json,
	.net_info_json = peers_json,
	.mempool_totals = mempool_totals,
	.mempool_list = list,
	.submit = submit,
	.wait_included = wait_included,
	.cancel_wait = cancel_wait,
};

void chain_view_init(struct chain_view *out, const struct view_identity *view_identity,
	struct driver *driver, struct mempool *mempool, struct store *store, const struct app *app)
{
	memset(out, 0, sizeof *out);
	out->identity = *view_identity;
	out->driver = driver;
	out->mempool = mempool;
	out->view.vtable = &vtable;
	out->view.self = out;
	out->view.store = store;
	out->view.app = app;
}
