/* Bytes that nobody should send, to the ports of a running node: each is refused with a status a
 * client can read, nothing of it reaches an assertion, and the node goes on committing. First a
 * table of known tricks, then random damage to requests that are valid. bad_input AITBCD FOLDER
 * RANDOM_COUNT [SEED] */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/endian.h"
#include "tests/live/ask.h"
#include "tests/live/node.h"

/* Where a case goes, and with whose API key. */
enum port { RPC, REST, REST_CLIENT, REST_MINER, REST_ADMIN };

/* How a case's request is made of its text. */
enum shape {
	RAW,   /* the text is the whole request; "^" stands for CR LF */
	BODY,  /* POST of the text as JSON */
	PATH,  /* GET of the text */
	FILLED /* RAW, with `fill` letters where "@" stands */
};

struct bad {
	const char *claim;
	enum port port;
	enum shape shape;
	const char *path; /* BODY */
	const char *text;
	size_t fill;
	int least; /* HTTP status from .. to; 0: closing without a word is allowed too */
	int most;
	bool may_close;
};

#define GET_HEAD  "GET /status HTTP/1.1^Host: 127.0.0.1^"
#define POST_HEAD "POST / HTTP/1.1^Host: 127.0.0.1^"
#define CALL(method, params)                                                                       \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}"

