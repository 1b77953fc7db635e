#include "tests/unit/settle_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct account_secret secrets[KIT_PEOPLE];
static struct account_key keys[KIT_PEOPLE];
static struct account_address addresses[KIT_PEOPLE];

static void people(void)
{
	static bool ready;
	uint8_t seed[32] = {7};

	if (ready)
		return;
	assert_true(keys_start(seed));
	for (size_t i = 0; i < KIT_PEOPLE; i++) {
		secrets[i].b[31] = (uint8_t)(i + 1);
		assert_true(account_key_of(&keys[i], &secrets[i]));
		addresses[i] = account_address_of(&keys[i]);
	}
	ready = true;
}

const struct account_secret *kit_secret(enum kit_who who)
{
	return &secrets[who];
}

struct account_key kit_key(enum kit_who who)
{
	return keys[who];
}

struct account_address kit_address(enum kit_who who)
{
	return addresses[who];
}

struct validator_address kit_proposer(void)
{
	struct validator_key key = kit_validator(0);

	return validator_address_of(&key);
}

struct validator_key kit_validator(size_t number)
{
	struct validator_secret secret = {{0}};

	secret.seed[0] = (uint8_t)(number + 1);
	return validator_key_of(&secret);
}

enum kit_who kit_operator(size_t number)
{
	static const enum kit_who operators[] = {PROPOSER, RICH, OPERATOR, MINER};

	assert_true(number < sizeof operators / sizeof operators[0]);
	return operators[number];
}

struct job_key kit_job(enum kit_who client, const char *job_id)
{
	return job_key_of(&addresses[client], bytes_of_text(job_id));
}

