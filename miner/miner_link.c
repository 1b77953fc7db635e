/* The miner at its coordinator: who it is, that it lives, and what there is to do. */
#include <stdio.h>
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "miner/deadline.h"
#include "miner/miner_internal.h"
#include "wallet/fields.h"

enum { POLL_SECONDS = 15, POLL_MS = 25 * 1000, HEARTBEAT_MS = 10 * 1000, MODELS_MS = 30 * 1000 };

static void try_register(struct miner *m);
static void send_registration(struct miner *m);

static void keep_models(struct miner *m, struct bytes models)
{
	m->models[0] = 0;
	if (models.len == 0 || models.len >= sizeof m->models)
		return;
	memcpy(m->models, models.data, models.len);
	m->models[models.len] = 0;
}

static void register_later(struct miner *m, const char *what, const char *why)
{
	m->register_tries++;
	m->registered = false;
	log_event(m->shop.log, m->register_tries == 1 ? LOG_UNUSUAL : LOG_DEBUG,
		"%s reason=\"%s\" try=%u", what, why, m->register_tries);
	miner_after(m, m->register_timer, retry_pause_ms(m->register_tries));
}

/* ---- heartbeats ---- */

static void on_heartbeat(void *ctx, const struct link_answer *answer)
{
	struct miner *m = ctx;
	if (m->shop.stopping)
		return;
	if (answer->answered && answer->http_status == 404) {
		register_later(m, "coordinator.forgot_us", answer->fault);
		return;
	}
	if (!link_ok(answer)) {
		log_event(m->shop.log, m->unheard ? LOG_DEBUG : LOG_UNUSUAL,
			"heartbeat.unheard status=%u reason=\"%s\"", answer->http_status,
			answer->fault);
		m->unheard = true;
		return;
	}
	if (m->unheard)
		log_event(m->shop.log, LOG_INFO, "heartbeat.heard_again");
	m->unheard = false;
	size_t i;
	const json_t *name;
	json_array_foreach(json_object_get(answer->body, "drop"), i, name)
	{
		if (json_is_string(name))
			job_doubt(&m->shop, json_string_value(name));
	}
}

static void send_heartbeat(struct miner *m)
{
	struct buf body;
	buf_init(&body, 0);
	buf_append_text(&body, "{\"miner_id\":");
	json_put_text(&body, m->shop.config->miner_id);
	buf_appendf(&body,
		",\"inflight\":%zu,\"status\":\"ONLINE\",\"jobs\":", job_slots_used(&m->shop));
	job_put_list(&m->shop, &body);
	buf_append_byte(&body, '}');
	if (!buf_ok(&body) || link_post(&m->shop.link, "/v1/miners/heartbeat", buf_view(&body),
				      LINK_ASK_MS, on_heartbeat, m) != STATUS_OK)
		log_event(m->shop.log, LOG_BROKEN, "heartbeat.not_sent");
	buf_fini(&body);
}

/* A server that came up, or learnt a model, after we registered. */
static void on_models_again(void *ctx, struct bytes models, const char *fault)
{
	struct miner *m = ctx;
	(void)fault;
	m->asking_models = false;
	if (m->shop.stopping || !m->registered || bytes_equal(models, bytes_of_text(m->models)))
		return;
	log_event(m->shop.log, LOG_INFO, "ollama.changed models=[%.*s]", (int)models.len,
		models.len > 0 ? (const char *)models.data : "");
	keep_models(m, models);
	send_registration(m);
}

static void look_at_models(struct miner *m)
{
	uint64_t now_ms = m->shop.now_ms();
	if (!m->shop.config->ollama.enabled || m->asking_models || now_ms < m->models_at_ms)
		return;
	m->models_at_ms = now_ms + MODELS_MS;
	m->asking_models = backend_ask_models(&m->shop.backends, on_models_again, m) == STATUS_OK;
}

static void on_heartbeat_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct miner *m = ctx;
	(void)fd, (void)what;
	if (m->registered && !m->shop.stopping) {
		send_heartbeat(m);
		look_at_models(m);
	}
	miner_after(m, m->heartbeat_timer, m->heartbeat_ms);
}

/* ---- polling ---- */

static void take_polled(struct miner *m, struct bytes raw)
{
	struct http_ticket nobody = {0, 0};
	struct assignment assignment;
	uint16_t status;
	char fault[160];
	if (!assignment_read(&assignment, raw, fault)) {
		assignment_fini(&assignment);
		log_event(m->shop.log, LOG_UNUSUAL, "poll.unusable reason=\"%s\"", fault);
	} else if (!job_accept(&m->shop, &assignment, nobody, &status, fault) && status != 202) {
		log_event(m->shop.log, LOG_UNUSUAL, "poll.refused status=%u reason=\"%s\"", status,
			fault);
	}
}

