/* The coordinator inside aitbcd: its own HTTP client, RPC client, account and port, as if it ran
 * elsewhere. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "coordinator/coordinator.h"
#include "node/clock.h"
#include "node/parts.h"
#include "wallet/keystore.h"

static uint64_t now_ms(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

static void random_bytes(void *ctx, void *out, size_t len)
{
	(void)ctx;
	CHECK(files_random(out, len) == STATUS_OK);
}

static enum status open_account(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	struct account_secret secret;
	struct keystore_info info;
	enum status status = files_join(path, p->home, p->config->coordinator_key);
	if (status == STATUS_OK)
		status = keystore_load(&secret, &info, path, NULL, fault);
	if (status != STATUS_OK)
		return status;
	struct sender_config config = {
		.rpc = p->coordinator.rpc,
		.loop = p->loop,
		.secret = &secret,
		.chain_tag = &p->genesis->chain_tag,
		.log = &p->log,
	};
	status = sender_new(&p->coordinator.sender, &config);
	secret_wipe(&secret, sizeof secret);
	return status;
}

static enum status open_chain(struct daemon_parts *p)
{
	char url[CONFIG_TEXT_BYTES + 32];
	if (p->config->coordinator_rpc[0])
		snprintf(url, sizeof url, "%s", p->config->coordinator_rpc);
	else
		snprintf(url, sizeof url, "http://%s:%u", p->config->rpc_listen,
			http_shell_port(p->rpc_shell));
	enum status status = http_client_new(&p->coordinator.http, p->loop);
	if (status == STATUS_OK)
		status = rpc_client_new(&p->coordinator.rpc, p->coordinator.http, url);
	return status;
}

/* The seed of managed accounts: made once, shown once. Whoever has it has the accounts' money. */
static enum status make_seed(const char *path, char fault[NODE_FAULT_BYTES])
{
	uint8_t bytes[32];
	char hex[2 * sizeof bytes + 1];
	enum status status = files_random(bytes, sizeof bytes);
	hex_lower(hex, bytes, sizeof bytes);
	if (status == STATUS_OK)
		status = files_create(path, 0600, bytes_of_text(hex), fault);
	if (status == STATUS_OK)
		fprintf(stderr,
			"aitbcd: made %s, the master seed of managed accounts. It is shown only "
			"now; keep "
			"a copy where no one reads it:\n  %s\n",
			path, hex);
	secret_wipe(bytes, sizeof bytes);
	secret_wipe(hex, sizeof hex);
	return status;
}

static enum status open_seed(
	struct account_secret *out, const char *dir, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	struct stat info;
	enum status status = files_join(path, dir, "managed-seed");
	if (status == STATUS_OK && stat(path, &info) != 0)
		status = make_seed(path, fault);
	if (status != STATUS_OK)
		return status;
	if (stat(path, &info) != 0 || (info.st_mode & 077) != 0) {
		snprintf(fault, NODE_FAULT_BYTES, "%.200s: others can read it; chmod 600 it first",
			path);
		return STATUS_REFUSED;
	}
	struct buf text;
	buf_init(&text, 256);
	status = files_read(&text, path, 255, fault);
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	if (status == STATUS_OK &&
		!hex_decode(out->b, sizeof out->b, (const char *)text.data, text.len)) {
		snprintf(fault, NODE_FAULT_BYTES, "%.200s: not 64 hex digits", path);
		status = STATUS_INVALID;
	}
	if (text.data)
		secret_wipe(text.data, text.len);
	buf_fini(&text);
	return status;
}

static enum status open_coordinator(
	struct daemon_parts *p, const char *dir, char fault[NODE_FAULT_BYTES])
{
	char keys_path[NODE_PATH_BYTES], artifact_dir[NODE_PATH_BYTES], prices[NODE_PATH_BYTES];
	struct account_secret seed;
	enum status status = files_join(keys_path, dir, "keys.json");
	if (status == STATUS_OK)
		status = files_join(prices, dir, "prices.json");
	if (status == STATUS_OK)
		status = files_join(artifact_dir, dir, "artifacts");
	if (status == STATUS_OK && p->config->coordinator_managed)
		status = open_seed(&seed, dir, fault);
	if (status != STATUS_OK)
		return status;
	const struct config *c = p->config;
	struct coordinator_config config = {
		.loop = p->loop,
		.http = p->coordinator.http,
		.rpc = p->coordinator.rpc,
		.sender = p->coordinator.sender,
		.store = &p->store,
		.log = &p->log,
		.now_ms = now_ms,
		.random = random_bytes,
		.chain_id = p->genesis->chain_id,
		.chain_tag = p->genesis->chain_tag,
		.keys_path = keys_path,
		.artifact_dir = artifact_dir,
		.prices_path = prices,
		.rate_per_s = (uint32_t)c->coordinator_rate_per_s,
		.rate_burst = (uint32_t)c->coordinator_rate_burst,
		.managed_seed = c->coordinator_managed ? &seed : NULL,
		.managed_daily_uaitbc_max = c->coordinator_managed_daily * 1000000,
		.share_ppm = (uint32_t)c->coordinator_share_ppm,
		.url = c->coordinator_url,
		.accepts_new = c->coordinator_accepts_new,
		.timing =
			{
				.lease_ms = (uint32_t)c->coordinator_lease_ms,
				.no_miner_ms = (uint32_t)c->coordinator_no_miner_ms,
				.heartbeat_ttl_ms = (uint32_t)c->coordinator_heartbeat_ttl_ms,
				.delivery_wait_ms = (uint32_t)c->coordinator_delivery_wait_ms,
			},
	};
	status = coordinator_new(&p->coordinator.coordinator, &config, fault);
	secret_wipe(&seed, sizeof seed);
	return status;
}

enum status coordinator_role_start(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	char dir[NODE_PATH_BYTES], *spool = p->coordinator.spool;
	snprintf(fault, NODE_FAULT_BYTES, "coordinator: a path is too long, or no memory");
	enum status status = files_join(dir, p->home, "coordinator");
	if (status == STATUS_OK)
		status = files_join(spool, dir, "spool");
	if (status == STATUS_OK)
		status = files_mkdir(spool, 0700, fault);
	if (status == STATUS_OK)
		status = open_chain(p);
	if (status == STATUS_OK)
		status = open_account(p, fault);
	if (status == STATUS_OK)
		status = open_coordinator(p, dir, fault);
	if (status != STATUS_OK)
		return status;
	struct http_shell_config shell = {
		.listen_address = p->config->coordinator_listen,
		.port = (uint16_t)p->config->coordinator_port,
		.too_large_status = 413,
		.upload_prefix = "/v1/artifacts",
		.upload_dir = spool,
		.handler = coordinator_handle,
		.admit_upload = coordinator_admit_upload,
		.refusal = coordinator_refusal,
		.self = p->coordinator.coordinator,
		.log = &p->log,
	};
	status = http_shell_start(&p->coordinator.shell, p->loop, &shell, fault);
	if (status == STATUS_OK)
		coordinator_attach(p->coordinator.coordinator, p->coordinator.shell);
	return status;
}

void coordinator_role_stop(struct coordinator_role *role, uint32_t drain_ms)
{
	if (role->shell)
		http_shell_stop(role->shell, drain_ms);
	if (role->coordinator)
		coordinator_free(role->coordinator);
	if (role->sender)
		sender_free(role->sender);
	if (role->rpc)
		rpc_client_free(role->rpc);
	if (role->http)
		http_client_free(role->http);
	memset(role, 0, sizeof *role);
}
