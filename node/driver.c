#include "node/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/applier.h"
#include "node/clock.h"
#include "node/waits.h"
#include "node/workers.h"

enum { INPUTS_START = 1024 };

/* One transaction between its arrival and the end of its admission; the ticket is its slot. */
struct submission {
	uint8_t *raw;
	size_t raw_len;
	struct hash32 hash;         /* once the replica has considered it */
	struct app_verdict verdict; /* of its signature, from the workers to the replica */
	bool from_peer;
	view_submit_done *done; /* NULL: nobody asked */
	void *ctx;
	uint32_t next_free;
};

struct driver {
	struct driver_config config;
	struct replica *replica;
	struct disk disk;
	bool sync_wanted; /* a barrier stands before the next deed that others can see */
	struct workers *workers;
	struct applier *applier;
	struct event *tick;
	uint64_t tick_ms;             /* armed for; UINT64_MAX: not armed */
	struct replica_input *inputs; /* a ring */
	size_t input_first, input_count, input_cap;
	struct replica_effects effects;
	bool pumping;
	struct submission *submissions;
	uint32_t free_submission;
	size_t submission_count;
	struct waits waits;
	struct driver_counts counts;
	struct driver_height height;
	bool stop_told;
};

static void pump(struct driver *d);

/* status STATUS_OK: what says it all. */
static void stop(struct driver *d, const char *what, enum status status)
{
	if (d->stop_told)
		return;
	d->stop_told = true;
	char why[NODE_FAULT_BYTES];
	if (status == STATUS_OK)
		snprintf(why, sizeof why, "%s", what);
	else
		snprintf(why, sizeof why, "%s: %s%s", what, status_text(status),
			status == STATUS_DISK_FULL ? "; free some space and start it again" : "");
	log_event(d->config.replica.log, LOG_BROKEN, "node_stops reason=\"%s\"", why);
	d->config.stopped(d->config.ctx, why);
}

/* ---- inputs wait here for their turn ---- */

static void put_input(struct driver *d, const struct replica_input *in)
{
	if (d->input_count == d->input_cap) {
		size_t cap = d->input_cap ? d->input_cap * 2 : INPUTS_START;
		struct replica_input *inputs = calloc(cap, sizeof *inputs);
		CHECK(inputs); /* an answer that is lost would leave its question open for ever */
		for (size_t i = 0; i < d->input_count; i++)
			inputs[i] = d->inputs[(d->input_first + i) % d->input_cap];
		free(d->inputs);
		d->inputs = inputs;
		d->input_cap = cap;
		d->input_first = 0;
	}
	d->inputs[(d->input_first + d->input_count++) % d->input_cap] = *in;
}

static struct replica_input take_input(struct driver *d)
{
	struct replica_input in = d->inputs[d->input_first];
	d->input_first = (d->input_first + 1) % d->input_cap;
	d->input_count--;
	return in;
}

/* ---- effects ---- */

static bool synced(struct driver *d)
{
	if (!d->sync_wanted)
		return true;
	d->sync_wanted = false;
	d->counts.log_syncs++;
	enum status status = disk_log_sync(&d->disk);
	if (status != STATUS_OK)
		stop(d, "syncing the consensus log", status);
	return status == STATUS_OK;
}

static void do_sign(struct driver *d, const struct replica_effect *e)
{
	struct replica_input answer = {.kind = REPLICA_SIGNED};
	struct fence_record record = e->u.fence;
	enum status status = STATUS_OK;
	switch (fence_ask(&d->disk.fence, &record)) {
	case FENCE_SIGN:
		d->counts.fence_writes++;
		status = disk_fence_write(&d->disk, &record);
		break;
	case FENCE_AGAIN: break;
	case FENCE_REFUSE: answer.u.sign.refused = true; break;
	}
	if (status != STATUS_OK) {
		stop(d, "writing the fence", status);
		return;
	}
	if (!answer.u.sign.refused)
		validator_sign(&answer.u.sign.signature, &d->config.secret, e->bytes);
	put_input(d, &answer);
}

static void do_verify(struct driver *d, const struct replica_effect *e)
{
	struct submission *s = &d->submissions[e->u.tx.ticket];
	s->hash = e->u.tx.hash;
	struct verify_job job = {
		.ticket = e->u.tx.ticket,
		.raw = bytes_view(s->raw, s->raw_len),
		.verdict = &s->verdict,
	};
	CHECK(workers_verify(d->workers, &job) == STATUS_OK); /* SUBMISSIONS_MAX bounds them */
}

