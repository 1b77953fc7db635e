/* checks: what must be true of a chain whoever looks at it from outside: one block a height, a
 * commit that verifies, one app hash, no key that signs twice, no unit of money that appears or
 * vanishes, no job paid twice, nothing committed that is lost. Reads stores and overhears messages;
 * never asks a node what it believes. The first breach is kept as a text; later ones are ignored.
 */
#ifndef TESTS_SIM_CHECKS_H
#define TESTS_SIM_CHECKS_H

#include "chain/store.h"
#include "consensus/fence.h"
#include "replica/head.h"
#include "tests/sim/accuse.h"
#include "tests/sim/people.h"

enum { CHECKS_HEIGHTS_MAX = 20000, CHECKS_JOBS_MAX = 4096, CHECKS_CONVICTS_MAX = 1024 };

struct signed_once {
	int64_t height;
	int32_t round;
	enum fence_step step;
	struct hash32 sign_bytes;
};

/* Precommits overheard for one block in one round. */
struct heard {
	int32_t round;
	struct block_id block;
	bool from[VALIDATORS_MAX];
};

struct height_seen {
	bool committed;
	struct block_id block;
	struct hash32 app_hash;
	struct timestamp time;
	struct heard *heard;
	size_t heard_count;
	bool decided; /* by precommits that left their makers */
	struct block_id decided_block;
};

struct job_seen {
	struct job_key key;
	uint64_t reward; /* 0: never seen alive */
	bool ended;
	struct hash32 record; /* of the end */
	uint64_t to_miner;
};

struct convicted {
	uint32_t who;
	int64_t height;
};

struct tx_seen {
	struct hash32 hash;
	int64_t height;
	uint32_t index;
};

struct checks {
	const struct people *people;
	struct validator_set validators;
	struct signed_once *signatures[VALIDATORS_MAX];
	size_t signature_count[VALIDATORS_MAX], signature_cap[VALIDATORS_MAX];
	struct height_seen *heights; /* by height */
	int64_t top;                 /* highest committed by anyone */
	struct job_seen *jobs;
	size_t job_count;
	struct tx_seen *txs; /* in order of height */
	size_t tx_count, tx_cap;
	size_t jobs_paid, jobs_ended;
	bool faulty[VALIDATORS_MAX]; /* by seat: may sign and say what it likes */
	struct convicted convicts[CHECKS_CONVICTS_MAX];
	size_t convictions; /* proofs of double signing in blocks */
	/* As many lie as it takes to fork: a fork is no breach; that nobody is to blame for it is.
	 */
	bool forks;
	struct accuse accuse; /* only where there may be forks */
	int64_t forked;       /* the height where two blocks were committed; 0: none */
	size_t accused;       /* keys named for it */
	char fault[256];      /* "": all is well */
};

void checks_init(struct checks *c, const struct people *people);
void checks_fini(struct checks *c);

/* A signature exists: of validator `who`, over what the record says. */
void checks_signed(struct checks *c, uint32_t who, const struct fence_record *record);
/* A vote, rightly signed, has left a validator, who may be a liar. */
void checks_heard(struct checks *c, const struct vote *vote);
/* Two honest validators have parted: name the guilty, and hold that against what they are. */
void checks_judge(struct checks *c);
/* Bytes have reached a validator. */
void checks_reached(struct checks *c, struct bytes message);
/* Bytes have left an honest validator. */
void checks_sent(struct checks *c, struct bytes message);
/* A node says that the block at the top of its store is committed. */
void checks_committed(struct checks *c, uint32_t node, struct store *store,
	const struct hash32 *tx_hashes, size_t tx_count, int64_t height);
/* A node starts on this store after having said that `told` was committed. all: look at every
 * height and transaction, not only the last ones. */
void checks_store(struct checks *c, uint32_t node, struct store *store, int64_t told, bool all);

#endif
