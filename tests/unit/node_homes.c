/* node/homes: what `aitbcd init` and `aitbcd testnet` make can be started, is secret where it must
 * be, and is never made twice. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hex.h"
#include "node/config.h"
#include "node/homes.h"
#include "node/peers_file.h"
#include "tests/unit/node_place.h"
#include "wallet/keystore.h"

enum { NOW_MS = 1700000000 };

static char fault[NODE_FAULT_BYTES];

static int set_up(void **state)
{
	struct place *p = malloc(sizeof *p);
	place_make(p);
	fault[0] = 0;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	place_remove(*state);
	free(*state);
	return 0;
}

static struct homes_plan plan_of(const char *output)
{
	return (struct homes_plan){
		.output = output,
		.chain_id = "devnet-test",
		.validators = 1,
		.single_home = true,
		.base_port = 26656,
		.now_ms = NOW_MS,
	};
}

static void parse(struct genesis *out, const struct place *p, const char *name)
{
	struct buf text = {0};
	struct genesis_fault why = {""};
	assert_int_equal(files_read(&text, place_path(p, name), 1 << 20, fault), STATUS_OK);
	assert_int_equal(genesis_parse(out, buf_view(&text), GENESIS_APP_SETTLE, &why), STATUS_OK);
	buf_fini(&text);
}

static void a_made_home_parses_and_its_key_is_the_validator(void **state)
{
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "home"));
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);

	static struct genesis g;
	parse(&g, p, "home/genesis.json");
	assert_string_equal(g.chain_id, "devnet-test");
	assert_int_equal(timestamp_ms(g.time), NOW_MS);
	assert_int_equal(g.validator_count, 1);
	struct validator_secret secret;
	assert_int_equal(homes_read_key(&secret, place_path(p, "home/validator_key.json"), fault),
		STATUS_OK);
	struct validator_key key = validator_key_of(&secret);
	assert_memory_equal(key.b, g.validators[0].key.b, sizeof key.b);
	genesis_fini(&g);

	struct config config;
	config_defaults(&config);
	assert_int_equal(config_read(&config, place_path(p, "home"), fault), STATUS_OK);
	assert_true(config.coordinator_enabled);
	assert_int_equal(config.p2p_port, 26656);
	assert_int_equal(config.rpc_port, 26657);
	assert_int_equal(config.metrics_port, 9090);
}

static void secrets_are_for_their_owner_alone(void **state)
{
	static const char *const secret[] = {"home/validator_key.json", "home/node_key.json",
		"home/operator.json", "home/coordinator/key.json", "home/coordinator/keys.json",
		"home/keys/client.json", "home/keys/miner1.json", "home/keys/faucet.json",
		"home/keys/treasury.json"};
	static const char *const folders[] = {"home", "home/coordinator", "home/keys"};
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "home"));
	mode_t mask = umask(0); /* a careless operator */
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);
	umask(mask);
	for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
		assert_int_equal(place_mode(p, secret[i]), 0600);
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		assert_int_equal(place_mode(p, folders[i]), 0700);
}

static void the_accounts_made_are_those_the_genesis_pays(void **state)
{
	static const char *const accounts[] = {"home/operator.json", "home/coordinator/key.json",
		"home/keys/client.json", "home/keys/miner1.json", "home/keys/miner2.json",
		"home/keys/faucet.json", "home/keys/treasury.json"};
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "home"));
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);
	static struct genesis g;
	parse(&g, p, "home/genesis.json");
	size_t count = sizeof accounts / sizeof accounts[0];
	assert_int_equal(g.account_count, count);
	for (size_t i = 0; i < count; i++) {
		struct account_secret secret;
		struct keystore_info info;
		assert_int_equal(
			keystore_load(&secret, &info, place_path(p, accounts[i]), NULL, fault),
			STATUS_OK);
		assert_true(info.plain);
		size_t found = 0;
		for (size_t j = 0; j < g.account_count; j++)
			found += account_address_equal(&g.accounts[j].address, &info.address);
		assert_int_equal(found, 1);
	}
	genesis_fini(&g);
}

