/* Questions people ask with curl: answers are JSON texts of the committed state [abci_query].
 * Amounts are decimal texts, addresses bech32, hashes upper-case hex. One snapshot per question, so
 * that an answer agrees with itself. */
#include <stdio.h>
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "chain/settle/jobs.h"
#include "chain/settle/machine.h"
#include "chain/settle/params.h"
#include "chain/settle/prove.h"

enum { QUERY_ARENA_BYTES_MAX = 1024 * 1024, QUERY_HISTORY_MAX = 64 };

struct asked {
	struct settle *settle;
	const struct app_query *query;
	struct app_answer *answer;
	struct store_snapshot *snapshot;
	struct arena arena;
	struct buf *json; /* the answer's value */
	uint64_t outage_ms;
	uint64_t block_ms;  /* time of the last block; 0 before the first */
	enum status status; /* the world's faults */
};

static void refuse(struct asked *asked, enum settle_code code, const char *log)
{
	asked->answer->verdict.code = code;
	snprintf(asked->answer->verdict.log, APP_LOG_BYTES, "%s: %s", settle_code_name(code), log);
}

/* The committed record of a key, unpacked; NULL: none, or a fault. */
static void *record_of(struct asked *asked, const struct state_key *key,
	const ProtobufCMessageDescriptor *descriptor)
{
	struct buf packed = {0};
	enum status status = store_get(
		asked->settle->store, asked->snapshot, STORE_STATE, state_key_view(key), &packed);
	void *record = NULL;

	if (status == STATUS_OK) {
		record = protobuf_c_message_unpack(
			descriptor, arena_protobuf(&asked->arena), packed.len, packed.data);
		if (!record)
			asked->status = asked->arena.exhausted ? STATUS_NO_MEMORY : STATUS_CORRUPT;
	} else if (status != STATUS_NOT_FOUND) {
		asked->status = status;
	}
	buf_fini(&packed);
	return record;
}

/* ---- pieces of JSON; `,` before every member but the first ---- */

static void put_key(struct asked *asked, const char *key)
{
	if (asked->json->len > 0 && asked->json->data[asked->json->len - 1] != '{')
		buf_append_byte(asked->json, ',');
	json_put_key(asked->json, key);
}

static void put_u64(struct asked *asked, const char *key, uint64_t value)
{
	put_key(asked, key);
	json_put_u64_text(asked->json, value);
}

static void put_number(struct asked *asked, const char *key, uint64_t value)
{
	put_key(asked, key);
	json_put_u64(asked->json, value);
}

static void put_text(struct asked *asked, const char *key, const char *value)
{
	put_key(asked, key);
	json_put_text(asked->json, value);
}

static void put_hex(struct asked *asked, const char *key, const ProtobufCBinaryData *value)
{
	put_key(asked, key);
	json_put_hex_upper(asked->json, value->data, value->len);
}

static void put_address(struct asked *asked, const char *key, const void *address)
{
	struct account_address copy;
	char text[ADDRESS_TEXT_BYTES];

	memcpy(copy.b, address, sizeof copy.b);
	address_text(text, &copy);
	put_text(asked, key, text);
}

static void put_miner(struct asked *asked, const ProtobufCBinaryData *miner)
{
	struct account_key key;
	struct account_address address;

	if (miner->len != sizeof key.b)
		return;
	memcpy(key.b, miner->data, sizeof key.b);
	address = account_address_of(&key);
	put_hex(asked, "miner", miner);
	put_address(asked, "miner_address", address.b);
}

/* Deadlines live in job time; people have clocks. */
static void put_job_time(
	struct asked *asked, const char *job_key, const char *block_key, uint64_t ms)
{
	put_u64(asked, job_key, ms);
	put_u64(asked, block_key, ms + asked->outage_ms);
}

/* ---- accounts, coordinators ---- */

static bool asked_address(struct asked *asked, struct account_address *out)
{
	if (asked->query->data.len != sizeof out->b) {
		refuse(asked, SETTLE_BAD_PARAM, "data must be the 20 bytes of an address");
		return false;
	}
	memcpy(out->b, asked->query->data.data, sizeof out->b);
	return true;
}

