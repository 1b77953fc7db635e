#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "chain/blocks.h"
#include "rpc/call.h"
#include "rpc/shapes.h"

/* Rows of committed blocks never change, so a call that reads two of one height needs no snapshot:
 * at worst the second is pruned, which is an answer. */

bool call_height(struct call *call, int64_t *height, enum rpc_end *end, const struct rpc_value *arg,
	int64_t extra)
{
	int64_t base;
	int64_t tip;
	enum status status = blocks_span(call->view->store, NULL, &base, &tip);

	if (status != STATUS_OK) {
		*end = call_fail_status(call, "reading the chain's span", status);
		return false;
	}
	int64_t latest = tip + extra;
	*height = arg && arg->given ? arg->number : latest;
	if (!arg || !arg->given)
		return true;
	*end = RPC_DONE;
	if (*height <= 0)
		*end = call_fail(call, RPC_INTERNAL_ERROR,
			"height must be greater than 0, but got %" PRId64, *height);
	else if (*height > latest)
		*end = call_fail(call, RPC_INTERNAL_ERROR,
			"height %" PRId64
			" must be less than or equal to the current blockchain height %" PRId64,
			*height, latest);
	else if (*height < base)
		*end = call_fail(call, RPC_INTERNAL_ERROR,
			"height %" PRId64 " is not available, lowest height is %" PRId64, *height,
			base);
	return *end == RPC_DONE;
}

static enum rpc_end not_available(struct call *call, int64_t height, enum status status)
{
	if (status == STATUS_NOT_FOUND)
		return call_fail(
			call, RPC_INTERNAL_ERROR, "height %" PRId64 " is not available", height);
	return call_fail_status(call, "reading a block", status);
}

static enum status read_meta(struct call *call, const Pb__BlockMeta **meta, int64_t height)
{
	return blocks_meta(call->view->store, NULL, &call->server->arena, height, meta);
}

/* --- blocks
 * -------------------------------------------------------------------------------------------- */

/* The block's own JSON, out of its bytes. STATUS_CORRUPT: they don't parse. */
static enum status put_block(struct call *call, const Pb__BlockMeta *meta, struct bytes raw)
{
	ProtobufCAllocator *allocator = arena_protobuf(&call->server->arena);
	struct buf *out = call_out(call);
	struct block_sections sections;

	if (!block_sections(&sections, raw))
		return STATUS_CORRUPT;
	const Pb__EvidenceList *evidence =
		pb__evidence_list__unpack(allocator, sections.evidence.len, sections.evidence.data);
	const Pb__Commit *last_commit =
		pb__commit__unpack(allocator, sections.last_commit.len, sections.last_commit.data);
	if (!evidence || !last_commit)
		return call->server->arena.exhausted ? STATUS_NO_MEMORY : STATUS_CORRUPT;
	buf_append_text(out, "{\"header\":");
	shape_header(out, meta->header);
	buf_append_text(out, ",\"data\":");
	if (!shape_data(out, sections.data))
		return STATUS_CORRUPT;
	buf_append_text(out, ",\"evidence\":");
	shape_evidence(out, evidence);
	buf_append_text(out, ",\"last_commit\":");
	shape_commit(out, last_commit);
	buf_append_byte(out, '}');
	return STATUS_OK;
}

static enum rpc_end no_block(struct call *call)
{
	struct buf *out = call_out(call);

	buf_append_text(out, "{\"block_id\":");
	shape_block_id(out, NULL);
	buf_append_text(out, ",\"block\":null}");
	return RPC_DONE;
}

enum status call_put_block(struct call *call, int64_t height)
{
	struct buf *out = call_out(call);
	const Pb__BlockMeta *meta;
	struct buf raw;
	enum status status = read_meta(call, &meta, height);

	if (status != STATUS_OK)
		return status;
	buf_init(&raw, 0);
	status = blocks_raw(call->view->store, NULL, height, &raw);
	if (status == STATUS_OK) {
		buf_append_text(out, "{\"block_id\":");
		shape_block_id(out, meta->block_id);
		buf_append_text(out, ",\"block\":");
		status = put_block(call, meta, buf_view(&raw));
		buf_append_byte(out, '}');
	}
	buf_fini(&raw);
	return status;
}

static enum rpc_end answer_block(struct call *call, int64_t height)
{
	size_t start = call_out(call)->len;
	enum status status = call_put_block(call, height);

	if (status == STATUS_NOT_FOUND && call_out(call)->len == start)
		return no_block(call);
	return status == STATUS_OK ? RPC_DONE : not_available(call, height, status);
}

