/* replica_world: a few whole replicas over stores, with links of a fixed delay between them and no
 * clock but its own: for claims about catching up and about what gossip costs. Its network loses
 * nothing unless the test says so; crashes and chance are the simulator's part. */
#ifndef TESTS_UNIT_REPLICA_WORLD_H
#define TESTS_UNIT_REPLICA_WORLD_H

#include "genesis/genesis.h"
#include "replica/join.h"
#include "replica/replica.h"

enum { WORLD_NODES_MAX = 6, WORLD_ACCOUNTS = 64 };

struct world_node {
	bool up;
	bool follows; /* has no key: never votes */
	struct validator_secret secret;
	struct validator_key key;
	struct store store;
	bool has_store;
	struct app app;
	struct mempool *mempool;
	struct replica *replica;
	struct join *join; /* not NULL: it joins, and has no replica yet */
	int64_t joined;    /* the height it took over; 0: none */
	struct replica_effects effects;
	struct fence_record fence;
	struct buf log;
	uint64_t tick_ms; /* armed for */
	uint64_t commits;
};

/* Bytes that left on a link, by what they were. */
struct world_link {
	uint64_t bytes, messages;
	uint64_t of_kind[16]; /* bytes by the number in the schema's oneof */
	bool cut;
	unsigned dropped; /* times that `from` ended it */
};

struct world {
	size_t count;
	struct genesis genesis;
	struct world_node nodes[WORLD_NODES_MAX];
	struct world_link links[WORLD_NODES_MAX][WORLD_NODES_MAX];
	uint64_t now_ms, delay_ms;
	uint64_t relink_ms;    /* after one side ended a link */
	size_t crowd;          /* accounts that the genesis has beside those below */
	uint64_t app_interval; /* of snapshots, for the apps opened from now on */
	struct account_secret accounts[WORLD_ACCOUNTS];
	struct account_key account_keys[WORLD_ACCOUNTS];
	uint64_t sequences[WORLD_ACCOUNTS];
	uint64_t committed_txs, committed_tx_bytes; /* as node 0 committed them */
	/* What from says to `to`: false: nothing of it; instead (cleared): that in its place. NULL:
	 * everybody is honest. */
	bool (*says)(
		struct world *w, size_t from, size_t to, struct bytes message, struct buf *instead);
	/* Memory of its own. */
	struct world_event *events;
	size_t event_count, event_cap;
	uint64_t event_next;
};

/* validators with equal power; node i has a store of its own, in memory, unless the test has put
 * one there (has_store). None is started. */
void world_open(struct world *w, size_t count, size_t validators);
void world_close(struct world *w);

/* Opens what its store holds (the genesis, if nothing) and links it with everybody who is up. */
void world_start(struct world *w, size_t node);
/* The same, but that it joins first, if the others are that far ahead. */
void world_start_joining(struct world *w, size_t node, uint64_t heights_min);
void world_stop(struct world *w, size_t node);
/* Its store begins anew, in memory. It must be stopped. */
void world_wipe(struct world *w, size_t node);

/* The pieces of world_start, for a test that does more in between. */
void world_open_app(struct world *w, size_t node);
void world_write_genesis(struct world *w, size_t node);
void world_replica_config(struct world *w, size_t node, struct replica_config *out);

/* Lets that much time pass. */
void world_run(struct world *w, uint64_t ms);
/* Until the node's height is at least that, or ms have passed: then false. */
bool world_run_to(struct world *w, size_t node, int64_t height, uint64_t ms);

/* A transfer, signed, brought to the node by a client. */
void world_pay(struct world *w, size_t node, size_t account, size_t memo_bytes);

int64_t world_height(const struct world *w, size_t node);
struct replica_now world_now(const struct world *w);
/* Bytes of the app hash after that height equal on both nodes; fails the test when not. */
void world_same_state(struct world *w, size_t a, size_t b);

#endif
