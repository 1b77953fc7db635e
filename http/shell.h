/* shell: the one HTTP server: libmicrohttpd in external-epoll mode inside the libevent loop [design
 * D9]. Owns sockets, limits and deadlines; its handlers (rpc, coordinator, miner daemon, metrics)
 * see message.h. When all connections are taken, the one that has been without a whole request for
 * longest makes room; who waits for an answer is never sent away for that. Used by the mains of
 * aitbcd and aitbc-miner only. Loop thread only. */
#ifndef HTTP_SHELL_H
#define HTTP_SHELL_H

#include <event2/event.h>

#include "base/log.h"
#include "base/status.h"
#include "http/message.h"

struct http_shell_config {
	const char *listen_address; /* numeric, e.g. "127.0.0.1" */
	uint16_t port;              /* 0: any free one; see http_shell_port */
	size_t body_bytes_max;     /* 0: HTTP_BODY_BYTES_MAX; more than that is refused before it is
				      buffered */
	uint16_t too_large_status; /* 413, or 400 on the JSON-RPC port */
	const char *upload_prefix; /* paths under it stream their body into a file of upload_dir;
				      NULL: none */
	const char *upload_dir;  /* the shell's own: what a crash left there is removed at the start
				  */
	size_t upload_bytes_max; /* 0: ARTIFACT_BYTES_MAX */
	uint32_t connections_max; /* 0: HTTP_CONNECTIONS_MAX; no more than that */
	uint32_t request_ms_max;  /* whole-request deadline, 0: HTTP_REQUEST_MS_MAX */
	uint32_t header_ms_max;   /* the header block must be there by then, 0: HTTP_HEADER_MS_MAX;
				     never more than request_ms_max */
	const char *const
		*hosts; /* extra allowed Host names, NULL-terminated; loopback names always are */
	const char *const *origins; /* allowed Origins beside the port's own, NULL-terminated, "*":
				       any; NULL: none */
	http_handler *handler;
	/* Asked with an upload's header block, before a byte of it is stored; body and body_file
	 * are empty. False: it is refused, with what it put into *reply. NULL: all are taken. */
	bool (*admit_upload)(
		void *self, const struct http_request *request, struct http_reply *reply);
	/* Makes the port's own body for what the shell refuses by itself (400, 403, 413, 414, 431,
	 * 503...), so that a JSON port answers JSON. NULL: a plain text line. */
	void (*refusal)(void *self, uint16_t status, const char *reason, struct http_reply *reply);
	void *self;
	struct log *log;
};

/* STATUS_BUSY: the port is taken (fault says by whom where that can be known). */
MUST_USE enum status http_shell_start(struct http_shell **out, struct event_base *loop,
	const struct http_shell_config *config, char fault[256]);
uint16_t http_shell_port(const struct http_shell *shell);
size_t http_shell_connections(const struct http_shell *shell);

/* Stops accepting, lets waiting requests end for at most drain_ms by running the loop, answers 503
 * to the rest, then frees. Must not be called from inside the loop: libevent's loop can't nest.
 * Tickets are dead after it. */
void http_shell_stop(struct http_shell *shell, uint32_t drain_ms);

#endif
