/* tree: the state tree, whose root every block commits to [protocol 5].
 * A path-compressed binary Merkle trie over SHA256(key): a leaf hangs where its path first differs
 * from every other, an inner node always has two children. leaf = SHA256(0x00 || uvarint len || key
 * || 0x20 || SHA256(value)), inner = SHA256(0x01 || left || right), the empty tree = SHA256("") (as
 * RFC 6962). The shape depends on the set of keys alone, never on the order in which they came.
 * Nodes are never changed, only replaced: the last two committed versions and the one in work share
 * what they have in common, so the committed ones may be walked by one thread while another makes
 * the one in work; tree_commit lets neither run beside it. Owned by settle. Holds 72 bytes per leaf
 * and per inner node. Never reads the store; it is rebuilt at open. Fails only for want of memory.
 */
#ifndef CHAIN_SETTLE_TREE_H
#define CHAIN_SETTLE_TREE_H

#include "base/hash.h"
#include "base/status.h"

enum { TREE_DEPTH_MAX = 256 };

struct tree_node;

/* Which root: of the last committed version, the one before it, or the one in work. */
enum tree_version { TREE_WORK, TREE_TIP, TREE_BEFORE, TREE_VERSIONS };

struct tree_list {
	uint32_t *nodes;
	size_t count;
	size_t cap;
};

struct tree {
	struct tree_node **chunks;
	size_t chunk_count;
	uint32_t free_first; /* 0: none */
	uint32_t used;       /* nodes ever handed out, 0 is nobody's number */
	uint32_t roots[TREE_VERSIONS];
	struct tree_list made;        /* by the version in work: freed when it is given up */
	struct tree_list dropped;     /* by the version in work: freed two commits later */
	struct tree_list tip_dropped; /* reachable from TREE_BEFORE only */
	bool failed;
};

/* One changed key: its new leaf, or none. */
struct tree_change {
	struct hash32 path; /* SHA256(key) */
	struct hash32 leaf; /* tree_leaf; unused when removed */
	bool removed;
};

void tree_init(struct tree *tree);
void tree_fini(struct tree *tree);

struct hash32 tree_leaf(struct bytes key, struct bytes value);

/* Version in work = tip with these changes; whatever was in work before is given up. Sorts changes;
 * paths must be unique. Removing what is not there changes nothing. STATUS_NO_MEMORY: work is the
 * tip again. */
MUST_USE enum status tree_update(struct tree *tree, struct tree_change *changes, size_t count);
/* Work becomes the tip, the tip the version before it. */
void tree_commit(struct tree *tree);

struct hash32 tree_root(const struct tree *tree, enum tree_version version);

/* A way from a leaf to the root. */
struct tree_path {
	struct hash32 path; /* of the leaf it ends in */
	struct hash32 leaf;
	uint32_t depth;                      /* inner nodes on the way */
	bool right[TREE_DEPTH_MAX];          /* from the root down */
	struct hash32 aunts[TREE_DEPTH_MAX]; /* from the leaf up */
};

/* The way to the leaf of this path. False: not there; out then holds the way to the leaf the search
 * ended in (depth 0 and a zero path in an empty tree). */
MUST_USE bool tree_prove(const struct tree *tree, struct tree_path *out, enum tree_version version,
	const struct hash32 *path);
/* The root that a way computes for its leaf. */
struct hash32 tree_path_root(const struct tree_path *path);

#endif
