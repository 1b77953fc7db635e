/* ask: blocking questions to a live node for tests and benchmarks: raw HTTP bytes, and JSON-RPC on
 * top. One connection per question. Never part of a program. */
#ifndef TESTS_LIVE_ASK_H
#define TESTS_LIVE_ASK_H

#include <jansson.h>

#include "base/bytes.h"

enum { ASK_TIMEOUT_MS = 15000, ASK_CLOSING_MS = 200 };

/* Sends the bytes to 127.0.0.1:port and appends the answer's body (everything after the head) to
 * *body, which may be NULL. Returns the HTTP status; 0: the other side closed without a whole
 * answer, or nobody listens; -1: it didn't answer in time. */
int ask_raw(uint16_t port, struct bytes request, struct buf *body);

/* The same, but our half of the connection is closed after the request, and -1 comes after
 * ASK_CLOSING_MS: for requests whose head may promise more than they bring. */
int ask_raw_closing(uint16_t port, struct bytes request);

/* POST of a JSON body to path. */
int ask_post(uint16_t port, const char *path, struct bytes json, struct buf *body);
int ask_get(uint16_t port, const char *path, struct buf *body);

/* A JSON-RPC call; params is stolen and may be NULL. The result as a new reference; NULL: no answer
 * or an error, whose data (or message) is in fault. */
json_t *ask_call(uint16_t port, const char *method, json_t *params, char fault[256]);

/* The number in a text or integer member; -1: not there. */
int64_t ask_number(const json_t *object, const char *name);

#endif
