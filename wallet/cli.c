#define _GNU_SOURCE
#include "wallet/cli.h"

#include <dirent.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "chain/tx.h"
#include "wallet/fields.h"
#include "wallet/private_file.h"

enum { RPC_MS = 15000, GIVE_UP_MS = 90000, KEYS_MAX = 1024 };

int cli_fail(const char *format, ...)
{
	char text[1024];
	char clean[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(stderr, "aitbc: %s\n", show_clean(clean, sizeof clean, text, true));
	return CLI_FAILED;
}

uint64_t cli_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void stop_loop(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	(void)event_base_loopbreak(ctx);
}

void cli_pause(struct cli *cli, uint32_t ms)
{
	struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	if (event_base_once(cli->loop, -1, EV_TIMEOUT, stop_loop, cli->loop, &tv) == 0)
		(void)event_base_dispatch(cli->loop);
}

static const char *setting(
	const struct cli *cli, const char *flag, const char *variable, const char *otherwise)
{
	const char *value = command_flag(cli->line, flag);

	if (!value || !value[0])
		value = getenv(variable);
	return value && value[0] ? value : otherwise;
}

/* A devnet's home holds the API key of its coordinator; nobody has to copy it. */
static void api_key_of_home(struct cli *cli, const char *member)
{
	static const char *const places[] = {"coordinator", "node0/coordinator"};
	char path[KEYSTORE_PATH_BYTES + 64];
	char fault[PRIVATE_FAULT_BYTES];
	uint8_t text[16384];
	struct json_fault ignored;
	size_t len;

	for (size_t i = 0; i < 2 && !cli->api_key[0]; i++) {
		snprintf(path, sizeof path, "%s/%s/devnet-keys.json", cli->home, places[i]);
		if (private_file_read(text, &len, sizeof text, path, fault) != STATUS_OK)
			continue;
		json_t *keys = json_read(bytes_view(text, len), &ignored);
		snprintf(cli->api_key, sizeof cli->api_key, "%s", field_text(keys, member));
		json_decref(keys);
	}
}

void cli_use_admin_key(struct cli *cli)
{
	if (setting(cli, "api-key", "AITBC_API_KEY", "")[0])
		return;
	cli->api_key[0] = '\0';
	api_key_of_home(cli, "admin_key");
}

bool cli_init(struct cli *cli, const struct command_line *line)
{
	*cli = (struct cli){.line = line, .json = command_flag(line, "json") != NULL};
	cli->rpc_url = setting(cli, "rpc", "AITBC_RPC", "http://127.0.0.1:26657");
	cli->coordinator_url =
		setting(cli, "coordinator", "AITBC_COORDINATOR", "http://127.0.0.1:18000");
	snprintf(cli->api_key, sizeof cli->api_key, "%s",
		setting(cli, "api-key", "AITBC_API_KEY", ""));
	cli->key_name = command_flag(line, "key");
	if (!keystore_home(cli->home, command_flag(line, "home"))) {
		cli_fail("no home: set AITBC_HOME or give --home DIR");
		return false;
	}
	if (!cli->api_key[0])
		api_key_of_home(cli, "client_key");
	cli->loop = event_base_new();
	cli->secret = sodium_malloc(sizeof *cli->secret);
	if (cli->loop && cli->secret && http_client_new(&cli->http, cli->loop) == STATUS_OK &&
		rpc_client_new(&cli->rpc, cli->http, cli->rpc_url) == STATUS_OK)
		return true;
	cli_fail("can't start: no memory");
	return false;
}

void cli_fini(struct cli *cli)
{
	sender_free(cli->sender);
	if (cli->http)
		http_client_free(cli->http);
	rpc_client_free(cli->rpc);
	if (cli->loop)
		event_base_free(cli->loop);
	sodium_free(cli->secret); /* wipes */
	secret_wipe(cli->api_key, sizeof cli->api_key);
}

/* --- the chain --- */

struct rpc_kept {
	json_t *result;
	enum status status;
	char fault[512];
};

static void keep_rpc(void *ctx, const struct rpc_outcome *outcome)
{
	struct rpc_kept *kept = ctx;

	kept->status = outcome->status;
	if (outcome->status == STATUS_OK)
		kept->result = json_deep_copy(outcome->result);
	else
		snprintf(kept->fault, sizeof kept->fault, "%s", outcome->fault);
}

json_t *cli_rpc(struct cli *cli, const char *method, json_t *params)
{
	struct rpc_kept kept = {.status = STATUS_NO_MEMORY, .fault = "no memory"};

	if (rpc_call_wait(cli->rpc, method, params, RPC_MS, keep_rpc, &kept) != STATUS_OK ||
		kept.status == STATUS_REFUSED)
		cli_fail("%s: %s", method, kept.fault);
	else if (kept.status != STATUS_OK)
		cli_fail("no answer from the node at %s: %s\n"
			 "is it running? give its port with --rpc URL or AITBC_RPC",
			cli->rpc_url, kept.fault);
	return kept.result;
}

json_t *cli_query(
	struct cli *cli, uint32_t *code, char log[256], const char *path, struct bytes data)
{
	json_t *result = cli_rpc(cli, "abci_query", rpc_params_query(path, data));

	*code = 0;
	log[0] = '\0';
	if (!result)
		return NULL;
	json_t *value = rpc_query_value(result, code, log);
	json_decref(result);
	if (!value && *code == 0)
		cli_fail("the node's answer to %s can't be read: %s", path, log);
	return value;
}

/* --- keys --- */

bool cli_address(struct cli *cli, struct account_address *out, const char *text)
{
	char path[KEYSTORE_PATH_BYTES];
	char fault[KEYSTORE_FAULT_BYTES];
	struct keystore_info info;

	if (address_parse(out, text, strlen(text)))
		return true;
	if (strncmp(text, ADDRESS_PREFIX "1", 4) == 0) {
		cli_fail("%s is no address: a letter is wrong or missing", text);
		return false;
	}
	if (!keystore_path(path, cli->home, text) ||
		keystore_read_info(&info, path, fault) != STATUS_OK) {
		cli_fail("%s is neither an address (ait1...) nor a key in %s/keys\n"
			 "see the keys: aitbc keys list",
			text, cli->home);
		return false;
	}
	*out = info.address;
	return true;
}

/* The only key of HOME, when there is just one. */
static bool only_key(const struct cli *cli, char name[KEYSTORE_NAME_BYTES_MAX + 1])
{
	char folder[KEYSTORE_PATH_BYTES + 8];
	const struct dirent *entry;
	size_t count = 0;

	snprintf(folder, sizeof folder, "%s/keys", cli->home);
	DIR *dir = opendir(folder);
	while (dir && (entry = readdir(dir)) != NULL && count < KEYS_MAX) {
		size_t len = strlen(entry->d_name);
		if (len <= 5 || len > KEYSTORE_NAME_BYTES_MAX + 5 ||
			strcmp(entry->d_name + len - 5, ".json") != 0)
			continue;
		snprintf(name, KEYSTORE_NAME_BYTES_MAX + 1, "%.*s", (int)(len - 5), entry->d_name);
		count++;
	}
	if (dir)
		closedir(dir);
	return count == 1;
}

bool cli_own_key(struct cli *cli)
{
	static const char *const usual[] = {"default", "client"};
	char only[KEYSTORE_NAME_BYTES_MAX + 1];
	char path[KEYSTORE_PATH_BYTES];
	char fault[KEYSTORE_FAULT_BYTES];
	const char *name = cli->key_name;

	for (size_t i = 0; i < 2 && !name; i++)
		if (keystore_path(path, cli->home, usual[i]) && access(path, F_OK) == 0)
			name = usual[i];
	if (!name && only_key(cli, only))
		name = only;
	if (!name) {
		cli_fail("which key? give --key NAME; make one with: aitbc keys new NAME\n"
			 "keys are looked for in %s/keys",
			cli->home);
		return false;
	}
	if (!keystore_path(path, cli->home, name)) {
		cli_fail("%s is no name of a key", name);
		return false;
	}
	enum status status = keystore_read_info(&cli->key, path, fault);
	if (status == STATUS_NOT_FOUND)
		cli_fail("there is no key %s in %s/keys; see: aitbc keys list", name, cli->home);
	else if (status != STATUS_OK)
		cli_fail("%s", fault);
	return status == STATUS_OK;
}

bool cli_passphrase(struct cli *cli, struct passphrase *out, const char *prompt, bool twice)
{
	const char *file = command_flag(cli->line, "passphrase-file");
	const char *fd = command_flag(cli->line, "passphrase-fd");
	char fault[KEYSTORE_FAULT_BYTES] = "";
	enum status status;
	uint64_t number = 0;

	if (file) {
		status = passphrase_from_file(out, file, fault);
	} else if (fd) {
		if (!u64_parse(&number, fd, strlen(fd)) || number > 1023) {
			cli_fail("--passphrase-fd needs the number of an open descriptor");
			return false;
		}
		status = passphrase_from_fd(out, (int)number, fault);
	} else {
		status = passphrase_from_tty(out, prompt, twice, fault);
	}
	if (status != STATUS_OK)
		cli_fail("%s", fault);
	return status == STATUS_OK;
}

bool cli_open_key(struct cli *cli)
{
	char path[KEYSTORE_PATH_BYTES];
	char fault[KEYSTORE_FAULT_BYTES];
	char prompt[128];
	struct passphrase passphrase = {0};

	if (cli->secret_open)
		return true;
	if (!cli_own_key(cli) || !keystore_path(path, cli->home, cli->key.name))
		return false;
	snprintf(prompt, sizeof prompt, "Passphrase of %s: ", cli->key.name);
	if (!cli->key.plain && !cli_passphrase(cli, &passphrase, prompt, false))
		return false;
	enum status status =
		keystore_load(cli->secret, NULL, path, cli->key.plain ? NULL : &passphrase, fault);
	passphrase_fini(&passphrase);
	if (status != STATUS_OK)
		cli_fail("%s: %s", cli->key.name, fault);
	cli->secret_open = status == STATUS_OK;
	return cli->secret_open;
}

struct learnt {
	bool called;
	bool ok;
	char fault[512];
};

static void on_learnt(void *ctx, bool ok, const char *fault)
{
	struct learnt *learnt = ctx;

	learnt->called = true;
	learnt->ok = ok;
	snprintf(learnt->fault, sizeof learnt->fault, "%s", fault);
}

struct sender *cli_sender(struct cli *cli)
{
	struct learnt learnt = {0};

	if (cli->sender)
		return cli->sender;
	if (!cli_open_key(cli))
		return NULL;
	struct sender_config config = {.rpc = cli->rpc,
		.loop = cli->loop,
		.secret = cli->secret,
		.give_up_ms = GIVE_UP_MS};
	if (sender_new(&cli->sender, &config) != STATUS_OK) {
		cli_fail("can't start: no memory");
		return NULL;
	}
	sender_learn(cli->sender, on_learnt, &learnt);
	while (!learnt.called && event_base_loop(cli->loop, EVLOOP_ONCE) == 0)
		continue;
	if (!learnt.ok) {
		cli_fail("%s\nis the node running? give its port with --rpc URL or AITBC_RPC",
			learnt.fault);
		return NULL;
	}
	/* A key that isn't encrypted belongs to its devnet only. */
	if (cli->key.plain && strcmp(cli->key.chain_id, sender_chain_id(cli->sender)) != 0) {
		cli_fail("key %s is for chain %s, this is %s", cli->key.name, cli->key.chain_id,
			sender_chain_id(cli->sender));
		return NULL;
	}
	return cli->sender;
}

struct sent {
	bool called;
	struct sender_outcome outcome;
	char fault[512];
};

static void on_sent(void *ctx, const struct sender_outcome *outcome)
{
	struct sent *sent = ctx;

	sent->called = true;
	sent->outcome = *outcome;
	snprintf(sent->fault, sizeof sent->fault, "%s", outcome->fault);
}

bool cli_send(struct cli *cli, struct sender_outcome *outcome, const Pb__Action *action)
{
	struct sender *sender = cli_sender(cli);
	struct sent sent = {0};
	char hash[65];

	if (!sender)
		return false;
	if (sender_submit(sender, &action, 1, PB__MODE__ATOMIC, on_sent, &sent) != STATUS_OK) {
		cli_fail("can't make the transaction: no memory");
		return false;
	}
	while (!sent.called && event_base_loop(cli->loop, EVLOOP_ONCE) == 0)
		continue;
	hex_upper(hash, sent.outcome.hash.b, 32);
	*outcome = sent.outcome;
	outcome->fault = "";
	outcome->codes = NULL;
	switch (sent.outcome.fate) {
	case SENDER_REFUSED: cli_fail("refused: %s", sent.fault); return false;
	case SENDER_UNKNOWN:
		cli_fail("no word of the transaction: %s\n"
			 "it may still commit; look before you send again: aitbc tx %s",
			sent.fault, hash);
		return false;
	case SENDER_COMMITTED: break;
	}
	if (sent.outcome.code != SETTLE_OK)
		cli_fail("in block %lld, but refused there: %s", (long long)sent.outcome.height,
			sent.fault);
	return sent.outcome.code == SETTLE_OK;
}
