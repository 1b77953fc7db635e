/* Answers in the one form of this port: {"error":{"code","message","status","field"?},"detail"}. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "coordinator/inside.h"

static void put_error(struct http_reply *reply, uint16_t status, const char *code,
	const char *field, const char *message)
{
	reply->status = status;
	buf_clear(&reply->body);
	buf_append_text(&reply->body, "{\"error\":{\"code\":");
	json_put_text(&reply->body, code);
	buf_append_text(&reply->body, ",\"message\":");
	json_put_text(&reply->body, message);
	buf_appendf(&reply->body, ",\"status\":%u", status);
	if (field) {
		buf_append_text(&reply->body, ",\"field\":");
		json_put_text(&reply->body, field);
	}
	buf_append_text(&reply->body, "},\"detail\":");
	json_put_text(&reply->body, message);
	buf_append_byte(&reply->body, '}');
}

void reply_error(struct http_reply *reply, uint16_t status, const char *code, const char *field,
	const char *format, ...)
{
	char message[512];
	size_t used = 0;
	va_list list;

	if (field)
		used = (size_t)snprintf(message, sizeof message, "%.100s ", field);
	va_start(list, format);
	vsnprintf(message + used, sizeof message - used, format, list);
	va_end(list);
	put_error(reply, status, code, field, message);
}

void reply_settle(struct http_reply *reply, uint32_t code, const char *text)
{
	uint16_t status = 400;
	char message[400];
	bool named;

	if (code == SETTLE_INSUFFICIENT_FUNDS || code == SETTLE_UNKNOWN_ACCOUNT)
		status = 402;
	else if (code == SETTLE_JOB_EXISTS || code == SETTLE_WRONG_STATE ||
		 code == SETTLE_JOB_EXPIRED || code == SETTLE_STALE_SEQUENCE ||
		 code == SETTLE_SEQUENCE_TAKEN || code == SETTLE_SEQUENCE_GAP ||
		 code == SETTLE_LEASE_LIVE || code == SETTLE_ATTEMPT_MISMATCH ||
		 code == SETTLE_LEASE_LAPSED)
		status = 409;
	/* The chain's own log begins with the name. */
	named = text && strncmp(text, settle_code_name(code), strlen(settle_code_name(code))) == 0;
	snprintf(message, sizeof message, "the chain refused it: %s%s%.300s",
		named ? "" : settle_code_name(code), !named && text && text[0] ? ": " : "",
		text ? text : "");
	put_error(reply, status, settle_code_name(code), NULL, message);
}

void reply_answer(struct coordinator *c, struct http_ticket ticket, struct http_reply *reply)
{
	/* False: the requester is gone. Nothing hangs on it. */
	if (c->shell)
		(void)http_ticket_answer(c->shell, ticket, reply);
}

uint64_t query_number(const char *query, const char *name, uint64_t absent, uint64_t most)
{
	struct buf text;
	uint64_t value = absent;

	buf_init(&text, 64);
	if (http_query_param(&text, query, name) && buf_ok(&text)) {
		const char *digits = buf_text(&text);

		if (digits[0] && strspn(digits, "0123456789") == strlen(digits) &&
			strlen(digits) < 18)
			value = strtoull(digits, NULL, 10);
	}
	buf_fini(&text);
	return value > most ? most : value;
}
