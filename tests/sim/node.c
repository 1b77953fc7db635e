#include "tests/sim/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/phases.h"

/* ---- deeds ---- */

static void put_input(struct sim_node *n, const struct replica_input *in)
{
	if (n->input_count == n->input_cap) {
		n->input_cap = n->input_cap ? n->input_cap * 2 : 64;
		n->inputs = realloc(n->inputs, n->input_cap * sizeof *n->inputs);
		CHECK(n->inputs);
	}
	n->inputs[n->input_count++] = *in;
}

/* Every deed is a place to die at. True: it died. */
static bool dies(struct sim_node *n)
{
	if (n->deeds++ != n->crash_at)
		return false;
	node_crash(n, n->crash_kind, n->crash_torn);
	return true;
}

/* False: the disk refused, and the node is down, as the daemon would be. */
static bool disk_did(struct sim_node *n, const char *what, enum status status)
{
	char why[64];
	if (status == STATUS_OK)
		return true;
	snprintf(why, sizeof why, "%s: %s", what, status_text(status));
	node_halt(n, why);
	return false;
}

static bool synced(struct sim_node *n)
{
	bool wanted = n->sync_wanted;
	n->sync_wanted = false;
	return !wanted || disk_did(n, "the consensus log", disk_sync(&n->disk));
}

static void answer_signature(struct sim_node *n, const struct replica_input *answer)
{
	uint64_t us_max = n->world->sign_us_max;
	if (us_max == 0) {
		put_input(n, answer);
		return;
	}
	CHECK(n->signature_count < SIM_SIGNATURES_MAX);
	n->signatures[n->signature_count++] = *answer;
	if (n->signature_count == 1)
		world_at(n->world, random_below(&n->world->dice, us_max), EVENT_SIGNED, n, 0);
}

static void do_sign(struct sim_node *n, const struct replica_effect *e)
{
	struct replica_input answer = {.kind = REPLICA_SIGNED};
	struct fence_record record = e->u.fence;
	enum fence_answer verdict = fence_ask(&n->disk.fence, &record);
	if (n->world->options.plant == PLANT_FENCE)
		verdict = FENCE_SIGN;
	switch (verdict) {
	case FENCE_SIGN:
		if (n->deeds == n->crash_at && n->crash_torn) {
			disk_crash_in_fence(&n->disk, &record, &n->world->dice);
			dies(n);
			return;
		}
		if (n->disk.health == DISK_NO_SYNC)
			disk_crash_in_fence(&n->disk, &record, &n->world->dice);
		if (!disk_did(n, "the fence", disk_fence_write(&n->disk, &record)))
			return;
		break;
	case FENCE_AGAIN: break;
	case FENCE_REFUSE: answer.u.sign.refused = true; break;
	}
	if (dies(n)) /* with the record durable and the signature not yet made */
		return;
	if (!answer.u.sign.refused) {
		validator_sign(&answer.u.sign.signature, &n->secret, e->bytes);
		checks_signed(&n->world->checks, n->seat, &record);
	}
	answer_signature(n, &answer);
}

static void take_tx(struct sim_node *n, struct bytes tx, bool from_peer)
{
	size_t slot = 0;
	while (slot < SIM_SUBMISSIONS_MAX && n->submissions[slot].used)
		slot++;
	if (slot == SIM_SUBMISSIONS_MAX)
		return;
	struct sim_submission *s = &n->submissions[slot];
	s->used = true;
	s->raw = malloc(tx.len + 1);
	CHECK(s->raw);
	memcpy(s->raw, tx.data, tx.len);
	s->raw_len = tx.len;
	s->from_peer = from_peer;
	struct replica_input in = {.kind = REPLICA_TX};
	in.u.tx.ticket = slot;
	in.u.tx.raw = bytes_view(s->raw, s->raw_len);
	in.u.tx.from_peer = from_peer;
	put_input(n, &in);
}

static void do_tx_done(struct sim_node *n, const struct replica_effect *e)
{
	struct sim_submission *s = &n->submissions[e->u.tx.ticket];
	CHECK(s->used);
	free(s->raw);
	memset(s, 0, sizeof *s);
}

static void do_apply(struct sim_node *n, struct apply_job *job)
{
	CHECK(n->job_count < SIM_JOBS_MAX);
	n->jobs[n->job_count++] = job;
	if (n->job_count == 1)
		world_at(n->world, random_below(&n->world->dice, n->world->apply_us_max),
			EVENT_JOB_RUN, n, 0);
}

