#define _GNU_SOURCE
#include "tests/unit/node_place.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

void place_make(struct place *p)
{
	snprintf(p->dir, sizeof p->dir, "/tmp/aitbc-node-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	return remove(path);
}

void place_remove(struct place *p)
{
	assert_int_equal(nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *place_path(const struct place *p, const char *name)
{
	static char paths[8][NODE_PATH_BYTES];
	static unsigned next;
	char *path = paths[next++ % 8];
	assert_int_equal(files_join(path, p->dir, name), STATUS_OK);
	return path;
}

void place_write(const struct place *p, const char *name, const void *content, size_t len)
{
	FILE *file = fopen(place_path(p, name), "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

size_t place_read(const struct place *p, const char *name, void *out, size_t size)
{
	FILE *file = fopen(place_path(p, name), "rb");
	assert_non_null(file);
	size_t len = fread(out, 1, size, file);
	assert_int_equal(fclose(file), 0);
	return len;
}

unsigned place_mode(const struct place *p, const char *name)
{
	struct stat info;
	assert_int_equal(stat(place_path(p, name), &info), 0);
	return info.st_mode & 07777;
}

bool place_has(const struct place *p, const char *name)
{
	return access(place_path(p, name), F_OK) == 0;
}

int place_full(size_t bytes, int (*act)(void *ctx), void *ctx)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct rlimit limit = {bytes, bytes};
		signal(SIGXFSZ, SIG_IGN); /* the write fails with EFBIG instead */
		_exit(setrlimit(RLIMIT_FSIZE, &limit) == 0 ? act(ctx) : 255);
	}
	int state = 0;
	assert_int_equal(waitpid(child, &state, 0), child);
	assert_true(WIFEXITED(state));
	return WEXITSTATUS(state);
}
