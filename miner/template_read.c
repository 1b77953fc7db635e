#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "miner/nearest.h"
#include "miner/template_internal.h"

/* What a program may take when the template doesn't say. */
static const struct exec_limits LIMITS_DEFAULT = {
	.cpu_seconds = 3600,
	.memory_bytes = 4ull << 30,
	.file_bytes = ARTIFACT_BYTES_MAX,
	.directory_bytes = 4ull * ARTIFACT_BYTES_MAX,
	.wall_ms = 15 * 60 * 1000,
	.open_files = 256,
	.processes = 64,
	.stdout_bytes = 128 * 1024,
	.stderr_bytes = 1024 * 1024,
};

struct reader {
	struct template *out;
	char *fault;
	char where[SERVICE_BYTES_MAX + 32];
};

static bool refuse(struct reader *r, const char *what, const char *name)
{
	snprintf(r->fault, 256, "%s: %s%s%.80s%s", r->where, what, name[0] != 0 ? " \"" : "", name,
		name[0] != 0 ? "\"" : "");
	return false;
}

static bool read_head(struct reader *r)
{
	static const char *const known[] = {
		"service", "argv", "outputs", "limits", "params", "stdout_result", NULL};
	const json_t *json = r->out->json;
	const char *service = json_string_value(json_object_get(json, "service"));
	const json_t *stdout_result = json_object_get(json, "stdout_result");
	if (service == NULL || service[0] == 0 || strlen(service) > SERVICE_BYTES_MAX)
		return refuse(r, "\"service\" must be a text of 1 to 64 bytes", "");
	snprintf(r->out->service, sizeof r->out->service, "%s", service);
	snprintf(r->where, sizeof r->where, "service %s", service);
	if (!known_keys(r->fault, json, r->where, known))
		return false;
	if (stdout_result != NULL && !json_is_boolean(stdout_result))
		return refuse(r, "\"stdout_result\" must be true or false", "");
	r->out->stdout_result = json_is_true(stdout_result);
	return true;
}

static bool read_limits(struct reader *r)
{
	static const char *const known[] = {"wall_ms", "cpu_seconds", "memory_bytes", "file_bytes",
		"directory_bytes", "open_files", "processes", "stdout_bytes", "stderr_bytes", NULL};
	struct exec_limits *l = &r->out->limits;
	const json_t *json = json_object_get(r->out->json, "limits");
	*l = LIMITS_DEFAULT;
	if (json == NULL)
		return true;
	if (!json_is_object(json))
		return refuse(r, "\"limits\" must be an object", "");
	if (!known_keys(r->fault, json, r->where, known))
		return false;
	uint64_t values[9] = {l->wall_ms, l->cpu_seconds, l->memory_bytes, l->file_bytes,
		l->directory_bytes, l->open_files, l->processes, l->stdout_bytes, l->stderr_bytes};
	for (size_t i = 0; known[i] != NULL; i++) {
		const json_t *value = json_object_get(json, known[i]);
		json_int_t most = i >= 5 ? 16 * 1024 * 1024 : INT64_MAX / 2;
		/* 0, no limit, only where the wall clock stands behind it, or where a program
		 * reserves far more address space than it uses. */
		json_int_t least = i == 1 || i == 2 ? 0 : 1;
		if (value == NULL)
			continue;
		if (!json_is_integer(value) || json_integer_value(value) < least ||
			json_integer_value(value) > most)
			return refuse(r, "out of range: limit", known[i]);
		values[i] = (uint64_t)json_integer_value(value);
	}
	*l = (struct exec_limits){.wall_ms = values[0],
		.cpu_seconds = values[1],
		.memory_bytes = values[2],
		.file_bytes = values[3],
		.directory_bytes = values[4],
		.open_files = (uint32_t)values[5],
		.processes = (uint32_t)values[6],
		.stdout_bytes = (size_t)values[7],
		.stderr_bytes = (size_t)values[8]};
	return true;
}

