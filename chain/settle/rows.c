#include "chain/settle/rows.h"

#include <string.h>

#include "base/cursor.h"
#include "base/endian.h"
#include "base/hex.h"

enum { PLACE_BYTES = 16, ROW_KEY_BYTES_MAX = 1 + JOB_KEY_BYTES_MAX + PLACE_BYTES + 1 };

struct row_key {
	uint8_t b[ROW_KEY_BYTES_MAX];
	size_t len;
};

static struct row_key row_key_of(char kind, const void *owner, size_t owner_len)
{
	struct row_key key;

	CHECK(owner_len <= JOB_KEY_BYTES_MAX);
	key.b[0] = (uint8_t)kind;
	if (owner_len > 0)
		memcpy(key.b + 1, owner, owner_len);
	key.len = 1 + owner_len;
	return key;
}

static void row_key_add_place(struct row_key *key, const struct settle_place *place)
{
	put_u64be(key->b + key->len, (uint64_t)place->height);
	put_u32be(key->b + key->len + 8, place->tx);
	put_u32be(key->b + key->len + 12, place->action);
	key->len += PLACE_BYTES;
}

static struct bytes row_key_view(const struct row_key *key)
{
	return bytes_view(key->b, key->len);
}

static struct settle_place read_place(struct cursor *c)
{
	struct settle_place place;

	place.height = (int64_t)cursor_u64be(c);
	place.tx = cursor_u32be(c);
	place.action = cursor_u32be(c);
	return place;
}

/* The rest of the row is a job's key. */
static void read_job(struct cursor *c, struct job_key *job)
{
	struct bytes rest = cursor_view(c, c->left);

	memset(job, 0, sizeof *job);
	if (rest.len < 22 || rest.len > sizeof job->b || rest.len != (size_t)21 + rest.data[20]) {
		c->bad = true;
		return;
	}
	memcpy(job->b, rest.data, rest.len);
	job->len = rest.len;
}

/* ---- names ---- */

const char *settle_cause_name(uint32_t cause)
{
	switch ((enum settle_cause)cause) {
	case CAUSE_SUBMIT: return "submit_job";
	case CAUSE_ASSIGN: return "assign_job";
	case CAUSE_RENEW: return "renew_lease";
	case CAUSE_RELEASE: return "release_job";
	case CAUSE_RECORD: return "record_receipt";
	case CAUSE_DELIVER: return "deliver_result";
	case CAUSE_REJECT: return "reject_delivery";
	case CAUSE_FAIL: return "fail_job";
	case CAUSE_CANCEL: return "cancel_job";
	case CAUSE_DEADLINE: return "deadline";
	case CAUSE_REVIEW: return "review_end";
	}
	return "unknown";
}

const char *settle_state_name(uint32_t state)
{
	static const char *const names[] = {"NONE", "OPEN", "ASSIGNED", "DELIVERED", "SETTLED",
		"FAILED", "CANCELLED", "EXPIRED", "REFUNDED"};

	return state < sizeof names / sizeof names[0] ? names[state] : "UNKNOWN";
}

bool receipt_id_parse(struct receipt_id *out, struct bytes text)
{
	return hex_decode(out->b, sizeof out->b, (const char *)text.data, text.len);
}

/* ---- one row ---- */

static enum status row_get(struct store *store, const struct store_snapshot *snapshot,
	const struct row_key *key, struct buf *value)
{
	return store_get(store, snapshot, STORE_JOBS, row_key_view(key), value);
}

enum status settle_head_get(
	struct store *store, const struct store_snapshot *snapshot, struct settle_head *out)
{
	struct row_key key = row_key_of('H', NULL, 0);
	struct buf value = {0};
	enum status status = row_get(store, snapshot, &key, &value);

	if (status == STATUS_OK) {
		struct cursor c = cursor_of(buf_view(&value));

		out->height = (int64_t)cursor_u64be(&c);
		cursor_copy(&c, out->app_hash.b, sizeof out->app_hash.b);
		cursor_copy(&c, out->chain_tag.b, sizeof out->chain_tag.b);
		out->block_ms = cursor_u64be(&c);
		if (!cursor_done(&c))
			status = STATUS_CORRUPT;
	}
	buf_fini(&value);
	return status;
}

enum status settle_receipt_find(struct store *store, const struct store_snapshot *snapshot,
	struct settle_receipt_place *out, const struct receipt_id *id)
{
	struct row_key key = row_key_of('r', id->b, sizeof id->b);
	struct buf value = {0};
	enum status status = row_get(store, snapshot, &key, &value);

