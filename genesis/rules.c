/* What makes a document a chain: each rule with the name of the field that breaks it. Sorting comes
 * first, so that a duplicate is a neighbour. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "genesis/genesis.h"
#include "genesis/numbers.h"
#include "genesis/rules.h"

static const int64_t block_bytes_least = 262144;

__attribute__((format(printf, 2, 3))) static bool broken(
	struct genesis_fault *fault, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(fault->text, sizeof fault->text, format, args);
	va_end(args);
	return false;
}

static bool chain_id_fits(const struct genesis *g, struct genesis_fault *fault)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t len = strlen(g->chain_id);
	if (len == 0 || strspn(g->chain_id, allowed) != len)
		return broken(fault, "chain_id: 1 to %d of A-Z a-z 0-9 _ . - are needed",
			CHAIN_ID_BYTES_MAX);
	return true;
}

static bool numbers_fit(enum genesis_numbers numbers, const void *message, const char *path,
	struct genesis_fault *fault)
{
	for (size_t i = 0; i < genesis_number_count(numbers); i++) {
		struct genesis_number number = genesis_number_at(numbers, i);
		uint64_t value = genesis_number_get(&number, message);
		if (value < number.least || value > number.most)
			return broken(fault, "%s.%s: %llu is outside %llu to %llu", path,
				number.name, (unsigned long long)value,
				(unsigned long long)number.least, (unsigned long long)number.most);
	}
	return true;
}

static bool engine_fits(const struct genesis *g, struct genesis_fault *fault)
{
	if (!numbers_fit(GENESIS_NUMBERS_ENGINE, &g->engine, "engine", fault))
		return false;
	uint64_t interval_ms = g->engine.interval_ms;
	if (g->engine.pace == GENESIS_PACE_INTERVAL)
		return (interval_ms >= 10 && interval_ms <= 60000) ||
		       broken(fault, "engine.interval_ms: %llu is outside 10 to 60000",
			       (unsigned long long)interval_ms);
	if (g->engine.pace != GENESIS_PACE_INSTANT)
		return broken(fault, "engine.pace: neither instant nor interval");
	return interval_ms == 0 || broken(fault, "engine.interval_ms: only with pace interval");
}

static bool consensus_fits(const struct genesis *g, struct genesis_fault *fault)
{
	const Pb__ConsensusParams *p = &g->consensus;
	if (p->block_max_bytes < block_bytes_least || p->block_max_bytes > GENESIS_BLOCK_BYTES_MAX)
		return broken(fault, "consensus_params.block.max_bytes: %lld is outside %lld to %d",
			(long long)p->block_max_bytes, (long long)block_bytes_least,
			GENESIS_BLOCK_BYTES_MAX);
	if (p->block_max_gas != -1)
		return broken(fault, "consensus_params.block.max_gas: must be -1");
	if (p->evidence_max_age_num_blocks <= 0)
		return broken(
			fault, "consensus_params.evidence.max_age_num_blocks: must be positive");
	if (p->evidence_max_age_ns <= 0)
		return broken(
			fault, "consensus_params.evidence.max_age_duration: must be positive");
	if (p->evidence_max_bytes < 0 || p->evidence_max_bytes > p->block_max_bytes)
		return broken(
			fault, "consensus_params.evidence.max_bytes: outside 0 to block.max_bytes");
	if (p->app_version == 0)
		return broken(fault, "consensus_params.version.app: rules versions start at 1");
	return true;
}

static int by_power_then_address(const void *a, const void *b)
{
	const struct genesis_validator *x = a;
	const struct genesis_validator *y = b;
	if (x->power != y->power)
		return x->power > y->power ? -1 : 1;
	return memcmp(x->address.b, y->address.b, sizeof x->address.b);
}

static bool validators_fit(struct genesis *g, struct genesis_fault *fault)
{
	if (g->validator_count == 0)
		return broken(fault, "validators: at least one is needed");
	int64_t total = 0;
	for (size_t i = 0; i < g->validator_count; i++) {
		struct genesis_validator *v = &g->validators[i];
		v->address = validator_address_of(&v->key);
		if (v->power < 1 || v->power > VALIDATORS_POWER_MAX - total)
			return broken(fault,
				"validators[%zu].power: must be positive, all together <= %lld", i,
				(long long)VALIDATORS_POWER_MAX);
		total += v->power;
		for (size_t k = 0; k < i; k++)
			if (memcmp(&v->key, &g->validators[k].key, sizeof v->key) == 0)
				return broken(fault,
					"validators[%zu].pub_key: the same key as validators[%zu]",
					i, k);
	}
	qsort(g->validators, g->validator_count, sizeof g->validators[0], by_power_then_address);
	return true;
}

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct account_address));
}

/* The sorted lists begin with their 20-byte key, so one search serves all three. */
_Static_assert(offsetof(struct genesis_account, address) == 0, "sorted by its first bytes");
_Static_assert(offsetof(struct genesis_operator, validator) == 0, "sorted by its first bytes");
_Static_assert(offsetof(struct genesis_coordinator, owner) == 0, "sorted by its first bytes");
_Static_assert(sizeof(struct validator_address) == sizeof(struct account_address), "one compare");

