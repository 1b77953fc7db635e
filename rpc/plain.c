/* One call as a single object, its members as everybody spells them: read from the one scan that
 * every text goes through, without a tree. Whatever is odd in the least goes to the JSON reader, so
 * that there is one place that says what is wrong. */
#include <string.h>

#include "rpc/call.h"

enum { MEMBERS_MAX = 4 };

bool rpc_plain_string(struct bytes *value)
{
	if (value->len < 2 || value->data[0] != '"' || memchr(value->data, '\\', value->len))
		return false;
	*value = bytes_view(value->data + 1, value->len - 2);
	return true;
}

bool rpc_id_is_integer(struct bytes id)
{
	for (size_t i = 0; i < id.len; i++) {
		if (!(id.data[i] >= '0' && id.data[i] <= '9') && !(id.data[i] == '-' && i == 0))
			return false;
	}
	return id.len > 0;
}

static bool is_named(const struct json_member *member, const char *name)
{
	return bytes_equal(member->key, bytes_of_text(name));
}

static bool id_is_plain(struct bytes id)
{
	return id.data[0] == '"' || rpc_id_is_integer(id) || bytes_equal(id, bytes_of_text("null"));
}

/* Of one kind only: what else a value may be, the JSON reader has its own bounds for. */
static bool params_are_plain(const struct json_member *params, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bytes value = params[i].value;

		if (!rpc_plain_string(&value) && !bytes_equal(value, bytes_of_text("true")) &&
			!bytes_equal(value, bytes_of_text("false")))
			return false;
	}
	return true;
}

bool rpc_plain_read(struct rpc_server *server, struct rpc_plain *out, struct bytes body)
{
	struct json_member members[MEMBERS_MAX], params[RPC_PARAMS_MAX];
	size_t count, param_count = 0;

	memset(&out->id, 0, sizeof out->id);
	out->method = NULL;
	if (!json_members(body, members, MEMBERS_MAX, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct bytes value = members[i].value;
		bool ok = false;

		if (is_named(&members[i], "id")) {
			ok = id_is_plain(value);
			out->id = value;
		} else if (is_named(&members[i], "method") && rpc_plain_string(&value)) {
			out->method = rpc_method_find((const char *)value.data, value.len);
			ok = out->method != NULL;
		} else if (is_named(&members[i], "params")) {
			ok = json_members(value, params, RPC_PARAMS_MAX, &param_count) &&
			     params_are_plain(params, param_count);
		} else if (is_named(&members[i], "jsonrpc")) {
			ok = rpc_plain_string(&value);
		}
		if (!ok)
			return false;
	}
	return out->method &&
	       call_params_spelled(server, out->args, out->method, params, param_count);
}
