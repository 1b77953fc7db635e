/* client: HTTP requests on the event loop (libcurl multi): coordinator -> chain and miners, miner
 * -> coordinator, chain and Ollama, wallet -> everything. Nothing blocks; http_client_wait runs a
 * private loop for a command line. Bodies are bounded; TLS and proxies from the environment are
 * off. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <event2/event.h>

#include "base/status.h"
#include "http/message.h"

struct http_client;

MUST_USE enum status http_client_new(struct http_client **out, struct event_base *loop);
/* Cancels what is under way: callbacks are called with STATUS_BUSY first. */
void http_client_free(struct http_client *client);

struct http_call {
	enum http_method method;
	const char *url;
	const struct http_header *headers; /* copied */
	size_t header_count;
	struct bytes body;         /* copied */
	const char *upload_file;   /* send this file as the body instead; NULL: none */
	const char *download_file; /* write a 2xx body here (created 0600, removed on failure);
				      NULL: to memory */
	size_t answer_bytes_max;   /* 0: HTTP_BODY_BYTES_MAX */
	uint32_t timeout_ms;       /* whole call */
};

/* status OK: an HTTP answer came, http_status and body are it (borrowed for the call). Else the
 * body is empty and fault says what happened, naming host and port. */
struct http_result {
	enum status status;
	uint16_t http_status;
	struct bytes body;
	const char *fault;
};
typedef void http_done(void *ctx, const struct http_result *result);

/* Never calls done before it returns. STATUS_NO_MEMORY or STATUS_INVALID: done will not be called.
 */
MUST_USE enum status http_client_start(
	struct http_client *client, const struct http_call *call, http_done *done, void *ctx);

/* For command lines: starts the call and runs the loop until done has been called. */
MUST_USE enum status http_client_wait(
	struct http_client *client, const struct http_call *call, http_done *done, void *ctx);

#endif
