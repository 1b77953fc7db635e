/* validators: the authorities of one height in canonical order (power descending, address
 * ascending), their hash, and whose turn it is to propose (comet.md 5, exactly CometBFT's
 * rotation). A set is a plain value of fixed size; copy it freely. Pure. */
#ifndef CHAIN_FORMAT_VALIDATORS_H
#define CHAIN_FORMAT_VALIDATORS_H

#include "base/arena.h"
#include "base/keys.h"
#include "base/limits.h"
#include "chain/proto/comet.pb-c.h"
#include "chain/proto/node.pb-c.h"

#define VALIDATORS_POWER_MAX (INT64_MAX / 8) /* of the whole set */

struct validator {
	struct validator_key key;
	struct validator_address address; /* of key */
	int64_t power;                    /* > 0 */
	int64_t priority;
};

struct validator_set {
	struct validator v[VALIDATORS_MAX];
	uint32_t count;
	uint32_t proposer; /* index; who the last increment chose */
	int64_t total_power;
};

/* What a set is made of or changed by; power 0 removes. */
struct validator_power {
	struct validator_key key;
	int64_t power;
};

enum validators_verdict {
	VALIDATORS_OK,
	VALIDATORS_EMPTY,     /* nobody would be left */
	VALIDATORS_TOO_MANY,  /* over VALIDATORS_MAX */
	VALIDATORS_DUPLICATE, /* one key twice in the list */
	VALIDATORS_BAD_POWER, /* negative, or zero where nothing can be removed */
	VALIDATORS_OVERFLOW,  /* total over VALIDATORS_POWER_MAX */
	VALIDATORS_UNKNOWN    /* removal of a key that isn't in the set */
};
const char *validators_verdict_text(enum validators_verdict verdict);

/* The set of the first height, already incremented once: its proposer is that of round 0.
 * *set is untouched on refusal. */
MUST_USE enum validators_verdict validator_set_make(
	struct validator_set *set, const struct validator_power *members, size_t count);

/* Applies a block's changes. The next height's set is this one incremented once, and only then is
 * its proposer chosen. *set is untouched on refusal. */
MUST_USE enum validators_verdict validator_set_update(
	struct validator_set *set, const struct validator_power *changes, size_t count);

/* Moves the turn on `times` (> 0) times. Height h+1: once. Round r > 0 of a height: a copy, r
 * times. */
void validator_set_increment(struct validator_set *set, int32_t times);

const struct validator *validator_set_proposer(const struct validator_set *set);

/* Index of the validator with this address; -1: none. */
int validator_set_find(const struct validator_set *set, const struct validator_address *address);

/* Merkle root over (key, power): header.validators_hash. */
struct hash32 validators_hash(const struct validator_set *set);

/* power > total * 2/3, exactly. */
bool validator_power_decides(int64_t power, int64_t total_power);

/* To and from disk. NULL: the arena is full. False: not a set in canonical order with sane powers.
 */
Pb__ValidatorSet *validator_set_to_pb(const struct validator_set *set, struct arena *arena);
MUST_USE bool validator_set_from_pb(struct validator_set *out, const Pb__ValidatorSet *pb);

#endif
