#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "genesis/genesis.h"

/* A whole document in parts, so that a case can swap one. */
struct document {
	const char *head;
	const char *consensus;
	const char *engine;
	const char *validators;
	const char *app_state;
};

/* Addresses of 20 bytes 0x01, 0x02, 0x03; keys of 32 bytes 0x11 and 0x22. */
#define KEY_A "ERERERERERERERERERERERERERERERERERERERERERE="
#define KEY_B "IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiI="

static char address_a[ADDRESS_TEXT_BYTES];
static char address_b[ADDRESS_TEXT_BYTES];
static char address_c[ADDRESS_TEXT_BYTES];
static char validator_a[41];
static char validator_b[41];

static struct account_address address_of_byte(uint8_t byte)
{
	struct account_address address;
	memset(address.b, byte, sizeof address.b);
	return address;
}

static void validator_text(char out[41], uint8_t byte)
{
	struct validator_key key;
	memset(key.b, byte, sizeof key.b);
	struct validator_address address = validator_address_of(&key);
	hex_upper(out, address.b, sizeof address.b);
}

static int setup(void **state)
{
	struct account_address a = address_of_byte(1);
	struct account_address b = address_of_byte(2);
	struct account_address c = address_of_byte(3);
	address_text(address_a, &a);
	address_text(address_b, &b);
	address_text(address_c, &c);
	validator_text(validator_a, 0x11);
	validator_text(validator_b, 0x22);
	return 0;
}

static const struct document standard = {
	"\"genesis_time\":\"2026-01-02T03:04:05.6Z\",\"chain_id\":\"devnet-1\",\"initial_height\":"
	"\"1\"",
	"{\"block\":{\"max_bytes\":\"4194304\",\"max_gas\":\"-1\"},"
	"\"evidence\":{\"max_age_num_blocks\":\"100000\",\"max_age_duration\":\"172800000000000\","
	"\"max_bytes\":\"1048576\"},\"validator\":{\"pub_key_types\":[\"ed25519\"]},"
	"\"version\":{\"app\":\"1\"},\"abci\":{\"vote_extensions_enable_height\":\"0\"}}",
	"{\"heartbeat_ms\":\"5000\",\"gather_ms\":\"20\",\"precision_ms\":\"500\","
	"\"message_delay_ms\":\"2000\",\"pace\":\"instant\",\"interval_ms\":\"0\"}",
	"[{\"pub_key\":{\"type\":\"tendermint/PubKeyEd25519\",\"value\":\"" KEY_A
	"\"},\"power\":\"10\",\"name\":\"one\"},"
	"{\"pub_key\":{\"type\":\"tendermint/PubKeyEd25519\",\"value\":\"" KEY_B
	"\"},\"power\":\"20\",\"name\":\"two\"}]",
	"{\"treasury\":\"$A\",\"accounts\":[{\"address\":\"$B\",\"balance\":\"1000000\"},"
	"{\"address\":\"$A\",\"balance\":\"5aitbc\"}],"
	"\"operators\":[{\"validator\":\"$V\",\"account\":\"$B\"}],"
	"\"coordinators\":[{\"owner\":\"$B\",\"share_ppm\":50000,\"operators\":[\"$A\"],"
	"\"url\":\"http://x\",\"accepts_new\":true}]}",
};

/* "$A", "$B", "$C": accounts; "$V", "$W": validators A and B. */
static void append_filled(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text != '$') {
			buf_append_byte(out, (uint8_t)*text);
			continue;
		}
		text++;
		buf_append_text(out, *text == 'A'   ? address_a
				     : *text == 'B' ? address_b
				     : *text == 'C' ? address_c
				     : *text == 'V' ? validator_a
						    : validator_b);
	}
}

