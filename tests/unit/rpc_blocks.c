/* What the port says of committed blocks: in CometBFT's own words for CometBFT's own blocks, and
 * such that a light client can verify ours from the JSON alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/merkle.h"
#include "chain/blocks.h"
#include "chain/format/commit.h"
#include "chain/format/header.h"
#include "chain/format/proof.h"
#include "chain/format/wire.h"
#include "rpc/shapes.h"
#include "tests/unit/rpc_world.h"
#include "tests/unit/vectors.h"

static int begin(void **state)
{
	struct rpc_world *w = calloc(1, sizeof *w);

	rpc_world_start(w, RPC_WORLD_TIP);
	*state = w;
	return 0;
}

static int end(void **state)
{
	rpc_world_stop(*state);
	free(*state);
	return 0;
}

/* What stands at a path like "a.b.0.c". */
static const json_t *at(const json_t *json, const char *path)
{
	char part[64];

	while (json && *path) {
		size_t len = strcspn(path, ".");

		snprintf(part, sizeof part, "%.*s", (int)len, path);
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(part))
					   : json_object_get(json, part);
		path += len + (path[len] == '.');
	}
	return json;
}

static const char *text(const json_t *json, const char *path)
{
	const char *value = json_string_value(at(json, path));

	if (!value)
		fail_msg("no text at %s", path);
	return value;
}

/* --- CometBFT's own blocks
 * ----------------------------------------------------------------------------- */

static void a_cometbft_block_is_shown_as_cometbft_shows_it(void **state)
{
	json_t *file = vectors_load("comet_rpc.json");
	json_t *row;
	size_t i;

	json_array_foreach(vectors_member(file, "block"), i, row)
	{
		struct bytes raw = vectors_bytes(row, "bytes");
		Pb__Block *block = pb__block__unpack(NULL, raw.len, raw.data);
		struct block_sections sections;
		struct json_fault fault;
		struct buf out = {0};

		assert_non_null(block);
		assert_true(block_sections(&sections, raw));
		buf_append_text(&out, "{\"header\":");
		shape_header(&out, block->header);
		buf_append_text(&out, ",\"data\":");
		assert_true(shape_data(&out, sections.data));
		buf_append_text(&out, ",\"evidence\":");
		shape_evidence(&out, block->evidence);
		buf_append_text(&out, ",\"last_commit\":");
		shape_commit(&out, block->last_commit);
		buf_append_byte(&out, '}');
		json_t *shown = json_read(buf_view(&out), &fault);
		if (!json_equal(shown, vectors_member(row, "json")))
			fail_msg("%s: %s", vectors_text(row, "name"), buf_text(&out));
		json_decref(shown);
		buf_fini(&out);
		pb__block__free_unpacked(block, NULL);
	}
	vectors_free_all();
	json_decref(file);
}

static ProtobufCBinaryData decoded(
	const char *hex_or_base64, bool is_hex, uint8_t *memory, size_t max)
{
	struct buf out = {0};
	size_t len = strlen(hex_or_base64) / 2;

	if (is_hex) {
		assert_true(len <= max && hex_decode(memory, len, hex_or_base64, 2 * len));
	} else {
		assert_true(base64_decode(&out, hex_or_base64, strlen(hex_or_base64)));
		len = out.len;
		assert_true(len <= max);
		memcpy(memory, out.data, len);
		buf_fini(&out);
	}
	return wire_borrow(memory, len);
}

struct vote_memory {
	Pb__Vote vote;
	Pb__BlockID id;
	Pb__PartSetHeader parts;
	Pb__Timestamp time;
	uint8_t hash[32], parts_hash[32], address[20], signature[64];
};

