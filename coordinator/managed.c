#include "coordinator/managed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/bech32.h"
#include "base/cursor.h"
#include "base/hex.h"
#include "base/json.h"

enum { DAY_MS = 24 * 3600 * 1000, IDEMPOTENCY_BYTES_MAX = 128, RETRY_MS = 2000 };

/* A submit or cancel on its way. Kept in a list: what the sender forgets at its end is freed with
 * it. */
struct managed_act {
	struct managed_act *next, *prev;
	struct coordinator *c;
	uint8_t job[JOB_ID_RAW_BYTES];
	struct http_ticket ticket; /* of a cancel */
};

struct managed_account {
	struct sender *sender; /* NULL until first used */
	uint64_t day;          /* since 1970 */
	uint64_t spent;        /* uaitbc put into escrow on that day */
};

struct managed {
	struct account_secret seed;
	struct managed_account *accounts; /* one per API key, by its index */
	size_t account_count;
	struct managed_act *acts;
};

bool managed_secret(
	struct account_secret *out, const struct account_secret *seed, const char *key_id)
{
	struct bytes parts[] = {bytes_view(seed->b, sizeof seed->b), bytes_of_text(key_id)};
	struct hash32 derived = hash_domain("aitbc/managed/1", parts, 2);
	struct account_key key;
	bool good;

	memcpy(out->b, derived.b, sizeof out->b);
	good = account_key_of(&key, out);
	secret_wipe(&derived, sizeof derived);
	return good;
}

/* ---- what was spent today: rows 'd' id -> u64be day, u64be spent ---- */

static void spent_key(struct buf *out, const char *key_id)
{
	buf_append_byte(out, 'd');
	buf_append_text(out, key_id);
}

static void save_spent(struct coordinator *c, size_t index)
{
	const struct managed_account *account = &c->managed->accounts[index];
	struct buf key, row;

	buf_init(&key, 0);
	buf_init(&row, 0);
	spent_key(&key, c->keys.keys[index].id);
	buf_append_u64be(&row, account->day);
	buf_append_u64be(&row, account->spent);
	book_must_sync(&c->book);
	if (buf_ok(&key) && buf_ok(&row))
		book_put(&c->book, buf_view(&key), buf_view(&row));
	buf_fini(&row);
	buf_fini(&key);
}

static enum status load_spent(struct coordinator *c, size_t index)
{
	struct managed_account *account = &c->managed->accounts[index];
	struct buf key, row;
	enum status status;
	struct cursor at;

	buf_init(&key, 0);
	buf_init(&row, 0);
	spent_key(&key, c->keys.keys[index].id);
	status = store_get(c->config.store, NULL, STORE_COORDINATOR, buf_view(&key), &row);
	if (status == STATUS_OK) {
		at = cursor_of(buf_view(&row));
		account->day = cursor_u64be(&at);
		account->spent = cursor_u64be(&at);
		status = cursor_done(&at) ? STATUS_OK : STATUS_CORRUPT;
	}
	buf_fini(&row);
	buf_fini(&key);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* A new day starts at 0. */
static void turn_day(struct coordinator *c, struct managed_account *account)
{
	uint64_t day = coordinator_now(c) / DAY_MS;

	if (account->day == day)
		return;
	account->day = day;
	account->spent = 0;
}

static bool may_spend(struct coordinator *c, const struct managed_account *account, uint64_t uaitbc)
{
	uint64_t most = c->config.managed_daily_uaitbc_max;

	return account->spent <= most && uaitbc <= most - account->spent;
}

void managed_unspend(struct coordinator *c, const struct job *job)
{
	for (size_t i = 0; c->managed && i < c->managed->account_count; i++) {
		struct managed_account *account = &c->managed->accounts[i];

		if (strcmp(c->keys.keys[i].id, job->owner) != 0)
			continue;
		/* Of another day's sum nothing is given back. */
		if (account->day == job->submitted_ms / DAY_MS &&
			account->spent >= job->terms.reward)
			account->spent -= job->terms.reward;
		save_spent(c, i);
	}
}

/* ---- accounts ---- */

enum status managed_start(struct coordinator *c)
{
	struct managed *managed = calloc(1, sizeof *managed);
	enum status status = STATUS_OK;

