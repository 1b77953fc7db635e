/* voice: whether this validator may vote [design D3, D6]. The fence in node/ keeps one life from
 * contradicting the lives before it; what is decided here is what to do when the fence, the log or
 * the store can't say any more what those lives signed, and when somebody else has the key. */
#include <stdio.h>
#include <string.h>

#include "chain/blocks.h"
#include "replica/inside.h"

enum {
	LOOK_BACK_ARENA_BYTES_MAX = 1024 * 1024,
	/* A block this young is one that the others make now, not one that is being fetched. */
	YOUNG_BLOCK_MS = 60 * 1000,
	/* Most of the validators may look back at once, and then nobody makes new blocks. */
	STANDSTILL_MS = 60 * 1000,
	LISTEN_MS = 5 * 1000 /* to who is there, when it isn't most of the peers */
};

static const char *silence_name(enum replica_silence silence)
{
	switch (silence) {
	case REPLICA_VOTES: return "votes";
	case REPLICA_NO_FENCE: return "no_fence";
	case REPLICA_KEY_ELSEWHERE: return "key_used_elsewhere";
	case REPLICA_LOG_ROTTEN: return "log_rotten";
	case REPLICA_BLOCKS_LOST: return "blocks_lost";
	case REPLICA_LISTENING: return "listening";
	case REPLICA_LOOKING_BACK: return "looking_back";
	}
	return "unknown";
}

enum replica_silence replica_silence(const struct replica *r)
{
	return r->silence;
}

const char *replica_silent(const struct replica *r)
{
	return r->silence == REPLICA_VOTES ? NULL : r->silent_text;
}

static bool is_me(const struct replica *r, const struct validator *v)
{
	return memcmp(v->key.b, r->config.me.b, sizeof v->key.b) == 0;
}

static int64_t power_in(const struct replica *r, const struct validator_set *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (is_me(r, &set->v[i]))
			return set->v[i].power;
	}
	return 0;
}

/* Nobody else can make a block, and no block is made without it. */
static bool is_alone(const struct replica *r)
{
	const struct validator_set *set = &r->head.validators;
	return power_is_quorum(power_in(r, set), set->total_power);
}

static bool others_go_on(const struct replica *r)
{
	const struct validator_set *set = &r->head.validators;
	return power_is_quorum(set->total_power - power_in(r, set), set->total_power);
}

static void know(struct replica *r, int64_t height, int32_t round, enum fence_step step)
{
	struct fence_record said = {.height = height, .round = round, .step = step};
	if (fence_order(&said, &r->spoken) > 0)
		r->spoken = said;
}

/* From now on nothing is signed, nor logged: what lies in the log stays the proof that it must not
 * vote. */
static void fall_silent(struct replica *r, enum replica_silence silence, const char *why)
{
	r->silence = silence;
	r->quiet_blocks = 0;
	snprintf(r->silent_text, sizeof r->silent_text, "%s: %.200s", silence_name(silence), why);
	memset(&r->core.me, 0, sizeof r->core.me);
	r->core.my_index = -1;
	r->build_wanted = false;
	if (power_in(r, &r->head.validators) > 0 || power_in(r, &r->head.next_validators) > 0)
		log_event(r->config.log, LOG_UNUSUAL, "validator_silent height=%lld reason=\"%s\"",
			(long long)r->core.height, r->silent_text);
}

/* The core learns who it is when its next height begins. */
static void speak_again(struct replica *r)
{
	log_event(r->config.log, LOG_INFO, "validator_votes_again height=%lld after=%s",
		(long long)r->head.height + 1, silence_name(r->silence));
	r->silence = REPLICA_VOTES;
	r->silent_text[0] = 0;
	r->core.me = r->config.me;
}

/* ---- at start ---- */

/* The last signature of our key in the youngest blocks; height 0: none. */
static enum status look_back(struct replica *r, struct fence_record *found)
{
	uint32_t blocks = r->config.look_back_blocks;
	int64_t height = r->head.height;
	int64_t least = height - (blocks > 0 ? blocks : LOOK_BACK_BLOCKS);
	struct validator_address me = validator_address_of(&r->config.me);
	memset(found, 0, sizeof *found);
	for (; height > least && height >= r->head.base_height && found->height == 0; height--) {
		struct arena arena;
		arena_init(&arena, LOOK_BACK_ARENA_BYTES_MAX);
		const Pb__Commit *commit;
		bool canonical;
		enum status status =
			blocks_commit(r->config.store, NULL, &arena, height, &commit, &canonical);
		for (size_t i = 0; status == STATUS_OK && i < commit->n_signatures; i++) {
			const ProtobufCBinaryData *address =
				&commit->signatures[i]->validator_address;
			if (address->len == sizeof me.b &&
				memcmp(address->data, me.b, sizeof me.b) == 0)
				*found = (struct fence_record){.height = height,
					.round = commit->round,
					.step = FENCE_PRECOMMIT};
		}
		arena_fini(&arena);
		if (status != STATUS_OK && status != STATUS_NOT_FOUND)
			return status;
	}
	return STATUS_OK;
}

