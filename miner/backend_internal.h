/* backend_internal: what backend.c and backend_ollama.c share. */
#ifndef MINER_BACKEND_INTERNAL_H
#define MINER_BACKEND_INTERNAL_H

#include "miner/backend.h"

enum { BACKEND_MESSAGE_BYTES = 400 };

struct backend_run {
	const struct backends *backends;
	backend_done *done; /* NULL: answered; only a late answer of the world is waited for */
	void *ctx;
	uint64_t started_ms;
	struct exec *exec;      /* of a program */
	struct command command; /* of a program */
	bool has_command;
	bool stdout_result;
	bool deferred; /* the answer is a refusal that comes from the loop */
	char message[BACKEND_MESSAGE_BYTES];
	struct event *later;
};

/* Answers once and forgets the caller. */
void backend_answer(struct backend_run *run, const struct backend_result *result);
/* A refusal: answered from the loop, then freed. */
MUST_USE enum status backend_refuse_later(struct backend_run *run);
void backend_run_free(struct backend_run *run);

MUST_USE enum status ollama_start(struct backend_run *run, const json_t *payload, uint64_t wall_ms);

#endif
