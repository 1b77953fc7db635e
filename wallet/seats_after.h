/* seats_after: what a change of validators would leave behind, in words for the operator who is
 * about to agree with it: how many may fail, and whether the chain would wait for a node that
 * nobody has seen run. Pure. Used by `aitbc authority`; the chain has its own rules and needs none
 * of this. */
#ifndef WALLET_SEATS_AFTER_H
#define WALLET_SEATS_AFTER_H

#include "base/keys.h"
#include "base/limits.h"
#include "chain/proto/settle.pb-c.h"

struct seat_power {
	struct validator_address address;
	int64_t power;
};

struct seats_after {
	struct seat_power seats[VALIDATORS_MAX + AUTHORITY_CHANGES_MAX];
	uint32_t count;
	int64_t total;
	uint32_t may_fail;        /* of the strongest, so that more than two thirds stay */
	uint32_t may_fail_before; /* the change */
	uint32_t count_before;
	int64_t fresh; /* power of keys that validate nothing now */
	uint32_t fresh_count;
	bool stops; /* without the fresh ones there is no quorum */
};

/* now: at most VALIDATORS_MAX. Powers below 0 and keys that aren't 32 bytes are left out: the chain
 * refuses them. */
void seats_after(struct seats_after *out, const struct seat_power *now, size_t now_count,
	const Pb__ValidatorsChange *change);

/* What he should know, a sentence a line; nothing when there is nothing. False: such a change can't
 * come into force, and the sentence says why. */
bool seats_after_text(struct buf *out, const struct seats_after *after);

#endif
