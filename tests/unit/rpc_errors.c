/* What a request gets back that isn't an answer: every row of the error table, ids, notifications,
 * batches, to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/rpc_world.h"

#define OK      "\"result\":{}}"
#define V       "{\"jsonrpc\":\"2.0\","
#define INVALID V "\"error\":{\"code\":-32600,\"message\":\"Invalid Request\",\"data\":"
#define UNKNOWN "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}"
#define PARAMS                                                                                     \
	"\"error\":{\"code\":-32602,\"message\":\"Invalid params\",\"data\":\"error converting "   \
	"json "                                                                                    \
	"params to arguments: "
#define INTERNAL "\"error\":{\"code\":-32603,\"message\":\"Internal error\",\"data\":"
#define BAD_ID   INVALID "\"id: must be a string, an integer or null\"}}"

struct row {
	const char *request;
	int status;
	const char *reply; /* whole; or its beginning, when it ends in '~' */
};

static void check_row(struct rpc_world *w, const struct row *row)
{
	int status;
	const char *reply = rpc_post(w, row->request, &status);
	size_t len = strlen(row->reply);
	bool prefix = len > 0 && row->reply[len - 1] == '~';

	if (status != row->status ||
		(prefix ? strncmp(reply, row->reply, len - 1) : strcmp(reply, row->reply)) != 0)
		fail_msg("%s\n  got  %d %s\n  want %d %s", row->request, status, reply, row->status,
			row->reply);
}

