/* The routes of the port as one table, and who may take them. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "coordinator/inside.h"

enum { OPEN = 0, CLIENTS = 1 << API_CLIENT, MINERS = 1 << API_MINER, ADMINS = 1 << API_ADMIN };
enum { USERS = CLIENTS | ADMINS, ANYONE = CLIENTS | MINERS | ADMINS };

/* {} stands for one part of a path; {*} for the rest. The first line that fits counts. */
static const struct route {
	enum http_method method;
	const char *path;
	unsigned roles;
	route_handler *handler;
} routes[] = {
	{HTTP_GET, "/v1/health", OPEN, route_health},
	{HTTP_GET, "/health", OPEN, route_health},
	{HTTP_GET, "/v1/coordinator", OPEN, route_coordinator},

	{HTTP_POST, "/v1/jobs", USERS, route_submit},
	{HTTP_GET, "/v1/jobs", USERS, route_job_list},
	{HTTP_GET, "/v1/jobs/history", USERS, route_job_list},
	{HTTP_POST, "/v1/jobs/{}/status", MINERS, route_status},
	{HTTP_POST, "/v1/jobs/{}/complete", MINERS, route_complete},
	{HTTP_POST, "/v1/jobs/{}/fail", MINERS, route_fail},
	{HTTP_GET, "/v1/jobs/{}", USERS, route_job_get},
	{HTTP_GET, "/v1/jobs/{}/result", USERS, route_job_result},
	{HTTP_POST, "/v1/jobs/{}/cancel", USERS, route_job_cancel},
	{HTTP_GET, "/v1/jobs/{}/receipt", USERS, route_job_receipt},
	{HTTP_GET, "/v1/jobs/{}/receipts", USERS, route_job_receipts},
	{HTTP_GET, "/v1/receipts", USERS, route_receipts},
	{HTTP_GET, "/v1/account", USERS, route_account},

	{HTTP_POST, "/v1/miners/register", MINERS, route_register},
	{HTTP_POST, "/v1/miners/heartbeat", MINERS, route_heartbeat},
	{HTTP_POST, "/v1/miners/poll", MINERS, route_poll},
	{HTTP_POST, "/v1/miners/drain", MINERS, route_drain},
	{HTTP_POST, "/v1/miners/{}/result", MINERS, route_complete},
	{HTTP_POST, "/v1/miners/{}/fail", MINERS, route_fail},
	{HTTP_POST, "/v1/miners/{}/jobs", MINERS | ADMINS, route_miner_jobs},
	{HTTP_GET, "/v1/miners/{}/jobs", MINERS | ADMINS, route_miner_jobs},
	{HTTP_GET, "/v1/miners/{}", MINERS | ADMINS, route_miner_get},
	{HTTP_GET, "/v1/miners/{}/earnings", MINERS | ADMINS, route_miner_get},
	{HTTP_POST, "/v1/miners/{}/earnings", MINERS | ADMINS, route_miner_get},
	{HTTP_PUT, "/v1/miners/{}/capabilities", MINERS, route_miner_put},
	{HTTP_DELETE, "/v1/miners/{}", MINERS | ADMINS, route_miner_delete},

	{HTTP_GET, "/v1/admin/stats", ADMINS, route_admin_stats},
	{HTTP_GET, "/v1/admin/status", ADMINS, route_admin_stats},
	{HTTP_GET, "/v1/admin/jobs", ADMINS, route_admin_jobs},
	{HTTP_GET, "/v1/admin/miners", ADMINS, route_admin_miners},

	{HTTP_GET, "/v1/registry/services", OPEN, route_registry},
	{HTTP_GET, "/v1/services", OPEN, route_registry},
	{HTTP_GET, "/v1/registry/services/{*}", OPEN, route_registry_one},

	{HTTP_PUT, "/v1/artifacts", ANYONE, route_artifact_put},
	{HTTP_POST, "/v1/artifacts", ANYONE, route_artifact_put},
	{HTTP_GET, "/v1/artifacts/{}", ANYONE, route_artifact_get},
	{HTTP_HEAD, "/v1/artifacts/{}", ANYONE, route_artifact_get},

	{HTTP_GET, "/blocks", OPEN, route_blocks},
	{HTTP_GET, "/blocks/{}", OPEN, route_block},
	{HTTP_GET, "/receipts", OPEN, route_chain_receipts},
	{HTTP_GET, "/transactions/{}", OPEN, route_transaction},
};

