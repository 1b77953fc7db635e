/* job_internal: what the files of one job share: job.c (life and list), job_check.c, job_work.c
 * (fetch, run, upload), job_claim.c (until paid), job_return.c (failed, given back). */
#ifndef MINER_JOB_INTERNAL_H
#define MINER_JOB_INTERNAL_H

#include "miner/deadline.h"
#include "miner/job.h"

enum { JOB_MESSAGE_BYTES = 257, JOB_ERROR_BYTES = 33 };

struct job_output {
	char name[TEMPLATE_NAME_BYTES_MAX + 1];
	char content_type[64];
	uint64_t size;
	struct hash32 hash;
};

struct job {
	struct workshop *shop;
	struct job *next, *previous;
	enum job_stage stage; /* written by job_enter alone */
	unsigned calls;       /* asked for and not yet answered: the job lives as long */
	struct event *timer;
	void (*on_timer)(struct job *job);
	unsigned tries; /* of the stage's present step */

	char rest_id[JOB_REST_ID_BYTES];
	struct account_address client;
	char job_id[JOB_ID_BYTES_MAX + 1];
	uint32_t attempt;
	struct assignment assignment; /* until the work is done */
	struct http_ticket ticket;    /* of the request that waits; zero: none */
	struct job_terms terms;

	char directory[WORKDIR_PATH_BYTES]; /* "" when there is none */
	struct backend_run *run;
	bool doubted;   /* the chain is being asked whether it is still ours */
	bool abandoned; /* it isn't: what still runs was cancelled */
	struct job_output outputs[TEMPLATE_OUTPUTS_MAX];
	size_t output_count;
	size_t uploaded;
	struct buf members; /* of the result */

	/* from completion on */
	struct journal_entry entry;
	struct job_receipt receipt;
	bool has_receipt;
	bool told; /* the coordinator has taken the result */
	bool telling;
	unsigned tell_tries;
	uint64_t tell_at_ms;
	bool delivering;
	uint64_t deliver_again_ms;

	/* of a return */
	enum job_release_act act;
	char error_code[JOB_ERROR_BYTES];
	char message[JOB_MESSAGE_BYTES];
};

/* The stage's one writer. */
void job_enter(struct job *job, enum job_stage stage);
/* Calls on_timer in ms, replacing what waited. False never: without a timer the job is stuck, so it
 * ends loudly. */
void job_wait(struct job *job, uint32_t ms, void (*on_timer)(struct job *job));
/* Every answer of the world begins with this. False: the job has ended and may be gone; touch
 * nothing. */
MUST_USE bool job_answered(struct job *job);
/* Removes directory, journal (unless kept) and the job itself, as soon as nothing is under way. */
void job_end(struct job *job, bool keep_journal);
void job_remove_directory(struct job *job);
/* Answers the request that waits, if one does. */
void job_reply(struct job *job, uint16_t status, const char *code, const char *message);

void job_check_start(struct job *job);
void job_work_start(struct job *job);
void job_claim_start(struct job *job);
/* The chain gives the job's present attempt to this miner. */
bool job_is_ours(const struct job *job, const struct job_terms *terms);
/* Failed for good or given back: from any stage before completion. */
void job_return(
	struct job *job, enum job_release_act act, const char *error_code, const char *message);

#endif
