#include "chain/format/proof.h"

#include <stdlib.h>
#include <string.h>

#include "chain/format/wire.h"

Pb__Proof *merkle_proof_to_pb(const struct merkle_proof *proof, struct arena *arena)
{
	Pb__Proof *out = arena_alloc(arena, sizeof *out);
	ProtobufCBinaryData *aunts = arena_alloc(arena, proof->aunt_count * sizeof *aunts);
	struct merkle_proof *copy = arena_copy(arena, proof, sizeof *proof);

	if (!out || !aunts || !copy)
		return NULL;
	pb__proof__init(out);
	out->total = (int64_t)proof->total;
	out->index = (int64_t)proof->index;
	out->leaf_hash = wire_borrow(copy->leaf.b, sizeof copy->leaf.b);
	out->n_aunts = proof->aunt_count;
	out->aunts = aunts;
	for (uint32_t i = 0; i < proof->aunt_count; i++)
		aunts[i] = wire_borrow(copy->aunts[i].b, sizeof copy->aunts[i].b);
	return out;
}

bool merkle_proof_from_pb(struct merkle_proof *out, const Pb__Proof *pb)
{
	memset(out, 0, sizeof *out);
	if (!pb || pb->total < 1 || pb->index < 0 || pb->index >= pb->total)
		return false;
	if (pb->leaf_hash.len != sizeof out->leaf.b || pb->n_aunts > MERKLE_AUNTS_MAX)
		return false;
	out->total = (uint64_t)pb->total;
	out->index = (uint64_t)pb->index;
	out->aunt_count = (uint32_t)pb->n_aunts;
	memcpy(out->leaf.b, pb->leaf_hash.data, sizeof out->leaf.b);
	for (size_t i = 0; i < pb->n_aunts; i++) {
		if (pb->aunts[i].len != sizeof out->aunts[i].b)
			return false;
		memcpy(out->aunts[i].b, pb->aunts[i].data, sizeof out->aunts[i].b);
	}
	return true;
}

static struct hash32 tx_leaf(struct bytes tx)
{
	struct hash32 hash = sha256(tx);

	return merkle_leaf(hash_view(&hash));
}

enum status tx_prove(
	struct merkle_proof *out, struct hash32 *root, const Pb__Data *data, size_t index)
{
	struct hash32 *leaves = malloc((data->n_txs + 1) * sizeof *leaves);

	if (!leaves)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < data->n_txs; i++)
		leaves[i] = tx_leaf(wire_view(data->txs[i]));
	*root = merkle_prove(out, leaves, data->n_txs, index);
	free(leaves);
	return STATUS_OK;
}

bool tx_proof_verify(
	const struct merkle_proof *proof, struct bytes tx, const struct hash32 *data_hash)
{
	struct hash32 leaf = tx_leaf(tx), root;

	return hash_equal(&leaf, &proof->leaf) && merkle_proof_root(&root, proof) &&
	       hash_equal(&root, data_hash);
}
