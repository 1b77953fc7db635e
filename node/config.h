/* config: what an operator can set, as one table: HOME/config.json (unknown keys are errors with
 * the nearest name), overridden by AITBC_* variables, overridden by flags [design D11]. Secrets
 * live in their own 0600 files, never here. */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "base/log.h"
#include "node/files.h"

enum { CONFIG_TEXT_BYTES = 256 };

struct config {
	char moniker[CONFIG_TEXT_BYTES];
	char log_level[CONFIG_TEXT_BYTES];
	uint64_t verify_threads; /* 0: one a core, at least one */
	bool renew_fence; /* the operator's word: vote without the record of what was signed */

	char p2p_listen[CONFIG_TEXT_BYTES];
	uint64_t p2p_port;
	uint64_t fast_join;         /* 0: never; else blocks behind from which on */
	uint64_t snapshot_interval; /* blocks; 0: none */

	char rpc_listen[CONFIG_TEXT_BYTES];
	uint64_t rpc_port;
	uint64_t rpc_batch_max;
	char rpc_hosts[CONFIG_TEXT_BYTES];   /* extra Host names, separated by commas */
	char rpc_origins[CONFIG_TEXT_BYTES]; /* Origins allowed, separated by commas */

	bool coordinator_enabled;
	char coordinator_listen[CONFIG_TEXT_BYTES];
	uint64_t coordinator_port;
	char coordinator_rpc[CONFIG_TEXT_BYTES]; /* "" = this node's own port */
	char coordinator_key[CONFIG_TEXT_BYTES]; /* key file, relative to HOME */
	char coordinator_url[CONFIG_TEXT_BYTES];
	uint64_t coordinator_share_ppm;
	bool coordinator_accepts_new;
	uint64_t coordinator_lease_ms;
	uint64_t coordinator_no_miner_ms;
	uint64_t coordinator_heartbeat_ttl_ms;
	uint64_t coordinator_delivery_wait_ms;
	uint64_t coordinator_rate_per_s;
	uint64_t coordinator_rate_burst;
	bool coordinator_managed;
	uint64_t coordinator_managed_daily;

	bool metrics_enabled;
	char metrics_listen[CONFIG_TEXT_BYTES];
	uint64_t metrics_port;

	bool clock_unchecked; /* start although the clock is behind the last block, or far ahead of
				 it */
};

void config_defaults(struct config *c);
/* Reads HOME/config.json if there is one. STATUS_INVALID with fault naming the key. */
MUST_USE enum status config_read(struct config *c, const char *home, char fault[NODE_FAULT_BYTES]);
MUST_USE enum status config_read_environment(struct config *c, char fault[NODE_FAULT_BYTES]);
/* One "--name value" or "--name=value" with a name of the table ("rpc.port"). */
MUST_USE enum status config_set(
	struct config *c, const char *name, const char *value, char fault[NODE_FAULT_BYTES]);
bool config_knows(const char *name);

/* The whole of it as JSON, as config.json would hold it. */
void config_write(struct buf *out, const struct config *c);
/* One line a key: name, default, what for. */
void config_help(struct buf *out);

enum log_level config_log_level(const struct config *c);

#endif
