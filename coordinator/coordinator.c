/*~ The coordinator's wiring. A job's road through this room: routes.c -> submit.c (taken, stored,
 * sent) -> follow.c (where the chain says it is) -> work.c (what comes next) -> acts.c and
 * chain_link.c (our word to the chain) -> offer.c (the miner hears) -> miner_routes.c, complete.c
 * (the miner answers). */
#include "coordinator/coordinator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/managed.h"

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
	struct coordinator *c = ctx;
	struct wake *wake;
	struct timeval tv = {1, 0};
	uint64_t now = coordinator_now(c), wait;

	(void)fd;
	(void)what;
	while ((wake = wake_first(&c->wakes)) != NULL && wake->due_ms <= now) {
		struct job *job =
			(struct job *)(void *)((char *)(void *)wake - offsetof(struct job, wake));

		wake_clear(&c->wakes, wake);
		work_wake(c, job);
	}
	if (!wake)
		return;
	wait = wake->due_ms - now;
	if (wait < 1000) {
		tv.tv_sec = 0;
		tv.tv_usec = (suseconds_t)(wait * 1000);
	}
	evtimer_add(c->wake_timer, &tv);
}

static void on_watch(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	watch_on_timer(ctx);
}

static void take_texts(struct coordinator *c, const struct coordinator_config *config)
{
	snprintf(c->chain_id, sizeof c->chain_id, "%s", config->chain_id);
	snprintf(c->url, sizeof c->url, "%s", config->url ? config->url : "");
	snprintf(c->env, sizeof c->env, "%s", config->env ? config->env : "devnet");
	c->owner = config->owner ? *config->owner : *sender_address(config->sender);
	for (size_t i = 0; i < config->operator_count; i++)
		c->operators[i] = config->operators[i];
	c->config.chain_id = c->chain_id;
	c->config.url = c->url;
	c->config.env = c->env;
	c->config.owner = &c->owner;
	c->config.operators = c->operators;
}

static void take_numbers(struct coordinator *c)
{
	struct coordinator_timing *timing = &c->config.timing;

	timing->heartbeat_ttl_ms = or_default(timing->heartbeat_ttl_ms, 45 * 1000);
	timing->lease_ms = or_default(timing->lease_ms, 75 * 1000);
	timing->no_miner_ms = or_default(timing->no_miner_ms, 60 * 1000);
	timing->watch_ms = or_default(timing->watch_ms, 1000);
	timing->push_timeout_ms = or_default(timing->push_timeout_ms, 5000);
	timing->delivery_wait_ms = or_default(timing->delivery_wait_ms, 300 * 1000);
	c->config.rate_per_s = or_default(c->config.rate_per_s, 50);
	c->config.rate_burst = or_default(c->config.rate_burst, 100);
	if (c->config.artifact_total_bytes_max == 0)
		c->config.artifact_total_bytes_max = ARTIFACT_TOTAL_BYTES_MAX;
}

static enum status take_prices(struct coordinator *c, char fault[256])
{
	enum status status;

	for (size_t i = 0; i < SERVICE_COUNT; i++)
		c->prices[i] = service_price_default(service_at(i));
	if (!c->config.prices_path)
		return STATUS_OK;
	status = prices_load(c->prices, c->config.prices_path, fault);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Jobs of before the restart: each is asked for on the chain. */
static void take_up_jobs(struct coordinator *c)
{
	uint64_t now = coordinator_now(c);

	for (size_t i = 0; i < c->jobs.bucket_count; i++) {
		for (struct job *job = c->jobs.buckets[i]; job; job = job->next_in_bucket) {
			struct miner *miner = miner_find(&c->miners, job->miner_id);

			job->heard_ms = now; /* its miner has a full time to live to be heard */
			job->offered = job->state == JOB_RUNNING;
			if (miner && (job->state == JOB_ASSIGNED || job->state == JOB_RUNNING))
				work_take_slot(c, job, miner);
			if (!wake_set(&c->wakes, &job->wake, now))
				log_event(c->config.log, LOG_UNUSUAL,
					"coordinator_no_memory for=wake");
			job->resumed = true;
		}
	}
	log_event(c->config.log, LOG_INFO, "coordinator_started jobs_live=%zu miners=%zu",
		c->jobs.count, c->miners.count);
	on_wake(-1, 0, c);
}

static enum status start_parts(struct coordinator *c, char fault[256])
{
	struct event_base *loop = c->config.loop;
	enum status status =
		book_init(&c->book, loop, c->config.store, c->config.log, work_on_written, c);

