/* tx_search and block_search: what they find, in which order, by page and by cursor. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/rpc_world.h"

enum { TIP = 12 };

static int start(void **state)
{
	struct rpc_world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	rpc_world_start(w, TIP);
	*state = w;
	return 0;
}

static int stop(void **state)
{
	rpc_world_stop(*state);
	free(*state);
	return 0;
}

/* Places of an answer, as "height.index ..." or "height ...", and checks its count. */
static void read_places(char out[512], json_t *result, const char *list, size_t total)
{
	size_t i, len = 0;
	json_t *item;

	out[0] = '\0';
	json_array_foreach(json_object_get(result, list), i, item)
	{
		json_t *block = json_object_get(json_object_get(item, "block"), "header");
		const char *height =
			json_string_value(json_object_get(block ? block : item, "height"));

		len += (size_t)snprintf(
			out + len, 512 - len, "%s%s", len > 0 ? " " : "", height ? height : "?");
		if (!block)
			len += (size_t)snprintf(out + len, 512 - len, ".%d",
				(int)json_integer_value(json_object_get(item, "index")));
	}
	assert_int_equal(
		strtoul(json_string_value(json_object_get(result, "total_count")), NULL, 10),
		total);
}

struct row {
	const char *query;
	const char *places;
	size_t total;
};

static const struct row of_txs[] = {
	{"tx.height=2", "2.0 2.1", 2},
	{"tx.height=3", "", 0},
	{"tx.height>9 AND tx.height<=12", "10.0 10.1 12.0 12.1", 4},
	{"tx.height>9.5 AND tx.height<12", "10.0 10.1", 2},
	{"tx.height=10.5", "", 0},
	{"tx.height>=99999999999999999999", "", 0},
	{"tx.height EXISTS", "2.0 2.1 4.0 4.1 6.0 6.1 8.0 8.1 10.0 10.1 12.0 12.1", 12},
	{"tx.height='10'", "10.0 10.1", 2},
	{"tm.event='Tx' AND tx.height=2", "2.0 2.1", 2},
	{"tm.event='NewBlock' AND tx.height=2", "", 0},
	{"app.key='value'", "2.0", 1},
	{"app.key='k2'", "4.0 10.0", 2},
	{"app.key='k2' AND tx.height>4", "10.0", 1},
	{"app.key='nothing'", "", 0},
	{"app.creator='alice'", "4.0 6.0 8.0 10.0 12.0", 5},
	/* in one and the same event */
	{"app.key='k2' AND app.creator='alice'", "4.0 10.0", 2},
	{"app.key='k2' AND app.creator='bob'", "", 0},
	{"app.key='other' AND app.creator='bob'", "4.0 6.0 8.0 10.0 12.0", 5},
	{"app.key CONTAINS 'k'", "4.0 6.0 8.0 10.0 12.0", 5},
	{"app.key CONTAINS 'k' AND tx.height<7", "4.0 6.0", 2},
	{"app.key EXISTS", "2.0 4.0 6.0 8.0 10.0 12.0", 6},
	{"paid.amount>6", "6.1 8.1 10.1 12.1", 4},
	{"paid.amount=8.5", "8.1", 1},
	{"paid.amount='8.5uaitbc'", "8.1", 1},
	{"paid.hidden='yes'", "", 0},
	{"paid.hidden EXISTS", "", 0},
	{"app.key='k0' AND paid.amount>1", "", 0},
	/* of the block, not of a transaction */
	{"swept.key='value'", "", 0},
	{"tx.hash='9F7D2FA65C2C3E9D0E3FC0B5BDD8BF0A3E76D5B6C2A1C2C0B8D4B6A3B1B4B2A1'", "", 0},
	{"tx.hash='zz'", "", 0},
};

static const struct row of_blocks[] = {
	{"block.height>=1 AND block.height<=3", "3 2 1", 3},
	{"block.height=7", "7", 1},
	{"block.height>100", "", 0},
	{"swept.key='value'", "2", 1},
	{"app.key='k2'", "10 4", 2},
	{"app.key EXISTS", "12 10 8 6 4", 5},
	{"app.key='value'", "", 0},
	{"app.key='k2' AND block.height<5", "4", 1},
	{"tm.event='NewBlock' AND block.height<3", "2 1", 2},
	{"paid.amount EXISTS", "", 0},
};

