/* stall: what the height being decided waits for, and for whom, from this one node's eyes. One look
 * feeds the answer of consensus_progress, the gauges and the line in the log. Reads replica and
 * links, owns nothing, changes nothing; used by chain_view.c, metrics.c and peering.c. Where a peer
 * stands is its own word: good for finding a dead or lost node, proof of nothing. */
#ifndef NODE_STALL_H
#define NODE_STALL_H

#include "genesis/genesis.h"
#include "node/driver.h"
#include "node/net.h"

enum stall_kind {
	STALL_NOTHING,  /* there is nothing to decide yet */
	STALL_BLOCKS,   /* others are ahead: blocks are being fetched */
	STALL_PROPOSAL, /* its proposer's block */
	STALL_PREVOTES,
	STALL_PRECOMMITS,
	STALL_WRITING /* it is decided; this node executes and writes it */
};

enum stall_contact {
	STALL_ME,
	STALL_LINKED,
	STALL_AWAY,   /* its link is down */
	STALL_UNKNOWN /* no listed peer is known to be this validator */
};

struct stall_seat {
	char name[GENESIS_NAME_BYTES_MAX + 1]; /* from genesis, peers.json, or its address */
	struct validator_address address;
	int64_t power;
	bool voted, for_nil; /* in the step that is waited for */
	enum stall_contact contact;
	uint64_t away_ms;   /* STALL_AWAY */
	bool silent;        /* it says that it may not vote; or this node may not */
	bool told;          /* STALL_LINKED: what follows */
	uint64_t silent_ms; /* since it said anything of itself */
	int64_t height;
	int32_t round;
	enum consensus_step step;
};

struct stall {
	enum stall_kind kind;
	int64_t height;
	int32_t round;
	uint64_t waiting_ms;       /* since there was a reason to decide it; 0: there is none */
	uint32_t proposer;         /* of the round: index into seats */
	bool parts_missing;        /* STALL_PROPOSAL: the proposal is here, its block isn't whole */
	int64_t ahead;             /* STALL_BLOCKS: the greatest height that a peer decides */
	int64_t have, need, total; /* power; need is more than two thirds */
	uint32_t have_count, need_count, count; /* validators; need_count 0: powers differ */
	const char *silent; /* why this node may not vote; NULL: it may. Until the next step */
	bool clock_paused;  /* its clock leapt: it proposes nothing */
	struct stall_seat seats[VALIDATORS_MAX];
};

struct stall_source {
	const struct driver *driver;
	const struct net *net; /* NULL: a node without peers */
	const struct genesis *genesis;
	struct validator_address me;
	const char *moniker;
};

void stall_look(struct stall *out, const struct stall_source *source);

const char *stall_kind_name(enum stall_kind kind);
/* "height 812 round 3 waits for precommits: have 2 of 4 ..." */
void stall_text(struct buf *out, const struct stall *stall);
/* What is known of one seat: "not connected for 41 s", "in round 1". */
void stall_seat_text(struct buf *out, const struct stall *stall, const struct stall_seat *seat);
/* consensus_progress's result. */
void stall_json(struct buf *out, const struct stall *stall);

/* Says in the log who is missing when a height takes long: after 10 s, then after twice as long
 * each time, and once that it went on. To be called about once a second. */
struct stall_teller {
	int64_t height; /* told of */
	uint64_t next_ms;
};
enum { STALL_TELL_MS = 10 * 1000, STALL_TELL_MS_MAX = 600 * 1000 };
void stall_tell(struct stall_teller *teller, struct log *log, const struct stall *stall);

#endif
