#include "chain/format/header.h"

#include <string.h>

#include "base/limits.h"
#include "base/merkle.h"
#include "chain/format/block_id.h"
#include "chain/format/vote.h"
#include "chain/format/wire.h"

static struct hash32 bytes_leaf(ProtobufCBinaryData data)
{
	Pb__BytesValue wrapper = PB__BYTES_VALUE__INIT;

	wrapper.value = data;
	return wire_leaf(&wrapper.base);
}

/* A message that is absent is an empty one. */
static struct hash32 message_leaf(const ProtobufCMessage *message)
{
	return message ? wire_leaf(message) : merkle_leaf(bytes_view(NULL, 0));
}

struct hash32 header_hash(const Pb__Header *h)
{
	Pb__StringValue chain_id = PB__STRING_VALUE__INIT;
	Pb__Int64Value height = PB__INT64_VALUE__INIT;
	struct hash32 leaves[HEADER_FIELDS];

	chain_id.value = h->chain_id;
	height.value = h->height;
	leaves[0] = message_leaf(h->version ? &h->version->base : NULL);
	leaves[1] = wire_leaf(&chain_id.base);
	leaves[2] = wire_leaf(&height.base);
	leaves[3] = message_leaf(h->time ? &h->time->base : NULL);
	leaves[4] = message_leaf(h->last_block_id ? &h->last_block_id->base : NULL);
	leaves[5] = bytes_leaf(h->last_commit_hash);
	leaves[6] = bytes_leaf(h->data_hash);
	leaves[7] = bytes_leaf(h->validators_hash);
	leaves[8] = bytes_leaf(h->next_validators_hash);
	leaves[9] = bytes_leaf(h->consensus_hash);
	leaves[10] = bytes_leaf(h->app_hash);
	leaves[11] = bytes_leaf(h->last_results_hash);
	leaves[12] = bytes_leaf(h->evidence_hash);
	leaves[13] = bytes_leaf(h->proposer_address);
	return merkle_root_in_place(leaves, HEADER_FIELDS);
}

/* False: not a hash. */
static bool is_hash(ProtobufCBinaryData data)
{
	return data.len == sizeof(struct hash32);
}

static const char *hash_at_fault(const Pb__Header *h)
{
	if (!is_hash(h->last_commit_hash))
		return "last_commit_hash";
	if (!is_hash(h->data_hash))
		return "data_hash";
	if (!is_hash(h->validators_hash))
		return "validators_hash";
	if (!is_hash(h->next_validators_hash))
		return "next_validators_hash";
	if (!is_hash(h->consensus_hash))
		return "consensus_hash";
	/* The app's own name for its state: the test machine's is short, none is longer than a
	 * hash. */
	if (h->app_hash.len > sizeof(struct hash32))
		return "app_hash";
	if (!is_hash(h->last_results_hash))
		return "last_results_hash";
	return is_hash(h->evidence_hash) ? NULL : "evidence_hash";
}

static const char *field_at_fault(const Pb__Header *h)
{
	struct timestamp time;
	struct block_id id;

	if (!h->version || h->version->block != BLOCK_PROTOCOL)
		return "version";
	if (h->chain_id[0] == 0 || strlen(h->chain_id) > CHAIN_ID_BYTES_MAX)
		return "chain_id";
	if (h->height < 1)
		return "height";
	if (!timestamp_from_pb(&time, h->time))
		return "time";
	if (!block_id_from_pb(&id, h->last_block_id))
		return "last_block_id";
	if (h->proposer_address.len != sizeof(struct validator_address))
		return "proposer_address";
	return hash_at_fault(h);
}

bool header_form_valid(const Pb__Header *header, const char **fault)
{
	const char *field = header ? field_at_fault(header) : "header";

	if (field)
		*fault = field;
	return field == NULL;
}
