/* blocks_file: chains of blocks as one file, to be executed again elsewhere: by another compiler,
 * on another kind of machine. A file is a row of worlds; each begins with its genesis. Integers are
 * big endian, so that any machine reads what another wrote. Pure; who calls reads and writes. */
#ifndef TESTS_REPLAY_BLOCKS_FILE_H
#define TESTS_REPLAY_BLOCKS_FILE_H

#include "base/cursor.h"
#include "chain/app.h"
#include "chain/settle/settle.h"

enum { BLOCKS_FILE_TXS_MAX = 4096, BLOCKS_FILE_SEATS_MAX = 100 };

enum blocks_file_kind { BLOCKS_FILE_WORLD = 1, BLOCKS_FILE_BLOCK = 2 };

void blocks_file_put_world(
	struct buf *out, const struct settle_config *config, const struct app_genesis *genesis);
/* app_hash: what came of it where it was made. */
void blocks_file_put_block(
	struct buf *out, const struct app_block *block, const struct hash32 *app_hash);

/* The next record; its bytes are borrowed from the file. */
struct blocks_file_record {
	enum blocks_file_kind kind;
	struct settle_config config; /* of a world */
	struct app_genesis genesis;
	struct app_validator_update seats[BLOCKS_FILE_SEATS_MAX];
	struct app_block block; /* of a block */
	struct app_tx txs[BLOCKS_FILE_TXS_MAX];
	struct hash32 app_hash;
};

/* False: at the end, or where the file is broken (at->bad). */
MUST_USE bool blocks_file_next(struct blocks_file_record *out, struct cursor *at);

#endif
