#include "node/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain/settle/settle.h"
#include "chain/store_rocks.h"
#include "node/clock.h"
#include "node/homes.h"
#include "node/parts.h"
#include "node/slice.h"

/*~ Where everything meets. The way of one transaction: http/shell.h hears it, rpc/server.h reads
 * it, chain_view.c and driver.c carry it to replica/admit.c, workers.c check its signature, the
 * mempool holds it, replica/pace.c seals it into a block, consensus/core.h decides, replica/apply.c
 * runs chain/settle and writes one batch. */

enum { GENESIS_FILE_BYTES_MAX = 64 * 1024 * 1024, DRAIN_MS = 2000, LISTS_MAX = 16 };

static void log_line(void *ctx, enum log_level level, const char *line, size_t len)
{
	(void)ctx;
	(void)level; /* the line begins with it */
	uint64_t now_ms = clock_wall_ms();
	char time[RFC3339_BYTES];
	rfc3339_text(time, timestamp_of_ms((int64_t)(now_ms - now_ms % 1000)));
	/* Fixed width, so that columns stand under each other. */
	fprintf(stderr, "%.19s.%03uZ %.*s\n", time, (unsigned)(now_ms % 1000), (int)len, line);
}

/* ---- opening ---- */

static enum status open_genesis(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	struct buf text;
	buf_init(&text, 0);
	p->genesis = malloc(sizeof *p->genesis);
	enum status status =
		p->genesis ? files_join(path, p->home, "genesis.json") : STATUS_NO_MEMORY;
	if (status == STATUS_OK)
		status = files_read(&text, path, GENESIS_FILE_BYTES_MAX, fault);
	if (status == STATUS_NOT_FOUND)
		snprintf(fault, NODE_FAULT_BYTES,
			"%.200s has no genesis.json; make a home with: aitbcd init", p->home);
	if (status == STATUS_OK) {
		struct genesis_fault genesis_fault = {""};
		status = genesis_parse(
			p->genesis, buf_view(&text), GENESIS_APP_SETTLE, &genesis_fault);
		if (status != STATUS_OK)
			snprintf(fault, NODE_FAULT_BYTES, "genesis.json: %.230s",
				genesis_fault.text);
	}
	buf_fini(&text);
	if (status != STATUS_OK) {
		free(p->genesis);
		p->genesis = NULL;
		return status;
	}
	genesis_write(&p->genesis_json, p->genesis);
	return STATUS_OK;
}

enum status daemon_open_app(struct daemon_parts *p)
{
	struct settle_config config = {
		.chain_tag = p->genesis->chain_tag,
		.heartbeat_ms = p->genesis->engine.heartbeat_ms,
		.block_bytes_max = (uint64_t)p->genesis->consensus.block_max_bytes,
		.snapshot_interval = p->config->snapshot_interval,
		.log = &p->log,
	};
	return settle_open(&p->app, &p->store, &config);
}

static enum status open_store(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	enum status status = files_join(path, p->home, "data");
	if (status == STATUS_OK)
		status = store_rocks_open(&p->store, path, fault);
	if (status != STATUS_OK)
		return status;
	status = daemon_open_app(p);
	if (status == STATUS_CORRUPT)
		snprintf(fault, NODE_FAULT_BYTES,
			"%.100s: the settlement state is damaged, or genesis.json isn't the one "
			"it began with",
			path);
	else if (status != STATUS_OK)
		snprintf(fault, NODE_FAULT_BYTES, "%.200s: settlement state: %s", path,
			status_text(status));
	return status;
}

static void replica_config_of(struct daemon_parts *p, struct replica_config *out)
{
	memset(out, 0, sizeof *out);
	out->start.chain_id = p->genesis->chain_id;
	out->start.initial_height = p->genesis->initial_height;
	out->start.time = p->genesis->time;
	genesis_validator_set(&out->start.validators, p->genesis);
	out->start.params = p->genesis->consensus;
	out->chain_tag = p->genesis->chain_tag;
	out->engine = p->genesis->engine;
	out->app = p->app;
	out->store = &p->store;
	out->mempool = p->mempool;
	out->has_peers = p->net != NULL;
	out->log = &p->log;
}

