/* daemon: one running aitbcd: opens what HOME holds, joins the rooms, serves until told to stop.
 * The only place where siblings meet. Blocks in the event loop; returns the process's exit code. */
#ifndef NODE_DAEMON_H
#define NODE_DAEMON_H

#include "node/config.h"

/* 0: stopped by a signal. 1: could not start (said on stderr). 2: the validator had to stop. */
int daemon_run(const char *home, const struct config *config);

#endif
