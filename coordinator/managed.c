#include "coordinator/managed.h"

bool managed_secret(
	struct account_secret *out, const struct account_secret *seed, const char *key_id)
{
	struct bytes parts[] = {bytes_view(seed->b, sizeof seed->b), bytes_of_text(key_id)};
	struct hash32 derived = hash_domain("aitbc/managed/1", parts, 2);
	struct account_key key;
	bool good;

	__builtin_memcpy(out->b, derived.b, sizeof out->b);
	good = account_key_of(&key, out);
	secret_wipe(&derived, sizeof derived);
	return good;
}

static void say_off(struct route_call *call)
{
	reply_error(call->reply, 403, "MANAGED_ACCOUNTS_OFF", "tx",
		"is missing: this coordinator keeps no accounts for others; sign submit_job "
		"yourself "
		"(aitbc submit does) and send {\"tx\", \"salt\", \"payload\"}");
}

enum http_answer managed_submit(struct route_call *call, const json_t *body)
{
	(void)body;
	say_off(call);
	return HTTP_DONE;
}

enum http_answer managed_cancel(struct route_call *call, const struct job *job)
{
	(void)job;
	say_off(call);
	return HTTP_DONE;
}