static const struct bad table[] = {
	/* the HTTP shell, the same before every port */
	{"two Content-Lengths", RPC, RAW, NULL, POST_HEAD "Content-Length: 2^Content-Length: 3^^{}",
		0, 400, 400, true},
	{"Content-Length beside Transfer-Encoding", RPC, RAW, NULL,
		POST_HEAD "Content-Length: 2^Transfer-Encoding: chunked^^0^^", 0, 400, 400, true},
	{"a coding that isn't chunked", RPC, RAW, NULL,
		POST_HEAD "Transfer-Encoding: gzip, chunked^^0^^", 0, 400, 501, true},
	{"a negative Content-Length", RPC, RAW, NULL, POST_HEAD "Content-Length: -1^^", 0, 400, 400,
		true},
	{"a Content-Length beyond any number", RPC, RAW, NULL,
		POST_HEAD "Content-Length: 99999999999999999999999^^", 0, 400, 413, true},
	{"two Hosts", RPC, RAW, NULL, GET_HEAD "Host: 127.0.0.1^^", 0, 400, 400, true},
	{"no Host", RPC, RAW, NULL, "GET /status HTTP/1.1^^", 0, 400, 403, true},
	{"another Host, as a rebound name would send", RPC, RAW, NULL,
		"GET /status HTTP/1.1^Host: evil.test^^", 0, 403, 403, true},
	{"another Origin, as a browser would send", RPC, RAW, NULL,
		GET_HEAD "Origin: http://evil.test^^", 0, 403, 403, true},
	{"a header without a name", RPC, RAW, NULL, GET_HEAD ": x^^", 0, 400, 400, true},
	{"a header name with a space", RPC, RAW, NULL, GET_HEAD "Content-Length : 0^^", 0, 400, 400,
		true},
	{"a header of 20 000 bytes", RPC, FILLED, NULL, GET_HEAD "X-Long: @^^", 20000, 400, 431,
		true},
	{"a path of 6 000 bytes", RPC, FILLED, NULL, "GET /@ HTTP/1.1^Host: 127.0.0.1^^", 6000, 400,
		431, true},
	{"a body of 1.5 MB", RPC, FILLED, NULL, POST_HEAD "Content-Length: 1500000^^@", 1500000,
		400, 413, true},
	{"the same to the REST port", REST, FILLED, NULL,
		"POST /v1/jobs HTTP/1.1^Host: 127.0.0.1^Content-Length: 1500000^^@", 1500000, 400,
		413, true},
	{"no HTTP at all", RPC, RAW, NULL, "\x16\x03\x01\x02\x01\x01^^", 0, 400, 505, true},
	{"a version of HTTP to come", RPC, RAW, NULL, "GET /status HTTP/9.9^Host: 127.0.0.1^^", 0,
		400, 505, true},

	/* JSON */
	{"no JSON", RPC, BODY, "/", "hello", 0, 500, 500, false},
	{"half a JSON", RPC, BODY, "/", "{\"jsonrpc\":\"2.0\",", 0, 500, 500, false},
	{"a key twice", RPC, BODY, "/", "{\"id\":1,\"id\":2,\"method\":\"health\"}", 0, 200, 500,
		false},
	{"a number beyond int64", RPC, BODY, "/",
		"{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"method\":\"health\"}", 0, 200,
		500, false},
	{"invalid UTF-8", RPC, BODY, "/", "{\"id\":1,\"method\":\"\xff\xfe\"}", 0, 200, 500, false},
	{"40 levels of lists", RPC, BODY, "/",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
		0, 200, 500, false},
	{"100 000 brackets", RPC, FILLED, NULL,
		"POST / HTTP/1.1^Host: 127.0.0.1^Content-Length: 100000^^@", 100000, 500, 500,
		false},

	/* JSON-RPC */
	{"a batch of eleven", RPC, BODY, "/", "[{},{},{},{},{},{},{},{},{},{},{}]", 0, 200, 200,
		false},
	{"a method nobody has", RPC, BODY, "/", CALL("no_such_method", "{}"), 0, 200, 200, false},
	{"params that are a text", RPC, BODY, "/", CALL("block", "\"5\""), 0, 200, 200, false},
	{"a height that is a bare number", RPC, BODY, "/", CALL("block", "{\"height\":5}"), 0, 200,
		200, false},
	{"a height below one", RPC, BODY, "/", CALL("block", "{\"height\":\"-7\"}"), 0, 200, 200,
		false},
	{"a height nobody reached", RPC, BODY, "/", CALL("block", "{\"height\":\"99999999\"}"), 0,
		200, 200, false},
	{"a height beyond int64", RPC, BODY, "/",
		CALL("block", "{\"height\":\"99999999999999999999\"}"), 0, 200, 200, false},
	{"a page of a million", RPC, BODY, "/",
		CALL("validators", "{\"page\":\"1000000\",\"per_page\":\"1000000\"}"), 0, 200, 200,
		false},
	{"a transaction that is no base64", RPC, BODY, "/",
		CALL("broadcast_tx_sync", "{\"tx\":\"%%%\"}"), 0, 200, 200, false},
	{"a transaction of one byte", RPC, BODY, "/",
		CALL("broadcast_tx_sync", "{\"tx\":\"AA==\"}"), 0, 200, 200, false},
	{"an empty transaction", RPC, BODY, "/", CALL("broadcast_tx_commit", "{\"tx\":\"\"}"), 0,
		200, 200, false},
	{"a transaction of random protobuf", RPC, BODY, "/",
		CALL("broadcast_tx_sync",
			"{\"tx\":\"ChQKEgoQ//////////8BEhAICAgICAgICAgICAgICAgI\"}"),
		0, 200, 200, false},
	{"a query of a path nobody has", RPC, BODY, "/",
		CALL("abci_query", "{\"path\":\"/../../etc/passwd\",\"data\":\"\"}"), 0, 200, 200,
		false},
	{"a query with odd hex", RPC, BODY, "/",
		CALL("abci_query", "{\"path\":\"/accounts\",\"data\":\"abc\"}"), 0, 200, 200,
		false},
	{"a proof of nothing", RPC, BODY, "/",
		CALL("abci_query", "{\"path\":\"/store/settle/key\",\"data\":\"\",\"prove\":true}"),
		0, 200, 200, false},
	{"an unclosed search", RPC, BODY, "/", CALL("tx_search", "{\"query\":\"tx.height='\"}"), 0,
		200, 200, false},
	{"a search of 100 conditions", RPC, FILLED, NULL,
		"GET /tx_search?query=\"@\" HTTP/1.1^Host: 127.0.0.1^^", 2000, 200, 500, false},
	{"a URI with broken escapes", RPC, PATH, NULL, "/block?height=%zz%", 0, 200, 500, false},
	{"a URI of a method nobody has", RPC, PATH, NULL, "/../../etc/passwd", 0, 400, 404, true},

	/* REST */
	{"a job without a key", REST, BODY, "/v1/jobs", "{\"type\":\"inference\",\"prompt\":\"x\"}",
		0, 400, 403, false},
	{"a job that is no JSON", REST_CLIENT, BODY, "/v1/jobs", "no", 0, 400, 400, false},
	{"a job that is a list", REST_CLIENT, BODY, "/v1/jobs", "[]", 0, 400, 400, false},
	{"an empty job", REST_CLIENT, BODY, "/v1/jobs", "{}", 0, 400, 422, false},
	{"a job of no service", REST_CLIENT, BODY, "/v1/jobs",
		"{\"type\":\"no/such\",\"prompt\":\"x\"}", 0, 400, 422, false},
	{"a job with half a transaction", REST_CLIENT, BODY, "/v1/jobs",
		"{\"tx\":\"AAAA\",\"salt\":\"00\",\"payload\":{\"type\":\"text/count\"}}", 0, 400,
		422, false},
	{"a job with numbers where texts belong", REST_CLIENT, BODY, "/v1/jobs",
		"{\"tx\":1,\"salt\":2,\"payload\":3}", 0, 400, 422, false},
	{"a list with a negative limit", REST_CLIENT, PATH, NULL, "/v1/jobs?limit=-5", 0, 200, 422,
		false},
	{"a list with an endless offset", REST_CLIENT, PATH, NULL,
		"/v1/jobs?offset=99999999999999999999", 0, 200, 422, false},
	{"a miner with a key that is no point", REST_MINER, BODY, "/v1/miners/register",
		"{\"miner_id\":\"x\",\"public_key\":"
		"\"020000000000000000000000000000000000000000000000000000000000000000\",\"url\":"
		"\"http://"
		"127.0.0.1:1\",\"capabilities\":{\"services\":[\"text/count\"]},\"concurrency\":1}",
		0, 400, 422, false},
	{"a heartbeat of a list", REST_MINER, BODY, "/v1/miners/heartbeat", "[1,2]", 0, 400, 422,
		false},
	{"a proof of nobody's job", REST_MINER, BODY,
		"/v1/jobs/job_00000000000000000000000000000000/complete", "{\"proof\":{}}", 0, 400,
		422, false},
	{"an admin with a client's key", REST_CLIENT, PATH, NULL, "/v1/admin/stats", 0, 401, 403,
		false},
	{"a job nobody knows", REST, PATH, NULL, "/v1/jobs/job_00000000000000000000000000000000", 0,
		401, 404, false},
	{"a job id that climbs", REST, PATH, NULL, "/v1/jobs/../../etc/passwd", 0, 400, 404, true},
	{"an artifact that climbs", REST, PATH, NULL, "/v1/artifacts/..%2f..%2f..%2fetc%2fpasswd",
		0, 400, 404, true},
	{"an artifact nobody has", REST, PATH, NULL,
		"/v1/artifacts/0000000000000000000000000000000000000000000000000000000000000000", 0,
		401, 404, false},
	{"a miner without a key", REST, BODY, "/v1/miners/register", "{\"public_key\":\"00\"}", 0,
		400, 403, false},
	{"an admin without a key", REST, PATH, NULL, "/v1/admin/stats", 0, 401, 403, false},
	{"a block that is a word", REST, PATH, NULL, "/blocks/latestest", 0, 400, 404, false},
	{"a transaction hash too short", REST, PATH, NULL, "/transactions/abcd", 0, 400, 404,
		false},
	{"a status report of nobody's job", REST, BODY,
		"/v1/jobs/job_00000000000000000000000000000000/complete", "{\"proof\":{}}", 0, 400,
		404, false},
};
enum { TABLE_COUNT = sizeof table / sizeof table[0] };