static void vote_of(struct vote_memory *m, const json_t *json)
{
	struct timestamp time;

	pb__vote__init(&m->vote);
	pb__block_id__init(&m->id);
	pb__part_set_header__init(&m->parts);
	pb__timestamp__init(&m->time);
	assert_true(rfc3339_parse(&time, text(json, "timestamp"), strlen(text(json, "timestamp"))));
	m->time.seconds = time.seconds;
	m->time.nanos = time.nanos;
	m->id.hash = decoded(text(json, "block_id.hash"), true, m->hash, 32);
	m->parts.total = (uint32_t)json_integer_value(at(json, "block_id.parts.total"));
	m->parts.hash = decoded(text(json, "block_id.parts.hash"), true, m->parts_hash, 32);
	m->id.part_set_header = &m->parts;
	m->vote.type = (int32_t)json_integer_value(at(json, "type"));
	m->vote.height = atoll(text(json, "height"));
	m->vote.block_id = &m->id;
	m->vote.timestamp = &m->time;
	m->vote.validator_address = decoded(text(json, "validator_address"), true, m->address, 20);
	m->vote.validator_index = (int32_t)json_integer_value(at(json, "validator_index"));
	m->vote.signature = decoded(text(json, "signature"), false, m->signature, 64);
}

static void cometbft_evidence_is_shown_as_cometbft_shows_it(void **state)
{
	json_t *file = vectors_load("comet_rpc.json");
	const json_t *want = vectors_member(file, "evidence");
	const json_t *value = at(want, "0.value");
	Pb__DuplicateVoteEvidence duplicate = PB__DUPLICATE_VOTE_EVIDENCE__INIT;
	Pb__Evidence evidence = PB__EVIDENCE__INIT;
	Pb__Evidence *list_items[] = {&evidence};
	Pb__EvidenceList list = PB__EVIDENCE_LIST__INIT;
	Pb__Timestamp time = PB__TIMESTAMP__INIT;
	struct vote_memory a, b;
	struct json_fault fault;
	struct timestamp t;
	struct buf out = {0};

	vote_of(&a, at(value, "vote_a"));
	vote_of(&b, at(value, "vote_b"));
	assert_true(rfc3339_parse(&t, text(value, "timestamp"), strlen(text(value, "timestamp"))));
	time.seconds = t.seconds;
	time.nanos = t.nanos;
	duplicate.vote_a = &a.vote;
	duplicate.vote_b = &b.vote;
	duplicate.total_voting_power = atoll(text(value, "total_voting_power"));
	duplicate.validator_power = atoll(text(value, "validator_power"));
	duplicate.timestamp = &time;
	evidence.sum_case = PB__EVIDENCE__SUM_DUPLICATE_VOTE_EVIDENCE;
	evidence.duplicate_vote_evidence = &duplicate;
	list.n_evidence = 1;
	list.evidence = list_items;
	shape_evidence(&out, &list);
	json_t *shown = json_read(buf_view(&out), &fault);
	if (!json_equal(json_object_get(shown, "evidence"), want))
		fail_msg("%s", buf_text(&out));
	json_decref(shown);
	json_decref(file);
	buf_fini(&out);
}

/* --- ours, by exact bytes
 * ------------------------------------------------------------------------------- */

