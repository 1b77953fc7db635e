/* miner/template, miner/config: what an operator writes is refused at the start or works for every
 * job, and no payload can turn a value into an option. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "miner/config.h"
#include "miner/nearest.h"

static json_t *json_of(const char *text)
{
	struct json_fault fault;
	json_t *json = json_read(bytes_of_text(text), &fault);
	if (json == NULL)
		fail_msg("%s", fault.text);
	return json;
}

static const char TRANSCODE[] =
	"{\"service\":\"t\",\"argv\":[\"env\",\"-i\",\"{input}\",\"-c:v\",\"{codec}\","
	"\"-crf\",\"{crf}\",{\"if\":\"resolution\",\"argv\":[\"-vf\",\"scale={resolution}\"]},"
	"{\"if\":\"audio\",\"is\":\"none\",\"argv\":[\"-an\"]},"
	"{\"if\":\"audio\",\"not\":\"none\",\"argv\":[\"-c:a\",\"{audio}\"]},\"{output}\"],"
	"\"outputs\":[{\"name\":\"out.{format}\"}],"
	"\"params\":{\"codec\":{\"map\":{\"h264\":\"libx264\",\"h265\":\"libx265\"},\"default\":"
	"\"h264\"},"
	"\"crf\":{\"min\":-5,\"max\":51,\"default\":23},\"resolution\":{\"word\":9,\"optional\":"
	"true},"
	"\"audio\":{\"enum\":[\"aac\",\"none\"],\"default\":\"aac\"},"
	"\"format\":{\"enum\":[\"mp4\",\"mkv\"],\"default\":\"mp4\"}}}";

/* The argv that a payload gives, joined by blanks; "!" and the fault when it is refused. */
static void fill(char out[1024], const char *definition, const char *payload_text)
{
	struct template template;
	struct command command;
	char fault[256];
	json_t *json = json_of(definition), *payload = json_of(payload_text);
	assert_int_equal(template_read(&template, json, fault), STATUS_OK);
	if (template_fill(&template, &command, payload, fault)) {
		out[0] = 0;
		for (size_t i = 1; i < command.argc; i++)
			snprintf(out + strlen(out), 1024 - strlen(out), "%s%s", i > 1 ? " " : "",
				command.argv[i]);
		assert_null(command.argv[command.argc]);
	} else {
		snprintf(out, 1024, "!%s", fault);
	}
	command_fini(&command);
	template_fini(&template);
	json_decref(json);
	json_decref(payload);
}

static void a_payload_fills_the_template_and_nothing_else(void **state)
{
	static const struct {
		const char *payload;
		const char *argv;
	} ROWS[] = {
		{"{\"type\":\"t\",\"input\":\"artifact:x\"}",
			"-i ./input -c:v libx264 -crf 23 -c:a aac ./out.mp4"},
		{"{\"codec\":\"h265\",\"crf\":\"30\",\"format\":\"mkv\"}",
			"-i ./input -c:v libx265 -crf 30 -c:a aac ./out.mkv"},
		{"{\"crf\":-5,\"resolution\":\"640x360\"}",
			"-i ./input -c:v libx264 -crf -5 -vf scale=640x360 -c:a aac ./out.mp4"},
		{"{\"audio\":\"none\"}", "-i ./input -c:v libx264 -crf 23 -an ./out.mp4"},
		{"{\"crf\":52}", "!this miner's t doesn't offer that \"crf\""},
		{"{\"crf\":\"1;rm\"}", "!this miner's t doesn't offer that \"crf\""},
		{"{\"crf\":\"-\"}", "!this miner's t doesn't offer that \"crf\""},
		{"{\"crf\":2.5}", "!this miner's t doesn't offer that \"crf\""},
		{"{\"codec\":\"libx264\"}", "!this miner's t doesn't offer that \"codec\""},
		{"{\"codec\":[\"h264\"]}", "!this miner's t doesn't offer that \"codec\""},
		{"{\"resolution\":\"-y\"}", "!this miner's t doesn't offer that \"resolution\""},
		{"{\"resolution\":\"../../etc\"}",
			"!this miner's t doesn't offer that \"resolution\""},
		{"{\"resolution\":\"1,drawtext\"}",
			"!this miner's t doesn't offer that \"resolution\""},
		{"{\"resolution\":\"0123456789\"}",
			"!this miner's t doesn't offer that \"resolution\""},
		{"{\"resolution\":\"\"}", "!this miner's t doesn't offer that \"resolution\""},
		{"{\"format\":\"sh\"}", "!this miner's t doesn't offer that \"format\""},
		{"{\"filter\":\"x\"}", "!this miner's t has no \"filter\""},
		{"[]", "!the payload isn't an object"},
	};
	char argv[1024];
	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		fill(argv, TRANSCODE, ROWS[i].payload);
		assert_string_equal(argv, ROWS[i].argv);
	}
}

