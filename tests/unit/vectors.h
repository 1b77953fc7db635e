/* vectors: known answers from tests/vectors, read for a test; any fault in the file fails the test.
 */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/hash.h"
#include "base/rfc3339.h"

/* The whole file; json_decref when done. */
json_t *vectors_load(const char *file);
json_t *vectors_member(const json_t *object, const char *key);
int64_t vectors_int(const json_t *object, const char *key);
const char *vectors_text(const json_t *object, const char *key);
struct timestamp vectors_time(const json_t *object, const char *key);

/* Hex text decoded into memory that lives until vectors_free_all. */
struct bytes vectors_hex(const json_t *text);
struct bytes vectors_bytes(const json_t *object, const char *key);
struct hash32 vectors_hash(const json_t *object, const char *key);
void vectors_free_all(void);

/* Fails naming what, with both sides in hex. */
void assert_bytes_equal(struct bytes is, struct bytes expected, const char *what);
void assert_hash_equal(struct hash32 is, struct hash32 expected, const char *what);

#endif
