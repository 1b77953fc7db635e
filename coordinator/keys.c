#include "coordinator/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/keys.h"

enum { KEYS_FILE_BYTES_MAX = 1024 * 1024 };

const char *api_role_name(enum api_role role)
{
	switch (role) {
	case API_CLIENT: return "client";
	case API_MINER: return "miner";
	case API_ADMIN: return "admin";
	}
	return "client";
}

static bool role_parse(enum api_role *out, const char *text)
{
	for (int role = API_CLIENT; role <= API_ADMIN; role++) {
		if (text && strcmp(text, api_role_name((enum api_role)role)) == 0) {
			*out = (enum api_role)role;
			return true;
		}
	}
	return false;
}

static bool rate_parse(uint32_t *out, const json_t *value)
{
	json_int_t number = json_integer_value(value);

	if (!value)
		return true;
	if (!json_is_integer(value) || number < 1 || number > 1000000)
		return false;
	*out = (uint32_t)number;
	return true;
}

static bool key_parse(struct api_key *out, const json_t *entry, const char **wrong)
{
	const json_t *id = json_object_get(entry, "id");
	const json_t *hash = json_object_get(entry, "sha256");

	*wrong = "id must be a text of 1 to 31 bytes";
	if (!json_is_string(id) || json_string_length(id) == 0 ||
		json_string_length(id) > API_KEY_ID_BYTES_MAX)
		return false;
	memcpy(out->id, json_string_value(id), json_string_length(id) + 1);
	*wrong = "role must be client, miner or admin";
	if (!role_parse(&out->role, json_string_value(json_object_get(entry, "role"))))
		return false;
	*wrong = "sha256 must be 64 hex digits";
	if (!json_is_string(hash) || !hex_decode(out->hash.b, sizeof out->hash.b,
					     json_string_value(hash), json_string_length(hash)))
		return false;
	*wrong = "rate_per_s and burst must be whole numbers from 1 to 1000000";
	return rate_parse(&out->rate_per_s, json_object_get(entry, "rate_per_s")) &&
	       rate_parse(&out->burst, json_object_get(entry, "burst"));
}

static bool keys_from_array(struct api_keys *out, const json_t *list, char fault[256])
{
	size_t count = json_array_size(list);

	if (!json_is_array(list) || count > API_KEYS_MAX) {
		snprintf(fault, 256, "\"keys\" must be a list of at most %d keys", API_KEYS_MAX);
		return false;
	}
	out->keys = calloc(count + 1, sizeof *out->keys);
	if (!out->keys) {
		snprintf(fault, 256, "no memory");
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		const char *wrong;

		if (!key_parse(&out->keys[i], json_array_get(list, i), &wrong)) {
			snprintf(fault, 256, "keys[%zu]: %s", i, wrong);
			return false;
		}
		for (size_t k = 0; k < i; k++) {
			if (strcmp(out->keys[k].id, out->keys[i].id) == 0) {
				snprintf(fault, 256, "keys[%zu]: id %s is taken", i,
					out->keys[i].id);
				return false;
			}
		}
		out->count++;
	}
	return true;
}

bool api_keys_parse(struct api_keys *out, struct bytes text, char fault[256])
{
	struct json_fault wrong;
	json_t *root = json_read(text, &wrong);
	bool good;

	memset(out, 0, sizeof *out);
	if (!root) {
		snprintf(fault, 256, "%s", wrong.text);
		return false;
	}
	good = keys_from_array(out, json_object_get(root, "keys"), fault);
	json_decref(root);
	if (!good)
		api_keys_fini(out);
	return good;
}

static enum status read_file(struct buf *out, const char *path, char fault[256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	enum status status = STATUS_OK;

	if (fd < 0) {
		snprintf(fault, 256, "%s: %s", path, strerror(errno));
		return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
	}
	if (fstat(fd, &info) != 0 || info.st_size > KEYS_FILE_BYTES_MAX) {
		snprintf(fault, 256, "%s: too large", path);
		status = STATUS_INVALID;
	} else if ((info.st_mode & 077) != 0) {
		snprintf(fault, 256, "%s can be read by others: chmod 600 %s", path, path);
		status = STATUS_REFUSED;
	} else {
		uint8_t *to = buf_extend(out, (size_t)info.st_size);

		if (!to || read(fd, to, (size_t)info.st_size) != (ssize_t)info.st_size) {
			snprintf(fault, 256, "%s: can't be read", path);
			status = STATUS_IO;
		}
	}
	close(fd);
	return status;
}

enum status api_keys_load(struct api_keys *out, const char *path, char fault[256])
{
	struct buf text;
	char wrong[256];
	enum status status;

	memset(out, 0, sizeof *out);
	buf_init(&text, KEYS_FILE_BYTES_MAX);
	status = read_file(&text, path, fault);
	if (status == STATUS_OK && !api_keys_parse(out, buf_view(&text), wrong)) {
		snprintf(fault, 256, "%.100s: %.140s", path, wrong);
		status = STATUS_INVALID;
	}
	buf_fini(&text);
	return status;
}

void api_keys_fini(struct api_keys *keys)
{
	free(keys->keys);
	memset(keys, 0, sizeof *keys);
}

int api_keys_find(const struct api_keys *keys, const char *secret)
{
	size_t len = strlen(secret);
	struct hash32 hash;
	int found = -1;

	if (len == 0 || len > API_KEY_BYTES_MAX)
		return -1;
	hash = sha256(bytes_view(secret, len));
	for (size_t i = 0; i < keys->count; i++) {
		if (secret_equal(hash.b, keys->keys[i].hash.b, sizeof hash.b))
			found = (int)i;
	}
	return found;
}
