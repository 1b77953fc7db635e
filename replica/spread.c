/* spread: telling the peers what clients brought. A client that brings its transaction to every
 * validator makes each of them say it to each other: every link would carry it twice. So under load
 * one of them, drawn by the transaction itself, says it at once; the others wait a moment, and say
 * it only if nobody did. When little waits, everybody says all at once: then a commit's time
 * matters, and bytes don't. */
#include <string.h>

#include "replica/messages.h"

enum { LOAD_TXS = 64, HOLD_MS = 10 };

static struct held_tx *held_at(struct replica *r, size_t i)
{
	return &r->held[(r->held_first + i) % HELD_TXS_MAX];
}

static bool says_at_once(const struct replica *r, const struct hash32 *hash)
{
	struct mempool_counts counts = mempool_counts(r->config.mempool);
	uint32_t n = r->core.validators.count;

	return counts.txs < LOAD_TXS || r->held_count == HELD_TXS_MAX ||
	       r->core.my_index == (int64_t)(hash->b[0] % n);
}

void spread_tx(struct replica *r, const struct hash32 *hash, struct bytes raw,
	struct replica_now now, struct replica_effects *out)
{
	if (!r->config.has_peers)
		return;
	if (says_at_once(r, hash)) {
		say_transaction(r, REPLICA_EVERYONE, raw, out);
		return;
	}
	*held_at(r, r->held_count++) = (struct held_tx){true, *hash, now.steady_ms + HOLD_MS};
}

void spread_heard(struct replica *r, struct bytes raw)
{
	if (r->held_count == 0)
		return;
	struct hash32 hash = sha256(raw);
	for (size_t i = 0; i < r->held_count; i++) {
		struct held_tx *held = held_at(r, i);
		if (hash_equal(&held->hash, &hash))
			held->unsaid = false;
	}
}

void spread_run(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	for (; r->held_count > 0 && held_at(r, 0)->due_ms <= now.steady_ms; r->held_count--) {
		const struct held_tx *held = held_at(r, 0);
		struct bytes raw;
		/* What left meanwhile was committed, or nobody wants it. */
		if (held->unsaid && mempool_find(r->config.mempool, &raw, &held->hash))
			say_transaction(r, REPLICA_EVERYONE, raw, out);
		r->held_first = (r->held_first + 1) % HELD_TXS_MAX;
	}
}

uint64_t spread_next_ms(const struct replica *r)
{
	return r->held_count > 0 ? r->held[r->held_first].due_ms : UINT64_MAX;
}
