/* What operators and anybody may see of the coordinator itself. */
#include <stdio.h>
#include <string.h>

#include "base/bech32.h"
#include "base/json.h"
#include "coordinator/managed.h"

void coordinator_stats(const struct coordinator *c, struct coordinator_stats *out)
{
	uint64_t now = coordinator_now(c);

	memset(out, 0, sizeof *out);
	out->jobs_submitted = c->jobs_submitted;
	out->jobs_completed = c->jobs_completed;
	out->jobs_failed = c->jobs_failed;
	out->jobs_live = c->jobs.count;
	out->jobs_queued = c->dispatch.job_count;
	out->actions_pending = chain_link_pending(&c->link) + managed_pending(c);
	out->calls = c->line->holders - 1;
	for (size_t i = 0; i < c->miners.count; i++) {
		if (miner_online(c->miners.miners[i], now, c->config.timing.heartbeat_ttl_ms))
			out->miners_online++;
	}
}

static const char *chain_word(const struct coordinator *c)
{
	return c->chain_seen ? "ok" : c->chain_seen_ms == 0 ? "connecting" : "unreachable";
}

enum http_answer route_health(struct route_call *call)
{
	struct coordinator *c = call->c;
	struct buf *out = &call->reply->body;
	bool good = !book_failed(&c->book);

	call->reply->status = good ? 200 : 503;
	buf_appendf(out, "{\"status\":\"%s\",\"env\":", good ? "ok" : "store_failed");
	json_put_text(out, c->env);
	buf_append_text(out, ",\"chain_id\":");
	json_put_text(out, c->chain_id);
	buf_appendf(out, ",\"chain\":\"%s\",\"published\":%s,\"trouble\":", chain_word(c),
		c->published ? "true" : "false");
	if (c->trouble[0])
		json_put_text(out, c->trouble);
	else
		buf_append_text(out, "null");
	buf_append_byte(out, '}');
	return HTTP_DONE;
}

static void put_price(
	struct buf *out, const struct service *service, const struct service_price *price)
{
	buf_append_text(out, "{\"unit_type\":");
	json_put_text(out, service->unit_type);
	buf_append_text(out, ",\"unit_price\":");
	json_put_u64_text(out, price->unit_price);
	buf_append_text(out, ",\"max_units_milli\":");
	json_put_u64_text(out, price->max_units_milli);
	buf_append_text(out, ",\"reward\":");
	json_put_u64_text(out, price->reward);
	buf_append_text(out, ",\"ttl_ms\":");
	json_put_u64_text(out, price->ttl_ms);
	buf_appendf(out, ",\"max_attempts\":%u}", price->max_attempts);
}

enum http_answer route_coordinator(struct route_call *call)
{
	struct coordinator *c = call->c;
	struct buf *out = &call->reply->body;
	char owner[ADDRESS_TEXT_BYTES];
	bool first = true;

	address_text(owner, &c->owner);
	buf_append_text(out, "{\"address\":");
	json_put_text(out, owner);
	buf_appendf(out, ",\"share_ppm\":%u,\"accepts_new\":%s,\"published\":%s,\"chain_id\":",
		c->config.share_ppm, c->config.accepts_new ? "true" : "false",
		c->published ? "true" : "false");
	json_put_text(out, c->chain_id);
	buf_append_text(out, ",\"chain_tag\":");
	json_put_hex_upper(out, c->config.chain_tag.b, sizeof c->config.chain_tag.b);
	buf_append_text(out, ",\"prices\":{");
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		if (c->prices[i].closed)
			continue;
		buf_append_text(out, first ? "" : ",");
		json_put_key(out, service_at(i)->name);
		put_price(out, service_at(i), &c->prices[i]);
		first = false;
	}
	buf_append_text(out, "}}");
	return HTTP_DONE;
}

