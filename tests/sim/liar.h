/* liar: validators that lie on purpose. A liar is a production replica with a mouth: what it hears
 * is real, what it says passes through here, where it is changed, doubled, kept back, or joined by
 * what no honest node would say; it has its own key to sign with. Liars of one world know each
 * other and lie to the same side. A name below is one way to lie; a liar may have several.
 */
#ifndef TESTS_SIM_LIAR_H
#define TESTS_SIM_LIAR_H

#include <stdbool.h>
#include <stdint.h>

struct world;

enum lie {
	LIE_PROPOSER,   /* one block to some, another to the others */
	LIE_VOTER,      /* one vote to some, another to the others, or both to all */
	LIE_SILENT,     /* nothing at all, for whole heights */
	LIE_SELECTIVE,  /* some messages to some */
	LIE_PART_INDEX, /* a part's place, proof or bytes are not what they say */
	LIE_BITS,       /* bit arrays of any length and content */
	LIE_HEIGHT,     /* a height far ahead, or one that falls */
	LIE_TIME,       /* blocks of the past and of the future */
	LIE_ADDRESS,    /* a block whose last commit names other validators */
	LIE_BLOCK,      /* a block that doesn't follow, doesn't parse, is too large */
	LIE_AMNESIA,    /* forgets what it is locked on */
	LIE_SYNC,       /* who asks for a block gets garbage, another one, half of it, nothing */
	LIE_FLOOD,      /* as much as possible of everything, well formed or not */
	LIE_STRANGER,   /* votes of nobody, rounds out of reach, blocks of no or of all parts */
	LIE_REPLAY,     /* what was said before, again */
	LIE_EVIDENCE,   /* proofs against the innocent, or against itself in any form */
	LIES
};

enum { LIES_DRAWN = UINT16_MAX }; /* in options.lies: each seed draws them */

/* Names with commas between them, or "any": drawn by the seed. False: not such a text. */
bool lies_of_text(uint32_t *lies, const char *text);
const char *lie_name(enum lie lie);

/* Makes options.liars of the validators liars of options.lies; who, the dice decide. For world's
 * cast. */
void liars_cast(struct world *w);

#endif
