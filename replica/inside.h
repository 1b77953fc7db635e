/* inside: replica's own state, shared by its files and by nobody else. */
#ifndef REPLICA_INSIDE_H
#define REPLICA_INSIDE_H

#include "chain/proto/peer.pb-c.h"
#include "replica/evidence.h"
#include "replica/replica.h"

/* Of a block of ours; room for it is kept beside the transactions. */
enum { EVIDENCE_BLOCK_BYTES_MAX = 16 * 1024 };

enum { TIMERS_MAX = 16, QUESTIONS_MAX = 32, CORE_INPUTS_MAX = 64, SYNC_AHEAD_MAX = 32 };

struct replica_timer {
	bool used;
	int64_t height;
	int32_t round;
	enum consensus_step step;
	uint64_t due_ms; /* steady */
};

/* A signature asked for and not yet answered. */
struct sign_question {
	bool is_proposal;
	struct proposal proposal;
	struct vote vote;
};

/* A proposal's block as its parts come in from peers. */
struct incoming {
	bool used;
	int32_t round;
	struct block_id id;
	struct part_set parts;
};

/* What a peer has told of itself since its link opened. */
struct replica_peer {
	bool up;
	struct replica_peer_state said;
	int64_t height;           /* it decides; never goes back */
	int64_t base_height;      /* lowest block it keeps */
	size_t early_bytes;       /* of the messages kept for it in early */
	int64_t fork_told_height; /* our commit of it was said, as its block is another */
	uint32_t parts_told;      /* how many it had when it last said, at parts_told_height */
	int64_t parts_told_height;
	uint64_t parts_due_ms;    /* parts are repaired to it no sooner */
	uint32_t misses;          /* blocks asked for in vain since the last that came */
	uint64_t paused_until_ms; /* not asked before, while somebody else may be */
	int64_t serve_bytes;      /* that may be sent in answer to its requests */
	uint64_t serve_at_ms;     /* serve_bytes is of that moment */
};

/* A block that is being fetched. */
struct sync_slot {
	int64_t height; /* 0: free */
	uint32_t peer;  /* asked last */
	bool asked;
	uint64_t asked_ms, heard_ms; /* the request; the last of the answer that was new */
	struct buf commit;           /* packed, as peer gave it; empty: not here yet */
	bool verified;               /* more than 2/3 signed id; only ever at our own height */
	bool fed;                    /* to the core */
	uint64_t fed_ms;
	struct block_id id; /* that the commit is for */
	struct part_set parts;
};

/* Catching up. Each height has its own place in slots, so the window slides by itself. */
struct sync {
	struct sync_slot slots[SYNC_AHEAD_MAX];
	uint32_t ahead;        /* heights asked for at once: grows with what came */
	uint32_t parts;        /* of the last block seen: what the next ones may weigh */
	int64_t behind_height; /* a peer is past it since behind_since_ms */
	uint64_t behind_since_ms;
	uint64_t fed_ms;    /* the last block that came this way; 0: none yet */
	uint32_t last_peer; /* asked last */
	uint64_t told_ms;   /* when the operator was told that nobody keeps our height */
};

/* A client's transaction that no peer was told of yet. */
struct held_tx {
	bool unsaid; /* nor did a peer tell it */
	struct hash32 hash;
	uint64_t due_ms; /* steady */
};

struct replica {
	struct replica_config config;
	struct chain_head head;
	struct index_writer *index; /* the apply thread's */
	struct consensus core;
	struct candidate *candidates[BLOCKS_KEPT];
	struct incoming incoming[BLOCKS_KEPT];
	struct replica_timer timers[TIMERS_MAX];
	struct sign_question questions[QUESTIONS_MAX];
	size_t question_first, question_count;
	bool question_dropped; /* there was no room for one */
	/* Inputs for the core that arose while its effects were being done. */
	struct consensus_input core_inputs[CORE_INPUTS_MAX];
	size_t core_first, core_count;
	struct apply_job *executed; /* the decided block's results, until it is written */
	bool build_wanted;          /* the core asked for a proposal of build_round */
	bool build_running;
	int32_t build_round;
	bool last_block_empty; /* nothing in it and app_hash as before: nothing left to prove */
	size_t last_block_txs;
	struct evidence_pool evidence;
	bool replaying;
	uint64_t started_ms; /* steady */
	struct replica_peer peers[PEERS_MAX];
	/* Messages of the height after ours, as u32be peer, u32be length, bytes: said again when it
	 * begins. */
	struct buf early;
	int64_t early_height;
	/* Rounds long past that votes brought back into view, while this is our round. */
	int64_t old_rounds_height;
	int32_t old_rounds_round;
	uint32_t old_rounds;
	int64_t fork_height;   /* where another commit was seen; 0: nowhere */
	int64_t status_height; /* last said to everybody */
	int64_t seen_height;   /* the core stands here since QUIET_MS before quiet_from_ms */
	int32_t seen_round;
	enum consensus_step seen_step;
	uint64_t quiet_from_ms;
	uint64_t status_due_ms;
	struct sync sync;
	struct held_tx held[HELD_TXS_MAX]; /* spread.c's: first come, first due */
	size_t held_first, held_count;
	struct buf scratch; /* bytes of this step's effects */
	/* voice.c: whether it may vote */
	enum replica_silence silence;
	int64_t silent_through; /* LOG_ROTTEN, BLOCKS_LOST: votes again above this height */
	uint64_t heard_ms;      /* LISTENING: when a peer was heard first; 0: none yet */
	int64_t still_height;   /* LOOKING_BACK: nothing new since still_ms; 0: not looked yet */
	uint64_t still_ms;
	uint32_t quiet_blocks;      /* LOOKING_BACK: new ones without a signature of our key */
	struct fence_record spoken; /* the last that our key is known to have been asked for */
	char silent_text[256];
	/* clock.c */
	bool clock_known, clock_paused, clock_behind;
	int64_t clock_offset_ms; /* of the wall clock over the steady one, as trusted */
	const char *stopped;
	char stopped_text[APP_LOG_BYTES + 64];
};

