#include "node/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/nearest.h"

enum key_type { KEY_TEXT, KEY_LEVEL, KEY_NUMBER, KEY_BOOL };

struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	const char *standard; /* as text */
	uint64_t least, most; /* KEY_NUMBER */
	const char *help;
};

#define AT(field) offsetof(struct config, field)
#define TEXT(name, field, standard, help)                                                          \
	{                                                                                          \
		name, KEY_TEXT, AT(field), standard, 0, 0, help                                    \
	}
#define NUMBER(name, field, standard, least, most, help)                                           \
	{                                                                                          \
		name, KEY_NUMBER, AT(field), standard, least, most, help                           \
	}
#define FLAG(name, field, standard, help)                                                          \
	{                                                                                          \
		name, KEY_BOOL, AT(field), standard, 0, 0, help                                    \
	}

static const struct key keys[] = {
	TEXT("moniker", moniker, "aitbc", "name of this node, shown by status"),
	{"log_level", KEY_LEVEL, AT(log_level), "info", 0, 0, "debug, info, unusual or broken"},
	NUMBER("verify_threads", verify_threads, "0", 0, 64, "signature threads; 0: one a core"),
	TEXT("rpc.listen", rpc_listen, "127.0.0.1", "address of the JSON-RPC port"),
	NUMBER("rpc.port", rpc_port, "26657", 0, 65535, "JSON-RPC port"),
	NUMBER("rpc.batch_max", rpc_batch_max, "10", 1, 1000, "calls in one batch"),
	TEXT("rpc.hosts", rpc_hosts, "", "extra Host names allowed, separated by commas"),
	TEXT("rpc.origins", rpc_origins, "", "browser Origins allowed, separated by commas"),
	TEXT("p2p.listen", p2p_listen, "127.0.0.1", "numeric address of the peers' port"),
	NUMBER("p2p.port", p2p_port, "26656", 0, 65535, "peers' port; the peers are in peers.json"),
	NUMBER("p2p.fast_join", fast_join, "1000", 0, 1000000000,
		"a new node so many blocks behind takes over a proved state; 0: never"),
	NUMBER("snapshot.interval", snapshot_interval, "1000", 0, 1000000000,
		"blocks between two states that others may join from; the same on every node; 0: "
		"none"),
	FLAG("coordinator.enabled", coordinator_enabled, "false", "run the coordinator here"),
	TEXT("coordinator.listen", coordinator_listen, "127.0.0.1", "address of its REST port"),
	NUMBER("coordinator.port", coordinator_port, "18000", 0, 65535, "its REST port"),
	TEXT("coordinator.rpc", coordinator_rpc, "", "chain it speaks to; empty: this node"),
	TEXT("coordinator.key", coordinator_key, "coordinator/key.json",
		"its account's key file, from HOME"),
	TEXT("coordinator.url", coordinator_url, "", "where clients reach it, published on chain"),
	NUMBER("coordinator.share_ppm", coordinator_share_ppm, "50000", 0, 1000000,
		"its share of each payment, in millionths"),
	FLAG("coordinator.accepts_new", coordinator_accepts_new, "true",
		"whether it takes new jobs"),
	NUMBER("coordinator.lease_ms", coordinator_lease_ms, "75000", 1000, 86400000,
		"lease of an assignment"),
	NUMBER("coordinator.no_miner_ms", coordinator_no_miner_ms, "60000", 1000, 86400000,
		"a job without a miner fails after this"),
	NUMBER("coordinator.heartbeat_ttl_ms", coordinator_heartbeat_ttl_ms, "45000", 1000,
		86400000, "a silent miner is away after this"),
	NUMBER("coordinator.delivery_wait_ms", coordinator_delivery_wait_ms, "300000", 1000,
		86400000, "how long a result may follow its delivery on chain"),
	NUMBER("coordinator.rate_per_s", coordinator_rate_per_s, "50", 1, 1000000,
		"requests a second of one API key"),
	NUMBER("coordinator.rate_burst", coordinator_rate_burst, "100", 1, 1000000,
		"requests it may save up"),
	FLAG("coordinator.managed", coordinator_managed, "false",
		"keep accounts for API keys that don't sign"),
	NUMBER("coordinator.managed_daily", coordinator_managed_daily, "100", 1, 1000000000,
		"AITBC such a key may put into escrow a day"),
	FLAG("metrics.enabled", metrics_enabled, "true", "serve /metrics"),
	TEXT("metrics.listen", metrics_listen, "127.0.0.1", "address of the metrics port"),
	NUMBER("metrics.port", metrics_port, "9090", 0, 65535, "Prometheus metrics port"),
	FLAG("validator.unsafe_renew_fence", renew_fence, "false",
		"vote although the record of what this key signed is missing, damaged or old; "
		"never while another process has the key"),
	FLAG("clock.unchecked", clock_unchecked, "false",
		"start although the clock disagrees with the last block"),
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

static const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

bool config_knows(const char *name)
{
	return key_find(name) != NULL;
}

static enum status set_number(
	uint64_t *to, const struct key *key, const char *value, char fault[NODE_FAULT_BYTES])
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)value[0]) || *end || errno || number < key->least ||
		number > key->most) {
		snprintf(fault, NODE_FAULT_BYTES, "%s: %.100s is not a number from %llu to %llu",
			key->name, value, (unsigned long long)key->least,
			(unsigned long long)key->most);
		return STATUS_INVALID;
	}
	*to = number;
	return STATUS_OK;
}

