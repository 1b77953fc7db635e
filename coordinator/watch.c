/* The chain, block by block: its events say which submissions are in, what miners delivered and
 * clients cancelled there; and our own published record. One question is under way at a time: the
 * results of the next block. While submissions wait the next question follows soon, else a second
 * later. A block that can't be read is passed over: every job is also looked at by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bech32.h"
#include "coordinator/inside.h"
#include "wallet/fields.h"

enum { WATCH_TIMEOUT_MS = 10000, WATCH_SOON_MS = 10, SLOW_MS = 500 };

static void watch_next(struct coordinator *c);

static void watch_later(struct coordinator *c, uint32_t ms)
{
	struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	evtimer_add(c->watch_timer, &tv);
}

static void watch_end(struct coordinator *c, bool answered, const char *fault)
{
	if (!answered && c->chain_seen)
		log_event(c->config.log, LOG_UNUSUAL, "chain_unreachable fault=\"%.150s\"",
			fault ? fault : "");
	c->watching = false;
	c->chain_seen = answered;
	if (answered)
		c->chain_seen_ms = coordinator_now(c);
	watch_later(c, c->awaited > 0 && answered ? WATCH_SOON_MS : c->config.timing.watch_ms);
}

/* ---- blocks ---- */

static const char *attribute(const json_t *event, const char *key)
{
	const json_t *attributes = json_object_get(event, "attributes");

	for (size_t i = 0; i < json_array_size(attributes); i++) {
		const json_t *entry = json_array_get(attributes, i);

		if (strcmp(field_text(entry, "key"), key) == 0)
			return field_text(entry, "value");
	}
	return "";
}

/* Something happened to a job: is it ours, and news? */
static void on_event(struct coordinator *c, const json_t *event, int64_t height)
{
	const char *client = attribute(event, "client"), *id = attribute(event, "id");
	struct account_address address;
	char text[JOB_REST_ID_BYTES];
	uint8_t raw[JOB_ID_RAW_BYTES];
	struct job *job;

	if (strcmp(field_text(event, "type"), "job") != 0 ||
		!address_parse(&address, client, strlen(client)) || !id[0])
		return;
	job_rest_id(text, &address, id);
	if (!job_id_parse(raw, text, strlen(text)))
		return;
	job = jobs_find(&c->jobs, raw);
	if (!job || job->acting || job->renewing)
		return;
	if (job->state == JOB_SUBMITTING && job->admitted &&
		strcmp(attribute(event, "state"), "OPEN") == 0)
		submit_told(c, job, SETTLE_OK, "", height);
	else if (job->state != JOB_SUBMITTING || job->admitted)
		follow_look(c, job);
}

static void on_events(struct coordinator *c, const json_t *events, int64_t height)
{
	for (size_t i = 0; i < json_array_size(events); i++)
		on_event(c, json_array_get(events, i), height);
}

static void on_status(void *ctx, const struct rpc_outcome *outcome)
{
	struct lifeline *line = ctx;
	struct coordinator *c = lifeline_drop(line);
	int64_t height = 0;
	bool good;

	if (!c)
		return;
	good = outcome->status == STATUS_OK &&
	       field_i64(&height, json_object_get(outcome->result, "sync_info"),
		       "latest_block_height");
	/* At the start, or after a gap, every live job is looked at by itself. */
	if (good)
		c->chain_height = height;
	watch_end(c, good, outcome->fault);
}

static void on_results(void *ctx, const struct rpc_outcome *outcome)
{
	struct lifeline *line = ctx;
	struct coordinator *c = lifeline_drop(line);
	const json_t *txs;
	int64_t height;

	if (!c)
		return;
	if (outcome->status == STATUS_REFUSED &&
		strstr(outcome->fault, "must be less than or equal")) {
		watch_end(c, true, NULL);
		return;
	}
	if (outcome->status != STATUS_OK) {
		if (outcome->status == STATUS_REFUSED)
			c->chain_height = 0; /* it isn't kept any more: on from the tip */
		watch_end(c, outcome->status == STATUS_REFUSED, outcome->fault);
		return;
	}
	height = ++c->chain_height;
	txs = json_object_get(outcome->result, "txs_results");
	for (size_t i = 0; i < json_array_size(txs); i++)
		on_events(c, json_object_get(json_array_get(txs, i), "events"), height);
	on_events(c, json_object_get(outcome->result, "finalize_block_events"), height);
	watch_next(c);
}

