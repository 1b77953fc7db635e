/* inside: what the files of this room share: the coordinator itself and who does what with a job.
 * Private to coordinator/. A job's road: submit.c takes it, follow.c puts it where the chain says
 * it is, work.c decides what comes next and acts.c sends it, offer.c tells the miner,
 * miner_routes.c hears the miner. */
#ifndef COORDINATOR_INSIDE_H
#define COORDINATOR_INSIDE_H

#include "coordinator/artifacts.h"
#include "coordinator/chain_link.h"
#include "coordinator/coordinator.h"
#include "coordinator/dispatch.h"
#include "coordinator/rate.h"

/* Calls under way outlive the coordinator: they hold this, and find NULL when it is gone. */
struct lifeline {
	struct coordinator *coordinator;
	size_t holders;
};

/* What is done with a job once its rows are durable. */
enum deed_kind { DEED_BROADCAST, DEED_RECORD, DEED_REAP };
struct deed {
	enum deed_kind kind;
	uint8_t job[JOB_ID_RAW_BYTES];
};

struct managed;

struct coordinator {
	struct coordinator_config config; /* its texts point to the copies below */
	char chain_id[CHAIN_ID_BYTES_MAX + 1];
	char url[COORDINATOR_URL_BYTES_MAX + 1];
	char env[32];
	struct account_address owner;
	struct account_address operators[COORDINATOR_OPERATORS_MAX];
	struct service_price prices[SERVICE_COUNT];

	struct http_shell *shell;
	struct lifeline *line;
	struct api_keys keys;
	struct rate_bucket *buckets; /* one per key */
	struct bad_keys bad;
	struct open_rates open;

	struct book book;
	struct job_table jobs;
	struct miner_table miners;
	struct dispatch dispatch;
	struct chain_link link;
	struct artifacts artifacts;
	struct managed *managed; /* NULL: off */

	struct wake_heap wakes;
	struct event *wake_timer;
	struct event *watch_timer;
	struct deed *deeds;
	size_t deed_count, deed_cap;
	size_t looks; /* queries of the chain under way */
	size_t polls; /* miners' long polls waiting */

	/* what we know of the chain */
	bool chain_seen;        /* an answer came to the last question */
	uint64_t chain_seen_ms; /* wall clock of the last answer */
	int64_t chain_height;   /* of the last block looked at */
	uint64_t outage_ms;     /* block time - job time */
	bool watching;          /* a look at the next block is under way */
	size_t awaited;         /* submissions in the chain's mempool */
	uint64_t slow_ms;       /* when polls were last ended */
	bool published;         /* the chain's record of us is as configured */
	bool publishing;
	uint64_t publish_after_ms; /* it was refused: not before */
	char trouble[160];         /* why nothing moves, for views; "" */

	uint64_t jobs_submitted, jobs_completed, jobs_failed;
};

static inline uint64_t coordinator_now(const struct coordinator *c)
{
	return c->config.now_ms(c->config.ctx);
}

/* lifeline.c */
struct lifeline *lifeline_hold(struct coordinator *c);
/* Gives the hold back. NULL: the coordinator is gone. */
struct coordinator *lifeline_drop(struct lifeline *line);