	if (!managed)
		return STATUS_NO_MEMORY;
	c->managed = managed;
	managed->seed = *c->config.managed_seed;
	c->config.managed_seed = NULL; /* the caller wipes its own */
	managed->accounts = calloc(c->keys.count + 1, sizeof *managed->accounts);
	if (!managed->accounts)
		return STATUS_NO_MEMORY;
	managed->account_count = c->keys.count;
	for (size_t i = 0; i < managed->account_count && status == STATUS_OK; i++)
		status = load_spent(c, i);
	return status;
}

void managed_stop(struct coordinator *c)
{
	struct managed *managed = c->managed;

	if (!managed)
		return;
	for (size_t i = 0; i < managed->account_count; i++) {
		if (managed->accounts[i].sender)
			sender_free(managed->accounts[i].sender);
	}
	while (managed->acts) {
		struct managed_act *act = managed->acts;

		managed->acts = act->next;
		free(act);
	}
	free(managed->accounts);
	secret_wipe(&managed->seed, sizeof managed->seed);
	free(managed);
	c->managed = NULL;
}

static struct sender *sender_for(struct coordinator *c, size_t index)
{
	struct managed_account *account = &c->managed->accounts[index];
	struct sender_config config = {.rpc = c->config.rpc,
		.loop = c->config.loop,
		.chain_tag = &c->config.chain_tag,
		.log = c->config.log};
	struct account_secret secret;