static void homes_of_a_testnet_share_one_genesis_and_no_key_or_port(void **state)
{
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "net"));
	plan.validators = 4;
	plan.single_home = false;
	plan.own_ports = true;
	plan.base_port = 30000;
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);
	static struct genesis g;
	parse(&g, p, "net/node0/genesis.json");
	assert_int_equal(g.validator_count, 4);
	static char first[1 << 18], other[1 << 18];
	size_t len = place_read(p, "net/node0/genesis.json", first, sizeof first);
	char ids[4][41];
	for (unsigned i = 0; i < 4; i++) {
		char name[64];
		snprintf(name, sizeof name, "net/node%u/genesis.json", i);
		assert_int_equal(place_read(p, name, other, sizeof other), len);
		assert_memory_equal(first, other, len);

		struct validator_secret secret;
		snprintf(name, sizeof name, "net/node%u/validator_key.json", i);
		assert_int_equal(homes_read_key(&secret, place_path(p, name), fault), STATUS_OK);
		struct validator_key key = validator_key_of(&secret);
		size_t found = 0;
		for (size_t j = 0; j < g.validator_count; j++)
			found += memcmp(g.validators[j].key.b, key.b, sizeof key.b) == 0;
		assert_int_equal(found, 1);

		snprintf(name, sizeof name, "net/node%u/node_key.json", i);
		assert_int_equal(homes_read_key(&secret, place_path(p, name), fault), STATUS_OK);
		homes_node_id(ids[i], &secret);
		assert_int_equal(strlen(ids[i]), 40);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);

		struct config config;
		config_defaults(&config);
		snprintf(name, sizeof name, "net/node%u", i);
		assert_int_equal(config_read(&config, place_path(p, name), fault), STATUS_OK);
		assert_int_equal(config.p2p_port, 30000 + 10 * i);
		assert_int_equal(config.rpc_port, 30001 + 10 * i);
		assert_int_equal(config.metrics_port, 30003 + 10 * i);
		assert_int_equal(config.coordinator_enabled, i == 0);
	}
	genesis_fini(&g);
}

/* ---- peers.json ---- */

static void homes_of_a_testnet_list_each_other(void **state)
{
	enum { NODES = 4 };
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "net"));
	plan.validators = NODES;
	plan.single_home = false;
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);
	struct validator_key keys[NODES];
	char name[64];
	for (unsigned i = 0; i < NODES; i++) {
		struct validator_secret secret;
		snprintf(name, sizeof name, "net/node%u/node_key.json", i);
		assert_int_equal(homes_read_key(&secret, place_path(p, name), fault), STATUS_OK);
		keys[i] = validator_key_of(&secret);
	}
	for (unsigned i = 0; i < NODES; i++) {
		static struct peer_list list;
		snprintf(name, sizeof name, "net/node%u", i);
		assert_int_equal(
			peers_file_read(&list, place_path(p, name), &keys[i], fault), STATUS_OK);
		assert_int_equal(list.count, NODES - 1);
		for (unsigned j = 0; j < list.count; j++) {
			unsigned other = j < i ? j : j + 1;
			snprintf(name, sizeof name, "node%u", other);
			assert_string_equal(list.peers[j].name, name);
			assert_memory_equal(list.peers[j].key.b, keys[other].b, 32);
			assert_string_equal(list.peers[j].host, "127.0.0.1");
			assert_int_equal(list.peers[j].port, 26656 + 10 * other);
		}
	}
}

static void a_single_home_lists_nobody(void **state)
{
	static const struct validator_key me;
	static struct peer_list list;
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "home"));
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);
	assert_true(place_has(p, "home/peers.json"));
	list.count = 9;
	assert_int_equal(peers_file_read(&list, place_path(p, "home"), &me, fault), STATUS_OK);
	assert_int_equal(list.count, 0);
	list.count = 9; /* no file is no peers either */
	assert_int_equal(peers_file_read(&list, p->dir, &me, fault), STATUS_OK);
	assert_int_equal(list.count, 0);
}

#define KEY_A "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\""
#define KEY_B "\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\""
#define ENTRY(name, key, address)                                                                  \
	"{\"name\": \"" name "\", \"key\": " key ", \"address\": \"" address "\"}"

