/* One request from its first line to the end of its answer, as MHD calls us: the URI, then
 * request_access with the header block, with each piece of body, and once more at the end; a
 * resumed request enters it again. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/shell_internal.h"

static const char reason_storage[] = "no room to store the body";

static struct conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

void *request_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct conn *conn = conn_of(mhd);

	(void)cls;
	if (!conn)
		return NULL;
	/* MHD cuts and decodes the text in place after this call. */
	const char *question = strchr(uri, '?');
	size_t len = 0;
	for (; uri[len]; len++) {
		/* %00 would end the decoded path early. */
		if ((unsigned char)uri[len] <= ' ' || uri[len] == 0x7f ||
			strncmp(uri + len, "%00", 3) == 0)
			conn->url_bad = true;
	}
	conn->url_too_long = len > HTTP_URL_BYTES_MAX;
	if (question && !conn->url_too_long)
		conn->query = strdup(question + 1);
	return conn;
}

/* --- body
 * ---------------------------------------------------------------------------------------------- */

static bool upload_open(struct conn *conn)
{
	if (asprintf(&conn->upload_path, "%s/" UPLOAD_PREFIX "XXXXXX",
		    conn->shell->config.upload_dir) < 0) {
		conn->upload_path = NULL;
		return false;
	}
	conn->upload_fd = mkostemp(conn->upload_path, O_CLOEXEC);
	if (conn->upload_fd < 0) {
		free(conn->upload_path);
		conn->upload_path = NULL;
		return false;
	}
	conn->shell->uploads++;
	return true;
}

static void upload_discard(struct conn *conn)
{
	if (!conn->upload_path)
		return;
	if (conn->upload_fd >= 0)
		close(conn->upload_fd);
	conn->upload_fd = -1;
	unlink(conn->upload_path); /* nothing to remove when the handler took it */
	free(conn->upload_path);
	conn->upload_path = NULL;
	conn->shell->uploads--;
}

static uint16_t upload_append(struct conn *conn, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t written = write(conn->upload_fd, data, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return 507;
		data += written;
		len -= (size_t)written;
	}
	return 0;
}

static uint16_t memory_append(struct conn *conn, const char *data, size_t len)
{
	struct http_shell *shell = conn->shell;

	if (shell->bodies_bytes + len > HTTP_BODIES_BYTES_MAX)
		return 503;
	buf_append(&conn->body, data, len);
	conn->body_counted += len;
	shell->bodies_bytes += len;
	return buf_ok(&conn->body) ? 0 : 503;
}

static void body_forget(struct conn *conn)
{
	conn->shell->bodies_bytes -= conn->body_counted;
	conn->body_counted = 0;
	/* Keep a small block for the connection's next request, and only that. */
	if (conn->body.cap > 64 * 1024)
		buf_fini(&conn->body),
			buf_init(&conn->body, conn->shell->config.body_bytes_max + 1);
	buf_clear(&conn->body);
	conn->body_len = 0;
	upload_discard(conn);
}

/* False: cut the connection. A chunked body shows its size only while it comes, when MHD takes no
 * answer: it is then read to its end without being kept, but not for ever. */
static bool body_append(struct conn *conn, const char *data, size_t len)
{
	const struct http_shell_config *config = &conn->shell->config;
	size_t max = conn->is_upload ? config->upload_bytes_max : config->body_bytes_max;

	conn->body_len += len;
	if (conn->body_len > max)
		conn->spoilt = config->too_large_status;
	else if (!conn->spoilt)
		conn->spoilt = conn->is_upload ? upload_append(conn, data, len)
					       : memory_append(conn, data, len);
	return conn->body_len / 2 <= max;
}

/* --- answers
 * ------------------------------------------------------------------------------------------- */

void conn_refusal(struct conn *conn, struct http_reply *reply, uint16_t status, const char *reason)
{
	const struct http_shell_config *config = &conn->shell->config;

	http_reply_init(reply);
	reply->status = status;
	if (config->refusal) {
		config->refusal(config->self, status, reason, reply);
	} else {
		reply->content_type = "text/plain; charset=utf-8";
		buf_append_text(&reply->body, reason);
		buf_append_byte(&reply->body, '\n');
	}
	reply->close = true;
}

static void free_body(void *data)
{
	struct buf b = {.data = data};

	buf_fini(&b);
}

/* Takes the reply's body. NULL: no memory; the body is freed then too. */
static struct MHD_Response *response_of_body(struct http_reply *reply)
{
	struct MHD_Response *response;

	if (!reply->body.data || reply->body.len == 0)
		return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	response = MHD_create_response_from_buffer_with_free_callback(
		reply->body.len, reply->body.data, free_body);
	if (response)
		buf_init(&reply->body, 0);
	return response;
}

static struct MHD_Response *response_of_file(struct http_reply *reply, uint64_t *size)
{
	struct stat st;

