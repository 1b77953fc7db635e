/* wire: what protobuf-c doesn't do by itself: strictness before unpacking, canonicity after it, and
 * packing straight into a hash. Pure; allocates nothing. Used by every decoder of foreign messages.
 */
#ifndef CHAIN_FORMAT_WIRE_H
#define CHAIN_FORMAT_WIRE_H

#include <protobuf-c/protobuf-c.h>

#include "base/hash.h"

/* How often a repeated field of a message may occur; a repeated field that no bound names may not.
 */
struct wire_bound {
	const ProtobufCMessageDescriptor *message;
	uint32_t field;
	size_t max;
};

enum wire_verdict {
	WIRE_OK,
	WIRE_BAD, /* not this message: unknown field, wrong type, singular twice, bad text, foreign
		     enum */
	WIRE_TOO_MANY /* a repeated field past its bound */
};

/* Reads raw as a message of this shape, at every depth, without unpacking it. *field (may be NULL)
 * gets the name of the field at fault, or of the message. As deep as the schema, which has no
 * cycles. */
MUST_USE enum wire_verdict wire_check(const ProtobufCMessageDescriptor *message, struct bytes raw,
	const struct wire_bound *bounds, size_t bound_count, const char **field);

/* Does packing the message give exactly raw? */
MUST_USE bool wire_is_packing_of(const ProtobufCMessage *message, struct bytes raw);

/* Of the packed message: into a running hash, SHA-256, and the Merkle leaf hash. */
void wire_sha256_add(struct sha256 *s, const ProtobufCMessage *message);
struct hash32 wire_sha256(const ProtobufCMessage *message);
struct hash32 wire_leaf(const ProtobufCMessage *message);

/* Appends the packed message, or its length as a varint and then the message. */
void wire_append(struct buf *out, const ProtobufCMessage *message);
void wire_append_delimited(struct buf *out, const ProtobufCMessage *message);

static inline struct bytes wire_view(ProtobufCBinaryData data)
{
	return bytes_view(data.data, data.len);
}

/* protobuf-c has no const views; packing only reads what this points at. */
static inline ProtobufCBinaryData wire_borrow(const void *data, size_t len)
{
	ProtobufCBinaryData borrowed = {len, (uint8_t *)(uintptr_t)data};
	return borrowed;
}

#endif
