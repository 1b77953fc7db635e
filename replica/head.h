/* head: where this validator's chain stands after its last committed block, as a plain value; how
 * it is read from and written to the store, and how it moves on. Pure but for reading the store it
 * is given. */
#ifndef REPLICA_HEAD_H
#define REPLICA_HEAD_H

#include "chain/app.h"
#include "chain/format/block.h"
#include "chain/format/validators.h"

struct chain_head {
	int64_t height;
	struct block_id block_id;
	struct timestamp time;
	struct hash32 app_hash;               /* after this block: the next header carries it */
	struct hash32 last_results_hash;      /* of this block's results */
	struct validator_set validators;      /* of height + 1 */
	struct validator_set next_validators; /* of height + 2 */
	struct validator_set last_validators; /* of height; count 0 before the first */
	int64_t base_height;
	int64_t initial_height;
	uint64_t app_version;
	Pb__ConsensusParams params;
};

/* What the chain starts from: the genesis document's part that the engine needs. */
struct chain_start {
	const char *chain_id;
	int64_t initial_height;
	struct timestamp time;
	struct validator_set validators; /* as validator_set_make gives it */
	Pb__ConsensusParams params;
};

/* The head before the first block. */
void chain_head_of_genesis(struct chain_head *out, const struct chain_start *start,
	const struct hash32 *app_hash, uint64_t app_version);

/* STATUS_NOT_FOUND: the store is new. STATUS_CORRUPT: its head doesn't parse. */
MUST_USE enum status chain_head_load(
	struct chain_head *out, struct store *store, int64_t initial_height);

/* In the arena; NULL: exhausted. */
Pb__Head *chain_head_to_pb(const struct chain_head *head, struct arena *arena);

/* The head after one more block. validators_ok false: the app's updates break a rule of the set:
 * our bug or its. */
void chain_head_advance(struct chain_head *head, bool *validators_ok,
	const struct block_id *block_id, struct timestamp time, const struct app_result *result,
	const struct hash32 *results_hash);

#endif