/* A new store gets its first head and the app's initial state in one batch; the app then opens over
 * it. */
static enum status write_genesis(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	struct chain_head head;
	enum status status = chain_head_load(&head, &p->store, p->genesis->initial_height);
	if (status != STATUS_NOT_FOUND) {
		snprintf(fault, NODE_FAULT_BYTES, "the store's head: %s", status_text(status));
		return status;
	}
	struct replica_config config;
	replica_config_of(p, &config);
	struct store_batch batch;
	store_batch_init(&batch);
	status = replica_genesis(&batch, &config, buf_view(&p->genesis->app_state));
	if (status == STATUS_OK)
		status = store_write(&p->store, &batch, true);
	store_batch_fini(&batch);
	snprintf(fault, NODE_FAULT_BYTES, "writing the genesis state: %s", status_text(status));
	if (status != STATUS_OK)
		return status;
	p->app.vtable->close(p->app.self);
	p->app.self = NULL;
	return daemon_open_app(p);
}

static enum status open_mempool(struct daemon_parts *p)
{
	struct mempool_options options;
	memset(&options, 0, sizeof options);
	enum status status = files_random(options.seed, sizeof options.seed);
	if (status != STATUS_OK)
		return status;
	options.account = p->app.vtable->account;
	options.account_self = p->app.self;
	p->mempool = mempool_new(&options);
	return p->mempool ? STATUS_OK : STATUS_NO_MEMORY;
}

static void on_stopped(void *ctx, const char *why)
{
	struct daemon_parts *p = ctx;
	snprintf(p->stopped_text, sizeof p->stopped_text, "%s", why);
	p->stopped = p->stopped_text;
	event_base_loopbreak(p->loop);
}

static unsigned thread_count(const struct config *config)
{
	if (config->verify_threads > 0)
		return (unsigned)config->verify_threads;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores > 1 ? (unsigned)cores : 1;
}

static enum status start_driver(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	struct driver_config config;
	memset(&config, 0, sizeof config);
	enum status status = files_join(path, p->home, "validator_key.json");
	if (status == STATUS_OK)
		status = homes_read_key(&config.secret, path, fault);
	if (status != STATUS_OK)
		return status;
	config.loop = p->loop;
	config.home = p->home;
	replica_config_of(p, &config.replica);
	config.replica.me = validator_key_of(&config.secret);
	config.verify_threads = thread_count(p->config);
	config.replica.clock_unchecked = p->config->clock_unchecked;
	config.replica.renew_fence = p->config->renew_fence;
	if (p->net) {
		config.send = peering_send;
		config.drop = peering_drop;
	}
	config.stopped = on_stopped;
	config.ctx = p;
	status = driver_new(&p->driver, &config, fault);
	/* Who came up while there was nobody to tell. */
	for (uint32_t i = 0; status == STATUS_OK && i < PEERS_MAX; i++) {
		if (p->peer_up[i])
			driver_peer_up(p->driver, i);
	}
	secret_wipe(&config.secret, sizeof config.secret);
	return status;
}

static enum status fill_view(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	struct validator_secret validator;
	enum status status = files_join(path, p->home, "validator_key.json");
	if (status == STATUS_OK)
		status = homes_read_key(&validator, path, fault);
	if (status != STATUS_OK)
		return status;
	snprintf(p->rpc_address, sizeof p->rpc_address, "tcp://%.64s:%u", p->config->rpc_listen,
		(unsigned)p->config->rpc_port);
	struct view_identity identity = {
		.node_id = p->node_id,
		.listen_address = p->p2p_address,
		.rpc_address = p->rpc_address,
		.moniker = p->config->moniker,
		.chain_id = p->genesis->chain_id,
		.version = "0.38.0",
		.validator_key = validator_key_of(&validator),
		.genesis_json = buf_text(&p->genesis_json),
		.genesis_json_len = p->genesis_json.len,
	};
	secret_wipe(&validator, sizeof validator);
	chain_view_init(&p->view, &identity, p->driver, p->mempool, &p->store, &p->app);
	p->view.net = p->net;
	p->view.stall = (struct stall_source){
		.driver = p->driver,
		.net = p->net,
		.genesis = p->genesis,
		.me = validator_address_of(&p->view.identity.validator_key),
		.moniker = p->config->moniker,
	};
	return STATUS_OK;
}

