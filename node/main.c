/* aitbcd: the node. Commands, flags and their help; the work is in daemon.c and homes.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "node/clock.h"
#include "node/daemon.h"
#include "node/homes.h"

static const char usage[] =
	"aitbcd - the AITBC settlement node: validator, JSON-RPC port, coordinator\n"
	"\n"
	"  aitbcd init    --home DIR [--chain-id ID] [--base-port P]    make a one-validator home\n"
	"  aitbcd testnet --validators N --output DIR [--chain-id ID] [--base-port P]\n"
	"                                                               make homes node0 .. with "
	"one genesis\n"
	"  aitbcd join    --home DIR --genesis FILE [--peers FILE] [--SETTING VALUE ...]\n"
	"                                                               make the home of a node "
	"that joins a running chain\n"
	"  aitbcd start   --home DIR [--SETTING VALUE ...]              run the node of a home\n"
	"  aitbcd config  --home DIR [--SETTING VALUE ...]              print the settings in "
	"force\n"
	"  aitbcd new-key --output FILE                                 make a key for a "
	"validator or a node, 0600\n"
	"  aitbcd keys    --home DIR                                    print the public halves of "
	"a home's keys\n"
	"  aitbcd version\n"
	"  aitbcd help\n"
	"\n"
	"HOME holds genesis.json, config.json, the keys (0600), the chain's data. A setting comes "
	"from its default, then\n"
	"HOME/config.json, then AITBC_* variables (rpc.port is AITBC_RPC_PORT), then flags. The "
	"settings:\n";

static void print_help(FILE *to)
{
	struct buf text;
	buf_init(&text, 0);
	config_help(&text);
	fprintf(to, "%s%s", usage, buf_text(&text));
	buf_fini(&text);
}

static int wrong(const char *what, const char *detail)
{
	fprintf(stderr, "aitbcd: %s%s%s\nsee: aitbcd help\n", what, detail[0] ? ": " : "", detail);
	return 1;
}

/* ---- flags ---- */

struct flags {
	const char *home, *output, *chain_id;
	const char *validators, *base_port, *genesis, *peers;
	struct config config;
};

/* Where a flag that is no setting goes; NULL: it is one, or nothing. */
static const char **plain_flag(struct flags *f, const char *name)
{
	if (strcmp(name, "home") == 0)
		return &f->home;
	if (strcmp(name, "output") == 0)
		return &f->output;
	if (strcmp(name, "chain-id") == 0)
		return &f->chain_id;
	if (strcmp(name, "validators") == 0)
		return &f->validators;
	if (strcmp(name, "base-port") == 0)
		return &f->base_port;
	if (strcmp(name, "genesis") == 0)
		return &f->genesis;
	if (strcmp(name, "peers") == 0)
		return &f->peers;
	return NULL;
}

/* Calls set for each --name value or --name=value; settings only when settings is true, else the
 * others. */
static int read_flags(struct flags *f, int argc, char **argv, bool settings)
{
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) != 0)
			return wrong("not a flag", argv[i]);
		char name[CONFIG_TEXT_BYTES], fault[NODE_FAULT_BYTES];
		char *equals = strchr(argv[i], '=');
		int len = equals ? (int)(equals - argv[i] - 2) : (int)strlen(argv[i] + 2);
		snprintf(name, sizeof name, "%.*s", len, argv[i] + 2);
		const char *value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
		if (!value)
			return wrong("a flag without a value", argv[i]);
		const char **plain = plain_flag(f, name);
		if (plain && !settings)
			*plain = value;
		if (!plain && settings && config_set(&f->config, name, value, fault) != STATUS_OK)
			return wrong(fault, "");
	}
	return 0;
}

static bool read_number(unsigned long *out, const char *text, unsigned long most)
{
	char *end;
	*out = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == 0 && *out <= most;
}

/* ---- commands ---- */

static void tell_testnet(const struct homes_plan *plan)
{
	uint32_t n = plan->validators, spare = (n - 1) / 3;
	printf("made %u node home%s in %s: chain %s\n", n, n == 1 ? "" : "s", plan->output,
		plan->chain_id);
	for (uint32_t i = 0; i < n; i++)
		printf("  %s/node%u  peers %u  JSON-RPC %u%s\n", plan->output, i,
			plan->base_port + HOMES_PORTS_PER_NODE * i,
			plan->base_port + HOMES_PORTS_PER_NODE * i + 1,
			i == 0 ? "  coordinator" : "");
	if (n > 1 && spare == 0)
		printf("blocks need all %u of them; four are the fewest that survive the loss of "
		       "one\n",
			n);
	else if (n > 1)
		printf("blocks need %u of the %u; %u may fail\n", n - spare, n, spare);
	printf("start each: aitbcd start --home %s/node0%s\n", plan->output, n > 1 ? " ..." : "");
}

static int make_homes(const struct flags *f, bool single)
{
	unsigned long validators = 1, base_port = 26656;
	const char *output = single ? f->home : f->output;
	if (!output)
		return wrong(single ? "--home is missing" : "--output is missing", "");
	if (f->validators && !read_number(&validators, f->validators, VALIDATORS_MAX))
		return wrong("--validators is not a number", f->validators);
	if (f->base_port && !read_number(&base_port, f->base_port, 65000))
		return wrong("--base-port is not a port", f->base_port);
	struct homes_plan plan = {
		.output = output,
		.chain_id = f->chain_id ? f->chain_id : "devnet-1",
		.validators = (uint32_t)validators,
		.single_home = single,
		.own_ports = f->base_port != NULL,
		.base_port = (uint16_t)base_port,
		.now_ms = (int64_t)clock_wall_ms(),
	};
	uint8_t seed[32];
	char fault[NODE_FAULT_BYTES] = "no randomness";
	enum status status = files_random(seed, sizeof seed);
	if (status == STATUS_OK && keys_start(seed))
		status = homes_make(&plan, fault);
	if (status != STATUS_OK) {
		fprintf(stderr, "aitbcd: %s (%s)\n", fault, status_text(status));
		return 1;
	}
	if (single)
		printf("made %s: chain %s, one validator\nstart it: aitbcd start --home %s\n",
			output, plan.chain_id, output);
	else
		tell_testnet(&plan);
	printf("devnet accounts: %s/keys\n", output);
	return 0;
}

