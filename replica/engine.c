/* engine: feeds the core and turns what it asks for into jobs, log records, signatures and timers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "chain/format/commit.h"
#include "chain/format/wire.h"
#include "replica/messages.h"

void engine_input(struct replica *r, const struct consensus_input *in)
{
	CHECK(r->core_count < CORE_INPUTS_MAX);
	r->core_inputs[(r->core_first + r->core_count++) % CORE_INPUTS_MAX] = *in;
}

static bool logged(enum consensus_input_kind kind)
{
	/* The answers of execution follow from the store, which a replay starts from. */
	return kind != IN_EXECUTED && kind != IN_COMMITTED;
}

static void log_input(
	struct replica *r, const struct consensus_input *in, struct replica_effects *out)
{
	if (r->silence != REPLICA_VOTES)
		return;
	struct replica_effect *e = replica_effect(out, REPLICA_LOG);
	e->bytes_at = r->scratch.len;
	wal_append_input(&r->scratch, in, r->core.height);
	e->bytes.len = r->scratch.len - e->bytes_at;
}

void engine_run(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	while (r->core_count > 0 && !r->stopped) {
		struct consensus_input in = r->core_inputs[r->core_first];
		r->core_first = (r->core_first + 1) % CORE_INPUTS_MAX;
		r->core_count--;
		if (logged(in.kind))
			log_input(r, &in, out);
		struct consensus_effects effects;
		enum status status = consensus_step(&r->core, &in, &effects);
		if (status != STATUS_OK)
			replica_stop(r, "consensus", status);
		engine_effects(r, &effects, now, out);
	}
}

/* ---- what the core asks for ---- */

static void set_timer(struct replica *r, const struct consensus_effect *e, struct replica_now now)
{
	struct replica_timer *place = NULL;
	for (size_t i = 0; i < TIMERS_MAX; i++) {
		struct replica_timer *t = &r->timers[i];
		if (t->used && t->height == e->height && t->round == e->round && t->step == e->step)
			return; /* asked for again: it runs */
		/* Timers of past heights and rounds can't matter any more: their inputs would be
		 * dropped. So all but one for each step of a round are free. */
		if (!place && (!t->used || t->height != e->height || t->round < e->round))
			place = t;
	}
	CHECK(place);
	place->used = true;
	place->height = e->height;
	place->round = e->round;
	place->step = e->step;
	place->due_ms = now.steady_ms + e->delay_ms;
}

static void checked(
	struct replica *r, const struct block_id *id, bool valid, struct replica_now now)
{
	struct consensus_input in = {.kind = IN_PROPOSAL_CHECKED, .now = now.wall};
	in.u.block.height = r->core.height;
	in.u.block.block = *id;
	in.u.block.valid = valid;
	engine_input(r, &in);
}

static struct apply_job *block_job(
	struct replica *r, enum apply_kind kind, struct candidate *c, int32_t round)
{
	struct apply_job *job = apply_job_new(kind, &r->config.app, r->config.store);
	if (!job)
		return NULL;
	job->height = r->core.height;
	job->round = round;
	job->index = r->index;
	job->candidate = c;
	c->jobs++;
	job->head = r->head;
	replica_app_block(r, &job->block, c);
	return job;
}

static void check_proposal(struct replica *r, const struct block_id *id, struct replica_now now,
	struct replica_effects *out)
{
	struct candidate *c = replica_candidate(r, id);
	CHECK(c);
	const char *fault = candidate_fault(c, &r->head, r->config.start.chain_id,
		r->core.has_last_commit ? &r->core.last_precommits : NULL);
	/* More than 2/3 have signed for it as good: nobody asks us whether it is, and no vote of
	 * ours follows. Its signatures would be the dearest part of catching up, and who joined
	 * from a snapshot can't look up evidence of before. */
	if (!fault && r->core.decided_round >= 0 && block_id_equal(&r->core.decided_block, id)) {
		checked(r, id, true, now);
		return;
	}
	enum status status = STATUS_OK;
	if (!fault)
		status = evidence_check_list(&fault, c->block->evidence, r->config.store, &r->head,
			r->config.start.chain_id);
	if (status != STATUS_OK) {
		replica_stop(r, "looking up evidence", status);
		return;
	}
	if (fault) {
		log_event(r->config.log, LOG_UNUSUAL, "proposal_refused height=%lld fault=\"%s\"",
			(long long)r->core.height, fault);
		checked(r, id, false, now);
		return;
	}
	for (size_t i = 0; i < c->tx_count; i++)
		c->txs[i].verified = mempool_has_verified(r->config.mempool, &c->tx_hashes[i]);
	replica_apply(r, block_job(r, APPLY_PROCESS, c, 0), out);
}

