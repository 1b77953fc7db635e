/* docs/protocol.md says what the code does: its tables are the code's, its example is computed
 * again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/merkle.h"
#include "chain/settle/params.h"
#include "chain/settle/state.h"
#include "chain/settle/tree.h"
#include "chain/tx.h"
#include "genesis/genesis.h"

static char *document;

static int reads_the_document(void **state)
{
	uint8_t seed[32] = {1};
	FILE *file = fopen(DOCUMENT, "rb");
	long size;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	rewind(file);
	document = calloc(1, (size_t)size + 1);
	assert_int_equal(fread(document, 1, (size_t)size, file), (size_t)size);
	fclose(file);
	assert_true(keys_start(seed));
	return 0;
}

static int frees_the_document(void **state)
{
	free(document);
	return 0;
}

/* The text between two headings. */
static char *section(const char *heading, const char *next)
{
	const char *from = strstr(document, heading);
	const char *to = from ? strstr(from, next) : NULL;

	assert_non_null(from);
	assert_non_null(to);
	return strndup(from, (size_t)(to - from));
}

static void the_list_of_refusals_is_the_enum(void **state)
{
	char *text = section("## 7. Refusals", "## 8.");
	unsigned expected = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char name[64];
		unsigned code;

		if (sscanf(line, "| %u | %63[a-z_] |", &code, name) != 2)
			continue;
		assert_int_equal(code, expected++);
		assert_string_equal(name, settle_code_name(code));
	}
	assert_int_equal(expected, SETTLE_CODES);
	free(text);
}

static void the_table_of_parameters_is_the_codes(void **state)
{
	char *text = section("## 8. Settlement parameters", "## 9.");
	size_t count, expected = 0;
	const struct settle_param *table = settle_param_table(&count);

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long long preset, min, max;
		char name[64];

		if (sscanf(line, "| %63[a-z_] | %llu | %llu | %llu |", name, &preset, &min, &max) !=
			4)
			continue;
		assert_true(expected < count);
		assert_string_equal(name, table[expected].name);
		assert_int_equal(preset, table[expected].preset);
		assert_int_equal(min, table[expected].min);
		assert_int_equal(max, table[expected].max);
		expected++;
	}
	assert_int_equal(expected, count);
	free(text);
}

/* The genesis room keeps a table of its own. */
static void a_genesis_has_the_same_defaults_and_ranges(void **state)
{
	static struct genesis g;
	struct validator_key validator = {{1}};
	struct validator_address seat = validator_address_of(&validator);
	struct account_address rich = {{1}};
	struct genesis_fault fault;
	size_t count;
	const struct settle_param *table = settle_param_table(&count);

	for (size_t i = 0; i < count; i++) {
		const uint64_t tries[] = {
			table[i].min, table[i].max, table[i].max + 1, table[i].min - 1};

		for (size_t j = 0; j < (table[i].min > 0 ? 4u : 3u); j++) {
			enum status sealed;

			genesis_init(&g, GENESIS_APP_SETTLE);
			assert_int_equal(settle_param_get(&g.params, &table[i]), table[i].preset);
			strcpy(g.chain_id, "ranges");
			g.time.seconds = 1700000000;
			g.initial_height = 1;
			g.treasury = rich;
			g.has_treasury = true;
			assert_int_equal(genesis_add_validator(&g, &validator, 1, ""), STATUS_OK);
			assert_int_equal(
				genesis_add_account(&g, &rich, amount_of(1000000)), STATUS_OK);
			assert_int_equal(genesis_add_operator(&g, &seat, &rich), STATUS_OK);
			settle_param_set(&g.params, &table[i], tries[j]);
			sealed = genesis_seal(&g, &fault);
			/* Of two parameters in range the least ttl may still exceed the most. */
			if (settle_params_fault(&g.params) != NULL)
				assert_int_equal(sealed, STATUS_INVALID);
			else if (sealed != STATUS_OK)
				fail_msg("%s = %llu: %s", table[i].name,
					(unsigned long long)tries[j], fault.text);
			genesis_fini(&g);
		}
	}
}

/* ---- the example ---- */

static int mistakes;

