#include "chain/store_manifest.h"

#include <string.h>

#include "base/hash.h"

/* The library's log format: blocks of 32 KiB, no record crosses into the next; a record has a head
 * of crc32c (4, little-endian, masked), length (2, little-endian) and type (1), then its bytes. The
 * checksum is of type and bytes. */
enum { BLOCK_BYTES = 32 * 1024, HEAD_BYTES = 7, TYPE_FULL = 1, TYPE_LAST = 4 };

static uint32_t masked(uint32_t crc)
{
	return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static size_t left_in_block(struct bytes file, size_t at)
{
	size_t in_block = BLOCK_BYTES - at % BLOCK_BYTES, in_file = file.len - at;
	return in_block < in_file ? in_block : in_file;
}

/* A record with so many bytes is here. */
static bool is_record(struct bytes file, size_t at, size_t len)
{
	const uint8_t *head = file.data + at;
	if (left_in_block(file, at) < HEAD_BYTES + len || head[6] < TYPE_FULL ||
		head[6] > TYPE_LAST)
		return false;
	uint32_t crc = (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 |
		       (uint32_t)head[3] << 24;
	return crc == masked(crc32c(0, bytes_view(head + 6, len + 1)));
}

static size_t length_at(struct bytes file, size_t at)
{
	return file.data[at + 4] | (size_t)file.data[at + 5] << 8;
}

/* Whether anything in the rest of this block, or at the head of a later one, is whole. */
static bool something_whole_behind(struct bytes file, size_t bad)
{
	size_t end = bad + left_in_block(file, bad);
	/* The damaged record itself, were its length what is left. */
	if (is_record(file, bad, end - bad - HEAD_BYTES))
		return true;
	for (size_t at = bad + 1; at + HEAD_BYTES < end; at++) {
		if (is_record(file, at, length_at(file, at)))
			return true;
	}
	for (size_t at = end; at + HEAD_BYTES < file.len; at += BLOCK_BYTES) {
		if (is_record(file, at, length_at(file, at)))
			return true;
	}
	return false;
}

bool store_manifest_ends_well(struct bytes file)
{
	size_t at = 0;
	while (at < file.len) {
		size_t left = left_in_block(file, at);
		if (left < HEAD_BYTES) { /* filler, or a head cut short */
			at += left;
			continue;
		}
		size_t len = length_at(file, at);
		if (!is_record(file, at, len))
			return !something_whole_behind(file, at);
		at += HEAD_BYTES + len;
	}
	return true;
}
