/* nearest: refuses the mistyped keys of a configuration, and says what was probably meant. Pure. */
#ifndef MINER_NEAREST_H
#define MINER_NEAREST_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/nearest.h"

/* Every member of object is in known. False: fault says which isn't, where, and the nearest name.
 */
MUST_USE bool known_keys(
	char fault[256], const json_t *object, const char *where, const char *const *known);

#endif
