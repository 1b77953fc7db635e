#include "base/merkle.h"

struct hash32 merkle_leaf(struct bytes data)
{
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, "\0", 1);
	sha256_add(&s, data.data, data.len);
	return sha256_end(&s);
}

struct hash32 merkle_node(const struct hash32 *left, const struct hash32 *right)
{
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, "\1", 1);
	sha256_add(&s, left->b, sizeof left->b);
	sha256_add(&s, right->b, sizeof right->b);
	return sha256_end(&s);
}

/* Pairing neighbours and carrying an odd last one up unchanged builds the very tree that splitting
 * at the largest power of two does: the left part of a split is always a full tree. Nothing is
 * duplicated, so no two lists of different length share a root (the flaw CVE-2012-2459 names). */
struct hash32 merkle_root_in_place(struct hash32 *leaves, size_t count)
{
	if (count == 0)
		return sha256(bytes_view(NULL, 0));
	while (count > 1) {
		size_t pairs = count / 2;

		for (size_t i = 0; i < pairs; i++)
			leaves[i] = merkle_node(&leaves[2 * i], &leaves[2 * i + 1]);
		if (count % 2 != 0)
			leaves[pairs] = leaves[count - 1];
		count = pairs + count % 2;
	}
	return leaves[0];
}

void merkle_start(struct merkle_builder *b)
{
	b->count = 0;
}

void merkle_add(struct merkle_builder *b, const struct hash32 *leaf)
{
	struct hash32 hash = *leaf;
	unsigned k = 0;

	/* Like adding one to a binary number: equal trees join and carry. */
	for (; b->count >> k & 1; k++)
		hash = merkle_node(&b->roots[k], &hash);
	b->roots[k] = hash;
	b->count++;
}

struct hash32 merkle_end(const struct merkle_builder *b)
{
	struct hash32 root;
	bool has_root = false;

	if (b->count == 0)
		return sha256(bytes_view(NULL, 0));
	for (unsigned k = 0; k < 64; k++) {
		if ((b->count >> k & 1) == 0)
			continue;
		root = has_root ? merkle_node(&b->roots[k], &root) : b->roots[k];
		has_root = true;
	}
	return root;
}

/* Largest power of two below count (>= 2). */
static uint64_t split_point(uint64_t count)
{
	uint64_t split = 1;

	while (split < count - split)
		split *= 2;
	return split;
}

/* Root of a non-empty range without scratch; its recursion is as deep as the tree. */
static struct hash32 range_root(const struct hash32 *leaves, size_t count)
{
	struct hash32 left, right;
	size_t split;

	if (count == 1)
		return leaves[0];
	split = (size_t)split_point(count);
	left = range_root(leaves, split);
	right = range_root(leaves + split, count - split);
	return merkle_node(&left, &right);
}

struct hash32 merkle_prove(
	struct merkle_proof *out, const struct hash32 *leaves, size_t count, size_t index)
{
	size_t from = 0, left = count;
	struct hash32 root;
	bool fits;

	CHECK(index < count);
	out->total = count;
	out->index = index;
	out->leaf = leaves[index];
	out->aunt_count = 0;
	while (left > 1) {
		size_t split = (size_t)split_point(left);
		struct hash32 *aunt = &out->aunts[out->aunt_count++];

		CHECK(out->aunt_count <= MERKLE_AUNTS_MAX);
		if (index - from < split) {
			*aunt = range_root(leaves + from + split, left - split);
			left = split;
		} else {
			*aunt = range_root(leaves + from, split);
			from += split;
			left -= split;
		}
	}
	/* Gathered from the root down, told from the leaf up. */
	for (uint32_t i = 0; i < out->aunt_count / 2; i++) {
		struct hash32 swap = out->aunts[i];

		out->aunts[i] = out->aunts[out->aunt_count - 1 - i];
		out->aunts[out->aunt_count - 1 - i] = swap;
	}
	fits = merkle_proof_root(&root, out);
	CHECK(fits);
	return root;
}

bool merkle_proof_root(struct hash32 *root, const struct merkle_proof *proof)
{
	bool goes_right[MERKLE_AUNTS_MAX];
	uint64_t index = proof->index, left = proof->total;
	uint32_t depth = 0;
	struct hash32 hash = proof->leaf;

	if (index >= left || proof->aunt_count > MERKLE_AUNTS_MAX)
		return false;
	for (; left > 1; depth++) {
		uint64_t split = split_point(left);

		if (depth == proof->aunt_count)
			return false;
		goes_right[depth] = index >= split;
		index -= goes_right[depth] ? split : 0;
		left = goes_right[depth] ? left - split : split;
	}
	if (depth != proof->aunt_count)
		return false;
	for (uint32_t i = 0; i < depth; i++) {
		const struct hash32 *aunt = &proof->aunts[i];

		hash = goes_right[depth - 1 - i] ? merkle_node(aunt, &hash)
						 : merkle_node(&hash, aunt);
	}
	*root = hash;
	return true;
}
