#include <string.h>

#include "chain/settle/state.h"

/* ---- keys ---- */

static struct state_key key_of(char kind, const void *rest, size_t rest_len)
{
	struct state_key key;

	CHECK(rest_len < sizeof key.b);
	key.b[0] = (uint8_t)kind;
	if (rest_len > 0)
		memcpy(key.b + 1, rest, rest_len);
	key.len = 1 + rest_len;
	return key;
}

struct state_key state_key_account(const struct account_address *address)
{
	return key_of('a', address->b, sizeof address->b);
}

struct state_key state_key_coordinator(const struct account_address *owner)
{
	return key_of('c', owner->b, sizeof owner->b);
}

struct state_key state_key_escrow(const struct job_key *job)
{
	return key_of('e', job->b, job->len);
}

struct state_key state_key_job(const struct job_key *job)
{
	return key_of('j', job->b, job->len);
}

struct state_key state_key_operator(const struct validator_address *validator)
{
	return key_of('o', validator->b, sizeof validator->b);
}

struct state_key state_key_params(void)
{
	return key_of('p', NULL, 0);
}

struct state_key state_key_assignment(const struct job_key *job, uint32_t attempt)
{
	struct state_key key = key_of('s', job->b, job->len);

	key.b[key.len++] = 0;
	key.b[key.len++] = (uint8_t)(attempt >> 24);
	key.b[key.len++] = (uint8_t)(attempt >> 16);
	key.b[key.len++] = (uint8_t)(attempt >> 8);
	key.b[key.len++] = (uint8_t)attempt;
	return key;
}

struct state_key state_key_treasury(void)
{
	return key_of('t', NULL, 0);
}

struct state_key state_key_chain(void)
{
	return key_of('z', NULL, 0);
}

/* ---- accounts: three varints, read and written too often for the general road ---- */

static size_t field_pack(uint8_t *out, uint8_t tag, uint64_t value)
{
	size_t len = 0;

	if (value == 0)
		return 0;
	out[len++] = tag;
	for (; value >= 0x80; value >>= 7)
		out[len++] = (uint8_t)(value | 0x80);
	out[len++] = (uint8_t)value;
	return len;
}

size_t account_pack(uint8_t out[ACCOUNT_BYTES_MAX], const struct account *account)
{
	size_t len = field_pack(out, 1 << 3, account->balance);

	len += field_pack(out + len, 2 << 3, account->next_sequence);
	len += field_pack(out + len, 3 << 3, account->open_jobs);
	return len;
}

bool account_unpack(struct account *out, struct bytes packed)
{
	uint8_t again[ACCOUNT_BYTES_MAX];
	uint64_t *fields[4] = {NULL, &out->balance, &out->next_sequence, &out->open_jobs};
	size_t at = 0;

	memset(out, 0, sizeof *out);
	if (packed.len > ACCOUNT_BYTES_MAX)
		return false;
	while (at < packed.len) {
		unsigned field = packed.data[at++] >> 3;

		if (field < 1 || field > 3)
			return false;
		for (unsigned shift = 0; at < packed.len && shift < 64; shift += 7) {
			*fields[field] |= (uint64_t)(packed.data[at] & 0x7f) << shift;
			if (packed.data[at++] < 0x80)
				break;
		}
	}
	/* One spelling only, whatever the loop above let through. */
	return account_pack(again, out) == packed.len &&
	       (packed.len == 0 || memcmp(again, packed.data, packed.len) == 0);
}

/* ---- messages ---- */

struct bytes state_pack(struct state *state, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = arena_alloc(state->arena, len);

	if (!packed) {
		if (state->fault == STATUS_OK)
			state->fault = STATUS_NO_MEMORY;
		return bytes_view(NULL, 0);
	}
	CHECK(protobuf_c_message_pack(message, packed) == len);
	return bytes_view(packed, len);
}

static void *record_unpack(struct state *state, const struct state_key *key,
	const ProtobufCMessageDescriptor *descriptor)
{
	struct bytes packed;
	void *record;

	if (!state_get(state, key, &packed))
		return NULL;
	record = protobuf_c_message_unpack(
		descriptor, arena_protobuf(state->scratch), packed.len, packed.data);
	if (!record && state->fault == STATUS_OK)
		state->fault = state->scratch->exhausted ? STATUS_NO_MEMORY : STATUS_CORRUPT;
	return record;
}

Pb__Job *state_job(struct state *state, const struct job_key *job)
{
	struct state_key key = state_key_job(job);

	return record_unpack(state, &key, &pb__job__descriptor);
}

void state_job_put(struct state *state, const struct job_key *job, const Pb__Job *record)
{
	struct state_key key = state_key_job(job);

	state_put(state, &key, state_pack(state, &record->base));
}

Pb__Assignment *state_assignment(struct state *state, const struct job_key *job, uint32_t attempt)
{
	struct state_key key = state_key_assignment(job, attempt);

	return record_unpack(state, &key, &pb__assignment__descriptor);
}

void state_assignment_put(struct state *state, const struct job_key *job, uint32_t attempt,
	const Pb__Assignment *record)
{
	struct state_key key = state_key_assignment(job, attempt);

	state_put(state, &key, state_pack(state, &record->base));
}

void state_assignment_delete(struct state *state, const struct job_key *job, uint32_t attempt)
{
	struct state_key key = state_key_assignment(job, attempt);

	state_delete(state, &key);
}

Pb__Coordinator *state_coordinator(struct state *state, const struct account_address *owner)
{
	struct state_key key = state_key_coordinator(owner);

	return record_unpack(state, &key, &pb__coordinator__descriptor);
}

void state_coordinator_put(
	struct state *state, const struct account_address *owner, const Pb__Coordinator *record)
{
	struct state_key key = state_key_coordinator(owner);

	state_put(state, &key, state_pack(state, &record->base));
}

bool state_operator(
	struct state *state, struct account_address *out, const struct validator_address *validator)
{
	struct state_key key = state_key_operator(validator);
	struct bytes packed;

	if (!state_get(state, &key, &packed))
		return false;
	if (packed.len != sizeof out->b) {
		if (state->fault == STATUS_OK)
			state->fault = STATUS_CORRUPT;
		return false;
	}
	memcpy(out->b, packed.data, sizeof out->b);
	return true;
}
