/* vote: votes and proposals as plain values, the bytes their signatures cover, and their messages
 * (comet.md 3.4). Pure. Verifies only what it is asked to; decides nothing about rounds. */
#ifndef CHAIN_FORMAT_VOTE_H
#define CHAIN_FORMAT_VOTE_H

#include "base/keys.h"
#include "base/rfc3339.h"
#include "chain/format/block_id.h"

/* On the wire and signed: never renumber. */
enum vote_type { VOTE_PREVOTE = 1, VOTE_PRECOMMIT = 2 };
enum { PROPOSAL_TYPE = 32 };

struct vote {
	enum vote_type type;
	int64_t height;
	int32_t round;
	struct block_id block_id; /* nil: for nothing */
	struct timestamp time;
	struct validator_address address;
	uint32_t index; /* in the validator set of the height */
	struct validator_signature signature;
};

struct proposal {
	int64_t height;
	int32_t round;
	int32_t pol_round; /* -1: none */
	struct block_id block_id;
	struct timestamp time;
	struct validator_signature signature;
};

/* Appends what the signature covers: length, then the canonical message. Signature, address and
 * index take no part. */
void vote_sign_bytes(struct buf *out, const char *chain_id, const struct vote *vote);
void proposal_sign_bytes(struct buf *out, const char *chain_id, const struct proposal *proposal);

/* False for a bad signature, and when no memory was left to form the bytes. */
MUST_USE bool vote_verify(
	const struct vote *vote, const char *chain_id, const struct validator_key *key);
MUST_USE bool proposal_verify(
	const struct proposal *proposal, const char *chain_id, const struct validator_key *key);

/* Messages of ours: point at pb; everything is borrowed from the value or this struct, so neither
 * may move. */
struct vote_message {
	Pb__Vote pb;
	struct block_id_message block_id;
	Pb__Timestamp time;
};
void vote_message_init(struct vote_message *out, const struct vote *vote);
struct proposal_message {
	Pb__Proposal pb;
	struct block_id_message block_id;
	Pb__Timestamp time;
};
void proposal_message_init(struct proposal_message *out, const struct proposal *proposal);

/* False: not the form of a vote (type, height > 0, round >= 0, index, sizes, time, block id). */
MUST_USE bool vote_from_pb(struct vote *out, const Pb__Vote *pb);
/* False: not the form of a proposal (type, height, -1 <= pol_round < round, a complete block id,
 * ...). */
MUST_USE bool proposal_from_pb(struct proposal *out, const Pb__Proposal *pb);

void timestamp_message_init(Pb__Timestamp *out, struct timestamp time);
/* False: absent, nanoseconds outside 0..999999999, or a year outside 1..9999. */
MUST_USE bool timestamp_from_pb(struct timestamp *out, const Pb__Timestamp *pb);
/* Go's zero time, which an absent vote carries. */
struct timestamp timestamp_go_zero(void);

#endif
