/* consensus_kit: one core among n validators, spoken to in short sentences. Signatures it asks for
 * are given at once unless held back; everything it ever asked of the world is kept in order, and a
 * test reads on from where it last looked. Fails loudly. */
#ifndef TESTS_CONSENSUS_KIT_H
#define TESTS_CONSENSUS_KIT_H

#include "consensus/core.h"

enum { KIT_EFFECTS_MAX = 4096, KIT_MS = 1700000000, KIT_INPUTS_MAX = 2048 };

struct kit {
	struct consensus core;
	struct consensus_timing timing;
	struct height_start start;
	struct timestamp now;
	bool hold_signatures;
	struct consensus_effect effects[KIT_EFFECTS_MAX];
	size_t effect_count;
	size_t read_at; /* what the test has looked at */
	/* What a log would hold: for replay. */
	struct consensus_input inputs[KIT_INPUTS_MAX];
	size_t input_count;
};

/* At height 1 with n validators of these powers (NULL: 1 each); me: whose core this is, by place in
 * the set (-1: none of them). Round r's proposer is r mod n for equal powers. */
void kit_open(struct kit *kit, uint32_t n, const int64_t *powers, int me);
void kit_close(struct kit *kit);
/* Another core, fed what this one was fed, as a restart does it; then consensus_resume. */
void kit_restart(struct kit *kit);

/* A block by its letter; 0 is nil. Its time is that of the kit at the first mention of blocks. */
struct block_id kit_block(char letter);
struct timestamp kit_block_time(void);

/* ---- what happens ---- */
void kit_input(struct kit *kit, const struct consensus_input *in);
void kit_begin(struct kit *kit);
void kit_proposal(struct kit *kit, int32_t round, int32_t pol_round, char letter);
void kit_here(struct kit *kit, char letter);
void kit_checked(struct kit *kit, char letter, bool valid);
/* All three: proposed, here, found valid. */
void kit_arrives(struct kit *kit, int32_t round, int32_t pol_round, char letter);
void kit_vote(struct kit *kit, uint32_t who, enum vote_type type, int32_t round, char letter);
/* The first `count` validators but me. */
void kit_votes(struct kit *kit, uint32_t count, enum vote_type type, int32_t round, char letter);
void kit_timeout(struct kit *kit, int32_t round, enum consensus_step step);
void kit_built(struct kit *kit, int32_t round, char letter);
/* Answers to the sign effects that were held back, by hand. */
void kit_sign(struct kit *kit, const struct consensus_effect *asked);
void kit_refuse(struct kit *kit, int32_t round);
void kit_executed(struct kit *kit, char letter);
void kit_committed(struct kit *kit);

/* ---- what it asked for since the last look ---- */
/* The next unread effect of this kind; what stands before it counts as read. Fails: there is none.
 */
const struct consensus_effect *kit_expect(struct kit *kit, enum consensus_effect_kind kind);
/* None of this kind is unread. */
void kit_expect_no(struct kit *kit, enum consensus_effect_kind kind);
void kit_expect_nothing(struct kit *kit);
/* The vote it asks to sign next is this one. */
void kit_expect_vote(struct kit *kit, enum vote_type type, int32_t round, char letter);
void kit_expect_timer(struct kit *kit, int32_t round, enum consensus_step step, uint64_t delay_ms);
/* All was seen. */
void kit_read_all(struct kit *kit);

#endif
