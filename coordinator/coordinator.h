/* coordinator: turns jobs into money moved on the chain. It takes jobs over REST, finds miners for
 * them, holds them to their leases, and sends submit, assign, renew, release, fail and receipt
 * actions as any other client of the chain would: over JSON-RPC, from its own account. Owns its
 * jobs, miners, queues and timers, and the rows of STORE_COORDINATOR; borrows everything in its
 * config. Called by node/main on the loop thread; never blocks on the network; never reads the
 * chain's store. The chain is the truth about every job: what isn't known is asked for (abci_query
 * /jobs), also after a restart. What can fail: the world (enum status at the start; afterwards a
 * log line and a 503), never a CHECK on what a client, miner or node says. */
#ifndef COORDINATOR_COORDINATOR_H
#define COORDINATOR_COORDINATOR_H

#include <event2/event.h>

#include "base/log.h"
#include "chain/store.h"
#include "coordinator/services.h"
#include "http/client.h"
#include "http/message.h"
#include "rpc/client.h"
#include "wallet/sender.h"

struct coordinator;

/* Milliseconds; 0 takes the default in brackets. */
struct coordinator_timing {
	uint32_t heartbeat_ttl_ms; /* a miner not heard for so long is away [45 000] */
	uint32_t lease_ms;    /* of an assignment, renewed while heartbeats name the job [75 000] */
	uint32_t no_miner_ms; /* a job for which no miner serves ends failed after this [60 000] */
	uint32_t watch_ms;    /* how often the chain's tip is looked at [1 000] */
	uint32_t push_timeout_ms;  /* of telling a miner about its job [5 000] */
	uint32_t delivery_wait_ms; /* how long result bytes may follow a delivery on chain before it
				      is rejected; at most three quarters of the review time [300
				      000] */
};

struct coordinator_config {
	struct event_base *loop;
	struct http_client *http;
	struct rpc_client *rpc;
	struct sender *sender;         /* the coordinator's own account (owner or operator) */
	struct store *store;           /* uses family STORE_COORDINATOR only */
	struct log *log;               /* may be NULL */
	uint64_t (*now_ms)(void *ctx); /* wall clock, ms since 1970 */
	void (*random)(void *ctx, void *out, size_t len); /* unpredictable bytes */
	void *ctx;

	const char *chain_id;
	struct hash32 chain_tag;
	const char *keys_path;    /* keys.json; see coordinator_keys_create */
	const char *artifact_dir; /* made when missing; on the same file system as the shell's
				     upload_dir */
	uint64_t artifact_total_bytes_max; /* 0: ARTIFACT_TOTAL_BYTES_MAX */
	const char *env;                   /* shown by /v1/health; NULL: "devnet" */

	/* What /coordinators on the chain is made to say, by a coordinator_set when it differs.
	 * Only done when the sender's account is the owner. */
	const struct account_address *owner; /* NULL: the sender's own account */
	uint32_t share_ppm;
	const struct account_address *operators;
	size_t operator_count;
	const char *url; /* "" or where clients reach us */
	bool accepts_new;

	uint32_t rate_per_s;     /* per API key; 0: 50 */
	uint32_t rate_burst;     /* 0: 100 */
	const char *prices_path; /* prices.json; may be missing, and NULL: published defaults */
	struct coordinator_timing timing;

	/* Managed accounts [design D7]: NULL (the default) means off. */
	const struct account_secret *managed_seed; /* copied */
	uint64_t managed_daily_uaitbc_max;         /* per API key */
};

/* Everything borrowed must outlive it. STATUS_INVALID, STATUS_REFUSED (keys file), STATUS_IO,
 * STATUS_CORRUPT (a row of ours can't be read), STATUS_NO_MEMORY: fault says why. */
MUST_USE enum status coordinator_new(
	struct coordinator **out, const struct coordinator_config *config, char fault[256]);
/* Waiting requests are forgotten; their tickets must not be answered any more. http client and
 * sender must be freed after it, and their calls under way that belong to it are answered into
 * nothing. */
void coordinator_free(struct coordinator *coordinator);

/* The shell that carries the port, for answers that come later. Set once, before the first request.
 */
void coordinator_attach(struct coordinator *coordinator, struct http_shell *shell);

/* An http_handler; self is the coordinator. Uploads: upload_prefix "/v1/artifacts". */
enum http_answer coordinator_handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply);
/* For http_shell_config.refusal. */
/* http_shell_config.admit_upload: who shows no key has nothing stored for him. */
bool coordinator_admit_upload(
	void *self, const struct http_request *request, struct http_reply *reply);
void coordinator_refusal(void *self, uint16_t status, const char *reason, struct http_reply *reply);

/* Does what is due by its clock now, instead of at the loop's next timer: for a driver whose clock
 * jumped. */
void coordinator_tick(struct coordinator *coordinator);

/* Figures for /metrics and tests. */
struct coordinator_stats {
	uint64_t jobs_submitted; /* since the start */
	uint64_t jobs_completed;
	uint64_t jobs_failed; /* failed, cancelled or expired */
	size_t jobs_live;
	size_t jobs_queued;
	size_t miners_online;
	size_t actions_pending; /* gathered or on their way to the chain */
	size_t calls;           /* questions to chain and miners that wait for their answer */
};
void coordinator_stats(const struct coordinator *coordinator, struct coordinator_stats *out);

/* Makes DIR/keys.json (hashes) and DIR/devnet-keys.json (the keys themselves: client_key,
 * admin_key, miner_keys), both 0600 and synced, for a fresh home. STATUS_BUSY: keys.json exists and
 * nothing was touched. */
MUST_USE enum status coordinator_keys_create(const char *dir, size_t miner_count,
	void (*random)(void *ctx, void *out, size_t len), void *ctx, char fault[256]);

#endif
