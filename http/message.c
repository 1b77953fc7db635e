#include "http/message.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

const char *http_request_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++) {
		if (strcasecmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	}
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* '+' is a space in a query, as forms send it. */
static void append_decoded(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool escape = text[i] == '%' && i + 2 < len;
		int high = escape ? hex_digit(text[i + 1]) : -1;
		int low = escape ? hex_digit(text[i + 2]) : -1;
		if (high >= 0 && low >= 0) {
			buf_append_byte(out, (uint8_t)(high * 16 + low));
			i += 2;
		} else {
			buf_append_byte(out, (uint8_t)(text[i] == '+' ? ' ' : text[i]));
		}
	}
}

bool http_query_param(struct buf *out, const char *query, const char *name)
{
	size_t name_len = strlen(name);

	for (const char *at = query; at && *at;) {
		const char *end = strchr(at, '&');
		size_t len = end ? (size_t)(end - at) : strlen(at);

		if (len >= name_len && memcmp(at, name, name_len) == 0 &&
			(len == name_len || at[name_len] == '=')) {
			if (len > name_len)
				append_decoded(out, at + name_len + 1, len - name_len - 1);
			return true;
		}
		at = end ? end + 1 : NULL;
	}
	return false;
}

void http_reply_init(struct http_reply *reply)
{
	memset(reply, 0, sizeof *reply);
	reply->status = 200;
	reply->content_type = "application/json";
	reply->body_fd = -1;
	buf_init(&reply->body, 0);
}

void http_reply_fini(struct http_reply *reply)
{
	if (reply->body_fd >= 0)
		close(reply->body_fd);
	reply->body_fd = -1;
	buf_fini(&reply->body);
}

void http_reply_header(struct http_reply *reply, const char *name, const char *static_value)
{
	CHECK(reply->extra_count < sizeof reply->extra / sizeof reply->extra[0]);
	reply->extra[reply->extra_count].name = name;
	reply->extra[reply->extra_count].value = static_value;
	reply->extra_count++;
}