static void spell(struct buf *out, const struct document *document)
{
	const char *const names[] = {"consensus_params", "engine", "validators", "app_state"};
	const char *const parts[] = {
		document->consensus, document->engine, document->validators, document->app_state};
	buf_init(out, 0);
	buf_append_byte(out, '{');
	append_filled(out, document->head);
	for (size_t i = 0; i < 4; i++) {
		if (parts[i] == NULL)
			continue;
		buf_appendf(out, ",\"%s\":", names[i]);
		append_filled(out, parts[i]);
	}
	buf_append_text(out, "}");
	assert_true(buf_ok(out));
}

static enum status parse(
	struct genesis *out, const struct document *document, struct genesis_fault *fault)
{
	struct buf text;
	spell(&text, document);
	enum status status = genesis_parse(out, buf_view(&text), GENESIS_APP_SETTLE, fault);
	buf_fini(&text);
	return status;
}

static void parse_well(struct genesis *out, const struct document *document)
{
	struct genesis_fault fault;
	enum status status = parse(out, document, &fault);
	if (status != STATUS_OK)
		fail_msg("refused: %s", fault.text);
}

/* ---- the second road to chain_tag: protobuf written by hand ---- */

static void put_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_append_byte(out, (uint8_t)(value | 0x80));
	buf_append_byte(out, (uint8_t)value);
}

static void put_number(struct buf *out, unsigned field, uint64_t value)
{
	put_varint(out, field << 3);
	put_varint(out, value);
}

static void put_data(struct buf *out, unsigned field, const void *data, size_t len)
{
	put_varint(out, field << 3 | 2);
	put_varint(out, len);
	buf_append(out, data, len);
}

/* Appends inner as field of out, and frees inner. */
static void put_inner(struct buf *out, unsigned field, struct buf *inner)
{
	put_data(out, field, inner->data, inner->len);
	buf_fini(inner);
}

static void put_repeated_byte(struct buf *out, unsigned field, uint8_t byte, size_t len)
{
	uint8_t data[32];
	memset(data, byte, sizeof data);
	put_data(out, field, data, len);
}

static struct buf hand_packed_params(void)
{
	struct buf params = {0};
	put_number(&params, 1, 1000);
	put_number(&params, 2, 2592000000);
	put_number(&params, 3, 86400000);
	put_number(&params, 4, 20);
	put_number(&params, 5, 1000);
	put_number(&params, 6, 10000);
	put_number(&params, 7, 600000);
	put_number(&params, 8, 10000);
	put_number(&params, 9, 100);
	put_number(&params, 10, 1);
	put_number(&params, 11, 1000);
	put_number(&params, 12, 200000);
	put_number(&params, 13, 1000);
	put_number(&params, 14, 500);
	return params;
}

static struct buf hand_packed_state(void)
{
	struct buf state = {0};
	struct buf params = hand_packed_params();
	put_inner(&state, 1, &params);
	put_repeated_byte(&state, 2, 1, 20);
	const uint64_t balances[] = {5000000, 1000000};
	for (uint8_t i = 0; i < 2; i++) {
		struct buf account = {0};
		put_repeated_byte(&account, 1, (uint8_t)(i + 1), 20);
		put_number(&account, 2, balances[i]);
		put_inner(&state, 3, &account);
	}
	struct buf row = {0};
	uint8_t validator[20];
	assert_true(hex_decode(validator, 20, validator_a, 40));
	put_data(&row, 1, validator, 20);
	put_repeated_byte(&row, 2, 2, 20);
	put_inner(&state, 4, &row);
	struct buf record = {0};
	put_number(&record, 1, 50000);
	put_repeated_byte(&record, 2, 1, 20);
	put_data(&record, 3, "http://x", 8);
	put_number(&record, 4, 1);
	struct buf coordinator = {0};
	put_repeated_byte(&coordinator, 1, 2, 20);
	put_inner(&coordinator, 2, &record);
	put_inner(&state, 5, &coordinator);
	return state;
}

