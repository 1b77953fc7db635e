#include "chain/settle/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/merkle.h"

enum {
	TREE_CHUNK_NODES = 4096,
	TREE_CHUNKS_MAX = 128 * 1024, /* 2^29 nodes; the table of chunks never moves */
	TREE_BIT_OF_LEAF = 0xffff
};

struct tree_node {
	struct hash32 hash;
	union {
		struct hash32 path;   /* of a leaf */
		uint32_t children[2]; /* of an inner node: left, right */
		uint32_t free_next;
	};
	uint32_t bit; /* where the children differ; TREE_BIT_OF_LEAF */
};

void tree_init(struct tree *tree)
{
	memset(tree, 0, sizeof *tree);
}

void tree_fini(struct tree *tree)
{
	for (size_t i = 0; i < tree->chunk_count; i++)
		free(tree->chunks[i]);
	free(tree->chunks);
	free(tree->made.nodes);
	free(tree->dropped.nodes);
	free(tree->tip_dropped.nodes);
	tree_init(tree);
}

static struct tree_node *node_at(const struct tree *tree, uint32_t number)
{
	return &tree->chunks[number / TREE_CHUNK_NODES][number % TREE_CHUNK_NODES];
}

static bool list_add(struct tree_list *list, uint32_t number)
{
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 1024;
		uint32_t *nodes = realloc(list->nodes, cap * sizeof *nodes);

		if (!nodes)
			return false;
		list->nodes = nodes;
		list->cap = cap;
	}
	list->nodes[list->count++] = number;
	return true;
}

static bool chunk_add(struct tree *tree)
{
	struct tree_node *chunk;

	if (tree->chunk_count == TREE_CHUNKS_MAX)
		return false;
	if (!tree->chunks)
		tree->chunks = calloc(TREE_CHUNKS_MAX, sizeof *tree->chunks);
	chunk = tree->chunks ? calloc(TREE_CHUNK_NODES, sizeof *chunk) : NULL;
	if (!chunk)
		return false;
	tree->chunks[tree->chunk_count++] = chunk;
	return true;
}

/* 0: no memory, tree->failed says so. */
static uint32_t node_new(struct tree *tree)
{
	uint32_t number = tree->free_first;

	if (number != 0) {
		tree->free_first = node_at(tree, number)->free_next;
	} else {
		if (tree->used + 1 >= tree->chunk_count * TREE_CHUNK_NODES && !chunk_add(tree)) {
			tree->failed = true;
			return 0;
		}
		number = ++tree->used;
	}
	if (!list_add(&tree->made, number)) {
		node_at(tree, number)->free_next = tree->free_first;
		tree->free_first = number;
		tree->failed = true;
		return 0;
	}
	return number;
}

static void list_free_nodes(struct tree *tree, struct tree_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		node_at(tree, list->nodes[i])->free_next = tree->free_first;
		tree->free_first = list->nodes[i];
	}
	list->count = 0;
}

static void node_drop(struct tree *tree, uint32_t number)
{
	if (!list_add(&tree->dropped, number))
		tree->failed = true;
}

