#define _POSIX_C_SOURCE 200809L
#include "wallet/file_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

bool file_hash(struct hash32 *out, uint64_t *size, const char *path)
{
	struct sha256 s;
	uint8_t piece[64 * 1024];
	uint64_t total = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	sha256_start(&s);
	while ((got = read(fd, piece, sizeof piece)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		sha256_add(&s, piece, (size_t)got);
		total += (uint64_t)got;
	}
	int error = errno;
	close(fd);
	errno = error;
	*out = sha256_end(&s);
	if (size)
		*size = total;
	return got == 0;
}