/* The explorer's other spellings. */
static const char *const explorer_prefixes[] = {"/v1/explorer/", "/api/v1/", "/explorer/"};

/* Fits path to pattern; what stands for {} goes to call->arg. */
static bool path_fits(struct route_call *call, const char *pattern, const char *path)
{
	size_t arg = 0;

	while (*pattern) {
		size_t len;

		if (pattern[0] != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		len = pattern[1] == '*' ? strlen(path) : strcspn(path, "/");
		if (len == 0 || len >= sizeof call->arg[0] || arg == 2)
			return false;
		memcpy(call->arg[arg], path, len);
		call->arg[arg++][len] = 0;
		path += len;
		pattern += pattern[1] == '*' ? 3 : 2;
	}
	return *path == 0 || (path[0] == '/' && path[1] == 0);
}

/* The table's spelling of a path. */
static const char *path_plain(const char *path, char buffer[1024])
{
	for (size_t i = 0; i < sizeof explorer_prefixes / sizeof explorer_prefixes[0]; i++) {
		size_t len = strlen(explorer_prefixes[i]);
		const char *rest = path + len;

		if (strncmp(path, explorer_prefixes[i], len) != 0)
			continue;
		if (strncmp(rest, "blocks", 6) == 0 || strncmp(rest, "receipts", 8) == 0 ||
			strncmp(rest, "transactions", 12) == 0) {
			snprintf(buffer, 1024, "/%s", rest);
			return buffer;
		}
	}
	return path;
}

/* The miner's key may stand in either header; a bearer token is a key too. */
static const char *key_of(const struct http_request *request)
{
	const char *key = http_request_header(request, "X-Miner-Key");

	if (!key)
		key = http_request_header(request, "X-Api-Key");
	if (!key) {
		key = http_request_header(request, "Authorization");
		key = key && strncmp(key, "Bearer ", 7) == 0 ? key + 7 : NULL;
	}
	return key;
}

static void refuse_key(struct route_call *call, const char *why)
{
	if (!bad_keys_count(&call->c->bad, call->request->peer ? call->request->peer : "",
		    call->request->now_ms)) {
		reply_error(call->reply, 429, "RATE_LIMIT_EXCEEDED", NULL,
			"too many wrong keys from this address; wait a minute");
		http_reply_header(call->reply, "Retry-After", "60");
		return;
	}
	reply_error(call->reply, 401, "AUTHENTICATION_ERROR", NULL, "%s", why);
}

/* Whose key it is; a key of another role than these is refused. A valid key is always served, also
 * from an address where others guess. */
static bool identify(struct route_call *call, unsigned roles)
{
	const char *secret = key_of(call->request);
	int index;

	if (!secret) {
		reply_error(call->reply, 401, "AUTHENTICATION_ERROR", NULL,
			"an API key is needed: header X-Api-Key%s",
			roles & MINERS ? " or X-Miner-Key" : "");
		return false;
	}
	index = api_keys_find(&call->c->keys, secret);
	if (index < 0) {
		refuse_key(call, "this API key is not known here");
		return false;
	}
	call->key = &call->c->keys.keys[index];
	if (!(roles & 1u << call->key->role)) {
		reply_error(call->reply, 403, "AUTHORIZATION_ERROR", NULL,
			"a key of role %s may not do this", api_role_name(call->key->role));
		return false;
	}
	return true;
}

static bool authenticate(struct route_call *call, unsigned roles)
{
	struct coordinator *c = call->c;
	uint64_t retry_ms;

	if (roles == OPEN) {
		if (open_rates_take(&c->open, call->request->peer ? call->request->peer : "",
			    call->request->now_ms + 1))
			return true;
		reply_error(call->reply, 429, "RATE_LIMIT_EXCEEDED", NULL,
			"too many requests from this address");
		http_reply_header(call->reply, "Retry-After", "1");
		return false;
	}
	if (!identify(call, roles))
		return false;
	if (!rate_take(&c->buckets[call->key - c->keys.keys], &retry_ms,
		    call->key->rate_per_s ? call->key->rate_per_s : c->config.rate_per_s,
		    call->key->burst ? call->key->burst : c->config.rate_burst,
		    call->request->now_ms + 1)) {
		reply_error(call->reply, 429, "RATE_LIMIT_EXCEEDED", NULL,
			"too many requests for this key; the next is welcome in %llu ms",
			(unsigned long long)retry_ms);
		http_reply_header(call->reply, "Retry-After", "1");
		return false;
	}
	return true;
}

bool coordinator_admit_upload(
	void *self, const struct http_request *request, struct http_reply *reply)
{
	struct route_call call = {self, request, {0, 0}, reply, NULL, {{0}, {0}}};

	return identify(&call, ANYONE);
}

enum http_answer coordinator_handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct route_call call = {self, request, ticket, reply, NULL, {{0}, {0}}};
	char buffer[1024];
	const char *path = path_plain(request->path, buffer);
	bool other_method = false;

	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		const struct route *route = &routes[i];

		if (!path_fits(&call, route->path, path))
			continue;
		if (route->method != request->method) {
			other_method = true;
			continue;
		}
		if (!authenticate(&call, route->roles))
			return HTTP_DONE;
		return route->handler(&call);
	}
	if (other_method)
		reply_error(reply, 405, "METHOD_NOT_ALLOWED", NULL,
			"this path doesn't take that method");
	else
		reply_error(reply, 404, "NOT_FOUND", NULL, "no such path: %.200s", request->path);
	return HTTP_DONE;
}

