#include "node/homes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "coordinator/coordinator.h"
#include "node/config.h"
#include "node/disk.h"
#include "node/peers_file.h"
#include "wallet/keystore.h"

enum { KEY_FILE_BYTES_MAX = 4096, MINERS = 2, VALIDATOR_POWER = 10 };
enum { HOMES_MAX = PEERS_MAX + 1 }; /* each links with all others */
_Static_assert((int)HOMES_MAX <= (int)VALIDATORS_MAX, "each home is a validator");
enum { GENESIS_BYTES_MAX_ON_DISK = 64 * 1024 * 1024 };

/* The accounts of a devnet and what they start with. */
static const struct {
	const char *name;
	uint64_t aitbc;
} users[] = {
	{"client", 1000},
	{"coordinator", 100},
	{"miner1", 10},
	{"miner2", 10},
	{"faucet", 100000},
	{"treasury", 1000000},
};
enum { USER_COUNT = sizeof users / sizeof users[0], COORDINATOR_USER = 1, TREASURY_USER = 5 };
static const uint64_t operator_aitbc = 10;

static void random_bytes(void *ctx, void *out, size_t len)
{
	(void)ctx;
	CHECK(files_random(out, len) == STATUS_OK); /* the kernel always has some after boot */
}

/* ---- key files ---- */

static void key_json(struct buf *out, const struct validator_secret *secret)
{
	struct validator_key key = validator_key_of(secret);
	struct validator_address address = validator_address_of(&key);
	uint8_t both[64];
	memcpy(both, secret->seed, 32);
	memcpy(both + 32, key.b, 32);
	buf_append_text(out, "{\n  \"address\": ");
	json_put_hex_upper(out, address.b, sizeof address.b);
	buf_append_text(
		out, ",\n  \"pub_key\": {\"type\": \"tendermint/PubKeyEd25519\", \"value\": ");
	json_put_base64(out, key.b, sizeof key.b);
	buf_append_text(
		out, "},\n  \"priv_key\": {\"type\": \"tendermint/PrivKeyEd25519\", \"value\": ");
	json_put_base64(out, both, sizeof both);
	buf_append_text(out, "}\n}\n");
	secret_wipe(both, sizeof both);
}

enum status homes_make_key(
	struct validator_secret *out, const char *path, char fault[NODE_FAULT_BYTES])
{
	struct buf text;
	buf_init(&text, KEY_FILE_BYTES_MAX);
	random_bytes(NULL, out->seed, sizeof out->seed);
	key_json(&text, out);
	enum status status = files_create(path, 0600, buf_view(&text), fault);
	secret_wipe(text.data, text.len);
	buf_fini(&text);
	return status;
}

static enum status make_key(struct validator_secret *out, const char *dir, const char *name,
	char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	enum status status = files_join(path, dir, name);
	return status == STATUS_OK ? homes_make_key(out, path, fault) : status;
}

static bool key_of_json(struct validator_secret *out, const json_t *root)
{
	const json_t *value = json_object_get(json_object_get(root, "priv_key"), "value");
	if (!json_is_string(value))
		return false;
	struct buf raw;
	buf_init(&raw, KEY_FILE_BYTES_MAX);
	bool good = base64_decode(&raw, json_string_value(value), json_string_length(value)) &&
		    buf_ok(&raw) && raw.len == 64;
	if (good) {
		memcpy(out->seed, raw.data, sizeof out->seed);
		struct validator_key key = validator_key_of(out);
		good = memcmp(key.b, raw.data + 32, sizeof key.b) == 0;
		secret_wipe(raw.data, raw.len);
	}
	buf_fini(&raw);
	return good;
}

enum status homes_read_key(
	struct validator_secret *out, const char *path, char fault[NODE_FAULT_BYTES])
{
	struct stat info;
	if (stat(path, &info) == 0 && (info.st_mode & 077) != 0) {
		snprintf(fault, NODE_FAULT_BYTES, "%s: others can read it; chmod 600 it first",
			path);
		return STATUS_REFUSED;
	}
	struct buf text;
	buf_init(&text, KEY_FILE_BYTES_MAX);
	enum status status = files_read(&text, path, KEY_FILE_BYTES_MAX, fault);
	if (status == STATUS_OK) {
		struct json_fault json_fault;
		json_t *root = json_read(buf_view(&text), &json_fault);
		if (!root || !key_of_json(out, root)) {
			snprintf(fault, NODE_FAULT_BYTES, "%s: not an Ed25519 key file", path);
			status = STATUS_INVALID;
		}
		json_decref(root);
		secret_wipe(text.data, text.len);
	}
	buf_fini(&text);
	return status;
}

void homes_node_id(char out[41], const struct validator_secret *node_key)
{
	struct validator_key key = validator_key_of(node_key);
	struct validator_address address = validator_address_of(&key);
	hex_lower(out, address.b, sizeof address.b);
}

/* ---- accounts ---- */

