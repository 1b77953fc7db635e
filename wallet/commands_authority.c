/* aitbc authority: what the operators of validators decide together: look, propose, vote. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/arena.h"
#include "base/bech32.h"
#include "base/hex.h"
#include "chain/tx.h"
#include "wallet/commands.h"
#include "wallet/fields.h"
#include "wallet/message_json.h"
#include "wallet/seats_after.h"

enum { PROPOSAL_ARENA_BYTES_MAX = 256 * 1024, CHANGES_MAX = 2 };

/* Everything a proposal can be made of; its messages point into it. */
struct proposing {
	struct cli *cli;
	json_t *state; /* the chain's /authority */
	struct arena arena;
	Pb__AuthorityProposal proposal;
	Pb__ValidatorsChange validators;
	Pb__ValidatorChange changes[CHANGES_MAX], *list[CHANGES_MAX];
	struct validator_key keys[CHANGES_MAX];
	struct account_address accounts[CHANGES_MAX];
	Pb__SettleParams params;
	Pb__RulesVersion rules;
	Pb__TreasurySpend spend;
	struct account_address to;
};

static json_t *ask(struct cli *cli, const char *path)
{
	char log[256];
	uint32_t code;
	json_t *value = cli_query(cli, &code, log, path, bytes_view(NULL, 0));

	if (!value && code)
		cli_fail("%s", log);
	return value;
}

static const char *arg(const struct proposing *p, size_t index)
{
	const struct command_line *line = p->cli->line;

	return index < line->arg_count ? line->args[index] : NULL;
}

/* ---- looking ---- */

static const char *kind_of(const Pb__AuthorityProposal *proposal)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
		&pb__authority_proposal__descriptor, (unsigned)proposal->change_case);

	return field ? field->name : "nothing";
}

/* The whole proposal as the chain holds it, in the arena; NULL: not readable. */
static Pb__AuthorityProposal *content_of(struct arena *arena, const json_t *row)
{
	const char *text = field_text(row, "content");
	Pb__AuthorityProposal *proposal = NULL;
	struct buf raw = {0};

	if (base64_decode(&raw, text, strlen(text)) && buf_ok(&raw))
		proposal = pb__authority_proposal__unpack(arena_protobuf(arena), raw.len, raw.data);
	buf_fini(&raw);
	return proposal;
}

static void show_validators(struct show *show, const json_t *state)
{
	static const struct show_column columns[] = {{"VALIDATOR", "address", false},
		{"PUBLIC KEY", "pub_key", false}, {"POWER", "power", true},
		{"OPERATOR", "operator", false}};
	const json_t *row;
	size_t i;

	show_table(show, "validators", columns, 4);
	json_array_foreach(json_object_get(state, "validators"), i, row) show_row(
		show, (const char *[]){field_text(row, "address"), field_text(row, "pub_key"),
			      field_text(row, "power"), field_text(row, "operator")});
}

static void show_proposals(struct show *show, const json_t *state)
{
	static const struct show_column columns[] = {{"PROPOSAL", "proposal", false},
		{"KIND", "kind", false}, {"POWER", "power", true}, {"CONTENT", "content", false}};
	const json_t *row;
	size_t i;

	show_table(show, "proposals", columns, 4);
	json_array_foreach(json_object_get(state, "proposals"), i, row)
	{
		const Pb__AuthorityProposal *proposal;
		struct arena arena;
		char *text = NULL;

		arena_init(&arena, PROPOSAL_ARENA_BYTES_MAX);
		proposal = content_of(&arena, row);
		if (proposal) {
			json_t *content = message_json(&proposal->base);
			text = json_dumps(content, JSON_COMPACT);
			json_decref(content);
		}
		show_row(show, (const char *[]){field_text(row, "proposal"),
				       proposal ? kind_of(proposal) : "not readable",
				       field_text(row, "power"), text ? text : ""});
		free(text);
		arena_fini(&arena);
	}
}

static int look(struct proposing *p)
{
	const json_t *rules = json_object_get(p->state, "rules");
	struct show *show = show_new(p->cli->json);

	show_text(show, "Rules version", "rules_version", field_text(rules, "version"));
	if (field_text(rules, "next_height")[0]) {
		show_text(
			show, "  next version", "next_version", field_text(rules, "next_version"));
		show_text(show, "  from height", "next_height", field_text(rules, "next_height"));
		show_text(show, "  needs release", "release", field_text(rules, "release"));
	}
	show_text(show, "Total power", "total_power", field_text(p->state, "total_power"));
	show_validators(show, p->state);
	show_proposals(show, p->state);
	show_line(show, "more than two thirds of the power decide; a vote counts for seven days");
	return show_end(show);
}

