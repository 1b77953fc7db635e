#define _GNU_SOURCE
#include "miner/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "wallet/fields.h"

enum { ENTRY_BYTES_MAX = 4 * 1024 * 1024, PATH_BYTES = WORKDIR_PATH_BYTES + NAME_MAX + 8 };

static bool make_folder(const char *path, char fault[256])
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return true;
	snprintf(fault, 256, "can't make %.180s: %s", path, strerror(errno));
	return false;
}

enum status journal_open(
	struct journal *journal, const char *state_dir, struct log *log, char fault[256])
{
	char path[WORKDIR_PATH_BYTES + 8];
	*journal = (struct journal){.lock_fd = -1, .log = log};
	if ((size_t)snprintf(journal->folder, sizeof journal->folder, "%s/jobs", state_dir) >=
		sizeof journal->folder) {
		snprintf(fault, 256, "state_dir is too long");
		return STATUS_INVALID;
	}
	if (!make_folder(state_dir, fault) || !make_folder(journal->folder, fault))
		return STATUS_IO;
	snprintf(path, sizeof path, "%s/lock", state_dir);
	journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (journal->lock_fd < 0 || flock(journal->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		bool taken = journal->lock_fd >= 0 && errno == EWOULDBLOCK;
		snprintf(fault, 256,
			taken ? "another aitbc-miner uses %.180s" : "can't lock %.180s", state_dir);
		journal_close(journal);
		return taken ? STATUS_BUSY : STATUS_IO;
	}
	return STATUS_OK;
}

void journal_close(struct journal *journal)
{
	if (journal->lock_fd >= 0)
		close(journal->lock_fd);
	journal->lock_fd = -1;
}

static void entry_path(char out[PATH_BYTES], const struct journal *journal,
	const struct account_address *client, const char *job_id, uint32_t attempt,
	const char *ending)
{
	char id[JOB_REST_ID_BYTES];
	job_rest_id(id, client, job_id);
	snprintf(out, PATH_BYTES, "%s/%s.%" PRIu32 ".%s", journal->folder, id, attempt, ending);
}

static void put_entry(struct buf *out, const struct journal_entry *entry)
{
	char address[ADDRESS_TEXT_BYTES];
	address_text(address, &entry->client);
	buf_append_text(out, "{\"version\":1,\"complete\":");
	json_put_bool(out, entry->complete);
	buf_append_text(out, ",\"client\":");
	json_put_text(out, address);
	buf_append_text(out, ",\"job_id\":");
	json_put_text(out, entry->job_id);
	buf_append_text(out, ",\"attempt\":");
	json_put_u64(out, entry->attempt);
	if (entry->complete) {
		buf_append_text(out, ",\"units_milli\":");
		json_put_u64_text(out, entry->work.units_milli);
		buf_append_text(out, ",\"started_ms\":");
		json_put_u64_text(out, entry->work.started_ms);
		buf_append_text(out, ",\"completed_ms\":");
		json_put_u64_text(out, entry->work.completed_ms);
		buf_append_text(out, ",\"completed_job_ms\":");
		json_put_u64_text(out, entry->completed_job_ms);
		buf_append_text(out, ",\"tokens\":");
		json_put_u64_text(out, entry->tokens);
		buf_append_text(out, ",\"compute_ms\":");
		json_put_u64_text(out, entry->compute_ms);
		buf_append_text(out, ",\"result_hash\":");
		json_put_hex_upper(out, entry->work.result_hash.b, 32);
		buf_append_text(out, ",\"result\":");
		json_put_base64(out, entry->result.data, entry->result.len);
	}
	buf_append_text(out, "}\n");
}

static bool write_all(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t put = write(fd, data.data, data.len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		data = bytes_view(data.data + put, data.len - (size_t)put);
	}
	return true;
}

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

enum status journal_write(struct journal *journal, const struct journal_entry *entry)
{
	char path[PATH_BYTES], fresh[PATH_BYTES];
	struct buf text;
	entry_path(path, journal, &entry->client, entry->job_id, entry->attempt, "json");
	entry_path(fresh, journal, &entry->client, entry->job_id, entry->attempt, "new");
	buf_init(&text, ENTRY_BYTES_MAX);
	put_entry(&text, entry);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = buf_ok(&text) && fd >= 0 && write_all(fd, buf_view(&text)) && fsync(fd) == 0;
	int error = errno;
	if (fd >= 0)
		close(fd);
	ok = ok && rename(fresh, path) == 0 && sync_folder(journal->folder);
	if (!ok)
		unlink(fresh);
	buf_fini(&text);
	if (ok)
		return STATUS_OK;
	return error == ENOSPC || error == EDQUOT ? STATUS_DISK_FULL : STATUS_IO;
}

void journal_remove(struct journal *journal, const struct account_address *client,
	const char *job_id, uint32_t attempt)
{
	char path[PATH_BYTES];
	entry_path(path, journal, client, job_id, attempt, "json");
	if (unlink(path) != 0 && errno != ENOENT)
		log_event(journal->log, LOG_UNUSUAL, "journal.stuck file=%s reason=\"%s\"", path,
			strerror(errno));
}

static bool read_work(struct journal_entry *entry, const json_t *json)
{
	const char *result = field_text(json, "result");
	if (!field_u64(&entry->work.units_milli, json, "units_milli") ||
		!field_u64(&entry->work.started_ms, json, "started_ms") ||
		!field_u64(&entry->work.completed_ms, json, "completed_ms") ||
		!field_u64(&entry->completed_job_ms, json, "completed_job_ms") ||
		!field_u64(&entry->tokens, json, "tokens") ||
		!field_u64(&entry->compute_ms, json, "compute_ms") ||
		!field_hex(entry->work.result_hash.b, 32, json, "result_hash") ||
		!base64_decode(&entry->result, result, strlen(result)) || !buf_ok(&entry->result))
		return false;
	struct hash32 hash = sha256(buf_view(&entry->result));
	return hash_equal(&hash, &entry->work.result_hash);
}

static bool read_entry(struct journal_entry *entry, struct bytes text)
{
	struct json_fault fault;
	json_t *json = json_read(text, &fault);
	bool ok = json_is_object(json) && field_bool(&entry->complete, json, "complete") &&
		  field_address(&entry->client, json, "client") &&
		  field_copy(entry->job_id, JOB_ID_BYTES_MAX, json, "job_id") &&
		  job_id_valid(bytes_of_text(entry->job_id)) &&
		  field_u32(&entry->attempt, json, "attempt") &&
		  (!entry->complete || read_work(entry, json));
	json_decref(json);
	return ok;
}

static bool read_file(struct buf *out, const char *path)
{
	uint8_t chunk[4096];
	ssize_t got = -1;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	while (fd >= 0 && (got = read(fd, chunk, sizeof chunk)) > 0)
		buf_append(out, chunk, (size_t)got);
	if (fd >= 0)
		close(fd);
	return got == 0 && buf_ok(out);
}

static void visit_file(struct journal *journal, const char *name, journal_visit *visit, void *ctx)
{
	char path[PATH_BYTES], aside[PATH_BYTES + 8];
	struct journal_entry entry = {0};
	struct buf text;
	snprintf(path, sizeof path, "%s/%s", journal->folder, name);
	buf_init(&text, ENTRY_BYTES_MAX);
	buf_init(&entry.result, ENTRY_BYTES_MAX);
	if (read_file(&text, path) && read_entry(&entry, buf_view(&text))) {
		visit(ctx, &entry);
	} else {
		snprintf(aside, sizeof aside, "%s.bad", path);
		log_event(journal->log, LOG_BROKEN, "journal.unreadable file=%s kept_as=%s", path,
			aside);
		if (rename(path, aside) != 0)
			log_event(journal->log, LOG_BROKEN, "journal.stuck file=%s", path);
	}
	buf_fini(&entry.result);
	buf_fini(&text);
}

void journal_each(struct journal *journal, journal_visit *visit, void *ctx)
{
	struct dirent **names = NULL;
	int count = scandir(journal->folder, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		size_t len = strlen(names[i]->d_name);
		if (len > 5 && strcmp(names[i]->d_name + len - 5, ".json") == 0)
			visit_file(journal, names[i]->d_name, visit, ctx);
		free(names[i]);
	}
	free(names);
}
