#include "chain/format/commit.h"

#include <string.h>

#include "base/merkle.h"
#include "chain/format/wire.h"

const char *commit_verdict_text(enum commit_verdict verdict)
{
	switch (verdict) {
	case COMMIT_OK: return "ok";
	case COMMIT_BAD_FORM: return "malformed commit";
	case COMMIT_WRONG_HEIGHT: return "commit for another height";
	case COMMIT_WRONG_BLOCK: return "commit for another block";
	case COMMIT_WRONG_COUNT: return "not one signature slot per validator";
	case COMMIT_WRONG_VALIDATOR: return "signature slot of another validator";
	case COMMIT_BAD_SIGNATURE: return "bad signature in commit";
	case COMMIT_TOO_LITTLE_POWER: return "not more than two thirds signed";
	}
	return "unknown verdict";
}

static bool slot_form_valid(const Pb__CommitSig *slot)
{
	struct timestamp time;

	if (!timestamp_from_pb(&time, slot->timestamp))
		return false;
	if (slot->block_id_flag == COMMIT_FLAG_ABSENT)
		return slot->validator_address.len == 0 && slot->signature.len == 0 &&
		       timestamp_compare(time, timestamp_go_zero()) == 0;
	if (slot->block_id_flag != COMMIT_FLAG_COMMIT && slot->block_id_flag != COMMIT_FLAG_NIL)
		return false;
	return slot->validator_address.len == sizeof(struct validator_address) &&
	       slot->signature.len == sizeof(struct validator_signature);
}

bool commit_form_valid(const Pb__Commit *commit)
{
	struct block_id id;

	if (!commit || commit->height < 0 || commit->round < 0)
		return false;
	if (!block_id_from_pb(&id, commit->block_id))
		return false;
	/* The commit of nothing, which the first block carries. */
	if (commit->height == 0)
		return commit->round == 0 && block_id_is_nil(&id) && commit->n_signatures == 0;
	if (block_id_is_nil(&id))
		return false;
	if (commit->n_signatures == 0 || commit->n_signatures > VALIDATORS_MAX)
		return false;
	for (size_t i = 0; i < commit->n_signatures; i++) {
		if (!slot_form_valid(commit->signatures[i]))
			return false;
	}
	return true;
}

/* The precommit that slot i of a well-formed commit stands for. */
static void vote_of_slot(
	struct vote *out, const Pb__Commit *commit, size_t i, const struct block_id *block_id)
{
	const Pb__CommitSig *slot = commit->signatures[i];
	bool has_time;

	memset(out, 0, sizeof *out);
	out->type = VOTE_PRECOMMIT;
	out->height = commit->height;
	out->round = commit->round;
	if (slot->block_id_flag == COMMIT_FLAG_COMMIT)
		out->block_id = *block_id;
	has_time = timestamp_from_pb(&out->time, slot->timestamp);
	CHECK(has_time);
	memcpy(out->address.b, slot->validator_address.data, sizeof out->address.b);
	memcpy(out->signature.b, slot->signature.data, sizeof out->signature.b);
}

/* What both ways of verifying ask before any signature. */
static enum commit_verdict check_outside(const struct validator_set *set,
	const struct block_id *block_id, int64_t height, const Pb__Commit *commit)
{
	struct block_id id;

	if (!commit_form_valid(commit))
		return COMMIT_BAD_FORM;
	if (commit->height != height)
		return COMMIT_WRONG_HEIGHT;
	if (!block_id_from_pb(&id, commit->block_id) || !block_id_equal(&id, block_id))
		return COMMIT_WRONG_BLOCK;
	return commit->n_signatures == set->count ? COMMIT_OK : COMMIT_WRONG_COUNT;
}

/* An empty block or a height that isn't in the form of a commit never gets past check_outside. */
static enum commit_verdict check_slot(const struct validator_set *set, const char *chain_id,
	const struct block_id *block_id, const Pb__Commit *commit, size_t i)
{
	struct vote vote;

	vote_of_slot(&vote, commit, i, block_id);
	if (memcmp(vote.address.b, set->v[i].address.b, sizeof vote.address.b) != 0)
		return COMMIT_WRONG_VALIDATOR;
	return vote_verify(&vote, chain_id, &set->v[i].key) ? COMMIT_OK : COMMIT_BAD_SIGNATURE;
}

static bool is_known(const struct vote *known, const Pb__Commit *commit, size_t i,
	const struct block_id *block_id, const struct validator_address *address)
{
	struct vote vote;

	if (!known)
		return false;
	vote_of_slot(&vote, commit, i, block_id);
	return known->type == VOTE_PRECOMMIT && known->height == vote.height &&
	       known->round == vote.round && block_id_equal(&known->block_id, &vote.block_id) &&
	       timestamp_compare(known->time, vote.time) == 0 &&
	       memcmp(vote.address.b, address->b, sizeof address->b) == 0 &&
	       memcmp(known->address.b, address->b, sizeof address->b) == 0 &&
	       memcmp(known->signature.b, vote.signature.b, sizeof vote.signature.b) == 0;
}

enum commit_verdict commit_verify_beyond(const struct validator_set *set, const char *chain_id,
	const struct block_id *block_id, int64_t height, const Pb__Commit *commit,
	const struct vote *const *known)
{
	enum commit_verdict verdict = check_outside(set, block_id, height, commit);
	int64_t power = 0;

	for (size_t i = 0; verdict == COMMIT_OK && i < commit->n_signatures; i++) {
		int32_t flag = commit->signatures[i]->block_id_flag;

		if (flag == COMMIT_FLAG_ABSENT)
			continue;
		if (!known || !is_known(known[i], commit, i, block_id, &set->v[i].address))
			verdict = check_slot(set, chain_id, block_id, commit, i);
		if (flag == COMMIT_FLAG_COMMIT)
			power += set->v[i].power;
	}
	if (verdict != COMMIT_OK)
		return verdict;
	return validator_power_decides(power, set->total_power) ? COMMIT_OK
								: COMMIT_TOO_LITTLE_POWER;
}

enum commit_verdict commit_verify(const struct validator_set *set, const char *chain_id,
	const struct block_id *block_id, int64_t height, const Pb__Commit *commit)
{
	return commit_verify_beyond(set, chain_id, block_id, height, commit, NULL);
}

enum commit_verdict commit_verify_light(const struct validator_set *set, const char *chain_id,
	const struct block_id *block_id, int64_t height, const Pb__Commit *commit)
{
	enum commit_verdict verdict = check_outside(set, block_id, height, commit);
	int64_t power = 0;

	for (size_t i = 0; verdict == COMMIT_OK && i < commit->n_signatures; i++) {
		if (commit->signatures[i]->block_id_flag != COMMIT_FLAG_COMMIT)
			continue;
		verdict = check_slot(set, chain_id, block_id, commit, i);
		power += set->v[i].power;
		if (verdict == COMMIT_OK && validator_power_decides(power, set->total_power))
			return COMMIT_OK;
	}
	return verdict == COMMIT_OK ? COMMIT_TOO_LITTLE_POWER : verdict;
}

struct hash32 commit_hash(const Pb__Commit *commit)
{
	struct merkle_builder tree;

	merkle_start(&tree);
	for (size_t i = 0; i < commit->n_signatures; i++) {
		struct hash32 leaf = wire_leaf(&commit->signatures[i]->base);

		merkle_add(&tree, &leaf);
	}
	return merkle_end(&tree);
}
