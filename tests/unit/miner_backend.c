/* miner/backend: an Ollama server as it answers, errs, hangs and isn't there; a program's output as
 * a result. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/json.h"
#include "http/shell.h"
#include "miner/backend.h"

enum { DEADLINE_S = 30 };

/* What the server does with the next generation. */
enum manner { ANSWER, ERROR, NOT_DONE, NO_JSON, HANG };

struct bench {
	struct event_base *loop;
	struct http_client *http;
	struct http_shell *shell;
	struct execs *execs;
	struct miner_config config;
	struct backends backends;
	char directory[WORKDIR_PATH_BYTES];
	enum manner manner;
	char asked[1024]; /* the server's last request */
	bool heard;
	/* of the last run */
	bool done;
	bool ok;
	char code[64];
	char message[512];
	char members[4096];
	uint64_t tokens;
};

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static enum http_answer serve(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct bench *b = self;
	(void)ticket;
	reply->status = 200;
	reply->content_type = "application/json";
	if (strcmp(request->path, "/api/tags") == 0) {
		buf_append_text(&reply->body,
			"{\"models\":[{\"name\":\"llama3.2:latest\"},{\"name\":\"a\\\"b\"},{}]}");
		return HTTP_DONE;
	}
	assert_string_equal(request->path, "/api/generate");
	snprintf(b->asked, sizeof b->asked, "%.*s", (int)request->body.len,
		(const char *)request->body.data);
	b->heard = true;
	switch (b->manner) {
	case ANSWER:
		buf_append_text(&reply->body, "{\"model\":\"m\",\"response\":\"it "
					      "\\\"learns\\\"\\n\",\"done\":true,\"eval_count\":12,"
					      "\"total_duration\":900}");
		break;
	case ERROR:
		reply->status = 404;
		buf_append_text(&reply->body, "{\"error\":\"model 'm' not found\"}");
		break;
	case NOT_DONE:
		buf_append_text(&reply->body, "{\"response\":\"half\",\"done\":false}");
		break;
	case NO_JSON: buf_append_text(&reply->body, "<html>"); break;
	case HANG: return HTTP_WAIT;
	}
	return HTTP_DONE;
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	char fault[256];
	b->loop = event_base_new();
	struct http_shell_config shell = {
		.listen_address = "127.0.0.1", .handler = serve, .self = b};
	assert_int_equal(http_client_new(&b->http, b->loop), STATUS_OK);
	assert_int_equal(http_shell_start(&b->shell, b->loop, &shell, fault), STATUS_OK);
	assert_int_equal(execs_new(&b->execs, b->loop, NULL), STATUS_OK);
	assert_int_equal(workdir_make(b->directory, "/tmp", (uid_t)-1, 0), STATUS_OK);
	b->config.ollama = (struct ollama_config){
		.enabled = true, .service = "inference", .timeout_ms = 20000};
	snprintf(b->config.ollama.url, sizeof b->config.ollama.url, "http://127.0.0.1:%u",
		http_shell_port(b->shell));
	b->backends = (struct backends){.loop = b->loop,
		.config = &b->config,
		.execs = b->execs,
		.http = b->http,
		.now_ms = now_ms};
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	http_client_free(b->http);
	http_shell_stop(b->shell, 0);
	execs_free(b->execs);
	config_fini(&b->config);
	assert_int_equal(workdir_remove(b->directory), STATUS_OK);
	event_base_free(b->loop);
	free(b);
	return 0;
}

static void on_done(void *ctx, const struct backend_result *result)
{
	struct bench *b = ctx;
	b->done = true;
	b->ok = result->ok;
	b->tokens = result->tokens;
	snprintf(b->code, sizeof b->code, "%s", result->error_code);
	snprintf(b->message, sizeof b->message, "%s", result->message);
	snprintf(b->members, sizeof b->members, "%.*s", (int)result->members.len,
		result->members.len > 0 ? (const char *)result->members.data : "");
}

static void until(struct bench *b, const bool *fact)
{
	uint64_t end_ms = now_ms() + DEADLINE_S * 1000;
	while (!*fact) {
		struct timeval tv = {1, 0};
		assert_true(now_ms() < end_ms);
		event_base_loopexit(b->loop, &tv);
		event_base_loop(b->loop, EVLOOP_ONCE);
	}
}

static struct backend_run *start(
	struct bench *b, const char *service, const char *payload_text, uint64_t wall_ms)
{
	struct json_fault fault;
	struct backend_run *run = NULL;
	json_t *payload = json_read(bytes_of_text(payload_text), &fault);
	assert_non_null(payload);
	b->done = b->heard = false;
	assert_int_equal(backend_start(&b->backends, &run, service, payload, b->directory, wall_ms,
				 on_done, b),
		STATUS_OK);
	assert_false(b->done); /* never before it returns */
	json_decref(payload);
	return run;
}

static void infer(struct bench *b, const char *payload)
{
	start(b, "inference", payload, 20000);
	until(b, &b->done);
}

static void a_prompt_becomes_ollamas_request_and_its_answer_a_result(void **state)
{
	struct bench *b = *state;
	infer(b, "{\"type\":\"inference\",\"prompt\":\"What is machine learning?\",\"model\":\"m\","
		 "\"max_tokens\":64,\"temperature\":0.5,\"system\":null}");
	assert_true(b->ok);
	assert_non_null(strstr(b->asked, "\"stream\":false"));
	assert_non_null(strstr(b->asked, "\"num_predict\":64"));
	assert_non_null(strstr(b->asked, "\"temperature\":0.5"));
	assert_null(strstr(b->asked, "\"type\""));
	assert_null(strstr(b->asked, "\"system\""));
	assert_string_equal(b->members,
		"\"response\":\"it "
		"\\\"learns\\\"\\n\",\"model\":\"m\",\"total_duration\":900,\"eval_count\":12");
	assert_int_equal(b->tokens, 12);
}