static struct buf hand_packed_tag(void)
{
	struct buf tag = {0};
	put_data(&tag, 1, "devnet-1", 8);
	put_number(&tag, 2, 1767323045); /* 2026-01-02T03:04:05Z */
	put_number(&tag, 3, 600000000);
	put_number(&tag, 4, 1);
	for (int i = 0; i < 2; i++) { /* power 20 stands before power 10 */
		struct buf validator = {0};
		put_repeated_byte(&validator, 1, i == 0 ? 0x22 : 0x11, 32);
		put_number(&validator, 2, i == 0 ? 20 : 10);
		put_inner(&tag, 5, &validator);
	}
	struct buf consensus = {0};
	put_number(&consensus, 1, 4194304);
	put_number(&consensus, 2, UINT64_MAX); /* -1 */
	put_number(&consensus, 3, 100000);
	put_number(&consensus, 4, 172800000000000);
	put_number(&consensus, 5, 1048576);
	put_number(&consensus, 6, 1);
	put_inner(&tag, 6, &consensus);
	struct buf engine = {0};
	put_number(&engine, 1, 5000);
	put_number(&engine, 2, 20);
	put_number(&engine, 3, 500);
	put_number(&engine, 4, 2000);
	put_inner(&tag, 7, &engine);
	struct buf state = hand_packed_state();
	put_inner(&tag, 8, &state);
	return tag;
}

static void chain_tag_is_the_hash_of_the_content_packed_by_hand(void **state)
{
	struct genesis g;
	parse_well(&g, &standard);
	struct buf tag = hand_packed_tag();
	struct buf preimage = {0};
	buf_append(&preimage, "aitbc/chain/1", 14); /* with its NUL */
	buf_append_view(&preimage, buf_view(&tag));
	struct hash32 expected = sha256(buf_view(&preimage));
	assert_memory_equal(g.chain_tag.b, expected.b, 32);

	struct buf packed = hand_packed_state();
	assert_true(bytes_equal(buf_view(&packed), buf_view(&g.app_state)));
	buf_fini(&packed);
	buf_fini(&tag);
	buf_fini(&preimage);
	genesis_fini(&g);
}

static void chain_tag_of_the_standard_document_never_changes(void **state)
{
	struct genesis g;
	char text[65];
	parse_well(&g, &standard);
	hex_lower(text, g.chain_tag.b, 32);
	assert_string_equal(
		text, "e679d54ad94bd18a1b52622a8b2d2027544e89860a03c2b363189b106c392b55");
	genesis_fini(&g);
}

static void order_and_spelling_of_the_document_do_not_change_chain_tag(void **state)
{
	struct document other = standard;
	other.head = "\"initial_height\":1,\"app_hash\":\"\",\"chain_id\":\"devnet-\\u0031\","
		     "\"genesis_time\":\"2026-01-02T05:04:05.600+02:00\"";
	other.consensus = NULL;
	other.engine = NULL;
	other.validators = "[{\"power\":20,\"pub_key\":{\"value\":\"" KEY_B
			   "\",\"type\":\"tendermint/PubKeyEd25519\"}},"
			   "{\"pub_key\":{\"type\":\"tendermint/PubKeyEd25519\",\"value\":\"" KEY_A
			   "\"},\"power\":\"10\",\"address\":\"$V\"}]";
	other.app_state =
		"{\"coordinators\":[{\"operators\":[\"$A\"],\"share_ppm\":\"50000\","
		"\"owner\":\"$B\",\"url\":\"http://x\"}],"
		"\"accounts\":[{\"balance\":5000000,\"address\":\"$A\"},"
		"{\"address\":\"$B\",\"balance\":\"1aitbc\"}],\"params\":{\"base_fee\":100},"
		"\"operators\":[{\"account\":\"$B\",\"validator\":\"$V\"}],\"treasury\":\"$A\"}";
	struct genesis a;
	struct genesis b;
	parse_well(&a, &standard);
	parse_well(&b, &other);
	assert_memory_equal(a.chain_tag.b, b.chain_tag.b, 32);
	genesis_fini(&a);
	genesis_fini(&b);
}