static void do_committed(struct sim_node *n, const struct replica_effect *e)
{
	n->told = e->u.committed.height;
	if (n->world->options.forks && n->actor.says)
		return; /* a fork is one between honest nodes */
	struct hash32 *hashes = calloc(e->u.committed.tx_count + 1, sizeof *hashes);
	CHECK(hashes);
	memcpy(hashes, e->bytes.data ? e->bytes.data : (const uint8_t *)"", e->bytes.len);
	checks_committed(&n->world->checks, n->index, &n->memory, hashes, e->u.committed.tx_count,
		e->u.committed.height);
	free(hashes);
	phases_committed(n->world, &n->memory, e->u.committed.height);
}

static void do_drop(struct sim_node *n, uint32_t peer)
{
	if (!n->world->checks.faulty[n->world->nodes[peer].seat])
		world_fail(n->world, "node %u drops node %u, which is honest", n->index, peer);
	else
		net_ban(&n->world->net, n->index, peer);
}

static void do_send(struct sim_node *n, const struct replica_effect *e)
{
	if (n->actor.says) {
		n->actor.says(n->actor.self, n, e->u.peer, e->bytes);
		return;
	}
	checks_sent(&n->world->checks, e->bytes);
	net_send(&n->world->net, n->index, e->u.peer, e->bytes);
}

static const char *effect_name(enum replica_effect_kind kind)
{
	switch (kind) {
	case REPLICA_LOG: return "  log";
	case REPLICA_LOG_SYNC: return "  log sync";
	case REPLICA_LOG_RESET: return "  log reset";
	case REPLICA_SIGN: return "  sign";
	case REPLICA_SEND: return "  send";
	case REPLICA_DROP_PEER: return "  drop peer";
	case REPLICA_SUBMIT: return "  submit";
	case REPLICA_VERIFY_TX: return "  verify tx";
	case REPLICA_TX_DONE: return "  tx done";
	case REPLICA_APPLY: return "  apply";
	case REPLICA_COMMITTED: return "  committed";
	}
	return "";
}

static void do_effect(struct sim_node *n, const struct replica_effect *e)
{
	world_note(n->world, n, effect_name(e->kind), e->bytes);
	switch (e->kind) { /* lint: dispatch */
	case REPLICA_LOG: disk_append(&n->disk, e->bytes); break;
	case REPLICA_LOG_SYNC: n->sync_wanted = true; break;
	case REPLICA_LOG_RESET:
		n->sync_wanted = false;
		disk_reset(&n->disk);
		break;
	case REPLICA_SIGN:
		if (synced(n))
			do_sign(n, e);
		break;
	case REPLICA_SEND:
		if (synced(n))
			do_send(n, e);
		break;
	case REPLICA_DROP_PEER: do_drop(n, e->u.peer); break;
	case REPLICA_SUBMIT: take_tx(n, e->bytes, true); break;
	case REPLICA_VERIFY_TX:
		world_at(n->world, 20 + random_below(&n->world->dice, n->world->verify_us_max),
			EVENT_VERIFIED, n, e->u.tx.ticket);
		break;
	case REPLICA_TX_DONE: do_tx_done(n, e); break;
	case REPLICA_APPLY:
		if (e->u.job->kind != APPLY_WRITE || synced(n))
			do_apply(n, e->u.job);
		else
			apply_job_free(e->u.job);
		break;
	case REPLICA_COMMITTED: do_committed(n, e); break;
	}
}

static void do_effects(struct sim_node *n)
{
	size_t count = n->effects.count, i = 0;
	n->effects.count = 0;
	for (; i < count && !dies(n); i++) {
		do_effect(n, &n->effects.items[i]);
		if (!n->up)
			i++;
		if (!n->up)
			break;
	}
	for (; i < count; i++) { /* left undone by a crash */
		if (n->effects.items[i].kind == REPLICA_APPLY)
			apply_job_free(n->effects.items[i].u.job);
	}
}

static void arm_tick(struct sim_node *n)
{
	struct replica_now now = node_now(n);
	uint64_t next_ms = replica_next_ms(n->replica, now);
	uint64_t at_us = UINT64_MAX;
	if (next_ms != UINT64_MAX) {
		at_us = node_when(n, next_ms);
		at_us = at_us > n->world->now_us ? at_us : n->world->now_us;
	}
	if (at_us == n->tick_us)
		return;
	n->tick_us = at_us;
	if (at_us != UINT64_MAX)
		world_at(n->world, at_us - n->world->now_us, EVENT_TICK, n, at_us);
}

