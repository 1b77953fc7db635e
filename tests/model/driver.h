/* driver: makes random blocks, plays them to the machine and to the model, and compares everything
 * after each. One world lasts WORLD_OPS actions; its parameters, people and blocks follow from its
 * seed alone. */
#ifndef TESTS_MODEL_DRIVER_H
#define TESTS_MODEL_DRIVER_H

#include "tests/model/model.h"
#include "tests/unit/settle_kit.h"

enum { DRIVER_TXS_MAX = 64, DRIVER_OLD_MAX = 16, WORLD_OPS = 20000, CODES = 35 };

/* A transaction on its way: the machine's bytes beside what the model reads. */
struct driver_tx {
	struct buf raw;
	struct app_tx app;
	struct model_tx model;
};

struct driver {
	uint64_t random;
	uint64_t world_seed;
	struct kit kit;
	struct model model;
	struct arena arena; /* of the block being made */
	struct driver_tx txs[DRIVER_TXS_MAX];
	size_t tx_count;
	uint64_t queued[KIT_PEOPLE];    /* transactions already in this block, by sender */
	struct buf old[DRIVER_OLD_MAX]; /* raw transactions of earlier blocks */
	size_t old_count;
	uint64_t job_counter;
	struct model_result results[DRIVER_TXS_MAX];
	/* over all worlds */
	struct buf *recorded; /* blocks for tests/replay; NULL: nobody wants them */
	uint64_t ops;
	uint64_t blocks;
	uint64_t code_counts[CODES];
	uint64_t ends[9];
	uint64_t set_changes; /* validators added, removed or weighed anew */
};

/* ---- dice ---- */
uint64_t draw(struct driver *d, uint64_t below);
bool chance(struct driver *d, unsigned percent);

/* ---- making (driver_make.c) ---- */
void make_block(struct driver *d);

/* ---- comparing (driver_compare.c); these end the program with the seed on any difference ---- */
_Noreturn void differ(const struct driver *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void compare_results(struct driver *d, const struct app_result *result, size_t tx_count);
/* Balances, live jobs, totals, wake: after every block. */
void compare_state(struct driver *d);
/* Every record, and the root of the tree by its definition. */
void compare_all(struct driver *d);

void compare_record(struct driver *d, const struct state_key *key, struct bytes expected,
	const char *what, const char *name);
void compare_message(struct driver *d, const struct state_key *key,
	const ProtobufCMessage *expected, const char *what, const char *name);

/* ---- driver_authority.c ---- */
/* *sender is changed to an operator, mostly. */
Pb__Action *make_authority(struct driver *d, enum kit_who *sender);
void compare_authority(struct driver *d);
void compare_updates(struct driver *d, const struct app_result *result);
/* How many records of authority there must be. */
size_t authority_records(const struct driver *d);

#endif