static enum status read_peers(struct place *p, struct peer_list *list, const char *text)
{
	struct validator_key me;
	memset(me.b, 2, sizeof me.b); /* KEY_B */
	place_write(p, "peers.json", text, strlen(text));
	return peers_file_read(list, p->dir, &me, fault);
}

static void a_list_of_peers_survives_the_file(void **state)
{
	static struct peer_list list, again;
	struct place *p = *state;
	assert_int_equal(read_peers(p, &list,
				 "[" ENTRY("a.b-c_9", KEY_A, "10.0.0.1:1") "," ENTRY("z",
					 "\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\"",
					 "[2001:db8::7]:65535") "]"),
		STATUS_OK);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.peers[1].host, "2001:db8::7");
	assert_int_equal(list.peers[1].port, 65535);
	struct buf text = {0};
	peers_file_write(&text, list.peers, list.count);
	assert_int_equal(read_peers(p, &again, buf_text(&text)), STATUS_OK);
	assert_memory_equal(&list, &again, sizeof list);
	buf_fini(&text);
}

static void a_wrong_list_of_peers_is_refused_by_its_place(void **state)
{
	static const struct {
		const char *text, *says;
	} table[] = {
		{"", "peers.json"},
		{"{}", "no array"},
		{"[1]", "[0].: not an object"},
		{"[{}]", "[0].name"},
		{"[" ENTRY("", KEY_A, "1.2.3.4:1") "]", "[0].name"},
		{"[" ENTRY("a b", KEY_A, "1.2.3.4:1") "]", "[0].name"},
		{"[" ENTRY("a=\\n", KEY_A, "1.2.3.4:1") "]", "[0].name"},
		{"[" ENTRY("a", "\"AQE=\"", "1.2.3.4:1") "]", "[0].key"},
		{"[" ENTRY("a", "7", "1.2.3.4:1") "]", "[0].key"},
		{"[" ENTRY("a", KEY_B, "1.2.3.4:1") "]", "[0].key: this node's own"},
		{"[" ENTRY("a", KEY_A, "1.2.3.4") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "1.2.3.4:") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "1.2.3.4:0") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "1.2.3.4:65536") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "1.2.3.4:+1") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "1.2.3.4:1 ") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "::1:1") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "[1.2.3.4]:1") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "[]:1") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "localhost:1") "]", "[0].address"},
		{"[" ENTRY("a", KEY_A, "") "]", "[0].address"},
		{"[{\"name\": \"a\", \"key\": " KEY_A ", \"address\": \"1.2.3.4:1\", \"port\": 1}]",
			"[0].*"},
		{"[" ENTRY("a", KEY_A, "1.2.3.4:1") "," ENTRY("b", KEY_A, "1.2.3.4:2") "]",
			"[1].key: listed before"},
		{"[" ENTRY("a", KEY_A, "1.2.3.4:1") "," ENTRY(
			 "a", "\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\"", "1.2.3.4:2") "]",
			"[1].name: listed before"},
	};
	static struct peer_list list;
	struct place *p = *state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (read_peers(p, &list, table[i].text) != STATUS_INVALID)
			fail_msg("accepted: %s", table[i].text);
		if (!strstr(fault, table[i].says))
			fail_msg("%s: says %s", table[i].text, fault);
	}
	struct buf many = {0};
	for (int i = 0; i <= PEERS_MAX; i++)
		buf_append_text(&many, i ? ",{}" : "[{}");
	buf_append_text(&many, "]");
	assert_int_equal(read_peers(p, &list, buf_text(&many)), STATUS_INVALID);
	assert_non_null(strstr(fault, "65 nodes, 64 at most"));
	buf_fini(&many);
}

static void a_home_is_never_made_over_another(void **state)
{
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "home"));
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);
	char before[4096], after[4096];
	size_t len = place_read(p, "home/validator_key.json", before, sizeof before);
	assert_int_equal(homes_make(&plan, fault), STATUS_BUSY);
	assert_non_null(strstr(fault, "home"));
	assert_int_equal(place_read(p, "home/validator_key.json", after, sizeof after), len);
	assert_memory_equal(before, after, len);
}

