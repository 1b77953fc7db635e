#include "miner/backend.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "miner/backend_internal.h"

static const struct template *template_of(const struct backends *b, const char *service)
{
	for (size_t i = 0; i < b->config->template_count; i++)
		if (strcmp(b->config->templates[i].service, service) == 0)
			return &b->config->templates[i];
	return NULL;
}

static bool is_ollama(const struct backends *b, const char *service)
{
	return b->config->ollama.enabled && strcmp(b->config->ollama.service, service) == 0;
}

bool backend_serves(const struct backends *backends, const char *service)
{
	return template_of(backends, service) != NULL || is_ollama(backends, service);
}

bool backend_needs_input(const struct backends *backends, const char *service)
{
	const struct template *template = template_of(backends, service);
	return template != NULL && template->needs_input;
}

void backend_put_services(const struct backends *backends, struct buf *out)
{
	const char *comma = "";
	for (size_t i = 0; i < backends->config->template_count; i++) {
		buf_append_text(out, comma);
		json_put_text(out, backends->config->templates[i].service);
		comma = ",";
	}
	if (backends->config->ollama.enabled &&
		template_of(backends, backends->config->ollama.service) == NULL) {
		buf_append_text(out, comma);
		json_put_text(out, backends->config->ollama.service);
	}
}

/* ---- one run ---- */

void backend_run_free(struct backend_run *run)
{
	if (run->later != NULL)
		event_free(run->later);
	if (run->has_command)
		command_fini(&run->command);
	free(run);
}

void backend_answer(struct backend_run *run, const struct backend_result *result)
{
	backend_done *done = run->done;
	run->done = NULL;
	if (done != NULL)
		done(run->ctx, result);
}

static void on_later(evutil_socket_t fd, short what, void *ctx)
{
	struct backend_run *run = ctx;
	(void)fd, (void)what;
	struct backend_result result = {.error_code = "bad_input", .message = run->message};
	backend_answer(run, &result);
	backend_run_free(run);
}

enum status backend_refuse_later(struct backend_run *run)
{
	struct timeval now = {0, 0};
	run->deferred = true;
	run->later = event_new(run->backends->loop, -1, 0, on_later, run);
	if (run->later == NULL || event_add(run->later, &now) != 0)
		return STATUS_NO_MEMORY;
	return STATUS_OK;
}

/* The last line a program wrote, made printable: what it would have told a person. */
static void last_line(char *out, size_t size, struct bytes text)
{
	size_t end = text.len;
	while (end > 0 && text.data[end - 1] <= ' ')
		end--;
	size_t start = end;
	while (start > 0 && text.data[start - 1] != '\n' && text.data[start - 1] != '\r')
		start--;
	size_t used = 0;
	for (size_t i = start; i < end && used + 1 < size; i++)
		out[used++] = text.data[i] >= ' ' && text.data[i] < 0x7f ? (char)text.data[i] : '?';
	out[used] = 0;
}

static void put_stdout(struct buf *out, struct bytes text)
{
	if (utf8_valid(text)) {
		buf_append_text(out, "\"stdout\":");
		json_put_string(out, (const char *)text.data, text.len);
	} else {
		buf_append_text(out, "\"stdout_base64\":");
		json_put_base64(out, text.data, text.len);
	}
}

static void on_exec(void *ctx, const struct exec_result *exec)
{
	struct backend_run *run = ctx;
	struct backend_result result = {.elapsed_ms = exec->elapsed_ms, .command = &run->command};
	struct buf members;
	char said[160];
	buf_init(&members, HTTP_BODY_BYTES_MAX);
	result.ok = exec->end == EXEC_EXITED && exec->code == 0;
	result.error_code = result.ok ? "" : exec_end_text(exec->end);
	if (result.ok && run->stdout_result) {
		put_stdout(&members, exec->out);
	} else if (!result.ok) {
		last_line(said, sizeof said, exec->err);
		snprintf(run->message, sizeof run->message, "%s%s%s", exec->fault,
			said[0] != 0 ? ": " : "", said);
	}
	if (!buf_ok(&members)) {
		result.ok = false;
		result.error_code = "result_too_large";
		snprintf(run->message, sizeof run->message, "the output doesn't fit into a result");
	}
	if (exec->leftovers > 0)
		log_event(run->backends->log, LOG_UNUSUAL, "exec.leftovers program=%s killed=%u",
			run->command.argv[0], exec->leftovers);
	result.members = buf_ok(&members) ? buf_view(&members) : bytes_view(NULL, 0);
	result.message = run->message;
	backend_answer(run, &result);
	buf_fini(&members);
	backend_run_free(run);
}

static enum status program_start(struct backend_run *run, const struct template *template,
	const json_t *payload, const char *directory, uint64_t wall_ms)
{
	const struct backends *b = run->backends;
	char fault[256];
	run->has_command = true;
	run->stdout_result = template->stdout_result;
	if (!template_fill(template, &run->command, payload, fault)) {
		snprintf(run->message, sizeof run->message, "%s", fault);
		return backend_refuse_later(run);
	}
	struct exec_spec spec = {.argv = (const char *const *)run->command.argv,
		.directory = directory,
		.limits = template->limits,
		.drop_user = b->drop_user,
		.uid = b->uid,
		.gid = b->gid};
	if (spec.limits.wall_ms == 0 || wall_ms < spec.limits.wall_ms)
		spec.limits.wall_ms = wall_ms;
	enum status status = exec_start(b->execs, &run->exec, &spec, fault, on_exec, run);
	if (status != STATUS_OK)
		log_event(b->log, LOG_UNUSUAL, "exec.refused reason=\"%s\"", fault);
	return status;
}

enum status backend_start(const struct backends *backends, struct backend_run **out,
	const char *service, const json_t *payload, const char *directory, uint64_t wall_ms,
	backend_done *done, void *ctx)
{
	const struct template *template = template_of(backends, service);
	struct backend_run *run = calloc(1, sizeof *run);
	enum status status = STATUS_INVALID;
	if (run == NULL)
		return STATUS_NO_MEMORY;
	*run = (struct backend_run){.backends = backends, .done = done, .ctx = ctx};
	run->started_ms = backends->now_ms();
	if (template != NULL)
		status = program_start(run, template, payload, directory, wall_ms);
	else if (is_ollama(backends, service))
		status = ollama_start(run, payload, wall_ms);
	if (status != STATUS_OK) {
		backend_run_free(run);
		return status;
	}
	*out = run;
	return STATUS_OK;
}

void backend_cancel(struct backend_run *run)
{
	struct backend_result result = {
		.error_code = "cancelled", .message = "the run was cancelled"};
	if (run->exec != NULL)
		exec_cancel(run->exec); /* on_exec follows when all its processes are gone */
	else
		backend_answer(run, &result); /* a late answer of the server finds nobody */
}