/* "a,b" as a NULL-terminated list in text, which is cut up. */
static const char *const *list_of(const char *list[LISTS_MAX + 1], char *text)
{
	size_t count = 0;
	for (char *at = strtok(text, ","); at && count < LISTS_MAX; at = strtok(NULL, ","))
		list[count++] = at;
	list[count] = NULL;
	return count > 0 ? list : NULL;
}

static enum status serve_rpc(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	struct rpc_config rpc = {.batch_max = (uint32_t)p->config->rpc_batch_max, .log = &p->log};
	enum status status = rpc_server_new(&p->rpc, &p->view.view, &rpc);
	if (status != STATUS_OK)
		return status;
	char hosts_text[CONFIG_TEXT_BYTES], origins_text[CONFIG_TEXT_BYTES];
	const char *hosts[LISTS_MAX + 1], *origins[LISTS_MAX + 1];
	snprintf(hosts_text, sizeof hosts_text, "%s", p->config->rpc_hosts);
	snprintf(origins_text, sizeof origins_text, "%s", p->config->rpc_origins);
	struct http_shell_config shell = {
		.listen_address = p->config->rpc_listen,
		.port = (uint16_t)p->config->rpc_port,
		.too_large_status = 400,
		.hosts = list_of(hosts, hosts_text),
		.origins = list_of(origins, origins_text),
		.handler = rpc_server_handle,
		.refusal = rpc_server_refusal,
		.self = p->rpc,
		.log = &p->log,
	};
	status = http_shell_start(&p->rpc_shell, p->loop, &shell, fault);
	if (status == STATUS_OK)
		rpc_server_attach(p->rpc, p->rpc_shell);
	return status;
}

static enum status serve_metrics(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	struct http_shell_config shell = {
		.listen_address = p->config->metrics_listen,
		.port = (uint16_t)p->config->metrics_port,
		.too_large_status = 413,
		.handler = metrics_handle,
		.self = p,
		.log = &p->log,
	};
	return http_shell_start(&p->metrics_shell, p->loop, &shell, fault);
}

/* ---- the whole ---- */

static enum status join_chain(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	struct replica_config config;
	replica_config_of(p, &config);
	return joining_run(p, &config, fault);
}

static enum status open_all(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	uint8_t seed[32];
	enum status status = files_random(seed, sizeof seed);
	if (status == STATUS_OK && !keys_start(seed))
		status = STATUS_UNSUPPORTED;
	snprintf(fault, NODE_FAULT_BYTES, "starting the signature libraries");
	if (status == STATUS_OK)
		status = open_genesis(p, fault);
	if (status == STATUS_OK)
		status = open_store(p, fault);
	if (status == STATUS_OK)
		status = write_genesis(p, fault);
	if (status == STATUS_OK)
		status = peering_start(p, fault);
	if (status == STATUS_OK)
		status = join_chain(p, fault);
	if (status != STATUS_OK || p->stop_asked)
		return status;
	status = open_mempool(p);
	if (status == STATUS_OK)
		status = start_driver(p, fault);
	if (status == STATUS_OK)
		status = fill_view(p, fault);
	if (status == STATUS_OK)
		status = stall_watch_start(p);
	if (status == STATUS_OK)
		status = serve_rpc(p, fault);
	if (status == STATUS_OK && p->config->coordinator_enabled)
		status = coordinator_role_start(p, fault);
	if (status == STATUS_OK && p->config->metrics_enabled)
		status = serve_metrics(p, fault);
	return status;
}