static void whatever_goes_wrong_at_the_server_is_a_reason(void **state)
{
	static const struct {
		enum manner manner;
		const char *code;
		const char *message;
	} ROWS[] = {
		{ERROR, "backend_error", "ollama: model 'm' not found"},
		{NOT_DONE, "backend_error", "ollama answered HTTP 200 without a response"},
		{NO_JSON, "backend_error", "ollama answered HTTP 200 without a response"},
	};
	struct bench *b = *state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		b->manner = ROWS[i].manner;
		infer(b, "{\"prompt\":\"x\",\"model\":\"m\"}");
		assert_false(b->ok);
		assert_string_equal(b->code, ROWS[i].code);
		assert_string_equal(b->message, ROWS[i].message);
	}
}

static void a_server_that_is_not_there_is_named_with_its_address(void **state)
{
	struct bench *b = *state;
	snprintf(b->config.ollama.url, sizeof b->config.ollama.url, "http://127.0.0.1:1");
	infer(b, "{\"prompt\":\"x\",\"model\":\"m\"}");
	assert_false(b->ok);
	assert_string_equal(b->code, "backend_unreachable");
	assert_non_null(strstr(b->message, "127.0.0.1:1"));
}

static void a_server_that_hangs_ends_at_its_time(void **state)
{
	struct bench *b = *state;
	b->manner = HANG;
	start(b, "inference", "{\"prompt\":\"x\",\"model\":\"m\"}", 100);
	until(b, &b->done);
	assert_false(b->ok);
	assert_string_equal(b->code, "timed_out");
}

static void a_cancelled_generation_answers_at_once(void **state)
{
	struct bench *b = *state;
	b->manner = HANG;
	struct backend_run *run =
		start(b, "inference", "{\"prompt\":\"x\",\"model\":\"m\"}", 20000);
	until(b, &b->heard);
	backend_cancel(run);
	assert_true(b->done);
	assert_string_equal(b->code, "cancelled");
	/* The server's late answer, here the client's end, finds nobody: tear_down. */
}

static void a_payload_that_ollama_would_ignore_in_part_is_refused(void **state)
{
	struct bench *b = *state;
	infer(b, "{\"prompt\":\"x\",\"model\":\"m\",\"shape\":3}");
	assert_string_equal(b->code, "bad_input");
	assert_string_equal(b->message, "this miner's inference has no \"shape\"");
	infer(b, "{\"model\":\"m\"}");
	assert_string_equal(b->message, "prompt and model must be texts");
	assert_false(b->heard);
}

static void on_models(void *ctx, struct bytes models, const char *fault)
{
	struct bench *b = ctx;
	b->done = true;
	assert_string_equal(fault, "");
	snprintf(b->members, sizeof b->members, "%.*s", (int)models.len, (const char *)models.data);
}

static void models_are_listed_as_json_texts(void **state)
{
	struct bench *b = *state;
	assert_int_equal(backend_ask_models(&b->backends, on_models, b), STATUS_OK);
	until(b, &b->done);
	assert_string_equal(b->members, "\"llama3.2:latest\",\"a\\\"b\"");
}

static void add_service(struct bench *b, const char *definition)
{
	struct json_fault json_fault;
	char fault[256];
	json_t *json = json_read(bytes_of_text(definition), &json_fault);
	assert_int_equal(
		template_read(&b->config.templates[b->config.template_count++], json, fault),
		STATUS_OK);
	json_decref(json);
}

static void a_programs_output_is_text_or_base64(void **state)
{
	struct bench *b = *state;
	add_service(b,
		"{\"service\":\"text\",\"argv\":[\"printf\",\"a\\\"b\"],\"stdout_result\":true}");
	add_service(b,
		"{\"service\":\"bytes\",\"argv\":[\"printf\",\"\\\\377\"],\"stdout_result\":true}");
	start(b, "text", "{}", 20000);
	until(b, &b->done);
	assert_true(b->ok);
	assert_string_equal(b->members, "\"stdout\":\"a\\\"b\"");
	start(b, "bytes", "{}", 20000);
	until(b, &b->done);
	assert_string_equal(b->members, "\"stdout_base64\":\"/w==\"");
}

static void a_failed_programs_last_line_is_told_and_made_harmless(void **state)
{
	struct bench *b = *state;
	add_service(b, "{\"service\":\"ls\",\"argv\":[\"ls\",\"./"
		       "\\u0001no\\nsuch\"],\"stdout_result\":true}");
	start(b, "ls", "{}", 20000);
	until(b, &b->done);
	assert_false(b->ok);
	assert_string_equal(b->code, "exit_code");
	assert_non_null(strstr(b->message, "exit code 2: "));
	for (const char *c = b->message; *c != 0; c++)
		assert_true(*c >= ' ' && *c < 0x7f);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BENCH(a_prompt_becomes_ollamas_request_and_its_answer_a_result),
		WITH_BENCH(whatever_goes_wrong_at_the_server_is_a_reason),
		WITH_BENCH(a_server_that_is_not_there_is_named_with_its_address),
		WITH_BENCH(a_server_that_hangs_ends_at_its_time),
		WITH_BENCH(a_cancelled_generation_answers_at_once),
		WITH_BENCH(a_payload_that_ollama_would_ignore_in_part_is_refused),
		WITH_BENCH(models_are_listed_as_json_texts),
		WITH_BENCH(a_programs_output_is_text_or_base64),
		WITH_BENCH(a_failed_programs_last_line_is_told_and_made_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
