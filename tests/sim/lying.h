/* lying: how each kind of lie is told. Part of liar; see there. */
#ifndef TESTS_SIM_LYING_H
#define TESTS_SIM_LYING_H

#include "tests/sim/liar.h"
#include "tests/sim/net.h"
#include "tests/sim/words.h"

enum { PAGES = 64, MEMORIES = 32 };

/* What was proposed in a round: to all, or another block to the others. */
struct page {
	int64_t height;
	int32_t round;
	struct block_id block;
	bool has_other;
	struct block_id other;
};

/* What all liars of a world share. */
struct plot {
	size_t members;
	uint64_t salt;
	struct page pages[PAGES];
	size_t next;
	int64_t told[SIM_NODES_MAX]; /* by whom, and since when nothing more */
	uint64_t moved_us[SIM_NODES_MAX], still_us_max;
};

struct liar {
	struct sim_node *n;
	struct plot *plot;
	uint32_t lies;
	struct random dice;
	unsigned manner;   /* of heights it claims */
	unsigned answers;  /* to who is behind */
	bool mute_at_last; /* says nothing when the faults are over */
	int64_t claimed;
	/* Its replica's own proposal, kept back until the block is whole. */
	bool gathering;
	struct proposal proposal;
	struct part_set gathered;
	struct message memory[MEMORIES]; /* heard or said */
	size_t memory_next;
};

bool liar_does(const struct liar *l, enum lie lie);
bool liar_side(const struct liar *l, int64_t height, uint32_t peer);
/* NULL: nothing known of that round. */
struct page *liar_page(struct liar *l, int64_t height, int32_t round);
struct page *liar_page_write(
	struct liar *l, int64_t height, int32_t round, const struct block_id *block);

/* The replica tells everybody. True: the liar keeps it, and says something else in its time. */
bool lying_gather(struct liar *l, const Pb__PeerMessage *m);
/* To one peer, as it is or changed. */
void lying_say(struct liar *l, uint32_t to, const Pb__PeerMessage *m, struct bytes raw);
/* Something nobody asked for. */
void lying_act(struct liar *l);

#endif
