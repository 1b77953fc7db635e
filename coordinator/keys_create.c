/* The keys of a fresh home. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/keys.h"
#include "coordinator/coordinator.h"
#include "coordinator/keys.h"

enum { SECRET_BYTES = 24, MINER_KEYS_MAX = 64 };

struct maker {
	void (*random)(void *ctx, void *out, size_t len);
	void *ctx;
	struct buf hashes; /* keys.json */
	struct buf plain;  /* devnet-keys.json */
	size_t count;
};

/* One key: its hash into the one file, itself into the other. */
static void make(struct maker *maker, const char *id, const char *role, const char *prefix)
{
	uint8_t secret[SECRET_BYTES];
	char text[8 + 2 * SECRET_BYTES + 1];
	size_t prefix_len = strlen(prefix);
	struct hash32 hash;

	maker->random(maker->ctx, secret, sizeof secret);
	snprintf(text, sizeof text, "%s", prefix);
	hex_lower(text + prefix_len, secret, sizeof secret);
	hash = sha256(bytes_of_text(text));
	buf_append_text(&maker->hashes, maker->count++ ? ",\n  " : "\n  ");
	buf_appendf(&maker->hashes, "{\"id\": \"%s\", \"role\": \"%s\", \"sha256\": \"", id, role);
	buf_append_hex_lower(&maker->hashes, hash.b, sizeof hash.b);
	buf_append_text(&maker->hashes, "\"}");
	json_put_text(&maker->plain, text);
	secret_wipe(secret, sizeof secret);
	secret_wipe(text, sizeof text);
}

static enum status write_new(const char *dir, const char *name, struct buf *text, char fault[256])
{
	char path[1024];
	enum status status = STATUS_IO;
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		snprintf(fault, 256, "%.150s: %s", path, strerror(errno));
		return errno == EEXIST ? STATUS_BUSY : STATUS_IO;
	}
	if (buf_ok(text) && write(fd, text->data, text->len) == (ssize_t)text->len &&
		fsync(fd) == 0)
		status = STATUS_OK;
	else
		snprintf(fault, 256, "%.150s: can't be written", path);
	if (close(fd) != 0)
		status = STATUS_IO;
	return status;
}

enum status coordinator_keys_create(const char *dir, size_t miner_count,
	void (*random)(void *ctx, void *out, size_t len), void *ctx, char fault[256])
{
	struct maker maker = {.random = random, .ctx = ctx};
	enum status status;

	if (miner_count > MINER_KEYS_MAX) {
		snprintf(fault, 256, "at most %d miner keys", MINER_KEYS_MAX);
		return STATUS_INVALID;
	}
	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		snprintf(fault, 256, "%.150s: %s", dir, strerror(errno));
		return STATUS_IO;
	}
	buf_init(&maker.hashes, 0);
	buf_init(&maker.plain, 0);
	buf_append_text(&maker.hashes, "{\"keys\": [");
	buf_append_text(&maker.plain, "{\"client_key\": ");
	make(&maker, "client-1", "client", "aic_");
	buf_append_text(&maker.plain, ",\n \"admin_key\": ");
	make(&maker, "admin-1", "admin", "aia_");
	buf_append_text(&maker.plain, ",\n \"miner_keys\": [");
	for (size_t i = 0; i < miner_count; i++) {
		char id[API_KEY_ID_BYTES_MAX + 1];

		snprintf(id, sizeof id, "miner-%zu", i + 1);
		buf_append_text(&maker.plain, i ? ", " : "");
		make(&maker, id, "miner", "aim_");
	}
	buf_append_text(&maker.hashes, "\n]}\n");
	buf_append_text(&maker.plain, "]}\n");
	status = write_new(dir, "keys.json", &maker.hashes, fault);
	if (status == STATUS_OK)
		status = write_new(dir, "devnet-keys.json", &maker.plain, fault);
	if (maker.plain.data)
		secret_wipe(maker.plain.data, maker.plain.len);
	buf_fini(&maker.hashes);
	buf_fini(&maker.plain);
	return status;
}
