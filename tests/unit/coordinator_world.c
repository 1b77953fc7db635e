#define _GNU_SOURCE
#include "tests/unit/coordinator_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "wallet/fields.h"

/* The text of the test's one input; a payload may name any artifact, the coordinator doesn't open
 * it. */
#define PAYLOAD                                                                                    \
	"{\"type\":\"text/count\", "                                                               \
	"\"input\":\"artifact:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}"

enum { LIFE_STEPS = 2000000, QUIET_TURNS = 200, IMPATIENT_TURNS = 3000, TURNS_PER_TENTH = 2000 };

static uint64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the chain's face ---- */

static void put_code(struct buf *out, const char *member, uint32_t code, const char *log)
{
	buf_appendf(out, "\"%s\":{\"code\":%u,\"log\":\"%s\"},", member, code, log ? log : "");
}

static void put_events(struct buf *out, const struct app_result *result, uint32_t tx_index)
{
	bool first = true;

	buf_append_byte(out, '[');
	for (size_t i = 0; i < result->event_count; i++) {
		const struct app_event *event = &result->events[i];

		if (event->tx_index != tx_index)
			continue;
		buf_appendf(
			out, "%s{\"type\":\"%s\",\"attributes\":[", first ? "" : ",", event->type);
		for (size_t k = 0; k < event->attribute_count; k++)
			buf_appendf(out, "%s{\"key\":\"%s\",\"value\":\"%s\"}", k ? "," : "",
				event->attributes[k].key, event->attributes[k].value);
		buf_append_text(out, "]}");
		first = false;
	}
	buf_append_byte(out, ']');
}

/* A block at the world's clock, with the transaction that waits, if any. */
static const struct app_result *run_block(struct world *w)
{
	uint64_t chain_ms = kit_now_ms(w->kit);
	struct hash32 hash = w->kit->tx_count > 0 ? w->kit->txs[0].hash : (struct hash32){{0}};
	const struct app_result *result =
		kit_run(w->kit, w->now_ms > chain_ms ? w->now_ms - chain_ms : 1);
	struct buf *out = &w->blocks[w->kit->height].results;

	assert_true(w->kit->height < WORLD_BLOCKS_MAX);
	buf_append_text(out, "{\"txs_results\":[");
	for (size_t i = 0; i < result->tx_count; i++) {
		buf_appendf(out, "%s{\"code\":%u,\"events\":", i ? "," : "", result->txs[i].code);
		put_events(out, result, (uint32_t)i);
		buf_append_byte(out, '}');
	}
	buf_append_text(out, "],\"finalize_block_events\":");
	put_events(out, result, APP_EVENT_OF_BLOCK);
	buf_append_byte(out, '}');
	w->blocks[w->kit->height].tx = hash;
	w->blocks[w->kit->height].code = result->tx_count > 0 ? result->txs[0].code : 0;
	return result;
}

/* The code of admission; 0: it is in a block now, and result is that block's. */
static uint32_t admit(struct world *w, struct bytes raw, const struct app_result **result,
	struct app_check *check)
{
	struct kit *kit = w->kit;

	w->broadcasts++;
	memset(check, 0, sizeof *check);
	kit->app.vtable->check(kit->app.self, raw, w->now_ms, check);
	if (check->verdict.code == 0 && check->sequence > check->next_sequence)
		check->verdict.code = SETTLE_SEQUENCE_GAP;
	if (check->verdict.code != 0)
		return check->verdict.code;
	buf_clear(&kit->raws[0]);
	buf_append_view(&kit->raws[0], raw);
	kit->txs[0] = (struct app_tx){buf_view(&kit->raws[0]), sha256(raw), false};
	kit->tx_count = 1;
	*result = run_block(w);
	return 0;
}

