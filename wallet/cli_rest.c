/* The commands' calls to a coordinator. */
#include <string.h>

#include "base/json.h"
#include "wallet/cli.h"
#include "wallet/fields.h"

enum { REST_MS = 30000, FILE_MS = 600000, ANSWER_BYTES_MAX = 32 * 1024 * 1024 };

static void keep_rest(void *ctx, const struct http_result *result)
{
	struct rest_answer *out = ctx;
	struct json_fault ignored;

	out->status = result->status;
	out->http_status = result->http_status;
	if (result->status != STATUS_OK) {
		snprintf(out->fault, sizeof out->fault, "%s", result->fault);
		return;
	}
	buf_append_view(&out->body, result->body);
	out->json = json_read(result->body, &ignored);
	if (result->http_status < 400)
		return;
	const json_t *error = json_object_get(out->json, "error");
	const char *message = field_text(error, "message");
	const char *field = field_text(error, "field");
	snprintf(out->fault, sizeof out->fault, "%s%s%s (HTTP %u%s%s)", field, field[0] ? ": " : "",
		message[0] ? message : "refused", result->http_status,
		field_text(error, "code")[0] ? " " : "", field_text(error, "code"));
}

static void call(struct cli *cli, struct rest_answer *out, const char *path, struct http_call *with)
{
	struct http_header headers[2] = {{"Content-Type", "application/json"}};
	char url[2048];

	*out = (struct rest_answer){.status = STATUS_NO_MEMORY, .fault = "no memory"};
	snprintf(url, sizeof url, "%s%s", cli->coordinator_url, path);
	with->url = url;
	with->headers = headers;
	with->header_count = 1;
	with->answer_bytes_max = ANSWER_BYTES_MAX;
	if (with->upload_file)
		headers[0].value = "application/octet-stream";
	if (cli->api_key[0])
		headers[with->header_count++] = (struct http_header){"X-Api-Key", cli->api_key};
	enum status status = http_client_wait(cli->http, with, keep_rest, out);
	if (status != STATUS_OK && out->status == STATUS_OK)
		out->status = status;
	if (out->status != STATUS_OK) {
		char why[256];
		snprintf(why, sizeof why, "%.255s", out->fault);
		snprintf(out->fault, sizeof out->fault,
			"no answer from the coordinator at %.100s: %s\n"
			"is it running? give its port with --coordinator URL or AITBC_COORDINATOR",
			cli->coordinator_url, why);
	} else if (out->http_status == 401) {
		snprintf(out->fault, sizeof out->fault,
			"the coordinator wants an API key: set AITBC_API_KEY (or --home of a "
			"devnet)");
	}
}

void cli_rest(struct cli *cli, struct rest_answer *out, enum http_method method, const char *path,
	struct bytes body)
{
	struct http_call with = {.method = method, .body = body, .timeout_ms = REST_MS};

	call(cli, out, path, &with);
}

void cli_rest_upload(struct cli *cli, struct rest_answer *out, const char *path, const char *file)
{
	struct http_call with = {.method = HTTP_PUT, .upload_file = file, .timeout_ms = FILE_MS};

	call(cli, out, path, &with);
}

void cli_rest_download(struct cli *cli, struct rest_answer *out, const char *path, const char *file)
{
	struct http_call with = {.method = HTTP_GET, .download_file = file, .timeout_ms = FILE_MS};

	call(cli, out, path, &with);
}

bool rest_answer_ok(const struct rest_answer *answer)
{
	return answer->status == STATUS_OK && answer->http_status >= 200 &&
	       answer->http_status < 300;
}

void rest_answer_fini(struct rest_answer *answer)
{
	buf_fini(&answer->body);
	json_decref(answer->json);
}
