#include "coordinator/book.h"

#include <string.h>

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	book_flush(ctx);
}

enum status book_init(struct book *book, struct event_base *loop, struct store *store,
	struct log *log, book_done *done, void *ctx)
{
	memset(book, 0, sizeof *book);
	book->store = store;
	book->log = log;
	book->done = done;
	book->ctx = ctx;
	store_batch_init(&book->batch);
	book->turn = event_new(loop, -1, 0, on_turn, book);
	if (book->turn)
		return STATUS_OK;
	store_batch_fini(&book->batch);
	return STATUS_NO_MEMORY;
}

void book_fini(struct book *book)
{
	if (!book->turn)
		return;
	book->done = NULL;
	book->must_sync = true;
	book_flush(book);
	event_free(book->turn);
	store_batch_fini(&book->batch);
	memset(book, 0, sizeof *book);
}

void book_put(struct book *book, struct bytes key, struct bytes value)
{
	store_batch_put(&book->batch, STORE_COORDINATOR, key, value);
	book_ask(book);
}

void book_delete(struct book *book, struct bytes key)
{
	store_batch_delete(&book->batch, STORE_COORDINATOR, key);
	book_ask(book);
}

void book_must_sync(struct book *book)
{
	book->must_sync = true;
}

void book_ask(struct book *book)
{
	event_active(book->turn, EV_TIMEOUT, 1);
}

void book_flush(struct book *book)
{
	if (!book->failed && book->batch.count > 0) {
		enum status status = store_write(book->store, &book->batch, book->must_sync);

		if (status != STATUS_OK) {
			log_event(book->log, LOG_BROKEN, "coordinator_store_failed status=\"%s\"",
				status_text(status));
			book->failed = true;
		}
	}
	/* What done puts belongs to the next write. */
	store_batch_clear(&book->batch);
	book->must_sync = false;
	if (book->done)
		book->done(book->ctx, !book->failed);
}

bool book_failed(const struct book *book)
{
	return book->failed;
}
