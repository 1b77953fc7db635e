#include "consensus/core.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/rounds.h"

/*~ The rules below carry the line numbers of algorithm 1 in arXiv 1807.04938. Every input only adds
 * a fact (a proposal, a vote, a verdict, a timeout); rules_run then applies every rule whose facts
 * have become true, until nothing changes. So no rule depends on the order in which its facts
 * arrive. */

static struct consensus_effect *effect(
	struct consensus_effects *out, const struct consensus *c, enum consensus_effect_kind kind)
{
	CHECK(out->count < CONSENSUS_EFFECTS_MAX);
	struct consensus_effect *e = &out->items[out->count++];
	memset(e, 0, sizeof *e);
	e->kind = kind;
	e->height = c->height;
	e->round = c->round;
	return e;
}

static void ask_timer(struct consensus *c, struct consensus_effects *out, enum consensus_step step,
	uint64_t base_ms)
{
	struct consensus_effect *e = effect(out, c, EFFECT_TIMER);
	e->step = step;
	e->delay_ms = base_ms + c->timing.growth_ms * (uint64_t)c->round;
}

static bool validating(const struct consensus *c)
{
	return c->my_index >= 0;
}

/* A vote's time is after its block's, so that a chain of them never runs backwards [comet 3.5]. */
static struct timestamp vote_time(
	const struct consensus *c, const struct block_id *block, struct timestamp now)
{
	const struct known_block *known = block_id_is_nil(block) ? NULL : block_find(c, block);
	struct timestamp floor = known ? known->time : c->last_time;
	struct timestamp least = timestamp_of_ms(timestamp_ms(floor) + 1);
	return timestamp_compare(now, least) > 0 ? now : least;
}

/* Everything logged, from which the signature follows, is durable before it exists: after a crash a
 * replay asks for the very same bytes. Alone, a vote that the fence refuses only costs a round, and
 * the barrier would cost every block; but a lock must be durable there too. */
static void before_signing(struct consensus *c, struct consensus_effects *out, bool lock)
{
	if (lock || c->validators.count > 1)
		effect(out, c, EFFECT_PERSIST);
}

static void cast(struct consensus *c, struct consensus_effects *out, enum vote_type type,
	const struct block_id *block, struct timestamp now)
{
	if (!validating(c))
		return;
	before_signing(c, out, type == VOTE_PRECOMMIT && !block_id_is_nil(block));
	struct vote *vote = &c->vote_asked[type];
	memset(vote, 0, sizeof *vote);
	vote->type = type;
	vote->height = c->height;
	vote->round = c->round;
	vote->block_id = *block;
	vote->time = vote_time(c, block, now);
	vote->index = (uint32_t)c->my_index;
	vote->address = c->validators.v[c->my_index].address;
	c->asked_vote[type] = true;
	effect(out, c, EFFECT_SIGN_VOTE)->vote = *vote;
}

static void propose(struct consensus *c, struct consensus_effects *out, int32_t pol_round,
	const struct block_id *block)
{
	const struct known_block *known = block_find(c, block);
	CHECK(known);
	struct proposal *p = &c->proposal_asked;
	memset(p, 0, sizeof *p);
	p->height = c->height;
	p->round = c->round;
	p->pol_round = pol_round;
	p->block_id = *block;
	p->time = known->time;
	c->asked_proposal = true;
	before_signing(c, out, false);
	effect(out, c, EFFECT_SIGN_PROPOSAL)->proposal = *p;
}

static const struct block_id nil_block;

static void prevote(struct consensus *c, struct consensus_effects *out,
	const struct block_id *block, struct timestamp now)
{
	CHECK(c->step == STEP_PROPOSE);
	c->step = STEP_PREVOTE;
	cast(c, out, VOTE_PREVOTE, block, now);
}

static void precommit(struct consensus *c, struct consensus_effects *out,
	const struct block_id *block, struct timestamp now)
{
	CHECK(c->step == STEP_PREVOTE);
	c->step = STEP_PRECOMMIT;
	cast(c, out, VOTE_PRECOMMIT, block, now);
}