static void watch_next(struct coordinator *c)
{
	struct lifeline *line = lifeline_hold(c);
	char height[24];
	enum status status;

	snprintf(height, sizeof height, "%lld", (long long)c->chain_height + 1);
	c->watching = true;
	status = c->chain_height == 0 ? rpc_call(c->config.rpc, "status", NULL, WATCH_TIMEOUT_MS,
						on_status, line)
				      : rpc_call(c->config.rpc, "block_results",
						json_pack("{s:s}", "height", height),
						WATCH_TIMEOUT_MS, on_results, line);
	if (status == STATUS_OK)
		return;
	lifeline_drop(line);
	watch_end(c, false, "no memory");
}

void watch_soon(struct coordinator *c)
{
	if (!c->watching)
		watch_later(c, WATCH_SOON_MS);
}

/* ---- our own record ---- */

static bool record_fits(const struct coordinator *c, const json_t *record)
{
	const json_t *operators = json_object_get(record, "operators");
	bool accepts_new = false;
	uint32_t share;

	if (!field_u32(&share, record, "share_ppm") || share != c->config.share_ppm ||
		!field_bool(&accepts_new, record, "accepts_new") ||
		accepts_new != c->config.accepts_new ||
		strcmp(field_text(record, "url"), c->url) != 0 ||
		json_array_size(operators) != c->config.operator_count)
		return false;
	for (size_t i = 0; i < c->config.operator_count; i++) {
		char text[ADDRESS_TEXT_BYTES];
		const char *there = json_string_value(json_array_get(operators, i));

		address_text(text, &c->operators[i]);
		if (!there || strcmp(there, text) != 0)
			return false;
	}
	return true;
}

static void on_record(void *ctx, const struct rpc_outcome *outcome)
{
	struct lifeline *line = ctx;
	struct coordinator *c = lifeline_drop(line);
	char log[256] = "";
	uint32_t code = 0;
	json_t *record;

	if (!c)
		return;
	c->publishing = false;
	if (outcome->status != STATUS_OK)
		return;
	record = rpc_query_value(outcome->result, &code, log);
	if (record && record_fits(c, record)) {
		c->published = true;
	} else if (!record && code != SETTLE_UNKNOWN_COORDINATOR) {
		log_event(c->config.log, LOG_UNUSUAL,
			"coordinator_record_unread code=%u log=\"%s\"", code, log);
	} else if (account_address_equal(sender_address(c->config.sender), &c->owner)) {
		c->publishing = act_publish(c);
	} else {
		log_event(c->config.log, LOG_UNUSUAL,
			"coordinator_record_differs note=\"only its owner's account can change "
			"it\"");
		c->published = true;
	}
	json_decref(record);
}

static void publish(struct coordinator *c)
{
	struct lifeline *line;

	if (c->published || c->publishing || coordinator_now(c) < c->publish_after_ms)
		return;
	line = lifeline_hold(c);
	c->publishing = rpc_call(c->config.rpc, "abci_query",
				rpc_params_query(
					"/coordinators", bytes_view(c->owner.b, sizeof c->owner.b)),
				WATCH_TIMEOUT_MS, on_record, line) == STATUS_OK;
	if (!c->publishing)
		lifeline_drop(line);
}

/* ---- the turn ---- */

static void end_polls(struct coordinator *c)
{
	uint64_t now = coordinator_now(c);

	for (size_t i = 0; c->polls > 0 && i < c->miners.count; i++) {
		struct miner *miner = c->miners.miners[i];

		if (miner->polling && now >= miner->poll_end_ms)
			offer_end_poll(c, miner);
	}
}

void watch_on_timer(struct coordinator *c)
{
	uint64_t now = coordinator_now(c);

	if (now >= c->slow_ms + SLOW_MS || now < c->slow_ms) {
		c->slow_ms = now;
		end_polls(c);
		publish(c);
	}
	watch_later(c, c->config.timing.watch_ms);
	if (!c->watching)
		watch_next(c);
}

/* The first look is at once: a client may be waiting for the published terms. */
void watch_start(struct coordinator *c)
{
	watch_later(c, 0);
}
