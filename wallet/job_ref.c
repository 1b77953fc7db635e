#include "wallet/job_ref.h"

#include <string.h>

#include "base/json.h"
#include "wallet/fields.h"
#include "wallet/private_file.h"

static bool is_rest_id(const char *text)
{
	return strncmp(text, "job_", 4) == 0 && strlen(text) == JOB_REST_ID_BYTES - 1 &&
	       strspn(text + 4, "0123456789abcdef") == 32;
}

static void record_path(struct cli *cli, char path[KEYSTORE_PATH_BYTES + 64], const char *rest_id)
{
	snprintf(path, KEYSTORE_PATH_BYTES + 64, "%s/jobs/%s.json", cli->home, rest_id);
}

/* The record of a job submitted from this home; NULL when there is none. */
static json_t *record_read(struct cli *cli, struct buf *text, const char *rest_id)
{
	char path[KEYSTORE_PATH_BYTES + 64];
	char fault[PRIVATE_FAULT_BYTES];
	struct json_fault ignored;
	size_t len = 0;

	record_path(cli, path, rest_id);
	buf_clear(text);
	uint8_t *room = buf_extend(text, HTTP_BODY_BYTES_MAX);
	if (!room || private_file_read(room, &len, HTTP_BODY_BYTES_MAX, path, fault) != STATUS_OK)
		return NULL;
	text->len = len;
	return json_read(buf_view(text), &ignored);
}

static void take_names(struct job_ref *ref, const json_t *names, const char *id_member)
{
	ref->chain_known = field_address(&ref->client, names, "client") &&
			   field_copy(ref->job_id, JOB_ID_BYTES_MAX, names, id_member) &&
			   job_id_valid(bytes_of_text(ref->job_id));
}

bool job_ref_read(struct cli *cli, struct job_ref *out, const char *text)
{
	struct buf record = {0};

	*out = (struct job_ref){0};
	if (!is_rest_id(text)) {
		if (!job_id_valid(bytes_of_text(text))) {
			cli_fail("%s is no job: give the id that submit printed (job_...)", text);
			return false;
		}
		if (!cli_own_key(cli))
			return false;
		out->client = cli->key.address;
		out->chain_known = true;
		memcpy(out->job_id, text, strlen(text) + 1);
		job_rest_id(out->rest_id, &out->client, out->job_id);
		return true;
	}
	memcpy(out->rest_id, text, JOB_REST_ID_BYTES);
	json_t *names = record_read(cli, &record, text);
	take_names(out, names, "job_id");
	json_decref(names);
	buf_fini(&record);
	return true;
}

bool job_ref_on_chain(struct cli *cli, struct job_ref *ref)
{
	if (ref->chain_known)
		return true;
	json_t *view = job_view(cli, ref);
	if (!view)
		return false;
	take_names(ref, view, "client_job_id");
	json_decref(view);
	if (!ref->chain_known)
		cli_fail("the coordinator's answer can't be read");
	return ref->chain_known;
}

bool job_record_write(struct cli *cli, const struct job_ref *ref, struct bytes body)
{
	char path[KEYSTORE_PATH_BYTES + 64];
	char client[ADDRESS_TEXT_BYTES];
	char fault[PRIVATE_FAULT_BYTES] = "no memory";
	struct buf text = {0};
	enum status status = STATUS_NO_MEMORY;

	address_text(client, &ref->client);
	buf_append_text(&text, "{\"client\":");
	json_put_text(&text, client);
	buf_append_text(&text, ",\"job_id\":");
	json_put_text(&text, ref->job_id);
	buf_append_text(&text, ",\"body\":");
	buf_append_view(&text, body);
	buf_append_text(&text, "}\n");
	snprintf(path, sizeof path, "%s/jobs", cli->home);
	if (buf_ok(&text))
		status = private_folder_make(path, fault);
	record_path(cli, path, ref->rest_id);
	if (status == STATUS_OK)
		status = private_file_create(path, buf_view(&text), fault);
	buf_fini(&text);
	if (status == STATUS_BUSY)
		cli_fail("this home has a job %s already: choose another --job-id", ref->job_id);
	else if (status != STATUS_OK)
		cli_fail("%s", fault);
	return status == STATUS_OK;
}

bool job_record_read(struct cli *cli, const struct job_ref *ref, struct buf *body)
{
	struct buf text = {0};
	struct bytes span;
	json_t *record = record_read(cli, &text, ref->rest_id);
	bool ok = record && json_member_span(buf_view(&text), "body", &span);

	if (ok)
		buf_append_view(body, span);
	else
		cli_fail("this home holds no submission of %s", ref->rest_id);
	json_decref(record);
	buf_fini(&text);
	return ok && buf_ok(body);
}
