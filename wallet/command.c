#include "wallet/command.h"

#include <string.h>

#include "base/nearest.h"

enum { NAMES_MAX = 64 };

const struct command_flag command_globals[] = {
	{"json", NULL, "answer as one JSON object"},
	{"rpc", "URL", "JSON-RPC port of a node (AITBC_RPC; http://127.0.0.1:26657)"},
	{"coordinator", "URL",
		"REST port of a coordinator (AITBC_COORDINATOR; http://127.0.0.1:18000)"},
	{"home", "DIR", "folder of keys and jobs (AITBC_HOME; ~/.aitbc)"},
	{"key", "NAME", "which key acts (\"default\", else \"client\", else the only one)"},
	{"api-key", "KEY", "the coordinator's API key (better: AITBC_API_KEY, argv is public)"},
	{"passphrase-file", "FILE", "first line of a file only you can read"},
	{"passphrase-fd", "N", "first line of an open descriptor"},
	{"help", NULL, "what the command does"},
	{NULL, NULL, NULL},
};

static bool flag_is(const struct command_flag *flag, const char *name, size_t len)
{
	return strlen(flag->name) == len && memcmp(flag->name, name, len) == 0;
}

static const struct command_flag *find_flag(
	const struct command_flag *list, const char *name, size_t len)
{
	for (; list->name; list++)
		if (flag_is(list, name, len))
			return list;
	return NULL;
}

static void unknown_flag(char *fault, const struct command *command, const char *name)
{
	const char *known[NAMES_MAX + 1];
	size_t count = 0;

	for (const struct command_flag *f = command_globals; f->name; f++)
		known[count++] = f->name;
	for (const struct command_flag *f = command ? command->flags : command_globals; f->name;
		f++)
		known[count++] = f->name;
	known[count] = NULL;
	char dashed[80];
	const char *near = nearest_name(known, name);
	snprintf(dashed, sizeof dashed, "--%.60s", near ? near : "");
	snprintf(fault, COMMAND_FAULT_BYTES, "no such flag: --%.60s%s%s%s", name,
		near ? "; did you mean " : "", near ? dashed : "", near ? "?" : "");
}

