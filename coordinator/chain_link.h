/* chain_link: the coordinator's own actions on their way to the chain. What becomes due in one turn
 * of the loop is gathered into one EACH transaction; one is in flight, the next gathers meanwhile;
 * so a thousand receipts cost a handful of signatures and one spoilt job sinks nobody. Owns the
 * gathered actions; borrows the sender, which keeps sequence and fees and never acts twice. What
 * the chain says is told per action. */
#ifndef COORDINATOR_CHAIN_LINK_H
#define COORDINATOR_CHAIN_LINK_H

#include <event2/event.h>

#include "base/arena.h"
#include "coordinator/jobs.h"
#include "wallet/sender.h"

enum chain_act {
	ACT_ASSIGN,
	ACT_RENEW,
	ACT_RELEASE,
	ACT_RECORD,
	ACT_REJECT,
	ACT_FAIL,
	ACT_PUBLISH /* coordinator_set: names no job */
};
const char *chain_act_text(enum chain_act act);

/* Which act of which job; comes back with what became of it. */
struct chain_deed {
	enum chain_act act;
	uint8_t job[JOB_ID_RAW_BYTES];
	uint32_t attempt;
	uint64_t since_ms; /* when it was asked for */
	uint64_t lease_ms; /* ACT_ASSIGN, ACT_RENEW */
};

/* code: settle_code of this action. outcome is of its transaction. */
typedef void chain_told(void *ctx, const struct chain_deed *deed, uint32_t code,
	const struct sender_outcome *outcome);

struct chain_link {
	struct sender *sender;
	struct log *log;
	struct event *turn;
	chain_told *told;
	void *ctx;
	struct chain_slot *first, *last; /* gathered */
	size_t gathered;
	struct chain_batch *flight;
	uint64_t flight_since_ms;
	uint64_t (*now_ms)(void *ctx);
	void *clock;
};

MUST_USE enum status chain_link_init(struct chain_link *link, struct event_base *loop,
	struct sender *sender, struct log *log, uint64_t (*now_ms)(void *ctx), void *clock,
	chain_told *told, void *ctx);
/* The sender must not call back any more: free it first, or before the loop turns again. */
void chain_link_fini(struct chain_link *link);

/* Copies the action. False: CHAIN_GATHERED_MAX or no memory; told is not called. */
MUST_USE bool chain_link_act(
	struct chain_link *link, const struct chain_deed *deed, const Pb__Action *action);

size_t chain_link_pending(const struct chain_link *link);

#endif