static void a_block_result_has_the_full_and_the_sparse_forms(void **state)
{
	struct rpc_world *w = *state;

	assert_string_equal(rpc_get(w, "/block_results?height=2", NULL),
		"{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":{\"height\":\"2\",\"txs_results\":["
		"{\"code\":0,\"data\":\"ZGF0YQ==\",\"log\":\"\",\"info\":\"\",\"gas_wanted\":\"5\","
		"\"gas_used\":\"5\","
		"\"events\":[{\"type\":\"app\",\"attributes\":[{\"key\":\"key\",\"value\":"
		"\"value\",\"index\":true}]}],"
		"\"codespace\":\"\"},"
		"{\"code\":7,\"data\":null,\"log\":\"stale_sequence\",\"info\":\"\",\"gas_wanted\":"
		"\"6\","
		"\"gas_used\":\"6\",\"events\":[],\"codespace\":\"settle\"}],"
		"\"finalize_block_events\":[{\"type\":\"swept\",\"attributes\":[{\"key\":\"key\","
		"\"value\":\"value\","
		"\"index\":true}]}],"
		"\"validator_updates\":[{\"pub_key\":{\"Sum\":{\"type\":\"tendermint.crypto."
		"PublicKey_Ed25519\","
		"\"value\":{\"ed25519\":\"CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}}},"
		"\"power\":\"3\"}],"
		"\"consensus_param_updates\":null,\"app_hash\":\"AQI=\"}}");
	assert_string_equal(rpc_get(w, "/block_results?height=1", NULL),
		"{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":{\"height\":\"1\",\"txs_results\":null,"
		"\"finalize_block_events\":null,\"validator_updates\":null,\"consensus_param_"
		"updates\":null,"
		"\"app_hash\":\"AQI=\"}}");
}

static void small_answers_are_exact(void **state)
{
	static const struct {
		const char *target, *result;
	} rows[] = {
		{"/genesis", "{\"genesis\":{\"chain_id\":\"rpc-test\"}}"},
		{"/genesis_chunked", "{\"chunk\":\"0\",\"total\":\"1\",\"data\":"
				     "\"eyJjaGFpbl9pZCI6InJwYy10ZXN0In0=\"}"},
		{"/net_info", "{\"listening\":true}"},
		{"/consensus_state", "{\"round_state\":{\"full\":false}}"},
		{"/dump_consensus_state",
			"{\"round_state\":{\"full\":true},\"peers\":[{\"node_address\":\"n\"}]}"},
		{"/consensus_progress", "{\"waits_for\":\"precommits\"}"},
		{"/unconfirmed_txs", "{\"n_txs\":\"2\",\"total\":\"2\",\"total_bytes\":\"7\","
				     "\"txs\":[\"Yz0z\",\"ZD00NA==\"]}"},
		{"/unconfirmed_txs?limit=1", "{\"n_txs\":\"1\",\"total\":\"2\",\"total_bytes\":"
					     "\"7\",\"txs\":[\"Yz0z\"]}"},
		{"/unconfirmed_txs?limit=-1", "{\"n_txs\":\"2\",\"total\":\"2\",\"total_bytes\":"
					      "\"7\",\"txs\":[\"Yz0z\",\"ZD00NA==\"]}"},
		{"/num_unconfirmed_txs",
			"{\"n_txs\":\"2\",\"total\":\"2\",\"total_bytes\":\"7\",\"txs\":null}"},
		{"/abci_info", "{\"response\":{\"data\":\"double\",\"app_version\":\"1\",\"last_"
			       "block_height\":\"3\","
			       "\"last_block_app_hash\":"
			       "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}}"},
		{"/abci_query?path=%22/a%22&data=0x6162&height=2&prove=true",
			"{\"response\":{\"code\":0,\"log\":\"\",\"info\":\"\",\"index\":\"-1\","
			"\"key\":\"L2E=\",\"value\":"
			"\"YWI=\",\"proofOps\":{\"ops\":[{\"type\":\"simple:v\",\"key\":\"a2s=\","
			"\"data\":null}]},\"height\":"
			"\"2\",\"codespace\":\"\"}}"},
		{"/abci_query?path=%22/nothing%22&data=%22raw%22",
			"{\"response\":{\"code\":0,\"log\":\"\",\"info\":\"\",\"index\":\"0\","
			"\"key\":null,\"value\":null,"
			"\"proofOps\":null,\"height\":\"0\",\"codespace\":\"\"}}"},
		{"/consensus_params?height=1",
			"{\"block_height\":\"1\",\"consensus_params\":{\"block\":{\"max_bytes\":"
			"\"4194304\",\"max_gas\":"
			"\"-1\"},\"evidence\":{\"max_age_num_blocks\":\"100000\",\"max_age_"
			"duration\":\"172800000000000\","
			"\"max_bytes\":\"1048576\"},\"validator\":{\"pub_key_types\":[\"ed25519\"]}"
			",\"version\":{\"app\":"
			"\"1\"},\"abci\":{\"vote_extensions_enable_height\":\"0\"}}}"},
		{"/block_by_hash?hash="
		 "0x0000000000000000000000000000000000000000000000000000000000000000",
			"{\"block_id\":{\"hash\":\"\",\"parts\":{\"total\":0,\"hash\":\"\"}},"
			"\"block\":null}"},
		{"/header_by_hash?hash=0xAB", "{\"header\":null}"},
		{"/check_tx?tx=%22a=1%22", "{\"code\":0,\"data\":null,\"log\":\"\",\"info\":\"\","
					   "\"gas_wanted\":\"0\",\"gas_used\":\"0\","
					   "\"events\":[],\"codespace\":\"\"}"},
		{"/check_tx?tx=%22stale%22",
			"{\"code\":7,\"data\":null,\"log\":\"stale_sequence\",\"info\":\"\",\"gas_"
			"wanted\":\"0\","
			"\"gas_used\":\"0\",\"events\":[],\"codespace\":\"settle\"}"},
		{"/check_tx?tx=0x666f72676564",
			"{\"code\":3,\"data\":null,\"log\":\"bad_signature\",\"info\":\"\",\"gas_"
			"wanted\":\"0\","
			"\"gas_used\":\"0\",\"events\":[],\"codespace\":\"settle\"}"},
	};
	struct rpc_world *w = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char want[1024];

		snprintf(want, sizeof want, "{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":%s}",
			rows[i].result);
		const char *got = rpc_get(w, rows[i].target, NULL);
		if (strcmp(got, want) != 0)
			fail_msg("%s\n  got  %s\n  want %s", rows[i].target, got, want);
	}
}

