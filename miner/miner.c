#define _GNU_SOURCE
#include "miner/miner.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json.h"
#include "miner/miner_internal.h"

enum { STOP_MS = 4000, STOP_LOOK_MS = 50, STOP_HURRY_MS = 2500, DRAIN_MS = 200 };

static uint64_t clock_of(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t monotonic_ms(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

static uint64_t wall_ms(void)
{
	return clock_of(CLOCK_REALTIME);
}

void miner_after(struct miner *miner, struct event *timer, uint64_t ms)
{
	struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};
	if (timer == NULL || event_add(timer, &tv) != 0)
		log_event(miner->shop.log, LOG_BROKEN, "timer.refused");
}

/* ---- the HTTP port ---- */

static void reply_error(
	struct http_reply *reply, uint16_t status, const char *code, const char *message)
{
	reply->status = status;
	reply->content_type = "application/json";
	buf_append_text(&reply->body, "{\"error\":{\"code\":");
	json_put_text(&reply->body, code);
	buf_append_text(&reply->body, ",\"message\":");
	json_put_text(&reply->body, message);
	buf_appendf(&reply->body, ",\"status\":%u}}", status);
}

static void on_refusal(void *self, uint16_t status, const char *reason, struct http_reply *reply)
{
	(void)self;
	reply_error(reply, status, "refused", reason);
}

static enum http_answer handle_assign(struct miner *m, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct assignment assignment;
	uint16_t status;
	char fault[160];
	if (!m->registered) {
		reply_error(reply, 503, "not_ready", "this miner isn't registered yet");
		return HTTP_DONE;
	}
	if (!assignment_read(&assignment, request->body, fault)) {
		assignment_fini(&assignment);
		reply_error(reply, 400, "bad_assignment", fault);
		return HTTP_DONE;
	}
	if (job_accept(&m->shop, &assignment, ticket, &status, fault))
		return HTTP_WAIT;
	if (status == 202) {
		reply->status = 202;
		reply->content_type = "application/json";
		buf_append_text(&reply->body, "{\"accepted\":true}");
	} else {
		reply_error(reply, status, status == 409 ? "busy" : "refused", fault);
	}
	return HTTP_DONE;
}

static void put_status(struct buf *out, struct miner *m)
{
	const struct workshop *shop = &m->shop;
	char own[ADDRESS_TEXT_BYTES];
	uint64_t balance = 0;
	address_text(own, sender_address(shop->sender));
	buf_append_text(out, "{\"miner_id\":");
	json_put_text(out, shop->config->miner_id);
	buf_appendf(out, ",\"address\":\"%s\",\"state\":\"%s\",\"chain_id\":", own,
		shop->stopping  ? "stopping"
		: m->registered ? "ready"
		: m->learnt     ? "registering"
				: "waiting for the chain");
	json_put_text(out, m->learnt ? sender_chain_id(shop->sender) : "");
	buf_append_text(out, ",\"coordinator\":");
	json_put_text(out, m->coordinator_text);
	buf_append_text(out, ",\"services\":[");
	backend_put_services(&shop->backends, out);
	buf_appendf(out, "],\"models\":[%s],\"concurrency\":%llu,\"inflight\":%zu", m->models,
		(unsigned long long)shop->config->concurrency, job_slots_used(shop));
	buf_appendf(out, ",\"paid\":%llu,\"failed\":%llu,\"given_back\":%llu,\"earned\":",
		(unsigned long long)shop->paid_count, (unsigned long long)shop->failed_count,
		(unsigned long long)shop->returned_count);
	json_put_u64_text(out, shop->paid_uaitbc);
	if (sender_balance(shop->sender, &balance)) {
		buf_append_text(out, ",\"balance_at_start\":");
		json_put_u64_text(out, balance);
	}
	buf_append_text(out, ",\"jobs\":");
	job_put_details(shop, out);
	buf_append_byte(out, '}');
}

static enum http_answer handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct miner *m = self;
	bool is_get = request->method == HTTP_GET || request->method == HTTP_HEAD;
	reply->status = 200;
	reply->content_type = "application/json";
	if (strcmp(request->path, "/v1/jobs/assign") == 0) {
		if (request->method == HTTP_POST)
			return handle_assign(m, request, ticket, reply);
		reply_error(reply, 405, "method", "POST only");
	} else if (strcmp(request->path, "/v1/status") == 0 && is_get) {
		put_status(&reply->body, m);
	} else if ((strcmp(request->path, "/health") == 0 ||
			   strcmp(request->path, "/v1/health") == 0) &&
		   is_get) {
		buf_appendf(&reply->body, "{\"status\":\"%s\"}", m->registered ? "ok" : "starting");
	} else {
		reply_error(reply, 404, "not_found",
			"there are GET /health, GET /v1/status, POST /v1/jobs/assign");
	}
	return HTTP_DONE;
}

