/* JSON to struct genesis. Each read_ function takes its member from an object, knows whether it may
 * be absent, and names the whole path of what is wrong; the first fault stays. Rules about values
 * as a whole are in rules.c. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "genesis/genesis.h"
#include "genesis/numbers.h"

struct reader {
	struct genesis_fault *fault;
	enum status status;
	char path[96]; /* of the object being read, with its dot: "app_state.accounts[2]." */
};

static void refuse(struct reader *r, const char *name, const char *why)
{
	if (r->status != STATUS_OK)
		return;
	r->status = STATUS_INVALID;
	snprintf(r->fault->text, sizeof r->fault->text, "%s%s: %s", r->path, name, why);
}

static void no_memory(struct reader *r)
{
	if (r->status != STATUS_OK)
		return;
	r->status = STATUS_NO_MEMORY;
	snprintf(r->fault->text, sizeof r->fault->text,
		"no memory, or more entries than base/limits.h allows");
}

__attribute__((format(printf, 2, 3))) static void enter(struct reader *r, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(r->path, sizeof r->path, format, args);
	va_end(args);
}

/* The object has no member but those named; names ends with NULL. */
static void only(struct reader *r, const json_t *object, const char *const *names)
{
	if (!json_is_object(object)) {
		refuse(r, "", "an object is needed");
		return;
	}
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		const char *const *name = names;
		while (*name != NULL && strcmp(*name, key) != 0)
			name++;
		if (*name == NULL)
			refuse(r, key, "no such field");
	}
}

/* Text of the member; NULL with no fault: absent and not needed. */
static const char *read_text(struct reader *r, const json_t *object, const char *name, bool needed)
{
	const json_t *value = json_object_get(object, name);
	if (value == NULL && !needed)
		return NULL;
	if (!json_is_string(value) ||
		strlen(json_string_value(value)) != json_string_length(value)) {
		refuse(r, name, value == NULL ? "is needed" : "a text is needed");
		return NULL;
	}
	return json_string_value(value);
}

/* "12" as CometBFT writes 64-bit integers, or 12. False: neither, or out of range. */
static bool integer_of(const json_t *value, int64_t *out)
{
	if (json_is_integer(value)) {
		*out = json_integer_value(value);
		return true;
	}
	if (!json_is_string(value))
		return false;
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	bool negative = len > 0 && text[0] == '-';
	size_t at = negative ? 1 : 0;
	if (at == len || len - at > 19 || (text[at] == '0' && len - at > 1))
		return false;
	uint64_t sum = 0; /* 19 digits fit */
	for (; at < len; at++) {
		if (text[at] < '0' || text[at] > '9')
			return false;
		sum = sum * 10 + (uint64_t)(text[at] - '0');
	}
	if (sum > (uint64_t)INT64_MAX)
		return false;
	*out = negative ? -(int64_t)sum : (int64_t)sum;
	return true;
}

/* Absent: *out stays as it is, its default. */
static void read_i64(struct reader *r, const json_t *object, const char *name, int64_t *out)
{
	const json_t *value = json_object_get(object, name);
	if (value != NULL && !integer_of(value, out))
		refuse(r, name, "a whole number is needed");
}

static void read_u64(struct reader *r, const json_t *object, const char *name, uint64_t *out)
{
	int64_t value = (int64_t)*out;
	read_i64(r, object, name, &value);
	if (value < 0)
		refuse(r, name, "must not be negative");
	else
		*out = (uint64_t)value;
}

static void read_numbers(
	struct reader *r, const json_t *object, enum genesis_numbers numbers, void *message)
{
	for (size_t i = 0; i < genesis_number_count(numbers); i++) {
		struct genesis_number number = genesis_number_at(numbers, i);
		uint64_t value = genesis_number_get(&number, message);
		read_u64(r, object, number.name, &value);
		if (number.width == sizeof(uint32_t) && value > UINT32_MAX)
			refuse(r, number.name, "too large");
		else
			genesis_number_set(&number, message, value);
	}
}