	if (status == STATUS_OK) {
		struct cursor c = cursor_of(buf_view(&value));

		out->place = read_place(&c);
		read_job(&c, &out->job);
		if (!cursor_done(&c))
			status = STATUS_CORRUPT;
	}
	buf_fini(&value);
	return status;
}

enum status settle_outcomes_get(struct store *store, const struct store_snapshot *snapshot,
	struct buf *out, int64_t height, uint32_t tx)
{
	struct row_key key = row_key_of('a', NULL, 0);

	put_u64be(key.b + 1, (uint64_t)height);
	put_u32be(key.b + 9, tx);
	key.len = 13;
	return row_get(store, snapshot, &key, out);
}

/* ---- pages ---- */

/* Walks rows whose key is prefix || place, from the end (before a place) or from the start (after
 * one). */
struct row_walk {
	struct store *store;
	struct store_iterator *it;
	size_t prefix_len;
};

static enum status walk_open(struct row_walk *walk, struct store *store,
	const struct store_snapshot *snapshot, const struct row_key *prefix,
	const struct settle_place *past, bool newest_first)
{
	struct row_key from = *prefix;
	struct row_key to = *prefix;

	if (newest_first) {
		if (past)
			row_key_add_place(&to, past);
		else
			memset(to.b + to.len, 0xff, PLACE_BYTES), to.len += PLACE_BYTES;
	} else {
		memset(to.b + to.len, 0xff, PLACE_BYTES);
		to.len += PLACE_BYTES;
		if (past) {
			row_key_add_place(&from, past);
			if (from.len < sizeof from.b)
				from.b[from.len++] = 0; /* the first key after it */
		}
	}
	walk->store = store;
	walk->prefix_len = prefix->len;
	walk->it = store_iterate(
		store, snapshot, STORE_JOBS, row_key_view(&from), row_key_view(&to), newest_first);
	return walk->it ? STATUS_OK : STATUS_NO_MEMORY;
}

/* c is left at the value's start. */
static enum status walk_next(struct row_walk *walk, struct settle_place *place, struct cursor *c)
{
	struct bytes key, value;
	enum status status = store_next(walk->store, walk->it, &key, &value);
	struct cursor at;

	if (status != STATUS_OK)
		return status;
	if (key.len != walk->prefix_len + PLACE_BYTES)
		return STATUS_CORRUPT;
	at = cursor_of(bytes_view(key.data + walk->prefix_len, PLACE_BYTES));
	*place = read_place(&at);
	*c = cursor_of(value);
	return STATUS_OK;
}

/* The end of the rows is a page's ordinary end. */
static enum status walk_close(struct row_walk *walk, enum status status)
{
	store_iterator_free(walk->store, walk->it);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status settle_job_history(struct store *store, const struct store_snapshot *snapshot,
	struct settle_change *out, size_t max, size_t *count, const struct job_key *job,
	const struct settle_place *after)
{
	struct row_key prefix = row_key_of('j', job->b, job->len);
	struct row_walk walk;
	struct cursor c;
	enum status status = walk_open(&walk, store, snapshot, &prefix, after, false);

	*count = 0;
	if (status != STATUS_OK)
		return status;
	while (*count < max && status == STATUS_OK) {
		struct settle_change *change = &out[*count];

		status = walk_next(&walk, &change->place, &c);
		if (status != STATUS_OK)
			break;
		change->state = cursor_u8(&c);
		change->cause = cursor_u8(&c);
		change->attempt = cursor_u32be(&c);
		if (cursor_done(&c))
			++*count;
		else
			status = STATUS_CORRUPT;
	}
	return walk_close(&walk, status);
}

static char list_kind(enum settle_list list)
{
	switch (list) {
	case LIST_BY_CLIENT: return 'c';
	case LIST_BY_COORDINATOR: return 'o';
	case LIST_BY_MINER: return 'm';
	}
	CHECK(false);
}

enum status settle_jobs_page(struct store *store, const struct store_snapshot *snapshot,
	struct settle_listed *out, size_t max, size_t *count, enum settle_list list,
	const struct account_address *account, const struct settle_place *before)
{
	struct row_key prefix = row_key_of(list_kind(list), account->b, sizeof account->b);
	struct row_walk walk;
	struct cursor c;
	enum status status = walk_open(&walk, store, snapshot, &prefix, before, true);

	*count = 0;
	if (status != STATUS_OK)
		return status;
	while (*count < max && status == STATUS_OK) {
		status = walk_next(&walk, &out[*count].place, &c);
		if (status != STATUS_OK)
			break;
		read_job(&c, &out[*count].job);
		if (cursor_done(&c))
			++*count;
		else
			status = STATUS_CORRUPT;
	}
	return walk_close(&walk, status);
}

enum status settle_receipts_page(struct store *store, const struct store_snapshot *snapshot,
	struct settle_receipt *out, size_t max, size_t *count, const struct settle_place *before)
{
	struct row_key prefix = row_key_of('R', NULL, 0);
	struct row_walk walk;
	struct cursor c;
	enum status status = walk_open(&walk, store, snapshot, &prefix, before, true);

