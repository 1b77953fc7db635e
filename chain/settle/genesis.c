/* The first state, and finding the state again at open. */
#include <stdlib.h>
#include <string.h>

#include "chain/settle/jobs.h"
#include "chain/settle/machine.h"
#include "chain/settle/params.h"

/* ---- init_chain ---- */

static bool bytes20(const ProtobufCBinaryData *field)
{
	return field->len == sizeof(struct account_address);
}

static bool ascending(const ProtobufCBinaryData *before, const ProtobufCBinaryData *after)
{
	return memcmp(before->data, after->data, sizeof(struct account_address)) < 0;
}

/* The validators of the first height, and who operates them. False: the engine would refuse them.
 */
static bool genesis_seats(
	struct seats *out, const struct app_genesis *given, const Pb__AppState *genesis)
{
	if (seats_make(out, given->validators, given->validator_count) != SETTLE_OK)
		return false;
	for (size_t i = 0; i < genesis->n_operators; i++) {
		const Pb__GenesisOperator *row = genesis->operators[i];
		struct validator_address validator;
		int at;

		memcpy(validator.b, row->validator.data, sizeof validator.b);
		at = seats_find(out, &validator);
		if (at < 0)
			return false;
		out->v[at].has_account = true;
		memcpy(out->v[at].account.b, row->account.data, sizeof out->v[at].account.b);
	}
	return true;
}

/* NULL: fine; else what is wrong. */
static const char *genesis_fault(const Pb__AppState *genesis)
{
	const char *fault = genesis->params ? settle_params_fault(genesis->params) : "params";
	uint64_t supply = 0;

	if (fault)
		return fault;
	if (!bytes20(&genesis->treasury))
		return "treasury";
	for (size_t i = 0; i < genesis->n_accounts; i++) {
		const Pb__GenesisAccount *account = genesis->accounts[i];

		if (!bytes20(&account->address) || account->balance > UINT64_MAX - supply ||
			(i > 0 &&
				!ascending(&genesis->accounts[i - 1]->address, &account->address)))
			return "accounts";
		supply += account->balance;
	}
	for (size_t i = 0; i < genesis->n_operators; i++) {
		const Pb__GenesisOperator *seat = genesis->operators[i];

		if (!bytes20(&seat->validator) || !bytes20(&seat->account) ||
			(i > 0 && !ascending(
					  &genesis->operators[i - 1]->validator, &seat->validator)))
			return "operators";
	}
	for (size_t i = 0; i < genesis->n_coordinators; i++) {
		const Pb__GenesisCoordinator *coordinator = genesis->coordinators[i];
		Pb__CoordinatorSet set = PB__COORDINATOR_SET__INIT;
		Pb__Action action = PB__ACTION__INIT;

		if (!bytes20(&coordinator->owner) || !coordinator->record)
			return "coordinators";
		set.share_ppm = coordinator->record->share_ppm;
		set.n_operators = coordinator->record->n_operators;
		set.operators = coordinator->record->operators;
		for (size_t j = 0; j < set.n_operators; j++) {
			if (!bytes20(&set.operators[j]))
				return "coordinators";
		}
		action.act_case = PB__ACTION__ACT_COORDINATOR_SET;
		action.coordinator_set = &set;
		if (!action_fits(&action, genesis->params))
			return "coordinators";
	}
	return NULL;
}

static struct account_address address_in(const ProtobufCBinaryData *field)
{
	struct account_address address;

	memcpy(address.b, field->data, sizeof address.b);
	return address;
}

static void genesis_records(struct settle *settle, const Pb__AppState *genesis)
{
	struct state *work = &settle->work;
	struct state_key params = state_key_params();
	struct state_key treasury = state_key_treasury();
	struct state_key seats = state_key_seats();
	struct state_key rules = state_key_rules();

	state_put(work, &seats, seats_pack(&settle->arena, &settle->seats));
	state_put(work, &rules, rules_pack(&settle->arena, &(struct rules){.version = 1}));
	state_put(work, &params, state_pack(work, &genesis->params->base));
	state_put(work, &treasury, bytes_view(settle->treasury.b, sizeof settle->treasury.b));
	for (size_t i = 0; i < genesis->n_accounts; i++) {
		struct account_address address = address_in(&genesis->accounts[i]->address);
		struct account account = {.balance = genesis->accounts[i]->balance};

		work->totals.supply += account.balance;
		work->totals.balances += account.balance;
		state_account_put(work, &address, &account);
	}
	for (size_t i = 0; i < genesis->n_operators; i++) {
		const Pb__GenesisOperator *seat = genesis->operators[i];
		struct validator_address validator;
		struct state_key key;

		memcpy(validator.b, seat->validator.data, sizeof validator.b);
		key = state_key_operator(&validator);
		state_put(work, &key, bytes_view(seat->account.data, seat->account.len));
	}
	for (size_t i = 0; i < genesis->n_coordinators; i++) {
		struct account_address owner = address_in(&genesis->coordinators[i]->owner);

		state_coordinator_put(work, &owner, genesis->coordinators[i]->record);
	}
}