static void read_address(
	struct reader *r, const json_t *object, const char *name, struct account_address *out)
{
	const char *text = read_text(r, object, name, true);
	if (text != NULL && !address_parse(out, text, strlen(text)))
		refuse(r, name, "not an account address (ait1...)");
}

/* Upper or lower hex, as CometBFT spells it. False: absent or refused. */
static bool read_validator_address(struct reader *r, const json_t *object, const char *name,
	bool needed, struct validator_address *out)
{
	const char *text = read_text(r, object, name, needed);
	if (text == NULL)
		return false;
	if (hex_decode(out->b, sizeof out->b, text, strlen(text)))
		return true;
	refuse(r, name, "not a validator address (40 hex digits)");
	return false;
}

/* "250000" uaitbc, or an amount with its unit: "0.25aitbc". */
static void read_balance(struct reader *r, const json_t *object, struct amount *out)
{
	const json_t *value = json_object_get(object, "balance");
	int64_t units = 0;
	if (value != NULL && integer_of(value, &units) && units >= 0) {
		*out = amount_of((uint64_t)units);
		return;
	}
	if (!json_is_string(value) ||
		!amount_parse(out, json_string_value(value), json_string_length(value)))
		refuse(r, "balance", "not an amount (uaitbc as digits, or with unit: \"5aitbc\")");
}

/* An array of at most count_max; NULL: absent, or refused. */
static const json_t *read_list(
	struct reader *r, const json_t *object, const char *name, size_t count_max)
{
	const json_t *list = json_object_get(object, name);
	if (list == NULL || json_is_null(list))
		return NULL;
	if (!json_is_array(list))
		refuse(r, name, "a list is needed");
	else if (json_array_size(list) > count_max)
		refuse(r, name, "too many entries");
	else
		return list;
	return NULL;
}

static void read_pub_key_types(struct reader *r, const json_t *validator)
{
	const json_t *types = json_object_get(validator, "pub_key_types");
	const json_t *first = json_array_get(types, 0);
	if (types != NULL && (json_array_size(types) != 1 || !json_is_string(first) ||
				     strcmp(json_string_value(first), "ed25519") != 0))
		refuse(r, "pub_key_types", "only [\"ed25519\"] is known");
}

/* A section of consensus_params; NULL: absent, its defaults hold. */
static const json_t *section(
	struct reader *r, const json_t *params, const char *name, const char *const *fields)
{
	enter(r, "consensus_params.%s.", name);
	const json_t *object = json_object_get(params, name);
	if (object != NULL)
		only(r, object, fields);
	return object;
}

static void read_consensus(struct reader *r, struct genesis *g, const json_t *document)
{
	static const char *const sections[] = {
		"block", "evidence", "validator", "version", "abci", NULL};
	static const char *const block_fields[] = {"max_bytes", "max_gas", NULL};
	static const char *const evidence_fields[] = {
		"max_age_num_blocks", "max_age_duration", "max_bytes", NULL};
	static const char *const validator_fields[] = {"pub_key_types", NULL};
	static const char *const version_fields[] = {"app", NULL};
	static const char *const abci_fields[] = {"vote_extensions_enable_height", NULL};
	const json_t *params = json_object_get(document, "consensus_params");
	if (params == NULL)
		return;
	enter(r, "consensus_params.");
	only(r, params, sections);

	const json_t *block = section(r, params, "block", block_fields);
	read_i64(r, block, "max_bytes", &g->consensus.block_max_bytes);
	read_i64(r, block, "max_gas", &g->consensus.block_max_gas);
	if (g->consensus.evidence_max_bytes > g->consensus.block_max_bytes)
		g->consensus.evidence_max_bytes = g->consensus.block_max_bytes;
	const json_t *evidence = section(r, params, "evidence", evidence_fields);
	read_i64(r, evidence, "max_age_num_blocks", &g->consensus.evidence_max_age_num_blocks);
	read_i64(r, evidence, "max_age_duration", &g->consensus.evidence_max_age_ns);
	read_i64(r, evidence, "max_bytes", &g->consensus.evidence_max_bytes);
	read_pub_key_types(r, section(r, params, "validator", validator_fields));
	const json_t *version = section(r, params, "version", version_fields);
	read_u64(r, version, "app", &g->consensus.app_version);
	int64_t extensions = 0;
	const json_t *abci = section(r, params, "abci", abci_fields);
	read_i64(r, abci, "vote_extensions_enable_height", &extensions);
	if (extensions != 0)
		refuse(r, "vote_extensions_enable_height", "must be \"0\"");
}