static void broadcast_commit(struct world *w, struct buf *out, struct bytes raw)
{
	const struct app_result *result = NULL;
	struct hash32 hash = sha256(raw);
	struct app_check check;
	uint32_t code = admit(w, raw, &result, &check);

	buf_append_byte(out, '{');
	put_code(out, "check_tx", code, check.verdict.log);
	put_code(out, "tx_result", result ? result->txs[0].code : 0,
		result ? result->txs[0].log : "");
	buf_appendf(out, "\"height\":\"%lld\",\"hash\":", (long long)(result ? w->kit->height : 0));
	json_put_hex_upper(out, hash.b, sizeof hash.b);
	buf_append_byte(out, '}');
}

static void broadcast_sync(struct world *w, struct buf *out, struct bytes raw)
{
	const struct app_result *result;
	struct app_check check;

	buf_appendf(out, "{\"code\":%u,\"log\":", admit(w, raw, &result, &check));
	json_put_text(out, check.verdict.log);
	buf_append_byte(out, '}');
}

/* NULL, or the text of an error. */
static const char *put_results(struct world *w, struct buf *out, const json_t *params)
{
	int64_t height = 0;

	if (!field_i64(&height, params, "height") || height > w->kit->height)
		return "height must be less than or equal to the current blockchain height";
	if (w->blocks[height].results.len > 0)
		buf_append_view(out, buf_view(&w->blocks[height].results));
	else
		buf_append_text(out, "{\"txs_results\":null}");
	return NULL;
}

static const char *put_tx(struct world *w, struct buf *out, const json_t *params)
{
	const char *text = field_text(params, "hash");
	struct buf hash = {0};
	const char *fault = "tx not found";

	assert_true(base64_decode(&hash, text, strlen(text)));
	for (int64_t h = 1; h <= w->kit->height; h++) {
		if (!bytes_equal(buf_view(&hash), hash_view(&w->blocks[h].tx)))
			continue;
		buf_appendf(out, "{\"height\":\"%lld\",\"tx_result\":{\"code\":%u,\"log\":\"\"}}",
			(long long)h, w->blocks[h].code);
		fault = NULL;
	}
	buf_fini(&hash);
	return fault;
}

static void put_status(struct world *w, struct buf *out)
{
	char time[RFC3339_BYTES];

	rfc3339_text(time, w->kit->time);
	buf_appendf(out,
		"{\"node_info\":{\"network\":\"devnet-w\"},\"sync_info\":{\"latest_block_height\":"
		"\"%lld\",\"latest_block_time\":\"%s\"}}",
		(long long)w->kit->height, time);
}

static void put_query(struct world *w, struct buf *out, const json_t *params)
{
	const char *path = field_text(params, "path"), *hex = field_text(params, "data"), *text;
	uint8_t data[256];
	uint32_t code;

	assert_true(hex_decode(data, strlen(hex) / 2, hex, strlen(hex)));
	text = kit_ask(w->kit, path, bytes_view(data, strlen(hex) / 2), &code);
	buf_appendf(out, "{\"response\":{\"code\":%u,\"log\":", code);
	json_put_text(out, code ? text : "");
	buf_append_text(out, ",\"value\":");
	json_put_base64(out, code ? "" : text, code ? 0 : strlen(text));
	buf_append_text(out, "}}");
}

static const char nobody[] = "";

/* NULL, the text of a JSON-RPC error, or `nobody`: no answer at all. */
static const char *chain_answer(
	struct world *w, struct buf *out, const char *method, const json_t *params)
{
	bool commit = strcmp(method, "broadcast_tx_commit") == 0;
	enum chain_mood mood = CHAIN_GOOD;
	const char *tx = field_text(params, "tx");
	struct buf raw = {0};

	if (w->chain_silent)
		return nobody;
	if (strcmp(method, "block_results") == 0)
		return put_results(w, out, params);
	if (strcmp(method, "tx") == 0)
		return put_tx(w, out, params);
	if (strcmp(method, "status") == 0) {
		put_status(w, out);
		return NULL;
	}
	if (strcmp(method, "abci_query") == 0) {
		put_query(w, out, params);
		return NULL;
	}
	assert_true(commit || strcmp(method, "broadcast_tx_sync") == 0);
	if (w->mood_next < w->mood_count)
		mood = w->moods[w->mood_next++];
	assert_true(base64_decode(&raw, tx, strlen(tx)));
	if (mood != CHAIN_LOSE && commit)
		broadcast_commit(w, out, buf_view(&raw));
	else if (mood != CHAIN_LOSE)
		broadcast_sync(w, out, buf_view(&raw));
	buf_fini(&raw);
	return mood == CHAIN_GOOD ? NULL : nobody;
}

