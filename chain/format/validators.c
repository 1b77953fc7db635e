#include "chain/format/validators.h"

#include <string.h>

#include "base/merkle.h"
#include "chain/format/wire.h"

const char *validators_verdict_text(enum validators_verdict verdict)
{
	switch (verdict) {
	case VALIDATORS_OK: return "ok";
	case VALIDATORS_EMPTY: return "no validator left";
	case VALIDATORS_TOO_MANY: return "too many validators";
	case VALIDATORS_DUPLICATE: return "a validator twice";
	case VALIDATORS_BAD_POWER: return "bad voting power";
	case VALIDATORS_OVERFLOW: return "total voting power too great";
	case VALIDATORS_UNKNOWN: return "removal of an unknown validator";
	}
	return "unknown verdict";
}

static int address_compare(const struct validator_address *a, const struct validator_address *b)
{
	return memcmp(a->b, b->b, sizeof a->b);
}

int validator_set_find(const struct validator_set *set, const struct validator_address *address)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (address_compare(&set->v[i].address, address) == 0)
			return (int)i;
	}
	return -1;
}

const struct validator *validator_set_proposer(const struct validator_set *set)
{
	CHECK(set->proposer < set->count);
	return &set->v[set->proposer];
}

bool validator_power_decides(int64_t power, int64_t total_power)
{
	CHECK(total_power >= 0);
	CHECK(total_power <= VALIDATORS_POWER_MAX); /* so that neither product overflows */
	CHECK(power <= total_power);
	return power * 3 > total_power * 2;
}

struct hash32 validators_hash(const struct validator_set *set)
{
	struct merkle_builder tree;

	merkle_start(&tree);
	for (uint32_t i = 0; i < set->count; i++) {
		Pb__SimpleValidator simple = PB__SIMPLE_VALIDATOR__INIT;
		Pb__PublicKey key = PB__PUBLIC_KEY__INIT;
		struct hash32 leaf;

		key.sum_case = PB__PUBLIC_KEY__SUM_ED25519;
		key.ed25519 = wire_borrow(set->v[i].key.b, sizeof set->v[i].key.b);
		simple.pub_key = &key;
		simple.voting_power = set->v[i].power;
		leaf = wire_leaf(&simple.base);
		merkle_add(&tree, &leaf);
	}
	return merkle_end(&tree);
}

/* ---- whose turn it is ---- */

/* Sums that CometBFT clips at the ends of int64; with our bound on power they never get there. */
static int64_t clipped_add(int64_t a, int64_t b)
{
	if (b > 0 && a > INT64_MAX - b)
		return INT64_MAX;
	if (b < 0 && a < INT64_MIN - b)
		return INT64_MIN;
	return a + b;
}

static int64_t clipped_subtract(int64_t a, int64_t b)
{
	if (b > 0 && a < INT64_MIN + b)
		return INT64_MIN;
	if (b < 0 && a > INT64_MAX + b)
		return INT64_MAX;
	return a - b;
}

/* Brings the span of priorities down to twice the total power, dividing towards zero. */
static void rescale(struct validator_set *set)
{
	int64_t window = 2 * set->total_power;
	int64_t least = INT64_MAX, most = INT64_MIN, span, ratio;

	for (uint32_t i = 0; i < set->count; i++) {
		if (set->v[i].priority < least)
			least = set->v[i].priority;
		if (set->v[i].priority > most)
			most = set->v[i].priority;
	}
	CHECK(window > 0);
	span = clipped_subtract(most, least);
	if (span <= window)
		return;
	ratio = span / window + (span % window != 0);
	for (uint32_t i = 0; i < set->count; i++)
		set->v[i].priority /= ratio;
}

/* Takes the floor of the average from each. Quotients and remainders are summed apart, so that the
 * sum of many large priorities needs no more than 64 bits. */
static void centre(struct validator_set *set)
{
	CHECK(set->count > 0);
	int64_t count = set->count, quotients = 0, rests = 0, average;

	for (uint32_t i = 0; i < set->count; i++) {
		int64_t rest = set->v[i].priority % count;
		int64_t quotient = set->v[i].priority / count;

		if (rest < 0) {
			rest += count;
			quotient--;
		}
		quotients += quotient;
		rests += rest;
	}
	average = quotients + rests / count;
	for (uint32_t i = 0; i < set->count; i++)
		set->v[i].priority = clipped_subtract(set->v[i].priority, average);
}

