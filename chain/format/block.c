#include "chain/format/block.h"

#include "base/limits.h"
#include "base/merkle.h"
#include "chain/format/wire.h"

struct hash32 data_hash(const Pb__Data *data)
{
	struct merkle_builder tree;

	merkle_start(&tree);
	for (size_t i = 0; i < data->n_txs; i++) {
		struct hash32 hash = sha256(wire_view(data->txs[i]));
		struct hash32 leaf = merkle_leaf(hash_view(&hash));

		merkle_add(&tree, &leaf);
	}
	return merkle_end(&tree);
}

struct hash32 evidence_hash(const Pb__EvidenceList *list)
{
	struct merkle_builder tree;

	merkle_start(&tree);
	for (size_t i = 0; i < list->n_evidence; i++) {
		const Pb__Evidence *evidence = list->evidence[i];
		struct hash32 leaf;

		CHECK(evidence->sum_case == PB__EVIDENCE__SUM_DUPLICATE_VOTE_EVIDENCE);
		leaf = wire_leaf(&evidence->duplicate_vote_evidence->base);
		merkle_add(&tree, &leaf);
	}
	return merkle_end(&tree);
}

struct hash32 result_leaf(const Pb__ExecTxResult *result)
{
	Pb__ExecTxResult hashed = PB__EXEC_TX_RESULT__INIT;

	hashed.code = result->code;
	hashed.data = result->data;
	hashed.gas_wanted = result->gas_wanted;
	hashed.gas_used = result->gas_used;
	return wire_leaf(&hashed.base);
}

struct hash32 results_hash(Pb__ExecTxResult *const *results, size_t count)
{
	struct merkle_builder tree;

	merkle_start(&tree);
	for (size_t i = 0; i < count; i++) {
		struct hash32 leaf = result_leaf(results[i]);

		merkle_add(&tree, &leaf);
	}
	return merkle_end(&tree);
}

struct hash32 consensus_params_hash(const Pb__ConsensusParams *params)
{
	Pb__HashedParams hashed = PB__HASHED_PARAMS__INIT;

	hashed.block_max_bytes = params->block_max_bytes;
	hashed.block_max_gas = params->block_max_gas;
	return wire_sha256(&hashed.base);
}

void block_pack(struct buf *out, const Pb__Block *block)
{
	wire_append(out, &block->base);
}

/* ---- blocks that somebody else made ---- */

static bool hash_is(ProtobufCBinaryData data, struct hash32 hash)
{
	return bytes_equal(wire_view(data), hash_view(&hash));
}

static const char *evidence_at_fault(const Pb__EvidenceList *list)
{
	for (size_t i = 0; i < list->n_evidence; i++) {
		const Pb__DuplicateVoteEvidence *evidence;
		struct timestamp time;
		struct vote vote;

		if (list->evidence[i]->sum_case != PB__EVIDENCE__SUM_DUPLICATE_VOTE_EVIDENCE)
			return "evidence";
		evidence = list->evidence[i]->duplicate_vote_evidence;
		if (!evidence->vote_a || !vote_from_pb(&vote, evidence->vote_a))
			return "evidence vote_a";
		if (!evidence->vote_b || !vote_from_pb(&vote, evidence->vote_b))
			return "evidence vote_b";
		if (!timestamp_from_pb(&time, evidence->timestamp))
			return "evidence timestamp";
	}
	return NULL;
}

/* last_commit_hash covers the signatures alone; the header tells the rest, but for the round, which
 * only the signatures tell. */
static bool commit_fits_header(const Pb__Commit *commit, const Pb__Header *header)
{
	struct block_id committed, parent;

	if (commit->height != 0 && commit->height != header->height - 1)
		return false;
	return block_id_from_pb(&committed, commit->block_id) &&
	       block_id_from_pb(&parent, header->last_block_id) &&
	       block_id_equal(&committed, &parent);
}

/* Every message present and in shape, and the header's three content hashes true. */
static const char *content_at_fault(const Pb__Block *block)
{
	const char *fault = NULL;

	if (!header_form_valid(block->header, &fault))
		return fault;
	if (!block->data)
		return "data";
	if (!block->evidence)
		return "evidence";
	if (!commit_form_valid(block->last_commit) ||
		!commit_fits_header(block->last_commit, block->header))
		return "last_commit";
	fault = evidence_at_fault(block->evidence);
	if (fault)
		return fault;
	if (!hash_is(block->header->last_commit_hash, commit_hash(block->last_commit)))
		return "last_commit_hash";
	if (!hash_is(block->header->data_hash, data_hash(block->data)))
		return "data_hash";
	if (!hash_is(block->header->evidence_hash, evidence_hash(block->evidence)))
		return "evidence_hash";
	return NULL;
}

const Pb__Block *block_decode(struct arena *arena, enum status *local, const char **fault,
	struct bytes raw, size_t txs_max)
{
	const struct wire_bound bounds[] = {
		{&pb__data__descriptor, 1 /* txs */, txs_max},
		{&pb__evidence_list__descriptor, 1 /* evidence */, EVIDENCE_PER_BLOCK_MAX},
		{&pb__commit__descriptor, 4 /* signatures */, VALIDATORS_MAX},
	};
	Pb__Block *block;

	*local = STATUS_OK;
	*fault = "encoding";
	if (wire_check(&pb__block__descriptor, raw, bounds, sizeof bounds / sizeof bounds[0],
		    fault) != WIRE_OK)
		return NULL;
	block = pb__block__unpack(arena_protobuf(arena), raw.len, raw.data);
	if (!block && arena->exhausted)
		*local = STATUS_NO_MEMORY;
	if (!block)
		return NULL;
	*fault = "encoding";
	if (!wire_is_packing_of(&block->base, raw))
		return NULL;
	*fault = content_at_fault(block);
	return *fault ? NULL : block;
}