/* Texts an operator allows must obey the rule for values too. */
static bool choices_fit(struct reader *r, const struct template_param *p)
{
	size_t count =
		p->kind == PARAM_MAP ? json_object_size(p->choices) : json_array_size(p->choices);
	if (count == 0)
		return refuse(r, "there is nothing to choose for", p->name);
	void *at = json_object_iter((json_t *)(uintptr_t)p->choices);
	for (size_t i = 0; i < count; i++) {
		const json_t *choice = p->kind == PARAM_MAP ? json_object_iter_value(at)
							    : json_array_get(p->choices, i);
		const char *text = json_string_value(choice);
		if (text == NULL || text[0] == '-' || strlen(text) >= TEMPLATE_TEXT_BYTES_MAX)
			return refuse(r, "a choice isn't a text, or begins with '-', in", p->name);
		if (p->kind == PARAM_MAP)
			at = json_object_iter_next((json_t *)(uintptr_t)p->choices, at);
	}
	return true;
}

static bool read_kind(struct reader *r, struct template_param *p, const json_t *json)
{
	const json_t *list = json_object_get(json, "enum"), *map = json_object_get(json, "map");
	const json_t *min = json_object_get(json, "min"), *max = json_object_get(json, "max");
	const json_t *word = json_object_get(json, "word");
	int kinds = (list != NULL) + (map != NULL) + (min != NULL || max != NULL) + (word != NULL);
	if (kinds != 1)
		return refuse(r, "give exactly one of enum, map, min and max, word for", p->name);
	if (json_is_array(list) || json_is_object(map)) {
		p->kind = list != NULL ? PARAM_ENUM : PARAM_MAP;
		p->choices = list != NULL ? list : map;
		return choices_fit(r, p);
	}
	if (json_is_integer(min) && json_is_integer(max) &&
		json_integer_value(min) <= json_integer_value(max)) {
		p->kind = PARAM_INTEGER;
		p->min = json_integer_value(min);
		p->max = json_integer_value(max);
		return true;
	}
	if (json_is_integer(word) && json_integer_value(word) >= 1 &&
		json_integer_value(word) < TEMPLATE_TEXT_BYTES_MAX) {
		p->kind = PARAM_WORD;
		p->word_bytes_max = (size_t)json_integer_value(word);
		return true;
	}
	return refuse(r, "its enum, map, min and max, or word isn't of its kind:", p->name);
}

static bool read_param(struct reader *r, const char *name, const json_t *json)
{
	static const char *const known[] = {
		"enum", "map", "min", "max", "word", "default", "optional", NULL};
	struct template *t = r->out;
	char text[TEMPLATE_TEXT_BYTES_MAX];
	if (t->param_count == TEMPLATE_PARAMS_MAX || strlen(name) > TEMPLATE_NAME_BYTES_MAX)
		return refuse(r, "too many params, or too long a name:", name);
	if (strcmp(name, "input") == 0 || strcmp(name, "output") == 0)
		return refuse(r, "a param can't be called", name);
	struct template_param *p = &t->params[t->param_count];
	snprintf(p->name, sizeof p->name, "%s", name);
	if (!json_is_object(json))
		return refuse(r, "not an object: param", name);
	if (!known_keys(r->fault, json, r->where, known) || !read_kind(r, p, json))
		return false;
	p->fallback = json_object_get(json, "default");
	p->optional = json_is_true(json_object_get(json, "optional"));
	if (p->fallback != NULL && !template_value(text, p, p->fallback))
		return refuse(r, "the default isn't allowed by its own rule:", name);
	t->param_count++;
	return true;
}

static bool read_params(struct reader *r)
{
	const json_t *params = json_object_get(r->out->json, "params");
	const char *name;
	json_t *json;
	if (params != NULL && !json_is_object(params))
		return refuse(r, "\"params\" must be an object", "");
	json_object_foreach((json_t *)(uintptr_t)params, name, json)
	{
		if (!read_param(r, name, json))
			return false;
	}
	return true;
}

static bool unknown_placeholder(struct reader *r, const char *name)
{
	const char *known[TEMPLATE_PARAMS_MAX + 3] = {"input", "output"};
	for (size_t i = 0; i < r->out->param_count; i++)
		known[i + 2] = r->out->params[i].name;
	const char *near = nearest_name(known, name);
	snprintf(r->fault, 256, "%s: unknown placeholder {%.64s}%s%s%s", r->where, name,
		near != NULL ? "; did you mean {" : "", near != NULL ? near : "",
		near != NULL ? "}?" : "");
	return false;
}

