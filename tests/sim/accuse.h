/* accuse: who is to blame for a fork. Hears every vote that reached a validator; when two honest
 * ones have committed different blocks, it names the keys that must have lied, by votes alone: two
 * choices in one round, or a prevote against an own precommit that no proof of lock excuses. Of
 * liars just strong enough to fork, more than a third of the power is always named, and nobody
 * honest ever. Owned by the checks of a world in which forks may happen. */
#ifndef TESTS_SIM_ACCUSE_H
#define TESTS_SIM_ACCUSE_H

#include "chain/format/validators.h"
#include "chain/format/vote.h"

struct accuse_vote {
	enum vote_type type;
	int64_t height;
	int32_t round;
	uint32_t index;
	struct block_id block;
};

struct accuse {
	struct accuse_vote *votes; /* each once */
	size_t count, cap;
};

void accuse_fini(struct accuse *a);
/* A validator got, or said, this message; votes of the set in it are noted. */
void accuse_message(struct accuse *a, struct bytes message, const struct validator_set *set,
	const char *chain_id);
/* By the votes of this height. */
void accuse_name(bool guilty[VALIDATORS_MAX], const struct accuse *a,
	const struct validator_set *set, int64_t height);

#endif
