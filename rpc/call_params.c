/* Parameters as JSON-RPC and as URI spell them. Both follow CometBFT's reader, quirks included: an
 * integer is a decimal text in JSON and bare in a URI; bytes are base64 in JSON, and in a URI
 * 0x-hex or the quoted text itself. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "rpc/call.h"

/* What the reader works on. Views into server->params are taken last, since it moves while it
 * grows. */
struct reader {
	struct rpc_server *server;
	const struct rpc_param *param;
	struct rpc_value *value;
	size_t start; /* of the value in server->params, when in_params */
	size_t len;
	bool in_params;
	char *fault;
};

static bool bad(struct reader *r, const char *why)
{
	snprintf(r->fault, RPC_FAULT_BYTES, "%s: %s", r->param->name, why);
	return false;
}

static bool decimal(int64_t *out, const char *text, size_t len)
{
	bool negative = len > 0 && text[0] == '-';
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	uint64_t value = 0;
	size_t i = negative ? 1 : 0;

	if (i == len)
		return false;
	for (; i < len; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9' || value > (limit - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

static bool read_int(struct reader *r, const char *text, size_t len)
{
	if (!decimal(&r->value->number, text, len))
		return bad(r, "not a 64-bit decimal integer");
	if (r->param->type == RPC_UINT && r->value->number < 0)
		return bad(r, "must not be negative");
	return true;
}

static bool read_hex(struct reader *r, const char *text, size_t len)
{
	r->start = r->server->params.len;
	r->len = len / 2;
	r->in_params = true;
	uint8_t *out = buf_extend(&r->server->params, r->len);
	if (!out && r->len > 0)
		return bad(r, "too large");
	if (len % 2 != 0 || (r->len > 0 && !hex_decode(out, r->len, text, len)))
		return bad(r, "invalid hex");
	return true;
}

static bool read_base64(struct reader *r, const char *text, size_t len)
{
	r->start = r->server->params.len;
	r->in_params = true;
	if (!base64_decode(&r->server->params, text, len))
		return bad(r, "illegal base64 data");
	r->len = r->server->params.len - r->start;
	return true;
}

static void keep(struct reader *r, const char *text, size_t len)
{
	r->start = r->server->params.len;
	r->len = len;
	r->in_params = true;
	buf_append(&r->server->params, text, len);
}

/* A string's text; NULL: something else. */
static bool read_string(struct reader *r, const char *text, size_t len)
{
	switch (r->param->type) {
	case RPC_INT:
	case RPC_UINT:
		if (!text)
			return bad(r, "invalid 64-bit integer encoding, expected a decimal string "
				      "like \"5\"");
		return read_int(r, text, len);
	case RPC_BOOL: return bad(r, "expected true or false");
	case RPC_TEXT:
		if (!text)
			return bad(r, "expected a string");
		keep(r, text, len);
		return true;
	case RPC_BYTES:
		return text ? read_base64(r, text, len) : bad(r, "expected a base64 string");
	case RPC_HEX: return text ? read_hex(r, text, len) : bad(r, "expected a hex string");
	}
	return bad(r, "unknown type");
}

static bool read_json(struct reader *r, const json_t *json)
{
	r->value->given = true;
	if (r->param->type != RPC_BOOL || !json_is_boolean(json))
		return read_string(r, json_string_value(json), json_string_length(json));
	r->value->flag = json_is_true(json);
	return true;
}

/* A value as it stands in the text, when it is one that every reader reads alike. */
static bool read_spelled(struct reader *r, struct bytes value)
{
	r->value->given = true;
	if (rpc_plain_string(&value))
		return read_string(r, (const char *)value.data, value.len);
	r->value->flag = bytes_equal(value, bytes_of_text("true"));
	return r->param->type == RPC_BOOL &&
	       (r->value->flag || bytes_equal(value, bytes_of_text("false")));
}

/* A JSON text of a URI: "..." with JSON's escapes. */
static bool read_quoted(struct reader *r, struct bytes spelled)
{
	struct json_fault fault;
	json_t *json = json_read_bounded(spelled, 1, &fault);
	bool ok = json_is_string(json);

	if (ok)
		keep(r, json_string_value(json), json_string_length(json));
	json_decref(json);
	return ok || bad(r, "expected a text in double quotes");
}

static bool read_uri_bytes(struct reader *r, const char *text, size_t len)
{
	if (len >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return read_hex(r, text + 2, len - 2);
	if (len >= 2 && text[0] == '"' && text[len - 1] == '"')
		return read_quoted(r, bytes_view(text, len));
	return bad(r, "expected 0x and hex, or a text in double quotes");
}

static bool read_uri(struct reader *r, struct bytes spelled)
{
	const char *text = (const char *)spelled.data;
	size_t len = spelled.len;

	r->value->given = true;
	switch (r->param->type) {
	case RPC_INT:
	case RPC_UINT:
		if (len >= 2 && text[0] == '"' && text[len - 1] == '"')
			return read_int(r, text + 1, len - 2);
		if (len >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
			return bad(r, "got a hex string arg, but expected 'int64'");
		return read_int(r, text, len);
	case RPC_BOOL:
		r->value->flag = bytes_equal(spelled, bytes_of_text("true"));
		return r->value->flag || bytes_equal(spelled, bytes_of_text("false")) ||
		       bad(r, "expected true or false");
	case RPC_TEXT:
	case RPC_BYTES:
	case RPC_HEX: return read_uri_bytes(r, text, len);
	}
	return bad(r, "unknown type");
}

/* Every value's bytes, now that server->params has stopped growing. */
static bool settle(const struct reader *readers, size_t count, char *fault)
{
	for (size_t i = 0; i < count; i++) {
		const struct reader *r = &readers[i];

		if (!buf_ok(&r->server->params)) {
			snprintf(fault, RPC_FAULT_BYTES, "too large");
			return false;
		}
		if (r->in_params)
			r->value->bytes = bytes_view(r->server->params.data + r->start, r->len);
	}
	return true;
}

static void readers_start(struct reader *readers, struct rpc_server *server,
	struct rpc_value *values, const struct rpc_method *method, char *fault)
{
	buf_clear(&server->params);
	memset(values, 0, sizeof *values * RPC_PARAMS_MAX);
	for (size_t i = 0; i < method->param_count; i++)
		readers[i] = (struct reader){.server = server,
			.param = &method->params[i],
			.value = &values[i],
			.fault = fault};
}

bool call_params_json(struct rpc_server *server, struct rpc_value *values,
	const struct rpc_method *method, const json_t *params, char fault[RPC_FAULT_BYTES])
{
	struct reader readers[RPC_PARAMS_MAX];

	size_t listed = method->param_count - method->ours;

	readers_start(readers, server, values, method, fault);
	if (json_is_array(params) && json_array_size(params) != listed) {
		snprintf(fault, RPC_FAULT_BYTES, "expected %zu parameters, got %zu", listed,
			json_array_size(params));
		return false;
	}
	if (params && !json_is_array(params) && !json_is_object(params) && !json_is_null(params)) {
		snprintf(fault, RPC_FAULT_BYTES, "params must be an object or an array");
		return false;
	}
	for (size_t i = 0; i < method->param_count; i++) {
		const json_t *json = json_is_array(params)
					     ? json_array_get(params, i)
					     : json_object_get(params, method->params[i].name);

		if (json && !json_is_null(json) && !read_json(&readers[i], json))
			return false;
	}
	return settle(readers, method->param_count, fault);
}

bool call_params_spelled(struct rpc_server *server, struct rpc_value *values,
	const struct rpc_method *method, const struct json_member *members, size_t count)
{
	struct reader readers[RPC_PARAMS_MAX];
	char fault[RPC_FAULT_BYTES];

	readers_start(readers, server, values, method, fault);
	for (size_t i = 0; i < method->param_count; i++) {
		for (size_t k = 0; k < count; k++) {
			if (bytes_equal(members[k].key, bytes_of_text(method->params[i].name)) &&
				!read_spelled(&readers[i], members[k].value))
				return false;
		}
	}
	return settle(readers, method->param_count, fault);
}

bool call_params_uri(struct rpc_server *server, struct rpc_value *values,
	const struct rpc_method *method, const char *query, const char *form,
	char fault[RPC_FAULT_BYTES])
{
	struct reader readers[RPC_PARAMS_MAX];

	readers_start(readers, server, values, method, fault);
	for (size_t i = 0; i < method->param_count; i++) {
		buf_clear(&server->spelled);
		if (!http_query_param(&server->spelled, form, method->params[i].name))
			(void)http_query_param(&server->spelled, query, method->params[i].name);
		/* An empty value is an absent one. */
		if (buf_ok(&server->spelled) && server->spelled.len > 0 &&
			!read_uri(&readers[i], buf_view(&server->spelled)))
			return false;
	}
	return settle(readers, method->param_count, fault);
}
