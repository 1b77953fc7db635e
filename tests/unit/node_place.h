/* node_place: a folder of its own for one test, with everything in it gone afterwards. */
#ifndef TESTS_NODE_PLACE_H
#define TESTS_NODE_PLACE_H

#include "node/files.h"

struct place {
	char dir[64];
};

void place_make(struct place *p);
void place_remove(struct place *p);

/* dir/name, in memory that the next eight calls leave alone. */
const char *place_path(const struct place *p, const char *name);
/* Puts a new file there. */
void place_write(const struct place *p, const char *name, const void *content, size_t len);
/* The content of a small file, into text of this size; its length. */
size_t place_read(const struct place *p, const char *name, void *out, size_t size);
unsigned place_mode(const struct place *p, const char *name);
bool place_has(const struct place *p, const char *name);

/* Runs act in a child whose files may not grow past `bytes`, as on a full disk, and says what it
 * answered (0..255). */
int place_full(size_t bytes, int (*act)(void *ctx), void *ctx);

#endif
