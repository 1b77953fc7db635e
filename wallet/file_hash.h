/* file_hash: SHA-256 of a file, as artifacts are named by it. Blocks; reads in pieces. */
#ifndef WALLET_FILE_HASH_H
#define WALLET_FILE_HASH_H

#include "base/hash.h"

/* False: the file can't be read (errno says why). size may be NULL. */
MUST_USE bool file_hash(struct hash32 *out, uint64_t *size, const char *path);

#endif
