/* results: what a block's execution tells the outside: per transaction code, data and log, events,
 * touched accounts, and the rows of STORE_JOBS. Filled while the block runs, rolled back with a
 * transaction, read by consensus until the next block. Texts and arrays live in the block's arena;
 * only the data is hashed [protocol 5]. Faults go to the state's (want of memory). */
#ifndef CHAIN_SETTLE_RESULTS_H
#define CHAIN_SETTLE_RESULTS_H

#include "chain/app.h"
#include "chain/settle/state.h"

/* One action's outcome, as ActionResult will say it. */
struct outcome {
	enum settle_code code;
	bool has_job;
	struct job_key job;
	uint32_t state; /* Pb__JobState */
	const Pb__Receipt *receipt;
};

struct results {
	struct arena *arena;   /* of the block: what is told */
	struct arena *scratch; /* of the transaction in hand */
	struct app_tx_result *txs;
	size_t tx_count;
	size_t tx_cap;
	struct app_event *events;
	size_t event_count;
	size_t event_cap;
	struct app_touch *touches;
	size_t touch_count;
	size_t touch_cap;
	struct store_batch rows;
};

void results_init(struct results *results, struct arena *arena, struct arena *scratch);
void results_fini(struct results *results);
/* False: no memory. */
MUST_USE bool results_reset(struct results *results, size_t tx_count);

/* What a rollback returns to. */
struct results_mark {
	size_t event_count;
	size_t touch_count;
	size_t rows_len;
	size_t rows_count;
};
struct results_mark results_mark(const struct results *results);
void results_rollback(struct results *results, const struct results_mark *mark);

/* Attributes of one event, gathered on the stack. */
enum { EVENT_ATTRIBUTES_MAX = 8 };
struct event_draft {
	struct app_event_attribute attributes[EVENT_ATTRIBUTES_MAX];
	size_t count;
};
/* key is static. Values are copied into the arena, but those of draft_add_static. */
void draft_add_static(struct event_draft *draft, const char *key, const char *value, bool index);
void draft_add_text(struct results *results, struct event_draft *draft, const char *key,
	struct bytes value, bool index);
void draft_add_address(struct results *results, struct event_draft *draft, const char *key,
	const struct account_address *address, bool index);
void draft_add_u64(struct results *results, struct event_draft *draft, const char *key,
	uint64_t value, bool index);
/* type is static. False: no memory. */
MUST_USE bool results_event(struct results *results, const struct event_draft *draft,
	const char *type, uint32_t tx_index);
MUST_USE bool results_touch(
	struct results *results, uint32_t tx_index, const struct account_address *account);

/* RFC 6962 root over the packed ActionResults, in the arena; empty for want of memory
 * (arena->exhausted). */
struct bytes results_data(struct results *results, const struct outcome *outcomes, size_t count);

#endif