	*count = 0;
	if (status != STATUS_OK)
		return status;
	while (*count < max && status == STATUS_OK) {
		struct settle_receipt *receipt = &out[*count];

		status = walk_next(&walk, &receipt->place, &c);
		if (status != STATUS_OK)
			break;
		cursor_copy(&c, receipt->id.b, sizeof receipt->id.b);
		cursor_copy(&c, receipt->miner.b, sizeof receipt->miner.b);
		receipt->to_miner = cursor_u64be(&c);
		receipt->to_coordinator = cursor_u64be(&c);
		read_job(&c, &receipt->job);
		if (cursor_done(&c))
			++*count;
		else
			status = STATUS_CORRUPT;
	}
	return walk_close(&walk, status);
}

/* ---- writing ---- */

static void row_put(
	struct store_batch *batch, const struct row_key *key, const void *value, size_t len)
{
	store_batch_put(batch, STORE_JOBS, row_key_view(key), bytes_view(value, len));
}

void rows_put_head(struct store_batch *batch, const struct settle_head *head)
{
	struct row_key key = row_key_of('H', NULL, 0);
	uint8_t value[8 + 32 + 32 + 8];

	put_u64be(value, (uint64_t)head->height);
	memcpy(value + 8, head->app_hash.b, 32);
	memcpy(value + 40, head->chain_tag.b, 32);
	put_u64be(value + 72, head->block_ms);
	row_put(batch, &key, value, sizeof value);
}

void rows_put_change(
	struct store_batch *batch, const struct job_key *job, const struct settle_change *change)
{
	struct row_key key = row_key_of('j', job->b, job->len);
	uint8_t value[6];

	row_key_add_place(&key, &change->place);
	value[0] = (uint8_t)change->state;
	value[1] = (uint8_t)change->cause;
	put_u32be(value + 2, change->attempt);
	row_put(batch, &key, value, sizeof value);
}

void rows_put_listed(struct store_batch *batch, enum settle_list list,
	const struct account_address *account, const struct settle_listed *listed)
{
	struct row_key key = row_key_of(list_kind(list), account->b, sizeof account->b);

	row_key_add_place(&key, &listed->place);
	row_put(batch, &key, listed->job.b, listed->job.len);
}

void rows_put_receipt(struct store_batch *batch, const struct settle_receipt *receipt)
{
	struct row_key key = row_key_of('R', NULL, 0);
	uint8_t value[16 + 20 + 8 + 8 + JOB_KEY_BYTES_MAX];

	row_key_add_place(&key, &receipt->place);
	memcpy(value, receipt->id.b, 16);
	memcpy(value + 16, receipt->miner.b, 20);
	put_u64be(value + 36, receipt->to_miner);
	put_u64be(value + 44, receipt->to_coordinator);
	memcpy(value + 52, receipt->job.b, receipt->job.len);
	row_put(batch, &key, value, 52 + receipt->job.len);
}

void rows_put_receipt_place(struct store_batch *batch, const struct receipt_id *id,
	const struct settle_receipt_place *at)
{
	struct row_key key = row_key_of('r', id->b, sizeof id->b);
	uint8_t value[PLACE_BYTES + JOB_KEY_BYTES_MAX];

	put_u64be(value, (uint64_t)at->place.height);
	put_u32be(value + 8, at->place.tx);
	put_u32be(value + 12, at->place.action);
	memcpy(value + PLACE_BYTES, at->job.b, at->job.len);
	row_put(batch, &key, value, PLACE_BYTES + at->job.len);
}

void rows_put_outcomes(
	struct store_batch *batch, int64_t height, uint32_t tx, struct bytes outcomes)
{
	struct row_key key = row_key_of('a', NULL, 0);

	put_u64be(key.b + 1, (uint64_t)height);
	put_u32be(key.b + 9, tx);
	key.len = 13;
	row_put(batch, &key, outcomes.data, outcomes.len);
}
