/* Files in and out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "coordinator/inside.h"

struct upload {
	struct coordinator *c; /* artifacts_fini forgets uploads before it goes */
	struct http_ticket ticket;
};

static void say_status(struct http_reply *reply, enum status status)
{
	if (status == STATUS_NO_MEMORY || status == STATUS_DISK_FULL)
		reply_error(reply, 507, "STORAGE_FULL", NULL,
			"no room for more artifacts, or too many uploads at once");
	else
		reply_error(reply, 500, "INTERNAL_ERROR", NULL, "the upload can't be kept: %s",
			status_text(status));
}

static void on_kept(void *ctx, enum status status, const struct hash32 *hash, uint64_t size)
{
	struct upload *upload = ctx;
	struct http_reply reply;

	http_reply_init(&reply);
	if (status != STATUS_OK) {
		say_status(&reply, status);
	} else {
		reply.status = 201;
		buf_append_text(&reply.body, "{\"artifact\":\"");
		buf_append_hex_lower(&reply.body, hash->b, sizeof hash->b);
		buf_appendf(&reply.body, "\",\"size\":%llu}", (unsigned long long)size);
	}
	reply_answer(upload->c, upload->ticket, &reply);
	http_reply_fini(&reply);
	free(upload);
}

enum http_answer route_artifact_put(struct route_call *call)
{
	struct upload *upload;
	enum status status;

	if (!call->request->body_file) {
		reply_error(call->reply, 400, "VALIDATION_ERROR", NULL,
			"the body is the file's bytes, and it is empty");
		return HTTP_DONE;
	}
	upload = malloc(sizeof *upload);
	if (!upload) {
		say_status(call->reply, STATUS_NO_MEMORY);
		return HTTP_DONE;
	}
	upload->c = call->c;
	upload->ticket = call->ticket;
	status = artifacts_take(&call->c->artifacts, call->request->body_file, on_kept, upload);
	if (status == STATUS_OK)
		return HTTP_WAIT;
	free(upload);
	say_status(call->reply, status);
	return HTTP_DONE;
}

enum http_answer route_artifact_get(struct route_call *call)
{
	const char *name = call->arg[0];
	struct hash32 hash;
	enum status status = STATUS_NOT_FOUND;
	uint64_t size;
	int fd = -1;

	if (strncmp(name, "artifact:", 9) == 0)
		name += 9;
	if (hex_decode(hash.b, sizeof hash.b, name, strlen(name)))
		status = artifacts_open(&call->c->artifacts, &fd, &size, &hash);
	if (status == STATUS_NOT_FOUND) {
		reply_error(call->reply, 404, "NOT_FOUND", NULL, "no such artifact: %.80s",
			call->arg[0]);
	} else if (status != STATUS_OK) {
		reply_error(call->reply, 500, "INTERNAL_ERROR", NULL, "it can't be read: %s",
			status_text(status));
	} else {
		call->reply->content_type = "application/octet-stream";
		call->reply->body_fd = fd;
		/* The name is the content. */
		http_reply_header(
			call->reply, "Cache-Control", "private, max-age=31536000, immutable");
		http_reply_header(call->reply, "X-Content-Type-Options", "nosniff");
	}
	return HTTP_DONE;
}
