/* store_remains: what lies in a database's folder before RocksDB opens it: damage that the library
 * would pass over in silence, or that would end the process. Reads files; changes nothing. Used by
 * store_rocks.c alone. */
#ifndef CHAIN_STORE_REMAINS_H
#define CHAIN_STORE_REMAINS_H

#include <stdbool.h>

struct store_remains {
	bool any; /* files of a database */
	/* What keeps it from being opened, in words; NULL: nothing. */
	const char *fault;
};

struct store_remains store_remains_look(const char *dir);

#endif
