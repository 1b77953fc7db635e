#include "replica/head.h"

#include <string.h>

#include "chain/blocks.h"
#include "chain/format/vote.h"
#include "chain/format/wire.h"

enum { HEAD_ARENA_BYTES_MAX = 1024 * 1024 };

void chain_head_of_genesis(struct chain_head *out, const struct chain_start *start,
	const struct hash32 *app_hash, uint64_t app_version)
{
	memset(out, 0, sizeof *out);
	out->height = start->initial_height - 1;
	out->time = start->time;
	out->app_hash = *app_hash;
	out->last_results_hash = sha256(bytes_view(NULL, 0));
	out->validators = start->validators;
	out->next_validators = start->validators;
	validator_set_increment(&out->next_validators, 1);
	out->base_height = start->initial_height;
	out->initial_height = start->initial_height;
	out->app_version = app_version;
	out->params = start->params;
}

static bool hash_from(struct hash32 *out, ProtobufCBinaryData data)
{
	if (data.len != sizeof out->b)
		return false;
	memcpy(out->b, data.data, sizeof out->b);
	return true;
}

static bool head_from_pb(struct chain_head *out, const Pb__Head *pb)
{
	memset(out, 0, sizeof *out);
	if (!pb->validators || !pb->next_validators || !pb->consensus_params || !pb->block_id)
		return false;
	out->height = pb->height;
	out->base_height = pb->base_height;
	out->app_version = pb->app_version;
	out->params = *pb->consensus_params;
	if (!block_id_from_pb(&out->block_id, pb->block_id) ||
		!timestamp_from_pb(&out->time, pb->time))
		return false;
	if (!hash_from(&out->app_hash, pb->app_hash) ||
		!hash_from(&out->last_results_hash, pb->last_results_hash))
		return false;
	if (!validator_set_from_pb(&out->validators, pb->validators) ||
		!validator_set_from_pb(&out->next_validators, pb->next_validators))
		return false;
	if (pb->last_validators && pb->last_validators->n_validators > 0 &&
		!validator_set_from_pb(&out->last_validators, pb->last_validators))
		return false;
	return true;
}

enum status chain_head_load(struct chain_head *out, struct store *store, int64_t initial_height)
{
	struct arena arena;
	arena_init(&arena, HEAD_ARENA_BYTES_MAX);
	const Pb__Head *pb;
	enum status status = blocks_head(store, NULL, &arena, &pb);
	if (status == STATUS_OK && !head_from_pb(out, pb))
		status = STATUS_CORRUPT;
	out->initial_height = initial_height;
	arena_fini(&arena);
	return status;
}

Pb__Head *chain_head_to_pb(const struct chain_head *head, struct arena *arena)
{
	struct {
		Pb__Head head;
		struct block_id_message block_id;
		Pb__Timestamp time;
		Pb__ConsensusParams params;
	} *m = arena_alloc(arena, sizeof *m);
	if (!m)
		return NULL;
	pb__head__init(&m->head);
	m->head.height = head->height;
	block_id_message_init(&m->block_id, &head->block_id);
	m->head.block_id = &m->block_id.pb;
	timestamp_message_init(&m->time, head->time);
	m->head.time = &m->time;
	m->head.app_hash = wire_borrow(head->app_hash.b, sizeof head->app_hash.b);
	m->head.last_results_hash =
		wire_borrow(head->last_results_hash.b, sizeof head->last_results_hash.b);
	m->head.validators = validator_set_to_pb(&head->validators, arena);
	m->head.next_validators = validator_set_to_pb(&head->next_validators, arena);
	if (head->last_validators.count > 0)
		m->head.last_validators = validator_set_to_pb(&head->last_validators, arena);
	m->head.base_height = head->base_height;
	m->head.app_version = head->app_version;
	m->params = head->params;
	m->head.consensus_params = &m->params;
	bool whole = m->head.validators && m->head.next_validators &&
		     (head->last_validators.count == 0 || m->head.last_validators);
	return whole ? &m->head : NULL;
}

void chain_head_advance(struct chain_head *head, bool *validators_ok,
	const struct block_id *block_id, struct timestamp time, const struct app_result *result,
	const struct hash32 *results_hash)
{
	head->height++;
	head->block_id = *block_id;
	head->time = time;
	head->app_hash = result->app_hash;
	head->last_results_hash = *results_hash;
	head->last_validators = head->validators;
	head->validators = head->next_validators;
	if (result->app_version != 0) {
		head->app_version = result->app_version;
		head->params.app_version = result->app_version;
	}
	*validators_ok = result->update_count <= VALIDATORS_MAX;
	if (*validators_ok && result->update_count > 0) {
		struct validator_power changes[VALIDATORS_MAX];
		for (size_t i = 0; i < result->update_count; i++) {
			changes[i].key = result->updates[i].key;
			changes[i].power = result->updates[i].power;
		}
		*validators_ok = validator_set_update(&head->next_validators, changes,
					 result->update_count) == VALIDATORS_OK;
	}
	validator_set_increment(&head->next_validators, 1);
}
