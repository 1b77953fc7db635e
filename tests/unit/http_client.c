#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/client.h"
#include "tests/unit/http_world.h"

struct answer {
	int count;
	enum status status;
	uint16_t http_status;
	char body[256];
	char fault[512];
};

static void on_done(void *ctx, const struct http_result *result)
{
	struct answer *a = ctx;

	a->count++;
	a->status = result->status;
	a->http_status = result->http_status;
	snprintf(a->body, sizeof a->body, "%.*s", (int)result->body.len,
		result->body.data ? (const char *)result->body.data : "");
	snprintf(a->fault, sizeof a->fault, "%s", result->fault);
}

struct rig {
	struct world w;
	struct http_client *client;
	char url[64];
};

static void rig_start(struct rig *r, const struct http_shell_config *config)
{
	world_start(&r->w, config);
	assert_int_equal(http_client_new(&r->client, r->w.loop), STATUS_OK);
}

static void rig_stop(struct rig *r)
{
	http_client_free(r->client);
	world_stop(&r->w);
}

static const char *url(struct rig *r, const char *path)
{
	snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u%s", http_shell_port(r->w.shell), path);
	return r->url;
}

static void each_method_reaches_the_server_with_its_body(void **state)
{
	static const struct {
		enum http_method method;
		const char *body, *want;
	} rows[] = {
		{HTTP_GET, "", "GET /x query=a=1 body=0"},
		{HTTP_POST, "hello", "POST /x query=a=1 body=5 hello"},
		{HTTP_POST, "", "POST /x query=a=1 body=0"},
		{HTTP_PUT, "hello", "PUT /x query=a=1 body=5 hello"},
		{HTTP_DELETE, "", "DELETE /x query=a=1 body=0"},
		{HTTP_HEAD, "", ""},
	};
	struct rig r;

	rig_start(&r, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct answer a = {0};
		struct http_call call = {.method = rows[i].method,
			.url = url(&r, "/x?a=1"),
			.body = bytes_of_text(rows[i].body),
			.timeout_ms = 5000};

		assert_int_equal(http_client_wait(r.client, &call, on_done, &a), STATUS_OK);
		assert_int_equal(a.count, 1);
		assert_int_equal(a.status, STATUS_OK);
		assert_int_equal(a.http_status, 200);
		assert_string_equal(a.body, rows[i].want);
	}
	/* They were all made over one connection. */
	assert_int_equal(http_shell_connections(r.w.shell), 1);
	rig_stop(&r);
}

static void a_failure_names_host_and_port(void **state)
{
	struct rig r;
	struct answer a = {0};
	struct http_call call = {.url = "http://127.0.0.1:1/secret?key=1", .timeout_ms = 5000};

	rig_start(&r, NULL);
	assert_int_equal(http_client_wait(r.client, &call, on_done, &a), STATUS_OK);
	assert_int_equal(a.status, STATUS_IO);
	assert_non_null(strstr(a.fault, "http://127.0.0.1:1: "));
	assert_null(strstr(a.fault, "secret"));
	rig_stop(&r);
}

static void an_answer_that_does_not_come_is_a_timeout(void **state)
{
	struct rig r;
	struct answer a = {0};

	rig_start(&r, NULL);
	struct http_call call = {.url = url(&r, "/later"), .timeout_ms = 150};
	assert_int_equal(http_client_wait(r.client, &call, on_done, &a), STATUS_OK);
	assert_int_equal(a.status, STATUS_TIMEOUT);
	rig_stop(&r);
}

static void an_answer_over_its_bound_is_refused(void **state)
{
	struct rig r;
	struct answer a = {0};

	rig_start(&r, NULL);
	struct http_call call = {
		.url = url(&r, "/big?5000"), .answer_bytes_max = 4999, .timeout_ms = 5000};
	assert_int_equal(http_client_wait(r.client, &call, on_done, &a), STATUS_OK);
	assert_int_equal(a.status, STATUS_INVALID);
	assert_non_null(strstr(a.fault, "larger than allowed"));
	assert_string_equal(a.body, "");
	call.answer_bytes_max = 5000;
	assert_int_equal(http_client_wait(r.client, &call, on_done, &a), STATUS_OK);
	assert_int_equal(a.status, STATUS_OK);
	rig_stop(&r);
}