/* ---- reading what was typed ---- */

static const json_t *seat_of(const struct proposing *p, const struct validator_key *key)
{
	const struct validator_address address = validator_address_of(key);
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(p->state, "validators"), i, row)
	{
		struct validator_address other;

		if (field_hex(other.b, sizeof other.b, row, "address") &&
			memcmp(other.b, address.b, sizeof other.b) == 0)
			return row;
	}
	return NULL;
}

static bool key_of_text(struct validator_key *out, const char *text)
{
	struct buf raw = {0};
	bool read = hex_decode(out->b, sizeof out->b, text, strlen(text));

	if (!read && base64_decode(&raw, text, strlen(text)) && buf_ok(&raw) &&
		raw.len == sizeof out->b) {
		memcpy(out->b, raw.data, sizeof out->b);
		read = true;
	}
	buf_fini(&raw);
	return read;
}

/* A public key, or the address of a validator of the set. */
static bool read_key(const struct proposing *p, struct validator_key *out, const char *text)
{
	const json_t *row;
	size_t i;

	if (text && key_of_text(out, text))
		return true;
	json_array_foreach(json_object_get(p->state, "validators"), i, row)
	{
		if (text && strcmp(text, field_text(row, "address")) == 0 &&
			key_of_text(out, field_text(row, "pub_key")))
			return true;
	}
	cli_fail("%s is no validator's key: give its public key in base64 or hex, or the address "
		 "of one of `aitbc authority`",
		text ? text : "nothing");
	return false;
}

static bool read_i64(int64_t *out, const char *text, const char *what)
{
	uint64_t value;

	if (text && u64_parse(&value, text, strlen(text)) && value > 0 && value <= INT64_MAX) {
		*out = (int64_t)value;
		return true;
	}
	cli_fail("%s is no %s: give a whole number above 0", text ? text : "nothing", what);
	return false;
}

/* ---- proposals ---- */

/* power 0: leaves. account: who operates it, NULL when that stays. */
static void add_change(struct proposing *p, const struct validator_key *key, int64_t power,
	const struct account_address *account)
{
	size_t at = p->validators.n_changes++;
	Pb__ValidatorChange *change = &p->changes[at];

	CHECK(at < CHANGES_MAX);
	pb__validator_change__init(change);
	p->keys[at] = *key;
	change->key = (ProtobufCBinaryData){sizeof key->b, p->keys[at].b};
	change->power = power;
	if (account) {
		p->accounts[at] = *account;
		change->account = (ProtobufCBinaryData){sizeof account->b, p->accounts[at].b};
	}
	p->list[at] = change;
	p->validators.changes = p->list;
	p->proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS;
	p->proposal.validators = &p->validators;
}

static bool propose_add(struct proposing *p)
{
	struct account_address account;
	struct validator_key key;
	int64_t power;

	if (!read_key(p, &key, arg(p, 1)) || !read_i64(&power, arg(p, 2), "power") ||
		!cli_address(p->cli, &account, arg(p, 3)))
		return false;
	add_change(p, &key, power, &account);
	return true;
}

static bool propose_power(struct proposing *p)
{
	struct validator_key key;
	int64_t power;

	if (!read_key(p, &key, arg(p, 1)) || !read_i64(&power, arg(p, 2), "power"))
		return false;
	add_change(p, &key, power, NULL);
	return true;
}

static bool propose_remove(struct proposing *p)
{
	struct validator_key key;

	if (!read_key(p, &key, arg(p, 1)))
		return false;
	add_change(p, &key, 0, NULL);
	return true;
}

static bool propose_replace(struct proposing *p)
{
	struct validator_key old, fresh;
	struct account_address account;
	const json_t *seat;
	int64_t power;

	if (!read_key(p, &old, arg(p, 1)) || !read_key(p, &fresh, arg(p, 2)))
		return false;
	seat = seat_of(p, &old);
	if (!seat || !field_i64(&power, seat, "power") ||
		!field_address(&account, seat, "operator")) {
		cli_fail("%s validates nothing here, or has no operator", arg(p, 1));
		return false;
	}
	add_change(p, &fresh, power, &account);
	add_change(p, &old, 0, NULL);
	return true;
}