/* replica.c */
struct replica_effect *replica_effect(struct replica_effects *out, enum replica_effect_kind kind);
/* status STATUS_OK: why says it all. */
void replica_stop(struct replica *r, const char *why, enum status status);
/* True, and stopped: the next height follows rules that the app doesn't know. */
MUST_USE bool replica_app_halts(struct replica *r);
struct candidate *replica_candidate(struct replica *r, const struct block_id *id);
/* Puts the candidate (taken) in the table and its bytes in the log. False: no place; it is gone. */
MUST_USE bool replica_keep_candidate(
	struct replica *r, struct candidate *take, struct replica_effects *out);
/* The height in progress begins anew, with an empty log. False: a job of it is under way. */
MUST_USE bool replica_begin_anew(struct replica *r, struct replica_effects *out);
void replica_apply(struct replica *r, struct apply_job *take, struct replica_effects *out);
void replica_app_block(const struct replica *r, struct app_block *out, const struct candidate *c);

/* engine.c: the core and its effects */
void engine_input(struct replica *r, const struct consensus_input *in);
void engine_run(struct replica *r, struct replica_now now, struct replica_effects *out);
void engine_effects(struct replica *r, const struct consensus_effects *effects,
	struct replica_now now, struct replica_effects *out);
/* Signatures there was no room to ask for, when all others are answered. */
void engine_ask_again(struct replica *r, struct replica_now now, struct replica_effects *out);
void engine_signed(struct replica *r, const struct replica_input *in, struct replica_now now);
void engine_applied(struct replica *r, struct apply_job *take, struct replica_now now,
	struct replica_effects *out);
/* The votes that a commit of this set is made of; 0: it doesn't fit the set. */
size_t commit_votes(struct vote votes[VALIDATORS_MAX], const Pb__Commit *commit,
	const struct validator_set *set);
/* The commit of the tally, in the arena; NULL: exhausted. */
Pb__Commit *engine_commit(
	const struct tally *tally, const struct block_id *block, struct arena *arena);

/* pace.c: when a height starts and when its block is sealed [protocol 6] */
void pace_run(struct replica *r, struct replica_now now, struct replica_effects *out);
uint64_t pace_next_ms(const struct replica *r, struct replica_now now);
struct timestamp pace_block_time(const struct replica *r, struct replica_now now);

/* admit.c: a transaction's way into the mempool */
void admit_tx(struct replica *r, const struct replica_input *in, struct replica_now now,
	struct replica_effects *out);
void admit_verified(struct replica *r, const struct replica_input *in, struct replica_now now,
	struct replica_effects *out);

/* voice.c: whether this validator may vote */
/* At start. STATUS_CORRUPT: it must not, and nobody else can go on. */
MUST_USE enum status voice_start(
	struct replica *r, const struct fence_record *fence, char fault[256]);
/* The log lost what a signature of height stood on. */
MUST_USE enum status voice_log_rotten(struct replica *r, int64_t height, char fault[256]);
/* It asks for this signature. False: it must not. */
MUST_USE bool voice_speaks(struct replica *r, const struct fence_record *wanted);
/* A message that our own key signed has come from outside. */
void voice_heard(struct replica *r, int64_t height, int32_t round, enum fence_step step);
/* Two votes of our own key contradict each other. */
void voice_contradicted(struct replica *r, int64_t height, int32_t round);
/* r->head is the next block's: may it vote again? */
void voice_committed(struct replica *r, struct replica_now now);
/* Each turn: has it heard enough to begin? */
void voice_run(struct replica *r, struct replica_now now, struct replica_effects *out);
/* When voice_run has something to do, on the steady clock. */
uint64_t voice_next_ms(const struct replica *r, struct replica_now now);

