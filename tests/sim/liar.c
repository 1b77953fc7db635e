#include "tests/sim/liar.h"

#include <stdlib.h>
#include <string.h>

#include "chain/format/wire.h"
#include "tests/sim/lying.h"
#include "tests/sim/world.h"

enum { STALL_US_MAX = 30 * 1000 * 1000, AHEAD_MS_MAX = 1000 };

static const char *names[LIES] = {"proposer", "voter", "silent", "selective", "part", "bits",
	"height", "time", "address", "block", "amnesia", "sync", "flood", "stranger", "replay",
	"evidence"};

const char *lie_name(enum lie lie)
{
	return names[lie];
}

bool lies_of_text(uint32_t *lies, const char *text)
{
	*lies = 0;
	if (strcmp(text, "any") == 0) {
		*lies = LIES_DRAWN;
		return true;
	}
	while (*text) {
		size_t len = strcspn(text, ",");
		uint32_t before = *lies;
		for (int i = 0; i < LIES; i++) {
			if (strlen(names[i]) == len && strncmp(names[i], text, len) == 0)
				*lies |= 1u << i;
		}
		if (*lies == before)
			return false;
		text += len + (text[len] == ',');
	}
	return *lies != 0;
}

bool liar_does(const struct liar *l, enum lie lie)
{
	return (l->lies >> lie & 1) != 0;
}

/* The same for all liars of the world: one side of the honest at this height. */
bool liar_side(const struct liar *l, int64_t height, uint32_t peer)
{
	struct random dice = {l->plot->salt ^ (uint64_t)height * 2654435761u};
	return (random_next(&dice) >> peer & 1) != 0;
}

/* ---- what is known of blocks, to all liars ---- */

struct page *liar_page(struct liar *l, int64_t height, int32_t round)
{
	for (size_t i = 0; i < PAGES; i++) {
		struct page *page = &l->plot->pages[i];
		if (page->height == height && page->round == round)
			return page;
	}
	return NULL;
}

struct page *liar_page_write(
	struct liar *l, int64_t height, int32_t round, const struct block_id *block)
{
	struct page *page = liar_page(l, height, round);
	if (page)
		return page;
	page = &l->plot->pages[l->plot->next++ % PAGES];
	*page = (struct page){.height = height, .round = round, .block = *block};
	return page;
}

static void remember(struct liar *l, struct bytes raw)
{
	if (raw.len > 4096)
		return;
	struct message *m = &l->memory[l->memory_next++ % MEMORIES];
	free(m->data);
	m->data = malloc(raw.len + 1);
	CHECK(m->data);
	memcpy(m->data, raw.data, raw.len);
	m->len = raw.len;
}

/* ---- hooks ---- */

static void forget_lock(struct liar *l)
{
	if (!liar_does(l, LIE_AMNESIA) || !l->n->replica)
		return;
	struct consensus *c = (struct consensus *)(uintptr_t)replica_consensus(l->n->replica);
	c->locked_round = c->valid_round = -1;
}

static void hears(void *self, struct sim_node *n, uint32_t peer, struct bytes raw)
{
	struct liar *l = self;
	(void)n;
	(void)peer;
	forget_lock(l);
	if (random_chance(&l->dice, 200))
		remember(l, raw);
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, raw.len, raw.data);
	struct proposal p;
	if (m && m->sum_case == PB__PEER_MESSAGE__SUM_PROPOSAL && proposal_from_pb(&p, m->proposal))
		liar_page_write(l, p.height, p.round, &p.block_id);
	if (m)
		pb__peer_message__free_unpacked(m, NULL);
}

static void says(void *self, struct sim_node *n, uint32_t to, struct bytes raw)
{
	struct liar *l = self;
	forget_lock(l);
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, raw.len, raw.data);
	CHECK(m);
	struct vote vote;
	if (m->sum_case == PB__PEER_MESSAGE__SUM_VOTE && vote_from_pb(&vote, m->vote))
		checks_heard(&n->world->checks, &vote);
	remember(l, raw);
	bool mute = n->world->healing && l->mute_at_last;
	bool kept = mute || (to == REPLICA_EVERYONE && lying_gather(l, m));
	for (uint32_t each = 0; each < n->world->node_count && !kept; each++) {
		if (each != n->index && (to == REPLICA_EVERYONE || to == each))
			lying_say(l, each, m, raw);
	}
	pb__peer_message__free_unpacked(m, NULL);
}

static void wakes(struct liar *l)
{
	uint64_t us = 1000 + random_below(&l->dice, (liar_does(l, LIE_FLOOD) ? 25 : 60) * 1000);
	world_at(l->n->world, us, EVENT_ACTOR, l->n, 0);
}

