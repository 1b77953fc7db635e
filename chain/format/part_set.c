#include "chain/format/part_set.h"

#include <stdlib.h>
#include <string.h>

enum { PART_AUNTS_MAX = 10 };
_Static_assert(BLOCK_PARTS_MAX <= 1 << PART_AUNTS_MAX, "a part's proof must fit its slot");

struct part_slot {
	bool is_here;
	struct hash32 leaf;
	uint32_t aunt_count;
	struct hash32 aunts[PART_AUNTS_MAX];
};

void part_set_fini(struct part_set *set)
{
	free(set->data);
	free(set->slots);
	memset(set, 0, sizeof *set);
}

static enum status part_set_reserve(struct part_set *out, uint32_t total)
{
	memset(out, 0, sizeof *out);
	out->total = total;
	out->data = malloc((size_t)total * BLOCK_PART_BYTES);
	out->slots = calloc(total, sizeof out->slots[0]);
	if (out->data && out->slots)
		return STATUS_OK;
	part_set_fini(out);
	return STATUS_NO_MEMORY;
}

static void keep_proof(struct part_slot *slot, const struct merkle_proof *proof)
{
	CHECK(proof->aunt_count <= PART_AUNTS_MAX);
	slot->is_here = true;
	slot->leaf = proof->leaf;
	slot->aunt_count = proof->aunt_count;
	memcpy(slot->aunts, proof->aunts, proof->aunt_count * sizeof slot->aunts[0]);
}

static size_t part_len(const struct part_set *set, uint32_t index)
{
	size_t start = (size_t)index * BLOCK_PART_BYTES;

	/* Until the last part is here only the others' length is known; it is asked for no other.
	 */
	if (index + 1 < set->total)
		return BLOCK_PART_BYTES;
	return set->len - start;
}

enum status part_set_split(struct part_set *out, struct bytes block)
{
	struct hash32 leaves[BLOCK_PARTS_MAX];
	size_t total = block.len / BLOCK_PART_BYTES + (block.len % BLOCK_PART_BYTES != 0);
	enum status status;

	memset(out, 0, sizeof *out);
	if (total == 0 || total > BLOCK_PARTS_MAX)
		return STATUS_INVALID;
	status = part_set_reserve(out, (uint32_t)total);
	if (status != STATUS_OK)
		return status;
	memcpy(out->data, block.data, block.len);
	out->len = block.len;
	out->have = out->total;
	for (uint32_t i = 0; i < out->total; i++) {
		const uint8_t *part = out->data + (size_t)i * BLOCK_PART_BYTES;

		leaves[i] = merkle_leaf(bytes_view(part, part_len(out, i)));
	}
	for (uint32_t i = 0; i < out->total; i++) {
		struct merkle_proof proof;

		out->hash = merkle_prove(&proof, leaves, total, i);
		keep_proof(&out->slots[i], &proof);
	}
	return STATUS_OK;
}

enum status part_set_expect(
	struct part_set *out, uint32_t total, const struct hash32 *hash, uint32_t parts_max)
{
	enum status status;

	memset(out, 0, sizeof *out);
	if (total == 0 || total > parts_max || total > BLOCK_PARTS_MAX)
		return STATUS_INVALID;
	status = part_set_reserve(out, total);
	if (status == STATUS_OK)
		out->hash = *hash;
	return status;
}

enum part_verdict part_set_add(
	struct part_set *set, uint32_t index, struct bytes part, const struct merkle_proof *proof)
{
	bool is_last = index + 1 == set->total;
	struct hash32 leaf, root;

	if (index >= set->total || proof->index != index || proof->total != set->total)
		return PART_BAD_INDEX;
	if (set->slots[index].is_here)
		return PART_KNOWN;
	if (part.len == 0 || part.len > BLOCK_PART_BYTES ||
		(!is_last && part.len != BLOCK_PART_BYTES))
		return PART_BAD_SIZE;
	leaf = merkle_leaf(part);
	if (!hash_equal(&leaf, &proof->leaf) || !merkle_proof_root(&root, proof) ||
		!hash_equal(&root, &set->hash))
		return PART_BAD_PROOF;
	memcpy(set->data + (size_t)index * BLOCK_PART_BYTES, part.data, part.len);
	if (is_last)
		set->len = (size_t)index * BLOCK_PART_BYTES + part.len;
	keep_proof(&set->slots[index], proof);
	set->have++;
	return PART_ADDED;
}

bool part_set_has(const struct part_set *set, uint32_t index)
{
	return index < set->total && set->slots[index].is_here;
}

bool part_set_complete(const struct part_set *set)
{
	return set->total > 0 && set->have == set->total;
}

struct bytes part_set_part(const struct part_set *set, uint32_t index)
{
	CHECK(part_set_has(set, index));
	return bytes_view(set->data + (size_t)index * BLOCK_PART_BYTES, part_len(set, index));
}

void part_set_prove(struct merkle_proof *out, const struct part_set *set, uint32_t index)
{
	const struct part_slot *slot;

	CHECK(part_set_has(set, index));
	slot = &set->slots[index];
	out->total = set->total;
	out->index = index;
	out->leaf = slot->leaf;
	out->aunt_count = slot->aunt_count;
	memcpy(out->aunts, slot->aunts, slot->aunt_count * sizeof slot->aunts[0]);
}

struct bytes part_set_bytes(const struct part_set *set)
{
	CHECK(part_set_complete(set));
	return bytes_view(set->data, set->len);
}