/* work.c: what comes next for a job */
/* To be called whenever its state has changed: acts, queues, wakes, answers who waits. */
void work_enter(struct coordinator *c, struct job *job);
void work_wake(struct coordinator *c, struct job *job);
/* The miner may have a free slot: gives it the jobs that wait for it. */
void work_for_miner(struct coordinator *c, struct miner *miner);
void work_take_slot(struct coordinator *c, struct job *job, struct miner *miner);
void work_free_slot(struct coordinator *c, struct job *job);
/* The miner has heard of this attempt. */
void work_heard_of(struct job *job);
/* Control characters and what is no UTF-8 become '?'. */
void work_clean_text(char *text);
void work_reason(struct job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Wakes the job at due_ms; with no memory for that it is looked at by the next watch. */
void work_wake_at(struct coordinator *c, struct job *job, uint64_t due_ms);
/* After the next write. */
void work_after_write(struct coordinator *c, enum deed_kind kind, const struct job *job);
void work_on_written(void *ctx, bool durable);

/* acts.c: actions to the chain */
MUST_USE bool act_assign(struct coordinator *c, struct job *job, const struct miner *miner);
MUST_USE bool act_renew(struct coordinator *c, struct job *job);
/* signature NULL: the lease has lapsed. */
MUST_USE bool act_release(
	struct coordinator *c, struct job *job, const struct account_signature *signature);
MUST_USE bool act_fail(
	struct coordinator *c, struct job *job, const struct account_signature *signature);
MUST_USE bool act_record(struct coordinator *c, struct job *job);
MUST_USE bool act_reject(struct coordinator *c, struct job *job);
MUST_USE bool act_publish(struct coordinator *c);
void act_told(void *ctx, const struct chain_deed *deed, uint32_t code,
	const struct sender_outcome *outcome);
/* The receipt from what the job holds. False: it can't be built, or its signature doesn't verify.
 */
MUST_USE bool act_receipt(
	const struct coordinator *c, struct job_receipt *out, const struct job *job);

/* follow.c: the chain's word on a job */
void follow_look(struct coordinator *c, struct job *job);
/* Who of ours is the miner that the chain names? It may have registered since. */
void follow_find_miner(struct coordinator *c, struct job *job);

/* watch.c: the chain's tip, and our own record there */
void watch_start(struct coordinator *c);
void watch_on_timer(struct coordinator *c);
/* A submission waits for its block. */
void watch_soon(struct coordinator *c);

/* submit.c */
void submit_broadcast(struct coordinator *c, struct job *job);
/* What became of its submit_job: in a block (code 0), or refused. */
void submit_told(
	struct coordinator *c, struct job *job, uint32_t code, const char *log, int64_t height);
/* The chain doesn't know the job though its mempool took it: asks for the transaction itself. */
void submit_inquire(struct coordinator *c, struct job *job);
/* Whether it waits in the chain's mempool. */
void submit_admitted(struct coordinator *c, struct job *job, bool admitted);

/* offer.c: telling miners */
void offer_job(struct coordinator *c, struct job *job);
/* Answers the waiting poll with nothing. */
void offer_end_poll(struct coordinator *c, struct miner *miner);

/* views.c */
void view_job(struct coordinator *c, struct buf *out, const struct job *job, bool with_result);
void view_submitted(struct coordinator *c, struct buf *out, const struct job *job);
void view_assignment(
	struct coordinator *c, struct buf *out, const struct job *job, struct bytes payload);
void view_receipt(struct buf *out, const struct job *job);
void view_miner(struct coordinator *c, struct buf *out, const struct miner *miner, bool full);
void view_time(struct buf *out, uint64_t ms);      /* RFC 3339 in quotes, null for 0 */
void view_money(struct buf *out, uint64_t uaitbc); /* "0.25" */
/* Answers all that wait for the job's act: with its view when it went well, else with the refusal.
 */
void view_answer_waiters(struct coordinator *c, struct job *job);

/* prices.c: changes what the text names. False, or not OK: fault says which member.
 * STATUS_NOT_FOUND: no such file. */
MUST_USE bool prices_parse(
	struct service_price prices[SERVICE_COUNT], struct bytes text, char fault[256]);
MUST_USE enum status prices_load(
	struct service_price prices[SERVICE_COUNT], const char *path, char fault[256]);

/* reply.c */
void reply_error(struct http_reply *reply, uint16_t status, const char *code, const char *field,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The chain's refusal as an HTTP error. */
void reply_settle(struct http_reply *reply, uint32_t code, const char *text);
void reply_answer(struct coordinator *c, struct http_ticket ticket, struct http_reply *reply);
uint64_t query_number(const char *query, const char *name, uint64_t absent, uint64_t most);

/* routes */
struct route_call {
	struct coordinator *c;
	const struct http_request *request;
	struct http_ticket ticket;
	struct http_reply *reply;
	const struct api_key *key; /* of the caller; NULL on open routes */
	char arg[2][160];          /* what stood for {} in the path */
};
typedef enum http_answer route_handler(struct route_call *call);
/* The body as an object, or NULL after answering 400. */
json_t *route_body(struct route_call *call);
/* The job named in the path, for whom it belongs to (or an admin), into *job; false after answering
 * 404. */
bool route_job(struct route_call *call, struct job *job);

/* The live job named in the path, if a miner of the caller's key holds it in the attempt that the
 * body names; NULL after answering why not. */
struct job *route_miner_job(struct route_call *call, const json_t *body);

route_handler route_submit, route_job_get, route_job_result, route_job_cancel, route_job_list,
	route_job_receipt, route_job_receipts, route_receipts, route_account;
route_handler route_register, route_heartbeat, route_poll, route_drain, route_status,
	route_complete, route_fail, route_miner_get, route_miner_put, route_miner_delete,
	route_miner_jobs;
route_handler route_admin_stats, route_admin_jobs, route_admin_miners, route_health,
	route_coordinator, route_registry, route_registry_one;
route_handler route_artifact_put, route_artifact_get;
route_handler route_blocks, route_block, route_transaction, route_chain_receipts;

#endif