enum rpc_end method_block(struct call *call, const struct rpc_value *args)
{
	enum rpc_end end;
	int64_t height;

	return call_height(call, &height, &end, &args[0], 0) ? answer_block(call, height) : end;
}

/* STATUS_NOT_FOUND also for what can't be a hash. */
static enum status height_of_hash(struct call *call, int64_t *height, struct bytes hash)
{
	struct hash32 h;

	if (hash.len != sizeof h.b)
		return STATUS_NOT_FOUND;
	memcpy(h.b, hash.data, sizeof h.b);
	return blocks_height_of(call->view->store, NULL, &h, height);
}

enum rpc_end method_block_by_hash(struct call *call, const struct rpc_value *args)
{
	int64_t height;
	enum status status = height_of_hash(call, &height, args[0].bytes);

	if (status == STATUS_NOT_FOUND)
		return no_block(call);
	return status == STATUS_OK ? answer_block(call, height) : not_available(call, 0, status);
}

static enum rpc_end answer_header(struct call *call, int64_t height, enum status found)
{
	struct buf *out = call_out(call);
	const Pb__BlockMeta *meta;
	enum status status = found == STATUS_OK ? read_meta(call, &meta, height) : found;

	if (status == STATUS_NOT_FOUND) {
		buf_append_text(out, "{\"header\":null}");
		return RPC_DONE;
	}
	if (status != STATUS_OK)
		return not_available(call, height, status);
	buf_append_text(out, "{\"header\":");
	shape_header(out, meta->header);
	buf_append_byte(out, '}');
	return RPC_DONE;
}

enum rpc_end method_header(struct call *call, const struct rpc_value *args)
{
	enum rpc_end end;
	int64_t height;

	return call_height(call, &height, &end, &args[0], 0)
		       ? answer_header(call, height, STATUS_OK)
		       : end;
}

enum rpc_end method_header_by_hash(struct call *call, const struct rpc_value *args)
{
	int64_t height = 0;
	enum status found = height_of_hash(call, &height, args[0].bytes);

	return answer_header(call, height, found);
}

/* --- ranges
 * -------------------------------------------------------------------------------------------- */

static int64_t greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static enum rpc_end put_metas(struct call *call, int64_t low, int64_t high)
{
	struct buf *out = call_out(call);

	for (int64_t height = high; height >= low; height--) {
		const Pb__BlockMeta *meta;
		enum status status = read_meta(call, &meta, height);

		if (status != STATUS_OK)
			return not_available(call, height, status);
		if (height < high)
			buf_append_byte(out, ',');
		shape_meta(out, meta);
	}
	return RPC_DONE;
}

enum rpc_end method_blockchain(struct call *call, const struct rpc_value *args)
{
	struct buf *out = call_out(call);
	int64_t low = args[0].number;
	int64_t high = args[1].number;
	int64_t base;
	int64_t tip;
	enum status status = blocks_span(call->view->store, NULL, &base, &tip);

	if (status != STATUS_OK)
		return call_fail_status(call, "reading the chain's span", status);
	if (low < 0 || high < 0)
		return call_fail(call, RPC_INTERNAL_ERROR, "heights must be non-negative");
	high = high == 0 || high > tip ? tip : high;
	low = greater(greater(low == 0 ? 1 : low, base), high - RPC_BLOCKCHAIN_MAX + 1);
	/* A chain without blocks has an empty list, and not a wrong range. */
	if (low > high && tip >= base)
		return call_fail(call, RPC_INTERNAL_ERROR,
			"min height %" PRId64 " can't be greater than max height %" PRId64, low,
			high);
	buf_append_text(out, "{\"last_height\":");
	json_put_i64_text(out, greater(tip, 0));
	buf_append_text(out, ",\"block_metas\":[");
	enum rpc_end end = put_metas(call, low, high);
	if (end == RPC_DONE)
		buf_append_text(out, "]}");
	return end;
}

/* --- what belongs to a height
 * -------------------------------------------------------------------------- */

static void put_results(struct buf *out, const Pb__BlockResults *results)
{
	buf_append_text(out, ",\"txs_results\":");
	buf_append_text(out, results->n_txs_results == 0 ? "null" : "[");
	for (size_t i = 0; i < results->n_txs_results; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		shape_result(out, results->txs_results[i]);
	}
	buf_append_text(out, results->n_txs_results == 0 ? "" : "]");
	buf_append_text(out, ",\"finalize_block_events\":");
	shape_events_or_null(out, results->events, results->n_events);
	buf_append_text(out, ",\"validator_updates\":");
	buf_append_text(out, results->n_validator_updates == 0 ? "null" : "[");
	for (size_t i = 0; i < results->n_validator_updates; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		shape_validator_update(out, results->validator_updates[i]);
	}
	buf_append_text(out, results->n_validator_updates == 0 ? "" : "]");
	buf_append_text(out, ",\"consensus_param_updates\":null,\"app_hash\":");
	json_put_base64(out, results->app_hash.data, results->app_hash.len);
}