	if (fstat(reply->body_fd, &st) != 0 || !S_ISREG(st.st_mode))
		return NULL;
	*size = (uint64_t)st.st_size;
	struct MHD_Response *response = MHD_create_response_from_fd64(*size, reply->body_fd);
	if (response)
		reply->body_fd = -1;
	return response;
}

static void response_headers(
	struct conn *conn, struct MHD_Response *response, const struct http_reply *reply)
{
	if (reply->content_type)
		MHD_add_response_header(response, "Content-Type", reply->content_type);
	for (size_t i = 0; i < reply->extra_count; i++)
		MHD_add_response_header(response, reply->extra[i].name, reply->extra[i].value);
	if (conn->origin) {
		MHD_add_response_header(response, "Access-Control-Allow-Origin", conn->origin);
		MHD_add_response_header(response, "Vary", "Origin");
	}
	if (reply->close || conn->close_after || conn->shell->stopping)
		MHD_add_response_header(response, "Connection", "close");
}

/* Queues the reply and takes its content. MHD_NO cuts the connection. */
static enum MHD_Result conn_send(struct conn *conn, struct http_reply *reply)
{
	struct http_shell *shell = conn->shell;
	uint64_t extra_ms = 0;
	uint64_t file_size = 0;
	struct MHD_Response *response = NULL;

	if (!buf_ok(&reply->body) ||
		shell->reply_bytes + reply->body.len > HTTP_REPLIES_BYTES_MAX) {
		http_reply_fini(reply);
		conn_refusal(conn, reply, 503, "too much to answer at one time");
	}
	conn->reply_bytes = reply->body.len;
	if (reply->body_fd >= 0) {
		response = response_of_file(reply, &file_size);
		extra_ms = (file_size >> 20) * HTTP_TRANSFER_MS_PER_MIB;
	} else {
		response = response_of_body(reply);
	}
	if (response)
		response_headers(conn, response, reply);
	enum MHD_Result queued =
		response ? MHD_queue_response(conn->mhd, reply->status, response) : MHD_NO;
	if (response)
		MHD_destroy_response(response);
	http_reply_fini(reply);
	if (queued != MHD_YES)
		conn->reply_bytes = 0;
	shell->reply_bytes += conn->reply_bytes;
	conn->phase = CONN_SENDING;
	conn->deadline_ms = shell->now_ms + shell->config.request_ms_max + extra_ms;
	return queued;
}

static enum MHD_Result conn_refuse(struct conn *conn, uint16_t status, const char *reason)
{
	conn_refusal(conn, &conn->reply, status, reason);
	return conn_send(conn, &conn->reply);
}

/* A browser asks before it posts from another page; only a listed origin gets this far. */
static void preflight_reply(struct http_reply *reply)
{
	reply->status = 204;
	reply->content_type = NULL;
	http_reply_header(reply, "Access-Control-Allow-Methods", "HEAD, GET, POST, PUT, DELETE");
	http_reply_header(reply, "Access-Control-Allow-Headers",
		"Origin, Accept, Content-Type, X-Requested-With, X-Server-Time, X-Api-Key, "
		"X-Miner-Key");
	http_reply_header(reply, "Access-Control-Max-Age", "600");
}

/* --- the handler
 * --------------------------------------------------------------------------------------- */

static enum MHD_Result conn_wait(struct conn *conn)
{
	struct http_shell *shell = conn->shell;

	if (shell->waiting >= HTTP_WAITING_MAX) {
		conn->generation++;
		return conn_refuse(conn, 503, "too many requests are waiting");
	}
	conn->phase = CONN_WAITING;
	conn->deadline_ms = shell->now_ms + shell->config.request_ms_max;
	shell->waiting++;
	MHD_suspend_connection(conn->mhd);
	return MHD_YES;
}

/* What the handler is shown; before the body came, without it. */
static struct http_request conn_request(const struct conn *conn, const char *path)
{
	return (struct http_request){.method = conn->method,
		.path = path,
		.query = conn->query ? conn->query : "",
		.headers = conn->headers,
		.header_count = conn->header_count,
		.body = conn->is_upload ? bytes_view(NULL, 0) : buf_view(&conn->body),
		.body_file = conn->upload_path,
		.peer = conn->peer,
		.now_ms = conn->shell->now_ms};
}

static enum MHD_Result conn_handle(struct conn *conn, const char *path)
{
	struct http_shell *shell = conn->shell;
	struct http_request request = conn_request(conn, path);
	struct http_reply reply;

