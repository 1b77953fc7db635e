/* miners: who does the work: their capabilities, when they were last heard, what they have in hand.
 * What a miner says of itself decides which jobs it may get, never how good it is: reputation
 * counts what the chain settled and what failed under its hands. Stake isn't weighed: the protocol
 * has none yet. Records are rows of the store, so that a restart of ours interrupts nobody. Loop
 * thread only. */
#ifndef COORDINATOR_MINERS_H
#define COORDINATOR_MINERS_H

#include <jansson.h>

#include "base/keys.h"
#include "coordinator/book.h"
#include "coordinator/keys.h"
#include "coordinator/services.h"
#include "http/message.h"

enum {
	MINER_ID_BYTES_MAX = 63,
	MINER_URL_BYTES_MAX = 255,
	MINER_MODELS_MAX = 64,
	MINER_MODELS_BYTES_MAX = 4096,
	MINER_REGION_BYTES_MAX = 31,
	MINER_CONCURRENCY_MAX = 64,
	MINERS_MAX = 4096
};

struct job;
struct miner {
	/* stored */
	char id[MINER_ID_BYTES_MAX + 1];
	char key_id[API_KEY_ID_BYTES_MAX + 1]; /* the API key that registered it: its owner */
	struct account_key key;
	char url[MINER_URL_BYTES_MAX + 1];       /* "": it polls */
	uint64_t services;                       /* bit by service_index */
	char models[MINER_MODELS_BYTES_MAX + 1]; /* names, each followed by '\n' */
	char region[MINER_REGION_BYTES_MAX + 1];
	char session[33];
	uint32_t concurrency;
	uint32_t draining;
	uint64_t registered_ms;
	uint64_t heard_ms;    /* last sign of life, wall clock */
	uint64_t settled;     /* receipts of its work on the chain */
	uint64_t failed;      /* attempts that ended otherwise */
	uint64_t earned;      /* uaitbc paid to it by those receipts */
	uint64_t last_job_ms; /* when it was last given one */
	uint64_t work_ms;     /* sum over settled jobs, for the average */
	char last_receipt_id[33];

	/* live only */
	uint32_t inflight;   /* jobs in its hands */
	struct job *in_hand; /* those, linked by hand_next */
	uint32_t promised;   /* of those, not yet heard of by it: a poll takes one */
	bool polling;        /* a long poll waits */
	struct http_ticket poll;
	uint64_t poll_end_ms;
};

struct miner_table {
	struct miner **miners; /* in order of id */
	size_t count;
	size_t cap;
	struct book *book;
};

void miner_table_init(struct miner_table *table, struct book *book);
void miner_table_fini(struct miner_table *table);
MUST_USE enum status miner_table_load(struct miner_table *table);

struct miner *miner_find(const struct miner_table *table, const char *id);
/* A zeroed one with that id. NULL: no memory, or MINERS_MAX. */
struct miner *miner_add(struct miner_table *table, const char *id);
/* Removes its row and frees it. */
void miner_remove(struct miner_table *table, struct miner *miner);
void miner_save(struct miner_table *table, const struct miner *miner);

/* 1..63 of [A-Za-z0-9_.-] */
MUST_USE bool miner_id_valid(const char *id);

/* Takes what register, or PUT capabilities, says into *miner. False: fault names the field; *miner
 * may be half written and must then be dropped (work on a copy). */
MUST_USE bool miner_set_capabilities(
	struct miner *miner, const json_t *body, struct service_fault *fault);
MUST_USE bool miner_set_registration(
	struct miner *miner, const json_t *body, struct service_fault *fault);

/* Does it offer the service, and the model when one is asked for? */
bool miner_serves(const struct miner *miner, const struct service *service, const char *model);
/* Heard within the time to live and not draining. */
bool miner_online(const struct miner *miner, uint64_t now_ms, uint32_t ttl_ms);
/* Online, reachable (by url or a waiting poll), a slot free. */
bool miner_ready(const struct miner *miner, uint64_t now_ms, uint32_t ttl_ms);
/* 0..1000, 500 for an unknown one: (settled + 1) / (settled + failed + 2). */
uint32_t miner_reputation(const struct miner *miner);
/* Is a the better choice for the next job? Reputation in steps of a tenth, so that a hair's breadth
 * starves nobody; then free slots; then who has waited longest. */
bool miner_better(const struct miner *a, const struct miner *b);

#endif
