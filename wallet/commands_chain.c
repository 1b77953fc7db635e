#define _POSIX_C_SOURCE 200809L
/* aitbc chain, block, blocks, tx, receipts, validators, miners: what stands on the chain. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/arena.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "chain/tx.h"
#include "wallet/commands.h"
#include "wallet/fields.h"
#include "wallet/message_json.h"

static bool read_number(uint64_t *out, const char *text, const char *what)
{
	if (u64_parse(out, text, strlen(text)) && *out <= INT64_MAX)
		return true;
	cli_fail("%s is no %s: give a whole number", text, what);
	return false;
}

static json_t *no_data_query(struct cli *cli, const char *path)
{
	char log[256];
	uint32_t code;
	json_t *value = cli_query(cli, &code, log, path, bytes_view(NULL, 0));

	if (!value && code)
		cli_fail("%s", log);
	return value;
}

/* What the node at the other end knows of who is missing. */
static int chain_stall(struct cli *cli)
{
	static const struct show_column columns[] = {{"VALIDATOR", "name", false},
		{"ADDRESS", "address", false}, {"POWER", "voting_power", true},
		{"VOTE", "vote", false}, {"STANDING", "standing", false}};
	json_t *progress = cli_rpc(cli, "consensus_progress", NULL);
	const json_t *one;
	size_t i;

	if (!progress)
		return CLI_FAILED;
	struct show *show = show_new(cli->json);
	show_line(show, "%s", field_text(progress, "text"));
	show_text(show, NULL, "text", field_text(progress, "text"));
	show_text(show, NULL, "height", field_text(progress, "height"));
	show_text(show, NULL, "waits_for", field_text(progress, "waits_for"));
	show_text(show, NULL, "waiting_ms", field_text(progress, "waiting_ms"));
	show_table(show, "validators", columns, 5);
	json_array_foreach(json_object_get(progress, "validators"), i, one)
	{
		bool nil = json_is_true(json_object_get(one, "for_nil"));
		bool voted = json_is_true(json_object_get(one, "voted"));
		show_row(show, (const char *[]){field_text(one, "name"), field_text(one, "address"),
				       field_text(one, "voting_power"),
				       !voted ? "-"
				       : nil  ? "for nil"
					      : "yes",
				       field_text(one, "text")});
	}
	json_decref(progress);
	return show_end(show);
}

int command_chain(struct cli *cli)
{
	if (command_flag(cli->line, "stall"))
		return chain_stall(cli);
	json_t *status = cli_rpc(cli, "status", NULL);
	json_t *chain = status ? no_data_query(cli, "/chain") : NULL;
	json_t *supply = chain ? no_data_query(cli, "/supply") : NULL;
	const json_t *sync = json_object_get(status, "sync_info");
	uint64_t total = 0;
	uint64_t escrow = 0;
	uint64_t live = 0;
	bool catching_up = false;

	if (supply && field_u64(&total, supply, "supply") && field_u64(&escrow, supply, "escrow") &&
		field_u64(&live, supply, "live_jobs") &&
		field_bool(&catching_up, sync, "catching_up")) {
		struct show *show = show_new(cli->json);
		show_text(show, "Chain", "chain_id",
			field_text(json_object_get(status, "node_info"), "network"));
		show_text(show, "Chain tag", "chain_tag", field_text(chain, "chain_tag"));
		show_text(show, "Height", "height", field_text(sync, "latest_block_height"));
		show_text(show, "Block time", "block_time", field_text(sync, "latest_block_time"));
		show_text(show, "App hash", "app_hash", field_text(sync, "latest_app_hash"));
		show_bool(show, "Catching up", "catching_up", catching_up);
		show_amount(show, "Supply", "supply", total);
		show_amount(show, "In escrow", "escrow", escrow);
		show_u64(show, "Live jobs", "live_jobs", live);
		show_text(show, "Treasury", "treasury", field_text(chain, "treasury"));
		show_json(show, "params", json_incref(json_object_get(chain, "params")));
		json_decref(status), json_decref(chain), json_decref(supply);
		return show_end(show);
	}
	if (supply)
		cli_fail("the node's answer can't be read");
	json_decref(status), json_decref(chain), json_decref(supply);
	return CLI_FAILED;
}

