/* call: what the files of the server share: one call of one method, its parameters and its reply.
 * Nobody outside rpc/ includes it. A call belongs to an exchange (one HTTP request, which holds
 * several when it is a batch) and writes its own reply; it ends exactly once, at once or later.
 * Loop thread. */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include <jansson.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"
#include "chain/blocks.h"
#include "rpc/server.h"

enum { RPC_PARAMS_MAX = 6, RPC_FAULT_BYTES = 400 };

/* JSON-RPC's own numbers: for ever. */
enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603
};

/* How a parameter is spelled differs by transport: see call_params.c. */
enum rpc_type {
	RPC_INT,  /* a decimal text in JSON */
	RPC_UINT, /* the same, not negative */
	RPC_BOOL,
	RPC_TEXT,
	RPC_BYTES, /* base64 in JSON */
	RPC_HEX    /* hex in JSON */
};
struct rpc_param {
	const char *name;
	enum rpc_type type;
};
/* One decoded parameter; not given: zero. bytes is borrowed for the handler's call. */
struct rpc_value {
	bool given;
	int64_t number;
	bool flag;
	struct bytes bytes;
};

/* When an answer may be kept by a cache on the way. */
enum rpc_cache { RPC_CACHE_NO, RPC_CACHE_YES, RPC_CACHE_WITH_HEIGHT };

struct call;
/* Writes the result's JSON and answers RPC_DONE, or what call_fail answers, or keeps the call and
 * answers RPC_LATER; call_end follows then. */
enum rpc_end { RPC_DONE, RPC_FAILED, RPC_LATER };
typedef enum rpc_end rpc_handler(struct call *call, const struct rpc_value *args);

struct rpc_method {
	const char *name;
	struct rpc_param params[RPC_PARAMS_MAX];
	size_t param_count;
	size_t ours;          /* of them, the last ones that CometBFT has not: given by name only */
	enum rpc_cache cache; /* RPC_CACHE_WITH_HEIGHT: the parameter "height" comes first */
	rpc_handler *handler;
};
/* methods_table.c. NULL: no such method. */
const struct rpc_method *rpc_method_find(const char *name, size_t name_len);
const struct rpc_method *rpc_methods(size_t *count);

struct exchange;

/* A broadcast_tx_commit on its way: admission and inclusion come in any order. */
struct call_commit {
	struct hash32 hash;
	bool is_submitted;
	bool waits; /* the view holds our wait_included */
	struct view_included included;
	bool is_included;
};

struct call {
	struct exchange *exchange;
	struct rpc_server *server; /* NULL: gone while the view owed us an answer */
	const struct view *view;
	struct buf out;    /* the reply element: its prefix, then result or error */
	size_t prefix_len; /* `{"jsonrpc":"2.0","id":..,` */
	bool is_open;
	bool is_silent; /* a notification: done, not answered */
	bool is_failed;
	bool is_cacheable;
	bool is_submitting; /* the view owes us a view_submit_done */
	struct call_commit commit;
};

struct rpc_server {
	struct view view;
	struct rpc_config config;
	struct http_shell *shell;
	struct exchange *open; /* exchanges that wait */
	struct arena arena;    /* of the call being handled */
	struct buf params;     /* decoded parameters of the call being handled */
	struct buf spelled;    /* a URI parameter as it was spelled */
	uint64_t now_ms;       /* of the request being handled, monotonic */
	char time_text[24];
};

/* Replaces whatever the call has written by an error; data as printf. Answers RPC_FAILED. */
enum rpc_end call_fail(struct call *call, enum rpc_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The world failed while answering: -32603 with what failed. */
enum rpc_end call_fail_status(struct call *call, const char *what, enum status status);
/* Ends a call whose handler said RPC_LATER; end is RPC_DONE or RPC_FAILED. The call may be gone
 * afterwards. */
void call_end(struct call *call, enum rpc_end end);

/* The wall clock, for what hangs on time. */
uint64_t call_unix_ms(const struct call *call);

/* Where results are written: `result":` is already there. */
static inline struct buf *call_out(struct call *call)
{
	return &call->out;
}

/* call_params.c. False: fault says which parameter and why. values has param_count entries. */
MUST_USE bool call_params_json(struct rpc_server *server, struct rpc_value *values,
	const struct rpc_method *method, const json_t *params, char fault[RPC_FAULT_BYTES]);
/* Of values as they stand in the text. False: call_params_json must look at them. */
MUST_USE bool call_params_spelled(struct rpc_server *server, struct rpc_value *values,
	const struct rpc_method *method, const struct json_member *members, size_t count);
MUST_USE bool call_params_uri(struct rpc_server *server, struct rpc_value *values,
	const struct rpc_method *method, const char *query, const char *form,
	char fault[RPC_FAULT_BYTES]);

/* plain.c: a request as nearly all are, read without making a tree of it. False: the JSON reader
 * must look at it, and decides alone what is wrong with it. */
struct rpc_plain {
	const struct rpc_method *method;
	struct bytes id; /* as spelled; empty: none */
	struct rpc_value args[RPC_PARAMS_MAX];
};
MUST_USE bool rpc_plain_read(struct rpc_server *server, struct rpc_plain *out, struct bytes body);
/* Is it a string without escapes? Then *value loses its quotes. */
MUST_USE bool rpc_plain_string(struct bytes *value);
/* Digits, perhaps after a sign. */
MUST_USE bool rpc_id_is_integer(struct bytes id);

/* The handlers, by file. */
/* methods_info.c */
rpc_handler method_health, method_status, method_genesis, method_genesis_chunked, method_abci_info,
	method_abci_query, method_net_info, method_consensus_state, method_consensus_progress,
	method_dump_consensus_state, method_consensus_params;
/* methods_blocks.c */
rpc_handler method_block, method_block_by_hash, method_header, method_header_by_hash,
	method_blockchain, method_block_results, method_commit, method_validators;
/* methods_tx.c */
rpc_handler method_tx, method_check_tx, method_broadcast_tx_async, method_broadcast_tx_sync,
	method_broadcast_tx_commit, method_unconfirmed_txs, method_num_unconfirmed_txs;
/* methods_search.c */
rpc_handler method_tx_search, method_block_search;

/* Elements that several methods write. The transaction's bytes are in raw, its block. */
MUST_USE enum status call_put_tx(
	struct call *call, struct tx_place place, struct bytes raw, bool prove);
/* {"block_id":..,"block":..} */
MUST_USE enum status call_put_block(struct call *call, int64_t height);

/* CometBFT's paging: 30 a page unless asked otherwise, RPC_PAGE_MAX at most. False: *end is the
 * failed call: there is no such page. */
MUST_USE bool call_page(struct call *call, uint64_t *from, uint64_t *count, enum rpc_end *end,
	const struct rpc_value *page, const struct rpc_value *per_page, uint64_t total);

/* Tells the view that nobody waits any more. */
void call_commit_cancel(struct call *call);

/* Which height a call means when the highest it may ask for is tip + extra (then also the default).
 * False: *end is the failed call, in CometBFT's words. */
MUST_USE bool call_height(struct call *call, int64_t *height, enum rpc_end *end,
	const struct rpc_value *arg, int64_t extra);

#endif
