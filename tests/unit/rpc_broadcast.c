/* Submissions: judged at once or later, waiting for a block, given up; with the node's side played
 * by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/rpc_world.h"

#define V            "{\"jsonrpc\":\"2.0\",\"id\":1,"
#define CALL(method) "{\"id\":1,\"method\":\"" method "\",\"params\":{\"tx\":\"YT0x\"}}"
#define FAULT(text)                                                                                \
	V "\"error\":{\"code\":-32603,\"message\":\"Internal error\",\"data\":\"" text "\"}}"

static char hash_text[65];

static int begin(void **state)
{
	struct rpc_world *w = calloc(1, sizeof *w);
	struct hash32 hash = sha256(bytes_of_text("a=1"));

	for (size_t i = 0; i < sizeof hash.b; i++)
		snprintf(hash_text + 2 * i, 3, "%02X", hash.b[i]);
	rpc_world_start(w, RPC_WORLD_TIP);
	*state = w;
	return 0;
}

static int end(void **state)
{
	rpc_world_stop(*state);
	free(*state);
	return 0;
}

static bool some_submit(struct world *http)
{
	const struct rpc_world *w = (const struct rpc_world *)(const void *)http;

	return w->submit_count >= 1;
}

static void until_submitted(struct rpc_world *w)
{
	_Static_assert(offsetof(struct rpc_world, http) == 0, "some_submit looks through it");
	assert_true(world_until(&w->http, &w->peer, some_submit));
}

static const char *accepted(const char *result_of)
{
	static char want[512];

	snprintf(want, sizeof want,
		V "\"result\":{\"code\":0,\"data\":\"\",\"log\":\"%s\",\"codespace\":\"\",\"hash\":"
		  "\"%s\"}}",
		result_of, hash_text);
	return want;
}

static void a_submission_is_told_what_admission_said(void **state)
{
	static const struct {
		enum view_admission admission;
		uint32_t code;
		const char *log, *reply;
	} rows[] = {
		{VIEW_KNOWN, 0, "", FAULT("tx already exists in cache")},
		{VIEW_FULL, 0, "mempool is full: number of txs 1 (max: 1)",
			FAULT("mempool is full: number of txs 1 (max: 1)")},
		{VIEW_TOO_LARGE, 0, "Tx too large. Max size is 1, but got 2",
			FAULT("Tx too large. Max size is 1, but got 2")},
		{VIEW_SYNCING, 0, "",
			FAULT("the node is catching up with the chain; try again later")},
		{VIEW_ADMITTED, 0, "", NULL},
	};

	for (int late = 0; late < 2; late++) {
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			struct rpc_world *w = *state;

			w->submit_count = 0;
			w->defer = late != 0;
			w->verdict = (struct view_submitted){.admission = rows[i].admission};
			strcpy(w->verdict.verdict.log, rows[i].log);
			rpc_send(w, CALL("broadcast_tx_sync"));
			until_submitted(w);
			assert_string_equal(w->submits[0].tx, "a=1");
			if (late)
				rpc_world_admit(w, 0);
			assert_string_equal(
				rpc_answer(w, NULL), rows[i].reply ? rows[i].reply : accepted(""));
		}
	}
}

static void a_refusal_by_the_app_is_a_result_with_a_code(void **state)
{
	struct rpc_world *w = *state;
	char want[512];

	w->verdict = (struct view_submitted){
		.verdict = {.code = 7, .codespace = "settle", .log = "stale"}};
	snprintf(want, sizeof want,
		V "\"result\":{\"code\":7,\"data\":\"\",\"log\":\"stale\",\"codespace\":\"settle\","
		  "\"hash\":\"%s\"}}",
		hash_text);
	assert_string_equal(rpc_post(w, CALL("broadcast_tx_sync"), NULL), want);
}

static void an_asynchronous_submission_waits_for_nothing(void **state)
{
	struct rpc_world *w = *state;

	w->defer = true;
	w->verdict = (struct view_submitted){.admission = VIEW_FULL};
	assert_string_equal(rpc_post(w, CALL("broadcast_tx_async"), NULL), accepted(""));
	assert_int_equal(w->submit_count, 1);
	rpc_world_admit(w, 0);
}

static void a_batch_waits_for_its_last_submission(void **state)
{
	struct rpc_world *w = *state;
	static const char batch[] =
		"[{\"id\":1,\"method\":\"broadcast_tx_sync\",\"params\":{\"tx\":\"YT0x\"}},"
		"{\"id\":2,\"method\":\"health\"},"
		"{\"id\":3,\"method\":\"broadcast_tx_sync\",\"params\":[\"Yj0y\"]}]";

	w->defer = true;
	rpc_send(w, batch);
	until_submitted(w);
	rpc_world_admit(w, 1);
	world_turn(&w->http, &w->peer);
	assert_string_equal(peer_text(&w->peer), "");
	rpc_world_admit(w, 0);
	const char *reply = rpc_answer(w, NULL);
	assert_int_equal(
		strncmp(reply, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"code\":0", 42), 0);
	assert_non_null(strstr(reply,
		",{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":3,"));
}

/* --- waiting for the block
 * ----------------------------------------------------------------------------- */

