/* cli: what every command of aitbc works with: where node, coordinator and keys are, and calls that
 * wait for their answer. Owns the event loop and its clients; the key's secret stays in locked
 * memory until the end. Failures are said on stderr here, with what to do next; a command that got
 * NULL or false returns CLI_FAILED. Used by commands_*.c only; blocks. */
#ifndef WALLET_CLI_H
#define WALLET_CLI_H

#include "http/client.h"
#include "rpc/client.h"
#include "wallet/command.h"
#include "wallet/keystore.h"
#include "wallet/sender.h"
#include "wallet/show.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli {
	const struct command_line *line;
	bool json;
	const char *rpc_url;
	const char *coordinator_url;
	const char *key_name; /* of --key; NULL: the usual one */
	char home[KEYSTORE_PATH_BYTES];
	struct event_base *loop;
	struct http_client *http;
	struct rpc_client *rpc;
	struct sender *sender;
	struct account_secret *secret;
	bool secret_open;
	struct keystore_info key; /* of the key that acts, once known */
	char api_key[256];
};

/* False: said why. */
MUST_USE bool cli_init(struct cli *cli, const struct command_line *line);
void cli_fini(struct cli *cli);

/* "aitbc: WHAT" on stderr; always CLI_FAILED. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- the chain --- */

/* A new reference, or NULL when it was said why. */
json_t *cli_rpc(struct cli *cli, const char *method, json_t *params);
/* The value of an abci_query. NULL with *code != 0: the chain's answer is no (not said yet, log
 * says it); NULL with *code 0: said why. */
json_t *cli_query(
	struct cli *cli, uint32_t *code, char log[256], const char *path, struct bytes data);

/* --- keys --- */

/* An address, or the name of a key in HOME. */
MUST_USE bool cli_address(struct cli *cli, struct account_address *out, const char *text);
/* Which key acts: cli->key. Needs no passphrase. */
MUST_USE bool cli_own_key(struct cli *cli);
/* Opens it: cli->secret. */
MUST_USE bool cli_open_key(struct cli *cli);
/* A passphrase from --passphrase-file, --passphrase-fd or the terminal. */
MUST_USE bool cli_passphrase(
	struct cli *cli, struct passphrase *out, const char *prompt, bool twice);
/* The open key's sender, which has learnt the chain. NULL: said why. */
struct sender *cli_sender(struct cli *cli);
/* Sends one transaction and waits for its fate. False: said why. outcome's texts are gone. */
MUST_USE bool cli_send(struct cli *cli, struct sender_outcome *outcome, const Pb__Action *action);

/* --- the coordinator --- */

struct rest_answer {
	enum status status; /* STATUS_OK: an HTTP answer came */
	uint16_t http_status;
	struct buf body;
	json_t *json;    /* NULL: no JSON */
	char fault[512]; /* for people: the error's message, or what happened on the way */
};
/* path like "/v1/jobs/x". Sends the API key. body may be empty. Free with rest_answer_fini. */
void cli_rest(struct cli *cli, struct rest_answer *out, enum http_method method, const char *path,
	struct bytes body);
/* Sends a file as the body. */
void cli_rest_upload(struct cli *cli, struct rest_answer *out, const char *path, const char *file);
/* Writes a 2xx body to a new file. */
void cli_rest_download(
	struct cli *cli, struct rest_answer *out, const char *path, const char *file);
/* A devnet's home holds the administrator's key too: used instead when nobody named another. */
void cli_use_admin_key(struct cli *cli);
bool rest_answer_ok(const struct rest_answer *answer);
void rest_answer_fini(struct rest_answer *answer);

uint64_t cli_now_ms(void); /* monotonic */
/* Runs the loop for so long. */
void cli_pause(struct cli *cli, uint32_t ms);

#endif