static void answer_account(struct asked *asked)
{
	struct account_address address;
	struct state_key key;
	const Pb__Account *account;

	if (!asked_address(asked, &address))
		return;
	key = state_key_account(&address);
	account = record_of(asked, &key, &pb__account__descriptor);
	if (!account) {
		refuse(asked, SETTLE_UNKNOWN_ACCOUNT, "no account with this address");
		return;
	}
	buf_append_text(asked->json, "{");
	put_address(asked, "address", address.b);
	put_u64(asked, "balance", account->balance);
	put_u64(asked, "next_sequence", account->next_sequence);
	put_u64(asked, "open_jobs", account->open_jobs);
	buf_append_text(asked->json, "}");
}

static void answer_coordinator(struct asked *asked)
{
	struct account_address owner;
	struct state_key key;
	const Pb__Coordinator *record;

	if (!asked_address(asked, &owner))
		return;
	key = state_key_coordinator(&owner);
	record = record_of(asked, &key, &pb__coordinator__descriptor);
	if (!record) {
		refuse(asked, SETTLE_UNKNOWN_COORDINATOR, "this account is no coordinator");
		return;
	}
	buf_append_text(asked->json, "{");
	put_address(asked, "owner", owner.b);
	put_number(asked, "share_ppm", record->share_ppm);
	put_key(asked, "operators");
	buf_append_text(asked->json, "[");
	for (size_t i = 0; i < record->n_operators; i++) {
		struct account_address operator_address;
		char text[ADDRESS_TEXT_BYTES];

		if (record->operators[i].len != sizeof operator_address.b)
			continue;
		memcpy(operator_address.b, record->operators[i].data, sizeof operator_address.b);
		address_text(text, &operator_address);
		if (i > 0)
			buf_append_text(asked->json, ",");
		json_put_text(asked->json, text);
	}
	buf_append_text(asked->json, "]");
	put_text(asked, "url", record->url);
	put_key(asked, "accepts_new");
	json_put_bool(asked->json, record->accepts_new);
	buf_append_text(asked->json, "}");
}

/* ---- jobs ---- */

/* J as given: false when it is none. */
static bool asked_job(struct asked *asked, struct job_key *out)
{
	struct bytes data = asked->query->data;

	if (data.len < 22 || data.len > sizeof out->b || data.len != (size_t)21 + data.data[20] ||
		!job_id_valid(bytes_view(data.data + 21, data.len - 21))) {
		refuse(asked, SETTLE_BAD_PARAM,
			"data must be client (20 bytes) || u8 length || job id");
		return false;
	}
	memcpy(out->b, data.data, data.len);
	out->len = data.len;
	return true;
}

static void put_job_name(struct asked *asked, const struct job_key *job)
{
	put_address(asked, "client", job->b);
	put_key(asked, "job_id");
	json_put_string(asked->json, (const char *)job->b + 21, job->len - 21);
}

static void put_terms(struct asked *asked, const Pb__Job *job)
{
	if (job->coordinator.len == sizeof(struct account_address))
		put_address(asked, "coordinator", job->coordinator.data);
	put_number(asked, "coordinator_ppm", job->coordinator_ppm);
	put_text(asked, "service", job->service);
	put_hex(asked, "payload_hash", &job->payload_hash);
	put_u64(asked, "reward", job->reward);
	put_text(asked, "unit_type", job->unit_type);
	put_u64(asked, "unit_price", job->unit_price);
	put_u64(asked, "max_units_milli", job->max_units_milli);
	put_job_time(asked, "deadline_ms", "deadline_block_ms", job->deadline_ms);
	put_number(asked, "max_attempts", job->max_attempts);
	put_text(asked, "on_silence",
		job->on_silence == PB__ON_SILENCE__PAY_MINER ? "PAY_MINER" : "REFUND");
	put_u64(asked, "review_ms", job->review_ms);
	put_u64(asked, "grace_ms", job->grace_ms);
	put_u64(asked, "submit_height", (uint64_t)job->submit_height);
}

