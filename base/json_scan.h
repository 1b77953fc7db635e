/* json_scan: the one pass over a JSON text that comes before anything else sees it.
 * Private to base. Allocates nothing, recurses JSON_DEPTH_MAX deep at most, linear in the text. */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/bytes.h"

/* What a scan tells its caller of the values it passes. Either may be NULL. */
struct json_scan_events {
	/* A value that is the top (depth 0) or an element of a top-level array (depth 1) begins. */
	void (*element)(void *ctx);
	/* A member of such a value, as its raw key (without quotes) and its value stood in the
	 * text. */
	void (*member)(void *ctx, struct bytes key, struct bytes value);
	void *ctx;
	size_t values_max; /* more values than this, of any kind, are a fault; 0: no bound */
};

/* NULL when the whole text is one JSON value within our bounds; otherwise what is wrong, and
 * *offset is the byte at fault. */
const char *json_scan(struct bytes text, const struct json_scan_events *events, size_t *offset);

#endif
