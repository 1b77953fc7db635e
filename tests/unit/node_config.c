/* node/config: defaults, then the file, then the environment, then flags; and nothing else. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/config.h"
#include "tests/unit/node_place.h"

struct desk {
	struct place place;
	struct config config;
	char fault[NODE_FAULT_BYTES];
};

static int set_up(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	place_make(&d->place);
	config_defaults(&d->config);
	*state = d;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *d = *state;
	place_remove(&d->place);
	unsetenv("AITBC_RPC_PORT");
	unsetenv("AITBC_COORDINATOR_ENABLED");
	unsetenv("AITBC_NO_SUCH_THING");
	free(d);
	return 0;
}

static enum status read_text(struct desk *d, const char *text)
{
	place_write(&d->place, "config.json", text, strlen(text));
	return config_read(&d->config, d->place.dir, d->fault);
}

static void what_nobody_says_is_the_default(void **state)
{
	struct desk *d = *state;
	assert_int_equal(config_read(&d->config, d->place.dir, d->fault), STATUS_OK);
	assert_int_equal(config_read_environment(&d->config, d->fault), STATUS_OK);
	assert_string_equal(d->config.rpc_listen, "127.0.0.1");
	assert_string_equal(d->config.coordinator_listen, "127.0.0.1");
	assert_string_equal(d->config.metrics_listen, "127.0.0.1");
	assert_int_equal(d->config.rpc_port, 26657);
	assert_int_equal(d->config.coordinator_port, 18000);
	assert_int_equal(d->config.metrics_port, 9090);
	assert_false(d->config.coordinator_enabled);
	assert_false(d->config.clock_unchecked);
	assert_true(d->config.metrics_enabled);
	assert_int_equal(config_log_level(&d->config), LOG_INFO);
}

static void the_file_yields_to_the_environment_and_that_to_flags(void **state)
{
	struct desk *d = *state;
	assert_int_equal(
		read_text(d, "{\"rpc\": {\"port\": 1, \"batch_max\": 2}, \"moniker\": \"m\","
			     " \"coordinator\": {\"enabled\": true}}"),
		STATUS_OK);
	assert_int_equal(d->config.rpc_port, 1);
	assert_int_equal(d->config.rpc_batch_max, 2);
	assert_string_equal(d->config.moniker, "m");
	assert_true(d->config.coordinator_enabled);

	setenv("AITBC_RPC_PORT", "3", 1);
	setenv("AITBC_COORDINATOR_ENABLED", "false", 1);
	setenv("AITBC_NO_SUCH_THING", "1", 1); /* others' variables are not ours to judge */
	assert_int_equal(config_read_environment(&d->config, d->fault), STATUS_OK);
	assert_int_equal(d->config.rpc_port, 3);
	assert_false(d->config.coordinator_enabled);
	assert_int_equal(d->config.rpc_batch_max, 2);

	assert_int_equal(config_set(&d->config, "rpc.port", "4", d->fault), STATUS_OK);
	assert_int_equal(d->config.rpc_port, 4);
}

static void a_value_out_of_place_is_refused_with_its_name(void **state)
{
	static const struct {
		const char *name, *value;
	} table[] = {
		{"rpc.port", "65536"},
		{"rpc.port", "-1"},
		{"rpc.port", "+1"},
		{"rpc.port", " 1"},
		{"rpc.port", "1 "},
		{"rpc.port", "0x10"},
		{"rpc.port", ""},
		{"rpc.port", "99999999999999999999999"},
		{"rpc.batch_max", "0"},
		{"rpc.batch_max", "1001"},
		{"coordinator.share_ppm", "1000001"},
		{"coordinator.enabled", "yes"},
		{"coordinator.enabled", "TRUE"},
		{"coordinator.enabled", ""},
		{"log_level", "loud"},
		{"log_level", ""},
		{"log_level", "INFO"},
	};
	struct desk *d = *state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct config before = d->config;
		assert_int_equal(config_set(&d->config, table[i].name, table[i].value, d->fault),
			STATUS_INVALID);
		assert_non_null(strstr(d->fault, table[i].name));
		assert_memory_equal(&before, &d->config, sizeof before);
	}
}

static void a_text_has_room_for_255_bytes_and_no_more(void **state)
{
	struct desk *d = *state;
	char text[CONFIG_TEXT_BYTES + 1];
	memset(text, 'x', sizeof text);
	text[CONFIG_TEXT_BYTES - 1] = 0;
	assert_int_equal(config_set(&d->config, "moniker", text, d->fault), STATUS_OK);
	assert_string_equal(d->config.moniker, text);
	text[CONFIG_TEXT_BYTES - 1] = 'x';
	text[CONFIG_TEXT_BYTES] = 0;
	assert_int_equal(config_set(&d->config, "moniker", text, d->fault), STATUS_INVALID);
}

