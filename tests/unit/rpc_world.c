#define _GNU_SOURCE
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "chain/blocks.h"
#include "chain/format/block.h"
#include "chain/format/part_set.h"
#include "chain/format/validators.h"
#include "chain/format/vote.h"
#include "chain/format/wire.h"
#include "chain/index.h"
#include "chain/store_mem.h"
#include "tests/unit/rpc_world.h"

#define CHAIN_ID "rpc-test"
static const char genesis[] = "{\"chain_id\":\"rpc-test\"}";

/* --- a chain
 * ------------------------------------------------------------------------------------------- */

static const struct validator_secret secret = {{7}};
static char *text_of(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* One block after another; the next needs the last one's id, commit and results. */
struct builder {
	struct store *store;
	struct arena arena;
	struct validator_set set;
	struct block_id last_id;
	Pb__Commit *last_commit;
	struct hash32 last_results;
	Pb__ConsensusParams params;
	struct index_writer *index;
	struct store_batch *batch; /* the block's */
};

static void *make(struct builder *b, size_t len)
{
	void *memory = arena_alloc(&b->arena, len);

	assert_non_null(memory);
	return memory;
}

static ProtobufCBinaryData keep_hash(struct builder *b, struct hash32 hash)
{
	return wire_borrow(arena_copy(&b->arena, hash.b, sizeof hash.b), sizeof hash.b);
}

static Pb__Timestamp *keep_time(struct builder *b, int64_t seconds, int32_t nanos)
{
	Pb__Timestamp *time = make(b, sizeof *time);

	pb__timestamp__init(time);
	time->seconds = seconds;
	time->nanos = nanos;
	return time;
}

static Pb__BlockID *keep_id(struct builder *b, const struct block_id *id)
{
	Pb__BlockID *out = make(b, sizeof *out);

	pb__block_id__init(out);
	out->part_set_header = make(b, sizeof *out->part_set_header);
	pb__part_set_header__init(out->part_set_header);
	if (!block_id_is_nil(id)) {
		out->hash = keep_hash(b, id->hash);
		out->part_set_header->total = id->parts_total;
		out->part_set_header->hash = keep_hash(b, id->parts_hash);
	}
	return out;
}

static Pb__Commit *commit_of(struct builder *b, int64_t height, const struct block_id *id)
{
	struct vote vote = {.type = VOTE_PRECOMMIT,
		.height = height,
		.block_id = *id,
		.time = {1700000000 + height, 500},
		.address = b->set.v[0].address};
	Pb__Commit *commit = make(b, sizeof *commit);
	Pb__CommitSig *sig = make(b, sizeof *sig);
	struct buf bytes = {0};

	vote_sign_bytes(&bytes, CHAIN_ID, &vote);
	validator_sign(&vote.signature, &secret, buf_view(&bytes));
	buf_fini(&bytes);
	pb__commit__init(commit);
	pb__commit_sig__init(sig);
	sig->block_id_flag = COMMIT_FLAG_COMMIT;
	sig->validator_address = wire_borrow(b->set.v[0].address.b, 20);
	sig->timestamp = keep_time(b, vote.time.seconds, vote.time.nanos);
	sig->signature = wire_borrow(arena_copy(&b->arena, vote.signature.b, 64), 64);
	commit->height = height;
	commit->block_id = keep_id(b, id);
	commit->n_signatures = 1;
	commit->signatures = make(b, sizeof *commit->signatures);
	commit->signatures[0] = sig;
	return commit;
}

static Pb__Header *header_of(struct builder *b, int64_t height, const Pb__Data *data)
{
	static Pb__EvidenceList no_evidence = PB__EVIDENCE_LIST__INIT;
	Pb__Header *h = make(b, sizeof *h);

	pb__header__init(h);
	h->version = make(b, sizeof *h->version);
	pb__version__init(h->version);
	h->version->block = BLOCK_PROTOCOL;
	h->version->app = 1;
	h->chain_id = text_of(CHAIN_ID);
	h->height = height;
	h->time = keep_time(b, 1700000000 + height, height == 2 ? 120000000 : 0);
	h->last_block_id = keep_id(b, &b->last_id);
	h->last_commit_hash = keep_hash(b, commit_hash(b->last_commit));
	h->data_hash = keep_hash(b, data_hash(data));
	h->validators_hash = keep_hash(b, validators_hash(&b->set));
	h->next_validators_hash = h->validators_hash;
	h->consensus_hash = keep_hash(b, consensus_params_hash(&b->params));
	h->app_hash = wire_borrow("\xab\xcd", 2);
	h->last_results_hash = keep_hash(b, b->last_results);
	h->evidence_hash = keep_hash(b, evidence_hash(&no_evidence));
	h->proposer_address = wire_borrow(b->set.v[0].address.b, 20);
	return h;
}

/* Of the heights that only long chains have: the first transaction says "app" twice, with a key
 * that comes again every three such blocks and a creator; and it pays. */
static size_t long_events(struct app_event events[4], struct builder *b, int64_t height)
{
	struct app_event_attribute *a = make(b, 6 * sizeof *a);
	char *key = make(b, 8), *number = make(b, 24);

	snprintf(key, 8, "k%d", (int)(height / 2 % 3));
	snprintf(number, 24, "%" PRId64 ".5uaitbc", height);
	a[0] = (struct app_event_attribute){"key", key, true, NULL};
	a[1] = (struct app_event_attribute){"creator", "alice", true, NULL};
	a[2] = (struct app_event_attribute){"key", "other", true, NULL};
	a[3] = (struct app_event_attribute){"creator", "bob", true, NULL};
	a[4] = (struct app_event_attribute){"amount", number, true, NULL};
	a[5] = (struct app_event_attribute){"hidden", "yes", false, NULL};
	events[0] = (struct app_event){0, "app", a, 2};
	events[1] = (struct app_event){0, "app", a + 2, 2};
	events[2] = (struct app_event){1, "paid", a + 4, 2};
	events[3] = (struct app_event){APP_EVENT_OF_BLOCK, "app", a, 1};
	return 4;
}

static const Pb__BlockResults *results_of(struct builder *b, int64_t height, size_t tx_count)
{
	static const struct app_event_attribute attribute = {"key", "value", true, NULL};
	struct app_event events[4] = {
		{APP_EVENT_OF_BLOCK, "swept", &attribute, 1}, {0, "app", &attribute, 1}};
	size_t event_count = height > RPC_WORLD_TIP ? long_events(events, b, height) : 2;
	static const struct app_validator_update update = {.key = {{9}}, .power = 3};
	struct app_tx_result txs[2] = {
		{.data = {(const uint8_t *)"data", 4}, .gas_wanted = 5, .gas_used = 5},
		{.code = 7,
			.codespace = "settle",
			.log = "stale_sequence",
			.gas_wanted = 6,
			.gas_used = 6}};
	struct app_result result = {.txs = txs,
		.tx_count = tx_count,
		.events = tx_count > 0 ? events : NULL,
		.event_count = tx_count > 0 ? event_count : 0,
		.updates = &update,
		.update_count = tx_count > 0 ? 1 : 0};
	Pb__BlockResults *out = block_results_of(&b->arena, &result);

	assert_non_null(out);
	out->app_hash = wire_borrow("\x01\x02", 2);
	b->last_results = results_hash(out->txs_results, out->n_txs_results);
	assert_int_equal(index_put(b->index, b->batch, b->store, height, &result), STATUS_OK);
	return out;
}

static Pb__Head *head_of(struct builder *b, int64_t height)
{
	Pb__Head *head = make(b, sizeof *head);

	pb__head__init(head);
	head->height = height;
	head->base_height = 1;
	head->app_version = 1;
	head->validators = validator_set_to_pb(&b->set, &b->arena);
	head->next_validators = head->validators;
	head->last_validators = head->validators;
	head->consensus_params = &b->params;
	head->app_hash = wire_borrow("\x01\x02", 2);
	return head;
}

static void write_batch(struct builder *b, struct store_batch *batch)
{
	assert_int_equal(store_write(b->store, batch, true), STATUS_OK);
	store_batch_fini(batch);
}

static void block_add(struct builder *b, int64_t height)
{
	static ProtobufCBinaryData txs[2];
	Pb__Data data = PB__DATA__INIT;
	Pb__EvidenceList evidence = PB__EVIDENCE_LIST__INIT;
	Pb__Block block = PB__BLOCK__INIT;
	Pb__BlockMeta meta = PB__BLOCK_META__INIT;
	struct part_set parts = {0};
	struct store_batch batch;
	struct buf raw = {0};

	char *long_tx = make(b, 24);
	snprintf(long_tx, 24, "a=%" PRId64, height);
	txs[0] = height <= RPC_WORLD_TIP ? wire_borrow("a=1", 3)
					 : wire_borrow(long_tx, strlen(long_tx));
	txs[1] = wire_borrow("b=22", 4);
	data.txs = txs;
	data.n_txs = height % 2 == 0 ? 2 : 0;
	block.header = header_of(b, height, &data);
	block.data = &data;
	block.evidence = &evidence;
	block.last_commit = b->last_commit;
	block_pack(&raw, &block);
	assert_int_equal(part_set_split(&parts, buf_view(&raw)), STATUS_OK);
	b->last_id = (struct block_id){header_hash(block.header), parts.total, parts.hash};
	meta.block_id = keep_id(b, &b->last_id);
	meta.header = block.header;
	meta.block_size = (int64_t)raw.len;
	meta.num_txs = (int64_t)data.n_txs;
	b->last_commit = commit_of(b, height, &b->last_id);
	struct hash32 hashes[2] = {sha256(wire_view(txs[0])), sha256(wire_view(txs[1]))};
	store_batch_init(&batch);
	b->batch = &batch;
	struct blocks_entry entry = {.raw = buf_view(&raw),
		.meta = &meta,
		.seen_commit = b->last_commit,
		.results = results_of(b, height, data.n_txs),
		.head = head_of(b, height),
		.tx_hashes = hashes,
		.tx_count = data.n_txs};
	assert_int_equal(blocks_put(&batch, &entry), STATUS_OK);
	write_batch(b, &batch);
	part_set_fini(&parts);
	buf_fini(&raw);
}

static void chain_build(struct store *store, int64_t blocks, uint8_t validators)
{
	static Pb__Commit no_commit = PB__COMMIT__INIT;
	static Pb__ConsensusParams params = PB__CONSENSUS_PARAMS__INIT;
	struct validator_power members[VALIDATORS_MAX] = {{validator_key_of(&secret), 10}};
	struct builder b = {.store = store, .last_results = sha256(bytes_view(NULL, 0))};
	struct store_batch batch;

	arena_init(&b.arena, 1 << 20);
	b.last_commit = &no_commit;
	no_commit.block_id = keep_id(&b, &b.last_id);
	params.block_max_bytes = 4194304;
	params.block_max_gas = -1;
	params.evidence_max_age_num_blocks = 100000;
	params.evidence_max_age_ns = 172800000000000;
	params.evidence_max_bytes = 1048576;
	params.app_version = 1;
	b.params = params;
	for (uint8_t i = 1; i < validators; i++)
		members[i] = (struct validator_power){{{i}}, 10};
	assert_int_equal(validator_set_make(&b.set, members, validators), VALIDATORS_OK);
	store_batch_init(&batch);
	assert_int_equal(blocks_put_genesis(&batch, head_of(&b, 0)), STATUS_OK);
	write_batch(&b, &batch);
	b.index = index_writer_new();
	assert_non_null(b.index);
	for (int64_t height = 1; height <= blocks; height++)
		block_add(&b, height);
	index_writer_free(b.index);
	arena_fini(&b.arena);
}

/* --- the app's double
 * ---------------------------------------------------------------------------------- */

static bool starts(struct bytes tx, const char *with)
{
	return tx.len >= strlen(with) && memcmp(tx.data, with, strlen(with)) == 0;
}

static void app_info(void *self, struct app_info *out)
{
	*out = (struct app_info){
		.height = RPC_WORLD_TIP, .app_hash = {{1}}, .app_version = 1, .data = "double"};
}

static void app_check(void *self, struct bytes tx, uint64_t now_ms, struct app_check *out)
{
	assert_int_equal(now_ms, 1700000123000);
	if (starts(tx, "stale")) {
		out->verdict.code = 7;
		out->verdict.codespace = "settle";
		strcpy(out->verdict.log, "stale_sequence");
	}
}

static void app_verify(void *self, struct bytes tx, struct app_verdict *out)
{
	if (starts(tx, "forged")) {
		out->code = 3;
		out->codespace = "settle";
		strcpy(out->log, "bad_signature");
	}
}

static enum status app_query(void *self, const struct app_query *query, struct app_answer *out)
{
	static const struct bytes proof = {
		(const uint8_t *)"\x0a\x0e\x0a\x08simple:v\x12\x02kk", 16};

	if (strcmp(query->path, "/broken") == 0)
		return STATUS_CORRUPT;
	if (strcmp(query->path, "/nothing") == 0)
		return STATUS_OK;
	if (query->prove)
		buf_append_view(&out->proof_ops, proof);
	buf_append_text(&out->key, query->path);
	buf_append_view(&out->value, query->data);
	out->height = query->height;
	out->index = -1;
	return STATUS_OK;
}

static const struct app_vtable app_vtable = {
	.info = app_info, .check = app_check, .verify = app_verify, .query = app_query};

/* --- the node's double
 * --------------------------------------------------------------------------------- */

static const struct view_identity *view_identity(void *self)
{
	return &((struct rpc_world *)self)->identity;
}

static bool view_catching_up(void *self)
{
	return ((struct rpc_world *)self)->catching_up;
}

static void view_round_state(void *self, struct buf *out, bool full)
{
	buf_append_text(out, full ? "{\"full\":true}" : "{\"full\":false}");
}

static void view_peer_states(void *self, struct buf *out)
{
	buf_append_text(out, "[{\"node_address\":\"n\"}]");
}

static void view_progress(void *self, struct buf *out)
{
	buf_append_text(out, "{\"waits_for\":\"precommits\"}");
}

static void view_net_info(void *self, struct buf *out)
{
	buf_append_text(out, "{\"listening\":true}");
}

static void view_totals(void *self, size_t *count, size_t *bytes)
{
	*count = 2;
	*bytes = 7;
}

static size_t view_list(void *self, struct view_mempool_tx *out, size_t max)
{
	static const char *const txs[] = {"c=3", "d=44"};
	size_t i = 0;

	for (; i < 2 && i < max; i++)
		out[i].raw = bytes_of_text(txs[i]);
	return i;
}

static void view_submit(void *self, struct bytes tx, view_submit_done *done, void *ctx)
{
	struct rpc_world *w = self;
	struct rpc_submit *submit = &w->submits[w->submit_count];

	assert_true(w->submit_count < RPC_WORLD_SUBMITS_MAX);
	snprintf(submit->tx, sizeof submit->tx, "%.*s", (int)tx.len, tx.data);
	submit->done = done;
	submit->ctx = ctx;
	w->submit_count++;
	if (!w->defer)
		rpc_world_admit(w, w->submit_count - 1);
}

static bool view_wait(void *self, const struct hash32 *hash, uint64_t deadline_ms,
	view_include_done *done, void *ctx)
{
	struct rpc_world *w = self;

	w->wait_hash = *hash;
	w->wait_deadline_ms = deadline_ms;
	w->wait_done = done;
	w->wait_ctx = ctx;
	return !w->waits_full;
}

static void view_cancel(void *self, view_include_done *done, void *ctx)
{
	struct rpc_world *w = self;

	w->waits_cancelled++;
	if (done == w->wait_done && ctx == w->wait_ctx)
		w->wait_done = NULL;
}

static const struct view_vtable view_vtable = {.identity = view_identity,
	.catching_up = view_catching_up,
	.round_state_json = view_round_state,
	.peer_states_json = view_peer_states,
	.progress_json = view_progress,
	.net_info_json = view_net_info,
	.mempool_totals = view_totals,
	.mempool_list = view_list,
	.submit = view_submit,
	.wait_included = view_wait,
	.cancel_wait = view_cancel};

void rpc_world_admit(struct rpc_world *w, size_t n)
{
	struct rpc_submit *submit = &w->submits[n];
	struct view_submitted outcome = w->verdict;

	outcome.hash = sha256(bytes_of_text(submit->tx));
	submit->done(submit->ctx, &outcome);
}

void rpc_world_include(struct rpc_world *w, int64_t height, uint32_t index)
{
	struct view_included included = {height, index};

	assert_non_null(w->wait_done);
	w->wait_done(w->wait_ctx, &included);
}

/* --- life
 * ---------------------------------------------------------------------------------------------- */

static int64_t clock_stands_still(void *ctx)
{
	return 1700000123;
}

void rpc_world_start(struct rpc_world *w, int64_t blocks)
{
	rpc_world_start_with(w, blocks, 1);
}

void rpc_world_start_with(struct rpc_world *w, int64_t blocks, uint8_t validators)
{
	struct rpc_config config = {.unix_seconds = clock_stands_still};
	struct http_shell_config shell = {.handler = rpc_server_handle,
		.refusal = rpc_server_refusal,
		.too_large_status = 400};

	memset(w, 0, sizeof *w);
	assert_int_equal(store_mem_open(&w->store), STATUS_OK);
	chain_build(&w->store, blocks, validators);
	w->app.vtable = &app_vtable;
	w->identity = (struct view_identity){.node_id = "0123456789abcdef0123456789abcdef01234567",
		.listen_address = "tcp://127.0.0.1:26656",
		.rpc_address = "tcp://127.0.0.1:26657",
		.moniker = "node0",
		.chain_id = CHAIN_ID,
		.version = "0.38.17",
		.validator_key = validator_key_of(&secret),
		.genesis_json = genesis,
		.genesis_json_len = sizeof genesis - 1};
	struct view view = {&view_vtable, w, &w->store, &w->app};
	assert_int_equal(rpc_server_new(&w->server, &view, &config), STATUS_OK);
	shell.self = w->server;
	world_start(&w->http, &shell);
	rpc_server_attach(w->server, w->http.shell);
	peer_open(&w->peer, &w->http);
}

void rpc_world_stop(struct rpc_world *w)
{
	peer_close(&w->peer);
	world_stop(&w->http);
	rpc_server_free(w->server);
	store_close(&w->store);
}

/* --- asking
 * -------------------------------------------------------------------------------------------- */

static void send_request(struct rpc_world *w, const char *method, const char *target,
	const char *headers, const char *body, size_t body_len)
{
	struct buf b = {0};

	if (w->peer.closed) {
		peer_close(&w->peer);
		peer_open(&w->peer, &w->http);
	}
	buf_clear(&w->peer.in);
	buf_appendf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n",
		method, target, headers, body_len);
	buf_append(&b, body, body_len);
	peer_send(&w->peer, b.data, b.len);
	buf_fini(&b);
}