static void on_poll(void *ctx, const struct link_answer *answer)
{
	struct miner *m = ctx;
	m->polling = false;
	if (m->shop.stopping)
		return;
	if (link_ok(answer)) {
		m->poll_tries = 0;
		if (answer->http_status == 200)
			take_polled(m, answer->raw);
		miner_poll_soon(m);
		return;
	}
	m->poll_tries++;
	log_event(m->shop.log, m->poll_tries == 1 ? LOG_UNUSUAL : LOG_DEBUG,
		"poll.unheard status=%u reason=\"%s\"", answer->http_status, answer->fault);
	miner_after(m, m->poll_timer, retry_pause_ms(m->poll_tries));
}

static void on_poll_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct miner *m = ctx;
	struct buf body;
	(void)fd, (void)what;
	if (!m->pull || m->polling || !m->registered || m->shop.stopping ||
		job_slots_used(&m->shop) >= m->shop.config->concurrency)
		return;
	buf_init(&body, 0);
	buf_append_text(&body, "{\"miner_id\":");
	json_put_text(&body, m->shop.config->miner_id);
	buf_appendf(&body, ",\"max_wait_seconds\":%d}", POLL_SECONDS);
	m->polling = buf_ok(&body) && link_post(&m->shop.link, "/v1/miners/poll", buf_view(&body),
					      POLL_MS, on_poll, m) == STATUS_OK;
	buf_fini(&body);
	if (!m->polling)
		miner_after(m, m->poll_timer, retry_pause_ms(4));
}

void miner_poll_soon(struct miner *miner)
{
	if (miner->pull && !miner->polling)
		miner_after(miner, miner->poll_timer, 0);
}

/* ---- registration ---- */

static void resume_entry(void *ctx, const struct journal_entry *entry)
{
	struct miner *m = ctx;
	job_resume(&m->shop, entry);
}

/* False: this isn't the coordinator, or not the chain, that we were set up for. */
static bool take_registration(struct miner *m, const struct link_answer *answer, char fault[256])
{
	const char *pinned = m->shop.config->coordinator_address;
	const char *chain_id = field_text(answer->body, "chain_id");
	uint64_t heartbeat_ms = 0;
	if (!field_address(&m->shop.rules.coordinator, answer->body, "coordinator")) {
		snprintf(fault, 256, "the answer names no coordinator account");
		return false;
	}
	address_text(m->coordinator_text, &m->shop.rules.coordinator);
	if (pinned[0] != 0 && strcmp(pinned, m->coordinator_text) != 0) {
		snprintf(fault, 256, "the coordinator's account is %s, not the one configured",
			m->coordinator_text);
		return false;
	}
	if (chain_id[0] != 0 && strcmp(chain_id, sender_chain_id(m->shop.sender)) != 0) {
		snprintf(fault, 256, "the coordinator works on chain %.60s, our node on %.60s",
			chain_id, sender_chain_id(m->shop.sender));
		return false;
	}
	if (!field_u64(&heartbeat_ms, answer->body, "heartbeat_ms"))
		heartbeat_ms = 0;
	m->heartbeat_ms = m->shop.config->heartbeat_ms;
	if (m->heartbeat_ms == 0)
		m->heartbeat_ms =
			heartbeat_ms >= 100 && heartbeat_ms <= 600000 ? heartbeat_ms : HEARTBEAT_MS;
	return true;
}

static void on_registered(void *ctx, const struct link_answer *answer)
{
	struct miner *m = ctx;
	char fault[256];
	if (m->shop.stopping)
		return;
	if (!link_ok(answer)) {
		snprintf(fault, sizeof fault, "%s%.220s", answer->answered ? "refused: " : "",
			answer->fault);
		register_later(m, "coordinator.no_registration", fault);
		return;
	}
	if (!take_registration(m, answer, fault)) {
		register_later(m, "coordinator.wrong", fault);
		return;
	}
	m->registered = true;
	m->register_tries = 0;
	log_event(m->shop.log, LOG_INFO,
		"coordinator.registered url=%s coordinator=%s chain=%s heartbeat_ms=%llu",
		m->shop.config->coordinator, m->coordinator_text, sender_chain_id(m->shop.sender),
		(unsigned long long)m->heartbeat_ms);
	if (!m->resumed) {
		m->resumed = true;
		journal_each(&m->shop.journal, resume_entry, m);
	}
	miner_after(m, m->heartbeat_timer, m->heartbeat_ms);
	miner_poll_soon(m);
}

