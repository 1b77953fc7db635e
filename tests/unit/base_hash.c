/* Hashes, CRC and Merkle trees. */
#include "tests/unit/vectors.h"

#include <string.h>

#include "base/merkle.h"

static json_t *all;

static int load(void **state)
{
	(void)state;
	all = vectors_load("base.json");
	return 0;
}

static int unload(void **state)
{
	(void)state;
	vectors_free_all();
	json_decref(all);
	return 0;
}

static void is_hex(const void *data, size_t len, const char *expected)
{
	json_t *text = json_string(expected);

	assert_bytes_equal(bytes_view(data, len), vectors_hex(text), expected);
	json_decref(text);
}

static void known_texts_hash_as_published(void **state)
{
	struct hash32 hash = sha256(bytes_of_text("abc"));
	uint8_t ripe[20];

	is_hex(hash.b, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash = sha256(bytes_view(NULL, 0));
	is_hex(hash.b, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_false(hash_is_zero(&hash));
	memset(&hash, 0, sizeof hash);
	assert_true(hash_is_zero(&hash));
	ripemd160(ripe, bytes_of_text("abc"));
	is_hex(ripe, 20, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc");
	ripemd160(ripe, bytes_view(NULL, 0));
	is_hex(ripe, 20, "9c1185a5c5e9fc54612808977ee8f548b2258d31");
}

static void a_domain_ends_with_a_zero_byte(void **state)
{
	const struct bytes parts[] = {
		bytes_of_text("one"), bytes_view(NULL, 0), bytes_of_text("two")};
	struct hash32 hash = hash_domain("aitbc/tx/1", parts, 3);
	struct hash32 expected = sha256(bytes_view("aitbc/tx/1\0onetwo", 17));

	assert_hash_equal(hash, expected, "domain");
}

static uint32_t crc_by_definition(struct bytes data)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < data.len; i++) {
		crc ^= data.data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static void crc32c_follows_its_polynomial_in_any_pieces(void **state)
{
	uint8_t data[300];

	assert_int_equal(crc32c(0, bytes_of_text("123456789")), 0xe3069283);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 167 + 13);
	for (size_t len = 0; len <= sizeof data; len++) {
		struct bytes whole = bytes_view(data, len);
		uint32_t crc = crc32c(0, bytes_view(data, len / 3));

		assert_int_equal(crc32c(0, whole), crc_by_definition(whole));
		crc = crc32c(crc, bytes_view(data + len / 3, len - len / 3));
		assert_int_equal(crc, crc_by_definition(whole));
	}
	/* Each table entry is met: every byte value at each of the eight places. */
	for (size_t place = 0; place < 8; place++) {
		for (unsigned value = 0; value < 256; value++) {
			uint8_t eight[8] = {0};

			eight[place] = (uint8_t)value;
			assert_int_equal(crc32c(0, bytes_view(eight, 8)),
				crc_by_definition(bytes_view(eight, 8)));
		}
	}
}

static void roots_are_those_of_rfc_6962(void **state)
{
	size_t i, j;
	json_t *v, *leaf;

	json_array_foreach(vectors_member(all, "merkle"), i, v)
	{
		struct merkle_builder tree;
		struct hash32 leaves[8];

		merkle_start(&tree);
		json_array_foreach(vectors_member(v, "leaves"), j, leaf)
		{
			leaves[j] = merkle_leaf(vectors_hex(leaf));
			merkle_add(&tree, &leaves[j]);
		}
		assert_hash_equal(
			merkle_end(&tree), vectors_hash(v, "root"), vectors_text(v, "name"));
		assert_hash_equal(merkle_root_in_place(leaves, j), vectors_hash(v, "root"),
			vectors_text(v, "name"));
	}
}

enum { LEAVES = 130 };

static void fill(struct hash32 leaves[LEAVES])
{
	for (size_t i = 0; i < LEAVES; i++) {
		uint8_t data[2] = {(uint8_t)i, 1};

		leaves[i] = merkle_leaf(bytes_view(data, 2));
	}
}

static struct hash32 root_by_splitting(const struct hash32 *leaves, size_t count)
{
	struct hash32 left, right;
	size_t split = 1;

	if (count == 1)
		return leaves[0];
	while (split * 2 < count)
		split *= 2;
	left = root_by_splitting(leaves, split);
	right = root_by_splitting(leaves + split, count - split);
	return merkle_node(&left, &right);
}

static void every_leaf_is_proved_and_the_roads_agree(void **state)
{
	struct hash32 leaves[LEAVES], scratch[LEAVES];

	fill(leaves);
	for (size_t count = 1; count <= LEAVES; count++) {
		struct hash32 expected = root_by_splitting(leaves, count);
		struct merkle_builder tree;

		memcpy(scratch, leaves, sizeof leaves);
		merkle_start(&tree);
		for (size_t i = 0; i < count; i++)
			merkle_add(&tree, &leaves[i]);
		assert_hash_equal(merkle_end(&tree), expected, "builder");
		assert_hash_equal(merkle_root_in_place(scratch, count), expected, "in place");
		for (size_t i = 0; i < count; i++) {
			struct merkle_proof proof;
			struct hash32 root;

			assert_hash_equal(
				merkle_prove(&proof, leaves, count, i), expected, "prove");
			assert_true(merkle_proof_root(&root, &proof));
			assert_hash_equal(root, expected, "proof");
			proof.aunt_count++;
			assert_false(merkle_proof_root(&root, &proof));
			proof.aunt_count -= 2;
			assert_false(proof.aunt_count < UINT32_MAX - 1 &&
				     merkle_proof_root(&root, &proof));
			proof.aunt_count++;
			proof.index = count;
			assert_false(merkle_proof_root(&root, &proof));
		}
	}
}

/* CVE-2012-2459: trees that repeat the last leaf to fill a level give a list and its prolonged twin
 * one root. */
static void no_list_shares_its_root_with_one_whose_tail_is_repeated(void **state)
{
	struct hash32 leaves[LEAVES], scratch[LEAVES];

	for (size_t count = 1; count <= 64; count++) {
		struct hash32 root;

		for (size_t repeat = 1; repeat <= count; repeat++) {
			struct hash32 twin;

			fill(scratch);
			memcpy(leaves, scratch, count * sizeof leaves[0]);
			root = merkle_root_in_place(scratch, count);
			memcpy(leaves + count, leaves + count - repeat, repeat * sizeof leaves[0]);
			twin = merkle_root_in_place(leaves, count + repeat);
			assert_false(hash_equal(&root, &twin));
		}
	}
}

static void a_proof_of_an_absurd_tree_is_refused(void **state)
{
	struct merkle_proof proof;
	struct hash32 root;

	memset(&proof, 0, sizeof proof);
	assert_false(merkle_proof_root(&root, &proof));
	proof.total = UINT64_MAX;
	proof.index = UINT64_MAX - 1;
	for (uint32_t count = 0; count <= MERKLE_AUNTS_MAX; count++) {
		proof.aunt_count = count;
		proof.index = 0;
		assert_false(merkle_proof_root(&root, &proof));
	}
	proof.aunt_count = UINT32_MAX;
	assert_false(merkle_proof_root(&root, &proof));
	proof.total = 1;
	proof.aunt_count = 0;
	assert_true(merkle_proof_root(&root, &proof));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts_hash_as_published),
		cmocka_unit_test(a_domain_ends_with_a_zero_byte),
		cmocka_unit_test(crc32c_follows_its_polynomial_in_any_pieces),
		cmocka_unit_test(roots_are_those_of_rfc_6962),
		cmocka_unit_test(every_leaf_is_proved_and_the_roads_agree),
		cmocka_unit_test(no_list_shares_its_root_with_one_whose_tail_is_repeated),
		cmocka_unit_test(a_proof_of_an_absurd_tree_is_refused),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
