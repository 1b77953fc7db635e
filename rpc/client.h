/* client: the one JSON-RPC client of the project: wallet, coordinator and miner speak to the chain
 * through it. Its own library (rpc_client), over http/client.h. Loop thread; never blocks but in
 * rpc_client_wait. */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include <jansson.h>

#include "base/hash.h"
#include "http/client.h"

struct rpc_client;

/* url like "http://127.0.0.1:26657". http is borrowed and must outlive the client. */
MUST_USE enum status rpc_client_new(
	struct rpc_client **out, struct http_client *http, const char *url);
void rpc_client_free(struct rpc_client *client);

struct rpc_outcome {
	enum status status; /* STATUS_OK: result is set. STATUS_REFUSED: the node answered an error
			       (code, fault). Else: no answer */
	const json_t *result; /* borrowed for the callback */
	int64_t code;         /* JSON-RPC error code */
	const char *fault; /* error data, or what happened on the way; never NULL when status is not
			      OK */
};
typedef void rpc_done(void *ctx, const struct rpc_outcome *outcome);

/* params: an object or NULL; stolen. */
MUST_USE enum status rpc_call(struct rpc_client *client, const char *method, json_t *params,
	uint32_t timeout_ms, rpc_done *done, void *ctx);
MUST_USE enum status rpc_call_wait(struct rpc_client *client, const char *method, json_t *params,
	uint32_t timeout_ms, rpc_done *done, void *ctx);

/* Params of the calls everyone makes; each returns a new object, NULL on no memory. */
json_t *rpc_params_tx(struct bytes tx);
json_t *rpc_params_hash(const struct hash32 *hash);
json_t *rpc_params_query(const char *path, struct bytes data);
/* The parsed JSON in response.value of an abci_query result; NULL with code set when the answer is
 * a refusal or has none. New reference. */
json_t *rpc_query_value(const json_t *result, uint32_t *code, char log[256]);

#endif