/* NAME=VALUE into the field of that name. */
static bool set_param(Pb__SettleParams *params, const char *text)
{
	const char *equals = strchr(text, '=');
	uint64_t value;

	for (unsigned i = 0; equals && i < pb__settle_params__descriptor.n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &pb__settle_params__descriptor.fields[i];
		char *at = (char *)params + field->offset;

		if (strlen(field->name) != (size_t)(equals - text) ||
			memcmp(field->name, text, (size_t)(equals - text)) != 0)
			continue;
		if (!u64_parse(&value, equals + 1, strlen(equals + 1)) ||
			(field->type == PROTOBUF_C_TYPE_UINT32 && value > UINT32_MAX))
			break;
		if (field->type == PROTOBUF_C_TYPE_UINT32)
			*(uint32_t *)(void *)at = (uint32_t)value;
		else
			*(uint64_t *)(void *)at = value;
		return true;
	}
	cli_fail("there is no such parameter: %s; give NAME=NUMBER, names and values: aitbc chain "
		 "--json",
		text);
	return false;
}

/* The whole set travels: as it stands, with what was named changed. */
static bool propose_params(struct proposing *p)
{
	json_t *now = ask(p->cli, "/params");
	const char *name;
	json_t *value;
	bool read = now != NULL;

	json_object_foreach(now, name, value)
	{
		char text[96];

		snprintf(text, sizeof text, "%.60s=%.30s", name, json_string_value(value));
		read = read && set_param(&p->params, text);
	}
	json_decref(now);
	for (size_t i = 1; read && arg(p, i); i++)
		read = set_param(&p->params, arg(p, i));
	p->proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE_PARAMS;
	p->proposal.params = &p->params;
	return read;
}

static bool propose_rules(struct proposing *p)
{
	int64_t version;

	if (!read_i64(&version, arg(p, 1), "version") ||
		!read_i64(&p->rules.height, arg(p, 2), "height"))
		return false;
	p->rules.version = (uint64_t)version;
	if (arg(p, 3))
		p->rules.release = (char *)(uintptr_t)arg(p, 3);
	p->proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE_RULES;
	p->proposal.rules = &p->rules;
	return true;
}

static bool propose_spend(struct proposing *p)
{
	const char *text = arg(p, 2);
	struct amount amount;

	if (!cli_address(p->cli, &p->to, arg(p, 1)))
		return false;
	if (!amount_parse(&amount, text, strlen(text))) {
		cli_fail("%s is no amount: write it like 0.25aitbc or 250000uaitbc", text);
		return false;
	}
	p->spend.to = (ProtobufCBinaryData){sizeof p->to.b, p->to.b};
	p->spend.amount = amount.uaitbc;
	p->proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE_SPEND;
	p->proposal.spend = &p->spend;
	return true;
}

/* One that is open, exactly as it is. */
static bool vote_for(struct proposing *p)
{
	const Pb__AuthorityProposal *open = NULL;
	const json_t *row;
	size_t i, found = 0;

	json_array_foreach(json_object_get(p->state, "proposals"), i, row)
	{
		if (strncmp(field_text(row, "proposal"), arg(p, 1), strlen(arg(p, 1))) != 0)
			continue;
		found++;
		open = content_of(&p->arena, row);
	}
	if (found != 1 || !open) {
		cli_fail("%s is %s; see them: aitbc authority", arg(p, 1),
			found > 1 ? "the beginning of several proposals" : "no open proposal");
		return false;
	}
	p->proposal = *open;
	return true;
}

static const struct deed {
	const char *name;
	const char *arguments;
	size_t args_least; /* with its name */
	size_t args_most;
	bool (*make)(struct proposing *p);
} deeds[] = {
	{"vote", "PROPOSAL", 2, 2, vote_for},
	{"add", "KEY POWER OPERATOR", 4, 4, propose_add},
	{"power", "KEY POWER", 3, 3, propose_power},
	{"remove", "KEY", 2, 2, propose_remove},
	{"replace", "KEY NEW_KEY", 3, 3, propose_replace},
	{"params", "NAME=VALUE...", 2, COMMAND_ARGS_MAX, propose_params},
	{"rules", "VERSION HEIGHT [RELEASE]", 3, 4, propose_rules},
	{"spend", "TO AMOUNT", 3, 3, propose_spend},
};

