/* chain: the few things the miner asks the chain itself: a job with its assignment, its own balance
 * and what a deliver_result costs; and what job time it is now. Owns nothing but its clock; borrows
 * rpc client and sender. Loop thread. A node that doesn't answer is an answer of its own kind. */
#ifndef MINER_CHAIN_H
#define MINER_CHAIN_H

#include "rpc/client.h"
#include "wallet/sender.h"
#include "wallet/terms.h"

/* The largest transaction with one deliver_result: every text at its bound. */
enum { DELIVER_TX_BYTES_MAX = 640, CHAIN_ASK_MS = 5000 };

struct chain {
	struct rpc_client *rpc;
	struct sender *sender;
	uint64_t (*now_ms)(void); /* monotonic */
	/* Largest (job time told - our clock at that moment): a lower bound of the truth that a
	 * freshly made block makes tight. */
	bool clock_known;
	int64_t clock_offset_ms;
};

enum chain_answer { CHAIN_JOB, CHAIN_NO_JOB, CHAIN_SILENT };

struct chain_view {
	enum chain_answer answer;
	struct job_terms terms; /* of CHAIN_JOB */
	const char *fault;      /* of the others */
};
typedef void chain_seen(void *ctx, const struct chain_view *view);

/* Not OK: seen will not be called. */
MUST_USE enum status chain_look(struct chain *chain, const struct account_address *client,
	const char *job_id, chain_seen *seen, void *ctx);

/* known false: the chain didn't answer. fee: of a deliver_result, at the most. */
typedef void chain_funds(void *ctx, bool known, uint64_t balance, uint64_t fee, const char *fault);
MUST_USE enum status chain_ask_funds(struct chain *chain, chain_funds *done, void *ctx);

/* What job time it is now, as near as our clock can say; 0 before the first answer. */
uint64_t chain_job_time_ms(const struct chain *chain);

#endif
