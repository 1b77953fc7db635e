/* aitbc: the command line. Reads it, runs one command of the table in commands.c. */
#include <stdlib.h>

#include "wallet/cli.h"

static void report_bug(const char *file, int line, const char *fact)
{
	fprintf(stderr, "aitbc: a bug: %s:%d: %s\n", file, line, fact);
}

int main(int argc, char **argv)
{
	struct command_line line;
	struct cli cli;
	char fault[COMMAND_FAULT_BYTES];
	int code = CLI_FAILED;

	keystore_harden();
	check_set_sink(report_bug);
	if (!command_parse(&line, fault, argc - 1, (const char *const *)argv + 1, command_table)) {
		cli_fail("%s\nsee: aitbc help", fault);
		return CLI_USAGE;
	}
	if (line.help || !line.command) {
		if (line.command)
			command_help(stdout, line.command);
		else
			command_help_all(line.help ? stdout : stderr, command_table);
		return line.help ? CLI_OK : CLI_USAGE;
	}
	if (!keystore_keys_start()) {
		cli_fail("the cryptographic libraries don't start");
		return CLI_FAILED;
	}
	if (cli_init(&cli, &line))
		code = line.command->run(&cli);
	cli_fini(&cli);
	return code;
}