static const struct deed *deed_of(const struct proposing *p)
{
	for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
		const struct deed *deed = &deeds[i];

		if (strcmp(deed->name, arg(p, 0)) != 0)
			continue;
		if (p->cli->line->arg_count >= deed->args_least &&
			p->cli->line->arg_count <= deed->args_most)
			return deed;
		cli_fail("write it like: aitbc authority %s %s", deed->name, deed->arguments);
		return NULL;
	}
	cli_fail("authority has no %s; see aitbc authority --help", arg(p, 0));
	return NULL;
}

/* What he agrees to, when it is about who validates. False: said why it can't be. */
static bool tell_of_validators(const struct proposing *p)
{
	static struct seat_power now[VALIDATORS_MAX];
	static struct seats_after after;
	size_t count = 0, i;
	const json_t *row;
	struct buf text = {0};

	if (p->proposal.change_case != PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS)
		return true;
	json_array_foreach(json_object_get(p->state, "validators"), i, row)
	{
		if (count < VALIDATORS_MAX &&
			field_hex(now[count].address.b, sizeof now[count].address.b, row,
				"address") &&
			field_i64(&now[count].power, row, "power"))
			count++;
	}
	seats_after(&after, now, count, p->proposal.validators);
	bool may = seats_after_text(&text, &after);
	if (!may)
		cli_fail("%.*s", (int)text.len - 1, buf_text(&text));
	else if (text.len > 0)
		fprintf(stderr, "aitbc: warning: %s", buf_text(&text));
	buf_fini(&text);
	return may;
}

static int send_vote(struct proposing *p)
{
	Pb__Authority act = PB__AUTHORITY__INIT;
	Pb__Action action = PB__ACTION__INIT;
	struct sender_outcome outcome;
	struct hash32 hash;
	char text[2 * sizeof hash.b + 1];
	json_t *after;
	bool open = false;
	const json_t *row;
	size_t i;

	act.proposal = &p->proposal;
	action.act_case = PB__ACTION__ACT_AUTHORITY;
	action.authority = &act;
	if (!cli_send(p->cli, &outcome, &action))
		return CLI_FAILED;
	hash = proposal_hash(&p->proposal, sender_chain_tag(p->cli->sender));
	hex_upper(text, hash.b, sizeof hash.b);
	after = ask(p->cli, "/authority");
	json_array_foreach(json_object_get(after, "proposals"), i, row) open =
		open || strcmp(field_text(row, "proposal"), text) == 0;
	struct show *show = show_new(p->cli->json);
	show_text(show, "Proposal", "proposal", text);
	show_text(show, "Kind", "kind", kind_of(&p->proposal));
	if (after)
		show_text(show, "Status", "status", open ? "open" : "in force");
	show_u64(show, "Block", "height", (uint64_t)outcome.height);
	if (open)
		show_line(show, "the others agree with: aitbc authority vote %.16s", text);
	json_decref(after);
	return show_end(show);
}

static int run(struct proposing *p)
{
	const char *reference = command_flag(p->cli->line, "reference");
	const struct deed *deed;

	if (!arg(p, 0))
		return look(p);
	deed = deed_of(p);
	if (!deed)
		return CLI_USAGE;
	if (!deed->make(p))
		return CLI_FAILED;
	if (reference && deed->make != vote_for)
		p->proposal.reference = (char *)(uintptr_t)reference;
	return tell_of_validators(p) ? send_vote(p) : CLI_FAILED;
}

int command_authority(struct cli *cli)
{
	struct proposing p = {.cli = cli};
	int code;

	pb__authority_proposal__init(&p.proposal);
	pb__validators_change__init(&p.validators);
	pb__settle_params__init(&p.params);
	pb__rules_version__init(&p.rules);
	pb__treasury_spend__init(&p.spend);
	arena_init(&p.arena, PROPOSAL_ARENA_BYTES_MAX);
	p.state = ask(cli, "/authority");
	code = p.state ? run(&p) : CLI_FAILED;
	json_decref(p.state);
	arena_fini(&p.arena);
	return code;
}