/* Lines 11-21. */
static void start_round(struct consensus *c, struct consensus_effects *out, int32_t round)
{
	CHECK(round > c->round || c->step == STEP_WAIT);
	c->round = round;
	c->step = STEP_PROPOSE;
	c->asked_proposal = false;
	memset(c->asked_vote, 0, sizeof c->asked_vote);
	round_ensure(c, round);
	ask_timer(c, out, STEP_PROPOSE, c->timing.propose_ms);
	if (!validating(c) || consensus_proposer(c, round) != (uint32_t)c->my_index)
		return;
	if (c->valid_round < 0)
		effect(out, c, EFFECT_BUILD_PROPOSAL);
	else
		propose(c, out, c->valid_round, &c->valid_block);
}

/* Lines 22-33: what to prevote once the proposal's block is here and judged. */
static bool rule_prevote(struct consensus *c, struct consensus_effects *out, struct timestamp now)
{
	if (c->step != STEP_PROPOSE)
		return false;
	struct round_state *r = round_find(c, c->round);
	if (!r || !r->has_proposal)
		return false;
	const struct proposal *p = &r->proposal;
	const struct known_block *known = block_find(c, &p->block_id);
	if (!known || !known->here)
		return false;
	bool fresh = p->pol_round < 0;
	if (!fresh) {
		/* Line 28: only with the proof of lock in hand; until it comes, the timeout
		 * decides. */
		const struct round_state *pol = round_find(c, p->pol_round);
		if (!pol || !tally_has_quorum_for(&pol->prevotes, &p->block_id))
			return false;
	}
	if (known->verdict != BLOCK_VALID && known->verdict != BLOCK_INVALID)
		return false;
	bool same_lock = c->locked_round >= 0 && block_id_equal(&c->locked_block, &p->block_id);
	bool unlocked = fresh ? c->locked_round < 0 : c->locked_round <= p->pol_round;
	/* The proposal's time was judged when it came; the header must say the same. */
	bool same_time = timestamp_compare(p->time, known->time) == 0;
	bool in_time = same_time && (!fresh || r->timely);
	bool good = known->verdict == BLOCK_VALID && in_time && (same_lock || unlocked);
	prevote(c, out, good ? &p->block_id : &nil_block, now);
	return true;
}

/* Lines 36-43: a quorum of prevotes for a block we hold and found valid: lock, precommit, remember
 * as valid. */
static bool rule_lock(struct consensus *c, struct consensus_effects *out, struct timestamp now)
{
	if (c->step != STEP_PREVOTE && c->step != STEP_PRECOMMIT)
		return false;
	struct round_state *r = round_find(c, c->round);
	struct block_id block;
	if (!r || r->polka_seen || !r->has_proposal || !tally_decides(&r->prevotes, &block))
		return false;
	if (!block_id_equal(&block, &r->proposal.block_id))
		return false;
	const struct known_block *known = block_find(c, &block);
	if (!known || !known->here || known->verdict != BLOCK_VALID)
		return false;
	r->polka_seen = true;
	c->valid_round = c->round;
	c->valid_block = block;
	if (c->step == STEP_PREVOTE) {
		c->locked_round = c->round;
		c->locked_block = block;
		precommit(c, out, &block, now);
	}
	return true;
}

/* Lines 44-46. */
static bool rule_precommit_nil(
	struct consensus *c, struct consensus_effects *out, struct timestamp now)
{
	if (c->step != STEP_PREVOTE)
		return false;
	struct round_state *r = round_find(c, c->round);
	if (!r || !tally_has_quorum_for(&r->prevotes, &nil_block))
		return false;
	precommit(c, out, &nil_block, now);
	return true;
}

/* Lines 34-35 and 47-48. */
static void rule_timers(struct consensus *c, struct consensus_effects *out)
{
	struct round_state *r = round_find(c, c->round);
	if (!r)
		return;
	if (c->step == STEP_PREVOTE && !r->prevote_timer && tally_has_any_quorum(&r->prevotes)) {
		r->prevote_timer = true;
		ask_timer(c, out, STEP_PREVOTE, c->timing.prevote_ms);
	}
	if (c->step != STEP_WAIT && !r->precommit_timer && tally_has_any_quorum(&r->precommits)) {
		r->precommit_timer = true;
		ask_timer(c, out, STEP_PRECOMMIT, c->timing.precommit_ms);
	}
}