static void read_engine(struct reader *r, struct genesis *g, const json_t *document)
{
	static const char *const fields[] = {"heartbeat_ms", "gather_ms", "precision_ms",
		"message_delay_ms", "pace", "interval_ms", NULL};
	const json_t *engine = json_object_get(document, "engine");
	if (engine == NULL)
		return;
	enter(r, "engine.");
	only(r, engine, fields);
	read_numbers(r, engine, GENESIS_NUMBERS_ENGINE, &g->engine);
	const char *pace = read_text(r, engine, "pace", false);
	if (pace != NULL && strcmp(pace, "interval") == 0) {
		g->engine.pace = GENESIS_PACE_INTERVAL;
		g->engine.interval_ms = GENESIS_INTERVAL_MS;
	} else if (pace != NULL && strcmp(pace, "instant") != 0) {
		refuse(r, "pace", "\"instant\" or \"interval\" is needed");
	}
	read_u64(r, engine, "interval_ms", &g->engine.interval_ms);
}

static bool read_validator_key(
	struct reader *r, const json_t *validator, size_t index, struct validator_key *out)
{
	static const char *const fields[] = {"type", "value", NULL};
	const json_t *pub_key = json_object_get(validator, "pub_key");
	enter(r, "validators[%zu].pub_key.", index);
	only(r, pub_key, fields);
	const char *type = read_text(r, pub_key, "type", true);
	if (type != NULL && strcmp(type, "tendermint/PubKeyEd25519") != 0)
		refuse(r, "type", "only tendermint/PubKeyEd25519 is known");
	const char *value = read_text(r, pub_key, "value", true);
	if (value == NULL)
		return false;
	struct buf decoded;
	buf_init(&decoded, 0);
	bool ok = base64_decode(&decoded, value, strlen(value)) && buf_ok(&decoded) &&
		  decoded.len == sizeof out->b;
	if (ok)
		memcpy(out->b, decoded.data, sizeof out->b);
	else
		refuse(r, "value", "base64 of 32 bytes is needed");
	buf_fini(&decoded);
	return ok;
}

static void read_validator(
	struct reader *r, struct genesis *g, const json_t *validator, size_t index)
{
	static const char *const fields[] = {"address", "pub_key", "power", "name", NULL};
	enter(r, "validators[%zu].", index);
	only(r, validator, fields);
	struct validator_key key;
	if (!read_validator_key(r, validator, index, &key))
		return;
	enter(r, "validators[%zu].", index);
	struct validator_address told;
	struct validator_address own = validator_address_of(&key);
	if (read_validator_address(r, validator, "address", false, &told) &&
		memcmp(&told, &own, sizeof own) != 0)
		refuse(r, "address", "is not that of pub_key");
	int64_t power = 0;
	if (json_object_get(validator, "power") == NULL)
		refuse(r, "power", "is needed");
	read_i64(r, validator, "power", &power);
	const char *name = read_text(r, validator, "name", false);
	if (name != NULL && strlen(name) > GENESIS_NAME_BYTES_MAX)
		refuse(r, "name", "too long");
	else if (genesis_add_validator(g, &key, power, name == NULL ? "" : name) != STATUS_OK)
		no_memory(r);
}

