#include "node/chain_view.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "node/net_info.h"

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

/* CometBFT's RoundStepType numbers. */
static int comet_step(enum consensus_step step)
{
	switch (step) {
	case STEP_WAIT: return 1;
	case STEP_PROPOSE: return 3;
	case STEP_PREVOTE: return 4;
	case STEP_PRECOMMIT: return 6;
	case STEP_EXECUTE:
	case STEP_COMMIT: return 8;
	}
	return 0;
}

/* BA{4:xx_x} 30/40 = 0.75 */
static void put_bits(struct buf *out, const struct tally *tally)
{
	uint32_t n = tally->validators->count;
	int64_t power = 0;
	buf_appendf(out, "\"BA{%u:", n);
	for (uint32_t i = 0; i < n; i++) {
		bool present = tally->slots[i].present;
		buf_append_byte(out, present ? 'x' : '_');
		power += present ? tally->validators->v[i].power : 0;
	}
	int64_t total = tally->validators->total_power;
	buf_appendf(out, "} %lld/%lld = %.2f\"", (long long)power, (long long)total,
		(double)power / (double)total);
}

static void put_votes(struct buf *out, const struct tally *tally)
{
	buf_append_text(out, "[");
	for (uint32_t i = 0; i < tally->validators->count; i++) {
		const struct tally_slot *slot = &tally->slots[i];
		buf_append_text(out, i ? "," : "");
		if (!slot->present) {
			buf_append_text(out, "\"nil-Vote\"");
			continue;
		}
		char address[41], block[65];
		hex_upper(address, slot->vote.address.b, sizeof slot->vote.address.b);
		hex_upper(block, slot->vote.block_id.hash.b, sizeof slot->vote.block_id.hash.b);
		address[12] = block[12] = 0;
		buf_appendf(out, "\"Vote{%u:%s %lld/%02d/%s %s}\"", i, address,
			(long long)slot->vote.height, slot->vote.round,
			slot->vote.type == VOTE_PREVOTE ? "Prevote" : "Precommit", block);
	}
	buf_append_text(out, "]");
}

static void put_round(struct buf *out, const struct round_state *round)
{
	buf_appendf(out, "{\"round\":%d,\"prevotes\":", round->round);
	put_votes(out, &round->prevotes);
	buf_append_text(out, ",\"prevotes_bit_array\":");
	put_bits(out, &round->prevotes);
	buf_append_text(out, ",\"precommits\":");
	put_votes(out, &round->precommits);
	buf_append_text(out, ",\"precommits_bit_array\":");
	put_bits(out, &round->precommits);
	buf_append_text(out, "}");
}

static void put_hash_of(struct buf *out, const char *key, bool present, const struct block_id *id)
{
	buf_append_text(out, ",");
	json_put_key(out, key);
	json_put_hex_upper(out, id->hash.b, present ? sizeof id->hash.b : 0);
}

static void put_proposer(struct buf *out, const struct consensus *c)
{
	uint32_t proposer = consensus_proposer(c, c->round);
	buf_append_text(out, ",\"proposer\":{\"address\":");
	json_put_hex_upper(out, c->validators.v[proposer].address.b,
		sizeof c->validators.v[proposer].address.b);
	buf_appendf(out, ",\"index\":%u}", proposer);
}

static void round_state_json(void *self, struct buf *out, bool full)
{
	const struct chain_view *v = self;
	const struct consensus *c = replica_consensus(driver_replica(v->driver));
	const struct round_state *now = NULL;
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		if (c->rounds[i].used && c->rounds[i].round == c->round)
			now = &c->rounds[i];
	}
	buf_appendf(out,
		"{\"height/round/step\":\"%lld/%d/%d\",\"step_name\":\"%s\",\"start_time\":\"",
		(long long)c->height, c->round, comet_step(c->step), consensus_step_name(c->step));
	char time[RFC3339_BYTES];
	rfc3339_text(time, c->last_time);
	buf_appendf(out, "%s\"", time);
	static const struct block_id none;
	put_hash_of(out, "proposal_block_hash", now && now->has_proposal,
		now ? &now->proposal.block_id : &none);
	put_hash_of(out, "locked_block_hash", c->locked_round >= 0, &c->locked_block);
	put_hash_of(out, "valid_block_hash", c->valid_round >= 0, &c->valid_block);
	buf_append_text(out, ",\"height_vote_set\":[");
	bool first = true;
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		if (!c->rounds[i].used)
			continue;
		buf_append_text(out, first ? "" : ",");
		first = false;
		put_round(out, &c->rounds[i]);
	}
	buf_append_text(out, "]");
	put_proposer(out, c);
	if (full)
		buf_appendf(out, ",\"locked_round\":%d,\"valid_round\":%d", c->locked_round,
			c->valid_round);
	buf_append_text(out, "}");
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