static struct live_node node;
static uint16_t rest_port;
static struct {
	char client[128];
	char miner[128];
	char admin[128];
} keys;
static int failures;

static void spell(struct buf *out, const struct bad *bad)
{
	for (const char *at = bad->text; *at != '\0'; at++) {
		if (*at == '^') {
			buf_append_text(out, "\r\n");
		} else if (*at == '@' && bad->shape == FILLED) {
			uint8_t *fill = buf_extend(out, bad->fill);
			CHECK(fill != NULL);
			memset(fill, bad->fill == 100000 ? '[' : 'a', bad->fill);
		} else {
			buf_append_byte(out, (uint8_t)*at);
		}
	}
}

static uint16_t port_of(const struct bad *bad)
{
	return bad->port == RPC ? node.rpc_port : rest_port;
}

static void put_key(struct buf *out, enum port port)
{
	const char *key = port == REST_CLIENT  ? keys.client
			  : port == REST_MINER ? keys.miner
			  : port == REST_ADMIN ? keys.admin
					       : NULL;
	if (key != NULL)
		buf_appendf(out, "X-%s-Key: %s\r\n", port == REST_MINER ? "Miner" : "Api", key);
}

/* The whole request as it goes out. */
static void make_request(struct buf *out, const struct bad *bad)
{
	if (bad->shape == RAW || bad->shape == FILLED) {
		spell(out, bad);
		return;
	}
	bool body = bad->shape == BODY;
	buf_appendf(out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n",
		body ? "POST" : "GET", body ? bad->path : bad->text);
	put_key(out, bad->port);
	if (body)
		buf_appendf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			strlen(bad->text), bad->text);
	else
		buf_append_text(out, "\r\n");
}

