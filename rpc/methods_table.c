/* Every method of the port, as data: its name, parameters in CometBFT's order, and whether a cache
 * may keep its answer. */
#include <string.h>

#include "rpc/call.h"

#define COUNT(...) (sizeof((struct rpc_param[]){__VA_ARGS__}) / sizeof(struct rpc_param))
#define METHOD0(method_name, may_cache)                                                            \
	{                                                                                          \
		.name = #method_name, .cache = (may_cache), .handler = method_##method_name        \
	}
#define METHOD(method_name, may_cache, ...)                                                        \
	{                                                                                          \
		.name = #method_name, .params = {__VA_ARGS__}, .param_count = COUNT(__VA_ARGS__),  \
		.cache = (may_cache), .handler = method_##method_name                              \
	}

/* With parameters of ours at the end. */
#define METHOD_PLUS(method_name, our_count, ...)                                                   \
	{                                                                                          \
		.name = #method_name, .params = {__VA_ARGS__}, .param_count = COUNT(__VA_ARGS__),  \
		.ours = (our_count), .cache = RPC_CACHE_NO, .handler = method_##method_name        \
	}

static const struct rpc_method methods[] = {
	METHOD0(health, RPC_CACHE_NO),
	METHOD0(status, RPC_CACHE_NO),
	METHOD0(net_info, RPC_CACHE_NO),
	METHOD(blockchain, RPC_CACHE_YES, {"minHeight", RPC_INT}, {"maxHeight", RPC_INT}),
	METHOD0(genesis, RPC_CACHE_YES),
	METHOD(genesis_chunked, RPC_CACHE_YES, {"chunk", RPC_UINT}),
	METHOD(block, RPC_CACHE_WITH_HEIGHT, {"height", RPC_INT}),
	METHOD(block_by_hash, RPC_CACHE_YES, {"hash", RPC_BYTES}),
	METHOD(block_results, RPC_CACHE_WITH_HEIGHT, {"height", RPC_INT}),
	METHOD(commit, RPC_CACHE_WITH_HEIGHT, {"height", RPC_INT}),
	METHOD(header, RPC_CACHE_WITH_HEIGHT, {"height", RPC_INT}),
	METHOD(header_by_hash, RPC_CACHE_YES, {"hash", RPC_HEX}),
	METHOD(check_tx, RPC_CACHE_NO, {"tx", RPC_BYTES}),
	METHOD(tx, RPC_CACHE_YES, {"hash", RPC_BYTES}, {"prove", RPC_BOOL}),
	METHOD_PLUS(tx_search, 1, {"query", RPC_TEXT}, {"prove", RPC_BOOL}, {"page", RPC_INT},
		{"per_page", RPC_INT}, {"order_by", RPC_TEXT}, {"after", RPC_TEXT}),
	METHOD_PLUS(block_search, 1, {"query", RPC_TEXT}, {"page", RPC_INT}, {"per_page", RPC_INT},
		{"order_by", RPC_TEXT}, {"after", RPC_TEXT}),
	METHOD(validators, RPC_CACHE_WITH_HEIGHT, {"height", RPC_INT}, {"page", RPC_INT},
		{"per_page", RPC_INT}),
	METHOD0(dump_consensus_state, RPC_CACHE_NO),
	METHOD0(consensus_state, RPC_CACHE_NO),
	METHOD0(consensus_progress, RPC_CACHE_NO),
	METHOD(consensus_params, RPC_CACHE_WITH_HEIGHT, {"height", RPC_INT}),
	METHOD(unconfirmed_txs, RPC_CACHE_NO, {"limit", RPC_INT}),
	METHOD0(num_unconfirmed_txs, RPC_CACHE_NO),
	METHOD(broadcast_tx_commit, RPC_CACHE_NO, {"tx", RPC_BYTES}),
	METHOD(broadcast_tx_sync, RPC_CACHE_NO, {"tx", RPC_BYTES}),
	METHOD(broadcast_tx_async, RPC_CACHE_NO, {"tx", RPC_BYTES}),
	METHOD(abci_query, RPC_CACHE_NO, {"path", RPC_TEXT}, {"data", RPC_HEX}, {"height", RPC_INT},
		{"prove", RPC_BOOL}),
	METHOD0(abci_info, RPC_CACHE_YES),
};

const struct rpc_method *rpc_methods(size_t *count)
{
	*count = sizeof methods / sizeof methods[0];
	return methods;
}

const struct rpc_method *rpc_method_find(const char *name, size_t name_len)
{
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (strlen(methods[i].name) == name_len &&
			memcmp(methods[i].name, name, name_len) == 0)
			return &methods[i];
	}
	return NULL;
}