static const struct row rows[] = {
	/* ids come back as they were spelled */
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health\"}", 200, V "\"id\":1," OK},
	{"{\"id\":-1,\"method\":\"health\"}", 200, V "\"id\":-1," OK},
	{"{\"id\":123456789012,\"method\":\"health\"}", 200, V "\"id\":123456789012," OK},
	{"{\"id\":\"a-b\",\"method\":\"health\"}", 200, V "\"id\":\"a-b\"," OK},
	{"{\"id\":\"\\u0041\\/\\n\",\"method\":\"health\"}", 200, V "\"id\":\"\\u0041\\/\\n\"," OK},
	{"{\"id\":\"\",\"method\":\"health\"}", 200, V "\"id\":\"\"," OK},
	{"{\"method\":\"health\", \"id\" : 7 }", 200, V "\"id\":7," OK},
	{"{\"id\":1.5,\"method\":\"health\"}", 200, BAD_ID},
	{"{\"id\":1e3,\"method\":\"health\"}", 200, BAD_ID},
	{"{\"id\":true,\"method\":\"health\"}", 200, BAD_ID},
	{"{\"id\":[1],\"method\":\"health\"}", 200, BAD_ID},
	{"{\"id\":{},\"method\":\"health\"}", 200, BAD_ID},
	/* notifications are done and not answered */
	{"{\"method\":\"health\"}", 200, ""},
	{"{\"id\":null,\"method\":\"health\"}", 200, ""},
	{"{\"method\":\"nonsense\"}", 200, ""},
	/* methods */
	{"{\"id\":1,\"method\":\"nonsense\"}", 200, V "\"id\":1," UNKNOWN},
	{"{\"id\":1,\"method\":\"Health\"}", 200, V "\"id\":1," UNKNOWN},
	{"{\"id\":1,\"method\":\"\"}", 200, V "\"id\":1," UNKNOWN},
	{"{\"id\":1}", 200, V "\"id\":1," UNKNOWN},
	{"{}", 200, ""},
	{"{\"id\":1,\"method\":5}", 200,
		V "\"id\":1,\"error\":{\"code\":-32600,\"message\":\"Invalid "
		  "Request\",\"data\":\"method: "
		  "must be a string\"}}"},
	/* not a request */
	{"5", 200, INVALID "\"a request must be a JSON object or an array of them\"}}"},
	{"\"x\"", 200, INVALID "\"a request must be a JSON object or an array of them\"}}"},
	{"null", 200, INVALID "\"a request must be a JSON object or an array of them\"}}"},
	/* not JSON */
	{"{", 500,
		V "\"error\":{\"code\":-32700,\"message\":\"Parse error. Invalid "
		  "JSON\",\"data\":\"error "
		  "unmarshalling request: ~"},
	{"{\"id\":1,\"method\":\"health\"", 500, V "\"error\":{\"code\":-32700,~"},
	{"{\"id\":1,\"method\":\"health\"}}", 500, V "\"error\":{\"code\":-32700,~"},
	{"{\"id\":1,\"id\":2,\"method\":\"health\"}", 500, V "\"error\":{\"code\":-32700,~"},
	{"{\"id\":99999999999999999999,\"method\":\"health\"}", 500,
		V "\"error\":{\"code\":-32700,~"},
	{"{\"id\":1,\"method\":\"health\",\"params\":{\"a\":NaN}}", 500,
		V "\"error\":{\"code\":-32700,~"},
	{"{'id':1}", 500, V "\"error\":{\"code\":-32700,~"},
	{"\xff", 500, V "\"error\":{\"code\":-32700,~"},
	{"id=1&method=health", 500, V "\"error\":{\"code\":-32700,~"},
	/* parameters */
	{"{\"id\":1,\"method\":\"health\",\"params\":null}", 200, V "\"id\":1," OK},
	{"{\"id\":1,\"method\":\"health\",\"params\":{}}", 200, V "\"id\":1," OK},
	{"{\"id\":1,\"method\":\"health\",\"params\":[]}", 200, V "\"id\":1," OK},
	{"{\"id\":1,\"method\":\"health\",\"params\":{\"unknown\":1}}", 200, V "\"id\":1," OK},
	{"{\"id\":1,\"method\":\"health\",\"params\":[1]}", 200,
		V "\"id\":1," PARAMS "expected 0 parameters, got 1\"}}"},
	{"{\"id\":1,\"method\":\"block\",\"params\":[]}", 200,
		V "\"id\":1," PARAMS "expected 1 parameters, got 0\"}}"},
	{"{\"id\":1,\"method\":\"block\",\"params\":\"1\"}", 200,
		V "\"id\":1," PARAMS "params must be an object or an array\"}}"},
	{"{\"id\":1,\"method\":\"block\",\"params\":{\"height\":1}}", 200,
		V "\"id\":1," PARAMS
		  "height: invalid 64-bit integer encoding, expected a decimal string like "
		  "\\\"5\\\"\"}}"},
	{"{\"id\":1,\"method\":\"block\",\"params\":{\"height\":\"1x\"}}", 200,
		V "\"id\":1," PARAMS "height: not a 64-bit decimal integer\"}}"},
	{"{\"id\":1,\"method\":\"block\",\"params\":{\"height\":\"\"}}", 200,
		V "\"id\":1," PARAMS "height: not a 64-bit decimal integer\"}}"},
	{"{\"id\":1,\"method\":\"block\",\"params\":{\"height\":\"9223372036854775808\"}}", 200,
		V "\"id\":1," PARAMS "height: not a 64-bit decimal integer\"}}"},
	{"{\"id\":1,\"method\":\"tx\",\"params\":{\"hash\":\"!\"}}", 200,
		V "\"id\":1," PARAMS "hash: illegal base64 data\"}}"},
	{"{\"id\":1,\"method\":\"tx\",\"params\":{\"hash\":5}}", 200,
		V "\"id\":1," PARAMS "hash: expected a base64 string\"}}"},
	{"{\"id\":1,\"method\":\"tx\",\"params\":{\"prove\":\"true\"}}", 200,
		V "\"id\":1," PARAMS "prove: expected true or false\"}}"},
	{"{\"id\":1,\"method\":\"header_by_hash\",\"params\":{\"hash\":\"0xAB\"}}", 200,
		V "\"id\":1," PARAMS "hash: invalid hex\"}}"},
	{"{\"id\":1,\"method\":\"header_by_hash\",\"params\":{\"hash\":\"ABC\"}}", 200,
		V "\"id\":1," PARAMS "hash: invalid hex\"}}"},
	{"{\"id\":1,\"method\":\"abci_query\",\"params\":{\"path\":[]}}", 200,
		V "\"id\":1," PARAMS "path: expected a string\"}}"},
	{"{\"id\":1,\"method\":\"genesis_chunked\",\"params\":{\"chunk\":\"-1\"}}", 200,
		V "\"id\":1," PARAMS "chunk: must not be negative\"}}"},
	{"{\"id\":1,\"method\":\"broadcast_tx_sync\",\"params\":{\"tx\":\"\"}}", 200,
		V "\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Invalid "
		  "params\",\"data\":\"tx: must not be "
		  "empty\"}}"},
	/* heights, in the words light clients look for */
	{"{\"id\":1,\"method\":\"block\",\"params\":{\"height\":\"0\"}}", 200,
		V "\"id\":1," INTERNAL "\"height must be greater than 0, but got 0\"}}"},
	{"{\"id\":1,\"method\":\"header\",\"params\":{\"height\":\"-5\"}}", 200,
		V "\"id\":1," INTERNAL "\"height must be greater than 0, but got -5\"}}"},
	{"{\"id\":1,\"method\":\"commit\",\"params\":{\"height\":\"4\"}}", 200,
		V "\"id\":1," INTERNAL
		  "\"height 4 must be less than or equal to the current blockchain height 3\"}}"},
	{"{\"id\":1,\"method\":\"validators\",\"params\":{\"height\":\"5\"}}", 200,
		V "\"id\":1," INTERNAL
		  "\"height 5 must be less than or equal to the current blockchain height 4\"}}"},
	{"{\"id\":1,\"method\":\"validators\",\"params\":{\"page\":\"2\"}}", 200,
		V "\"id\":1," INTERNAL "\"page should be within [1, 1] range, given 2\"}}"},
	{"{\"id\":1,\"method\":\"validators\",\"params\":{\"page\":\"0\"}}", 200,
		V "\"id\":1," INTERNAL "\"page should be within [1, 1] range, given 0\"}}"},
	{"{\"id\":1,\"method\":\"blockchain\",\"params\":{\"minHeight\":\"3\",\"maxHeight\":\"2\"}"
	 "}",
		200,
		V "\"id\":1," INTERNAL "\"min height 3 can't be greater than max height 2\"}}"},
	{"{\"id\":1,\"method\":\"blockchain\",\"params\":{\"minHeight\":\"-1\",\"maxHeight\":\"2\"}"
	 "}",
		200, V "\"id\":1," INTERNAL "\"heights must be non-negative\"}}"},
	{"{\"id\":1,\"method\":\"genesis_chunked\",\"params\":{\"chunk\":\"1\"}}", 200,
		V "\"id\":1," INTERNAL "\"there are 0 chunks, 1 is invalid\"}}"},
	{"{\"id\":1,\"method\":\"tx\",\"params\":{\"hash\":\"q83v\"}}", 200,
		V "\"id\":1," INTERNAL "\"tx (ABCDEF) not found\"}}"},
	{"{\"id\":1,\"method\":\"abci_query\",\"params\":{\"path\":\"/broken\"}}", 200,
		V "\"id\":1," INTERNAL "\"asking the app: ~"},
	/* batches */
	{"[]", 200, ""},
	{"[{\"id\":1,\"method\":\"health\"}]", 200, V "\"id\":1," OK},
	{"[{\"id\":1,\"method\":\"health\"},{\"id\":\"2\",\"method\":\"health\"}]", 200,
		"[" V "\"id\":1," OK "," V "\"id\":\"2\"," OK "]"},
	{"[{\"method\":\"health\"},{\"id\":2,\"method\":\"health\"}]", 200, V "\"id\":2," OK},
	{"[{\"method\":\"health\"},{\"method\":\"health\"}]", 200, ""},
	{"[{\"id\":1,\"method\":\"health\"},{\"id\":2,\"method\":\"nonsense\"},{\"id\":3,"
	 "\"method\":"
	 "\"health\"}]",
		200, "[" V "\"id\":1," OK "," V "\"id\":2," UNKNOWN "," V "\"id\":3," OK "]"},
	{"[1,{\"id\":2,\"method\":\"health\"}]", 200,
		"[" INVALID "\"a request must be a JSON object\"}}," V "\"id\":2," OK "]"},
	{"[{\"id\":1.5,\"method\":\"health\"},{\"id\":2,\"method\":\"health\"}]", 200,
		"[" BAD_ID "," V "\"id\":2," OK "]"},
	{"[{},{},{},{},{},{},{},{},{},{},{}]", 200,
		INVALID "\"batch request exceeds maximum (10) allowed number of requests\"}}"},
	{"[{},{},{},{},{},{},{},{},{},{}]", 200, ""},
};

