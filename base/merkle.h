/* merkle: RFC 6962 trees as CometBFT builds them (comet.md 3.1): empty = SHA256(""),
 * leaf = SHA256(0x00||data), node = SHA256(0x01||L||R), split at the largest power of two < n.
 * Pure; allocates nothing. */
#ifndef BASE_MERKLE_H
#define BASE_MERKLE_H

#include "base/hash.h"

enum { MERKLE_AUNTS_MAX = 40 };

struct hash32 merkle_leaf(struct bytes data);
struct hash32 merkle_node(const struct hash32 *left, const struct hash32 *right);

/* Root over leaf hashes (merkle_leaf of each item). leaves is scratch: overwritten. */
struct hash32 merkle_root_in_place(struct hash32 *leaves, size_t count);

/* The same root from leaf hashes told one by one, without memory for all of them. */
struct merkle_builder {
	struct hash32
		roots[64]; /* [k]: root of a full tree of 2^k leaves, where bit k of count is set */
	uint64_t count;
};
void merkle_start(struct merkle_builder *b);
void merkle_add(struct merkle_builder *b, const struct hash32 *leaf);
struct hash32 merkle_end(const struct merkle_builder *b);

struct merkle_proof {
	uint64_t total;
	uint64_t index;
	struct hash32 leaf;
	uint32_t aunt_count;
	struct hash32 aunts[MERKLE_AUNTS_MAX]; /* from the leaf upwards */
};

/* Path of leaf `index` (< count). leaves are leaf hashes, untouched. Returns the root. */
struct hash32 merkle_prove(
	struct merkle_proof *out, const struct hash32 *leaves, size_t count, size_t index);

/* The root that the proof computes for its leaf; false when total, index and aunts don't fit
 * together. */
MUST_USE bool merkle_proof_root(struct hash32 *root, const struct merkle_proof *proof);

#endif
