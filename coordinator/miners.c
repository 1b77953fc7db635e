#include "coordinator/miners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "coordinator/record.h"

static const struct record_field fields[] = {
	RECORD_FIELD(1, RECORD_TEXT, struct miner, id),
	RECORD_FIELD(2, RECORD_TEXT, struct miner, key_id),
	RECORD_FIELD(3, RECORD_RAW, struct miner, key),
	RECORD_FIELD(4, RECORD_TEXT, struct miner, url),
	RECORD_FIELD(6, RECORD_TEXT, struct miner, models),
	RECORD_FIELD(7, RECORD_TEXT, struct miner, region),
	RECORD_FIELD(8, RECORD_TEXT, struct miner, session),
	RECORD_FIELD(9, RECORD_U32, struct miner, concurrency),
	RECORD_FIELD(10, RECORD_U32, struct miner, draining),
	RECORD_FIELD(11, RECORD_U64, struct miner, registered_ms),
	RECORD_FIELD(12, RECORD_U64, struct miner, heard_ms),
	RECORD_FIELD(13, RECORD_U64, struct miner, settled),
	RECORD_FIELD(14, RECORD_U64, struct miner, failed),
	RECORD_FIELD(15, RECORD_U64, struct miner, earned),
	RECORD_FIELD(16, RECORD_U64, struct miner, last_job_ms),
	RECORD_FIELD(17, RECORD_U64, struct miner, work_ms),
	RECORD_FIELD(18, RECORD_TEXT, struct miner, last_receipt_id),
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

/* Services are stored by name: their order in our table may change. */
enum { TAG_SERVICE_NAMES = 200 };

void miner_table_init(struct miner_table *table, struct book *book)
{
	memset(table, 0, sizeof *table);
	table->book = book;
}

void miner_table_fini(struct miner_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->miners[i]);
	free(table->miners);
	memset(table, 0, sizeof *table);
}

/* Where id is, or would be. */
static size_t place_of(const struct miner_table *table, const char *id, bool *found)
{
	size_t low = 0, high = table->count;

	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(table->miners[middle]->id, id);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct miner *miner_find(const struct miner_table *table, const char *id)
{
	bool found;
	size_t at = place_of(table, id, &found);

	return found ? table->miners[at] : NULL;
}

struct miner *miner_add(struct miner_table *table, const char *id)
{
	bool found;
	size_t at = place_of(table, id, &found);
	struct miner *miner;

	if (found || table->count >= MINERS_MAX)
		return NULL;
	if (table->count == table->cap) {
		size_t cap = table->cap == 0 ? 16 : table->cap * 2;
		struct miner **miners = realloc(table->miners, cap * sizeof *miners);

		if (!miners)
			return NULL;
		table->miners = miners;
		table->cap = cap;
	}
	miner = calloc(1, sizeof *miner);
	if (!miner)
		return NULL;
	snprintf(miner->id, sizeof miner->id, "%s", id);
	memmove(table->miners + at + 1, table->miners + at,
		(table->count - at) * sizeof *table->miners);
	table->miners[at] = miner;
	table->count++;
	return miner;
}

static void key_of(struct buf *out, const char *id)
{
	buf_append_byte(out, 'm');
	buf_append_text(out, id);
}

void miner_remove(struct miner_table *table, struct miner *miner)
{
	bool found;
	size_t at = place_of(table, miner->id, &found);
	struct buf key;

	CHECK(found);
	buf_init(&key, 0);
	key_of(&key, miner->id);
	book_delete(table->book, buf_view(&key));
	buf_fini(&key);
	memmove(table->miners + at, table->miners + at + 1,
		(table->count - at - 1) * sizeof *table->miners);
	table->count--;
	free(miner);
}

void miner_save(struct miner_table *table, const struct miner *miner)
{
	struct buf key, row, names;

	buf_init(&key, 0);
	buf_init(&row, 0);
	buf_init(&names, 0);
	key_of(&key, miner->id);
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		if (miner->services & (uint64_t)1 << i) {
			buf_append_text(&names, service_at(i)->name);
			buf_append_byte(&names, '\n');
		}
	}
	buf_append_byte(&row, TAG_SERVICE_NAMES);
	buf_append_u32be(&row, (uint32_t)names.len);
	buf_append_view(&row, buf_view(&names));
	record_put(&row, fields, FIELD_COUNT, miner);
	if (buf_ok(&row) && buf_ok(&key))
		book_put(table->book, buf_view(&key), buf_view(&row));
	buf_fini(&names);
	buf_fini(&row);
	buf_fini(&key);
}