static void each_fact_of_the_document_changes_chain_tag(void **state)
{
	struct genesis g;
	struct genesis_fault fault;
	struct hash32 seen[12];
	for (int i = 0; i < 12; i++) {
		parse_well(&g, &standard);
		switch (i) {
		case 0: break;
		case 1: g.chain_id[0] = 'D'; break;
		case 2: g.time.nanos++; break;
		case 3: g.initial_height++; break;
		case 4: g.consensus.block_max_bytes--; break;
		case 5: g.engine.gather_ms++; break;
		case 6: g.validators[0].power++; break;
		case 7: g.validators[0].key.b[0]++; break;
		case 8: g.params.unit_slack_ms++; break;
		case 9: g.accounts[0].balance.uaitbc++; break;
		case 10: g.treasury = g.accounts[1].address; break;
		case 11: g.coordinators[0].accepts_new = false; break;
		}
		assert_int_equal(genesis_seal(&g, &fault), STATUS_OK);
		seen[i] = g.chain_tag;
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(seen[i].b, seen[k].b, 32);
		genesis_fini(&g);
	}
}

static void what_is_written_reads_back_to_the_same_chain(void **state)
{
	struct genesis a;
	struct genesis b;
	struct genesis_fault fault;
	struct buf first = {0};
	struct buf second = {0};
	parse_well(&a, &standard);
	genesis_write(&first, &a);
	assert_true(buf_ok(&first));
	if (genesis_parse(&b, buf_view(&first), GENESIS_APP_SETTLE, &fault) != STATUS_OK)
		fail_msg("refused: %s", fault.text);
	genesis_write(&second, &b);
	assert_string_equal(buf_text(&first), buf_text(&second));
	assert_memory_equal(a.chain_tag.b, b.chain_tag.b, 32);
	assert_string_equal(b.validators[1].name, "one");
	assert_int_equal(b.supply, 6000000);
	buf_fini(&first);
	buf_fini(&second);
	genesis_fini(&a);
	genesis_fini(&b);
}

static void an_interval_chain_reads_back_too(void **state)
{
	struct document document = standard;
	struct genesis a;
	struct genesis b;
	struct genesis_fault fault;
	struct buf text = {0};
	document.engine = "{\"pace\":\"interval\"}";
	parse_well(&a, &document);
	assert_int_equal(a.engine.interval_ms, GENESIS_INTERVAL_MS);
	genesis_write(&text, &a);
	assert_int_equal(genesis_parse(&b, buf_view(&text), GENESIS_APP_SETTLE, &fault), STATUS_OK);
	assert_memory_equal(a.chain_tag.b, b.chain_tag.b, 32);
	buf_fini(&text);
	genesis_fini(&a);
	genesis_fini(&b);
}

static void another_machines_state_is_kept_as_text(void **state)
{
	struct document document = standard;
	struct genesis g;
	struct genesis_fault fault;
	struct buf text;
	document.app_state = "{\"any\": [1, \"thing\"]}";
	spell(&text, &document);
	assert_int_equal(genesis_parse(&g, buf_view(&text), GENESIS_APP_OTHER, &fault), STATUS_OK);
	assert_string_equal(buf_text(&g.app_state), "{\"any\":[1,\"thing\"]}");
	buf_clear(&text);
	genesis_write(&text, &g);
	assert_non_null(strstr(buf_text(&text), "\"app_state\":{\"any\":[1,\"thing\"]}"));
	genesis_fini(&g);
	buf_fini(&text);
}