static enum http_answer on_chain_call(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct json_fault fault;
	json_t *call = json_read(request->body, &fault);
	struct buf result = {0};
	const char *wrong;

	(void)ticket;
	assert_non_null(call);
	wrong = chain_answer(
		self, &result, field_text(call, "method"), json_object_get(call, "params"));
	if (wrong == nobody) {
		reply->status = 502;
	} else {
		buf_appendf(&reply->body, "{\"jsonrpc\":\"2.0\",\"id\":%lld,",
			(long long)json_integer_value(json_object_get(call, "id")));
		if (wrong)
			buf_appendf(&reply->body,
				"\"error\":{\"code\":-32603,\"message\":\"Internal error\","
				"\"data\":\"%s\"}}",
				wrong);
		else
			buf_appendf(&reply->body, "\"result\":%s}", buf_text(&result));
	}
	buf_fini(&result);
	json_decref(call);
	return HTTP_DONE;
}

/* ---- opening ---- */

static uint64_t now_ms(void *ctx)
{
	return ((struct world *)ctx)->now_ms;
}

static void random_bytes(void *ctx, void *out, size_t len)
{
	memset(out, ++((struct world *)ctx)->random, len);
}

static void put_key(FILE *file, const char *id, const char *role, const char *key, bool last)
{
	struct hash32 hash = sha256(bytes_of_text(key));
	char hex[65];

	hex_lower(hex, hash.b, sizeof hash.b);
	fprintf(file,
		"{\"id\":\"%s\",\"role\":\"%s\",\"sha256\":\"%s\",\"rate_per_s\":100000,"
		"\"burst\":100000}%s\n",
		id, role, hex, last ? "]}" : ",");
}

