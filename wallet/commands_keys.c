/* aitbc keys: make, take in, list, show and give out account keys. */
#define _GNU_SOURCE
#include <dirent.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "wallet/commands.h"
#include "wallet/private_file.h"

static int show_key(struct cli *cli, const struct keystore_info *info, const char *path)
{
	struct show *show = show_new(cli->json);
	char address[ADDRESS_TEXT_BYTES];

	address_text(address, &info->address);
	show_text(show, "Name", "name", info->name);
	show_text(show, "Address", "address", address);
	show_hex(show, "Public key", "public_key", info->key.b, sizeof info->key.b);
	show_bool(show, "Encrypted", "encrypted", !info->plain);
	if (info->plain)
		show_text(show, "Only for chain", "chain_id", info->chain_id);
	show_text(show, "File", "file", path);
	return show_end(show);
}

static bool path_for(struct cli *cli, char path[KEYSTORE_PATH_BYTES], const char *name)
{
	if (keystore_path(path, cli->home, name))
		return true;
	cli_fail("%s is no name of a key: letters, digits, _ . - and at most 64 of them", name);
	return false;
}

/* Writes cli->secret under a name: plain for a devnet, else under a new passphrase. */
static int save(struct cli *cli, const char *name)
{
	const char *devnet = command_flag(cli->line, "devnet");
	char path[KEYSTORE_PATH_BYTES];
	char fault[KEYSTORE_FAULT_BYTES];
	struct passphrase passphrase = {0};
	struct keystore_info info;
	enum status status;

	if (!path_for(cli, path, name))
		return CLI_FAILED;
	if (access(path, F_OK) == 0)
		return cli_fail("there is a key %s already: choose another name", name);
	if (devnet) {
		status = keystore_save_plain(path, cli->secret, devnet, fault);
	} else {
		if (!cli_passphrase(cli, &passphrase, "New passphrase: ", true))
			return CLI_FAILED;
		status = keystore_save(path, cli->secret, &passphrase, NULL, fault);
		passphrase_fini(&passphrase);
	}
	if (status == STATUS_OK)
		status = keystore_read_info(&info, path, fault);
	if (status != STATUS_OK)
		return cli_fail("%s", fault);
	return show_key(cli, &info, path);
}

int command_keys_new(struct cli *cli)
{
	keystore_new_secret(cli->secret);
	return save(cli, cli->line->args[0]);
}

/* 64 hex digits from a private file or a descriptor: never from argv, which everyone can read. */
static bool read_secret(struct cli *cli)
{
	const char *file = command_flag(cli->line, "secret-file");
	struct passphrase text = {0};
	char fault[KEYSTORE_FAULT_BYTES];
	enum status status = file ? passphrase_from_file(&text, file, fault)
				  : passphrase_from_fd(&text, STDIN_FILENO, fault);

	if (status != STATUS_OK) {
		cli_fail("%s", fault);
		return false;
	}
	bool ok = hex_decode(cli->secret->b, sizeof cli->secret->b, text.text, text.len);
	passphrase_fini(&text);
	if (!ok)
		cli_fail("a secret is one line of 64 hex digits, on stdin or in --secret-file");
	return ok;
}

/* A keystore file of somebody's backup, as it is. */
static int import_file(struct cli *cli, const char *from)
{
	char path[KEYSTORE_PATH_BYTES];
	char fault[KEYSTORE_FAULT_BYTES];
	uint8_t text[KEYSTORE_FILE_BYTES_MAX];
	struct keystore_info info;
	size_t len;

	if (!path_for(cli, path, cli->line->args[0]))
		return CLI_FAILED;
	enum status status = private_file_read(text, &len, sizeof text, from, fault);
	if (status == STATUS_OK)
		status = keystore_folder_make(cli->home, fault);
	if (status == STATUS_OK)
		status = private_file_create(path, bytes_view(text, len), fault);
	secret_wipe(text, sizeof text);
	if (status == STATUS_OK && keystore_read_info(&info, path, fault) != STATUS_OK) {
		(void)unlink(path);
		return cli_fail("%s is no key file, or was changed", from);
	}
	return status == STATUS_OK ? show_key(cli, &info, path) : cli_fail("%s", fault);
}