/* Ports first, so that nobody asks a half-closed node; then who asks the chain; then the peers and
 * the chain; the store last. */
static void close_all(struct daemon_parts *p)
{
	if (p->metrics_shell)
		http_shell_stop(p->metrics_shell, 0);
	coordinator_role_stop(&p->coordinator, p->stopped ? 0 : DRAIN_MS);
	if (p->rpc_shell)
		http_shell_stop(p->rpc_shell, p->stopped ? 0 : DRAIN_MS);
	if (p->rpc)
		rpc_server_free(p->rpc);
	stall_watch_stop(p);
	net_stop(p->net);
	driver_free(p->driver);
	if (p->mempool)
		mempool_free(p->mempool);
	if (p->app.self)
		p->app.vtable->close(p->app.self);
	if (p->store.self)
		store_close(&p->store);
	if (p->genesis)
		genesis_fini(p->genesis);
	free(p->genesis);
	buf_fini(&p->genesis_json);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	struct daemon_parts *p = arg;
	log_event(&p->log, LOG_INFO, "stopping signal=%d", (int)number);
	p->stop_asked = true;
	event_base_loopbreak(p->loop);
}

static void on_clock_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	struct daemon_parts *p = arg;
	if (p->driver)
		driver_trust_clock(p->driver);
}

static void say_ready(struct daemon_parts *p)
{
	log_event(&p->log, LOG_INFO,
		"ready chain=%s height=%lld peers=%u p2p=%u rpc=%s:%u coordinator=%u metrics=%u",
		p->genesis->chain_id, (long long)replica_head(driver_replica(p->driver))->height,
		p->net ? net_peer_count(p->net) : 0, p->net ? net_port(p->net) : 0,
		p->config->rpc_listen, http_shell_port(p->rpc_shell),
		p->coordinator.shell ? http_shell_port(p->coordinator.shell) : 0,
		p->metrics_shell ? http_shell_port(p->metrics_shell) : 0);
}

/* libevent's own clock is a tick of the kernel coarse; blocks are gathered by the millisecond. */
static struct event_base *precise_loop(void)
{
	struct event_config *config = event_config_new();
	if (!config)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	struct event_base *loop = event_base_new_with_config(config);
	event_config_free(config);
	return loop;
}

int daemon_run(const char *home, const struct config *config)
{
	static struct daemon_parts parts; /* one daemon a process; large for a stack */
	struct daemon_parts *p = &parts;
	char fault[NODE_FAULT_BYTES] = "";
	p->home = home;
	p->config = config;
	p->log = (struct log){config_log_level(config), log_line, NULL};
	signal(SIGPIPE, SIG_IGN);
	slice_short();
	p->loop = precise_loop();
	if (!p->loop) {
		fprintf(stderr, "aitbcd: no event loop\n");
		return 1;
	}
	struct event *term = evsignal_new(p->loop, SIGTERM, on_signal, p);
	struct event *interrupt = evsignal_new(p->loop, SIGINT, on_signal, p);
	struct event *clock = evsignal_new(p->loop, SIGUSR1, on_clock_signal, p);
	evsignal_add(clock, NULL);
	evsignal_add(term, NULL);
	evsignal_add(interrupt, NULL);
	int code = 0;
	enum status status = open_all(p, fault);
	if (status != STATUS_OK) {
		fprintf(stderr, "aitbcd: can't start: %s (%s)\n", fault, status_text(status));
		code = 1;
	} else {
		/* What stopped the validator while it started broke a loop that did not run yet. */
		if (!p->stopped && !p->stop_asked) {
			say_ready(p);
			event_base_dispatch(p->loop);
		}
		code = p->stopped ? 2 : 0;
	}
	close_all(p);
	event_free(term);
	event_free(interrupt);
	event_free(clock);
	event_base_free(p->loop);
	return code;
}