/* Lines 49-54: a quorum of precommits at any round decides, once the block is here and judged. */
static bool rule_decide(struct consensus *c, struct consensus_effects *out)
{
	if (c->step == STEP_EXECUTE || c->step == STEP_COMMIT || c->decided_round < 0)
		return false;
	const struct known_block *known = block_find(c, &c->decided_block);
	if (!known || !known->here)
		return false;
	if (known->verdict == BLOCK_INVALID)
		effect(out, c, EFFECT_DISAGREE)->block = c->decided_block;
	if (known->verdict != BLOCK_VALID)
		return false;
	c->step = STEP_EXECUTE;
	struct consensus_effect *e = effect(out, c, EFFECT_EXECUTE);
	e->round = c->decided_round;
	e->block = c->decided_block;
	return true;
}

/* Lines 55-56: more than 1/3 of the power is in a later round; at least one honest validator went
 * there for a reason. */
static bool rule_jump(struct consensus *c, struct consensus_effects *out)
{
	if (c->step == STEP_EXECUTE || c->step == STEP_COMMIT)
		return false;
	int32_t best = c->round;
	for (uint32_t i = 0; i < c->validators.count; i++) {
		int32_t candidate = c->highest_round[i];
		if (candidate <= best)
			continue;
		int64_t power = 0;
		for (uint32_t k = 0; k < c->validators.count; k++) {
			if (c->highest_round[k] >= candidate)
				power += c->validators.v[k].power;
		}
		if (power_is_third(power, c->validators.total_power))
			best = candidate;
	}
	if (best == c->round)
		return false;
	start_round(c, out, best);
	return true;
}

/* Ask for the verdict of every block that is here, once. */
static bool rule_check(struct consensus *c, struct consensus_effects *out)
{
	bool any = false;
	if (c->step == STEP_EXECUTE || c->step == STEP_COMMIT)
		return false; /* the app is busy with the block that won */
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		struct known_block *b = &c->blocks[i];
		if (!b->used || !b->here || b->verdict != BLOCK_UNASKED)
			continue;
		b->verdict = BLOCK_ASKED;
		effect(out, c, EFFECT_CHECK_PROPOSAL)->block = b->id;
		any = true;
	}
	return any;
}

static void rules_run(struct consensus *c, struct consensus_effects *out, struct timestamp now)
{
	bool changed = true;
	while (changed && c->step != STEP_WAIT) {
		changed = rule_check(c, out);
		changed |= rule_decide(c, out);
		changed |= rule_jump(c, out);
		changed |= rule_prevote(c, out, now);
		changed |= rule_lock(c, out, now);
		changed |= rule_precommit_nil(c, out, now);
	}
	if (c->step != STEP_EXECUTE && c->step != STEP_COMMIT)
		rule_timers(c, out);
}

/* Others have started this height: so do we. */
static void begin_if_waiting(struct consensus *c, struct consensus_effects *out)
{
	if (c->step == STEP_WAIT)
		start_round(c, out, 0);
}

/* [protocol 6] Only the past bound grows with the round, and at most to an hour. */
bool consensus_timely(const struct consensus_timing *timing, int32_t round,
	struct timestamp block_time, struct timestamp arrival)
{
	enum { DELAY_MS_MAX = 3600 * 1000 };
	uint64_t delay_ms = timing->message_delay_ms;
	for (int32_t i = 0; i < round && delay_ms < DELAY_MS_MAX; i++)
		delay_ms += delay_ms / 10;
	if (delay_ms > DELAY_MS_MAX)
		delay_ms = DELAY_MS_MAX;
	int64_t block_ms = timestamp_ms(block_time);
	int64_t arrival_ms = timestamp_ms(arrival);
	return block_ms <= arrival_ms + (int64_t)timing->precision_ms &&
	       block_ms >= arrival_ms - (int64_t)timing->precision_ms - (int64_t)delay_ms;
}

static void on_proposal(struct consensus *c, const struct proposal *p, struct timestamp arrival,
	bool ours, struct consensus_effects *out)
{
	if (p->height != c->height || p->round < 0 || c->step == STEP_EXECUTE ||
		c->step == STEP_COMMIT)
		return;
	if (p->pol_round < -1 || p->pol_round >= p->round || block_id_is_nil(&p->block_id))
		return;
	begin_if_waiting(c, out);
	struct round_state *r = round_ensure(c, p->round);
	if (!r || r->has_proposal)
		return;
	r->has_proposal = true;
	r->proposal = *p;
	r->timely = ours || consensus_timely(&c->timing, p->round, p->time, arrival);
	struct known_block *known = block_ensure(c, &p->block_id);
	if (known && !known->here)
		known->time = p->time;
}

