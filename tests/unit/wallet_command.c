/* The command line of aitbc: what is read, and what is said of what can't be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "wallet/command.h"
#include "wallet/show.h"

enum { WORDS_MAX = 12 };

static bool parse(struct command_line *line, char *fault, const char *const *words)
{
	int argc = 0;

	while (argc < WORDS_MAX && words[argc])
		argc++;
	fault[0] = '\0';
	return command_parse(line, fault, argc, words, command_table);
}

static void commands_flags_and_arguments_are_told_apart(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *command;
		size_t args;
		const char *flag;
		const char *value;
	} rows[] = {
		{{"chain"}, "chain", 0, "json", NULL},
		{{"send", "bob", "1aitbc", "--json"}, "send", 2, "json", ""},
		{{"--json", "send", "bob", "1aitbc"}, "send", 2, "json", ""},
		{{"send", "--key", "alice", "bob", "1aitbc"}, "send", 2, "key", "alice"},
		{{"send", "--key=alice", "bob", "1aitbc"}, "send", 2, "key", "alice"},
		{{"send", "--key=", "bob", "1aitbc"}, "send", 2, "key", ""},
		{{"keys", "new", "bob", "--devnet", "devnet-1"}, "keys new", 1, "devnet",
			"devnet-1"},
		{{"keys", "list"}, "keys list", 0, "json", NULL},
		{{"submit", "inference", "--prompt", "--odd"}, "submit", 1, "prompt", "--odd"},
		{{"balance", "--", "--strange-name"}, "balance", 1, "json", NULL},
		{{"blocks", "--limit", "5", "--limit", "7"}, "blocks", 0, "limit", "7"},
	};
	struct command_line line;
	char fault[COMMAND_FAULT_BYTES];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!parse(&line, fault, rows[i].words))
			fail_msg("row %zu: %s", i, fault);
		assert_string_equal(line.command->name, rows[i].command);
		assert_int_equal(line.arg_count, rows[i].args);
		const char *value = command_flag(&line, rows[i].flag);
		if (rows[i].value)
			assert_string_equal(value, rows[i].value);
		else
			assert_null(value);
	}
}

static void what_is_wrong_is_said_with_what_was_probably_meant(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *says;
	} rows[] = {
		{{"blanace"}, "did you mean balance?"},
		{{"keys", "nwe", "x"}, "did you mean keys new?"},
		{{"keys"}, "no such command: keys"},
		{{"xyzzyxyzzy"}, "no such command: xyzzyxyzzy"},
		{{"send", "bob"}, "too few arguments: aitbc send TO AMOUNT"},
		{{"send", "a", "b", "c"}, "too many arguments"},
		{{"submit", "x", "--promt", "y"}, "did you mean --prompt?"},
		{{"chain", "--prompt", "y"}, "no such flag: --prompt"},
		{{"chain", "--rpc"}, "--rpc needs a value"},
		{{"chain", "--json=yes"}, "--json takes no value"},
	};
	struct command_line line;
	char fault[COMMAND_FAULT_BYTES];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_false(parse(&line, fault, rows[i].words));
		if (!strstr(fault, rows[i].says))
			fail_msg("row %zu says: %s", i, fault);
	}
}

static void help_is_given_before_arguments_are_counted(void **state)
{
	struct command_line line;
	char fault[COMMAND_FAULT_BYTES];

	assert_true(parse(&line, fault, (const char *[WORDS_MAX]){"send", "--help"}));
	assert_true(line.help);
	assert_true(parse(&line, fault, (const char *[WORDS_MAX]){"help", "send"}));
	assert_true(line.help);
	assert_string_equal(line.command->name, "send");
	assert_true(parse(&line, fault, (const char *[WORDS_MAX]){"help"}));
	assert_true(line.help);
	assert_null(line.command);
	assert_true(parse(&line, fault, (const char *[WORDS_MAX]){NULL}));
	assert_false(line.help);
	assert_null(line.command);
}

static void flags_that_repeat_keep_their_order(void **state)
{
	struct command_line line;
	char fault[COMMAND_FAULT_BYTES];

	assert_true(parse(&line, fault,
		(const char *[WORDS_MAX]){
			"submit", "s", "--input", "a=1", "--json", "--input", "b=2"}));
	assert_string_equal(command_flag_at(&line, "input", 0), "a=1");
	assert_string_equal(command_flag_at(&line, "input", 1), "b=2");
	assert_null(command_flag_at(&line, "input", 2));
}

/* Two commands of one name, or a flag that a global one hides, would never be reached. */
static void every_command_can_be_reached_and_has_its_own_flags(void **state)
{
	for (const struct command *c = command_table; c->name; c++) {
		assert_non_null(c->run);
		assert_true(c->args_least <= c->args_most);
		for (const struct command *d = c + 1; d->name; d++)
			assert_string_not_equal(c->name, d->name);
		for (const struct command_flag *f = c->flags; f->name; f++)
			for (const struct command_flag *g = command_globals; g->name; g++)
				assert_string_not_equal(f->name, g->name);
	}
}

static void terminal_gets_no_control_characters_from_others(void **state)
{
	char out[64];

	assert_string_equal(show_clean(out, sizeof out, "a\x1b[2Jb\rc", false), "a?[2Jb?c");
	assert_string_equal(show_clean(out, sizeof out, "one\ntwo\t3", true), "one\ntwo\t3");
	assert_string_equal(show_clean(out, sizeof out, "one\ntwo", false), "one?two");
	assert_string_equal(show_clean(out, sizeof out,
				    "gr\xc3\xbc\xc3\x9f \xc2\x9b"
				    "31m",
				    false),
		"gr\xc3\xbc\xc3\x9f ?31m");
	assert_string_equal(show_clean(out, 4, "abcdef", false), "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_flags_and_arguments_are_told_apart),
		cmocka_unit_test(what_is_wrong_is_said_with_what_was_probably_meant),
		cmocka_unit_test(help_is_given_before_arguments_are_counted),
		cmocka_unit_test(flags_that_repeat_keep_their_order),
		cmocka_unit_test(every_command_can_be_reached_and_has_its_own_flags),
		cmocka_unit_test(terminal_gets_no_control_characters_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
