/* proctree: who descends from a process, read from /proc. A moment's picture: a process may fork
 * right after it; callers repeat until waitpid says there is no child left. Allocates nothing but
 * the directory stream. */
#ifndef MINER_PROCTREE_H
#define MINER_PROCTREE_H

#include <sys/types.h>

#include "base/bytes.h"

enum { PROCTREE_MAX = 32768 }; /* processes looked at; more are not seen in this pass */

/* Descendants of root (without root and without zombies), and, when spared_count > 0, without the
 * subtrees that begin at a spared pid. Returns how many are written to out. */
size_t proctree_descendants(
	pid_t root, pid_t *out, size_t out_max, const pid_t *spared, size_t spared_count);

/* SIGKILL to all of them; returns how many. */
size_t proctree_kill(pid_t root, const pid_t *spared, size_t spared_count);

#endif
