#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/unit/http_world.h"

#define HOST "Host: localhost\r\n"

static void a_connection_carries_request_after_request(void **state)
{
	struct world w;
	struct peer p;

	world_start(&w, NULL);
	peer_open(&p, &w);
	for (int i = 0; i < 5; i++) {
		buf_clear(&p.in);
		peer_say(&p,
			"POST /a%20b?x=1&y=%20 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
		assert_true(peer_hears(&p, "POST /a b query=x=1&y=%20 body=5 hello"));
		assert_int_equal(peer_status(&p), 200);
		buf_clear(&p.in);
		peer_say(&p, "GET /c HTTP/1.1\r\n" HOST "\r\n");
		assert_true(peer_hears(&p, "GET /c query= body=0"));
	}
	assert_false(p.closed);
	assert_int_equal(http_shell_connections(w.shell), 1);
	peer_close(&p);
	world_stop(&w);
}

/* --- limits
 * -------------------------------------------------------------------------------------------- */

static void json_refusal(void *self, uint16_t status, const char *reason, struct http_reply *reply)
{
	buf_appendf(&reply->body, "{\"refused\":%u,\"why\":\"%s\"}", status, reason);
}

static int status_of(struct world *w, const char *head, size_t filler, const char *tail)
{
	struct peer p;
	struct buf b = {0};

	peer_open(&p, w);
	buf_append_text(&b, head);
	for (size_t i = 0; i < filler; i++)
		buf_append_byte(&b, 'a');
	buf_append_text(&b, tail);
	peer_send(&p, b.data, b.len);
	assert_true(peer_hears(&p, "\r\n\r\n"));
	int status = peer_status(&p);
	peer_close(&p);
	buf_fini(&b);
	return status;
}

static void what_is_too_large_is_refused_with_its_status(void **state)
{
	static const char end[] = "\r\n\r\n";
	static const char rest[] = " HTTP/1.1\r\n" HOST "\r\n";
	struct world w;

	world_start(&w, NULL);
	assert_int_equal(status_of(&w, "GET /", HTTP_URL_BYTES_MAX - 1, rest), 200);
	assert_int_equal(status_of(&w, "GET /", HTTP_URL_BYTES_MAX, rest), 414);
	assert_int_equal(status_of(&w, "GET /", 100 * 1000, rest), 414);
	assert_int_equal(status_of(&w, "GET / HTTP/1.1\r\n" HOST "A: ", 16000, end), 200);
	assert_int_equal(status_of(&w, "GET / HTTP/1.1\r\n" HOST "A: ", 17000, end), 431);
	assert_int_equal(status_of(&w, "GET / HTTP/1.1\r\n" HOST "A: ", 100 * 1000, end), 431);
	assert_int_equal(
		status_of(&w, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000001\r\n\r\n", 0, ""),
		413);
	assert_int_equal(status_of(&w, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n",
				 1000000, ""),
		200);
	world_stop(&w);
}

static void a_port_words_its_own_refusals(void **state)
{
	struct http_shell_config config = {
		.body_bytes_max = 10, .too_large_status = 400, .refusal = json_refusal};
	struct world w;
	struct peer p;

	world_start(&w, &config);
	peer_open(&p, &w);
	peer_say(&p, "POST / HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n");
	assert_true(peer_hears(&p, "{\"refused\":400,\"why\":\"" HTTP_REASON_BODY_TOO_LARGE "\"}"));
	assert_true(peer_is_cut(&p));
	peer_close(&p);
	world_stop(&w);
}

static void a_chunked_body_over_the_bound_is_read_but_not_kept(void **state)
{
	struct http_shell_config config = {.body_bytes_max = 1000};
	struct world w;
	struct peer p;
	char chunk[700];

	world_start(&w, &config);
	peer_open(&p, &w);
	memset(chunk, 'x', sizeof chunk);
	peer_say(&p, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		peer_say(&p, "2bc\r\n");
		peer_send(&p, chunk, sizeof chunk);
		peer_say(&p, "\r\n");
	}
	peer_say(&p, "0\r\n\r\n");
	assert_true(peer_hears(&p, HTTP_REASON_BODY_TOO_LARGE));
	assert_int_equal(peer_status(&p), 413);
	peer_close(&p);

	/* One that goes on for ever is cut. */
	peer_open(&p, &w);
	peer_say(&p, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 1000 && !p.closed; i++) {
		peer_say(&p, "2bc\r\n");
		peer_send(&p, chunk, sizeof chunk);
		peer_say(&p, "\r\n");
	}
	assert_true(peer_is_cut(&p));
	assert_int_equal(w.handled, 0);
	peer_close(&p);
	world_stop(&w);
}

static bool one_ticket(struct world *w)
{
	return w->ticket_count == 1;
}

static bool two_connections(struct world *w)
{
	return http_shell_connections(w->shell) == 2;
}

static bool two_tickets(struct world *w)
{
	return w->ticket_count == 2;
}

static void a_connection_too_many_is_closed_and_one_that_leaves_makes_room(void **state)
{
	struct http_shell_config config = {.connections_max = 2};
	struct world w;
	struct peer p[4];

	world_start(&w, &config);
	peer_open(&p[0], &w);
	peer_open(&p[1], &w);
	peer_say(&p[0], "GET /later HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	peer_say(&p[1], "GET /later HTTP/1.1\r\n" HOST "\r\n");
	assert_true(world_until(&w, &p[0], two_tickets));
	peer_open(&p[2], &w);
	assert_true(peer_is_cut(&p[2]));
	assert_true(world_answer(&w, 0, "now"));
	assert_true(peer_is_cut(&p[0]));
	assert_int_equal(peer_status(&p[0]), 200);
	peer_open(&p[3], &w);
	peer_say(&p[3], "GET /a HTTP/1.1\r\n" HOST "\r\n");
	assert_true(peer_hears(&p[3], "GET /a"));
	for (int i = 0; i < 4; i++)
		peer_close(&p[i]);
	world_stop(&w);
}

static void who_holds_a_place_longest_without_a_request_makes_room(void **state)
{
	static const char *const starts[] = {"", "GET / HT", "POST / HTTP/1.1\r\n" HOST,
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\na"};
	struct http_shell_config config = {.connections_max = 2};
	struct world w;
	struct peer waiting, fresh;

	world_start(&w, &config);
	peer_open(&waiting, &w);
	peer_say(&waiting, "GET /later HTTP/1.1\r\n" HOST "\r\n");
	assert_true(world_until(&w, &waiting, one_ticket));
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		struct peer slow;

		peer_open(&slow, &w);
		peer_say(&slow, starts[i]);
		assert_true(world_until(&w, &slow, two_connections));
		peer_open(&fresh, &w);
		peer_say(&fresh, "GET /a HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
		assert_true(peer_is_cut(&fresh));
		assert_int_equal(peer_status(&fresh), 200);
		assert_true(peer_is_cut(&slow));
		peer_close(&slow);
		peer_close(&fresh);
	}
	assert_true(world_answer(&w, 0, "now"));
	assert_true(peer_hears(&waiting, "now"));
	peer_close(&waiting);
	world_stop(&w);
}

/* Many more than there are places, all dripping, must not keep one honest caller out. */
static void a_crowd_that_drips_keeps_nobody_out(void **state)
{
	enum { CROWD = 300, PLACES = 20 };
	static struct peer crowd[CROWD];
	struct http_shell_config config = {.connections_max = PLACES};
	struct world w;

	world_start(&w, &config);
	for (size_t i = 0; i < CROWD; i++) {
		peer_open(&crowd[i], &w);
		peer_say(&crowd[i], "G");
		if (i % 10 == 9) {
			struct peer honest;

			peer_open(&honest, &w);
			peer_say(&honest, "GET /a HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
			assert_true(peer_is_cut(&honest));
			assert_int_equal(peer_status(&honest), 200);
			peer_close(&honest);
			assert_true(http_shell_connections(w.shell) <= PLACES + 32);
		}
	}
	assert_int_equal(w.handled, CROWD / 10);
	for (size_t i = 0; i < CROWD; i++)
		peer_close(&crowd[i]);
	world_stop(&w);
}

/* --- who may ask
 * --------------------------------------------------------------------------------------- */

static int status_of_headers(struct world *w, const char *headers)
{
	char head[512];

	snprintf(head, sizeof head, "POST / HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n", headers);
	return status_of(w, head, 0, "");
}

static void foreign_hosts_and_origins_are_refused(void **state)
{
	static const char *const hosts[] = {"node.example", NULL};
	static const char *const origins[] = {"https://wallet.example", NULL};
	struct http_shell_config config = {.hosts = hosts, .origins = origins};
	static const struct {
		const char *headers;
		int status;
	} rows[] = {
		{"Host: localhost\r\n", 200},
		{"Host: evil.test\r\n", 403},
		{"Host: evil.test:26657\r\n", 403},
		{"Host: localhost.evil.test\r\n", 403},
		{"Host: localhost@evil.test\r\n", 403},
		{"Host: localhost:80:80\r\n", 403},
		{"Host: 127.0.0.1.evil.test\r\n", 403},
		{"Host: 8.8.8.8\r\n", 403},
		{"Host: [::2]\r\n", 403},
		{"Host: [::1\r\n", 403},
		{"Host:\r\n", 403},
		{"Host: NODE.example:443\r\n", 200},
		{"Host: localhost:1\r\nOrigin: http://localhost:1\r\n", 200},
		{"Host: localhost:1\r\nOrigin: http://localhost:2\r\n", 403},
		{"Host: localhost:1\r\nOrigin: https://localhost:1\r\n", 403},
		{"Host: localhost\r\nOrigin: http://evil.test\r\n", 403},
		{"Host: localhost\r\nOrigin: null\r\n", 403},
		{"Host: localhost\r\nOrigin:\r\n", 403},
		{"Host: localhost\r\nOrigin: https://wallet.example\r\n", 200},
		{"Host: localhost\r\nOrigin: https://wallet.example.evil.test\r\n", 403},
	};
	struct world w;

	world_start(&w, &config);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int status = status_of_headers(&w, rows[i].headers);

		if (status != rows[i].status)
			fail_msg("%s: %d, wanted %d", rows[i].headers, status, rows[i].status);
	}
	world_stop(&w);
}

static void a_listed_origin_is_named_in_the_answer_and_may_ask_first(void **state)
{
	static const char *const origins[] = {"https://wallet.example", NULL};
	struct http_shell_config config = {.origins = origins};
	struct world w;
	struct peer p;

	world_start(&w, &config);
	peer_open(&p, &w);
	peer_say(&p, "OPTIONS / HTTP/1.1\r\n" HOST "Origin: https://wallet.example\r\n"
		     "Access-Control-Request-Method: POST\r\n\r\n");
	assert_true(peer_hears(&p, "Access-Control-Allow-Methods:"));
	assert_int_equal(peer_status(&p), 204);
	assert_int_equal(w.handled, 0);
	buf_clear(&p.in);
	peer_say(&p, "GET /a HTTP/1.1\r\n" HOST "Origin: https://wallet.example\r\n\r\n");
	assert_true(peer_hears(&p, "GET /a"));
	assert_non_null(
		strstr(peer_text(&p), "Access-Control-Allow-Origin: https://wallet.example\r\n"));
	peer_close(&p);
	world_stop(&w);
}

/* --- deadlines
 * ----------------------------------------------------------------------------------------- */

static void a_sender_that_drips_is_cut_at_the_deadline(void **state)
{
	static const char *const starts[] = {"", "GET / HT", "POST / HTTP/1.1\r\n" HOST,
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n"};
	struct http_shell_config config = {.request_ms_max = 200};
	struct world w;

	world_start(&w, &config);
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		struct peer p;

		peer_open(&p, &w);
		peer_say(&p, starts[i]);
		/* A byte each turn: no pause is ever long, and the whole still has an end. */
		for (int turn = 0; turn < 10000 && !p.closed; turn++) {
			if (starts[i][0])
				peer_say(&p, "a");
			world_turn(&w, &p);
		}
		assert_true(p.closed);
		peer_close(&p);
	}
	assert_int_equal(w.handled, 0);
	world_stop(&w);
}

static void a_header_block_has_less_time_than_the_whole_request(void **state)
{
	struct http_shell_config config = {.header_ms_max = 100, .request_ms_max = 60 * 1000};
	struct world w;
	struct peer idle, slow, body;

	world_start(&w, &config);
	peer_open(&body, &w);
	peer_say(&body, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\na");
	peer_open(&idle, &w);
	peer_open(&slow, &w);
	peer_say(&slow, "GET / HTTP/1.1\r\n" HOST);
	assert_true(peer_is_cut(&idle));
	assert_true(peer_is_cut(&slow));
	peer_say(&body, "bc");
	assert_true(peer_hears(&body, "body=3 abc"));
	/* Idle again, and not for ever. */
	assert_true(peer_is_cut(&body));
	peer_close(&idle);
	peer_close(&slow);
	peer_close(&body);
	world_stop(&w);
}

static void a_reader_that_does_not_read_is_cut_at_the_deadline(void **state)
{
	struct http_shell_config config = {.request_ms_max = 200};
	struct world w;
	struct peer p;

	world_start(&w, &config);
	peer_open(&p, &w);
	peer_say(&p, "GET /big?50000000 HTTP/1.1\r\n" HOST "\r\n");
	for (int turn = 0; turn < 10000 && (w.handled == 0 || http_shell_connections(w.shell) > 0);
		turn++)
		world_turn(&w, NULL);
	assert_int_equal(w.handled, 1);
	assert_int_equal(http_shell_connections(w.shell), 0);
	peer_close(&p);
	world_stop(&w);
}

/* --- waiting
 * ------------------------------------------------------------------------------------------- */

static bool three_tickets(struct world *w)
{
	return w->ticket_count == 3;
}

static void a_waiting_request_is_answered_once_through_its_ticket(void **state)
{
	struct world w;
	struct peer p;

	world_start(&w, NULL);
	peer_open(&p, &w);
	for (int i = 0; i < 3; i++) {
		w.ticket_count = 0;
		buf_clear(&p.in);
		peer_say(&p, "POST /later HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc");
		assert_true(world_until(&w, &p, one_ticket));
		assert_true(world_answer(&w, 0, "here it is"));
		assert_false(world_answer(&w, 0, "again"));
		assert_true(peer_hears(&p, "here it is"));
		assert_false(world_answer(&w, 0, "and again"));
	}
	assert_null(strstr(peer_text(&p), "again"));
	peer_close(&p);
	world_stop(&w);
}

static void a_ticket_answered_inside_the_handler_needs_no_second_turn(void **state)
{
	struct world w;
	struct peer p;

	world_start(&w, NULL);
	peer_open(&p, &w);
	for (int i = 0; i < 3; i++) {
		buf_clear(&p.in);
		peer_say(&p, "GET /at-once HTTP/1.1\r\n" HOST "\r\n");
		assert_true(peer_hears(&p, "at once"));
	}
	peer_close(&p);
	world_stop(&w);
}

static void a_made_up_ticket_is_nobodys(void **state)
{
	struct world w;
	struct peer p;

	world_start(&w, NULL);
	peer_open(&p, &w);
	peer_say(&p, "GET /later HTTP/1.1\r\n" HOST "\r\n");
	assert_true(world_until(&w, &p, one_ticket));
	w.tickets[1] = (struct http_ticket){0, 0};
	w.tickets[2] = (struct http_ticket){w.tickets[0].slot, w.tickets[0].generation + 1};
	w.tickets[3] = (struct http_ticket){1000 * 1000, 1};
	for (size_t i = 1; i < 4; i++)
		assert_false(world_answer(&w, i, "forged"));
	assert_true(world_answer(&w, 0, "real"));
	assert_true(peer_hears(&p, "real"));
	peer_close(&p);
	world_stop(&w);
}

static bool no_connections(struct world *w)
{
	return http_shell_connections(w->shell) == 0;
}

static void a_requester_that_leaves_frees_its_place(void **state)
{
	struct world w;
	struct peer p;

	world_start(&w, NULL);
	peer_open(&p, &w);
	peer_say(&p, "GET /later HTTP/1.1\r\n" HOST "\r\n");
	assert_true(world_until(&w, &p, one_ticket));
	peer_close(&p);
	assert_true(world_until(&w, NULL, no_connections));
	assert_false(world_answer(&w, 0, "too late"));
	world_stop(&w);
}

static void a_wait_without_an_answer_ends_at_the_deadline(void **state)
{
	struct http_shell_config config = {.request_ms_max = 200};
	struct world w;
	struct peer p;

	world_start(&w, &config);
	peer_open(&p, &w);
	peer_say(&p, "GET /later HTTP/1.1\r\n" HOST "\r\n");
	assert_true(peer_is_cut(&p));
	assert_int_equal(peer_status(&p), 504);
	assert_false(world_answer(&w, 0, "too late"));
	peer_close(&p);
	world_stop(&w);
}

static void stopping_answers_whoever_still_waits(void **state)
{
	struct world w;
	struct peer p[3];

	world_start(&w, NULL);
	for (int i = 0; i < 3; i++) {
		peer_open(&p[i], &w);
		peer_say(&p[i], "GET /later HTTP/1.1\r\n" HOST "\r\n");
	}
	assert_true(world_until(&w, &p[0], three_tickets));
	world_stop(&w); /* MHD would abort here if one were left suspended */
	for (int i = 0; i < 3; i++) {
		char text[512] = "";

		assert_true(recv(p[i].fd, text, sizeof text - 1, 0) > 0);
		assert_non_null(strstr(text, "HTTP/1.1 503"));
		peer_close(&p[i]);
	}
}

/* --- files
 * --------------------------------------------------------------------------------------------- */

static void an_upload_is_streamed_into_a_file_that_goes_with_the_request(void **state)
{
	struct http_shell_config config = {
		.body_bytes_max = 10, .upload_prefix = "/artifacts/", .upload_bytes_max = 3000000};
	struct world w;
	struct peer p;
	char *body = calloc(1, 2000000);

	world_start(&w, &config);
	peer_open(&p, &w);
	memset(body, 'u', 2000000);
	peer_say(&p, "PUT /artifacts/1 HTTP/1.1\r\n" HOST "Content-Length: 2000000\r\n\r\n");
	peer_send(&p, body, 2000000);
	assert_true(peer_hears(&p, "PUT /artifacts/1 query= body=0"));
	assert_int_equal(strspn(w.last_upload, "u"), sizeof w.last_upload - 1);
	assert_int_equal(access(w.last_file, F_OK), -1);
	buf_clear(&p.in);
	peer_say(&p, "PUT /artifacts/1 HTTP/1.1\r\n" HOST "Content-Length: 3000001\r\n\r\n");
	assert_true(peer_hears(&p, HTTP_REASON_BODY_TOO_LARGE));
	peer_close(&p);

	/* One that is never finished leaves nothing behind: world_stop looks. */
	peer_open(&p, &w);
	peer_say(&p, "PUT /artifacts/2 HTTP/1.1\r\n" HOST "Content-Length: 2000000\r\n\r\nabc");
	world_turn(&w, &p);
	peer_close(&p);
	free(body);
	world_stop(&w);
}

static bool admit_who_has_a_key(
	void *self, const struct http_request *request, struct http_reply *reply)
{
	assert_int_equal(request->body.len, 0);
	assert_null(request->body_file);
	if (http_request_header(request, "X-Key"))
		return true;
	reply->status = 401;
	reply->content_type = "text/plain";
	buf_append_text(&reply->body, "no key for ");
	buf_append_text(&reply->body, request->path);
	return false;
}

static void an_upload_that_is_not_admitted_stores_nothing(void **state)
{
	struct http_shell_config config = {
		.upload_prefix = "/artifacts/", .admit_upload = admit_who_has_a_key};
	struct world w;
	struct peer p;

	world_start(&w, &config);
	/* Not a byte of the body is waited for. */
	peer_open(&p, &w);
	peer_say(&p, "PUT /artifacts/1 HTTP/1.1\r\n" HOST "Content-Length: 2000000\r\n\r\n");
	assert_true(peer_is_cut(&p));
	assert_int_equal(peer_status(&p), 401);
	assert_non_null(strstr(peer_text(&p), "no key for /artifacts/1"));
	peer_close(&p);
	peer_open(&p, &w);
	peer_say(&p, "PUT /artifacts/1 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		     "3\r\nabc\r\n");
	assert_true(peer_is_cut(&p));
	assert_int_equal(peer_status(&p), 401);
	peer_close(&p);
	assert_int_equal(w.handled, 0);
	/* Everything else is not asked about. */
	peer_open(&p, &w);
	peer_say(&p, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc");
	assert_true(peer_hears(&p, "body=3 abc"));
	peer_say(&p,
		"PUT /artifacts/1 HTTP/1.1\r\n" HOST "X-Key: 1\r\nContent-Length: 3\r\n\r\nabc");
	assert_true(peer_hears(&p, "PUT /artifacts/1"));
	assert_string_equal(w.last_upload, "abc");
	peer_close(&p);
	world_stop(&w);
}

static void what_a_crash_left_of_uploads_is_removed_at_the_start(void **state)
{
	static const char *const names[] = {"upload-x1y2z3", "upload-", "kept"};
	struct http_shell *shell;
	struct world w;
	char fault[256], path[3][128];

	world_start(&w, NULL);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path[i], sizeof path[i], "%s/%s", w.dir, names[i]);
		FILE *file = fopen(path[i], "w");
		assert_non_null(file);
		fclose(file);
	}
	assert_int_equal(http_shell_start(&shell, w.loop, &w.config, fault), STATUS_OK);
	assert_int_equal(access(path[0], F_OK), -1);
	assert_int_equal(access(path[1], F_OK), -1);
	assert_int_equal(unlink(path[2]), 0);
	http_shell_stop(shell, 0);
	world_stop(&w);
}

static void a_file_is_sent_whole(void **state)
{
	struct world w;
	struct peer p;

	world_start(&w, NULL);
	peer_open(&p, &w);
	peer_say(&p, "GET /file HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	assert_true(peer_is_cut(&p));
	assert_non_null(strstr(peer_text(&p), "Content-Length: 1048576\r\n"));
	const char *body = strstr(peer_text(&p), "\r\n\r\n") + 4;
	assert_int_equal(p.in.len - (size_t)(body - (const char *)p.in.data), 1048576);
	peer_close(&p);
	world_stop(&w);
}

/* --- ports
 * --------------------------------------------------------------------------------------------- */

static void a_taken_port_is_named_with_its_holder(void **state)
{
	struct http_shell *second = NULL;
	struct http_shell_config config;
	struct world w;
	char fault[256];
	char pid[32];

	world_start(&w, NULL);
	config = w.config;
	config.port = http_shell_port(w.shell);
	assert_int_equal(http_shell_start(&second, w.loop, &config, fault), STATUS_BUSY);
	snprintf(pid, sizeof pid, "(pid %d)", (int)getpid());
	if (!strstr(fault, pid) || !strstr(fault, "is taken by"))
		fail_msg("%s", fault);
	config.listen_address = "localhost";
	assert_int_equal(http_shell_start(&second, w.loop, &config, fault), STATUS_INVALID);
	assert_non_null(strstr(fault, "not a numeric address"));
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_carries_request_after_request),
		cmocka_unit_test(what_is_too_large_is_refused_with_its_status),
		cmocka_unit_test(a_port_words_its_own_refusals),
		cmocka_unit_test(a_chunked_body_over_the_bound_is_read_but_not_kept),
		cmocka_unit_test(a_connection_too_many_is_closed_and_one_that_leaves_makes_room),
		cmocka_unit_test(who_holds_a_place_longest_without_a_request_makes_room),
		cmocka_unit_test(a_crowd_that_drips_keeps_nobody_out),
		cmocka_unit_test(foreign_hosts_and_origins_are_refused),
		cmocka_unit_test(a_listed_origin_is_named_in_the_answer_and_may_ask_first),
		cmocka_unit_test(a_sender_that_drips_is_cut_at_the_deadline),
		cmocka_unit_test(a_header_block_has_less_time_than_the_whole_request),
		cmocka_unit_test(a_reader_that_does_not_read_is_cut_at_the_deadline),
		cmocka_unit_test(a_waiting_request_is_answered_once_through_its_ticket),
		cmocka_unit_test(a_ticket_answered_inside_the_handler_needs_no_second_turn),
		cmocka_unit_test(a_made_up_ticket_is_nobodys),
		cmocka_unit_test(a_requester_that_leaves_frees_its_place),
		cmocka_unit_test(a_wait_without_an_answer_ends_at_the_deadline),
		cmocka_unit_test(stopping_answers_whoever_still_waits),
		cmocka_unit_test(an_upload_is_streamed_into_a_file_that_goes_with_the_request),
		cmocka_unit_test(an_upload_that_is_not_admitted_stores_nothing),
		cmocka_unit_test(what_a_crash_left_of_uploads_is_removed_at_the_start),
		cmocka_unit_test(a_file_is_sent_whole),
		cmocka_unit_test(a_taken_port_is_named_with_its_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
