/* miner_world: a real chain, a real aitbc-miner, and between them a coordinator that does what a
 * test tells it to: take results, be silent, vanish. For the stories that an honest coordinator
 * never shows. */
#ifndef TESTS_E2E_MINER_WORLD_H
#define TESTS_E2E_MINER_WORLD_H

#include "http/client.h"
#include "http/shell.h"
#include "tests/live/node.h"
#include "wallet/sender.h"
#include "wallet/terms.h"

enum { WORLD_DEADLINE_MS = 60 * 1000, WORLD_BODY_BYTES = 64 * 1024 };

enum world_manner {
	MANNER_TAKE,   /* results are taken */
	MANNER_SILENT, /* results and failures are answered 503 */
	MANNER_FREEZE  /* results are heard and never answered */
};

struct world {
	struct live_node node;
	char folder[256];
	char miner_program[256];
	char child_program[256]; /* of the exec tests: a program that hangs */
	struct event_base *loop;
	struct http_client *http;
	struct rpc_client *rpc;
	struct http_shell *shell;
	struct account_secret client_secret, coordinator_secret, miner_secret;
	struct account_key miner_key, poor_key;
	struct account_address client, coordinator, miner;
	struct sender *client_sender, *coordinator_sender;
	enum world_manner manner;
	uint16_t miner_port;
	pid_t miner_pid; /* 0: not running */
	/* What the miner said. */
	unsigned registrations, heartbeats, completions, failures, uploads;
	char heartbeat[WORLD_BODY_BYTES];
	char completion[WORLD_BODY_BYTES]; /* the last one */
	char failure[WORLD_BODY_BYTES];
	char drop[64];                 /* a job that the next heartbeats are told to drop, or "" */
	const char *key;               /* the miner's key file; NULL: miner */
	char polled[WORLD_BODY_BYTES]; /* what the next poll gets; "" nothing */
};

/* False: fault says why. */
MUST_USE bool world_open(struct world *w, const char *node_program, const char *miner_program,
	const char *child_program, const char *folder, char fault[256]);
void world_close(struct world *w);

/* Runs the loop until the fact holds; dies with the fact's name when it doesn't within the
 * deadline. */
#define WORLD_UNTIL(w, fact)                                                                       \
	do {                                                                                       \
		uint64_t world_end_ms = world_now_ms() + WORLD_DEADLINE_MS;                        \
		while (!(fact)) {                                                                  \
			if (world_now_ms() > world_end_ms)                                         \
				world_die(__FILE__, __LINE__, #fact);                              \
			world_turn(w);                                                             \
		}                                                                                  \
	} while (0)
uint64_t world_now_ms(void);
void world_turn(struct world *w); /* at most some milliseconds */
_Noreturn void world_die(const char *file, int line, const char *fact);

/* mode: push, pull. */
void world_miner_start(struct world *w, const char *mode);
/* Sends the signal; returns the exit code, or 128 + the signal that ended it. */
int world_miner_end(struct world *w, int signal);

struct world_job {
	char job_id[65];
	char rest_id[JOB_REST_ID_BYTES];
	const char *service;
	char payload[256];
	uint8_t salt[32];
	uint32_t attempt;
	Pb__OnSilence on_silence;
};
/* Submits it on the chain, as the client. */
void world_submit(struct world *w, struct world_job *job, const char *job_id, const char *service,
	const char *payload, Pb__OnSilence on_silence);
/* Assigns the next attempt on the chain. */
void world_assign(
	struct world *w, struct world_job *job, const struct account_key *miner, uint64_t lease_ms);
/* POST /v1/jobs/assign; the HTTP status, the answer in body (may be NULL). 0: no answer. */
int world_push(struct world *w, const struct world_job *job, char body[1024]);
/* The message of a push. */
void world_assignment(struct world *w, struct buf *out, const struct world_job *job);
/* The job as the chain has it. */
struct job_terms world_look(struct world *w, const struct world_job *job);
/* Checks the last completion against the chain's terms as a coordinator must, and records its
 * receipt. False: the signature doesn't verify. */
MUST_USE bool world_record(struct world *w, const struct world_job *job);
/* The last failure's release signature: the act it verifies for, or 0. */
int world_release_act(struct world *w, const struct world_job *job);
/* Releases the attempt with the last failure's signature. */
void world_release(struct world *w, const struct world_job *job);
uint64_t world_balance(struct world *w, const struct account_address *address);
/* Makes an artifact the coordinator serves; its hash in hex. */
void world_artifact(struct world *w, char hex[65], const char *text);
/* Files in the miner's folder of that name ("state/jobs", "state/work"). */
int world_files(const struct world *w, const char *folder);

#endif
