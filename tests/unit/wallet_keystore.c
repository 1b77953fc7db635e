/* Keys at rest: what opens, and that nothing else does. argon2id runs at its least cost here; the
 * bounds of the program itself are checked as numbers. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wallet/keystore.h"
#include "wallet/private_file.h"

static char folder[64];
static char fault[KEYSTORE_FAULT_BYTES];

static const struct keystore_cost quick = {1, 8192};
static const struct keystore_bounds quick_bounds = {{1, 8192}, {8, UINT64_C(64) << 20}};
/* For files with one wrong byte: its first byte differs at most in the cost, which must not grow.
 */
static const struct keystore_bounds exact_bounds = {{1, 8192}, {1, 8192}};

static void passphrase_set(struct passphrase *p, const char *text)
{
	*p = (struct passphrase){0};
	p->len = strlen(text);
	memcpy(p->text, text, p->len);
}

static void path_of(char out[KEYSTORE_PATH_BYTES], const char *name)
{
	assert_true(keystore_path(out, folder, name));
	(void)unlink(out);
}

static int before(void **state)
{
	strcpy(folder, "keystore-test-XXXXXX");
	return keystore_keys_start() && mkdtemp(folder) ? 0 : -1;
}

static int after(void **state)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void sealed_key_opens_with_its_passphrase_only(void **state)
{
	char path[KEYSTORE_PATH_BYTES];
	struct account_secret secret;
	struct account_secret opened;
	struct keystore_info info;
	struct passphrase right;
	struct passphrase wrong;

	path_of(path, "alice");
	passphrase_set(&right, "correct horse");
	passphrase_set(&wrong, "correct horsf");
	keystore_new_secret(&secret);
	assert_int_equal(keystore_save(path, &secret, &right, &quick, fault), STATUS_OK);
	assert_int_equal(keystore_load_bounded(&opened, &info, path, &right, &quick_bounds, fault),
		STATUS_OK);
	assert_memory_equal(opened.b, secret.b, sizeof secret.b);
	assert_string_equal(info.name, "alice");
	assert_false(info.plain);
	assert_int_equal(keystore_load_bounded(&opened, NULL, path, &wrong, &quick_bounds, fault),
		STATUS_REFUSED);
	assert_true(sodium_is_zero(opened.b, sizeof opened.b));
	assert_int_equal(keystore_load_bounded(&opened, NULL, path, NULL, &quick_bounds, fault),
		STATUS_REFUSED);
}