static enum view_admission admission_of(enum mempool_outcome outcome)
{
	switch (outcome) {
	case MEMPOOL_OK:
	case MEMPOOL_REFUSED: return VIEW_ADMITTED;
	case MEMPOOL_KNOWN: return VIEW_KNOWN;
	case MEMPOOL_FULL: return VIEW_FULL;
	case MEMPOOL_TOO_LARGE: return VIEW_TOO_LARGE;
	}
	return VIEW_FULL;
}

static void do_tx_done(struct driver *d, const struct replica_effect *e)
{
	struct submission *s = &d->submissions[e->u.tx.ticket];
	view_submit_done *done = s->done;
	void *ctx = s->ctx;
	struct view_submitted outcome = {
		.admission = admission_of(e->u.tx.verdict.outcome),
		.hash = e->u.tx.hash,
		.verdict = e->u.tx.verdict.verdict,
	};
	free(s->raw);
	s->raw = NULL;
	s->next_free = d->free_submission;
	d->free_submission = (uint32_t)e->u.tx.ticket;
	d->submission_count--;
	if (done)
		done(ctx, &outcome);
}

static void do_committed(struct driver *d, const struct replica_effect *e)
{
	d->counts.blocks++;
	d->counts.txs += e->u.committed.tx_count;
	d->counts.tx_bytes += e->u.committed.tx_bytes;
	const uint8_t *hashes = e->bytes.data;
	for (size_t i = 0; d->waits.count > 0 && i < e->u.committed.tx_count; i++) {
		struct hash32 hash;
		memcpy(hash.b, hashes + i * sizeof hash.b, sizeof hash.b);
		waits_included(&d->waits, &hash, e->u.committed.height, (uint32_t)i);
	}
}

/* Takes a slot and a copy of the bytes, and puts the transaction before the replica. done may be
 * NULL. */
static enum status submit(
	struct driver *d, struct bytes tx, bool from_peer, view_submit_done *done, void *ctx)
{
	if (d->free_submission == SUBMISSIONS_MAX || d->stop_told)
		return STATUS_BUSY;
	uint32_t slot = d->free_submission;
	struct submission *s = &d->submissions[slot];
	s->raw = malloc(tx.len + 1);
	if (!s->raw)
		return STATUS_NO_MEMORY;
	if (tx.len > 0) /* an empty view may have no address, which memcpy must not be given */
		memcpy(s->raw, tx.data, tx.len);
	s->raw_len = tx.len;
	s->from_peer = from_peer;
	s->done = done;
	s->ctx = ctx;
	d->free_submission = s->next_free;
	d->submission_count++;
	struct replica_input in = {.kind = REPLICA_TX};
	in.u.tx.ticket = slot;
	in.u.tx.raw = bytes_view(s->raw, s->raw_len);
	in.u.tx.from_peer = from_peer;
	put_input(d, &in);
	return STATUS_OK;
}

static void do_effect(struct driver *d, const struct replica_effect *e)
{
	enum status status;
	switch (e->kind) { /* lint: dispatch */
	case REPLICA_LOG: disk_log_append(&d->disk, e->bytes); break;
	case REPLICA_LOG_SYNC: d->sync_wanted = true; break;
	case REPLICA_LOG_RESET:
		d->sync_wanted = false;
		status = disk_log_reset(&d->disk);
		if (status != STATUS_OK)
			stop(d, "emptying the consensus log", status);
		break;
	case REPLICA_SIGN:
		if (synced(d))
			do_sign(d, e);
		break;
	case REPLICA_SEND:
		if (d->config.send && synced(d))
			d->config.send(d->config.ctx, e->u.peer, e->bytes);
		break;
	case REPLICA_DROP_PEER:
		if (d->config.drop)
			d->config.drop(d->config.ctx, e->u.peer);
		break;
	case REPLICA_SUBMIT:
		/* Full of clients' transactions: this one is somebody else's to keep. */
		(void)submit(d, e->bytes, true, NULL, NULL);
		break;
	case REPLICA_VERIFY_TX: do_verify(d, e); break;
	case REPLICA_TX_DONE: do_tx_done(d, e); break;
	case REPLICA_APPLY:
		if (e->u.job->kind != APPLY_WRITE || synced(d))
			applier_run(d->applier, e->u.job);
		break;
	case REPLICA_COMMITTED: do_committed(d, e); break;
	}
}

