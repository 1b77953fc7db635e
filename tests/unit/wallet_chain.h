/* wallet_chain: a small chain behind a real HTTP port for the sender's tests. It admits, orders by
 * sequence and commits like a node, and each broadcast can be told to go wrong in one of the ways
 * networks do. */
#ifndef TESTS_WALLET_CHAIN_H
#define TESTS_WALLET_CHAIN_H

#include <event2/event.h>

#include "base/limits.h"
#include "chain/tx.h"
#include "http/shell.h"

/* What happens to one broadcast, in the order they come. */
enum chain_plan {
	PLAN_COMMIT,      /* as it should */
	PLAN_COMMIT_MUTE, /* commits, but the answer is lost */
	PLAN_COMMIT_LATE, /* admitted; commits at the next broadcast or look-up; "timed out waiting"
			   */
	PLAN_LOSE,        /* never arrives, no answer */
	PLAN_LOSE_ADMITTED, /* admitted, forgotten, and block time passes its end */
	PLAN_STEAL,         /* another transaction takes the sequence first: stale */
	PLAN_FULL,          /* mempool is full */
	PLAN_REFUSE_FEE,    /* fee_too_low once, and the chain's fee is higher from then on */
	PLAN_REFUSE_FUNDS
};

enum { CHAIN_TXS_MAX = 512, CHAIN_PLANS_MAX = 64 };

struct chain_tx {
	struct hash32 hash;
	uint64_t sequence;
	int64_t height;    /* 0: waits */
	char job_id[65];   /* of its first cancel_job; "" for a filler */
	uint64_t transfer; /* amount of a first transfer */
	uint64_t valid_until_ms;
	bool lost; /* admitted and forgotten */
};

struct chain {
	struct http_shell *shell;
	char url[64];
	struct hash32 tag;
	enum chain_plan plans[CHAIN_PLANS_MAX];
	size_t plan_count;
	size_t broadcasts;
	struct chain_tx txs[CHAIN_TXS_MAX];
	size_t tx_count;
	uint64_t next_sequence;
	uint64_t base_fee;
	int64_t height;
	uint64_t block_ms;
	bool each_failed; /* EACH results say that action 1 failed */
};

bool chain_start(struct chain *chain, struct event_base *loop);
void chain_stop(struct chain *chain);
/* How often an act with this job id is in a block. */
size_t chain_committed(const struct chain *chain, const char *job_id);

#endif