/* Greatest priority; of equals the lowest address. */
static uint32_t most_urgent(const struct validator_set *set)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < set->count; i++) {
		const struct validator *a = &set->v[i], *b = &set->v[best];

		if (a->priority > b->priority ||
			(a->priority == b->priority &&
				address_compare(&a->address, &b->address) < 0))
			best = i;
	}
	return best;
}

void validator_set_increment(struct validator_set *set, int32_t times)
{
	CHECK(set->count > 0);
	CHECK(times > 0);
	rescale(set);
	centre(set);
	for (int32_t t = 0; t < times; t++) {
		struct validator *chosen;

		for (uint32_t i = 0; i < set->count; i++)
			set->v[i].priority = clipped_add(set->v[i].priority, set->v[i].power);
		set->proposer = most_urgent(set);
		chosen = &set->v[set->proposer];
		chosen->priority = clipped_subtract(chosen->priority, set->total_power);
	}
}

/* ---- making and changing a set ---- */

/* Power descending, then address ascending. At most VALIDATORS_MAX entries, nearly sorted. */
static void sort_canonical(struct validator_set *set)
{
	for (uint32_t i = 1; i < set->count; i++) {
		struct validator v = set->v[i];
		uint32_t to = i;

		for (; to > 0; to--) {
			const struct validator *before = &set->v[to - 1];

			if (before->power > v.power ||
				(before->power == v.power &&
					address_compare(&before->address, &v.address) < 0))
				break;
			set->v[to] = *before;
		}
		set->v[to] = v;
	}
}

static enum validators_verdict sum_power(struct validator_set *set)
{
	set->total_power = 0;
	for (uint32_t i = 0; i < set->count; i++) {
		if (set->v[i].power > VALIDATORS_POWER_MAX - set->total_power)
			return VALIDATORS_OVERFLOW;
		set->total_power += set->v[i].power;
	}
	return VALIDATORS_OK;
}

static enum validators_verdict changes_form(const struct validator_power *changes, size_t count)
{
	if (count > (size_t)2 * VALIDATORS_MAX)
		return VALIDATORS_TOO_MANY;
	for (size_t i = 0; i < count; i++) {
		if (changes[i].power < 0)
			return VALIDATORS_BAD_POWER;
		if (changes[i].power > VALIDATORS_POWER_MAX)
			return VALIDATORS_OVERFLOW;
		for (size_t j = 0; j < i; j++) {
			if (memcmp(changes[i].key.b, changes[j].key.b, sizeof changes[i].key.b) ==
				0)
				return VALIDATORS_DUPLICATE;
		}
	}
	return VALIDATORS_OK;
}

/* Removed validators keep their place with power 0 until sweep_removed. New ones go to the end,
 * their priority still to be set. */
static enum validators_verdict apply_changes(
	struct validator_set *set, const struct validator_power *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct validator_address address = validator_address_of(&changes[i].key);
		int at = validator_set_find(set, &address);
		struct validator *v;

		if (at >= 0) {
			set->v[at].power = changes[i].power;
			continue;
		}
		if (changes[i].power == 0)
			return VALIDATORS_UNKNOWN;
		if (set->count == VALIDATORS_MAX)
			return VALIDATORS_TOO_MANY;
		v = &set->v[set->count++];
		memset(v, 0, sizeof *v);
		v->key = changes[i].key;
		v->address = address;
		v->power = changes[i].power;
	}
	return VALIDATORS_OK;
}

static void sweep_removed(struct validator_set *set)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < set->count; i++) {
		if (set->v[i].power > 0)
			set->v[kept++] = set->v[i];
	}
	memset(&set->v[kept], 0, (set->count - kept) * sizeof set->v[0]);
	set->count = kept;
}

/* The changes on a copy: *set holds them or, refused, is as before. */
static enum validators_verdict change(
	struct validator_set *set, const struct validator_power *changes, size_t count)
{
	enum validators_verdict verdict = changes_form(changes, count);
	struct validator_set next = *set;
	int64_t removed_power = 0, before_removals;
	uint32_t had = set->count;

