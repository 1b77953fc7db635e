#include "base/bech32.h"

#include <string.h>

enum {
	PREFIX_CHARS = sizeof ADDRESS_PREFIX - 1,
	DATA_CHARS = 32, /* 160 bits by five */
	CHECKSUM_CHARS = 6,
	ADDRESS_CHARS = PREFIX_CHARS + 1 + DATA_CHARS + CHECKSUM_CHARS
};

static const char CHARSET[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* One step of BIP-173's checksum over GF(32). */
static uint32_t polymod_step(uint32_t state, uint8_t value)
{
	static const uint32_t generator[5] = {
		0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
	uint32_t top = state >> 25;

	state = (state & 0x1ffffff) << 5 ^ value;
	/* No branch: the bits are random, and every event of a transfer writes two addresses. */
	for (unsigned i = 0; i < 5; i++)
		state ^= generator[i] & (0 - (top >> i & 1));
	return state;
}

/* State after the prefix, spread out as BIP-173 says. */
static uint32_t polymod_of_prefix(void)
{
	uint32_t state = 1;

	for (size_t i = 0; i < PREFIX_CHARS; i++)
		state = polymod_step(state, (uint8_t)(ADDRESS_PREFIX[i] >> 5));
	state = polymod_step(state, 0);
	for (size_t i = 0; i < PREFIX_CHARS; i++)
		state = polymod_step(state, ADDRESS_PREFIX[i] & 31);
	return state;
}

/* Five-bit group i of the address; 160 bits divide evenly, so there is no padding. */
static uint8_t address_group(const struct account_address *address, size_t i)
{
	size_t bit = 5 * i, byte = bit / 8;
	uint32_t window = (uint32_t)address->b[byte] << 8;

	if (byte + 1 < sizeof address->b)
		window |= address->b[byte + 1];
	return window >> (11 - bit % 8) & 31;
}

void address_text(char out[ADDRESS_TEXT_BYTES], const struct account_address *address)
{
	uint32_t state = polymod_of_prefix();
	char *at = out;

	memcpy(at, ADDRESS_PREFIX "1", PREFIX_CHARS + 1);
	at += PREFIX_CHARS + 1;
	for (size_t i = 0; i < DATA_CHARS; i++) {
		uint8_t group = address_group(address, i);

		state = polymod_step(state, group);
		*at++ = CHARSET[group];
	}
	for (size_t i = 0; i < CHECKSUM_CHARS; i++)
		state = polymod_step(state, 0);
	state ^= 1;
	for (unsigned i = 0; i < CHECKSUM_CHARS; i++)
		*at++ = CHARSET[state >> 5 * (CHECKSUM_CHARS - 1 - i) & 31];
	*at = 0;
}

/* The text in lower case; false when it mixes cases or isn't as long as an address. */
static bool lower_case(char out[ADDRESS_CHARS], const char *text, size_t text_len)
{
	bool has_lower = false, has_upper = false;

	if (text_len != ADDRESS_CHARS)
		return false;
	for (size_t i = 0; i < ADDRESS_CHARS; i++) {
		bool is_upper = text[i] >= 'A' && text[i] <= 'Z';

		has_upper |= is_upper;
		has_lower |= text[i] >= 'a' && text[i] <= 'z';
		out[i] = is_upper ? (char)(text[i] - 'A' + 'a') : text[i];
	}
	return !(has_lower && has_upper);
}

bool address_parse(struct account_address *out, const char *text, size_t text_len)
{
	struct account_address address = {{0}};
	uint32_t state = polymod_of_prefix();
	char lower[ADDRESS_CHARS];

	if (!lower_case(lower, text, text_len))
		return false;
	if (memcmp(lower, ADDRESS_PREFIX "1", PREFIX_CHARS + 1) != 0)
		return false;
	for (size_t i = 0; i < DATA_CHARS + CHECKSUM_CHARS; i++) {
		char c = lower[PREFIX_CHARS + 1 + i];
		const char *digit = c == 0 ? NULL : strchr(CHARSET, c);
		uint8_t group;

		if (!digit)
			return false;
		group = (uint8_t)(digit - CHARSET);
		state = polymod_step(state, group);
		for (size_t bit = 0; i < DATA_CHARS && bit < 5; bit++) {
			size_t place = 5 * i + bit;
			unsigned value = group >> (4 - bit) & 1;

			address.b[place / 8] |= (uint8_t)(value << (7 - place % 8));
		}
	}
	if (state != 1)
		return false;
	*out = address;
	return true;
}