enum http_answer route_admin_stats(struct route_call *call)
{
	struct coordinator *c = call->c;
	struct coordinator_stats stats;
	struct buf *out = &call->reply->body;
	uint64_t work_ms = 0, settled = 0;

	coordinator_stats(c, &stats);
	for (size_t i = 0; i < c->miners.count; i++) {
		work_ms += c->miners.miners[i]->work_ms;
		settled += c->miners.miners[i]->settled;
	}
	buf_appendf(out,
		"{\"total_jobs\":%llu,\"active_jobs\":%zu,\"queued_jobs\":%zu,"
		"\"completed_jobs\":%llu,\"failed_jobs\":%llu,",
		(unsigned long long)stats.jobs_submitted, stats.jobs_live, stats.jobs_queued,
		(unsigned long long)stats.jobs_completed, (unsigned long long)stats.jobs_failed);
	buf_appendf(out,
		"\"online_miners\":%zu,\"miners\":%zu,\"avg_miner_job_duration_ms\":%llu,"
		"\"actions_pending\":%zu,",
		stats.miners_online, c->miners.count,
		(unsigned long long)(settled ? work_ms / settled : 0), stats.actions_pending);
	buf_appendf(out, "\"chain\":\"%s\",\"chain_height\":\"%lld\",\"artifact_bytes\":\"%llu\"}",
		chain_word(c), (long long)c->chain_height, (unsigned long long)c->artifacts.bytes);
	return HTTP_DONE;
}

enum http_answer route_admin_miners(struct route_call *call)
{
	struct coordinator *c = call->c;
	struct buf *out = &call->reply->body;

	buf_append_text(out, "{\"items\":[");
	for (size_t i = 0; i < c->miners.count; i++) {
		buf_append_text(out, i ? "," : "");
		view_miner(c, out, c->miners.miners[i], true);
	}
	buf_append_text(out, "]}");
	return HTTP_DONE;
}

/* ---- registry: the services configured here, and no others ---- */

static void put_service(struct coordinator *c, struct buf *out, const struct service *service)
{
	buf_append_text(out, "{\"id\":");
	json_put_text(out, service->name);
	buf_append_text(out, ",\"name\":");
	json_put_text(out, service->title);
	buf_append_text(out, ",\"category\":");
	json_put_text(out, service->category);
	buf_append_text(out, ",\"description\":");
	json_put_text(out, service->about);
	buf_append_text(out, ",\"inputs\":");
	service_put_schema(out, service);
	buf_append_text(out, ",\"price\":");
	put_price(out, service, &c->prices[service_index(service)]);
	buf_appendf(out, ",\"served\":%s}",
		dispatch_is_served(&c->dispatch, service, "", coordinator_now(c),
			c->config.timing.heartbeat_ttl_ms)
			? "true"
			: "false");
}

enum http_answer route_registry(struct route_call *call)
{
	struct buf *out = &call->reply->body;
	bool first = true;

	buf_append_byte(out, '[');
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		if (call->c->prices[i].closed)
			continue;
		buf_append_text(out, first ? "" : ",");
		put_service(call->c, out, service_at(i));
		first = false;
	}
	buf_append_byte(out, ']');
	return HTTP_DONE;
}

enum http_answer route_registry_one(struct route_call *call)
{
	static const char tail[] = "/schema";
	size_t len = strlen(call->arg[0]);
	bool schema =
		len > sizeof tail - 1 && strcmp(call->arg[0] + len - (sizeof tail - 1), tail) == 0;
	const struct service *service;

	if (schema)
		len -= sizeof tail - 1;
	service = service_by_name(call->arg[0], len);
	if (!service || call->c->prices[service_index(service)].closed)
		reply_error(call->reply, 404, "NOT_FOUND", NULL, "Service %.*s not found", (int)len,
			call->arg[0]);
	else if (schema)
		service_put_schema(&call->reply->body, service);
	else
		put_service(call->c, &call->reply->body, service);
	return HTTP_DONE;
}