static const char override_hint[] =
	"; if no other process has this key: --validator.unsafe_renew_fence true";

/* What this key signed isn't known, and only the operator can say what to do. */
static enum status doubt(
	struct replica *r, enum replica_silence silence, const char *why, char fault[256])
{
	if (!r->config.renew_fence) {
		snprintf(fault, 256, "%.170s%s", why, override_hint);
		fall_silent(r, silence, fault);
		return is_alone(r) ? STATUS_CORRUPT : STATUS_OK;
	}
	know(r, r->head.height, INT32_MAX, FENCE_PRECOMMIT);
	log_event(r->config.log, LOG_UNUSUAL, "fence_renewed height=%lld reason=\"%s\"",
		(long long)r->head.height + 1, why);
	if (others_go_on(r))
		fall_silent(r, REPLICA_LOOKING_BACK,
			"waiting for new blocks without a signature of this key");
	return STATUS_OK;
}

/* Through the fence's height the key may have signed anything; above it, nothing. */
static enum status wait_through(struct replica *r, enum replica_silence silence, int64_t height,
	const char *why, char fault[256])
{
	snprintf(fault, 256, "%s", why);
	if (is_alone(r))
		return STATUS_CORRUPT;
	r->silent_through = height;
	fall_silent(r, silence, why);
	return STATUS_OK;
}

enum status voice_start(struct replica *r, const struct fence_record *fence, char fault[256])
{
	char why[256];
	struct fence_record found;
	snprintf(fault, 256, "looking back for signatures of this key");
	enum status status = look_back(r, &found);
	if (status != STATUS_OK)
		return status;
	if (!fence)
		return doubt(r, REPLICA_NO_FENCE,
			"the record of what this key signed (HOME/fence) is missing or damaged",
			fault);
	struct validator_address me = validator_address_of(&r->config.me);
	/* A record of another key says nothing of this one. */
	if (fence->step != FENCE_NOTHING && memcmp(&fence->validator, &me, sizeof me) == 0)
		know(r, fence->height, fence->round, fence->step);
	if (!r->config.ignores_twins && fence_order(&found, &r->spoken) > 0) {
		snprintf(why, sizeof why,
			"block %lld has a signature of this key that HOME/fence doesn't know: it "
			"is an old copy, or another process has the key",
			(long long)found.height);
		return doubt(r, REPLICA_KEY_ELSEWHERE, why, fault);
	}
	/* The blank fence of a new home with an old key in it says the same as a new key's. */
	if (fence->step == FENCE_NOTHING && !is_alone(r) && !r->config.ignores_twins)
		fall_silent(r, REPLICA_LISTENING, "asking the peers how far the chain is");
	if (fence->step == FENCE_NOTHING || fence->height <= r->head.height + 1)
		return STATUS_OK;
	snprintf(why, sizeof why,
		"this key has signed at height %lld, but the store ends at %lld: blocks were lost",
		(long long)fence->height, (long long)r->head.height);
	return wait_through(r, REPLICA_BLOCKS_LOST, fence->height, why, fault);
}

enum status voice_log_rotten(struct replica *r, int64_t height, char fault[256])
{
	char why[256];
	snprintf(why, sizeof why, "%.255s", fault);
	return wait_through(r, REPLICA_LOG_ROTTEN, height, why, fault);
}

/* ---- while it runs ---- */

bool voice_speaks(struct replica *r, const struct fence_record *wanted)
{
	if (r->silence != REPLICA_VOTES)
		return false;
	know(r, wanted->height, wanted->round, wanted->step);
	return true;
}

static void key_is_elsewhere(struct replica *r, const char *why)
{
	char fault[256];
	if (r->silence == REPLICA_NO_FENCE || r->silence == REPLICA_KEY_ELSEWHERE)
		return;
	if (doubt(r, REPLICA_KEY_ELSEWHERE, why, fault) != STATUS_OK)
		replica_stop(r, fault, STATUS_OK);
}

void voice_heard(struct replica *r, int64_t height, int32_t round, enum fence_step step)
{
	char why[256];
	struct fence_record heard = {.height = height, .round = round, .step = step};
	bool known = fence_order(&heard, &r->spoken) <= 0;
	if (r->config.ignores_twins || known)
		return;
	know(r, height, round, step);
	if (r->silence == REPLICA_LOOKING_BACK) {
		r->quiet_blocks = 0;
		r->still_height = 0;
		return;
	}
	snprintf(why, sizeof why,
		"a peer has a signature of this key for height %lld round %d that this process "
		"didn't make: another process has the key",
		(long long)height, round);
	key_is_elsewhere(r, why);
}