static enum status make_account(struct account_address *out, const char *path, const char *chain_id,
	char fault[NODE_FAULT_BYTES])
{
	struct account_secret secret;
	struct account_key key;
	do {
		random_bytes(NULL, secret.b, sizeof secret.b);
	} while (!account_key_of(&key, &secret));
	*out = account_address_of(&key);
	enum status status = keystore_save_plain(path, &secret, chain_id, fault);
	secret_wipe(&secret, sizeof secret);
	return status;
}

static enum status add_account(
	struct genesis *g, const struct account_address *address, uint64_t aitbc)
{
	return genesis_add_account(g, address, amount_of(aitbc * 1000000));
}

static enum status make_users(struct genesis *g, const struct homes_plan *plan,
	const char *first_home, char fault[NODE_FAULT_BYTES])
{
	char keys[NODE_PATH_BYTES], name[NODE_PATH_BYTES], path[NODE_PATH_BYTES];
	enum status status = files_join(keys, plan->output, "keys");
	if (status == STATUS_OK)
		status = files_mkdir(keys, 0700, fault);
	for (size_t i = 0; i < USER_COUNT && status == STATUS_OK; i++) {
		struct account_address address;
		bool coordinator = i == COORDINATOR_USER;
		snprintf(name, sizeof name, "%s.json",
			coordinator ? "coordinator/key" : users[i].name);
		status = files_join(path, coordinator ? first_home : keys, name);
		if (status == STATUS_OK)
			status = make_account(&address, path, plan->chain_id, fault);
		if (status == STATUS_OK)
			status = add_account(g, &address, users[i].aitbc);
		if (i == TREASURY_USER) {
			g->treasury = address;
			g->has_treasury = true;
		}
	}
	return status;
}

/* ---- one node ---- */

static void write_config(struct buf *out, const struct homes_plan *plan, uint32_t index)
{
	struct config c;
	config_defaults(&c);
	snprintf(c.moniker, sizeof c.moniker, "node%u", index);
	uint64_t base = plan->base_port + HOMES_PORTS_PER_NODE * index;
	c.coordinator_enabled = index == 0;
	c.p2p_port = base;
	c.rpc_port = base + 1;
	if (plan->own_ports) {
		c.coordinator_port = base + 2;
		c.metrics_port = base + 3;
	} else {
		c.metrics_port += index;
	}
	snprintf(c.coordinator_url, sizeof c.coordinator_url, "http://127.0.0.1:%llu",
		(unsigned long long)c.coordinator_port);
	config_write(out, &c);
}

/* The node as the others list it. */
static struct net_peer peer_of(
	const struct homes_plan *plan, const struct validator_secret *node, uint32_t index)
{
	struct net_peer peer = {
		.key = validator_key_of(node),
		.host = "127.0.0.1",
		.port = (uint16_t)(plan->base_port + HOMES_PORTS_PER_NODE * index),
	};
	snprintf(peer.name, sizeof peer.name, "node%u", index);
	return peer;
}

static enum status make_node(struct genesis *g, struct net_peer *peer,
	const struct homes_plan *plan, const char *home, uint32_t index,
	char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES], name[GENESIS_NAME_BYTES_MAX + 1];
	struct validator_secret validator, node;
	struct buf config;
	buf_init(&config, 0);
	write_config(&config, plan, index);
	enum status status = files_mkdir(home, 0700, fault);
	if (status == STATUS_OK)
		status = make_key(&validator, home, "validator_key.json", fault);
	if (status == STATUS_OK)
		status = disk_make_fence(home, fault);
	if (status == STATUS_OK)
		status = make_key(&node, home, "node_key.json", fault);
	if (status == STATUS_OK)
		status = files_join(path, home, "config.json");
	if (status == STATUS_OK)
		status = files_create(path, 0644, buf_view(&config), fault);
	buf_fini(&config);
	if (status != STATUS_OK)
		return status;
	*peer = peer_of(plan, &node, index);
	struct validator_key key = validator_key_of(&validator);
	struct validator_address address = validator_address_of(&key);
	snprintf(name, sizeof name, "node%u", index);
	status = genesis_add_validator(g, &key, VALIDATOR_POWER, name);
	struct account_address account;
	if (status == STATUS_OK)
		status = files_join(path, home, "operator.json");
	if (status == STATUS_OK)
		status = make_account(&account, path, plan->chain_id, fault);
	if (status == STATUS_OK)
		status = add_account(g, &account, operator_aitbc);
	if (status == STATUS_OK)
		status = genesis_add_operator(g, &address, &account);
	secret_wipe(&validator, sizeof validator);
	secret_wipe(&node, sizeof node);
	return status;
}

static enum status home_of(char out[NODE_PATH_BYTES], const struct homes_plan *plan, uint32_t index)
{
	char name[32];
	snprintf(name, sizeof name, "node%u", index);
	if (!plan->single_home)
		return files_join(out, plan->output, name);
	snprintf(out, NODE_PATH_BYTES, "%s", plan->output);
	return STATUS_OK;
}