static void sort_by_address(void *list, size_t count, size_t size)
{
	if (count > 1)
		qsort(list, count, size, by_address);
}

static bool is_account(const struct genesis *g, const struct account_address *address)
{
	return g->account_count > 0 && bsearch(address, g->accounts, g->account_count,
					       sizeof g->accounts[0], by_address) != NULL;
}

static bool is_validator(const struct genesis *g, const struct validator_address *address)
{
	for (size_t i = 0; i < g->validator_count; i++)
		if (memcmp(&g->validators[i].address, address, sizeof *address) == 0)
			return true;
	return false;
}

static bool accounts_fit(struct genesis *g, struct genesis_fault *fault)
{
	sort_by_address(g->accounts, g->account_count, sizeof g->accounts[0]);
	uint64_t supply = 0;
	for (size_t i = 0; i < g->account_count; i++) {
		const struct genesis_account *account = &g->accounts[i];
		char text[ADDRESS_TEXT_BYTES];
		address_text(text, &account->address);
		if (i > 0 && by_address(account, account - 1) == 0)
			return broken(fault, "app_state.accounts: %s stands twice", text);
		if (account->balance.uaitbc > (uint64_t)INT64_MAX - supply)
			return broken(fault,
				"app_state.accounts: all balances together must be <= 2^63-1");
		supply += account->balance.uaitbc;
	}
	if (supply == 0)
		return broken(fault, "app_state.accounts: a chain without money settles nothing");
	if (!g->has_treasury)
		return broken(fault, "app_state.treasury: is needed");
	if (!is_account(g, &g->treasury))
		return broken(fault, "app_state.treasury: is not one of accounts");
	g->supply = supply;
	return true;
}

static bool operators_fit(struct genesis *g, struct genesis_fault *fault)
{
	sort_by_address(g->operators, g->operator_count, sizeof g->operators[0]);
	for (size_t i = 0; i < g->operator_count; i++) {
		const struct genesis_operator *row = &g->operators[i];
		char text[2 * sizeof row->validator.b + 1];
		hex_upper(text, row->validator.b, sizeof row->validator.b);
		if (i > 0 && by_address(row, row - 1) == 0)
			return broken(
				fault, "app_state.operators: validator %s stands twice", text);
		if (!is_validator(g, &row->validator))
			return broken(
				fault, "app_state.operators: %s is not one of validators", text);
		if (!is_account(g, &row->account))
			return broken(fault,
				"app_state.operators: the account of validator %s is not one of "
				"accounts",
				text);
	}
	return true;
}

static bool coordinator_fits(const struct genesis *g, struct genesis_coordinator *row,
	const char *owner, struct genesis_fault *fault)
{
	if (!is_account(g, &row->owner))
		return broken(fault, "app_state.coordinators: %s is not one of accounts", owner);
	if (row->share_ppm > g->params.max_coordinator_ppm)
		return broken(fault,
			"app_state.coordinators: share_ppm of %s is over max_coordinator_ppm",
			owner);
	sort_by_address(row->operators, row->operator_count, sizeof row->operators[0]);
	for (size_t k = 1; k < row->operator_count; k++)
		if (by_address(&row->operators[k], &row->operators[k - 1]) == 0)
			return broken(fault,
				"app_state.coordinators: an operator of %s stands twice", owner);
	return true;
}

static bool coordinators_fit(struct genesis *g, struct genesis_fault *fault)
{
	sort_by_address(g->coordinators, g->coordinator_count, sizeof g->coordinators[0]);
	for (size_t i = 0; i < g->coordinator_count; i++) {
		struct genesis_coordinator *row = &g->coordinators[i];
		char owner[ADDRESS_TEXT_BYTES];
		address_text(owner, &row->owner);
		if (i > 0 && by_address(row, row - 1) == 0)
			return broken(fault, "app_state.coordinators: %s stands twice", owner);
		if (!coordinator_fits(g, row, owner, fault))
			return false;
	}
	return true;
}

static bool app_state_fits(struct genesis *g, struct genesis_fault *fault)
{
	if (!numbers_fit(GENESIS_NUMBERS_SETTLE, &g->params, "app_state.params", fault))
		return false;
	if (g->params.min_ttl_ms > g->params.max_ttl_ms)
		return broken(fault, "app_state.params.min_ttl_ms: over max_ttl_ms");
	return accounts_fit(g, fault) && operators_fit(g, fault) && coordinators_fit(g, fault);
}

bool genesis_rules_hold(struct genesis *g, struct genesis_fault *fault)
{
	fault->text[0] = '\0';
	if (!chain_id_fits(g, fault) || !engine_fits(g, fault) || !consensus_fits(g, fault) ||
		!validators_fit(g, fault))
		return false;
	/* Job times are unsigned milliseconds since 1970. */
	if (g->time.seconds <= 0)
		return broken(fault, "genesis_time: must be after 1970");
	if (g->initial_height < 1)
		return broken(fault, "initial_height: must be positive");
	return g->app != GENESIS_APP_SETTLE || app_state_fits(g, fault);
}
