/* Where a job stands, as its coordinator tells it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "wallet/fields.h"
#include "wallet/job_ref.h"

enum { POLL_MS_LEAST = 100, POLL_MS_MOST = 1000, TRIES_MAX = 4, BACK_OFF_MS = 500 };

/* A coordinator that restarts is asked again after a pause, at most `tries` times in all. */
static json_t *view_with_tries(struct cli *cli, const struct job_ref *ref, uint32_t tries)
{
	struct rest_answer answer;
	char path[128];
	json_t *view = NULL;

	snprintf(path, sizeof path, "/v1/jobs/%s", ref->rest_id);
	cli_rest(cli, &answer, HTTP_GET, path, bytes_view(NULL, 0));
	for (uint32_t n = 1; n < tries && (answer.status != STATUS_OK || answer.http_status >= 502);
		n++) {
		rest_answer_fini(&answer);
		cli_pause(cli, BACK_OFF_MS << n);
		cli_rest(cli, &answer, HTTP_GET, path, bytes_view(NULL, 0));
	}
	if (rest_answer_ok(&answer) && json_is_object(answer.json))
		view = json_incref(answer.json);
	else if (answer.http_status == 404)
		cli_fail("the coordinator knows no job %s", ref->rest_id);
	else
		cli_fail("%s", answer.fault);
	rest_answer_fini(&answer);
	return view;
}

json_t *job_view(struct cli *cli, const struct job_ref *ref)
{
	return view_with_tries(cli, ref, 1);
}

bool job_view_completed(const json_t *view)
{
	return strcmp(field_text(view, "status"), "completed") == 0;
}

bool job_view_ended(const json_t *view)
{
	static const char *const ends[] = {
		"completed", "failed", "cancelled", "canceled", "expired", "refused", "refunded"};

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (strcmp(field_text(view, "status"), ends[i]) == 0)
			return true;
	return false;
}

static void show_member(struct show *show, const char *label, const json_t *view, const char *name)
{
	if (field_text(view, name)[0])
		show_text(show, label, NULL, field_text(view, name));
}

static void show_tx(struct show *show, const char *label, const json_t *view, const char *name)
{
	const json_t *tx = json_object_get(json_object_get(view, "tx"), name);
	char text[128];

	if (!field_text(tx, "height")[0])
		return;
	snprintf(text, sizeof text, "block %.20s  %.64s", field_text(tx, "height"),
		field_text(tx, "hash"));
	show_text(show, label, NULL, text);
}

static void show_cost(struct show *show, const json_t *view)
{
	char text[64];

	if (!field_text(view, "cost")[0])
		return;
	snprintf(text, sizeof text, "%.40s AITBC", field_text(view, "cost"));
	show_text(show, "Cost", NULL, text);
}

void job_view_show(struct show *show, const json_t *view)
{
	uint64_t reward = 0;
	uint32_t attempt = 0;

	show_member(show, "Job ID", view, "job_id");
	show_member(show, "Status", view, "status");
	show_member(show, "Own id", view, "client_job_id");
	show_member(show, "Client", view, "client");
	show_member(show, "Service", view, "service");
	show_member(show, "Model", view, "model");
	if (field_u64(&reward, view, "reward"))
		show_amount(show, "Reward at most", NULL, reward);
	show_member(show, "Miner", view, "assigned_miner_id");
	if (field_u32(&attempt, view, "attempt") && attempt > 0)
		show_u64(show, "Attempt", NULL, attempt);
	show_member(show, "Submitted", view, "submitted_at");
	show_member(show, "Started", view, "started_at");
	show_member(show, "Completed", view, "completed_at");
	if (!job_view_ended(view))
		show_member(show, "Expires", view, "expires_at");
	show_tx(show, "submit_job", view, "submit");
	show_tx(show, "assign_job", view, "assign");
	show_tx(show, "record_receipt", view, "receipt");
	show_member(show, "Receipt", view, "receipt_id");
	show_cost(show, view);
	show_member(show, "Reason", view, "reason");
}

/* Without the space around it that programs like to print. */
static void show_words(struct show *show, const char *text)
{
	char words[4096];

	text += strspn(text, " \t\r\n");
	snprintf(words, sizeof words, "%s", text);
	size_t len = strlen(words);
	while (len > 0 && strchr(" \t\r\n", words[len - 1]))
		words[--len] = '\0';
	show_text(show, "Result", NULL, words);
}