static void a_param_without_a_value_is_asked_for(void **state)
{
	char argv[1024];
	(void)state;
	fill(argv,
		"{\"service\":\"s\",\"argv\":[\"env\",\"{width}\"],\"stdout_result\":true,"
		"\"params\":{\"width\":{\"min\":1,\"max\":9}}}",
		"{}");
	assert_string_equal(argv, "!width is missing");
}

static void a_faulty_template_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *definition;
		const char *fault;
	} ROWS[] = {
		{"{\"service\":\"s\",\"argv\":[\"env\",\"{presset}\"],\"stdout_result\":true,"
		 "\"params\":{\"preset\":{\"enum\":[\"a\"]}}}",
			"did you mean {preset}?"},
		{"{\"service\":\"s\",\"argvv\":[\"env\"]}", "did you mean \"argv\"?"},
		{"{\"service\":\"s\",\"argv\":[\"no-such-program-here\"],\"stdout_result\":true}",
			"no such program"},
		{"{\"service\":\"s\",\"argv\":[\"env\"]}", "nothing would come of it"},
		{"{\"service\":\"s\",\"argv\":[\"env\",\"{a\"],\"stdout_result\":true}",
			"without its '}'"},
		{"{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_result\":true,\"params\":{\"p\":{"
		 "\"enum\":[\"-x\"]}}}",
			"begins with '-'"},
		{"{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_result\":true,\"params\":{\"p\":{"
		 "\"map\":{\"x\":\"-x\"}}}}",
			"begins with '-'"},
		{"{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_result\":true,\"params\":{\"p\":{"
		 "\"min\":3,\"max\":1}}}",
			"isn't of its kind"},
		{"{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_result\":true,\"params\":{\"p\":{}"
		 "}}",
			"exactly one"},
		{"{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_result\":true,\"params\":"
		 "{\"p\":{\"min\":1,\"max\":2,\"default\":3}}}",
			"default isn't allowed"},
		{"{\"service\":\"s\",\"argv\":[\"env\",\"{p}\"],\"stdout_result\":true,\"params\":"
		 "{\"p\":{\"word\":3,\"optional\":true}}}",
			"only usable under its \"if\""},
		{"{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_result\":true,\"limits\":{\"wall_"
		 "m\":1}}",
			"did you mean \"wall_ms\"?"},
		{"{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_result\":true,\"limits\":{\"wall_"
		 "ms\":0}}",
			"out of range"},
		{"{\"argv\":[\"env\"]}", "\"service\" must be"},
		{"[]", "must be an object"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		struct template template;
		char fault[256] = "";
		json_t *json = json_of(ROWS[i].definition);
		assert_int_equal(template_read(&template, json, fault), STATUS_INVALID);
		if (strstr(fault, ROWS[i].fault) == NULL)
			fail_msg("%s: %s", ROWS[i].definition, fault);
		json_decref(json);
	}
}

static void the_nearest_name_is_near_or_none(void **state)
{
	static const char *const known[] = {"coordinator", "concurrency", "port", NULL};
	(void)state;
	assert_string_equal(nearest_name(known, "cordinator"), "coordinator");
	assert_string_equal(nearest_name(known, "concurency"), "concurrency");
	assert_string_equal(nearest_name(known, "prot"), "port");
	assert_null(nearest_name(known, "zzzzzzzz"));
	assert_null(nearest_name(known, ""));
}