static void pump(struct sim_node *n)
{
	size_t at = 0;
	n->world->acting = n;
	while (n->up && at < n->input_count) {
		struct replica_input in = n->inputs[at++];
		n->inputs[at - 1].kind = REPLICA_TICK; /* taken: nothing to free */
		replica_step(n->replica, &in, node_now(n), &n->effects);
		do_effects(n);
	}
	n->input_count = 0;
	if (!n->up)
		return;
	if (replica_stopped(n->replica))
		node_halt(n, replica_stopped(n->replica));
	else if (disk_did(n, "the consensus log", disk_push(&n->disk)))
		arm_tick(n);
}

void node_run(struct sim_node *n)
{
	do_effects(n);
	if (n->up)
		pump(n);
}

/* ---- what happens to it ---- */

void node_peer(struct sim_node *n, uint32_t peer, bool up)
{
	if (n->actor.peer)
		n->actor.peer(n->actor.self, n, peer, up);
	if (actor_replaces(n))
		return;
	struct replica_input in = {.kind = up ? REPLICA_PEER_UP : REPLICA_PEER_DOWN};
	in.u.peer.peer = peer;
	put_input(n, &in);
	pump(n);
}

void node_message(struct sim_node *n, uint32_t peer, struct bytes message)
{
	if (n->actor.message)
		n->actor.message(n->actor.self, n, peer, message);
	if (actor_replaces(n))
		return;
	if (!n->actor.says)
		checks_reached(&n->world->checks, message);
	struct replica_input in = {.kind = REPLICA_MESSAGE};
	in.u.peer.peer = peer;
	in.u.peer.message = message;
	put_input(n, &in);
	pump(n);
}

void node_tick(struct sim_node *n)
{
	struct replica_input in = {.kind = REPLICA_TICK};
	n->tick_us = UINT64_MAX;
	put_input(n, &in);
	pump(n);
}

void node_submit(struct sim_node *n, struct bytes tx)
{
	take_tx(n, tx, false);
	pump(n);
}

void node_verified(struct sim_node *n, uint64_t ticket)
{
	struct sim_submission *s = &n->submissions[ticket];
	CHECK(s->used);
	if (n->hung & NODE_HANGS_VERIFYING)
		return;
	struct bytes raw = bytes_view(s->raw, s->raw_len);
	n->app.vtable->verify(n->app.self, raw, &s->verdict);
	struct replica_input in = {.kind = REPLICA_TX_VERIFIED};
	in.u.tx.ticket = ticket;
	in.u.tx.raw = raw;
	in.u.tx.hash = sha256(raw);
	in.u.tx.verdict = &s->verdict;
	in.u.tx.from_peer = s->from_peer;
	put_input(n, &in);
	pump(n);
}

void node_job_run(struct sim_node *n)
{
	CHECK(n->job_count > 0 && !n->job_ran);
	if (n->hung & NODE_HANGS_APPLYING || dies(n))
		return;
	apply_run(n->jobs[0]);
	n->job_ran = true;
	world_at(n->world, random_below(&n->world->dice, 200), EVENT_JOB_DONE, n, 0);
}

void node_job_done(struct sim_node *n)
{
	CHECK(n->job_ran);
	if (dies(n))
		return;
	struct replica_input in = {.kind = REPLICA_APPLIED};
	in.u.job = n->jobs[0];
	n->job_count--;
	n->job_ran = false;
	memmove(n->jobs, n->jobs + 1, n->job_count * sizeof *n->jobs);
	if (n->job_count > 0)
		world_at(n->world, random_below(&n->world->dice, n->world->apply_us_max),
			EVENT_JOB_RUN, n, 0);
	put_input(n, &in);
	pump(n);
}

void node_signed(struct sim_node *n)
{
	CHECK(n->signature_count > 0);
	if (n->hung & NODE_HANGS_SIGNING)
		return;
	struct replica_input in = n->signatures[0];
	n->signature_count--;
	memmove(n->signatures, n->signatures + 1, n->signature_count * sizeof *n->signatures);
	if (n->signature_count > 0)
		world_at(n->world, random_below(&n->world->dice, n->world->sign_us_max),
			EVENT_SIGNED, n, 0);
	put_input(n, &in);
	pump(n);
}
