/* The project's own client against the project's own server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/client.h"
#include "tests/unit/rpc_world.h"

struct rig {
	struct rpc_world w;
	struct http_client *http;
	struct rpc_client *client;
};

static int begin(void **state)
{
	struct rig *r = calloc(1, sizeof *r);
	char url[64];

	rpc_world_start(&r->w, RPC_WORLD_TIP);
	assert_int_equal(http_client_new(&r->http, r->w.http.loop), STATUS_OK);
	snprintf(url, sizeof url, "http://127.0.0.1:%u", http_shell_port(r->w.http.shell));
	assert_int_equal(rpc_client_new(&r->client, r->http, url), STATUS_OK);
	*state = r;
	return 0;
}

static int end(void **state)
{
	struct rig *r = *state;

	rpc_client_free(r->client);
	http_client_free(r->http);
	rpc_world_stop(&r->w);
	free(r);
	return 0;
}

struct answer {
	int count;
	enum status status;
	int64_t code;
	char fault[300];
	json_t *result;
};

static void on_done(void *ctx, const struct rpc_outcome *outcome)
{
	struct answer *a = ctx;

	a->count++;
	a->status = outcome->status;
	a->code = outcome->code;
	snprintf(a->fault, sizeof a->fault, "%s", outcome->fault ? outcome->fault : "");
	if (outcome->status == STATUS_OK)
		a->result = json_incref((json_t *)(uintptr_t)outcome->result);
}

static struct answer ask(struct rig *r, const char *method, json_t *params)
{
	struct answer a = {0};

	assert_int_equal(rpc_call_wait(r->client, method, params, 5000, on_done, &a), STATUS_OK);
	assert_int_equal(a.count, 1);
	return a;
}

static void an_answer_is_a_result(void **state)
{
	struct answer a = ask(*state, "genesis", NULL);

	assert_int_equal(a.status, STATUS_OK);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(a.result, "genesis"), "chain_id")),
		"rpc-test");
	json_decref(a.result);
}

static void an_error_is_refused_with_its_code_and_data(void **state)
{
	struct hash32 hash = {{0xab}};
	struct answer a = ask(*state, "nonsense", NULL);

	assert_int_equal(a.status, STATUS_REFUSED);
	assert_int_equal(a.code, -32601);
	assert_string_equal(a.fault, "Method not found");
	a = ask(*state, "tx", rpc_params_hash(&hash));
	assert_int_equal(a.code, -32603);
	assert_string_equal(a.fault,
		"tx (AB00000000000000000000000000000000000000000000000000000000000000) not found");
}

static void a_transaction_and_a_query_arrive_as_they_were_given(void **state)
{
	struct rig *r = *state;
	struct answer a = ask(r, "broadcast_tx_sync", rpc_params_tx(bytes_of_text("a=1")));
	uint32_t code;
	char log[256];

	assert_int_equal(a.status, STATUS_OK);
	assert_string_equal(r->w.submits[0].tx, "a=1");
	json_decref(a.result);

	a = ask(r, "abci_query", rpc_params_query("/x", bytes_of_text("{\"balance\":5}")));
	json_t *value = rpc_query_value(a.result, &code, log);
	assert_int_equal(code, 0);
	assert_int_equal(json_integer_value(json_object_get(value, "balance")), 5);
	json_decref(value);
	json_decref(a.result);

	a = ask(r, "abci_query", rpc_params_query("/x", bytes_of_text("not json")));
	assert_null(rpc_query_value(a.result, &code, log));
	assert_int_equal(code, 0);
	assert_non_null(strstr(log, "not JSON"));
	json_decref(a.result);

	a = ask(r, "abci_query", rpc_params_query("/nothing", bytes_of_text("")));
	assert_null(rpc_query_value(a.result, &code, log));
	json_decref(a.result);
}

static void a_dead_node_is_named(void **state)
{
	struct rig *r = *state;
	struct rpc_client *client;
	struct answer a = {0};

	assert_int_equal(rpc_client_new(&client, r->http, "http://127.0.0.1:1"), STATUS_OK);
	assert_int_equal(rpc_call_wait(client, "health", NULL, 5000, on_done, &a), STATUS_OK);
	assert_int_equal(a.status, STATUS_IO);
	assert_non_null(strstr(a.fault, "127.0.0.1:1"));
	rpc_client_free(client);
}

static void a_client_freed_in_the_middle_hears_nothing_more(void **state)
{
	struct rig *r = *state;
	struct rpc_client *client;
	struct answer a = {0};

	assert_int_equal(rpc_client_new(&client, r->http, "http://127.0.0.1:1"), STATUS_OK);
	assert_int_equal(rpc_call(client, "health", NULL, 5000, on_done, &a), STATUS_OK);
	rpc_client_free(client);
	struct answer other = ask(r, "health", NULL);
	json_decref(other.result);
	http_client_free(r->http);
	r->http = NULL;
	assert_int_equal(a.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_is_a_result, begin, end),
		cmocka_unit_test_setup_teardown(
			an_error_is_refused_with_its_code_and_data, begin, end),
		cmocka_unit_test_setup_teardown(
			a_transaction_and_a_query_arrive_as_they_were_given, begin, end),
		cmocka_unit_test_setup_teardown(a_dead_node_is_named, begin, end),
		cmocka_unit_test_setup_teardown(
			a_client_freed_in_the_middle_hears_nothing_more, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
