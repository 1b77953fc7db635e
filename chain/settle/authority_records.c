/* The records of authority: to and from the bytes that are hashed and stored. */
#include <string.h>

#include "chain/format/validators.h"
#include "chain/format/wire.h"
#include "chain/settle/authority.h"

static struct state_key key_of(char kind)
{
	struct state_key key = {.b = {(uint8_t)kind}, .len = 1};

	return key;
}

struct state_key state_key_seats(void)
{
	return key_of('v');
}

struct state_key state_key_votes(void)
{
	return key_of('w');
}

struct state_key state_key_rules(void)
{
	return key_of('r');
}

struct state_key state_key_proposal(const struct hash32 *proposal)
{
	struct state_key key = key_of('b');

	memcpy(key.b + 1, proposal->b, sizeof proposal->b);
	key.len += sizeof proposal->b;
	return key;
}

static struct bytes pack(struct arena *arena, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = arena_alloc(arena, len);

	if (!packed)
		return bytes_view(NULL, 0);
	CHECK(protobuf_c_message_pack(message, packed) == len);
	return bytes_view(packed, len);
}

struct bytes seats_pack(struct arena *arena, const struct seats *seats)
{
	Pb__Seats record = PB__SEATS__INIT;
	Pb__Seat rows[VALIDATORS_MAX], *list[VALIDATORS_MAX];

	for (size_t i = 0; i < seats->count; i++) {
		const struct seat *seat = &seats->v[i];

		pb__seat__init(&rows[i]);
		rows[i].key = wire_borrow(seat->key.b, sizeof seat->key.b);
		rows[i].power = seat->power;
		if (seat->has_account)
			rows[i].account = wire_borrow(seat->account.b, sizeof seat->account.b);
		list[i] = &rows[i];
	}
	record.n_seats = seats->count;
	record.seats = list;
	return pack(arena, &record.base);
}

static bool seat_read(struct seat *out, const Pb__Seat *row)
{
	if (row->key.len != sizeof out->key.b || row->power < 1 ||
		row->power > VALIDATORS_POWER_MAX ||
		(row->account.len != 0 && row->account.len != sizeof out->account.b))
		return false;
	memcpy(out->key.b, row->key.data, sizeof out->key.b);
	out->address = validator_address_of(&out->key);
	out->power = row->power;
	out->has_account = row->account.len > 0;
	if (out->has_account)
		memcpy(out->account.b, row->account.data, sizeof out->account.b);
	return true;
}

bool seats_unpack(struct seats *out, struct arena *arena, struct bytes packed)
{
	const Pb__Seats *record = pb__seats__unpack(arena_protobuf(arena), packed.len, packed.data);

	memset(out, 0, sizeof *out);
	if (!record || record->n_seats == 0 || record->n_seats > VALIDATORS_MAX)
		return false;
	for (size_t i = 0; i < record->n_seats; i++) {
		struct seat *seat = &out->v[i];

		if (!seat_read(seat, record->seats[i]) ||
			seat->power > VALIDATORS_POWER_MAX - out->total_power)
			return false;
		if (i > 0 && memcmp(out->v[i - 1].address.b, seat->address.b,
				     sizeof seat->address.b) >= 0)
			return false;
		out->total_power += seat->power;
		out->count++;
	}
	return true;
}

struct bytes votes_pack(struct arena *arena, const struct open_votes *votes)
{
	Pb__OpenVotes record = PB__OPEN_VOTES__INIT;
	Pb__OpenVote rows[OPEN_VOTES_MAX], *list[OPEN_VOTES_MAX];

	for (size_t i = 0; i < votes->count; i++) {
		const struct open_vote *vote = &votes->v[i];

		pb__open_vote__init(&rows[i]);
		rows[i].proposal = wire_borrow(vote->proposal.b, sizeof vote->proposal.b);
		rows[i].account = wire_borrow(vote->account.b, sizeof vote->account.b);
		rows[i].sent_ms = vote->sent_ms;
		list[i] = &rows[i];
	}
	record.n_votes = votes->count;
	record.votes = list;
	return pack(arena, &record.base);
}

bool votes_unpack(struct open_votes *out, struct arena *arena, struct bytes packed)
{
	const Pb__OpenVotes *record =
		pb__open_votes__unpack(arena_protobuf(arena), packed.len, packed.data);

	out->count = 0;
	if (!record || record->n_votes == 0 || record->n_votes > OPEN_VOTES_MAX)
		return false;
	for (size_t i = 0; i < record->n_votes; i++) {
		const Pb__OpenVote *row = record->votes[i];
		struct open_vote *vote = &out->v[i];

		if (row->proposal.len != sizeof vote->proposal.b ||
			row->account.len != sizeof vote->account.b)
			return false;
		memcpy(vote->proposal.b, row->proposal.data, sizeof vote->proposal.b);
		memcpy(vote->account.b, row->account.data, sizeof vote->account.b);
		vote->sent_ms = row->sent_ms;
		out->count++;
	}
	return true;
}

struct bytes rules_pack(struct arena *arena, const struct rules *rules)
{
	Pb__Rules record = PB__RULES__INIT;

	record.version = rules->version;
	record.next_version = rules->next_version;
	record.next_height = rules->next_height;
	record.release = (char *)(uintptr_t)rules->release;
	return pack(arena, &record.base);
}

bool rules_unpack(struct rules *out, struct arena *arena, struct bytes packed)
{
	const Pb__Rules *record = pb__rules__unpack(arena_protobuf(arena), packed.len, packed.data);

	memset(out, 0, sizeof *out);
	if (!record || record->version == 0 || strlen(record->release) > RELEASE_BYTES_MAX ||
		(record->next_height == 0) != (record->next_version == 0))
		return false;
	out->version = record->version;
	out->next_version = record->next_version;
	out->next_height = record->next_height;
	memcpy(out->release, record->release, strlen(record->release) + 1);
	return true;
}