/* clock.c: the wall clock against the steady one [protocol 6] */
void clock_watch(struct replica *r, struct replica_now now);
void clock_trust(struct replica *r, struct replica_now now);
/* STATUS_REFUSED: alone, and the clock disagrees with the chain. */
MUST_USE enum status clock_start(const struct replica *r, struct replica_now now, char fault[256]);

/* spread.c: telling the peers what clients brought */
void spread_tx(struct replica *r, const struct hash32 *hash, struct bytes raw,
	struct replica_now now, struct replica_effects *out);
/* A peer said it: nobody needs to hear it from here. */
void spread_heard(struct replica *r, struct bytes raw);
void spread_run(struct replica *r, struct replica_now now, struct replica_effects *out);
uint64_t spread_next_ms(const struct replica *r);

/* peers.c: what comes from peers */
void peers_up(struct replica *r, uint32_t peer, struct replica_effects *out);
void peers_down(struct replica *r, uint32_t peer);
void peers_message(struct replica *r, uint32_t peer, struct bytes message, struct replica_now now,
	struct replica_effects *out);
/* What was said of this height before it began. */
void peers_run_early(struct replica *r, struct replica_now now, struct replica_effects *out);
/* This process's, whether it may vote or not. */
bool peers_is_our_key(const struct replica *r, const struct validator *v);
/* The height is over. */
void peers_forget(struct replica *r);

/* gossip.c: status and repair */
void gossip_say_status(struct replica *r, uint32_t to, struct replica_effects *out);
const char *gossip_on_status(struct replica *r, uint32_t peer, const Pb__NodeStatus *status,
	struct replica_now now, struct replica_effects *out);
void gossip_run(struct replica *r, struct replica_now now, struct replica_effects *out);
uint64_t gossip_next_ms(const struct replica *r);

/* fork.c: when more than a third lied */
void fork_compare(struct replica *r, uint32_t peer, const Pb__NodeStatus *status,
	struct replica_effects *out);
const char *fork_on_commit(
	struct replica *r, const Pb__Commit *commit, struct replica_effects *out);

/* sync.c: catching up, and helping others to */
void sync_on_request(struct replica *r, uint32_t peer, const Pb__BlockRequest *request,
	struct replica_now now, struct replica_effects *out);
const char *sync_on_commit(
	struct replica *r, uint32_t peer, const Pb__Commit *commit, struct replica_now now);
/* Is this part of a block that is being fetched? */
MUST_USE bool sync_wants(struct replica *r, const Pb__BlockPart *part);
const char *sync_on_part(struct replica *r, const Pb__BlockPart *part, struct replica_now now);
void sync_run(struct replica *r, struct replica_now now, struct replica_effects *out);
void sync_peer_down(struct replica *r, uint32_t peer);
/* A peer is past our height. */
bool sync_behind(const struct replica *r);
/* Peers that have said where they stand. */
uint32_t sync_heard(const struct replica *r);
/* The highest height that peers claim, but for the boldest third of them; 0: nobody claims any. */
int64_t sync_claimed(const struct replica *r);

/* Blocks come in faster than they are made, and no height of ours needs to be begun before this
 * moment; 0: they don't. */
uint64_t sync_flows(const struct replica *r, struct replica_now now);
void sync_fini(struct replica *r);
/* Whether this peer's request is answered now: takes the cost out of its budget, which may be
 * overdrawn by what is then spent. */
bool sync_may_serve(struct replica *r, uint32_t peer, struct replica_now now, size_t cost_bytes);
void sync_spend(struct replica *r, uint32_t peer, size_t bytes);

/* serve.c: what one that joins asks for */
void serve_snapshots(
	struct replica *r, uint32_t peer, struct replica_now now, struct replica_effects *out);
void serve_chunk(struct replica *r, uint32_t peer, const Pb__ChunkRequest *request,
	struct replica_now now, struct replica_effects *out);
void serve_light_block(struct replica *r, uint32_t peer, const Pb__LightBlockRequest *request,
	struct replica_now now, struct replica_effects *out);

/* look.c: what can be seen from outside */
/* Not NULL: what no honest node says. */
const char *look_note_status(
	struct replica *r, uint32_t peer, const Pb__NodeStatus *status, struct replica_now now);
/* Parts of a block: those of a whole candidate, or of one that is coming in. */
const struct part_set *look_parts(const struct replica *r, const struct block_id *id);

#endif