static void ask_signature(struct replica *r, const struct sign_question *question, int64_t height,
	int32_t round, enum fence_step step, struct replica_effects *out)
{
	struct fence_record wanted = {.height = height, .round = round, .step = step};
	if (!voice_speaks(r, &wanted))
		return;
	if (r->question_count == QUESTIONS_MAX) {
		/* Rounds go by, others' votes drive them, and our disk gives no answer. What is
		 * still of use will be asked for again when it has given them all. */
		r->question_dropped = true;
		return;
	}
	r->questions[(r->question_first + r->question_count++) % QUESTIONS_MAX] = *question;
	struct replica_effect *e = replica_effect(out, REPLICA_SIGN);
	e->bytes_at = r->scratch.len;
	if (question->is_proposal)
		proposal_sign_bytes(&r->scratch, r->config.start.chain_id, &question->proposal);
	else
		vote_sign_bytes(&r->scratch, r->config.start.chain_id, &question->vote);
	e->bytes.len = r->scratch.len - e->bytes_at;
	e->u.fence = wanted;
	e->u.fence.validator = validator_address_of(&r->config.me);
	if (buf_ok(&r->scratch))
		e->u.fence.sign_bytes =
			sha256(bytes_view(r->scratch.data + e->bytes_at, e->bytes.len));
}

static void sign_proposal(struct replica *r, const struct proposal *p, struct replica_effects *out)
{
	struct sign_question question = {.is_proposal = true, .proposal = *p};
	ask_signature(r, &question, p->height, p->round, FENCE_PROPOSAL, out);
}

static void sign_vote(struct replica *r, const struct vote *v, struct replica_effects *out)
{
	struct sign_question question = {.vote = *v};
	enum fence_step step = v->type == VOTE_PREVOTE ? FENCE_PREVOTE : FENCE_PRECOMMIT;
	ask_signature(r, &question, v->height, v->round, step, out);
}

static void execute(
	struct replica *r, const struct consensus_effect *e, struct replica_effects *out)
{
	struct candidate *c = replica_candidate(r, &e->block);
	CHECK(c);
	/* Decided: more than 2/3 checked every signature, and we did in process or by making it. */
	for (size_t i = 0; i < c->tx_count; i++)
		c->txs[i].verified = true;
	replica_apply(r, block_job(r, APPLY_EXECUTE, c, e->round), out);
}

size_t commit_votes(struct vote votes[VALIDATORS_MAX], const Pb__Commit *commit,
	const struct validator_set *set)
{
	size_t count = 0;
	for (size_t i = 0; i < commit->n_signatures && i < set->count; i++) {
		const Pb__CommitSig *sig = commit->signatures[i];
		if (sig->block_id_flag == COMMIT_FLAG_ABSENT)
			continue;
		struct vote *v = &votes[count++];
		memset(v, 0, sizeof *v);
		v->type = VOTE_PRECOMMIT;
		v->height = commit->height;
		v->round = commit->round;
		v->index = (uint32_t)i;
		v->address = set->v[i].address;
		if (sig->block_id_flag == COMMIT_FLAG_COMMIT &&
			!block_id_from_pb(&v->block_id, commit->block_id))
			return 0;
		if (!timestamp_from_pb(&v->time, sig->timestamp) ||
			sig->signature.len != sizeof v->signature.b)
			return 0;
		memcpy(v->signature.b, sig->signature.data, sizeof v->signature.b);
	}
	return count;
}

