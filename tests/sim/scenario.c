#include "tests/sim/scenario.h"

#include <stdlib.h>
#include <string.h>

#include "chain/blocks.h"
#include "chain/format/vote.h"
#include "chain/proto/peer.pb-c.h"
#include "tests/sim/world.h"

enum { SCENARIO_HEIGHT = 3, READ_BYTES_MAX = 1024 * 1024 };

struct scenario_state {
	int64_t height; /* the one the story is about */
	uint32_t node_of_role[SIM_NODES_MAX];
	uint64_t began_us; /* first validator at the height; 0: none yet */
	bool healed, judged;
	int32_t round; /* the highest anybody was in when it healed */
	int32_t decided_round;
};

static struct scenario_state *state_of(const struct world *w)
{
	return w->script_state;
}

/* ---- roles ---- */

static char role_of_node(const struct world *w, uint32_t node)
{
	const struct scenario_state *s = state_of(w);
	for (uint32_t role = 0; role < w->options.nodes; role++) {
		if (s->node_of_role[role] == node)
			return (char)('0' + role);
	}
	return 't'; /* the twin has the last number */
}

static bool is_one_of(const char *roles, char role)
{
	return roles && strchr(roles, role) != NULL;
}

static bool node_is(const struct world *w, const char *roles, uint32_t node)
{
	return is_one_of(roles, role_of_node(w, node));
}

static uint32_t proposer_of(const struct world *w, int64_t height, int32_t round)
{
	struct validator_set set = w->checks.validators;
	int32_t times = (int32_t)(height - w->people.genesis.initial_height) + round;
	if (times > 0)
		validator_set_increment(&set, times);
	return set.proposer;
}

static void begin(struct world *w)
{
	const struct scenario *plan = w->options.scenario;
	struct scenario_state *s = calloc(1, sizeof *s);
	CHECK(s && plan);
	w->script_state = s;
	s->height = plan->heal_quorum ? w->people.genesis.initial_height : SCENARIO_HEIGHT;
	while (plan->twins && proposer_of(w, s->height, 0) != w->options.nodes - 1)
		s->height++;
	for (uint32_t role = 0; role < w->options.nodes; role++)
		s->node_of_role[role] = proposer_of(w, s->height, (int32_t)role);
	for (uint32_t i = 0; i < w->node_count; i++) {
		w->nodes[i].gone = node_is(w, plan->never, i);
		if (plan->start_ms_max > 0)
			w->nodes[i].start_us = random_below(&w->dice, plan->start_ms_max * 1000);
	}
}

static void fini(struct world *w)
{
	free(w->script_state);
}

/* ---- what is held back ---- */

enum { EVERYBODY = '*' }; /* the precommits in a commit */

struct told {
	unsigned kind; /* 0: nothing that a scenario holds back */
	int64_t height;
	int32_t round;
	char author;
};

static struct told read(const struct world *w, struct bytes raw)
{
	struct told told = {0};
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, raw.len, raw.data);
	if (!m)
		return told;
	uint32_t seat = UINT32_MAX;
	if (m->sum_case == PB__PEER_MESSAGE__SUM_PROPOSAL)
		told = (struct told){HELD_PROPOSAL, m->proposal->height, m->proposal->round, 0};
	if (m->sum_case == PB__PEER_MESSAGE__SUM_BLOCK_PART)
		told = (struct told){HELD_PROPOSAL, m->block_part->height, m->block_part->round, 0};
	if (m->sum_case == PB__PEER_MESSAGE__SUM_VOTE) {
		bool prevote = (int)m->vote->type == VOTE_PREVOTE;
		told = (struct told){prevote ? HELD_PREVOTE : HELD_PRECOMMIT, m->vote->height,
			m->vote->round, 0};
		seat = (uint32_t)m->vote->validator_index;
	}
	if (m->sum_case == PB__PEER_MESSAGE__SUM_COMMIT)
		told = (struct told){
			HELD_PRECOMMIT, m->commit->height, m->commit->round, EVERYBODY};
	if (told.kind == HELD_PROPOSAL)
		told.author = (char)('0' + (uint32_t)told.round % w->options.nodes);
	else if (told.author != EVERYBODY)
		told.author = role_of_node(w, seat);
	pb__peer_message__free_unpacked(m, NULL);
	return told;
}

static bool holds(struct world *w, uint32_t from, uint32_t to, struct bytes raw)
{
	const struct scenario *plan = w->options.scenario;
	const struct scenario_state *s = state_of(w);
	bool there = s->began_us != 0 && !s->healed;
	for (int side = 0; side < 2 && there; side++) {
		if (node_is(w, plan->sides[side], from) && node_is(w, plan->sides[1 - side], to))
			return true;
	}
	struct told told = read(w, raw);
	if (told.kind == 0 || told.height != s->height)
		return false;
	for (size_t i = 0; i < HELD_RULES_MAX; i++) {
		const struct held_back *h = &plan->held[i];
		bool about = (h->kinds & told.kind) != 0 && told.round >= h->first &&
			     told.round <= h->last &&
			     (!h->of || told.author == EVERYBODY || is_one_of(h->of, told.author));
		if (about && !node_is(w, h->but_to, to) && (h->for_ever || !s->healed))
			return true;
	}
	return false;
}

