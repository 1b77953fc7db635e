/* candidate: one whole block of the height being decided: its bytes, parts, decoded form and
 * transactions. Owns all of them (heap, bounded by BLOCKS_KEPT candidates of at most max_bytes
 * each). Replica keeps the table; apply reads a candidate while a job on it runs. A block that
 * doesn't decode is a verdict. */
#ifndef REPLICA_CANDIDATE_H
#define REPLICA_CANDIDATE_H

#include "chain/app.h"
#include "chain/format/block.h"
#include "chain/format/part_set.h"
#include "consensus/tally.h"
#include "replica/head.h"

struct candidate {
	struct block_id id;
	struct part_set parts;
	struct arena arena;     /* of block */
	const Pb__Block *block; /* decoded from parts */
	struct timestamp time;
	struct app_tx *txs; /* views into parts' bytes */
	struct hash32 *tx_hashes;
	size_t tx_count;
	size_t jobs; /* of apply that read it just now: it must stay */
};

/* From complete parts, which it takes (also on refusal). *candidate NULL: refused, and *fault says
 * why, or a status. */
MUST_USE enum status candidate_of_parts(
	struct candidate **out, struct part_set *parts_take, const char **fault);
/* From a block's bytes: ours just made, or the log's. */
MUST_USE enum status candidate_of_bytes(
	struct candidate **out, struct bytes raw, const char **fault);
void candidate_free(struct candidate *c);

/* A block of ours: header from the head, last commit (NULL at the initial height), transactions in
 * order. Appends the packed bytes. STATUS_NO_MEMORY. */
struct candidate_plan {
	const struct chain_head *head;
	const char *chain_id;
	struct timestamp time;
	struct validator_address proposer;
	const Pb__Commit *last_commit;
	const Pb__EvidenceList *evidence;
	const struct app_tx *txs;
	size_t tx_count;
};
MUST_USE enum status candidate_pack(struct buf *out, const struct candidate_plan *plan);

/* Does the block follow from the head? NULL: yes; else what is wrong. Signatures of the last commit
 * are checked, but those of precommits in seen (of the last height, verified when they came; NULL:
 * none); its transactions are the app's to judge, its evidence evidence.h's. */
const char *candidate_fault(const struct candidate *c, const struct chain_head *head,
	const char *chain_id, const struct tally *seen);

/* Bytes left for transactions (as mempool_block_bytes counts them) in a block of max_bytes with a
 * commit of n validators. */
size_t candidate_tx_room(int64_t block_bytes_max, uint32_t validator_count);

#endif