static void do_effects(struct driver *d)
{
	for (size_t i = 0; i < d->effects.count && !d->stop_told; i++)
		do_effect(d, &d->effects.items[i]);
	d->effects.count = 0;
}

static void arm_tick(struct driver *d)
{
	struct replica_now now = clock_now();
	uint64_t next = replica_next_ms(d->replica, now);
	uint64_t wait = waits_next_ms(&d->waits);
	next = wait < next ? wait : next;
	if (next == d->tick_ms)
		return;
	d->tick_ms = next;
	if (next == UINT64_MAX) {
		evtimer_del(d->tick);
		return;
	}
	uint64_t delay_ms = next > now.steady_ms ? next - now.steady_ms : 0;
	struct timeval delay = {(time_t)(delay_ms / 1000), (suseconds_t)(delay_ms % 1000 * 1000)};
	evtimer_add(d->tick, &delay);
}

static void note_height(struct driver *d, struct replica_now now)
{
	const struct consensus *c = replica_consensus(d->replica);
	if (d->height.height != c->height) {
		d->height = (struct driver_height){
			.height = c->height, .began = now.wall, .since_ms = now.steady_ms};
	}
	if (d->height.begun_ms == 0 && c->step != STEP_WAIT)
		d->height.begun_ms = now.steady_ms;
}

static void pump(struct driver *d)
{
	if (d->pumping)
		return;
	d->pumping = true;
	while (d->input_count > 0 && !d->stop_told) {
		struct replica_input in = take_input(d);
		struct replica_now now = clock_now();
		replica_step(d->replica, &in, now, &d->effects);
		note_height(d, now);
		do_effects(d);
	}
	enum status status = d->stop_told ? STATUS_OK : disk_log_push(&d->disk);
	if (status != STATUS_OK)
		stop(d, "writing the consensus log", status);
	if (replica_stopped(d->replica))
		stop(d, replica_stopped(d->replica), STATUS_OK);
	d->pumping = false;
	if (!d->stop_told)
		arm_tick(d);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct driver *d = arg;
	d->tick_ms = UINT64_MAX;
	waits_expire(&d->waits, clock_steady_ms());
	struct replica_input in = {.kind = REPLICA_TICK};
	put_input(d, &in);
	pump(d);
}

/* Only queues: were each verdict pumped by itself, the first would seal a block of its own while
 * the others wait, and load would make more blocks instead of larger ones. */
static void on_verified(void *ctx, const struct verify_job *job)
{
	struct driver *d = ctx;
	const struct submission *s = &d->submissions[job->ticket];
	struct replica_input in = {.kind = REPLICA_TX_VERIFIED};
	in.u.tx.ticket = job->ticket;
	in.u.tx.raw = job->raw;
	in.u.tx.hash = s->hash;
	in.u.tx.verdict = &s->verdict;
	in.u.tx.from_peer = s->from_peer;
	put_input(d, &in);
}

static void on_verified_all(void *ctx)
{
	pump(ctx);
}

static void on_applied(void *ctx, struct apply_job *job)
{
	struct driver *d = ctx;
	struct replica_input in = {.kind = REPLICA_APPLIED};
	in.u.job = job;
	put_input(d, &in);
	pump(d);
}

/* ---- life ---- */

static enum status recover(struct driver *d, char fault[NODE_FAULT_BYTES])
{
	struct buf log;
	buf_init(&log, 0);
	size_t good = 0;
	enum status status = disk_log_read(&d->disk, &log, fault);
	if (status == STATUS_OK)
		status = replica_recover(d->replica, buf_view(&log),
			d->disk.fence_known ? &d->disk.fence : NULL, clock_now(), &d->effects,
			&good, fault);
	if (status == STATUS_OK) {
		status = disk_log_cut(&d->disk, good);
		if (status != STATUS_OK)
			snprintf(fault, NODE_FAULT_BYTES, "cutting the consensus log's torn tail");
	}
	buf_fini(&log);
	return status;
}

