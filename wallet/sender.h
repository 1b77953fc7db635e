/* sender: one account's voice on the chain. Takes actions, makes, signs and broadcasts
 * transactions, and tells what became of each action. Owns its account's secret (locked in memory,
 * wiped at free), the next sequence, and everything it has under way: at most SENDER_FLIGHT_MAX
 * transactions with consecutive sequences, the rest queued in order. Learns chain tag and fees from
 * the chain itself. Used by coordinator, miner daemon and the aitbc command, on their loop thread;
 * never blocks. Never acts twice: an answer that doesn't come is resolved by looking the
 * transaction up by its hash, and the same act is signed again only when the first can't commit any
 * more (its sequence is spent by another transaction, or block time is past its valid_until_ms).
 * What other people do wrong is an outcome. */
#ifndef WALLET_SENDER_H
#define WALLET_SENDER_H

#include <event2/event.h>

#include "base/keys.h"
#include "base/log.h"
#include "chain/proto/settle.pb-c.h"
#include "rpc/client.h"

enum {
	SENDER_FLIGHT_MAX = 32,
	SENDER_QUEUE_MAX = 4096,
	SENDER_VALID_MS = 60 * 1000,
	SENDER_PAUSE_MS = 200, /* the first pause of a doubt; doubles up to the next */
	SENDER_PAUSE_MS_MAX = 2000,
	SENDER_ROUNDS_MAX = 8, /* how often one act is signed anew */
};

struct sender;

struct sender_config {
	struct rpc_client *rpc;              /* borrowed; must outlive the sender */
	struct event_base *loop;             /* borrowed: timers */
	const struct account_secret *secret; /* copied; the caller wipes its own */
	/* What the caller already knows of the chain and insists on; NULL: whatever the node says.
	 * A node of another chain is then refused with SETTLE_WRONG_CHAIN before anything is
	 * signed. */
	const struct hash32 *chain_tag;
	uint32_t valid_ms; /* 0: SENDER_VALID_MS */
	/* No answer for so long ends an act with SENDER_UNKNOWN; 0: never give up. */
	uint32_t give_up_ms;
	uint32_t pause_ms; /* 0: SENDER_PAUSE_MS */
	struct log *log;   /* may be NULL */
};

/* STATUS_INVALID: the secret is no key. */
MUST_USE enum status sender_new(struct sender **out, const struct sender_config *config);
/* Acts under way are forgotten without a call of done; what was broadcast may still commit. Not
 * from within a callback of the sender. Free the sender first, then the http client (which ends the
 * calls still under way), then the rpc client. */
void sender_free(struct sender *sender);

const struct account_key *sender_key(const struct sender *sender);
const struct account_address *sender_address(const struct sender *sender);
/* NULL until the chain has been asked (the first submit or sender_learn does). */
const struct hash32 *sender_chain_tag(const struct sender *sender);
const char *sender_chain_id(const struct sender *sender);
/* Queued and in flight. */
size_t sender_pending(const struct sender *sender);

enum sender_fate {
	SENDER_COMMITTED, /* in a block: height, hash, codes */
	SENDER_REFUSED,   /* never in a block and never will be: code and fault say why */
	SENDER_UNKNOWN,   /* no answer within give_up_ms: hash may still commit until valid_until_ms
			   */
};

/* Borrowed for the callback. */
struct sender_outcome {
	enum sender_fate fate;
	/* settle_code of the refusal, or of the transaction (EACH: 0). SETTLE_OK with
	 * SENDER_REFUSED: no node ever judged it, and it was never sent. SENDER_UNKNOWN: 0. */
	uint32_t code;
	const char *fault;  /* for people; "" when all is well, never NULL */
	struct hash32 hash; /* of the last transaction broadcast */
	int64_t height;     /* 0 unless committed */
	uint64_t sequence;  /* this and the next two: of that transaction */
	uint64_t fee_uaitbc;
	uint64_t valid_until_ms;
	/* settle_code of each action in order. ATOMIC that failed: nothing applied; the action at
	 * fault has its code, the others repeat it. Not committed: all have the refusal's code, or
	 * SETTLE_CODES when nobody judged. */
	const uint32_t *codes;
	size_t action_count;
};
typedef void sender_done(void *ctx, const struct sender_outcome *outcome);

/* One transaction of count actions (1..TX_ACTIONS_MAX; copied). done is called once, later, never
 * before this returns, unless the sender is freed first. mode: PB__MODE__ATOMIC or PB__MODE__EACH.
 * STATUS_BUSY: the queue is full. STATUS_INVALID: no such number of actions, or the transaction
 * would pass TX_BYTES_MAX. On any of these done is not called. */
MUST_USE enum status sender_submit(struct sender *sender, const Pb__Action *const *actions,
	size_t count, Pb__Mode mode, sender_done *done, void *ctx);

/* Signs one transaction with the account's next sequence for somebody else to broadcast (a wallet's
 * submit_job goes through the coordinator); the sender doesn't watch it. Appends it to tx.
 * STATUS_BUSY: the chain hasn't been learnt. STATUS_INVALID as in sender_submit. */
MUST_USE enum status sender_sign(struct sender *sender, struct buf *tx, struct hash32 *hash,
	uint64_t *valid_until_ms, const Pb__Action *const *actions, size_t count, Pb__Mode mode);

/* Asks the chain for tag, parameters and the account, so that the next submit needn't. done may be
 * NULL; ok false: fault says what is wrong. */
typedef void sender_learnt(void *ctx, bool ok, const char *fault);
void sender_learn(struct sender *sender, sender_learnt *done, void *ctx);

/* The account as the chain last told it; false before the first answer or when the chain doesn't
 * know it. */
bool sender_balance(const struct sender *sender, uint64_t *uaitbc);

/* Pure pieces, tested alone. */

/* The smallest fee that pays for the transaction which carries it: base_fee + fee_per_byte * size,
 * where the size holds the fee's own digits. Sets body->fee; all else in the body must be final.
 * False: it doesn't fit 64 bits. */
MUST_USE bool sender_fee(Pb__TxBody *body, uint64_t base_fee, uint64_t fee_per_byte);
/* Bytes of the whole transaction around this body. */
size_t sender_tx_bytes(const Pb__TxBody *body);
/* Codes per action from a committed result's code and log ("3:attempt_mismatch,17:wrong_state").
 * False: the log can't be read as that; codes are then all SETTLE_CODES: unknown. */
MUST_USE bool sender_codes(
	uint32_t *codes, size_t count, Pb__Mode mode, uint32_t code, const char *log);

#endif
