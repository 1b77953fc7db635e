/* The answer to /authority: who validates and votes, what is open, which rules hold. */
#include "base/bech32.h"
#include "base/json.h"
#include "chain/settle/machine.h"

struct telling {
	struct settle *settle;
	const struct store_snapshot *snapshot;
	struct arena *arena;
	uint64_t outage_ms;
	struct buf *json;
	struct seats seats;
	struct open_votes votes;
	struct rules rules;
};

/* The record in the arena; STATUS_NOT_FOUND: none. */
static enum status record_of(struct telling *t, struct bytes *out, const struct state_key *key)
{
	struct buf packed = {0};
	enum status status =
		store_get(t->settle->store, t->snapshot, STORE_STATE, state_key_view(key), &packed);

	if (status == STATUS_OK) {
		*out = bytes_view(arena_copy(t->arena, packed.data, packed.len), packed.len);
		if (!out->data)
			status = STATUS_NO_MEMORY;
	}
	buf_fini(&packed);
	return status;
}

static enum status read_records(struct telling *t)
{
	struct state_key seats = state_key_seats(), rules = state_key_rules(),
			 votes = state_key_votes();
	struct bytes packed;
	enum status status = record_of(t, &packed, &seats);
	bool read = true;

	if (status == STATUS_OK)
		read = seats_unpack(&t->seats, t->arena, packed);
	if (status == STATUS_OK && read)
		status = record_of(t, &packed, &rules);
	if (status == STATUS_OK && read)
		read = rules_unpack(&t->rules, t->arena, packed);
	if (status == STATUS_OK && read) {
		status = record_of(t, &packed, &votes);
		if (status == STATUS_OK)
			read = votes_unpack(&t->votes, t->arena, packed);
		if (status == STATUS_NOT_FOUND)
			status = STATUS_OK;
	}
	if (!read)
		status = t->arena->exhausted ? STATUS_NO_MEMORY : STATUS_CORRUPT;
	return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}

static void put_account(struct telling *t, const struct account_address *account)
{
	char text[ADDRESS_TEXT_BYTES];

	address_text(text, account);
	json_put_text(t->json, text);
}

static void put_rules(struct telling *t)
{
	buf_append_text(t->json, "\"rules\":{\"version\":");
	json_put_u64_text(t->json, t->rules.version);
	if (t->rules.next_height > 0) {
		buf_append_text(t->json, ",\"next_version\":");
		json_put_u64_text(t->json, t->rules.next_version);
		buf_append_text(t->json, ",\"next_height\":");
		json_put_i64_text(t->json, t->rules.next_height);
	}
	buf_append_text(t->json, ",\"release\":");
	json_put_text(t->json, t->rules.release);
	buf_append_text(t->json, "}");
}

static void put_seats(struct telling *t)
{
	buf_append_text(t->json, "\"total_power\":");
	json_put_i64_text(t->json, t->seats.total_power);
	buf_append_text(t->json, ",\"validators\":[");
	for (size_t i = 0; i < t->seats.count; i++) {
		const struct seat *seat = &t->seats.v[i];

		buf_append_text(t->json, i > 0 ? ",{\"address\":" : "{\"address\":");
		json_put_hex_upper(t->json, seat->address.b, sizeof seat->address.b);
		buf_append_text(t->json, ",\"pub_key\":");
		json_put_base64(t->json, seat->key.b, sizeof seat->key.b);
		buf_append_text(t->json, ",\"power\":");
		json_put_i64_text(t->json, seat->power);
		if (seat->has_account) {
			buf_append_text(t->json, ",\"operator\":");
			put_account(t, &seat->account);
		}
		buf_append_text(t->json, "}");
	}
	buf_append_text(t->json, "]");
}

static void put_votes_for(struct telling *t, const struct hash32 *proposal)
{
	bool first = true;

	buf_append_text(t->json, ",\"power\":");
	json_put_i64_text(t->json, votes_power(&t->votes, &t->seats, proposal));
	buf_append_text(t->json, ",\"votes\":[");
	for (size_t i = 0; i < t->votes.count; i++) {
		const struct open_vote *vote = &t->votes.v[i];

		if (!hash_equal(&vote->proposal, proposal))
			continue;
		buf_append_text(t->json, first ? "{\"operator\":" : ",{\"operator\":");
		put_account(t, &vote->account);
		buf_append_text(t->json, ",\"lapses_block_ms\":");
		json_put_u64_text(t->json, vote->sent_ms + AUTHORITY_VOTE_MS + t->outage_ms);
		buf_append_text(t->json, "}");
		first = false;
	}
	buf_append_text(t->json, "]");
}

/* An older vote is for the same proposal. */
static bool told_before(const struct telling *t, size_t vote)
{
	for (size_t i = 0; i < vote; i++) {
		if (hash_equal(&t->votes.v[i].proposal, &t->votes.v[vote].proposal))
			return true;
	}
	return false;
}

/* Each with its whole content, so that who agrees can send the same. */
static enum status put_proposals(struct telling *t)
{
	bool first = true;

	buf_append_text(t->json, "\"proposals\":[");
	for (size_t i = 0; i < t->votes.count; i++) {
		struct hash32 proposal = t->votes.v[i].proposal;
		struct state_key key = state_key_proposal(&proposal);
		struct bytes packed;
		enum status status;

		if (told_before(t, i))
			continue;
		status = record_of(t, &packed, &key);
		if (status != STATUS_OK)
			return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
		buf_append_text(t->json, first ? "{\"proposal\":" : ",{\"proposal\":");
		json_put_hex_upper(t->json, proposal.b, sizeof proposal.b);
		buf_append_text(t->json, ",\"content\":");
		json_put_base64(t->json, packed.data, packed.len);
		put_votes_for(t, &proposal);
		buf_append_text(t->json, "}");
		first = false;
	}
	buf_append_text(t->json, "]");
	return STATUS_OK;
}

enum status authority_json(struct settle *settle, const struct store_snapshot *snapshot,
	struct arena *arena, uint64_t outage_ms, struct buf *json)
{
	struct telling *t = arena_alloc(arena, sizeof *t);
	enum status status;

	if (!t)
		return STATUS_NO_MEMORY;
	t->settle = settle;
	t->snapshot = snapshot;
	t->arena = arena;
	t->outage_ms = outage_ms;
	t->json = json;
	status = read_records(t);
	if (status != STATUS_OK)
		return status;
	buf_append_text(json, "{");
	put_rules(t);
	buf_append_text(json, ",");
	put_seats(t);
	buf_append_text(json, ",");
	status = put_proposals(t);
	buf_append_text(json, "}");
	return status;
}