static void add_vote(struct tally *tally, const struct vote *vote, const struct consensus *c,
	struct consensus_effects *out)
{
	struct vote earlier;
	if (tally_add(tally, vote, &earlier) != TALLY_CONFLICT)
		return;
	struct consensus_effect *e = effect(out, c, EFFECT_EVIDENCE);
	e->vote = earlier;
	e->other = *vote;
}

static void on_vote(struct consensus *c, const struct vote *vote, struct consensus_effects *out)
{
	if (vote->height == c->height - 1 && c->has_last_commit) {
		/* A late precommit still belongs into the next block's last commit. */
		add_vote(&c->last_precommits, vote, c, out);
		return;
	}
	if (vote->height != c->height || vote->index >= c->validators.count || vote->round < 0)
		return;
	begin_if_waiting(c, out);
	if (vote->round > c->highest_round[vote->index])
		c->highest_round[vote->index] = vote->round;
	struct round_state *r = round_ensure(c, vote->round);
	if (!r)
		return;
	struct tally *tally = vote->type == VOTE_PREVOTE ? &r->prevotes : &r->precommits;
	add_vote(tally, vote, c, out);
	struct block_id block;
	if (tally_decides(tally, &block)) {
		if (vote->type == VOTE_PRECOMMIT && c->decided_round < 0) {
			c->decided_round = vote->round;
			c->decided_block = block;
		}
		const struct known_block *known = block_ensure(c, &block);
		if (known && !known->here)
			effect(out, c, EFFECT_NEED_BLOCK)->block = block;
	}
}

static void on_timeout(
	struct consensus *c, const struct consensus_input *in, struct consensus_effects *out)
{
	if (in->u.point.height != c->height || in->u.point.round != c->round)
		return;
	switch (in->u.point.step) {
	case STEP_PROPOSE: /* lines 57-60 */
		if (c->step == STEP_PROPOSE)
			prevote(c, out, &nil_block, in->now);
		break;
	case STEP_PREVOTE: /* lines 61-64 */
		if (c->step == STEP_PREVOTE)
			precommit(c, out, &nil_block, in->now);
		break;
	case STEP_PRECOMMIT: /* lines 65-67 */
		if (c->step == STEP_PROPOSE || c->step == STEP_PREVOTE || c->step == STEP_PRECOMMIT)
			start_round(c, out, c->round + 1);
		break;
	case STEP_WAIT:
	case STEP_EXECUTE:
	case STEP_COMMIT: break;
	}
}

static void on_built(
	struct consensus *c, const struct consensus_input *in, struct consensus_effects *out)
{
	if (in->u.block.height != c->height || in->u.block.round != c->round ||
		c->step != STEP_PROPOSE)
		return;
	struct known_block *known = block_ensure(c, &in->u.block.block);
	if (!known)
		return;
	known->here = true;
	known->time = in->u.block.time;
	known->verdict = BLOCK_VALID; /* we made it by the rules that check it */
	propose(c, out, -1, &known->id);
}

static void on_signed(
	struct consensus *c, const struct consensus_input *in, struct consensus_effects *out)
{
	/* The signature is in the log with this input; it is durable before anyone can see it. */
	effect(out, c, EFFECT_PERSIST);
	if (in->kind == IN_SIGNED_PROPOSAL) {
		effect(out, c, EFFECT_SEND_PROPOSAL)->proposal = in->u.proposal;
		on_proposal(c, &in->u.proposal, in->now, true, out);
	} else {
		effect(out, c, EFFECT_SEND_VOTE)->vote = in->u.vote;
		on_vote(c, &in->u.vote, out);
	}
}

/* Nobody can make this round succeed without the vote we may not give: don't wait for its timeouts.
 */
static void on_refused(
	struct consensus *c, const struct consensus_input *in, struct consensus_effects *out)
{
	if (in->u.point.height != c->height || in->u.point.round != c->round || !validating(c))
		return;
	if (c->step == STEP_EXECUTE || c->step == STEP_COMMIT)
		return;
	int64_t others = c->validators.total_power - c->validators.v[c->my_index].power;
	if (!power_is_quorum(others, c->validators.total_power))
		start_round(c, out, c->round + 1);
}

static void on_block(struct consensus *c, const struct consensus_input *in)
{
	if (in->u.block.height != c->height)
		return;
	struct known_block *known = block_ensure(c, &in->u.block.block);
	if (!known)
		return;
	known->here = true;
	known->time = in->u.block.time;
}

