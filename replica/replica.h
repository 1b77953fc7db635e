/* replica: one whole validator without I/O: drives consensus, mempool, blocks and app by typed
 * inputs and an ordered list of effects. node/ and tests/sim/ are its only two drivers, and both
 * are thin: a rule that can be broken in a driver is in the wrong room. Owns core, candidates and
 * timers; borrows app, store (it reads; writes are jobs the driver runs) and mempool. One thread.
 * A driver performs effects in order; what it answers comes back as inputs, in the order they were
 * asked for signatures and jobs. Failure of the world (disk, memory) stops it: replica_stopped says
 * why, and from then on every input is dropped. */
#ifndef REPLICA_REPLICA_H
#define REPLICA_REPLICA_H

#include "base/log.h"
#include "chain/mempool.h"
#include "consensus/fence.h"
#include "consensus/wal.h"
#include "replica/apply.h"

/* ---- time ---- */

/* Both clocks of the moment an input arrives: the wall's for what is signed, the steady one for
 * waiting. */
struct replica_now {
	struct timestamp wall;
	uint64_t steady_ms;
};

/* ---- what goes in ---- */

enum replica_input_kind {
	REPLICA_TICK,        /* replica_next_ms has come, and all that arrived was handed over */
	REPLICA_TX,          /* a transaction wants in */
	REPLICA_TX_VERIFIED, /* answers REPLICA_VERIFY_TX */
	REPLICA_PEER_UP,     /* an authenticated link to a peer is open */
	REPLICA_PEER_DOWN,
	REPLICA_MESSAGE,      /* bytes of an authenticated peer */
	REPLICA_SIGNED,       /* answers REPLICA_SIGN, in order */
	REPLICA_APPLIED,      /* answers REPLICA_APPLY, in order; takes the job */
	REPLICA_CLOCK_TRUSTED /* the operator's word that the wall clock is right as it is now */
};

struct replica_input {
	enum replica_input_kind kind;
	union {
		struct {
			uint64_t ticket; /* the driver's name for it; it keeps the bytes until
					    TX_DONE */
			struct bytes raw;
			struct hash32 hash; /* TX_VERIFIED: as VERIFY_TX gave it */
			const struct app_verdict
				*verdict; /* TX_VERIFIED: app.verify's; code 0 is good */
			bool from_peer;   /* both: it came by REPLICA_SUBMIT and goes no further */
		} tx;
		struct {
			uint32_t peer; /* below PEERS_MAX; the driver's number of it */
			struct bytes message;
		} peer; /* PEER_UP, PEER_DOWN, MESSAGE */
		struct {
			bool refused; /* the fence said no */
			struct validator_signature signature;
		} sign;
		struct apply_job *job;
	} u;
};

/* ---- what comes out, in order ---- */

enum replica_effect_kind {
	REPLICA_LOG,       /* append these bytes to the consensus log */
	REPLICA_LOG_SYNC,  /* a barrier: the log is durable before any later effect happens */
	REPLICA_LOG_RESET, /* the height is in the store: the log begins anew */
	REPLICA_SIGN,      /* ask the fence; write and sync its record; sign; REPLICA_SIGNED */
	REPLICA_SEND,      /* these bytes to a peer, or to REPLICA_EVERYONE */
	REPLICA_DROP_PEER, /* it misbehaved, provably: end the link and don't take it back at once
			    */
	REPLICA_SUBMIT,    /* a peer's transaction: REPLICA_TX with from_peer, and nobody to tell */
	REPLICA_VERIFY_TX, /* app.verify on the ticket's bytes in any thread; REPLICA_TX_VERIFIED */
	REPLICA_TX_DONE,   /* the ticket's admission ended */
	REPLICA_APPLY,     /* run this job on the apply thread; REPLICA_APPLIED */
	REPLICA_COMMITTED  /* a block is durable: tell who waits */
};

struct replica_effect {
	enum replica_effect_kind kind;
	struct bytes
		bytes;   /* LOG, SEND, SUBMIT; SIGN: the sign bytes. Until the next replica_step */
	size_t bytes_at; /* replica's own: where they start in its scratch memory */
	union {
		uint32_t peer;             /* SEND, DROP_PEER */
		struct fence_record fence; /* SIGN; counter and log_bytes are the driver's */
		struct {
			uint64_t ticket;
			struct hash32 hash;
			struct mempool_verdict verdict; /* TX_DONE */
		} tx;
		struct apply_job *job;
		struct {
			int64_t height;
			const struct hash32 *tx_hashes; /* valid until the next replica_step */
			size_t tx_count;
			size_t tx_bytes; /* of them together */
		} committed;
	} u;
};

#define REPLICA_EVERYONE UINT32_MAX

struct replica_effects {
	struct replica_effect *items;
	size_t count;
	size_t cap;
};

/* ---- life ---- */

enum replica_pace { PACE_INSTANT = 0, PACE_INTERVAL = 1 };

struct replica_config {
	struct chain_start start;
	struct hash32 chain_tag;
	Pb__EngineParams engine;
	struct validator_key me;        /* zero: a full node */
	bool has_peers;                 /* there may be somebody to send to */
	struct app app;                 /* borrowed, opened on the same store */
	struct store *store;            /* borrowed */
	struct mempool *mempool;        /* borrowed; its account callback is the app's */
	struct consensus_timing timing; /* zero fields: CometBFT's defaults */
	/* The operator's word: vote although what this key signed isn't known any more. */
	bool renew_fence;
	bool clock_unchecked;      /* the operator's word: start at whatever the clock says */
	bool ignores_twins;        /* a test's twins: they must go on */
	uint32_t look_back_blocks; /* for signatures of our key; 0: LOOK_BACK_BLOCKS */
	struct log *log;
};