static void a_plan_that_makes_no_sense_makes_nothing(void **state)
{
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "home"));
	plan.validators = 0;
	assert_int_equal(homes_make(&plan, fault), STATUS_INVALID);
	plan.validators = PEERS_MAX + 2; /* each links with all others */
	assert_int_equal(homes_make(&plan, fault), STATUS_INVALID);
	plan = plan_of(place_path(p, "home"));
	plan.chain_id = "mainnet-1"; /* its keys would lie about in plain */
	assert_int_equal(homes_make(&plan, fault), STATUS_REFUSED);
	char text[300] = "devnet-";
	memset(text + 7, 'x', sizeof text - 8);
	plan.chain_id = text;
	assert_int_equal(homes_make(&plan, fault), STATUS_INVALID);
	assert_false(place_has(p, "home"));
}

static void ports_past_the_last_one_are_refused(void **state)
{
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "net"));
	plan.single_home = false;
	plan.own_ports = true;
	plan.base_port = 65000;
	plan.validators = 100;
	assert_int_equal(homes_make(&plan, fault), STATUS_INVALID);
	assert_false(place_has(p, "net"));
}

/* ---- key files ---- */

static void a_key_that_others_can_read_is_refused(void **state)
{
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "home"));
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);
	const char *path = place_path(p, "home/validator_key.json");
	static const mode_t modes[] = {0640, 0604, 0620, 0601, 0644};
	struct validator_secret secret;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_int_equal(homes_read_key(&secret, path, fault), STATUS_REFUSED);
		assert_non_null(strstr(fault, "chmod 600"));
	}
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(homes_read_key(&secret, path, fault), STATUS_OK);
}

static enum status read_key_text(struct place *p, struct buf *text)
{
	struct validator_secret secret;
	assert_true(buf_ok(text));
	place_write(p, "key.json", text->data, text->len);
	assert_int_equal(chmod(place_path(p, "key.json"), 0600), 0);
	enum status status = homes_read_key(&secret, place_path(p, "key.json"), fault);
	buf_fini(text);
	return status;
}

static enum status read_pair(struct place *p, const uint8_t *pair, size_t len)
{
	struct buf text = {0};
	buf_append_text(
		&text, "{\"priv_key\": {\"type\": \"tendermint/PrivKeyEd25519\", \"value\": \"");
	buf_append_base64(&text, pair, len);
	buf_append_text(&text, "\"}}");
	return read_key_text(p, &text);
}

static void a_pair_whose_halves_do_not_belong_together_is_refused(void **state)
{
	struct place *p = *state;
	uint8_t pair[65] = {1, 2, 3};
	struct validator_secret secret;
	memcpy(secret.seed, pair, sizeof secret.seed);
	struct validator_key key = validator_key_of(&secret);
	memcpy(pair + 32, key.b, 32);
	assert_int_equal(read_pair(p, pair, 64), STATUS_OK);
	for (size_t at = 0; at < 64; at += 21) {
		pair[at] ^= 1;
		assert_int_equal(read_pair(p, pair, 64), STATUS_INVALID);
		pair[at] ^= 1;
	}
	assert_int_equal(read_pair(p, pair, 63), STATUS_INVALID);
	assert_int_equal(read_pair(p, pair, 65), STATUS_INVALID);
	assert_int_equal(read_pair(p, pair, 32), STATUS_INVALID);
	assert_int_equal(read_pair(p, pair, 0), STATUS_INVALID);
}

static void what_is_no_key_file_is_refused(void **state)
{
	static const char *const table[] = {"", "{}", "[]", "1", "{\"priv_key\": 1}",
		"{\"priv_key\": {\"value\": 1}}", "{\"priv_key\": {\"value\": \"%%\"}}",
		"{\"priv_key\": {}}", "{\"priv_key\": {\"value\": \"\"}}"};
	struct place *p = *state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct buf text = {0};
		buf_append_text(&text, table[i]);
		assert_int_equal(read_key_text(p, &text), STATUS_INVALID);
	}
	struct buf large = {0};
	memset(buf_extend(&large, 5000), ' ', 5000);
	assert_int_equal(read_key_text(p, &large), STATUS_INVALID);
	struct validator_secret secret;
	assert_int_equal(
		homes_read_key(&secret, place_path(p, "none.json"), fault), STATUS_NOT_FOUND);
	assert_int_equal(homes_read_key(&secret, p->dir, fault), STATUS_IO);
}

