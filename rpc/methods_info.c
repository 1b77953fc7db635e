#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "chain/blocks.h"
#include "chain/format/header.h"
#include "rpc/call.h"
#include "rpc/shapes.h"

/* What CometBFT of this line calls its peer protocol; clients parse it and use it for nothing. */
enum { P2P_PROTOCOL = 8 };
#define CHANNELS "40202122233038606100"

enum rpc_end method_health(struct call *call, const struct rpc_value *args)
{
	(void)args;
	buf_append_text(call_out(call), "{}");
	return RPC_DONE;
}

/* --- status
 * -------------------------------------------------------------------------------------------- */

static const struct view_identity *identity_of(const struct call *call)
{
	return call->view->vtable->identity(call->view->self);
}

static void put_node_info(struct call *call, const Pb__Head *head)
{
	const struct view_identity *me = identity_of(call);
	struct buf *out = call_out(call);

	buf_append_text(out, "{\"protocol_version\":{\"p2p\":");
	json_put_u64_text(out, P2P_PROTOCOL);
	buf_append_text(out, ",\"block\":");
	json_put_u64_text(out, BLOCK_PROTOCOL);
	buf_append_text(out, ",\"app\":");
	json_put_u64_text(out, head->app_version);
	buf_append_text(out, "},\"id\":");
	json_put_text(out, me->node_id);
	buf_append_text(out, ",\"listen_addr\":");
	json_put_text(out, me->listen_address);
	buf_append_text(out, ",\"network\":");
	json_put_text(out, me->chain_id);
	buf_append_text(out, ",\"version\":");
	json_put_text(out, me->version);
	buf_append_text(out, ",\"channels\":\"" CHANNELS "\",\"moniker\":");
	json_put_text(out, me->moniker);
	buf_append_text(out, ",\"other\":{\"tx_index\":\"on\",\"rpc_address\":");
	json_put_text(out, me->rpc_address);
	buf_append_text(out, "}}");
}

/* "which_block_hash", "which_app_hash", "which_block_height", "which_block_time". meta NULL: no
 * block yet. */
static void put_sync_point(struct buf *out, const char *which, const Pb__BlockMeta *meta)
{
	const Pb__Header *header = meta ? meta->header : NULL;
	const Pb__BlockID *id = meta ? meta->block_id : NULL;

	buf_appendf(out, "\"%s_block_hash\":", which);
	json_put_hex_upper(out, id ? id->hash.data : NULL, id ? id->hash.len : 0);
	buf_appendf(out, ",\"%s_app_hash\":", which);
	json_put_hex_upper(
		out, header ? header->app_hash.data : NULL, header ? header->app_hash.len : 0);
	buf_appendf(out, ",\"%s_block_height\":", which);
	json_put_i64_text(out, header ? header->height : 0);
	buf_appendf(out, ",\"%s_block_time\":", which);
	if (header)
		shape_time(out, header->time);
	else
		buf_append_text(out, "\"1970-01-01T00:00:00Z\"");
}

static void put_validator_info(struct call *call, const Pb__ValidatorSet *set)
{
	const struct validator_key *key = &identity_of(call)->validator_key;
	struct validator_address address = validator_address_of(key);
	struct buf *out = call_out(call);
	int64_t power = 0;

	for (size_t i = 0; set && i < set->n_validators; i++) {
		const Pb__Validator *v = set->validators[i];

		if (v->key.len == sizeof key->b && memcmp(v->key.data, key->b, sizeof key->b) == 0)
			power = v->power;
	}
	buf_append_text(out, "{\"address\":");
	json_put_hex_upper(out, address.b, sizeof address.b);
	buf_append_text(out, ",\"pub_key\":");
	shape_public_key(out, bytes_view(key->b, sizeof key->b));
	buf_append_text(out, ",\"voting_power\":");
	json_put_i64_text(out, power);
	buf_append_byte(out, '}');
}

enum rpc_end method_status(struct call *call, const struct rpc_value *args)
{
	struct store *store = call->view->store;
	struct arena *arena = &call->server->arena;
	struct buf *out = call_out(call);
	const Pb__BlockMeta *latest = NULL;
	const Pb__BlockMeta *earliest = NULL;
	const Pb__Head *head;
	enum status status = blocks_head(store, NULL, arena, &head);

	(void)args;
	if (status == STATUS_OK)
		status = blocks_meta(store, NULL, arena, head->height, &latest);
	if (status == STATUS_OK)
		status = blocks_meta(store, NULL, arena, head->base_height, &earliest);
	if (status == STATUS_NOT_FOUND && head->height < head->base_height)
		status = STATUS_OK; /* genesis only */
	if (status != STATUS_OK)
		return call_fail_status(call, "reading the chain's head", status);
	buf_append_text(out, "{\"node_info\":");
	put_node_info(call, head);
	buf_append_text(out, ",\"sync_info\":{");
	put_sync_point(out, "latest", latest);
	buf_append_byte(out, ',');
	put_sync_point(out, "earliest", earliest);
	buf_append_text(out, ",\"catching_up\":");
	json_put_bool(out, call->view->vtable->catching_up(call->view->self));
	buf_append_text(out, "},\"validator_info\":");
	put_validator_info(call, head->validators);
	buf_append_byte(out, '}');
	return RPC_DONE;
}