static bool bit_of(const struct hash32 *path, uint32_t bit)
{
	return (path->b[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

/* The first bit in which a and b differ; TREE_DEPTH_MAX when they are equal. */
static uint32_t bit_differing(const struct hash32 *a, const struct hash32 *b)
{
	for (uint32_t i = 0; i < sizeof a->b; i++) {
		uint8_t diff = a->b[i] ^ b->b[i];

		if (diff != 0)
			return i * 8 + (uint32_t)__builtin_clz(diff) - 24;
	}
	return TREE_DEPTH_MAX;
}

struct hash32 tree_leaf(struct bytes key, struct bytes value)
{
	struct hash32 value_hash = sha256(value);
	uint8_t head[1 + 10];
	size_t head_len = 1;
	size_t len = key.len;
	struct sha256 s;

	head[0] = 0x00;
	for (; len >= 0x80; len >>= 7)
		head[head_len++] = (uint8_t)(len | 0x80);
	head[head_len++] = (uint8_t)len;
	sha256_start(&s);
	sha256_add(&s, head, head_len);
	sha256_add(&s, key.data, key.len);
	sha256_add(&s, &(uint8_t){sizeof value_hash.b}, 1);
	sha256_add(&s, value_hash.b, sizeof value_hash.b);
	return sha256_end(&s);
}

static uint32_t leaf_new(struct tree *tree, const struct tree_change *change)
{
	uint32_t number = node_new(tree);

	if (number == 0)
		return 0;
	node_at(tree, number)->path = change->path;
	node_at(tree, number)->hash = change->leaf;
	node_at(tree, number)->bit = TREE_BIT_OF_LEAF;
	return number;
}

static uint32_t join(struct tree *tree, uint32_t bit, uint32_t left, uint32_t right)
{
	struct tree_node *node;
	uint32_t number;

	if (left == 0 || right == 0)
		return left ? left : right;
	number = node_new(tree);
	if (number == 0)
		return 0;
	node = node_at(tree, number);
	node->bit = bit;
	node->children[0] = left;
	node->children[1] = right;
	node->hash = merkle_node(&node_at(tree, left)->hash, &node_at(tree, right)->hash);
	return number;
}

/* How many of the sorted changes, which agree before `bit`, have it clear. */
static size_t left_count(const struct tree_change *changes, size_t count, uint32_t bit)
{
	size_t low = 0;

	while (low < count) {
		size_t middle = low + (count - low) / 2;

		if (bit_of(&changes[middle].path, bit))
			count = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* A tree of what the changes put and, if extra is not 0, that standing leaf. */
static uint32_t build(
	struct tree *tree, const struct tree_change *changes, size_t count, uint32_t extra)
{
	const struct hash32 *least, *greatest;
	uint32_t bit, left, right;
	size_t split;
	bool extra_right;

	while (count > 0 && changes[0].removed)
		changes++, count--;
	while (count > 0 && changes[count - 1].removed)
		count--;
	if (count == 0)
		return extra;
	if (count == 1 && extra == 0)
		return leaf_new(tree, changes);
	least = &changes[0].path;
	greatest = &changes[count - 1].path;
	if (extra != 0) {
		const struct hash32 *path = &node_at(tree, extra)->path;

		if (memcmp(path->b, least->b, sizeof path->b) < 0)
			least = path;
		if (memcmp(path->b, greatest->b, sizeof path->b) > 0)
			greatest = path;
	}
	bit = bit_differing(least, greatest);
	CHECK(bit < TREE_DEPTH_MAX); /* paths are unique */
	split = left_count(changes, count, bit);
	extra_right = extra != 0 && bit_of(&node_at(tree, extra)->path, bit);
	left = build(tree, changes, split, extra_right ? 0 : extra);
	right = build(tree, changes + split, count - split, extra_right ? extra : 0);
	return tree->failed ? 0 : join(tree, bit, left, right);
}

static uint32_t apply(struct tree *tree, uint32_t number, uint32_t agreed,
	const struct tree_change *changes, size_t count);

static uint32_t apply_to_leaf(
	struct tree *tree, uint32_t number, const struct tree_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (hash_equal(&changes[i].path, &node_at(tree, number)->path)) {
			node_drop(tree, number);
			return build(tree, changes, count, 0);
		}
	}
	return build(tree, changes, count, number);
}

static const struct hash32 *leftmost_path(const struct tree *tree, uint32_t number)
{
	const struct tree_node *node = node_at(tree, number);

	while (node->bit != TREE_BIT_OF_LEAF)
		node = node_at(tree, node->children[0]);
	return &node->path;
}

/* Some changes leave the subtree above its own bit: it moves one level down, beside what they
 * build. */
static uint32_t apply_beside(struct tree *tree, uint32_t number, uint32_t bit, bool subtree_right,
	const struct tree_change *changes, size_t count)
{
	size_t split = left_count(changes, count, bit);
	uint32_t left, right;

	if (subtree_right) {
		left = build(tree, changes, split, 0);
		right = apply(tree, number, bit + 1, changes + split, count - split);
	} else {
		left = apply(tree, number, bit + 1, changes, split);
		right = build(tree, changes + split, count - split, 0);
	}
	return tree->failed ? 0 : join(tree, bit, left, right);
}

/* The subtree with the changes, all of which agree with its paths before bit `agreed`. */
static uint32_t apply(struct tree *tree, uint32_t number, uint32_t agreed,
	const struct tree_change *changes, size_t count)
{
	uint32_t bit, left, right, left_old, right_old;
	size_t split;

	if (count == 0 || tree->failed)
		return number;
	if (number == 0)
		return build(tree, changes, count, 0);
	bit = node_at(tree, number)->bit;
	if (bit == TREE_BIT_OF_LEAF)
		return apply_to_leaf(tree, number, changes, count);
	if (bit > agreed) {
		/* The changes are sorted, so none leaves earlier than the first or the last. */
		const struct hash32 *path = leftmost_path(tree, number);
		uint32_t first = bit_differing(path, &changes[0].path);
		uint32_t last = bit_differing(path, &changes[count - 1].path);
		uint32_t leaves = first < last ? first : last;

		if (leaves < bit)
			return apply_beside(
				tree, number, leaves, bit_of(path, leaves), changes, count);
	}
	split = left_count(changes, count, bit);
	left_old = node_at(tree, number)->children[0];
	right_old = node_at(tree, number)->children[1];
	left = apply(tree, left_old, bit + 1, changes, split);
	right = apply(tree, right_old, bit + 1, changes + split, count - split);
	if (tree->failed)
		return 0;
	if (left == left_old && right == right_old)
		return number;
	node_drop(tree, number);
	return join(tree, bit, left, right);
}

static int change_compare(const void *a, const void *b)
{
	const struct tree_change *left = a;
	const struct tree_change *right = b;

	return memcmp(left->path.b, right->path.b, sizeof left->path.b);
}

enum status tree_update(struct tree *tree, struct tree_change *changes, size_t count)
{
	uint32_t root;

	list_free_nodes(tree, &tree->made);
	tree->dropped.count = 0;
	tree->roots[TREE_WORK] = tree->roots[TREE_TIP];
	if (count == 0)
		return STATUS_OK;
	qsort(changes, count, sizeof *changes, change_compare);
	tree->failed = false;
	root = apply(tree, tree->roots[TREE_TIP], 0, changes, count);
	if (tree->failed) {
		list_free_nodes(tree, &tree->made);
		tree->dropped.count = 0;
		return STATUS_NO_MEMORY;
	}
	tree->roots[TREE_WORK] = root;
	return STATUS_OK;
}

void tree_commit(struct tree *tree)
{
	struct tree_list freed = tree->tip_dropped;

	list_free_nodes(tree, &freed);
	tree->tip_dropped = tree->dropped;
	tree->dropped = freed;
	tree->made.count = 0;
	tree->roots[TREE_BEFORE] = tree->roots[TREE_TIP];
	tree->roots[TREE_TIP] = tree->roots[TREE_WORK];
}

struct hash32 tree_root(const struct tree *tree, enum tree_version version)
{
	uint32_t root = tree->roots[version];

	return root == 0 ? sha256(bytes_view(NULL, 0)) : node_at(tree, root)->hash;
}

bool tree_prove(const struct tree *tree, struct tree_path *out, enum tree_version version,
	const struct hash32 *path)
{
	uint32_t number = tree->roots[version];
	const struct tree_node *node;

	memset(out, 0, sizeof *out);
	if (number == 0)
		return false;
	node = node_at(tree, number);
	while (node->bit != TREE_BIT_OF_LEAF) {
		bool right = bit_of(path, node->bit);

		out->right[out->depth] = right;
		out->aunts[out->depth++] = node_at(tree, node->children[!right])->hash;
		node = node_at(tree, node->children[right]);
	}
	out->path = node->path;
	out->leaf = node->hash;
	for (uint32_t low = 0, high = out->depth; low + 1 < high; low++, high--) {
		struct hash32 swap = out->aunts[low];

		out->aunts[low] = out->aunts[high - 1];
		out->aunts[high - 1] = swap;
	}
	return hash_equal(&node->path, path);
}

struct hash32 tree_path_root(const struct tree_path *path)
{
	struct hash32 at = path->leaf;

	for (uint32_t i = 0; i < path->depth; i++) {
		if (path->right[path->depth - 1 - i])
			at = merkle_node(&path->aunts[i], &at);
		else
			at = merkle_node(&at, &path->aunts[i]);
	}
	return at;
}