static void print_key(const char *what, const struct validator_secret *secret)
{
	struct validator_key key = validator_key_of(secret);
	struct validator_address address = validator_address_of(&key);
	struct buf text;
	buf_init(&text, 0);
	buf_append_hex_upper(&text, address.b, sizeof address.b);
	buf_append_text(&text, "  public key ");
	buf_append_base64(&text, key.b, sizeof key.b);
	printf("%-9s  address %s\n", what, buf_text(&text));
	buf_fini(&text);
}

static int command_new_key(const struct flags *f)
{
	struct validator_secret secret;
	uint8_t seed[32];
	char fault[NODE_FAULT_BYTES] = "no randomness";
	if (!f->output)
		return wrong("--output is missing", "");
	enum status status = files_random(seed, sizeof seed);
	if (status == STATUS_OK && keys_start(seed))
		status = homes_make_key(&secret, f->output, fault);
	if (status != STATUS_OK)
		return wrong(fault, "");
	print_key(f->output, &secret);
	secret_wipe(&secret, sizeof secret);
	return 0;
}

static int command_keys(const struct flags *f)
{
	static const struct {
		const char *what, *file;
	} keys[] = {{"validator", "validator_key.json"}, {"node", "node_key.json"}};
	if (!f->home)
		return wrong("--home is missing", "");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct validator_secret secret;
		char path[NODE_PATH_BYTES], fault[NODE_FAULT_BYTES] = "a path is too long";
		enum status status = files_join(path, f->home, keys[i].file);
		if (status == STATUS_OK)
			status = homes_read_key(&secret, path, fault);
		if (status != STATUS_OK)
			return wrong(fault, "");
		print_key(keys[i].what, &secret);
		secret_wipe(&secret, sizeof secret);
	}
	return 0;
}

static int command_join(struct flags *f, int argc, char **argv)
{
	uint8_t seed[32];
	char fault[NODE_FAULT_BYTES] = "no randomness";
	if (!f->home || !f->genesis)
		return wrong(f->home ? "--genesis is missing" : "--home is missing", "");
	config_defaults(&f->config);
	int code = read_flags(f, argc, argv, true);
	if (code != 0)
		return code;
	enum status status = files_random(seed, sizeof seed);
	if (status == STATUS_OK && keys_start(seed))
		status = homes_join(f->home, f->genesis, f->peers, &f->config, fault);
	if (status != STATUS_OK)
		return wrong(fault, "");
	printf("made %s\n", f->home);
	return command_keys(f);
}

static int read_config(struct flags *f, int argc, char **argv)
{
	char fault[NODE_FAULT_BYTES];
	if (!f->home)
		return wrong("--home is missing", "");
	config_defaults(&f->config);
	if (config_read(&f->config, f->home, fault) != STATUS_OK ||
		config_read_environment(&f->config, fault) != STATUS_OK)
		return wrong(fault, "");
	return read_flags(f, argc, argv, true);
}

static int command_config(struct flags *f, int argc, char **argv)
{
	int code = read_config(f, argc, argv);
	if (code != 0)
		return code;
	struct buf text;
	buf_init(&text, 0);
	config_write(&text, &f->config);
	fputs(buf_text(&text), stdout);
	buf_fini(&text);
	return 0;
}

static int command_start(struct flags *f, int argc, char **argv)
{
	int code = read_config(f, argc, argv);
	return code != 0 ? code : daemon_run(f->home, &f->config);
}

static void report_bug(const char *file, int line, const char *fact)
{
	fprintf(stderr, "aitbcd: bug: %s:%d: %s is false\n", file, line, fact);
}

int main(int argc, char **argv)
{
	static struct flags flags;
	check_set_sink(report_bug);
	const char *command = argc > 1 ? argv[1] : "help";
	int count = argc > 2 ? argc - 2 : 0;
	char **rest = argv + (argc > 2 ? 2 : argc);
	for (int i = 0; i < count; i++) {
		if (strcmp(rest[i], "--help") == 0)
			command = "help";
	}
	if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0) {
		print_help(stdout);
		return 0;
	}
	if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0) {
		printf("aitbcd %s\n", AITBC_VERSION);
		return 0;
	}
	int code = read_flags(&flags, count, rest, false);
	if (code != 0)
		return code;
	if (strcmp(command, "init") == 0)
		return make_homes(&flags, true);
	if (strcmp(command, "testnet") == 0)
		return make_homes(&flags, false);
	if (strcmp(command, "start") == 0)
		return command_start(&flags, count, rest);
	if (strcmp(command, "join") == 0)
		return command_join(&flags, count, rest);
	if (strcmp(command, "new-key") == 0)
		return command_new_key(&flags);
	if (strcmp(command, "keys") == 0)
		return command_keys(&flags);
	if (strcmp(command, "config") == 0)
		return command_config(&flags, count, rest);
	return wrong("no such command", command);
}
