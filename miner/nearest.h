/* nearest: which known name did somebody mean? For messages about a mistyped key of a
 * configuration. Pure. */
#ifndef MINER_NEAREST_H
#define MINER_NEAREST_H

#include <jansson.h>

#include "base/bytes.h"

/* The known name (NULL-terminated list) with the fewest edits from name, or NULL when none is near:
 * more than a third of the letters would change. */
const char *nearest_name(const char *const *known, const char *name);

/* Every member of object is in known. False: fault says which isn't, where, and the nearest name.
 */
MUST_USE bool known_keys(
	char fault[256], const json_t *object, const char *where, const char *const *known);

#endif