static void a_document_built_by_hand_gets_the_tag_of_its_text(void **state)
{
	struct genesis built;
	struct genesis read;
	struct genesis_fault fault;
	struct validator_key key;
	struct account_address treasury = address_of_byte(1);
	genesis_init(&built, GENESIS_APP_SETTLE);
	strcpy(built.chain_id, "built");
	built.time.seconds = 1767323045;
	memset(key.b, 0x11, sizeof key.b);
	assert_int_equal(genesis_add_validator(&built, &key, 10, "node0"), STATUS_OK);
	built.has_treasury = true;
	built.treasury = treasury;
	for (uint8_t i = 40; i > 0; i--) {
		struct account_address address = address_of_byte(i);
		assert_int_equal(genesis_add_account(&built, &address, amount_of(i)), STATUS_OK);
	}
	assert_int_equal(genesis_seal(&built, &fault), STATUS_OK);
	assert_int_equal(built.supply, 40 * 41 / 2);
	struct buf text = {0};
	genesis_write(&text, &built);
	assert_int_equal(
		genesis_parse(&read, buf_view(&text), GENESIS_APP_SETTLE, &fault), STATUS_OK);
	assert_memory_equal(built.chain_tag.b, read.chain_tag.b, 32);
	buf_fini(&text);
	genesis_fini(&built);
	genesis_fini(&read);
}

static void the_first_validators_stand_in_set_order(void **state)
{
	struct genesis g;
	struct validator_set set;
	parse_well(&g, &standard);
	genesis_validator_set(&set, &g);
	assert_int_equal(set.count, 2);
	assert_int_equal(set.total_power, 30);
	for (uint32_t i = 0; i < set.count; i++)
		assert_memory_equal(&set.v[i].key, &g.validators[i].key, sizeof set.v[i].key);
	genesis_fini(&g);
}

/* ---- refusals ---- */

enum part { HEAD, CONSENSUS, ENGINE, VALIDATORS, APP_STATE };

struct refusal {
	enum part part;
	const char *text;
	const char *fault; /* how the fault begins */
};

#define TIME "\"genesis_time\":\"2026-01-02T03:04:05Z\""
#define VALIDATOR(key, rest)                                                                       \
	"{\"pub_key\":{\"type\":\"tendermint/PubKeyEd25519\",\"value\":\"" key "\"}" rest "}"
#define ACCOUNTS                                                                                   \
	"\"accounts\":[{\"address\":\"$A\",\"balance\":\"9\"},{\"address\":\"$B\",\"balance\":"    \
	"\"1\"}]"
#define STATE(rest) "{\"treasury\":\"$A\"," ACCOUNTS "," rest "}"
#define PARAM(rest) STATE("\"params\":{" rest "}")

