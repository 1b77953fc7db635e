#include "coordinator/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/hex.h"
#include "coordinator/record.h"

/* On disk: never renumber, never reuse. */
static const struct record_field fields[] = {
	RECORD_FIELD(1, RECORD_RAW, struct job, id),
	RECORD_FIELD(2, RECORD_U32, struct job, state),
	RECORD_FIELD(3, RECORD_TEXT, struct job, owner),
	RECORD_FIELD(4, RECORD_RAW, struct job, terms.client),
	RECORD_FIELD(5, RECORD_TEXT, struct job, terms.job_id),
	RECORD_FIELD(6, RECORD_U32, struct job, terms.attempt),
	RECORD_FIELD(7, RECORD_RAW, struct job, terms.coordinator),
	RECORD_FIELD(8, RECORD_U32, struct job, terms.coordinator_ppm),
	RECORD_FIELD(9, RECORD_TEXT, struct job, terms.service),
	RECORD_FIELD(10, RECORD_RAW, struct job, terms.payload_hash),
	RECORD_FIELD(11, RECORD_U64, struct job, terms.reward),
	RECORD_FIELD(12, RECORD_TEXT, struct job, terms.unit_type),
	RECORD_FIELD(13, RECORD_U64, struct job, terms.unit_price),
	RECORD_FIELD(14, RECORD_U64, struct job, terms.max_units_milli),
	RECORD_FIELD(15, RECORD_U64, struct job, terms.deadline_ms),
	RECORD_FIELD(16, RECORD_U32, struct job, terms.max_attempts),
	RECORD_FIELD(17, RECORD_U64, struct job, terms.review_ms),
	RECORD_FIELD(18, RECORD_U64, struct job, terms.grace_ms),
	RECORD_FIELD(19, RECORD_U64, struct job, terms.submit_height),
	RECORD_FIELD(20, RECORD_RAW, struct job, terms.miner),
	RECORD_FIELD(21, RECORD_U64, struct job, terms.to_miner),
	RECORD_FIELD(22, RECORD_U64, struct job, terms.to_coordinator),
	RECORD_FIELD(23, RECORD_U64, struct job, terms.to_client),
	RECORD_FIELD(24, RECORD_TEXT, struct job, model),
	RECORD_FIELD(25, RECORD_RAW, struct job, salt),
	RECORD_FIELD(26, RECORD_U64, struct job, ttl_ms),
	RECORD_FIELD(27, RECORD_U64, struct job, submitted_ms),
	RECORD_FIELD(28, RECORD_U64, struct job, queued_ms),
	RECORD_FIELD(29, RECORD_U64, struct job, started_ms),
	RECORD_FIELD(30, RECORD_U64, struct job, completed_ms),
	RECORD_FIELD(31, RECORD_U64, struct job, expires_ms),
	RECORD_FIELD(32, RECORD_U64, struct job, lease_end_ms),
	RECORD_FIELD(33, RECORD_U64, struct job, review_end_ms),
	RECORD_FIELD(34, RECORD_U64, struct job, submit_valid_until_ms),
	RECORD_FIELD(35, RECORD_TEXT, struct job, miner_id),
	RECORD_FIELD(36, RECORD_RAW, struct job, submit.hash),
	RECORD_FIELD(37, RECORD_U64, struct job, submit.height),
	RECORD_FIELD(38, RECORD_RAW, struct job, assign.hash),
	RECORD_FIELD(39, RECORD_U64, struct job, assign.height),
	RECORD_FIELD(40, RECORD_RAW, struct job, receipt_tx.hash),
	RECORD_FIELD(41, RECORD_U64, struct job, receipt_tx.height),
	RECORD_FIELD(42, RECORD_TEXT, struct job, receipt_id),
	RECORD_FIELD(43, RECORD_U64, struct job, amount),
	RECORD_FIELD(44, RECORD_U64, struct job, units_milli),
	RECORD_FIELD(45, RECORD_U64, struct job, work_started_ms),
	RECORD_FIELD(46, RECORD_U64, struct job, work_completed_ms),
	RECORD_FIELD(47, RECORD_RAW, struct job, result_hash),
	RECORD_FIELD(48, RECORD_RAW, struct job, miner_signature),
	RECORD_FIELD(49, RECORD_TEXT, struct job, reason),
	RECORD_FIELD(50, RECORD_U32, struct job, managed),
	RECORD_FIELD(54, RECORD_U32, struct job, refused_code),
	RECORD_FIELD(53, RECORD_RAW, struct job, delivered_result),
	RECORD_FIELD(52, RECORD_U32, struct job, terms.on_silence),
	RECORD_FIELD(51, RECORD_U64, struct job, delivered_ms),
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

/* Rows: 'j' id -> record; 'l' id -> "" while live; 'p' id payload; 'r' id result; 'x' id raw submit
 * transaction until it is committed; 't' u64be submitted id and 'o' owner 0x00 u64be submitted id
 * -> "", the listings. */
struct row_key {
	uint8_t b[1 + API_KEY_ID_BYTES_MAX + 1 + 8 + JOB_ID_RAW_BYTES];
	size_t len;
};

static struct row_key id_key(char kind, const uint8_t id[JOB_ID_RAW_BYTES])
{
	struct row_key key = {{(uint8_t)kind}, 1 + JOB_ID_RAW_BYTES};

	memcpy(key.b + 1, id, JOB_ID_RAW_BYTES);
	return key;
}

/* owner "": the listing of all. */
static struct row_key list_key(
	const char *owner, uint64_t submitted_ms, const uint8_t id[JOB_ID_RAW_BYTES])
{
	struct row_key key = {{owner[0] ? 'o' : 't'}, 1};
	size_t len = strlen(owner);

	if (len > 0) {
		memcpy(key.b + 1, owner, len + 1);
		key.len += len + 1;
	}
	put_u64be(key.b + key.len, submitted_ms);
	memcpy(key.b + key.len + 8, id, JOB_ID_RAW_BYTES);
	key.len += 8 + JOB_ID_RAW_BYTES;
	return key;
}

static struct bytes key_view(const struct row_key *key)
{
	return bytes_view(key->b, key->len);
}

enum { BUCKETS_FIRST = 1024 };

enum status job_table_init(struct job_table *table, struct book *book)
{
	memset(table, 0, sizeof *table);
	table->book = book;
	table->buckets = calloc(BUCKETS_FIRST, sizeof *table->buckets);
	if (!table->buckets)
		return STATUS_NO_MEMORY;
	table->bucket_count = BUCKETS_FIRST;
	return STATUS_OK;
}

void job_table_fini(struct job_table *table)
{
	for (size_t i = 0; i < table->bucket_count; i++) {
		while (table->buckets[i]) {
			struct job *job = table->buckets[i];

			table->buckets[i] = job->next_in_bucket;
			free(job->raw_tx);
			free(job);
		}
	}
	free(table->buckets);
	memset(table, 0, sizeof *table);
}

static struct job **bucket_of(const struct job_table *table, const uint8_t id[JOB_ID_RAW_BYTES])
{
	/* Ids are hashes already. */
	return &table->buckets[get_u32be(id) & (table->bucket_count - 1)];
}

struct job *jobs_find(const struct job_table *table, const uint8_t id[JOB_ID_RAW_BYTES])
{
	struct job *job = *bucket_of(table, id);

	while (job && memcmp(job->id, id, JOB_ID_RAW_BYTES) != 0)
		job = job->next_in_bucket;
	return job;
}

static void grow(struct job_table *table)
{
	struct job_table larger = *table;

	larger.bucket_count *= 2;
	larger.buckets = calloc(larger.bucket_count, sizeof *larger.buckets);
	if (!larger.buckets)
		return; /* longer chains still work */
	for (size_t i = 0; i < table->bucket_count; i++) {
		while (table->buckets[i]) {
			struct job *job = table->buckets[i];
			struct job **bucket = bucket_of(&larger, job->id);

			table->buckets[i] = job->next_in_bucket;
			job->next_in_bucket = *bucket;
			*bucket = job;
		}
	}
	free(table->buckets);
	*table = larger;
}

struct job *job_add(struct job_table *table, const uint8_t id[JOB_ID_RAW_BYTES])
{
	struct job *job;
	struct job **bucket;

	if (table->count >= JOBS_LIVE_MAX)
		return NULL;
	job = calloc(1, sizeof *job);
	if (!job)
		return NULL;
	if (table->count >= table->bucket_count)
		grow(table);
	memcpy(job->id, id, JOB_ID_RAW_BYTES);
	bucket = bucket_of(table, id);
	job->next_in_bucket = *bucket;
	*bucket = job;
	table->count++;
	return job;
}

void job_drop(struct job_table *table, struct job *job)
{
	struct job **at = bucket_of(table, job->id);

	while (*at && *at != job)
		at = &(*at)->next_in_bucket;
	CHECK(*at == job);
	*at = job->next_in_bucket;
	table->count--;
	free(job->raw_tx);
	free(job);
}

void job_save(struct job_table *table, const struct job *job)
{
	struct row_key key = id_key('j', job->id), live = id_key('l', job->id);
	struct buf row;

	buf_init(&row, 0);
	record_put(&row, fields, FIELD_COUNT, job);
	if (buf_ok(&row))
		book_put(table->book, key_view(&key), buf_view(&row));
	buf_fini(&row);
	if (job_ended((enum job_state)job->state))
		book_delete(table->book, key_view(&live));
}

void job_save_new(
	struct job_table *table, const struct job *job, struct bytes payload, struct bytes tx)
{
	struct row_key live = id_key('l', job->id), body = id_key('p', job->id),
		       raw = id_key('x', job->id), all = list_key("", job->submitted_ms, job->id),
		       own = list_key(job->owner, job->submitted_ms, job->id);
	struct bytes nothing = {NULL, 0};

	book_must_sync(table->book);
	job_save(table, job);
	book_put(table->book, key_view(&live), nothing);
	book_put(table->book, key_view(&body), payload);
	if (tx.len > 0)
		book_put(table->book, key_view(&raw), tx);
	book_put(table->book, key_view(&all), nothing);
	book_put(table->book, key_view(&own), nothing);
}

void job_unlist(struct job_table *table, const struct job *job)
{
	struct row_key all = list_key("", job->submitted_ms, job->id),
		       own = list_key(job->owner, job->submitted_ms, job->id);

	book_delete(table->book, key_view(&all));
	book_delete(table->book, key_view(&own));
}

void job_save_result(struct job_table *table, const struct job *job, struct bytes result)
{
	struct row_key key = id_key('r', job->id);

	book_must_sync(table->book);
	book_put(table->book, key_view(&key), result);
}

void job_forget_tx(struct job_table *table, const struct job *job)
{
	struct row_key key = id_key('x', job->id);

	book_delete(table->book, key_view(&key));
}

bool jobs_move(struct job_table *table, struct job *job, enum job_event event)
{
	enum job_state next;

	if (!job_state_next(&next, (enum job_state)job->state, event))
		return false;
	job->state = (uint32_t)next;
	job_save(table, job);
	return true;
}

static enum status read_row(
	struct job_table *table, struct buf *out, char kind, const uint8_t id[JOB_ID_RAW_BYTES])
{
	struct row_key key = id_key(kind, id);
	enum status status =
		store_get(table->book->store, NULL, STORE_COORDINATOR, key_view(&key), out);

	return status == STATUS_OK && !buf_ok(out) ? STATUS_NO_MEMORY : status;
}

static bool state_valid(uint32_t state)
{
	return state >= JOB_SUBMITTING && state <= JOB_REFUSED;
}

static enum status read_record(
	struct job_table *table, struct job *out, const uint8_t id[JOB_ID_RAW_BYTES])
{
	struct buf row;
	enum status status;

	memset(out, 0, sizeof *out);
	buf_init(&row, 0);
	status = read_row(table, &row, 'j', id);
	if (status == STATUS_OK &&
		(!record_get(out, fields, FIELD_COUNT, buf_view(&row)) || !state_valid(out->state)))
		status = STATUS_CORRUPT;
	out->terms.assigned = out->miner_id[0] != 0;
	buf_fini(&row);
	return status;
}

enum status job_read(struct job_table *table, struct job *out, const uint8_t id[JOB_ID_RAW_BYTES])
{
	const struct job *live = jobs_find(table, id);

	if (!live)
		return read_record(table, out, id);
	*out = *live;
	return STATUS_OK;
}

enum status job_payload(struct job_table *table, const struct job *job, struct buf *out)
{
	return read_row(table, out, 'p', job->id);
}

enum status job_result(struct job_table *table, const struct job *job, struct buf *out)
{
	return read_row(table, out, 'r', job->id);
}

enum status job_raw_tx(struct job_table *table, const struct job *job, struct buf *out)
{
	return read_row(table, out, 'x', job->id);
}

enum status job_table_load(struct job_table *table)
{
	struct store *store = table->book->store;
	struct store_iterator *it = store_iterate(
		store, NULL, STORE_COORDINATOR, bytes_of_text("l"), bytes_of_text("m"), false);
	struct bytes key, value;
	enum status status;

	if (!it)
		return STATUS_NO_MEMORY;
	while ((status = store_next(store, it, &key, &value)) == STATUS_OK) {
		struct job *job;
		struct job read;

		status = key.len == 1 + JOB_ID_RAW_BYTES ? read_record(table, &read, key.data + 1)
							 : STATUS_CORRUPT;
		if (status != STATUS_OK)
			break;
		if (job_ended((enum job_state)read.state))
			continue;
		job = job_add(table, read.id);
		if (!job) {
			status = STATUS_NO_MEMORY;
			break;
		}
		read.next_in_bucket = job->next_in_bucket;
		*job = read;
	}
	store_iterator_free(store, it);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

bool job_id_parse(uint8_t id[JOB_ID_RAW_BYTES], const char *text, size_t len)
{
	if (len > 4 && memcmp(text, "job_", 4) == 0) {
		text += 4;
		len -= 4;
	}
	return hex_decode(id, JOB_ID_RAW_BYTES, text, len);
}

void job_id_text(char out[JOB_REST_ID_BYTES], const uint8_t id[JOB_ID_RAW_BYTES])
{
	snprintf(out, JOB_REST_ID_BYTES, "job_");
	hex_lower(out + 4, id, JOB_ID_RAW_BYTES);
}

enum status job_list(struct job_table *table, const char *owner, job_visit *visit, void *ctx)
{
	static const uint8_t lowest[JOB_ID_RAW_BYTES] = {0};
	struct row_key from = list_key(owner, 0, lowest), to = list_key(owner, UINT64_MAX, lowest);
	struct store *store = table->book->store;
	struct store_iterator *it =
		store_iterate(store, NULL, STORE_COORDINATOR, key_view(&from), key_view(&to), true);
	struct bytes key, value;
	enum status status;

	if (!it)
		return STATUS_NO_MEMORY;
	while ((status = store_next(store, it, &key, &value)) == STATUS_OK) {
		struct job job;

		status = key.len == from.len
				 ? job_read(table, &job, key.data + key.len - JOB_ID_RAW_BYTES)
				 : STATUS_CORRUPT;
		if (status != STATUS_OK || !visit(ctx, &job))
			break;
	}
	store_iterator_free(store, it);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