static bool is_level(const char *text)
{
	for (int level = LOG_DEBUG; level <= LOG_BROKEN; level++) {
		if (strcmp(text, log_level_text((enum log_level)level)) == 0)
			return true;
	}
	return false;
}

static enum status set_key(
	struct config *c, const struct key *key, const char *value, char fault[NODE_FAULT_BYTES])
{
	void *to = (char *)c + key->offset;
	switch (key->type) {
	case KEY_LEVEL:
		if (!is_level(value)) {
			snprintf(fault, NODE_FAULT_BYTES, "%s: %.100s is none of %s", key->name,
				value, key->help);
			return STATUS_INVALID;
		}
		memcpy(to, value, strlen(value) + 1);
		return STATUS_OK;
	case KEY_TEXT:
		if (strlen(value) >= CONFIG_TEXT_BYTES) {
			snprintf(fault, NODE_FAULT_BYTES, "%s: longer than %d bytes", key->name,
				CONFIG_TEXT_BYTES - 1);
			return STATUS_INVALID;
		}
		memcpy(to, value, strlen(value) + 1);
		return STATUS_OK;
	case KEY_NUMBER: return set_number(to, key, value, fault);
	case KEY_BOOL:
		if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
			snprintf(fault, NODE_FAULT_BYTES, "%s: neither true nor false", key->name);
			return STATUS_INVALID;
		}
		*(bool *)to = strcmp(value, "true") == 0;
		return STATUS_OK;
	}
	return STATUS_INVALID;
}

void config_defaults(struct config *c)
{
	memset(c, 0, sizeof *c);
	char fault[NODE_FAULT_BYTES];
	for (size_t i = 0; i < KEY_COUNT; i++)
		CHECK(set_key(c, &keys[i], keys[i].standard, fault) == STATUS_OK);
}

enum status config_set(
	struct config *c, const char *name, const char *value, char fault[NODE_FAULT_BYTES])
{
	const struct key *key = key_find(name);
	if (!key) {
		const char *known[KEY_COUNT + 1] = {NULL};
		for (size_t i = 0; i < KEY_COUNT; i++)
			known[i] = keys[i].name;
		const char *near = nearest_name(known, name);
		snprintf(fault, NODE_FAULT_BYTES, "%.100s: no such setting%s%s", name,
			near ? "; did you mean " : "", near ? near : "");
		return STATUS_INVALID;
	}
	return set_key(c, key, value, fault);
}

static enum status set_json(
	struct config *c, const char *name, const json_t *value, char fault[NODE_FAULT_BYTES])
{
	char number[32];
	if (json_is_string(value))
		return config_set(c, name, json_string_value(value), fault);
	if (json_is_boolean(value))
		return config_set(c, name, json_is_true(value) ? "true" : "false", fault);
	if (json_is_integer(value)) {
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
		return config_set(c, name, number, fault);
	}
	snprintf(fault, NODE_FAULT_BYTES, "%.200s: neither text, number, true nor false", name);
	return STATUS_INVALID;
}