	if (shell->stopping)
		return conn_refuse(conn, 503, "the server is stopping");
	if (++conn->generation == 0)
		conn->generation = 1;
	if (conn->upload_fd >= 0)
		close(conn->upload_fd), conn->upload_fd = -1;
	struct http_ticket ticket = {conn->slot, conn->generation};
	conn->phase = CONN_HANDLING;
	http_reply_init(&reply);
	if (conn->method == HTTP_OPTIONS && conn->origin) {
		preflight_reply(&reply);
		return conn_send(conn, &reply);
	}
	if (shell->config.handler(shell->config.self, &request, ticket, &reply) == HTTP_DONE)
		return conn_send(conn, &reply);
	http_reply_fini(&reply);
	if (conn->phase == CONN_ANSWERED) /* the wait was over before the handler came back */
		return conn_send(conn, &conn->reply);
	return conn_wait(conn);
}

/* The room's own word on an upload, while it costs nothing yet. */
static bool upload_admitted(struct conn *conn, const char *path, struct http_reply *reply)
{
	const struct http_shell_config *config = &conn->shell->config;
	struct http_request request = conn_request(conn, path);

	http_reply_init(reply);
	if (!config->admit_upload || config->admit_upload(config->self, &request, reply))
		return true;
	reply->close = true; /* its body may be on the way all the same */
	return false;
}

static enum MHD_Result conn_header_block(
	struct conn *conn, const char *url, const char *method, const char *version)
{
	struct admission admission = {.url = url, .method = method, .version = version};
	const char *reason = NULL;

	conn->shell->requests++;
	conn->phase = CONN_BODY;
	uint16_t status = conn_admit(conn, &admission, &reason);
	if (status == 0 && conn->is_upload && !upload_admitted(conn, url, &conn->reply))
		return conn_send(conn, &conn->reply);
	if (status == 0 && conn->is_upload && !upload_open(conn))
		status = 507, reason = reason_storage;
	if (status != 0)
		return conn_refuse(conn, status, reason);
	conn->deadline_ms += conn->shell->config.request_ms_max - conn->shell->config.header_ms_max;
	if (conn->is_upload)
		conn->deadline_ms = conn->shell->now_ms + conn->shell->config.request_ms_max +
				    (admission.content_length >> 20) * HTTP_TRANSFER_MS_PER_MIB;
	return MHD_YES;
}

static const char *spoilt_reason(const struct conn *conn)
{
	if (conn->spoilt == conn->shell->config.too_large_status)
		return HTTP_REASON_BODY_TOO_LARGE;
	return conn->spoilt == 507 ? reason_storage : "too many bodies at one time";
}

static enum MHD_Result conn_body(
	struct conn *conn, const char *url, const char *data, size_t *data_len)
{
	if (*data_len > 0) {
		bool go_on = body_append(conn, data, *data_len);

		*data_len = 0;
		return go_on ? MHD_YES : MHD_NO;
	}
	if (conn->spoilt)
		return conn_refuse(conn, conn->spoilt, spoilt_reason(conn));
	return conn_handle(conn, url);
}

enum MHD_Result request_access(void *cls, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *data, size_t *data_len, void **slot)
{
	struct conn *conn = *slot;

	(void)cls, (void)mhd;
	if (!conn)
		return MHD_NO;
	switch (conn->phase) {
	case CONN_IDLE: return conn_header_block(conn, url, method, version);
	case CONN_BODY: return conn_body(conn, url, data, data_len);
	case CONN_ANSWERED: return conn_send(conn, &conn->reply);
	case CONN_DOOMED: return MHD_NO;
	case CONN_SENDING: *data_len = 0; return MHD_YES; /* the rest of a refused body */
	case CONN_FREE:
	case CONN_HANDLING:
	case CONN_WAITING: break;
	}
	CHECK(conn->phase == CONN_IDLE); /* MHD enters no request whose handler runs or waits */
	return MHD_NO;
}

void conn_clear_request(struct conn *conn)
{
	struct http_shell *shell = conn->shell;

	body_forget(conn);
	free(conn->query);
	conn->query = NULL;
	conn->url_too_long = false;
	conn->url_bad = false;
	conn->origin = NULL;
	conn->header_count = 0;
	conn->spoilt = 0;
	conn->is_upload = false;
	shell->reply_bytes -= conn->reply_bytes;
	conn->reply_bytes = 0;
	if (conn->phase == CONN_ANSWERED)
		http_reply_fini(&conn->reply);
	if (conn->phase != CONN_FREE && conn->phase != CONN_IDLE) {
		CHECK(conn->phase != CONN_WAITING);
		shell->requests--;
		conn->phase = CONN_IDLE;
	}
}

void request_completed(
	void *cls, struct MHD_Connection *mhd, void **slot, enum MHD_RequestTerminationCode how)
{
	struct conn *conn = *slot;

	(void)cls, (void)mhd, (void)how;
	if (!conn)
		return;
	conn_clear_request(conn);
	if (conn->since_ms != UINT64_MAX)
		conn->since_ms = conn->shell->now_ms;
	conn->deadline_ms = conn->shell->now_ms + conn->shell->config.header_ms_max;
}