static void an_unknown_name_is_told_the_nearest_one(void **state)
{
	static const struct {
		const char *wrong, *nearest;
	} table[] = {
		{"rpc.prot", "mean rpc.port"},
		{"prc.port", "mean rpc.port"},
		{"metrics.prt", "mean metrics.port"},
		{"monicker", "mean moniker"},
		{"coordinator.lease", "mean coordinator.lease_ms"},
		{"clock.uncheckd", "mean clock.unchecked"},
	};
	struct desk *d = *state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_false(config_knows(table[i].wrong));
		assert_int_equal(
			config_set(&d->config, table[i].wrong, "1", d->fault), STATUS_INVALID);
		assert_non_null(strstr(d->fault, table[i].wrong));
		assert_non_null(strstr(d->fault, table[i].nearest));
	}
}

static void a_fault_says_its_end_whatever_the_length_of_what_was_wrong(void **state)
{
	struct desk *d = *state;
	char name[1000];
	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = 0;
	assert_int_equal(config_set(&d->config, name, "1", d->fault), STATUS_INVALID);
	assert_non_null(strstr(d->fault, "no such setting"));
	assert_null(strstr(d->fault, "mean"));
	char value[1000];
	memset(value, '9', sizeof value);
	value[sizeof value - 1] = 0;
	assert_int_equal(config_set(&d->config, "rpc.port", value, d->fault), STATUS_INVALID);
	assert_non_null(strstr(d->fault, "from 0 to 65535"));
}

static void a_file_that_is_no_configuration_is_refused(void **state)
{
	static const char *const table[] = {
		"",
		"[]",
		"1",
		"{",
		"{\"rpc\": {\"prot\": 1}}",
		"{\"rpc\": {\"port\": 1.5}}",
		"{\"rpc\": {\"port\": null}}",
		"{\"rpc\": {\"port\": -1}}",
		"{\"rpc\": {\"port\": [1]}}",
		"{\"rpc\": {\"port\": {\"x\": 1}}}",
		"{\"rpc\": 1}",
		"{\"moniker\": {\"x\": 1}}",
		"{\"moniker\": \"a\", \"moniker\": \"b\"}",
		"{\"moniker\": \"a\\u0000b\"}",
	};
	struct desk *d = *state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		d->fault[0] = 0;
		assert_int_equal(read_text(d, table[i]), STATUS_INVALID);
		assert_non_null(strstr(d->fault, "config.json"));
	}
}

static void what_is_written_reads_back_to_itself(void **state)
{
	struct desk *d = *state;
	assert_int_equal(
		config_set(&d->config, "moniker", "a \"quoted\" \\ name", d->fault), STATUS_OK);
	assert_int_equal(config_set(&d->config, "rpc.port", "0", d->fault), STATUS_OK);
	assert_int_equal(config_set(&d->config, "metrics.enabled", "false", d->fault), STATUS_OK);
	assert_int_equal(
		config_set(&d->config, "coordinator.lease_ms", "86400000", d->fault), STATUS_OK);
	struct buf text = {0};
	config_write(&text, &d->config);
	struct config before = d->config;
	config_defaults(&d->config);
	assert_int_equal(read_text(d, buf_text(&text)), STATUS_OK);
	assert_memory_equal(&before, &d->config, sizeof before);
	buf_fini(&text);
}

static void help_names_every_setting_that_is_written(void **state)
{
	struct desk *d = *state;
	struct buf help = {0};
	config_help(&help);
	size_t lines = 0;
	for (const char *at = buf_text(&help); *at; at = strchr(at, '\n') + 1) {
		char name[64];
		assert_int_equal(sscanf(at, "  --%63s", name), 1);
		assert_true(config_knows(name));
		lines++;
	}
	assert_true(lines > 10);
	buf_fini(&help);
	(void)d;
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CLAIM(what_nobody_says_is_the_default),
		CLAIM(the_file_yields_to_the_environment_and_that_to_flags),
		CLAIM(a_value_out_of_place_is_refused_with_its_name),
		CLAIM(a_text_has_room_for_255_bytes_and_no_more),
		CLAIM(an_unknown_name_is_told_the_nearest_one),
		CLAIM(a_fault_says_its_end_whatever_the_length_of_what_was_wrong),
		CLAIM(a_file_that_is_no_configuration_is_refused),
		CLAIM(what_is_written_reads_back_to_itself),
		CLAIM(help_names_every_setting_that_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
