/* The chain's tip: what others did with our jobs there (a delivery, a cancellation), and our own
 * published record. What ends by its deadline needs no watching: every job wakes at its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bech32.h"
#include "coordinator/inside.h"
#include "wallet/fields.h"

enum { WATCH_TIMEOUT_MS = 5000, SEARCH_PAGE = 100 };

/* States that others bring about by a transaction. */
static const char *const watched[] = {"DELIVERED", "CANCELLED"};
enum { WATCHED_COUNT = sizeof watched / sizeof watched[0] };

struct watch {
	struct lifeline *line;
	int64_t from; /* heights after this one */
	int64_t to;
	size_t state;
	unsigned page;
};

static void search_next(struct coordinator *c, struct watch *watch);

static void watch_end(struct coordinator *c, struct watch *watch, bool answered)
{
	c->watching = false;
	c->chain_seen = answered;
	if (answered)
		c->chain_seen_ms = coordinator_now(c);
	free(watch);
}

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

/* Something happened to a job: is it ours, and not what we are doing anyway? */
static void on_event(struct coordinator *c, const json_t *event)
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
	if (job && !job->acting && !job->broadcasting)
		follow_look(c, job);
}

static void on_found(void *ctx, const struct rpc_outcome *outcome)
{
	struct watch *watch = ctx;
	struct coordinator *c = lifeline_drop(watch->line);
	const json_t *txs;
	uint64_t total = 0;

	if (!c) {
		free(watch);
		return;
	}
	if (outcome->status != STATUS_OK) {
		/* Asked for the same heights again at the next turn. */
		watch_end(c, watch, outcome->status == STATUS_REFUSED);
		return;
	}
	txs = json_object_get(outcome->result, "txs");
	for (size_t i = 0; i < json_array_size(txs); i++) {
		const json_t *events = json_object_get(
			json_object_get(json_array_get(txs, i), "tx_result"), "events");

		for (size_t k = 0; k < json_array_size(events); k++)
			on_event(c, json_array_get(events, k));
	}
	if (field_u64(&total, outcome->result, "total_count") &&
		total > (uint64_t)watch->page * SEARCH_PAGE) {
		watch->page++;
	} else {
		watch->state++;
		watch->page = 1;
	}
	search_next(c, watch);
}

static void search_next(struct coordinator *c, struct watch *watch)
{
	char query[160], page[16], per_page[16];
	json_t *params;

	if (watch->state == WATCHED_COUNT) {
		c->chain_height = watch->to;
		watch_end(c, watch, true);
		return;
	}
	snprintf(query, sizeof query, "job.state='%s' AND tx.height>%lld AND tx.height<=%lld",
		watched[watch->state], (long long)watch->from, (long long)watch->to);
	snprintf(page, sizeof page, "%u", watch->page);
	snprintf(per_page, sizeof per_page, "%d", SEARCH_PAGE);
	params = json_pack("{s:s,s:b,s:s,s:s,s:s}", "query", query, "prove", 0, "page", page,
		"per_page", per_page, "order_by", "asc");
	watch->line = lifeline_hold(c);
	if (rpc_call(c->config.rpc, "tx_search", params, WATCH_TIMEOUT_MS, on_found, watch) ==
		STATUS_OK)
		return;
	lifeline_drop(watch->line);
	watch_end(c, watch, false);
}

static void on_status(void *ctx, const struct rpc_outcome *outcome)
{
	struct watch *watch = ctx;
	struct coordinator *c = lifeline_drop(watch->line);
	int64_t height = 0;

	if (!c) {
		free(watch);
		return;
	}
	if (outcome->status != STATUS_OK ||
		!field_i64(&height, json_object_get(outcome->result, "sync_info"),
			"latest_block_height")) {
		if (c->chain_seen)
			log_event(c->config.log, LOG_UNUSUAL, "chain_unreachable fault=\"%.150s\"",
				outcome->fault ? outcome->fault : "no height");
		watch_end(c, watch, false);
		return;
	}
	/* At the start every live job is looked at by itself. */
	if (c->chain_height == 0)
		c->chain_height = height;
	if (height <= c->chain_height) {
		watch_end(c, watch, true);
		return;
	}
	watch->from = c->chain_height;
	watch->to = height;
	watch->state = 0;
	watch->page = 1;
	search_next(c, watch);
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

	if (c->published || c->publishing)
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
	struct watch *watch;

	end_polls(c);
	publish(c);
	watch_start(c);
	if (c->watching)
		return;
	watch = calloc(1, sizeof *watch);
	if (!watch)
		return;
	watch->line = lifeline_hold(c);
	c->watching = true;
	if (rpc_call(c->config.rpc, "status", NULL, WATCH_TIMEOUT_MS, on_status, watch) !=
		STATUS_OK) {
		lifeline_drop(watch->line);
		watch_end(c, watch, false);
	}
}

void watch_start(struct coordinator *c)
{
	struct timeval tv = {c->config.timing.watch_ms / 1000,
		(suseconds_t)(c->config.timing.watch_ms % 1000) * 1000};

	evtimer_add(c->watch_timer, &tv);
}