/* Each home lists the nodes of all others. */
static enum status make_peers(
	const struct homes_plan *plan, const struct net_peer *nodes, char fault[NODE_FAULT_BYTES])
{
	char home[NODE_PATH_BYTES], path[NODE_PATH_BYTES];
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < plan->validators && status == STATUS_OK; i++) {
		struct net_peer others[PEERS_MAX];
		struct buf text;
		memcpy(others, nodes, i * sizeof *nodes);
		memcpy(others + i, nodes + i + 1, (plan->validators - i - 1) * sizeof *nodes);
		buf_init(&text, 0);
		peers_file_write(&text, others, plan->validators - 1);
		status = home_of(home, plan, i);
		if (status == STATUS_OK)
			status = files_join(path, home, "peers.json");
		if (status == STATUS_OK)
			status = files_create(path, 0644, buf_view(&text), fault);
		buf_fini(&text);
	}
	return status;
}

static enum status make_all(
	struct genesis *g, const struct homes_plan *plan, char fault[NODE_FAULT_BYTES])
{
	char home[NODE_PATH_BYTES], path[NODE_PATH_BYTES], first[NODE_PATH_BYTES];
	struct net_peer nodes[PEERS_MAX + 1];
	enum status status = files_mkdir(plan->output, 0700, fault);
	for (uint32_t i = 0; i < plan->validators && status == STATUS_OK; i++) {
		status = home_of(home, plan, i);
		if (status == STATUS_OK)
			status = make_node(g, &nodes[i], plan, home, i, fault);
	}
	if (status == STATUS_OK)
		status = make_peers(plan, nodes, fault);
	if (status == STATUS_OK)
		status = home_of(first, plan, 0);
	if (status == STATUS_OK)
		status = files_join(path, first, "coordinator");
	if (status == STATUS_OK)
		status = files_mkdir(path, 0700, fault);
	if (status == STATUS_OK)
		status = coordinator_keys_create(path, MINERS, random_bytes, NULL, fault);
	if (status == STATUS_OK)
		status = make_users(g, plan, first, fault);
	struct genesis_fault genesis_fault = {""};
	if (status == STATUS_OK) {
		status = genesis_seal(g, &genesis_fault);
		if (status != STATUS_OK)
			snprintf(fault, NODE_FAULT_BYTES, "%.250s", genesis_fault.text);
	}
	struct buf text;
	buf_init(&text, GENESIS_BYTES_MAX_ON_DISK);
	if (status == STATUS_OK)
		genesis_write(&text, g);
	for (uint32_t i = 0; i < plan->validators && status == STATUS_OK; i++) {
		status = home_of(home, plan, i);
		if (status == STATUS_OK)
			status = files_join(path, home, "genesis.json");
		if (status == STATUS_OK)
			status = files_create(path, 0644, buf_view(&text), fault);
	}
	buf_fini(&text);
	return status;
}

enum status homes_make(const struct homes_plan *plan, char fault[NODE_FAULT_BYTES])
{
	if (plan->validators < 1 || plan->validators > HOMES_MAX) {
		snprintf(fault, NODE_FAULT_BYTES, "--validators: 1 to %d", HOMES_MAX);
		return STATUS_INVALID;
	}
	if (!keystore_chain_is_devnet(plan->chain_id)) {
		snprintf(fault, NODE_FAULT_BYTES,
			"--chain-id %s: homes are made with plain account keys, for devnets only; "
			"choose a "
			"chain id that starts with \"devnet\"",
			plan->chain_id);
		return STATUS_REFUSED;
	}
	if (strlen(plan->chain_id) > CHAIN_ID_BYTES_MAX) {
		snprintf(fault, NODE_FAULT_BYTES, "--chain-id: at most %d bytes",
			CHAIN_ID_BYTES_MAX);
		return STATUS_INVALID;
	}
	if (plan->base_port + HOMES_PORTS_PER_NODE * plan->validators > 65535 + 1u) {
		snprintf(fault, NODE_FAULT_BYTES, "--base-port %u: %u nodes take %u ports",
			plan->base_port, plan->validators, HOMES_PORTS_PER_NODE * plan->validators);
		return STATUS_INVALID;
	}
	struct genesis *g = malloc(sizeof *g);
	if (!g)
		return STATUS_NO_MEMORY;
	genesis_init(g, GENESIS_APP_SETTLE);
	snprintf(g->chain_id, sizeof g->chain_id, "%s", plan->chain_id);
	g->time = timestamp_of_ms(plan->now_ms);
	g->initial_height = 1;
	snprintf(fault, NODE_FAULT_BYTES, "%s: a path is too long, or no memory", plan->output);
	enum status status = make_all(g, plan, fault);
	genesis_fini(g);
	free(g);
	return status;
}