/* "rpc": {"port": 1} means rpc.port; one level of folders is all there is. */
static enum status read_object(
	struct config *c, const char *prefix, json_t *object, char fault[NODE_FAULT_BYTES])
{
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		char name[CONFIG_TEXT_BYTES];
		snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "." : "", key);
		bool folder = json_is_object(value) && prefix[0] == 0;
		enum status status = folder ? read_object(c, name, value, fault)
					    : set_json(c, name, value, fault);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

enum status config_read(struct config *c, const char *home, char fault[NODE_FAULT_BYTES])
{
	enum { CONFIG_BYTES_MAX = 64 * 1024 };
	char path[NODE_PATH_BYTES], why[NODE_FAULT_BYTES];
	struct buf text;
	buf_init(&text, 0);
	enum status status = files_join(path, home, "config.json");
	if (status == STATUS_OK)
		status = files_read(&text, path, CONFIG_BYTES_MAX, fault);
	if (status == STATUS_NOT_FOUND) {
		buf_fini(&text);
		return STATUS_OK;
	}
	if (status == STATUS_OK) {
		struct json_fault json_fault = {"not an object"};
		json_t *root = json_read(buf_view(&text), &json_fault);
		if (json_is_object(root)) {
			status = read_object(c, "", root, why);
			if (status != STATUS_OK)
				snprintf(fault, NODE_FAULT_BYTES, "config.json: %.240s", why);
		} else {
			snprintf(fault, NODE_FAULT_BYTES, "config.json: %s", json_fault.text);
			status = STATUS_INVALID;
		}
		json_decref(root);
	}
	buf_fini(&text);
	return status;
}

static void environment_name(char out[CONFIG_TEXT_BYTES], const char *name)
{
	int len = snprintf(out, CONFIG_TEXT_BYTES, "AITBC_%s", name);
	for (int i = 0; i < len && i < CONFIG_TEXT_BYTES; i++)
		out[i] = out[i] == '.' ? '_' : (char)toupper((unsigned char)out[i]);
}

enum status config_read_environment(struct config *c, char fault[NODE_FAULT_BYTES])
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		char name[CONFIG_TEXT_BYTES];
		environment_name(name, keys[i].name);
		const char *value = getenv(name);
		if (!value)
			continue;
		enum status status = set_key(c, &keys[i], value, fault);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static void write_value(struct buf *out, const struct config *c, const struct key *key)
{
	const void *from = (const char *)c + key->offset;
	switch (key->type) {
	case KEY_TEXT:
	case KEY_LEVEL: json_put_text(out, from); break;
	case KEY_NUMBER: json_put_u64(out, *(const uint64_t *)from); break;
	case KEY_BOOL: json_put_bool(out, *(const bool *)from); break;
	}
}

static void next_line(struct buf *out, bool *first, const char *indent)
{
	buf_append_text(out, *first ? "\n" : ",\n");
	buf_append_text(out, indent);
	*first = false;
}

/* Keys of one folder stand together in the table. */
void config_write(struct buf *out, const struct config *c)
{
	char folder[CONFIG_TEXT_BYTES] = "";
	bool first_outside = true, first_inside = true;
	buf_append_text(out, "{");
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const char *dot = strchr(keys[i].name, '.');
		size_t len = dot ? (size_t)(dot - keys[i].name) : 0;
		if (strlen(folder) != len || strncmp(folder, keys[i].name, len) != 0) {
			buf_append_text(out, folder[0] ? "\n  }" : "");
			snprintf(folder, sizeof folder, "%.*s", (int)len, keys[i].name);
			next_line(out, &first_outside, "  ");
			buf_appendf(out, "\"%s\": {", folder);
			first_inside = true;
		}
		next_line(out, dot ? &first_inside : &first_outside, dot ? "    " : "  ");
		json_put_key(out, dot ? dot + 1 : keys[i].name);
		buf_append_text(out, " ");
		write_value(out, c, &keys[i]);
	}
	buf_append_text(out, folder[0] ? "\n  }\n}\n" : "\n}\n");
}

void config_help(struct buf *out)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		buf_appendf(out, "  --%-30s %s (default %s)\n", keys[i].name, keys[i].help,
			keys[i].standard[0] ? keys[i].standard : "none");
}

enum log_level config_log_level(const struct config *c)
{
	for (int level = LOG_DEBUG; level <= LOG_BROKEN; level++) {
		if (strcmp(c->log_level, log_level_text((enum log_level)level)) == 0)
			return (enum log_level)level;
	}
	return LOG_INFO;
}