/* Whole, so that a coordinator that lost it can record it byte for byte [protocol 3]. */
static void put_delivered(struct asked *asked, const Pb__Receipt *receipt)
{
	put_key(asked, "delivered");
	buf_append_text(asked->json, "{");
	put_text(asked, "receipt_id", receipt->receipt_id);
	put_address(asked, "client", receipt->client.data);
	put_text(asked, "job_id", receipt->job_id);
	put_number(asked, "attempt", receipt->attempt);
	put_u64(asked, "submit_height", (uint64_t)receipt->submit_height);
	put_address(asked, "coordinator", receipt->coordinator.data);
	put_hex(asked, "miner", &receipt->miner);
	put_text(asked, "service", receipt->service);
	put_hex(asked, "payload_hash", &receipt->payload_hash);
	put_text(asked, "unit_type", receipt->unit_type);
	put_u64(asked, "units_milli", receipt->units_milli);
	put_u64(asked, "unit_price", receipt->unit_price);
	put_u64(asked, "amount", receipt->amount);
	put_hex(asked, "result_hash", &receipt->result_hash);
	put_u64(asked, "started_ms", receipt->started_ms);
	put_u64(asked, "completed_ms", receipt->completed_ms);
	put_hex(asked, "miner_signature", &receipt->miner_signature);
	buf_append_text(asked->json, "}");
}

static void put_assignment(struct asked *asked, const struct job_key *key, uint32_t attempt)
{
	struct state_key assignment_key = state_key_assignment(key, attempt);
	const Pb__Assignment *assignment =
		record_of(asked, &assignment_key, &pb__assignment__descriptor);

	if (!assignment)
		return;
	put_key(asked, "assignment");
	buf_append_text(asked->json, "{");
	put_miner(asked, &assignment->miner);
	put_job_time(asked, "lease_end_ms", "lease_end_block_ms", assignment->lease_end_ms);
	put_u64(asked, "assigned_block_ms", assignment->assigned_block_ms);
	if (assignment->delivered) {
		put_job_time(
			asked, "review_end_ms", "review_end_block_ms", assignment->review_end_ms);
		put_delivered(asked, assignment->delivered);
	}
	buf_append_text(asked->json, "}");
}

static void put_ending(struct asked *asked, const Pb__Job *job)
{
	if (job->receipt_hash.len > 0)
		put_hex(asked, "receipt_hash", &job->receipt_hash);
	put_u64(asked, "to_miner", job->to_miner);
	put_u64(asked, "to_coordinator", job->to_coordinator);
	put_u64(asked, "to_client", job->to_client);
	put_u64(asked, "height", (uint64_t)job->height);
}

static void put_place(struct asked *asked, const struct settle_place *place)
{
	put_u64(asked, "height", (uint64_t)place->height);
	if (place->tx != PLACE_OF_BLOCK) {
		put_number(asked, "tx", place->tx);
		put_number(asked, "action", place->action);
	}
}

static void put_history(struct asked *asked, const struct job_key *key)
{
	struct settle_change changes[QUERY_HISTORY_MAX];
	size_t count = 0;
	enum status status = settle_job_history(asked->settle->store, asked->snapshot, changes,
		QUERY_HISTORY_MAX, &count, key, NULL);

	if (status != STATUS_OK)
		asked->status = status;
	put_key(asked, "history");
	buf_append_text(asked->json, "[");
	for (size_t i = 0; i < count; i++) {
		buf_append_text(asked->json, i > 0 ? ",{" : "{");
		put_place(asked, &changes[i].place);
		put_text(asked, "state", settle_state_name(changes[i].state));
		put_text(asked, "cause", settle_cause_name(changes[i].cause));
		put_number(asked, "attempt", changes[i].attempt);
		buf_append_text(asked->json, "}");
	}
	buf_append_text(asked->json, "]");
}