/* The body of a whole answer, NULL while it isn't all here. */
static const char *whole_body(struct peer *p)
{
	const char *text = peer_text(p);
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strstr(text, "Content-Length: ");
	size_t len = length && end && length < end ? strtoul(length + 16, NULL, 10) : 0;

	if (!end || p->in.len - (size_t)(end + 4 - text) < len)
		return NULL;
	return end + 4;
}

const char *rpc_answer(struct rpc_world *w, int *status)
{
	const char *body = NULL;

	for (int turn = 0; turn < 5000 && !(body = whole_body(&w->peer)) && !w->peer.closed; turn++)
		world_turn(&w->http, &w->peer);
	body = whole_body(&w->peer);
	if (!body)
		fail_msg("no whole answer: %s", peer_text(&w->peer));
	if (status)
		*status = peer_status(&w->peer);
	return body;
}

const char *rpc_headers(struct rpc_world *w)
{
	return peer_text(&w->peer);
}

const char *rpc_ask(struct rpc_world *w, const char *method, const char *target,
	const char *headers, const char *body, size_t body_len, int *status)
{
	send_request(w, method, target, headers, body, body_len);
	return rpc_answer(w, status);
}

void rpc_send(struct rpc_world *w, const char *body)
{
	send_request(w, "POST", "/", "Content-Type: application/json\r\n", body, strlen(body));
}

const char *rpc_post(struct rpc_world *w, const char *body, int *status)
{
	rpc_send(w, body);
	return rpc_answer(w, status);
}

const char *rpc_get(struct rpc_world *w, const char *target, int *status)
{
	return rpc_ask(w, "GET", target, "", "", 0, status);
}

json_t *rpc_result(struct rpc_world *w, const char *method, const char *params)
{
	char request[512];
	struct json_fault fault;

	snprintf(request, sizeof request, "{\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
		params ? params : "{}");
	const char *body = rpc_post(w, request, NULL);
	json_t *answer = json_read(bytes_of_text(body), &fault);
	if (!answer)
		fail_msg("%s: %s", fault.text, body);
	json_t *result = json_incref(json_object_get(answer, "result"));
	if (!result)
		fail_msg("%s", body);
	json_decref(answer);
	return result;
}
