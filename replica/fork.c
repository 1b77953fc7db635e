/* fork: what should never be: two blocks with more than 2/3 behind each. It takes more than a third
 * of the power to lie, and then no rule can hold the chain together; but it must not go unseen.
 * Every status names the sender's last block; who has another at that height answers with its
 * commit, and the two commits together convict whoever signed both. */
#include <string.h>

#include "base/hex.h"
#include "chain/format/wire.h"
#include "replica/messages.h"

enum { FORK_ARENA_BYTES_MAX = 1024 * 1024 };

static bool has_commit(const struct replica *r)
{
	return r->core.has_last_commit && r->core.height == r->head.height + 1;
}

void fork_compare(
	struct replica *r, uint32_t peer, const Pb__NodeStatus *status, struct replica_effects *out)
{
	struct replica_peer *p = &r->peers[peer];
	struct bytes theirs = wire_view(status->last_block);
	struct bytes ours = bytes_view(r->head.block_id.hash.b, sizeof r->head.block_id.hash.b);
	if (status->height != r->head.height + 1 || theirs.len != ours.len ||
		bytes_equal(theirs, ours) || !has_commit(r) ||
		p->fork_told_height == r->head.height)
		return;
	p->fork_told_height = r->head.height;
	struct arena arena;
	arena_init(&arena, FORK_ARENA_BYTES_MAX);
	Pb__Commit *commit = engine_commit(&r->core.last_precommits, &r->head.block_id, &arena);
	if (commit)
		say_commit(r, peer, commit, out);
	arena_fini(&arena);
}

/* Votes of other rounds don't contradict each other by themselves: who forgot a lock is found by
 * comparing all that was said. */
static size_t convict(struct replica *r, const Pb__Commit *commit, struct replica_effects *out)
{
	struct vote votes[VALIDATORS_MAX];
	size_t count = commit_votes(votes, commit, &r->head.last_validators), convicted = 0;
	for (size_t i = 0; i < count && commit->round == r->core.last_precommits.round; i++) {
		const struct vote *ours =
			tally_vote_for(&r->core.last_precommits, votes[i].index, &r->head.block_id);
		if (!ours || block_id_is_nil(&votes[i].block_id) ||
			!evidence_note_late(&r->evidence, ours, &votes[i], &r->head))
			continue;
		convicted++;
		say_evidence(r, &r->evidence.items[r->evidence.item_count - 1].packed, out);
	}
	return convicted;
}

const char *fork_on_commit(struct replica *r, const Pb__Commit *commit, struct replica_effects *out)
{
	struct block_id id;
	char ours[65], theirs[65];
	if (commit->height != r->head.height || !has_commit(r) ||
		!block_id_from_pb(&id, commit->block_id) ||
		block_id_equal(&id, &r->head.block_id) || r->fork_height == commit->height)
		return NULL;
	enum commit_verdict verdict = commit_verify(
		&r->head.last_validators, r->config.start.chain_id, &id, commit->height, commit);
	if (verdict != COMMIT_OK)
		return commit_verdict_text(verdict);
	r->fork_height = commit->height;
	size_t convicted = convict(r, commit, out);
	hex_upper(ours, r->head.block_id.hash.b, sizeof r->head.block_id.hash.b);
	hex_upper(theirs, id.hash.b, sizeof id.hash.b);
	log_event(r->config.log, LOG_BROKEN,
		"chain_forked height=%lld ours=%s our_round=%d theirs=%s their_round=%d "
		"convicted=%zu",
		(long long)commit->height, ours, r->core.last_precommits.round, theirs,
		commit->round, convicted);
	return NULL;
}