static void status_names_the_node_and_its_chain(void **state)
{
	struct rpc_world *w = *state;
	json_t *status = rpc_result(w, "status", "null");
	json_t *block = rpc_result(w, "block", "[\"3\"]");

	assert_string_equal(text(status, "node_info.protocol_version.p2p"), "8");
	assert_string_equal(text(status, "node_info.protocol_version.block"), "11");
	assert_string_equal(text(status, "node_info.protocol_version.app"), "1");
	assert_string_equal(text(status, "node_info.network"), "rpc-test");
	assert_string_equal(text(status, "node_info.version"), "0.38.17");
	assert_string_equal(text(status, "node_info.other.tx_index"), "on");
	assert_string_equal(text(status, "sync_info.latest_block_height"), "3");
	assert_string_equal(
		text(status, "sync_info.latest_block_hash"), text(block, "block_id.hash"));
	assert_string_equal(text(status, "sync_info.latest_app_hash"), "ABCD");
	assert_string_equal(text(status, "sync_info.latest_block_time"), "2023-11-14T22:13:23Z");
	assert_string_equal(text(status, "sync_info.earliest_block_height"), "1");
	assert_string_equal(text(status, "sync_info.earliest_block_time"), "2023-11-14T22:13:21Z");
	assert_true(json_is_false(at(status, "sync_info.catching_up")));
	assert_string_equal(text(status, "validator_info.voting_power"), "10");
	json_decref(block);
	json_decref(status);
}

