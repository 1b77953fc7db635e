/* load: people who use a chain while its nodes are hurt. Workers send transfers and whole jobs over
 * JSON-RPC to whichever node isn't away, and note what a node acknowledged: said to be in the chain
 * at a height. In the end all of it must be there, every sequence spent once, no job paid twice.
 * Threads of its own; everything here may be called from one other thread. */
#ifndef TESTS_E2E_LOAD_H
#define TESTS_E2E_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/keys.h"
#include "genesis/genesis.h"

enum {
	LOAD_NODES_MAX = 8,
	LOAD_SENDERS_MAX = 32,
	LOAD_BURST_MAX = 64,
	LOAD_ACKS_MAX = 400 * 1000,
	LOAD_ACT_SECONDS_MAX = 90
};

/* One account's voice. */
struct load_voice {
	struct account_secret secret;
	struct account_key key;
	struct account_address address;
	uint64_t sequence;
};

struct load_ack {
	struct hash32 hash;
	int64_t height;
};

struct load;

struct load_sender {
	struct load *load;
	uint32_t account;
	uint64_t done;
	pthread_t thread;
};

struct load_jobs {
	struct load *load;
	uint64_t submitted;
	uint64_t paid;
	uint64_t refused_again;
	uint64_t sent;
	pthread_t thread;
};

struct load {
	uint16_t ports[LOAD_NODES_MAX];
	atomic_bool away[LOAD_NODES_MAX]; /* don't ask it */
	int64_t earliest[LOAD_NODES_MAX]; /* the first height it can tell of */
	size_t node_count;
	size_t sender_count;
	size_t burst;      /* transfers that a sender has on the way at once; 1 unless set */
	uint32_t pause_ms; /* of each worker between two acts */
	struct hash32 chain_tag;
	atomic_bool stopping;  /* finish the act at hand, then end */
	atomic_bool abandoned; /* the chain is gone for good, or a worker is stuck */
	atomic_int failures;
	struct load_sender senders[LOAD_SENDERS_MAX];
	struct load_jobs jobs;
	pthread_mutex_t acks_lock;
	struct load_ack acks[LOAD_ACKS_MAX];
	size_t ack_count;
};

/* Nothing begins yet. */
void load_init(struct load *l, const uint16_t *ports, size_t node_count, size_t sender_count);
/* Gives its people money and its coordinator a place in the genesis. chain_tag is to be told once
 * that is sealed. */
MUST_USE bool load_fund(struct load *l, struct genesis *g);
void load_start(struct load *l);
void load_stop(struct load *l);

/* Prints what went wrong, and remembers that something did. */
void load_fail(struct load *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

size_t load_acknowledged(struct load *l);
/* Are these in the chain where they were said to be? Each is asked of one of the nodes in turn. */
void load_check_acknowledged(struct load *l, size_t from, size_t until);
/* Everything: acknowledgements, balances, sequences. After load_stop. */
void load_judge(struct load *l);

void pause_for_ms(uint64_t ms);

#endif
