/* The state tree by two roads: the incremental one, and its definition over the sorted list of
 * leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/merkle.h"
#include "chain/settle/tree.h"

enum { KEYS = 600 };

struct plain {
	struct hash32 path;
	struct hash32 leaf;
	bool there;
};

static int by_path(const void *a, const void *b)
{
	return memcmp(((const struct plain *)a)->path.b, ((const struct plain *)b)->path.b, 32);
}

static bool bit(const struct hash32 *path, size_t i)
{
	return (path->b[i / 8] & 0x80 >> i % 8) != 0;
}

/* By the definition, from a sorted list of leaves that are there. */
static struct hash32 plain_root(const struct plain *leaves, size_t count, size_t from)
{
	struct hash32 left, right;
	size_t split = 0;

	if (count == 0)
		return sha256(bytes_view(NULL, 0));
	if (count == 1)
		return leaves[0].leaf;
	while (bit(&leaves[0].path, from) == bit(&leaves[count - 1].path, from))
		from++;
	while (!bit(&leaves[split].path, from))
		split++;
	left = plain_root(leaves, split, from + 1);
	right = plain_root(leaves + split, count - split, from + 1);
	return merkle_node(&left, &right);
}

static struct hash32 expected_root(const struct plain *keys)
{
	static struct plain there[KEYS];
	size_t count = 0;

	for (size_t i = 0; i < KEYS; i++)
		if (keys[i].there)
			there[count++] = keys[i];
	qsort(there, count, sizeof there[0], by_path);
	return plain_root(there, count, 0);
}

static uint64_t dice = 1;

static uint64_t draw(uint64_t below)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (dice >> 33) % below;
}

static struct hash32 leaf_of(uint64_t number)
{
	uint8_t text[8];

	put_u64be(text, number);
	return sha256(bytes_view(text, 8));
}

/* Paths that agree in long beginnings too, as grinding would make them. */
static void make_keys(struct plain *keys)
{
	for (size_t i = 0; i < KEYS; i++) {
		keys[i].path = leaf_of(i + 1000000);
		keys[i].there = false;
		if (i % 3 == 1) {
			keys[i].path = keys[i - 1].path;
			keys[i].path.b[31] ^= (uint8_t)(1 + i % 7);
		}
		if (i % 3 == 2) {
			keys[i].path = keys[i - 2].path;
			keys[i].path.b[i % 32] ^= 0x10;
		}
	}
}

static size_t make_changes(
	struct tree_change *changes, struct plain *keys, uint64_t version, size_t most)
{
	size_t wanted = draw(most + 1);
	size_t count = 0;
	bool chosen[KEYS] = {false};

	for (size_t i = 0; i < wanted; i++) {
		size_t at = draw(KEYS);

		if (chosen[at])
			continue;
		chosen[at] = true;
		changes[count].path = keys[at].path;
		changes[count].removed = draw(3) == 0;
		changes[count].leaf = leaf_of(version * KEYS + at);
		keys[at].there = !changes[count].removed;
		keys[at].leaf = changes[count].leaf;
		count++;
	}
	return count;
}

static void incremental_root_is_the_definitions(void **state)
{
	static struct plain keys[KEYS], kept[KEYS];
	static struct tree_change changes[KEYS];
	struct tree tree;
	struct hash32 before, root;

	tree_init(&tree);
	make_keys(keys);
	before = tree_root(&tree, TREE_TIP);
	for (uint64_t version = 1; version < 600; version++) {
		size_t most = version % 50 == 0 ? KEYS : 1 + version % 20;
		struct hash32 tip = tree_root(&tree, TREE_TIP);
		size_t count;

		/* Another version first, which is given up. */
		memcpy(kept, keys, sizeof keys);
		count = make_changes(changes, kept, version + 5000, most);
		assert_int_equal(tree_update(&tree, changes, count), STATUS_OK);

		count = make_changes(changes, keys, version, most);
		assert_int_equal(tree_update(&tree, changes, count), STATUS_OK);
		root = tree_root(&tree, TREE_WORK);
		assert_true(hash_equal(&root, &(struct hash32){0}) == false);
		before = expected_root(keys);
		assert_memory_equal(root.b, before.b, 32);
		before = tree_root(&tree, TREE_TIP);
		assert_memory_equal(before.b, tip.b, 32);
		tree_commit(&tree);
		before = tree_root(&tree, TREE_BEFORE);
		assert_memory_equal(before.b, tip.b, 32);
	}
	tree_fini(&tree);
}