void voice_contradicted(struct replica *r, int64_t height, int32_t round)
{
	char why[256];
	if (r->config.ignores_twins || r->silence == REPLICA_LOOKING_BACK)
		return;
	snprintf(why, sizeof why,
		"two signatures of this key for height %lld round %d contradict each other: "
		"another process has the key",
		(long long)height, round);
	key_is_elsewhere(r, why);
}

/* A block that was made just now, and no peer has many more. */
static bool is_news(const struct replica *r, struct replica_now now)
{
	int64_t age_ms = timestamp_ms(now.wall) - timestamp_ms(r->head.time);
	return age_ms < YOUNG_BLOCK_MS && age_ms > -YOUNG_BLOCK_MS &&
	       sync_claimed(r) <= r->head.height + 2;
}

void voice_committed(struct replica *r, struct replica_now now)
{
	switch (r->silence) {
	case REPLICA_VOTES:
	case REPLICA_NO_FENCE:
	case REPLICA_LISTENING:
	case REPLICA_KEY_ELSEWHERE: return;
	case REPLICA_LOG_ROTTEN:
	case REPLICA_BLOCKS_LOST:
		if (r->head.height >= r->silent_through)
			speak_again(r);
		return;
	case REPLICA_LOOKING_BACK:
		r->quiet_blocks = is_news(r, now) ? r->quiet_blocks + 1 : 0;
		if (r->quiet_blocks > LOOK_BACK_BLOCKS) {
			know(r, r->head.height, INT32_MAX, FENCE_PRECOMMIT);
			speak_again(r);
		}
		return;
	}
}

/* It has heard most of its peers, or whoever is there for so long; and they have no more than it
 * has. */
static bool has_listened(struct replica *r, struct replica_now now)
{
	uint32_t heard = sync_heard(r);
	if (heard > 0 && r->heard_ms == 0)
		r->heard_ms = now.steady_ms + 1;
	bool most = heard >= r->head.validators.count * 2 / 3;
	bool long_enough = r->heard_ms > 0 && now.steady_ms >= r->heard_ms + LISTEN_MS;
	return heard > 0 && (most || long_enough) && sync_claimed(r) <= r->core.height;
}

/* For so long there was no new block, nobody had one that we lack, and nobody told a signature of
 * our key that we didn't know: peers tell every vote of the round they are in. */
static bool stands_still(struct replica *r, struct replica_now now)
{
	bool moved = r->still_height != r->core.height || sync_heard(r) == 0 ||
		     sync_claimed(r) > r->core.height;
	if (moved) {
		r->still_height = r->core.height;
		r->still_ms = now.steady_ms;
	}
	return now.steady_ms >= r->still_ms + STANDSTILL_MS;
}

/* Nobody may ever have heard what this key last signed. It was in no round later than one past
 * the last that more than 1/3 have reached, which is where the core followed them to: the vote
 * begins beyond that, and who is there follows it. */
static void begin_beyond(
	struct replica *r, int32_t round, struct replica_now now, struct replica_effects *out)
{
	struct consensus_input in = {.kind = IN_BEGIN, .now = now.wall};
	in.u.point.height = r->core.height;
	engine_input(r, &in);
	engine_run(r, now, out);
	in.kind = IN_TIMEOUT;
	in.u.point.step = STEP_PRECOMMIT;
	for (in.u.point.round = 0; in.u.point.round < round; in.u.point.round++) {
		engine_input(r, &in);
		engine_run(r, now, out);
	}
}

void voice_run(struct replica *r, struct replica_now now, struct replica_effects *out)
{
	bool listened = r->silence == REPLICA_LISTENING && has_listened(r, now);
	bool still = r->silence == REPLICA_LOOKING_BACK && stands_still(r, now);
	if (r->stopped || (!listened && !still))
		return;
	/* What it saw of this height isn't in its log; it will be told again. */
	int32_t round = r->core.round;
	if (r->spoken.height == r->core.height && r->spoken.round > round)
		round = r->spoken.round;
	if (!replica_begin_anew(r, out))
		return;
	speak_again(r);
	r->status_due_ms = now.steady_ms;
	if (still)
		begin_beyond(r, round + 2, now, out);
}

uint64_t voice_next_ms(const struct replica *r, struct replica_now now)
{
	uint64_t listened_ms = r->heard_ms + LISTEN_MS, still_ms = r->still_ms + STANDSTILL_MS;
	if (r->silence == REPLICA_LISTENING && r->heard_ms > 0 && listened_ms > now.steady_ms)
		return listened_ms;
	if (r->silence == REPLICA_LOOKING_BACK && r->still_height > 0 && still_ms > now.steady_ms)
		return still_ms;
	return UINT64_MAX;
}