	snprintf(fault, 256, "no memory");
	if (status == STATUS_OK)
		status = job_table_init(&c->jobs, &c->book);
	if (status == STATUS_OK)
		status = chain_link_init(&c->link, loop, c->config.sender, c->config.log,
			c->config.now_ms, c->config.ctx, act_told, c);
	if (status != STATUS_OK)
		return status;
	miner_table_init(&c->miners, &c->book);
	dispatch_init(&c->dispatch);
	c->wake_timer = evtimer_new(loop, on_wake, c);
	c->watch_timer = evtimer_new(loop, on_watch, c);
	c->buckets = calloc(c->keys.count + 1, sizeof *c->buckets);
	if (!c->wake_timer || !c->watch_timer || !c->buckets)
		return STATUS_NO_MEMORY;
	status = artifacts_init(&c->artifacts, loop, c->config.artifact_dir,
		c->config.artifact_total_bytes_max, c->config.log, fault);
	if (status != STATUS_OK)
		return status;
	snprintf(fault, 256, "the coordinator's own records can't be read");
	status = miner_table_load(&c->miners);
	if (status == STATUS_OK && !dispatch_index(&c->dispatch, &c->miners))
		status = STATUS_NO_MEMORY;
	if (status == STATUS_OK)
		status = job_table_load(&c->jobs);
	return status == STATUS_OK && c->config.managed_seed ? managed_start(c) : status;
}

static bool config_fits(const struct coordinator_config *config, char fault[256])
{
	const char *wrong = NULL;

	if (strlen(config->chain_id) > CHAIN_ID_BYTES_MAX)
		wrong = "chain_id is too long";
	else if (config->url && strlen(config->url) > COORDINATOR_URL_BYTES_MAX)
		wrong = "url is too long (256 bytes at most)";
	else if (config->operator_count > COORDINATOR_OPERATORS_MAX)
		wrong = "too many operators (8 at most)";
	if (wrong)
		snprintf(fault, 256, "%s", wrong);
	return !wrong;
}

enum status coordinator_new(
	struct coordinator **out, const struct coordinator_config *config, char fault[256])
{
	struct coordinator *c;
	enum status status;

	*out = NULL;
	if (!config_fits(config, fault))
		return STATUS_INVALID;
	c = calloc(1, sizeof *c);
	snprintf(fault, 256, "no memory");
	if (!c)
		return STATUS_NO_MEMORY;
	c->line = calloc(1, sizeof *c->line);
	if (!c->line) {
		free(c);
		return STATUS_NO_MEMORY;
	}
	c->line->coordinator = c;
	c->line->holders = 1;
	c->config = *config;
	take_texts(c, config);
	take_numbers(c);
	status = take_prices(c, fault);
	if (status == STATUS_OK)
		status = api_keys_load(&c->keys, config->keys_path, fault);
	if (status == STATUS_OK)
		status = start_parts(c, fault);
	if (status != STATUS_OK) {
		coordinator_free(c);
		return status;
	}
	take_up_jobs(c);
	watch_start(c);
	*out = c;
	return STATUS_OK;
}

void coordinator_free(struct coordinator *c)
{
	struct lifeline *line;

	if (!c)
		return;
	c->shell = NULL; /* whoever waits is answered by nobody */
	if (c->watch_timer)
		event_free(c->watch_timer);
	if (c->wake_timer)
		event_free(c->wake_timer);
	managed_stop(c);
	chain_link_fini(&c->link);
	if (c->artifacts.loop)
		artifacts_fini(&c->artifacts);
	book_fini(&c->book);
	dispatch_fini(&c->dispatch);
	miner_table_fini(&c->miners);
	job_table_fini(&c->jobs);
	wake_heap_fini(&c->wakes);
	api_keys_fini(&c->keys);
	free(c->buckets);
	free(c->deeds);
	line = c->line;
	line->coordinator = NULL;
	lifeline_drop(line);
	free(c);
}

void coordinator_attach(struct coordinator *c, struct http_shell *shell)
{
	c->shell = shell;
}

void coordinator_tick(struct coordinator *c)
{
	on_wake(-1, 0, c);
	watch_on_timer(c);
}
