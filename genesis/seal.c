/* The one canonical packing of a document, which chain_tag is the hash of [protocol 1]. The lists
 * are sorted by the time they come here (rules.c), so the tag doesn't know the order of the file.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "genesis/genesis.h"
#include "genesis/rules.h"

static ProtobufCBinaryData data_of(const void *bytes, size_t len)
{
	/* protobuf-c's packing only reads what its type calls mutable */
	ProtobufCBinaryData data = {len, (uint8_t *)(uintptr_t)bytes};
	return data;
}

static char *text_of(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* Each fill_ function below: false when the arena ran out. */
static bool fill_accounts(Pb__AppState *state, struct arena *arena, const struct genesis *g)
{
	Pb__GenesisAccount *rows = arena_alloc(arena, (g->account_count + 1) * sizeof rows[0]);
	state->accounts = arena_alloc(arena, (g->account_count + 1) * sizeof state->accounts[0]);
	if (rows == NULL || state->accounts == NULL)
		return false;
	for (size_t i = 0; i < g->account_count; i++) {
		const struct genesis_account *from = &g->accounts[i];
		pb__genesis_account__init(&rows[i]);
		rows[i].address = data_of(&from->address, sizeof from->address);
		rows[i].balance = from->balance.uaitbc;
		state->accounts[i] = &rows[i];
	}
	state->n_accounts = g->account_count;
	return true;
}

static bool fill_operators(Pb__AppState *state, struct arena *arena, const struct genesis *g)
{
	Pb__GenesisOperator *rows = arena_alloc(arena, (g->operator_count + 1) * sizeof rows[0]);
	state->operators = arena_alloc(arena, (g->operator_count + 1) * sizeof state->operators[0]);
	if (rows == NULL || state->operators == NULL)
		return false;
	for (size_t i = 0; i < g->operator_count; i++) {
		const struct genesis_operator *from = &g->operators[i];
		pb__genesis_operator__init(&rows[i]);
		rows[i].validator = data_of(&from->validator, sizeof from->validator);
		rows[i].account = data_of(&from->account, sizeof from->account);
		state->operators[i] = &rows[i];
	}
	state->n_operators = g->operator_count;
	return true;
}

static Pb__GenesisCoordinator *coordinator_row(
	struct arena *arena, const struct genesis_coordinator *from)
{
	Pb__GenesisCoordinator *row = arena_alloc(arena, sizeof *row);
	Pb__Coordinator *record = arena_alloc(arena, sizeof *record);
	ProtobufCBinaryData *operators =
		arena_alloc(arena, COORDINATOR_OPERATORS_MAX * sizeof operators[0]);
	if (row == NULL || record == NULL || operators == NULL)
		return NULL;
	for (size_t i = 0; i < from->operator_count; i++)
		operators[i] = data_of(&from->operators[i], sizeof from->operators[i]);
	pb__coordinator__init(record);
	record->share_ppm = from->share_ppm;
	record->operators = operators;
	record->n_operators = from->operator_count;
	record->url = text_of(from->url);
	record->accepts_new = from->accepts_new;
	pb__genesis_coordinator__init(row);
	row->owner = data_of(&from->owner, sizeof from->owner);
	row->record = record;
	return row;
}

static bool fill_coordinators(Pb__AppState *state, struct arena *arena, const struct genesis *g)
{
	state->coordinators =
		arena_alloc(arena, (g->coordinator_count + 1) * sizeof state->coordinators[0]);
	if (state->coordinators == NULL)
		return false;
	for (size_t i = 0; i < g->coordinator_count; i++) {
		state->coordinators[i] = coordinator_row(arena, &g->coordinators[i]);
		if (state->coordinators[i] == NULL)
			return false;
	}
	state->n_coordinators = g->coordinator_count;
	return true;
}

/* NULL: the arena ran out. */
static Pb__AppState *settle_state(struct arena *arena, struct genesis *g)
{
	Pb__AppState *state = arena_alloc(arena, sizeof *state);
	if (state == NULL)
		return NULL;
	pb__app_state__init(state);
	state->params = &g->params;
	state->treasury = data_of(&g->treasury, sizeof g->treasury);
	bool filled = fill_accounts(state, arena, g) && fill_operators(state, arena, g) &&
		      fill_coordinators(state, arena, g);
	return filled ? state : NULL;
}

static void pack(struct buf *out, const ProtobufCMessage *message)
{
	uint8_t *at = buf_extend(out, protobuf_c_message_get_packed_size(message));
	if (at != NULL)
		protobuf_c_message_pack(message, at);
}

/* app_state NULL: another app's state isn't ours to pack, so the tag is over the rest. */
static bool compute_tag(struct genesis *g, Pb__AppState *app_state)
{
	Pb__GenesisValidator rows[VALIDATORS_MAX];
	Pb__GenesisValidator *pointers[VALIDATORS_MAX];
	for (size_t i = 0; i < g->validator_count; i++) {
		pb__genesis_validator__init(&rows[i]);
		rows[i].key = data_of(&g->validators[i].key, sizeof g->validators[i].key);
		rows[i].power = g->validators[i].power;
		pointers[i] = &rows[i];
	}
	Pb__ChainTag tag;
	pb__chain_tag__init(&tag);
	tag.chain_id = g->chain_id;
	tag.genesis_seconds = g->time.seconds;
	tag.genesis_nanos = g->time.nanos;
	tag.initial_height = g->initial_height;
	tag.validators = pointers;
	tag.n_validators = g->validator_count;
	tag.consensus_params = &g->consensus;
	tag.engine = &g->engine;
	tag.app_state = app_state;

	struct buf packed;
	buf_init(&packed, 0);
	pack(&packed, &tag.base);
	bool ok = buf_ok(&packed);
	if (ok) {
		struct bytes view = buf_view(&packed);
		g->chain_tag = hash_domain("aitbc/chain/1", &view, 1);
	}
	buf_fini(&packed);
	return ok;
}

static bool pack_settle(struct genesis *g)
{
	struct arena arena;
	arena_init(&arena, GENESIS_ARENA_BYTES_MAX);
	Pb__AppState *state = settle_state(&arena, g);
	bool ok = state != NULL;
	if (ok) {
		buf_clear(&g->app_state);
		pack(&g->app_state, &state->base);
		ok = buf_ok(&g->app_state) && compute_tag(g, state);
	}
	arena_fini(&arena);
	return ok;
}

enum status genesis_seal(struct genesis *g, struct genesis_fault *fault)
{
	if (!genesis_rules_hold(g, fault))
		return STATUS_INVALID;
	bool packed = g->app == GENESIS_APP_SETTLE ? pack_settle(g) : compute_tag(g, NULL);
	if (packed)
		return STATUS_OK;
	snprintf(fault->text, sizeof fault->text, "no memory to pack the document");
	return STATUS_NO_MEMORY;
}