/* ---- beginning ---- */

static bool make_work_dir(const struct miner_config *config, char fault[256])
{
	/* Others may pass through to a directory of their own, and see nothing. */
	mode_t mode = config->run_as[0] != 0 ? 0711 : 0700;
	if (mkdir(config->work_dir, mode) == 0 || errno == EEXIST)
		return true;
	snprintf(fault, 256, "can't make work_dir %.150s: %s", config->work_dir, strerror(errno));
	return false;
}

/* What a killed daemon's jobs left: the lock says that no other daemon is alive. */
static void sweep_work_dir(const struct miner_config *config, struct log *log)
{
	DIR *directory = opendir(config->work_dir);
	char path[WORKDIR_PATH_BYTES * 2];
	for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
		if (strncmp(entry->d_name, "job-", 4) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", config->work_dir, entry->d_name);
		log_event(log, LOG_INFO, "work.swept path=%s status=%s", path,
			status_text(workdir_remove(path)));
	}
	if (directory != NULL)
		closedir(directory);
}

static bool find_user(struct backends *b, const char *name, char fault[256])
{
	if (name[0] == 0)
		return true;
	const struct passwd *user = getpwnam(name);
	if (user == NULL || user->pw_uid == 0) {
		snprintf(fault, 256, "run_as: %.80s is %s", name,
			user == NULL ? "no user here" : "root itself");
		return false;
	}
	b->drop_user = true;
	b->uid = user->pw_uid;
	b->gid = user->pw_gid;
	return true;
}

static void on_changed(void *ctx)
{
	miner_poll_soon(ctx);
}

static void fill_shop(struct miner *m, struct event_base *loop, const struct miner_config *config,
	const struct account_secret *secret, const char *miner_key, struct log *log)
{
	struct workshop *shop = &m->shop;
	*shop = (struct workshop){.loop = loop,
		.log = log,
		.config = config,
		.secret = *secret,
		.now_ms = monotonic_ms,
		.wall_ms = wall_ms,
		.changed = on_changed,
		.changed_ctx = m};
	shop->journal.lock_fd = -1;
	shop->rules.accept_refund = config->accept_refund;
	shop->link = (struct link){.url = config->coordinator, .miner_id = config->miner_id};
	snprintf(shop->link.key, sizeof shop->link.key, "%s", miner_key);
	shop->backends = (struct backends){
		.loop = loop, .config = config, .log = log, .now_ms = monotonic_ms};
	shop->chain.now_ms = monotonic_ms;
	m->push = strcmp(config->mode, "pull") != 0;
	m->pull = strcmp(config->mode, "push") != 0;
	m->heartbeat_ms = config->heartbeat_ms;
}

static enum status open_outside(struct miner *m, char fault[256])
{
	struct workshop *shop = &m->shop;
	const struct miner_config *config = shop->config;
	enum status status = http_client_new(&m->http, shop->loop);
	if (status == STATUS_OK)
		status = rpc_client_new(&m->rpc, m->http, config->rpc);
	snprintf(fault, 256, "the HTTP client can't start: %s", status_text(status));
	if (status != STATUS_OK)
		return status;
	struct sender_config sender = {.rpc = m->rpc,
		.loop = shop->loop,
		.secret = &shop->secret,
		.give_up_ms = 60 * 1000,
		.log = shop->log};
	status = sender_new(&shop->sender, &sender);
	snprintf(fault, 256, "the key can't be used: %s", status_text(status));
	if (status != STATUS_OK)
		return status;
	shop->rules.miner = *sender_key(shop->sender);
	shop->chain.rpc = m->rpc;
	shop->chain.sender = shop->sender;
	shop->link.http = m->http;
	shop->backends.http = m->http;
	snprintf(fault, 256, "programs can't be run");
	return execs_new(&shop->backends.execs, shop->loop, shop->log);
}

static enum status start(struct miner *m, char fault[256])
{
	struct workshop *shop = &m->shop;
	const struct miner_config *config = shop->config;
	if (!find_user(&shop->backends, config->run_as, fault))
		return STATUS_INVALID;
	enum status status = journal_open(&shop->journal, config->state_dir, shop->log, fault);
	if (status == STATUS_OK && !make_work_dir(config, fault))
		status = STATUS_IO;
	if (status == STATUS_OK)
		status = open_outside(m, fault);
	if (status != STATUS_OK)
		return status;
	sweep_work_dir(config, shop->log);
	struct http_shell_config http = {.listen_address = config->listen,
		.port = (uint16_t)config->port,
		.handler = handle,
		.refusal = on_refusal,
		.too_large_status = 413,
		.self = m,
		.log = shop->log};
	return http_shell_start(&shop->shell, shop->loop, &http, fault);
}