/* --- genesis
 * ------------------------------------------------------------------------------------------- */

enum rpc_end method_genesis(struct call *call, const struct rpc_value *args)
{
	const struct view_identity *me = identity_of(call);
	struct buf *out = call_out(call);

	(void)args;
	if (me->genesis_json_len > RPC_GENESIS_CHUNK_BYTES)
		return call_fail(call, RPC_INTERNAL_ERROR,
			"genesis response is large, please use the genesis_chunked API instead");
	buf_append_text(out, "{\"genesis\":");
	buf_append(out, me->genesis_json, me->genesis_json_len);
	buf_append_byte(out, '}');
	return RPC_DONE;
}

enum rpc_end method_genesis_chunked(struct call *call, const struct rpc_value *args)
{
	const struct view_identity *me = identity_of(call);
	struct buf *out = call_out(call);
	size_t len = me->genesis_json_len;
	uint64_t total = (len + RPC_GENESIS_CHUNK_BYTES - 1) / RPC_GENESIS_CHUNK_BYTES;
	uint64_t chunk = (uint64_t)args[0].number;

	if (total == 0)
		return call_fail(call, RPC_INTERNAL_ERROR, "the genesis document is empty");
	if (chunk >= total)
		return call_fail(call, RPC_INTERNAL_ERROR,
			"there are %" PRIu64 " chunks, %" PRIu64 " is invalid", total - 1, chunk);
	size_t from = (size_t)chunk * RPC_GENESIS_CHUNK_BYTES;
	size_t size = len - from < RPC_GENESIS_CHUNK_BYTES ? len - from : RPC_GENESIS_CHUNK_BYTES;
	buf_append_text(out, "{\"chunk\":");
	json_put_u64_text(out, chunk);
	buf_append_text(out, ",\"total\":");
	json_put_u64_text(out, total);
	buf_append_text(out, ",\"data\":");
	json_put_base64(out, me->genesis_json + from, size);
	buf_append_byte(out, '}');
	return RPC_DONE;
}

/* --- the app
 * ------------------------------------------------------------------------------------------- */

enum rpc_end method_abci_info(struct call *call, const struct rpc_value *args)
{
	const struct app *app = call->view->app;
	struct buf *out = call_out(call);
	struct app_info info = {0};

	(void)args;
	app->vtable->info(app->self, &info);
	buf_append_text(out, "{\"response\":{\"data\":");
	json_put_text(out, info.data ? info.data : "");
	if (info.app_version != 0) {
		buf_append_text(out, ",\"app_version\":");
		json_put_u64_text(out, info.app_version);
	}
	if (info.height != 0) {
		buf_append_text(out, ",\"last_block_height\":");
		json_put_i64_text(out, info.height);
	}
	buf_append_text(out, ",\"last_block_app_hash\":");
	json_put_base64(out, info.app_hash.b, sizeof info.app_hash.b);
	buf_append_text(out, "}}");
	return RPC_DONE;
}

static enum status put_proof_ops(struct call *call, const struct buf *packed)
{
	struct buf *out = call_out(call);

	if (packed->len == 0) {
		buf_append_text(out, "null");
		return STATUS_OK;
	}
	const Pb__ProofOps *ops = pb__proof_ops__unpack(
		arena_protobuf(&call->server->arena), packed->len, packed->data);
	if (!ops)
		return STATUS_CORRUPT;
	buf_append_text(out, "{\"ops\":[");
	for (size_t i = 0; i < ops->n_ops; i++) {
		const Pb__ProofOp *op = ops->ops[i];

		buf_append_text(out, i > 0 ? ",{\"type\":" : "{\"type\":");
		json_put_text(out, op->type);
		buf_append_text(out, ",\"key\":");
		json_put_base64(out, op->key.data, op->key.len);
		buf_append_text(out, ",\"data\":");
		json_put_base64(out, op->data.data, op->data.len);
		buf_append_byte(out, '}');
	}
	buf_append_text(out, "]}");
	return STATUS_OK;
}

static enum status put_answer(struct call *call, const struct app_answer *answer)
{
	const struct app_verdict *verdict = &answer->verdict;
	struct buf *out = call_out(call);