void coordinator_refusal(void *self, uint16_t status, const char *reason, struct http_reply *reply)
{
	(void)self;
	reply_error(reply, status, status == 413 ? "TOO_LARGE" : "REFUSED", NULL, "%s", reason);
}

json_t *route_body(struct route_call *call)
{
	struct json_fault fault;
	json_t *body = json_read_bounded(call->request->body, JSON_VALUES_MAX, &fault);

	if (!body) {
		reply_error(call->reply, 400, "BAD_JSON", NULL, "the body is not JSON: %s",
			call->request->body.len ? fault.text : "it is empty");
		return NULL;
	}
	if (!json_is_object(body)) {
		reply_error(call->reply, 400, "BAD_JSON", NULL, "the body must be a JSON object");
		json_decref(body);
		return NULL;
	}
	return body;
}

bool route_job(struct route_call *call, struct job *job)
{
	uint8_t id[JOB_ID_RAW_BYTES];
	enum status status;

	if (!job_id_parse(id, call->arg[0], strlen(call->arg[0]))) {
		reply_error(call->reply, 404, "NOT_FOUND", NULL,
			"no such job; an id looks like job_ and 32 hex digits");
		return false;
	}
	status = job_read(&call->c->jobs, job, id);
	/* Another's job is as unknown as none. */
	if (status == STATUS_OK && call->key->role == API_CLIENT &&
		strcmp(job->owner, call->key->id) != 0)
		status = STATUS_NOT_FOUND;
	if (status == STATUS_NOT_FOUND)
		reply_error(
			call->reply, 404, "NOT_FOUND", NULL, "no such job: %.64s", call->arg[0]);
	else if (status != STATUS_OK)
		reply_error(call->reply, 500, "INTERNAL_ERROR", NULL, "the job can't be read: %s",
			status_text(status));
	return status == STATUS_OK;
}
