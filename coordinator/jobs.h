/* jobs: every job this coordinator was given: its record, its state, its rows on disk.
 * Live jobs (not at their end) are in memory, found by their REST id; all jobs are rows of the
 * store. The state has one writer, jobs_move, which asks job_state_next; the chain's word always
 * wins over our own. Loop thread only. Rows are gathered in the book (book.h) and durable when it
 * says so. */
#ifndef COORDINATOR_JOBS_H
#define COORDINATOR_JOBS_H

#include "coordinator/book.h"
#include "coordinator/keys.h"
#include "coordinator/miners.h"
#include "coordinator/services.h"
#include "coordinator/wake.h"
#include "http/message.h"
#include "wallet/terms.h"

enum { JOB_ID_RAW_BYTES = 16, JOB_REASON_BYTES = 257, JOB_WAITERS_MAX = 4 };

/* On disk: never renumber. */
enum job_state {
	JOB_SUBMITTING = 1, /* stored; the chain hasn't answered for its submit_job */
	JOB_QUEUED = 2,     /* OPEN on the chain: waits for a miner */
	JOB_ASSIGNING = 3,  /* assign_job is on its way */
	JOB_ASSIGNED = 4,   /* committed; the miner may hear of it, and hasn't said yes */
	JOB_RUNNING = 5,    /* the miner took it */
	JOB_RECORDING = 6,  /* we hold a valid result; record_receipt is on its way */
	JOB_DELIVERED = 7,  /* the miner went to the chain itself, and we lack the result's bytes */
	JOB_RETURNING = 8,  /* the miner gave it back; release_job is on its way */
	JOB_FAILING = 9,    /* fail_job is on its way */
	JOB_REJECTING = 10, /* reject_delivery is on its way */
	JOB_COMPLETED = 11, /* the receipt is on the chain */
	JOB_FAILED = 12,
	JOB_CANCELLED = 13,
	JOB_EXPIRED = 14,
	JOB_REFUSED = 15 /* never was on the chain: its submit_job was refused */
};

enum job_event {
	JOB_EV_ASSIGN,         /* we send assign_job */
	JOB_EV_ACCEPTED,       /* the miner took it */
	JOB_EV_RESULT,         /* a valid result is held: we send record_receipt */
	JOB_EV_RETURN,         /* we send release_job */
	JOB_EV_FAIL,           /* we send fail_job */
	JOB_EV_REJECT,         /* we send reject_delivery */
	JOB_EV_REFUSED,        /* the chain refused submit_job for good */
	JOB_EV_RESULT_REFUSED, /* the chain refused the receipt for what it says */
	/* What the chain says the job is: */
	JOB_EV_CHAIN_OPEN,
	JOB_EV_CHAIN_ASSIGNED,
	JOB_EV_CHAIN_DELIVERED,
	JOB_EV_CHAIN_SETTLED,
	JOB_EV_CHAIN_FAILED,
	JOB_EV_CHAIN_CANCELLED,
	JOB_EV_CHAIN_EXPIRED, /* also REFUNDED */
	JOB_EVENTS
};

/* False: the event means nothing in this state; *next is untouched. */
MUST_USE bool job_state_next(enum job_state *next, enum job_state at, enum job_event event);
bool job_ended(enum job_state state);
const char *job_state_text(enum job_state state); /* "queued", ... for logs and reasons */
const char *job_rest_status(
	enum job_state state); /* pending, running, completed, failed, cancelled, expired */
const char *job_rest_state(
	enum job_state state); /* QUEUED, RUNNING, COMPLETED, FAILED, CANCELED, EXPIRED */

struct job_tx {
	struct hash32 hash;
	int64_t height; /* 0: not committed, as far as we know */
};

struct job {
	/* stored */
	uint8_t id[JOB_ID_RAW_BYTES];
	uint32_t state;                       /* enum job_state; written by jobs_move alone */
	char owner[API_KEY_ID_BYTES_MAX + 1]; /* API key that submitted it */
	struct job_terms terms;
	char model[SERVICE_MODEL_BYTES_MAX + 1];
	uint8_t salt[32];
	uint64_t ttl_ms;
	uint64_t submitted_ms; /* wall clock, all of these */
	uint64_t queued_ms;    /* since when it waits for a miner */
	uint64_t started_ms;   /* first told running */
	uint64_t completed_ms; /* reached its end */
	uint64_t expires_ms;   /* the deadline, as near as we know */
	uint64_t lease_end_ms;
	uint64_t review_end_ms;
	uint64_t delivered_ms; /* when we learnt of the delivery */
	uint64_t submit_valid_until_ms;
	char miner_id[MINER_ID_BYTES_MAX + 1]; /* of the attempt terms.attempt */
	struct job_tx submit;
	struct job_tx assign;
	struct job_tx receipt_tx;
	char receipt_id[33];
	uint64_t amount;
	uint64_t units_milli;
	uint64_t work_started_ms;
	uint64_t work_completed_ms;
	struct hash32 result_hash; /* zero: no result held */
	struct account_signature miner_signature;
	struct hash32 delivered_result; /* result_hash of the receipt delivered on the chain; zero:
					   none */
	char reason[JOB_REASON_BYTES];  /* why it waits, failed or ended */
	uint32_t refused_code; /* settle_code by which its submit_job was refused; 0: none */
	uint32_t managed;      /* 1: by a managed account */

