/* wal: the consensus log's frames: every input of core for the current height, and every whole
 * block, in the order they entered. Replaying them through a fresh core restores locks, votes and
 * proofs of lock exactly. Frame: length (4) | crc32c of the length (4) | crc32c of the payload (4)
 * | payload; so a damaged length isn't taken for a frame cut short. Payload: kind 1 | height 8 |
 * body. Pure; node/ owns the file. A frame cut short at the very end is a torn tail; damage with
 * more after it is rot, unless nothing signed stands on it, which the fence knows
 * (replica_recover). */
#ifndef CONSENSUS_WAL_H
#define CONSENSUS_WAL_H

#include "base/cursor.h"
#include "consensus/core.h"

enum { WAL_FRAME_HEADER_BYTES = 12, WAL_RECORD_BYTES_MAX = GENESIS_BLOCK_BYTES_MAX + 1024 * 1024 };

/* On disk, never renumber. */
enum wal_kind { WAL_INPUT = 1, WAL_BLOCK = 2 };

struct wal_record {
	enum wal_kind kind;
	int64_t height;
	struct consensus_input input; /* WAL_INPUT: all kinds but IN_EXECUTED and IN_COMMITTED */
	struct block_id block;        /* WAL_BLOCK */
	struct bytes block_raw;       /* borrowed from the log's bytes */
};

void wal_append_input(struct buf *out, const struct consensus_input *in, int64_t height);
void wal_append_block(struct buf *out, int64_t height, const struct block_id *id, struct bytes raw);

enum wal_answer { WAL_RECORD, WAL_END, WAL_TORN, WAL_ROTTEN };
/* Reads the record at *at and moves past it; on every other answer *at stays. */
enum wal_answer wal_next(struct bytes log, size_t *at, struct wal_record *out);

#endif
