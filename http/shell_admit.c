/* What MHD lets through and a strict server must not: two readings of where a body ends, names that
 * aren't tokens, foreign Hosts and Origins. All of it is judged on the header block, before a byte
 * of body is kept. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "http/shell_internal.h"

/* tchar of RFC 9110 5.6.2 */
static bool token_char(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* The headers that are looked at for their own sake. */
struct framing {
	struct conn *conn;
	size_t content_lengths;
	size_t transfer_encodings;
	size_t hosts;
	const char *content_length;
	const char *transfer_encoding;
	const char *host;
	const char *origin;
	const char *fault;
	bool too_many;
};

static void framing_note(struct framing *f, const char *name, size_t len, const char *value)
{
	switch (len) {
	case 4:
		if (strcasecmp(name, "host") == 0)
			f->host = value, f->hosts++;
		return;
	case 6:
		if (strcasecmp(name, "origin") == 0)
			f->origin = value;
		return;
	case 14:
		if (strcasecmp(name, "content-length") == 0)
			f->content_length = value, f->content_lengths++;
		return;
	case 17:
		if (strcasecmp(name, "transfer-encoding") == 0)
			f->transfer_encoding = value, f->transfer_encodings++;
		return;
	default: return;
	}
}

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
	size_t name_len, const char *value, size_t value_len)
{
	struct framing *f = cls;
	struct conn *conn = f->conn;

	(void)kind;
	if (name_len == 0)
		f->fault = "empty header name";
	for (size_t i = 0; i < name_len; i++) {
		if (!token_char((unsigned char)name[i]))
			f->fault = "header name with a character that is not allowed";
	}
	if (!value)
		value = "", value_len = 0;
	for (size_t i = 0; i < value_len; i++) {
		if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
			f->fault = "header value with a control character";
	}
	if (conn->header_count == HTTP_HEADERS_MAX)
		f->too_many = true;
	if (f->fault || f->too_many)
		return MHD_NO;
	conn->headers[conn->header_count].name = name;
	conn->headers[conn->header_count].value = value;
	conn->header_count++;
	framing_note(f, name, name_len, value);
	return MHD_YES;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* MHD forgives what a strict reader must not: it drops headers without a name, cuts a value at a
 * NUL, ends lines at a bare LF, and glues a folded line to the wrong place. None of it shows in the
 * header list; but MHD parses in place, so what it skipped is a gap between the pieces. A library
 * that keeps its headers elsewhere is not judged here. */
static bool block_has_gaps(const struct conn *conn, const struct admission *admission, size_t size)
{
	uintptr_t start = (uintptr_t)admission->method;
	uintptr_t end = start + size;
	uintptr_t version = (uintptr_t)admission->version;
	uintptr_t first = conn->header_count > 0 ? (uintptr_t)conn->headers[0].name : end;
	const char *at = admission->version + strlen(admission->version);

	if (version < start || version >= end || first < start || first > end)
		return false;
	for (size_t i = 0; i < conn->header_count; i++) {
		const char *name = conn->headers[i].name;
		const char *value = conn->headers[i].value;
		const char *before = name + strlen(name) + 1; /* of the value, after the colon */

		while (is_space(*at))
			at++;
		if ((uintptr_t)name != (uintptr_t)at + 2 || (uintptr_t)value < (uintptr_t)before ||
			(uintptr_t)value >= end)
			return true;
		while (before < value && is_space(*before))
			before++;
		if (before != value)
			return true;
		at = value + strlen(value);
	}
	while ((uintptr_t)at < end && is_space(*at))
		at++;
	return (uintptr_t)at + 4 != end;
}

static bool decimal_parse(uint64_t *out, const char *text)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > UINT64_MAX / 10 - 1)
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	*out = value;
	return true;
}

static const char *framing_fault(const struct framing *f, struct admission *admission)
{
	bool http10 = strcmp(admission->version, "HTTP/1.0") == 0;

	if (f->fault)
		return f->fault;
	if (f->content_lengths > 1)
		return "two Content-Length headers";
	if (f->transfer_encodings > 1)
		return "two Transfer-Encoding headers";
	if (f->content_lengths && f->transfer_encodings)
		return "Content-Length together with Transfer-Encoding";
	if (f->transfer_encodings && http10)
		return "Transfer-Encoding in HTTP/1.0";
	if (f->transfer_encodings && strcasecmp(f->transfer_encoding, "chunked") != 0)
		return "a Transfer-Encoding other than chunked";
	if (f->content_lengths && !decimal_parse(&admission->content_length, f->content_length))
		return "a Content-Length that is not a number";
	if (f->hosts > 1)
		return "two Host headers";
	if (f->hosts == 0 && !http10)
		return "no Host header";
	return NULL;
}

/* Length of the name in "name:port", "[v6]:port" or a bare name; 0 when the text is not of that
 * form. */
static size_t host_name_len(const char *host)
{
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	const char *rest = host + (len <= strlen(host) ? len : 0);

	if (len > strlen(host) || (*rest && *rest != ':'))
		return 0;
	if (*rest == ':' && rest[1 + strspn(rest + 1, "0123456789")] != 0)
		return 0;
	return len;
}