static void services_from_names(struct miner *miner, struct bytes names)
{
	const char *at = (const char *)names.data;
	size_t left = names.len;

	while (left > 0) {
		const char *end = memchr(at, '\n', left);
		size_t len = end ? (size_t)(end - at) : left;
		const struct service *service = service_by_name(at, len);

		if (service)
			miner->services |= (uint64_t)1 << service_index(service);
		if (!end)
			break;
		left -= len + 1;
		at = end + 1;
	}
}

static bool miner_read(struct miner *out, struct bytes row)
{
	size_t names_len;

	if (row.len < 5 || row.data[0] != TAG_SERVICE_NAMES)
		return false;
	names_len = (size_t)row.data[3] << 8 | row.data[4];
	if (names_len > row.len - 5)
		return false;
	if (!record_get(out, fields, FIELD_COUNT,
		    bytes_view(row.data + 5 + names_len, row.len - 5 - names_len)))
		return false;
	services_from_names(out, bytes_view(row.data + 5, names_len));
	return miner_id_valid(out->id);
}

enum status miner_table_load(struct miner_table *table)
{
	struct store *store = table->book->store;
	struct store_iterator *it = store_iterate(
		store, NULL, STORE_COORDINATOR, bytes_of_text("m"), bytes_of_text("n"), false);
	struct bytes key, value;
	enum status status;