static void file_is_for_its_owner_alone_and_is_never_overwritten(void **state)
{
	char path[KEYSTORE_PATH_BYTES];
	struct account_secret secret;
	struct passphrase p;
	struct stat st;

	path_of(path, "bob");
	passphrase_set(&p, "x");
	keystore_new_secret(&secret);
	assert_int_equal(keystore_save(path, &secret, &p, &quick, fault), STATUS_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(keystore_save(path, &secret, &p, &quick, fault), STATUS_BUSY);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(keystore_load_bounded(&secret, NULL, path, &p, &quick_bounds, fault),
		STATUS_REFUSED);
	assert_non_null(strstr(fault, "chmod 600"));
}

static void folder_that_others_can_reach_is_refused(void **state)
{
	char path[KEYSTORE_PATH_BYTES];
	char keys[128];
	struct account_secret secret;

	path_of(path, "carol");
	snprintf(keys, sizeof keys, "%s/keys", folder);
	keystore_new_secret(&secret);
	assert_int_equal(keystore_save_plain(path, &secret, "devnet-1", fault), STATUS_OK);
	assert_int_equal(chmod(keys, 0755), 0);
	assert_int_equal(keystore_load(&secret, NULL, path, NULL, fault), STATUS_REFUSED);
	assert_int_equal(chmod(keys, 0700), 0);
	assert_int_equal(keystore_load(&secret, NULL, path, NULL, fault), STATUS_OK);
}

static void overwrite(const char *path, const uint8_t *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

/* Every byte of the file, changed in two ways: no change may open, with any key. */
static void every_changed_byte_is_refused(const char *path, const struct passphrase *p)
{
	uint8_t text[KEYSTORE_FILE_BYTES_MAX];
	struct account_secret opened;
	size_t len = 0;

	assert_int_equal(private_file_read(text, &len, sizeof text, path, fault), STATUS_OK);
	for (size_t i = 0; i < len; i++) {
		for (int way = 0; way < 2; way++) {
			uint8_t was = text[i];
			text[i] = way == 0 ? was ^ 0x01 : was ^ 0x20;
			overwrite(path, text, len);
			text[i] = was;
			if (keystore_load_bounded(&opened, NULL, path, p, &exact_bounds, fault) ==
				STATUS_OK)
				fail_msg("byte %zu changed (way %d) and the key opened", i, way);
			assert_true(sodium_is_zero(opened.b, sizeof opened.b));
		}
	}
	overwrite(path, text, len - 1);
	assert_int_not_equal(
		keystore_load_bounded(&opened, NULL, path, p, &exact_bounds, fault), STATUS_OK);
	overwrite(path, text, len);
	assert_int_equal(
		keystore_load_bounded(&opened, NULL, path, p, &exact_bounds, fault), STATUS_OK);
}

static void no_changed_byte_of_a_sealed_file_opens(void **state)
{
	char path[KEYSTORE_PATH_BYTES];
	struct account_secret secret;
	struct passphrase p;

	path_of(path, "dave");
	passphrase_set(&p, "y");
	keystore_new_secret(&secret);
	assert_int_equal(keystore_save(path, &secret, &p, &quick, fault), STATUS_OK);
	every_changed_byte_is_refused(path, &p);
}

static void no_changed_byte_of_a_plain_file_opens(void **state)
{
	char path[KEYSTORE_PATH_BYTES];
	struct account_secret secret;

	path_of(path, "erin");
	keystore_new_secret(&secret);
	assert_int_equal(keystore_save_plain(path, &secret, "devnet-1", fault), STATUS_OK);
	every_changed_byte_is_refused(path, NULL);
}

static void plain_keys_are_for_devnets_only(void **state)
{
	static const struct {
		const char *chain_id;
		bool devnet;
	} rows[] = {{"devnet", true}, {"devnet-7", true}, {"aitbc-devnet-1", true},
		{"aitbc-1", false}, {"", false}, {"mydevnet", false}, {"aitbc-dev", false}};
	struct account_secret secret;
	char path[KEYSTORE_PATH_BYTES];

	path_of(path, "frank");
	keystore_new_secret(&secret);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum status want = rows[i].devnet ? STATUS_OK : STATUS_REFUSED;
		assert_int_equal(keystore_save_plain(path, &secret, rows[i].chain_id, fault), want);
		(void)unlink(path);
	}
}

static void cost_out_of_bounds_is_refused_before_it_is_spent(void **state)
{
	static const struct keystore_cost weak_or_greedy[] = {
		{2, UINT64_C(256) << 20},  /* too few passes */
		{3, UINT64_C(255) << 20},  /* too little memory */
		{3, UINT64_C(1025) << 20}, /* a memory bomb */
		{33, UINT64_C(256) << 20}, /* too many passes */
		{32, UINT64_C(1024) << 20} /* each in bounds, together half a minute */
	};
	char path[KEYSTORE_PATH_BYTES];
	uint8_t text[KEYSTORE_FILE_BYTES_MAX];
	struct account_secret secret;
	struct passphrase p;
	size_t len = 0;

	path_of(path, "grace");
	passphrase_set(&p, "z");
	keystore_new_secret(&secret);
	assert_int_equal(keystore_save(path, &secret, &p, &quick, fault), STATUS_OK);
	assert_int_equal(private_file_read(text, &len, sizeof text - 64, path, fault), STATUS_OK);
	text[len] = '\0';
	char *passes = strstr((char *)text, "1, \"memory_bytes\": 8192");
	assert_non_null(passes);
	for (size_t i = 0; i < sizeof weak_or_greedy / sizeof weak_or_greedy[0]; i++) {
		char changed[KEYSTORE_FILE_BYTES_MAX];
		int n = snprintf(changed, sizeof changed, "%.*s%llu, \"memory_bytes\": %llu%s",
			(int)(passes - (char *)text), (char *)text,
			(unsigned long long)weak_or_greedy[i].passes,
			(unsigned long long)weak_or_greedy[i].memory_bytes,
			passes + strlen("1, \"memory_bytes\": 8192"));
		overwrite(path, (uint8_t *)changed, (size_t)n);
		assert_int_equal(keystore_load(&secret, NULL, path, &p, fault), STATUS_INVALID);
		assert_non_null(strstr(fault, "out of bounds"));
	}
}

static void names_cannot_leave_the_folder(void **state)
{
	static const char *const bad[] = {"", ".", "..", "../x", "a/b", ".hidden", "a b", "a\nb",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	char path[KEYSTORE_PATH_BYTES];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(keystore_path(path, folder, bad[i]));
	assert_true(keystore_path(path, "/h", "miner-1.b_2"));
	assert_string_equal(path, "/h/keys/miner-1.b_2.json");
}

static void passphrase_ends_at_its_line_and_has_a_bound(void **state)
{
	char long_line[KEYSTORE_PASSPHRASE_BYTES_MAX + 1];
	struct passphrase p;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "sesame\nnot this", 15), 15);
	assert_int_equal(passphrase_from_fd(&p, ends[0], fault), STATUS_OK);
	assert_int_equal(p.len, 6);
	assert_memory_equal(p.text, "sesame", 6);
	passphrase_fini(&p);
	assert_int_equal(p.len, 0);
	close(ends[0]), close(ends[1]);

	memset(long_line, 'a', sizeof long_line);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], long_line, sizeof long_line), sizeof long_line);
	close(ends[1]);
	assert_int_equal(passphrase_from_fd(&p, ends[0], fault), STATUS_INVALID);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed_key_opens_with_its_passphrase_only),
		cmocka_unit_test(file_is_for_its_owner_alone_and_is_never_overwritten),
		cmocka_unit_test(folder_that_others_can_reach_is_refused),
		cmocka_unit_test(no_changed_byte_of_a_sealed_file_opens),
		cmocka_unit_test(no_changed_byte_of_a_plain_file_opens),
		cmocka_unit_test(plain_keys_are_for_devnets_only),
		cmocka_unit_test(cost_out_of_bounds_is_refused_before_it_is_spent),
		cmocka_unit_test(names_cannot_leave_the_folder),
		cmocka_unit_test(passphrase_ends_at_its_line_and_has_a_bound),
	};

	return cmocka_run_group_tests(tests, before, after);
}
