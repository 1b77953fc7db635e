/* workshop: what all jobs of one daemon share: the loop, the chain, the coordinator, the backends,
 * the journal, the key that is paid, and the list of jobs. Filled by miner.c; used by job*.c. Loop
 * thread. */
#ifndef MINER_WORKSHOP_H
#define MINER_WORKSHOP_H

#include "http/shell.h"
#include "miner/assignment.h"
#include "miner/backend.h"
#include "miner/chain.h"
#include "miner/journal.h"
#include "miner/link.h"

struct job;

struct workshop {
	struct event_base *loop;
	struct log *log;
	const struct miner_config *config;
	struct http_shell *shell;
	struct chain chain;
	struct link link;
	struct backends backends;
	struct journal journal;
	struct sender *sender;
	struct account_secret secret;
	struct assignment_rules rules;
	uint64_t (*now_ms)(void);  /* monotonic */
	uint64_t (*wall_ms)(void); /* since 1970 */
	bool stopping;
	struct job *jobs; /* doubly linked */
	size_t job_count;
	/* A slot became free, or the last job ended. */
	void (*changed)(void *ctx);
	void *changed_ctx;
	/* Since the start. */
	uint64_t paid_count;
	uint64_t paid_uaitbc;
	uint64_t failed_count;
	uint64_t returned_count;
};

#endif
