/* private_file: files and folders that only their owner may read: keys, passphrases, signed
 * transactions. Reading refuses what group or others can reach, or what somebody else owns; writing
 * makes 0600 files in 0700 folders and syncs them. Blocks. Failures are statuses with a sentence
 * for people. */
#ifndef WALLET_PRIVATE_FILE_H
#define WALLET_PRIVATE_FILE_H

#include "base/bytes.h"
#include "base/status.h"

enum { PRIVATE_FAULT_BYTES = 256 };

/* The whole file into out, which holds max bytes: fixed memory, so that no secret stays behind in a
 * heap that grew. STATUS_NOT_FOUND, STATUS_REFUSED (reachable by others, no regular file),
 * STATUS_INVALID (larger than max), STATUS_IO. */
MUST_USE enum status private_file_read(
	uint8_t *out, size_t *len, size_t max, const char *path, char fault[PRIVATE_FAULT_BYTES]);

/* STATUS_REFUSED: others can reach the folder. */
MUST_USE enum status private_folder_check(const char *path, char fault[PRIVATE_FAULT_BYTES]);

/* Makes the file with O_EXCL in a folder that exists. STATUS_BUSY: there is one already. On any
 * failure no file is left. */
MUST_USE enum status private_file_create(
	const char *path, struct bytes content, char fault[PRIVATE_FAULT_BYTES]);

/* The folder and its parents, each new one 0700. An existing last one that others can reach is
 * refused. */
MUST_USE enum status private_folder_make(const char *path, char fault[PRIVATE_FAULT_BYTES]);

#endif
