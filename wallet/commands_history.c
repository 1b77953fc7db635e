/* aitbc history, txs: what an account did and what was done to it, newest first. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <string.h>

#include "base/amount.h"
#include "base/arena.h"
#include "base/hex.h"
#include "base/limits.h"
#include "chain/tx.h"
#include "wallet/commands.h"
#include "wallet/fields.h"

enum { BLOCKS_DEFAULT = 2000, BLOCKS_MOST = 1000000, PAGE_BLOCKS = 20, ROWS_MAX = 300 };

/* A walk down the chain for one account. */
struct walk {
	struct cli *cli;
	struct show *show;
	struct account_address who;
	size_t rows;
};

/* The account signed it, or one of its actions names the account: as payee, client, coordinator, or
 * as the miner that a receipt pays. */
static bool concerns(const struct tx *tx, struct bytes raw, const struct account_address *who)
{
	if (account_address_equal(&tx->sender, who) || memmem(raw.data, raw.len, who->b, 20))
		return true;
	for (size_t i = 0; i < tx->body->n_actions; i++) {
		const Pb__Action *action = tx->body->actions[i];
		const ProtobufCBinaryData *miner = NULL;
		struct account_key key;
		if (action->act_case == PB__ACTION__ACT_RECORD_RECEIPT)
			miner = &action->record_receipt->receipt->miner;
		else if (action->act_case == PB__ACTION__ACT_ASSIGN_JOB)
			miner = &action->assign_job->miner;
		if (!miner || miner->len != sizeof key.b)
			continue;
		memcpy(key.b, miner->data, sizeof key.b);
		struct account_address address = account_address_of(&key);
		if (account_address_equal(&address, who))
			return true;
	}
	return false;
}

/* "+5 AITBC" of transfers to the account, "-5 AITBC" of those from it, else the actions' names. */
static void say(char *out, size_t out_bytes, const struct tx *tx, const struct account_address *who)
{
	uint64_t in = 0;
	uint64_t gone = 0;
	char text[AMOUNT_TEXT_BYTES];
	const Pb__TxBody *body = tx->body;
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
		&pb__action__descriptor, (unsigned)body->actions[0]->act_case);

	for (size_t i = 0; i < body->n_actions; i++) {
		const Pb__Action *action = body->actions[i];
		if (action->act_case != PB__ACTION__ACT_TRANSFER)
			continue;
		if (memcmp(action->transfer->to.data, who->b, 20) == 0)
			in += action->transfer->amount;
		if (account_address_equal(&tx->sender, who))
			gone += action->transfer->amount;
	}
	amount_text(text, amount_of(in > gone ? in - gone : gone - in));
	if (in || gone)
		snprintf(out, out_bytes, "transfer %s%s", in > gone ? "+" : "-", text);
	else if (body->n_actions == 1 &&
		 body->actions[0]->act_case == PB__ACTION__ACT_RECORD_RECEIPT) {
		amount_text(text, amount_of(body->actions[0]->record_receipt->receipt->amount));
		snprintf(out, out_bytes, "record_receipt of %s", text);
	} else if (body->n_actions == 1)
		snprintf(out, out_bytes, "%s", field ? field->name : "?");
	else
		snprintf(out, out_bytes, "%s and %zu more", field ? field->name : "?",
			body->n_actions - 1);
}

/* One row, when the transaction concerns the account. */
static void look_at_tx(struct walk *w, const char *height, const char *base64, const json_t *result)
{
	char from[ADDRESS_TEXT_BYTES];
	char hash_text[65];
	char what[120];
	char fault[64];
	uint32_t code;
	struct arena arena;
	struct buf raw = {0};
	struct tx tx;
	enum status local;

	arena_init(&arena, TX_ARENA_BYTES_MAX);
	if (base64_decode(&raw, base64, strlen(base64)) && buf_ok(&raw) &&
		tx_decode(&tx, &arena, buf_view(&raw), &local, fault) == SETTLE_OK &&
		concerns(&tx, buf_view(&raw), &w->who)) {
		struct hash32 hash = sha256(buf_view(&raw));
		hex_upper(hash_text, hash.b, 32);
		address_text(from, &tx.sender);
		say(what, sizeof what, &tx, &w->who);
		if (!field_u32(&code, result, "code"))
			code = SETTLE_CODES;
		show_row(w->show,
			(const char *[]){height, what, settle_code_name(code), from, hash_text});
		w->rows++;
	}
	buf_fini(&raw);
	arena_fini(&arena);
}

