/* chain/store_table: a table that would end the process is seen before it is opened, in a real
 * database; and no damage of its last bytes leads the look at it astray. */
#define _GNU_SOURCE
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "chain/store_rocks.h"
#include "chain/store_table.h"

static char dir[64], table_path[400];

static void open_and_close(bool writes)
{
	struct store store;
	struct store_batch batch;
	char fault[256];

	assert_int_equal(store_rocks_open(&store, dir, fault), STATUS_OK);
	store_batch_init(&batch);
	store_batch_put(&batch, STORE_META, bytes_of_text("key"), bytes_of_text("value"));
	if (writes)
		assert_int_equal(store_write(&store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	store_close(&store);
}

/* A database with a table: what was in the log becomes one when it is opened again. */
static int begin(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/store-table-XXXXXX");
	assert_non_null(mkdtemp(dir));
	open_and_close(true);
	open_and_close(false);
	DIR *folder = opendir(dir);
	assert_non_null(folder);
	table_path[0] = '\0';
	for (struct dirent *file; (file = readdir(folder));) {
		if (strstr(file->d_name, ".sst"))
			snprintf(table_path, sizeof table_path, "%s/%s", dir, file->d_name);
	}
	closedir(folder);
	assert_true(table_path[0] != '\0');
	return 0;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static struct buf read_table(void)
{
	struct buf content = {0};
	FILE *file = fopen(table_path, "rb");

	assert_non_null(file);
	for (int byte; (byte = fgetc(file)) != EOF;)
		buf_append_byte(&content, (uint8_t)byte);
	fclose(file);
	assert_true(content.len > 500 && content.len < STORE_TABLE_TAIL_BYTES);
	return content;
}

static void write_table(struct buf *content)
{
	FILE *file = fopen(table_path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(content->data, 1, content->len, file), content->len);
	assert_int_equal(fclose(file), 0);
}

static void the_one_bit_that_would_end_the_process_is_named(void **state)
{
	struct buf table = read_table();
	struct store store;
	char fault[256];
	size_t deadly = 0, at = 0;

	(void)state;
	assert_true(store_table_can_be_opened(buf_view(&table), table.len));
	for (size_t i = 0; i < table.len; i++) {
		table.data[i] ^= 0x80;
		if (!store_table_can_be_opened(buf_view(&table), table.len)) {
			deadly++;
			at = i;
		}
		table.data[i] ^= 0x80;
	}
	assert_int_equal(deadly, 1);
	table.data[at] ^= 0x80;
	write_table(&table);
	assert_int_equal(store_rocks_open(&store, dir, fault), STATUS_CORRUPT);
	assert_non_null(strstr(fault, "the properties of one of its tables are damaged"));
	table.data[at] ^= 0x80;
	write_table(&table);
	open_and_close(false);
	buf_fini(&table);
}

static void no_other_damage_leads_astray(void **state)
{
	struct buf table = read_table();
	size_t passed = 0;

	(void)state;
	for (size_t i = 0; i < table.len; i++) {
		for (unsigned change = 1; change < 256; change += 2) {
			table.data[i] ^= (uint8_t)change;
			passed += store_table_can_be_opened(buf_view(&table), table.len);
			table.data[i] ^= (uint8_t)change;
		}
	}
	for (size_t len = 0; len <= table.len; len++) {
		struct bytes tail = bytes_view(table.data + table.len - len, len);
		passed += store_table_can_be_opened(bytes_view(table.data, len), len);
		passed += store_table_can_be_opened(tail, table.len);
	}
	assert_true(passed > table.len * 2); /* what it can't read, the library judges */
	buf_fini(&table);
}

/* A table longer than what is looked at is judged by its end alike. */
static void the_end_of_a_longer_table_is_enough(void **state)
{
	struct buf table = read_table();
	size_t cut = table.len / 4; /* its rows; what is behind them keeps its offsets */

	(void)state;
	assert_true(store_table_can_be_opened(
		bytes_view(table.data + cut, table.len - cut), table.len));
	buf_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_one_bit_that_would_end_the_process_is_named),
		cmocka_unit_test(no_other_damage_leads_astray),
		cmocka_unit_test(the_end_of_a_longer_table_is_enough),
	};

	return cmocka_run_group_tests_name("store_table", tests, begin, end);
}
