/* chain/store_manifest: a list of files that was cut short, and one that only looks so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "chain/store_manifest.h"

enum { BLOCK = 32 * 1024, HEAD = 7 };

/* As the library frames it. */
static void put_record(struct buf *out, uint8_t type, size_t len)
{
	uint8_t *at = buf_extend(out, HEAD + len);
	assert_non_null(at);
	memset(at, (int)len, HEAD + len);
	at[4] = (uint8_t)len;
	at[5] = (uint8_t)(len >> 8);
	at[6] = type;
	uint32_t crc = crc32c(0, bytes_view(at + 6, len + 1));
	crc = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(crc >> 8 * i);
}

static struct buf three_records(void)
{
	struct buf file = {0};
	put_record(&file, 1, 100);
	put_record(&file, 1, 30);
	put_record(&file, 1, 70);
	return file;
}

static const size_t starts[] = {0, HEAD + 100, 2 * HEAD + 130};

static void a_whole_file_ends_well(void **state)
{
	struct buf file = three_records();
	assert_true(store_manifest_ends_well(buf_view(&file)));
	assert_true(store_manifest_ends_well(bytes_view(NULL, 0)));
	buf_fini(&file);
}

static void a_record_that_a_crash_cut_short_ends_well(void **state)
{
	struct buf file = three_records();
	for (size_t len = starts[2]; len <= file.len; len++)
		assert_true(store_manifest_ends_well(bytes_view(file.data, len)));
	buf_fini(&file);
}

static void a_tail_of_zeros_ends_well(void **state)
{
	struct buf file = three_records();
	uint8_t *zeros = buf_extend(&file, 500);
	assert_non_null(zeros);
	memset(zeros, 0, 500);
	assert_true(store_manifest_ends_well(buf_view(&file)));
	buf_fini(&file);
}

static void any_flipped_bit_of_a_head_is_found(void **state)
{
	struct buf file = three_records();
	for (size_t i = 0; i < 3; i++) {
		for (unsigned bit = 0; bit < 8 * HEAD; bit++) {
			file.data[starts[i] + bit / 8] ^= (uint8_t)(1u << bit % 8);
			bool in_length = bit / 8 == 4 || bit / 8 == 5;
			/* The last record's checksum or type: the library says that itself. */
			if (i < 2 || in_length)
				assert_false(store_manifest_ends_well(buf_view(&file)));
			file.data[starts[i] + bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	buf_fini(&file);
}

static void a_record_in_a_later_block_is_found(void **state)
{
	struct buf file = {0};
	put_record(&file, 2, BLOCK - HEAD);
	put_record(&file, 4, 200);
	assert_true(store_manifest_ends_well(buf_view(&file)));
	file.data[5] ^= 0x80; /* as long as the file, and no whole one begins in its block */
	file.data[4000] ^= 1;
	assert_false(store_manifest_ends_well(buf_view(&file)));
	buf_fini(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_ends_well),
		cmocka_unit_test(a_record_that_a_crash_cut_short_ends_well),
		cmocka_unit_test(a_tail_of_zeros_ends_well),
		cmocka_unit_test(any_flipped_bit_of_a_head_is_found),
		cmocka_unit_test(a_record_in_a_later_block_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
