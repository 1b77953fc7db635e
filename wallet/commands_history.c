/* aitbc history, txs: what an account did and what was done to it, newest first. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/arena.h"
#include "base/hex.h"
#include "base/limits.h"
#include "chain/tx.h"
#include "wallet/commands.h"
#include "wallet/fields.h"

enum { HISTORY_MAX = 300 };

/* One transaction found by a search. */
struct entry {
	int64_t height;
	uint32_t index;
	char hash[65];
	const json_t *found; /* in one of the results */
};

struct history {
	struct entry entries[HISTORY_MAX];
	size_t count;
};

static bool known(const struct history *h, const char *hash)
{
	for (size_t i = 0; i < h->count; i++)
		if (strcmp(h->entries[i].hash, hash) == 0)
			return true;
	return false;
}

static void add(struct history *h, const json_t *found)
{
	struct entry entry = {.found = found};

	if (h->count < HISTORY_MAX && field_i64(&entry.height, found, "height") &&
		field_u32(&entry.index, found, "index") &&
		field_copy(entry.hash, 64, found, "hash") && !known(h, entry.hash))
		h->entries[h->count++] = entry;
}

static int newest_first(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	if (x->height != y->height)
		return x->height < y->height ? 1 : -1;
	return x->index < y->index ? 1 : x->index > y->index ? -1 : 0;
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
	else if (body->n_actions == 1)
		snprintf(out, out_bytes, "%s", field ? field->name : "?");
	else
		snprintf(out, out_bytes, "%s and %zu more", field ? field->name : "?",
			body->n_actions - 1);
}

static void show_entry(
	struct show *show, const struct entry *entry, const struct account_address *who)
{
	const char *base64 = field_text(entry->found, "tx");
	char height[24];
	char from[ADDRESS_TEXT_BYTES] = "";
	char what[120] = "not readable";
	char fault[64];
	uint32_t code = 0;
	struct arena arena;
	struct buf raw = {0};
	struct tx tx;
	enum status local;

	arena_init(&arena, TX_ARENA_BYTES_MAX);
	if (base64_decode(&raw, base64, strlen(base64)) && buf_ok(&raw) &&
		tx_decode(&tx, &arena, buf_view(&raw), &local, fault) == SETTLE_OK) {
		address_text(from, &tx.sender);
		say(what, sizeof what, &tx, who);
	}
	if (!field_u32(&code, json_object_get(entry->found, "tx_result"), "code"))
		code = SETTLE_CODES;
	snprintf(height, sizeof height, "%" PRId64, entry->height);
	show_row(show, (const char *[]){height, what, settle_code_name(code), from, entry->hash});
	buf_fini(&raw);
	arena_fini(&arena);
}

static int history(struct cli *cli, const struct account_address *who)
{
	/* The chain indexes by what happened: paid, was paid, ordered a job. */
	static const char *const roles[] = {"transfer.sender", "transfer.recipient", "job.client"};
	static const struct show_column columns[] = {{"BLOCK", "height", true},
		{"WHAT", "what", false}, {"RESULT", "result", false}, {"FROM", "from", false},
		{"TRANSACTION", "hash", false}};
	struct history *h = calloc(1, sizeof *h);
	json_t *results[3] = {NULL, NULL, NULL};
	char address[ADDRESS_TEXT_BYTES];
	char query[160];
	bool ok = h != NULL;
	size_t i;
	json_t *one;

	address_text(address, who);
	for (size_t r = 0; r < 3 && ok; r++) {
		snprintf(query, sizeof query, "%s='%s'", roles[r], address);
		results[r] = cli_rpc(cli, "tx_search",
			json_pack("{s:s,s:s,s:s}", "query", query, "per_page", "100", "order_by",
				"desc"));
		ok = results[r] != NULL;
		json_array_foreach(json_object_get(results[r], "txs"), i, one) add(h, one);
	}
	struct show *show = show_new(cli->json);
	if (ok) {
		qsort(h->entries, h->count, sizeof h->entries[0], newest_first);
		show_text(show, NULL, "address", address);
		show_table(show, "txs", columns, 5);
		for (i = 0; i < h->count; i++)
			show_entry(show, &h->entries[i], who);
		if (h->count == 0)
			show_line(show, "nothing on the chain about %s", address);
	}
	for (size_t r = 0; r < 3; r++)
		json_decref(results[r]);
	free(h);
	if (ok)
		return show_end(show);
	show_drop(show);
	return CLI_FAILED;
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