static const struct refusal refusals[] = {
	{HEAD, TIME, "chain_id: is needed"},
	{HEAD, TIME ",\"chain_id\":\"\"", "chain_id: "},
	{HEAD, TIME ",\"chain_id\":\"a b\"", "chain_id: "},
	{HEAD, TIME ",\"chain_id\":7", "chain_id: a text is needed"},
	{HEAD, TIME ",\"chain_id\":\"012345678901234567890123456789012345678901234567890\"",
		"chain_id: too long"},
	{HEAD, "\"chain_id\":\"x\"", "genesis_time: is needed"},
	{HEAD, "\"chain_id\":\"x\",\"genesis_time\":\"yesterday\"", "genesis_time: not a time"},
	{HEAD, "\"chain_id\":\"x\",\"genesis_time\":\"1969-12-31T23:59:59Z\"",
		"genesis_time: must be after 1970"},
	{HEAD, TIME ",\"chain_id\":\"x\",\"initial_height\":\"-1\"", "initial_height: "},
	{HEAD, TIME ",\"chain_id\":\"x\",\"initial_height\":\"1.5\"", "initial_height: "},
	{HEAD, TIME ",\"chain_id\":\"x\",\"initial_height\":\"01\"", "initial_height: "},
	{HEAD, TIME ",\"chain_id\":\"x\",\"initial_height\":\"9223372036854775808\"",
		"initial_height: "},
	{HEAD, TIME ",\"chain_id\":\"x\",\"app_hash\":\"00\"", "app_hash: must be empty"},
	{HEAD, TIME ",\"chain_id\":\"x\",\"colour\":\"red\"", "colour: no such field"},
	{CONSENSUS, "[]", "consensus_params.: an object"},
	{CONSENSUS, "{\"bloc\":{}}", "consensus_params.bloc: no such field"},
	{CONSENSUS, "{\"block\":{\"max_bytes\":\"262143\"}}", "consensus_params.block.max_bytes: "},
	{CONSENSUS, "{\"block\":{\"max_bytes\":\"22020097\"}}",
		"consensus_params.block.max_bytes: "},
	{CONSENSUS, "{\"block\":{\"max_gas\":\"5\"}}", "consensus_params.block.max_gas: "},
	{CONSENSUS, "{\"evidence\":{\"max_age_num_blocks\":\"0\"}}",
		"consensus_params.evidence.max_age_num_blocks: "},
	{CONSENSUS, "{\"evidence\":{\"max_age_duration\":\"0\"}}",
		"consensus_params.evidence.max_age_duration: "},
	{CONSENSUS, "{\"evidence\":{\"max_bytes\":\"4194305\"}}",
		"consensus_params.evidence.max_bytes: "},
	{CONSENSUS, "{\"validator\":{\"pub_key_types\":[\"secp256k1\"]}}",
		"consensus_params.validator.pub_key_types: "},
	{CONSENSUS, "{\"version\":{\"app\":\"0\"}}", "consensus_params.version.app: "},
	{CONSENSUS, "{\"abci\":{\"vote_extensions_enable_height\":\"3\"}}",
		"consensus_params.abci.vote_extensions_enable_height: "},
	{ENGINE, "{\"heartbeat_ms\":\"99\"}", "engine.heartbeat_ms: 99 is outside 100 to 60000"},
	{ENGINE, "{\"heartbeat_ms\":\"60001\"}", "engine.heartbeat_ms: "},
	{ENGINE, "{\"gather_ms\":\"10001\"}", "engine.gather_ms: "},
	{ENGINE, "{\"gather_ms\":\"-1\"}", "engine.gather_ms: must not be negative"},
	{ENGINE, "{\"precision_ms\":\"0\"}", "engine.precision_ms: "},
	{ENGINE, "{\"message_delay_ms\":\"60001\"}", "engine.message_delay_ms: "},
	{ENGINE, "{\"pace\":\"slow\"}", "engine.pace: "},
	{ENGINE, "{\"interval_ms\":\"1000\"}", "engine.interval_ms: only with pace interval"},
	{ENGINE, "{\"pace\":\"interval\",\"interval_ms\":\"9\"}",
		"engine.interval_ms: 9 is outside"},
	{ENGINE, "{\"hearbeat_ms\":\"5000\"}", "engine.hearbeat_ms: no such field"},
	{VALIDATORS, "[]", "validators: at least one"},
	{VALIDATORS, "{}", "validators: a list is needed"},
	{VALIDATORS, "[7]", "validators[0].: an object"},
	{VALIDATORS, "[{\"power\":\"1\"}]", "validators[0].pub_key.: an object"},
	{VALIDATORS, "[{\"pub_key\":{\"type\":\"x\",\"value\":\"" KEY_A "\"},\"power\":\"1\"}]",
		"validators[0].pub_key.type: "},
	{VALIDATORS, "[" VALIDATOR("AAAA", ",\"power\":\"1\"") "]",
		"validators[0].pub_key.value: "},
	{VALIDATORS, "[" VALIDATOR(KEY_A, "") "]", "validators[0].power: is needed"},
	{VALIDATORS, "[" VALIDATOR(KEY_A, ",\"power\":\"0\"") "]", "validators[0].power: must be"},
	{VALIDATORS, "[" VALIDATOR(KEY_A, ",\"power\":\"1152921504606846976\"") "]",
		"validators[0].power: must be"},
	{VALIDATORS,
		"[" VALIDATOR(KEY_A, ",\"power\":\"1\"") "," VALIDATOR(
			KEY_B, ",\"power\":\"1152921504606846975\"") "]",
		"validators[1].power: must be"},
	{VALIDATORS, "[" VALIDATOR(KEY_A, ",\"power\":\"1\",\"address\":\"$W\"") "]",
		"validators[0].address: is not that of pub_key"},
	{VALIDATORS,
		"[" VALIDATOR(KEY_A, ",\"power\":\"1\"") "," VALIDATOR(
			KEY_A, ",\"power\":\"2\"") "]",
		"validators[1].pub_key: the same key as validators[0]"},
	{APP_STATE, NULL, "app_state.: an object"},
	{APP_STATE, "{\"treasury\":\"$A\",\"accounts\":[]}", "app_state.accounts: a chain without"},
	{APP_STATE, "{\"treasury\":\"$A\",\"accounts\":[{\"address\":\"$A\",\"balance\":\"0\"}]}",
		"app_state.accounts: a chain without"},
	{APP_STATE, "{" ACCOUNTS "}", "app_state.treasury: is needed"},
	{APP_STATE, "{\"treasury\":\"$C\"," ACCOUNTS "}", "app_state.treasury: is not one of"},
	{APP_STATE, "{\"treasury\":\"ait1x\"," ACCOUNTS "}", "app_state.treasury: not an account"},
	{APP_STATE,
		"{\"treasury\":\"$A\",\"accounts\":[{\"address\":\"$A\",\"balance\":\"1\"},"
		"{\"address\":\"$A\",\"balance\":\"1\"}]}",
		"app_state.accounts: ait1"},
	{APP_STATE,
		"{\"treasury\":\"$A\",\"accounts\":[{\"address\":\"$A\",\"balance\":"
		"\"9223372036854775807\"},{\"address\":\"$B\",\"balance\":\"1\"}]}",
		"app_state.accounts: all balances together"},
	{APP_STATE, "{\"treasury\":\"$A\",\"accounts\":[{\"address\":\"$A\",\"balance\":\"-1\"}]}",
		"app_state.accounts[0].balance: "},
	{APP_STATE, "{\"treasury\":\"$A\",\"accounts\":[{\"address\":\"$A\",\"balance\":1.5}]}",
		"app_state.accounts[0].balance: "},
	{APP_STATE, "{\"treasury\":\"$A\",\"accounts\":[{\"address\":\"$A\"}]}",
		"app_state.accounts[0].balance: "},
	{APP_STATE, "{\"treasury\":\"$A\",\"accounts\":[{\"balance\":\"1\"}]}",
		"app_state.accounts[0].address: is needed"},
	{APP_STATE, STATE("\"operators\":[{\"validator\":\"$V\",\"account\":\"$C\"}]"),
		"app_state.operators: the account of validator"},
	{APP_STATE,
		STATE("\"operators\":[{\"validator\":"
		      "\"0000000000000000000000000000000000000000\",\"account\":\"$A\"}]"),
		"app_state.operators: 0000000000000000000000000000000000000000 is not one of"},
	{APP_STATE, STATE("\"operators\":[{\"validator\":\"12\",\"account\":\"$A\"}]"),
		"app_state.operators[0].validator: "},
	{APP_STATE,
		STATE("\"operators\":[{\"validator\":\"$V\",\"account\":\"$A\"},"
		      "{\"validator\":\"$V\",\"account\":\"$B\"}]"),
		"app_state.operators: validator"},
	{APP_STATE, STATE("\"coordinators\":[{\"owner\":\"$C\"}]"), "app_state.coordinators: ait1"},
	{APP_STATE, STATE("\"coordinators\":[{\"owner\":\"$A\",\"share_ppm\":200001}]"),
		"app_state.coordinators: share_ppm of"},
	{APP_STATE, STATE("\"coordinators\":[{\"owner\":\"$A\",\"share_ppm\":1000001}]"),
		"app_state.coordinators[0].share_ppm: "},
	{APP_STATE, STATE("\"coordinators\":[{\"owner\":\"$A\"},{\"owner\":\"$A\"}]"),
		"app_state.coordinators: ait1"},
	{APP_STATE, STATE("\"coordinators\":[{\"owner\":\"$A\",\"operators\":[\"$B\",\"$B\"]}]"),
		"app_state.coordinators: an operator of"},
	{APP_STATE, STATE("\"coordinators\":[{\"owner\":\"$A\",\"operators\":[7]}]"),
		"app_state.coordinators[0].operators: "},
	{APP_STATE, STATE("\"coordinators\":[{\"owner\":\"$A\",\"accepts_new\":1}]"),
		"app_state.coordinators[0].accepts_new: "},
	{APP_STATE, PARAM("\"min_ttl_ms\":\"99\""), "app_state.params.min_ttl_ms: 99 is outside"},
	{APP_STATE, PARAM("\"min_ttl_ms\":\"3600000\",\"max_ttl_ms\":\"60000\""),
		"app_state.params.min_ttl_ms: over max_ttl_ms"},
	{APP_STATE, PARAM("\"max_attempts\":4294967296"),
		"app_state.params.max_attempts: too large"},
	{APP_STATE, PARAM("\"max_attempts\":101"), "app_state.params.max_attempts: "},
	{APP_STATE, PARAM("\"min_reward\":0"), "app_state.params.min_reward: "},
	{APP_STATE, PARAM("\"max_coordinator_ppm\":1000001"),
		"app_state.params.max_coordinator_ppm"},
	{APP_STATE, PARAM("\"bas_fee\":1"), "app_state.params.bas_fee: no such field"},
	{APP_STATE, STATE("\"paramz\":{}"), "app_state.paramz: no such field"},
};

