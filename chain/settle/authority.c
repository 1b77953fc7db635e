#include "chain/settle/authority.h"

#include <stdlib.h>
#include <string.h>

#include "chain/format/validators.h"

static int address_order(const struct validator_address *a, const struct validator_address *b)
{
	return memcmp(a->b, b->b, sizeof a->b);
}

/* ---- the validators ---- */

static int by_address(const void *a, const void *b)
{
	return address_order(
		&((const struct seat *)a)->address, &((const struct seat *)b)->address);
}

/* Sorted and summed: what every change ends with. The sum fits, as the engine's rules say. */
static void settle_down(struct seats *seats)
{
	seats->total_power = 0;
	for (size_t i = 0; i < seats->count; i++)
		seats->total_power += seats->v[i].power;
	if (seats->count > 1)
		qsort(seats->v, seats->count, sizeof seats->v[0], by_address);
}

static enum settle_code code_of(enum validators_verdict verdict)
{
	switch (verdict) {
	case VALIDATORS_OK: return SETTLE_OK;
	case VALIDATORS_TOO_MANY: return SETTLE_LIMIT;
	case VALIDATORS_OVERFLOW: return SETTLE_OVERFLOW;
	case VALIDATORS_EMPTY:
	case VALIDATORS_DUPLICATE:
	case VALIDATORS_BAD_POWER:
	case VALIDATORS_UNKNOWN: break;
	}
	return SETTLE_BAD_PARAM;
}

enum settle_code seats_make(
	struct seats *out, const struct app_validator_update *validators, size_t count)
{
	struct validator_power members[VALIDATORS_MAX] = {0};
	struct validator_set set;
	enum validators_verdict verdict;

	memset(out, 0, sizeof *out);
	if (count > VALIDATORS_MAX)
		return SETTLE_LIMIT;
	for (size_t i = 0; i < count; i++)
		members[i] = (struct validator_power){validators[i].key, validators[i].power};
	verdict = validator_set_make(&set, members, count);
	if (verdict != VALIDATORS_OK)
		return code_of(verdict);
	for (size_t i = 0; i < count; i++) {
		struct seat *seat = &out->v[out->count++];

		seat->key = validators[i].key;
		seat->address = validator_address_of(&seat->key);
		seat->power = validators[i].power;
	}
	settle_down(out);
	return SETTLE_OK;
}

int seats_find(const struct seats *seats, const struct validator_address *address)
{
	for (size_t i = 0; i < seats->count; i++) {
		if (address_order(&seats->v[i].address, address) == 0)
			return (int)i;
	}
	return -1;
}

int64_t seats_power_of(const struct seats *seats, const struct account_address *account)
{
	int64_t power = 0;

	for (size_t i = 0; i < seats->count; i++) {
		if (seats->v[i].has_account && account_address_equal(&seats->v[i].account, account))
			power += seats->v[i].power;
	}
	return power;
}

static enum settle_code change_one(struct seats *seats, const Pb__ValidatorChange *change)
{
	struct validator_address address;
	struct validator_key key;
	struct seat *seat;
	int at;

	memcpy(key.b, change->key.data, sizeof key.b);
	address = validator_address_of(&key);
	at = seats_find(seats, &address);
	if (change->power == 0) {
		if (at < 0)
			return SETTLE_BAD_PARAM;
		seats->v[at] = seats->v[--seats->count];
		return SETTLE_OK;
	}
	if (at < 0 && change->account.len == 0)
		return SETTLE_BAD_PARAM; /* nobody would have its vote and its fees */
	if (at < 0 && seats->count == VALIDATORS_MAX)
		return SETTLE_LIMIT;
	seat = &seats->v[at >= 0 ? (size_t)at : seats->count++];
	seat->key = key;
	seat->address = address;
	seat->power = change->power;
	if (change->account.len > 0) {
		seat->has_account = true;
		memcpy(seat->account.b, change->account.data, sizeof seat->account.b);
	}
	return SETTLE_OK;
}

/* The engine's own verdict on coming from one to the other in one block. */
static enum settle_code engine_takes(const struct seats *before, const struct seats *after)
{
	struct app_validator_update updates[2 * VALIDATORS_MAX];
	struct validator_power members[VALIDATORS_MAX] = {0}, changes[2 * VALIDATORS_MAX];
	struct validator_set set;
	enum validators_verdict verdict;
	size_t count = seats_diff(updates, before, after);