static void each_wrong_request_gets_its_own_error(void **state)
{
	struct rpc_world w;

	rpc_world_start(&w, RPC_WORLD_TIP);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_row(&w, &rows[i]);
	/* All of it over one connection, which still lives. */
	assert_false(w.peer.closed);
	assert_int_equal(http_shell_connections(w.http.shell), 1);
	rpc_world_stop(&w);
}

/* Alone it is read without a tree, in a batch of one with it. */
static void a_call_reads_alike_alone_and_in_a_batch(void **state)
{
	struct rpc_world w;

	rpc_world_start(&w, RPC_WORLD_TIP);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char batch[1024];
		struct row row = {batch, rows[i].status, rows[i].reply};

		if (rows[i].request[0] != '{' || rows[i].status != 200)
			continue;
		assert_true(
			snprintf(batch, sizeof batch, "[%s]", rows[i].request) < (int)sizeof batch);
		check_row(&w, &row);
	}
	rpc_world_stop(&w);
}

static void a_body_over_a_megabyte_is_refused(void **state)
{
	struct rpc_world w;
	char *body = calloc(1, 1000001);
	int status;

	rpc_world_start(&w, RPC_WORLD_TIP);
	memset(body, ' ', 1000001);
	const char *reply = rpc_ask(&w, "POST", "/", "", body, 1000001, &status);
	assert_int_equal(status, 400);
	assert_string_equal(
		reply, INVALID "\"error reading request body: http: request body too large\"}}");
	memcpy(body, "{\"id\":1,\"method\":\"health\"}", 26);
	assert_string_equal(rpc_ask(&w, "POST", "/", "", body, 1000000, &status), V "\"id\":1," OK);
	free(body);
	rpc_world_stop(&w);
}

