/* node/files: whole files in and out, nothing overwritten, errors that name the path. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/node_place.h"

static char fault[NODE_FAULT_BYTES];

static int set_up(void **state)
{
	struct place *p = malloc(sizeof *p);
	place_make(p);
	fault[0] = 0;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	place_remove(*state);
	free(*state);
	return 0;
}

static void a_created_file_holds_its_bytes_and_its_mode(void **state)
{
	struct place *p = *state;
	uint8_t content[70000];
	for (size_t i = 0; i < sizeof content; i++)
		content[i] = (uint8_t)(i * 7);
	assert_int_equal(
		files_create(place_path(p, "f"), 0600, bytes_view(content, sizeof content), fault),
		STATUS_OK);
	assert_int_equal(place_mode(p, "f"), 0600);
	struct buf back = {0};
	assert_int_equal(files_read(&back, place_path(p, "f"), sizeof content, fault), STATUS_OK);
	assert_true(bytes_equal(buf_view(&back), bytes_view(content, sizeof content)));
	buf_fini(&back);
}

static void an_existing_file_is_never_overwritten(void **state)
{
	struct place *p = *state;
	place_write(p, "f", "old", 3);
	assert_int_equal(
		files_create(place_path(p, "f"), 0600, bytes_of_text("new"), fault), STATUS_BUSY);
	assert_non_null(strstr(fault, place_path(p, "f")));
	char back[8];
	assert_int_equal(place_read(p, "f", back, sizeof back), 3);
	assert_memory_equal(back, "old", 3);
	/* Neither through a link that leads nowhere. */
	assert_int_equal(symlink(place_path(p, "aim"), place_path(p, "link")), 0);
	assert_int_equal(files_create(place_path(p, "link"), 0600, bytes_of_text("new"), fault),
		STATUS_BUSY);
	assert_false(place_has(p, "aim"));
}

static void a_file_larger_than_its_bound_is_refused(void **state)
{
	struct place *p = *state;
	place_write(p, "f", "12345", 5);
	struct buf back = {0};
	assert_int_equal(files_read(&back, place_path(p, "f"), 5, fault), STATUS_OK);
	buf_clear(&back);
	assert_int_equal(files_read(&back, place_path(p, "f"), 4, fault), STATUS_INVALID);
	assert_non_null(strstr(fault, "larger than 4 bytes"));
	buf_fini(&back);
	/* What has no size still has the bound. */
	struct buf endless = {0};
	assert_int_equal(files_read(&endless, "/dev/zero", 100000, fault), STATUS_INVALID);
	buf_fini(&endless);
}

static void a_missing_file_and_a_folder_are_told_apart(void **state)
{
	struct place *p = *state;
	struct buf back = {0};
	assert_int_equal(files_read(&back, place_path(p, "f"), 9, fault), STATUS_NOT_FOUND);
	assert_non_null(strstr(fault, "No such file"));
	assert_int_equal(files_read(&back, p->dir, 9, fault), STATUS_IO);
	assert_non_null(strstr(fault, p->dir));
	buf_fini(&back);
}

static void a_folder_is_made_once_and_found_again(void **state)
{
	struct place *p = *state;
	assert_int_equal(files_mkdir(place_path(p, "d"), 0700, fault), STATUS_OK);
	assert_int_equal(place_mode(p, "d"), 0700);
	assert_int_equal(files_mkdir(place_path(p, "d"), 0700, fault), STATUS_OK);
	assert_int_equal(files_mkdir(place_path(p, "no/such"), 0700, fault), STATUS_NOT_FOUND);
	/* A file is no folder, whatever its name. */
	place_write(p, "f", "", 0);
	assert_int_not_equal(files_mkdir(place_path(p, "f"), 0700, fault), STATUS_OK);
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
	char out[NODE_PATH_BYTES], name[NODE_PATH_BYTES];
	memset(name, 'n', sizeof name);
	name[NODE_PATH_BYTES - 3] = 0;
	assert_int_equal(files_join(out, "d", name), STATUS_OK);
	assert_int_equal(strlen(out), NODE_PATH_BYTES - 1);
	name[NODE_PATH_BYTES - 3] = 'n';
	name[NODE_PATH_BYTES - 2] = 0;
	assert_int_equal(files_join(out, "d", name), STATUS_INVALID);
}

static int create_large(void *ctx)
{
	static uint8_t content[8192];
	enum status status = files_create(
		place_path(ctx, "f"), 0600, bytes_view(content, sizeof content), fault);
	return status == STATUS_OK ? 1 : strstr(fault, "can't write") ? 0 : 2;
}

static void a_file_that_does_not_fit_on_the_disk_leaves_nothing(void **state)
{
	struct place *p = *state;
	assert_int_equal(place_full(4096, create_large, p), 0);
	assert_false(place_has(p, "f"));
}

static void errors_of_the_system_have_their_status(void **state)
{
	static const struct {
		int error;
		enum status status;
	} table[] = {
		{ENOENT, STATUS_NOT_FOUND},
		{ENOSPC, STATUS_DISK_FULL},
		{EDQUOT, STATUS_DISK_FULL},
		{ENOMEM, STATUS_NO_MEMORY},
		{EEXIST, STATUS_BUSY},
		{EADDRINUSE, STATUS_BUSY},
		{EACCES, STATUS_REFUSED},
		{EPERM, STATUS_REFUSED},
		{EIO, STATUS_IO},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_int_equal(status_of_errno(table[i].error), table[i].status);
}

static void random_bytes_fill_all_and_differ(void **state)
{
	uint8_t a[1024] = {0}, b[1024] = {0};
	assert_int_equal(files_random(a, sizeof a), STATUS_OK);
	assert_int_equal(files_random(b, sizeof b), STATUS_OK);
	assert_memory_not_equal(a, b, sizeof a);
	assert_memory_not_equal(a + 1000, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CLAIM(a_created_file_holds_its_bytes_and_its_mode),
		CLAIM(an_existing_file_is_never_overwritten),
		CLAIM(a_file_larger_than_its_bound_is_refused),
		CLAIM(a_missing_file_and_a_folder_are_told_apart),
		CLAIM(a_folder_is_made_once_and_found_again),
		CLAIM(a_path_that_does_not_fit_is_refused),
		CLAIM(a_file_that_does_not_fit_on_the_disk_leaves_nothing),
		CLAIM(errors_of_the_system_have_their_status),
		CLAIM(random_bytes_fill_all_and_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