static void answer_job(struct asked *asked)
{
	struct state_key record_key;
	struct job_key key;
	const Pb__Job *job;

	if (!asked_job(asked, &key))
		return;
	record_key = state_key_job(&key);
	job = record_of(asked, &record_key, &pb__job__descriptor);
	if (!job) {
		refuse(asked, SETTLE_UNKNOWN_JOB, "this client has no job of this id");
		return;
	}
	buf_append_text(asked->json, "{");
	put_job_name(asked, &key);
	put_text(asked, "state", settle_state_name((uint32_t)job->state));
	put_number(asked, "attempt", job->attempt);
	if (job_state_is_terminal((enum job_state)job->state)) {
		put_ending(asked, job);
	} else {
		put_terms(asked, job);
		put_assignment(asked, &key, job->attempt);
	}
	if (asked->block_ms > 0)
		put_job_time(
			asked, "job_time_ms", "block_time_ms", asked->block_ms - asked->outage_ms);
	put_history(asked, &key);
	buf_append_text(asked->json, "}");
}

/* ---- receipts ---- */

/* By its id, or the last one of the job J. */
static bool asked_receipt(struct asked *asked, struct receipt_id *id)
{
	struct state_key record_key;
	struct job_key key;
	const Pb__Job *job;
	char text[33];

	if (receipt_id_parse(id, asked->query->data))
		return true;
	if (!asked_job(asked, &key)) {
		refuse(asked, SETTLE_BAD_PARAM,
			"data must be a receipt id (32 hex digits) or a job's J");
		return false;
	}
	record_key = state_key_job(&key);
	job = record_of(asked, &record_key, &pb__job__descriptor);
	if (!job) {
		refuse(asked, SETTLE_UNKNOWN_JOB, "this client has no job of this id");
		return false;
	}
	receipt_id_of(text, &asked->settle->config.chain_tag, &key, job->attempt);
	CHECK(receipt_id_parse(id, bytes_of_text(text)));
	return true;
}

static void answer_receipt(struct asked *asked)
{
	struct settle_receipt_place found;
	struct receipt_id id;
	struct state_key record_key;
	const Pb__Job *job;
	enum status status;

	if (!asked_receipt(asked, &id))
		return;
	status = settle_receipt_find(asked->settle->store, asked->snapshot, &found, &id);
	if (status == STATUS_NOT_FOUND) {
		refuse(asked, SETTLE_BAD_RECEIPT, "no such receipt is on chain");
		return;
	}
	if (status != STATUS_OK) {
		asked->status = status;
		return;
	}
	record_key = state_key_job(&found.job);
	job = record_of(asked, &record_key, &pb__job__descriptor);
	buf_append_text(asked->json, "{");
	put_key(asked, "receipt_id");
	buf_append_text(asked->json, "\"");
	buf_append_hex_lower(asked->json, id.b, sizeof id.b);
	buf_append_text(asked->json, "\"");
	put_job_name(asked, &found.job);
	put_place(asked, &found.place);
	if (job) {
		put_key(asked, "job");
		buf_append_text(asked->json, "{");
		put_text(asked, "state", settle_state_name((uint32_t)job->state));
		put_number(asked, "attempt", job->attempt);
		if (job_state_is_terminal((enum job_state)job->state))
			put_ending(asked, job);
		buf_append_text(asked->json, "}");
	}
	buf_append_text(asked->json, "}");
}

/* ---- the chain ---- */

static void answer_supply(struct asked *asked)
{
	struct state_key key = state_key_chain();
	const Pb__ChainState *chain = record_of(asked, &key, &pb__chain_state__descriptor);

	if (!chain)
		return;
	buf_append_text(asked->json, "{");
	put_u64(asked, "supply", chain->supply);
	put_u64(asked, "escrow", chain->escrow);
	put_u64(asked, "balances", chain->supply - chain->escrow);
	put_u64(asked, "outage_ms", chain->outage_ms);
	put_u64(asked, "live_jobs", chain->live_jobs);
	buf_append_text(asked->json, "}");
}

static void put_params(struct asked *asked)
{
	size_t count;
	const struct settle_param *table = settle_param_table(&count);

	buf_append_text(asked->json, "{");
	for (size_t i = 0; i < count; i++)
		put_u64(asked, table[i].name, settle_param_get(&asked->settle->params, &table[i]));
	buf_append_text(asked->json, "}");
}

