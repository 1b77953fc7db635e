/* http_world: a shell on a loopback port with a handler that a test can steer, and raw sockets that
 * speak to it. Everything runs on one thread: world_turn turns the shell's loop until a condition
 * holds, so nothing sleeps. */
#ifndef TESTS_HTTP_WORLD_H
#define TESTS_HTTP_WORLD_H

#include "http/shell.h"

struct world {
	struct event_base *loop;
	struct http_shell *shell;
	struct http_shell_config config;
	char dir[64]; /* for uploads */
	/* what the handler saw and keeps */
	size_t handled;
	struct http_ticket tickets[64];
	size_t ticket_count;
	char last_upload[256]; /* content of the last streamed body, cut */
	char last_file[256];
};

/* config's zero fields are filled; NULL: all defaults. Handler routes:
 *   /later    WAIT; the ticket is kept in tickets
 *   /at-once  WAIT, after its ticket has been answered in the handler
 *   /file     a body of 1 MiB out of a file     /big?n  n bytes
 *   else      `METHOD path query=.. body=N`, and the body itself when it is short */
void world_start(struct world *w, const struct http_shell_config *config);
void world_stop(struct world *w);

struct peer {
	struct world *w;
	int fd;
	struct buf in;
	bool closed;
};
void peer_open(struct peer *p, struct world *w);
void peer_close(struct peer *p);
void peer_send(struct peer *p, const void *data, size_t len);
void peer_say(struct peer *p, const char *text);

/* Turns the loop until what the peer has received holds `text`, or it is closed. False: not within
 * 10 s. */
bool peer_hears(struct peer *p, const char *text);
bool peer_is_cut(struct peer *p);
const char *peer_text(struct peer *p);
int peer_status(struct peer *p);

/* Turns the loop and reads every socket of `p` once. */
void world_turn(struct world *w, struct peer *p);
bool world_until(struct world *w, struct peer *p, bool (*holds)(struct world *w));

/* Answers the ticket with `text`. */
bool world_answer(struct world *w, size_t ticket, const char *text);

#endif