	buf_append_text(out, "{\"response\":{\"code\":");
	json_put_u64(out, verdict->code);
	buf_append_text(out, ",\"log\":");
	json_put_text(out, verdict->log);
	buf_append_text(out, ",\"info\":\"\",\"index\":");
	json_put_i64_text(out, answer->index);
	buf_append_text(out, ",\"key\":");
	json_put_base64(out, answer->key.data, answer->key.len);
	buf_append_text(out, ",\"value\":");
	json_put_base64(out, answer->value.data, answer->value.len);
	buf_append_text(out, ",\"proofOps\":");
	enum status status = put_proof_ops(call, &answer->proof_ops);
	buf_append_text(out, ",\"height\":");
	json_put_i64_text(out, answer->height);
	buf_append_text(out, ",\"codespace\":");
	json_put_text(out, verdict->codespace ? verdict->codespace : "");
	buf_append_text(out, "}}");
	return status;
}

enum rpc_end method_abci_query(struct call *call, const struct rpc_value *args)
{
	const struct app *app = call->view->app;
	struct app_answer answer;
	char path[512];

	if (args[0].bytes.len >= sizeof path)
		return call_fail(
			call, RPC_INVALID_PARAMS, "path: longer than %zu bytes", sizeof path - 1);
	if (args[2].number < 0)
		return call_fail(call, RPC_INVALID_PARAMS, "height: must not be negative");
	if (args[0].bytes.len > 0)
		memcpy(path, args[0].bytes.data, args[0].bytes.len);
	path[args[0].bytes.len] = 0;
	struct app_query query = {.path = path,
		.data = args[1].bytes,
		.height = args[2].number,
		.prove = args[3].flag};
	app_answer_init(&answer);
	enum status status = app->vtable->query(app->self, &query, &answer);
	if (status == STATUS_OK)
		status = put_answer(call, &answer);
	app_answer_fini(&answer);
	return status == STATUS_OK ? RPC_DONE : call_fail_status(call, "asking the app", status);
}

/* --- engine
 * -------------------------------------------------------------------------------------------- */

static void put_consensus_params(struct buf *out, const Pb__ConsensusParams *params)
{
	static const Pb__ConsensusParams zero = PB__CONSENSUS_PARAMS__INIT;
	const Pb__ConsensusParams *p = params ? params : &zero;

	buf_append_text(out, "{\"block\":{\"max_bytes\":");
	json_put_i64_text(out, p->block_max_bytes);
	buf_append_text(out, ",\"max_gas\":");
	json_put_i64_text(out, p->block_max_gas);
	buf_append_text(out, "},\"evidence\":{\"max_age_num_blocks\":");
	json_put_i64_text(out, p->evidence_max_age_num_blocks);
	buf_append_text(out, ",\"max_age_duration\":");
	json_put_i64_text(out, p->evidence_max_age_ns);
	buf_append_text(out, ",\"max_bytes\":");
	json_put_i64_text(out, p->evidence_max_bytes);
	buf_append_text(
		out, "},\"validator\":{\"pub_key_types\":[\"ed25519\"]},\"version\":{\"app\":");
	json_put_u64_text(out, p->app_version);
	buf_append_text(out, "},\"abci\":{\"vote_extensions_enable_height\":\"0\"}}");
}

enum rpc_end method_consensus_params(struct call *call, const struct rpc_value *args)
{
	struct buf *out = call_out(call);
	int64_t extra = call->view->vtable->catching_up(call->view->self) ? 0 : 1;
	const Pb__Head *head;
	enum rpc_end end;
	int64_t height;

	if (!call_height(call, &height, &end, &args[0], extra))
		return end;
	/* They are fixed at genesis, so the head's are those of every height. */
	enum status status = blocks_head(call->view->store, NULL, &call->server->arena, &head);
	if (status != STATUS_OK)
		return call_fail_status(call, "reading the chain's head", status);
	buf_append_text(out, "{\"block_height\":");
	json_put_i64_text(out, height);
	buf_append_text(out, ",\"consensus_params\":");
	put_consensus_params(out, head->consensus_params);
	buf_append_byte(out, '}');
	return RPC_DONE;
}

enum rpc_end method_net_info(struct call *call, const struct rpc_value *args)
{
	(void)args;
	call->view->vtable->net_info_json(call->view->self, call_out(call));
	return RPC_DONE;
}

enum rpc_end method_consensus_state(struct call *call, const struct rpc_value *args)
{
	struct buf *out = call_out(call);

	(void)args;
	buf_append_text(out, "{\"round_state\":");
	call->view->vtable->round_state_json(call->view->self, out, false);
	buf_append_byte(out, '}');
	return RPC_DONE;
}

enum rpc_end method_dump_consensus_state(struct call *call, const struct rpc_value *args)
{
	struct buf *out = call_out(call);

	(void)args;
	buf_append_text(out, "{\"round_state\":");
	call->view->vtable->round_state_json(call->view->self, out, true);
	buf_append_text(out, ",\"peers\":");
	call->view->vtable->peer_states_json(call->view->self, out);
	buf_append_byte(out, '}');
	return RPC_DONE;
}

enum rpc_end method_consensus_progress(struct call *call, const struct rpc_value *args)
{
	(void)args;
	call->view->vtable->progress_json(call->view->self, call_out(call));
	return RPC_DONE;
}
