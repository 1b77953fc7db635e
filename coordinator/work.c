/* What comes next for a job, and when. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/managed.h"

enum {
	AFTER_DUE_MS = 500, /* past a deadline of the chain before we ask it what it made of that */
	LOOK_EVERY_MS =
		15000, /* at a job in a miner's hands: it may have gone to the chain itself */
	LOOK_AGAIN_MS = 5000,    /* between looks at a job whose fate isn't known */
	ACTING_CHECK_MS = 30000, /* an act that is under way is still under way */
	DEADLINE_MARGIN_MS = 2000
};

/* Bytes of the UTF-8 letter at text, 0 when it is none (or cut). */
static size_t letter(const uint8_t *text, size_t left)
{
	size_t len = text[0] < 0x80   ? 1
		     : text[0] < 0xc2 ? 0
		     : text[0] < 0xe0 ? 2
		     : text[0] < 0xf0 ? 3
		     : text[0] < 0xf5 ? 4
				      : 0;

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	/* overlong, surrogates, beyond the last plane */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
		(text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

void work_clean_text(char *text)
{
	uint8_t *at = (uint8_t *)text;

	for (size_t left = strlen(text); left > 0;) {
		size_t len = letter(at, left);

		if (len == 0 || (len == 1 && (*at < 0x20 || *at == 0x7f)))
			*at = '?';
		at += len ? len : 1;
		left -= len ? len : 1;
	}
}

void work_reason(struct job *job, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(job->reason, sizeof job->reason, format, list);
	va_end(list);
	/* Others' words are in it, and it may go to the chain, which takes whole letters only. */
	work_clean_text(job->reason);
}

void work_wake_at(struct coordinator *c, struct job *job, uint64_t due_ms)
{
	struct wake *first = wake_first(&c->wakes);
	uint64_t now = coordinator_now(c);
	uint64_t wait;
	struct timeval tv;

	if (!wake_set(&c->wakes, &job->wake, due_ms))
		log_event(c->config.log, LOG_UNUSUAL, "coordinator_no_memory for=wake");
	if (first && first->due_ms <= due_ms && wake_first(&c->wakes) == first)
		return;
	first = wake_first(&c->wakes);
	if (!first)
		return;
	/* At most a second at a time: the wall clock may be set. */
	wait = first->due_ms > now ? first->due_ms - now : 0;
	wait = wait > 1000 ? 1000 : wait;
	tv.tv_sec = (time_t)(wait / 1000);
	tv.tv_usec = (suseconds_t)(wait % 1000 * 1000);
	evtimer_add(c->wake_timer, &tv);
}

void work_after_write(struct coordinator *c, enum deed_kind kind, const struct job *job)
{
	if (c->deed_count == c->deed_cap) {
		size_t cap = c->deed_cap == 0 ? 256 : c->deed_cap * 2;
		struct deed *deeds = realloc(c->deeds, cap * sizeof *deeds);

		if (!deeds) {
			/* The job's next wake takes it up again. */
			log_event(c->config.log, LOG_UNUSUAL, "coordinator_no_memory for=deed");
			return;
		}
		c->deeds = deeds;
		c->deed_cap = cap;
	}
	c->deeds[c->deed_count].kind = kind;
	memcpy(c->deeds[c->deed_count].job, job->id, JOB_ID_RAW_BYTES);
	c->deed_count++;
	book_ask(&c->book);
}

static void forget(struct coordinator *c, struct job *job)
{
	wake_clear(&c->wakes, &job->wake);
	dispatch_remove(&c->dispatch, job);
	work_free_slot(c, job);
	job_drop(&c->jobs, job);
}

static void do_deed(struct coordinator *c, const struct deed *deed)
{
	struct job *job = jobs_find(&c->jobs, deed->job);

	if (!job)
		return;
	switch (deed->kind) {
	case DEED_BROADCAST:
		if (job->state == JOB_SUBMITTING && !job->broadcasting)
			submit_broadcast(c, job);
		break;
	case DEED_RECORD:
		if (job->state == JOB_RECORDING && !job->acting && !act_record(c, job))
			work_wake_at(c, job, coordinator_now(c) + LOOK_AGAIN_MS);
		break;
	case DEED_REAP:
		if (job_ended((enum job_state)job->state))
			forget(c, job);
		break;
	}
}

void work_on_written(void *ctx, bool durable)
{
	struct coordinator *c = ctx;
	struct deed *deeds = c->deeds;
	size_t count = c->deed_count;

	c->deeds = NULL;
	c->deed_count = c->deed_cap = 0;
	for (size_t i = 0; durable && i < count; i++)
		do_deed(c, &deeds[i]);
	free(deeds);
}

void work_take_slot(struct coordinator *c, struct job *job, struct miner *miner)
{
	if (job->hand == miner)
		return;
	work_free_slot(c, job);
	job->hand = miner;
	job->hand_prev = NULL;
	job->hand_next = miner->in_hand;
	if (miner->in_hand)
		miner->in_hand->hand_prev = job;
	miner->in_hand = job;
	miner->inflight++;
	job->promised = !job->offered;
	miner->promised += job->promised;
}

void work_heard_of(struct job *job)
{
	job->offered = true;
	if (job->promised && job->hand)
		job->hand->promised--;
	job->promised = false;
}

void work_free_slot(struct coordinator *c, struct job *job)
{
	struct miner *miner = job->hand;

	(void)c;
	if (!miner)
		return;
	if (job->hand_prev)
		job->hand_prev->hand_next = job->hand_next;
	else
		miner->in_hand = job->hand_next;
	if (job->hand_next)
		job->hand_next->hand_prev = job->hand_prev;
	miner->promised -= job->promised;
	job->promised = false;
	job->hand = NULL;
	job->hand_next = job->hand_prev = NULL;
	miner->inflight--;
}

static void assign(struct coordinator *c, struct job *job, struct miner *miner)
{
	uint64_t now = coordinator_now(c);

	dispatch_remove(&c->dispatch, job);
	snprintf(job->miner_id, sizeof job->miner_id, "%s", miner->id);
	job->terms.miner = miner->key;
	job->terms.assigned = false;
	job->offered = false;
	job->offer_tries = 0;
	job->offer_at_ms = 0;
	job->heard_ms = now;
	work_reason(job, "is being assigned to %s", miner->id);
	CHECK(jobs_move(&c->jobs, job, JOB_EV_ASSIGN));
	work_take_slot(c, job, miner);
	miner->last_job_ms = now;
	job->acting = act_assign(c, job, miner);
	work_wake_at(c, job, now + (job->acting ? ACTING_CHECK_MS : LOOK_AGAIN_MS));
}

static bool is_served(const struct coordinator *c, const struct job *job)
{
	const struct service *service =
		service_by_name(job->terms.service, strlen(job->terms.service));

	return service && dispatch_is_served(&c->dispatch, service, job->model, coordinator_now(c),
				  c->config.timing.heartbeat_ttl_ms);
}

static void fail(struct coordinator *c, struct job *job)
{
	dispatch_remove(&c->dispatch, job);
	if (!jobs_move(&c->jobs, job, JOB_EV_FAIL))
		return;
	work_free_slot(c, job);
	log_event(c->config.log, LOG_INFO, "job_failing job=%.64s reason=\"%s\"", job->terms.job_id,
		job->reason);
	job->acting = act_fail(c, job, NULL);
	work_wake_at(c, job, coordinator_now(c) + (job->acting ? ACTING_CHECK_MS : LOOK_AGAIN_MS));
}

/* A queued job: to a miner, or to the end of its patience. */
static void queued(struct coordinator *c, struct job *job)
{
	uint64_t now = coordinator_now(c), patience = c->config.timing.no_miner_ms, next;
	struct miner *miner;

	if (now >= job->expires_ms + AFTER_DUE_MS) {
		follow_look(c, job);
		return;
	}
	if (job->terms.attempt >= job->terms.max_attempts) {
		if (job->reason[0] == 0)
			work_reason(job, "every attempt was used");
		fail(c, job);
		return;
	}
	/* Too close to the deadline for a lease: it expires by itself. */
	miner = now + DEADLINE_MARGIN_MS < job->expires_ms
			? dispatch_choose(&c->dispatch, job, now, c->config.timing.heartbeat_ttl_ms)
			: NULL;
	if (miner) {
		assign(c, job, miner);
		return;
	}
	if (is_served(c, job)) {
		if (now >= job->looked_ms + patience) { /* its client may have cancelled it */
			follow_look(c, job);
			return;
		}
		job->queued_ms = now; /* patience counts from when nobody served it */
		work_reason(job, "waits for a free miner");
	} else if (now >= job->queued_ms + patience) {
		work_reason(job, "no miner offers %s%s%s; waited %u s", job->terms.service,
			job->model[0] ? " with model " : "", job->model,
			(unsigned)(patience / 1000));
		fail(c, job);
		return;
	} else {
		work_reason(job, "no miner offers %s%s%s yet", job->terms.service,
			job->model[0] ? " with model " : "", job->model);
	}
	next = job->queued_ms + patience;
	work_wake_at(c, job, next < job->expires_ms ? next : job->expires_ms + AFTER_DUE_MS);
}

/* The miner went silent past lease and grace. */
static void lapse(struct coordinator *c, struct job *job)
{
	struct miner *miner = miner_find(&c->miners, job->miner_id);

	log_event(c->config.log, LOG_UNUSUAL, "job_lapsed job=%.64s attempt=%u miner=%s",
		job->terms.job_id, job->terms.attempt, job->miner_id);
	if (miner) {
		miner->failed++;
		miner_save(&c->miners, miner);
	}
	work_reason(job, "%s fell silent in attempt %u", job->miner_id, job->terms.attempt);
	if (job->terms.attempt >= job->terms.max_attempts) {
		fail(c, job);
		return;
	}
	if (!jobs_move(&c->jobs, job, JOB_EV_RETURN))
		return;
	work_free_slot(c, job);
	job->acting = act_release(c, job, NULL);
	work_wake_at(c, job, coordinator_now(c) + (job->acting ? ACTING_CHECK_MS : LOOK_AGAIN_MS));
}

/* With a miner: offered, renewed while it is heard, taken back when it is silent. */
static void in_hand(struct coordinator *c, struct job *job)
{
	const struct coordinator_timing *timing = &c->config.timing;
	uint64_t now = coordinator_now(c), renew_ms = job->lease_end_ms - timing->lease_ms / 3;
	uint64_t lapse_ms = job->lease_end_ms + job->terms.grace_ms + AFTER_DUE_MS, next;
	bool heard = job->heard_ms + timing->heartbeat_ttl_ms > now;

	if (now >= job->expires_ms + AFTER_DUE_MS || now >= job->looked_ms + LOOK_EVERY_MS) {
		follow_look(c, job);
		return;
	}
	if (job->state == JOB_ASSIGNED && !job->offered && !job->offering &&
		now >= job->offer_at_ms)
		offer_job(c, job);
	if (heard && now >= renew_ms && now < job->lease_end_ms && !job->renewing &&
		job->lease_end_ms + DEADLINE_MARGIN_MS < job->expires_ms)
		job->renewing = act_renew(c, job);
	if (now >= lapse_ms && !heard) {
		/* Where lease and grace end is the chain's to say, unless it has just said so. */
		if (job->lease_told_ms != job->lease_end_ms)
			follow_look(c, job);
		else
			lapse(c, job);
		return;
	}
	next = now < renew_ms ? renew_ms : lapse_ms;
	if (next <= now)
		next = now + LOOK_AGAIN_MS;
	if (job->state == JOB_ASSIGNED && !job->offered && job->offer_at_ms > now &&
		job->offer_at_ms < next)
		next = job->offer_at_ms;
	if (next > job->expires_ms + AFTER_DUE_MS)
		next = job->expires_ms + AFTER_DUE_MS;
	if (next > job->looked_ms + LOOK_EVERY_MS)
		next = job->looked_ms + LOOK_EVERY_MS;
	work_wake_at(c, job, next);
}

/* The miner delivered on the chain and we lack the bytes: wait a while, then say so on the record.
 */
static void delivered(struct coordinator *c, struct job *job)
{
	uint64_t now = coordinator_now(c);
	uint64_t wait = c->config.timing.delivery_wait_ms, due;

	if (job->terms.review_ms > 0 && wait > job->terms.review_ms / 4 * 3)
		wait = job->terms.review_ms / 4 * 3;
	due = job->delivered_ms + wait;
	if (now < due) {
		work_reason(job, "%s delivered on the chain; the result hasn't arrived here",
			job->miner_id);
		work_wake_at(c, job, due);
		return;
	}
	if (now + DEADLINE_MARGIN_MS >= job->review_end_ms) {
		follow_look(c, job);
		return;
	}
	work_reason(job, "the result of the delivered receipt never arrived");
	if (!jobs_move(&c->jobs, job, JOB_EV_REJECT))
		return;
	job->acting = act_reject(c, job);
	work_wake_at(c, job, now + (job->acting ? ACTING_CHECK_MS : LOOK_AGAIN_MS));
}

/* A receipt on the chain is what a miner's reputation is made of. */
static void credit(struct coordinator *c, const struct job *job)
{
	struct miner *miner = miner_find(&c->miners, job->miner_id);

	if (!miner || job->state != JOB_COMPLETED)
		return;
	miner->settled++;
	miner->earned += job->terms.to_miner;
	if (job->work_completed_ms > job->work_started_ms)
		miner->work_ms += job->work_completed_ms - job->work_started_ms;
	memcpy(miner->last_receipt_id, job->receipt_id, sizeof miner->last_receipt_id);
	miner_save(&c->miners, miner);
}

static void ended(struct coordinator *c, struct job *job)
{
	struct miner *freed = job->hand;

	dispatch_remove(&c->dispatch, job);
	work_free_slot(c, job);
	submit_admitted(c, job, false);
	wake_clear(&c->wakes, &job->wake);
	if (job->completed_ms == 0)
		job->completed_ms = coordinator_now(c);
	if (job->managed && job->state == JOB_REFUSED)
		managed_unspend(c, job);
	if (job->state == JOB_COMPLETED)
		c->jobs_completed++;
	else
		c->jobs_failed++;
	log_event(c->config.log, LOG_INFO, "job_ended job=%.64s state=%s amount=%llu reason=\"%s\"",
		job->terms.job_id, job_state_text((enum job_state)job->state),
		(unsigned long long)job->amount, job->reason);
	credit(c, job);
	job_save(&c->jobs, job);
	view_answer_waiters(c, job);
	work_after_write(c, DEED_REAP, job);
	if (freed)
		work_for_miner(c, freed);
}

void work_enter(struct coordinator *c, struct job *job)
{
	struct miner *freed = job->hand;

	switch ((enum job_state)job->state) {
	case JOB_SUBMITTING: break;
	case JOB_QUEUED:
		work_free_slot(c, job);
		view_answer_waiters(c, job);
		if (job->queued_ms == 0)
			job->queued_ms = coordinator_now(c);
		if (!dispatch_enqueue(&c->dispatch, job, job->terms.attempt > 0)) {
			work_reason(job, "too many different models wait");
			work_wake_at(c, job, coordinator_now(c) + LOOK_AGAIN_MS);
			return;
		}
		queued(c, job);
		if (freed)
			work_for_miner(c, freed);
		return;
	case JOB_ASSIGNED:
	case JOB_RUNNING:
		dispatch_remove(&c->dispatch, job);
		view_answer_waiters(c, job);
		in_hand(c, job);
		return;
	case JOB_RECORDING:
		work_free_slot(c, job);
		if (!job->acting)
			work_after_write(c, DEED_RECORD, job);
		work_wake_at(c, job, coordinator_now(c) + ACTING_CHECK_MS);
		if (freed)
			work_for_miner(c, freed);
		return;
	case JOB_DELIVERED:
		work_free_slot(c, job);
		delivered(c, job);
		if (freed)
			work_for_miner(c, freed);
		return;
	case JOB_ASSIGNING:
	case JOB_RETURNING:
	case JOB_FAILING:
	case JOB_REJECTING: break;
	case JOB_COMPLETED:
	case JOB_FAILED:
	case JOB_CANCELLED:
	case JOB_EXPIRED:
	case JOB_REFUSED: ended(c, job); return;
	}
}

void work_wake(struct coordinator *c, struct job *job)
{
	if (job->resumed) {
		follow_look(c, job);
		return;
	}
	switch ((enum job_state)job->state) {
	case JOB_QUEUED:
		if (dispatch_enqueue(&c->dispatch, job, false)) {
			job->queue->starved = false;
			queued(c, job);
		} else {
			work_wake_at(c, job, coordinator_now(c) + LOOK_AGAIN_MS);
		}
		return;
	case JOB_ASSIGNED:
	case JOB_RUNNING: in_hand(c, job); return;
	case JOB_DELIVERED: delivered(c, job); return;
	case JOB_SUBMITTING:
		if (!job->broadcasting)
			follow_look(c, job);
		else
			work_wake_at(c, job, coordinator_now(c) + LOOK_AGAIN_MS);
		return;
	case JOB_ASSIGNING:
	case JOB_RECORDING:
	case JOB_RETURNING:
	case JOB_FAILING:
	case JOB_REJECTING:
		if (!job->acting)
			follow_look(c, job);
		else
			work_wake_at(c, job, coordinator_now(c) + ACTING_CHECK_MS);
		return;
	case JOB_COMPLETED:
	case JOB_FAILED:
	case JOB_CANCELLED:
	case JOB_EXPIRED:
	case JOB_REFUSED: return;
	}
}

void work_for_miner(struct coordinator *c, struct miner *miner)
{
	uint64_t now = coordinator_now(c);

	if (!miner_ready(miner, now, c->config.timing.heartbeat_ttl_ms))
		return;
	dispatch_lift(&c->dispatch, miner);
	while (miner_ready(miner, now, c->config.timing.heartbeat_ttl_ms)) {
		struct job *job = dispatch_next_for(&c->dispatch, miner);
		uint32_t inflight = miner->inflight;

		if (!job)
			return;
		queued(c, job);
		/* It went to a better one, or waits for its end: then this queue's head is no work
		 * for us now. */
		if (miner->inflight == inflight && job->queue)
			return;
	}
}
