/* link: the coordinator as its miner speaks to it: JSON posts with the miner's API key, artifacts
 * down and up. Each call is one try; who wants more tries again. Owns the API key. Loop thread. */
#ifndef MINER_LINK_H
#define MINER_LINK_H

#include <jansson.h>

#include "base/hash.h"
#include "http/client.h"

enum { LINK_ASK_MS = 10 * 1000, LINK_KEY_BYTES = 256 };

struct link {
	struct http_client *http;
	const char *url;      /* borrowed */
	const char *miner_id; /* borrowed */
	char key[LINK_KEY_BYTES];
};

/* answered false: nobody did, fault says why. Else http_status, and body when it was JSON
 * (borrowed); fault holds the coordinator's own message of a refusal. */
struct link_answer {
	bool answered;
	uint16_t http_status;
	const json_t *body;
	struct bytes raw;
	const char *fault;
};
typedef void link_done(void *ctx, const struct link_answer *answer);

static inline bool link_ok(const struct link_answer *answer)
{
	return answer->answered && answer->http_status >= 200 && answer->http_status < 300;
}
/* No later try will fare better. */
static inline bool link_refused(const struct link_answer *answer)
{
	return answer->answered && answer->http_status >= 400 && answer->http_status < 500 &&
	       answer->http_status != 408 && answer->http_status != 425 &&
	       answer->http_status != 429;
}

/* Not OK: done will not be called. */
MUST_USE enum status link_post(struct link *link, const char *path, struct bytes body,
	uint32_t timeout_ms, link_done *done, void *ctx);
/* Into file (made 0600); judged by its hash: anything else is answered false. */
MUST_USE enum status link_download(struct link *link, const char *sha256_hex, const char *file,
	uint32_t timeout_ms, link_done *done, void *ctx);
MUST_USE enum status link_upload(
	struct link *link, const char *file, uint32_t timeout_ms, link_done *done, void *ctx);

/* SHA-256 of a whole file. */
MUST_USE enum status link_hash_file(struct hash32 *out, const char *file);

#endif
