/* keys: who may speak to the coordinator. A keys file (0600) holds the SHA-256 of each API key with
 * its role; the keys themselves are nowhere on this machine but in the devnet's own file for the
 * demo. A key is looked for among all of them in constant time. Read at the start by
 * coordinator_new; written by coordinator_keys_create (aitbcd init). What the file holds is judged
 * (STATUS_INVALID with a fault for people), never trusted. */
#ifndef COORDINATOR_KEYS_H
#define COORDINATOR_KEYS_H

#include "base/hash.h"
#include "base/status.h"

enum { API_KEYS_MAX = 1024, API_KEY_ID_BYTES_MAX = 31, API_KEY_BYTES_MAX = 256 };

enum api_role { API_CLIENT, API_MINER, API_ADMIN };

struct api_key {
	char id[API_KEY_ID_BYTES_MAX + 1];
	enum api_role role;
	struct hash32 hash;
	uint32_t rate_per_s; /* 0: the coordinator's default */
	uint32_t burst;
};

struct api_keys {
	struct api_key *keys;
	size_t count;
};

/* STATUS_NOT_FOUND, STATUS_REFUSED (others may read it), STATUS_INVALID, STATUS_IO,
 * STATUS_NO_MEMORY. */
MUST_USE enum status api_keys_load(struct api_keys *out, const char *path, char fault[256]);
/* The form of the file, already read. */
MUST_USE bool api_keys_parse(struct api_keys *out, struct bytes text, char fault[256]);
void api_keys_fini(struct api_keys *keys);

/* The key's index, or -1. Looks at every key whatever is found. */
int api_keys_find(const struct api_keys *keys, const char *secret);

const char *api_role_name(enum api_role role);

#endif
