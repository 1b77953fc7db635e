/* cluster: a few production validators in one process on the real disk: node/disk's log and fence,
 * RocksDB or a memory store, and a clock that only moves when nothing is left to do. Messages
 * arrive at once and in order: what is tested is what a node makes of its disk, not of its network.
 * Knows of every signature that was ever made and of every block: a contradiction is its fault. */
#ifndef TESTS_ROT_CLUSTER_H
#define TESTS_ROT_CLUSTER_H

#include "node/disk.h"
#include "replica/replica.h"
#include "tests/sim/people.h"

enum { CLUSTER_MAX = 4, CLUSTER_FAULT_BYTES = 400 };

struct cluster;

struct member {
	struct cluster *cluster;
	uint32_t index;
	char home[NODE_PATH_BYTES];
	/* The rows are in HOME/data; else in memory, which survives a stop. Set before a start. */
	bool rocks;
	bool renew_fence, clock_unchecked, ignores_twins; /* the operator's words, per start */
	uint32_t look_back_blocks;                        /* 0: as many as the node looks */
	int64_t clock_ms;                                 /* of its wall clock over the others' */
	bool up;
	struct validator_secret secret;
	struct store memory;
	struct store store; /* as its replica sees it */
	struct disk disk;
	struct app app;
	struct mempool *mempool;
	struct replica *replica;
	struct replica_effects effects;
	bool sync_wanted;
	struct replica_input *inputs; /* a queue */
	size_t input_count, input_cap;
	char stopped[CLUSTER_FAULT_BYTES]; /* why it stopped itself */
	int64_t voted;                     /* the last height at which it precommitted a block */
	uint64_t signatures, proposals;
};

struct cluster {
	struct people people;
	uint32_t count;
	struct member members[CLUSTER_MAX];
	uint64_t now_ms;
	struct store_batch *batches; /* of member 0's store, in order, genesis first */
	size_t batch_count;
	bool keeps_batches;
	struct said *said;
	size_t said_count;
	struct block_id *blocks; /* by height */
	int64_t top;
	struct mail *mail;
	size_t mail_first, mail_count, mail_cap;
	uint64_t next_sequence;
	struct log log;
	char last_event[CLUSTER_FAULT_BYTES];  /* of the unusual kind */
	char votes_again[CLUSTER_FAULT_BYTES]; /* the last event of that name */
	char fault[CLUSTER_FAULT_BYTES];       /* what must never be; "": nothing */
};

/* Homes node0.. in dir, which exists; nobody runs. */
void cluster_init(struct cluster *c, const char *dir, uint32_t count);
void cluster_fini(struct cluster *c);

/* Opens what is in its home. Anything but STATUS_OK: fault says why it doesn't run. */
MUST_USE enum status cluster_start(struct cluster *c, uint32_t index, char fault[256]);
/* Everything that lives in memory is gone; what was written stays. */
void cluster_stop(struct cluster *c, uint32_t index);

/* Lets time pass until all that are up have committed this height, or so many ms went by. False:
 * they haven't. */
bool cluster_reach(struct cluster *c, int64_t height, uint64_t ms);
/* Its replica gets this input, and what follows from it is done. */
void cluster_input(struct cluster *c, uint32_t index, const struct replica_input *in);
/* One transfer of Alice's to Bob's into every mempool. */
void cluster_transfer(struct cluster *c);

int64_t cluster_height(const struct cluster *c, uint32_t index);

#endif
