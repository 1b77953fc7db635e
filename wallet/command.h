/* command: the aitbc command line as data: a table of commands and their flags drives reading, help
 * and dispatch. Reading is pure: no file, no environment; what somebody typed wrong is a fault with
 * the nearest right name, never a CHECK. Owns nothing: a command_line borrows argv. */
#ifndef WALLET_COMMAND_H
#define WALLET_COMMAND_H

#include <stdio.h>

#include "base/bytes.h"

enum {
	COMMAND_ARGS_MAX = 8,
	COMMAND_GIVEN_MAX = 64,
	COMMAND_FLAGS_MAX = 20,
	COMMAND_FAULT_BYTES = 256
};

struct cli;

struct command_flag {
	const char *name;  /* without the dashes; NULL ends a list */
	const char *value; /* what the value is called in help; NULL: a switch */
	const char *help;
};

struct command {
	const char *name;      /* "send", "keys new" */
	const char *arguments; /* for help: "TO AMOUNT" */
	const char *summary;   /* one line */
	const char *details;   /* NULL: the summary says it all */
	uint8_t args_least;
	uint8_t args_most;
	struct command_flag flags[COMMAND_FLAGS_MAX];
	int (*run)(struct cli *cli); /* the process's exit code */
};

/* The program's commands, ended by one without a name. */
extern const struct command command_table[];
/* Flags of every command. */
extern const struct command_flag command_globals[];

struct command_line {
	const struct command *command; /* NULL: none named; help is wanted, or bare `aitbc` */
	const char *args[COMMAND_ARGS_MAX];
	size_t arg_count;
	struct {
		const struct command_flag *flag;
		const char *value; /* "" of a switch */
	} given[COMMAND_GIVEN_MAX];
	size_t given_count;
	bool help;
};

/* argv without the program's name. False: fault says what is wrong and what to do. */
MUST_USE bool command_parse(struct command_line *out, char fault[COMMAND_FAULT_BYTES], int argc,
	const char *const *argv, const struct command *table);

/* The last value given for a flag, "" for a switch, NULL when it isn't given. */
const char *command_flag(const struct command_line *line, const char *name);
/* The index-th value of a flag that may be given many times; NULL beyond the last. */
const char *command_flag_at(const struct command_line *line, const char *name, size_t index);

void command_help_all(FILE *to, const struct command *table);
void command_help(FILE *to, const struct command *command);

#endif
