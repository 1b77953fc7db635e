#include "chain/store_table.h"

#include <string.h>

#include "base/cursor.h"

/* The library's table format, versions 1 to 5. At the end of the file: checksum kind (1), where the
 * list of meta blocks is, where the index is, zeros up to 41 bytes, version (4), magic (8). A place
 * is an offset and a size, base-128 integers. A block of entries ends with the offsets of its
 * restarts and their number (4, little-endian), whose highest bit says that a hash index follows.
 */
enum { FOOTER_BYTES = 53, NAME_BYTES_MAX = 256 };

static const uint8_t magic[8] = {0xf7, 0xcf, 0xf4, 0x85, 0xb7, 0x41, 0xe2, 0x88};
static const char properties[] = "rocksdb.properties";

/* The block at the place that is read next; empty: it isn't in the tail. */
static struct bytes block_of(struct cursor *place, struct bytes tail, uint64_t file_bytes)
{
	uint64_t offset = cursor_uvarint(place), size = cursor_uvarint(place);
	uint64_t start = file_bytes - tail.len;

	if (place->bad || offset < start || offset > file_bytes || size > file_bytes - offset)
		return bytes_view(NULL, 0);
	return bytes_view(tail.data + (offset - start), (size_t)size);
}

/* Names of meta blocks share nothing with the one before: each starts anew. */
static struct bytes properties_of(struct bytes list, struct bytes tail, uint64_t file_bytes)
{
	struct cursor c = cursor_of(list);

	while (c.left > 0 && !c.bad) {
		uint64_t shared = cursor_uvarint(&c), name_len = cursor_uvarint(&c);
		uint64_t value_len = cursor_uvarint(&c);

		if (c.bad || shared != 0 || name_len > NAME_BYTES_MAX || value_len > c.left)
			break;
		struct bytes name = cursor_view(&c, (size_t)name_len);
		struct cursor place = cursor_of(cursor_view(&c, (size_t)value_len));
		if (!c.bad && bytes_equal(name, bytes_of_text(properties)))
			return block_of(&place, tail, file_bytes);
	}
	return bytes_view(NULL, 0);
}

bool store_table_can_be_opened(struct bytes tail, uint64_t file_bytes)
{
	if (tail.len < FOOTER_BYTES || tail.len > file_bytes)
		return true;
	const uint8_t *footer = tail.data + tail.len - FOOTER_BYTES;
	if (memcmp(footer + FOOTER_BYTES - sizeof magic, magic, sizeof magic) != 0)
		return true;
	struct cursor places = cursor_of(bytes_view(footer + 1, FOOTER_BYTES - 1));
	struct bytes list = block_of(&places, tail, file_bytes);
	struct bytes block = properties_of(list, tail, file_bytes);
	return block.len == 0 || (block.data[block.len - 1] & 0x80) == 0;
}