static ProtobufCBinaryData field(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static int by_address(const void *a, const void *b)
{
	const Pb__GenesisAccount *const *left = a;
	const Pb__GenesisAccount *const *right = b;

	return memcmp((*left)->address.data, (*right)->address.data, 20);
}

static int by_validator(const void *a, const void *b)
{
	const Pb__GenesisOperator *const *left = a;
	const Pb__GenesisOperator *const *right = b;

	return memcmp((*left)->validator.data, (*right)->validator.data, 20);
}

static void genesis_of(struct kit *kit, struct buf *packed, size_t seat_count)
{
	Pb__AppState state = PB__APP_STATE__INIT;
	Pb__GenesisAccount accounts[KIT_PEOPLE];
	Pb__GenesisAccount *account_list[KIT_PEOPLE];
	Pb__GenesisOperator seats[KIT_SEATS];
	Pb__GenesisOperator *operators[KIT_SEATS];
	struct validator_address validators[KIT_SEATS];
	Pb__GenesisCoordinator coordinator = PB__GENESIS_COORDINATOR__INIT;
	Pb__GenesisCoordinator *coordinators[] = {&coordinator};
	Pb__Coordinator record = PB__COORDINATOR__INIT;
	ProtobufCBinaryData helpers[] = {field(addresses[OPERATOR].b, 20)};
	size_t count = 0;

	for (size_t i = 0; i < KIT_PEOPLE; i++) {
		if (i == STRANGER)
			continue;
		pb__genesis_account__init(&accounts[count]);
		accounts[count].address = field(addresses[i].b, 20);
		accounts[count].balance = 1000u * KIT_COIN;
		account_list[count] = &accounts[count];
		count++;
	}
	qsort(account_list, count, sizeof account_list[0], by_address);
	state.params = &kit->params;
	state.treasury = field(addresses[TREASURY].b, 20);
	state.accounts = account_list;
	state.n_accounts = count;
	for (size_t i = 0; i < seat_count; i++) {
		struct validator_key key = kit_validator(i);

		pb__genesis_operator__init(&seats[i]);
		validators[i] = validator_address_of(&key);
		seats[i].validator = field(validators[i].b, 20);
		seats[i].account = field(addresses[kit_operator(i)].b, 20);
		operators[i] = &seats[i];
	}
	qsort(operators, seat_count, sizeof operators[0], by_validator);
	state.operators = operators;
	state.n_operators = seat_count;
	coordinator.owner = field(addresses[COORDINATOR].b, 20);
	coordinator.record = &record;
	record.share_ppm = 50000;
	record.accepts_new = true;
	record.operators = helpers;
	record.n_operators = 1;
	record.url = (char *)(uintptr_t) "http://127.0.0.1:18000";
	state.coordinators = coordinators;
	state.n_coordinators = 1;
	assert_non_null(buf_extend(packed, pb__app_state__get_packed_size(&state)));
	pb__app_state__pack(&state, packed->data);
}

void kit_open(struct kit *kit, const Pb__SettleParams *params)
{
	static const int64_t power = 10;

	kit_open_seats(kit, params, &power, 1);
}

void kit_open_seats(
	struct kit *kit, const Pb__SettleParams *params, const int64_t *powers, size_t count)
{
	struct app_genesis genesis = {
		.initial_height = 1, .heartbeat_ms = 5000, .block_bytes_max = 4194304};
	struct hash32 app_hash;

	people();
	memset(kit, 0, sizeof *kit);
	if (params)
		kit->params = *params;
	else
		settle_params_preset(&kit->params);
	arena_init(&kit->arena, 256 * 1024 * 1024);
	store_batch_init(&kit->batch);
	kit->config.chain_tag = sha256(bytes_of_text("kit"));
	kit->config.heartbeat_ms = 5000;
	kit->config.block_bytes_max = 4194304;
	kit->fee = 100000;
	kit->time = timestamp_of_ms(KIT_START_MS);
	assert_int_equal(store_mem_open(&kit->store), STATUS_OK);
	assert_int_equal(settle_open(&kit->app, &kit->store, &kit->config), STATUS_OK);
	genesis_of(kit, &kit->app_state, count);
	for (size_t i = 0; i < count; i++)
		kit->seats[i] = (struct app_validator_update){kit_validator(i), powers[i]};
	genesis.validators = kit->seats;
	genesis.validator_count = count;
	genesis.app_state = buf_view(&kit->app_state);
	genesis.chain_tag = kit->config.chain_tag;
	genesis.time = kit->time;
	kit->genesis = genesis;
	assert_int_equal(
		kit->app.vtable->init_chain(kit->app.self, &genesis, &kit->batch, &app_hash),
		STATUS_OK);
	assert_int_equal(store_write(&kit->store, &kit->batch, true), STATUS_OK);
	kit->app.vtable->committed(kit->app.self);
}

void kit_close(struct kit *kit)
{
	kit->app.vtable->close(kit->app.self);
	store_close(&kit->store);
	store_batch_fini(&kit->batch);
	buf_fini(&kit->app_state);
	for (size_t i = 0; i < KIT_BLOCK_TXS_MAX; i++)
		buf_fini(&kit->raws[i]);
	arena_fini(&kit->arena);
}

void kit_reopen(struct kit *kit)
{
	kit->app.vtable->close(kit->app.self);
	assert_int_equal(settle_open(&kit->app, &kit->store, &kit->config), STATUS_OK);
}

/* ---- actions ---- */

static void *made(struct kit *kit, size_t len)
{
	void *memory = arena_alloc(&kit->arena, len);

	assert_non_null(memory);
	return memory;
}

static char *text_of(struct kit *kit, const char *text)
{
	char *copy = arena_text(&kit->arena, bytes_of_text(text));

	assert_non_null(copy);
	return copy;
}

#define MADE(kit, name, type, init_fn)                                                             \
	type *name = made(kit, sizeof *name);                                                      \
	init_fn(name)

static Pb__Action *action_of(struct kit *kit, Pb__Action__ActCase act_case, void *act)
{
	MADE(kit, action, Pb__Action, pb__action__init);
	action->act_case = act_case;
	action->transfer = act; /* all sides of the union are pointers */
	return action;
}

Pb__Action *kit_transfer(struct kit *kit, enum kit_who to, uint64_t amount)
{
	MADE(kit, act, Pb__Transfer, pb__transfer__init);
	act->to = field(addresses[to].b, 20);
	act->amount = amount;
	return action_of(kit, PB__ACTION__ACT_TRANSFER, act);
}

Pb__Action *kit_coordinator_set(struct kit *kit, uint32_t share_ppm, bool accepts_new)
{
	MADE(kit, act, Pb__CoordinatorSet, pb__coordinator_set__init);
	act->share_ppm = share_ppm;
	act->accepts_new = accepts_new;
	return action_of(kit, PB__ACTION__ACT_COORDINATOR_SET, act);
}

static struct hash32 payload_hash;

Pb__Action *kit_submit(struct kit *kit, const char *job_id)
{
	MADE(kit, act, Pb__SubmitJob, pb__submit_job__init);
	payload_hash = sha256(bytes_of_text("payload"));
	act->job_id = text_of(kit, job_id);
	act->coordinator = field(addresses[COORDINATOR].b, 20);
	act->coordinator_ppm = 50000;
	act->service = text_of(kit, "llm/inference");
	act->payload_hash = field(payload_hash.b, 32);
	act->reward = KIT_COIN;
	act->unit_type = text_of(kit, "second");
	act->unit_price = 20000;
	act->max_units_milli = 60000;
	act->ttl_ms = 60000;
	act->max_attempts = 3;
	act->on_silence = PB__ON_SILENCE__PAY_MINER;
	act->replicas = 1;
	return action_of(kit, PB__ACTION__ACT_SUBMIT_JOB, act);
}

Pb__Action *kit_assign(struct kit *kit, const char *job_id, uint32_t attempt, uint64_t lease_ms)
{
	MADE(kit, act, Pb__AssignJob, pb__assign_job__init);
	act->client = field(addresses[CLIENT].b, 20);
	act->job_id = text_of(kit, job_id);
	act->attempt = attempt;
	act->miner = field(keys[MINER].b, 33);
	act->lease_ms = lease_ms;
	return action_of(kit, PB__ACTION__ACT_ASSIGN_JOB, act);
}

Pb__Action *kit_renew(struct kit *kit, const char *job_id, uint32_t attempt, uint64_t lease_ms)
{
	MADE(kit, act, Pb__RenewLease, pb__renew_lease__init);
	act->client = field(addresses[CLIENT].b, 20);
	act->job_id = text_of(kit, job_id);
	act->attempt = attempt;
	act->lease_ms = lease_ms;
	return action_of(kit, PB__ACTION__ACT_RENEW_LEASE, act);
}

static ProtobufCBinaryData release_signature(
	struct kit *kit, const char *job_id, uint32_t attempt, uint8_t act)
{
	struct job_key job = kit_job(CLIENT, job_id);
	struct hash32 digest =
		release_digest(&kit->config.chain_tag, &job, attempt, &keys[MINER], act);
	struct account_signature *signature = made(kit, sizeof *signature);

	account_sign(signature, &secrets[MINER], &digest);
	return field(signature->b, 64);
}

Pb__Action *kit_release(struct kit *kit, const char *job_id, uint32_t attempt, bool signed_by_miner)
{
	MADE(kit, act, Pb__ReleaseJob, pb__release_job__init);
	act->client = field(addresses[CLIENT].b, 20);
	act->job_id = text_of(kit, job_id);
	act->attempt = attempt;
	if (signed_by_miner)
		act->miner_signature = release_signature(kit, job_id, attempt, 1);
	return action_of(kit, PB__ACTION__ACT_RELEASE_JOB, act);
}

Pb__Action *kit_fail(struct kit *kit, const char *job_id, uint32_t attempt, bool signed_by_miner)
{
	MADE(kit, act, Pb__FailJob, pb__fail_job__init);
	act->client = field(addresses[CLIENT].b, 20);
	act->job_id = text_of(kit, job_id);
	act->attempt = attempt;
	act->reason = text_of(kit, "no use");
	if (signed_by_miner)
		act->miner_signature = release_signature(kit, job_id, attempt, 2);
	return action_of(kit, PB__ACTION__ACT_FAIL_JOB, act);
}

Pb__Action *kit_cancel(struct kit *kit, const char *job_id)
{
	MADE(kit, act, Pb__CancelJob, pb__cancel_job__init);
	act->job_id = text_of(kit, job_id);
	return action_of(kit, PB__ACTION__ACT_CANCEL_JOB, act);
}

Pb__Action *kit_reject(struct kit *kit, const char *job_id, uint32_t attempt)
{
	MADE(kit, act, Pb__RejectDelivery, pb__reject_delivery__init);
	act->client = field(addresses[CLIENT].b, 20);
	act->job_id = text_of(kit, job_id);
	act->attempt = attempt;
	act->reason = text_of(kit, "not what was asked");
	return action_of(kit, PB__ACTION__ACT_REJECT_DELIVERY, act);
}

void kit_sign_receipt(struct kit *kit, Pb__Receipt *receipt)
{
	struct hash32 digest = receipt_digest(receipt, &kit->config.chain_tag);
	struct account_signature *signature = made(kit, sizeof *signature);

	account_sign(signature, &secrets[MINER], &digest);
	receipt->miner_signature = field(signature->b, 64);
}

Pb__Receipt *kit_receipt(struct kit *kit, const char *job_id, uint32_t attempt,
	int64_t submit_height, uint64_t units_milli)
{
	MADE(kit, receipt, Pb__Receipt, pb__receipt__init);
	struct job_key job = kit_job(CLIENT, job_id);
	struct hash32 *result = made(kit, sizeof *result);

	*result = sha256(bytes_of_text("result"));
	payload_hash = sha256(bytes_of_text("payload"));
	receipt->receipt_id = made(kit, 33);
	receipt_id_of(receipt->receipt_id, &kit->config.chain_tag, &job, attempt);
	receipt->client = field(addresses[CLIENT].b, 20);
	receipt->job_id = text_of(kit, job_id);
	receipt->attempt = attempt;
	receipt->submit_height = submit_height;
	receipt->coordinator = field(addresses[COORDINATOR].b, 20);
	receipt->miner = field(keys[MINER].b, 33);
	receipt->service = text_of(kit, "llm/inference");
	receipt->payload_hash = field(payload_hash.b, 32);
	receipt->unit_type = text_of(kit, "second");
	receipt->units_milli = units_milli;
	receipt->unit_price = 20000;
	receipt->amount = receipt_amount(units_milli, 60000, 20000, KIT_COIN);
	receipt->result_hash = field(result->b, 32);
	receipt->started_ms = 1;
	receipt->completed_ms = 2;
	kit_sign_receipt(kit, receipt);
	return receipt;
}

Pb__Action *kit_record(struct kit *kit, Pb__Receipt *receipt)
{
	MADE(kit, act, Pb__RecordReceipt, pb__record_receipt__init);
	act->receipt = receipt;
	return action_of(kit, PB__ACTION__ACT_RECORD_RECEIPT, act);
}

Pb__Action *kit_deliver(struct kit *kit, Pb__Receipt *receipt)
{
	MADE(kit, act, Pb__DeliverResult, pb__deliver_result__init);
	act->receipt = receipt;
	return action_of(kit, PB__ACTION__ACT_DELIVER_RESULT, act);
}

/* ---- proposals ---- */

Pb__Action *kit_propose_none(struct kit *kit)
{
	MADE(kit, act, Pb__Authority, pb__authority__init);
	MADE(kit, proposal, Pb__AuthorityProposal, pb__authority_proposal__init);
	act->proposal = proposal;
	return action_of(kit, PB__ACTION__ACT_AUTHORITY, act);
}

Pb__Action *kit_propose_validator(
	struct kit *kit, Pb__Action *action, size_t number, int64_t power, enum kit_who account)
{
	MADE(kit, change, Pb__ValidatorChange, pb__validator_change__init);
	struct validator_key *key = made(kit, sizeof *key);
	Pb__ValidatorsChange *all;

	if (!action) {
		MADE(kit, first, Pb__ValidatorsChange, pb__validators_change__init);
		first->changes = made(kit, 64 * sizeof first->changes[0]);
		action = kit_propose_none(kit);
		action->authority->proposal->change_case =
			PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS;
		action->authority->proposal->validators = first;
	}
	*key = kit_validator(number);
	change->key = field(key->b, sizeof key->b);
	change->power = power;
	if (account != KIT_PEOPLE)
		change->account = field(addresses[account].b, 20);
	all = action->authority->proposal->validators;
	all->changes[all->n_changes++] = change;
	return action;
}

Pb__Action *kit_propose_params(struct kit *kit)
{
	Pb__Action *action = kit_propose_none(kit);
	Pb__SettleParams *params = made(kit, sizeof *params);

	*params = kit->params;
	action->authority->proposal->change_case = PB__AUTHORITY_PROPOSAL__CHANGE_PARAMS;
	action->authority->proposal->params = params;
	return action;
}

Pb__Action *kit_propose_rules(struct kit *kit, uint64_t version, int64_t height)
{
	MADE(kit, change, Pb__RulesVersion, pb__rules_version__init);
	Pb__Action *action = kit_propose_none(kit);

	change->version = version;
	change->height = height;
	change->release = text_of(kit, "aitbcd 2.0");
	action->authority->proposal->change_case = PB__AUTHORITY_PROPOSAL__CHANGE_RULES;
	action->authority->proposal->rules = change;
	return action;
}

Pb__Action *kit_propose_spend(struct kit *kit, enum kit_who to, uint64_t amount)
{
	MADE(kit, change, Pb__TreasurySpend, pb__treasury_spend__init);
	Pb__Action *action = kit_propose_none(kit);

	change->to = field(addresses[to].b, 20);
	change->amount = amount;
	action->authority->proposal->change_case = PB__AUTHORITY_PROPOSAL__CHANGE_SPEND;
	action->authority->proposal->spend = change;
	return action;
}

/* ---- blocks ---- */

void kit_send_body(struct kit *kit, enum kit_who sender, Pb__TxBody *body)
{
	struct buf *raw = &kit->raws[kit->tx_count];
	struct app_tx *tx = &kit->txs[kit->tx_count];

	assert_true(kit->tx_count < KIT_BLOCK_TXS_MAX);
	buf_clear(raw);
	tx_sign(raw, body, &secrets[sender], &keys[sender], &kit->config.chain_tag);
	assert_true(buf_ok(raw));
	tx->raw = buf_view(raw);
	tx->hash = sha256(tx->raw);
	tx->verified = !kit->unverified;
	kit->tx_count++;
}

void kit_send_many(
	struct kit *kit, enum kit_who sender, Pb__Mode mode, Pb__Action **actions, size_t count)
{
	Pb__TxBody body = PB__TX_BODY__INIT;

	body.sequence = kit->sequences[sender]++;
	body.fee = kit->fee;
	body.mode = mode;
	body.actions = actions;
	body.n_actions = count;
	kit_send_body(kit, sender, &body);
}

void kit_send(struct kit *kit, enum kit_who sender, Pb__Action *action)
{
	kit_send_many(kit, sender, PB__MODE__ATOMIC, &action, 1);
}

struct app_block kit_block(struct kit *kit, uint64_t after_ms)
{
	struct app_block block = {.height = kit->height + 1};

	block.last_time = kit->time;
	block.time = timestamp_of_ms(timestamp_ms(kit->time) + (int64_t)after_ms);
	block.proposer = kit_proposer();
	block.txs = kit->txs;
	block.tx_count = kit->tx_count;
	return block;
}

void kit_commit(struct kit *kit, const struct app_block *block)
{
	store_batch_clear(&kit->batch);
	assert_int_equal(kit->app.vtable->commit(kit->app.self, &kit->batch), STATUS_OK);
	assert_int_equal(store_write(&kit->store, &kit->batch, true), STATUS_OK);
	kit->app.vtable->committed(kit->app.self);
	kit->height = block->height;
	kit->time = block->time;
	kit->tx_count = 0;
}

const struct app_result *kit_run(struct kit *kit, uint64_t after_ms)
{
	struct app_block block = kit_block(kit, after_ms);

	assert_int_equal(kit->app.vtable->finalize(kit->app.self, &block, &kit->result), STATUS_OK);
	kit_commit(kit, &block);
	return &kit->result;
}

uint32_t kit_act(struct kit *kit, enum kit_who sender, Pb__Action *action)
{
	kit_send(kit, sender, action);
	return kit_run(kit, 1)->txs[0].code;
}

/* ---- looking ---- */

uint64_t kit_balance(struct kit *kit, enum kit_who who)
{
	uint64_t next_sequence, balance;

	if (!kit->app.vtable->account(kit->app.self, &addresses[who], &next_sequence, &balance))
		return 0;
	return balance;
}

uint64_t kit_now_ms(const struct kit *kit)
{
	return (uint64_t)timestamp_ms(kit->time);
}

bool kit_record_of(struct kit *kit, const struct state_key *key, struct bytes *value)
{
	struct buf packed = {0};
	enum status status =
		store_get(&kit->store, NULL, STORE_STATE, state_key_view(key), &packed);

	if (status == STATUS_OK) {
		value->data = arena_copy(&kit->arena, packed.data, packed.len);
		value->len = packed.len;
	}
	buf_fini(&packed);
	return status == STATUS_OK;
}

uint32_t kit_job_state(struct kit *kit, const char *job_id, Pb__Job **record)
{
	struct job_key job = kit_job(CLIENT, job_id);
	struct state_key key = state_key_job(&job);
	struct bytes packed;
	Pb__Job *found;

	if (!kit_record_of(kit, &key, &packed))
		return 0;
	found = pb__job__unpack(arena_protobuf(&kit->arena), packed.len, packed.data);
	assert_non_null(found);
	if (record)
		*record = found;
	return (uint32_t)found->state;
}

struct totals kit_totals(struct kit *kit)
{
	struct state_key key = state_key_chain();
	struct totals totals = {0};
	struct bytes packed;
	Pb__ChainState *chain;

	assert_true(kit_record_of(kit, &key, &packed));
	chain = pb__chain_state__unpack(arena_protobuf(&kit->arena), packed.len, packed.data);
	assert_non_null(chain);
	totals.supply = chain->supply;
	totals.escrow = chain->escrow;
	totals.outage_ms = chain->outage_ms;
	totals.live_jobs = chain->live_jobs;
	totals.balances = chain->supply - chain->escrow;
	return totals;
}

struct hash32 kit_app_hash(struct kit *kit)
{
	struct app_info info;

	kit->app.vtable->info(kit->app.self, &info);
	return info.app_hash;
}

const char *kit_ask(struct kit *kit, const char *path, struct bytes data, uint32_t *code)
{
	struct app_query query = {.path = path, .data = data};
	struct app_answer answer;
	char *text;

	app_answer_init(&answer);
	assert_int_equal(kit->app.vtable->query(kit->app.self, &query, &answer), STATUS_OK);
	*code = answer.verdict.code;
	text = text_of(kit, *code == 0 ? buf_text(&answer.value) : answer.verdict.log);
	app_answer_fini(&answer);
	return text;
}
