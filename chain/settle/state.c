#include "chain/settle/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { STATE_TABLE_CAP_FIRST = 1024, CACHE_WAYS = 4 };

/* ---- accounts of the last blocks: sets of four, the newest first ---- */

struct cached_account {
	struct account_address address;
	bool used;
	struct account account;
};
struct account_cache {
	struct cached_account slots[SETTLE_ACCOUNT_CACHE_SETS][CACHE_WAYS];
};

struct account_cache *account_cache_new(void)
{
	return calloc(1, sizeof(struct account_cache));
}

void account_cache_free(struct account_cache *cache)
{
	free(cache);
}

void account_cache_clear(struct account_cache *cache)
{
	memset(cache, 0, sizeof *cache);
}

static size_t cache_set_of(const struct account_address *address)
{
	uint32_t mixed = 0;

	for (size_t i = 0; i < sizeof address->b; i++)
		mixed = (mixed ^ address->b[i]) * 16777619u;
	return (mixed ^ mixed >> 16) % SETTLE_ACCOUNT_CACHE_SETS;
}

const struct account *account_cache_find(
	const struct account_cache *cache, const struct account_address *address)
{
	const struct cached_account *set = cache->slots[cache_set_of(address)];

	for (size_t i = 0; i < CACHE_WAYS; i++) {
		if (set[i].used && account_address_equal(&set[i].address, address))
			return &set[i].account;
	}
	return NULL;
}

void account_cache_put(struct account_cache *cache, const struct account_address *address,
	const struct account *account)
{
	struct cached_account *set = cache->slots[cache_set_of(address)];
	size_t at = 0;

	while (at < CACHE_WAYS - 1 && set[at].used &&
		!account_address_equal(&set[at].address, address))
		at++;
	memmove(&set[1], &set[0], at * sizeof *set);
	set[0].address = *address;
	set[0].used = true;
	set[0].account = *account;
}

/* ---- the table of entries ---- */

enum status state_init(struct state *state, struct store *store, struct account_cache *cache,
	struct arena *arena, struct arena *scratch)
{
	memset(state, 0, sizeof *state);
	state->store = store;
	state->cache = cache;
	state->arena = arena;
	state->scratch = scratch;
	state->table = calloc(STATE_TABLE_CAP_FIRST, sizeof(struct state_entry *));
	state->table_cap = STATE_TABLE_CAP_FIRST;
	return state->table ? STATUS_OK : STATUS_NO_MEMORY;
}

void state_fini(struct state *state)
{
	free(state->table);
	free(state->undo);
	memset(state, 0, sizeof *state);
}

void state_reset(struct state *state, const struct totals *committed, uint64_t seed)
{
	memset(state->table, 0, state->table_cap * sizeof(struct state_entry *));
	state->count = 0;
	state->newest = NULL;
	memset(state->recent, 0, sizeof state->recent);
	state->undo_count = 0;
	state->totals = *committed;
	state->totals_marked = *committed;
	state->seed = seed;
	state->fault = STATUS_OK;
}

static void state_fail(struct state *state, enum status fault)
{
	if (state->fault == STATUS_OK)
		state->fault = fault;
}

/* Where this path is, or where it belongs. */
static size_t slot_of(const struct state *state, const struct hash32 *path)
{
	uint64_t mixed = state->seed;
	size_t slot;

	for (size_t i = 0; i < 8; i++)
		mixed ^= (uint64_t)path->b[i] << 8 * i;
	mixed *= 0x9e3779b97f4a7c15u;
	slot = (size_t)(mixed >> 32) & (state->table_cap - 1);
	while (state->table[slot] && !hash_equal(&state->table[slot]->path, path))
		slot = (slot + 1) & (state->table_cap - 1);
	return slot;
}

static void table_grow(struct state *state)
{
	size_t cap = state->table_cap * 2;
	struct state_entry **table = calloc(cap, sizeof(struct state_entry *));

	if (!table) {
		state_fail(state, STATUS_NO_MEMORY);
		return;
	}
	free(state->table);
	state->table = table;
	state->table_cap = cap;
	for (struct state_entry *entry = state->newest; entry; entry = entry->older)
		table[slot_of(state, &entry->path)] = entry;
}

static bool is_account(const struct state_entry *entry)
{
	return entry->key.data[0] == 'a';
}

