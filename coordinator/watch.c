/* The chain's tip, so that health and views can say whether the chain answers, and our own
 * published record. What others do with a job there (a delivery, a cancellation) is seen when the
 * job is next looked at: every job in a miner's hands is, a few times a minute (work.c), every
 * other one before we act on it. */
#include <stdio.h>
#include <string.h>

#include "base/bech32.h"
#include "coordinator/inside.h"
#include "wallet/fields.h"

enum { WATCH_TIMEOUT_MS = 5000 };

static void on_status(void *ctx, const struct rpc_outcome *outcome)
{
	struct lifeline *line = ctx;
	struct coordinator *c = lifeline_drop(line);
	int64_t height = 0;
	bool was_seen;

	if (!c)
		return;
	c->watching = false;
	was_seen = c->chain_seen;
	c->chain_seen = outcome->status == STATUS_OK &&
			field_i64(&height, json_object_get(outcome->result, "sync_info"),
				"latest_block_height");
	if (c->chain_seen) {
		c->chain_seen_ms = coordinator_now(c);
		c->chain_height = height;
	} else if (was_seen) {
		log_event(c->config.log, LOG_UNUSUAL, "chain_unreachable fault=\"%.150s\"",
			outcome->fault ? outcome->fault : "no height");
	}
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

static void watch_again(struct coordinator *c)
{
	struct timeval tv = {c->config.timing.watch_ms / 1000,
		(suseconds_t)(c->config.timing.watch_ms % 1000) * 1000};

	evtimer_add(c->watch_timer, &tv);
}

/* The first look is at once: a client may be waiting for the published terms. */
void watch_start(struct coordinator *c)
{
	struct timeval now = {0, 0};

	evtimer_add(c->watch_timer, &now);
}

void watch_on_timer(struct coordinator *c)
{
	struct lifeline *line;

	end_polls(c);
	publish(c);
	watch_again(c);
	if (c->watching)
		return;
	line = lifeline_hold(c);
	c->watching = rpc_call(c->config.rpc, "status", NULL, WATCH_TIMEOUT_MS, on_status, line) ==
		      STATUS_OK;
	if (!c->watching)
		lifeline_drop(line);
}