struct replica;

/* The first head of a new store, and the app's initial state, into a batch that the driver writes
 * before replica_new. STATUS_INVALID: the app refuses the genesis. */
MUST_USE enum status replica_genesis(
	struct store_batch *batch, const struct replica_config *config, struct bytes app_state);

/* Reads the head; STATUS_NOT_FOUND: the store is new (replica_genesis first). STATUS_INVALID: the
 * next height follows rules that the app doesn't know. fault names what is wrong. */
MUST_USE enum status replica_new(
	struct replica **out, const struct replica_config *config, char fault[256]);
void replica_free(struct replica *r);

/* What log and fence said at start; fence NULL: there is no whole record. Restores the height in
 * progress and leaves in out what is to be done. *log_len_good: where a torn tail, if any, starts
 * and the driver must cut. When what this key has signed can't be known (replica_silence), it must
 * not vote: among others it runs on in silence and leaves the log as it is, so that the next start
 * finds the same; alone it can't go on: STATUS_CORRUPT. STATUS_REFUSED: alone, and the clock
 * disagrees with the chain. fault names what the operator must know. */
MUST_USE enum status replica_recover(struct replica *r, struct bytes log,
	const struct fence_record *fence, struct replica_now now, struct replica_effects *out,
	size_t *log_len_good, char fault[256]);

/* One input. Effects are appended to out, which the caller clears when it has done them. */
void replica_step(struct replica *r, const struct replica_input *in, struct replica_now now,
	struct replica_effects *out);

/* When a REPLICA_TICK is due, on the steady clock; UINT64_MAX: never. */
uint64_t replica_next_ms(const struct replica *r, struct replica_now now);

/* NULL: running. Else why it stopped. */
const char *replica_stopped(const struct replica *r);

/* ---- looking ---- */
const struct chain_head *replica_head(const struct replica *r);
const struct consensus *replica_consensus(const struct replica *r);
/* ---- whether it may vote ---- */

/* Why a validator that runs signs nothing. It follows the chain and serves it all the same. */
enum replica_silence {
	REPLICA_VOTES,    /* nothing keeps it from voting */
	REPLICA_NO_FENCE, /* no whole record of what its key signed: until the operator's word */
	REPLICA_KEY_ELSEWHERE, /* its key signed what its fence doesn't know: an old fence, or a
				  twin runs: until the operator's word */
	REPLICA_LOG_ROTTEN,    /* the log lost what a vote stood on: until that height is over */
	REPLICA_BLOCKS_LOST, /* the store is shorter than what it signed: until it has caught up */
	REPLICA_LISTENING, /* its key has signed nothing yet, says its fence: until peers have said
			      that the chain isn't further than its store */
	REPLICA_LOOKING_BACK /* the operator's word was given: until so many new blocks in a row
				hold no signature of its key */
};
enum replica_silence replica_silence(const struct replica *r);
/* NULL when it votes; else what an operator must know, with the name of the silence first. */
const char *replica_silent(const struct replica *r);

/* The wall clock jumped ahead of the steady one: no block is proposed by it. */
bool replica_clock_paused(const struct replica *r);

/* A peer that is up decides a height beyond the next one: blocks are being fetched. Who is one
 * ahead has only committed a moment sooner. */
bool replica_catching_up(const struct replica *r);

/* Bit i, least significant first: a bitmap as NodeStatus carries it. */
enum {
	REPLICA_PARTS_BYTES = (BLOCK_PARTS_MAX + 7) / 8,
	REPLICA_VOTES_BYTES = (VALIDATORS_MAX + 7) / 8
};

/* What a peer last said of itself since its link opened: for the eyes of people, and perhaps wrong.
 */
struct replica_peer_state {
	bool told; /* anything at all */
	bool has_validator;
	struct validator_address validator; /* it has this one's key */
	int64_t height;
	int32_t round;
	enum consensus_step step;
	bool has_proposal;
	bool silent;                        /* it may not vote (replica_silence) */
	uint8_t parts[REPLICA_PARTS_BYTES]; /* of that proposal's block */
	uint8_t prevotes[REPLICA_VOTES_BYTES], precommits[REPLICA_VOTES_BYTES];
	uint64_t heard_ms; /* when, on the steady clock */
};
/* peer below PEERS_MAX. */
const struct replica_peer_state *replica_peer_state(const struct replica *r, uint32_t peer);

/* The block of the current round's proposal as far as its parts are here. NULL: no such proposal,
 * or no part of it. Until the next replica_step. */
const struct part_set *replica_proposal_parts(const struct replica *r);

/* What could grow with what happens to it, and by how much it may. */
struct replica_counts {
	size_t timers, timers_max;
	size_t questions, questions_max; /* signatures asked for */
	size_t candidates, candidates_max;
	size_t incoming, incoming_max; /* blocks whose parts come in */
	size_t early_bytes;            /* said of the next height already */
	size_t early_counted;          /* against the bounds of those who said it: the same */
};
void replica_count(const struct replica *r, struct replica_counts *out);

void replica_effects_fini(struct replica_effects *effects);

#endif