/* What of a result is for reading: the model's answer, what a program printed, or the files it
 * made. */
static void show_result(struct show *show, const json_t *result)
{
	static const char *const texts[] = {"response", "text", "output", "stdout"};
	const json_t *files = json_object_get(result, "artifacts");
	size_t i;
	json_t *one;

	if (json_is_string(result)) {
		show_words(show, json_string_value(result));
		return;
	}
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (field_text(result, texts[i])[0]) {
			show_words(show, field_text(result, texts[i]));
			break;
		}
	}
	bool said = i < sizeof texts / sizeof texts[0];
	json_array_foreach(files, i, one)
	{
		char line[256];
		uint64_t size = 0;
		if (!field_u64(&size, one, "size"))
			continue;
		snprintf(line, sizeof line, "%.150s (%" PRIu64 " bytes)", field_text(one, "name"),
			size);
		show_text(show, said ? "" : "Result", NULL, line);
		said = true;
	}
	char *text = said ? NULL : json_dumps(result, JSON_COMPACT | JSON_ENCODE_ANY);
	if (text)
		show_text(show, "Result", NULL, text);
	free(text);
}

void job_view_show_end(struct show *show, const json_t *view)
{
	const json_t *seconds = json_object_get(view, "compute_time");
	char text[64];

	show_member(show, "Job ID", view, "job_id");
	show_member(show, "Status", view, "status");
	if (job_view_completed(view)) {
		show_result(show, json_object_get(view, "result"));
		show_member(show, "Receipt", view, "receipt_id");
		snprintf(text, sizeof text, "%.3f s", json_number_value(seconds));
		show_text(show, "Completed in", NULL, text);
		show_cost(show, view);
	} else {
		show_member(show, "Reason", view, "reason");
	}
}

/* One line of progress: when, state, and what on the chain made it so. */
static void say_progress(const json_t *view, uint64_t elapsed_ms)
{
	static const struct {
		const char *state;
		const char *act;
		const char *member;
	} rows[] = {{"COMPLETED", "record_receipt", "receipt"}, {"RUNNING", "assign_job", "assign"},
		{"QUEUED", "submit_job", "submit"}};
	const char *state = field_text(view, "state");
	char text[400] = "";
	char clean[400];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const json_t *tx = json_object_get(json_object_get(view, "tx"), rows[i].member);
		if (strcmp(state, rows[i].state) != 0 || !field_text(tx, "height")[0])
			continue;
		snprintf(text, sizeof text, "%s in block %.20s, transaction %.12s...", rows[i].act,
			field_text(tx, "height"), field_text(tx, "hash"));
	}
	size_t len = strlen(text);
	if (strcmp(state, "RUNNING") == 0 && field_text(view, "assigned_miner_id")[0])
		snprintf(text + len, sizeof text - len, ", miner %.64s",
			field_text(view, "assigned_miner_id"));
	else if (field_text(view, "reason")[0])
		snprintf(text + len, sizeof text - len, "%s%.200s", len ? "; " : "",
			field_text(view, "reason"));
	printf("%6.1f s  %-10s %s\n", (double)elapsed_ms / 1000, state,
		show_clean(clean, sizeof clean, text, false));
	(void)fflush(stdout);
}

json_t *job_follow(struct cli *cli, const struct job_ref *ref, uint64_t timeout_ms)
{
	uint64_t begun_ms = cli_now_ms();
	uint32_t pause_ms = POLL_MS_LEAST;
	char said[160] = "";

	for (;;) {
		json_t *view = view_with_tries(cli, ref, TRIES_MAX);
		uint64_t elapsed_ms = cli_now_ms() - begun_ms;
		char now[160];
		if (!view)
			return NULL;
		snprintf(now, sizeof now, "%.30s %.120s", field_text(view, "state"),
			field_text(view, "reason"));
		if (strcmp(now, said) != 0 && !cli->json)
			say_progress(view, elapsed_ms);
		memcpy(said, now, sizeof said);
		if (job_view_ended(view))
			return view;
		json_decref(view);
		if (timeout_ms && elapsed_ms >= timeout_ms) {
			cli_fail(
				"the job hasn't ended yet; it goes on\nlook later: aitbc status %s",
				ref->rest_id);
			return NULL;
		}
		cli_pause(cli, pause_ms);
		pause_ms = pause_ms * 5 / 4 < POLL_MS_MOST ? pause_ms * 5 / 4 : POLL_MS_MOST;
	}
}