static void unknown_command(char *fault, const struct command *table, const char *name)
{
	const char *known[NAMES_MAX + 1];
	size_t count = 0;

	for (; table->name && count < NAMES_MAX; table++)
		known[count++] = table->name;
	known[count] = NULL;
	const char *near = nearest_name(known, name);
	snprintf(fault, COMMAND_FAULT_BYTES, "no such command: %.60s%s%s%s", name,
		near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* One or two words name a command. *used says how many. */
static const struct command *find_command(
	const struct command *table, const char *first, const char *second, size_t *used)
{
	char both[80];

	for (; table->name; table++) {
		snprintf(both, sizeof both, "%.30s %.30s", first, second ? second : "");
		*used = strchr(table->name, ' ') ? 2 : 1;
		if (strcmp(table->name, *used == 2 ? both : first) == 0)
			return table;
	}
	return NULL;
}

/* --name, --name=value or --name value; *at moves past what was read. */
static bool take_flag(
	struct command_line *out, char *fault, int argc, const char *const *argv, int *at)
{
	const char *name = argv[*at] + 2;
	size_t len = strcspn(name, "=");
	const struct command_flag *flag = find_flag(command_globals, name, len);
	const char *value = "";

	if (!flag && out->command)
		flag = find_flag(out->command->flags, name, len);
	if (!flag) {
		char text[64];
		snprintf(text, sizeof text, "%.*s", len < 60 ? (int)len : 60, name);
		unknown_flag(fault, out->command, text);
		return false;
	}
	if (flag->value && name[len] == '=') {
		value = name + len + 1;
	} else if (flag->value && *at + 1 < argc) {
		value = argv[++*at];
	} else if (flag->value || name[len] == '=') {
		snprintf(fault, COMMAND_FAULT_BYTES, "--%s %s", flag->name,
			flag->value ? "needs a value" : "takes no value");
		return false;
	}
	if (out->given_count == COMMAND_GIVEN_MAX) {
		snprintf(fault, COMMAND_FAULT_BYTES, "at most %d flags", COMMAND_GIVEN_MAX);
		return false;
	}
	out->given[out->given_count].flag = flag;
	out->given[out->given_count++].value = value;
	return true;
}

/* The command's own words at argv[*at]; "help COMMAND" asks for its help. */
static bool take_command(struct command_line *out, char *fault, int argc, const char *const *argv,
	int *at, const struct command *table)
{
	const char *second = *at + 1 < argc ? argv[*at + 1] : NULL;
	size_t used;

	if (strcmp(argv[*at], "help") == 0 && !out->help) {
		out->help = true;
		return true;
	}
	out->command = find_command(table, argv[*at], second, &used);
	if (out->command) {
		*at += (int)used - 1;
		return true;
	}
	char both[80];
	snprintf(both, sizeof both, "%.30s%s%.30s", argv[*at], second ? " " : "",
		second ? second : "");
	/* "keys" alone, or "keys nwe": the first word names a group. */
	for (const struct command *c = table; c->name; c++) {
		size_t len = strcspn(c->name, " ");
		if (c->name[len] == ' ' && strlen(argv[*at]) == len &&
			memcmp(c->name, argv[*at], len) == 0) {
			unknown_command(fault, table, both);
			return false;
		}
	}
	unknown_command(fault, table, argv[*at]);
	return false;
}

static bool count_args(const struct command_line *line, char *fault)
{
	const struct command *c = line->command;

	if (!c || line->help ||
		(line->arg_count >= c->args_least && line->arg_count <= c->args_most))
		return true;
	snprintf(fault, COMMAND_FAULT_BYTES, "%s: aitbc %s%s%s",
		line->arg_count < c->args_least ? "too few arguments" : "too many arguments",
		c->name, c->arguments[0] ? " " : "", c->arguments);
	return false;
}

bool command_parse(struct command_line *out, char fault[COMMAND_FAULT_BYTES], int argc,
	const char *const *argv, const struct command *table)
{
	bool only_args = false;

	*out = (struct command_line){0};
	for (int at = 0; at < argc; at++) {
		const char *word = argv[at];
		if (!only_args && strcmp(word, "--") == 0) {
			only_args = true;
		} else if (!only_args && strcmp(word, "-h") == 0) {
			out->help = true;
		} else if (!only_args && word[0] == '-' && word[1] == '-') {
			if (!take_flag(out, fault, argc, argv, &at))
				return false;
		} else if (!out->command) {
			if (!take_command(out, fault, argc, argv, &at, table))
				return false;
		} else if (out->arg_count == COMMAND_ARGS_MAX) {
			snprintf(fault, COMMAND_FAULT_BYTES, "too many arguments");
			return false;
		} else {
			out->args[out->arg_count++] = word;
		}
	}
	out->help = out->help || command_flag(out, "help");
	return count_args(out, fault);
}

const char *command_flag(const struct command_line *line, const char *name)
{
	for (size_t i = line->given_count; i > 0; i--)
		if (strcmp(line->given[i - 1].flag->name, name) == 0)
			return line->given[i - 1].value;
	return NULL;
}

const char *command_flag_at(const struct command_line *line, const char *name, size_t index)
{
	for (size_t i = 0; i < line->given_count; i++)
		if (strcmp(line->given[i].flag->name, name) == 0 && index-- == 0)
			return line->given[i].value;
	return NULL;
}

static void print_flags(FILE *to, const struct command_flag *flags)
{
	for (; flags->name; flags++) {
		char head[64];
		snprintf(head, sizeof head, "--%s%s%s", flags->name, flags->value ? " " : "",
			flags->value ? flags->value : "");
		fprintf(to, "  %-26s %s\n", head, flags->help);
	}
}

void command_help_all(FILE *to, const struct command *table)
{
	fprintf(to, "aitbc - keys, money and jobs on an AITBC chain\n\n"
		    "usage: aitbc COMMAND [ARGUMENTS] [FLAGS]\n\n");
	for (; table->name; table++) {
		char head[64];
		snprintf(head, sizeof head, "%s %s", table->name, table->arguments);
		fprintf(to, "  %-34s %s\n", head, table->summary);
	}
	fprintf(to, "\nflags of every command:\n");
	print_flags(to, command_globals);
	fprintf(to, "\nmore on one command: aitbc help COMMAND\n");
}

void command_help(FILE *to, const struct command *command)
{
	fprintf(to, "aitbc %s %s\n\n%s\n", command->name, command->arguments, command->summary);
	if (command->details)
		fprintf(to, "\n%s\n", command->details);
	if (command->flags[0].name) {
		fprintf(to, "\nflags:\n");
		print_flags(to, command->flags);
	}
	fprintf(to, "\nflags of every command:\n");
	print_flags(to, command_globals);
}