static enum status genesis_take(
	struct settle *settle, const Pb__AppState *genesis, struct store_batch *batch)
{
	const struct totals none = {0};
	enum status status;

	state_reset(&settle->work, &none, 0);
	settle->params = *genesis->params;
	settle->treasury = address_in(&genesis->treasury);
	genesis_records(settle, genesis);
	/* On record from the start, also when the supply is 0. */
	state_close_totals(&settle->work, &(struct totals){.outage_ms = UINT64_MAX});
	if (settle->work.fault != STATUS_OK)
		return settle->work.fault;
	settle->work_head.height = 0;
	settle->work_head.chain_tag = settle->config.chain_tag;
	status = work_hash(settle, &settle->work_head.app_hash);
	if (status != STATUS_OK)
		return status;
	if (!results_reset(&settle->results, 0))
		return STATUS_NO_MEMORY;
	work_put(settle, batch);
	work_adopt(settle);
	settle->started = true;
	return buf_ok(&batch->ops) ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status settle_init_chain(void *self, const struct app_genesis *genesis,
	struct store_batch *batch, struct hash32 *app_hash)
{
	struct settle *settle = self;
	Pb__AppState *state;
	const char *fault;
	enum status status = STATUS_OK;

	CHECK(settle->head.height == 0);
	if (!hash_equal(&genesis->chain_tag, &settle->config.chain_tag)) {
		log_event(settle->config.log, LOG_BROKEN, "genesis_refused fault=chain_tag");
		return STATUS_INVALID;
	}
	settle->config.heartbeat_ms = genesis->heartbeat_ms;
	settle->config.block_bytes_max = genesis->block_bytes_max;
	if (settle->started) {
		/* Stopped between the genesis and the first block: the rows are there. */
		*app_hash = settle->head.app_hash;
		return STATUS_OK;
	}
	arena_reset(&settle->arena);
	state = pb__app_state__unpack(
		arena_protobuf(&settle->arena), genesis->app_state.len, genesis->app_state.data);
	if (!state)
		return settle->arena.exhausted ? STATUS_NO_MEMORY : STATUS_INVALID;
	fault = genesis_fault(state);
	if (!fault && !genesis_seats(&settle->seats, genesis, state))
		fault = "validators";
	if (fault) {
		log_event(settle->config.log, LOG_BROKEN, "genesis_refused fault=%s", fault);
		return STATUS_INVALID;
	}
	status = genesis_take(settle, state, batch);
	*app_hash = settle->head.app_hash;
	return status;
}

/* ---- open ---- */

/* What the scan of the state family gathers, beside the tree and the queue. */
struct load {
	struct settle *settle;
	struct tree_change *changes;
	size_t change_count;
	uint64_t balances;
	uint64_t escrow;
	uint64_t open_jobs;
	uint64_t live_jobs;
	bool has_params;
	bool has_treasury;
	bool has_chain;
	bool has_seats;
	bool has_rules;
};

enum { LOAD_CHANGES_MAX = 16384 };

static bool sum(uint64_t *total, uint64_t more)
{
	if (more > UINT64_MAX - *total)
		return false;
	*total += more;
	return true;
}

static bool load_account(struct load *load, struct bytes value)
{
	struct account account;

	return account_unpack(&account, value) && sum(&load->balances, account.balance) &&
	       sum(&load->open_jobs, account.open_jobs);
}

static bool load_escrow(struct load *load, struct bytes value)
{
	Pb__Escrow *escrow =
		pb__escrow__unpack(arena_protobuf(&load->settle->arena), value.len, value.data);

	return escrow && sum(&load->escrow, escrow->amount);
}

static bool load_job(struct load *load, struct bytes key, struct bytes value)
{
	struct settle *settle = load->settle;
	Pb__Job *record = pb__job__unpack(arena_protobuf(&settle->arena), value.len, value.data);
	Pb__Assignment *assignment = NULL;
	struct job_key job;
	struct due due;

	if (!record || key.len < 23 || key.len - 1 > sizeof job.b)
		return false;
	if (job_state_is_terminal((enum job_state)record->state))
		return true;
	job.len = key.len - 1;
	memcpy(job.b, key.data + 1, job.len);
	if (record->state == PB__JOB_STATE__DELIVERED) {
		assignment = state_assignment(&settle->work, &job, record->attempt);
		if (!assignment)
			return false;
	}
	load->live_jobs++;
	due = job_due(&job, record, assignment);
	if (due_add(&settle->due, &due) != STATUS_OK)
		settle->work.fault = STATUS_NO_MEMORY;
	return true;
}

static bool load_params(struct load *load, struct bytes value)
{
	Pb__SettleParams *params = pb__settle_params__unpack(
		arena_protobuf(&load->settle->arena), value.len, value.data);

	if (!params || settle_params_fault(params))
		return false;
	load->settle->params = *params;
	load->has_params = true;
	return true;
}

static bool load_chain(struct load *load, struct bytes value)
{
	Pb__ChainState *chain = pb__chain_state__unpack(
		arena_protobuf(&load->settle->arena), value.len, value.data);
	struct totals *totals = &load->settle->totals;

	if (!chain)
		return false;
	totals->supply = chain->supply;
	totals->escrow = chain->escrow;
	totals->outage_ms = chain->outage_ms;
	totals->live_jobs = chain->live_jobs;
	load->has_chain = true;
	return true;
}

static bool load_treasury(struct load *load, struct bytes value)
{
	if (value.len != sizeof load->settle->treasury.b)
		return false;
	memcpy(load->settle->treasury.b, value.data, value.len);
	load->has_treasury = true;
	return true;
}

static bool load_authority(struct load *load, uint8_t kind, struct bytes value)
{
	load->has_seats = load->has_seats || kind == 'v';
	load->has_rules = load->has_rules || kind == 'r';
	return authority_load(load->settle, kind, value);
}

static bool load_row(struct load *load, struct bytes key, struct bytes value)
{
	if (key.len == 0)
		return false;
	switch (key.data[0]) {
	case 'a': return load_account(load, value);
	case 'b': return key.len == 1 + sizeof(struct hash32);
	case 'c': return true;
	case 'e': return load_escrow(load, value);
	case 'j': return load_job(load, key, value);
	case 'o': return value.len == sizeof(struct account_address);
	case 'p': return load_params(load, value);
	case 'r':
	case 'v':
	case 'w': return load_authority(load, key.data[0], value);
	case 's': return true;
	case 't': return load_treasury(load, value);
	case 'z': return load_chain(load, value);
	default: return false; /* a byte from disk, not an enum of ours */
	}
}

static enum status load_flush(struct load *load)
{
	enum status status = tree_update(&load->settle->tree, load->changes, load->change_count);

