/* rfc3339: block times as CometBFT's JSON spells them. Pure. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include "base/bytes.h"

/* Seconds since 1970 (may be negative: Go's zero time is -62135596800) and nanoseconds
 * 0..999999999. */
struct timestamp {
	int64_t seconds;
	int32_t nanos;
};

enum { RFC3339_BYTES = 40 };

int timestamp_compare(struct timestamp a, struct timestamp b);
struct timestamp timestamp_of_ms(int64_t ms);
/* floor to milliseconds: "block time in ms" of protocol.md 3. */
int64_t timestamp_ms(struct timestamp t);
struct timestamp timestamp_of_ns(int64_t ns);

/* UTC with Z, up to nine fractional digits, trailing zeros trimmed. Years 0001..9999. */
void rfc3339_text(char out[RFC3339_BYTES], struct timestamp t);
/* Accepts what rfc3339_text writes and numeric offsets. */
MUST_USE bool rfc3339_parse(struct timestamp *out, const char *text, size_t text_len);

#endif
