/* managed: accounts that the coordinator keeps for API keys whose owners don't sign themselves
 * [design D7]. Off unless a master seed is configured. An account's key is derived from the seed
 * and the API key's id, so losing the database loses no money; what one key may put into escrow in
 * a day is capped. Owns a sender per account used. */
#ifndef COORDINATOR_MANAGED_H
#define COORDINATOR_MANAGED_H

#include "coordinator/inside.h"

/* POST /v1/jobs without a transaction. */
enum http_answer managed_submit(struct route_call *call, const json_t *body);
/* POST /v1/jobs/{id}/cancel of such a job. */
enum http_answer managed_cancel(struct route_call *call, const struct job *job);

/* The account of an API key. False: no key comes of it (practically never). */
MUST_USE bool managed_secret(
	struct account_secret *out, const struct account_secret *seed, const char *key_id);

/* submit.c, for it */
enum http_answer submit_tx(struct route_call *call, struct bytes raw_tx, const uint8_t salt[32],
	const json_t *payload, struct bytes payload_raw, bool managed);
bool submit_check_payload(struct route_call *call, const json_t *payload, struct bytes raw,
	const struct service **service);

#endif