static void order_of_arrival_does_not_matter(void **state)
{
	static struct plain keys[KEYS];
	struct tree forwards, backwards;
	struct hash32 one, other;

	make_keys(keys);
	tree_init(&forwards);
	tree_init(&backwards);
	for (size_t i = 0; i < KEYS; i++) {
		struct tree_change first = {keys[i].path, leaf_of(i), false};
		struct tree_change last = {keys[KEYS - 1 - i].path, leaf_of(KEYS - 1 - i), false};

		assert_int_equal(tree_update(&forwards, &first, 1), STATUS_OK);
		tree_commit(&forwards);
		assert_int_equal(tree_update(&backwards, &last, 1), STATUS_OK);
		tree_commit(&backwards);
	}
	one = tree_root(&forwards, TREE_TIP);
	other = tree_root(&backwards, TREE_TIP);
	assert_memory_equal(one.b, other.b, 32);
	tree_fini(&forwards);
	tree_fini(&backwards);
}

static void every_path_leads_to_the_root_of_its_version(void **state)
{
	static struct plain keys[KEYS];
	static struct tree_change changes[KEYS];
	static struct tree_path way;
	struct tree tree;

	tree_init(&tree);
	make_keys(keys);
	for (uint64_t version = 1; version < 4; version++) {
		size_t count = make_changes(changes, keys, version, KEYS);

		assert_int_equal(tree_update(&tree, changes, count), STATUS_OK);
		tree_commit(&tree);
	}
	for (size_t i = 0; i < KEYS; i++) {
		enum tree_version version = i % 2 ? TREE_TIP : TREE_BEFORE;
		bool there = tree_prove(&tree, &way, version, &keys[i].path);
		struct hash32 root = tree_root(&tree, version);
		struct hash32 led = tree_path_root(&way);

		if (version == TREE_TIP)
			assert_int_equal(there, keys[i].there);
		if (there && version == TREE_TIP)
			assert_memory_equal(way.leaf.b, keys[i].leaf.b, 32);
		assert_memory_equal(led.b, root.b, 32);
	}
	tree_fini(&tree);
}

static void the_empty_tree_is_the_hash_of_nothing(void **state)
{
	static struct tree_path way;
	struct tree tree;
	struct hash32 nothing = sha256(bytes_view(NULL, 0));
	struct hash32 path = leaf_of(1), root;
	struct tree_change put = {path, leaf_of(2), false}, removal = {path, leaf_of(2), true};

	tree_init(&tree);
	root = tree_root(&tree, TREE_TIP);
	assert_memory_equal(root.b, nothing.b, 32);
	assert_false(tree_prove(&tree, &way, TREE_TIP, &path));
	assert_int_equal(tree_update(&tree, &put, 1), STATUS_OK);
	tree_commit(&tree);
	root = tree_root(&tree, TREE_TIP);
	assert_memory_equal(root.b, put.leaf.b, 32);
	assert_int_equal(tree_update(&tree, &removal, 1), STATUS_OK);
	tree_commit(&tree);
	root = tree_root(&tree, TREE_TIP);
	assert_memory_equal(root.b, nothing.b, 32);
	tree_fini(&tree);
}

static void a_tree_that_lives_long_reuses_its_nodes(void **state)
{
	static struct plain keys[KEYS];
	static struct tree_change changes[KEYS];
	struct tree tree;
	uint32_t used;

	tree_init(&tree);
	make_keys(keys);
	for (uint64_t version = 1; version < 200; version++) {
		assert_int_equal(
			tree_update(&tree, changes, make_changes(changes, keys, version, 50)),
			STATUS_OK);
		tree_commit(&tree);
	}
	used = tree.used;
	for (uint64_t version = 200; version < 2000; version++) {
		assert_int_equal(
			tree_update(&tree, changes, make_changes(changes, keys, version, 50)),
			STATUS_OK);
		tree_commit(&tree);
	}
	/* Two versions of at most 600 leaves, and one in work. */
	assert_true(tree.used < used + 1200);
	tree_fini(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(incremental_root_is_the_definitions),
		cmocka_unit_test(order_of_arrival_does_not_matter),
		cmocka_unit_test(every_path_leads_to_the_root_of_its_version),
		cmocka_unit_test(the_empty_tree_is_the_hash_of_nothing),
		cmocka_unit_test(a_tree_that_lives_long_reuses_its_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