static void send_registration(struct miner *m)
{
	const struct miner_config *c = m->shop.config;
	struct buf body;
	char url[CONFIG_TEXT_BYTES + 32];
	snprintf(url, sizeof url, "http://%s:%u", c->listen, miner_port(m));
	buf_init(&body, 0);
	buf_append_text(&body, "{\"miner_id\":");
	json_put_text(&body, c->miner_id);
	buf_append_text(&body, ",\"public_key\":\"");
	buf_append_hex_lower(&body, m->shop.rules.miner.b, 33);
	buf_append_text(&body, "\",\"url\":");
	json_put_text(&body, !m->push ? "" : c->public_url[0] != 0 ? c->public_url : url);
	buf_append_text(&body, ",\"capabilities\":{\"services\":[");
	backend_put_services(&m->shop.backends, &body);
	buf_append_text(&body, "],\"models\":[");
	buf_append_text(&body, m->models);
	buf_appendf(
		&body, "]},\"concurrency\":%llu,\"region\":", (unsigned long long)c->concurrency);
	json_put_text(&body, c->region);
	buf_append_byte(&body, '}');
	if (!buf_ok(&body) || link_post(&m->shop.link, "/v1/miners/register", buf_view(&body),
				      LINK_ASK_MS, on_registered, m) != STATUS_OK)
		register_later(m, "coordinator.no_registration", "out of memory");
	buf_fini(&body);
}

static void on_models(void *ctx, struct bytes models, const char *fault)
{
	struct miner *m = ctx;
	if (m->shop.stopping)
		return;
	keep_models(m, models);
	m->models_at_ms = m->shop.now_ms() + MODELS_MS;
	if (fault[0] != 0)
		log_event(m->shop.log, LOG_UNUSUAL, "ollama.silent reason=\"%s\"", fault);
	send_registration(m);
}

static void on_learnt(void *ctx, bool ok, const char *fault)
{
	struct miner *m = ctx;
	const char *wanted = m->shop.config->chain_id;
	if (m->shop.stopping)
		return;
	if (!ok) {
		register_later(m, "chain.silent", fault);
		return;
	}
	if (wanted[0] != 0 && strcmp(wanted, sender_chain_id(m->shop.sender)) != 0) {
		register_later(m, "chain.wrong", sender_chain_id(m->shop.sender));
		return;
	}
	if (!m->learnt)
		log_event(m->shop.log, LOG_INFO, "chain.known chain=%s rpc=%s",
			sender_chain_id(m->shop.sender), m->shop.config->rpc);
	m->learnt = true;
	m->shop.rules.chain_tag = *sender_chain_tag(m->shop.sender);
	try_register(m);
}

/* First the chain, then what we can do, then the coordinator. */
static void try_register(struct miner *m)
{
	if (!m->learnt)
		sender_learn(m->shop.sender, on_learnt, m);
	else if (!m->shop.config->ollama.enabled)
		send_registration(m);
	else if (backend_ask_models(&m->shop.backends, on_models, m) != STATUS_OK)
		register_later(m, "coordinator.no_registration", "out of memory");
}

static void on_register_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct miner *m = ctx;
	(void)fd, (void)what;
	if (!m->shop.stopping)
		try_register(m);
}

static void on_drained(void *ctx, const struct link_answer *answer)
{
	(void)ctx, (void)answer;
}

void miner_drain(struct miner *miner)
{
	struct buf body;
	if (!miner->registered)
		return;
	buf_init(&body, 0);
	buf_append_text(&body, "{\"miner_id\":");
	json_put_text(&body, miner->shop.config->miner_id);
	buf_append_byte(&body, '}');
	if (!buf_ok(&body) || link_post(&miner->shop.link, "/v1/miners/drain", buf_view(&body),
				      LINK_ASK_MS, on_drained, miner) != STATUS_OK)
		log_event(miner->shop.log, LOG_DEBUG, "drain.not_sent");
	buf_fini(&body);
}

void miner_link_start(struct miner *miner)
{
	miner->heartbeat_timer = event_new(miner->shop.loop, -1, 0, on_heartbeat_timer, miner);
	miner->register_timer = event_new(miner->shop.loop, -1, 0, on_register_timer, miner);
	miner->poll_timer = event_new(miner->shop.loop, -1, 0, on_poll_timer, miner);
	if (miner->register_timer != NULL)
		miner_after(miner, miner->register_timer, 0);
}