	if (!it)
		return STATUS_NO_MEMORY;
	while ((status = store_next(store, it, &key, &value)) == STATUS_OK) {
		struct miner *read = calloc(1, sizeof *read), *miner = NULL;
		bool good = read && miner_read(read, value);

		if (good)
			miner = miner_add(table, read->id);
		if (miner)
			*miner = *read;
		free(read);
		if (!miner) {
			status = good ? STATUS_NO_MEMORY : STATUS_CORRUPT;
			break;
		}
	}
	store_iterator_free(store, it);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

bool miner_id_valid(const char *id)
{
	size_t len = strlen(id);

	return len >= 1 && len <= MINER_ID_BYTES_MAX &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789_.-") == len;
}

static bool fault_at(struct service_fault *fault, const char *field, const char *message)
{
	snprintf(fault->field, sizeof fault->field, "%s", field);
	snprintf(fault->message, sizeof fault->message, "%s", message);
	return false;
}

static bool set_models(struct miner *miner, const json_t *models, struct service_fault *fault)
{
	size_t used = 0;

	miner->models[0] = 0;
	if (!models)
		return true;
	if (!json_is_array(models) || json_array_size(models) > MINER_MODELS_MAX)
		return fault_at(fault, "capabilities.models", "must be a list of at most 64 names");
	for (size_t i = 0; i < json_array_size(models); i++) {
		const json_t *name = json_array_get(models, i);
		size_t len = json_string_length(name);

		if (!json_is_string(name) || len == 0 || len > SERVICE_MODEL_BYTES_MAX ||
			strchr(json_string_value(name), '\n') ||
			used + len + 1 > MINER_MODELS_BYTES_MAX)
			return fault_at(fault, "capabilities.models",
				"each must be a name of 1 to 128 bytes");
		memcpy(miner->models + used, json_string_value(name), len);
		used += len;
		miner->models[used++] = '\n';
		miner->models[used] = 0;
	}
	return true;
}

bool miner_set_capabilities(struct miner *miner, const json_t *body, struct service_fault *fault)
{
	const json_t *capabilities = json_object_get(body, "capabilities");
	const json_t *services = json_object_get(capabilities, "services");

	if (!services)
		services = json_object_get(capabilities, "supported_tasks");
	if (!json_is_array(services) || json_array_size(services) == 0)
		return fault_at(
			fault, "capabilities.services", "must be a list of services, at least one");
	miner->services = 0;
	for (size_t i = 0; i < json_array_size(services); i++) {
		const json_t *name = json_array_get(services, i);
		const struct service *service =
			json_is_string(name)
				? service_by_name(json_string_value(name), json_string_length(name))
				: NULL;

		/* What this coordinator doesn't offer is no fault: a miner may serve several. */
		if (service)
			miner->services |= (uint64_t)1 << service_index(service);
	}
	if (miner->services == 0)
		return fault_at(fault, "capabilities.services",
			"holds none of the services of this coordinator (see "
			"/v1/registry/services)");
	return set_models(miner, json_object_get(capabilities, "models"), fault);
}

static bool set_text(char *out, size_t size, const json_t *value)
{
	if (!value || json_is_null(value)) {
		out[0] = 0;
		return true;
	}
	if (!json_is_string(value) || json_string_length(value) >= size)
		return false;
	memcpy(out, json_string_value(value), json_string_length(value) + 1);
	return true;
}

/* Plain http, printable, nothing that could end a log line or a header. */
static bool url_valid(const char *url)
{
	if (strncmp(url, "http://", 7) != 0 || url[7] == 0)
		return false;
	for (const char *at = url; *at; at++) {
		if (*at <= ' ' || *at >= 0x7f || *at == '"' || *at == '\\')
			return false;
	}
	return true;
}

bool miner_set_registration(struct miner *miner, const json_t *body, struct service_fault *fault)
{
	const json_t *key = json_object_get(body, "public_key");
	const json_t *concurrency = json_object_get(body, "concurrency");
	json_int_t slots = concurrency ? json_integer_value(concurrency) : 1;

	if (!json_is_string(key) ||
		!hex_decode(miner->key.b, sizeof miner->key.b, json_string_value(key),
			json_string_length(key)) ||
		!account_key_valid(&miner->key))
		return fault_at(
			fault, "public_key", "must be a compressed secp256k1 key as 66 hex digits");
	if (!set_text(miner->url, sizeof miner->url, json_object_get(body, "url")) ||
		(miner->url[0] && !url_valid(miner->url)))
		return fault_at(fault, "url", "must be http:// and an address, at most 255 bytes");
	if (!set_text(miner->region, sizeof miner->region, json_object_get(body, "region")))
		return fault_at(fault, "region", "must be a text of at most 31 bytes");
	if ((concurrency && !json_is_integer(concurrency)) || slots < 1 ||
		slots > MINER_CONCURRENCY_MAX)
		return fault_at(fault, "concurrency", "must be a whole number from 1 to 64");
	miner->concurrency = (uint32_t)slots;
	for (size_t len = strlen(miner->url); len > 7 && miner->url[len - 1] == '/'; len--)
		miner->url[len - 1] = 0;
	return miner_set_capabilities(miner, body, fault);
}

bool miner_serves(const struct miner *miner, const struct service *service, const char *model)
{
	size_t len = strlen(model);
	const char *at = miner->models;

	if (!(miner->services & (uint64_t)1 << service_index(service)))
		return false;
	if (len == 0)
		return true;
	for (; *at; at = strchr(at, '\n') + 1) {
		if (strncmp(at, model, len) == 0 && at[len] == '\n')
			return true;
	}
	return false;
}

bool miner_online(const struct miner *miner, uint64_t now_ms, uint32_t ttl_ms)
{
	return !miner->draining && miner->heard_ms + ttl_ms > now_ms;
}

bool miner_ready(const struct miner *miner, uint64_t now_ms, uint32_t ttl_ms)
{
	return miner_online(miner, now_ms, ttl_ms) && miner->inflight < miner->concurrency &&
	       (miner->url[0] != 0 || (miner->polling && miner->promised == 0));
}

uint32_t miner_reputation(const struct miner *miner)
{
	return (uint32_t)((miner->settled + 1) * 1000 / (miner->settled + miner->failed + 2));
}

bool miner_better(const struct miner *a, const struct miner *b)
{
	uint32_t step_a = miner_reputation(a) / 100, step_b = miner_reputation(b) / 100;
	uint32_t free_a = a->concurrency - a->inflight, free_b = b->concurrency - b->inflight;

	if (step_a != step_b)
		return step_a > step_b;
	if (free_a != free_b)
		return free_a > free_b;
	return a->last_job_ms < b->last_job_ms;
}