/* A megabyte of empty values would take 80 MB and a tenth of a second of everybody's time. */
static void a_body_of_too_many_values_is_refused_unread(void **state)
{
	static const char *const units[] = {"[]", "{}", "1", "\"\"", "{\"\":{}}"};
	struct rpc_world w;

	rpc_world_start(&w, RPC_WORLD_TIP);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		struct buf body = {0};
		int status;

		buf_append_text(&body, "{\"id\":1,\"method\":\"block\",\"params\":[");
		while (body.len < 900 * 1000)
			buf_appendf(&body, "%s,", units[i]);
		buf_append_text(&body, "1]}");
		const char *reply = rpc_post(&w, buf_text(&body), &status);
		assert_int_equal(status, 500);
		assert_non_null(strstr(reply, "-32700"));
		assert_non_null(strstr(reply, "more values than are read at one time"));
		buf_fini(&body);
	}
	rpc_world_stop(&w);
}

static void deep_nesting_is_refused(void **state)
{
	struct rpc_world w;
	char *body = calloc(1, 100001);
	int status;

	rpc_world_start(&w, RPC_WORLD_TIP);
	memset(body, '[', 100000);
	const char *reply = rpc_post(&w, body, &status);
	assert_int_equal(status, 500);
	assert_non_null(strstr(reply, "-32700"));
	free(body);
	rpc_world_stop(&w);
}

/* A GET as in curl, a browser or a probe: the id is -1, and an error is the HTTP status too. */
static void a_uri_call_answers_with_its_own_statuses(void **state)
{
	static const struct {
		const char *target;
		int status;
		const char *reply;
	} uris[] = {
		{"/health", 200, V "\"id\":-1," OK},
		{"/health?", 200, V "\"id\":-1," OK},
		{"/health?x=y", 200, V "\"id\":-1," OK},
		{"/nonsense", 404, "404 page not found\n"},
		{"/block/1", 404, "404 page not found\n"},
		{"/block?height=9", 500,
			V "\"id\":-1," INTERNAL "\"height 9 must be less than or equal to the "
			  "current blockchain height 3\"}}"},
		{"/block?height=x", 500,
			V "\"id\":-1,\"error\":{\"code\":-32602,\"message\":\"Invalid "
			  "params\",\"data\":\"error "
			  "converting http params to arguments: height: not a 64-bit decimal "
			  "integer\"}}"},
		{"/block?height=0x1", 500,
			V "\"id\":-1,\"error\":{\"code\":-32602,\"message\":\"Invalid "
			  "params\",\"data\":\"error "
			  "converting http params to arguments: height: got a hex string arg, but "
			  "expected "
			  "'int64'\"}}"},
		{"/tx?hash=0xZZ", 500,
			V "\"id\":-1,\"error\":{\"code\":-32602,\"message\":\"Invalid "
			  "params\",\"data\":\"error "
			  "converting http params to arguments: hash: invalid hex\"}}"},
		{"/tx?hash=0xABCD", 500, V "\"id\":-1," INTERNAL "\"tx (ABCD) not found\"}}"},
		{"/tx?hash=%22ab%22&prove=maybe", 500,
			V "\"id\":-1,\"error\":{\"code\":-32602,\"message\":\"Invalid "
			  "params\",\"data\":\"error "
			  "converting http params to arguments: prove: expected true or false\"}}"},
		{"/abci_query?path=/x", 500,
			V "\"id\":-1,\"error\":{\"code\":-32602,\"message\":\"Invalid "
			  "params\",\"data\":\"error "
			  "converting http params to arguments: path: expected 0x and hex, or a "
			  "text in double "
			  "quotes\"}}"},
	};
	struct rpc_world w;

	rpc_world_start(&w, RPC_WORLD_TIP);
	for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
		int status;
		const char *reply = rpc_get(&w, uris[i].target, &status);

		if (status != uris[i].status || strcmp(reply, uris[i].reply) != 0)
			fail_msg("%s\n  got  %d %s\n  want %d %s", uris[i].target, status, reply,
				uris[i].status, uris[i].reply);
	}
	rpc_world_stop(&w);
}