static void write_keys(const struct world *w, char path[128])
{
	FILE *file;

	snprintf(path, 128, "%s/keys.json", w->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("{\"keys\":[", file);
	put_key(file, "client", "client", CLIENT_KEY, false);
	put_key(file, "client2", "client", CLIENT2_KEY, false);
	put_key(file, "admin", "admin", ADMIN_KEY, false);
	put_key(file, "m1", "miner", MINER_KEY1, false);
	put_key(file, "m2", "miner", MINER_KEY2, true);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void start(struct world *w)
{
	struct account_secret secret = *kit_secret(COORDINATOR);
	char fault[256] = "", keys[128], chain_url[64];
	struct sender_config sender = {
		.loop = w->loop, .secret = &secret, .chain_tag = &w->kit->config.chain_tag};
	struct coordinator_config config = {.loop = w->loop,
		.store = &w->store,
		.now_ms = now_ms,
		.random = random_bytes,
		.ctx = w,
		.chain_id = "devnet-w",
		.chain_tag = w->kit->config.chain_tag,
		.keys_path = keys,
		.artifact_dir = w->dir,
		.share_ppm = 50000,
		.url = "http://127.0.0.1:1",
		.accepts_new = true,
		.managed_seed = w->managed ? &w->seed : NULL,
		.managed_daily_uaitbc_max = 5 * KIT_COIN};
	struct http_shell_config shell = {.listen_address = "127.0.0.1",
		.handler = coordinator_handle,
		.admit_upload = coordinator_admit_upload,
		.upload_prefix = "/v1/artifacts",
		.upload_dir = w->dir};

	write_keys(w, keys);
	snprintf(chain_url, sizeof chain_url, "http://127.0.0.1:%u",
		http_shell_port(w->chain_shell));
	assert_int_equal(http_client_new(&w->http, w->loop), STATUS_OK);
	assert_int_equal(rpc_client_new(&w->rpc, w->http, chain_url), STATUS_OK);
	sender.rpc = config.rpc = w->rpc;
	config.http = w->http;
	assert_int_equal(sender_new(&w->sender, &sender), STATUS_OK);
	config.sender = w->sender;
	if (coordinator_new(&w->coordinator, &config, fault) != STATUS_OK)
		fail_msg("%s", fault);
	shell.self = w->coordinator;
	assert_int_equal(http_shell_start(&w->shell, w->loop, &shell, fault), STATUS_OK);
	coordinator_attach(w->coordinator, w->shell);
	snprintf(w->url, sizeof w->url, "http://127.0.0.1:%u", http_shell_port(w->shell));
}

static void stop(struct world *w)
{
	http_shell_stop(w->shell, 0);
	coordinator_free(w->coordinator);
	sender_free(w->sender);
	http_client_free(w->http);
	rpc_client_free(w->rpc);
}

void world_open(struct world *w)
{
	struct http_shell_config chain = {
		.listen_address = "127.0.0.1", .handler = on_chain_call, .self = w};
	bool managed = w->managed;
	char fault[256];

	memset(w, 0, sizeof *w);
	w->managed = managed;
	memset(w->seed.b, 7, sizeof w->seed.b);
	w->loop = event_base_new();
	w->kit = malloc(sizeof *w->kit);
	assert_non_null(w->kit);
	kit_open(w->kit, NULL);
	w->now_ms = wall_ms();
	run_block(w);
	snprintf(w->dir, sizeof w->dir, "/tmp/coordinator-world-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(store_mem_open(&w->store), STATUS_OK);
	assert_int_equal(http_shell_start(&w->chain_shell, w->loop, &chain, fault), STATUS_OK);
	start(w);
}

void world_close(struct world *w)
{
	char command[128];

	stop(w);
	http_shell_stop(w->chain_shell, 0);
	store_close(&w->store);
	for (size_t i = 0; i < WORLD_BLOCKS_MAX; i++)
		buf_fini(&w->blocks[i].results);
	kit_close(w->kit);
	free(w->kit);
	event_base_free(w->loop);
	snprintf(command, sizeof command, "rm -rf '%s'", w->dir);
	assert_int_equal(system(command), 0);
	memset(w, 0, sizeof *w);
}

void world_crash(struct world *w)
{
	stop(w);
	store_mem_crash(&w->store, 0);
	start(w);
}

void world_settle(struct world *w)
{
	struct coordinator_stats stats;

	for (int i = 0, quiet = 0; i < LIFE_STEPS; i++) {
		event_base_loop(w->loop, EVLOOP_NONBLOCK);
		coordinator_stats(w->coordinator, &stats);
		/* Some quiet turns, for what has no count. */
		quiet = stats.actions_pending == 0 && stats.calls == 0 ? quiet + 1 : 0;
		if (quiet > QUIET_TURNS)
			return;
	}
	fail_msg("the coordinator never rests");
}

void world_advance(struct world *w, uint64_t ms)
{
	while (ms > 0) {
		uint64_t step = ms < 4000 ? ms : 4000;

		w->now_ms += step;
		ms -= step;
		if (!w->chain_silent)
			run_block(w);
		coordinator_tick(w->coordinator);
		world_settle(w);
	}
}

/* ---- requests ---- */

struct asking {
	struct answer *answer; /* NULL: nobody listens any more */
	bool done;
};

static void on_answered(void *ctx, const struct http_result *result)
{
	struct asking *asking = ctx;
	struct json_fault fault;
	struct answer *answer = asking->answer;

	if (!answer) {
		free(asking);
		return;
	}
	asking->done = true;
	if (result->status != STATUS_OK)
		fail_msg("no answer: %s", result->fault);
	answer->status = result->http_status;
	assert_true(result->body.len < sizeof answer->text);
	if (result->body.len > 0)
		memcpy(answer->text, result->body.data, result->body.len);
	answer->text[result->body.len] = 0;
	if (result->body.len > 0)
		answer->json = json_read(result->body, &fault);
}

void ask(struct world *w, struct answer *out, enum http_method method, const char *path,
	const char *header, const char *key, const char *body)
{
	struct http_header headers[] = {{header, key}};
	char url[512];
	struct http_call call = {.method = method,
		.url = url,
		.headers = headers,
		.header_count = key ? 1 : 0,
		.body = bytes_of_text(body ? body : ""),
		.timeout_ms = 20000};
	struct asking *asking = calloc(1, sizeof *asking);

	assert_non_null(asking);
	memset(out, 0, sizeof *out);
	asking->answer = out;
	snprintf(url, sizeof url, "%s%s", w->url, path);
	assert_int_equal(http_client_start(w->http, &call, on_answered, asking), STATUS_OK);
	for (int i = 1; !asking->done && !(w->impatient && i == IMPATIENT_TURNS); i++) {
		event_base_loop(w->loop, EVLOOP_NONBLOCK);
		if (i % TURNS_PER_TENTH == 0 && !w->impatient) { /* time goes by */
			w->now_ms += 100;
			coordinator_tick(w->coordinator);
		}
	}
	if (asking->done)
		free(asking);
	else
		asking->answer = NULL;
}

void answer_fini(struct answer *answer)
{
	json_decref(answer->json);
	answer->json = NULL;
}

const char *says(const struct answer *answer, const char *member)
{
	return field_text(answer->json, member);
}

/* ---- the client ---- */

static void sign_one(struct world *w, struct buf *out, enum kit_who who, Pb__Action *action)
{
	struct account_key key = kit_key(who);
	Pb__TxBody body = PB__TX_BODY__INIT;
	uint64_t next, balance;
	struct account_address address = kit_address(who);

	assert_true(w->kit->app.vtable->account(w->kit->app.self, &address, &next, &balance));
	body.sequence = next;
	body.fee = 100000;
	body.valid_until_ms = w->now_ms + 60000;
	body.actions = &action;
	body.n_actions = 1;
	tx_sign(out, &body, kit_secret(who), &key, &w->kit->config.chain_tag);
}

void submit_body(struct world *w, struct buf *out, const char *job_id, uint64_t ttl_ms)
{
	struct account_address coordinator = kit_address(COORDINATOR);
	Pb__SubmitJob act = PB__SUBMIT_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	uint8_t salt[32] = {9};
	struct hash32 hash = job_payload_hash(salt, bytes_of_text(PAYLOAD));
	struct buf tx = {0};

	act.job_id = (char *)(uintptr_t)job_id;
	act.coordinator = (ProtobufCBinaryData){sizeof coordinator.b, coordinator.b};
	act.coordinator_ppm = 50000;
	act.service = (char *)(uintptr_t) "text/count";
	act.payload_hash = (ProtobufCBinaryData){sizeof hash.b, hash.b};
	act.reward = KIT_COIN;
	act.unit_type = (char *)(uintptr_t) "second";
	act.unit_price = 20000;
	act.max_units_milli = 100000;
	act.ttl_ms = ttl_ms ? ttl_ms : 600000;
	act.max_attempts = 3;
	act.on_silence = PB__ON_SILENCE__PAY_MINER;
	act.replicas = 1;
	action.act_case = PB__ACTION__ACT_SUBMIT_JOB;
	action.submit_job = &act;
	sign_one(w, &tx, CLIENT, &action);
	buf_append_text(out, "{\"tx\":");
	json_put_base64(out, tx.data, tx.len);
	buf_append_text(out, ",\"salt\":\"");
	buf_append_hex_lower(out, salt, sizeof salt);
	buf_append_text(out, "\",\"payload\":" PAYLOAD "}");
	buf_fini(&tx);
}

void submit(struct world *w, struct answer *out, const char *job_id, uint64_t ttl_ms)
{
	struct buf body = {0};

	submit_body(w, &body, job_id, ttl_ms);
	ask(w, out, HTTP_POST, "/v1/jobs", "X-Api-Key", CLIENT_KEY, buf_text(&body));
	buf_fini(&body);
}

void cancel_body(struct world *w, struct buf *out, const char *job_id)
{
	Pb__CancelJob act = PB__CANCEL_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	struct buf tx = {0};

	act.job_id = (char *)(uintptr_t)job_id;
	action.act_case = PB__ACTION__ACT_CANCEL_JOB;
	action.cancel_job = &act;
	sign_one(w, &tx, CLIENT, &action);
	buf_append_text(out, "{\"tx\":");
	json_put_base64(out, tx.data, tx.len);
	buf_append_byte(out, '}');
	buf_fini(&tx);
}

const char *stage(struct world *w, const char *id, char out[32])
{
	struct answer answer;
	char path[80];

	snprintf(path, sizeof path, "/v1/jobs/%s", id);
	ask(w, &answer, HTTP_GET, path, "X-Api-Key", CLIENT_KEY, NULL);
	snprintf(out, 32, "%s", says(&answer, "stage"));
	answer_fini(&answer);
	return out;
}

/* ---- the miners ---- */

static const char *miner_key(unsigned number)
{
	return number == 1 ? MINER_KEY1 : MINER_KEY2;
}

void register_miner(struct world *w, unsigned number)
{
	struct account_key key = kit_key(number == 1 ? MINER : RICH);
	struct answer answer;
	char body[512], hex[67];

	hex_lower(hex, key.b, sizeof key.b);
	snprintf(body, sizeof body,
		"{\"miner_id\":\"m%u\",\"public_key\":\"%s\",\"concurrency\":2,"
		"\"capabilities\":{\"services\":[\"text/count\"]}}",
		number, hex);
	ask(w, &answer, HTTP_POST, "/v1/miners/register", "X-Miner-Key", miner_key(number), body);
	if (answer.status != 200)
		fail_msg("register: %s", answer.text);
	answer_fini(&answer);
}

void poll_job(struct world *w, struct answer *out, unsigned number)
{
	static const char body[] = "{\"max_wait_seconds\":1}";
	struct http_header headers[] = {{"X-Miner-Key", miner_key(number)}};
	char url[128];
	struct http_call call = {.method = HTTP_POST,
		.url = url,
		.headers = headers,
		.header_count = 1,
		.body = bytes_of_text(body),
		.timeout_ms = 20000};
	struct asking asking = {out, false};

	memset(out, 0, sizeof *out);
	snprintf(url, sizeof url, "%s/v1/miners/poll", w->url);
	assert_int_equal(http_client_start(w->http, &call, on_answered, &asking), STATUS_OK);
	world_settle(w);
	if (!asking.done) {
		/* Nothing is on its way: its second passes. */
		w->now_ms += 1001;
		coordinator_tick(w->coordinator);
	}
	while (!asking.done)
		event_base_loop(w->loop, EVLOOP_ONCE);
}

void heartbeat(struct world *w, unsigned number, const char *job_id, unsigned attempt)
{
	struct answer answer;
	char body[256];

	if (job_id)
		snprintf(body, sizeof body,
			"{\"inflight\":1,\"status\":\"ONLINE\",\"jobs\":[{\"job_id\":\"%s\","
			"\"attempt\":%u}]}",
			job_id, attempt);
	else
		snprintf(body, sizeof body, "{\"inflight\":0,\"status\":\"ONLINE\",\"jobs\":[]}");
	ask(w, &answer, HTTP_POST, "/v1/miners/heartbeat", "X-Miner-Key", miner_key(number), body);
	if (answer.status != 200)
		fail_msg("heartbeat: %s", answer.text);
	answer_fini(&answer);
}

static void terms_of(struct world *w, struct job_terms *terms, const struct answer *assignment)
{
	struct account_address client;
	struct job_key key;
	struct json_fault wrong;
	json_t *value;
	char fault[96];
	uint32_t code;
	const char *text;

	assert_true(field_address(&client, assignment->json, "client"));
	key = job_key_of(&client, bytes_of_text(says(assignment, "client_job_id")));
	text = kit_ask(w->kit, "/jobs", bytes_view(key.b, key.len), &code);
	assert_int_equal(code, 0);
	value = json_read(bytes_of_text(text), &wrong);
	assert_non_null(value);
	if (!job_terms_parse(terms, value, fault))
		fail_msg("terms: %s", fault);
	json_decref(value);
}

static void build(struct world *w, struct job_receipt *receipt, struct job_work *done,
	const struct answer *assignment, const struct work *work)
{
	struct job_terms terms;

	terms_of(w, &terms, assignment);
	*done = (struct job_work){work->units_milli, w->now_ms - work->units_milli, w->now_ms,
		sha256(bytes_of_text(work->result))};
	terms.miner = kit_key(work->signer); /* who signs for another's job is found out */
	assert_true(job_receipt_build(receipt, &terms, done, &w->kit->config.chain_tag));
	assert_true(job_receipt_sign(receipt, kit_secret(work->signer), &w->kit->config.chain_tag));
}

void complete_body(
	struct world *w, struct buf *out, const struct answer *assignment, const struct work *work)
{
	struct job_receipt receipt;
	struct job_work done;

	build(w, &receipt, &done, assignment, work);
	buf_appendf(out,
		"{\"job_id\":\"%s\",\"result\":%s,\"metrics\":{\"units_milli\":%llu,\"started_ms\":"
		"%llu"
		",\"completed_ms\":%llu},\"proof\":{\"hash\":\"",
		says(assignment, "job_id"), work->result, (unsigned long long)done.units_milli,
		(unsigned long long)done.started_ms, (unsigned long long)done.completed_ms);
	buf_append_hex_lower(out, done.result_hash.b, sizeof done.result_hash.b);
	buf_append_text(out, "\",\"signature\":\"");
	buf_append_hex_lower(out, receipt.signature.b, sizeof receipt.signature.b);
	buf_append_text(out, "\"}}");
}

void complete(struct world *w, struct answer *out, unsigned number, const struct answer *assignment,
	const struct work *work)
{
	struct buf body = {0};
	char path[96];

	complete_body(w, &body, assignment, work);
	snprintf(path, sizeof path, "/v1/jobs/%s/complete", says(assignment, "job_id"));
	ask(w, out, HTTP_POST, path, "X-Miner-Key", miner_key(number), buf_text(&body));
	buf_fini(&body);
}

void deliver_on_chain(struct world *w, const struct answer *assignment, const struct work *work)
{
	Pb__DeliverResult act = PB__DELIVER_RESULT__INIT;
	Pb__Action action = PB__ACTION__INIT;
	struct job_receipt receipt;
	struct job_work done;
	struct buf tx = {0}, unused = {0};

	build(w, &receipt, &done, assignment, work);
	act.receipt = &receipt.message;
	action.act_case = PB__ACTION__ACT_DELIVER_RESULT;
	action.deliver_result = &act;
	sign_one(w, &tx, work->signer, &action);
	broadcast_commit(w, &unused, buf_view(&tx));
	assert_non_null(strstr(buf_text(&unused), "\"tx_result\":{\"code\":0"));
	buf_fini(&unused);
	buf_fini(&tx);
}

void release_body(
	struct world *w, struct buf *out, const struct answer *assignment, enum job_release_act act)
{
	struct account_signature signature;
	struct job_terms terms;
	struct job_key key;

	terms_of(w, &terms, assignment);
	key = job_terms_key(&terms);
	assert_true(job_release_sign(&signature, &key, terms.attempt, act, kit_secret(MINER),
		&w->kit->config.chain_tag));
	buf_appendf(out,
		"{\"error_code\":\"E1\",\"error_message\":\"no room\",\"attempt\":%u,\"release\":{"
		"\"signature\":\"",
		terms.attempt);
	buf_append_hex_lower(out, signature.b, sizeof signature.b);
	buf_append_text(out, "\"}}");
}