#define ZERO                                                                                       \
	"{\"code\":0,\"data\":null,\"log\":\"\",\"info\":\"\",\"gas_wanted\":\"0\",\"gas_used\":"  \
	"\"0\","                                                                                   \
	"\"events\":[],\"codespace\":\"\"}"

static const char *committed(void)
{
	static char want[1024];

	snprintf(want, sizeof want,
		V "\"result\":{\"check_tx\":" ZERO
		  ",\"tx_result\":{\"code\":0,\"data\":\"ZGF0YQ==\",\"log\":\"\",\"info\":\"\","
		  "\"gas_wanted\":\"5\","
		  "\"gas_used\":\"5\",\"events\":[{\"type\":\"app\",\"attributes\":[{\"key\":"
		  "\"key\",\"value\":\"value\","
		  "\"index\":true}]}],\"codespace\":\"\"},\"hash\":\"%s\",\"height\":\"2\"}}",
		hash_text);
	return want;
}

static void a_commit_answers_when_the_block_is_there(void **state)
{
	struct rpc_world *w = *state;

	rpc_send(w, CALL("broadcast_tx_commit"));
	until_submitted(w);
	struct hash32 hash = sha256(bytes_of_text("a=1"));
	assert_memory_equal(w->wait_hash.b, hash.b, sizeof hash.b);
	assert_string_equal(peer_text(&w->peer), "");
	rpc_world_include(w, 2, 0);
	assert_string_equal(rpc_answer(w, NULL), committed());
	assert_int_equal(w->waits_cancelled, 0);
}

static void a_block_may_come_before_the_admission_is_told(void **state)
{
	struct rpc_world *w = *state;

	w->defer = true;
	rpc_send(w, CALL("broadcast_tx_commit"));
	until_submitted(w);
	rpc_world_include(w, 2, 0);
	world_turn(&w->http, &w->peer);
	assert_string_equal(peer_text(&w->peer), "");
	rpc_world_admit(w, 0);
	assert_string_equal(rpc_answer(w, NULL), committed());
}

static void a_commit_that_is_refused_gives_up_its_wait(void **state)
{
	struct rpc_world *w = *state;
	char want[1024];

	w->verdict = (struct view_submitted){.admission = VIEW_KNOWN};
	assert_string_equal(rpc_post(w, CALL("broadcast_tx_commit"), NULL),
		FAULT("error on broadcastTxCommit: tx already exists in cache"));
	assert_int_equal(w->waits_cancelled, 1);
	w->verdict = (struct view_submitted){
		.verdict = {.code = 7, .codespace = "settle", .log = "stale"}};
	snprintf(want, sizeof want,
		V "\"result\":{\"check_tx\":{\"code\":7,\"data\":null,\"log\":\"stale\",\"info\":"
		  "\"\",\"gas_wanted\":\"0\","
		  "\"gas_used\":\"0\",\"events\":[],\"codespace\":\"settle\"},\"tx_result\":" ZERO
		  ",\"hash\":\"%s\",\"height\":\"0\"}}",
		hash_text);
	assert_string_equal(rpc_post(w, CALL("broadcast_tx_commit"), NULL), want);
	assert_int_equal(w->waits_cancelled, 2);
	w->waits_full = true;
	assert_non_null(
		strstr(rpc_post(w, CALL("broadcast_tx_commit"), NULL), "too many calls wait"));
	assert_int_equal(w->waits_cancelled, 2);
}

