/* stall_watch: once a second, whether the chain goes on; if it doesn't, who is missing goes to the
 * log.
 */
#include "node/parts.h"

enum { WATCH_S = 1 };

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct daemon_parts *p = arg;
	struct stall stall;
	stall_look(&stall, &p->view.stall);
	stall_tell(&p->teller, &p->log, &stall);
}

enum status stall_watch_start(struct daemon_parts *p)
{
	struct timeval second = {WATCH_S, 0};
	p->watch = event_new(p->loop, -1, EV_PERSIST, on_second, p);
	return p->watch && event_add(p->watch, &second) == 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

void stall_watch_stop(struct daemon_parts *p)
{
	if (p->watch)
		event_free(p->watch);
	p->watch = NULL;
}
