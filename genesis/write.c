/* struct genesis to JSON: CometBFT's order of fields, then ours. 64-bit integers are texts, as
 * CometBFT's own are. One line per list entry, so that an operator can read and diff it. */
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "genesis/genesis.h"
#include "genesis/numbers.h"

static void put_i64_member(struct buf *out, const char *name, int64_t value)
{
	json_put_key(out, name);
	json_put_i64_text(out, value);
}

static void put_text_member(struct buf *out, const char *name, const char *text)
{
	json_put_key(out, name);
	json_put_text(out, text);
}

static void put_address_member(
	struct buf *out, const char *name, const struct account_address *address)
{
	char text[ADDRESS_TEXT_BYTES];
	address_text(text, address);
	put_text_member(out, name, text);
}

static void put_numbers(struct buf *out, enum genesis_numbers numbers, const void *message)
{
	for (size_t i = 0; i < genesis_number_count(numbers); i++) {
		struct genesis_number number = genesis_number_at(numbers, i);
		uint64_t value = genesis_number_get(&number, message);
		buf_append_text(out, i == 0 ? "\n" : ",\n");
		json_put_key(out, number.name);
		if (number.width == sizeof(uint32_t))
			json_put_u64(out, value);
		else
			json_put_u64_text(out, value);
	}
}

static void put_consensus(struct buf *out, const Pb__ConsensusParams *params)
{
	buf_append_text(out, "\"consensus_params\":{\n\"block\":{");
	put_i64_member(out, "max_bytes", params->block_max_bytes);
	buf_append_byte(out, ',');
	put_i64_member(out, "max_gas", params->block_max_gas);
	buf_append_text(out, "},\n\"evidence\":{");
	put_i64_member(out, "max_age_num_blocks", params->evidence_max_age_num_blocks);
	buf_append_byte(out, ',');
	put_i64_member(out, "max_age_duration", params->evidence_max_age_ns);
	buf_append_byte(out, ',');
	put_i64_member(out, "max_bytes", params->evidence_max_bytes);
	buf_append_text(out, "},\n\"validator\":{\"pub_key_types\":[\"ed25519\"]},\n\"version\":{");
	json_put_key(out, "app");
	json_put_u64_text(out, params->app_version);
	buf_append_text(out, "},\n\"abci\":{\"vote_extensions_enable_height\":\"0\"}}");
}

static void put_engine(struct buf *out, const Pb__EngineParams *engine)
{
	bool interval = engine->pace == GENESIS_PACE_INTERVAL;
	buf_append_text(out, "\"engine\":{");
	put_numbers(out, GENESIS_NUMBERS_ENGINE, engine);
	buf_append_text(out, ",\n");
	put_text_member(out, "pace", interval ? "interval" : "instant");
	buf_append_text(out, ",\n");
	json_put_key(out, "interval_ms");
	json_put_u64_text(out, engine->interval_ms);
	buf_append_byte(out, '}');
}

static void put_validators(struct buf *out, const struct genesis *g)
{
	buf_append_text(out, "\"validators\":[");
	for (size_t i = 0; i < g->validator_count; i++) {
		const struct genesis_validator *v = &g->validators[i];
		buf_append_text(out, i == 0 ? "\n{" : ",\n{");
		json_put_key(out, "address");
		json_put_hex_upper(out, v->address.b, sizeof v->address.b);
		buf_append_text(
			out, ",\"pub_key\":{\"type\":\"tendermint/PubKeyEd25519\",\"value\":");
		json_put_base64(out, v->key.b, sizeof v->key.b);
		buf_append_text(out, "},");
		put_i64_member(out, "power", v->power);
		buf_append_byte(out, ',');
		put_text_member(out, "name", v->name);
		buf_append_byte(out, '}');
	}
	buf_append_byte(out, ']');
}

static void put_coordinator(struct buf *out, const struct genesis_coordinator *row)
{
	put_address_member(out, "owner", &row->owner);
	buf_append_byte(out, ',');
	json_put_key(out, "share_ppm");
	json_put_u64(out, row->share_ppm);
	buf_append_text(out, ",\"operators\":[");
	for (size_t i = 0; i < row->operator_count; i++) {
		char text[ADDRESS_TEXT_BYTES];
		address_text(text, &row->operators[i]);
		if (i > 0)
			buf_append_byte(out, ',');
		json_put_text(out, text);
	}
	buf_append_text(out, "],");
	put_text_member(out, "url", row->url);
	buf_append_byte(out, ',');
	json_put_key(out, "accepts_new");
	json_put_bool(out, row->accepts_new);
}

static void put_settle_state(struct buf *out, const struct genesis *g)
{
	buf_append_text(out, "{\n\"params\":{");
	put_numbers(out, GENESIS_NUMBERS_SETTLE, &g->params);
	buf_append_text(out, "},\n");
	put_address_member(out, "treasury", &g->treasury);
	buf_append_text(out, ",\n\"accounts\":[");
	for (size_t i = 0; i < g->account_count; i++) {
		buf_append_text(out, i == 0 ? "\n{" : ",\n{");
		put_address_member(out, "address", &g->accounts[i].address);
		buf_append_byte(out, ',');
		json_put_key(out, "balance");
		json_put_u64_text(out, g->accounts[i].balance.uaitbc);
		buf_append_byte(out, '}');
	}
	buf_append_text(out, "],\n\"operators\":[");
	for (size_t i = 0; i < g->operator_count; i++) {
		const struct genesis_operator *row = &g->operators[i];
		buf_append_text(out, i == 0 ? "\n{" : ",\n{");
		json_put_key(out, "validator");
		json_put_hex_upper(out, row->validator.b, sizeof row->validator.b);
		buf_append_byte(out, ',');
		put_address_member(out, "account", &row->account);
		buf_append_byte(out, '}');
	}
	buf_append_text(out, "],\n\"coordinators\":[");
	for (size_t i = 0; i < g->coordinator_count; i++) {
		buf_append_text(out, i == 0 ? "\n{" : ",\n{");
		put_coordinator(out, &g->coordinators[i]);
		buf_append_byte(out, '}');
	}
	buf_append_text(out, "]}");
}

void genesis_write(struct buf *out, const struct genesis *g)
{
	char time[RFC3339_BYTES];
	rfc3339_text(time, g->time);
	buf_append_byte(out, '{');
	put_text_member(out, "genesis_time", time);
	buf_append_text(out, ",\n");
	put_text_member(out, "chain_id", g->chain_id);
	buf_append_text(out, ",\n");
	put_i64_member(out, "initial_height", g->initial_height);
	buf_append_text(out, ",\n");
	put_consensus(out, &g->consensus);
	buf_append_text(out, ",\n");
	put_validators(out, g);
	buf_append_text(out, ",\n\"app_hash\":\"\",\n");
	put_engine(out, &g->engine);
	if (g->app == GENESIS_APP_SETTLE) {
		buf_append_text(out, ",\n\"app_state\":");
		put_settle_state(out, g);
	} else if (g->app_state.len > 0) {
		buf_append_text(out, ",\n\"app_state\":");
		buf_append_view(out, buf_view(&g->app_state));
	}
	buf_append_text(out, "}\n");
}