static int start(void **state)
{
	static const uint8_t seed[32] = {9};
	return keys_start(seed) ? 0 : -1;
}

static void a_home_that_joins_has_keys_of_its_own_and_the_chains_documents(void **state)
{
	struct place *p = *state;
	struct homes_plan plan = plan_of(place_path(p, "net"));
	plan.validators = 2;
	plan.single_home = false;
	assert_int_equal(homes_make(&plan, fault), STATUS_OK);
	const char *home = place_path(p, "joined");
	const char *genesis = place_path(p, "net/node0/genesis.json");
	const char *peers = place_path(p, "net/node0/peers.json");
	const char *none = place_path(p, "none");
	static struct config config;
	config_defaults(&config);
	/* What can't be read leaves nothing behind, so that it can be tried again. */
	assert_int_equal(homes_join(home, none, peers, &config, fault), STATUS_NOT_FOUND);
	assert_int_equal(homes_join(home, peers, peers, &config, fault), STATUS_INVALID);
	assert_int_equal(homes_join(home, genesis, none, &config, fault), STATUS_NOT_FOUND);
	assert_int_equal(homes_join(home, genesis, genesis, &config, fault), STATUS_INVALID);
	assert_false(place_has(p, "joined/genesis.json"));
	assert_false(place_has(p, "joined/peers.json"));
	assert_int_equal(homes_join(home, genesis, peers, &config, fault), STATUS_OK);
	static char ours[1 << 18], theirs[1 << 18];
	static const char *const same[] = {"genesis.json", "peers.json"};
	for (size_t i = 0; i < 2; i++) {
		char a[64], b[64];
		snprintf(a, sizeof a, "joined/%s", same[i]);
		snprintf(b, sizeof b, "net/node0/%s", same[i]);
		size_t len = place_read(p, a, ours, sizeof ours);
		assert_int_equal(place_read(p, b, theirs, sizeof theirs), len);
		assert_memory_equal(ours, theirs, len);
	}
	static const char *const secrets[] = {"validator_key.json", "node_key.json"};
	for (size_t i = 0; i < 2; i++) {
		struct validator_secret mine, other;
		char a[64], b[64];
		snprintf(a, sizeof a, "joined/%s", secrets[i]);
		snprintf(b, sizeof b, "net/node0/%s", secrets[i]);
		assert_int_equal(place_mode(p, a), 0600);
		assert_int_equal(homes_read_key(&mine, place_path(p, a), fault), STATUS_OK);
		assert_int_equal(homes_read_key(&other, place_path(p, b), fault), STATUS_OK);
		assert_memory_not_equal(mine.seed, other.seed, sizeof mine.seed);
	}
	assert_true(place_has(p, "joined/fence"));
	assert_true(place_has(p, "joined/config.json"));
	/* Once more takes nothing away. */
	genesis = place_path(p, "net/node0/genesis.json");
	peers = place_path(p, "net/node0/peers.json");
	assert_int_equal(
		homes_join(place_path(p, "joined"), genesis, peers, &config, fault), STATUS_BUSY);
	assert_true(place_has(p, "joined/validator_key.json"));
	assert_true(place_has(p, "joined/genesis.json"));
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CLAIM(a_made_home_parses_and_its_key_is_the_validator),
		CLAIM(secrets_are_for_their_owner_alone),
		CLAIM(the_accounts_made_are_those_the_genesis_pays),
		CLAIM(a_home_that_joins_has_keys_of_its_own_and_the_chains_documents),
		CLAIM(homes_of_a_testnet_share_one_genesis_and_no_key_or_port),
		CLAIM(homes_of_a_testnet_list_each_other),
		CLAIM(a_single_home_lists_nobody),
		CLAIM(a_list_of_peers_survives_the_file),
		CLAIM(a_wrong_list_of_peers_is_refused_by_its_place),
		CLAIM(a_home_is_never_made_over_another),
		CLAIM(a_plan_that_makes_no_sense_makes_nothing),
		CLAIM(ports_past_the_last_one_are_refused),
		CLAIM(a_key_that_others_can_read_is_refused),
		CLAIM(a_pair_whose_halves_do_not_belong_together_is_refused),
		CLAIM(what_is_no_key_file_is_refused),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