static void entry_load_account(struct state *state, struct state_entry *entry)
{
	struct account_address address;
	const struct account *cached;
	struct buf packed = {0};
	enum status status;

	memcpy(address.b, entry->key.data + 1, sizeof address.b);
	cached = account_cache_find(state->cache, &address);
	if (cached) {
		entry->exists = true;
		entry->value.account = *cached;
		return;
	}
	status = store_get(state->store, NULL, STORE_STATE, entry->key, &packed);
	if (status == STATUS_OK) {
		entry->exists = account_unpack(&entry->value.account, buf_view(&packed));
		if (!entry->exists)
			state_fail(state, STATUS_CORRUPT);
	} else if (status != STATUS_NOT_FOUND) {
		state_fail(state, status);
	}
	buf_fini(&packed);
}

static void entry_load_packed(struct state *state, struct state_entry *entry)
{
	struct buf packed = {0};
	enum status status = store_get(state->store, NULL, STORE_STATE, entry->key, &packed);

	if (status == STATUS_OK) {
		void *copy = arena_copy(state->arena, packed.data, packed.len);

		if (!copy)
			state_fail(state, STATUS_NO_MEMORY);
		entry->exists = copy != NULL;
		entry->value.packed = bytes_view(copy, copy ? packed.len : 0);
	} else if (status != STATUS_NOT_FOUND) {
		state_fail(state, status);
	}
	buf_fini(&packed);
}

static struct state_entry *recent_entry(const struct state *state, const struct state_key *key)
{
	for (size_t i = 0; i < STATE_RECENT; i++) {
		struct state_entry *entry = state->recent[i];

		if (entry && entry->key.len == key->len &&
			memcmp(entry->key.data, key->b, key->len) == 0)
			return entry;
	}
	return NULL;
}

/* A new entry at this slot, with what is committed. NULL: no memory. */
static struct state_entry *entry_new(
	struct state *state, const struct state_key *key, const struct hash32 *path, size_t slot)
{
	struct state_entry *entry = arena_alloc(state->arena, sizeof *entry);
	void *copy = arena_copy(state->arena, key->b, key->len);

	if (!entry || !copy) {
		state_fail(state, STATUS_NO_MEMORY);
		return NULL;
	}
	entry->key = bytes_view(copy, key->len);
	entry->path = *path;
	if (is_account(entry))
		entry_load_account(state, entry);
	else
		entry_load_packed(state, entry);
	entry->exists_before = entry->exists;
	entry->before = entry->value;
	entry->older = state->newest;
	state->newest = entry;
	state->table[slot] = entry;
	state->count++;
	if (state->count * 2 > state->table_cap)
		table_grow(state);
	return entry;
}

/* NULL: no memory. */
static struct state_entry *state_entry(struct state *state, const struct state_key *key)
{
	struct state_entry *entry = recent_entry(state, key);
	struct hash32 path;
	size_t slot;

	if (entry)
		return entry;
	path = sha256(state_key_view(key));
	slot = slot_of(state, &path);
	entry = state->table[slot];
	if (!entry)
		entry = entry_new(state, key, &path, slot);
	state->recent[state->recent_next++ % STATE_RECENT] = entry;
	return entry;
}

const struct state_entry *state_find_path(const struct state *state, const struct hash32 *path)
{
	return state->table[slot_of(state, path)];
}

const struct state_entry *state_find(const struct state *state, const struct state_key *key)
{
	struct hash32 path = sha256(state_key_view(key));

	return state_find_path(state, &path);
}

/* ---- marks ---- */

void state_mark(struct state *state)
{
	state->undo_count = 0;
	state->totals_marked = state->totals;
}

void state_rollback(struct state *state)
{
	while (state->undo_count > 0) {
		const struct state_undo *undo = &state->undo[--state->undo_count];

		undo->entry->exists = undo->exists;
		undo->entry->value = undo->value;
	}
	state->totals = state->totals_marked;
}

static void entry_set(
	struct state *state, struct state_entry *entry, bool exists, const union state_value *value)
{
	if (state->undo_count == state->undo_cap) {
		size_t cap = state->undo_cap ? state->undo_cap * 2 : 256;
		struct state_undo *undo = realloc(state->undo, cap * sizeof *undo);

		if (!undo) {
			state_fail(state, STATUS_NO_MEMORY);
			return;
		}
		state->undo = undo;
		state->undo_cap = cap;
	}
	state->undo[state->undo_count++] = (struct state_undo){entry, entry->exists, entry->value};
	entry->exists = exists;
	entry->value = *value;
}

/* ---- raw records and accounts ---- */

bool state_get(struct state *state, const struct state_key *key, struct bytes *value)
{
	const struct state_entry *entry = state_entry(state, key);

	CHECK(key->b[0] != 'a');
	if (!entry || !entry->exists)
		return false;
	*value = entry->value.packed;
	return true;
}

void state_put(struct state *state, const struct state_key *key, struct bytes value)
{
	struct state_entry *entry = state_entry(state, key);

	CHECK(key->b[0] != 'a');
	if (entry)
		entry_set(state, entry, true, &(union state_value){.packed = value});
}

