/* book: the coordinator's rows on their way to disk. Gathers the puts of one loop turn into one
 * batch, writes it, and only then says so: many jobs share one write, and one sync where a promise
 * hangs on it. Reads see what is gathered only after the write, so callers keep live things in
 * memory. A failed write is final: the store must not be written again (chain/store.h); book_failed
 * says so and everyone answers 503. */
#ifndef COORDINATOR_BOOK_H
#define COORDINATOR_BOOK_H

#include <event2/event.h>

#include "base/log.h"
#include "chain/store.h"

/* Called after each write, for everything put before it; durable false: it can't be. */
typedef void book_done(void *ctx, bool durable);

struct book {
	struct store *store;
	struct log *log;
	struct store_batch batch;
	struct event *turn;
	book_done *done;
	void *ctx;
	bool must_sync;
	bool failed;
};

MUST_USE enum status book_init(struct book *book, struct event_base *loop, struct store *store,
	struct log *log, book_done *done, void *ctx);
/* Writes what is gathered, without a word to done. */
void book_fini(struct book *book);

/* What the chain would tell again after a crash need not be synced: only a write in which
 * book_must_sync was called is durable when done is. */
void book_put(struct book *book, struct bytes key, struct bytes value);
void book_delete(struct book *book, struct bytes key);
/* Somebody was or will be promised what is in this write. */
void book_must_sync(struct book *book);
/* A write, and done, in this turn, even when nothing was put. */
void book_ask(struct book *book);
/* Writes now. */
void book_flush(struct book *book);
bool book_failed(const struct book *book);

#endif