static void what_cannot_be_called_is_refused_at_once(void **state)
{
	static const struct http_header split = {"X-A", "b\r\nX-Evil: c"};
	struct rig r;
	struct answer a = {0};
	struct http_call calls[] = {
		{.method = HTTP_OTHER, .url = "http://127.0.0.1:1/"},
		{.url = "http://127.0.0.1:1/", .headers = &split, .header_count = 1},
		{.method = HTTP_PUT, .url = "http://127.0.0.1:1/", .upload_file = "/nonexistent"},
		{.url = "http://127.0.0.1:1/", .download_file = "/nonexistent/file"},
	};

	rig_start(&r, NULL);
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		assert_int_equal(
			http_client_start(r.client, &calls[i], on_done, &a), STATUS_INVALID);
	assert_int_equal(a.count, 0);
	/* Only plain HTTP is spoken; that shows when the call is made. */
	struct http_call other = {.url = "file:///etc/passwd", .timeout_ms = 5000};
	assert_int_equal(http_client_wait(r.client, &other, on_done, &a), STATUS_OK);
	assert_int_equal(a.status, STATUS_INVALID);
	rig_stop(&r);
}

static void freeing_the_client_ends_its_calls(void **state)
{
	struct rig r;
	struct answer a = {0};

	rig_start(&r, NULL);
	struct http_call call = {.url = url(&r, "/later"), .timeout_ms = 5000};
	assert_int_equal(http_client_start(r.client, &call, on_done, &a), STATUS_OK);
	assert_int_equal(http_client_start(r.client, &call, on_done, &a), STATUS_OK);
	assert_int_equal(a.count, 0);
	rig_stop(&r);
	assert_int_equal(a.count, 2);
	assert_int_equal(a.status, STATUS_BUSY);
}

static void a_file_goes_up_and_comes_down(void **state)
{
	struct http_shell_config config = {.upload_prefix = "/up/"};
	struct rig r;
	struct answer a = {0};
	char up[128], down[128];
	struct stat st;

	rig_start(&r, &config);
	snprintf(up, sizeof up, "%s/up", r.w.dir);
	snprintf(down, sizeof down, "%s/down", r.w.dir);
	FILE *file = fopen(up, "w");
	fputs("what is in the file", file);
	fclose(file);
	struct http_call put = {
		.method = HTTP_PUT, .url = url(&r, "/up/1"), .upload_file = up, .timeout_ms = 5000};
	assert_int_equal(http_client_wait(r.client, &put, on_done, &a), STATUS_OK);
	assert_int_equal(a.http_status, 200);
	assert_string_equal(r.w.last_upload, "what is in the file");
	unlink(up);

	struct http_call get = {.url = url(&r, "/file"),
		.download_file = down,
		.answer_bytes_max = 2 * 1024 * 1024,
		.timeout_ms = 5000};
	assert_int_equal(http_client_wait(r.client, &get, on_done, &a), STATUS_OK);
	assert_int_equal(a.status, STATUS_OK);
	assert_int_equal(stat(down, &st), 0);
	assert_int_equal(st.st_size, 1024 * 1024);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(down);

	get.answer_bytes_max = 1000;
	assert_int_equal(http_client_wait(r.client, &get, on_done, &a), STATUS_OK);
	assert_int_equal(a.status, STATUS_INVALID);
	assert_int_equal(access(down, F_OK), -1);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_method_reaches_the_server_with_its_body),
		cmocka_unit_test(a_failure_names_host_and_port),
		cmocka_unit_test(an_answer_that_does_not_come_is_a_timeout),
		cmocka_unit_test(an_answer_over_its_bound_is_refused),
		cmocka_unit_test(what_cannot_be_called_is_refused_at_once),
		cmocka_unit_test(freeing_the_client_ends_its_calls),
		cmocka_unit_test(a_file_goes_up_and_comes_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
