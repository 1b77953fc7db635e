#define _GNU_SOURCE
/* Artifacts: a file's name is its content, and it has it only when it is durable. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "coordinator/artifacts.h"

struct world {
	char dir[64];
	char spool[96];
	struct event_base *loop;
	struct artifacts artifacts;
	unsigned done;
	enum status status;
	struct hash32 hash;
	uint64_t size;
};

static void world_init(struct world *w, uint64_t bytes_max)
{
	char fault[256];

	memset(w, 0, sizeof *w);
	snprintf(w->dir, sizeof w->dir, "/tmp/coordinator-artifacts-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->spool, sizeof w->spool, "%s/spool", w->dir);
	w->loop = event_base_new();
	assert_non_null(w->loop);
	assert_int_equal(
		artifacts_init(&w->artifacts, w->loop, w->dir, bytes_max, NULL, fault), STATUS_OK);
}

static void world_fini(struct world *w)
{
	char command[128];

	artifacts_fini(&w->artifacts);
	event_base_free(w->loop);
	snprintf(command, sizeof command, "rm -rf '%s'", w->dir);
	assert_int_equal(system(command), 0);
}

static void spool(const struct world *w, char byte, size_t len)
{
	FILE *file = fopen(w->spool, "w");

	assert_non_null(file);
	for (size_t i = 0; i < len; i++)
		fputc(byte, file);
	assert_int_equal(fclose(file), 0);
}

static void on_kept(void *ctx, enum status status, const struct hash32 *hash, uint64_t size)
{
	struct world *w = ctx;

	w->done++;
	w->status = status;
	w->size = size;
	if (hash)
		w->hash = *hash;
}

static void an_upload_of_many_slices_is_found_under_its_hash(void **state)
{
	enum { LEN = 3 * 1024 * 1024 + 17 };
	struct world w;
	struct hash32 hash;
	uint8_t *content = malloc(LEN);
	uint64_t size;
	int fd;

	(void)state;
	assert_non_null(content);
	memset(content, 'x', LEN);
	hash = sha256(bytes_view(content, LEN));
	free(content);
	world_init(&w, UINT64_MAX);
	spool(&w, 'x', LEN);
	assert_int_equal(artifacts_open(&w.artifacts, &fd, &size, &hash), STATUS_NOT_FOUND);
	assert_int_equal(artifacts_take(&w.artifacts, w.spool, on_kept, &w), STATUS_OK);
	assert_int_equal(w.done, 0);
	assert_int_not_equal(access(w.spool, F_OK), 0);
	while (w.done == 0) {
		assert_int_equal(artifacts_open(&w.artifacts, &fd, &size, &hash), STATUS_NOT_FOUND);
		event_base_loop(w.loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	assert_int_equal(w.status, STATUS_OK);
	assert_true(hash_equal(&w.hash, &hash));
	assert_int_equal(artifacts_open(&w.artifacts, &fd, &size, &hash), STATUS_OK);
	assert_int_equal(size, LEN);
	close(fd);
	world_fini(&w);
}

static void the_same_content_twice_is_one_file(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, UINT64_MAX);
	for (int i = 0; i < 2; i++) {
		spool(&w, 'y', 1000);
		assert_int_equal(artifacts_take(&w.artifacts, w.spool, on_kept, &w), STATUS_OK);
		event_base_dispatch(w.loop);
	}
	assert_int_equal(w.done, 2);
	assert_int_equal(w.status, STATUS_OK);
	assert_int_equal(w.artifacts.bytes, 1000);
	world_fini(&w);
}

static void the_total_is_a_bound_and_survives_a_restart(void **state)
{
	struct world w;
	char fault[256], left[128];
	FILE *file;

	(void)state;
	world_init(&w, 1500);
	spool(&w, 'a', 1000);
	assert_int_equal(artifacts_take(&w.artifacts, w.spool, on_kept, &w), STATUS_OK);
	spool(&w, 'b', 501);
	assert_int_equal(artifacts_take(&w.artifacts, w.spool, on_kept, &w), STATUS_NO_MEMORY);
	event_base_dispatch(w.loop);
	/* A crash left half an upload. */
	snprintf(left, sizeof left, "%s/tmp/7", w.dir);
	file = fopen(left, "w");
	assert_non_null(file);
	fclose(file);
	artifacts_fini(&w.artifacts);
	assert_int_equal(artifacts_init(&w.artifacts, w.loop, w.dir, 1500, NULL, fault), STATUS_OK);
	assert_int_equal(w.artifacts.bytes, 1000);
	assert_int_not_equal(access(left, F_OK), 0);
	spool(&w, 'c', 500);
	assert_int_equal(artifacts_take(&w.artifacts, w.spool, on_kept, &w), STATUS_OK);
	event_base_dispatch(w.loop);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.status, STATUS_OK);
	world_fini(&w);
}

static void who_waits_for_an_upload_hears_of_the_end(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, UINT64_MAX);
	spool(&w, 'z', 10);
	assert_int_equal(artifacts_take(&w.artifacts, w.spool, on_kept, &w), STATUS_OK);
	artifacts_fini(&w.artifacts);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.status, STATUS_BUSY);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upload_of_many_slices_is_found_under_its_hash),
		cmocka_unit_test(the_same_content_twice_is_one_file),
		cmocka_unit_test(the_total_is_a_bound_and_survives_a_restart),
		cmocka_unit_test(who_waits_for_an_upload_hears_of_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
