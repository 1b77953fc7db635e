/* shell_internal: what the files of the shell share. Nobody else includes it.
 *
 * A connection is a slot of one table, and holds at most one request at a time (HTTP/1.1 without
 * pipelined answers), so slot and generation name a waiting request. Its life:
 *
 *   IDLE -> BODY -> HANDLING -> SENDING -> IDLE            answered in the same turn
 *                   HANDLING -> WAITING -> ANSWERED -> SENDING
 *                               WAITING -> DOOMED          the requester left
 *   IDLE -> SENDING                                        refused before its body
 */
#ifndef HTTP_SHELL_INTERNAL_H
#define HTTP_SHELL_INTERNAL_H

#include <event2/event.h>
#include <microhttpd.h>
#include <netinet/in.h>

#include "base/limits.h"
#include "http/shell.h"

/* Of the names of spooled files. */
#define UPLOAD_PREFIX "upload-"

enum conn_phase {
	CONN_FREE,     /* the slot has no connection */
	CONN_IDLE,     /* between requests, or reading a header block */
	CONN_BODY,     /* header block accepted, body arriving */
	CONN_HANDLING, /* the handler runs */
	CONN_WAITING,  /* suspended; a ticket is out */
	CONN_ANSWERED, /* reply holds the late answer, the connection is being resumed */
	CONN_SENDING,  /* an answer is queued */
	CONN_DOOMED    /* resumed only to be closed */
};

struct conn {
	struct http_shell *shell;
	struct MHD_Connection *mhd;
	uint32_t slot;
	uint32_t generation; /* grows with every request; never 0 */
	uint32_t next_free;
	int fd;
	enum conn_phase phase;
	uint64_t since_ms; /* start of the connection, or the end of its last answer;
			      UINT64_MAX: sent away */
	uint64_t deadline_ms;
	struct event *gone; /* watches a suspended socket for the other side's leaving */
	char peer[INET6_ADDRSTRLEN];

	/* the request under way */
	char *query; /* copy of the raw text after '?', NULL when none */
	bool url_too_long;
	bool url_bad;     /* spaces or control characters */
	bool close_after; /* HTTP/1.0 or refused */
	enum http_method method;
	const char *origin; /* allowed cross-site Origin, to be named in the answer */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t header_count;
	struct buf body;
	size_t body_counted; /* in shell->bodies_bytes */
	size_t body_len;     /* as received, which may be more than is kept */
	uint16_t spoilt;     /* the body can't be had: answer this status at its end; 0: fine */
	bool is_upload;
	int upload_fd; /* -1: none */
	char *upload_path;
	struct http_reply reply;
	size_t reply_bytes; /* counted in shell->reply_bytes */
};

struct http_shell {
	struct http_shell_config config;
	struct event_base *loop;
	struct MHD_Daemon *daemon;
	int listen_fd; /* until the daemon owns it; then -1 */
	uint16_t port;
	struct event *readable; /* the daemon's epoll descriptor */
	struct event *again;    /* its next timeout */
	struct event *sweep;    /* deadlines */
	uint64_t now_ms;
	bool running; /* inside MHD_run */
	bool stopping;
	bool listens_on_any;
	struct conn *conns;
	uint32_t conn_slots;
	uint32_t free_head; /* conn_slots: none */
	size_t connections;
	size_t requests; /* under way: BODY to SENDING */
	size_t waiting;
	size_t uploads;
	size_t bodies_bytes;
	size_t reply_bytes;
};

uint64_t http_clock_ms(void);

/* shell.c */
/* Sees to it that the daemon runs in the next turn of the loop. */
void shell_kick(struct http_shell *shell);

/* shell_admit.c: what a header block must be for a handler to see the request. Fills headers,
 * origin and close_after; 0 or the status of the refusal, whose words go to *reason. */
struct admission {
	const char *url;
	const char *method;
	const char *version;
	uint64_t content_length;
};
uint16_t conn_admit(struct conn *conn, struct admission *admission, const char **reason);

/* shell_request.c: MHD's callbacks for a request. */
void *request_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_access(void *cls, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *data, size_t *data_len, void **slot);
void request_completed(
	void *cls, struct MHD_Connection *mhd, void **slot, enum MHD_RequestTerminationCode how);
/* Forgets the request's own memory; the connection stays. */
void conn_clear_request(struct conn *conn);
/* Makes the refusal that answers instead of the handler. */
void conn_refusal(struct conn *conn, struct http_reply *reply, uint16_t status, const char *reason);

#endif