/* under: the param whose "if" the argument stands under, or NULL. */
static bool check_text(struct reader *r, const json_t *json, const char *under, bool is_output)
{
	const char *text = json_string_value(json);
	if (text == NULL || strlen(text) >= TEMPLATE_TEXT_BYTES_MAX)
		return refuse(r, "an argument or output name isn't a text", "");
	for (const char *at = text; (at = strchr(at, '{')) != NULL;) {
		char name[TEMPLATE_NAME_BYTES_MAX + 1];
		const char *end = strchr(at, '}');
		if (end == NULL || end - at - 1 > TEMPLATE_NAME_BYTES_MAX)
			return refuse(r, "'{' without its '}' in", text);
		snprintf(name, sizeof name, "%.*s", (int)(end - at - 1), at + 1);
		at = end;
		bool file = strcmp(name, "input") == 0 || strcmp(name, "output") == 0;
		const struct template_param *p = template_param(r->out, name, strlen(name));
		if (file && !is_output) {
			r->out->needs_input |= strcmp(name, "input") == 0;
			continue;
		}
		if (p == NULL)
			return unknown_placeholder(r, name);
		if (p->optional && p->fallback == NULL &&
			(under == NULL || strcmp(under, name) != 0))
			return refuse(r, "optional, so only usable under its \"if\":", name);
	}
	return true;
}

static bool check_group(struct reader *r, const json_t *group)
{
	static const char *const known[] = {"if", "is", "not", "argv", NULL};
	const char *name = json_string_value(json_object_get(group, "if"));
	const json_t *list = json_object_get(group, "argv"), *item;
	size_t i;
	if (name == NULL || !json_is_array(list))
		return refuse(r, "an argument that is an object needs \"if\" and \"argv\"", "");
	if (!known_keys(r->fault, group, r->where, known))
		return false;
	if (template_param(r->out, name, strlen(name)) == NULL)
		return unknown_placeholder(r, name);
	json_array_foreach(list, i, item)
	{
		if (!check_text(r, item, name, false))
			return false;
	}
	return true;
}

static bool read_arguments(struct reader *r)
{
	const json_t *list = json_object_get(r->out->json, "argv"), *item;
	const char *program = json_string_value(json_array_get(list, 0));
	size_t i;
	if (program == NULL)
		return refuse(r, "\"argv\" must be a list that begins with a program's name", "");
	if (exec_find_program(r->out->program, sizeof r->out->program, program) != STATUS_OK)
		return refuse(r, "there is no such program on this machine:", program);
	json_array_foreach(list, i, item)
	{
		if (json_is_object(item) ? !check_group(r, item)
					 : !check_text(r, item, NULL, false))
			return false;
	}
	return true;
}

static bool read_outputs(struct reader *r)
{
	static const char *const known[] = {"name", "content_type", NULL};
	const json_t *list = json_object_get(r->out->json, "outputs"), *item;
	size_t i;
	if (list != NULL && (!json_is_array(list) || json_array_size(list) > TEMPLATE_OUTPUTS_MAX))
		return refuse(r, "\"outputs\" must be a list of at most 8", "");
	json_array_foreach(list, i, item)
	{
		if (!json_is_object(item))
			return refuse(r, "an output must be an object", "");
		if (!known_keys(r->fault, item, r->where, known) ||
			!check_text(r, json_object_get(item, "name"), NULL, true))
			return false;
	}
	r->out->output_count = json_array_size(list);
	if (r->out->output_count == 0 && !r->out->stdout_result)
		return refuse(
			r, "it has no outputs and no stdout_result: nothing would come of it", "");
	return true;
}

enum status template_read(struct template *out, json_t *json, char fault[256])
{
	struct reader r = {.out = out, .fault = fault, .where = "services"};
	*out = (struct template){.json = json_incref(json)};
	bool ok = json_is_object(json) ? read_head(&r) && read_limits(&r) && read_params(&r) &&
						 read_outputs(&r) && read_arguments(&r)
				       : refuse(&r, "each must be an object", "");
	if (ok)
		return STATUS_OK;
	template_fini(out);
	return STATUS_INVALID;
}

void template_fini(struct template *template)
{
	json_decref(template->json);
	template->json = NULL;
}
