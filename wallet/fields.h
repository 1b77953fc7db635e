/* fields: typed members of the JSON that node and coordinator answer. 64-bit integers come as
 * decimal texts (or small numbers), addresses as bech32, keys and hashes as hex, enums by name.
 * Every reader answers false for a member that is absent or of another form, and leaves out
 * untouched; object may be NULL or no object. Pure; owns nothing. */
#ifndef WALLET_FIELDS_H
#define WALLET_FIELDS_H

#include <jansson.h>

#include "base/bech32.h"
#include "base/rfc3339.h"
#include "chain/proto/settle.pb-c.h"

MUST_USE bool field_u64(uint64_t *out, const json_t *object, const char *name);
MUST_USE bool field_u32(uint32_t *out, const json_t *object, const char *name);
MUST_USE bool field_i64(int64_t *out, const json_t *object, const char *name);
MUST_USE bool field_bool(bool *out, const json_t *object, const char *name);
/* Exactly len bytes as 2*len hex digits of either case. */
MUST_USE bool field_hex(uint8_t *out, size_t len, const json_t *object, const char *name);
MUST_USE bool field_address(struct account_address *out, const json_t *object, const char *name);
MUST_USE bool field_time(struct timestamp *out, const json_t *object, const char *name);
/* A text of 0..max bytes without NUL, copied with its NUL (room for max + 1). */
MUST_USE bool field_copy(char *out, size_t max, const json_t *object, const char *name);
/* Name of an enum of the schema. */
MUST_USE bool field_enum(
	int *out, const ProtobufCEnumDescriptor *names, const json_t *object, const char *name);
/* Borrowed from object; "" when it is absent or no text. Never NULL. */
const char *field_text(const json_t *object, const char *name);

/* Whole decimal u64 without sign or leading zeros. */
MUST_USE bool u64_parse(uint64_t *out, const char *text, size_t len);

#endif
