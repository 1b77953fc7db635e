#include "miner/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "miner/nearest.h"
#include "miner/template_internal.h"

/* Members of a payload that speak to the coordinator, not to the program. */
static const char *const ENVELOPE[] = {
	"type", "model", "constraints", "ttl_seconds", "payment_amount", NULL};

static const struct {
	const char *extension;
	const char *content_type;
} CONTENT_TYPES[] = {
	{".mp4", "video/mp4"},
	{".mkv", "video/x-matroska"},
	{".mov", "video/quicktime"},
	{".webm", "video/webm"},
	{".png", "image/png"},
	{".jpg", "image/jpeg"},
	{".txt", "text/plain"},
	{".json", "application/json"},
	{".wav", "audio/wav"},
	{".mp3", "audio/mpeg"},
};

const struct template_param *template_param(const struct template *t, const char *name, size_t len)
{
	for (size_t i = 0; i < t->param_count; i++)
		if (strlen(t->params[i].name) == len && memcmp(t->params[i].name, name, len) == 0)
			return &t->params[i];
	return NULL;
}

static bool is_word(const char *text, size_t max)
{
	size_t len = strlen(text);
	if (len == 0 || len > max || text[0] == '-' || text[0] == '.')
		return false;
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
	       len;
}

static const char *choose(const struct template_param *param, const char *wanted)
{
	if (wanted == NULL)
		return NULL;
	if (param->kind == PARAM_MAP)
		return json_string_value(json_object_get(param->choices, wanted));
	for (size_t i = 0; i < json_array_size(param->choices); i++) {
		const char *choice = json_string_value(json_array_get(param->choices, i));
		if (strcmp(choice, wanted) == 0)
			return choice;
	}
	return NULL;
}

/* A number as a client may write it: 23 or "23". */
static bool read_integer(int64_t *out, const json_t *value)
{
	const char *text = json_string_value(value);
	if (json_is_integer(value)) {
		*out = json_integer_value(value);
		return true;
	}
	if (text == NULL || text[0] == 0 || strlen(text) > 18)
		return false;
	const char *digits = text + (text[0] == '-');
	if (digits[0] == 0 || strspn(digits, "0123456789") != strlen(digits))
		return false;
	*out = strtoll(text, NULL, 10);
	return true;
}

bool template_value(
	char out[TEMPLATE_TEXT_BYTES_MAX], const struct template_param *param, const json_t *value)
{
	int64_t number;
	const char *text = json_string_value(value);
	switch (param->kind) {
	case PARAM_ENUM:
	case PARAM_MAP:
		text = choose(param, text);
		if (text == NULL)
			return false;
		break;
	case PARAM_INTEGER:
		if (!read_integer(&number, value) || number < param->min || number > param->max)
			return false;
		snprintf(out, TEMPLATE_TEXT_BYTES_MAX, "%lld", (long long)number);
		return true;
	case PARAM_WORD:
		if (text == NULL || !is_word(text, param->word_bytes_max))
			return false;
		break;
	}
	snprintf(out, TEMPLATE_TEXT_BYTES_MAX, "%s", text);
	return true;
}

/* ---- filling ---- */

struct filler {
	const struct template *template;
	const json_t *payload;
	char *fault;
	const char *output; /* name of the first one, once known */
};

static const json_t *value_of(const struct filler *f, const struct template_param *param)
{
	const json_t *value = json_object_get(f->payload, param->name);
	return value != NULL && !json_is_null(value) ? value : param->fallback;
}

/* The text of one placeholder; NULL: refused, fault is set. */
static bool placeholder(struct filler *f, struct buf *out, const char *name, size_t len)
{
	char text[TEMPLATE_TEXT_BYTES_MAX];
	if (len == 5 && memcmp(name, "input", 5) == 0) {
		buf_append_text(out, "./" TEMPLATE_INPUT_NAME);
		return true;
	}
	if (len == 6 && memcmp(name, "output", 6) == 0) {
		buf_append_text(out, "./");
		buf_append_text(out, f->output);
		return true;
	}
	const struct template_param *param = template_param(f->template, name, len);
	CHECK(param != NULL); /* template_read looked at every placeholder */
	const json_t *value = value_of(f, param);
	if (value == NULL) {
		snprintf(f->fault, 256, "%s is missing", param->name);
		return false;
	}
	if (!template_value(text, param, value)) {
		snprintf(
			f->fault, 256, "%s has a value that this miner doesn't offer", param->name);
		return false;
	}
	buf_append_text(out, text);
	return true;
}

/* An argument with its placeholders replaced; caller frees. NULL: refused. */
static char *fill_text(struct filler *f, const char *text)
{
	struct buf out;
	char *copy = NULL;
	bool ok = true;
	buf_init(&out, (size_t)TEMPLATE_TEXT_BYTES_MAX * 4);
	while (ok && *text != 0) {
		const char *end = *text == '{' ? strchr(text, '}') : NULL;
		if (end != NULL) {
			ok = placeholder(f, &out, text + 1, (size_t)(end - text - 1));
			text = end + 1;
		} else {
			buf_append_byte(&out, (uint8_t)*text++);
		}
	}
	if (ok && buf_ok(&out))
		copy = strdup(buf_text(&out));
	if (ok && copy == NULL)
		snprintf(f->fault, 256, "an argument is too long");
	buf_fini(&out);
	return copy;
}

