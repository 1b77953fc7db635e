/* commit: the proof that a height is final: one signature slot per validator, in set order
 * (comet.md 3.4). Pure. The verdict is about somebody else's commit; nothing here fails of itself.
 */
#ifndef CHAIN_FORMAT_COMMIT_H
#define CHAIN_FORMAT_COMMIT_H

#include "chain/format/validators.h"
#include "chain/format/vote.h"

/* CommitSig.block_id_flag: on the wire and hashed, never renumber. */
enum commit_flag { COMMIT_FLAG_ABSENT = 1, COMMIT_FLAG_COMMIT = 2, COMMIT_FLAG_NIL = 3 };

enum commit_verdict {
	COMMIT_OK,
	COMMIT_BAD_FORM, /* a field missing, of wrong size or out of range */
	COMMIT_WRONG_HEIGHT,
	COMMIT_WRONG_BLOCK,
	COMMIT_WRONG_COUNT,     /* not one slot per validator */
	COMMIT_WRONG_VALIDATOR, /* a slot names another than its validator */
	COMMIT_BAD_SIGNATURE,
	COMMIT_TOO_LITTLE_POWER /* not more than two thirds for the block */
};
const char *commit_verdict_text(enum commit_verdict verdict);

/* Sizes, ranges and what each flag demands; the same for all readers. */
MUST_USE bool commit_form_valid(const Pb__Commit *commit);

/* Every signature, those for nil too: what a validator asks of a block's last commit. */
MUST_USE enum commit_verdict commit_verify(const struct validator_set *set, const char *chain_id,
	const struct block_id *block_id, int64_t height, const Pb__Commit *commit);

/* The same, but for slots whose very vote known[i] is (NULL: none): the caller has verified those
 * before. known: set->count of them, precommits of that height. */
MUST_USE enum commit_verdict commit_verify_beyond(const struct validator_set *set,
	const char *chain_id, const struct block_id *block_id, int64_t height,
	const Pb__Commit *commit, const struct vote *const *known);

/* Only votes for the block, and no further than two thirds: what a light client asks. */
MUST_USE enum commit_verdict commit_verify_light(const struct validator_set *set,
	const char *chain_id, const struct block_id *block_id, int64_t height,
	const Pb__Commit *commit);

/* header.last_commit_hash of the next block. */
struct hash32 commit_hash(const Pb__Commit *commit);

#endif