static void answer_chain(struct asked *asked)
{
	struct hash32 *tag = &asked->settle->config.chain_tag;

	buf_append_text(asked->json, "{");
	put_key(asked, "chain_tag");
	json_put_hex_upper(asked->json, tag->b, sizeof tag->b);
	put_u64(asked, "app_version", asked->settle->rules.version);
	put_u64(asked, "heartbeat_ms", asked->settle->config.heartbeat_ms);
	put_address(asked, "treasury", asked->settle->treasury.b);
	put_key(asked, "params");
	put_params(asked);
	buf_append_text(asked->json, "}");
}

static void answer_authority(struct asked *asked)
{
	asked->status = authority_json(
		asked->settle, asked->snapshot, &asked->arena, asked->outage_ms, asked->json);
}

/* A record as it is hashed: raw key in, raw value out. */
static void answer_raw(struct asked *asked)
{
	enum status status;

	if (asked->query->prove) {
		asked->status =
			prove_record(asked->settle, asked->snapshot, asked->query, asked->answer);
		return;
	}
	status = store_get(asked->settle->store, asked->snapshot, STORE_STATE, asked->query->data,
		asked->json);
	if (status == STATUS_NOT_FOUND)
		refuse(asked, SETTLE_BAD_PARAM, "no record has this key");
	else if (status != STATUS_OK)
		asked->status = status;
}

static const struct {
	const char *path;
	void (*answer)(struct asked *asked);
} routes[] = {
	{"/accounts", answer_account},
	{"/coordinators", answer_coordinator},
	{"/jobs", answer_job},
	{"/receipts", answer_receipt},
	{"/supply", answer_supply},
	{"/params", put_params},
	{"/chain", answer_chain},
	{"/authority", answer_authority},
	{"/store/settle/key", answer_raw},
};

static void answer_unknown(struct asked *asked)
{
	int len = snprintf(asked->answer->verdict.log, APP_LOG_BYTES, "unknown path; there are");

	for (size_t i = 0; i < sizeof routes / sizeof routes[0] && len < APP_LOG_BYTES; i++)
		len += snprintf(asked->answer->verdict.log + len, (size_t)(APP_LOG_BYTES - len),
			"%s %s", i > 0 ? "," : "", routes[i].path);
	asked->answer->verdict.code = 1;
}

static void answer_path(struct asked *asked)
{
	struct settle_head head = {0};
	struct state_key chain_key = state_key_chain();
	const Pb__ChainState *chain;

	asked->status = settle_head_get(asked->settle->store, asked->snapshot, &head);
	asked->answer->height = head.height;
	asked->block_ms = head.block_ms;
	if (asked->status == STATUS_NOT_FOUND) {
		asked->status = STATUS_OK;
		refuse(asked, SETTLE_UNKNOWN_ACCOUNT, "the chain has not begun");
		return;
	}
	chain = record_of(asked, &chain_key, &pb__chain_state__descriptor);
	if (asked->status != STATUS_OK || !chain)
		return;
	asked->outage_ms = chain->outage_ms;
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (strcmp(routes[i].path, asked->query->path) == 0) {
			routes[i].answer(asked);
			return;
		}
	}
	answer_unknown(asked);
}

enum status settle_query(void *self, const struct app_query *query, struct app_answer *out)
{
	struct settle *settle = self;
	struct asked asked = {.settle = settle, .query = query, .answer = out, .json = &out->value};

	out->verdict.codespace = "settle";
	buf_append_view(&out->key, query->data);
	asked.snapshot = store_snapshot_new(settle->store);
	if (!asked.snapshot)
		return STATUS_NO_MEMORY;
	arena_init(&asked.arena, QUERY_ARENA_BYTES_MAX);
	answer_path(&asked);
	if (out->verdict.code != SETTLE_OK)
		buf_clear(&out->value);
	arena_fini(&asked.arena);
	store_snapshot_free(settle->store, asked.snapshot);
	if (asked.status == STATUS_OK && !(buf_ok(&out->value) && buf_ok(&out->key)))
		return STATUS_NO_MEMORY;
	return asked.status;
}
