/* json: strict reading (jansson behind one scan) and plain writing.
 * Reading refuses depth over JSON_DEPTH_MAX, duplicate keys, invalid UTF-8, NUL, integers outside
 * int64, reals beyond a double and trailing bytes: all but duplicates and reals before jansson sees
 * the text. Writing appends to a buf in the caller's order of fields. Pure; the json_t returned
 * belongs to the caller (json_decref). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/bytes.h"

struct json_fault {
	char text[160]; /* what is wrong, with the byte offset; for the requester's eyes */
};

/* NULL: refused, fault says why. Any JSON value is accepted at the top. */
MUST_USE json_t *json_read(struct bytes text, struct json_fault *fault);
/* The same, and refused when it holds more than values_max values of any kind, before a byte is
 * allocated: an empty object takes 2 bytes of text and 150 of memory, so what strangers send has a
 * bound. */
MUST_USE json_t *json_read_bounded(struct bytes text, size_t values_max, struct json_fault *fault);

/* The bytes of each top-level member "id" (of the object, or of each object of the top-level array)
 * as they stood in the text: JSON-RPC echoes them unchanged. Fills at most max entries in order of
 * the elements, an empty view where there is none; returns how many elements there are (1 for an
 * object). */
size_t json_id_spans(struct bytes text, struct bytes *ids, size_t max);

/* The bytes of one member of a top-level object as they stood in the text, without the space around
 * them: what a hash is taken over. name is matched as it is spelled in the text, so a key written
 * with escapes is not found. False: text is no JSON object within our bounds, or has no such
 * member. When json_read accepted the text, there is no second member of that name. *span borrows
 * from text. */
MUST_USE bool json_member_span(struct bytes text, const char *name, struct bytes *span);

/* The members of a top-level object as they stand in the text, in its order, views into it. False:
 * not what json_read accepts as an object, or one that only json_read can judge: more than max
 * members, a key twice or spelled with an escape. What json_read alone refuses, a real beyond a
 * double, may still stand in a value. */
struct json_member {
	struct bytes key;   /* without its quotes */
	struct bytes value; /* without the space around it */
};
MUST_USE bool json_members(
	struct bytes text, struct json_member *members, size_t max, size_t *count);

/* Writing. json_put_string quotes and escapes as Go's encoder does with HTML escaping off. */
void json_put_string(struct buf *b, const char *text, size_t len);
void json_put_text(struct buf *b, const char *text);
void json_put_key(struct buf *b, const char *key);     /* "key": */
void json_put_u64_text(struct buf *b, uint64_t value); /* "12"   */
void json_put_i64_text(struct buf *b, int64_t value);  /* "-12"  */
void json_put_u64(struct buf *b, uint64_t value);      /* 12     */
void json_put_i64(struct buf *b, int64_t value);
void json_put_bool(struct buf *b, bool value);
void json_put_hex_upper(struct buf *b, const void *data, size_t len);
/* base64 in quotes; null when data is empty, as Go writes a nil []byte. */
void json_put_base64(struct buf *b, const void *data, size_t len);

#endif