Pb__Commit *engine_commit(
	const struct tally *tally, const struct block_id *block, struct arena *arena)
{
	uint32_t n = tally->validators->count;
	struct {
		Pb__Commit commit;
		struct block_id_message id;
		struct block_id id_value;
		Pb__CommitSig *list[VALIDATORS_MAX];
		Pb__CommitSig sigs[VALIDATORS_MAX];
		Pb__Timestamp times[VALIDATORS_MAX];
		struct vote votes[VALIDATORS_MAX];
	} *m = arena_alloc(arena, sizeof *m);
	if (!m)
		return NULL;
	pb__commit__init(&m->commit);
	m->commit.height = tally->height;
	m->commit.round = tally->round;
	m->id_value = *block;
	block_id_message_init(&m->id, &m->id_value);
	m->commit.block_id = &m->id.pb;
	m->commit.n_signatures = n;
	m->commit.signatures = m->list;
	for (uint32_t i = 0; i < n; i++) {
		Pb__CommitSig *sig = &m->sigs[i];
		m->list[i] = sig;
		pb__commit_sig__init(sig);
		pb__timestamp__init(&m->times[i]);
		sig->timestamp = &m->times[i];
		static const struct block_id nil_block;
		const struct vote *nil = tally_vote_for(tally, i, &nil_block);
		const struct vote *for_block = tally_vote_for(tally, i, block);
		if (!nil && !for_block) {
			sig->block_id_flag = COMMIT_FLAG_ABSENT;
			timestamp_message_init(sig->timestamp, timestamp_go_zero());
			continue;
		}
		m->votes[i] = for_block ? *for_block : *nil;
		const struct vote *v = &m->votes[i];
		sig->block_id_flag = for_block ? COMMIT_FLAG_COMMIT : COMMIT_FLAG_NIL;
		sig->validator_address = wire_borrow(v->address.b, sizeof v->address.b);
		timestamp_message_init(sig->timestamp, v->time);
		sig->signature = wire_borrow(v->signature.b, sizeof v->signature.b);
	}
	return &m->commit;
}

static const struct tally *deciding_tally(const struct replica *r)
{
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		const struct round_state *round = &r->core.rounds[i];
		if (round->used && round->round == r->core.decided_round)
			return &round->precommits;
	}
	return NULL;
}

static void commit(struct replica *r, const struct consensus_effect *e, struct replica_effects *out)
{
	struct candidate *c = replica_candidate(r, &e->block);
	const struct tally *tally = deciding_tally(r);
	CHECK(c);
	CHECK(tally);
	CHECK(r->executed);
	struct apply_job *job = block_job(r, APPLY_WRITE, c, e->round);
	if (job) {
		job->head = r->executed->head;
		job->executed = r->executed;
		r->executed = NULL;
		job->seen_commit = engine_commit(tally, &e->block, &job->arena);
	}
	if (job && !job->seen_commit) {
		apply_job_free(job); /* replica_apply stops us: the block needs no job more */
		job = NULL;
	}
	replica_apply(r, job, out);
}

static void note_evidence(
	struct replica *r, const struct consensus_effect *e, struct replica_effects *out)
{
	struct validator_address me = validator_address_of(&r->config.me);
	if (memcmp(&e->vote.address, &me, sizeof me) == 0)
		voice_contradicted(r, e->vote.height, e->vote.round);
	if (e->vote.height == r->head.height + 1)
		evidence_note(&r->evidence, &e->vote, &e->other);
	else if (evidence_note_late(&r->evidence, &e->vote, &e->other, &r->head) &&
		 r->config.has_peers)
		say_evidence(r, &r->evidence.items[r->evidence.item_count - 1].packed, out);
	char address[41];
	hex_upper(address, e->vote.address.b, sizeof e->vote.address.b);
	log_event(r->config.log, LOG_UNUSUAL, "double_sign validator=%s height=%lld round=%d",
		address, (long long)e->vote.height, e->vote.round);
}

static void send_proposal(
	struct replica *r, const struct proposal *proposal, struct replica_effects *out)
{
	if (!r->config.has_peers)
		return;
	say_proposal(r, REPLICA_EVERYONE, proposal, out);
	const struct candidate *c = replica_candidate(r, &proposal->block_id);
	for (uint32_t i = 0; c && i < c->parts.total; i++)
		say_part(r, REPLICA_EVERYONE, proposal->height, proposal->round, &c->id, &c->parts,
			i, out);
}

void engine_effects(struct replica *r, const struct consensus_effects *effects,
	struct replica_now now, struct replica_effects *out)
{
	for (size_t i = 0; i < effects->count; i++) {
		const struct consensus_effect *e = &effects->items[i];
		switch (e->kind) { /* lint: dispatch */
		case EFFECT_BUILD_PROPOSAL:
			r->build_wanted = true;
			r->build_round = e->round;
			break;
		case EFFECT_CHECK_PROPOSAL: check_proposal(r, &e->block, now, out); break;
		case EFFECT_PERSIST: replica_effect(out, REPLICA_LOG_SYNC); break;
		case EFFECT_SIGN_PROPOSAL: sign_proposal(r, &e->proposal, out); break;
		case EFFECT_SIGN_VOTE: sign_vote(r, &e->vote, out); break;
		case EFFECT_SEND_PROPOSAL: send_proposal(r, &e->proposal, out); break;
		case EFFECT_SEND_VOTE:
			if (r->config.has_peers)
				say_vote(r, REPLICA_EVERYONE, &e->vote, out);
			break;
		case EFFECT_TIMER: set_timer(r, e, now); break;
		case EFFECT_EXECUTE: execute(r, e, out); break;
		case EFFECT_COMMIT: commit(r, e, out); break;
		case EFFECT_EVIDENCE: note_evidence(r, e, out); break;
		case EFFECT_DISAGREE:
			replica_stop(r, "more than 2/3 decided a block that is invalid here",
				STATUS_CORRUPT);
			break;
		case EFFECT_NEED_BLOCK: break; /* the next status asks for its parts */
		}
	}
}