static bool add_argument(struct filler *f, struct command *command, const char *text)
{
	if (command->argc == TEMPLATE_ARGS_MAX) {
		snprintf(f->fault, 256, "too many arguments");
		return false;
	}
	char *argument = fill_text(f, text);
	command->argv[command->argc] = argument;
	command->argc += argument != NULL;
	return argument != NULL;
}

/* {"if": param, "is"|"not": text, "argv": [...]}: does it apply? */
static bool group_applies(const struct filler *f, const json_t *group)
{
	const char *name = json_string_value(json_object_get(group, "if"));
	const char *is = json_string_value(json_object_get(group, "is"));
	const char *is_not = json_string_value(json_object_get(group, "not"));
	const json_t *value = value_of(f, template_param(f->template, name, strlen(name)));
	const char *text = json_string_value(value);
	if (value == NULL)
		return false;
	if (is != NULL)
		return text != NULL && strcmp(text, is) == 0;
	return is_not == NULL || text == NULL || strcmp(text, is_not) != 0;
}

static bool fill_arguments(struct filler *f, struct command *command)
{
	size_t i, j;
	const json_t *item, *inner;
	json_array_foreach(json_object_get(f->template->json, "argv"), i, item)
	{
		if (i == 0) {
			command->argv[command->argc] = strdup(f->template->program);
			if (command->argv[command->argc++] == NULL)
				return false;
		} else if (json_is_string(item)) {
			if (!add_argument(f, command, json_string_value(item)))
				return false;
		} else if (group_applies(f, item)) {
			json_array_foreach(json_object_get(item, "argv"), j, inner)
			{
				if (!add_argument(f, command, json_string_value(inner)))
					return false;
			}
		}
	}
	return true;
}

static const char *content_type_of(const char *name, const json_t *output)
{
	const char *given = json_string_value(json_object_get(output, "content_type"));
	const char *extension = strrchr(name, '.');
	if (given != NULL)
		return given;
	for (size_t i = 0; extension != NULL && i < sizeof CONTENT_TYPES / sizeof CONTENT_TYPES[0];
		i++)
		if (strcmp(CONTENT_TYPES[i].extension, extension) == 0)
			return CONTENT_TYPES[i].content_type;
	return "application/octet-stream";
}

static bool fill_outputs(struct filler *f, struct command *command)
{
	size_t i;
	const json_t *output;
	json_array_foreach(json_object_get(f->template->json, "outputs"), i, output)
	{
		char *name = fill_text(f, json_string_value(json_object_get(output, "name")));
		bool fits = name != NULL && is_word(name, TEMPLATE_NAME_BYTES_MAX) &&
			    strcmp(name, TEMPLATE_INPUT_NAME) != 0;
		if (fits)
			snprintf(command->outputs[i], sizeof command->outputs[i], "%s", name);
		else if (name != NULL)
			snprintf(f->fault, 256, "no usable name for an output");
		free(name);
		if (!fits)
			return false;
		command->content_types[i] = content_type_of(command->outputs[i], output);
		command->output_count++;
	}
	return true;
}

/* A member the template doesn't know is refused: dropping it would give the client something else
 * than it asked for. One it knows must be of its kind even when no argument uses it this time. */
static bool payload_known(const struct filler *f)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)f->payload, key, value)
	{
		char text[TEMPLATE_TEXT_BYTES_MAX];
		bool envelope = f->template->needs_input && strcmp(key, "input") == 0;
		for (size_t i = 0; ENVELOPE[i] != NULL; i++)
			envelope |= strcmp(ENVELOPE[i], key) == 0;
		if (envelope || json_is_null(value))
			continue;
		const struct template_param *param = template_param(f->template, key, strlen(key));
		if (param != NULL && template_value(text, param, value))
			continue;
		snprintf(f->fault, 256,
			param == NULL ? "this miner's %s has no \"%.64s\""
				      : "this miner's %s doesn't offer that \"%.64s\"",
			f->template->service, key);
		return false;
	}
	return true;
}

bool template_fill(const struct template *template, struct command *out, const json_t *payload,
	char fault[256])
{
	struct filler f = {.template = template, .payload = payload, .fault = fault, .output = ""};
	*out = (struct command){0};
	snprintf(fault, 256, "out of memory");
	if (!json_is_object(payload)) {
		snprintf(fault, 256, "the payload isn't an object");
		return false;
	}
	if (!payload_known(&f) || !fill_outputs(&f, out))
		return false;
	if (out->output_count > 0)
		f.output = out->outputs[0];
	return fill_arguments(&f, out);
}

void command_fini(struct command *command)
{
	for (size_t i = 0; i < command->argc; i++)
		free(command->argv[i]);
	*command = (struct command){0};
}