static enum status start(struct driver *d, char fault[NODE_FAULT_BYTES])
{
	const struct driver_config *config = &d->config;
	enum status status = replica_new(&d->replica, &config->replica, fault);
	if (status != STATUS_OK)
		return status;
	status = disk_open(&d->disk, config->home, fault);
	if (status != STATUS_OK)
		return status;
	snprintf(fault, NODE_FAULT_BYTES, "memory for the driver");
	d->submissions = calloc(SUBMISSIONS_MAX, sizeof *d->submissions);
	d->tick = evtimer_new(config->loop, on_tick, d);
	if (!d->submissions || !d->tick)
		return STATUS_NO_MEMORY;
	for (uint32_t i = 0; i < SUBMISSIONS_MAX; i++)
		d->submissions[i].next_free = i + 1;
	status = workers_new(&d->workers, config->loop, &d->config.replica.app,
		config->verify_threads, on_verified, on_verified_all, d);
	if (status == STATUS_OK)
		status = applier_new(&d->applier, config->loop, on_applied, d);
	if (status != STATUS_OK)
		return status;
	status = recover(d, fault);
	if (status != STATUS_OK)
		return status;
	note_height(d, clock_now());
	d->pumping = true;
	do_effects(d);
	d->pumping = false;
	pump(d);
	return STATUS_OK;
}

enum status driver_new(
	struct driver **out, const struct driver_config *config, char fault[NODE_FAULT_BYTES])
{
	struct driver *d = calloc(1, sizeof *d);
	if (!d)
		return STATUS_NO_MEMORY;
	d->config = *config;
	d->tick_ms = UINT64_MAX;
	d->disk.log_fd = d->disk.fence_fd = -1;
	waits_init(&d->waits);
	enum status status = start(d, fault);
	if (status != STATUS_OK) {
		driver_free(d);
		return status;
	}
	*out = d;
	return STATUS_OK;
}

void driver_free(struct driver *d)
{
	if (!d)
		return;
	workers_free(d->workers);
	applier_free(d->applier); /* before what its jobs read */
	while (d->input_count > 0) {
		struct replica_input in = take_input(d);
		if (in.kind == REPLICA_APPLIED)
			apply_job_free(in.u.job);
	}
	replica_free(d->replica);
	replica_effects_fini(&d->effects);
	disk_close(&d->disk);
	if (d->tick)
		event_free(d->tick);
	for (size_t i = 0; d->submissions && i < SUBMISSIONS_MAX; i++)
		free(d->submissions[i].raw);
	free(d->submissions);
	free(d->inputs);
	secret_wipe(&d->config.secret, sizeof d->config.secret);
	free(d);
}

/* ---- what others ask ---- */

enum status driver_submit(struct driver *d, struct bytes tx, view_submit_done *done, void *ctx)
{
	enum status status = submit(d, tx, false, done, ctx);
	if (status == STATUS_OK)
		pump(d);
	return status;
}

/* ---- what peers say ---- */

static void peer_input(
	struct driver *d, enum replica_input_kind kind, uint32_t peer, struct bytes message)
{
	if (d->stop_told)
		return;
	struct replica_input in = {.kind = kind};
	in.u.peer.peer = peer;
	in.u.peer.message = message;
	put_input(d, &in);
	pump(d);
}

void driver_peer_up(struct driver *d, uint32_t peer)
{
	peer_input(d, REPLICA_PEER_UP, peer, bytes_view(NULL, 0));
}

void driver_peer_down(struct driver *d, uint32_t peer)
{
	peer_input(d, REPLICA_PEER_DOWN, peer, bytes_view(NULL, 0));
}

void driver_peer_message(struct driver *d, uint32_t peer, struct bytes message)
{
	CHECK(!d->pumping); /* the bytes must live until their turn */
	peer_input(d, REPLICA_MESSAGE, peer, message);
}

void driver_trust_clock(struct driver *d)
{
	if (d->stop_told)
		return;
	struct replica_input in = {.kind = REPLICA_CLOCK_TRUSTED};
	put_input(d, &in);
	pump(d);
}

enum status driver_wait(struct driver *d, const struct hash32 *hash, uint64_t deadline_ms,
	view_include_done *done, void *ctx)
{
	enum status status = waits_add(&d->waits, hash, deadline_ms, done, ctx);
	if (status == STATUS_OK && !d->pumping && !d->stop_told)
		arm_tick(d);
	return status;
}

void driver_cancel(struct driver *d, view_include_done *done, void *ctx)
{
	waits_cancel(&d->waits, done, ctx);
}

const struct replica *driver_replica(const struct driver *d)
{
	return d->replica;
}

struct driver_height driver_height(const struct driver *d)
{
	return d->height;
}

struct driver_counts driver_counts(const struct driver *d)
{
	struct driver_counts counts = d->counts;
	counts.verified = workers_verified(d->workers);
	counts.submissions = d->submission_count;
	counts.waits = d->waits.count;
	return counts;
}