static void each_broken_rule_is_refused_with_its_fields_name(void **state)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *row = &refusals[i];
		struct document document = standard;
		switch (row->part) {
		case HEAD: document.head = row->text; break;
		case CONSENSUS: document.consensus = row->text; break;
		case ENGINE: document.engine = row->text; break;
		case VALIDATORS:
			document.validators = row->text;
			/* the standard state names validator A, which must stay a validator */
			document.app_state = STATE("\"operators\":[]");
			break;
		case APP_STATE: document.app_state = row->text; break;
		}
		struct genesis g;
		struct genesis_fault fault;
		enum status status = parse(&g, &document, &fault);
		if (status != STATUS_INVALID ||
			strncmp(fault.text, row->fault, strlen(row->fault)) != 0)
			fail_msg("row %zu (%s): status %d, said: %s", i,
				row->text == NULL ? "absent" : row->text, (int)status, fault.text);
	}
}

static void bytes_that_are_no_json_object_are_refused(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "null", "\"x\"", "{\"chain_id\":\"a\",\"chain_id\":\"b\"}", "{}{}"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct genesis g;
		struct genesis_fault fault;
		assert_int_equal(
			genesis_parse(&g, bytes_of_text(texts[i]), GENESIS_APP_SETTLE, &fault),
			STATUS_INVALID);
		assert_true(fault.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_tag_is_the_hash_of_the_content_packed_by_hand),
		cmocka_unit_test(chain_tag_of_the_standard_document_never_changes),
		cmocka_unit_test(order_and_spelling_of_the_document_do_not_change_chain_tag),
		cmocka_unit_test(each_fact_of_the_document_changes_chain_tag),
		cmocka_unit_test(what_is_written_reads_back_to_the_same_chain),
		cmocka_unit_test(an_interval_chain_reads_back_too),
		cmocka_unit_test(another_machines_state_is_kept_as_text),
		cmocka_unit_test(a_document_built_by_hand_gets_the_tag_of_its_text),
		cmocka_unit_test(the_first_validators_stand_in_set_order),
		cmocka_unit_test(each_broken_rule_is_refused_with_its_fields_name),
		cmocka_unit_test(bytes_that_are_no_json_object_are_refused),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