static int send_bad(const struct bad *bad)
{
	struct buf request = {0};
	make_request(&request, bad);
	int status = ask_raw(port_of(bad), buf_view(&request), NULL);
	buf_fini(&request);
	return status;
}

static int64_t height_of_node(void)
{
	char fault[256];
	json_t *status = ask_call(node.rpc_port, "status", NULL, fault);
	int64_t height = ask_number(json_object_get(status, "sync_info"), "latest_block_height");
	json_decref(status);
	return height;
}

static void run_table(void)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		const struct bad *bad = &table[i];
		int status = send_bad(bad);
		bool fits = (status >= bad->least && status <= bad->most) ||
			    (status == 0 && bad->may_close);
		bool alive = height_of_node() >= 1;
		if (fits && alive) {
			printf("ok: %s is refused (%d)\n", bad->claim, status);
			continue;
		}
		failures++;
		printf("FAILED: %s: HTTP status %d, expected %d to %d%s%s\n", bad->claim, status,
			bad->least, bad->most, bad->may_close ? " or a closed connection" : "",
			alive ? "" : "; and the node no longer answers");
		if (!alive)
			return;
	}
}

/* ---- random damage ---- */

static const struct bad seeds[] = {
	{NULL, RPC, BODY, "/", CALL("broadcast_tx_sync", "{\"tx\":\"CgQIARABEiEDAAAA\"}"), 0, 0, 0,
		0},
	{NULL, RPC, BODY, "/",
		CALL("abci_query",
			"{\"path\":\"/accounts\",\"data\":\"00\",\"height\":\"0\",\"prove\":true}"),
		0, 0, 0, 0},
	{NULL, RPC, BODY, "/",
		CALL("tx_search",
			"{\"query\":\"tx.height>=1 AND transfer.to EXISTS\",\"page\":\"1\"}"),
		0, 0, 0, 0},
	{NULL, RPC, BODY, "/",
		"[" CALL("block", "[\"1\"]") "," CALL("validators", "{\"height\":\"1\"}") "]", 0, 0,
		0, 0},
	{NULL, RPC, RAW, NULL, GET_HEAD "Accept: */*^Connection: close^^", 0, 0, 0, 0},
	{NULL, RPC, RAW, NULL, POST_HEAD "Transfer-Encoding: chunked^Connection: close^^2^{}^0^^",
		0, 0, 0, 0},
	{NULL, REST_CLIENT, BODY, "/v1/jobs",
		"{\"tx\":\"CgQIARAB\",\"salt\":\"00\",\"payload\":{\"type\":\"text/"
		"count\",\"input\":\"artifact:00\"}}",
		0, 0, 0, 0},
	{NULL, REST_MINER, BODY, "/v1/miners/register",
		"{\"public_key\":\"02aa\",\"url\":\"http://"
		"127.0.0.1:1\",\"capabilities\":{\"services\":[\"x\"]}}",
		0, 0, 0, 0},
	{NULL, REST, RAW, NULL,
		"PUT /v1/artifacts?name=x HTTP/1.1^Host: 127.0.0.1^Content-Length: 3^Connection: "
		"close^^abc",
		0, 0, 0, 0},
	{NULL, REST_ADMIN, PATH, NULL, "/v1/admin/jobs?limit=5&offset=0", 0, 0, 0, 0},
	{NULL, REST_MINER, BODY, "/v1/miners/heartbeat",
		"{\"miner_id\":\"x\",\"inflight\":0,\"status\":\"ONLINE\",\"jobs\":[{\"job_id\":"
		"\"job_0\",\"attempt\":1}]}",
		0, 0, 0, 0},
	{NULL, REST, RAW, NULL,
		"GET /v1/jobs?limit=5&offset=0&status=pending HTTP/1.1^Host: 127.0.0.1^Connection: "
		"close^^",
		0, 0, 0, 0},
};