/* One transaction as a block holds it; false when it is none of ours. */
static bool decode(struct tx *tx, struct arena *arena, struct buf *raw, const char *base64)
{
	char fault[64];
	enum status local;

	return base64_decode(raw, base64, strlen(base64)) && buf_ok(raw) &&
	       tx_decode(tx, arena, buf_view(raw), &local, fault) == SETTLE_OK;
}

static const char *action_name(const Pb__Action *action)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
		&pb__action__descriptor, (unsigned)action->act_case);

	return field ? field->name : "nothing";
}

/* "transfer", "assign_job, record_receipt" ... */
static void action_names(char *out, size_t out_bytes, const Pb__TxBody *body)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < body->n_actions && len + 32 < out_bytes; i++)
		len += (size_t)snprintf(out + len, out_bytes - len, "%s%s", i ? ", " : "",
			action_name(body->actions[i]));
	if (len + 32 >= out_bytes)
		snprintf(out + len, out_bytes - len, ", ...");
}

static void show_block_txs(struct show *show, const json_t *txs)
{
	static const struct show_column columns[] = {{"#", "index", true},
		{"TRANSACTION", "hash", false}, {"FROM", "from", false},
		{"ACTIONS", "actions", false}};
	size_t i;
	json_t *one;

	show_table(show, "txs", columns, 4);
	json_array_foreach(txs, i, one)
	{
		struct arena arena;
		struct buf raw = {0};
		struct tx tx;
		char index[24];
		char hash_text[65] = "";
		char from[ADDRESS_TEXT_BYTES] = "";
		char names[120] = "not readable";
		arena_init(&arena, TX_ARENA_BYTES_MAX);
		if (json_is_string(one) && decode(&tx, &arena, &raw, json_string_value(one))) {
			address_text(from, &tx.sender);
			action_names(names, sizeof names, tx.body);
		}
		struct hash32 hash = sha256(buf_view(&raw));
		hex_upper(hash_text, hash.b, 32);
		snprintf(index, sizeof index, "%zu", i);
		show_row(show, (const char *[]){index, hash_text, from, names});
		buf_fini(&raw);
		arena_fini(&arena);
	}
}

int command_block(struct cli *cli)
{
	uint64_t height = 0;
	json_t *params = NULL;

	if (cli->line->arg_count > 0) {
		if (!read_number(&height, cli->line->args[0], "height"))
			return CLI_FAILED;
		params = json_pack("{s:s}", "height", cli->line->args[0]);
	}
	json_t *result = cli_rpc(cli, "block", params);
	if (!result)
		return CLI_FAILED;
	const json_t *block = json_object_get(result, "block");
	const json_t *header = json_object_get(block, "header");
	const json_t *txs = json_object_get(json_object_get(block, "data"), "txs");
	char count[24];
	snprintf(count, sizeof count, "%zu", json_array_size(txs));
	struct show *show = show_new(cli->json);
	show_text(show, "Height", "height", field_text(header, "height"));
	show_text(show, "Hash", "hash", field_text(json_object_get(result, "block_id"), "hash"));
	show_text(show, "Time", "time", field_text(header, "time"));
	show_text(show, "Proposer", "proposer", field_text(header, "proposer_address"));
	show_text(show, "App hash before", "app_hash", field_text(header, "app_hash"));
	show_text(show, "Transactions", "tx_count", count);
	show_block_txs(show, txs);
	json_decref(result);
	return show_end(show);
}

/* Height of the last block; false: said why. */
static bool tip(struct cli *cli, uint64_t *height)
{
	json_t *status = cli_rpc(cli, "status", NULL);
	bool ok = status &&
		  field_u64(height, json_object_get(status, "sync_info"), "latest_block_height");

	if (status && !ok)
		cli_fail("the node's answer can't be read");
	json_decref(status);
	return ok;
}