	if (verdict == VALIDATORS_OK)
		verdict = apply_changes(&next, changes, count);
	if (verdict == VALIDATORS_OK)
		verdict = sum_power(&next);
	if (verdict != VALIDATORS_OK)
		return verdict;
	for (uint32_t i = 0; i < had; i++)
		removed_power += next.v[i].power == 0 ? set->v[i].power : 0;
	/* A newcomer starts at -1.125 of the total before removals, so that leaving and coming back
	 * gains no turn. */
	if (removed_power > VALIDATORS_POWER_MAX - next.total_power)
		return VALIDATORS_OVERFLOW;
	before_removals = next.total_power + removed_power;
	for (uint32_t i = had; i < next.count; i++)
		next.v[i].priority = -(before_removals + (before_removals >> 3));
	sweep_removed(&next);
	if (next.count == 0)
		return VALIDATORS_EMPTY;
	rescale(&next);
	centre(&next);
	sort_canonical(&next);
	next.proposer = most_urgent(&next);
	*set = next;
	return VALIDATORS_OK;
}

enum validators_verdict validator_set_make(
	struct validator_set *set, const struct validator_power *members, size_t count)
{
	struct validator_set made;
	enum validators_verdict verdict;

	memset(&made, 0, sizeof made);
	if (count == 0)
		return VALIDATORS_EMPTY;
	if (count > VALIDATORS_MAX)
		return VALIDATORS_TOO_MANY;
	for (size_t i = 0; i < count; i++) {
		if (members[i].power == 0)
			return VALIDATORS_BAD_POWER;
	}
	verdict = change(&made, members, count);
	if (verdict != VALIDATORS_OK)
		return verdict;
	validator_set_increment(&made, 1);
	*set = made;
	return VALIDATORS_OK;
}

enum validators_verdict validator_set_update(
	struct validator_set *set, const struct validator_power *changes, size_t count)
{
	if (count == 0)
		return VALIDATORS_OK;
	return change(set, changes, count);
}

/* ---- to and from disk ---- */

Pb__ValidatorSet *validator_set_to_pb(const struct validator_set *set, struct arena *arena)
{
	Pb__ValidatorSet *out = arena_alloc(arena, sizeof *out);
	Pb__Validator **list = arena_alloc(arena, set->count * sizeof *list);
	Pb__Validator *entries = arena_alloc(arena, set->count * sizeof *entries);
	uint8_t *keys = arena_alloc(arena, set->count * sizeof set->v[0].key.b);

	if (!out || !list || !entries || !keys)
		return NULL;
	pb__validator_set__init(out);
	out->n_validators = set->count;
	out->validators = list;
	out->proposer = set->proposer;
	for (uint32_t i = 0; i < set->count; i++) {
		const struct validator *v = &set->v[i];
		uint8_t *key = keys + i * sizeof v->key.b;

		memcpy(key, v->key.b, sizeof v->key.b);
		pb__validator__init(&entries[i]);
		entries[i].key = wire_borrow(key, sizeof v->key.b);
		entries[i].power = v->power;
		entries[i].priority = v->priority;
		list[i] = &entries[i];
	}
	return out;
}

static bool is_canonical_pair(const struct validator *first, const struct validator *second)
{
	if (first->power != second->power)
		return first->power > second->power;
	return address_compare(&first->address, &second->address) < 0;
}

bool validator_set_from_pb(struct validator_set *out, const Pb__ValidatorSet *pb)
{
	memset(out, 0, sizeof *out);
	if (!pb || pb->n_validators == 0 || pb->n_validators > VALIDATORS_MAX ||
		pb->proposer >= pb->n_validators)
		return false;
	for (size_t i = 0; i < pb->n_validators; i++) {
		const Pb__Validator *entry = pb->validators[i];
		struct validator *v = &out->v[i];

		if (entry->key.len != sizeof v->key.b || entry->power < 1)
			return false;
		memcpy(v->key.b, entry->key.data, sizeof v->key.b);
		v->address = validator_address_of(&v->key);
		v->power = entry->power;
		v->priority = entry->priority;
		if (i > 0 && !is_canonical_pair(v - 1, v))
			return false;
	}
	out->count = (uint32_t)pb->n_validators;
	out->proposer = pb->proposer;
	return sum_power(out) == VALIDATORS_OK;
}