void state_delete(struct state *state, const struct state_key *key)
{
	struct state_entry *entry = state_entry(state, key);

	if (entry)
		entry_set(state, entry, false, &(union state_value){.packed = {NULL, 0}});
}

const struct account *state_account(struct state *state, const struct account_address *address)
{
	struct state_key key = state_key_account(address);
	const struct state_entry *entry = state_entry(state, &key);

	return entry && entry->exists ? &entry->value.account : NULL;
}

void state_account_put(
	struct state *state, const struct account_address *address, const struct account *account)
{
	struct state_key key = state_key_account(address);
	struct state_entry *entry = state_entry(state, &key);

	if (entry)
		entry_set(state, entry, true, &(union state_value){.account = *account});
}

bool state_touch(struct state *state, const struct account_address *address, uint32_t mark)
{
	struct state_key key = state_key_account(address);
	struct state_entry *entry = state_entry(state, &key);

	if (!entry || entry->touched == mark)
		return false;
	entry->touched = mark;
	return true;
}

/* ---- money ---- */

void money_credit(struct state *state, const struct account_address *to, uint64_t uaitbc)
{
	const struct account *standing;
	struct account account = {0};

	if (uaitbc == 0)
		return;
	standing = state_account(state, to);
	if (standing)
		account = *standing;
	/* All balances together fit in the supply, which is a u64; a read that failed may lie. */
	CHECK(state->fault != STATUS_OK || account.balance <= UINT64_MAX - uaitbc);
	account.balance += uaitbc;
	state->totals.balances += uaitbc;
	state_account_put(state, to, &account);
}

bool money_debit(struct state *state, const struct account_address *from, uint64_t uaitbc)
{
	const struct account *standing = state_account(state, from);
	struct account account;

	if (!standing || standing->balance < uaitbc)
		return false;
	account = *standing;
	account.balance -= uaitbc;
	state->totals.balances -= uaitbc;
	state_account_put(state, from, &account);
	return true;
}

bool money_lock(struct state *state, const struct account_address *client,
	const struct job_key *job, uint64_t uaitbc)
{
	struct state_key key = state_key_escrow(job);
	Pb__Escrow escrow = PB__ESCROW__INIT;

	if (!money_debit(state, client, uaitbc))
		return false;
	escrow.amount = uaitbc;
	state->totals.escrow += uaitbc;
	state_put(state, &key, state_pack(state, &escrow.base));
	return true;
}

uint64_t money_unlock(struct state *state, const struct job_key *job)
{
	struct state_key key = state_key_escrow(job);
	struct bytes packed;
	Pb__Escrow *escrow = NULL;

	if (state_get(state, &key, &packed))
		escrow =
			pb__escrow__unpack(arena_protobuf(state->scratch), packed.len, packed.data);
	if (!escrow || escrow->amount > state->totals.escrow) {
		/* A live job always has its escrow. */
		state_fail(state, STATUS_CORRUPT);
		return 0;
	}
	state->totals.escrow -= escrow->amount;
	state_delete(state, &key);
	return escrow->amount;
}

/* ---- the end of the block ---- */

void state_close_totals(struct state *state, const struct totals *committed)
{
	const struct totals *now = &state->totals;
	struct state_key key = state_key_chain();
	Pb__ChainState record = PB__CHAIN_STATE__INIT;

	if (now->supply == committed->supply && now->escrow == committed->escrow &&
		now->outage_ms == committed->outage_ms && now->live_jobs == committed->live_jobs)
		return;
	record.supply = now->supply;
	record.escrow = now->escrow;
	record.outage_ms = now->outage_ms;
	record.live_jobs = now->live_jobs;
	state_put(state, &key, state_pack(state, &record.base));
}

bool state_entry_changed(const struct state_entry *entry)
{
	if (entry->exists != entry->exists_before)
		return true;
	if (!entry->exists)
		return false;
	if (!is_account(entry))
		return !bytes_equal(entry->value.packed, entry->before.packed);
	return memcmp(&entry->value.account, &entry->before.account, sizeof(struct account)) != 0;
}

struct bytes state_entry_value(const struct state_entry *entry, uint8_t scratch[ACCOUNT_BYTES_MAX])
{
	if (!is_account(entry))
		return entry->value.packed;
	return bytes_view(scratch, account_pack(scratch, &entry->value.account));
}

struct bytes state_entry_before(const struct state_entry *entry, uint8_t scratch[ACCOUNT_BYTES_MAX])
{
	if (!is_account(entry))
		return entry->before.packed;
	return bytes_view(scratch, account_pack(scratch, &entry->before.account));
}