/* "name = hex" stands in the document. */
static void says(const char *name, const void *data, size_t len)
{
	char *hex = calloc(1, 2 * len + 1);
	char *line = calloc(1, strlen(name) + 2 * len + 8);

	hex_lower(hex, data, len);
	sprintf(line, "\n%s = %s\n", name, hex);
	if (!strstr(document, line)) {
		print_error("docs/protocol.md should say:%s", line);
		mistakes++;
	}
	free(line);
	free(hex);
}

static void says_text(const char *name, const char *text)
{
	char line[256];

	snprintf(line, sizeof line, "\n%s = %s\n", name, text);
	if (!strstr(document, line)) {
		print_error("docs/protocol.md should say:%s", line);
		mistakes++;
	}
}

static void says_message(const char *name, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = calloc(1, len + 1);

	protobuf_c_message_pack(message, packed);
	says(name, packed, len);
	free(packed);
}

struct example {
	struct account_secret client_secret, miner_secret, coordinator_secret;
	struct account_key client, miner, coordinator;
	struct account_address client_address, miner_address, coordinator_address;
	struct validator_key validator;
	struct validator_address validator_address;
	struct hash32 chain_tag;
};

static struct example example;

static ProtobufCBinaryData view(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static void example_keys(void)
{
	struct validator_secret seed;

	memset(example.client_secret.b, 0x11, 32);
	memset(example.miner_secret.b, 0x22, 32);
	memset(example.coordinator_secret.b, 0x33, 32);
	memset(seed.seed, 0x44, 32);
	assert_true(account_key_of(&example.client, &example.client_secret));
	assert_true(account_key_of(&example.miner, &example.miner_secret));
	assert_true(account_key_of(&example.coordinator, &example.coordinator_secret));
	example.client_address = account_address_of(&example.client);
	example.miner_address = account_address_of(&example.miner);
	example.coordinator_address = account_address_of(&example.coordinator);
	example.validator = validator_key_of(&seed);
	example.validator_address = validator_address_of(&example.validator);
	says("client_key", example.client.b, 33);
	says("client_address", example.client_address.b, 20);
	says("miner_key", example.miner.b, 33);
	says("validator_key", example.validator.b, 32);
}

/* By hand, from the schema. */
static void example_chain(void)
{
	Pb__ChainTag tag = PB__CHAIN_TAG__INIT;
	Pb__GenesisValidator validator = PB__GENESIS_VALIDATOR__INIT;
	Pb__GenesisValidator *validators[] = {&validator};
	Pb__ConsensusParams consensus = PB__CONSENSUS_PARAMS__INIT;
	Pb__EngineParams engine = PB__ENGINE_PARAMS__INIT;
	Pb__SettleParams params;
	Pb__AppState app = PB__APP_STATE__INIT;
	Pb__GenesisAccount account = PB__GENESIS_ACCOUNT__INIT;
	Pb__GenesisAccount other = PB__GENESIS_ACCOUNT__INIT;
	Pb__GenesisAccount *accounts[] = {&other, &account};
	Pb__GenesisOperator seat = PB__GENESIS_OPERATOR__INIT;
	Pb__GenesisOperator *seats[] = {&seat};
	uint8_t packed[1024];
	struct bytes part;

	validator.key = view(example.validator.b, 32);
	validator.power = 10;
	consensus.block_max_bytes = 4194304;
	consensus.block_max_gas = -1;
	consensus.evidence_max_age_num_blocks = 100000;
	consensus.evidence_max_age_ns = 172800000000000;
	consensus.evidence_max_bytes = 1048576;
	consensus.app_version = 1;
	engine.heartbeat_ms = 5000;
	engine.gather_ms = 20;
	engine.precision_ms = 500;
	engine.message_delay_ms = 2000;
	settle_params_preset(&params);
	account.address = view(example.client_address.b, 20);
	account.balance = 1000000000;
	other.address = view(example.coordinator_address.b, 20);
	other.balance = 1000000;
	assert_true(memcmp(other.address.data, account.address.data, 20) < 0);
	seat.validator = view(example.validator_address.b, 20);
	seat.account = view(example.coordinator_address.b, 20);
	app.params = &params;
	app.treasury = view(example.coordinator_address.b, 20);
	app.accounts = accounts;
	app.n_accounts = 2;
	app.operators = seats;
	app.n_operators = 1;
	tag.chain_id = (char *)(uintptr_t) "example-1";
	tag.genesis_seconds = 1700000000;
	tag.initial_height = 1;
	tag.validators = validators;
	tag.n_validators = 1;
	tag.consensus_params = &consensus;
	tag.engine = &engine;
	tag.app_state = &app;
	assert_true(pb__chain_tag__get_packed_size(&tag) <= sizeof packed);
	part = bytes_view(packed, pb__chain_tag__pack(&tag, packed));
	example.chain_tag = hash_domain("aitbc/chain/1", &part, 1);
	says_message("chain_tag_message", &tag.base);
	says("chain_tag", example.chain_tag.b, 32);
}

/* The same chain by the genesis room's road. */
static void example_genesis_agrees(void)
{
	static struct genesis g;
	struct genesis_fault fault;

	genesis_init(&g, GENESIS_APP_SETTLE);
	strcpy(g.chain_id, "example-1");
	g.time.seconds = 1700000000;
	g.initial_height = 1;
	g.consensus.evidence_max_age_num_blocks = 100000;
	g.consensus.evidence_max_age_ns = 172800000000000;
	g.consensus.evidence_max_bytes = 1048576;
	g.consensus.app_version = 1;
	g.engine.interval_ms = 0;
	g.treasury = example.coordinator_address;
	g.has_treasury = true;
	assert_int_equal(genesis_add_validator(&g, &example.validator, 10, ""), STATUS_OK);
	assert_int_equal(
		genesis_add_account(&g, &example.client_address, amount_of(1000000000)), STATUS_OK);
	assert_int_equal(genesis_add_account(&g, &example.coordinator_address, amount_of(1000000)),
		STATUS_OK);
	assert_int_equal(
		genesis_add_operator(&g, &example.validator_address, &example.coordinator_address),
		STATUS_OK);
	if (genesis_seal(&g, &fault) != STATUS_OK)
		fail_msg("%s", fault.text);
	assert_memory_equal(g.chain_tag.b, example.chain_tag.b, 32);
	genesis_fini(&g);
}

static void example_transfer(void)
{
	Pb__Transfer transfer = PB__TRANSFER__INIT;
	Pb__Action action = PB__ACTION__INIT;
	Pb__Action *actions[] = {&action};
	Pb__TxBody body = PB__TX_BODY__INIT;
	struct buf raw = {0};
	struct arena arena;
	struct tx tx;
	struct hash32 hash, leaf;
	enum status local;
	char fault[64];

	transfer.to = view(example.miner_address.b, 20);
	transfer.amount = 250000;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &transfer;
	body.fee = 1000;
	body.actions = actions;
	body.n_actions = 1;
	tx_sign(&raw, &body, &example.client_secret, &example.client, &example.chain_tag);
	arena_init(&arena, 1024 * 1024);
	assert_int_equal(tx_decode(&tx, &arena, buf_view(&raw), &local, fault), SETTLE_OK);
	assert_true(tx_verify(&tx, &example.chain_tag));
	says("tx_body", tx.body_raw.data, tx.body_raw.len);
	hash = tx_digest(&example.chain_tag, &example.client, tx.body_raw);
	says("tx_digest", hash.b, 32);
	says("tx_signature", tx.signature.b, 64);
	says("tx", raw.data, raw.len);
	hash = sha256(buf_view(&raw));
	says("tx_hash", hash.b, 32);
	/* One ActionResult whose every field is its default: no bytes at all. */
	leaf = merkle_leaf(bytes_view(NULL, 0));
	says("tx_data", leaf.b, 32);
	arena_fini(&arena);
	buf_fini(&raw);
}

static void example_receipt(void)
{
	struct job_key job = job_key_of(&example.client_address, bytes_of_text("job-1"));
	struct hash32 payload = sha256(bytes_of_text("payload"));
	struct hash32 result = sha256(bytes_of_text("result"));
	Pb__Receipt r = PB__RECEIPT__INIT;
	struct account_signature signature;
	struct hash32 digest;
	char id[33];

	receipt_id_of(id, &example.chain_tag, &job, 1);
	says("job_key", job.b, job.len);
	says_text("receipt_id", id);
	r.receipt_id = id;
	r.client = view(example.client_address.b, 20);
	r.job_id = (char *)(uintptr_t) "job-1";
	r.attempt = 1;
	r.submit_height = 7;
	r.coordinator = view(example.coordinator_address.b, 20);
	r.miner = view(example.miner.b, 33);
	r.service = (char *)(uintptr_t) "llm/inference";
	r.payload_hash = view(payload.b, 32);
	r.unit_type = (char *)(uintptr_t) "second";
	r.units_milli = 12500;
	r.unit_price = 20000;
	r.amount = receipt_amount(12500, 60000, 20000, 1000000);
	assert_int_equal(r.amount, 250000);
	r.result_hash = view(result.b, 32);
	r.started_ms = 1700000001000;
	r.completed_ms = 1700000013500;
	says_message("receipt_unsigned", &r.base);
	digest = receipt_hash(&r);
	says("receipt_hash", digest.b, 32);
	digest = receipt_digest(&r, &example.chain_tag);
	says("receipt_digest", digest.b, 32);
	account_sign(&signature, &example.miner_secret, &digest);
	says("receipt_signature", signature.b, 64);
	digest = release_digest(&example.chain_tag, &job, 1, &example.miner, 1);
	says("release_digest", digest.b, 32);
}

static void example_proposal(void)
{
	Pb__ValidatorChange comes = PB__VALIDATOR_CHANGE__INIT, goes = PB__VALIDATOR_CHANGE__INIT;
	Pb__ValidatorChange *changes[] = {&comes, &goes};
	Pb__ValidatorsChange validators = PB__VALIDATORS_CHANGE__INIT;
	Pb__AuthorityProposal proposal = PB__AUTHORITY_PROPOSAL__INIT;
	struct validator_secret seed;
	struct validator_key key;
	struct hash32 hash;

	memset(seed.seed, 0x55, 32);
	key = validator_key_of(&seed);
	comes.key = view(key.b, 32);
	comes.power = 10;
	comes.account = view(example.coordinator_address.b, 20);
	goes.key = view(example.validator.b, 32);
	validators.changes = changes;
	validators.n_changes = 2;
	proposal.reference = (char *)(uintptr_t) "june";
	proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS;
	proposal.validators = &validators;
	says_message("proposal", &proposal.base);
	hash = proposal_hash(&proposal, &example.chain_tag);
	says("proposal_hash", hash.b, 32);
}

static void example_state(void)
{
	struct state_key key = state_key_account(&example.client_address);
	struct account account = {.balance = 250000, .next_sequence = 1};
	uint8_t packed[ACCOUNT_BYTES_MAX];
	struct bytes value = bytes_view(packed, account_pack(packed, &account));
	struct tree_change change = {
		sha256(state_key_view(&key)), tree_leaf(state_key_view(&key), value), false};
	struct tree tree;
	struct hash32 root, app_hash;

	says("state_key", key.b, key.len);
	says("state_value", value.data, value.len);
	tree_init(&tree);
	assert_int_equal(tree_update(&tree, &change, 1), STATUS_OK);
	root = tree_root(&tree, TREE_WORK);
	says("state_root", root.b, 32);
	app_hash = tree_leaf(bytes_of_text("settle"), hash_view(&root));
	says("app_hash", app_hash.b, 32);
	tree_fini(&tree);
}

static void the_example_is_what_the_code_computes(void **state)
{
	example_keys();
	example_chain();
	example_genesis_agrees();
	example_transfer();
	example_receipt();
	example_proposal();
	example_state();
	assert_int_equal(mistakes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_of_refusals_is_the_enum),
		cmocka_unit_test(the_table_of_parameters_is_the_codes),
		cmocka_unit_test(a_genesis_has_the_same_defaults_and_ranges),
		cmocka_unit_test(the_example_is_what_the_code_computes),
	};

	return cmocka_run_group_tests(tests, reads_the_document, frees_the_document);
}