	for (size_t i = 0; i < before->count; i++)
		members[i] = (struct validator_power){before->v[i].key, before->v[i].power};
	for (size_t i = 0; i < count; i++)
		changes[i] = (struct validator_power){updates[i].key, updates[i].power};
	verdict = validator_set_make(&set, members, before->count);
	if (verdict == VALIDATORS_OK)
		verdict = validator_set_update(&set, changes, count);
	return code_of(verdict);
}

enum settle_code seats_change(struct seats *after, const struct seats *before,
	const struct seats *now, const Pb__ValidatorsChange *change)
{
	enum settle_code code;

	/* Removals first: a full set can exchange one for another. */
	*after = *now;
	for (int additions = 0; additions < 2; additions++) {
		for (size_t i = 0; i < change->n_changes; i++) {
			if ((change->changes[i]->power > 0) != (additions > 0))
				continue;
			code = change_one(after, change->changes[i]);
			if (code != SETTLE_OK)
				return code;
		}
	}
	code = engine_takes(before, after);
	if (code == SETTLE_OK)
		settle_down(after);
	return code;
}

size_t seats_diff(struct app_validator_update out[2 * VALIDATORS_MAX], const struct seats *before,
	const struct seats *after)
{
	size_t count = 0;

	for (size_t i = 0; i < before->count; i++) {
		if (seats_find(after, &before->v[i].address) < 0)
			out[count++] = (struct app_validator_update){before->v[i].key, 0};
	}
	for (size_t i = 0; i < after->count; i++) {
		const struct seat *seat = &after->v[i];
		int at = seats_find(before, &seat->address);

		if (at < 0 || before->v[at].power != seat->power)
			out[count++] = (struct app_validator_update){seat->key, seat->power};
	}
	return count;
}

/* ---- open votes ---- */

static bool same_vote(const struct open_vote *a, const struct open_vote *b)
{
	return hash_equal(&a->proposal, &b->proposal) &&
	       account_address_equal(&a->account, &b->account);
}

bool votes_add(struct open_votes *votes, const struct open_vote *vote)
{
	size_t open = 0;

	for (size_t i = 0; i < votes->count; i++) {
		if (same_vote(&votes->v[i], vote))
			return true;
		open += account_address_equal(&votes->v[i].account, &vote->account);
	}
	if (open >= AUTHORITY_OPEN_VOTES_MAX)
		return false;
	/* Only operators have open votes, and there are no more of them than validators. */
	CHECK(votes->count < OPEN_VOTES_MAX);
	votes->v[votes->count++] = *vote;
	return true;
}

int64_t votes_power(
	const struct open_votes *votes, const struct seats *seats, const struct hash32 *proposal)
{
	int64_t power = 0;

	for (size_t i = 0; i < votes->count; i++) {
		if (hash_equal(&votes->v[i].proposal, proposal))
			power += seats_power_of(seats, &votes->v[i].account);
	}
	return power;
}

bool votes_know(const struct open_votes *votes, const struct hash32 *proposal)
{
	for (size_t i = 0; i < votes->count; i++) {
		if (hash_equal(&votes->v[i].proposal, proposal))
			return true;
	}
	return false;
}

static void drop_at(struct open_votes *votes, size_t at)
{
	votes->count--;
	memmove(&votes->v[at], &votes->v[at + 1], (votes->count - at) * sizeof votes->v[0]);
}

void votes_drop_proposal(struct open_votes *votes, const struct hash32 *proposal)
{
	for (size_t i = votes->count; i > 0; i--) {
		if (hash_equal(&votes->v[i - 1].proposal, proposal))
			drop_at(votes, i - 1);
	}
}

bool votes_take_stale(
	struct open_votes *votes, struct open_vote *out, const struct seats *seats, uint64_t job_ms)
{
	for (size_t i = 0; i < votes->count; i++) {
		const struct open_vote *vote = &votes->v[i];

		if (job_ms - vote->sent_ms < AUTHORITY_VOTE_MS &&
			seats_power_of(seats, &vote->account) > 0)
			continue;
		*out = *vote;
		drop_at(votes, i);
		return true;
	}
	return false;
}

uint64_t votes_lapse_ms(const struct open_votes *votes)
{
	return votes->count > 0 ? votes->v[0].sent_ms + AUTHORITY_VOTE_MS : UINT64_MAX;
}