static void read_account(struct reader *r, struct genesis *g, const json_t *row, size_t index)
{
	static const char *const fields[] = {"address", "balance", NULL};
	struct account_address address = {{0}};
	struct amount balance = amount_of(0);
	enter(r, "app_state.accounts[%zu].", index);
	only(r, row, fields);
	read_address(r, row, "address", &address);
	read_balance(r, row, &balance);
	if (r->status == STATUS_OK && genesis_add_account(g, &address, balance) != STATUS_OK)
		no_memory(r);
}

static void read_operator(struct reader *r, struct genesis *g, const json_t *row, size_t index)
{
	static const char *const fields[] = {"validator", "account", NULL};
	struct validator_address validator = {{0}};
	struct account_address account = {{0}};
	enter(r, "app_state.operators[%zu].", index);
	only(r, row, fields);
	bool found = read_validator_address(r, row, "validator", true, &validator);
	read_address(r, row, "account", &account);
	if (found && r->status == STATUS_OK &&
		genesis_add_operator(g, &validator, &account) != STATUS_OK)
		no_memory(r);
}

static void read_coordinator(struct reader *r, struct genesis *g, const json_t *row, size_t index)
{
	static const char *const fields[] = {
		"owner", "share_ppm", "operators", "url", "accepts_new", NULL};
	struct genesis_coordinator coordinator;
	memset(&coordinator, 0, sizeof coordinator);
	coordinator.accepts_new = true;
	enter(r, "app_state.coordinators[%zu].", index);
	only(r, row, fields);
	read_address(r, row, "owner", &coordinator.owner);
	uint64_t share_ppm = 0;
	read_u64(r, row, "share_ppm", &share_ppm);
	if (share_ppm > 1000000)
		refuse(r, "share_ppm", "over 1000000");
	else
		coordinator.share_ppm = (uint32_t)share_ppm;
	const char *url = read_text(r, row, "url", false);
	if (url != NULL && strlen(url) > COORDINATOR_URL_BYTES_MAX)
		refuse(r, "url", "too long");
	else if (url != NULL)
		memcpy(coordinator.url, url, strlen(url));
	const json_t *accepts_new = json_object_get(row, "accepts_new");
	if (accepts_new != NULL && !json_is_boolean(accepts_new))
		refuse(r, "accepts_new", "true or false is needed");
	else if (accepts_new != NULL)
		coordinator.accepts_new = json_is_true(accepts_new);
	const json_t *operators = read_list(r, row, "operators", COORDINATOR_OPERATORS_MAX);
	for (size_t i = 0; i < json_array_size(operators); i++) {
		const char *text = json_string_value(json_array_get(operators, i));
		if (text == NULL || !address_parse(&coordinator.operators[i], text, strlen(text)))
			refuse(r, "operators", "not account addresses (ait1...)");
		coordinator.operator_count = i + 1;
	}
	if (r->status == STATUS_OK && genesis_add_coordinator(g, &coordinator) != STATUS_OK)
		no_memory(r);
}

/* Calls read for each element while nothing is wrong. */
static void each(struct reader *r, struct genesis *g, const json_t *list,
	void (*read)(struct reader *, struct genesis *, const json_t *, size_t))
{
	for (size_t i = 0; i < json_array_size(list) && r->status == STATUS_OK; i++)
		read(r, g, json_array_get(list, i), i);
}