static void a_commit_waits_no_longer_than_ten_seconds(void **state)
{
	struct rpc_world *w = *state;

	rpc_send(w, CALL("broadcast_tx_commit"));
	until_submitted(w);
	assert_true(w->wait_deadline_ms > 10000);
	rpc_world_include(w, 0, 0);
	assert_string_equal(
		rpc_answer(w, NULL), FAULT("timed out waiting for tx to be included in a block"));
}

static void a_requester_that_left_is_not_answered(void **state)
{
	struct rpc_world *w = *state;

	w->defer = true;
	rpc_send(w, CALL("broadcast_tx_sync"));
	until_submitted(w);
	peer_close(&w->peer);
	for (int turn = 0; turn < 5000 && http_shell_connections(w->http.shell) > 0; turn++)
		world_turn(&w->http, NULL);
	assert_int_equal(http_shell_connections(w->http.shell), 0);
	rpc_world_admit(w, 0);
	peer_open(&w->peer, &w->http);
	assert_string_equal(
		rpc_post(w, "{\"id\":1,\"method\":\"health\"}", NULL), V "\"result\":{}}");
}

/* The shell has answered 503; what the node still owes finds nothing to write to. */
static void a_server_that_is_freed_forgets_its_waits(void **state)
{
	struct rpc_world *w = *state;

	w->defer = true;
	rpc_send(w, CALL("broadcast_tx_sync"));
	until_submitted(w);
	peer_close(&w->peer);
	peer_open(&w->peer, &w->http);
	rpc_send(w, CALL("broadcast_tx_commit"));
	for (int turn = 0; turn < 5000 && w->submit_count < 2; turn++)
		world_turn(&w->http, &w->peer);
	assert_int_equal(w->submit_count, 2);
	peer_close(&w->peer);
	peer_open(&w->peer, &w->http);
	w->defer = false;
	rpc_send(w, CALL("broadcast_tx_commit"));
	for (int turn = 0; turn < 5000 && w->submit_count < 3; turn++)
		world_turn(&w->http, &w->peer);
	assert_int_equal(w->submit_count, 3);
	peer_close(&w->peer);
	world_stop(&w->http);
	rpc_server_free(w->server);
	rpc_world_admit(w, 0);
	rpc_world_admit(w, 1);
	store_close(&w->store);
	rpc_world_start(w, RPC_WORLD_TIP); /* for the teardown */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_submission_is_told_what_admission_said, begin, end),
		cmocka_unit_test_setup_teardown(
			a_refusal_by_the_app_is_a_result_with_a_code, begin, end),
		cmocka_unit_test_setup_teardown(
			an_asynchronous_submission_waits_for_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_batch_waits_for_its_last_submission, begin, end),
		cmocka_unit_test_setup_teardown(
			a_commit_answers_when_the_block_is_there, begin, end),
		cmocka_unit_test_setup_teardown(
			a_block_may_come_before_the_admission_is_told, begin, end),
		cmocka_unit_test_setup_teardown(
			a_commit_that_is_refused_gives_up_its_wait, begin, end),
		cmocka_unit_test_setup_teardown(
			a_commit_waits_no_longer_than_ten_seconds, begin, end),
		cmocka_unit_test_setup_teardown(a_requester_that_left_is_not_answered, begin, end),
		cmocka_unit_test_setup_teardown(
			a_server_that_is_freed_forgets_its_waits, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
