/* message: one HTTP request and its answer, as the rooms that serve routes see them.
 * The shell (shell.h) bounds and reads the request before a handler runs; a handler never sees a
 * socket. Handlers run on the loop thread. An answer is DONE now, or WAIT: later, once, through
 * http_ticket_answer. */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "base/bytes.h"

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER
};

struct http_header {
	const char *name;
	const char *value;
};

/* Borrowed for the time of the handler's call; a WAIT copies what it needs. */
struct http_request {
	enum http_method method;
	const char *path;  /* percent-decoded, starts with '/' */
	const char *query; /* raw text after '?', "" when none */
	const struct http_header *headers;
	size_t header_count;
	struct bytes body;     /* whole, when the route is not a streaming upload */
	const char *body_file; /* a streamed upload's spooled file
				* (http_shell_config.upload_prefix), else NULL: the handler renames
				* it to keep it; the shell removes it when the answer is there */
	const char *peer;      /* numeric address of the other side */
	uint64_t now_ms;       /* monotonic milliseconds */
};

/* Value of a header by case-insensitive name, or NULL. */
const char *http_request_header(const struct http_request *request, const char *name);

/* Percent-decoded value of a query parameter appended to out; false when the parameter is absent. A
 * broken escape is kept as it stands. */
bool http_query_param(struct buf *out, const char *query, const char *name);

struct http_reply {
	uint16_t status;
	const char *content_type; /* static text */
	struct http_header
		extra[6]; /* static names; values owned by the reply's text buf or static */
	size_t extra_count;
	struct buf body;
	int body_fd; /* >= 0: the body is this file, closed by the shell; body is ignored */
	bool close;  /* close the connection after this answer */
};

void http_reply_init(struct http_reply *reply);
void http_reply_fini(struct http_reply *reply);
void http_reply_header(struct http_reply *reply, const char *name, const char *static_value);

/* Names a waiting request. Zero is never a live ticket. */
struct http_ticket {
	uint32_t slot;
	uint32_t generation;
};

enum http_answer { HTTP_DONE, HTTP_WAIT };

struct http_shell;

/* The shell's reason (http_shell_config.refusal) for a body over its bound. */
#define HTTP_REASON_BODY_TOO_LARGE "request body too large"

/* Fills *reply and returns HTTP_DONE, or keeps `ticket` and returns HTTP_WAIT. */
typedef enum http_answer http_handler(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply);

/* Takes the reply's content. False: the requester is gone or its deadline passed; nothing to do. */
bool http_ticket_answer(
	struct http_shell *shell, struct http_ticket ticket, struct http_reply *reply);

#endif
