/* fence: the last thing this validator signed, durable before the signature exists [design D3].
 * The second wall against double signing; it shares no rule with core. One record is one 256-byte
 * slot of a preallocated file with two slots, written in turn; node/ does the reading, writing and
 * syncing. Pure. What a slot on disk says is a verdict (whole, empty, damaged), never an abort. */
#ifndef CONSENSUS_FENCE_H
#define CONSENSUS_FENCE_H

#include "base/hash.h"
#include "base/keys.h"

/* On disk, never renumber. Order within a round is the order of signing. */
enum fence_step { FENCE_NOTHING = 0, FENCE_PROPOSAL = 1, FENCE_PREVOTE = 2, FENCE_PRECOMMIT = 3 };

struct fence_record {
	uint64_t counter; /* of writes; the greater of two whole slots counts */
	int64_t height;
	int32_t round;
	enum fence_step step;
	struct hash32 sign_bytes;           /* SHA-256 of what was signed */
	struct validator_address validator; /* whose key */
	/* The consensus log was durable up to here when this was signed: what the signature stands
	 * on lies before it, so a log of this height that is good for less has lost a promise. */
	uint64_t log_bytes;
};

enum { FENCE_SLOT_BYTES = 256, FENCE_FILE_BYTES = 2 * FENCE_SLOT_BYTES };

enum fence_slot { FENCE_WHOLE, FENCE_EMPTY, FENCE_DAMAGED };

void fence_encode(uint8_t out[FENCE_SLOT_BYTES], const struct fence_record *record);
enum fence_slot fence_decode(struct fence_record *out, const uint8_t slot[FENCE_SLOT_BYTES]);

/* A new file: one whole record that nothing was signed. So there is a whole slot from the start,
 * and the first real record may be torn like any other. */
void fence_fresh(uint8_t file[FENCE_FILE_BYTES]);

/* The record in force of a file's two slots. A torn write damages one slot at most, so one whole
 * slot and one damaged is the whole one; a file with no whole slot has no record: FENCE_EMPTY when
 * both are blank, else FENCE_DAMAGED; either way the validator must not sign. A whole record in
 * the slot of the other parity was written to the wrong place and counts as damaged. */
enum fence_slot fence_load(struct fence_record *out, const uint8_t file[FENCE_FILE_BYTES]);
/* Fills counter and log_bytes of the record to be written after the one in force: it stands on what
 * of the log is durable by now, and on no less than the records of its height before it. */
void fence_follow(
	struct fence_record *next, const struct fence_record *in_force, uint64_t log_durable_bytes);
/* Which slot (0 or 1) the next record goes to: the one that does not hold the record in force. */
unsigned fence_next_slot(const struct fence_record *in_force);

/* -1, 0, 1: a is signed before, at, after b in the order of (height, round, step). */
int fence_order(const struct fence_record *a, const struct fence_record *b);

enum fence_answer {
	FENCE_SIGN,  /* strictly later than all before: write the record, sync, sign */
	FENCE_AGAIN, /* the very same bytes: signing them again says nothing new */
	FENCE_REFUSE /* another message for a (height, round, step) already signed, or an earlier
			one */
};
enum fence_answer fence_ask(const struct fence_record *last, const struct fence_record *wanted);

#endif
