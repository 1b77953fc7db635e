/* backend: who does the work of a service: a program by its template (exec.h), or an Ollama server
 * over HTTP. A run answers once, later, with the result's JSON members and its files, or with a
 * reason for the client. Owns a run until its answer; borrows everything else. Loop thread. */
#ifndef MINER_BACKEND_H
#define MINER_BACKEND_H

#include "http/client.h"
#include "miner/config.h"

struct backends {
	struct event_base *loop;
	const struct miner_config *config;
	struct execs *execs;
	struct http_client *http;
	struct log *log;
	uint64_t (*now_ms)(void); /* monotonic */
	bool drop_user;
	uid_t uid;
	gid_t gid;
};

struct backend_result {
	bool ok;
	const char *error_code; /* of a failure: static, e.g. "timed_out", "bad_input",
				   "backend_unreachable" */
	const char *message;    /* for the client; "" when ok */
	uint64_t elapsed_ms;
	uint64_t tokens;               /* produced; 0 where they aren't counted */
	struct bytes members;          /* of the result, without braces: "stdout":"..." */
	const struct command *command; /* whose outputs lie in the directory; NULL: none */
};
typedef void backend_done(void *ctx, const struct backend_result *result);

struct backend_run; /* until its done has returned */

bool backend_serves(const struct backends *backends, const char *service);
/* Does the service need the payload's "input" in the directory? */
bool backend_needs_input(const struct backends *backends, const char *service);
/* Names appended as JSON texts with commas between. */
void backend_put_services(const struct backends *backends, struct buf *out);

/* wall_ms: the longest it may take, besides its own limits. Refusals of the payload come through
 * done too. Not OK: done will not be called. */
MUST_USE enum status backend_start(const struct backends *backends, struct backend_run **out,
	const char *service, const json_t *payload, const char *directory, uint64_t wall_ms,
	backend_done *done, void *ctx);
/* done follows, with error_code "cancelled" unless it ended first. */
void backend_cancel(struct backend_run *run);

/* What an Ollama server can do, for registration: done gets its models as JSON texts with commas
 * between, or an empty view when it doesn't answer. */
typedef void backend_models_done(void *ctx, struct bytes models, const char *fault);
MUST_USE enum status backend_ask_models(
	const struct backends *backends, backend_models_done *done, void *ctx);

#endif