/* How a job's processes are counted depends on the machine: the operator is told which way it is.
 */
static void say_limits(struct miner *m)
{
	char fault[200];
	if (cgroup_open(&m->cgroup, m->shop.config->cgroup, fault)) {
		execs_use_cgroup(m->shop.backends.execs, &m->cgroup);
		log_event(m->shop.log, LOG_INFO, "exec.groups path=%s pids=%s memory=%s",
			m->cgroup.path, m->cgroup.has_pids ? "kernel" : "polled",
			m->cgroup.has_memory ? "kernel" : "address_space");
	} else {
		log_event(m->shop.log, LOG_INFO, "exec.no_groups processes=%s reason=\"%s\"",
			m->shop.backends.drop_user ? "polled,per_user" : "polled", fault);
	}
}

enum status miner_new(struct miner **out, struct event_base *loop,
	const struct miner_config *config, const struct account_secret *secret,
	const char *miner_key, struct log *log, char fault[256])
{
	struct miner *m = calloc(1, sizeof *m);
	if (m == NULL) {
		snprintf(fault, 256, "out of memory");
		return STATUS_NO_MEMORY;
	}
	fill_shop(m, loop, config, secret, miner_key, log);
	enum status status = start(m, fault);
	if (status != STATUS_OK) {
		miner_free(m);
		return status;
	}
	char own[ADDRESS_TEXT_BYTES];
	address_text(own, sender_address(m->shop.sender));
	log_event(log, LOG_INFO, "miner.up id=%s address=%s url=http://%s:%u mode=%s slots=%llu",
		config->miner_id, own, config->listen, miner_port(m), config->mode,
		(unsigned long long)config->concurrency);
	say_limits(m);
	miner_link_start(m);
	*out = m;
	return STATUS_OK;
}

uint16_t miner_port(const struct miner *miner)
{
	return http_shell_port(miner->shop.shell);
}

/* ---- the end ---- */

static void stop_all(struct miner *m)
{
	for (struct job *job = m->shop.jobs, *next; job != NULL; job = next) {
		next = job_next(job);
		job_stop(job);
	}
}

static void on_stop_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct miner *m = ctx;
	uint64_t now_ms = monotonic_ms();
	(void)fd, (void)what;
	if (job_unfinished(&m->shop) == 0 || now_ms >= m->stop_at_ms) {
		event_base_loopbreak(m->shop.loop);
		return;
	}
	/* Work that ended well just then got a moment to be uploaded. */
	if (now_ms + (STOP_MS - STOP_HURRY_MS) >= m->stop_at_ms)
		stop_all(m);
	miner_after(m, m->stop_timer, STOP_LOOK_MS);
}

void miner_stop(struct miner *miner)
{
	if (miner->shop.stopping)
		return;
	miner->shop.stopping = true;
	miner->stop_at_ms = monotonic_ms() + STOP_MS;
	log_event(miner->shop.log, LOG_INFO, "miner.stopping running=%zu",
		job_slots_used(&miner->shop));
	miner_drain(miner);
	stop_all(miner);
	miner->stop_timer = event_new(miner->shop.loop, -1, 0, on_stop_timer, miner);
	if (miner->stop_timer == NULL)
		event_base_loopbreak(miner->shop.loop);
	else
		miner_after(miner, miner->stop_timer, DRAIN_MS);
}

static void timer_free(struct event *timer)
{
	if (timer != NULL)
		event_free(timer);
}

void miner_free(struct miner *miner)
{
	if (miner == NULL)
		return;
	struct workshop *shop = &miner->shop;
	shop->stopping = true;
	if (shop->shell != NULL)
		http_shell_stop(shop->shell, DRAIN_MS);
	shop->shell = NULL;
	if (shop->backends.execs != NULL)
		execs_free(shop->backends.execs);
	if (shop->sender != NULL)
		sender_free(shop->sender);
	if (miner->rpc != NULL)
		rpc_client_free(miner->rpc);
	if (miner->http != NULL)
		http_client_free(
			miner->http); /* answers what is under way: the jobs must still be there */
	job_free_all(shop);
	cgroup_close(&miner->cgroup);
	journal_close(&shop->journal);
	timer_free(miner->heartbeat_timer);
	timer_free(miner->register_timer);
	timer_free(miner->poll_timer);
	timer_free(miner->stop_timer);
	secret_wipe(&shop->secret, sizeof shop->secret);
	secret_wipe(shop->link.key, sizeof shop->link.key);
	free(miner);
}