	/* live only */
	struct wake wake;
	struct job *next_in_bucket;
	struct queue *queue; /* where it waits, or NULL */
	struct job *queue_next, *queue_prev;
	struct miner *hand; /* the miner whose slot it takes, or NULL */
	struct job *hand_next, *hand_prev;
	uint64_t heard_ms;     /* a heartbeat of its miner named it */
	uint64_t broadcast_ms; /* last time its submit_job was sent */
	uint64_t looked_ms;    /* the chain told us of it */
	bool looking;          /* a query of the chain is under way */
	bool acting;           /* an action of ours is gathered or on its way */
	bool resumed;          /* read back at the start; not yet asked for on the chain */
	bool renewing;         /* so is a renew_lease */
	bool offering;         /* a push is under way */
	bool offered;          /* the miner has heard of this attempt */
	bool promised;         /* counted in its miner's promised */
	bool broadcasting;     /* its submit_job is on its way */
	bool admitted;         /* the chain's mempool took it; its block is awaited */
	uint32_t inquiries;    /* after it, without an answer */
	uint8_t *raw_tx;       /* that transaction, until it is committed; freed with the job */
	size_t raw_tx_len;
	uint64_t lease_told_ms; /* lease_end_ms as the chain told it */
	uint32_t offer_tries;
	uint64_t offer_at_ms; /* not before */
	struct http_ticket
		waiters[JOB_WAITERS_MAX]; /* wait for what becomes of the act under way */
	size_t waiter_count;
};

struct job_table {
	struct job **buckets;
	size_t bucket_count;
	size_t count;
	struct book *book;
};

MUST_USE enum status job_table_init(struct job_table *table, struct book *book);
/* Frees every job. */
void job_table_fini(struct job_table *table);
/* Reads the live jobs back after a restart. STATUS_CORRUPT: a row can't be read. */
MUST_USE enum status job_table_load(struct job_table *table);

struct job *jobs_find(const struct job_table *table, const uint8_t id[JOB_ID_RAW_BYTES]);
/* A zeroed live job. NULL: no memory or JOBS_LIVE_MAX reached. */
struct job *job_add(struct job_table *table, const uint8_t id[JOB_ID_RAW_BYTES]);
/* Takes it out of memory; its rows stay. */
void job_drop(struct job_table *table, struct job *job);

/* Writes the job's record (and its place among the live ones) into the book. */
void job_save(struct job_table *table, const struct job *job);
/* Rows that come once: listings, payload. */
void job_save_new(
	struct job_table *table, const struct job *job, struct bytes payload, struct bytes tx);
/* Takes it out of the listings, before another of its id comes in. */
void job_unlist(struct job_table *table, const struct job *job);
void job_save_result(struct job_table *table, const struct job *job, struct bytes result);
void job_forget_tx(struct job_table *table, const struct job *job);

/* The state's one writer; saves the job. False: no such move, nothing changed. */
MUST_USE bool jobs_move(struct job_table *table, struct job *job, enum job_event event);

/* A job of any state into *out, from memory or the store (live fields are zero then).
 * STATUS_NOT_FOUND. */
MUST_USE enum status job_read(
	struct job_table *table, struct job *out, const uint8_t id[JOB_ID_RAW_BYTES]);
MUST_USE enum status job_payload(struct job_table *table, const struct job *job, struct buf *out);
MUST_USE enum status job_result(struct job_table *table, const struct job *job, struct buf *out);
MUST_USE enum status job_raw_tx(struct job_table *table, const struct job *job, struct buf *out);

/* "job_<32 hex>" or the bare 32 digits. */
MUST_USE bool job_id_parse(uint8_t id[JOB_ID_RAW_BYTES], const char *text, size_t len);
void job_id_text(char out[JOB_REST_ID_BYTES], const uint8_t id[JOB_ID_RAW_BYTES]);

/* Newest first. owner "": everybody's. visit returns false to stop. */
typedef bool job_visit(void *ctx, const struct job *job);
MUST_USE enum status job_list(
	struct job_table *table, const char *owner, job_visit *visit, void *ctx);

#endif
