/* Authority and the block: its records in the working state, what time does to votes and planned
 * versions, what the engine is told, and how it all becomes the committed state. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "chain/settle/machine.h"

/* ---- the records in hand ---- */

static void unreadable(struct run *run)
{
	run_fail(run, run->state->scratch->exhausted ? STATUS_NO_MEMORY : STATUS_CORRUPT);
}

const struct seats *authority_seats(struct run *run)
{
	struct authority_work *work = &run->settle->authority;
	struct state_key key = state_key_seats();
	struct bytes packed = {NULL, 0};

	if (!state_get(run->state, &key, &packed))
		run_fail(run, STATUS_CORRUPT); /* a chain always has validators */
	if (work->seats_of == packed.data && packed.data)
		return &work->seats;
	if (!seats_unpack(&work->seats, run->state->scratch, packed))
		unreadable(run);
	work->seats_of = packed.data;
	return &work->seats;
}

void authority_put_seats(struct run *run, const struct seats *seats)
{
	struct authority_work *work = &run->settle->authority;
	struct state_key key = state_key_seats();
	struct bytes packed = seats_pack(run->state->arena, seats);

	state_put(run->state, &key, packed);
	work->seats = *seats;
	work->seats_of = packed.data;
}

struct open_votes *authority_votes(struct run *run)
{
	struct authority_work *work = &run->settle->authority;
	struct state_key key = state_key_votes();
	struct bytes packed;

	if (!state_get(run->state, &key, &packed)) {
		work->votes.count = 0;
		work->votes_of = NULL;
	} else if (work->votes_of != packed.data) {
		if (!votes_unpack(&work->votes, run->state->scratch, packed))
			unreadable(run);
		work->votes_of = packed.data;
	}
	return &work->votes;
}

void authority_put_votes(struct run *run)
{
	struct authority_work *work = &run->settle->authority;
	struct state_key key = state_key_votes();
	struct bytes packed = {NULL, 0};

	if (work->votes.count > 0) {
		packed = votes_pack(run->state->arena, &work->votes);
		state_put(run->state, &key, packed);
	} else {
		state_delete(run->state, &key);
	}
	work->votes_of = packed.data;
}

struct rules authority_rules(struct run *run)
{
	struct state_key key = state_key_rules();
	struct rules rules = run->settle->rules;
	struct bytes packed;

	/* What the block hasn't met stands as committed. */
	if (!state_find(run->state, &key))
		return rules;
	if (!state_get(run->state, &key, &packed) ||
		!rules_unpack(&rules, run->state->scratch, packed))
		unreadable(run);
	return rules;
}

void authority_put_rules(struct run *run, const struct rules *rules)
{
	struct state_key key = state_key_rules();

	state_put(run->state, &key, rules_pack(run->state->arena, rules));
}

/* ---- what time does ---- */

static void tell_lapsed(struct run *run, const struct hash32 *proposal)
{
	struct event_draft draft = {.count = 0};
	char text[2 * sizeof proposal->b + 1];

	hex_upper(text, proposal->b, sizeof proposal->b);
	draft_add_text(run->results, &draft, "proposal", bytes_of_text(text), true);
	run_event(run, &draft, "authority_lapsed");
}

void authority_drop_stale(struct run *run, const struct seats *seats)
{
	struct open_votes *votes = authority_votes(run);
	struct open_vote vote;
	bool dropped = false;

	while (votes_take_stale(votes, &vote, seats, run->job_ms)) {
		struct state_key key = state_key_proposal(&vote.proposal);

		dropped = true;
		if (votes_know(votes, &vote.proposal))
			continue;
		state_delete(run->state, &key);
		tell_lapsed(run, &vote.proposal);
	}
	if (dropped)
		authority_put_votes(run);
}

void authority_lapse(struct run *run)
{
	if (run->job_ms < run->settle->votes_lapse_ms)
		return;
	arena_reset(run->state->scratch);
	run->place = (struct settle_place){run->height, PLACE_OF_BLOCK, 0};
	authority_drop_stale(run, authority_seats(run));
}

void authority_turn(struct run *run)
{
	struct rules rules;

	arena_reset(run->state->scratch);
	rules = authority_rules(run);
	if (rules.next_height == 0 || rules.next_height > run->height + 1)
		return;
	rules.version = rules.next_version;
	rules.next_version = 0;
	rules.next_height = 0;
	authority_put_rules(run, &rules);
}

/* ---- the engine ---- */

void authority_tell_engine(struct run *run, struct app_result *out)
{
	struct app_validator_update updates[2 * VALIDATORS_MAX];
	struct state_key key = state_key_seats();
	const struct state_entry *entry = state_find(run->state, &key);

	arena_reset(run->state->scratch);
	out->app_version = authority_rules(run).version;
	if (!entry || !state_entry_changed(entry))
		return;
	out->update_count = seats_diff(updates, &run->settle->seats, authority_seats(run));
	out->updates = arena_copy(run->state->arena, updates, out->update_count * sizeof *updates);
	if (!out->updates)
		run_fail(run, STATUS_NO_MEMORY);
}

/* ---- the committed state ---- */

/* Whether the next block can be executed here, and a word to the operator while there is time. */
static void judge_rules(struct settle *settle)
{
	const struct rules *rules = &settle->rules;
	const char *release = rules->release[0] ? rules->release : "not named";

	settle->halt[0] = 0;
	if (rules->version > settle->config.rules_known)
		snprintf(settle->halt, sizeof settle->halt,
			"the next block follows rules version %" PRIu64
			", this program knows version %" PRIu64
			" at most; install the release it needs: %s",
			rules->version, settle->config.rules_known, release);
	else if (rules->next_version > settle->config.rules_known)
		log_event(settle->config.log, LOG_UNUSUAL,
			"rules_version_unknown version=%" PRIu64 " from_height=%" PRId64
			" known=%" PRIu64 " release=\"%s\"",
			rules->next_version, rules->next_height, settle->config.rules_known,
			release);
}

static bool take_params(struct settle *settle, struct arena *arena, struct bytes value)
{
	const Pb__SettleParams *params =
		pb__settle_params__unpack(arena_protobuf(arena), value.len, value.data);

	if (params)
		settle->params = *params;
	return params != NULL;
}

static bool take_votes(struct settle *settle, struct arena *arena, struct bytes value)
{
	struct open_votes votes;

	if (!votes_unpack(&votes, arena, value))
		return false;
	settle->votes_lapse_ms = votes_lapse_ms(&votes);
	return true;
}

static bool take(struct settle *settle, struct arena *arena, uint8_t kind, struct bytes value)
{
	bool taken = true;

	if (kind == 'p')
		taken = take_params(settle, arena, value);
	else if (kind == 'v')
		taken = seats_unpack(&settle->seats, arena, value);
	else if (kind == 'w')
		taken = take_votes(settle, arena, value);
	else if (kind == 'r')
		taken = rules_unpack(&settle->rules, arena, value);
	if (taken && kind == 'r')
		judge_rules(settle);
	return taken;
}

void authority_adopt(struct settle *settle, const struct state_entry *entry)
{
	arena_reset(&settle->scratch);
	if (!entry->exists && entry->key.data[0] == 'w')
		settle->votes_lapse_ms = UINT64_MAX;
	else if (entry->exists &&
		 !take(settle, &settle->scratch, entry->key.data[0], entry->value.packed))
		settle->fault = STATUS_NO_MEMORY;
}

bool authority_load(struct settle *settle, uint8_t kind, struct bytes value)
{
	return take(settle, &settle->arena, kind, value);
}