static bool look_at_block(struct walk *w, const char *height)
{
	json_t *block = cli_rpc(w->cli, "block", json_pack("{s:s}", "height", height));
	json_t *results =
		block ? cli_rpc(w->cli, "block_results", json_pack("{s:s}", "height", height))
		      : NULL;
	const json_t *txs =
		json_object_get(json_object_get(json_object_get(block, "block"), "data"), "txs");
	const json_t *codes = json_object_get(results, "txs_results");

	for (size_t i = json_array_size(txs); results && i > 0; i--) {
		const char *base64 = json_string_value(json_array_get(txs, i - 1));
		if (base64)
			look_at_tx(w, height, base64, json_array_get(codes, i - 1));
	}
	bool ok = results != NULL;
	json_decref(block);
	json_decref(results);
	return ok;
}

/* Blocks from..to, newest first; those without transactions cost nothing but their place in a page.
 */
static bool look_at_page(struct walk *w, uint64_t from, uint64_t to)
{
	char low[24];
	char high[24];
	size_t i;
	json_t *meta;
	bool ok = true;

	snprintf(low, sizeof low, "%" PRIu64, from);
	snprintf(high, sizeof high, "%" PRIu64, to);
	json_t *page = cli_rpc(
		w->cli, "blockchain", json_pack("{s:s,s:s}", "minHeight", low, "maxHeight", high));
	json_array_foreach(json_object_get(page, "block_metas"), i, meta)
	{
		if (ok && w->rows < ROWS_MAX && strcmp(field_text(meta, "num_txs"), "0") != 0)
			ok = look_at_block(
				w, field_text(json_object_get(meta, "header"), "height"));
	}
	ok = ok && page != NULL;
	json_decref(page);
	return ok;
}

/* How far up and down: false: said why. */
static bool walk_bounds(struct cli *cli, uint64_t *bottom, uint64_t *top)
{
	const char *text = command_flag(cli->line, "blocks");
	uint64_t count = BLOCKS_DEFAULT;
	uint64_t earliest = 1;

	if (text && (!u64_parse(&count, text, strlen(text)) || count == 0 || count > BLOCKS_MOST)) {
		cli_fail("--blocks needs a whole number up to %d", BLOCKS_MOST);
		return false;
	}
	json_t *status = cli_rpc(cli, "status", NULL);
	const json_t *sync = json_object_get(status, "sync_info");
	bool ok = field_u64(top, sync, "latest_block_height") &&
		  field_u64(&earliest, sync, "earliest_block_height");
	if (status && !ok)
		cli_fail("the node's answer can't be read");
	json_decref(status);
	*bottom = *top > count ? *top - count + 1 : 1;
	*bottom = *bottom < earliest ? earliest : *bottom;
	return ok;
}

static int history(struct cli *cli, const struct account_address *who)
{
	static const struct show_column columns[] = {{"BLOCK", "height", true},
		{"WHAT", "what", false}, {"RESULT", "result", false}, {"FROM", "from", false},
		{"TRANSACTION", "hash", false}};
	struct walk w = {.cli = cli, .who = *who};
	char address[ADDRESS_TEXT_BYTES];
	uint64_t bottom;
	uint64_t top;
	bool ok = true;

	if (!walk_bounds(cli, &bottom, &top))
		return CLI_FAILED;
	address_text(address, who);
	w.show = show_new(cli->json);
	show_text(w.show, NULL, "address", address);
	show_table(w.show, "txs", columns, 5);
	uint64_t at = top;
	while (ok && at >= bottom && w.rows < ROWS_MAX) {
		uint64_t from = at - bottom >= PAGE_BLOCKS ? at - PAGE_BLOCKS + 1 : bottom;
		ok = look_at_page(&w, from, at);
		at = from - 1;
	}
	if (!ok) {
		show_drop(w.show);
		return CLI_FAILED;
	}
	if (w.rows == 0)
		show_line(w.show,
			"nothing about %s in blocks %" PRIu64 " to %" PRIu64
			"; look further down with --blocks N",
			address, at + 1, top);
	show_u64(w.show, NULL, "from_height", at + 1);
	show_u64(w.show, NULL, "to_height", top);
	return show_end(w.show);
}

int command_txs(struct cli *cli)
{
	struct account_address who;

	return cli_address(cli, &who, cli->line->args[0]) ? history(cli, &who) : CLI_FAILED;
}

int command_history(struct cli *cli)
{
	return cli_own_key(cli) ? history(cli, &cli->key.address) : CLI_FAILED;
}