/* ---- answers ---- */

void engine_ask_again(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	bool voting = r->core.step == STEP_PROPOSE || r->core.step == STEP_PREVOTE ||
		      r->core.step == STEP_PRECOMMIT;
	if (!r->question_dropped || r->question_count > 0)
		return;
	r->question_dropped = false;
	if (!voting)
		return;
	struct consensus_effects effects;
	consensus_resume(&r->core, &effects);
	engine_effects(r, &effects, now, out);
}

void engine_signed(struct replica *r, const struct replica_input *in, struct replica_now now)
{
	CHECK(r->question_count > 0);
	struct sign_question question = r->questions[r->question_first];
	r->question_first = (r->question_first + 1) % QUESTIONS_MAX;
	r->question_count--;
	struct consensus_input answer = {.now = now.wall};
	if (in->u.sign.refused) {
		answer.kind = IN_SIGN_REFUSED;
		answer.u.point.height =
			question.is_proposal ? question.proposal.height : question.vote.height;
		answer.u.point.round =
			question.is_proposal ? question.proposal.round : question.vote.round;
		log_event(r->config.log, LOG_UNUSUAL, "signature_refused height=%lld round=%d",
			(long long)answer.u.point.height, answer.u.point.round);
	} else if (question.is_proposal) {
		answer.kind = IN_SIGNED_PROPOSAL;
		answer.u.proposal = question.proposal;
		answer.u.proposal.signature = in->u.sign.signature;
	} else {
		answer.kind = IN_SIGNED_VOTE;
		answer.u.vote = question.vote;
		answer.u.vote.signature = in->u.sign.signature;
	}
	engine_input(r, &answer);
}

/* What the app threw out of the plan no block can hold: were it to stay, it would ask for a block
 * at once, again and again. */
static void drop_unfit(struct replica *r, const struct apply_job *job, struct replica_now now)
{
	uint64_t now_ms = (uint64_t)timestamp_ms(pace_block_time(r, now));
	size_t kept = 0;
	for (size_t i = 0; i < job->reaped_count; i++) {
		if (kept < job->tx_count && hash_equal(&job->reaped[i], &job->txs[kept].hash))
			kept++;
		else
			mempool_drop(r->config.mempool, &job->reaped[i], now_ms);
	}
}

static void built(struct replica *r, struct apply_job *job, struct replica_now now,
	struct replica_effects *out)
{
	r->build_running = false;
	if (job->height == r->core.height)
		drop_unfit(r, job, now);
	if (job->height != r->core.height || job->round != r->core.round ||
		r->core.step != STEP_PROPOSE || r->silence != REPLICA_VOTES)
		return; /* the round went on without us */
	struct arena arena;
	arena_init(&arena, APPLY_ARENA_BYTES_MAX);
	struct candidate_plan plan = {
		.head = &r->head,
		.chain_id = r->config.start.chain_id,
		.time = job->block.time,
		.proposer = job->block.proposer,
		.txs = job->txs,
		.tx_count = job->tx_count,
	};
	if (r->core.has_last_commit)
		plan.last_commit =
			engine_commit(&r->core.last_precommits, &r->head.block_id, &arena);
	plan.evidence =
		evidence_for_block(&r->evidence, &arena, &r->head, EVIDENCE_BLOCK_BYTES_MAX);
	struct buf raw;
	buf_init(&raw, 0);
	struct candidate *c = NULL;
	const char *fault = NULL;
	enum status status = plan.evidence ? candidate_pack(&raw, &plan) : STATUS_NO_MEMORY;
	if (status == STATUS_OK)
		status = candidate_of_bytes(&c, buf_view(&raw), &fault);
	buf_fini(&raw);
	arena_fini(&arena);
	if (status != STATUS_OK) {
		replica_stop(r, "building a block", status);
		return;
	}
	CHECK(c); /* what we pack, we read */
	struct consensus_input in = {.kind = IN_PROPOSAL_BUILT, .now = now.wall};
	in.u.block.height = job->height;
	in.u.block.round = job->round;
	in.u.block.block = c->id;
	in.u.block.time = c->time;
	/* The very block of an earlier round, built again, is here already. */
	if (replica_candidate(r, &c->id))
		candidate_free(c);
	else if (!replica_keep_candidate(r, c, out))
		return;
	engine_input(r, &in);
}

