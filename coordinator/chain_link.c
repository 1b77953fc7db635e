#include "coordinator/chain_link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

struct chain_slot {
	struct chain_slot *next;
	struct chain_deed deed;
	bool alone; /* its batch couldn't be read: whose fault it was is found out one by one */
	size_t packed_len;
	uint8_t packed[];
};

/* One transaction: its deeds in the order of its actions. */
struct chain_batch {
	struct chain_link *link;
	size_t count;
	struct chain_slot *slots[TX_ACTIONS_MAX];
};

enum {
	/* An action in a TxBody costs its bytes, a tag and a length; what surrounds the actions is
	   under 1 KiB. */
	BATCH_ACTION_OVERHEAD = 8,
	BATCH_BYTES_MAX = TX_BYTES_MAX - 1024,
	RETRY_MS = 100
};

const char *chain_act_text(enum chain_act act)
{
	switch (act) {
	case ACT_ASSIGN: return "assign_job";
	case ACT_RENEW: return "renew_lease";
	case ACT_RELEASE: return "release_job";
	case ACT_RECORD: return "record_receipt";
	case ACT_REJECT: return "reject_delivery";
	case ACT_FAIL: return "fail_job";
	case ACT_PUBLISH: return "coordinator_set";
	}
	return "act";
}

static void flush(struct chain_link *link);

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	flush(ctx);
}

enum status chain_link_init(struct chain_link *link, struct event_base *loop, struct sender *sender,
	struct log *log, uint64_t (*now_ms)(void *ctx), void *clock, chain_told *told, void *ctx)
{
	memset(link, 0, sizeof *link);
	link->sender = sender;
	link->log = log;
	link->now_ms = now_ms;
	link->clock = clock;
	link->told = told;
	link->ctx = ctx;
	link->turn = event_new(loop, -1, 0, on_turn, link);
	return link->turn ? STATUS_OK : STATUS_NO_MEMORY;
}

static void batch_free(struct chain_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		free(batch->slots[i]);
	free(batch);
}

void chain_link_fini(struct chain_link *link)
{
	if (!link->turn)
		return;
	event_free(link->turn);
	while (link->first) {
		struct chain_slot *slot = link->first;

		link->first = slot->next;
		free(slot);
	}
	if (link->flight)
		batch_free(link->flight);
	memset(link, 0, sizeof *link);
}

bool chain_link_act(
	struct chain_link *link, const struct chain_deed *deed, const Pb__Action *action)
{
	size_t len = pb__action__get_packed_size(action);
	struct chain_slot *slot;

	if (link->gathered >= CHAIN_GATHERED_MAX || len + BATCH_ACTION_OVERHEAD > BATCH_BYTES_MAX)
		return false;
	slot = malloc(sizeof *slot + len);
	if (!slot)
		return false;
	slot->next = NULL;
	slot->deed = *deed;
	slot->alone = false;
	slot->packed_len = pb__action__pack(action, slot->packed);
	if (link->last)
		link->last->next = slot;
	else
		link->first = slot;
	link->last = slot;
	link->gathered++;
	if (!link->flight)
		event_active(link->turn, EV_TIMEOUT, 1);
	return true;
}

size_t chain_link_pending(const struct chain_link *link)
{
	return link->gathered + (link->flight ? link->flight->count : 0);
}

static void retry_soon(struct chain_link *link)
{
	struct timeval soon = {0, RETRY_MS * 1000};

	evtimer_add(link->turn, &soon);
}

/* Puts the batch back in front, in its order. */
static void batch_untake(struct chain_batch *batch)
{
	struct chain_link *link = batch->link;

	while (batch->count > 0) {
		struct chain_slot *slot = batch->slots[--batch->count];

		slot->next = link->first;
		link->first = slot;
		if (!link->last)
			link->last = slot;
		link->gathered++;
	}
	free(batch);
}

/* The form of the transaction was refused: one of its actions spoils it for all. */
static bool is_spoilt(const struct chain_batch *batch, const struct sender_outcome *outcome)
{
	return outcome->fate == SENDER_REFUSED && batch->count > 1 &&
	       (outcome->code == SETTLE_BAD_ENCODING || outcome->code == SETTLE_BAD_PARAM ||
		       outcome->code == SETTLE_LIMIT);
}

static void on_sent(void *ctx, const struct sender_outcome *outcome)
{
	struct chain_batch *batch = ctx;
	struct chain_link *link = batch->link;

	link->flight = NULL;
	log_event(link->log, outcome->fate == SENDER_COMMITTED ? LOG_DEBUG : LOG_UNUSUAL,
		"coordinator_batch actions=%zu height=%lld fate=%d code=%s fault=\"%s\"",
		batch->count, (long long)outcome->height, (int)outcome->fate,
		settle_code_name(outcome->code), outcome->fault);
	if (is_spoilt(batch, outcome)) {
		for (size_t i = 0; i < batch->count; i++)
			batch->slots[i]->alone = true;
		batch_untake(batch);
		event_active(link->turn, EV_TIMEOUT, 1);
		return;
	}
	for (size_t i = 0; i < batch->count; i++) {
		uint32_t code = i < outcome->action_count && outcome->codes ? outcome->codes[i]
									    : outcome->code;

		link->told(link->ctx, &batch->slots[i]->deed, code, outcome);
	}
	batch_free(batch);
	if (link->first)
		event_active(link->turn, EV_TIMEOUT, 1);
}

/* The first gathered slots that fit one transaction. */
static void batch_take(struct chain_batch *batch)
{
	struct chain_link *link = batch->link;
	size_t bytes = 0;

	while (link->first && batch->count < TX_ACTIONS_MAX) {
		struct chain_slot *slot = link->first;

		bytes += slot->packed_len + BATCH_ACTION_OVERHEAD;
		if (bytes > BATCH_BYTES_MAX || (slot->alone && batch->count > 0))
			break;
		link->first = slot->next;
		if (!link->first)
			link->last = NULL;
		link->gathered--;
		batch->slots[batch->count++] = slot;
		if (slot->alone)
			break;
	}
}

static enum status batch_send(struct chain_batch *batch)
{
	const Pb__Action *actions[TX_ACTIONS_MAX];
	enum status status = STATUS_OK;
	struct arena arena;

	arena_init(&arena, 16 * TX_ARENA_BYTES_MAX);
	for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
		actions[i] = pb__action__unpack(arena_protobuf(&arena), batch->slots[i]->packed_len,
			batch->slots[i]->packed);
		if (!actions[i])
			status = STATUS_NO_MEMORY;
	}
	if (status == STATUS_OK)
		status = sender_submit(
			batch->link->sender, actions, batch->count, PB__MODE__EACH, on_sent, batch);
	arena_fini(&arena);
	return status;
}

static void flush(struct chain_link *link)
{
	struct chain_batch *batch;
	enum status status;

	if (link->flight || !link->first)
		return;
	batch = calloc(1, sizeof *batch);
	if (!batch) {
		retry_soon(link);
		return;
	}
	batch->link = link;
	batch_take(batch);
	status = batch_send(batch);
	if (status != STATUS_OK) {
		log_event(link->log, LOG_UNUSUAL, "coordinator_batch_waits status=\"%s\"",
			status_text(status));
		batch_untake(batch);
		retry_soon(link);
		return;
	}
	link->flight = batch;
	link->flight_since_ms = link->now_ms(link->clock);
}