enum rpc_end method_block_results(struct call *call, const struct rpc_value *args)
{
	struct buf *out = call_out(call);
	const Pb__BlockResults *results;
	enum rpc_end end;
	int64_t height;

	if (!call_height(call, &height, &end, &args[0], 0))
		return end;
	enum status status =
		blocks_results(call->view->store, NULL, &call->server->arena, height, &results);
	if (status != STATUS_OK)
		return not_available(call, height, status);
	buf_append_text(out, "{\"height\":");
	json_put_i64_text(out, height);
	put_results(out, results);
	buf_append_byte(out, '}');
	return RPC_DONE;
}

enum rpc_end method_commit(struct call *call, const struct rpc_value *args)
{
	struct buf *out = call_out(call);
	const Pb__BlockMeta *meta;
	const Pb__Commit *commit;
	bool canonical;
	enum rpc_end end;
	int64_t height;

	if (!call_height(call, &height, &end, &args[0], 0))
		return end;
	enum status status = read_meta(call, &meta, height);
	if (status == STATUS_OK)
		status = blocks_commit(
			call->view->store, NULL, &call->server->arena, height, &commit, &canonical);
	if (status != STATUS_OK)
		return not_available(call, height, status);
	buf_append_text(out, "{\"signed_header\":{\"header\":");
	shape_header(out, meta->header);
	buf_append_text(out, ",\"commit\":");
	shape_commit(out, commit);
	buf_append_text(out, "},\"canonical\":");
	json_put_bool(out, canonical);
	buf_append_byte(out, '}');
	/* The next block will carry another set of the same precommits. */
	call->is_cacheable = call->is_cacheable && canonical;
	return RPC_DONE;
}

/* --- validators
 * ---------------------------------------------------------------------------------------- */

enum { PER_PAGE_DEFAULT = 30 };

bool call_page(struct call *call, uint64_t *from, uint64_t *count, enum rpc_end *end,
	const struct rpc_value *page, const struct rpc_value *per_page, uint64_t total)
{
	uint64_t size = PER_PAGE_DEFAULT;

	if (per_page->given && per_page->number >= 1)
		size = per_page->number > RPC_PAGE_MAX ? RPC_PAGE_MAX : (uint64_t)per_page->number;
	uint64_t pages = total == 0 ? 1 : (total - 1) / size + 1;
	int64_t number = page->given ? page->number : 1;
	if (number <= 0 || (uint64_t)number > pages) {
		*end = call_fail(call, RPC_INTERNAL_ERROR,
			"page should be within [1, %" PRIu64 "] range, given %" PRId64, pages,
			number);
		return false;
	}
	*from = (uint64_t)(number - 1) * size;
	*count = total - *from < size ? total - *from : size;
	return true;
}

static void put_validators(
	struct call *call, int64_t height, const Pb__ValidatorSet *set, size_t from, size_t to)
{
	struct buf *out = call_out(call);

	buf_append_text(out, "{\"block_height\":");
	json_put_i64_text(out, height);
	buf_append_text(out, ",\"validators\":[");
	for (size_t i = from; i < to; i++) {
		if (i > from)
			buf_append_byte(out, ',');
		shape_validator(out, set->validators[i]);
	}
	buf_append_text(out, "],\"count\":");
	json_put_u64_text(out, to - from);
	buf_append_text(out, ",\"total\":");
	json_put_u64_text(out, set->n_validators);
	buf_append_byte(out, '}');
}

enum rpc_end method_validators(struct call *call, const struct rpc_value *args)
{
	const Pb__ValidatorSet *set;
	enum rpc_end end;
	int64_t height;
	/* A node that is still fetching blocks can't answer for the next one. */
	int64_t extra = call->view->vtable->catching_up(call->view->self) ? 0 : 1;

	if (!call_height(call, &height, &end, &args[0], extra))
		return end;
	enum status status =
		blocks_validators(call->view->store, NULL, &call->server->arena, height, &set);
	if (status != STATUS_OK)
		return not_available(call, height, status);
	uint64_t from, count;
	if (!call_page(call, &from, &count, &end, &args[1], &args[2], set->n_validators))
		return end;
	put_validators(call, height, set, (size_t)from, (size_t)(from + count));
	return RPC_DONE;
}
