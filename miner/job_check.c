/* The chain's word before any work: is this job ours, as the coordinator says it is, and can we
 * defend our pay? */
#include <stdio.h>
#include <string.h>

#include "miner/job_internal.h"

enum { CHECK_TRIES_MAX = 4, FEES_NEEDED = 10 };

static void look(struct job *job);

/* A refusal that nobody needs to hear about but the requester: on the chain the job isn't ours. */
static void turn_away(struct job *job, uint16_t status, const char *code, const char *message)
{
	log_event(job->shop->log, LOG_UNUSUAL,
		"job.turned_away job=%s attempt=%u code=%s reason=\"%s\"", job->rest_id,
		job->attempt, code, message);
	job_reply(job, status, code, message);
	job_end(job, false);
}

/* Ours on the chain, but not as it is: the coordinator gets our signature, so that it needn't wait
 * for the lease. */
static void refuse(struct job *job, const char *code, const char *message)
{
	job_reply(job, 422, code, message);
	job_return(job, JOB_RELEASE, code, message);
}

static void try_again(struct job *job, uint16_t status, const char *code, const char *message)
{
	if (job->shop->stopping || ++job->tries >= CHECK_TRIES_MAX) {
		turn_away(job, status, code, message);
		return;
	}
	job_wait(job, retry_pause_ms(job->tries), look);
}

static void on_funds(void *ctx, bool known, uint64_t balance, uint64_t fee, const char *why)
{
	struct job *job = ctx;
	struct workshop *shop = job->shop;
	char fault[JOB_MESSAGE_BYTES];
	if (!job_answered(job) || job->stage != JOB_CHECKING)
		return;
	if (!known) {
		try_again(job, 503, "chain_silent", why);
		return;
	}
	if (balance / FEES_NEEDED < fee) {
		snprintf(fault, sizeof fault,
			"the miner's balance %llu uaitbc is under ten fees (%llu each): it "
			"couldn't deliver by itself",
			(unsigned long long)balance, (unsigned long long)fee);
		refuse(job, "miner_balance_low", fault);
		return;
	}
	job->entry.client = job->client;
	snprintf(job->entry.job_id, sizeof job->entry.job_id, "%s", job->job_id);
	job->entry.attempt = job->attempt;
	job->entry.complete = false;
	if (journal_write(&shop->journal, &job->entry) != STATUS_OK ||
		workdir_make(job->directory, shop->config->work_dir,
			shop->backends.drop_user ? shop->backends.uid : (uid_t)-1,
			shop->backends.gid) != STATUS_OK) {
		job->directory[0] = 0;
		refuse(job, "miner_disk", "the miner can't write to its disk");
		return;
	}
	log_event(shop->log, LOG_INFO, "job.accepted job=%s attempt=%u service=%s reward=%llu",
		job->rest_id, job->attempt, job->terms.service,
		(unsigned long long)job->terms.reward);
	job_reply(job, 202, "", "");
	job_work_start(job);
}

static void on_look(void *ctx, const struct chain_view *view)
{
	struct job *job = ctx;
	struct workshop *shop = job->shop;
	char fault[160];
	if (!job_answered(job) || job->stage != JOB_CHECKING)
		return;
	if (view->answer == CHAIN_SILENT) {
		try_again(job, 503, "chain_silent", view->fault);
		return;
	}
	if (view->answer == CHAIN_NO_JOB) {
		try_again(job, 409, "unknown_job", "the chain doesn't know this job");
		return;
	}
	job->terms = view->terms;
	switch (assignment_judge(&job->assignment, &view->terms, &shop->rules, fault)) {
	case ASSIGNMENT_NOT_MINE:
		/* Our node may be a block behind the coordinator's. */
		try_again(job, 409, "not_assigned", fault);
		return;
	case ASSIGNMENT_REFUSED: refuse(job, "terms_refused", fault); return;
	case ASSIGNMENT_GOOD: break;
	}
	job->calls++;
	if (chain_ask_funds(&shop->chain, on_funds, job) == STATUS_OK)
		return;
	job->calls--;
	try_again(job, 503, "no_memory", "out of memory");
}

static void look(struct job *job)
{
	job->calls++;
	if (chain_look(&job->shop->chain, &job->client, job->job_id, on_look, job) == STATUS_OK)
		return;
	job->calls--;
	turn_away(job, 503, "no_memory", "out of memory");
}

/* ---- and while it works ---- */

static void on_doubt(void *ctx, const struct chain_view *view)
{
	struct job *job = ctx;
	if (!job_answered(job))
		return;
	job->doubted = false;
	bool gone = view->answer == CHAIN_NO_JOB ||
		    (view->answer == CHAIN_JOB && !job_is_ours(job, &view->terms));
	if (!gone || job->stage < JOB_FETCHING || job->stage > JOB_UPLOADING)
		return;
	log_event(job->shop->log, LOG_UNUSUAL,
		"job.lost job=%s attempt=%u reason=\"the attempt isn't ours any more\"",
		job->rest_id, job->attempt);
	if (job->stage == JOB_RUNNING) {
		job->abandoned = true;
		backend_cancel(job->run); /* the job ends when its processes have */
	} else {
		job_end(job, false);
	}
}

void job_doubt(struct workshop *shop, const char *rest_id)
{
	for (struct job *job = shop->jobs; job != NULL; job = job->next) {
		if (strcmp(job->rest_id, rest_id) != 0 || job->doubted ||
			job->stage < JOB_FETCHING || job->stage > JOB_UPLOADING)
			continue;
		job->calls++;
		job->doubted = chain_look(&shop->chain, &job->client, job->job_id, on_doubt, job) ==
			       STATUS_OK;
		if (!job->doubted)
			job->calls--;
	}
}

void job_check_start(struct job *job)
{
	look(job);
}
