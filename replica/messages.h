/* messages: what a replica says to its peers, packed into the bytes of a SEND effect. to: a peer's
 * number, or REPLICA_EVERYONE. */
#ifndef REPLICA_MESSAGES_H
#define REPLICA_MESSAGES_H

#include "chain/proto/peer.pb-c.h"
#include "replica/inside.h"

/* A peer's message, in the arena. NULL: not of the form, or no memory. */
const Pb__PeerMessage *message_read(struct arena *arena, struct bytes message);

void say(struct replica *r, uint32_t to, const Pb__PeerMessage *message,
	struct replica_effects *out);
void say_proposal(struct replica *r, uint32_t to, const struct proposal *proposal,
	struct replica_effects *out);
void say_vote(struct replica *r, uint32_t to, const struct vote *vote, struct replica_effects *out);
void say_part(struct replica *r, uint32_t to, int64_t height, int32_t round,
	const struct block_id *id, const struct part_set *parts, uint32_t index,
	struct replica_effects *out);
void say_commit(
	struct replica *r, uint32_t to, const Pb__Commit *commit, struct replica_effects *out);
void say_request(struct replica *r, uint32_t to, int64_t height, struct replica_effects *out);
/* packed: a DuplicateVoteEvidence */
void say_evidence(struct replica *r, const struct buf *packed, struct replica_effects *out);
void say_transaction(struct replica *r, uint32_t to, struct bytes tx, struct replica_effects *out);

#endif
