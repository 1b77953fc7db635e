#include "genesis/genesis.h"

#include <stdlib.h>
#include <string.h>

#include "genesis/numbers.h"

static void set_standards(enum genesis_numbers numbers, void *message)
{
	for (size_t i = 0; i < genesis_number_count(numbers); i++) {
		struct genesis_number number = genesis_number_at(numbers, i);
		genesis_number_set(&number, message, number.standard);
	}
}

void genesis_init(struct genesis *g, enum genesis_app app)
{
	memset(g, 0, sizeof *g);
	g->app = app;
	g->initial_height = 1;
	pb__consensus_params__init(&g->consensus);
	g->consensus.block_max_bytes = BLOCK_BYTES_MAX;
	g->consensus.block_max_gas = -1;
	g->consensus.evidence_max_age_num_blocks = 100000;
	g->consensus.evidence_max_age_ns = INT64_C(48) * 3600 * 1000000000;
	g->consensus.evidence_max_bytes = 1024 * 1024;
	g->consensus.app_version = 1;
	pb__engine_params__init(&g->engine);
	set_standards(GENESIS_NUMBERS_ENGINE, &g->engine);
	pb__settle_params__init(&g->params);
	set_standards(GENESIS_NUMBERS_SETTLE, &g->params);
	buf_init(&g->app_state, 0);
}

void genesis_fini(struct genesis *g)
{
	free(g->accounts);
	free(g->operators);
	free(g->coordinators);
	buf_fini(&g->app_state);
	memset(g, 0, sizeof *g);
}

/* Room for one more element of `size` bytes; false: no memory, or count_max reached. */
static bool grow(void **list, size_t *cap, size_t count, size_t size, size_t count_max)
{
	if (count >= count_max)
		return false;
	if (count < *cap)
		return true;
	size_t wanted = *cap == 0 ? 8 : *cap * 2;
	void *grown = realloc(*list, wanted * size);
	if (grown == NULL)
		return false;
	*list = grown;
	*cap = wanted;
	return true;
}

enum status genesis_add_validator(
	struct genesis *g, const struct validator_key *key, int64_t power, const char *name)
{
	size_t name_len = strlen(name);
	if (g->validator_count >= VALIDATORS_MAX || name_len > GENESIS_NAME_BYTES_MAX)
		return STATUS_NO_MEMORY;
	struct genesis_validator *validator = &g->validators[g->validator_count++];
	memset(validator, 0, sizeof *validator);
	validator->key = *key;
	validator->address = validator_address_of(key);
	validator->power = power;
	memcpy(validator->name, name, name_len);
	return STATUS_OK;
}

enum status genesis_add_account(
	struct genesis *g, const struct account_address *address, struct amount balance)
{
	void *list = g->accounts;
	if (!grow(&list, &g->account_cap, g->account_count, sizeof g->accounts[0],
		    GENESIS_ACCOUNTS_MAX))
		return STATUS_NO_MEMORY;
	g->accounts = list;
	struct genesis_account account = {*address, balance};
	g->accounts[g->account_count++] = account;
	return STATUS_OK;
}

enum status genesis_add_operator(struct genesis *g, const struct validator_address *validator,
	const struct account_address *account)
{
	void *list = g->operators;
	if (!grow(&list, &g->operator_cap, g->operator_count, sizeof g->operators[0],
		    VALIDATORS_MAX))
		return STATUS_NO_MEMORY;
	g->operators = list;
	struct genesis_operator row = {*validator, *account};
	g->operators[g->operator_count++] = row;
	return STATUS_OK;
}

enum status genesis_add_coordinator(
	struct genesis *g, const struct genesis_coordinator *coordinator)
{
	void *list = g->coordinators;
	if (!grow(&list, &g->coordinator_cap, g->coordinator_count, sizeof g->coordinators[0],
		    GENESIS_COORDINATORS_MAX))
		return STATUS_NO_MEMORY;
	g->coordinators = list;
	g->coordinators[g->coordinator_count++] = *coordinator;
	return STATUS_OK;
}

void genesis_validator_set(struct validator_set *out, const struct genesis *g)
{
	struct validator_power members[VALIDATORS_MAX];
	for (size_t i = 0; i < g->validator_count; i++) {
		members[i].key = g->validators[i].key;
		members[i].power = g->validators[i].power;
	}
	/* the rules of a sealed document are stricter than those of a set */
	enum validators_verdict verdict = validator_set_make(out, members, g->validator_count);
	CHECK(verdict == VALIDATORS_OK);
}