/* Double votes of this height can be proved now, and everybody may put the proof into a block. */
static void tell_evidence(struct replica *r, const Pb__Block *block, struct replica_effects *out)
{
	size_t fresh[EVIDENCE_PAIRS_MAX], count;
	evidence_committed(&r->evidence, &r->head, block, fresh, &count);
	for (size_t i = 0; i < count && r->config.has_peers; i++)
		say_evidence(r, &r->evidence.items[fresh[i]].packed, out);
}

/* The block is in the store: the mempool, the log and the core go on to the next height. */
static void written(struct replica *r, struct apply_job *job, struct replica_now now,
	struct replica_effects *out)
{
	const struct candidate *c = job->candidate;
	const struct app_result *result = &job->executed->result;
	/* Here and not in the job: what check and query read moves on their own thread. */
	r->config.app.vtable->committed(r->config.app.self);
	r->last_block_txs = c->tx_count;
	r->last_block_empty =
		c->tx_count == 0 && hash_equal(&r->head.app_hash, &job->head.app_hash);
	r->head = job->head;
	log_event(r->config.log, LOG_INFO, "commit height=%lld round=%d txs=%zu bytes=%zu",
		(long long)r->head.height, job->round, c->tx_count, c->parts.len);
	uint64_t now_ms = (uint64_t)timestamp_ms(pace_block_time(r, now));
	mempool_committed(r->config.mempool, c->tx_hashes, c->tx_count, result->touches,
		result->touch_count, now_ms);
	voice_committed(r, now);
	if (r->silence == REPLICA_VOTES)
		replica_effect(out, REPLICA_LOG_RESET);
	struct replica_effect *e = replica_effect(out, REPLICA_COMMITTED);
	e->u.committed.height = r->head.height;
	e->u.committed.tx_count = c->tx_count;
	for (size_t i = 0; i < c->tx_count; i++)
		e->u.committed.tx_bytes += c->txs[i].raw.len;
	e->bytes_at = r->scratch.len;
	buf_append(&r->scratch, c->tx_hashes, c->tx_count * sizeof *c->tx_hashes);
	e->bytes.len = r->scratch.len - e->bytes_at;
	tell_evidence(r, c->block, out);
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		candidate_free(r->candidates[i]);
		r->candidates[i] = NULL;
	}
	peers_forget(r);
	r->build_wanted = false;
	if (replica_app_halts(r))
		return;
	struct consensus_input in = {.kind = IN_COMMITTED, .now = now.wall};
	in.u.next.height = r->head.height + 1;
	in.u.next.validators = r->head.validators;
	in.u.next.last_time = r->head.time;
	engine_input(r, &in);
}

void engine_applied(struct replica *r, struct apply_job *take, struct replica_now now,
	struct replica_effects *out)
{
	if (take->status != STATUS_OK) {
		replica_stop(r, take->fault, take->status);
		apply_job_free(take);
		return;
	}
	if (take->kind != APPLY_PREPARE) {
		CHECK(take->candidate);
		struct candidate *c = replica_candidate(r, &take->candidate->id);
		CHECK(c == take->candidate);
		CHECK(c->jobs > 0);
		c->jobs--;
	}
	struct consensus_input in = {.kind = IN_EXECUTED, .now = now.wall};
	switch (take->kind) {
	case APPLY_PREPARE: built(r, take, now, out); break;
	case APPLY_PROCESS:
		if (take->height == r->core.height) {
			for (size_t i = 0; take->accept && i < take->candidate->tx_count; i++)
				mempool_note_verified(
					r->config.mempool, &take->candidate->tx_hashes[i]);
			checked(r, &take->candidate->id, take->accept, now);
		}
		break;
	case APPLY_EXECUTE:
		in.u.block.height = take->height;
		in.u.block.block = take->candidate->id;
		r->executed = take;
		engine_input(r, &in);
		return;
	case APPLY_WRITE: written(r, take, now, out); break;
	}
	apply_job_free(take);
}
