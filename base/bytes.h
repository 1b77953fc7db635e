/* bytes: borrowed views of memory and one growable buffer.
 * A view never owns; a buf owns its heap block until buf_fini. Nothing here reads or writes files.
 * Failure of a buf is sticky: append as often as you like, ask buf_ok once at the end. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

/* A borrowed run of bytes. data may be NULL only when len is 0. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

static inline struct bytes bytes_view(const void *data, size_t len)
{
	struct bytes view = {data, len};
	return view;
}

/* View of a NUL-terminated text, without its NUL. */
struct bytes bytes_of_text(const char *text);

/* Equal length and content. Not constant time: for secrets see keys.h secret_equal. */
bool bytes_equal(struct bytes a, struct bytes b);

/* Like memcmp with the shorter one first when it is a prefix of the other: key order of the store.
 */
int bytes_compare(struct bytes a, struct bytes b);

/* A growable buffer. Zero bytes are a valid empty buf whose bound is BUF_BYTES_MAX. */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;  /* never grows past this; 0 means BUF_BYTES_MAX of limits.h */
	bool failed; /* an append found no memory or passed max; content is then undefined */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);

/* Forget the content and a failure, keep the memory. */
void buf_clear(struct buf *b);

/* No append failed since init or clear. */
MUST_USE bool buf_ok(const struct buf *b);

/* Room for len more bytes at the end, whose start is returned and already counted in b->len;
 * NULL when the buf failed. The caller fills all of them. */
uint8_t *buf_extend(struct buf *b, size_t len);

void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_view(struct buf *b, struct bytes view);
void buf_append_text(struct buf *b, const char *text);
void buf_append_byte(struct buf *b, uint8_t byte);
void buf_append_u32be(struct buf *b, uint32_t value);
void buf_append_u64be(struct buf *b, uint64_t value);

/* printf into the buf. For messages and JSON text, never for consensus bytes. */
void buf_appendf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The content as a view that lives until the next append. */
struct bytes buf_view(const struct buf *b);

/* The content as a text: puts a NUL after it (not counted in len). "" when the buf failed. */
const char *buf_text(struct buf *b);

#endif