static void check(struct rpc_world *w, const char *method, const char *list, const struct row *row)
{
	char params[700], places[512];

	snprintf(params, sizeof params, "{\"query\":\"%s\"}", row->query);
	json_t *result = rpc_result(w, method, params);
	read_places(places, result, list, row->total);
	if (strcmp(places, row->places) != 0)
		fail_msg("%s %s\n  got  %s\n  want %s", method, row->query, places, row->places);
	json_decref(result);
}

static void transactions_are_found_by_what_happened_in_them(void **state)
{
	for (size_t i = 0; i < sizeof of_txs / sizeof of_txs[0]; i++)
		check(*state, "tx_search", "txs", &of_txs[i]);
}

static void blocks_are_found_newest_first(void **state)
{
	for (size_t i = 0; i < sizeof of_blocks / sizeof of_blocks[0]; i++)
		check(*state, "block_search", "blocks", &of_blocks[i]);
}

static void a_transaction_is_found_by_its_hash_in_either_case(void **state)
{
	struct rpc_world *w = *state;
	json_t *all = rpc_result(w, "tx_search", "{\"query\":\"tx.height=10\"}");
	const char *hash = json_string_value(
		json_object_get(json_array_get(json_object_get(all, "txs"), 0), "hash"));
	char query[256], lower[65] = "";

	for (size_t i = 0; i < 64; i++)
		lower[i] = hash[i] >= 'A' ? (char)(hash[i] | 0x20) : hash[i];
	const char *const spelled[] = {hash, lower};
	for (size_t i = 0; i < 2; i++) {
		snprintf(query, sizeof query, "tx.hash='%s'", spelled[i]);
		check(w, "tx_search", "txs", &(struct row){query, "10.0", 1});
		snprintf(query, sizeof query, "tx.hash='%s' AND app.key='k2'", spelled[i]);
		check(w, "tx_search", "txs", &(struct row){query, "10.0", 1});
		snprintf(query, sizeof query, "tx.hash='%s' AND app.key='k0'", spelled[i]);
		check(w, "tx_search", "txs", &(struct row){query, "", 0});
	}
	json_decref(all);
}

static void check_params(struct rpc_world *w, const char *method, const char *params,
	const char *list, const char *expected, size_t total)
{
	char places[512];
	json_t *result = rpc_result(w, method, params);

	read_places(places, result, list, total);
	assert_string_equal(places, expected);
	json_decref(result);
}

#define ALICE "\"query\":\"app.creator='alice'\""

static void pages_have_numbers_and_either_order(void **state)
{
	struct rpc_world *w = *state;

	check_params(w, "tx_search", "{" ALICE ",\"per_page\":\"2\"}", "txs", "4.0 6.0", 5);
	check_params(
		w, "tx_search", "{" ALICE ",\"per_page\":\"2\",\"page\":\"3\"}", "txs", "12.0", 5);
	check_params(w, "tx_search", "{" ALICE ",\"per_page\":\"2\",\"order_by\":\"desc\"}", "txs",
		"12.0 10.0", 5);
	check_params(w, "tx_search",
		"{" ALICE ",\"per_page\":\"2\",\"page\":\"2\",\"order_by\":\"desc\"}", "txs",
		"8.0 6.0", 5);
	check_params(w, "tx_search",
		"{\"query\":\"tx.height>3\",\"per_page\":\"4\",\"page\":\"2\",\"order_by\":"
		"\"desc\"}",
		"txs", "8.1 8.0 6.1 6.0", 10);
	check_params(w, "tx_search", "[\"app.creator='alice'\",false,\"2\",\"2\",\"asc\"]", "txs",
		"8.0 10.0", 5);
	check_params(w, "block_search",
		"{\"query\":\"block.height>8\",\"order_by\":\"asc\",\"per_page\":\"3\"}", "blocks",
		"9 10 11", 4);
}

