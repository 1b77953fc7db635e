/* keystore: account keys at rest, one file HOME/keys/NAME.json each.
 * Encrypted: argon2id (>= 256 MiB) gives the key of XChaCha20-Poly1305, whose associated data is
 * every other field of the file; so a flipped bit anywhere is an error and never another key. The
 * address stored must be the one the secret gives. Plain: only for chains whose id starts with
 * "devnet" or "aitbc-devnet", so that a demo is quick; every reader refuses a plain key whose
 * chain_id says otherwise. Files are made 0600 with O_EXCL in a 0700 folder; a file or folder that
 * group or others can reach is refused. Used by aitbc, aitbc-miner and aitbcd at their start;
 * blocks (argon2id takes about a second). What a file holds is judged (STATUS_INVALID,
 * STATUS_REFUSED with a fault for people), never trusted: the cost it asks for is bounded before it
 * is spent. */
#ifndef WALLET_KEYSTORE_H
#define WALLET_KEYSTORE_H

#include "base/bech32.h"
#include "base/keys.h"
#include "base/limits.h"
#include "base/status.h"

enum {
	KEYSTORE_NAME_BYTES_MAX = 64,
	KEYSTORE_FILE_BYTES_MAX = 8 * 1024,
	KEYSTORE_PASSPHRASE_BYTES_MAX = 1024,
	KEYSTORE_PATH_BYTES = 1024,
	KEYSTORE_FAULT_BYTES = 256
};

/* Of no core dump, no ptrace by the same user, and no swap for what keystore hands out. Call first
 * in main. */
void keystore_harden(void);

/* $AITBC_HOME, or ~/.aitbc; home (may be NULL) wins over both. False: too long or no HOME. */
MUST_USE bool keystore_home(char out[KEYSTORE_PATH_BYTES], const char *home);
/* HOME/keys/NAME.json. False: name isn't 1..64 of [A-Za-z0-9_.-] or starts with a dot. */
MUST_USE bool keystore_path(char out[KEYSTORE_PATH_BYTES], const char *home, const char *name);

/* HOME/keys, 0700, when there is none. */
MUST_USE enum status keystore_folder_make(const char *home, char fault[KEYSTORE_FAULT_BYTES]);

/* argon2id's cost. memory in bytes. */
struct keystore_cost {
	uint64_t passes;
	uint64_t memory_bytes;
};
/* What new files are made with: 3 passes over 256 MiB. */
struct keystore_cost keystore_cost_default(void);
/* Bounds a reader accepts; a test may lower least to be quick. */
struct keystore_bounds {
	struct keystore_cost least;
	struct keystore_cost most;
};
struct keystore_bounds keystore_bounds_default(void);

/* A passphrase in locked memory. Zero bytes are an empty one; wipe with passphrase_fini. */
struct passphrase {
	char text[KEYSTORE_PASSPHRASE_BYTES_MAX];
	size_t len;
};
/* Up to the first newline of a descriptor, or of a file that only its owner can reach. */
MUST_USE enum status passphrase_from_fd(
	struct passphrase *out, int fd, char fault[KEYSTORE_FAULT_BYTES]);
MUST_USE enum status passphrase_from_file(
	struct passphrase *out, const char *path, char fault[KEYSTORE_FAULT_BYTES]);
/* Asks on /dev/tty without echo; twice when it is a new one. */
MUST_USE enum status passphrase_from_tty(
	struct passphrase *out, const char *prompt, bool twice, char fault[KEYSTORE_FAULT_BYTES]);
void passphrase_fini(struct passphrase *passphrase);

/* What can be said of a key file without its passphrase. */
struct keystore_info {
	char name[KEYSTORE_NAME_BYTES_MAX + 1]; /* the file's, without ".json" */
	struct account_address address;
	struct account_key key;
	bool plain;
	char chain_id[CHAIN_ID_BYTES_MAX + 1]; /* of a plain key; else "" */
};
MUST_USE enum status keystore_read_info(
	struct keystore_info *out, const char *path, char fault[KEYSTORE_FAULT_BYTES]);

/* Reads and opens. passphrase NULL: only a plain file opens. The secret is for sender_new and then
 * secret_wipe. STATUS_NOT_FOUND, STATUS_REFUSED (readable by others, wrong passphrase or changed
 * file, plain outside a devnet), STATUS_INVALID (not a keystore, cost out of bounds), STATUS_IO,
 * STATUS_NO_MEMORY. */
MUST_USE enum status keystore_load(struct account_secret *out, struct keystore_info *info,
	const char *path, const struct passphrase *passphrase, char fault[KEYSTORE_FAULT_BYTES]);
/* Like keystore_load with other bounds. */
MUST_USE enum status keystore_load_bounded(struct account_secret *out, struct keystore_info *info,
	const char *path, const struct passphrase *passphrase, const struct keystore_bounds *bounds,
	char fault[KEYSTORE_FAULT_BYTES]);

/* Makes the file (and its folder, 0700) and syncs both. Never overwrites: STATUS_BUSY when it
 * exists. */
MUST_USE enum status keystore_save(const char *path, const struct account_secret *secret,
	const struct passphrase *passphrase, const struct keystore_cost *cost,
	char fault[KEYSTORE_FAULT_BYTES]);
/* A plain one. STATUS_REFUSED: chain_id isn't a devnet's. */
MUST_USE enum status keystore_save_plain(const char *path, const struct account_secret *secret,
	const char *chain_id, char fault[KEYSTORE_FAULT_BYTES]);
/* Starts with "devnet" or "aitbc-devnet". */
bool keystore_chain_is_devnet(const char *chain_id);

/* A fresh key from the system's randomness. */
void keystore_new_secret(struct account_secret *out);
/* Random bytes that blind keys_start, from the same source; call once in main. False: keys_start
 * refused. */
MUST_USE bool keystore_keys_start(void);

#endif
