/* config: everything an operator may set: a JSON file (every key has a default, an unknown one is
 * an error that names the nearest), overridden by AITBC_* variables, overridden by flags. Secrets
 * are never values here, but paths of 0600 files; the one exception is AITBC_MINER_KEY, since an
 * environment is private to its process. Owns its texts and templates. Read once by main. */
#ifndef MINER_CONFIG_H
#define MINER_CONFIG_H

#include <stdio.h>

#include "miner/template.h"

enum { CONFIG_TEXT_BYTES = 512, OLLAMA_MODELS_MAX = 32 };

struct ollama_config {
	bool enabled;
	char service[SERVICE_BYTES_MAX + 1];
	char url[CONFIG_TEXT_BYTES];
	uint64_t timeout_ms;
};

struct miner_config {
	char coordinator[CONFIG_TEXT_BYTES];         /* URL */
	char coordinator_address[CONFIG_TEXT_BYTES]; /* pinned account, or "": the one that answers
						      */
	char rpc[CONFIG_TEXT_BYTES];                 /* URL of the chain's node */
	char chain_id[CONFIG_TEXT_BYTES];            /* pinned, or "" */
	char miner_id[CONFIG_TEXT_BYTES];
	char region[CONFIG_TEXT_BYTES];
	char listen[CONFIG_TEXT_BYTES];
	char public_url[CONFIG_TEXT_BYTES]; /* "": http://listen:port */
	char mode[CONFIG_TEXT_BYTES];       /* push, pull or both */
	char key_file[CONFIG_TEXT_BYTES];
	char passphrase_file[CONFIG_TEXT_BYTES];
	char miner_key_file[CONFIG_TEXT_BYTES]; /* the API key: one line, or devnet-keys.json */
	char state_dir[CONFIG_TEXT_BYTES];
	char work_dir[CONFIG_TEXT_BYTES];
	char run_as[CONFIG_TEXT_BYTES]; /* user of the programs, or "" */
	char cgroup[CONFIG_TEXT_BYTES]; /* auto, off or a folder */
	char log_level[CONFIG_TEXT_BYTES];
	uint64_t port;
	uint64_t concurrency;
	uint64_t heartbeat_ms; /* 0: as the coordinator says */
	uint64_t miner_key_index;
	bool accept_refund;
	struct ollama_config ollama;
	struct template templates[TEMPLATES_MAX];
	size_t template_count;
	/* Where the command line wants something else than the daemon. */
	bool show; /* --print-config */
};

enum config_wish { CONFIG_RUN, CONFIG_HELP, CONFIG_VERSION };

/* Defaults, then the file named by --config, then environment, then flags. STATUS_INVALID: fault
 * says what, where and what was probably meant. */
MUST_USE enum status config_load(struct miner_config *out, enum config_wish *wish, int argc,
	char *const *argv, char fault[256]);
void config_fini(struct miner_config *config);

void config_print_help(FILE *to);
/* The effective configuration as JSON. */
void config_print(FILE *to, const struct miner_config *config);

#endif