int command_blocks(struct cli *cli)
{
	static const struct show_column columns[] = {{"HEIGHT", "height", true},
		{"TIME", "time", false}, {"TXS", "tx_count", true}, {"PROPOSER", "proposer", false},
		{"HASH", "hash", false}};
	const char *limit_text = command_flag(cli->line, "limit");
	uint64_t limit = 20;
	uint64_t top;
	size_t i;
	json_t *meta;

	if (limit_text && !read_number(&limit, limit_text, "number of blocks"))
		return CLI_FAILED;
	if (limit == 0 || limit > 20)
		return cli_fail("--limit is 1 to 20");
	if (!tip(cli, &top))
		return CLI_FAILED;
	char from[24];
	char to[24];
	snprintf(from, sizeof from, "%" PRIu64, top > limit ? top - limit + 1 : 1);
	snprintf(to, sizeof to, "%" PRIu64, top);
	json_t *result = cli_rpc(
		cli, "blockchain", json_pack("{s:s,s:s}", "minHeight", from, "maxHeight", to));
	if (!result)
		return CLI_FAILED;
	struct show *show = show_new(cli->json);
	show_table(show, "blocks", columns, 5);
	json_array_foreach(json_object_get(result, "block_metas"), i, meta)
	{
		const json_t *header = json_object_get(meta, "header");
		show_row(show,
			(const char *[]){field_text(header, "height"), field_text(header, "time"),
				field_text(meta, "num_txs"), field_text(header, "proposer_address"),
				field_text(json_object_get(meta, "block_id"), "hash")});
	}
	json_decref(result);
	return show_end(show);
}

/* Money fields of an action, so that people read AITBC; the rest as it is. */
static void show_action_fields(struct show *show, const json_t *fields)
{
	static const char *const money[] = {"amount", "reward", "unit_price"};
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)fields, name, value)
	{
		char label[64];
		uint64_t uaitbc = 0;
		snprintf(label, sizeof label, "  %.60s", name);
		bool is_money = false;
		for (size_t i = 0; i < 3; i++)
			is_money = is_money || strcmp(name, money[i]) == 0;
		if (is_money && field_u64(&uaitbc, fields, name)) {
			show_amount(show, label, NULL, uaitbc);
		} else if (json_is_object(value)) {
			show_action_fields(show, value);
		} else {
			char *text = json_is_string(value) ? strdup(json_string_value(value))
							   : json_dumps(value, JSON_ENCODE_ANY);
			show_text(show, label, NULL, text ? text : "");
			free(text);
		}
	}
}

static void show_tx_body(struct show *show, const struct tx *tx)
{
	char from[ADDRESS_TEXT_BYTES];
	json_t *actions = json_array();

	address_text(from, &tx->sender);
	show_text(show, "From", "from", from);
	show_u64(show, "Sequence", "sequence", tx->body->sequence);
	show_amount(show, "Fee", "fee", tx->body->fee);
	show_text(show, NULL, "mode", tx->body->mode == PB__MODE__EACH ? "EACH" : "ATOMIC");
	if (tx->body->memo[0])
		show_text(show, "Memo", "memo", tx->body->memo);
	for (size_t i = 0; i < tx->body->n_actions; i++) {
		json_t *action = message_json(&tx->body->actions[i]->base);
		const char *name = action_name(tx->body->actions[i]);
		show_text(show, "Action", NULL, name);
		show_action_fields(show, json_object_get(action, name));
		json_array_append_new(actions, action);
	}
	show_json(show, "actions", actions);
}

int command_tx(struct cli *cli)
{
	const char *text = cli->line->args[0];
	struct hash32 hash;
	struct arena arena;
	struct buf raw = {0};
	struct tx tx;
	uint32_t code = 0;

	if (strlen(text) > 2 && text[0] == '0' && text[1] == 'x')
		text += 2;
	if (!hex_decode(hash.b, 32, text, strlen(text)))
		return cli_fail("%s is no transaction hash: give 64 hex digits", text);
	json_t *result = cli_rpc(cli, "tx", rpc_params_hash(&hash));
	if (!result)
		return CLI_FAILED;
	const json_t *outcome = json_object_get(result, "tx_result");
	struct show *show = show_new(cli->json);
	show_text(show, "Transaction", "hash", field_text(result, "hash"));
	show_text(show, "Block", "height", field_text(result, "height"));
	bool has_code = field_u32(&code, outcome, "code");
	show_text(show, "Result", "result", has_code ? settle_code_name(code) : "unknown");
	if (field_text(outcome, "log")[0])
		show_text(show, "Log", "log", field_text(outcome, "log"));
	arena_init(&arena, TX_ARENA_BYTES_MAX);
	if (decode(&tx, &arena, &raw, field_text(result, "tx")))
		show_tx_body(show, &tx);
	arena_fini(&arena);
	buf_fini(&raw);
	json_decref(result);
	return show_end(show);
}

