/* aitbc balance, send, faucet: what an account has, and giving it away. */
#include <inttypes.h>
#include <string.h>

#include "base/amount.h"
#include "base/hex.h"
#include "chain/tx.h"
#include "wallet/commands.h"
#include "wallet/fields.h"

static bool whose(struct cli *cli, struct account_address *out)
{
	if (cli->line->arg_count > 0)
		return cli_address(cli, out, cli->line->args[0]);
	if (!cli_own_key(cli))
		return false;
	*out = cli->key.address;
	return true;
}

int command_balance(struct cli *cli)
{
	struct account_address address;
	char text[ADDRESS_TEXT_BYTES];
	char log[256];
	uint32_t code;
	uint64_t balance = 0;
	uint64_t next = 0;
	uint64_t open_jobs = 0;

	if (!whose(cli, &address))
		return CLI_FAILED;
	json_t *account = cli_query(cli, &code, log, "/accounts", bytes_view(address.b, 20));
	if (!account && code != SETTLE_UNKNOWN_ACCOUNT)
		return code ? cli_fail("%s", log) : CLI_FAILED;
	bool known = field_u64(&balance, account, "balance") &&
		     field_u64(&next, account, "next_sequence") &&
		     field_u64(&open_jobs, account, "open_jobs");
	json_decref(account);
	address_text(text, &address);
	struct show *show = show_new(cli->json);
	show_text(show, "Address", "address", text);
	show_amount(show, "Balance", "balance", balance);
	show_u64(show, "Open jobs", "open_jobs", open_jobs);
	show_u64(show, "Next sequence", "next_sequence", next);
	show_bool(show, NULL, "exists", known);
	if (!known)
		show_line(show, "the chain has no record of this account yet: nobody has paid it");
	return show_end(show);
}

static bool read_amount(struct amount *out, const char *text)
{
	if (amount_parse(out, text, strlen(text)) && out->uaitbc > 0)
		return true;
	cli_fail("%s is no amount: write it like 0.25aitbc or 250000uaitbc", text);
	return false;
}

static int transfer(struct cli *cli, const struct account_address *to, struct amount amount)
{
	Pb__Transfer act = PB__TRANSFER__INIT;
	Pb__Action action = PB__ACTION__INIT;
	struct account_address copy = *to;
	struct sender_outcome outcome;
	char from_text[ADDRESS_TEXT_BYTES];
	char to_text[ADDRESS_TEXT_BYTES];

	act.to = (ProtobufCBinaryData){sizeof copy.b, copy.b};
	act.amount = amount.uaitbc;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &act;
	if (!cli_send(cli, &outcome, &action))
		return CLI_FAILED;
	address_text(from_text, sender_address(cli->sender));
	address_text(to_text, to);
	struct show *show = show_new(cli->json);
	show_amount(show, "Sent", "amount", amount.uaitbc);
	show_text(show, "From", "from", from_text);
	show_text(show, "To", "to", to_text);
	show_amount(show, "Fee", "fee", outcome.fee_uaitbc);
	show_hex(show, "Transaction", "hash", outcome.hash.b, sizeof outcome.hash.b);
	show_u64(show, "Block", "height", (uint64_t)outcome.height);
	return show_end(show);
}

int command_send(struct cli *cli)
{
	struct account_address to;
	struct amount amount;

	if (!cli_address(cli, &to, cli->line->args[0]) || !read_amount(&amount, cli->line->args[1]))
		return CLI_FAILED;
	return transfer(cli, &to, amount);
}

int command_faucet(struct cli *cli)
{
	struct account_address to;
	struct amount amount = amount_of(100 * UINT64_C(1000000));

	if (!whose(cli, &to))
		return CLI_FAILED;
	if (cli->line->arg_count == 2 && !read_amount(&amount, cli->line->args[1]))
		return CLI_FAILED;
	cli->key_name = "faucet";
	return transfer(cli, &to, amount);
}
