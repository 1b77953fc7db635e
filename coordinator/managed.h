/* managed: accounts that the coordinator keeps for API keys whose owners don't sign themselves
 * [design D7]. Off unless a master seed is configured. An account's key is derived from the seed
 * and the API key's id, so losing the database loses no money; what one key may put into escrow in
 * a day is capped. Owns a sender per account in use. An Idempotency-Key gives the job's own id and
 * salt, so that sending it again is the same job, also after a crash: the chain itself refuses a
 * second one. */
#ifndef COORDINATOR_MANAGED_H
#define COORDINATOR_MANAGED_H

#include "coordinator/inside.h"

/* STATUS_NO_MEMORY. Reads what was spent today back. */
MUST_USE enum status managed_start(struct coordinator *c);
/* Acts under way are forgotten. */
void managed_stop(struct coordinator *c);

/* POST /v1/jobs without a transaction. */
enum http_answer managed_submit(struct route_call *call, const json_t *body);
/* POST /v1/jobs/{id}/cancel of such a job. */
enum http_answer managed_cancel(struct route_call *call, const struct job *job);
/* Sends the stored job's submit_job from its account. */
void managed_broadcast(struct coordinator *c, struct job *job);
/* Its submission was refused: the day's sum gets its reward back. */
void managed_unspend(struct coordinator *c, const struct job *job);

/* Acts on their way. */
size_t managed_pending(const struct coordinator *c);

/* The account of an API key. False: no key comes of it (practically never). */
MUST_USE bool managed_secret(
	struct account_secret *out, const struct account_secret *seed, const char *key_id);

/* submit.c, for it */
enum http_answer submit_draft(
	struct route_call *call, struct job *draft, struct bytes payload, struct bytes raw_tx);
bool submit_check_payload(struct route_call *call, const json_t *payload, struct bytes raw,
	const struct service **service);

#endif
