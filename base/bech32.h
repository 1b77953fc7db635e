/* bech32: BIP-173 text of an account address, "ait1...". Pure. */
#ifndef BASE_BECH32_H
#define BASE_BECH32_H

#include "base/keys.h"

#define ADDRESS_PREFIX "ait"
enum { ADDRESS_TEXT_BYTES = 64 }; /* room for the text and its NUL */

void address_text(char out[ADDRESS_TEXT_BYTES], const struct account_address *address);

/* False: wrong prefix, mixed case, bad checksum or not 20 bytes. All lower or all upper case. */
MUST_USE bool address_parse(struct account_address *out, const char *text, size_t text_len);

#endif
