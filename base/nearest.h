/* nearest: which known name did somebody mean? For messages about a mistyped command, flag or
 * setting. Pure. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

/* The known name (NULL-terminated list) with the fewest edits from name, or NULL when none is near:
 * more than a third of the letters would change. */
const char *nearest_name(const char *const *known, const char *name);

#endif
