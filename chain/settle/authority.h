/* authority: what settlement knows of the validators: their powers and operator accounts, the open
 * votes for proposals, and the rules version, each one record of the state tree, as plain values
 * [protocol 10]. The engine keeps its own set and follows it by the updates a block ends with; both
 * are changed by the same function, so an update can't break the engine's set. Who may vote and
 * what a decided proposal does is in actions_authority.c. Pure. Private to chain/settle. */
#ifndef CHAIN_SETTLE_AUTHORITY_H
#define CHAIN_SETTLE_AUTHORITY_H

#include "base/limits.h"
#include "chain/app.h"
#include "chain/proto/settle.pb-c.h"
#include "chain/settle/state.h"

/* ---- the validators ---- */

struct seat {
	struct validator_address address; /* of key */
	struct validator_key key;
	int64_t power; /* > 0 */
	bool has_account;
	struct account_address account; /* who operates it */
};
struct seats {
	size_t count;
	int64_t total_power;
	struct seat v[VALIDATORS_MAX]; /* ascending by address */
};

/* Refused as the engine would refuse it: SETTLE_BAD_PARAM (nobody, a key twice, a bad power),
 * SETTLE_LIMIT or SETTLE_OVERFLOW. Without operator accounts. */
MUST_USE enum settle_code seats_make(
	struct seats *out, const struct app_validator_update *validators, size_t count);
/* before: the seats at the start of the block, which the block's changes are all together held
 * against. *after is undefined on refusal. */
MUST_USE enum settle_code seats_change(struct seats *after, const struct seats *before,
	const struct seats *now, const Pb__ValidatorsChange *change);
/* What the engine must change to come from one to the other: who leaves, then who comes or weighs
 * something else. Returns how many. */
size_t seats_diff(struct app_validator_update out[2 * VALIDATORS_MAX], const struct seats *before,
	const struct seats *after);
/* -1: none. */
int seats_find(const struct seats *seats, const struct validator_address *address);
/* Of all validators this account operates; 0: none, it is no operator. */
int64_t seats_power_of(const struct seats *seats, const struct account_address *account);

/* ---- open votes ---- */

struct open_vote {
	struct hash32 proposal;
	struct account_address account;
	uint64_t sent_ms; /* job time */
};
enum { OPEN_VOTES_MAX = VALIDATORS_MAX * AUTHORITY_OPEN_VOTES_MAX };
struct open_votes {
	size_t count;
	struct open_vote v[OPEN_VOTES_MAX]; /* oldest first */
};

/* False: the account has its share of open votes. A vote that is there already stays as it is. */
MUST_USE bool votes_add(struct open_votes *votes, const struct open_vote *vote);
/* Power behind the proposal, as the seats have it now. */
int64_t votes_power(
	const struct open_votes *votes, const struct seats *seats, const struct hash32 *proposal);
bool votes_know(const struct open_votes *votes, const struct hash32 *proposal);
void votes_drop_proposal(struct open_votes *votes, const struct hash32 *proposal);
/* Removes and hands out the first vote that no longer counts: sent a term ago, or by an account
 * that operates nothing. False: there is none. */
MUST_USE bool votes_take_stale(struct open_votes *votes, struct open_vote *out,
	const struct seats *seats, uint64_t job_ms);
/* Job time at which the oldest lapses; UINT64_MAX: none is open. */
uint64_t votes_lapse_ms(const struct open_votes *votes);

/* ---- the rules version ---- */

struct rules {
	uint64_t version; /* of the next block */
	uint64_t next_version;
	int64_t next_height; /* 0: nothing is planned */
	char release[RELEASE_BYTES_MAX + 1];
};

/* ---- records ---- */

struct state_key state_key_seats(void);
struct state_key state_key_votes(void);
struct state_key state_key_rules(void);
struct state_key state_key_proposal(const struct hash32 *proposal);

/* Into the arena; empty for want of memory (arena->exhausted). */
struct bytes seats_pack(struct arena *arena, const struct seats *seats);
struct bytes votes_pack(struct arena *arena, const struct open_votes *votes);
struct bytes rules_pack(struct arena *arena, const struct rules *rules);
/* False: not what the one above writes, or no memory (arena->exhausted). */
MUST_USE bool seats_unpack(struct seats *out, struct arena *arena, struct bytes packed);
MUST_USE bool votes_unpack(struct open_votes *out, struct arena *arena, struct bytes packed);
MUST_USE bool rules_unpack(struct rules *out, struct arena *arena, struct bytes packed);

#endif