static enum fate sent(
	struct world *w, uint64_t *delay_us, uint32_t from, uint32_t to, struct bytes raw)
{
	*delay_us = w->options.scenario->delay_ms * 1000;
	return holds(w, from, to, raw) ? FATE_DROP : FATE_PASS;
}

/* ---- healing ---- */

static const struct consensus *core_of(const struct sim_node *n)
{
	return replica_consensus(n->replica);
}

static bool all_there(const struct world *w)
{
	const struct scenario *plan = w->options.scenario;
	const struct scenario_state *s = state_of(w);
	uint32_t started = 0;
	for (uint32_t i = 0; i < w->node_count; i++) {
		const struct sim_node *n = &w->nodes[i];
		started += n->up;
		if (plan->heal_quorum || n->gone || node_is(w, plan->slow, i))
			continue;
		if (node_is(w, plan->decides, i)) {
			if (n->told < s->height)
				return false;
			continue;
		}
		if (!n->up || core_of(n)->height != s->height ||
			core_of(n)->round < plan->heal_round)
			return false;
	}
	return !plan->heal_quorum || 3 * started > 2 * w->node_count;
}

/* The schedule must have led to where the story says, or nothing was tested. */
static void check_locks(struct world *w)
{
	const struct scenario *plan = w->options.scenario;
	const struct scenario_state *s = state_of(w);
	bool judged = plan->locks && !w->options.hunted;
	for (uint32_t i = 0; i < w->node_count && judged; i++) {
		const struct sim_node *n = &w->nodes[i];
		int32_t wanted = -1;
		for (int32_t round = 0; round < LOCKS_MAX; round++) {
			if (node_is(w, plan->locked[round], i))
				wanted = round;
		}
		if (n->up && core_of(n)->height == s->height && core_of(n)->locked_round != wanted)
			world_fail(w, "%s: role %c is locked in round %d, not %d", plan->name,
				role_of_node(w, i), core_of(n)->locked_round, wanted);
	}
}

static void heal(struct world *w)
{
	const struct scenario *plan = w->options.scenario;
	struct scenario_state *s = state_of(w);
	check_locks(w);
	s->healed = true;
	for (uint32_t i = 0; i < w->node_count; i++) {
		struct sim_node *n = &w->nodes[i];
		if (n->up && core_of(n)->height == s->height && core_of(n)->round > s->round)
			s->round = core_of(n)->round;
		if (n->up && node_is(w, plan->dies, i)) {
			n->gone = true;
			node_crash(n, CRASH_KILL, false);
		}
	}
	for (uint32_t i = 0; i < w->node_count; i++) {
		if (node_is(w, plan->wiped, i)) {
			node_wipe(&w->nodes[i]);
			w->nodes[i].renews = true;
		}
	}
	world_heal(w);
}

static void wait_to_heal(struct world *w)
{
	const struct scenario *plan = w->options.scenario;
	struct scenario_state *s = state_of(w);
	for (uint32_t i = 0; i < w->node_count; i++) {
		const struct sim_node *n = &w->nodes[i];
		if (s->began_us == 0 && n->up && core_of(n)->height == s->height)
			s->began_us = w->now_us;
	}
	for (uint32_t i = 0; i < w->node_count; i++) {
		if (w->nodes[i].told >= s->height && !node_is(w, plan->decides, i)) {
			world_fail(w, "%s: height %lld was decided before the story was told",
				plan->name, (long long)s->height);
			return;
		}
	}
	if (s->began_us != 0 && w->now_us >= s->began_us + plan->heal_ms * 1000 && all_there(w))
		heal(w);
}

/* ---- judging ---- */

static void judge(struct world *w, const struct sim_node *n)
{
	struct scenario_state *s = state_of(w);
	const struct scenario *plan = w->options.scenario;
	struct store *store = &w->nodes[n->index].store;
	struct arena arena;
	arena_init(&arena, READ_BYTES_MAX);
	const Pb__Commit *commit;
	bool canonical;
	CHECK(blocks_commit(store, NULL, &arena, s->height, &commit, &canonical) == STATUS_OK);
	s->decided_round = commit->round;
	arena_fini(&arena);
	s->judged = true;
	int32_t rounds = plan->rounds > 0 ? plan->rounds : SCENARIO_ROUNDS;
	if (s->decided_round - s->round >= rounds)
		world_fail(w, "%s: healed in round %d, decided in round %d only", plan->name,
			s->round, s->decided_round);
}

static void look(struct world *w)
{
	struct scenario_state *s = state_of(w);
	if (w->fault[0])
		return;
	if (!s->healed) {
		wait_to_heal(w);
		return;
	}
	for (uint32_t i = 0; i < w->node_count && !s->judged; i++) {
		if (w->nodes[i].up && w->nodes[i].told >= s->height &&
			!node_is(w, w->options.scenario->decides, i))
			judge(w, &w->nodes[i]);
	}
}

int32_t scenario_rounds(const struct world *w)
{
	const struct scenario_state *s = state_of(w);
	return s->decided_round - s->round + 1;
}

const struct script scenario_script = {
	.name = "scenario",
	.what = "a published failure",
	.heals = true,
	.begin = begin,
	.sent = sent,
	.look = look,
	.fini = fini,
};