static void on_checked(struct consensus *c, const struct consensus_input *in)
{
	if (in->u.block.height != c->height)
		return;
	struct known_block *known = block_find(c, &in->u.block.block);
	if (known && known->verdict == BLOCK_ASKED)
		known->verdict = in->u.block.valid ? BLOCK_VALID : BLOCK_INVALID;
}

static void on_executed(
	struct consensus *c, const struct consensus_input *in, struct consensus_effects *out)
{
	if (c->step != STEP_EXECUTE || in->u.block.height != c->height ||
		!block_id_equal(&in->u.block.block, &c->decided_block))
		return;
	c->step = STEP_COMMIT;
	struct consensus_effect *e = effect(out, c, EFFECT_COMMIT);
	e->round = c->decided_round;
	e->block = c->decided_block;
}

enum status consensus_step(
	struct consensus *c, const struct consensus_input *in, struct consensus_effects *out)
{
	out->count = 0;
	switch (in->kind) { /* lint: dispatch */
	case IN_BEGIN:
		if (in->u.point.height == c->height)
			begin_if_waiting(c, out);
		break;
	case IN_PROPOSAL: on_proposal(c, &in->u.proposal, in->now, false, out); break;
	case IN_BLOCK: on_block(c, in); break;
	case IN_VOTE: on_vote(c, &in->u.vote, out); break;
	case IN_TIMEOUT: on_timeout(c, in, out); break;
	case IN_PROPOSAL_BUILT: on_built(c, in, out); break;
	case IN_PROPOSAL_CHECKED: on_checked(c, in); break;
	case IN_SIGNED_PROPOSAL:
	case IN_SIGNED_VOTE: on_signed(c, in, out); break;
	case IN_SIGN_REFUSED: on_refused(c, in, out); break;
	case IN_EXECUTED: on_executed(c, in, out); break;
	case IN_COMMITTED: return height_begin(c, &in->u.next);
	}
	rules_run(c, out, in->now);
	return STATUS_OK;
}

static void resume_vote(struct consensus *c, struct consensus_effects *out, enum vote_type type)
{
	if (!c->asked_vote[type])
		return;
	const struct round_state *r = round_find(c, c->round);
	CHECK(r);
	const struct tally *tally = type == VOTE_PREVOTE ? &r->prevotes : &r->precommits;
	const struct tally_slot *slot = &tally->slots[c->my_index];
	if (slot->present)
		effect(out, c, EFFECT_SEND_VOTE)->vote = slot->vote;
	else
		effect(out, c, EFFECT_SIGN_VOTE)->vote = c->vote_asked[type];
}

static void resume_proposal(struct consensus *c, struct consensus_effects *out)
{
	if (!validating(c) || consensus_proposer(c, c->round) != (uint32_t)c->my_index)
		return;
	const struct round_state *r = round_find(c, c->round);
	CHECK(r);
	if (r->has_proposal)
		effect(out, c, EFFECT_SEND_PROPOSAL)->proposal = r->proposal;
	else if (c->asked_proposal)
		effect(out, c, EFFECT_SIGN_PROPOSAL)->proposal = c->proposal_asked;
	else if (c->step == STEP_PROPOSE)
		effect(out, c, EFFECT_BUILD_PROPOSAL);
}

void consensus_resume(struct consensus *c, struct consensus_effects *out)
{
	out->count = 0;
	if (c->step == STEP_WAIT)
		return;
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		if (c->blocks[i].used && c->blocks[i].verdict == BLOCK_ASKED)
			effect(out, c, EFFECT_CHECK_PROPOSAL)->block = c->blocks[i].id;
	}
	if (c->step == STEP_EXECUTE || c->step == STEP_COMMIT) {
		c->step = STEP_EXECUTE;
		struct consensus_effect *e = effect(out, c, EFFECT_EXECUTE);
		e->round = c->decided_round;
		e->block = c->decided_block;
		return;
	}
	resume_proposal(c, out);
	resume_vote(c, out, VOTE_PREVOTE);
	resume_vote(c, out, VOTE_PRECOMMIT);
	ask_timer(c, out, STEP_PROPOSE, c->timing.propose_ms);
	const struct round_state *r = round_find(c, c->round);
	if (r && r->prevote_timer)
		ask_timer(c, out, STEP_PREVOTE, c->timing.prevote_ms);
	if (r && r->precommit_timer)
		ask_timer(c, out, STEP_PRECOMMIT, c->timing.precommit_ms);
}
