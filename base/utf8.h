/* utf8: which bytes are a character. Pure. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

/* Length of the UTF-8 sequence at text's start, 1..4; 0 when there is none (surrogates, overlong
 * forms, beyond U+10FFFF, cut off, empty text). */
size_t utf8_sequence(struct bytes text);

/* Nothing but UTF-8, and no NUL. */
MUST_USE bool utf8_valid(struct bytes text);

#endif
