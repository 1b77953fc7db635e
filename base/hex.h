/* hex, base64: the two spellings of bytes that the wire uses. Pure; decoders accept one form only.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/bytes.h"

/* Writes 2*len digits and a NUL to out (room for 2*len+1). */
void hex_upper(char *out, const void *data, size_t len);
void hex_lower(char *out, const void *data, size_t len);

/* Decodes exactly 2*len digits of either case from text[0..text_len). False: other length or digit.
 */
MUST_USE bool hex_decode(uint8_t *out, size_t len, const char *text, size_t text_len);

void buf_append_hex_upper(struct buf *b, const void *data, size_t len);
void buf_append_hex_lower(struct buf *b, const void *data, size_t len);

/* Standard alphabet with padding, as Go's base64.StdEncoding. */
void buf_append_base64(struct buf *b, const void *data, size_t len);

/* Appends the decoded bytes. False, with b->len as before: bad digit, padding, or non-zero spare
 * bits; a failed buf is reported by buf_ok. */
MUST_USE bool base64_decode(struct buf *out, const char *text, size_t text_len);

#endif