static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Flips, drops, doubles or moves a few bytes of a whole request. */
static void damage(struct buf *request, uint64_t *seed)
{
	static const uint8_t likely[] = "\"{}[]:,\\\r\n\0%& 0-9.eE/\x80\xff";
	for (uint64_t n = 1 + draw(seed) % 4; n > 0 && request->len > 1; n--) {
		size_t at = draw(seed) % request->len;
		switch (draw(seed) % 4) {
		case 0: request->data[at] ^= (uint8_t)(1u << draw(seed) % 8); break;
		case 1: request->data[at] = likely[draw(seed) % (sizeof likely - 1)]; break;
		case 2:
			memmove(request->data + at, request->data + at + 1, request->len - at - 1);
			request->len--;
			break;
		default: buf_append_byte(request, request->data[at]); break;
		}
	}
}

/* Damage may leave a request that waits for more bytes: no answer is no fault, a silent `status`
 * is. */
static bool run_random(uint64_t count, uint64_t seed)
{
	for (uint64_t i = 0; i < count; i++) {
		const struct bad *bad = &seeds[draw(&seed) % (sizeof seeds / sizeof seeds[0])];
		struct buf request = {0};
		make_request(&request, bad);
		damage(&request, &seed);
		(void)ask_raw_closing(port_of(bad), buf_view(&request));
		if (i % 16 == 0 && height_of_node() < 1) {
			printf("FAILED: after random request %" PRIu64
			       ", one of the 16 up to this one to port %u, the node doesn't "
			       "answer:\n%s\n",
				i, port_of(bad), buf_text(&request));
			failures++;
			buf_fini(&request);
			return false;
		}
		buf_fini(&request);
	}
	return true;
}

/* The devnet's API keys; false: they aren't there. */
static bool read_keys(void)
{
	char path[LIVE_PATH_BYTES + 64];
	snprintf(path, sizeof path, "%s/coordinator/devnet-keys.json", node.home);
	json_t *file = json_load_file(path, 0, NULL);
	const char *client = json_string_value(json_object_get(file, "client_key"));
	const char *admin = json_string_value(json_object_get(file, "admin_key"));
	const char *miner =
		json_string_value(json_array_get(json_object_get(file, "miner_keys"), 0));
	bool ok = client != NULL && admin != NULL && miner != NULL;
	if (ok) {
		snprintf(keys.client, sizeof keys.client, "%s", client);
		snprintf(keys.admin, sizeof keys.admin, "%s", admin);
		snprintf(keys.miner, sizeof keys.miner, "%s", miner);
	}
	json_decref(file);
	return ok;
}

static int run(uint64_t count, uint64_t seed)
{
	if (!read_keys() || ask_get(rest_port, "/v1/health", NULL) != 200) {
		printf("FAILED: the REST port doesn't answer, or its keys aren't there\n");
		return 1;
	}
	int64_t height_before = height_of_node();
	long rss_before = live_node_rss_kb(&node);
	run_table();
	if (failures == 0 && run_random(count, seed))
		printf("ok: %" PRIu64 " randomly damaged requests leave it answering\n", count);
	long grown_kb = live_node_rss_kb(&node) - rss_before;
	if (height_of_node() < height_before) {
		failures++;
		printf("FAILED: the chain went back\n");
	}
	if (grown_kb > 64 * 1024) {
		failures++;
		printf("FAILED: its memory grew by %ld kB\n", grown_kb);
	} else {
		printf("ok: its memory stays within bounds (%ld kB more)\n", grown_kb);
	}
	if (!live_node_kill(&node, SIGTERM)) {
		failures++;
		printf("FAILED: the node died\n");
	}
	return failures > 0;
}

int main(int argc, char **argv)
{
	uint8_t random[32];
	char fault[256];
	char port[16];
	if (argc < 4) {
		fprintf(stderr, "usage: bad_input AITBCD FOLDER RANDOM_COUNT [SEED]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getrandom(random, sizeof random, 0) != sizeof random || !keys_start(random))
		return 1;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : get_u64be(random) >> 1 | 1;
	printf("seed %" PRIu64 "\n", seed);
	rest_port = live_free_port();
	snprintf(port, sizeof port, "%u", rest_port);
	if (!live_node_make(&node, argv[1], argv[2], "devnet-bad-input", fault)) {
		printf("FAILED: %s\n", fault);
		return 1;
	}
	node.extra[0] = "--coordinator.port";
	node.extra[1] = port;
	if (!live_node_start(&node, fault)) {
		printf("FAILED: %s\n", fault);
		return 1;
	}
	int code = run(strtoull(argv[3], NULL, 10), seed);
	if (code == 0)
		live_node_remove(&node);
	else
		printf("home kept: %s\n", node.home);
	return code;
}
