/* presign: funded accounts and their signed transfers, made before anything is measured.
 * Transfer k is of account k % accounts with sequence k / accounts, so that sending them in order
 * never leaves a gap. Owns its memory. Benchmark only. */
#ifndef TESTS_BENCH_PRESIGN_H
#define TESTS_BENCH_PRESIGN_H

#include "base/keys.h"
#include "base/status.h"

struct presigned;

/* The key pair of account `index`, the same in every run. */
void presign_account(struct account_secret *secret, struct account_key *key, uint32_t index);

MUST_USE enum status presigned_new(struct presigned **out, const struct hash32 *chain_tag,
	uint32_t account_count, size_t tx_count, uint64_t fee);
void presigned_free(struct presigned *p);
struct bytes presigned_view(const struct presigned *p, size_t index);
size_t presigned_count(const struct presigned *p);

#endif