/* A name can be pointed at 127.0.0.1 by whoever owns it, a number can't: so of names only the known
 * ones. */
static bool host_allowed(const struct http_shell *shell, const char *host)
{
	size_t len = host_name_len(host);
	char name[256];
	uint8_t raw[16];

	if (len == 0 || len >= sizeof name)
		return false;
	memcpy(name, host, len);
	name[len] = 0;
	if (strcmp(name, "127.0.0.1") == 0 || strcasecmp(name, "localhost") == 0 ||
		strcmp(name, "[::1]") == 0)
		return true;
	for (const char *const *at = shell->config.hosts; at && *at; at++) {
		if (strcasecmp(*at, name) == 0 || strcasecmp(*at, host) == 0)
			return true;
	}
	if (name[0] == '[') {
		name[len - 1] = 0;
		if (inet_pton(AF_INET6, name + 1, raw) != 1)
			return false;
		return shell->listens_on_any || strcmp(name + 1, shell->config.listen_address) == 0;
	}
	if (inet_pton(AF_INET, name, raw) != 1)
		return false;
	return raw[0] == 127 || shell->listens_on_any ||
	       strcmp(name, shell->config.listen_address) == 0;
}

/* A page of this port's own may call it; any other only when listed. */
static bool origin_allowed(struct conn *conn, const char *origin, const char *host)
{
	static const char scheme[] = "http://";

	if (host && strncmp(origin, scheme, sizeof scheme - 1) == 0 &&
		strcasecmp(origin + sizeof scheme - 1, host) == 0)
		return true;
	for (const char *const *at = conn->shell->config.origins; at && *at; at++) {
		if (strcmp(*at, "*") == 0 || strcmp(*at, origin) == 0) {
			conn->origin = origin;
			return true;
		}
	}
	return false;
}

static enum http_method method_of(const char *method)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {{"POST", HTTP_POST}, {"GET", HTTP_GET}, {"HEAD", HTTP_HEAD},
		{"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}};

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (strcmp(methods[i].name, method) == 0)
			return methods[i].method;
	}
	return HTTP_OTHER;
}

/* Decides where the body goes and whether it may come. */
static uint16_t body_admit(
	struct conn *conn, const struct admission *admission, const char **reason)
{
	const struct http_shell *shell = conn->shell;
	const char *prefix = shell->config.upload_prefix;
	size_t max = shell->config.body_bytes_max;

	conn->is_upload = prefix && strncmp(admission->url, prefix, strlen(prefix)) == 0 &&
			  (conn->method == HTTP_PUT || conn->method == HTTP_POST);
	if (conn->is_upload)
		max = shell->config.upload_bytes_max;
	if (admission->content_length > max) {
		*reason = HTTP_REASON_BODY_TOO_LARGE;
		return shell->config.too_large_status;
	}
	if (conn->is_upload && shell->uploads >= HTTP_UPLOADS_MAX) {
		*reason = "too many uploads at one time";
		return 503;
	}
	return 0;
}

uint16_t conn_admit(struct conn *conn, struct admission *admission, const char **reason)
{
	const struct http_shell *shell = conn->shell;
	struct framing f = {.conn = conn};

	conn->close_after = strcmp(admission->version, "HTTP/1.1") != 0;
	if (conn->url_bad) {
		*reason = "a character in the URL that is not allowed";
		return 400;
	}
	if (conn->close_after && strcmp(admission->version, "HTTP/1.0") != 0) {
		*reason = "this server speaks HTTP/1.1";
		return 505;
	}
	if (conn->url_too_long) {
		*reason = "URL too long";
		return 414;
	}
	const union MHD_ConnectionInfo *size =
		MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	MHD_get_connection_values_n(conn->mhd, MHD_HEADER_KIND, on_header, &f);
	if (f.too_many || (size && size->header_size > HTTP_HEADER_BYTES_MAX)) {
		*reason = "request header fields too large";
		return 431;
	}
	*reason = framing_fault(&f, admission);
	if (!*reason && size && block_has_gaps(conn, admission, size->header_size))
		*reason = "a header line that is not well formed";
	if (*reason)
		return 400;
	/* MHD is lenient about the line ends between chunks: nothing that follows such a body is
	 * read as a request. */
	conn->close_after = conn->close_after || f.transfer_encodings > 0;
	conn->method = method_of(admission->method);
	if (admission->url[0] != '/' &&
		!(conn->method == HTTP_OPTIONS && !strcmp(admission->url, "*"))) {
		*reason = "the request target must be a path";
		return 400;
	}
	if (f.host && !host_allowed(shell, f.host)) {
		*reason = "Host not allowed; add it to the configured hosts";
		return 403;
	}
	if (f.origin && !origin_allowed(conn, f.origin, f.host)) {
		*reason = "Origin not allowed; add it to the configured origins";
		return 403;
	}
	return body_admit(conn, admission, reason);
}
