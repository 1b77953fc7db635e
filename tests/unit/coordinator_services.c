/* What a payload may hold: each refusal names its field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "coordinator/services.h"

#define HASH  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define VIDEO "\"input\":\"artifact:" HASH "\""

static const struct {
	const char *service;
	const char *payload;
	const char *field; /* at fault; NULL: accepted */
} ROWS[] = {
	{"inference", "{\"prompt\":\"hello\",\"model\":\"m\"}", NULL},
	{"inference", "{\"type\":\"inference\",\"prompt\":\"x\",\"model\":\"m:1\"}", NULL},
	{"inference", "{\"prompt\":\"\",\"model\":\"m\"}", "prompt"},
	{"inference", "{\"prompt\":7,\"model\":\"m\"}", "prompt"},
	{"inference", "{\"model\":\"m\"}", "prompt"},
	{"inference", "{\"prompt\":\"x\"}", "model"},
	{"inference", "{\"prompt\":\"x\",\"model\":\"m\",\"max_tokens\":0}", "max_tokens"},
	{"inference", "{\"prompt\":\"x\",\"model\":\"m\",\"max_tokens\":1}", NULL},
	{"inference", "{\"prompt\":\"x\",\"model\":\"m\",\"max_tokens\":1.5}", "max_tokens"},
	{"inference", "{\"prompt\":\"x\",\"model\":\"m\",\"temperature\":2}", NULL},
	{"inference", "{\"prompt\":\"x\",\"model\":\"m\",\"temperature\":2.01}", "temperature"},
	{"inference", "{\"prompt\":\"x\",\"model\":\"m\",\"temprature\":1}", "temprature"},
	{"inference", "[]", "payload"},
	{"ffmpeg/transcode", "{" VIDEO "}", NULL},
	{"ffmpeg/transcode", "{" VIDEO ",\"codec\":\"h264\",\"crf\":51}", NULL},
	{"ffmpeg/transcode", "{" VIDEO ",\"crf\":52}", "crf"},
	{"ffmpeg/transcode", "{" VIDEO ",\"crf\":-1}", "crf"},
	{"ffmpeg/transcode", "{" VIDEO ",\"codec\":\"h266\"}", "codec"},
	{"ffmpeg/transcode", "{" VIDEO ",\"custom_args\":[\"-x\"]}", "custom_args"},
	{"ffmpeg/transcode", "{" VIDEO ",\"resolution\":\"640x480\"}", NULL},
	{"ffmpeg/transcode", "{" VIDEO ",\"resolution\":\"640x\"}", "resolution"},
	{"ffmpeg/transcode", "{" VIDEO ",\"resolution\":\"x480\"}", "resolution"},
	{"ffmpeg/transcode", "{" VIDEO ",\"resolution\":\"8x480\"}", "resolution"},
	{"ffmpeg/transcode", "{" VIDEO ",\"resolution\":\"640x480;rm\"}", "resolution"},
	{"ffmpeg/transcode", "{" VIDEO ",\"bitrate\":\"128k\"}", NULL},
	{"ffmpeg/transcode", "{" VIDEO ",\"bitrate\":\"k\"}", "bitrate"},
	{"ffmpeg/transcode", "{" VIDEO ",\"bitrate\":\"0\"}", "bitrate"},
	{"ffmpeg/transcode", "{\"input\":\"artifact:12\"}", "input"},
	{"ffmpeg/transcode", "{\"input\":\"/etc/passwd\"}", "input"},
	{"ffmpeg/transcode", "{}", "input"},
	{"image/scale", "{" VIDEO ",\"width\":1,\"height\":16384}", NULL},
	{"image/scale", "{" VIDEO ",\"width\":1,\"height\":16385}", "height"},
	{"image/scale", "{" VIDEO ",\"width\":1}", "height"},
	{"text/count", "{" VIDEO "}", NULL},
};

static void a_payload_is_taken_or_its_field_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		const struct service *service =
			service_by_name(ROWS[i].service, strlen(ROWS[i].service));
		struct service_fault fault = {"", ""};
		struct json_fault wrong;
		json_t *payload = json_read(bytes_of_text(ROWS[i].payload), &wrong);
		bool taken;

		assert_non_null(service);
		assert_non_null(payload);
		taken = service_check_payload(service, payload, &fault);
		if (taken != (ROWS[i].field == NULL) ||
			(ROWS[i].field && strcmp(fault.field, ROWS[i].field) != 0))
			fail_msg("row %zu %s: field \"%s\", %s", i, ROWS[i].payload, fault.field,
				fault.message);
		assert_true(taken || fault.message[0]);
		json_decref(payload);
	}
}

static void older_names_lead_to_the_service(void **state)
{
	(void)state;
	assert_ptr_equal(service_by_name("llm/inference", 13), service_by_name("inference", 9));
	assert_null(service_by_name("inferenc", 8));
	assert_null(service_by_name("", 0));
	assert_null(service_by_name("ffmpeg/transcode2", 17));
}

static void every_service_has_a_price_and_a_schema_that_is_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		struct service_price price = service_price_default(service_at(i));
		struct json_fault fault;
		struct buf text;
		json_t *schema;

		assert_true(price.unit_price > 0);
		assert_true(price.max_units_milli > 0);
		assert_true(price.reward >= price.unit_price);
		/* The default reward covers the default limit of units. */
		assert_true(price.reward >= price.max_units_milli / 1000 * price.unit_price);
		buf_init(&text, 0);
		service_put_schema(&text, service_at(i));
		schema = json_read(buf_view(&text), &fault);
		if (!schema)
			fail_msg("%s: %s", fault.text, buf_text(&text));
		assert_true(json_object_size(json_object_get(schema, "properties")) > 0);
		json_decref(schema);
		buf_fini(&text);
	}
}

static void the_model_is_part_of_the_queue_only_where_a_service_has_one(void **state)
{
	struct json_fault fault;
	json_t *payload = json_read(
		bytes_of_text("{\"prompt\":\"x\",\"model\":\"llama3.2:latest\"}"), &fault);

	(void)state;
	assert_string_equal(
		service_model(service_by_name("inference", 9), payload), "llama3.2:latest");
	assert_string_equal(service_model(service_by_name("text/count", 10), payload), "");
	json_decref(payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_payload_is_taken_or_its_field_is_named),
		cmocka_unit_test(older_names_lead_to_the_service),
		cmocka_unit_test(every_service_has_a_price_and_a_schema_that_is_json),
		cmocka_unit_test(the_model_is_part_of_the_queue_only_where_a_service_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
