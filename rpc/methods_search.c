/* tx_search and block_search: a query, then a page by number as CometBFT's clients ask for it; or
 * by cursor, which it has not: `after` is empty for the first page, then what `next` of the page
 * before says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "rpc/call.h"
#include "rpc/search.h"

struct asked {
	struct call *call;
	const struct rpc_value *query, *prove, *page, *per_page, *order_by, *after;
	struct query parsed;
	struct search search;
	struct tx_place places[RPC_PAGE_MAX];
	size_t count;
	struct buf raw; /* the block that was read last */
	int64_t raw_height;
};

static enum rpc_end order_of(struct asked *a, bool newest_first)
{
	struct bytes order = a->order_by->bytes;

	a->search.newest_first = newest_first;
	if (order.len == 0)
		return RPC_DONE;
	a->search.newest_first = bytes_equal(order, bytes_of_text("desc"));
	if (a->search.newest_first || bytes_equal(order, bytes_of_text("asc")))
		return RPC_DONE;
	return call_fail(a->call, RPC_INTERNAL_ERROR,
		"expected order_by to be either `asc` or `desc` or empty");
}

static enum rpc_end query_of(struct asked *a)
{
	char fault[QUERY_FAULT_BYTES];

	if (a->query->bytes.len == 0)
		return call_fail(a->call, RPC_INTERNAL_ERROR, "query cannot be empty");
	if (!query_read(&a->parsed, fault, a->query->bytes))
		return call_fail(a->call, RPC_INTERNAL_ERROR, "%s", fault);
	a->search.query = &a->parsed;
	return RPC_DONE;
}

/* "812.3": decimal numbers, no signs. */
static bool place_of(struct tx_place *out, struct bytes text)
{
	uint64_t numbers[2] = {0, 0};
	size_t at = 0;

	for (unsigned k = 0; k < 2; k++) {
		size_t from = at;
		uint64_t limit = k == 0 ? INT64_MAX : UINT32_MAX;

		for (; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
			uint64_t digit = (uint64_t)(text.data[at] - '0');
			if (numbers[k] > (limit - digit) / 10)
				return false;
			numbers[k] = numbers[k] * 10 + digit;
		}
		if (at == from || (k == 0 && (at == text.len || text.data[at++] != '.')))
			return false;
	}
	*out = (struct tx_place){(int64_t)numbers[0], (uint32_t)numbers[1]};
	return at == text.len;
}

static enum rpc_end pick_after(struct asked *a)
{
	struct tx_place seen;
	uint64_t from, count;
	enum rpc_end end;

	if (a->page->given)
		return call_fail(a->call, RPC_INVALID_PARAMS, "either page or after, not both");
	if (a->after->bytes.len == 0)
		seen = a->search.newest_first ? (struct tx_place){INT64_MAX, UINT32_MAX}
					      : (struct tx_place){0, 0};
	else if (!place_of(&seen, a->after->bytes))
		return call_fail(a->call, RPC_INVALID_PARAMS,
			"after: expected HEIGHT.INDEX, as in \"next\" of the page before");
	if (!call_page(a->call, &from, &count, &end, a->page, a->per_page, RPC_PAGE_MAX))
		return end;
	enum status status = search_after(&a->search, a->places, &a->count, seen, (size_t)count);
	return status == STATUS_OK ? RPC_DONE : call_fail_status(a->call, "searching", status);
}

static enum rpc_end pick_page(struct asked *a)
{
	uint64_t from, count;
	enum rpc_end end;

	if (!call_page(a->call, &from, &count, &end, a->page, a->per_page, a->search.total))
		return end;
	enum status status = search_page(&a->search, a->places, &a->count, from, (size_t)count);
	return status == STATUS_OK ? RPC_DONE : call_fail_status(a->call, "searching", status);
}

static enum rpc_end pick(struct asked *a)
{
	enum status status = search_run(&a->search);

	if (status != STATUS_OK)
		return call_fail_status(a->call, "searching", status);
	if (a->search.too_many)
		return call_fail(a->call, RPC_INTERNAL_ERROR,
			"more than %d rows to look at: narrow the query, by %s.height for one",
			SEARCH_ROWS_MAX, a->search.blocks ? "block" : "tx");
	return a->after->given ? pick_after(a) : pick_page(a);
}

static enum status put_found(struct asked *a, struct tx_place place)
{
	if (a->search.blocks)
		return call_put_block(a->call, place.height);
	if (a->raw_height != place.height) {
		buf_clear(&a->raw);
		enum status status =
			blocks_raw(a->search.store, a->search.snapshot, place.height, &a->raw);
		if (status != STATUS_OK)
			return status;
		a->raw_height = place.height;
	}
	return call_put_tx(a->call, place, buf_view(&a->raw), a->prove && a->prove->flag);
}

static enum rpc_end put_page(struct asked *a)
{
	struct buf *out = call_out(a->call);

	buf_append_text(out, a->search.blocks ? "{\"blocks\":[" : "{\"txs\":[");
	for (size_t i = 0; i < a->count; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		enum status status = put_found(a, a->places[i]);
		if (status != STATUS_OK)
			return call_fail_status(a->call, "reading what was found", status);
		if (out->len > RPC_BATCH_REPLY_BYTES_MAX)
			return call_fail(a->call, RPC_INTERNAL_ERROR,
				"the page is larger than %d bytes: ask for fewer with per_page",
				RPC_BATCH_REPLY_BYTES_MAX);
	}
	buf_append_text(out, "],\"total_count\":");
	json_put_u64_text(out, a->search.total);
	if (a->after->given && a->count > 0)
		buf_appendf(out, ",\"next\":\"%" PRId64 ".%" PRIu32 "\"",
			a->places[a->count - 1].height, a->places[a->count - 1].index);
	buf_append_byte(out, '}');
	return RPC_DONE;
}

/* One snapshot for all of it: what is counted is what is read. */
static enum rpc_end run(struct asked *a, bool newest_first)
{
	struct store *store = a->call->view->store;
	enum rpc_end end = order_of(a, newest_first);

	if (end == RPC_DONE)
		end = query_of(a);
	if (end != RPC_DONE)
		return end;
	struct store_snapshot *snapshot = store_snapshot_new(store);
	if (!snapshot)
		return call_fail_status(a->call, "searching", STATUS_NO_MEMORY);
	a->search.store = store;
	a->search.snapshot = snapshot;
	buf_init(&a->raw, 0);
	end = pick(a);
	if (end == RPC_DONE)
		end = put_page(a);
	buf_fini(&a->raw);
	search_fini(&a->search);
	store_snapshot_free(store, snapshot);
	return end;
}

enum rpc_end method_tx_search(struct call *call, const struct rpc_value *args)
{
	struct asked a = {.call = call,
		.query = &args[0],
		.prove = &args[1],
		.page = &args[2],
		.per_page = &args[3],
		.order_by = &args[4],
		.after = &args[5]};

	return run(&a, false);
}

enum rpc_end method_block_search(struct call *call, const struct rpc_value *args)
{
	struct asked a = {.call = call,
		.query = &args[0],
		.page = &args[1],
		.per_page = &args[2],
		.order_by = &args[3],
		.after = &args[4],
		.search = {.blocks = true}};

	return run(&a, true);
}
