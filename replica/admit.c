/* admit: a transaction's way into the mempool: cheapest checks first, the signature last and
 * elsewhere. */
#include <string.h>

#include "replica/messages.h"

/* What a client brought goes to every peer; what a peer brought came from where it was brought. */
static void done(struct replica *r, const struct replica_input *in, const struct hash32 *hash,
	const struct mempool_verdict *verdict, struct replica_now now, struct replica_effects *out)
{
	if (verdict->outcome == MEMPOOL_OK && !in->u.tx.from_peer)
		spread_tx(r, hash, in->u.tx.raw, now, out);
	struct replica_effect *e = replica_effect(out, REPLICA_TX_DONE);
	e->u.tx.ticket = in->u.tx.ticket;
	e->u.tx.hash = *hash;
	e->u.tx.verdict = *verdict;
}

static uint64_t likely_block_ms(const struct replica *r, struct replica_now now)
{
	return (uint64_t)timestamp_ms(pace_block_time(r, now));
}

void admit_tx(struct replica *r, const struct replica_input *in, struct replica_now now,
	struct replica_effects *out)
{
	struct bytes raw = in->u.tx.raw;
	struct hash32 hash = sha256(raw);
	struct mempool_verdict verdict;
	struct app_check check;
	memset(&check, 0, sizeof check);
	uint64_t now_ms = likely_block_ms(r, now);
	/* A hash that waits already needs no second look; consider says so in its words. */
	if (raw.len <= TX_BYTES_MAX && !mempool_known(r->config.mempool, &hash))
		r->config.app.vtable->check(r->config.app.self, raw, now_ms, &check);
	mempool_consider(r->config.mempool, &verdict, &hash, raw.len, &check, now_ms);
	if (verdict.outcome == MEMPOOL_OK && !verdict.verified) {
		struct replica_effect *e = replica_effect(out, REPLICA_VERIFY_TX);
		e->u.tx.ticket = in->u.tx.ticket;
		e->u.tx.hash = hash;
		return;
	}
	if (verdict.outcome == MEMPOOL_OK)
		mempool_add(r->config.mempool, &verdict, &hash, raw, now_ms);
	done(r, in, &hash, &verdict, now, out);
}

void admit_verified(struct replica *r, const struct replica_input *in, struct replica_now now,
	struct replica_effects *out)
{
	struct mempool_verdict verdict;
	memset(&verdict, 0, sizeof verdict);
	if (in->u.tx.verdict->code == 0) {
		mempool_add(r->config.mempool, &verdict, &in->u.tx.hash, in->u.tx.raw,
			likely_block_ms(r, now));
	} else {
		mempool_release(r->config.mempool, &in->u.tx.hash);
		verdict.outcome = MEMPOOL_REFUSED;
		verdict.verdict = *in->u.tx.verdict;
	}
	done(r, in, &in->u.tx.hash, &verdict, now, out);
}
