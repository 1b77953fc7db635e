/* join_inside: what the files of join share, and nobody else. */
#ifndef REPLICA_JOIN_INSIDE_H
#define REPLICA_JOIN_INSIDE_H

#include "chain/proto/peer.pb-c.h"
#include "replica/join.h"

enum { JOIN_AHEAD_MAX = 8, JOIN_OFFERS_MAX = APP_SNAPSHOTS_MAX };

struct join_offer {
	struct app_snapshot about;
	struct hash32 turns;
};

struct join_peer {
	bool up;
	int64_t height; /* 0: hasn't said */
	bool answered;  /* with all its offers */
	struct join_offer offers[JOIN_OFFERS_MAX];
	size_t offer_count;
	uint64_t paused_until_ms;
};

/* A header that is proved, with what hangs on it. */
struct join_light {
	int64_t height;
	struct block_id id;
	struct timestamp time;
	struct block_id last_id;
	struct hash32 app_hash, last_results_hash, consensus_hash;
	uint64_t app_version;
	struct validator_address proposer;
	int32_t round;                                    /* of its commit */
	struct validator_set validators, next_validators; /* of its height and the next */
	struct buf commit;                                /* packed */
};

/* NULL: light is it, and its own validators have signed it. Else what is wrong. */
const char *join_light_read(
	struct join_light *light, const Pb__LightBlock *pb, const char *chain_id, int64_t height);
void join_light_fini(struct join_light *light);

struct trusted {
	int64_t height;
	struct validator_set validators; /* of that height */
	struct hash32 next_hash;         /* of the next height's */
};
/* Enough of those we trust have signed it, or it follows at once. */
bool join_light_trusted(const struct trusted *t, const struct join_light *light);

enum join_stage {
	STAGE_GATHER, /* where do the others stand? */
	STAGE_OFFERS, /* what do they offer? */
	STAGE_PROVE,  /* the header after the snapshot's */
	STAGE_ANCHOR, /* the snapshot's own header */
	STAGE_CHUNKS,
	STAGE_BLOCK, /* the snapshot's block itself */
	STAGE_OVER
};

struct join_chunk {
	bool asked, here;
	uint32_t peer;
	uint64_t due_ms;
	struct buf bytes;
};

struct join {
	struct join_config config;
	enum join_state state;
	enum join_stage stage;
	uint64_t began_ms, stage_ms; /* this stage began */
	struct join_peer peers[PEERS_MAX];
	struct join_offer chosen;
	struct trusted trusted;
	struct join_light after, anchor; /* of the heights h + 1 and h */
	int64_t asked_height;            /* of a light block, or the block */
	uint32_t asked_peer;             /* PEERS_MAX: nobody */
	uint64_t asked_due_ms;
	uint32_t chunk_next;                      /* to apply */
	uint32_t chunk_peer;                      /* asked last: they take turns */
	struct join_chunk chunks[JOIN_AHEAD_MAX]; /* chunk_next and those behind it, modulo */
	struct part_set parts;
	struct store_batch batch;
	struct buf scratch;
};

/* join_parts.c */
void join_say_standing(struct join *j, uint32_t to, struct replica_effects *out);
void join_ask_snapshots(struct join *j, uint32_t to, struct replica_effects *out);
void join_ask_light(struct join *j, uint32_t to, int64_t height, struct replica_effects *out);
void join_ask_block(struct join *j, uint32_t to, int64_t height, struct replica_effects *out);
void join_ask_chunk(struct join *j, uint32_t to, uint32_t index, struct replica_effects *out);
/* The block and the head that the taken state belongs to, into the batch behind it. */
MUST_USE enum status join_fill_batch(
	struct join *j, const struct candidate *c, struct arena *arena);

#endif