static void a_cursor_walks_through_all_of_it_and_ends(void **state)
{
	static const char *const orders[] = {"asc", "desc"};
	static const char *const queries[] = {"app.creator='alice'", "app.key CONTAINS 'k'"};
	static const char *const expected[] = {
		"4.0 6.0|8.0 10.0|12.0||", "12.0 10.0|8.0 6.0|4.0||"};

	for (size_t i = 0; i < 4; i++) {
		char after[64] = "", seen[512] = "", params[256], places[512];

		for (size_t page = 0; page < 4; page++) {
			snprintf(params, sizeof params,
				"{\"query\":\"%s\",\"per_page\":\"2\",\"order_by\":\"%s\","
				"\"after\":"
				"\"%s\"}",
				queries[i / 2], orders[i % 2], after);
			json_t *result = rpc_result(*state, "tx_search", params);
			const char *next = json_string_value(json_object_get(result, "next"));

			read_places(places, result, "txs", 5);
			strcat(strcat(seen, places), "|");
			assert_int_equal(next != NULL, places[0] != '\0');
			if (next)
				snprintf(after, sizeof after, "%s", next);
			json_decref(result);
		}
		assert_string_equal(seen, expected[i % 2]);
	}
}

static const struct {
	const char *request, *fault;
} refused[] = {
	{"{\"query\":\"\"}", "query cannot be empty"},
	{"{\"query\":\"app.key\"}", "query: no ="},
	{"{\"query\":\"a=1\",\"order_by\":\"up\"}",
		"expected order_by to be either `asc` or `desc` or empty"},
	{"{\"query\":\"app.key='k2'\",\"page\":\"2\"}",
		"page should be within [1, 1] range, given 2"},
	{"{\"query\":\"app.key='x'\",\"page\":\"0\"}",
		"page should be within [1, 1] range, given 0"},
	{"{\"query\":\"app.key='x'\",\"after\":\"7\"}", "after: expected HEIGHT.INDEX"},
	{"{\"query\":\"app.key='x'\",\"after\":\"7.\"}", "after: expected HEIGHT.INDEX"},
	{"{\"query\":\"app.key='x'\",\"after\":\"-7.0\"}", "after: expected HEIGHT.INDEX"},
	{"{\"query\":\"app.key='x'\",\"after\":\"7.4294967296\"}", "after: expected HEIGHT.INDEX"},
	{"{\"query\":\"app.key='x'\",\"after\":\"7.0\",\"page\":\"1\"}", "either page or after"},
	{"[\"a=1\",false,\"1\",\"1\",\"\",\"\"]", "expected 5 parameters, got 6"},
};

static void what_cannot_be_searched_is_refused_in_words(void **state)
{
	char request[400];

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		snprintf(request, sizeof request,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tx_search\",\"params\":%s}",
			refused[i].request);
		const char *reply = rpc_post(*state, request, NULL);
		if (!strstr(reply, refused[i].fault))
			fail_msg("%s\n  got %s", refused[i].request, reply);
	}
}

static void a_uri_searches_too_and_a_proof_comes_on_request(void **state)
{
	struct rpc_world *w = *state;
	const char *reply = rpc_get(
		w, "/tx_search?query=%22app.key%3D%27k2%27%22&prove=true&per_page=1&page=2", NULL);

	assert_non_null(strstr(reply, "\"height\":\"10\""));
	assert_non_null(strstr(reply, "\"proof\":{\"root_hash\""));
	assert_non_null(strstr(reply, "\"total_count\":\"2\""));
	reply = rpc_get(w, "/tx_search?query=%22app.key%3D%27k2%27%22", NULL);
	assert_null(strstr(reply, "\"proof\""));
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(transactions_are_found_by_what_happened_in_them),
		WORLD(blocks_are_found_newest_first),
		WORLD(a_transaction_is_found_by_its_hash_in_either_case),
		WORLD(pages_have_numbers_and_either_order),
		WORLD(a_cursor_walks_through_all_of_it_and_ends),
		WORLD(what_cannot_be_searched_is_refused_in_words),
		WORLD(a_uri_searches_too_and_a_proof_comes_on_request),
	};

	return cmocka_run_group_tests_name("rpc_search", tests, NULL, NULL);
}