int command_keys_import(struct cli *cli)
{
	const char *file = command_flag(cli->line, "file");

	if (file)
		return import_file(cli, file);
	return read_secret(cli) ? save(cli, cli->line->args[0]) : CLI_FAILED;
}

static int is_key_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

int command_keys_list(struct cli *cli)
{
	static const struct show_column columns[] = {
		{"NAME", "name", false}, {"ADDRESS", "address", false}, {"KIND", "kind", false}};
	char folder[KEYSTORE_PATH_BYTES + 8];
	char path[KEYSTORE_PATH_BYTES];
	char fault[KEYSTORE_FAULT_BYTES];
	struct dirent **entries = NULL;
	struct show *show = show_new(cli->json);

	snprintf(folder, sizeof folder, "%s/keys", cli->home);
	int count = scandir(folder, &entries, is_key_file, alphasort);
	show_table(show, "keys", columns, 3);
	for (int i = 0; i < count; i++) {
		struct keystore_info info;
		char address[ADDRESS_TEXT_BYTES] = "";
		char *name = entries[i]->d_name;
		name[strlen(name) - 5] = '\0';
		const char *kind = "not readable";
		if (keystore_path(path, cli->home, name) &&
			keystore_read_info(&info, path, fault) == STATUS_OK) {
			address_text(address, &info.address);
			kind = info.plain ? info.chain_id : "encrypted";
		}
		show_row(show, (const char *[]){name, address, kind});
		free(entries[i]);
	}
	free(entries);
	if (count <= 0)
		show_line(show, "no keys in %s; make one: aitbc keys new NAME", folder);
	return show_end(show);
}

int command_keys_show(struct cli *cli)
{
	char path[KEYSTORE_PATH_BYTES];
	char fault[KEYSTORE_FAULT_BYTES];
	struct keystore_info info;

	if (cli->line->arg_count == 0)
		return cli_own_key(cli) && path_for(cli, path, cli->key.name)
			       ? show_key(cli, &cli->key, path)
			       : CLI_FAILED;
	if (!path_for(cli, path, cli->line->args[0]))
		return CLI_FAILED;
	if (keystore_read_info(&info, path, fault) != STATUS_OK)
		return cli_fail("%s", fault);
	return show_key(cli, &info, path);
}

static int export_file(struct cli *cli, const char *path, const char *to)
{
	uint8_t text[KEYSTORE_FILE_BYTES_MAX];
	char fault[KEYSTORE_FAULT_BYTES];
	size_t len;

	enum status status = private_file_read(text, &len, sizeof text, path, fault);
	if (status == STATUS_OK && to)
		status = private_file_create(to, bytes_view(text, len), fault);
	else if (status == STATUS_OK)
		fwrite(text, 1, len, stdout);
	secret_wipe(text, sizeof text);
	if (status != STATUS_OK)
		return cli_fail("%s", fault);
	if (to && !cli->json)
		printf("wrote %s\n", to);
	return CLI_OK;
}

int command_keys_export(struct cli *cli)
{
	const char *to = command_flag(cli->line, "output");
	char path[KEYSTORE_PATH_BYTES];
	char hex[65];

	if (!path_for(cli, path, cli->line->args[0]))
		return CLI_FAILED;
	if (!command_flag(cli->line, "secret"))
		return export_file(cli, path, to);
	if (isatty(STDOUT_FILENO) && !command_flag(cli->line, "yes"))
		return cli_fail("the secret would stand on this terminal for all to see;\n"
				"send stdout to a file, or insist with --yes");
	cli->key_name = cli->line->args[0];
	bool open = cli_open_key(cli);
	if (open) {
		hex_lower(hex, cli->secret->b, sizeof cli->secret->b);
		printf("%s\n", hex);
		secret_wipe(hex, sizeof hex);
	}
	return open ? CLI_OK : CLI_FAILED;
}