static void read_settle_state(struct reader *r, struct genesis *g, const json_t *state)
{
	static const char *const fields[] = {
		"params", "treasury", "accounts", "operators", "coordinators", NULL};
	enter(r, "app_state.");
	only(r, state, fields);
	const json_t *params = json_object_get(state, "params");
	if (params != NULL) {
		const char *names[32] = {NULL};
		size_t count = genesis_number_count(GENESIS_NUMBERS_SETTLE);
		CHECK(count < sizeof names / sizeof names[0]);
		for (size_t i = 0; i < count; i++)
			names[i] = genesis_number_at(GENESIS_NUMBERS_SETTLE, i).name;
		enter(r, "app_state.params.");
		only(r, params, names);
		read_numbers(r, params, GENESIS_NUMBERS_SETTLE, &g->params);
	}
	enter(r, "app_state.");
	if (json_object_get(state, "treasury") != NULL) {
		read_address(r, state, "treasury", &g->treasury);
		g->has_treasury = true;
	}
	const json_t *accounts = read_list(r, state, "accounts", GENESIS_ACCOUNTS_MAX);
	const json_t *operators = read_list(r, state, "operators", VALIDATORS_MAX);
	const json_t *coordinators = read_list(r, state, "coordinators", GENESIS_COORDINATORS_MAX);
	each(r, g, accounts, read_account);
	each(r, g, operators, read_operator);
	each(r, g, coordinators, read_coordinator);
}

static void read_app_state(struct reader *r, struct genesis *g, const json_t *document)
{
	const json_t *state = json_object_get(document, "app_state");
	if (g->app == GENESIS_APP_SETTLE) {
		read_settle_state(r, g, state);
		return;
	}
	if (state == NULL)
		return;
	char *text = json_dumps(state, JSON_ENCODE_ANY | JSON_COMPACT);
	if (text != NULL)
		buf_append_text(&g->app_state, text);
	if (text == NULL || !buf_ok(&g->app_state))
		no_memory(r);
	free(text);
}

static void read_head(struct reader *r, struct genesis *g, const json_t *document)
{
	static const char *const fields[] = {"genesis_time", "chain_id", "initial_height",
		"consensus_params", "engine", "validators", "app_hash", "app_state", NULL};
	only(r, document, fields);
	const char *time = read_text(r, document, "genesis_time", true);
	if (time != NULL && !rfc3339_parse(&g->time, time, strlen(time)))
		refuse(r, "genesis_time", "not a time like 2026-01-31T12:00:00Z");
	const char *chain_id = read_text(r, document, "chain_id", true);
	if (chain_id != NULL && strlen(chain_id) > CHAIN_ID_BYTES_MAX)
		refuse(r, "chain_id", "too long");
	else if (chain_id != NULL)
		memcpy(g->chain_id, chain_id, strlen(chain_id));
	read_i64(r, document, "initial_height", &g->initial_height);
	/* CometBFT reads "0" as 1 */
	if (g->initial_height == 0)
		g->initial_height = 1;
	const char *app_hash = read_text(r, document, "app_hash", false);
	if (app_hash != NULL && app_hash[0] != '\0')
		refuse(r, "app_hash", "must be empty: the app computes it from app_state");
}

enum status genesis_parse(
	struct genesis *out, struct bytes text, enum genesis_app app, struct genesis_fault *fault)
{
	struct reader r = {fault, STATUS_OK, ""};
	struct json_fault spelling;
	genesis_init(out, app);
	fault->text[0] = '\0';
	json_t *document = json_read(text, &spelling);
	if (document == NULL) {
		refuse(&r, "not valid JSON", spelling.text);
	} else if (!json_is_object(document)) {
		refuse(&r, "document", "an object is needed");
	} else {
		read_head(&r, out, document);
		read_consensus(&r, out, document);
		read_engine(&r, out, document);
		enter(&r, "%s", "");
		each(&r, out, read_list(&r, document, "validators", VALIDATORS_MAX),
			read_validator);
		if (r.status == STATUS_OK)
			read_app_state(&r, out, document);
	}
	json_decref(document);
	if (r.status == STATUS_OK)
		r.status = genesis_seal(out, fault);
	if (r.status != STATUS_OK)
		genesis_fini(out);
	return r.status;
}
