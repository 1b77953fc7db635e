#include "base/utf8.h"

size_t utf8_sequence(struct bytes text)
{
	uint8_t first = text.len > 0 ? text.data[0] : 0xff;
	uint8_t least = 0x80, most = 0xbf;
	size_t len;

	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (first == 0xe0)
		least = 0xa0; /* overlong */
	if (first == 0xed)
		most = 0x9f; /* surrogates */
	if (first == 0xf0)
		least = 0x90; /* overlong */
	if (first == 0xf4)
		most = 0x8f; /* beyond U+10FFFF */
	if (len > text.len || text.data[1] < least || text.data[1] > most)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((text.data[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

bool utf8_valid(struct bytes text)
{
	size_t at = 0;

	while (at < text.len) {
		size_t len = utf8_sequence(bytes_view(text.data + at, text.len - at));

		if (len == 0 || text.data[at] == 0)
			return false;
		at += len;
	}
	return true;
}
