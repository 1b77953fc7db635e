/* What a front server might read otherwise than we do is refused, or answered as one request and
 * the connection closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/http_world.h"

#define HOST "Host: localhost\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

struct row {
	const char *name;
	const char *request;
	size_t len; /* 0: a text */
	int status; /* 0: cut without an answer */
};

static const struct row refused[] = {
	{"two Content-Length, equal", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 0,
		400},
	{"two Content-Length, different", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		0, 400},
	{"Content-Length list", POST "Content-Length: 3, 3\r\n\r\nabc", 0, 400},
	{"Content-Length with a sign", POST "Content-Length: +3\r\n\r\nabc", 0, 400},
	{"negative Content-Length", POST "Content-Length: -3\r\n\r\nabc", 0, 400},
	{"hex Content-Length", POST "Content-Length: 0x3\r\n\r\nabc", 0, 400},
	{"empty Content-Length", POST "Content-Length:\r\n\r\nabc", 0, 400},
	{"Content-Length past 64 bits", POST "Content-Length: 99999999999999999999999\r\n\r\nabc",
		0, 413},
	{"Content-Length and Transfer-Encoding",
		POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400},
	{"Transfer-Encoding and Content-Length",
		POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 0, 400},
	{"two Transfer-Encoding",
		POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
		400},
	{"almost chunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0, 400},
	{"two codings", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, 400},
	{"identity coding", POST "Transfer-Encoding: identity\r\n\r\n", 0, 400},
	{"vertical tab before chunked", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 0,
		400},
	{"chunked in HTTP/1.0",
		"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400},
	{"folded Transfer-Encoding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 0,
		400},
	{"space before the colon", POST "Content-Length : 3\r\n\r\nabc", 0, 400},
	{"empty name", "GET /a HTTP/1.1\r\n" HOST ": x\r\n\r\n", 0, 400},
	{"empty name first", "GET /a HTTP/1.1\r\n: x\r\n" HOST "\r\n", 0, 400},
	{"empty name between", "GET /a HTTP/1.1\r\n" HOST ": x\r\nA: b\r\n\r\n", 0, 400},
	{"bare LF after the request line", "GET /a HTTP/1.1\n" HOST "\r\n", 0, 400},
	{"bare LF after a header", "GET /a HTTP/1.1\r\nHost: localhost\nA: b\r\n\r\n", 0, 400},
	{"bare LF everywhere", "GET /a HTTP/1.1\nHost: localhost\n\n", 0, 400},
	{"bare LF at the end", "GET /a HTTP/1.1\r\nHost: localhost\r\n\n", 0, 400},
	{"bare CR in a value", "GET /a HTTP/1.1\r\n" HOST "A: b\rContent-Length: 3\r\n\r\n", 0,
		400},
	{"NUL in a value", "GET /a HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n", 44, 400},
	{"folded header", "GET /a HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 0, 400},
	{"folded first line", "GET /a HTTP/1.1\r\n A: b\r\n" HOST "\r\n", 0, 400},
	{"header without a colon", "GET /a HTTP/1.1\r\n" HOST "Abc\r\n\r\n", 0, 400},
	{"name with a slash", "GET /a HTTP/1.1\r\n" HOST "A/b: c\r\n\r\n", 0, 400},
	{"two Hosts", "GET /a HTTP/1.1\r\n" HOST HOST "\r\n", 0, 400},
	{"no Host", "GET /a HTTP/1.1\r\n\r\n", 0, 400},
	{"space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", 0, 400},
	{"NUL in the path", "GET /a%00b HTTP/1.1\r\n" HOST "\r\n", 0, 400},
	{"absolute target", "GET http://localhost/a HTTP/1.1\r\n" HOST "\r\n", 0, 400},
	{"HTTP/0.9", "GET /a\r\n\r\n", 0, 400},
	{"HTTP/1.2", "GET /a HTTP/1.2\r\n" HOST "\r\n", 0, 505},
	{"HTTP/2.0", "GET /a HTTP/2.0\r\n" HOST "\r\n", 0, 505},
	{"negative chunk", POST "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 0, 400},
	{"0x chunk", POST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 0, 400},
	{"chunk past 64 bits", POST "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\na\r\n",
		0, 413},
	{"chunk longer than said", POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n",
		0, 400},
	{"TLS hello", "\x16\x03\x01\x02\x01\x01\x01\x01\xfc\x03\x03\r\n\r\n", 0, 0},
};

static void ambiguous_requests_are_refused_and_the_connection_closed(void **state)
{
	struct world w;

	world_start(&w, NULL);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		const struct row *row = &refused[i];
		struct peer p;

		peer_open(&p, &w);
		peer_send(&p, row->request, row->len ? row->len : strlen(row->request));
		if (!peer_is_cut(&p) || peer_status(&p) != row->status)
			fail_msg("%s: answered %d, wanted %d: %s", row->name, peer_status(&p),
				row->status, peer_text(&p));
		peer_close(&p);
	}
	assert_int_equal(w.handled, 0);
	world_stop(&w);
}

/* Read one way here; a front server may read the line ends between the chunks otherwise, so what
 * follows isn't read. */
static void nothing_after_a_chunked_body_is_taken_for_a_request(void **state)
{
	static const char *const bodies[] = {
		"3\r\nabc\r\n0\r\n\r\n",
		"3;a=b\r\nabc\r\n0\r\n\r\n",
		"3;a=b\nabc\r\n0\r\n\r\n",
		"3\nabc\n0\n\n",
		"3\r\nabc\r\n0\r\nContent-Length: 5\r\nHost: evil\r\n\r\n",
	};
	struct world w;

	world_start(&w, NULL);
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		struct peer p;

		w.handled = 0;
		peer_open(&p, &w);
		peer_say(&p, POST "Transfer-Encoding: chunked\r\n\r\n");
		peer_say(&p, bodies[i]);
		peer_say(&p, "GET /smuggled HTTP/1.1\r\n" HOST "\r\n");
		assert_true(peer_is_cut(&p));
		assert_int_equal(peer_status(&p), 200);
		assert_non_null(strstr(peer_text(&p), "body=3 abc"));
		assert_int_equal(w.handled, 1);
		peer_close(&p);
	}
	world_stop(&w);
}

static void ordinary_spellings_are_understood(void **state)
{
	static const char *const requests[] = {
		"GET /a HTTP/1.1\r\nhost: LOCALHOST:26657\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost:localhost\r\nEmpty:\r\nTrailing: x \t\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: \t 127.0.0.1\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: [::1]:1\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: 127.9.9.9\r\n\r\n",
		"GET /a HTTP/1.0\r\n\r\n",
		"\r\nGET /a HTTP/1.1\r\n" HOST "\r\n",
		"GET /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
		"GET /a HTTP/1.1\r\n" HOST "Cookie: a=b; c=d\r\nAccept: */*\r\n\r\n",
	};
	struct world w;

	world_start(&w, NULL);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct peer p;

		peer_open(&p, &w);
		peer_say(&p, requests[i]);
		if (!peer_hears(&p, "GET /a query= body=0"))
			fail_msg("%s\n%s", requests[i], peer_text(&p));
		peer_close(&p);
	}
	world_stop(&w);
}

static void a_header_block_in_small_pieces_is_understood(void **state)
{
	struct world w;
	struct buf b = {0};
	struct peer p;

	world_start(&w, NULL);
	peer_open(&p, &w);
	buf_append_text(&b, "GET /a HTTP/1.1\r\n" HOST);
	for (int i = 0; i < 40; i++)
		buf_appendf(&b, "X-Filler-%d: %0300d\r\n", i, i);
	buf_append_text(&b, "\r\n");
	for (size_t at = 0; at < b.len; at += 97) {
		peer_send(&p, b.data + at, b.len - at < 97 ? b.len - at : 97);
		event_base_loop(w.loop, EVLOOP_NONBLOCK);
	}
	assert_true(peer_hears(&p, "GET /a query= body=0"));
	peer_close(&p);
	buf_fini(&b);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ambiguous_requests_are_refused_and_the_connection_closed),
		cmocka_unit_test(nothing_after_a_chunked_body_is_taken_for_a_request),
		cmocka_unit_test(ordinary_spellings_are_understood),
		cmocka_unit_test(a_header_block_in_small_pieces_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