	if (status == STATUS_OK)
		tree_commit(&load->settle->tree);
	load->change_count = 0;
	/* What the rows were unpacked into. */
	state_reset(&load->settle->work, &(struct totals){0}, 0);
	arena_reset(&load->settle->arena);
	return status;
}

static enum status load_rows(struct load *load)
{
	struct store *store = load->settle->store;
	struct store_iterator *it = store_iterate(
		store, NULL, STORE_STATE, bytes_view(NULL, 0), bytes_view(NULL, 0), false);
	struct bytes key, value;
	enum status status;

	if (!it)
		return STATUS_NO_MEMORY;
	for (;;) {
		status = store_next(store, it, &key, &value);
		if (status != STATUS_OK)
			break;
		if (!load_row(load, key, value)) {
			status = STATUS_CORRUPT;
			break;
		}
		load->changes[load->change_count++] =
			(struct tree_change){sha256(key), tree_leaf(key, value), false};
		status = load->settle->work.fault;
		if (status == STATUS_OK && load->change_count == LOAD_CHANGES_MAX)
			status = load_flush(load);
		if (status != STATUS_OK)
			break;
	}
	store_iterator_free(store, it);
	return status == STATUS_NOT_FOUND ? load_flush(load) : status;
}

static enum status load_judge(const struct load *load)
{
	struct settle *settle = load->settle;
	struct hash32 root = tree_root(&settle->tree, TREE_TIP);
	struct hash32 app_hash = app_hash_of(&root);

	if (!load->has_params || !load->has_treasury || !load->has_chain || !load->has_seats ||
		!load->has_rules)
		return STATUS_CORRUPT;
	if (load->escrow != settle->totals.escrow || load->live_jobs != settle->totals.live_jobs ||
		load->open_jobs != load->live_jobs || load->escrow > settle->totals.supply ||
		load->balances != settle->totals.supply - load->escrow)
		return STATUS_CORRUPT;
	return hash_equal(&app_hash, &settle->head.app_hash) ? STATUS_OK : STATUS_CORRUPT;
}

enum status settle_load(struct settle *settle)
{
	struct load load = {.settle = settle};
	enum status status = settle_head_get(settle->store, NULL, &settle->head);

	if (status == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (status != STATUS_OK)
		return status;
	if (!hash_equal(&settle->head.chain_tag, &settle->config.chain_tag))
		return STATUS_INVALID;
	load.changes = calloc(LOAD_CHANGES_MAX, sizeof *load.changes);
	if (!load.changes)
		return STATUS_NO_MEMORY;
	status = load_rows(&load);
	free(load.changes);
	if (status == STATUS_OK)
		status = load_judge(&load);
	settle->totals.balances = load.balances;
	settle->started = status == STATUS_OK;
	return status;
}