/* Whoever is behind must never stand still for long: some honest one has what it lacks. */
static void watch_stalls(struct world *w, struct plot *plot)
{
	const struct sim_node *best = world_best(w);
	for (uint32_t i = 0; i < w->node_count && best && !w->options.forks; i++) {
		const struct sim_node *n = &w->nodes[i];
		bool behind = n->up && !w->checks.faulty[n->seat] && n->told + 2 < best->told;
		if (!behind || n->told != plot->told[i]) {
			plot->told[i] = n->told;
			plot->moved_us[i] = w->now_us;
		}
		uint64_t still_us = w->now_us - plot->moved_us[i];
		if (still_us > plot->still_us_max)
			plot->still_us_max = still_us;
		if (still_us > STALL_US_MAX)
			world_fail(w, "node %u stands still at height %lld, the best is at %lld", i,
				(long long)n->told, (long long)best->told);
	}
}

/* No block is of the future, whoever made it: not more than the honest allow, by their own clocks.
 */
static void watch_clock(struct world *w)
{
	const struct sim_node *best = world_best(w);
	if (!best || w->options.storm || w->options.forks || w->checks.faulty[best->seat])
		return;
	int64_t ahead_ms = timestamp_ms(replica_head(best->replica)->time) -
			   (INT64_C(1000) * SIM_START_S + (int64_t)(w->now_us / 1000));
	if (ahead_ms > AHEAD_MS_MAX)
		world_fail(w, "height %lld is %lld ms in the future", (long long)best->told,
			(long long)ahead_ms);
}

static void due(void *self, struct sim_node *n, uint64_t detail)
{
	struct liar *l = self;
	(void)detail;
	if (n->replica && !(n->world->healing && l->mute_at_last))
		lying_act(l);
	watch_stalls(n->world, l->plot);
	watch_clock(n->world);
	/* A proof of one part alone has nothing to lie about. */
	if (liar_does(l, LIE_PART_INDEX) && n->replica && random_chance(&l->dice, 20))
		work_flood(&n->world->work, n->world, n, 20);
	wakes(l);
}

static void start(void *self, struct sim_node *n)
{
	(void)n;
	wakes(self);
}

static void fini(void *self)
{
	struct liar *l = self;
	for (size_t i = 0; i < MEMORIES; i++)
		free(l->memory[i].data);
	part_set_fini(&l->gathered);
	if (--l->plot->members == 0)
		free(l->plot);
	free(l);
}

/* ---- casting ---- */

static uint32_t draw_lies(struct random *dice)
{
	uint32_t lies = 0;
	for (uint64_t i = 0, count = 1 + random_below(dice, 4); i < count; i++)
		lies |= 1u << random_below(dice, LIES);
	return lies;
}

static void make_liar(struct world *w, struct plot *plot, uint32_t index)
{
	struct liar *l = calloc(1, sizeof *l);
	CHECK(l);
	l->n = &w->nodes[index];
	l->plot = plot;
	l->dice.state = random_next(&w->dice);
	l->lies = w->options.lies == LIES_DRAWN ? draw_lies(&l->dice) : w->options.lies;
	l->mute_at_last = random_chance(&l->dice, 200);
	l->manner = (unsigned)random_below(&l->dice, 3);
	static const unsigned answers[] = {0, 1, 2, 2, 2, 3, 4};
	l->answers = answers[random_below(&l->dice, sizeof answers / sizeof *answers)];
	plot->members++;
	struct actor actor = {.self = l,
		.start = start,
		.message = hears,
		.due = due,
		.says = says,
		.fini = fini};
	actor_place(l->n, &actor);
}

void liars_cast(struct world *w)
{
	struct plot *plot = calloc(1, sizeof *plot);
	CHECK(plot);
	plot->salt = random_next(&w->dice);
	plot->members = 1;
	uint32_t seats = w->options.nodes - (w->options.twins ? 1 : 0);
	for (uint32_t made = 0; made < w->options.liars && made < seats;) {
		uint32_t index = (uint32_t)random_below(&w->dice, seats);
		if (w->checks.faulty[index])
			continue;
		make_liar(w, plot, index);
		made++;
	}
	while (w->options.late) {
		uint32_t index = (uint32_t)random_below(&w->dice, seats);
		if (w->checks.faulty[index])
			continue;
		w->nodes[index].start_us = w->options.fault_ms * 700;
		break;
	}
	if (--plot->members == 0)
		free(plot);
}