/* ---- configuration ---- */

static char file_path[64];

static void write_config(const char *text)
{
	snprintf(file_path, sizeof file_path, "/tmp/aitbc-miner-XXXXXX");
	int fd = mkstemp(file_path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static enum status load(
	struct miner_config *config, char fault[256], const char *flag, const char *value)
{
	enum config_wish wish;
	char program[] = "aitbc-miner", option[] = "--config";
	char *argv[] = {program, option, file_path, (char *)(uintptr_t)flag,
		(char *)(uintptr_t)value, NULL};
	return config_load(config, &wish, flag != NULL ? 5 : 3, argv, fault);
}

static const char SMALL[] =
	"{\"key_file\":\"k.json\",\"port\":1001,\"miner_id\":\"file\",\"services\":"
	"[{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_result\":true}]}";

static void flags_beat_variables_beat_the_file(void **state)
{
	static struct miner_config config;
	char fault[256];
	(void)state;
	write_config(SMALL);
	assert_int_equal(load(&config, fault, NULL, NULL), STATUS_OK);
	assert_int_equal(config.port, 1001);
	assert_string_equal(config.miner_id, "file");
	assert_string_equal(config.key_file, "/tmp/k.json"); /* beside the file */
	assert_string_equal(config.rpc, "http://127.0.0.1:26657");
	config_fini(&config);
	setenv("AITBC_MINER_PORT", "1002", 1);
	setenv("AITBC_MINER_ID", "variable", 1);
	assert_int_equal(load(&config, fault, "--port", "1003"), STATUS_OK);
	assert_int_equal(config.port, 1003);
	assert_string_equal(config.miner_id, "variable");
	config_fini(&config);
	unsetenv("AITBC_MINER_PORT");
	unsetenv("AITBC_MINER_ID");
	unlink(file_path);
}

static void a_wrong_setting_is_named_with_what_was_meant(void **state)
{
	static const struct {
		const char *text;
		const char *flag;
		const char *value;
		const char *fault;
	} ROWS[] = {
		{"{\"prot\":1}", NULL, NULL, "did you mean \"port\"?"},
		{"{\"port\":\"x\"}", NULL, NULL, "port isn't of its kind"},
		{"{\"port\":70000}", NULL, NULL, "port must be a number from 0 to 65535"},
		{"{\"accept_refund\":\"yes\"}", NULL, NULL, "accept_refund isn't of its kind"},
		{"[1]", NULL, NULL, "not a JSON object"},
		{"{", NULL, NULL, "at byte"},
		{SMALL, "--prot", "1", "did you mean --port?"},
		{SMALL, "--concurrency", "0", "concurrency must be a number from 1 to 32"},
		{SMALL, "--mode", "both-ways", "mode must be"},
		{SMALL, "--coordinator-address", "ait1x", "isn't an ait1"},
		{"{}", NULL, NULL, "key_file is required"},
		{"{\"key_file\":\"k\"}", NULL, NULL, "no service"},
		{"{\"key_file\":\"k\",\"services\":[{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_"
		 "result\":true},"
		 "{\"service\":\"s\",\"argv\":[\"env\"],\"stdout_result\":true}]}",
			NULL, NULL, "is there twice"},
	};
	static struct miner_config config;
	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		char fault[256] = "";
		write_config(ROWS[i].text);
		assert_int_equal(load(&config, fault, ROWS[i].flag, ROWS[i].value), STATUS_INVALID);
		if (strstr(fault, ROWS[i].fault) == NULL)
			fail_msg("%s: %s", ROWS[i].text, fault);
		unlink(file_path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_payload_fills_the_template_and_nothing_else),
		cmocka_unit_test(a_param_without_a_value_is_asked_for),
		cmocka_unit_test(a_faulty_template_is_refused_with_its_reason),
		cmocka_unit_test(the_nearest_name_is_near_or_none),
		cmocka_unit_test(flags_beat_variables_beat_the_file),
		cmocka_unit_test(a_wrong_setting_is_named_with_what_was_meant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