static void a_chain_without_blocks_answers_all_the_same(void **state)
{
	struct rpc_world w;

	rpc_world_start(&w, 0);
	json_t *status = rpc_result(&w, "status", NULL);
	assert_string_equal(text(status, "sync_info.latest_block_height"), "0");
	assert_string_equal(text(status, "sync_info.latest_block_hash"), "");
	assert_string_equal(text(status, "sync_info.latest_block_time"), "1970-01-01T00:00:00Z");
	json_decref(status);
	json_t *validators = rpc_result(&w, "validators", NULL);
	assert_string_equal(text(validators, "block_height"), "1");
	json_decref(validators);
	assert_string_equal(rpc_get(&w, "/blockchain", NULL),
		"{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":{"
		"\"last_height\":\"0\",\"block_metas\":[]}}");
	assert_string_equal(rpc_get(&w, "/block", NULL),
		"{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":{\"block_id\":{\"hash\":\"\",\"parts\":{"
		"\"total\":0,"
		"\"hash\":\"\"}},\"block\":null}}");
	assert_string_equal(rpc_get(&w, "/header", NULL),
		"{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":{\"header\":null}}");
	int http;
	rpc_get(&w, "/commit", &http);
	assert_int_equal(http, 500);
	rpc_get(&w, "/block?height=1", &http);
	assert_int_equal(http, 500);
	rpc_world_stop(&w);
}

static void validators_come_in_pages(void **state)
{
	static const struct {
		const char *params, *count;
	} pages[] = {
		{"{}", "30"},
		{"{\"page\":\"2\"}", "5"},
		{"{\"per_page\":\"0\"}", "30"},
		{"{\"per_page\":\"35\"}", "35"},
		{"{\"per_page\":\"1000\"}", "35"},
		{"{\"per_page\":\"34\",\"page\":\"2\"}", "1"},
		{"[\"1\",\"12\",\"3\"]", "2"},
	};
	struct rpc_world w;

	rpc_world_start_with(&w, 0, 35);
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		json_t *set = rpc_result(&w, "validators", pages[i].params);

		assert_string_equal(text(set, "total"), "35");
		assert_string_equal(text(set, "count"), pages[i].count);
		assert_int_equal(
			json_array_size(at(set, "validators")), strtoul(pages[i].count, NULL, 10));
		json_decref(set);
	}
	assert_non_null(strstr(rpc_get(&w, "/validators?page=3", NULL),
		"page should be within [1, 2] range, given 3"));
	rpc_world_stop(&w);
}

static void blocks_are_found_by_height_by_hash_and_in_ranges(void **state)
{
	struct rpc_world *w = *state;
	json_t *block = rpc_result(w, "block", "{\"height\":\"2\"}");
	char params[160];

	assert_string_equal(text(block, "block.data.txs.0"), "YT0x");
	assert_string_equal(text(block, "block.data.txs.1"), "Yj0yMg==");
	assert_string_equal(text(block, "block.header.time"), "2023-11-14T22:13:22.12Z");
	assert_string_equal(text(block, "block.last_commit.height"), "1");
	snprintf(params, sizeof params, "{\"hash\":\"%s\"}", text(block, "block_id.hash"));
	json_t *header = rpc_result(w, "header_by_hash", params);
	assert_true(json_equal(at(header, "header"), at(block, "block.header")));
	snprintf(params, sizeof params, "/block_by_hash?hash=0x%s", text(block, "block_id.hash"));
	assert_non_null(strstr(rpc_get(w, params, NULL), "\"Yj0yMg==\""));
	json_t *range = rpc_result(w, "blockchain", "{\"minHeight\":\"1\",\"maxHeight\":\"2\"}");
	assert_int_equal(json_array_size(at(range, "block_metas")), 2);
	assert_string_equal(text(range, "last_height"), "3");
	assert_string_equal(text(range, "block_metas.0.header.height"), "2");
	assert_string_equal(text(range, "block_metas.0.num_txs"), "2");
	assert_true(json_equal(at(range, "block_metas.0.block_id"), at(block, "block_id")));
	json_decref(range);
	json_decref(header);
	json_decref(block);
	json_t *first = rpc_result(w, "block", "{\"height\":\"1\"}");
	assert_string_equal(text(first, "block.last_commit.height"), "0");
	assert_int_equal(json_array_size(at(first, "block.last_commit.signatures")), 0);
	assert_true(json_is_array(at(first, "block.last_commit.signatures")));
	assert_string_equal(text(first, "block.header.last_block_id.hash"), "");
	json_decref(first);
}

/* --- what a light client does
 * -------------------------------------------------------------------------- */

static struct hash32 hash_at(const json_t *json, const char *path)
{
	struct hash32 hash;

	assert_true(hex_decode(hash.b, sizeof hash.b, text(json, path), strlen(text(json, path))));
	return hash;
}

/* The header as its JSON says it, hashed anew. */
static struct hash32 header_hash_of_json(const json_t *json)
{
	static const char *const names[] = {"last_commit_hash", "data_hash", "validators_hash",
		"next_validators_hash", "consensus_hash", "app_hash", "last_results_hash",
		"evidence_hash", "proposer_address"};
	static uint8_t memory[9][32];
	uint8_t id_memory[2][32];
	Pb__Header header = PB__HEADER__INIT;
	Pb__Version version = PB__VERSION__INIT;
	Pb__Timestamp time = PB__TIMESTAMP__INIT;
	Pb__BlockID id = PB__BLOCK_ID__INIT;
	Pb__PartSetHeader parts = PB__PART_SET_HEADER__INIT;
	ProtobufCBinaryData *const fields[] = {&header.last_commit_hash, &header.data_hash,
		&header.validators_hash, &header.next_validators_hash, &header.consensus_hash,
		&header.app_hash, &header.last_results_hash, &header.evidence_hash,
		&header.proposer_address};
	struct timestamp t;

	for (size_t i = 0; i < 9; i++)
		*fields[i] = decoded(text(json, names[i]), true, memory[i], 32);
	assert_true(rfc3339_parse(&t, text(json, "time"), strlen(text(json, "time"))));
	time.seconds = t.seconds;
	time.nanos = t.nanos;
	version.block = strtoull(text(json, "version.block"), NULL, 10);
	version.app = strtoull(text(json, "version.app"), NULL, 10);
	id.hash = decoded(text(json, "last_block_id.hash"), true, id_memory[0], 32);
	parts.hash = decoded(text(json, "last_block_id.parts.hash"), true, id_memory[1], 32);
	parts.total = (uint32_t)json_integer_value(at(json, "last_block_id.parts.total"));
	id.part_set_header = &parts;
	header.version = &version;
	header.chain_id = (char *)(uintptr_t)text(json, "chain_id");
	header.height = atoll(text(json, "height"));
	header.time = &time;
	header.last_block_id = &id;
	return header_hash(&header);
}

static void signature_is_checked(const json_t *commit, const json_t *validators)
{
	struct vote vote = {.type = VOTE_PRECOMMIT,
		.height = atoll(text(commit, "height")),
		.round = (int32_t)json_integer_value(at(commit, "round"))};
	struct validator_key key;
	const char *when = text(commit, "signatures.0.timestamp");

	vote.block_id.hash = hash_at(commit, "block_id.hash");
	vote.block_id.parts_total =
		(uint32_t)json_integer_value(at(commit, "block_id.parts.total"));
	vote.block_id.parts_hash = hash_at(commit, "block_id.parts.hash");
	assert_true(rfc3339_parse(&vote.time, when, strlen(when)));
	(void)decoded(text(commit, "signatures.0.signature"), false, vote.signature.b, 64);
	(void)decoded(text(validators, "validators.0.pub_key.value"), false, key.b, 32);
	assert_true(vote_verify(&vote, "rpc-test", &key));
	assert_int_equal(json_integer_value(at(commit, "signatures.0.block_id_flag")), 2);
	assert_string_equal(text(commit, "signatures.0.validator_address"),
		text(validators, "validators.0.address"));
}

static void header_commit_and_validators_of_every_height_verify_from_their_json(void **state)
{
	struct rpc_world *w = *state;

	for (int height = 1; height <= RPC_WORLD_TIP; height++) {
		char params[64];

		snprintf(params, sizeof params, "{\"height\":\"%d\"}", height);
		json_t *commit = rpc_result(w, "commit", params);
		json_t *validators = rpc_result(w, "validators", params);
		struct hash32 is = header_hash_of_json(at(commit, "signed_header.header"));
		struct hash32 said = hash_at(commit, "signed_header.commit.block_id.hash");

		assert_memory_equal(is.b, said.b, 32);
		signature_is_checked(at(commit, "signed_header.commit"), validators);
		assert_int_equal(json_is_true(at(commit, "canonical")), height < RPC_WORLD_TIP);
		assert_string_equal(text(validators, "total"), "1");
		assert_string_equal(text(validators, "count"), "1");
		assert_string_equal(text(validators, "validators.0.voting_power"), "10");
		json_decref(validators);
		json_decref(commit);
	}
	json_t *next = rpc_result(w, "validators", "{\"height\":\"4\"}");
	assert_string_equal(text(next, "block_height"), "4");
	json_decref(next);
	/* While it fetches blocks, it doesn't speak for the next one. */
	w->catching_up = true;
	assert_non_null(strstr(rpc_get(w, "/validators?height=4", NULL),
		"height 4 must be less than or equal to the current blockchain height 3"));
	w->catching_up = false;
}

static void a_transaction_is_found_with_a_proof_that_leads_to_its_block(void **state)
{
	struct rpc_world *w = *state;
	struct hash32 hash = sha256(bytes_of_text("b=22"));
	struct merkle_proof proof = {0};
	struct hash32 root;
	char target[128] = "/tx?hash=0x";

	hex_upper(target + strlen(target), hash.b, sizeof hash.b);
	assert_null(strstr(rpc_get(w, target, NULL), "\"proof\""));
	strcat(target, "&prove=true");
	struct json_fault fault;
	json_t *answer = json_read(bytes_of_text(rpc_get(w, target, NULL)), &fault);
	json_t *header = rpc_result(w, "header", "{\"height\":\"2\"}");
	const json_t *result = at(answer, "result");
	assert_string_equal(text(result, "height"), "2");
	assert_int_equal(json_integer_value(at(result, "index")), 1);
	assert_string_equal(text(result, "tx"), "Yj0yMg==");
	assert_int_equal(json_integer_value(at(result, "tx_result.code")), 7);
	assert_string_equal(text(result, "proof.data"), "Yj0yMg==");
	proof.total = strtoull(text(result, "proof.proof.total"), NULL, 10);
	proof.index = strtoull(text(result, "proof.proof.index"), NULL, 10);
	(void)decoded(text(result, "proof.proof.leaf_hash"), false, proof.leaf.b, 32);
	proof.aunt_count = (uint32_t)json_array_size(at(result, "proof.proof.aunts"));
	assert_int_equal(proof.aunt_count, 1);
	(void)decoded(text(result, "proof.proof.aunts.0"), false, proof.aunts[0].b, 32);
	root = hash_at(header, "header.data_hash");
	assert_true(tx_proof_verify(&proof, bytes_of_text("b=22"), &root));
	assert_string_equal(text(result, "proof.root_hash"), text(header, "header.data_hash"));
	json_decref(header);
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cometbft_block_is_shown_as_cometbft_shows_it),
		cmocka_unit_test(cometbft_evidence_is_shown_as_cometbft_shows_it),
		cmocka_unit_test(a_block_result_has_the_full_and_the_sparse_forms),
		cmocka_unit_test(small_answers_are_exact),
		cmocka_unit_test(status_names_the_node_and_its_chain),
		cmocka_unit_test(a_chain_without_blocks_answers_all_the_same),
		cmocka_unit_test(validators_come_in_pages),
		cmocka_unit_test(blocks_are_found_by_height_by_hash_and_in_ranges),
		cmocka_unit_test(
			header_commit_and_validators_of_every_height_verify_from_their_json),
		cmocka_unit_test(a_transaction_is_found_with_a_proof_that_leads_to_its_block),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
