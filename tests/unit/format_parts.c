/* Part sets: a block is put together from proved pieces in any order and from nothing else. */
#include "tests/unit/vectors.h"

#include <stdlib.h>
#include <string.h>

#include "chain/format/part_set.h"

static uint8_t *make_block(size_t len)
{
	uint8_t *block = malloc(len + 1);

	assert_non_null(block);
	for (size_t i = 0; i < len; i++)
		block[i] = (uint8_t)(i * 31 + i / 65536);
	return block;
}

static void a_block_comes_together_in_any_order(void **state)
{
	static const size_t lens[] = {
		1, 65535, 65536, 65537, 65536 * 2, 65536 * 5 + 17, 65536 * 64};

	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		uint8_t *block = make_block(lens[i]);
		struct part_set cut, joined;
		uint32_t total = (uint32_t)((lens[i] + 65535) / 65536);

		assert_int_equal(part_set_split(&cut, bytes_view(block, lens[i])), STATUS_OK);
		assert_int_equal(cut.total, total);
		assert_true(part_set_complete(&cut));
		assert_int_equal(part_set_expect(&joined, total, &cut.hash, total), STATUS_OK);
		for (uint32_t k = 0; k < total; k++) {
			/* 7 and 64 share no factor: backwards in strides of seven meets every part.
			 */
			uint32_t index = total - 1 - k * 7 % total;
			struct merkle_proof proof, again;

			if (total % 7 == 0)
				index = k;
			part_set_prove(&proof, &cut, index);
			assert_false(part_set_has(&joined, index));
			assert_false(part_set_complete(&joined));
			assert_int_equal(
				part_set_add(&joined, index, part_set_part(&cut, index), &proof),
				PART_ADDED);
			assert_int_equal(
				part_set_add(&joined, index, part_set_part(&cut, index), &proof),
				PART_KNOWN);
			part_set_prove(&again, &joined, index);
			assert_int_equal(again.aunt_count, proof.aunt_count);
			assert_true(bytes_equal(
				part_set_part(&joined, index), part_set_part(&cut, index)));
		}
		assert_true(part_set_complete(&joined));
		assert_true(bytes_equal(part_set_bytes(&joined), bytes_view(block, lens[i])));
		part_set_fini(&cut);
		part_set_fini(&joined);
		free(block);
	}
}

static void a_part_that_does_not_belong_is_refused(void **state)
{
	size_t len = 65536 * 2 + 100;
	uint8_t *block = make_block(len);
	struct part_set cut, joined;
	struct merkle_proof proof;
	struct bytes part;

	assert_int_equal(part_set_split(&cut, bytes_view(block, len)), STATUS_OK);
	assert_int_equal(part_set_expect(&joined, 3, &cut.hash, 64), STATUS_OK);
	part_set_prove(&proof, &cut, 1);
	part = part_set_part(&cut, 1);
	assert_int_equal(part_set_add(&joined, 3, part, &proof), PART_BAD_INDEX);
	assert_int_equal(part_set_add(&joined, UINT32_MAX, part, &proof), PART_BAD_INDEX);
	assert_int_equal(part_set_add(&joined, 0, part, &proof), PART_BAD_INDEX);
	assert_int_equal(part_set_add(&joined, 1, bytes_view(part.data, part.len - 1), &proof),
		PART_BAD_SIZE);
	assert_int_equal(part_set_add(&joined, 1, bytes_view(part.data, 0), &proof), PART_BAD_SIZE);
	assert_int_equal(part_set_add(&joined, 1, part_set_part(&cut, 0), &proof), PART_BAD_PROOF);
	proof.aunts[0].b[0] ^= 1;
	assert_int_equal(part_set_add(&joined, 1, part, &proof), PART_BAD_PROOF);
	proof.aunts[0].b[0] ^= 1;
	proof.aunt_count--;
	assert_int_equal(part_set_add(&joined, 1, part, &proof), PART_BAD_PROOF);
	proof.aunt_count = MERKLE_AUNTS_MAX;
	assert_int_equal(part_set_add(&joined, 1, part, &proof), PART_BAD_PROOF);
	part_set_prove(&proof, &cut, 1);
	proof.total = 4;
	assert_int_equal(part_set_add(&joined, 1, part, &proof), PART_BAD_INDEX);
	proof.total = 3;
	assert_int_equal(joined.have, 0);
	assert_int_equal(part_set_add(&joined, 1, part, &proof), PART_ADDED);
	part_set_prove(&proof, &cut, 2);
	part = part_set_part(&cut, 2);
	assert_int_equal(part.len, 100);
	assert_int_equal(part_set_add(&joined, 2, bytes_view(part.data, part.len - 1), &proof),
		PART_BAD_PROOF);
	part_set_fini(&cut);
	part_set_fini(&joined);
	free(block);
}

static void a_set_without_end_is_not_waited_for(void **state)
{
	struct hash32 hash = {{1}};
	struct part_set set;

	assert_int_equal(part_set_expect(&set, 0, &hash, 10), STATUS_INVALID);
	assert_int_equal(part_set_expect(&set, 11, &hash, 10), STATUS_INVALID);
	assert_int_equal(
		part_set_expect(&set, BLOCK_PARTS_MAX + 1, &hash, UINT32_MAX), STATUS_INVALID);
	assert_int_equal(part_set_split(&set, bytes_view(NULL, 0)), STATUS_INVALID);
	part_set_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_comes_together_in_any_order),
		cmocka_unit_test(a_part_that_does_not_belong_is_refused),
		cmocka_unit_test(a_set_without_end_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
