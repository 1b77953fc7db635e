#include "tests/sim/accuse.h"

#include <stdlib.h>
#include <string.h>

#include "chain/format/commit.h"
#include "chain/proto/peer.pb-c.h"

void accuse_fini(struct accuse *a)
{
	free(a->votes);
	memset(a, 0, sizeof *a);
}

static bool is_known(const struct accuse *a, const struct accuse_vote *v)
{
	for (size_t i = a->count; i > 0; i--) {
		const struct accuse_vote *w = &a->votes[i - 1];
		if (w->type == v->type && w->height == v->height && w->round == v->round &&
			w->index == v->index && block_id_equal(&w->block, &v->block))
			return true;
	}
	return false;
}

static void note(struct accuse *a, const struct vote *vote, const struct validator_set *set,
	const char *chain_id)
{
	struct accuse_vote v = {vote->type, vote->height, vote->round, vote->index, vote->block_id};
	if (vote->index >= set->count || is_known(a, &v) ||
		!vote_verify(vote, chain_id, &set->v[vote->index].key))
		return;
	if (a->count == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 256;
		a->votes = realloc(a->votes, a->cap * sizeof *a->votes);
		CHECK(a->votes);
	}
	a->votes[a->count++] = v;
}

static void note_commit(struct accuse *a, const Pb__Commit *commit, const struct validator_set *set,
	const char *chain_id)
{
	for (size_t i = 0; i < commit->n_signatures && i < set->count; i++) {
		const Pb__CommitSig *sig = commit->signatures[i];
		struct vote vote;
		memset(&vote, 0, sizeof vote);
		vote.type = VOTE_PRECOMMIT;
		vote.height = commit->height;
		vote.round = commit->round;
		vote.index = (uint32_t)i;
		if (sig->block_id_flag != COMMIT_FLAG_COMMIT ||
			!block_id_from_pb(&vote.block_id, commit->block_id) ||
			!timestamp_from_pb(&vote.time, sig->timestamp) ||
			sig->signature.len != sizeof vote.signature.b)
			continue;
		memcpy(vote.signature.b, sig->signature.data, sizeof vote.signature.b);
		note(a, &vote, set, chain_id);
	}
}

void accuse_message(struct accuse *a, struct bytes message, const struct validator_set *set,
	const char *chain_id)
{
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, message.len, message.data);
	struct vote vote;
	if (!m)
		return;
	if (m->sum_case == PB__PEER_MESSAGE__SUM_VOTE && vote_from_pb(&vote, m->vote))
		note(a, &vote, set, chain_id);
	if (m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT)
		note_commit(a, m->commit, set, chain_id);
	pb__peer_message__free_unpacked(m, NULL);
}

/* More than 2/3 prevoted for the block in a round from..to - 1. */
static bool is_excused(const struct accuse *a, const struct validator_set *set,
	const struct accuse_vote *prevote, int32_t from)
{
	for (int32_t round = from; round < prevote->round; round++) {
		int64_t power = 0;
		for (size_t i = 0; i < a->count; i++) {
			const struct accuse_vote *v = &a->votes[i];
			if (v->type == VOTE_PREVOTE && v->height == prevote->height &&
				v->round == round && block_id_equal(&v->block, &prevote->block))
				power += set->v[v->index].power;
		}
		if (validator_power_decides(power, set->total_power))
			return true;
	}
	return false;
}

/* Both are of one validator and one height. */
static bool contradict(const struct accuse *a, const struct validator_set *set,
	const struct accuse_vote *v, const struct accuse_vote *w)
{
	if (block_id_equal(&v->block, &w->block))
		return false;
	if (v->type == w->type && v->round == w->round)
		return true;
	return v->type == VOTE_PRECOMMIT && w->type == VOTE_PREVOTE && w->round > v->round &&
	       !block_id_is_nil(&v->block) && !block_id_is_nil(&w->block) &&
	       !is_excused(a, set, w, v->round);
}

void accuse_name(bool guilty[VALIDATORS_MAX], const struct accuse *a,
	const struct validator_set *set, int64_t height)
{
	memset(guilty, 0, VALIDATORS_MAX * sizeof *guilty);
	for (size_t i = 0; i < a->count; i++) {
		const struct accuse_vote *v = &a->votes[i];
		for (size_t k = 0; k < a->count && v->height == height; k++) {
			const struct accuse_vote *w = &a->votes[k];
			if (w->height == height && w->index == v->index && contradict(a, set, v, w))
				guilty[v->index] = true;
		}
	}
}