	if (account->sender)
		return account->sender;
	config.secret = &secret;
	if (!managed_secret(&secret, &c->managed->seed, c->keys.keys[index].id) ||
		sender_new(&account->sender, &config) != STATUS_OK)
		account->sender = NULL;
	secret_wipe(&secret, sizeof secret);
	return account->sender;
}

static size_t key_index(const struct coordinator *c, const char *key_id)
{
	for (size_t i = 0; i < c->keys.count; i++) {
		if (strcmp(c->keys.keys[i].id, key_id) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* ---- to the chain ---- */

size_t managed_pending(const struct coordinator *c)
{
	size_t count = 0;

	for (struct managed_act *act = c->managed ? c->managed->acts : NULL; act; act = act->next)
		count++;
	return count;
}

static struct managed_act *act_new(struct coordinator *c, const struct job *job)
{
	struct managed_act *act = calloc(1, sizeof *act);

	if (!act)
		return NULL;
	act->c = c;
	memcpy(act->job, job->id, JOB_ID_RAW_BYTES);
	act->next = c->managed->acts;
	if (act->next)
		act->next->prev = act;
	c->managed->acts = act;
	return act;
}

static void act_free(struct managed_act *act)
{
	if (act->prev)
		act->prev->next = act->next;
	else
		act->c->managed->acts = act->next;
	if (act->next)
		act->next->prev = act->prev;
	free(act);
}

static void on_submitted(void *ctx, const struct sender_outcome *outcome)
{
	struct managed_act *act = ctx;
	struct coordinator *c = act->c;
	struct job *job = jobs_find(&c->jobs, act->job);
	uint32_t code = outcome->action_count && outcome->codes ? outcome->codes[0] : outcome->code;
	char client[ADDRESS_TEXT_BYTES], fund[160];

	act_free(act);
	if (!job)
		return;
	job->broadcasting = false;
	if (job->state != JOB_SUBMITTING)
		return;
	job->submit.hash = outcome->hash;
	if (outcome->fate == SENDER_UNKNOWN) {
		work_wake_at(c, job, coordinator_now(c) + RETRY_MS);
	} else if (code == SETTLE_UNKNOWN_ACCOUNT || code == SETTLE_INSUFFICIENT_FUNDS) {
		address_text(client, &job->terms.client);
		snprintf(fund, sizeof fund, "send money to this key's account first: %s", client);
		submit_told(c, job, code, fund, 0);
	} else {
		submit_told(c, job, code, outcome->fault, outcome->height);
	}
}

static bool submit_from(struct coordinator *c, struct job *job, struct sender *sender)
{
	struct job_terms *terms = &job->terms;
	Pb__SubmitJob submit = PB__SUBMIT_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	const Pb__Action *actions[] = {&action};
	struct managed_act *act = act_new(c, job);

	if (!act)
		return false;
	submit.job_id = terms->job_id;
	submit.coordinator =
		(ProtobufCBinaryData){sizeof terms->coordinator.b, terms->coordinator.b};
	submit.coordinator_ppm = terms->coordinator_ppm;
	submit.service = terms->service;
	submit.payload_hash =
		(ProtobufCBinaryData){sizeof terms->payload_hash.b, terms->payload_hash.b};
	submit.reward = terms->reward;
	submit.unit_type = terms->unit_type;
	submit.unit_price = terms->unit_price;
	submit.max_units_milli = terms->max_units_milli;
	submit.ttl_ms = job->ttl_ms;
	submit.max_attempts = terms->max_attempts;
	submit.on_silence = terms->on_silence;
	submit.replicas = 1;
	action.act_case = PB__ACTION__ACT_SUBMIT_JOB;
	action.submit_job = &submit;
	if (sender_submit(sender, actions, 1, PB__MODE__ATOMIC, on_submitted, act) == STATUS_OK)
		return true;
	act_free(act);
	return false;
}

void managed_broadcast(struct coordinator *c, struct job *job)
{
	size_t index = key_index(c, job->owner);
	struct sender *sender = c->managed && index != SIZE_MAX ? sender_for(c, index) : NULL;

	work_wake_at(c, job, coordinator_now(c) + RPC_COMMIT_WAIT_MS + RETRY_MS);
	if (!sender) {
		/* Managed accounts were switched off, or the key was removed, since it was taken.
		 */
		work_reason(job, "its account isn't managed here any more");
		job->submit_valid_until_ms = 1;
		follow_look(c, job);
		return;
	}
	job->broadcasting = submit_from(c, job, sender);
}

/* ---- from the client ---- */

static void say_off(struct route_call *call)
{
	reply_error(call->reply, 403, "MANAGED_ACCOUNTS_OFF", "tx",
		"is missing: this coordinator keeps no accounts for others; sign submit_job "
		"yourself (aitbc submit does) and send {\"tx\", \"salt\", \"payload\"}");
}

static bool refuse(struct route_call *call, const char *field, const char *message)
{
	reply_error(call->reply, 400, "VALIDATION_ERROR", field, "%s", message);
	return false;
}

/* The flat form's payload is the whole body; the other form's is its member. */
static bool find_payload(
	struct route_call *call, const json_t *body, const json_t **payload, struct bytes *raw)
{
	const json_t *constraints = json_object_get(body, "constraints");

	*payload = json_object_get(body, "payload");
	if (!*payload) {
		*payload = body;
		*raw = call->request->body;
		return true;
	}
	if (!json_member_span(call->request->body, "payload", raw))
		return refuse(call, "payload", "can't be found in the body");
	if (constraints && !json_is_null(constraints) && json_object_size(constraints) > 0)
		return refuse(call, "constraints", "aren't supported and would be ignored");
	return true;
}

/* "0.25aitbc", or a number of AITBC, exact to the last digit it is written with. */
static bool read_payment(struct route_call *call, uint64_t *out, const json_t *body)
{
	const json_t *value = json_object_get(body, "payment_amount");
	struct amount amount;
	char text[64];

	if (!value || json_is_null(value))
		return true;
	if (json_is_string(value))
		snprintf(text, sizeof text, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, sizeof text, "%lldaitbc", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(text, sizeof text, "%.6faitbc", json_real_value(value));
	else
		text[0] = 0;
	if (!amount_parse(&amount, text, strlen(text)))
		return refuse(call, "payment_amount", "must be an amount like \"0.25aitbc\"");
	*out = amount.uaitbc;
	return true;
}

/* Terms: the published ones, with the few that a body may change. */
static bool fill_terms(struct route_call *call, struct job *draft, const struct service *service,
	const json_t *body, bool wrapped)
{
	struct coordinator *c = call->c;
	const struct service_price *price = &c->prices[service_index(service)];
	const json_t *ttl = wrapped ? json_object_get(body, "ttl_seconds") : NULL;
	struct job_terms *terms = &draft->terms;

	terms->coordinator = c->owner;
	terms->coordinator_ppm = c->config.share_ppm;
	snprintf(terms->service, sizeof terms->service, "%s", service->name);
	snprintf(terms->unit_type, sizeof terms->unit_type, "%s", service->unit_type);
	terms->unit_price = price->unit_price;
	terms->max_units_milli = price->max_units_milli;
	terms->reward = price->reward;
	terms->max_attempts = price->max_attempts;
	terms->on_silence = PB__ON_SILENCE__PAY_MINER;
	draft->ttl_ms = price->ttl_ms;
	draft->managed = 1;
	if (wrapped && !read_payment(call, &terms->reward, body))
		return false;
	if (terms->reward < terms->unit_price)
		return refuse(call, "payment_amount", "doesn't pay for one whole unit");
	if (!ttl || json_is_null(ttl))
		return true;
	if (!json_is_integer(ttl) || json_integer_value(ttl) < 1 ||
		json_integer_value(ttl) > 30 * 24 * 3600)
		return refuse(call, "ttl_seconds", "must be a whole number from 1 to 2592000");
	draft->ttl_ms = (uint64_t)json_integer_value(ttl) * 1000;
	return true;
}

/* Fresh ones, or those that the same Idempotency-Key always gives. */
static bool fill_names(struct route_call *call, struct job *draft, struct bytes payload)
{
	struct coordinator *c = call->c;
	const char *again = http_request_header(call->request, "Idempotency-Key");
	uint8_t id[16];

	if (again) {
		struct bytes parts[] = {bytes_view(c->managed->seed.b, sizeof c->managed->seed.b),
			bytes_of_text(call->key->id), bytes_view("", 1), bytes_of_text(again)};
		struct hash32 name = hash_domain("aitbc/managed-job/1", parts, 4);
		struct hash32 salt = hash_domain("aitbc/managed-salt/1", parts, 4);

		if (!again[0] || strlen(again) > IDEMPOTENCY_BYTES_MAX)
			return refuse(call, "Idempotency-Key", "must be 1 to 128 bytes");
		memcpy(id, name.b, sizeof id);
		memcpy(draft->salt, salt.b, sizeof draft->salt);
	} else {
		c->config.random(c->config.ctx, id, sizeof id);
		c->config.random(c->config.ctx, draft->salt, sizeof draft->salt);
	}
	memcpy(draft->terms.job_id, "m-", 2);
	hex_lower(draft->terms.job_id + 2, id, sizeof id);
	draft->terms.payload_hash = job_payload_hash(draft->salt, payload);
	return true;
}

/* Within the day's cap; the same job sent again costs nothing. */
static enum http_answer submit_within_cap(
	struct route_call *call, struct job *draft, struct bytes payload, size_t index)
{
	struct coordinator *c = call->c;
	struct managed_account *account = &c->managed->accounts[index];
	struct bytes no_tx = {NULL, 0};
	size_t live = c->jobs.count;
	enum http_answer answer;

	turn_day(c, account);
	if (!may_spend(c, account, draft->terms.reward)) {
		struct job found;
		char text[JOB_REST_ID_BYTES];

		job_rest_id(text, &draft->terms.client, draft->terms.job_id);
		CHECK(job_id_parse(draft->id, text, strlen(text)));
		if (job_read(&c->jobs, &found, draft->id) != STATUS_OK) {
			reply_error(call->reply, 402, "DAILY_CAP", "payment_amount",
				"is over what is left of today's cap for this key");
			return HTTP_DONE;
		}
	}
	answer = submit_draft(call, draft, payload, no_tx);
	if (answer == HTTP_WAIT && c->jobs.count > live) {
		account->spent += draft->terms.reward;
		save_spent(c, index);
	}
	return answer;
}

enum http_answer managed_submit(struct route_call *call, const json_t *body)
{
	struct coordinator *c = call->c;
	size_t index = key_index(c, call->key->id);
	const struct service *service;
	struct bytes raw = {NULL, 0};
	const json_t *payload;
	struct sender *sender;
	struct job draft;

	if (!c->managed) {
		say_off(call);
		return HTTP_DONE;
	}
	memset(&draft, 0, sizeof draft);
	sender = sender_for(c, index);
	if (!sender) {
		reply_error(call->reply, 503, "BUSY", NULL, "no memory for this key's account");
		return HTTP_DONE;
	}
	draft.terms.client = *sender_address(sender);
	if (!find_payload(call, body, &payload, &raw) ||
		!submit_check_payload(call, payload, raw, &service) ||
		!fill_terms(call, &draft, service, body, payload != body) ||
		!fill_names(call, &draft, raw))
		return HTTP_DONE;
	snprintf(draft.model, sizeof draft.model, "%s", service_model(service, payload));
	return submit_within_cap(call, &draft, raw, index);
}

static void on_cancelled(void *ctx, const struct sender_outcome *outcome)
{
	struct managed_act *act = ctx;
	struct coordinator *c = act->c;
	struct job *live = jobs_find(&c->jobs, act->job);
	uint32_t code = outcome->action_count && outcome->codes ? outcome->codes[0] : outcome->code;
	struct http_reply reply;
	struct job job;

	http_reply_init(&reply);
	if (outcome->fate != SENDER_COMMITTED || code != 0) {
		reply_settle(&reply, code, outcome->fault);
	} else {
		if (live && !job_ended((enum job_state)live->state)) {
			work_reason(live, "cancelled by its client");
			if (jobs_move(&c->jobs, live, JOB_EV_CHAIN_CANCELLED))
				work_enter(c, live);
		}
		if (job_read(&c->jobs, &job, act->job) == STATUS_OK)
			view_job(c, &reply.body, &job, false);
	}
	reply_answer(c, act->ticket, &reply);
	http_reply_fini(&reply);
	act_free(act);
}

enum http_answer managed_cancel(struct route_call *call, const struct job *job)
{
	struct coordinator *c = call->c;
	size_t index = key_index(c, job->owner);
	struct sender *sender = c->managed && index != SIZE_MAX ? sender_for(c, index) : NULL;
	struct managed_act *act = sender ? act_new(c, job) : NULL;
	Pb__CancelJob cancel = PB__CANCEL_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	const Pb__Action *actions[] = {&action};

	if (!act) {
		reply_error(call->reply, 503, "BUSY", NULL, "the job's account can't act now");
		return HTTP_DONE;
	}
	act->ticket = call->ticket;
	cancel.job_id = (char *)(uintptr_t)job->terms.job_id;
	action.act_case = PB__ACTION__ACT_CANCEL_JOB;
	action.cancel_job = &cancel;
	if (sender_submit(sender, actions, 1, PB__MODE__ATOMIC, on_cancelled, act) == STATUS_OK)
		return HTTP_WAIT;
	act_free(act);
	reply_error(call->reply, 503, "BUSY", NULL, "too many acts of this account are waiting");
	return HTTP_DONE;
}

/* GET /v1/account: where to send money for the jobs of this key. */
enum http_answer route_account(struct route_call *call)
{
	struct coordinator *c = call->c;
	size_t index = key_index(c, call->key->id);
	struct sender *sender = c->managed ? sender_for(c, index) : NULL;
	struct buf *out = &call->reply->body;
	char address[ADDRESS_TEXT_BYTES];

	if (!sender) {
		say_off(call);
		return HTTP_DONE;
	}
	turn_day(c, &c->managed->accounts[index]);
	address_text(address, sender_address(sender));
	buf_append_text(out, "{\"managed\":true,\"address\":");
	json_put_text(out, address);
	buf_append_text(out, ",\"daily_cap\":");
	view_money(out, c->config.managed_daily_uaitbc_max);
	buf_append_text(out, ",\"spent_today\":");
	view_money(out, c->managed->accounts[index].spent);
	buf_append_byte(out, '}');
	return HTTP_DONE;
}
