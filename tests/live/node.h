/* node: a real aitbcd as a child process: its home, its port, its start, its death. For end-to-end
 * tests and benchmarks. The child dies with this process. */
#ifndef TESTS_LIVE_NODE_H
#define TESTS_LIVE_NODE_H

#include <sys/types.h>

#include "base/bytes.h"
#include "genesis/genesis.h"

enum { LIVE_PATH_BYTES = 512, LIVE_EXTRA_MAX = 8 };

struct live_node {
	char program[LIVE_PATH_BYTES];
	char home[LIVE_PATH_BYTES];
	const char *extra[LIVE_EXTRA_MAX]; /* more flags of `aitbcd start`, NULL-terminated */
	uint16_t rpc_port;
	pid_t pid; /* 0: not running */
	uint64_t spawned_ms;
	uint64_t ready_ms; /* how long the last start took until it answered with a block */
};

/* Makes a one-validator home in a new folder under parent with `aitbcd init`, and picks a free
 * port. False: fault says why. */
MUST_USE bool live_node_make(struct live_node *node, const char *program, const char *parent,
	const char *chain_id, char fault[256]);
/* Reads the home's genesis document; writes back a changed one. */
MUST_USE bool live_genesis_read(struct genesis *out, const struct live_node *node, char fault[256]);
MUST_USE bool live_genesis_write(const struct live_node *node, struct genesis *g, char fault[256]);

/* Starts it and waits until `status` answers with a height of at least 1. Its output goes to
 * HOME.log. */
MUST_USE bool live_node_start(struct live_node *node, char fault[256]);
/* The two halves of it: several nodes have to run before one of them gets to a block. */
MUST_USE bool live_node_spawn(struct live_node *node, char fault[256]);
MUST_USE bool live_node_await(struct live_node *node, char fault[256]);
/* Sends the signal and waits for the end. False: it had died by itself before. */
bool live_node_kill(struct live_node *node, int signal);
/* Resident memory in kB: now, and the most it ever was. */
long live_node_rss_kb(const struct live_node *node);
long live_node_peak_kb(const struct live_node *node);
/* CPU time of all its threads since its start. */
uint64_t live_node_cpu_us(const struct live_node *node);

/* Of a node that doesn't run: removes all it has written while running, as if its disk had been
 * lost; its keys, genesis and configuration come from the operator's copy. */
void live_node_wipe(const struct live_node *node);
/* Does its log have this text? */
bool live_node_log_has(const struct live_node *node, const char *text);

/* Removes the home. */
void live_node_remove(struct live_node *node);

/* A TCP port of 127.0.0.1 that nobody listens on just now. */
uint16_t live_free_port(void);
/* Runs the program at arguments[0] (NULL-terminated) to its end, its output appended to log. False:
 * it failed. */
MUST_USE bool live_run(const char *const *arguments, const char *log);

#endif