int command_validators(struct cli *cli)
{
	static const struct show_column columns[] = {{"ADDRESS", "address", false},
		{"POWER", "voting_power", true}, {"PRIORITY", "proposer_priority", true},
		{"PUBLIC KEY", "public_key", false}};
	json_t *result = cli_rpc(cli, "validators", json_pack("{s:s}", "per_page", "100"));
	size_t i;
	json_t *one;

	if (!result)
		return CLI_FAILED;
	struct show *show = show_new(cli->json);
	show_table(show, "validators", columns, 4);
	json_array_foreach(json_object_get(result, "validators"), i, one) show_row(
		show, (const char *[]){field_text(one, "address"), field_text(one, "voting_power"),
			      field_text(one, "proposer_priority"),
			      field_text(json_object_get(one, "pub_key"), "value")});
	json_decref(result);
	return show_end(show);
}

int command_receipts(struct cli *cli)
{
	static const struct show_column columns[] = {{"BLOCK", "height", true},
		{"RECEIPT", "receipt_id", false}, {"SERVICE", "service", false},
		{"AMOUNT", "amount", true}, {"MINER", "miner", false}, {"JOB", "job_id", false}};
	struct rest_answer answer;
	size_t i;
	json_t *one;

	cli_rest(cli, &answer, HTTP_GET, "/receipts?limit=50", bytes_view(NULL, 0));
	if (!rest_answer_ok(&answer)) {
		int failed = cli_fail("%s", answer.fault);
		rest_answer_fini(&answer);
		return failed;
	}
	struct show *show = show_new(cli->json);
	show_table(show, "receipts", columns, 6);
	json_array_foreach(json_object_get(answer.json, "items"), i, one)
	{
		char height[24];
		char amount[AMOUNT_TEXT_BYTES];
		int64_t number = 0;
		uint64_t uaitbc = 0;
		if (!field_i64(&number, one, "height") || !field_u64(&uaitbc, one, "amount"))
			continue;
		snprintf(height, sizeof height, "%" PRId64, number);
		amount_text(amount, amount_of(uaitbc));
		show_row(show, (const char *[]){height, field_text(one, "receiptId"),
				       field_text(one, "service"), amount, field_text(one, "miner"),
				       field_text(one, "jobId")});
	}
	if (json_array_size(json_object_get(answer.json, "items")) == 0)
		show_line(show, "no receipts yet");
	rest_answer_fini(&answer);
	return show_end(show);
}

static void show_miner(struct show *show, const json_t *miner)
{
	const json_t *services =
		json_object_get(json_object_get(miner, "capabilities"), "services");
	char list[200] = "";
	char done[24];
	size_t len = 0;
	size_t i;
	json_t *one;
	uint64_t completed = 0;

	json_array_foreach(services, i, one) if (json_is_string(one) && len < sizeof list - 80)
		len += (size_t)snprintf(list + len, sizeof list - len, "%s%.64s", len ? ", " : "",
			json_string_value(one));
	if (!field_u64(&completed, miner, "jobs_completed"))
		completed = 0;
	snprintf(done, sizeof done, "%" PRIu64, completed);
	show_row(show,
		(const char *[]){field_text(miner, "miner_id"), field_text(miner, "status"), done,
			field_text(miner, "total_earnings"), field_text(miner, "address"), list});
}

int command_miners(struct cli *cli)
{
	static const struct show_column columns[] = {{"MINER", "miner_id", false},
		{"STATUS", "status", false}, {"JOBS", "jobs_completed", true},
		{"EARNED AITBC", "total_earnings", true}, {"ADDRESS", "address", false},
		{"SERVICES", "services", false}};
	struct rest_answer answer;
	size_t i;
	json_t *one;

	cli_use_admin_key(cli);
	cli_rest(cli, &answer, HTTP_GET, "/v1/admin/miners", bytes_view(NULL, 0));
	if (!rest_answer_ok(&answer)) {
		int failed = cli_fail("%s%s", answer.fault,
			answer.http_status == 403 ? "\nthe list needs an admin's API key" : "");
		rest_answer_fini(&answer);
		return failed;
	}
	struct show *show = show_new(cli->json);
	show_table(show, "miners", columns, 6);
	json_array_foreach(json_object_get(answer.json, "items"), i, one) show_miner(show, one);
	if (json_array_size(json_object_get(answer.json, "items")) == 0)
		show_line(show, "no miner has registered yet");
	rest_answer_fini(&answer);
	return show_end(show);
}

int command_version(struct cli *cli)
{
	struct show *show = show_new(cli->json);

	show_text(show, "aitbc", "version", AITBC_VERSION);
	return show_end(show);
}
