/* sender_inside: what the sender's parts share: sender.c (the line of acts, sequences,
 * flights) and sender_learn.c (what it knows of chain and account). Nobody else includes it. */
#ifndef WALLET_SENDER_INSIDE_H
#define WALLET_SENDER_INSIDE_H

#include "base/limits.h"
#include "chain/tx.h"
#include "wallet/sender.h"

enum { SENDER_FAULT_BYTES = 320 };

enum act_stage {
	ACT_QUEUED, /* unsigned, in line */
	ACT_ASKING, /* signed; an answer about it is under way */
	ACT_RESTING /* signed and in doubt; the timer asks on at wake_ms */
};

/* What the caller wants done, from submit to its outcome. In the line or in flight, never both. */
struct act {
	struct act *next;
	enum act_stage stage;
	Pb__TxBody *body; /* owned */
	bool filler;      /* our own, to close a gap in the sequences */
	sender_done *done;
	void *ctx;
	uint64_t since_ms;
	uint64_t wake_ms;
	uint32_t pause_ms;
	uint32_t rounds;
	uint32_t broadcasts; /* of this signature */
	bool spent; /* another transaction took its sequence: this one can't commit any more */
	uint32_t refusal;  /* last verdict on this signature */
	uint64_t block_ms; /* chain time known before the last look-up */
	struct buf tx;
	struct hash32 hash;
	char fault[SENDER_FAULT_BYTES];
};

enum learning { LEARN_IDLE, LEARN_STATUS, LEARN_CHAIN, LEARN_PARAMS, LEARN_ACCOUNT };

struct waiter {
	struct waiter *next;
	sender_learnt *done;
	void *ctx;
};

/* The context of one call to the node; outlives the sender when the answer comes late. */
struct ask {
	struct ask *next;
	struct sender *sender; /* NULL: the sender is gone */
	struct act *act;
	void (*answer)(struct sender *sender, struct act *act, const struct rpc_outcome *outcome);
};

struct sender {
	struct sender_config config;
	struct account_secret *secret; /* sodium_malloc */
	struct account_key key;
	struct account_address address;
	struct event *timer;
	struct ask *asks;

	struct act *line; /* first in, first out */
	struct act **line_end;
	size_t line_count;
	struct act *flights;
	size_t flight_count;
	uint64_t pause_until_ms; /* nothing is signed before: somebody else's transaction is in the
				    way */
	uint64_t filler_after_ms;

	/* Known of the chain while `learnt`; tag and id stay known afterwards. */
	enum learning learning;
	bool learnt;
	bool tag_known;
	struct waiter *waiters;
	uint64_t learn_wake_ms;
	uint32_t learn_pause_ms;
	struct hash32 chain_tag;
	char chain_id[CHAIN_ID_BYTES_MAX + 1];
	uint64_t base_fee;
	uint64_t fee_per_byte;
	uint64_t block_ms;      /* latest block's time when last asked */
	uint64_t next_sequence; /* committed, as far as we know */
	uint64_t balance_uaitbc;
	bool account_known; /* the chain has a record of it */
};

/* A body of our own with copies of the actions. NULL: no memory, or more than a transaction holds.
 */
Pb__TxBody *sender_body_copy(const Pb__Action *const *actions, size_t count, Pb__Mode mode);
/* NULL: as above. */
struct act *act_new(const Pb__Action *const *actions, size_t count, Pb__Mode mode);
void act_free(struct act *act);
/* The line: first in, first out; prepend is for an act that must be signed again. */
void line_append(struct sender *s, struct act *act);
void line_prepend(struct sender *s, struct act *act);
/* The line isn't empty. */
struct act *line_take(struct sender *s);

uint64_t sender_now_ms(void);
/* Starts a call; answer comes later unless the sender is freed. False: it didn't start. Steals
 * params. */
bool sender_ask(struct sender *s, struct act *act, const char *method, json_t *params,
	uint32_t timeout_ms,
	void (*answer)(struct sender *, struct act *, const struct rpc_outcome *));
/* Does what can be done now and sets the timer for the rest. */
void sender_pump(struct sender *s);
/* Begins learning unless it is under way. */
void sender_learn_start(struct sender *s);
/* Ends acts that have waited for a node longer than give_up_ms. */
void sender_give_up(struct sender *s, const char *fault);
/* Ends every act that isn't signed yet. */
void sender_refuse_line(struct sender *s, uint32_t code, const char *fault);
/* Latest block time of a `status` result, in ms. */
bool sender_block_time(uint64_t *out, const json_t *status);

#endif