static void headers_say_time_type_and_what_may_be_cached(void **state)
{
	static const struct {
		const char *request;
		bool cached;
	} asks[] = {
		{"{\"id\":1,\"method\":\"status\"}", false},
		{"{\"id\":1,\"method\":\"genesis\"}", true},
		{"{\"id\":1,\"method\":\"block\"}", false},
		{"{\"id\":1,\"method\":\"block\",\"params\":{\"height\":\"2\"}}", true},
		{"{\"id\":1,\"method\":\"block\",\"params\":{\"height\":\"9\"}}", false},
		{"{\"id\":1,\"method\":\"commit\",\"params\":{\"height\":\"2\"}}", true},
		{"{\"id\":1,\"method\":\"commit\",\"params\":{\"height\":\"3\"}}", false},
		{"[{\"id\":1,\"method\":\"genesis\"},{\"id\":2,\"method\":\"genesis\"}]", true},
		{"[{\"id\":1,\"method\":\"genesis\"},{\"id\":2,\"method\":\"status\"}]", false},
	};
	struct rpc_world w;

	rpc_world_start(&w, RPC_WORLD_TIP);
	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
		rpc_post(&w, asks[i].request, NULL);
		assert_non_null(strstr(rpc_headers(&w), "Content-Type: application/json\r\n"));
		assert_non_null(strstr(rpc_headers(&w), "X-Server-Time: 1700000123\r\n"));
		bool cached =
			strstr(rpc_headers(&w), "Cache-Control: public, max-age=86400\r\n") != NULL;
		if (cached != asks[i].cached)
			fail_msg("%s", asks[i].request);
	}
	rpc_world_stop(&w);
}

static void the_root_lists_the_endpoints_and_takes_any_content_type(void **state)
{
	static const char call[] = "{\"id\":1,\"method\":\"health\"}";
	struct rpc_world w;
	int status;

	rpc_world_start(&w, RPC_WORLD_TIP);
	assert_non_null(strstr(rpc_get(&w, "/", &status), "<a href=\"/block?height=_\">block</a>"));
	assert_non_null(strstr(rpc_headers(&w), "Content-Type: text/html"));
	assert_non_null(strstr(rpc_post(&w, "", &status), "/abci_query?path=_&amp;data=_"));
	assert_int_equal(status, 200);
	/* curl -d says it is a form */
	assert_string_equal(
		rpc_ask(&w, "POST", "/", "Content-Type: application/x-www-form-urlencoded\r\n",
			call, sizeof call - 1, &status),
		V "\"id\":1," OK);
	/* a form on a method's own path is read as one */
	assert_string_equal(
		rpc_ask(&w, "POST", "/block", "Content-Type: application/x-www-form-urlencoded\r\n",
			"height=9", 8, &status),
		V "\"id\":-1," INTERNAL
		  "\"height 9 must be less than or equal to the current blockchain height 3\"}}");
	rpc_ask(&w, "POST", "/nonsense", "", call, sizeof call - 1, &status);
	assert_int_equal(status, 404);
	rpc_ask(&w, "PUT", "/", "", call, sizeof call - 1, &status);
	assert_int_equal(status, 405);
	rpc_world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wrong_request_gets_its_own_error),
		cmocka_unit_test(a_call_reads_alike_alone_and_in_a_batch),
		cmocka_unit_test(a_body_over_a_megabyte_is_refused),
		cmocka_unit_test(a_body_of_too_many_values_is_refused_unread),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(a_uri_call_answers_with_its_own_statuses),
		cmocka_unit_test(headers_say_time_type_and_what_may_be_cached),
		cmocka_unit_test(the_root_lists_the_endpoints_and_takes_any_content_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
