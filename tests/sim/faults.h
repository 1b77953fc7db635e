/* faults: what goes wrong, how often and how badly, all of it drawn from the seed. In a storm each
 * kind of fault is there or not, and with a strength of its own (swarm testing: many faults at once
 * hide each other). The atlas is honest: at most f seats, a third of the power and less, are
 * unlucky, and only they are wiped, rotten, far off in time, twins, liars, or dead when the faults
 * end; everybody else crashes, pauses, hangs, runs out of disk and is cut off, and must come back.
 * The world acts it out; a strike is one fault. */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/net.h"

enum fault_kind {
	FAULT_CRASH, /* at one of the next deeds */
	FAULT_SITE,  /* all lose power */
	FAULT_LINK,  /* a link ends, or all of one node */
	FAULT_CLOG,  /* one direction holds back what it has */
	FAULT_SLOW,  /* a node becomes slow to reach, or quick again */
	FAULT_PAUSE, /* a process stands still, its clocks don't */
	FAULT_HANG,  /* a worker never answers again; the process is killed in the end */
	FAULT_FULL,  /* no room on the disk, for a while */
	FAULT_SYNC,  /* syncs fail, for a while */
	FAULT_FLOOD, /* transactions, good and bad, more than a pool takes */
	FAULT_CLOCK, /* unlucky: the wall clock steps by up to ten minutes */
	FAULT_WIPE,  /* unlucky: disk, fence and store are gone */
	FAULT_ROT,   /* unlucky: what is read isn't what was written */
	FAULT_KINDS
};

enum partition_shape { SHAPE_ISOLATE, SHAPE_SPLIT, SHAPE_UNIFORM, PARTITION_SHAPES };
enum partition_manner { MANNER_WALL, MANNER_CLOG, MANNER_CUT, PARTITION_MANNERS };

/* What becomes of an unlucky node when the faults end. */
enum after { AFTER_WELL, AFTER_DEAD, AFTER_DEAF, AFTER_MUTE, AFTER_ALONE, AFTER_SICK, AFTERS };

struct faults {
	bool storm;
	unsigned weights[FAULT_KINDS]; /* 0: not in this storm */
	uint64_t strike_us_max;        /* between two strikes */
	unsigned duplicates, reorders; /* per mille of messages */
	/* Partitions begin and heal by chance at each look, so that some flap and some last. */
	uint64_t partition_us;                      /* between two looks; 0: none in this storm */
	unsigned partition_begins, partition_heals; /* per mille */
	bool partitioned;
	uint64_t down_us_max, pause_us_max, sick_us_max;
	uint64_t verify_us_max;
	uint32_t mempool_txs_max;
	bool unlucky[VALIDATORS_MAX]; /* by seat */
	uint64_t struck[FAULT_KINDS], partitions;
};

struct sim_options;

/* How many validators a storm of this seed has. */
uint32_t faults_nodes(uint64_t seed);
/* Before anything else is made: the options that a storm draws itself. */
void faults_options(struct sim_options *options);
/* The rest of the draw, when everybody is there and liars have taken their places. */
void faults_draw(struct faults *f, struct world *w);

/* Events of it. */
void faults_strike(struct world *w);
void faults_partition(struct world *w);
/* --crashes alone: one crash or cut after another. */
void faults_chaos(struct world *w);

const char *fault_name(enum fault_kind kind);

#endif
